/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The tree: fosterd, its services, their processes, and whom each was adopted from. Iterative in what foreign
 * processes can make deep.
 */
#include "ctl/text.h"

#include <stdio.h>
#include <string.h>

enum { TREE_DEPTH_MAX = 64, TREE_LINE_MAX = 512, TREE_COMMAND_MIN = 12 };

/** The lines that a tree is drawn with. */
struct tree_lines {
    const char *fork, *last, *bar, *gap, *adopted_fork, *adopted_last;
};

static const struct tree_lines tree_ascii = {"|- ", "`- ", "|  ", "   ", "|~ ", "`~ "};
static const struct tree_lines tree_utf8 = {"├─ ", "└─ ", "│  ", "   ", "├~ ", "└~ "};

/** Where the drawing is. */
struct tree {
    struct buf *out;
    const struct view *v;
    const struct tree_lines *lines;
    bool more[TREE_DEPTH_MAX + 2]; /* at each depth: something follows below */
    size_t depth;
};

/* Begins a line at the present depth and returns how many columns that took. */
static size_t tree_indent(const struct tree *t, bool adopted)
{
    size_t d = t->depth;
    for (size_t i = 1; i < d; i++)
        buf_puts(t->out, t->more[i] ? t->lines->bar : t->lines->gap);
    if (d > 0 && adopted)
        buf_puts(t->out, t->more[d] ? t->lines->adopted_fork : t->lines->adopted_last);
    else if (d > 0)
        buf_puts(t->out, t->more[d] ? t->lines->fork : t->lines->last);
    return 3 * d;
}

static void tree_adoption(const json_t *p, struct buf *out)
{
    char age[32];
    const char *how = text_member(p, "attribution", "-");
    const json_t *by = json_object_get(p, "adopted_from");
    long long ago = text_number(p, "adopted_ms", -1);
    buf_puts(out, ", adopted");
    if (ago >= 0)
        buf_printf(out, " %s ago", view_age(ago, age, sizeof age));
    if (strcmp(how, "unclaimed") != 0)
        buf_printf(out, ", known by its %s", how);
    if (!json_is_object(by))
        return;
    buf_printf(out, ", left by %lld", text_number(by, "pid", 0));
    if (*text_member(by, "name", "") != '\0')
        buf_printf(out, " (%s)", text_member(by, "name", ""));
}

/* What is to be said of a process behind its command. */
static void tree_remark(const json_t *p, struct buf *out)
{
    char age[32];
    long long ms = text_number(p, "age_ms", -1);
    buf_puts(out, strcmp(text_member(p, "role", ""), "main") == 0 ? "  main, " : "  ");
    buf_puts(out, ms >= 0 ? view_age(ms, age, sizeof age) : "-");
    if (*text_member(p, "state", "") == 'Z')
        buf_puts(out, ", zombie");
    if (text_is_true(p, "adopted"))
        tree_adoption(p, out);
}

static void tree_process(const struct tree *t, const json_t *p)
{
    char pid[32];
    struct buf remark;
    const char *command = text_member(p, "command", text_member(p, "name", "-"));
    size_t width = t->v->width > 0 ? (size_t)t->v->width : 0, room = 0;
    size_t used = tree_indent(t, text_is_true(p, "adopted"));
    buf_init(&remark, TREE_LINE_MAX);
    tree_remark(p, &remark);
    snprintf(pid, sizeof pid, "%lld ", text_number(p, "pid", 0));
    used += text_put(t->out, pid, 0);
    size_t behind = text_columns(buf_str(&remark));
    if (width > 0)
        room = width > used + behind + TREE_COMMAND_MIN ? width - used - behind : TREE_COMMAND_MIN;
    used += text_put(t->out, command, room);
    if (width == 0 || width > used)
        text_paint(t->out, t->v, TEXT_FAINT, buf_str(&remark), width > 0 ? width - used : 0);
    buf_putc(t->out, '\n');
    buf_done(&remark);
}

/** The siblings at one depth, and the next of them. */
struct tree_level {
    const json_t *list;
    size_t next;
};

/* Draws the processes of LIST, and what is below them. MORE: something comes behind the last of them. */
static void tree_processes(struct tree *t, const json_t *list, bool more)
{
    struct tree_level levels[TREE_DEPTH_MAX];
    size_t n = 1, base = t->depth;
    levels[0] = (struct tree_level){.list = list};
    while (n > 0) {
        struct tree_level *l = &levels[n - 1];
        const json_t *p = json_array_get(l->list, l->next++);
        if (p == NULL) {
            n--;
            continue;
        }
        t->depth = base + n;
        t->more[t->depth] = l->next < json_array_size(l->list) || (n == 1 && more);
        tree_process(t, p);
        const json_t *children = json_object_get(p, "children");
        if (json_array_size(children) > 0 && base + n < TREE_DEPTH_MAX && n < TREE_DEPTH_MAX)
            levels[n++] = (struct tree_level){.list = children};
    }
    t->depth = base;
}

static void tree_service(struct tree *t, const json_t *s, bool more)
{
    const char *state = text_member(s, "state", "-");
    t->depth = 1;
    t->more[1] = more;
    (void)tree_indent(t, false);
    text_paint(t->out, t->v, TEXT_STRONG, text_member(s, "name", "-"), 0);
    buf_puts(t->out, "  ");
    text_paint(t->out, t->v, text_state_color(state), state, 0);
    buf_putc(t->out, '\n');
    tree_processes(t, json_object_get(s, "processes"), false);
}

static void tree_head(const struct tree *t, const json_t *daemon, size_t n)
{
    char age[32];
    text_paint(t->out, t->v, TEXT_STRONG, text_member(daemon, "name", "fosterd"), 0);
    buf_printf(t->out, "  fosterd %lld%s, up %s; %zu services, %lld processes adopted, %lld reaped\n",
               text_number(daemon, "pid", 0), text_is_true(daemon, "init") ? " (init)" : "",
               view_age(text_number(daemon, "uptime_ms", 0), age, sizeof age), n, text_number(daemon, "adopted", 0),
               text_number(daemon, "reaped", 0));
}

void view_tree(struct buf *out, const struct view *v, const json_t *result)
{
    struct tree t = {.out = out, .v = v, .lines = v->utf8 ? &tree_utf8 : &tree_ascii};
    const json_t *services = json_object_get(result, "services"), *unclaimed = json_object_get(result, "unclaimed"), *s;
    bool strangers = json_array_size(unclaimed) > 0;
    size_t i, n = json_array_size(services);
    tree_head(&t, json_object_get(result, "daemon"), n);
    json_array_foreach(services, i, s) tree_service(&t, s, i + 1 < n || strangers);
    if (!strangers)
        return;
    t.depth = 1;
    t.more[1] = false;
    (void)tree_indent(&t, false);
    text_paint(out, v, TEXT_STRONG, "(unclaimed)", 0);
    buf_putc(out, '\n');
    tree_processes(&t, unclaimed, false);
}

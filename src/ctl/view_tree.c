/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The tree: fosterd, its services, their processes, and whom each was adopted from. Iterative in what foreign
 * processes can make deep.
 */
#include "ctl/text.h"

#include <string.h>

enum {
    TREE_DEPTH_MAX = 64,
    TREE_STEP = 3,         /* columns a level */
    TREE_PROCESS_MIN = 24, /* columns that are left for a process, whatever the depth */
    TREE_COMMAND_MIN = 12,
    TREE_REMARK_MAX = 512,
};

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
    size_t depth, depth_max;
    bool more[TREE_DEPTH_MAX + 2]; /* at each depth: something follows below */
};

/* Begins a line at the present depth. Returns how many columns are left of it. */
static size_t tree_indent(const struct tree *t, bool adopted)
{
    size_t d = t->depth, room = text_room(t->v);
    for (size_t i = 1; i < d; i++)
        text_fit(t->out, t->v, TEXT_PLAIN, t->more[i] ? t->lines->bar : t->lines->gap, &room);
    const char *last = adopted ? t->lines->adopted_last : t->lines->last;
    const char *fork = adopted ? t->lines->adopted_fork : t->lines->fork;
    text_fit(t->out, t->v, TEXT_PLAIN, t->more[d] ? fork : last, &room);
    return room;
}

static void tree_adoption(const json_t *p, struct buf *out)
{
    char number[TEXT_CELL_MAX];
    const char *how = text_member(p, "attribution", "");
    const json_t *by = json_object_get(p, "adopted_from");
    buf_puts(out, ", adopted");
    if (text_number(p, "adopted_ms", -1) >= 0)
        buf_printf(out, " %s ago", text_age(p, "adopted_ms", number));
    if (strcmp(how, "tag") == 0 || strcmp(how, "env") == 0)
        buf_printf(out, ", known by its %s", how);
    if (!json_is_object(by))
        return;
    buf_printf(out, ", left by %s", text_count(by, "pid", number));
    if (*text_member(by, "name", "") != '\0')
        buf_printf(out, " (%s)", text_member(by, "name", ""));
}

/* What is to be said of a process behind its command. */
static void tree_remark(const json_t *p, struct buf *out)
{
    char age[TEXT_CELL_MAX];
    const char *role = text_member(p, "role", "");
    buf_puts(out, "  ");
    if (strcmp(role, "main") == 0 || strcmp(role, "logger") == 0)
        buf_printf(out, "%s, ", role);
    if (strcmp(role, "helper") == 0)
        buf_printf(out, "%s, ", text_member(p, "helper", "helper"));
    buf_puts(out, text_age(p, "age_ms", age));
    if (*text_member(p, "state", "") == 'Z')
        buf_puts(out, ", zombie");
    if (text_is_true(p, "adopted"))
        tree_adoption(p, out);
}

/* The command gives way to the remark, but for its beginning. */
static void tree_process(const struct tree *t, const json_t *p)
{
    char pid[TEXT_CELL_MAX];
    struct buf remark;
    size_t room = tree_indent(t, text_is_true(p, "adopted"));
    buf_init(&remark, TREE_REMARK_MAX);
    tree_remark(p, &remark);
    text_fit(t->out, t->v, TEXT_PLAIN, text_count(p, "pid", pid), &room);
    text_fit(t->out, t->v, TEXT_PLAIN, " ", &room);
    size_t behind = text_columns(buf_str(&remark));
    size_t command = room > behind + TREE_COMMAND_MIN ? room - behind : TREE_COMMAND_MIN;
    command = command < room ? command : room;
    size_t rest = room - command;
    text_fit(t->out, t->v, TEXT_PLAIN, text_member(p, "command", text_member(p, "name", "-")), &command);
    rest += command;
    text_fit(t->out, t->v, TEXT_FAINT, buf_str(&remark), &rest);
    buf_putc(t->out, '\n');
    buf_done(&remark);
}

/* In the place of what is deeper than can be drawn. */
static void tree_deeper(struct tree *t)
{
    t->depth++;
    t->more[t->depth] = false;
    size_t room = tree_indent(t, false);
    text_fit(t->out, t->v, TEXT_FAINT, "... (deeper: --json)", &room);
    buf_putc(t->out, '\n');
    t->depth--;
}

/** The siblings at one depth, and the next of them. */
struct tree_level {
    const json_t *list;
    size_t next;
};

/* Draws the processes of LIST below the present depth, and what is below them. */
static void tree_processes(struct tree *t, const json_t *list)
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
        t->more[t->depth] = l->next < json_array_size(l->list);
        tree_process(t, p);
        const json_t *children = json_object_get(p, "children");
        if (json_array_size(children) == 0)
            continue;
        if (t->depth < t->depth_max)
            levels[n++] = (struct tree_level){.list = children};
        else
            tree_deeper(t);
    }
    t->depth = base;
}

/* A line for a service, or for whatever else processes belong to, and those below. MORE: another one comes behind. */
static void tree_group(struct tree *t, const char *name, const char *state, const json_t *processes, bool more)
{
    t->depth = 1;
    t->more[1] = more;
    size_t room = tree_indent(t, false);
    text_fit(t->out, t->v, TEXT_STRONG, name, &room);
    if (state != NULL) {
        text_fit(t->out, t->v, TEXT_PLAIN, "  ", &room);
        text_fit(t->out, t->v, text_state_color(state), state, &room);
    }
    buf_putc(t->out, '\n');
    tree_processes(t, processes);
}

static void tree_head(const struct tree *t, const json_t *daemon)
{
    char pid[TEXT_CELL_MAX], age[TEXT_CELL_MAX], adopted[TEXT_CELL_MAX], reaped[TEXT_CELL_MAX];
    struct buf rest;
    size_t room = text_room(t->v);
    text_fit(t->out, t->v, TEXT_STRONG, text_member(daemon, "name", "-"), &room);
    buf_init(&rest, TREE_REMARK_MAX);
    buf_printf(&rest, "  fosterd %s%s, up %s; adopted %s, reaped %s", text_count(daemon, "pid", pid),
               text_is_true(daemon, "init") ? " (init)" : "", text_age(daemon, "uptime_ms", age),
               text_count(daemon, "adopted", adopted), text_count(daemon, "reaped", reaped));
    text_fit(t->out, t->v, TEXT_PLAIN, buf_str(&rest), &room);
    buf_putc(t->out, '\n');
    buf_done(&rest);
}

/* So deep that on a terminal there is room for a process. */
static size_t tree_depth_max(const struct view *v)
{
    size_t room = text_room(v), fit = room > TREE_PROCESS_MIN ? (room - TREE_PROCESS_MIN) / TREE_STEP : 0;
    if (fit < 2)
        return 2;
    return fit < TREE_DEPTH_MAX ? fit : TREE_DEPTH_MAX;
}

void view_tree(struct buf *out, const struct view *v, const json_t *result)
{
    struct tree t = {.out = out, .v = v, .lines = v->utf8 ? &tree_utf8 : &tree_ascii, .depth_max = tree_depth_max(v)};
    const json_t *services = json_object_get(result, "services"), *unclaimed = json_object_get(result, "unclaimed");
    const json_t *own = json_object_get(result, "own"), *s;
    bool strangers = json_array_size(unclaimed) > 0, has_own = json_array_size(own) > 0;
    size_t i, n = json_array_size(services);
    tree_head(&t, json_object_get(result, "daemon"));
    json_array_foreach(services, i, s)
    {
        tree_group(&t, text_member(s, "name", "-"), text_member(s, "state", "-"), json_object_get(s, "processes"),
                   i + 1 < n || has_own || strangers);
    }
    if (has_own)
        tree_group(&t, "(fosterd's own)", NULL, own, strangers);
    if (strangers)
        tree_group(&t, "(unclaimed)", NULL, unclaimed, false);
    if (text_is_true(result, "cut")) {
        text_put(out, "and more: there are too many processes to show all of them", text_room(v));
        buf_putc(out, '\n');
    }
}

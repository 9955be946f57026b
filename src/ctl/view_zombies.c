/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Zombies, by the parents that do not wait for them; and what a cure has come to.
 */
#include "ctl/text.h"

#include <string.h>

/* Behind whom or what OBJECT is about. */
static void view_zombies_age(struct buf *out, const json_t *object)
{
    char age[TEXT_CELL_MAX];
    if (text_number(object, "age_ms", 0) < 1000)
        buf_puts(out, ", seen only now\n");
    else
        buf_printf(out, ", for at least %s\n", text_age(object, "age_ms", age));
}

/* "4711 (python3) of web" */
static void view_zombies_who(struct buf *out, const struct view *v, const json_t *process)
{
    char pid[TEXT_CELL_MAX];
    const char *service = json_string_value(json_object_get(process, "service"));
    text_paint(out, v, TEXT_STRONG, text_count(process, "pid", pid), 0);
    buf_puts(out, " (");
    text_put(out, text_member(process, "name", "-"), 0);
    buf_puts(out, ")");
    if (service == NULL)
        return;
    buf_puts(out, " of ");
    text_paint(out, v, TEXT_STRONG, service, 0);
}

static void view_zombies_why(struct buf *out, const struct view *v, const json_t *object)
{
    buf_puts(out, "  ");
    text_put(out, text_member(object, "why", "-"), 0);
    buf_puts(out, "\n  ");
    text_paint(out, v, TEXT_FAINT, "cure: ", 0);
    text_put(out, text_member(object, "cure", "-"), 0);
    buf_putc(out, '\n');
}

static void view_zombies_parent(struct buf *out, const struct view *v, const json_t *parent)
{
    char count[TEXT_CELL_MAX];
    text_paint(out, v, TEXT_BAD, text_count(parent, "count", count), 0);
    buf_puts(out, text_number(parent, "count", 0) == 1 ? " zombie held by " : " zombies held by ");
    view_zombies_who(out, v, parent);
    view_zombies_age(out, parent);
    view_zombies_why(out, v, parent);
}

static void view_zombies_leader(struct buf *out, const struct view *v, const json_t *zombie)
{
    view_zombies_who(out, v, zombie);
    buf_puts(out, ", half a zombie");
    view_zombies_age(out, zombie);
    view_zombies_why(out, v, zombie);
}

void view_zombies(struct buf *out, const struct view *v, const json_t *result)
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(result, "parents"), i, item)
    {
        view_zombies_parent(out, v, item);
    }
    json_array_foreach(json_object_get(result, "zombies"), i, item)
    {
        if (strcmp(text_member(item, "kind", ""), "leader") == 0)
            view_zombies_leader(out, v, item);
    }
    if (text_number(result, "count", 0) == 0)
        buf_puts(out, "no zombies\n");
    else if (text_is_true(result, "cut") && json_array_size(json_object_get(result, "parents")) == 0)
        buf_puts(out, "there are more zombies than can be listed\n");
}

void view_cure(struct buf *out, const struct view *v, const json_t *result)
{
    const json_t *parents = json_object_get(result, "parents"), *parent;
    char n[TEXT_CELL_MAX];
    size_t i;
    json_array_foreach(parents, i, parent)
    {
        long long reaped = text_number(parent, "reaped", 0), left = text_number(parent, "left", 0);
        view_zombies_who(out, v, parent);
        if (reaped > 0)
            buf_printf(out, " has waited for %s zombie%s", text_count(parent, "reaped", n), reaped == 1 ? "" : "s");
        if (left > 0) {
            buf_puts(out, reaped > 0 ? ", and still holds " : " still holds ");
            text_paint(out, v, TEXT_BAD, text_count(parent, "left", n), 0);
            buf_puts(out, ": ");
            text_put(out, text_member(parent, "verdict", "-"), 0);
        }
        buf_putc(out, '\n');
    }
    if (json_array_size(parents) == 0)
        buf_puts(out, "no zombies\n");
}

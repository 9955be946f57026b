/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Names and patterns to units. A name costs a look-up, a pattern a walk over all units; whatever is named twice is
 * taken once.
 */
#include "core/select.h"

#include "base/mem.h"
#include "core/schema.h"

#include <fnmatch.h>
#include <string.h>

/* What is known of the unit at a place of the configuration. */
enum mark {
    MARK_TAKEN = 1 << 0,
    MARK_WHOLE = 1 << 1, /* so are all other instances of its service, of which it is the first */
};

/* Two names that are farther apart are no guess; see schema_guess(). */
enum { NEAR_MAX = 3 };

bool select_is_pattern(const char *name)
{
    return strpbrk(name, "*?[\\") != NULL;
}

bool select_pattern_fits(const char *pattern, const char *unit, const char *service)
{
    /* The only instance of a service has its very name. */
    return fnmatch(pattern, unit, 0) == 0 || (unit != service && fnmatch(pattern, service, 0) == 0);
}

static bool take_name(const struct super *s, const char *name, unsigned char *marks)
{
    unsigned i = super_find(s, name), order, n;
    struct unit_view u;

    if (i != SUPER_NO_UNIT && super_view(s, i, &u)) {
        marks[u.order] |= MARK_TAKEN;
        return true;
    }
    if (!super_instances(s, name, &order, &n) || n == 0)
        return false;
    for (unsigned k = 0; k < n && !(marks[order] & MARK_WHOLE); k++)
        marks[order + k] |= MARK_TAKEN;
    marks[order] |= MARK_WHOLE;
    return true;
}

static bool take_pattern(const struct super *s, const char *pattern, unsigned char *marks)
{
    unsigned n = super_count(s);
    bool any = false;

    for (unsigned order = 0; order < n; order++) {
        struct unit_view u;
        if ((any && marks[order] & MARK_TAKEN) || !super_view(s, super_at(s, order), &u) || u.state == UNIT_SKIPPED)
            continue;
        if (!select_pattern_fits(pattern, u.name, u.spec->name))
            continue;
        marks[order] |= MARK_TAKEN;
        any = true;
    }
    return any;
}

static void take_all(const struct super *s, unsigned char *marks)
{
    unsigned n = super_count(s);

    for (unsigned order = 0; order < n; order++) {
        struct unit_view u;
        if (super_view(s, super_at(s, order), &u) && u.state != UNIT_SKIPPED)
            marks[order] |= MARK_TAKEN;
    }
}

/* A distance is at least the difference in length, and much dearer: there may be many names. */
static void offer(struct schema_guess *guess, const char *wrong, const char *name)
{
    size_t a = strlen(wrong), b = strlen(name);

    if ((a > b ? a - b : b - a) <= NEAR_MAX)
        schema_guess(guess, wrong, name);
}

const char *select_similar(const struct super *s, const char *wrong)
{
    struct schema_guess guess = {0};
    unsigned n = super_count(s);
    const char *dot = strrchr(wrong, '.');
    size_t stem = dot ? (size_t)(dot - wrong) : 0;

    for (unsigned order = 0; order < n; order++) {
        struct unit_view u;
        if (!super_view(s, super_at(s, order), &u))
            continue;
        /* The wrong instance of the right service. */
        if (dot && strncmp(u.spec->name, wrong, stem) == 0 && u.spec->name[stem] == '\0')
            return u.spec->name;
        offer(&guess, wrong, u.spec->name);
        if (u.name != u.spec->name)
            offer(&guess, wrong, u.name);
    }
    return guess.name;
}

/* The units that are marked, in order. */
static bool collect(const struct super *s, const unsigned char *marks, struct select *ret)
{
    unsigned n = super_count(s);
    size_t n_taken = 0;

    for (unsigned order = 0; order < n; order++)
        n_taken += (marks[order] & MARK_TAKEN) != 0;
    struct select sel = {.units = mem_array(n_taken, sizeof *sel.units)};
    if (!sel.units)
        return false;
    for (unsigned order = 0; order < n; order++)
        if (marks[order] & MARK_TAKEN)
            sel.units[sel.n++] = super_at(s, order);
    *ret = sel;
    return true;
}

static bool take(const struct super *s, const char *name, unsigned char *marks)
{
    return take_name(s, name, marks) || (select_is_pattern(name) && take_pattern(s, name, marks));
}

enum select_result select_units(const struct super *s, const char *const *names, size_t n, struct select *ret,
                                size_t *ret_wrong, const char **ret_similar)
{
    unsigned char *marks = mem_array(super_count(s), sizeof *marks);
    enum select_result result = SELECT_OK;
    size_t i = 0;

    if (!marks)
        return SELECT_NOMEM;
    if (n == 0)
        take_all(s, marks);
    while (i < n && take(s, names[i], marks))
        i++;
    if (i < n) {
        *ret_wrong = i;
        *ret_similar = select_similar(s, names[i]);
        result = SELECT_NO_MATCH;
    } else if (!collect(s, marks, ret)) {
        result = SELECT_NOMEM;
    }
    mem_free(marks);
    return result;
}

void select_done(struct select *sel)
{
    mem_free(sel->units);
    *sel = (struct select){0};
}

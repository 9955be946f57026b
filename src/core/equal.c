/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Comparison of fields by kind.
 */
#include "core/equal.h"

#include <string.h>

/* The second field of ROW in BASE, a count. */
static size_t count_of(const struct schema_row *row, const void *base)
{
    return *(const size_t *)(const void *)((const char *)base + row->extra);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(char *const *a, char *const *b)
{
    if (!a || !b)
        return a == b;
    for (; *a && *b; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return *a == *b;
}

bool equal_nothing(const struct schema_row *row, const void *a, const void *b)
{
    (void)row;
    (void)a;
    (void)b;
    return true;
}

bool equal_bool(const struct schema_row *row, const void *a, const void *b)
{
    return *(const bool *)schema_const_field(row, a) == *(const bool *)schema_const_field(row, b);
}

bool equal_int(const struct schema_row *row, const void *a, const void *b)
{
    return *(const int64_t *)schema_const_field(row, a) == *(const int64_t *)schema_const_field(row, b);
}

bool equal_decimal(const struct schema_row *row, const void *a, const void *b)
{
    double x = *(const double *)schema_const_field(row, a), y = *(const double *)schema_const_field(row, b);

    return !(x < y) && !(x > y);
}

bool equal_mode(const struct schema_row *row, const void *a, const void *b)
{
    return *(const int *)schema_const_field(row, a) == *(const int *)schema_const_field(row, b);
}

bool equal_string(const struct schema_row *row, const void *a, const void *b)
{
    return same_text(*(const char *const *)schema_const_field(row, a),
                     *(const char *const *)schema_const_field(row, b));
}

bool equal_words(const struct schema_row *row, const void *a, const void *b)
{
    return count_of(row, a) == count_of(row, b) && (count_of(row, a) == 0 || equal_names(row, a, b));
}

bool equal_names(const struct schema_row *row, const void *a, const void *b)
{
    return same_list(*(char **const *)schema_const_field(row, a), *(char **const *)schema_const_field(row, b));
}

bool equal_keep(const struct schema_row *row, const void *a, const void *b)
{
    char *const *keep_a = *(char **const *)(const void *)((const char *)a + row->extra);
    char *const *keep_b = *(char **const *)(const void *)((const char *)b + row->extra);

    return equal_bool(row, a, b) && same_list(keep_a, keep_b);
}

bool equal_environment(const struct schema_row *row, const void *a, const void *b)
{
    const struct spec_env *x = *(struct spec_env *const *)schema_const_field(row, a);
    const struct spec_env *y = *(struct spec_env *const *)schema_const_field(row, b);
    size_t n = count_of(row, a);

    if (n != count_of(row, b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!same_text(x[i].name, y[i].name) || !same_text(x[i].value, y[i].value))
            return false;
    return true;
}

bool equal_labels(const struct schema_row *row, const void *a, const void *b)
{
    const struct spec_label *x = *(struct spec_label *const *)schema_const_field(row, a);
    const struct spec_label *y = *(struct spec_label *const *)schema_const_field(row, b);
    size_t n = count_of(row, a);

    if (n != count_of(row, b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!same_text(x[i].name, y[i].name) || !same_text(x[i].value, y[i].value))
            return false;
    return true;
}

bool equal_depends_on(const struct schema_row *row, const void *a, const void *b)
{
    const struct spec_dep *x = *(struct spec_dep *const *)schema_const_field(row, a);
    const struct spec_dep *y = *(struct spec_dep *const *)schema_const_field(row, b);
    size_t n = count_of(row, a);

    if (n != count_of(row, b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!same_text(x[i].service, y[i].service) || !schema_equal(row->sub, &x[i], &y[i]))
            return false;
    return true;
}

bool equal_exits(const struct schema_row *row, const void *a, const void *b)
{
    return memcmp(schema_const_field(row, a), schema_const_field(row, b), sizeof(struct spec_exits)) == 0;
}

/* Whether the lists of structures, SIZE bytes each, are equal by the rows of ROW's sub-section. */
static bool same_maps(const struct schema_row *row, const void *a, const void *b, size_t size)
{
    const char *x = *(const char *const *)schema_const_field(row, a);
    const char *y = *(const char *const *)schema_const_field(row, b);
    size_t n = count_of(row, a);

    if (n != count_of(row, b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!schema_equal(row->sub, x + i * size, y + i * size))
            return false;
    return true;
}

bool equal_stop_signal(const struct schema_row *row, const void *a, const void *b)
{
    return same_maps(row, a, b, sizeof(struct spec_stop_step));
}

bool equal_hooks(const struct schema_row *row, const void *a, const void *b)
{
    return same_maps(row, a, b, sizeof(struct spec_hook));
}

bool equal_sockets(const struct schema_row *row, const void *a, const void *b)
{
    return same_maps(row, a, b, sizeof(struct spec_socket));
}

bool equal_cron(const struct schema_row *row, const void *a, const void *b)
{
    const struct spec_cron *x = schema_const_field(row, a), *y = schema_const_field(row, b);

    return same_text(x->text, y->text);
}

bool equal_notify(const struct schema_row *row, const void *a, const void *b)
{
    const enum spec_ready_kind *x = schema_const_field(row, a), *y = schema_const_field(row, b);

    return (*x == SPEC_READY_NOTIFY) == (*y == SPEC_READY_NOTIFY);
}

/* The endpoint of E when it is one of a URL or, as HAS_PATH says, is not; else NULL. */
static const char *own_text(const struct spec_endpoint *e, bool has_path)
{
    return (e->path != NULL) == has_path ? e->text : NULL;
}

bool equal_tcp(const struct schema_row *row, const void *a, const void *b)
{
    return same_text(own_text(schema_const_field(row, a), false), own_text(schema_const_field(row, b), false));
}

bool equal_http(const struct schema_row *row, const void *a, const void *b)
{
    return same_text(own_text(schema_const_field(row, a), true), own_text(schema_const_field(row, b), true));
}

static bool same_gids(const gid_t *a, size_t n_a, const gid_t *b, size_t n_b)
{
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
}

/* What the names were looked up to counts as well: only a new process can have that. */
bool equal_user(const struct schema_row *row, const void *a, const void *b)
{
    const struct spec_user *x = schema_const_field(row, a), *y = schema_const_field(row, b);

    return same_text(x->text, y->text) && x->uid == y->uid && x->gid == y->gid &&
           same_gids(x->groups, x->n_groups, y->groups, y->n_groups) && same_text(x->name, y->name) &&
           same_text(x->home, y->home) && same_text(x->shell, y->shell);
}

bool equal_groups(const struct schema_row *row, const void *a, const void *b)
{
    const struct spec_groups *x = schema_const_field(row, a), *y = schema_const_field(row, b);

    return same_list(x->texts, y->texts) && same_gids(x->gids, x->n, y->gids, y->n);
}

bool equal_caps(const struct schema_row *row, const void *a, const void *b)
{
    const struct spec_caps *x = schema_const_field(row, a), *y = schema_const_field(row, b);

    return x->mask == y->mask && same_list(x->names, y->names);
}

bool equal_ulimits(const struct schema_row *row, const void *a, const void *b)
{
    const struct spec_ulimit *x = *(struct spec_ulimit *const *)schema_const_field(row, a);
    const struct spec_ulimit *y = *(struct spec_ulimit *const *)schema_const_field(row, b);
    size_t n = count_of(row, a);

    if (n != count_of(row, b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (x[i].resource != y[i].resource || !schema_equal(row->sub, &x[i], &y[i]))
            return false;
    return true;
}

bool equal_log_stderr(const struct schema_row *row, const void *a, const void *b)
{
    const bool *x = (const void *)((const char *)a + row->extra), *y = (const void *)((const char *)b + row->extra);

    return *x == *y && equal_section(row, a, b);
}

bool equal_section(const struct schema_row *row, const void *a, const void *b)
{
    return schema_equal(row->sub, schema_const_field(row, a), schema_const_field(row, b));
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Writes a set as YAML and reads that. One file would be larger than a file may be where there are many services, so
 * these are in parts that a main file includes.
 */
#include "daemon/reread.h"

#include "base/buf.h"
#include "core/config.h"
#include "core/print.h"
#include "core/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REREAD_PART_SERVICES = 128,
    REREAD_PART_BYTES = 128 << 10,
    REREAD_MEMORY_MAX = 64 << 20,
};

/* No slash in it, so that relative paths, which have been made relative to us, stay as they are. */
static const char reread_main[] = "configuration";

/* The files in memory. */
struct reread {
    struct buf main;
    struct buf parts; /* one behind the other */
    size_t ends[CONFIG_FILES_MAX];
    size_t n_parts;
};

static void reread_begin_part(struct reread *r)
{
    buf_printf(&r->main, "%s\"%zu\"", r->n_parts > 0 ? ", " : "", r->n_parts);
    buf_puts(&r->parts, "services:\n");
}

/* Writes what SPEC has other than PLAIN: reading all defaults again would take most of the time. */
static void reread_service(struct reread *r, const struct spec *spec, const struct spec *plain)
{
    struct printer p = {.out = &r->parts, .indent = 4};
    const struct schema_row *row = NULL;
    buf_puts(&r->parts, "  ");
    print_text(&r->parts, spec->name);
    buf_puts(&r->parts, ":\n");
    while ((row = schema_next(SCHEMA_SERVICE, row)) != NULL)
        if (!schema_kind(row->kind)->equal(row, spec, plain))
            schema_kind(row->kind)->print(&p, row, spec);
}

/* Writes the files. False when they would be too many or too large. */
static bool reread_write(struct reread *r, const struct spec_set *set)
{
    struct printer p = {.out = &r->main};
    struct spec plain;
    size_t begin = 0;
    size_t n = 0;
    spec_defaults(&plain);
    /* Its default hangs on the type. */
    plain.start_timeout_ms = -1;
    print_rows(&p, SCHEMA_TOP, set);
    buf_puts(&r->main, "include: [");
    for (size_t i = 0; i < set->n_services; i++) {
        if (n == 0)
            reread_begin_part(r);
        reread_service(r, &set->services[i], &plain);
        bool full = ++n == REREAD_PART_SERVICES || r->parts.len - begin >= REREAD_PART_BYTES;
        if (!full && i + 1 < set->n_services)
            continue;
        if (r->n_parts == CONFIG_FILES_MAX - 1)
            return false;
        r->ends[r->n_parts++] = begin = r->parts.len;
        n = 0;
    }
    buf_puts(&r->main, "]\n");
    return !r->main.failed && !r->parts.failed;
}

static bool reread_read(const char *path, size_t max, struct buf *out, bool *ret_missing, char *why, size_t why_size,
                        void *data)
{
    const struct reread *r = data;
    const char *text = r->main.data;
    size_t len = r->main.len;
    *ret_missing = false;
    if (strcmp(path, reread_main) != 0) {
        size_t part = strtoul(path, NULL, 10);
        size_t begin = part > 0 ? r->ends[part - 1] : 0;
        text = r->parts.data + begin;
        len = r->ends[part] - begin;
    }
    if (len <= max && buf_add(out, text, len))
        return true;
    snprintf(why, why_size, "no memory or too large; change the file instead, and reload");
    return false;
}

static bool reread_glob(struct arena *a, const char *pattern, char ***ret, size_t *ret_n, void *data)
{
    (void)a;
    (void)pattern;
    (void)ret;
    (void)ret_n;
    (void)data;
    return false;
}

/* Every "$" has been expanded. */
static const char *reread_getenv(const char *name, void *data)
{
    (void)name;
    (void)data;
    return NULL;
}

struct spec_set *reread_with(const struct spec_set *set, const struct cli *c, const char *override, struct diag_list *d)
{
    static struct reread r;
    const struct config_source source = {.read = reread_read, .glob = reread_glob, .getenv = reread_getenv, .data = &r};
    const struct config_options options = {
        .profiles = c->profiles, .n_profiles = c->n_profiles, .sets = &override, .n_sets = 1};
    struct spec_set *ret = NULL;
    r.n_parts = 0;
    buf_init(&r.main, REREAD_MEMORY_MAX);
    buf_init(&r.parts, REREAD_MEMORY_MAX);
    if (reread_write(&r, set))
        ret = config_load(reread_main, &source, &options, d);
    else
        diag_error(d, (struct diag_pos){0}, "the configuration is too large for this; change the file and reload");
    buf_done(&r.main);
    buf_done(&r.parts);
    /* The places are in files that nobody can look at. */
    for (size_t i = 0; i < d->n; i++)
        d->items[i].pos = (struct diag_pos){0};
    return ret;
}

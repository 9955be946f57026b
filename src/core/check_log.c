/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Contradictions in `logging`: options that their driver has no use for, paths that are no place for a log, and files
 * that two would write to.
 */
#include "core/check_impl.h"

#include "base/mem.h"
#include "base/parse.h"
#include "core/log_keys.h"
#include "core/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT_NAME_SIZE = SPEC_NAME_MAX + 24 };

/* One stream of a service, as its rules see it. */
struct stream {
    struct diag_list *d;
    const struct spec *s;
    const struct spec_log *log;
    const struct tree_node *map;     /* `logging`, or `stderr` in it */
    const struct tree_node *options; /* of that */
    bool own;                        /* that map was written in the service itself, not in what it begins with */
    bool own_options;
};

/* What stands for a map that is not there. */
static const struct tree_node nothing = {.kind = TREE_MAPPING};

/* The map of KEY in MAP; *OWN becomes false when it was written in what the service begins with. */
static const struct tree_node *map_of(const struct tree_node *map, const char *key, bool *own)
{
    for (size_t i = 0; i < map->n; i++) {
        if (strcmp(map->pairs[i].key, key) != 0)
            continue;
        *own &= map->pairs[i].layer == 0;
        return map->pairs[i].value;
    }
    return &nothing;
}

static void list_drivers(const char *option, char *list, size_t size)
{
    size_t n = 0;

    list[0] = '\0';
    for (const struct schema_word *w = schema_log_driver_words; w->word && n < size; w++)
        if (log_keys_takes(option, (enum spec_log_driver)w->value))
            n += (size_t)snprintf(list + n, size - n, "%s%s", n ? ", " : "", w->word);
}

static void check_options(const struct stream *x)
{
    char list[64];

    for (size_t i = 0; x->own_options && i < x->options->n; i++) {
        const struct tree_pair *pair = &x->options->pairs[i];
        const struct schema_row *row = schema_find(SCHEMA_LOG_OPTIONS, pair->key);
        if (!row || pair->layer > 0 || log_keys_takes(row->key, x->log->driver))
            continue;
        list_drivers(row->key, list, sizeof list);
        diag_error(x->d, pair->key_pos,
                   "`%s` means nothing to `driver: %s`; it is for %s, remove it or change the driver", row->key,
                   spec_log_driver_name(x->log->driver), list);
    }
}

static void check_amounts(const struct stream *x)
{
    const struct spec_log *log = x->log;
    char text[32];

    if (log->max_size > 0 && log->max_size < LOG_KEYS_SIZE_MIN)
        diag_error(x->d, check_place(x->s, x->options, "max-size"),
                   "`max-size` is %s, too little for a log; write at least 4k, or 0 for no limit",
                   parse_size_text(log->max_size, text, sizeof text));
    if (log->max_age_ms > 0 && log->max_age_ms < LOG_KEYS_AGE_MIN)
        diag_error(x->d, check_place(x->s, x->options, "max-age"),
                   "`max-age` is %s, too little for a log; write at least 1s, or 0 for no limit",
                   parse_duration_text(log->max_age_ms, text, sizeof text));
    if (!(log->file_mode & 0200))
        diag_error(x->d, check_place(x->s, x->options, "file-mode"),
                   "`file-mode` %04o keeps the owner from writing; write e.g. \"0640\"", (unsigned)log->file_mode);
    if ((log->directory_mode & 0300) != 0300)
        diag_error(x->d, check_place(x->s, x->options, "directory-mode"),
                   "`directory-mode` %04o keeps the owner from making files; write e.g. \"0750\"",
                   (unsigned)log->directory_mode);
}

/* Whether a part of PATH is empty, `.` or `..`: one file has one path here, as far as that goes. */
static bool has_odd_part(const char *path)
{
    for (const char *p = path; *p == '/';) {
        size_t len = strcspn(++p, "/");
        if (len == strspn(p, ".") && len <= 2)
            return true;
        p += len;
    }
    return false;
}

/* What is wrong with PATH, as it stands behind the text, or NULL. */
static const char *bad_path(const char *path)
{
    static const struct {
        const char *prefix, *why;
    } elsewhere[] = {
        {"/dev/stdout", "is no file; write `driver: stdout`"},
        {"/dev/stderr", "is no file; write `driver: inherit`, which leaves standard error as it is"},
        {"/dev/fd/", "is no file but a descriptor; write `driver: inherit`"},
        {"/proc/", "is no place for a log; write a path on a disk, or `driver: inherit`"},
        {"/dev/null", "is no file; write `driver: none`"},
    };

    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
        if (strncmp(path, elsewhere[i].prefix, strlen(elsewhere[i].prefix)) == 0)
            return elsewhere[i].why;
    for (const char *p = path; (p = strpbrk(p, "{}")); p = strchr(p, '}') + 1)
        if (strncmp(p, "{name}", 6) != 0 && strncmp(p, "{service}", 9) != 0)
            return "has braces around something else than {name} or {service}; write one of these";
    return has_odd_part(path) ? "has an empty part, `.` or `..`; write the path of a file without these" : NULL;
}

/* The unit of S with the longest name. */
static const char *longest_unit(const struct spec *s, char *buf, size_t size)
{
    if (s->scale > 1)
        (void)snprintf(buf, size, "%s.%lld", s->name, (long long)s->scale);
    else
        (void)snprintf(buf, size, "%s", s->name);
    return buf;
}

static bool is_too_long(const struct stream *x)
{
    char path[LOG_KEYS_PATH_MAX + 1], unit[UNIT_NAME_SIZE];

    return !log_path(x->log, longest_unit(x->s, unit, sizeof unit), x->s->name, path, sizeof path) ||
           strlen(strrchr(path, '/') + 1) > LOG_KEYS_NAME_MAX;
}

static void check_path(const struct stream *x)
{
    const char *path = x->log->path, *why = path ? bad_path(path) : NULL;
    struct diag_pos pos = check_place(x->s, x->options, "path");

    if (!path)
        diag_error(x->d, check_place(x->s, x->map, "driver"), "`driver: file` has no `path` in `options`; add it");
    else if (why)
        diag_error(x->d, pos, "`path` %s %s", path, why);
    else if (x->s->scale > 1 && !strstr(path, "{name}"))
        diag_error(x->d, pos,
                   "%lld instances cannot share one log file; write {name} in `path`, which is the instance's",
                   (long long)x->s->scale);
    else if (is_too_long(x))
        diag_error(x->d, pos, "`path` is too long; write at most %d bytes, and at most %d behind the last slash",
                   LOG_KEYS_PATH_MAX, LOG_KEYS_NAME_MAX);
}

/* Both streams of S into one file; MAP is its `logging`. */
static void check_both(struct diag_list *d, const struct spec *s, const struct tree_node *map)
{
    const struct spec_log *out = &s->log[SPEC_STREAM_OUT], *err = &s->log[SPEC_STREAM_ERR];

    if (s->log_split && out->path && err->path && strcmp(out->path, err->path) == 0)
        diag_error(d, check_place(s, map, "stderr"),
                   "`stderr` goes to the same file as standard output; leave `stderr` out, and both go there");
}

void check_log(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    struct stream x = {.d = d, .s = s, .own = true};
    const struct tree_node *map;

    x.map = map = map_of(node, "logging", &x.own);
    for (unsigned i = 0; i < spec_n_streams(s); i++) {
        if (i == SPEC_STREAM_ERR)
            x.map = map_of(map, "stderr", &x.own);
        x.log = &s->log[i];
        x.own_options = x.own;
        x.options = map_of(x.map, "options", &x.own_options);
        check_options(&x);
        if (x.log->driver != SPEC_LOG_FILE)
            continue;
        check_amounts(&x);
        check_path(&x);
    }
    check_both(d, s, map);
}

/* A file, and whose it is. */
struct log_file {
    const char *path;
    const struct spec_log *log;
    const struct spec *service;
    size_t order;
};

static int by_path(const void *a, const void *b)
{
    const struct log_file *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* All log files of a set. */
struct log_files {
    struct arena arena;     /* of the paths */
    struct log_file *items; /* owned */
    size_t n, cap;
};

static bool add_file(struct log_files *f, const struct spec *s, const struct spec_log *log, const char *unit)
{
    char path[LOG_KEYS_PATH_MAX + 1];

    if (!log_path(log, unit, s->name, path, sizeof path))
        return true; /* said of its service */
    if (!mem_grow(&f->items, &f->cap, f->n + 1, sizeof *f->items))
        return false;
    f->items[f->n] = (struct log_file){.path = arena_strdup(&f->arena, path), .log = log, .service = s, .order = f->n};
    return f->items[f->n++].path != NULL;
}

/* Instances that would share one file have been refused already. */
static bool add_files(struct log_files *f, const struct spec *s, const struct spec_log *log)
{
    char unit[UNIT_NAME_SIZE];
    bool ok = true;

    if (!log->path || !strstr(log->path, "{name}") || s->scale <= 1)
        return add_file(f, s, log, s->name);
    for (int64_t i = 1; ok && i <= s->scale; i++) {
        (void)snprintf(unit, sizeof unit, "%s.%lld", s->name, (long long)i);
        ok = add_file(f, s, log, unit);
    }
    return ok;
}

static bool collect(struct log_files *f, const struct spec_set *set)
{
    bool ok = true;

    for (size_t i = 0; ok && i < set->n_services; i++) {
        const struct spec *s = &set->services[i];
        for (unsigned k = 0; ok && s->enabled && k < spec_n_streams(s); k++)
            ok = add_files(f, s, &s->log[k]);
    }
    return ok;
}

void check_log_files(struct diag_list *d, const struct spec_set *set)
{
    struct log_files f = {.n = 0};

    if (!collect(&f, set)) {
        diag_error(d, (struct diag_pos){0}, "no memory for the log files; make the configuration smaller");
        f.n = 0;
    }
    if (f.n > 0)
        qsort(f.items, f.n, sizeof *f.items, by_path);
    for (size_t i = 1; i < f.n; i++) {
        const struct log_file *one = &f.items[i - 1], *other = &f.items[i];
        if (strcmp(one->path, other->path) != 0)
            continue;
        if (one->service == other->service && strcmp(one->log->path, other->log->path) == 0)
            continue; /* see check_both() */
        if (one->service == other->service)
            diag_error(d, other->service->pos, "`%s` would write to %s twice; change one `path` of its `logging`",
                       other->service->name, other->path);
        else
            diag_error(d, other->service->pos,
                       "`%s` and `%s` would both log to %s; write {service} in `path`, or change one of them",
                       one->service->name, other->service->name, other->path);
    }
    mem_free(f.items);
    arena_done(&f.arena);
}

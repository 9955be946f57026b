/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From files to a checked set of specs: the main file and its includes in order, then every service
 * with what it inherits through the table of keys, then the rules. Problems never end a run early.
 */
#include "core/config.h"

#include "core/check.h"
#include "core/inherit.h"
#include "core/loader.h"
#include "core/override.h"

#include <stdio.h>
#include <string.h>

/* A service with a bad name joins all the same, so that what depends on it is not said to be wrong. */
static bool join_run(struct loader *l, struct loader_service *s)
{
    const struct loader_service *other = loader_find(l, NULL, s->name);
    bool ok = true;

    if (!value_is_name(s->name))
        ok = value_error(&l->value, s->pos,
                         "`%s` is not a name for a service; write at most %d letters, digits, _ . @ -, first a letter "
                         "or digit",
                         value_quote(s->name).text, SPEC_NAME_MAX);
    /* Two in one file have been refused as duplicate keys. */
    if (other)
        return value_error(&l->value, s->pos, "service `%s` is also defined at %s:%u:%u; remove or rename one", s->name,
                           other->pos.file ? other->pos.file : "?", other->pos.line, other->pos.column);
    if (!mem_grow(&l->run, &l->cap_run, l->n_run + 1, sizeof(struct loader_service *)))
        return value_nomem(&l->value, s->pos);
    l->run[l->n_run++] = s;
    return ok;
}

bool config_services(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct loader *l = loader_of(c);
    bool ok = true;

    (void)base;
    if (!value_is(c, node, TREE_MAPPING, "`services`", schema_kind(row->kind)->takes))
        return false;
    for (struct loader_service *s = l->file->services; s; s = s->next)
        ok &= join_run(l, s);
    return ok;
}

bool config_defaults(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct loader *l = loader_of(c);
    struct tree_node *defaults = loader_defaults(l, l->file);
    struct spec scratch;
    bool ok;

    (void)node;
    (void)base;
    if (!defaults)
        return false;
    spec_defaults(&scratch);
    ok = value_section(c, row->sub, schema_section_name(row->sub), defaults, &scratch);
    envfile_done(&c->env);
    return ok;
}

/* Includes. */

static bool load_file(struct loader *l, struct diag_pos pos, const char *path);

static bool say_cycle(struct loader *l, struct diag_pos pos, const struct loader_file *again)
{
    const struct loader_file *chain[CONFIG_INCLUDE_DEPTH_MAX + 2] = {NULL};
    size_t n_chain = 0, n = 0;
    char path[512] = "";

    for (const struct loader_file *f = l->file; f && n_chain < ARRAY_LEN(chain); f = f == again ? NULL : f->includer)
        chain[n_chain++] = f;
    while (n_chain-- > 0 && n < sizeof path)
        n += (size_t)snprintf(path + n, sizeof path - n, "%s -> ", chain[n_chain]->path);
    return value_error(&l->value, pos, "the includes go in a circle: %s%s; remove one of them", path, again->path);
}

static bool include_file(struct loader *l, struct diag_pos pos, const char *path)
{
    if (l->depth == CONFIG_INCLUDE_DEPTH_MAX)
        return value_error(&l->value, pos, "includes over %d files deep; include it from a file further up",
                           CONFIG_INCLUDE_DEPTH_MAX);
    l->depth++;
    bool ok = load_file(l, pos, path);
    l->depth--;
    return ok;
}

static bool include_glob(struct loader *l, struct diag_pos pos, const char *pattern)
{
    const struct config_source *io = l->value.source.io;
    const char *self = l->file->path;
    char **paths = NULL;
    size_t n = 0;
    bool ok = true;

    if (!io->glob(&l->scratch, pattern, &paths, &n, io->data))
        return value_error(&l->value, pos, "cannot expand %s; make its directory readable", pattern);
    for (size_t i = 0; i < n; i++)
        if (strcmp(paths[i], self) != 0)
            ok &= include_file(l, pos, paths[i]);
    return ok;
}

static bool include_one(struct loader *l, const struct tree_node *node)
{
    const char *text, *path;

    if (!value_is(&l->value, node, TREE_SCALAR, "an include", "a path or glob"))
        return false;
    text = value_text(&l->value, node, "an include");
    if (!text)
        return false;
    if (!text[0])
        return value_error(&l->value, node->pos, "an include is empty; write a path or glob");
    path = source_path(&l->value.source, node->pos, text);
    if (!path)
        return false;
    return strpbrk(text, "*?[") ? include_glob(l, node->pos, path) : include_file(l, node->pos, path);
}

bool config_include(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct loader *l = loader_of(c);
    bool ok = true;

    (void)base;
    if (node->kind == TREE_MAPPING)
        ok = value_is(c, node, TREE_SEQUENCE, "`include`", schema_kind(row->kind)->takes);
    if (node->kind == TREE_SCALAR)
        ok = include_one(l, node);
    for (size_t i = 0; node->kind == TREE_SEQUENCE && i < node->n; i++)
        ok &= include_one(l, node->items[i]);
    l->incomplete |= !ok;
    return ok;
}

/* Services are expanded when they are put together, so that those of a file that is only extended from
 * need no variables; defaults when they are first needed. A key whose variables are wrong is left out. */
static void expand_top(struct loader *l, struct tree_node *root)
{
    size_t kept = 0;

    for (size_t i = 0; i < root->n; i++) {
        const struct schema_row *row = schema_find(SCHEMA_TOP, root->pairs[i].key);
        bool later = !row || row->kind == SCHEMA_KIND_SERVICES || row->kind == SCHEMA_KIND_DEFAULTS;
        if (later || loader_expand(l, root->pairs[i].value))
            root->pairs[kept++] = root->pairs[i];
        else
            l->incomplete |= row->kind == SCHEMA_KIND_INCLUDE;
    }
    root->n = kept;
}

/* Converts the keys of F and, through `include`, of the files it names. */
static bool convert_file(struct loader *l, struct loader_file *f)
{
    struct loader_file *includer = l->file;
    bool included = l->value.included, ok;

    expand_top(l, f->root);
    f->started = f->loading = true;
    f->includer = includer;
    l->file = f;
    l->value.included = includer != NULL;
    ok = value_section(&l->value, SCHEMA_TOP, schema_section_name(SCHEMA_TOP), f->root, l->set);
    l->value.included = included;
    l->file = includer;
    f->loading = false;
    return ok;
}

static bool load_file(struct loader *l, struct diag_pos pos, const char *path)
{
    struct loader_file *f = loader_open(l, pos, path);

    if (!f || !f->root)
        return false;
    if (f->loading)
        return say_cycle(l, pos, f);
    if (f->started)
        return true; /* two files may include a third one */
    return convert_file(l, f);
}

/* Services. */

static bool is_selected(const struct spec *s, const struct config_options *opt)
{
    for (size_t i = 0; s->profiles && s->profiles[i]; i++)
        for (size_t k = 0; k < opt->n_profiles; k++)
            if (strcmp(s->profiles[i], opt->profiles[k]) == 0)
                return true;
    return !s->profiles;
}

static void make_spec(struct loader *l, struct loader_service *from, struct spec *s)
{
    const char *name = arena_strdup(&l->set->arena, from->name);
    struct tree_node *node;
    bool ok;

    spec_defaults(s);
    s->pos = source_keep(&l->value.source, from->pos);
    s->name = name ? name : "";
    node = inherit_service(l, from);
    if (!name)
        value_nomem(&l->value, from->pos);
    l->doubtful |= !node;
    if (!node)
        return;
    ok = value_section(&l->value, SCHEMA_SERVICE, schema_section_name(SCHEMA_SERVICE), node, s);
    if (!envfile_merge(&l->value.env, &l->set->arena, &s->environment, &s->n_environment))
        ok = value_nomem(&l->value, s->pos);
    if (s->type == SPEC_TYPE_ONESHOT && !tree_get(node, "start_timeout"))
        s->start_timeout_ms = 0; /* a migration must not be killed after a minute */
    s->enabled = is_selected(s, l->opt);
    /* A value that was refused has its default here, which would only contradict by accident. */
    if (ok && !from->damaged && !from->file->damaged)
        check_service(l->value.source.diag, s, node);
    else
        l->doubtful = true;
}

static void make_services(struct loader *l)
{
    struct spec_set *set = l->set;
    struct spec *services = arena_array(&set->arena, l->n_run, sizeof *services);

    if (!services) {
        value_nomem(&l->value, (struct diag_pos){0});
        return;
    }
    for (size_t i = 0; i < l->n_run; i++)
        make_spec(l, l->run[i], &services[i]);
    set->services = services;
    set->n_services = l->n_run;
    if (!l->incomplete)
        check_set(l->value.source.diag, set);
}

/* What depends on which keys of `supervisor` MAIN_FILE has. */
static void check_supervisor(struct loader *l, const struct loader_file *main_file)
{
    const struct tree_node *node = tree_get(main_file->root, "supervisor");
    const struct tree_node *exit_when = node ? tree_get(node, "exit_when") : NULL;

    l->set->supervisor.log_level_set = node && tree_get(node, "log_level");
    l->set->supervisor.log_format_set = node && tree_get(node, "log_format");
    if (node)
        check_control(l->value.source.diag, &l->set->supervisor, node);
    if (exit_when && !l->incomplete && !l->doubtful && l->set->n_services > 0)
        check_exit_when(l->value.source.diag, l->set, exit_when->pos);
}

static void load_all(struct loader *l, const char *file)
{
    struct diag_list *d = l->value.source.diag;
    size_t before = d->n_errors;

    (void)load_file(l, (struct diag_pos){0}, file);
    if (l->files && !l->files->root && !l->files->next)
        return;
    override_services(l);
    if (l->n_run == 0 && d->n_errors == before)
        diag_error(d, (struct diag_pos){file, 1, 1}, "there are no services; add `services` with at least one");
    make_services(l);
}

struct spec_set *config_load(const char *file, const struct config_source *src, const struct config_options *opt,
                             struct diag_list *d)
{
    size_t max = opt->memory_max ? opt->memory_max : CONFIG_MEMORY_MAX, before = d->n_errors;
    struct spec_set *set = mem_alloc(sizeof *set);
    struct loader l = {.opt = opt, .set = set, .scratch = {.max = max}};

    if (!set) {
        diag_error(d, (struct diag_pos){0}, "no memory for the configuration; make it smaller");
        return NULL;
    }
    set->arena.max = max;
    set->name = "foster";
    spec_supervisor_defaults(&set->supervisor);
    l.value.source = (struct source){.io = src, .arena = &set->arena, .diag = d, .main_file = file};
    load_all(&l, file);
    for (struct loader_file *f = l.files; f; f = f->next)
        if (!f->next && f->root)
            check_supervisor(&l, f);
    loader_done(&l);
    diag_sort(d);
    if (d->n_errors == before)
        return set;
    spec_set_free(set);
    return NULL;
}

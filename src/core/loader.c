/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Opening the files of one configuration: each is read once, its services and defaults are found, its
 * variables expanded when they are needed (a service that nobody uses may name unset ones).
 */
#include "core/loader.h"

#include "core/override.h"

#include <string.h>

void loader_drop_extensions(struct tree_node *node)
{
    size_t kept = 0;

    for (size_t i = 0; node->kind == TREE_MAPPING && i < node->n; i++)
        if (strncmp(node->pairs[i].key, "x-", 2) != 0)
            node->pairs[kept++] = node->pairs[i];
    if (node->kind == TREE_MAPPING)
        node->n = kept;
}

bool loader_expand(struct loader *l, struct tree_node *node)
{
    const struct source *s = &l->value.source;
    size_t before = s->diag->n_errors;

    tree_expand(&l->scratch, s->diag, node, s->io->getenv, s->io->data);
    return s->diag->n_errors == before;
}

bool loader_expand_pairs(struct loader *l, struct tree_node *node, enum schema_section section)
{
    size_t kept = 0, before = node->n;

    for (size_t i = 0; i < before; i++) {
        if (loader_expand(l, node->pairs[i].value))
            node->pairs[kept++] = node->pairs[i];
        else
            value_key(&l->value, section, schema_section_name(section), &node->pairs[i]);
    }
    node->n = kept;
    return kept == before;
}

static struct loader_file *known_file(const struct loader *l, const char *path)
{
    for (struct loader_file *f = l->files; f; f = f->next)
        if (strcmp(f->path, path) == 0)
            return f;
    return NULL;
}

static struct tree_node *read_tree(struct loader *l, struct diag_pos pos, const char *path)
{
    struct source *s = &l->value.source;
    struct tree_node *root = NULL;
    struct buf text;

    if (source_read(s, pos, path, false, &text) == SOURCE_OK)
        root = tree_load(&l->scratch, s->diag, path, buf_str(&text), text.len);
    buf_done(&text);
    if (root && !value_is(&l->value, root, TREE_MAPPING, "the file", "a map with the key `services`"))
        return NULL;
    return root;
}

static bool add_service(struct loader *l, struct loader_file *f, const struct tree_pair *pair)
{
    struct loader_service *s = arena_alloc(&l->scratch, sizeof *s);

    if (!s)
        return value_nomem(&l->value, pair->key_pos);
    *s = (struct loader_service){.name = pair->key, .pos = pair->key_pos, .node = pair->value, .file = f};
    *f->services_end = s;
    f->services_end = &s->next;
    return true;
}

static bool find_parts(struct loader *l, struct loader_file *f)
{
    const struct tree_node *services = tree_get(f->root, "services");

    f->defaults = tree_get(f->root, "defaults");
    for (size_t i = 0; services && services->kind == TREE_MAPPING && i < services->n; i++)
        if (!add_service(l, f, &services->pairs[i]))
            return false;
    return true;
}

struct loader_file *loader_open(struct loader *l, struct diag_pos pos, const char *path)
{
    struct loader_file *f = known_file(l, path);

    if (f)
        return f;
    if (l->n_files == CONFIG_FILES_MAX) {
        value_error(&l->value, pos, "more than %d files; put services together into fewer", CONFIG_FILES_MAX);
        return NULL;
    }
    f = arena_alloc(&l->scratch, sizeof *f);
    if (!f) {
        value_nomem(&l->value, pos);
        return NULL;
    }
    f->path = path;
    f->services_end = &f->services;
    f->root = read_tree(l, pos, path);
    if (f->root)
        loader_drop_extensions(f->root);
    if (f->root && !l->files)
        f->root = override_root(l, f->root);
    if (!f->root || !find_parts(l, f))
        l->incomplete = true;
    f->next = l->files;
    l->files = f;
    l->n_files++;
    return f;
}

struct tree_node *loader_defaults(struct loader *l, struct loader_file *f)
{
    if (f->defaults && f->defaults_state == LOADER_NEW) {
        bool ok = value_is(&l->value, f->defaults, TREE_MAPPING, "`defaults`", "a map of service keys");
        loader_drop_extensions(f->defaults);
        f->damaged = ok && !loader_expand_pairs(l, f->defaults, schema_find(SCHEMA_TOP, "defaults")->sub);
        f->defaults_state = ok ? LOADER_READY : LOADER_FAILED;
    }
    return f->defaults_state == LOADER_READY ? f->defaults : NULL;
}

struct loader_service *loader_find(const struct loader *l, const struct loader_file *f, const char *name)
{
    for (struct loader_service *s = f ? f->services : NULL; s; s = s->next)
        if (strcmp(s->name, name) == 0)
            return s;
    for (size_t i = 0; i < l->n_run; i++)
        if (strcmp(l->run[i]->name, name) == 0)
            return l->run[i];
    return NULL;
}

void loader_done(struct loader *l)
{
    envfile_done(&l->value.env);
    mem_free(l->run);
    arena_done(&l->scratch);
}

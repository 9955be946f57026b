/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A world for config_load() in tests: files, globs and variables in memory.
 */
#ifndef FOSTER_TESTS_UNIT_CORE_CONFIG_BENCH_H
#define FOSTER_TESTS_UNIT_CORE_CONFIG_BENCH_H

#include "core/config.h"
#include "support/accounts.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A file that begins with this cannot be read, for the reason that follows. */
#define CONFIG_BENCH_REASON "\001"

/** A file, or a variable. */
struct config_entry {
    const char *name;
    const char *text; /**< NULL: exists, cannot be read */
};

/** The world, and what came of the last load. Lists end with a NULL name and may be NULL. */
struct config_bench {
    const struct config_entry *files; /**< searched for every file but f.yaml while `text` is set */
    const struct config_entry *env;
    const char *text; /**< of f.yaml */
    bool no_accounts; /**< nobody can be looked up */
    struct config_options opt;
    struct diag_list diag;
    struct buf problems;
    struct spec_set *set; /**< owned */
    unsigned n_reads;
};

static inline const char *config_bench_find(const struct config_entry *list, const char *name, bool *ret_there)
{
    *ret_there = false;
    for (; list && list->name; list++) {
        if (strcmp(list->name, name) == 0) {
            *ret_there = true;
            return list->text;
        }
    }
    return NULL;
}

static inline bool config_bench_read(const char *path, size_t max, struct buf *out, bool *ret_missing, char *why,
                                     size_t why_size, void *data)
{
    struct config_bench *b = data;
    bool there = true;
    const char *text = b->text && strcmp(path, "f.yaml") == 0 ? b->text : config_bench_find(b->files, path, &there);

    b->n_reads++;
    *ret_missing = !there;
    if (there && !text)
        (void)snprintf(why, why_size, "Permission denied");
    if (text && text[0] == CONFIG_BENCH_REASON[0]) {
        (void)snprintf(why, why_size, "%s", text + 1);
        return false;
    }
    return text && strlen(text) <= max && buf_puts(out, text);
}

static inline bool config_bench_glob(struct arena *a, const char *pattern, char ***ret, size_t *ret_n, void *data)
{
    const struct config_bench *b = data;
    size_t n = 0;

    *ret = arena_array(a, 512, sizeof **ret);
    if (!*ret || strncmp(pattern, "/forbidden/", 11) == 0)
        return false;
    for (const struct config_entry *f = b->files; f && f->name; f++)
        if (fnmatch(pattern, f->name, FNM_PATHNAME) == 0)
            (*ret)[n++] = arena_strdup(a, f->name);
    *ret_n = n;
    return true;
}

static inline const char *config_bench_getenv(const char *name, void *data)
{
    const struct config_bench *b = data;
    bool there;

    return config_bench_find(b->env, name, &there);
}

/** Frees what the last load left. */
static inline void config_bench_done(struct config_bench *b)
{
    spec_set_free(b->set);
    b->set = NULL;
    diag_done(&b->diag);
    buf_done(&b->problems);
}

/** Loads FILE; NULL when there was an error. The result is freed by config_bench_done() or the next load. */
static inline struct spec_set *config_bench_load_file(struct config_bench *b, const char *file)
{
    struct config_source src = {
        .read = config_bench_read,
        .glob = config_bench_glob,
        .getenv = config_bench_getenv,
        .user = b->no_accounts ? NULL : accounts_user,
        .group = b->no_accounts ? NULL : accounts_group,
        .capability = b->no_accounts ? NULL : accounts_capability,
        .data = b,
    };

    config_bench_done(b);
    buf_init(&b->problems, 1 << 20);
    b->set = config_load(file, &src, &b->opt, &b->diag);
    diag_print(&b->diag, &b->problems);
    return b->set;
}

/** Loads TEXT as f.yaml. */
static inline struct spec_set *config_bench_load(struct config_bench *b, const char *text)
{
    b->text = text;
    return config_bench_load_file(b, "f.yaml");
}

/** What was said, one problem a line. */
static inline const char *config_bench_problems(const struct config_bench *b)
{
    return buf_str(&b->problems);
}

/** The only service of TEXT, which must be good; dies with the problems otherwise. */
static inline const struct spec *config_bench_service(struct config_bench *b, const char *text)
{
    if (!config_bench_load(b, text)) {
        fail_msg("refused:\n%s\n%s", text, config_bench_problems(b));
        abort();
    }
    return &b->set->services[0];
}

/** A file that must be refused, and all that is said of it. */
struct config_refusal {
    const char *text;
    const char *problems;
};

/** Checks N refusals in the world B. */
static inline void config_bench_refuses(struct config_bench *b, const struct config_refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (config_bench_load(b, cases[i].text))
            fail_msg("accepted:\n%s", cases[i].text);
        assert_string_equal(config_bench_problems(b), cases[i].problems);
    }
    config_bench_done(b);
}

#endif

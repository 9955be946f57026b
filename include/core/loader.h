/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What one run of config_load() holds while it runs: the files read, the services found in them, and
 * the set that is being made. For config.c, inherit.c and override.c only.
 */
#ifndef FOSTER_CORE_LOADER_H
#define FOSTER_CORE_LOADER_H

#include "core/config.h"
#include "core/value.h"

enum { LOADER_EXTENDS_DEPTH_MAX = 16 };

/** How far something has been put together. */
enum loader_state { LOADER_NEW, LOADER_BUSY, LOADER_READY, LOADER_FAILED };

/** One service as written in a file. */
struct loader_service {
    const char *name;
    struct diag_pos pos;
    struct tree_node *node;   /**< as written; while LOADER_NEW, variables are not expanded */
    struct tree_node *merged; /**< with what it extends below, when LOADER_READY */
    struct loader_file *file;
    enum loader_state state;
    bool damaged;                /**< a key was left out for its variables, here or in what it extends */
    struct loader_service *next; /**< in the same file, in its order */
};

/** One file. */
struct loader_file {
    const char *path;
    struct tree_node *root;     /**< NULL when it could not be read */
    struct tree_node *defaults; /**< its `defaults`, or NULL */
    enum loader_state defaults_state;
    bool damaged; /**< a key of the defaults was left out for its variables */
    struct loader_service *services;
    struct loader_service **services_end;
    bool started;                 /**< main file or included; else only extended from */
    bool loading;                 /**< its keys are being converted: an include of it is a cycle */
    struct loader_file *includer; /**< the file that includes it first, NULL: main file or extended from */
    struct loader_file *next;
};

/** One run. */
struct loader {
    struct value_ctx value; /**< its functions find the loader through it */
    const struct config_options *opt;
    struct spec_set *set;
    struct arena scratch;      /**< trees; freed at the end of the run */
    struct loader_file *files; /**< newest first */
    struct loader_file *file;  /**< whose keys are being converted */
    size_t n_files;
    struct loader_service **run; /**< owned; the services that join the set, in order */
    size_t n_run;
    size_t cap_run;
    unsigned depth;  /**< of includes */
    bool incomplete; /**< something could not be read: what seems to be missing may be there */
    bool doubtful;   /**< a service has a default where something was written: what seems to be missing may be there */
};

/** The loader that C is in. */
static inline struct loader *loader_of(struct value_ctx *c)
{
    return CONTAINER_OF(c, struct loader, value);
}

/** The file PATH, named at POS, read once. Its root is NULL when it was wrong, which has been said. NULL
 *  without memory or with too many files (said). */
struct loader_file *loader_open(struct loader *l, struct diag_pos pos, const char *path) MUST_CHECK NONNULL();

/** Expands the variables below NODE. False when there was an error. */
bool loader_expand(struct loader *l, struct tree_node *node) MUST_CHECK NONNULL();

/** Expands the variables of each key of the mapping NODE, a SECTION, and leaves out the keys where that fails (said,
 *  and also when the key itself is wrong). False when there was one. */
bool loader_expand_pairs(struct loader *l, struct tree_node *node, enum schema_section section) MUST_CHECK NONNULL();

/** The `defaults` of F, ready for use; NULL when there are none or they are wrong (said). */
struct tree_node *loader_defaults(struct loader *l, struct loader_file *f) NONNULL();

/** The service NAME that a service of F may mean: in F itself, else in any file that runs. Or NULL. */
struct loader_service *loader_find(const struct loader *l, const struct loader_file *f, const char *name) NONNULL(1, 3);

/** Removes the x-… keys of the mapping NODE, before their variables could matter. */
void loader_drop_extensions(struct tree_node *node) NONNULL();

/** Frees what L owns, not the set. */
void loader_done(struct loader *l) NONNULL();

/** Kinds of the top level; see kinds.def. */
bool config_services(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool config_defaults(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool config_include(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif

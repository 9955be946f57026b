/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The kinds of value that are lists, maps, or more than one form; see kinds.def. Arguments are as in
 * struct schema_kind_ops.
 */
#ifndef FOSTER_CORE_COMPOUND_H
#define FOSTER_CORE_COMPOUND_H

#include "core/value.h"

/** `{path, required}` of env_file. */
struct compound_env_file {
    const char *path;
    bool required;
};

/** `{service, file}` of extends. */
struct compound_extends {
    const char *service;
    const char *file; /**< NULL: the same one */
};

enum { COMPOUND_STEPS_MAX = 16 };

/** Says that NODE, for ROW, is none of the forms that its kind takes. Returns false. */
bool compound_takes_else(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node) NONNULL();

/** The items of the list NODE, for ROW, as a NULL-terminated array of strings in the set's arena; NULL when one is no
 *  string, or without memory (said). */
char **compound_strings(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node) MUST_CHECK
    NONNULL();

/** Kinds; see kinds.def. */
bool compound_command(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool compound_names(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool compound_keep(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool compound_environment(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool compound_env_files(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool compound_labels(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool compound_depends_on(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool compound_restart(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool compound_exits(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool compound_stop_signal(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif

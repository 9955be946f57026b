/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Values of the file: from a node to a field, with the error at the node's place when it does not fit.
 * The kinds of one scalar are here; core/compound.h has those of lists and maps.
 */
#ifndef FOSTER_CORE_VALUE_H
#define FOSTER_CORE_VALUE_H

#include "base/compiler.h"
#include "core/envfile.h"
#include "core/schema.h"
#include "core/source.h"

#include <stdbool.h>
#include <stddef.h>

/** What the conversion of one mapping needs. */
struct value_ctx {
    struct source source; /**< arena, problems, files */
    struct envfile env;   /**< variables of the service being converted */
    bool included;        /**< the file being converted is not the main one */
};

enum { VALUE_QUOTE_MAX = 80 };

/** A value as it may be shown in a message: cut, without control characters. */
struct value_quote {
    char text[VALUE_QUOTE_MAX];
};

/** TEXT for a message. */
struct value_quote value_quote(const char *text) NONNULL();

/** Says a problem at POS. Returns false. */
bool value_error(struct value_ctx *c, struct diag_pos pos, const char *fmt, ...) PRINTF_LIKE(3, 4) NONNULL(1, 3);

/** Says that memory is out. Returns false. */
bool value_nomem(struct value_ctx *c, struct diag_pos pos) NONNULL();

/** Whether NODE is of KIND and not null; else says so, naming WHAT ("`scale`") and what it TAKES. */
bool value_is(struct value_ctx *c, const struct tree_node *node, enum tree_kind kind, const char *what,
              const char *takes) NONNULL();

/** The text of the scalar NODE, checked to be UTF-8 and not null, in the set's arena; NULL on error (said). */
const char *value_text(struct value_ctx *c, const struct tree_node *node, const char *what) MUST_CHECK NONNULL();

/** Whether the key of PAIR may stand in SECTION, called WHAT in messages; what is wrong with it is said. */
bool value_key(struct value_ctx *c, enum schema_section section, const char *what, const struct tree_pair *pair)
    NONNULL();

/** Converts the mapping NODE, called WHAT in messages, into BASE by the rows of SECTION. Goes on after
 *  an error; false when there was one. Of alternatives those that were written nearest count, and have to be one. */
bool value_section(struct value_ctx *c, enum schema_section section, const char *what, const struct tree_node *node,
                   void *base) MUST_CHECK NONNULL();

/** Why a text is not a value of its row. */
enum value_result { VALUE_OK, VALUE_BAD, VALUE_RANGE, VALUE_NOT_SCALAR };

/** Sets FIELD to the scalar TEXT as ROW wants it; without a message. VALUE_NOT_SCALAR when the row's kind is no
 *  scalar without memory. */
enum value_result value_from_text(const struct schema_row *row, const char *text, void *field) NONNULL();

/** Whether NAME is a service's, project's or profile's name: [A-Za-z0-9][A-Za-z0-9_.@-]{0,63}. */
bool value_is_name(const char *name) NONNULL();

/** Kinds; see kinds.def. */
bool value_scalar(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool value_name(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool value_group(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool value_path(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool value_cgroup(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool value_map(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool value_ignored(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Variables of a service: the grammar of env_file, and the merge of files and `environment`.
 */
#ifndef FOSTER_CORE_ENVFILE_H
#define FOSTER_CORE_ENVFILE_H

#include "base/compiler.h"
#include "core/diag.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stddef.h>

/** Where a variable came from; a greater one wins. */
enum envfile_rank { ENVFILE_RANK_FILE, ENVFILE_RANK_KEY };

/** One variable as found. */
struct envfile_entry {
    struct spec_env env; /**< strings in the set's arena */
    enum envfile_rank rank;
    size_t seq; /**< later wins within a rank */
};

/** The variables of one service while it is read. Zero-initialised is empty; free with envfile_done(). */
struct envfile {
    struct envfile_entry *entries; /**< owned */
    size_t n;
    size_t cap;
};

/** Adds NAME=VALUE (borrowed; VALUE may be NULL). False without memory. */
bool envfile_add(struct envfile *e, const char *name, const char *value, enum envfile_rank rank) MUST_CHECK
    NONNULL(1, 2);

/** Reads the LEN bytes of the env file FILE at TEXT into E; strings go to A. Each line is empty, a comment, or
 *  [export] NAME=VALUE; the value is unquoted (trimmed, " #" begins a comment), '...' literal, or "..." with
 *  \n \t \r \" \\ \$; quoted ones may span lines. Problems go to D. False when there was one. */
bool envfile_parse(struct envfile *e, struct arena *a, struct diag_list *d, const char *file, const char *text,
                   size_t len) MUST_CHECK NONNULL();

/** Sorts by name, keeps the winner of each, and copies the result to A. False without memory. Empties E. */
bool envfile_merge(struct envfile *e, struct arena *a, struct spec_env **ret, size_t *ret_n) MUST_CHECK NONNULL();

/** Frees what E owns; E is empty afterwards. */
void envfile_done(struct envfile *e) NONNULL();

/** What is wrong with the variable name NAME as it stands in a sentence ("is not a variable name; …"), or NULL. */
const char *envfile_bad_name(const char *name) NONNULL();

#endif

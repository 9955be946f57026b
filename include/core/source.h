/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Where the bytes of a configuration come from: names of files as the user would write them, relative
 * ones resolved against the file that names them, and reading through the caller's functions.
 */
#ifndef FOSTER_CORE_SOURCE_H
#define FOSTER_CORE_SOURCE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "core/config.h"

#include <stdbool.h>
#include <stddef.h>

/** The files of one run of config_load(). */
struct source {
    const struct config_source *io; /**< borrowed */
    struct arena *arena;            /**< borrowed: the set's; owns the names */
    struct diag_list *diag;         /**< borrowed */
    const char *main_file;          /**< as the caller of config_load() calls it */
    const char **names;             /**< names kept for struct diag_pos, in the arena */
    size_t n_names;
    size_t cap_names;
    size_t n_read; /**< files read so far, at most CONFIG_FILES_MAX configuration files */
    bool nomem;    /**< memory was refused somewhere; said once */
};

/** Says (once) at POS that memory is out. Returns false. */
bool source_nomem(struct source *s, struct diag_pos pos) NONNULL();

/** POS with its file name kept in the arena of the set, so that it outlives the trees. */
struct diag_pos source_keep(struct source *s, struct diag_pos pos) NONNULL();

/** PATH as seen from the file that POS is in: absolute as it is, else below that file's directory, in
 *  the arena. NULL without memory (said). */
const char *source_path(struct source *s, struct diag_pos pos, const char *path) MUST_CHECK NONNULL();

/** What became of source_read(). */
enum source_result { SOURCE_OK, SOURCE_MISSING, SOURCE_FAILED };

/** Reads PATH into OUT (initialised here; free with buf_done() in every case). A failure is said at
 *  POS, or at the file's begin when POS is nowhere; a missing file at POS, unless MISSING_OK. */
enum source_result source_read(struct source *s, struct diag_pos pos, const char *path, bool missing_ok,
                               struct buf *out) MUST_CHECK NONNULL();

#endif

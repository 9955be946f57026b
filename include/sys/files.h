/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Whole files, safely: read within a limit and never blocking on a FIFO, written atomically; pid files;
 * glob patterns.
 */
#ifndef FOSTER_SYS_FILES_H
#define FOSTER_SYS_FILES_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Whom a file that is read must be safe from. */
enum files_trust {
    FILES_TRUST_ANY,  /**< any regular file */
    FILES_TRUST_SAFE, /**< when we are root: not writable for the world, owned by root or us */
};

/** Appends the whole regular file PATH ("-": standard input) to OUT. Opened without blocking, checked on the
 *  descriptor. False with *E (ERR_SYS with errnum ENOENT when it is missing; ERR_INPUT when it is not a
 *  regular file or unsafe; ERR_LIMIT beyond MAX bytes); texts do not name the path. */
bool files_read(const char *path, size_t max, enum files_trust trust, struct buf *out, struct err *e) MUST_CHECK
    NONNULL();

/** Replaces PATH by LEN bytes at DATA: a new file beside it (mode 0600), then rename(2). False with *E; then no
 *  new file is left behind and PATH is as it was. */
bool files_write(const char *path, const void *data, size_t len, struct err *e) MUST_CHECK NONNULL();

/** The process id that the pid file PATH names (first line, decimal, blanks around it allowed, at most 64 bytes), or 0
 * when there is none that can be read. Never blocks; a symbolic link is not followed. */
pid_t files_read_pid(const char *path) NONNULL();

/** Makes the directory PATH with MODE unless it exists, and checks that it is a directory (no symbolic link), ours, and
 * not writable for others. False with *E. */
bool files_make_dir(const char *path, mode_t mode, struct err *e) MUST_CHECK NONNULL();

/** Expands the glob(7) PATTERN into a sorted, NULL-terminated array in A. No match gives an empty one. False with *E.
 */
bool files_glob(struct arena *a, const char *pattern, char ***ret, size_t *ret_n, struct err *e) MUST_CHECK NONNULL();

/** Opens /dev/null on those of the descriptors 0 to 2 that are closed; without /dev a pipe end that is always at its
 * end. Called before anything else opens a descriptor. False with *E when even that fails. */
bool files_open_stdio(struct err *e) MUST_CHECK NONNULL();

#endif

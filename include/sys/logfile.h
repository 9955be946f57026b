/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Log files on disk: opening one safely, giving it another name when it is full, and those that have one.
 *
 * A directory that somebody else may write to is his: whatever is opened or made there is with his rights, so that
 * nobody has us write to, or make, what he could not himself; a file that is there has to be his or root's, and a
 * symbolic link there leads nowhere unless it is root's. All that matters only while we are root.
 */
#ifndef FOSTER_SYS_LOGFILE_H
#define FOSTER_SYS_LOGFILE_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    LOGFILE_NAME_MAX = 256, /**< of any name here, with the NUL */
    LOGFILE_LIST_MAX = 65536,
};

/** How files and directories are made. Those that are there are left as they are. */
struct logfile_manner {
    mode_t file_mode, directory_mode;
    bool has_owner; /**< uid and gid count; else they are ours */
    uid_t uid;
    gid_t gid;
};

/** Opens the directory of PATH (absolute), making what is missing of it. O_PATH; *RET_BASE is what stands behind the
 * last slash (borrowed from PATH). -1 with *E. */
int logfile_open_dir(const char *path, const struct logfile_manner *m, const char **ret_base, struct err *e) MUST_CHECK
    NONNULL();

/** Opens BASE in DIR_FD for appending, making it when it is missing: a regular file with one name, which belongs to us
 * or to whom it may. -1 with *E, which names neither. */
int logfile_open(int dir_fd, const char *base, const struct logfile_manner *m, struct err *e) MUST_CHECK NONNULL();

/** The names of the files that BASE was given when it was full, oldest first. */
struct logfile_list {
    char **names; /**< owned */
    size_t n, cap;
};

/** Fills L with them; those whose compression has not come to an end (NAME.gz.tmp) are left out, and deleted when
 * DELETE_REMAINS. -1 with errno. */
int logfile_list(int dir_fd, const char *base, bool delete_remains, struct logfile_list *ret) MUST_CHECK NONNULL();

/** Frees what L owns. */
void logfile_list_done(struct logfile_list *l) NONNULL();

/** Gives BASE the name "BASE.STAMP", STAMP being the time REAL_US (microseconds since 1970) or, when the clock was put
 * back, one behind the newest there is. -1 with errno: nothing has changed. */
int logfile_rotate(int dir_fd, const char *base, int64_t real_us) MUST_CHECK NONNULL();

/** Deletes all but the newest KEEP of those that BASE was. -1 with errno of the first that could not be deleted. */
int logfile_prune(int dir_fd, const char *base, size_t keep) MUST_CHECK NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The configuration file: from bytes to a checked set of specs, and back to YAML and JSON Schema. No
 * file is touched here: whatever must be read comes through the caller's function.
 */
#ifndef FOSTER_CORE_CONFIG_H
#define FOSTER_CORE_CONFIG_H

#include "base/buf.h"
#include "base/compiler.h"
#include "core/diag.h"
#include "core/spec.h"
#include "core/tree.h"

#include <stdbool.h>
#include <stddef.h>

enum { CONFIG_INCLUDE_DEPTH_MAX = 8, CONFIG_FILES_MAX = 256, CONFIG_MEMORY_MAX = 256 << 20 };

/** Where configuration files come from. The functions may be called during config_load() only. */
struct config_source {
    /** Reads the whole file PATH (at most MAX bytes) into OUT (empty). On failure adds nothing, puts a
     *  reason without the path into WHY of WHY_SIZE bytes, with "; " and what to do when it is something else than
     *  making the file readable, and returns false; *RET_MISSING says whether it was because there is no such file. */
    bool (*read)(const char *path, size_t max, struct buf *out, bool *ret_missing, char *why, size_t why_size,
                 void *data);
    /** Expands the glob PATTERN, sorted, into absolute or caller-relative paths allocated in A; *RET_N may be 0. */
    bool (*glob)(struct arena *a, const char *pattern, char ***ret, size_t *ret_n, void *data);
    /** The daemon's environment variable NAME, or NULL. */
    tree_getenv_fn *getenv;
    /** Looks up TEXT, the value of `user` ("name", "name:group", "uid", "uid:gid"), and fills RET apart from text, with
     *  memory from A. On failure puts a reason into WHY of WHY_SIZE bytes, with "; " and what would be right, and
     *  returns false. A number is never taken for a name, nor a name for a number; "1000:1000" needs no look-up. */
    bool (*user)(struct arena *a, const char *text, struct spec_user *ret, char *why, size_t why_size, void *data);
    /** Looks up the group TEXT, a name or a number. As user() otherwise. */
    bool (*group)(const char *text, gid_t *ret, char *why, size_t why_size, void *data);
    /** The number of the capability TEXT ("NET_ADMIN", any case, with or without "CAP_"); false: there is none. */
    bool (*capability)(const char *text, unsigned *ret, void *data);
    void *data; /**< handed to all of them */
};

/** What the command line adds. */
struct config_options {
    const char *const *profiles; /**< selected profiles */
    size_t n_profiles;
    const char *const *sets; /**< KEY=VALUE of --set: a dotted path into the file ("services.web.scale=3") */
    size_t n_sets;
    size_t memory_max; /**< bytes that the set, and what is needed while loading, may each take; 0: CONFIG_MEMORY_MAX */
};

/** Reads FILE through SRC, with includes, and checks everything. All problems go to D. Returns a new set
 *  (free with spec_set_free()), or NULL when D got at least one error. */
struct spec_set *config_load(const char *file, const struct config_source *src, const struct config_options *opt,
                             struct diag_list *d) MUST_CHECK NONNULL();

/** Appends SET as YAML, every key with its value, defaults filled in; config_load() of that text gives an
 *  equal set. False when OUT is full. */
bool config_print(const struct spec_set *set, struct buf *out) NONNULL();

/** Appends the JSON Schema (draft-07) of the file. False when OUT is full. */
bool config_schema(struct buf *out) NONNULL();

/** Appends the reference of all keys as scdoc text, for foster.yaml(5). False when OUT is full. */
bool config_reference(struct buf *out) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The key `logging`: its kinds of value, which driver takes which option, and the path of a log file. Arguments of
 * kinds are as in struct schema_kind_ops.
 */
#ifndef FOSTER_CORE_LOG_KEYS_H
#define FOSTER_CORE_LOG_KEYS_H

#include "core/value.h"

enum {
    LOG_KEYS_PATH_MAX = 4000, /**< bytes of the path of a log file; what a rotation puts behind it has room, too */
    LOG_KEYS_NAME_MAX = 220,  /**< bytes of what stands behind its last slash; for the same reason */
    LOG_KEYS_SIZE_MIN = 4096, /**< least `max-size` but 0 */
    LOG_KEYS_AGE_MIN = 1000,  /**< least `max-age` but 0, in milliseconds */
};

/** Fills LOG with the default of everything; strings in it are static. */
void log_keys_defaults(struct spec_log *log) NONNULL();

/** Whether DRIVER has a use for the option KEY of `options`. */
bool log_keys_takes(const char *key, enum spec_log_driver driver) NONNULL();

/** Writes the path of the log file of UNIT ("web.2"), an instance of SERVICE ("web"), into BUF: `path` of LOG, with
 * {name} and {service} replaced. False when it is longer than SIZE - 1 bytes, or LOG has none; BUF is undefined then.
 */
bool log_path(const struct spec_log *log, const char *unit, const char *service, char *buf, size_t size) MUST_CHECK
    NONNULL();

/** Kinds; see kinds.def. */
bool log_keys_logging(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool log_keys_stderr(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool log_keys_address(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif

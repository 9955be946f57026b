/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Whether a field has the same value in two structures, for each kind; see kinds.def. Places in files
 * never count.
 */
#ifndef FOSTER_CORE_EQUAL_H
#define FOSTER_CORE_EQUAL_H

#include "core/schema.h"

/** Kinds; see kinds.def. */
bool equal_bool(const struct schema_row *row, const void *a, const void *b);
bool equal_int(const struct schema_row *row, const void *a, const void *b);
bool equal_decimal(const struct schema_row *row, const void *a, const void *b);
bool equal_mode(const struct schema_row *row, const void *a, const void *b);
bool equal_string(const struct schema_row *row, const void *a, const void *b);
bool equal_words(const struct schema_row *row, const void *a, const void *b);
bool equal_names(const struct schema_row *row, const void *a, const void *b);
bool equal_keep(const struct schema_row *row, const void *a, const void *b);
bool equal_environment(const struct schema_row *row, const void *a, const void *b);
bool equal_labels(const struct schema_row *row, const void *a, const void *b);
bool equal_depends_on(const struct schema_row *row, const void *a, const void *b);
bool equal_exits(const struct schema_row *row, const void *a, const void *b);
bool equal_stop_signal(const struct schema_row *row, const void *a, const void *b);
bool equal_user(const struct schema_row *row, const void *a, const void *b);
bool equal_groups(const struct schema_row *row, const void *a, const void *b);
bool equal_caps(const struct schema_row *row, const void *a, const void *b);
bool equal_ulimits(const struct schema_row *row, const void *a, const void *b);
bool equal_notify(const struct schema_row *row, const void *a, const void *b);
bool equal_tcp(const struct schema_row *row, const void *a, const void *b);
bool equal_http(const struct schema_row *row, const void *a, const void *b);
bool equal_cron(const struct schema_row *row, const void *a, const void *b);
bool equal_hooks(const struct schema_row *row, const void *a, const void *b);
bool equal_sockets(const struct schema_row *row, const void *a, const void *b);
bool equal_log_stderr(const struct schema_row *row, const void *a, const void *b);
bool equal_section(const struct schema_row *row, const void *a, const void *b);

/** For keys without a field of their own: always true. */
bool equal_nothing(const struct schema_row *row, const void *a, const void *b);

#endif

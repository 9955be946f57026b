/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The JSON Schema of the file: what each kind of value looks like; see kinds.def.
 */
#ifndef FOSTER_CORE_JSONSCHEMA_H
#define FOSTER_CORE_JSONSCHEMA_H

#include "core/schema.h"

/** Each appends the members of the schema of ROW's value, without braces, beginning with no comma. */
void jsonschema_bool(struct buf *out, const struct schema_row *row);
void jsonschema_int(struct buf *out, const struct schema_row *row);
void jsonschema_decimal(struct buf *out, const struct schema_row *row);
void jsonschema_duration(struct buf *out, const struct schema_row *row);
void jsonschema_mode(struct buf *out, const struct schema_row *row);
void jsonschema_signal(struct buf *out, const struct schema_row *row);
void jsonschema_choice(struct buf *out, const struct schema_row *row);
void jsonschema_name(struct buf *out, const struct schema_row *row);
void jsonschema_group(struct buf *out, const struct schema_row *row);
void jsonschema_string(struct buf *out, const struct schema_row *row);
void jsonschema_words(struct buf *out, const struct schema_row *row);
void jsonschema_names(struct buf *out, const struct schema_row *row);
void jsonschema_keep(struct buf *out, const struct schema_row *row);
void jsonschema_environment(struct buf *out, const struct schema_row *row);
void jsonschema_env_file(struct buf *out, const struct schema_row *row);
void jsonschema_depends_on(struct buf *out, const struct schema_row *row);
void jsonschema_restart(struct buf *out, const struct schema_row *row);
void jsonschema_exits(struct buf *out, const struct schema_row *row);
void jsonschema_stop_signal(struct buf *out, const struct schema_row *row);
void jsonschema_size(struct buf *out, const struct schema_row *row);
void jsonschema_cgroup(struct buf *out, const struct schema_row *row);
void jsonschema_groups(struct buf *out, const struct schema_row *row);
void jsonschema_caps(struct buf *out, const struct schema_row *row);
void jsonschema_security(struct buf *out, const struct schema_row *row);
void jsonschema_ulimit(struct buf *out, const struct schema_row *row);
void jsonschema_ulimits(struct buf *out, const struct schema_row *row);
void jsonschema_map(struct buf *out, const struct schema_row *row);
void jsonschema_true(struct buf *out, const struct schema_row *row);
void jsonschema_http(struct buf *out, const struct schema_row *row);
void jsonschema_hooks(struct buf *out, const struct schema_row *row);
void jsonschema_sockets(struct buf *out, const struct schema_row *row);
void jsonschema_listen(struct buf *out, const struct schema_row *row);
void jsonschema_extends(struct buf *out, const struct schema_row *row);
void jsonschema_services(struct buf *out, const struct schema_row *row);
void jsonschema_defaults(struct buf *out, const struct schema_row *row);
void jsonschema_include(struct buf *out, const struct schema_row *row);
void jsonschema_ignored(struct buf *out, const struct schema_row *row);

#endif

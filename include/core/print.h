/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A configuration as YAML: how each kind of value is printed; see kinds.def.
 */
#ifndef FOSTER_CORE_PRINT_H
#define FOSTER_CORE_PRINT_H

#include "core/schema.h"

/** Where printing is. */
struct printer {
    struct buf *out; /**< borrowed */
    unsigned indent; /**< columns */
    bool dash;       /**< the next key begins an item of a list */
};

/** Appends TEXT as a YAML scalar, plain where that is safe in any YAML. */
void print_text(struct buf *out, const char *text) NONNULL();

/** As print_text(), for a value: with "$$" for each "$", so that nothing is expanded. */
void print_value_text(struct buf *out, const char *text) NONNULL();

/** Prints the fields of SECTION in BASE, a line or more each. */
void print_rows(struct printer *p, enum schema_section section, const void *base) NONNULL();

/** Each prints "key: value" and a newline, or nothing when the field has no value. */
void print_bool(struct printer *p, const struct schema_row *row, const void *base);
void print_int(struct printer *p, const struct schema_row *row, const void *base);
void print_decimal(struct printer *p, const struct schema_row *row, const void *base);
void print_duration(struct printer *p, const struct schema_row *row, const void *base);
void print_mode(struct printer *p, const struct schema_row *row, const void *base);
void print_signal(struct printer *p, const struct schema_row *row, const void *base);
void print_choice(struct printer *p, const struct schema_row *row, const void *base);
void print_string(struct printer *p, const struct schema_row *row, const void *base);
void print_words(struct printer *p, const struct schema_row *row, const void *base);
void print_names(struct printer *p, const struct schema_row *row, const void *base);
void print_keep(struct printer *p, const struct schema_row *row, const void *base);
void print_environment(struct printer *p, const struct schema_row *row, const void *base);
void print_labels(struct printer *p, const struct schema_row *row, const void *base);
void print_depends_on(struct printer *p, const struct schema_row *row, const void *base);
void print_exits(struct printer *p, const struct schema_row *row, const void *base);
void print_stop_signal(struct printer *p, const struct schema_row *row, const void *base);
void print_size(struct printer *p, const struct schema_row *row, const void *base);
void print_user(struct printer *p, const struct schema_row *row, const void *base);
void print_groups(struct printer *p, const struct schema_row *row, const void *base);
void print_caps(struct printer *p, const struct schema_row *row, const void *base);
void print_security(struct printer *p, const struct schema_row *row, const void *base);
void print_ulimit(struct printer *p, const struct schema_row *row, const void *base);
void print_ulimits(struct printer *p, const struct schema_row *row, const void *base);
void print_notify(struct printer *p, const struct schema_row *row, const void *base);
void print_tcp(struct printer *p, const struct schema_row *row, const void *base);
void print_http(struct printer *p, const struct schema_row *row, const void *base);
void print_test(struct printer *p, const struct schema_row *row, const void *base);
void print_healthcheck(struct printer *p, const struct schema_row *row, const void *base);
void print_hooks(struct printer *p, const struct schema_row *row, const void *base);
void print_sockets(struct printer *p, const struct schema_row *row, const void *base);
void print_cron(struct printer *p, const struct schema_row *row, const void *base);
void print_schedule(struct printer *p, const struct schema_row *row, const void *base);
void print_log_options(struct printer *p, const struct schema_row *row, const void *base);
void print_log_stderr(struct printer *p, const struct schema_row *row, const void *base);
void print_section(struct printer *p, const struct schema_row *row, const void *base);

/** For keys without a field of their own. */
void print_nothing(struct printer *p, const struct schema_row *row, const void *base);

#endif

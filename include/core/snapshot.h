/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Units, events and changes as JSON, with the members that doc/protocol.md names.
 */
#ifndef FOSTER_CORE_SNAPSHOT_H
#define FOSTER_CORE_SNAPSHOT_H

#include "base/compiler.h"
#include "base/log.h"
#include "core/diag.h"
#include "core/plan.h"
#include "core/super.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The LEN bytes at S as JSON string; what is no UTF-8, and a NUL, becomes U+FFFD. NULL without memory. */
json_t *snapshot_text(const char *s, size_t len) MUST_CHECK NONNULL();

/** Appends VALUE to ARRAY, both taken over and NULL where they were refused. ARRAY, or NULL when that fails: then both
 * are gone. */
json_t *snapshot_append(json_t *array, json_t *value) MUST_CHECK;

/** A unit as service; REASON (NULL: none) is why it is as it is. NULL without memory. */
json_t *snapshot_unit(const struct unit_view *u, const char *reason, int64_t now_ms) MUST_CHECK NONNULL(1);

/** Adds to the service SERVICE the members of the long form. False without memory. */
bool snapshot_long(json_t *service, const struct super *s, const struct unit_view *u) MUST_CHECK NONNULL();

/** A wait status as last_exit. NULL without memory. */
json_t *snapshot_exit(int wstatus) MUST_CHECK;

/** An outcome of the instance NAME. U is NULL where it is gone; LINES (taken over; NULL: memory was short) are its last
 * lines of output. NULL without memory. */
json_t *snapshot_outcome(const char *name, const struct unit_view *u, bool ok, bool done, const char *text, int64_t ms,
                         json_t *lines) MUST_CHECK NONNULL(1, 5);

/** The services of S and what each depends on, as `graph` has it; one whose instances differ has the state of that
 * which is farthest from well. NULL without memory. */
json_t *snapshot_graph(const struct super *s) MUST_CHECK NONNULL();

/** The dependencies of SPEC as array. NULL without memory. */
json_t *snapshot_deps(const struct spec *spec) MUST_CHECK NONNULL();

/** An event: number SEQ, at REAL_US microseconds of the real-time clock. FROM and TO are NULL but for a change of
 * state. NULL without memory. */
json_t *snapshot_event(uint64_t seq, int64_t real_us, enum log_level level, const struct log_about *about,
                       const char *text, const char *from, const char *to) MUST_CHECK NONNULL(4, 5);

/** REAL_S seconds since 1970 as JSON string: RFC 3339, UTC. NULL without memory. */
json_t *snapshot_time(int64_t real_s) MUST_CHECK;

/** The changes of P as array of change. NULL without memory. */
json_t *snapshot_plan(const struct plan *p) MUST_CHECK NONNULL();

/** The warnings of D as array of strings: "FILE:LINE:COLUMN: text". NULL without memory. */
json_t *snapshot_warnings(const struct diag_list *d) MUST_CHECK NONNULL();

/** The problems of D as array. NULL without memory. */
json_t *snapshot_problems(const struct diag_list *d) MUST_CHECK NONNULL();

#endif

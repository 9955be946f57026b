/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the files of core/check.h share. For check.c, check_life.c and check_log.c only.
 */
#ifndef FOSTER_CORE_CHECK_IMPL_H
#define FOSTER_CORE_CHECK_IMPL_H

#include "core/check.h"

/** The place of KEY of S in NODE, or that of the service when it is not written there. */
static inline struct diag_pos check_place(const struct spec *s, const struct tree_node *node, const char *key)
{
    const struct tree_node *value = tree_get(node, key);

    return value ? value->pos : s->pos;
}

/** Whether S is run again whatever its exit, so that it is never completed. */
static inline bool check_never_completes(const struct spec *s)
{
    return s->restart.policy == SPEC_RESTART_ALWAYS || s->restart.policy == SPEC_RESTART_UNLESS_STOPPED;
}

/** As check_service(), for readiness, health, hooks, reload and schedules. */
void check_life(struct diag_list *d, const struct spec *s, const struct tree_node *node) NONNULL();

/** As check_service(), for `logging`. */
void check_log(struct diag_list *d, const struct spec *s, const struct tree_node *node) NONNULL();

/** Says in D which services of SET that are enabled would log to one file. */
void check_log_files(struct diag_list *d, const struct spec_set *set) NONNULL();

/** Says in D which sockets of the services of SET that are enabled would listen to one address. */
void check_sockets(struct diag_list *d, const struct spec_set *set) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What lies between two configurations: which services came, went or changed, in which keys, and what that takes, by
 * the flags of each key's row in options.def. Pure; used both to decide and to tell.
 */
#ifndef FOSTER_CORE_PLAN_H
#define FOSTER_CORE_PLAN_H

#include "base/compiler.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stddef.h>

/** What happens to a service. */
enum plan_action { PLAN_ADD, PLAN_REMOVE, PLAN_CHANGE, PLAN_ACTION_N };

/** What an action comes to. */
enum plan_effect {
    PLAN_NONE,    /**< the new keys count from now on; no process is touched */
    PLAN_SCALE,   /**< instances are added or removed; the others keep running */
    PLAN_RESTART, /**< every instance stops, and starts again where it was wanted */
    PLAN_START,   /**< new, and starts by itself */
    PLAN_STOP,    /**< gone, or not selected by a profile any more */
    PLAN_EFFECT_N
};

/** One change. Everything in it is the plan's own. */
struct plan_change {
    enum plan_action action;
    enum plan_effect effect;
    const char *service;
    const char *with;  /**< restarts because it depends with `restart` on this one, which restarts; NULL: it does not */
    const char **keys; /**< dotted ("restart.delay"), in the order of the reference */
    size_t n_keys;     /**< 0 but for PLAN_CHANGE; there, too, when `with` is all there is */
};

/** A plan. Initialise with plan_make(), free with plan_done(). */
struct plan {
    struct arena arena;
    struct plan_change *changes; /**< removed ones first, then in the order of the new configuration */
    size_t n_changes;
    const char **later; /**< keys of the top level and of `supervisor` ("supervisor.state_dir") that a running fosterd
                           cannot change */
    size_t n_later;
    const char **live; /**< the others of them: they count from now on */
    size_t n_live;
};

/** What becoming NEW_SPEC takes of the running service OLD_SPEC: PLAN_NONE, PLAN_SCALE or PLAN_RESTART. Whether they
 * are selected by a profile is not looked at: see plan_make(). */
enum plan_effect plan_service(const struct spec *old_spec, const struct spec *new_spec) NONNULL();

/** Compares OLD_SET with NEW_SET into P, which needs neither of them afterwards. A service that is selected by a
 * profile in only one of them is absent from the other; one that is selected in neither may run all the same, by
 * request, and is compared as any other. False with ENOMEM, and P is empty. */
bool plan_make(struct plan *p, const struct spec_set *old_set, const struct spec_set *new_set) MUST_CHECK NONNULL();

/** Whether P says that nothing differs. */
bool plan_is_empty(const struct plan *p) NONNULL();

/** One line for people, without newline: "+ web", "~ db (command, environment)", "~ api (umask; restarts with
 * db)", "~ job (stop_signal; no restart)", "- old", into BUF of SIZE; cut with
 * "..." where it is too long. Returns BUF. */
char *plan_text(const struct plan_change *c, char *buf, size_t size) NONNULL();

/** "add", "remove", "change"; "none", "scale", "restart", "start", "stop". */
const char *plan_action_name(enum plan_action v);
const char *plan_effect_name(enum plan_effect v);

/** Frees what P owns. */
void plan_done(struct plan *p) NONNULL();

#endif

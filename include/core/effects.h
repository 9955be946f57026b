/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The queue of effects: a ring that grows. Room is asked for before a decision is taken, so that no
 * decision is carried out by half when memory is refused.
 */
#ifndef FOSTER_CORE_EFFECTS_H
#define FOSTER_CORE_EFFECTS_H

#include "base/compiler.h"
#include "core/super.h"

#include <stdbool.h>
#include <stddef.h>

/** One effect as it waits in the queue; the members are those of struct effect. */
struct effects_slot {
    enum effect_kind kind;
    unsigned unit;
    uint64_t run;
    pid_t pid;
    int number; /**< signal, or exit_code */
    enum effect_scope scope;
    int64_t at_ms;
    enum log_level level;
    const char *event;
    char code_kind;
    int code;
    enum spec_hook_point hook;
    enum unit_state from;
    enum unit_state to;
    char *text; /**< owned; NULL: none */
};

/** The queue. Zero-initialised is a valid empty one without room. */
struct effects {
    struct effects_slot *slots; /**< owned */
    size_t cap;
    size_t head; /**< index of the oldest */
    size_t n;
    struct effects_slot spare; /**< what is put in although no room was reserved is lost here */
};

/** Makes sure that the next N effects can be put in. False with ENOMEM. */
bool effects_reserve(struct effects *q, size_t n) MUST_CHECK NONNULL();

/** Puts an effect of KIND about UNIT behind the others and returns it, zeroed apart from these, for the caller to
 *  fill in; valid until the next call. Room should have been reserved: without it and without memory the effect is
 *  lost. Never NULL. */
struct effects_slot *effects_add(struct effects *q, enum effect_kind kind, unsigned unit) NONNULL();

/** Takes the oldest effect out into *RET. False when there is none. */
bool effects_take(struct effects *q, struct effect *ret) NONNULL();

/** Frees what Q owns. */
void effects_done(struct effects *q) NONNULL();

#endif

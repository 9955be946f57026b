/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The state table of a unit: which action belongs to which event in which state, and which states may
 * follow. The rows are in fsm.def; the functions behind the actions are in life.c and stop.c.
 */
#ifndef FOSTER_CORE_FSM_H
#define FOSTER_CORE_FSM_H

#include "base/buf.h"
#include "base/compiler.h"
#include "core/super.h"

#include <stdbool.h>

/** What can happen to a unit, from its own point of view. */
enum fsm_event {
    FSM_WANT_UP,   /**< somebody wants it up */
    FSM_WANT_DOWN, /**< it is to stop, now */
    FSM_RESTART,   /**< it is to stop if it runs, now, and to start */
    FSM_RESET,     /**< somebody wants its failures forgotten */
    FSM_DEPS_MET,  /**< all its dependencies hold */
    FSM_DEPS_LOST, /**< a dependency can never hold any more */
    FSM_SPAWNED,   /**< as the event of the same name in super.h; so are the next fourteen */
    FSM_SPAWN_FAILED,
    FSM_EXEC_OK,
    FSM_EXEC_FAILED,
    FSM_MAIN_EXITED,
    FSM_MAIN_PID,
    FSM_READY,
    FSM_UNREADY,
    FSM_HEALTH,
    FSM_WATCHDOG,
    FSM_HOOKS_DONE,
    FSM_EXTEND,
    FSM_MAIN_STOPPED,
    FSM_MAIN_CONTINUED,
    FSM_MEMBER_EXITED,
    FSM_MEMBERS_GONE,
    FSM_TIMER, /**< the timer of its present state */
    FSM_KILL,  /**< it is to be killed, now */
    FSM_EVENT_N
};

/** What is done about it. FSM_BUG: the pair is not in the table. */
enum fsm_action {
    FSM_BUG,
    FSM_NOTHING,
#define ACTION(name, sentence) FSM_##name,
#include "core/fsm.def"
    FSM_ACTION_N
};

/** One cell of the table. */
struct fsm_rule {
    enum fsm_action action;
    unsigned to;     /**< set of FSM_BIT(): the states in which the action may leave the unit */
    const char *why; /**< for FSM_NOTHING: why that is right */
};

/** The state V as a member of a set of states. */
#define FSM_BIT(v) (1U << (v))

/** The cell of EVENT in STATE; never NULL. */
const struct fsm_rule *fsm_rule(enum unit_state state, enum fsm_event event);

/** Whether the state TO may be entered from FROM. */
bool fsm_may_enter(enum unit_state to, enum unit_state from);

/** The words of fsm.def; static. */
const char *fsm_event_name(enum fsm_event v);
const char *fsm_action_name(enum fsm_action v);

/** The sentence that says what action V does; static. */
const char *fsm_action_sentence(enum fsm_action v);

/** Appends the whole table as a Markdown page (doc/states.md). False when OUT is full. */
bool fsm_print(struct buf *out) NONNULL();

#endif

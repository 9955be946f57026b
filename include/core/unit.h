/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The run-time record of one unit: what is wanted of it, how far its present run is, what its stop has
 * come to, and its history. Questions about it are answered here; decisions are taken in life.c.
 */
#ifndef FOSTER_CORE_UNIT_H
#define FOSTER_CORE_UNIT_H

#include "base/compiler.h"
#include "base/list.h"
#include "core/backoff.h"
#include "core/policy.h"
#include "core/super.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** How far a run has come. */
enum unit_phase {
    UNIT_NO_RUN, /**< no run is open */
    UNIT_PRE,    /**< the commands before its program run */
    UNIT_ASKED,  /**< SPAWN has been asked for; nothing has come of it yet */
    UNIT_BORN,   /**< there is a process */
    UNIT_EXECED, /**< its program runs */
    UNIT_ENDED,  /**< its main process has ended; the run is open while left-overs are cleared */
    UNIT_PHASE_N
};

/** What other units, and the end of everything, want to know of one; kept as bits, counted by service. */
enum unit_fact {
    UNIT_MET,                            /**< + condition: that condition holds */
    UNIT_OPEN = UNIT_MET + SPEC_COND_N,  /**< + condition: it does not hold but is still to be waited for */
    UNIT_LOST = UNIT_OPEN + SPEC_COND_N, /**< failed for good */
    UNIT_UP,                             /**< something of it runs that a stop would wait for */
    UNIT_LEAVING,                        /**< is on its way down because that was asked for, perhaps to come back */
    UNIT_HELD_UP,                        /**< is held down, and not down yet */
    UNIT_BUSY,                           /**< something of it runs or is to run, or somebody may start it again */
    UNIT_KEPT,                           /**< wanted, and a stop would have something to do */
    UNIT_IDLE,                           /**< a dependent that needs it would have to start it */
    UNIT_UNSETTLED,                      /**< wanted, but neither ready nor over yet */
    UNIT_FACT_N
};

/** One unit. */
struct unit {
    const char *name;            /**< owned by the layout in force */
    const struct spec *spec;     /**< borrowed */
    unsigned index;              /**< its number, for life */
    uint64_t id;                 /**< nobody else ever has it */
    unsigned order;              /**< its place in the layout in force */
    unsigned service;            /**< number of its service there */
    unsigned instance;           /**< counted from 1 */
    const enum unit_state state; /**< written by unit_set_state() alone */
    bool want_up;
    bool stop_due;          /**< is to stop as soon as those dependents are down that are to be */
    bool again;             /**< is to come up again after the stop */
    bool no_deps;           /**< was asked for without its dependencies: waits for none */
    bool due;               /**< runs by a schedule, and is to run now */
    bool queued;            /**< runs by a schedule, and is to run once more behind the present run */
    bool lost;              /**< its failure is that of a dependency */
    bool asked_down;        /**< somebody has stopped it, and nobody has wanted it since */
    bool held;              /**< is to be down, and stays so, until the next configuration is in force */
    bool goes;              /**< is held, and has no place there */
    bool want_after;        /**< is held, and wanted up afterwards */
    unsigned facts;         /**< set of bits 1 << enum unit_fact, as last counted */
    struct list in_waiting; /**< link among the units of its service that wait for dependencies */
    struct list in_due;     /**< link among the units of its service with stop_due */

    enum unit_phase phase;
    uint64_t run;              /**< present or last run */
    pid_t main_pid;            /**< 0: none that we know of */
    int64_t exec_ms;           /**< when the present run's program was started */
    int64_t since_ms;          /**< when the state was entered */
    int64_t timer_ms;          /**< when its timer is due, -1: it has none */
    bool followed;             /**< its main process is a daemon that the first one has left behind or named */
    bool acted;                /**< something was executed for the present run */
    bool ended_known;          /**< last_wstatus is the present run's */
    bool shown_ready;          /**< it has shown that it is ready, though it may not count as that yet */
    bool wound_up;             /**< post_stop of the present run has begun */
    enum spec_hook_point hook; /**< whose commands run now; SPEC_HOOK_N: none */
    enum unit_health health;
    bool was_healthy;    /**< a check of the present run has succeeded */
    int64_t extended_ms; /**< it has asked for its start to last until then; 0: it has not */
    bool strays;         /**< processes of closed runs may live, and count as running */

    struct policy_end end;              /**< how the present run ended, while left-overs are cleared */
    size_t stop_step;                   /**< index of the last stop signal sent */
    int64_t stop_deadline_ms;           /**< end of the grace period */
    int64_t stop_grace_ms;              /**< asked for with this stop, or the next; -1: as configured */
    bool stop_left;                     /**< its main process went while pre_stop ran, and others did not */
    bool stop_killed;                   /**< SIGKILL has been sent, or is due as soon as there is a process */
    enum effect_scope stop_killed_whom; /**< to whom it has been sent; SCOPE_N: to nobody yet */
    enum unit_state stop_back;          /**< final state to go back to after clearing; UNIT_STATE_N: none */

    bool ever_execed;    /**< has run since it was wanted up */
    bool start_settled;  /**< has reached ready, done or failed since it was wanted up */
    uint64_t n_attempts; /**< restarts since the last reset */
    struct backoff backoff;
    struct backoff spawn_backoff; /**< for starts that failed for a reason that may pass */
    uint64_t n_starts;
    uint64_t n_restarts;
    int last_wstatus;
    bool has_last_wstatus;
    int final_code;     /**< exit status that its final state stands for */
    uint64_t final_seq; /**< order of entering a final state */
    bool no_memory;     /**< an event could not be carried out for want of memory */
};

/** Makes the zeroed U the record of a unit in state STATE (STOPPED or SKIPPED). */
void unit_init(struct unit *u, enum unit_state state) NONNULL();

/** U goes by SPEC (borrowed) from now on. */
void unit_set_spec(struct unit *u, const struct spec *spec) NONNULL();

/** Writes the state: nobody else does. */
void unit_set_state(struct unit *u, enum unit_state to) NONNULL();

/** Takes the outside event E of U's open run to the books: phase, main process, times, last status. */
void unit_note(struct unit *u, const struct event *e, int64_t now_ms) NONNULL();

/** Clears counters and delays. */
void unit_forget_failures(struct unit *u) NONNULL();

/** Clears what belongs to an earlier start: somebody has asked for a new one. */
void unit_begin_anew(struct unit *u) NONNULL();

/** A new run of U begins, number RUN. */
void unit_begin_run(struct unit *u, uint64_t run) NONNULL();

/** The present run of U is over and done with. */
void unit_end_run(struct unit *u) NONNULL();

/** Clears count and delay of restarts when U, which leaves a run that was ready until UNTIL_MS, has proved by that that
 *  it works. */
void unit_note_steady(struct unit *u, int64_t until_ms) NONNULL();

/** Whether U, whose program runs, has by its type nothing more to show to be ready. */
bool unit_is_ready_by_type(const struct unit *u) MUST_CHECK NONNULL();

/** Whether U waits for nothing but its schedule. */
bool unit_awaits_schedule(const struct unit *u) MUST_CHECK NONNULL();

/** The grace period of U's present stop, or of the next. */
int64_t unit_grace_ms(const struct unit *u) MUST_CHECK NONNULL();

/** Whether a process that is its main one is alive, as far as we know. */
bool unit_has_main(const struct unit *u) MUST_CHECK NONNULL();

/** Whether its left-over processes are ended before anything else happens. */
bool unit_clears_orphans(const struct unit *u) MUST_CHECK NONNULL();

/** Whether a stop of U waits for its left-over processes, and signals them. */
bool unit_stops_members(const struct unit *u) MUST_CHECK NONNULL();

/** Whether U is in a state in which something runs or is being started or stopped. */
bool unit_is_active(const struct unit *u) MUST_CHECK NONNULL();

/** Whether U runs or is being started, so that it could begin to stop. */
bool unit_can_stop(const struct unit *u) MUST_CHECK NONNULL();

/** Whether left-overs of U's closed runs live that a stop has to end. */
bool unit_has_strays(const struct unit *u) MUST_CHECK NONNULL();

/** The facts of U as it is now. */
unsigned unit_facts(const struct unit *u) MUST_CHECK NONNULL();

#endif

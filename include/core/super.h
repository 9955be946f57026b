/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The supervisor's mind: the set of units, what is wanted of each, and what has to be done next. Pure:
 * events and the time go in, effects come out in a queue; nothing is looked up, waited for or logged.
 *
 * How to use it, in this order, for ever: super_post() an event; take effects with super_next_effect()
 * and carry each out in order until there is none; post what came of them as new events. The time of an
 * event never goes back (CLOCK_MONOTONIC in milliseconds). Who has to wait for whom is settled when effects are asked
 * for, so that events posted without effects being taken in between count as one step.
 *
 * A unit is one instance of a service. Each start of a unit is a run with a number of its own; an event
 * that speaks of a run which is no longer the unit's present one is dropped, so a late report of an
 * earlier life can do no harm. Outside reports are gossip, our own tables are law.
 *
 * What the executor of effects promises: it carries them out in order. It answers every SPAWN with exactly
 * one SPAWN_FAILED, or with SPAWNED and then exactly one of EXEC_OK and EXEC_FAILED, and (after SPAWNED) exactly one
 * MAIN_EXITED, which comes after EXEC_OK or EXEC_FAILED, and one more for each SET_MAIN that follows on one; a SET_MAIN
 * while there is a main process makes a member of that. It answers every HOOKS with one HOOKS_DONE, unless END_HOOKS
 * comes first; processes of such commands are no members of the unit. It posts MEMBERS_GONE
 * whenever the last process of a unit has been reaped, a main process included, behind the event of that
 * process. Members that a unit with orphans `ignore` has left behind in closed runs do not count for that.
 */
#ifndef FOSTER_CORE_SUPER_H
#define FOSTER_CORE_SUPER_H

#ifdef EV_H_
#error "the core knows no event loop"
#endif

#include "base/compiler.h"
#include "base/log.h"
#include "core/attrib.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** The states of a unit (fosterctl and the log show these words). */
enum unit_state {
    UNIT_STOPPED,  /**< not wanted, nothing runs */
    UNIT_WAITING,  /**< wanted; a dependency is not there yet */
    UNIT_STARTING, /**< being spawned; exec not confirmed */
    UNIT_RUNNING,  /**< its program runs but is not ready yet */
    UNIT_READY,    /**< ready */
    UNIT_STOPPING, /**< being stopped, or its left-overs are being cleared */
    UNIT_BACKOFF,  /**< ended; will be started again when its delay is over */
    UNIT_DONE,     /**< ended for good, successfully */
    UNIT_FAILED,   /**< ended for good, not successfully, or could not be started */
    UNIT_SKIPPED,  /**< not selected by a profile */
    UNIT_STATE_N
};

/** What the health checks of a run have come to. */
enum unit_health {
    UNIT_HEALTH_NONE,      /**< nobody checks */
    UNIT_HEALTH_STARTING,  /**< nothing is known yet */
    UNIT_HEALTH_HEALTHY,   /**< the last check succeeded, or too few have failed since */
    UNIT_HEALTH_UNHEALTHY, /**< as many in a row have failed as `retries` says */
    UNIT_HEALTH_N
};

/** What happened. */
enum event_kind {
    EVENT_START,        /**< unit, no_deps: somebody wants it up (its required dependencies too) */
    EVENT_STOP,         /**< unit, no_deps, has_grace, grace_ms: somebody wants it down (its dependents first) */
    EVENT_RESTART,      /**< unit, no_deps, has_grace, grace_ms: stop if it runs, then start. Of several posted without
                             effects being taken in between, dependents stop first, and dependencies start first */
    EVENT_RESET,        /**< unit: forget counters and delays; FAILED becomes STOPPED */
    EVENT_SPAWNED,      /**< run, pid: the process exists */
    EVENT_SPAWN_FAILED, /**< run, errnum, text: no process came into being (fork, pipe …) */
    EVENT_EXEC_OK,      /**< run: its program runs */
    EVENT_EXEC_FAILED,  /**< run, errnum, text: set-up or exec failed in the child; the child is dead or dying */
    EVENT_MAIN_EXITED,  /**< run, pid, wstatus, oom_killed, left, n_left (members of this run), pid_file_pid */
    EVENT_MAIN_STOPPED, /**< run, pid, wstatus: stopped by a signal */
    EVENT_MAIN_CONTINUED, /**< run, pid */
    EVENT_MEMBER_EXITED,  /**< run, pid, wstatus: an adopted member was reaped; never the service's end */
    EVENT_MEMBERS_GONE,   /**< unit: nothing of it is left alive, in any of its runs (main included) */
    EVENT_READY,          /**< run: it has shown that it is ready (once more: nothing happens) */
    EVENT_UNREADY,        /**< run, text: it will never show that */
    EVENT_HOOKS_DONE, /**< run, hook, ok, text: the commands of EFFECT_HOOKS have ended; the first that failed was the
                           last, and TEXT says how it did */
    EVENT_HEALTH,     /**< run, health: what its checks say now */
    EVENT_WATCHDOG,   /**< run, text: it has failed to send WATCHDOG=1 in time, or says that it is stuck */
    EVENT_MAIN_PID,   /**< run, pid: this member wants to be the main process */
    EVENT_EXTEND,     /**< run, extend_ms: what it is at (start or stop) may last so long from now on, at least */
    EVENT_DUE,        /**< unit: by its schedule it is to run now */
    EVENT_TIMER,      /**< unit: the time of its ARM_TIMER has come; SUPER_NO_UNIT: that of the whole */
    EVENT_SHUTDOWN,   /**< everything is to end in order; exit_code; once begun, later ones change nothing */
    EVENT_KILL_NOW,   /**< everything is to be killed at once; implies SHUTDOWN */
    EVENT_N
};

/** "No unit": what concerns the daemon as a whole. */
enum { SUPER_NO_UNIT = (unsigned)-1 >> 1 };

/** One event. Only the members named beside its kind are read. */
struct event {
    enum event_kind kind;
    unsigned unit;
    uint64_t run;
    pid_t pid;
    int wstatus;     /**< as wait(2) gives it */
    bool oom_killed; /**< the kernel has killed it because the unit's memory limit was reached */
    int errnum;
    const char *text;                    /**< what failed, for people; borrowed for the call */
    const struct attrib_candidate *left; /**< live members that are our children; borrowed for the call */
    size_t n_left;
    size_t n_dying;     /**< members that have ended but are not reaped yet: they may leave heirs */
    pid_t pid_file_pid; /**< what the unit's pid file names, 0 for none */
    int exit_code;
    bool no_deps;     /**< only this unit: nobody else is started or stopped, or waited for */
    bool has_grace;   /**< grace_ms counts for this stop, in place of stop_grace_period */
    int64_t grace_ms; /**< 0: SIGKILL at once */
    enum spec_hook_point hook;
    bool ok;
    enum unit_health health;
    int64_t extend_ms; /**< 0 or more */
};

/** What has to be done. */
enum effect_kind {
    EFFECT_SPAWN,     /**< unit, run: start its program */
    EFFECT_SIGNAL,    /**< unit, signal, scope: send it, and SIGCONT behind it; nobody there is fine */
    EFFECT_KILL,      /**< unit, scope: SIGKILL until nothing is left (executor looks again by itself) */
    EFFECT_SET_MAIN,  /**< run, pid: this member is the main process from now on; if it has just been reaped
                           as a member, its MEMBER_EXITED will do */
    EFFECT_HOOKS,     /**< unit, run, hook, code_kind, code: run the commands of that point, one after another, and post
                           HOOKS_DONE; there is at least one. Code: how the main process has ended, of post_stop */
    EFFECT_END_HOOKS, /**< unit: kill what EFFECT_HOOKS has begun; nothing is posted for it any more */
    EFFECT_CLOSE_RUN, /**< run: super has left this run */
    EFFECT_ARM_TIMER, /**< unit, at_ms: post EVENT_TIMER then; replaces the unit's earlier timer; one that fires
                           too early is armed again */
    EFFECT_CANCEL_TIMER, /**< unit */
    EFFECT_REPORT,       /**< level, unit, event, pid, run, code, text: tell people; see struct log_about */
    EFFECT_STATE,        /**< unit, from, to: the state has changed */
    EFFECT_REPLACED, /**< the new configuration is in force, and nothing refers to the old one any more: it may be freed
                        as soon as the executor's own references are renewed from super_view(), for every slot */
    EFFECT_EXIT,     /**< exit_code: everything is over; the last effect ever */
    EFFECT_N
};

/** Whom a signal is for. */
enum effect_scope {
    SCOPE_MAIN, /**< the main process */
    SCOPE_REST, /**< every member but the main process, of all the unit's runs */
    SCOPE_ALL,  /**< both */
    SCOPE_N
};

enum { EFFECT_TEXT_MAX = 384 };

/** One effect. Only the members named beside its kind are set. */
struct effect {
    enum effect_kind kind;
    unsigned unit;
    uint64_t run;
    pid_t pid;
    int signal;
    enum effect_scope scope;
    int64_t at_ms;
    enum log_level level;
    const char *event; /**< static: "started", "ready", "exited", "followed", "backoff", "failed", "done", "stopping",
                              "stopped", "killed", "refused", "suspended", "resumed", "shutdown", "hook", "watchdog",
                              "scheduled", "bug" */
    char code_kind;    /**< as in struct log_about */
    int code;
    enum spec_hook_point hook;
    enum unit_state from;
    enum unit_state to;
    int exit_code;
    char text[EFFECT_TEXT_MAX];
};

struct super;

/** What the daemon knows and the core cannot. */
struct super_params {
    uint64_t seed; /**< for jitter */
};

/** A supervisor over SET (borrowed: must outlive it), nothing started. NULL with ENOMEM. */
struct super *super_new(const struct spec_set *set, const struct super_params *params) MUST_CHECK NONNULL();

/** Frees S; NULL is fine. */
void super_free(struct super *s);

/** Wants every enabled autostart unit up. Called once, before anything else is posted. */
void super_start(struct super *s, int64_t now_ms) NONNULL();

/** Takes the event E in, and appends what follows from it to the effects. Never fails: what cannot be
 *  done for want of memory puts that unit into FAILED with a report. */
void super_post(struct super *s, const struct event *e, int64_t now_ms) NONNULL();

/** Begins to put SET (borrowed: must outlive S, or the next replacement) in place of the present configuration. Units
 * whose service is gone, is not enabled any more, or has fewer instances, and units of services with a change that only
 * a restart brings into force (plan_service()) or that depend on such a one with `restart`, are stopped, dependents
 * first, and held down; the others are not touched. When all of those are down the new configuration counts:
 * EFFECT_REPLACED; units that were held down and wanted come up again, new ones start where autostart says so, and the
 * remaining units go by the new keys from then on. A unit that had failed or was done and whose service has such a
 * change starts again when it was wanted. Effects are to be taken afterwards, as behind super_post(). Once S is
 * shutting down, SET never comes into force and S refers to it no more. False, with nothing changed: ENOMEM, EBUSY (a
 * replacement is under way) or ESHUTDOWN in *RET_ERRNUM.
 */
bool super_replace(struct super *s, const struct spec_set *set, int64_t now_ms, int *ret_errnum) MUST_CHECK NONNULL();

/** Whether a replacement has begun and not come to EFFECT_REPLACED. */
bool super_is_replacing(const struct super *s) NONNULL();

/** Takes the oldest effect out of the queue into *RET. False when there is none. */
bool super_next_effect(struct super *s, struct effect *ret) NONNULL();

/** One unit as others may see it. */
struct unit_view {
    const char *name;        /**< "web", or "web.2" where the service has more than one instance */
    const struct spec *spec; /**< borrowed */
    unsigned instance;       /**< counted from 1 */
    enum unit_state state;
    bool want_up;
    uint64_t run;       /**< present or last run, 0: never started */
    pid_t main_pid;     /**< 0: none */
    int64_t since_ms;   /**< when the state was entered */
    int64_t started_ms; /**< when the present run's program was started, 0: none */
    uint64_t n_starts;
    uint64_t n_restarts; /**< restarts by policy since the start that somebody asked for */
    int last_wstatus;    /**< of the last main process that ended */
    bool has_last_wstatus;
    bool start_settled; /**< has reached ready, done or failed at least once since it was wanted */
    bool pending; /**< it is to stop, or to come up again, as soon as others let it: its state is not its last word */
    int64_t timer_ms;    /**< when its timer is due, -1: it has none; in BACKOFF, the next start */
    uint64_t id;         /**< of this unit alone, for the daemon's life: numbers of units are used again */
    uint64_t n_attempts; /**< restarts by policy since the last reset */
    unsigned order;      /**< place in the configuration, among all units */
    enum unit_health health;
    enum spec_hook_point hook; /**< whose commands run now; SPEC_HOOK_N: none */
};

/** How many slots for units there are: units have numbers below this. A unit keeps its number for life; replacing the
 * configuration may leave numbers without a unit, which later replacements use again. */
unsigned super_slots(const struct super *s) NONNULL();

/** How many units there are. */
unsigned super_count(const struct super *s) NONNULL();

/** The number of the unit at place ORDER of the configuration, from 0 up to super_count(). */
unsigned super_at(const struct super *s, unsigned order) NONNULL();

/** Where the units of the service called NAME have their places: *RET_N of them (0, too) from *RET_ORDER on. False:
 *  there is no such service. */
bool super_instances(const struct super *s, const char *name, unsigned *ret_order, unsigned *ret_n) MUST_CHECK
    NONNULL();

/** The K-th service, from 0 on, that depends on the service called NAME, in the order of the configuration; NULL: there
 *  is none. */
const struct spec *super_dependent(const struct super *s, const char *name, unsigned k) NONNULL();

/** Unit number I as it is now; false: there is none. */
bool super_view(const struct super *s, unsigned i, struct unit_view *ret) NONNULL();

/** The configuration in force. */
const struct spec_set *super_set(const struct super *s) NONNULL();

/** The number of the unit called NAME ("web.2"), or SUPER_NO_UNIT. */
unsigned super_find(const struct super *s, const char *name) NONNULL();

/** True once every unit that is wanted has settled: ready, done or failed (READY=1 to systemd). */
bool super_is_settled(const struct super *s) NONNULL();

/** True from EVENT_SHUTDOWN (or a service that ends everything) on. */
bool super_is_shutting_down(const struct super *s) NONNULL();

/** Word for a state; static. */
const char *unit_state_name(enum unit_state v);

/** Word for what checks have come to, "-" for UNIT_HEALTH_NONE; static. */
const char *unit_health_name(enum unit_health v);

#endif

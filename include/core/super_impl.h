/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the files behind super.h share: the set of units and of services, and the functions by which
 * super.c (entrance), layout.c (what a configuration comes to), replace.c (one configuration after another),
 * order.c (propagation), due.c (schedules), life.c (actions), hook.c (commands around a run), signs.c (what a run shows
 * of itself), stop.c (the stop) and report.c (words) call each other. Nobody else
 * includes it.
 *
 * Two phases: events mark units and services, and the marks wait in a queue; as soon as effects are asked for, the
 * queue is drained until it is empty. So several events count as one step, and nothing recurses through the graph.
 */
#ifndef FOSTER_CORE_SUPER_IMPL_H
#define FOSTER_CORE_SUPER_IMPL_H

#include "base/compiler.h"
#include "base/list.h"
#include "base/mem.h"
#include "core/effects.h"
#include "core/fsm.h"
#include "core/report.h"
#include "core/super.h"
#include "core/unit.h"

/** A dependency between two services, seen from either end. */
struct super_edge {
    unsigned service;           /**< the other end; SUPER_NO_UNIT: there is no such service */
    const struct spec_dep *dep; /**< borrowed */
};

/** What the units of one service have in common. */
struct super_service {
    const struct spec *spec; /**< borrowed */
    unsigned first;          /**< its units have the places first … first + n - 1 */
    unsigned n;
    struct super_edge *deps; /**< in the layout's arena */
    unsigned n_deps;
    struct super_edge *dependents; /**< in the layout's arena */
    unsigned n_dependents;
    unsigned count[UNIT_FACT_N]; /**< how many of its units have that fact */
    struct list waiting;         /**< of struct unit.in_waiting */
    struct list due;             /**< of struct unit.in_due */
    bool queued;                 /**< is in the queue */
    uint64_t visit;              /**< number of the last walk that came by */
};

/** One place of a configuration: a unit, and its name there. */
struct super_place {
    struct unit *unit; /**< owned by super as soon as the layout is in force; before that, by the layout when new */
    const char *name;  /**< in the layout's arena, or the spec's */
};

/** What one configuration comes to: its services, with their edges, and a place for each unit. */
struct super_layout {
    const struct spec_set *set; /**< borrowed */
    struct arena arena;         /**< owns services, places, edges, names */
    struct super_service *services;
    unsigned n_services;
    struct super_place *places; /**< in the order of the configuration */
    unsigned n_places;
    unsigned *by_name; /**< numbers of the services, sorted by name */

    unsigned *queue; /**< services to look at: a ring of n_services */
    unsigned queue_head;
    unsigned queue_n;
    unsigned *stack; /**< room for one walk: n_services */
};

struct super {
    struct super_layout *now;  /**< owned; in force */
    struct super_layout *next; /**< owned; to be in force once all that are held are down, NULL: none */
    struct unit **units;       /**< owned, and so are the units; by number; NULL: no unit has that number */
    unsigned n_slots;
    size_t slots_cap; /**< what is beyond n_slots is NULL */
    struct effects effects;
    int64_t now_ms; /**< time of the event being worked on */
    uint64_t seed;
    uint64_t next_id;
    uint64_t next_run;
    uint64_t next_final;
    const struct fsm_rule *rule; /**< the cell being carried out, NULL: none */
    uint64_t visit;              /**< number of the last walk */

    unsigned count[UNIT_FACT_N]; /**< how many units have that fact */
    unsigned n_no_memory;        /**< units that wait to be failed for want of memory */
    bool started;
    bool end_due; /**< a unit has ended for good that takes everything with it */
    int end_code;
    unsigned end_unit;
    bool shutting_down;
    bool killing;    /**< everything has been killed: no order any more */
    int64_t stop_ms; /**< when the timer of the whole is due, -1: it is not armed */
    bool over;       /**< there is nothing left to decide */
    bool exit_given; /**< EXIT has been taken */
    int exit_code;
};

/** Unit number K of the service V of the layout L. */
static inline struct unit *layout_unit(const struct super_layout *l, const struct super_service *v, unsigned k)
{
    return l->places[v->first + k].unit;
}

/* layout.c: what a configuration comes to */

/** Lays SET (borrowed: must outlive the layout) out, with places still empty. NULL with ENOMEM. */
struct super_layout *layout_new(const struct spec_set *set) MUST_CHECK NONNULL();

/** Frees L, but no unit; NULL is fine. */
void layout_free(struct super_layout *l);

/** The number of the service called NAME of LEN bytes, or SUPER_NO_UNIT. */
unsigned layout_find(const struct super_layout *l, const char *name, size_t len) NONNULL();

/* replace.c: one configuration after another */

/** Lays SET out as the next configuration, with all the memory that it will take. False with ENOMEM: nothing has
 *  changed. */
bool replace_prepare(struct super *s, const struct spec_set *set) MUST_CHECK NONNULL();

/** Puts the next configuration in force. Units stay held: those that are new, and those that were. */
void replace_install(struct super *s) NONNULL();

/** Holds nobody any more; raises those that are wanted. */
void replace_release(struct super *s) NONNULL();

/** Whether all are down that have to be before the next configuration counts. */
bool replace_is_due(const struct super *s) MUST_CHECK NONNULL();

/** Forgets the next configuration, if there is one: nobody is held any more, and nobody is raised. */
void replace_cancel(struct super *s) NONNULL();

/* order.c: what one unit means for the others */

/** Somebody wants U up, or restarted, as E says. */
void order_want_up(struct super *s, struct unit *u, const struct event *e) NONNULL();

/** U, which nobody holds, is wanted up by itself, with all that it requires unless it goes without. Walks that are
 *  part of one S->visit raise no service twice. */
void order_raise(struct super *s, struct unit *u) NONNULL();

/** Raises what U requires and what nobody has stopped and nothing has failed: it may be new to U. */
void order_raise_missing(struct super *s, struct unit *u) NONNULL();

/** Somebody wants U down, as E says. */
void order_want_down(struct super *s, struct unit *u, const struct event *e) NONNULL();

/** Nobody wants U any more: down with it, at once where nothing runs, else when its turn comes. E is what asks for it,
 *  NULL: no event of U's own. */
void order_lower(struct super *s, struct unit *u, const struct event *e) NONNULL(1, 2);

/** Somebody wants U's failures forgotten. */
void order_reset(struct super *s, struct unit *u) NONNULL();

/** Everything is to end in order, and the daemon with exit status CODE. The first call decides. */
void order_shutdown(struct super *s, int code) NONNULL();

/** Everything is to be killed. */
void order_kill_all(struct super *s) NONNULL();

/** Counts the facts of U anew and marks the services for which that makes a difference. */
void order_note(struct super *s, struct unit *u) NONNULL();

/** Marks U as due to stop, or not. */
void order_set_due(struct super *s, struct unit *u, bool due) NONNULL();

/** Marks service number I: it is to be looked at. */
void order_mark(struct super *s, unsigned i) NONNULL();

/** Works the queue off, and finds out whether everything is over. */
void order_drain(struct super *s) NONNULL();

/* due.c: schedules */

/** By its schedule, U is to run now. */
void due_take(struct super *s, struct unit *u) NONNULL();

/** Somebody wants U to run now, whatever its schedule. */
void due_set(struct super *s, struct unit *u) NONNULL();

/** Starts the units of V again that were due while they ran and have ended since. */
void due_look(struct super *s, struct super_service *v) NONNULL();

/* hook.c: the commands of the configuration around a run */

/** Whether there are commands at POINT to run for U now. */
bool hook_has(const struct super *s, const struct unit *u, enum spec_hook_point point) MUST_CHECK NONNULL();

/** Begins the commands of POINT for U's present run. False: there are none. */
bool hook_begin(struct super *s, struct unit *u, enum spec_hook_point point) MUST_CHECK NONNULL();

/** Ends the commands that run for U, if there are any; nothing is heard of them any more. */
void hook_end(struct super *s, struct unit *u) NONNULL();

/** Takes U, of whose run nothing is left, to STOPPING with the commands of post_stop, unless they were run or there are
 *  none: false then. */
bool hook_wind_up(struct super *s, struct unit *u) MUST_CHECK NONNULL();

void hook_action_end_preparation(struct super *s, struct unit *u, const struct event *e);
void hook_action_end_post_start(struct super *s, struct unit *u, const struct event *e);

/* signs.c: what a run shows of itself */

/** U has shown that it is ready: so it is, when post_start has been run. */
void signs_become_ready(struct super *s, struct unit *u) NONNULL();

void signs_action_early_ready(struct super *s, struct unit *u, const struct event *e);
void signs_action_ready(struct super *s, struct unit *u, const struct event *e);
void signs_action_never_ready(struct super *s, struct unit *u, const struct event *e);
void signs_action_health(struct super *s, struct unit *u, const struct event *e);
void signs_action_bite(struct super *s, struct unit *u, const struct event *e);
void signs_action_main(struct super *s, struct unit *u, const struct event *e);
void signs_action_extend(struct super *s, struct unit *u, const struct event *e);

/* life.c: the actions of the table */

/** Asks for the program of U's present run. */
void life_spawn(struct super *s, struct unit *u) NONNULL();

/** Everything is to end because of U, and the daemon with exit status CODE, unless that is under way. */
void life_end_all(struct super *s, const struct unit *u, int code) NONNULL();

/** Makes room for the effects of one step of U. False: there is no memory for them, and U will be failed for that. */
bool life_reserve(struct super *s, struct unit *u) MUST_CHECK NONNULL();

/** Carries out the cell of EV in U's state. E may be NULL for events that do not come from outside. */
void life_dispatch(struct super *s, struct unit *u, enum fsm_event ev, const struct event *e) NONNULL(1, 2);

/** Takes U to the state TO. False when the table does not allow that: then U is in FAILED. */
bool life_enter(struct super *s, struct unit *u, enum unit_state to) NONNULL();

/** Everything of U's run is gone, or need not go: what now? */
void life_finish(struct super *s, struct unit *u) NONNULL();

/** As life_finish(), when the obituary E of the main process is still to be told and may tell the decision too. */
void life_decide(struct super *s, struct unit *u, const struct event *e) NONNULL(1, 2);

/** Puts U into FAILED, whatever it was at, and kills what it has. WHY is for people. */
void life_quarantine(struct super *s, struct unit *u, const char *event, const char *why) NONNULL();

/** Arms U's timer. */
void life_arm(struct super *s, struct unit *u, int64_t at_ms) NONNULL();

/** Cancels U's timer, if it is armed. */
void life_disarm(struct super *s, struct unit *u) NONNULL();

/* stop.c: the stop of one unit; the actions of the table that belong to it */

/** Takes U to STOPPING because of CAUSE and sends the first signal, now or as soon as there is a process. */
void stop_begin(struct super *s, struct unit *u, enum policy_cause cause) NONNULL();

/** Takes U to STOPPING, with nobody signalled yet. False when the table does not allow that. */
bool stop_enter(struct super *s, struct unit *u) NONNULL();

/** Whom SIGKILL for U may go to, into *RET. False: nobody. */
bool stop_kill_scope(const struct unit *u, enum effect_scope *ret) MUST_CHECK NONNULL();

/** Ends the left-overs of U, whose main process has ended or never was: in STOPPING, where it may be already. */
void stop_clear(struct super *s, struct unit *u) NONNULL();

/** U, which goes by other keys from now on, is to end as those have it: SIGKILL goes to whom it has spared so far. */
void stop_adjust(struct super *s, struct unit *u) NONNULL();

/** U's stop, which is under way, gets the grace period of E from now on, if E has one. E may be NULL. */
void stop_set_grace(struct super *s, struct unit *u, const struct event *e) NONNULL(1, 2);

void stop_action_begin(struct super *s, struct unit *u, const struct event *e);
void stop_action_restart(struct super *s, struct unit *u, const struct event *e);
void stop_action_strays(struct super *s, struct unit *u, const struct event *e);
void stop_action_newborn(struct super *s, struct unit *u, const struct event *e);
void stop_action_main_gone(struct super *s, struct unit *u, const struct event *e);
void stop_action_members_gone(struct super *s, struct unit *u, const struct event *e);
void stop_action_start_timed_out(struct super *s, struct unit *u, const struct event *e);
void stop_action_hooks_done(struct super *s, struct unit *u, const struct event *e);
void stop_action_extend(struct super *s, struct unit *u, const struct event *e);
void stop_action_timer(struct super *s, struct unit *u, const struct event *e);
void stop_action_kill(struct super *s, struct unit *u, const struct event *e);

/* report.c: the words */

/** Reports EVENT about U (NULL: about the whole) in words. */
void report(struct super *s, const struct unit *u, enum log_level level, const char *event, const char *fmt, ...)
    PRINTF_LIKE(5, 6) NONNULL(1, 4, 5);

enum { REPORT_END_MAX = REPORT_STATUS_MAX + REPORT_SIZE_MAX + 32 };

/** How END, an end of U's main process, was: as report_status() says it, and that memory was out, into BUF of
 *  REPORT_END_MAX; returns it. */
char *report_end(const struct unit *u, const struct policy_end *end, char *buf) NONNULL();

/** Reports the end of U's main process as E has it; what follows from it is TAIL. */
void report_exit(struct super *s, const struct unit *u, const struct event *e, const char *tail) NONNULL();

/** Reports that U has failed for good, and why; GAVE_UP: it has been restarted often enough. */
void report_failed(struct super *s, const struct unit *u, bool gave_up) NONNULL();

#endif

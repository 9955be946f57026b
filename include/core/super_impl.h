/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the files behind super.h share: the set of units and of services, and the functions by which
 * super.c (entrance), order.c (propagation), life.c (actions), stop.c (the stop) and report.c (words)
 * call each other. Nobody else includes it.
 *
 * Two phases: an event marks units and services, the marks wait in a queue, and the queue is drained
 * until it is empty. Nothing recurses through the graph.
 */
#ifndef FOSTER_CORE_SUPER_IMPL_H
#define FOSTER_CORE_SUPER_IMPL_H

#include "base/compiler.h"
#include "base/list.h"
#include "base/mem.h"
#include "core/effects.h"
#include "core/fsm.h"
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
    unsigned first;          /**< its units are first … first + n - 1 */
    unsigned n;
    struct super_edge *deps; /**< in super's arena */
    unsigned n_deps;
    struct super_edge *dependents; /**< in super's arena */
    unsigned n_dependents;
    unsigned count[UNIT_FACT_N]; /**< how many of its units have that fact */
    struct list waiting;         /**< of struct unit.in_waiting */
    struct list due;             /**< of struct unit.in_due */
    bool queued;                 /**< is in the queue */
    uint64_t visit;              /**< number of the last walk that came by */
};

struct super {
    const struct spec_set *set; /**< borrowed */
    struct arena arena;         /**< owns units, services, edges, names */
    struct unit *units;
    unsigned n_units;
    struct super_service *services;
    unsigned n_services;
    unsigned *by_name; /**< numbers of the services, sorted by name */
    struct effects effects;
    int64_t now_ms; /**< time of the event being worked on */
    uint64_t seed;
    uint64_t next_run;
    uint64_t next_final;
    const struct fsm_rule *rule; /**< the cell being carried out, NULL: none */

    unsigned *queue; /**< services to look at: a ring of n_services */
    unsigned queue_head;
    unsigned queue_n;
    unsigned *stack; /**< room for one walk: n_services */
    uint64_t visit;

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

/* order.c: what one unit means for the others */

/** Somebody wants U up (EV is WANT_UP or RESTART), with all that it requires. */
void order_want_up(struct super *s, struct unit *u, enum fsm_event ev) NONNULL();

/** Every enabled service that starts by itself is wanted up, with all that it requires. */
void order_start_all(struct super *s) NONNULL();

/** Somebody wants U down, after all that require it. */
void order_want_down(struct super *s, struct unit *u) NONNULL();

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

/* life.c: the actions of the table */

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

/* stop.c: the stop of one unit; the actions of the table that belong to it */

/** Takes U to STOPPING because of CAUSE and sends the first signal, now or as soon as there is a process. */
void stop_begin(struct super *s, struct unit *u, enum policy_cause cause) NONNULL();

/** Whom SIGKILL for U may go to, into *RET. False: nobody. */
bool stop_kill_scope(const struct unit *u, enum effect_scope *ret) MUST_CHECK NONNULL();

/** Takes U, whose main process has ended, to STOPPING to clear its left-overs. */
void stop_clear(struct super *s, struct unit *u) NONNULL();

void stop_action_begin(struct super *s, struct unit *u, const struct event *e);
void stop_action_restart(struct super *s, struct unit *u, const struct event *e);
void stop_action_strays(struct super *s, struct unit *u, const struct event *e);
void stop_action_newborn(struct super *s, struct unit *u, const struct event *e);
void stop_action_main_gone(struct super *s, struct unit *u, const struct event *e);
void stop_action_members_gone(struct super *s, struct unit *u, const struct event *e);
void stop_action_start_timed_out(struct super *s, struct unit *u, const struct event *e);
void stop_action_timer(struct super *s, struct unit *u, const struct event *e);
void stop_action_kill(struct super *s, struct unit *u, const struct event *e);

/* report.c: the words */

/** Reports EVENT about U (NULL: about the whole) in words. */
void report(struct super *s, const struct unit *u, enum log_level level, const char *event, const char *fmt, ...)
    PRINTF_LIKE(5, 6) NONNULL(1, 4, 5);

/** Reports the end of U's main process as E has it; what follows from it is TAIL. */
void report_exit(struct super *s, const struct unit *u, const struct event *e, const char *tail) NONNULL();

enum { REPORT_STATUS_MAX = 64, REPORT_DURATION_MAX = 32 };

/** "exited with code 3", "killed by SIGSEGV (core dumped)", into BUF of REPORT_STATUS_MAX bytes; returns it. */
char *report_status(int wstatus, char *buf) NONNULL();

/** A time span for people: "500 ms", "12.3 s", "2 min 3 s", into BUF of REPORT_DURATION_MAX; returns it. */
char *report_duration(int64_t ms, char *buf) NONNULL();

#endif

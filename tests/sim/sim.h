/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The simulator of the supervising core: a fake kernel (processes as structures), a fake executor (what the
 * daemon does with effects), a fake clock, random configurations and random events, all from one seed. The
 * real super and the real attrib run in it. kernel.c knows the truth about every process; check.c compares
 * what super and attrib believe and do with that truth.
 */
#ifndef FOSTER_SIM_H
#define FOSTER_SIM_H

#include "base/compiler.h"
#include "core/attrib.h"
#include "core/super.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SIM_PIDS = 160,     /* the pid space: small, so that pids come back soon */
    SIM_FIRST_PID = 10, /* we are 1 */
    SIM_PROCS_MAX = 90,
    SIM_SERVICES_MAX = 7,
    SIM_UNITS_MAX = 48, /* two configurations' worth */
    SIM_EFFECTS_MAX = 4096,
    SIM_TEXT_MAX = 512
};

/* The program of a service, as far as it is not left to chance. */
enum sim_kind { SIM_SERVER, SIM_JOB, SIM_DAEMON };

/* A process, living or dead but not waited for. */
struct sim_proc {
    bool used;
    bool zombie;
    pid_t ppid;
    unsigned unit; /* the truth: whose it is */
    bool homeless; /* that unit is gone: nobody may touch it any more */
    bool spared;   /* was left alone by keys that are not in force any more */
    enum sim_kind kind;
    uint64_t run;
    bool born_main; /* we forked it */
    bool was_main;  /* it was followed until another was named */
    uint64_t serial;
    pid_t session;
    uint64_t tag; /* its RLIMIT_LOCKS */
    int wstatus;
    bool execed;
    int exec_errno; /* not 0: its exec has failed */
    bool ignores_term;
    bool dying; /* will end with wstatus when it is its turn */
};

/* What the checkers know of a unit, gathered from effects and from the truth, never from super's own records. */
struct sim_unit {
    bool used; /* there is a unit of that number */
    uint64_t id;
    const struct spec *spec;
    unsigned service;
    unsigned instance;
    uint64_t born_run; /* runs up to this one were of others that had the number */
    uint64_t last_run; /* present or last run */
    enum unit_state state;
    bool op_down;             /* the operator has stopped it and nobody has asked for it since */
    bool no_deps;             /* the operator may have started it without its dependencies */
    bool may_stop;            /* something was asked for that may stop it */
    bool cycle;               /* the operator has asked for a restart; its run has not begun to stop */
    bool held, goes;          /* is to be down before the next configuration counts; has no place in that */
    bool mixed;               /* its delay has grown by the keys of several configurations */
    int64_t op_grace_ms;      /* that the operator has asked for, -1: none */
    int64_t kill_ms;          /* SIGKILL before that is too early, once there was a signal */
    int64_t timer_ms;         /* armed for, as super sees it, -1: not */
    int64_t wake_ms;          /* armed for, as the executor has carried it out, -1: not */
    int64_t backoff_ms;       /* when its back-off may end */
    int64_t signal_ms;        /* when the first signal of this stop was asked for, -1: none yet */
    uint64_t run;             /* open run, 0: none */
    pid_t main_pid;           /* as the executor has it */
    uint64_t main_serial;     /* of the true main process of this run, 0: none lives */
    pid_t last_main;          /* pid of the true main process, or of the last one */
    bool main_died_as_member; /* it was reaped before the executor knew that it was followed */
    bool back;                /* the stop is for left-overs of a final state, which it goes back to */
    bool status_pending;      /* exec status not read yet */
    bool touched;             /* something of it was reaped in this slice */
    bool killing;             /* KILL is in force */
    enum effect_scope kill_scope;
    int64_t exec_ms;  /* when exec was confirmed */
    int64_t ready_ms; /* when READY was entered */
    int end_errno;    /* of the last failed start, 0: the last run ended otherwise */
    bool end_forked;  /* there was a process then */
    int end_wstatus;
    bool has_wstatus;
    int last_wstatus;    /* of the last true main process that had exec'd */
    bool ended_unready;  /* not ready in time, or no daemon left */
    bool main_told;      /* super has been told of a main process and not yet of its end */
    bool exec_confirmed; /* EXEC_OK was posted for this run */
    unsigned n_backoffs; /* since the last reset, counted ones */
    unsigned n_retries;  /* since the last exec, not counted ones */
    bool fuzzy;          /* a start was asked for that may or may not have cleared the counts */
    unsigned n_final;    /* order of its last final state */
    int final_code;
    unsigned hook;      /* whose commands run, as super sees it: point + 1, 0: none */
    unsigned doing;     /* the same as the executor has it */
    uint64_t doing_run; /* the run for which it does that */
    bool acted;         /* something was executed for the open run */
    bool prepared;      /* pre_start has gone well in it */
    bool wound_up;      /* post_stop has begun in it */
    bool shown;         /* it has shown that it is ready */
    bool lost;          /* it failed because of a dependency */
    bool followed;      /* its main process is not the one that we forked */
    bool ended_early;   /* by itself, before it had shown that */
    bool was_healthy;   /* in this run */
    bool bitten;        /* it is being stopped because of its watchdog */
    bool killed;        /* it was sent SIGKILL in this stop */
    bool owes_pre_stop; /* this stop has to begin with those commands */
    bool ticket;        /* by its schedule, or because somebody has asked, it may run once */
    bool queued;        /* so it may behind the present run */
    bool turn;          /* it is to run now */
    enum unit_health health;
    int64_t extended_ms; /* it has asked for its start to last until then */
};

/* A configuration. Everything in it is memory of its own, freed with it. */
struct sim_config {
    struct spec_set set;
    struct spec specs[SIM_SERVICES_MAX];
    enum sim_kind kinds[SIM_SERVICES_MAX];
    unsigned names[SIM_SERVICES_MAX]; /* which of the names each has */
};

struct sim {
    uint64_t seed;
    uint64_t rng;
    bool trace;
    bool failed;
    char why[SIM_TEXT_MAX];

    int64_t now_ms;
    bool calm;                       /* faults have stopped: programs do what they are for */
    struct sim_config *config;       /* in force */
    struct sim_config *next;         /* on its way, NULL: none */
    unsigned rank[SIM_SERVICES_MAX]; /* by name: dependencies lead to lower ranks */
    unsigned n_programs;

    struct super *super;
    struct attrib attrib;
    struct sim_proc procs[SIM_PIDS];
    unsigned n_procs;
    uint64_t next_serial;
    pid_t last_pid;
    struct sim_unit units[SIM_UNITS_MAX];
    unsigned n_units;

    struct effect queue[SIM_EFFECTS_MAX]; /* taken from super, not carried out yet */
    unsigned queue_head;
    unsigned queue_n;
    bool carrying;
    int64_t super_wake_ms;
    int64_t super_timer_ms; /* as super sees it, -1: not armed */
    bool started;
    bool shutting; /* seen to be shutting down */
    bool killing;
    bool over;
    int exit_code;
    int want_code; /* exit code that the checkers expect of a shutdown */
    int64_t shutdown_ms;
    unsigned n_final;
    uint64_t last_run;
    uint64_t n_main_deaths; /* of confirmed main processes, posted */
    uint64_t n_obituaries;
    uint64_t n_spawns;
    uint64_t n_replaced;
    uint64_t progress;           /* goes up whenever something happens */
    bool hold_budget;            /* the shutdown began in calm: its time limit holds */
    const struct event *posting; /* the event that is in super's hands */
};

/* A random number below N. */
unsigned sim_random(struct sim *m, unsigned n);

/* True in PERCENT of all cases. */
bool sim_chance(struct sim *m, unsigned percent);

/* The checkers' verdict: the first one counts. */
void sim_fail(struct sim *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* One line of the trace. */
void sim_trace(struct sim *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* plan.c: a random configuration, and a random change of the one in force. NULL: no memory. */
struct sim_config *sim_plan(struct sim *m);
struct sim_config *sim_plan_change(struct sim *m);
void sim_plan_done(struct sim_config *c);

/* kernel.c: the processes. */
struct sim_proc *sim_proc(struct sim *m, pid_t pid);
bool sim_is_main(const struct sim *m, pid_t pid);
pid_t kernel_fork(struct sim *m, pid_t parent);
void kernel_exit(struct sim *m, pid_t pid, int wstatus);
void kernel_signal(struct sim *m, pid_t pid, int sig);
void kernel_reap(struct sim *m, pid_t pid);
void kernel_exec(struct sim *m, pid_t pid);
void kernel_act(struct sim *m, pid_t pid);

/* executor.c: what the daemon does. */
void executor_post(struct sim *m, const struct event *e);
void executor_say(struct sim *m, const struct event *e);
void executor_replace(struct sim *m);
void executor_carry(struct sim *m, unsigned budget);
void executor_reap(struct sim *m, unsigned max);
void executor_read_status(struct sim *m, unsigned unit);
void executor_fire(struct sim *m);
void executor_end_hooks(struct sim *m, unsigned unit, bool ok);
void executor_show(struct sim *m, unsigned unit);
void executor_show_well(struct sim *m, unsigned unit);

/* check.c, check_event.c, check_hook.c, check_replace.c and check_world.c: is that right? */
void check_start(struct sim *m);
void check_event(struct sim *m, const struct event *e);
void check_effect(struct sim *m, const struct effect *f);
void check_replace(struct sim *m, bool begun, int errnum);
void check_replace_begun(struct sim *m, struct sim_config *next);
void check_replaced(struct sim *m);
void check_replace_over(struct sim *m);
void check_signal(struct sim *m, unsigned unit, pid_t pid);
void check_reap(struct sim *m, pid_t pid, const struct attrib_run *believed, bool as_main);
void check_step(struct sim *m);
void check_quiet(struct sim *m);
void check_end(struct sim *m);

/* check_hook.c: commands around a run, what a run shows of itself, and schedules. */
void check_open_run(struct sim *m, const struct effect *f);
void check_hooks(struct sim *m, const struct effect *f);
void check_hooks_over(struct sim *m, const struct effect *f);
void check_run_over(struct sim *m, unsigned unit);
void check_own_stop(struct sim *m, unsigned unit, enum unit_state from);
void check_note_steady(struct sim_unit *u, int64_t until_ms);
void check_shown(struct sim *m, unsigned unit);
void check_sign(struct sim *m, const struct event *e);

/* What the checkers share. */
struct sim_unit *check_unit(struct sim *m, unsigned unit); /* NULL: there is none of that number */
const char *check_name(const struct sim *m, unsigned unit);
unsigned check_find(const struct sim *m, const char *service); /* the number of services: there is none */
bool check_requires(const struct sim *m, unsigned i, unsigned k);
bool check_is_up(enum unit_state v);
bool check_follows_on(const struct event *e, unsigned unit);
void check_start_allowed(struct sim *m, const struct effect *f);
bool check_may_wait(const struct sim *m, unsigned i);
bool check_is_lost(const struct sim *m, const struct spec *s);
bool check_deps_hold(const struct sim *m, unsigned i);
void check_note_shutdown(struct sim *m, int code);

/* Runs one seed. False: a checker has found fault; the reason is in M->why. */
bool sim_run(struct sim *m, uint64_t seed, bool trace);

#endif

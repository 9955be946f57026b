/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The engine: owns the loop, the supervisor's mind and the tables of processes; turns what happens into
 * events and effects into deeds. slots.c, launch.c, census.c, deaths.c, leave.c, status.c, reload.c and the control
 * plane are parts of it and share struct engine.
 */
#ifndef FOSTER_DAEMON_ENGINE_H
#define FOSTER_DAEMON_ENGINE_H

#include "base/compiler.h"
#include "base/err.h"
#include "core/attrib.h"
#include "core/spec.h"
#include "core/super.h"
#include "daemon/hold.h"
#include "daemon/logger.h"
#include "daemon/output.h"
#include "daemon/reaper.h"
#include "daemon/signals.h"
#include "daemon/sockets.h"
#include "daemon/state.h"
#include "daemon/timeline.h"
#include "sys/procfs.h"
#include "sys/sdnotify.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

struct cgroups;
struct cgroups_unit;
struct deaths_late;
struct health_watch;
struct hooks;
struct ready;
struct svcreload;

/** What the engine keeps beside super for one unit. */
struct engine_unit {
    struct engine *engine; /**< borrowed: the owner */
    unsigned index;
    uint64_t id;             /**< as super has it */
    const struct spec *spec; /**< borrowed */
    char name[SPEC_NAME_MAX + 8];
    unsigned instance;
    char *reason;             /**< owned: what was reported last of it that says why it is as it is; NULL: nothing */
    struct timeline timeline; /**< how far it came when, in its present start */

    struct attrib_run *run; /**< the present run, owned by attrib; NULL: none */
    pid_t main_pid;         /**< its main process while that has not been reaped, else 0 */
    pid_t group;            /**< the process group that its last run began with, 0: none */

    int status_fd; /**< owned; where the present child says whether its exec went well; -1: settled */
    struct ev_io status_io;
    struct ev_timer timer;
    int64_t timer_at_ms;

    bool killing;                    /**< SIGKILL whatever is still found in it */
    enum effect_scope kill_scope;    /**< whom, while killing */
    uint64_t start_run;              /**< the run that waits to be started, while start_link is in a list */
    struct list start_link;          /**< in struct engine.starting */
    struct cgroups_unit *cgroup;     /**< owned; what there is of its control groups; NULL: nothing */
    bool touched;                    /**< one of its processes was reaped in the present slice */
    struct zombie_note *zombies;     /**< owned; what is known of its zombies; NULL: nothing */
    struct schedule_watch *schedule; /**< owned; when it is due; NULL: it has no schedule */
    struct ready *ready;             /**< owned; how it is to show that it is ready; NULL: nothing is watched */
    struct health_watch *health;     /**< owned; what is known of its health checks; NULL: nothing */
    struct hooks *hooks;             /**< owned; the commands around its run that run now; NULL: none */
    struct svcreload *svcreload;     /**< owned; what is known of how it reloads; NULL: nothing */
    unsigned n_helpers;              /**< helpers of it of which something is left */
    struct notify *notify;           /**< owned; what it says of itself; NULL: nothing */
    struct deaths_late *late;        /**< owned; the end of its main process, while that is held back; NULL: none */
    hold_fn *held;              /**< tells what is held back until its output has been looked at; NULL: nothing is */
    struct ev_timer hold_timer; /**< while something is held back */
    /** Owned; its streams; the second only with `stderr` in `logging`. NULL: not open. */
    struct output_stream *out[SPEC_STREAM_N];
};

struct spawn_request;
struct engine;
struct zombies;
struct zombie_note;
struct notify;
struct schedule_watch;
struct schedules;
struct cli;
struct control;

/** What another mode than that of services does differently. Each function may be NULL: then the engine does what it
 * does for services. DATA is the owner's. */
struct engine_hooks {
    void *data;
    /** Deals with the signal SIG, in place of the meaning that it has for a daemon. */
    void (*on_signal)(struct engine *g, int sig, void *data);
    /** Changes the request for the next process of U; new memory from A. False with ENOMEM. */
    bool (*on_request)(struct engine_unit *u, struct arena *a, struct spawn_request *req, void *data);
    /** U's process exists. */
    void (*on_spawned)(struct engine_unit *u, void *data);
    /** U could not be started: TEXT says why. FORKED: its child could not become the program, and will be reaped; else
     * there is none. Called before the event is posted. */
    void (*on_start_failed)(struct engine_unit *u, bool forked, int errnum, const char *text, void *data);
    /** The main process of U has been stopped by SIG. */
    void (*on_stopped)(struct engine_unit *u, int sig, void *data);
    /** A process that is nobody's main one has been reaped. */
    void (*on_orphan)(pid_t pid, int wstatus, void *data);
    /** Everything is over: the exit code instead of CODE. */
    int (*on_exit)(struct engine *g, int code, void *data);
};

enum { ENGINE_PRESSURE_MAX = 512 };

/** A full house; see pressure.h. */
struct engine_pressure {
    bool is_felt;                   /**< a start has failed, and none has gone well since */
    bool is_told;                   /**< and people know */
    char what[ENGINE_PRESSURE_MAX]; /**< which start, and what was refused */
    struct ev_timer turn;           /**< in the next turn of the loop something is done about it */
};

/** The engine. One a process. */
struct engine {
    struct ev_loop *loop;      /**< the default loop */
    struct spec_set *set;      /**< owned; the configuration in force */
    struct spec_set *next_set; /**< owned; the one that super is about to put in force; NULL: none */
    const struct cli *cli;     /**< borrowed; how the configuration is to be read again; NULL: not at all */
    bool reload_again;         /**< SIGHUP has come while a reload was under way */
    struct control *control;   /**< owned; NULL: there is no control socket */
    struct cgroups *cgroups;   /**< owned; NULL: no unit gets control groups */
    int64_t began_ms;
    struct engine_hooks hooks;
    bool alone;          /**< see struct engine_params */
    struct super *super; /**< owned */
    struct attrib attrib;
    struct engine_unit **units;  /**< owned, by number; NULL: no unit has that number */
    unsigned n_units;            /**< numbers are below this */
    unsigned units_cap;          /**< room in units */
    struct engine_unit **spares; /**< owned; see slots_reserve() */
    size_t n_spares;
    struct reaper reaper;
    struct signals signals;
    struct logger_host logger;
    struct state state;
    struct sdnotify sdnotify;
    struct sockets sockets;
    struct zombies *zombies;     /**< owned; NULL: nobody looks for zombies */
    struct schedules *schedules; /**< owned; NULL: no unit has a schedule by the clock */
    struct engine_pressure pressure;
    struct ev_timer watchdog;
    struct ev_timer super_timer;
    int64_t super_timer_at_ms;
    struct ev_timer more; /**< goes on with starting after other events have had their turn */
    enum procfs_children_source children_source;
    struct pidlist children;       /**< scratch: our children */
    struct pidlist found;          /**< scratch: members below a run */
    struct attrib_candidate *left; /**< owned; scratch: see census_left() */
    size_t left_cap;
    unsigned refreshed_in;        /**< the turn of the loop in which our children were looked up last */
    int reserve_fds[4];           /**< owned; lent to looking around when there are no other descriptors */
    struct list starting;         /**< of struct engine_unit.start_link: units whose spawn is due */
    unsigned starts_in;           /**< the turn of the loop that start_budget is for */
    int start_budget;             /**< how many more may be started in it */
    const struct rlimit *nofile;  /**< borrowed; our limit of descriptors as inherited; services get it back */
    const char *inherited_marker; /**< our own FOSTER_RUN, for nesting; borrowed from the environment, NULL: none */
    uint64_t n_helpers;           /**< commands that have been run beside units */
    bool is_init;
    bool over;               /**< super has spoken its last effect */
    bool clearing;           /**< we go once nobody is left: PID 1 for all, others for helpers */
    bool ending_output;      /**< nobody but the logger, which is to end, is waited for any more */
    bool ending_helpers;     /**< nobody but helpers, which have been killed, is waited for yet */
    bool ending_strangers;   /**< PID 1: everybody who is left has been asked to end */
    bool killing_strangers;  /**< PID 1: and is killed now */
    int64_t stop_asked_ms;   /**< when somebody first wanted us to stop, 0: nobody has */
    uint64_t output_moved;   /**< while ending output: how much had gone out when that was last looked at */
    int64_t output_until_ms; /**< and from when on it is waited for no longer */
    struct ev_timer clear_timer;
    int exit_code;
    bool said_settled;
    bool said_stopping;
    bool said_reloading;
    bool carrying;      /**< effects are being carried out: a post in between only appends to them */
    bool state_changed; /**< some unit's state, since the watchers of our status were told */
    uint64_t n_adopted;
};

/** What main knows and the engine needs. */
struct engine_params {
    struct spec_set *set;        /**< taken over by engine_run(), whatever comes of it */
    const struct rlimit *nofile; /**< borrowed; RLIMIT_NOFILE before we raised it; NULL: we did not */
    const struct cli *cli;       /**< borrowed; how SET was read, for reading it again; NULL: it cannot be */
    struct engine_hooks hooks;
    bool all_signals; /**< as for struct signals */
    bool alone; /**< one command stands for all: it is told of no service manager, what it tells is no news at level
                     warn, and at its end PID 1 waits for nobody else longer than stop_timeout_ms (0: not at all) */
};

/** Runs the whole supervision and returns the exit code (EXITCODE_OS with *E when it could not begin). All
 *  signals are blocked already. */
int engine_run(const struct engine_params *params, struct err *e) NONNULL();

/** Hands the event EV to super at the present time and carries out what follows. */
void engine_post(struct engine *g, const struct event *ev) NONNULL();

/** Carries out whatever super has in store, after something else than an event has been put to it. */
void engine_go_on(struct engine *g) NONNULL();

/** The callback of struct engine_unit.timer. */
void engine_on_unit_timer(struct ev_loop *loop, struct ev_timer *w, int revents);

/** Unit number I, or NULL. */
static inline struct engine_unit *engine_at(const struct engine *g, unsigned i)
{
    return i < g->n_units ? g->units[i] : NULL;
}

/** Unit number I, if that is still the one with ID; else NULL: numbers are used again. */
static inline struct engine_unit *engine_at_id(const struct engine *g, unsigned i, uint64_t id)
{
    struct engine_unit *u = engine_at(g, i);
    return u != NULL && u->id == id ? u : NULL;
}

/** The name of the unit that P's run belongs to; NULL: none, or one that is gone. */
static inline const char *engine_name_of_proc(const struct engine *g, const struct attrib_proc *p)
{
    const struct engine_unit *u = p->run != NULL ? engine_at(g, p->run->unit) : NULL;
    return u != NULL ? u->name : NULL;
}

/** The unit of a run, or NULL when it is not the unit's present one. */
struct engine_unit *engine_unit_of(struct engine *g, const struct attrib_run *run) NONNULL(1);

#endif

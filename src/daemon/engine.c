/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The engine: carries out what super decides, and keeps the daemon going until super says exit.
 *
 * DIAGNOSTICS: engine_run() fails only before the loop starts. After that, every failure is an event with a
 * consequence for one unit.
 */
#include "daemon/engine.h"

#include "base/log.h"
#include "base/mem.h"
#include "daemon/census.h"
#include "daemon/cgroups.h"
#include "daemon/control.h"
#include "daemon/deaths.h"
#include "daemon/exitcode.h"
#include "daemon/health.h"
#include "daemon/helper.h"
#include "daemon/hooks.h"
#include "daemon/launch.h"
#include "daemon/leave.h"
#include "daemon/notify.h"
#include "daemon/pressure.h"
#include "daemon/ready.h"
#include "daemon/reload.h"
#include "daemon/schedule.h"
#include "daemon/slots.h"
#include "daemon/status.h"
#include "daemon/zombies.h"
#include "logger/loop.h"
#include "sys/sys.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
    /* Starts between which other events run: a large file must not make us deaf while it starts. */
    ENGINE_SPAWNS_A_TURN = 16,
};

struct engine_unit *engine_unit_of(struct engine *g, const struct attrib_run *run)
{
    struct engine_unit *u = run != NULL ? engine_at(g, run->unit) : NULL;
    return u != NULL && u->run == run ? u : NULL;
}

static void engine_arm(struct engine *g, struct ev_timer *timer, int64_t *at_ms, int64_t when_ms)
{
    int64_t now = sys_now_ms();
    *at_ms = when_ms;
    loop_arm(g->loop, timer, when_ms > now ? (double)(when_ms - now) / 1000. : 0.);
}

static void engine_timer_passed(struct engine *g, struct ev_timer *w, int64_t *at_ms, unsigned unit)
{
    ev_timer_stop(g->loop, w);
    if (sys_now_ms() < *at_ms) {
        /* The loop's clock and ours differ by less than a millisecond; super must not see its timer early. */
        engine_arm(g, w, at_ms, *at_ms);
        return;
    }
    struct event ev = {.kind = EVENT_TIMER, .unit = unit};
    engine_post(g, &ev);
}

void engine_on_unit_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct engine_unit *u = w->data;
    if (sys_now_ms() < u->timer_at_ms || !ready_puts_off(u))
        engine_timer_passed(u->engine, w, &u->timer_at_ms, u->index);
}

static void engine_on_super_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct engine *g = w->data;
    engine_timer_passed(g, w, &g->super_timer_at_ms, SUPER_NO_UNIT);
}

/* How a command fares that runs alone is its own business: told to those who ask for more than warnings. */
static enum log_level engine_level(const struct engine *g, enum log_level level)
{
    return g->alone && level < LOG_LEVEL_INFO ? LOG_LEVEL_INFO : level;
}

static bool engine_is_one_of(const char *event, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(event, *list) == 0)
            return true;
    return false;
}

static void engine_forget_reason(struct engine_unit *u)
{
    mem_free(u->reason);
    u->reason = NULL;
}

/* Keeps what says why U is as it is, until it is as it should be. */
static void engine_note_reason(struct engine_unit *u, const struct effect *f)
{
    static const char *const reasons[] = {"exited", "backoff", "failed",    "done", "stopping", "stopped",
                                          "killed", "refused", "suspended", "bug",  NULL};
    static const char *const ends[] = {"started", "ready", "resumed", NULL};
    bool is_reason = engine_is_one_of(f->event, reasons);
    if (!is_reason && !engine_is_one_of(f->event, ends))
        return;
    engine_forget_reason(u);
    if (is_reason)
        u->reason = mem_strdup(f->text);
}

static void engine_report(struct engine *g, const struct effect *f)
{
    struct engine_unit *u = engine_at(g, f->unit);
    if (u != NULL)
        engine_note_reason(u, f);
    struct log_about about = {
        .service = u != NULL ? u->name : NULL,
        .event = f->event,
        .pid = f->pid,
        .run = f->run,
        .code = f->code,
        .code_kind = f->code_kind,
    };
    log_write(engine_level(g, f->level), &about, "%s", f->text);
}

static void engine_set_main(struct engine *g, struct engine_unit *u, pid_t pid)
{
    struct attrib_proc *p = attrib_find(&g->attrib, pid);
    /* It may have ended since super chose it; super has been told of that. */
    if (p == NULL || p->run == NULL || p->run != u->run)
        return;
    struct attrib_proc *before = u->main_pid != 0 ? attrib_find(&g->attrib, u->main_pid) : NULL;
    if (before != NULL)
        before->role = ATTRIB_MEMBER;
    p->role = ATTRIB_MAIN;
    u->main_pid = pid;
    deaths_tell_late(u);
    output_renew(u);
}

static const char *engine_name_of(unsigned unit, void *data)
{
    const struct engine *g = data;
    const struct engine_unit *u = engine_at(g, unit);
    return u != NULL ? u->name : "-";
}

static void engine_close_run(struct engine *g, uint64_t number)
{
    struct attrib_run *run = attrib_run_find(&g->attrib, number);
    if (run == NULL)
        return;
    struct engine_unit *u = engine_unit_of(g, run);
    if (u != NULL) {
        u->run = NULL;
        u->killing = false;
        notify_close_run(u);
    }
    u = engine_at(g, run->unit);
    if (u != NULL)
        cgroups_leave(u);
    /* A run that leaves members behind stays in the file until that is written anew. */
    if (run->n_members == 0)
        state_closed(&g->state, run->tag_id);
    attrib_run_close(&g->attrib, run);
    if (g->state.size > STATE_FILE_MAX)
        state_rewrite(&g->state, &g->attrib, engine_name_of, g);
}

static void engine_kill(struct engine *g, struct engine_unit *u, enum effect_scope scope)
{
    struct event gone = {.kind = EVENT_MEMBERS_GONE, .unit = u->index};
    u->killing = true;
    u->kill_scope = scope;
    cgroups_oom_settle(u);
    census_kill(g, u, scope);
    /* Those whom we may not kill are not waited for, and there may be no others. */
    if (deaths_main_is_over(u) && census_count(g, u) == 0)
        engine_post(g, &gone);
}

static void engine_exit(struct engine *g, int code)
{
    g->over = true;
    g->exit_code = g->hooks.on_exit != NULL ? g->hooks.on_exit(g, code, g->hooks.data) : code;
    leave_begin(g);
}

static void engine_do_unit(struct engine *g, struct engine_unit *u, const struct effect *f)
{
    switch (f->kind) {
    case EFFECT_SPAWN:
        u->start_run = f->run;
        list_append(&g->starting, &u->start_link);
        break;
    case EFFECT_SIGNAL:
        (void)census_signal(g, u, f->signal, f->scope);
        break;
    case EFFECT_KILL:
        engine_kill(g, u, f->scope);
        break;
    case EFFECT_SET_MAIN:
        engine_set_main(g, u, f->pid);
        break;
    case EFFECT_ARM_TIMER:
        engine_arm(g, &u->timer, &u->timer_at_ms, f->at_ms);
        break;
    case EFFECT_CANCEL_TIMER:
        ev_timer_stop(g->loop, &u->timer);
        break;
    case EFFECT_STATE:
        /* Why its last run has ended is not why it is starting. */
        if (f->to == UNIT_STARTING)
            engine_forget_reason(u);
        g->state_changed = true;
        log_debug("%s: %s -> %s", u->name, unit_state_name(f->from), unit_state_name(f->to));
        ready_on_state(u, f->to);
        notify_on_state(u, f->to);
        health_on_state(u, f->to);
        timeline_on_state(u, f->from, f->to);
        schedule_on_state(u, f->to);
        if (g->control != NULL)
            control_on_state(g->control, u->index, f->from, f->to);
        break;
    case EFFECT_HOOKS:
        hooks_begin(u, f);
        break;
    case EFFECT_END_HOOKS:
        hooks_end(u);
        break;
    case EFFECT_CLOSE_RUN:
    case EFFECT_REPORT:
    case EFFECT_REPLACED:
    case EFFECT_EXIT:
    case EFFECT_N:
        break;
    }
}

static void engine_do(struct engine *g, const struct effect *f)
{
    if (f->kind == EFFECT_REPORT)
        engine_report(g, f);
    else if (f->kind == EFFECT_CLOSE_RUN)
        engine_close_run(g, f->run);
    else if (f->kind == EFFECT_EXIT)
        engine_exit(g, f->exit_code);
    else if (f->kind == EFFECT_REPLACED)
        reload_replaced(g);
    else if (engine_at(g, f->unit) != NULL)
        engine_do_unit(g, g->units[f->unit], f);
    else if (BUG_IF(f->unit != SUPER_NO_UNIT))
        return;
    else if (f->kind == EFFECT_ARM_TIMER)
        engine_arm(g, &g->super_timer, &g->super_timer_at_ms, f->at_ms);
    else if (f->kind == EFFECT_CANCEL_TIMER)
        ev_timer_stop(g->loop, &g->super_timer);
    else
        (void)BUG_IF(true);
}

/* Starts the unit that has waited longest; one that has been stopped meanwhile was never born. */
static void engine_start_next(struct engine *g)
{
    struct engine_unit *u = CONTAINER_OF(g->starting.next, struct engine_unit, start_link);
    struct unit_view v;
    list_remove(&u->start_link);
    super_view(g->super, u->index, &v);
    if (v.state == UNIT_STARTING && v.run == u->start_run) {
        g->start_budget--;
        u->killing = false;
        launch_unit(u, u->start_run);
        return;
    }
    struct event ev = {.kind = EVENT_SPAWN_FAILED,
                       .unit = u->index,
                       .run = u->start_run,
                       .errnum = ECANCELED,
                       .text = "stopped before it was started"};
    engine_post(g, &ev);
}

static void engine_tell(struct engine *g)
{
    if (!g->alone && !g->said_stopping && super_is_shutting_down(g->super)) {
        g->said_stopping = true;
        status_stopping(g);
    }
}

/* All effects, then starts, of what is due, as much as this turn of the loop allows. Signals, timers and reports never
 * wait behind starts. */
static void engine_carry_out(struct engine *g)
{
    struct effect f;
    engine_tell(g);
    if (g->starts_in != ev_iteration(g->loop)) {
        g->starts_in = ev_iteration(g->loop);
        g->start_budget = ENGINE_SPAWNS_A_TURN;
    }
    for (;;) {
        while (super_next_effect(g->super, &f))
            engine_do(g, &f);
        if (g->over || g->start_budget == 0 || list_is_empty(&g->starting))
            break;
        engine_start_next(g);
    }
    if (!g->over && !list_is_empty(&g->starting))
        ev_timer_start(g->loop, &g->more);
    if (g->state_changed && !g->alone) {
        g->state_changed = false;
        status_changed(g);
    }
}

void engine_go_on(struct engine *g)
{
    if (g->carrying)
        return;
    g->carrying = true;
    engine_carry_out(g);
    g->carrying = false;
    if (g->control != NULL)
        control_settle(g->control);
    reload_go_on(g);
}

/* What health checks say changes no state, and yet somebody may wait for it. */
static void engine_note_health(struct engine *g, const struct event *ev)
{
    struct engine_unit *u = engine_unit_of(g, attrib_run_find(&g->attrib, ev->run));
    if (u != NULL)
        timeline_on_health(u, ev->health);
    if (g->control != NULL)
        g->control->unsettled = true;
}

void engine_post(struct engine *g, const struct event *ev)
{
    bool stops = ev->kind == EVENT_SHUTDOWN || ev->kind == EVENT_KILL_NOW;
    if (stops && g->stop_asked_ms == 0)
        g->stop_asked_ms = sys_now_ms();
    if (g->over)
        return;
    if (g->alone && ev->kind == EVENT_MAIN_EXITED && g->stop_asked_ms == 0)
        g->stop_asked_ms = sys_now_ms();
    if (g->alone && ev->kind == EVENT_SPAWNED)
        g->stop_asked_ms = 0;
    if (ev->kind == EVENT_HEALTH)
        engine_note_health(g, ev);
    super_post(g->super, ev, sys_now_ms());
    engine_go_on(g);
}

static void engine_on_more(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    ev_timer_stop(loop, w);
    engine_go_on(w->data);
}

static void engine_on_zombie(pid_t pid, void *data)
{
    census_meet(data, pid);
}

static void engine_on_slice(const struct reaper_note *notes, size_t n, void *data)
{
    struct engine *g = data;
    deaths_take(g, notes, n);
    if (g->clearing)
        leave_check(g);
}

static void engine_check_control(struct engine *g)
{
    if (g->control != NULL)
        control_check(g->control);
}

static void engine_on_request(enum signals_request request, int sig, void *data)
{
    struct engine *g = data;
    struct event ev = {.kind = EVENT_SHUTDOWN, .unit = SUPER_NO_UNIT};
    if (g->hooks.on_signal != NULL && !g->clearing) {
        g->hooks.on_signal(g, sig, g->hooks.data);
        return;
    }
    switch (request) {
    case SIGNALS_STOP:
        if (super_is_shutting_down(g->super))
            ev.kind = EVENT_KILL_NOW;
        break;
    case SIGNALS_KILL:
        ev.kind = EVENT_KILL_NOW;
        break;
    case SIGNALS_STATUS:
        engine_check_control(g);
        status_dump(g);
        return;
    case SIGNALS_RELOAD:
        engine_check_control(g);
        reload_on_hup(g);
        return;
    case SIGNALS_REEXEC:
        log_warn("replacing the running program is not supported yet; stop and start fosterd");
        return;
    case SIGNALS_IGNORE:
        log_debug("signal %d ignored", sig);
        return;
    }
    if (g->clearing)
        leave_hurry(g, ev.kind == EVENT_KILL_NOW);
    engine_post(g, &ev);
}

static bool engine_init_attrib(struct engine *g, struct err *e)
{
    struct rlimit lim;
    const char *dir = g->set->supervisor.state_dir;
    uint64_t own = 0;
    if (sys_prlimit_get(0, RLIMIT_LOCKS, &lim) == 0)
        own = lim.rlim_max == RLIM_INFINITY ? UINT64_MAX : (uint64_t)lim.rlim_max;
    /* A sandbox may show a limit that it lets nobody set, not even to what it is. */
    if (own != 0 && sys_prlimit_set(0, RLIMIT_LOCKS, &lim) != 0)
        own = 0;
    uint64_t nonce;
    sys_random(&nonce, sizeof nonce);
    if (dir != NULL && !state_open(&g->state, dir, own, e))
        return false;
    attrib_init(&g->attrib, own, nonce, dir != NULL ? g->state.first_id : 1);
    state_rewrite(&g->state, &g->attrib, engine_name_of, g);
    if (g->attrib.stride == 0)
        log_write(engine_level(g, LOG_LEVEL_WARN), NULL,
                  "no tags are possible below a limit of %" PRIu64
                  " file locks; processes are recognised by FOSTER_RUN only",
                  own);
    g->children_source = procfs_probe();
    if (g->children_source == PROCFS_CHILDREN_NONE)
        log_write(engine_level(g, LOG_LEVEL_WARN), NULL,
                  "/proc is not there; what services leave behind is seen only when it ends");
    g->inherited_marker = getenv("FOSTER_RUN");
    return true;
}

/* The control socket costs no service anything, but for the one case where there are two of us. */
static bool engine_open_control(struct engine *g, struct err *e)
{
    struct err why = {0};
    size_t seed;
    sys_random(&seed, sizeof seed);
    json_set_alloc_funcs(mem_alloc, mem_free);
    /* With a seed of its own choice (0) jansson would open a file for it, later and whenever that suits it. */
    json_object_seed(seed | 1);
    g->control = control_open(g, &why);
    if (g->control != NULL)
        return true;
    if (why.kind != ERR_BUSY) {
        log_warn("%s; going on without fosterctl", why.text);
        return true;
    }
    *e = why;
    return false;
}

static bool engine_init(struct engine *g, const struct engine_params *params, struct err *e)
{
    uint64_t seed;
    sys_random(&seed, sizeof seed);
    g->began_ms = sys_now_ms();
    g->cli = params->cli;
    g->hooks = params->hooks;
    g->alone = params->alone;
    g->nofile = params->nofile;
    list_init(&g->starting);
    /* No turn of the loop has this number: the first processes are started before it turns, and before any signal is
     * read, so that there is somebody to pass it on to. */
    g->refreshed_in = g->starts_in = (unsigned)-1;
    if (!g->alone)
        census_reserve(g);
    g->is_init = sys_getpid() == 1;
    g->loop = loop_new(e);
    if (g->loop == NULL)
        return false;
    logger_host_init(&g->logger, g);
    g->reaper.on_zombie = engine_on_zombie;
    g->reaper.on_slice = engine_on_slice;
    g->reaper.data = g;
    g->signals.on_request = engine_on_request;
    g->signals.data = g;
    g->signals.all = params->all_signals;
    if (!reaper_start(&g->reaper, g->loop, e) || !signals_start(&g->signals, g->loop, e))
        return false;
    struct super_params sp = {.seed = seed};
    g->super = super_new(g->set, &sp);
    if (g->super == NULL || !slots_sync(g)) {
        err_set_errno(e, ENOMEM, "table of services");
        return false;
    }
    if (!engine_init_attrib(g, e))
        return false;
    slots_measure(g);
    leave_init(g);
    ev_timer_init(&g->super_timer, engine_on_super_timer, 0., 0.);
    g->super_timer.data = g;
    ev_timer_init(&g->more, engine_on_more, 0., 0.);
    g->more.data = g;
    pressure_start(g);
    if (g->alone)
        return true;
    cgroups_start(g);
    status_start(g);
    zombies_start(g);
    return engine_open_control(g, e) && sockets_start(g, e);
}

static void engine_done(struct engine *g)
{
    logger_host_done(&g->logger);
    /* Whoever has asked us to end sees the connection end, when everything else has. */
    control_close(g->control);
    zombies_stop(g);
    pressure_stop(g);
    slots_done(g);
    helper_free_all(g);
    schedules_stop(g);
    sockets_stop(g);
    cgroups_stop(g);
    status_stop(g);
    state_close(&g->state, g->attrib.runs.next == NULL || list_is_empty(&g->attrib.runs));
    signals_stop(&g->signals);
    reaper_stop(&g->reaper);
    pidlist_done(&g->children);
    pidlist_done(&g->found);
    mem_free(g->left);
    for (size_t i = 0; i < ARRAY_LEN(g->reserve_fds); i++)
        sys_close_fd(&g->reserve_fds[i]);
    if (g->attrib.runs.next != NULL)
        attrib_done(&g->attrib);
    super_free(g->super);
    loop_free(g->loop);
    spec_set_free(g->next_set);
    spec_set_free(g->set);
}

static void engine_say_up(const struct engine *g)
{
    struct log_about about = {.event = "up", .pid = sys_getpid()};
    log_write(LOG_LEVEL_INFO, &about, "supervising %u services of %s as process %d%s", super_count(g->super),
              g->set->name, (int)sys_getpid(), g->is_init ? " (init)" : "");
}

int engine_run(const struct engine_params *params, struct err *e)
{
    /* Too large for the stack, so not assigned; one a process. */
    static struct engine engine = {
        .reaper.signal_fd = -1,
        .signals.fd = -1,
        .sdnotify.fd = -1,
        .state.fd = -1,
        .state.lock_fd = -1,
        .reserve_fds = {-1, -1, -1, -1},
        .exit_code = EXITCODE_OS,
    };
    struct engine *g = &engine;
    g->set = params->set;
    if (engine_init(g, params, e)) {
        if (!g->alone)
            engine_say_up(g);
        super_start(g->super, sys_now_ms());
        /* With nothing to start there is no change that would tell that all is up. */
        g->state_changed = true;
        engine_go_on(g);
        /* With nothing to start, everything was over before the loop could be told to end. */
        if (!g->over || g->clearing)
            ev_run(g->loop, 0);
        reaper_drain(&g->reaper);
    }
    int code = g->exit_code;
    engine_done(g);
    return code;
}

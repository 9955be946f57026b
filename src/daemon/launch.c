/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Starting the program of a unit.
 */
#include "daemon/launch.h"

#include "base/log.h"
#include "base/mem.h"
#include "daemon/cgroups.h"
#include "daemon/launch_request.h"
#include "daemon/notify.h"
#include "daemon/pressure.h"
#include "daemon/ready.h"
#include "daemon/zombies.h"
#include "sys/spawn.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdio.h>

enum { LAUNCH_TEXT_MAX = 384 };

static void launch_on_status(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    launch_settle(w->data);
}

static void launch_tell_failed(struct engine_unit *u, bool forked, int errnum, const char *text)
{
    const struct engine_hooks *hooks = &u->engine->hooks;
    if (hooks->on_start_failed != NULL)
        hooks->on_start_failed(u, forked, errnum, text, hooks->data);
}

static void launch_failed(struct engine_unit *u, uint64_t run, int errnum, const char *text)
{
    launch_tell_failed(u, false, errnum, text);
    struct event ev = {
        .kind = EVENT_SPAWN_FAILED,
        .unit = u->index,
        .run = run,
        .errnum = errnum,
        .text = text,
    };
    if (errnum == EAGAIN)
        pressure_felt(u->engine, u->name, text);
    engine_post(u->engine, &ev);
}

/* Makes ready whatever a start needs beside the process itself. */
static bool launch_prepare(struct engine_unit *u, uint64_t run, struct err *e)
{
    struct engine *g = u->engine;
    if (!output_open(u, true, e) || !sockets_open(u, e))
        return false;
    /* With commands before it, the output of its start has begun with theirs. */
    if (u->spec->hooks[SPEC_HOOK_PRE_START].n == 0)
        output_begin_run(u);
    u->run = attrib_run_open(&g->attrib, u->index, run);
    if (u->run == NULL || !attrib_reserve(&g->attrib)) {
        err_set_errno(e, ENOMEM, "table of runs");
        return false;
    }
    return ready_prepare(u, e) && notify_prepare(u, e);
}

bool launch_process(struct engine_unit *u, struct attrib_run *run, struct spawn_request *req, struct spawn_child *ret,
                    struct err *e)
{
    struct engine *g = u->engine;
    struct cgroups_birth birth;
    if (!cgroups_enter(u, run->run, &birth, e))
        return false;
    req->cgroups = cgroups_birth_request(&birth);
    bool ok = spawn_start(req, ret, e);
    req->cgroups = NULL;
    cgroups_birth_done(&birth);
    if (!ok)
        return false;
    /* The child is ours until we reap it, so its pid is as good as a pidfd, and costs no descriptor. */
    sys_close_fd(&ret->pidfd);
    if (BUG_IF(attrib_add(&g->attrib, ret->pid, run, ATTRIB_MAIN, ATTRIB_BORN, sys_now_ms()) == NULL))
        log_err("process %d of %s could not be entered", (int)ret->pid, u->name);
    pressure_eased(g);
    return true;
}

static bool launch_spawn(struct engine_unit *u, struct err *e)
{
    struct engine *g = u->engine;
    struct arena arena = {0};
    struct spawn_request req;
    struct spawn_child child;
    _Atomic pid_t *pids[SPEC_STREAM_N];
    bool ok = launch_request(u, &arena, &req);
    if (ok) {
        req.pids = pids;
        req.n_pids = output_lend_pids(u, pids);
        ok = launch_process(u, u->run, &req, &child, e);
        output_end_lending(u);
    } else
        err_set_errno(e, ENOMEM, "arguments and environment");
    arena_done(&arena);
    if (!ok)
        return false;
    u->main_pid = u->group = child.pid;
    output_renew(u);
    zombies_watch(u);
    state_opened(&g->state, u->run, child.pid, u->name);
    if (g->hooks.on_spawned != NULL)
        g->hooks.on_spawned(u, g->hooks.data);
    u->status_fd = child.status_fd;
    ev_io_init(&u->status_io, launch_on_status, u->status_fd, EV_READ);
    u->status_io.data = u;
    ev_io_start(g->loop, &u->status_io);
    return true;
}

void launch_unit(struct engine_unit *u, uint64_t run)
{
    struct err e = {0};
    bool ok = launch_prepare(u, run, &e) && launch_spawn(u, &e);
    ready_forked(u);
    if (!ok) {
        launch_failed(u, run, e.errnum, e.text);
        return;
    }
    struct event ev = {.kind = EVENT_SPAWNED, .unit = u->index, .run = run, .pid = u->main_pid};
    engine_post(u->engine, &ev);
}

static void launch_say_failed(struct engine_unit *u, const struct spawn_failure *f)
{
    struct arena arena = {0};
    struct spawn_request req;
    char text[LAUNCH_TEXT_MAX];
    if (launch_request(u, &arena, &req))
        spawn_failure_text(&req, f, text, sizeof text);
    else
        snprintf(text, sizeof text, "%s: %s", spawn_step_name(f->step), err_errno_text(f->errnum));
    launch_tell_failed(u, true, f->errnum, text);
    /* Without its groups it is worth another try. */
    bool again = f->step == SPAWN_STEP_CGROUP && cgroups_refused(u, f->errnum);
    struct event ev = {
        .kind = EVENT_EXEC_FAILED,
        .unit = u->index,
        .run = u->run->run,
        .errnum = again ? EBUSY : f->errnum,
        .text = text,
    };
    engine_post(u->engine, &ev);
    arena_done(&arena);
}

void launch_settle(struct engine_unit *u)
{
    if (u->status_fd < 0)
        return;
    struct spawn_failure failure;
    enum spawn_verdict verdict = spawn_status(u->status_fd, &failure);
    if (verdict == SPAWN_PENDING)
        return;
    ev_io_stop(u->engine->loop, &u->status_io);
    sys_close_fd(&u->status_fd);
    if (u->run == NULL)
        return;
    if (verdict == SPAWN_FAILED) {
        launch_say_failed(u, &failure);
        return;
    }
    struct event ev = {.kind = EVENT_EXEC_OK, .unit = u->index, .run = u->run->run};
    engine_post(u->engine, &ev);
}

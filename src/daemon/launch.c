/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Starting the program of a unit.
 */
#include "daemon/launch.h"

#include "base/log.h"
#include "base/mem.h"
#include "daemon/control.h"
#include "sys/spawn.h"
#include "sys/sys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LAUNCH_MARKER_MAX = 1024, LAUNCH_TEXT_MAX = 384 };

/* Variables that were meant for us and would mislead a service. */
static const char *const launch_ours[] = {
    "NOTIFY_SOCKET",   "WATCHDOG_USEC",  "WATCHDOG_PID",       "LISTEN_PID", "LISTEN_FDS",
    "LISTEN_FDNAMES",  "LISTEN_PIDFDID", "LIBEV_FLAGS",        "FOSTER_RUN", "FOSTER_SERVICE",
    "FOSTER_INSTANCE", "FOSTER_SOCKET",  "FOSTER_RUNTIME_DIR",
};

/* An environment under construction, in an arena. */
struct launch_env {
    struct arena *arena;
    char **vars; /* NULL-terminated */
    size_t n;
    size_t cap;
    bool failed;
};

static bool launch_is_name(const char *var, const char *name, size_t len)
{
    return strncmp(var, name, len) == 0 && var[len] == '=';
}

/* Adds "NAME=VALUE" (owned by the arena or the environment). */
static void launch_env_add(struct launch_env *env, char *var)
{
    if (var != NULL && env->n + 1 < env->cap)
        env->vars[env->n++] = var;
    else
        env->failed = true;
}

/* The same, in place of all that have that NAME already: we may have been given it twice. */
static void launch_env_put(struct launch_env *env, char *var)
{
    size_t n = 0;
    size_t len = var != NULL ? strcspn(var, "=") : 0;
    for (size_t i = 0; var != NULL && i < env->n; i++)
        if (!launch_is_name(env->vars[i], var, len))
            env->vars[n++] = env->vars[i];
    env->n = n;
    launch_env_add(env, var);
}

static bool launch_is_kept(const struct spec *spec, const char *var)
{
    size_t len = strcspn(var, "=");
    for (size_t i = 0; i < ARRAY_LEN(launch_ours); i++)
        if (launch_is_name(var, launch_ours[i], strlen(launch_ours[i])))
            return false;
    if (!spec->clear_env)
        return true;
    for (char **keep = spec->clear_env_keep; keep != NULL && *keep != NULL; keep++)
        if (strlen(*keep) == len && strncmp(var, *keep, len) == 0)
            return true;
    return false;
}

static char **launch_environment(const struct engine_unit *u, struct arena *a)
{
    const struct engine *g = u->engine;
    const struct spec *spec = u->spec;
    struct launch_env env = {.arena = a};
    while (environ[env.cap] != NULL)
        env.cap++;
    env.cap += spec->n_environment + 5;
    env.vars = arena_array(a, env.cap, sizeof *env.vars);
    if (env.vars == NULL)
        return NULL;
    for (char **var = environ; *var != NULL; var++)
        if (launch_is_kept(spec, *var))
            launch_env_add(&env, *var);
    for (size_t i = 0; i < spec->n_environment; i++) {
        const struct spec_env *e = &spec->environment[i];
        const char *value = e->value != NULL ? e->value : getenv(e->name);
        if (value != NULL)
            launch_env_put(&env, arena_printf(a, "%s=%s", e->name, value));
    }
    char marker[LAUNCH_MARKER_MAX];
    if (attrib_run_marker(&g->attrib, u->run, g->inherited_marker, marker, sizeof marker) != NULL)
        launch_env_put(&env, arena_printf(a, "FOSTER_RUN=%s", marker));
    launch_env_put(&env, arena_printf(a, "FOSTER_SERVICE=%s", spec->name));
    launch_env_put(&env, arena_printf(a, "FOSTER_INSTANCE=%u", u->instance));
    if (g->control != NULL)
        launch_env_put(&env, arena_printf(a, "FOSTER_SOCKET=%s", g->control->path));
    return env.failed ? NULL : env.vars;
}

static char **launch_argv(const struct spec *spec, struct arena *a)
{
    char **argv = arena_array(a, spec->n_entrypoint + spec->n_command + 1, sizeof *argv);
    if (argv == NULL)
        return NULL;
    for (size_t i = 0; i < spec->n_entrypoint; i++)
        argv[i] = spec->entrypoint[i];
    for (size_t i = 0; i < spec->n_command; i++)
        argv[spec->n_entrypoint + i] = spec->command[i];
    return argv;
}

/* Fills REQ for U from its spec; memory from A. */
static bool launch_request(struct engine_unit *u, struct arena *a, struct spawn_request *req)
{
    const struct engine_hooks *hooks = &u->engine->hooks;
    *req = (struct spawn_request){
        .argv = launch_argv(u->spec, a),
        .envp = launch_environment(u, a),
        .working_dir = u->spec->working_dir,
        .umask = u->spec->umask,
        .tag = attrib_run_tag(&u->engine->attrib, u->run),
        .nofile = u->engine->nofile,
        .stdio = {-1, -1, -1},
    };
    if (u->spec->log_driver == SPEC_LOG_INHERIT) {
        req->stdio[1] = 1;
        req->stdio[2] = 2;
    } else if (u->spec->log_driver == SPEC_LOG_STDOUT) {
        req->stdio[1] = req->stdio[2] = u->out.write_fd;
    }
    if (req->argv == NULL || req->envp == NULL)
        return false;
    return hooks->on_request == NULL || hooks->on_request(u, a, req, hooks->data);
}

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
    engine_post(u->engine, &ev);
}

/* Makes ready whatever a start needs beside the process itself. */
static bool launch_prepare(struct engine_unit *u, uint64_t run, struct err *e)
{
    struct engine *g = u->engine;
    if (u->spec->log_driver == SPEC_LOG_STDOUT && u->out.read_fd < 0) {
        if (!output_open(&g->output, &u->out, u->name, e))
            return false;
        u->out.tail = &u->tail;
    }
    tail_begin_run(&u->tail);
    u->run = attrib_run_open(&g->attrib, u->index, run);
    if (u->run == NULL || !attrib_reserve(&g->attrib)) {
        err_set_errno(e, ENOMEM, "table of runs");
        return false;
    }
    return true;
}

static bool launch_spawn(struct engine_unit *u, struct err *e)
{
    struct engine *g = u->engine;
    struct arena arena = {0};
    struct spawn_request req;
    struct spawn_child child;
    bool ok = false;
    if (!launch_request(u, &arena, &req))
        err_set_errno(e, ENOMEM, "arguments and environment");
    else
        ok = spawn_start(&req, &child, e);
    arena_done(&arena);
    if (!ok)
        return false;
    /* The child is ours until we reap it, so its pid is as good as a pidfd, and costs no descriptor. */
    sys_close(child.pidfd);
    if (BUG_IF(attrib_add(&g->attrib, child.pid, u->run, ATTRIB_MAIN, ATTRIB_BORN, sys_now_ms()) == NULL))
        log_err("process %d of %s could not be entered", (int)child.pid, u->name);
    u->main_pid = u->group = child.pid;
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
    if (!launch_prepare(u, run, &e) || !launch_spawn(u, &e)) {
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
    struct event ev = {
        .kind = EVENT_EXEC_FAILED,
        .unit = u->index,
        .run = u->run->run,
        .errnum = f->errnum,
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

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a spec to a request: words, environment, and what is asked for the process.
 */
#include "daemon/launch_request.h"

#include "base/mem.h"
#include "daemon/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LAUNCH_MARKER_MAX = 1024 };

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

bool launch_request(struct engine_unit *u, struct arena *a, struct spawn_request *req)
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

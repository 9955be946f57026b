/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a spec to a request: words, environment, and who the process is to be.
 */
#include "daemon/launch_request.h"

#include "base/mem.h"
#include "daemon/control.h"
#include "daemon/notify.h"
#include "daemon/ready.h"
#include "sys/caps.h"
#include "sys/sys_cred.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LAUNCH_MARKER_MAX = 1024, LAUNCH_OWN_VARIABLES = 4, LAUNCH_USER_VARIABLES = 4 };

/* Variables that were meant for us and would mislead a service. */
static const char *const launch_ours[] = {
    "NOTIFY_SOCKET",    "WATCHDOG_USEC",      "WATCHDOG_PID",       "LISTEN_PID",  "LISTEN_FDS",
    "LISTEN_FDNAMES",   "LISTEN_PIDFDID",     "LIBEV_FLAGS",        "FOSTER_RUN",  "FOSTER_SERVICE",
    "FOSTER_INSTANCE",  "FOSTER_SOCKET",      "FOSTER_RUNTIME_DIR", "FOSTER_HOOK", "FOSTER_MAIN_PID",
    "FOSTER_EXIT_CODE", "FOSTER_EXIT_SIGNAL",
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

/* What login(1) would set; a service's own words come later, and win. */
static void launch_env_put_user(struct launch_env *env, const struct spec_user *user)
{
    launch_env_put(env, arena_printf(env->arena, "HOME=%s", user->home));
    launch_env_put(env, arena_printf(env->arena, "USER=%s", user->name));
    launch_env_put(env, arena_printf(env->arena, "LOGNAME=%s", user->name));
    launch_env_put(env, arena_printf(env->arena, "SHELL=%s", user->shell));
}

static void launch_env_put_spec(struct launch_env *env, const struct spec_env *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = e[i].value != NULL ? e[i].value : getenv(e[i].name);
        if (value != NULL)
            launch_env_put(env, arena_printf(env->arena, "%s=%s", e[i].name, value));
    }
}

static void launch_env_put_own(struct launch_env *env, const struct engine_unit *u, const struct attrib_run *run)
{
    const struct engine *g = u->engine;
    char marker[LAUNCH_MARKER_MAX];
    if (attrib_run_marker(&g->attrib, run, g->inherited_marker, marker, sizeof marker) != NULL)
        launch_env_put(env, arena_printf(env->arena, "FOSTER_RUN=%s", marker));
    launch_env_put(env, arena_printf(env->arena, "FOSTER_SERVICE=%s", u->spec->name));
    launch_env_put(env, arena_printf(env->arena, "FOSTER_INSTANCE=%u", u->instance));
    if (g->control != NULL)
        launch_env_put(env, arena_printf(env->arena, "FOSTER_SOCKET=%s", g->control->path));
}

/* Whose user it is to be. */
static const struct spec_user *launch_user(const struct engine_unit *u, const struct launch_command *c)
{
    return c->hook != NULL && c->hook->user.text != NULL ? &c->hook->user : &u->spec->user;
}

static size_t launch_count(const char *const *words)
{
    size_t n = 0;
    while (words != NULL && words[n] != NULL)
        n++;
    return n;
}

static char **launch_environment(const struct engine_unit *u, const struct launch_command *c, struct arena *a)
{
    const struct spec *spec = u->spec;
    const struct spec_user *user = launch_user(u, c);
    size_t n_vars = launch_count(c->vars);
    size_t n_hook = c->hook != NULL ? c->hook->n_environment : 0;
    struct launch_env env = {.arena = a};
    while (environ[env.cap] != NULL)
        env.cap++;
    env.cap += spec->n_environment + n_hook + n_vars + LAUNCH_OWN_VARIABLES + LAUNCH_USER_VARIABLES + 1;
    env.vars = arena_array(a, env.cap, sizeof *env.vars);
    if (env.vars == NULL)
        return NULL;
    for (char **var = environ; *var != NULL; var++)
        if (launch_is_kept(spec, *var))
            launch_env_add(&env, *var);
    if (user->text != NULL)
        launch_env_put_user(&env, user);
    launch_env_put_spec(&env, spec->environment, spec->n_environment);
    if (n_hook > 0)
        launch_env_put_spec(&env, c->hook->environment, n_hook);
    launch_env_put_own(&env, u, c->run);
    for (size_t i = 0; i < n_vars; i++)
        launch_env_put(&env, arena_strdup(a, c->vars[i]));
    return env.failed ? NULL : env.vars;
}

static char **launch_argv_of_service(const struct spec *spec, struct arena *a)
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

/* Copied, so that it can still be told what could not be started when the configuration is another one. */
static char **launch_argv_copy(char *const *from, struct arena *a)
{
    size_t n = 0;
    while (from[n] != NULL)
        n++;
    char **argv = arena_array(a, n + 1, sizeof *argv);
    for (size_t i = 0; argv != NULL && i < n; i++) {
        argv[i] = arena_strdup(a, from[i]);
        if (argv[i] == NULL)
            return NULL;
    }
    return argv;
}

/* ------------------------------------------------------------------ who it is to be */

/* What a request borrows, made for it. */
struct launch_who {
    struct spawn_ids ids;
    struct spawn_caps caps;
    int nice;
    int oom_score_adj;
};

/* Appends those of the N groups MORE that are not among the *COUNT groups ALL yet. */
static void launch_join_groups(gid_t *all, size_t *count, const gid_t *more, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < *count && all[k] != more[i])
            k++;
        if (k == *count)
            all[(*count)++] = more[i];
    }
}

/* Our own supplementary groups, in A. */
static bool launch_own_groups(struct arena *a, gid_t **ret, size_t *ret_n)
{
    int n = sys_getgroups(0, NULL);
    if (n < 0)
        return false;
    gid_t *groups = arena_array(a, (size_t)n + 1, sizeof *groups);
    n = groups != NULL ? sys_getgroups((size_t)n, groups) : -1;
    *ret = groups;
    *ret_n = n > 0 ? (size_t)n : 0;
    return n >= 0;
}

/* The groups of USER, or else ours, and those of ADD. */
static bool launch_groups(const struct spec_user *user, const struct spec_groups *add, struct arena *a,
                          struct spawn_ids *ids)
{
    gid_t *base = user->groups;
    size_t n_base = user->n_groups;
    if (user->text == NULL && !launch_own_groups(a, &base, &n_base))
        return false;
    gid_t *groups = arena_array(a, n_base + add->n + 1, sizeof *groups);
    if (groups == NULL)
        return false;
    launch_join_groups(groups, &ids->n_groups, base, n_base);
    launch_join_groups(groups, &ids->n_groups, add->gids, add->n);
    ids->groups = groups;
    ids->change_groups = true;
    return true;
}

static bool launch_ids(const struct spec *spec, const struct spec_user *user, struct arena *a, struct spawn_ids *ids)
{
    /* `group_add` is meant for the user that the service has. */
    static const struct spec_groups none;
    const struct spec_groups *add = user == &spec->user ? &spec->group_add : &none;
    if (user->text != NULL) {
        ids->text = arena_strdup(a, user->text);
        ids->change_user = true;
        ids->uid = user->uid;
        ids->gid = user->gid;
        if (ids->text == NULL)
            return false;
    }
    return (user->text == NULL && add->n == 0) || launch_groups(user, add, a, ids);
}

/* As in a container: a name in cap_add wins over the same name in cap_drop, a name in cap_drop over ALL in cap_add. */
static bool launch_caps(const struct spec *spec, struct spawn_caps *caps)
{
    uint64_t drop = spec->cap_drop.mask;
    struct caps_own own;
    caps->add = spec->cap_add.mask;
    if (caps->add == UINT64_MAX) {
        /* ALL is all that there is to give; a single one that we lack is a mistake. */
        if (!caps_read(&own))
            return false;
        drop = drop == UINT64_MAX ? 0 : drop;
        caps->add = own.permitted & own.bounding & ~drop;
    }
    caps->bounding = ~drop | caps->add;
    return true;
}

static bool launch_limits(const struct spec *spec, struct arena *a, struct spawn_request *req)
{
    struct spawn_limit *limits = arena_array(a, spec->n_ulimits + 1, sizeof *limits);
    if (limits == NULL)
        return false;
    for (size_t i = 0; i < spec->n_ulimits; i++) {
        const struct spec_ulimit *u = &spec->ulimits[i];
        limits[i].resource = u->resource;
        limits[i].limit = (struct rlimit){.rlim_cur = (rlim_t)u->soft, .rlim_max = (rlim_t)u->hard};
    }
    req->limits = limits;
    req->n_limits = spec->n_ulimits;
    return true;
}

static bool launch_identity(const struct spec *spec, const struct spec_user *user, struct arena *a,
                            struct spawn_request *req)
{
    struct launch_who *who = arena_alloc(a, sizeof *who);
    if (who == NULL || !launch_ids(spec, user, a, &who->ids) || !launch_caps(spec, &who->caps) ||
        !launch_limits(spec, a, req))
        return false;
    who->nice = (int)spec->nice;
    who->oom_score_adj = (int)spec->oom_score_adj;
    req->ids = &who->ids;
    req->caps = &who->caps;
    req->nice = spec->nice != SPEC_INHERIT ? &who->nice : NULL;
    req->oom_score_adj = spec->oom_score_adj != SPEC_INHERIT ? &who->oom_score_adj : NULL;
    req->no_new_privs = spec->no_new_privileges;
    return true;
}

static void launch_outputs(const struct engine_unit *u, const struct launch_command *c, struct spawn_request *req)
{
    if (c->output_fd >= 0) {
        req->stdio[1] = req->stdio[2] = c->output_fd;
    } else {
        req->stdio[1] = output_fd(u, SPEC_STREAM_OUT);
        req->stdio[2] = output_fd(u, SPEC_STREAM_ERR);
    }
}

bool launch_request_of(const struct engine_unit *u, const struct launch_command *c, struct arena *a,
                       struct spawn_request *req)
{
    const char *dir = c->hook != NULL && c->hook->working_dir != NULL ? c->hook->working_dir : u->spec->working_dir;
    *req = (struct spawn_request){
        .argv = c->argv != NULL ? launch_argv_copy(c->argv, a) : launch_argv_of_service(u->spec, a),
        .envp = launch_environment(u, c, a),
        .working_dir = dir != NULL ? arena_strdup(a, dir) : NULL,
        .umask = u->spec->umask,
        .tag = attrib_run_tag(&u->engine->attrib, c->run),
        .nofile = u->engine->nofile,
        .stdio = {-1, -1, -1},
    };
    launch_outputs(u, c, req);
    return req->argv != NULL && req->envp != NULL && (dir == NULL || req->working_dir != NULL) &&
           launch_identity(u->spec, launch_user(u, c), a, req);
}

bool launch_request(struct engine_unit *u, struct arena *a, struct spawn_request *req)
{
    const struct engine_hooks *hooks = &u->engine->hooks;
    const struct launch_command own = {.run = u->run, .output_fd = -1};
    return launch_request_of(u, &own, a, req) && sockets_request(u, a, req) && ready_request(u, a, req) &&
           notify_request(u, a, req) && (hooks->on_request == NULL || hooks->on_request(u, a, req, hooks->data));
}

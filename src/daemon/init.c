/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode: makes the configuration of one service in memory, and does what is different about it: the command gets
 * exactly what we were given, signals go to it, and we end as it does.
 *
 * BUGS: with --restart the descriptors and the working directory that were inherited stay ours, since the next run
 * needs them again.
 */
#include "daemon/init.h"

#include "base/log.h"
#include "base/mem.h"
#include "core/policy.h"
#include "daemon/engine.h"
#include "daemon/exitcode.h"
#include "daemon/initargs.h"
#include "daemon/relay.h"
#include "daemon/signals.h"
#include "daemon/terminal.h"
#include "sys/spawn.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INIT_NOT_FAILED = -1 };

/* Variables that name the process they are meant for: sd_listen_fds(3), sd_watchdog_enabled(3). */
static const char *const init_pid_variables[] = {"LISTEN_PID=", "WATCHDOG_PID="};

/* All of init mode. One a process. */
struct init {
    struct initargs args;
    const struct inherited *inherited; /* borrowed */
    struct terminal terminal;
    struct relay relay;
    struct spec spec;
    struct spec_stop_step stop_step;
    struct spec_set *set; /* the engine's as soon as that runs */
    pid_t last_pid;       /* of the command that was started last */
    int failed_code;      /* what the last start failed with, INIT_NOT_FAILED: it did not */
};

/* Where the command lives. */
static enum spawn_session init_session(const struct initargs *args)
{
    return args->single ? SPAWN_SESSION_SAME : args->persona->session;
}

static enum spec_orphans init_orphans(const struct initargs *args)
{
    if (args->wait_all)
        return SPEC_ORPHANS_ADOPT;
    return args->grace_ms > 0 ? SPEC_ORPHANS_KILL : SPEC_ORPHANS_IGNORE;
}

/* How long a SIGTERM may be obeyed. One that only stands for "no more restarts" has no limit. */
static int64_t init_grace_ms(const struct initargs *args)
{
    enum { FOR_EVER_MS = INT32_MAX };
    return args->grace_ms > 0 ? args->grace_ms : FOR_EVER_MS;
}

static void init_make_spec(struct init *in)
{
    const struct initargs *args = &in->args;
    struct spec *spec = &in->spec;
    int term = args->rewrite[SIGTERM];
    spec_defaults(spec);
    /* A SIGTERM that is rewritten to nothing must not end the wait, and SIGCONT does no harm. */
    in->stop_step = (struct spec_stop_step){.signal = term != 0 ? term : SIGCONT, .wait_ms = -1};
    spec->name = "command";
    spec->command = args->command;
    while (args->command[spec->n_command] != NULL)
        spec->n_command++;
    spec->type = args->follow ? SPEC_TYPE_AUTO : SPEC_TYPE_SIMPLE;
    spec->start_timeout_ms = 0;
    spec->restart = args->restart;
    spec->essential = !args->wait_all;
    spec->stop_signal = &in->stop_step;
    spec->n_stop_signal = 1;
    spec->stop_grace_period_ms = init_grace_ms(args);
    spec->kill_mode = args->group && !args->single ? SPEC_KILL_TREE : SPEC_KILL_MIXED;
    spec->orphans = init_orphans(args);
    spec->log[SPEC_STREAM_OUT].driver = SPEC_LOG_INHERIT;
}

/* False without memory. */
static bool init_make_set(struct init *in)
{
    struct spec_set *set = mem_alloc(sizeof *set);
    if (set == NULL)
        return false;
    *set = (struct spec_set){.name = in->args.persona->name, .services = &in->spec, .n_services = 1};
    spec_supervisor_defaults(&set->supervisor);
    set->supervisor.exit_when = SPEC_EXIT_IDLE;
    set->supervisor.stop_timeout_ms = in->args.grace_ms;
    if (in->args.pause) {
        set->n_services = 0;
        set->supervisor.exit_when = SPEC_EXIT_NEVER;
    } else {
        init_make_spec(in);
    }
    in->set = set;
    return true;
}

static bool init_is_own_pid(const char *value)
{
    char own[SPAWN_PID_ROOM];
    snprintf(own, sizeof own, "%d", (int)sys_getpid());
    return strcmp(value, own) == 0;
}

/* VAR with room for another pid in place of ours, or VAR itself when it is not meant for us. NULL with ENOMEM. */
static char *init_readdress(char *var, struct arena *a, char ***slot)
{
    for (size_t i = 0; i < ARRAY_LEN(init_pid_variables); i++) {
        size_t len = strlen(init_pid_variables[i]);
        if (strncmp(var, init_pid_variables[i], len) != 0 || !init_is_own_pid(var + len))
            continue;
        char *copy = arena_array(a, len + SPAWN_PID_ROOM, 1);
        if (copy == NULL)
            return NULL;
        memcpy(copy, init_pid_variables[i], len);
        *(*slot)++ = copy + len;
        return copy;
    }
    return var;
}

/* The mark by which descendants are recognised where tags are impossible, among the variables of a service. */
static char *init_marker(char *const *service_env)
{
    for (; *service_env != NULL; service_env++)
        if (strncmp(*service_env, "FOSTER_RUN=", strlen("FOSTER_RUN=")) == 0)
            return *service_env;
    return NULL;
}

/* Whether VAR was for us alone: variables of our own that have been obeyed, and the proof of identity (a pidfd's inode,
 * sd_listen_fds(3)) that goes with a LISTEN_PID which will name somebody else. */
static bool init_withholds(const struct init *in, const char *var)
{
    const char *listen_pid = getenv("LISTEN_PID");
    if (strncmp(var, "LISTEN_PIDFDID=", strlen("LISTEN_PIDFDID=")) == 0)
        return listen_pid != NULL && init_is_own_pid(listen_pid);
    return in->args.own_variables_count && initargs_is_own_variable(var, strcspn(var, "="));
}

/* The environment as we were given it. */
static bool init_environment(const struct init *in, struct arena *a, struct spawn_request *req)
{
    char *marker = req->tag == 0 ? init_marker(req->envp) : NULL;
    size_t n = 0;
    while (environ[n] != NULL)
        n++;
    char **envp = arena_array(a, n + 2, sizeof *envp);
    char **slots = arena_array(a, ARRAY_LEN(init_pid_variables) + 1, sizeof *slots);
    if (envp == NULL || slots == NULL)
        return false;
    req->envp = envp;
    req->pid_slots = slots;
    char **last_slot = slots + ARRAY_LEN(init_pid_variables);
    for (char **var = environ; *var != NULL; var++) {
        if (init_withholds(in, *var))
            continue;
        *envp = slots < last_slot ? init_readdress(*var, a, &slots) : *var;
        if (*envp++ == NULL)
            return false;
    }
    if (marker != NULL)
        *envp = marker;
    return true;
}

static bool init_on_request(struct engine_unit *u, struct arena *a, struct spawn_request *req, void *data)
{
    struct init *in = data;
    (void)u;
    for (int i = 0; i < 3; i++)
        req->stdio[i] = in->inherited->closed[i] ? SPAWN_FD_CLOSED : i;
    req->session = init_session(&in->args);
    req->take_terminal = req->session == SPAWN_SESSION_NEW;
    req->caps = NULL; /* a drop-in takes nothing away from the command */
    req->foreground = terminal_reclaim(&in->terminal);
    req->terminal_fd = in->terminal.fd;
    req->signals = &in->inherited->signals;
    req->keep_fds = true;
    req->script_by_sh = true;
    return init_environment(in, a, req);
}

static void init_on_spawned(struct engine_unit *u, void *data)
{
    struct init *in = data;
    in->failed_code = INIT_NOT_FAILED;
    in->last_pid = u->main_pid;
    if (in->terminal.fd >= 0)
        terminal_set_group(&in->terminal, u->main_pid);
    if (in->args.restart.policy != SPEC_RESTART_NO)
        return;
    /* Whoever waits for the end of a pipe or wants to unmount a directory must not wait for us. */
    inherited_close_fds();
    if (sys_chdir("/") != 0)
        log_debug("working directory /: %s", err_errno_text(errno));
}

static void init_on_start_failed(struct engine_unit *u, bool forked, int errnum, const char *text, void *data)
{
    struct init *in = data;
    const struct persona *persona = in->args.persona;
    in->failed_code = forked ? persona_exec_code(persona, errnum) : persona->no_fork_code;
    log_err("%s", text);
    if (in->args.restart.policy != SPEC_RESTART_NO)
        return;
    /* Without a policy nobody has asked us to try again, though the reason may pass. */
    struct event ev = {.kind = EVENT_SHUTDOWN, .unit = SUPER_NO_UNIT};
    engine_post(u->engine, &ev);
}

static void init_on_signal(struct engine *g, int sig, void *data)
{
    struct init *in = data;
    relay_signal(&in->relay, g, sig);
}

static void init_on_stopped(struct engine_unit *u, int sig, void *data)
{
    struct init *in = data;
    (void)u;
    terminal_suspended(&in->terminal, sig);
}

static void init_on_orphan(pid_t pid, int wstatus, void *data)
{
    const struct init *in = data;
    (void)wstatus;
    if (in->args.warn_reaped)
        log_warn("reaped zombie process with pid %d", (int)pid);
}

/* What dumb-init does when it goes at once: whoever is left in the command's group is asked to end. */
static void init_dismiss_group(const struct init *in, pid_t group)
{
    int sig = in->args.rewrite[SIGTERM];
    bool wanted = in->args.persona->dismisses_group && !in->args.single && in->args.grace_ms == 0 && !in->args.wait_all;
    if (!wanted || sig == 0 || group <= 0)
        return;
    if (sys_kill_group(group, sig) != 0 && errno != ESRCH)
        log_debug("signal %d to group %d: %s", sig, (int)group, err_errno_text(errno));
}

/* The wait status (wait(2)) of a process that exits with CODE. */
static int init_exited(int code)
{
    return code << 8;
}

static int init_on_exit(struct engine *g, int code, void *data)
{
    struct init *in = data;
    struct unit_view v;
    terminal_close(&in->terminal);
    if (!super_view(g->super, 0, &v))
        return EXITCODE_OK;
    if (in->failed_code != INIT_NOT_FAILED)
        code = in->failed_code;
    else if (v.has_last_wstatus)
        code = policy_status_code(v.last_wstatus);
    init_dismiss_group(in, in->last_pid);
    return spec_exits_has(&in->args.zero, init_exited(code)) ? EXITCODE_OK : code;
}

/* Asks for a signal when our parent ends, and sends it when that has happened already: prctl(2) does not look back. */
static void init_watch_parent(int sig, pid_t parent)
{
    if (sys_set_parent_death_signal(sig) != 0)
        log_warn("no signal at the end of our parent: %s", err_errno_text(errno));
    else if (sys_getppid() != parent)
        sys_raise(sig);
}

static void init_adopt(void)
{
    if (sys_set_subreaper(true) == 0 || sys_getpid() == 1)
        return;
    log_warn("becoming a subreaper: %s; what loses its parent goes to process 1, or the subreaper above us, unreaped",
             err_errno_text(errno));
}

int init_main(int argc, char **argv, const struct inherited *inherited)
{
    static struct init in;
    pid_t parent = sys_getppid();
    struct err e = {0};
    int code;
    in.inherited = inherited;
    in.failed_code = INIT_NOT_FAILED;
    if (initargs_parse(persona_of(argv[0]), argc, argv, getenv, stdout, stderr, &in.args, &code) == INITARGS_SAID)
        return fflush(stdout) == 0 ? code : EXITCODE_OS;
    const struct persona *persona = in.args.persona;
    persona_log_setup(persona, in.args.level);
    if (!signals_block_all(&e)) {
        log_err("%s", e.text);
        return persona->no_fork_code;
    }
    if (in.args.parent_death != 0)
        init_watch_parent(in.args.parent_death, parent);
    init_adopt();
    if (!init_make_set(&in)) {
        log_err("no memory; nothing was started");
        return persona->no_fork_code;
    }
    in.terminal.fd = -1;
    if (init_session(&in.args) == SPAWN_SESSION_GROUP)
        terminal_open(&in.terminal);
    else if (init_session(&in.args) == SPAWN_SESSION_NEW)
        terminal_drop();
    relay_init(&in.relay, &in.args, &in.terminal);
    struct engine_params params = {
        .set = in.set,
        .nofile = inherited_raise_nofile(inherited),
        .hooks = {.data = &in,
                  .on_signal = init_on_signal,
                  .on_request = init_on_request,
                  .on_spawned = init_on_spawned,
                  .on_start_failed = init_on_start_failed,
                  .on_stopped = init_on_stopped,
                  .on_orphan = init_on_orphan,
                  .on_exit = init_on_exit},
        .alone = true,
        .all_signals = true,
    };
    code = engine_run(&params, &e);
    if (e.kind == ERR_NONE)
        return code;
    log_err("%s; nothing was started", e.text);
    return persona->no_fork_code;
}

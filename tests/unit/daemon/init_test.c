/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What init mode makes of a command line: the configuration of one service, the request for its process, and the exit
 * code. An engine that only looks stands for the real one. Each test is a process of its own, for init_main() blocks
 * signals and closes descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/super.h"
#include "daemon/engine.h"
#include "daemon/init.h"
#include "sys/spawn.h"
#include "sys/sys.h"

#include "unit/sys/kit.h"

#include <sys/prctl.h>

enum { WORDS_MAX = 12, NO_TAG = 0, TAG = 77, CODE_OF_SUPER = 9, FORKED = 1 };

static struct inherited inherited;
static struct engine engine;
static struct engine_unit unit, *units[] = {&unit};
static struct engine_hooks hooks;
static size_t n_shutdowns;
static bool engine_ran;

/* What the test does while the engine runs. */
static void (*while_running)(const struct engine_params *params);
static const char *fails_with;

void engine_post(struct engine *g, const struct event *ev)
{
    n_shutdowns += g == &engine && ev->kind == EVENT_SHUTDOWN;
}

int engine_run(const struct engine_params *params, struct err *e)
{
    struct super_params sp = {.seed = 1};
    engine_ran = true;
    if (fails_with != NULL) {
        err_set(e, ERR_SYS, "%s", fails_with);
        spec_set_free(params->set);
        return 1;
    }
    engine.super = super_new(params->set, &sp);
    REQUIRE(engine.super != NULL);
    engine.n_units = super_slots(engine.super);
    engine.units = units;
    unit = (struct engine_unit){.engine = &engine};
    hooks = params->hooks;
    if (while_running != NULL)
        while_running(params);
    int code = hooks.on_exit(&engine, CODE_OF_SUPER, hooks.data);
    super_free(engine.super);
    spec_set_free(params->set);
    return code;
}

/* init_main() with the words of LINE, which blanks divide. */
static int run(const char *line, void (*fn)(const struct engine_params *params))
{
    static char text[KIT_PATH_MAX], *argv[WORDS_MAX + 1]; /* what is seen of them outlives the run */
    char *rest = text;
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL;) {
        REQUIRE(argc < WORDS_MAX);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &inherited.nofile) == 0);
    while_running = fn;
    return init_main(argc, argv, &inherited);
}

static void isolated(void *test)
{
    (*(void (**)(void))test)();
}

static void test(void **state)
{
    assert_true(kit_isolated(isolated, *state));
}

static struct spec seen;
static struct spec_set seen_set;
static int seen_stop_signal;
static bool seen_all_signals;

static void look(const struct engine_params *params)
{
    seen_set = *params->set;
    seen_all_signals = params->all_signals && params->alone;
    if (seen_set.n_services == 1) {
        seen = seen_set.services[0];
        seen_stop_signal = seen.stop_signal[0].signal;
    }
}

static void a_command_is_a_service_that_everything_hangs_on(void)
{
    REQUIRE(run("fosterd -- prog a b", look) == CODE_OF_SUPER);
    REQUIRE(seen_set.n_services == 1 && seen_set.supervisor.exit_when == SPEC_EXIT_IDLE);
    REQUIRE(seen_set.supervisor.stop_timeout_ms == 10000 && seen_all_signals);
    REQUIRE(seen.n_command == 3 && strcmp(seen.command[0], "prog") == 0 && strcmp(seen.command[2], "b") == 0);
    REQUIRE(seen.essential && seen.type == SPEC_TYPE_SIMPLE && seen.restart.policy == SPEC_RESTART_NO);
    REQUIRE(seen.log[SPEC_STREAM_OUT].driver == SPEC_LOG_INHERIT && seen.orphans == SPEC_ORPHANS_KILL);
    REQUIRE(seen.stop_grace_period_ms == 10000 && seen.kill_mode == SPEC_KILL_MIXED && seen_stop_signal == SIGTERM);
}

static void options_are_settings_of_the_service(void)
{
    (void)run("fosterd --grace 250ms -g --follow --restart on-failure:3 -- prog", look);
    REQUIRE(seen.stop_grace_period_ms == 250 && seen_set.supervisor.stop_timeout_ms == 250);
    REQUIRE(seen.kill_mode == SPEC_KILL_TREE && seen.type == SPEC_TYPE_AUTO && seen.start_timeout_ms == 0);
    REQUIRE(seen.restart.policy == SPEC_RESTART_ON_FAILURE && seen.restart.max_attempts == 3);
    (void)run("fosterd --wait-all -- prog", look);
    REQUIRE(!seen.essential && seen.orphans == SPEC_ORPHANS_ADOPT);
}

static void no_grace_leaves_left_overs_alone(void)
{
    (void)run("fosterd --grace 0 --restart always -- prog", look);
    REQUIRE(seen.orphans == SPEC_ORPHANS_IGNORE && seen_set.supervisor.stop_timeout_ms == 0);
    /* A SIGTERM that only stands for "no more restarts" kills nobody. */
    REQUIRE(seen.stop_grace_period_ms >= INT32_MAX);
}

static void the_stop_signal_is_the_rewritten_one(void)
{
    (void)run("dumb-init -r 15:3 prog", look);
    REQUIRE(seen_stop_signal == SIGQUIT && seen.kill_mode == SPEC_KILL_TREE);
    (void)run("dumb-init -c -r 15:0 prog", look);
    REQUIRE(seen_stop_signal == SIGCONT && seen.kill_mode == SPEC_KILL_MIXED);
}

static void a_pause_has_no_service(void)
{
    REQUIRE(run("catatonit -P", look) == 0);
    REQUIRE(seen_set.n_services == 0 && seen_set.supervisor.exit_when == SPEC_EXIT_NEVER);
}

static void a_wrong_command_line_runs_nothing(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(dup2(null, STDERR_FILENO) == STDERR_FILENO);
    REQUIRE(run("fosterd --", look) == 64 && run("tini", look) == 1 && run("dumb-init", look) == 1);
    REQUIRE(!engine_ran);
}

static void it_becomes_a_subreaper_that_blocks_everything(void)
{
    sigset_t mask;
    int is_subreaper = 0;
    (void)run("tini -- prog", NULL);
    REQUIRE(prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper) == 0 && is_subreaper == 1);
    REQUIRE(sys_sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
    for (int sig = 1; sig <= SIGRTMAX; sig++)
        REQUIRE(sigismember(&mask, sig) == (sig != SIGKILL && sig != SIGSTOP));
}

static void an_engine_that_cannot_run_starts_nothing(void)
{
    char text[KIT_PATH_MAX];
    int fds[2];
    REQUIRE(pipe(fds) == 0 && dup2(fds[1], STDERR_FILENO) == STDERR_FILENO);
    fails_with = "signalfd: refused";
    REQUIRE(run("fosterd -- prog", NULL) == 71 && run("tini -- prog", NULL) == 1);
    close(fds[1]);
    close(STDERR_FILENO);
    kit_read_end(fds[0], text, sizeof text);
    REQUIRE(strstr(text, "signalfd: refused; nothing was started") != NULL);
}

/* What the hook has made of a request with the environment of a service. */
static struct spawn_request made;
static char **made_slots;

static void request(uint64_t tag)
{
    static struct arena arena;
    static char marker[] = "FOSTER_RUN=00:1", service[] = "FOSTER_SERVICE=command";
    static char *service_env[] = {service, marker, NULL};
    made = (struct spawn_request){.envp = service_env, .tag = tag, .stdio = {-1, -1, -1}};
    REQUIRE(hooks.on_request(&unit, &arena, &made, hooks.data));
    made_slots = made.pid_slots;
}

static void request_with_tag(const struct engine_params *params UNUSED)
{
    request(TAG);
}

static void request_without_tag(const struct engine_params *params UNUSED)
{
    request(NO_TAG);
}

static const char *made_variable(const char *name)
{
    size_t len = strlen(name);
    for (char *const *var = made.envp; *var != NULL; var++)
        if (strncmp(*var, name, len) == 0 && (*var)[len] == '=')
            return *var + len + 1;
    return NULL;
}

static size_t made_variables(void)
{
    size_t n = 0;
    while (made.envp[n] != NULL)
        n++;
    return n;
}

static void the_command_gets_what_we_were_given(void)
{
    clearenv();
    REQUIRE(setenv("A", "1", 1) == 0 && setenv("FOSTER_INIT_FOLLOW", "no", 1) == 0 && setenv("B", "", 1) == 0);
    inherited.closed[0] = true;
    (void)run("tini -- prog", request_with_tag);
    REQUIRE(made_variables() == 2 && strcmp(made.envp[0], "A=1") == 0 && strcmp(made.envp[1], "B=") == 0);
    REQUIRE(made.stdio[0] == SPAWN_FD_CLOSED && made.stdio[1] == 1 && made.stdio[2] == 2);
    REQUIRE(made.keep_fds && made.script_by_sh && made.signals == &inherited.signals);
}

static void without_tags_it_is_marked(void)
{
    clearenv();
    REQUIRE(setenv("A", "1", 1) == 0);
    (void)run("tini -- prog", request_without_tag);
    REQUIRE(made_variables() == 2 && strcmp(made_variable("FOSTER_RUN"), "00:1") == 0);
}

/* sd_listen_fds(3) looks whether the sockets are meant for it. */
static void variables_with_our_pid_will_have_the_command_s(void)
{
    char own[SPAWN_PID_ROOM];
    snprintf(own, sizeof own, "%d", (int)getpid());
    clearenv();
    REQUIRE(setenv("LISTEN_PID", own, 1) == 0 && setenv("LISTEN_FDS", "2", 1) == 0);
    REQUIRE(setenv("WATCHDOG_PID", own, 1) == 0);
    (void)run("tini -- prog", request_with_tag);
    REQUIRE(made_variables() == 3 && strcmp(made_variable("LISTEN_FDS"), "2") == 0);
    REQUIRE(made_slots[0] == made_variable("LISTEN_PID") && made_slots[1] == made_variable("WATCHDOG_PID"));
    REQUIRE(made_slots[2] == NULL && made_slots[0] != getenv("LISTEN_PID"));
}

static void variables_with_another_pid_stay(void)
{
    clearenv();
    REQUIRE(setenv("LISTEN_PID", "1", 1) == 0 && setenv("WATCHDOG_PID", "", 1) == 0);
    (void)run("tini -- prog", request_with_tag);
    REQUIRE(made_slots[0] == NULL && strcmp(made_variable("LISTEN_PID"), "1") == 0);
}

/* The inode of a pidfd proves who is meant (sd_listen_fds(3)), and the command's is another. */
static void the_proof_of_our_pid_goes_with_it(void)
{
    char own[SPAWN_PID_ROOM];
    snprintf(own, sizeof own, "%d", (int)getpid());
    clearenv();
    REQUIRE(setenv("LISTEN_PID", own, 1) == 0 && setenv("LISTEN_PIDFDID", "4711", 1) == 0);
    (void)run("tini -- prog", request_with_tag);
    REQUIRE(made_variables() == 1 && made_variable("LISTEN_PIDFDID") == NULL);
    REQUIRE(setenv("LISTEN_PID", "1", 1) == 0);
    (void)run("tini -- prog", request_with_tag);
    REQUIRE(made_variables() == 2 && strcmp(made_variable("LISTEN_PIDFDID"), "4711") == 0);
}

static void the_session_is_the_personality_s(void)
{
    (void)run("tini -- prog", request_with_tag);
    REQUIRE(made.session == SPAWN_SESSION_GROUP && !made.take_terminal);
    (void)run("dumb-init prog", request_with_tag);
    REQUIRE(made.session == SPAWN_SESSION_NEW && made.take_terminal);
    (void)run("dumb-init -c prog", request_with_tag);
    REQUIRE(made.session == SPAWN_SESSION_SAME && !made.take_terminal);
}

static bool start_forked;
static int start_errnum;

static void fail_to_start(const struct engine_params *params UNUSED)
{
    n_shutdowns = 0;
    hooks.on_start_failed(&unit, start_forked, start_errnum, "no", hooks.data);
}

static void a_start_that_failed_has_its_own_code(void)
{
    static const struct {
        const char *line;
        int forked, errnum, code;
        size_t n_shutdowns;
    } rows[] = {
        {"fosterd -- prog", FORKED, ENOENT, 127, 1},
        {"fosterd -- prog", FORKED, EACCES, 126, 1},
        {"fosterd -- prog", !FORKED, EAGAIN, 71, 1},
        {"tini -- prog", FORKED, ENOEXEC, 1, 1},
        {"tini -- prog", !FORKED, EAGAIN, 1, 1},
        {"dumb-init prog", FORKED, ENOENT, 2, 1},
        {"catatonit prog", FORKED, ENOENT, 1, 1},
        {"fosterd -e 127 -- prog", FORKED, ENOENT, 0, 1},
        /* Somebody has asked for more than one try. */
        {"fosterd --restart always -- prog", !FORKED, EAGAIN, 71, 0},
    };
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(dup2(null, STDERR_FILENO) == STDERR_FILENO);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        start_forked = rows[i].forked;
        start_errnum = rows[i].errnum;
        REQUIRE(run(rows[i].line, fail_to_start) == rows[i].code);
        REQUIRE(n_shutdowns == rows[i].n_shutdowns);
    }
}

static void fail_and_start(const struct engine_params *params)
{
    fail_to_start(params);
    hooks.on_spawned(&unit, hooks.data);
}

static void a_later_start_makes_up_for_it(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(dup2(null, STDERR_FILENO) == STDERR_FILENO);
    start_errnum = EAGAIN;
    REQUIRE(run("fosterd --restart always -- prog", fail_and_start) == CODE_OF_SUPER);
}

static void start_well(const struct engine_params *params UNUSED)
{
    hooks.on_spawned(&unit, hooks.data);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void a_command_that_runs_once_takes_all_along(void)
{
    char cwd[KIT_PATH_MAX];
    int given = dup(STDERR_FILENO), ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(chdir("/proc") == 0 && given > STDERR_FILENO && ours > STDERR_FILENO);
    (void)run("fosterd --restart always -- prog", start_well);
    REQUIRE(is_open(given) && strcmp(getcwd(cwd, sizeof cwd), "/proc") == 0);
    (void)run("fosterd -- prog", start_well);
    REQUIRE(!is_open(given) && is_open(ours) && is_open(STDERR_FILENO) && strcmp(getcwd(cwd, sizeof cwd), "/") == 0);
}

int main(void)
{
#define TEST(name)                                                                                                     \
    {                                                                                                                  \
#name, test, NULL, NULL, &(void (*[])(void))                                                                   \
        {                                                                                                              \
            name                                                                                                       \
        }                                                                                                              \
    }
    const struct CMUnitTest tests[] = {
        TEST(a_command_is_a_service_that_everything_hangs_on),
        TEST(options_are_settings_of_the_service),
        TEST(no_grace_leaves_left_overs_alone),
        TEST(the_stop_signal_is_the_rewritten_one),
        TEST(a_pause_has_no_service),
        TEST(a_wrong_command_line_runs_nothing),
        TEST(it_becomes_a_subreaper_that_blocks_everything),
        TEST(an_engine_that_cannot_run_starts_nothing),
        TEST(the_command_gets_what_we_were_given),
        TEST(without_tags_it_is_marked),
        TEST(variables_with_our_pid_will_have_the_command_s),
        TEST(variables_with_another_pid_stay),
        TEST(the_proof_of_our_pid_goes_with_it),
        TEST(the_session_is_the_personality_s),
        TEST(a_start_that_failed_has_its_own_code),
        TEST(a_later_start_makes_up_for_it),
        TEST(a_command_that_runs_once_takes_all_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

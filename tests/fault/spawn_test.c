/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Starting a process while everything that it calls, on both sides of the fork, fails in turn: either the program runs
 * with nothing but what it should have, or it is said exactly what went wrong, and nothing is left behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fault/support/fault.h"
#include "unit/sys/spawn_kit.h"

enum {
    ALL = 1000,
    N_FDS = 3,
    /* The calls that give so many descriptors, two of them at each other's numbers and one at its own. */
    FDS_FCNTLS = 3,
    FDS_DUPS = 2,
};

/* ------------------------------------------------------------------ what must come of a refused call */

enum outcome { RUNS, DOES_NOT_START, STEP_FAILS };

struct expectation {
    enum outcome outcome;
    enum spawn_step step;
    int errnum;
    const char *before_errno; /* of the error's text */
};

static bool is_refusal(int errnum)
{
    return errnum == ENOSYS || errnum == EPERM || errnum == EINVAL;
}

struct operation {
    char *const *argv;
    bool low_stdio; /* descriptors that have to be moved out of each other's way */
    const int *fds; /* three to be given, two of them at each other's numbers; NULL: none */
    bool script;    /* argv[0] is the path of one, for the shell to read */
    enum spawn_session session;
    bool terminal; /* to be taken, or its foreground */
    const struct inherited_signals *signals;
};

/* One path is tried, and then the shell. */
static struct expectation expect_of_script(const struct fault_rule *rule)
{
    if (rule->nth == 1 && rule->errnum == ENOEXEC)
        return (struct expectation){.outcome = RUNS};
    return (struct expectation){STEP_FAILS, SPAWN_STEP_EXEC, rule->errnum, NULL};
}

/* Two paths are tried, of which the second one is the program. */
static struct expectation expect_of_exec(const struct fault_rule *rule)
{
    int e = rule->errnum;
    if (e != ENOENT && e != ENOTDIR && e != EACCES)
        return (struct expectation){STEP_FAILS, SPAWN_STEP_EXEC, e, NULL};
    if (rule->nth == 1)
        return (struct expectation){.outcome = RUNS};
    return (struct expectation){STEP_FAILS, SPAWN_STEP_EXEC, e == EACCES ? EACCES : ENOENT, NULL};
}

static struct expectation expect_in_child(const struct operation *op, const struct fault_rule *rule)
{
    struct expectation x = {.outcome = STEP_FAILS, .errnum = rule->errnum};
    switch (rule->call) {
    case FAULT_sys_setsid:
    case FAULT_sys_setpgid:
        x.step = SPAWN_STEP_SESSION;
        break;
    case FAULT_sys_prlimit_set:
        x.step = rule->nth == 1 ? SPAWN_STEP_TAG : SPAWN_STEP_NOFILE;
        break;
    case FAULT_sys_open: /* the third one is the list of descriptors, of which there is another way to know */
        x.outcome = rule->nth <= 2 ? STEP_FAILS : RUNS;
        x.step = SPAWN_STEP_STDIO;
        break;
    case FAULT_sys_fcntl:
        x.step = op->fds != NULL && rule->nth <= FDS_FCNTLS ? SPAWN_STEP_FDS : SPAWN_STEP_STDIO;
        break;
    case FAULT_sys_dup3:
        x.step = op->fds != NULL && rule->nth <= FDS_DUPS ? SPAWN_STEP_FDS : SPAWN_STEP_STDIO;
        break;
    case FAULT_sys_prlimit_get:
        x.step = SPAWN_STEP_CLOSE;
        break;
    case FAULT_sys_chdir:
    case FAULT_sys_getcwd:
        x.step = SPAWN_STEP_WORKING_DIR;
        break;
    case FAULT_sys_signal_default:
    case FAULT_sys_signal_ignore:
    case FAULT_sys_sigprocmask:
        x.step = SPAWN_STEP_SIGNALS;
        break;
    case FAULT_sys_execve:
        return op->script ? expect_of_script(rule) : expect_of_exec(rule);
    default: /* for everything else there is another way */
        x.outcome = RUNS;
    }
    return x;
}

static struct expectation expect(const struct operation *op, const struct fault_rule *rule)
{
    struct expectation x = {.outcome = RUNS};
    if (rule == NULL)
        return x;
    if (rule->side == FAULT_CHILD)
        return expect_in_child(op, rule);
    x = (struct expectation){.outcome = DOES_NOT_START, .errnum = rule->errnum};
    switch (rule->call) {
    case FAULT_mem_alloc:
    case FAULT_mem_array:
        x.before_errno = rule->call == FAULT_mem_array && rule->nth == (op->script ? 3U : 2U)
                             ? "descriptors"
                             : "looking for the program";
        return x;
    case FAULT_sys_pipe:
        x.before_errno = "pipe";
        return x;
    case FAULT_sys_sigprocmask:
        x.before_errno = "blocking signals";
        return x;
    case FAULT_sys_fork:
    case FAULT_sys_clone3:
        x.before_errno = "fork";
        if (rule->call == FAULT_sys_clone3 && is_refusal(rule->errnum))
            x.outcome = RUNS;
        return x;
    default:
        x.outcome = RUNS;
        return x;
    }
}

/* ------------------------------------------------------------------ the operation */

static void assert_same_mask(const sigset_t *before)
{
    sigset_t now;
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    for (int sig = 1; sig < _NSIG; sig++)
        assert_int_equal(sigismember(&now, sig), sigismember(before, sig));
}

static void assert_not_started(const struct expectation *x, const struct err *e)
{
    char want[128];
    snprintf(want, sizeof want, "%s: %s", x->before_errno, err_errno_text(x->errnum));
    assert_string_equal(e->text, want);
    assert_int_equal(e->errnum, x->errnum);
    assert_int_equal(e->kind, x->errnum == ENOMEM ? ERR_NOMEM : ERR_SYS);
}

static void assert_started(const struct operation *op, const struct expectation *x, const struct spawn_child *child)
{
    struct spawn_failure failure = {.step = SPAWN_STEP_N};
    enum spawn_verdict verdict = spawn_kit_verdict(child, &failure);
    int code = kit_wait(child->pid);

    spawn_kit_close(child);
    if (x->outcome == RUNS) {
        assert_int_equal(verdict, SPAWN_EXECED);
        assert_int_equal(code, op->fds != NULL ? N_FDS : 0);
        return;
    }
    assert_int_equal(verdict, SPAWN_FAILED);
    assert_int_equal(failure.step, x->step);
    assert_int_equal(failure.errnum, x->errnum);
    assert_int_equal(code, x->step == SPAWN_STEP_EXEC && x->errnum == ENOENT ? 127 : 126);
}

static void start(void *arg, const struct fault_rule *rule)
{
    const struct operation *op = arg;
    struct rlimit nofile;
    struct spawn_child child = {.pid = -1, .pidfd = -7, .status_fd = -7};
    struct err e = {0};
    sigset_t before;

    char *envp[] = {(char *)"PATH=/nonexistent:" FIXTURES, NULL};
    struct spawn_fd fds[N_FDS] = {{0}};
    for (int i = 0; op->fds != NULL && i < N_FDS; i++)
        fds[i] = (struct spawn_fd){op->fds[i], op->fds[i == 0 ? 1 : i == 1 ? 0 : i]};
    struct spawn_request req = {
        .argv = op->argv,
        .envp = envp,
        .fds = fds,
        .n_fds = op->fds != NULL ? N_FDS : 0,
        .working_dir = "/",
        .umask = 022,
        .nofile = &nofile,
        .tag = UINT64_C(1) << 59,
        .stdio = {-1, -1, STDERR_FILENO},
        .session = op->session,
        .foreground = op->terminal,
        .terminal_fd = STDERR_FILENO,
        .take_terminal = op->terminal,
        .signals = op->signals,
        .script_by_sh = op->script,
    };
    if (op->low_stdio)
        req.stdio[0] = STDERR_FILENO;

    struct expectation x = expect(op, rule);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &nofile), 0);
    nofile.rlim_cur = 64;
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &before), 0);
    bool ok = spawn_start(&req, &child, &e);
    assert_same_mask(&before);
    assert_int_equal(ok, x.outcome != DOES_NOT_START);
    if (ok) {
        assert_started(op, &x, &child);
    } else {
        assert_not_started(&x, &e);
        assert_int_equal(child.pid, -1);
        assert_int_equal(child.pidfd, -7);
        assert_int_equal(child.status_fd, -7);
    }
}

/* ------------------------------------------------------------------ the tests */

static const struct fault_rule no_clone3 = {FAULT_PARENT, FAULT_sys_clone3, 1, true, ENOSYS};
static const struct fault_rule no_close_range = {FAULT_CHILD, FAULT_sys_close_range, 1, true, EPERM};
static const struct fault_rule no_getdents = {FAULT_CHILD, FAULT_sys_getdents, 1, true, ENOSYS};

/* Descriptors that would be inherited. */
static int open_strays(void **state)
{
    int *strays = calloc(20, sizeof *strays);
    assert_non_null(strays);
    for (int i = 0; i < 20; i++)
        strays[i] = dup(STDERR_FILENO);
    *state = strays;
    return 0;
}

static int close_strays(void **state)
{
    const int *strays = *state;
    for (int i = 0; i < 20; i++)
        close(strays[i]);
    free(*state);
    return fault_teardown(state);
}

static char **program(void)
{
    static char *argv[] = {(char *)"strays", NULL};
    return argv;
}

static void every_call_refused(void **state UNUSED)
{
    fault_each(NULL, 0, ALL, start, &(struct operation){.argv = program()});
}

static void every_call_refused_when_moving_stdio(void **state UNUSED)
{
    fault_each(NULL, 0, 3, start, &(struct operation){.argv = program(), .low_stdio = true});
}

static void every_call_refused_when_giving_descriptors(void **state)
{
    const int *strays = *state;
    fault_each(NULL, 0, 5, start, &(struct operation){.argv = program(), .fds = strays});
    fault_each(&no_close_range, 1, 5, start, &(struct operation){.argv = program(), .fds = strays});
}

static void every_call_refused_with_fork(void **state UNUSED)
{
    fault_each(&no_clone3, 1, 3, start, &(struct operation){.argv = program()});
}

static void every_call_refused_without_close_range(void **state UNUSED)
{
    fault_each(&no_close_range, 1, 3, start, &(struct operation){.argv = program()});
}

static void every_call_refused_when_closing_blindly(void **state UNUSED)
{
    const struct fault_rule base[] = {no_close_range, no_getdents};
    fault_each(base, ARRAY_LEN(base), 3, start, &(struct operation){.argv = program()});
}

/* The group is made on both sides, and each of them can do without the other's foreground. */
static void every_call_refused_in_a_group(void **state UNUSED)
{
    fault_each(NULL, 0, 3, start,
               &(struct operation){.argv = program(), .session = SPAWN_SESSION_GROUP, .terminal = true});
    assert_int_equal(fault_count(FAULT_PARENT, FAULT_sys_setpgid), 1);
}

static void every_call_refused_when_taking_the_terminal(void **state UNUSED)
{
    fault_each(NULL, 0, 3, start, &(struct operation){.argv = program(), .low_stdio = true, .terminal = true});
}

static void every_call_refused_with_inherited_signals(void **state UNUSED)
{
    struct inherited_signals signals;
    sigemptyset(&signals.mask);
    sigemptyset(&signals.ignored);
    sigaddset(&signals.ignored, SIGPIPE);
    sigaddset(&signals.ignored, SIGRTMAX);
    fault_each(NULL, 0, ALL, start,
               &(struct operation){.argv = program(), .session = SPAWN_SESSION_SAME, .signals = &signals});
}

static void every_call_refused_with_a_script(void **state UNUSED)
{
    char dir[KIT_PATH_MAX], path[KIT_PATH_MAX];
    kit_make_dir(dir);
    char *argv[] = {kit_file(path, dir, "script", "exit 0\n", 0700), NULL};
    fault_each(NULL, 0, 3, start, &(struct operation){.argv = argv, .script = true});
    kit_remove(dir);
}

static void kernel_is_asked_once(void **state UNUSED)
{
    static const struct {
        int clone3, pidfd;          /* errnos */
        unsigned n_clone3, n_pidfd; /* calls in three starts */
    } cases[] = {
        {ENOSYS, 0, 1, 3},     {EPERM, 0, 1, 3},       {EINVAL, 0, 1, 3},
        {ENOSYS, EPERM, 1, 1}, {ENOSYS, ENOSYS, 1, 1}, {ENOSYS, EMFILE, 1, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct fault_rule rules[] = {
            {FAULT_PARENT, FAULT_sys_clone3, 1, true, cases[i].clone3},
            {FAULT_PARENT, FAULT_sys_pidfd_open, 1, true, cases[i].pidfd},
        };
        fault_begin(rules, cases[i].pidfd != 0 ? 2 : 1);
        for (int k = 0; k < 3; k++)
            start(&(struct operation){.argv = program()}, NULL);
        assert_int_equal(fault_count(FAULT_PARENT, FAULT_sys_clone3), cases[i].n_clone3);
        assert_int_equal(fault_count(FAULT_PARENT, FAULT_sys_fork), 3);
        assert_int_equal(fault_count(FAULT_PARENT, FAULT_sys_pidfd_open), cases[i].n_pidfd);
        fault_end();
    }
}

static void failure_that_cannot_be_told_shows_in_the_exit(void **state UNUSED)
{
    char *argv[] = {(char *)"/nonexistent/program", NULL};
    char *envp[] = {NULL};
    const struct fault_rule rule = {FAULT_CHILD, FAULT_sys_write, 1, false, EIO};
    struct spawn_request req = {.argv = argv, .envp = envp, .umask = -1, .stdio = {-1, -1, -1}};
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};

    fault_begin(&rule, 1);
    assert_true(spawn_start(&req, &child, &e));
    assert_int_equal(spawn_kit_verdict(&child, &failure), SPAWN_EXECED);
    assert_int_equal(kit_wait(child.pid), 127);
    assert_int_equal(fault_refused(), 1);
    fault_end();
    spawn_kit_close(&child);
}

/* The list that the linker reads and the table that stands in for it must name the same. */
static void every_wrapped_symbol_has_its_row(void **state UNUSED)
{
    char line[128];
    size_t n = 0;
    FILE *list = fopen(SOURCE_DIR "/tests/fault/wraps.txt", "re");
    assert_non_null(list);
    while (fgets(line, sizeof line, list) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || strcmp(line, "sys_kernel") == 0)
            continue;
        assert_true(n < FAULT_N);
        assert_string_equal(line, fault_name((enum fault_call)n++));
    }
    fclose(list);
    assert_int_equal(n, FAULT_N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wrapped_symbol_has_its_row),
        cmocka_unit_test_setup_teardown(every_call_refused, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(every_call_refused_when_moving_stdio, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(every_call_refused_when_giving_descriptors, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(every_call_refused_with_fork, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(every_call_refused_without_close_range, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(every_call_refused_when_closing_blindly, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(every_call_refused_in_a_group, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(every_call_refused_when_taking_the_terminal, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(every_call_refused_with_inherited_signals, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(every_call_refused_with_a_script, open_strays, close_strays),
        cmocka_unit_test_setup_teardown(kernel_is_asked_once, open_strays, close_strays),
        cmocka_unit_test(failure_that_cannot_be_told_shows_in_the_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

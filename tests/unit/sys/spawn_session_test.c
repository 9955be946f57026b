/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Sessions, process groups and terminals of started programs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/sys.h"

#include "unit/sys/pty_kit.h"
#include "unit/sys/spawn_kit.h"

enum { HAS_TERMINAL = 10, IN_FOREGROUND = 11, HAS_NONE = 12 };

static char self[PATH_MAX];
static char *const no_env[] = {NULL};

/* ------------------------------------------------------------------ the program that is started */

/* Ends when standard input does. */
static int wait_for_end(void)
{
    char c;
    while (read(STDIN_FILENO, &c, 1) > 0)
        continue;
    return 0;
}

static int look_for_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd == -1)
        return HAS_NONE;
    return tcgetpgrp(fd) == getpgrp() ? IN_FOREGROUND : HAS_TERMINAL;
}

/* ------------------------------------------------------------------ groups */

/* What holds at once when spawn_start() has returned, without a word from the child. */
static void group_is_there_at_once(void **state UNUSED)
{
    char *argv[] = {self, (char *)"wait", NULL};
    int in[2];
    bool no_clone3 = sys_kernel()->no_clone3;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    for (int i = 0; i < 40; i++) {
        struct spawn_request req = {
            .argv = argv, .envp = no_env, .umask = -1, .stdio = {in[0], -1, 2}, .session = SPAWN_SESSION_GROUP};
        struct spawn_child child;
        struct err e = {0};
        sys_kernel()->no_clone3 = no_clone3 || i % 2 != 0;
        assert_true(spawn_start(&req, &child, &e));
        assert_int_equal(getpgid(child.pid), child.pid);
        assert_int_equal(getsid(child.pid), getsid(0));
        assert_int_equal(kill(-child.pid, SIGTERM), 0);
        assert_int_equal(kit_wait(child.pid), -SIGTERM);
        spawn_kit_close(&child);
    }
    sys_kernel()->no_clone3 = no_clone3;
    close(in[0]);
    close(in[1]);
}

static void sessions_and_groups(void **state UNUSED)
{
    static const struct {
        enum spawn_session session;
        bool own_session, own_group;
    } cases[] = {
        {SPAWN_SESSION_NEW, true, true},
        {SPAWN_SESSION_GROUP, false, true},
        {SPAWN_SESSION_SAME, false, false},
    };
    char *argv[] = {self, (char *)"wait", NULL};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spawn_child child;
        struct spawn_failure failure;
        struct err e = {0};
        int in[2];
        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        struct spawn_request req = {
            .argv = argv, .envp = no_env, .umask = -1, .stdio = {in[0], -1, 2}, .session = cases[i].session};
        assert_true(spawn_start(&req, &child, &e));
        assert_int_equal(spawn_kit_verdict(&child, &failure), SPAWN_EXECED);
        assert_int_equal(getsid(child.pid), cases[i].own_session ? child.pid : getsid(0));
        assert_int_equal(getpgid(child.pid), cases[i].own_group ? child.pid : getpgrp());
        close(in[0]);
        close(in[1]);
        assert_int_equal(kit_wait(child.pid), 0);
        spawn_kit_close(&child);
    }
}

/* ------------------------------------------------------------------ terminals */

/* Starts REQ; its exit code, or minus the signal that killed it. */
static int run(const struct spawn_request *req)
{
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};
    int status;
    REQUIRE(spawn_start(req, &child, &e));
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_EXECED);
    REQUIRE(waitpid(child.pid, &status, WUNTRACED) == child.pid);
    spawn_kit_close(&child);
    if (WIFSTOPPED(status))
        REQUIRE(kill(child.pid, SIGKILL) == 0 && waitpid(child.pid, NULL, 0) == child.pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) ? -WTERMSIG(status) : -SIGSTOP;
}

/* As a shell does: we lead a session, have its terminal, and are in the foreground. */
static void foreground_is_given_when_asked(void *arg UNUSED)
{
    int master, slave, null = open("/dev/null", O_RDWR | O_CLOEXEC);
    REQUIRE(pty_kit_open(&master, &slave));
    REQUIRE(setsid() != -1 && ioctl(slave, TIOCSCTTY, 0) == 0 && tcgetpgrp(slave) == getpid());
    REQUIRE(dup2(slave, STDIN_FILENO) == STDIN_FILENO);
    signal(SIGTTOU, SIG_IGN); /* to take the foreground back */

    char *argv[] = {self, (char *)"terminal", NULL};
    const struct {
        enum spawn_session session;
        bool foreground;
        int terminal_fd;
        int code;
    } cases[] = {
        {SPAWN_SESSION_GROUP, false, slave, HAS_TERMINAL},
        {SPAWN_SESSION_GROUP, true, slave, IN_FOREGROUND},
        {SPAWN_SESSION_GROUP, true, STDIN_FILENO, IN_FOREGROUND},
        {SPAWN_SESSION_GROUP, true, null, HAS_TERMINAL}, /* no terminal: fine */
        {SPAWN_SESSION_GROUP, true, 999, HAS_TERMINAL},  /* not even open: fine as well */
        {SPAWN_SESSION_SAME, true, slave, IN_FOREGROUND},
        {SPAWN_SESSION_NEW, true, slave, HAS_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        /* Descriptors 0 to 2 of the program are not the terminal: the step comes before them. */
        struct spawn_request req = {.argv = argv,
                                    .envp = no_env,
                                    .umask = -1,
                                    .stdio = {-1, -1, 2},
                                    .session = cases[i].session,
                                    .foreground = cases[i].foreground,
                                    .terminal_fd = cases[i].terminal_fd};
        dprintf(STDOUT_FILENO, "case %zu\n", i);
        REQUIRE(run(&req) == cases[i].code);
        REQUIRE(tcsetpgrp(slave, getpid()) == 0);
    }
    /* The terminal is not closed: as long as we are alive that would be SIGHUP. */
}

static void giving_the_foreground(void **state UNUSED)
{
    if (pty_kit_available("giving the foreground"))
        assert_true(kit_isolated(foreground_is_given_when_asked, NULL));
}

struct taking {
    bool leader_has; /* the terminal is another session's */
    enum spawn_session session;
    bool take;
    bool as_stdin;
    int code;
};

static void take_terminal(void *arg)
{
    const struct taking *t = arg;
    int master, slave;
    REQUIRE(pty_kit_open(&master, &slave));
    REQUIRE(setsid() != -1);
    REQUIRE(!t->leader_has || ioctl(slave, TIOCSCTTY, 0) == 0);

    char *argv[] = {self, (char *)"terminal", NULL};
    struct spawn_request req = {.argv = argv,
                                .envp = no_env,
                                .umask = -1,
                                .stdio = {t->as_stdin ? slave : -1, -1, 2},
                                .session = t->session,
                                .take_terminal = t->take};
    REQUIRE(run(&req) == t->code);
    if (t->leader_has)
        REQUIRE(tcgetpgrp(slave) == getpid());
}

static void taking_the_terminal(void **state UNUSED)
{
    static const struct taking cases[] = {
        {false, SPAWN_SESSION_NEW, true, true, IN_FOREGROUND}, {false, SPAWN_SESSION_NEW, false, true, HAS_NONE},
        {false, SPAWN_SESSION_NEW, true, false, HAS_NONE},     {false, SPAWN_SESSION_GROUP, true, true, HAS_NONE},
        {true, SPAWN_SESSION_NEW, true, true, HAS_NONE},       {true, SPAWN_SESSION_SAME, true, true, IN_FOREGROUND},
    };
    if (!pty_kit_available("taking the terminal"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        print_message("case %zu\n", i);
        assert_true(kit_isolated(take_terminal, (void *)&cases[i]));
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return strcmp(argv[1], "wait") == 0 ? wait_for_end() : look_for_terminal();
    if (kit_under_valgrind()) {
        kit_skip("spawn", "valgrind has a terminal and limits of its own");
        return 77;
    }
    if (realpath(argv[0], self) == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_is_there_at_once),
        cmocka_unit_test(sessions_and_groups),
        cmocka_unit_test(giving_the_foreground),
        cmocka_unit_test(taking_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Who has the terminal's foreground, and who is stopped and continued with whom. Each test is a session of its own on a
 * new terminal; commands are processes that block all signals and wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/terminal.h"

#include "sys/sys.h"

#include "unit/sys/pty_kit.h"

#include <sys/ioctl.h>
#include <sys/prctl.h>

enum { ENDED = 5 };

static const int keys[] = {SIGINT, SIGQUIT, SIGTSTP};

static int slave;
static int gate[2]; /* whoever waits at it ends with the last of its writers: with the test */

/* In a new session, which has a terminal and all signals blocked. */
static void in_session(void *test)
{
    sigset_t all;
    int master;
    sys_all_signals(&all);
    REQUIRE(sys_sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    REQUIRE(sys_pipe(gate, 0) == 0 && pty_kit_open(&master, &slave));
    REQUIRE(sys_setsid() != -1 && sys_take_terminal(slave) == 0);
    (*(void (**)(void))test)();
}

static void run(void **state)
{
    if (pty_kit_available("the terminal"))
        assert_true(kit_isolated(in_session, *state));
}

/* A process in a group of its own. */
static pid_t command(void)
{
    char c;
    pid_t pid = sys_fork();
    if (pid == 0) {
        close(gate[1]);
        _exit(sys_read(gate[0], &c, 1) == 0 ? ENDED : 1);
    }
    REQUIRE(pid > 0 && sys_setpgid(pid, pid) == 0);
    return pid;
}

static void end(pid_t pid)
{
    REQUIRE(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

static pid_t foreground(void)
{
    return sys_tcgetpgrp(slave);
}

static void give(pid_t group)
{
    REQUIRE(sys_tcsetpgrp(slave, group) == 0);
}

/* Whether SIG is pending for PID. */
static bool has(pid_t pid, int sig)
{
    char path[64], line[128];
    unsigned long long set = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    REQUIRE(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "ShdPnd:", 7) == 0)
            set = strtoull(line + 7, NULL, 16);
    fclose(f);
    return (set >> (sig - 1) & 1) != 0;
}

/* What happens just before the foreground goes to a command, if anything does. */
static void (*before_giving)(pid_t to);

/* In place of the C library's, by which the foreground is given. */
int tcsetpgrp(int fd, pid_t group)
{
    if (before_giving != NULL && group != getpgrp())
        before_giving(group);
    return ioctl(fd, TIOCSPGRP, &group);
}

static void it_is_found_in_the_foreground(void)
{
    struct terminal t;
    size_t n = kit_count_fds();
    terminal_open(&t);
    REQUIRE(t.fd > STDERR_FILENO && (fcntl(t.fd, F_GETFD) & FD_CLOEXEC) != 0);
    REQUIRE(t.foreground && t.own == getpgrp() && t.group == 0);
    terminal_close(&t);
    REQUIRE(t.fd == -1 && kit_count_fds() == n && foreground() == getpgrp());
}

static void it_is_found_in_the_background(void)
{
    struct terminal t;
    pid_t other = command();
    give(other);
    terminal_open(&t);
    REQUIRE(t.fd >= 0 && !t.foreground);
    terminal_close(&t);
    REQUIRE(foreground() == other);
}

/* What stops others from stopping must not make our own job control wait for ever. */
static void stopping_signals_are_at_their_defaults(void)
{
    static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};
    struct terminal t;
    for (size_t i = 0; i < ARRAY_LEN(stops); i++)
        REQUIRE(signal(stops[i], SIG_IGN) != SIG_ERR);
    terminal_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(stops); i++)
        REQUIRE(sys_signal_is_ignored(stops[i]) == 0);
    terminal_close(&t);
}

static void without_one_every_call_does_nothing(void)
{
    struct terminal t;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = command();
    REQUIRE(sys_drop_terminal(slave) == 0);
    for (int fd = 0; fd < 3; fd++)
        REQUIRE(dup2(null, fd) == fd);
    terminal_open(&t);
    REQUIRE(t.fd == -1 && !t.foreground);
    terminal_set_group(&t, pid);
    REQUIRE(!terminal_reclaim(&t));
    terminal_set_group(&t, pid);
    terminal_suspended(&t, SIGTSTP);
    REQUIRE(!terminal_continued(&t) && !terminal_hand_on(&t) && !terminal_key(&t, SIGINT));
    terminal_close(&t);
    REQUIRE(!has(pid, SIGCONT) && !has(pid, SIGINT));
}

static void it_is_reclaimed_from_the_command(void)
{
    struct terminal t;
    pid_t pid = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    give(pid);
    REQUIRE(terminal_reclaim(&t) && foreground() == getpgrp() && t.group == 0);
    REQUIRE(terminal_reclaim(&t));
    terminal_close(&t);
}

static void it_is_reclaimed_from_a_group_with_nobody_in_it(void)
{
    struct terminal t;
    pid_t pid = command(), other = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    give(other);
    end(other);
    REQUIRE(terminal_reclaim(&t) && foreground() == getpgrp());
    terminal_close(&t);
}

/* As of an editor that the command has started, and that outlives it. */
static void it_is_left_to_a_group_that_is_alive(void)
{
    struct terminal t;
    pid_t pid = command(), other = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    give(other);
    REQUIRE(!terminal_reclaim(&t) && foreground() == other);
    terminal_close(&t);
    REQUIRE(foreground() == other);
}

static void from_the_background_nothing_is_reclaimed(void)
{
    struct terminal t;
    pid_t pid = command();
    give(pid);
    terminal_open(&t);
    terminal_set_group(&t, pid);
    REQUIRE(!terminal_reclaim(&t) && foreground() == pid);
    terminal_close(&t);
    REQUIRE(foreground() == pid);
}

static void what_was_given_to_us_is_handed_on(void)
{
    struct terminal t;
    pid_t pid = command();
    give(pid);
    terminal_open(&t);
    terminal_set_group(&t, pid);
    give(getpgrp());
    /* We have not been suspended: the command gets its SIGCONT from the caller, and the foreground behind that. */
    REQUIRE(!terminal_continued(&t) && foreground() == getpgrp());
    REQUIRE(terminal_hand_on(&t) && foreground() == pid && !has(pid, SIGCONT));
    REQUIRE(!terminal_hand_on(&t));
    /* It is ours to reclaim from now on. */
    REQUIRE(t.foreground && terminal_reclaim(&t) && foreground() == getpgrp());
    terminal_close(&t);
}

static void what_others_have_is_not_handed_on(void)
{
    struct terminal t;
    pid_t pid = command(), other = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    give(other);
    REQUIRE(!terminal_continued(&t) && !terminal_hand_on(&t) && !terminal_key(&t, SIGINT));
    REQUIRE(foreground() == other && !has(pid, SIGINT));
    terminal_close(&t);
}

static void a_key_that_hit_us_was_meant_for_the_command(void)
{
    struct terminal t;
    terminal_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        pid_t pid = command(), fellow = command();
        REQUIRE(sys_setpgid(fellow, pid) == 0);
        terminal_set_group(&t, pid);
        give(getpgrp());
        REQUIRE(!terminal_key(&t, SIGTERM) && foreground() == getpgrp());
        REQUIRE(terminal_key(&t, keys[i]) && foreground() == pid);
        REQUIRE(has(pid, keys[i]) && has(fellow, keys[i]) && !has(pid, SIGTERM));
        /* The next one goes where it should by itself. */
        REQUIRE(!terminal_key(&t, keys[i]));
        end(fellow);
        end(pid);
    }
    terminal_close(&t);
}

static int typed;

static void type_a_key(pid_t to)
{
    (void)to;
    REQUIRE(sys_kill_own_group(typed) == 0);
}

/* What terminal_key() would not know from a signal that is meant for us any more. */
static void a_key_that_hits_us_while_we_hand_on_reaches_the_command(void)
{
    struct terminal t;
    terminal_open(&t);
    before_giving = type_a_key;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        pid_t pid = command(), fellow = command();
        REQUIRE(sys_setpgid(fellow, pid) == 0);
        terminal_set_group(&t, pid);
        give(getpgrp());
        typed = keys[i];
        REQUIRE(terminal_hand_on(&t) && foreground() == pid);
        REQUIRE(has(pid, typed) && has(fellow, typed) && !has(getpid(), typed));
        end(fellow);
        end(pid);
    }
    terminal_close(&t);
}

/* Its SIGCONT comes before the Ctrl-Z, or else it would have taken it back. */
static void a_ctrl_z_while_a_reader_gets_what_we_have_suspends_it(void)
{
    struct terminal t;
    pid_t pid = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    before_giving = type_a_key;
    typed = SIGTSTP;
    terminal_suspended(&t, SIGTTIN);
    REQUIRE(foreground() == pid && has(pid, SIGTSTP) && !has(pid, SIGCONT) && !has(getpid(), SIGTSTP));
    terminal_close(&t);
}

static bool had_cont;

static void look_for_cont(pid_t to)
{
    had_cont = has(to, SIGCONT) && !has(getpid(), SIGCONT);
}

/* A key may be dealt with before the SIGCONT of the `fg` that it comes behind. Later it would undo a Ctrl-Z. */
static void a_command_that_runs_is_continued_before_it_gets_the_foreground(void)
{
    struct terminal t;
    pid_t pid = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    sys_raise(SIGCONT);
    before_giving = look_for_cont;
    REQUIRE(terminal_key(&t, SIGINT) && had_cont && foreground() == pid && has(pid, SIGINT));
    terminal_close(&t);
}

static void a_reader_that_gets_what_we_have_is_continued_once(void)
{
    struct terminal t;
    pid_t pid = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    sys_raise(SIGCONT);
    terminal_suspended(&t, SIGTTIN);
    REQUIRE(foreground() == pid && has(pid, SIGCONT) && !has(getpid(), SIGCONT));
    terminal_close(&t);
}

/* Nobody could continue us: a session leader's parent is in another session. */
static void an_orphaned_job_is_not_suspended(void)
{
    struct terminal t;
    pid_t pid = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    give(pid);
    terminal_suspended(&t, SIGTSTP);
    REQUIRE(foreground() == pid && has(pid, SIGCONT));
    terminal_close(&t);
}

static void an_orphaned_command_that_was_stopped_on_purpose_stays_so(void)
{
    struct terminal t;
    pid_t pid = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    give(pid);
    terminal_suspended(&t, SIGSTOP);
    REQUIRE(foreground() == pid && !has(pid, SIGCONT));
    terminal_close(&t);
}

static void an_orphaned_reader_waits_while_others_have_the_terminal(void)
{
    struct terminal t;
    pid_t pid = command(), other = command();
    terminal_open(&t);
    terminal_set_group(&t, pid);
    give(other);
    terminal_suspended(&t, SIGTTIN);
    REQUIRE(foreground() == other && !has(pid, SIGCONT));
    end(other);
    terminal_suspended(&t, SIGTTIN);
    REQUIRE(foreground() == pid && has(pid, SIGCONT));
    terminal_close(&t);
}

/* The shell gave the terminal to our group and told nobody: `fg` of a job that ran in the background. */
static void a_reader_gets_what_we_have(void)
{
    struct terminal t;
    pid_t pid = command(), other = command();
    give(other);
    terminal_open(&t);
    terminal_set_group(&t, pid);
    give(getpgrp());
    terminal_suspended(&t, SIGTTIN);
    REQUIRE(t.foreground && foreground() == pid && has(pid, SIGCONT));
    terminal_close(&t);
}

/* The command PID is stopped by SIG, and the job with it; both come back. */
static void suspend(struct terminal *t, pid_t pid, int sig)
{
    terminal_suspended(t, sig);
    REQUIRE(foreground() == getpgrp() && !has(pid, SIGCONT));
    REQUIRE(terminal_continued(t) && foreground() == pid && has(pid, SIGCONT));
    REQUIRE(!terminal_continued(t));
}

/* Runs BODY as an init below a shell, which is the session's leader, and with a command, which has the foreground. The
 * job must be suspended by AS, once. */
static void below_a_shell(void (*body)(struct terminal *t, pid_t pid, int sig), int sig, int as)
{
    struct terminal t;
    siginfo_t info;
    if (kit_under_valgrind()) {
        kit_skip("suspending a job", "valgrind keeps the mask to itself, and a stopped process goes on");
        return;
    }
    pid_t init = sys_fork();
    if (init == 0) {
        REQUIRE(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && sys_setpgid(0, 0) == 0);
        give(getpgrp());
        pid_t pid = command();
        terminal_open(&t);
        terminal_set_group(&t, pid);
        give(pid);
        body(&t, pid, sig);
        terminal_close(&t);
        end(pid);
        _exit(ENDED);
    }
    REQUIRE(init > 0 && sys_waitid(P_PID, (id_t)init, &info, WSTOPPED | WEXITED) == 0);
    REQUIRE(info.si_code == CLD_STOPPED && info.si_status == as);
    REQUIRE(foreground() == init);
    REQUIRE(kill(-init, SIGCONT) == 0 && kit_wait(init) == ENDED);
}

static void a_job_is_suspended_and_comes_back(void)
{
    below_a_shell(suspend, SIGTSTP, SIGTSTP);
}

static void a_reader_suspends_the_job_as_a_reader(void)
{
    below_a_shell(suspend, SIGTTIN, SIGTTIN);
}

static void a_stop_on_purpose_suspends_the_job_softly(void)
{
    below_a_shell(suspend, SIGSTOP, SIGTSTP);
}

static void hand_on_and_suspend(struct terminal *t, pid_t pid, int sig)
{
    give(getpgrp());
    REQUIRE(terminal_hand_on(t));
    terminal_suspended(t, SIGTTIN);
    REQUIRE(foreground() == pid && has(pid, SIGCONT));
    REQUIRE(sys_kill_group(pid, SIGTSTP) == 0 && !has(pid, SIGCONT));
    suspend(t, pid, sig);
}

/* It read before it got the foreground, and its stop is reported after that. Only one can be. */
static void a_reader_may_be_late_once(void)
{
    below_a_shell(hand_on_and_suspend, SIGTTIN, SIGTTIN);
}

static void press_ctrl_z_and_suspend(struct terminal *t, pid_t pid, int sig)
{
    give(getpgrp());
    REQUIRE(terminal_key(t, SIGTSTP));
    suspend(t, pid, sig);
}

/* That stop hides the other: the command is stopped already when the key is passed on. */
static void a_late_reader_is_suspended_by_ctrl_z(void)
{
    below_a_shell(press_ctrl_z_and_suspend, SIGTTIN, SIGTTIN);
}

static void dropping_takes_back_what_it_causes(void)
{
    REQUIRE(dup2(slave, STDIN_FILENO) == STDIN_FILENO);
    terminal_drop();
    REQUIRE(foreground() == -1);
    REQUIRE(!has(getpid(), SIGHUP) && !has(getpid(), SIGCONT));
}

static void who_does_not_lead_drops_nothing(void)
{
    REQUIRE(dup2(slave, STDIN_FILENO) == STDIN_FILENO);
    pid_t pid = sys_fork();
    if (pid == 0) {
        terminal_drop();
        _exit(foreground() > 0 ? ENDED : 1);
    }
    REQUIRE(pid > 0 && kit_wait(pid) == ENDED && foreground() == getpgrp());
}

static void another_standard_input_keeps_the_terminal(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO);
    terminal_drop();
    REQUIRE(foreground() == getpgrp());
}

int main(void)
{
#define TEST(name)                                                                                                     \
    {                                                                                                                  \
#name, run, NULL, NULL, &(void (*[])(void))                                                                    \
        {                                                                                                              \
            name                                                                                                       \
        }                                                                                                              \
    }
    const struct CMUnitTest tests[] = {
        TEST(it_is_found_in_the_foreground),
        TEST(it_is_found_in_the_background),
        TEST(stopping_signals_are_at_their_defaults),
        TEST(without_one_every_call_does_nothing),
        TEST(it_is_reclaimed_from_the_command),
        TEST(it_is_reclaimed_from_a_group_with_nobody_in_it),
        TEST(it_is_left_to_a_group_that_is_alive),
        TEST(from_the_background_nothing_is_reclaimed),
        TEST(what_was_given_to_us_is_handed_on),
        TEST(what_others_have_is_not_handed_on),
        TEST(a_key_that_hit_us_was_meant_for_the_command),
        TEST(a_key_that_hits_us_while_we_hand_on_reaches_the_command),
        TEST(a_ctrl_z_while_a_reader_gets_what_we_have_suspends_it),
        TEST(a_command_that_runs_is_continued_before_it_gets_the_foreground),
        TEST(a_reader_that_gets_what_we_have_is_continued_once),
        TEST(an_orphaned_job_is_not_suspended),
        TEST(an_orphaned_command_that_was_stopped_on_purpose_stays_so),
        TEST(an_orphaned_reader_waits_while_others_have_the_terminal),
        TEST(a_reader_gets_what_we_have),
        TEST(a_job_is_suspended_and_comes_back),
        TEST(a_reader_suspends_the_job_as_a_reader),
        TEST(a_stop_on_purpose_suspends_the_job_softly),
        TEST(a_reader_may_be_late_once),
        TEST(a_late_reader_is_suspended_by_ctrl_z),
        TEST(dropping_takes_back_what_it_causes),
        TEST(who_does_not_lead_drops_nothing),
        TEST(another_standard_input_keeps_the_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

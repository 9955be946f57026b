/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The terminal and who is on it, see pty.h.
 */
#include "init/pty_support/pty.h"

#include "init/pty_support/tty.h"
#include "scenario/support/internal.h"
#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pty *current;

/** How each init is called: as its own name, linked to ours, or the program that the system has. */
static const struct {
    const char *name;
    const char *options;
} inits[PTY_INITS] = {
    [PTY_TINI] = {"tini", "--"},
    [PTY_DUMB_INIT] = {"dumb-init", ""},
    [PTY_DUMB_INIT_SINGLE] = {"dumb-init", "-c"},
    [PTY_CATATONIT] = {"catatonit", "--"},
    [PTY_FOSTER] = {"fosterd", "--"},
};

int pty_setup(void **state)
{
    return scenario_setup(state);
}

int pty_teardown(void **state)
{
    struct pty *p = current;
    int r = scenario_teardown(state);
    current = NULL;
    if (p) {
        tty_close(p);
        free(p->out);
        free(p);
    }
    return r;
}

/** Whether FILE can be executed and is not a name under which fosterd has been installed. */
static bool is_program(const char *file)
{
    char *real = realpath(file, NULL);
    const char *name = real ? strrchr(real, '/') : NULL;
    bool ret = name && strcmp(name, "/fosterd") != 0 && access(real, X_OK) == 0;
    free(real);
    return ret;
}

/** Where the program NAME is, or NULL. */
static const char *find_program(struct scenario *s, const char *name)
{
    const char *path = getenv("PATH");
    for (const char *at = path ? path : "/usr/bin:/bin"; *at; at += strspn(at, ":")) {
        char *file = NULL;
        size_t n = strcspn(at, ":");
        if (asprintf(&file, "%.*s/%s", (int)n, at, name) < 0) {
            abort();
        }
        if (is_program(keep(s, file))) {
            return file;
        }
        at += n;
    }
    return NULL;
}

static void link_program(struct pty *p, const char *from, const char *name)
{
    const char *to = scenario_path(p->s, name);
    pty_check(p, symlink(from, to) == 0);
}

/** The program behind the row C's init. Of our builds the checked one goes by its own name, and the one that is started
 *  eight times as fast by the peers'. */
static const char *init_program(struct scenario *s, const struct pty_case *c)
{
    if (c->peer) {
        return find_program(s, inits[c->init].name);
    }
    return c->init == PTY_FOSTER ? FOSTERD : FOSTERD_PLAIN;
}

/** Skips the test when what the row C needs is not there. */
static void require(struct pty *p, const struct pty_case *c)
{
    const char *needed[] = {c->shell, c->peer ? inits[c->init].name : c->shell};
    for (size_t i = 0; i < 2; i++) {
        if (!find_program(p->s, needed[i])) {
            scenario_skip("no %s here", needed[i]);
        }
    }
}

struct pty *pty_new(const struct pty_case *c)
{
    struct pty *p = must(calloc(1, sizeof(*p)));
    *p = (struct pty){.s = scenario_new(), .c = c, .master = -1, .slave = -1, .leader_fd = -1};
    p->guard_at_ms = now_ms() + SCENARIO_GUARD_MS;
    current = p;
    require(p, c);
    tty_open(p);
    link_program(p, FIXTURE, "actor");
    link_program(p, init_program(p->s, c), inits[c->init].name);
    return p;
}

/** The environment of the leader: what a shell would read at its start is nobody's but the test's. */
static void set_environment(const struct pty *p)
{
    static const char *const unwanted[] = {"ENV", "BASH_ENV", "HISTFILE", "POSIXLY_CORRECT", "PROMPT_COMMAND"};
    char init[64];
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(*unwanted); i++) {
        (void)unsetenv(unwanted[i]);
    }
    (void)snprintf(init, sizeof(init), "./%s %s", inits[p->c->init].name, inits[p->c->init].options);
    (void)setenv("INIT", init, 1);
    (void)setenv("ACTOR", "./actor", 1);
    (void)setenv("SHELL_I", strcmp(p->c->shell, "bash") ? "dash -i" : "bash --noediting --norc --noprofile -i", 1);
    (void)setenv("PS1", PTY_PROMPT, 1);
    (void)setenv("LC_ALL", "C", 1);
    (void)setenv("TERM", "dumb", 1);
}

static _Noreturn void become_leader(struct pty *p, const char *line, int clone_flags)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int sig = 1; sig < NSIG; sig++) {
        (void)signal(sig, SIG_DFL);
    }
    if (clone_flags) {
        world_own_proc(NULL);
    } else {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (setsid() < 0 || ioctl(p->slave, TIOCSCTTY, 0) || dup2(p->slave, 0) < 0 || dup2(p->slave, 1) < 0 ||
        dup2(p->slave, 2) < 0 || chdir(scenario_dir(p->s))) {
        _exit(111);
    }
    set_environment(p);
    (void)execlp("sh", "sh", "-c", line, (char *)NULL);
    _exit(112);
}

void pty_lead(struct pty *p, const char *line, int clone_flags)
{
    p->leader =
        clone_flags ? (pid_t)syscall(SYS_clone, (unsigned long)clone_flags | SIGCHLD, NULL, NULL, NULL, NULL) : fork();
    if (p->leader == 0) {
        become_leader(p, line, clone_flags);
    }
    pty_check(p, p->leader > 1);
    p->leader_fd = (int)syscall(SYS_pidfd_open, p->leader, 0);
    pty_check(p, p->leader_fd >= 0);
}

struct pty *pty_shell(const struct pty_case *c)
{
    struct pty *p = pty_new(c);
    pty_lead(p, "exec $SHELL_I", 0);
    (void)pty_prompt(p);
    return p;
}

struct scenario *pty_scenario(struct pty *p)
{
    return p->s;
}

const struct pty_case *pty_case(const struct pty *p)
{
    return p->c;
}

pid_t pty_leader(const struct pty *p)
{
    return p->leader;
}

/** Reads on until DONE holds for what it is given. For what the kernel tells nobody of. */
static void wait_until(struct pty *p, bool (*done)(struct pty *p, pid_t id, const char *text), pid_t id,
                       const char *text)
{
    enum { LOOK_MS = 1 };
    while (!done(p, id, text)) {
        (void)tty_pump(p, LOOK_MS);
    }
}

static bool is_not_foreground(struct pty *p, pid_t group, const char *text)
{
    (void)text;
    return pty_foreground(p) != group;
}

static bool has_state(struct pty *p, pid_t pid, const char *states)
{
    char state = procs_state(pid);
    if (!state) {
        pty_fail(p, "process %d is gone", (int)pid);
    }
    return strchr(states, state) != NULL;
}

static bool is_idle(struct pty *p, pid_t pid, const char *text)
{
    (void)text;
    /* In this order: a signal that comes between wakes it up. */
    return procs_status(pid, "ShdPnd") == 0 && procs_status(pid, "SigPnd") == 0 && has_state(p, pid, "S");
}

void pty_wait_not_foreground(struct pty *p, pid_t group)
{
    wait_until(p, is_not_foreground, group, NULL);
}

void pty_wait_state(struct pty *p, pid_t pid, const char *states)
{
    wait_until(p, has_state, pid, states);
}

void pty_wait_idle(struct pty *p, pid_t pid)
{
    wait_until(p, is_idle, pid, NULL);
}

int pty_wait_end(struct pty *p)
{
    int status = 0;
    while (waitpid(p->leader, &status, WNOHANG) != p->leader) {
        tty_pump(p, -1);
    }
    (void)close(p->leader_fd);
    p->leader_fd = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void pty_hang_up(struct pty *p)
{
    tty_close(p);
}

static bool is_over(struct pty *p, pid_t id, const char *text)
{
    (void)p;
    (void)id;
    (void)text;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

void pty_wait_nobody(struct pty *p)
{
    wait_until(p, is_over, 0, NULL);
}

void pty_check_nobody(struct pty *p)
{
    static struct procs children;
    char command[256];
    procs_children(getpid(), &children);
    if (children.n > 0) {
        pty_fail(p, "%d is left: %s", (int)children.pids[0], procs_command(children.pids[0], command, sizeof(command)));
    }
}

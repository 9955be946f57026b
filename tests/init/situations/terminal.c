/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Keys, the foreground, and jobs that are suspended. The process that runs the trials is the shell here: it leads the
 * terminal's session, knows the init as a job, and sees of it what waitpid(2) tells.
 */
#include "init/situations/situations.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MARKER = 64 };

#define CTRL_C "\x03"
#define CTRL_Z "\x1a"
#define LINE   "word\n"

/** The terminal; one trial runs at a time. */
static struct {
    int master;
    int slave;
} tty;

/** The terminal is nobody's any more. */
static void drop_terminal(struct trial *t)
{
    (void)t;
    /* This sends a SIGHUP to the foreground, which may be us. */
    (void)ioctl(tty.slave, TIOCNOTTY);
    (void)close(tty.slave);
    (void)close(tty.master);
    (void)signal(SIGHUP, SIG_DFL);
    (void)signal(SIGTTOU, SIG_DFL);
}

/** A new terminal, which is nobody's yet. */
static void new_terminal(struct trial *t)
{
    char name[64];
    tty.slave = -1;
    tty.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty.master >= 0 && !grantpt(tty.master) && !unlockpt(tty.master) &&
        !ptsname_r(tty.master, name, sizeof(name))) {
        tty.slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGTTOU, SIG_IGN);
    t->cleanup = drop_terminal;
    if (tty.slave < 0) {
        (void)dprintf(STDOUT_FILENO, "SKIP: no pseudo-terminal can be opened here\n");
        trial_skip(t);
    }
}

static void type(struct trial *t, const char *text)
{
    if (write(tty.master, text, strlen(text)) != (ssize_t)strlen(text)) {
        trial_fail(t, "terminal: %s", strerror(errno));
    }
}

static void in_background(struct trial *t)
{
    (void)t;
    (void)dup2(tty.slave, STDIN_FILENO);
}

static void in_foreground(struct trial *t)
{
    in_background(t);
    (void)tcsetpgrp(STDIN_FILENO, getpid());
}

static void as_leader(struct trial *t)
{
    in_background(t);
    (void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
}

/** The job is a script, whose first command is the init and whose second reads a line. */
static void as_script(struct trial *t)
{
    char line[64];
    in_foreground(t);
    pid_t init = fork();
    if (init == 0) {
        return;
    }
    (void)signal(SIGTTIN, SIG_DFL);
    (void)waitpid(init, NULL, 0);
    (void)send(TRIAL_TALK_FD, "after", 5, MSG_NOSIGNAL);
    if (read(STDIN_FILENO, line, sizeof(line)) > 0) {
        (void)send(TRIAL_TALK_FD, "read a line", 11, MSG_NOSIGNAL);
    }
    _exit(0);
}

/** The shell starts a job. */
static void start_job(struct trial *t, void (*prepare)(struct trial *))
{
    new_terminal(t);
    if (ioctl(tty.slave, TIOCSCTTY, 0)) {
        trial_fail(t, "TIOCSCTTY: %s", strerror(errno));
    }
    t->prepare = prepare;
    (void)trial_start_ready(t);
}

/** The init starts without any shell, as in a container. */
static void start_leader(struct trial *t)
{
    new_terminal(t);
    t->leads = true;
    t->prepare = as_leader;
    (void)trial_start_ready(t);
}

/** `fg` of a suspended job. */
static void fg(struct trial *t)
{
    if (tcsetpgrp(tty.slave, getpgrp()) || tcsetpgrp(tty.slave, t->init) || kill(-t->init, SIGCONT)) {
        trial_fail(t, "fg: %s", strerror(errno));
    }
}

/** The signal that has suspended the job, as the shell sees it; 0: it is not suspended. */
static int suspended_by(const struct trial *t)
{
    siginfo_t info = {0};
    (void)waitid(P_PID, (id_t)t->init, &info, WSTOPPED | WNOHANG | WNOWAIT);
    return info.si_pid ? info.si_status : 0;
}

/** Whether the init sleeps and has taken every SIGWINCH. */
static bool is_idle(const struct trial *t)
{
    return !(look_pending(t->init) & UINT64_C(1) << (SIGWINCH - 1)) && look_state(t->init) == 'S';
}

/** Waits until the init has dealt with all that happened before, or is stopped; whether it is. */
static bool stops_itself(struct trial *t)
{
    for (int i = 0; i < 2; i++) {
        trial_signal(t, SIGWINCH);
        trial_until(t, t->ended || suspended_by(t) || is_idle(t));
    }
    return suspended_by(t);
}

/** Whether the command is stopped and nobody will do anything about it. */
static bool is_frozen(struct trial *t)
{
    return look_state(t->child) == 'T' && !stops_itself(t) && look_state(t->child) == 'T';
}

enum fate { FATE_READS, FATE_SUSPENDED, FATE_FROZEN, FATE_DEAF };

/** Waits until it is plain what becomes of a command that reads a line. */
static enum fate settle(struct trial *t)
{
    for (;;) {
        if (trial_heard(t, t->child, "read a line")) {
            return FATE_READS;
        }
        if (suspended_by(t)) {
            return FATE_SUSPENDED;
        }
        if (is_frozen(t)) {
            return FATE_FROZEN;
        }
        if (look_pending(t->child) & look_set(t->child, "SigBlk") & UINT64_C(1) << (SIGTSTP - 1)) {
            return FATE_DEAF;
        }
        trial_turn(t);
    }
}

static void note_fate(struct trial *t, enum fate fate)
{
    if (fate == FATE_SUSPENDED) {
        trial_note(t, "suspended by %d", suspended_by(t));
    } else {
        trial_note(t, fate == FATE_READS    ? "reads"
                      : fate == FATE_FROZEN ? "frozen: the shell sees no stop"
                                            : "the key does nothing");
    }
}

/** Who has the foreground. */
static const char *foreground(const struct trial *t)
{
    pid_t group = tcgetpgrp(tty.master);
    return group == t->init                    ? "the job"
           : group == getpgrp()                ? "the shell"
           : group == look_group(t->child)     ? "the command's group"
           : kill(-group, 0) && errno == ESRCH ? "a group that is gone"
                                               : "others";
}

static void script(struct trial *t, const struct situation *s)
{
    const struct message *m = NULL;
    (void)s;
    start_job(t, as_script);
    trial_note(t, "foreground: %s", foreground(t));
    trial_tell(t, "exit 0");
    (void)trial_expect(t, t->init, "after");
    trial_note(t, "then %s", foreground(t));
    type(t, LINE);
    trial_until(t, (m = trial_heard(t, t->init, "read a line")) || suspended_by(t));
    trial_note(t, m ? "the script reads" : "the script is stopped");
}

static void background(struct trial *t, const struct situation *s)
{
    (void)s;
    start_job(t, in_background);
    trial_note(t, "foreground: %s", foreground(t));
}

/** The line is there before it is read, so whoever is let read does. */
static void background_read(struct trial *t, const struct situation *s)
{
    (void)s;
    start_job(t, in_background);
    type(t, LINE);
    trial_tell(t, "read");
    enum fate fate = settle(t);
    note_fate(t, fate);
    if (fate == FATE_SUSPENDED) {
        fg(t);
        note_fate(t, settle(t));
    }
}

static void interrupt(struct trial *t, const struct situation *s)
{
    (void)s;
    start_job(t, in_foreground);
    type(t, CTRL_C);
    trial_note_end(t);
}

/** The init is stopped for a while, so that what it passes on comes after what the terminal sends. */
static void interrupt_caught(struct trial *t, const struct situation *s)
{
    const struct message *m;
    int told = 0;
    (void)s;
    start_job(t, in_foreground);
    trial_order(t, "catch");
    pid_t group = tcgetpgrp(tty.master);
    trial_signal(t, SIGSTOP);
    trial_until(t, look_state(t->init) == 'T');
    type(t, CTRL_C);
    if (look_group(t->child) == group) {
        told += !strcmp(trial_expect(t, t->child, "got")->text, "got 2");
    }
    trial_until(t, look_group(t->init) != group || look_pending(t->init) & UINT64_C(1) << (SIGINT - 1));
    trial_signal(t, SIGCONT);
    trial_signal(t, MARKER);
    do {
        m = trial_expect(t, t->child, "got");
        told += !strcmp(m->text, "got 2");
    } while (strcmp(m->text, "got 64") != 0);
    trial_note(t, told == 1 ? "told once" : told ? "told twice" : "not told");
}

static void suspend(struct trial *t, const struct situation *s)
{
    (void)s;
    start_job(t, in_foreground);
    trial_tell(t, "read");
    type(t, CTRL_Z);
    enum fate fate = settle(t);
    note_fate(t, fate);
    if (fate == FATE_SUSPENDED) {
        fg(t);
        type(t, LINE);
        note_fate(t, settle(t));
    } else if (fate == FATE_DEAF) {
        type(t, LINE);
        (void)trial_expect(t, t->child, "read a line");
        trial_note(t, "reads");
    }
}

static void leader_interrupt(struct trial *t, const struct situation *s)
{
    (void)s;
    start_leader(t);
    type(t, CTRL_C);
    trial_note_end(t);
}

/** Whoever reads what was typed behind the key is not stopped by it. */
static void leader_suspend(struct trial *t, const struct situation *s)
{
    const struct message *m = NULL;
    (void)s;
    start_leader(t);
    trial_tell(t, "read");
    type(t, CTRL_Z LINE);
    trial_until(t, (m = trial_heard(t, t->child, "read a line")) || is_frozen(t));
    trial_note(t, m ? "the command goes on" : "the command is stopped for ever");
    trial_note(t, stops_itself(t) ? "the init is stopped" : "the init goes on");
}

#define SINGLE                                                                                                         \
    {                                                                                                                  \
        NULL, "-c", NULL, NULL                                                                                         \
    }

static const struct situation rows[] = {
    {"a script that reads after the command", EVERY(""), script, 0, NULL, NULL, false},
    {"in the background", EVERY(""), background, 0, NULL, NULL, false},
    {"in the background: a read, then fg", EVERY(""), background_read, 0, NULL, NULL, false},
    {"in the background: a read, then fg (-c)", SINGLE, background_read, 0, NULL, NULL, false},
    {"Ctrl-C", EVERY(""), interrupt, 0, NULL, NULL, false},
    {"Ctrl-C, caught", EVERY(""), interrupt_caught, 0, NULL, NULL, false},
    {"Ctrl-C, caught (-c)", SINGLE, interrupt_caught, 0, NULL, NULL, false},
    {"Ctrl-Z, then fg", EVERY(""), suspend, 0, NULL, NULL, false},
    {"Ctrl-Z, then fg (-c)", SINGLE, suspend, 0, NULL, NULL, false},
    {"the session's leader: Ctrl-C", EVERY(""), leader_interrupt, 0, NULL, NULL, false},
    {"the session's leader: Ctrl-Z", EVERY(""), leader_suspend, 0, NULL, NULL, false},
    {"the session's leader: Ctrl-Z (-c)", SINGLE, leader_suspend, 0, NULL, NULL, false},
};

const struct room terminal_room = ROOM("On a terminal", rows);

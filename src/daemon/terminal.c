/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The terminal in init mode. The shell above us knows our process group only, the terminal knows the command's:
 * whenever one of them changes hands, the other has to follow.
 *
 * SIGTTOU is blocked, as all signals are, so that the foreground may be set from the background too (tcsetpgrp(3)).
 *
 * Keys are typed at any time, also while the foreground changes hands. Before, they are signals that wait for us, and
 * terminal_pass_keys() fetches them; after, the command has them. A SIGCONT takes a SIGTSTP back that has not stopped
 * its process yet, or undoes the stop, so a command that runs gets `fg`'s SIGCONT before the foreground. Only one that
 * is stopped gets it behind: it would be stopped again by what it does to the terminal.
 *
 * DIAGNOSTICS: what the terminal refuses is logged at level debug; a terminal that has gone away refuses everything,
 * and that harms nobody.
 */
#include "daemon/terminal.h"

#include "base/err.h"
#include "base/log.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum { TERMINAL_FIRST_OWN_FD = 3 };

/* Signals by which the terminal stops a job. */
static const int terminal_stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};
/* Signals that keys give. */
static const int terminal_keys[] = {SIGINT, SIGQUIT, SIGTSTP};

/* An own descriptor of our controlling terminal, wherever there is one. An image may lack /dev/tty. */
static int terminal_find(void)
{
    int fd = sys_open("/dev/tty", O_RDWR, 0);
    for (int std = STDIN_FILENO; fd < 0 && std <= STDERR_FILENO; std++)
        if (sys_tcgetpgrp(std) >= 0)
            fd = sys_fcntl(std, F_DUPFD_CLOEXEC, TERMINAL_FIRST_OWN_FD);
    return fd;
}

void terminal_open(struct terminal *t)
{
    *t = (struct terminal){.fd = terminal_find(), .own = sys_getpgid(0)};
    /* From another PID namespace both read as 0: then it is the same group that we cannot name. */
    t->foreground = t->fd >= 0 && sys_tcgetpgrp(t->fd) == t->own;
    for (size_t i = 0; t->fd >= 0 && i < ARRAY_LEN(terminal_stops); i++)
        if (sys_signal_default(terminal_stops[i]) != 0)
            log_debug("signal %d: %s", terminal_stops[i], err_errno_text(errno));
}

void terminal_drop(void)
{
    sigset_t sent;
    if (sys_getsid(0) != sys_getpid() || sys_tcgetpgrp(STDIN_FILENO) < 0 || sys_drop_terminal(STDIN_FILENO) != 0)
        return;
    sigemptyset(&sent);
    sigaddset(&sent, SIGHUP);
    sigaddset(&sent, SIGCONT);
    /* They are sent before the ioctl returns, one of each, and stay pending since they are blocked. */
    while (sys_take_signal(&sent) > 0)
        continue;
}

static bool terminal_give(struct terminal *t, pid_t group)
{
    if (group <= 0)
        return false;
    if (sys_tcsetpgrp(t->fd, group) == 0)
        return true;
    log_debug("foreground of the terminal to group %d: %s", (int)group, err_errno_text(errno));
    return false;
}

/* Whether nobody is in the process group GROUP any more. */
static bool terminal_is_empty(pid_t group)
{
    return sys_kill_group(group, 0) != 0 && errno == ESRCH;
}

bool terminal_reclaim(struct terminal *t)
{
    if (t->fd < 0)
        return false;
    pid_t now = sys_tcgetpgrp(t->fd);
    if (t->foreground && now > 0 && now != t->own && (now == t->group || terminal_is_empty(now))) {
        terminal_give(t, t->own);
        now = sys_tcgetpgrp(t->fd);
    }
    t->group = 0;
    t->handed_on = false;
    return now >= 0 && now == t->own;
}

void terminal_set_group(struct terminal *t, pid_t group)
{
    t->group = group;
}

static bool terminal_is_among(const int *sigs, size_t n, int sig)
{
    for (size_t i = 0; i < n; i++)
        if (sigs[i] == sig)
            return true;
    return false;
}

static bool terminal_send(struct terminal *t, int sig)
{
    /* The stop that follows is wanted, whichever of two signals it is reported with. */
    if (sig == SIGTSTP)
        t->handed_on = false;
    if (sys_kill_group(t->group, sig) == 0)
        return true;
    log_debug("signal %d to group %d: %s", sig, (int)t->group, err_errno_text(errno));
    return false;
}

/* The first of the N signals SIGS that waits for us, which it does no longer; 0: none does. */
static int terminal_take(const int *sigs, size_t n)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < n; i++)
        sigaddset(&set, sigs[i]);
    int sig = sys_take_signal(&set);
    return sig > 0 ? sig : 0;
}

static bool terminal_take_cont(void)
{
    static const int cont[] = {SIGCONT};
    return terminal_take(cont, ARRAY_LEN(cont)) != 0;
}

static void terminal_pass_keys(struct terminal *t)
{
    int sig;
    while ((sig = terminal_take(terminal_keys, ARRAY_LEN(terminal_keys))) != 0)
        terminal_send(t, sig);
}

/* Stops our process group by SIG, and returns when we have been continued (true), or at once when the kernel does not
 * stop us: it spares an orphaned process group and PID 1, whom nobody would continue (setpgid(2), "orphaned"). */
static bool terminal_stop_job(int sig)
{
    sigset_t stop, old, pending;
    sigemptyset(&stop);
    sigaddset(&stop, sig);
    if (sys_kill_own_group(sig) != 0 || sys_sigprocmask(SIG_UNBLOCK, &stop, &old) != 0) {
        log_debug("suspending the job: %s", err_errno_text(errno));
        return false;
    }
    sys_restore_mask(&old);
    return sys_sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == 1;
}

/* Gives the foreground to a command that is stopped, and continues it. */
static bool terminal_go_on(struct terminal *t)
{
    terminal_give(t, t->group);
    bool ret = terminal_send(t, SIGCONT);
    terminal_pass_keys(t);
    return ret;
}

/* Whether the foreground is ours: then it was given to the job, whose only group we are to a shell. */
static bool terminal_is_ours(struct terminal *t)
{
    if (t->fd < 0 || t->group <= 0 || sys_tcgetpgrp(t->fd) != t->own)
        return false;
    t->foreground = true;
    return true;
}

void terminal_suspended(struct terminal *t, int sig)
{
    if (t->fd < 0 || t->group <= 0)
        return;
    bool reads = sig == SIGTTIN || sig == SIGTTOU;
    pid_t now = sys_tcgetpgrp(t->fd);
    bool handed_on = t->handed_on && now == t->group;
    t->handed_on = false;
    if (reads && now >= 0 && (now == t->own || handed_on)) {
        /* `fg` of a job that ran on in the background gave us what the command waits for, and we may have handed it on
         * before this stop was reported. The SIGCONT that `fg` sends to some is contained in ours. */
        t->foreground = true;
        (void)terminal_take_cont();
        terminal_go_on(t);
        return;
    }
    if (now == t->group)
        terminal_give(t, t->own);
    t->suspended = terminal_stop_job(terminal_is_among(terminal_stops, ARRAY_LEN(terminal_stops), sig) ? sig : SIGTSTP);
    if (t->suspended)
        return;
    /* A command in our place would not have been stopped. Only one that waits for a terminal which others have must go
     * on waiting: it would be stopped again at once, for ever. */
    if (reads ? now == t->group || (now > 0 && terminal_is_empty(now)) : sig == SIGTSTP)
        terminal_go_on(t);
    else if (now == t->group)
        terminal_give(t, t->group);
}

bool terminal_continued(struct terminal *t)
{
    if (!t->suspended)
        return false;
    t->suspended = false;
    return terminal_is_ours(t) ? terminal_go_on(t) : terminal_send(t, SIGCONT);
}

bool terminal_hand_on(struct terminal *t)
{
    if (!terminal_is_ours(t))
        return false;
    /* The SIGCONT of one that is suspended is terminal_continued()'s. */
    t->handed_on = !t->suspended;
    if (!t->suspended && terminal_take_cont())
        terminal_send(t, SIGCONT);
    if (!terminal_give(t, t->group))
        return false;
    terminal_pass_keys(t);
    return true;
}

bool terminal_key(struct terminal *t, int sig)
{
    if (!terminal_is_among(terminal_keys, ARRAY_LEN(terminal_keys), sig))
        return false;
    return terminal_hand_on(t) && terminal_send(t, sig);
}

void terminal_close(struct terminal *t)
{
    (void)terminal_reclaim(t);
    sys_close_fd(&t->fd);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Signals to requests, by one table.
 */
#include "daemon/signals.h"

#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

/* A blocked fault signal that our own code raises would kill us anyway, but without a core at the right place. */
static const int signals_faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};

static enum signals_request signals_request_of(int sig)
{
    static const struct {
        int sig;
        enum signals_request request;
    } rows[] = {
        {SIGTERM, SIGNALS_STOP},  {SIGINT, SIGNALS_STOP},    {SIGPWR, SIGNALS_STOP},    {SIGQUIT, SIGNALS_KILL},
        {SIGHUP, SIGNALS_RELOAD}, {SIGUSR1, SIGNALS_STATUS}, {SIGUSR2, SIGNALS_REEXEC},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].sig == sig)
            return rows[i].request;
    /* SIGRTMIN is not a constant; containers of systemd send SIGRTMIN+3 for an orderly halt. */
    return sig == SIGRTMIN + 3 ? SIGNALS_STOP : SIGNALS_IGNORE;
}

static void signals_mask(sigset_t *mask)
{
    sigfillset(mask);
    for (size_t i = 0; i < ARRAY_LEN(signals_faults); i++)
        sigdelset(mask, signals_faults[i]);
}

bool signals_block_all(struct err *e)
{
    sigset_t mask;
    sys_all_signals(&mask);
    if (sys_sigprocmask(SIG_SETMASK, &mask, NULL) == 0)
        return true;
    err_set_errno(e, errno, "blocking signals");
    return false;
}

bool signals_block(struct err *e)
{
    sigset_t mask;
    signals_mask(&mask);
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    if (sys_sigprocmask(SIG_SETMASK, &mask, NULL) < 0 || sys_sigaction(SIGCHLD, &dfl, NULL) < 0) {
        err_set_errno(e, errno, "blocking signals");
        return false;
    }
    return true;
}

static void signals_on_readable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct signals *s = w->data;
    struct signalfd_siginfo info;
    while (sys_read(s->fd, &info, sizeof info) == (ssize_t)sizeof info)
        s->on_request(signals_request_of((int)info.ssi_signo), (int)info.ssi_signo, s->data);
}

bool signals_start(struct signals *s, struct ev_loop *loop, struct err *e)
{
    sigset_t mask;
    if (s->all)
        sys_all_signals(&mask);
    else
        signals_mask(&mask);
    sigdelset(&mask, SIGCHLD);
    s->loop = loop;
    s->fd = sys_signalfd(&mask);
    if (s->fd < 0) {
        err_set_errno(e, errno, "signalfd");
        return false;
    }
    ev_io_init(&s->io, signals_on_readable, s->fd, EV_READ);
    ev_set_priority(&s->io, EV_MAXPRI - 1);
    s->io.data = s;
    ev_io_start(loop, &s->io);
    return true;
}

void signals_stop(struct signals *s)
{
    if (s->loop == NULL || s->fd < 0)
        return;
    ev_io_stop(s->loop, &s->io);
    sys_close_fd(&s->fd);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Reaping: look, wait, tell. See reaper.h for why it is done in this order.
 *
 * DIAGNOSTICS: a wait that fails with anything but ECHILD is logged and the slice ends; the next SIGCHLD tries again.
 */
#include "daemon/reaper.h"

#include "base/log.h"
#include "sys/sys.h"
#include "sys/unzombie.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

/* In kernel order of waitid(2): exits, stops and continues are all found by one look. So are the stops and deaths of
 * those that unzombie() traces and could not let go yet, ours or not: no child of ours has stopped or ended then. */
enum { REAPER_LOOK = WEXITED | WSTOPPED | WCONTINUED | WNOHANG };

static void reaper_on_child(struct ev_loop *loop, struct ev_child *w, int revents)
{
    (void)loop;
    (void)revents;
    struct reaper *r = w->data;
    r->notes[r->n_notes++] = (struct reaper_note){.pid = w->rpid, .wstatus = w->rstatus};
}

static bool reaper_has_ended(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED || info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED;
}

/* Takes what INFO announced out of the kernel. False when the kernel does not give it: the slice must end, or
 * the same child would be found for ever. */
static bool reaper_take(struct reaper *r, const siginfo_t *info)
{
    bool ended = reaper_has_ended(info);
    if (ended)
        r->on_zombie(info->si_pid, r->data);
    int wstatus = 0;
    pid_t got = sys_wait4(info->si_pid, &wstatus, WNOHANG | (ended ? 0 : WUNTRACED | WCONTINUED), NULL);
    if (got != info->si_pid) {
        log_err("wait for process %d: %s; trying again at the next death", (int)info->si_pid,
                got < 0 ? err_errno_text(errno) : "announced, but not there");
        return false;
    }
    if (ended)
        r->n_reaped++;
    r->child.rpid = got;
    r->child.rstatus = wstatus;
    ev_invoke(r->loop, &r->child, EV_CHILD);
    return true;
}

static void reaper_sweep(struct reaper *r)
{
    bool more = true;
    r->n_notes = 0;
    if (unzombie_is_pending())
        unzombie_settle();
    while (more && r->n_notes < REAPER_SLICE) {
        siginfo_t info;
        if (sys_waitid(P_ALL, 0, &info, REAPER_LOOK | WNOWAIT) < 0) {
            if (errno != ECHILD)
                log_err("looking for ended children: %s; trying again at the next death", err_errno_text(errno));
            more = false;
        } else if (info.si_pid == 0 || !unzombie_take(&info)) {
            more = info.si_pid != 0 && reaper_take(r, &info);
        }
    }
    if (more)
        ev_timer_start(r->loop, &r->again);
    else
        ev_timer_stop(r->loop, &r->again);
    if (r->n_notes > 0)
        r->on_slice(r->notes, r->n_notes, r->data);
}

static void reaper_on_again(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    ev_timer_stop(loop, w);
    reaper_sweep(w->data);
}

static void reaper_on_signal(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct reaper *r = w->data;
    struct signalfd_siginfo batch[16];
    /* A hundred deaths may be one record, so the records say nothing but "look". */
    while (sys_read(r->signal_fd, batch, sizeof batch) == (ssize_t)sizeof batch)
        continue;
    reaper_sweep(r);
}

bool reaper_start(struct reaper *r, struct ev_loop *loop, struct err *e)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    r->loop = loop;
    r->signal_fd = sys_signalfd(&mask);
    if (r->signal_fd < 0) {
        err_set_errno(e, errno, "signalfd for SIGCHLD");
        return false;
    }
    ev_io_init(&r->signal_io, reaper_on_signal, r->signal_fd, EV_READ);
    ev_set_priority(&r->signal_io, EV_MAXPRI);
    r->signal_io.data = r;
    ev_io_start(loop, &r->signal_io);

    ev_child_init(&r->child, reaper_on_child, 0, 1);
    r->child.data = r;
    ev_child_start(loop, &r->child);

    ev_timer_init(&r->again, reaper_on_again, 0., 0.);
    r->again.data = r;
    ev_timer_start(loop, &r->again);
    return true;
}

void reaper_drain(struct reaper *r)
{
    do
        reaper_sweep(r);
    while (ev_is_active(&r->again));
}

void reaper_stop(struct reaper *r)
{
    if (r->loop == NULL || r->signal_fd < 0)
        return;
    ev_timer_stop(r->loop, &r->again);
    ev_child_stop(r->loop, &r->child);
    ev_io_stop(r->loop, &r->signal_io);
    sys_close_fd(&r->signal_fd);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The logger: its beginning and its end. See logger.h.
 *
 * DIAGNOSTICS: without an event loop or memory at the start it exits with 71; fosterd starts another one, later.
 */
#include "logger/logger.h"

#include "base/mem.h"
#include "logger/control.h"
#include "logger/file.h"
#include "logger/intake.h"
#include "logger/loop.h"
#include "logger/match.h"
#include "logger/outlet.h"
#include "logger/serve.h"
#include "logger/stream.h"
#include "sys/fds.h"
#include "sys/sys.h"
#include "sys/sys_pipe.h"

#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

/* The descriptors that are ours. */
struct keep {
    int *fds;
    size_t n, cap;
    bool failed;
};

static void keep_fd(struct keep *k, int fd)
{
    if (!mem_grow(&k->fds, &k->cap, k->n + 1, sizeof *k->fds)) {
        k->failed = true;
        return;
    }
    k->fds[k->n++] = fd;
}

static void keep_stream(const struct logger_stream *d, void *data)
{
    keep_fd(data, d->pipe_fd);
}

/* Everything else is fosterd's: the pipes' other ends, or they would never end. */
static bool close_the_rest(const struct logger_boot *boot)
{
    struct keep k = {0};
    const int own[] = {boot->control_fd, boot->stage[0], boot->stage[1], boot->outbox[0], boot->outbox[1]};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        keep_fd(&k, own[i]);
    boot->each(keep_stream, &k, boot->data);
    bool ok = !k.failed && fds_close_all(k.fds, k.n);
    mem_free(k.fds);
    return ok;
}

/* Who ends services ends the logger by its pipes: nobody's last words are to be lost because a whole group, or
 * everything in a container, is told to end. */
static void leave_the_crowd(void)
{
    static const int ignored[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGUSR1, SIGUSR2,
                                  SIGPIPE, SIGTTOU, SIGTTIN, SIGTSTP, SIGALRM, SIGXFSZ};
    sigset_t none;
    int r = 0;
    for (int sig = 1; sig <= SIGRTMAX; sig++)
        r |= sys_signal_default(sig);
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        r |= sys_signal_ignore(ignored[i]);
    sigemptyset(&none);
    r |= sys_sigprocmask(SIG_SETMASK, &none, NULL);
    r |= (int)sys_setsid();
    /* SIGKILL and SIGSTOP refuse; and what refuses else is no reason to move no output. */
    (void)r;
}

static void import(const struct logger_stream *d, void *data)
{
    struct stream *s = stream_new(data, d);
    /* Its bytes stay in the pipe. */
    if (s == NULL)
        logger_say(data, NULL, LOG_LEVEL_ERROR, "log-failing", "no memory for the output of %s; it is not read",
                   d->name);
}

static void init(struct logger *l, const struct logger_boot *boot)
{
    *l = (struct logger){
        .loop = loop_new_beside(), .shared = boot->shared, .control_fd = boot->control_fd, .width = boot->width};
    l->journal_path = boot->journal_path != NULL ? boot->journal_path : "/run/systemd/journal/socket";
    list_init(&l->streams);
    list_init(&l->partials);
    list_init(&l->ended);
    list_init(&l->unsent);
    if (gethostname(l->host, sizeof l->host) != 0 || l->host[0] == '\0')
        l->host[0] = '-';
    l->host[sizeof l->host - 1] = '\0';
    ev_timer_init(&l->partial_timer, stream_on_partial_timer, 0., 0.);
    l->partial_timer.data = l;
}

int logger_run(const struct logger_boot *boot)
{
    static struct logger l;
    leave_the_crowd();
    if (!close_the_rest(boot))
        return EX_OSERR;
    init(&l, boot);
    if (l.loop == NULL)
        return EX_OSERR;
    l.intake = intake_new(&l, boot->stage);
    l.outlet = outlet_new(&l, boot->outbox);
    if (l.intake == NULL || l.outlet == NULL)
        return EX_OSERR;
    logger_listen(&l);
    boot->each(import, &l, boot->data);
    intake_recover(l.intake);
    file_recover(&l);
    outlet_recover(l.outlet);
    LIST_EACH (it, &l.streams) {
        struct stream *s = CONTAINER_OF(it, struct stream, link);
        /* What the one before us took in and did not get to look at. */
        match_on_bytes(s, false);
        stream_pump(s);
    }
    ev_run(l.loop, 0);
    while (!list_is_empty(&l.streams))
        stream_free(CONTAINER_OF(l.streams.next, struct stream, link));
    serve_end(&l);
    intake_free(l.intake);
    outlet_free(l.outlet);
    ev_loop_destroy(l.loop);
    return 0;
}

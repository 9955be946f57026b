/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Reloading a service. See svcreload.h.
 */
#include "daemon/svcreload.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "daemon/census.h"
#include "daemon/helper.h"
#include "logger/loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SVCRELOAD_VAR_MAX = 64, SVCRELOAD_DURATION_MAX = 32 };

/* What is known of one unit's reloads, from the first one on. */
struct svcreload {
    bool speaks;           /* its program says RELOADING=1 when it reloads */
    bool is_under_way;     /* one has begun, and has not been told */
    bool is_reloading;     /* RELOADING=1 has been said, and no READY=1 since */
    bool has_reloaded;     /* both have been said since this one began */
    struct helper *helper; /* its command while that runs; NULL: none */
    struct ev_timer timer; /* how long its word is waited for */
    svcreload_done *done;  /* NULL: nobody wants to know */
    void *data;
};

static void svcreload_tell(struct engine_unit *u, bool ok, const char *text)
{
    struct svcreload *s = u->svcreload;
    struct log_about about = {.service = u->name, .event = "reload", .run = u->run != NULL ? u->run->run : 0};
    svcreload_done *done = s->done;
    char line[HELPER_TEXT_MAX];
    snprintf(line, sizeof line, "reload: %s", text);
    log_write(ok ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, &about, "%s", line);
    ev_timer_stop(u->engine->loop, &s->timer);
    s->is_under_way = false;
    s->done = NULL;
    if (done != NULL)
        done(u, ok, line, s->data);
}

static void svcreload_on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    struct engine_unit *u = w->data;
    char duration[SVCRELOAD_DURATION_MAX], text[HELPER_TEXT_MAX];
    ev_timer_stop(loop, w);
    snprintf(text, sizeof text, "it has not said READY=1 within %s",
             parse_duration_text(u->spec->start_timeout_ms, duration, sizeof duration));
    svcreload_tell(u, false, text);
}

/* What we do has been done, as TEXT says. */
static void svcreload_have_done(struct engine_unit *u, const char *text)
{
    struct svcreload *s = u->svcreload;
    if (s->has_reloaded || !(s->is_reloading || s->speaks))
        svcreload_tell(u, true, text);
    else if (u->spec->start_timeout_ms > 0)
        loop_arm(u->engine->loop, &s->timer, (double)u->spec->start_timeout_ms / 1000.);
}

static void svcreload_on_helper(struct engine_unit *u, const struct helper_result *r, void *data)
{
    (void)data;
    u->svcreload->helper = NULL;
    if (r->ok)
        svcreload_have_done(u, r->text);
    else
        svcreload_tell(u, false, r->text);
}

/* What is known of U's reloads; NULL without memory. */
static struct svcreload *svcreload_record(struct engine_unit *u)
{
    if (u->svcreload == NULL) {
        u->svcreload = mem_alloc(sizeof *u->svcreload);
        if (u->svcreload == NULL)
            return NULL;
        ev_timer_init(&u->svcreload->timer, svcreload_on_timer, 0., 0.);
        u->svcreload->timer.data = u;
    }
    return u->svcreload;
}

static bool svcreload_command(struct engine_unit *u, struct err *e)
{
    char main_pid[SVCRELOAD_VAR_MAX];
    const char *const vars[] = {main_pid, NULL};
    const struct helper_request req = {
        .what = "reload",
        .argv = u->spec->reload.command.argv,
        .vars = vars,
        .timeout_ms = u->spec->start_timeout_ms,
        .done = svcreload_on_helper,
    };
    snprintf(main_pid, sizeof main_pid, "FOSTER_MAIN_PID=%d", (int)u->main_pid);
    return helper_start(u, &req, &u->svcreload->helper, e);
}

static bool svcreload_signal(struct engine_unit *u, struct err *e)
{
    int sig = u->spec->reload.signal;
    const char *name = parse_signal_name(sig);
    if (census_signal(u->engine, u, sig, SCOPE_MAIN) > 0)
        return true;
    err_set_errno(e, errno, "sending %s to process %d", name != NULL ? name : "a signal", (int)u->main_pid);
    return false;
}

static void svcreload_say_sent(struct engine_unit *u)
{
    const char *name = parse_signal_name(u->spec->reload.signal);
    char text[HELPER_TEXT_MAX];
    snprintf(text, sizeof text, "%s sent to process %d", name != NULL ? name : "the signal", (int)u->main_pid);
    svcreload_have_done(u, text);
}

bool svcreload_begin(struct engine_unit *u, svcreload_done *done, void *data, struct err *e)
{
    bool by_command = u->spec->reload.command.argv != NULL;
    if (!by_command && u->spec->reload.signal == 0)
        err_set(e, ERR_INPUT, "%s has no `reload`; give it `reload: {signal: SIGHUP}` or `reload: {command: …}`",
                u->spec->name);
    else if (u->main_pid <= 0 || u->status_fd >= 0)
        err_set(e, ERR_INPUT, "%s does not run", u->name);
    else if (svcreload_record(u) == NULL)
        err_set_errno(e, ENOMEM, "reloading %s", u->name);
    else if (u->svcreload->is_under_way)
        err_set(e, ERR_BUSY, "%s is being reloaded already", u->name);
    else if (by_command ? svcreload_command(u, e) : svcreload_signal(u, e)) {
        u->svcreload->is_under_way = true;
        u->svcreload->has_reloaded = false;
        u->svcreload->done = done;
        u->svcreload->data = data;
        if (!by_command)
            svcreload_say_sent(u);
        return true;
    }
    return false;
}

void svcreload_forget(struct engine_unit *u, const void *data)
{
    if (u->svcreload != NULL && u->svcreload->data == data)
        u->svcreload->done = NULL;
}

void svcreload_reloading(struct engine_unit *u)
{
    struct svcreload *s = svcreload_record(u);
    if (s != NULL)
        s->speaks = s->is_reloading = true;
}

void svcreload_ready(struct engine_unit *u)
{
    struct svcreload *s = u->svcreload;
    if (s == NULL || !s->is_reloading)
        return;
    s->is_reloading = false;
    s->has_reloaded = true;
    if (s->is_under_way && s->helper == NULL)
        svcreload_tell(u, true, "it has said READY=1");
}

void svcreload_main_gone(struct engine_unit *u)
{
    struct svcreload *s = u->svcreload;
    if (s == NULL)
        return;
    s->is_reloading = false;
    if (!s->is_under_way)
        return;
    helper_cancel(s->helper);
    s->helper = NULL;
    svcreload_tell(u, false, "its main process has ended meanwhile");
}

void svcreload_free(struct engine_unit *u)
{
    struct svcreload *s = u->svcreload;
    if (s == NULL)
        return;
    svcreload_main_gone(u);
    ev_timer_stop(u->engine->loop, &s->timer);
    mem_free(s);
    u->svcreload = NULL;
}

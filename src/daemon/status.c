/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Telling others how everything is. STATUS= is sent when the numbers in it have changed, not by a timer.
 */
#include "daemon/status.h"

#include "base/log.h"
#include "daemon/census.h"
#include "daemon/helper.h"
#include "sys/sys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void status_on_watchdog(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct engine *g = w->data;
    sdnotify_send(&g->sdnotify, "WATCHDOG=1");
}

void status_start(struct engine *g)
{
    struct err e = {0};
    if (!sdnotify_open(&g->sdnotify, &e))
        log_warn("NOTIFY_SOCKET: %s; going on without telling the service manager", e.text);
    if (g->sdnotify.watchdog_ms > 0) {
        /* Half the interval, as sd_watchdog_enabled(3) advises. */
        double half = (double)g->sdnotify.watchdog_ms / 2000.;
        ev_timer_init(&g->watchdog, status_on_watchdog, half, half);
        g->watchdog.data = g;
        ev_timer_start(g->loop, &g->watchdog);
    }
}

static unsigned status_count(struct engine *g, enum unit_state state)
{
    unsigned n = 0;
    for (unsigned i = 0; i < g->n_units; i++) {
        struct unit_view v;
        n += super_view(g->super, i, &v) && v.state == state;
    }
    return n;
}

void status_changed(struct engine *g)
{
    /* Who is on the way down is not up any more, even if the last of the others has just come to its end. */
    if (!g->said_settled && !g->said_stopping && super_is_settled(g->super)) {
        g->said_settled = true;
        struct log_about about = {.event = "settled"};
        log_write(LOG_LEVEL_INFO, &about, "every service has been started: %u ready, %u done, %u failed",
                  status_count(g, UNIT_READY), status_count(g, UNIT_DONE), status_count(g, UNIT_FAILED));
        sdnotify_send(&g->sdnotify, "READY=1");
    }
    if (g->sdnotify.fd >= 0)
        sdnotify_send(&g->sdnotify, "STATUS=%u services: %u ready, %u running, %u waiting, %u in backoff, %u failed",
                      super_count(g->super), status_count(g, UNIT_READY), status_count(g, UNIT_RUNNING),
                      status_count(g, UNIT_WAITING), status_count(g, UNIT_BACKOFF), status_count(g, UNIT_FAILED));
}

void status_stopping(struct engine *g)
{
    struct log_about about = {.event = "shutdown"};
    log_write(LOG_LEVEL_INFO, &about, "stopping everything");
    sdnotify_send(&g->sdnotify, "STOPPING=1\nSTATUS=stopping everything");
}

void status_reloading(struct engine *g)
{
    if (!g->said_settled || g->said_stopping || g->said_reloading)
        return;
    g->said_reloading = true;
    /* Our clock is cut to milliseconds; what asks us to reload must not seem to come after it. */
    sdnotify_send(&g->sdnotify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, (sys_now_ms() + 1) * 1000);
}

void status_reloaded(struct engine *g)
{
    if (g->said_reloading && !g->said_stopping)
        sdnotify_send(&g->sdnotify, "READY=1");
    g->said_reloading = false;
}

static const char *status_role(const struct attrib_proc *p)
{
    const char *helper = p->run != NULL ? helper_name(p->run) : NULL;
    if (helper != NULL)
        return helper;
    return p->role == ATTRIB_MAIN ? "main" : "adopted";
}

static void status_dump_proc(const struct engine *g, const struct attrib_proc *p)
{
    struct procstat st = {.state = '?'};
    if (!procfs_stat(p->pid, &st))
        snprintf(st.comm, sizeof st.comm, "?");
    struct log_about about = {.event = "status", .pid = p->pid};
    if (p->run != NULL) {
        about.service = engine_name_of_proc(g, p);
        about.run = p->run->helper == NULL ? p->run->run : 0;
    }
    log_write(LOG_LEVEL_INFO, &about, "  process %d (%s) state %c, %s, %s", (int)p->pid, st.comm, st.state,
              status_role(p), attrib_evidence_name(p->evidence));
}

void status_dump(struct engine *g)
{
    census_refresh(g);
    int64_t now = sys_now_ms();
    struct log_about about = {.event = "status"};
    log_write(LOG_LEVEL_INFO, &about,
              "%u services, %" PRIu64 " children reaped, %" PRIu64 " adopted, %" PRIu64 " messages lost",
              super_count(g->super), g->reaper.n_reaped, g->n_adopted, log_dropped());
    for (unsigned i = 0; i < g->n_units; i++) {
        struct unit_view v;
        if (!super_view(g->super, i, &v))
            continue;
        about = (struct log_about){.event = "status", .service = v.name, .pid = v.main_pid, .run = v.run};
        log_write(LOG_LEVEL_INFO, &about, "%s for %" PRId64 " s, pid %d, %" PRIu64 " starts, %" PRIu64 " restarts",
                  unit_state_name(v.state), (now - v.since_ms) / 1000, (int)v.main_pid, v.n_starts, v.n_restarts);
    }
    LIST_EACH (it, &g->attrib.runs) {
        struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        LIST_EACH (m, &run->members)
            status_dump_proc(g, CONTAINER_OF(m, struct attrib_proc, in_run));
    }
    LIST_EACH (it, &g->attrib.unclaimed)
        status_dump_proc(g, CONTAINER_OF(it, struct attrib_proc, in_run));
}

void status_stop(struct engine *g)
{
    if (ev_is_active(&g->watchdog))
        ev_timer_stop(g->loop, &g->watchdog);
    sdnotify_done(&g->sdnotify);
}

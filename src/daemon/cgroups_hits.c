/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How often limits are met: forks that are refused, processes that are killed. The kernel counts, and inotify(7) tells
 * that a count has changed.
 *
 * A service that forks without end meets its limit all the time. So it is told when that happens first, and not
 * watched any more until its next start; at the end of a run it is told again where it was twice as often.
 *
 * A kill is told when the death of one of our children explains it, with its number. Whoever is not our child dies
 * unseen: some time after the count has changed, what is left of it is told without.
 */
#include "daemon/cgroups_impl.h"

#include "base/log.h"
#include "core/report.h"
#include "logger/loop.h"
#include "sys/sys.h"
#include "sys/sys_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

enum { CGROUPS_EVENTS_BYTES = 4096 };

/* For a process that is our child to be reaped, which is known by then. */
static const double cgroups_oom_wait_s = 1.;

/* The count of controller K for U. False where it is not watched, or not to be read. */
static bool cgroups_count(const struct engine_unit *u, enum cgroup_controller k, uint64_t *ret)
{
    const struct cgroups *c = u->engine->cgroups;
    int t = c != NULL ? c->source[k] : CGROUPS_NOWHERE;
    struct cgroup_limits limits = cgroups_limits_of(u);
    if (u->cgroup == NULL || t == CGROUPS_NOWHERE || (u->cgroup->made >> t & 1) == 0 || !cgroup_has_limit(&limits, k))
        return false;
    CLEANUP(sys_close_fd) int fd = cgroups_open_unit(u, t);
    return fd >= 0 && cgroup_hits(fd, t == CGROUPS_UNIFIED, k, ret);
}

static struct log_about cgroups_about(const struct engine_unit *u, const char *event)
{
    return (struct log_about){.service = u->name, .event = event, .run = u->run != NULL ? u->run->run : 0};
}

static void cgroups_tell_pids(struct engine_unit *u, uint64_t n)
{
    struct log_about about = cgroups_about(u, "pids-limit");
    u->cgroup->hits_told[CGROUP_PIDS] = n;
    log_write(LOG_LEVEL_WARN, &about, "pids_limit %" PRId64 " reached %" PRIu64 " time%s; fork fails in it",
              u->spec->pids_limit, n, n == 1 ? "" : "s");
}

char *cgroups_oom_text(const struct engine_unit *u, char *buf, size_t size)
{
    char limit[REPORT_SIZE_MAX];
    snprintf(buf, size, ", limit %s", report_size(u->spec->mem_limit, limit));
    return buf;
}

bool cgroups_oom_killed(struct engine_unit *u)
{
    uint64_t n;
    if (!cgroups_count(u, CGROUP_MEMORY, &n) || n <= u->cgroup->hits_told[CGROUP_MEMORY])
        return false;
    u->cgroup->hits_told[CGROUP_MEMORY]++;
    return true;
}

void cgroups_oom_settle(struct engine_unit *u)
{
    uint64_t n;
    char limit[REPORT_SIZE_MAX + 16];
    struct log_about about = cgroups_about(u, "oom-killed");
    if (!cgroups_count(u, CGROUP_MEMORY, &n) || n <= u->cgroup->hits_told[CGROUP_MEMORY])
        return;
    uint64_t killed = n - u->cgroup->hits_told[CGROUP_MEMORY];
    u->cgroup->hits_told[CGROUP_MEMORY] = n;
    log_write(LOG_LEVEL_WARN, &about, "the kernel has killed %" PRIu64 " process%s below its own: out of memory%s",
              killed, killed == 1 ? "" : "es", cgroups_oom_text(u, limit, sizeof limit));
}

static void cgroups_on_oom_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    struct engine *g = ((struct cgroups *)w->data)->engine;
    ev_timer_stop(loop, w);
    for (unsigned i = 0; i < g->n_units; i++) {
        struct engine_unit *u = engine_at(g, i);
        if (u == NULL || u->cgroup == NULL || !u->cgroup->oom_due)
            continue;
        u->cgroup->oom_due = false;
        cgroups_oom_settle(u);
    }
}

static void cgroups_unwatch(struct cgroups *c, struct cgroups_unit *r, enum cgroup_controller k)
{
    if (r->watches[k] >= 0 && sys_inotify_rm_watch(c->notify_fd, r->watches[k]) < 0)
        log_debug("a control group is watched no more: %s", err_errno_text(errno));
    r->watches[k] = -1;
}

static void cgroups_pids_changed(struct engine_unit *u)
{
    uint64_t n;
    cgroups_unwatch(u->engine->cgroups, u->cgroup, CGROUP_PIDS);
    if (cgroups_count(u, CGROUP_PIDS, &n) && n > u->cgroup->hits_told[CGROUP_PIDS])
        cgroups_tell_pids(u, n);
}

static void cgroups_memory_changed(struct engine_unit *u)
{
    struct cgroups *c = u->engine->cgroups;
    u->cgroup->oom_due = true;
    if (!ev_is_active(&c->oom_timer))
        loop_arm(c->engine->loop, &c->oom_timer, cgroups_oom_wait_s);
}

/* What is watched by WATCH has changed. */
static void cgroups_changed(struct engine *g, int watch)
{
    for (unsigned i = 0; i < g->n_units; i++) {
        struct engine_unit *u = engine_at(g, i);
        if (u == NULL || u->cgroup == NULL)
            continue;
        if (u->cgroup->watches[CGROUP_PIDS] == watch)
            cgroups_pids_changed(u);
        else if (u->cgroup->watches[CGROUP_MEMORY] == watch)
            cgroups_memory_changed(u);
    }
}

static void cgroups_on_notify(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    alignas(struct inotify_event) char events[CGROUPS_EVENTS_BYTES];
    const struct cgroups *c = w->data;
    ssize_t n = sys_read(c->notify_fd, events, sizeof events);
    for (ssize_t at = 0; at < n;) {
        struct inotify_event event;
        memcpy(&event, events + at, sizeof event);
        if ((event.mask & IN_MODIFY) != 0)
            cgroups_changed(c->engine, event.wd);
        at += (ssize_t)(sizeof event + event.len);
    }
}

static bool cgroups_can_watch(struct cgroups *c)
{
    if (c->notify_fd >= 0)
        return true;
    c->notify_fd = sys_inotify_init();
    if (c->notify_fd < 0) {
        log_debug("limits that are met are not told: inotify: %s", err_errno_text(errno));
        return false;
    }
    ev_io_init(&c->notify_io, cgroups_on_notify, c->notify_fd, EV_READ);
    c->notify_io.data = c;
    ev_io_start(c->engine->loop, &c->notify_io);
    ev_timer_init(&c->oom_timer, cgroups_on_oom_timer, 0., 0.);
    c->oom_timer.data = c;
    return true;
}

static void cgroups_watch(struct engine_unit *u, enum cgroup_controller k)
{
    struct cgroups *c = u->engine->cgroups;
    int t = c->source[k];
    const char *file = cgroup_hits_file(t == CGROUPS_UNIFIED, k);
    char path[CGROUP_PATH_MAX + 3 * CGROUP_NAME_MAX], name[CGROUP_NAME_MAX];
    if (file == NULL || u->cgroup->watches[k] >= 0 || !cgroups_can_watch(c))
        return;
    snprintf(path, sizeof path, "%s/%s/%s/%s", c->trees[t].base.path, c->trees[t].name, cgroup_unit_name(u->name, name),
             file);
    u->cgroup->watches[k] = sys_inotify_add_watch(c->notify_fd, path, IN_MODIFY);
    if (u->cgroup->watches[k] < 0)
        log_debug("%s: %s; that the limit is met is told at the end of a run only", path, err_errno_text(errno));
}

void cgroups_hits_settle(struct engine_unit *u)
{
    uint64_t n;
    if (cgroups_count(u, CGROUP_PIDS, &n) && n > u->cgroup->hits_told[CGROUP_PIDS] &&
        n / 2 >= u->cgroup->hits_told[CGROUP_PIDS])
        cgroups_tell_pids(u, n);
}

void cgroups_hits_arm(struct engine_unit *u)
{
    for (enum cgroup_controller k = CGROUP_PIDS; k <= CGROUP_MEMORY; k++) {
        uint64_t n;
        if (!cgroups_count(u, k, &n))
            continue;
        if (k == CGROUP_MEMORY)
            cgroups_oom_settle(u);
        u->cgroup->hits_told[k] = n;
        cgroups_watch(u, k);
    }
}

void cgroups_hits_disarm(struct engine_unit *u)
{
    for (enum cgroup_controller k = CGROUP_PIDS; u->engine->cgroups != NULL && k <= CGROUP_MEMORY; k++)
        cgroups_unwatch(u->engine->cgroups, u->cgroup, k);
}

void cgroups_hits_stop(struct cgroups *c)
{
    if (c->notify_fd < 0)
        return;
    ev_io_stop(c->engine->loop, &c->notify_io);
    ev_timer_stop(c->engine->loop, &c->oom_timer);
    sys_close_fd(&c->notify_fd);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is done in a full house. See pressure.h.
 *
 * DIAGNOSTICS: an event `pids-full`, once until a start has gone well, and one at level info then.
 */
#include "daemon/pressure.h"

#include "base/buf.h"
#include "base/log.h"
#include "daemon/zombies.h"
#include "sys/probe.h"
#include "sys/sys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    PRESSURE_NAMED = 3,    /* so many services are named */
    PRESSURE_RESERVE = 20, /* a table is full when less than this part of it is left: others come and go */
    PRESSURE_DIR_MAX = 1024,
    PRESSURE_LINE_MAX = 2048,
};

/* A unit and what it holds. */
struct pressure_holder {
    const char *name;
    size_t n_tasks;
    size_t n_zombies;
};

/* Keeps H in TOP, PRESSURE_NAMED of them, the greatest first, when it belongs there. */
static void pressure_rank(struct pressure_holder *top, struct pressure_holder h)
{
    for (size_t i = 0; i < PRESSURE_NAMED; i++) {
        if (h.n_tasks <= top[i].n_tasks)
            continue;
        struct pressure_holder less = top[i];
        top[i] = h;
        h = less;
    }
}

static void pressure_put_holders(struct engine *g, struct buf *out)
{
    struct pressure_holder top[PRESSURE_NAMED] = {0};
    for (unsigned i = 0; i <= g->n_units; i++) {
        const struct engine_unit *u = engine_at(g, i);
        const struct zombie_note *note = zombie_note_of(g, i < g->n_units ? i : (unsigned)SUPER_NO_UNIT, false);
        if (note != NULL)
            pressure_rank(top, (struct pressure_holder){.name = u != NULL ? u->name : "what belongs to no service",
                                                        .n_tasks = note->record.n_tasks,
                                                        .n_zombies = note->record.n_unwaited});
    }
    buf_puts(out, "; most processes and threads: ");
    for (size_t i = 0; i < PRESSURE_NAMED && top[i].n_tasks > 0; i++) {
        buf_printf(out, "%s%s %zu", i > 0 ? ", " : "", top[i].name, top[i].n_tasks);
        if (top[i].n_zombies > 0)
            buf_printf(out, " (%zu zombies)", top[i].n_zombies);
    }
    if (top[0].n_tasks == 0)
        buf_puts(out, "none of ours");
}

static bool pressure_fills(uint64_t used, uint64_t max)
{
    return max != UINT64_MAX && used >= max - max / PRESSURE_RESERVE;
}

/* Which limit it is, where that can be seen. */
static void pressure_put_limit(struct buf *out)
{
    char dir[PRESSURE_DIR_MAX];
    struct rlimit nproc;
    uint64_t used, max;
    if (probe_group_number("pids", "pids.max", dir, sizeof dir, &max) && probe_number(dir, "pids.current", &used) &&
        pressure_fills(used, max))
        buf_printf(out, "; %" PRIu64 " of pids.max %" PRIu64 " in use in %s", used, max, dir);
    else if (probe_number("/proc/sys/kernel", "pid_max", &max) && probe_tasks(&used) && pressure_fills(used, max))
        buf_printf(out, "; %" PRIu64 " of kernel.pid_max %" PRIu64 " in use", used, max);
    else if (sys_geteuid() != 0 && sys_prlimit_get(0, RLIMIT_NPROC, &nproc) == 0 && nproc.rlim_cur != RLIM_INFINITY)
        buf_printf(out, "; the limit of this user is %" PRIu64 " (RLIMIT_NPROC)", (uint64_t)nproc.rlim_cur);
    else
        buf_puts(out, "; the limit is not to be seen from here");
}

static void pressure_tell(struct engine *g)
{
    struct log_about about = {.event = "pids-full"};
    struct buf line;
    buf_init(&line, PRESSURE_LINE_MAX);
    buf_puts(&line, g->pressure.what);
    if (g->zombies != NULL)
        pressure_put_holders(g, &line);
    pressure_put_limit(&line);
    log_write(LOG_LEVEL_WARN, &about, "%s", buf_str(&line));
    buf_done(&line);
    g->pressure.is_told = true;
}

static void pressure_on_looked(struct zombie_job *job)
{
    pressure_tell(job->engine);
}

static void pressure_on_turn(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct engine *g = w->data;
    (void)revents;
    ev_timer_stop(loop, w);
    reaper_drain(&g->reaper);
    if (!zombies_look_now(g, pressure_on_looked))
        pressure_tell(g);
}

void pressure_felt(struct engine *g, const char *name, const char *text)
{
    struct engine_pressure *p = &g->pressure;
    if (p->is_felt || g->zombies == NULL)
        return;
    p->is_felt = true;
    snprintf(p->what, sizeof p->what, "cannot start %s: %s", name, text);
    ev_timer_start(g->loop, &p->turn);
}

void pressure_eased(struct engine *g)
{
    struct log_about about = {.event = "pids-full"};
    if (g->pressure.is_told)
        log_write(LOG_LEVEL_INFO, &about, "processes can be started again");
    g->pressure.is_felt = g->pressure.is_told = false;
}

void pressure_start(struct engine *g)
{
    ev_timer_init(&g->pressure.turn, pressure_on_turn, 0., 0.);
    g->pressure.turn.data = g;
}

void pressure_stop(struct engine *g)
{
    ev_timer_stop(g->loop, &g->pressure.turn);
}

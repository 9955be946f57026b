/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The engine's units, one a number of super's.
 */
#include "daemon/slots.h"

#include "base/mem.h"
#include "daemon/cgroups.h"
#include "daemon/deaths.h"
#include "daemon/health.h"
#include "daemon/helper.h"
#include "daemon/hooks.h"
#include "daemon/notify.h"
#include "daemon/ready.h"
#include "daemon/schedule.h"
#include "daemon/svcreload.h"
#include "daemon/zombie_note.h"
#include "sys/sys.h"

#include <stdio.h>
#include <string.h>

static struct engine_unit *slots_new(struct engine *g, unsigned i)
{
    struct engine_unit *u = g->n_spares > 0 ? g->spares[--g->n_spares] : mem_alloc(sizeof *u);
    if (u == NULL)
        return NULL;
    *u = (struct engine_unit){.engine = g, .index = i, .status_fd = -1};
    list_init(&u->start_link);
    ev_timer_init(&u->timer, engine_on_unit_timer, 0., 0.);
    u->timer.data = u;
    return u;
}

static void slots_free(struct engine *g, unsigned i)
{
    struct engine_unit *u = g->units[i];
    if (u == NULL)
        return;
    ev_timer_stop(g->loop, &u->timer);
    if (u->status_fd >= 0)
        ev_io_stop(g->loop, &u->status_io);
    sys_close_fd(&u->status_fd);
    list_remove(&u->start_link);
    hooks_end(u);
    svcreload_free(u);
    deaths_forget(u);
    hold_forget(u);
    ready_free(u);
    health_free(u);
    /* Behind all who own one. */
    helper_forget_unit(u);
    cgroups_forget(u);
    notify_free(u);
    schedule_forget(u);
    output_close(u);
    zombie_note_free(u);
    mem_free(u->reason);
    mem_free(u);
    g->units[i] = NULL;
}

static bool slots_make_room(struct engine *g, unsigned n)
{
    if (n <= g->units_cap)
        return true;
    struct engine_unit **units = mem_resize(g->units, n, sizeof *units);
    if (units == NULL)
        return false;
    memset(units + g->units_cap, 0, (n - g->units_cap) * sizeof *units);
    g->units = units;
    g->units_cap = n;
    return true;
}

static void slots_free_spares(struct engine *g)
{
    while (g->n_spares > 0)
        mem_free(g->spares[--g->n_spares]);
    mem_free(g->spares);
    g->spares = NULL;
}

bool slots_reserve(struct engine *g, size_t n)
{
    slots_free_spares(g);
    g->spares = mem_array(n, sizeof *g->spares);
    if (g->spares == NULL || !slots_make_room(g, g->n_units + (unsigned)n))
        return false;
    for (; g->n_spares < n; g->n_spares++) {
        g->spares[g->n_spares] = mem_alloc(sizeof(struct engine_unit));
        if (g->spares[g->n_spares] == NULL)
            return false;
    }
    return true;
}

bool slots_sync(struct engine *g)
{
    unsigned n = super_slots(g->super);
    bool ok = slots_make_room(g, n);
    if (n > g->n_units)
        g->n_units = ok ? n : g->units_cap;
    for (unsigned i = 0; i < g->n_units; i++) {
        struct unit_view v;
        bool there = super_view(g->super, i, &v);
        if (g->units[i] != NULL && (!there || g->units[i]->id != v.id)) {
            slots_free(g, i);
            attrib_disown(&g->attrib, i);
        }
        if (!there)
            continue;
        if (g->units[i] == NULL)
            g->units[i] = slots_new(g, i);
        struct engine_unit *u = g->units[i];
        if (u == NULL) {
            ok = false;
            continue;
        }
        u->id = v.id;
        u->spec = v.spec;
        u->instance = v.instance;
        snprintf(u->name, sizeof u->name, "%s", v.name);
        output_renew(u);
        ready_renew(u);
        health_renew(u);
        schedule_watch(u);
    }
    slots_free_spares(g);
    return ok;
}

void slots_measure(struct engine *g)
{
    int width = 0;
    for (unsigned i = 0; i < g->n_units; i++) {
        int len = g->units[i] != NULL ? (int)strlen(g->units[i]->name) : 0;
        if (len > width)
            width = len;
    }
    logger_host_set_width(&g->logger, width);
}

void slots_done(struct engine *g)
{
    for (unsigned i = 0; i < g->n_units; i++)
        slots_free(g, i);
    slots_free_spares(g);
    mem_free(g->units);
    g->units = NULL;
    g->n_units = g->units_cap = 0;
}

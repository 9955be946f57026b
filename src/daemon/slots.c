/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The engine's units, one a number of super's.
 */
#include "daemon/slots.h"

#include "base/mem.h"
#include "sys/sys.h"

#include <stdio.h>
#include <string.h>

static struct engine_unit *slots_new(struct engine *g, unsigned i)
{
    struct engine_unit *u = mem_alloc(sizeof *u);
    if (u == NULL)
        return NULL;
    *u = (struct engine_unit){.engine = g, .index = i, .status_fd = -1};
    u->out.read_fd = u->out.write_fd = -1;
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
    output_close(&u->out);
    tail_done(&u->tail);
    mem_free(u->reason);
    mem_free(u);
    g->units[i] = NULL;
}

static bool slots_grow(struct engine *g, unsigned n)
{
    if (n <= g->n_units)
        return true;
    struct engine_unit **units = mem_array(n, sizeof(struct engine_unit *));
    if (units == NULL)
        return false;
    if (g->n_units > 0)
        memcpy(units, g->units, g->n_units * sizeof(struct engine_unit *));
    mem_free(g->units);
    g->units = units;
    g->n_units = n;
    return true;
}

bool slots_sync(struct engine *g)
{
    bool ok = slots_grow(g, super_slots(g->super));
    for (unsigned i = 0; i < g->n_units; i++) {
        struct unit_view v;
        bool there = super_view(g->super, i, &v);
        if (g->units[i] != NULL && (!there || g->units[i]->id != v.id))
            slots_free(g, i);
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
    }
    return ok;
}

void slots_measure(struct engine *g)
{
    g->output.name_width = 0;
    for (unsigned i = 0; i < g->n_units; i++) {
        int len = g->units[i] != NULL ? (int)strlen(g->units[i]->name) : 0;
        if (len > g->output.name_width)
            g->output.name_width = len;
    }
}

void slots_done(struct engine *g)
{
    for (unsigned i = 0; i < g->n_units; i++)
        slots_free(g, i);
    mem_free(g->units);
    g->units = NULL;
    g->n_units = 0;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is remembered of zombies.
 */
#include "daemon/zombie_note.h"

#include "base/mem.h"
#include "daemon/engine.h"
#include "daemon/zombies.h"

struct zombie_note *zombie_note_of(struct engine *g, unsigned unit, bool make)
{
    struct engine_unit *u = engine_at(g, unit);
    if (unit == SUPER_NO_UNIT)
        return &g->zombies->unclaimed;
    if (u == NULL)
        return NULL;
    if (u->zombies == NULL && make)
        u->zombies = mem_alloc(sizeof *u->zombies);
    return u->zombies;
}

void zombie_note_free(struct engine_unit *u)
{
    if (u->zombies != NULL)
        zombie_record_done(&u->zombies->record);
    mem_free(u->zombies);
    u->zombies = NULL;
}

bool zombie_note_refusal(struct zombie_note *note, pid_t pid, uint64_t start_ticks, enum unzombie_verdict verdict)
{
    unsigned n = note->n_refusals < ZOMBIE_REFUSALS_MAX ? note->n_refusals : ZOMBIE_REFUSALS_MAX;
    for (unsigned i = 0; i < n; i++) {
        const struct zombie_refusal *r = &note->refusals[i];
        if (r->pid == pid && r->start_ticks == start_ticks && r->verdict == verdict)
            return false;
    }
    note->refusals[note->n_refusals++ % ZOMBIE_REFUSALS_MAX] =
        (struct zombie_refusal){.pid = pid, .start_ticks = start_ticks, .verdict = verdict};
    return true;
}

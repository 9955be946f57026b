/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The map from process ids to records: linear probing, and removal that closes the gap, so there are no
 * tombstones and the table never degrades however many processes come and go.
 */
#include "base/pidmap.h"

#include "base/mem.h"

#include <errno.h>
#include <stdint.h>

enum { PIDMAP_CAP_MIN = 16 };

/* pid 0 marks a free slot. */
struct pidmap_slot {
    pid_t pid;
    void *record; /* borrowed */
};

void pidmap_done(struct pidmap *m)
{
    mem_free(m->slots);
    *m = (struct pidmap){0};
}

/* Process ids come in rows; Knuth's multiplier spreads them. */
static size_t pidmap_home(const struct pidmap *m, pid_t pid)
{
    uint32_t h = (uint32_t)pid * 2654435769u;

    return (h ^ (h >> 15)) & (m->cap - 1);
}

/* The slot of PID, or the free slot where it belongs. The table always has a free slot. */
static struct pidmap_slot *pidmap_find(const struct pidmap *m, pid_t pid)
{
    size_t i = pidmap_home(m, pid);

    while (m->slots[i].pid != 0 && m->slots[i].pid != pid)
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

bool pidmap_reserve(struct pidmap *m)
{
    struct pidmap larger = {.cap = m->cap > 0 ? m->cap : PIDMAP_CAP_MIN / 2, .n = m->n};

    if (m->n + 1 <= m->cap / 4 * 3)
        return true;
    if (__builtin_mul_overflow(larger.cap, (size_t)2, &larger.cap)) {
        errno = ENOMEM;
        return false;
    }
    larger.slots = mem_array(larger.cap, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].pid != 0)
            *pidmap_find(&larger, m->slots[i].pid) = m->slots[i];
    mem_free(m->slots);
    *m = larger;
    return true;
}

bool pidmap_put(struct pidmap *m, pid_t pid, void *record)
{
    struct pidmap_slot *slot;

    if (pid <= 0) {
        errno = EINVAL;
        return false;
    }
    if (m->cap > 0 && (slot = pidmap_find(m, pid))->pid == pid) {
        slot->record = record;
        return true;
    }
    if (!pidmap_reserve(m))
        return false;
    *pidmap_find(m, pid) = (struct pidmap_slot){.pid = pid, .record = record};
    m->n++;
    return true;
}

void *pidmap_get(const struct pidmap *m, pid_t pid)
{
    if (pid <= 0 || m->cap == 0)
        return NULL;
    return pidmap_find(m, pid)->record;
}

/* Moves later members of the run back into the hole at HOLE wherever their probing passes it. */
static void pidmap_close_gap(struct pidmap *m, size_t hole)
{
    size_t mask = m->cap - 1;

    for (size_t i = (hole + 1) & mask; m->slots[i].pid != 0; i = (i + 1) & mask) {
        size_t from_home = (i - pidmap_home(m, m->slots[i].pid)) & mask;
        if (from_home >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct pidmap_slot){0};
}

void *pidmap_remove(struct pidmap *m, pid_t pid)
{
    struct pidmap_slot *slot;
    void *record;

    if (pid <= 0 || m->cap == 0)
        return NULL;
    slot = pidmap_find(m, pid);
    if (slot->pid == 0)
        return NULL;
    record = slot->record;
    pidmap_close_gap(m, (size_t)(slot - m->slots));
    m->n--;
    return record;
}

void pidmap_each(const struct pidmap *m, void (*fn)(pid_t pid, void *record, void *data), void *data)
{
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].pid != 0)
            fn(m->slots[i].pid, m->slots[i].record, data);
}

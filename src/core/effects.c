/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The queue of effects.
 */
#include "core/effects.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

bool effects_reserve(struct effects *q, size_t n)
{
    size_t old = q->cap;
    size_t tail;

    if (q->cap - q->n >= n)
        return true;
    if (!mem_grow(&q->slots, &q->cap, q->n + n, sizeof *q->slots))
        return false;
    /* What had wrapped round to the front, or as much of it as has to, goes behind the old end. */
    tail = q->head + q->n > old ? q->head + q->n - old : 0;
    if (tail > 0) {
        size_t moved = q->cap - old < tail ? q->cap - old : tail;
        memcpy(q->slots + old, q->slots, moved * sizeof *q->slots);
        memmove(q->slots, q->slots + moved, (tail - moved) * sizeof *q->slots);
    }
    return true;
}

struct effects_slot *effects_add(struct effects *q, enum effect_kind kind, unsigned unit)
{
    struct effects_slot *e;

    if (effects_reserve(q, 1)) {
        e = &q->slots[(q->head + q->n) % q->cap];
        q->n++;
    } else {
        e = &q->spare;
        mem_free(e->text);
    }
    *e = (struct effects_slot){.kind = kind, .unit = unit};
    return e;
}

bool effects_take(struct effects *q, struct effect *ret)
{
    struct effects_slot *e;

    if (q->n == 0)
        return false;
    e = &q->slots[q->head];
    *ret = (struct effect){.kind = e->kind,
                           .unit = e->unit,
                           .run = e->run,
                           .pid = e->pid,
                           .signal = e->kind == EFFECT_SIGNAL ? e->number : 0,
                           .scope = e->scope,
                           .at_ms = e->at_ms,
                           .level = e->level,
                           .event = e->event,
                           .code_kind = e->code_kind,
                           .code = e->code,
                           .hook = e->hook,
                           .from = e->from,
                           .to = e->to,
                           .exit_code = e->kind == EFFECT_EXIT ? e->number : 0};
    if (e->text)
        snprintf(ret->text, sizeof ret->text, "%s", e->text);
    mem_free(e->text);
    q->head = (q->head + 1) % q->cap;
    q->n--;
    return true;
}

void effects_done(struct effects *q)
{
    struct effect e;

    while (effects_take(q, &e))
        ;
    mem_free(q->spare.text);
    mem_free(q->slots);
    *q = (struct effects){0};
}

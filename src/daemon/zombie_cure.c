/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The treatment of negligent parents. See zombie_cure.h.
 *
 * Between a look and a treatment the loop turns: each parent and each zombie is known again by its number and the time
 * of its start before anything is done to it.
 */
#include "daemon/zombie_cure.h"

#include "base/mem.h"
#include "daemon/engine.h"
#include "daemon/zombie_note.h"
#include "sys/sys.h"

#include <signal.h>
#include <stdio.h>

/* Rounds in a row through those that run, or have run since they were stopped last, and must block in a call first. */
enum { CURE_VAIN_MAX = 7 };

/* Whether the process PID that was started at START_TICKS is still there and lives. */
static bool zombie_cure_lives(pid_t pid, uint64_t start_ticks)
{
    struct procstat st;
    return procfs_stat(pid, &st) && st.start_ticks == start_ticks && !procstat_is_dead(&st);
}

/* Whether Z is still the zombie that it was. */
static bool zombie_cure_is_there(const struct zombie *z)
{
    struct procstat st;
    return procfs_stat(z->pid, &st) && st.start_ticks == z->start_ticks && st.ppid == z->parent &&
           procstat_is_dead(&st);
}

static bool zombie_cure_concerns(const struct zombie_cure *c, const struct zombie *z)
{
    return !zombie_is_leader(z) && z->seen_ms <= c->since_ms;
}

static void zombie_cure_add(struct zombie_cure *c, const struct zombie *z, size_t n, unsigned unit, uint64_t id)
{
    struct procstat st;
    if (c->n >= ZOMBIE_PATIENTS_MAX || !mem_grow(&c->list, &c->cap, c->n + 1, sizeof *c->list)) {
        c->n_left_out += n;
        return;
    }
    struct zombie_patient *p = &c->list[c->n++];
    *p = (struct zombie_patient){
        .pid = z->parent, .start_ticks = z->parent_start, .unit = unit, .id = id, .n_before = n, .n_left = n};
    if (procfs_stat(p->pid, &st) && st.start_ticks == p->start_ticks)
        snprintf(p->name, sizeof p->name, "%.*s", ATTRIB_NAME_MAX - 1, st.comm);
}

void zombie_cure_admit(struct zombie_cure *c, const struct zombie_record *r, unsigned unit, uint64_t id)
{
    struct zombie_family f = {0};
    while (zombie_record_next(r, &f)) {
        if (f.n_unwaited == 0)
            continue;
        if (f.youngest_ms + ZOMBIE_RIPE_MS > c->ripe_ms)
            c->ripe_ms = f.youngest_ms + ZOMBIE_RIPE_MS;
        zombie_cure_add(c, f.list, f.n_unwaited, unit, id);
    }
}

bool zombie_cure_send(pid_t pid, uint64_t start_ticks)
{
    int pidfd = sys_pidfd_open(pid);
    if (pidfd < 0)
        return false;
    bool sent = zombie_cure_lives(pid, start_ticks) && sys_pidfd_send_signal(pidfd, SIGCHLD) == 0;
    sys_close(pidfd);
    return sent;
}

void zombie_cure_nudge(struct zombie_cure *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (!zombie_cure_send(c->list[i].pid, c->list[i].start_ticks))
            c->list[i].verdict = UNZOMBIE_REFUSED;
}

void zombie_cure_refuse(struct zombie_cure *c, enum unzombie_verdict verdict, int errnum)
{
    for (size_t i = 0; i < c->n; i++) {
        c->list[i].verdict = verdict;
        c->list[i].errnum = errnum;
        c->list[i].is_over = true;
    }
}

/* The next zombies of P that it is to wait for, at most UNZOMBIE_MAX, into PIDS. How many. */
static size_t zombie_cure_collect(const struct zombie_cure *c, const struct zombie_patient *p,
                                  const struct zombie_record *r, pid_t *pids)
{
    int64_t now_ms = sys_now_ms();
    size_t n, n_taken = 0;
    const struct zombie *z = r->list + zombie_record_of(r, p->pid, &n);
    for (size_t i = 0; i < n && n_taken < UNZOMBIE_MAX; i++)
        if (z[i].pid > p->tried && zombie_cure_concerns(c, &z[i]) && now_ms - z[i].seen_ms >= ZOMBIE_RIPE_MS &&
            zombie_cure_is_there(&z[i]))
            pids[n_taken++] = z[i].pid;
    return n_taken;
}

/* Stops P once. */
static void zombie_cure_stop(struct zombie_cure *c, struct engine *g, struct zombie_patient *p, int64_t budget_us)
{
    const struct zombie_note *note = zombie_note_of(g, p->unit, false);
    pid_t pids[UNZOMBIE_MAX];
    struct unzombie_result result = {.verdict = UNZOMBIE_GONE};
    bool there = note != NULL && note->record.n > 0 && zombie_cure_lives(p->pid, p->start_ticks);
    size_t n = there ? zombie_cure_collect(c, p, &note->record, pids) : 0;
    if (there && n == 0) {
        p->verdict = UNZOMBIE_DONE;
        p->is_over = true;
        return;
    }
    if (there)
        unzombie(p->pid, pids, n, budget_us, &result);
    p->verdict = result.verdict;
    p->errnum = result.errnum;
    if (result.n_tried > 0) {
        p->tried = pids[result.n_tried - 1];
        c->has_moved = true;
    }
    /* One that was let go a moment ago has to get to its call again. */
    p->is_busy = p->verdict == UNZOMBIE_BUSY || (p->verdict == UNZOMBIE_LATER && result.n_tried == 0);
    p->is_over = p->is_busy || (p->verdict != UNZOMBIE_DONE && p->verdict != UNZOMBIE_LATER);
}

/* Begins another round with those who were busy. False: there are none, or it was tried often enough. */
static bool zombie_cure_again(struct zombie_cure *c)
{
    bool any = false;
    c->n_vain = c->has_moved ? 0 : c->n_vain + 1;
    c->has_moved = false;
    c->at = 0;
    for (size_t i = 0; c->n_vain < CURE_VAIN_MAX && i < c->n; i++) {
        any = any || c->list[i].is_busy;
        c->list[i].is_over = c->list[i].is_over && !c->list[i].is_busy;
    }
    return any;
}

enum zombie_treatment zombie_cure_treat(struct zombie_cure *c, struct engine *g, int64_t budget_us)
{
    while (c->at < c->n && c->list[c->at].is_over)
        c->at++;
    if (c->at < c->n) {
        zombie_cure_stop(c, g, &c->list[c->at], budget_us);
        return ZOMBIE_TREATING;
    }
    return zombie_cure_again(c) ? ZOMBIE_TREAT_BUSY : ZOMBIE_TREATED;
}

size_t zombie_cure_assess(struct zombie_cure *c, struct engine *g)
{
    size_t sum = c->n_left_out;
    for (size_t i = 0; i < c->n; i++) {
        struct zombie_patient *p = &c->list[i];
        const struct zombie_note *note = zombie_note_of(g, p->unit, false);
        size_t n = 0;
        size_t at = note != NULL ? zombie_record_of(&note->record, p->pid, &n) : 0;
        p->n_left = 0;
        for (size_t k = 0; k < n; k++) {
            const struct zombie *z = &note->record.list[at + k];
            p->n_left += z->parent_start == p->start_ticks && zombie_cure_concerns(c, z);
        }
        sum += p->n_left;
    }
    return sum;
}

void zombie_cure_done(struct zombie_cure *c)
{
    mem_free(c->list);
    *c = (struct zombie_cure){0};
}

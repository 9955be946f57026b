/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The ring of one stream of output. See logring.h.
 *
 * What a reader in another process may rely on: `claimed` grows before bytes are overwritten, `end` grows after new
 * ones are there. So who copies bytes and then finds that `claimed` has not got past them has copied what was written.
 */
#include "core/logring.h"

#include <stdlib.h>
#include <string.h>

static uint64_t get(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_acquire);
}

static void put(_Atomic uint64_t *v, uint64_t value)
{
    atomic_store_explicit(v, value, memory_order_release);
}

static size_t n_marks_of(size_t size)
{
    return size / LOGRING_BYTES_A_MARK;
}

size_t logring_head_bytes(size_t size, size_t page)
{
    size_t n = LOGRING_PAGE + n_marks_of(size) * sizeof(struct logring_mark);
    return (n + page - 1) / page * page;
}

size_t logring_size(int64_t wished, size_t page)
{
    size_t size = page > LOGRING_SIZE_MIN ? page : LOGRING_SIZE_MIN;
    int64_t least = wished > 0 ? wished : LOGRING_SIZE_DEFAULT;
    while (size < (uint64_t)least && size < LOGRING_SIZE_MAX)
        size *= 2;
    return size;
}

void logring_attach(struct logring *r, void *base, size_t size, size_t page)
{
    static_assert(sizeof(struct logring_head) <= LOGRING_PAGE, "the head has a page of its own");
    *r = (struct logring){
        .head = base,
        .marks = (void *)((char *)base + LOGRING_PAGE),
        .n_marks = n_marks_of(size),
        .data = (char *)base + logring_head_bytes(size, page),
        .size = size,
    };
}

size_t logring_pending(const struct logring *r)
{
    return (size_t)(get(&r->head->end) - get(&r->head->sent));
}

size_t logring_room(const struct logring *r)
{
    return r->size - logring_pending(r);
}

void logring_claim(struct logring *r, size_t n)
{
    uint64_t claimed = get(&r->head->end) + n;
    if (claimed > get(&r->head->claimed))
        put(&r->head->claimed, claimed);
    /* Nobody may see new bytes before the claim. */
    atomic_thread_fence(memory_order_seq_cst);
}

/* Bytes from AT on came at REAL_US, unless that is known already. */
static void mark(struct logring *r, uint64_t at, int64_t real_us)
{
    struct logring_head *h = r->head;
    uint64_t begin = get(&h->marks_begin), end = get(&h->marks_end);
    if (end > begin) {
        const struct logring_mark *last = &r->marks[(end - 1) % r->n_marks];
        if (last->at >= at || last->real_us == real_us)
            return;
    }
    if (end - begin == r->n_marks)
        put(&h->marks_begin, begin + 1);
    r->marks[end % r->n_marks] = (struct logring_mark){.at = at, .real_us = real_us};
    put(&h->marks_end, end + 1);
}

void logring_commit(struct logring *r, uint64_t end, int64_t real_us)
{
    uint64_t before = get(&r->head->end);
    if (end <= before)
        return;
    mark(r, before, real_us);
    put(&r->head->end, end);
}

void logring_release(struct logring *r, uint64_t sent)
{
    put(&r->head->sent, sent);
}

size_t logring_newlines(const char *data, size_t len)
{
    size_t n = 0;
    const char *end = data + len;
    for (const char *p = data; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
        n++;
    return n;
}

void logring_drop(struct logring *r, size_t want)
{
    struct logring_head *h = r->head;
    uint64_t sent = get(&h->sent);
    size_t pending = logring_pending(r);
    const char *data = logring_at(r, sent);
    if (want > pending)
        want = pending;
    if (want == 0)
        return;
    const char *newline = memchr(data + want - 1, '\n', pending - want + 1);
    size_t n = newline != NULL ? (size_t)(newline - data) + 1 : want;
    h->lost_bytes += n;
    h->lost_lines += logring_newlines(data, n);
    h->line = (struct logline_state){.within = data[n - 1] != '\n'};
    put(&h->sent, sent + n);
}

void logring_begin_run(struct logring *r, uint64_t at)
{
    struct logring_head *h = r->head;
    uint64_t n = get(&h->n_runs) + 1;
    h->runs[n % LOGRING_RUNS].pid = 0;
    put(&h->runs[n % LOGRING_RUNS].at, at);
    put(&h->n_runs, n);
}

struct logring_run *logring_run(const struct logring *r)
{
    return &r->head->runs[get(&r->head->n_runs) % LOGRING_RUNS];
}

pid_t logring_pid(const struct logring *r, uint64_t at)
{
    uint64_t n = get(&r->head->n_runs);
    for (uint64_t back = 0; back < LOGRING_RUNS && back <= n; back++) {
        const struct logring_run *run = &r->head->runs[(n - back) % LOGRING_RUNS];
        if (get(&run->at) <= at)
            return run->pid;
    }
    return 0;
}

int64_t logring_time(const struct logring *r, uint64_t at)
{
    uint64_t begin = get(&r->head->marks_begin), end = get(&r->head->marks_end);
    if (begin == end)
        return 0;
    /* The last mark is nearly always the one that is asked for. */
    if (r->marks[(end - 1) % r->n_marks].at <= at)
        return r->marks[(end - 1) % r->n_marks].real_us;
    uint64_t low = begin, high = end - 1;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (r->marks[middle % r->n_marks].at <= at)
            low = middle;
        else
            high = middle;
    }
    return r->marks[low % r->n_marks].real_us;
}

bool logring_position(const struct logring *r, uint64_t turn, size_t readable, uint64_t *ret)
{
    uint64_t moved = get(&r->head->moved);
    if ((turn & 1) != 0 || get(&r->head->turn) != turn)
        return false;
    *ret = moved + readable;
    return true;
}

uint64_t logring_oldest(const struct logring *r)
{
    uint64_t claimed = get(&r->head->claimed);
    return claimed > r->size ? claimed - r->size : 0;
}

uint64_t logring_copy(const struct logring *r, uint64_t from, uint64_t to, char *out)
{
    uint64_t oldest = logring_oldest(r);
    uint64_t at = from > oldest ? from : oldest;
    if (at >= to)
        return to;
    /* Whatever the other process says: no more than is mapped. */
    if (to - at > r->size)
        at = to - r->size;
    memcpy(out, logring_at(r, at), (size_t)(to - at));
    atomic_thread_fence(memory_order_seq_cst);
    oldest = logring_oldest(r);
    if (oldest <= at)
        return at;
    if (oldest >= to)
        return to;
    memmove(out, out + (oldest - at), (size_t)(to - oldest));
    return oldest;
}

uint64_t logring_last_lines(const char *data, uint64_t from, uint64_t to, size_t n)
{
    size_t len = (size_t)(to - from);
    /* The newline at the very end ends the last line, and begins none. */
    for (size_t i = len > 0 && n > 0 ? len - 1 : 0; i > 0; i--)
        if (data[i - 1] == '\n' && --n == 0)
            return from + i;
    return n == 0 ? to : from;
}

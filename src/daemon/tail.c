/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The last lines of output. See tail.h.
 */
#include "daemon/tail.h"

#include "base/mem.h"
#include "core/snapshot.h"
#include "daemon/engine.h"

#include <string.h>

/* The last lines of one stream, read from its end back to its beginning. */
struct reader {
    char *data;      /* owned; NULL: there is none */
    uint64_t base;   /* the position of data[0] */
    uint64_t begin;  /* where the first whole line begins */
    uint64_t at, to; /* the present line, or what there is of it, with its newline */
    int64_t real_us; /* when it came */
};

/* Goes to the line before the present one, the last one at first. False: there is none. */
static bool step_back(struct reader *r, const struct logring *ring)
{
    r->to = r->at;
    if (r->at == r->begin)
        return false;
    r->at = logring_last_lines(r->data + (r->begin - r->base), r->begin, r->to, 1);
    r->real_us = logring_time(ring, r->at);
    return true;
}

/* The line in the middle of which the data begins is none. */
static void skip_fragment(struct reader *r, uint64_t to)
{
    size_t len = (size_t)(to - r->base);
    const char *newline = memchr(r->data, '\n', len);
    if (newline != NULL && newline + 1 < r->data + len)
        r->begin = r->base + (uint64_t)(newline + 1 - r->data);
}

/* Reads RING from FROM to TO. False without memory. */
static bool read_ring(struct reader *r, const struct logring *ring, uint64_t from, uint64_t to)
{
    uint64_t first = to - from > TAIL_READ_MAX ? to - TAIL_READ_MAX : from;
    r->data = mem_alloc((size_t)(to - first));
    if (r->data == NULL)
        return false;
    r->base = r->begin = logring_copy(ring, first, to, r->data);
    r->at = to;
    if (r->base > from && r->base < to)
        skip_fragment(r, to);
    return true;
}

/* Reads what S has of the run that began at *FROM; NULL: of any. False without memory. */
static bool read_stream(struct reader *r, const struct output_stream *s, const uint64_t *from)
{
    const struct logring_head *h = s->ring.head;
    uint64_t to = h->end;
    uint64_t next = logring_run(&s->ring)->at;
    /* What a later run has written is not its output. */
    if (from != NULL && next > *from && next < to)
        to = next;
    uint64_t begin = from != NULL ? *from : 0;
    return begin >= to || read_ring(r, &s->ring, begin, to);
}

static json_t *line_text(const struct reader *r)
{
    const char *text = r->data + (r->at - r->base);
    size_t len = (size_t)(r->to - r->at);
    len -= text[len - 1] == '\n';
    return snapshot_text(text, len < TAIL_LINE_MAX ? len : TAIL_LINE_MAX);
}

/* The latest of the present lines, or NULL. */
static struct reader *latest(struct reader readers[SPEC_STREAM_N])
{
    struct reader *best = NULL;
    for (size_t i = 0; i < SPEC_STREAM_N; i++) {
        struct reader *r = &readers[i];
        if (r->at < r->to && (best == NULL || r->real_us > best->real_us))
            best = r;
    }
    return best;
}

json_t *tail_json(const struct engine_unit *u, size_t n, const struct output_place *from)
{
    struct reader readers[SPEC_STREAM_N] = {{0}};
    json_t *lines = json_array();
    size_t n_bytes = 0;
    bool ok = lines != NULL;
    for (size_t i = 0; i < SPEC_STREAM_N; i++)
        if (ok && u->out[i] != NULL) {
            ok = read_stream(&readers[i], u->out[i], from != NULL ? &from->at[i] : NULL);
            (void)(readers[i].data != NULL && step_back(&readers[i], &u->out[i]->ring));
        }
    for (struct reader *r; ok && n > 0 && n_bytes < TAIL_BYTES_MAX && (r = latest(readers)) != NULL; n--) {
        n_bytes += r->to - r->at < TAIL_LINE_MAX ? (size_t)(r->to - r->at) : TAIL_LINE_MAX;
        ok = json_array_insert_new(lines, 0, line_text(r)) == 0;
        (void)step_back(r, &u->out[r - readers]->ring);
    }
    for (size_t i = 0; i < SPEC_STREAM_N; i++)
        mem_free(readers[i].data);
    if (ok)
        return lines;
    json_decref(lines);
    return NULL;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The last lines of output of one service: a ring of bytes that grows to its limit, then forgets whole lines.
 */
#include "daemon/tail.h"

#include "base/mem.h"
#include "core/snapshot.h"

#include <string.h>

enum { TAIL_BYTES_MIN = 512 };

static char tail_at(const struct tail *t, size_t i)
{
    return t->bytes[(t->head + i) % t->cap];
}

/* Where the line that begins at I ends: its newline. */
static size_t tail_line_end(const struct tail *t, size_t i)
{
    size_t begin = (t->head + i) % t->cap;
    const char *end = memchr(t->bytes + begin, '\n', t->cap - begin);
    if (end != NULL)
        return i + (size_t)(end - t->bytes) - begin;
    end = memchr(t->bytes, '\n', begin);
    return i + t->cap - begin + (size_t)(end - t->bytes);
}

static void tail_copy(const struct tail *t, size_t from, size_t len, char *out)
{
    size_t begin = (t->head + from) % t->cap;
    size_t first = len < t->cap - begin ? len : t->cap - begin;
    memcpy(out, t->bytes + begin, first);
    memcpy(out + first, t->bytes, len - first);
}

static void tail_put(struct tail *t, const char *data, size_t len)
{
    size_t begin = (t->head + t->len) % t->cap;
    size_t first = len < t->cap - begin ? len : t->cap - begin;
    memcpy(t->bytes + begin, data, first);
    memcpy(t->bytes, data + first, len - first);
    t->len += len;
}

static bool tail_grow(struct tail *t, size_t need)
{
    size_t cap = t->cap > 0 ? t->cap : TAIL_BYTES_MIN;
    while (cap < need && cap < TAIL_BYTES_MAX)
        cap *= 2;
    if (cap == t->cap)
        return true;
    char *bytes = mem_alloc(cap);
    if (bytes == NULL)
        return t->cap > 0;
    if (t->cap > 0)
        tail_copy(t, 0, t->len, bytes);
    mem_free(t->bytes);
    t->bytes = bytes;
    t->cap = cap;
    t->head = 0;
    return true;
}

void tail_begin_run(struct tail *t)
{
    t->n_of_run = 0;
}

void tail_add(struct tail *t, const char *text, size_t len)
{
    size_t room = len < TAIL_LINE_MAX ? len : TAIL_LINE_MAX;
    /* What is between the newlines is one line, whatever the writer thinks. */
    const char *newline = memchr(text, '\n', room);
    if (newline != NULL)
        room = (size_t)(newline - text);
    if (!tail_grow(t, t->len + room + 1) || room + 1 > t->cap)
        return;
    while (t->len + room + 1 > t->cap) {
        size_t gone = tail_line_end(t, 0) + 1;
        t->head = (t->head + gone) % t->cap;
        t->len -= gone;
    }
    tail_put(t, text, room);
    tail_put(t, "\n", 1);
    t->n_of_run++;
}

void tail_each(const struct tail *t, size_t n, bool (*fn)(const char *text, size_t len, void *data), void *data)
{
    char line[TAIL_LINE_MAX];
    size_t at = t->len;
    /* From the end back to the newline before the N-th last line. */
    for (size_t lines = 0; at > 0; at--)
        if (tail_at(t, at - 1) == '\n' && lines++ == n)
            break;
    while (at < t->len) {
        size_t end = tail_line_end(t, at);
        tail_copy(t, at, end - at, line);
        if (!fn(line, end - at, data))
            return;
        at = end + 1;
    }
}

static bool tail_append(const char *text, size_t len, void *data)
{
    return json_array_append_new(data, snapshot_text(text, len)) == 0;
}

json_t *tail_json(const struct tail *t, size_t n)
{
    json_t *lines = json_array();
    if (lines != NULL)
        tail_each(t, n, tail_append, lines);
    return lines;
}

void tail_done(struct tail *t)
{
    mem_free(t->bytes);
    *t = (struct tail){0};
}

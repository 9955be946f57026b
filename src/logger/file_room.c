/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How much more goes to a file before it is rotated. See file.h.
 */
#include "logger/file.h"

#include "core/logline.h"

#include <ev.h>
#include <string.h>

size_t file_room(const struct stream *s)
{
    const struct file *f = file_of(s);
    uint64_t max = (uint64_t)s->log.max_size;
    if (ev_now(s->logger->loop) < f->grows_until)
        return SIZE_MAX;
    if (f->is_old)
        return 0;
    if (s->log.max_size <= 0)
        return SIZE_MAX;
    return f->size < max ? (size_t)(max - f->size) : 0;
}

size_t file_room_for_rest(const struct stream *s)
{
    uint64_t size = file_of(s)->size, max = (uint64_t)s->log.max_size + LOGLINE_MAX;
    if (s->log.max_size <= 0)
        return SIZE_MAX;
    return size < max ? (size_t)(max - size) : 0;
}

size_t file_share(const struct stream *s, const char *data, size_t len)
{
    const struct file *f = file_of(s);
    size_t left = file_room(s);
    if (len <= left)
        return len;
    const char *newline = left > 0 ? memrchr(data, '\n', left) : NULL;
    if (newline != NULL)
        return (size_t)(newline - data) + 1;
    if (f->size > 0 && !s->ring.head->line.within)
        return 0;
    size_t most = file_room_for_rest(s);
    if (most > len)
        most = len;
    newline = most > left ? memchr(data + left, '\n', most - left) : NULL;
    return newline != NULL ? (size_t)(newline - data) + 1 : most;
}

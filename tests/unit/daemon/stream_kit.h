/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A stream of output with a ring but without a pipe, the bytes of which a test puts there itself.
 */
#ifndef FOSTER_TESTS_DAEMON_STREAM_KIT_H
#define FOSTER_TESTS_DAEMON_STREAM_KIT_H

#include "daemon/engine.h"

#include "sys/ring.h"

#include <string.h>
#include <unistd.h>

/** Makes S one with a ring of SIZE bytes. */
static inline void stream_make(struct output_stream *s, size_t size)
{
    size_t head = logring_head_bytes(size, ring_page());
    int fd = ring_create(head, size);
    assert_true(fd >= 0);
    *s = (struct output_stream){.is_synced = true, .read_fd = -1, .write_fd = -1, .ring_fd = -1};
    s->base = ring_map(fd, head, size);
    assert_non_null(s->base);
    logring_attach(&s->ring, s->base, size, ring_page());
    close(fd);
}

/** Puts LEN bytes, which came at REAL_US, as a logger does. */
static inline void stream_put(struct output_stream *s, const char *bytes, size_t len, int64_t real_us)
{
    uint64_t end = s->ring.head->end;
    s->ring.head->sent = end;
    logring_claim(&s->ring, len);
    memcpy(logring_at(&s->ring, end), bytes, len);
    logring_commit(&s->ring, end + len, real_us);
}

/** Frees what S owns. */
static inline void stream_unmake(struct output_stream *s)
{
    ring_unmap(s->base, logring_head_bytes(s->ring.size, ring_page()), s->ring.size);
    s->base = NULL;
}

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The ring of one stream of output: the bytes last taken in, those among them that have not gone out yet, and when they
 * came. It lies in memory that fosterd and its logger share, so that it outlives the logger: whoever is started in its
 * place goes on exactly where that one was stopped. The logger alone writes to it, but for the runs; fosterd looks.
 *
 * Positions count the bytes of the stream from its beginning and never wrap. The ring holds those from end - size on.
 * Its data is mapped twice, one behind the other, so that every piece of it is contiguous.
 *
 *     claimed - size <= ... sent ............ end ...... claimed        claimed - sent <= size
 *       (has gone out)       (waits to go out)    (being read in)
 */
#ifndef FOSTER_CORE_LOGRING_H
#define FOSTER_CORE_LOGRING_H

#include "base/compiler.h"
#include "core/logline.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    LOGRING_SIZE_MIN = 4096,
    LOGRING_SIZE_DEFAULT = 64 << 10,
    LOGRING_SIZE_MAX = 64 << 20,
    LOGRING_BYTES_A_MARK = 64, /* a ring has room for a mark for so many bytes, on average */
    LOGRING_RUNS = 64,         /* of which it is known where they began: the lines of so many may wait */
    LOGRING_PAGE = 4096,       /* the head takes a multiple of this; the system's pages may be larger */
};

/** From the byte `at` on, it came at `real_us` (microseconds since 1970). */
struct logring_mark {
    uint64_t at;
    int64_t real_us;
};

/** What was written from the byte `at` on is of the run whose main process is `pid`; 0: not known (yet). */
struct logring_run {
    _Atomic uint64_t at;
    _Atomic pid_t pid;
};

/** Why nothing goes out of a ring. */
enum logring_trouble {
    LOGRING_FLOWS,
    LOGRING_FULL,   /**< whoever takes it takes no more now */
    LOGRING_FAILING /**< it fails, with sink_errno */
};

/** What is shared of one ring. All of it zero: an empty one. */
struct logring_head {
    _Atomic uint64_t turn;  /**< odd while bytes are on their way out of the pipe; see logring_position() */
    _Atomic uint64_t moved; /**< bytes that were taken out of the pipe; those beyond `end` are in the stage */
    _Atomic uint64_t end;   /**< bytes that were taken into the ring */
    _Atomic uint64_t claimed;
    _Atomic uint64_t sent;       /**< bytes that have gone out, or were dropped */
    _Atomic uint64_t lost_bytes; /**< bytes dropped, altogether */
    _Atomic uint64_t lost_lines; /**< the newlines among them */
    _Atomic uint64_t lost_told;  /**< of lost_bytes, those that a line in the output has told of */
    _Atomic uint64_t lost_lines_told;
    _Atomic uint64_t marks_begin; /**< numbers of the marks that there are, from … */
    _Atomic uint64_t marks_end;   /**< … to, without that one; mark I is at index I % n_marks */
    _Atomic uint64_t n_runs; /**< that have begun behind the first; run I is at index I % LOGRING_RUNS; fosterd's */
    struct logring_run runs[LOGRING_RUNS]; /**< the last ones; fosterd's, and of a process that it starts */
    _Atomic int trouble;                   /**< enum logring_trouble */
    _Atomic int sink_errno;
    struct logline_state line; /**< where the bytes from `sent` on stand within their line; the logger's */
};

/** One ring, as mapped here. */
struct logring {
    struct logring_head *head;  /**< borrowed; shared */
    struct logring_mark *marks; /**< behind head; shared */
    size_t n_marks;
    char *data;  /**< shared; 2 * size bytes, the second half is the first one */
    size_t size; /**< a power of two, at least the size of a page */
};

/** Bytes of head and marks of a ring of SIZE bytes; its data is mapped behind them, twice. PAGE: the system's. */
size_t logring_head_bytes(size_t size, size_t page);

/** The size of a ring for WISHED bytes (0: the default) on a system with pages of PAGE bytes. */
size_t logring_size(int64_t wished, size_t page);

/** Makes R the ring in the mapping BASE of a ring of SIZE bytes. */
void logring_attach(struct logring *r, void *base, size_t size, size_t page) NONNULL();

/** The bytes from position AT on; contiguous for `size` bytes. */
static inline char *logring_at(const struct logring *r, uint64_t at)
{
    return r->data + (at & (r->size - 1));
}

/** Bytes that wait to go out. */
size_t logring_pending(const struct logring *r) NONNULL();

/** How many bytes can be taken in without overwriting what waits. */
size_t logring_room(const struct logring *r) NONNULL();

/** Announces that N bytes (at most logring_room()) behind `end` are about to be overwritten. */
void logring_claim(struct logring *r, size_t n) NONNULL();

/** The bytes up to position END (which are claimed) have come in, at REAL_US. Calling it again with the same END is
 * harmless: a new logger does, not knowing how far the old one got. */
void logring_commit(struct logring *r, uint64_t end, int64_t real_us) NONNULL();

/** Everything before SENT has gone out. */
void logring_release(struct logring *r, uint64_t sent) NONNULL();

/** Drops of what waits at least WANT bytes (or all), up to the end of a line where there is one; counts them. */
void logring_drop(struct logring *r, size_t want) NONNULL();

/** What is written from AT on is another run's, whose main process is not known yet. */
void logring_begin_run(struct logring *r, uint64_t at) NONNULL();

/** The present run. */
struct logring_run *logring_run(const struct logring *r) NONNULL();

/** The main process of the run that has written the byte at AT; 0: not known. */
pid_t logring_pid(const struct logring *r, uint64_t at) NONNULL();

/** When the byte at position AT came: microseconds since 1970; of a byte older than all marks, as the oldest of them; 0
 * without marks. */
int64_t logring_time(const struct logring *r, uint64_t at) NONNULL();

/** The position behind the last byte that has been written to the pipe, READABLE of which are in it still: where the
 * next writer begins. False while bytes are on the way; ask again, with another READABLE. *TURN is what the caller has
 * read of `turn` before it asked for READABLE. */
bool logring_position(const struct logring *r, uint64_t turn, size_t readable, uint64_t *ret) MUST_CHECK NONNULL();

/** The oldest position that can still be read, for a reader who is not the logger. */
uint64_t logring_oldest(const struct logring *r) NONNULL();

/** Copies what is there of FROM to TO (at most `size` bytes) to OUT, which has room for it, for a reader who is not the
 * logger and races with it. Returns the position of the first byte that was copied (at least FROM; TO when all of it
 * has been overwritten). */
uint64_t logring_copy(const struct logring *r, uint64_t from, uint64_t to, char *out) NONNULL();

/** How many newlines are in the LEN bytes at DATA. */
size_t logring_newlines(const char *data, size_t len) NONNULL();

/** The position at which the last N lines before TO begin, not before FROM. A last line without an end counts. DATA are
 * the bytes from FROM to TO. */
uint64_t logring_last_lines(const char *data, uint64_t from, uint64_t to, size_t n) NONNULL();

#endif

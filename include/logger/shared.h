/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the logger notes down, in memory that it shares with fosterd, about what it is in the middle of. It may be
 * killed between any two instructions; the one that is started in its place reads this, asks the kernel how far the
 * last system call got, and goes on from there. So each byte of output goes out once, neither never nor twice.
 *
 * How that is known:
 * - Intake: bytes go from a service's pipe to the *stage*, a pipe that only the logger uses, by splice(2), and from
 * there by readv(2) into the rings. How much is in the stage tells how far either call got, for nobody else adds or
 * takes anything.
 * - A file: its size, for nobody else writes to it.
 * - Standard output: bytes go by write(2) to the *outbox*, another pipe of the logger's own, when that is empty, and
 * from there by splice(2). How much is in the outbox tells how far either call got.
 * - Where splice(2) cannot go (sockets, files opened for appending) what was being written at that moment goes out
 * again.
 */
#ifndef FOSTER_LOGGER_SHARED_H
#define FOSTER_LOGGER_SHARED_H

#include "core/logline.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SHARED_STAGE_MAX = 256,       /**< moves into the stage between two reads: a pipe has no more slots */
    SHARED_BATCH_MAX = 128 << 10, /**< bytes of formatted output under way; any piece of a line fits, even as JSON */
    SHARED_STREAMS_MAX = 512,     /**< streams of which a batch has something */
};

/** In shared_batch.done: the outbox is being filled, or emptied in vain. What it holds has left `data`, too. */
#define SHARED_BOXING UINT32_C(0x80000000)

/** Bytes on their way from a pipe to a ring. */
struct shared_move {
    uint64_t stream; /**< id */
    uint64_t at;     /**< position in its ring where they go */
    uint32_t len;
};

/** What of a stream is in a batch. */
struct shared_part {
    uint64_t stream;    /**< id */
    uint64_t sent;      /**< its ring's `sent`, when the batch has gone out */
    uint64_t lost_told; /**< and its ring's lost_told and lost_lines_told */
    uint64_t lost_lines_told;
    struct logline_state state; /**< and its ring's `line` */
};

/** Formatted output under way. Of standard output: noted first, then `active` set, then the parts noted in the rings,
 * then written, then `active` cleared. Of a file: written before the parts are noted, for a failed write is taken back.
 */
struct shared_batch {
    _Atomic uint32_t active;
    uint32_t n_parts;
    uint32_t len;
    uint32_t raw;                /**< the bytes are in the ring of its one part, up to `sent`, instead of in `data` */
    _Atomic uint32_t done;       /**< of standard output: bytes that have left `data`; see SHARED_BOXING */
    uint64_t file_size;          /**< of a file: before */
    uint64_t file_dev, file_ino; /**< which file that is */
    struct shared_part parts[SHARED_STREAMS_MAX];
    char data[SHARED_BATCH_MAX];
};

/** What fosterd and its logger share beside the rings. All of it zero: nothing is under way. */
struct shared {
    _Atomic uint64_t n_taken; /**< bytes that came in, ever, … */
    _Atomic uint64_t n_sent;  /**< … and that went out, a step at least: a logger that died and had moved nothing
                                 is not started again at once */
    _Atomic uint32_t stage_n; /**< of moves, the last of which may have been under way */
    _Atomic uint32_t stage_reading; /**< 0: the stage is being filled; 1: it is being emptied */
    struct shared_move moves[SHARED_STAGE_MAX];
    struct shared_batch out;  /**< for standard output */
    struct shared_batch file; /**< for a file; written in one go, so that one is enough for all of them */
};

#endif

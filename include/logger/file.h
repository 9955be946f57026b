/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The driver `file`: bytes as they are, or lines with a time or as JSON, go to a file that is rotated.
 *
 * DIAGNOSTICS: a file that cannot be opened or written is tried again every second, while something waits for it; the
 * first failure and the end of it are one message each (stream_set_trouble()). Nothing is synchronised to the disk
 * here: that may take seconds, in which nobody's output would move. What a crash of the machine may cost is what every
 * other program's log would lose; a rotation that it undoes leaves a file that grows on.
 */
#ifndef FOSTER_LOGGER_FILE_H
#define FOSTER_LOGGER_FILE_H

#include "base/compiler.h"
#include "logger/stream.h"

#include <stdint.h>
#include <sys/types.h>

/** The file of one stream. */
struct file {
    struct stream *stream; /**< borrowed: the owner */
    char *path;            /**< owned; NULL: none could be made of the settings */
    const char *base;      /**< behind its last slash */
    int dir_fd;            /**< owned; O_PATH; -1: not open */
    int fd;                /**< owned; -1: not open */
    uint64_t size;
    int64_t born_us; /**< when the file was begun, in microseconds since 1970 */
    dev_t dev;
    ino_t ino;
    uint64_t begun;     /**< position in the ring of the first byte that went there; 0: not known either */
    uint64_t mirrored;  /**< so many bytes at its end are those of the ring before `sent`, if none were dropped since */
    bool within;        /**< its last line has not ended */
    bool is_old;        /**< it is to be rotated at the end of the line that has begun */
    double grows_until; /**< ev_now() before which no other rotation is tried; 0: the last one went well */
    double checked_at;  /**< when (ev_now()) it was last seen to be what its name stands for */
    char error[256];    /**< what is wrong, when it is no errno */
    bool to_compress;   /**< there may be files that are full and not compressed */
    struct ev_timer retry;
    struct ev_timer age;
};

/** Ends what a logger before us was in the middle of writing to a file: all streams are there. */
void file_recover(struct logger *l) NONNULL();

/** The file of S, whose sink is sink_file. */
struct file *file_of(const struct stream *s) NONNULL();

/** Whether bytes go as they are to the file of S. */
bool file_is_raw(const struct stream *s) NONNULL();

/** How much more the file of S takes before it is full. */
size_t file_room(const struct stream *s) NONNULL();

/** The same for the rest of a line that it has the beginning of. That is bounded, too: whoever writes without newlines
 * must not fill the disk. */
size_t file_room_for_rest(const struct stream *s) NONNULL();

/** Of the LEN bytes at DATA, how many go to the present file: as many whole lines as it has room for. 0: none. */
size_t file_share(const struct stream *s, const char *data, size_t len) NONNULL();

#endif

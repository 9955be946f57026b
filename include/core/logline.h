/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From the bytes that a service writes to lines, and from lines to what goes out: after a name, after a time, as JSON,
 * as a message for syslog or the journal. Bytes in, bytes out; pure, and the part of logging that costs most, so
 * nothing here allocates.
 */
#ifndef FOSTER_CORE_LOGLINE_H
#define FOSTER_CORE_LOGLINE_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    LOGLINE_MAX = 16 << 10, /**< longer lines go out in pieces of so many bytes where they go out in pieces at all */
    LOGLINE_STAMP_LEN = 27, /**< of "2026-11-22T08:15:30.123456Z" */
};

/** Where a stream stands. Zero: at the beginning of a line. */
struct logline_state {
    bool within;      /**< a part of the present line has gone out already */
    uint8_t priority; /**< and that with this priority, plus 1; 0: with none. Of those who send messages */
};

/** A piece of a line. */
struct logline_piece {
    const char *text; /**< borrowed; without the newline */
    size_t len;
    bool continues; /**< it is not the beginning of its line */
    bool ends;      /**< the line ends here */
};

/** Takes the next piece of the LEN bytes at DATA, which stand as ST says: a line, LOGLINE_MAX bytes of one that is
 * longer (up to three less, so that no character of UTF-8 is cut), or, with FLUSH, what there is of one that has not
 * ended. Returns how many bytes that is, the newline
 * included; 0: there is no such piece (yet). Does not change ST; see logline_taken(). */
size_t logline_next(const char *data, size_t len, const struct logline_state *st, bool flush, struct logline_piece *ret)
    NONNULL();

/** P has gone out. */
static inline void logline_taken(struct logline_state *st, const struct logline_piece *p)
{
    st->within = !p->ends;
}

/** Where the output is put: a piece of memory with an end. */
struct logline_out {
    char *data; /**< borrowed */
    size_t len, cap;
};

/** What a stream's lines are marked with. Strings are borrowed. */
struct logline_label {
    const char *name;    /**< of the unit: "web", "web.2" */
    const char *service; /**< of its service: "web" */
    const char *stream;  /**< "stdout" or "stderr" */
    const char *tag;     /**< for syslog and the journal */
    const char *host;    /**< for syslog; "-" where it is not known */
    int width;           /**< the name is padded to this in front of lines */
    int colour;          /**< of the name in front of lines: 0 none, else an SGR code such as 36 */
    int facility;        /**< for syslog and the journal */
    pid_t pid;           /**< for syslog and the journal: of the main process; 0: not known */
};

/** The text of the last second that was asked for. Zero-initialised: none yet. */
struct logline_clock {
    int64_t second;                   /**< since 1970 */
    char text[LOGLINE_STAMP_LEN + 1]; /**< of its beginning; "": not known */
};

/** Writes the time REAL_US (microseconds since 1970) as RFC 3339, UTC, LOGLINE_STAMP_LEN bytes without a NUL. */
void logline_stamp(struct logline_clock *clock, int64_t real_us, char *out) NONNULL();

/** The functions below append one piece and return true; or return false, with nothing appended, when it does not fit.
 */

/** "name | text\n", the rest of a line "name + text\n"; with a CLOCK (may be NULL) the time before the text. */
bool logline_put_prefixed(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                          struct logline_clock *clock, int64_t real_us) NONNULL(1, 2, 3);

/** The time, a space and the text, for output that is never cut into pieces: P that continues a line has no time, and
 * one that does not end it no newline. */
bool logline_put_stamped(struct logline_out *o, const struct logline_piece *p, struct logline_clock *clock,
                         int64_t real_us) NONNULL();

/** {"time":…,"service":…,"instance":…,"stream":…,"message":…}\n; "instance" where it has another name than its service,
 * "continues":true where it is not the beginning of its line, "partial":true where the line does not end: what a run
 * has left without an end is partial, too, and nothing continues it. Bytes that are no UTF-8 become U+FFFD. */
bool logline_put_json(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                      struct logline_clock *clock, int64_t real_us) NONNULL();

/** The priority that P begins with ("<3>", as sd-daemon(3) has it: 0 to 7), taken off it; DEF when there is none. */
int logline_priority(struct logline_piece *p, int def) NONNULL();

/** One message as RFC 5424 has it, without structured data and without a newline at its end. */
bool logline_put_syslog(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                        int priority, struct logline_clock *clock, int64_t real_us) NONNULL();

/** The same as RFC 3164 has it and syslog(3) writes, without a time: "<PRI>tag[pid]: text". */
bool logline_put_bsd_syslog(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                            int priority) NONNULL();

/** One entry of the journal's native protocol: PRIORITY, SYSLOG_FACILITY, SYSLOG_IDENTIFIER, SYSLOG_PID,
 * FOSTER_SERVICE, FOSTER_INSTANCE (the unit), FOSTER_STREAM and MESSAGE. The time is the journal's own. */
bool logline_put_journal(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                         int priority) NONNULL();

#endif

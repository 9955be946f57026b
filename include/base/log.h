/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The daemon's own messages: levels, text and JSON form, a sink that never blocks. What cannot be
 * written is dropped, counted, and reported as soon as writing works again.
 */
#ifndef FOSTER_BASE_LOG_H
#define FOSTER_BASE_LOG_H

#include "base/compiler.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Severity of a message, most severe first; values as in syslog(3). */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/** How a message is written. */
enum log_format {
    LOG_FORMAT_TEXT,    /**< "fosterd: web: text"; with the time before on a terminal */
    LOG_FORMAT_JSON,    /**< one object a line: ts level msg, and service instance pid run event when set */
    LOG_FORMAT_JOURNAL, /**< as text, with "<N>" before, for a stderr that is the systemd journal */
};

/** What a message is about; every member may be empty. Strings are borrowed for the call. */
struct log_about {
    const char *service; /**< instance name ("web", "web.2"), or NULL */
    const char *event;   /**< word of the event stream ("started", "ready", "exited" …), or NULL */
    pid_t pid;           /**< the process, or 0 */
    uint64_t run;        /**< number of the run, or 0 */
    int code;            /**< exit code, when code_kind is 'e'; signal number, when 's' */
    char code_kind;      /**< 'e' exited, 's' killed by a signal, 0 neither */
};

/** Sets the threshold, form and descriptor. FD is borrowed and nothing is switched on it: writes use
 *  MSG_DONTWAIT or look before, never O_NONBLOCK on a shared open file. What FD is is looked at now, and a
 *  terminal is opened once more: call again when FD is replaced. Messages less severe than LEVEL are discarded.
 *  Until the first call: INFO, text, descriptor 2. */
void log_setup(enum log_level level, enum log_format format, int fd);

/** What stands before a message, instead of "fosterd: " and the word for its level. */
struct log_prefixes {
    const char *error, *warn, *info, *debug;
};

/** Has P before the messages of LOG_FORMAT_TEXT, and never the time: for who speaks in another program's form. P is
 *  borrowed until the next call; NULL: as before. */
void log_set_prefixes(const struct log_prefixes *p);

/** Keeps messages back until log_release(), as far as they find room in 64 KiB: for what others write before them.
 *  Whoever is told of them (log_set_tap()) is told at once. */
void log_hold(void);

/** Writes what has been kept back. */
void log_release(void);

/** Is told of every message that has an event, whatever the threshold; TEXT is borrowed for the call. */
typedef void log_tap_fn(enum log_level level, const struct log_about *about, const char *text, void *data);

/** Has FN called with DATA for each message that has an event, before it is written; NULL: nobody. */
void log_set_tap(log_tap_fn *fn, void *data);

/** "error", "warn", "info" or "debug", as in the log of LOG_FORMAT_JSON; static. */
const char *log_level_name(enum log_level level);

/** The present threshold. */
enum log_level log_threshold(void);

/** How many messages have been dropped since the start because the sink was full or failed. */
uint64_t log_dropped(void);

/** Writes one message; keeps errno; never blocks. A newline or other control byte in the text is
 *  escaped, so a message is always one line. */
void log_write(enum log_level level, const struct log_about *about, const char *fmt, ...) PRINTF_LIKE(3, 4) NONNULL(3);

/** As log_write(), with a va_list. */
void log_vwrite(enum log_level level, const struct log_about *about, const char *fmt, va_list ap) PRINTF_LIKE(3, 0)
    NONNULL(3);

#define log_err(...)   log_write(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, NULL, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)

/** A broken promise of our own code: logs the place and the condition and counts it; aborts only when
 *  FOSTER_ABORT_ON_BUG is defined (test builds). Gives the truth of COND, so that the caller can leave. */
#define BUG_IF(cond) ((cond) ? (log_bug(__FILE__, __LINE__, #cond), 1) : 0)

/** The function behind BUG_IF(). */
void log_bug(const char *file, int line, const char *cond) NONNULL();

/** How many bugs BUG_IF() has seen. */
uint64_t log_bugs(void);

#endif

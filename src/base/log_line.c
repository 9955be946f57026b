/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Composes one line of the log in a fixed buffer: whatever a message says, it is one line, valid UTF-8
 * (and JSON), free of control bytes, and no longer than a pipe takes in one piece.
 */
#include "base/log_line.h"

#include "base/parse.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char ellipsis[] = "\xe2\x80\xa6";

enum {
    ELLIPSIS_LEN = sizeof(ellipsis) - 1,
    SERVICE_MAX = 255, /* bytes of a service's name that are shown */
    EVENT_MAX = 63,
    BREAK_ROOM = 1, /* for log_line_break_before() */
};

/* A writer into a fixed buffer: nothing is written beyond the limit. */
struct writer {
    char *data;
    size_t len;
    size_t limit;
};

/* Appends all of the LEN bytes, or nothing. */
static bool log_put(struct writer *w, const char *s, size_t len)
{
    if (len > w->limit - w->len)
        return false;
    memcpy(w->data + w->len, s, len);
    w->len += len;
    return true;
}

static bool log_puts(struct writer *w, const char *s)
{
    return log_put(w, s, strlen(s));
}

static bool log_printf(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool log_printf(struct writer *w, const char *fmt, ...)
{
    char text[80];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return len >= 0 && (size_t)len < sizeof(text) && log_put(w, text, (size_t)len);
}

/* Appends the character of N bytes at S for a reader at a terminal or of a file. */
static bool log_put_text_char(struct writer *w, const char *s, size_t n, bool valid)
{
    const unsigned char *u = (const unsigned char *)s;
    bool is_control = u[0] < 0x20 || u[0] == 0x7f || (u[0] == 0xc2 && n == 2 && u[1] < 0xa0);
    char hex[4 * 4 + 1];

    if (valid && !is_control)
        return log_put(w, s, n);
    if (u[0] == '\n' || u[0] == '\t' || u[0] == '\r')
        return log_puts(w, u[0] == '\n' ? "\\n" : u[0] == '\t' ? "\\t" : "\\r");
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 4 * i, sizeof(hex) - 4 * i, "\\x%02x", u[i]);
    return log_puts(w, hex);
}

/* Appends the character of N bytes at S as part of a JSON string. */
static bool log_put_json_char(struct writer *w, const char *s, size_t n, bool valid)
{
    unsigned char c = (unsigned char)*s;

    if (!valid)
        return log_puts(w, "\xef\xbf\xbd");
    if (c == '"' || c == '\\')
        return log_printf(w, "\\%c", c);
    if (c < 0x20 || c == 0x7f)
        return log_printf(w, "\\u%04x", c);
    return log_put(w, s, n);
}

/* Appends the LEN bytes at S, escaped by PUT_CHAR; when they do not fit, or when CUT, as many as leave room for the "…"
 * that then ends them. */
static void log_put_escaped(struct writer *w, const char *s, size_t len, bool cut,
                            bool (*put_char)(struct writer *w, const char *s, size_t n, bool valid))
{
    size_t last_fit = w->len; /* the greatest length after which the mark still fits */

    while (len > 0) {
        bool valid;
        size_t n = utf8_step(s, len, &valid);
        if (w->len + ELLIPSIS_LEN <= w->limit)
            last_fit = w->len;
        if (!put_char(w, s, n, valid)) {
            cut = true;
            break;
        }
        s += n;
        len -= n;
    }
    if (!cut)
        return;
    if (w->len + ELLIPSIS_LEN > w->limit)
        w->len = last_fit;
    log_puts(w, ellipsis);
}

/* Appends TEXT, which vsnprintf() may have cut at the size of its buffer. */
static void log_put_message(struct writer *w, const char *text,
                            bool (*put_char)(struct writer *w, const char *s, size_t n, bool valid))
{
    size_t len = strlen(text);
    bool cut = len >= LOG_LINE_TEXT_MAX - 1;

    log_put_escaped(w, text, cut ? utf8_cut(text, len, len - 1) : len, cut, put_char);
}

static void log_put_name(struct writer *w, const char *name, size_t max,
                         bool (*put_char)(struct writer *w, const char *s, size_t n, bool valid))
{
    size_t len = strlen(name), shown = utf8_cut(name, len, max);

    log_put_escaped(w, name, shown, shown < len, put_char);
}

static void log_put_service(struct writer *w, const struct log_about *about)
{
    if (!about->service)
        return;
    log_put_name(w, about->service, SERVICE_MAX, log_put_text_char);
    log_puts(w, ": ");
}

void log_line_text(struct log_line *line, enum log_level level, const struct log_about *about, const char *text,
                   bool journal, const struct timespec *now)
{
    struct writer w = {line->data, 0, LOG_LINE_MAX - BREAK_ROOM - 1};
    struct tm tm;

    if (journal)
        log_printf(&w, "<%d>", (int)level);
    if (now && localtime_r(&now->tv_sec, &tm))
        log_printf(&w, "%02d:%02d:%02d ", tm.tm_hour, tm.tm_min, tm.tm_sec);
    log_puts(&w, "fosterd: ");
    log_put_service(&w, about);
    if (level == LOG_LEVEL_ERROR || level == LOG_LEVEL_WARN)
        log_puts(&w, level == LOG_LEVEL_ERROR ? "error: " : "warning: ");
    log_put_message(&w, text, log_put_text_char);
    line->len = w.len;
    line->data[line->len++] = '\n';
}

void log_line_prefixed(struct log_line *line, const char *prefix, const struct log_about *about, const char *text)
{
    struct writer w = {line->data, 0, LOG_LINE_MAX - BREAK_ROOM - 1};

    log_puts(&w, prefix);
    log_put_service(&w, about);
    log_put_message(&w, text, log_put_text_char);
    line->len = w.len;
    line->data[line->len++] = '\n';
}

const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        break;
    }
    return "debug";
}

/* Appends what follows the message: the members of ABOUT that are set, and the closing brace. */
static void log_put_about(struct writer *w, const struct log_about *about)
{
    if (about->service) {
        log_puts(w, ",\"service\":\"");
        log_put_name(w, about->service, SERVICE_MAX, log_put_json_char);
        log_puts(w, "\"");
    }
    if (about->pid != 0)
        log_printf(w, ",\"pid\":%d", (int)about->pid);
    if (about->run != 0)
        log_printf(w, ",\"run\":%" PRIu64, about->run);
    if (about->event) {
        log_puts(w, ",\"event\":\"");
        log_put_name(w, about->event, EVENT_MAX, log_put_json_char);
        log_puts(w, "\"");
    }
    if (about->code_kind == 'e') {
        log_printf(w, ",\"exit_code\":%d", about->code);
    } else if (about->code_kind == 's') {
        const char *name = parse_signal_name(about->code);
        if (name)
            log_printf(w, ",\"signal\":\"%s\"", name);
        else
            log_printf(w, ",\"signal\":\"%d\"", about->code);
    }
    log_puts(w, "}");
}

void log_line_json(struct log_line *line, enum log_level level, const struct log_about *about, const char *text,
                   const struct timespec *now)
{
    /* Six bytes for each of a name's, as \u00XX, and the rest of the members. */
    char tail_data[6 * (SERVICE_MAX + EVENT_MAX + 2 * ELLIPSIS_LEN) + 256];
    struct writer tail = {tail_data, 0, sizeof(tail_data)};
    struct writer w = {line->data, 0, LOG_LINE_MAX - BREAK_ROOM - 1};
    struct tm tm = {0};

    log_put_about(&tail, about);
    gmtime_r(&now->tv_sec, &tm);
    log_printf(&w, "{\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ\",\"level\":\"%s\",\"msg\":\"", tm.tm_year + 1900,
               tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now->tv_nsec / 1000, log_level_name(level));
    w.limit -= tail.len + 1;
    log_put_message(&w, text, log_put_json_char);
    w.limit += tail.len + 1;
    log_puts(&w, "\"");
    log_put(&w, tail.data, tail.len);
    line->len = w.len;
    line->data[line->len++] = '\n';
}

void log_line_break_before(struct log_line *line)
{
    memmove(line->data + 1, line->data, line->len);
    line->data[0] = '\n';
    line->len++;
}

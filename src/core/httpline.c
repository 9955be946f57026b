/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The request of a probe, and the answer to it.
 */
#include "core/httpline.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { STATUS_LEN = 12 /* "HTTP/1.1 200" */, CHUNK_DIGITS_MAX = 8 };

/* Answers that are not what they seem by their number, or by their head. */
enum {
    STATUS_SWITCHED = 101, /* the last one, though its number is that of an interim one */
    STATUS_INTERIM_END = 200,
    STATUS_NO_CONTENT = 204,
    STATUS_NOT_MODIFIED = 304,
};

/* The status line, as far as its digits; what follows them up to the end of the line is for people. */
static const char status_form[STATUS_LEN + 1] = "HTTP/1.d ddd";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether TEXT may still become, or is, a status line. */
static bool status_fits(const char *text, size_t len)
{
    for (size_t i = 0; i < len && i < STATUS_LEN; i++)
        if (status_form[i] == 'd' ? !is_digit(text[i]) : text[i] != status_form[i])
            return false;
    return len <= STATUS_LEN || text[STATUS_LEN] == ' ' || text[STATUS_LEN] == '\r' || text[STATUS_LEN] == '\n';
}

/* The line at *AT without its end, LF or CR LF; *AT moves behind it. NULL: it has no end yet. */
static const char *next_line(const char **at, const char *end, size_t *ret_len)
{
    const char *line = *at;
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    if (newline == NULL)
        return NULL;
    *at = newline + 1;
    *ret_len = (size_t)(newline - line);
    if (*ret_len > 0 && line[*ret_len - 1] == '\r')
        --*ret_len;
    return line;
}

/* The value of the header NAME in LINE, without the blanks around it; NULL: it is another one. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *ret_len)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    line += n + 1;
    len -= n + 1;
    while (len > 0 && is_blank(*line)) {
        line++;
        len--;
    }
    while (len > 0 && is_blank(line[len - 1]))
        len--;
    *ret_len = len;
    return line;
}

static void take_header(const char *line, size_t len, struct httpline *h)
{
    static const char chunked[] = "chunked";
    enum { LENGTH_DIGITS_MAX = 18 };
    size_t n;
    const char *value = header_value(line, len, "Content-Length", &n);
    if (value != NULL && n > 0 && n <= LENGTH_DIGITS_MAX && strspn(value, "0123456789") >= n) {
        h->n_body = 0;
        for (size_t i = 0; i < n; i++)
            h->n_body = h->n_body * 10 + (value[i] - '0');
    }
    value = header_value(line, len, "Transfer-Encoding", &n);
    if (value != NULL && n >= sizeof chunked - 1)
        h->chunked = strncasecmp(value + n - (sizeof chunked - 1), chunked, sizeof chunked - 1) == 0;
}

/* One head of several: an interim answer has nothing but one. *AT moves behind it. */
static enum httpline_progress parse_head(const char **at, const char *end, struct httpline *h)
{
    size_t len;
    const char *line = *at;
    if (!status_fits(line, (size_t)(end - line)))
        return HTTPLINE_FOREIGN;
    if (next_line(at, end, &len) == NULL)
        return HTTPLINE_NO_STATUS;
    const char *digits = line + STATUS_LEN - 3;
    *h = (struct httpline){.n_body = -1};
    if (len < STATUS_LEN || *digits == '0')
        return HTTPLINE_FOREIGN;
    h->status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    for (;;) {
        line = next_line(at, end, &len);
        if (line == NULL)
            return HTTPLINE_NO_HEAD;
        if (len == 0)
            return HTTPLINE_BODY;
        take_header(line, len, h);
    }
}

static bool is_interim(const struct httpline *h)
{
    return h->status < STATUS_INTERIM_END && h->status != STATUS_SWITCHED;
}

/* Whether the LEN bytes at BODY are all that will come of it, as far as H tells. */
static bool has_all(const struct httpline *h, const char *body, size_t len)
{
    static const char last_chunk[] = "0\r\n\r\n";
    size_t n_last = sizeof last_chunk - 1;
    if (h->status == STATUS_NO_CONTENT || h->status == STATUS_NOT_MODIFIED)
        return true;
    if (h->chunked)
        return len >= n_last && memcmp(body + len - n_last, last_chunk, n_last) == 0;
    return h->n_body >= 0 && len >= (uint64_t)h->n_body;
}

enum httpline_progress httpline_parse(const char *text, size_t len, struct httpline *ret)
{
    const char *at = text;
    const char *end = text + len;
    struct httpline h;
    enum httpline_progress progress;
    do {
        progress = parse_head(&at, end, &h);
        if (progress == HTTPLINE_FOREIGN || progress == HTTPLINE_NO_STATUS)
            return progress;
    } while (progress == HTTPLINE_BODY && is_interim(&h));
    if (is_interim(&h))
        return HTTPLINE_NO_STATUS;
    h.body = progress == HTTPLINE_BODY ? (size_t)(at - text) : 0;
    *ret = h;
    return progress == HTTPLINE_BODY && has_all(&h, at, (size_t)(end - at)) ? HTTPLINE_COMPLETE : progress;
}

/* The number of bytes that the line of a chunk says, or -1. */
static int64_t chunk_size(const char *line, size_t len)
{
    int64_t size = 0;
    size_t i;
    for (i = 0; i < len && i < CHUNK_DIGITS_MAX; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = memchr(digits, line[i] | ('A' ^ 'a'), sizeof digits - 1);
        if (digit == NULL || (line[i] < 'A' && !is_digit(line[i])))
            break;
        size = size * (int64_t)(sizeof digits - 1) + (digit - digits);
    }
    /* An extension may follow. */
    bool is_well_formed = i > 0 && (i == len || line[i] == ';' || is_blank(line[i]));
    return is_well_formed ? size : -1;
}

size_t httpline_unchunk(char *body, size_t len)
{
    const char *at = body;
    const char *end = body + len;
    size_t n = 0;
    for (;;) {
        size_t line_len;
        const char *line = next_line(&at, end, &line_len);
        int64_t size = line != NULL ? chunk_size(line, line_len) : -1;
        if (size <= 0)
            return n;
        size_t left = (size_t)(end - at);
        size_t part = (uint64_t)size < left ? (size_t)size : left;
        memmove(body + n, at, part);
        n += part;
        at += part;
        line = next_line(&at, end, &line_len);
        if (line == NULL || line_len > 0)
            return n;
    }
}

size_t httpline_request(const struct spec_endpoint *e, const char *version, char *buf, size_t size)
{
    bool is_v6 = strchr(e->host, ':') != NULL;
    int n = snprintf(buf, size,
                     "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: foster/%s\r\nAccept: */*\r\n"
                     "Connection: close\r\n\r\n",
                     e->path != NULL ? e->path : "/", is_v6 ? "[" : "", e->host, is_v6 ? "]" : "", e->port, version);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A byte buffer with a maximum. After the first refused append every later one is refused as well, so
 * what the buffer holds is always the beginning of what was to be written, never a text with a hole.
 */
#include "base/buf.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    mem_free(b->data);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

/* Room for MORE bytes and a NUL behind those in use. */
static bool buf_make_room(struct buf *b, size_t more)
{
    if (b->failed || b->len > b->max || more > b->max - b->len || b->len + more == SIZE_MAX ||
        !mem_grow(&b->data, &b->cap, b->len + more + 1, 1)) {
        b->failed = true;
        return false;
    }
    return true;
}

char *buf_reserve(struct buf *b, size_t more)
{
    if (!buf_make_room(b, more))
        return NULL;
    /* The caller may fill all of it and only add to len: the NUL behind is there already. */
    memset(b->data + b->len, 0, more + 1);
    return b->data + b->len;
}

bool buf_add(struct buf *b, const void *data, size_t len)
{
    if (!buf_make_room(b, len))
        return false;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return true;
}

bool buf_puts(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

bool buf_putc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0) {
        b->failed = true;
        return false;
    }
    if (!buf_make_room(b, (size_t)len))
        return false;
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)len;
    return true;
}

void buf_consume(struct buf *b, size_t len)
{
    if (len == 0)
        return;
    memmove(b->data, b->data + len, b->len - len + 1);
    b->len -= len;
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len >= b->len)
        return;
    b->len = len;
    b->data[len] = '\0';
}

const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

/* Appends the first character of the LEN bytes at S as JSON and returns how many bytes that was. */
static size_t buf_json_char(struct buf *b, const char *s, size_t len)
{
    unsigned char c = (unsigned char)*s;
    bool valid;
    size_t n = utf8_step(s, len, &valid);

    if (!valid)
        buf_puts(b, "\xef\xbf\xbd");
    else if (c == '"' || c == '\\')
        buf_printf(b, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        buf_printf(b, "\\u%04x", c);
    else
        buf_add(b, s, n);
    return n;
}

bool buf_json_string(struct buf *b, const char *s, size_t len)
{
    size_t start = b->len;

    buf_putc(b, '"');
    while (len > 0 && !b->failed) {
        size_t n = buf_json_char(b, s, len);
        s += n;
        len -= n;
    }
    if (buf_putc(b, '"'))
        return true;
    b->len = start;
    if (b->data)
        b->data[start] = '\0';
    return false;
}

bool buf_base64(struct buf *b, const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *u = data;
    char *at = buf_reserve(b, (len + 2) / 3 * 4);

    if (!at)
        return false;
    for (size_t i = 0; i < len; i += 3, at += 4) {
        size_t n = len - i < 3 ? len - i : 3;
        unsigned bits = (unsigned)u[i] << 16 | (n > 1 ? (unsigned)u[i + 1] << 8 : 0) | (n > 2 ? u[i + 2] : 0u);
        at[0] = digits[bits >> 18];
        at[1] = digits[bits >> 12 & 63];
        at[2] = n > 1 ? digits[bits >> 6 & 63] : '=';
        at[3] = n > 2 ? digits[bits & 63] : '=';
    }
    b->len += (len + 2) / 3 * 4;
    b->data[b->len] = '\0';
    return true;
}

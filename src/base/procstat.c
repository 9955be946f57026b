/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Reads the text of files in /proc. The text is foreign: a process chooses its own name and may
 * overwrite its environment, and a buffer may end in the middle of anything.
 */
#include "base/procstat.h"

#include "base/utf8.h"

#include <limits.h>
#include <string.h>

/* The fields of /proc/PID/stat behind the name, by their numbers in proc(5). */
enum {
    STAT_STATE = 3,
    STAT_PPID = 4,
    STAT_PGRP = 5,
    STAT_SESSION = 6,
    STAT_UTIME = 14,
    STAT_STIME = 15,
    STAT_THREADS = 20,
    STAT_START = 22,
    STAT_RSS = 24
};

/* What is still to be read. */
struct cursor {
    const char *p;
    const char *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static void procstat_skip_blanks(struct cursor *c)
{
    while (c->p < c->end && is_blank(*c->p))
        c->p++;
}

static unsigned procstat_digit(char c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : UINT_MAX;
}

static bool procstat_based(struct cursor *c, unsigned base, uint64_t max, uint64_t *ret)
{
    uint64_t n = 0;
    const char *start = c->p;

    for (; c->p < c->end && procstat_digit(*c->p) < base; c->p++) {
        unsigned digit = procstat_digit(*c->p);
        if (digit > max || n > (max - digit) / base)
            return false;
        n = n * base + digit;
    }
    if (c->p == start)
        return false;
    *ret = n;
    return true;
}

static bool procstat_number(struct cursor *c, uint64_t max, uint64_t *ret)
{
    return procstat_based(c, 10, max, ret);
}

static bool procstat_char(struct cursor *c, char want)
{
    if (c->p == c->end || *c->p != want)
        return false;
    c->p++;
    return true;
}

/* A process id, or -1 as the kernel shows for a process that is nearly gone. */
static bool procstat_pid(struct cursor *c, pid_t *ret)
{
    bool negative = procstat_char(c, '-');
    uint64_t n;

    if (!procstat_number(c, negative ? 1 : INT_MAX, &n))
        return false;
    *ret = negative ? -(pid_t)n : (pid_t)n;
    return true;
}

/* "PID (NAME) ", where NAME ends at the last parenthesis of the text. */
static bool procstat_name(struct cursor *c, struct procstat *st)
{
    const char *close;
    size_t len;

    if (!procstat_pid(c, &st->pid) || st->pid <= 0 || !procstat_char(c, ' ') || !procstat_char(c, '('))
        return false;
    close = memrchr(c->p, ')', (size_t)(c->end - c->p));
    if (!close)
        return false;
    len = (size_t)(close - c->p);
    if (len >= sizeof(st->comm) || memchr(c->p, '\0', len))
        return false;
    memcpy(st->comm, c->p, len);
    st->comm[len] = '\0';
    c->p = close + 1;
    return procstat_char(c, ' ');
}

/* Reads field NUMBER, up to the space behind it. */
static bool procstat_field(struct cursor *c, int number, struct procstat *st)
{
    const char *space = memchr(c->p, ' ', (size_t)(c->end - c->p));
    struct cursor field;
    uint64_t n;
    bool ok = true;

    /* A last field without a space behind it may have been cut, and field 22 is never the last. */
    if (!space || space == c->p)
        return false;
    field = (struct cursor){c->p, space};
    c->p = space + 1;
    switch (number) {
    case STAT_STATE:
        st->state = *field.p++;
        break;
    case STAT_PPID:
        ok = procstat_pid(&field, &st->ppid) && st->ppid >= 0;
        break;
    case STAT_PGRP:
        ok = procstat_pid(&field, &st->pgrp);
        break;
    case STAT_SESSION:
        ok = procstat_pid(&field, &st->session);
        break;
    case STAT_UTIME:
    case STAT_STIME:
        ok = procstat_number(&field, UINT64_MAX / 2, &n);
        st->cpu_ticks += ok ? n : 0;
        break;
    case STAT_THREADS:
        ok = procstat_number(&field, UINT_MAX, &n);
        if (ok)
            st->n_threads = (unsigned)n;
        break;
    case STAT_START:
        ok = procstat_number(&field, UINT64_MAX, &st->start_ticks);
        break;
    case STAT_RSS:
        ok = procstat_number(&field, UINT64_MAX, &st->rss_pages);
        break;
    default:
        return true;
    }
    return ok && field.p == field.end;
}

bool procstat_parse(const char *text, size_t len, struct procstat *ret)
{
    struct cursor c = {text, text + len};
    struct procstat st = {0};

    if (!procstat_name(&c, &st))
        return false;
    for (int number = STAT_STATE; number <= STAT_START; number++)
        if (!procstat_field(&c, number, &st))
            return false;
    *ret = st;
    /* Nothing depends on what follows, so a text without it will do. */
    for (int number = STAT_START + 1; number <= STAT_RSS; number++)
        if (!procstat_field(&c, number, &st))
            return true;
    *ret = st;
    return true;
}

/* Reads the soft limit out of the rest of the line behind the limit's name. */
static bool procstat_limit(struct cursor c, uint64_t *ret)
{
    static const char unlimited[] = "unlimited";
    uint64_t n = UINT64_MAX;

    while (c.p < c.end && *c.p == ' ')
        c.p++;
    if ((size_t)(c.end - c.p) > strlen(unlimited) && memcmp(c.p, unlimited, strlen(unlimited)) == 0)
        c.p += strlen(unlimited);
    else if (!procstat_number(&c, UINT64_MAX, &n))
        return false;
    /* The hard limit follows: a number that ends with the text may have been cut. */
    if (!procstat_char(&c, ' '))
        return false;
    *ret = n;
    return true;
}

bool procstat_parse_locks(const char *text, size_t len, uint64_t *ret)
{
    static const char name[] = "Max file locks ";
    const char *end = text + len;

    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = newline ? newline : end;
        if ((size_t)(line_end - line) >= strlen(name) && memcmp(line, name, strlen(name)) == 0)
            return procstat_limit((struct cursor){line + strlen(name), line_end}, ret);
        line = newline ? newline + 1 : end;
    }
    return false;
}

bool procstat_parse_status(const char *text, size_t len, const char *name, unsigned base, uint64_t *ret)
{
    const char *end = text + len;
    size_t name_len = strlen(name);

    /* A line that no newline ends may be cut. */
    for (const char *line = text, *newline; line < end; line = newline + 1) {
        newline = memchr(line, '\n', (size_t)(end - line));
        if (!newline)
            return false;
        if ((size_t)(newline - line) >= name_len && memcmp(line, name, name_len) == 0) {
            struct cursor c = {line + name_len, newline};
            procstat_skip_blanks(&c);
            return procstat_based(&c, base, UINT64_MAX, ret);
        }
    }
    return false;
}

bool procstat_parse_cgroup(const char *text, size_t len, char *buf, size_t size)
{
    static const char key[] = "0::";
    const size_t key_len = sizeof key - 1;
    const char *end = text + len;

    /* A line that no newline ends may be cut. */
    for (const char *line = text, *newline; line < end; line = newline + 1) {
        newline = memchr(line, '\n', (size_t)(end - line));
        if (!newline)
            return false;
        if ((size_t)(newline - line) < key_len || memcmp(line, key, key_len) != 0)
            continue;
        size_t path_len = (size_t)(newline - line) - key_len;
        if (path_len >= size)
            return false;
        memcpy(buf, line + key_len, path_len);
        buf[path_len] = '\0';
        return true;
    }
    return false;
}

/* What stands for the STEP bytes at TEXT, VALID UTF-8 or not, in one line; *RET_LEN bytes. */
static const char *procstat_printable(const char *text, size_t step, bool valid, size_t *ret_len)
{
    unsigned char c = (unsigned char)text[0];
    /* U+0080 to U+009F are control characters as well. */
    bool is_control = c < ' ' || c == 0x7f || (c == 0xc2 && valid && (unsigned char)text[1] < 0xa0);

    *ret_len = 1;
    if (c == '\0')
        return " ";
    if (valid && is_control)
        return "?";
    *ret_len = valid ? step : 3;
    return valid ? text : "\xef\xbf\xbd";
}

char *procstat_line(const char *text, size_t len, char *buf, size_t size)
{
    size_t n = 0;

    while (len > 0 && text[len - 1] == '\0')
        len--;
    for (size_t at = 0, step; at < len; at += step) {
        bool valid;
        size_t n_bytes;
        step = utf8_step(text + at, len - at, &valid);
        const char *bytes = procstat_printable(text + at, step, valid, &n_bytes);
        if (n_bytes >= size - n)
            break;
        memcpy(buf + n, bytes, n_bytes);
        n += n_bytes;
    }
    buf[n] = '\0';
    return buf;
}

bool procstat_parse_env(const char *text, size_t len, const char *name, char *buf, size_t size)
{
    size_t name_len = strlen(name);
    const char *end = text + len;

    if (name_len == 0)
        return false;
    for (const char *entry = text; entry < end;) {
        const char *nul = memchr(entry, '\0', (size_t)(end - entry));
        size_t entry_len;
        if (!nul)
            return false;
        entry_len = (size_t)(nul - entry);
        if (entry_len > name_len && entry[name_len] == '=' && memcmp(entry, name, name_len) == 0) {
            size_t value_size = entry_len - name_len;
            if (value_size > size)
                return false;
            memcpy(buf, entry + name_len + 1, value_size);
            return true;
        }
        entry = nul + 1;
    }
    return false;
}

ptrdiff_t procstat_parse_pids(const char *text, size_t len, pid_t *pids, size_t max)
{
    struct cursor c = {text, text + len};
    size_t n = 0;

    for (;;) {
        uint64_t pid;
        procstat_skip_blanks(&c);
        if (c.p == c.end)
            return (ptrdiff_t)n;
        if (!procstat_number(&c, INT_MAX, &pid) || pid == 0 || (c.p < c.end && !is_blank(*c.p)))
            return -1;
        if (n < max)
            pids[n] = (pid_t)pid;
        n++;
    }
}

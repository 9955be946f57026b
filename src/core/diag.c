/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The list of problems of one configuration run: bounded, without repetitions, safe to print on a
 * terminal whatever the file held.
 */
#include "core/diag.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Long enough for a path and a sentence; values of a file that are quoted in a text may be a megabyte. */
enum { TEXT_MAX = 640 };

static bool same_string(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_control(const char *s, size_t n)
{
    unsigned char c = (unsigned char)s[0];

    /* The two-byte ones are C1 controls, which include an escape introducer. */
    return (n == 1 && (c < 0x20 || c == 0x7f)) || (n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

/* Control characters would let a file write to the reader's terminal or fake a line of its own; bytes of no
 * character come from variables. */
static void make_printable(char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0, n; i < len; i += n) {
        bool valid;

        n = utf8_step(s + i, len - i, &valid);
        if (!valid || is_control(s + i, n))
            memset(s + i, '?', n);
    }
}

/* Puts an ellipsis at the end of the full buffer, not in the middle of a character. */
static void mark_cut(char *text, size_t size)
{
    static const char dots[] = "…";

    memcpy(text + utf8_cut(text, size - 1, size - sizeof dots), dots, sizeof dots);
}

/* An aliased or included part is read several times and gives the same problem each time. */
static bool is_known(const struct diag_list *d, const struct diag *it)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *other = &d->items[i];

        if (other->severity == it->severity && other->pos.line == it->pos.line && other->pos.column == it->pos.column &&
            same_string(other->pos.file, it->pos.file) && strcmp(other->text, it->text) == 0)
            return true;
    }
    return false;
}

/* One printable copy a file name; pointers identify it from then on. */
static bool intern_file(struct diag_list *d, const char **file)
{
    char *copy;

    if (!*file)
        return true;
    copy = arena_strdup(&d->arena, *file);
    if (!copy)
        return false;
    make_printable(copy);
    *file = copy;
    for (size_t i = 0; i < d->n; i++)
        if (same_string(d->items[i].pos.file, copy))
            *file = d->items[i].pos.file;
    return true;
}

/* In a full list an error takes the place of the last warning: errors decide, warnings advise. */
static bool make_room(struct diag_list *d, enum diag_severity severity)
{
    if (d->n < DIAG_MAX)
        return true;
    d->n_lost++;
    for (size_t i = d->n; severity == DIAG_ERROR && i-- > 0;) {
        if (d->items[i].severity == DIAG_WARNING) {
            memmove(&d->items[i], &d->items[i + 1], (d->n - i - 1) * sizeof d->items[0]);
            d->n--;
            return true;
        }
    }
    return false;
}

static void add(struct diag_list *d, enum diag_severity severity, struct diag_pos pos, const char *fmt, va_list ap)
    PRINTF_LIKE(4, 0);

static void add(struct diag_list *d, enum diag_severity severity, struct diag_pos pos, const char *fmt, va_list ap)
{
    char text[TEXT_MAX] = "";
    struct diag it = {.severity = severity, .pos = pos, .text = text};
    int len = vsnprintf(text, sizeof text, fmt, ap);

    if (len >= (int)sizeof text)
        mark_cut(text, sizeof text);
    make_printable(text);
    if (severity == DIAG_ERROR)
        d->n_errors++;
    if (is_known(d, &it) || !make_room(d, severity))
        return;
    it.text = arena_strdup(&d->arena, text);
    if (!it.text || !intern_file(d, &it.pos.file)) {
        d->n_lost++;
        return;
    }
    d->items[d->n++] = it;
}

void diag_error(struct diag_list *d, struct diag_pos pos, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, DIAG_ERROR, pos, fmt, ap);
    va_end(ap);
}

void diag_warning(struct diag_list *d, struct diag_pos pos, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, DIAG_WARNING, pos, fmt, ap);
    va_end(ap);
}

/* The files of D in order of first appearance; file names are interned, so pointers identify them. */
struct files {
    const char *names[DIAG_MAX];
    size_t n;
};

static size_t file_rank(const struct files *f, const char *name)
{
    size_t i = 0;

    while (i < f->n && f->names[i] != name)
        i++;
    return i;
}

static bool is_before(const struct files *f, const struct diag *a, const struct diag *b)
{
    size_t rank_a = file_rank(f, a->pos.file);
    size_t rank_b = file_rank(f, b->pos.file);

    if (rank_a != rank_b)
        return rank_a < rank_b;
    if (a->pos.line != b->pos.line)
        return a->pos.line < b->pos.line;
    return a->pos.column < b->pos.column;
}

void diag_sort(struct diag_list *d)
{
    struct files files = {.n = 0};

    for (size_t i = 0; i < d->n; i++)
        if (file_rank(&files, d->items[i].pos.file) == files.n)
            files.names[files.n++] = d->items[i].pos.file;
    for (size_t i = 1; i < d->n; i++) {
        struct diag it = d->items[i];
        size_t to = i;

        for (; to > 0 && is_before(&files, &it, &d->items[to - 1]); to--)
            d->items[to] = d->items[to - 1];
        d->items[to] = it;
    }
}

/* A full buffer refuses the rest and remembers it, so single appends need no check. */
static void print_place(struct diag_pos pos, struct buf *out)
{
    if (!pos.file)
        return;
    (void)buf_puts(out, pos.file);
    if (pos.line > 0)
        (void)buf_printf(out, ":%u", pos.line);
    if (pos.line > 0 && pos.column > 0)
        (void)buf_printf(out, ":%u", pos.column);
    (void)buf_puts(out, ": ");
}

void diag_print(const struct diag_list *d, struct buf *out)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *it = &d->items[i];

        print_place(it->pos, out);
        (void)buf_printf(out, "%s%s\n", it->severity == DIAG_WARNING ? "warning: " : "", it->text);
    }
    if (d->n_lost > 0)
        (void)buf_printf(out, "and %zu more\n", d->n_lost);
}

void diag_done(struct diag_list *d)
{
    arena_done(&d->arena);
    memset(d, 0, sizeof *d);
}

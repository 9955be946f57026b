/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Lines that services have written.
 */
#include "base/palette.h"
#include "ctl/text.h"
#include "ctl/when.h"

#include <string.h>

/* Bytes that could command the terminal, or are no character, are shown as \x1b: unlike elsewhere it matters here what
 * they were. */
static void logs_escape(struct buf *out, const char *text, size_t len)
{
    for (const char *at = text, *end = text + len; at < end;) {
        const char *from = at, *shown = NULL;
        size_t n = 1, columns;
        if (*at != '\0')
            shown = text_step(&at, &n, &columns);
        else
            at++;
        if (*from == '\t' || (shown != NULL && (*shown != '?' || *from == '?')))
            buf_add(out, from, (size_t)(at - from));
        else
            for (; from < at; from++)
                buf_printf(out, "\\x%02x", (unsigned char)*from);
    }
}

/* Whether the end of LINE is that of network protocols and Windows, CR LF, of which nobody wants to see the half. */
static bool logs_ends_with_return(const struct view_log *line)
{
    return !line->partial && line->len > 0 && line->text[line->len - 1] == '\r';
}

static void logs_name(struct buf *out, const struct view *v, const struct view_logs *how, const struct view_log *line)
{
    if (v->color)
        buf_printf(out, "\033[%dm", palette_of(line->id));
    size_t n = text_put(out, line->name, 0);
    text_pad(out, n < how->width ? how->width - n : 0);
    buf_puts(out, line->continues ? " +" : " |");
    buf_puts(out, v->color ? "\033[0m " : " ");
}

void view_log(struct buf *out, const struct view *v, const struct view_logs *how, const struct view_log *line)
{
    bool exact = how->raw && how->width == 0 && !how->times;
    char time[WHEN_LEN + 1];
    if (how->width > 0)
        logs_name(out, v, how, line);
    if (how->times) {
        when_write(line->us, time);
        text_paint(out, v, TEXT_FAINT, time, 0);
        buf_putc(out, ' ');
    }
    if (how->raw)
        buf_add(out, line->text, line->len);
    else
        logs_escape(out, line->text, line->len - logs_ends_with_return(line));
    if (!exact || !line->partial)
        buf_putc(out, '\n');
}

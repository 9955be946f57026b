/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A start in letters: a line a service, as wide as the terminal.
 */
#include "base/mem.h"
#include "ctl/plot.h"
#include "ctl/text.h"
#include "ctl/view.h"

#include <string.h>

enum {
    LINES_WIDTH = 100,    /* where there is no terminal */
    LINES_WIDTH_MIN = 16, /* of the axis */
    LINES_NAME_MAX = 20,
    LINES_GAP = 10,  /* of a cut */
    LINES_TICK = 12, /* one in so many columns, at most */
    LINES_SAID = 32, /* what is left for words behind the bars */
    LINES_TEXT_BYTES = 4096,
};

/** One picture. */
struct plot_lines {
    struct buf *out;
    const struct view *v;
    const struct plot *p;
    size_t name, width; /* columns of names, and of the axis */
    char *cells;        /* owned; one line of the axis */
};

static size_t lines_at(const struct plot_lines *g, int64_t ms)
{
    size_t at = (size_t)plot_at(g->p, ms, (double)g->width, LINES_GAP);
    return at < g->width ? at : g->width - 1;
}

/* From FROM to TO, both within, in letters. */
static void lines_part(const struct plot_lines *g, int64_t from, int64_t to, char letter)
{
    if (from < 0 || to < from)
        return;
    size_t a = lines_at(g, from), b = lines_at(g, to);
    memset(g->cells + a, letter, b - a + 1);
}

static void lines_bar(const struct plot_lines *g, const struct plot_row *r)
{
    const json_t *tries = json_object_get(r->service, "tries"), *one;
    int64_t now = g->p->now < g->p->end ? g->p->now : g->p->end;
    int64_t over = r->ready >= 0 ? r->ready : r->ended >= 0 ? r->ended : now;
    size_t i;
    memset(g->cells, ' ', g->width);
    lines_part(g, r->waiting, r->first >= 0 ? r->first : r->ended >= 0 ? r->ended : now, '.');
    if (json_array_size(tries) > 0)
        lines_part(g, r->first, r->starting, '~');
    if (r->ready >= 0)
        lines_part(g, r->ready, r->ended >= 0 ? r->ended : now, '-');
    lines_part(g, r->started, over, '#');
    lines_part(g, r->starting, r->started >= 0 ? r->started : over, '=');
    if (r->end == PLOT_TRYING)
        lines_part(g, r->ended, now, '~');
    json_array_foreach(tries, i, one)
    {
        lines_part(g, text_number(one, "starting_ms", -1), text_number(one, "ended_ms", -1), '!');
    }
    if (r->end == PLOT_TRYING || r->end == PLOT_FAILED)
        lines_part(g, r->ended, r->ended, '!');
    if (r->ready >= 0)
        g->cells[lines_at(g, r->ready)] = '|';
    for (i = 0; i < g->p->n_cuts; i++)
        memset(g->cells + lines_at(g, g->p->cuts[i].from) + LINES_GAP / 2 - 1, '/', 2);
    g->cells[g->width] = '\0';
}

static void lines_row(const struct plot_lines *g, const struct plot_row *r)
{
    bool bad = r->end == PLOT_FAILED || r->end == PLOT_TRYING;
    size_t room, n = text_paint(g->out, g->v, r->critical ? TEXT_STRONG : TEXT_PLAIN, r->name, g->name);
    struct buf said;
    text_pad(g->out, n < g->name ? g->name - n : 0);
    lines_bar(g, r);
    buf_init(&said, LINES_TEXT_BYTES);
    plot_say(&said, r);
    room = text_room(g->v);
    room = room > g->name + g->width + 4 ? room - g->name - g->width - 4 : 1;
    buf_printf(g->out, "  %s  ", g->cells);
    text_paint(g->out, g->v, bad ? TEXT_BAD : TEXT_PLAIN, buf_str(&said), room);
    buf_putc(g->out, '\n');
    buf_done(&said);
}

/* Appends TEXT at column COLUMN of a line that has come to *AT, if there is room for it. */
static void lines_label(const struct plot_lines *g, const char *text, size_t column, size_t *at)
{
    size_t n = text_columns(text);
    if (column < *at || column + n > g->width)
        return;
    text_pad(g->out, column - *at + (*at > 0));
    *at = column + n + 1;
    text_paint(g->out, g->v, TEXT_FAINT, text, 0);
}

/* Above the bars: times, and how much of it is cut out. */
static void lines_axis(const struct plot_lines *g)
{
    const struct plot *p = g->p;
    int64_t step = plot_step(p, g->width / LINES_TICK + 1), from = 0;
    size_t at = 0;
    struct buf label;
    buf_init(&label, TEXT_CELL_MAX);
    text_pad(g->out, g->name + 2);
    for (size_t i = 0; i <= p->n_cuts; i++) {
        int64_t to = i < p->n_cuts ? p->cuts[i].from : p->end;
        for (int64_t ms = from > 0 ? from + step : 0; ms <= to; ms += step) {
            buf_reset(&label);
            plot_label(&label, ms - from, step, from > 0);
            lines_label(g, buf_str(&label), lines_at(g, ms), &at);
        }
        from = i < p->n_cuts ? p->cuts[i].to : p->end;
        buf_reset(&label);
        plot_span(&label, from - to);
        if (i < p->n_cuts)
            lines_label(g, buf_str(&label), lines_at(g, to) + 1, &at);
    }
    buf_putc(g->out, '\n');
    buf_done(&label);
}

static void lines_foot(const struct plot_lines *g)
{
    struct buf chain;
    size_t room = text_room(g->v);
    buf_init(&chain, LINES_TEXT_BYTES);
    plot_chain(&chain, g->p, " > ");
    text_fit(g->out, g->v, TEXT_FAINT, ". waiting  = starting  # running  - ready  ! failed  ~ backoff", &room);
    buf_putc(g->out, '\n');
    if (chain.len > 0) {
        room = text_room(g->v);
        text_fit(g->out, g->v, TEXT_PLAIN, "critical chain: ", &room);
        text_fit(g->out, g->v, TEXT_PLAIN, buf_str(&chain), &room);
        buf_putc(g->out, '\n');
    }
    buf_done(&chain);
}

static void lines_measure(struct plot_lines *g)
{
    size_t room = g->v->width > 0 ? (size_t)g->v->width : LINES_WIDTH;
    for (size_t i = 0; i < g->p->n; i++) {
        size_t n = text_columns(g->p->rows[i].name);
        g->name = n > g->name ? n : g->name;
    }
    g->name = g->name < LINES_NAME_MAX ? g->name : LINES_NAME_MAX;
    size_t taken = g->name + 4 + LINES_SAID;
    g->width = room > taken + LINES_WIDTH_MIN ? room - taken : LINES_WIDTH_MIN;
}

void view_plot_text(struct buf *out, const struct view *v, const json_t *result)
{
    struct plot p;
    struct plot_lines g = {.out = out, .v = v, .p = &p};
    bool ok = plot_init(&p, result);
    if (ok) {
        lines_measure(&g);
        g.cells = mem_alloc(g.width + 1);
    }
    if (!ok || g.cells == NULL)
        out->failed = true;
    else if (p.n == 0)
        buf_puts(out, "nothing was started\n");
    else {
        lines_axis(&g);
        for (size_t i = 0; i < p.n; i++)
            lines_row(&g, &p.rows[i]);
        lines_foot(&g);
    }
    mem_free(g.cells);
    plot_done(&p);
}

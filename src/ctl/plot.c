/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is in a picture of a start. A time in which nobody was on the way up is cut from the axis when it is long beside
 * the rest: a service that somebody starts after three days shall not make a hair of the boot.
 */
#include "ctl/plot.h"

#include "base/mem.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLOT_CUT_MIN_MS = 1000,      /* less is never cut */
    PLOT_CUT_TIMES = 2,          /* so many times as long as all that is not quiet */
    PLOT_TAIL_PERCENT = 24,      /* behind the last one, for what is said there */
    PLOT_LONG_TAIL_PERCENT = 40, /* where it is a failure */
    PLOT_END_MIN_MS = 10,
    PLOT_SECOND = 1000,
    PLOT_MINUTE = 60 * PLOT_SECOND,
    PLOT_HOUR = 60 * PLOT_MINUTE,
    PLOT_DAY = 24 * PLOT_HOUR,
    PLOT_CHAIN_MAX = 7, /* so many links are named */
};

/* A hundred years. */
static const int64_t plot_ms_max = INT64_C(36525) * PLOT_DAY;

/* What comes from a socket is no reason to compute with nonsense. */
static int64_t plot_ms(const json_t *object, const char *name)
{
    int64_t ms = text_number(object, name, -1);
    return ms < 0 ? -1 : ms < plot_ms_max ? ms : plot_ms_max;
}

static enum plot_end plot_end_of(const struct plot_row *r, const char *state)
{
    if (strcmp(state, "done") == 0)
        return PLOT_DONE;
    if (strcmp(state, "failed") == 0)
        return PLOT_FAILED;
    if (r->ready >= 0 && r->ended < 0)
        return PLOT_UP;
    if (strcmp(state, "backoff") == 0)
        return PLOT_TRYING;
    if (r->ended >= 0)
        return PLOT_DOWN;
    return r->first < 0 && text_is_true(r->service, "scheduled") ? PLOT_ASLEEP : PLOT_PENDING;
}

static struct plot_row plot_row_of(const json_t *service, int64_t now)
{
    const json_t *first = json_array_get(json_object_get(service, "tries"), 0);
    struct plot_row r = {
        .name = text_member(service, "name", "-"),
        .service = service,
        .waiting = plot_ms(service, "waiting_ms"),
        .starting = plot_ms(service, "starting_ms"),
        .started = plot_ms(service, "started_ms"),
        .ready = plot_ms(service, "ready_ms"),
        .healthy = plot_ms(service, "healthy_ms"),
        .ended = plot_ms(service, "ended_ms"),
        .blocker = PLOT_NO_ROW,
    };
    r.first = first != NULL ? plot_ms(first, "starting_ms") : r.starting;
    r.end = plot_end_of(&r, text_member(service, "state", ""));
    r.settled = r.ready >= 0 ? r.ready : r.ended >= 0 ? r.ended : r.end == PLOT_ASLEEP ? r.waiting : now;
    return r;
}

static int plot_by_start(const void *a, const void *b)
{
    const struct plot_row *x = a, *y = b;
    int64_t p = x->first >= 0 ? x->first : INT64_MAX, q = y->first >= 0 ? y->first : INT64_MAX;
    if (p == q) {
        p = x->settled;
        q = y->settled;
    }
    return p != q ? (p > q) - (p < q) : strcmp(x->name, y->name);
}

static int plot_find(const struct plot *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->rows[i].name, name) == 0)
            return (int)i;
    return PLOT_NO_ROW;
}

/* Who was up last, and whom that had to wait for. */
static void plot_trace(struct plot *p)
{
    p->last = PLOT_NO_ROW;
    for (size_t i = 0; i < p->n; i++) {
        struct plot_row *r = &p->rows[i];
        bool well = r->end == PLOT_UP || r->end == PLOT_DONE;
        r->blocker = plot_find(p, text_member(r->service, "blocked_by", ""));
        if (well && (p->last < 0 || r->settled > p->rows[p->last].settled))
            p->last = (int)i;
    }
    for (int i = p->last; i >= 0 && !p->rows[i].critical; i = p->rows[i].blocker)
        p->rows[i].critical = true;
}

/* Times in which a service was on its way up, or something happened to it. */
struct plot_busy {
    struct plot_cut *items; /* owned */
    size_t n, cap;
};

static bool plot_add_busy(struct plot_busy *b, int64_t from, int64_t to)
{
    if (from < 0 || to < from)
        return true;
    if (!mem_grow(&b->items, &b->cap, b->n + 1, sizeof *b->items))
        return false;
    b->items[b->n++] = (struct plot_cut){from, to};
    return true;
}

static bool plot_add_row(struct plot_busy *b, const struct plot_row *r)
{
    const json_t *one;
    size_t i;
    bool ok = plot_add_busy(b, r->waiting, r->first >= 0 ? r->first : r->settled);
    json_array_foreach(json_object_get(r->service, "tries"), i, one)
    {
        ok = ok && plot_add_busy(b, plot_ms(one, "starting_ms"), plot_ms(one, "ended_ms"));
    }
    return ok && plot_add_busy(b, r->starting, r->settled) && plot_add_busy(b, r->healthy, r->healthy) &&
           plot_add_busy(b, r->ended, r->ended);
}

static int plot_by_from(const void *a, const void *b)
{
    const struct plot_cut *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* Keeps C among the longest ones; they stay in the order of time. */
static void plot_keep_cut(struct plot *p, struct plot_cut c)
{
    if (p->n_cuts == PLOT_CUTS_MAX) {
        size_t least = 0;
        for (size_t i = 1; i < p->n_cuts; i++)
            if (p->cuts[i].to - p->cuts[i].from < p->cuts[least].to - p->cuts[least].from)
                least = i;
        if (c.to - c.from <= p->cuts[least].to - p->cuts[least].from)
            return;
        memmove(&p->cuts[least], &p->cuts[least + 1], (p->n_cuts - least - 1) * sizeof *p->cuts);
        p->n_cuts--;
    }
    p->cuts[p->n_cuts++] = c;
}

/* Joins what touches; returns how long something went on in all. */
static int64_t plot_merge(struct plot_busy *b)
{
    size_t n = 0;
    int64_t sum = 0;
    qsort(b->items, b->n, sizeof *b->items, plot_by_from);
    for (size_t i = 0; i < b->n; i++)
        if (n > 0 && b->items[i].from <= b->items[n - 1].to)
            b->items[n - 1].to = b->items[i].to > b->items[n - 1].to ? b->items[i].to : b->items[n - 1].to;
        else
            b->items[n++] = b->items[i];
    b->n = n;
    for (size_t i = 0; i < n; i++)
        sum += b->items[i].to - b->items[i].from;
    return sum;
}

/* Leaves something of what is cut on both of its sides, so that one sees that it was quiet. */
static void plot_cut_quiet(struct plot *p, const struct plot_busy *b, int64_t busy_ms)
{
    int64_t margin = busy_ms / 10;
    for (size_t i = 0; i < b->n; i++) {
        int64_t from = i > 0 ? b->items[i - 1].to : 0, to = b->items[i].from, gap = to - from;
        if (gap > PLOT_CUT_MIN_MS && gap > PLOT_CUT_TIMES * busy_ms)
            plot_keep_cut(p, (struct plot_cut){from + margin, to - margin / 2});
    }
}

static int64_t plot_length(const struct plot *p)
{
    int64_t length = p->end;
    for (size_t i = 0; i < p->n_cuts; i++)
        length -= p->cuts[i].to - p->cuts[i].from;
    return length;
}

static int64_t plot_tail(const struct plot *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->rows[i].end == PLOT_FAILED || p->rows[i].end == PLOT_TRYING || p->rows[i].end == PLOT_PENDING)
            return PLOT_LONG_TAIL_PERCENT;
    return PLOT_TAIL_PERCENT;
}

static bool plot_lay_axis(struct plot *p)
{
    struct plot_busy b = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < p->n; i++)
        ok = plot_add_row(&b, &p->rows[i]);
    if (ok && b.n > 0) {
        int64_t busy_ms = plot_merge(&b);
        plot_cut_quiet(p, &b, busy_ms);
        p->end = b.items[b.n - 1].to;
    }
    p->end = p->end > PLOT_END_MIN_MS ? p->end : PLOT_END_MIN_MS;
    p->end += plot_length(p) * plot_tail(p) / 100;
    mem_free(b.items);
    return ok;
}

bool plot_init(struct plot *p, const json_t *result)
{
    const json_t *services = json_object_get(result, "services"), *s;
    size_t i;
    *p = (struct plot){.now = plot_ms(json_object_get(result, "daemon"), "uptime_ms"), .last = PLOT_NO_ROW};
    p->rows = mem_array(json_array_size(services) + 1, sizeof *p->rows);
    if (p->rows == NULL)
        return false;
    json_array_foreach(services, i, s)
    {
        if (plot_ms(s, "waiting_ms") >= 0)
            p->rows[p->n++] = plot_row_of(s, p->now);
    }
    qsort(p->rows, p->n, sizeof *p->rows, plot_by_start);
    plot_trace(p);
    return plot_lay_axis(p);
}

void plot_done(struct plot *p)
{
    mem_free(p->rows);
    p->rows = NULL;
}

double plot_at(const struct plot *p, int64_t ms, double width, double gap)
{
    double scale = (width - gap * (double)p->n_cuts) / (double)plot_length(p), x = 0.;
    int64_t at = ms < 0 ? 0 : ms < p->end ? ms : p->end, from = 0;
    for (size_t i = 0; i < p->n_cuts && at > p->cuts[i].from; i++) {
        const struct plot_cut *c = &p->cuts[i];
        int64_t inside = at < c->to ? at - c->from : c->to - c->from;
        x += (double)(c->from - from) * scale + gap * (double)inside / (double)(c->to - c->from);
        from = at < c->to ? at : c->to;
    }
    return x + (double)(at - from) * scale;
}

int64_t plot_step(const struct plot *p, size_t n)
{
    static const int64_t ms[] = {1, 2, 5, 10, 20, 50, 100, 200, 500}, few[] = {1, 2, 5, 10, 20, 30},
                         hours[] = {1, 2, 6, 12};
    static const struct {
        int64_t unit;
        const int64_t *counts;
        size_t n;
    } rows[] = {
        {1, ms, ARRAY_LEN(ms)},
        {PLOT_SECOND, few, ARRAY_LEN(few)},
        {PLOT_MINUTE, few, ARRAY_LEN(few)},
        {PLOT_HOUR, hours, ARRAY_LEN(hours)},
    };
    int64_t length = plot_length(p);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < rows[i].n; k++)
            if (length / (rows[i].unit * rows[i].counts[k]) <= (int64_t)n)
                return rows[i].unit * rows[i].counts[k];
    return (length / (int64_t)(n + 1) / PLOT_DAY + 1) * PLOT_DAY;
}

int64_t plot_took(const struct plot_row *r)
{
    int64_t from = r->first >= 0 ? r->first : r->waiting;
    return r->settled > from ? r->settled - from : 0;
}

void plot_span(struct buf *out, int64_t ms)
{
    int64_t s = ms / PLOT_SECOND;
    if (ms < PLOT_SECOND)
        buf_printf(out, "%" PRId64 " ms", ms);
    else if (ms < 20 * PLOT_SECOND)
        buf_printf(out, "%" PRId64 ".%" PRId64 " s", s, ms % PLOT_SECOND / 100);
    else if (ms < PLOT_MINUTE)
        buf_printf(out, "%" PRId64 " s", s);
    else if (ms < PLOT_HOUR)
        buf_printf(out, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else if (ms < PLOT_DAY)
        buf_printf(out, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    else
        buf_printf(out, "%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
}

void plot_label(struct buf *out, int64_t ms, int64_t step, bool later)
{
    buf_puts(out, later ? "+" : "");
    if (step < PLOT_MINUTE)
        buf_printf(out, "%g s", (double)ms / PLOT_SECOND);
    else if (step < PLOT_HOUR)
        buf_printf(out, "%" PRId64 " min", ms / PLOT_MINUTE);
    else if (step < PLOT_DAY)
        buf_printf(out, "%" PRId64 " h", ms / PLOT_HOUR);
    else
        buf_printf(out, "%" PRId64 " d", ms / PLOT_DAY);
}

/* "failed: REASON", where the reason may say that itself. */
static void plot_say_reason(struct buf *out, const struct plot_row *r, const char *word)
{
    const char *reason = text_member(r->service, "reason", "");
    size_t n = strlen(word);
    if (strncmp(reason, word, n) != 0)
        buf_printf(out, "%s%s", word, *reason != '\0' ? ": " : "");
    buf_puts(out, reason);
}

void plot_say(struct buf *out, const struct plot_row *r)
{
    switch (r->end) {
    case PLOT_UP:
        plot_span(out, plot_took(r));
        break;
    case PLOT_DONE:
        buf_puts(out, "done in ");
        plot_span(out, r->ended > r->first ? r->ended - r->first : 0);
        break;
    case PLOT_FAILED:
        plot_say_reason(out, r, "failed");
        break;
    case PLOT_TRYING:
        plot_say_reason(out, r, "backoff");
        break;
    case PLOT_DOWN:
        buf_puts(out, text_member(r->service, "state", "-"));
        break;
    case PLOT_ASLEEP:
        buf_puts(out, "waits for its schedule");
        break;
    case PLOT_PENDING:
        buf_printf(out, "%s for ", text_member(r->service, "state", "-"));
        plot_span(out, plot_took(r));
        break;
    }
}

/* Appends the chain up to row I, LINKS of them at most. */
static void plot_chain_to(struct buf *out, const struct plot *p, int i, const char *arrow, size_t links)
{
    const struct plot_row *r = &p->rows[i];
    if (r->blocker >= 0 && links > 1)
        plot_chain_to(out, p, r->blocker, arrow, links - 1);
    else if (r->blocker >= 0)
        buf_puts(out, "...");
    if (r->blocker >= 0)
        buf_puts(out, arrow);
    buf_printf(out, "%s ", r->name);
    plot_span(out, plot_took(r));
}

void plot_chain(struct buf *out, const struct plot *p, const char *arrow)
{
    if (p->last >= 0)
        plot_chain_to(out, p, p->last, arrow, PLOT_CHAIN_MAX);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A start as an SVG of its own: one bar a service, from left to right as time goes by. What the parts of a bar mean can
 * be told by height and pattern, too, not by colour alone; the colours are those of Okabe and Ito, which nearly
 * everybody can tell apart. It goes by the reader's preference for light or dark.
 */
#include "ctl/plot.h"
#include "ctl/text.h"
#include "ctl/view.h"

#include <stdint.h>
#include <string.h>

enum {
    PLOT_WIDTH = 700, /* of the time axis; pixels all of them */
    PLOT_GAP = 76,    /* of a cut in it */
    PLOT_MARGIN = 16,
    PLOT_HEAD = 92,
    PLOT_FOOT = 46,
    PLOT_MANY = 60, /* more rows than this are drawn closer */
    PLOT_TICKS = 8,
    PLOT_NAME_MAX = 28, /* columns */
    PLOT_DEPS_MAX = 36,
    PLOT_SAID_MIN = 8,
    PLOT_TITLE_MAX = 60,
    PLOT_CHAIN_COLUMNS = 130,
    PLOT_TEXT_BYTES = 4096,
};

/* The width of a letter beside its height, about. */
#define PLOT_EM .54

/** Where things are. */
struct plot_page {
    struct buf *out;
    const struct plot *p;
    double left, width; /* where the axis begins, and where the whole picture ends */
    double row, bar;    /* heights */
    double bottom;      /* of the last row */
    int font;
};

static const char plot_style[] =
    "<style>\n"
    "text{fill:#1f2933}.f{fill:#5f6b7a}.b{font-weight:bold}.e{text-anchor:end}.m{text-anchor:middle}\n"
    ".bg{fill:#fdfdfc;stroke:#d4d9df}.s{fill:#f3f5f7}.g{stroke:#dde2e7}.k{stroke:#1f2933}.cut{fill:#fdfdfc}\n"
    ".w{stroke:#98a2ae;stroke-width:2}.w2{stroke-dasharray:2 4}\n"
    ".st{fill:#e69f00}.ru{fill:#0072b2}.up{fill:#009e73;fill-opacity:.4}.bad{fill:#d55e00}\n"
    ".l{paint-order:stroke;stroke:#fdfdfc;stroke-width:3px;stroke-opacity:.8;stroke-linejoin:round}\n"
    ".x{stroke:#d55e00;stroke-width:2.5}.c{fill:none;stroke:#1f2933;stroke-width:1.6}.d{stroke-opacity:.6}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#e6edf3}.f{fill:#9aa6b2}.bg,.cut{fill:#161b22}.bg{stroke:#30363d}.s{fill:#1d242d}.g{stroke:#2d353f}\n"
    ".k,.c{stroke:#e6edf3}.l{stroke:#161b22}.w{stroke:#74808d}.ru{fill:#3b9ddd}.up{fill-opacity:.55}}\n"
    "</style>\n"
    "<defs><pattern id=\"h\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
    "patternTransform=\"rotate(45)\"><path d=\"M0 0V6\" stroke=\"#d55e00\" stroke-width=\"2.4\" "
    "stroke-opacity=\".75\"/></pattern></defs>\n";

static double plot_x(const struct plot_page *g, int64_t ms)
{
    return g->left + plot_at(g->p, ms, PLOT_WIDTH, PLOT_GAP);
}

static double plot_y(const struct plot_page *g, size_t row)
{
    return PLOT_HEAD + g->row * (double)row;
}

/* A text of CLASS that stands on X, Y. */
static void plot_text(const struct plot_page *g, double x, double y, const char *class, const char *text,
                      size_t columns)
{
    buf_printf(g->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
    text_xml(g->out, text, columns);
    buf_puts(g->out, "</text>");
}

/* A part of the bar in row I from FROM to TO, HEIGHT of it; even the shortest is seen. */
static void plot_part(const struct plot_page *g, size_t i, int64_t from, int64_t to, const char *look, double height)
{
    double x = plot_x(g, from), width = plot_x(g, to) - x;
    if (from < 0 || to < from)
        return;
    buf_printf(g->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" %s/>", x,
               plot_y(g, i) + (g->row - height) / 2., width > 1.5 ? width : 1.5, height, look);
}

static void plot_line(const struct plot_page *g, const char *class, double x1, double y1, double x2, double y2)
{
    buf_printf(g->out, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>", class, x1, y1, x2, y2);
}

static void plot_cross(const struct plot_page *g, size_t i, int64_t at)
{
    double x = plot_x(g, at), y = plot_y(g, i) + g->row / 2., r = g->bar / 2. - 1.;
    plot_line(g, "x", x - r, y - r, x + r, y + r);
    plot_line(g, "x", x - r, y + r, x + r, y - r);
}

/* Attempts that failed, and the time between them. */
static void plot_tries(const struct plot_page *g, size_t i)
{
    const struct plot_row *r = &g->p->rows[i];
    const json_t *tries = json_object_get(r->service, "tries"), *one;
    size_t k;
    if (json_array_size(tries) > 0)
        plot_part(g, i, r->first, r->starting, "fill=\"url(#h)\"", g->bar);
    json_array_foreach(tries, k, one)
    {
        int64_t ended = text_number(one, "ended_ms", -1);
        plot_part(g, i, text_number(one, "starting_ms", -1), ended, "class=\"bad\"", g->bar);
        if (ended >= 0)
            plot_cross(g, i, ended);
    }
}

/* The bar of row I; what goes on goes on to the present, or to the edge. */
static void plot_bar(const struct plot_page *g, size_t i)
{
    const struct plot_row *r = &g->p->rows[i];
    int64_t now = g->p->now < g->p->end ? g->p->now : g->p->end;
    int64_t over = r->ready >= 0 ? r->ready : r->ended >= 0 ? r->ended : now;
    double y = plot_y(g, i) + g->row / 2.;
    if (r->end != PLOT_ASLEEP)
        plot_line(g, "w", plot_x(g, r->waiting), y,
                  plot_x(g, r->first >= 0   ? r->first
                            : r->ended >= 0 ? r->ended
                                            : now),
                  y);
    plot_tries(g, i);
    if (r->starting >= 0)
        plot_part(g, i, r->starting, r->started >= 0 ? r->started : over, "class=\"st\"", g->bar);
    if (r->started >= 0)
        plot_part(g, i, r->started, over, "class=\"ru\"", g->bar);
    if (r->ready >= 0)
        plot_part(g, i, r->ready, r->ended >= 0 ? r->ended : now, "class=\"up\"", g->bar * .7);
    if (r->healthy > r->ready && r->ready >= 0)
        plot_line(g, "k", plot_x(g, r->healthy), y - g->bar / 2., plot_x(g, r->healthy), y + g->bar / 2.);
    if (r->end == PLOT_TRYING && r->ended >= 0)
        plot_part(g, i, r->ended, now, "fill=\"url(#h)\"", g->bar);
    if (r->ended >= 0 && (r->end == PLOT_TRYING || r->end == PLOT_FAILED))
        plot_cross(g, i, r->ended);
    if (r->critical && r->starting >= 0)
        plot_part(g, i, r->first, over, "class=\"c\"", g->bar);
}

/* From the end of what row I has waited for to where it begins. */
static void plot_link(const struct plot_page *g, size_t i)
{
    const struct plot_row *r = &g->p->rows[i];
    if (!r->critical || r->blocker < 0 || r->first < 0)
        return;
    size_t from = (size_t)r->blocker;
    double x = plot_x(g, r->first), half = g->row / 2., reach = (g->bar + 2.) / 2.;
    bool down = from < i;
    buf_printf(g->out, "<path class=\"c d\" d=\"M%.1f %.1fV%.1f\"/>", x,
               plot_y(g, from) + half + (down ? reach : -reach), plot_y(g, i) + half - (down ? reach : -reach));
}

/* "waits: db, cache", the one that it has waited for last in bold. */
static void plot_deps(const struct plot_page *g, size_t i, double y)
{
    const struct plot_row *r = &g->p->rows[i];
    const char *last = r->blocker >= 0 ? text_member(g->p->rows[r->blocker].service, "service", "") : "";
    const json_t *deps = json_object_get(r->service, "depends_on"), *dep;
    size_t k, room = PLOT_DEPS_MAX;
    if (json_array_size(deps) == 0)
        return;
    buf_printf(g->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"f\">waits: ", g->left + PLOT_WIDTH + PLOT_MARGIN, y);
    json_array_foreach(deps, k, dep)
    {
        const char *name = text_member(dep, "service", "-");
        size_t n = text_columns(name) + 2;
        bool bold = strcmp(name, last) == 0;
        if (n > room && k > 0) {
            buf_puts(g->out, ", ...");
            break;
        }
        buf_puts(g->out, k > 0 ? ", " : "");
        buf_puts(g->out, bold ? "<tspan class=\"b\">" : "");
        text_xml(g->out, name, PLOT_NAME_MAX);
        buf_puts(g->out, bold ? "</tspan>" : "");
        room -= n < room ? n : room;
    }
    buf_puts(g->out, "</text>");
}

/* Where the words about R begin: behind its bar. */
static double plot_words_x(const struct plot_page *g, const struct plot_row *r)
{
    if (r->end == PLOT_ASLEEP)
        return plot_x(g, r->waiting);
    if (r->end == PLOT_TRYING || r->end == PLOT_FAILED)
        return plot_x(g, r->ended >= 0 ? r->ended : r->settled) + 8.;
    return plot_x(g, r->settled) + 6.;
}

/* What is said behind the bar in row I. A background keeps it apart from backoff. */
static void plot_said(const struct plot_page *g, size_t i, double y)
{
    const struct plot_row *r = &g->p->rows[i];
    double x = plot_words_x(g, r), room = g->left + PLOT_WIDTH - x;
    size_t columns = room > 0. ? (size_t)(room / (g->font * PLOT_EM)) : 0;
    struct buf said;
    buf_init(&said, PLOT_TEXT_BYTES);
    plot_say(&said, r);
    long long restarts = text_number(r->service, "restarts", 0);
    if (restarts > 0 && r->end == PLOT_UP)
        buf_printf(&said, ", restarted %lld time%s", restarts, restarts == 1 ? "" : "s");
    size_t n = text_columns(buf_str(&said));
    if (r->end == PLOT_TRYING && columns > 0)
        buf_printf(g->out, "<rect class=\"cut\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x,
                   plot_y(g, i) + 2., (double)(n < columns ? n : columns) * g->font * PLOT_EM, g->row - 4.);
    if (columns >= PLOT_SAID_MIN || columns >= n)
        plot_text(g, x, y, "l", buf_str(&said), columns);
    buf_done(&said);
}

/* What row I says in words: its name, how its start went, whom it waits for. */
static void plot_words(const struct plot_page *g, size_t i)
{
    const struct plot_row *r = &g->p->rows[i];
    double y = plot_y(g, i) + g->row / 2. + g->font * .36;
    plot_text(g, g->left - PLOT_MARGIN + 4, y, r->critical ? "b e" : "e", r->name, PLOT_NAME_MAX);
    plot_said(g, i, y);
    plot_deps(g, i, y);
    buf_putc(g->out, '\n');
}

/* The axis label of AT in a stretch that begins at FROM: behind a cut, times count from there. */
static void plot_tick(const struct plot_page *g, int64_t at, int64_t from, int64_t step)
{
    struct buf label;
    buf_init(&label, TEXT_CELL_MAX);
    plot_label(&label, at - from, step, from > 0);
    plot_line(g, "g", plot_x(g, at), PLOT_HEAD - 4, plot_x(g, at), g->bottom);
    plot_text(g, plot_x(g, at), PLOT_HEAD - 10, "f m", buf_str(&label), 0);
    if (g->p->n > PLOT_TICKS * 4)
        plot_text(g, plot_x(g, at), g->bottom + 14, "f m", buf_str(&label), 0);
    buf_putc(g->out, '\n');
    buf_done(&label);
}

static void plot_axis(const struct plot_page *g)
{
    const struct plot *p = g->p;
    int64_t step = plot_step(p, PLOT_TICKS), from = 0;
    for (size_t i = 0; i <= p->n_cuts; i++) {
        int64_t to = i < p->n_cuts ? p->cuts[i].from : p->end;
        for (int64_t at = from > 0 ? from + step : 0; at <= to; at += step)
            plot_tick(g, at, from, step);
        from = i < p->n_cuts ? p->cuts[i].to : p->end;
    }
}

/* Over everything: what was cut out, and how much that is. */
static void plot_cuts(const struct plot_page *g)
{
    for (size_t i = 0; i < g->p->n_cuts; i++) {
        const struct plot_cut *c = &g->p->cuts[i];
        double x = plot_x(g, c->from), middle = x + PLOT_GAP / 2.;
        struct buf said;
        buf_init(&said, TEXT_CELL_MAX);
        plot_span(&said, c->to - c->from);
        buf_printf(g->out,
                   "<rect class=\"cut\" x=\"%.1f\" y=\"%d\" width=\"%d\" height=\"%.1f\"/>"
                   "<path class=\"w w2\" d=\"M%.1f %dV%.1fM%.1f %dV%.1f\"/>",
                   middle - 12, PLOT_HEAD, 24, g->bottom - PLOT_HEAD, middle - 12, PLOT_HEAD, g->bottom, middle + 12,
                   PLOT_HEAD, g->bottom);
        plot_text(g, middle, PLOT_HEAD - 10, "f m", buf_str(&said), 0);
        buf_putc(g->out, '\n');
        buf_done(&said);
    }
}

static void plot_title(const struct plot_page *g, const json_t *daemon)
{
    size_t n_bad = 0, n_open = 0;
    struct buf said;
    for (size_t i = 0; i < g->p->n; i++) {
        enum plot_end end = g->p->rows[i].end;
        n_bad += end == PLOT_FAILED || end == PLOT_TRYING;
        n_open += end == PLOT_PENDING;
    }
    buf_init(&said, PLOT_TEXT_BYTES);
    buf_printf(&said, "%zu service%s", g->p->n, g->p->n == 1 ? "" : "s");
    if (g->p->last >= 0) {
        buf_puts(&said, ", the last one up after ");
        plot_span(&said, g->p->rows[g->p->last].settled);
    }
    if (n_bad > 0)
        buf_printf(&said, "; %zu failed", n_bad);
    if (n_open > 0)
        buf_printf(&said, "; %zu on the way", n_open);
    buf_printf(g->out, "<text x=\"%d\" y=\"30\" font-size=\"16\" class=\"b\">", PLOT_MARGIN);
    text_xml(g->out, text_member(daemon, "name", "-"), PLOT_TITLE_MAX);
    buf_puts(g->out, " <tspan class=\"f\" font-size=\"13\" font-weight=\"normal\" dx=\"6\">");
    text_xml(g->out, buf_str(&said), 0);
    buf_puts(g->out, "</tspan></text>\n");
    buf_done(&said);
}

static void plot_legend(const struct plot_page *g)
{
    static const struct {
        const char *look, *word;
        double height;
    } rows[] = {
        {NULL, "waiting", 2.},
        {"class=\"st\"", "starting", 12.},
        {"class=\"ru\"", "running", 12.},
        {"class=\"up\"", "ready", 8.},
        {"class=\"k\"", "healthy", 12.},
        {"class=\"bad\"", "attempt that failed", 12.},
        {"fill=\"url(#h)\"", "backoff", 12.},
        {"class=\"c\"", "critical chain", 12.},
    };
    double x = PLOT_MARGIN, y = 52.;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].word, "healthy") == 0)
            plot_line(g, "k", x + 10., y - 7., x + 10., y + 7.);
        else if (rows[i].look != NULL)
            buf_printf(g->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"20\" height=\"%.1f\" %s/>", x,
                       y - rows[i].height / 2., rows[i].height, rows[i].look);
        else
            plot_line(g, "w", x, y, x + 20., y);
        plot_text(g, x + 25., y + 4., "f", rows[i].word, 0);
        x += 40. + 6.4 * (double)strlen(rows[i].word);
    }
    buf_putc(g->out, '\n');
}

static void plot_foot(const struct plot_page *g)
{
    struct buf chain;
    buf_init(&chain, PLOT_TEXT_BYTES);
    plot_chain(&chain, g->p, " \xe2\x86\x92 ");
    if (chain.len > 0 && !chain.failed) {
        buf_printf(g->out, "<text x=\"%d\" y=\"%.1f\"><tspan class=\"f\">critical chain:</tspan>", PLOT_MARGIN,
                   g->bottom + PLOT_FOOT - 14.);
        buf_puts(g->out, "<tspan dx=\"5\">");
        text_xml(g->out, buf_str(&chain), PLOT_CHAIN_COLUMNS);
        buf_puts(g->out, "</tspan></text>\n");
    }
    buf_done(&chain);
}

static void plot_rows(const struct plot_page *g)
{
    for (size_t i = 0; i < g->p->n; i += 2)
        buf_printf(g->out, "<rect class=\"s\" x=\"1\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", plot_y(g, i),
                   g->width - 2., g->row);
    plot_axis(g);
    for (size_t i = 0; i < g->p->n; i++) {
        struct buf said;
        buf_init(&said, PLOT_TEXT_BYTES);
        plot_say(&said, &g->p->rows[i]);
        buf_puts(g->out, "<g><title>");
        text_xml(g->out, g->p->rows[i].name, 0);
        buf_puts(g->out, ": ");
        text_xml(g->out, buf_str(&said), 0);
        buf_puts(g->out, "</title>");
        plot_bar(g, i);
        buf_puts(g->out, "</g>\n");
        buf_done(&said);
    }
    for (size_t i = 0; i < g->p->n; i++)
        plot_link(g, i);
    plot_cuts(g);
    for (size_t i = 0; i < g->p->n; i++)
        plot_words(g, i);
}

/* How much room words need at the sides. */
static void plot_measure(struct plot_page *g)
{
    size_t name = 6, deps = 0;
    for (size_t i = 0; i < g->p->n; i++) {
        const json_t *list = json_object_get(g->p->rows[i].service, "depends_on"), *dep;
        size_t k, n = text_columns(g->p->rows[i].name), sum = json_array_size(list) > 0 ? strlen("waits: ") : 0;
        json_array_foreach(list, k, dep)
        {
            sum += text_columns(text_member(dep, "service", "-")) + 2;
        }
        name = n > name ? n : name;
        deps = sum > deps ? sum : deps;
    }
    name = name < PLOT_NAME_MAX ? name : PLOT_NAME_MAX;
    deps = deps < PLOT_DEPS_MAX + 8 ? deps : PLOT_DEPS_MAX + 8;
    bool many = g->p->n > PLOT_MANY;
    g->row = many ? 18. : 26.;
    g->bar = many ? 10. : 14.;
    g->font = many ? 11 : 12;
    g->left = 2. * PLOT_MARGIN + (double)name * g->font * .6;
    g->width = g->left + PLOT_WIDTH + 2. * PLOT_MARGIN + (double)deps * g->font * .55;
    g->bottom = PLOT_HEAD + g->row * (double)g->p->n;
}

void view_plot(struct buf *out, const struct view *v UNUSED, const json_t *result)
{
    struct plot p;
    struct plot_page g = {.out = out, .p = &p};
    if (!plot_init(&p, result)) {
        plot_done(&p);
        out->failed = true;
        return;
    }
    if (p.n == 0) {
        buf_puts(out,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"180\" height=\"40\" font-family=\"sans-serif\">"
                 "<text x=\"16\" y=\"24\" font-size=\"12\" fill=\"#808080\">nothing was started</text></svg>\n");
        plot_done(&p);
        return;
    }
    plot_measure(&g);
    double height = g.bottom + PLOT_FOOT;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
               "font-family=\"system-ui,-apple-system,'Segoe UI','DejaVu Sans',Arial,sans-serif\" font-size=\"%d\">\n",
               g.width, height, g.width, height, g.font);
    buf_puts(out, plot_style);
    buf_printf(out, "<rect class=\"bg\" x=\".5\" y=\".5\" width=\"%.0f\" height=\"%.0f\" rx=\"8\"/>\n", g.width - 1.,
               height - 1.);
    plot_title(&g, json_object_get(result, "daemon"));
    plot_legend(&g);
    plot_rows(&g);
    plot_foot(&g);
    buf_puts(out, "</svg>\n");
    plot_done(&p);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Who depends on whom: as text, for dot(1), and as an SVG of its own, in which a service stands to the right of all
 * that it depends on.
 */
#include "base/mem.h"
#include "ctl/text.h"

#include <string.h>

enum {
    GRAPH_BOX_WIDTH = 150,
    GRAPH_BOX_HEIGHT = 40,
    GRAPH_STEP_X = 220,
    GRAPH_STEP_Y = 64,
    GRAPH_MARGIN = 20,
    GRAPH_LABEL_MAX = 18,
};

/** How a state looks in a picture. */
static const char *graph_fill(const char *state)
{
    switch (text_state_color(state)) {
    case TEXT_GOOD:
        return "#d3f0d3";
    case TEXT_BUSY:
        return "#fdf0c4";
    case TEXT_BAD:
        return "#f8cccc";
    default:
        return "#e8e8e8";
    }
}

void view_graph(struct buf *out, const struct view *v, const json_t *result)
{
    const json_t *services = json_object_get(result, "services"), *s, *dep;
    size_t i, k;
    json_array_foreach(services, i, s)
    {
        const json_t *deps = json_object_get(s, "depends_on");
        const char *state = text_member(s, "state", "-");
        char instances[TEXT_CELL_MAX];
        text_paint(out, v, TEXT_STRONG, text_member(s, "name", "-"), 0);
        buf_puts(out, "  ");
        text_paint(out, v, text_state_color(state), state, 0);
        if (text_number(s, "instances", 1) != 1)
            buf_printf(out, ", %s instances", text_count(s, "instances", instances));
        buf_putc(out, '\n');
        json_array_foreach(deps, k, dep)
        {
            bool last = k + 1 == json_array_size(deps);
            if (v->utf8)
                buf_puts(out, last ? "└─ " : "├─ ");
            else
                buf_puts(out, last ? "`- " : "|- ");
            text_put(out, text_member(dep, "service", "-"), 0);
            buf_puts(out, "  ");
            text_paint(out, v, TEXT_FAINT, text_member(dep, "condition", "-"), 0);
            if (!text_is_true(dep, "required"))
                text_paint(out, v, TEXT_FAINT, ", order only", 0);
            buf_putc(out, '\n');
        }
    }
}

/* Names of services have nothing that would have to be escaped, but what comes from a socket is looked at. */
static void graph_dot_text(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    while (*text != '\0') {
        size_t len, columns;
        const char *c = text_step(&text, &len, &columns);
        if (*c == '"' || *c == '\\')
            buf_putc(out, '\\');
        buf_add(out, c, len);
    }
    buf_putc(out, '"');
}

void view_dot(struct buf *out, const struct view *v UNUSED, const json_t *result)
{
    const json_t *services = json_object_get(result, "services"), *s, *dep;
    size_t i, k;
    buf_puts(out, "digraph foster {\n    rankdir=LR;\n    node [shape=box, style=\"rounded,filled\", fontname=sans];\n"
                  "    edge [fontname=sans, fontsize=9];\n");
    json_array_foreach(services, i, s)
    {
        const char *state = text_member(s, "state", "-");
        buf_puts(out, "    ");
        graph_dot_text(out, text_member(s, "name", "-"));
        buf_printf(out, " [fillcolor=\"%s\", tooltip=", graph_fill(state));
        graph_dot_text(out, state);
        buf_puts(out, "];\n");
    }
    json_array_foreach(services, i, s)
    {
        json_array_foreach(json_object_get(s, "depends_on"), k, dep)
        {
            buf_puts(out, "    ");
            graph_dot_text(out, text_member(s, "name", "-"));
            buf_puts(out, " -> ");
            graph_dot_text(out, text_member(dep, "service", "-"));
            buf_puts(out, " [label=");
            graph_dot_text(out, text_member(dep, "condition", "-"));
            buf_puts(out, text_is_true(dep, "required") ? "];\n" : ", style=dashed];\n");
        }
    }
    buf_puts(out, "}\n");
}

/** Where a service stands. */
struct graph_place {
    const char *name;
    size_t column, row;
};

/** The picture: a place for each service. */
struct graph_layout {
    const json_t *services;
    struct graph_place *places; /* owned */
    size_t n, n_columns, n_rows;
};

static const struct graph_place *graph_find(const struct graph_layout *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->places[i].name, name) == 0)
            return &g->places[i];
    return NULL;
}

/* Moves each service to the right of what it depends on, until nothing moves: as often as the longest path is long. */
static void graph_push(struct graph_layout *g)
{
    bool moved = true;
    for (size_t turn = 0; moved && turn <= g->n; turn++) {
        moved = false;
        for (size_t i = 0; i < g->n; i++) {
            const json_t *dep;
            size_t k;
            json_array_foreach(json_object_get(json_array_get(g->services, i), "depends_on"), k, dep)
            {
                const struct graph_place *to = graph_find(g, text_member(dep, "service", ""));
                if (to != NULL && to != &g->places[i] && g->places[i].column <= to->column && to->column < g->n) {
                    g->places[i].column = to->column + 1;
                    moved = true;
                }
            }
        }
    }
}

static bool graph_lay_out(struct graph_layout *g, const json_t *services)
{
    *g = (struct graph_layout){.services = services, .n = json_array_size(services)};
    g->places = mem_array(g->n, sizeof *g->places);
    size_t *filled = mem_array(g->n + 1, sizeof *filled);
    bool ok = g->places != NULL && filled != NULL;
    for (size_t i = 0; ok && i < g->n; i++)
        g->places[i].name = text_member(json_array_get(services, i), "name", "-");
    if (ok)
        graph_push(g);
    for (size_t i = 0; ok && i < g->n; i++) {
        struct graph_place *p = &g->places[i];
        p->row = filled[p->column]++;
        g->n_columns = p->column + 1 > g->n_columns ? p->column + 1 : g->n_columns;
        g->n_rows = p->row + 1 > g->n_rows ? p->row + 1 : g->n_rows;
    }
    mem_free(filled);
    return ok;
}

static size_t graph_x(const struct graph_place *p)
{
    return GRAPH_MARGIN + p->column * GRAPH_STEP_X;
}

static size_t graph_y(const struct graph_place *p)
{
    return GRAPH_MARGIN + p->row * GRAPH_STEP_Y;
}

static void graph_svg_box(struct buf *out, const struct graph_place *p, const char *state)
{
    buf_puts(out, "<g><title>");
    text_xml(out, p->name, 0);
    buf_printf(out,
               "</title><rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\" rx=\"6\" fill=\"%s\" stroke=\"#666\"/>",
               graph_x(p), graph_y(p), GRAPH_BOX_WIDTH, GRAPH_BOX_HEIGHT, graph_fill(state));
    buf_printf(out, "<text x=\"%zu\" y=\"%zu\" font-weight=\"bold\">", graph_x(p) + 8, graph_y(p) + 17);
    text_xml(out, p->name, GRAPH_LABEL_MAX);
    buf_printf(out, "</text><text x=\"%zu\" y=\"%zu\">", graph_x(p) + 8, graph_y(p) + 32);
    text_xml(out, state, 0);
    buf_puts(out, "</text></g>\n");
}

static void graph_svg_edge(struct buf *out, const struct graph_place *from, const struct graph_place *to,
                           const json_t *dep)
{
    size_t x1 = graph_x(to) + GRAPH_BOX_WIDTH, y1 = graph_y(to) + GRAPH_BOX_HEIGHT / 2;
    size_t x2 = graph_x(from), y2 = graph_y(from) + GRAPH_BOX_HEIGHT / 2;
    buf_printf(
        out,
        "<path d=\"M%zu %zu C%zu %zu %zu %zu %zu %zu\" fill=\"none\" stroke=\"#666\"%s marker-end=\"url(#a)\"><title>",
        x1, y1, x1 + 40, y1, x2 > 40 ? x2 - 40 : 0, y2, x2, y2,
        text_is_true(dep, "required") ? "" : " stroke-dasharray=\"4 3\"");
    text_xml(out, text_member(dep, "condition", "-"), 0);
    buf_puts(out, "</title></path>\n");
}

void view_svg(struct buf *out, const struct view *v UNUSED, const json_t *result)
{
    struct graph_layout g;
    if (!graph_lay_out(&g, json_object_get(result, "services"))) {
        mem_free(g.places);
        out->failed = true;
        return;
    }
    size_t width =
        g.n_columns > 0 ? 2 * GRAPH_MARGIN + (g.n_columns - 1) * GRAPH_STEP_X + GRAPH_BOX_WIDTH : 2 * GRAPH_MARGIN;
    size_t height =
        g.n_rows > 0 ? 2 * GRAPH_MARGIN + (g.n_rows - 1) * GRAPH_STEP_Y + GRAPH_BOX_HEIGHT : 2 * GRAPH_MARGIN;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" viewBox=\"0 0 %zu %zu\" "
               "font-family=\"sans-serif\" font-size=\"12\">\n<defs><marker id=\"a\" viewBox=\"0 0 10 10\" refX=\"9\" "
               "refY=\"5\" "
               "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L10 5L0 10z\" "
               "fill=\"#666\"/></marker></defs>\n",
               width, height, width, height);
    for (size_t i = 0; i < g.n; i++) {
        const json_t *dep;
        size_t k;
        json_array_foreach(json_object_get(json_array_get(g.services, i), "depends_on"), k, dep)
        {
            const struct graph_place *to = graph_find(&g, text_member(dep, "service", ""));
            if (to != NULL)
                graph_svg_edge(out, &g.places[i], to, dep);
        }
    }
    for (size_t i = 0; i < g.n; i++)
        graph_svg_box(out, &g.places[i], text_member(json_array_get(g.services, i), "state", "-"));
    buf_puts(out, "</svg>\n");
    mem_free(g.places);
}

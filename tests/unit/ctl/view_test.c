/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What fosterctl shows, compared with stored texts, and what has to hold of every text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/text.h"
#include "view_kit.h"

#include <time.h>

static const struct {
    const char *result, *expected;
    view_render *render;
    struct view v;
} shown[] = {
    {"ps.json", "ps.txt", view_kit_ps, {.width = 80}},
    {"ps.json", "ps-120.txt", view_kit_ps, {.width = 120}},
    {"ps.json", "ps-20.txt", view_kit_ps, {.width = 20}},
    {"ps.json", "ps-color.txt", view_kit_ps, {.width = 80, .color = true}},
    {"ps.json", "ps-wide.txt", view_kit_ps_wide, {.width = 0}},
    {"hostile.json", "hostile.txt", view_kit_ps, {.width = 80}},
    {"hostile.json", "hostile-uncut.txt", view_kit_ps, {.width = 0}},
    {"hostile.json", "hostile-long.txt", view_service, {.width = 80}},
    {"service.json", "service.txt", view_service, {.width = 80}},
    {"health.json", "health.txt", view_service, {.width = 80}},
    {"health.json", "health-ps.txt", view_kit_ps, {.width = 80}},
    {"tree.json", "tree.txt", view_tree, {.width = 80}},
    {"tree.json", "tree-utf8.txt", view_tree, {.width = 0, .utf8 = true}},
    {"tree.json", "tree-40.txt", view_tree, {.width = 40}},
    {"graph.json", "graph.txt", view_graph, {.width = 80}},
    {"graph.json", "graph-utf8.txt", view_graph, {.width = 80, .utf8 = true}},
    {"graph.json", "graph.dot", view_dot, {.width = 80}},
    {"graph.json", "graph.svg", view_svg, {.width = 80}},
    {"restart.json", "restart.txt", view_kit_outcomes, {.width = 80}},
    {"restart.json", "restart-color.txt", view_kit_outcomes, {.width = 80, .color = true}},
    {"reload.json", "reload.txt", view_plan, {.width = 80}},
    {"events.json", "events.txt", view_kit_events, {.width = 80}},
    {"zombies.json", "zombies.txt", view_zombies, {.width = 80}},
    {"cure.json", "cure.txt", view_cure, {.width = 80}},
    {"doctor.json", "doctor.txt", view_doctor, {.width = 80}},
    {"plot.json", "plot.svg", view_plot, {.width = 80}},
    {"plot-40.json", "plot-40.svg", view_plot, {.width = 0}},
    {"plot-late.json", "plot-late.svg", view_plot, {.width = 0}},
    {"plot.json", "plot.txt", view_plot_text, {.width = 100}},
    {"plot-late.json", "plot-late.txt", view_plot_text, {.width = 80}},
};

static void each_result_is_shown_as_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        json_t *result = view_kit_load(shown[i].result);
        struct buf out;

        buf_init(&out, VIEW_OUT_MAX);
        shown[i].render(&out, &shown[i].v, result);
        assert_false(out.failed);
        view_kit_golden(shown[i].expected, buf_str(&out));
        view_kit_harmless(buf_str(&out), shown[i].v.color);
        buf_done(&out);
        json_decref(result);
    }
}

/* TEXT has no line of more than COLUMNS columns. */
static void check_lines(const char *text, size_t columns)
{
    char *copy = strdup(text), *rest = copy;

    assert_non_null(copy);
    for (char *line; (line = strsep(&rest, "\n"));)
        if (text_columns(line) > columns)
            fail_msg("%zu columns where there are %zu: %s", text_columns(line), columns, line);
    free(copy);
}

static void tables_and_trees_fit_every_terminal(void **state)
{
    static const struct {
        const char *result;
        view_render *render;
    } rows[] = {{"ps.json", view_kit_ps}, {"hostile.json", view_kit_ps}, {"tree.json", view_tree}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *result = view_kit_load(rows[i].result);

        for (int width = 1; width <= 200; width++) {
            struct view v = {.width = width, .utf8 = width % 2 == 0};
            struct buf out;
            size_t lines = 0;

            buf_init(&out, VIEW_OUT_MAX);
            rows[i].render(&out, &v, result);
            check_lines(buf_str(&out), (size_t)width);
            for (const char *p = buf_str(&out); *p != '\0'; p++)
                lines += *p == '\n';
            assert_true(lines >= 1 + json_array_size(json_object_get(result, "services")));
            buf_done(&out);
        }
        json_decref(result);
    }
}

/* Escape sequences are there when they are asked for, and never otherwise; without them the text is the same. */
static void colour_changes_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        json_t *result = view_kit_load(shown[i].result);
        struct view plain = shown[i].v, color = shown[i].v;
        struct buf a, b, stripped;

        plain.color = false;
        color.color = true;
        buf_init(&a, VIEW_OUT_MAX);
        buf_init(&b, VIEW_OUT_MAX);
        buf_init(&stripped, VIEW_OUT_MAX);
        shown[i].render(&a, &plain, result);
        shown[i].render(&b, &color, result);
        assert_null(strchr(buf_str(&a), '\033'));
        for (const char *p = buf_str(&b); *p != '\0'; p++) {
            if (*p == '\033')
                p += strcspn(p, "m");
            else
                buf_putc(&stripped, *p);
        }
        assert_string_equal(buf_str(&stripped), buf_str(&a));
        buf_done(&a);
        buf_done(&b);
        buf_done(&stripped);
        json_decref(result);
    }
}

/* A chain of N processes, each the child of the one before. */
static json_t *chain(unsigned n)
{
    json_t *children = json_array();

    for (unsigned i = n; i > 0; i--) {
        json_t *p = json_pack("{s:i, s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:o}", "pid", (int)i, "name", "x", "command",
                              "x -y", "state", "S", "age_ms", 0, "role", "descendant", "attribution", "below",
                              "adopted", 0, "children", children);
        assert_non_null(p);
        children = json_pack("[o]", p);
    }
    return json_pack("{s:{}, s:[{s:s, s:s, s:o}], s:[]}", "daemon", "services", "name", "deep", "state", "ready",
                     "processes", children, "unclaimed");
}

static void a_tree_is_drawn_as_deep_as_there_is_room(void **state)
{
    static const struct {
        int width;
        unsigned n, n_shown; /* processes */
    } rows[] = {
        {80, 10, 10}, {80, 100, 17}, {20, 100, 1}, {0, 63, 63}, {0, 64, 63}, {0, 1000, 63},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view v = {.width = rows[i].width};
        json_t *result = chain(rows[i].n);
        struct buf out;
        unsigned lines = 0;

        buf_init(&out, VIEW_OUT_MAX);
        view_tree(&out, &v, result);
        check_lines(buf_str(&out), rows[i].width > 0 ? (size_t)rows[i].width : SIZE_MAX);
        for (const char *p = buf_str(&out); *p != '\0'; p++)
            lines += *p == '\n';
        bool cut = rows[i].n > rows[i].n_shown;
        if (lines != 2 + rows[i].n_shown + cut)
            fail_msg("%d columns, %u processes: %u lines:\n%s", rows[i].width, rows[i].n, lines, buf_str(&out));
        assert_int_equal(strstr(buf_str(&out), "`- ...") != NULL, cut);
        buf_done(&out);
        json_decref(result);
    }
}

static void times_of_events_are_those_of_the_place(void **state)
{
    static const struct {
        const char *time, *zone, *shown;
    } rows[] = {
        {"2026-03-01T23:59:59.123456Z", "UTC", "23:59:59.123  "},
        {"2026-03-01T23:59:59.123456Z", "XYZ-2", "01:59:59.123  "},
        {"2026-03-01T23:59:59Z", "UTC", "2026-03-01T23:59:59Z  "},
        {"99999999999-1-1T1:1:1.1", "UTC", "99999999999-1-1T1:1:1.1  "},
        {"soon", "UTC", "soon  "},
        {"", "UTC", "  "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view v = {.width = 80};
        json_t *event = json_pack("{s:s}", "time", rows[i].time);
        struct buf out;

        assert_int_equal(setenv("TZ", rows[i].zone, 1), 0);
        tzset();
        buf_init(&out, VIEW_OUT_MAX);
        view_event(&out, &v, event);
        assert_memory_equal(buf_str(&out), rows[i].shown, strlen(rows[i].shown));
        buf_done(&out);
        json_decref(event);
    }
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_result_is_shown_as_stored),
        cmocka_unit_test(tables_and_trees_fit_every_terminal),
        cmocka_unit_test(colour_changes_nothing_else),
        cmocka_unit_test(a_tree_is_drawn_as_deep_as_there_is_room),
        cmocka_unit_test(times_of_events_are_those_of_the_place),
    };
    return cmocka_run_group_tests_name("view", tests, view_kit_set_zone, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The graph for dot(1) and as SVG: whatever services are called, the text is in the language that it claims to be in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/seed.h"
#include "view_kit.h"

#include <ctype.h>
#include <regex.h>

enum { NESTED_MAX = 16, ROUNDS = 200, SERVICES_MAX = 12 };

/* The name at *P; moves behind it. */
static size_t xml_name(const char **p)
{
    size_t n = strspn(*p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");

    *p += n;
    return n;
}

/* Text up to END: entities are ours, and nothing in it begins a tag. */
static bool xml_text(const char **p, char end)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;"};

    for (; **p != end; (*p)++) {
        bool known = **p != '&';
        for (size_t i = 0; i < ARRAY_LEN(entities); i++)
            known = known || strncmp(*p, entities[i], strlen(entities[i])) == 0;
        if (!known || **p == '\0' || **p == '<')
            return false;
    }
    return true;
}

static bool xml_attributes(const char **p)
{
    while (**p == ' ') {
        ++*p;
        if (xml_name(p) == 0 || strncmp(*p, "=\"", 2) != 0)
            return false;
        *p += 2;
        if (!xml_text(p, '"'))
            return false;
        ++*p;
    }
    return true;
}

/* Whether TEXT is one well-formed element, as far as XML goes that we write, with a newline behind. */
static bool xml_valid(const char *text)
{
    struct {
        const char *name;
        size_t len;
    } open[NESTED_MAX];
    size_t n = 0;
    const char *p = text;

    do {
        if (!xml_text(&p, '<'))
            return false;
        p++;
        bool closes = *p == '/';
        p += closes;
        const char *name = p;
        size_t len = xml_name(&p);
        if (len == 0 || !xml_attributes(&p))
            return false;
        bool empty = *p == '/';
        p += empty;
        if (*p++ != '>' || (closes && empty))
            return false;
        if (closes && (n == 0 || open[n - 1].len != len || strncmp(open[n - 1].name, name, len) != 0))
            return false;
        n -= closes;
        if (!closes && !empty) {
            if (n == NESTED_MAX)
                return false;
            open[n].name = name;
            open[n++].len = len;
        }
    } while (n > 0);
    return strcmp(p, "\n") == 0;
}

#define DOT_TEXT "\"([^\"\\]|\\\\.)*\""

/* Whether TEXT is a digraph, each of whose lines is one that we write. */
static bool dot_valid(const char *text)
{
    regex_t line;
    const char *p = text;
    static const char first[] = "digraph foster {\n", last[] = "}\n";

    if (strncmp(p, first, strlen(first)) != 0)
        return false;
    p += strlen(first);
    assert_int_equal(regcomp(&line,
                             "^    (rankdir=LR|(node|edge|" DOT_TEXT "( -> " DOT_TEXT
                             ")?) \\[[a-z]+=([a-z0-9]+|" DOT_TEXT ")(, [a-z]+=([a-z0-9]+|" DOT_TEXT "))*\\]);$",
                             REG_EXTENDED | REG_NOSUB),
                     0);
    bool ok = true;
    while (ok && strcmp(p, last) != 0) {
        size_t n = strcspn(p, "\n");
        char *copy = strndup(p, n);
        assert_non_null(copy);
        ok = regexec(&line, copy, 0, NULL, 0) == 0;
        free(copy);
        p += n + (p[n] == '\n');
    }
    regfree(&line);
    return ok;
}

static void check(const json_t *result)
{
    const struct view v = {.width = 80};
    struct buf dot, svg;

    buf_init(&dot, VIEW_OUT_MAX);
    buf_init(&svg, VIEW_OUT_MAX);
    view_dot(&dot, &v, result);
    view_svg(&svg, &v, result);
    if (!dot_valid(buf_str(&dot)))
        fail_msg("not for dot:\n%s", buf_str(&dot));
    if (!xml_valid(buf_str(&svg)))
        fail_msg("no XML:\n%s", buf_str(&svg));
    buf_done(&dot);
    buf_done(&svg);
}

static void the_checks_can_fail(void **state)
{
    static const char *const bad_xml[] = {
        "",
        "x",
        "<a>\n",
        "<a></b>\n",
        "<a b=c/>\n",
        "<a>&</a>\n",
        "<a>&nbsp;</a>\n",
        "<a b=\"<\"/>\n",
        "<a/><a/>\n",
        "<a><b></a></b>\n",
    };
    static const char *const bad_dot[] = {
        "",
        "digraph foster {\n",
        "digraph foster {\n    \"a\n}\n",
        "digraph foster {\n    \"a\"\" [x=y];\n}\n",
        "digraph foster {\n    \"a\\\" [x=y];\n}\n",
        "digraph foster {\n    \"a\" -> [x=y];\n}\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_xml); i++)
        assert_false(xml_valid(bad_xml[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad_dot); i++)
        assert_false(dot_valid(bad_dot[i]));
    assert_true(xml_valid("<a b=\"c\">&lt;<b/><c></c></a>\n"));
    assert_true(dot_valid("digraph foster {\n    \"a\\\"b\\\\\" -> \"c\" [x=\"y\", z=1];\n}\n"));
}

static void pictures_of_stored_graphs(void **state)
{
    static const char *const results[] = {"graph.json", "hostile.json", "tree.json", "doctor.json"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        json_t *result = view_kit_load(results[i]);

        check(result);
        json_decref(result);
    }
}

/* A name of a few characters that mean something somewhere. */
static json_t *odd_name(uint64_t *seed)
{
    static const char *const parts[] = {"a",  "web",     "\"", "\\",     "<",      ">",      "&", "]]>",
                                        "\n", "\033[2J", "--", "\u00e9", "\u65e5", "\ufffe", "%s"};
    char name[64] = "";

    for (uint64_t n = test_rand_below(seed, 5); n > 0; n--)
        strcat(name, parts[test_rand_below(seed, ARRAY_LEN(parts))]);
    return json_string(name);
}

/* Graphs with cycles, with services that are not there, with the same name twice. */
static void pictures_of_odd_graphs(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        json_t *services = json_array(), *names = json_array();
        size_t n = test_rand_below(&seed, SERVICES_MAX);

        for (size_t i = 0; i < n; i++)
            assert_int_equal(json_array_append_new(names, odd_name(&seed)), 0);
        for (size_t i = 0; i < n; i++) {
            json_t *deps = json_array();
            for (uint64_t k = test_rand_below(&seed, 4); k > 0; k--) {
                json_t *to = test_rand_below(&seed, 8) == 0
                                 ? odd_name(&seed)
                                 : json_incref(json_array_get(names, test_rand_below(&seed, n)));
                assert_int_equal(json_array_append_new(deps, json_pack("{s:o, s:o, s:b}", "service", to, "condition",
                                                                       odd_name(&seed), "required", (int)(k % 2))),
                                 0);
            }
            assert_int_equal(json_array_append_new(
                                 services, json_pack("{s:O, s:o, s:i, s:o}", "name", json_array_get(names, i), "state",
                                                     odd_name(&seed), "instances", (int)i, "depends_on", deps)),
                             0);
        }
        json_t *result = json_pack("{s:o}", "services", services);
        assert_non_null(result);
        check(result);
        json_decref(result);
        json_decref(names);
    }
}

/* The horizontal place of NAME in SVG. */
static long place_of(const char *svg, const char *name)
{
    char title[64];
    const char *at;

    (void)snprintf(title, sizeof title, "<g><title>%s</title><rect x=\"", name);
    at = strstr(svg, title);
    if (!at) {
        fail_msg("no %s in:\n%s", name, svg);
        abort();
    }
    return strtol(at + strlen(title), NULL, 10);
}

static void a_service_stands_to_the_right_of_what_it_needs(void **state)
{
    json_t *result = view_kit_load("graph.json"), *service, *dep;
    struct buf svg;
    size_t i, k, n = 0;

    (void)state;
    buf_init(&svg, VIEW_OUT_MAX);
    view_svg(&svg, &(struct view){.width = 80}, result);
    json_array_foreach(json_object_get(result, "services"), i, service)
    {
        json_array_foreach(json_object_get(service, "depends_on"), k, dep)
        {
            assert_true(place_of(buf_str(&svg), json_string_value(json_object_get(service, "name"))) >
                        place_of(buf_str(&svg), json_string_value(json_object_get(dep, "service"))));
            n++;
        }
    }
    assert_int_equal(n, 4);
    buf_done(&svg);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checks_can_fail),
        cmocka_unit_test(pictures_of_stored_graphs),
        cmocka_unit_test(pictures_of_odd_graphs),
        cmocka_unit_test(a_service_stands_to_the_right_of_what_it_needs),
    };
    return cmocka_run_group_tests_name("view_graph", tests, NULL, NULL);
}

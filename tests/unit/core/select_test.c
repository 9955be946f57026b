/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Which units are meant by names and patterns, and what is offered for a name that means none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/select.h"

#include "super_kit.h"

static struct kit k;

/* web (3 instances), db, worker (2 instances), off (no profile selects it), none (scale 0). */
static int begin(void **state)
{
    (void)state;
    kit_init(&k);
    kit_service(&k, "web", SPEC_TYPE_SIMPLE)->scale = 3;
    kit_service(&k, "db", SPEC_TYPE_SIMPLE);
    kit_service(&k, "worker", SPEC_TYPE_SIMPLE)->scale = 2;
    kit_service(&k, "off", SPEC_TYPE_SIMPLE)->enabled = false;
    kit_service(&k, "none", SPEC_TYPE_SIMPLE)->scale = 0;
    for (size_t i = 0; i < k.set.n_services; i++)
        k.specs[i].autostart = false;
    kit_begin(&k);
    return 0;
}

static int end(void **state)
{
    (void)state;
    kit_end(&k);
    return 0;
}

/* What the names WORDS, with blanks between, select: names of units, or "no NAME (SIMILAR)". */
static const char *selected(const char *words)
{
    static char text[KIT_TEXT], copy[KIT_TEXT];
    const char *names[64], *similar = NULL;
    size_t n = 0, wrong = 0;
    struct select sel = {0};

    snprintf(copy, sizeof copy, "%s", words);
    for (char *rest, *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        names[n++] = word;
    text[0] = '\0';
    switch (select_units(k.super, names, n, &sel, &wrong, &similar)) {
    case SELECT_OK:
        for (size_t i = 0; i < sel.n; i++)
            kit_add(text, " ", kit_name(&k, sel.units[i]));
        break;
    case SELECT_NO_MATCH:
        snprintf(text, sizeof text, "no %s (%s)", names[wrong], similar ? similar : "");
        assert_null(sel.units);
        break;
    case SELECT_NOMEM:
        fail();
    }
    select_done(&sel);
    return text;
}

static void test_selections(void **state)
{
    static const struct {
        const char *words;
        const char *selected;
    } cases[] = {
        {"", "web.1 web.2 web.3 db worker.1 worker.2"},
        {"web", "web.1 web.2 web.3"},
        {"web.2", "web.2"},
        {"db", "db"},
        {"off", "off"},
        {"w*", "web.1 web.2 web.3 worker.1 worker.2"},
        {"w*.2", "web.2 worker.2"},
        {"*", "web.1 web.2 web.3 db worker.1 worker.2"},
        {"?b", "db"},
        {"web.[13]", "web.1 web.3"},
        {"d[!x]", "db"},
        /* In the order of the configuration, each once. */
        {"worker.2 db web", "web.1 web.2 web.3 db worker.2"},
        {"web.1 web w* web", "web.1 web.2 web.3 worker.1 worker.2"},
        /* Wrong ones: the first of them is named. */
        {"db dd xyz", "no dd (db)"},
        {"db.1", "no db.1 (db)"},
        {"wbe", "no wbe (web)"},
        {"web.4", "no web.4 (web)"},
        {"web.0", "no web.0 (web)"},
        {"wokrer.2", "no wokrer.2 (worker.2)"},
        {"of*", "no of* (off)"},
        {"q*", "no q* ()"},
        {"none", "no none ()"},
        {"something-else", "no something-else ()"},
        {"web.", "no web. (web)"},
        {".1", "no .1 ()"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(selected(cases[i].words), cases[i].selected);
}

static void test_one_that_was_started_by_name_is_like_the_others(void **state)
{
    (void)state;
    kit_tell(&k, EVENT_START, "off");
    assert_string_equal(selected("o*"), "off");
    assert_string_equal(selected(""), "web.1 web.2 web.3 db worker.1 worker.2 off");
}

static void test_a_name_of_any_length(void **state)
{
    char name[4096];

    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const char *names[] = {name}, *similar = name;
    struct select sel = {0};
    size_t wrong = 7;

    assert_int_equal(select_units(k.super, names, 1, &sel, &wrong, &similar), SELECT_NO_MATCH);
    assert_int_equal(wrong, 0);
    assert_null(similar);
}

static void test_patterns_are_told_from_names(void **state)
{
    (void)state;
    assert_true(select_is_pattern("w*"));
    assert_true(select_is_pattern("?"));
    assert_true(select_is_pattern("a[b]"));
    assert_true(select_is_pattern("a\\b"));
    assert_false(select_is_pattern("web.2"));
    assert_false(select_is_pattern("a-b_c"));
    assert_false(select_is_pattern(""));
}

static void test_units_that_a_reload_has_brought(void **state)
{
    struct kit_config *c;

    (void)state;
    c = kit_edit(&k);
    kit_without(c, "db");
    kit_change(c, "worker")->scale = 1;
    kit_also(c, "new")->scale = 2;
    kit_replace(&k, c);
    assert_string_equal(selected("*"), "web.1 web.2 web.3 worker new.1 new.2");
    assert_string_equal(selected("new web"), "web.1 web.2 web.3 new.1 new.2");
    assert_string_equal(selected("db"), "no db ()");
}

/* A service may be called as an instance of another would be. */
static void test_a_service_with_a_number_in_its_name(void **state)
{
    struct kit_config *c;

    (void)state;
    c = kit_edit(&k);
    kit_also(c, "solo.1");
    kit_replace(&k, c);
    assert_string_equal(selected("solo.1"), "solo.1");
    assert_string_equal(selected("solo"), "no solo (solo.1)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_selections, begin, end),
        cmocka_unit_test_setup_teardown(test_one_that_was_started_by_name_is_like_the_others, begin, end),
        cmocka_unit_test_setup_teardown(test_a_name_of_any_length, begin, end),
        cmocka_unit_test_setup_teardown(test_patterns_are_told_from_names, begin, end),
        cmocka_unit_test_setup_teardown(test_units_that_a_reload_has_brought, begin, end),
        cmocka_unit_test_setup_teardown(test_a_service_with_a_number_in_its_name, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

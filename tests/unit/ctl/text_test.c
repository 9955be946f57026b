/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Text for a terminal: what is let through, how wide it is, how it is cut, and numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/text.h"

#include <limits.h>
#include <string.h>

static void text_is_made_harmless_and_cut(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *shown;
        size_t n;
    } rows[] = {
        {"", 0, "", 0},
        {"web", 0, "web", 3},
        {"web", 3, "web", 3},
        {"web!", 3, "web", 3},
        {"web!!", 4, "w...", 4},
        {"websites", 7, "webs...", 7},
        {"websites", 8, "websites", 8},
        {"websites", 1, "w", 1},
        {"a\tb", 0, "a b", 3},
        {"a\033[31m\r\n\a", 0, "a?[31m???", 9},
        {"\177", 0, "?", 1},
        {"\302\205\302\233\302\240", 0, "??\302\240", 3}, /* NEL, CSI, a blank that does not break */
        {"\342\200\256x\342\201\246", 0, "?x?", 3},       /* right to left */
        {"\342\200\250\357\273\277", 0, "??", 2},         /* a separator of lines, the byte order mark */
        {"\377\302", 0, "??", 2},                         /* no UTF-8 */
        {"\355\240\200", 0, "???", 3},                    /* half of a pair */
        {"Bl\303\245b\303\246r", 5, "Bl...", 5},
        {"Bl\303\245b\303\246r", 6, "Bl\303\245b\303\246r", 6},
        {"e\314\201e\314\201", 2, "e\314\201e\314\201", 2}, /* accents of their own */
        {"\346\227\245\346\234\254", 4, "\346\227\245\346\234\254", 4},
        {"\346\227\245\346\234\254", 3, "\346\227\245", 2}, /* half of one is not shown */
        {"\346\227\245\346\234\254\350\252\236", 5, "\346\227\245...", 5},
        {"\346\227\245\346\234\254\350\252\236", 4, "...", 3},
        {"\360\237\230\200!", 0, "\360\237\230\200!", 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out;

        buf_init(&out, 256);
        assert_int_equal(text_put(&out, rows[i].text, rows[i].columns), rows[i].n);
        assert_string_equal(buf_str(&out), rows[i].shown);
        assert_int_equal(text_columns(rows[i].shown), rows[i].n);
        buf_done(&out);
    }
}

/* Whatever the width, no more of it is used, and what is used is told. */
static void no_cut_is_too_wide(void **state)
{
    static const char text[] = "a\346\227\245b\314\201\033\346\234\254c\360\237\230\200d\tef";

    (void)state;
    for (size_t columns = 1; columns < 20; columns++) {
        struct buf out;

        buf_init(&out, 256);
        size_t n = text_put(&out, text, columns);
        assert_true(n <= columns);
        assert_int_equal(text_columns(buf_str(&out)), n);
        buf_done(&out);
    }
}

static void a_line_has_so_much_room(void **state)
{
    const struct view narrow = {.width = 8}, endless = {.width = 0};
    struct buf out;
    size_t room = text_room(&narrow);

    (void)state;
    buf_init(&out, 256);
    assert_int_equal(text_fit(&out, &narrow, TEXT_PLAIN, "web", &room), 3);
    assert_int_equal(text_fit(&out, &narrow, TEXT_GOOD, ": ready", &room), 5);
    assert_int_equal(text_fit(&out, &narrow, TEXT_GOOD, "more", &room), 0);
    assert_int_equal(room, 0);
    assert_string_equal(buf_str(&out), "web: ...");
    buf_reset(&out);
    room = text_room(&endless);
    for (int i = 0; i < 20; i++)
        assert_int_equal(text_fit(&out, &endless, TEXT_PLAIN, "12345678", &room), 8);
    assert_int_equal(out.len, 160);
    buf_done(&out);
}

static void colours_only_when_asked_for(void **state)
{
    const struct view plain = {.width = 80}, color = {.width = 80, .color = true};
    struct buf out;

    (void)state;
    buf_init(&out, 256);
    text_paint(&out, &plain, TEXT_BAD, "x", 0);
    text_paint(&out, &color, TEXT_PLAIN, "y", 0);
    text_paint(&out, &color, TEXT_BAD, "z\033", 0);
    assert_string_equal(buf_str(&out), "xy\033[1;31mz?\033[0m");
    buf_done(&out);
}

static void numbers_are_short(void **state)
{
    static const struct {
        long long n;
        const char *count, *age, *size;
    } rows[] = {
        {0, "0", "0.0s", "0"},
        {-1, "-", "-", "-"},
        {LLONG_MIN, "-", "-", "-"},
        {999, "999", "0.9s", "999"},
        {1023, "1023", "1.0s", "1023"},
        {1024, "1024", "1.0s", "1.0K"},
        {9999, "9999", "9.9s", "9.8K"},
        {10000, "10000", "10s", "9.8K"},
        {59999, "59999", "59s", "58.6K"},
        {60000, "60000", "1m00s", "58.6K"},
        {3599999, "3599999", "59m59s", "3.4M"},
        {3600000, "3600000", "1h00m", "3.4M"},
        {86399999, "86399999", "23h59m", "82.4M"},
        {86400000, "86400000", "1d0h", "82.4M"},
        {1023948, "1023948", "17m03s", "999.9K"},
        {1023949, "1023949", "17m03s", "1.0M"},
        {LLONG_MAX, "9223372036854775807", "106751991167d7h", "8388608.0T"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *object = json_pack("{s:I}", "n", (json_int_t)rows[i].n);
        char buf[TEXT_CELL_MAX];

        assert_non_null(object);
        assert_string_equal(text_count(object, "n", buf), rows[i].count);
        assert_string_equal(text_age(object, "n", buf), rows[i].age);
        assert_string_equal(text_size(object, "n", buf), rows[i].size);
        json_decref(object);
    }
}

static void members_of_another_type_are_none(void **state)
{
    json_t *object = json_loads("{\"text\": \"x\", \"number\": 7, \"true\": true, \"half\": 0.5}", 0, NULL);
    char buf[TEXT_CELL_MAX];

    (void)state;
    assert_string_equal(text_member(object, "text", "-"), "x");
    assert_string_equal(text_member(object, "number", "-"), "-");
    assert_string_equal(text_member(object, "none", "-"), "-");
    assert_string_equal(text_member(NULL, "text", "-"), "-");
    assert_int_equal(text_number(object, "number", -3), 7);
    assert_int_equal(text_number(object, "half", -3), -3);
    assert_int_equal(text_number(object, "text", -3), -3);
    assert_true(text_is_true(object, "true"));
    assert_false(text_is_true(object, "number"));
    assert_false(text_is_true(NULL, "true"));
    assert_string_equal(text_count(object, "half", buf), "-");
    assert_string_equal(text_count(NULL, "number", buf), "-");
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_made_harmless_and_cut),
        cmocka_unit_test(no_cut_is_too_wide),
        cmocka_unit_test(a_line_has_so_much_room),
        cmocka_unit_test(colours_only_when_asked_for),
        cmocka_unit_test(numbers_are_short),
        cmocka_unit_test(members_of_another_type_are_none),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How a message looks: text, journal and JSON, hostile bytes, and texts that do not fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log_line.h"
#include "base/utf8.h"

#include "support/seed.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"
#define BAD      "\xef\xbf\xbd"

/* 2024-02-29 12:34:56.000789 UTC */
static const struct timespec now = {.tv_sec = 1709210096, .tv_nsec = 789999};

static const char *text_of(struct log_line *line, enum log_level level, const struct log_about *about, const char *text,
                           bool journal, const struct timespec *when)
{
    log_line_text(line, level, about, text, journal, when);
    assert_true(line->len < LOG_LINE_MAX);
    assert_int_equal(line->data[line->len - 1], '\n');
    assert_null(memchr(line->data, '\n', line->len - 1));
    line->data[line->len - 1] = '\0';
    return line->data;
}

static const char *json_of(struct log_line *line, enum log_level level, const struct log_about *about, const char *text)
{
    log_line_json(line, level, about, text, &now);
    assert_true(line->len < LOG_LINE_MAX);
    assert_int_equal(line->data[line->len - 1], '\n');
    line->data[line->len - 1] = '\0';
    return line->data;
}

static void text_lines(void **state)
{
    static const struct {
        enum log_level level;
        const char *service, *text, *expected;
    } cases[] = {
        {LOG_LEVEL_INFO, NULL, "ready", "fosterd: ready"},
        {LOG_LEVEL_INFO, "web", "started", "fosterd: web: started"},
        {LOG_LEVEL_DEBUG, "web.2", "tick", "fosterd: web.2: tick"},
        {LOG_LEVEL_WARN, NULL, "odd", "fosterd: warning: odd"},
        {LOG_LEVEL_ERROR, "web", "gone", "fosterd: web: error: gone"},
        {LOG_LEVEL_INFO, NULL, "", "fosterd: "},
        {LOG_LEVEL_INFO, NULL, "a\nb\tc\rd", "fosterd: a\\nb\\tc\\rd"},
        {LOG_LEVEL_INFO, NULL, "\x1b[31mred\x7f", "fosterd: \\x1b[31mred\\x7f"},
        {LOG_LEVEL_INFO, NULL, "caf\xc3\xa9 \xe2\x82\xac", "fosterd: caf\xc3\xa9 \xe2\x82\xac"},
        {LOG_LEVEL_INFO, NULL, "\xff\xe2\x82z", "fosterd: \\xff\\xe2\\x82z"},
        /* The C1 control CSI, which some terminals obey in UTF-8 as well. */
        {LOG_LEVEL_INFO, NULL,
         "\xc2\x9b"
         "31m",
         "fosterd: \\xc2\\x9b31m"},
        {LOG_LEVEL_INFO, NULL, "\xc2\xa0", "fosterd: \xc2\xa0"},
        {LOG_LEVEL_INFO, NULL, "back\\slash \"quoted\"", "fosterd: back\\slash \"quoted\""},
        {LOG_LEVEL_INFO, "evil\nname", "x", "fosterd: evil\\nname: x"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct log_about about = {.service = cases[i].service, .event = "unseen", .pid = 7, .run = 3};
        struct log_line line;
        assert_string_equal(text_of(&line, cases[i].level, &about, cases[i].text, false, NULL), cases[i].expected);
    }
}

static void journal_lines_begin_with_the_severity(void **state)
{
    static const struct {
        enum log_level level;
        const char *expected;
    } cases[] = {
        {LOG_LEVEL_ERROR, "<3>fosterd: web: error: x"},
        {LOG_LEVEL_WARN, "<4>fosterd: web: warning: x"},
        {LOG_LEVEL_INFO, "<6>fosterd: web: x"},
        {LOG_LEVEL_DEBUG, "<7>fosterd: web: x"},
    };
    const struct log_about about = {.service = "web"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct log_line line;
        assert_string_equal(text_of(&line, cases[i].level, &about, "x", true, NULL), cases[i].expected);
    }
}

static void prefixed_lines(void **state)
{
    static const struct {
        const char *prefix, *service, *text, *expected;
    } cases[] = {
        {"[WARN  tini (7)] ", NULL, "odd", "[WARN  tini (7)] odd"},
        {"[dumb-init] ", "web", "gone", "[dumb-init] web: gone"},
        {"", NULL, "", ""},
        {"p: ", "evil\nname", "a\nb\x1b", "p: evil\\nname: a\\nb\\x1b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct log_about about = {.service = cases[i].service, .event = "unseen", .pid = 7};
        struct log_line line;
        log_line_prefixed(&line, cases[i].prefix, &about, cases[i].text);
        assert_int_equal(line.len, strlen(cases[i].expected) + 1);
        assert_memory_equal(line.data, cases[i].expected, line.len - 1);
        assert_int_equal(line.data[line.len - 1], '\n');
    }
}

static void time_is_local(void **state)
{
    const struct log_about about = {0};
    struct log_line line;

    (void)state;
    setenv("TZ", "TST-2", 1);
    tzset();
    assert_string_equal(text_of(&line, LOG_LEVEL_INFO, &about, "x", false, &now), "14:34:56 fosterd: x");
    /* JSON says UTC wherever it is written. */
    assert_string_equal(json_of(&line, LOG_LEVEL_INFO, &about, "x"),
                        "{\"ts\":\"2024-02-29T12:34:56.000789Z\",\"level\":\"info\",\"msg\":\"x\"}");
    unsetenv("TZ");
    tzset();
}

#define TS "{\"ts\":\"2024-02-29T12:34:56.000789Z\","

static void json_lines(void **state)
{
    const struct {
        enum log_level level;
        struct log_about about;
        const char *text, *expected;
    } cases[] = {
        {LOG_LEVEL_ERROR, {0}, "x", TS "\"level\":\"error\",\"msg\":\"x\"}"},
        {LOG_LEVEL_WARN, {0}, "x", TS "\"level\":\"warn\",\"msg\":\"x\"}"},
        {LOG_LEVEL_DEBUG, {0}, "x", TS "\"level\":\"debug\",\"msg\":\"x\"}"},
        {LOG_LEVEL_INFO, {.service = "web"}, "", TS "\"level\":\"info\",\"msg\":\"\",\"service\":\"web\"}"},
        {LOG_LEVEL_INFO,
         {.service = "web.2", .event = "exited", .pid = 4711, .run = 3, .code_kind = 'e', .code = 0},
         "gone",
         TS "\"level\":\"info\",\"msg\":\"gone\",\"service\":\"web.2\",\"pid\":4711,\"run\":3,\"event\":\"exited\","
            "\"exit_code\":0}"},
        {LOG_LEVEL_INFO,
         {.pid = 1, .code_kind = 's', .code = SIGKILL},
         "gone",
         TS "\"level\":\"info\",\"msg\":\"gone\",\"pid\":1,\"signal\":\"SIGKILL\"}"},
        {LOG_LEVEL_INFO, {.code_kind = 's', .code = 32}, "x", TS "\"level\":\"info\",\"msg\":\"x\",\"signal\":\"32\"}"},
        {LOG_LEVEL_INFO, {.run = UINT64_MAX}, "x", TS "\"level\":\"info\",\"msg\":\"x\",\"run\":18446744073709551615}"},
        {LOG_LEVEL_INFO,
         {.service = "a\"b", .event = "c\\d"},
         "\"q\" \\ \n\x1b\x7f\xff",
         TS "\"level\":\"info\",\"msg\":\"\\\"q\\\" \\\\ \\u000a\\u001b\\u007f" BAD
            "\",\"service\":\"a\\\"b\",\"event\":\"c\\\\d\"}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct log_line line;
        assert_string_equal(json_of(&line, cases[i].level, &cases[i].about, cases[i].text), cases[i].expected);
    }
}

static void long_text_is_cut_and_marked(void **state)
{
    const struct log_about about = {.service = "web"};
    char text[LOG_LINE_TEXT_MAX];
    struct log_line line;
    const char *out;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    /* A text that fills the buffer of the formatter may have been longer. */
    out = text_of(&line, LOG_LEVEL_INFO, &about, text, false, NULL);
    assert_string_equal(out + strlen(out) - 4, "x" ELLIPSIS);
    out = json_of(&line, LOG_LEVEL_INFO, &about, text);
    assert_non_null(strstr(out, "xx" ELLIPSIS "\",\"service\":\"web\"}"));
    /* One byte less is whole. */
    text[sizeof(text) - 2] = '\0';
    out = text_of(&line, LOG_LEVEL_INFO, &about, text, false, NULL);
    assert_string_equal(out + strlen("fosterd: web: "), text);
}

static void cut_character_is_left_out(void **state)
{
    const struct log_about about = {0};
    char text[LOG_LINE_TEXT_MAX] = "";
    struct log_line line;
    size_t i = 0;

    (void)state;
    /* The formatter's buffer ends in the middle of a character. */
    while (i + 3 < sizeof(text) - 2)
        text[i++] = 'x';
    memcpy(text + i, "\xf0\x9f\x98\x80", sizeof(text) - 1 - i);
    assert_true(strlen(text) == sizeof(text) - 1);
    const char *out = text_of(&line, LOG_LEVEL_INFO, &about, text, false, NULL);
    assert_string_equal(out + strlen(out) - 4, "x" ELLIPSIS);
}

static void escapes_that_do_not_fit_are_cut_whole(void **state)
{
    char service[400], text[LOG_LINE_TEXT_MAX];
    const struct log_about about = {
        .service = service, .event = service, .pid = INT32_MIN, .run = UINT64_MAX, .code_kind = 's', .code = 64};
    struct log_line line;

    (void)state;
    memset(service, '\x01', sizeof(service) - 1);
    service[sizeof(service) - 1] = '\0';
    memset(text, '\x02', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';

    const char *out = json_of(&line, LOG_LEVEL_INFO, &about, text), *cut = strstr(out, ELLIPSIS "\",\"service\":\"");
    assert_non_null(cut);
    assert_memory_equal(cut - 6, "\\u0002", 6);
    assert_non_null(strstr(cut + 4, "\\u0001" ELLIPSIS "\",\"pid\":-2147483648,"));
    assert_string_equal(out + strlen(out) - strlen("\\u0001" ELLIPSIS "\",\"signal\":\"SIGRTMIN+30\"}"),
                        "\\u0001" ELLIPSIS "\",\"signal\":\"SIGRTMIN+30\"}");

    out = text_of(&line, LOG_LEVEL_INFO, &about, text, false, NULL);
    assert_string_equal(out + strlen(out) - 7, "\\x02" ELLIPSIS);
    assert_non_null(strstr(out, "\\x01" ELLIPSIS ": \\x02"));
}

/* Whatever comes in, the line is one line of valid UTF-8 without control bytes, and JSON keeps its form. */
static void random_bytes(void **state)
{
    static char text[LOG_LINE_TEXT_MAX];
    uint64_t rand = test_seed();

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char service[300];
        const struct log_about about = {.service = round % 3 ? service : NULL, .pid = round % 2};
        size_t len = test_rand_below(&rand, round % 4 ? 100 : sizeof(text)), i;
        struct log_line line;
        for (i = 0; i < len; i++)
            text[i] = (char)(1 + test_rand_below(&rand, 255));
        text[len] = '\0';
        for (i = 0; i < test_rand_below(&rand, sizeof(service)); i++)
            service[i] = (char)(1 + test_rand_below(&rand, 255));
        service[i] = '\0';

        for (int form = 0; form < 2; form++) {
            const char *out = form ? json_of(&line, LOG_LEVEL_INFO, &about, text)
                                   : text_of(&line, LOG_LEVEL_INFO, &about, text, true, NULL);
            size_t out_len = strlen(out);
            assert_int_equal(out_len, line.len - 1);
            for (size_t at = 0; at < out_len;) {
                bool valid;
                assert_true((unsigned char)out[at] >= 0x20 && out[at] != 0x7f);
                at += utf8_step(out + at, out_len - at, &valid);
                assert_true(valid);
            }
            if (form)
                assert_true(out[0] == '{' && out[out_len - 1] == '}');
        }
    }
}

static void break_goes_before(void **state)
{
    const struct log_about about = {0};
    struct log_line line;
    char text[LOG_LINE_TEXT_MAX];

    (void)state;
    memset(text, '\x02', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_line_text(&line, LOG_LEVEL_INFO, &about, text, false, NULL);
    log_line_break_before(&line);
    assert_true(line.len <= LOG_LINE_MAX);
    assert_memory_equal(line.data, "\nfosterd: \\x02", 14);
    assert_int_equal(line.data[line.len - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines),
        cmocka_unit_test(journal_lines_begin_with_the_severity),
        cmocka_unit_test(prefixed_lines),
        cmocka_unit_test(time_is_local),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(long_text_is_cut_and_marked),
        cmocka_unit_test(cut_character_is_left_out),
        cmocka_unit_test(escapes_that_do_not_fit_are_cut_whole),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(break_goes_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

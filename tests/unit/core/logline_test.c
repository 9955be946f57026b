/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Bytes to lines, and lines to what goes out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/logline.h"

#include "base/utf8.h"
#include "support/seed.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char memory[1 << 18];
static struct logline_out out;
static struct logline_clock ticking;

static const struct logline_label web = {.name = "web.2",
                                         .service = "web",
                                         .stream = "stderr",
                                         .tag = "shop",
                                         .host = "box",
                                         .width = 7,
                                         .facility = 3,
                                         .pid = 42};

static const int64_t when_us = INT64_C(1795335330123456); /* 2026-11-22T08:15:30.123456Z */

static int setup(void **state)
{
    (void)state;
    out = (struct logline_out){.data = memory, .cap = sizeof memory};
    return 0;
}

static struct logline_piece piece(const char *text)
{
    return (struct logline_piece){.text = text, .len = strlen(text), .ends = true};
}

static const char *said(void)
{
    memory[out.len] = '\0';
    return memory;
}

static void test_pieces(void **state)
{
    (void)state;
    struct logline_state st = {0};
    struct logline_piece p;
    assert_int_equal(logline_next("", 0, &st, true, &p), 0);
    assert_int_equal(logline_next("one\ntwo", 7, &st, false, &p), 4);
    assert_true(p.len == 3 && p.ends && !p.continues);
    assert_int_equal(logline_next("two", 3, &st, false, &p), 0);
    assert_int_equal(logline_next("two", 3, &st, true, &p), 3);
    assert_true(p.len == 3 && !p.ends && !p.continues);
    logline_taken(&st, &p);
    assert_int_equal(logline_next("\nx", 2, &st, false, &p), 1);
    assert_true(p.len == 0 && p.ends && p.continues);
    logline_taken(&st, &p);
    assert_int_equal(logline_next("x\n", 2, &st, false, &p), 2);
    assert_false(p.continues);
}

static void test_lines_around_the_longest(void **state)
{
    (void)state;
    static char line[LOGLINE_MAX + 8];
    memset(line, 'x', sizeof line);
    for (size_t len = LOGLINE_MAX - 2; len <= LOGLINE_MAX + 3; len++) {
        struct logline_state st = {0};
        struct logline_piece p;
        line[len] = '\n';
        size_t n = logline_next(line, len + 1, &st, false, &p);
        if (len <= LOGLINE_MAX) {
            assert_true(n == len + 1 && p.len == len && p.ends);
        } else {
            assert_true(n == LOGLINE_MAX && p.len == LOGLINE_MAX && !p.ends && !p.continues);
            logline_taken(&st, &p);
            assert_int_equal(logline_next(line + n, len + 1 - n, &st, false, &p), len + 1 - n);
            assert_true(p.ends && p.continues && p.len == len - LOGLINE_MAX);
        }
        /* Its end may be the next byte to come. */
        st = (struct logline_state){0};
        assert_int_equal(logline_next(line, len, &st, false, &p), len > LOGLINE_MAX ? LOGLINE_MAX : 0);
        line[len] = 'x';
    }
}

static void test_a_character_is_not_cut(void **state)
{
    (void)state;
    static char line[LOGLINE_MAX + 4];
    struct logline_state st = {0};
    struct logline_piece p;
    memset(line, 'x', sizeof line);
    memcpy(line + LOGLINE_MAX - 1, "\xe2\x82\xac", 3);
    assert_int_equal(logline_next(line, sizeof line, &st, false, &p), LOGLINE_MAX - 1);
}

/* Whatever the portions in which it comes: all pieces together are what was written. */
static void test_nothing_is_lost_by_cutting(void **state)
{
    (void)state;
    enum { TOTAL = 100000 };
    static char data[TOTAL], got[TOTAL];
    uint64_t seed = test_seed();
    for (size_t i = 0; i < TOTAL; i++)
        data[i] = test_rand_below(&seed, i < TOTAL / 2 ? 20 : 30000) == 0 ? '\n' : (char)test_rand(&seed);
    struct logline_state st = {0};
    size_t end = 0, at = 0, n_got = 0;
    while (at < TOTAL) {
        struct logline_piece p;
        bool flush = end == TOTAL || test_rand_below(&seed, 50) == 0;
        size_t n = logline_next(data + at, end - at, &st, flush, &p);
        if (n == 0) {
            end += test_rand_below(&seed, 5000) + 1;
            end = end < TOTAL ? end : TOTAL;
            continue;
        }
        assert_int_equal(p.continues, at > 0 && data[at - 1] != '\n');
        assert_int_equal(n, p.len + p.ends);
        memcpy(got + n_got, p.text, p.len);
        n_got += p.len;
        if (p.ends)
            got[n_got++] = '\n';
        logline_taken(&st, &p);
        at += n;
    }
    assert_int_equal(n_got, TOTAL);
    assert_memory_equal(got, data, TOTAL);
}

static void test_stamps(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    char stamp[LOGLINE_STAMP_LEN + 1] = "", wanted[64];
    logline_stamp(&ticking, when_us, stamp);
    assert_string_equal(stamp, "2026-11-22T08:15:30.123456Z");
    logline_stamp(&ticking, when_us + 1, stamp);
    assert_string_equal(stamp, "2026-11-22T08:15:30.123457Z");
    logline_stamp(&ticking, -1, stamp);
    assert_string_equal(stamp, "1969-12-31T23:59:59.999999Z");
    logline_stamp(&ticking, 0, stamp);
    assert_string_equal(stamp, "1970-01-01T00:00:00.000000Z");
    for (int i = 0; i < 20000; i++) {
        int64_t second = (int64_t)(test_rand(&seed) % UINT64_C(8000000000)) - 2000000000;
        int us = (int)test_rand_below(&seed, 1000000);
        time_t t = (time_t)second;
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        size_t n = strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(wanted + n, sizeof wanted - n, ".%06dZ", us);
        logline_stamp(&ticking, second * 1000000 + us, stamp);
        assert_string_equal(stamp, wanted);
    }
}

static void test_prefixed(void **state)
{
    (void)state;
    struct logline_piece p = piece("hello\ttab");
    assert_true(logline_put_prefixed(&out, &web, &p, NULL, when_us));
    p.continues = true;
    assert_true(logline_put_prefixed(&out, &web, &p, &ticking, when_us));
    struct logline_label coloured = web;
    coloured.colour = 36;
    p = piece("");
    assert_true(logline_put_prefixed(&out, &coloured, &p, NULL, when_us));
    assert_string_equal(said(), "web.2   | hello\ttab\n"
                                "web.2   + 2026-11-22T08:15:30.123456Z hello\ttab\n"
                                "\033[36mweb.2   | \033[0m\n");
}

static void test_stamped(void **state)
{
    (void)state;
    struct logline_piece begin = {.text = "begin", .len = 5}, middle = {.text = "+", .len = 1, .continues = true},
                         end = {.text = "end", .len = 3, .continues = true, .ends = true};
    assert_true(logline_put_stamped(&out, &begin, &ticking, when_us));
    assert_true(logline_put_stamped(&out, &middle, &ticking, when_us));
    assert_true(logline_put_stamped(&out, &end, &ticking, when_us));
    assert_string_equal(said(), "2026-11-22T08:15:30.123456Z begin+end\n");
}

static json_t *json_of(const struct logline_label *l, const struct logline_piece *p)
{
    json_error_t e;
    out.len = 0;
    assert_true(logline_put_json(&out, l, p, &ticking, when_us));
    assert_int_equal(memory[out.len - 1], '\n');
    assert_null(memchr(memory, '\n', out.len - 1));
    json_t *json = json_loadb(memory, out.len, JSON_ALLOW_NUL, &e);
    if (json == NULL)
        fail_msg("%s", e.text);
    return json;
}

static void test_json(void **state)
{
    (void)state;
    struct logline_piece p = piece("say \"hi\"\\ \b\t\f\r\001\037\177 \xc3\xa4 \xff\xc3");
    json_t *json = json_of(&web, &p);
    assert_string_equal(json_string_value(json_object_get(json, "time")), "2026-11-22T08:15:30.123456Z");
    assert_string_equal(json_string_value(json_object_get(json, "service")), "web");
    assert_string_equal(json_string_value(json_object_get(json, "instance")), "web.2");
    assert_string_equal(json_string_value(json_object_get(json, "stream")), "stderr");
    assert_string_equal(json_string_value(json_object_get(json, "message")),
                        "say \"hi\"\\ \b\t\f\r\001\037\177 \xc3\xa4 \xef\xbf\xbd\xef\xbf\xbd");
    assert_null(json_object_get(json, "partial"));
    assert_null(json_object_get(json, "continues"));
    json_decref(json);
    struct logline_label alone = web;
    alone.name = "web";
    p.ends = false;
    p.continues = true;
    json = json_of(&alone, &p);
    assert_null(json_object_get(json, "instance"));
    assert_true(json_is_true(json_object_get(json, "partial")));
    assert_true(json_is_true(json_object_get(json, "continues")));
    json_decref(json);
}

/* Each byte there is, each place in a text of so many: whatever is looked at in one go. */
static void test_json_of_each_byte(void **state)
{
    (void)state;
    enum { LEN = 19 };
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < LEN; at++) {
            char text[LEN + 1], wanted[LEN + 3], c = (char)byte;
            bool valid = byte < 0x80;
            memset(text, '~', LEN);
            text[at] = c;
            size_t n = valid ? 1 : 3;
            memset(wanted, '~', sizeof wanted);
            memcpy(wanted + at, valid ? &c : "\xef\xbf\xbd", n);
            struct logline_piece p = {.text = text, .len = LEN, .ends = true};
            json_t *json = json_of(&web, &p);
            const json_t *message = json_object_get(json, "message");
            assert_int_equal(json_string_length(message), LEN - 1 + n);
            assert_memory_equal(json_string_value(message), wanted, LEN - 1 + n);
            json_decref(json);
        }
    }
}

/* Random bytes, against a JSON library. */
static void test_json_of_anything(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    char text[200], wanted[3 * sizeof text];
    for (int round = 0; round < 3000; round++) {
        size_t len = test_rand_below(&seed, sizeof text), n = 0;
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(test_rand_below(&seed, 2) == 0 ? test_rand_below(&seed, 128) : test_rand(&seed));
        for (size_t i = test_rand_below(&seed, 50); i + 9 <= len; i += 9 + test_rand_below(&seed, 50))
            memcpy(text + i, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9);
        struct logline_piece p = {.text = text, .len = len, .ends = true};
        for (size_t i = 0; i < len;) {
            bool valid;
            size_t step = utf8_step(text + i, len - i, &valid);
            memcpy(wanted + n, valid ? text + i : "\xef\xbf\xbd", valid ? step : 3);
            n += valid ? step : 3;
            i += step;
        }
        json_t *json = json_of(&web, &p);
        const json_t *message = json_object_get(json, "message");
        assert_int_equal(json_string_length(message), n);
        assert_memory_equal(json_string_value(message), wanted, n);
        json_decref(json);
    }
}

static void test_priorities(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int priority;
        size_t taken;
    } cases[] = {{"<0>x", 0, 3}, {"<7>", 7, 3}, {"<3> y", 3, 3}, {"<8>x", 6, 0}, {"<x>", 6, 0},
                 {"<3", 6, 0},   {"", 6, 0},    {"x<3>", 6, 0},  {"<3x", 6, 0},  {"<33>", 6, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct logline_piece p = piece(cases[i].text);
        assert_int_equal(logline_priority(&p, 6), cases[i].priority);
        assert_string_equal(p.text, cases[i].text + cases[i].taken);
        assert_int_equal(p.len, strlen(cases[i].text) - cases[i].taken);
    }
    struct logline_piece rest = piece("<3>rest");
    rest.continues = true;
    assert_int_equal(logline_priority(&rest, 6), 6);
    assert_int_equal(rest.len, 7);
}

static void test_syslog(void **state)
{
    (void)state;
    struct logline_piece p = piece("it \xc3\xa4");
    assert_true(logline_put_syslog(&out, &web, &p, 4, &ticking, when_us));
    assert_string_equal(said(), "<28>1 2026-11-22T08:15:30.123456Z box shop 42 - - it \xc3\xa4");
    struct logline_label odd = web;
    odd.tag = "a b\001cdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
    odd.host = "";
    odd.pid = 0;
    odd.facility = 23;
    out.len = 0;
    assert_true(logline_put_syslog(&out, &odd, &p, 0, &ticking, when_us));
    assert_string_equal(
        said(),
        "<184>1 2026-11-22T08:15:30.123456Z - a_b_cdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst - - - it \xc3\xa4");
    /* A host may have a longer name than a program. */
    char host[300], wanted[300];
    memset(host, 'h', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    odd.host = host;
    out.len = 0;
    assert_true(logline_put_syslog(&out, &odd, &p, 0, &ticking, when_us));
    snprintf(wanted, sizeof wanted, "Z %.255s a_b", host);
    assert_non_null(strstr(said(), wanted));
}

static void test_bsd_syslog(void **state)
{
    (void)state;
    struct logline_piece p = piece("it: [1]");
    struct logline_label odd = web;
    assert_true(logline_put_bsd_syslog(&out, &web, &p, 4));
    assert_string_equal(said(), "<28>shop[42]: it: [1]");
    odd.tag = "a b";
    odd.pid = 0;
    odd.facility = 0;
    out.len = 0;
    assert_true(logline_put_bsd_syslog(&out, &odd, &p, 0));
    assert_string_equal(said(), "<0>a_b: it: [1]");
    out.len = 0;
    out.cap = strlen("<28>shop[42]: it: [1]") - 1;
    assert_false(logline_put_bsd_syslog(&out, &web, &p, 4));
    assert_int_equal(out.len, 0);
}

static void test_journal(void **state)
{
    (void)state;
    struct logline_piece p = piece("text");
    assert_true(logline_put_journal(&out, &web, &p, 5));
    assert_string_equal(said(),
                        "PRIORITY=5\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=shop\nSYSLOG_PID=42\nFOSTER_SERVICE=web\n"
                        "FOSTER_INSTANCE=web.2\nFOSTER_STREAM=stderr\nMESSAGE=text\n");
    /* A value that has a newline comes with its length. */
    struct logline_label odd = web;
    odd.tag = "two\nlines";
    out.len = 0;
    assert_true(logline_put_journal(&out, &odd, &p, 5));
    static const char wanted[] = "SYSLOG_IDENTIFIER\n\x09\0\0\0\0\0\0\0two\nlines\nSYSLOG_PID";
    assert_memory_equal(memory + strlen("PRIORITY=5\nSYSLOG_FACILITY=3\n"), wanted, sizeof wanted - 1);
}

/* Too little room changes nothing; the smallest that is enough gives the same. */
static void test_no_room(void **state)
{
    (void)state;
    struct logline_piece p = piece("some \"text\" \xff");
    for (int form = 0; form < 5; form++) {
        char whole[512];
        size_t len = 0;
        for (size_t cap = sizeof whole; cap-- > 0;) {
            struct logline_out o = {.data = memory, .cap = cap};
            memset(memory, '#', sizeof whole);
            bool ok = form == 0   ? logline_put_prefixed(&o, &web, &p, &ticking, when_us)
                      : form == 1 ? logline_put_stamped(&o, &p, &ticking, when_us)
                      : form == 2 ? logline_put_json(&o, &web, &p, &ticking, when_us)
                      : form == 3 ? logline_put_syslog(&o, &web, &p, 3, &ticking, when_us)
                                  : logline_put_journal(&o, &web, &p, 3);
            if (ok && len == 0) {
                len = o.len;
                memcpy(whole, memory, len);
            }
            assert_true(!ok || (o.len == len && memcmp(memory, whole, len) == 0));
            assert_true(ok || o.len == 0);
            assert_true(ok || cap < len + 16);
            /* Nothing behind the end is touched. */
            assert_int_equal(memory[cap], '#');
        }
        assert_true(len > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pieces, setup),
        cmocka_unit_test_setup(test_lines_around_the_longest, setup),
        cmocka_unit_test_setup(test_a_character_is_not_cut, setup),
        cmocka_unit_test_setup(test_nothing_is_lost_by_cutting, setup),
        cmocka_unit_test_setup(test_stamps, setup),
        cmocka_unit_test_setup(test_prefixed, setup),
        cmocka_unit_test_setup(test_stamped, setup),
        cmocka_unit_test_setup(test_json, setup),
        cmocka_unit_test_setup(test_json_of_each_byte, setup),
        cmocka_unit_test_setup(test_json_of_anything, setup),
        cmocka_unit_test_setup(test_priorities, setup),
        cmocka_unit_test_setup(test_syslog, setup),
        cmocka_unit_test_setup(test_bsd_syslog, setup),
        cmocka_unit_test_setup(test_journal, setup),
        cmocka_unit_test_setup(test_no_room, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The texts of /proc: as kernels write them, with hostile names, and cut at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/procstat.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* What stands behind "PID (NAME) ", with the given state. */
#define REST(state)                                                                                                    \
    state " 1 4711 4710 34816 4711 4194304 120 0 3 0 7 2 0 0 20 0 5 0 987654 12345678 300 18446744073709551615 1 1 0 " \
          "0 0 0 0 4096 16384 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"

static void ordinary_stat(void **state)
{
    static const char text[] = "4711 (nginx) " REST("S");
    struct procstat st;

    (void)state;
    assert_true(procstat_parse(text, strlen(text), &st));
    assert_int_equal(st.pid, 4711);
    assert_string_equal(st.comm, "nginx");
    assert_int_equal(st.state, 'S');
    assert_int_equal(st.ppid, 1);
    assert_int_equal(st.pgrp, 4711);
    assert_int_equal(st.session, 4710);
    assert_int_equal(st.n_threads, 5);
    assert_int_equal(st.start_ticks, 987654);
    assert_int_equal(st.cpu_ticks, 9);
    assert_int_equal(st.rss_pages, 300);
}

static void names_of_any_bytes(void **state)
{
    static const char *const names[] = {
        "",           " ",
        ")",          "(",
        "a b",        ") S 1 1 1",
        "))) R 99 (", "a\nb",
        "\xff\x80",   "(sd-pam)",
        "9 (x) Z 1",  "kworker/u16:3-events_unbound",
        "tab\there",  "a name of exactly sixty-three bytes, which is the longest of all",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct procstat st;
        char text[512];
        snprintf(text, sizeof(text), "12 (%.63s) %s", names[i], REST("R"));
        if (!procstat_parse(text, strlen(text), &st))
            fail_msg("name %zu is refused", i);
        assert_int_equal(strncmp(st.comm, names[i], 63), 0);
        assert_int_equal(st.pid, 12);
        assert_int_equal(st.state, 'R');
        assert_int_equal(st.ppid, 1);
    }
}

static void process_that_is_nearly_gone(void **state)
{
    static const char text[] = "77 (gone) X 0 -1 -1 0 -1 4194300 0 0 0 0 0 0 0 0 0 0 0 0 0 ";
    static const char full[] = "77 (gone) X 0 -1 -1 0 -1 4194300 0 0 0 0 0 0 0 0 0 0 0 0 555 0\n";
    struct procstat st;

    (void)state;
    assert_false(procstat_parse(text, strlen(text) - 1, &st));
    assert_true(procstat_parse(full, strlen(full), &st));
    assert_int_equal(st.ppid, 0);
    assert_int_equal(st.pgrp, -1);
    assert_int_equal(st.session, -1);
    assert_int_equal(st.n_threads, 0);
    assert_int_equal(st.start_ticks, 555);
    assert_int_equal(st.cpu_ticks, 0);
    assert_int_equal(st.rss_pages, 0);
}

static void refused_stats(void **state)
{
    static const char *const cases[] = {
        "",
        "12",
        "12 nginx " REST("S"),
        "12 (nginx " REST("S"),
        "12 nginx) " REST("S"),
        "12(nginx) " REST("S"),
        "12 (nginx)" REST("S"),
        " 12 (nginx) " REST("S"),
        "0 (nginx) " REST("S"),
        "-12 (nginx) " REST("S"),
        "x (nginx) " REST("S"),
        "2147483648 (nginx) " REST("S"),
        "99999999999999999999 (nginx) " REST("S"),
        "12 (nginx) " REST("SS"),
        "12 (nginx) " REST(""),
        "12 (nginx) S -1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0\n",
        "12 (nginx) S 1 -2 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0\n",
        "12 (nginx) S 1 1x 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0\n",
        "12 (nginx) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 -1 0 5 0\n",
        "12 (nginx) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 -5 0\n",
        "12 (nginx) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 18446744073709551616 0\n",
        "12 (nginx) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1  0 5 0\n",
        "12 (this name of sixty-four bytes is one longer than a name can be..) " REST("S"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct procstat st = {.pid = 99};
        if (procstat_parse(cases[i], strlen(cases[i]), &st))
            fail_msg("accepted: %s", cases[i]);
        assert_int_equal(st.pid, 99);
    }
    struct procstat st;
    assert_false(procstat_parse("1 (a\0b) " REST("S"), sizeof("1 (a\0b) " REST("S")) - 1, &st));
}

static void cut_stat_is_refused_or_the_same(void **state)
{
    static const char text[] = "4711 (my (odd) name) " REST("S");

    (void)state;
    for (size_t len = 0; len <= strlen(text); len++) {
        struct procstat st;
        /* A copy of just that size, so that a read beyond it is found. */
        char exact[sizeof(text)];
        memcpy(exact + sizeof(exact) - len, text, len);
        if (!procstat_parse(exact + sizeof(exact) - len, len, &st))
            continue;
        assert_string_equal(st.comm, "my (odd) name");
        assert_int_equal(st.start_ticks, 987654);
    }
}

static void locks_limit(void **state)
{
    static const char head[] = "Limit                     Soft Limit           Hard Limit           Units     \n"
                               "Max cpu time              unlimited            unlimited            seconds   \n";
    static const struct {
        const char *line;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"Max file locks            unlimited            unlimited            locks     \n", true, UINT64_MAX},
        {"Max file locks            4660                 unlimited            locks     \n", true, 4660},
        {"Max file locks            0                    0                    locks     \n", true, 0},
        {"Max file locks            18446744073709551615 18446744073709551615 locks     \n", true, UINT64_MAX},
        {"Max file locks            18446744073709551616 18446744073709551616 locks     \n", false, 0},
        {"Max file locks            12", false, 0},
        {"Max file locks            unlimited", false, 0},
        {"Max file locks            unlim", false, 0},
        {"Max file locks            unlimitedly          7\n", false, 0},
        {"Max file locks            -1                   -1                   locks\n", false, 0},
        {"Max file locks            \nMax file locks 5 5\n", false, 0},
        {"Max file locks", false, 0},
        {"max file locks            5                    5                    locks     \n", false, 0},
        {"Max file lockss           5                    5                    locks     \n", false, 0},
        {" Max file locks           5                    5                    locks     \n", false, 0},
        {"Max pending signals       31396                31396                signals   \n", false, 0},
        {"", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        uint64_t value = 99;
        snprintf(text, sizeof(text), "%s%s", head, cases[i].line);
        if (procstat_parse_locks(text, strlen(text), &value) != cases[i].ok ||
            value != (cases[i].ok ? cases[i].value : 99))
            fail_msg("%s", cases[i].line);
    }
}

static void cut_limits_are_refused_or_the_same(void **state)
{
    static const char text[] = "Max cpu time              unlimited            unlimited            seconds   \n"
                               "Max file locks            4660                 4660                 locks     \n"
                               "Max pending signals       31396                31396                signals   \n";

    (void)state;
    for (size_t len = 0; len <= strlen(text); len++) {
        uint64_t value = 0;
        if (procstat_parse_locks(text, len, &value))
            assert_int_equal(value, 4660);
    }
}

static void environment(void **state)
{
    static const char text[] =
        "PATH=/bin\0FOSTER_SERVICE=web\0EMPTY=\0NOEQUALS\0=odd\0A=1=2\0FOSTER_SERVICE=late\0CUT=x";
    static const struct {
        const char *name, *value; /* NULL: not there */
    } cases[] = {
        {"FOSTER_SERVICE", "web"},
        {"PATH", "/bin"},
        {"EMPTY", ""},
        {"A", "1=2"},
        {"FOSTER_SERVIC", NULL},
        {"FOSTER", NULL},
        {"OSTER_SERVICE", NULL},
        {"NOEQUALS", NULL},
        {"", NULL},
        {"A=1", "2"},
        {"CUT", NULL},
        {"path", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char value[16] = "untouched";
        bool found = procstat_parse_env(text, sizeof(text) - 1, cases[i].name, value, sizeof(value));
        if (found != (cases[i].value != NULL))
            fail_msg("\"%s\"", cases[i].name);
        assert_string_equal(value, found ? cases[i].value : "untouched");
    }
}

static void environment_value_must_fit(void **state)
{
    static const char text[] = "A=1234";
    char value[8] = "#######";

    (void)state;
    assert_false(procstat_parse_env(text, sizeof(text), "A", value, 0));
    assert_false(procstat_parse_env(text, sizeof(text), "A", value, 4));
    assert_string_equal(value, "#######");
    assert_true(procstat_parse_env(text, sizeof(text), "A", value, 5));
    assert_memory_equal(value, "1234\0##", 8);
    assert_false(procstat_parse_env(text, 0, "A", value, 5));
}

static void children(void **state)
{
    static const struct {
        const char *text;
        ptrdiff_t n;
        pid_t pids[4];
    } cases[] = {
        {"", 0, {0}},
        {" \n", 0, {0}},
        {"12 ", 1, {12}},
        {"12 13 4194304 ", 3, {12, 13, 4194304}},
        {"1\n2\t3  4", 4, {1, 2, 3, 4}},
        {"2147483647 ", 1, {INT_MAX}},
        {"1 2 3 4 5 6 ", 6, {1, 2, 3, 4}},
        {"2147483648 ", -1, {0}},
        {"99999999999999999999 ", -1, {0}},
        {"0 ", -1, {0}},
        {"-1 ", -1, {0}},
        {"x", -1, {0}},
        {"1 2x ", -1, {0}},
        {"1,2", -1, {0}},
        {"1 2 3 4 5 y ", -1, {0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        pid_t pids[4] = {0};
        ptrdiff_t n = procstat_parse_pids(cases[i].text, strlen(cases[i].text), pids, 4);
        if (n != cases[i].n)
            fail_msg("\"%s\": %td", cases[i].text, n);
        if (n >= 0)
            assert_memory_equal(pids, cases[i].pids, sizeof(pids));
        assert_int_equal(procstat_parse_pids(cases[i].text, strlen(cases[i].text), NULL, 0), n);
    }
    assert_int_equal(procstat_parse_pids("1\0002", 3, NULL, 0), -1);
}

static void status_lines(void **state)
{
    static const char text[] = "Name:\tCapEff: 5\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t1\nOdd:\tx\nEmpty:\t\n"
                               "Top:\tffffffffffffffff\nBeyond:\t10000000000000000\nShibboleth: 99\nSeccomp:\t2";
    static const struct {
        const char *name;
        unsigned base;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"CapEff:", 16, true, UINT64_C(0x1ffffffffff)},
        {"CapEff:", 10, true, 1},
        {"NoNewPrivs:", 10, true, 1},
        {"Top:", 16, true, UINT64_MAX},
        {"Beyond:", 16, false, 0},
        {"Odd:", 10, false, 0},
        {"Empty:", 10, false, 0},
        {"leth:", 10, false, 0},
        {"Seccomp:", 10, false, 0}, /* it may have been cut */
        {"None:", 10, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t value = 4711;
        bool ok = procstat_parse_status(text, sizeof(text) - 1, cases[i].name, cases[i].base, &value);
        if (ok != cases[i].ok || value != (ok ? cases[i].value : 4711))
            fail_msg("%s in base %u", cases[i].name, cases[i].base);
    }
}

static void lines_for_people(void **state)
{
#define TEXT(s) s, sizeof(s) - 1
    static const struct {
        const char *text;
        size_t len, size;
        const char *line;
    } cases[] = {
        {TEXT(""), 8, ""},
        {TEXT("\0\0"), 8, ""},
        {TEXT("sh\0-c\0exit 1\0"), 32, "sh -c exit 1"},
        {TEXT("a\0\0b\0"), 8, "a  b"},
        {TEXT("a\tb\nc\x7f\x1b"), 16, "a?b?c??"},
        {TEXT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xb1"), 16, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xb1"},
        {TEXT("\xc2\x85"), 16, "?"},
        {TEXT("a\xff"), 16, "a\xef\xbf\xbd"},
        {TEXT("\xc3"), 16, "\xef\xbf\xbd"},
        {TEXT("\xed\xa0\x80"), 16, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {TEXT("abc"), 4, "abc"},
        {TEXT("abc"), 3, "ab"},
        {TEXT("abc"), 1, ""},
        {TEXT("a\xc3\xa4"), 3, "a"},
        {TEXT("a\xff"), 4, "a"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[40];
        memset(line, '#', sizeof(line));
        assert_ptr_equal(procstat_line(cases[i].text, cases[i].len, line, cases[i].size), line);
        if (strcmp(line, cases[i].line) != 0 || line[cases[i].size] != '#')
            fail_msg("case %zu: [%s]", i, line);
    }
}

static void control_groups(void **state)
{
    static const struct {
        const char *text, *path; /* NULL: there is none */
    } cases[] = {
        {"0::/\n", "/"},
        {"4:memory:/a\n1:cpu:/b\n0::/user.slice/x y\n", "/user.slice/x y"},
        {"0::/foster-1/web/3 (deleted)\n", "/foster-1/web/3 (deleted)"},
        {"4:memory:/a\n", NULL},
        {"10::/a\n", NULL},
        {"0:cpu:/a\n", NULL},
        {"0::/cut", NULL},
        {"0::/12345678901234567890123456789012345678\n", "/12345678901234567890123456789012345678"},
        {"0::/123456789012345678901234567890123456789\n", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[40] = "before";
        bool ok = procstat_parse_cgroup(cases[i].text, strlen(cases[i].text), path, sizeof(path));
        assert_int_equal(ok, cases[i].path != NULL);
        assert_string_equal(path, ok ? cases[i].path : "before");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_stat),
        cmocka_unit_test(names_of_any_bytes),
        cmocka_unit_test(process_that_is_nearly_gone),
        cmocka_unit_test(refused_stats),
        cmocka_unit_test(cut_stat_is_refused_or_the_same),
        cmocka_unit_test(locks_limit),
        cmocka_unit_test(cut_limits_are_refused_or_the_same),
        cmocka_unit_test(environment),
        cmocka_unit_test(environment_value_must_fit),
        cmocka_unit_test(children),
        cmocka_unit_test(status_lines),
        cmocka_unit_test(control_groups),
        cmocka_unit_test(lines_for_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

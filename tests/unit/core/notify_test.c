/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Reading what services say of themselves: each key, and what is no message at all.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The message in the N bytes at TEXT, which nothing may be read behind. */
static struct notify_message parse(const char *text, size_t n)
{
    struct notify_message m;
    char *exact = malloc(n + (n == 0));
    assert_non_null(exact);
    memcpy(exact, text, n);
    memset(&m, 0xa5, sizeof m);
    notify_parse(exact, n, &m);
    free(exact);
    return m;
}

#define SAYS(text) parse((text), sizeof(text) - 1)

/* M as a text that is the same for equal messages. */
static const char *show(struct notify_message m)
{
    static char text[2048];
    int n = snprintf(text, sizeof text, "%s%s%s%s%s%s%s", m.ready ? "ready " : "", m.reloading ? "reloading " : "",
                     m.stopping ? "stopping " : "", m.watchdog ? "watchdog " : "", m.watchdog_trigger ? "trigger " : "",
                     m.fd_store ? "store " : "", m.fd_remove ? "remove " : "");
    n += snprintf(text + n, sizeof text - (size_t)n, "%s%s", m.fd_poll_off ? "keep " : "", m.barrier ? "barrier " : "");
    if (m.has_monotonic)
        n += snprintf(text + n, sizeof text - (size_t)n, "at=%llu ", (unsigned long long)m.monotonic_us);
    if (m.has_status)
        n += snprintf(text + n, sizeof text - (size_t)n, "status=%s ", m.status);
    if (m.has_errno)
        n += snprintf(text + n, sizeof text - (size_t)n, "errno=%d ", m.errnum);
    if (m.main_pid != 0)
        n += snprintf(text + n, sizeof text - (size_t)n, "main=%d ", (int)m.main_pid);
    if (m.has_watchdog_ms)
        n += snprintf(text + n, sizeof text - (size_t)n, "period=%lld ", (long long)m.watchdog_ms);
    if (m.has_extend_ms)
        n += snprintf(text + n, sizeof text - (size_t)n, "extend=%lld ", (long long)m.extend_ms);
    if (m.fd_name[0] != '\0')
        n += snprintf(text + n, sizeof text - (size_t)n, "name=%s ", m.fd_name);
    if (m.access != NOTIFY_ACCESS_N)
        n += snprintf(text + n, sizeof text - (size_t)n, "access=%d ", (int)m.access);
    text[n > 0 ? n - 1 : 0] = '\0';
    return text;
}

/* ------------------------------------------------------------------ keys */

static void each_key_says_what_it_means(void **state)
{
    (void)state;
    static const struct {
        const char *says, *means;
    } rows[] = {
        {"READY=1", "ready"},
        {"READY=0", ""},
        {"READY=11", ""},
        {"READY=", ""},
        {"RELOADING=1", "reloading"},
        {"MONOTONIC_USEC=8", "at=8"},
        {"MONOTONIC_USEC=18446744073709551615", "at=18446744073709551615"},
        {"MONOTONIC_USEC=x", ""},
        {"STOPPING=1", "stopping"},
        {"STATUS=", "status="},
        {"STATUS=a = b", "status=a = b"},
        {"ERRNO=0", "errno=0"},
        {"ERRNO=2", "errno=2"},
        {"ERRNO=2147483648", ""},
        {"ERRNO=-2", ""},
        {"MAINPID=4711", "main=4711"},
        {"MAINPID=1", ""},
        {"MAINPID=0", ""},
        {"MAINPID=-1", ""},
        {"MAINPID=4294971007", ""},
        {"WATCHDOG=1", "watchdog"},
        {"WATCHDOG=trigger", "trigger"},
        {"WATCHDOG=2", ""},
        {"WATCHDOG_USEC=0", "period=0"},
        {"WATCHDOG_USEC=1", "period=10"},
        {"WATCHDOG_USEC=20000001", "period=20001"},
        {"EXTEND_TIMEOUT_USEC=1", "extend=1"},
        {"EXTEND_TIMEOUT_USEC=5000000", "extend=5000"},
        {"FDSTORE=1", "store"},
        {"FDSTORE=1\nFDNAME=a.b-c", "store name=a.b-c"},
        {"FDSTOREREMOVE=1\nFDNAME=a", "remove name=a"},
        {"FDSTORE=1\nFDPOLL=0", "store keep"},
        {"FDPOLL=1", ""},
        {"FDNAME=a:b", ""},
        {"FDNAME=a b", ""},
        {"FDNAME=\xc3\xa4", ""},
        {"BARRIER=1", "barrier"},
        {"NOTIFYACCESS=all", "access=0"},
        {"NOTIFYACCESS=main", "access=1"},
        {"NOTIFYACCESS=exec", "access=1"},
        {"NOTIFYACCESS=none", "access=2"},
        {"NOTIFYACCESS=some", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *means = show(parse(rows[i].says, strlen(rows[i].says)));
        if (strcmp(means, rows[i].means) != 0)
            fail_msg("%s: %s", rows[i].says, means);
    }
}

static void times_are_cut_to_a_day(void **state)
{
    (void)state;
    assert_int_equal(SAYS("EXTEND_TIMEOUT_USEC=86400000000").extend_ms, NOTIFY_TIME_MAX);
    assert_int_equal(SAYS("EXTEND_TIMEOUT_USEC=86400000001").extend_ms, NOTIFY_TIME_MAX);
    assert_int_equal(SAYS("EXTEND_TIMEOUT_USEC=9223372036854775808").extend_ms, NOTIFY_TIME_MAX);
    assert_int_equal(SAYS("WATCHDOG_USEC=18446744073709551616").watchdog_ms, NOTIFY_TIME_MAX);
    assert_int_equal(SAYS("WATCHDOG_USEC=99999999999999999999999999").watchdog_ms, NOTIFY_TIME_MAX);
    assert_false(SAYS("EXTEND_TIMEOUT_USEC=-1").has_extend_ms);
    assert_false(SAYS("EXTEND_TIMEOUT_USEC= 1").has_extend_ms);
    assert_false(SAYS("EXTEND_TIMEOUT_USEC=99999999999999999999x").has_extend_ms);
    assert_false(SAYS("WATCHDOG_USEC=").has_watchdog_ms);
    assert_false(SAYS("WATCHDOG_USEC=0x10").has_watchdog_ms);
}

/* ------------------------------------------------------------------ lines */

static void lines_need_a_key_that_is_known(void **state)
{
    (void)state;
    assert_string_equal(show(SAYS("")), "");
    assert_string_equal(show(SAYS("\n\n\n")), "");
    assert_string_equal(show(SAYS("READY")), "");
    assert_string_equal(show(SAYS("=1")), "");
    assert_string_equal(show(SAYS("ready=1\n READY=1\nREADY =1\nXREADY=1\nREADYX=1\nX_FOO=READY=1")), "");
    assert_string_equal(show(SAYS("READY\0=1")), "");
    assert_string_equal(show(SAYS("READY=1\0")), "");
    assert_string_equal(show(SAYS("READY=1\r\n")), "");
    assert_string_equal(show(SAYS("NONSENSE\nREADY=1\n\nSTOPPING=1")), "ready stopping");
    assert_string_equal(show(SAYS("READY=1\n")), "ready");
}

static void of_two_the_last_counts(void **state)
{
    (void)state;
    assert_string_equal(show(SAYS("STATUS=long one\nSTATUS=b")), "status=b");
    assert_string_equal(show(SAYS("MAINPID=5\nMAINPID=6")), "main=6");
    assert_string_equal(show(SAYS("MAINPID=5\nMAINPID=no")), "");
    assert_string_equal(show(SAYS("ERRNO=5\nERRNO=7")), "errno=7");
    assert_string_equal(show(SAYS("FDNAME=a\nFDNAME=b")), "name=b");
    assert_string_equal(show(SAYS("NOTIFYACCESS=none\nNOTIFYACCESS=all")), "access=0");
}

/* ------------------------------------------------------------------ texts */

static void a_status_is_text_of_one_line(void **state)
{
    (void)state;
    assert_string_equal(SAYS("STATUS=\xc3\xa4 \xe2\x82\xac").status, "\xc3\xa4 \xe2\x82\xac");
    assert_string_equal(SAYS("STATUS=a\xff\xc3").status, "a??");
    assert_string_equal(SAYS("STATUS=\033[2J\t\177").status, "?[2J??");
    assert_string_equal(SAYS("STATUS=a\0b").status, "a?b");
}

static void a_long_status_is_cut_between_characters(void **state)
{
    (void)state;
    char text[1024] = "STATUS=";
    for (size_t i = strlen(text); i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa4", 3);
    assert_int_equal(strlen(parse(text, strlen(text)).status), NOTIFY_STATUS_MAX);
    memmove(text + 8, text + 7, strlen(text + 7) - 1);
    text[7] = 'x';
    assert_int_equal(strlen(parse(text, strlen(text)).status), NOTIFY_STATUS_MAX - 1);
}

static void a_name_of_a_descriptor_may_have_255_bytes(void **state)
{
    (void)state;
    char text[NOTIFY_FDNAME_MAX + 16] = "FDNAME=";
    memset(text + 7, 'n', NOTIFY_FDNAME_MAX + 1);
    assert_int_equal(strlen(parse(text, 7 + NOTIFY_FDNAME_MAX).fd_name), NOTIFY_FDNAME_MAX);
    assert_string_equal(parse(text, 7 + NOTIFY_FDNAME_MAX + 1).fd_name, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_says_what_it_means),
        cmocka_unit_test(times_are_cut_to_a_day),
        cmocka_unit_test(lines_need_a_key_that_is_known),
        cmocka_unit_test(of_two_the_last_counts),
        cmocka_unit_test(a_status_is_text_of_one_line),
        cmocka_unit_test(a_long_status_is_cut_between_characters),
        cmocka_unit_test(a_name_of_a_descriptor_may_have_255_bytes),
    };
    return cmocka_run_group_tests_name("core/notify", tests, NULL, NULL);
}

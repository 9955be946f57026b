/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Answers to probes, well formed and hostile: each is read at once and byte by byte, from memory that ends where the
 * answer does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/httpline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LITERAL(text) text, sizeof(text) - 1

/* A copy of memory of its own, so that a byte too far is found. */
static char *exactly(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    return copy;
}

static enum httpline_progress parse(const char *text, size_t len, struct httpline *ret)
{
    char *copy = exactly(text, len);
    enum httpline_progress progress = httpline_parse(copy, len, ret);
    free(copy);
    return progress;
}

static void test_answers(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        enum httpline_progress progress;
        int status;
        const char *body;
    } cases[] = {
        {LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"), HTTPLINE_COMPLETE, 200, "yes"},
        {LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nye"), HTTPLINE_BODY, 200, "ye"},
        {LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), HTTPLINE_COMPLETE, 200, ""},
        {LITERAL("HTTP/1.1 200 OK\r\ncontent-length:3 \r\n\r\nyes and more"), HTTPLINE_COMPLETE, 200, "yes and more"},
        {LITERAL("HTTP/1.1 200 OK\r\n\r\nyes"), HTTPLINE_BODY, 200, "yes"},
        {LITERAL("HTTP/1.0 404\r\n\r\n"), HTTPLINE_BODY, 404, ""},
        {LITERAL("HTTP/1.0 503 \n\nno"), HTTPLINE_BODY, 503, "no"},
        {LITERAL("HTTP/1.1 204 No Content\r\n\r\n"), HTTPLINE_COMPLETE, 204, ""},
        {LITERAL("HTTP/1.1 304 \r\nContent-Length: 99\r\n\r\n"), HTTPLINE_COMPLETE, 304, ""},
        {LITERAL("HTTP/1.1 999 \xff\xfe\r\n\r\n"), HTTPLINE_BODY, 999, ""},
        {LITERAL("HTTP/1.1 200 OK\r\n"), HTTPLINE_NO_HEAD, 200, NULL},
        {LITERAL("HTTP/1.1 200 OK\r\nServer: x\r\n"), HTTPLINE_NO_HEAD, 200, NULL},
        {LITERAL("HTTP/1.1 200 OK\r\nServer: x\r\n\r"), HTTPLINE_NO_HEAD, 200, NULL},
        {LITERAL("HTTP/1.1 200 OK\r"), HTTPLINE_NO_STATUS, 0, NULL},
        {LITERAL("HTTP/1.1 200"), HTTPLINE_NO_STATUS, 0, NULL},
        {LITERAL("HTT"), HTTPLINE_NO_STATUS, 0, NULL},
        {LITERAL(""), HTTPLINE_NO_STATUS, 0, NULL},
        /* Interim answers come before the one that counts, but 101 is the last one. */
        {LITERAL("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oh\r\n\r\nx"), HTTPLINE_BODY, 500, "x"},
        {LITERAL("HTTP/1.1 103 \r\nLink: x\r\n\r\nHTTP/1.1 100 \r\n\r\nHTTP/1.1 200 \r\n\r\n"), HTTPLINE_BODY, 200, ""},
        {LITERAL("HTTP/1.1 100 Continue\r\nA: b\r\n"), HTTPLINE_NO_STATUS, 0, NULL},
        {LITERAL("HTTP/1.1 100 Continue\r\n\r\n"), HTTPLINE_NO_STATUS, 0, NULL},
        {LITERAL("HTTP/1.1 100 Continue\r\n\r\nSSH-2.0"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/1.1 101 Switching\r\n\r\n"), HTTPLINE_BODY, 101, ""},
        /* A length that is none is not told. */
        {LITERAL("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc"), HTTPLINE_BODY, 200, "abc"},
        {LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\nabc"), HTTPLINE_BODY, 200, "abc"},
        {LITERAL("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nabc"), HTTPLINE_BODY, 200, "abc"},
        {LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc"), HTTPLINE_BODY, 200, "abc"},
        {LITERAL("HTTP/1.1 200 OK\r\nX-Content-Length: 3\r\n\r\nabc"), HTTPLINE_BODY, 200, "abc"},
        {LITERAL("HTTP/1.1 200 OK\r\nContent-Length 3\r\n\r\nabc"), HTTPLINE_BODY, 200, "abc"},
        /* Chunks win over a length, and end with an empty one. */
        {LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), HTTPLINE_COMPLETE, 200,
         "1\r\na\r\n0\r\n\r\n"},
        {LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 1\r\n\r\n1\r\na"),
         HTTPLINE_BODY, 200, "1\r\na"},
        /* Not HTTP/1. */
        {LITERAL("SSH-2.0-OpenSSH_9.6\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("\r\nHTTP/1.1 200 OK\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/2.0 200 OK\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("http/1.1 200 OK\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/1.1  200 OK\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/1.1 20 OK\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/1.1 2000 OK\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/1.1 200\0OK\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/1.1 -20 OK\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/1.1 020 OK\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/1.1\r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("HTTP/1.1 \r\n\r\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("\n"), HTTPLINE_FOREIGN, 0, NULL},
        {LITERAL("\0"), HTTPLINE_FOREIGN, 0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct httpline h = {0};
        enum httpline_progress progress = parse(cases[i].text, cases[i].len, &h);
        if (progress != cases[i].progress || h.status != cases[i].status)
            fail_msg("case %zu \"%s\": progress %d, status %d", i, cases[i].text, (int)progress, h.status);
        if (cases[i].body != NULL) {
            assert_int_equal(cases[i].len - h.body, strlen(cases[i].body));
            assert_memory_equal(cases[i].text + h.body, cases[i].body, strlen(cases[i].body));
        }
    }
}

/* However the bytes arrive, what is known only grows, and nothing that was known changes. */
static void test_byte_by_byte(void **state)
{
    static const char text[] =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nContent-Length: 4\r\nA: b\r\n\r\nbody";
    enum httpline_progress last = HTTPLINE_NO_STATUS;
    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        struct httpline h = {0};
        enum httpline_progress progress = parse(text, len, &h);
        assert_true(progress >= last && progress != HTTPLINE_FOREIGN);
        if (progress > HTTPLINE_NO_STATUS)
            assert_int_equal(h.status, 302);
        if (progress >= HTTPLINE_BODY)
            assert_int_equal(h.body, sizeof text - 1 - 4);
        last = progress;
    }
    assert_int_equal(last, HTTPLINE_COMPLETE);
}

static void test_foreigners_are_known_at_once(void **state)
{
    struct httpline h;
    (void)state;
    assert_int_equal(parse(LITERAL("S"), &h), HTTPLINE_FOREIGN);
    assert_int_equal(parse(LITERAL("HTTP/1.1 2x"), &h), HTTPLINE_FOREIGN);
    assert_int_equal(parse(LITERAL("HTTP/1.1 200x"), &h), HTTPLINE_FOREIGN);
}

static void test_a_head_without_end(void **state)
{
    static char text[1 << 16] = "HTTP/1.1 200 ";
    struct httpline h = {0};
    (void)state;
    memset(text + strlen(text), 'a', sizeof text - strlen(text));
    assert_int_equal(parse(text, sizeof text, &h), HTTPLINE_NO_STATUS);
    memcpy(text + 15, "\r\n", 2);
    assert_int_equal(parse(text, sizeof text, &h), HTTPLINE_NO_HEAD);
    assert_int_equal(h.status, 200);
    for (size_t i = 17; i < sizeof text; i += 3)
        text[i] = '\n';
    assert_int_equal(parse(text, sizeof text, &h), HTTPLINE_BODY);
}

static void test_unchunk(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *left;
    } cases[] = {
        {LITERAL("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), "hello world"},
        {LITERAL("5;name=\"a b\"\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"), "hello"},
        {LITERAL("A\r\n0123456789\r\n0a\r\n0123456789\r\n"), "01234567890123456789"},
        {LITERAL("5\nhello\n0\n\n"), "hello"},
        {LITERAL("5\r\nhel"), "hel"},
        {LITERAL("5\r\nhello"), "hello"},
        {LITERAL("5\r\nhello\r"), "hello"},
        {LITERAL("5\r\nhelloXX\r\n5\r\nagain\r\n"), "hello"},
        {LITERAL("ffffffff\r\nall"), "all"},
        {LITERAL("fffffffff\r\nall"), ""},
        {LITERAL("-1\r\nall"), ""},
        {LITERAL("\r\nall"), ""},
        {LITERAL("x\r\nall"), ""},
        {LITERAL("1g\r\nall"), ""},
        {LITERAL("\x10\r\nall"), ""},
        {LITERAL("\xb1\r\nall"), ""},
        {LITERAL("5"), ""},
        {LITERAL(""), ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *copy = exactly(cases[i].text, cases[i].len);
        size_t n = httpline_unchunk(copy, cases[i].len);
        if (n != strlen(cases[i].left) || memcmp(copy, cases[i].left, n) != 0)
            fail_msg("case %zu: %.*s", i, (int)n, copy);
        free(copy);
    }
}

static void test_requests(void **state)
{
    struct spec_endpoint e = {.text = "x", .host = "127.0.0.1", .port = 8080, .path = "/healthz?full=1"};
    static const char want[] = "GET /healthz?full=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: foster/1.2\r\n"
                               "Accept: */*\r\nConnection: close\r\n\r\n";
    char buf[256];
    (void)state;
    assert_int_equal(httpline_request(&e, "1.2", buf, sizeof buf), sizeof want - 1);
    assert_string_equal(buf, want);
    assert_int_equal(httpline_request(&e, "1.2", buf, sizeof want), sizeof want - 1);
    assert_int_equal(httpline_request(&e, "1.2", buf, sizeof want - 1), 0);
    e.host = "::1";
    e.path = NULL;
    assert_true(httpline_request(&e, "1.2", buf, sizeof buf) > 0);
    assert_non_null(strstr(buf, "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_foreigners_are_known_at_once),
        cmocka_unit_test(test_a_head_without_end),
        cmocka_unit_test(test_unchunk),
        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests_name("httpline", tests, NULL, NULL);
}

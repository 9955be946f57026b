/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Lines out of bytes, however they are cut, and what is too long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/proto.h"

#include "support/seed.h"

#include <stdlib.h>
#include <string.h>

/* Takes all lines into OUT, each with a "|" behind. */
static void take_lines(struct proto_reader *r, struct buf *out)
{
    const char *line;
    size_t len;

    while (proto_line(r, &line, &len)) {
        assert_true(buf_add(out, line, len));
        assert_true(buf_putc(out, '|'));
    }
}

static void lines_come_out_however_they_were_cut(void **state)
{
    static const char text[] = "one\n\ntwo\r\n\r\n\rthree\r\r\n{\"a\":\"b\"}\nlast";
    static const char want[] = "one||two||\rthree\r|{\"a\":\"b\"}|";
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < 500; round++) {
        struct proto_reader r;
        struct buf out;
        struct err e = {0};

        proto_reader_init(&r);
        buf_init(&out, 1000);
        assert_false(proto_is_within_line(&r));
        for (size_t at = 0; at < sizeof text - 1;) {
            size_t n = 1 + test_rand_below(&seed, sizeof text - 1 - at);
            assert_true(proto_feed(&r, text + at, n, &e));
            at += n;
            assert_int_equal(proto_is_within_line(&r), text[at - 1] != '\n');
            if (test_rand_below(&seed, 3) > 0)
                take_lines(&r, &out);
        }
        take_lines(&r, &out);
        assert_string_equal(buf_str(&out), want);
        assert_true(proto_is_within_line(&r));
        buf_done(&out);
        proto_reader_done(&r);
    }
}

static void a_line_with_a_nul_is_a_line(void **state)
{
    struct proto_reader r;
    struct err e = {0};
    const char *line;
    size_t len;

    (void)state;
    proto_reader_init(&r);
    assert_true(proto_feed(&r, "a\0b\nc", 5, &e));
    assert_true(proto_line(&r, &line, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(line, "a\0b", 3);
    assert_false(proto_line(&r, &line, &len));
    proto_reader_done(&r);
}

/* Feeds COUNT bytes C in chunks of CHUNK, until that is refused. */
static bool feed_many(struct proto_reader *r, char c, size_t count, size_t chunk, struct err *e)
{
    static char bytes[PROTO_LINE_MAX];

    memset(bytes, c, sizeof bytes);
    for (; count > 0; count -= chunk) {
        chunk = chunk < count ? chunk : count;
        if (!proto_feed(r, bytes, chunk, e))
            return false;
    }
    return true;
}

static void the_longest_line_is_taken_and_a_longer_one_ends_it(void **state)
{
    static const size_t chunks[] = {1, 7, 4096, PROTO_LINE_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        struct proto_reader r;
        struct err e = {0};
        const char *line;
        size_t len;

        proto_reader_init(&r);
        assert_true(feed_many(&r, 'a', PROTO_LINE_MAX, chunks[i], &e));
        assert_true(proto_feed(&r, "\nsecond\nx", 9, &e));
        assert_true(proto_line(&r, &line, &len));
        assert_int_equal(len, PROTO_LINE_MAX);
        assert_int_equal(line[0], 'a');
        assert_int_equal(line[len - 1], 'a');
        assert_true(feed_many(&r, 'a', PROTO_LINE_MAX - 1, chunks[i], &e));
        assert_false(proto_feed(&r, "a\nthird\n", 8, &e));
        assert_int_equal(e.kind, ERR_LIMIT);
        assert_string_equal(e.text, "a line of more than 65536 bytes; send shorter ones");
        /* What was whole before is there, and nothing comes any more. */
        err_clear(&e);
        assert_false(proto_feed(&r, "fourth\n", 7, &e));
        assert_int_equal(e.kind, ERR_LIMIT);
        assert_true(proto_line(&r, &line, &len));
        assert_int_equal(len, 6);
        assert_memory_equal(line, "second", 6);
        assert_false(proto_line(&r, &line, &len));
        proto_reader_done(&r);
    }
}

/* A line that is too long within one chunk, with its end and with lines around it. */
static void a_long_line_within_a_chunk_is_seen(void **state)
{
    const size_t size = PROTO_LINE_MAX + 100;
    char *chunk = malloc(size);
    struct proto_reader r;
    struct err e = {0};
    struct buf out;

    (void)state;
    assert_non_null(chunk);
    memset(chunk, 'a', size);
    memcpy(chunk, "1\n2\n", 4);
    memcpy(chunk + size - 5, "\n3\n4\n", 5);
    proto_reader_init(&r);
    buf_init(&out, 100);
    assert_false(proto_feed(&r, chunk, size, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    take_lines(&r, &out);
    assert_string_equal(buf_str(&out), "1|2|");
    buf_done(&out);
    proto_reader_done(&r);
    free(chunk);
}

static void lines_that_nobody_takes_are_limited(void **state)
{
    struct proto_reader r;
    struct err e = {0};
    struct buf out;

    (void)state;
    proto_reader_init(&r);
    buf_init(&out, 1 << 20);
    assert_false(feed_many(&r, '\n', 5 * PROTO_LINE_MAX, 4096, &e));
    assert_int_equal(e.kind, ERR_NOMEM);
    take_lines(&r, &out);
    assert_int_equal(out.len, 4 * PROTO_LINE_MAX);
    assert_false(proto_feed(&r, "a\n", 2, &e));
    buf_done(&out);
    proto_reader_done(&r);
}

/* Were the rest moved for each line, this would be 64 GB of moving. */
static void a_flood_of_small_lines_behind_a_backlog_is_no_work(void **state)
{
    struct proto_reader r;
    struct err e = {0};
    const char *line;
    size_t len;

    (void)state;
    proto_reader_init(&r);
    assert_true(feed_many(&r, '\n', PROTO_LINE_MAX, 4096, &e));
    for (int i = 0; i < 1 << 20; i++) {
        assert_true(proto_feed(&r, "\n", 1, &e));
        assert_true(proto_line(&r, &line, &len));
    }
    proto_reader_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_out_however_they_were_cut),
        cmocka_unit_test(a_line_with_a_nul_is_a_line),
        cmocka_unit_test(the_longest_line_is_taken_and_a_longer_one_ends_it),
        cmocka_unit_test(a_long_line_within_a_chunk_is_seen),
        cmocka_unit_test(lines_that_nobody_takes_are_limited),
        cmocka_unit_test(a_flood_of_small_lines_behind_a_backlog_is_no_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

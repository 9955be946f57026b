/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A logger that finds what another one was in the middle of writing to a file: each place where that can have been
 * killed, one by one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/logger/file_kit.h"

enum { FIRST = 4, SECOND = 4, STAMPED = LOGLINE_STAMP_LEN + 1 };

static const char all[] = "one\ntwo\nthree\n", formatted[] = "some time two\n";

/* What the dead logger has left. The first line was in the file, the second was on its way. */
struct left {
    bool raw;
    size_t in_file; /* of what was on its way */
    bool applied;   /* the ring knew already */
    bool moved;     /* the file is not the one any more */
};

static void write_file(const struct left *left)
{
    FILE *f = fopen(here.path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(all, 1, FIRST, f), FIRST);
    assert_int_equal(fwrite(left->raw ? all + FIRST : formatted, 1, left->in_file, f), left->in_file);
    assert_int_equal(fclose(f), 0);
}

static void leave(struct rig_stream *s, const struct left *left)
{
    struct shared_batch *b = &rig.shared->file;
    struct stat st;
    logring_claim(&s->ring, strlen(all));
    memcpy(logring_at(&s->ring, 0), all, strlen(all));
    logring_commit(&s->ring, strlen(all), 1);
    s->ring.head->moved = strlen(all);
    logring_release(&s->ring, left->applied ? FIRST + SECOND : FIRST);
    write_file(left);
    assert_int_equal(stat(here.path, &st), 0);
    b->n_parts = 1;
    b->raw = left->raw;
    b->len = (uint32_t)(left->raw ? SECOND : strlen(formatted));
    b->file_size = FIRST;
    b->file_dev = st.st_dev;
    b->file_ino = left->moved ? st.st_ino + 1 : st.st_ino;
    b->parts[0] = (struct shared_part){.stream = s->d.id, .sent = FIRST + SECOND};
    memcpy(b->data, formatted, strlen(formatted));
    b->active = 1;
}

/* What is in the file when another logger has come and gone. */
static const char *after(const struct left *left, bool timestamps)
{
    struct spec_log log = to_file();
    log.timestamps = timestamps;
    leave(rig_add(&rig, "web", &log, RING), left);
    rig_start(&rig);
    rig_finish(&rig);
    read_all();
    return here.data;
}

static void test_bytes_of_which_none_are_there(void **state)
{
    (void)state;
    assert_string_equal(after(&(struct left){.raw = true}, false), all);
}

static void test_bytes_of_which_some_are_there(void **state)
{
    (void)state;
    assert_string_equal(after(&(struct left){.raw = true, .in_file = 3}, false), all);
}

static void test_bytes_of_which_all_are_there(void **state)
{
    (void)state;
    assert_string_equal(after(&(struct left){.raw = true, .in_file = SECOND}, false), all);
}

static void test_bytes_that_the_ring_knows_of(void **state)
{
    (void)state;
    assert_string_equal(after(&(struct left){.raw = true, .in_file = SECOND, .applied = true}, false), all);
}

static void test_another_file(void **state)
{
    (void)state;
    assert_string_equal(after(&(struct left){.raw = true, .in_file = SECOND, .moved = true}, false),
                        "one\ntwo\ntwo\nthree\n");
}

static void test_lines_of_which_none_are_there(void **state)
{
    (void)state;
    const char *text = after(&(struct left){0}, true) + FIRST;
    assert_int_equal(strlen(text), STAMPED + strlen("two\n") + STAMPED + strlen("three\n"));
    assert_memory_equal(text + STAMPED, "two\n", 4);
    assert_string_equal(text + STAMPED + 4 + STAMPED, "three\n");
}

static void test_lines_of_which_some_are_there(void **state)
{
    (void)state;
    const char *text = after(&(struct left){.in_file = strlen(formatted) - 2}, true) + FIRST;
    assert_int_equal(strlen(text), STAMPED + strlen("two\n") + STAMPED + strlen("three\n"));
    assert_memory_equal(text + STAMPED, "two\n", 4);
}

static void test_lines_of_which_all_are_there(void **state)
{
    (void)state;
    const char *text = after(&(struct left){.in_file = strlen(formatted)}, true) + FIRST;
    assert_memory_equal(text, formatted, strlen(formatted));
    assert_string_equal(text + strlen(formatted) + STAMPED, "three\n");
}

static void test_lines_that_the_ring_knows_of(void **state)
{
    (void)state;
    const char *text = after(&(struct left){.in_file = strlen(formatted), .applied = true}, true) + FIRST;
    assert_memory_equal(text, formatted, strlen(formatted));
    assert_string_equal(text + strlen(formatted) + STAMPED, "three\n");
}

/* The stream has gone, or goes elsewhere now: nothing is known, and nothing is touched. */
static void test_a_stream_that_is_not_there(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    leave(s, &(struct left){.raw = true, .in_file = 2});
    rig.shared->file.parts[0].stream = s->d.id + 1;
    rig_start(&rig);
    rig_finish(&rig);
    read_all();
    assert_string_equal(here.data, "one\ntwtwo\nthree\n");
    assert_int_equal(rig.shared->file.active, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_of_which_none_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_of_which_some_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_of_which_all_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_that_the_ring_knows_of, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_of_which_none_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_of_which_some_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_of_which_all_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_that_the_ring_knows_of, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_stream_that_is_not_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

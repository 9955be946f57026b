/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Lines that go to files: what is in them, how they are rotated, what may be in the way, and that the logger may be
 * killed at any moment.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/logger/file_kit.h"

#include "support/seed.h"

enum { LINES = 12000, LINES_THOROUGH = 200000, BYTES_A_KILL = 40000 };

static void test_bytes_as_they_are(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    static const char binary[] = "no end\0\xff\n\r\n\n beginning";
    rig_start(&rig);
    assert_int_equal(write(s->write_fd, binary, sizeof binary), sizeof binary);
    rig_finish(&rig);
    read_all();
    assert_int_equal(here.len, sizeof binary);
    assert_memory_equal(here.data, binary, sizeof binary);
    struct stat st;
    assert_int_equal(stat(here.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void test_times_and_json(void **state)
{
    (void)state;
    char json_path[128], line[512];
    snprintf(json_path, sizeof json_path, "%s/json", here.dir);
    struct spec_log log = to_file(), json = to_file();
    log.timestamps = true;
    json.path = json_path;
    json.format = SPEC_LOG_JSON;
    struct rig_stream *a = rig_add(&rig, "web", &log, RING), *b = rig_add(&rig, "b", &json, RING);
    rig_start(&rig);
    say(a, "one\ntw");
    rig_sync(&rig, a);
    say(a, "o\n");
    say(b, "\"quoted\" \xff\n");
    rig_finish(&rig);
    read_all();
    char *second = strchr(here.data, '\n') + 1;
    assert_int_equal(strlen(here.data), 2 * (LOGLINE_STAMP_LEN + 1) + strlen("one\ntwo\n"));
    assert_memory_equal(here.data + LOGLINE_STAMP_LEN, " one\n", 5);
    assert_string_equal(second + LOGLINE_STAMP_LEN, " two\n");
    assert_true(here.data[10] == 'T' && here.data[LOGLINE_STAMP_LEN - 1] == 'Z');
    FILE *f = fopen(json_path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    fclose(f);
    assert_memory_equal(line, "{\"time\":\"20", 11);
    assert_non_null(
        strstr(line, "\"service\":\"b\",\"stream\":\"stdout\",\"message\":\"\\\"quoted\\\" \xef\xbf\xbd\"}\n"));
}

/* What a run, or another format, has left without an end is no beginning of a line with a time, or of an object. */
static void test_lines_of_their_own(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    log.timestamps = true;
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    say(s, "last words");
    rig_sync(&rig, s);
    logring_begin_run(&s->ring, s->ring.head->end);
    say(s, "first words\nbegin");
    rig_sync(&rig, s);
    s->log.format = SPEC_LOG_JSON;
    const struct message m = {.kind = MESSAGE_SET, .id = s->d.id, .stream = s->d, .fds = {-1, -1}};
    rig_send(&rig, &m);
    say(s, "ning\n");
    rig_finish(&rig);
    read_all();
    static const char *const lines[] = {"last words", "first words", "begin"};
    char *at = here.data;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        size_t len = strlen(lines[i]);
        assert_memory_equal(at + LOGLINE_STAMP_LEN + 1, lines[i], len);
        at += LOGLINE_STAMP_LEN + 1 + len;
        assert_int_equal(*at++, '\n');
    }
    assert_int_equal(*at, '{');
    assert_non_null(strstr(at, "\"ning\"}\n"));
}

static void write_random_lines(const struct rig_stream *s, uint64_t *seed, size_t total, char *all)
{
    for (size_t len = 0; len < total;) {
        size_t n = test_rand_below(seed, 3000) + 1;
        n = n < total - len ? n : total - len;
        for (size_t i = 0; i < n; i++)
            all[len + i] = test_rand_below(seed, 60) == 0 ? '\n' : (char)('a' + test_rand_below(seed, 26));
        assert_int_equal(write(s->write_fd, all + len, n), n);
        len += n;
        if (test_rand_below(seed, 4) == 0)
            rig_sync(&rig, s);
    }
}

/* Whatever the portions: all files together are what was written, and each but the last ends with a line. */
static void test_rotation_between_lines(void **state)
{
    (void)state;
    enum { TOTAL = 400000, MAX = 16384 };
    static char all[TOTAL];
    uint64_t seed = test_seed();
    struct spec_log log = to_file();
    log.max_size = MAX;
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    write_random_lines(s, &seed, TOTAL, all);
    rig_finish(&rig);
    read_all();
    assert_int_equal(here.len, TOTAL);
    assert_memory_equal(here.data, all, TOTAL);
    assert_true(here.n_files > TOTAL / MAX);
    int fd = open(here.dir, O_RDONLY | O_DIRECTORY);
    struct logfile_list l;
    assert_int_equal(logfile_list(fd, "web.log", false, &l), 0);
    for (size_t i = 0; i < l.n; i++) {
        struct stat st;
        char end;
        int file = openat(fd, l.names[i], O_RDONLY);
        assert_int_equal(fstat(file, &st), 0);
        assert_true(st.st_size <= MAX + 3000 && pread(file, &end, 1, st.st_size - 1) == 1 && end == '\n');
        close(file);
    }
    logfile_list_done(&l);
    close(fd);
}

static void test_old_files_go(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    log.max_size = 4096;
    log.max_file = 3;
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    for (int i = 0; i < 1000; i++) {
        char line[128];
        snprintf(line, sizeof line, "%0100d\n", i);
        say(s, line);
        if (i % 50 == 0)
            rig_sync(&rig, s);
    }
    rig_finish(&rig);
    read_all();
    assert_int_equal(here.n_files, 3);
    /* What is left is the end, in one piece. */
    int first = (int)strtol(here.data, NULL, 10);
    assert_int_equal(here.len, (size_t)(1000 - first) * 101);
    assert_true(first > 800);
}

static void test_compression(void **state)
{
    (void)state;
    static char all[100000];
    if (access("/bin/gzip", X_OK) != 0 && access("/usr/bin/gzip", X_OK) != 0) {
        print_message("SKIP: no gzip\n");
        skip();
    }
    uint64_t seed = test_seed();
    struct spec_log log = to_file();
    log.max_size = 30000;
    log.compress = true;
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    write_random_lines(s, &seed, sizeof all, all);
    rig_sync(&rig, s);
    /* gzip works beside us: it is done when nothing is left that has no ".gz". */
    for (bool is_done = false; !is_done;) {
        struct logfile_list l;
        int fd = open(here.dir, O_RDONLY | O_DIRECTORY);
        assert_int_equal(logfile_list(fd, "web.log", false, &l), 0);
        is_done = l.n > 0;
        for (size_t i = 0; i < l.n; i++)
            is_done = is_done && rotated_is_compressed(l.names[i]);
        logfile_list_done(&l);
        close(fd);
        rig_sync(&rig, s);
    }
    rig_finish(&rig);
    read_all();
    assert_int_equal(here.len, sizeof all);
    assert_memory_equal(here.data, all, sizeof all);
}

/* Moved, removed, emptied by others. The logger looks once a second; a new one looks at once. */
static void test_what_others_do_to_it(void **state)
{
    (void)state;
    char moved[128];
    snprintf(moved, sizeof moved, "%s/moved", here.dir);
    struct spec_log log = to_file();
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    const struct message reopen = {.kind = MESSAGE_SET, .id = s->d.id, .stream = s->d, .fds = {-1, -1}};
    rig_start(&rig);
    say(s, "one\n");
    rig_sync(&rig, s);
    assert_int_equal(rename(here.path, moved), 0);
    rig_send(&rig, &reopen);
    say(s, "two\n");
    rig_sync(&rig, s);
    read_all();
    assert_string_equal(here.data, "two\n");
    assert_int_equal(truncate(here.path, 0), 0);
    say(s, "three\n");
    rig_sync(&rig, s);
    read_all();
    assert_string_equal(here.data, "three\n");
    rig_finish(&rig);
}

/* A file is removed, the directory of another one is moved: that is noticed without a word, within a second of writing,
 * and lines go where the names lead. */
static void test_what_others_do_unasked(void **state)
{
    (void)state;
    char dir[96], path[128], moved[128], in_moved[160];
    struct spec_log log = to_file(), other = to_file();
    struct stat st;
    off_t n = 0;
    snprintf(dir, sizeof dir, "%s/dir", here.dir);
    snprintf(path, sizeof path, "%s/log", dir);
    snprintf(moved, sizeof moved, "%s/moved", here.dir);
    snprintf(in_moved, sizeof in_moved, "%s/log", moved);
    other.path = path;
    struct rig_stream *s = rig_add(&rig, "web", &log, RING), *t = rig_add(&rig, "other", &other, RING);
    rig_start(&rig);
    say(t, "one\n");
    rig_sync(&rig, t);
    assert_int_equal(unlink(here.path), 0);
    assert_int_equal(rename(dir, moved), 0);
    do {
        say(s, "more\n");
        say(t, "two\n");
        rig_sync(&rig, s);
        rig_sync(&rig, t);
        n++;
    } while (stat(here.path, &st) != 0 || st.st_size == 0 || stat(path, &st) != 0);
    off_t size = st.st_size;
    assert_int_equal(stat(in_moved, &st), 0);
    assert_int_equal(size + st.st_size, 4 + 4 * n);
    rig_finish(&rig);
    assert_true(unlink(path) == 0 && rmdir(dir) == 0 && unlink(in_moved) == 0 && rmdir(moved) == 0);
}

static void test_what_is_in_its_way(void **state)
{
    (void)state;
    char other[128];
    snprintf(other, sizeof other, "%s/other", here.dir);
    struct spec_log log = to_file();
    assert_int_equal(symlink(other, here.path), 0);
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    struct message *m = rig_await(&rig, MESSAGE_SAY);
    assert_int_equal(m->level, LOG_LEVEL_WARN);
    assert_non_null(strstr(m->text, here.path));
    assert_non_null(strstr(m->text, "it is a symbolic link; a log file is a regular file"));
    assert_int_equal(access(other, F_OK), -1);
    say(s, "kept\n");
    rig_sync(&rig, s);
    assert_int_equal(s->ring.head->trouble, LOGRING_FAILING);
    assert_int_equal(unlink(here.path), 0);
    m = rig_await(&rig, MESSAGE_SAY);
    assert_non_null(strstr(m->text, "works again; nothing was lost"));
    rig_finish(&rig);
    read_all();
    assert_string_equal(here.data, "kept\n");
}

/* As in a full file system: nothing more goes in. What the ring cannot hold is dropped, and the file tells of it. */
static void test_no_space(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    struct rig_stream *s = rig_add(&rig, "web", &log, 4096);
    char blocker[128];
    snprintf(blocker, sizeof blocker, "%s/web.log", here.dir);
    assert_int_equal(mkdir(blocker, 0700), 0);
    rig_start(&rig);
    for (int i = 0; i < 1000; i++) {
        char line[64];
        snprintf(line, sizeof line, "%029d\n", i);
        say(s, line);
        if (i % 50 == 49)
            rig_sync(&rig, s);
    }
    assert_true(s->ring.head->lost_bytes > 20000);
    assert_int_equal(s->ring.head->lost_bytes, s->ring.head->lost_lines * 30);
    assert_int_equal(rmdir(blocker), 0);
    while (rig_await(&rig, MESSAGE_SAY)->level != LOG_LEVEL_WARN || strstr(rig.in.m.text, "works again") == NULL) {
        /* That it fails. */
    }
    rig_finish(&rig);
    read_all();
    char wanted[128];
    size_t lost = s->ring.head->lost_lines;
    int n = snprintf(wanted, sizeof wanted, "[foster: %zu lines (%zu bytes) were dropped here]\n%029zu\n", lost,
                     lost * 30, lost);
    assert_memory_equal(here.data, wanted, (size_t)n);
    assert_int_equal(here.len, (size_t)n + (1000 - lost - 1) * 30U);
}

/* The stream ends as soon as there is room again, before it is time to try. */
static void test_space_at_the_end(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    assert_int_equal(mkdir(here.path, 0700), 0);
    rig_start(&rig);
    say(s, "last\n");
    rig_await_say(&rig, "it is a directory");
    assert_int_equal(rmdir(here.path), 0);
    rig_finish(&rig);
    read_all();
    assert_string_equal(here.data, "last\n");
    assert_int_equal(s->ring.head->lost_bytes, 0);
}

static size_t numbered_line(char *line, size_t size, size_t i)
{
    return (size_t)snprintf(line, size, "%zu %.*s", i, (int)(i % 40), "abcdefghijklmnopqrstuvwxyzabcdefghijklmn");
}

static void write_when_it_can(int fd, const char *data, size_t len)
{
    while (len > 0) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        assert_int_equal(poll(&p, 1, RIG_GUARD_MS), 1);
        ssize_t n = write(fd, data, len);
        assert_true(n > 0 || errno == EAGAIN);
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static void killed_at_any_moment(const struct spec_log *log, size_t prefix)
{
    const size_t n_lines = getenv("FOSTER_TEST_THOROUGH") != NULL ? LINES_THOROUGH : LINES;
    uint64_t seed = test_seed();
    struct rig_stream *s = rig_add(&rig, "web", log, RING);
    size_t total = 0, next = 0;
    assert_int_equal(fcntl(s->write_fd, F_SETFL, O_NONBLOCK), 0);
    rig_start(&rig);
    for (size_t i = 0; i < n_lines; i++) {
        char line[64];
        size_t len = numbered_line(line, sizeof line, i);
        line[len++] = '\n';
        write_when_it_can(s->write_fd, line, len);
        total += len;
        if (total < next)
            continue;
        rig_kill(&rig);
        rig_start(&rig);
        next = total + test_rand_below(&seed, BYTES_A_KILL);
    }
    rig_finish(&rig);
    read_all();
    size_t i = 0;
    char *at = here.data;
    for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1, i++) {
        char line[64];
        size_t len = numbered_line(line, sizeof line, i);
        *end = '\0';
        assert_true((size_t)(end - at) >= prefix + len);
        at += prefix;
        if (log->format == SPEC_LOG_JSON)
            assert_non_null(strstr(at, line));
        else
            assert_string_equal(at, line);
    }
    assert_int_equal(i, n_lines);
    assert_int_equal(*at, '\0');
}

static void test_killed_raw(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    log.max_size = 100000;
    killed_at_any_moment(&log, 0);
}

static void test_killed_with_times(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    log.max_size = 100000;
    log.timestamps = true;
    killed_at_any_moment(&log, LOGLINE_STAMP_LEN + 1);
}

static void test_killed_json(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    log.format = SPEC_LOG_JSON;
    killed_at_any_moment(&log, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times_and_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_of_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_between_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_files_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compression, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_others_do_to_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_others_do_unasked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_in_its_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_space, setup, teardown),
        cmocka_unit_test_setup_teardown(test_space_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_raw, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_with_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_json, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

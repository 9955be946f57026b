/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Files that are full, old, on a full disk, or to be compressed, when something goes wrong with that.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/logger/file_kit.h"

#include <sys/resource.h>

enum { LINE = 30, SHORT_RING = 4096, LONG_NAME = 235, GAP_MAX = 160, LOWEST_PRIORITY = 19 };

/* What PATH was. */
static char *saved_path;

static int setup_path(void **state)
{
    saved_path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "/usr/bin:/bin");
    assert_non_null(saved_path);
    return setup(state);
}

static int teardown_path(void **state)
{
    assert_int_equal(setenv("PATH", saved_path, 1), 0);
    free(saved_path);
    return teardown(state);
}

/* Says the lines from FROM to TO, LINE bytes each. */
static void say_lines(const struct rig_stream *s, int from, int to)
{
    for (int i = from; i < to; i++) {
        char line[LINE + 1];
        snprintf(line, sizeof line, "%0*d\n", LINE - 1, i);
        say(s, line);
        if (i % 50 == 49)
            rig_sync(&rig, s);
    }
    rig_sync(&rig, s);
}

static bool is_there(const char *name)
{
    int fd = open(here.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is = faccessat(fd, name, F_OK, 0) == 0;
    close(fd);
    return is;
}

/* A name to which nothing can be added: the file grows on, and that is said once. */
static void rotation_that_fails(bool timestamps)
{
    char path[NAME_MAX_HERE + 64], name[NAME_MAX_HERE] = "";
    struct spec_log log = to_file();
    struct stat st;
    memset(name, 'a', LONG_NAME);
    snprintf(path, sizeof path, "%s/%s", here.dir, name);
    log.path = path;
    log.max_size = 4096;
    log.timestamps = timestamps;
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    for (int i = 0; i < 500; i++)
        say(s, "012345678901234567890123456789\n");
    assert_int_equal(rig_sync_and_count(&rig, s, "cannot be rotated: File name too long"), 1);
    for (int i = 0; i < 500; i++)
        say(s, "012345678901234567890123456789\n");
    assert_int_equal(rig_sync_and_count(&rig, s, "cannot be rotated"), 0);
    assert_int_equal(s->ring.head->trouble, LOGRING_FLOWS);
    rig_finish(&rig);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 1000 * (31 + (timestamps ? LOGLINE_STAMP_LEN + 1 : 0)));
}

static void test_rotation_that_fails(void **state)
{
    (void)state;
    rotation_that_fails(false);
}

static void test_rotation_that_fails_between_lines(void **state)
{
    (void)state;
    rotation_that_fails(true);
}

static void test_a_line_larger_than_a_file(void **state)
{
    (void)state;
    static char line[20001];
    struct spec_log log = to_file();
    log.max_size = 4096;
    memset(line, 'x', sizeof line - 1);
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    say(s, "short\n");
    say(s, line);
    rig_sync(&rig, s);
    say(s, "end\nnext\nnext\n");
    rig_finish(&rig);
    read_all();
    assert_int_equal(here.n_files, 3);
    assert_int_equal(here.len, strlen("short\n") + sizeof line - 1 + strlen("end\nnext\nnext\n"));
    struct stat st;
    assert_int_equal(stat(here.path, &st), 0);
    assert_int_equal(st.st_size, strlen("next\nnext\n"));
}

static off_t size_of(const char *name)
{
    char path[NAME_MAX_HERE + 64];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", here.dir, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* How many files there are; none is larger than MAX. */
static size_t check_sizes(off_t max)
{
    struct logfile_list l;
    int fd = open(here.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(logfile_list(fd, "web.log", false, &l), 0);
    close(fd);
    for (size_t i = 0; i < l.n; i++)
        assert_in_range(size_of(l.names[i]), 1, max);
    assert_in_range(size_of("web.log"), 0, max);
    size_t n = l.n + 1;
    logfile_list_done(&l);
    return n;
}

/* A line that has begun ends in the same file, if it does so within what a piece of a line is elsewhere. */
static void test_a_line_that_does_not_fit(void **state)
{
    (void)state;
    enum { MAX = 4096, BEGUN = 4000 };
    static char rest[LOGLINE_MAX + MAX - BEGUN + 1];
    struct spec_log log = to_file();
    log.max_size = MAX;
    memset(rest, 'x', sizeof rest - 1);
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    for (int i = 0; i < BEGUN / 10; i++)
        say(s, i < BEGUN / 10 - 1 ? "012345678\n" : "012345678+");
    rig_sync(&rig, s);
    rest[sizeof rest - 2] = '\n';
    say(s, rest);
    say(s, "next\n");
    rig_sync(&rig, s);
    assert_int_equal(check_sizes(MAX + LOGLINE_MAX), 2);
    assert_int_equal(size_of("web.log"), strlen("next\n"));
    rig_finish(&rig);
    read_all();
    assert_int_equal(here.len, BEGUN + sizeof rest - 1 + strlen("next\n"));
}

/* Who writes without newlines does not fill the disk: files are rotated all the same, and hold every byte. */
static void line_without_end(const struct spec_log *log, size_t prefix)
{
    enum { PORTION = 1000, N = 200 };
    static char text[PORTION + 1];
    struct rig_stream *s = rig_add(&rig, "web", log, RING);
    memset(text, 'x', PORTION);
    rig_start(&rig);
    for (int i = 0; i < N; i++) {
        say(s, text);
        if (i % 8 == 0)
            rig_sync(&rig, s);
    }
    rig_sync(&rig, s);
    size_t n = check_sizes((off_t)log->max_size + LOGLINE_MAX);
    assert_true(n >= PORTION * N / ((size_t)log->max_size + LOGLINE_MAX));
    say(s, "\nnext\n");
    rig_finish(&rig);
    read_all();
    assert_int_equal(here.len, prefix + PORTION * N + 1 + prefix + strlen("next\n"));
    assert_int_equal(strspn(here.data + prefix, "x"), PORTION * N);
}

static void test_a_line_without_end(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    log.max_size = 20000;
    line_without_end(&log, 0);
}

static void test_a_line_without_end_and_times(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    log.max_size = 20000;
    log.timestamps = true;
    line_without_end(&log, LOGLINE_STAMP_LEN + 1);
}

static void test_age(void **state)
{
    (void)state;
    char other_path[128];
    struct spec_log log = to_file(), other = to_file();
    snprintf(other_path, sizeof other_path, "%s/other", here.dir);
    other.path = other_path;
    log.max_age_ms = other.max_age_ms = 1;
    struct rig_stream *a = rig_add(&rig, "web", &log, RING), *b = rig_add(&rig, "b", &other, RING);
    int fd = open(here.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rig_start(&rig);
    say(a, "begin");
    rig_sync(&rig, a);
    /* Another file gets old twice meanwhile, so this one has, too, for sure. */
    for (size_t n = 0; n < 2;) {
        struct logfile_list l;
        assert_int_equal(logfile_list(fd, "other", false, &l), 0);
        if (l.n == n)
            say(b, "text\n");
        n = l.n;
        logfile_list_done(&l);
        rig_sync(&rig, b);
    }
    close(fd);
    assert_int_equal(rig_sync_and_count(&rig, a, ""), 0);
    read_all();
    assert_int_equal(here.n_files, 1);
    say(a, "ning\nsecond\n");
    rig_finish(&rig);
    read_all();
    assert_string_equal(here.data, "beginning\nsecond\n");
    assert_true(here.n_files >= 2);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(prlimit(rig.pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(prlimit(rig.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* A disk that takes so much and no more, until it does. */
static void full_disk(const struct spec_log *log, size_t prefix)
{
    struct rig_stream *s = rig_add(&rig, "web", log, SHORT_RING);
    rig_start(&rig);
    assert_int_equal(rig_sync_and_count(&rig, s, ""), 0);
    limit_files(10000);
    say_lines(s, 0, 400);
    assert_int_equal(rig_sync_and_count(&rig, s, "File too large"), 0);
    say_lines(s, 400, 1000);
    read_all();
    assert_true(here.len <= 10000);
    if (prefix > 0)
        assert_int_equal(here.data[here.len - 1], '\n');
    assert_int_equal(s->ring.head->trouble, LOGRING_FAILING);
    size_t lost = s->ring.head->lost_bytes, lines = s->ring.head->lost_lines;
    assert_true(lost > LINE * 300);
    limit_files(RLIM_INFINITY);
    rig_await_say(&rig, "works again");
    rig_finish(&rig);
    read_all();
    assert_int_equal(s->ring.head->lost_bytes, lost);
    char gap[GAP_MAX];
    snprintf(gap, sizeof gap, "[foster: %zu lines (%zu bytes) were dropped here]\n", lines, lost);
    const char *at = strstr(here.data, gap);
    assert_non_null(at);
    assert_int_equal(at[-1 - (int)prefix], '\n');
    /* One line may have been cut; the newline behind what was there of it is ours. */
    size_t extra = prefix + strlen(gap) + (prefix == 0 && lost % LINE != 0 ? 1 : 0);
    assert_int_equal(here.len, 1000 * LINE - lost + extra + (1000 - lines) * prefix);
    char last[LINE + 1];
    snprintf(last, sizeof last, "%0*d\n", LINE - 1, 999);
    assert_string_equal(here.data + here.len - LINE, last);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    full_disk(&log, 0);
}

static void test_full_disk_and_times(void **state)
{
    (void)state;
    struct spec_log log = to_file();
    log.timestamps = true;
    full_disk(&log, LOGLINE_STAMP_LEN + 1);
}

/* Makes TEXT, a shell script, what `gzip` is. */
static void fake_gzip(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/gzip", here.dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", text);
    assert_int_equal(fchmod(fileno(f), 0755), 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(setenv("PATH", here.dir, 1), 0);
}

static struct spec_log compressed(void)
{
    struct spec_log log = to_file();
    log.max_size = 4096;
    log.compress = true;
    return log;
}

static void test_no_gzip(void **state)
{
    (void)state;
    struct spec_log log = compressed();
    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    for (int i = 0; i < 150; i++)
        say(s, "012345678901234567890123456789\n");
    rig_await_say(&rig, "there is no gzip in PATH; install it, or leave `compress` out");
    for (int i = 0; i < 300; i++)
        say(s, "012345678901234567890123456789\n");
    assert_int_equal(rig_sync_and_count(&rig, s, "gzip"), 0);
    /* Nothing is tried any more, so that this comes to an end. */
    rig_finish(&rig);
    assert_int_equal(setenv("PATH", saved_path, 1), 0);
    read_all();
    assert_int_equal(here.len, 450 * 31);
    assert_int_equal(here.n_files, 4);
}

static char first_name[NAME_MAX_HERE];

/* How many files there are that are full, and the oldest of them. */
static size_t list_files(void)
{
    struct logfile_list l;
    int fd = open(here.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(logfile_list(fd, "web.log", false, &l), 0);
    close(fd);
    size_t n = l.n;
    snprintf(first_name, sizeof first_name, "%s", n > 0 ? l.names[0] : "");
    logfile_list_done(&l);
    return n;
}

static bool has_remains(void)
{
    char name[NAME_MAX_HERE + 16];
    snprintf(name, sizeof name, "%s.gz.tmp", first_name);
    return is_there(name);
}

static void test_gzip_is_killed(void **state)
{
    (void)state;
    struct spec_log log = compressed();
    fake_gzip("echo half; kill -9 $$");
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    say_lines(s, 0, 150);
    rig_await_say(&rig, "is left as it is: gzip has failed");
    assert_int_equal(list_files(), 1);
    assert_false(rotated_is_compressed(first_name));
    assert_false(has_remains());
    rig_finish(&rig);
    read_all();
    assert_int_equal(here.len, 150 * LINE);
}

/* A pipe that a false gzip waits at: it is under way as long as we hold it. It is seen at work not before it has opened
 * the pipe: what we had let go of by then it would wait for without end. */
static int hold_gzip(void)
{
    char path[128], script[320];
    snprintf(path, sizeof path, "%s/hold", here.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(script, sizeof script, "exec <%s\necho $$ >%s/pid\n: >%s/begun\nexec /bin/cat", path, here.dir, here.dir);
    fake_gzip(script);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* Waits until the false gzip is at work: before that, another one in its place would be run. It gives way to all
 * else. */
static void await_gzip(const struct rig_stream *s)
{
    char path[128];
    int pid;
    do {
        rig_sync(&rig, s);
        (void)list_files();
    } while (!is_there("begun"));
    assert_true(has_remains());
    snprintf(path, sizeof path, "%s/pid", here.dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), LOWEST_PRIORITY);
}

static void await_compressed(const struct rig_stream *s, size_t n)
{
    do
        rig_sync(&rig, s);
    while (list_files() != n || !rotated_is_compressed(first_name) || has_remains());
}

/* The logger dies while gzip works: the next one begins anew, whatever that gzip does. */
static void test_killed_while_gzip_works(void **state)
{
    (void)state;
    struct spec_log log = compressed();
    int hold = hold_gzip();
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    say_lines(s, 0, 150);
    await_gzip(s);
    rig_kill(&rig);
    assert_true(has_remains());
    assert_int_equal(setenv("PATH", saved_path, 1), 0);
    rig_start(&rig);
    await_compressed(s, 1);
    close(hold);
    rig_finish(&rig);
    assert_false(has_remains());
    read_all();
    assert_int_equal(here.len, 150 * LINE);
    assert_string_equal(here.data + 149 * LINE, "00000000000000000000000000149\n");
}

/* What gzip works on has become too old meanwhile: nothing comes of it. */
static void test_deleted_while_gzip_works(void **state)
{
    (void)state;
    struct spec_log log = compressed();
    char old[NAME_MAX_HERE], gone[NAME_MAX_HERE + 8];
    log.max_file = 2;
    int hold = hold_gzip();
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    say_lines(s, 0, 150);
    await_gzip(s);
    memcpy(old, first_name, sizeof old);
    say_lines(s, 150, 300);
    assert_int_equal(list_files(), 1);
    assert_string_not_equal(first_name, old);
    /* The first one ends; the next is done by one that does so by itself. */
    snprintf(gone, sizeof gone, "%s/gzip", here.dir);
    assert_int_equal(unlink(gone), 0);
    fake_gzip("/bin/cat");
    close(hold);
    await_compressed(s, 1);
    snprintf(gone, sizeof gone, "%s.gz", old);
    assert_false(is_there(old));
    assert_false(is_there(gone));
    rig_finish(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rotation_that_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_that_fails_between_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_larger_than_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_that_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_without_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_without_end_and_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_age, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_and_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_gzip, setup_path, teardown_path),
        cmocka_unit_test_setup_teardown(test_gzip_is_killed, setup_path, teardown_path),
        cmocka_unit_test_setup_teardown(test_killed_while_gzip_works, setup_path, teardown_path),
        cmocka_unit_test_setup_teardown(test_deleted_while_gzip_works, setup_path, teardown_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

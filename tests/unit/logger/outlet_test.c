/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Standard output of each kind: it gets all lines, stays as it was for those who share it, and is told of once when it
 * fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/logger/rig.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>

enum { RING = 65536, TEXT_MAX = 4096, FAILURES = 3 };

/** What standard output is. */
enum kind { KIND_PIPE, KIND_SOCKET, KIND_TERMINAL, KIND_FILE, KIND_APPENDING, KIND_N };

static const struct spec_log to_stdout = {.driver = SPEC_LOG_STDOUT};

static struct rig rig;

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_done(&rig);
    return 0;
}

/** Makes a standard output; where it can be read in *RET. -1: there is no such thing here. */
static int outlet_of(enum kind kind, int *ret)
{
    int fds[2];
    if (kind == KIND_TERMINAL) {
        struct termios raw;
        *ret = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (*ret < 0 || grantpt(*ret) != 0 || unlockpt(*ret) != 0)
            return -1;
        int fd = open(ptsname(*ret), O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(tcgetattr(fd, &raw), 0);
        cfmakeraw(&raw);
        assert_int_equal(tcsetattr(fd, TCSANOW, &raw), 0);
        return fd;
    }
    if (kind == KIND_SOCKET) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    } else if (kind == KIND_PIPE) {
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    } else {
        fds[0] = memfd_create("out", MFD_CLOEXEC);
        fds[1] = dup(fds[0]);
        assert_true(fds[0] >= 0 && fds[1] >= 0);
        if (kind == KIND_APPENDING)
            assert_int_equal(fcntl(fds[1], F_SETFL, O_APPEND), 0);
    }
    *ret = fds[0];
    return fds[1];
}

/* ------------------------------------------------------------------ what a killed one has left */

static const char left_text[] = "web | one\nweb | two\n";

/** Where the logger before was killed: of the batch OUT bytes are out, BOXED wait in the outbox. */
struct left {
    uint32_t active, done, out, boxed;
};

/* Leaves that behind; what is in the outbox ends at END of the batch. Then another logger comes and goes. */
static void goes_on(enum kind kind, const struct left *left, uint32_t end)
{
    enum { FIRST = 10 };
    uint32_t len = (uint32_t)strlen(left_text), boxed = left->boxed;
    char text[TEXT_MAX];
    int fd;
    rig_init(&rig);
    rig.stdout_fd = outlet_of(kind, &fd);
    assert_true(rig.stdout_fd >= 0);
    struct rig_stream *s = rig_add(&rig, "web", &to_stdout, RING);
    struct shared_batch *b = &rig.shared->out;
    memcpy(b->data, left_text, len);
    b->len = len;
    b->active = left->active;
    b->done = left->done;
    b->n_parts = 1;
    b->parts[0] = (struct shared_part){.stream = s->d.id};
    assert_int_equal(write(rig.stdout_fd, left_text, left->out), left->out);
    assert_int_equal(write(rig.outbox[1], left_text + end - boxed, boxed), boxed);
    rig_start(&rig);
    rig_finish(&rig);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, left_text);
    assert_int_equal(b->active, 0);
    close(rig.stdout_fd);
    close(fd);
    rig_done(&rig);
}

static void test_what_a_killed_one_has_left(void **state)
{
    enum { LEN = sizeof left_text - 1 };
    static const struct left cases[] = {
        {1, 0, 0, 0},                 /* nothing has gone anywhere */
        {1, SHARED_BOXING, 0, 0},     /* before a write to the outbox */
        {1, SHARED_BOXING, 0, 6},     /* behind one */
        {1, SHARED_BOXING, 0, LEN},   /* behind one of all */
        {1, 6, 0, 6},                 /* which is known of */
        {1, 6, 2, 4},                 /* and some of it is out */
        {1, 6 | SHARED_BOXING, 6, 7}, /* the second write */
        {1, LEN, 6, LEN - 6},         /* nothing is left but the outbox */
        {0, LEN, 6, LEN - 6},         /* which is known, too */
        {1, 4 | SHARED_BOXING, 4, 8}, /* the outbox goes back, and has not yet … */
        {1, 4 | SHARED_BOXING, 4, 0}, /* … and has */
        {1, (LEN - 5) | SHARED_BOXING, LEN - 5, 5},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct left *left = &cases[i];
        uint32_t end = left->out + left->boxed;
        goes_on(KIND_FILE, left, end);
        goes_on(KIND_APPENDING, left, end);
    }
}

/** Reads LEN bytes, or what there is of a file, and asserts that they are EXPECTED. */
static void check_heard(enum kind kind, int fd, const char *expected)
{
    char text[TEXT_MAX];
    size_t len = strlen(expected), n = 0;
    while (n < len) {
        ssize_t got =
            kind >= KIND_FILE ? pread(fd, text + n, sizeof text - n, (off_t)n) : read(fd, text + n, sizeof text - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    assert_int_equal(n, len);
    assert_memory_equal(text, expected, len);
}

static void say(const struct rig_stream *s, const char *text)
{
    assert_int_equal(write(s->write_fd, text, strlen(text)), strlen(text));
}

static void lines_go_to(enum kind kind)
{
    static const char plain[] = "a     | one\nweb.2 | two\na     | three\n";
    static const char coloured[] =
        "\x1b[33ma     | \x1b[0mone\n\x1b[32mweb.2 | \x1b[0mtwo\n\x1b[33ma     | \x1b[0mthree\n";
    int fd;
    rig.stdout_fd = outlet_of(kind, &fd);
    if (rig.stdout_fd < 0) {
        print_message("SKIP: no terminal can be made here\n");
        skip();
    }
    int flags = fcntl(rig.stdout_fd, F_GETFL);
    rig.width = 5;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING), *web = rig_add(&rig, "web.2", &to_stdout, RING);
    rig_start(&rig);
    say(a, "one\n");
    rig_sync(&rig, a);
    say(web, "two");
    rig_sync(&rig, web);
    say(a, "three\n");
    rig_sync(&rig, a);
    check_heard(kind, fd, kind == KIND_TERMINAL ? coloured : plain);
    /* Others have it, too. */
    assert_int_equal(fcntl(rig.stdout_fd, F_GETFL), flags);
    rig_finish(&rig);
    close(rig.stdout_fd);
    close(fd);
}

static void test_a_pipe(void **state)
{
    (void)state;
    lines_go_to(KIND_PIPE);
}

static void test_a_socket(void **state)
{
    (void)state;
    lines_go_to(KIND_SOCKET);
}

static void test_a_terminal(void **state)
{
    (void)state;
    lines_go_to(KIND_TERMINAL);
}

static void test_a_file(void **state)
{
    (void)state;
    lines_go_to(KIND_FILE);
}

static void test_a_file_that_is_appended_to(void **state)
{
    (void)state;
    lines_go_to(KIND_APPENDING);
}

/** Standard output FD fails, for the reason WORD. */
static void failure_is_told_once(int fd, const char *word)
{
    rig.stdout_fd = fd;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    int n = 0;
    for (int i = 0; i < FAILURES; i++) {
        say(a, "gone\n");
        n += rig_sync_and_count(&rig, a, word);
    }
    assert_int_equal(n, 1);
    assert_int_equal(a->ring.head->trouble, LOGRING_FAILING);
    /* It waits for better times, until nobody wants it any more; the first line is under way already. */
    assert_int_equal(logring_pending(&a->ring), (FAILURES - 1) * strlen("gone\n"));
    rig_finish(&rig);
    assert_int_equal(a->ring.head->lost_lines, FAILURES - 1);
    close(fd);
}

static void test_a_full_device(void **state)
{
    (void)state;
    failure_is_told_once(open("/dev/full", O_WRONLY | O_CLOEXEC), "No space left on device");
}

static void test_a_pipe_without_reader(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    failure_is_told_once(fds[1], "Broken pipe");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_pipe),
        TEST(test_a_socket),
        TEST(test_a_terminal),
        TEST(test_a_file),
        TEST(test_a_file_that_is_appended_to),
        TEST(test_a_full_device),
        TEST(test_a_pipe_without_reader),
        cmocka_unit_test(test_what_a_killed_one_has_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

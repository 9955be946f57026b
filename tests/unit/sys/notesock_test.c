/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Datagrams from others: who has sent them, what comes along, and that nothing of a bad one stays.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/notesock.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit/sys/kit.h"

struct bench {
    size_t n_fds;
    int server, client;
};

static const char *own_name(void)
{
    static char name[64];
    snprintf(name, sizeof name, "foster-test/%d", (int)getpid());
    return name;
}

static int setup(void **state)
{
    static struct bench b;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct err e = {0};
    size_t len = strlen(own_name());
    b = (struct bench){.n_fds = kit_count_fds()};
    assert_true(notesock_open(own_name(), &b.server, &e));
    memcpy(to.sun_path + 1, own_name(), len);
    b.client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        connect(b.client, (const struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)),
        0);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    const struct bench *b = *state;
    close(b->server);
    close(b->client);
    assert_int_equal(kit_count_fds(), b->n_fds);
    return 0;
}

/* Sends N bytes, and N_FDS times FD. */
static void send_it(const struct bench *b, const char *data, size_t n, int fd, size_t n_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(NOTESOCK_FDS_MAX * sizeof(int))];
    } control = {0};
    static char bytes[NOTESOCK_DATA_MAX + 1];
    memcpy(bytes, data, n);
    struct iovec iov = {bytes, n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n_fds > 0) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        for (size_t i = 0; i < n_fds; i++)
            memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
    }
    assert_int_equal(sendmsg(b->client, &msg, 0), n);
}

static void assert_nothing_is_left(const struct bench *b)
{
    struct notesock_note note;
    assert_int_equal(notesock_receive(b->server, &note), NOTESOCK_NOTHING);
    assert_int_equal(kit_count_fds(), b->n_fds + 2);
}

static void a_message_says_who_has_sent_it(void **state)
{
    const struct bench *b = *state;
    struct notesock_note note;
    send_it(b, "READY=1", 7, -1, 0);
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0)
        _exit(send(b->client, "a\0b", 3, 0) == 3 ? 0 : 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(notesock_receive(b->server, &note), NOTESOCK_NOTE);
    assert_int_equal(note.pid, getpid());
    assert_int_equal(note.uid, getuid());
    assert_int_equal(note.n, 7);
    assert_memory_equal(note.data, "READY=1", 7);
    assert_int_equal(notesock_receive(b->server, &note), NOTESOCK_NOTE);
    assert_int_equal(note.pid, pid);
    assert_int_equal(note.n, 3);
    assert_memory_equal(note.data, "a\0b", 3);
    assert_nothing_is_left(b);
}

static void an_empty_message_is_one(void **state)
{
    const struct bench *b = *state;
    struct notesock_note note;
    send_it(b, "", 0, -1, 0);
    send_it(b, "x", 1, -1, 0);
    assert_int_equal(notesock_receive(b->server, &note), NOTESOCK_NOTE);
    assert_int_equal(note.n, 0);
    assert_int_equal(note.pid, getpid());
    assert_int_equal(notesock_receive(b->server, &note), NOTESOCK_NOTE);
    assert_int_equal(note.n, 1);
    assert_nothing_is_left(b);
}

static void what_is_too_long_is_dropped_with_its_descriptors(void **state)
{
    const struct bench *b = *state;
    struct notesock_note note;
    static char data[NOTESOCK_DATA_MAX + 1];
    memset(data, 'x', sizeof data);
    send_it(b, data, sizeof data, b->client, 3);
    send_it(b, data, sizeof data - 1, b->client, 3);
    assert_int_equal(notesock_receive(b->server, &note), NOTESOCK_DROPPED);
    assert_int_equal(kit_count_fds(), b->n_fds + 2);
    assert_int_equal(notesock_receive(b->server, &note), NOTESOCK_NOTE);
    assert_int_equal(note.n, NOTESOCK_DATA_MAX);
    assert_int_equal(note.n_fds, 3);
    notesock_close_fds(&note);
    assert_int_equal(note.n_fds, 0);
    assert_nothing_is_left(b);
}

static void as_many_descriptors_as_there_can_be(void **state)
{
    const struct bench *b = *state;
    struct notesock_note note;
    send_it(b, "FDSTORE=1", 9, b->client, NOTESOCK_FDS_MAX);
    assert_int_equal(notesock_receive(b->server, &note), NOTESOCK_NOTE);
    assert_int_equal(note.n_fds, NOTESOCK_FDS_MAX);
    for (size_t i = 0; i < note.n_fds; i++)
        assert_int_equal(fcntl(note.fds[i], F_GETFD), FD_CLOEXEC);
    notesock_close_fds(&note);
    assert_nothing_is_left(b);
}

/* The kernel gives as many as it can. */
static void descriptors_that_there_is_no_room_for_take_the_message_along(void **state)
{
    const struct bench *b = *state;
    struct notesock_note note;
    struct rlimit before, low;
    send_it(b, "FDSTORE=1", 9, b->client, 8);
    send_it(b, "x", 1, -1, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){(rlim_t)(b->client > b->server ? b->client : b->server) + 4, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    enum notesock_got got = notesock_receive(b->server, &note);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(got, NOTESOCK_DROPPED);
    assert_int_equal(kit_count_fds(), b->n_fds + 2);
    assert_int_equal(notesock_receive(b->server, &note), NOTESOCK_NOTE);
    assert_nothing_is_left(b);
}

/* A socket whose close(2) would wait for a peer that does not read. */
static void closing_does_not_linger(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct linger linger = {.l_onoff = 1, .l_linger = 3600};
    static const char page[65536];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    while (send(fd, page, sizeof page, MSG_DONTWAIT) > 0) {
    }
    notesock_close(&fd);
    assert_int_equal(fd, -1);
    notesock_close(&fd);
    close(listener);
}

static void a_name_is_given_once_and_has_an_end(void **state)
{
    const struct bench *b = *state;
    struct err e = {0};
    char name[sizeof((struct sockaddr_un *)NULL)->sun_path + 1];
    int fd = -7;
    assert_false(notesock_open(own_name(), &fd, &e));
    assert_int_equal(e.errnum, EADDRINUSE);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 2] = '\0';
    assert_true(notesock_open(name + 1, &fd, &e));
    close(fd);
    fd = -7;
    name[sizeof name - 2] = 'n';
    name[sizeof name - 1] = '\0';
    assert_false(notesock_open(name, &fd, &e));
    assert_int_equal(e.errnum, ENAMETOOLONG);
    assert_int_equal(fd, -7);
    assert_nothing_is_left(b);
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_message_says_who_has_sent_it),
        BENCH_TEST(an_empty_message_is_one),
        BENCH_TEST(what_is_too_long_is_dropped_with_its_descriptors),
        BENCH_TEST(as_many_descriptors_as_there_can_be),
        BENCH_TEST(descriptors_that_there_is_no_room_for_take_the_message_along),
        BENCH_TEST(closing_does_not_linger),
        BENCH_TEST(a_name_is_given_once_and_has_an_end),
    };
    return cmocka_run_group_tests_name("sys/notesock", tests, NULL, NULL);
}

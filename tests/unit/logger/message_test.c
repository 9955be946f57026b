/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Messages between fosterd and its logger: what is sent arrives, with its strings and descriptors; what is none is
 * refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "logger/message.h"

#include "sys/sys.h"
#include "sys/sys_net.h"
#include "sys/sys_pipe.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct message_in in;

static void setup(int ret[2])
{
    assert_true(sys_packet_pair(ret) == 0);
}

static void test_everything_arrives(void **state)
{
    (void)state;
    int sock[2], pipe_fds[2];
    struct spec_log log = {.driver = SPEC_LOG_FILE,
                           .path = "/var/log/a b.log",
                           .max_size = 1 << 20,
                           .user = {.text = "www", .uid = 33, .gid = 34},
                           .tag = ""};
    setup(sock);
    assert_true(sys_pipe(pipe_fds, 0) == 0);
    struct message m = {
        .kind = MESSAGE_OPEN,
        .id = 7,
        .seq = 8,
        .stream = {.id = 7, .name = "web.2", .service = "web", .log = &log, .match = "^up$", .match_from = 99},
        .fds = {pipe_fds[0], pipe_fds[1]},
    };
    assert_true(message_send(sock[0], &m) == 0);
    assert_true(message_receive(sock[1], &in) == 1);
    assert_true(in.m.kind == MESSAGE_OPEN && in.m.id == 7 && in.m.seq == 8 && in.m.event == NULL && in.m.text == NULL);
    assert_string_equal(in.m.stream.name, "web.2");
    assert_string_equal(in.m.stream.service, "web");
    assert_string_equal(in.m.stream.match, "^up$");
    assert_true(in.m.stream.match_from == 99);
    const struct spec_log *got = in.m.stream.log;
    assert_true(got->driver == SPEC_LOG_FILE && got->max_size == 1 << 20 && got->user.uid == 33 && got->user.gid == 34);
    assert_string_equal(got->path, "/var/log/a b.log");
    assert_string_equal(got->user.text, "www");
    assert_string_equal(got->tag, "");
    assert_true(got->address == NULL);
    /* The descriptors are those that were sent: what goes into the one comes out of the other. */
    char c = 0;
    assert_true(write(in.m.fds[1], "x", 1) == 1 && read(pipe_fds[0], &c, 1) == 1 && c == 'x');
    message_close_fds(&in.m);
    assert_true(in.m.fds[0] == -1 && in.m.fds[1] == -1);
    for (int i = 0; i < 2; i++) {
        sys_close(sock[i]);
        sys_close(pipe_fds[i]);
    }
}

static void test_long_text_and_full_socket(void **state)
{
    (void)state;
    int sock[2];
    static char text[MESSAGE_MAX / 2];
    memset(text, 't', sizeof text - 1);
    setup(sock);
    struct message m = {.kind = MESSAGE_SAY, .text = text, .event = "log", .fds = {-1, -1}};
    int n = 0;
    while (message_send(sock[0], &m) == 0)
        n++;
    assert_true(errno == EAGAIN && n > 0);
    for (; n > 0; n--) {
        assert_true(message_receive(sock[1], &in) == 1);
        assert_string_equal(in.m.text, text);
        assert_string_equal(in.m.event, "log");
    }
    assert_true(message_receive(sock[1], &in) == -1 && errno == EAGAIN);
    sys_close(sock[0]);
    assert_true(message_receive(sock[1], &in) == 0);
    sys_close(sock[1]);
}

static void test_strangers_words(void **state)
{
    (void)state;
    int sock[2], spare;
    static char bytes[MESSAGE_MAX + 1000];
    setup(sock);
    assert_true(send(sock[0], "hello", 5, 0) == 5);
    assert_true(message_receive(sock[1], &in) == -1 && errno == EBADMSG);
    /* Lengths that lead out of the message, and more than fits. */
    memset(bytes, 0x7f, sizeof bytes);
    assert_true(send(sock[0], bytes, 4096, 0) == 4096);
    assert_true(message_receive(sock[1], &in) == -1 && errno == EBADMSG);
    assert_true(send(sock[0], bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    assert_true(message_receive(sock[1], &in) == -1 && errno == EBADMSG);
    /* A descriptor with nonsense does not stay open. */
    spare = dup(0);
    struct message m = {.kind = MESSAGE_N, .fds = {spare, -1}};
    assert_true(message_send(sock[0], &m) == 0);
    assert_true(message_receive(sock[1], &in) == -1 && errno == EBADMSG && in.m.fds[0] == -1);
    sys_close(spare);
    sys_close(sock[0]);
    sys_close(sock[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_arrives),
        cmocka_unit_test(test_long_text_and_full_socket),
        cmocka_unit_test(test_strangers_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

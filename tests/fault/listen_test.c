/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Opening sockets for others while each call in turn is refused: either they serve, or what was refused is told, and
 * nothing is left of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/listen.h"

#include "fault/support/fault.h"
#include "unit/sys/listen_kit.h"

enum { ALL = 1000 };

struct bench {
    char dir[KIT_PATH_MAX], path[KIT_PATH_MAX];
    enum listen_kind kind;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    kit_path(b->path, "%s/sock", kit_make_dir(b->dir));
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    fault_teardown(state);
    kit_remove(b->dir);
    free(b);
    return 0;
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void assert_told(const struct err *e, const struct fault_rule *rule)
{
    const char *said = err_errno_text(rule->errnum);
    assert_int_equal(e->errnum, rule->errnum);
    assert_int_equal(strncmp(e->text, said, strlen(said)), 0);
}

/* ------------------------------------------------------------------ paths */

static struct listen_request request_of(const struct bench *b)
{
    return (struct listen_request){
        .kind = b->kind, .path = b->path, .mode = 0600, .uid = geteuid(), .gid = getegid(), .backlog = 8};
}

static void leave_stale(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(path);
    memcpy(at.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    close(fd);
}

/* Whether RULE, in force or not, lets the opening be over: the first lstat and unlink are about what was there before,
 * the second about what is closed. */
static bool is_of_closing(const struct fault_rule *rule)
{
    return (rule->call == FAULT_sys_lstat || rule->call == FAULT_sys_unlink) && rule->nth == 2;
}

/* Whether what RULE refuses comes before the stale socket is removed. */
static bool is_of_looking(const struct fault_rule *rule)
{
    return rule->nth == 1 && (rule->call == FAULT_sys_lstat || rule->call == FAULT_sys_unlink ||
                              rule->call == FAULT_sys_socket || rule->call == FAULT_sys_connect);
}

static void open_path(void *arg, const struct fault_rule *rule)
{
    const struct bench *b = arg;
    const struct listen_request req = request_of(b);
    struct listener l = {.fd = -7};
    struct err e = {0};
    leave_stale(b->path);
    mode_t before = umask(027);
    bool ok = listen_open(&req, &l, &e);
    assert_int_equal(umask(before), 027);
    assert_int_equal(ok, rule == NULL || is_of_closing(rule));
    if (!ok) {
        assert_told(&e, rule);
        assert_int_equal(l.fd, -7);
        assert_int_equal(is_there(b->path), is_of_looking(rule));
        return;
    }
    assert_true(listen_kit_reaches_path(&l, b->kind, b->path));
    listen_close(&l, b->path);
    assert_int_equal(is_there(b->path), rule != NULL);
}

static void every_call_refused_in_place_of_a_stale_path(void **state)
{
    static const enum listen_kind kinds[] = {LISTEN_UNIX, LISTEN_DATAGRAM};
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        b->kind = kinds[i];
        fault_each(NULL, 0, ALL, open_path, b);
    }
}

/* What was open goes on serving. */
static void change_path(void *arg, const struct fault_rule *rule)
{
    const struct bench *b = arg;
    struct listen_request req = request_of(b);
    struct listener l;
    struct err e = {0};
    fault_end();
    assert_true(listen_open(&req, &l, &e));
    fault_begin(rule, rule != NULL);
    req.mode = 0640;
    bool ok = listen_change(&l, &req, &e);
    fault_end();
    assert_int_equal(ok, rule == NULL);
    if (!ok)
        assert_told(&e, rule);
    assert_true(listen_kit_reaches_path(&l, b->kind, b->path));
    listen_close(&l, b->path);
    assert_false(is_there(b->path));
}

static void every_call_refused_in_a_change(void **state)
{
    struct bench *b = *state;
    b->kind = LISTEN_UNIX;
    fault_each(NULL, 0, ALL, change_path, b);
}

/* ------------------------------------------------------------------ TCP and UDP */

static int family_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    return at.ss_family;
}

static void open_any(void *arg, const struct fault_rule *rule)
{
    const enum listen_kind *kind = arg;
    const struct listen_request req = {.kind = *kind, .backlog = 8};
    struct listener l = {.fd = -7};
    struct err e = {0};
    bool no_ipv6 = rule != NULL && rule->call == FAULT_sys_socket && rule->errnum == EAFNOSUPPORT;
    bool ok = listen_open(&req, &l, &e);
    assert_int_equal(ok, rule == NULL || no_ipv6);
    if (!ok) {
        assert_told(&e, rule);
        assert_int_equal(l.fd, -7);
        return;
    }
    if (no_ipv6)
        assert_int_equal(family_of(l.fd), AF_INET);
    assert_true(listen_kit_reaches(&l, *kind, "127.0.0.1", listen_kit_port(l.fd)));
    listen_close(&l, NULL);
}

static void every_call_refused_for_any_address(void **state UNUSED)
{
    enum listen_kind kinds[] = {LISTEN_TCP, LISTEN_UDP};
    for (size_t i = 0; listen_kit_has_ipv6() && i < ARRAY_LEN(kinds); i++)
        fault_each(NULL, 0, ALL, open_any, &kinds[i]);
}

static void without_ipv6_there_is_ipv4(void **state UNUSED)
{
    static const struct fault_rule rules[] = {
        {FAULT_PARENT, FAULT_sys_socket, 1, false, EAFNOSUPPORT},
        {FAULT_PARENT, FAULT_sys_bind, 1, false, EADDRNOTAVAIL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct listen_request req = {.kind = LISTEN_TCP, .backlog = 8};
        struct listener l;
        struct err e = {0};
        fault_begin(&rules[i], 1);
        assert_true(listen_open(&req, &l, &e));
        fault_end();
        assert_int_equal(fault_refused(), 1);
        assert_int_equal(family_of(l.fd), AF_INET);
        assert_true(listen_kit_reaches(&l, LISTEN_TCP, "127.0.0.1", listen_kit_port(l.fd)));
        listen_close(&l, NULL);
    }
}

static void missing_version_is_named(void **state UNUSED)
{
    static const struct fault_rule rule = {FAULT_PARENT, FAULT_sys_socket, 1, true, EAFNOSUPPORT};
    const struct listen_request req = {.kind = LISTEN_TCP, .host = "::1", .backlog = 8};
    struct listener l;
    struct err e = {0};
    fault_begin(&rule, 1);
    assert_false(listen_open(&req, &l, &e));
    fault_end();
    assert_string_equal(e.text,
                        "Address family not supported by protocol; the kernel does not have this version of IP");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_call_refused_in_place_of_a_stale_path, setup, teardown),
        cmocka_unit_test_setup_teardown(every_call_refused_in_a_change, setup, teardown),
        cmocka_unit_test_setup_teardown(every_call_refused_for_any_address, setup, teardown),
        cmocka_unit_test_setup_teardown(without_ipv6_there_is_ipv4, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_version_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

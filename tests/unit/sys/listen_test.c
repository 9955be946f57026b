/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Sockets for others, by address and by path: who reaches them, what may be in their way, what is left of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/listen.h"

#include "unit/sys/listen_kit.h"

struct bench {
    char dir[KIT_PATH_MAX], path[KIT_PATH_MAX];
    size_t n_fds;
    mode_t umask;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    kit_path(b->path, "%s/sock", kit_make_dir(b->dir));
    b->umask = umask(022);
    b->n_fds = kit_count_fds();
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    umask(b->umask);
    assert_int_equal(kit_count_fds(), b->n_fds);
    kit_remove(b->dir);
    free(b);
    return 0;
}

static struct listener open_it(const struct listen_request *req)
{
    struct listener l = {.fd = -7};
    struct err e = {0};
    if (!listen_open(req, &l, &e))
        fail_msg("%s", e.text);
    return l;
}

static void assert_refused(const struct listen_request *req, int errnum, const char *text)
{
    struct listener l = {.fd = -7};
    struct err e = {0};
    assert_false(listen_open(req, &l, &e));
    assert_int_equal(l.fd, -7);
    assert_string_equal(e.text, text);
    assert_int_equal(e.errnum, errnum);
}

static struct listen_request at_path(enum listen_kind kind, const char *path)
{
    return (struct listen_request){
        .kind = kind, .path = path, .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1, .backlog = 8};
}

static struct listen_request at_host(enum listen_kind kind, const char *host, unsigned port)
{
    return (struct listen_request){.kind = kind, .host = host, .port = port, .backlog = 8};
}

static bool skip_without_ipv6(void)
{
    if (listen_kit_has_ipv6())
        return false;
    print_message("SKIP: there is no IPv6 here\n");
    return true;
}

/* ------------------------------------------------------------------ TCP and UDP */

static void any_address_is_of_both_versions(void **state UNUSED)
{
    static const enum listen_kind kinds[] = {LISTEN_TCP, LISTEN_UDP};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct listen_request req = at_host(kinds[i], NULL, 0);
        struct listener l = open_it(&req);
        unsigned port = listen_kit_port(l.fd);
        assert_int_equal(fcntl(l.fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(l.fd, F_GETFL) & O_NONBLOCK, 0);
        assert_true(listen_kit_reaches(&l, kinds[i], "127.0.0.1", port));
        if (listen_kit_has_ipv6())
            assert_true(listen_kit_reaches(&l, kinds[i], "::1", port));
        listen_close(&l, NULL);
        assert_int_equal(l.fd, -1);
        listen_close(&l, NULL);
    }
}

static void one_address_is_that_address(void **state UNUSED)
{
    struct listen_request req = at_host(LISTEN_TCP, "127.0.0.1", 0);
    struct listener l = open_it(&req);
    unsigned port = listen_kit_port(l.fd);
    assert_true(listen_kit_reaches(&l, LISTEN_TCP, "127.0.0.1", port));
    assert_false(listen_kit_reaches(&l, LISTEN_TCP, "127.0.0.2", port));
    assert_int_equal(errno, ECONNREFUSED);
    listen_close(&l, NULL);
    assert_false(listen_kit_reaches(&l, LISTEN_TCP, "127.0.0.1", port));
    assert_int_equal(errno, ECONNREFUSED);
}

/* So that each version can have a socket of its own. */
static void address_of_version_6_takes_none_of_version_4(void **state UNUSED)
{
    static const enum listen_kind kinds[] = {LISTEN_TCP, LISTEN_UDP};
    if (skip_without_ipv6())
        skip();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct listen_request six = at_host(kinds[i], "::", 0), four = at_host(kinds[i], "0.0.0.0", 0);
        struct listener l6 = open_it(&six), l4;
        struct err e = {0};
        four.port = listen_kit_port(l6.fd);
        /* Somebody else may have that port. */
        while (!listen_open(&four, &l4, &e)) {
            assert_int_equal(e.errnum, EADDRINUSE);
            listen_close(&l6, NULL);
            l6 = open_it(&six);
            four.port = listen_kit_port(l6.fd);
        }
        assert_true(listen_kit_reaches(&l6, kinds[i], "::1", four.port));
        assert_true(listen_kit_reaches(&l4, kinds[i], "127.0.0.1", four.port));
        listen_close(&l6, NULL);
        listen_close(&l4, NULL);
    }
}

static void address_in_use_is_refused(void **state UNUSED)
{
    static const enum listen_kind kinds[] = {LISTEN_TCP, LISTEN_UDP};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct listen_request req = at_host(kinds[i], "127.0.0.1", 0);
        struct listener l = open_it(&req);
        req.port = listen_kit_port(l.fd);
        assert_refused(&req, EADDRINUSE, "Address already in use");
        listen_close(&l, NULL);
        l = open_it(&req);
        listen_close(&l, NULL);
    }
}

/* The side that closes first remembers the connection for a minute. */
static void remembered_connection_is_not_in_the_way(void **state UNUSED)
{
    struct listen_request req = at_host(LISTEN_TCP, "127.0.0.1", 0);
    struct listener l = open_it(&req);
    char c;
    req.port = listen_kit_port(l.fd);
    int client = listen_kit_connect("127.0.0.1", req.port);
    assert_int_not_equal(client, -1);
    close(accept4(l.fd, NULL, NULL, SOCK_CLOEXEC));
    assert_int_equal(read(client, &c, 1), 0);
    close(client);
    listen_close(&l, NULL);
    l = open_it(&req);
    listen_close(&l, NULL);
}

static void address_of_nobody_is_refused(void **state UNUSED)
{
    /* RFC 5737 */
    struct listen_request req = at_host(LISTEN_TCP, "192.0.2.1", 0);
    assert_refused(&req, EADDRNOTAVAIL, "Cannot assign requested address; no network interface has this address");
    req.host = "localhost";
    assert_refused(&req, EINVAL, "Invalid argument");
}

static void ask_for_low_port(void *arg UNUSED)
{
    struct listen_request req = at_host(LISTEN_TCP, "127.0.0.1", 7);
    struct listener l;
    struct err e = {0};
    REQUIRE(geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0));
    REQUIRE(!listen_open(&req, &l, &e));
    REQUIRE(e.errnum == EACCES);
    REQUIRE(strcmp(e.text, "Permission denied; ports below 1024 are for root and CAP_NET_BIND_SERVICE, or for all from "
                           "the sysctl net.ipv4.ip_unprivileged_port_start on") == 0);
}

static void low_port_has_its_remedy(void **state UNUSED)
{
    unsigned first = 0;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    if (f == NULL || fscanf(f, "%u", &first) != 1 || first < 1024) {
        print_message("SKIP: low ports are for everybody here\n");
        if (f != NULL)
            fclose(f);
        skip();
    }
    fclose(f);
    assert_true(kit_isolated(ask_for_low_port, NULL));
}

/* ------------------------------------------------------------------ paths */

static const enum listen_kind path_kinds[] = {LISTEN_UNIX, LISTEN_DATAGRAM, LISTEN_SEQPACKET};

static void path_has_its_permissions(void **state)
{
    static const mode_t modes[] = {0600, 0660, 0666, 0777}, umasks[] = {0, 022, 077, 0777};
    const struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(modes) * ARRAY_LEN(umasks) * ARRAY_LEN(path_kinds); i++) {
        struct listen_request req = at_path(path_kinds[i % 3], b->path);
        struct stat st;
        mode_t mask = umasks[i / 3 % 4];
        req.mode = modes[i / 12];
        umask(mask);
        struct listener l = open_it(&req);
        assert_int_equal(umask(022), mask);
        assert_int_equal(lstat(b->path, &st), 0);
        assert_true(S_ISSOCK(st.st_mode));
        assert_int_equal(st.st_mode & 07777, req.mode);
        assert_int_equal(fcntl(l.fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(l.fd, F_GETFL) & O_NONBLOCK, 0);
        assert_true(listen_kit_reaches_path(&l, req.kind, b->path));
        listen_close(&l, b->path);
        assert_int_equal(lstat(b->path, &st), -1);
    }
}

static void path_has_its_owner(void **state)
{
    const struct bench *b = *state;
    struct listen_request req = at_path(LISTEN_UNIX, b->path);
    struct stat st;
    struct err e = {0};
    req.uid = geteuid() == 0 ? 4711 : geteuid();
    req.gid = geteuid() == 0 ? 4712 : getegid();
    struct listener l = open_it(&req);
    assert_int_equal(lstat(b->path, &st), 0);
    assert_int_equal(st.st_uid, req.uid);
    assert_int_equal(st.st_gid, req.gid);
    /* And another one later. */
    req.mode = 0640;
    req.backlog = 1;
    req.uid = geteuid() == 0 ? 4713 : geteuid();
    assert_true(listen_change(&l, &req, &e));
    assert_int_equal(lstat(b->path, &st), 0);
    assert_int_equal(st.st_uid, req.uid);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_true(listen_kit_reaches_path(&l, LISTEN_UNIX, b->path));
    listen_close(&l, b->path);
}

static void give_to_root(void *arg)
{
    struct listen_request req = at_path(LISTEN_UNIX, arg);
    struct listener l;
    struct stat st;
    struct err e = {0};
    req.uid = 0;
    if (geteuid() == 0) {
        char dir[KIT_PATH_MAX];
        usock_dir(arg, dir, sizeof dir);
        REQUIRE(chown(dir, 65534, 65534) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    }
    REQUIRE(!listen_open(&req, &l, &e));
    REQUIRE(e.errnum == EPERM);
    REQUIRE(strcmp(e.text, "Operation not permitted; giving the socket to another user needs root or CAP_CHOWN") == 0);
    REQUIRE(lstat(arg, &st) == -1);
}

static void what_cannot_be_given_away_is_not_left(void **state)
{
    struct bench *b = *state;
    assert_true(kit_isolated(give_to_root, b->path));
}

/* Whoever was there first is reached as before, and has not noticed that somebody asked. */
static void path_in_use_is_refused_whatever_uses_it(void **state)
{
    const struct bench *b = *state;
    for (size_t i = 0; i < 9; i++) {
        struct listen_request first = at_path(path_kinds[i % 3], b->path), second = at_path(path_kinds[i / 3], b->path);
        struct listener l = open_it(&first);
        assert_refused(&second, EADDRINUSE, "Address already in use");
        struct pollfd p = {.fd = l.fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 0), 0);
        assert_true(listen_kit_reaches_path(&l, first.kind, b->path));
        listen_close(&l, b->path);
    }
}

static void stale_path_is_replaced_whatever_used_it(void **state)
{
    const struct bench *b = *state;
    for (size_t i = 0; i < 9; i++) {
        struct listen_request first = at_path(path_kinds[i % 3], b->path), second = at_path(path_kinds[i / 3], b->path);
        struct listener l = open_it(&first);
        close(l.fd);
        l = open_it(&second);
        assert_true(listen_kit_reaches_path(&l, second.kind, b->path));
        listen_close(&l, b->path);
    }
}

static void everything_else_is_left_alone(void **state)
{
    static const char text[] = "File exists; what is there is no socket; remove it, or choose another path";
    const struct bench *b = *state;
    char other[KIT_PATH_MAX];
    struct listen_request req = at_path(LISTEN_UNIX, b->path);
    struct stat st;

    kit_file(other, b->dir, "sock", "text", 0600);
    assert_refused(&req, EEXIST, text);
    assert_int_equal(lstat(b->path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(unlink(b->path), 0);

    /* A link to nothing, and to a stale socket: neither is followed. */
    kit_path(other, "%.256s/other", b->dir);
    assert_int_equal(symlink(other, b->path), 0);
    assert_refused(&req, EEXIST, text);
    assert_int_equal(lstat(other, &st), -1);
    req.path = other;
    close(open_it(&req).fd);
    req.path = b->path;
    assert_refused(&req, EEXIST, text);
    assert_int_equal(lstat(other, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
}

static void directory_has_to_be_there(void **state)
{
    const struct bench *b = *state;
    char path[KIT_PATH_MAX], text[KIT_PATH_MAX];
    kit_path(path, "%.60s/none/sock", b->dir);
    struct listen_request req = at_path(LISTEN_UNIX, path);
    assert_refused(&req, ENOENT,
                   kit_path(text, "No such file or directory; the directory %.60s/none has to be there first", b->dir));
    char too_long[200];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[0] = '/';
    too_long[sizeof too_long - 1] = '\0';
    req.path = too_long;
    assert_refused(&req, ENAMETOOLONG, "File name too long; choose a shorter path");
}

static void only_ours_is_removed(void **state)
{
    const struct bench *b = *state;
    struct listen_request req = at_path(LISTEN_UNIX, b->path);
    struct stat st;
    struct err e = {0};
    struct listener first = open_it(&req);
    assert_int_equal(unlink(b->path), 0);
    struct listener second = open_it(&req);
    assert_false(listen_change(&first, &req, &e));
    assert_string_equal(e.text, "File exists; somebody has put something else there");
    listen_close(&first, b->path);
    assert_int_equal(lstat(b->path, &st), 0);
    assert_true(listen_kit_reaches_path(&second, LISTEN_UNIX, b->path));
    listen_close(&second, b->path);
    assert_int_equal(lstat(b->path, &st), -1);
    /* Nor is it a mistake that it is gone. */
    first = open_it(&req);
    assert_int_equal(unlink(b->path), 0);
    assert_false(listen_change(&first, &req, &e));
    assert_int_equal(e.errnum, ENOENT);
    listen_close(&first, b->path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_address_is_of_both_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(one_address_is_that_address, setup, teardown),
        cmocka_unit_test_setup_teardown(address_of_version_6_takes_none_of_version_4, setup, teardown),
        cmocka_unit_test_setup_teardown(address_in_use_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(remembered_connection_is_not_in_the_way, setup, teardown),
        cmocka_unit_test_setup_teardown(address_of_nobody_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(low_port_has_its_remedy, setup, teardown),
        cmocka_unit_test_setup_teardown(path_has_its_permissions, setup, teardown),
        cmocka_unit_test_setup_teardown(path_has_its_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_given_away_is_not_left, setup, teardown),
        cmocka_unit_test_setup_teardown(path_in_use_is_refused_whatever_uses_it, setup, teardown),
        cmocka_unit_test_setup_teardown(stale_path_is_replaced_whatever_used_it, setup, teardown),
        cmocka_unit_test_setup_teardown(everything_else_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(directory_has_to_be_there, setup, teardown),
        cmocka_unit_test_setup_teardown(only_ours_is_removed, setup, teardown),
    };
    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Sockets, locks, watches and groups while calls fail: one operation fails with the error that happened, and leaves
 * nothing behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/usock.h"

#include "fault/support/fault.h"
#include "sys/lockfile.h"
#include "sys/users.h"
#include "sys/watchdir.h"
#include "unit/sys/kit.h"

#include <sys/file.h>
#include <sys/un.h>

enum { ALL = 1000 };

struct bench {
    char dir[KIT_PATH_MAX], path[KIT_PATH_MAX];
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

/* Whether E is what RULE did. */
static void assert_told(const struct err *e, const struct fault_rule *rule)
{
    size_t len = strlen(err_errno_text(rule->errnum));

    assert_int_equal(e->errnum, rule->errnum);
    assert_true(strlen(e->text) > len);
    assert_string_equal(e->text + strlen(e->text) - len, err_errno_text(rule->errnum));
}

/* ------------------------------------------------------------------ sockets */

static int connect_to(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(to.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* In place of a stale socket. */
static void listen_here(void *arg, const struct fault_rule *rule)
{
    const struct bench *b = arg;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct usock_place place;
    struct err e = {0};
    int fd = -7, stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t before = umask(027);

    unlink(b->path);
    memcpy(at.sun_path, b->path, strlen(b->path) + 1);
    assert_int_equal(bind(stale, (const struct sockaddr *)&at, sizeof at), 0);
    close(stale);
    bool ok = usock_listen(b->path, 0600, getegid(), &fd, &place, &e);
    assert_int_equal(umask(before), 027);
    assert_int_equal(ok, rule == NULL);
    if (!ok) {
        assert_told(&e, rule);
        assert_int_equal(fd, -7);
        /* The old one is in the way until its removal is ours. */
        assert_int_equal(is_there(b->path),
                         rule->call == FAULT_sys_unlink || (rule->call == FAULT_sys_lstat && rule->nth == 1));
        return;
    }
    close(connect_to(b->path));
    close(fd);
}

static void listening(void **state)
{
    fault_each(NULL, 0, ALL, listen_here, *state);
}

/* Where it cannot even be removed again, the first error is told. */
static void listening_on_a_disk_that_became_read_only(void **state)
{
    const struct bench *b = *state;
    const struct fault_rule rules[] = {{FAULT_PARENT, FAULT_sys_lchown, 1, false, EROFS},
                                       {FAULT_PARENT, FAULT_sys_unlink, 1, false, EIO}};
    struct usock_place place;
    struct err e = {0};
    int fd = -7;

    fault_begin(rules, ARRAY_LEN(rules));
    assert_false(usock_listen(b->path, 0600, getegid(), &fd, &place, &e));
    fault_end();
    assert_told(&e, &rules[0]);
    assert_true(usock_listen(b->path, 0600, getegid(), &fd, &place, &e));
    close(fd);
}

/* A listener that has one connection in its queue. */
struct call {
    const char *path;
    int listener;
};

static void take(void *arg, const struct fault_rule *rule)
{
    const struct call *c = arg;
    struct usock_peer peer = {.pid = -7};
    int fd = -7, client = connect_to(c->path);

    bool ok = usock_accept(c->listener, &fd, &peer);
    assert_int_equal(ok, rule == NULL);
    if (ok) {
        assert_int_equal(peer.pid, getpid());
        close(fd);
    } else {
        assert_int_equal(errno, rule->errnum);
        assert_int_equal(fd, -7);
        assert_int_equal(peer.pid, -7);
        /* One that was not taken waits on. */
        if (rule->call == FAULT_sys_accept) {
            assert_true(usock_accept(c->listener, &fd, &peer));
            close(fd);
        }
    }
    close(client);
}

static void look_at_groups(void *arg, const struct fault_rule *rule)
{
    const struct call *c = arg;
    struct usock_peer peer;
    int fd, client = connect_to(c->path);
    gid_t groups[1024];
    int n = getgroups(ARRAY_LEN(groups), groups);

    fd = accept(c->listener, NULL, NULL);
    assert_int_not_equal(fd, -1);
    peer = (struct usock_peer){.gid = (gid_t)-1};
    if (n > 0)
        assert_int_equal(usock_peer_has_group(fd, &peer, groups[0]), rule == NULL);
    else
        assert_false(usock_peer_has_group(fd, &peer, 4711));
    close(fd);
    close(client);
}

static void watch_peer(void *arg, const struct fault_rule *rule)
{
    const struct call *c = arg;
    int fd = -7;

    assert_int_equal(usock_await_hangup(c->listener, &fd), rule == NULL);
    if (rule == NULL)
        close(fd);
    else
        assert_int_equal(fd, -7);
}

static void connections(void **state)
{
    const struct bench *b = *state;
    struct call c = {.path = b->path};
    struct usock_place place;
    struct err e = {0};

    assert_true(usock_listen(b->path, 0600, (gid_t)-1, &c.listener, &place, &e));
    fault_each(NULL, 0, ALL, take, &c);
    fault_each(NULL, 0, ALL, look_at_groups, &c);
    fault_each(NULL, 0, ALL, watch_peer, &c);

    /* Who is gone already is passed over. */
    const struct fault_rule gone = {FAULT_PARENT, FAULT_sys_accept, 1, false, ECONNABORTED};
    fault_begin(&gone, 1);
    take(&c, NULL);
    fault_end();
    assert_int_equal(fault_refused(), 1);

    /* More groups than there is memory for are none. */
    const struct fault_rule many[] = {{FAULT_PARENT, FAULT_sys_getsockopt, 1, false, ERANGE},
                                      {FAULT_PARENT, FAULT_mem_alloc, 1, false, ENOMEM}};
    fault_begin(many, ARRAY_LEN(many));
    look_at_groups(&c, &many[1]);
    fault_end();
    assert_int_equal(fault_refused(), 2);

    const struct fault_rule unread = {FAULT_PARENT, FAULT_sys_get_unread, 1, false, ENOTTY};
    fault_begin(&unread, 1);
    assert_int_equal(usock_unread(c.listener), INT_MAX);
    fault_end();

    const struct fault_rule look = {FAULT_PARENT, FAULT_sys_lstat, 1, false, EACCES};
    fault_begin(&look, 1);
    assert_false(usock_is_at(&place, b->path));
    assert_true(usock_is_at(&place, b->path));
    fault_end();
    close(c.listener);
}

/* ------------------------------------------------------------------ locks */

static void take_and_drop(void *arg, const struct fault_rule *rule)
{
    const struct bench *b = arg;
    struct err e = {0};
    int fd = -7;

    bool ok = lockfile_take(b->path, &fd, &e);
    if (!ok) {
        assert_non_null(rule);
        assert_int_equal(fd, -7);
        if (rule->errnum == EWOULDBLOCK)
            assert_int_equal(e.kind, ERR_BUSY);
        else
            assert_told(&e, rule);
        unlink(b->path);
        return;
    }
    /* A file that cannot be removed stays; the lock is given up. */
    lockfile_drop(b->path, &fd);
    assert_int_equal(fd, -1);
    assert_int_equal(is_there(b->path), rule != NULL);
    if (rule != NULL) {
        fd = open(b->path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
        close(fd);
        unlink(b->path);
    }
}

/* A stand-in for a holder who leaves between our open(2) and flock(2): the first look at the path finds nothing. */
static void lock_of_a_removed_file(void **state)
{
    const struct bench *b = *state;
    const struct fault_rule once = {FAULT_PARENT, FAULT_sys_lstat, 1, false, ENOENT};
    const struct fault_rule ever = {FAULT_PARENT, FAULT_sys_lstat, 1, true, ENOENT};
    struct err e = {0};
    int fd = -7;

    fault_begin(&ever, 1);
    assert_false(lockfile_take(b->path, &fd, &e));
    fault_end();
    assert_int_equal(e.kind, ERR_BUSY);
    assert_string_equal(e.text, "other processes take the lock and leave it all the time");
    assert_int_equal(fd, -7);
    fault_begin(&once, 1);
    assert_true(lockfile_take(b->path, &fd, &e));
    fault_end();
    assert_int_equal(fault_count(FAULT_PARENT, FAULT_sys_open), 2);
    lockfile_drop(b->path, &fd);
}

static void locks(void **state)
{
    fault_each(NULL, 0, ALL, take_and_drop, *state);
}

/* ------------------------------------------------------------------ watches and groups */

static void watch(void *arg, const struct fault_rule *rule)
{
    const struct bench *b = arg;
    struct err e = {0};
    bool gone = true;
    int fd = -7;

    bool ok = watchdir_open(b->dir, &fd, &e);
    assert_int_equal(ok, rule == NULL || rule->call == FAULT_sys_read);
    if (!ok) {
        assert_told(&e, rule);
        assert_int_equal(fd, -7);
        return;
    }
    watchdir_drain(fd, &gone);
    assert_false(gone);
    close(fd);
}

static void look_for_a_group(void *arg UNUSED, const struct fault_rule *rule)
{
    struct err e = {0};
    gid_t gid = 4711;

    bool ok = users_find_group("root", &gid, &e);
    assert_int_equal(ok, rule == NULL);
    assert_int_equal(gid, ok ? 0 : 4711);
    if (!ok) {
        assert_told(&e, rule);
        assert_int_equal(strncmp(e.text, "/etc/group: ", 12), 0);
    }
    assert_true(users_find_group("17", &gid, &e));
}

static void watches_and_groups(void **state)
{
    fault_each(NULL, 0, ALL, watch, *state);
    struct err e = {0};
    gid_t gid;
    if (users_find_group("root", &gid, &e))
        fault_each(NULL, 0, ALL, look_for_a_group, *state);
    else
        kit_skip("watches_and_groups", "there is no group `root` here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(listening, setup, teardown),
        cmocka_unit_test_setup_teardown(listening_on_a_disk_that_became_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(connections, setup, teardown),
        cmocka_unit_test_setup_teardown(locks, setup, teardown),
        cmocka_unit_test_setup_teardown(lock_of_a_removed_file, setup, teardown),
        cmocka_unit_test_setup_teardown(watches_and_groups, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Sockets with a place in the file system: their permissions, what may be in their way, and who connects.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/usock.h"

#include "base/runtime.h"
#include "unit/sys/kit.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>

static const gid_t no_group = (gid_t)-1;

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

static int listen_at(const char *path, mode_t mode, struct usock_place *ret_place)
{
    struct err e = {0};
    int fd;
    if (!usock_listen(path, mode, no_group, &fd, ret_place, &e))
        fail_msg("%s", e.text);
    return fd;
}

/* A connection to PATH, or -1 with errno. */
static int connect_to(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd != -1 && strlen(path) < sizeof to.sun_path);
    memcpy(to.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static void has_its_permissions_whatever_the_umask(void **state)
{
    static const mode_t modes[] = {0600, 0660, 0666, 0777}, umasks[] = {0, 022, 077, 0777};
    const struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        for (size_t k = 0; k < ARRAY_LEN(umasks); k++) {
            struct usock_place place;
            struct stat st;

            umask(umasks[k]);
            int fd = listen_at(b->path, modes[i], &place);
            assert_int_equal(umask(022), umasks[k]);
            assert_int_equal(lstat(b->path, &st), 0);
            assert_true(S_ISSOCK(st.st_mode));
            assert_int_equal(st.st_mode & 07777, modes[i]);
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
            close(fd);
        }
    }
}

static void takes_who_connects(void **state)
{
    const struct bench *b = *state;
    struct usock_place place;
    struct usock_peer peer = {0};
    int fd = -7, listener = listen_at(b->path, 0600, &place);

    assert_false(usock_accept(listener, &fd, &peer));
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fd, -7);
    int client = connect_to(b->path);
    assert_int_not_equal(client, -1);
    assert_true(usock_accept(listener, &fd, &peer));
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.gid, getegid());
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(write(client, "hello", 5), 5);
    char text[8];
    assert_int_equal(read(fd, text, sizeof text), 5);
    close(fd);
    /* Who is gone again can still be taken. */
    close(client);
    client = connect_to(b->path);
    close(client);
    assert_true(usock_accept(listener, &fd, &peer));
    assert_int_equal(read(fd, text, sizeof text), 0);
    close(fd);
    close(listener);
}

static void replaces_what_nobody_listens_to(void **state)
{
    const struct bench *b = *state;
    struct usock_place first, second;

    close(listen_at(b->path, 0600, &first));
    assert_int_equal(connect_to(b->path), -1);
    assert_int_equal(errno, ECONNREFUSED);
    int fd = listen_at(b->path, 0600, &second);
    int client = connect_to(b->path);
    assert_int_not_equal(client, -1);
    close(client);
    close(fd);
}

static void leaves_everything_else_alone(void **state)
{
    const struct bench *b = *state;
    char path[KIT_PATH_MAX], sub[KIT_PATH_MAX], link[KIT_PATH_MAX], gone[KIT_PATH_MAX];
    struct usock_place place;
    const char *const paths[] = {path, sub, link};

    kit_file(path, b->dir, "file", "text", 0600);
    assert_int_equal(mkdir(kit_path(sub, "%s/sub", b->dir), 0700), 0);
    close(listen_at(b->path, 0600, &place));
    assert_int_equal(symlink("sock", kit_path(link, "%s/link", b->dir)), 0);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct err e = {0};
        int fd = -7;
        struct stat st;
        assert_false(usock_listen(paths[i], 0600, no_group, &fd, &place, &e));
        assert_int_equal(e.kind, ERR_BUSY);
        assert_string_equal(e.text, "something else than a socket is there; remove it, or choose another path");
        assert_int_equal(fd, -7);
        assert_int_equal(lstat(paths[i], &st), 0);
        assert_false(S_ISSOCK(st.st_mode));
    }
    struct err e = {0};
    int fd;
    assert_false(usock_listen(kit_path(gone, "%s/none/sock", b->dir), 0600, no_group, &fd, &place, &e));
    assert_string_equal(e.text, "binding a socket: No such file or directory");
}

static void says_when_a_path_is_too_long(void **state)
{
    const struct bench *b = *state;
    struct usock_place place;
    char path[RUNTIME_PATH_MAX + 2];
    struct err e = {0};
    int fd = -7;
    int len = snprintf(path, sizeof path, "%s/", b->dir);

    assert_in_range(len, 1, RUNTIME_PATH_MAX - 1);
    memset(path + len, 'a', sizeof path - (size_t)len);
    path[RUNTIME_PATH_MAX + 1] = '\0';
    assert_false(usock_listen(path, 0600, no_group, &fd, &place, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    assert_string_equal(e.text, "its path has 108 bytes, that of a socket at most 107; choose a shorter one");
    path[RUNTIME_PATH_MAX] = '\0';
    fd = listen_at(path, 0600, &place);
    int client = connect_to(path);
    assert_int_not_equal(client, -1);
    close(client);
    close(fd);
}

static void knows_whether_it_is_still_there(void **state)
{
    const struct bench *b = *state;
    char other[KIT_PATH_MAX];
    struct usock_place first, second;

    int fd = listen_at(b->path, 0600, &first);
    assert_true(usock_is_at(&first, b->path));
    assert_int_equal(rename(b->path, kit_path(other, "%s/other", b->dir)), 0);
    assert_false(usock_is_at(&first, b->path));
    assert_true(usock_is_at(&first, other));
    /* An inode number may come again, but not while the first is open. */
    for (int i = 0; i < 50; i++) {
        assert_int_equal(unlink(i == 0 ? other : b->path), 0);
        int again = listen_at(b->path, 0600, &second);
        assert_false(usock_is_at(&first, b->path));
        assert_true(usock_is_at(&second, b->path));
        close(again);
    }
    assert_int_equal(unlink(b->path), 0);
    kit_file(other, b->dir, "sock", "", 0600);
    assert_false(usock_is_at(&second, b->path));
    close(fd);
}

/* ------------------------------------------------------------------ connections */

struct connection {
    int listener, client, fd;
};

static struct connection connect_both(const struct bench *b)
{
    struct connection c;
    struct usock_place place;
    struct usock_peer peer;

    c.listener = listen_at(b->path, 0600, &place);
    c.client = connect_to(b->path);
    assert_int_not_equal(c.client, -1);
    assert_true(usock_accept(c.listener, &c.fd, &peer));
    return c;
}

static void close_both(struct connection *c)
{
    close(c->listener);
    close(c->client);
    close(c->fd);
}

static void knows_what_is_unread(void **state)
{
    struct connection c = connect_both(*state);
    char text[8];

    assert_int_equal(usock_unread(c.fd), 0);
    assert_int_equal(write(c.fd, "hello", 5), 5);
    assert_true(usock_unread(c.fd) >= 5);
    assert_int_equal(read(c.client, text, sizeof text), 5);
    assert_int_equal(usock_unread(c.fd), 0);
    assert_int_equal(usock_unread(-1), INT_MAX);
    close_both(&c);
}

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void knows_when_the_peer_is_wholly_gone(void **state)
{
    struct connection c = connect_both(*state);
    int fd = -7;

    assert_true(usock_await_hangup(c.fd, &fd));
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(c.client, "hello", 5), 5);
    assert_int_equal(shutdown(c.client, SHUT_WR), 0);
    assert_false(is_readable(fd));
    close(c.client);
    assert_true(is_readable(fd));
    close(fd);
    fd = -7;
    c.client = -1;
    assert_false(usock_await_hangup(-1, &fd));
    assert_int_equal(errno, EBADF);
    assert_int_equal(fd, -7);
    close_both(&c);
}

/* ------------------------------------------------------------------ groups */

/* Connects to ourselves at PATH, and says whether GROUP is among our groups as seen from there. */
static bool has_group(const char *path, gid_t group)
{
    struct usock_place place;
    struct usock_peer peer;
    struct err e = {0};
    int listener, fd;

    REQUIRE(usock_listen(path, 0600, no_group, &listener, &place, &e));
    int client = connect_to(path);
    REQUIRE(client != -1 && usock_accept(listener, &fd, &peer));
    bool has = usock_peer_has_group(fd, &peer, group);
    close(fd);
    close(client);
    close(listener);
    return has;
}

static void knows_our_own_groups(void **state)
{
    const struct bench *b = *state;
    gid_t groups[1024];
    int n = getgroups(ARRAY_LEN(groups), groups);

    assert_true(n >= 0);
    assert_true(has_group(b->path, getegid()));
    for (int i = 0; i < n; i++)
        assert_true(has_group(b->path, groups[i]));
    gid_t other = 54321;
    for (int i = 0; i < n; i++)
        other = groups[i] == other ? other + 1 + (gid_t)n : other;
    assert_false(has_group(b->path, other));
}

struct groups_case {
    const char *path;
    gid_t *groups;
    size_t n;
};

static void with_these_groups(void *arg)
{
    const struct groups_case *c = arg;

    REQUIRE(setgroups(c->n, c->groups) == 0);
    for (size_t i = 0; i<c->n; i += c->n> 100 ? c->n - 1 : 1)
        REQUIRE(has_group(c->path, c->groups[i]));
    REQUIRE(!has_group(c->path, 99));
    REQUIRE(has_group(c->path, getegid()));
}

/* What is looked at first has room for 64. */
static void knows_groups_however_many(void **state)
{
    static const size_t numbers[] = {0, 1, 63, 64, 65, 5000};
    const struct bench *b = *state;
    static gid_t groups[5000];

    if (geteuid() != 0) {
        kit_skip("knows_groups_however_many", "only root can have other groups");
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        groups[i] = (gid_t)(100000 + i);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct groups_case c = {b->path, groups, numbers[i]};
        assert_true(kit_isolated(with_these_groups, &c));
    }
}

static void belongs_to_its_group(void **state)
{
    const struct bench *b = *state;
    gid_t own[1024];
    int n = getgroups(ARRAY_LEN(own), own);
    gid_t group = geteuid() == 0 ? 4242 : n > 0 ? own[n - 1] : getegid();
    struct usock_place place;
    struct err e = {0};
    struct stat st;
    int fd;

    assert_true(usock_listen(b->path, 0660, group, &fd, &place, &e));
    assert_int_equal(lstat(b->path, &st), 0);
    assert_int_equal(st.st_gid, group);
    assert_int_equal(st.st_uid, geteuid());
    assert_int_equal(st.st_mode & 07777, 0660);
    close(fd);
}

static void give_away_what_we_may_not(void *arg)
{
    const struct bench *b = arg;
    struct usock_place place;
    struct err e = {0};
    int fd = -7;

    if (geteuid() == 0) {
        REQUIRE(chmod(b->dir, 0777) == 0);
        REQUIRE(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    }
    REQUIRE(!usock_listen(b->path, 0660, 4243, &fd, &place, &e));
    REQUIRE(e.errnum == EPERM && fd == -7);
    REQUIRE(strcmp(e.text, "giving the socket to group 4243 (only a member of it, or root, can): Operation not "
                           "permitted") == 0);
    REQUIRE(access(b->path, F_OK) == -1 && errno == ENOENT);
}

static void leaves_nothing_when_it_may_not_be_given_away(void **state)
{
    assert_true(kit_isolated(give_away_what_we_may_not, *state));
}

static void knows_the_directory_of_a_path(void **state)
{
    char dir[8];
    (void)state;
    usock_dir("/run/a/b", dir, sizeof dir);
    assert_string_equal(dir, "/run/a");
    usock_dir("/b", dir, sizeof dir);
    assert_string_equal(dir, "/");
    usock_dir("/run/long/b", dir, sizeof dir);
    assert_string_equal(dir, "/run/lo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(has_its_permissions_whatever_the_umask, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_who_connects, setup, teardown),
        cmocka_unit_test_setup_teardown(replaces_what_nobody_listens_to, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_everything_else_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_a_path_is_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_whether_it_is_still_there, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_what_is_unread, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_when_the_peer_is_wholly_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_our_own_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_groups_however_many, setup, teardown),
        cmocka_unit_test_setup_teardown(belongs_to_its_group, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_nothing_when_it_may_not_be_given_away, setup, teardown),
        cmocka_unit_test(knows_the_directory_of_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

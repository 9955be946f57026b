/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The place of the control socket: who makes it, who keeps others out of it, what becomes of it when somebody removes
 * it; and who is let in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/client.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/methods.h"
#include "daemon/parked.h"

#include "unit/daemon/rig.h"

#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { PEERS_MAX = CONTROL_CLIENTS_MAX + 8, TEXT_MAX = 4096, STRANGER = 12345 };

static struct {
    struct spec_set set;
    struct engine engine;
    struct control *control;
    int peers[PEERS_MAX];
    size_t n_peers;
    char said[TEXT_MAX]; /* what the last peer asked about has read */
} t;

void methods_carry_out(struct client *c, const struct proto_request *req)
{
    client_send(c, proto_result(req->id, json_boolean(c->may_act)));
}

void parked_free_all(struct client *c)
{
    (void)c;
}

void parked_settle_all(struct control *c)
{
    c->n_clients += 100;
}

static int begin(void **state)
{
    rig_begin(state);
    rig_catch_log(LOG_LEVEL_INFO);
    rig_dir();
    memset(&t, 0, sizeof t);
    t.engine.loop = rig.loop;
    t.engine.set = &t.set;
    spec_supervisor_defaults(&t.set.supervisor);
    char path[RIG_PATH_MAX];
    return setenv("FOSTER_RUNTIME_DIR", rig_path("run", path), 1);
}

static int end(void **state)
{
    control_close(t.control);
    for (size_t i = 0; i < t.n_peers; i++)
        close(t.peers[i]);
    unsetenv("FOSTER_RUNTIME_DIR");
    return rig_end(state);
}

static const char *in_run(const char *name, char buf[RIG_PATH_MAX])
{
    char rest[64];
    snprintf(rest, sizeof rest, "run/%s", name);
    return rig_path(rest, buf);
}

static void opens(void)
{
    struct err e = {0};
    t.control = control_open(&t.engine, &e);
    if (t.control == NULL)
        fail_msg("%s", e.text);
}

/* It does not open, and says so with TEXT. */
static void refuses(enum err_kind kind, const char *text)
{
    struct err e = {0};
    struct control *c = control_open(&t.engine, &e);
    assert_null(c);
    if (e.kind != kind || strstr(e.text, text) == NULL)
        fail_msg("kind %d: %s", (int)e.kind, e.text);
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    char path[RIG_PATH_MAX];
    return lstat(rig_path(name, path), &st) == 0 ? st.st_mode : 0;
}

/* A new peer, which need not be let in; its number, or -1 when there is nobody to connect to. */
static int connects(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    char path[RIG_PATH_MAX];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    snprintf(to.sun_path, sizeof to.sun_path, "%.100s", in_run(RUNTIME_SOCKET, path));
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    t.peers[t.n_peers] = fd;
    return (int)t.n_peers++;
}

/* Lets the loop turn until nothing happens any more. */
static void rests(void)
{
    int quiet = 0;
    for (int n = 0; n < 1000 && quiet < 3; n++)
        quiet = rig_turns(1) > 0 ? 0 : quiet + 1;
    assert_int_equal(quiet, 3);
}

/* Reads what peer I was told. False at the end of the connection. */
static bool hears(int i)
{
    ssize_t n = read(t.peers[i], t.said, sizeof t.said - 1);
    t.said[n > 0 ? n : 0] = '\0';
    return n > 0 ? recv(t.peers[i], &(char){0}, 1, MSG_PEEK) != 0 : n < 0 && errno == EAGAIN;
}

static bool asks(int i)
{
    static const char hello[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}\n";
    assert_int_equal(send(t.peers[i], hello, sizeof hello - 1, MSG_NOSIGNAL), sizeof hello - 1);
    rests();
    return hears(i) && strstr(t.said, "\"result\":true") != NULL;
}

/* Somebody connects and is answered. */
static bool works(void)
{
    int i = connects();
    return i >= 0 && asks(i);
}

static void it_is_made_for_us_alone(void **state)
{
    (void)state;
    mode_t before = umask(0);
    opens();
    assert_int_equal(umask(before), 0);
    assert_int_equal(mode_of("run"), S_IFDIR | 0700);
    assert_int_equal(mode_of("run/control.sock"), S_IFSOCK | 0600);
    assert_int_equal(mode_of("run/control.sock.lock"), S_IFREG | 0600);
    assert_true(works());
    control_close(t.control);
    t.control = NULL;
    assert_int_equal(mode_of("run/control.sock"), 0);
    assert_int_equal(mode_of("run/control.sock.lock"), 0);
    assert_string_equal(rig_log(), "");
}

static void it_costs_nothing_while_nobody_comes(void **state)
{
    (void)state;
    opens();
    rests();
    assert_int_equal(rig_turns(5), 0);
}

static void a_second_one_is_kept_out(void **state)
{
    (void)state;
    opens();
    refuses(ERR_BUSY, "another fosterd");
    refuses(ERR_BUSY, "run/control.sock");
    assert_true(works());
}

static void what_a_dead_one_has_left_is_taken_over(void **state)
{
    (void)state;
    char path[RIG_PATH_MAX];
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    assert_int_equal(mkdir(rig_path("run", path), 0700), 0);
    rig_write_file("run/control.sock.lock", "");
    snprintf(to.sun_path, sizeof to.sun_path, "%.100s", in_run(RUNTIME_SOCKET, path));
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&to, sizeof to), 0);
    close(dead);
    opens();
    assert_true(works());
}

static void what_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    char path[RIG_PATH_MAX], text[16];
    assert_int_equal(mkdir(rig_path("run", path), 0700), 0);
    rig_write_file("run/control.sock", "precious");
    refuses(ERR_INPUT, "else than a socket");
    assert_int_equal(rig_read_file("run/control.sock", text, sizeof text), 8);
    assert_int_equal(mode_of("run/control.sock.lock"), 0);
}

static void the_configuration_may_name_it(void **state)
{
    (void)state;
    char path[RIG_PATH_MAX];
    t.set.supervisor.control = rig_path("elsewhere/shop.sock", path);
    opens();
    assert_int_equal(mode_of("elsewhere"), S_IFDIR | 0700);
    assert_int_equal(mode_of("elsewhere/shop.sock"), S_IFSOCK | 0600);
    assert_int_equal(mode_of("run"), 0);
}

static void a_directory_that_the_configuration_names_stays_as_it_is(void **state)
{
    (void)state;
    char dir[RIG_PATH_MAX], path[RIG_PATH_MAX];
    assert_int_equal(mkdir(rig_path("public", dir), 0700), 0);
    assert_int_equal(chmod(dir, 01777), 0);
    t.set.supervisor.control = rig_path("public/s", path);
    opens();
    assert_int_equal(mode_of("public"), S_IFDIR | 01777);
    assert_int_equal(mode_of("public/s"), S_IFSOCK | 0600);
}

static void a_path_that_is_too_long_is_told(void **state)
{
    (void)state;
    static char path[2 * RUNTIME_PATH_MAX];
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    t.set.supervisor.control = path;
    refuses(ERR_INPUT, "at most 107 bytes");
    t.set.supervisor.control = NULL;
    assert_int_equal(setenv("FOSTER_RUNTIME_DIR", path, 1), 0);
    refuses(ERR_INPUT, "at most 107 bytes");
    path[RUNTIME_PATH_MAX - 5] = '\0';
    assert_int_equal(setenv("FOSTER_RUNTIME_DIR", path, 1), 0);
    refuses(ERR_INPUT, "at most 107 bytes");
}

static void a_runtime_directory_that_others_can_change_is_refused(void **state)
{
    (void)state;
    char dir[RIG_PATH_MAX], other[RIG_PATH_MAX];
    assert_int_equal(mkdir(rig_path("run", dir), 0700), 0);
    assert_int_equal(chmod(dir, 0770), 0);
    refuses(ERR_INPUT, "FOSTER_RUNTIME_DIR");
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(rename(dir, rig_path("real", other)), 0);
    assert_int_equal(symlink(other, dir), 0);
    refuses(ERR_SYS, "runtime directory");
    assert_int_equal(unlink(dir), 0);
    rig_write_file("run", "");
    refuses(ERR_SYS, "runtime directory");
}

static void a_runtime_directory_of_another_is_refused(void **state)
{
    (void)state;
    char dir[RIG_PATH_MAX];
    if (getuid() != 0) {
        /* Root's is one of another for everybody else. */
        assert_int_equal(setenv("FOSTER_RUNTIME_DIR", "/", 1), 0);
        refuses(ERR_INPUT, "not by us");
        return;
    }
    assert_int_equal(mkdir(rig_path("run", dir), 0700), 0);
    assert_int_equal(chown(dir, STRANGER, STRANGER), 0);
    refuses(ERR_INPUT, "owned by uid 12345, not by us; fosterd needs one of its own");
    assert_int_equal(mode_of("run/control.sock.lock"), 0);
}

static void a_group_gets_through(void **state)
{
    (void)state;
    char name[32], dir[RIG_PATH_MAX];
    struct stat st;
    gid_t group = getuid() == 0 ? STRANGER : getegid();
    snprintf(name, sizeof name, "%lu", (unsigned long)group);
    opens();
    control_close(t.control);
    t.set.supervisor.control_group = name;
    opens();
    assert_false(t.control->group_acts);
    assert_int_equal(mode_of("run/control.sock"), S_IFSOCK | 0660);
    assert_int_equal(stat(rig_path("run", dir), &st), 0);
    /* One that everybody may pass through, or this group already, is let alone; ours was 0700. */
    assert_int_equal(st.st_mode, S_IFDIR | 0750);
    assert_int_equal(st.st_gid, group);
    control_close(t.control);
    t.set.supervisor.control_mode = 0660;
    opens();
    assert_true(t.control->group_acts);
}

static void an_unknown_group_is_told(void **state)
{
    (void)state;
    t.set.supervisor.control_group = "no-such-group-here";
    refuses(ERR_INPUT, "control_group: ");
}

static void the_65th_is_told_and_a_place_is_used_again(void **state)
{
    (void)state;
    int last = 0;
    opens();
    for (int n = 0; n < CONTROL_CLIENTS_MAX; n++)
        last = connects();
    rests();
    assert_int_equal(t.control->n_clients, CONTROL_CLIENTS_MAX);
    int more = connects();
    rests();
    assert_false(hears(more));
    assert_non_null(strstr(t.said, "-32002"));
    assert_int_equal(rig_count(t.said, "\n"), 1);
    assert_int_equal(t.control->n_clients, CONTROL_CLIENTS_MAX);
    assert_true(asks(last));
    shutdown(t.peers[last], SHUT_RDWR);
    rests();
    assert_int_equal(t.control->n_clients, CONTROL_CLIENTS_MAX - 1);
    assert_true(works());
}

static void without_descriptors_connections_wait_and_nothing_spins(void **state)
{
    (void)state;
    opens();
    int first = connects();
    rests();
    int second = connects();
    rlim_t before = rig_limit_fds(3);
    rests();
    assert_int_equal(rig_turns(5), 0);
    assert_true(ev_is_active(&t.control->retry));
    assert_false(ev_is_active(&t.control->listen_io));
    ev_invoke(rig.loop, &t.control->retry, EV_TIMER);
    rests();
    assert_true(ev_is_active(&t.control->retry));
    rig_limit_fds(before);
    assert_int_equal(rig_count(rig_log(), "Too many open files"), 1);
    /* One goes, and the next is let in without waiting for the timer. */
    shutdown(t.peers[first], SHUT_RDWR);
    rests();
    assert_false(ev_is_active(&t.control->retry));
    assert_true(asks(second));
}

static void a_socket_that_is_removed_is_made_anew(void **state)
{
    (void)state;
    char path[RIG_PATH_MAX], away[RIG_PATH_MAX];
    opens();
    int before = connects();
    assert_true(asks(before));
    assert_int_equal(unlink(in_run(RUNTIME_SOCKET, path)), 0);
    assert_int_equal(connects(), -1);
    rests();
    assert_true(works());
    assert_true(asks(before));
    assert_int_equal(rename(path, rig_path("away", away)), 0);
    rests();
    assert_true(works());
    assert_int_equal(rig_count(rig_log(), "made anew"), 2);
    assert_int_equal(rig_turns(5), 0);
}

static void without_being_told_it_is_made_anew_when_asked(void **state)
{
    (void)state;
    char path[RIG_PATH_MAX];
    opens();
    ev_io_stop(rig.loop, &t.control->watch_io);
    assert_int_equal(unlink(in_run(RUNTIME_SOCKET, path)), 0);
    rests();
    assert_int_equal(connects(), -1);
    control_check(t.control);
    control_check(t.control);
    assert_true(works());
    assert_int_equal(rig_count(rig_log(), "made anew"), 1);
}

static void a_lock_that_is_removed_is_taken_anew(void **state)
{
    (void)state;
    char path[RIG_PATH_MAX];
    opens();
    assert_int_equal(unlink(in_run("control.sock.lock", path)), 0);
    rests();
    assert_int_equal(mode_of("run/control.sock.lock"), S_IFREG | 0600);
    refuses(ERR_BUSY, "another fosterd");
    assert_true(works());
}

static void a_directory_that_is_removed_is_made_anew(void **state)
{
    (void)state;
    char path[RIG_PATH_MAX], away[RIG_PATH_MAX];
    opens();
    for (int n = 0; n < 3; n++) {
        assert_int_equal(unlink(in_run("control.sock.lock", path)), 0);
        assert_int_equal(unlink(in_run(RUNTIME_SOCKET, path)), 0);
        assert_int_equal(rmdir(rig_path("run", path)), 0);
        rests();
        assert_int_equal(mode_of("run"), S_IFDIR | 0700);
        assert_true(works());
    }
    assert_int_equal(rename(path, rig_path("away", away)), 0);
    rests();
    assert_true(works());
    refuses(ERR_BUSY, "another fosterd");
}

/* Another fosterd has come while lock and socket were removed: what is there is its own. */
static void the_place_of_another_is_not_taken_back(void **state)
{
    (void)state;
    char lock_path[RIG_PATH_MAX];
    opens();
    int old = connects();
    assert_true(asks(old));
    struct control *first = t.control;
    ev_io_stop(rig.loop, &first->watch_io);
    assert_int_equal(unlink(in_run("control.sock.lock", lock_path)), 0);
    opens();
    ev_io_start(rig.loop, &first->watch_io);
    rests();
    control_check(first);
    assert_int_equal(first->listen_fd, -1);
    assert_int_equal(rig_count(rig_log(), "another fosterd has it"), 1);
    assert_true(asks(old));
    int i = connects();
    rests();
    assert_int_equal(t.control->n_clients, 1);
    /* When that one has gone, the next look takes the place again. */
    control_close(t.control);
    t.control = first;
    control_check(first);
    assert_true(works());
    assert_false(hears(i));
}

static void at_the_end_connections_end(void **state)
{
    (void)state;
    opens();
    int i = connects();
    assert_true(asks(i));
    control_close(t.control);
    t.control = NULL;
    assert_false(hears(i));
    assert_int_equal(connects(), -1);
}

static void requests_that_wait_are_looked_at_when_a_state_has_changed(void **state)
{
    (void)state;
    opens();
    control_settle(t.control);
    assert_int_equal(t.control->n_clients, 0);
    t.control->unsettled = true;
    control_settle(t.control);
    control_settle(t.control);
    assert_int_equal(t.control->n_clients, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_made_for_us_alone, begin, end),
        cmocka_unit_test_setup_teardown(it_costs_nothing_while_nobody_comes, begin, end),
        cmocka_unit_test_setup_teardown(a_second_one_is_kept_out, begin, end),
        cmocka_unit_test_setup_teardown(what_a_dead_one_has_left_is_taken_over, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_socket_is_left_alone, begin, end),
        cmocka_unit_test_setup_teardown(the_configuration_may_name_it, begin, end),
        cmocka_unit_test_setup_teardown(a_directory_that_the_configuration_names_stays_as_it_is, begin, end),
        cmocka_unit_test_setup_teardown(a_path_that_is_too_long_is_told, begin, end),
        cmocka_unit_test_setup_teardown(a_runtime_directory_that_others_can_change_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_runtime_directory_of_another_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_group_gets_through, begin, end),
        cmocka_unit_test_setup_teardown(an_unknown_group_is_told, begin, end),
        cmocka_unit_test_setup_teardown(the_65th_is_told_and_a_place_is_used_again, begin, end),
        cmocka_unit_test_setup_teardown(without_descriptors_connections_wait_and_nothing_spins, begin, end),
        cmocka_unit_test_setup_teardown(a_socket_that_is_removed_is_made_anew, begin, end),
        cmocka_unit_test_setup_teardown(without_being_told_it_is_made_anew_when_asked, begin, end),
        cmocka_unit_test_setup_teardown(a_lock_that_is_removed_is_taken_anew, begin, end),
        cmocka_unit_test_setup_teardown(a_directory_that_is_removed_is_made_anew, begin, end),
        cmocka_unit_test_setup_teardown(the_place_of_another_is_not_taken_back, begin, end),
        cmocka_unit_test_setup_teardown(at_the_end_connections_end, begin, end),
        cmocka_unit_test_setup_teardown(requests_that_wait_are_looked_at_when_a_state_has_changed, begin, end),
    };
    return cmocka_run_group_tests_name("control", tests, rig_open_loop, rig_close_loop);
}

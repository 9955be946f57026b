/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The sockets of services: there before their program and after it, kept when the configuration changes around them,
 * and given to each run in the order of the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/launch_add.h"
#include "daemon/sockets.h"
#include "unit/daemon/launch_kit.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SOCKETS_MAX = 4 };

static struct spec_set sets[2];
static struct spec services[2][BENCH_UNITS];
static struct spec_socket sockets[2][BENCH_UNITS][SOCKETS_MAX];
static char paths[SOCKETS_MAX][RIG_PATH_MAX];

static int begin_sockets(void **state)
{
    static const char *const names[] = {"one", "two", "three", "four"};
    int r = begin(state);
    rig_dir();
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        rig_path(names[i], paths[i]);
    memset(sockets, 0, sizeof sockets);
    for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
        sets[s] = (struct spec_set){.name = "test", .services = services[s], .n_services = BENCH_UNITS};
        for (size_t i = 0; i < BENCH_UNITS; i++) {
            spec_defaults(&services[s][i]);
            services[s][i].name = bench_specs[i].name;
            services[s][i].enabled = true;
            services[s][i].log[SPEC_STREAM_OUT].driver = SPEC_LOG_INHERIT;
            services[s][i].sockets = sockets[s][i];
        }
    }
    return r;
}

static int end_sockets(void **state)
{
    sockets_stop(&bench);
    bench.set = NULL;
    return end(state);
}

/* Adds a socket at PATH to service I of set S. */
static struct spec_socket *add_path(size_t s, size_t i, const char *path)
{
    struct spec_socket *socket = &sockets[s][i][services[s][i].n_sockets++];
    *socket = (struct spec_socket){.listen = path,
                                   .kind = SPEC_SOCKET_UNIX,
                                   .path = path,
                                   .name = services[s][i].name,
                                   .mode = 0600,
                                   .backlog = 8};
    return socket;
}

static void point_units_at(size_t s)
{
    bench.set = &sets[s];
    for (size_t i = 0; i < BENCH_UNITS; i++)
        bench_units[i].spec = &services[s][i];
}

static void start(void)
{
    struct err e = {0};
    point_units_at(0);
    assert_true(sockets_start(&bench, &e));
}

/* Set 1 is in force now. */
static void reload(void)
{
    assert_true(sockets_reserve(&bench, &sets[1]));
    point_units_at(1);
    sockets_renew(&bench);
}

/* A connection to PATH, or -1 with errno. */
static int connect_to(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    int errnum = errno;
    close(fd);
    errno = errnum;
    return -1;
}

static void assert_served(const char *path)
{
    int fd = connect_to(path);
    assert_int_not_equal(fd, -1);
    close(fd);
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* The request for unit I, with what an earlier part may have put there. */
static struct spawn_request request(unsigned i, struct arena *a)
{
    static char *envp[] = {(char *)"LISTEN_FDS=9", (char *)"PATH=/bin", (char *)"LISTEN_FDNAMES=x", NULL};
    struct spawn_request req = {.envp = envp};
    assert_true(sockets_request(&bench_units[i], a, &req));
    return req;
}

/* ------------------------------------------------------------------ giving */

static void program_is_given_them_in_the_order_of_the_file(void **state UNUSED)
{
    char want[TEXT_MAX];
    add_path(0, 0, paths[0])->name = "first";
    add_path(0, 0, paths[1]);
    add_path(0, 1, paths[2]);
    start();
    catch_output();
    COMMAND(0, "/bin/sh", "-c",
            "echo $LISTEN_FDS $LISTEN_FDNAMES $(($LISTEN_PID == $$));"
            "for i in 3 4 5; do if [ -e /proc/self/fd/$i ]; then readlink /proc/$$/fd/$i; fi; done");
    services[0][0].command = bench_specs[0].command;
    services[0][0].n_command = bench_specs[0].n_command;
    launch(0, 1);
    assert_int_equal(finish(0), 0);
    char mine[2][RIG_PATH_MAX];
    for (int i = 0; i < 2; i++) {
        struct arena a = {0};
        struct spawn_request req = request(0, &a);
        char link[RIG_PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", req.fds[i].fd);
        ssize_t n = readlink(link, mine[i], sizeof mine[i] - 1);
        assert_true(n > 0);
        mine[i][n] = '\0';
        arena_done(&a);
    }
    snprintf(want, sizeof want, "2 first:web 1\n%.100s\n%.100s\n", mine[0], mine[1]);
    assert_string_equal(heard(), want);
}

static void request_has_what_is_needed_and_nothing_else(void **state UNUSED)
{
    struct arena a = {0};
    add_path(0, 0, paths[0]);
    add_path(0, 0, paths[1]);
    start();
    struct spawn_request req = request(0, &a);
    assert_int_equal(req.n_fds, 2);
    for (int i = 0; i < 2; i++) {
        struct sockaddr_un at = {0};
        socklen_t len = sizeof at;
        assert_int_equal(req.fds[i].number, 3 + i);
        assert_int_equal(getsockname(req.fds[i].fd, (struct sockaddr *)&at, &len), 0);
        assert_string_equal(at.sun_path, paths[i]);
    }
    assert_string_equal(req.envp[0], "PATH=/bin");
    assert_string_equal(req.envp[1], "LISTEN_FDS=2");
    assert_string_equal(req.envp[2], "LISTEN_FDNAMES=web:web");
    assert_string_equal(req.envp[3], "LISTEN_PID=");
    assert_ptr_equal(req.pid_slots[0], req.envp[3] + strlen("LISTEN_PID="));
    assert_null(req.pid_slots[1]);
    assert_null(req.envp[4]);
    /* A service without sockets is told nothing of any. */
    req = request(1, &a);
    assert_int_equal(req.n_fds, 0);
    assert_null(req.pid_slots);
    assert_string_equal(req.envp[0], "LISTEN_FDS=9");
    arena_done(&a);
}

static void additions_to_a_request_add_up(void **state UNUSED)
{
    static const struct spawn_fd few[] = {{7, 3}, {8, 4}}, one[] = {{9, 20}};
    static char *envp[] = {(char *)"A=1", (char *)"B=2", (char *)"A=3", (char *)"AA=4", NULL};
    struct arena a = {0};
    struct spawn_request req = {.envp = envp};
    assert_true(launch_add_variable(&a, &req, arena_strdup(&a, "A=new")));
    assert_false(launch_add_variable(&a, &req, NULL));
    assert_true(launch_add_pid(&a, &req, "ONE_PID"));
    assert_true(launch_add_pid(&a, &req, "B"));
    assert_true(launch_add_fds(&a, &req, few, 2));
    assert_true(launch_add_fds(&a, &req, one, 1));
    static const char *const want[] = {"AA=4", "A=new", "ONE_PID=", "B="};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(req.envp[i], want[i]);
    assert_null(req.envp[ARRAY_LEN(want)]);
    assert_ptr_equal(req.pid_slots[0], req.envp[2] + 8);
    assert_ptr_equal(req.pid_slots[1], req.envp[3] + 2);
    assert_null(req.pid_slots[2]);
    assert_int_equal(req.n_fds, 3);
    assert_int_equal(req.fds[1].fd, 8);
    assert_int_equal(req.fds[2].number, 20);
    arena_done(&a);
}

/* ------------------------------------------------------------------ opening */

static void they_are_there_without_their_program(void **state UNUSED)
{
    add_path(0, 0, paths[0]);
    add_path(0, 1, paths[1]);
    add_path(0, 1, paths[2]);
    services[0][1].scale = 0;
    start();
    for (int i = 0; i < 3; i++)
        assert_served(paths[i]);
    sockets_stop(&bench);
    for (int i = 0; i < 3; i++)
        assert_false(is_there(paths[i]));
    assert_string_equal(rig_log(), "");
}

static void service_that_is_not_wanted_has_none(void **state UNUSED)
{
    add_path(0, 0, paths[0]);
    add_path(0, 1, paths[1]);
    services[0][0].enabled = false;
    start();
    assert_false(is_there(paths[0]));
    assert_served(paths[1]);
}

/* Another program listens at first. */
static void what_is_in_use_is_tried_again_at_each_start(void **state UNUSED)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct err e = {0};
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(other, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(getsockname(other, (struct sockaddr *)&at, &len), 0);
    add_path(0, 0, paths[0]);
    services[0][0].n_sockets++;
    sockets[0][0][1] = (struct spec_socket){.listen = "127.0.0.1:80",
                                            .kind = SPEC_SOCKET_TCP,
                                            .host = "127.0.0.1",
                                            .port = ntohs(at.sin_port),
                                            .name = "web",
                                            .mode = -1,
                                            .backlog = 8};
    start();
    assert_non_null(strstr(rig_log(), "web: warning: sockets[1] 127.0.0.1:80: Address already in use; it is tried "
                                      "again when the service is started\n"));
    assert_served(paths[0]);
    assert_false(sockets_open(&bench_units[0], &e));
    assert_string_equal(e.text, "sockets[1] 127.0.0.1:80: Address already in use");
    assert_int_equal(e.errnum, EBUSY);
    COMMAND(0, "/bin/true");
    launch_unit(&bench_units[0], 1);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.events[0].kind, EVENT_SPAWN_FAILED);
    assert_int_equal(told.events[0].errnum, EBUSY);
    assert_string_equal(told.texts[0], "sockets[1] 127.0.0.1:80: Address already in use");
    close(other);
    assert_true(sockets_open(&bench_units[0], &e));
    /* It is open now, and stays so. */
    assert_true(sockets_open(&bench_units[0], &e));
    assert_served(paths[0]);
}

static void what_cannot_be_is_not_tried_for_ever(void **state UNUSED)
{
    struct err e = {0};
    char none[RIG_PATH_MAX], want[TEXT_MAX];
    rig_path("none/sock", none);
    add_path(0, 0, none);
    start();
    assert_false(sockets_open(&bench_units[0], &e));
    snprintf(want, sizeof want, "sockets[0] %s: No such file or directory; the directory %.*s has to be there first",
             none, (int)strlen(none) - 5, none);
    assert_string_equal(e.text, want);
    assert_int_equal(e.errnum, ENOENT);
}

/* ------------------------------------------------------------------ other configurations */

/* Connections that wait to be accepted show that nothing was closed meanwhile. */
static void what_is_the_same_stays_open(void **state UNUSED)
{
    struct arena a = {0};
    add_path(0, 0, paths[0]);
    add_path(0, 0, paths[1]);
    add_path(0, 1, paths[2]);
    /* In another order, of another service, under another name. */
    add_path(1, 0, paths[2]);
    add_path(1, 1, paths[3]);
    add_path(1, 1, paths[0])->name = "other";
    start();
    int waiting[] = {connect_to(paths[0]), connect_to(paths[1]), connect_to(paths[2])};
    reload();
    assert_false(is_there(paths[1]));
    char c;
    assert_int_equal(read(waiting[1], &c, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    struct spawn_request first = request(0, &a), second = request(1, &a);
    assert_int_equal(first.n_fds, 1);
    assert_int_equal(second.n_fds, 2);
    int taken = accept4(first.fds[0].fd, NULL, NULL, SOCK_CLOEXEC);
    assert_int_not_equal(taken, -1);
    close(taken);
    taken = accept4(second.fds[1].fd, NULL, NULL, SOCK_CLOEXEC);
    assert_int_not_equal(taken, -1);
    close(taken);
    assert_served(paths[3]);
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
        close(waiting[i]);
    arena_done(&a);
    assert_string_equal(rig_log(), "");
}

static void permissions_change_in_place(void **state UNUSED)
{
    struct stat st;
    add_path(0, 0, paths[0]);
    add_path(1, 0, paths[0])->mode = 0640;
    start();
    int waiting = connect_to(paths[0]);
    reload();
    assert_int_equal(lstat(paths[0], &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    struct pollfd p = {.fd = waiting, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0);
    close(waiting);
    assert_served(paths[0]);
}

static void what_cannot_be_changed_serves_on(void **state UNUSED)
{
    char want[TEXT_MAX];
    add_path(0, 0, paths[0]);
    add_path(1, 0, paths[0])->mode = 0640;
    start();
    assert_int_equal(unlink(paths[0]), 0);
    rig_write_file("one", "somebody's");
    reload();
    snprintf(want, sizeof want,
             "web: warning: sockets[0] %s: File exists; somebody has put something else there; it stays as it was\n",
             paths[0]);
    if (strstr(rig_log(), want) == NULL)
        fail_msg("%s", rig_log());
    sockets_stop(&bench);
    assert_true(is_there(paths[0]));
}

static void path_can_become_another_kind_of_socket(void **state UNUSED)
{
    add_path(0, 0, paths[0]);
    add_path(1, 1, paths[0])->kind = SPEC_SOCKET_DATAGRAM;
    start();
    reload();
    assert_int_equal(connect_to(paths[0]), -1);
    assert_int_equal(errno, EPROTOTYPE);
    assert_string_equal(rig_log(), "");
}

static void rejected_configuration_changes_nothing(void **state UNUSED)
{
    add_path(0, 0, paths[0]);
    add_path(1, 0, paths[1]);
    start();
    assert_true(sockets_reserve(&bench, &sets[1]));
    assert_true(sockets_reserve(&bench, &sets[1]));
    assert_served(paths[0]);
    assert_false(is_there(paths[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(program_is_given_them_in_the_order_of_the_file, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(request_has_what_is_needed_and_nothing_else, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(additions_to_a_request_add_up, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(they_are_there_without_their_program, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(service_that_is_not_wanted_has_none, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(what_is_in_use_is_tried_again_at_each_start, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_not_tried_for_ever, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(what_is_the_same_stays_open, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(permissions_change_in_place, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(what_cannot_be_changed_serves_on, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(path_can_become_another_kind_of_socket, begin_sockets, end_sockets),
        cmocka_unit_test_setup_teardown(rejected_configuration_changes_nothing, begin_sockets, end_sockets),
    };
    return cmocka_run_group_tests_name("sockets", tests, rig_open_loop, rig_close_loop);
}

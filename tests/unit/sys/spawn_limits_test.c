/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a started program may use, told by itself: resource limits, priority, its place in the order of those that go
 * when memory is out, control groups; and what is said when that cannot be had.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/sys_cred.h"

#include "unit/sys/spawn_report.h"

#include <sched.h>
#include <sys/mount.h>

static char self[PATH_MAX];
static char *report_argv[] = {self, (char *)"report", NULL};

static struct spawn_request request(void)
{
    return (struct spawn_request){.argv = report_argv, .envp = no_env, .umask = -1, .stdio = {-1, -1, -1}};
}

static void assert_fails(const struct spawn_request *req, enum spawn_step step, int errnum, int detail,
                         const char *text)
{
    struct spawn_child child;
    struct spawn_failure failure = {0};
    struct err e = {0};
    char said[TEXT_MAX];
    REQUIRE(spawn_start(req, &child, &e));
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_FAILED);
    spawn_failure_text(req, &failure, said, sizeof said);
    if (failure.step != step || strcmp(said, text) != 0)
        dprintf(*kit_error_fd(), "step %d: %s\n", (int)failure.step, said);
    REQUIRE(failure.step == step && failure.errnum == errnum && failure.detail == detail);
    REQUIRE(strcmp(said, text) == 0);
    REQUIRE(waitpid(child.pid, NULL, 0) == child.pid);
    spawn_kit_close(&child);
}

/* Takes all rights from this process that make it more than an ordinary user's. */
static void become_ordinary(void)
{
    const struct sys_caps none = {0};
    REQUIRE(sys_capset(&none) == 0);
}

/* ------------------------------------------------------------------ limits */

static void limits_are_set(void **state UNUSED)
{
    const struct rlimit nofile = {50, 60};
    const struct spawn_limit limits[] = {
        {RLIMIT_CORE, {0, 0}},
        {RLIMIT_NOFILE, {30, 40}},
        {RLIMIT_CPU, {1000, 2000}},
    };
    char text[TEXT_MAX], line[KIT_PATH_MAX];
    struct spawn_request req = request();
    req.nofile = &nofile;
    req.limits = limits;
    req.n_limits = ARRAY_LEN(limits);
    spawn_run_and_read(req, text);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        kit_path(line, "limit%d=%llu/%llu", limits[i].resource, (unsigned long long)limits[i].limit.rlim_cur,
                 (unsigned long long)limits[i].limit.rlim_max);
        spawn_assert_line(text, line);
    }
    /* Without one of its own the program gets back what we were given. */
    req.n_limits = 1;
    spawn_run_and_read(req, text);
    kit_path(line, "limit%d=50/60", RLIMIT_NOFILE);
    spawn_assert_line(text, line);
}

/* A limit that leaves no room for a descriptor comes when none is needed any more. */
static void a_limit_of_no_descriptors_does_not_hinder_the_start(void **state UNUSED)
{
    static const struct spawn_limit none = {RLIMIT_NOFILE, {0, 0}};
    char *argv[] = {self, (char *)"nofile", NULL};
    struct spawn_request req = request();
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};
    char *env[] = {(char *)"ASAN_OPTIONS=detect_leaks=0", NULL};
    req.envp = env;
    req.argv = argv;
    req.limits = &none;
    req.n_limits = 1;
    req.working_dir = "/";
    assert_true(spawn_start(&req, &child, &e));
    /* The program's loader may well need one. */
    assert_int_equal(spawn_kit_verdict(&child, &failure), SPAWN_EXECED);
    kit_wait(child.pid);
    spawn_kit_close(&child);
}

static void beyond_hard_limits(void *arg UNUSED)
{
    const struct rlimit low = {7, 7};
    const struct spawn_limit limits[] = {{RLIMIT_CORE, {0, 0}}, {RLIMIT_MSGQUEUE, {7, 100}}};
    const struct spawn_limit nofile = {RLIMIT_NOFILE, {1, RLIM_INFINITY}};
    char text[128];
    struct rlimit own;
    struct spawn_request req = request();
    become_ordinary();
    REQUIRE(setrlimit(RLIMIT_MSGQUEUE, &low) == 0);
    req.limits = limits;
    req.n_limits = ARRAY_LEN(limits);
    assert_fails(&req, SPAWN_STEP_LIMITS, EPERM, 1,
                 "ulimits msgqueue 7:100: Operation not permitted; above the hard limit 7 needs CAP_SYS_RESOURCE");
    REQUIRE(getrlimit(RLIMIT_NOFILE, &own) == 0 && own.rlim_max != RLIM_INFINITY);
    req.limits = &nofile;
    req.n_limits = 1;
    snprintf(text, sizeof text,
             "ulimits nofile 1:unlimited: Operation not permitted; above the hard limit %llu needs CAP_SYS_RESOURCE",
             (unsigned long long)own.rlim_max);
    assert_fails(&req, SPAWN_STEP_NOFILE, EPERM, 0, text);
}

static void what_is_beyond_a_hard_limit_is_told(void **state UNUSED)
{
    assert_true(kit_isolated(beyond_hard_limits, NULL));
}

/* ------------------------------------------------------------------ priority, memory */

static void nice_is_set(void **state UNUSED)
{
    char text[TEXT_MAX], line[32];
    int own = getpriority(PRIO_PROCESS, 0), nicer = own < 19 ? own + 1 : own;
    struct spawn_request req = request();
    spawn_run_and_read(req, text);
    snprintf(line, sizeof line, "nice=%d", own);
    spawn_assert_line(text, line);
    req.nice = &nicer;
    spawn_run_and_read(req, text);
    snprintf(line, sizeof line, "nice=%d", nicer);
    spawn_assert_line(text, line);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), own);
}

static void oom_score_adj_is_set(void **state UNUSED)
{
    static const int most = 1000;
    char text[TEXT_MAX], line[32];
    int own = spawn_oom_score_adj();
    struct spawn_request req = request();
    spawn_run_and_read(req, text);
    snprintf(line, sizeof line, "oom=%d", own);
    spawn_assert_line(text, line);
    req.oom_score_adj = &most;
    spawn_run_and_read(req, text);
    spawn_assert_line(text, "oom=1000");
    assert_int_equal(spawn_oom_score_adj(), own);
}

static void less_than_our_own(void *arg UNUSED)
{
    static const int nice = -20, oom_score_adj = -1000;
    const struct rlimit none = {0, 0};
    struct spawn_request req = request();
    REQUIRE(setrlimit(RLIMIT_NICE, &none) == 0);
    become_ordinary();
    req.nice = &nice;
    if (getpriority(PRIO_PROCESS, 0) > nice)
        assert_fails(&req, SPAWN_STEP_NICE, EACCES, SPAWN_NO_DETAIL,
                     "nice -20: Permission denied; less than fosterd's own needs CAP_SYS_NICE");
    req.nice = NULL;
    req.oom_score_adj = &oom_score_adj;
    /* What somebody with more rights has set once may be set again. */
    if (spawn_oom_score_adj() > oom_score_adj)
        assert_fails(&req, SPAWN_STEP_OOM_SCORE_ADJ, EACCES, SPAWN_NO_DETAIL,
                     "oom_score_adj -1000: Permission denied; less than fosterd's own needs CAP_SYS_RESOURCE");
}

static void less_than_our_own_is_refused(void **state UNUSED)
{
    assert_true(kit_isolated(less_than_our_own, NULL));
}

/* ------------------------------------------------------------------ control groups */

/* Files that are no control groups show who writes what. */
static void the_child_joins_its_groups_itself(void **state UNUSED)
{
    int ends[3][2], dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pipe2(ends[i], O_CLOEXEC), 0);
    const int v1[] = {ends[1][1], ends[2][1]};
    struct spawn_cgroups cgroups = {.v2_fd = dir, .v2_procs_fd = ends[0][1], .procs_fds = v1, .n_procs_fds = 2};
    struct spawn_request req = request();
    char text[TEXT_MAX];
    req.cgroups = &cgroups;
    /* "/" is no group that a process could be born in, whatever the kernel. */
    spawn_run_and_read(req, text);
    assert_int_equal(spawn_count_lines(text, "fd"), 3);
    for (int i = 0; i < 3; i++) {
        close(ends[i][1]);
        assert_string_equal(kit_read_end(ends[i][0], text, sizeof text), "0");
        close(ends[i][0]);
    }
    close(dir);
}

static void a_group_that_cannot_be_joined_is_told(void **state UNUSED)
{
    int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const int v1[] = {null, dir};
    struct spawn_cgroups cgroups = {.v2_fd = -1, .v2_procs_fd = -1, .procs_fds = v1, .n_procs_fds = 2};
    struct spawn_request req = request();
    struct spawn_child child;
    struct err e = {0};
    req.cgroups = &cgroups;
    assert_fails(&req, SPAWN_STEP_CGROUP, EBADF, 1, "cgroup: Bad file descriptor");
    cgroups.v2_procs_fd = dir;
    assert_fails(&req, SPAWN_STEP_CGROUP, EBADF, SPAWN_NO_DETAIL, "cgroup: Bad file descriptor");
    /* Without another way in there is no process. */
    cgroups.v2_fd = dir;
    cgroups.v2_procs_fd = -1;
    assert_false(spawn_start(&req, &child, &e));
    assert_non_null(strstr(e.text, "fork: "));
    close(dir);
    close(null);
}

/* The path in the line of /proc/self/cgroup that is of version 2, up to its end. */
static int report_cgroup(void)
{
    char line[512];
    FILE *list = fopen("/proc/self/cgroup", "re");
    while (fgets(line, sizeof line, list) != NULL) {
        if (strncmp(line, "0::", 3) == 0)
            printf("%s", line);
    }
    fclose(list);
    return 0;
}

/* A control group of version 2 below ours, where we may make one: 0, or 77. */
static void born_in_group(void *arg)
{
    char *dir = arg, path[KIT_PATH_MAX], text[TEXT_MAX] = "", want[64];
    char *argv[] = {self, (char *)"cgroup", NULL};
    struct spawn_request req = request();
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};
    int out[2], status;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", dir, "cgroup2", 0, NULL) != 0)
        _exit(77);
    snprintf(path, sizeof path, "%s/foster-test-%d", dir, (int)getpid());
    if (mkdir(path, 0755) != 0)
        _exit(77);
    struct spawn_cgroups cgroups = {.v2_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .v2_procs_fd = -1};
    REQUIRE(cgroups.v2_fd >= 0 && pipe2(out, O_CLOEXEC) == 0);
    req.argv = argv;
    req.cgroups = &cgroups;
    req.stdio[1] = out[1];
    bool born = spawn_start(&req, &child, &e);
    close(out[1]);
    if (born) {
        REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_EXECED);
        REQUIRE(read(out[0], text, sizeof text - 1) > 0);
        REQUIRE(waitpid(child.pid, &status, 0) == child.pid && status == 0);
    }
    REQUIRE(rmdir(path) == 0 && umount2(dir, MNT_DETACH) == 0);
    if (!born)
        _exit(77);
    snprintf(want, sizeof want, "/foster-test-%d\n", (int)getpid());
    REQUIRE(strlen(text) > strlen(want) && strcmp(text + strlen(text) - strlen(want), want) == 0);
}

static void a_process_is_born_in_its_group(void **state UNUSED)
{
    char dir[KIT_PATH_MAX];
    kit_make_dir(dir);
    fflush(NULL);
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        born_in_group(dir);
        _exit(0);
    }
    int code = kit_wait(pid);
    kit_remove(dir);
    if (code == 77) {
        print_message("SKIP: needs root, a kernel from 5.7 on and cgroup2\n");
        skip();
    }
    assert_int_equal(code, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "nofile") == 0)
        return 0;
    if (argc > 1 && strcmp(argv[1], "cgroup") == 0)
        return report_cgroup();
    if (argc > 1)
        return spawn_report(argc, argv);
    if (kit_under_valgrind()) {
        kit_skip("spawn", "valgrind does not survive an execve that fails, and has limits of its own");
        return 77;
    }
    if (realpath(argv[0], self) == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_set),
        cmocka_unit_test(a_limit_of_no_descriptors_does_not_hinder_the_start),
        cmocka_unit_test(what_is_beyond_a_hard_limit_is_told),
        cmocka_unit_test(nice_is_set),
        cmocka_unit_test(oom_score_adj_is_set),
        cmocka_unit_test(less_than_our_own_is_refused),
        cmocka_unit_test(the_child_joins_its_groups_itself),
        cmocka_unit_test(a_group_that_cannot_be_joined_is_told),
        cmocka_unit_test(a_process_is_born_in_its_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

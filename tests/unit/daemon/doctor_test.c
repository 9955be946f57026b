/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is said of the surroundings: in a form that holds for every check, right where we can bring the cause about, and
 * without changing anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/control.h"
#include "daemon/doctor.h"

#include "unit/daemon/bench.h"

#include <grp.h>

enum { NOT_ROOT = 65534, TEXT_MAX = 512 };

static struct spec_set set;

static int begin(void **state)
{
    set = (struct spec_set){0};
    spec_supervisor_defaults(&set.supervisor);
    int ret = bench_begin(state);
    bench.set = &set;
    return ret;
}

static json_t *look(void)
{
    json_t *checks = doctor_look(&bench);
    assert_non_null(checks);
    assert_true(json_is_array(checks));
    return checks;
}

static const char *member(const json_t *check, const char *key)
{
    const char *text = json_string_value(json_object_get(check, key));
    if (text == NULL)
        fail_msg("a check has no %s", key);
    return text;
}

static const json_t *find(const json_t *checks, const char *name)
{
    size_t i;
    json_t *check;
    json_array_foreach(checks, i, check) if (strcmp(member(check, "name"), name) == 0) return check;
    fail_msg("there is no check %s", name);
    return NULL;
}

static void assert_check(const char *name, const char *level, const char *found)
{
    json_t *checks = look();
    const json_t *check = find(checks, name);
    if (strcmp(member(check, "level"), level) != 0 || strstr(member(check, "found"), found) == NULL)
        fail_msg("%s: %s: %s", name, member(check, "level"), member(check, "found"));
    json_decref(checks);
}

static void every_check_says_what_it_must(void **state)
{
    static const char *const names[] = {
        "kernel",
        "subreaper",
        "proc",
        "children-lists",
        "tags",
        "pidfd_open",
        "clone3",
        "close_range",
        "waitid-pidfd",
        "pidfd_send_signal",
        "signalfd",
        "timerfd",
        "inotify",
        "CAP_KILL",
        "CAP_SETUID",
        "CAP_SETGID",
        "CAP_SYS_RESOURCE",
        "no-new-privileges",
        "seccomp",
        "limit-nofile",
        "limit-nproc",
        "limit-core",
        "pid-max",
        "pids-limit",
        "cgroup",
        "cgroup-pids",
        "cgroup-memory",
        "cgroup-cpu",
        "oom-group",
        "control-socket",
        "state-dir",
        "standard-output",
        "process-1",
    };
    size_t i, k;
    json_t *check, *other;
    (void)state;
    json_t *checks = look();
    assert_int_equal(json_array_size(checks), ARRAY_LEN(names));
    for (size_t n = 0; n < ARRAY_LEN(names); n++)
        (void)find(checks, names[n]);
    json_array_foreach(checks, i, check)
    {
        const char *level = member(check, "level");
        const json_t *consequence = json_object_get(check, "consequence");
        assert_int_equal(json_object_size(check), 4);
        assert_true(member(check, "found")[0] != '\0');
        if (strcmp(level, "ok") == 0) {
            assert_true(json_is_null(consequence));
            continue;
        }
        assert_true(strcmp(level, "note") == 0 || strcmp(level, "warn") == 0);
        const char *sentence = json_string_value(consequence);
        assert_non_null(sentence);
        assert_true(strlen(sentence) > 20 && strchr(".)", sentence[strlen(sentence) - 1]) != NULL);
        json_array_foreach(checks, k, other)
            assert_true(k == i || strcmp(member(check, "name"), member(other, "name")) != 0);
    }
    json_decref(checks);
}

static void looking_changes_nothing(void **state)
{
    struct rlimit before[RLIM_NLIMITS], after;
    int n_fds = rig_fds(), reaper = -1;
    mode_t mask = umask(022);
    (void)state;
    umask(mask);
    for (int i = 0; i < (int)RLIM_NLIMITS; i++)
        assert_int_equal(sys_prlimit_get(0, i, &before[i]), 0);
    json_decref(look());
    assert_int_equal(rig_fds(), n_fds);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
        assert_int_equal(sys_prlimit_get(0, i, &after), 0);
        assert_memory_equal(&before[i], &after, sizeof after);
    }
    assert_int_equal(sys_get_subreaper(&reaper), 0);
    assert_int_equal(reaper, 1);
    assert_int_equal(umask(mask), mask);
    assert_int_equal(rig_turns(1), 0);
}

static void the_subreaper_flag(void **state)
{
    (void)state;
    assert_check("subreaper", "ok", "is set");
    assert_int_equal(sys_set_subreaper(false), 0);
    assert_check("subreaper", "warn", "not set");
    bench.is_init = true;
    assert_check("subreaper", "ok", "process 1");
    assert_check("process-1", "ok", "fosterd itself");
    bench.is_init = false;
    assert_int_equal(sys_set_subreaper(true), 0);
}

static void where_children_are_listed(void **state)
{
    static const struct {
        enum procfs_children_source source;
        const char *proc, *lists;
    } cases[] = {
        {PROCFS_CHILDREN_FILE, "ok", "ok"},
        {PROCFS_CHILDREN_SCAN, "ok", "note"},
        {PROCFS_CHILDREN_NONE, "warn", "note"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bench.children_source = cases[i].source;
        assert_check("proc", cases[i].proc, "/proc");
        assert_check("children-lists", cases[i].lists, "");
    }
}

static void levels_of_tags(void **state)
{
    static const struct {
        uint64_t own;
        const char *level, *found;
    } cases[] = {
        {UINT64_MAX, "ok", "level 1"},
        {UINT64_C(1) << 40, "ok", "level 2"},
        {UINT64_C(1) << 20, "ok", "level 3"},
        {1000, "warn", "1000 file locks"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        attrib_done(&bench.attrib);
        attrib_init(&bench.attrib, cases[i].own, 1, 1);
        assert_check("tags", cases[i].level, cases[i].found);
    }
}

static void descriptors_for_all_services(void **state)
{
    struct rlimit lim;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
    struct rlimit few = {.rlim_cur = 64, .rlim_max = lim.rlim_max};
    struct rlimit enough = {.rlim_cur = 70, .rlim_max = lim.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_check("limit-nofile", "warn", "soft 64");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &enough), 0);
    assert_check("limit-nofile", "ok", "soft 70");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
}

static void core_dumps(void **state)
{
    struct rlimit lim;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_CORE, &lim), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = lim.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_CORE, &none), 0);
    assert_check("limit-core", "note", "soft 0");
    if (lim.rlim_max > 0) {
        assert_int_equal(setrlimit(RLIMIT_CORE, &(struct rlimit){lim.rlim_max, lim.rlim_max}), 0);
        assert_check("limit-core", "ok", "soft ");
    }
    assert_int_equal(setrlimit(RLIMIT_CORE, &lim), 0);
}

static void where_output_goes(void **state)
{
    static const struct {
        const char *path; /* NULL: a pipe */
        const char *level, *found;
    } cases[] = {{"/dev/null", "note", "/dev/null"}, {"out", "note", "a file"}, {NULL, "ok", "a pipe"}};
    char path[RIG_PATH_MAX];
    (void)state;
    rig_dir();
    rig_write_file("out", "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fds[2] = {-1, -1};
        if (cases[i].path == NULL)
            assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        else
            fds[1] = open(*cases[i].path == '/' ? cases[i].path : rig_path(cases[i].path, path), O_WRONLY | O_CLOEXEC);
        assert_true(fds[1] >= 0);
        /* Until then messages of the test itself would go there. */
        fflush(stdout);
        int saved = dup(STDOUT_FILENO);
        dup2(fds[1], STDOUT_FILENO);
        json_t *checks = look();
        dup2(saved, STDOUT_FILENO);
        close(saved);
        close(fds[0]);
        close(fds[1]);
        const json_t *check = find(checks, "standard-output");
        assert_string_equal(member(check, "level"), cases[i].level);
        assert_string_equal(member(check, "found"), cases[i].found);
        json_decref(checks);
    }
}

static void the_socket_and_its_directory(void **state)
{
    static struct control control;
    char path[RIG_PATH_MAX];
    (void)state;
    assert_check("control-socket", "note", "there is none");
    rig_dir();
    snprintf(control.path, sizeof control.path, "%.100s", rig_path("socket", path));
    bench.control = &control;
    assert_check("control-socket", "warn", control.path);
    rig_write_file("socket", "");
    assert_check("control-socket", "ok", control.path);
    bench.control = NULL;
}

static void the_state_directory(void **state)
{
    char path[RIG_PATH_MAX];
    (void)state;
    assert_check("state-dir", "note", "none");
    rig_dir();
    set.supervisor.state_dir = rig_path("missing", path);
    assert_check("state-dir", "warn", path);
    set.supervisor.state_dir = "/tmp";
    assert_check("state-dir", "ok", "/tmp");
}

/* What does not depend on us: the machine's own shortage. */
static bool is_of_the_machine(const char *name)
{
    static const char *const names[] = {"pid-max", "pids-limit", "oom-group"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* In a process without any privilege: a byte for each warning, its name, and what capabilities are said to be. */
static int look_unprivileged(void *data)
{
    int fd = *(int *)data;
    size_t i;
    json_t *check;
    if (getuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(NOT_ROOT, NOT_ROOT, NOT_ROOT) != 0 ||
                          setresuid(NOT_ROOT, NOT_ROOT, NOT_ROOT) != 0))
        return 99;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || sys_set_subreaper(true) != 0)
        return 99;
    json_t *checks = doctor_look(&bench);
    json_array_foreach(checks, i, check)
    {
        const char *name = json_string_value(json_object_get(check, "name"));
        const char *level = json_string_value(json_object_get(check, "level"));
        bool is_warning = strcmp(level, "warn") == 0 && !is_of_the_machine(name);
        if (is_warning || strncmp(name, "CAP_", 4) == 0 || strncmp(name, "no-new", 6) == 0)
            dprintf(fd, "%s=%s ", name, level);
    }
    json_decref(checks);
    return 0;
}

static void without_privileges_there_are_notes_and_no_warnings(void **state)
{
    char text[TEXT_MAX] = "";
    int fds[2];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(rig_reap(rig_fork(look_unprivileged, &fds[1])), 0);
    close(fds[1]);
    assert_true(read(fds[0], text, sizeof text - 1) > 0);
    close(fds[0]);
    assert_string_equal(text, "CAP_KILL=note CAP_SETGID=note CAP_SETUID=note CAP_SYS_RESOURCE=note "
                              "no-new-privileges=note ");
}

/* Whether anybody needs them makes the difference between what could be and what is amiss. */
static void limits_are_where_they_can_be(void **state)
{
    struct spec spec;
    (void)state;
    spec_defaults(&spec);
    spec.enabled = true;
    set.services = &spec;
    set.n_services = 1;
    json_t *checks = look();
    assert_string_not_equal(member(find(checks, "cgroup-pids"), "level"), "warn");
    json_decref(checks);
    set.supervisor.cgroup = "off";
    spec.pids_limit = 10;
    checks = look();
    assert_string_equal(member(find(checks, "cgroup"), "level"), "note");
    assert_string_equal(member(find(checks, "cgroup-pids"), "level"), "warn");
    assert_non_null(strstr(member(find(checks, "cgroup-pids"), "found"), "off"));
    assert_string_not_equal(member(find(checks, "cgroup-memory"), "level"), "warn");
    json_decref(checks);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, bench_end)
    const struct CMUnitTest tests[] = {
        TEST(every_check_says_what_it_must),
        TEST(looking_changes_nothing),
        TEST(the_subreaper_flag),
        TEST(where_children_are_listed),
        TEST(levels_of_tags),
        TEST(descriptors_for_all_services),
        TEST(core_dumps),
        TEST(where_output_goes),
        TEST(the_socket_and_its_directory),
        TEST(the_state_directory),
        TEST(without_privileges_there_are_notes_and_no_warnings),
        TEST(limits_are_where_they_can_be),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Starting a process as somebody else, with limits and capabilities, while a call that this takes fails or only
 * pretends to have worked: no program ever runs as anybody else, or with more, than was asked for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fault/support/fault.h"
#include "sys/caps.h"
#include "unit/sys/spawn_kit.h"

#include <linux/capability.h>

enum { NOBODY = 65534 };

/* RUNS: in spite of the failed call. */
enum { RUNS = -1 };

/* In the child, call number NTH fails with ERRNUM; what must come of it. */
struct row {
    enum fault_call call;
    unsigned nth;
    int errnum;
    int step; /* or RUNS */
    int told; /* the errno that is told */
    int detail;
};

static char *const argv_true[] = {(char *)"/bin/true", NULL};
static char *const no_env[] = {NULL};

/* A request that takes every step that there is. */
struct full {
    struct spawn_request req;
    struct spawn_limit limits[2];
    struct spawn_cgroups cgroups;
    struct spawn_caps caps;
    int nice;
    int procs[2];
};

static void begin_full(struct full *f)
{
    struct rlimit nofile;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &nofile), 0);
    nofile.rlim_cur = 64;
    *f = (struct full){
        .limits = {{RLIMIT_CORE, {0, 0}}, {RLIMIT_NOFILE, nofile}},
        .caps = {.bounding = UINT64_MAX},
        .nice = getpriority(PRIO_PROCESS, 0),
    };
    /* Whoever writes to these joins nothing, and by "/" nobody can be born. */
    f->procs[0] = open("/dev/null", O_WRONLY | O_CLOEXEC);
    f->procs[1] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->cgroups = (struct spawn_cgroups){
        .v2_fd = f->procs[1], .v2_procs_fd = f->procs[0], .procs_fds = &f->procs[0], .n_procs_fds = 1};
    f->req = (struct spawn_request){
        .argv = argv_true,
        .envp = no_env,
        .working_dir = "/",
        .umask = -1,
        .limits = f->limits,
        .n_limits = 2,
        .cgroups = &f->cgroups,
        .caps = &f->caps,
        .nice = &f->nice,
        .tag = UINT64_C(1) << 59,
        .stdio = {-1, -1, -1},
        .no_new_privs = true,
    };
}

static void end_full(struct full *f)
{
    close(f->procs[0]);
    close(f->procs[1]);
}

static void assert_row(const struct spawn_request *req, const struct row *row)
{
    const struct fault_rule rule = {FAULT_CHILD, row->call, row->nth, false, row->errnum};
    struct spawn_child child;
    struct spawn_failure failure = {.step = SPAWN_STEP_N};
    struct err e = {0};
    size_t n_fds = kit_count_fds();

    fault_begin(&rule, 1);
    assert_true(spawn_start(req, &child, &e));
    enum spawn_verdict verdict = spawn_kit_verdict(&child, &failure);
    int code = kit_wait(child.pid);
    spawn_kit_close(&child);
    assert_int_equal(fault_refused(), 1);
    if (row->step == RUNS) {
        assert_int_equal(verdict, SPAWN_EXECED);
        assert_int_equal(code, 0);
    } else {
        assert_int_equal(verdict, SPAWN_FAILED);
        assert_int_equal(failure.step, row->step);
        assert_int_equal(failure.errnum, row->told);
        assert_int_equal(failure.detail, row->detail);
        assert_int_equal(code, 126);
    }
    assert_int_equal(kit_count_fds(), n_fds);
    assert_true(kit_has_no_children());
    fault_end();
}

static void every_step_that_anybody_may_take(void **state UNUSED)
{
    static const struct row rows[] = {
        {FAULT_sys_write, 1, EBUSY, SPAWN_STEP_CGROUP, EBUSY, -1},
        {FAULT_sys_write, 2, ENODEV, SPAWN_STEP_CGROUP, ENODEV, 0},
        {FAULT_sys_prlimit_set, 1, EPERM, SPAWN_STEP_TAG, EPERM, -1},
        {FAULT_sys_prlimit_set, 2, EPERM, SPAWN_STEP_LIMITS, EPERM, 0},
        {FAULT_sys_set_nice, 1, EACCES, SPAWN_STEP_NICE, EACCES, -1},
        {FAULT_sys_prlimit_set, 3, EPERM, SPAWN_STEP_NOFILE, EPERM, 1},
        {FAULT_sys_capget, 1, ENOSYS, RUNS, 0, 0},
        {FAULT_sys_capget, 1, EPERM, RUNS, 0, 0},
        {FAULT_sys_set_no_new_privs, 1, EINVAL, SPAWN_STEP_NO_NEW_PRIVS, EINVAL, -1},
    };
    struct full f;
    begin_full(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(&f.req, &rows[i]);
    end_full(&f);
}

static void the_score_of_memory(void **state UNUSED)
{
    static const int most = 1000;
    static const struct row rows[] = {
        {FAULT_sys_open, 1, ENOENT, SPAWN_STEP_OOM_SCORE_ADJ, ENOENT, -1},
        {FAULT_sys_write, 3, EACCES, SPAWN_STEP_OOM_SCORE_ADJ, EACCES, -1},
    };
    struct full f;
    begin_full(&f);
    f.req.oom_score_adj = &most;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(&f.req, &rows[i]);
    end_full(&f);
}

static bool is_privileged(void)
{
    const uint64_t needed = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_SETPCAP | 1U << CAP_NET_BIND_SERVICE;
    struct caps_own own;
    return caps_read(&own) && geteuid() == 0 && (own.effective & own.bounding & needed) == needed;
}

static void every_step_to_another_user(void **state UNUSED)
{
    static const struct row rows[] = {
        {FAULT_sys_bounding_has, 1, ENOSYS, SPAWN_STEP_BOUNDING, ENOSYS, CAP_SETPCAP},
        {FAULT_sys_bounding_drop, 1, EPERM, SPAWN_STEP_BOUNDING, EPERM, CAP_SETPCAP},
        {FAULT_sys_bounding_drop, 1, EINVAL, SPAWN_STEP_BOUNDING, EINVAL, CAP_SETPCAP},
        {FAULT_sys_getgroups, 1, EPERM, RUNS, 0, 0}, /* then they are set in any case */
        {FAULT_sys_setgroups, 1, EPERM, SPAWN_STEP_GROUPS, EPERM, -1},
        {FAULT_sys_setgroups, 1, FAULT_PRETEND, SPAWN_STEP_GROUPS, ENOTRECOVERABLE, -1},
        {FAULT_sys_getgroups, 2, ENOSYS, SPAWN_STEP_GROUPS, ENOSYS, -1},
        {FAULT_sys_getgroups, 2, EINVAL, SPAWN_STEP_GROUPS, ENOTRECOVERABLE, -1}, /* there are more than asked for */
        {FAULT_sys_getresuid, 1, ENOSYS, RUNS, 0, 0},
        {FAULT_sys_getresgid, 1, ENOSYS, RUNS, 0, 0},
        {FAULT_sys_keep_caps, 1, EPERM, SPAWN_STEP_USER, EPERM, -1},
        {FAULT_sys_setresgid, 1, EPERM, SPAWN_STEP_USER, EPERM, -1},
        {FAULT_sys_setresgid, 1, FAULT_PRETEND, SPAWN_STEP_USER, ENOTRECOVERABLE, -1},
        {FAULT_sys_setresuid, 1, EAGAIN, SPAWN_STEP_USER, EAGAIN, -1},
        {FAULT_sys_setresuid, 1, FAULT_PRETEND, SPAWN_STEP_USER, ENOTRECOVERABLE, -1},
        {FAULT_sys_getresuid, 2, ENOSYS, SPAWN_STEP_USER, ENOSYS, -1},
        {FAULT_sys_getresgid, 2, ENOSYS, SPAWN_STEP_USER, ENOSYS, -1},
        {FAULT_sys_capget, 1, EPERM, SPAWN_STEP_USER, EPERM, -1},
        {FAULT_sys_setresuid, 2, ENOSYS, RUNS, 0, 0}, /* root must not be had, whyever */
        {FAULT_sys_setresuid, 2, FAULT_PRETEND, SPAWN_STEP_USER, ENOTRECOVERABLE, SPAWN_ROOT_REGAINED},
        {FAULT_sys_capget, 2, ENOSYS, SPAWN_STEP_CAPS, ENOSYS, -1},
        {FAULT_sys_bounding_has, 2, ENOSYS, SPAWN_STEP_CAPS, EPERM, CAP_NET_BIND_SERVICE},
        {FAULT_sys_capset, 1, EPERM, SPAWN_STEP_CAPS, EPERM, -1},
        {FAULT_sys_ambient_raise, 1, EINVAL, SPAWN_STEP_CAPS, EINVAL, CAP_NET_BIND_SERVICE},
    };
    static const gid_t groups[] = {NOBODY};
    const struct spawn_ids ids = {
        .text = "nobody", .change_user = true, .uid = NOBODY, .gid = NOBODY, .groups = groups, .n_groups = 1};
    struct full f;
    if (!is_privileged()) {
        print_message("SKIP: needs root with CAP_SETUID, CAP_SETGID, CAP_SETPCAP and CAP_NET_BIND_SERVICE\n");
        skip();
    }
    begin_full(&f);
    f.req.ids = &ids;
    f.req.no_new_privs = false;
    f.caps = (struct spawn_caps){.bounding = ~(UINT64_C(1) << CAP_SETPCAP), .add = 1U << CAP_NET_BIND_SERVICE};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(&f.req, &rows[i]);
    end_full(&f);
}

/* Starts REQ, whose program must do well if it starts at all; whether it has. */
static bool starts(const struct spawn_request *req, struct err *e)
{
    struct spawn_child child;
    struct spawn_failure failure;
    if (!spawn_start(req, &child, e))
        return false;
    assert_int_equal(spawn_kit_verdict(&child, &failure), SPAWN_EXECED);
    assert_int_equal(kit_wait(child.pid), 0);
    spawn_kit_close(&child);
    return true;
}

static void birth_in_a_group_is_refused(void **state UNUSED)
{
    static const struct {
        int errnum;
        bool runs;         /* it joins its group itself */
        unsigned n_clone3; /* in two starts, of which only the first is refused */
    } cases[] = {
        {E2BIG, true, 3},   {EINVAL, true, 3},  {EBADF, true, 4},   {EOPNOTSUPP, true, 4},
        {EAGAIN, false, 3}, {ENOMEM, false, 3}, {EMFILE, false, 3}, {ENFILE, false, 3},
    };
    struct full f;
    if (sys_clone3_nothing() != -1 || errno != EINVAL) {
        print_message("SKIP: needs clone3(2)\n");
        skip();
    }
    begin_full(&f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct fault_rule rule = {FAULT_PARENT, FAULT_sys_clone3, 1, false, cases[i].errnum};
        fault_begin(&rule, 1);
        for (int k = 0; k < 2; k++) {
            struct err e = {0};
            bool runs = k > 0 || cases[i].runs;
            assert_int_equal(starts(&f.req, &e), runs);
            assert_int_equal(e.errnum, runs ? 0 : cases[i].errnum);
        }
        assert_int_equal(fault_count(FAULT_PARENT, FAULT_sys_clone3), cases[i].n_clone3);
        /* Each process has written itself into both groups. */
        assert_int_equal(fault_count(FAULT_CHILD, FAULT_sys_write), cases[i].runs ? 4 : 2);
        fault_end();
    }
    end_full(&f);
}

static void room_for_groups_is_refused(void **state UNUSED)
{
    const struct fault_rule rule = {FAULT_PARENT, FAULT_mem_array, 2, false, ENOMEM};
    const struct spawn_ids ids = {.change_groups = true};
    struct full f;
    struct err e = {0};
    begin_full(&f);
    f.req.ids = &ids;
    fault_begin(&rule, 1);
    assert_false(starts(&f.req, &e));
    assert_int_equal(e.kind, ERR_NOMEM);
    assert_string_equal(e.text, "supplementary groups: Cannot allocate memory");
    fault_end();
    end_full(&f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, fault_teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_step_that_anybody_may_take), TEST(the_score_of_memory),        TEST(every_step_to_another_user),
        TEST(birth_in_a_group_is_refused),      TEST(room_for_groups_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How each failure between fork and exec is worded: key, value, reason, remedy.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/caps.h"

#include "unit/sys/spawn_kit.h"

#include <linux/capability.h>
#include <sys/resource.h>

enum { TEXT_MAX = 512 };

static char *const argv_of_prog[] = {(char *)"prog", NULL};
static char *const no_env[] = {NULL};
static const struct spawn_ids app = {.text = "app", .change_user = true, .uid = 1000, .gid = 1001};
static const struct spawn_ids numbers = {.text = "1000:1000", .change_user = true, .uid = 1000, .gid = 1000};
static const struct spawn_ids groups_only = {.change_groups = true};

/* A request with everything that a text may name. */
static struct spawn_request request(const struct spawn_ids *ids)
{
    static const int nice = -5, oom_score_adj = -500;
    static const struct spawn_limit limits[] = {
        {RLIMIT_NPROC, {5, 5}},
        {RLIMIT_STACK, {8192, RLIM_INFINITY}},
        {RLIMIT_NOFILE, {10, 20}},
        {RLIMIT_LOCKS, {1, 1}},
    };
    static const struct spawn_fd fds[] = {{20, 3}, {21, 9}};
    return (struct spawn_request){
        .fds = fds,
        .n_fds = ARRAY_LEN(fds),
        .argv = argv_of_prog,
        .envp = no_env,
        .working_dir = "/srv/x",
        .stdio = {-1, -1, -1},
        .nice = &nice,
        .oom_score_adj = &oom_score_adj,
        .limits = limits,
        .n_limits = ARRAY_LEN(limits),
        .ids = ids,
    };
}

struct wording {
    const struct spawn_ids *ids;
    struct spawn_failure failure;
    const char *text;
};

static void assert_worded(const struct wording *cases, size_t n)
{
    char text[TEXT_MAX], small[12];
    for (size_t i = 0; i < n; i++) {
        const struct spawn_request req = request(cases[i].ids);
        assert_ptr_equal(spawn_failure_text(&req, &cases[i].failure, text, sizeof text), text);
        assert_string_equal(text, cases[i].text);
        spawn_failure_text(&req, &cases[i].failure, small, sizeof small);
        assert_memory_equal(small, cases[i].text, sizeof small - 1);
        assert_int_equal(small[sizeof small - 1], '\0');
    }
}

static void steps_are_worded(void **state UNUSED)
{
    static const struct wording cases[] = {
        {NULL, {SPAWN_STEP_CGROUP, EBUSY, -1}, "cgroup: Device or resource busy"},
        {NULL, {SPAWN_STEP_SESSION, EPERM, -1}, "session: Operation not permitted"},
        {NULL, {SPAWN_STEP_TAG, EPERM, -1}, "tag: Operation not permitted"},
        {NULL, {SPAWN_STEP_UMASK, EINVAL, -1}, "umask: Invalid argument"},
        {NULL, {SPAWN_STEP_FDS, EMFILE, -1}, "descriptors: Too many open files"},
        {NULL, {SPAWN_STEP_FDS, EMFILE, 0}, "descriptor 3: Too many open files"},
        {NULL, {SPAWN_STEP_FDS, EBADF, 1}, "descriptor 9: Bad file descriptor"},
        {NULL, {SPAWN_STEP_STDIO, EMFILE, -1}, "stdio: Too many open files"},
        {NULL, {SPAWN_STEP_STDIO, ENXIO, -1}, "stdio /dev/null: No such device or address"},
        {NULL, {SPAWN_STEP_CLOSE, EPERM, -1}, "close: Operation not permitted"},
        {NULL, {SPAWN_STEP_WORKING_DIR, ENOENT, -1}, "working_dir /srv/x: No such file or directory"},
        {NULL, {SPAWN_STEP_NO_NEW_PRIVS, EINVAL, -1}, "security_opt no-new-privileges: Invalid argument"},
        {NULL, {SPAWN_STEP_SIGNALS, EINVAL, -1}, "signals: Invalid argument"},
        {NULL, {SPAWN_STEP_EXEC, EACCES, -1}, "exec prog: Permission denied"},
        {NULL,
         {SPAWN_STEP_EXEC, ENOENT, -1},
         "exec prog: No such file or directory (not found in PATH "
         "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)"},
        {NULL,
         {SPAWN_STEP_EXEC, EAGAIN, -1},
         "exec prog: Resource temporarily unavailable (its user has as many processes as ulimits nproc allows)"},
        {&app, {SPAWN_STEP_EXEC, EACCES, -1}, "exec prog: Permission denied (as user app)"},
        {&app, {SPAWN_STEP_EXEC, EISDIR, -1}, "exec prog: Is a directory"},
        {&app, {SPAWN_STEP_WORKING_DIR, EACCES, -1}, "working_dir /srv/x: Permission denied (as user app)"},
        {&groups_only, {SPAWN_STEP_WORKING_DIR, EACCES, -1}, "working_dir /srv/x: Permission denied"},
    };
    assert_worded(cases, ARRAY_LEN(cases));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_ptr_equal(strstr(cases[i].text, spawn_step_name(cases[i].failure.step)), cases[i].text);
}

static void ids_are_worded(void **state UNUSED)
{
    static const struct wording cases[] = {
        {&app,
         {SPAWN_STEP_USER, EPERM, -1},
         "user app (1000:1001): Operation not permitted; fosterd needs root or CAP_SETUID and CAP_SETGID"},
        {&numbers,
         {SPAWN_STEP_USER, EINVAL, -1},
         "user 1000:1000: Invalid argument; this user namespace does not have them"},
        {&app, {SPAWN_STEP_USER, EAGAIN, -1}, "user app (1000:1001): Resource temporarily unavailable"},
        {&app,
         {SPAWN_STEP_USER, ENOTRECOVERABLE, -1},
         "user app (1000:1001): the kernel did not do what it was asked for"},
        {&app,
         {SPAWN_STEP_USER, ENOTRECOVERABLE, SPAWN_ROOT_REGAINED},
         "user app (1000:1001): it could become root again"},
        {NULL, {SPAWN_STEP_USER, EPERM, -1}, "user: Operation not permitted"},
        {&groups_only,
         {SPAWN_STEP_GROUPS, EINVAL, -1},
         "group_add: Invalid argument; this user namespace does not have all of them"},
        {&app,
         {SPAWN_STEP_GROUPS, ENOTRECOVERABLE, -1},
         "user app (1000:1001): supplementary groups: the kernel did not do what it was asked for"},
        {NULL, {SPAWN_STEP_GROUPS, ENOMEM, -1}, "group_add: Cannot allocate memory"},
    };
    assert_worded(cases, ARRAY_LEN(cases));
}

/* What is missing depends on what we have. */
static void the_remedy_is_what_is_missing(void **state UNUSED)
{
    struct caps_own own;
    struct rlimit nproc, nofile;
    char text[TEXT_MAX], name[CAPS_NAME_MAX], want[TEXT_MAX];
    struct spawn_request req = request(&groups_only);
    assert_true(caps_read(&own));
    assert_int_equal(getrlimit(RLIMIT_NPROC, &nproc), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &nofile), 0);

    spawn_failure_text(&req, &(struct spawn_failure){SPAWN_STEP_GROUPS, EPERM, -1}, text, sizeof text);
    assert_string_equal(text, (own.permitted >> CAP_SETGID & 1) != 0
                                  ? "group_add: Operation not permitted; /proc/self/setgroups of this user namespace "
                                    "denies it"
                                  : "group_add: Operation not permitted; fosterd needs root or CAP_SETGID");

    gid_t group = getegid();
    const struct spawn_ids us = {
        .text = "us", .change_user = true, .uid = geteuid(), .gid = group, .groups = &group, .n_groups = 1};
    struct spawn_request ours = request(&us);
    spawn_failure_text(&ours, &(struct spawn_failure){SPAWN_STEP_GROUPS, EPERM, -1}, text, sizeof text);
    assert_non_null(strstr(text, "; without `user` it is that user, too, with the groups of fosterd"));
    ours = request(&app);
    spawn_failure_text(&ours, &(struct spawn_failure){SPAWN_STEP_GROUPS, EPERM, -1}, text, sizeof text);
    assert_null(strstr(text, "without `user`"));

    for (unsigned n = 0; n < 64; n++) {
        bool have = ((own.permitted & own.bounding) >> n & 1) != 0;
        spawn_failure_text(&req, &(struct spawn_failure){SPAWN_STEP_CAPS, EPERM, (int)n}, text, sizeof text);
        snprintf(want, sizeof want, "cap_add %s: Operation not permitted%s", caps_name(n, name),
                 have ? "" : "; fosterd does not have it");
        assert_string_equal(text, want);
    }

    const struct spawn_limit limit = {RLIMIT_NOFILE, {nofile.rlim_max - 1, nofile.rlim_max}};
    req.limits = &limit;
    req.n_limits = 1;
    spawn_failure_text(&req, &(struct spawn_failure){SPAWN_STEP_NOFILE, EPERM, 0}, text, sizeof text);
    assert_non_null(strstr(text, ": Operation not permitted; the sysctl fs.nr_open allows no more"));
    if (nofile.rlim_max == RLIM_INFINITY)
        return;
    const struct spawn_limit more = {RLIMIT_NOFILE, {7, RLIM_INFINITY}};
    req.limits = &more;
    spawn_failure_text(&req, &(struct spawn_failure){SPAWN_STEP_NOFILE, EPERM, 0}, text, sizeof text);
    snprintf(want, sizeof want,
             "ulimits nofile 7:unlimited: Operation not permitted; above the hard limit %llu needs CAP_SYS_RESOURCE",
             (unsigned long long)nofile.rlim_max);
    assert_string_equal(text, want);
}

static void values_are_worded(void **state UNUSED)
{
    static const struct wording cases[] = {
        {NULL, {SPAWN_STEP_LIMITS, EINVAL, 0}, "ulimits nproc 5: Invalid argument"},
        {NULL, {SPAWN_STEP_LIMITS, EINVAL, 1}, "ulimits stack 8192:unlimited: Invalid argument"},
        {NULL, {SPAWN_STEP_LIMITS, EINVAL, 3}, "ulimits 10 1: Invalid argument"},
        {NULL, {SPAWN_STEP_LIMITS, EPERM, 4}, "ulimits: Operation not permitted"},
        {NULL, {SPAWN_STEP_NOFILE, EINVAL, 2}, "ulimits nofile 10:20: Invalid argument"},
        {NULL, {SPAWN_STEP_NOFILE, EPERM, SPAWN_NO_DETAIL}, "ulimits nofile: Operation not permitted"},
        {NULL, {SPAWN_STEP_NICE, EACCES, -1}, "nice -5: Permission denied; less than fosterd's own needs CAP_SYS_NICE"},
        {NULL,
         {SPAWN_STEP_OOM_SCORE_ADJ, EACCES, -1},
         "oom_score_adj -500: Permission denied; less than fosterd's own needs CAP_SYS_RESOURCE"},
        {NULL, {SPAWN_STEP_OOM_SCORE_ADJ, ENOENT, -1}, "oom_score_adj -500: No such file or directory"},
        {NULL,
         {SPAWN_STEP_BOUNDING, EPERM, 13},
         "cap_drop NET_RAW: Operation not permitted; needs CAP_SETPCAP, or security_opt: [no-new-privileges:true]"},
        {NULL, {SPAWN_STEP_BOUNDING, ENOSYS, 13}, "cap_drop NET_RAW: Function not implemented"},
        {NULL, {SPAWN_STEP_CAPS, EINVAL, 63}, "cap_add 63: Invalid argument"},
        {NULL, {SPAWN_STEP_CAPS, EPERM, SPAWN_NO_DETAIL}, "cap_add: Operation not permitted"},
    };
    assert_worded(cases, ARRAY_LEN(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_worded),
        cmocka_unit_test(ids_are_worded),
        cmocka_unit_test(values_are_worded),
        cmocka_unit_test(the_remedy_is_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Who a started program is and what it may, told by itself: ids, groups, capabilities; and what is said when that
 * cannot be had. As root, and as an ordinary user with and without a capability.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/caps.h"
#include "sys/sys_cred.h"

#include "unit/sys/spawn_report.h"

#include <linux/capability.h>

#define BIT(n) (UINT64_C(1) << (n))

enum { NOBODY = 65534, GROUP = 54321, OTHER = 12345 };

/* Whoever may not even pass the directory of this program can execute it so. */
static char *const report_argv[] = {(char *)"/proc/self/exe", (char *)"report", NULL};

static const gid_t nobody_groups[] = {NOBODY, GROUP};
static const struct spawn_ids nobody = {
    .text = "nobody", .change_user = true, .uid = NOBODY, .gid = NOBODY, .groups = nobody_groups, .n_groups = 2};
static const struct spawn_caps nothing_asked = {.bounding = UINT64_MAX};

static struct caps_own own;

static struct spawn_request request(const struct spawn_ids *ids, const struct spawn_caps *caps)
{
    return (struct spawn_request){
        .argv = report_argv, .envp = no_env, .umask = -1, .stdio = {-1, -1, -1}, .ids = ids, .caps = caps};
}

static bool is_privileged(void)
{
    const uint64_t needed = BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE);
    return geteuid() == 0 && (own.effective & own.bounding & needed) == needed;
}

static void need_privileges(void)
{
    if (is_privileged())
        return;
    print_message("SKIP: needs root with CAP_SETUID, CAP_SETGID, CAP_SETPCAP and CAP_NET_BIND_SERVICE\n");
    skip();
}

static void assert_caps(const char *text, const char *key, uint64_t mask)
{
    char line[KIT_PATH_MAX];
    spawn_assert_line(text, kit_path(line, "Cap%s=%016llx", key, (unsigned long long)mask));
}

/* Starts REQ, which must fail in STEP with ERRNUM and be told as TEXT. For processes of kit_isolated(), too. */
static void require_failure(const struct spawn_request *req, enum spawn_step step, int errnum, const char *text)
{
    struct spawn_child child;
    struct spawn_failure failure = {0};
    struct err e = {0};
    char said[TEXT_MAX];
    REQUIRE(spawn_start(req, &child, &e));
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_FAILED);
    spawn_failure_text(req, &failure, said, sizeof said);
    if (failure.step != step || failure.errnum != errnum || strcmp(said, text) != 0)
        dprintf(*kit_error_fd(), "step %d, errno %d: %s\n", (int)failure.step, failure.errnum, said);
    REQUIRE(failure.step == step && failure.errnum == errnum && strcmp(said, text) == 0);
    int status;
    REQUIRE(waitpid(child.pid, &status, 0) == child.pid && WIFEXITED(status) && WEXITSTATUS(status) == 126);
    spawn_kit_close(&child);
}

/* What REQ's program says, where no assertion of cmocka may fail. */
static void run_isolated(struct spawn_request req, char *text)
{
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};
    int out[2], status;
    size_t len = 0;
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    req.stdio[1] = out[1];
    REQUIRE(spawn_start(&req, &child, &e));
    close(out[1]);
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_EXECED);
    for (ssize_t n; (n = read(out[0], text + len, TEXT_MAX - 1 - len)) > 0;)
        len += (size_t)n;
    text[len] = '\0';
    close(out[0]);
    REQUIRE(waitpid(child.pid, &status, 0) == child.pid && status == 0);
    spawn_kit_close(&child);
}

/* Makes this process an ordinary user with the capabilities KEPT: permitted, effective, inheritable and ambient. */
static void become_nobody(uint64_t kept)
{
    const struct sys_caps caps = {.permitted = kept, .effective = kept, .inheritable = kept};
    REQUIRE(sys_setgroups(2, nobody_groups) == 0 && sys_keep_caps() == 0);
    REQUIRE(sys_setresgid(NOBODY, NOBODY, NOBODY) == 0 && sys_setresuid(NOBODY, NOBODY, NOBODY) == 0);
    REQUIRE(sys_capset(&caps) == 0);
    for (unsigned n = 0; n < 64; n++)
        REQUIRE((kept >> n & 1) == 0 || sys_ambient_raise(n) == 0);
}

/* ------------------------------------------------------------------ ids */

static void a_user_is_who_was_asked_for(void **state UNUSED)
{
    char text[TEXT_MAX];
    need_privileges();
    spawn_run_and_read(request(&nobody, &nothing_asked), text);
    spawn_assert_line(text, "Uid=65534 65534 65534 65534");
    spawn_assert_line(text, "Gid=65534 65534 65534 65534");
    /* The primary group is among them, or it would not keep its owner out of what it is denied to. */
    spawn_assert_line(text, "Groups=54321 65534");
    assert_caps(text, "Inh", 0);
    assert_caps(text, "Prm", 0);
    assert_caps(text, "Eff", 0);
    assert_caps(text, "Amb", 0);
    assert_caps(text, "Bnd", own.bounding);
    spawn_assert_line(text, "NoNewPrivs=0");
    spawn_assert_line(text, "fd0=/dev/null");
    assert_int_equal(spawn_count_lines(text, "fd"), 3);
    /* Without any words about capabilities the kernel's own rules lead to the same. */
    spawn_run_and_read(request(&nobody, NULL), text);
    spawn_assert_line(text, "Uid=65534 65534 65534 65534");
    assert_caps(text, "Prm", 0);
}

static void root_may_be_asked_for(void **state UNUSED)
{
    static const gid_t groups[] = {0};
    static const struct spawn_ids root = {.text = "root", .change_user = true, .groups = groups, .n_groups = 1};
    char text[TEXT_MAX];
    need_privileges();
    spawn_run_and_read(request(&root, &nothing_asked), text);
    spawn_assert_line(text, "Uid=0 0 0 0");
    spawn_assert_line(text, "Groups=0");
    assert_caps(text, "Prm", own.bounding);
}

static void groups_alone_leave_the_user(void **state UNUSED)
{
    static const gid_t groups[] = {GROUP, OTHER};
    static const struct spawn_ids ids = {.change_groups = true, .groups = groups, .n_groups = 2};
    static const struct spawn_ids none = {.change_groups = true};
    char text[TEXT_MAX];
    need_privileges();
    spawn_run_and_read(request(&ids, &nothing_asked), text);
    spawn_assert_line(text, "Uid=0 0 0 0");
    spawn_assert_line(text, "Groups=12345 54321");
    spawn_run_and_read(request(&none, &nothing_asked), text);
    spawn_assert_line(text, "Groups=");
}

/* Whoever we are: it takes no rights to stay that. */
static void anybody_may_name_himself(void **state UNUSED)
{
    static gid_t groups[1024];
    int n = getgroups((int)ARRAY_LEN(groups), groups);
    const struct spawn_ids ids = {
        .text = "me", .change_user = true, .uid = geteuid(), .gid = getegid(), .groups = groups, .n_groups = (size_t)n};
    char text[TEXT_MAX], line[KIT_PATH_MAX];
    assert_true(n >= 0);
    spawn_run_and_read(request(&ids, &nothing_asked), text);
    kit_path(line, "Uid=%1$u %1$u %1$u %1$u", (unsigned)geteuid());
    spawn_assert_line(text, line);
}

static void as_ordinary_user(void *arg UNUSED)
{
    static const gid_t backwards[] = {GROUP, NOBODY}, more[] = {NOBODY, GROUP, OTHER}, fewer[] = {NOBODY};
    struct spawn_ids ids = nobody;
    struct spawn_request req = request(&ids, &nothing_asked);
    char text[TEXT_MAX];

    become_nobody(0);
    ids.groups = backwards;
    run_isolated(req, text);
    REQUIRE(strstr(text, "Uid=65534 65534 65534 65534\n") != NULL);
    REQUIRE(strstr(text, "Groups=54321 65534\n") != NULL);

    ids.groups = more;
    ids.n_groups = 3;
    require_failure(&req, SPAWN_STEP_GROUPS, EPERM,
                    "user nobody (65534:65534): supplementary groups: Operation not permitted; fosterd needs root or "
                    "CAP_SETGID; without `user` it is that user, too, with the groups of fosterd");
    ids.groups = fewer;
    ids.n_groups = 1;
    require_failure(&req, SPAWN_STEP_GROUPS, EPERM,
                    "user nobody (65534:65534): supplementary groups: Operation not permitted; fosterd needs root or "
                    "CAP_SETGID; without `user` it is that user, too, with the groups of fosterd");
    ids = (struct spawn_ids){.change_groups = true, .groups = more, .n_groups = 3};
    require_failure(&req, SPAWN_STEP_GROUPS, EPERM,
                    "group_add: Operation not permitted; fosterd needs root or CAP_SETGID");
    ids = nobody;
    ids.uid = OTHER;
    require_failure(
        &req, SPAWN_STEP_USER, EPERM,
        "user nobody (12345:65534): Operation not permitted; fosterd needs root or CAP_SETUID and CAP_SETGID");
    ids.text = "0:0";
    ids.uid = ids.gid = 0;
    require_failure(&req, SPAWN_STEP_USER, EPERM,
                    "user 0:0: Operation not permitted; fosterd needs root or CAP_SETUID and CAP_SETGID");
}

static void an_ordinary_user_can_be_nobody_else(void **state UNUSED)
{
    need_privileges();
    assert_true(kit_isolated(as_ordinary_user, NULL));
}

/* CAP_SETUID that is not dropped by the change of ids, for it is not root's, would make root of the new user. */
static void as_user_with_setuid(void *arg UNUSED)
{
    static const gid_t groups[] = {OTHER};
    const struct spawn_ids ids = {
        .text = "other", .change_user = true, .uid = OTHER, .gid = OTHER, .groups = groups, .n_groups = 1};
    const struct spawn_caps setuid = {.bounding = UINT64_MAX, .add = BIT(CAP_SETUID)};
    char text[TEXT_MAX];

    become_nobody(BIT(CAP_SETUID) | BIT(CAP_SETGID));
    run_isolated(request(&ids, &nothing_asked), text);
    REQUIRE(strstr(text, "Uid=12345 12345 12345 12345\n") != NULL);
    REQUIRE(strstr(text, "Groups=12345\n") != NULL);
    REQUIRE(strstr(text, "CapPrm=0000000000000000\n") != NULL);
    run_isolated(request(&ids, &setuid), text);
    REQUIRE(strstr(text, "Uid=12345 12345 12345 12345\n") != NULL);
    REQUIRE(strstr(text, "CapEff=0000000000000080\n") != NULL);
}

static void rights_without_root_are_enough(void **state UNUSED)
{
    need_privileges();
    assert_true(kit_isolated(as_user_with_setuid, NULL));
}

/* ------------------------------------------------------------------ capabilities */

static void a_user_has_what_is_added_and_nothing_else(void **state UNUSED)
{
    const uint64_t added = BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETPCAP);
    const struct spawn_caps caps = {.bounding = UINT64_MAX, .add = added};
    const struct spawn_caps only = {.bounding = added, .add = added};
    char text[TEXT_MAX];
    need_privileges();
    for (int i = 0; i < 2; i++) {
        spawn_run_and_read(request(&nobody, i == 0 ? &caps : &only), text);
        spawn_assert_line(text, "Uid=65534 65534 65534 65534");
        assert_caps(text, "Inh", added);
        assert_caps(text, "Prm", added);
        assert_caps(text, "Eff", added);
        assert_caps(text, "Amb", added);
        assert_caps(text, "Bnd", i == 0 ? own.bounding : added);
    }
}

static void root_has_what_is_not_dropped(void **state UNUSED)
{
    const uint64_t kept = ~BIT(CAP_SETPCAP) & ~BIT(CAP_NET_RAW), one = BIT(CAP_NET_BIND_SERVICE);
    const struct spawn_caps caps = {.bounding = kept};
    const struct spawn_caps only = {.bounding = one, .add = one}, none = {.bounding = 0};
    char text[TEXT_MAX];
    need_privileges();
    const struct {
        const struct spawn_caps *caps;
        uint64_t left;
    } cases[] = {{&caps, own.bounding & kept}, {&only, one}, {&none, 0}, {&nothing_asked, own.bounding}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int no_new_privs = 0; no_new_privs < 2; no_new_privs++) {
            struct spawn_request req = request(NULL, cases[i].caps);
            req.no_new_privs = no_new_privs != 0;
            spawn_run_and_read(req, text);
            spawn_assert_line(text, no_new_privs ? "NoNewPrivs=1" : "NoNewPrivs=0");
            assert_caps(text, "Prm", cases[i].left);
            assert_caps(text, "Eff", cases[i].left);
            assert_caps(text, "Bnd", cases[i].left);
            assert_caps(text, "Inh", 0);
            assert_caps(text, "Amb", 0);
        }
    }
}

static void as_root_with_inheritable(void *arg UNUSED)
{
    struct sys_caps caps;
    char text[TEXT_MAX];
    REQUIRE(sys_capget(&caps) == 0);
    caps.inheritable = BIT(CAP_NET_BIND_SERVICE);
    REQUIRE(sys_capset(&caps) == 0 && sys_ambient_raise(CAP_NET_BIND_SERVICE) == 0);
    run_isolated(request(NULL, &nothing_asked), text);
    REQUIRE(strstr(text, "CapInh=0000000000000000\n") != NULL && strstr(text, "CapAmb=0000000000000000\n") != NULL);
    run_isolated(request(&nobody, &nothing_asked), text);
    REQUIRE(strstr(text, "CapInh=0000000000000000\n") != NULL && strstr(text, "CapPrm=0000000000000000\n") != NULL);
    /* What stands in the place of another init takes nothing away. */
    run_isolated(request(NULL, NULL), text);
    REQUIRE(strstr(text, "CapInh=0000000000000400\n") != NULL && strstr(text, "CapAmb=0000000000000400\n") != NULL);
}

static void as_user_with_one_capability(void *arg UNUSED)
{
    const struct spawn_caps bind = {.bounding = UINT64_MAX, .add = BIT(CAP_NET_BIND_SERVICE)};
    const struct spawn_caps more = {.bounding = UINT64_MAX, .add = BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_ADMIN)};
    const struct spawn_caps less = {.bounding = ~BIT(CAP_NET_RAW) & ~BIT(CAP_KILL)};
    char text[TEXT_MAX], kill_text[] = "cap_drop KILL: Operation not permitted; needs CAP_SETPCAP, or security_opt: "
                                       "[no-new-privileges:true]";

    become_nobody(BIT(CAP_NET_BIND_SERVICE));
    run_isolated(request(NULL, &nothing_asked), text);
    REQUIRE(strstr(text, "CapPrm=0000000000000000\n") != NULL && strstr(text, "CapAmb=0000000000000000\n") != NULL);
    run_isolated(request(NULL, NULL), text);
    REQUIRE(strstr(text, "CapEff=0000000000000400\n") != NULL && strstr(text, "CapAmb=0000000000000400\n") != NULL);
    run_isolated(request(NULL, &bind), text);
    REQUIRE(strstr(text, "CapEff=0000000000000400\n") != NULL && strstr(text, "CapAmb=0000000000000400\n") != NULL);
    struct spawn_request req = request(NULL, &more);
    require_failure(&req, SPAWN_STEP_CAPS, EPERM,
                    "cap_add NET_ADMIN: Operation not permitted; fosterd does not have it");

    req = request(NULL, &less);
    require_failure(&req, SPAWN_STEP_BOUNDING, EPERM, kill_text);
    req.no_new_privs = true;
    run_isolated(req, text);
    REQUIRE(strstr(text, "NoNewPrivs=1\n") != NULL && strstr(text, "CapPrm=0000000000000000\n") != NULL);
    req.no_new_privs = false;
    REQUIRE(sys_set_no_new_privs() == 0);
    run_isolated(req, text);
    REQUIRE(strstr(text, "CapPrm=0000000000000000\n") != NULL);
}

/* Root who may not change the bounding set: what is dropped is gone all the same. */
static void as_root_without_setpcap(void *arg UNUSED)
{
    const struct spawn_caps less = {.bounding = ~BIT(CAP_NET_BIND_SERVICE)};
    struct spawn_request req = request(NULL, &less);
    struct sys_caps caps;
    char text[TEXT_MAX], line[64];
    REQUIRE(sys_capget(&caps) == 0);
    caps.permitted &= ~BIT(CAP_SETPCAP);
    caps.effective &= ~BIT(CAP_SETPCAP);
    REQUIRE(sys_capset(&caps) == 0);
    require_failure(&req, SPAWN_STEP_BOUNDING, EPERM,
                    "cap_drop NET_BIND_SERVICE: Operation not permitted; needs CAP_SETPCAP, or security_opt: "
                    "[no-new-privileges:true]");
    req.no_new_privs = true;
    run_isolated(req, text);
    snprintf(line, sizeof line, "CapPrm=%016llx\n", (unsigned long long)(caps.permitted & less.bounding));
    REQUIRE(strstr(text, line) != NULL);
}

/* What is out of bounds cannot be added, not even for root. */
static void as_root_without_a_bound(void *arg UNUSED)
{
    const struct spawn_caps raw = {.bounding = UINT64_MAX, .add = BIT(CAP_NET_BIND_SERVICE)};
    const char *text = "cap_add NET_BIND_SERVICE: Operation not permitted; fosterd does not have it";
    REQUIRE(sys_bounding_drop(CAP_NET_BIND_SERVICE) == 0);
    struct spawn_request req = request(NULL, &raw);
    require_failure(&req, SPAWN_STEP_CAPS, EPERM, text);
    req.ids = &nobody;
    require_failure(&req, SPAWN_STEP_CAPS, EPERM, text);
}

static void capabilities_of_many_worlds(void **state UNUSED)
{
    static void (*const worlds[])(void *) = {as_root_with_inheritable, as_user_with_one_capability,
                                             as_root_without_setpcap, as_root_without_a_bound};
    need_privileges();
    for (size_t i = 0; i < ARRAY_LEN(worlds); i++)
        assert_true(kit_isolated(worlds[i], NULL));
}

/* ------------------------------------------------------------------ what the new user may not */

static void files_are_refused_to_the_user(void **state UNUSED)
{
    char dir[KIT_PATH_MAX], program[KIT_PATH_MAX], text[KIT_PATH_MAX * 2];
    need_privileges();
    kit_make_dir(dir);
    kit_file(program, dir, "program", "#!/bin/sh\n", 0755);
    struct spawn_request req = request(&nobody, &nothing_asked);
    req.working_dir = dir;
    snprintf(text, sizeof text, "working_dir %s: Permission denied (as user nobody)", dir);
    require_failure(&req, SPAWN_STEP_WORKING_DIR, EACCES, text);
    char *argv[] = {program, NULL};
    req.working_dir = NULL;
    req.argv = argv;
    snprintf(text, sizeof text, "exec %s: Permission denied (as user nobody)", program);
    require_failure(&req, SPAWN_STEP_EXEC, EACCES, text);
    kit_remove(dir);
}

static void a_user_with_too_many_processes_is_told(void **state UNUSED)
{
    static const struct spawn_limit none = {RLIMIT_NPROC, {0, 0}};
    char *argv[] = {report_argv[0], (char *)"wait", NULL};
    struct spawn_child first;
    struct spawn_failure failure;
    struct err e = {0};
    int ends[2];
    need_privileges();
    /* The kernel does not count the process that is about to become the user's. */
    struct spawn_request req = request(&nobody, &nothing_asked);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    req.argv = argv;
    req.stdio[0] = ends[0];
    assert_true(spawn_start(&req, &first, &e));
    assert_int_equal(spawn_kit_verdict(&first, &failure), SPAWN_EXECED);

    req = request(&nobody, &nothing_asked);
    req.limits = &none;
    req.n_limits = 1;
    require_failure(
        &req, SPAWN_STEP_EXEC, EAGAIN,
        "exec /proc/self/exe: Resource temporarily unavailable (its user has as many processes as ulimits nproc "
        "allows)");
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(kit_wait(first.pid), 0);
    spawn_kit_close(&first);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "wait") == 0) {
        char c;
        return (int)read(STDIN_FILENO, &c, 1);
    }
    if (argc > 1)
        return spawn_report(argc, argv);
    if (kit_under_valgrind()) {
        kit_skip("spawn", "valgrind does not survive an execve that fails, and has limits of its own");
        return 77;
    }
    if (!caps_read(&own))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_who_was_asked_for),
        cmocka_unit_test(root_may_be_asked_for),
        cmocka_unit_test(groups_alone_leave_the_user),
        cmocka_unit_test(anybody_may_name_himself),
        cmocka_unit_test(an_ordinary_user_can_be_nobody_else),
        cmocka_unit_test(rights_without_root_are_enough),
        cmocka_unit_test(a_user_has_what_is_added_and_nothing_else),
        cmocka_unit_test(root_has_what_is_not_dropped),
        cmocka_unit_test(capabilities_of_many_worlds),
        cmocka_unit_test(files_are_refused_to_the_user),
        cmocka_unit_test(a_user_with_too_many_processes_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

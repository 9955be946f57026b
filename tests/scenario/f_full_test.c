/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * F: full houses. A limit on processes that unreaped orphans would fill stays empty under fosterd; and where it is full
 * all the same, fosterd waits and tries again instead of blaming a service or ending.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIDS_MAX = 1002, FULL_GUARD_MS = 150000 };

static char cgroup[160];

static bool put(const char *file, const char *text)
{
    char path[224];
    (void)snprintf(path, sizeof(path), "%s/%s", cgroup, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    (void)close(fd);
    return ok;
}

/** A cgroup of ours with a limit on processes below PARENT; false when that is not possible. */
static bool make_cgroup(const char *parent, long max)
{
    char text[32];
    (void)snprintf(cgroup, sizeof(cgroup), "%s/foster-test-%d", parent, (int)getpid());
    if (mkdir(cgroup, 0755)) {
        *cgroup = '\0';
        return false;
    }
    (void)snprintf(text, sizeof(text), "%ld", max);
    if (put("pids.max", text)) {
        return true;
    }
    (void)rmdir(cgroup);
    *cgroup = '\0';
    return false;
}

static void need_cgroup(long max)
{
    if (getuid()) {
        scenario_skip("a pids cgroup needs root");
    }
    if (!make_cgroup("/sys/fs/cgroup/pids", max) && !make_cgroup("/sys/fs/cgroup", max)) {
        scenario_skip("no pids cgroup can be made here");
    }
}

static int remove_cgroup(void **state)
{
    int failed = scenario_teardown(state);
    if (*cgroup && rmdir(cgroup)) {
        print_error("%s is left behind: %s\n", cgroup, strerror(errno));
        failed = -1;
    }
    *cgroup = '\0';
    return failed;
}

static void enter_cgroup(void *data)
{
    if (!put("cgroup.procs", "0")) {
        _exit(113);
    }
    if (data) {
        world_own_proc(NULL);
    }
}

static void f01_with_an_init_that_never_waits_fork_fails(void **state)
{
    (void)state;
    static const char *const args[] = {FIXTURE, "litter", "1000", "fork",  "1",      "[",
                                       "exit",  "0",      "]",    "print", "passed", NULL};
    need_cgroup(PIDS_MAX);
    struct scenario *s = scenario_new();
    char *init = scenario_expand(s, "@FIXTURES@/noreap-init");
    struct scenario_options o = {.prepare = enter_cgroup,
                                 .data = &o,
                                 .clone_flags = world_pid_namespace(),
                                 .fosterd = init,
                                 .args = args,
                                 .no_config = true};
    scenario_spawn(s, &o, "");
    free(init);
    (void)scenario_wait_raw(s, "actor: fork: Resource temporarily unavailable");
}

/** After the first of them, each round passes only because those before have been cleared away. */
static void f02_with_fosterd_round_after_round_passes(void **state)
{
    (void)state;
    const int rounds = getenv("FOSTER_TEST_THOROUGH") ? 100 : 15;
    char *yaml = NULL;
    need_cgroup(PIDS_MAX);
    struct scenario_options o = {.prepare = enter_cgroup,
                                 .data = &o,
                                 .clone_flags = world_pid_namespace(),
                                 .guard_ms = FULL_GUARD_MS,
                                 .quiet = true};
    struct scenario *s = scenario_new();
    scenario_check(s, asprintf(&yaml,
                               "services:\n"
                               "  round:\n"
                               "    type: simple\n"
                               "    command: '@ACTOR@ litter 1000 fork 1 [ exit 0 ] reap print passed'\n"
                               "    restart: { policy: always, delay: 10ms, max_delay: 10ms, max_attempts: %d }\n",
                               rounds - 1) > 0);
    scenario_spawn(s, &o, yaml);
    free(yaml);
    (void)scenario_wait(s, "failed", "round");
    (void)scenario_wait_exit(s);
    scenario_check(s, scenario_lines(s, "round") == (size_t)rounds);
    scenario_end(s, 1);
}

static void f03_a_full_cgroup_delays_a_start_and_fails_nobody(void **state)
{
    (void)state;
    need_cgroup(3);
    struct scenario_options o = {.prepare = enter_cgroup};
    struct scenario *s = scenario_start_with(&o, "services:\n"
                                                 "  a: { command: '@ACTOR@ wait' }\n"
                                                 "  b: { command: '@ACTOR@ wait' }\n"
                                                 "  c: { command: '@ACTOR@ wait', restart: 'no' }\n");
    (void)scenario_wait_text(s, "backoff", "c", "Resource temporarily unavailable");
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    assert_true(put("pids.max", "10"));
    (void)scenario_wait(s, "ready", "c");
    scenario_check(s, scenario_count(s, "failed", NULL) == 0);
    scenario_stop(s);
}

static uid_t crowded_uid;

static void crowded_user(void *data)
{
    struct rlimit limit = {3, 3};
    (void)setrlimit(RLIMIT_NPROC, &limit);
    world_user(data);
}

static void f04_a_full_user_delays_a_start_and_fails_nobody(void **state)
{
    (void)state;
    if (getuid()) {
        scenario_skip("changing the user needs root");
    }
    /* Nobody else's number: the limit counts all processes of the user. */
    crowded_uid = 100000 + (uid_t)getpid();
    struct scenario_options o = {.prepare = crowded_user, .data = &crowded_uid};
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    o.fosterd = scenario_copy(s, FOSTERD, "fosterd");
    (void)scenario_copy(s, FIXTURE, "actor");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  a: { command: '@DIR@/actor await @DIR@/gate' }\n"
                   "  b: { command: '@DIR@/actor wait' }\n"
                   "  c: { command: '@DIR@/actor wait', restart: 'no' }\n");
    (void)scenario_wait_text(s, "backoff", "c", "Resource temporarily unavailable");
    scenario_open_gate(s, "gate");
    (void)scenario_wait_state(s, "a", "done");
    (void)scenario_wait(s, "ready", "c");
    scenario_check(s, scenario_count(s, "failed", NULL) == 0);
    scenario_stop(s);
}

static void f05_a_fork_bomb_in_a_full_cgroup_is_put_out(void **state)
{
    (void)state;
    need_cgroup(200);
    struct scenario_options o = {.prepare = enter_cgroup};
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  bomb:\n"
                   "    type: simple\n"
                   "    command: '@ACTOR@ fork 60 [ ignore TERM setsid fork 1 [ ignore TERM setpgid wait ] wait ]\n"
                   "      fork 1 [ ignore TERM outrun ] say @DIR@/ear up wait'\n"
                   "    stop_grace_period: 50ms\n");
    (void)scenario_heard(s, "ear");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(f01_with_an_init_that_never_waits_fork_fails, scenario_setup, remove_cgroup),
        cmocka_unit_test_setup_teardown(f02_with_fosterd_round_after_round_passes, scenario_setup, remove_cgroup),
        cmocka_unit_test_setup_teardown(f03_a_full_cgroup_delays_a_start_and_fails_nobody, scenario_setup,
                                        remove_cgroup),
        SCENARIO(f04_a_full_user_delays_a_start_and_fails_nobody),
        cmocka_unit_test_setup_teardown(f05_a_fork_bomb_in_a_full_cgroup_is_put_out, scenario_setup, remove_cgroup),
    };
    return SCENARIO_RUN("f_full", tests);
}

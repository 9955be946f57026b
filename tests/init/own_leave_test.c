/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Nobody holds init mode up: not those who may not be signalled, nor strangers, nor the lack of /proc, of tags or of
 * descriptors.
 */
#include "init/own_support/own.h"

#include "scenario/support/internal.h"
#include "scenario/support/worlds.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORDS_MAX = 600, EX_WORLD = 113, NOT_ROOT = 65534, FEW_DESCRIPTORS = 8, FEW_LINES = 8 };

#define PLAIN INIT_NAMES_PLAIN "/fosterd"

/* As world_user(), but programs that are set-uid may still become somebody. */
static void become_not_root(void *data)
{
    (void)data;
    if (setgroups(0, NULL) || setresgid(NOT_ROOT, NOT_ROOT, NOT_ROOT) || setresuid(NOT_ROOT, NOT_ROOT, NOT_ROOT) ||
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)) {
        _exit(EX_WORLD);
    }
}

static void become_pid_1_and_not_root(void *data)
{
    world_own_proc(data);
    become_not_root(data);
}

/** Makes `rooted` in the test's directory, which does as setpriv, but by root's rights. */
static void make_rooted(struct scenario *s)
{
    static const char setpriv[] = "/usr/bin/setpriv";
    struct statvfs fs;
    if (getuid()) {
        scenario_skip("a program that is set-uid root needs root");
    }
    assert_int_equal(statvfs(scenario_dir(s), &fs), 0);
    if (fs.f_flag & ST_NOSUID || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
        scenario_skip("set-uid programs do not work in the test's directory");
    }
    if (access(setpriv, X_OK)) {
        scenario_skip("no %s", setpriv);
    }
    assert_int_equal(chmod(scenario_copy(s, setpriv, "rooted"), 04755), 0);
    (void)scenario_copy(s, FIXTURE, "actor");
}

/** An init as INIT, without rights, whose command leaves a process of root's behind and ends with 5. */
static struct scenario *with_out_of_reach(const char *init, const struct scenario_options *o)
{
    char line[WORDS_MAX];
    struct scenario *s = own_new();
    make_rooted(s);
    (void)scenario_copy(s, FOSTERD, "fosterd");
    assert_int_equal(symlink("fosterd", scenario_path(s, "tini")), 0);
    (void)snprintf(line, sizeof(line),
                   "FOSTER_INIT_GRACE=100ms @DIR@/%s -- @DIR@/actor fork 1 [ exec @DIR@/rooted --reuid 0 --regid 0 "
                   "--clear-groups @DIR@/actor say ear left:%%p wait ] await gate exit 5",
                   init);
    own_spawn(s, o, line);
    return s;
}

static void who_may_not_be_signalled_is_left(void **state)
{
    struct scenario_options o = {.prepare = become_not_root, .leaves_children = true};
    struct scenario *s = with_out_of_reach(*state, &o);
    pid_t left = own_hear_pid(s, "left");
    scenario_check(s, procs_status(left, "Uid") == 0);
    scenario_open_gate(s, "gate");
    (void)scenario_wait_raw(s, "may not be signalled");
    own_end(s, 5);
    own_kill(s, left);
}

/* The kernel ends it with us. */
static void pid_1_goes_though_somebody_may_not_be_signalled(void **state)
{
    struct scenario_options o = {.prepare = become_pid_1_and_not_root, .clone_flags = world_pid_namespace()};
    if (!o.clone_flags) {
        scenario_skip("no pid namespaces here");
    }
    struct scenario *s = with_out_of_reach(*state, &o);
    (void)own_hear_pid(s, "left");
    scenario_open_gate(s, "gate");
    (void)scenario_wait_raw(s, "survive SIGKILL");
    own_end(s, 5);
}

/* prlimit(2) tells the limit of file locks, and does not set it. */
static void locks_can_only_be_read(void *data)
{
    static const unsigned low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 7),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + low),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RLIMIT_LOCKS, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    struct rlimit lim;
    (void)data;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0)) {
        _exit(EX_WORLD);
    }
    if (syscall(SYS_prlimit64, 0, RLIMIT_LOCKS, NULL, &lim) ||
        syscall(SYS_prlimit64, 0, RLIMIT_LOCKS, &lim, NULL) == 0) {
        _exit(EX_WORLD);
    }
}

static void where_tags_may_not_be_set_a_variable_marks(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = locks_can_only_be_read};
    struct scenario *s = own_start_with(&o, PLAIN " -- @ACTOR@ env FOSTER_RUN");
    const char *run = scenario_wait_line(s, NULL, "FOSTER_RUN=");
    scenario_check(s, strchr(run, ':') != NULL);
    own_end_printed(s, 0, 1);
}

static void where_tags_may_not_be_set_left_overs_are_ended(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = locks_can_only_be_read};
    struct scenario *s =
        own_start_with(&o, PLAIN " --grace 1h -- @ACTOR@ orphans 1 [ setsid on TERM [ say ear told exit 0 ] "
                                 "say ear left wait ] await gate exit 5");
    own_hear(s, "left");
    scenario_open_gate(s, "gate");
    own_hear(s, "told");
    own_end_quietly(s, 5);
}

/** As process 1, an INIT whose command has ended with 5, and a stranger that does ORDER ARG when it gets TERM. */
static struct scenario *with_stranger_left(const char *init, const char *order, const char *arg)
{
    const char *orders[] = {"actor", "setsid", "on", "TERM", "[",   "say",      "ear",  "told",
                            order,   arg,      "]",  "say",  "ear", "stranger", "wait", NULL};
    char line[WORDS_MAX];
    struct scenario_options o = own_pid_1();
    (void)snprintf(line, sizeof(line), "%s -- @ACTOR@ say ear up await gate exit 5", init);
    struct scenario *s = own_start_with(&o, line);
    own_hear(s, "up");
    own_exec_inside(s, orders);
    own_hear(s, "stranger");
    pid_t stranger = procs_child_named(scenario_pid(s), "stranger");
    scenario_check(s, stranger > 0);
    scenario_open_gate(s, "gate");
    own_wait_heir(s, stranger);
    return s;
}

static void a_term_ends_strangers_that_pid_1_waits_for(void **state)
{
    struct scenario *s = with_stranger_left(*state, "exit", "0");
    scenario_signal(s, SIGTERM);
    own_hear(s, "told");
    own_end(s, 5);
}

/* A second one is a second word: no grace period is waited for. */
static void a_second_term_kills_strangers_that_disobey(void **state)
{
    struct scenario *s = with_stranger_left(*state, "ignore", "TERM");
    scenario_signal(s, SIGTERM);
    own_hear(s, "told");
    scenario_signal(s, SIGTERM);
    own_end(s, 5);
}

/* Neither the command's left-over nor the stranger obeys. */
static void nobody_who_disobeys_keeps_pid_1(void **state)
{
    static const char *const orders[] = {"actor", "setsid", "ignore", "TERM", "say", "ear", "stranger", "wait", NULL};
    struct scenario_options o = own_pid_1();
    struct scenario *s = own_start_with(&o, *state);
    own_hear(s, "left");
    own_exec_inside(s, orders);
    own_hear(s, "stranger");
    scenario_open_gate(s, "gate");
    own_hear(s, "told");
    own_end(s, 5);
}

static void limit_descriptors(rlim_t soft, rlim_t hard)
{
    struct rlimit lim = {soft, hard};
    if (setrlimit(RLIMIT_NOFILE, &lim)) {
        _exit(EX_WORLD);
    }
}

static void too_few_descriptors(void *data)
{
    (void)data;
    limit_descriptors(FEW_DESCRIPTORS, FEW_DESCRIPTORS);
}

static void too_few_descriptors_are_said_and_the_end(void **state)
{
    struct scenario_options o = {.prepare = too_few_descriptors};
    struct scenario *s = own_start_with(&o, *state);
    assert_int_equal(scenario_wait_exit(s), 71);
    scenario_check(s, s->n_raw > 0 && s->n_raw < FEW_LINES);
    own_end(s, 71);
}

static void few_descriptors_unless_we_ask(void *data)
{
    limit_descriptors(FEW_DESCRIPTORS, *(const rlim_t *)data);
}

static void more_descriptors_are_ours_alone(void **state)
{
    char all[32];
    struct rlimit lim;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
    struct scenario_options o = {.prepare = few_descriptors_unless_we_ask, .data = &lim.rlim_max};
    /* One word: a script in a file would cost the shell a descriptor that it does not have. */
    struct scenario *s = own_start_with(&o, PLAIN " -- sh -c ulimit\t-Sn;ulimit\t-Hn");
    (void)snprintf(all, sizeof(all), "%llu", (unsigned long long)lim.rlim_max);
    assert_string_equal(scenario_wait_line(s, NULL, ""), "8");
    assert_string_equal(scenario_wait_line(s, NULL, ""), lim.rlim_max == RLIM_INFINITY ? "unlimited" : all);
    own_end_printed(s, 0, 2);
}

/** Without /proc, and not as process 1: an init of LINE, whose command has ended; who has said "left" has not. */
static struct scenario *with_unseen(const char *line, bool outlives, pid_t *ret_left)
{
    struct scenario_options o = {.prepare = world_no_proc, .clone_flags = CLONE_NEWNS, .leaves_children = outlives};
    if (getuid()) {
        scenario_skip("mounting needs root");
    }
    struct scenario *s = own_start_with(&o, line);
    pid_t command = own_hear_pid(s, "main");
    *ret_left = own_hear_pid(s, "left");
    scenario_open_gate(s, "gate");
    own_wait_gone(s, command);
    return s;
}

#define UNSEEN(way, orders)                                                                                            \
    " -- @ACTOR@ say ear main:%p fork 1 [ " way " " orders " say ear left:%p wait ] await gate exit 5"

static void an_unseen_member_of_the_group_is_asked(void **state)
{
    pid_t left;
    (void)state;
    struct scenario *s = with_unseen(PLAIN " --grace 1h" UNSEEN("", "on TERM [ say ear told exit 0 ]"), false, &left);
    own_hear(s, "told");
    own_end_quietly(s, 5);
}

static void the_unseen_are_waited_for(void **state)
{
    pid_t left;
    struct scenario *s = with_unseen(*state, false, &left);
    own_wait_idle(s);
    scenario_check(s, procs_parent(left) == scenario_pid(s));
    assert_int_equal(kill(left, SIGUSR1), 0);
    own_end_quietly(s, 5);
}

static void the_unseen_are_not_waited_for_longer(void **state)
{
    pid_t left;
    (void)state;
    struct scenario *s = with_unseen(PLAIN " --grace 500ms" UNSEEN("setsid", "on TERM [ say ear told ]"), true, &left);
    (void)scenario_wait_raw(s, "going without waiting");
    own_end(s, 5);
    own_kill(s, left);
}

#define WAITED    UNSEEN("setsid", "on TERM [ say ear told ] on USR1 [ exit 0 ]")
#define DISOBEYED " -- @ACTOR@ fork 1 [ setsid on TERM [ say ear told ] say ear left wait ] await gate exit 5"

int main(void)
{
    const struct CMUnitTest tests[] = {
        OWN_ROW(who_may_not_be_signalled_is_left, "tini"),
        OWN_ROW(who_may_not_be_signalled_is_left, "fosterd --config-from-env"),
        OWN_ROW(pid_1_goes_though_somebody_may_not_be_signalled, "tini"),
        OWN_ROW(pid_1_goes_though_somebody_may_not_be_signalled, "fosterd --config-from-env"),
        SCENARIO(where_tags_may_not_be_set_a_variable_marks),
        SCENARIO(where_tags_may_not_be_set_left_overs_are_ended),
        OWN_ROW(a_term_ends_strangers_that_pid_1_waits_for, "fosterd --wait-all --grace 1h"),
        OWN_ROW(a_term_ends_strangers_that_pid_1_waits_for, "FOSTER_INIT_WAIT_ALL=1 FOSTER_INIT_GRACE=1h tini"),
        OWN_ROW(a_second_term_kills_strangers_that_disobey, "fosterd --wait-all --grace 1h"),
        OWN_ROW(nobody_who_disobeys_keeps_pid_1, "fosterd --grace 500ms" DISOBEYED),
        OWN_ROW(nobody_who_disobeys_keeps_pid_1, "FOSTER_INIT_GRACE=500ms tini" DISOBEYED),
        OWN_ROW(too_few_descriptors_are_said_and_the_end, PLAIN " -- @ACTOR@ say ear up"),
        SCENARIO(more_descriptors_are_ours_alone),
        SCENARIO(an_unseen_member_of_the_group_is_asked),
        OWN_ROW(the_unseen_are_waited_for, PLAIN " --grace 1h" WAITED),
        OWN_ROW(the_unseen_are_waited_for, PLAIN " --wait-all" WAITED),
        SCENARIO(the_unseen_are_not_waited_for_longer),
    };
    return SCENARIO_RUN("init_own_leave", tests);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Facts about real processes: live, dead but not waited for, of other users, far descendants; and what is said when
 * /proc is missing or shows another pid namespace.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/procfs.h"

#include "unit/sys/kit.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum {
    N_CHILDREN = 300,
    NO_PID = 0x3fffffff, /* more than any kernel's pid_max */
    OTHER_UID = 65533,
};

/* A child that ends when the pipe that it reads does. */
struct hold {
    int ends[2];
};

static void hold_open(struct hold *h)
{
    assert_int_equal(pipe2(h->ends, O_CLOEXEC), 0);
}

/* In the child: waits for hold_release(). */
static void hold_wait(const struct hold *h)
{
    char c;
    close(h->ends[1]);
    while (read(h->ends[0], &c, 1) > 0)
        continue;
}

static void hold_release(struct hold *h)
{
    close(h->ends[0]);
    close(h->ends[1]);
}

/* Waits until PID is a zombie, and leaves it one. */
static void await_zombie(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static pid_t checked_fork(void)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    return pid;
}

static int compare_pids(const void *a, const void *b)
{
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
    return (x > y) - (x < y);
}

static void assert_same_pids(pid_t *a, size_t n_a, pid_t *b, size_t n_b)
{
    assert_int_equal(n_a, n_b);
    qsort(a, n_a, sizeof *a, compare_pids);
    qsort(b, n_b, sizeof *b, compare_pids);
    assert_memory_equal(a, b, n_a * sizeof *a);
}

/* ------------------------------------------------------------------ children */

static void all_children_are_listed(void **state UNUSED)
{
    static pid_t want[N_CHILDREN];
    struct hold h;
    struct pidlist file = {0}, all = {0};
    size_t n_fds = kit_count_fds(), n_scanned = 0;
    static pid_t scanned[N_CHILDREN];

    assert_true(procfs_children(getpid(), &file));
    assert_int_equal(file.n, 0);
    hold_open(&h);
    for (size_t i = 0; i < N_CHILDREN; i++) {
        want[i] = checked_fork();
        if (want[i] == 0) {
            if (i % 3 != 0)
                hold_wait(&h);
            _exit(0);
        }
    }
    for (size_t i = 0; i < N_CHILDREN; i += 3)
        await_zombie(want[i]);

    assert_true(procfs_children(getpid(), &file));
    assert_same_pids(file.pids, file.n, want, N_CHILDREN);

    assert_true(procfs_all(&all));
    for (size_t i = 0; i < all.n; i++) {
        struct procstat st;
        if (procfs_stat(all.pids[i], &st) && st.ppid == getpid()) {
            assert_true(n_scanned < N_CHILDREN);
            scanned[n_scanned++] = all.pids[i];
        }
    }
    assert_same_pids(scanned, n_scanned, want, N_CHILDREN);

    hold_release(&h);
    for (size_t i = 0; i < N_CHILDREN; i++)
        assert_int_equal(kit_wait(want[i]), 0);
    assert_true(procfs_children(getpid(), &file));
    assert_int_equal(file.n, 0);
    pidlist_done(&file);
    pidlist_done(&all);
    pidlist_done(&all);
    assert_int_equal(kit_count_fds(), n_fds);
    assert_true(kit_has_no_children());
}

static void children_of_another_process(void **state UNUSED)
{
    struct hold h;
    int tell[2];
    pid_t want[3];
    struct pidlist l = {0};

    hold_open(&h);
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    pid_t pid = checked_fork();
    if (pid == 0) {
        pid_t made[3];
        for (int i = 0; i < 3; i++) {
            made[i] = fork();
            if (made[i] == 0) {
                hold_wait(&h);
                _exit(0);
            }
        }
        REQUIRE(write(tell[1], made, sizeof made) == (ssize_t)sizeof made);
        hold_wait(&h);
        while (wait(NULL) > 0)
            continue;
        _exit(0);
    }
    assert_int_equal(read(tell[0], want, sizeof want), (ssize_t)sizeof want);
    assert_true(procfs_children(pid, &l));
    assert_same_pids(l.pids, l.n, want, 3);
    hold_release(&h);
    await_zombie(pid);
    assert_true(procfs_children(pid, &l)); /* a zombie has none */
    assert_int_equal(l.n, 0);
    assert_int_equal(kit_wait(pid), 0);
    close(tell[0]);
    close(tell[1]);
    pidlist_done(&l);
}

static void nobody_has_no_facts(void **state UNUSED)
{
    struct pidlist l = {0};
    struct procstat st;
    uint64_t tag = 4711;
    char text[16];

    assert_false(procfs_children(NO_PID, &l));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(l.n, 0);
    pidlist_done(&l);
    assert_false(procfs_stat(NO_PID, &st));
    assert_int_equal(errno, ENOENT);
    for (size_t i = 0; i < 3; i++) {
        assert_false(procfs_tag((const pid_t[]){NO_PID, 0, -1}[i], &tag));
        assert_int_equal(errno, ESRCH);
    }
    assert_int_equal(tag, 4711);
    assert_false(procfs_env(NO_PID, "PATH", text, sizeof text));
}

static void all_processes_are_listed_once(void **state UNUSED)
{
    struct pidlist l = {0};
    bool has_us = false;

    assert_true(procfs_all(&l));
    qsort(l.pids, l.n, sizeof *l.pids, compare_pids);
    for (size_t i = 0; i < l.n; i++) {
        has_us = has_us || l.pids[i] == getpid();
        assert_true(l.pids[i] > (i == 0 ? 0 : l.pids[i - 1]));
    }
    assert_true(has_us);
    pidlist_done(&l);
}

/* ------------------------------------------------------------------ stat */

static void stat_of_a_life(void **state UNUSED)
{
    static const char name[] = "a) R 1 (b";
    struct hold h;
    struct procstat st;
    int ready[2];
    char c;

    hold_open(&h);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = checked_fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, name);
        setsid();
        REQUIRE(write(ready[1], "r", 1) == 1);
        hold_wait(&h);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_true(procfs_stat(pid, &st));
    assert_int_equal(st.pid, pid);
    assert_int_equal(st.ppid, getpid());
    assert_int_equal(st.session, pid);
    assert_int_equal(st.pgrp, pid);
    assert_int_equal(st.n_threads, 1);
    assert_string_equal(st.comm, name);
    uint64_t start = st.start_ticks;
    assert_true(start > 0);

    hold_release(&h);
    await_zombie(pid);
    assert_true(procfs_stat(pid, &st));
    assert_int_equal(st.state, 'Z');
    assert_int_equal(st.ppid, getpid());
    assert_true(st.start_ticks == start);
    assert_int_equal(kit_wait(pid), 0);
    close(ready[0]);
    close(ready[1]);
}

/* ------------------------------------------------------------------ the tag */

static const uint64_t a_tag = (UINT64_C(1) << 60) - (UINT64_C(77) << 40);

static void set_tag(void)
{
    const struct rlimit limit = {.rlim_cur = a_tag, .rlim_max = a_tag};
    REQUIRE(setrlimit(RLIMIT_LOCKS, &limit) == 0);
}

static void assert_tag(pid_t pid, uint64_t want)
{
    uint64_t tag = 0;
    assert_true(procfs_tag(pid, &tag));
    assert_true(tag == want);
}

static void untagged_shows_our_own_limit(void **state UNUSED)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_LOCKS, &limit), 0);
    assert_tag(getpid(), limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur);
}

/* Two forks away, in a session of its own, without environment, and other programs by now. */
static void far_descendant(pid_t *tell)
{
    int in[2], done[2];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0);
    if (fork() == 0) {
        set_tag();
        if (fork() == 0) {
            setsid();
            if (fork() != 0)
                _exit(0);
            *tell = getpid();
            dup2(in[0], STDIN_FILENO);
            execlp("env", "env", "-i", "setsid", "cat", (char *)NULL);
            _exit(1);
        }
        _exit(0);
    }
    close(in[0]);
    close(done[1]);
    char c;
    REQUIRE(read(done[0], &c, 1) == 0); /* closed by the exec */
    uint64_t tag;
    REQUIRE(*tell > 0 && procfs_tag(*tell, &tag) && tag == a_tag);

    siginfo_t info;
    for (int i = 0; i < 2; i++)
        REQUIRE(wait(NULL) > 0); /* the two in between, and then it is ours */
    close(in[1]);
    REQUIRE(waitid(P_PID, (id_t)*tell, &info, WEXITED | WNOWAIT) == 0);
    REQUIRE(info.si_code == CLD_EXITED && info.si_status == 0);
    REQUIRE(procfs_tag(*tell, &tag) && tag == a_tag);
    while (wait(NULL) > 0)
        continue;
}

static void follow_far_descendant(void *arg)
{
    REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) == 0);
    far_descendant(arg);
}

static void tag_survives_everything(void **state UNUSED)
{
    pid_t *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    assert_true(kit_isolated(follow_far_descendant, shared));
    munmap(shared, sizeof *shared);
}

/* A child with the tag, of UID unless that is 0. */
static void tag_of(uid_t uid)
{
    struct hold h;
    int ready[2];
    char c;

    hold_open(&h);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = checked_fork();
    if (pid == 0) {
        set_tag();
        REQUIRE(uid == 0 || setresuid(uid, uid, uid) == 0);
        REQUIRE(write(ready[1], "r", 1) == 1);
        hold_wait(&h);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_tag(pid, a_tag);
    hold_release(&h);
    await_zombie(pid);
    assert_tag(pid, a_tag);
    assert_int_equal(kit_wait(pid), 0);
    close(ready[0]);
    close(ready[1]);
}

static void tag_of_live_and_dead(void **state UNUSED)
{
    tag_of(0);
}

static void tag_of_other_users(void **state UNUSED)
{
    uint64_t tag;
    if (geteuid() == 0)
        tag_of(OTHER_UID);
    else if (access("/proc/1/limits", R_OK) == 0)
        assert_true(procfs_tag(1, &tag)); /* prlimit(2) refuses this one */
    else
        kit_skip("tag of another user", "neither root nor able to read /proc/1/limits");
}

/* ------------------------------------------------------------------ the environment */

static void environment_of_a_program(void **state UNUSED)
{
    struct hold h;
    int gone[2];
    char c, text[16] = "untouched";
    static char big[200 * 1024] = "BIG=";

    memset(big + 4, 'x', sizeof big - 5);
    hold_open(&h);
    assert_int_equal(pipe2(gone, O_CLOEXEC), 0);
    pid_t pid = checked_fork();
    if (pid == 0) {
        char *argv[] = {(char *)"cat", NULL};
        big[100 * 1024] = '\0'; /* below the 128 KiB that one string may have */
        char *envp[] = {(char *)"A=1", big, (char *)"EMPTY=", (char *)"FOSTER_RUN=web:7", NULL};
        dup2(h.ends[0], STDIN_FILENO);
        execve("/bin/cat", argv, envp);
        _exit(1);
    }
    close(gone[1]);
    assert_int_equal(read(gone[0], &c, 1), 0);
    close(gone[0]);

    assert_false(procfs_env(pid, "FOSTER", text, sizeof text));
    assert_false(procfs_env(pid, "BIG", text, sizeof text));
    assert_string_equal(text, "untouched");
    assert_true(procfs_env(pid, "FOSTER_RUN", text, sizeof text));
    assert_string_equal(text, "web:7");
    assert_true(procfs_env(pid, "A", text, 2));
    assert_string_equal(text, "1");
    assert_true(procfs_env(pid, "EMPTY", text, 1));
    assert_string_equal(text, "");

    hold_release(&h);
    await_zombie(pid);
    assert_false(procfs_env(pid, "A", text, sizeof text));
    assert_int_equal(kit_wait(pid), 0);
}

/* ------------------------------------------------------------------ without /proc */

static void require_nothing_but_tags(void)
{
    struct pidlist l = {0};
    struct procstat st;
    uint64_t tag;
    char text[8];

    set_tag();
    for (int i = 0; i < 2; i++) { /* before it was probed, and after */
        REQUIRE(!procfs_children(getpid(), &l) && errno == ENOSYS);
        REQUIRE(procfs_tag(getpid(), &tag) && tag == a_tag);
        REQUIRE(procfs_probe() == PROCFS_CHILDREN_NONE);
    }
    REQUIRE(!procfs_all(&l) && errno == ENOSYS);
    REQUIRE(!procfs_stat(getpid(), &st) && errno == ENOSYS);
    REQUIRE(!procfs_env(getpid(), "PATH", text, sizeof text));
    pidlist_done(&l);
}

static void become_root_in_a_namespace(void)
{
    if (geteuid() != 0)
        REQUIRE(unshare(CLONE_NEWUSER) == 0);
}

static void without_proc(void *dir)
{
    become_root_in_a_namespace();
    REQUIRE(chroot(dir) == 0 && chdir("/") == 0);
    require_nothing_but_tags();
}

static void probe_foreign_proc(void)
{
    REQUIRE(procfs_probe() == PROCFS_CHILDREN_NONE);
    struct pidlist l = {0};
    REQUIRE(!procfs_children(getpid(), &l) && errno == ENOSYS);
}

/* /proc of the pid namespace above: what has our number there is somebody else. */
static void with_foreign_proc(void *arg UNUSED)
{
    become_root_in_a_namespace();
    REQUIRE(unshare(CLONE_NEWPID) == 0);
    pid_t pid = fork();
    REQUIRE(pid != -1);
    if (pid == 0) {
        probe_foreign_proc();
        _exit(0);
    }
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
}

static void try_namespaces(void *arg UNUSED)
{
    if ((geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) || unshare(CLONE_NEWPID) != 0)
        _exit(1);
}

static void proc_that_cannot_be_used(void **state UNUSED)
{
    char dir[KIT_PATH_MAX];
    if (!kit_isolated(try_namespaces, NULL)) {
        kit_skip("missing and foreign /proc", "needs root or user namespaces");
        return;
    }
    kit_make_dir(dir);
    assert_true(kit_isolated(without_proc, dir));
    kit_remove(dir);
    assert_true(kit_isolated(with_foreign_proc, NULL));
}

static void probe_again(void *arg UNUSED)
{
    struct pidlist l = {0};
    enum procfs_children_source source = procfs_probe();
    REQUIRE(source == PROCFS_CHILDREN_FILE || source == PROCFS_CHILDREN_SCAN);
    pid_t pid = fork();
    REQUIRE(pid != -1);
    if (pid == 0)
        _exit(0);
    REQUIRE(procfs_children(getpid(), &l));
    REQUIRE(l.n == 1 && l.pids[0] == pid);
    REQUIRE(!procfs_children(NO_PID, &l) && errno == ENOENT);
    struct procstat st;
    REQUIRE(procfs_stat(getpid(), &st));
    REQUIRE(procfs_children_of(&st, &l) && l.n == 1 && l.pids[0] == pid);
    st.n_threads = 2;
    REQUIRE(procfs_children_of(&st, &l) && l.n == 1 && l.pids[0] == pid);
    st.pid = NO_PID;
    st.n_threads = 1;
    REQUIRE(!procfs_children_of(&st, &l) && errno == ENOENT);
    pidlist_done(&l);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
}

static void commands_and_states(void **state UNUSED)
{
    char line[64] = "before", all[4096];
    uint64_t n = 0;

    assert_true(procfs_command(getpid(), all, sizeof all));
    assert_non_null(strstr(all, "procfs_test"));
    assert_true(procfs_command(getpid(), line, 8));
    assert_int_equal(strlen(line), 7);
    assert_memory_equal(line, all, 7);
    pid_t pid = checked_fork();
    if (pid == 0)
        _exit(0);
    await_zombie(pid);
    assert_true(procfs_command(pid, line, sizeof line));
    assert_string_equal(line, "");
    assert_int_equal(kit_wait(pid), 0);
    assert_false(procfs_command(NO_PID, line, sizeof line));
    assert_int_equal(errno, ENOENT);

    assert_true(procfs_status(getpid(), "Pid:", 10, &n));
    assert_int_equal(n, getpid());
    assert_true(procfs_status(getpid(), "PPid:", 10, &n));
    assert_int_equal(n, getppid());
    assert_true(procfs_status(getpid(), "CapBnd:", 16, &n));
    assert_false(procfs_status(getpid(), "NoSuchLine:", 10, &n));
    assert_int_equal(errno, EPROTO);
    assert_false(procfs_status(NO_PID, "Pid:", 10, &n));
    assert_int_equal(errno, ENOENT);
}

static void probed_it_answers_the_same(void **state UNUSED)
{
    assert_true(kit_isolated(probe_again, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_children_are_listed),  cmocka_unit_test(children_of_another_process),
        cmocka_unit_test(nobody_has_no_facts),      cmocka_unit_test(all_processes_are_listed_once),
        cmocka_unit_test(stat_of_a_life),           cmocka_unit_test(untagged_shows_our_own_limit),
        cmocka_unit_test(tag_of_live_and_dead),     cmocka_unit_test(tag_of_other_users),
        cmocka_unit_test(tag_survives_everything),  cmocka_unit_test(environment_of_a_program),
        cmocka_unit_test(proc_that_cannot_be_used), cmocka_unit_test(probed_it_answers_the_same),
        cmocka_unit_test(commands_and_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A negligent parent for the tests of the cure: it makes zombies, does not wait for them, and is blocked in something.
 * For processes that cmocka knows nothing of REQUIRE() is there, see kit.h.
 */
#ifndef FOSTER_TESTS_UNIT_SYS_UNZOMBIE_KIT_H
#define FOSTER_TESTS_UNIT_SYS_UNZOMBIE_KIT_H

#include "sys/unzombie.h"

#include "unit/sys/kit.h"

#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

enum {
    ZK_GUARD_S = 60,         /* more than any machine takes; then the test fails */
    ZK_BUDGET_US = 10000000, /* for cures that have to be complete */
    ZK_TEXT_MAX = 4096,
    ZK_NO_PID = 0x3fffffff, /* more than any kernel's pid_max */
};

/** What the body of a parent runs with. */
struct zk_world {
    int go_fd;  /**< a byte comes here when it has to go on */
    int say_fd; /**< for what it has to say */
    int *word;  /**< shared with the test */
};

/** The body: 0 when all was as it should be. */
typedef int zk_body(const struct zk_world *w);

/** A parent and its zombies. */
struct zk_parent {
    pid_t pid;
    pid_t zombies[UNZOMBIE_MAX];
    size_t n;
    int go_fd;
    int said_fd;
    int *word;
};

static inline int64_t zk_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/** Makes COUNT zombies. */
static inline void zk_make_zombies(pid_t *zombies, size_t count)
{
    siginfo_t info;
    for (size_t i = 0; i < count; i++) {
        zombies[i] = fork();
        if (zombies[i] == 0)
            _exit(3);
        REQUIRE(zombies[i] > 0);
    }
    for (size_t i = 0; i < count; i++)
        REQUIRE(waitid(P_PID, (id_t)zombies[i], &info, WEXITED | WNOWAIT) == 0);
}

/** Starts a parent of N zombies with BODY. */
static inline void zk_start(struct zk_parent *p, size_t n, zk_body *body)
{
    int go[2], said[2];
    *p = (struct zk_parent){.n = n};
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    p->word = mmap(NULL, sizeof *p->word, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p->word, MAP_FAILED);
    fflush(NULL);
    p->pid = fork();
    assert_int_not_equal(p->pid, -1);
    if (p->pid == 0) {
        const struct zk_world w = {.go_fd = go[0], .say_fd = said[1], .word = p->word};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* a test may use a helper, which is no ancestor */
        close(go[1]);
        close(said[0]);
        zk_make_zombies(p->zombies, n);
        REQUIRE(write(w.say_fd, p->zombies, n * sizeof *p->zombies) == (ssize_t)(n * sizeof *p->zombies));
        _exit(body(&w));
    }
    close(go[0]);
    close(said[1]);
    p->go_fd = go[1];
    p->said_fd = said[0];
    for (size_t got = 0; got < n * sizeof *p->zombies;) {
        ssize_t more = read(p->said_fd, (char *)p->zombies + got, n * sizeof *p->zombies - got);
        assert_true(more > 0);
        got += (size_t)more;
    }
}

/** Reads FILE of /proc/PID as a string. False when it is not there, or empty. */
static inline bool zk_read(pid_t pid, const char *file, char text[ZK_TEXT_MAX])
{
    static char path[KIT_PATH_MAX];
    int fd = open(kit_path(path, "/proc/%d/%s", (int)pid, file), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, ZK_TEXT_MAX - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    return len > 0;
}

/** The state of thread TID: '-' when it is gone. */
static inline char zk_state(pid_t tid)
{
    static char text[ZK_TEXT_MAX];
    const char *name_end = zk_read(tid, "stat", text) ? strrchr(text, ')') : NULL;
    return name_end != NULL ? name_end[2] : '-';
}

/** The number of the system call that thread TID sleeps in; -1 when it does not. */
static inline long zk_call(pid_t tid)
{
    static char text[ZK_TEXT_MAX];
    if (zk_state(tid) != 'S' || !zk_read(tid, "syscall", text) || text[0] < '0' || text[0] > '9')
        return -1;
    return strtol(text, NULL, 10);
}

/** Waits until thread TID sleeps in system call A or B. */
static inline void zk_await_call(pid_t tid, long a, long b)
{
    long call;
    for (int64_t end = zk_now_s() + ZK_GUARD_S; (call = zk_call(tid)) != a && call != b;) {
        if (zk_now_s() > end)
            fail_msg("%d is in state %c, call %ld, not in %ld or %ld", (int)tid, zk_state(tid), call, a, b);
        sched_yield();
    }
}

static inline void zk_await_state(pid_t tid, char state)
{
    for (int64_t end = zk_now_s() + ZK_GUARD_S; zk_state(tid) != state;) {
        if (zk_now_s() > end)
            fail_msg("%d is in state %c, not %c", (int)tid, zk_state(tid), state);
        sched_yield();
    }
}

/** Whether PID is a zombie, or anything else. */
static inline bool zk_is_there(pid_t pid)
{
    return kill(pid, 0) == 0;
}

/** Says that nobody traces PID, and that it is not stopped. */
static inline void zk_assert_free(pid_t pid)
{
    static char text[ZK_TEXT_MAX];
    assert_true(zk_read(pid, "status", text));
    assert_non_null(strstr(text, "\nTracerPid:\t0\n"));
    assert_null(strchr("tT", zk_state(pid)));
}

/** Settles until nothing is pending. */
static inline void zk_settle(void)
{
    for (int64_t end = zk_now_s() + ZK_GUARD_S; unzombie_is_pending(); unzombie_settle()) {
        assert_true(zk_now_s() <= end);
        sched_yield();
    }
}

/** Ends the parent: REQUIRE()s of its body have to have held. Its exit code, or minus the signal. */
static inline int zk_end(struct zk_parent *p)
{
    int code = kit_wait(p->pid);
    close(p->go_fd);
    close(p->said_fd);
    munmap(p->word, sizeof *p->word);
    return code;
}

static inline void zk_go(const struct zk_parent *p)
{
    assert_int_equal(write(p->go_fd, "g", 1), 1);
}

/** A body: reads the byte. */
static inline int zk_read_go(const struct zk_world *w)
{
    char c = 0;
    REQUIRE(read(w->go_fd, &c, 1) == 1);
    return c == 'g' ? 0 : 1;
}

/** Cures P; everything has to be done. */
static inline void zk_cure(struct zk_parent *p)
{
    struct unzombie_result r;
    unzombie(p->pid, p->zombies, p->n, ZK_BUDGET_US, &r);
    if (r.verdict != UNZOMBIE_DONE)
        fail_msg("%s (errno %d)", unzombie_verdict_text(r.verdict), r.errnum);
    assert_int_equal(r.n_tried, p->n);
    assert_int_equal(r.n_reaped, p->n);
    assert_int_equal(r.errnum, 0);
    assert_true(r.held_us > 0);
    assert_false(unzombie_is_pending());
    for (size_t i = 0; i < p->n; i++)
        assert_false(zk_is_there(p->zombies[i]));
    zk_assert_free(p->pid);
}

#endif

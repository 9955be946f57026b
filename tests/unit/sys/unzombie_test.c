/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Parents that are blocked in all kinds of system calls lose their zombies and notice nothing: the call comes to what
 * it would have come to, and what a program keeps in registers is still there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/sys/unzombie_kit.h"

#include <dirent.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>

enum { N_ZOMBIES = 2, LONG_S = 1000, N_THREADS = 6 };

#ifndef SYS_poll
enum { SYS_poll = SYS_ppoll, SYS_select = SYS_pselect6, SYS_pause = SYS_ppoll, SYS_epoll_wait = SYS_epoll_pwait };
#endif

static volatile sig_atomic_t n_caught;

static void on_signal(int sig)
{
    (void)sig;
    n_caught++;
}

/* SIGUSR1 ends calls. */
static void catch_signal(void)
{
    const struct sigaction act = {.sa_handler = on_signal};
    REQUIRE(sigaction(SIGUSR1, &act, NULL) == 0);
}

/* ------------------------------------------------------------------ bodies */

static int in_nanosleep(const struct zk_world *w)
{
    struct timespec t = {.tv_sec = LONG_S}, rest = {0};
    (void)w;
    catch_signal();
    REQUIRE(syscall(SYS_nanosleep, &t, &rest) == -1 && errno == EINTR && n_caught == 1);
    REQUIRE(rest.tv_sec > 0 && rest.tv_sec < LONG_S);
    return 0;
}

static int in_clock_nanosleep(const struct zk_world *w)
{
    struct timespec t = {.tv_sec = LONG_S}, rest = {0};
    (void)w;
    catch_signal();
    REQUIRE(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &rest) == EINTR && n_caught == 1);
    REQUIRE(rest.tv_sec > 0 && rest.tv_sec < LONG_S);
    return 0;
}

static int in_clock_nanosleep_until(const struct zk_world *w)
{
    struct timespec t;
    (void)w;
    catch_signal();
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    t.tv_sec += LONG_S;
    REQUIRE(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR && n_caught == 1);
    return 0;
}

static int in_poll(const struct zk_world *w)
{
    struct pollfd fd = {.fd = w->go_fd, .events = POLLIN};
    REQUIRE(poll(&fd, 1, LONG_S * 1000) == 1 && fd.revents == POLLIN);
    return zk_read_go(w);
}

static int in_ppoll(const struct zk_world *w)
{
    struct pollfd fd = {.fd = w->go_fd, .events = POLLIN};
    REQUIRE(ppoll(&fd, 1, NULL, NULL) == 1 && fd.revents == POLLIN);
    return zk_read_go(w);
}

static int in_select(const struct zk_world *w)
{
    struct timeval t = {.tv_sec = LONG_S};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(w->go_fd, &set);
    REQUIRE(select(w->go_fd + 1, &set, NULL, NULL, &t) == 1 && FD_ISSET(w->go_fd, &set));
    return zk_read_go(w);
}

static int in_futex(const struct zk_world *w)
{
    REQUIRE(syscall(SYS_futex, w->word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0);
    return 0;
}

static int in_futex_for_a_time(const struct zk_world *w)
{
    struct timespec t = {.tv_sec = LONG_S};
    REQUIRE(syscall(SYS_futex, w->word, FUTEX_WAIT, 0, &t, NULL, 0) == 0);
    return 0;
}

static int in_wait4(const struct zk_world *w)
{
    int status = 0;
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0)
        _exit(zk_read_go(w) + 42);
    REQUIRE(wait4(child, &status, 0, NULL) == child);
    return status == 42 << 8 ? 0 : 1;
}

static int in_pause(const struct zk_world *w)
{
    (void)w;
    catch_signal();
    REQUIRE(pause() == -1 && errno == EINTR && n_caught == 1);
    return 0;
}

static int in_sigsuspend(const struct zk_world *w)
{
    sigset_t blocked, none, now;
    (void)w;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    REQUIRE(sigprocmask(SIG_SETMASK, &blocked, NULL) == 0);
    catch_signal();
    REQUIRE(sigsuspend(&none) == -1 && errno == EINTR && n_caught == 1);
    REQUIRE(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
    REQUIRE(sigismember(&now, SIGUSR1) == 1 && sigismember(&now, SIGUSR2) == 1 && sigismember(&now, SIGTERM) == 0);
    return 0;
}

static int in_recv(const struct zk_world *w)
{
    int ends[2];
    char c = 0;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(zk_read_go(w) == 0 && write(ends[1], "x", 1) == 1 ? 0 : 1);
    REQUIRE(recv(ends[0], &c, 1, 0) == 1 && c == 'x');
    return 0;
}

static int in_msgrcv(const struct zk_world *w)
{
    struct {
        long type;
        char text[1];
    } message = {.type = 1};
    int queue = msgget(IPC_PRIVATE, 0600);
    REQUIRE(queue >= 0);
    pid_t child = fork();
    if (child == 0)
        _exit(zk_read_go(w) == 0 && msgsnd(queue, &message, 1, 0) == 0 ? 0 : 1);
    ssize_t n = msgrcv(queue, &message, 1, 0, 0);
    REQUIRE(msgctl(queue, IPC_RMID, NULL) == 0);
    return n == 1 ? 0 : 1;
}

/* The kernel does not restart it behind a stop. */
static int in_epoll_wait(const struct zk_world *w)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    REQUIRE(epoll_ctl(fd, EPOLL_CTL_ADD, w->go_fd, &event) == 0);
    REQUIRE(epoll_wait(fd, &event, 1, LONG_S * 1000) == -1 && errno == EINTR);
    REQUIRE(epoll_wait(fd, &event, 1, LONG_S * 1000) == 1);
    return zk_read_go(w);
}

static int in_sigtimedwait(const struct zk_world *w)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    REQUIRE(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    REQUIRE(sigtimedwait(&set, NULL, &(struct timespec){.tv_sec = LONG_S}) == -1 && errno == EINTR);
    return zk_read_go(w);
}

static void wake(const struct zk_parent *p)
{
    *p->word = 1;
    assert_int_equal(syscall(SYS_futex, p->word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
}

static void interrupt(const struct zk_parent *p)
{
    assert_int_equal(kill(p->pid, SIGUSR1), 0);
}

static const struct {
    const char *name;
    zk_body *body;
    void (*finish)(const struct zk_parent *p);
    long call;
    long call_after; /* what it is blocked in afterwards, besides the same */
} cases[] = {
    {"nanosleep", in_nanosleep, interrupt, SYS_nanosleep, SYS_restart_syscall},
    {"clock_nanosleep", in_clock_nanosleep, interrupt, SYS_clock_nanosleep, SYS_restart_syscall},
    {"clock_nanosleep until", in_clock_nanosleep_until, interrupt, SYS_clock_nanosleep, SYS_clock_nanosleep},
    {"poll", in_poll, zk_go, SYS_poll, SYS_restart_syscall},
    {"ppoll", in_ppoll, zk_go, SYS_ppoll, SYS_ppoll},
    {"select", in_select, zk_go, SYS_select, SYS_pselect6},
    {"futex", in_futex, wake, SYS_futex, SYS_futex},
    {"futex for a time", in_futex_for_a_time, wake, SYS_futex, SYS_restart_syscall},
    {"read", zk_read_go, zk_go, SYS_read, SYS_read},
    {"wait4", in_wait4, zk_go, SYS_wait4, SYS_wait4},
    {"pause", in_pause, interrupt, SYS_pause, SYS_pause},
    {"sigsuspend", in_sigsuspend, interrupt, SYS_rt_sigsuspend, SYS_rt_sigsuspend},
    {"recv", in_recv, zk_go, SYS_recvfrom, SYS_recvfrom},
    {"msgrcv", in_msgrcv, zk_go, SYS_msgrcv, SYS_msgrcv},
    {"epoll_wait", in_epoll_wait, zk_go, SYS_epoll_wait, SYS_epoll_wait},
    {"sigtimedwait", in_sigtimedwait, zk_go, SYS_rt_sigtimedwait, SYS_read},
};

static void whatever_it_is_blocked_in_goes_on(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct zk_parent p;
        print_message("%s\n", cases[i].name);
        zk_start(&p, N_ZOMBIES, cases[i].body);
        /* glibc makes select(2) of pselect6. */
        zk_await_call(p.pid, cases[i].call, cases[i].call == SYS_select ? SYS_pselect6 : cases[i].call);
        zk_cure(&p);
        zk_await_call(p.pid, cases[i].call_after, cases[i].call);
        cases[i].finish(&p);
        assert_int_equal(zk_end(&p), 0);
    }
}

/* ------------------------------------------------------------------ threads */

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t cond, waiting;
    bool is_open;
    int n_waiting, n_done;
};

static void *work(void *data)
{
    struct pool *p = data;
    REQUIRE(pthread_mutex_lock(&p->mutex) == 0);
    p->n_waiting++;
    REQUIRE(pthread_cond_signal(&p->waiting) == 0);
    while (!p->is_open)
        REQUIRE(pthread_cond_wait(&p->cond, &p->mutex) == 0);
    p->n_done++;
    REQUIRE(pthread_mutex_unlock(&p->mutex) == 0);
    return NULL;
}

static int thread_pool(const struct zk_world *w)
{
    static struct pool pool = {
        .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .waiting = PTHREAD_COND_INITIALIZER};
    pthread_t threads[N_THREADS];
    for (size_t i = 0; i < N_THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, work, &pool) == 0);
    REQUIRE(pthread_mutex_lock(&pool.mutex) == 0);
    while (pool.n_waiting < N_THREADS)
        REQUIRE(pthread_cond_wait(&pool.waiting, &pool.mutex) == 0);
    REQUIRE(pthread_mutex_unlock(&pool.mutex) == 0);
    REQUIRE(zk_read_go(w) == 0);
    REQUIRE(pthread_mutex_lock(&pool.mutex) == 0);
    pool.is_open = true;
    REQUIRE(pthread_cond_broadcast(&pool.cond) == 0);
    REQUIRE(pthread_mutex_unlock(&pool.mutex) == 0);
    for (size_t i = 0; i < N_THREADS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    return pool.n_done == N_THREADS ? 0 : 1;
}

static void *outlive(void *data)
{
    const struct zk_world *w = data;
    pid_t tid = (pid_t)syscall(SYS_gettid);
    REQUIRE(write(w->say_fd, &tid, sizeof tid) == (ssize_t)sizeof tid);
    _exit(zk_read_go(w));
}

static int without_leader(const struct zk_world *w)
{
    static struct zk_world kept;
    pthread_t thread;
    kept = *w;
    REQUIRE(pthread_create(&thread, NULL, outlive, &kept) == 0);
    syscall(SYS_exit, 0);
    return 1;
}

static void *spin(void *data)
{
    const volatile int *word = data;
    while (*word == 0)
        continue;
    return NULL;
}

/* The first thread runs; another one is blocked. */
static int busy_leader(const struct zk_world *w)
{
    static struct zk_world kept;
    pthread_t thread;
    kept = *w;
    REQUIRE(pthread_create(&thread, NULL, outlive, &kept) == 0);
    (void)spin(w->word);
    return 1;
}

/* Threads that begin may be in state D for a moment, and then their process is left alone. */
static void await_pool(pid_t pid)
{
    char path[32];
    const struct dirent *entry;
    zk_await_call(pid, SYS_read, SYS_read);
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10); /* 0 for "." and ".." */
        if (tid > 0 && tid != pid)
            zk_await_call(tid, SYS_futex, SYS_futex);
    }
    closedir(dir);
}

static void a_pool_of_threads_goes_on(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, N_ZOMBIES, thread_pool);
    await_pool(p.pid);
    zk_cure(&p);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static void another_thread_does_where_the_first_cannot(void **state UNUSED)
{
    static zk_body *const bodies[] = {without_leader, busy_leader};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct zk_parent p;
        pid_t tid = 0;
        zk_start(&p, N_ZOMBIES, bodies[i]);
        assert_int_equal(read(p.said_fd, &tid, sizeof tid), (ssize_t)sizeof tid);
        zk_await_call(tid, SYS_read, SYS_read);
        zk_await_state(p.pid, i == 0 ? 'Z' : 'R');
        zk_cure(&p);
        zk_await_call(tid, SYS_read, SYS_read);
        zk_go(&p);
        assert_int_equal(zk_end(&p), 0);
    }
}

/* ------------------------------------------------------------------ registers */

#if defined(__x86_64__)
/* Reads a byte with known values in all registers that a call keeps; those that differ afterwards as bits. */
static uint64_t read_with_known_registers(int fd, char *c, long *result)
{
    long number = SYS_read, length = 1;
    __asm__ volatile("mov $0x1111, %%rbx\n mov $0x2222, %%r8\n mov $0x3333, %%r9\n mov $0x4444, %%r10\n"
                     "mov $0x5555, %%r12\n mov $0x6666, %%r13\n mov $0x7777, %%r14\n mov $0x8888, %%r15\n"
                     "movq %%rbx, %%xmm0\n movq %%r15, %%xmm15\n"
                     "syscall\n"
                     "mov %%rax, %%rdx\n"
                     "xor $0x1111, %%rbx\n xor $0x2222, %%r8\n xor $0x3333, %%r9\n xor $0x4444, %%r10\n"
                     "xor $0x5555, %%r12\n xor $0x6666, %%r13\n xor $0x7777, %%r14\n xor $0x8888, %%r15\n"
                     "movq %%xmm0, %%rax\n xor $0x1111, %%rax\n or %%rax, %%rbx\n"
                     "movq %%xmm15, %%rax\n xor $0x8888, %%rax\n or %%rax, %%rbx\n"
                     "or %%r8, %%rbx\n or %%r9, %%rbx\n or %%r10, %%rbx\n or %%r12, %%rbx\n"
                     "or %%r13, %%rbx\n or %%r14, %%rbx\n or %%r15, %%rbx\n"
                     "mov %%rbx, %%rax\n"
                     : "+a"(number), "+d"(length)
                     : "D"((long)fd), "S"(c)
                     : "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm15", "cc",
                       "memory");
    *result = length;
    return (uint64_t)number;
}
#else
static uint64_t read_with_known_registers(int fd, char *c, long *result)
{
    *result = read(fd, c, 1);
    return 0;
}
#endif

static int with_known_registers(const struct zk_world *w)
{
    char c = 0;
    long n = 0;
    uint64_t bad = read_with_known_registers(w->go_fd, &c, &n);
    REQUIRE(bad == 0);
    return n == 1 && c == 'g' ? 0 : 1;
}

static void registers_are_kept(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, UNZOMBIE_MAX, with_known_registers);
    zk_await_call(p.pid, SYS_read, SYS_read);
    zk_cure(&p);
    zk_await_call(p.pid, SYS_read, SYS_read);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

/* ------------------------------------------------------------------ SIGCHLD */

static void what_others_wait_for_by_the_same_signal_is_not_lost(void **state UNUSED)
{
    struct zk_parent p;
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
    zk_start(&p, N_ZOMBIES, zk_read_go);
    zk_await_call(p.pid, SYS_read, SYS_read);
    pid_t other = fork();
    if (other == 0)
        _exit(5);
    zk_await_state(other, 'Z');
    zk_cure(&p);
    assert_int_equal(sigtimedwait(&set, NULL, &(struct timespec){0}), SIGCHLD);
    assert_int_equal(kit_wait(other), 5);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
    while (sigtimedwait(&set, NULL, &(struct timespec){0}) == SIGCHLD)
        continue;
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static void with_a_handler_for_it_all_goes_as_well(void **state UNUSED)
{
    const struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction old;
    struct zk_parent p;
    zk_start(&p, N_ZOMBIES, zk_read_go);
    zk_await_call(p.pid, SYS_read, SYS_read);
    n_caught = 0;
    assert_int_equal(sigaction(SIGCHLD, &act, &old), 0);
    zk_cure(&p);
    assert_true(n_caught > 0);
    assert_int_equal(sigaction(SIGCHLD, &old, NULL), 0);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

/* ------------------------------------------------------------------ what is no zombie */

static int with_a_live_child(const struct zk_world *w)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(zk_read_go(w) + 7);
    REQUIRE(write(w->say_fd, &child, sizeof child) == (ssize_t)sizeof child);
    REQUIRE(zk_read_go(w) == 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    return status == 7 << 8 ? 0 : 1;
}

/* Each is waited for by its own number and without waiting, so nobody else's status is taken. */
static void only_what_is_named_is_waited_for(void **state UNUSED)
{
    struct zk_parent p;
    struct unzombie_result r;
    pid_t live = 0;
    zk_start(&p, 3, with_a_live_child);
    assert_int_equal(read(p.said_fd, &live, sizeof live), (ssize_t)sizeof live);
    zk_await_call(p.pid, SYS_read, SYS_read);
    const pid_t wanted[] = {live, p.zombies[1], ZK_NO_PID};
    unzombie(p.pid, wanted, ARRAY_LEN(wanted), ZK_BUDGET_US, &r);
    assert_int_equal(r.verdict, UNZOMBIE_DONE);
    assert_int_equal(r.n_tried, 3);
    assert_int_equal(r.n_reaped, 1);
    assert_true(zk_is_there(p.zombies[0]));
    assert_false(zk_is_there(p.zombies[1]));
    assert_true(zk_is_there(p.zombies[2]));
    zk_go(&p);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static void without_time_nothing_is_tried(void **state UNUSED)
{
    struct zk_parent p;
    struct unzombie_result r;
    zk_start(&p, 1, zk_read_go);
    zk_await_call(p.pid, SYS_read, SYS_read);
    unzombie(p.pid, p.zombies, 1, 0, &r);
    assert_int_equal(r.verdict, UNZOMBIE_LATER);
    assert_int_equal(r.n_tried, 0);
    zk_settle();
    zk_assert_free(p.pid);
    assert_true(zk_is_there(p.zombies[0]));
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_it_is_blocked_in_goes_on),
        cmocka_unit_test(a_pool_of_threads_goes_on),
        cmocka_unit_test(another_thread_does_where_the_first_cannot),
        cmocka_unit_test(registers_are_kept),
        cmocka_unit_test(what_others_wait_for_by_the_same_signal_is_not_lost),
        cmocka_unit_test(with_a_handler_for_it_all_goes_as_well),
        cmocka_unit_test(only_what_is_named_is_waited_for),
        cmocka_unit_test(without_time_nothing_is_tried),
    };
    if (unzombie_probe() != 0) {
        printf("SKIP: %s\n", strerror(unzombie_probe()));
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

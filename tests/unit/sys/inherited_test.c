/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a process finds out about itself at its very start.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/inherited.h"
#include "sys/spawn.h"
#include "sys/sys.h"

#include "unit/sys/spawn_kit.h"

#include <sched.h>
#include <sys/resource.h>

static char self[PATH_MAX];

static uint64_t changeable(uint64_t signals)
{
    return signals & ~(UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1));
}

/* The signals of a process, the lowest bit for signal 1. */
struct signals {
    uint64_t mask, ignored;
};

static void require_inherited(const struct inherited *got, const struct signals *want)
{
    for (int sig = 1; sig < _NSIG; sig++) {
        REQUIRE(sigismember(&got->signals.mask, sig) == (int)(changeable(want->mask) >> (sig - 1) & 1));
        REQUIRE(sigismember(&got->signals.ignored, sig) == (int)(changeable(want->ignored) >> (sig - 1) & 1));
    }
}

/* ------------------------------------------------------------------ the program that is started */

/* Looks whether what it inherited is what its arguments say. */
static int compare(char **argv)
{
    struct signals want = {strtoull(argv[1], NULL, 16), strtoull(argv[2], NULL, 16)};
    struct inherited got;
    inherited_take(&got);
    require_inherited(&got, &want);
    return 0;
}

/* ------------------------------------------------------------------ signals */

static void set_signals(uint64_t mask, uint64_t ignored)
{
    sigset_t set = kit_signals(mask);
    for (int sig = 1; sig < _NSIG; sig++) {
        if (sig != SIGKILL && sig != SIGSTOP)
            REQUIRE(((ignored >> (sig - 1) & 1) != 0 ? sys_signal_ignore(sig) : sys_signal_default(sig)) == 0);
    }
    REQUIRE(sys_sigprocmask(SIG_SETMASK, &set, NULL) == 0);
}

static void take_and_hand_on(void *arg)
{
    const struct signals *given = arg;
    char mask[32], ignored[32];
    char *argv[] = {self, mask, ignored, NULL};
    struct inherited got;
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};

    set_signals(given->mask, given->ignored);
    memset(&got, 0xff, sizeof got);
    inherited_take(&got);
    require_inherited(&got, given);

    /* As a daemon has them. */
    set_signals(UINT64_MAX, UINT64_C(1) << (SIGPIPE - 1));
    snprintf(mask, sizeof mask, "%llx", (unsigned long long)given->mask);
    snprintf(ignored, sizeof ignored, "%llx", (unsigned long long)given->ignored);
    struct spawn_request req = {
        .argv = argv, .envp = spawn_kit_quiet, .umask = -1, .stdio = {0, 1, 2}, .signals = &got.signals};
    REQUIRE(spawn_start(&req, &child, &e));
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_EXECED);
    REQUIRE(kit_wait(child.pid) == 0);
}

static void signals_are_found_and_handed_on(void **state UNUSED)
{
    static const uint64_t sets[] = {
        0,
        UINT64_MAX,
        UINT64_C(0x5555555555555555),
        UINT64_MAX << (34 - 1),
        UINT64_C(3) << (32 - 1), /* which the C library keeps for itself */
        UINT64_C(1) << (SIGCHLD - 1),
    };
    if (kit_under_valgrind()) {
        kit_skip("signals", "valgrind keeps some for itself");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
            struct signals given = {sets[i], sets[k]};
            assert_true(kit_isolated(take_and_hand_on, &given));
        }
    }
}

static void on_signal(int sig UNUSED)
{
}

/* A handler is none that could be inherited, so it is not there before exec either. */
static void handlers_are_not_ignored(void **state UNUSED)
{
    struct sigaction act = {.sa_handler = on_signal}, old;
    struct inherited got;
    assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
    inherited_take(&got);
    assert_int_equal(sigismember(&got.signals.ignored, SIGUSR1), 0);
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

/* ------------------------------------------------------------------ descriptors */

static void close_and_take(void *arg)
{
    const unsigned *closed = arg;
    struct inherited got;
    memset(&got, 0xff, sizeof got);
    for (int fd = 0; fd < 3; fd++) {
        if ((*closed >> fd & 1) != 0)
            close(fd);
    }
    inherited_take(&got);
    for (int fd = 0; fd < 3; fd++)
        REQUIRE(got.closed[fd] == ((*closed >> fd & 1) != 0));
}

static void closed_descriptors_are_found(void **state UNUSED)
{
    for (unsigned closed = 0; closed < 8; closed++)
        assert_true(kit_isolated(close_and_take, &closed));
}

struct world {
    const char *root; /* NULL: the usual one; else one without /proc */
};

/* Many more than one answer of getdents(2) lists, every third of them ours. */
static void close_many(void *arg)
{
    enum { FROM = 200, TO = 900 };
    const struct world *w = arg;
    struct rlimit limit;

    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    REQUIRE(limit.rlim_max >= TO);
    limit.rlim_cur = TO;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int fd = FROM; fd < TO; fd++)
        REQUIRE(dup3(STDERR_FILENO, fd, fd % 3 == 0 ? O_CLOEXEC : 0) == fd);
    if (w->root != NULL) {
        REQUIRE(geteuid() == 0 || unshare(CLONE_NEWUSER) == 0);
        REQUIRE(chroot(w->root) == 0 && access("/proc", F_OK) == -1);
    }
    inherited_close_fds();
    for (int fd = FROM; fd < TO; fd++)
        REQUIRE((fcntl(fd, F_GETFD) != -1) == (fd % 3 == 0));
    for (int fd = 0; fd < 3; fd++)
        REQUIRE(fcntl(fd, F_GETFD) != -1);
}

static void inherited_descriptors_are_closed_and_ours_kept(void **state UNUSED)
{
    struct world usual = {NULL};
    assert_true(kit_isolated(close_many, &usual));
}

static void try_user_namespace(void *arg UNUSED)
{
    if (unshare(CLONE_NEWUSER) != 0)
        _exit(1);
}

static void inherited_descriptors_are_closed_without_proc(void **state UNUSED)
{
    char dir[KIT_PATH_MAX];
    if (geteuid() != 0 && !kit_isolated(try_user_namespace, NULL)) {
        kit_skip("a root without /proc", "needs root or user namespaces");
        return;
    }
    struct world bare = {kit_make_dir(dir)};
    bool closed = kit_isolated(close_many, &bare);
    kit_remove(dir);
    assert_true(closed);
}

int main(int argc, char **argv)
{
    if (argc > 2)
        return compare(argv);
    if (realpath(argv[0], self) == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_are_found_and_handed_on),
        cmocka_unit_test(handlers_are_not_ignored),
        cmocka_unit_test(closed_descriptors_are_found),
        cmocka_unit_test(inherited_descriptors_are_closed_and_ours_kept),
        cmocka_unit_test(inherited_descriptors_are_closed_without_proc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

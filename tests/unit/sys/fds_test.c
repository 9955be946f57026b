/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is left open when all is closed: the same set of descriptors by every way there is to close them, the better
 * ones being refused by a real filter. (tests/fault/spawn_test.c refuses them one after the other between fork and
 * exec.)
 */
#include "sys/fds.h"

#include "base/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* FARTHEST is beyond what fits into one answer of getdents64(2). */
enum { CLOSE_RANGE = 436, STRAYS = 200, FARTHEST = 1000, NO_FILTER = 77, SEEN_MAX = 2000 };

/* The calls that are refused, and how. */
struct refusal {
    unsigned calls[2];
    size_t n;
    unsigned errnum;
};

static bool refuse(const struct refusal *r)
{
    struct sock_filter code[8] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned short n = 1;
    for (size_t i = 0; i < r->n; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->calls[i], 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | r->errnum);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = n, .filter = code};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* What is not to be closed. */
struct spared {
    int fds[4];
    size_t n;
};

static bool is_spared(const struct spared *s, int fd)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->fds[i] == fd)
            return true;
    return false;
}

/* In a child: opens many, half of them close-on-exec, closes all but SPARED, and looks at what there is. */
static int close_and_look(const struct refusal *r, const struct spared *spared)
{
    for (int i = 0; i < STRAYS; i++)
        (void)open("/dev/null", i % 2 == 0 ? O_RDONLY : O_RDONLY | O_CLOEXEC);
    (void)dup2(0, FARTHEST);
    for (size_t i = 0; i < spared->n; i++)
        if (dup2(1, spared->fds[i]) != spared->fds[i])
            return 2;
    if (r->n > 0 && !refuse(r))
        return NO_FILTER;
    if (!fds_close_all(spared->fds, spared->n))
        return 3;
    for (int fd = 0; fd < SEEN_MAX; fd++) {
        bool open = fcntl(fd, F_GETFD) != -1;
        if (open != (fd < FDS_FIRST_FREE || is_spared(spared, fd))) {
            dprintf(1, "descriptor %d is %s\n", fd, open ? "open" : "closed");
            return 1;
        }
    }
    return 0;
}

static void assert_closes(const struct refusal *r)
{
    static const struct spared spared[] = {
        {{0}, 0},
        {{FDS_FIRST_FREE}, 1},
        {{17}, 1},
        {{FARTHEST + 1}, 1},
        {{17, FDS_FIRST_FREE + 1, FARTHEST + 1, FDS_FIRST_FREE}, 4},
        {{18, 17, 16, 19}, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(spared); i++) {
        int status = -1;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(close_and_look(r, &spared[i]));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == NO_FILTER) {
            print_message("SKIP: no seccomp filters here\n");
            skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void by_whatever_the_kernel_has(void **state UNUSED)
{
    assert_closes(&(struct refusal){.n = 0});
}

static void without_close_range(void **state UNUSED)
{
    assert_closes(&(struct refusal){.calls = {CLOSE_RANGE}, .n = 1, .errnum = ENOSYS});
    assert_closes(&(struct refusal){.calls = {CLOSE_RANGE}, .n = 1, .errnum = EPERM});
}

static void without_close_range_and_proc(void **state UNUSED)
{
    assert_closes(&(struct refusal){.calls = {CLOSE_RANGE, SYS_getdents64}, .n = 2, .errnum = ENOSYS});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_whatever_the_kernel_has),
        cmocka_unit_test(without_close_range),
        cmocka_unit_test(without_close_range_and_proc),
    };
    return cmocka_run_group_tests_name("fds", tests, NULL, NULL);
}

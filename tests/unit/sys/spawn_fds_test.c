/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Descriptors that a program is given by number: wherever they and all that the start itself needs were before.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/sys/spawn_kit.h"

#include <sys/mman.h>
#include <sys/resource.h>

/* Sources of the tests are at LOW and the two after it, standard output and both ends of the status pipe behind them,
 * and then nothing. */
enum { LOW = 4, N_SOURCES = 3, NUMBERS = 6, OUT = 7, STATUS = 9, UNUSED_FD = 10, TOP = 1023, TEXT_MAX = 256 };

/* Says "NUMBER=WORD" for each descriptor that is open, the word being what its file begins with. */
static char look[] = "for i in 3 4 5 6 7 8 9 10 11 12 13 14 15 100 101 1022 1023 1024; do\n"
                     "  if [ -f /proc/self/fd/$i ]; then read w </proc/self/fd/$i; printf '%s=%s ' $i $w\n"
                     "  elif [ -e /proc/self/fd/$i ]; then printf '%s=? ' $i; fi\n"
                     "done";
static char *const looker[] = {(char *)"/bin/sh", (char *)"-c", look, NULL};
static char *const no_env[] = {NULL};

/* A file that holds WORD, at descriptor FD, close-on-exec. */
static void put_word(const char *word, int fd)
{
    int made = memfd_create("word", MFD_CLOEXEC);
    REQUIRE(made != -1 && write(made, word, strlen(word)) == (ssize_t)strlen(word) && write(made, "\n", 1) == 1);
    if (made == fd)
        return;
    REQUIRE(dup3(made, fd, O_CLOEXEC) == fd);
    close(made);
}

/* Leaves this process with 0 to 2, and the words a, b and c at LOW. Standard error is kit's. */
static void begin(void)
{
    static const char *const words[N_SOURCES] = {"a", "b", "c"};
    for (int fd = 3; fd < 2000; fd++)
        if (fd != *kit_error_fd())
            close(fd);
    for (int i = 0; i < N_SOURCES; i++)
        put_word(words[i], LOW + i);
}

/* Starts REQ, reads what it says into TEXT of TEXT_MAX bytes, and returns its exit code. */
static int run(struct spawn_request req, char *text)
{
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};
    int out[2];
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    if (out[1] != OUT) {
        REQUIRE(dup3(out[1], OUT, O_CLOEXEC) == OUT);
        close(out[1]);
    }
    req.umask = -1;
    req.stdio[0] = SPAWN_FD_NULL;
    req.stdio[1] = OUT;
    req.stdio[2] = STDERR_FILENO;
    REQUIRE(spawn_start(&req, &child, &e));
    close(OUT);
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_EXECED);
    spawn_kit_close(&child);
    size_t len = 0;
    ssize_t n;
    while ((n = read(out[0], text + len, TEXT_MAX - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(out[0]);
    int status;
    REQUIRE(waitpid(child.pid, &status, 0) == child.pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The program has exactly FDS, N of them, each at its number. */
static void require_given(const struct spawn_fd *fds, size_t n)
{
    char text[TEXT_MAX], want[TEXT_MAX] = "";
    for (int number = 3; number <= TOP; number++)
        for (size_t i = 0; i < n; i++)
            if (fds[i].number == number)
                snprintf(want + strlen(want), sizeof want - strlen(want), "%d=%c ", number, 'a' + fds[i].fd - LOW);
    REQUIRE(run((struct spawn_request){.argv = looker, .envp = no_env, .fds = fds, .n_fds = n}, text) == 0);
    if (strcmp(text, want) != 0) {
        dprintf(*kit_error_fd(), "wanted %s, have %s\n", want, text);
        _exit(1);
    }
    for (size_t i = 0; i < N_SOURCES; i++)
        REQUIRE(fcntl(LOW + (int)i, F_GETFD) == FD_CLOEXEC);
}

/* Every choice of three of the numbers at which the sources, standard output and the status pipe are. */
static void permute(void *arg UNUSED)
{
    begin();
    for (int code = 0; code < NUMBERS * NUMBERS * NUMBERS; code++) {
        int a = code % NUMBERS, b = code / NUMBERS % NUMBERS, c = code / NUMBERS / NUMBERS;
        if (a == b || b == c || a == c)
            continue;
        const struct spawn_fd fds[] = {{LOW, LOW + a}, {LOW + 1, LOW + b}, {LOW + 2, LOW + c}};
        require_given(fds, ARRAY_LEN(fds));
    }
}

static void every_permutation_comes_out_right(void **state UNUSED)
{
    assert_int_equal(LOW + NUMBERS - 1, STATUS);
    assert_true(kit_isolated(permute, NULL));
}

static void give_few(void *arg UNUSED)
{
    begin();
    require_given(NULL, 0);
    require_given((const struct spawn_fd[]){{LOW + 1, 3}}, 1);
    /* One source for several numbers, of which one is its own. */
    require_given((const struct spawn_fd[]){{LOW, LOW + 1}, {LOW, LOW}, {LOW, 3}}, 3);
    require_given((const struct spawn_fd[]){{LOW, TOP}, {LOW + 1, TOP - 1}}, 2);
    /* What has to make way must not go where another is put. */
    require_given((const struct spawn_fd[]){{LOW + 2, UNUSED_FD}, {LOW, LOW + 1}, {LOW + 1, LOW}}, 3);
}

static void few_or_far_away(void **state UNUSED)
{
    assert_true(kit_isolated(give_few, NULL));
}

static void give_standard(void *arg UNUSED)
{
    char text[TEXT_MAX];
    begin();
    REQUIRE(dup2(LOW, 0) == 0);
    REQUIRE(dup2(LOW + 1, 2) == 2);
    const struct spawn_fd fds[] = {{0, 3}, {2, LOW}};
    const struct spawn_request req = {.argv = looker, .envp = no_env, .fds = fds, .n_fds = 2};
    REQUIRE(run(req, text) == 0);
    REQUIRE(strcmp(text, "3=a 4=b ") == 0);
}

static void standard_ones_can_be_given_too(void **state UNUSED)
{
    assert_true(kit_isolated(give_standard, NULL));
}

static void give_kept(void *arg UNUSED)
{
    char text[TEXT_MAX];
    begin();
    REQUIRE(fcntl(LOW + 2, F_SETFD, 0) == 0);
    const struct spawn_fd fds[] = {{LOW, 3}};
    const struct spawn_request req = {.argv = looker, .envp = no_env, .fds = fds, .n_fds = 1, .keep_fds = true};
    REQUIRE(run(req, text) == 0);
    REQUIRE(strcmp(text, "3=a 6=c ") == 0);
}

static void beside_those_that_are_kept(void **state UNUSED)
{
    assert_true(kit_isolated(give_kept, NULL));
}

/* ------------------------------------------------------------------ limits */

static void give_beyond_the_limit_of_the_program(void *arg UNUSED)
{
    char text[TEXT_MAX];
    begin();
    const struct rlimit limit = {.rlim_cur = 64, .rlim_max = 64};
    const struct spawn_fd fds[] = {{LOW, TOP}};
    const struct spawn_request req = {.argv = looker, .envp = no_env, .fds = fds, .n_fds = 1, .nofile = &limit};
    REQUIRE(run(req, text) == 0);
    REQUIRE(strcmp(text, "1023=a ") == 0);
}

/* A limit is for new descriptors. */
static void program_may_have_a_lower_limit(void **state UNUSED)
{
    assert_true(kit_isolated(give_beyond_the_limit_of_the_program, NULL));
}

static void give_beyond_our_limit(void *arg UNUSED)
{
    struct rlimit limit;
    begin();
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 512;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    const struct spawn_fd fds[] = {{LOW, 3}, {LOW + 1, TOP}};
    const struct spawn_request req = {
        .argv = looker, .envp = no_env, .umask = -1, .stdio = {-1, -1, 2}, .fds = fds, .n_fds = 2};
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};
    char text[TEXT_MAX];
    REQUIRE(spawn_start(&req, &child, &e));
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_FAILED);
    REQUIRE(failure.step == SPAWN_STEP_FDS && failure.errnum == EBADF && failure.detail == 1);
    spawn_failure_text(&req, &failure, text, sizeof text);
    REQUIRE(strcmp(text, "descriptor 1023: Bad file descriptor; fosterd itself may have 512 only (ulimit -n)") == 0);
    spawn_kit_close(&child);
    int status;
    REQUIRE(waitpid(child.pid, &status, 0) == child.pid && WEXITSTATUS(status) == 126);
}

static void our_own_limit_is_named(void **state UNUSED)
{
    assert_true(kit_isolated(give_beyond_our_limit, NULL));
}

static void give_all_low_numbers(void *arg UNUSED)
{
    char *argv[] = {(char *)"/nonexistent", NULL};
    struct spawn_fd fds[STATUS];
    begin();
    for (int i = 0; i < STATUS; i++)
        fds[i] = (struct spawn_fd){LOW, 3 + i};
    const struct spawn_request req = {
        .argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, -1, 2}, .fds = fds, .n_fds = STATUS};
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};
    int status;
    REQUIRE(spawn_start(&req, &child, &e));
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_FAILED);
    REQUIRE(failure.step == SPAWN_STEP_EXEC && failure.errnum == ENOENT);
    spawn_kit_close(&child);
    REQUIRE(waitpid(child.pid, &status, 0) == child.pid && WEXITSTATUS(status) == 127);
}

/* The pipe by which the child tells of it had one of those numbers. */
static void failure_is_told_all_the_same(void **state UNUSED)
{
    assert_true(kit_isolated(give_all_low_numbers, NULL));
}

int main(void)
{
    if (kit_under_valgrind()) {
        kit_skip("spawn_fds", "valgrind keeps descriptors for itself");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_permutation_comes_out_right), cmocka_unit_test(few_or_far_away),
        cmocka_unit_test(standard_ones_can_be_given_too),    cmocka_unit_test(beside_those_that_are_kept),
        cmocka_unit_test(program_may_have_a_lower_limit),    cmocka_unit_test(our_own_limit_is_named),
        cmocka_unit_test(failure_is_told_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The self-contained fosterd in a box with nothing but itself and the command: no library, no /proc, no /dev,
 * read-only, as user 65534, as process 1. Under its own name and under that of tini. And fosterctl there.
 */
#include "package/box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STATIC_SIZE_MAX = 1700000 };

static const char *const names[] = {"/fosterd", "/tini"};
enum { NAMES = sizeof(names) / sizeof(*names) };

static int setup(void **state)
{
    static struct box b;
    box_make(&b);
    box_put(&b, FOSTERD, "fosterd");
    box_put(&b, ACTOR, "actor");
    box_put(&b, NOREAP, "noreap-init");
    box_link(&b, "fosterd", "tini");
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    box_done(*state);
    return 0;
}

/* A box that cannot be made is this machine's affair; one that was made and does not work is not. */
static void start(struct box *b, const char *const *words)
{
    if (!box_start(b, words)) {
        print_message("SKIP: no pid and mount namespaces here: %s\n", strerror(errno));
        skip();
    }
}

#define START(b, ...) start((b), (const char *const[]){__VA_ARGS__, NULL})

static void expect_end(struct box *b, int code)
{
    int ended = box_wait(b);
    if (ended == BOX_FAILED && strncmp(b->err, "box: ", 5) == 0) {
        print_message("SKIP: %s", b->err);
        skip();
    }
    assert_string_equal(b->err, "");
    assert_string_equal(b->out, "");
    assert_int_equal(ended, code);
}

static void passes_the_exit_code_on(void **state)
{
    static const int codes[] = {0, 1, 2, 7, 64, 78, 113, 126, 127, 128, 143, 255};
    struct box *b = *state;
    char code[8];
    for (size_t i = 0; i < NAMES * sizeof(codes) / sizeof(*codes); i++) {
        (void)snprintf(code, sizeof(code), "%d", codes[i / NAMES]);
        START(b, names[i % NAMES], "--", "/actor", "exit", code);
        expect_end(b, codes[i / NAMES]);
    }
}

static void makes_a_death_by_a_signal_an_exit_code(void **state)
{
    struct box *b = *state;
    for (size_t i = 0; i < NAMES; i++) {
        START(b, names[i], "--", "/actor", "kill", "KILL");
        expect_end(b, 128 + SIGKILL);
        START(b, names[i], "--", "/actor", "kill", "ABRT");
        expect_end(b, 128 + SIGABRT);
    }
}

static void forwards_signals(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    static const char *const words[] = {"TERM", "INT", "HUP", "USR1"};
    struct box *b = *state;
    for (size_t i = 0; i < NAMES * 4; i++) {
        START(b, names[i % NAMES], "--", "/actor", "on", words[i / NAMES], "[", "print", words[i / NAMES], "exit", "9",
              "]", "print", "ready", "wait");
        box_expect(b, "ready");
        assert_return_code(kill(b->pid, signals[i / NAMES]), errno);
        box_expect(b, words[i / NAMES]);
        expect_end(b, 9);
    }
}

static void ends_as_the_command_does_when_it_handles_nothing(void **state)
{
    struct box *b = *state;
    for (size_t i = 0; i < NAMES; i++) {
        START(b, names[i], "--", "/actor", "print", "ready", "wait");
        box_expect(b, "ready");
        assert_return_code(kill(b->pid, SIGTERM), errno);
        expect_end(b, 128 + SIGTERM);
    }
}

static void litters_with(struct box *b, size_t children, const char *const *words)
{
    start(b, words);
    box_expect(b, "done");
    box_wait_children(b, children);
    assert_return_code(kill(b->pid, SIGKILL), errno);
    expect_end(b, 128 + SIGKILL);
}

#define LITTERS(b, children, ...)                                                                                      \
    litters_with((b), (children),                                                                                      \
                 (const char *const[]){__VA_ARGS__, "/actor", "litter", "100", "print", "done", "wait", NULL})

static void reaps_orphans(void **state)
{
    struct box *b = *state;
    for (size_t i = 0; i < NAMES; i++) {
        LITTERS(b, 1, names[i], "--");
    }
    /* The same with an init that reaps nobody: so this would have been seen. */
    LITTERS(b, 101, "/noreap-init");
}

static void works_with_closed_stdio(void **state)
{
    struct box *b = *state;
    b->closed_stdio = true;
    for (size_t i = 0; i < NAMES; i++) {
        START(b, names[i], "--", "/actor", "exit", "7");
        expect_end(b, 7);
    }
}

static void reports_a_missing_command(void **state)
{
    struct box *b = *state;
    for (size_t i = 0; i < NAMES; i++) {
        START(b, names[i], "--", "/missing");
        assert_int_equal(box_wait(b), 127);
        assert_string_equal(b->out, "");
        assert_non_null(strstr(b->err, "/missing"));
    }
}

static void names_its_version_as_docker_wants_it(void **state)
{
    struct box *b = *state;
    START(b, "/tini", "--version");
    box_expect(b, "tini version 0.19.0 - foster");
    expect_end(b, 0);
}

static void fosterctl_finds_no_fosterd(void **state)
{
    struct box *b = *state;
    box_put(b, FOSTERCTL, "fosterctl");
    START(b, "/fosterctl", "health");
    assert_int_equal(box_wait(b), 4);
    assert_string_equal(b->out, "");
    assert_non_null(strstr(b->err, "control.sock"));
}

static void needs_no_other_file_and_is_small(const char *path)
{
    ElfW(Ehdr) file;
    ElfW(Phdr) part;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, &file, sizeof(file)), sizeof(file));
    for (off_t i = 0; i < file.e_phnum; i++) {
        off_t at = (off_t)file.e_phoff + i * (off_t)sizeof(part);
        assert_int_equal(pread(fd, &part, sizeof(part), at), sizeof(part));
        assert_int_not_equal(part.p_type, PT_INTERP);
        if (part.p_type == PT_LOAD && part.p_offset + part.p_filesz > size) {
            size = part.p_offset + part.p_filesz;
        }
    }
    (void)close(fd);
    print_message("%s: %zu bytes without symbols and debugging information\n", strrchr(path, '/') + 1, size);
    assert_in_range(size, 1, STATIC_SIZE_MAX);
}

static void each_program_is_whole_and_small(void **state)
{
    (void)state;
    needs_no_other_file_and_is_small(FOSTERD);
    needs_no_other_file_and_is_small(FOSTERCTL);
}

#define BOXED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_program_is_whole_and_small),
        BOXED(passes_the_exit_code_on),
        BOXED(makes_a_death_by_a_signal_an_exit_code),
        BOXED(forwards_signals),
        BOXED(ends_as_the_command_does_when_it_handles_nothing),
        BOXED(reaps_orphans),
        BOXED(works_with_closed_stdio),
        BOXED(reports_a_missing_command),
        BOXED(names_its_version_as_docker_wants_it),
        BOXED(fosterctl_finds_no_fosterd),
    };
    return cmocka_run_group_tests_name("static", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is taken for granted of standard output: colour, width, characters.
 */
#include "unit/ctl/run_kit.h"

#include "ctl/screen.h"

#include <locale.h>
#include <sys/ioctl.h>
#include <termios.h>

static const char *const variables[] = {"NO_COLOR", "CLICOLOR_FORCE", "TERM", "COLUMNS", "LINES", "LC_ALL"};

/** The variables, in their order. */
struct values {
    const char *is[ARRAY_LEN(variables)];
};

static int terminal_fd, saved_fd;

static void set_env(const struct values *v)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        assert_int_equal(v->is[i] != NULL ? setenv(variables[i], v->is[i], 1) : unsetenv(variables[i]), 0);
}

/* screen_view() with standard output a terminal of ROWS and COLUMNS, or with 0 no terminal. */
static struct view look(enum args_color color, int rows, int columns, int *ret_height)
{
    const struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(ioctl(terminal_fd, TIOCSWINSZ, &size), 0);
    fflush(stdout);
    dup2(rows > 0 ? terminal_fd : null_fd, STDOUT_FILENO);
    struct view v = screen_view(color);
    *ret_height = screen_height();
    dup2(saved_fd, STDOUT_FILENO);
    close(null_fd);
    return v;
}

static void colour_is_a_matter_of_who_looks(void **state)
{
    static const struct {
        struct values env;
        enum args_color option;
        bool terminal, color;
    } cases[] = {
        {{{NULL, NULL, "xterm", NULL, NULL, NULL}}, ARGS_COLOR_AUTO, true, true},
        {{{NULL, NULL, "xterm", NULL, NULL, NULL}}, ARGS_COLOR_AUTO, false, false},
        {{{NULL, NULL, "dumb", NULL, NULL, NULL}}, ARGS_COLOR_AUTO, true, false},
        {{{NULL, NULL, NULL, NULL, NULL, NULL}}, ARGS_COLOR_AUTO, true, false},
        {{{"1", NULL, "xterm", NULL, NULL, NULL}}, ARGS_COLOR_AUTO, true, false},
        {{{"", NULL, "xterm", NULL, NULL, NULL}}, ARGS_COLOR_AUTO, true, true},
        {{{NULL, "1", NULL, NULL, NULL, NULL}}, ARGS_COLOR_AUTO, false, true},
        {{{NULL, "0", "xterm", NULL, NULL, NULL}}, ARGS_COLOR_AUTO, false, false},
        {{{"1", "1", "xterm", NULL, NULL, NULL}}, ARGS_COLOR_AUTO, true, false},
        {{{"1", NULL, "dumb", NULL, NULL, NULL}}, ARGS_COLOR_ALWAYS, false, true},
        {{{NULL, "1", "xterm", NULL, NULL, NULL}}, ARGS_COLOR_NEVER, true, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int height;
        set_env(&cases[i].env);
        struct view v = look(cases[i].option, cases[i].terminal ? 30 : 0, 100, &height);
        if (v.color != cases[i].color)
            fail_msg("case %zu: %scolour", i, v.color ? "" : "no ");
    }
}

static void the_size_is_that_of_the_terminal(void **state)
{
    static const struct {
        struct values env;
        int rows, columns, width, height;
    } cases[] = {
        {{{NULL, NULL, NULL, NULL, NULL, NULL}}, 30, 100, 100, 30},
        {{{NULL, NULL, NULL, "60", "10", NULL}}, 30, 100, 60, 10},
        {{{NULL, NULL, NULL, "x", "-1", NULL}}, 30, 100, 100, 30},
        {{{NULL, NULL, NULL, "0", "99999999", NULL}}, 30, 100, 100, 30},
        {{{NULL, NULL, NULL, NULL, NULL, NULL}}, 30, 0, 80, 30},
        {{{NULL, NULL, NULL, "60", NULL, NULL}}, 0, 0, 0, 24},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int height;
        set_env(&cases[i].env);
        struct view v = look(ARGS_COLOR_AUTO, cases[i].rows, cases[i].columns, &height);
        if (v.width != cases[i].width || height != cases[i].height)
            fail_msg("case %zu: %d columns, %d lines", i, v.width, height);
    }
}

static void characters_are_those_of_the_locale(void **state)
{
    const struct values ascii = {{NULL, NULL, NULL, NULL, NULL, "C"}},
                        utf8 = {{NULL, NULL, NULL, NULL, NULL, "C.UTF-8"}};
    const struct values unknown = {{NULL, NULL, NULL, NULL, NULL, "xx_XX.nothing"}};
    int height;
    (void)state;
    set_env(&ascii);
    assert_false(look(ARGS_COLOR_AUTO, 0, 0, &height).utf8);
    set_env(&unknown);
    assert_false(look(ARGS_COLOR_AUTO, 0, 0, &height).utf8);
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        print_message("SKIP: there is no locale C.UTF-8\n");
        skip();
    }
    set_env(&utf8);
    assert_true(look(ARGS_COLOR_AUTO, 0, 0, &height).utf8);
}

/* A standard output that does not block is written to the end all the same. */
static void an_output_that_does_not_block(void **state)
{
    enum { BYTES = 1 << 20 };
    int out[2];
    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char *text = calloc(1, BYTES);
        alarm(KIT_GUARD_S);
        fcntl(out[1], F_SETFL, O_NONBLOCK);
        dup2(out[1], STDOUT_FILENO);
        _exit(text != NULL ? screen_write(text, BYTES) : 1);
    }
    close(out[1]);
    size_t n = 0;
    char chunk[4096];
    for (ssize_t got; (got = read(out[0], chunk, sizeof chunk)) > 0;)
        n += (size_t)got;
    close(out[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(n, BYTES);
}

static int begin(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        return -1;
    terminal_fd = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    saved_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return terminal_fd < 0 || saved_fd < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colour_is_a_matter_of_who_looks),
        cmocka_unit_test(the_size_is_that_of_the_terminal),
        cmocka_unit_test(characters_are_those_of_the_locale),
        cmocka_unit_test(an_output_that_does_not_block),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}

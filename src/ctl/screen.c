/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Questions about the terminal, and writing to it.
 */
#include "ctl/screen.h"

#include "base/parse.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SCREEN_WIDTH = 80, SCREEN_HEIGHT = 24, SCREEN_SIZE_MAX = 10000 };

/* The variable NAME; NULL: it is not set, or empty. */
static const char *screen_variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* https://no-color.org and https://bixense.com/clicolors; an order on the command line goes before both. */
static bool screen_has_color(enum args_color color, bool is_terminal)
{
    const char *force = screen_variable("CLICOLOR_FORCE"), *term = screen_variable("TERM");
    if (color != ARGS_COLOR_AUTO)
        return color == ARGS_COLOR_ALWAYS;
    if (screen_variable("NO_COLOR") != NULL)
        return false;
    if (force != NULL && strcmp(force, "0") != 0)
        return true;
    return is_terminal && term != NULL && strcmp(term, "dumb") != 0;
}

/* A size from VARIABLE, else from the terminal, else OTHERWISE. */
static int screen_size(const char *variable, bool is_height, int otherwise)
{
    const char *value = getenv(variable);
    struct winsize size = {0};
    int64_t n;
    if (value != NULL && parse_int(value, &n) && n > 0 && n <= SCREEN_SIZE_MAX)
        return (int)n;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        int got = is_height ? size.ws_row : size.ws_col;
        if (got > 0)
            return got;
    }
    return otherwise;
}

struct view screen_view(enum args_color color)
{
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    bool has_locale = setlocale(LC_CTYPE, "") != NULL;
    return (struct view){
        .color = screen_has_color(color, is_terminal),
        .utf8 = has_locale && strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .width = is_terminal ? screen_size("COLUMNS", false, SCREEN_WIDTH) : 0,
    };
}

int screen_height(void)
{
    return screen_size("LINES", true, SCREEN_HEIGHT);
}

int screen_write(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, data, len);
        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
            (void)poll(&p, 1, -1);
        } else if (errno != EINTR)
            return errno;
    }
    return 0;
}

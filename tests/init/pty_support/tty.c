/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What goes into the terminal and what comes out of it, see tty.h and pty.h.
 */
#include "init/pty_support/tty.h"

#include "scenario/support/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

void tty_open(struct pty *p)
{
    struct termios t;
    char name[64];
    p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    pty_check(p, p->master >= 0 && grantpt(p->master) == 0 && unlockpt(p->master) == 0);
    pty_check(p, ptsname_r(p->master, name, sizeof(name)) == 0);
    p->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    pty_check(p, p->slave >= 0 && tcgetattr(p->slave, &t) == 0);
    t.c_lflag &= ~(tcflag_t)ECHO;
    t.c_lflag |= NOFLSH;
    t.c_oflag &= ~(tcflag_t)OPOST;
    pty_check(p, tcsetattr(p->slave, TCSANOW, &t) == 0);
}

void tty_close(struct pty *p)
{
    int *fds[] = {&p->master, &p->slave, &p->leader_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
        if (*fds[i] >= 0) {
            (void)close(*fds[i]);
            *fds[i] = -1;
        }
    }
}

static void drain(struct pty *p)
{
    static char chunk[4096];
    ssize_t n;
    while (p->master >= 0 && (n = read(p->master, chunk, sizeof(chunk))) > 0) {
        while (p->n + (size_t)n + 1 > p->cap) {
            p->cap = p->cap ? p->cap * 2 : sizeof(chunk) * 2;
            p->out = must(realloc(p->out, p->cap));
        }
        memcpy(p->out + p->n, chunk, (size_t)n);
        p->n += (size_t)n;
        p->out[p->n] = '\0';
    }
}

void pty_fail(struct pty *p, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    drain(p);
    print_error("terminal:\n%s\n(waited for the first %zu of %zu bytes)\n", p->out ? p->out : "", p->seen, p->n);
    scenario_fail(p->s, "%s", text);
}

void tty_pump(struct pty *p, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = p->master, .events = POLLIN}, {.fd = p->leader_fd, .events = POLLIN}};
    int64_t left = p->guard_at_ms - now_ms();
    if (left <= 0) {
        pty_fail(p, "hangs");
    }
    if (poll(fds, 2, timeout_ms < 0 || timeout_ms > left ? (int)left : timeout_ms) < 0 && errno != EINTR) {
        pty_fail(p, "poll: %s", strerror(errno));
    }
    drain(p);
}

static void type(struct pty *p, const char *bytes, size_t n)
{
    pty_check(p, write(p->master, bytes, n) == (ssize_t)n);
}

void pty_line(struct pty *p, const char *line)
{
    type(p, line, strlen(line));
    type(p, "\n", 1);
}

void pty_key(struct pty *p, char key)
{
    type(p, &key, 1);
}

/** Where TEXT is in what has not been waited for, or NULL. */
static const char *find(const struct pty *p, const char *text)
{
    return p->out ? strstr(p->out + p->seen, text) : NULL;
}

/** Waits until TEXT is in what has not been waited for; where it begins in P->out. */
static size_t wait_text(struct pty *p, const char *text)
{
    const char *at;
    while (!(at = find(p, text))) {
        tty_pump(p, -1);
        if (p->leader_fd >= 0 && poll(&(struct pollfd){.fd = p->leader_fd, .events = POLLIN}, 1, 0) > 0) {
            drain(p);
            if (!(at = find(p, text))) {
                pty_fail(p, "the leader of the session has ended without \"%s\"", text);
            }
            break;
        }
    }
    return (size_t)(at - p->out);
}

const char *pty_expect(struct pty *p, const char *text)
{
    size_t at = wait_text(p, text);
    const char *before = keep(p->s, strndup(p->out + p->seen, at - p->seen));
    p->seen = at + strlen(text);
    return before;
}

void pty_expect_both(struct pty *p, const char *one, const char *other)
{
    size_t first = wait_text(p, one) + strlen(one);
    size_t second = wait_text(p, other) + strlen(other);
    p->seen = first > second ? first : second;
}

pid_t pty_expect_number(struct pty *p, const char *prefix)
{
    (void)pty_expect(p, prefix);
    return (pid_t)strtol(pty_expect(p, "."), NULL, 10);
}

pid_t pty_foreground(struct pty *p)
{
    pid_t group = 0;
    pty_check(p, ioctl(p->master, TIOCGPGRP, &group) == 0);
    return group;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The client of sd_notify(3): a datagram socket, and the environment that says where to.
 *
 * DIAGNOSTICS: a message that cannot be sent is counted, never waited for: whoever supervises us may hang.
 */
#include "sys/sdnotify.h"

#include "base/parse.h"
#include "sys/sys.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 1024 };

/* The watchdog interval that the environment asks of us, 0 for none. */
static int64_t watchdog_from_env(void)
{
    const char *usec_text = getenv("WATCHDOG_USEC");
    const char *pid_text = getenv("WATCHDOG_PID");
    int64_t usec, pid;

    if (usec_text == NULL || !parse_int(usec_text, &usec) || usec <= 0)
        return 0;
    if (pid_text != NULL && (!parse_int(pid_text, &pid) || pid != sys_getpid()))
        return 0;
    return usec < 1000 ? 1 : usec / 1000;
}

/* Fills N's address from NAME. False with *E. */
static bool set_address(struct sdnotify *n, const char *name, struct err *e)
{
    size_t len = strlen(name);
    if (name[0] != '/' && name[0] != '@') {
        err_set(e, ERR_INPUT, "NOTIFY_SOCKET is neither a path nor an abstract name");
        return false;
    }
    /* A path needs its NUL, an abstract name has none. */
    if (len < 2 || len + (name[0] == '/') > sizeof n->to.sun_path) {
        err_set(e, ERR_INPUT, "NOTIFY_SOCKET is %s", len < 2 ? "empty" : "too long");
        return false;
    }
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, name, len);
    if (name[0] == '@')
        n->to.sun_path[0] = '\0';
    else
        len++;
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

/* As sdnotify_open(), which then removes what is read here. */
static bool open_from_env(struct sdnotify *n, struct err *e)
{
    const char *name = getenv("NOTIFY_SOCKET");
    if (name == NULL)
        return true;
    if (!set_address(n, name, e))
        return false;
    n->fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (n->fd == -1) {
        err_set_errno(e, errno, "socket for NOTIFY_SOCKET");
        return false;
    }
    n->watchdog_ms = watchdog_from_env();
    return true;
}

bool sdnotify_open(struct sdnotify *n, struct err *e)
{
    *n = (struct sdnotify){.fd = -1};
    bool ok = open_from_env(n, e);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return ok;
}

void sdnotify_send(struct sdnotify *n, const char *fmt, ...)
{
    char message[MESSAGE_MAX + 1];
    va_list ap;

    if (n->fd == -1)
        return;
    va_start(ap, fmt);
    int len = vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    /* Half a message could say something else. */
    if (len < 0 || len > MESSAGE_MAX ||
        sys_sendto(n->fd, message, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
                   n->to_len) != len)
        n->n_failed++;
}

void sdnotify_done(struct sdnotify *n)
{
    sys_close_fd(&n->fd);
}

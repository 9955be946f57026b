/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The messages between fosterd and its logger: a fixed part, then the strings, each with its NUL.
 */
#include "logger/message.h"

#include "sys/sys.h"
#include "sys/sys_net.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { STRINGS_N = 10, STRING_NONE = -1 };

/** The fixed part. */
struct fixed {
    struct message m;
    struct spec_log log;
    int32_t lengths[STRINGS_N]; /* without the NUL */
};

/* Where the strings of M are, in the order in which they are sent; those of the settings in LOG. */
static void strings_of(struct message *m, struct spec_log *log, const char **ret[STRINGS_N])
{
    const char **all[STRINGS_N] = {&m->event,       &m->text,   &m->stream.name, &m->stream.service, &m->stream.match,
                                   &log->user.text, &log->path, &log->address,   &log->tag,          &log->user.name};
    memcpy(ret, all, sizeof all);
}

static void put_fds(struct msghdr *h, const struct message *m)
{
    size_t n = 0;
    while (n < MESSAGE_FDS_MAX && m->fds[n] >= 0)
        n++;
    if (n == 0) {
        h->msg_control = NULL;
        h->msg_controllen = 0;
        return;
    }
    h->msg_controllen = CMSG_SPACE(n * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(c), m->fds, n * sizeof(int));
}

int message_send(int fd, const struct message *m)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof m->fds)] = {0};
    struct fixed f = {.m = *m};
    struct iovec iov[1 + STRINGS_N] = {{.iov_base = &f, .iov_len = sizeof f}};
    const char **strings[STRINGS_N];
    if (m->stream.log != NULL)
        f.log = *m->stream.log;
    strings_of(&f.m, &f.log, strings);
    for (size_t i = 0; i < STRINGS_N; i++) {
        const char *s = *strings[i];
        f.lengths[i] = s != NULL ? (int32_t)strlen(s) : STRING_NONE;
        iov[1 + i] = (struct iovec){.iov_base = (void *)(uintptr_t)s, .iov_len = s != NULL ? strlen(s) + 1 : 0};
    }
    struct msghdr h = {.msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov), .msg_control = control};
    put_fds(&h, m);
    return sys_sendmsg(fd, &h) < 0 ? -1 : 0;
}

static void take_fds(struct msghdr *h, struct message *m)
{
    for (size_t i = 0; i < MESSAGE_FDS_MAX; i++)
        m->fds[i] = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(m->fds, CMSG_DATA(c), (n < MESSAGE_FDS_MAX ? n : MESSAGE_FDS_MAX) * sizeof(int));
    }
}

/* Puts the strings behind the fixed part of LEN bytes at BYTES in their places. */
static bool take_strings(struct message_in *in, const struct fixed *f, size_t len)
{
    const char **strings[STRINGS_N];
    size_t at = sizeof *f;
    strings_of(&in->m, &in->m.log, strings);
    for (size_t i = 0; i < STRINGS_N; i++) {
        *strings[i] = NULL;
        if (f->lengths[i] == STRING_NONE)
            continue;
        size_t n = (size_t)f->lengths[i] + 1;
        if (f->lengths[i] < 0 || n > len - at || in->bytes[at + n - 1] != '\0')
            return false;
        *strings[i] = in->bytes + at;
        at += n;
    }
    return true;
}

int message_receive(int fd, struct message_in *ret)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof ret->m.fds)];
    struct iovec iov = {.iov_base = ret->bytes, .iov_len = sizeof ret->bytes};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct fixed f;
    ssize_t n = sys_recvmsg(fd, &h);
    if (n <= 0)
        return (int)n;
    bool fits = (size_t)n >= sizeof f;
    if (fits) {
        memcpy(&f, ret->bytes, sizeof f);
        ret->m = f.m;
        ret->m.log = f.log;
        ret->m.stream.log = &ret->m.log;
        ret->m.log.user.groups = NULL;
        ret->m.log.user.n_groups = 0;
    }
    take_fds(&h, &ret->m);
    bool is_ours =
        fits && (h.msg_flags & MSG_TRUNC) == 0 && ret->m.kind < MESSAGE_N && take_strings(ret, &f, (size_t)n);
    if (is_ours && (h.msg_flags & MSG_CTRUNC) == 0)
        return 1;
    message_close_fds(&ret->m);
    errno = is_ours ? EMFILE : EBADMSG;
    return -1;
}

void message_close_fds(struct message *m)
{
    for (size_t i = 0; i < MESSAGE_FDS_MAX; i++)
        sys_close_fd(&m->fds[i]);
}

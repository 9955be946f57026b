/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Datagrams with credentials and descriptors.
 */
#include "sys/notesock.h"

#include "sys/sys.h"
#include "sys/sys_net.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

bool notesock_open(const char *name, int *ret_fd, struct err *e)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd, on = 1;

    if (len + 1 > sizeof to.sun_path) {
        err_set_errno(e, ENAMETOOLONG, "notify socket");
        return false;
    }
    /* An abstract name begins with a NUL and has no other end than the address's. */
    memcpy(to.sun_path + 1, name, len);
    fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_set_errno(e, errno, "notify socket");
        return false;
    }
    /* Before it has a name: nobody may send without being known. */
    if (sys_setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
        sys_bind(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) != 0) {
        err_set_errno(e, errno, "notify socket");
        sys_close_fd(&fd);
        return false;
    }
    *ret_fd = fd;
    return true;
}

/* Takes what came beside the bytes over into NOTE. */
static void take_control(struct msghdr *msg, struct notesock_note *note)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t size = c->cmsg_len - CMSG_LEN(0);
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS && size >= sizeof(struct ucred)) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(c), sizeof who);
            note->pid = who.pid;
            note->uid = who.uid;
        } else if (c->cmsg_type == SCM_RIGHTS) {
            note->n_fds = size / sizeof(int);
            memcpy(note->fds, CMSG_DATA(c), note->n_fds * sizeof(int));
        }
    }
}

enum notesock_got notesock_receive(int fd, struct notesock_note *ret)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(NOTESOCK_FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = {ret->data, sizeof ret->data};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = sys_recvmsg(fd, &msg);

    ret->n = 0;
    ret->n_fds = 0;
    ret->pid = 0;
    ret->uid = (uid_t)-1;
    if (n < 0)
        return NOTESOCK_NOTHING;
    ret->n = (size_t)n;
    take_control(&msg, ret);
    /* 0 is a sender in a pid namespace that we do not see into. */
    if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && ret->pid > 0)
        return NOTESOCK_NOTE;
    notesock_close_fds(ret);
    return NOTESOCK_DROPPED;
}

void notesock_close_fds(struct notesock_note *note)
{
    for (size_t i = 0; i < note->n_fds; i++)
        notesock_close(&note->fds[i]);
    note->n_fds = 0;
}

void notesock_close(int *fd)
{
    struct linger linger = {0};
    socklen_t len = sizeof linger;
    /* The last close(2) of a socket waits for its peer if it was told to, non-blocking or not. */
    if (*fd >= 0 && sys_getsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff != 0) {
        linger = (struct linger){0};
        int done = sys_setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        (void)done;
    }
    sys_close_fd(fd);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Thin wrappers, as in sys.h, of calls about sockets.
 */
#ifndef FOSTER_SYS_SYS_NET_H
#define FOSTER_SYS_SYS_NET_H

#include "base/compiler.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

/** connect(2) of a non-blocking socket: EINPROGRESS as long as it is not known. */
int sys_connect(int fd, const struct sockaddr *to, socklen_t to_len) MUST_CHECK NONNULL();
/** poll(2). */
int sys_poll(struct pollfd *fds, nfds_t n, int timeout_ms) MUST_CHECK NONNULL();
/** sendmsg(2) without waiting, without SIGPIPE. */
ssize_t sys_sendmsg(int fd, const struct msghdr *msg) MUST_CHECK NONNULL();
/** recvmsg(2) without waiting, descriptors close-on-exec. */
ssize_t sys_recvmsg(int fd, struct msghdr *msg) MUST_CHECK NONNULL();
/** getsockname(2). */
int sys_getsockname(int fd, struct sockaddr *ret, socklen_t *len) MUST_CHECK NONNULL();
/** FIONREAD: how many bytes can be read from FD at once. */
int sys_get_readable(int fd, int *ret) MUST_CHECK NONNULL();
/** setsockopt(2). */
int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len) MUST_CHECK NONNULL();
/** Whether the descriptors A and B of ours share one open file: 0, or 1 if they do not; -1 with errno (kcmp(2)). */
int sys_compare_files(int a, int b) MUST_CHECK;
/** fchownat(2) of what PATH_FD, which may be open with O_PATH, is; an id of -1 stays as it is. */
int sys_chown_path(int path_fd, uid_t uid, gid_t gid) MUST_CHECK;

#endif

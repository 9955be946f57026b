/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the tests of listening sockets share: being a client of one.
 */
#ifndef FOSTER_TESTS_UNIT_SYS_LISTEN_KIT_H
#define FOSTER_TESTS_UNIT_SYS_LISTEN_KIT_H

#include "sys/listen.h"

#include "unit/sys/kit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/** Whether a socket can be bound to ::1. */
static inline bool listen_kit_has_ipv6(void)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd != -1 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
    if (fd != -1)
        close(fd);
    return ok;
}

/** The port that the socket FD has. */
static inline unsigned listen_kit_port(int fd)
{
    struct sockaddr_in6 at = {0};
    socklen_t len = sizeof at;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    /* It is at the same place in both families. */
    return ntohs(at.sin6_port);
}

/** HOST and PORT as an address of either version. */
static inline socklen_t listen_kit_address(const char *host, unsigned port, struct sockaddr_in6 *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    *ret = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET6, host, &ret->sin6_addr) == 1)
        return sizeof *ret;
    assert_int_equal(inet_pton(AF_INET, host, &v4.sin_addr), 1);
    memcpy(ret, &v4, sizeof v4);
    return sizeof v4;
}

/** A socket of TYPE connected to AT; -1 with errno. */
static inline int listen_kit_connect_to(int type, const struct sockaddr *at, socklen_t len)
{
    int fd = socket(at->sa_family, type | SOCK_CLOEXEC, 0);
    assert_int_not_equal(fd, -1);
    if (connect(fd, at, len) == 0)
        return fd;
    int errnum = errno;
    close(fd);
    errno = errnum;
    return -1;
}

/** A connection to the TCP server at HOST and PORT; -1 with errno. */
static inline int listen_kit_connect(const char *host, unsigned port)
{
    struct sockaddr_in6 at;
    socklen_t len = listen_kit_address(host, port, &at);
    return listen_kit_connect_to(SOCK_STREAM, (const struct sockaddr *)&at, len);
}

/** Whether what CLIENT (taken; -1: nothing) sends arrives at L. */
static inline bool listen_kit_arrives(const struct listener *l, bool accepts, int client)
{
    char text[8] = "";
    if (client == -1)
        return false;
    assert_int_equal(send(client, "hello", 5, MSG_NOSIGNAL), 5);
    int server = accepts ? accept4(l->fd, NULL, NULL, SOCK_CLOEXEC) : l->fd;
    ssize_t n = read(server, text, sizeof text - 1);
    if (accepts)
        close(server);
    close(client);
    return n == 5 && strcmp(text, "hello") == 0;
}

/** Whether L, of KIND, is what HOST and PORT lead to. False with errno. */
static inline bool listen_kit_reaches(const struct listener *l, enum listen_kind kind, const char *host, unsigned port)
{
    struct sockaddr_in6 at;
    socklen_t len = listen_kit_address(host, port, &at);
    int type = kind == LISTEN_TCP ? SOCK_STREAM : SOCK_DGRAM;
    return listen_kit_arrives(l, type == SOCK_STREAM, listen_kit_connect_to(type, (const struct sockaddr *)&at, len));
}

/** The same for a path. */
static inline bool listen_kit_reaches_path(const struct listener *l, enum listen_kind kind, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int type = kind == LISTEN_UNIX ? SOCK_STREAM : kind == LISTEN_DATAGRAM ? SOCK_DGRAM : SOCK_SEQPACKET;
    assert_true(strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, strlen(path) + 1);
    return listen_kit_arrives(l, type != SOCK_DGRAM,
                              listen_kit_connect_to(type, (const struct sockaddr *)&at, sizeof at));
}

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Programs, ports and keys, see daemons.h.
 */
#include "scenario/support/daemons.h"

#include "scenario/support/internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

const char *daemons_program(struct scenario *s, const char *name)
{
    static const char *const dirs[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"};
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        char *path = NULL;
        assert_true(asprintf(&path, "%s/%s", dirs[i], name) > 0);
        if (!access(keep(s, path), X_OK)) {
            return path;
        }
    }
    scenario_skip("%s is not installed", name);
    return NULL;
}

int daemons_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

const char *daemons_address(void)
{
    static char address[32];
    unsigned pid = (unsigned)getpid();
    (void)snprintf(address, sizeof(address), "127.%u.%u.%u", 64 + (pid >> 16) % 64, pid >> 8 & 255, pid & 255);
    return address;
}

void daemons_host_key(struct scenario *s, const char *keygen)
{
    const char *path = scenario_path(s, "host_key");
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(keygen, keygen, "-q", "-t", "ed25519", "-N", "", "-f", path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

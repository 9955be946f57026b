/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 */
#include "sys/pipes.h"

#include "sys/sys.h"
#include "sys/sys_net.h"

#include <sys/types.h>

enum { PIPES_BIN = 4096 };

size_t pipes_bytes(int fd)
{
    int n = 0;
    return sys_get_readable(fd, &n) == 0 && n > 0 ? (size_t)n : 0;
}

void pipes_discard(int fd, size_t n)
{
    char bin[PIPES_BIN];
    while (n > 0) {
        ssize_t got = sys_read(fd, bin, n < sizeof bin ? n : sizeof bin);
        if (got <= 0)
            return;
        n -= (size_t)got;
    }
}

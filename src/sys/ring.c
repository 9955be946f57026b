/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Memory for rings. See ring.h.
 */
#include "sys/ring.h"

#include "sys/sys.h"
#include "sys/sys_pipe.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

int ring_create(size_t head, size_t data)
{
    int fd = sys_memfd("foster-ring");
    if (fd < 0)
        return -1;
    if (sys_ftruncate(fd, (off_t)(head + data)) == 0)
        return fd;
    sys_close(fd);
    return -1;
}

void *ring_map(int fd, size_t head, size_t data)
{
    size_t all = head + 2 * data;
    /* First the place, so that the two views of the data can be put side by side. */
    char *base = sys_map_nothing(all);
    if (base == NULL)
        return NULL;
    if (sys_map_shared(base, head + data, fd, 0) != NULL &&
        sys_map_shared(base + head + data, data, fd, (off_t)head) != NULL && ring_inherit(base, head, data, false) == 0)
        return base;
    int errnum = errno;
    sys_unmap(base, all);
    errno = errnum;
    return NULL;
}

int ring_inherit(void *base, size_t head, size_t data, bool inherit)
{
    return sys_map_inherit(base, head + 2 * data, inherit);
}

void ring_unmap(void *base, size_t head, size_t data)
{
    if (base != NULL)
        sys_unmap(base, head + 2 * data);
}

void *ring_shared(size_t size)
{
    return sys_map_shared(NULL, size, -1, 0);
}

size_t ring_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

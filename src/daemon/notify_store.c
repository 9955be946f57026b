/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Descriptors in store.
 */
#include "daemon/notify_store.h"

#include "base/log.h"
#include "base/mem.h"
#include "sys/notesock.h"
#include "sys/sys.h"
#include "sys/sys_net.h"

#include <poll.h>
#include <string.h>
#include <sys/stat.h>

static void notify_store_take_out(struct notify_store *s, size_t i)
{
    notesock_close(&s->items[i].fd);
    mem_free(s->items[i].name);
    s->n--;
    memmove(&s->items[i], &s->items[i + 1], (s->n - i) * sizeof s->items[0]);
    memmove(&s->keeps[i], &s->keeps[i + 1], (s->n - i) * sizeof s->keeps[0]);
}

/* Whether A and B are one open file. Where the kernel does not say that, sockets still have a number each; eventfds,
 * for example, share one. */
static bool notify_store_same(int a, int b)
{
    struct stat x, y;
    int differ = sys_compare_files(a, b);
    if (differ >= 0)
        return differ == 0;
    return sys_fstat(a, &x) == 0 && sys_fstat(b, &y) == 0 && S_ISSOCK(x.st_mode) && S_ISSOCK(y.st_mode) &&
           x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Whether FD is what one of S is: services send again what they were given. */
static bool notify_store_has(const struct notify_store *s, int fd)
{
    for (size_t i = 0; i < s->n; i++)
        if (notify_store_same(s->items[i].fd, fd))
            return true;
    return false;
}

static bool notify_store_add_one(struct notify_store *s, const char *name, bool keep, int fd)
{
    char *copy = s->n < NOTIFY_STORE_MAX ? mem_strdup(name[0] != '\0' ? name : "stored") : NULL;
    if (copy == NULL)
        return false;
    s->items[s->n] = (struct notify_stored){.fd = fd, .name = copy};
    s->keeps[s->n] = keep;
    s->n++;
    return true;
}

void notify_store_add(struct notify_store *s, const struct engine_unit *u, const char *name, bool keep, int *fds,
                      size_t n)
{
    size_t refused = 0;
    for (size_t i = 0; i < n; i++) {
        bool there = notify_store_has(s, fds[i]);
        if (!there && notify_store_add_one(s, name, keep, fds[i]))
            continue;
        refused += !there;
        notesock_close(&fds[i]);
    }
    if (refused > 0)
        log_write(LOG_LEVEL_WARN, &(struct log_about){.service = u->name, .event = "notify"},
                  "%zu descriptors were not stored: %d are the most", refused, NOTIFY_STORE_MAX);
}

void notify_store_remove(struct notify_store *s, const char *name)
{
    for (size_t i = s->n; i-- > 0;)
        if (strcmp(s->items[i].name, name) == 0)
            notify_store_take_out(s, i);
}

void notify_store_look(struct notify_store *s)
{
    for (size_t i = s->n; i-- > 0;) {
        struct pollfd p = {.fd = s->items[i].fd};
        if (!s->keeps[i] && sys_poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
            notify_store_take_out(s, i);
    }
}

void notify_store_clear(struct notify_store *s)
{
    while (s->n > 0)
        notify_store_take_out(s, s->n - 1);
}

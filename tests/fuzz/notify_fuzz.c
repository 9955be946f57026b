/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Any bytes as a message of sd_notify(3): what is read of them keeps its bounds, and each line counts by itself.
 */
#include "base/utf8.h"
#include "core/notify.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): a build for speed must check as well. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_texts(const struct notify_message *m)
{
    size_t n = strnlen(m->status, sizeof m->status);
    bool valid;

    require(n <= NOTIFY_STATUS_MAX && (n == 0 || m->has_status));
    for (size_t i = 0; i < n; i += utf8_step(m->status + i, n - i, &valid)) {
        require(utf8_step(m->status + i, n - i, &valid) > 0 && valid);
        require((unsigned char)m->status[i] >= ' ' && m->status[i] != 0x7f);
    }
    n = strnlen(m->fd_name, sizeof m->fd_name);
    require(n <= NOTIFY_FDNAME_MAX && memchr(m->fd_name, ':', n) == NULL);
}

static void check_numbers(const struct notify_message *m)
{
    require(m->main_pid == 0 || m->main_pid > 1);
    require(m->errnum >= 0);
    require(m->watchdog_ms == 0 || (m->watchdog_ms >= NOTIFY_WATCHDOG_MIN && m->watchdog_ms <= NOTIFY_TIME_MAX));
    require(m->extend_ms >= 0 && m->extend_ms <= NOTIFY_TIME_MAX);
    require(m->access <= NOTIFY_ACCESS_N);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_message whole, line;
    bool ready = false, fd_store = false;

    notify_parse((const char *)data, size, &whole);
    check_texts(&whole);
    check_numbers(&whole);
    for (size_t at = 0; at < size;) {
        const uint8_t *newline = memchr(data + at, '\n', size - at);
        size_t len = newline ? (size_t)(newline - (data + at)) : size - at;
        notify_parse((const char *)data + at, len, &line);
        ready = ready || line.ready;
        fd_store = fd_store || line.fd_store;
        at += len + 1;
    }
    require(ready == whole.ready && fd_store == whole.fd_store);
    return 0;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The directory that a fosterd and its clients find each other in, which both have to work out alike.
 */
#include "base/runtime.h"

#include <stdarg.h>
#include <stdio.h>

/* The value of the variable NAME when it is an absolute path, else NULL. */
static const char *path_of(char *(*getenv_fn)(const char *), const char *name)
{
    const char *value = getenv_fn(name);

    return value && value[0] == '/' ? value : NULL;
}

/* printf into BUF; whether it fits. BUF is untouched when not. */
PRINTF_LIKE(3, 4) static bool put(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= size)
        return false;
    va_start(ap, fmt);
    vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return true;
}

bool runtime_dir(uid_t uid, char *(*getenv_fn)(const char *), char *buf, size_t size, bool *ret_shared)
{
    const char *own = path_of(getenv_fn, "FOSTER_RUNTIME_DIR");
    const char *session = path_of(getenv_fn, "XDG_RUNTIME_DIR");
    bool shared = false, fits;

    if (own) {
        fits = put(buf, size, "%s", own);
    } else if (uid == 0) {
        fits = put(buf, size, "%s", RUNTIME_SYSTEM_DIR);
    } else if (session) {
        fits = put(buf, size, "%s/foster", session);
    } else {
        fits = put(buf, size, "/tmp/foster-%lu", (unsigned long)uid);
        shared = true;
    }
    if (fits)
        *ret_shared = shared;
    return fits;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The error value: what went wrong, as plain data on the caller's stack.
 *
 * An error has no owner and needs no allocation, so it works when memory is out. A function that
 * fails fills it and returns false (or -1); it does not log. Whoever gives up on the error logs it,
 * once. On failure every ret_ parameter is untouched.
 */
#ifndef FOSTER_BASE_ERR_H
#define FOSTER_BASE_ERR_H

#include "base/compiler.h"

#include <stdarg.h>

/** What kind of failure an error is; decides the daemon's exit code, see cli.h. */
enum err_kind {
    ERR_NONE = 0, /**< no error */
    ERR_SYS,      /**< a system call failed; errnum is set */
    ERR_NOMEM,    /**< an allocation was refused */
    ERR_INPUT,    /**< somebody's input (file, option, message) is wrong */
    ERR_LIMIT,    /**< a stated maximum was reached */
    ERR_BUSY,     /**< in use by another process */
};

enum { ERR_TEXT_MAX = 512 };

/** An error by value. Zero-initialised means "no error". */
struct err {
    enum err_kind kind;
    int errnum;              /**< errno of the failed call, 0 when there is none */
    char text[ERR_TEXT_MAX]; /**< one line for people, without a final full stop or newline */
};

/** Sets E to KIND with a formatted text; a text that is too long is cut. */
void err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4) NONNULL(1, 3);

/** Sets E to ERR_SYS (ERR_NOMEM for ENOMEM): the formatted text, ": ", and the text of ERRNUM. */
void err_set_errno(struct err *e, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4) NONNULL(1, 3);

/** Puts the formatted text and ": " before the text that E has; kind and errnum stay. */
void err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3) NONNULL(1, 2);

/** Makes E "no error". */
void err_clear(struct err *e) NONNULL();

/** The text of ERRNUM, thread-safe and locale-free ("No such file or directory"). Never NULL; static. */
const char *err_errno_text(int errnum);

/** The symbolic name of ERRNUM ("ENOENT"), or "errno" when it has none here. Static. */
const char *err_errno_name(int errnum);

#endif

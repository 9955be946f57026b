/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Fills the error value, and knows the errnos by name and by text, the same with every C library and in
 * every locale.
 */
#include "base/err.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct errno_row {
    int errnum;
    const char *name;
    const char *text;
};

#define ROW(symbol, text)                                                                                              \
    {                                                                                                                  \
        symbol, #symbol, text                                                                                          \
    }
/* clang-format off */
static const struct errno_row errno_rows[] = {
    ROW(E2BIG, "Argument list too long"),
    ROW(EACCES, "Permission denied"),
    ROW(EADDRINUSE, "Address already in use"),
    ROW(EADDRNOTAVAIL, "Cannot assign requested address"),
    ROW(EAFNOSUPPORT, "Address family not supported by protocol"),
    ROW(EAGAIN, "Resource temporarily unavailable"),
    ROW(EALREADY, "Operation already in progress"),
    ROW(EBADF, "Bad file descriptor"),
    ROW(EBADMSG, "Bad message"),
    ROW(EBUSY, "Device or resource busy"),
    ROW(ECANCELED, "Operation canceled"),
    ROW(ECHILD, "No child processes"),
    ROW(ECONNABORTED, "Software caused connection abort"),
    ROW(ECONNREFUSED, "Connection refused"),
    ROW(ECONNRESET, "Connection reset by peer"),
    ROW(EDEADLK, "Resource deadlock avoided"),
    ROW(EDESTADDRREQ, "Destination address required"),
    ROW(EDOM, "Numerical argument out of domain"),
    ROW(EDQUOT, "Disk quota exceeded"),
    ROW(EEXIST, "File exists"),
    ROW(EFAULT, "Bad address"),
    ROW(EFBIG, "File too large"),
    ROW(EHOSTUNREACH, "No route to host"),
    ROW(EILSEQ, "Invalid or incomplete multibyte or wide character"),
    ROW(EINPROGRESS, "Operation now in progress"),
    ROW(EINTR, "Interrupted system call"),
    ROW(EINVAL, "Invalid argument"),
    ROW(EIO, "Input/output error"),
    ROW(EISCONN, "Transport endpoint is already connected"),
    ROW(EISDIR, "Is a directory"),
    ROW(ELIBBAD, "Accessing a corrupted shared library"),
    ROW(ELOOP, "Too many levels of symbolic links"),
    ROW(EMFILE, "Too many open files"),
    ROW(EMLINK, "Too many links"),
    ROW(EMSGSIZE, "Message too long"),
    ROW(ENAMETOOLONG, "File name too long"),
    ROW(ENETUNREACH, "Network is unreachable"),
    ROW(ENFILE, "Too many open files in system"),
    ROW(ENOBUFS, "No buffer space available"),
    ROW(ENODATA, "No data available"),
    ROW(ENODEV, "No such device"),
    ROW(ENOENT, "No such file or directory"),
    ROW(ENOEXEC, "Exec format error"),
    ROW(ENOLCK, "No locks available"),
    ROW(ENOMEM, "Cannot allocate memory"),
    ROW(ENOPROTOOPT, "Protocol not available"),
    ROW(ENOSPC, "No space left on device"),
    ROW(ENOSYS, "Function not implemented"),
    ROW(ENOTCONN, "Transport endpoint is not connected"),
    ROW(ENOTDIR, "Not a directory"),
    ROW(ENOTEMPTY, "Directory not empty"),
    ROW(ENOTSOCK, "Socket operation on non-socket"),
    ROW(ENOTTY, "Inappropriate ioctl for device"),
    ROW(ENXIO, "No such device or address"),
    ROW(EOPNOTSUPP, "Operation not supported"),
    ROW(EOVERFLOW, "Value too large for defined data type"),
    ROW(EPERM, "Operation not permitted"),
    ROW(EPIPE, "Broken pipe"),
    ROW(EPROTO, "Protocol error"),
    ROW(EPROTONOSUPPORT, "Protocol not supported"),
    ROW(EPROTOTYPE, "Protocol wrong type for socket"),
    ROW(ERANGE, "Numerical result out of range"),
    ROW(EROFS, "Read-only file system"),
    ROW(ESOCKTNOSUPPORT, "Socket type not supported"),
    ROW(ESPIPE, "Illegal seek"),
    ROW(ESRCH, "No such process"),
    ROW(ESTALE, "Stale file handle"),
    ROW(ETIME, "Timer expired"),
    ROW(ETIMEDOUT, "Connection timed out"),
    ROW(ETXTBSY, "Text file busy"),
    ROW(EUSERS, "Too many users"),
    ROW(EXDEV, "Invalid cross-device link"),
};
/* clang-format on */

static const struct errno_row *err_row(int errnum)
{
    for (size_t i = 0; i < ARRAY_LEN(errno_rows); i++)
        if (errno_rows[i].errnum == errnum)
            return &errno_rows[i];
    return NULL;
}

const char *err_errno_text(int errnum)
{
    static _Thread_local char other[24];
    const struct errno_row *row = err_row(errnum);

    if (row)
        return row->text;
    snprintf(other, sizeof(other), "error %d", errnum);
    return other;
}

const char *err_errno_name(int errnum)
{
    const struct errno_row *row = err_row(errnum);

    return row ? row->name : "errno";
}

/* Sets the text of E to HEAD and TAIL. What is too long is cut from the end of HEAD when KEEP_TAIL is set,
 * else from the end of the whole. */
static void err_join(struct err *e, const char *head, const char *tail, bool keep_tail)
{
    char text[ERR_TEXT_MAX];
    size_t head_len = strlen(head), tail_len = strlen(tail), room = sizeof(text) - 1;

    if (keep_tail)
        head_len = utf8_cut(head, head_len, tail_len < room ? room - tail_len : 0);
    else
        head_len = utf8_cut(head, head_len, room);
    tail_len = utf8_cut(tail, tail_len, room - head_len);
    memcpy(text, head, head_len);
    memcpy(text + head_len, tail, tail_len);
    text[head_len + tail_len] = '\0';
    memcpy(e->text, text, head_len + tail_len + 1);
}

/* One byte more than an error's text holds, so that a text that is too long is seen to be. */
enum { ERR_FORMAT_MAX = ERR_TEXT_MAX + 4 };

void err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    char head[ERR_FORMAT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(head, sizeof(head), fmt, ap);
    va_end(ap);
    err_join(e, head, "", false);
    e->kind = kind;
    e->errnum = 0;
}

void err_set_errno(struct err *e, int errnum, const char *fmt, ...)
{
    char head[ERR_FORMAT_MAX], tail[80];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(head, sizeof(head), fmt, ap);
    va_end(ap);
    snprintf(tail, sizeof(tail), ": %s", err_errno_text(errnum));
    err_join(e, head, tail, true);
    e->kind = errnum == ENOMEM ? ERR_NOMEM : ERR_SYS;
    e->errnum = errnum;
}

void err_prefix(struct err *e, const char *fmt, ...)
{
    char head[ERR_FORMAT_MAX], tail[ERR_TEXT_MAX + 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(head, sizeof(head), fmt, ap);
    va_end(ap);
    snprintf(tail, sizeof(tail), ": %s", e->text);
    err_join(e, head, tail, false);
}

void err_clear(struct err *e)
{
    memset(e, 0, sizeof(*e));
}

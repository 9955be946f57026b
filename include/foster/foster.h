/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * libfoster: talking to a running fosterd. See foster-protocol(7) for methods, parameters and results.
 *
 * JSON goes in and out as text, so a program may use whatever JSON library it likes, or none. There is no global state:
 * each connection is a value of its own, to be used by one thread at a time. Nothing is written to standard output or
 * error, no signal is raised (writing uses MSG_NOSIGNAL), all descriptors are close-on-exec.
 *
 * Simple use: foster_connect(), foster_call(), foster_free().
 *
 * In an event loop: foster_connect(), foster_set_handlers(), then foster_send() whenever there is something to ask;
 * poll foster_fd() for foster_events(), and call foster_dispatch() when it is ready. It never waits, and calls the
 * handlers for what has come.
 */
#ifndef FOSTER_FOSTER_H
#define FOSTER_FOSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Visible in the shared library. */
#define FOSTER_API __attribute__((visibility("default")))

/** What kind of error it was. */
enum foster_error_kind {
    FOSTER_OK,
    FOSTER_ERR_NO_DAEMON, /**< nobody listens there; errnum says why */
    FOSTER_ERR_SYSTEM,    /**< a system call failed: errnum */
    FOSTER_ERR_MEMORY,
    FOSTER_ERR_CLOSED,   /**< fosterd has ended the connection */
    FOSTER_ERR_PROTOCOL, /**< what came makes no sense */
    FOSTER_ERR_TIMEOUT,  /**< no reply in time; it may still come, and is passed over then */
    FOSTER_ERR_REPLY,    /**< fosterd answered with an error: code and, in the reply, data */
    FOSTER_ERR_USAGE,    /**< the parameters are no JSON object */
};

/** An error. */
struct foster_error {
    enum foster_error_kind kind;
    int errnum;     /**< errno of a system call, else 0 */
    int code;       /**< of an error reply, see foster-protocol(7), else 0 */
    char text[512]; /**< for people: what, and what to do */
};

/** A connection. */
struct foster;

/** Connects to the control socket PATH; NULL: to $FOSTER_SOCKET, else to the control socket of the caller's own fosterd
 * (see foster-protocol(7)), else, when there is none, to the one of the machine's (/run/foster/control.sock). Waits
 * only for a fosterd that accepts nobody, at most 10 seconds. NULL with *E. Free with foster_free(). */
FOSTER_API struct foster *foster_connect(const char *path, struct foster_error *e);

/** Closes F and frees it; NULL is fine. Requests that wait for a reply get none. */
FOSTER_API void foster_free(struct foster *f);

/** The path that F is connected to; borrowed from F. */
FOSTER_API const char *foster_path(const struct foster *f);

/** Calls METHOD with PARAMS (the text of a JSON object, or NULL for none) and waits for the reply, at most TIMEOUT_MS
 * milliseconds (-1: for ever). Notifications that come meanwhile go to the handler, if there is one; so do replies to
 * earlier requests. Returns the result as JSON text, which the caller frees with free(3), or NULL with *E. With
 * FOSTER_ERR_REPLY and RET_DATA not NULL, *RET_DATA is the error's data as JSON text, or NULL; to be freed likewise. */
FOSTER_API char *foster_call(struct foster *f, const char *method, const char *params, int timeout_ms, char **ret_data,
                             struct foster_error *e);

/** What to call when something comes. Strings are borrowed for the call. A handler may call foster_send(), and must not
 * call foster_dispatch(), foster_call() or foster_free(). */
struct foster_handlers {
    /** A notification METHOD with PARAMS. */
    void (*on_notification)(struct foster *f, const char *method, const char *params, void *data);
    /** The reply to request ID: RESULT, or NULL with *ERROR and ERROR_DATA (which may be NULL). With ID 0 it is an
     * error that answers no request, such as why fosterd is about to end the connection. */
    void (*on_reply)(struct foster *f, int64_t id, const char *result, const struct foster_error *error,
                     const char *error_data, void *data);
    void *data; /**< handed to both */
};

/** Sets the handlers; either may be NULL. */
FOSTER_API void foster_set_handlers(struct foster *f, const struct foster_handlers *handlers);

/** Sends a request without waiting: what does not go out at once goes out by foster_dispatch(). Returns its id
 * (positive), or -1 with *E (FOSTER_ERR_SYSTEM with EAGAIN: 1 MiB waits to go out already). */
FOSTER_API int64_t foster_send(struct foster *f, const char *method, const char *params, struct foster_error *e);

/** The descriptor to watch; stays the same, owned by F. */
FOSTER_API int foster_fd(const struct foster *f);

/** For what to watch it: POLLIN, and POLLOUT while something waits to go out (poll(2)). */
FOSTER_API short foster_events(const struct foster *f);

/** Writes and reads what is possible without waiting, and calls the handlers. False with *E when the connection is
 * over; with FOSTER_ERR_CLOSED it was ended by the other side, in order. */
FOSTER_API bool foster_dispatch(struct foster *f, struct foster_error *e);

#ifdef __cplusplus
}
#endif

#endif

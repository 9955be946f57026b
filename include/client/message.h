/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Lines of the control protocol from the client's side: requests to text, text to replies and notifications. Pure.
 */
#ifndef FOSTER_CLIENT_MESSAGE_H
#define FOSTER_CLIENT_MESSAGE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "foster/foster.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a line is. */
enum message_kind { MESSAGE_RESULT, MESSAGE_ERROR, MESSAGE_NOTIFICATION };

/** A line, understood. Free with message_done(). */
struct message {
    enum message_kind kind;
    int64_t id;                /**< of a reply; 0: fosterd could not tell which request it was */
    const char *method;        /**< of a notification; borrowed from root */
    json_t *value;             /**< result, params or the error's data, NULL where there is none; borrowed from root */
    struct foster_error error; /**< of an error reply */
    json_t *root;              /**< owned */
};

/** Reads the LEN bytes of LINE into *RET. False with *E when they are no message. */
bool message_read(const char *line, size_t len, struct message *ret, struct foster_error *e) MUST_CHECK NONNULL();

/** Frees what M owns. */
void message_done(struct message *m) NONNULL();

/** Appends the request ID for METHOD with PARAMS (JSON text, NULL: none) and a newline to OUT. False with *E; what was
 * appended until then stays. */
bool message_write(struct buf *out, int64_t id, const char *method, const char *params,
                   struct foster_error *e) MUST_CHECK NONNULL(1, 3, 5);

/** VALUE as compact JSON text, to be freed with free(3); NULL without memory. */
char *message_text(const json_t *value) MUST_CHECK NONNULL();

/** Sets *E. */
void message_error(struct foster_error *e, enum foster_error_kind kind, int errnum, const char *fmt, ...)
    PRINTF_LIKE(4, 5) NONNULL(1, 4);

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The control protocol as text: lines out of bytes, requests out of lines, replies into lines. Pure. See
 * doc/protocol.md.
 */
#ifndef FOSTER_CORE_PROTO_H
#define FOSTER_CORE_PROTO_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROTO_VERSION = 1, PROTO_LINE_MAX = 64 << 10, PROTO_DEPTH_MAX = 16, PROTO_TEXT_MAX = 512 };

/** Codes of errors in replies; those below zero are JSON-RPC's, and ours beside them. */
enum proto_code {
    PROTO_NO_JSON = -32700,
    PROTO_NO_REQUEST = -32600,
    PROTO_NO_METHOD = -32601,
    PROTO_BAD_PARAMS = -32602,
    PROTO_INTERNAL = -32603,
    PROTO_BAD_VERSION = -32001,
    PROTO_TOO_MANY = -32002,
    PROTO_FORBIDDEN = -32003,
    PROTO_IMPOSSIBLE = 1,
    PROTO_NO_SERVICE = 4,
    PROTO_STOPPING = 5,
    PROTO_REJECTED = 6,
};

/** The methods. */
enum proto_method {
#define METHOD(id, name, access, help, result) PROTO_##id,
#include "core/methods.def"
    PROTO_METHOD_N
};

/** Bytes on their way to lines. */
struct proto_reader {
    struct buf bytes;
    size_t taken;      /**< bytes at the front that were handed out as lines */
    size_t unfinished; /**< bytes at the end that have no newline yet */
    bool is_over;      /**< a line was too long: what follows is not looked at */
};

/** Makes R empty. */
void proto_reader_init(struct proto_reader *r) NONNULL();

/** Appends LEN bytes. False with *E (ERR_LIMIT when they make a line longer than PROTO_LINE_MAX, else ERR_NOMEM): no
 * more lines can come. Lines that were whole before can still be taken, however the bytes were cut. Lines are to be
 * taken before more is fed: at most 4 * PROTO_LINE_MAX bytes are kept. */
bool proto_feed(struct proto_reader *r, const char *data, size_t len, struct err *e) MUST_CHECK NONNULL();

/** Takes the next whole line, without its newline (and a carriage return before that), into *RET (borrowed until the
 * next proto_feed()). False when there is none yet. */
bool proto_line(struct proto_reader *r, const char **ret, size_t *ret_len) MUST_CHECK NONNULL();

/** Whether a line has begun and not ended. */
bool proto_is_within_line(const struct proto_reader *r) MUST_CHECK NONNULL();

/** Frees what R owns. */
void proto_reader_done(struct proto_reader *r) NONNULL();

/** A request, understood and checked against its row in methods.def. */
struct proto_request {
    enum proto_method method;
    json_t *id;     /**< owned; NULL: nobody waits for an answer */
    json_t *params; /**< owned; an object, all of whose members are known and of the right kind */
};

/** Reads the LEN bytes of LINE into *REQ. When they are no good request, false with the error reply in *RET_REPLY
 * (owned by the caller; NULL when nobody waits for one, or memory is short). */
bool proto_parse(const char *line, size_t len, struct proto_request *req, json_t **ret_reply) MUST_CHECK NONNULL();

/** Frees what REQ owns. */
void proto_request_done(struct proto_request *req) NONNULL();

/** Whether method M changes something. */
bool proto_acts(enum proto_method m) MUST_CHECK;

/** The name of M; static. */
const char *proto_method_name(enum proto_method m);

/** The parameter NAME of REQ, which has to be one of its method: false, OTHERWISE, NULL when it is not given. Strings
 * are borrowed from REQ. */
bool proto_bool(const struct proto_request *req, const char *name) NONNULL();
int64_t proto_number(const struct proto_request *req, const char *name, int64_t otherwise) NONNULL();
const char *proto_string(const struct proto_request *req, const char *name) NONNULL();

/** The array NAME of strings of REQ, or NULL; borrowed from REQ. */
const json_t *proto_strings(const struct proto_request *req, const char *name) NONNULL();

/** A reply with RESULT (taken over; NULL: memory was short) to the request with ID (borrowed). NULL without memory. */
json_t *proto_result(const json_t *id, json_t *result) MUST_CHECK;

/** An error reply; ID NULL becomes null, DATA (taken over) may be NULL. NULL without memory. */
json_t *proto_error(const json_t *id, enum proto_code code, json_t *data, const char *fmt, ...)
    PRINTF_LIKE(4, 5) MUST_CHECK;

/** A notification METHOD with PARAMS (taken over). NULL without memory. */
json_t *proto_notification(const char *method, json_t *params) MUST_CHECK;

/** Appends MESSAGE and a newline to OUT. False without memory or room: OUT is as before then. */
bool proto_write(const json_t *message, struct buf *out) MUST_CHECK NONNULL();

/** Appends the reference of all methods as Markdown (for doc/protocol.md), or as scdoc (for foster-protocol(7)). False
 * when OUT is full. */
bool proto_reference(bool scdoc, struct buf *out) MUST_CHECK NONNULL();

#endif

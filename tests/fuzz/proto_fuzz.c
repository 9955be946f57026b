/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Any bytes from a client of the control socket, in any chunks: every line is a request that can be written and read
 * back, or is refused with a reply that is one line of JSON. The first byte says how the others are cut.
 */
#include "base/utf8.h"
#include "core/proto.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { REPLY_BYTES_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): a build for speed must check as well. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

/* MESSAGE as one line of UTF-8. */
static struct buf write_line(const json_t *message)
{
    struct buf out;
    bool valid;

    buf_init(&out, REPLY_BYTES_MAX);
    require(proto_write(message, &out));
    require(memchr(out.data, '\n', out.len) == out.data + out.len - 1);
    for (size_t i = 0; i < out.len; i += utf8_step(out.data + i, out.len - i, &valid)) {
        require(utf8_step(out.data + i, out.len - i, &valid) > 0 && valid);
        require((unsigned char)out.data[i] >= 0x20 || i == out.len - 1);
    }
    return out;
}

static void check_refusal(const json_t *reply)
{
    struct buf text = write_line(reply);
    json_t *again = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *error = json_object_get(again, "error");
    json_int_t code = json_integer_value(json_object_get(error, "code"));

    require(code == PROTO_NO_JSON || code == PROTO_NO_REQUEST || code == PROTO_NO_METHOD || code == PROTO_BAD_PARAMS);
    require(json_string_length(json_object_get(error, "message")) > 0);
    require(json_object_get(again, "id") != NULL);
    json_decref(again);
    buf_done(&text);
}

/* What was understood is understood again when it is written out. */
static void read_back(const struct proto_request *req)
{
    json_t *message = json_object(), *reply = NULL;
    struct proto_request again;

    require(req->method < PROTO_METHOD_N && json_is_object(req->params));
    require(json_object_set_new(message, "jsonrpc", json_string("2.0")) == 0);
    require(req->id == NULL || json_object_set(message, "id", req->id) == 0);
    require(json_object_set_new(message, "method", json_string(proto_method_name(req->method))) == 0);
    require(json_object_set(message, "params", req->params) == 0);
    struct buf text = write_line(message);
    require(proto_parse(text.data, text.len - 1, &again, &reply));
    require(again.method == req->method && json_equal(again.params, req->params));
    require(req->id == NULL ? again.id == NULL : json_equal(again.id, req->id));
    proto_request_done(&again);
    json_decref(message);
    buf_done(&text);
}

static void take_line(const char *line, size_t len)
{
    struct proto_request req;
    json_t *reply = NULL;

    require(len <= PROTO_LINE_MAX && memchr(line, '\n', len) == NULL);
    if (proto_parse(line, len, &req, &reply)) {
        require(reply == NULL);
        read_back(&req);
        proto_request_done(&req);
    } else if (reply != NULL) {
        check_refusal(reply);
        json_decref(reply);
    }
}

/* Feeds the SIZE bytes of DATA by CHUNK and takes every line; how many there were. */
static size_t feed(const char *data, size_t size, size_t chunk, bool look)
{
    struct proto_reader r;
    struct err e = {0};
    const char *line;
    size_t len, n = 0;
    bool more = true;

    proto_reader_init(&r);
    for (size_t at = 0; at < size && more; at += chunk) {
        chunk = chunk < size - at ? chunk : size - at;
        more = proto_feed(&r, data + at, chunk, &e);
        require(more || e.kind == ERR_LIMIT);
        for (; proto_line(&r, &line, &len); n++)
            if (look)
                take_line(line, len);
    }
    require(!more || proto_is_within_line(&r) == (size > 0 && data[size - 1] != '\n'));
    proto_reader_done(&r);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t n;

    if (size == 0)
        return 0;
    n = feed(text + 1, size - 1, 1 + data[0], true);
    /* However they are cut, there are as many lines. */
    require(feed(text + 1, size - 1, PROTO_LINE_MAX, false) == n);
    /* What has no newline is a line, too. */
    if (size - 1 <= PROTO_LINE_MAX && memchr(text + 1, '\n', size - 1) == NULL)
        take_line(text + 1, size - 1);
    return 0;
}

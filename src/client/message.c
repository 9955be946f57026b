/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Text to message and back. All text is made through our own buffer, so that it can be freed with free(3) whatever
 * allocator the program has given jansson.
 */
#include "client/message.h"

#include "client/wire.h"
#include "core/proto.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void message_error(struct foster_error *e, enum foster_error_kind kind, int errnum, const char *fmt, ...)
{
    va_list ap;
    *e = (struct foster_error){.kind = kind, .errnum = errnum};
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
}

static int message_append(const char *data, size_t len, void *out)
{
    return buf_add(out, data, len) ? 0 : -1;
}

static bool message_dump(struct buf *out, const json_t *value)
{
    return json_dump_callback(value, message_append, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}

char *message_text(const json_t *value)
{
    struct buf out;
    /* Numbers may be longer when they are written again: 1e9 becomes 1000000000.0. */
    buf_init(&out, 4 * (size_t)WIRE_LINE_MAX);
    if (message_dump(&out, value))
        return out.data;
    buf_done(&out);
    return NULL;
}

static bool message_write_params(struct buf *out, const char *method, const char *params, struct foster_error *e)
{
    json_error_t why;
    json_t *value = json_loads(params, 0, &why);
    bool ok = json_is_object(value);
    if (ok) {
        buf_puts(out, ",\"params\":");
        message_dump(out, value);
    } else if (value == NULL && json_error_code(&why) == json_error_out_of_memory)
        message_error(e, FOSTER_ERR_MEMORY, 0, "no memory for a request");
    else
        message_error(e, FOSTER_ERR_USAGE, 0, "the parameters of %s are no JSON object%s%s", method,
                      value == NULL ? ": " : "", value == NULL ? why.text : "");
    json_decref(value);
    return ok;
}

bool message_write(struct buf *out, int64_t id, const char *method, const char *params, struct foster_error *e)
{
    bool too_long = strlen(method) + (params != NULL ? strlen(params) : 0) > PROTO_LINE_MAX;
    buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":", (long long)id);
    if (!too_long) {
        buf_json_string(out, method, strlen(method));
        if (params != NULL && !message_write_params(out, method, params, e))
            return false;
        too_long = !out->failed && out->len + 2 > PROTO_LINE_MAX;
    }
    if (too_long) {
        message_error(e, FOSTER_ERR_USAGE, 0,
                      "the request is longer than the %d bytes that fosterd reads; ask for less", PROTO_LINE_MAX);
        return false;
    }
    if (!buf_puts(out, "}\n")) {
        message_error(e, FOSTER_ERR_MEMORY, 0, "no memory for a request");
        return false;
    }
    return true;
}

static bool message_read_error(const json_t *error, struct message *m)
{
    const json_t *code = json_object_get(error, "code");
    const json_t *text = json_object_get(error, "message");
    if (!json_is_integer(code) || !json_is_string(text))
        return false;
    m->kind = MESSAGE_ERROR;
    message_error(&m->error, FOSTER_ERR_REPLY, 0, "%s", json_string_value(text));
    m->error.code = (int)json_integer_value(code);
    m->value = json_object_get(error, "data");
    if (json_is_null(m->value))
        m->value = NULL;
    return true;
}

/* Only an error can be without an id: fosterd could not read which request it answers. */
static bool message_classify(struct message *m)
{
    const json_t *id = json_object_get(m->root, "id");
    const json_t *method = json_object_get(m->root, "method");
    json_t *result = json_object_get(m->root, "result");
    const json_t *error = json_object_get(m->root, "error");
    if (json_is_string(method)) {
        m->kind = MESSAGE_NOTIFICATION;
        m->method = json_string_value(method);
        m->value = json_object_get(m->root, "params");
        return id == NULL;
    }
    if (json_is_integer(id))
        m->id = json_integer_value(id);
    if (error != NULL)
        return (json_is_integer(id) || id == NULL || json_is_null(id)) && message_read_error(error, m);
    m->kind = MESSAGE_RESULT;
    m->value = result;
    return json_is_integer(id) && result != NULL;
}

bool message_read(const char *line, size_t len, struct message *ret, struct foster_error *e)
{
    json_error_t why;
    struct message m = {.root = json_loadb(line, len, JSON_ALLOW_NUL, &why)};
    if (m.root == NULL && json_error_code(&why) == json_error_out_of_memory) {
        message_error(e, FOSTER_ERR_MEMORY, 0, "no memory for a message of %zu bytes", len);
        return false;
    }
    if (m.root == NULL) {
        message_error(e, FOSTER_ERR_PROTOCOL, 0, "what came is no JSON (%s); is that a fosterd?", why.text);
        return false;
    }
    if (!json_is_object(m.root) || !message_classify(&m)) {
        json_decref(m.root);
        message_error(e, FOSTER_ERR_PROTOCOL, 0, "what came is neither a reply nor a notification; is that a fosterd?");
        return false;
    }
    *ret = m;
    return true;
}

void message_done(struct message *m)
{
    json_decref(m->root);
    m->root = NULL;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The control protocol as text. A request is checked here as far as its row in methods.def goes, so that whoever
 * carries it out finds each parameter of the right kind or not at all.
 *
 * DIAGNOSTICS: an error reply names the member that is wrong and what would be right. Without memory for a reply there
 * is none: the connection is to be closed then.
 */
#include "core/proto.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "core/schema.h"
#include "core/value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    KEPT_MAX = 4 * PROTO_LINE_MAX,
    /* What jansson takes for a line at most: so many bytes for each of it (an empty object has a table), and so many
     * for any. */
    PARSE_FACTOR = 128,
    PARSE_BYTES = 4096,
};

enum param_kind { STRING, STRINGS, NUMBER, BOOL };

enum { LOOK = false, ACT = true };

struct method_row {
    const char *name;
    bool acts;
};

struct param_row {
    enum proto_method method;
    const char *name;
    enum param_kind kind;
    bool required;
};

static const struct method_row method_rows[] = {
#define METHOD(id, name, access, help, result) [PROTO_##id] = {name, access},
#include "core/methods.def"
};
_Static_assert(ARRAY_LEN(method_rows) == PROTO_METHOD_N, "every method has its row");

static const struct param_row param_rows[] = {
#define PARAM(id, name, kind, required, help) {PROTO_##id, name, kind, required},
#include "core/methods.def"
};

static const char *const wanted[] = {
    [STRING] = "a string",
    [STRINGS] = "an array of strings",
    [NUMBER] = "a whole number, 0 or more",
    [BOOL] = "true or false",
};

bool proto_acts(enum proto_method m)
{
    return method_rows[m].acts;
}

const char *proto_method_name(enum proto_method m)
{
    return method_rows[m].name;
}

/* Lines. Each byte is looked at twice: when it comes, for the length of its line, and when that is taken. */

void proto_reader_init(struct proto_reader *r)
{
    *r = (struct proto_reader){0};
    buf_init(&r->bytes, KEPT_MAX);
}

void proto_reader_done(struct proto_reader *r)
{
    buf_done(&r->bytes);
}

/* How many of the LEN bytes of DATA come before a line that is too long, UNFINISHED bytes of the first being here
 * already. *RET_UNFINISHED is how many of them have no newline behind them. */
static size_t good_bytes(size_t unfinished, const char *data, size_t len, size_t *ret_unfinished)
{
    size_t good = 0;
    const char *end;

    while ((end = memchr(data + good, '\n', len - good))) {
        size_t line = (size_t)(end - (data + good));
        if (unfinished + line > PROTO_LINE_MAX)
            break;
        unfinished = 0;
        good += line + 1;
    }
    if (unfinished + (len - good) <= PROTO_LINE_MAX) {
        unfinished += len - good;
        good = len;
    }
    *ret_unfinished = unfinished;
    return good;
}

bool proto_feed(struct proto_reader *r, const char *data, size_t len, struct err *e)
{
    size_t unfinished = r->unfinished, good = r->is_over ? 0 : good_bytes(r->unfinished, data, len, &unfinished);

    /* Moving no more than was taken keeps a flood of small lines linear. */
    if (r->taken >= r->bytes.len - r->taken) {
        buf_consume(&r->bytes, r->taken);
        r->taken = 0;
    }
    if (!r->is_over && !buf_add(&r->bytes, data, good)) {
        r->is_over = true;
        err_set_errno(e, ENOMEM, "keeping a line");
        return false;
    }
    r->unfinished = unfinished;
    if (good == len)
        return true;
    r->is_over = true;
    err_set(e, ERR_LIMIT, "a line of more than %d bytes; send shorter ones", PROTO_LINE_MAX);
    return false;
}

bool proto_line(struct proto_reader *r, const char **ret, size_t *ret_len)
{
    size_t whole = r->bytes.len - r->taken - r->unfinished;
    const char *begin = r->bytes.data + r->taken, *end;
    size_t len;

    if (whole == 0)
        return false;
    end = memchr(begin, '\n', whole);
    if (BUG_IF(!end))
        return false;
    len = (size_t)(end - begin);
    r->taken += len + 1;
    *ret = begin;
    *ret_len = len > 0 && begin[len - 1] == '\r' ? len - 1 : len;
    return true;
}

bool proto_is_within_line(const struct proto_reader *r)
{
    return r->unfinished > 0;
}

/* Messages. */

/* Puts VALUE (taken over; NULL: there was no memory for it) into OBJECT. */
static bool put(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0;
}

/* A message with the id that ID tells, or without one. NULL without memory. */
static json_t *new_message(bool with_id, const json_t *id)
{
    json_t *m = json_object();

    if (put(m, "jsonrpc", json_string("2.0")) && (!with_id || put(m, "id", id ? json_deep_copy(id) : json_null())))
        return m;
    json_decref(m);
    return NULL;
}

/* M with VALUE (both taken over; NULL: there was no memory for it). NULL without memory. */
static json_t *complete(json_t *m, const char *name, json_t *value)
{
    if (put(m, name, value))
        return m;
    json_decref(m);
    return NULL;
}

json_t *proto_result(const json_t *id, json_t *result)
{
    return complete(new_message(true, id), "result", result);
}

/* Makes TEXT, which somebody else has had a part in, UTF-8 of at most PROTO_TEXT_MAX bytes with its NUL. */
static void make_utf8(char *text)
{
    size_t len = utf8_cut(text, strlen(text), PROTO_TEXT_MAX - 1), step;

    text[len] = '\0';
    for (size_t at = 0; at < len; at += step) {
        bool valid;
        step = utf8_step(text + at, len - at, &valid);
        if (!valid)
            memset(text + at, '?', step);
    }
}

PRINTF_LIKE(3, 0)
static json_t *error_object(enum proto_code code, json_t *data, const char *fmt, va_list ap)
{
    /* More than is kept, so that a text that is too long is seen to be. */
    char text[PROTO_TEXT_MAX + 4];
    json_t *error = json_object();
    bool ok;

    vsnprintf(text, sizeof text, fmt, ap);
    make_utf8(text);
    ok = put(error, "code", json_integer(code)) && put(error, "message", json_string(text));
    if (data)
        ok = put(error, "data", data) && ok;
    if (ok)
        return error;
    json_decref(error);
    return NULL;
}

json_t *proto_error(const json_t *id, enum proto_code code, json_t *data, const char *fmt, ...)
{
    json_t *error;
    va_list ap;

    va_start(ap, fmt);
    error = error_object(code, data, fmt, ap);
    va_end(ap);
    return complete(new_message(true, id), "error", error);
}

json_t *proto_notification(const char *method, json_t *params)
{
    json_t *m = complete(new_message(false, NULL), "method", json_string(method));

    return complete(m, "params", params);
}

static int append(const char *data, size_t len, void *out)
{
    return buf_add(out, data, len) ? 0 : -1;
}

bool proto_write(const json_t *message, struct buf *out)
{
    const size_t len = out->len;
    const bool failed = out->failed;

    if (json_dump_callback(message, append, out, JSON_COMPACT) == 0 && buf_putc(out, '\n'))
        return true;
    out->len = len;
    out->failed = failed;
    if (out->data)
        out->data[len] = '\0';
    return false;
}

/* From a line to a request. */

/* How deep the arrays and objects of LINE are nested, as far as it is JSON. Recursion follows that depth. */
static size_t depth_of(const char *line, size_t len)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = line[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '[' || c == '{'))
            depth++;
        else if (!in_string && (c == ']' || c == '}') && depth > 0)
            depth--;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

/* What is wrong with a line that jansson refused. Its own text quotes the line. */
static json_t *no_json(const json_error_t *why)
{
    const int at = why->position;

    if (why->text[0] == '\0')
        return proto_error(NULL, PROTO_INTERNAL, NULL, "no memory to read this line");
    switch (json_error_code(why)) {
    case json_error_out_of_memory:
        return proto_error(NULL, PROTO_INTERNAL, NULL, "no memory to read this line");
    case json_error_duplicate_key:
        return proto_error(NULL, PROTO_NO_REQUEST, NULL, "a member is there twice (before byte %d); send it once", at);
    case json_error_numeric_overflow:
        return proto_error(NULL, PROTO_NO_REQUEST, NULL, "a number is too large (before byte %d)", at);
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return proto_error(NULL, PROTO_NO_REQUEST, NULL, "a string has a NUL (before byte %d)", at);
    case json_error_invalid_utf8:
        return proto_error(NULL, PROTO_NO_JSON, NULL, "the line is not in UTF-8 (before byte %d)", at);
    default:
        return proto_error(NULL, PROTO_NO_JSON, NULL, "the line is no JSON (before byte %d); send one object a line",
                           at);
    }
}

/* Where memory ends within a string, jansson's reader leaves bytes out and goes on, so there has to be enough before.
 */
static bool is_there_memory(size_t len)
{
    void *probe = mem_array(len * PARSE_FACTOR + PARSE_BYTES, 1);
    bool enough = probe != NULL;

    mem_free(probe);
    return enough;
}

/* The value that LINE is. NULL with the reply. */
static json_t *read_line(const char *line, size_t len, json_t **ret_reply)
{
    json_error_t why = {.text = ""};
    json_t *value;

    if (depth_of(line, len) > PROTO_DEPTH_MAX) {
        *ret_reply = proto_error(NULL, PROTO_NO_REQUEST, NULL, "nested deeper than %d", PROTO_DEPTH_MAX);
        return NULL;
    }
    value = is_there_memory(len) ? json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why) : NULL;
    if (!value)
        *ret_reply = no_json(&why);
    return value;
}

static bool is_id(const json_t *value)
{
    return json_is_string(value) || json_is_number(value) || json_is_null(value);
}

/* Whether VALUE is a request but for its method and parameters. */
static bool check_envelope(json_t *value, struct err *e)
{
    static const char *const known[] = {"jsonrpc", "id", "method", "params"};
    const json_t *id = json_object_get(value, "id");
    const char *version = json_string_value(json_object_get(value, "jsonrpc"));
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        n += json_object_get(value, known[i]) != NULL;
    if (json_is_array(value))
        err_set(e, ERR_INPUT, "batches are not taken; send one request a line");
    else if (!json_is_object(value))
        err_set(e, ERR_INPUT, "a request is an object; send {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"…\"}");
    else if (id && !is_id(id))
        err_set(e, ERR_INPUT, "`id` is neither a string nor a number nor null");
    else if (!version || strcmp(version, "2.0") != 0)
        err_set(e, ERR_INPUT, "`jsonrpc` is not \"2.0\"; this is no request of JSON-RPC 2.0");
    else if (!json_is_string(json_object_get(value, "method")))
        err_set(e, ERR_INPUT, "`method` is no string; name a method");
    else if (n < json_object_size(value))
        err_set(e, ERR_INPUT, "a request has `jsonrpc`, `id`, `method` and `params`, and nothing else");
    else
        return true;
    return false;
}

/* {NAME: TEXT}, with null for no text. NULL without memory. */
static json_t *datum(const char *name, const char *text)
{
    json_t *data = json_object();

    return complete(data, name, text ? json_string(text) : json_null());
}

/* The reply to an unknown method NAME. */
static json_t *no_method(const json_t *id, const char *name)
{
    struct schema_guess g = {0};

    for (size_t i = 0; i < ARRAY_LEN(method_rows); i++)
        schema_guess(&g, name, method_rows[i].name);
    return proto_error(id, PROTO_NO_METHOD, datum("similar", g.name),
                       g.name ? "no method `%s`; did you mean `%s`?"
                              : "no method `%s`; foster-protocol(7) has "
                                "them all",
                       value_quote(name).text, g.name);
}

static bool find_method(const char *name, enum proto_method *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(method_rows); i++) {
        if (strcmp(method_rows[i].name, name) == 0) {
            *ret = (enum proto_method)i;
            return true;
        }
    }
    return false;
}

static const struct param_row *find_param(enum proto_method method, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(param_rows); i++)
        if (param_rows[i].method == method && strcmp(param_rows[i].name, name) == 0)
            return &param_rows[i];
    return NULL;
}

static bool is_strings(const json_t *value)
{
    size_t i;
    json_t *item;

    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return json_is_array(value);
}

static bool is_of_kind(const json_t *value, enum param_kind kind)
{
    switch (kind) {
    case STRING:
        return json_is_string(value);
    case STRINGS:
        return is_strings(value);
    case NUMBER:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case BOOL:
        break;
    }
    return json_is_boolean(value);
}

static void unknown_param(enum proto_method method, const char *name, struct err *e)
{
    struct schema_guess g = {0};
    struct value_quote quote = value_quote(name);

    for (size_t i = 0; i < ARRAY_LEN(param_rows); i++)
        if (param_rows[i].method == method)
            schema_guess(&g, name, param_rows[i].name);
    if (g.name)
        err_set(e, ERR_INPUT, "`%s` is no parameter of `%s`; did you mean `%s`?", quote.text, method_rows[method].name,
                g.name);
    else
        err_set(e, ERR_INPUT, "`%s` is no parameter of `%s`; correct or remove it", quote.text,
                method_rows[method].name);
}

/* Whether VALUE has all parameters of METHOD that are required, and no others than it has. False with *E and the name
 * of the one that is wrong, borrowed; that is NULL when it is VALUE itself. */
static bool check_params(enum proto_method method, json_t *value, const char **ret_name, struct err *e)
{
    const char *name;
    json_t *member;

    *ret_name = NULL;
    if (!json_is_object(value)) {
        err_set(e, ERR_INPUT,
                json_is_array(value) ? "parameters are given by name, not by position; send an object"
                                     : "`params` is no object; send one, or leave it out");
        return false;
    }
    json_object_foreach(value, name, member)
    {
        const struct param_row *row = find_param(method, name);
        *ret_name = name;
        if (!row) {
            unknown_param(method, name, e);
            return false;
        }
        if (!is_of_kind(member, row->kind)) {
            err_set(e, ERR_INPUT, "`%s` of `%s` has to be %s", name, method_rows[method].name, wanted[row->kind]);
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(param_rows); i++) {
        if (param_rows[i].method == method && param_rows[i].required && !json_object_get(value, param_rows[i].name)) {
            *ret_name = param_rows[i].name;
            err_set(e, ERR_INPUT, "`%s` needs `%s`, %s", method_rows[method].name, param_rows[i].name,
                    wanted[param_rows[i].kind]);
            return false;
        }
    }
    return true;
}

/* As proto_parse(), of the VALUE of a line. */
static bool read_request(json_t *value, struct proto_request *req, json_t **ret_reply)
{
    json_t *id = json_object_get(value, "id"), *given = json_object_get(value, "params");
    const char *name;
    struct err e = {0};

    if (!check_envelope(value, &e)) {
        *ret_reply = proto_error(is_id(id) ? id : NULL, PROTO_NO_REQUEST, NULL, "%s", e.text);
        return false;
    }
    name = json_string_value(json_object_get(value, "method"));
    if (!find_method(name, &req->method)) {
        *ret_reply = id ? no_method(id, name) : NULL;
        return false;
    }
    given = given ? json_incref(given) : json_object();
    if (!given) {
        *ret_reply = id ? proto_error(id, PROTO_INTERNAL, NULL, "no memory") : NULL;
        return false;
    }
    if (!check_params(req->method, given, &name, &e)) {
        *ret_reply = id ? proto_error(id, PROTO_BAD_PARAMS, datum("param", name), "%s", e.text) : NULL;
        json_decref(given);
        return false;
    }
    req->id = json_incref(id);
    req->params = given;
    return true;
}

bool proto_parse(const char *line, size_t len, struct proto_request *req, json_t **ret_reply)
{
    struct proto_request read = {0};
    json_t *reply = NULL, *value = read_line(line, len, &reply);
    bool ok = value && read_request(value, &read, &reply);

    json_decref(value);
    if (ok)
        *req = read;
    else
        *ret_reply = reply;
    return ok;
}

void proto_request_done(struct proto_request *req)
{
    json_decref(req->id);
    json_decref(req->params);
    req->id = req->params = NULL;
}

/* Parameters. */

static const json_t *param(const struct proto_request *req, const char *name, enum param_kind kind)
{
    const struct param_row *row = find_param(req->method, name);

    if (BUG_IF(!row || row->kind != kind))
        return NULL;
    return json_object_get(req->params, name);
}

bool proto_bool(const struct proto_request *req, const char *name)
{
    return json_is_true(param(req, name, BOOL));
}

int64_t proto_number(const struct proto_request *req, const char *name, int64_t otherwise)
{
    const json_t *value = param(req, name, NUMBER);

    return value ? (int64_t)json_integer_value(value) : otherwise;
}

const char *proto_string(const struct proto_request *req, const char *name)
{
    return json_string_value(param(req, name, STRING));
}

const json_t *proto_strings(const struct proto_request *req, const char *name)
{
    return param(req, name, STRINGS);
}

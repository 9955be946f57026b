/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Listening sockets of a service: where they listen, and what is said about each.
 */
#include "core/socket_keys.h"

#include "base/runtime.h"
#include "core/compound.h"
#include "core/endpoint.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *prefix;
    enum spec_socket_kind kind;
} prefixes[] = {
    {"tcp:", SPEC_SOCKET_TCP},
    {"udp:", SPEC_SOCKET_UDP},
    {"unix:", SPEC_SOCKET_UNIX},
    {"datagram:", SPEC_SOCKET_DATAGRAM},
    {"seqpacket:", SPEC_SOCKET_SEQPACKET},
};

static bool is_inet(enum spec_socket_kind kind)
{
    return kind == SPEC_SOCKET_TCP || kind == SPEC_SOCKET_UDP;
}

/* The kind of the socket that TEXT stands for; *RET_REST is what follows the prefix. */
static enum spec_socket_kind kind_of(const char *text, const char **ret_rest)
{
    *ret_rest = text;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        size_t len = strlen(prefixes[i].prefix);
        if (strncmp(text, prefixes[i].prefix, len) == 0) {
            *ret_rest = text + len;
            return prefixes[i].kind;
        }
    }
    return text[0] == '/' || text[0] == '@' ? SPEC_SOCKET_UNIX : SPEC_SOCKET_TCP;
}

/* What is wrong with the path of a socket, as it stands behind the text, or NULL. */
static const char *bad_path(const char *path)
{
    if (path[0] == '@')
        return "is an abstract socket, which has no owner and no permissions; write a path";
    if (path[0] != '/')
        return "has no absolute path; write one, e.g. /run/web.sock (addresses go with tcp: and udp:)";
    if (strlen(path) > RUNTIME_PATH_MAX)
        return "is longer than the 107 bytes that the path of a socket can have; choose a shorter one";
    return NULL;
}

/* Sets where S listens to ADDRESS. NULL, or what is wrong. */
static const char *set_address(struct value_ctx *c, const char *address, struct spec_socket *s)
{
    struct endpoint e;
    const char *why = endpoint_parse(address, &e);

    if (strchr(address, '/'))
        return "has no absolute path; write one, e.g. /run/web.sock";
    if (!why && strcmp(e.host, "localhost") == 0)
        return "is two addresses; write 127.0.0.1, [::1] or one socket for each";
    if (why)
        return why;
    s->port = e.port;
    s->host = e.host[0] ? arena_strdup(c->source.arena, e.host) : NULL;
    return e.host[0] && !s->host ? "cannot be kept for want of memory; make the configuration smaller" : NULL;
}

bool socket_keys_listen(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_socket *s = base;
    const char *text = value_text(c, node, "`listen`"), *rest, *why;

    if (!text)
        return false;
    if (!text[0])
        return value_error(c, node->pos, "`%s` is empty; write %s", row->key, schema_kind(row->kind)->example);
    s->kind = kind_of(text, &rest);
    if (is_inet(s->kind)) {
        why = set_address(c, rest, s);
    } else {
        why = bad_path(rest);
        s->path = rest;
    }
    s->listen = text;
    return !why || value_error(c, node->pos, "`%s` %s", value_quote(text).text, why);
}

bool socket_keys_name(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const struct schema_kind_ops *ops = schema_kind(row->kind);
    const char *text = value_text(c, node, "`name`");
    size_t n = 0;

    if (!text)
        return false;
    while (text[n] >= ' ' && text[n] <= '~' && text[n] != ':')
        n++;
    if (text[n] || n == 0 || n > SOCKET_KEYS_NAME_MAX)
        return value_error(c, node->pos, "`%s` cannot be the name of a socket; write %s", value_quote(text).text,
                           ops->example);
    *(const char **)schema_field(row, base) = text;
    return true;
}

/* What only the path of a socket has, in the map NODE of one that has none. */
static bool check_pathless(struct value_ctx *c, const struct tree_node *node, struct spec_socket *s)
{
    static const char *const keys[] = {"mode", "user"};
    bool ok = true;

    if (!is_inet(s->kind))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct tree_node *value = tree_get(node, keys[i]);
        if (value)
            ok = value_error(c, value->pos, "`%s` is for sockets with a path, and `%s` has none; remove it", keys[i],
                             value_quote(s->listen).text);
    }
    s->mode = -1;
    return ok;
}

static bool one_socket(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node,
                       struct spec_socket *s)
{
    bool ok;

    schema_defaults(row->sub, s);
    s->pos = source_keep(&c->source, node->pos);
    if (node->kind == TREE_MAPPING)
        ok = value_section(c, row->sub, schema_section_name(row->sub), node, s);
    else if (node->kind == TREE_SEQUENCE)
        ok = value_error(c, node->pos, "an item of `%s` is a list; it takes an address, or a map with {listen}",
                         row->key);
    else
        ok = socket_keys_listen(c, schema_find(row->sub, "listen"), node, s);
    return ok && check_pathless(c, node, s);
}

bool socket_keys_list(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const struct spec *service = base;
    struct spec_socket *sockets;
    size_t n = 0;
    bool ok = true, good;

    if (node->kind != TREE_SEQUENCE)
        return compound_takes_else(c, row, node);
    if (node->n > SOCKET_KEYS_MAX)
        return value_error(c, node->pos, "`%s` has %zu items; write at most %d", row->key, node->n, SOCKET_KEYS_MAX);
    sockets = arena_array(c->source.arena, node->n, sizeof *sockets);
    if (!sockets)
        return value_nomem(c, node->pos);
    for (size_t i = 0; i < node->n; i++) {
        sockets[n] = (struct spec_socket){.name = service->name};
        good = one_socket(c, row, node->items[i], &sockets[n]);
        n += good;
        ok &= good;
    }
    *(struct spec_socket **)schema_field(row, base) = sockets;
    *(size_t *)(void *)((char *)base + row->extra) = n;
    return ok;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Hosts and ports. Names are refused: looking one up can take as long as it likes, and nobody here may wait.
 */
#include "core/endpoint.h"

#include "base/parse.h"

#include <arpa/inet.h>
#include <string.h>

static const char no_port[] = "has no port from 1 to 65535 at its end; write one, e.g. 127.0.0.1:8080";

/* The colon before the port of TEXT, or NULL. */
static const char *port_colon(const char *text)
{
    const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;

    if (bracket)
        return bracket[1] == ':' ? bracket + 1 : NULL;
    return strrchr(text, ':');
}

/* Brings ADDRESS of FAMILY into its one canonical form. */
static bool canonical(int family, const char *address, char *ret)
{
    struct in6_addr raw;

    return inet_pton(family, address, &raw) == 1 && inet_ntop(family, &raw, ret, ENDPOINT_HOST_SIZE) != NULL;
}

/* Reads HOST as it stands before the port. NULL, or what is wrong. */
static const char *parse_host(char *host, char *ret)
{
    size_t len = strlen(host);

    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        return canonical(AF_INET6, host + 1, ret) ? NULL : "has no IPv6 address between its brackets; correct it";
    }
    if (strchr(host, ':'))
        return "has an IPv6 address without brackets; write e.g. [::1]:8080";
    if (strcmp(host, "localhost") == 0) {
        memcpy(ret, host, len + 1);
        return NULL;
    }
    if (canonical(AF_INET, host, ret))
        return NULL;
    if (host[strspn(host, "0123456789.")] == '\0')
        return "has no IPv4 address before its port; write e.g. 127.0.0.1:8080";
    return "has a name for a host, and names are not looked up; write its address";
}

const char *endpoint_parse(const char *text, struct endpoint *ret)
{
    const char *colon = port_colon(text), *why = NULL;
    char host[ENDPOINT_HOST_SIZE + 2];
    size_t len = colon ? (size_t)(colon - text) : 0;
    int64_t port;

    *ret = (struct endpoint){.host = ""};
    if (!parse_int(colon ? colon + 1 : text, &port) || port < 1 || port > ENDPOINT_PORT_MAX)
        return no_port;
    if (len >= sizeof host)
        return "has a host that is no address; write an address";
    memcpy(host, text, len);
    host[len] = '\0';
    if (colon)
        why = parse_host(host, ret->host);
    ret->port = (unsigned)port;
    return why;
}

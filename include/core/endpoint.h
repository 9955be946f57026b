/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Addresses as a configuration has them: a host, which is never looked up, and a port.
 */
#ifndef FOSTER_CORE_ENDPOINT_H
#define FOSTER_CORE_ENDPOINT_H

#include "base/compiler.h"

enum { ENDPOINT_HOST_SIZE = 46, ENDPOINT_PORT_MAX = 65535 };

/** Where to connect to or to listen. */
struct endpoint {
    char host[ENDPOINT_HOST_SIZE]; /**< "localhost", or an address in its canonical form, without brackets; "": none */
    unsigned port;                 /**< 1 to ENDPOINT_PORT_MAX */
};

/** Reads TEXT, "PORT" or "HOST:PORT" with an IPv4 address, an IPv6 address in brackets, or localhost. NULL when that is
 *  what it is; else what is wrong, as it stands behind the text in a sentence ("has no port; …"): static. */
const char *endpoint_parse(const char *text, struct endpoint *ret) MUST_CHECK NONNULL();

#endif

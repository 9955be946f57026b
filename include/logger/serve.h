/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Clients that read lines: connections to the control socket that asked for `logs` and were handed over. A client has
 * no queue of its own: it reads the rings at its own pace, and one that is too slow for them is told what it has
 * missed. So nobody who reads can hold up anybody who writes.
 */
#ifndef FOSTER_LOGGER_SERVE_H
#define FOSTER_LOGGER_SERVE_H

#include "base/compiler.h"
#include "logger/stream.h"

/** Takes over the connection FD with the request TEXT (JSON, made by daemon/logs.c). */
void serve_begin(struct logger *l, int fd, const char *text) NONNULL();

/** Bytes have come into the ring of S. */
void serve_on_bytes(struct stream *s) NONNULL();

/** S is about to go. */
void serve_forget(struct stream *s) NONNULL();

/** Ends all. */
void serve_end(struct logger *l) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * As much of HTTP/1.1 (RFC 9112) as a probe needs: the request, and from the bytes of an answer its status and where
 * its body begins and ends. Pure; any bytes may come.
 */
#ifndef FOSTER_CORE_HTTPLINE_H
#define FOSTER_CORE_HTTPLINE_H

#include "base/compiler.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The longest head of an answer; what has no end by then has none. */
enum { HTTPLINE_HEAD_MAX = 8192 };

/** How far an answer has come. */
enum httpline_progress {
    HTTPLINE_NO_STATUS, /**< the status line is not complete */
    HTTPLINE_NO_HEAD,   /**< the status is known, but there is more head to come */
    HTTPLINE_BODY,      /**< the head is complete; the body may go on, until the peer closes */
    HTTPLINE_COMPLETE,  /**< so is the body, by what the head says of it or by its last chunk */
    HTTPLINE_FOREIGN,   /**< whoever answers does not speak HTTP/1 */
};

/** What is known of an answer. */
struct httpline {
    int status;     /**< 100 to 999, from HTTPLINE_NO_HEAD on; never that of an interim answer (RFC 9110, 15.2) */
    size_t body;    /**< where the body begins, from HTTPLINE_BODY on */
    bool chunked;   /**< and is sent in chunks */
    int64_t n_body; /**< its bytes, by Content-Length; -1: not told */
};

/** Reads the first LEN bytes of an answer, all that have come so far; *RET is set as its progress says. */
enum httpline_progress httpline_parse(const char *text, size_t len, struct httpline *ret) NONNULL();

/** Takes the framing out of the LEN bytes at BODY, which were sent in chunks, in place. Returns how many are left; what
 * is not well formed ends it. */
size_t httpline_unchunk(char *body, size_t len) NONNULL();

/** Writes the request for E, which is of a URL, by the program VERSION to BUF of SIZE bytes. Returns its length, or 0
 * when it does not fit. */
size_t httpline_request(const struct spec_endpoint *e, const char *version, char *buf, size_t size) MUST_CHECK
    NONNULL();

#endif

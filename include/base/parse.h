/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Text to value: durations, sizes, integers, booleans, octal modes, signals, words. All are strict:
 * the whole string must fit, nothing is guessed, locales have no influence.
 *
 * Each function returns true and sets *ret, or returns false and leaves *ret as it was. The caller
 * knows the place of the text and words the error.
 */
#ifndef FOSTER_BASE_PARSE_H
#define FOSTER_BASE_PARSE_H

#include "base/compiler.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

/** A decimal integer with an optional minus sign; refuses overflow, "+1", "0x1", leading zeros, spaces. */
bool parse_int(const char *s, int64_t *ret) MUST_CHECK NONNULL();

/** A decimal number with an optional fraction ("2", "0.1"), no exponent, no sign; below 10^15. Digits
 *  behind the fifteenth that counts are left out. */
bool parse_decimal(const char *s, double *ret) MUST_CHECK NONNULL();

/** A duration in milliseconds: "500ms", "10s", "1m30s", "2h", "1d"; units in falling order, each at
 *  most once; a fraction is allowed with s only ("1.5s"); a bare number is seconds ("10", "1.5"). "us" and
 *  "ns", and fractions, are accepted when they make whole milliseconds. Compose's grammar. */
bool parse_duration(const char *s, int64_t *ret_ms) MUST_CHECK NONNULL();

/** A size in bytes: "64k", "10m", "1g", "10kb", "1024b", bare numbers; powers of 1024, as Compose. Letters in
 *  any case, "t" and "KiB" as well; a fraction is allowed when it makes whole bytes ("1.5g"). */
bool parse_size(const char *s, int64_t *ret) MUST_CHECK NONNULL();

/** YAML 1.2 core booleans: true True TRUE false False FALSE. Nothing else. */
bool parse_bool(const char *s, bool *ret) MUST_CHECK NONNULL();

/** An octal mode, 0..07777: "022", "0o022", "0022". */
bool parse_mode(const char *s, unsigned *ret) MUST_CHECK NONNULL();

/** A signal: "SIGTERM", "TERM", "15", "SIGRTMIN+3", "RTMAX-1"; letters in any case. 1..SIGRTMAX. */
bool parse_signal(const char *s, int *ret) MUST_CHECK NONNULL();

/** The name of signal SIG with its SIG prefix ("SIGTERM", "SIGRTMIN+3"), or NULL when there is none.
 *  Static storage for the standard ones; real-time names live in a static table as well. */
const char *parse_signal_name(int sig);

/** Writes MS as a short duration that parse_duration() reads back ("1m30s", "1.5s", "500ms", "0s") to BUF of
 *  SIZE bytes and returns BUF; 32 bytes are always enough. A negative one has a minus sign, for people only. */
char *parse_duration_text(int64_t ms, char *buf, size_t size) NONNULL();

/** Writes BYTES (at least 0) as a short size that parse_size() reads back to the same ("512m", "1536k", "0") to BUF of
 *  SIZE bytes and returns BUF; 32 bytes are always enough. */
char *parse_size_text(int64_t bytes, char *buf, size_t size) NONNULL();

/** Why parse_words() refused a text. */
enum parse_words_error { PARSE_WORDS_OK, PARSE_WORDS_QUOTE, PARSE_WORDS_BACKSLASH, PARSE_WORDS_NOMEM };

/** Splits S into words as a POSIX shell would: blanks separate; '...' is literal; "..." knows \" \\ \$ \`
 *  and \newline; outside quotes a backslash takes the next character literally, and with a newline it
 *  continues the line. Nothing is expanded and no operator is known: "a|b;c" is one word. *RET is a
 *  NULL-terminated array in A, with *RET_N words. */
enum parse_words_error parse_words(const char *s, struct arena *a, char ***ret, size_t *ret_n) MUST_CHECK NONNULL();

/** The Levenshtein distance with transposition of A and B, for "did you mean". Strings over 63
 *  characters count as far apart (SIZE_MAX). */
size_t parse_distance(const char *a, const char *b) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The control protocol as a test speaks it: lines of JSON over the socket, by no code of the project. Everything that
 * comes is kept in its order until the connection is closed; what is returned is borrowed from there. A wait that takes
 * longer than the scenario's guard fails the test.
 */
#ifndef FOSTER_TESTS_CTL_KIT_H
#define FOSTER_TESTS_CTL_KIT_H

#include "scenario/support/scenario.h"

/** One connection. */
struct ctl;

/** A descriptor that is connected to the socket PATH, close-on-exec; -1 with errno. */
int ctl_connect(const char *path);

/** Connects to the control socket of S. */
struct ctl *ctl_open(struct scenario *s);

/** Closes C and frees it. When fosterd has not ended the connection, waits until it has noticed. */
void ctl_close(struct ctl *c);

/** Sends LINE, as it is, and a newline. */
void ctl_send(struct ctl *c, const char *line);

/** Sends a request with the parameters FMT, JSON in which ' stands for " (NULL: none), and returns its id. */
int ctl_ask(struct ctl *c, const char *method, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** Waits for the reply to request ID; its result, or the error, which must have CODE. */
json_t *ctl_result(struct ctl *c, int id);
json_t *ctl_error(struct ctl *c, int id, int code);

/** Asks and waits for the result. */
#define ctl_call(c, ...) ctl_result((c), ctl_ask((c), __VA_ARGS__))

/** Whether the reply to request ID has come; nothing is waited for. */
bool ctl_is_answered(struct ctl *c, int id);

/** Waits for a notification METHOD whose member KEY (of its event, or of the outcome of its progress) is VALUE; its
 * parameters. Each is returned once. */
json_t *ctl_notification(struct ctl *c, const char *method, const char *key, const char *value);

/** The place of MESSAGE (a result, an error or parameters) among all that has come, from 0. */
size_t ctl_place(const struct ctl *c, const json_t *message);

/** Waits until fosterd has ended the connection. */
void ctl_wait_end(struct ctl *c);

/** The element of the array `services` in RESULT that is called NAME; the test fails when there is none. */
json_t *ctl_service(struct ctl *c, const json_t *result, const char *name);

/** The string KEY of OBJECT, "" when it is null; the test fails when there is none. */
const char *ctl_text(struct ctl *c, const json_t *object, const char *key);

/** The number KEY of OBJECT; -1 for null. */
json_int_t ctl_number(struct ctl *c, const json_t *object, const char *key);

/** The boolean KEY of OBJECT. */
bool ctl_bool(struct ctl *c, const json_t *object, const char *key);

/** Fails unless the members of OBJECT are exactly those that KEYS names, with blanks between. */
void ctl_check_keys(struct ctl *c, const json_t *object, const char *keys);

#endif

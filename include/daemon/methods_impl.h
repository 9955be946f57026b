/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the files of the methods share: methods.c (the table, privilege, answers), look.c (those that only look), act.c
 * (those that change something), svcreload_ask.c (reload_service) and zombie_ask.c (those about zombies). Nobody else
 * includes it.
 */
#ifndef FOSTER_DAEMON_METHODS_IMPL_H
#define FOSTER_DAEMON_METHODS_IMPL_H

#include "base/compiler.h"
#include "core/proto.h"
#include "core/select.h"
#include "daemon/client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct engine;

/** Carries out one method and answers. */
typedef void methods_fn(struct client *c, const struct proto_request *req);

methods_fn look_hello, look_list, look_status, look_tree, look_subscribe, look_config, look_graph, look_doctor,
    look_zombies, look_timeline, look_logs;
methods_fn act_start, act_stop, act_restart, act_signal, act_reset, act_reload, act_scale, act_wait, act_shutdown,
    act_cure, act_reload_service;

/** The engine behind C. */
struct engine *methods_engine(const struct client *c) NONNULL();

/** Answers REQ, which has been carried out, with RESULT (taken over; NULL: memory was short), when somebody waits for
 * an answer. */
void methods_reply(struct client *c, const struct proto_request *req, json_t *result) NONNULL(1, 2);

/** Answers REQ with an error; DATA (taken over) may be NULL. */
void methods_error(struct client *c, const struct proto_request *req, enum proto_code code, json_t *data,
                   const char *fmt, ...) PRINTF_LIKE(5, 6) NONNULL(1, 2, 5);

/** Answers REQ with the error that its parameter PARAM is wrong. */
void methods_bad_param(struct client *c, const struct proto_request *req, const char *param, const char *fmt, ...)
    PRINTF_LIKE(4, 5) NONNULL();

/** Answers REQ with the error that everything is being stopped. */
void methods_stopping(struct client *c, const struct proto_request *req) NONNULL();

/** Answers REQ with the error that there is no service NAME; SIMILAR may be NULL. */
void methods_no_service(struct client *c, const struct proto_request *req, const char *name, const char *similar)
    NONNULL(1, 2, 3);

/** Selects the units that the parameter `services` of REQ names into RET (to be freed with select_done()); none: all
 * that are not skipped. False when REQ has been answered with an error. */
bool methods_select(struct client *c, const struct proto_request *req, struct select *ret) MUST_CHECK NONNULL();

#endif

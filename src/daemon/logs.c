/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The method `logs`. Output is the logger's, and so is, from this request on, the connection that asks for it: not a
 * byte of it goes through us.
 */
#include "base/err.h"
#include "base/parse.h"
#include "core/spec.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/logger.h"
#include "daemon/methods_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LOGS_TEXT_MAX = MESSAGE_MAX - 4096, LOGS_ID_MAX = 24 };

/* Puts the positions "ID:POSITION" of LIST into AFTER. False without memory, or when one of them is none, which is
 * *RET_WRONG. */
static bool logs_add_positions(json_t *after, const json_t *list, const char **ret_wrong)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        char id[LOGS_ID_MAX];
        const char *text = json_is_string(item) ? json_string_value(item) : "", *colon = strchr(text, ':');
        size_t len = colon != NULL ? (size_t)(colon - text) : 0;
        int64_t number = -1, position = -1;
        snprintf(id, sizeof id, "%.*s", (int)(len < sizeof id ? len : 0), text);
        if (colon == NULL || !parse_int(id, &number) || !parse_int(colon + 1, &position) || number < 0 ||
            position < 0) {
            *ret_wrong = text;
            return false;
        }
        if (json_object_set_new(after, id, json_integer(position)) != 0)
            return false;
    }
    return true;
}

/* Whether anything of what unit number UNIT writes goes through us; if not, *RET_DRIVER says where it goes. */
static bool logs_has(struct engine *g, unsigned unit, const char **ret_driver)
{
    struct unit_view u;
    if (!super_view(g->super, unit, &u))
        return false;
    *ret_driver = spec_log_driver_name(u.spec->log[SPEC_STREAM_OUT].driver);
    return spec_is_piped(u.spec);
}

/* Whether there is somebody among the services of REQ whose output can be read. False: REQ has been answered. */
static bool logs_can_be_read(struct client *c, const struct proto_request *req)
{
    const json_t *names = proto_strings(req, "services");
    const char *driver = "none";
    struct select sel = {0};
    if (!methods_select(c, req, &sel))
        return false;
    bool any = names == NULL;
    for (size_t i = 0; i < sel.n && !any; i++)
        any = logs_has(methods_engine(c), sel.units[i], &driver);
    select_done(&sel);
    if (!any)
        methods_error(c, req, PROTO_IMPOSSIBLE, NULL,
                      "what %s writes does not come to fosterd (driver: %s); give it another driver in `logging`",
                      json_string_value(json_array_get(names, 0)), driver);
    return any;
}

/* What the logger is told of REQ; NULL without memory, or with *RET_WRONG for a position that is none. */
static json_t *logs_request(const struct proto_request *req, const char **ret_wrong)
{
    const json_t *names = proto_strings(req, "services"), *positions = proto_strings(req, "after");
    int64_t lines = proto_number(req, "lines", -1), since_us = proto_number(req, "since_us", -1);
    json_t *after = positions != NULL ? json_object() : NULL;
    if (!logs_add_positions(after, positions, ret_wrong)) {
        json_decref(after);
        return NULL;
    }
    return json_pack("{s:O?, s:O?, s:I, s:I, s:b, s:o*}", "id", req->id, "services", names, "lines", (json_int_t)lines,
                     "since_us", (json_int_t)since_us, "follow", proto_bool(req, "follow"), "after", after);
}

/* Gives FD to the logger, with REQUEST. */
static bool logs_hand_over(struct engine *g, int fd, const json_t *request)
{
    struct buf text;
    buf_init(&text, LOGS_TEXT_MAX);
    errno = ENOMEM;
    const bool ok =
        proto_write(request, &text) &&
        logger_host_send(&g->logger,
                         &(struct message){.kind = MESSAGE_SERVE, .text = buf_str(&text), .fds = {fd, -1}}) == 0;
    int errnum = errno;
    buf_done(&text);
    errno = errnum;
    return ok;
}

void look_logs(struct client *c, const struct proto_request *req)
{
    const char *wrong = NULL;
    if (req->id == NULL || !logs_can_be_read(c, req))
        return;
    if (client_unread(c) > 0 || c->n_parked > 0 || !list_is_empty(&c->subscriber.link)) {
        methods_error(c, req, PROTO_IMPOSSIBLE, NULL,
                      "this connection is waiting for something else; ask for logs by one of their own");
        return;
    }
    json_t *request = logs_request(req, &wrong);
    if (wrong != NULL)
        methods_bad_param(c, req, "after", "%s is no ID:POSITION", wrong);
    else if (request == NULL)
        methods_reply(c, req, NULL);
    else if (logs_hand_over(methods_engine(c), c->fd, request))
        client_doom(c, "handed over to the logger");
    else
        methods_error(c, req, PROTO_IMPOSSIBLE, json_pack("{s:b}", "retry", 1),
                      "there is nobody who moves output just now (%s); try again", err_errno_text(errno));
    json_decref(request);
}

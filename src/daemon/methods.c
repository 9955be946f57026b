/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The entrance to the methods: who may call what, and the words for what is wrong with a request.
 *
 * DIAGNOSTICS: a request that acts is logged at level debug, with who has asked.
 */
#include "daemon/methods.h"

#include "base/log.h"
#include "base/mem.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/methods_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Each pattern is held against every name, and fnmatch() may look at each byte of a pattern once for each byte of a
 * name: a request may not cost more than so many walks, nor longer ones. */
enum { METHODS_PATTERNS_MAX = 64, METHODS_PATTERN_BYTES_MAX = 512 };

static methods_fn *const methods[PROTO_METHOD_N] = {
    [PROTO_HELLO] = look_hello,
    [PROTO_LIST] = look_list,
    [PROTO_STATUS] = look_status,
    [PROTO_TREE] = look_tree,
    [PROTO_START] = act_start,
    [PROTO_STOP] = act_stop,
    [PROTO_RESTART] = act_restart,
    [PROTO_SIGNAL] = act_signal,
    [PROTO_RESET] = act_reset,
    [PROTO_RELOAD] = act_reload,
    [PROTO_SCALE] = act_scale,
    [PROTO_WAIT] = act_wait,
    [PROTO_SUBSCRIBE] = look_subscribe,
    [PROTO_CONFIG] = look_config,
    [PROTO_GRAPH] = look_graph,
    [PROTO_DOCTOR] = look_doctor,
    [PROTO_TIMELINE] = look_timeline,
    [PROTO_LOGS] = look_logs,
    [PROTO_SHUTDOWN] = act_shutdown,
    [PROTO_ZOMBIES] = look_zombies,
    [PROTO_CURE] = act_cure,
    [PROTO_RELOAD_SERVICE] = act_reload_service,
};

struct engine *methods_engine(const struct client *c)
{
    return c->control->engine;
}

void methods_reply(struct client *c, const struct proto_request *req, json_t *result)
{
    if (result == NULL)
        methods_error(c, req, PROTO_INTERNAL, NULL,
                      proto_acts(req->method) ? "it was carried out, but there is no memory to say what came of it"
                                              : "out of memory; try again later");
    else if (req->id != NULL)
        client_send(c, proto_result(req->id, result));
    else
        json_decref(result);
}

/* Nothing has been touched yet. */
static void methods_no_memory(struct client *c, const struct proto_request *req)
{
    methods_error(c, req, PROTO_INTERNAL, NULL, "out of memory; nothing was done");
}

void methods_error(struct client *c, const struct proto_request *req, enum proto_code code, json_t *data,
                   const char *fmt, ...)
{
    char text[PROTO_TEXT_MAX];
    va_list ap;
    if (req->id == NULL) {
        json_decref(data);
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    client_send(c, proto_error(req->id, code, data, "%s", text));
}

void methods_bad_param(struct client *c, const struct proto_request *req, const char *param, const char *fmt, ...)
{
    char text[PROTO_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    methods_error(c, req, PROTO_BAD_PARAMS, json_pack("{s:s}", "param", param), "%s: %s", param, text);
}

void methods_stopping(struct client *c, const struct proto_request *req)
{
    methods_error(c, req, PROTO_STOPPING, NULL, "fosterd is stopping; %s is refused", proto_method_name(req->method));
}

void methods_no_service(struct client *c, const struct proto_request *req, const char *name, const char *similar)
{
    json_t *data = json_pack("{s:s, s:s?}", "service", name, "similar", similar);
    if (similar != NULL)
        methods_error(c, req, PROTO_NO_SERVICE, data, "no such service: %s; is it %s?", name, similar);
    else if (select_is_pattern(name))
        methods_error(c, req, PROTO_NO_SERVICE, data, "no service fits %s; fosterctl list names those there are", name);
    else if (spec_find(methods_engine(c)->set, name) != NULL)
        methods_error(c, req, PROTO_NO_SERVICE, data, "%s has no instance; scale it to have one", name);
    else
        methods_error(c, req, PROTO_NO_SERVICE, data, "no such service: %s; fosterctl list names those there are",
                      name);
}

/* Resolves the N names in LIST. */
static bool methods_resolve(struct client *c, const struct proto_request *req, const json_t *list, const char **names,
                            struct select *ret)
{
    size_t n = json_array_size(list), n_patterns = 0, n_bytes = 0, wrong;
    const char *similar;
    for (size_t i = 0; i < n; i++) {
        names[i] = json_string_value(json_array_get(list, i));
        bool is_pattern = select_is_pattern(names[i]);
        n_patterns += is_pattern;
        n_bytes += is_pattern ? strlen(names[i]) : 0;
    }
    if (n_patterns > METHODS_PATTERNS_MAX || n_bytes > METHODS_PATTERN_BYTES_MAX) {
        methods_bad_param(c, req, "services", "at most %d patterns, of %d bytes together; use several requests",
                          METHODS_PATTERNS_MAX, METHODS_PATTERN_BYTES_MAX);
        return false;
    }
    switch (select_units(methods_engine(c)->super, names, n, ret, &wrong, &similar)) {
    case SELECT_OK:
        return true;
    case SELECT_NO_MATCH:
        methods_no_service(c, req, names[wrong], similar);
        return false;
    case SELECT_NOMEM:
        methods_no_memory(c, req);
        break;
    }
    return false;
}

bool methods_select(struct client *c, const struct proto_request *req, struct select *ret)
{
    const json_t *list = proto_strings(req, "services");
    size_t n = json_array_size(list);
    /* An empty list in a script is a mistake, and meant anything but "all". */
    if (list != NULL && n == 0) {
        methods_bad_param(c, req, "services", "the list is empty; name at least one service");
        return false;
    }
    const char **names = mem_array(n, sizeof *names);
    if (names == NULL) {
        methods_no_memory(c, req);
        return false;
    }
    bool ok = methods_resolve(c, req, list, names, ret);
    mem_free(names);
    return ok;
}

static bool methods_is_allowed(struct client *c, const struct proto_request *req)
{
    const char *name = proto_method_name(req->method);
    if (proto_acts(req->method) ? c->may_act : c->may_look)
        return true;
    if (c->may_look)
        methods_error(c, req, PROTO_FORBIDDEN, NULL,
                      "%s is not allowed for this user; control_mode: 0660 allows it to control_group", name);
    else
        methods_error(c, req, PROTO_FORBIDDEN, NULL, "%s is not allowed for this user", name);
    return false;
}

void methods_carry_out(struct client *c, const struct proto_request *req)
{
    const struct engine *g = methods_engine(c);
    bool acts = proto_acts(req->method);
    if (!methods_is_allowed(c, req))
        return;
    if (acts)
        log_debug("%s, asked for by process %d of user %lu", proto_method_name(req->method), (int)c->pid,
                  (unsigned long)c->uid);
    if (acts && req->method != PROTO_SHUTDOWN && (g->over || super_is_shutting_down(g->super))) {
        methods_stopping(c, req);
        return;
    }
    methods[req->method](c, req);
}

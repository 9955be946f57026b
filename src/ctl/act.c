/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The verbs that change something, and `wait`: they say the outcome of each instance as soon as it is known.
 *
 * It is fosterd that counts the time until the outcome, so that what is not done yet comes as an outcome, too.
 */
#include "base/parse.h"
#include "ctl/run.h"
#include "ctl/text.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { ACT_PLAN_MAX = 16 << 20 };

/* A request that waits, for the handler of its progress. */
struct act {
    struct ctl *c;
    json_t *shown; /* owned; object: the names whose outcome was printed */
};

static void act_show(struct act *a, const json_t *outcome)
{
    const char *name = text_member(outcome, "name", "-");
    if (a->c->args.json || a->c->deaf || json_object_get(a->shown, name) != NULL)
        return;
    json_object_set_new(a->shown, name, json_true());
    view_outcome(&a->c->out, &a->c->view, outcome);
    ctl_flush(a->c);
}

static void act_on_notification(struct foster *f UNUSED, const char *method, const char *params, void *data)
{
    if (strcmp(method, "progress") != 0)
        return;
    json_t *progress = json_loads(params, JSON_ALLOW_NUL, NULL);
    const json_t *outcome = json_object_get(progress, "outcome");
    if (json_is_object(outcome))
        act_show(data, outcome);
    json_decref(progress);
}

/* The exit status for RESULT: what failed weighs more than what is not done yet. */
static int act_status(const struct ctl *c, const json_t *result)
{
    const json_t *outcome;
    size_t i;
    bool late = false;
    json_array_foreach(json_object_get(result, "services"), i, outcome)
    {
        bool done = text_is_true(outcome, "done");
        if (done && !text_is_true(outcome, "ok"))
            return CTL_FAILED;
        late = late || !done;
    }
    if (c->args.no_wait || c->args.dry_run)
        return CTL_OK;
    if (late)
        return CTL_NOT_UP;
    return json_is_false(json_object_get(result, "ok")) ? CTL_FAILED : CTL_OK;
}

/* Calls METHOD, shows outcomes as they come and those that have not come before. NULL when it failed: C->code. */
static json_t *act_call(struct ctl *c, const char *method, json_t *params)
{
    struct act a = {.c = c, .shown = json_object()};
    const struct foster_handlers handlers = {.on_notification = act_on_notification, .data = &a}, none = {0};
    foster_set_handlers(c->foster, &handlers);
    json_t *result = ctl_call(c, method, params);
    foster_set_handlers(c->foster, &none);
    const json_t *outcome;
    size_t i;
    json_array_foreach(json_object_get(result, "services"), i, outcome)
    {
        act_show(&a, outcome);
    }
    json_decref(a.shown);
    return result;
}

/* The rest of a run whose outcomes were shown; takes RESULT over. */
static int act_end(struct ctl *c, json_t *result)
{
    if (result == NULL)
        return c->code;
    int status = act_status(c, result);
    if (c->args.json)
        ctl_put_json(c, result, false);
    json_decref(result);
    return status;
}

static json_t *act_timeout(const struct ctl *c)
{
    return c->deadline < 0 ? NULL : ctl_number(ctl_left(c));
}

int run_start(struct ctl *c)
{
    json_t *params = json_pack("{s:o*, s:b, s:b, s:o*}", "services", ctl_services(c), "no_deps", c->args.no_deps,
                               "no_wait", c->args.no_wait, "timeout_ms", act_timeout(c));
    return act_end(c, act_call(c, "start", params));
}

static int act_down(struct ctl *c, const char *method)
{
    json_t *params =
        json_pack("{s:o*, s:b, s:b, s:o*, s:o*}", "services", ctl_services(c), "no_deps", c->args.no_deps, "no_wait",
                  c->args.no_wait, "grace_ms", ctl_number(c->args.grace_ms), "timeout_ms", act_timeout(c));
    return act_end(c, act_call(c, method, params));
}

int run_stop(struct ctl *c)
{
    return act_down(c, "stop");
}

int run_restart(struct ctl *c)
{
    return act_down(c, "restart");
}

int run_wait(struct ctl *c)
{
    json_t *params =
        json_pack("{s:o*, s:s, s:o*}", "services", ctl_services(c), "for", c->args.state, "timeout_ms", act_timeout(c));
    return act_end(c, act_call(c, "wait", params));
}

static json_t *act_reload(struct ctl *c, bool dry_run)
{
    return act_call(
        c, "reload",
        json_pack("{s:b, s:b, s:o*}", "dry_run", dry_run, "no_wait", c->args.no_wait, "timeout_ms", act_timeout(c)));
}

/* Reloads and shows the plan, unless it is the one in PLAN, which was shown already and becomes this one. NULL when it
 * failed: C->code. */
static json_t *act_reload_shown(struct ctl *c, bool dry_run, struct buf *plan)
{
    struct buf now;
    json_t *result = act_reload(c, dry_run);
    if (result == NULL)
        return NULL;
    buf_init(&now, ACT_PLAN_MAX);
    view_plan(&now, &c->view, result);
    if (strcmp(buf_str(&now), buf_str(plan)) != 0)
        buf_puts(&c->out, buf_str(&now));
    ctl_flush(c);
    buf_done(plan);
    *plan = now;
    return result;
}

/* The reply with the plan comes when all is over; who watches wants to know before. So the plan is asked for first, and
 * shown again only in case the file was changed in between. */
int run_reload(struct ctl *c)
{
    struct buf plan;
    if (c->args.n_operands > 0)
        return act_end(c,
                       act_call(c, "reload_service",
                                json_pack("{s:o*, s:o*}", "services", ctl_services(c), "timeout_ms", act_timeout(c))));
    if (c->args.json)
        return act_end(c, act_reload(c, c->args.dry_run));
    buf_init(&plan, ACT_PLAN_MAX);
    json_t *result = act_reload_shown(c, true, &plan);
    if (result != NULL && !c->args.dry_run) {
        json_decref(result);
        result = act_reload_shown(c, false, &plan);
    }
    buf_done(&plan);
    return act_end(c, result);
}

/* Adds the arrays of RESULT to those of SUM; what is not ok stays so. */
static void act_merge(json_t *sum, json_t *result)
{
    const char *key;
    json_t *value;
    json_object_foreach(result, key, value)
    {
        json_t *there = json_object_get(sum, key);
        if (json_is_array(there) && json_is_array(value))
            json_array_extend(there, value);
        else if (there == NULL || json_is_false(value))
            json_object_set(sum, key, value);
    }
}

static json_t *act_scale(struct ctl *c, const char *operand)
{
    size_t len;
    int64_t n;
    if (!args_scale(operand, &len, &n))
        return NULL;
    return act_call(c, "scale",
                    json_pack("{s:s%, s:I, s:b, s:o*}", "service", operand, len, "instances", (json_int_t)n, "no_wait",
                              c->args.no_wait, "timeout_ms", act_timeout(c)));
}

int run_scale(struct ctl *c)
{
    json_t *sum = json_object();
    for (size_t i = 0; i < c->args.n_operands; i++) {
        json_t *result = act_scale(c, c->args.operands[i]);
        if (result == NULL) {
            json_decref(sum);
            return c->code;
        }
        act_merge(sum, result);
        json_decref(result);
    }
    if (!c->args.json && json_array_size(json_object_get(sum, "services")) == 0)
        view_plan(&c->out, &c->view, sum);
    return act_end(c, sum);
}

int run_signal(struct ctl *c)
{
    json_t *result = ctl_call(
        c, "signal",
        json_pack("{s:o*, s:s, s:b}", "services", ctl_services(c), "signal", c->args.signal, "all", c->args.all));
    if (result == NULL)
        return c->code;
    bool ok = text_is_true(result, "ok");
    const json_t *service;
    size_t i;
    if (c->args.json)
        ctl_put_json(c, result, false);
    else
        json_array_foreach(json_object_get(result, "services"), i, service)
        {
            long long sent = text_number(service, "sent", 0);
            text_paint(&c->out, &c->view, TEXT_STRONG, text_member(service, "name", "-"), 0);
            if (sent > 0)
                buf_printf(&c->out, ": %s sent to %lld process%s\n", c->args.signal, sent, sent == 1 ? "" : "es");
            else
                buf_puts(&c->out, ": not running\n");
        }
    json_decref(result);
    return ok ? CTL_OK : CTL_NOT_UP;
}

static void act_show_states(struct buf *out, const struct view *v, const json_t *result)
{
    const json_t *service;
    size_t i;
    json_array_foreach(json_object_get(result, "services"), i, service)
    {
        const char *state = text_member(service, "state", "-");
        text_paint(out, v, TEXT_STRONG, text_member(service, "name", "-"), 0);
        buf_puts(out, ": ");
        text_paint(out, v, text_state_color(state), state, 0);
        buf_putc(out, '\n');
    }
}

int run_reset(struct ctl *c)
{
    return ctl_show(c, "reset", json_pack("{s:o*}", "services", ctl_services(c)), act_show_states);
}

/* Waits for the end of the connection, which is that of fosterd. */
static int act_await_end(struct ctl *c)
{
    struct foster_error e;
    while (foster_dispatch(c->foster, &e)) {
        struct pollfd p = {.fd = foster_fd(c->foster), .events = foster_events(c->foster)};
        if (poll(&p, 1, ctl_left(c)) == 0)
            return ctl_fail(
                c, CTL_NOT_UP, 0, NULL,
                "fosterd is still stopping; go on waiting, or kill what is left with fosterctl shutdown --now");
    }
    return e.kind == FOSTER_ERR_CLOSED ? CTL_OK : ctl_fail_foster(c, &e, NULL);
}

int run_shutdown(struct ctl *c)
{
    json_t *result = ctl_call(c, "shutdown", json_pack("{s:b}", "now", c->args.now));
    if (result == NULL)
        return c->code;
    int status = act_await_end(c);
    if (status == CTL_OK && c->args.json)
        ctl_put_json(c, result, false);
    else if (status == CTL_OK)
        buf_puts(&c->out, "fosterd has ended\n");
    json_decref(result);
    return status;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The methods that change something. Each checks all of its request before it touches anything; what is asked of
 * several units is put to super as one, so that it can choose their order.
 */
#include "base/parse.h"
#include "core/snapshot.h"
#include "daemon/census.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/leave.h"
#include "daemon/methods_impl.h"
#include "daemon/parked.h"
#include "daemon/reload.h"
#include "sys/sys.h"

#include <inttypes.h>
#include <string.h>

/* Most programs that cannot run with what they were given have ended by then. */
enum { ACT_STEADY_MS = 500 };

/* A hundred years: sums with the time stay far from the limits of their type. */
static const int64_t act_ms_max = INT64_C(100) * 366 * 24 * 3600 * 1000;

static int64_t act_ms(const struct proto_request *req, const char *name)
{
    int64_t ms = proto_number(req, name, -1);
    return ms < act_ms_max ? ms : act_ms_max;
}

static int64_t act_steady_ms(const struct proto_request *req)
{
    int64_t ms = act_ms(req, "steady_ms");
    return ms >= 0 ? ms : ACT_STEADY_MS;
}

static void act_post(struct client *c, const struct select *sel, struct event *ev)
{
    struct engine *g = methods_engine(c);
    for (size_t i = 0; i < sel->n; i++) {
        ev->unit = sel->units[i];
        super_post(g->super, ev, sys_now_ms());
    }
    /* One request may settle another without a change of state: by calling off what was still to be done. */
    c->control->unsettled = true;
    engine_go_on(g);
}

/* Posts EV for the units that REQ names, and answers when they have come to GOAL. */
static void act_change(struct client *c, const struct proto_request *req, struct event *ev, enum outcome_goal goal)
{
    struct parked_params params = {
        .wish = {.goal = goal, .steady_ms = goal != OUTCOME_DOWN ? act_steady_ms(req) : 0},
        .no_wait = proto_bool(req, "no_wait"),
        .timeout_ms = act_ms(req, "timeout_ms"),
    };
    struct parked *waiting = NULL;
    struct select sel = {0};
    if (!methods_select(c, req, &sel))
        return;
    if (req->id != NULL)
        waiting = parked_new(c, req->id, &sel, &params);
    ev->no_deps = proto_bool(req, "no_deps");
    if (req->id == NULL || waiting != NULL)
        act_post(c, &sel, ev);
    select_done(&sel);
    if (waiting != NULL)
        parked_begin(waiting);
}

static void act_set_grace(struct event *ev, const struct proto_request *req)
{
    int64_t grace_ms = act_ms(req, "grace_ms");
    ev->has_grace = grace_ms >= 0;
    ev->grace_ms = grace_ms;
}

void act_start(struct client *c, const struct proto_request *req)
{
    struct event ev = {.kind = EVENT_START};
    act_change(c, req, &ev, OUTCOME_UP);
}

void act_stop(struct client *c, const struct proto_request *req)
{
    struct event ev = {.kind = EVENT_STOP};
    act_set_grace(&ev, req);
    act_change(c, req, &ev, OUTCOME_DOWN);
}

void act_restart(struct client *c, const struct proto_request *req)
{
    struct event ev = {.kind = EVENT_RESTART};
    act_set_grace(&ev, req);
    act_change(c, req, &ev, OUTCOME_AGAIN);
}

/* Keeps of SEL the units that are wanted. */
static void act_keep_wanted(const struct super *s, struct select *sel)
{
    size_t n = 0;
    for (size_t i = 0; i < sel->n; i++) {
        struct unit_view u;
        if (super_view(s, sel->units[i], &u) && u.want_up)
            sel->units[n++] = sel->units[i];
    }
    sel->n = n;
}

void act_wait(struct client *c, const struct proto_request *req)
{
    const char *word = proto_string(req, "for");
    struct parked_params params = {
        .wish = {.goal = OUTCOME_STATE, .states = outcome_states(word), .healthy = strcmp(word, "healthy") == 0},
        .timeout_ms = act_ms(req, "timeout_ms"),
    };
    struct parked *waiting = NULL;
    struct select sel = {0};
    if (params.wish.states == 0) {
        methods_bad_param(c, req, "for",
                          "there is no state %s; there are waiting, starting, running, ready, stopping, backoff, "
                          "stopped, done, failed, skipped, and up, healthy and down",
                          word);
        return;
    }
    if (!methods_select(c, req, &sel))
        return;
    if (proto_strings(req, "services") == NULL)
        act_keep_wanted(methods_engine(c)->super, &sel);
    if (req->id != NULL)
        waiting = parked_new(c, req->id, &sel, &params);
    select_done(&sel);
    if (waiting != NULL)
        parked_begin(waiting);
}

void act_signal(struct client *c, const struct proto_request *req)
{
    struct engine *g = methods_engine(c);
    enum effect_scope scope = proto_bool(req, "all") ? SCOPE_ALL : SCOPE_MAIN;
    const char *word = proto_string(req, "signal");
    struct select sel = {0};
    bool all_sent = true;
    int sig;
    if (!parse_signal(word, &sig)) {
        methods_bad_param(c, req, "signal", "%s is no signal; name one as in HUP, SIGHUP or 1", word);
        return;
    }
    if (!methods_select(c, req, &sel))
        return;
    json_t *services = json_array();
    for (size_t i = 0; i < sel.n; i++) {
        const struct engine_unit *u = engine_at(g, sel.units[i]);
        size_t sent = u != NULL ? census_signal_exactly(g, u, sig, scope) : 0;
        all_sent = all_sent && sent > 0;
        if (u != NULL)
            services = snapshot_append(services, json_pack("{s:s, s:I}", "name", u->name, "sent", (json_int_t)sent));
    }
    select_done(&sel);
    methods_reply(c, req, json_pack("{s:b, s:o}", "ok", all_sent, "services", services));
}

static json_t *act_states(const struct super *s, const struct select *sel)
{
    json_t *services = json_array();
    for (size_t i = 0; i < sel->n; i++) {
        struct unit_view u;
        if (super_view(s, sel->units[i], &u))
            services =
                snapshot_append(services, json_pack("{s:s, s:s}", "name", u.name, "state", unit_state_name(u.state)));
    }
    return services;
}

void act_reset(struct client *c, const struct proto_request *req)
{
    struct engine *g = methods_engine(c);
    struct event ev = {.kind = EVENT_RESET};
    struct select sel = {0};
    if (!methods_select(c, req, &sel))
        return;
    act_post(c, &sel, &ev);
    methods_reply(c, req, json_pack("{s:o}", "services", act_states(g->super, &sel)));
    select_done(&sel);
}

/* What a reload tells beside its outcomes; NULL without memory. */
static json_t *act_describe(const struct reload *r, bool dry_run)
{
    json_t *later = json_array();
    for (size_t i = 0; i < r->plan.n_later; i++)
        later = snapshot_append(later, json_string(r->plan.later[i]));
    return json_pack("{s:b, s:o, s:o, s:o}", "dry_run", dry_run, "changes", snapshot_plan(&r->plan), "later", later,
                     "warnings", snapshot_warnings(&r->problems));
}

/* The services of which somebody who reloads wants to know how they come up; NULL without memory. */
static json_t *act_names_to_follow(const struct plan *p)
{
    json_t *names = json_array();
    for (size_t i = 0; i < p->n_changes; i++) {
        enum plan_effect effect = p->changes[i].effect;
        if (effect == PLAN_START || effect == PLAN_RESTART || effect == PLAN_SCALE)
            names = snapshot_append(names, json_string(p->changes[i].service));
    }
    return names;
}

/* The configuration has been accepted: answers when it is in force and what it starts has come up. */
static void act_follow(struct client *c, const struct proto_request *req, const struct reload *r)
{
    struct select nobody = {0};
    struct parked_params params = {
        .wish = {.goal = OUTCOME_UP, .steady_ms = act_steady_ms(req)},
        .no_wait = proto_bool(req, "no_wait"),
        .timeout_ms = act_ms(req, "timeout_ms"),
    };
    if (req->id == NULL)
        return;
    params.extra = act_describe(r, false);
    params.names_after = act_names_to_follow(&r->plan);
    if (params.extra == NULL || params.names_after == NULL) {
        json_decref(params.extra);
        json_decref(params.names_after);
        methods_reply(c, req, NULL);
        return;
    }
    struct parked *waiting = parked_new(c, req->id, &nobody, &params);
    if (waiting != NULL)
        parked_begin(waiting);
}

static void act_refuse_reload(struct client *c, const struct proto_request *req, enum reload_result result,
                              const struct reload *r)
{
    switch (result) {
    case RELOAD_REJECTED:
        methods_error(c, req, PROTO_REJECTED, json_pack("{s:o}", "problems", snapshot_problems(&r->problems)),
                      "the configuration has errors; nothing has changed");
        break;
    case RELOAD_BUSY:
        methods_error(c, req, PROTO_IMPOSSIBLE, NULL,
                      "another configuration is being put in force; try again when that is done");
        break;
    case RELOAD_STOPPING:
        methods_stopping(c, req);
        break;
    case RELOAD_NOMEM:
    case RELOAD_OK:
        methods_error(c, req, PROTO_INTERNAL, NULL, "out of memory; nothing has changed");
        break;
    }
}

void act_reload(struct client *c, const struct proto_request *req)
{
    bool dry_run = proto_bool(req, "dry_run");
    struct reload r = {0};
    if (req->id != NULL && !proto_bool(req, "no_wait") && !parked_has_room(c, req->id))
        return;
    enum reload_result result = reload_file(methods_engine(c), dry_run, &r);
    if (result == RELOAD_BUSY)
        result = reload_join(methods_engine(c), &r);
    if (result != RELOAD_OK) {
        act_refuse_reload(c, req, result, &r);
    } else if (dry_run) {
        json_t *answer = act_describe(&r, true);
        if (answer != NULL)
            json_object_update_new(answer, json_pack("{s:b, s:[]}", "ok", true, "services"));
        methods_reply(c, req, answer);
    } else {
        act_follow(c, req, &r);
    }
    reload_done(&r);
}

void act_scale(struct client *c, const struct proto_request *req)
{
    struct engine *g = methods_engine(c);
    const char *service = proto_string(req, "service");
    int64_t n = proto_number(req, "instances", 0);
    struct reload r = {0};
    if (spec_find(g->set, service) == NULL) {
        methods_no_service(c, req, service, select_similar(g->super, service));
        return;
    }
    if (n > SPEC_SCALE_MAX) {
        methods_bad_param(c, req, "instances", "at most %d", SPEC_SCALE_MAX);
        return;
    }
    if (req->id != NULL && !proto_bool(req, "no_wait") && !parked_has_room(c, req->id))
        return;
    enum reload_result result = reload_scale(g, service, n, &r);
    if (result == RELOAD_OK)
        act_follow(c, req, &r);
    else
        act_refuse_reload(c, req, result, &r);
    reload_done(&r);
}

void act_shutdown(struct client *c, const struct proto_request *req)
{
    struct engine *g = methods_engine(c);
    bool now = proto_bool(req, "now");
    struct event ev = {.kind = now ? EVENT_KILL_NOW : EVENT_SHUTDOWN, .unit = SUPER_NO_UNIT};
    methods_reply(c, req, json_pack("{s:b}", "ok", true));
    c->control->unsettled = true;
    if (g->clearing)
        leave_hurry(g, now);
    engine_post(g, &ev);
}

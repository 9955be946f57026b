/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Requests that wait. Each holds the units whose outcome is still open, and the outcomes that are known, in the order
 * in which they were. Units are known again by their id: their numbers are used again.
 *
 * DIAGNOSTICS: none; what there is to say is in the outcomes.
 */
#include "daemon/parked.h"

#include "base/mem.h"
#include "core/snapshot.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/tail.h"
#include "logger/loop.h"
#include "sys/sys.h"

#include <stdio.h>
#include <string.h>

static const char parked_no_result[] = "it was carried out, but there is no memory to say what came of it";

enum {
    PARKED_LINES = 10,
    /* Beyond so much unread, or without memory, progress is left out: the reply has it too. */
    PARKED_PROGRESS_MAX = CLIENT_UNREAD_MAX / 4,
};

/* A unit whose outcome is open. */
struct parked_unit {
    unsigned unit;
    struct outcome_before before;
    char name[SPEC_NAME_MAX + 8];
    json_t *outcome;           /* owned; it is known, but for the lines; NULL: it is not */
    struct output_place began; /* whence those are */
};

struct parked {
    struct client *client; /* borrowed */
    struct list in_control;
    struct list in_client;
    json_t *id;                  /* owned */
    struct parked_params params; /* names_after and extra are owned; names_after is NULL once they are selected */
    struct parked_unit *open;    /* owned */
    size_t n_open;
    size_t open_cap;
    json_t *outcomes; /* owned */
    bool ok;          /* so far */
    bool incomplete;  /* there was no memory for an outcome */
    bool begun;
    int64_t asked_ms;
    int64_t doubt_ms; /* when somebody is to be looked at again, 0: nobody */
    struct ev_timer doubt;
    struct ev_timer deadline;
    parked_gone_fn *on_gone; /* of one that waits for something else than units; NULL: nobody is to be told */
    void *data;              /* for it */
};

static struct engine *parked_engine(const struct parked *p)
{
    return p->client->control->engine;
}

static void parked_free(struct parked *p)
{
    if (p->on_gone != NULL)
        p->on_gone(p->data);
    if (!list_is_empty(&p->in_client))
        p->client->n_parked--;
    list_remove(&p->in_control);
    list_remove(&p->in_client);
    ev_timer_stop(parked_engine(p)->loop, &p->deadline);
    ev_timer_stop(parked_engine(p)->loop, &p->doubt);
    json_decref(p->id);
    json_decref(p->params.names_after);
    json_decref(p->params.extra);
    json_decref(p->outcomes);
    for (size_t i = 0; i < p->n_open; i++)
        json_decref(p->open[i].outcome);
    mem_free(p->open);
    mem_free(p);
}

void parked_free_all(struct client *c)
{
    LIST_EACH (it, &c->parked)
        parked_free(CONTAINER_OF(it, struct parked, in_client));
}

/* Unit P is as it is now; false: it is gone. */
static bool parked_view(const struct parked *p, const struct parked_unit *pu, struct unit_view *ret)
{
    return super_view(parked_engine(p)->super, pu->unit, ret) && ret->id == pu->before.id;
}

static const struct engine_unit *parked_engine_unit(const struct parked *p, const struct parked_unit *pu)
{
    return engine_at_id(parked_engine(p), pu->unit, pu->before.id);
}

/* Waits for the units of SEL, too; with ONLY_WANTED for those of them that are to be up. */
static bool parked_add_units(struct parked *p, const struct select *sel, bool only_wanted)
{
    if (!mem_grow(&p->open, &p->open_cap, p->n_open + sel->n, sizeof *p->open))
        return false;
    for (size_t i = 0; i < sel->n; i++) {
        struct unit_view u;
        if (!super_view(parked_engine(p)->super, sel->units[i], &u) || (only_wanted && !u.want_up))
            continue;
        struct parked_unit *pu = &p->open[p->n_open++];
        *pu = (struct parked_unit){.unit = sel->units[i], .before = {.id = u.id, .run = u.run, .state = u.state}};
        snprintf(pu->name, sizeof pu->name, "%s", u.name);
    }
    return true;
}

static void parked_tell_progress(struct parked *p, json_t *outcome)
{
    struct client *c = p->client;
    if (client_unread(c) > PARKED_PROGRESS_MAX)
        return;
    json_t *params = json_pack("{s:O, s:O}", "id", p->id, "outcome", outcome);
    json_t *message = params != NULL ? proto_notification("progress", params) : NULL;
    if (message != NULL)
        client_send(c, message);
}

/* Takes OUTCOME (taken over; NULL: no memory) to the known ones. */
static void parked_take(struct parked *p, json_t *outcome, bool ok, bool done)
{
    p->ok = p->ok && (ok || (p->params.no_wait && !done));
    p->incomplete = p->incomplete || outcome == NULL;
    if (outcome != NULL && done && !p->params.no_wait)
        parked_tell_progress(p, outcome);
    if (json_array_append_new(p->outcomes, outcome) != 0)
        p->incomplete = true;
}

/* From the request until U (NULL: it is gone) has come to its state. */
static int64_t parked_took(const struct parked *p, const struct unit_view *u)
{
    int64_t at = u != NULL && !p->params.wish.healthy ? u->since_ms : sys_now_ms();
    return at > p->asked_ms ? at - p->asked_ms : 0;
}

static json_t *parked_outcome(const struct parked *p, const struct parked_unit *pu, const struct unit_view *u, bool ok,
                              bool done, const char *text)
{
    int64_t ms = done ? parked_took(p, u) : sys_now_ms() - p->asked_ms;
    return snapshot_outcome(pu->name, u, ok, done, text, ms, json_array());
}

/* Takes OUTCOME (taken over; NULL: no memory), which is no success, with the last lines of the run that it is about:
 * those of an earlier one would be taken for its reasons. */
static void parked_take_with_lines(struct parked *p, const struct parked_unit *pu, json_t *outcome,
                                   const struct output_place *began, bool done)
{
    const struct engine_unit *eu = parked_engine_unit(p, pu);
    json_t *lines = eu != NULL ? tail_json(eu, PARKED_LINES, began) : json_array();
    if (outcome != NULL && json_object_set_new(outcome, "lines", lines) != 0) {
        json_decref(outcome);
        outcome = NULL;
    }
    parked_take(p, outcome, false, done);
}

/* Has somebody look at P again at UNTIL_MS, or before. */
static void parked_note_doubt(struct parked *p, int64_t until_ms)
{
    if (until_ms != 0 && (p->doubt_ms == 0 || until_ms < p->doubt_ms))
        p->doubt_ms = until_ms;
}

/* Takes the outcome of PU when what it wrote last has been taken in. False: that is on its way. */
static bool parked_take_settled(struct parked *p, struct parked_unit *pu)
{
    const struct engine_unit *eu = parked_engine_unit(p, pu);
    int64_t until = eu != NULL ? output_unsettled_until(eu) : 0;
    json_t *outcome = pu->outcome;
    parked_note_doubt(p, until);
    if (until != 0)
        return false;
    pu->outcome = NULL;
    parked_take_with_lines(p, pu, outcome, &pu->began, true);
    return true;
}

/* Whether U has still to show that it stays up. */
static bool parked_doubts(struct parked *p, const struct unit_view *u)
{
    int64_t until = outcome_doubt_until(&p->params.wish, u, sys_now_ms());
    parked_note_doubt(p, until);
    return until != 0;
}

/* Whether the outcome of PU is known now; it is taken then. */
static bool parked_is_settled(struct parked *p, struct parked_unit *pu)
{
    if (pu->outcome != NULL)
        return parked_take_settled(p, pu);
    const struct engine_unit *eu = parked_engine_unit(p, pu);
    const struct outcome_wish *wish = &p->params.wish;
    struct unit_view view, *u = parked_view(p, pu, &view) ? &view : NULL;
    char text[OUTCOME_TEXT_MAX];
    const char *why;
    enum outcome_verdict verdict =
        outcome_judge(wish, &pu->before, u, super_is_shutting_down(parked_engine(p)->super), &why);
    if (verdict == OUTCOME_OPEN || (verdict == OUTCOME_OK && u != NULL && parked_doubts(p, u)))
        return false;
    outcome_text(wish, verdict, &pu->before, u, why, eu != NULL ? eu->reason : NULL, parked_took(p, u), text);
    json_t *outcome = parked_outcome(p, pu, u, verdict == OUTCOME_OK, true, text);
    if (verdict == OUTCOME_OK || eu == NULL || outcome == NULL) {
        parked_take(p, outcome, verdict == OUTCOME_OK, true);
        return true;
    }
    pu->outcome = outcome;
    pu->began = output_run_began(eu);
    return parked_take_settled(p, pu);
}

/* The outcome of services whose configuration has not come into force. */
static void parked_take_names(struct parked *p, bool done, const char *text)
{
    size_t i;
    json_t *name;
    json_array_foreach(p->params.names_after, i, name)
    {
        json_t *outcome = snapshot_outcome(json_string_value(name), NULL, false, done, text, sys_now_ms() - p->asked_ms,
                                           json_array());
        parked_take(p, outcome, false, done);
    }
    json_decref(p->params.names_after);
    p->params.names_after = NULL;
}

/* Turns names into units, once the configuration that they are from is in force. False: it is not. */
static bool parked_resolve_names(struct parked *p)
{
    const struct super *s = parked_engine(p)->super;
    size_t i;
    json_t *name;
    if (p->params.names_after == NULL)
        return true;
    if (super_is_shutting_down(s)) {
        parked_take_names(p, true, "fosterd is stopping");
        return true;
    }
    if (super_is_replacing(s))
        return false;
    json_array_foreach(p->params.names_after, i, name)
    {
        const char *text = json_string_value(name), *similar;
        struct select sel = {0};
        size_t wrong;
        enum select_result result = select_units(s, &text, 1, &sel, &wrong, &similar);
        /* A service of no instances is there, and has no outcome. */
        if (result == SELECT_NOMEM || !parked_add_units(p, &sel, true))
            p->incomplete = true;
        select_done(&sel);
    }
    json_decref(p->params.names_after);
    p->params.names_after = NULL;
    return true;
}

/* Sends the reply and frees P. */
static void parked_answer(struct parked *p)
{
    struct client *c = p->client;
    json_t *result = p->params.extra != NULL ? json_incref(p->params.extra) : json_object();
    json_t *reply = NULL;
    int failed = json_object_set_new(result, "ok", json_boolean(p->ok));
    failed |= json_object_set(result, "services", p->outcomes);
    if (failed == 0 && !p->incomplete)
        reply = proto_result(p->id, json_incref(result));
    else
        reply = proto_error(p->id, PROTO_INTERNAL, NULL, "%s", parked_no_result);
    json_decref(result);
    parked_free(p);
    client_send(c, reply);
}

static void parked_look_again(struct parked *p)
{
    int64_t now = sys_now_ms();
    if (p->doubt_ms == 0)
        ev_timer_stop(parked_engine(p)->loop, &p->doubt);
    else
        loop_arm(parked_engine(p)->loop, &p->doubt, p->doubt_ms > now ? (double)(p->doubt_ms - now) / 1000. : 0.);
}

/* Looks at the units that are open. True: all is known, and P has been answered and is gone. */
static bool parked_settle(struct parked *p)
{
    size_t n_open = 0;
    if (!parked_resolve_names(p))
        return false;
    p->doubt_ms = 0;
    for (size_t i = 0; i < p->n_open; i++)
        if (!parked_is_settled(p, &p->open[i]))
            p->open[n_open++] = p->open[i];
    p->n_open = n_open;
    if (n_open > 0) {
        parked_look_again(p);
        return false;
    }
    parked_answer(p);
    return true;
}

static void parked_on_doubt(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    (void)parked_settle(w->data);
}

/* Answers P with what is known; the rest goes on. */
static void parked_give_up(struct parked *p)
{
    int64_t ms = sys_now_ms() - p->asked_ms;
    char text[OUTCOME_TEXT_MAX];
    if (p->params.names_after != NULL && !p->params.no_wait)
        parked_take_names(p, false, "its configuration is not in force yet");
    for (size_t i = 0; i < p->n_open; i++) {
        struct parked_unit *pu = &p->open[i];
        const struct engine_unit *eu = parked_engine_unit(p, pu);
        struct unit_view u;
        if (pu->outcome != NULL) {
            parked_take_with_lines(p, pu, pu->outcome, &pu->began, true);
            pu->outcome = NULL;
        } else if (p->params.no_wait && parked_view(p, pu, &u)) {
            parked_take(p, parked_outcome(p, pu, &u, false, false, unit_state_name(u.state)), false, false);
        } else if (parked_view(p, pu, &u)) {
            struct output_place began = eu != NULL ? output_run_began(eu) : (struct output_place){0};
            outcome_late_text(&p->params.wish, &u, ms, text);
            parked_take_with_lines(p, pu, parked_outcome(p, pu, &u, false, false, text), &began, false);
        }
    }
    parked_answer(p);
}

static void parked_on_deadline(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    parked_give_up(w->data);
}

bool parked_has_room(struct client *c, json_t *id)
{
    if (c->n_parked < CLIENT_PARKED_MAX)
        return true;
    client_send(c, proto_error(id, PROTO_TOO_MANY, NULL,
                               "%d requests of this connection wait already; wait for a reply, or connect once more",
                               CLIENT_PARKED_MAX));
    return false;
}

/* Whether C may wait for N more units: all of them are looked at whenever one has changed. One request may always wait
 * for as many as there are. */
static bool parked_has_room_for(struct client *c, json_t *id, size_t n)
{
    size_t n_open = 0;
    LIST_EACH (it, &c->parked)
        n_open += CONTAINER_OF(it, struct parked, in_client)->n_open;
    if (n_open == 0 || n_open + n <= CLIENT_PARKED_UNITS_MAX)
        return true;
    client_send(c, proto_error(id, PROTO_TOO_MANY, NULL,
                               "requests of this connection wait for %zu services already; wait for a reply, or "
                               "connect once more",
                               n_open));
    return false;
}

/* P of no use yet: what it takes over is freed with it. */
static struct parked *parked_alloc(struct client *c, json_t *id, const struct parked_params *params)
{
    struct parked *p = mem_alloc(sizeof *p);
    if (p == NULL) {
        json_decref(params->names_after);
        json_decref(params->extra);
        return NULL;
    }
    *p = (struct parked){.client = c,
                         .id = json_incref(id),
                         .params = *params,
                         .outcomes = json_array(),
                         .ok = true,
                         .asked_ms = sys_now_ms()};
    list_init(&p->in_control);
    list_init(&p->in_client);
    ev_timer_init(&p->deadline, parked_on_deadline, 0., 0.);
    p->deadline.data = p;
    ev_timer_init(&p->doubt, parked_on_doubt, 0., 0.);
    p->doubt.data = p;
    return p;
}

static void parked_enter(struct parked *p)
{
    list_append(&p->client->control->parked, &p->in_control);
    list_append(&p->client->parked, &p->in_client);
    p->client->n_parked++;
}

struct parked *parked_new(struct client *c, json_t *id, const struct select *sel, const struct parked_params *params)
{
    /* A configuration has been accepted before anybody waits for it. */
    const char *no_memory = params->names_after != NULL ? parked_no_result : "out of memory; nothing was done";
    struct parked *p = parked_alloc(c, id, params);
    if (p == NULL || p->outcomes == NULL || !parked_add_units(p, sel, false)) {
        if (p != NULL)
            parked_free(p);
        client_send(c, proto_error(id, PROTO_INTERNAL, NULL, "%s", no_memory));
        return NULL;
    }
    if (!p->params.no_wait && !(parked_has_room(c, id) && parked_has_room_for(c, id, p->n_open))) {
        parked_free(p);
        return NULL;
    }
    parked_enter(p);
    return p;
}

struct parked *parked_new_other(struct client *c, json_t *id, parked_gone_fn *on_gone, void *data)
{
    const struct parked_params params = {.timeout_ms = -1};
    if (!parked_has_room(c, id))
        return NULL;
    struct parked *p = parked_alloc(c, id, &params);
    if (p == NULL) {
        client_send(c, proto_error(id, PROTO_INTERNAL, NULL, "out of memory; nothing was done"));
        return NULL;
    }
    p->on_gone = on_gone;
    p->data = data;
    parked_enter(p);
    return p;
}

void parked_reply(struct parked *p, json_t *result)
{
    struct client *c = p->client;
    json_t *reply =
        result != NULL ? proto_result(p->id, result) : proto_error(p->id, PROTO_INTERNAL, NULL, "%s", parked_no_result);
    p->on_gone = NULL;
    parked_free(p);
    client_send(c, reply);
}

void parked_begin(struct parked *p)
{
    p->begun = true;
    if (parked_settle(p))
        return;
    if (p->params.no_wait)
        parked_give_up(p);
    else if (p->params.timeout_ms >= 0)
        loop_arm(parked_engine(p)->loop, &p->deadline, (double)p->params.timeout_ms / 1000.);
}

void parked_settle_all(struct control *c)
{
    LIST_EACH (it, &c->parked) {
        struct parked *p = CONTAINER_OF(it, struct parked, in_control);
        if (p->begun && !p->client->doomed)
            (void)parked_settle(p);
    }
}

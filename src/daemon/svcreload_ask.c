/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The method that reloads services. Everything that is named is checked before anything is done; the answer comes when
 * the last of them has reloaded, or the time is over: then the others go on unwatched.
 */
#include "daemon/svcreload.h"

#include "base/mem.h"
#include "core/outcome.h"
#include "core/snapshot.h"
#include "daemon/methods_impl.h"
#include "daemon/parked.h"
#include "logger/loop.h"
#include "sys/sys.h"

#include <inttypes.h>
#include <stdio.h>

struct svcreload_ask;

/* One of those that reload. */
struct svcreload_one {
    struct svcreload_ask *ask; /* borrowed: the owner */
    unsigned unit;
    uint64_t id;
    bool open; /* its outcome is not known yet */
};

/* One request. */
struct svcreload_ask {
    struct engine *engine; /* borrowed */
    struct parked *parked; /* borrowed; NULL: nobody waits for an answer */
    int64_t asked_ms;
    struct ev_timer deadline;
    json_t *outcomes; /* owned; NULL: there was no memory */
    bool ok;          /* so far */
    size_t n_open;
    size_t n;
    struct svcreload_one ones[];
};

static void svcreload_ask_free(struct svcreload_ask *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct engine_unit *u = engine_at_id(a->engine, a->ones[i].unit, a->ones[i].id);
        if (a->ones[i].open && u != NULL)
            svcreload_forget(u, &a->ones[i]);
    }
    ev_timer_stop(a->engine->loop, &a->deadline);
    json_decref(a->outcomes);
    mem_free(a);
}

/* Whoever has asked has gone. */
static void svcreload_ask_on_gone(void *data)
{
    svcreload_ask_free(data);
}

static void svcreload_ask_answer(struct svcreload_ask *a)
{
    json_t *outcomes = a->outcomes != NULL ? json_incref(a->outcomes) : NULL;
    if (a->parked != NULL)
        parked_reply(a->parked, json_pack("{s:b, s:o}", "ok", a->ok, "services", outcomes));
    else
        json_decref(outcomes);
    svcreload_ask_free(a);
}

/* Takes the outcome of U to the others. */
static void svcreload_ask_take(struct svcreload_ask *a, const struct engine_unit *u, bool ok, bool done,
                               const char *text)
{
    struct unit_view view, *v = super_view(a->engine->super, u->index, &view) && view.id == u->id ? &view : NULL;
    int64_t ms = sys_now_ms() - a->asked_ms;
    a->ok = a->ok && ok;
    a->outcomes = snapshot_append(a->outcomes, snapshot_outcome(u->name, v, ok, done, text, ms, json_array()));
}

static void svcreload_ask_on_done(struct engine_unit *u, bool ok, const char *text, void *data)
{
    struct svcreload_one *one = data;
    struct svcreload_ask *a = one->ask;
    one->open = false;
    svcreload_ask_take(a, u, ok, true, text);
    if (--a->n_open == 0)
        svcreload_ask_answer(a);
}

static void svcreload_ask_on_deadline(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct svcreload_ask *a = w->data;
    char text[OUTCOME_TEXT_MAX];
    (void)loop;
    (void)revents;
    for (size_t i = 0; i < a->n; i++) {
        const struct engine_unit *u = engine_at_id(a->engine, a->ones[i].unit, a->ones[i].id);
        if (!a->ones[i].open || u == NULL)
            continue;
        snprintf(text, sizeof text, "still reloading after %" PRId64 " ms", sys_now_ms() - a->asked_ms);
        svcreload_ask_take(a, u, false, false, text);
    }
    svcreload_ask_answer(a);
}

/* Whether all of SEL can be reloaded; answers with an error when not. */
static bool svcreload_ask_check(struct client *c, const struct proto_request *req, const struct select *sel)
{
    for (size_t i = 0; i < sel->n; i++) {
        struct unit_view u;
        if (!super_view(methods_engine(c)->super, sel->units[i], &u))
            continue;
        if (u.spec->reload.signal == 0 && u.spec->reload.command.n == 0) {
            methods_error(
                c, req, PROTO_IMPOSSIBLE, NULL,
                "%s has no key reload, which says how it is made to read its configuration again: by a signal "
                "or a command; nothing was done",
                u.name);
            return false;
        }
        if (u.main_pid == 0 || (u.state != UNIT_RUNNING && u.state != UNIT_READY)) {
            methods_error(c, req, PROTO_IMPOSSIBLE, NULL, "%s is %s; only what runs can reload; nothing was done",
                          u.name, unit_state_name(u.state));
            return false;
        }
    }
    return true;
}

static struct svcreload_ask *svcreload_ask_new(struct engine *g, const struct select *sel)
{
    struct svcreload_ask *a = mem_alloc(sizeof *a + sel->n * sizeof a->ones[0]);
    if (a == NULL)
        return NULL;
    *a = (struct svcreload_ask){.engine = g, .asked_ms = sys_now_ms(), .outcomes = json_array(), .ok = true};
    ev_timer_init(&a->deadline, svcreload_ask_on_deadline, 0., 0.);
    a->deadline.data = a;
    for (size_t i = 0; i < sel->n; i++) {
        const struct engine_unit *u = engine_at(g, sel->units[i]);
        if (u != NULL)
            a->ones[a->n++] = (struct svcreload_one){.ask = a, .unit = u->index, .id = u->id};
    }
    return a;
}

/* Begins with all of them. One that cannot begin has failed; the others go on. */
static void svcreload_ask_begin(struct svcreload_ask *a)
{
    /* One more than there are: the answer must not be given before the last has begun. */
    a->n_open = 1;
    for (size_t i = 0; i < a->n; i++) {
        struct svcreload_one *one = &a->ones[i];
        struct engine_unit *u = engine_at_id(a->engine, one->unit, one->id);
        struct err e = {0};
        if (u == NULL)
            continue;
        one->open = true;
        a->n_open++;
        if (!svcreload_begin(u, svcreload_ask_on_done, one, &e))
            svcreload_ask_on_done(u, false, e.text, one);
    }
    if (--a->n_open == 0)
        svcreload_ask_answer(a);
}

void act_reload_service(struct client *c, const struct proto_request *req)
{
    struct engine *g = methods_engine(c);
    int64_t timeout_ms = proto_number(req, "timeout_ms", -1);
    struct select sel = {0};
    if (!methods_select(c, req, &sel))
        return;
    bool can = svcreload_ask_check(c, req, &sel);
    struct svcreload_ask *a = can ? svcreload_ask_new(g, &sel) : NULL;
    select_done(&sel);
    if (can && a == NULL)
        methods_error(c, req, PROTO_INTERNAL, NULL, "out of memory; nothing was done");
    if (a == NULL)
        return;
    if (req->id != NULL) {
        a->parked = parked_new_other(c, req->id, svcreload_ask_on_gone, a);
        if (a->parked == NULL) {
            svcreload_ask_free(a);
            return;
        }
    }
    if (timeout_ms >= 0)
        loop_arm(g->loop, &a->deadline, (double)timeout_ms / 1000.);
    svcreload_ask_begin(a);
}

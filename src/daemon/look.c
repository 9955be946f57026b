/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The methods that only look. What costs a look at processes is asked for separately.
 */
#include "base/version.h"
#include "core/config.h"
#include "core/snapshot.h"
#include "daemon/census.h"
#include "daemon/cgroups.h"
#include "daemon/cli.h"
#include "daemon/control.h"
#include "daemon/doctor.h"
#include "daemon/engine.h"
#include "daemon/forest.h"
#include "daemon/look_unit.h"
#include "daemon/methods_impl.h"
#include "daemon/tail.h"
#include "sys/sys.h"

#include <inttypes.h>
#include <string.h>

enum { LOOK_LINES_MAX = 1000, LOOK_CONFIG_MAX = 16 << 20 };

static json_t *look_text(const char *s)
{
    return s != NULL ? snapshot_text(s, strlen(s)) : json_null();
}

void look_hello(struct client *c, const struct proto_request *req)
{
    int64_t version = proto_number(req, "protocol", PROTO_VERSION);
    if (version != PROTO_VERSION) {
        methods_error(c, req, PROTO_BAD_VERSION, json_pack("{s:i}", "protocol", PROTO_VERSION),
                      "version %" PRId64 " of the protocol is not spoken; version %d is", version, PROTO_VERSION);
        return;
    }
    json_t *capabilities = c->may_act ? json_pack("[s]", "act") : json_array();
    methods_reply(c, req,
                  json_pack("{s:i, s:s, s:i, s:o, s:o}", "protocol", PROTO_VERSION, "version", FOSTER_VERSION, "pid",
                            (int)sys_getpid(), "name", look_text(methods_engine(c)->set->name), "capabilities",
                            capabilities));
}

void look_list(struct client *c, const struct proto_request *req)
{
    const struct super *s = methods_engine(c)->super;
    json_t *names = json_array();
    for (unsigned i = 0; i < super_count(s); i++) {
        struct unit_view u;
        if (!super_view(s, super_at(s, i), &u))
            continue;
        if (u.instance == 1 && strcmp(u.name, u.spec->name) != 0)
            names = snapshot_append(names, look_text(u.spec->name));
        names = snapshot_append(names, look_text(u.name));
    }
    methods_reply(c, req, json_pack("{s:o}", "names", names));
}

static int64_t look_count_unclaimed(const struct engine *g)
{
    int64_t n = 0;
    LIST_EACH (it, &g->attrib.unclaimed)
        n++;
    return n;
}

static json_t *look_daemon(const struct engine *g)
{
    const char *file = g->cli != NULL ? g->cli->file : NULL;
    return json_pack("{s:o, s:i, s:s, s:I, s:b, s:b, s:b, s:I, s:I, s:I, s:{s:o, s:I}, s:o}", "name",
                     look_text(g->set->name), "pid", (int)sys_getpid(), "version", FOSTER_VERSION, "uptime_ms",
                     (json_int_t)(sys_now_ms() - g->began_ms), "init", g->is_init, "settled",
                     super_is_settled(g->super), "stopping", super_is_shutting_down(g->super), "reaped",
                     (json_int_t)g->reaper.n_reaped, "adopted", (json_int_t)g->n_adopted, "unclaimed",
                     (json_int_t)look_count_unclaimed(g), "logger", "pid",
                     g->logger.pid != 0 ? json_integer(g->logger.pid) : json_null(), "restarts",
                     (json_int_t)g->logger.n_restarts, "config", look_text(file));
}

/* What was asked for beside what every service has. */
struct look_wish {
    bool full;       /* the long form */
    bool wide;       /* with what costs a look at processes */
    int64_t n_lines; /* -1: without `lines` */
};

static bool look_add_wide(struct engine *g, json_t *service, unsigned unit)
{
    struct forest_sums sums = {0};
    forest_sum(g, unit, &sums);
    const struct engine_unit *u = engine_at(g, unit);
    json_t *wide = json_pack("{s:i, s:i, s:i, s:I, s:I, s:s?}", "processes", (int)sums.processes, "adopted",
                             (int)sums.adopted, "zombies", (int)sums.zombies, "rss_bytes", (json_int_t)sums.rss_bytes,
                             "cpu_ms", (json_int_t)sums.cpu_ms, "limits", u != NULL ? cgroups_limits(u) : NULL);
    bool ok = wide != NULL && json_object_update(service, wide) == 0;
    json_decref(wide);
    return ok;
}

static bool look_add(struct engine *g, json_t *service, unsigned unit, const struct unit_view *u,
                     const struct look_wish *wish, int64_t now_ms)
{
    const struct engine_unit *eu = engine_at(g, unit);
    if (eu != NULL && !look_unit_add(service, eu, u, wish->full, now_ms))
        return false;
    if (wish->wide && !look_add_wide(g, service, unit))
        return false;
    if (wish->full && !snapshot_long(service, g->super, u))
        return false;
    return wish->n_lines < 0 ||
           json_object_set_new(service, "lines",
                               eu != NULL ? tail_json(eu, (size_t)wish->n_lines, NULL) : json_array()) == 0;
}

/* One service; NULL without memory. */
static json_t *look_service(struct engine *g, unsigned unit, const struct look_wish *wish, int64_t now_ms)
{
    const struct engine_unit *eu = engine_at(g, unit);
    struct unit_view u;
    if (!super_view(g->super, unit, &u))
        return NULL;
    json_t *service = snapshot_unit(&u, eu != NULL ? eu->reason : NULL, now_ms);
    if (service != NULL && look_add(g, service, unit, &u, wish, now_ms))
        return service;
    json_decref(service);
    return NULL;
}

static json_t *look_services(struct engine *g, const struct select *sel, const struct look_wish *wish)
{
    json_t *services = json_array();
    int64_t now_ms = sys_now_ms();
    for (size_t i = 0; services != NULL && i < sel->n; i++)
        services = snapshot_append(services, look_service(g, sel->units[i], wish, now_ms));
    return services;
}

void look_status(struct client *c, const struct proto_request *req)
{
    struct engine *g = methods_engine(c);
    const json_t *names = proto_strings(req, "services");
    const char *name = json_string_value(json_array_get(names, 0));
    struct look_wish wish = {
        .full = json_array_size(names) == 1 && !select_is_pattern(name),
        .wide = proto_bool(req, "wide"),
        .n_lines = proto_number(req, "lines", -1),
    };
    struct select sel = {0};
    if (wish.n_lines > LOOK_LINES_MAX) {
        methods_bad_param(c, req, "lines", "at most %d", LOOK_LINES_MAX);
        return;
    }
    if (!methods_select(c, req, &sel))
        return;
    if (wish.wide)
        census_refresh(g);
    methods_reply(c, req, json_pack("{s:o, s:o}", "daemon", look_daemon(g), "services", look_services(g, &sel, &wish)));
    select_done(&sel);
}

static json_t *look_tree_service(struct engine *g, unsigned unit)
{
    struct unit_view u;
    if (!super_view(g->super, unit, &u))
        return NULL;
    json_t *pid = u.main_pid > 0 ? json_integer(u.main_pid) : json_null();
    return json_pack("{s:o, s:s, s:o, s:o}", "name", look_text(u.name), "state", unit_state_name(u.state), "pid", pid,
                     "processes", forest_processes(g, unit));
}

void look_tree(struct client *c, const struct proto_request *req)
{
    struct engine *g = methods_engine(c);
    bool all = proto_strings(req, "services") == NULL;
    struct select sel = {0};
    if (!methods_select(c, req, &sel))
        return;
    census_refresh(g);
    json_t *services = json_array();
    for (size_t i = 0; services != NULL && i < sel.n; i++)
        services = snapshot_append(services, look_tree_service(g, sel.units[i]));
    select_done(&sel);
    methods_reply(c, req,
                  json_pack("{s:o, s:o, s:o, s:o, s:b}", "daemon", look_daemon(g), "services", services, "own",
                            all ? forest_processes(g, FOREST_OWN) : json_array(), "unclaimed",
                            all ? forest_processes(g, SUPER_NO_UNIT) : json_array(), "cut", forest_is_cut(g)));
}

/* The last events that somebody with the wishes of REQ would have been told of. */
static json_t *look_recent(struct feed *f, const struct proto_request *req, size_t n)
{
    struct feed_subscriber passer_by = {.states = proto_bool(req, "states")};
    json_t *events = NULL;
    if (feed_subscribe(f, &passer_by, proto_strings(req, "services")))
        events = feed_recent(f, &passer_by, n);
    feed_unsubscribe(&passer_by);
    return events;
}

void look_subscribe(struct client *c, const struct proto_request *req)
{
    int64_t n = proto_number(req, "recent", 0);
    struct feed *f = &c->control->feed;
    struct select sel = {0};
    if (n > FEED_RECENT_MAX) {
        methods_bad_param(c, req, "recent", "at most %d", FEED_RECENT_MAX);
        return;
    }
    if (!methods_select(c, req, &sel))
        return;
    select_done(&sel);
    json_t *events = look_recent(f, req, (size_t)n);
    if (events != NULL && proto_bool(req, "follow")) {
        c->subscriber.states = proto_bool(req, "states");
        if (!feed_subscribe(f, &c->subscriber, proto_strings(req, "services"))) {
            json_decref(events);
            events = NULL;
        }
    }
    methods_reply(c, req, json_pack("{s:o}", "events", events));
}

void look_config(struct client *c, const struct proto_request *req)
{
    const struct engine *g = methods_engine(c);
    struct buf yaml;
    buf_init(&yaml, LOOK_CONFIG_MAX);
    json_t *text = config_print(g->set, &yaml) ? snapshot_text(buf_str(&yaml), yaml.len) : NULL;
    buf_done(&yaml);
    methods_reply(c, req,
                  json_pack("{s:o, s:o}", "yaml", text, "file", look_text(g->cli != NULL ? g->cli->file : NULL)));
}

void look_graph(struct client *c, const struct proto_request *req)
{
    methods_reply(c, req, json_pack("{s:o}", "services", snapshot_graph(methods_engine(c)->super)));
}

void look_timeline(struct client *c, const struct proto_request *req)
{
    struct engine *g = methods_engine(c);
    struct select sel = {0};
    if (!methods_select(c, req, &sel))
        return;
    json_t *services = json_array();
    for (size_t i = 0; services != NULL && i < sel.n; i++)
        services = snapshot_append(services, timeline_json(g, sel.units[i]));
    select_done(&sel);
    methods_reply(c, req, json_pack("{s:o, s:o}", "daemon", look_daemon(g), "services", services));
}

void look_doctor(struct client *c, const struct proto_request *req)
{
    methods_reply(c, req, json_pack("{s:o}", "checks", doctor_look(methods_engine(c))));
}

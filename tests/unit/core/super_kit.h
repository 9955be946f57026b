/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * For the tests of super: configurations built by hand, events by the name of a unit, and the effects as one line
 * of text ("web>starting; spawn web 1"), with the reports apart.
 */
#ifndef FOSTER_TESTS_SUPER_KIT_H
#define FOSTER_TESTS_SUPER_KIT_H

#include "core/super.h"

#include "base/parse.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KIT_SERVICES = 8, KIT_DEPS = 4, KIT_TEXT = 8192 };

/* A configuration to come after another: see kit_edit(). */
struct kit_config {
    struct spec_set set;
    struct spec specs[KIT_SERVICES];
    struct spec_dep deps[KIT_SERVICES][KIT_DEPS];
};

struct kit {
    struct spec_set set;
    struct spec specs[KIT_SERVICES];
    struct spec_dep deps[KIT_SERVICES][KIT_DEPS];
    struct kit_config *config; /* owned; in force in place of the above, NULL: that is */
    struct kit_config *next;   /* owned; to be in force */
    struct super *super;
    int64_t now_ms;
    pid_t next_pid;
    char effects[KIT_TEXT]; /* since the last kit_effects() */
    char taken[KIT_TEXT];
    char reports[KIT_TEXT]; /* "web: started | web: ready", since the last kit_reports() */
    char reports_taken[KIT_TEXT];
    int64_t wake_ms[64]; /* by unit: when its timer is due, -1: none */
    int64_t super_wake_ms;
    bool over;
};

/* An empty configuration at time 1000. */
static inline void kit_init(struct kit *k)
{
    memset(k, 0, sizeof *k);
    k->set.name = "kit";
    k->set.services = k->specs;
    spec_supervisor_defaults(&k->set.supervisor);
    k->set.supervisor.exit_when = SPEC_EXIT_NEVER;
    k->now_ms = 1000;
    k->next_pid = 100;
    k->super_wake_ms = -1;
    for (size_t i = 0; i < ARRAY_LEN(k->wake_ms); i++)
        k->wake_ms[i] = -1;
}

/* Makes S a service with defaults but for its name, type and a jitter of 0. */
static inline struct spec *kit_fill(struct spec *s, const char *name, enum spec_type type)
{
    static char program[] = "program";
    static char *command[] = {program, NULL};

    spec_defaults(s);
    s->name = name;
    s->enabled = true;
    s->command = command;
    s->n_command = 1;
    s->type = type;
    s->restart.jitter = 0;
    if (type == SPEC_TYPE_ONESHOT)
        s->start_timeout_ms = 0;
    return s;
}

/* One more service; see kit_fill(). */
static inline struct spec *kit_service(struct kit *k, const char *name, enum spec_type type)
{
    struct spec *s = &k->specs[k->set.n_services];

    assert_true(k->set.n_services < KIT_SERVICES);
    kit_fill(s, name, type)->depends_on = k->deps[k->set.n_services++];
    return s;
}

/* S has a command to run at POINT. */
static inline void kit_hook(struct spec *s, enum spec_hook_point point)
{
    static struct spec_hook hook;

    s->hooks[point] = (struct spec_hooks){&hook, 1};
}

/* S depends on the service ON. */
static inline struct spec_dep *kit_depend(struct spec *s, const char *on, enum spec_condition condition)
{
    struct spec_dep *d = &s->depends_on[s->n_depends_on++];

    assert_true(s->n_depends_on <= KIT_DEPS);
    *d = (struct spec_dep){.service = on, .condition = condition, .required = true};
    return d;
}

static inline const char *kit_name(const struct kit *k, unsigned unit)
{
    struct unit_view v;

    if (unit == SUPER_NO_UNIT)
        return "all";
    assert_true(super_view(k->super, unit, &v));
    return v.name;
}

static inline void kit_add(char *text, const char *sep, const char *line)
{
    size_t len = strlen(text);

    assert_true(len + strlen(sep) + strlen(line) < KIT_TEXT);
    snprintf(text + len, KIT_TEXT - len, "%s%s", len > 0 ? sep : "", line);
}

static inline const char *kit_signal_name(int sig)
{
    const char *name = parse_signal_name(sig);

    return name ? name + strlen("SIG") : "?";
}

/* The configuration that was in force is gone: whoever still looks at it will notice. */
static inline void kit_forget_old(struct kit *k)
{
    assert_non_null(k->next);
    memset(&k->set, 0xee, sizeof k->set);
    memset(k->specs, 0xee, sizeof k->specs);
    memset(k->deps, 0xee, sizeof k->deps);
    free(k->config);
    k->config = k->next;
    k->next = NULL;
}

static inline void kit_write_effect(struct kit *k, const struct effect *f)
{
    static const char *const scopes[] = {[SCOPE_MAIN] = "main", [SCOPE_REST] = "rest", [SCOPE_ALL] = "all"};
    const char *name = kit_name(k, f->unit);
    int64_t *wake = f->unit == SUPER_NO_UNIT ? &k->super_wake_ms : &k->wake_ms[f->unit % ARRAY_LEN(k->wake_ms)];
    char line[EFFECT_TEXT_MAX + 64] = "", code[16] = "";

    assert_false(k->over);
    switch (f->kind) {
    case EFFECT_SPAWN:
        snprintf(line, sizeof line, "spawn %s %d", name, (int)f->run);
        break;
    case EFFECT_SIGNAL:
        snprintf(line, sizeof line, "signal %s %s %s", name, kit_signal_name(f->signal), scopes[f->scope]);
        break;
    case EFFECT_KILL:
        snprintf(line, sizeof line, "kill %s %s", name, scopes[f->scope]);
        break;
    case EFFECT_SET_MAIN:
        snprintf(line, sizeof line, "main %s %d", name, (int)f->pid);
        break;
    case EFFECT_HOOKS:
        if (f->code_kind)
            snprintf(code, sizeof code, " %c%d", f->code_kind, f->code);
        snprintf(line, sizeof line, "hooks %s %d %s%s", name, (int)f->run, spec_hook_point_name(f->hook), code);
        break;
    case EFFECT_END_HOOKS:
        snprintf(line, sizeof line, "end-hooks %s", name);
        break;
    case EFFECT_CLOSE_RUN:
        snprintf(line, sizeof line, "close %s %d", name, (int)f->run);
        break;
    case EFFECT_ARM_TIMER:
        snprintf(line, sizeof line, "arm %s +%lld", name, (long long)(f->at_ms - k->now_ms));
        *wake = f->at_ms;
        break;
    case EFFECT_CANCEL_TIMER:
        snprintf(line, sizeof line, "cancel %s", name);
        *wake = -1;
        break;
    case EFFECT_STATE:
        snprintf(line, sizeof line, "%s>%s", name, unit_state_name(f->to));
        break;
    case EFFECT_REPORT:
        snprintf(line, sizeof line, "%s: [%s] %s", name, f->event, f->text);
        kit_add(k->reports, " | ", line);
        return;
    case EFFECT_REPLACED:
        snprintf(line, sizeof line, "replaced");
        kit_forget_old(k);
        break;
    case EFFECT_EXIT:
        snprintf(line, sizeof line, "exit %d", f->exit_code);
        k->over = true;
        break;
    case EFFECT_N:
        break;
    }
    kit_add(k->effects, "; ", line);
}

/* Takes what super has to say. */
static inline void kit_drain(struct kit *k)
{
    struct effect f;

    while (super_next_effect(k->super, &f))
        kit_write_effect(k, &f);
}

/* The effects since the last call, as text. */
static inline const char *kit_effects(struct kit *k)
{
    memcpy(k->taken, k->effects, sizeof k->taken);
    k->effects[0] = '\0';
    return k->taken;
}

/* The reports since the last call, as text. */
static inline const char *kit_reports(struct kit *k)
{
    memcpy(k->reports_taken, k->reports, sizeof k->reports_taken);
    k->reports[0] = '\0';
    return k->reports_taken;
}

/* A super over the configuration, started. */
static inline void kit_begin(struct kit *k)
{
    struct super_params params = {.seed = 1};

    k->super = super_new(&k->set, &params);
    assert_non_null(k->super);
    super_start(k->super, k->now_ms);
    kit_drain(k);
}

static inline void kit_end(struct kit *k)
{
    super_free(k->super);
    k->super = NULL;
    free(k->config);
    free(k->next);
    k->config = k->next = NULL;
}

/* A copy of the configuration in force, for the caller to change and to hand to kit_replace(). */
static inline struct kit_config *kit_edit(const struct kit *k)
{
    struct kit_config *c = calloc(1, sizeof *c);
    const struct spec_set *now = super_set(k->super);

    assert_non_null(c);
    c->set = *now;
    c->set.services = c->specs;
    for (size_t i = 0; i < now->n_services; i++) {
        c->specs[i] = now->services[i];
        c->specs[i].depends_on = c->deps[i];
        for (size_t d = 0; d < now->services[i].n_depends_on; d++)
            c->deps[i][d] = now->services[i].depends_on[d];
    }
    return c;
}

/* The service NAME of C. */
static inline struct spec *kit_spec(struct kit_config *c, const char *name)
{
    for (size_t i = 0; i < c->set.n_services; i++)
        if (strcmp(c->specs[i].name, name) == 0)
            return &c->specs[i];
    fail_msg("no service %s", name);
    return NULL;
}

/* The service NAME of C runs something else: a change that takes a restart. */
static inline struct spec *kit_change(struct kit_config *c, const char *name)
{
    static char other[] = "other";
    static char *command[] = {other, NULL};
    struct spec *s = kit_spec(c, name);

    s->command = command;
    return s;
}

/* One more service in C, without dependencies yet. */
static inline struct spec *kit_also(struct kit_config *c, const char *name)
{
    size_t i = c->set.n_services++;

    assert_true(i < KIT_SERVICES);
    kit_fill(&c->specs[i], name, SPEC_TYPE_SIMPLE)->depends_on = c->deps[i];
    return &c->specs[i];
}

/* C does without the service NAME; its last one takes the place. */
static inline void kit_without(struct kit_config *c, const char *name)
{
    struct spec *s = kit_spec(c, name), *last = &c->specs[--c->set.n_services];

    if (s != last) {
        struct spec_dep *deps = s->depends_on;
        memcpy(deps, last->depends_on, sizeof c->deps[0]);
        *s = *last;
        s->depends_on = deps;
    }
}

/* C is to come in place of what is in force. Takes no effects: see kit_replace(). */
static inline void kit_begin_replace(struct kit *k, struct kit_config *c)
{
    int errnum = -1;

    k->next = c;
    assert_true(super_replace(k->super, &c->set, k->now_ms, &errnum));
    assert_true(super_is_replacing(k->super));
    assert_int_equal(errnum, 0);
}

static inline struct unit_view kit_view(const struct kit *k, const char *name)
{
    unsigned i = super_find(k->super, name);
    struct unit_view v;

    assert_int_not_equal(i, SUPER_NO_UNIT);
    assert_true(super_view(k->super, i, &v));
    return v;
}

static inline const char *kit_state(const struct kit *k, const char *name)
{
    return unit_state_name(kit_view(k, name).state);
}

static inline void kit_post(struct kit *k, struct event *e)
{
    super_post(k->super, e, k->now_ms);
    kit_drain(k);
}

/* An event of KIND about the unit NAME and its present run and main process. */
static inline struct event kit_event(const struct kit *k, enum event_kind kind, const char *name)
{
    struct unit_view v = kit_view(k, name);

    return (struct event){.kind = kind, .unit = super_find(k->super, name), .run = v.run, .pid = v.main_pid};
}

/* C is to come in place of what is in force. */
static inline void kit_replace(struct kit *k, struct kit_config *c)
{
    kit_begin_replace(k, c);
    kit_drain(k);
}

static inline void kit_tell(struct kit *k, enum event_kind kind, const char *name)
{
    struct event e = kit_event(k, kind, name);

    kit_post(k, &e);
}

/* Somebody asks for KIND of NAME alone. */
static inline void kit_tell_alone(struct kit *k, enum event_kind kind, const char *name)
{
    struct event e = kit_event(k, kind, name);

    e.no_deps = true;
    kit_post(k, &e);
}

/* Somebody asks for KIND, a stop or a restart, of NAME, with a grace period of its own. */
static inline void kit_tell_grace(struct kit *k, enum event_kind kind, const char *name, int64_t grace_ms)
{
    struct event e = kit_event(k, kind, name);

    e.has_grace = true;
    e.grace_ms = grace_ms;
    kit_post(k, &e);
}

/* As kit_tell(), but no effect is taken yet. */
static inline void kit_say(struct kit *k, enum event_kind kind, const char *name)
{
    struct event e = kit_event(k, kind, name);

    super_post(k->super, &e, k->now_ms);
}

/* NAME's process exists; it gets the next pid, from 100 on. */
static inline void kit_spawned(struct kit *k, const char *name)
{
    struct event e = kit_event(k, EVENT_SPAWNED, name);

    e.pid = k->next_pid++;
    kit_post(k, &e);
}

/* NAME's program runs. */
static inline void kit_up(struct kit *k, const char *name)
{
    kit_spawned(k, name);
    kit_tell(k, EVENT_EXEC_OK, name);
}

/* NAME's start fails in the way that KIND says. */
static inline void kit_fail(struct kit *k, enum event_kind kind, const char *name, int errnum, const char *text)
{
    struct event e = kit_event(k, kind, name);

    e.errnum = errnum;
    e.text = text;
    kit_post(k, &e);
}

/* NAME's main process has ended; N_LEFT members are left, with the pids 500, 501 ... */
static inline void kit_died(struct kit *k, const char *name, int wstatus, size_t n_left)
{
    struct attrib_candidate left[8] = {0};
    struct event e = kit_event(k, EVENT_MAIN_EXITED, name);

    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        left[i] = (struct attrib_candidate){.pid = 500 + (pid_t)i, .session = 1, .start_ticks = i};
    e.wstatus = wstatus;
    e.left = left;
    e.n_left = n_left;
    kit_post(k, &e);
}

/* The commands that run for NAME have ended. */
static inline void kit_hooks_done(struct kit *k, const char *name, bool ok)
{
    struct event e = kit_event(k, EVENT_HOOKS_DONE, name);

    e.hook = kit_view(k, name).hook;
    assert_int_not_equal(e.hook, SPEC_HOOK_N);
    e.ok = ok;
    e.text = ok ? NULL : "command failed";
    kit_post(k, &e);
}

/* What the checks of NAME say now. */
static inline void kit_health(struct kit *k, const char *name, enum unit_health health)
{
    struct event e = kit_event(k, EVENT_HEALTH, name);

    e.health = health;
    kit_post(k, &e);
}

/* NAME says KIND, with TEXT. */
static inline void kit_tell_text(struct kit *k, enum event_kind kind, const char *name, const char *text)
{
    struct event e = kit_event(k, kind, name);

    e.text = text;
    kit_post(k, &e);
}

/* NAME asks for MS more. */
static inline void kit_extend(struct kit *k, const char *name, int64_t ms)
{
    struct event e = kit_event(k, EVENT_EXTEND, name);

    e.extend_ms = ms;
    kit_post(k, &e);
}

static inline int kit_exit(int code)
{
    return code << 8;
}

/* MS later, the timers that are due by then have passed, each at its time. */
static inline void kit_wait(struct kit *k, int64_t ms)
{
    int64_t end = k->now_ms + ms;

    for (;;) {
        int64_t *next = &k->super_wake_ms;
        struct event e = {.kind = EVENT_TIMER, .unit = SUPER_NO_UNIT};
        for (unsigned i = 0; i < super_slots(k->super) && i < ARRAY_LEN(k->wake_ms); i++)
            if (k->wake_ms[i] >= 0 && (*next < 0 || k->wake_ms[i] < *next)) {
                next = &k->wake_ms[i];
                e.unit = i;
            }
        if (*next < 0 || *next > end)
            break;
        if (*next > k->now_ms)
            k->now_ms = *next;
        *next = -1;
        kit_post(k, &e);
    }
    k->now_ms = end;
}

static inline void kit_shutdown(struct kit *k, enum event_kind kind, int code)
{
    struct event e = {.kind = kind, .unit = SUPER_NO_UNIT, .exit_code = code};

    kit_post(k, &e);
}

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The configuration as plain data: names, defaults, comparison, end. What keys there are and what they
 * default to is in options.def; only defaults that are no single scalar are set here.
 */
#include "core/spec.h"

#include "core/log_keys.h"
#include "core/schema.h"

#include <string.h>
#include <sys/wait.h>

static struct spec_stop_step default_stop[] = {{.signal = 15, .wait_ms = -1}};

const struct spec *spec_find(const struct spec_set *set, const char *name)
{
    for (size_t i = 0; i < set->n_services; i++)
        if (strcmp(set->services[i].name, name) == 0)
            return &set->services[i];
    return NULL;
}

bool spec_exits_has(const struct spec_exits *exits, int wstatus)
{
    if (WIFEXITED(wstatus)) {
        unsigned code = (unsigned)WEXITSTATUS(wstatus);
        return exits->codes[code / 64] >> (code % 64) & 1;
    }
    if (WIFSIGNALED(wstatus)) {
        unsigned sig = (unsigned)WTERMSIG(wstatus);
        return exits->signals[sig / 64] >> (sig % 64) & 1;
    }
    return false;
}

void spec_exits_add_code(struct spec_exits *exits, int code)
{
    if (BUG_IF(code < 0 || code > 255))
        return;
    exits->codes[code / 64] |= UINT64_C(1) << (code % 64);
}

void spec_exits_add_signal(struct spec_exits *exits, int sig)
{
    if (BUG_IF(sig < 1 || sig > 127))
        return;
    exits->signals[sig / 64] |= UINT64_C(1) << (sig % 64);
}

const char *spec_type_name(enum spec_type v)
{
    return schema_word(schema_type_words, (int)v);
}

const char *spec_restart_policy_name(enum spec_restart_policy v)
{
    return schema_word(schema_restart_words, (int)v);
}

const char *spec_kill_mode_name(enum spec_kill_mode v)
{
    return schema_word(schema_kill_mode_words, (int)v);
}

const char *spec_orphans_name(enum spec_orphans v)
{
    return schema_word(schema_orphans_words, (int)v);
}

const char *spec_end_action_name(enum spec_end_action v)
{
    return schema_word(schema_end_action_words, (int)v);
}

bool spec_is_piped(const struct spec *s)
{
    bool any = false;

    for (unsigned i = 0; i < spec_n_streams(s); i++)
        any = any || spec_log_is_piped(s->log[i].driver);
    return any;
}

const char *spec_log_driver_name(enum spec_log_driver v)
{
    return schema_word(schema_log_driver_words, (int)v);
}

const char *spec_log_format_name(enum spec_log_format v)
{
    return schema_word(schema_service_log_format_words, (int)v);
}

const char *spec_log_mode_name(enum spec_log_mode v)
{
    return schema_word(schema_log_mode_words, (int)v);
}

const char *spec_condition_name(enum spec_condition v)
{
    return schema_word(schema_condition_words, (int)v);
}

const char *spec_exit_when_name(enum spec_exit_when v)
{
    return schema_word(schema_exit_when_words, (int)v);
}

const char *spec_zombie_action_name(enum spec_zombie_action v)
{
    return schema_word(schema_zombie_action_words, (int)v);
}

const char *spec_unhealthy_action_name(enum spec_unhealthy_action v)
{
    return schema_word(schema_unhealthy_action_words, (int)v);
}

const char *spec_hook_point_name(enum spec_hook_point v)
{
    return schema_word(schema_hook_point_words, (int)v);
}

const char *spec_overlap_name(enum spec_overlap v)
{
    return schema_word(schema_overlap_words, (int)v);
}

enum spec_ready_kind spec_ready_kind(const struct spec *s)
{
    if (s->ready.kind != SPEC_READY_TYPE)
        return s->ready.kind;
    return s->type == SPEC_TYPE_NOTIFY ? SPEC_READY_NOTIFY : SPEC_READY_TYPE;
}

struct spec_zombies spec_zombies_of(const struct spec *s, const struct spec_supervisor *supervisor)
{
    struct spec_zombies z = supervisor->zombies;
    if (s->zombies.limit > 0)
        z.limit = s->zombies.limit;
    if (s->zombies.action != SPEC_ZOMBIES_N)
        z.action = s->zombies.action;
    return z;
}

void spec_defaults(struct spec *s)
{
    static char *no_words[] = {NULL};

    *s = (struct spec){.name = "", .enabled = true, .umask = -1, .nice = SPEC_INHERIT, .oom_score_adj = SPEC_INHERIT};
    schema_defaults(SCHEMA_SERVICE, s);
    for (unsigned i = 0; i < SPEC_STREAM_N; i++)
        log_keys_defaults(&s->log[i]);
    s->zombies.action = SPEC_ZOMBIES_N;
    s->command = no_words;
    spec_exits_add_code(&s->success_exit_codes, 0);
    s->stop_signal = default_stop;
    s->n_stop_signal = ARRAY_LEN(default_stop);
}

void spec_supervisor_defaults(struct spec_supervisor *s)
{
    *s = (struct spec_supervisor){.cgroup = "auto"};
    schema_defaults(SCHEMA_SUPERVISOR, s);
}

bool spec_equal(const struct spec *a, const struct spec *b)
{
    return strcmp(a->name, b->name) == 0 && a->enabled == b->enabled && schema_equal(SCHEMA_SERVICE, a, b);
}

bool spec_set_equal(const struct spec_set *a, const struct spec_set *b)
{
    if (a->n_services != b->n_services || !schema_equal(SCHEMA_TOP, a, b))
        return false;
    for (size_t i = 0; i < a->n_services; i++)
        if (!spec_equal(&a->services[i], &b->services[i]))
            return false;
    return true;
}

struct spec_set *spec_set_rescaled(struct spec_set *set, const char *name, int64_t scale)
{
    struct spec_set *base = set->base ? set->base : set, *ret = mem_alloc(sizeof *ret);
    struct arena arena = {0};
    struct spec *services = arena_array(&arena, set->n_services, sizeof *services);

    if (!ret || !services) {
        arena_done(&arena);
        mem_free(ret);
        return NULL;
    }
    memcpy(services, set->services, set->n_services * sizeof *services);
    *ret = *set;
    ret->arena = arena;
    ret->base = base;
    ret->n_sharers = 0;
    ret->services = services;
    base->n_sharers++;
    for (size_t i = 0; i < ret->n_services; i++)
        if (strcmp(services[i].name, name) == 0)
            services[i].scale = scale;
    return ret;
}

void spec_set_free(struct spec_set *set)
{
    if (!set)
        return;
    if (set->n_sharers > 0) {
        set->n_sharers--;
        return;
    }
    spec_set_free(set->base);
    arena_done(&set->arena);
    mem_free(set);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The tables of keys, kinds and words, and looking things up in them.
 */
#include "core/schema.h"

#include "base/parse.h"
#include "core/compound.h"
#include "core/equal.h"
#include "core/hook_keys.h"
#include "core/identity.h"
#include "core/inherit.h"
#include "core/jsonschema.h"
#include "core/loader.h"
#include "core/log_keys.h"
#include "core/logring.h"
#include "core/print.h"
#include "core/probe_keys.h"
#include "core/schedule_keys.h"
#include "core/socket_keys.h"
#include "core/ulimits.h"
#include "core/value.h"

#include <string.h>

_Static_assert(sizeof(enum spec_type) == sizeof(int), "choices are stored through an int");

/* clang-format off */
#define AT(type, field) offsetof(struct type, field)
#define OPTION(section, key, kind, field, extra, min, max, words, sub, def, flags, help) \
    {SCHEMA_##section, key, SCHEMA_KIND_##kind, field, extra, min, max, words, SCHEMA_##sub, def, flags, help},
#define LATER(section, key) \
    {SCHEMA_##section, key, SCHEMA_KIND_REFUSED, 0, 0, 0, 0, NULL, SCHEMA_TOP, NULL, SCHEMA_LATER, NULL},
#define CONTAINER(section, key, advice) \
    {SCHEMA_##section, key, SCHEMA_KIND_REFUSED, 0, 0, 0, 0, NULL, SCHEMA_TOP, NULL, SCHEMA_CONTAINER, advice},

static const struct schema_row rows[] = {
#include "core/options.def"
};

#define KIND(id, parse, equal, print, jsonschema, takes, example) \
    [SCHEMA_KIND_##id] = {takes, example, parse, equal, print, jsonschema},

static const struct schema_kind_ops kinds[] = {
#include "core/kinds.def"
};
/* clang-format on */

static const char *const section_names[] = {
    [SCHEMA_TOP] = "the file",
    [SCHEMA_SERVICE] = "a service",
    [SCHEMA_SUPERVISOR] = "`supervisor`",
    [SCHEMA_RESTART] = "`restart`",
    [SCHEMA_LOGGING] = "`logging`",
    [SCHEMA_LOG_STDERR] = "`stderr` of `logging`",
    [SCHEMA_LOG_OPTIONS] = "`options` of `logging`",
    [SCHEMA_DEP] = "a dependency",
    [SCHEMA_STOP_STEP] = "a step of `stop_signal`",
    [SCHEMA_ENV_FILE] = "an entry of `env_file`",
    [SCHEMA_EXTENDS] = "`extends`",
    [SCHEMA_ULIMIT] = "a limit of `ulimits`",
    [SCHEMA_ZOMBIES] = "`zombies`",
    [SCHEMA_SUPERVISOR_ZOMBIES] = "`supervisor.zombies`",
    [SCHEMA_READY] = "`ready`",
    [SCHEMA_HEALTHCHECK] = "`healthcheck`",
    [SCHEMA_HOOK] = "a hook",
    [SCHEMA_RELOAD] = "`reload`",
    [SCHEMA_SOCKET] = "an item of `sockets`",
    [SCHEMA_SCHEDULE] = "`schedule`",
};
_Static_assert(ARRAY_LEN(section_names) == SCHEMA_SECTION_N, "every section has a name");

const struct schema_word schema_type_words[] = {
    {"auto", SPEC_TYPE_AUTO},     {"simple", SPEC_TYPE_SIMPLE},   {"forking", SPEC_TYPE_FORKING},
    {"notify", SPEC_TYPE_NOTIFY}, {"oneshot", SPEC_TYPE_ONESHOT}, {NULL, 0},
};
const struct schema_word schema_restart_words[] = {
    {"no", SPEC_RESTART_NO},
    {"on-failure", SPEC_RESTART_ON_FAILURE},
    {"always", SPEC_RESTART_ALWAYS},
    {"unless-stopped", SPEC_RESTART_UNLESS_STOPPED},
    {NULL, 0},
};
const struct schema_word schema_kill_mode_words[] = {
    {"mixed", SPEC_KILL_MIXED},
    {"tree", SPEC_KILL_TREE},
    {"main", SPEC_KILL_MAIN},
    {NULL, 0},
};
const struct schema_word schema_orphans_words[] = {
    {"kill", SPEC_ORPHANS_KILL},
    {"adopt", SPEC_ORPHANS_ADOPT},
    {"ignore", SPEC_ORPHANS_IGNORE},
    {NULL, 0},
};
const struct schema_word schema_end_action_words[] = {
    {"ignore", SPEC_END_IGNORE},
    {"shutdown", SPEC_END_SHUTDOWN},
    {NULL, 0},
};
const struct schema_word schema_log_driver_words[] = {
    {"stdout", SPEC_LOG_STDOUT},
    {"inherit", SPEC_LOG_INHERIT},
    {"file", SPEC_LOG_FILE},
    {"syslog", SPEC_LOG_SYSLOG},
    {"journald", SPEC_LOG_JOURNALD},
    {"none", SPEC_LOG_NONE},
    {NULL, 0},
};
const struct schema_word schema_service_log_format_words[] = {
    {"text", SPEC_LOG_TEXT},
    {"json", SPEC_LOG_JSON},
    {NULL, 0},
};
const struct schema_word schema_log_mode_words[] = {
    {"blocking", SPEC_LOG_BLOCKING},
    {"drop", SPEC_LOG_DROP},
    {"non-blocking", SPEC_LOG_DROP},
    {NULL, 0},
};
/* Numbers of RFC 5424, 6.2.1. */
const struct schema_word schema_syslog_format_words[] = {
    {"rfc5424", SPEC_SYSLOG_RFC5424},
    {"rfc3164", SPEC_SYSLOG_RFC3164},
    {NULL, 0},
};
const struct schema_word schema_log_facility_words[] = {
    {"kern", 0},    {"user", 1},    {"mail", 2},    {"daemon", 3},    {"auth", 4},    {"syslog", 5},  {"lpr", 6},
    {"news", 7},    {"uucp", 8},    {"cron", 9},    {"authpriv", 10}, {"ftp", 11},    {"local0", 16}, {"local1", 17},
    {"local2", 18}, {"local3", 19}, {"local4", 20}, {"local5", 21},   {"local6", 22}, {"local7", 23}, {NULL, 0},
};
const struct schema_word schema_condition_words[] = {
    {"service_started", SPEC_COND_STARTED},     {"service_ready", SPEC_COND_READY},
    {"service_healthy", SPEC_COND_HEALTHY},     {"service_completed_successfully", SPEC_COND_COMPLETED_OK},
    {"service_completed", SPEC_COND_COMPLETED}, {NULL, 0},
};
const struct schema_word schema_zombie_action_words[] = {
    {"off", SPEC_ZOMBIES_OFF},         {"warn", SPEC_ZOMBIES_WARN}, {"nudge", SPEC_ZOMBIES_NUDGE},
    {"restart", SPEC_ZOMBIES_RESTART}, {"reap", SPEC_ZOMBIES_REAP}, {NULL, 0},
};
const struct schema_word schema_unhealthy_action_words[] = {
    {"ignore", SPEC_UNHEALTHY_IGNORE},
    {"restart", SPEC_UNHEALTHY_RESTART},
    {"shutdown", SPEC_UNHEALTHY_SHUTDOWN},
    {NULL, 0},
};
const struct schema_word schema_hook_point_words[] = {
    {"pre_start", SPEC_HOOK_PRE_START},
    {"post_start", SPEC_HOOK_POST_START},
    {"pre_stop", SPEC_HOOK_PRE_STOP},
    {"post_stop", SPEC_HOOK_POST_STOP},
    {NULL, 0},
};
const struct schema_word schema_overlap_words[] = {
    {"skip", SPEC_OVERLAP_SKIP},
    {"queue", SPEC_OVERLAP_QUEUE},
    {NULL, 0},
};
const struct schema_word schema_exit_when_words[] = {
    {"idle", SPEC_EXIT_IDLE},
    {"essential", SPEC_EXIT_ESSENTIAL},
    {"never", SPEC_EXIT_NEVER},
    {NULL, 0},
};
const struct schema_word schema_log_level_words[] = {
    {"error", LOG_LEVEL_ERROR},
    {"warn", LOG_LEVEL_WARN},
    {"info", LOG_LEVEL_INFO},
    {"debug", LOG_LEVEL_DEBUG},
    {NULL, 0},
};
const struct schema_word schema_log_format_words[] = {
    {"text", LOG_FORMAT_TEXT},
    {"json", LOG_FORMAT_JSON},
    {NULL, 0},
};

const struct schema_row *schema_rows(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(rows);
    return rows;
}

const struct schema_row *schema_next(enum schema_section section, const struct schema_row *prev)
{
    for (const struct schema_row *r = prev ? prev + 1 : rows; r < rows + ARRAY_LEN(rows); r++)
        if (r->section == section)
            return r;
    return NULL;
}

const struct schema_row *schema_find(enum schema_section section, const char *key)
{
    const struct schema_row *r = NULL;

    while ((r = schema_next(section, r)))
        if (strcmp(r->key, key) == 0)
            return r;
    return NULL;
}

const struct schema_kind_ops *schema_kind(enum schema_kind kind)
{
    return &kinds[kind];
}

const char *schema_section_name(enum schema_section section)
{
    return section_names[section];
}

const char *schema_word(const struct schema_word *words, int value)
{
    for (; words->word; words++)
        if (words->value == value)
            return words->word;
    return NULL;
}

void schema_guess(struct schema_guess *g, const char *wrong, const char *name)
{
    size_t distance = parse_distance(wrong, name);
    size_t len = strlen(wrong);
    size_t near = len < 4 ? 1 : len < 9 ? 2 : 3;

    if (distance > near || distance >= len)
        return;
    if (!g->name || distance < g->distance) {
        g->name = name;
        g->distance = distance;
    }
}

const char *schema_suggest(enum schema_section section, const char *wrong)
{
    struct schema_guess g = {0};
    const struct schema_row *r = NULL;

    while ((r = schema_next(section, r)))
        if (!(r->flags & (SCHEMA_LATER | SCHEMA_CONTAINER)))
            schema_guess(&g, wrong, r->key);
    return g.name;
}

/* Sections inside sections: a service has `logging`, which has `options`; never deeper. */
static void schema_defaults_row(const struct schema_row *r, void *base)
{
    enum value_result result = VALUE_OK;

    if (r->flags & SCHEMA_INLINE)
        schema_defaults(r->sub, schema_field(r, base));
    else if (r->def)
        result = value_from_text(r, r->def, schema_field(r, base));
    (void)BUG_IF(result != VALUE_OK && result != VALUE_NOT_SCALAR);
}

void schema_defaults(enum schema_section section, void *base)
{
    const struct schema_row *r = NULL;

    while ((r = schema_next(section, r)))
        schema_defaults_row(r, base);
}

bool schema_equal(enum schema_section section, const void *a, const void *b)
{
    const struct schema_row *r = NULL;

    while ((r = schema_next(section, r)))
        if (!kinds[r->kind].equal(r, a, b))
            return false;
    return true;
}

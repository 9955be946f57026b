/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Configurations made at random, printed as YAML: they read back to equal ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "config_round_trip.h"
#include "core/log_keys.h"
#include "core/ulimits.h"
#include "support/seed.h"

#include <sys/resource.h>

struct maker {
    struct spec_set *set;
    uint64_t seed;
};

static uint64_t below(struct maker *m, uint64_t bound)
{
    return test_rand_below(&m->seed, bound);
}

static bool coin(struct maker *m)
{
    return below(m, 2);
}

static char *random_text(struct maker *m, unsigned max_pieces)
{
    static const char *const pieces[] = {"a", "Z9",   " ",  "$", "$$", "${X}",   "\"",   "'",   "\\",  "\n", "\t",
                                         "#", ": ",   "- ", "{", "]",  ",",      "&a",   "*a",  "!t",  "%",  "@",
                                         "`", "|",    ">",  "?", "~",  "null",   "true", "0x1", "1e3", "ü",  "\x01",
                                         "😀", "\x7f", "<<", "=", "\r", "\u2028", "...",  "---", "no"};
    char text[256] = "";

    for (uint64_t n = below(m, max_pieces + 1); n > 0; n--)
        strcat(text, pieces[below(m, ARRAY_LEN(pieces))]);
    return arena_strdup(&m->set->arena, text);
}

static char **random_words(struct maker *m, size_t min, size_t *ret_n)
{
    size_t n = min + below(m, 4);
    char **words = arena_array(&m->set->arena, n + 1, sizeof *words);

    assert_non_null(words);
    for (size_t i = 0; i < n; i++)
        words[i] = i == 0 && min ? arena_printf(&m->set->arena, "x%s", random_text(m, 4)) : random_text(m, 6);
    *ret_n = n;
    return words;
}

static char **random_names(struct maker *m)
{
    size_t n = below(m, 3);
    char **names = n ? arena_array(&m->set->arena, n + 1, sizeof *names) : NULL;

    for (size_t i = 0; i < n; i++)
        names[i] = arena_printf(&m->set->arena, "N%u_%zu", (unsigned)below(m, 100), i);
    return names;
}

static int64_t random_ms(struct maker *m, int64_t min, int64_t max)
{
    static const int64_t units[] = {1, 10, 1000, 60000, 3600000};
    int64_t ms = min + (int64_t)below(m, 100) * units[below(m, ARRAY_LEN(units))];

    return ms > max ? max : ms;
}

static void random_environment(struct maker *m, struct spec *s)
{
    s->n_environment = below(m, 5);
    s->environment = arena_array(&m->set->arena, s->n_environment, sizeof *s->environment);
    for (size_t i = 0; i < s->n_environment; i++)
        s->environment[i] = (struct spec_env){arena_printf(&m->set->arena, "V%zu_%u", i, (unsigned)below(m, 10)),
                                              coin(m) ? random_text(m, 8) : NULL};
    s->n_labels = below(m, 5);
    s->labels = arena_array(&m->set->arena, s->n_labels, sizeof *s->labels);
    for (size_t i = 0; i < s->n_labels; i++)
        s->labels[i] = (struct spec_label){arena_printf(&m->set->arena, "%c%s", (char)('a' + i), random_text(m, 6)),
                                           random_text(m, 8)};
}

static void random_exits(struct maker *m, struct spec *s)
{
    s->success_exit_codes = (struct spec_exits){0};
    /* Even codes and signals are successes, odd ones are not: no exit is both. */
    for (uint64_t n = below(m, 6); n > 0; n--) {
        spec_exits_add_code(&s->success_exit_codes, (int)below(m, 128) * 2);
        spec_exits_add_code(&s->no_restart_exit_codes, (int)below(m, 128) * 2 + 1);
        spec_exits_add_signal(&s->success_exit_codes, (int)below(m, 15) * 2 + 2);
        spec_exits_add_signal(&s->no_restart_exit_codes, (int)below(m, 15) * 2 + 1);
    }
}

static void random_stop(struct maker *m, struct spec *s)
{
    int64_t sum = 0;

    s->n_stop_signal = 1 + below(m, 4);
    s->stop_signal = arena_array(&m->set->arena, s->n_stop_signal, sizeof *s->stop_signal);
    for (size_t i = 0; i < s->n_stop_signal; i++) {
        bool open = i + 1 == s->n_stop_signal && coin(m);
        s->stop_signal[i] = (struct spec_stop_step){(int)below(m, 31) + 1, open ? -1 : random_ms(m, 0, 100000)};
        sum += open ? 0 : s->stop_signal[i].wait_ms;
    }
    s->stop_grace_period_ms = random_ms(m, sum, INT64_C(2592000000));
    s->kill_mode = (enum spec_kill_mode)below(m, SPEC_KILL_N);
    s->orphans = (enum spec_orphans)below(m, SPEC_ORPHANS_N);
}

static void random_restart(struct maker *m, struct spec_restart *r)
{
    r->policy = (enum spec_restart_policy)below(m, SPEC_RESTART_N);
    r->delay_ms = random_ms(m, 10, 1000000);
    r->max_delay_ms = random_ms(m, r->delay_ms, INT64_C(2592000000));
    r->factor = (double)(1000 + below(m, 99001)) / 1000;
    r->jitter = (double)below(m, UINT64_C(1000000000000000)) / 1e15; /* what a file can say */
    r->max_attempts = (int64_t)below(m, 1000001);
    r->reset_after_ms = random_ms(m, 0, INT64_C(2592000000));
}

/* Whom TEXT stands for, as the bench will say. */
static struct spec_user user_of(struct maker *m, const char *text)
{
    struct spec_user user;
    char why[64];

    assert_true(accounts_user(&m->set->arena, text, &user, why, sizeof why, NULL));
    user.text = text;
    return user;
}

static void random_caps(struct maker *m, struct spec_caps *caps, const char *const *names, size_t n_names)
{
    size_t n = 0;

    caps->names = arena_array(&m->set->arena, n_names + 1, sizeof *caps->names);
    for (size_t i = 0; i < n_names; i++) {
        unsigned number = 0;
        if (coin(m))
            continue;
        caps->names[n++] = arena_strdup(&m->set->arena, names[i]);
        if (accounts_capability(names[i], &number, NULL))
            caps->mask |= UINT64_C(1) << number;
        else
            caps->mask = UINT64_MAX;
    }
    caps->names = n ? caps->names : NULL;
}

static void random_identity(struct maker *m, struct spec *s)
{
    static const char *const users[] = {"app", "root", "1000", "0:0", "7:app", "app:44", "4294967294:4294967294"};
    static const char *const groups[] = {"audio", "44", "app", "0", "4294967294"};
    static const char *const add[] = {"KILL", "NET_ADMIN", "SYS_TIME"};
    static const char *const drop[] = {"ALL", "CHOWN"};
    struct spec_groups *g = &s->group_add;
    char why[64];

    if (coin(m))
        s->user = user_of(m, users[below(m, ARRAY_LEN(users))]);
    if (coin(m)) {
        g->texts = arena_array(&m->set->arena, ARRAY_LEN(groups) + 1, sizeof *g->texts);
        g->gids = arena_array(&m->set->arena, ARRAY_LEN(groups), sizeof *g->gids);
        for (size_t i = below(m, ARRAY_LEN(groups)); i < ARRAY_LEN(groups); i++) {
            g->texts[g->n] = arena_strdup(&m->set->arena, groups[i]);
            assert_true(accounts_group(groups[i], &g->gids[g->n++], why, sizeof why, NULL));
        }
    }
    s->nice = coin(m) ? (int64_t)below(m, 40) - 20 : SPEC_INHERIT;
    s->oom_score_adj = coin(m) ? (int64_t)below(m, 2001) - 1000 : SPEC_INHERIT;
    random_caps(m, &s->cap_add, add, ARRAY_LEN(add));
    random_caps(m, &s->cap_drop, drop, ARRAY_LEN(drop));
    s->no_new_privileges = coin(m);
}

static struct spec_zombies random_zombies(struct maker *m, bool of_service)
{
    return (struct spec_zombies){
        .limit = (int64_t)below(m, 3) + !of_service,
        .action = (enum spec_zombie_action)below(m, SPEC_ZOMBIES_N + of_service),
        .check_ms = of_service ? 0 : random_ms(m, 1000, INT64_C(2592000000)),
    };
}

static void random_limits(struct maker *m, struct spec *s)
{
    s->ulimits = arena_array(&m->set->arena, RLIM_NLIMITS, sizeof *s->ulimits);
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        uint64_t soft = coin(m) ? UINT64_MAX : below(m, 100000) << below(m, 40);
        if (ulimits_name(resource) && coin(m))
            s->ulimits[s->n_ulimits++] =
                (struct spec_ulimit){resource, soft, coin(m) || soft == UINT64_MAX ? UINT64_MAX : soft};
    }

    s->pids_limit = (int64_t)below(m, 4194305);
    s->mem_limit = coin(m) ? 0 : (int64_t)(below(m, 10000) + 1024) << (below(m, 26) + 10);
    s->cpus = coin(m) ? 0 : (double)(below(m, 8191999) + 10) / 1000;
    s->zombies = random_zombies(m, true);
}

/* Where a probe connects to: to a URL, or to a port. */
static struct spec_endpoint random_endpoint(struct maker *m, bool has_path)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    unsigned port = (unsigned)below(m, 65535) + 1;
    const char *host = hosts[below(m, ARRAY_LEN(hosts))];
    const char *path = has_path ? arena_printf(&m->set->arena, "/%u?q", (unsigned)below(m, 10)) : NULL;

    return (struct spec_endpoint){
        .text = arena_printf(&m->set->arena, strchr(host, ':') ? "%s[%s]:%u%s" : "%s%s:%u%s", has_path ? "http://" : "",
                             host, port, has_path ? path : ""),
        .host = host,
        .port = port,
        .path = path,
    };
}

/* The path of log file number NUMBER; no other one has the same. */
static const char *random_log_path(struct maker *m, size_t number)
{
    char *text = random_text(m, 6);

    for (char *p = strpbrk(text, "{}"); p; p = strpbrk(p, "{}"))
        *p = '_';
    return arena_printf(&m->set->arena, "/%zu%s/{service}%s-{name}", number, coin(m) ? "" : ".d", text);
}

static void random_file_log(struct maker *m, struct spec_log *log, size_t number)
{
    log->path = random_log_path(m, number);
    log->max_size = coin(m) ? 0 : 4096 + (int64_t)below(m, INT64_C(1) << 40);
    log->max_file = 1 + (int64_t)below(m, 10000);
    log->max_age_ms = coin(m) ? 0 : random_ms(m, 1000, INT64_C(2592000000));
    log->compress = coin(m);
    log->file_mode = 0200 | (int)below(m, 01000);
    log->directory_mode = 0300 | (int)below(m, 01000);
    if (coin(m))
        log->user = user_of(m, coin(m) ? "app:44" : "7:8");
}

/* Of LOG, which has the defaults, what its driver takes. */
static void random_log(struct maker *m, struct spec_log *log, size_t number)
{
    bool is_syslog, has_lines;

    log->driver = (enum spec_log_driver)below(m, SPEC_LOG_N);
    is_syslog = log->driver == SPEC_LOG_SYSLOG;
    has_lines = log->driver == SPEC_LOG_STDOUT || log->driver == SPEC_LOG_FILE;
    if (!spec_log_is_piped(log->driver))
        return;
    log->mode = (enum spec_log_mode)below(m, SPEC_LOG_MODE_N);
    log->buffer_size = INT64_C(4096) << below(m, 15);
    if (log->driver == SPEC_LOG_FILE)
        random_file_log(m, log, number);
    if (has_lines) {
        log->format = (enum spec_log_format)below(m, SPEC_LOG_FORMAT_N);
        log->timestamps = coin(m);
    } else {
        log->facility = coin(m) ? (int)below(m, 12) : 16 + (int)below(m, 8);
        log->tag = coin(m) ? arena_printf(&m->set->arena, "T%u.x", (unsigned)below(m, 100)) : NULL;
    }
    if (is_syslog)
        log->syslog_format = (enum spec_syslog_format)below(m, SPEC_SYSLOG_N);
    if (is_syslog && coin(m))
        log->address = arena_printf(&m->set->arena, "/%s", random_text(m, 6));
}

static struct spec_probe random_probe(struct maker *m)
{
    struct spec_probe p = {.kind = SPEC_PROBE_EXEC + (unsigned)below(m, 3)};

    if (p.kind == SPEC_PROBE_EXEC)
        p.exec.argv = random_words(m, 1, &p.exec.n);
    else
        p.endpoint = random_endpoint(m, p.kind == SPEC_PROBE_HTTP);
    return p;
}

static void random_ready(struct maker *m, struct spec *s)
{
    static const char *const expressions[] = {"ready", "^[a-z]+ \"up\"$", "$[{]x}|#", "\\$"};
    struct spec_ready *r = &s->ready;

    r->kind = s->type == SPEC_TYPE_NOTIFY ? SPEC_READY_NOTIFY * coin(m) : (enum spec_ready_kind)below(m, SPEC_READY_N);
    if (r->kind == SPEC_READY_LOG && !spec_log_is_piped(s->log[SPEC_STREAM_OUT].driver) &&
        !(s->log_split && spec_log_is_piped(s->log[SPEC_STREAM_ERR].driver)))
        r->kind = SPEC_READY_TYPE;
    if (r->kind == SPEC_READY_AFTER && s->start_timeout_ms == 1)
        r->kind = SPEC_READY_TYPE; /* there is no time in between */
    if (r->kind == SPEC_READY_FD)
        r->fd = 3 + (int64_t)s->n_sockets + (int64_t)below(m, 1000);
    if (r->kind == SPEC_READY_LOG)
        r->log = expressions[below(m, ARRAY_LEN(expressions))];
    if (r->kind == SPEC_READY_PROBE)
        r->probe = random_probe(m);
    if (r->kind == SPEC_READY_AFTER)
        r->after_ms = s->start_timeout_ms ? 1 + (int64_t)below(m, (uint64_t)s->start_timeout_ms - 1) : 1;
}

static void random_health(struct maker *m, struct spec *s)
{
    struct spec_health *h = &s->healthcheck;

    s->watchdog_ms = random_ms(m, 0, INT64_C(2592000000));
    s->on_unhealthy = (enum spec_unhealthy_action)below(m, SPEC_UNHEALTHY_N);
    if (coin(m))
        return;
    *h = (struct spec_health){
        .probe = random_probe(m),
        .interval_ms = random_ms(m, 1, INT64_C(2592000000)),
        .timeout_ms = random_ms(m, 1, INT64_C(2592000000)),
        .retries = 1 + (int64_t)below(m, 1000000),
        .start_period_ms = random_ms(m, 0, INT64_C(2592000000)),
        .start_interval_ms = random_ms(m, 1, INT64_C(2592000000)),
    };
}

static struct spec_hooks random_hooks(struct maker *m)
{
    struct spec_hooks hooks = {.n = below(m, 3)};

    hooks.items = arena_array(&m->set->arena, hooks.n, sizeof *hooks.items);
    for (size_t i = 0; i < hooks.n; i++) {
        struct spec_hook *h = &hooks.items[i];
        h->command.argv = random_words(m, 1, &h->command.n);
        if (coin(m))
            h->user = user_of(m, "app:audio");
        h->n_environment = below(m, 3);
        h->environment = arena_array(&m->set->arena, h->n_environment, sizeof *h->environment);
        for (size_t k = 0; k < h->n_environment; k++)
            h->environment[k] =
                (struct spec_env){arena_printf(&m->set->arena, "H%zu", k), coin(m) ? random_text(m, 4) : NULL};
        h->working_dir = coin(m) ? arena_printf(&m->set->arena, "/%s", random_text(m, 6)) : NULL;
        h->timeout_ms = random_ms(m, 0, INT64_C(2592000000));
    }
    return hooks;
}

/* Each of an address of its own. */
static void random_sockets(struct maker *m, struct spec *s, size_t index)
{
    static const char *const prefixes[] = {"tcp:", "udp:", "unix:", "datagram:", "seqpacket:"};

    s->n_sockets = below(m, 4);
    s->sockets = arena_array(&m->set->arena, s->n_sockets, sizeof *s->sockets);
    for (size_t i = 0; i < s->n_sockets; i++) {
        struct spec_socket *k = &s->sockets[i];
        k->kind = (enum spec_socket_kind)below(m, SPEC_SOCKET_N);
        k->port = (unsigned)(1 + index * 10 + i);
        bool inet = k->kind == SPEC_SOCKET_TCP || k->kind == SPEC_SOCKET_UDP;
        k->path = inet ? NULL : arena_printf(&m->set->arena, "/%u%s", k->port, random_text(m, 6));
        k->host = inet && coin(m) ? "::1" : NULL;
        k->listen = inet ? arena_printf(&m->set->arena, "%s%s%u", prefixes[k->kind], k->host ? "[::1]:" : "", k->port)
                         : arena_printf(&m->set->arena, "%s%s", prefixes[k->kind], k->path);
        k->name = coin(m) ? s->name : "a \"name\" of $its {own}";
        k->mode = inet ? -1 : (int)below(m, 01000);
        if (!inet && coin(m))
            k->user = user_of(m, "app");
        k->backlog = 1 + (int64_t)below(m, 65535);
    }
}

/* What only a service that goes on has, and what only one that ends. */
static void random_life(struct maker *m, struct spec *s, size_t index)
{
    static const char *const expressions[] = {"@daily", "* * * * *", "0 4 1,15 * mon-fri"};
    bool ends = s->type == SPEC_TYPE_ONESHOT;

    random_sockets(m, s, index);
    if (!ends) {
        random_ready(m, s);
        random_health(m, s);
        if (coin(m))
            s->reload.signal = (int)below(m, 31) + 1;
        else if (coin(m))
            s->reload.command.argv = random_words(m, 1, &s->reload.command.n);
    }
    for (unsigned i = 0; i < SPEC_HOOK_N; i++)
        if (!ends || i == SPEC_HOOK_PRE_START || i == SPEC_HOOK_POST_STOP)
            s->hooks[i] = random_hooks(m);
    if (ends && s->restart.policy <= SPEC_RESTART_ON_FAILURE && coin(m)) {
        if (coin(m))
            s->schedule.every_ms = random_ms(m, 1000, INT64_C(2592000000));
        else
            s->schedule.cron.text = expressions[below(m, ARRAY_LEN(expressions))];
        s->schedule.overlap = (enum spec_overlap)below(m, SPEC_OVERLAP_N);
    }
}

/* Dependencies on earlier services only, so that there is no cycle. */
static void random_dependencies(struct maker *m, size_t index)
{
    struct spec *s = &m->set->services[index];

    s->depends_on = arena_array(&m->set->arena, index, sizeof *s->depends_on);
    for (size_t i = 0; i < index; i++) {
        const struct spec *on = &m->set->services[i];
        bool ends = on->restart.policy == SPEC_RESTART_NO || on->restart.policy == SPEC_RESTART_ON_FAILURE;
        enum spec_condition condition = (enum spec_condition)below(m, ends ? SPEC_COND_N : SPEC_COND_HEALTHY + 1);
        if (coin(m) || (condition == SPEC_COND_HEALTHY && on->healthcheck.probe.kind == SPEC_PROBE_NONE))
            continue;
        s->depends_on[s->n_depends_on++] = (struct spec_dep){
            .service = on->name,
            .condition = condition,
            .required = on->enabled && coin(m),
            .restart = coin(m),
        };
    }
}

static void random_service(struct maker *m, size_t index)
{
    struct spec *s = &m->set->services[index];
    size_t n;

    spec_defaults(s);
    switch (below(m, 3)) {
    case 0:
        s->name = arena_printf(&m->set->arena, "s%zu", index);
        break;
    case 1:
        s->name = arena_printf(&m->set->arena, "%zu", index);
        break;
    default:
        s->name = arena_printf(&m->set->arena, "No-%zu@b_", index);
        break;
    }
    s->command = random_words(m, 1, &s->n_command);
    if (coin(m))
        s->entrypoint = random_words(m, 1, &s->n_entrypoint);
    if (s->n_entrypoint && coin(m))
        s->n_command = 0;
    s->type = (enum spec_type)below(m, SPEC_TYPE_N);
    random_environment(m, s);
    s->clear_env = coin(m);
    s->clear_env_keep = s->clear_env ? random_names(m) : NULL;
    s->working_dir = coin(m) ? arena_printf(&m->set->arena, "/%s", random_text(m, 6)) : NULL;
    s->umask = coin(m) ? (int)below(m, 01000) : -1;
    random_identity(m, s);
    random_limits(m, s);
    s->start_timeout_ms = random_ms(m, 0, INT64_C(2592000000));
    random_restart(m, &s->restart);
    random_exits(m, s);
    s->essential = coin(m);
    s->on_success = (enum spec_end_action)below(m, SPEC_END_N);
    s->on_failure = (enum spec_end_action)below(m, SPEC_END_N);
    random_stop(m, s);
    s->scale = (int64_t)below(m, 5);
    if (s->scale < 2 && (s->type == SPEC_TYPE_AUTO || s->type == SPEC_TYPE_FORKING) && coin(m))
        s->pid_file = arena_printf(&m->set->arena, "/%s", random_text(m, 6));
    s->profiles = random_names(m);
    for (n = 0; s->profiles && s->profiles[n]; n++)
        s->enabled = false;
    s->autostart = coin(m);
    s->log_split = coin(m);
    for (unsigned i = 0; i < SPEC_STREAM_N; i++) {
        log_keys_defaults(&s->log[i]);
        if (i == SPEC_STREAM_OUT || s->log_split)
            random_log(m, &s->log[i], index * SPEC_STREAM_N + i);
    }
    random_life(m, s, index);
    random_dependencies(m, index);
}

static struct spec_set *random_set(uint64_t seed)
{
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
    struct maker m = {.set = mem_alloc(sizeof(struct spec_set)), .seed = seed};
    struct spec_supervisor *s = &m.set->supervisor;

    m.set->name = coin(&m) ? "foster" : "No";
    m.set->n_services = 1 + below(&m, 6);
    m.set->services = arena_array(&m.set->arena, m.set->n_services, sizeof *m.set->services);
    for (size_t i = 0; i < m.set->n_services; i++)
        random_service(&m, i);
    s->exit_when = (enum spec_exit_when)below(&m, SPEC_EXIT_N);
    m.set->services[0].essential |= s->exit_when == SPEC_EXIT_ESSENTIAL;
    s->stop_timeout_ms = random_ms(&m, 0, INT64_C(2592000000));
    s->log_level = levels[below(&m, ARRAY_LEN(levels))];
    s->log_format = coin(&m) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    s->subreaper = coin(&m);
    s->state_dir = coin(&m) ? arena_printf(&m.set->arena, "/%s", random_text(&m, 6)) : NULL;
    s->control = coin(&m) ? arena_printf(&m.set->arena, "/%s", random_text(&m, 6)) : NULL;
    s->control_mode = coin(&m) ? 0600 : 0660;
    s->control_group = coin(&m) ? "1000" : NULL;
    s->require_limits = coin(&m);
    s->cgroup = coin(&m) ? "auto" : coin(&m) ? "off" : arena_printf(&m.set->arena, "/%s", random_text(&m, 6));
    s->zombies = random_zombies(&m, false);
    return m.set;
}

static void reads_back_random_configurations(void **state)
{
    static const struct config_options opt;
    uint64_t seed = test_seed();

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        struct spec_set *set = random_set(test_rand(&seed));
        check_round_trip(set, &opt);
        spec_set_free(set);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_random_configurations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

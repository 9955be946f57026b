/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A configuration printed as YAML: the text of stored files, and that it reads back to an equal
 * configuration, also for configurations made at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "config_samples.h"
#include "core/print.h"
#include "core/ulimits.h"
#include "support/seed.h"

#include <sys/resource.h>

/* The contents of a file below tests/golden/config; freed by the caller. */
static char *golden(const char *name)
{
    char path[512];
    FILE *f;
    char *text = calloc(1, 1 << 16);

    assert_non_null(text);
    (void)snprintf(path, sizeof path, SOURCE_DIR "/tests/golden/config/%s", name);
    f = fopen(path, "re");
    if (!f)
        fail_msg("no %s", path);
    assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
    (void)fclose(f);
    return text;
}

/* Prints SET, reads that back, and prints it again: equal, and the same text. */
static void check_round_trip(const struct spec_set *set, const struct config_options *opt)
{
    static struct config_bench b;
    struct buf text, again;

    buf_init(&text, 1 << 20);
    buf_init(&again, 1 << 20);
    assert_true(config_print(set, &text));
    b.opt = *opt;
    if (!config_bench_load(&b, buf_str(&text)))
        fail_msg("refused:\n%s\n%s", buf_str(&text), config_bench_problems(&b));
    if (!spec_set_equal(set, b.set))
        fail_msg("not equal:\n%s", buf_str(&text));
    assert_true(config_print(b.set, &again));
    assert_string_equal(buf_str(&again), buf_str(&text));
    config_bench_done(&b);
    buf_done(&text);
    buf_done(&again);
}

static void prints_the_stored_text(void **state)
{
    char *yaml = golden("rich.yaml"), *expected = golden("rich.print.yaml");
    struct config_bench b = {0};
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    config_bench_service(&b, yaml);
    assert_true(config_print(b.set, &text));
    assert_string_equal(buf_str(&text), expected);
    check_round_trip(b.set, &b.opt);
    config_bench_done(&b);
    buf_done(&text);
    free(yaml);
    free(expected);
}

static void says_the_stored_problems(void **state)
{
    char *yaml = golden("errors.yaml"), *expected = golden("errors.txt");
    struct config_bench b = {0};

    (void)state;
    assert_null(config_bench_load(&b, yaml));
    assert_string_equal(config_bench_problems(&b), expected);
    config_bench_done(&b);
    free(yaml);
    free(expected);
}

static void reads_back_every_key(void **state)
{
    static const char *const profiles[] = {"debug"};
    struct config_bench b = {.opt = {.profiles = profiles, .n_profiles = 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(config_samples); i++) {
        config_bench_service(&b, config_samples[i].text);
        check_round_trip(b.set, &b.opt);
    }
    config_bench_done(&b);
}

static void prints_scalars_safely(void **state)
{
    static const struct {
        const char *text, *key, *value;
    } cases[] = {
        {"web", "web", "web"},
        {"/a/b.c", "/a/b.c", "/a/b.c"},
        {"", "\"\"", "\"\""},
        {"null", "\"null\"", "\"null\""},
        {"Yes", "\"Yes\"", "\"Yes\""},
        {"OFF", "\"OFF\"", "\"OFF\""},
        {"nothing", "nothing", "nothing"},
        {"~", "\"~\"", "\"~\""},
        {"12", "\"12\"", "\"12\""},
        {"<<", "\"<<\"", "\"<<\""},
        {"-x", "\"-x\"", "\"-x\""},
        {"a b", "\"a b\"", "\"a b\""},
        {"a: b #c", "\"a: b #c\"", "\"a: b #c\""},
        {"$x", "\"$x\"", "\"$$x\""},
        {"\"\\", "\"\\\"\\\\\"", "\"\\\"\\\\\""},
        {"\n\t\r\x01\x7f", "\"\\n\\t\\u000D\\u0001\\u007F\"", "\"\\n\\t\\u000D\\u0001\\u007F\""},
        {"ü€😀", "\"ü€😀\"", "\"ü€😀\""},
        {"\xc2\x85\xe2\x80\xa8\xef\xbb\xbf", "\"\\u0085\\u2028\\uFEFF\"", "\"\\u0085\\u2028\\uFEFF\""},
    };
    struct buf out;

    (void)state;
    buf_init(&out, 256);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_reset(&out);
        print_text(&out, cases[i].text);
        assert_string_equal(buf_str(&out), cases[i].key);
        buf_reset(&out);
        print_value_text(&out, cases[i].text);
        assert_string_equal(buf_str(&out), cases[i].value);
    }
    buf_done(&out);
}

static void a_full_buffer_is_told(void **state)
{
    struct config_bench b = {0};
    struct buf out;

    (void)state;
    config_bench_service(&b, config_sample_plain);
    for (size_t max = 0; max < 1000; max += 111) {
        buf_init(&out, max);
        assert_false(config_print(b.set, &out));
        buf_done(&out);
    }
    config_bench_done(&b);
}

/* Configurations at random. */

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

/* Dependencies on earlier services only, so that there is no cycle. */
static void random_dependencies(struct maker *m, size_t index)
{
    struct spec *s = &m->set->services[index];

    s->depends_on = arena_array(&m->set->arena, index, sizeof *s->depends_on);
    for (size_t i = 0; i < index; i++) {
        const struct spec *on = &m->set->services[i];
        bool ends = on->restart.policy == SPEC_RESTART_NO || on->restart.policy == SPEC_RESTART_ON_FAILURE;
        if (coin(m))
            continue;
        s->depends_on[s->n_depends_on++] = (struct spec_dep){
            .service = on->name,
            .condition = (enum spec_condition)below(m, ends ? SPEC_COND_N : SPEC_COND_READY + 1),
            .required = on->enabled && coin(m),
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
    s->log_driver = (enum spec_log_driver)below(m, SPEC_LOG_N);
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
        cmocka_unit_test(prints_the_stored_text), cmocka_unit_test(says_the_stored_problems),
        cmocka_unit_test(reads_back_every_key),   cmocka_unit_test(prints_scalars_safely),
        cmocka_unit_test(a_full_buffer_is_told),  cmocka_unit_test(reads_back_random_configurations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

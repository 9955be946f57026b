/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The JSON Schema: that it has every key in force and no other, and that it accepts and refuses what
 * the loader accepts and refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "config_samples.h"
#include "json_validator.h"

/* The schema and a document as trees. */
struct bench {
    struct arena arena;
    struct diag_list diag;
    struct json_validator v;
};

static const struct tree_node *load(struct bench *b, const char *text)
{
    const struct tree_node *root = tree_load(&b->arena, &b->diag, "doc", text, strlen(text));
    struct buf problems;

    if (root)
        return root;
    buf_init(&problems, 4096);
    diag_print(&b->diag, &problems);
    print_error("%s", buf_str(&problems));
    buf_done(&problems);
    fail_msg("no YAML:\n%s", text);
    return NULL;
}

static void bench_init(struct bench *b)
{
    struct buf text;

    *b = (struct bench){.arena = {0}};
    buf_init(&text, 1 << 20);
    assert_true(config_schema(&text));
    b->v.root = load(b, buf_str(&text));
    buf_done(&text);
}

static void bench_done(struct bench *b)
{
    assert_int_equal(b->v.n_unknown, 0);
    diag_done(&b->diag);
    arena_done(&b->arena);
}

static bool accepts(struct bench *b, const char *text)
{
    return json_valid(&b->v, b->v.root, load(b, text));
}

/* The object that describes SECTION: the first below NODE that has exactly as many properties as keys are in force, and
 * all of them. */
static const struct tree_node *find_section(const struct tree_node *node, enum schema_section section)
{
    const struct tree_node *properties = tree_get(node, "properties"), *found = NULL;
    const struct schema_row *row = NULL;
    size_t n = 0, n_there = 0;

    while ((row = schema_next(section, row))) {
        bool in_force = !(row->flags & (SCHEMA_LATER | SCHEMA_CONTAINER));
        n += in_force;
        n_there += in_force && properties && tree_get(properties, row->key);
    }
    if (properties && n == n_there && properties->n == n)
        return node;
    for (size_t i = 0; i < node->n && !found && node->kind != TREE_SCALAR; i++)
        found = find_section(node->kind == TREE_MAPPING ? node->pairs[i].value : node->items[i], section);
    return found;
}

static void has_every_key_and_no_other(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    assert_string_equal(tree_get(b.v.root, "$schema")->text, "http://json-schema.org/draft-07/schema#");
    for (unsigned s = 0; s < SCHEMA_SECTION_N; s++) {
        const struct tree_node *object = find_section(b.v.root, s);
        const struct schema_row *row = NULL;
        if (!object)
            fail_msg("no object for %s", schema_section_name(s));
        assert_string_equal(tree_get(object, "additionalProperties")->text, "false");
        assert_non_null(tree_get(tree_get(object, "patternProperties"), "^x-"));
        while ((row = schema_next(s, row))) {
            const struct tree_node *key = tree_get(tree_get(object, "properties"), row->key);
            if (key)
                assert_string_equal(tree_get(key, "description")->text, row->help);
        }
    }
    bench_done(&b);
}

static void accepts_every_sample(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    for (size_t i = 0; i < ARRAY_LEN(config_samples); i++)
        if (!accepts(&b, config_samples[i].text))
            fail_msg("refused:\n%s", config_samples[i].text);
    bench_done(&b);
}

static void accepts_what_the_loader_accepts(void **state)
{
    static const char *const good[] = {
        "services: { a: { command: [a, 1, true] } }",
        "services: { a: { command: a, environment: [A=1, B], labels: { a: 1 }, x-y: z } }",
        "services: { a: { command: a, scale: '${N}', essential: '${B:-true}', start_timeout: '${T}', umask: '${U}' } }",
        "services: { a: { command: a, restart: on-failure:3 } }",
        "services: { a: { command: a, restart: { policy: no, factor: 1.5 } } }",
        "services: { a: { command: a, stop_signal: 15 } }",
        "services: { a: { command: a, stop_signal: [INT, { signal: RTMIN+1 }] } }",
        "services: { a: { command: a, depends_on: { b: null, c: {} } } }",
        "services: { a: { command: a, env_file: [a, { path: b, required: false }] } }",
        "services: { a: { command: a, env_file: { path: b } } }",
        "services: { a: { extends: { service: b, file: c } } }",
        "services: { a: { command: a, user: 1000, group_add: [audio, 44], nice: -20, oom_score_adj: 0 } }",
        "services: { a: { command: a, user: app:audio, cap_add: [cap_net_raw], cap_drop: ['${CAPS}'] } }",
        "services: { a: { command: a, security_opt: ['no-new-privileges=false'] } }",
        "services: { a: { command: a, ulimits: { nofile: 5, core: { soft: 1k, hard: unlimited }, x-y: [] } } }",
        "services: { a: { command: a, pids_limit: -1, mem_limit: 1.5GiB, cpus: 0.5, zombies: {} } }",
        "services: { a: { command: a, mem_limit: 1048576, zombies: { action: off } } }",
        "services: {}\nsupervisor: { cgroup: /x, zombies: { check: 2m, limit: 3 }, require_limits: false }",
        "services: { a: { command: a, healthcheck: { disable: true }, pre_start: [[a, 1], b, { command: c }] } }",
        "services: { a: { command: a, ready: { notify: '${Y}' }, sockets: [80, '${P}'], reload: { signal: 1 } } }",
        "services: { a: { command: a, healthcheck: { http: '${URL}' } } }",
        "services: { a: { command: a, logging: { options: { max-file: '3', compress: 'true', max-size: 0 } } } }",
        "services: { a: { command: a, logging: { driver: file, options: { max-age: 1d, mode: non-blocking } } } }",
        "include: a.yaml\nversion: 3.8\nx-any: [1]",
        "include: [a, b]\ndefaults: { umask: '022' }\nservices: {}",
    };
    struct bench b;

    (void)state;
    bench_init(&b);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!accepts(&b, good[i]))
            fail_msg("refused:\n%s", good[i]);
    bench_done(&b);
}

static void refuses_what_the_loader_refuses(void **state)
{
    static const char *const bad[] = {
        "[a]",
        "servces: {}",
        "services: [a]",
        "services: { -a: { command: a } }",
        "services: { a: { command: a, comand: b } }",
        "services: { a: { command: a, watchdog: yes } }",
        "services: { a: { command: a, image: b } }",
        "services: { a: { command: { b: c } } }",
        "services: { a: { command: a, scale: -1 } }",
        "services: { a: { command: a, scale: 10001 } }",
        "services: { a: { command: a, scale: x } }",
        "services: { a: { command: a, essential: yes } }",
        "services: { a: { command: a, start_timeout: 10x } }",
        "services: { a: { command: a, start_timeout: [1] } }",
        "services: { a: { command: a, umask: '999' } }",
        "services: { a: { command: a, type: notifying } }",
        "services: { a: { command: a, restart: sometimes } }",
        "services: { a: { command: a, restart: { delya: 1s } } }",
        "services: { a: { command: a, restart: { jitter: 2 } } }",
        "services: { a: { command: a, stop_signal: { signal: TERM } } }",
        "services: { a: { command: a, stop_signal: [{ wait: 1s }] } }",
        "services: { a: { command: a, depends_on: { b: { condition: healthy } } } }",
        "services: { a: { command: a, tty: true } }",
        "services: { a: { command: a, ready: true } }",
        "services: { a: { command: a, ready: { notify: false } } }",
        "services: { a: { command: a, ready: { fd: 2 } } }",
        "services: { a: { command: a, ready: { fd: 3, log: x } } }",
        "services: { a: { command: a, ready: { http: 'https://localhost' } } }",
        "services: { a: { command: a, healthcheck: { test: [CMD, a], tcp: 'localhost:1' } } }",
        "services: { a: { command: a, healthcheck: { test: { a: b } } } }",
        "services: { a: { command: a, pre_start: a } }",
        "services: { a: { command: a, pre_start: [{ user: app }] } }",
        "services: { a: { command: a, reload: HUP } }",
        "services: { a: { command: a, reload: { signal: HUP, command: x } } }",
        "services: { a: { command: a, sockets: 80 } }",
        "services: { a: { command: a, sockets: [65536] } }",
        "services: { a: { command: a, sockets: [{ name: x }] } }",
        "services: { a: { command: a, type: oneshot, schedule: { overlap: never, every: 1s } } }",
        "services: { a: { command: a, depends_on: b } }",
        "services: { a: { command: a, success_exit_codes: [256] } }",
        "services: { a: { command: a, logging: { driver: json-file } } }",
        "services: { a: { command: a, logging: { stderr: { stderr: {} } } } }",
        "services: { a: { command: a, logging: { options: { max-size: 5x } } } }",
        "services: { a: { command: a, logging: { options: { mode: lossy } } } }",
        "services: { a: { command: a, env_file: [{ required: true }] } }",
        "services: { a: { command: a, environment: A=1 } }",
        "defaults: { extends: a }\nservices: { a: { command: a } }",
        "services: { a: { command: a, user: [app] } }",
        "services: { a: { command: a, group_add: audio } }",
        "services: { a: { command: a, nice: 20 } }",
        "services: { a: { command: a, cap_add: KILL } }",
        "services: { a: { command: a, cap_add: [12] } }",
        "services: { a: { command: a, security_opt: [seccomp=unconfined] } }",
        "services: { a: { command: a, ulimits: { nofiles: 1 } } }",
        "services: { a: { command: a, ulimits: { locks: 1 } } }",
        "services: { a: { command: a, ulimits: { nofile: { soft: 1 } } } }",
        "services: { a: { command: a, ulimits: { nofile: many } } }",
        "services: { a: { command: a, pids_limit: -2 } }",
        "services: { a: { command: a, mem_limit: 1x } }",
        "services: { a: { command: a, cpus: 10000 } }",
        "services: { a: { command: a, zombies: { check: 1s } } }",
        "services: { a: { command: a, zombies: { action: kill } } }",
        "supervisor: { cgroup: foster }\nservices: { a: { command: a } }",
        "supervisor: { metrics: /x }\nservices: { a: { command: a } }",
        "supervisor: { log_level: loud }\nservices: { a: { command: a } }",
        "name: '-x'\nservices: { a: { command: a } }",
    };
    struct bench b;
    struct config_bench loader = {0};

    (void)state;
    bench_init(&b);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (accepts(&b, bad[i]))
            fail_msg("accepted:\n%s", bad[i]);
        assert_null(config_bench_load(&loader, bad[i]));
    }
    config_bench_done(&loader);
    bench_done(&b);
}

static void a_full_buffer_is_told(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    assert_false(config_schema(&out));
    buf_done(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_key_and_no_other),      cmocka_unit_test(accepts_every_sample),
        cmocka_unit_test(accepts_what_the_loader_accepts), cmocka_unit_test(refuses_what_the_loader_refuses),
        cmocka_unit_test(a_full_buffer_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

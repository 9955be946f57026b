/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a service may use, and what is done about its zombies: the keys of limits, of priorities and of `zombies`, in
 * services and in `supervisor`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "core/ulimits.h"

#include <sys/resource.h>

#define WEB "services:\n  web:\n    command: run\n    "

static const struct spec_ulimit *limit_of(const struct spec *s, int resource)
{
    for (size_t i = 0; i < s->n_ulimits; i++)
        if (s->ulimits[i].resource == resource)
            return &s->ulimits[i];
    return NULL;
}

static void check_limit(const struct spec *s, int resource, uint64_t soft, uint64_t hard)
{
    const struct spec_ulimit *u = limit_of(s, resource);

    assert_non_null(u);
    assert_true(u->soft == soft && u->hard == hard);
}

static void reads_ulimits(void **state)
{
    struct config_bench b = {0};
    const struct spec *s = config_bench_service(
        &b,
        WEB "ulimits:\n      nofile: 65536\n      core: 0\n      stack: 8m\n      memlock: unlimited\n      nproc: -1\n"
            "      fsize: { soft: 1.5k, hard: unlimited }\n      cpu: { soft: -1, hard: -1 }\n      x-note: [why]\n");

    (void)state;
    assert_int_equal(s->n_ulimits, 7);
    check_limit(s, RLIMIT_NOFILE, 65536, 65536);
    check_limit(s, RLIMIT_CORE, 0, 0);
    check_limit(s, RLIMIT_STACK, 8 << 20, 8 << 20);
    check_limit(s, RLIMIT_MEMLOCK, UINT64_MAX, UINT64_MAX);
    check_limit(s, RLIMIT_NPROC, UINT64_MAX, UINT64_MAX);
    check_limit(s, RLIMIT_FSIZE, 1536, UINT64_MAX);
    check_limit(s, RLIMIT_CPU, UINT64_MAX, UINT64_MAX);
    for (size_t i = 1; i < s->n_ulimits; i++)
        assert_true(s->ulimits[i - 1].resource < s->ulimits[i].resource);
    assert_int_equal(config_bench_service(&b, WEB "ulimits: {}\n")->n_ulimits, 0);
    config_bench_done(&b);
}

static void knows_every_resource_but_locks(void **state)
{
    size_t n;
    const struct ulimits_resource *resources = ulimits_resources(&n);
    struct config_bench b = {0};
    char text[128];

    (void)state;
    assert_int_equal(n, RLIM_NLIMITS - 1);
    assert_null(ulimits_name(RLIMIT_LOCKS));
    assert_null(ulimits_name(RLIM_NLIMITS));
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(ulimits_name(resources[i].resource), resources[i].name);
        (void)snprintf(text, sizeof text, WEB "ulimits: { %s: 4096 }\n", resources[i].name);
        check_limit(config_bench_service(&b, text), resources[i].resource, 4096, 4096);
        (void)snprintf(text, sizeof text, WEB "ulimits: { %s: 4k }\n", resources[i].name);
        assert_int_equal(config_bench_load(&b, text) != NULL, resources[i].bytes);
    }
    config_bench_done(&b);
}

static void refuses_limits_that_are_none(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "ulimits: { nofiles: 1, qqqqqq: 1, locks: 1 }\n",
         "f.yaml:4:16: `nofiles` is not a limit; did you mean `nofile`?\n"
         "f.yaml:4:28: `qqqqqq` is not a limit; write one of setrlimit(2), e.g. nofile\n"
         "f.yaml:4:39: `locks` is where fosterd marks the processes of a service; remove it\n"},
        {WEB "ulimits: { nofile: { soft: 2, hard: 1 }, core: { soft: unlimited, hard: 5 } }\n",
         "f.yaml:4:24: `soft` of `nofile` is above `hard`; make it at most that\n"
         "f.yaml:4:52: `soft` of `core` is above `hard`; make it at most that\n"},
        {WEB "ulimits: { nofile: { soft: 2 }, cpu: { sft: 1, hard: 2 } }\n",
         "f.yaml:4:24: `nofile` has no `hard`; add it\n"
         "f.yaml:4:42: `cpu` has no `soft`; add it\n"
         "f.yaml:4:44: unknown key `sft` in `cpu`; did you mean `soft`?\n"},
        {WEB "ulimits: { nofile: many, cpu: -2, core: '', rss: 1x, nproc: 1.5, as: infinity }\n",
         "f.yaml:4:24: `many` is not a number or unlimited; write a whole number of at least 0, or unlimited\n"
         "f.yaml:4:35: `-2` is not a number or unlimited; write a whole number of at least 0, or unlimited\n"
         "f.yaml:4:45: `` is not a number or unlimited; write a whole number of at least 0, or unlimited\n"
         "f.yaml:4:54: `1x` is not a number or unlimited; write a whole number of at least 0, or unlimited\n"
         "f.yaml:4:65: `1.5` is not a number or unlimited; write a whole number of at least 0, or unlimited\n"
         "f.yaml:4:74: `infinity` is not a number or unlimited; write a whole number of at least 0, or unlimited\n"},
        {WEB "ulimits: { nofile: [1], cpu: , core: { soft: [1], hard: } }\n",
         "f.yaml:4:24: `nofile` is a list; it takes a number, unlimited, or {soft, hard}\n"
         "f.yaml:4:34: `cpu` is empty; it takes a number, unlimited, or {soft, hard}\n"
         "f.yaml:4:50: `soft` is a list; it takes a number or unlimited\n"
         "f.yaml:4:61: `hard` is empty; it takes a number or unlimited\n"},
        {WEB "ulimits: [nofile]\n",
         "f.yaml:4:14: `ulimits` is a list; it takes a map of resource to a number, unlimited or {soft, hard}\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void reads_what_control_groups_enforce(void **state)
{
    static const struct {
        const char *keys;
        int64_t pids, mem;
        double cpus;
    } cases[] = {
        {"", 0, 0, 0},
        {"pids_limit: -1\n    mem_limit: 0\n    cpus: 0\n", 0, 0, 0},
        {"pids_limit: 0\n    mem_limit: 1m\n    cpus: 0.01\n", 0, 1 << 20, 0.01},
        {"pids_limit: 1\n    mem_limit: 1048576\n    cpus: '1.50'\n", 1, 1 << 20, 1.5},
        {"pids_limit: 4194304\n    mem_limit: 2gb\n    cpus: 8192\n", 4194304, INT64_C(2) << 30, 8192},
        {"mem_limit: 1048576b\n", 0, 1 << 20, 0},
        {"mem_limit: 512MB\n", 0, 512 << 20, 0},
        {"mem_limit: 2048k\n", 0, 2 << 20, 0},
        {"mem_limit: 2048kb\n", 0, 2 << 20, 0},
    };
    struct config_bench b = {0};
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, WEB "%s\n", cases[i].keys);
        const struct spec *s = config_bench_service(&b, text);
        assert_int_equal(s->pids_limit, cases[i].pids);
        assert_int_equal(s->mem_limit, cases[i].mem);
        assert_float_equal(s->cpus, cases[i].cpus, 0);
        assert_int_equal(spec_has_limits(s), cases[i].pids > 0 || cases[i].mem > 0 || cases[i].cpus > 0);
    }
    config_bench_done(&b);
}

static void refuses_what_they_cannot_enforce(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "pids_limit: -2\n", "f.yaml:4:17: `-2` is out of range for `pids_limit`; it takes -1 to 4194304\n"},
        {WEB "pids_limit: max\n", "f.yaml:4:17: `max` is not a whole number; write one from -1 to 4194304\n"},
        {WEB "mem_limit: -1\n", "f.yaml:4:16: `-1` is not a size; write e.g. 512m, 1.5g\n"},
        {WEB "mem_limit: 2048t\n", "f.yaml:4:16: `2048t` is out of range for `mem_limit`; it takes 0 to 1024t\n"},
        {WEB "mem_limit: 1023k\n", "f.yaml:4:16: `mem_limit` is 1023k, too little for any program; write at least 1m, "
                                   "or 0 for no limit\n"},
        {WEB "mem_limit: 512\n", "f.yaml:4:16: `mem_limit` is 512, too little for any program; write at least 1m, or "
                                 "0 for no limit\n"},
        {WEB "cpus: 0.009\n",
         "f.yaml:4:11: `cpus` is too little to be measured; write at least 0.01, or 0 for no limit\n"},
        {WEB "cpus: 8193\n", "f.yaml:4:11: `8193` is out of range for `cpus`; it takes 0 to 8192\n"},
        {WEB "cpus: half\n", "f.yaml:4:11: `half` is not a number; write one from 0 to 8192\n"},
        {WEB "nice: -21\n", "f.yaml:4:11: `-21` is out of range for `nice`; it takes -20 to 19\n"},
        {WEB "oom_score_adj: 1001\n",
         "f.yaml:4:20: `1001` is out of range for `oom_score_adj`; it takes -1000 to 1000\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void what_is_not_said_is_inherited(void **state)
{
    struct config_bench b = {0};
    const struct spec *s = config_bench_service(&b, WEB "\n");

    (void)state;
    assert_true(s->nice == SPEC_INHERIT && s->oom_score_adj == SPEC_INHERIT);
    s = config_bench_service(&b, WEB "nice: 0\n    oom_score_adj: -1000\n");
    assert_true(s->nice == 0 && s->oom_score_adj == -1000);
    config_bench_done(&b);
}

static void check_zombies(const struct spec_set *set, int64_t limit, enum spec_zombie_action action, int64_t check_ms)
{
    struct spec_zombies z = spec_zombies_of(&set->services[0], &set->supervisor);

    assert_int_equal(z.limit, limit);
    assert_int_equal(z.action, action);
    assert_int_equal(z.check_ms, check_ms);
}

static void zombies_are_as_the_supervisor_says_unless_the_service_says(void **state)
{
    static const char *const sets[] = {"supervisor.zombies.limit=9", "services.web.zombies.action=off"};
    struct config_bench b = {0};

    (void)state;
    config_bench_service(&b, WEB "\n");
    check_zombies(b.set, 100, SPEC_ZOMBIES_WARN, 60000);
    config_bench_service(&b, WEB "zombies: {}\nsupervisor: { zombies: {} }\n");
    check_zombies(b.set, 100, SPEC_ZOMBIES_WARN, 60000);
    config_bench_service(&b, WEB "zombies: { limit: 5 }\n");
    check_zombies(b.set, 5, SPEC_ZOMBIES_WARN, 60000);
    config_bench_service(&b, WEB "zombies: { action: reap }\nsupervisor: { zombies: { limit: 7, action: nudge } }\n");
    check_zombies(b.set, 7, SPEC_ZOMBIES_REAP, 60000);
    config_bench_service(&b, WEB "zombies: { action: off }\nsupervisor: { zombies: { check: 1s } }\n");
    check_zombies(b.set, 100, SPEC_ZOMBIES_OFF, 1000);
    config_bench_service(&b, "defaults: { zombies: { limit: 3, action: restart } }\n" WEB "zombies: { limit: 4 }\n");
    check_zombies(b.set, 4, SPEC_ZOMBIES_RESTART, 60000);
    b.opt = (struct config_options){.sets = sets, .n_sets = ARRAY_LEN(sets)};
    config_bench_service(&b, WEB "\n");
    check_zombies(b.set, 9, SPEC_ZOMBIES_OFF, 60000);
    config_bench_done(&b);
}

static void refuses_policies_that_are_none(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "zombies: { limit: 0, action: kill, check: 1s }\n",
         "f.yaml:4:23: `0` is out of range for `limit`; it takes 1 to 4194304\n"
         "f.yaml:4:34: `kill` is not a value of `action`; it takes one of off, warn, nudge, restart, reap\n"
         "f.yaml:4:40: unknown key `check` in `zombies`; it is a key of `supervisor.zombies`\n"},
        {WEB "zombies: warn\n", "f.yaml:4:14: `zombies` is a single value; it takes a map\n"},
        {WEB "\nsupervisor: { zombies: { check: 999ms } }\n",
         "f.yaml:5:33: `999ms` is out of range for `check`; it takes 1s to 30d\n"},
        {WEB "\nsupervisor: { require_limits: yes }\n",
         "f.yaml:5:31: `yes` is not true or false; write `require_limits: true`\n"},
        {WEB "\nsupervisor: { cgroup: foster }\n",
         "f.yaml:5:23: `foster` is not auto, off or a path; write auto, off or an absolute path\n"},
        {WEB "\nsupervisor: { cgroup: '' }\n",
         "f.yaml:5:23: `` is not auto, off or a path; write auto, off or an absolute path\n"},
        {WEB "\nsupervisor: { cgroup: [a] }\n", "f.yaml:5:23: `cgroup` is a list; it takes a string\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void the_supervisor_finds_its_group_by_itself_unless_told(void **state)
{
    struct config_bench b = {0};

    (void)state;
    config_bench_service(&b, WEB "\n");
    assert_string_equal(b.set->supervisor.cgroup, "auto");
    assert_false(b.set->supervisor.require_limits);
    config_bench_service(&b, WEB "\nsupervisor: { cgroup: off, require_limits: true }\n");
    assert_string_equal(b.set->supervisor.cgroup, "off");
    assert_true(b.set->supervisor.require_limits);
    config_bench_service(&b, WEB "\nsupervisor: { cgroup: /sys/fs/cgroup/ours }\n");
    assert_string_equal(b.set->supervisor.cgroup, "/sys/fs/cgroup/ours");
    config_bench_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_ulimits),
        cmocka_unit_test(knows_every_resource_but_locks),
        cmocka_unit_test(refuses_limits_that_are_none),
        cmocka_unit_test(reads_what_control_groups_enforce),
        cmocka_unit_test(refuses_what_they_cannot_enforce),
        cmocka_unit_test(what_is_not_said_is_inherited),
        cmocka_unit_test(zombies_are_as_the_supervisor_says_unless_the_service_says),
        cmocka_unit_test(refuses_policies_that_are_none),
        cmocka_unit_test(the_supervisor_finds_its_group_by_itself_unless_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

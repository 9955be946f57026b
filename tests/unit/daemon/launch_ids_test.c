/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From what a spec says of user, groups, limits and capabilities to what is asked for the process, and to the variables
 * that go with a user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/launch_request.h"
#include "sys/caps.h"
#include "unit/daemon/launch_kit.h"

static gid_t app_groups[] = {1000, 27, 44};
static gid_t more_groups[] = {44, 5000, 27, 5001};
static const struct spec_user app = {
    .text = "app",
    .uid = 1001,
    .gid = 1000,
    .groups = app_groups,
    .n_groups = ARRAY_LEN(app_groups),
    .name = "app",
    .home = "/srv/app",
    .shell = "/bin/false",
};

static struct arena arena;

static int begin_arena(void **state)
{
    arena = (struct arena){0};
    return begin(state);
}

static int end_arena(void **state)
{
    arena_done(&arena);
    return end(state);
}

/* What is asked for the spec of unit 0. */
static struct spawn_request asked(void)
{
    struct spawn_request req;
    COMMAND(0, "true");
    bench_units[0].run = attrib_run_open(&bench.attrib, 0, 1);
    assert_non_null(bench_units[0].run);
    assert_true(launch_request(&bench_units[0], &arena, &req));
    attrib_run_close(&bench.attrib, bench_units[0].run);
    bench_units[0].run = NULL;
    return req;
}

static void without_words_nothing_but_clean_capabilities_is_asked(void **state)
{
    (void)state;
    struct spawn_request req = asked();
    assert_true(req.ids == NULL || (!req.ids->change_user && !req.ids->change_groups));
    assert_non_null(req.caps);
    assert_int_equal(req.caps->bounding, UINT64_MAX);
    assert_int_equal(req.caps->add, 0);
    assert_null(req.nice);
    assert_null(req.oom_score_adj);
    assert_int_equal(req.n_limits, 0);
    assert_false(req.no_new_privs);
    assert_int_equal(req.umask, -1);
    assert_null(req.cgroups);
}

static void every_word_is_asked(void **state)
{
    struct spec_ulimit ulimits[] = {{RLIMIT_CORE, 0, UINT64_MAX}, {RLIMIT_NOFILE, 100, 200}};
    struct spec *spec = &bench_specs[0];
    (void)state;
    spec->nice = 0;
    spec->oom_score_adj = -1000;
    spec->umask = 027;
    spec->no_new_privileges = true;
    spec->ulimits = ulimits;
    spec->n_ulimits = ARRAY_LEN(ulimits);
    struct spawn_request req = asked();
    assert_int_equal(*req.nice, 0);
    assert_int_equal(*req.oom_score_adj, -1000);
    assert_int_equal(req.umask, 027);
    assert_true(req.no_new_privs);
    assert_int_equal(req.n_limits, 2);
    assert_int_equal(req.limits[0].resource, RLIMIT_CORE);
    assert_true(req.limits[0].limit.rlim_cur == 0 && req.limits[0].limit.rlim_max == RLIM_INFINITY);
    assert_int_equal(req.limits[1].resource, RLIMIT_NOFILE);
    assert_true(req.limits[1].limit.rlim_cur == 100 && req.limits[1].limit.rlim_max == 200);
}

static void assert_groups(const struct spawn_ids *ids, const gid_t *want, size_t n)
{
    assert_int_equal(ids->n_groups, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids->groups[i], want[i]);
}

static void a_user_brings_its_groups(void **state)
{
    static const gid_t all[] = {1000, 27, 44, 5000, 5001};
    struct spec *spec = &bench_specs[0];
    (void)state;
    spec->user = app;
    struct spawn_request req = asked();
    assert_true(req.ids->change_user);
    assert_string_equal(req.ids->text, "app");
    assert_int_equal(req.ids->uid, 1001);
    assert_int_equal(req.ids->gid, 1000);
    assert_groups(req.ids, app_groups, ARRAY_LEN(app_groups));
    spec->group_add.gids = more_groups;
    spec->group_add.n = ARRAY_LEN(more_groups);
    assert_groups(asked().ids, all, ARRAY_LEN(all));
}

static void groups_alone_are_added_to_ours(void **state)
{
    static gid_t own[1024], added[] = {60001, 60002};
    struct spec *spec = &bench_specs[0];
    int n = getgroups((int)ARRAY_LEN(own) - 2, own);
    (void)state;
    assert_true(n >= 0);
    spec->group_add.gids = added;
    spec->group_add.n = ARRAY_LEN(added);
    struct spawn_request req = asked();
    assert_false(req.ids->change_user);
    assert_true(req.ids->change_groups);
    memcpy(own + n, added, sizeof added);
    assert_groups(req.ids, own, (size_t)n + 2);
}

static void capabilities_are_dropped_before_they_are_added(void **state)
{
    static const struct {
        uint64_t drop, add, bounding;
    } cases[] = {
        {0, 0, UINT64_MAX}, {0, 1024, UINT64_MAX},    {UINT64_MAX, 0, 0},
        {8, 0, ~8ULL},      {UINT64_MAX, 1024, 1024}, {8 | 16, 8, ~16ULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bench_specs[0].cap_drop.mask = cases[i].drop;
        bench_specs[0].cap_add.mask = cases[i].add;
        struct spawn_request req = asked();
        assert_int_equal(req.caps->bounding, cases[i].bounding);
        assert_int_equal(req.caps->add, cases[i].add);
    }
}

static void all_capabilities_are_what_there_is_but_for_those_dropped(void **state)
{
    struct caps_own own;
    (void)state;
    assert_true(caps_read(&own));
    uint64_t have = own.permitted & own.bounding;
    bench_specs[0].cap_add.mask = UINT64_MAX;
    static const uint64_t drops[] = {0, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(drops); i++) {
        bench_specs[0].cap_drop.mask = drops[i];
        assert_int_equal(asked().caps->add, have);
        assert_int_equal(asked().caps->bounding, UINT64_MAX);
    }
    bench_specs[0].cap_drop.mask = 8 | 16;
    assert_int_equal(asked().caps->add, have & ~24ULL);
    assert_int_equal(asked().caps->bounding, ~24ULL);
}

/* The value of NAME in REQ's environment, in which it is once; NULL: it is not there. */
static const char *value_of(const struct spawn_request *req, const char *name)
{
    const char *value = NULL;
    size_t len = strlen(name);
    for (char *const *var = req->envp; *var != NULL; var++) {
        if (strncmp(*var, name, len) != 0 || (*var)[len] != '=')
            continue;
        assert_null(value);
        value = *var + len + 1;
    }
    return value;
}

static void a_user_brings_its_variables(void **state)
{
    static struct spec_env own[] = {{"HOME", "/elsewhere"}, {"LOGNAME", NULL}, {"SHELL", NULL}};
    struct spec *spec = &bench_specs[0];
    (void)state;
    assert_int_equal(setenv("HOME", "/of/fosterd", 1), 0);
    assert_int_equal(setenv("LOGNAME", "fosterd", 1), 0);
    unsetenv("SHELL");
    struct spawn_request req = asked();
    assert_string_equal(value_of(&req, "HOME"), "/of/fosterd");
    assert_null(value_of(&req, "SHELL"));

    spec->user = app;
    const char *path = getenv("PATH");
    for (int clear = 0; clear < 2; clear++) {
        spec->clear_env = clear != 0;
        req = asked();
        assert_string_equal(value_of(&req, "HOME"), "/srv/app");
        assert_string_equal(value_of(&req, "USER"), "app");
        assert_string_equal(value_of(&req, "LOGNAME"), "app");
        assert_string_equal(value_of(&req, "SHELL"), "/bin/false");
        if (clear)
            assert_null(value_of(&req, "PATH"));
        else
            assert_string_equal(value_of(&req, "PATH"), path);
    }
    /* What the service says of them itself wins; that we have none to pass on is no word. */
    spec->environment = own;
    spec->n_environment = ARRAY_LEN(own);
    req = asked();
    assert_string_equal(value_of(&req, "HOME"), "/elsewhere");
    assert_string_equal(value_of(&req, "USER"), "app");
    assert_string_equal(value_of(&req, "LOGNAME"), "fosterd");
    assert_string_equal(value_of(&req, "SHELL"), "/bin/false");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(without_words_nothing_but_clean_capabilities_is_asked),
        TEST(every_word_is_asked),
        TEST(a_user_brings_its_groups),
        TEST(groups_alone_are_added_to_ours),
        TEST(capabilities_are_dropped_before_they_are_added),
        TEST(all_capabilities_are_what_there_is_but_for_those_dropped),
        TEST(a_user_brings_its_variables),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}

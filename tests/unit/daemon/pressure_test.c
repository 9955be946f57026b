/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A full house is told of once, with who holds most, until there was room again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zombies_kit.h"

#include "daemon/pressure.h"

static int begin(void **state)
{
    int r = zk_begin(state);
    pressure_start(&bench);
    return r;
}

static int end(void **state)
{
    pressure_stop(&bench);
    return zk_done(state);
}

static bool is_told(void *data)
{
    (void)data;
    return bench.pressure.is_told;
}

static void a_full_house_is_told_once(void **state)
{
    (void)state;
    zk_start(0);
    zk_start(1);
    (void)zk_order(1, ZK_ZOMBIE, 5);
    pressure_felt(&bench, "web", "fork: no room");
    assert_false(bench.pressure.is_told);
    rig_run_until(is_told, NULL);
    assert_non_null(strstr(rig_log(), "cannot start web: fork: no room; most processes and threads: "
                                      "db 6 (5 zombies), web 1; "));
    /* The policies were carried out as well. */
    assert_non_null(strstr(rig_log(), "db: warning: 5 zombies held by"));
    pressure_felt(&bench, "db", "fork: no room");
    assert_int_equal(rig_turns(3), 0);
    pressure_eased(&bench);
    pressure_eased(&bench);
    assert_int_equal(rig_count(rig_log(), "can be started again"), 1);
    assert_int_equal(rig_count(rig_log(), "cannot start"), 1);
    pressure_felt(&bench, "db", "fork: still no room");
    rig_run_until(is_told, NULL);
    assert_int_equal(rig_count(rig_log(), "cannot start"), 2);
}

/* In init mode there is nobody to tell of, and without memory nobody to look. */
static void who_has_nobody_looking_says_nothing(void **state)
{
    struct zombies *kept = bench.zombies;
    (void)state;
    bench.zombies = NULL;
    pressure_felt(&bench, "web", "fork: no room");
    pressure_eased(&bench);
    assert_int_equal(rig_turns(3), 0);
    assert_string_equal(rig_log(), "");
    bench.zombies = kept;
}

/* What is started in a moment has eased it before it was told. */
static void a_short_moment_is_still_told(void **state)
{
    (void)state;
    pressure_felt(&bench, "web", "fork: no room");
    pressure_eased(&bench);
    rig_run_until(is_told, NULL);
    assert_int_equal(rig_count(rig_log(), "cannot start web"), 1);
    assert_non_null(strstr(rig_log(), "none of ours"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_house_is_told_once, begin, end),
        cmocka_unit_test_setup_teardown(who_has_nobody_looking_says_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_short_moment_is_still_told, begin, end),
    };
    return cmocka_run_group_tests_name("pressure", tests, rig_open_loop, rig_close_loop);
}

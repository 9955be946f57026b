/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The environment of a service's process: ours but for what is meant for us, and what its spec says of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/control.h"
#include "unit/daemon/launch_kit.h"

/* The line "NAME=…" of the environment that was heard, up to its end; "" when it is not there. */
static const char *variable(const char *text, const char *name)
{
    static char line[TEXT_MAX];
    size_t len = strlen(name);
    for (const char *at = text; *at != '\0'; at += strcspn(at, "\n") + (strchr(at, '\n') != NULL)) {
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
            return line;
        }
    }
    return "";
}

static const char *const not_handed_on[] = {
    "NOTIFY_SOCKET",  "WATCHDOG_USEC",  "WATCHDOG_PID", "LISTEN_PID",         "LISTEN_FDS",
    "LISTEN_FDNAMES", "LISTEN_PIDFDID", "LIBEV_FLAGS",  "FOSTER_RUNTIME_DIR",
};

/* Runs env and returns what it says. */
static const char *environment(unsigned i, uint64_t run)
{
    COMMAND(i, "/usr/bin/env");
    bench_specs[i].log[SPEC_STREAM_OUT].driver = SPEC_LOG_INHERIT;
    launch(i, run);
    assert_int_equal(finish(i), 0);
    return heard();
}

static void the_environment_is_ours_but_for_what_is_meant_for_us(void **state)
{
    (void)state;
    catch_output();
    for (size_t i = 0; i < ARRAY_LEN(not_handed_on); i++)
        assert_int_equal(setenv(not_handed_on[i], "x", 1), 0);
    assert_int_equal(setenv("FOSTER_TEST_PASSED", "on", 1), 0);
    assert_int_equal(setenv("LISTEN_FDS_OF_MINE", "kept", 1), 0);
    assert_int_equal(setenv("FOSTER_RUN", "00:1", 1), 0);
    assert_int_equal(setenv("FOSTER_SERVICE", "outer", 1), 0);
    static struct control control = {.path = "/a/place/control.sock"};
    bench.control = &control;
    bench.inherited_marker = "00:1";
    bench_units[1].instance = 3;
    const char *text = environment(1, 1);
    for (size_t i = 0; i < ARRAY_LEN(not_handed_on); i++) {
        assert_string_equal(variable(text, not_handed_on[i]), "");
        unsetenv(not_handed_on[i]);
    }
    assert_string_equal(variable(text, "FOSTER_TEST_PASSED"), "FOSTER_TEST_PASSED=on");
    assert_string_equal(variable(text, "LISTEN_FDS_OF_MINE"), "LISTEN_FDS_OF_MINE=kept");
    assert_string_equal(variable(text, "FOSTER_SERVICE"), "FOSTER_SERVICE=db");
    assert_string_equal(variable(text, "FOSTER_INSTANCE"), "FOSTER_INSTANCE=3");
    assert_string_equal(variable(text, "FOSTER_RUN"), "FOSTER_RUN=00:1/0000000000f057e5:7000");
    assert_int_equal(rig_count(text, "FOSTER_RUN="), 1);
    assert_int_equal(rig_count(text, "FOSTER_SERVICE="), 1);
    assert_string_equal(variable(text, "FOSTER_SOCKET"), "FOSTER_SOCKET=/a/place/control.sock");
    bench.control = NULL;
    unsetenv("FOSTER_TEST_PASSED");
    unsetenv("LISTEN_FDS_OF_MINE");
    unsetenv("FOSTER_RUN");
    unsetenv("FOSTER_SERVICE");
}

static void variables_of_the_service_win(void **state)
{
    static struct spec_env vars[] = {
        {"FOSTER_TEST_A", "mine"}, {"FOSTER_TEST_B", NULL},    {"FOSTER_TEST_C", NULL},
        {"FOSTER_TEST_D", ""},     {"FOSTER_TEST_E", "a=b c"}, {"FOSTER_SERVICE", "another"},
    };
    (void)state;
    catch_output();
    assert_int_equal(setenv("FOSTER_TEST_A", "ours", 1), 0);
    assert_int_equal(setenv("FOSTER_TEST_B", "passed", 1), 0);
    unsetenv("FOSTER_TEST_C");
    bench_specs[0].environment = vars;
    bench_specs[0].n_environment = ARRAY_LEN(vars);
    const char *text = environment(0, 1);
    unsetenv("FOSTER_TEST_A");
    unsetenv("FOSTER_TEST_B");
    assert_int_equal(rig_count(text, "FOSTER_TEST_A="), 1);
    assert_string_equal(variable(text, "FOSTER_TEST_A"), "FOSTER_TEST_A=mine");
    assert_string_equal(variable(text, "FOSTER_TEST_B"), "FOSTER_TEST_B=passed");
    assert_string_equal(variable(text, "FOSTER_TEST_C"), "");
    assert_string_equal(variable(text, "FOSTER_TEST_D"), "FOSTER_TEST_D=");
    assert_string_equal(variable(text, "FOSTER_TEST_E"), "FOSTER_TEST_E=a=b c");
    /* By these its processes are found again. */
    assert_string_equal(variable(text, "FOSTER_SERVICE"), "FOSTER_SERVICE=web");
}

static void a_cleared_environment_holds_what_is_named(void **state)
{
    static struct spec_env vars[] = {{"FOSTER_TEST_A", "mine"}, {"FOSTER_TEST_B", NULL}};
    static const char *const kept[] = {"FOSTER_TEST_C", "FOSTER_TEST_NONE", "NOTIFY_SOCKET", NULL};
    char *keep[ARRAY_LEN(kept)];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        keep[i] = word_of(kept[i]);
    catch_output();
    assert_int_equal(setenv("FOSTER_TEST_B", "passed", 1), 0);
    assert_int_equal(setenv("FOSTER_TEST_C", "kept", 1), 0);
    assert_int_equal(setenv("FOSTER_TEST_CC", "not kept", 1), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", "x", 1), 0);
    bench_specs[0].environment = vars;
    bench_specs[0].n_environment = ARRAY_LEN(vars);
    bench_specs[0].clear_env = true;
    assert_string_equal(environment(0, 1), "FOSTER_TEST_A=mine\n"
                                           "FOSTER_TEST_B=passed\n"
                                           "FOSTER_RUN=0000000000f057e5:7000\n"
                                           "FOSTER_SERVICE=web\n"
                                           "FOSTER_INSTANCE=1\n");
    bench_specs[0].clear_env_keep = keep;
    const char *text = environment(0, 2);
    unsetenv("FOSTER_TEST_B");
    unsetenv("FOSTER_TEST_C");
    unsetenv("FOSTER_TEST_CC");
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(rig_count(text, "\n"), 6);
    assert_string_equal(variable(text, "FOSTER_TEST_C"), "FOSTER_TEST_C=kept");
    assert_string_equal(variable(text, "NOTIFY_SOCKET"), "");
}

/* Who has given us a variable twice may mean it; who overrides it means one value. */
static void a_variable_given_twice_is_overridden_as_one(void **state)
{
    static struct spec_env vars[] = {{"FOSTER_TEST_A", "mine"}};
    static const char *const given[] = {"FOSTER_TEST_A=1", "FOSTER_TEST_B=1", "FOSTER_TEST_A=2", "FOSTER_TEST_B=2",
                                        NULL};
    char *twice[ARRAY_LEN(given)];
    char **before = environ;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(given); i++)
        twice[i] = word_of(given[i]);
    catch_output();
    bench_specs[0].environment = vars;
    bench_specs[0].n_environment = ARRAY_LEN(vars);
    environ = twice;
    const char *text = environment(0, 1);
    environ = before;
    assert_int_equal(rig_count(text, "FOSTER_TEST_A="), 1);
    assert_string_equal(variable(text, "FOSTER_TEST_A"), "FOSTER_TEST_A=mine");
    assert_non_null(strstr(text, "FOSTER_TEST_B=1\nFOSTER_TEST_B=2\n"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_environment_is_ours_but_for_what_is_meant_for_us),
        TEST(variables_of_the_service_win),
        TEST(a_cleared_environment_holds_what_is_named),
        TEST(a_variable_given_twice_is_overridden_as_one),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}

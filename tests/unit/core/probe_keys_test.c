/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * `ready` and `healthcheck`: what becomes of each of their keys, how they are inherited, and the words with which wrong
 * ones are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"

#define WEB "services:\n  web:\n    command: run\n    "

static const struct spec *web(struct config_bench *b, const char *keys)
{
    char text[512];

    (void)snprintf(text, sizeof text, WEB "%s\n", keys);
    return config_bench_service(b, text);
}

static void reads_how_it_is_ready(void **state)
{
    static struct config_bench b;
    const struct spec_ready *r = &web(&b, "ready: { notify: true }")->ready;

    (void)state;
    assert_int_equal(r->kind, SPEC_READY_NOTIFY);
    r = &web(&b, "ready: { fd: 5 }")->ready;
    assert_int_equal(r->kind, SPEC_READY_FD);
    assert_int_equal(r->fd, 5);
    r = &web(&b, "ready: { log: '^ready( in [0-9]{1,3} ms)?$$' }")->ready;
    assert_int_equal(r->kind, SPEC_READY_LOG);
    assert_string_equal(r->log, "^ready( in [0-9]{1,3} ms)?$");
    r = &web(&b, "ready: { after: 1500ms }")->ready;
    assert_int_equal(r->kind, SPEC_READY_AFTER);
    assert_int_equal(r->after_ms, 1500);
    r = &web(&b, "ready: { exec: pg_isready -q }")->ready;
    assert_int_equal(r->kind, SPEC_READY_PROBE);
    assert_int_equal(r->probe.kind, SPEC_PROBE_EXEC);
    assert_int_equal(r->probe.exec.n, 2);
    assert_string_equal(r->probe.exec.argv[1], "-q");
    assert_null(r->probe.exec.argv[2]);
    r = &web(&b, "ready: { tcp: '[0::1]:5432' }")->ready;
    assert_int_equal(r->kind, SPEC_READY_PROBE);
    assert_int_equal(r->probe.kind, SPEC_PROBE_TCP);
    assert_string_equal(r->probe.endpoint.text, "[0::1]:5432");
    assert_string_equal(r->probe.endpoint.host, "::1");
    assert_int_equal(r->probe.endpoint.port, 5432);
    assert_null(r->probe.endpoint.path);
    r = &web(&b, "stop_signal: TERM")->ready;
    assert_int_equal(r->kind, SPEC_READY_TYPE);
    assert_int_equal(spec_ready_kind(web(&b, "stop_signal: TERM")), SPEC_READY_TYPE);
    assert_int_equal(spec_ready_kind(web(&b, "type: notify")), SPEC_READY_NOTIFY);
    assert_int_equal(spec_ready_kind(web(&b, "ready: { fd: 3 }")), SPEC_READY_FD);
    config_bench_done(&b);
}

static void reads_urls(void **state)
{
    static const struct {
        const char *url, *host;
        unsigned port;
        const char *path;
    } cases[] = {
        {"http://localhost", "localhost", 80, "/"},
        {"http://localhost/", "localhost", 80, "/"},
        {"http://127.0.0.1:8080/healthz", "127.0.0.1", 8080, "/healthz"},
        {"http://[::1]/a:b?c=/d", "::1", 80, "/a:b?c=/d"},
        {"http://[::1]:81?full", "::1", 81, "/?full"},
        {"http://localhost:8080/%23%20~", "localhost", 8080, "/%23%20~"},
    };
    static struct config_bench b;
    char keys[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(keys, sizeof keys, "healthcheck: { http: '%s' }", cases[i].url);
        const struct spec_probe *p = &web(&b, keys)->healthcheck.probe;
        assert_int_equal(p->kind, SPEC_PROBE_HTTP);
        assert_string_equal(p->endpoint.text, cases[i].url);
        assert_string_equal(p->endpoint.host, cases[i].host);
        assert_int_equal(p->endpoint.port, cases[i].port);
        assert_string_equal(p->endpoint.path, cases[i].path);
    }
    config_bench_done(&b);
}

static void reads_tests_as_compose_does(void **state)
{
    static const struct {
        const char *test;
        const char *argv[4]; /* ends with NULL */
    } cases[] = {
        {"curl -f 'http://x' || exit 1", {"/bin/sh", "-c", "curl -f 'http://x' || exit 1"}},
        {"[CMD-SHELL, a | b]", {"/bin/sh", "-c", "a | b"}},
        {"[CMD, a, '']", {"a", ""}},
        {"[CMD, a]", {"a"}},
        {"5", {"/bin/sh", "-c", "5"}},
    };
    static const char *const none[] = {"[NONE]", "NONE", "a, disable: true", "[CMD, a], disable: true, interval: 1s"};
    static struct config_bench b;
    char keys[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = 0;
        (void)snprintf(keys, sizeof keys, "healthcheck:\n      test: %s", cases[i].test);
        const struct spec_probe *p = &web(&b, keys)->healthcheck.probe;
        assert_int_equal(p->kind, SPEC_PROBE_EXEC);
        for (; n < 4 && cases[i].argv[n]; n++)
            assert_string_equal(p->exec.argv[n], cases[i].argv[n]);
        assert_int_equal(p->exec.n, n);
        assert_null(p->exec.argv[n]);
    }
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        (void)snprintf(keys, sizeof keys, "healthcheck: { test: %s }", none[i]);
        const struct spec_health *h = &web(&b, keys)->healthcheck;
        assert_int_equal(h->probe.kind, SPEC_PROBE_NONE);
        assert_int_equal(h->probe.exec.n, 0);
        assert_int_equal(h->interval_ms, 30000);
    }
    config_bench_done(&b);
}

static void reads_the_times_of_a_check(void **state)
{
    static struct config_bench b;
    const struct spec *s = web(&b, "healthcheck: { tcp: localhost:1 }");

    (void)state;
    assert_int_equal(s->healthcheck.interval_ms, 30000);
    assert_int_equal(s->healthcheck.timeout_ms, 30000);
    assert_int_equal(s->healthcheck.retries, 3);
    assert_int_equal(s->healthcheck.start_period_ms, 0);
    assert_int_equal(s->healthcheck.start_interval_ms, 5000);
    assert_int_equal(s->on_unhealthy, SPEC_UNHEALTHY_RESTART);
    assert_int_equal(s->watchdog_ms, 0);
    s = web(&b, "healthcheck: { tcp: localhost:1, interval: 1m30s, timeout: 500ms, retries: 1, start_period: 2h,\n"
                "      start_interval: 1 }\n    on_unhealthy: ignore\n    watchdog: 3s");
    assert_int_equal(s->healthcheck.interval_ms, 90000);
    assert_int_equal(s->healthcheck.timeout_ms, 500);
    assert_int_equal(s->healthcheck.retries, 1);
    assert_int_equal(s->healthcheck.start_period_ms, 7200000);
    assert_int_equal(s->healthcheck.start_interval_ms, 1000);
    assert_int_equal(s->on_unhealthy, SPEC_UNHEALTHY_IGNORE);
    assert_int_equal(s->watchdog_ms, 3000);
    config_bench_done(&b);
}

/* Maps merge, but of several ways to ask the nearest counts. */
static void what_is_written_wins_over_what_is_inherited(void **state)
{
    static const char text[] =
        "x-timing: &timing { healthcheck: { timeout: 3s, tcp: 'localhost:3' } }\n"
        "defaults: { ready: { tcp: 'localhost:1' }, healthcheck: { interval: 1s } }\n"
        "services:\n"
        "  plain: { command: a }\n"
        "  own: { command: a, ready: { after: 1s }, healthcheck: { test: [CMD, a] } }\n"
        "  timed: { <<: *timing, command: a }\n"
        "  over: { extends: timed, healthcheck: { http: 'http://localhost' }, ready: { fd: 4 } }\n"
        "  off: { extends: over, healthcheck: { disable: true } }\n"
        "  none: { extends: over, healthcheck: { test: NONE } }\n"
        "  again: { extends: own }\n";
    static const struct {
        enum spec_ready_kind ready;
        enum spec_probe_kind probe;
        int64_t interval_ms, timeout_ms;
    } expected[] = {
        {SPEC_READY_PROBE, SPEC_PROBE_NONE, 30000, 30000}, {SPEC_READY_AFTER, SPEC_PROBE_EXEC, 1000, 30000},
        {SPEC_READY_PROBE, SPEC_PROBE_TCP, 1000, 3000},    {SPEC_READY_FD, SPEC_PROBE_HTTP, 1000, 3000},
        {SPEC_READY_FD, SPEC_PROBE_NONE, 30000, 30000},    {SPEC_READY_FD, SPEC_PROBE_NONE, 30000, 30000},
        {SPEC_READY_AFTER, SPEC_PROBE_EXEC, 1000, 30000},
    };
    static const char *const sets[] = {"services.own.ready={fd: 9}", "services.plain.healthcheck.test=x"};
    static struct config_bench b;

    (void)state;
    config_bench_service(&b, text);
    assert_int_equal(b.set->n_services, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        const struct spec *s = &b.set->services[i];
        assert_int_equal(s->ready.kind, expected[i].ready);
        assert_int_equal(s->healthcheck.probe.kind, expected[i].probe);
        assert_int_equal(s->healthcheck.interval_ms, expected[i].interval_ms);
        assert_int_equal(s->healthcheck.timeout_ms, expected[i].timeout_ms);
    }
    b.opt = (struct config_options){.sets = sets, .n_sets = ARRAY_LEN(sets)};
    config_bench_service(&b, text);
    assert_int_equal(b.set->services[1].ready.fd, 9);
    assert_int_equal(b.set->services[0].healthcheck.probe.kind, SPEC_PROBE_EXEC);
    assert_int_equal(b.set->services[0].healthcheck.interval_ms, 1000);
    config_bench_done(&b);
}

static void refuses_bad_signs_of_being_ready(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "ready: true\n", "f.yaml:4:12: `ready` is a single value; it takes a map of one key\n"},
        {WEB "ready: {}\n", "f.yaml:4:12: `ready` has none of `notify`, `fd`, `log`, `tcp`, `http`, `exec`, `after`; "
                            "write one\n"},
        {WEB "ready: { tcp: 'localhost:1', fd: 3, log: a }\n",
         "f.yaml:4:34: `ready` has `tcp` and `fd`; keep one of them\n"
         "f.yaml:4:41: `ready` has `tcp` and `log`; keep one of them\n"},
        {WEB "ready: { notify: false }\n",
         "f.yaml:4:22: `false` is nothing that `notify` takes; write true, or leave it out\n"},
        {WEB "ready: { notify: [true] }\n", "f.yaml:4:22: `notify` is a list; it takes true\n"},
        {WEB "ready: { fd: 2 }\n", "f.yaml:4:18: `2` is out of range for `fd`; it takes 3 to 1023\n"},
        {WEB "ready: { after: 0 }\n", "f.yaml:4:21: `0` is out of range for `after`; it takes 1ms to 30d\n"},
        {WEB "ready: { log: '' }\n",
         "f.yaml:4:19: `log` is empty, which any line matches; write a POSIX extended one, see "
         "regex(7)\n"},
        {WEB "ready: { log: 'a(b' }\n",
         "f.yaml:4:19: `a(b` is no regular expression: Unmatched ( or \\(; correct it, see regex(7)\n"},
        {WEB "ready: { log: '(a)\\1' }\n",
         "f.yaml:4:19: `(a)\\1` has a back-reference, which can take for ever to match; "
         "write out what it stands for\n"},
        {WEB "ready: { exec: '' }\n", "f.yaml:4:20: `exec` names no program; write one\n"},
        {WEB "ready: { tcp: 5432 }\n",
         "f.yaml:4:19: `5432` has no host before its port; write one, e.g. localhost:8080\n"},
        {WEB "ready: { tcp: 'db:5432' }\n",
         "f.yaml:4:19: `db:5432` has a name for a host, and names are not looked up; write "
         "its address\n"},
        {WEB "ready: { http: 'https://localhost/' }\n", "f.yaml:4:20: `https://localhost/` is HTTPS, which fosterd "
                                                        "does not speak; use `tcp`, or `exec` with a program "
                                                        "such as curl\n"},
        {WEB "ready: { http: localhost }\n",
         "f.yaml:4:20: `localhost` is not a URL; write e.g. http://localhost:8080/healthz\n"},
        {WEB "ready: { http: 'http://' }\n",
         "f.yaml:4:20: `http://` has no IPv4 address before its port; write e.g. 127.0.0.1:8080\n"},
        {WEB "ready: { http: 'http://me@localhost/' }\n", "f.yaml:4:20: `http://me@localhost/` has a name for a host, "
                                                          "and names are not looked up; write its address\n"},
        {WEB "ready: { http: 'http://localhost/a b' }\n", "f.yaml:4:20: `http://localhost/a b` has a blank, a `#` or "
                                                          "no ASCII in its path; write it percent-encoded (%20, "
                                                          "%23)\n"},
        {WEB "ready: { http: \"http://localhost/\\r\\nX: y\" }\n",
         "f.yaml:4:20: `http://localhost/  X: y` has a blank, a `#` or no ASCII in its path; write it percent-encoded "
         "(%20, %23)\n"},
        {WEB "ready: { tpc: 'localhost:1' }\n", "f.yaml:4:14: unknown key `tpc` in `ready`; did you mean `tcp`?\n"},
        {WEB "fd: 3\n", "f.yaml:4:5: unknown key `fd` in a service; it is a key of `ready`\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

/* A configuration is read while services run: nothing in it may take long. */
static void weighs_expressions(void **state)
{
    static const char heavy[] = "is too long with its repetitions written out; write smaller bounds, or *";
    static const char deep[] = "has too many groups in one another; write fewer";
    static const struct {
        const char *expression, *why;
    } cases[] = {
        {"a{2048}", NULL},
        {"a{2049}", heavy},
        {"a{2,99999999999999999999}", heavy},
        {"(a{32}{32}){32}", heavy},
        {"(a{10}){100}", NULL},
        {"((a{32}){32}){32}", heavy},
        {"(((((((((((a+)+)+)+)+)+)+)+)+)+)+)+", heavy},
        {"(foo)+(bar)+(foo)+(bar)+(foo)+(bar)+(foo)+(bar)+(foo)+(bar)+(foo)+(bar)+", NULL},
        {"(((((((((a*)*)*)*)*)*)*)*)*){400}", heavy},
        {"[{]{3}[]{9999]{3}[^]{9999]{3}[[:digit:]{9999]{3}", NULL},
        {"\\{9999\\(\\(a{2,}", NULL},
        {"\\\\1", NULL},
        {"^(([0-9]{1,3}\\.){3}[0-9]{1,3}|\\[[0-9a-f:]{2,39}\\]):[0-9]{1,5} (up|ready)$$", NULL},
        {"((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))", NULL},
        {"(((((((((((((((((((((((((((((((((a)))))))))))))))))))))))))))))))))", deep},
    };
    static struct config_bench b;
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, WEB "ready: { log: '%s' }\n", cases[i].expression);
        const struct spec_set *set = config_bench_load(&b, text);
        if (!cases[i].why != !!set || (cases[i].why && !strstr(config_bench_problems(&b), cases[i].why)))
            fail_msg("%s: %s", cases[i].expression, config_bench_problems(&b));
    }
    config_bench_done(&b);
}

static void refuses_bad_health_checks(void **state)
{
#define FORMS                                                                                                          \
    "`test` is none of [CMD, PROGRAM, ARGUMENT...], [CMD-SHELL, TEXT] and [NONE]; write one of them, or a string for " \
    "/bin/sh\n"
    static const struct config_refusal cases[] = {
        {WEB "healthcheck: curl\n", "f.yaml:4:18: `healthcheck` is a single value; it takes a map\n"},
        {WEB "healthcheck: { interval: 1s }\n",
         "f.yaml:4:18: `healthcheck` has none of `test`, `tcp`, `http`; write one\n"},
        {WEB "healthcheck: { disable: false }\n",
         "f.yaml:4:18: `healthcheck` has none of `test`, `tcp`, `http`; write one\n"},
        {WEB "healthcheck: { test: a, http: 'http://localhost' }\n",
         "f.yaml:4:29: `healthcheck` has `test` and `http`; keep one of them\n"},
        {WEB "healthcheck: { test: [curl] }\n", "f.yaml:4:26: " FORMS},
        {WEB "healthcheck: { test: [] }\n", "f.yaml:4:26: " FORMS},
        {WEB "healthcheck: { test: [CMD] }\n", "f.yaml:4:26: " FORMS},
        {WEB "healthcheck: { test: [CMD, ''] }\n", "f.yaml:4:26: " FORMS},
        {WEB "healthcheck: { test: [CMD-SHELL, a, b] }\n", "f.yaml:4:26: " FORMS},
        {WEB "healthcheck: { test: [NONE, a] }\n", "f.yaml:4:26: " FORMS},
        {WEB "healthcheck: { test: [CMD, {a: b}] }\n", "f.yaml:4:32: item 2 of `test` is a map; it takes a string\n"},
        {WEB "healthcheck: { test: '' }\n", "f.yaml:4:26: `test` is empty; write a command, or NONE\n"},
        {WEB "healthcheck: { test: }\n",
         "f.yaml:4:26: `test` is empty; it takes a string, or a list that begins with CMD, CMD-SHELL or NONE\n"},
        {WEB "healthcheck: { test: {a: b} }\n",
         "f.yaml:4:26: `test` is a map; it takes a string, or a list that begins with CMD, CMD-SHELL or NONE\n"},
        {WEB "healthcheck: { disable: yes }\n", "f.yaml:4:29: `yes` is not true or false; write `disable: true`\n"},
        {WEB "healthcheck: { tcp: 'localhost:1', timeout: 0, interval: 0, start_interval: 0, retries: 0 }\n",
         "f.yaml:4:49: `0` is out of range for `timeout`; it takes 1ms to 30d\n"
         "f.yaml:4:62: `0` is out of range for `interval`; it takes 1ms to 30d\n"
         "f.yaml:4:81: `0` is out of range for `start_interval`; it takes 1ms to 30d\n"
         "f.yaml:4:93: `0` is out of range for `retries`; it takes 1 to 1000000\n"},
        {WEB "healthcheck: { http: 'https://localhost' }\n", "f.yaml:4:26: `https://localhost` is HTTPS, which fosterd "
                                                             "does not speak; use `tcp`, or `test` with a program such "
                                                             "as curl\n"},
        {WEB "on_unhealthy: kill\n",
         "f.yaml:4:19: `kill` is not a value of `on_unhealthy`; it takes one of ignore, restart, shutdown\n"},
        {WEB "retries: 3\n", "f.yaml:4:5: unknown key `retries` in a service; it is a key of `healthcheck`\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_how_it_is_ready),
        cmocka_unit_test(reads_urls),
        cmocka_unit_test(reads_tests_as_compose_does),
        cmocka_unit_test(reads_the_times_of_a_check),
        cmocka_unit_test(what_is_written_wins_over_what_is_inherited),
        cmocka_unit_test(refuses_bad_signs_of_being_ready),
        cmocka_unit_test(weighs_expressions),
        cmocka_unit_test(refuses_bad_health_checks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

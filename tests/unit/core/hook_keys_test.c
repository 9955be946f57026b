/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Hooks, `reload` and `schedule`: what becomes of them in each of their forms, and the words with which wrong ones are
 * refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"

#include <signal.h>

#define WEB "services:\n  web:\n    command: run\n    "

static const struct spec *web(struct config_bench *b, const char *keys)
{
    char text[512];

    (void)snprintf(text, sizeof text, WEB "%s\n", keys);
    return config_bench_service(b, text);
}

static void reads_hooks_in_all_forms(void **state)
{
    static struct config_bench b;
    const struct spec *s =
        web(&b, "pre_start:\n"
                "      - mkdir -p '/run/a b'\n"
                "      - [touch, '']\n"
                "      - { command: [app, 1], user: app:audio, environment: [Z=1, A, Z=2], timeout: 1m,\n"
                "          working_dir: sub, x-note: why }");
    const struct spec_hooks *hooks = &s->hooks[SPEC_HOOK_PRE_START];

    (void)state;
    assert_int_equal(hooks->n, 3);
    assert_int_equal(hooks->items[0].command.n, 3);
    assert_string_equal(hooks->items[0].command.argv[2], "/run/a b");
    assert_null(hooks->items[0].command.argv[3]);
    assert_null(hooks->items[0].user.text);
    assert_null(hooks->items[0].working_dir);
    assert_int_equal(hooks->items[0].timeout_ms, 30000);
    assert_int_equal(hooks->items[0].pos.line, 5);
    assert_int_equal(hooks->items[1].command.n, 2);
    assert_string_equal(hooks->items[1].command.argv[1], "");
    assert_int_equal(hooks->items[2].user.uid, 1000);
    assert_int_equal(hooks->items[2].user.gid, 44);
    assert_int_equal(hooks->items[2].n_environment, 2);
    assert_string_equal(hooks->items[2].environment[0].name, "A");
    assert_null(hooks->items[2].environment[0].value);
    assert_string_equal(hooks->items[2].environment[1].value, "2");
    assert_string_equal(hooks->items[2].working_dir, "sub");
    assert_int_equal(hooks->items[2].timeout_ms, 60000);
    for (unsigned i = SPEC_HOOK_POST_START; i < SPEC_HOOK_N; i++)
        assert_int_equal(s->hooks[i].n, 0);
    config_bench_done(&b);
}

/* The variables of a hook and those of its service are read side by side. */
static void keeps_the_variables_of_hooks_to_themselves(void **state)
{
    static struct config_bench b;
    const struct spec *s = web(&b, "environment: { A: 1 }\n"
                                   "    post_stop: [{ command: a, environment: { B: 2 } }, b]\n"
                                   "    labels: { c: d }");

    (void)state;
    assert_int_equal(s->n_environment, 1);
    assert_string_equal(s->environment[0].name, "A");
    assert_int_equal(s->hooks[SPEC_HOOK_POST_STOP].items[0].n_environment, 1);
    assert_string_equal(s->hooks[SPEC_HOOK_POST_STOP].items[0].environment[0].name, "B");
    assert_int_equal(s->hooks[SPEC_HOOK_POST_STOP].items[1].n_environment, 0);
    config_bench_done(&b);
}

static void knows_the_points_apart(void **state)
{
    static struct config_bench b;
    const struct spec *s = web(&b, "post_stop: [d]\n    pre_stop: [c]\n    post_start: [b]\n    pre_start: [a]");

    (void)state;
    for (unsigned i = 0; i < SPEC_HOOK_N; i++) {
        char expected[] = {(char)('a' + i), '\0'};
        assert_int_equal(s->hooks[i].n, 1);
        assert_string_equal(s->hooks[i].items[0].command.argv[0], expected);
    }
    config_bench_done(&b);
}

static void reads_reload(void **state)
{
    static struct config_bench b;
    const struct spec_reload *r = &web(&b, "reload: { signal: hup }")->reload;

    (void)state;
    assert_int_equal(r->signal, SIGHUP);
    assert_int_equal(r->command.n, 0);
    r = &web(&b, "reload: { command: nginx -s reload }")->reload;
    assert_int_equal(r->signal, 0);
    assert_int_equal(r->command.n, 3);
    assert_string_equal(r->command.argv[2], "reload");
    r = &config_bench_service(&b, "defaults: { reload: { signal: HUP } }\n" WEB "reload: { command: a }\n")->reload;
    assert_int_equal(r->signal, 0);
    assert_int_equal(r->command.n, 1);
    config_bench_done(&b);
}

static void reads_schedules(void **state)
{
    static struct config_bench b;
    const struct spec_schedule *s = &web(&b, "type: oneshot\n    schedule: { every: 1h30m }")->schedule;

    (void)state;
    assert_int_equal(s->every_ms, 5400000);
    assert_int_equal(s->overlap, SPEC_OVERLAP_SKIP);
    assert_null(s->cron.text);
    s = &web(&b, "type: oneshot\n    schedule: { every: 1, overlap: queue }")->schedule;
    assert_int_equal(s->every_ms, 1000);
    assert_int_equal(s->overlap, SPEC_OVERLAP_QUEUE);
    s = &web(&b, "type: oneshot\n    schedule: { cron: '30 4 * * 1-5' }")->schedule;
    assert_int_equal(s->every_ms, 0);
    assert_string_equal(s->cron.text, "30 4 * * 1-5");
    assert_true(s->cron.minutes == UINT64_C(1) << 30 && s->cron.hours == 1U << 4 && s->cron.weekdays == 0x3e);
    assert_true(spec_is_scheduled(&b.set->services[0]));
    assert_false(spec_is_scheduled(web(&b, "type: oneshot")));
    s = &config_bench_service(&b, "defaults: { schedule: { overlap: queue } }\n" WEB "type: oneshot\n")->schedule;
    assert_int_equal(s->overlap, SPEC_OVERLAP_SKIP);
    config_bench_done(&b);
}

static void refuses_bad_hooks(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "pre_start: mkdir x\n",
         "f.yaml:4:16: `mkdir x` of `pre_start` is a single value; it takes a list of commands, "
         "or of maps with {command}\n"},
        {WEB "pre_stop: { command: a }\n",
         "f.yaml:4:15: `pre_stop` is a map; it takes a list of commands, or of maps with {command}\n"},
        {WEB "post_stop:\n",
         "f.yaml:4:15: `post_stop` is empty; it takes a list of commands, or of maps with {command}\n"},
        {WEB "pre_start: [mkdir, -p, /x]\n", "f.yaml:4:24: item 2 of `pre_start`, `-p`, is a command of its own; write "
                                             "the words of one command as a list in "
                                             "the list\n"},
        {WEB "pre_start: [a, ~]\n",
         "f.yaml:4:20: item 2 of `pre_start` is empty; it takes a command, or a map with {command}\n"},
        {WEB "pre_start: [\"'\", [], { user: app }]\n",
         "f.yaml:4:17: a quote in `command` is not closed; close it, or write a list of words\n"
         "f.yaml:4:22: `command` names no program; write one\n"
         "f.yaml:4:26: item 3 of `pre_start` has no `command`; add it\n"},
        {WEB "pre_start: [{ command: a, timeuot: 1s, user: nobdy, timeout: -1, environment: { FOSTER_X: 1 } }]\n",
         "f.yaml:4:31: unknown key `timeuot` in item 1 of `pre_start`; did you mean `timeout`?\n"
         "f.yaml:4:50: `user`: there is no user `nobdy`; name another\n"
         "f.yaml:4:66: `-1` is not a duration; write e.g. 500ms, 10s, 1m30s\n"
         "f.yaml:4:85: `FOSTER_X` is a name that fosterd keeps for itself; choose one that does not begin with "
         "FOSTER_\n"},
        {WEB "post_start: [{ command: a, privileged: true }]\n",
         "f.yaml:4:32: `privileged` belongs to a container; Foster runs programs, use `user`, or `cap_add` of the "
         "service\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void refuses_bad_reloads_and_schedules(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "reload: HUP\n", "f.yaml:4:13: `reload` is a single value; it takes a map\n"},
        {WEB "reload: {}\n", "f.yaml:4:13: `reload` has none of `signal`, `command`; write one\n"},
        {WEB "reload: { signal: HUP, command: a }\n",
         "f.yaml:4:28: `reload` has `signal` and `command`; keep one of them\n"},
        {WEB "reload: { signal: HANGUP }\n", "f.yaml:4:23: `HANGUP` is not a signal; write e.g. SIGTERM, TERM or 15\n"},
        {WEB "schedule: 1h\n", "f.yaml:4:15: `schedule` is a single value; it takes a map with every or cron\n"},
        {WEB "schedule: { every: 999ms }\n", "f.yaml:4:24: `999ms` is out of range for `every`; it takes 1s to 30d\n"},
        {WEB "type: oneshot\n    schedule: { every: 1h, overlap: kill }\n",
         "f.yaml:5:37: `kill` is not a value of `overlap`; it takes one of skip, queue\n"},
        {WEB "schedule: { every: 1h, cron: '@daily' }\n",
         "f.yaml:4:28: `schedule` has `every` and `cron`; keep one of them\n"},
        {WEB "schedule: { cron: '0 4 * *' }\n",
         "f.yaml:4:23: `0 4 * *` is no schedule: five fields are wanted: minute, "
         "hour, day of the month, month, day of the week\n"},
        {WEB "schedule: { cron: [1] }\n", "f.yaml:4:23: `cron` is a list; it takes a string\n"},
        {WEB "type: oneshot\n    schedule: { overlap: skip }\n",
         "f.yaml:5:15: `schedule` has none of `every`, `cron`; write one\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_hooks_in_all_forms),
        cmocka_unit_test(keeps_the_variables_of_hooks_to_themselves),
        cmocka_unit_test(knows_the_points_apart),
        cmocka_unit_test(reads_reload),
        cmocka_unit_test(reads_schedules),
        cmocka_unit_test(refuses_bad_hooks),
        cmocka_unit_test(refuses_bad_reloads_and_schedules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

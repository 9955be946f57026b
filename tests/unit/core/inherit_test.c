/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Several sources for one service: defaults, merges, extends, includes, and --set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"

/* "name:scale name:scale …" of the services. */
static const char *scales(const struct spec_set *set)
{
    static char text[512];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < set->n_services; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s:%d", i ? " " : "", set->services[i].name,
                              (int)set->services[i].scale);
    return text;
}

static const char *label(const struct spec *s, const char *name)
{
    for (size_t i = 0; i < s->n_labels; i++)
        if (strcmp(s->labels[i].name, name) == 0)
            return s->labels[i].value;
    return "(none)";
}

static void load(struct config_bench *b, const char *file)
{
    if (!config_bench_load_file(b, file)) {
        print_error("%s", config_bench_problems(b));
        fail_msg("%s was refused", file);
    }
}

static void defaults_lie_below_merges_and_own_keys(void **state)
{
    struct config_bench b = {0};
    const struct spec *s;

    (void)state;
    config_bench_service(&b, "x-base: &base { scale: 2, labels: { m: merge, d: merge } }\n"
                             "defaults: { scale: 3, umask: 027, command: d, labels: { d: default, e: default } }\n"
                             "services:\n"
                             "  a: { scale: 1 }\n"
                             "  b: { <<: *base }\n"
                             "  c: { <<: *base, scale: 4, command: own }\n"
                             "  e: {}\n");
    assert_string_equal(scales(b.set), "a:1 b:2 c:4 e:3");
    s = spec_find(b.set, "b");
    assert_int_equal(s->umask, 027);
    assert_string_equal(s->command[0], "d");
    assert_string_equal(label(s, "m"), "merge");
    assert_string_equal(label(s, "d"), "merge");
    assert_string_equal(label(s, "e"), "default");
    s = spec_find(b.set, "c");
    assert_string_equal(s->command[0], "own");
    s = spec_find(b.set, "e");
    assert_string_equal(label(s, "d"), "default");
    config_bench_done(&b);
}

static void maps_merge_and_the_rest_replaces(void **state)
{
    struct config_bench b = {0};
    const struct spec *s;

    (void)state;
    s = config_bench_service(&b, "defaults:\n  restart: { delay: 1s, max_attempts: 3 }\n  environment: { A: d, B: d }\n"
                                 "  success_exit_codes: [0, 1]\n  depends_on: [x]\n"
                                 "services:\n"
                                 "  a:\n    command: a\n    restart: { delay: 2s }\n    environment: { B: own }\n"
                                 "    success_exit_codes: [2]\n    depends_on: []\n"
                                 "  b: { command: b, restart: always, depends_on: [] }\n"
                                 "  x: { command: x, depends_on: [], environment: [C=list] }\n");
    assert_int_equal(s->restart.delay_ms, 2000);
    assert_int_equal(s->restart.max_attempts, 3);
    assert_int_equal(s->n_environment, 2);
    assert_string_equal(s->environment[0].value, "d");
    assert_string_equal(s->environment[1].value, "own");
    assert_false(spec_exits_has(&s->success_exit_codes, 1 << 8));
    assert_int_equal(s->n_depends_on, 0);
    s = spec_find(b.set, "b");
    assert_int_equal(s->restart.max_attempts, 0);
    assert_int_equal(s->restart.delay_ms, 500);
    s = spec_find(b.set, "x");
    assert_int_equal(s->n_environment, 1);
    config_bench_done(&b);
}

static void problems_of_defaults_are_said_once(void **state)
{
    static const struct config_refusal cases[] = {
        {"defaults: { scale: x, bogus: 1 }\nservices: { a: { command: a }, b: { command: b } }\n",
         "f.yaml:1:20: `x` is not a whole number; write one from 0 to 10000\n"
         "f.yaml:1:23: unknown key `bogus` in a service; correct or remove it (keys are in foster.yaml(5))\n"},
        {"defaults: { extends: a }\nservices: { a: { command: a } }\n",
         "f.yaml:1:22: `extends` stands in `defaults`; write it in the services themselves\n"},
        {"defaults: [a]\nservices: { a: { command: a } }\n",
         "f.yaml:1:11: `defaults` is a list; it takes a map of service keys\n"},
        {"x-b: &b { scale: x }\nservices: { a: { <<: *b, command: a }, b: { <<: *b, command: a } }\n",
         "f.yaml:1:18: `x` is not a whole number; write one from 0 to 10000\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void extends_a_service_of_the_file(void **state)
{
    struct config_bench b = {0};
    const struct spec *s;

    (void)state;
    config_bench_service(&b, "defaults: { umask: 077, scale: 9, labels: { from: defaults, d: '1' } }\n"
                             "services:\n"
                             "  top: { extends: mid, labels: { t: '1' } }\n"
                             "  mid: { extends: { service: low }, scale: 2, labels: { m: '1', from: mid } }\n"
                             "  low: { command: low, scale: 3, umask: 022, labels: { l: '1', from: low } }\n");
    assert_string_equal(scales(b.set), "top:2 mid:2 low:3");
    s = spec_find(b.set, "top");
    assert_string_equal(s->command[0], "low");
    assert_int_equal(s->umask, 022);
    assert_string_equal(label(s, "from"), "mid");
    assert_string_equal(label(s, "d"), "1");
    assert_string_equal(label(s, "l"), "1");
    assert_string_equal(label(s, "m"), "1");
    assert_string_equal(label(s, "t"), "1");
    assert_string_equal(label(spec_find(b.set, "low"), "m"), "(none)");
    config_bench_done(&b);
}

static void extends_a_service_of_another_file(void **state)
{
    static const struct config_entry files[] = {
        {"etc/f.yaml", "defaults: { umask: 077, start_timeout: 1s }\n"
                       "services:\n"
                       "  a: { extends: { service: base, file: lib/base.yaml }, working_dir: here }\n"
                       "  b: { extends: { service: base, file: ./lib/base.yaml }, scale: 5 }\n"},
        {"etc/lib/base.yaml", "defaults: { umask: 027, essential: true }\n"
                              "name: other\nsupervisor: { exit_when: never }\n"
                              "services:\n"
                              "  base: { extends: root, env_file: e.env }\n"
                              "  root: { command: ./run, working_dir: there, scale: 2 }\n"
                              "  unused: { command: '${NOPE}', bogus: 1 }\n"},
        {"etc/lib/e.env", "A=1\n"},
        {NULL, NULL},
    };
    struct config_bench b = {.files = files};
    const struct spec *s;

    (void)state;
    load(&b, "etc/f.yaml");
    assert_string_equal(scales(b.set), "a:2 b:5");
    assert_string_equal(b.set->name, "foster");
    assert_int_equal(b.set->supervisor.exit_when, SPEC_EXIT_IDLE);
    s = spec_find(b.set, "a");
    assert_string_equal(s->working_dir, "etc/here");
    assert_int_equal(s->umask, 027);
    assert_true(s->essential);
    assert_int_equal(s->start_timeout_ms, 1000);
    assert_string_equal(s->environment[0].name, "A");
    assert_string_equal(spec_find(b.set, "b")->working_dir, "etc/lib/there");
    assert_int_equal(b.n_reads, 4); /* two configuration files once each, the env file for each service */
    config_bench_done(&b);
}

static void refuses_bad_extends(void **state)
{
    static const struct config_entry files[] = {
        {"other.yaml", "services: { base: { extends: { service: a, file: f.yaml } } }\n"},
        {"broken.yaml", "services: [\n"},
        {NULL, NULL},
    };
    static const struct config_refusal cases[] = {
        {"services: { a: { extends: b }, b: { extends: c }, c: { extends: b, command: c } }\n",
         "f.yaml:1:65: `extends` goes in a circle: b -> c -> b; remove one of them\n"},
        {"services: { a: { extends: a } }\n", "f.yaml:1:27: `extends` goes in a circle: a -> a; remove one of them\n"},
        {"services: { a: { extends: { service: base, file: other.yaml } } }\n",
         "other.yaml:1:30: `extends` goes in a circle: a -> base -> a; remove one of them\n"},
        {"services: { a: { extends: wbe }, web: { command: w } }\n",
         "f.yaml:1:27: there is no service `wbe` in f.yaml to extend; did you mean `web`?\n"},
        {"services: { a: { extends: qqqq }, web: { command: w } }\n",
         "f.yaml:1:27: there is no service `qqqq` in f.yaml to extend; name one that is there\n"},
        {"services: { a: { extends: { service: web, file: other.yaml } }, web: { command: w } }\n",
         "f.yaml:1:27: there is no service `web` in other.yaml to extend; name one that is there\n"},
        {"services: { a: { extends: { service: web, file: none.yaml } } }\n",
         "f.yaml:1:27: there is no file none.yaml; create it or correct the path\n"},
        {"services: { a: { extends: { file: other.yaml } } }\n", "f.yaml:1:27: `extends` has no `service`; add it\n"},
        {"services: { a: { extends: [b] } }\n",
         "f.yaml:1:27: `extends` is a list; it takes a service, or {service, file}\n"},
    };
    struct config_bench b = {.files = files};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
    assert_null(config_bench_load(&b, "services: { a: { extends: { service: b, file: broken.yaml } } }\n"));
    assert_non_null(strstr(config_bench_problems(&b), "broken.yaml:"));
    assert_int_equal(b.diag.n_errors, 1);
    config_bench_done(&b);
}

static void caps_the_depth_of_extends(void **state)
{
    char text[2048] = "services:\n  s0: { command: a }\n";
    struct config_bench b = {0};

    (void)state;
    /* From the last one: each is reached through all before it. */
    for (unsigned i = 30; i > 0; i--) {
        size_t n = strlen(text);
        (void)snprintf(text + n, sizeof text - n, "  s%u: { extends: s%u }\n", i, i - 1);
    }
    assert_null(config_bench_load(&b, text));
    assert_non_null(strstr(config_bench_problems(&b), "`extends` over 16 services deep; extend fewer"));
    config_bench_done(&b);
}

static void joins_included_files(void **state)
{
    static const struct config_entry files[] = {
        {"etc/f.yaml", "include: [one.yaml, d/*.yaml, none*.yaml]\nservices:\n  main: { command: m, depends_on: [b] }\n"
                       "defaults: { scale: 7 }\n"},
        {"etc/one.yaml", "version: 3\nx-y: 1\nservices:\n  one: { command: o, extends: two }\n"
                         "  two: { command: p, scale: 2 }\n"},
        {"etc/d/a.yaml",
         "defaults: { scale: 3, working_dir: . }\ninclude: ../one.yaml\nservices: { a: { command: a } }\n"},
        {"etc/d/b.yaml", "include: b/c.yaml\nservices: { b: { extends: two } }\n"},
        {"etc/d/b/c.yaml", "services: { c: { command: c, working_dir: w } }\n"},
        {"etc/d/../one.yaml", "services: { three: { command: t } }\n"},
        {NULL, NULL},
    };
    struct config_bench b = {.files = files};

    (void)state;
    load(&b, "etc/f.yaml");
    assert_string_equal(scales(b.set), "one:2 two:2 three:1 a:3 c:1 b:2 main:7");
    assert_string_equal(spec_find(b.set, "a")->working_dir, "etc/d/.");
    assert_string_equal(spec_find(b.set, "c")->working_dir, "etc/d/b/w");
    assert_string_equal(spec_find(b.set, "c")->pos.file, "etc/d/b/c.yaml");
    config_bench_done(&b);
}

static void a_file_may_be_included_twice(void **state)
{
    static const struct config_entry files[] = {
        {"a.yaml", "include: c.yaml\nservices: { a: { command: a } }\n"},
        {"b.yaml", "include: ./c.yaml\nservices: { b: { command: b } }\n"},
        {"c.yaml", "services: { c: { command: c } }\n"},
        {NULL, NULL},
    };
    struct config_bench b = {.files = files};

    (void)state;
    config_bench_service(&b, "include: ['*.yaml']\n");
    assert_string_equal(scales(b.set), "c:1 a:1 b:1");
    config_bench_service(&b, "include: [a.yaml, b.yaml]\n");
    assert_string_equal(scales(b.set), "c:1 a:1 b:1");
    config_bench_done(&b);
}

static void refuses_bad_includes(void **state)
{
    static const struct config_entry files[] = {
        {"self.yaml", "include: self.yaml\nservices: { s: { command: s } }\n"},
        {"back.yaml", "include: forth.yaml\nservices: { s: { command: s } }\n"},
        {"forth.yaml", "include: back.yaml\n"},
        {"top.yaml", "name: x\nsupervisor: {}\nservices: { s: { command: s } }\n"},
        {"twice.yaml", "services: { web: { command: s } }\n"},
        {"list.yaml", "- a\n"},
        {NULL, NULL},
    };
    static const char web[] = "services:\n  web: { command: w, depends_on: [gone] }\n";
    static const struct {
        const char *include, *problems;
    } cases[] = {
        {"none.yaml", "f.yaml:1:10: there is no file none.yaml; create it or correct the path\n"},
        {"[none.yaml]", "f.yaml:1:11: there is no file none.yaml; create it or correct the path\n"},
        {"/forbidden/*", "f.yaml:1:10: cannot expand /forbidden/*; make its directory readable\n"},
        {"{ a: b }", "f.yaml:1:10: `include` is a map; it takes a path or glob, or a list of them\n"},
        {"[[a]]", "f.yaml:1:11: an include is a list; it takes a path or glob\n"},
        {"", "f.yaml:1:9: an include is empty; it takes a path or glob\n"},
        {"''", "f.yaml:1:10: an include is empty; write a path or glob\n"},
        {"f.yaml", "f.yaml:1:10: the includes go in a circle: f.yaml -> f.yaml; remove one of them\n"},
        {"self.yaml", "self.yaml:1:10: the includes go in a circle: self.yaml -> self.yaml; remove one of them\n"},
        {"back.yaml",
         "forth.yaml:1:10: the includes go in a circle: back.yaml -> forth.yaml -> back.yaml; remove one of them\n"},
        {"list.yaml", "list.yaml:1:1: the file is a list; it takes a map with the key `services`\n"},
        {"${NOPE}", "f.yaml:1:10: variable NOPE is not set; set it, or write ${NOPE:-default}\n"},
    };
    struct config_bench b = {.files = files};
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, "include: %s\n%s", cases[i].include, web);
        assert_null(config_bench_load(&b, text));
        assert_string_equal(config_bench_problems(&b), cases[i].problems);
    }
    assert_null(config_bench_load(&b, "include: [top.yaml, twice.yaml]\nservices: { web: { command: w } }\n"));
    assert_string_equal(config_bench_problems(&b),
                        "top.yaml:1:1: `name` stands in an included file; only the main file may have it\n"
                        "top.yaml:2:1: `supervisor` stands in an included file; only the main file may have it\n"
                        "f.yaml:2:13: service `web` is also defined at twice.yaml:1:13; remove or rename one\n");
    config_bench_done(&b);
}

static void caps_depth_and_number_of_includes(void **state)
{
    static struct config_entry deep[12], many[CONFIG_FILES_MAX + 8];
    static char names[CONFIG_FILES_MAX + 8][16], texts[12][64];
    struct config_bench b = {.files = deep};

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%u.yaml", i);
        (void)snprintf(texts[i], sizeof texts[i], "include: f%u.yaml\nservices: { s%u: { command: a } }\n", i + 1, i);
        deep[i] = (struct config_entry){names[i], texts[i]};
    }
    deep[10] = (struct config_entry){"f10.yaml", "services: { s: { command: s } }\n"};
    load(&b, "f2.yaml");
    assert_int_equal(b.set->n_services, CONFIG_INCLUDE_DEPTH_MAX + 1);
    assert_null(config_bench_load_file(&b, "f1.yaml"));
    assert_string_equal(config_bench_problems(&b),
                        "f9.yaml:1:10: includes over 8 files deep; include it from a file further up\n");
    for (unsigned i = 0; i < CONFIG_FILES_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "m%03u.yaml", i);
        many[i] = (struct config_entry){names[i], "{}\n"};
    }
    b.files = many;
    assert_null(config_bench_load(&b, "include: 'm0*.yaml'\nservices: { a: { command: a, scale: x } }\n"));
    assert_null(strstr(config_bench_problems(&b), "files"));
    assert_null(config_bench_load(&b, "include: ['m0[0-5]*.yaml', 'm0[6-9]*.yaml', 'm1[0-4]*.yaml', 'm1[5-9]*.yaml', "
                                      "'m2[0-4]*.yaml', 'm25*.yaml']\nservices: { a: { command: a } }\n"));
    assert_non_null(strstr(config_bench_problems(&b), "more than 256 files; put services together into fewer\n"));
    config_bench_done(&b);
}

static void sets_values(void **state)
{
    static const char text[] = "include: inc.yaml\nservices:\n  web: { command: w, restart: { delay: 1s } }\n"
                               "  web.api: { command: a }\n";
    static const struct config_entry files[] = {
        {"inc.yaml", "services: { job: { command: j }, job.two: { command: k } }\n"}, {NULL, NULL}};
    static const char *const sets[] = {
        "name=shop",
        "services.web.scale=3",
        "services.web.restart.max_delay=5s",
        "services.web.environment={A: 1, B: two}",
        "services.web.environment.C=",
        "services.web.environment.D=null",
        "services.web.command=run --a=b",
        "services.web.api.scale=4",
        "services.job.scale=5",
        "services.job.two.labels.x=y",
        "supervisor.exit_when=never",
        "defaults.umask='027'",
        "services.web.working_dir=sub",
    };
    struct config_bench b = {.files = files, .opt = {.sets = sets, .n_sets = ARRAY_LEN(sets)}};
    const struct spec *s;

    (void)state;
    config_bench_service(&b, text);
    assert_string_equal(scales(b.set), "job:5 job.two:1 web:3 web.api:4");
    assert_string_equal(b.set->name, "shop");
    assert_int_equal(b.set->supervisor.exit_when, SPEC_EXIT_NEVER);
    s = spec_find(b.set, "web");
    assert_int_equal(s->restart.delay_ms, 1000);
    assert_int_equal(s->restart.max_delay_ms, 5000);
    assert_string_equal(s->command[1], "--a=b");
    assert_string_equal(s->working_dir, "sub");
    assert_int_equal(s->umask, 027);
    assert_int_equal(s->n_environment, 4);
    assert_string_equal(s->environment[1].value, "two");
    assert_string_equal(s->environment[2].value, "");
    assert_null(s->environment[3].value);
    assert_string_equal(label(spec_find(b.set, "job.two"), "x"), "y");
    config_bench_done(&b);
}

static void refuses_bad_sets(void **state)
{
    static const struct {
        const char *set, *problem;
    } cases[] = {
        {"services.web.scale", "--set services.web.scale is not KEY=VALUE; write e.g. services.web.scale=2\n"},
        {"=3", "--set =3 is not KEY=VALUE; write e.g. services.web.scale=2\n"},
        {"services.web.scale=x",
         "--set services.web.scale:1:1: `x` is not a whole number; write one from 0 to 10000\n"},
        {"services.wbe.scale=2", "--set services.wbe.scale:1:1: there is no service `wbe`; did you mean `web`?\n"},
        {"services.qqqq.scale=2", "--set services.qqqq.scale:1:1: there is no service `qqqq`; name one of the file\n"},
        {"services.web.restart.delay=2s",
         "--set services.web.restart.delay:1:1: `restart` is not a map in the file; set it as a whole\n"},
        {"services.web..x=2",
         "--set services.web..x:1:1: a bad path; write key names with a dot between, as in services.web.scale=2\n"},
        {"services.web.sclae=2",
         "--set services.web.sclae:1:1: unknown key `sclae` in a service; did you mean `scale`?\n"},
        {"servces.web.scale=2",
         "--set servces.web.scale:1:1: unknown key `servces` in the file; did you mean `services`?\n"},
        {"services.inc=run", "--set services.inc:1:1: service `inc` is a single value; it takes a map of keys such as "
                             "`command`\n"},
        {"services.inc.pid_file=run",
         "--set services.inc.pid_file:1:1: `run` of `pid_file` is relative; write an absolute path\n"},
    };
    static const struct config_entry files[] = {{"inc.yaml", "services: { inc: { command: j } }\n"}, {NULL, NULL}};
    struct config_bench b = {.files = files};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        b.opt = (struct config_options){.sets = &cases[i].set, .n_sets = 1};
        assert_null(config_bench_load(&b, "include: inc.yaml\nservices: { web: { command: w, restart: always } }\n"));
        assert_non_null(strstr(config_bench_problems(&b), cases[i].problem));
        assert_int_equal(b.diag.n_errors, 1);
    }
    b.opt = (struct config_options){.sets = (const char *const[]){"services.web.labels={a: ["}, .n_sets = 1};
    assert_null(config_bench_load(&b, "services: { web: { command: w } }\n"));
    assert_non_null(strstr(config_bench_problems(&b), "--set services.web.labels:1:"));
    config_bench_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_lie_below_merges_and_own_keys),
        cmocka_unit_test(maps_merge_and_the_rest_replaces),
        cmocka_unit_test(problems_of_defaults_are_said_once),
        cmocka_unit_test(extends_a_service_of_the_file),
        cmocka_unit_test(extends_a_service_of_another_file),
        cmocka_unit_test(refuses_bad_extends),
        cmocka_unit_test(caps_the_depth_of_extends),
        cmocka_unit_test(joins_included_files),
        cmocka_unit_test(a_file_may_be_included_twice),
        cmocka_unit_test(refuses_bad_includes),
        cmocka_unit_test(caps_depth_and_number_of_includes),
        cmocka_unit_test(sets_values),
        cmocka_unit_test(refuses_bad_sets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

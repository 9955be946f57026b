/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What cannot be in `logging`: options of another driver, paths that are no place for a log, and files that two would
 * write to. And what can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "core/check.h"

#define WEB     "services:\n  web:\n    command: run\n    "
#define FILE_AT WEB "logging: { driver: file, options: { path: "
#define TEN     "1234567890"
#define FIFTY   TEN TEN TEN TEN TEN

static void refuses_options_of_another_driver(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "logging: { options: { max-size: 1m, tag: x } }\n",
         "f.yaml:4:27: `max-size` means nothing to `driver: stdout`; it is for file, remove it or change the driver\n"
         "f.yaml:4:41: `tag` means nothing to `driver: stdout`; it is for syslog, journald, remove it or change the "
         "driver\n"},
        {WEB "logging: { driver: inherit, options: { mode: drop, timestamps: true } }\n",
         "f.yaml:4:44: `mode` means nothing to `driver: inherit`; it is for stdout, file, syslog, journald, remove it "
         "or "
         "change the driver\n"
         "f.yaml:4:56: `timestamps` means nothing to `driver: inherit`; it is for stdout, file, remove it or change "
         "the "
         "driver\n"},
        {WEB "logging: { driver: none, options: { max-buffer-size: 4k } }\n",
         "f.yaml:4:41: `max-buffer-size` means nothing to `driver: none`; it is for stdout, file, syslog, journald, "
         "remove it or change the driver\n"},
        {WEB "logging: { driver: journald, options: { syslog-address: /x } }\n",
         "f.yaml:4:45: `syslog-address` means nothing to `driver: journald`; it is for syslog, remove it or change the "
         "driver\n"},
        {WEB "logging: { driver: file, options: { path: /x }, stderr: { options: { path: /y } } }\n",
         "f.yaml:4:74: `path` means nothing to `driver: stdout`; it is for file, remove it or change the driver\n"},
        /* What another service says is its own affair; what is said here is not. */
        {"services:\n  base: { command: b, logging: { driver: file, options: { path: '/{name}', max-file: 2 } } }\n"
         "  web:\n    extends: base\n    logging: { driver: none, options: { max-file: 3 } }\n",
         "f.yaml:5:41: `max-file` means nothing to `driver: none`; it is for file, remove it or change the driver\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void refuses_what_is_no_log_file(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "logging: { driver: file }\n", "f.yaml:4:24: `driver: file` has no `path` in `options`; add it\n"},
        {WEB "logging: { stderr: { driver: file, options: {} } }\n",
         "f.yaml:4:34: `driver: file` has no `path` in `options`; add it\n"},
        {FILE_AT "/dev/stdout } }\n", "f.yaml:4:47: `path` /dev/stdout is no file; write `driver: stdout`\n"},
        {FILE_AT "/dev/stderr } }\n", "f.yaml:4:47: `path` /dev/stderr is no file; write `driver: inherit`, which "
                                      "leaves standard error as it is\n"},
        {FILE_AT "/dev/fd/1 } }\n",
         "f.yaml:4:47: `path` /dev/fd/1 is no file but a descriptor; write `driver: inherit`\n"},
        {FILE_AT "/proc/self/fd/2 } }\n",
         "f.yaml:4:47: `path` /proc/self/fd/2 is no place for a log; write a path on a "
         "disk, or `driver: inherit`\n"},
        {FILE_AT "/dev/null } }\n", "f.yaml:4:47: `path` /dev/null is no file; write `driver: none`\n"},
        {FILE_AT "/var/log/ } }\n",
         "f.yaml:4:47: `path` /var/log/ has an empty part, `.` or `..`; write the path of a file without these\n"},
        {FILE_AT "/var/../log } }\n",
         "f.yaml:4:47: `path` /var/../log has an empty part, `.` or `..`; write the path of a file without these\n"},
        {FILE_AT "/var/. } }\n",
         "f.yaml:4:47: `path` /var/. has an empty part, `.` or `..`; write the path of a file without these\n"},
        {FILE_AT "'//log' } }\n",
         "f.yaml:4:47: `path` //log has an empty part, `.` or `..`; write the path of a file without these\n"},
        {FILE_AT "'/l/{unit}.log' } }\n", "f.yaml:4:47: `path` /l/{unit}.log has braces around something else than "
                                          "{name} or {service}; write one of these\n"},
        {FILE_AT "'/l/{name}}' } }\n", "f.yaml:4:47: `path` /l/{name}} has braces around something else than {name} or "
                                       "{service}; write one of these\n"},
        {FILE_AT "/" FIFTY FIFTY FIFTY FIFTY TEN TEN "1 } }\n",
         "f.yaml:4:47: `path` is too long; write at most 4000 bytes, and at most 220 behind the last slash\n"},
        {WEB "logging: { driver: file, options: { path: /x, max-size: 4095, max-age: 999ms, file-mode: 0444,\n"
             "      directory-mode: 0500 } }\n",
         "f.yaml:4:61: `max-size` is 4095, too little for a log; write at least 4k, or 0 for no limit\n"
         "f.yaml:4:76: `max-age` is 999ms, too little for a log; write at least 1s, or 0 for no limit\n"
         "f.yaml:4:94: `file-mode` 0444 keeps the owner from writing; write e.g. \"0640\"\n"
         "f.yaml:5:23: `directory-mode` 0500 keeps the owner from making files; write e.g. \"0750\"\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void refuses_two_in_one_file(void **state)
{
#define LOG(path) "logging: { driver: file, options: { path: '" path "' } }"
    static const struct config_refusal cases[] = {
        {WEB "logging: { driver: file, options: { path: /l }, stderr: { driver: file, options: { path: /l } } }\n",
         "f.yaml:4:61: `stderr` goes to the same file as standard output; leave `stderr` out, and both go there\n"},
        {WEB
         "logging: { driver: file, options: { path: /web }, stderr: { driver: file, options: { path: '/{name}' } } }\n",
         "f.yaml:2:3: `web` would write to /web twice; change one `path` of its `logging`\n"},
        {"services:\n  a: { command: a, " LOG("/l") " }\n  b: { command: b }\n  c: { command: c, " LOG("/l") " }\n",
         "f.yaml:4:3: `a` and `c` would both log to /l; write {service} in `path`, or change one of them\n"},
        {"defaults: { " LOG("/l") " }\nservices:\n  a: { command: a }\n  b: { command: b }\n  c: { command: c }\n",
         "f.yaml:4:3: `a` and `b` would both log to /l; write {service} in `path`, or change one of them\n"
         "f.yaml:5:3: `b` and `c` would both log to /l; write {service} in `path`, or change one of them\n"},
        {"services:\n  a: { command: a, scale: 3, " LOG("/l/{name}") " }\n  b: { command: b, " LOG("/l/a.2") " }\n",
         "f.yaml:3:3: `a` and `b` would both log to /l/a.2; write {service} in `path`, or change one of them\n"},
        {WEB "scale: 2\n    " LOG("/l/{service}") "\n",
         "f.yaml:5:47: 2 instances cannot share one log file; write {name} in `path`, which is the instance's\n"},
        {WEB "scale: 2\n    logging: { stderr: { driver: file, options: { path: /l } } }\n",
         "f.yaml:5:57: 2 instances cannot share one log file; write {name} in `path`, which is the instance's\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void takes_what_goes_together(void **state)
{
    static const char *const good[] = {
        "defaults: { " LOG("/l/{service}.log") " }\nservices: { a: { command: a }, b: { command: b } }\n",
        "defaults: { " LOG("/l/{name}.log") " }\nservices: { a: { command: a, scale: 10 }, b: { command: b } }\n",
        "services: { a: { command: a, scale: 0, " LOG("/l") " } }\n",
        "services: { a: { command: a, " LOG("/l") " }, b: { command: b, profiles: [x], " LOG("/l") " } }\n",
        "services: { a: { command: a, " LOG("/...") " }, b: { command: b, " LOG("/..a/.b") " } }\n",
        FILE_AT "/dev/shm/log, max-size: 4k, max-age: 1s, max-file: 1 } }\n",
        FILE_AT "/" FIFTY FIFTY FIFTY FIFTY TEN TEN " } }\n",
        WEB "ready: { log: a }\n    logging: { driver: none, stderr: { driver: journald } }\n",
        WEB "ready: { log: a }\n    logging: { driver: syslog, stderr: { driver: inherit } }\n",
    };
    static struct config_bench b;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        config_bench_service(&b, good[i]);
    config_bench_done(&b);
}

/* What is right for the number of instances in the file need not be for another one. */
static void checks_another_number_of_instances(void **state)
{
    static const struct {
        const char *text, *problems;
    } cases[] = {
        {"services: { a: { command: a, " LOG("/l/{name}") " }, b: { command: b, " LOG("/l/a") " , profiles: [x] } }\n",
         ""},
        {"services: { a: { command: a, " LOG("/l/{service}") " } }\n",
         "f.yaml:1:13: 2 instances cannot share one log file; write {name} in `path`, which is the instance's\n"},
        {"services: { a: { command: a, " LOG("/l/{name}") " }, b: { command: b, " LOG("/l/a.2") " } }\n",
         "f.yaml:1:91: `a` and `b` would both log to /l/a.2; write {service} in `path`, or change one of them\n"},
    };
    static struct config_bench b;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diag_list d = {0};
        struct buf problems;
        buf_init(&problems, 1 << 12);
        config_bench_service(&b, cases[i].text);
        b.set->services[0].scale = 2;
        check_rescaled(&d, b.set, &b.set->services[0]);
        diag_print(&d, &problems);
        assert_string_equal(buf_str(&problems), cases[i].problems);
        diag_done(&d);
        buf_done(&problems);
    }
    config_bench_done(&b);
#undef LOG
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_options_of_another_driver),
        cmocka_unit_test(refuses_what_is_no_log_file),
        cmocka_unit_test(refuses_two_in_one_file),
        cmocka_unit_test(takes_what_goes_together),
        cmocka_unit_test(checks_another_number_of_instances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * `logging`: what becomes of it in each of its forms, what is inherited of it, and where a log file is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "core/log_keys.h"
#include "core/logring.h"

#define WEB "services:\n  web:\n    command: run\n    "

static void assert_defaults(const struct spec_log *log)
{
    assert_int_equal(log->driver, SPEC_LOG_STDOUT);
    assert_int_equal(log->format, SPEC_LOG_TEXT);
    assert_int_equal(log->mode, SPEC_LOG_BLOCKING);
    assert_false(log->timestamps);
    assert_int_equal(log->buffer_size, LOGRING_SIZE_DEFAULT);
    assert_null(log->path);
    assert_int_equal(log->max_size, 10 << 20);
    assert_int_equal(log->max_age_ms, 0);
    assert_int_equal(log->max_file, 5);
    assert_false(log->compress);
    assert_int_equal(log->file_mode, 0640);
    assert_int_equal(log->directory_mode, 0750);
    assert_null(log->user.text);
    assert_string_equal(log->address, "/dev/log");
    assert_int_equal(log->facility, 3);
    assert_null(log->tag);
}

static void has_defaults_without_a_word(void **state)
{
    static struct config_bench b;
    const struct spec *web = config_bench_service(&b, "services: { web: { command: run } }\n");

    (void)state;
    assert_false(web->log_split);
    assert_defaults(&web->log[SPEC_STREAM_OUT]);
    assert_defaults(&web->log[SPEC_STREAM_ERR]);
    config_bench_done(&b);
}

static void reads_files(void **state)
{
    static const struct config_entry env[] = {{"DIR", "/srv"}, {NULL, NULL}};
    static struct config_bench b = {.env = env};
    const struct spec *web = config_bench_service(
        &b, WEB "logging:\n      driver: file\n      options:\n        path: ${DIR}/{service}/$${name}.log\n"
                "        max-size: '20m'\n        max-file: '7'\n        max-age: 1d\n        compress: 'true'\n"
                "        file-mode: 0600\n        directory-mode: '0711'\n        user: app:audio\n"
                "        timestamps: true\n        format: json\n        mode: non-blocking\n"
                "        max-buffer-size: 1m\n");
    const struct spec_log *log = &web->log[SPEC_STREAM_OUT];

    (void)state;
    assert_int_equal(log->driver, SPEC_LOG_FILE);
    assert_string_equal(log->path, "/srv/{service}/${name}.log");
    assert_int_equal(log->max_size, 20 << 20);
    assert_int_equal(log->max_file, 7);
    assert_int_equal(log->max_age_ms, 86400000);
    assert_true(log->compress);
    assert_int_equal(log->file_mode, 0600);
    assert_int_equal(log->directory_mode, 0711);
    assert_int_equal(log->user.uid, 1000);
    assert_int_equal(log->user.gid, 44);
    assert_true(log->timestamps);
    assert_int_equal(log->format, SPEC_LOG_JSON);
    assert_int_equal(log->mode, SPEC_LOG_DROP);
    assert_int_equal(log->buffer_size, 1 << 20);
    assert_false(web->log_split);
    config_bench_done(&b);
}

static void rounds_buffers_up(void **state)
{
    static const struct {
        const char *text;
        int64_t size;
    } cases[] = {{"4k", 4096}, {"4097", 8192}, {"64k", 65536}, {"65537", 131072}, {"63m", 64 << 20}, {"64m", 64 << 20}};
    static struct config_bench b;
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, WEB "logging: { options: { max-buffer-size: %s } }\n", cases[i].text);
        assert_int_equal(config_bench_service(&b, text)->log[SPEC_STREAM_OUT].buffer_size, cases[i].size);
    }
    config_bench_done(&b);
}

static void reads_addresses_facilities_and_tags(void **state)
{
    static const struct {
        const char *options, *address;
        int facility;
        const char *tag;
        enum spec_syslog_format format;
    } cases[] = {
        {"{ syslog-address: /run/log, syslog-facility: kern, tag: Web-1.x@y_z }", "/run/log", 0, "Web-1.x@y_z", 0},
        {"{ syslog-address: 'unix:///dev/log', syslog-facility: authpriv }", "/dev/log", 10, NULL, 0},
        {"{ syslog-address: 'unixgram:///a b', syslog-facility: ftp }", "/a b", 11, NULL, 0},
        {"{ syslog-facility: local0, syslog-format: rfc5424 }", "/dev/log", 16, NULL, SPEC_SYSLOG_RFC5424},
        {"{ syslog-facility: local7, syslog-format: rfc3164 }", "/dev/log", 23, NULL, SPEC_SYSLOG_RFC3164},
    };
    static struct config_bench b;
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, WEB "logging: { driver: syslog, options: %s }\n", cases[i].options);
        const struct spec_log *log = &config_bench_service(&b, text)->log[SPEC_STREAM_OUT];
        assert_int_equal(log->driver, SPEC_LOG_SYSLOG);
        assert_string_equal(log->address, cases[i].address);
        assert_int_equal(log->facility, cases[i].facility);
        assert_int_equal(log->syslog_format, cases[i].format);
        assert_string_equal(log->tag ? log->tag : "(none)", cases[i].tag ? cases[i].tag : "(none)");
    }
    config_bench_done(&b);
}

/* Standard error apart has defaults of its own. */
static void keeps_stderr_apart(void **state)
{
    static struct config_bench b;
    const struct spec *web =
        config_bench_service(&b, WEB "logging: { driver: file, options: { path: /a, max-size: 1m },\n"
                                     "      stderr: { driver: file, options: { path: /b, compress: true } } }\n");

    (void)state;
    assert_true(web->log_split);
    assert_string_equal(web->log[SPEC_STREAM_OUT].path, "/a");
    assert_int_equal(web->log[SPEC_STREAM_OUT].max_size, 1 << 20);
    assert_false(web->log[SPEC_STREAM_OUT].compress);
    assert_string_equal(web->log[SPEC_STREAM_ERR].path, "/b");
    assert_int_equal(web->log[SPEC_STREAM_ERR].max_size, 10 << 20);
    assert_true(web->log[SPEC_STREAM_ERR].compress);

    web = config_bench_service(&b, WEB "logging: { driver: journald, stderr: { driver: none } }\n");
    assert_true(web->log_split);
    assert_int_equal(web->log[SPEC_STREAM_OUT].driver, SPEC_LOG_JOURNALD);
    assert_int_equal(web->log[SPEC_STREAM_ERR].driver, SPEC_LOG_NONE);

    web = config_bench_service(&b, WEB "logging: { driver: none, stderr: {} }\n");
    assert_true(web->log_split);
    assert_defaults(&web->log[SPEC_STREAM_ERR]);
    config_bench_done(&b);
}

static void inherits_options(void **state)
{
    static struct config_bench b;
    const struct spec *s;

    (void)state;
    config_bench_service(&b, "defaults: { logging: { driver: file, options: { path: '/l/{service}', max-file: 9,"
                             " mode: drop } } }\n"
                             "services:\n"
                             "  a: { command: a }\n"
                             "  b: { command: b, logging: { options: { max-file: 3 } } }\n"
                             "  c: { extends: b, logging: { options: { path: /c }, stderr: { driver: inherit } } }\n");
    s = b.set->services;
    assert_string_equal(s[0].log[0].path, "/l/{service}");
    assert_int_equal(s[0].log[0].max_file, 9);
    assert_string_equal(s[1].log[0].path, "/l/{service}");
    assert_int_equal(s[1].log[0].max_file, 3);
    assert_int_equal(s[1].log[0].mode, SPEC_LOG_DROP);
    assert_false(s[1].log_split);
    assert_string_equal(s[2].log[0].path, "/c");
    assert_int_equal(s[2].log[0].max_file, 3);
    assert_true(s[2].log_split);
    config_bench_done(&b);
}

/* Who takes another driver than what he begins with need not take its options back, and has none of them. */
static void options_of_another_driver_are_not_inherited(void **state)
{
    static struct config_bench b;

    (void)state;
    config_bench_service(
        &b, "defaults: { logging: { driver: file, options: { path: '/l/{service}', max-size: 5m, user: app,"
            " timestamps: true, mode: drop }, stderr: { options: { format: json } } } }\n"
            "services:\n"
            "  a: { command: a, logging: { driver: stdout, stderr: { driver: none } } }\n"
            "  b: { extends: a, logging: { driver: inherit, options: {}, stderr: { driver: syslog } } }\n");
    const struct spec *a = &b.set->services[0], *other = &b.set->services[1];
    assert_null(a->log[0].path);
    assert_null(a->log[0].user.text);
    assert_int_equal(a->log[0].max_size, 10 << 20);
    assert_true(a->log[0].timestamps); /* these two it has a use for */
    assert_int_equal(a->log[0].mode, SPEC_LOG_DROP);
    assert_int_equal(a->log[1].format, SPEC_LOG_TEXT);
    assert_false(other->log[0].timestamps);
    assert_int_equal(other->log[0].mode, SPEC_LOG_BLOCKING);
    assert_int_equal(other->log[1].driver, SPEC_LOG_SYSLOG);

    /* What is for those who write files does no harm to the others. */
    config_bench_service(&b, "defaults: { logging: { options: { max-size: 5m } } }\nservices: { a: { command: a } }\n");
    assert_defaults(&b.set->services[0].log[0]);
    config_bench_done(&b);
}

static void refuses_bad_values(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "logging: { driver: json-file }\n", "f.yaml:4:24: `json-file` is a driver of Docker's; write `driver: "
                                                 "file`, and in `options` `format: json` and a "
                                                 "`path`\n"},
        {WEB "logging: { stderr: { driver: local } }\n",
         "f.yaml:4:34: `local` is a driver of Docker's; write `driver: file`, and in `options` a `path`\n"},
        {WEB "logging: { driver: fluentd }\n",
         "f.yaml:4:24: `fluentd` is not a value of `driver`; it takes one of stdout, inherit, file, syslog, journald, "
         "none\n"},
        {WEB "logging: { driver: [file] }\n", "f.yaml:4:24: `driver` is a list; it takes one word\n"},
        {WEB "logging: { path: /a }\n",
         "f.yaml:4:16: unknown key `path` in `logging`; it is a key of `options` of `logging`\n"},
        {WEB "logging: { options: { max_size: 1m } }\n",
         "f.yaml:4:27: unknown key `max_size` in `options`; did you mean `max-size`?\n"},
        {WEB "logging: { options: [], stderr: none }\n", "f.yaml:4:25: `options` is a list; it takes a map\n"
                                                         "f.yaml:4:37: `stderr` is a single value; it takes a map\n"},
        {WEB "logging: { options: { mode: lossy, format: xml, max-buffer-size: 65m } }\n",
         "f.yaml:4:33: `lossy` is not a value of `mode`; it takes one of blocking, drop, non-blocking\n"
         "f.yaml:4:48: `xml` is not a value of `format`; it takes one of text, json\n"
         "f.yaml:4:70: `65m` is out of range for `max-buffer-size`; it takes 4k to 64m\n"},
        {WEB "logging: { driver: file, options: { path: log/a, max-file: 0, file-mode: 1777 } }\n",
         "f.yaml:4:47: `log/a` of `path` is relative; write an absolute path\n"
         "f.yaml:4:64: `0` is out of range for `max-file`; it takes 1 to 10000\n"
         "f.yaml:4:78: `1777` is out of range for `file-mode`; it takes 000 to 777\n"},
        {WEB "logging: { driver: syslog, options: { syslog-address: 'udp://10.0.0.1:514' } }\n",
         "f.yaml:4:59: `udp://10.0.0.1:514` is not the path of a socket, and only local sockets are supported; write "
         "e.g. /dev/log, and let the syslog daemon send messages on\n"},
        {WEB "logging: { driver: syslog, options: { syslog-address: 'unix://dev/log' } }\n",
         "f.yaml:4:59: `unix://dev/log` is not the path of a socket, and only local sockets are supported; write e.g. "
         "/dev/log, and let the syslog daemon send messages on\n"},
        {WEB "logging: { driver: syslog, options: { syslog-facility: local8, tag: 'a b' } }\n",
         "f.yaml:4:60: `local8` is not a value of `syslog-facility`; did you mean `local0`? (it takes one of kern, "
         "user, "
         "mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, local0, local1, local2, local3, local4, "
         "local5, local6, local7)\n"
         "f.yaml:4:73: `a b` is not a name; write letters, digits, _ . @ -, at most 64\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void expands_paths(void **state)
{
    static const struct {
        const char *path, *expected;
    } cases[] = {
        {"/var/log/web.log", "/var/log/web.log"},
        {"/l/{name}.log", "/l/web.2.log"},
        {"/{service}/{name}{name}{service}", "/web/web.2web.2web"},
        {"/{nam}{services}{service", "/{nam}{services}{service"}, /* refused when the file is read */
    };
    struct spec_log log;
    char buf[64];

    (void)state;
    log_keys_defaults(&log);
    assert_false(log_path(&log, "web.2", "web", buf, sizeof buf));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = strlen(cases[i].expected);
        log.path = cases[i].path;
        assert_true(log_path(&log, "web.2", "web", buf, sizeof buf));
        assert_string_equal(buf, cases[i].expected);
        assert_true(log_path(&log, "web.2", "web", buf, len + 1));
        assert_false(log_path(&log, "web.2", "web", buf, len));
        assert_false(log_path(&log, "web.2", "web", buf, 1));
    }
}

/* Each option has at least one driver that takes it, and inherit and none take none. */
static void every_option_has_a_driver(void **state)
{
    const struct schema_row *row = NULL;
    size_t n_rows = 0;

    (void)state;
    while ((row = schema_next(SCHEMA_LOG_OPTIONS, row))) {
        unsigned n = 0;
        for (unsigned driver = 0; driver < SPEC_LOG_N; driver++)
            n += log_keys_takes(row->key, driver);
        assert_true(n > 0);
        assert_false(log_keys_takes(row->key, SPEC_LOG_INHERIT));
        assert_false(log_keys_takes(row->key, SPEC_LOG_NONE));
        n_rows++;
    }
    assert_int_equal(n_rows, 16);
    assert_false(log_keys_takes("driver", SPEC_LOG_FILE));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_defaults_without_a_word),
        cmocka_unit_test(reads_files),
        cmocka_unit_test(rounds_buffers_up),
        cmocka_unit_test(reads_addresses_facilities_and_tags),
        cmocka_unit_test(keeps_stderr_apart),
        cmocka_unit_test(inherits_options),
        cmocka_unit_test(options_of_another_driver_are_not_inherited),
        cmocka_unit_test(refuses_bad_values),
        cmocka_unit_test(expands_paths),
        cmocka_unit_test(every_option_has_a_driver),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

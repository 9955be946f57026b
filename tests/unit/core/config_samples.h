/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * For every key of the table a value that is not its default, as a whole file. A test checks that no
 * key is forgotten.
 */
#ifndef FOSTER_TESTS_UNIT_CORE_CONFIG_SAMPLES_H
#define FOSTER_TESTS_UNIT_CORE_CONFIG_SAMPLES_H

#include "core/schema.h"

/** One key with another value than its default. */
struct config_sample {
    enum schema_section section;
    const char *key;
    const char *text; /**< a file like config_sample_plain but for that value */
};

#define CONFIG_SAMPLE_DB  "  db:\n    command: db\n"
#define CONFIG_SAMPLE_WEB "services:\n" CONFIG_SAMPLE_DB "  web:\n    command: run\n"
#define SERVICE_SAMPLE(key, value)                                                                                     \
    {                                                                                                                  \
        SCHEMA_SERVICE, key, CONFIG_SAMPLE_WEB "    " key ": " value "\n"                                              \
    }
#define RESTART_SAMPLE(key, value)                                                                                     \
    {                                                                                                                  \
        SCHEMA_RESTART, key, CONFIG_SAMPLE_WEB "    restart: { " key ": " value " }\n"                                 \
    }
#define STEP_SAMPLE(key, value)                                                                                        \
    {                                                                                                                  \
        SCHEMA_STOP_STEP, key, CONFIG_SAMPLE_WEB "    stop_signal: [" value "]\n"                                      \
    }
#define ULIMIT_SAMPLE(key, value)                                                                                      \
    {                                                                                                                  \
        SCHEMA_ULIMIT, key, CONFIG_SAMPLE_WEB "    ulimits: { nofile: { " value " } }\n"                               \
    }
#define ZOMBIES_SAMPLE(key, value)                                                                                     \
    {                                                                                                                  \
        SCHEMA_ZOMBIES, key, CONFIG_SAMPLE_WEB "    zombies: { " key ": " value " }\n"                                 \
    }
#define SUPERVISOR_ZOMBIES_SAMPLE(key, value)                                                                          \
    {                                                                                                                  \
        SCHEMA_SUPERVISOR_ZOMBIES, key, CONFIG_SAMPLE_WEB "supervisor: { zombies: { " key ": " value " } }\n"          \
    }
#define READY_SAMPLE(key, value)                                                                                       \
    {                                                                                                                  \
        SCHEMA_READY, key, CONFIG_SAMPLE_WEB "    ready: { " key ": " value " }\n"                                     \
    }
#define HEALTH_SAMPLE(key, value)                                                                                      \
    {                                                                                                                  \
        SCHEMA_HEALTHCHECK, key, CONFIG_SAMPLE_WEB "    healthcheck: { " value " }\n"                                  \
    }
#define HOOK_SAMPLE(key, value)                                                                                        \
    {                                                                                                                  \
        SCHEMA_HOOK, key, CONFIG_SAMPLE_WEB "    post_stop: [{ " value " }]\n"                                         \
    }
#define RELOAD_SAMPLE(key, value)                                                                                      \
    {                                                                                                                  \
        SCHEMA_RELOAD, key, CONFIG_SAMPLE_WEB "    reload: { " key ": " value " }\n"                                   \
    }
#define SOCKET_SAMPLE(key, value)                                                                                      \
    {                                                                                                                  \
        SCHEMA_SOCKET, key, CONFIG_SAMPLE_WEB "    sockets: [{ " value " }]\n"                                         \
    }
#define SCHEDULE_SAMPLE(key, value)                                                                                    \
    {                                                                                                                  \
        SCHEMA_SCHEDULE, key, CONFIG_SAMPLE_WEB "    type: oneshot\n    schedule: { " value " }\n"                     \
    }
#define LOG_SAMPLE(key, driver, value)                                                                                 \
    {                                                                                                                  \
        SCHEMA_LOG_OPTIONS, key, CONFIG_SAMPLE_WEB "    logging: { driver: " driver ", options: { " value " } }\n"     \
    }
#define SUPERVISOR_SAMPLE(key, value)                                                                                  \
    {                                                                                                                  \
        SCHEMA_SUPERVISOR, key, CONFIG_SAMPLE_WEB "supervisor: { " key ": " value " }\n"                               \
    }

/** The file that the samples differ from. */
static const char config_sample_plain[] = CONFIG_SAMPLE_WEB;

static const struct config_sample config_samples[] = {
    {SCHEMA_TOP, "name", "name: shop\n" CONFIG_SAMPLE_WEB},
    {SCHEMA_TOP, "services", CONFIG_SAMPLE_WEB "  third: { command: t }\n"},
    {SCHEMA_TOP, "defaults", "defaults: { umask: 077 }\n" CONFIG_SAMPLE_WEB},
    {SCHEMA_TOP, "supervisor", CONFIG_SAMPLE_WEB "    essential: true\nsupervisor: { exit_when: essential }\n"},
    SERVICE_SAMPLE("entrypoint", "[sh, -c]"),
    SERVICE_SAMPLE("type", "oneshot"),
    SERVICE_SAMPLE("environment", "{ A: 1, B: null, C: '' }"),
    SERVICE_SAMPLE("clear_env", "[PATH]"),
    SERVICE_SAMPLE("working_dir", "/srv/x y"),
    SERVICE_SAMPLE("user", "app:audio"),
    SERVICE_SAMPLE("group_add", "[video, 7]"),
    SERVICE_SAMPLE("umask", "027"),
    SERVICE_SAMPLE("nice", "-20"),
    SERVICE_SAMPLE("oom_score_adj", "0"),
    SERVICE_SAMPLE("cap_add", "[net_admin, CAP_KILL]"),
    SERVICE_SAMPLE("cap_drop", "[ALL]"),
    SERVICE_SAMPLE("security_opt", "['no-new-privileges:true']"),
    SERVICE_SAMPLE("ulimits", "{ stack: 8m, core: unlimited, nofile: { soft: 1024, hard: -1 } }"),
    SERVICE_SAMPLE("pids_limit", "200"),
    SERVICE_SAMPLE("mem_limit", "1.5g"),
    SERVICE_SAMPLE("cpus", "0.75"),
    SERVICE_SAMPLE("zombies", "{ limit: 5, action: reap }"),
    SERVICE_SAMPLE("depends_on", "[db]"),
    SERVICE_SAMPLE("start_timeout", "0"),
    SERVICE_SAMPLE("ready", "{ log: '[Rr]eady (on )?\"[0-9]{2,5}\"$$' }"),
    SERVICE_SAMPLE("healthcheck", "{ test: \"redis-cli ping | grep PONG\", retries: 1, start_period: 1m }"),
    SERVICE_SAMPLE("on_unhealthy", "shutdown"),
    SERVICE_SAMPLE("watchdog", "1500ms"),
    SERVICE_SAMPLE("pre_start", "[a b, [c, -d], { command: e }]"),
    SERVICE_SAMPLE("post_start", "[{ command: sh -c x, user: app, environment: { A: null, B: '$$' }, timeout: 0 }]"),
    SERVICE_SAMPLE("pre_stop", "[{ command: [a, ''], working_dir: /x y }]"),
    SERVICE_SAMPLE("post_stop", "[a]"),
    SERVICE_SAMPLE("reload", "{ signal: HUP }"),
    SERVICE_SAMPLE("sockets", "[8080, '[0:0::1]:80', udp:127.0.0.1:53, /run/x y, 'seqpacket:/run/z']"),
    SERVICE_SAMPLE("schedule", "{ every: 1h }\n    type: oneshot"),
    SERVICE_SAMPLE("restart", "no"),
    SERVICE_SAMPLE("success_exit_codes", "[0, 2, SIGTERM]"),
    SERVICE_SAMPLE("no_restart_exit_codes", "[78]"),
    SERVICE_SAMPLE("essential", "true"),
    SERVICE_SAMPLE("on_success", "shutdown"),
    SERVICE_SAMPLE("on_failure", "shutdown"),
    SERVICE_SAMPLE("stop_signal", "[{ signal: USR1, wait: 1s }, TERM]"),
    SERVICE_SAMPLE("stop_grace_period", "1m30s"),
    SERVICE_SAMPLE("kill_mode", "main"),
    SERVICE_SAMPLE("orphans", "ignore"),
    SERVICE_SAMPLE("pid_file", "/run/web.pid"),
    SERVICE_SAMPLE("scale", "0"),
    SERVICE_SAMPLE("profiles", "[debug]"),
    SERVICE_SAMPLE("autostart", "false"),
    SERVICE_SAMPLE("labels", "{ '<<': '*x', a: $$b }"),
    SERVICE_SAMPLE("logging", "{ driver: inherit, stderr: { driver: none } }"),
    {SCHEMA_SERVICE, "command", "services:\n" CONFIG_SAMPLE_DB "  web:\n    command: run -v ''\n"},
    {SCHEMA_SERVICE, "extends", "services:\n" CONFIG_SAMPLE_DB "  web:\n    extends: db\n"},
    RESTART_SAMPLE("policy", "always"),
    RESTART_SAMPLE("delay", "1500ms"),
    RESTART_SAMPLE("factor", "1.7"),
    RESTART_SAMPLE("max_delay", "1h"),
    RESTART_SAMPLE("jitter", "0.123456789012345678"),
    RESTART_SAMPLE("max_attempts", "1000000"),
    RESTART_SAMPLE("reset_after", "30d"),
    STEP_SAMPLE("signal", "INT"),
    STEP_SAMPLE("wait", "{ signal: TERM, wait: 3s }"),
    ULIMIT_SAMPLE("soft", "soft: 3, hard: 5"),
    ULIMIT_SAMPLE("hard", "soft: 0, hard: unlimited"),
    ZOMBIES_SAMPLE("limit", "1"),
    ZOMBIES_SAMPLE("action", "off"),
    {SCHEMA_DEP, "condition", CONFIG_SAMPLE_WEB "    depends_on: { db: { condition: service_completed } }\n"},
    {SCHEMA_DEP, "required", CONFIG_SAMPLE_WEB "    depends_on: { db: { required: false } }\n"},
    {SCHEMA_DEP, "restart", CONFIG_SAMPLE_WEB "    depends_on: { db: { restart: true } }\n"},
    READY_SAMPLE("notify", "true"),
    READY_SAMPLE("fd", "3"),
    READY_SAMPLE("log", "ready"),
    READY_SAMPLE("tcp", "localhost:1"),
    READY_SAMPLE("http", "'http://[::1]'"),
    READY_SAMPLE("exec", "pg_isready -q"),
    READY_SAMPLE("after", "1ms"),
    HEALTH_SAMPLE("test", "test: [CMD, a, '', b c]"),
    HEALTH_SAMPLE("tcp", "tcp: 127.0.0.1:65535"),
    HEALTH_SAMPLE("http", "http: 'http://localhost:8080/a?b=%20'"),
    HEALTH_SAMPLE("interval", "tcp: localhost:1, interval: 1ms"),
    HEALTH_SAMPLE("timeout", "tcp: localhost:1, timeout: 2s"),
    HEALTH_SAMPLE("retries", "tcp: localhost:1, retries: 1000000"),
    HEALTH_SAMPLE("start_period", "tcp: localhost:1, start_period: 1s"),
    HEALTH_SAMPLE("start_interval", "tcp: localhost:1, start_interval: 30d"),
    HOOK_SAMPLE("command", "command: [a, b]"),
    HOOK_SAMPLE("user", "command: a, user: '7:8'"),
    HOOK_SAMPLE("environment", "command: a, environment: [A=1, B]"),
    HOOK_SAMPLE("working_dir", "command: a, working_dir: /"),
    HOOK_SAMPLE("timeout", "command: a, timeout: 1.5s"),
    RELOAD_SAMPLE("signal", "RTMIN+1"),
    RELOAD_SAMPLE("command", "[nginx, -s, reload]"),
    SOCKET_SAMPLE("listen", "listen: udp:5353"),
    SOCKET_SAMPLE("name", "listen: 80, name: 'http and more'"),
    SOCKET_SAMPLE("mode", "listen: /x, mode: 0"),
    SOCKET_SAMPLE("user", "listen: 'datagram:/x', user: app:audio"),
    SOCKET_SAMPLE("backlog", "listen: 80, backlog: 1"),
    SCHEDULE_SAMPLE("every", "every: 1s"),
    SCHEDULE_SAMPLE("cron", "cron: '*/5 0-4,7 1 JAN-mar sun'"),
    SCHEDULE_SAMPLE("overlap", "every: 90m, overlap: queue"),
    {SCHEMA_LOGGING, "driver", CONFIG_SAMPLE_WEB "    logging: { driver: none }\n"},
    {SCHEMA_LOGGING, "options", CONFIG_SAMPLE_WEB "    logging: { options: { mode: drop, format: json } }\n"},
    {SCHEMA_LOGGING, "stderr", CONFIG_SAMPLE_WEB "    logging: { stderr: {} }\n"},
    {SCHEMA_LOG_STDERR, "driver", CONFIG_SAMPLE_WEB "    logging: { stderr: { driver: syslog } }\n"},
    {SCHEMA_LOG_STDERR, "options", CONFIG_SAMPLE_WEB "    logging: { stderr: { options: { timestamps: true } } }\n"},
    LOG_SAMPLE("path", "file", "path: '/var/log/a b.log'"),
    LOG_SAMPLE("max-size", "file", "path: /l, max-size: 4k"),
    LOG_SAMPLE("max-file", "file", "path: /l, max-file: 10000"),
    LOG_SAMPLE("max-age", "file", "path: /l, max-age: 1d"),
    LOG_SAMPLE("compress", "file", "path: /l, compress: true"),
    LOG_SAMPLE("file-mode", "file", "path: /l, file-mode: '0200'"),
    LOG_SAMPLE("directory-mode", "file", "path: /l, directory-mode: 0777"),
    LOG_SAMPLE("user", "file", "path: /l, user: app:audio"),
    LOG_SAMPLE("format", "stdout", "format: json"),
    LOG_SAMPLE("timestamps", "stdout", "timestamps: true"),
    LOG_SAMPLE("mode", "stdout", "mode: non-blocking"),
    LOG_SAMPLE("max-buffer-size", "stdout", "max-buffer-size: 65537"),
    LOG_SAMPLE("syslog-address", "syslog", "syslog-address: unixgram:///run/log"),
    LOG_SAMPLE("syslog-format", "syslog", "syslog-format: rfc3164"),
    LOG_SAMPLE("syslog-facility", "syslog", "syslog-facility: local7"),
    LOG_SAMPLE("tag", "journald", "tag: web-2.x"),
    SUPERVISOR_SAMPLE("exit_when", "never"),
    SUPERVISOR_SAMPLE("stop_timeout", "25s"),
    SUPERVISOR_SAMPLE("log_level", "error"),
    SUPERVISOR_SAMPLE("log_format", "json"),
    SUPERVISOR_SAMPLE("subreaper", "false"),
    SUPERVISOR_SAMPLE("state_dir", "/var/lib/foster"),
    SUPERVISOR_SAMPLE("control", "/run/shop.sock"),
    SUPERVISOR_SAMPLE("control_mode", "0660, control_group: shop"),
    SUPERVISOR_SAMPLE("control_group", "1000"),
    SUPERVISOR_SAMPLE("require_limits", "true"),
    SUPERVISOR_SAMPLE("cgroup", "off"),
    SUPERVISOR_SAMPLE("zombies", "{ limit: 4194304, action: nudge }"),
    SUPERVISOR_ZOMBIES_SAMPLE("check", "1s"),
    SUPERVISOR_ZOMBIES_SAMPLE("limit", "1"),
    SUPERVISOR_ZOMBIES_SAMPLE("action", "off"),
};

/** Keys without a sample: they name other files, mean nothing, or say that nothing is meant. */
static const struct config_sample config_unsampled[] = {
    {SCHEMA_TOP, "include", NULL},   {SCHEMA_TOP, "version", NULL},         {SCHEMA_SERVICE, "env_file", NULL},
    {SCHEMA_ENV_FILE, "path", NULL}, {SCHEMA_ENV_FILE, "required", NULL},   {SCHEMA_EXTENDS, "service", NULL},
    {SCHEMA_EXTENDS, "file", NULL},  {SCHEMA_HEALTHCHECK, "disable", NULL},
};

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * G: a whole shop. PostgreSQL, redis, a slow server in Python and nginx in one file, with conditions between them: what
 * waits for what, what each makes of the end of the database, and how they come back.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/daemons.h"
#include "scenario/support/fosterctl.h"
#include "scenario/support/procs.h"

#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOP_TEXT_MAX = 6144 };

/* Its socket is what the health of the server hangs on. It takes its time to come up, as such servers do. */
static const char shop_server[] =
    "import http.server, socket, sys, time\n"
    "time.sleep(0.2)\n"
    "class Shop(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        db = socket.socket(socket.AF_UNIX)\n"
    "        try:\n"
    "            db.connect(sys.argv[2])\n"
    "            self.send_response(200)\n"
    "        except OSError as e:\n"
    "            self.send_response(503)\n"
    "        db.close()\n"
    "        self.end_headers()\n"
    "        self.wfile.write(b'shop')\n"
    "    def log_message(self, *args):\n"
    "        pass\n"
    "http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Shop).serve_forever()\n";

static const char shop_nginx[] = "daemon off;\npid @DIR@/nginx.pid;\nerror_log @DIR@/error.log;\nworker_processes 1;\n"
                                 "events {}\nhttp {\n  access_log off;\n  client_body_temp_path @DIR@/t1;\n"
                                 "  proxy_temp_path @DIR@/t2;\n  fastcgi_temp_path @DIR@/t3;\n"
                                 "  uwsgi_temp_path @DIR@/t4;\n  scgi_temp_path @DIR@/t5;\n  server {\n"
                                 "    listen 127.0.0.1:%d;\n    location = /alive { return 200 alive; }\n"
                                 "    location / { proxy_pass http://127.0.0.1:%d; }\n  }\n}\n";

static const char shop_yaml[] =
    "services:\n"
    "  db:\n"
    "    user: postgres\n"
    "    command: %s -D @DIR@/data -k @DIR@/data -c listen_addresses='' -c fsync=off -c shared_buffers=1MB\n"
    "      -c max_connections=10 -c dynamic_shared_memory_type=mmap\n"
    "    %s\n"
    "    stop_signal: SIGINT\n"
    "    restart: no\n"
    "    pre_start:\n"
    "      - { command: install -d -o postgres -m 700 @DIR@/data, user: root }\n"
    "      - sh -c 'test -e @DIR@/data/PG_VERSION || exec %s -D @DIR@/data -A trust --no-sync -E UTF8 --locale=C "
    ">/dev/null'\n"
    "    healthcheck: { test: [CMD, %s, -q, -h, @DIR@/data], interval: 50ms, timeout: 20s }\n"
    "  cache:\n"
    "    command: %s --bind 127.0.0.1 --port %d --save '' --dir @DIR@\n"
    "    ready: { tcp: \"127.0.0.1:%d\" }\n"
    "  app:\n"
    "    command: %s @DIR@/shop.py %d @DIR@/data/.s.PGSQL.5432\n"
    "    depends_on:\n"
    "      db: { condition: service_healthy, restart: true }\n"
    "      cache: { condition: service_ready }\n"
    "    ready: { http: \"http://localhost:%d/\" }\n"
    "    healthcheck: { http: \"http://localhost:%d/\", interval: 50ms, timeout: 20s, retries: 2 }\n"
    "    restart: { policy: on-failure, delay: 10ms }\n"
    "  web:\n"
    "    command: %s -e @DIR@/error.log -c @DIR@/nginx.conf\n"
    "    stop_signal: SIGQUIT\n"
    "    depends_on: { app: { condition: service_healthy } }\n"
    "    ready: { http: \"http://127.0.0.1:%d/alive\" }\n"
    "    healthcheck: { http: \"http://127.0.0.1:%d/\", interval: 50ms, timeout: 20s, retries: 1 }\n"
    "    on_unhealthy: ignore\n";

/** PostgreSQL's program NAME, which distributions keep out of the PATH. */
static const char *postgres_program(const char *name)
{
    static char path[4][256];
    static unsigned next;
    static const char *const dirs[] = {"/usr/lib/postgresql/*/bin", "/usr/libexec/postgresql*", "/usr/bin"};
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        glob_t found;
        char pattern[256];
        (void)snprintf(pattern, sizeof(pattern), "%s/%s", dirs[i], name);
        if (glob(pattern, 0, NULL, &found) == 0) {
            char *ret = path[next++ % 4];
            (void)snprintf(ret, sizeof(path[0]), "%s", found.gl_pathv[0]);
            globfree(&found);
            return ret;
        }
        globfree(&found);
    }
    scenario_skip("%s of PostgreSQL is not installed", name);
    return NULL;
}

/** Whether the program PATH knows sd_notify(3), as most distributions build PostgreSQL. */
static bool speaks_notify(const char *path)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "grep -q sd_notify '%s'", path);
    return system(command) == 0; /* NOLINT(cert-env33-c): a word of ours and a path without quotes */
}

static struct scenario *open_shop(void)
{
    char text[SHOP_TEXT_MAX];
    struct scenario *s = scenario_new();
    if (geteuid() != 0) {
        scenario_skip("needs root: PostgreSQL runs as a user of its own");
    }
    if (!getpwnam("postgres")) {
        scenario_skip("there is no user postgres");
    }
    const char *postgres = postgres_program("postgres"), *initdb = postgres_program("initdb");
    const char *isready = postgres_program("pg_isready");
    int cache = daemons_port(), app = daemons_port(), web = daemons_port();
    assert_int_equal(chmod(scenario_dir(s), 0711), 0);
    (void)scenario_write(s, "shop.py", 0644, shop_server);
    (void)snprintf(text, sizeof(text), shop_nginx, web, app);
    (void)scenario_write(s, "nginx.conf", 0644, text);
    (void)snprintf(text, sizeof(text), shop_yaml, postgres,
                   speaks_notify(postgres) ? "type: notify" : "ready: { exec: [pg_isready, -q, -h, @DIR@/data] }",
                   initdb, isready, daemons_program(s, "redis-server"), cache, cache, daemons_program(s, "python3"),
                   app, app, app, daemons_program(s, "nginx"), web, web);
    scenario_spawn(s, NULL, text);
    return s;
}

static void g20_each_waits_for_what_it_needs(void **state)
{
    (void)state;
    struct scenario *s = open_shop();
    size_t db = scenario_wait_text(s, "health", "db", "healthy: exited")->seq;
    size_t cache = scenario_wait(s, "ready", "cache")->seq;
    const struct scenario_event *app = scenario_wait(s, "started", "app");
    scenario_check(s, app->seq > db && app->seq > cache);
    (void)scenario_wait(s, "ready", "app");
    size_t healthy = scenario_wait_text(s, "health", "app", "healthy: HTTP")->seq;
    pid_t web = scenario_wait(s, "started", "web")->pid;
    scenario_check(s, scenario_wait(s, "ready", "web")->seq > healthy);
    (void)scenario_wait_text(s, "health", "web", "healthy: HTTP");
    scenario_check(s, fosterctl_run(s, "health").code == 0);
    struct command plot = fosterctl_run(s, "plot");
    scenario_check(s, plot.code == 0 && strstr(plot.out, "<svg ") && strstr(plot.out, "cache"));

    /* The end of the database: who has no policy but to fail with it, does; who was told to bear it, bears it. */
    assert_int_equal(kill(scenario_read_pid(s, "data/postmaster.pid"), SIGKILL), 0);
    (void)scenario_wait(s, "failed", "db");
    (void)scenario_wait_text(s, "health", "app", "failed in a row");
    (void)scenario_wait_text(s, "failed", "app", "dependency db failed: killed by SIGKILL");
    (void)scenario_wait_text(s, "health", "web", "failed in a row");
    scenario_check(s, procs_is_alive(web) && scenario_count(s, "started", "web") == 1);
    scenario_check(s, scenario_count(s, "started", "cache") == 1);
    scenario_check(s, fosterctl_run(s, "health").code == 3);

    /* It comes back, and takes with it what has failed because of it. */
    fosterctl_says(s, "db: ready in *s\n", "start", "db");
    scenario_check(s, scenario_wait(s, "ready", "app")->seq >
                          scenario_wait_text(s, "health", "db", "healthy: exited")->seq);
    (void)scenario_wait_text(s, "health", "web", "healthy: HTTP");
    scenario_check(s, procs_is_alive(web) && scenario_count(s, "started", "web") == 1);
    scenario_check(s, fosterctl_run(s, "wait", "--for=healthy", "app", "web").code == 0);
    scenario_check(s, fosterctl_run(s, "health").code == 0);
    /* A check that is under way has descriptors of its own, so they are not counted as scenario_stop() would. */
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {SCENARIO(g20_each_waits_for_what_it_needs)};
    return SCENARIO_RUN("g_shop", tests);
}

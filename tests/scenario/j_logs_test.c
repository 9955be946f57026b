/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * J: what services write, with real processes: everyone may be killed, a disk may be full, and lines may be anything.
 */
#include "scenario/support/scenario.h"

#include "fixtures/tally.h"
#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"
#include "support/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KILLS_LONG = 1000, GROWTH_MAX = 40000, TURNS_MAX = 100, LINES_A_RUN = 3000, GUARD_LONG_MS = 600000 };

/* Whether FILE holds the lines 1 to N, each once and in order. */
static void check_numbers(struct scenario *s, const char *file, long n)
{
    FILE *f = fopen(scenario_path(s, file), "r");
    char line[64], wanted[64];
    long i = 0;
    scenario_check(s, f != NULL);
    while (fgets(line, sizeof(line), f) != NULL) {
        (void)snprintf(wanted, sizeof(wanted), "%ld\n", ++i);
        if (strcmp(line, wanted) != 0) {
            scenario_fail(s, "%s has \"%s\" as line %ld", file, line, i);
        }
    }
    (void)fclose(f);
    if (i != n) {
        scenario_fail(s, "%s has %ld lines instead of %ld", file, i, n);
    }
}

/* How often somebody is killed; FOSTER_TEST_LONG has it be a thousand times, and the guard wait for that. */
static int n_kills(int usual, struct scenario_options *ret)
{
    bool is_long = getenv("FOSTER_TEST_LONG") != NULL;
    *ret = (struct scenario_options){.guard_ms = is_long ? GUARD_LONG_MS : 0};
    return is_long ? KILLS_LONG : usual;
}

/* The file of the fixture tally, with room for RUNS runs. */
static struct tally *make_tally(struct scenario *s, int runs)
{
    size_t size = sizeof(struct tally) + (size_t)runs * sizeof(uint64_t);
    int fd = open(scenario_path(s, "tally"), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    scenario_check(s, fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    struct tally *t = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(t != MAP_FAILED);
    (void)close(fd);
    return t;
}

/* Fails unless run RUN, which nobody can tell about any more, has left LINES lines in the log. */
static void check_run(struct scenario *s, const struct tally *t, uint64_t run, uint64_t lines)
{
    uint64_t told = t->lines[run - 1];
    if (lines != told && (t->stop != 0 || lines != told + 1)) {
        scenario_fail(s, "run %" PRIu64 " has %" PRIu64 " lines in the log, and has written %" PRIu64, run, lines,
                      told);
    }
}

/* Fails unless web.log has each line of each run once, in order, and nothing else. How many. */
static uint64_t check_tally(struct scenario *s, const struct tally *t)
{
    FILE *f = fopen(scenario_path(s, "web.log"), "re");
    char line[64], wanted[64];
    uint64_t run = 1, n = 0, total = 0;
    scenario_check(s, f != NULL);
    for (; fgets(line, sizeof(line), f) != NULL; total++, n++) {
        for (uint64_t its = strtoull(line, NULL, 10); run < its && run < t->runs; n = 0) {
            check_run(s, t, run++, n);
        }
        (void)snprintf(wanted, sizeof(wanted), "%" PRIu64 " %" PRIu64 "\n", run, n + 1);
        if (strcmp(line, wanted) != 0) {
            scenario_fail(s, "\"%s\" instead of \"%s\"", line, wanted);
        }
    }
    (void)fclose(f);
    for (; run <= t->runs; n = 0) {
        check_run(s, t, run++, n);
    }
    return total;
}

/* Waits until web.log has grown by MORE bytes. */
static void wait_for_growth(struct scenario *s, uint64_t more)
{
    struct stat st = {0};
    const char *path = scenario_path(s, "web.log");
    off_t wanted = (stat(path, &st) == 0 ? st.st_size : 0) + (off_t)more;
    while (stat(path, &st) != 0 || st.st_size < wanted) {
        (void)scenario_time_left(s);
        (void)sched_yield();
    }
}

/* Some loggers die before they have begun; were it all of them, fosterd would wait longer and longer for each. */
static void j01_loggers_are_killed_while_a_file_is_written(void **state)
{
    (void)state;
    struct scenario_options o;
    const int kills = n_kills(40, &o);
    uint64_t seed = test_seed();
    struct scenario *s = scenario_new();
    struct tally *t = make_tally(s, 1);
    scenario_spawn(s, &o,
                   "services:\n"
                   "  other: { command: '@ACTOR@ wait', logging: { driver: none } }\n"
                   "  web:\n"
                   "    command: '@FIXTURES@/tally @DIR@/tally'\n"
                   "    restart: 'no'\n"
                   "    logging: { driver: file, options: { path: '@DIR@/web.log', max-size: 0 } }\n");
    pid_t logger = 0;
    for (int i = 0; i < kills; i++) {
        logger = procs_next_logger(s, logger);
        if (test_rand_below(&seed, 8) > 0) {
            wait_for_growth(s, 1 + test_rand_below(&seed, GROWTH_MAX));
        }
        for (uint64_t turns = test_rand_below(&seed, TURNS_MAX); turns > 0; turns--) {
            (void)sched_yield();
        }
        scenario_check(s, kill(logger, SIGKILL) == 0);
        assert_string_equal(scenario_wait_pid(s, "logger", NULL, logger)->signal, "SIGKILL");
    }
    scenario_check(s, scenario_count(s, "logger", NULL) == (size_t)kills);
    t->stop = 1;
    (void)scenario_wait_state(s, "web", "done");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
    scenario_check(s, t->runs == 1);
    print_message("%d loggers were killed during %" PRIu64 " lines\n", kills, check_tally(s, t));
    (void)munmap(t, sizeof(*t) + sizeof(t->lines[0]));
}

/* What a service has written before it was killed is there, all of it. */
static void j02_services_are_killed_while_they_write(void **state)
{
    (void)state;
    struct scenario_options o;
    const int kills = n_kills(20, &o);
    uint64_t seed = test_seed();
    struct scenario *s = scenario_new();
    struct tally *t = make_tally(s, kills + 1);
    scenario_spawn(s, &o,
                   "services:\n"
                   "  web:\n"
                   "    command: '@FIXTURES@/tally @DIR@/tally'\n"
                   "    restart: { policy: always, delay: 0s, max_delay: 10ms, max_attempts: 0 }\n"
                   "    logging: { driver: file, options: { path: '@DIR@/web.log', max-size: 0 } }\n");
    for (uint64_t run = 0; run < (uint64_t)kills; run++) {
        pid_t pid = scenario_wait(s, "started", "web")->pid;
        uint64_t wanted = test_rand_below(&seed, LINES_A_RUN);
        while (t->runs <= run || t->lines[run] < wanted) {
            (void)scenario_time_left(s);
            (void)sched_yield();
        }
        scenario_check(s, kill(pid, SIGKILL) == 0);
        assert_string_equal(scenario_wait_pid(s, "exited", "web", pid)->signal, "SIGKILL");
    }
    scenario_stop(s);
    print_message("%d services were killed during %" PRIu64 " lines\n", kills, check_tally(s, t));
    (void)munmap(t, sizeof(*t) + ((size_t)kills + 1) * sizeof(t->lines[0]));
}

/* Nobody dies of SIGPIPE, and nothing is lost, when fosterd is gone without a word. */
static void j03_fosterd_is_killed(void **state)
{
    (void)state;
    struct scenario_options o = {.leaves_children = true};
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ await @DIR@/gate lines 100000'\n"
                   "    logging: { driver: file, options: { path: '@DIR@/web.log', max-size: 0 } }\n");
    pid_t web = scenario_wait(s, "started", "web")->pid;
    (void)scenario_wait_state(s, "web", "ready");
    pid_t logger = procs_next_logger(s, 0);
    scenario_signal(s, SIGKILL);
    procs_wait_end(s, scenario_pid(s));
    /* It has had no time to. */
    scenario_check(s, unlink(scenario_path(s, "run/control.sock")) == 0);
    scenario_check(s, unlink(scenario_path(s, "run/control.sock.lock")) == 0);
    scenario_end(s, 128 + SIGKILL);
    scenario_check(s, procs_is_alive(web) && procs_is_alive(logger));
    scenario_open_gate(s, "gate");
    procs_wait_end(s, web);
    procs_wait_end(s, logger);
    check_numbers(s, "web.log", 100000);
}

/* A file system of a megabyte, at DATA. */
static void small_disk(void *data)
{
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("tmpfs", data, "tmpfs", 0, "size=1m") != 0) {
        _exit(99);
    }
}

static void j04_a_full_disk(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        scenario_skip("mounting a file system needs root");
    }
    struct scenario *s = scenario_new();
    char dir[SCENARIO_PATH_MAX], path[SCENARIO_PATH_MAX + 64];
    (void)snprintf(dir, sizeof(dir), "%s", scenario_path(s, "disk"));
    scenario_check(s, mkdir(dir, 0755) == 0);
    struct scenario_options o = {.prepare = small_disk, .data = dir, .clone_flags = CLONE_NEWNS};
    scenario_gate(s, "first");
    scenario_gate(s, "second");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ await @DIR@/first lines 300000 await @DIR@/second print last wait'\n"
                   "    logging: { driver: file, options: { path: '@DIR@/disk/web.log', max-size: 0 } }\n");
    (void)scenario_wait_state(s, "web", "ready");
    (void)snprintf(path, sizeof(path), "/proc/%d/root%s/ballast", (int)scenario_pid(s), dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    scenario_check(s, fd >= 0);
    for (char block[4096] = {0}; write(fd, block, sizeof(block)) > 0;) {
        /* Until it is full. */
    }
    (void)close(fd);
    scenario_open_gate(s, "first");
    const struct scenario_event *e = scenario_wait(s, "log-failing", "web");
    scenario_check(s, strstr(e->msg, "No space left on device") != NULL && strcmp(e->level, "warn") == 0);
    /* It goes on to the end of what it writes first: nothing holds it up. */
    scenario_check(s, unlink(path) == 0);
    e = scenario_wait(s, "log-resumed", "web");
    scenario_open_gate(s, "second");
    (void)snprintf(path, sizeof(path), "/proc/%d/root%s/web.log", (int)scenario_pid(s), dir);
    long lines = 0, lost = 0;
    bool has_last = false;
    for (; !has_last; (void)scenario_time_left(s), (void)sched_yield()) {
        FILE *f = fopen(path, "r");
        char line[128];
        lines = lost = 0;
        scenario_check(s, f != NULL);
        while (fgets(line, sizeof(line), f) != NULL) {
            long n = 0;
            has_last = has_last || strcmp(line, "last\n") == 0;
            lines += line[0] >= '0' && line[0] <= '9';
            lost += sscanf(line, "[foster: %ld lines (", &n) == 1 ? n : 0;
        }
        (void)fclose(f);
    }
    scenario_check(s, has_last && lost > 0);
    if (lines + lost != 300000) {
        scenario_fail(s, "%ld lines are there, and %ld were dropped", lines, lost);
    }
    scenario_stop(s);
}

static void j05_lines_may_be_anything(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services:\n"
                       "  long:\n"
                       "    command: ['/bin/sh', '-c', 'head -c 1048576 /dev/zero | tr \"\\\\0\" x']\n"
                       "    restart: 'no'\n"
                       "    logging: { driver: file, options: { path: '@DIR@/long.json', format: json } }\n"
                       "  binary:\n"
                       "    command: ['/bin/sh', '-c', 'head -c 300000 /dev/urandom | tee @DIR@/binary']\n"
                       "    restart: 'no'\n"
                       "    logging: { driver: file, options: { path: '@DIR@/binary.json', format: json } }\n"
                       "  raw:\n"
                       "    command: ['/bin/sh', '-c', 'head -c 300000 /dev/urandom | tee @DIR@/in']\n"
                       "    restart: 'no'\n"
                       "    logging: { driver: file, options: { path: '@DIR@/out' } }\n");
    scenario_end(s, 0);
    static char a[300001], b[300001];
    const char *const names[] = {"long.json", "binary.json"};
    for (size_t i = 0; i < 2; i++) {
        FILE *f = fopen(scenario_path(s, names[i]), "r");
        size_t total = 0;
        scenario_check(s, f != NULL);
        for (json_t *line; (line = json_loadf(f, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL)) != NULL;) {
            const json_t *message = json_object_get(line, "message");
            scenario_check(s, json_is_string(message) && json_is_string(json_object_get(line, "time")));
            total += json_string_length(message);
            json_decref(line);
        }
        scenario_check(s, fgetc(f) == '\n' || feof(f));
        (void)fclose(f);
        scenario_check(s, i == 0 ? total == 1048576 : total > 290000);
    }
    for (size_t i = 0; i < 2; i++) {
        int fd = open(scenario_path(s, i == 0 ? "in" : "out"), O_RDONLY | O_CLOEXEC);
        scenario_check(s, fd >= 0 && read(fd, i == 0 ? a : b, sizeof(a)) == 300000);
        (void)close(fd);
    }
    scenario_check(s, memcmp(a, b, sizeof(a)) == 0);
}

/* Both streams, each its own way; and a change of where they go, while the service runs. */
static void j06_two_ways_and_a_change(void **state)
{
    (void)state;
    static const char yaml[] =
        "services:\n"
        "  web:\n"
        "    command: '@ACTOR@ print out1 warn err1 await @DIR@/gate print out2 warn err2 wait'\n"
        "    logging:\n"
        "      driver: file\n"
        "      options: { path: '@DIR@/%s' }\n"
        "      stderr: { driver: stdout }\n";
    char text[1024];
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    (void)snprintf(text, sizeof(text), yaml, "one");
    scenario_spawn(s, NULL, text);
    scenario_check(s, strcmp(scenario_wait_line(s, "web", ""), "err1") == 0);
    pid_t pid = scenario_wait(s, "started", "web")->pid;
    while (access(scenario_path(s, "one"), F_OK) != 0 || strcmp(scenario_read(s, "one"), "out1") != 0) {
        (void)sched_yield();
    }
    (void)snprintf(text, sizeof(text), yaml, "two");
    char *expanded = scenario_expand(s, text);
    (void)scenario_write(s, "foster.yaml", 0600, expanded);
    free(expanded);
    scenario_signal(s, SIGHUP);
    (void)scenario_wait_text(s, "config", NULL, "reload: ~ web");
    while (access(scenario_path(s, "two"), F_OK) != 0) {
        (void)sched_yield();
    }
    scenario_open_gate(s, "gate");
    scenario_check(s, strcmp(scenario_wait_line(s, "web", ""), "err2") == 0);
    while (strcmp(scenario_read(s, "two"), "out2") != 0) {
        (void)sched_yield();
    }
    scenario_check(s, procs_is_alive(pid) && strcmp(scenario_read(s, "one"), "out1") == 0);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(j01_loggers_are_killed_while_a_file_is_written),
        SCENARIO(j02_services_are_killed_while_they_write),
        SCENARIO(j03_fosterd_is_killed),
        SCENARIO(j04_a_full_disk),
        SCENARIO(j05_lines_may_be_anything),
        SCENARIO(j06_two_ways_and_a_change),
    };
    return SCENARIO_RUN("j_logs", tests);
}

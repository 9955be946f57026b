/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * J: standard output of fosterd, and whoever reads it: one who stops, one who goes, one who sees loggers die, and lines
 * of any length. It is a pipe of the test's own here, and read when the test wants to.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/procs.h"
#include "scenario/support/scenario.h"
#include "support/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINES = 100000,
    KILLS = 50,
    KILLS_LONG = 1000,
    LINES_A_KILL = 1000,
    LINES_AFTER = 20000,
    GUARD_LONG_MS = 600000,
    LONG_LINE = 1 << 20,
    PIECE = 16 << 10
};

/** Standard output, and what has been read from it. */
static struct {
    int read_fd;
    int write_fd; /* -1: fosterd's alone */
    char *data;
    size_t len;
} out;

static int setup(void **state)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    out.read_fd = fds[0];
    out.write_fd = fds[1];
    out.len = 0;
    return scenario_setup(state);
}

static void stop_reading(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

static int teardown(void **state)
{
    stop_reading(&out.read_fd);
    stop_reading(&out.write_fd);
    free(out.data);
    out.data = NULL;
    return scenario_teardown(state);
}

static void use_pipe(void *data)
{
    (void)data;
    if (dup2(out.write_fd, STDOUT_FILENO) < 0) {
        _exit(99);
    }
}

static bool is_long(void)
{
    return getenv("FOSTER_TEST_LONG") != NULL;
}

static struct scenario *start(const char *yaml)
{
    const struct scenario_options o = {.prepare = use_pipe, .guard_ms = is_long() ? GUARD_LONG_MS : 0};
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    scenario_spawn(s, &o, yaml);
    stop_reading(&out.write_fd);
    (void)scenario_wait(s, "settled", NULL);
    return s;
}

/* Reads up to MORE bytes, as many as there are; how many, 0 at the end. */
static size_t read_some(struct scenario *s, size_t more)
{
    struct pollfd p = {.fd = out.read_fd, .events = POLLIN};
    out.data = realloc(out.data, out.len + more + 1);
    assert_non_null(out.data);
    scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
    ssize_t n = read(out.read_fd, out.data + out.len, more);
    scenario_check(s, n >= 0);
    out.len += (size_t)n;
    out.data[out.len] = '\0';
    return (size_t)n;
}

/* Reads until there are LEN bytes. */
static void read_up_to(struct scenario *s, size_t len)
{
    while (out.len < len) {
        scenario_check(s, read_some(s, len - out.len) > 0);
    }
}

static void read_to_end(struct scenario *s)
{
    while (read_some(s, PIECE) > 0) {
        /* There may be more. */
    }
}

/* How many lines of those that begin with PREFIX there are, numbered from 1 on, and how many were dropped. Wherever
 * some are missing, it is said how many. */
static void count_lines(struct scenario *s, const char *prefix, long *ret_lines, long *ret_dropped)
{
    long next = 1, lines = 0, dropped = 0;
    for (const char *at = out.data, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        long lost = 0;
        unsigned long long bytes = 0, wanted = 0;
        if (strncmp(at, prefix, strlen(prefix)) != 0) {
            continue;
        }
        const char *text = at + strlen(prefix);
        /* sscanf() goes to the end of all that was read. */
        if (*text == '[' && sscanf(text, "[foster: %ld lines (%llu bytes) were dropped here]", &lost, &bytes) == 2) {
            for (long i = next; i < next + lost; i++) {
                wanted += (unsigned)snprintf(NULL, 0, "%ld\n", i);
            }
            scenario_check(s, bytes == wanted);
            next += lost;
            dropped += lost;
        } else if (strtol(text, NULL, 10) != next++) {
            scenario_fail(s, "%.40s instead of %ld", at, next - 1);
        } else {
            lines++;
        }
    }
    *ret_lines = lines;
    *ret_dropped = dropped;
}

/* Processor time that PID has used, in nanoseconds; -1 where that is not told. */
static long long used_ns(pid_t pid)
{
    char path[64];
    long long ns = -1;
    (void)snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f != NULL) {
        if (fscanf(f, "%lld", &ns) != 1) {
            ns = -1;
        }
        (void)fclose(f);
    }
    return ns;
}

/* Waits until the logger has nothing to do: one that turns round and round never rests while fosterd answers. */
static void wait_until_it_rests(struct scenario *s)
{
    pid_t logger = procs_next_logger(s, 0);
    long long used;
    do {
        used = used_ns(logger);
        (void)scenario_time_left(s);
        fosterctl_check(s, fosterctl_run(s, "ps"), 0, NULL, "");
    } while (used_ns(logger) != used);
}

#define LAST "patient | 100000\n"

static void j11_a_reader_that_stops(void **state)
{
    (void)state;
    struct scenario *s =
        start("supervisor: { exit_when: never }\n"
              "services:\n"
              "  patient: { command: '@ACTOR@ await @DIR@/gate lines 100000 append @DIR@/patient through wait' }\n"
              "  hasty:\n"
              "    command: '@ACTOR@ await @DIR@/gate lines 100000 say @DIR@/ear through wait'\n"
              "    logging: { driver: stdout, options: { mode: drop } }\n"
              "  filed:\n"
              "    command: '@ACTOR@ await @DIR@/gate lines 100000 say @DIR@/ear through wait'\n"
              "    logging: { driver: file, options: { path: '@DIR@/filed.log', max-size: 0 } }\n");
    long lines = 0, dropped = 0;
    scenario_open_gate(s, "gate");
    assert_string_equal(scenario_heard(s, "ear"), "through");
    assert_string_equal(scenario_heard(s, "ear"), "through");
    wait_until_it_rests(s);
    fosterctl_says(s, "hasty | 100000\n", "logs", "-n1", "hasty");
    /* It has written more than everything between it and us holds. */
    scenario_check(s, access(scenario_path(s, "patient"), F_OK) != 0);

    size_t from;
    do {
        from = out.len > strlen(LAST) ? out.len - strlen(LAST) : 0;
        scenario_check(s, read_some(s, PIECE) > 0);
    } while (strstr(out.data + from, LAST) == NULL);
    scenario_signal(s, SIGTERM);
    read_to_end(s);
    scenario_end(s, 0);
    count_lines(s, "patient | ", &lines, &dropped);
    scenario_check(s, lines == LINES && dropped == 0);
    count_lines(s, "hasty   | ", &lines, &dropped);
    if (dropped == 0 || lines + dropped != LINES) {
        scenario_fail(s, "%ld lines are there, and %ld were dropped", lines, dropped);
    }
}

/* Nobody will ever read again: that holds up no service, in neither mode. */
static void j12_a_reader_that_goes(void **state)
{
    (void)state;
    struct scenario *s = start("supervisor: { exit_when: never }\n"
                               "services:\n"
                               "  web: { command: '@ACTOR@ await @DIR@/gate lines 50000 say @DIR@/ear through wait' }\n"
                               "  filed:\n"
                               "    command: '@ACTOR@ await @DIR@/gate lines 50000 say @DIR@/ear through wait'\n"
                               "    logging: { driver: file, options: { path: '@DIR@/filed.log', max-size: 0 } }\n");
    stop_reading(&out.read_fd);
    scenario_open_gate(s, "gate");
    const struct scenario_event *e = scenario_wait(s, "log-failing", "web");
    scenario_check(s, strcmp(e->level, "warn") == 0 && strstr(e->msg, "Broken pipe") != NULL);
    assert_string_equal(scenario_heard(s, "ear"), "through");
    assert_string_equal(scenario_heard(s, "ear"), "through");
    wait_until_it_rests(s);
    scenario_check(s, scenario_count(s, "log-failing", NULL) == 1);
    scenario_stop(s);
}

/* All that it will write, kills behind which it writes on. Some loggers die before they have begun; were it all of
 * them, or did none of them take anything in, fosterd would wait longer and longer. */
static void j13_loggers_are_killed_while_it_is_read(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    int kills = is_long() ? KILLS_LONG : KILLS;
    long wanted = (long)kills * LINES_A_KILL + LINES_AFTER, lines = 0, dropped = 0;
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "supervisor: { exit_when: never }\n"
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ await @DIR@/gate lines %ld'\n"
                   "    restart: 'no'\n"
                   "    logging: { driver: stdout, options: { max-buffer-size: 4k } }\n",
                   wanted);
    struct scenario *s = start(text);
    pid_t logger = 0;
    scenario_open_gate(s, "gate");
    for (int i = 0; i < kills; i++) {
        logger = procs_next_logger(s, logger);
        if (test_rand_below(&seed, 4) > 0) {
            (void)snprintf(text, sizeof(text), "(process %d) has taken over", (int)logger);
            (void)scenario_wait_text(s, NULL, NULL, text);
        }
        read_up_to(s, out.len + (size_t)test_rand_below(&seed, (uint64_t)2 * LINES_A_KILL * strlen("web | 12345\n")));
        assert_int_equal(kill(logger, SIGKILL), 0);
        (void)scenario_wait_pid(s, "logger", NULL, logger);
    }
    print_message("%d loggers were killed\n", kills);
    size_t total = 0;
    for (long i = 1; i <= wanted; i++) {
        total += (size_t)snprintf(NULL, 0, "web | %ld\n", i);
    }
    read_up_to(s, total);
    (void)scenario_wait_state(s, "web", "done");
    scenario_signal(s, SIGTERM);
    read_to_end(s);
    scenario_end(s, 0);
    count_lines(s, "web | ", &lines, &dropped);
    scenario_check(s, lines == wanted && dropped == 0 && out.len == total);
}

static void j14_long_lines_and_bytes_that_are_no_text(void **state)
{
    (void)state;
    struct scenario *s =
        start("services:\n"
              "  nul: { command: ['/bin/sh', '-c', 'printf \"a\\\\0b\\\\377c\\\\n\"'], restart: 'no' }\n"
              "  long:\n"
              "    command: ['/bin/sh', '-c', 'head -c 1048576 /dev/zero | tr \"\\\\0\" x']\n"
              "    restart: 'no'\n");
    static const char nul[] = "nul  | a\0b\377c\n";
    size_t total = 0, pieces = 0;
    read_to_end(s);
    scenario_end(s, 0);
    scenario_check(s, memmem(out.data, out.len, nul, sizeof(nul) - 1) != NULL);
    for (const char *at = out.data, *end; at < out.data + out.len; at = end + 1) {
        end = memchr(at, '\n', out.len - (size_t)(at - out.data));
        scenario_check(s, end != NULL);
        if (strncmp(at, "long", strlen("long")) != 0) {
            continue;
        }
        const char *mark = pieces++ == 0 ? "long | " : "long + ";
        scenario_check(s, strncmp(at, mark, strlen(mark)) == 0);
        at += strlen(mark);
        scenario_check(s, end - at <= PIECE && strspn(at, "x") == (size_t)(end - at));
        total += (size_t)(end - at);
    }
    scenario_check(s, total == LONG_LINE);
}

/* Whoever ends fosterd waits for output only so long: then it goes without, and says what that has cost. */
static void j15_a_logger_that_stands_still_at_the_end(void **state)
{
    (void)state;
    struct scenario *s = start("services:\n"
                               "  web:\n"
                               "    command: '@ACTOR@ await @DIR@/gate lines 3 say @DIR@/ear written wait'\n");
    (void)procs_stop_logger(s);
    scenario_open_gate(s, "gate");
    assert_string_equal(scenario_heard(s, "ear"), "written");
    scenario_signal(s, SIGTERM);
    const struct scenario_event *e = scenario_wait_text(s, NULL, NULL, "bytes of what services wrote were lost");
    scenario_check(s, strcmp(e->level, "warn") == 0 && strncmp(e->msg, "6 ", 2) == 0);
    read_to_end(s);
    scenario_end(s, 0);
    assert_int_equal(out.len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(j11_a_reader_that_stops),
        TEST(j12_a_reader_that_goes),
        TEST(j13_loggers_are_killed_while_it_is_read),
        TEST(j14_long_lines_and_bytes_that_are_no_text),
        TEST(j15_a_logger_that_stands_still_at_the_end),
    };
    return SCENARIO_RUN("j_output", tests);
}

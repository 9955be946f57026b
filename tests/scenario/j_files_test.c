/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * J: log files while services write: many that follow each other, ones that others move or remove, directories that are
 * not there, and a symbolic link that leads elsewhere.
 */
#include "scenario/support/procs.h"
#include "scenario/support/scenario.h"
#include "support/seed.h"

#include <dirent.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINES = 12000, LONGEST = 397, KILLS = 8, FILE_BYTES = 64 << 10 };

/* Writes the lines 1 to LINES, as wide as expected() says; many at a time. */
#define RAGGED                                                                                                         \
    "['/bin/sh', '-c', 'awk \"BEGIN { x = sprintf(\\\"%%400s\\\", \\\"\\\"); for (i = 1; i <= 12000; i++)"             \
    " print i \\\" \\\" substr(x, 1, (i * 7919 + %u) %% 397) }\"']"

/* Some bytes, NUL behind them. */
struct text {
    char *data;
    size_t len;
};

static struct text all_of(FILE *f)
{
    struct text t = {0};
    size_t n;
    assert_non_null(f);
    do {
        t.data = realloc(t.data, t.len + FILE_BYTES + 1);
        assert_non_null(t.data);
        n = fread(t.data + t.len, 1, FILE_BYTES, f);
        t.len += n;
    } while (n > 0);
    t.data[t.len] = '\0';
    return t;
}

static struct text content(struct scenario *s, const char *name)
{
    FILE *f = fopen(scenario_path(s, name), "re");
    struct text t = all_of(f);
    (void)fclose(f);
    return t;
}

static struct text unpacked(struct scenario *s, const char *name)
{
    char command[2 * SCENARIO_PATH_MAX];
    (void)snprintf(command, sizeof(command), "exec gzip -dc '%s'", scenario_path(s, name));
    FILE *f = popen(command, "re");
    struct text t = all_of(f);
    scenario_check(s, pclose(f) == 0);
    return t;
}

/* What RAGGED writes with SEED. */
static struct text expected(unsigned seed)
{
    struct text t = {0};
    FILE *f = open_memstream(&t.data, &t.len);
    assert_non_null(f);
    for (unsigned i = 1; i <= LINES; i++) {
        (void)fprintf(f, "%u %*s\n", i, (int)((i * 7919 + seed) % LONGEST), "");
    }
    assert_int_equal(fclose(f), 0);
    return t;
}

static int is_log(const struct dirent *e)
{
    const char *end = strrchr(e->d_name, '.');
    return strncmp(e->d_name, "web.log", strlen("web.log")) == 0 && strcmp(end, ".tmp") != 0;
}

/* By the time in the name; the present one, which has none, comes last. */
static int by_age(const struct dirent **a, const struct dirent **b)
{
    bool a_is_last = strcmp((*a)->d_name, "web.log") == 0, b_is_last = strcmp((*b)->d_name, "web.log") == 0;
    return a_is_last || b_is_last ? a_is_last - b_is_last : strcmp((*a)->d_name, (*b)->d_name);
}

/* What all files of web.log in DIR hold together, the oldest first. How many there are, and how many of them are
 * compressed. */
static struct text everything(struct scenario *s, const char *dir, int *ret_files, int *ret_compressed)
{
    struct dirent **names;
    struct text t = {0};
    int n = scandir(scenario_path(s, dir), &names, is_log, by_age);
    FILE *f = open_memstream(&t.data, &t.len);
    scenario_check(s, n > 0 && f != NULL);
    *ret_files = n;
    *ret_compressed = 0;
    for (int i = 0; i < n; i++) {
        char path[512];
        bool is_compressed = strstr(names[i]->d_name, ".gz") != NULL;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        struct text one = is_compressed ? unpacked(s, path) : content(s, path);
        /* Its compressed form may stand beside one; it is deleted then. */
        bool is_twin = is_compressed && i > 0 &&
                       strncmp(names[i - 1]->d_name, names[i]->d_name, strlen(names[i]->d_name) - strlen(".gz")) == 0;
        /* A line of which the beginning is in a file has its end there, too. */
        scenario_check(s, one.len == 0 || one.data[one.len - 1] == '\n');
        scenario_check(s, one.len <= FILE_BYTES + LONGEST + strlen("12000 \n"));
        if (!is_twin) {
            (void)fwrite(one.data, 1, one.len, f);
        }
        *ret_compressed += is_compressed;
        free(one.data);
        free(names[i]);
    }
    free(names);
    assert_int_equal(fclose(f), 0);
    return t;
}

static void check_same(struct scenario *s, const char *what, struct text got, struct text wanted)
{
    size_t i = 0;
    while (i < got.len && i < wanted.len && got.data[i] == wanted.data[i]) {
        i++;
    }
    if (i != got.len || i != wanted.len) {
        scenario_fail(s, "%s: %zu bytes instead of %zu, and from byte %zu on others: %.40s", what, got.len, wanted.len,
                      i, got.data + i);
    }
}

/* Waits until NAME is another file than at first, or nobody writes to it any more. */
static void wait_for_rotation(struct scenario *s, const char *name)
{
    struct stat before = {0}, now = {0};
    (void)stat(scenario_path(s, name), &before);
    do {
        (void)scenario_sync(s);
        (void)stat(scenario_path(s, name), &now);
    } while (now.st_ino == before.st_ino && scenario_count_state(s, NULL, "done") == 0);
}

static void j21_files_that_follow_each_other(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    unsigned width = (unsigned)test_rand_below(&seed, LONGEST);
    char yaml[2048];
    (void)snprintf(
        yaml, sizeof(yaml),
        "supervisor: { exit_when: never }\n"
        "services:\n"
        "  plain:\n"
        "    command: " RAGGED "\n"
        "    restart: 'no'\n"
        "    logging: { driver: file, options: { path: '@DIR@/plain/web.log', max-size: 64k, max-file: 1000 } }\n"
        "  packed:\n"
        "    command: " RAGGED "\n"
        "    restart: 'no'\n"
        "    logging:\n"
        "      driver: file\n"
        "      options: { path: '@DIR@/packed/web.log', max-size: 64k, max-file: 1000, compress: true }\n",
        width, width);
    /* A gzip that is at work then may outlive everyone; it only writes what is not there for anybody yet. */
    const struct scenario_options o = {.leaves_children = true};
    struct scenario *s = scenario_start_with(&o, yaml);
    for (int i = 0; i < KILLS && scenario_count_state(s, NULL, "done") == 0; i++) {
        /* One that has begun: its gzip bears its name, too, for a moment. */
        int logger = 0;
        const struct scenario_event *e = scenario_wait_text(s, NULL, NULL, "has taken over");
        scenario_check(s, sscanf(e->msg, "the logger (process %d)", &logger) == 1);
        if (test_rand_below(&seed, 4) > 0) {
            wait_for_rotation(s, "plain/web.log");
        }
        assert_int_equal(kill(logger, SIGKILL), 0);
    }
    (void)scenario_wait_state(s, "plain", "done");
    (void)scenario_wait_state(s, "packed", "done");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
    struct text wanted = expected(width);
    for (int i = 0; i < 2; i++) {
        const char *dir = i == 0 ? "plain" : "packed";
        int files = 0, compressed = 0;
        struct text got = everything(s, dir, &files, &compressed);
        check_same(s, dir, got, wanted);
        scenario_check(s, files > (int)(wanted.len / FILE_BYTES) && (compressed > 0) == (i == 1));
        free(got.data);
    }
    free(wanted.data);
}

static void wait_for_file(struct scenario *s, const char *name)
{
    struct stat st;
    while (stat(scenario_path(s, name), &st) != 0 || st.st_size == 0) {
        (void)sched_yield();
        (void)scenario_time_left(s);
    }
}

/* Whoever moves a file has all up to then; whoever removes one that he holds open, too. */
static void j22_others_move_it_and_remove_it(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services:\n"
                       "  web:\n"
                       "    command: ['/bin/sh', '-c', 'while :; do i=$$((i + 1)); echo $$i; sleep 0.05; done']\n"
                       "    logging: { driver: file, options: { path: '@DIR@/web.log' } }\n");
    wait_for_file(s, "web.log");
    scenario_check(s, rename(scenario_path(s, "web.log"), scenario_path(s, "moved")) == 0);
    wait_for_file(s, "web.log");
    FILE *removed = fopen(scenario_path(s, "web.log"), "re");
    scenario_check(s, unlink(scenario_path(s, "web.log")) == 0);
    wait_for_file(s, "web.log");
    scenario_stop(s);

    struct text parts[] = {content(s, "moved"), all_of(removed), content(s, "web.log")};
    long n = 0;
    (void)fclose(removed);
    for (size_t i = 0; i < 3; i++) {
        for (char *at = parts[i].data; *at != '\0'; n++) {
            scenario_check(s, strtol(at, &at, 10) == n + 1 && *at++ == '\n');
        }
        scenario_check(s, n > (long)i);
        free(parts[i].data);
    }
}

static void j23_directories_that_are_not_there(void **state)
{
    (void)state;
    bool is_root = geteuid() == 0;
    const struct passwd *nobody = getpwnam("nobody");
    char yaml[1024];
    struct stat st;
    if (is_root && nobody == NULL) {
        scenario_skip("there is no user nobody");
    }
    (void)snprintf(yaml, sizeof(yaml),
                   "defaults: { restart: 'no' }\n"
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ print here'\n"
                   "    logging:\n"
                   "      driver: file\n"
                   "      options: { path: '@DIR@/a/b/{service}.log', directory-mode: '0711', file-mode: '0604'%s }\n",
                   is_root ? ", user: nobody" : "");
    struct scenario *s = scenario_start(yaml);
    scenario_end(s, 0);
    assert_string_equal(scenario_read(s, "a/b/web.log"), "here");
    scenario_check(s, stat(scenario_path(s, "a/b"), &st) == 0 && (st.st_mode & 07777) == 0711);
    scenario_check(s, !is_root || st.st_uid == nobody->pw_uid);
    scenario_check(s, stat(scenario_path(s, "a/b/web.log"), &st) == 0 && (st.st_mode & 07777) == 0604);
    scenario_check(s, !is_root || st.st_uid == nobody->pw_uid);
}

/* It is not followed, that is said, and the service goes on; when it is away, so does its log, with what it missed. */
static void j24_a_symbolic_link(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    struct stat st;
    long lines = 0, lost = 0;
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    assert_int_equal(symlink(scenario_path(s, "victim"), scenario_path(s, "web.log")), 0);
    (void)scenario_write(s, "victim", 0644, "");
    scenario_spawn(
        s, NULL,
        "services:\n"
        "  web:\n"
        "    command: '@ACTOR@ lines 50000 say @DIR@/ear through await @DIR@/gate print last say @DIR@/ear last wait'\n"
        "    logging: { driver: file, options: { path: '@DIR@/web.log', max-size: 0 } }\n");
    const struct scenario_event *e = scenario_wait(s, "log-failing", "web");
    scenario_check(s, strstr(e->msg, "web.log") != NULL && strstr(e->msg, "symbolic link") != NULL);
    assert_string_equal(scenario_heard(s, "ear"), "through");
    scenario_check(s, stat(scenario_path(s, "victim"), &st) == 0 && st.st_size == 0);
    scenario_check(s, unlink(scenario_path(s, "web.log")) == 0);
    e = scenario_wait(s, "log-resumed", "web");
    scenario_check(s, strstr(e->msg, "were dropped") != NULL);
    scenario_open_gate(s, "gate");
    assert_string_equal(scenario_heard(s, "ear"), "last");
    scenario_stop(s);

    struct text t = content(s, "web.log");
    scenario_check(s, sscanf(t.data, "[foster: %ld lines (", &lost) == 1 && lost > 0);
    for (const char *at = strchr(t.data, '\n') + 1; *at >= '0' && *at <= '9'; at = strchr(at, '\n') + 1) {
        scenario_check(s, strtol(at, NULL, 10) == lost + ++lines);
    }
    scenario_check(s, lost + lines == 50000 && strcmp(t.data + t.len - strlen("\nlast\n"), "\nlast\n") == 0);
    free(t.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(j21_files_that_follow_each_other),
        SCENARIO(j22_others_move_it_and_remove_it),
        SCENARIO(j23_directories_that_are_not_there),
        SCENARIO(j24_a_symbolic_link),
    };
    return SCENARIO_RUN("j_files", tests);
}

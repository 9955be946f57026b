/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * K: the command. What fosterd prints, with which code it ends, and what of its surroundings it asks for: the state
 * directory, the role of a subreaper, descriptors.
 */
#include "base/version.h"
#include "scenario/support/command.h"
#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/** Fails with what the command said, unless it ended with CODE. */
static void expect_code(struct scenario *s, const struct command *c, int code)
{
    if (c->code != code) {
        scenario_fail(s, "exit code %d instead of %d; %s%s", c->code, code, c->out, c->err);
    }
}

/** Fails unless the command ended with CODE, printed nothing and gave TEXT as the reason. */
static void expect_refusal(struct scenario *s, const struct command *c, int code, const char *text)
{
    expect_code(s, c, code);
    assert_string_equal(c->out, "");
    if (!strstr(c->err, text)) {
        scenario_fail(s, "no \"%s\" in: %s", text, c->err);
    }
}

static void k01_version_is_one_line(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    struct command c = command_run(s, "--version");
    expect_code(s, &c, 0);
    assert_string_equal(c.out, "foster " FOSTER_VERSION "\n");
    assert_string_equal(c.err, "");
    assert_string_equal(command_run(s, "-V").out, c.out);
}

static void k02_help_names_every_option(void **state)
{
    (void)state;
    static const char *const options[] = {
        "-c, --config=FILE", "--profile=NAME", "--set=KEY=VALUE", "--log-level=LEVEL", "--log-format=FORMAT",
        "--check",           "--print-config", "--schema",        "-h, --help",        "-V, --version",
    };
    struct scenario *s = scenario_new();
    struct command c = command_run(s, "--help");
    expect_code(s, &c, 0);
    assert_string_equal(c.err, "");
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (!strstr(c.out, options[i])) {
            scenario_fail(s, "no %s in: %s", options[i], c.out);
        }
    }
    assert_string_equal(command_run(s, "-h").out, c.out);
}

static void k03_the_schema_is_json(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    struct command c = command_run(s, "--schema");
    expect_code(s, &c, 0);
    json_t *schema = json_loads(c.out, JSON_REJECT_DUPLICATES, NULL);
    scenario_check(s, schema != NULL);
    const json_t *definitions = json_object_get(schema, "definitions");
    const json_t *service = json_object_get(json_object_get(definitions, "service"), "properties");
    scenario_check(s, json_is_object(json_object_get(service, "command")));
    scenario_check(s, json_is_object(json_object_get(service, "stop_grace_period")));
    json_decref(schema);
}

static void k04_what_print_config_prints_says_the_same(void **state)
{
    (void)state;
    static const char *const files[] = {
        SOURCE_DIR "/conf/demo.yaml",
        SOURCE_DIR "/conf/examples/container.yaml",
        SOURCE_DIR "/conf/examples/redis.yaml",
        SOURCE_DIR "/conf/examples/web-app.yaml",
    };
    struct scenario *s = scenario_new();
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct command first = command_run(s, "--print-config", "-c", files[i]);
        expect_code(s, &first, 0);
        scenario_check(s, strstr(first.out, "services:\n") != NULL);
        const char *copy = scenario_write(s, "copy.yaml", 0644, first.out);
        struct command second = command_run(s, "--print-config", "-c", copy);
        expect_code(s, &second, 0);
        assert_string_equal(second.out, first.out);
    }
}

static void k05_check_says_where(void **state)
{
    (void)state;
    char place[2][SCENARIO_PATH_MAX];
    struct scenario *s = scenario_new();
    (void)scenario_write(s, "good.yaml", 0644, "services: { web: { command: [sleep, '1'] } }\n");
    const char *bad = scenario_write(s, "bad.yaml", 0644,
                                     "services:\n"
                                     "  web:\n"
                                     "    command: [sleep, '1']\n"
                                     "    umaks: '022'\n"
                                     "    scale: many\n");
    struct command c = command_run(s, "--check", "-c", "good.yaml");
    expect_refusal(s, &c, 0, "");
    assert_string_equal(c.err, "");
    c = command_run(s, "--check", "-c", bad);
    (void)snprintf(place[0], sizeof(place[0]), "%s:4:5: ", bad);
    (void)snprintf(place[1], sizeof(place[1]), "%s:5:12: ", bad);
    expect_refusal(s, &c, 78, place[0]);
    expect_refusal(s, &c, 78, place[1]);
    /* Nothing is started on a file with errors. */
    c = command_run(s, "-c", bad);
    expect_refusal(s, &c, 78, place[0]);
}

static void k06_wrong_words_end_with_64(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    struct command c = command_run(s, "--frob");
    expect_refusal(s, &c, 64, "--frob");
    c = command_run(s, "-c");
    expect_refusal(s, &c, 64, "-c needs a value");
    c = command_run(s, "foster.yaml");
    expect_refusal(s, &c, 64, "unexpected argument foster.yaml");
    c = command_run(s, "--log-level", "loud");
    expect_refusal(s, &c, 64, "--log-level loud");
    c = command_run(s, "--set", "services.web.scale");
    expect_refusal(s, &c, 64, "KEY=VALUE");
}

static void k07_without_a_file_it_ends_with_78(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    struct command c = command_run(s, "-c", "missing.yaml");
    expect_refusal(s, &c, 78, "missing.yaml");
    if (!access("/etc/foster/foster.yaml", F_OK)) {
        scenario_skip("there is an /etc/foster/foster.yaml here");
    }
    c = command_run_in(s, "run", (const char *const[]){NULL});
    expect_refusal(s, &c, 78, "-c FILE");
    c = command_run_in(s, "run", (const char *const[]){"--check", NULL});
    expect_refusal(s, &c, 78, "-c FILE");
}

static void print_to_a_full_disk(const char *option)
{
    static const char *const prefix[] = {"/bin/sh", "-c", "exec \"$@\" >/dev/full", "sh", NULL};
    const char *const args[] = {option, NULL};
    struct scenario_options o = {.prefix = prefix, .args = args, .no_config = true, .plain_log = true};
    struct scenario *s = scenario_new();
    scenario_spawn(s, &o, "services: {}\n");
    (void)scenario_wait_raw(s, "standard output: No space left on device");
    scenario_end(s, 71);
}

static void k08_a_schema_that_cannot_be_written_ends_with_71(void **state)
{
    (void)state;
    print_to_a_full_disk("--schema");
}

static void k08_a_version_that_cannot_be_written_ends_with_71(void **state)
{
    (void)state;
    print_to_a_full_disk("--version");
}

/** Fails once, ends well then: messages of the levels debug, info and warn. */
#define QUIET_FILE                                                                                                     \
    "supervisor: { log_format: json, log_level: warn }\n"                                                              \
    "services:\n"                                                                                                      \
    "  web: { command: '@ACTOR@ once @DIR@/once [ exit 1 ] exit 0', restart: { delay: 10ms } }\n"

static void k09_level_and_format_come_from_the_file(void **state)
{
    (void)state;
    struct scenario_options o = {.no_config = true};
    struct scenario *s = scenario_new();
    scenario_spawn(s, &o, QUIET_FILE);
    scenario_check(s, scenario_wait(s, "exited", "web")->exit_code == 1);
    scenario_end(s, 0);
    const struct scenario_event *e;
    for (size_t i = 0; (e = scenario_event_at(s, i)); i++) {
        if (strcmp(e->level, "warn") != 0 && strcmp(e->level, "error") != 0) {
            scenario_fail(s, "a message of level %s", e->level);
        }
    }
}

static void k10_the_level_of_the_command_line_wins(void **state)
{
    (void)state;
    static const char *const args[] = {"--log-level", "info", NULL};
    struct scenario_options o = {.no_config = true, .args = args};
    struct scenario *s = scenario_start_with(&o, QUIET_FILE);
    (void)scenario_wait(s, "ready", "web");
    scenario_end(s, 0);
    scenario_check(s, scenario_count_state(s, NULL, "done") == 0);
}

static void k11_the_format_of_the_command_line_wins(void **state)
{
    (void)state;
    static const char *const args[] = {"--log-format", "text", NULL};
    struct scenario_options o = {.no_config = true, .args = args, .plain_log = true};
    struct scenario *s = scenario_new();
    scenario_spawn(s, &o, QUIET_FILE);
    (void)scenario_wait_raw(s, "exited with code 1");
    scenario_end(s, 0);
    scenario_check(s, scenario_event_at(s, 0) == NULL);
}

/** Leaves an orphan that tells its process id. */
#define LEAVING                                                                                                        \
    "supervisor: { subreaper: false }\n"                                                                               \
    "services:\n"                                                                                                      \
    "  web: { type: simple, command: '@ACTOR@ orphans 1 [ setsid say @DIR@/ear %p wait ] print done wait' }\n"

static void k12_without_subreaper_orphans_go_elsewhere(void **state)
{
    (void)state;
    struct scenario_options o = {.leaves_children = true};
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, &o, LEAVING);
    pid_t orphan = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    (void)scenario_wait_line(s, "web", "done");
    scenario_check(s, procs_parent(orphan) == getpid());
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "adopted", NULL) == 0);
    scenario_stop(s);
    assert_int_equal(kill(orphan, SIGKILL), 0);
    assert_int_equal(waitpid(-1, NULL, 0), orphan);
    assert_int_equal(waitpid(-1, NULL, 0), -1);
}

/** From here on, prctl(PR_SET_CHILD_SUBREAPER) is not permitted. */
static void refuse_subreaper(void *data)
{
    (void)data;
    /* Number and first argument of the call; of the latter the low half, which is all there is of it. */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
                                               + 4
#endif
                 ),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_CHILD_SUBREAPER, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        _exit(113);
    }
}

/** Skips the test where a filter cannot be installed. */
static void need_seccomp(void)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        refuse_subreaper(NULL);
        _exit(prctl(PR_SET_CHILD_SUBREAPER, 1) && errno == EPERM ? 0 : 1);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        scenario_skip("no seccomp filters here");
    }
}

static void k13_a_refused_subreaper_ends_with_71(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = refuse_subreaper};
    need_seccomp();
    struct scenario *s = scenario_new();
    scenario_spawn(s, &o, "services: { web: { command: '@ACTOR@ append @DIR@/started x wait' } }\n");
    (void)scenario_wait_text(s, NULL, NULL, "becoming a subreaper: Operation not permitted");
    scenario_end(s, 71);
    scenario_check(s, access(scenario_path(s, "started"), F_OK) != 0);
}

static void k14_subreaper_false_goes_on_where_it_is_refused(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = refuse_subreaper};
    need_seccomp();
    struct scenario *s = scenario_start_with(&o, "supervisor: { subreaper: false }\n"
                                                 "services: { web: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

/** The second service starts when the first one is in the file. */
#define WITH_STATE                                                                                                     \
    "supervisor: { state_dir: '@DIR@/state' }\n"                                                                       \
    "services:\n"                                                                                                      \
    "  web: { command: '@ACTOR@ say @DIR@/ear %p wait' }\n"                                                            \
    "  after: { type: oneshot, command: '@ACTOR@ say @DIR@/after %p', depends_on: [web] }\n"

static void k15_a_state_directory_has_one_user(void **state)
{
    (void)state;
    struct stat st;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_ear(s, "after");
    scenario_spawn(s, NULL, WITH_STATE);
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_heard(s, "ear");
    assert_int_equal(stat(scenario_path(s, "state"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(access(scenario_path(s, "state/runs"), F_OK), 0);
    struct command c = command_run(s, "-c", "foster.yaml");
    expect_refusal(s, &c, 69, "in use by another fosterd");
    /* The first one has not noticed, and what it has at its end is nothing. */
    scenario_check(s, scenario_count(s, "exited", "web") == 0);
    scenario_stop(s);
    assert_int_equal(access(scenario_path(s, "state/runs"), F_OK), -1);
}

/** Runs a fosterd until its service has told its process id, and kills it; the service, which is our child then. */
static pid_t leave_a_service(struct scenario *s)
{
    pid_t fosterd = command_start(s, (const char *const[]){"-c", "foster.yaml", NULL});
    pid_t service = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    pid_t after = (pid_t)strtol(scenario_heard(s, "after"), NULL, 10);
    assert_int_equal(kill(fosterd, SIGKILL), 0);
    assert_int_equal(waitpid(fosterd, NULL, 0), fosterd);
    /* Ended by itself, and reaped by either of us. */
    (void)waitpid(after, NULL, 0);
    scenario_check(s, procs_parent(service) == getpid());
    return service;
}

static void k16_what_a_killed_fosterd_left_is_told(void **state)
{
    (void)state;
    struct scenario_options o = {.leaves_children = true};
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_ear(s, "after");
    (void)scenario_write(s, "foster.yaml", 0644, WITH_STATE);
    /* Twice: who is told of a left-over and killed in turn passes it on. */
    pid_t left[2];
    left[0] = leave_a_service(s);
    left[1] = leave_a_service(s);
    scenario_spawn(s, &o, WITH_STATE);
    for (int i = 0; i < 2; i++) {
        const struct scenario_event *e = scenario_wait_pid(s, "left-over", "web", left[i]);
        assert_string_equal(e->level, "warn");
    }
    pid_t own = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    scenario_check(s, own != left[0] && own != left[1]);
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
    for (int i = 0; i < 2; i++) {
        /* They were none of its business. */
        scenario_check(s, procs_is_alive(left[i]));
        assert_int_equal(kill(left[i], SIGKILL), 0);
        assert_int_equal(waitpid(left[i], NULL, 0), left[i]);
    }
}

static void k17_left_overs_that_have_ended_are_forgotten(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_ear(s, "after");
    (void)scenario_write(s, "foster.yaml", 0644, WITH_STATE);
    pid_t left = leave_a_service(s);
    assert_int_equal(kill(left, SIGKILL), 0);
    assert_int_equal(waitpid(left, NULL, 0), left);
    scenario_spawn(s, NULL, WITH_STATE);
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_heard(s, "ear");
    scenario_stop(s);
    const struct scenario_event *e;
    for (size_t i = 0; (e = scenario_event_at(s, i)); i++) {
        scenario_check(s, strcmp(e->event, "left-over") != 0 || e->pid != left);
    }
}

/** The limits of open files that PID has. */
static void open_files(struct scenario *s, pid_t pid, unsigned long *ret_soft, unsigned long *ret_hard)
{
    char path[64];
    char line[256];
    (void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
    FILE *f = fopen(path, "re");
    scenario_check(s, f != NULL);
    *ret_soft = *ret_hard = 0;
    while (fgets(line, sizeof(line), f) && sscanf(line, "Max open files %lu %lu", ret_soft, ret_hard) != 2) {
    }
    (void)fclose(f);
}

enum { SOFT_FILES = 300, HARD_FILES = 900 };

static void limit_files(void *data)
{
    (void)data;
    struct rlimit limit = {SOFT_FILES, HARD_FILES};
    if (setrlimit(RLIMIT_NOFILE, &limit)) {
        _exit(113);
    }
}

static void k18_services_get_the_limits_fosterd_was_given(void **state)
{
    (void)state;
    unsigned long soft;
    unsigned long hard;
    struct scenario_options o = {.prepare = limit_files};
    struct scenario *s = scenario_start_with(&o, "services: { web: { command: '@ACTOR@ print up wait' } }\n");
    pid_t web = scenario_wait(s, "started", "web")->pid;
    (void)scenario_wait_line(s, "web", "up");
    open_files(s, web, &soft, &hard);
    assert_int_equal(soft, SOFT_FILES);
    assert_int_equal(hard, HARD_FILES);
    open_files(s, scenario_pid(s), &soft, &hard);
    assert_int_equal(soft, HARD_FILES);
    assert_int_equal(hard, HARD_FILES);
    scenario_stop(s);
}

static void k19_a_second_term_kills_strangers_of_pid_1(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = world_own_proc, .clone_flags = world_pid_namespace()};
    if (!o.clone_flags) {
        scenario_skip("no pid namespaces here");
    }
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    const char *ear = scenario_path(s, "ear");
    const char *prefix[] = {FIXTURE, "fork", "1",  "[",    "setsid", "ignore", "TERM",
                            "say",   ear,    "%p", "wait", "]",      "exec",   NULL};
    o.prefix = prefix;
    scenario_spawn(s, &o, "services: { web: { command: '@ACTOR@ wait' } }\n");
    pid_t stranger = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_sync(s);
    (void)scenario_wait_pid(s, "unclaimed", NULL, stranger);
    scenario_signal(s, SIGTERM);
    (void)scenario_wait_text(s, NULL, NULL, "ending what no service owns");
    scenario_check(s, scenario_count(s, "exit", NULL) == 0);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
    assert_string_equal(scenario_wait_pid(s, "orphan-reaped", NULL, stranger)->signal, "SIGKILL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(k01_version_is_one_line),
        SCENARIO(k02_help_names_every_option),
        SCENARIO(k03_the_schema_is_json),
        SCENARIO(k04_what_print_config_prints_says_the_same),
        SCENARIO(k05_check_says_where),
        SCENARIO(k06_wrong_words_end_with_64),
        SCENARIO(k07_without_a_file_it_ends_with_78),
        SCENARIO(k08_a_schema_that_cannot_be_written_ends_with_71),
        SCENARIO(k08_a_version_that_cannot_be_written_ends_with_71),
        SCENARIO(k09_level_and_format_come_from_the_file),
        SCENARIO(k10_the_level_of_the_command_line_wins),
        SCENARIO(k11_the_format_of_the_command_line_wins),
        SCENARIO(k12_without_subreaper_orphans_go_elsewhere),
        SCENARIO(k13_a_refused_subreaper_ends_with_71),
        SCENARIO(k14_subreaper_false_goes_on_where_it_is_refused),
        SCENARIO(k15_a_state_directory_has_one_user),
        SCENARIO(k16_what_a_killed_fosterd_left_is_told),
        SCENARIO(k17_left_overs_that_have_ended_are_forgotten),
        SCENARIO(k18_services_get_the_limits_fosterd_was_given),
        SCENARIO(k19_a_second_term_kills_strangers_of_pid_1),
    };
    return SCENARIO_RUN("k_cli", tests);
}

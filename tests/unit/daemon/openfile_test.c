/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Which file is read, what reaches the core from the command line, the file system and the environment, and that
 * problems are shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/openfile.h"

#include "unit/daemon/rig.h"

enum { SAID_MAX = 8192, NAMES_MAX = 4 };

static struct spec_set *set;
static int home_fd; /* the directory that the test began in */
static int said_fd; /* what was written to standard error is read from here */

static int begin(void **state)
{
    int r = rig_begin(state);
    home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    said_fd = -1;
    set = NULL;
    assert_int_equal(chdir(rig_dir()), 0);
    return r;
}

static int end(void **state)
{
    spec_set_free(set);
    rig_restore();
    if (said_fd >= 0)
        close(said_fd);
    assert_int_equal(fchdir(home_fd), 0);
    close(home_fd);
    return rig_end(state);
}

/* Loads as C says; what was said is in the buffer that is returned. */
static const char *load(struct cli *c)
{
    static char said[SAID_MAX];
    char path[RIG_PATH_MAX];
    spec_set_free(set);
    said_fd = open(rig_path("said", path), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(said_fd >= 0);
    rig_replace(STDERR_FILENO, dup(said_fd));
    set = openfile_load(c);
    rig_restore();
    ssize_t n = pread(said_fd, said, sizeof said - 1, 0);
    assert_true(n >= 0);
    said[n] = '\0';
    close(said_fd);
    said_fd = -1;
    return said;
}

static void assert_services(const char *const *names)
{
    assert_non_null(set);
    size_t n = 0;
    while (n < NAMES_MAX && names[n] != NULL)
        n++;
    assert_int_equal(set->n_services, n);
    for (size_t i = 0; i < n; i++)
        assert_non_null(spec_find(set, names[i]));
}

#define ONE_SERVICE(name) "services:\n  " name ":\n    command: sleep 1\n"

static void the_default_place_is_the_directory_we_are_in(void **state)
{
    struct cli c = {.mode = CLI_RUN};
    (void)state;
    rig_write_file("foster.yaml", ONE_SERVICE("here"));
    assert_string_equal(load(&c), "");
    assert_services((const char *const[]){"here", NULL});
}

static void without_any_file_it_says_how_to_name_one(void **state)
{
    struct cli c = {.mode = CLI_RUN};
    (void)state;
    if (access("/etc/foster/foster.yaml", F_OK) == 0)
        skip();
    const char *said = load(&c);
    assert_null(set);
    assert_non_null(strstr(said, "./foster.yaml"));
    assert_non_null(strstr(said, "/etc/foster/foster.yaml"));
    assert_non_null(strstr(said, "-c FILE"));
}

static void the_place_found_first_stays(void **state)
{
    struct diag_list problems = {0};
    struct cli c = {.mode = CLI_RUN};
    char path[RIG_PATH_MAX];
    (void)state;
    rig_write_file("foster.yaml", ONE_SERVICE("here"));
    assert_string_equal(load(&c), "");
    assert_string_equal(c.file, "foster.yaml");
    spec_set_free(set);
    rig_write_file("foster.yaml", ONE_SERVICE("changed"));
    set = openfile_again(&c, &problems);
    assert_services((const char *const[]){"changed", NULL});
    assert_int_equal(problems.n, 0);
    spec_set_free(set);
    assert_int_equal(unlink(rig_path("foster.yaml", path)), 0);
    /* Another place would be another configuration. */
    set = openfile_again(&c, &problems);
    assert_null(set);
    assert_int_equal(problems.n_errors, 1);
    diag_done(&problems);
}

static void a_named_file_wins(void **state)
{
    struct cli c = {.mode = CLI_RUN, .file = "other.yaml"};
    (void)state;
    rig_write_file("foster.yaml", ONE_SERVICE("here"));
    rig_write_file("other.yaml", ONE_SERVICE("there"));
    assert_string_equal(load(&c), "");
    assert_services((const char *const[]){"there", NULL});
}

/* A default that is wrong is not passed over in favour of the next place. */
static void the_first_place_counts_even_when_it_is_wrong(void **state)
{
    struct cli c = {.mode = CLI_RUN};
    (void)state;
    rig_write_file("foster.yaml", "services: [");
    const char *said = load(&c);
    assert_null(set);
    assert_non_null(strstr(said, "foster.yaml:1:"));
}

static void what_cannot_be_read_is_named(void **state)
{
    static const struct {
        const char *file;
        const char *says;
    } cases[] = {
        {"missing.yaml", "there is no file"},
        {"dir", "dir:1:1: cannot read dir: not a regular file; name a regular file\n"},
        {"fifo", "not a regular file"},
        {"/dev/null", "not a regular file"},
        {"big.yaml", "too large; keep it below 1024 KiB or split it with include\n"},
        {"foreign.yaml", "owned by uid 1, which root must not trust; chown root foreign.yaml\n"},
        {"open.yaml", "writable for everybody, which root must not trust; chmod o-w open.yaml\n"},
    };
    char path[RIG_PATH_MAX];
    (void)state;
    assert_int_equal(mkdir(rig_path("dir", path), 0700), 0);
    assert_int_equal(mkfifo(rig_path("fifo", path), 0600), 0);
    rig_write_file("big.yaml", "");
    assert_int_equal(truncate(rig_path("big.yaml", path), 2 << 20), 0);
    rig_write_file("open.yaml", ONE_SERVICE("web"));
    assert_int_equal(chmod(rig_path("open.yaml", path), 0666), 0);
    rig_write_file("foreign.yaml", ONE_SERVICE("web"));
    bool is_root = geteuid() == 0;
    if (is_root)
        assert_int_equal(chown(rig_path("foreign.yaml", path), 1, 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (!is_root && i >= 5)
            continue;
        struct cli c = {.mode = CLI_RUN, .file = cases[i].file};
        const char *said = load(&c);
        assert_null(set);
        if (strstr(said, cases[i].file) == NULL || strstr(said, cases[i].says) == NULL)
            fail_msg("%s: [%s] lacks [%s]", cases[i].file, said, cases[i].says);
    }
}

/* Every problem of the file is shown at its place, in the order of the file. */
static void every_problem_is_shown(void **state)
{
    struct cli c = {.mode = CLI_CHECK};
    (void)state;
    rig_write_file("foster.yaml", "services:\n"
                                  "  web:\n"
                                  "    comand: sleep 1\n"
                                  "  db:\n"
                                  "    command: sleep 1\n"
                                  "    scale: many\n");
    const char *said = load(&c);
    assert_null(set);
    const char *first = strstr(said, "foster.yaml:3:5: ");
    const char *second = strstr(said, "foster.yaml:6:12: ");
    assert_non_null(first);
    assert_non_null(second);
    assert_true(first < second);
    assert_non_null(strstr(said, "comand"));
    /* Nothing of one run is left for the next. */
    rig_write_file("foster.yaml", ONE_SERVICE("web"));
    assert_string_equal(load(&c), "");
    assert_services((const char *const[]){"web", NULL});
}

static void the_command_line_reaches_the_core(void **state)
{
    struct cli c = {
        .mode = CLI_RUN,
        .profiles = {"debug"},
        .n_profiles = 1,
        .sets = {"services.web.scale=3"},
        .n_sets = 1,
    };
    (void)state;
    rig_write_file("foster.yaml", "services:\n"
                                  "  web:\n"
                                  "    command: sleep 1\n"
                                  "  probe:\n"
                                  "    command: sleep 1\n"
                                  "    profiles: [debug]\n"
                                  "  bench:\n"
                                  "    command: sleep 1\n"
                                  "    profiles: [bench]\n");
    assert_string_equal(load(&c), "");
    assert_int_equal(spec_find(set, "web")->scale, 3);
    assert_true(spec_find(set, "web")->enabled);
    assert_true(spec_find(set, "probe")->enabled);
    assert_false(spec_find(set, "bench")->enabled);
}

static void variables_come_from_our_environment(void **state)
{
    struct cli c = {.mode = CLI_RUN};
    (void)state;
    assert_int_equal(setenv("FOSTER_TEST_WORD", "found", 1), 0);
    unsetenv("FOSTER_TEST_NONE");
    rig_write_file("foster.yaml",
                   "services:\n"
                   "  web:\n"
                   "    command: [\"echo\", \"${FOSTER_TEST_WORD}\", \"${FOSTER_TEST_NONE:-default}\"]\n");
    assert_string_equal(load(&c), "");
    unsetenv("FOSTER_TEST_WORD");
    const struct spec *web = spec_find(set, "web");
    assert_int_equal(web->n_command, 3);
    assert_string_equal(web->command[1], "found");
    assert_string_equal(web->command[2], "default");
}

static void users_and_capabilities_are_those_of_this_machine(void **state)
{
    struct cli c = {.mode = CLI_RUN};
    (void)state;
    rig_write_file("foster.yaml", ONE_SERVICE("web") "    user: \"4711:4712\"\n"
                                                     "    group_add: [4713]\n"
                                                     "    cap_drop: [NET_BIND_SERVICE]\n");
    assert_string_equal(load(&c), "");
    const struct spec *web = spec_find(set, "web");
    assert_int_equal(web->user.uid, 4711);
    assert_int_equal(web->user.gid, 4712);
    assert_int_equal(web->user.n_groups, 1);
    assert_int_equal(web->user.groups[0], 4712);
    assert_non_null(web->user.name);
    assert_non_null(web->user.home);
    assert_non_null(web->user.shell);
    assert_int_equal(web->group_add.gids[0], 4713);
    assert_int_equal(web->cap_drop.mask, 1 << 10);
    rig_write_file("foster.yaml", ONE_SERVICE("web") "    user: foster-no-such-user\n"
                                                     "    group_add: [foster-no-such-group]\n"
                                                     "    cap_add: [NET_BIND_SERVICES]\n");
    const char *said = load(&c);
    assert_null(set);
    assert_non_null(strstr(said, "foster.yaml:4:11: `user`: "));
    assert_non_null(strstr(said, "foster.yaml:5:17: `group_add`: "));
    assert_non_null(strstr(said, "foster.yaml:6:15: `NET_BIND_SERVICES` is not a capability; did you mean "
                                 "`NET_BIND_SERVICE`?\n"));
}

static void included_files_are_found_by_pattern(void **state)
{
    struct cli c = {.mode = CLI_RUN};
    char path[RIG_PATH_MAX];
    (void)state;
    assert_int_equal(mkdir(rig_path("conf.d", path), 0700), 0);
    rig_write_file("conf.d/a.yaml", ONE_SERVICE("a"));
    rig_write_file("conf.d/b.yaml", ONE_SERVICE("b"));
    rig_write_file("conf.d/c.txt", "no YAML: [");
    rig_write_file("foster.yaml", "include: conf.d/*.yaml\n" ONE_SERVICE("web"));
    assert_string_equal(load(&c), "");
    assert_services((const char *const[]){"web", "a", "b", NULL});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_default_place_is_the_directory_we_are_in),
        TEST(the_place_found_first_stays),
        TEST(without_any_file_it_says_how_to_name_one),
        TEST(a_named_file_wins),
        TEST(the_first_place_counts_even_when_it_is_wrong),
        TEST(what_cannot_be_read_is_named),
        TEST(every_problem_is_shown),
        TEST(the_command_line_reaches_the_core),
        TEST(variables_come_from_our_environment),
        TEST(users_and_capabilities_are_those_of_this_machine),
        TEST(included_files_are_found_by_pattern),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

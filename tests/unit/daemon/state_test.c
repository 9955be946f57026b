/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The table of runs on disk: what is written and read back, and that neither a damaged file nor a disk that refuses
 * costs more than a warning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/daemon/state_kit.h"

static void a_table_is_written_and_read_back(void **s)
{
    (void)s;
    must_open(OWN_LIMIT);
    assert_int_equal(state.first_id, 1);
    open_attrib(state.first_id);
    rewrite();
    assert_file("");
    struct attrib_run *web = run_open(0, 1, 0);
    struct attrib_run *job = run_open(2, 2, 0);
    state_opened(&state, web, 4001, "web");
    state_opened(&state, job, 4002, "job.2");
    assert_file("+ 1 1 4001 web\n+ 2 2 4002 job.2\n");
    state_closed(&state, web->tag_id);
    assert_file("+ 1 1 4001 web\n+ 2 2 4002 job.2\n- 1\n");
    state_close(&state, false);

    must_open(OWN_LIMIT);
    assert_int_equal(state.first_id, 3);
    close_attrib();
    open_attrib(state.first_id);
    rewrite();
    struct attrib_run *next = run_open(1, 1, 0);
    state_opened(&state, next, 4003, "db");
    assert_file("+ 3 1 4003 db\n");
    assert_logged("\n", 0);
}

static void an_orderly_end_leaves_no_file(void **s)
{
    char text[TEXT_MAX];
    (void)s;
    must_open(OWN_LIMIT);
    open_attrib(1);
    rewrite();
    state_close(&state, true);
    assert_int_equal(rig_read_file("runs", text, sizeof text), -1);
    assert_int_equal(state.fd, -1);
    assert_int_equal(state.lock_fd, -1);
    must_open(OWN_LIMIT);
    assert_int_equal(state.first_id, 1);
    assert_logged("\n", 0);
}

static void the_directory_is_made_for_us_alone(void **s)
{
    struct err e = {0};
    char path[RIG_PATH_MAX], lock[RIG_PATH_MAX], runs[RIG_PATH_MAX];
    struct stat st;
    (void)s;
    rig_path("new", path);
    assert_true(state_open(&state, path, OWN_LIMIT, &e));
    open_attrib(1);
    rewrite();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(rig_path("new/lock", lock), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(rig_path("new/runs", runs), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(fcntl(state.lock_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(state.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void without_a_directory_every_call_does_nothing(void **s)
{
    (void)s;
    struct state none = {.lock_fd = -1, .fd = -1};
    int n_named = 0;
    open_attrib(1);
    struct attrib_run *r = run_open(0, 1, getpid());
    state_rewrite(&none, &attrib, name_of, &n_named);
    state_opened(&none, r, 4001, "web");
    state_closed(&none, 1);
    state_close(&none, true);
    assert_int_equal(n_named, 0);
    assert_int_equal(none.size, 0);
    assert_logged("\n", 0);
}

static void what_is_not_ours_to_read_is_passed_over(void **s)
{
    char good[HEADER_MAX], other_limit[HEADER_MAX];
    (void)s;
    header(good, sizeof good, OWN_LIMIT);
    header(other_limit, sizeof other_limit, OWN_LIMIT - STRIDE);
    const struct {
        const char *first_line;
        uint32_t first_id;
    } cases[] = {
        {good, 8},
        {other_limit, 1},
        {"foster-runs 1 00000000-0000-0000-0000-000000000000 1\n", 1},
        {"foster-runs 2 x 1\n", 1},
        {"foster-runs 1", 1},
        {"\n", 1},
        {"", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[2 * HEADER_MAX];
        snprintf(text, sizeof text, "%s+ 7 1 4001 web\n", cases[i].first_line);
        rig_write_file("runs", text);
        must_open(OWN_LIMIT);
        if (state.first_id != cases[i].first_id)
            fail_msg("case %zu: ids begin at %" PRIu32, i, state.first_id);
        state_close(&state, false);
    }
    assert_logged("\n", 0);
}

static void lines_that_we_did_not_write_do_no_harm(void **s)
{
    static const struct {
        const char *lines;
        uint32_t first_id;
    } cases[] = {
        {"", 1},
        {"+ 5 1 4001 web\n", 6},
        {"+ 5 1 4001 web", 6},
        {"+ 5 1 4001 web\n- 5\n", 6},
        {"+ 2 1 4001 web\n+ 1 2 4002 web\n", 3},
        {"- 5\n", 6},
        {"+ 1048575 1 4001 web\n", 1}, /* the last id: we begin anew */
        {"+ 1048576 1 4001 web\n", 1},
        {"+ 0 1 4001 web\n", 1},
        {"- 0\n", 1},
        {"+ -1 1 4001 web\n", 1},
        {"+ 4294967295 1 4001 web\n", 1},
        {"+ 5\n+ 6 1\n+ 7 1 4001\n+ 8 1 4001 \n", 1},
        {"+ five 1 4001 web\n", 1},
        {"* 5 1 4001 web\n", 1},
        {"nonsense\n\n\n+\n-\n \n%s%n\n+ 3 1 4001 web\n", 4},
        {"+ 3 1 4001 web with blanks\n", 4},
        {"- 3\n- 3\n- 3\n+ 3 1 4001 web\n+ 3 1 4001 web\n", 4},
        {"\xff\xfe\x01\n+ 3 1 4001 \xff\xfe\n", 4},
    };
    (void)s;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        leave_file(cases[i].lines);
        must_open(OWN_LIMIT);
        if (state.first_id != cases[i].first_id)
            fail_msg("case %zu: ids begin at %" PRIu32 ", not %" PRIu32, i, state.first_id, cases[i].first_id);
        state_close(&state, false);
    }
}

static void names_may_be_of_any_length(void **s)
{
    char line[1200];
    (void)s;
    for (size_t len = 78; len < 1000; len = len < 82 ? len + 1 : len * 2) {
        int at = snprintf(line, sizeof line, "+ 5 1 4001 ");
        memset(line + at, 'n', len);
        snprintf(line + at + (int)len, 20, "\n+ 6 1 4001 web\n");
        leave_file(line);
        must_open(OWN_LIMIT);
        assert_int_equal(state.first_id, 7);
        state_close(&state, false);
    }
}

static void a_file_over_its_maximum_is_written_anew(void **s)
{
    (void)s;
    must_open(OWN_LIMIT);
    open_attrib(1);
    rewrite();
    struct attrib_run *live = run_open(0, 1, 4001);
    state_opened(&state, live, 4001, "web");
    struct attrib_run *gone = run_open(1, 2, 0);
    for (int n = 0; state.size <= STATE_FILE_MAX; n++) {
        assert_true(n < STATE_FILE_MAX);
        state_opened(&state, gone, 4002, "db");
        state_closed(&state, gone->tag_id);
    }
    /* What is too long for one fosterd is still read by the next. */
    state_close(&state, false);
    must_open(OWN_LIMIT);
    assert_int_equal(state.first_id, 3);
    rewrite();
    assert_file("+ 1 1 4001 web\n");
    state_closed(&state, live->tag_id);
    assert_file("+ 1 1 4001 web\n- 1\n");
    assert_logged("\n", 0);
}

static void a_file_beyond_all_measure_is_not_read(void **s)
{
    char path[RIG_PATH_MAX];
    (void)s;
    leave_file("+ 7 1 4001 web\n");
    assert_int_equal(truncate(rig_path("runs", path), 2 * STATE_FILE_MAX + 1), 0);
    must_open(OWN_LIMIT);
    assert_int_equal(state.first_id, 1);
    assert_logged("not recognised", 1);
    assert_logged("\n", 1);
}

static void a_file_of_somebody_else_is_not_trusted(void **s)
{
    char path[RIG_PATH_MAX];
    (void)s;
    if (geteuid() != 0)
        skip();
    leave_file("+ 7 1 4001 web\n");
    assert_int_equal(chown(rig_path("runs", path), 1, 1), 0);
    must_open(OWN_LIMIT);
    assert_int_equal(state.first_id, 1);
    assert_logged("root must not trust", 1);
}

/* Prepares the directory NAME for one case of the test below. */
static void make_bad_dir(const char *name)
{
    char path[RIG_PATH_MAX], inner[RIG_PATH_MAX];
    rig_path(name, path);
    if (strcmp(name, "file") == 0) {
        rig_write_file(name, "");
    } else if (strcmp(name, "link") == 0) {
        assert_int_equal(symlink(".", path), 0);
    } else if (strchr(name, '/') == NULL) {
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(inner, sizeof inner, "%s/%s", name, "lock");
        if (strcmp(name, "open") == 0)
            assert_int_equal(chmod(path, 0777), 0);
        else if (strcmp(name, "lock-dir") == 0)
            assert_int_equal(mkdir(rig_path(inner, path), 0700), 0);
        else if (strcmp(name, "lock-link") == 0)
            assert_int_equal(symlink("elsewhere", rig_path(inner, path)), 0);
        else
            assert_int_equal(chown(path, 1, 1), 0);
    }
}

static void a_directory_that_cannot_be_used_is_refused(void **s)
{
    static const struct {
        const char *name;
        const char *says;
    } cases[] = {
        {"file", "Not a directory"},     {"link", "state_dir"},     {"no/parent", "No such file or directory"},
        {"open", "writable for others"}, {"lock-dir", "directory"}, {"lock-link", "lock"},
        {"foreign", "owned by uid 1"},
    };
    (void)s;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        char path[RIG_PATH_MAX];
        if (strcmp(cases[i].name, "foreign") == 0 && geteuid() != 0)
            continue;
        make_bad_dir(cases[i].name);
        if (state_open(&state, rig_path(cases[i].name, path), OWN_LIMIT, &e))
            fail_msg("%s is taken", cases[i].name);
        if (strstr(e.text, cases[i].says) == NULL || strstr(e.text, path) == NULL)
            fail_msg("%s: [%s] lacks [%s]", cases[i].name, e.text, cases[i].says);
        assert_int_equal(state.lock_fd, -1);
        assert_int_equal(state.fd, -1);
    }
    static char endless[8192];
    struct err e = {0};
    memset(endless, 'x', sizeof endless - 1);
    assert_false(state_open(&state, endless, OWN_LIMIT, &e));
    assert_non_null(strstr(e.text, "state_dir"));
    assert_logged("\n", 0);
}

/* State is worth less than services: failures are told once, and end when the cause does. */
static void a_file_that_cannot_be_written_warns_once_a_spell(void **s)
{
    char path[RIG_PATH_MAX];
    (void)s;
    must_open(OWN_LIMIT);
    open_attrib(1);
    assert_int_equal(mkdir(rig_path("runs", path), 0700), 0);
    rewrite();
    rewrite();
    assert_int_equal(state.fd, -1);
    assert_logged("going on without it", 1);
    struct attrib_run *r = run_open(0, 1, 4001);
    state_opened(&state, r, 4001, "web");
    state_closed(&state, 1);
    assert_logged("\n", 1);
    assert_int_equal(rmdir(path), 0);
    rewrite();
    assert_file("+ 1 1 4001 web\n");
    state_closed(&state, 1);
    assert_file("+ 1 1 4001 web\n- 1\n");
}

static void limit_file_size(rlim_t n)
{
    struct rlimit lim;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &lim), 0);
    lim.rlim_cur = n < lim.rlim_max ? n : lim.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
}

static void a_full_disk_warns_once_a_spell(void **s)
{
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    (void)s;
    must_open(OWN_LIMIT);
    open_attrib(1);
    rewrite();
    struct attrib_run *r = run_open(0, 1, 4001);
    for (size_t spell = 1; spell <= 2; spell++) {
        limit_file_size(0);
        state_opened(&state, r, 4001, "web");
        state_closed(&state, 1);
        limit_file_size(RLIM_INFINITY);
        assert_logged("File too large", spell);
        assert_logged("\n", spell);
        state_closed(&state, 1);
    }
    signal(SIGXFSZ, before);
    assert_file("- 1\n- 1\n");
}

static void only_runs_with_members_are_kept(void **s)
{
    int n_named = 0;
    (void)s;
    must_open(OWN_LIMIT);
    open_attrib(100);
    run_open(0, 1, 4001);
    run_open(1, 2, 0);
    struct attrib_run *adopted = run_open(2, 3, 0);
    assert_non_null(attrib_add(&attrib, 4003, adopted, ATTRIB_MEMBER, ATTRIB_TAG, 0));
    state_rewrite(&state, &attrib, name_of, &n_named);
    assert_int_equal(n_named, 2);
    assert_file("+ 100 1 4001 web\n+ 102 3 0 job.2\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_table_is_written_and_read_back),
        TEST(an_orderly_end_leaves_no_file),
        TEST(the_directory_is_made_for_us_alone),
        TEST(without_a_directory_every_call_does_nothing),
        TEST(what_is_not_ours_to_read_is_passed_over),
        TEST(lines_that_we_did_not_write_do_no_harm),
        TEST(names_may_be_of_any_length),
        TEST(a_file_over_its_maximum_is_written_anew),
        TEST(a_file_beyond_all_measure_is_not_read),
        TEST(a_file_of_somebody_else_is_not_trusted),
        TEST(a_directory_that_cannot_be_used_is_refused),
        TEST(a_file_that_cannot_be_written_warns_once_a_spell),
        TEST(a_full_disk_warns_once_a_spell),
        TEST(only_runs_with_members_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A state directory in tests: one state, one table of runs, and the file between them.
 */
#ifndef FOSTER_TESTS_UNIT_DAEMON_STATE_KIT_H
#define FOSTER_TESTS_UNIT_DAEMON_STATE_KIT_H

#include "base/log.h"
#include "daemon/state.h"

#include "unit/daemon/rig.h"

#include <inttypes.h>

enum { TEXT_MAX = 4096, HEADER_MAX = 160, OWN_ID = 54321 };

/* A limit as that of a supervisor below another: no process outside this test bears tags of it. */
#define OWN_LIMIT ((UINT64_C(1) << 60) - (uint64_t)OWN_ID * (UINT64_C(1) << 40))
#define STRIDE    (UINT64_C(1) << 20)

static struct state state = {.lock_fd = -1, .fd = -1};
static struct attrib attrib;
static bool has_attrib;

static const char *const unit_names[] = {"web", "db", "job.2"};

static inline const char *name_of(unsigned unit, void *data)
{
    (*(int *)data)++;
    return unit_names[unit];
}

static inline void open_attrib(uint32_t first_id)
{
    attrib_init(&attrib, OWN_LIMIT, 1, first_id);
    has_attrib = true;
}

static inline void close_attrib(void)
{
    if (has_attrib)
        attrib_done(&attrib);
    has_attrib = false;
}

/* A run of UNIT with one member, PID. */
static inline struct attrib_run *run_open(unsigned unit, uint64_t run, pid_t pid)
{
    struct attrib_run *r = attrib_run_open(&attrib, unit, run);
    assert_non_null(r);
    if (pid > 0)
        assert_non_null(attrib_add(&attrib, pid, r, ATTRIB_MAIN, ATTRIB_BORN, 0));
    return r;
}

static inline int begin(void **s)
{
    int r = rig_begin(s);
    rig_dir();
    rig_catch_log(LOG_LEVEL_INFO);
    return r;
}

static inline int end(void **s)
{
    state_close(&state, false);
    close_attrib();
    return rig_end(s);
}

static inline void must_open(uint64_t own_limit)
{
    struct err e = {0};
    if (!state_open(&state, rig.dir, own_limit, &e))
        fail_msg("%s", e.text);
    assert_int_equal(e.kind, ERR_NONE);
}

static inline void rewrite(void)
{
    int n_named = 0;
    state_rewrite(&state, &attrib, name_of, &n_named);
}

/* The first line as it is on this boot. */
static inline void header(char *buf, size_t size, uint64_t own_limit)
{
    char boot[64] = "";
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    assert_non_null(f);
    assert_non_null(fgets(boot, sizeof boot, f));
    fclose(f);
    boot[strcspn(boot, "\n")] = '\0';
    snprintf(buf, size, "foster-runs 1 %s %" PRIu64 "\n", boot, own_limit);
}

/* Writes the file as an earlier fosterd on this boot left it. */
static inline void leave_file(const char *lines)
{
    static char text[TEXT_MAX];
    header(text, sizeof text, OWN_LIMIT);
    strncat(text, lines, sizeof text - 1 - strlen(text));
    rig_write_file("runs", text);
}

static inline void assert_file(const char *lines)
{
    static char text[TEXT_MAX], expected[TEXT_MAX];
    header(expected, sizeof expected, OWN_LIMIT);
    strncat(expected, lines, sizeof expected - 1 - strlen(expected));
    assert_true(rig_read_file("runs", text, sizeof text) >= 0);
    assert_string_equal(text, expected);
    assert_int_equal(state.size, strlen(expected));
}

static inline void assert_logged(const char *word, size_t n)
{
    if (rig_count(rig_log(), word) != n)
        fail_msg("the log has not %zu times [%s]: [%s]", n, word, rig_log());
}

#endif

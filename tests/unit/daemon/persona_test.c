/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Personalities: which name means which, and what their traits amount to: exit codes, signals, the form of the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/persona.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void the_last_component_of_the_name_counts(void **state)
{
    static const struct {
        const char *argv0;
        enum persona_id id;
    } cases[] = {
        {"tini", PERSONA_TINI},
        {"/usr/bin/tini", PERSONA_TINI},
        {"./tini-static", PERSONA_TINI},
        {"/sbin/docker-init", PERSONA_TINI},
        {"/run/podman-init", PERSONA_TINI},
        {"dumb-init", PERSONA_DUMB_INIT},
        {"/usr/bin/dumb-init", PERSONA_DUMB_INIT},
        {"/usr/libexec/podman/catatonit", PERSONA_CATATONIT},
        {"fosterd", PERSONA_FOSTER},
        {"/tini/fosterd", PERSONA_FOSTER},
        {"tini/", PERSONA_FOSTER},
        {"tini2", PERSONA_FOSTER},
        {"Tini", PERSONA_FOSTER},
        {"", PERSONA_FOSTER},
        {"/", PERSONA_FOSTER},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(persona_of(cases[i].argv0)->id, cases[i].id);
        assert_ptr_equal(persona_of(cases[i].argv0), persona_get(cases[i].id));
    }
}

static void exit_codes_of_a_failed_exec(void **state)
{
    static const struct {
        enum persona_id id;
        int missing, denied, other;
    } cases[] = {
        {PERSONA_FOSTER, 127, 126, 126},
        {PERSONA_TINI, 127, 126, 1},
        {PERSONA_DUMB_INIT, 2, 2, 2},
        {PERSONA_CATATONIT, 1, 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct persona *p = persona_get(cases[i].id);
        assert_int_equal(persona_exec_code(p, ENOENT), cases[i].missing);
        assert_int_equal(persona_exec_code(p, EACCES), cases[i].denied);
        assert_int_equal(persona_exec_code(p, ENOEXEC), cases[i].other);
        assert_int_equal(persona_exec_code(p, ENOMEM), cases[i].other);
        assert_int_equal(persona_exec_code(p, ENOTDIR), cases[i].other);
    }
}

static void signals_that_are_passed_on(void **state)
{
    static const struct {
        enum persona_id id;
        int kept[5]; /* not passed on; all others are */
    } cases[] = {
        {PERSONA_FOSTER, {SIGCHLD, SIGTTIN, SIGTTOU}},
        {PERSONA_TINI, {SIGCHLD, SIGTTIN, SIGTTOU}},
        {PERSONA_DUMB_INIT, {SIGCHLD}},
        {PERSONA_CATATONIT, {SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct persona *p = persona_get(cases[i].id);
        for (int sig = 1; sig <= 64; sig++) {
            bool kept = false;
            for (size_t k = 0; cases[i].kept[k] != 0; k++)
                kept = kept || cases[i].kept[k] == sig;
            if (persona_forwards(p, sig) == kept)
                fail_msg("%s: signal %d", p->name, sig);
        }
        assert_false(persona_forwards(p, 0));
        assert_false(persona_forwards(p, -1));
        assert_false(persona_forwards(p, 65));
    }
}

static void traits_that_must_agree(void **state)
{
    (void)state;
    for (enum persona_id id = 0; id < PERSONA_N; id++) {
        const struct persona *p = persona_get(id);
        char prefix[PERSONA_PREFIX_MAX];
        assert_int_equal(p->id, id);
        assert_non_null(p->name);
        assert_true(p->usage_code >= 1 && p->usage_code <= 255);
        assert_true(p->verbosity >= 0 && p->verbosity <= 3);
        /* Who stops itself passes on what made it do so. */
        assert_true(!p->suspends_itself || (p->passes_tstp && p->passes_tt));
        assert_true(strlen(persona_prefix(p, LOG_LEVEL_ERROR, prefix, sizeof prefix)) + 8 < sizeof prefix);
    }
}

/* Docker takes what stands before " - " and looks for its beginning. */
static void docker_can_read_the_version(void **state)
{
    static const enum persona_id ids[] = {PERSONA_TINI, PERSONA_CATATONIT};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        int major, minor, patch, end = 0;
        const char *version = persona_get(ids[i])->version;
        assert_int_equal(sscanf(version, "tini version %d.%d.%d%n", &major, &minor, &patch, &end), 3);
        assert_string_equal(version + end, " - foster");
    }
}

struct log_case {
    enum persona_id id;
    const char *lines; /* with %1$d for our pid */
};

/* What the log of P says at LEVEL to one message of each kind, in BUF. */
static void log_of(const struct persona *p, enum log_level level, char *buf, size_t size)
{
    int fd = memfd_create("log", MFD_CLOEXEC), saved = dup(STDERR_FILENO);

    assert_true(fd >= 0 && saved >= 0);
    dup2(fd, STDERR_FILENO);
    persona_log_setup(p, level);
    log_err("e");
    log_warn("w");
    log_info("i");
    log_debug("d");
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = pread(fd, buf, size - 1, 0);
    assert_true(n >= 0);
    buf[n] = '\0';
    close(fd);
}

static void the_log_has_the_form_of_the_peer(void **state)
{
    char got[512], want[512];
    int pid = (int)getpid();

    (void)state;
    log_of(persona_get(PERSONA_TINI), LOG_LEVEL_DEBUG, got, sizeof got);
    snprintf(want, sizeof want, "[FATAL tini (%d)] e\n[WARN  tini (%d)] w\n[INFO  tini (%d)] i\n[DEBUG tini (%d)] d\n",
             pid, pid, pid, pid);
    assert_string_equal(got, want);
    log_of(persona_get(PERSONA_CATATONIT), LOG_LEVEL_DEBUG, got, sizeof got);
    snprintf(want, sizeof want,
             "ERROR (catatonit:%d): e\nWARN (catatonit:%d): w\nINFO (catatonit:%d): i\nDEBUG (catatonit:%d): d\n", pid,
             pid, pid, pid);
    assert_string_equal(got, want);
    log_of(persona_get(PERSONA_DUMB_INIT), LOG_LEVEL_DEBUG, got, sizeof got);
    assert_string_equal(got, "[dumb-init] e\n[dumb-init] w\n[dumb-init] i\n[dumb-init] d\n");
    log_of(persona_get(PERSONA_FOSTER), LOG_LEVEL_DEBUG, got, sizeof got);
    assert_string_equal(got, "fosterd: error: e\nfosterd: warning: w\nfosterd: i\nfosterd: d\n");
}

static void the_log_has_the_level_that_was_asked_for(void **state)
{
    char got[512];

    (void)state;
    log_of(persona_get(PERSONA_DUMB_INIT), LOG_LEVEL_ERROR, got, sizeof got);
    assert_string_equal(got, "[dumb-init] e\n");
    log_of(persona_get(PERSONA_FOSTER), LOG_LEVEL_WARN, got, sizeof got);
    assert_string_equal(got, "fosterd: error: e\nfosterd: warning: w\n");
}

static void a_prefix_names_us(void **state)
{
    char got[PERSONA_PREFIX_MAX], want[PERSONA_PREFIX_MAX];

    (void)state;
    snprintf(want, sizeof want, "[WARN  tini (%d)] ", (int)getpid());
    assert_string_equal(persona_prefix(persona_get(PERSONA_TINI), LOG_LEVEL_WARN, got, sizeof got), want);
    assert_string_equal(persona_prefix(persona_get(PERSONA_FOSTER), LOG_LEVEL_ERROR, got, sizeof got), "fosterd: ");
    /* A buffer that is too small cuts it. */
    assert_string_equal(persona_prefix(persona_get(PERSONA_TINI), LOG_LEVEL_WARN, got, 6), "[WARN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_component_of_the_name_counts),
        cmocka_unit_test(exit_codes_of_a_failed_exec),
        cmocka_unit_test(signals_that_are_passed_on),
        cmocka_unit_test(traits_that_must_agree),
        cmocka_unit_test(docker_can_read_the_version),
        cmocka_unit_test(the_log_has_the_form_of_the_peer),
        cmocka_unit_test(the_log_has_the_level_that_was_asked_for),
        cmocka_unit_test(a_prefix_names_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

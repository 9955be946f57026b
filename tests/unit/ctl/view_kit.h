/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Stored results of the protocol, and every view of them.
 */
#ifndef FOSTER_TESTS_UNIT_CTL_VIEW_KIT_H
#define FOSTER_TESTS_UNIT_CTL_VIEW_KIT_H

#include "ctl/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VIEW_OUT_MAX = 1 << 20 };

/** A way to show a result. */
typedef void view_render(struct buf *out, const struct view *v, const json_t *result);

static inline void view_kit_ps(struct buf *out, const struct view *v, const json_t *result)
{
    view_ps(out, v, result, false);
}

static inline void view_kit_ps_wide(struct buf *out, const struct view *v, const json_t *result)
{
    view_ps(out, v, result, true);
}

static inline void view_kit_outcomes(struct buf *out, const struct view *v, const json_t *result)
{
    const json_t *outcomes = json_object_get(result, "services"), *outcome;
    size_t i;

    json_array_foreach(outcomes, i, outcome)
    {
        view_outcome(out, v, outcome);
    }
}

static inline void view_kit_events(struct buf *out, const struct view *v, const json_t *result)
{
    const json_t *event;
    size_t i;

    json_array_foreach(result, i, event)
    {
        view_event(out, v, event);
    }
}

/** All of them. */
static view_render *const view_kit_all[] = {
    view_kit_ps, view_kit_ps_wide,  view_service,    view_tree,    view_graph, view_dot,  view_svg,       view_doctor,
    view_plan,   view_kit_outcomes, view_kit_events, view_zombies, view_cure,  view_plot, view_plot_text,
};

/** For a group of tests: times are those of UTC. */
static inline int view_kit_set_zone(void **state)
{
    (void)state;
    if (setenv("TZ", "UTC", 1) != 0)
        return -1;
    tzset();
    return 0;
}

/** The file NAME of tests/golden/ctl as JSON; the caller gives it back. */
static inline json_t *view_kit_load(const char *name)
{
    char path[512];
    json_error_t e;

    (void)snprintf(path, sizeof path, SOURCE_DIR "/tests/golden/ctl/%s", name);
    json_t *ret = json_load_file(path, 0, &e);
    if (!ret) {
        fail_msg("%s:%d: %s", path, e.line, e.text);
        abort();
    }
    return ret;
}

/** Compares TEXT with the file NAME of tests/golden/ctl. With FOSTER_UPDATE_GOLDEN in the environment the file is
 * written instead. */
static inline void view_kit_golden(const char *name, const char *text)
{
    char path[512];
    static char expected[1 << 16];
    bool write = getenv("FOSTER_UPDATE_GOLDEN") != NULL;

    (void)snprintf(path, sizeof path, SOURCE_DIR "/tests/golden/ctl/%s", name);
    FILE *f = fopen(path, write ? "we" : "re");
    if (!f) {
        fail_msg("no %s; there it would say:\n%s", path, text);
        abort();
    }
    if (write)
        assert_true(fputs(text, f) >= 0);
    else
        expected[fread(expected, 1, sizeof expected - 1, f)] = '\0';
    assert_int_equal(fclose(f), 0);
    if (!write && strcmp(text, expected) != 0)
        fail_msg("%s is not what is shown:\n%s", name, text);
}

/** Nothing in TEXT may command a terminal; with COLOR, only our own sequences do. */
static inline void view_kit_harmless(const char *text, bool color)
{
    static const char *const ours[] = {"\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[1;31m"};

    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        bool own = false;
        for (size_t i = 0; color && i < ARRAY_LEN(ours); i++)
            own = own || strncmp((const char *)p, ours[i], strlen(ours[i])) == 0;
        if (own || *p == '\n')
            continue;
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0) || (*p == 0xe2 && p[1] == 0x80 && p[2] == 0xae))
            fail_msg("a character that commands the terminal, 0x%02x, in:\n%s", *p, text);
    }
}

#endif

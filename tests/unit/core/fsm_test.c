/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The state table against the page that shows it, and against itself. FOSTER_UPDATE_GOLDEN=1 writes the pages anew
 * after a change of fsm.def.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/fsm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const pages[] = {SOURCE_DIR "/tests/golden/states.md", SOURCE_DIR "/doc/states.md"};

static void print_table(struct buf *b)
{
    buf_init(b, 1 << 16);
    assert_true(fsm_print(b));
}

static void test_the_pages_show_the_table(void **state)
{
    struct buf b;
    char *page = malloc(1 << 16);

    (void)state;
    assert_non_null(page);
    print_table(&b);
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        bool update = getenv("FOSTER_UPDATE_GOLDEN") != NULL;
        FILE *f = fopen(pages[i], update ? "w+" : "r");
        size_t n;
        if (!f)
            fail_msg("%s is missing", pages[i]);
        if (update) {
            assert_int_equal(fwrite(b.data, 1, b.len, f), b.len);
            rewind(f);
        }
        n = fread(page, 1, (1 << 16) - 1, f);
        fclose(f);
        page[n] = '\0';
        assert_string_equal(page, buf_str(&b));
    }
    free(page);
    buf_done(&b);
}

static void test_a_full_buffer_is_told(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_false(fsm_print(&b));
    buf_done(&b);
}

/* Each cell is an action, or nothing with a reason, or impossible; and leads only where entering is allowed. */
static void test_every_cell_is_sound(void **state)
{
    unsigned n_actions = 0, n_ignored = 0, n_bugs = 0;

    (void)state;
    for (unsigned s = 0; s < UNIT_STATE_N; s++)
        for (unsigned e = 0; e < FSM_EVENT_N; e++) {
            const struct fsm_rule *r = fsm_rule((enum unit_state)s, (enum fsm_event)e);
            n_bugs += r->action == FSM_BUG;
            n_ignored += r->action == FSM_NOTHING;
            n_actions += r->action > FSM_NOTHING;
            assert_true(r->action == FSM_NOTHING ? r->why != NULL && strlen(r->why) > 5 : r->why == NULL);
            assert_true(r->action > FSM_NOTHING || r->to == 0);
            for (unsigned to = 0; to < UNIT_STATE_N; to++)
                /* From one state to the next; an action may go on to a third one. */
                if (r->to & FSM_BIT(to) && !fsm_may_enter((enum unit_state)to, (enum unit_state)s))
                    assert_true(s == UNIT_STARTING && to == UNIT_READY);
        }
    assert_int_equal(n_actions + n_ignored + n_bugs, UNIT_STATE_N * FSM_EVENT_N);
    assert_true(n_actions > 40);
}

/* No state may be entered from one that has no action that leads there. */
static void test_every_entry_has_a_cell(void **state)
{
    (void)state;
    for (unsigned to = 0; to < UNIT_STATE_N; to++)
        for (unsigned from = 0; from < UNIT_STATE_N; from++) {
            unsigned found = 0;
            for (unsigned e = 0; e < FSM_EVENT_N; e++)
                found += fsm_rule((enum unit_state)from, (enum fsm_event)e)->to >> to & 1;
            if (fsm_may_enter((enum unit_state)to, (enum unit_state)from) != (found > 0) &&
                !(from == UNIT_STARTING && to == UNIT_READY))
                fail_msg("%s -> %s: entry and cells disagree", unit_state_name((enum unit_state)from),
                         unit_state_name((enum unit_state)to));
        }
}

static void test_every_action_is_used_and_named(void **state)
{
    (void)state;
    for (unsigned a = 0; a < FSM_ACTION_N; a++) {
        unsigned n = 0;
        for (unsigned s = 0; s < UNIT_STATE_N; s++)
            for (unsigned e = 0; e < FSM_EVENT_N; e++)
                n += fsm_rule((enum unit_state)s, (enum fsm_event)e)->action == a;
        assert_true(n > 0);
        assert_true(strlen(fsm_action_name((enum fsm_action)a)) > 2);
        assert_true(strlen(fsm_action_sentence((enum fsm_action)a)) > 5);
    }
}

/* Shutdown and its kill, a timer, and the end of members may come at any time. */
static void test_what_may_always_come(void **state)
{
    static const enum fsm_event always[] = {FSM_WANT_UP, FSM_WANT_DOWN,     FSM_RESTART,     FSM_KILL,
                                            FSM_TIMER,   FSM_MEMBER_EXITED, FSM_MEMBERS_GONE};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        for (unsigned s = 0; s < UNIT_STATE_N; s++)
            assert_int_not_equal(fsm_rule((enum unit_state)s, always[i])->action, FSM_BUG);
}

static void test_names(void **state)
{
    static const char *const states[] = {"stopped",  "waiting", "starting", "running", "ready",
                                         "stopping", "backoff", "done",     "failed",  "skipped"};

    (void)state;
    assert_int_equal(ARRAY_LEN(states), UNIT_STATE_N);
    for (unsigned s = 0; s < UNIT_STATE_N; s++)
        assert_string_equal(unit_state_name((enum unit_state)s), states[s]);
    for (unsigned e = 0; e < FSM_EVENT_N; e++)
        assert_true(strlen(fsm_event_name((enum fsm_event)e)) > 3);
    assert_string_equal(unit_state_name(UNIT_STATE_N), "?");
    assert_string_equal(fsm_event_name(FSM_EVENT_N), "?");
    assert_string_equal(fsm_action_name(FSM_ACTION_N), "?");
    assert_string_equal(fsm_action_sentence(FSM_ACTION_N), "?");
}

static void test_out_of_range(void **state)
{
    (void)state;
    assert_int_equal(fsm_rule(UNIT_STATE_N, FSM_TIMER)->action, FSM_BUG);
    assert_int_equal(fsm_rule(UNIT_READY, FSM_EVENT_N)->action, FSM_BUG);
    assert_false(fsm_may_enter(UNIT_STATE_N, UNIT_READY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_pages_show_the_table),
        cmocka_unit_test(test_a_full_buffer_is_told),
        cmocka_unit_test(test_every_cell_is_sound),
        cmocka_unit_test(test_every_entry_has_a_cell),
        cmocka_unit_test(test_every_action_is_used_and_named),
        cmocka_unit_test(test_what_may_always_come),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_out_of_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

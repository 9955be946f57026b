/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Requests that wait, over a real super whose processes are made up, and a client that writes down what it is sent.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "desk.h"
#include "stream_kit.h"

#include "daemon/parked.h"
#include "sys/sys.h"

static struct parked *park_with(int id, const char *name, const struct parked_params *params)
{
    unsigned unit = name ? super_find(desk.k.super, name) : 0;
    struct select sel = {.units = &unit, .n = name != NULL};
    json_t *number = json_integer(id);
    struct parked *p = parked_new(&desk.client, number, &sel, params);
    json_decref(number);
    return p;
}

static struct parked *park(int id, const char *name, enum outcome_goal goal)
{
    struct parked_params params = {.wish.goal = goal, .timeout_ms = -1};
    struct parked *p = park_with(id, name, &params);
    assert_non_null(p);
    return p;
}

/* Asks for EVENT of NAME and waits for GOAL. */
static void ask(int id, enum event_kind event, const char *name, enum outcome_goal goal)
{
    struct parked *p = park(id, name, goal);
    kit_tell(&desk.k, event, name);
    parked_begin(p);
}

/* What has been desk.sent, since the last call, as text: "progress 1 web: ok ready in 0 ms; reply 1: ok web". */
static const char *said(void)
{
    static char text[KIT_TEXT];
    size_t i, n;
    json_t *message, *outcome;
    text[0] = '\0';
    json_array_foreach(desk.sent, i, message)
    {
        char line[512];
        json_t *params = json_object_get(message, "params"), *result = json_object_get(message, "result");
        int id = (int)json_integer_value(json_object_get(params ? params : message, "id"));
        outcome = json_object_get(params, "outcome");
        if (outcome)
            snprintf(line, sizeof line, "progress %d", id);
        else
            snprintf(line, sizeof line, "%s %d: %s", result ? "reply" : "error", id,
                     json_is_true(json_object_get(result, "ok")) ? "ok" : "not");
        json_array_foreach(json_object_get(result, "services"), n, outcome)
            snprintf(line + strlen(line), sizeof line - strlen(line), ", %s %s%s",
                     json_string_value(json_object_get(outcome, "name")),
                     json_is_true(json_object_get(outcome, "done")) ? "" : "? ",
                     json_string_value(json_object_get(outcome, "text")));
        kit_add(text, "; ", line);
    }
    json_array_clear(desk.sent);
    return text;
}

/* The time that words tell depends on the machine; whether it is there does not. */
#define check_said(expected) assert_string_equal(without_times(said()), expected)

static const char *without_times(const char *text)
{
    static char out[KIT_TEXT];
    size_t n = 0;
    while (*text != '\0') {
        out[n++] = *text;
        if ((strncmp(text, " in ", 4) == 0 && text[4] >= '0' && text[4] <= '9') || strncmp(text, "fter ", 5) == 0) {
            size_t skip = *text == ' ' ? 3 : 4;
            memcpy(out + n, text + 1, skip);
            n += skip;
            text += skip + 1;
            text += strcspn(text, ";,");
            out[n++] = 'T';
            continue;
        }
        text++;
    }
    out[n] = '\0';
    return out;
}

static void what_is_so_already_is_answered_at_once(void **state)
{
    (void)state;
    kit_tell(&desk.k, EVENT_START, "db");
    kit_up(&desk.k, "db");
    ask(1, EVENT_START, "db", OUTCOME_UP);
    check_said("progress 1; reply 1: ok, db ready");
    ask(2, EVENT_STOP, "web", OUTCOME_DOWN);
    check_said("progress 2; reply 2: ok, web not running");
    assert_int_equal(desk.client.n_parked, 0);
}

static void an_outcome_is_told_when_it_is_known(void **state)
{
    unsigned units[2] = {super_find(desk.k.super, "db"), super_find(desk.k.super, "web")};
    struct select sel = {.units = units, .n = 2};
    struct parked_params params = {.wish.goal = OUTCOME_UP, .timeout_ms = -1};
    json_t *id = json_string("mine");
    (void)state;
    struct parked *p = parked_new(&desk.client, id, &sel, &params);
    kit_tell(&desk.k, EVENT_START, "web");
    parked_begin(p);
    kit_up(&desk.k, "db");
    parked_settle_all(&desk.control);
    json_t *progress = json_object_get(json_array_get(desk.sent, 0), "params");
    assert_true(json_equal(json_object_get(progress, "id"), id));
    check_said("progress 0");
    parked_settle_all(&desk.control);
    check_said("");
    kit_up(&desk.k, "web");
    parked_settle_all(&desk.control);
    assert_true(json_equal(json_object_get(json_array_get(desk.sent, 1), "id"), id));
    check_said("progress 0; reply 0: ok, db ready in T, web ready in T");
    json_decref(id);
}

static void states_of_passage_are_not_outcomes(void **state)
{
    struct parked *p = park(1, "db", OUTCOME_UP);
    (void)state;
    /* Nothing has been asked of super yet: that it is stopped is no answer. */
    parked_settle_all(&desk.control);
    check_said("");
    kit_tell(&desk.k, EVENT_START, "db");
    parked_begin(p);
    /* It is ready, and dies, before anybody looks. */
    kit_up(&desk.k, "db");
    kit_died(&desk.k, "db", kit_exit(3), 0);
    parked_settle_all(&desk.control);
    check_said("progress 1; reply 1: not, db backoff");
}

static void why_it_failed_and_what_it_said(void **state)
{
    enum { FAR_AWAY_MS = 1000000 };
    static struct engine_unit db;
    static struct output_stream out;
    struct engine_unit *units[] = {&db};
    char reason[] = "cannot start: no such program";
    (void)state;
    db = (struct engine_unit){.index = 0, .id = kit_view(&desk.k, "db").id, .reason = reason};
    desk.engine.units = units;
    desk.engine.n_units = 1;
    db.out[SPEC_STREAM_OUT] = &out;
    stream_make(&out, LOGRING_SIZE_MIN);
    stream_put(&out, "earlier\n", 8, 0);
    logring_begin_run(&out.ring, 8);
    ask(1, EVENT_START, "db", OUTCOME_UP);
    kit_fail(&desk.k, EVENT_SPAWN_FAILED, "db", 2, "no such program");
    /* Its last words are on their way, and then the next run has begun. */
    out.is_synced = false;
    out.sync_ms = sys_now_ms() + FAR_AWAY_MS;
    parked_settle_all(&desk.control);
    check_said("");
    stream_put(&out, "hello\n", 6, 0);
    logring_begin_run(&out.ring, 14);
    stream_put(&out, "later\n", 6, 0);
    out.is_synced = true;
    parked_settle_all(&desk.control);
    const json_t *outcome = json_object_get(json_object_get(json_array_get(desk.sent, 0), "params"), "outcome");
    json_t *lines = json_object_get(outcome, "lines");
    assert_int_equal(json_array_size(lines), 1);
    assert_string_equal(json_string_value(json_array_get(lines, 0)), "hello");
    check_said("progress 1; reply 1: not, db cannot start: no such program");
    stream_unmake(&out);
}

static void no_wait_is_answered_with_what_is_known(void **state)
{
    struct parked_params params = {.wish.goal = OUTCOME_UP, .no_wait = true, .timeout_ms = -1};
    (void)state;
    struct parked *p = park_with(1, "db", &params);
    kit_tell(&desk.k, EVENT_START, "db");
    parked_begin(p);
    check_said("reply 1: ok, db ? starting");
    kit_up(&desk.k, "db");
    parked_begin(park_with(2, "db", &params));
    check_said("reply 2: ok, db ready");
    kit_died(&desk.k, "db", kit_exit(3), 0);
    parked_begin(park_with(3, "db", &params));
    check_said("reply 3: not, db backoff");
}

static bool has_been_sent(void *data)
{
    (void)data;
    return json_array_size(desk.sent) > 0;
}

static void when_the_time_is_over_the_rest_is_open(void **state)
{
    struct parked_params params = {.wish.goal = OUTCOME_UP, .timeout_ms = 1};
    (void)state;
    struct parked *p = park_with(1, "db", &params);
    kit_tell(&desk.k, EVENT_START, "db");
    parked_begin(p);
    rig_run_until(has_been_sent, NULL);
    check_said("reply 1: not, db ? still starting after T");
    assert_int_equal(desk.client.n_parked, 0);
}

static void seventeen_are_too_many(void **state)
{
    struct parked_params params = {.wish.goal = OUTCOME_UP, .timeout_ms = -1};
    struct parked_params at_once = {.wish.goal = OUTCOME_UP, .no_wait = true};
    json_t *id = json_integer(18);
    (void)state;
    for (int i = 0; i < CLIENT_PARKED_MAX; i++) {
        assert_true(parked_has_room(&desk.client, id));
        (void)park(i, "db", OUTCOME_UP);
    }
    check_said("");
    assert_null(park_with(17, "db", &params));
    assert_false(parked_has_room(&desk.client, id));
    check_said("error 17: not; error 18: not");
    parked_begin(park_with(19, "db", &at_once));
    check_said("reply 19: not, db stopped");
    assert_int_equal(desk.client.n_parked, CLIENT_PARKED_MAX);
    json_decref(id);
}

/* Has a request with ID wait for N units; whether it may. */
static bool may_wait_for(int id, size_t n)
{
    static unsigned units[2 * CLIENT_PARKED_UNITS_MAX]; /* all of them the first one */
    struct select sel = {.units = units, .n = n};
    struct parked_params params = {.wish.goal = OUTCOME_UP, .timeout_ms = -1};
    json_t *number = json_integer(id);
    bool may = parked_new(&desk.client, number, &sel, &params) != NULL;
    json_decref(number);
    return may;
}

static void several_requests_wait_for_so_many_units(void **state)
{
    (void)state;
    assert_true(may_wait_for(1, 2 * CLIENT_PARKED_UNITS_MAX));
    assert_false(may_wait_for(2, 1));
    check_said("error 2: not");
    parked_free_all(&desk.client);
    assert_true(may_wait_for(3, CLIENT_PARKED_UNITS_MAX - 2));
    assert_true(may_wait_for(4, 1));
    assert_false(may_wait_for(5, 2));
    check_said("error 5: not");
    assert_true(may_wait_for(6, 1));
    assert_int_equal(desk.client.n_parked, 3);
}

static void who_is_gone_or_doomed_hears_nothing(void **state)
{
    (void)state;
    ask(1, EVENT_START, "db", OUTCOME_UP);
    desk.client.doomed = true;
    kit_up(&desk.k, "db");
    parked_settle_all(&desk.control);
    check_said("");
    assert_int_equal(desk.client.n_parked, 1);
    parked_free_all(&desk.client);
    desk.client.doomed = false;
    parked_settle_all(&desk.control);
    check_said("");
    assert_int_equal(desk.client.n_parked, 0);
}

static void progress_is_left_out_for_who_reads_slowly(void **state)
{
    (void)state;
    kit_tell(&desk.k, EVENT_START, "db");
    kit_up(&desk.k, "db");
    desk.client.out.len = CLIENT_UNREAD_MAX;
    ask(1, EVENT_START, "db", OUTCOME_UP);
    check_said("reply 1: ok, db ready");
    desk.client.sent = desk.client.out.len;
    ask(2, EVENT_START, "db", OUTCOME_UP);
    check_said("progress 2; reply 2: ok, db ready");
}

static void a_unit_whose_number_is_used_again_is_another(void **state)
{
    struct kit_config *c = kit_edit(&desk.k);
    unsigned number = super_find(desk.k.super, "job");
    (void)state;
    ask(1, EVENT_START, "job", OUTCOME_UP);
    ask(2, EVENT_STOP, "web", OUTCOME_DOWN);
    check_said("progress 2; reply 2: ok, web not running");
    kit_without(c, "job");
    kit_replace(&desk.k, c);
    kit_fail(&desk.k, EVENT_SPAWN_FAILED, "job", 125, "stopped");
    assert_false(super_is_replacing(desk.k.super));
    c = kit_edit(&desk.k);
    kit_also(c, "new");
    kit_replace(&desk.k, c);
    assert_int_equal(super_find(desk.k.super, "new"), number);
    parked_settle_all(&desk.control);
    const json_t *outcome = json_object_get(json_object_get(json_array_get(desk.sent, 0), "params"), "outcome");
    assert_true(json_is_null(json_object_get(outcome, "state")));
    check_said("progress 1; reply 1: not, job removed by a reload");
}

/* Begins to put a configuration in force in which db, which runs, is another one; waits for NAMES. */
static void reload(int id, json_t *names, int64_t timeout_ms)
{
    struct parked_params params = {
        .wish.goal = OUTCOME_UP, .timeout_ms = timeout_ms, .names_after = names, .extra = json_pack("{s:i}", "x", 7)};
    struct kit_config *c = kit_edit(&desk.k);
    kit_tell(&desk.k, EVENT_START, "db");
    kit_up(&desk.k, "db");
    kit_change(c, "db");
    kit_replace(&desk.k, c);
    parked_begin(park_with(id, NULL, &params));
}

static void names_are_looked_up_in_the_new_configuration(void **state)
{
    (void)state;
    reload(1, json_pack("[sss]", "db", "job", "gone"), -1);
    assert_true(super_is_replacing(desk.k.super));
    parked_settle_all(&desk.control);
    check_said("");
    kit_died(&desk.k, "db", kit_exit(0), 0);
    assert_false(super_is_replacing(desk.k.super));
    parked_settle_all(&desk.control);
    check_said("");
    kit_up(&desk.k, "db");
    parked_settle_all(&desk.control);
    /* job is not wanted, and of a service that has no unit there is nothing to say. */
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json_array_get(desk.sent, 1), "result"), "x")),
                     7);
    check_said("progress 1; reply 1: ok, db ready in T");
}

static void a_reload_may_take_longer_than_somebody_waits(void **state)
{
    (void)state;
    reload(1, json_pack("[s]", "db"), 1);
    rig_run_until(has_been_sent, NULL);
    check_said("reply 1: not, db ? its configuration is not in force yet");
}

static void a_shutdown_ends_a_reload(void **state)
{
    (void)state;
    reload(1, json_pack("[s]", "db"), -1);
    kit_shutdown(&desk.k, EVENT_SHUTDOWN, 0);
    parked_settle_all(&desk.control);
    check_said("progress 1; reply 1: not, db fosterd is stopping");
}

static void a_shutdown_ends_a_start(void **state)
{
    (void)state;
    ask(1, EVENT_START, "db", OUTCOME_UP);
    kit_shutdown(&desk.k, EVENT_SHUTDOWN, 0);
    parked_settle_all(&desk.control);
    check_said("progress 1; reply 1: not, db fosterd is stopping");
}

/* Of whatever jansson is refused: the request ends, with an answer or with the connection. */
static void without_memory_nobody_is_left_waiting(void **state)
{
    struct parked_params params = {.wish.goal = OUTCOME_UP, .timeout_ms = -1};
    json_malloc_t earlier_alloc;
    json_free_t earlier_free;
    (void)state;
    kit_tell(&desk.k, EVENT_START, "db");
    kit_up(&desk.k, "db");
    json_get_alloc_funcs(&earlier_alloc, &earlier_free);
    json_set_alloc_funcs(desk_alloc, free);
    desk.refused = true;
    for (int n = 1; desk.refused; n++) {
        unsigned unit = super_find(desk.k.super, "db");
        struct select sel = {.units = &unit, .n = 1};
        json_t *id = json_integer(n);
        desk.refused = false;
        desk.refuse = n;
        struct parked *p = parked_new(&desk.client, id, &sel, &params);
        if (p != NULL)
            parked_begin(p);
        desk.refuse = 0;
        assert_int_equal(desk.client.n_parked, 0);
        const json_t *last = json_array_get(desk.sent, json_array_size(desk.sent) - 1);
        assert_true(desk.client.doomed || json_equal(json_object_get(last, "id"), id));
        desk.client.doomed = false;
        json_array_clear(desk.sent);
        json_decref(id);
    }
    json_set_alloc_funcs(earlier_alloc, earlier_free);
}

static void without_memory_a_reload_is_not_denied(void **state)
{
    struct parked_params params = {.wish.goal = OUTCOME_UP, .timeout_ms = -1, .names_after = json_pack("[s]", "db")};
    json_malloc_t earlier_alloc;
    json_free_t earlier_free;
    (void)state;
    json_get_alloc_funcs(&earlier_alloc, &earlier_free);
    json_set_alloc_funcs(desk_alloc, free);
    desk.refuse = 2; /* the first one is for the id */
    assert_null(park_with(1, NULL, &params));
    json_set_alloc_funcs(earlier_alloc, earlier_free);
    const json_t *error = json_object_get(json_array_get(desk.sent, 0), "error");
    assert_non_null(strstr(json_string_value(json_object_get(error, "message")), "it was carried out"));
}

static void note_gone(void *data)
{
    ++*(unsigned *)data;
}

static struct parked *park_other(int id, unsigned *n_gone)
{
    json_t *number = json_integer(id);
    struct parked *p = parked_new_other(&desk.client, number, note_gone, n_gone);
    json_decref(number);
    return p;
}

/* What becomes of units does not settle it, and whoever works for it learns when nobody waits any more. */
static void another_waits_for_its_maker(void **state)
{
    unsigned n_gone = 0;
    (void)state;
    struct parked *p = park_other(1, &n_gone), *left = park_other(2, &n_gone);
    assert_non_null(p);
    assert_non_null(left);
    parked_settle_all(&desk.control);
    assert_int_equal(desk.client.n_parked, 2);
    parked_reply(p, json_pack("{s:b}", "ok", 1));
    check_said("reply 1: ok");
    assert_int_equal(n_gone, 0);
    parked_free_all(&desk.client);
    check_said("");
    assert_int_equal(n_gone, 1);
    for (int i = 0; i < CLIENT_PARKED_MAX; i++)
        assert_non_null(park_other(i, &n_gone));
    assert_null(park_other(99, &n_gone));
    check_said("error 99: not");
    parked_free_all(&desk.client);
    p = park_other(3, &n_gone);
    assert_non_null(p);
    parked_reply(p, NULL);
    check_said("error 3: not");
}

#define PARKED(test) cmocka_unit_test_setup_teardown(test, desk_begin, desk_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PARKED(what_is_so_already_is_answered_at_once),
        PARKED(an_outcome_is_told_when_it_is_known),
        PARKED(states_of_passage_are_not_outcomes),
        PARKED(why_it_failed_and_what_it_said),
        PARKED(no_wait_is_answered_with_what_is_known),
        PARKED(when_the_time_is_over_the_rest_is_open),
        PARKED(seventeen_are_too_many),
        PARKED(several_requests_wait_for_so_many_units),
        PARKED(who_is_gone_or_doomed_hears_nothing),
        PARKED(progress_is_left_out_for_who_reads_slowly),
        PARKED(a_unit_whose_number_is_used_again_is_another),
        PARKED(names_are_looked_up_in_the_new_configuration),
        PARKED(a_reload_may_take_longer_than_somebody_waits),
        PARKED(a_shutdown_ends_a_reload),
        PARKED(a_shutdown_ends_a_start),
        PARKED(without_memory_nobody_is_left_waiting),
        PARKED(without_memory_a_reload_is_not_denied),
        PARKED(another_waits_for_its_maker),
    };
    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One connection: turns, order, ends, limits, and peers that behave badly in every way there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/daemon/client_kit.h"

#define HELLO   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}\n"
#define UNASKED "{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}\n"

enum { MANY = 300, TURN = 8, DEAR = 3, CHUNK = 16 << 10 };

static bool has(const char *text)
{
    return strstr(kit.text, text) != NULL;
}

static void happens(const char *text)
{
    struct log_about about = {.service = "web", .event = "started"};
    log_write(LOG_LEVEL_INFO, &about, "%s", text);
}

/* Something happens so often that the events fill whatever is between us and the peer. */
static void happens_often(size_t bytes)
{
    static char text[EFFECT_TEXT_MAX];
    memset(text, 'e', sizeof text - 1);
    for (size_t n = 0; n < bytes; n += sizeof text)
        happens(text);
}

static void each_request_is_answered(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "hello", 3);
    assert_true(kit_rest((int)i));
    assert_string_equal(kit.text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n"
                                  "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":2}\n"
                                  "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":3}\n");
}

static void a_request_may_come_in_pieces(void **state)
{
    (void)state;
    size_t i = kit_connect();
    for (const char *c = HELLO HELLO; *c != '\0'; c++) {
        assert_int_equal(kit_write(i, c, 1), 1);
        assert_true(kit_rest((int)i));
    }
    assert_int_equal(kit_lines(), 2);
}

static void who_wants_no_answer_gets_none(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_say(i, UNASKED UNASKED);
    assert_true(kit_rest((int)i));
    assert_int_equal(kit.n_order, 2);
    assert_int_equal(kit.len, 0);
}

static void an_idle_connection_costs_nothing(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "hello", 1);
    assert_true(kit_rest((int)i));
    assert_int_equal(rig_turns(5), 0);
    assert_false(ev_is_active(&kit.clients[i]->stall));
    assert_false(ev_is_active(&kit.clients[i]->more));
}

/* How many requests of connection WHO at most were carried out in one turn. */
static unsigned most_in_a_turn(int who)
{
    unsigned most = 0, n = 0;
    for (size_t i = 0; i < kit.n_order; i++) {
        if (kit.order[i] != who)
            continue;
        n = i > 0 && kit.turns[i] == kit.turns[i - 1] ? n + 1 : 1;
        most = n > most ? n : most;
    }
    return most;
}

static void a_flood_is_carried_out_in_turns(void **state)
{
    (void)state;
    size_t flood = kit_connect(), other = kit_connect();
    kit_ask(flood, "hello", MANY);
    kit_ask(other, "hello", 1);
    assert_true(kit_rest((int)flood));
    assert_int_equal(kit_lines(), MANY);
    assert_int_equal(most_in_a_turn((int)flood), TURN);
    size_t place = 0;
    while (kit.order[place] != (int)other)
        place++;
    assert_in_range(place, 0, 2 * TURN);
}

static void dear_requests_of_many_take_turns_of_the_loop(void **state)
{
    int done[KIT_CLIENTS] = {0};
    (void)state;
    for (size_t i = 0; i < KIT_CLIENTS; i++)
        kit_ask(kit_connect(), "tree", DEAR);
    assert_true(kit_rest(0));
    assert_int_equal(kit.n_order, DEAR * KIT_CLIENTS);
    for (size_t i = 0; i < kit.n_order; i++) {
        int *own = &done[kit.order[i]];
        ++*own;
        assert_true(i == 0 || kit.turns[i] != kit.turns[i - 1]);
        /* The first one has had its turn before the others were there. */
        for (size_t k = 0; k < KIT_CLIENTS; k++)
            assert_true(*own <= done[k] + 2);
    }
}

static void who_is_put_off_may_go(void **state)
{
    (void)state;
    size_t gone = kit_connect(), other = kit_connect();
    kit_ask(gone, "tree", DEAR);
    kit_ask(other, "tree", DEAR);
    assert_true(rig_turns(1) > 0);
    assert_false(list_is_empty(&kit.control.due));
    client_doom(kit.clients[gone], "for a test");
    assert_true(kit_rest((int)other));
    assert_true(kit_is_gone(gone));
    assert_int_equal(kit_lines(), DEAR);
    assert_true(list_is_empty(&kit.control.due));
}

static void descriptors_that_come_along_are_not_taken(void **state)
{
    (void)state;
    size_t i = kit_connect();
    int before = rig_fds();
    kit_say_with_fds(i, (char[]){HELLO});
    assert_true(kit_rest((int)i));
    assert_int_equal(kit_lines(), 1);
    assert_int_equal(rig_fds(), before);
}

static void who_does_not_read_is_not_read(void **state)
{
    (void)state;
    size_t i = kit_connect();
    /* The answers of 20 KiB each do not fit into the socket. */
    kit_ask_with(i, "status", "{\"lines\":20000}", MANY);
    assert_true(kit_rest(-1));
    size_t carried_out = kit.n_order;
    assert_in_range(carried_out, 1, 50);
    assert_in_range(kit.clients[i]->out.len - kit.clients[i]->sent, 1, 21000);
    assert_int_equal(rig_turns(5), 0);
    assert_true(kit_rest((int)i));
    assert_int_equal(kit.n_order, MANY);
    assert_int_equal(kit_lines(), MANY);
}

static void one_large_answer_is_whole(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask_with(i, "status", "{\"lines\":4000000}", 1);
    kit_ask(i, "hello", 1);
    assert_true(kit_rest((int)i));
    assert_int_equal(kit_lines(), 2);
    assert_in_range(kit.len, 4000000, 4000200);
    assert_int_equal(strspn(strchr(kit.text, 'x'), "x"), 4000000);
    /* The memory of it is given back. */
    assert_in_range(kit.clients[i]->out.cap, 0, 64 << 10);
}

static void a_subscriber_who_does_not_read_is_cut_off(void **state)
{
    (void)state;
    size_t i = kit_connect(), other = kit_connect();
    kit_ask(i, "subscribe", 1);
    kit_ask(other, "subscribe", 1);
    assert_true(kit_rest((int)other));
    bool told = false;
    for (int k = 0; k < 200; k++) {
        happens_often(8 << 10);
        told = told || strstr(rig_log(), "ends: it does not read") != NULL;
        rig.log_len = 0;
        assert_true(kit_rest((int)other));
        assert_true(kit_is_gone(i) || kit.clients[i]->out.len <= CLIENT_UNREAD_MAX + 1024 + kit.clients[i]->sent);
    }
    assert_true(kit_is_gone(i));
    assert_false(kit_is_gone(other));
    assert_true(told || strstr(rig_log(), "ends: it does not read") != NULL);
    kit.len = 0;
    assert_false(kit_rest((int)i));
    assert_in_range(kit.len, 1, 1 << 20);
}

/* At the end of fosterd there is no next turn of the loop. */
static void the_last_events_are_sent_before_the_end(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "subscribe", 1);
    assert_true(kit_rest((int)i));
    happens("the last thing");
    client_free(kit.clients[i]);
    assert_false(kit_read(i, sizeof kit.text));
    assert_true(has("the last thing"));
}

static void answered_requests_end_a_half_closed_connection(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "hello", 20);
    shutdown(kit.fds[i], SHUT_WR);
    assert_false(kit_rest((int)i));
    assert_int_equal(kit_lines(), 20);
    assert_true(kit_is_gone(i));
}

static void a_half_closed_connection_is_told_what_it_waits_for(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "reload", 1);
    shutdown(kit.fds[i], SHUT_WR);
    assert_true(kit_rest((int)i));
    assert_int_equal(rig_turns(5), 0);
    kit_answer_parked();
    assert_false(kit_rest((int)i));
    assert_true(has("\"result\":true"));
    assert_true(kit_is_gone(i));
}

static void a_half_closed_subscriber_hears_until_it_goes(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "subscribe", 1);
    shutdown(kit.fds[i], SHUT_WR);
    assert_true(kit_rest((int)i));
    assert_int_equal(rig_turns(5), 0);
    happens("one");
    happens("two");
    assert_true(kit_rest((int)i));
    assert_true(has("\"one\"") && has("\"two\""));
    assert_int_equal(rig_turns(5), 0);
    close(kit.fds[i]);
    kit.fds[i] = -1;
    assert_true(kit_rest(-1));
    assert_true(kit_is_gone(i));
}

static void who_vanishes_is_forgotten_with_what_it_waits_for(void **state)
{
    static const char *const methods[] = {"hello", "subscribe", "reload"};
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(methods); k++) {
        size_t i = kit_connect();
        kit_ask(i, methods[k], 1);
        assert_true(kit_rest((int)i));
        close(kit.fds[i]);
        kit.fds[i] = -1;
        assert_true(kit_rest(-1));
        assert_true(kit_is_gone(i));
    }
    assert_int_equal(kit.n_parked_freed, 1);
    assert_true(list_is_empty(&kit.control.feed.subscribers));
    assert_null(strstr(rig_log(), "error"));
}

static void who_asks_and_vanishes_at_once_is_obeyed_quietly(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_say(i, UNASKED UNASKED HELLO);
    close(kit.fds[i]);
    kit.fds[i] = -1;
    assert_true(kit_rest(-1));
    assert_true(kit_is_gone(i));
    assert_int_equal(kit.n_order, 3);
    assert_null(strstr(rig_log(), "error"));
}

static void who_vanishes_with_much_unread_is_forgotten(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask_with(i, "status", "{\"lines\":4000000}", 1);
    assert_true(kit_rest(-1));
    assert_false(kit_is_gone(i));
    close(kit.fds[i]);
    kit.fds[i] = -1;
    assert_true(kit_rest(-1));
    assert_true(kit_is_gone(i));
}

static void what_is_no_request_is_answered_with_an_error(void **state)
{
    static const struct {
        const char *line;
        const char *code;
    } cases[] = {
        {"\n", "-32700"},
        {"hello\n", "-32700"},
        {"\xff\xfe\n", "-32700"},
        {"[]\n", "-32600"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"dance\"}\n", "-32601"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"color\":1}}\n", "-32602"},
    };
    (void)state;
    size_t i = kit_connect();
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        kit.len = 0;
        kit_say(i, cases[k].line);
        assert_true(kit_rest((int)i));
        if (kit_lines() != 1 || !has(cases[k].code))
            fail_msg("case %zu: %s", k, kit.text);
    }
    kit_say(i, HELLO);
    assert_true(kit_rest((int)i));
    assert_true(has("\"result\":1}"));
}

/* Writes LEN times x, and lets us read what does not fit. */
static void say_much(size_t i, size_t len)
{
    static char xs[CHUNK];
    memset(xs, 'x', sizeof xs);
    while (len > 0) {
        size_t n = kit_write(i, xs, len < sizeof xs ? len : sizeof xs);
        len -= n;
        if (n == 0 && !kit_rest((int)i))
            return;
    }
}

static void a_line_that_is_too_long_is_the_last(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "reload", 1);
    kit_ask(i, "hello", 20);
    say_much(i, 1 << 20);
    assert_false(kit_rest((int)i));
    assert_int_equal(kit_lines(), 21);
    const char *last = strstr(kit.text, "-32600");
    assert_non_null(last);
    assert_int_equal(rig_count(last, "\n"), 1);
    assert_true(kit_is_gone(i));
    assert_int_equal(kit.n_parked_freed, 1);
}

static void a_line_that_does_not_end_is_cut_off(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_say(i, HELLO "{\"jsonrpc\"");
    assert_true(kit_rest((int)i));
    ev_tstamp at = kit.clients[i]->stall.at;
    ev_now_update(rig.loop);
    kit_say(i, ":");
    assert_true(kit_rest((int)i));
    happens("in between");
    assert_true(kit.clients[i]->stall.at == at);
    kit_stall(i);
    assert_false(kit_rest((int)i));
    assert_true(kit_is_gone(i));
    assert_int_equal(kit_lines(), 1);
}

static void the_end_of_a_line_ends_the_stall(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_say(i, "{\"jsonrpc\":\"2.0\",");
    assert_true(kit_rest((int)i));
    assert_true(ev_is_active(&kit.clients[i]->stall));
    kit_say(i, "\"id\":1,\"method\":\"hello\"}\n");
    assert_true(kit_rest((int)i));
    assert_false(ev_is_active(&kit.clients[i]->stall));
    assert_int_equal(kit_lines(), 1);
}

/* A connection with more unread than fits into its socket. */
static size_t connect_with_much_unread(void)
{
    size_t i = kit_connect();
    kit_ask_with(i, "status", "{\"lines\":4000000}", 1);
    assert_true(kit_rest(-1));
    return i;
}

static void who_reads_nothing_is_cut_off(void **state)
{
    (void)state;
    size_t i = connect_with_much_unread();
    kit_stall(i);
    assert_true(kit_rest(-1));
    assert_true(kit_is_gone(i));
    assert_non_null(strstr(rig_log(), "read nothing"));
}

static void who_reads_slowly_is_not_cut_off(void **state)
{
    (void)state;
    size_t i = connect_with_much_unread();
    for (int k = 0; k < 5; k++) {
        size_t sent = kit.clients[i]->sent;
        /* Not so much that more could be written, just some of the socket's pieces. */
        while (usock_unread(kit.clients[i]->fd) >= kit.clients[i]->in_kernel)
            assert_true(kit_read(i, 4096));
        if (kit.clients[i]->sent == sent)
            kit_stall(i);
        assert_true(kit_rest(-1));
        assert_false(kit_is_gone(i));
        assert_true(ev_is_active(&kit.clients[i]->stall));
    }
    assert_true(kit_rest((int)i));
    assert_int_equal(kit_lines(), 1);
}

static void a_connection_may_end_while_it_is_worked_on(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "shutdown", 1);
    kit_ask(i, "hello", 5);
    assert_false(kit_rest((int)i));
    assert_int_equal(kit.n_order, 1);
    assert_int_equal(kit.len, 0);
    assert_true(kit_is_gone(i));
}

static void nothing_is_sent_to_the_doomed(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "subscribe", 1);
    assert_true(kit_rest((int)i));
    client_doom(kit.clients[i], "once");
    client_doom(kit.clients[i], "twice");
    happens("unheard");
    client_send(kit.clients[i], json_object());
    assert_false(kit_rest((int)i));
    assert_false(has("unheard"));
    assert_int_equal(rig_count(rig_log(), "ends:"), 1);
}

static void without_memory_for_a_message_it_ends(void **state)
{
    (void)state;
    size_t i = kit_connect();
    client_send(kit.clients[i], NULL);
    assert_false(kit_rest((int)i));
    assert_true(kit_is_gone(i));
}

/* An answer that comes later frees the way before the loop has seen that it is free: the requests behind must not be
 * forgotten. */
static void requests_go_on_when_an_answer_has_cleared_the_way(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "reload", 1);
    kit_ask_with(i, "status", "{\"lines\":300000}", 1);
    kit_ask(i, "hello", 3);
    assert_true(kit_rest(-1));
    assert_int_equal(kit.n_order, 2);
    while (kit.clients[i]->out.len > kit.clients[i]->sent) {
        assert_true(kit_read(i, sizeof kit.text));
        client_send(kit.clients[i], json_object());
    }
    assert_true(kit_rest((int)i));
    assert_int_equal(kit.n_order, 5);
    assert_int_equal(rig_count(kit.text, "\"id\":3"), 1);
}

/* More events than may wait for a client come together before the loop turns: one that reads is not cut off. */
static void many_events_at_once_are_no_reason_to_cut_off(void **state)
{
    (void)state;
    size_t i = kit_connect();
    kit_ask(i, "subscribe", 1);
    assert_true(kit_rest((int)i));
    size_t sum = 0;
    for (int k = 0; k < 10; k++) {
        kit.len = 0;
        happens_often(40 << 10);
        assert_true(kit_read(i, sizeof kit.text));
        sum += kit.len;
    }
    assert_in_range(sum, CLIENT_UNREAD_MAX + 1, sizeof kit.text);
    kit.len = 0;
    happens("last");
    assert_true(kit_rest((int)i));
    assert_true(has("\"last\""));
}

/* Anything may be said, in any pieces, by several at once, and read or not: each is answered or cut off, and then it is
 * quiet. */
static void random_peers_do_no_harm(void **state)
{
    static const char *const words[] = {
        HELLO,
        UNASKED,
        "\n",
        "{",
        "}",
        "\xff\n",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "\"",
        "null\n",
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"status\",\"params\":{\"lines\":90000}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"subscribe\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"shutdown\"}\n",
    };
    (void)state;
    unsigned seed = (unsigned)getpid();
    print_message("seed %u\n", seed);
    for (int round = 0; round < 60; round++) {
        kit.n = 0;
        while (kit.n < KIT_CLIENTS)
            kit_connect();
        for (int step = 0; step < 200; step++) {
            size_t i = (size_t)rand_r(&seed) % KIT_CLIENTS;
            const char *word = words[(size_t)rand_r(&seed) % ARRAY_LEN(words)];
            kit_write(i, word, (size_t)rand_r(&seed) % (strlen(word) + 1));
            if (rand_r(&seed) % 3 == 0)
                kit_write(i, word, strlen(word));
            if (rand_r(&seed) % 8 == 0)
                kit_read(i, (size_t)rand_r(&seed) % CHUNK);
            if (rand_r(&seed) % 8 == 0)
                happens("something");
            if (rand_r(&seed) % 50 == 0)
                shutdown(kit.fds[i], SHUT_WR);
            rig_turns(rand_r(&seed) % 3);
            kit.len = 0;
        }
        for (size_t i = 0; i < kit.n; i++) {
            close(kit.fds[i]);
            kit.fds[i] = -1;
        }
        assert_true(kit_rest(-1));
        assert_int_equal(kit.control.n_clients, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_request_is_answered, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_request_may_come_in_pieces, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(who_wants_no_answer_gets_none, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(an_idle_connection_costs_nothing, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_flood_is_carried_out_in_turns, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(dear_requests_of_many_take_turns_of_the_loop, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(who_is_put_off_may_go, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(descriptors_that_come_along_are_not_taken, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(who_does_not_read_is_not_read, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(one_large_answer_is_whole, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_subscriber_who_does_not_read_is_cut_off, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(the_last_events_are_sent_before_the_end, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(answered_requests_end_a_half_closed_connection, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_half_closed_connection_is_told_what_it_waits_for, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_half_closed_subscriber_hears_until_it_goes, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(who_vanishes_is_forgotten_with_what_it_waits_for, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(who_asks_and_vanishes_at_once_is_obeyed_quietly, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(who_vanishes_with_much_unread_is_forgotten, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(what_is_no_request_is_answered_with_an_error, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_the_last, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_line_that_does_not_end_is_cut_off, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(the_end_of_a_line_ends_the_stall, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(who_reads_nothing_is_cut_off, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(who_reads_slowly_is_not_cut_off, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_connection_may_end_while_it_is_worked_on, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(nothing_is_sent_to_the_doomed, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(without_memory_for_a_message_it_ends, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(requests_go_on_when_an_answer_has_cleared_the_way, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(many_events_at_once_are_no_reason_to_cut_off, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(random_peers_do_no_harm, kit_begin, kit_end),
    };
    return cmocka_run_group_tests_name("client", tests, rig_open_loop, rig_close_loop);
}

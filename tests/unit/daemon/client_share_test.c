/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What all clients may have together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/daemon/client_kit.h"

static void what_nobody_reads_has_an_end(void **state)
{
    (void)state;
    size_t idle = kit_connect(), reader = kit_connect();
    kit_ask_with(idle, "status", "{\"lines\":34000000}", 1);
    assert_true(kit_rest(-1));
    assert_in_range(kit.clients[idle]->out.len - kit.clients[idle]->sent, CLIENT_UNREAD_ALL_MAX, 34000200);
    kit_ask_with(reader, "status", "{\"lines\":300000}", 1);
    assert_true(kit_rest((int)reader));
    assert_int_equal(kit_lines(), 1);
    assert_non_null(strstr(kit.text, "-32002"));
    assert_null(strstr(kit.text, "\"id\":null"));
    assert_in_range(kit.clients[reader]->out.cap, 0, 64 << 10);
    /* Small answers are always given. */
    kit.len = 0;
    kit_ask_with(reader, "status", "{\"lines\":200000}", 1);
    assert_true(kit_rest((int)reader));
    assert_int_equal(strspn(strchr(kit.text, 'x'), "x"), 200000);
    kit_stall(idle);
    assert_true(kit_rest((int)reader));
    assert_true(kit_is_gone(idle));
    kit.len = 0;
    kit_ask_with(reader, "status", "{\"lines\":300000}", 1);
    assert_true(kit_rest((int)reader));
    assert_int_equal(strspn(strchr(kit.text, 'x'), "x"), 300000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_nobody_reads_has_an_end, kit_begin, kit_end),
    };
    return cmocka_run_group_tests_name("client_share", tests, rig_open_loop, rig_close_loop);
}

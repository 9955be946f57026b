/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Hosts and ports: what is one, in which form it is kept, and what is said of the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "core/endpoint.h"

#include <string.h>

static void takes_addresses(void **state)
{
    static const struct {
        const char *text, *host;
        unsigned port;
    } cases[] = {
        {"80", "", 80},
        {"1", "", 1},
        {"65535", "", 65535},
        {"localhost:8080", "localhost", 8080},
        {"127.0.0.1:80", "127.0.0.1", 80},
        {"0.0.0.0:80", "0.0.0.0", 80},
        {"[::]:80", "::", 80},
        {"[::1]:80", "::1", 80},
        {"[0:0:0:0:0:0:0:1]:80", "::1", 80},
        {"[2001:DB8::A]:443", "2001:db8::a", 443},
        {"[::ffff:192.168.100.200]:1", "::ffff:192.168.100.200", 1},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct endpoint e;
        const char *why = endpoint_parse(cases[i].text, &e);
        if (why)
            fail_msg("%s %s", cases[i].text, why);
        assert_string_equal(e.host, cases[i].host);
        assert_int_equal(e.port, cases[i].port);
    }
}

static void refuses_what_is_no_address(void **state)
{
    static const char no_port[] = "has no port from 1 to 65535 at its end; write one, e.g. 127.0.0.1:8080";
    static const char no_v4[] = "has no IPv4 address before its port; write e.g. 127.0.0.1:8080";
    static const char no_v6[] = "has no IPv6 address between its brackets; correct it";
    static const char bare_v6[] = "has an IPv6 address without brackets; write e.g. [::1]:8080";
    static const char name[] = "has a name for a host, and names are not looked up; write its address";
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", no_port},
        {":", no_port},
        {"0", no_port},
        {"65536", no_port},
        {"-1", no_port},
        {"080", no_port},
        {"80 ", no_port},
        {"99999999999999999999", no_port},
        {"localhost", no_port},
        {"localhost:", no_port},
        {"localhost:http", no_port},
        {"127.0.0.1", no_port},
        {"[::1]", no_port},
        {"[::1]80", no_port},
        {"[::1", bare_v6},
        {"127.0.0.1:0", no_port},
        {"256.0.0.1:80", no_v4},
        {"127.1:80", no_v4},
        {":80", no_v4},
        {"::1:80", bare_v6},
        {"[::1:80", bare_v6},
        {"[]:80", no_v6},
        {"[::1%eth0]:80", no_v6},
        {"[127.0.0.1]:80", no_v6},
        {"[localhost]:80", no_v6},
        {"db:5432", name},
        {"*:80", name},
        {"LOCALHOST:80", name},
        {"a-host-name.of-more-than.forty-five.bytes.example:80", "has a host that is no address; write an address"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct endpoint e;
        const char *why = endpoint_parse(cases[i].text, &e);
        if (!why || strcmp(why, cases[i].why) != 0)
            fail_msg("\"%s\" %s", cases[i].text, why ? why : "is taken");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_addresses),
        cmocka_unit_test(refuses_what_is_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

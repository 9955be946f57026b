/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * `sockets`: what becomes of them in each of their forms, the words with which wrong ones are refused, and two that
 * listen to one address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "core/socket_keys.h"

#define WEB          "services:\n  web:\n    command: run\n    "
#define SLASH_AND_53 "/12345678901234567890123456789012345678901234567890123"

static void reads_addresses(void **state)
{
    static const struct {
        const char *listen;
        enum spec_socket_kind kind;
        const char *host;
        unsigned port;
        const char *path;
    } cases[] = {
        {"8080", SPEC_SOCKET_TCP, NULL, 8080, NULL},
        {"'8080'", SPEC_SOCKET_TCP, NULL, 8080, NULL},
        {"tcp:8080", SPEC_SOCKET_TCP, NULL, 8080, NULL},
        {"127.0.0.1:80", SPEC_SOCKET_TCP, "127.0.0.1", 80, NULL},
        {"'[::1]:80'", SPEC_SOCKET_TCP, "::1", 80, NULL},
        {"'tcp:[0::]:80'", SPEC_SOCKET_TCP, "::", 80, NULL},
        {"udp:53", SPEC_SOCKET_UDP, NULL, 53, NULL},
        {"udp:0.0.0.0:53", SPEC_SOCKET_UDP, "0.0.0.0", 53, NULL},
        {"/run/x.sock", SPEC_SOCKET_UNIX, NULL, 0, "/run/x.sock"},
        {"unix:/run/x y", SPEC_SOCKET_UNIX, NULL, 0, "/run/x y"},
        {"datagram:/d", SPEC_SOCKET_DATAGRAM, NULL, 0, "/d"},
        {"seqpacket:/s:1", SPEC_SOCKET_SEQPACKET, NULL, 0, "/s:1"},
    };
    static struct config_bench b;
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct spec_socket *s;
        (void)snprintf(text, sizeof text, WEB "sockets: [%s]\n", cases[i].listen);
        s = config_bench_service(&b, text)->sockets;
        assert_int_equal(s->kind, cases[i].kind);
        assert_int_equal(s->port, cases[i].port);
        assert_string_equal(s->host ? s->host : "(any)", cases[i].host ? cases[i].host : "(any)");
        assert_string_equal(s->path ? s->path : "(none)", cases[i].path ? cases[i].path : "(none)");
        assert_int_equal(s->mode, cases[i].path ? 0666 : -1);
        assert_string_equal(s->name, "web");
        assert_null(s->user.text);
        assert_int_equal(s->backlog, 4096);
        assert_int_equal(s->pos.line, 4);
    }
    config_bench_done(&b);
}

static void reads_maps(void **state)
{
    static struct config_bench b;
    const struct spec *web = config_bench_service(
        &b, WEB "scale: 3\n    sockets:\n      - { listen: 80, name: http and more!, backlog: 1 }\n"
                "      - { listen: /run/x, mode: 0660, user: app:audio }\n      - 81\n");

    (void)state;
    assert_int_equal(web->n_sockets, 3);
    assert_string_equal(web->sockets[0].listen, "80");
    assert_string_equal(web->sockets[0].name, "http and more!");
    assert_int_equal(web->sockets[0].backlog, 1);
    assert_int_equal(web->sockets[1].mode, 0660);
    assert_int_equal(web->sockets[1].user.uid, 1000);
    assert_int_equal(web->sockets[1].user.gid, 44);
    assert_string_equal(web->sockets[1].name, "web");
    assert_int_equal(config_bench_service(&b, WEB "sockets: []\n")->n_sockets, 0);
    config_bench_done(&b);
}

/* The name of a socket that has none is that of the service, also where it is inherited. */
static void names_sockets_after_their_service(void **state)
{
    static struct config_bench b;

    (void)state;
    config_bench_service(
        &b, "services:\n  a: { command: a, sockets: [80], profiles: [x] }\n  b: { extends: a, profiles: [] }\n");
    assert_string_equal(b.set->services[0].sockets[0].name, "a");
    assert_string_equal(b.set->services[1].sockets[0].name, "b");
    config_bench_done(&b);
}

static void refuses_bad_sockets(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "sockets: 80\n",
         "f.yaml:4:14: `80` of `sockets` is a single value; it takes a list of addresses, or of maps with {listen}\n"},
        {WEB "sockets: [[80], ~, '']\n",
         "f.yaml:4:15: an item of `sockets` is a list; it takes an address, or a map with {listen}\n"
         "f.yaml:4:21: `listen` is empty; it takes a string\n"
         "f.yaml:4:24: `listen` is empty; write e.g. 8080, \"127.0.0.1:8080\", udp:53 or /run/web.sock\n"},
        {WEB "sockets: [{ name: x }]\n", "f.yaml:4:15: an item of `sockets` has no `listen`; add it\n"},
        {WEB "sockets: [{ listen: 80, mod: 1 }]\n",
         "f.yaml:4:29: unknown key `mod` in an item of `sockets`; did you mean `mode`?\n"},
        {WEB "sockets: [0, 65536, 'web:80', 'localhost:80', '::1:80']\n",
         "f.yaml:4:15: `0` has no port from 1 to 65535 at its end; write one, e.g. 127.0.0.1:8080\n"
         "f.yaml:4:18: `65536` has no port from 1 to 65535 at its end; write one, e.g. 127.0.0.1:8080\n"
         "f.yaml:4:25: `web:80` has a name for a host, and names are not looked up; write its address\n"
         "f.yaml:4:35: `localhost:80` is two addresses; write 127.0.0.1, [::1] or one socket for each\n"
         "f.yaml:4:51: `::1:80` has an IPv6 address without brackets; write e.g. [::1]:8080\n"},
        {WEB "sockets: [web.sock, run/web.sock, 'tcp:run/web.sock:80']\n",
         "f.yaml:4:15: `web.sock` has no port from 1 to 65535 at its end; write one, e.g. 127.0.0.1:8080\n"
         "f.yaml:4:25: `run/web.sock` has no absolute path; write one, e.g. /run/web.sock\n"
         "f.yaml:4:39: `tcp:run/web.sock:80` has no absolute path; write one, e.g. /run/web.sock\n"},
        {WEB "sockets: ['@x', 'unix:@x', 'unix:x', 'datagram:53', 'seqpacket:']\n",
         "f.yaml:4:15: `@x` is an abstract socket, which has no owner and no permissions; write a path\n"
         "f.yaml:4:21: `unix:@x` is an abstract socket, which has no owner and no permissions; write a path\n"
         "f.yaml:4:32: `unix:x` has no absolute path; write one, e.g. /run/web.sock (addresses go with tcp: and udp:)\n"
         "f.yaml:4:42: `datagram:53` has no absolute path; write one, e.g. /run/web.sock (addresses go with tcp: and "
         "udp:)\n"
         "f.yaml:4:57: `seqpacket:` has no absolute path; write one, e.g. /run/web.sock (addresses go with tcp: and "
         "udp:)\n"},
        {WEB "sockets: ['unix:" SLASH_AND_53 SLASH_AND_53 "']\n",
         "f.yaml:4:15: `unix:/12345678901234567890123456789012345678901234567890123/1234567890123456…` is longer than "
         "the "
         "107 bytes that the path of a socket can have; choose a shorter one\n"},
        {WEB "sockets: [{ listen: 80, name: 'a:b' }, { listen: 81, name: '' }, { listen: 82, name: ü }]\n",
         "f.yaml:4:35: `a:b` cannot be the name of a socket; write 1 to 255 printable characters other than a colon\n"
         "f.yaml:4:64: `` cannot be the name of a socket; write 1 to 255 printable characters other than a colon\n"
         "f.yaml:4:90: `ü` cannot be the name of a socket; write 1 to 255 printable characters other than a colon\n"},
        {WEB "sockets: [{ listen: 80, mode: 0600 }, { listen: 'udp:[::1]:53', user: app }]\n",
         "f.yaml:4:35: `mode` is for sockets with a path, and `80` has none; remove it\n"
         "f.yaml:4:75: `user` is for sockets with a path, and `udp:[::1]:53` has none; remove it\n"},
        {WEB "sockets: [{ listen: /x, mode: 1777, backlog: 0 }]\n",
         "f.yaml:4:35: `1777` is out of range for `mode`; it takes 000 to 777\n"
         "f.yaml:4:50: `0` is out of range for `backlog`; it takes 1 to 65535\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void refuses_too_many_and_takes_the_longest(void **state)
{
    static struct config_bench b;
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 16);
    for (unsigned n = SOCKET_KEYS_MAX; n <= SOCKET_KEYS_MAX + 1; n++) {
        buf_reset(&text);
        buf_puts(&text, WEB "sockets: [1");
        for (unsigned i = 2; i <= n; i++)
            buf_printf(&text, ", %u", i);
        buf_puts(&text, "]\n");
        assert_int_equal(config_bench_load(&b, buf_str(&text)) != NULL, n == SOCKET_KEYS_MAX);
    }
    assert_string_equal(config_bench_problems(&b), "f.yaml:4:14: `sockets` has 257 items; write at most 256\n");
    buf_reset(&text);
    buf_printf(&text, WEB "sockets: [{ listen: 'unix:%s%.53s', name: '%0255d' }]\n", SLASH_AND_53, SLASH_AND_53, 0);
    assert_int_equal(strlen(config_bench_service(&b, buf_str(&text))->sockets[0].path), 107);
    assert_int_equal(strlen(b.set->services[0].sockets[0].name), 255);
    config_bench_done(&b);
    buf_done(&text);
}

#define PAIR(x, y) "services:\n  a: { command: a, sockets: [" x "] }\n  b: { command: b, sockets: [" y "] }\n"

static void refuses_two_at_one_address(void **state)
{
    static const struct config_refusal cases[] = {
        {PAIR("80", "tcp:80"), "f.yaml:3:30: `tcp:80` of `b` listens where `80` of `a` does; change one of them\n"},
        {PAIR("127.0.0.1:80", "80"),
         "f.yaml:3:30: `80` of `b` listens where `127.0.0.1:80` of `a` does; change one of them\n"},
        {PAIR("80", "'[::1]:80', 127.0.0.1:80, 81"),
         "f.yaml:3:30: `[::1]:80` of `b` listens where `80` of `a` does; change one of them\n"
         "f.yaml:3:42: `127.0.0.1:80` of `b` listens where `80` of `a` does; change one of them\n"},
        {PAIR("'[::1]:80'", "'tcp:[0:0::1]:80'"),
         "f.yaml:3:30: `tcp:[0:0::1]:80` of `b` listens where `[::1]:80` of `a` does; change one of them\n"},
        {PAIR("/x, udp:53", "udp:53, 'datagram:/x'"),
         "f.yaml:3:30: `udp:53` of `b` listens where `udp:53` of `a` does; change one of them\n"
         "f.yaml:3:38: `datagram:/x` of `b` listens where `/x` of `a` does; change one of them\n"},
        {PAIR("1, 2, 1", "3"), "f.yaml:2:36: `1` of `a` listens where `1` of `a` does; change one of them\n"},
    };
    static const char *const good[] = {
        PAIR("80, 81", "82, udp:80"),
        PAIR("127.0.0.1:80", "127.0.0.2:80"),
        PAIR("127.0.0.1:80", "'[::1]:80'"),
        PAIR("/x", "/y"),
        "services: { a: { command: a, sockets: [80] }, b: { command: b, sockets: [80], profiles: [p] } }\n",
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        config_bench_service(&b, good[i]);
    config_bench_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_addresses),
        cmocka_unit_test(reads_maps),
        cmocka_unit_test(names_sockets_after_their_service),
        cmocka_unit_test(refuses_bad_sockets),
        cmocka_unit_test(refuses_too_many_and_takes_the_longest),
        cmocka_unit_test(refuses_two_at_one_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

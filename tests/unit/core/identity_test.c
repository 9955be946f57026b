/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Who a service is: what becomes of `user`, `group_add`, `cap_add`, `cap_drop` and `security_opt`, wherever they are
 * written, and what is said of those that mean nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"

#define WEB "services:\n  web:\n    command: run\n    "

static uint64_t bit(unsigned n)
{
    return UINT64_C(1) << n;
}

static void looks_users_up(void **state)
{
    static const struct {
        const char *value, *text;
        uid_t uid;
        gid_t gid;
        size_t n_groups;
    } cases[] = {
        {"app", "app", 1000, 1000, 3},
        {"app:audio", "app:audio", 1000, 44, 2},
        {"1000", "1000", 1000, 1000, 3},
        {"'7:8'", "7:8", 7, 8, 1},
        {"7:8", "7:8", 7, 8, 1},
        {"root", "root", 0, 0, 1},
        {"${USER_OF_WEB}", "app", 1000, 1000, 3},
    };
    static const struct config_entry env[] = {{"USER_OF_WEB", "app"}, {NULL, NULL}};
    struct config_bench b = {.env = env};
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, WEB "user: %s\n", cases[i].value);
        const struct spec_user *user = &config_bench_service(&b, text)->user;
        assert_string_equal(user->text, cases[i].text);
        assert_int_equal(user->uid, cases[i].uid);
        assert_int_equal(user->gid, cases[i].gid);
        assert_int_equal(user->n_groups, cases[i].n_groups);
        assert_int_equal(user->groups[0], cases[i].gid);
        assert_string_equal(user->home, "/");
    }
    assert_null(config_bench_service(&b, WEB "\n")->user.text);
    config_bench_done(&b);
}

static void looks_groups_up(void **state)
{
    struct config_bench b = {0};
    const struct spec_groups *groups = &config_bench_service(&b, WEB "group_add: [video, 7, '44']\n")->group_add;

    (void)state;
    assert_int_equal(groups->n, 3);
    assert_string_equal(groups->texts[0], "video");
    assert_string_equal(groups->texts[1], "7");
    assert_null(groups->texts[3]);
    assert_int_equal(groups->gids[0], 45);
    assert_int_equal(groups->gids[1], 7);
    assert_int_equal(groups->gids[2], 44);
    groups = &config_bench_service(&b, WEB "group_add: []\n")->group_add;
    assert_int_equal(groups->n, 0);
    assert_null(groups->texts);
    config_bench_done(&b);
}

static void knows_capabilities_in_any_spelling(void **state)
{
    struct config_bench b = {0};
    const struct spec *s = config_bench_service(&b, WEB "cap_add: [net_admin, CAP_KILL, cap_sys_time, Chown]\n"
                                                        "    cap_drop: [all]\n");

    (void)state;
    assert_string_equal(s->cap_add.names[0], "NET_ADMIN");
    assert_string_equal(s->cap_add.names[1], "KILL");
    assert_string_equal(s->cap_add.names[2], "SYS_TIME");
    assert_string_equal(s->cap_add.names[3], "CHOWN");
    assert_null(s->cap_add.names[4]);
    assert_true(s->cap_add.mask == (bit(12) | bit(5) | bit(25) | bit(0)));
    assert_string_equal(s->cap_drop.names[0], "ALL");
    assert_true(s->cap_drop.mask == UINT64_MAX);
    s = config_bench_service(&b, WEB "cap_add: [CAP_ALL]\n    cap_drop: [KILL]\n");
    assert_true(s->cap_add.mask == UINT64_MAX);
    assert_true(s->cap_drop.mask == bit(5));
    s = config_bench_service(&b, WEB "cap_add: []\n");
    assert_true(s->cap_add.mask == 0 && !s->cap_add.names);
    config_bench_done(&b);
}

static void knows_one_security_option(void **state)
{
    static const struct {
        const char *value;
        bool on;
    } cases[] = {
        {"[]", false},
        {"[no-new-privileges]", true},
        {"['no-new-privileges:true']", true},
        {"[no-new-privileges:true]", true},
        {"[no-new-privileges=true]", true},
        {"[no-new-privileges:false]", false},
        {"[no-new-privileges=false]", false},
    };
    struct config_bench b = {0};
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, WEB "security_opt: %s\n", cases[i].value);
        assert_int_equal(config_bench_service(&b, text)->no_new_privileges, cases[i].on);
    }
    config_bench_done(&b);
}

static void refuses_who_cannot_be(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "user: nobdy\n", "f.yaml:4:11: `user`: there is no user `nobdy`; name another\n"},
        {WEB "user: 77\n", "f.yaml:4:11: `user`: there is no user `77`; name another\n"},
        {WEB "user: app:none\n", "f.yaml:4:11: `user`: there is no group `none`; name another\n"},
        {WEB "user: [app]\n", "f.yaml:4:11: `user` is a list; it takes a string\n"},
        {WEB "user:\n", "f.yaml:4:10: `user` is empty; it takes a string\n"},
        {WEB "group_add: audio\n",
         "f.yaml:4:16: `audio` of `group_add` is a single value; it takes a list of groups\n"},
        {WEB "group_add: [audio, none, audio, {}]\n",
         "f.yaml:4:37: item 4 of `group_add` is a map; it takes a string\n"},
        {WEB "group_add: [audio, none, audio]\n", "f.yaml:4:24: `group_add`: there is no group `none`; name another\n"
                                                  "f.yaml:4:30: `audio` is given twice; remove one\n"},
        {WEB "cap_add: [NET_ADMN]\n", "f.yaml:4:15: `NET_ADMN` is not a capability; did you mean `NET_ADMIN`?\n"},
        {WEB "cap_add: [cap_net_admn]\n",
         "f.yaml:4:15: `cap_net_admn` is not a capability; did you mean `NET_ADMIN`?\n"},
        {WEB "cap_add: [cap_cap_kill]\n",
         "f.yaml:4:15: `cap_cap_kill` is not a capability; write one of capabilities(7), or ALL\n"},
        {WEB "cap_add: [CAP_, 12, 'KILL ', everything]\n",
         "f.yaml:4:15: `CAP_` is not a capability; write one of capabilities(7), or ALL\n"
         "f.yaml:4:21: `12` is not a capability; write one of capabilities(7), or ALL\n"
         "f.yaml:4:25: `KILL ` is not a capability; did you mean `KILL`?\n"
         "f.yaml:4:34: `everything` is not a capability; write one of capabilities(7), or ALL\n"},
        /* Known by name, but not to this system. */
        {WEB "cap_add: [SYS_ADMIN]\n",
         "f.yaml:4:15: `SYS_ADMIN` is not a capability; write one of capabilities(7), or ALL\n"},
        {WEB "cap_drop: [KILL, cap_kill]\n", "f.yaml:4:22: `KILL` is given twice; remove one\n"},
        {WEB "cap_drop: KILL\n",
         "f.yaml:4:15: `KILL` of `cap_drop` is a single value; it takes a list of capabilities\n"},
        {WEB "security_opt: [seccomp:unconfined, label=disable]\n",
         "f.yaml:4:20: `seccomp:unconfined` belongs to a container; Foster knows no-new-privileges:true, set others "
         "where the container is started\n"
         "f.yaml:4:40: `label=disable` belongs to a container; Foster knows no-new-privileges:true, set others where "
         "the container is started\n"},
        {WEB "security_opt: [no-new-privileges:yes]\n",
         "f.yaml:4:20: `yes` is neither true nor false; write no-new-privileges:true or :false\n"},
        {WEB "security_opt: [no-new-privileges, no-new-privileges:false]\n",
         "f.yaml:4:39: `no-new-privileges` is given twice; remove one\n"},
        {WEB "security_opt: no-new-privileges\n",
         "f.yaml:4:19: `no-new-privileges` of `security_opt` is a single value; it takes a list of one option\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

/* What cannot be asked is said, not guessed. */
static void without_anybody_to_ask_it_says_so(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "user: 1000:1000\n", "f.yaml:4:11: `user` cannot be looked up here; leave it out\n"},
        {WEB "group_add: [1]\n", "f.yaml:4:16: `group_add` cannot be looked up here; leave it out\n"},
        {WEB "cap_add: [KILL]\n", "f.yaml:4:14: `cap_add` cannot be looked up here; leave it out\n"},
    };
    struct config_bench b = {.no_accounts = true};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
    config_bench_service(&b, WEB "group_add: []\n    cap_drop: []\n    security_opt: [no-new-privileges]\n");
    config_bench_done(&b);
}

static void keys_come_from_where_others_come_from(void **state)
{
    static const char *const sets[] = {"services.web.user=root:video", "services.web.cap_drop=[KILL]"};
    static const char text[] = "x-base: &base { user: app }\n"
                               "defaults: { user: '1:1', cap_drop: [ALL], group_add: [audio] }\n"
                               "services:\n"
                               "  web: { command: w, cap_add: [CHOWN] }\n"
                               "  two: { <<: *base, command: w, group_add: [video] }\n"
                               "  three: { extends: web, cap_drop: [] }\n";
    struct config_bench b = {0};

    (void)state;
    config_bench_service(&b, text);
    assert_string_equal(b.set->services[0].user.text, "1:1");
    assert_string_equal(b.set->services[1].user.text, "app");
    assert_int_equal(b.set->services[1].group_add.n, 1);
    assert_int_equal(b.set->services[1].group_add.gids[0], 45);
    assert_string_equal(b.set->services[2].cap_add.names[0], "CHOWN");
    assert_null(b.set->services[2].cap_drop.names);
    b.opt = (struct config_options){.sets = sets, .n_sets = ARRAY_LEN(sets)};
    config_bench_service(&b, text);
    assert_string_equal(b.set->services[0].user.text, "root:video");
    assert_int_equal(b.set->services[0].user.gid, 45);
    assert_true(b.set->services[0].cap_drop.mask == bit(5));
    assert_string_equal(b.set->services[2].user.text, "root:video");
    config_bench_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_users_up),
        cmocka_unit_test(looks_groups_up),
        cmocka_unit_test(knows_capabilities_in_any_spelling),
        cmocka_unit_test(knows_one_security_option),
        cmocka_unit_test(refuses_who_cannot_be),
        cmocka_unit_test(without_anybody_to_ask_it_says_so),
        cmocka_unit_test(keys_come_from_where_others_come_from),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

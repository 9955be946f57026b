/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Users and groups by name and by number: out of files made for it, some of them odd, and those of this machine, which
 * the C library reads by its own means.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/users_impl.h"

#include "unit/sys/kit.h"

#include <grp.h>
#include <pwd.h>

static const char passwd_text[] = "root:x:0:0:root:/root:/bin/bash\n"
                                  "\n"
                                  "#comment:x:1:1::/:\n"
                                  "app:x:1000:1000:App,,,:/srv/app:/bin/zsh\n"
                                  "bare:x:1001:100:::\n"
                                  "twin:x:1000:7::/twin:/bin/twin\n"
                                  "short:x:50:50\n"
                                  "long:x:51:51::/:/bin/sh:more\n"
                                  "empty:x::51::/:/bin/sh\n"
                                  "nobodys:x:4294967295:51::/:/bin/sh\n"
                                  "wraps:x:4294967296:51::/:/bin/sh\n"
                                  "wraps64:x:18446744073709551616:51::/:/bin/sh\n"
                                  "minus:x:-1:51::/:/bin/sh\n"
                                  "hex:x:0x10:51::/:/bin/sh\n"
                                  "octal:x:010:51::/:/bin/sh\n"
                                  "badgid:x:52:4294967295::/:/bin/sh\n"
                                  "0x0:x:53:53::/:/bin/sh\n"
                                  "1001x:x:54:54::/:/bin/sh\n"
                                  "+nis:x:55:55::/:/bin/sh\n"
                                  "a b:x:56:56::/:/bin/sh\n"
                                  ":x:57:57::/:/bin/sh\n"
                                  "last:*:2000:2000::/last:/bin/last";

static const char group_text[] = "first:x:1:\n\n#comment\n_odd name::12:a,b\nnopass:*:13:\nbroken\nshort:x\nno:x:14\n"
                                 "huge:x:99999999999:\nneg:x:-1:\nfirs:x::\ntwice:x:20:\ntwice:x:21:\n:x:5:app\n"
                                 "more:x:6:app:\n#out:x:8:app\n+out:x:9:app\n"
                                 "audio:x:44:app\n"
                                 "video:x:45:root,app,last\n"
                                 "again:x:44:app\n"
                                 "mine:x:1000:app\n"
                                 "other:x:46:ap,appp,app x,xapp\n"
                                 "17:x:47:\n"
                                 "bad:x:48x:app\n"
                                 "last:x:99:a,app";

/* Files made for the test. */
struct fixture {
    char dir[KIT_PATH_MAX], passwd[KIT_PATH_MAX], group[KIT_PATH_MAX];
    struct users_files files;
    struct arena arena;
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.files = {f.passwd, f.group}};
    kit_file(f.passwd, kit_make_dir(f.dir), "passwd", passwd_text, 0644);
    kit_file(f.group, f.dir, "group", group_text, 0644);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_done(&f->arena);
    kit_remove(f->dir);
    return 0;
}

/* A user in one line: "uid:gid:groups:name:home:shell". */
static void show(const struct users_entry *u, char *text, size_t size)
{
    size_t len = (size_t)snprintf(text, size, "%u:%u:", u->uid, u->gid);

    for (size_t i = 0; i < u->n_groups; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%u", i ? "," : "", u->groups[i]);
    (void)snprintf(text + len, size - len, ":%s:%s:%s", u->name, u->home, u->shell);
}

static void finds_users(void **state)
{
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"root", "0:0:0,45:root:/root:/bin/bash"},
        {"app", "1000:1000:1000,44,45,99:app:/srv/app:/bin/zsh"},
        {"bare", "1001:100:100:bare:/:/bin/sh"},
        {"last", "2000:2000:2000,45:last:/last:/bin/last"},
        {"a b", "56:56:56:a b:/:/bin/sh"},
        {"0", "0:0:0,45:root:/root:/bin/bash"},
        {"1000", "1000:1000:1000,44,45,99:app:/srv/app:/bin/zsh"},
        {"app:audio", "1000:44:44,45,1000,99:app:/srv/app:/bin/zsh"},
        {"app:4711", "1000:4711:4711,44,45,1000,99:app:/srv/app:/bin/zsh"},
        {"bare:first", "1001:1:1:bare:/:/bin/sh"},
        {"1000:1000", "1000:1000:1000:app:/srv/app:/bin/zsh"},
        {"1000:audio", "1000:44:44:app:/srv/app:/bin/zsh"},
        {"0:0", "0:0:0:root:/root:/bin/bash"},
        {"4711:4712", "4711:4712:4712:4711:/:/bin/sh"},
        {"4711:nopass", "4711:13:13:4711:/:/bin/sh"},
        {"4294967294:4294967294", "4294967294:4294967294:4294967294:4294967294:/:/bin/sh"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct users_entry found = {0};
        struct err e = {0};
        char text[256];
        if (!users_find_in(&f->files, &f->arena, cases[i].text, &found, &e))
            fail_msg("%s: %s", cases[i].text, e.text);
        show(&found, text, sizeof text);
        assert_string_equal(text, cases[i].found);
    }
}

/* Looks for TEXT, which must be refused with WANT, and without a trace in what is returned. */
static void refuse(struct fixture *f, const char *text, const char *want)
{
    struct users_entry found = {.uid = 4711, .gid = 4712};
    struct err e = {0};

    if (users_find_in(&f->files, &f->arena, text, &found, &e))
        fail_msg("`%s` is uid %u", text, found.uid);
    assert_true(found.uid == 4711 && found.gid == 4712 && !found.groups && !found.name);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_string_equal(e.text, want);
}

/* Nothing that is not there, or whose line is odd, becomes a user; least of all root. */
static void refuses_who_is_not_there(void **state)
{
    static const char *const names[] = {"ap",      "appp",  "pp",      "x\n",   "#comment", "short", "long",  "empty",
                                        "nobodys", "wraps", "wraps64", "minus", "hex",      "octal", "badgid"};
    static const char *const groups[] = {"none", "bad", "huge", "neg", "firs", "short", "no", "broken"};
    struct fixture *f = *state;
    char text[64], want[KIT_PATH_MAX + 128];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(want, sizeof want, "there is no user `%s` in %s; name one that is, or write uid:gid", names[i],
                       f->passwd);
        refuse(f, names[i], want);
        (void)snprintf(text, sizeof text, "%s:0", names[i]);
        refuse(f, text, want);
    }
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        (void)snprintf(want, sizeof want, "there is no group `%s` in %s; name one that is, or write its number",
                       groups[i], f->group);
        (void)snprintf(text, sizeof text, i % 2 ? "app:%s" : "4711:%s", groups[i]);
        refuse(f, text, want);
    }
    (void)snprintf(want, sizeof want, "%s does not have user 4711, and so not the group; write 4711:GID", f->passwd);
    refuse(f, "4711", want);
}

static void refuses_what_is_neither_name_nor_number(void **state)
{
    static const char *const texts[] = {
        "",
        ":",
        "app:",
        ":audio",
        ":44",
        "app:audio:",
        "app:audio:x",
        "1000:1000:1000",
        "-1",
        "+1",
        "+nis",
        "0x0",
        "0x0:0",
        "00",
        "007",
        "1001x",
        "1000 ",
        "0.0",
        "1e3",
        "4294967295",
        "4294967295:1",
        "4294967296",
        "4294967296:0",
        "18446744073709551616",
        "18446744073709551616:0",
        "99999999999999999999999",
        "app:-1",
        "app:0x0",
        "app:4294967295",
        "app:17x",
        "1000:4294967296",
        "0:00",
    };
    char want[256];

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        (void)snprintf(want, sizeof want, "`%s` is not a user; write name, name:group, uid or uid:gid", texts[i]);
        refuse(*state, texts[i], want);
    }
}

static void finds_groups(void **state)
{
    static const struct {
        const char *text;
        gid_t gid;
    } cases[] = {{"first", 1},  {"_odd name", 12}, {"nopass", 13}, {"last", 99},
                 {"twice", 20}, {"0", 0},          {"17", 17},     {"4294967294", 4294967294}};
    static const char *const none[] = {"",    "fir",     "irst", "broken",  "short",      "no",          "huge",
                                       "neg", "firs",    "bad",  "-1",      "4294967295", "99999999999", "1x",
                                       "00",  "first:x", "0\n",  "#comment"};
    struct fixture *f = *state;
    char want[KIT_PATH_MAX + 128];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        gid_t gid = 4711;
        assert_true(users_find_group_in(&f->files, cases[i].text, &gid, &e));
        assert_int_equal(gid, cases[i].gid);
    }
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        struct err e = {0};
        gid_t gid = 4711;
        assert_false(users_find_group_in(&f->files, none[i], &gid, &e));
        assert_int_equal(e.kind, ERR_INPUT);
        (void)snprintf(want, sizeof want, "there is no group `%s` in %s; name one that is, or write its number",
                       none[i], f->group);
        assert_string_equal(e.text, want);
        assert_int_equal(gid, 4711);
    }
}

/* In a container there may be neither file, or only that of users. */
static void goes_by_numbers_without_files(void **state)
{
    struct fixture *f = *state;
    struct users_entry found = {0};
    struct err e = {0};
    char text[128], want[KIT_PATH_MAX + 64];
    gid_t gid;

    assert_int_equal(unlink(f->group), 0);
    assert_true(users_find_in(&f->files, &f->arena, "app", &found, &e));
    show(&found, text, sizeof text);
    assert_string_equal(text, "1000:1000:1000:app:/srv/app:/bin/zsh");
    assert_false(users_find_in(&f->files, &f->arena, "app:audio", &found, &e));
    (void)snprintf(want, sizeof want, "%s: No such file or directory", f->group);
    assert_string_equal(e.text, want);
    assert_false(users_find_group_in(&f->files, "audio", &gid, &e));
    assert_string_equal(e.text, want);
    assert_true(users_find_group_in(&f->files, "44", &gid, &e));

    assert_int_equal(unlink(f->passwd), 0);
    assert_true(users_find_in(&f->files, &f->arena, "1000:44", &found, &e));
    show(&found, text, sizeof text);
    assert_string_equal(text, "1000:44:44:1000:/:/bin/sh");
    assert_false(users_find_in(&f->files, &f->arena, "1000", &found, &e));
    (void)snprintf(want, sizeof want, "%s: No such file or directory", f->passwd);
    assert_string_equal(e.text, want);
    assert_false(users_find_in(&f->files, &f->arena, "root", &found, &e));
    assert_string_equal(e.text, want);
}

static void refuses_what_is_no_file(void **state)
{
    struct fixture *f = *state;
    const struct users_files devices = {"/dev/null", "/dev/null"};
    struct users_entry found = {0};
    struct err e = {0};
    gid_t gid;

    assert_false(users_find_in(&devices, &f->arena, "app", &found, &e));
    assert_string_equal(e.text, "/dev/null: not a regular file; name a regular file");
    assert_false(users_find_group_in(&devices, "first", &gid, &e));
    assert_string_equal(e.text, "/dev/null: not a regular file; name a regular file");
    assert_false(users_find_in(&devices, &f->arena, "77", &found, &e));
    /* Two numbers need neither. */
    assert_true(users_find_in(&devices, &f->arena, "77:78", &found, &e));
    assert_int_equal(found.uid, 77);
    assert_int_equal(found.gid, 78);
    assert_string_equal(found.home, "/");
    assert_false(users_find_in(&devices, &f->arena, "77:app", &found, &e));
}

/* To be without the groups that the file has is not to be that user. */
static void a_name_needs_the_groups_that_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    struct users_files files = f->files;
    struct users_entry found = {0};
    struct err e = {0};

    files.group = "/dev/null";
    assert_false(users_find_in(&files, &f->arena, "app", &found, &e));
    assert_string_equal(e.text, "/dev/null: not a regular file; name a regular file");
}

/* The C library reads the same files by its own means. */
static void finds_all_groups_of_this_machine(void **state UNUSED)
{
    FILE *f = fopen("/etc/group", "re");
    const struct group *group;

    if (f == NULL) {
        kit_skip("finds_all_groups_of_this_machine", "there is no /etc/group");
        skip();
    }
    while ((group = fgetgrent(f)) != NULL) {
        struct err e = {0};
        gid_t gid;
        if (strchr("0123456789+-", group->gr_name[0]) != NULL)
            continue; /* a number to us, or a word to a name service */
        if (!users_find_group(group->gr_name, &gid, &e))
            fail_msg("%s", e.text);
        assert_int_equal(gid, group->gr_gid);
    }
    fclose(f);
}

static void finds_all_users_of_this_machine(void **state)
{
    FILE *f = fopen("/etc/passwd", "re");
    struct fixture *x = *state;
    const struct passwd *user;

    if (f == NULL) {
        kit_skip("finds_all_users_of_this_machine", "there is no /etc/passwd");
        skip();
    }
    while ((user = fgetpwent(f)) != NULL) {
        struct users_entry found = {0};
        struct err e = {0};
        if (strchr("0123456789+-", user->pw_name[0]) != NULL)
            continue; /* as above */
        if (!users_find(&x->arena, user->pw_name, &found, &e))
            fail_msg("%s", e.text);
        assert_int_equal(found.uid, user->pw_uid);
        assert_int_equal(found.gid, user->pw_gid);
        assert_int_equal(found.groups[0], user->pw_gid);
        assert_string_equal(found.name, user->pw_name);
        assert_string_equal(found.home, user->pw_dir[0] ? user->pw_dir : "/");
        assert_string_equal(found.shell, user->pw_shell[0] ? user->pw_shell : "/bin/sh");
    }
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_users, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_who_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_neither_name_nor_number, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_by_numbers_without_files, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_needs_the_groups_that_cannot_be_read, setup, teardown),
        cmocka_unit_test(finds_all_groups_of_this_machine),
        cmocka_unit_test_setup_teardown(finds_all_users_of_this_machine, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Groups by name and by number: those of this machine, and, where we can put a file of ours in the place of /etc/group,
 * odd ones.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/groups.h"

#include "unit/sys/kit.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

static void takes_numbers(void **state UNUSED)
{
    static const struct {
        const char *text;
        gid_t gid;
    } cases[] = {{"0", 0}, {"1000", 1000}, {"4294967294", 4294967294}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        gid_t gid = 4711;
        assert_true(groups_find(cases[i].text, &gid, &e));
        assert_int_equal(gid, cases[i].gid);
    }
}

static void refuses_what_is_none(void **state UNUSED)
{
    static const char *const cases[] = {"", "no such group", "-1", "4294967295", "99999999999", "1x", "root:x", "0\n"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        gid_t gid = 4711;
        char want[200];
        assert_false(groups_find(cases[i], &gid, &e));
        assert_int_equal(e.kind, ERR_INPUT);
        (void)snprintf(want, sizeof want, "there is no group `%s` in /etc/group; name one that is, or write its number",
                       cases[i]);
        assert_string_equal(e.text, want);
        assert_int_equal(gid, 4711);
    }
}

/* The C library reads the same file by its own means. */
static void finds_all_of_this_machine(void **state UNUSED)
{
    FILE *f = fopen("/etc/group", "re");
    const struct group *group;
    size_t n = 0;

    if (f == NULL) {
        kit_skip("finds_all_of_this_machine", "there is no /etc/group");
        skip();
    }
    while ((group = fgetgrent(f)) != NULL) {
        struct err e = {0};
        gid_t gid;
        if (strchr("+-", group->gr_name[0]) != NULL)
            continue; /* not a group, but a word to a name service */
        if (!groups_find(group->gr_name, &gid, &e))
            fail_msg("%s", e.text);
        assert_int_equal(gid, group->gr_gid);
        n++;
    }
    fclose(f);
    assert_true(n > 0);
}

static void look_in_an_odd_file(void *file)
{
    static const struct {
        const char *name;
        gid_t gid;
    } there[] = {{"first", 1}, {"_odd name", 12}, {"nopass", 13}, {"last", 99}, {"twice", 20}};
    static const char *const none[] = {"fir", "firs", "broken", "short", "huge", "neg", "#comment", "irst", "x"};
    struct err e = {0};
    gid_t gid;

    REQUIRE(geteuid() == 0 ? unshare(CLONE_NEWNS) == 0 : unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
    REQUIRE(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    REQUIRE(mount(file, "/etc/group", NULL, MS_BIND, NULL) == 0);
    for (size_t i = 0; i < ARRAY_LEN(there); i++) {
        REQUIRE(groups_find(there[i].name, &gid, &e));
        REQUIRE(gid == there[i].gid);
    }
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        REQUIRE(!groups_find(none[i], &gid, &e));
    REQUIRE(umount("/etc/group") == 0);
    REQUIRE(mount("/dev/null", "/etc/group", NULL, MS_BIND, NULL) == 0);
    REQUIRE(!groups_find("first", &gid, &e));
    REQUIRE(strcmp(e.text, "/etc/group: not a regular file; name a regular file") == 0);
}

static void can_mount(void *file)
{
    REQUIRE(geteuid() == 0 ? unshare(CLONE_NEWNS) == 0 : unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
    REQUIRE(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    REQUIRE(mount(file, "/etc/group", NULL, MS_BIND, NULL) == 0);
}

static void reads_odd_lines(void **state UNUSED)
{
    static const char text[] =
        "first:x:1:\n\n#comment\n_odd name::12:a,b\nnopass:*:13:\nbroken\nshort:x\nhuge:x:99999999999:\n"
        "neg:x:-1:\nfirs:x::\ntwice:x:20:\ntwice:x:21:\n:x:5:\nlast:x:99:a";
    char dir[KIT_PATH_MAX], path[KIT_PATH_MAX];

    kit_file(path, kit_make_dir(dir), "group", text, 0644);
    bool able = access("/etc/group", F_OK) == 0 && kit_isolated(can_mount, path);
    if (able)
        assert_true(kit_isolated(look_in_an_odd_file, path));
    kit_remove(dir);
    if (!able) {
        kit_skip("reads_odd_lines", "nothing can be mounted over /etc/group");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_numbers),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(finds_all_of_this_machine),
        cmocka_unit_test(reads_odd_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Who left a process to us: what was seen, who has ended, and when nobody can know.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/attrib.h"

#include <stdlib.h>

static struct attrib a;

static int begin(void **state)
{
    (void)state;
    attrib_init(&a, UINT64_MAX, 1, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    attrib_done(&a);
    return 0;
}

static struct attrib_proc *add(pid_t pid, struct attrib_run *r)
{
    struct attrib_proc *p = attrib_add(&a, pid, r, ATTRIB_MEMBER, ATTRIB_TAG, 0);

    assert_non_null(p);
    return p;
}

static struct attrib_run *open_run(uint64_t run)
{
    struct attrib_run *r = attrib_run_open(&a, 0, run);

    assert_non_null(r);
    return r;
}

/* The members of a run: who they are, whether they have ended, and in which look they were met. */
struct cast {
    pid_t pid;
    bool ended;
    bool is_new;
    pid_t pgrp, session; /* when ended */
};

enum { CAST_MAX = 3, NEWCOMER = 100, START = 4711 };

struct history {
    const char *what;
    struct cast cast[CAST_MAX];
    pid_t pgrp, session;            /* of the newcomer */
    pid_t group_gone, session_gone; /* the leader, when it has ended */
    uint64_t sight;                 /* start of the process with its number that was seen below 77; 0: none */
    pid_t from;                     /* 0: nobody knows */
    bool named;
};

static const struct history histories[] = {
    {"seen below", {{7, true, false, 7, 7}}, 7, 7, 7, 7, START, 77, true},
    {"seen, but another one", {{7, false, false, 0, 0}}, 100, 100, 0, 0, START + 1, 0, false},
    {"a launcher's daemon in a session of its own", {{7, true, false, 7, 7}}, 100, 100, 0, 0, 0, 7, true},
    {"in the session of the launcher", {{7, true, false, 7, 7}}, 7, 7, 7, 7, 0, 7, true},
    {"beside another new one", {{7, true, false, 7, 7}, {8, false, true, 0, 0}}, 100, 100, 0, 0, 0, 7, true},
    {"it may be from one that lives", {{7, true, false, 7, 7}, {8, false, false, 0, 0}}, 100, 100, 0, 0, 0, 0, false},
    {"but has the group of the dead", {{7, true, false, 7, 7}, {8, false, false, 0, 0}}, 7, 3, 7, 0, 0, 7, true},
    {"two have ended", {{7, true, false, 7, 7}, {8, true, true, 7, 7}}, 100, 100, 0, 0, 0, 0, false},
    {"one of two began its session", {{7, true, false, 7, 7}, {8, true, true, 8, 8}}, 100, 8, 0, 8, 0, 8, true},
    {"group before session", {{7, true, false, 7, 7}, {8, true, true, 8, 7}}, 8, 7, 8, 7, 0, 8, true},
    {"a middle one began its session, and is gone", {{7, true, false, 7, 7}}, 55, 55, 55, 55, 0, 55, false},
    {"that one had begun the launcher's as well", {{7, true, false, 7, 55}}, 100, 55, 0, 55, 0, 7, true},
    {"the leader of its group is gone", {{7, false, false, 0, 0}}, 55, 56, 55, 56, 0, 55, false},
    {"the leader of its session is gone", {{7, false, false, 0, 0}}, 100, 56, 0, 56, 0, 56, false},
    {"all of them live", {{7, false, false, 0, 0}}, 7, 7, 0, 0, 0, 0, false},
    {"nobody is left", {{0, false, false, 0, 0}}, 100, 100, 0, 0, 0, 0, false},
};

static void add_cast(const struct history *h, struct attrib_run *run, bool new)
{
    for (size_t i = 0; i < CAST_MAX && h->cast[i].pid != 0; i++) {
        const struct cast *c = &h->cast[i];
        if (c->is_new != new)
            continue;
        struct attrib_proc *p = add(c->pid, run);
        if (c->ended)
            attrib_end(p, "launcher", c->pgrp, c->session);
    }
}

/* Processes 99, 100 and 101 were seen below 76, 77 and 78. */
static void see(uint64_t start_ticks)
{
    enum { N = 3 };
    struct attrib_sight *sights = calloc(N, sizeof *sights);

    assert_non_null(sights);
    for (int i = 0; i < N; i++)
        sights[i] = (struct attrib_sight){NEWCOMER - 1 + i, start_ticks, {76 + i, "parent"}};
    attrib_remember(&a, sights, N);
}

static void test_who_left_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(histories); i++) {
        const struct history *h = &histories[i];
        struct attrib_run *run = open_run(i + 1);
        add_cast(h, run, false);
        attrib_begin_look(&a);
        add_cast(h, run, true);
        see(h->sight);
        const struct attrib_newcomer c = {
            .pid = NEWCOMER,
            .start_ticks = START,
            .pgrp = h->pgrp,
            .session = h->session,
            .group_leader.pid = h->group_gone,
            .session_leader.pid = h->session_gone,
        };
        struct attrib_leaver from = attrib_leaver(&a, run, &c);
        if (from.pid != h->from || (from.name[0] != '\0') != h->named)
            fail_msg("%s: %d (%s)", h->what, (int)from.pid, from.name);
        /* Without a run only what was seen and the leaders count. */
        from = attrib_leaver(&a, NULL, &c);
        assert_int_equal(from.pid, h->sight == START ? 77 : h->group_gone ? h->group_gone : h->session_gone);
        for (size_t k = 0; k < CAST_MAX && h->cast[k].pid != 0; k++)
            attrib_remove(&a, attrib_find(&a, h->cast[k].pid));
    }
}

static void test_nothing_seen(void **state)
{
    const struct attrib_newcomer c = {.pid = NEWCOMER, .start_ticks = START, .pgrp = NEWCOMER, .session = NEWCOMER};

    (void)state;
    assert_int_equal(attrib_leaver(&a, NULL, &c).pid, 0);
    see(START);
    assert_int_equal(attrib_leaver(&a, NULL, &c).pid, 77);
    attrib_remember(&a, NULL, 0);
    assert_int_equal(attrib_leaver(&a, NULL, &c).pid, 0);
}

static void test_names_are_cut(void **state)
{
    (void)state;
    struct attrib_proc *p = add(7, open_run(1));
    attrib_end(p, "a name that is too long for a process", 7, 7);
    assert_true(p->ended);
    assert_string_equal(p->name, "a name that is ");
}

static void test_changes_are_counted(void **state)
{
    (void)state;
    struct attrib_proc *p = add(7, NULL);
    assert_int_equal(a.n_changes, 1);
    attrib_begin_look(&a);
    assert_int_equal(a.n_changes, 1);
    assert_int_equal(p->met_in, 0);
    assert_int_equal(add(8, NULL)->met_in, 1);
    attrib_remove(&a, p);
    assert_int_equal(a.n_changes, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_who_left_it),
        TEST(test_nothing_seen),
        TEST(test_names_are_cut),
        TEST(test_changes_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

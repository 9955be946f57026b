/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Whose process is this: the arithmetic of tags at every level, markers, the tables, and whom to follow.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/attrib.h"
#include "core/backoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define K40   (UINT64_C(1) << 40)
#define K20   (UINT64_C(1) << 20)
#define OUTER (UINT64_C(1) << 60)

static const uint64_t NONCE = UINT64_C(0x0123456789abcdef);

static struct attrib a;

static struct attrib_run *open_run(uint64_t run)
{
    struct attrib_run *r = attrib_run_open(&a, (unsigned)run, run);

    assert_non_null(r);
    assert_int_equal(r->run, run);
    return r;
}

static struct attrib_run *claim(bool has_limit, uint64_t limit, const char *marker, enum attrib_evidence *evidence)
{
    struct attrib_facts facts = {.has_limit = has_limit, .limit = limit, .marker = marker};

    return attrib_claim(&a, &facts, evidence);
}

static struct attrib_proc *add(pid_t pid, struct attrib_run *r)
{
    struct attrib_proc *p = attrib_add(&a, pid, r, r ? ATTRIB_MAIN : ATTRIB_MEMBER, r ? ATTRIB_BORN : ATTRIB_NONE, 77);

    assert_non_null(p);
    return p;
}

static void test_tags_of_each_level(void **state)
{
    static const struct {
        uint64_t own, first, second; /* tags of ids 1 and 2; 0: none */
    } cases[] = {
        {UINT64_MAX, OUTER - K40, OUTER - 2 * K40},
        {OUTER - 5 * K40, OUTER - 5 * K40 - K20, OUTER - 5 * K40 - 2 * K20},
        {K40, K40 - K20, K40 - 2 * K20},
        {OUTER - 5 * K40 - 3 * K20, OUTER - 5 * K40 - 3 * K20 - 1, OUTER - 5 * K40 - 3 * K20 - 2},
        {K20, K20 - 1, K20 - 2},
        {OUTER - 5 * K40 - 3 * K20 - 7, 0, 0},
        {1000, 0, 0},
        {0, 0, 0},
        {UINT64_MAX - 1, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        attrib_init(&a, cases[i].own, NONCE, 1);
        assert_true(attrib_run_tag(&a, open_run(1)) == cases[i].first);
        assert_true(attrib_run_tag(&a, open_run(2)) == cases[i].second);
        attrib_done(&a);
    }
}

/* Three supervisors one below the other: each reads whatever the ones below hand out as its own run's. */
static void test_nested_supervisors(void **state)
{
    uint64_t limit = UINT64_MAX;
    struct attrib outer[3];
    struct attrib_run *runs[3];

    (void)state;
    for (int level = 0; level < 3; level++) {
        attrib_init(&outer[level], limit, NONCE + (unsigned)level, 1);
        for (uint64_t run = 1; run < 20; run++)
            assert_non_null(attrib_run_open(&outer[level], 0, run));
        runs[level] = attrib_run_find(&outer[level], 7 + (unsigned)level);
        limit = attrib_run_tag(&outer[level], runs[level]);
        assert_true(limit != 0);
        for (int above = 0; above <= level; above++) {
            struct attrib_facts facts = {.has_limit = true, .limit = limit};
            enum attrib_evidence evidence;
            assert_ptr_equal(attrib_claim(&outer[above], &facts, &evidence), runs[above]);
            assert_int_equal(evidence, ATTRIB_TAG);
        }
    }
    for (int level = 0; level < 3; level++)
        attrib_done(&outer[level]);
}

/* The ends of what an id's limits may be, at every level. */
static void test_rounding(void **state)
{
    static const struct {
        uint64_t own, base, stride;
    } levels[] = {{UINT64_MAX, OUTER, K40}, {OUTER - K40, OUTER - K40, K20}, {K20 * 3, K20 * 3, 1}};
    enum attrib_evidence e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        uint64_t tag1 = levels[i].base - levels[i].stride, tag2 = tag1 - levels[i].stride;
        attrib_init(&a, levels[i].own, NONCE, 1);
        struct attrib_run *one = open_run(1), *two = open_run(2);
        assert_ptr_equal(claim(true, tag1, NULL, &e), one);
        assert_ptr_equal(claim(true, tag2 + 1, NULL, &e), one);
        assert_ptr_equal(claim(true, tag2, NULL, &e), two);
        assert_int_equal(e, ATTRIB_TAG);
        assert_null(claim(true, levels[i].base, NULL, &e));
        assert_null(claim(true, levels[i].own, NULL, &e));
        assert_null(claim(true, UINT64_MAX, NULL, &e));
        assert_null(claim(true, 0, NULL, &e));
        assert_null(claim(true, tag2 - levels[i].stride, NULL, &e));
        assert_null(claim(false, tag1, NULL, &e));
        assert_int_equal(e, ATTRIB_NONE);
        attrib_done(&a);
    }
}

static void test_markers(void **state)
{
    static const struct {
        const char *marker;
        unsigned run; /* 0: none */
    } cases[] = {
        {"0123456789abcdef:1", 1},
        {"0123456789abcdef:2", 2},
        {"0123456789abcdef:3", 0},
        {"0123456789abcdef:0", 0},
        {"0123456789abcdef:", 0},
        {"0123456789abcdef", 0},
        {"0123456789abcdef:1x", 0},
        {"0123456789abcdef:-1", 0},
        {"0123456789abcdef: 1", 0},
        {"0123456789abcdef:01", 0},
        {"0123456789abcdef:18446744073709551617", 0},
        {"0123456789abcdee:1", 0},
        {"ffffffffffffffff:9/0123456789abcdef:2", 2},
        {"0123456789abcdef:2/ffffffffffffffff:1", 2},
        {"ffffffffffffffff:1/ffffffffffffffff:2", 0},
        {"0123456789abcdef:1/0123456789abcdef:2", 2},
        {"0123456789abcdef:1/", 1},
        {"/", 0},
        {"", 0},
    };
    enum attrib_evidence e;

    (void)state;
    attrib_init(&a, 1000, NONCE, 1);
    open_run(1);
    open_run(2);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct attrib_run *r = claim(true, 1000, cases[i].marker, &e);
        assert_int_equal(r ? r->run : 0, cases[i].run);
        assert_int_equal(e, cases[i].run ? ATTRIB_ENV : ATTRIB_NONE);
    }
    attrib_done(&a);
}

static void test_making_markers(void **state)
{
    static const struct {
        const char *inherited;
        size_t size;
        const char *marker; /* NULL: does not fit */
    } cases[] = {
        {NULL, 64, "0123456789abcdef:1"},
        {"", 64, "0123456789abcdef:1"},
        {"ff:9", 64, "ff:9/0123456789abcdef:1"},
        {NULL, 19, "0123456789abcdef:1"},
        {NULL, 18, NULL},
        {"ff:9", 23, NULL},
        {NULL, 0, NULL},
    };

    (void)state;
    attrib_init(&a, UINT64_MAX, NONCE, 1);
    struct attrib_run *r = open_run(1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[64];
        char *marker = attrib_run_marker(&a, r, cases[i].inherited, buf, cases[i].size);
        assert_int_equal(marker != NULL, cases[i].marker != NULL);
        if (marker)
            assert_string_equal(marker, cases[i].marker);
    }
    attrib_done(&a);
}

/* The control group is the kernel's word: a process can change its tag, but not so its group. */
static void test_control_group_before_tag(void **state)
{
    enum attrib_evidence e;

    (void)state;
    attrib_init(&a, UINT64_MAX, NONCE, 1);
    struct attrib_run *one = open_run(41), *two = open_run(42);
    struct attrib_facts facts = {.cgroup_run = 41, .has_limit = true, .limit = attrib_run_tag(&a, two)};
    assert_ptr_equal(attrib_claim(&a, &facts, &e), one);
    assert_int_equal(e, ATTRIB_CGROUP);
    facts.cgroup_run = 43; /* a run that is over: what else is known has to do */
    assert_ptr_equal(attrib_claim(&a, &facts, &e), two);
    assert_int_equal(e, ATTRIB_TAG);
    facts.has_limit = false;
    assert_null(attrib_claim(&a, &facts, &e));
    assert_int_equal(e, ATTRIB_NONE);
    attrib_done(&a);
}

/* The tag is believed before the environment, which a service may have passed to whomever it likes. */
static void test_order_of_trust(void **state)
{
    enum attrib_evidence e;

    (void)state;
    attrib_init(&a, UINT64_MAX, NONCE, 1);
    struct attrib_run *one = open_run(1), *two = open_run(2);
    assert_ptr_equal(claim(true, attrib_run_tag(&a, one), "0123456789abcdef:2", &e), one);
    assert_int_equal(e, ATTRIB_TAG);
    assert_ptr_equal(claim(true, OUTER - 99 * K40, "0123456789abcdef:2", &e), two);
    assert_int_equal(e, ATTRIB_ENV);
    attrib_done(&a);
}

static void test_a_run_lives_as_long_as_its_members(void **state)
{
    enum attrib_evidence e;

    (void)state;
    attrib_init(&a, UINT64_MAX, NONCE, 1);
    struct attrib_run *r = open_run(1);
    uint64_t tag = attrib_run_tag(&a, r);
    struct attrib_proc *p = add(100, r), *q = add(101, r);
    assert_int_equal(r->n_members, 2);
    attrib_run_close(&a, r);
    attrib_remove(&a, p);
    assert_ptr_equal(claim(true, tag, NULL, &e), r);
    assert_ptr_equal(attrib_run_find(&a, 1), r);
    attrib_remove(&a, q);
    assert_null(claim(true, tag, NULL, &e));
    assert_null(attrib_run_find(&a, 1));
    assert_int_equal(a.n_runs, 0);

    r = open_run(2);
    attrib_run_close(&a, r);
    assert_null(attrib_run_find(&a, 2));

    r = open_run(3);
    attrib_remove(&a, add(100, r));
    assert_ptr_equal(attrib_run_find(&a, 3), r);
    attrib_done(&a);
}

static void test_what_a_forgotten_unit_leaves_is_unclaimed(void **state)
{
    enum attrib_evidence e;

    (void)state;
    attrib_init(&a, UINT64_MAX, NONCE, 1);
    struct attrib_run *old = attrib_run_open(&a, 7, 1), *present = attrib_run_open(&a, 7, 2), *other = open_run(3);
    uint64_t tag = attrib_run_tag(&a, old);
    struct attrib_proc *p = add(100, old), *q = add(101, old), *r = add(102, present), *s = add(103, other);
    add(104, NULL);
    attrib_run_close(&a, old);
    attrib_disown(&a, 7);
    assert_null(attrib_run_find(&a, 1));
    assert_null(attrib_run_find(&a, 2));
    assert_null(claim(true, tag, NULL, &e));
    assert_int_equal(a.n_runs, 1);
    for (size_t i = 0; i < 3; i++) {
        const struct attrib_proc *it = (struct attrib_proc *[]){p, q, r}[i];
        assert_ptr_equal(attrib_find(&a, (pid_t)(100 + i)), it);
        assert_null(it->run);
        assert_int_equal(it->role, ATTRIB_MEMBER);
        assert_int_equal(it->evidence, ATTRIB_NONE);
    }
    assert_ptr_equal(s->run, other);
    assert_int_equal(other->n_members, 1);
    assert_int_equal(a.n_unclaimed_total, 4);
    size_t n = 0;
    LIST_EACH (it, &a.unclaimed)
        n++;
    assert_int_equal(n, 4);
    attrib_remove(&a, q);
    assert_null(attrib_find(&a, 101));
    attrib_disown(&a, 8);
    assert_ptr_equal(s->run, other);
    attrib_done(&a);
}

static void test_processes(void **state)
{
    (void)state;
    attrib_init(&a, UINT64_MAX, NONCE, 1);
    struct attrib_run *r = open_run(1);
    assert_null(attrib_find(&a, 100));
    struct attrib_proc *p = add(100, r);
    assert_ptr_equal(attrib_find(&a, 100), p);
    assert_ptr_equal(p->run, r);
    assert_int_equal(p->role, ATTRIB_MAIN);
    assert_int_equal(p->evidence, ATTRIB_BORN);
    assert_int_equal(p->since_ms, 77);
    add(101, NULL);
    add(102, NULL);
    assert_int_equal(a.n_unclaimed_total, 2);
    assert_ptr_equal(CONTAINER_OF(a.unclaimed.next, struct attrib_proc, in_run), attrib_find(&a, 101));
    attrib_remove(&a, attrib_find(&a, 101));
    attrib_remove(&a, attrib_find(&a, 102));
    assert_true(list_is_empty(&a.unclaimed));
    assert_int_equal(a.n_unclaimed_total, 2);
    attrib_done(&a);
}

/* A pid that is there already was reaped behind our back; its run may end with that, even the one it joins. */
static void test_a_pid_comes_back(void **state)
{
    (void)state;
    attrib_init(&a, UINT64_MAX, NONCE, 1);
    struct attrib_run *one = open_run(1), *two = open_run(2);
    add(100, one);
    attrib_run_close(&a, one);
    add(100, two);
    assert_null(attrib_run_find(&a, 1));
    assert_int_equal(two->n_members, 1);
    attrib_run_close(&a, two);
    assert_ptr_equal(add(100, two)->run, two);
    assert_int_equal(two->n_members, 1);
    assert_ptr_equal(attrib_run_find(&a, 2), two);
    attrib_remove(&a, attrib_find(&a, 100));
    assert_null(attrib_run_find(&a, 2));
    attrib_done(&a);
}

/* Ids come round; one that a living run has is left out. */
static void test_ids_come_round(void **state)
{
    enum attrib_evidence e;

    (void)state;
    attrib_init(&a, UINT64_MAX, NONCE, attrib_ids_max() - 1);
    assert_int_equal(attrib_ids_max(), (1 << 20) - 1);
    static const uint32_t ids[] = {(1 << 20) - 2, (1 << 20) - 1, 1, 2};
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++)
        assert_int_equal(open_run(i + 1)->tag_id, ids[i]);
    assert_true(attrib_run_tag(&a, attrib_run_find(&a, 2)) == K40);
    assert_ptr_equal(claim(true, K40, NULL, &e), attrib_run_find(&a, 2));
    a.next_id = attrib_ids_max() - 1;
    attrib_run_close(&a, attrib_run_find(&a, 2));
    assert_int_equal(open_run(10)->tag_id, attrib_ids_max());
    assert_int_equal(open_run(11)->tag_id, 3);
    attrib_done(&a);
}

static int compare_runs(const void *x, const void *y)
{
    const struct attrib_run *const *r = x, *const *s = y;

    return ((*r)->tag_id > (*s)->tag_id) - ((*r)->tag_id < (*s)->tag_id);
}

/* Thousands of runs come and go at random; tables and truth agree all the while. */
static void test_many_runs(void **state)
{
    enum { N = 3000, STEPS = 40000 };
    struct attrib_run **runs = calloc(N, sizeof *runs);
    uint64_t seed = 99, next = 1;
    enum attrib_evidence e;
    size_t n = 0;

    (void)state;
    assert_non_null(runs);
    attrib_init(&a, UINT64_MAX, NONCE, attrib_ids_max() - N);
    for (int step = 0; step < STEPS; step++) {
        size_t i = backoff_random(&seed) % N;
        if (!runs[i]) {
            runs[i] = open_run(next++);
            n++;
        } else if (backoff_random(&seed) % 3 == 0) {
            attrib_run_close(&a, runs[i]);
            runs[i] = NULL;
            n--;
        } else {
            assert_ptr_equal(attrib_run_find(&a, runs[i]->run), runs[i]);
            assert_ptr_equal(claim(true, attrib_run_tag(&a, runs[i]), NULL, &e), runs[i]);
        }
        assert_int_equal(a.n_runs, n);
    }
    size_t k = 0;
    for (size_t i = 0; i < N; i++)
        if (runs[i])
            runs[k++] = runs[i];
    qsort(runs, k, sizeof *runs, compare_runs);
    for (size_t i = 1; i < k; i++)
        assert_true(runs[i - 1]->tag_id < runs[i]->tag_id);
    attrib_done(&a);
    free(runs);
}

static void test_all_ids_taken(void **state)
{
    (void)state;
    attrib_init(&a, UINT64_MAX, NONCE, 1);
    a.n_runs = attrib_ids_max();
    assert_null(attrib_run_open(&a, 0, 1));
    a.n_runs = 0;
    attrib_done(&a);
}

static void test_whom_to_follow(void **state)
{
    static const struct {
        struct attrib_candidate c[4]; /* pid, session, start */
        size_t n;
        pid_t pid_file;
        pid_t expected;
    } cases[] = {
        {{{7, 1, 5}}, 1, 0, 7},
        {{{7, 1, 5}}, 1, 99, 7},                       /* a pid file that lies */
        {{{7, 1, 5}, {8, 1, 4}}, 2, 0, 8},             /* the oldest */
        {{{8, 1, 5}, {7, 1, 5}}, 2, 0, 7},             /* as old: the lower pid */
        {{{7, 1, 1}, {8, 8, 9}, {9, 9, 10}}, 3, 0, 8}, /* the oldest session leader */
        {{{7, 1, 1}, {9, 9, 9}, {8, 8, 9}}, 3, 0, 8},  /* leaders as old: the lower pid */
        {{{7, 1, 1}, {8, 8, 9}, {9, 1, 10}}, 3, 9, 9}, /* the pid file's */
        {{{7, 7, 9}, {8, 8, 3}, {6, 6, 5}, {5, 1, 1}}, 4, 0, 8},
        {{{7, 7, 9}, {8, 8, 3}, {6, 6, 5}, {5, 1, 1}}, 4, 5, 5},
        {{{7, 7, 9}, {8, 8, 3}, {6, 6, 5}, {5, 1, 1}}, 4, -1, 8},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t at = attrib_follow(cases[i].c, cases[i].n, cases[i].pid_file);
        assert_true(at < cases[i].n);
        assert_int_equal(cases[i].c[at].pid, cases[i].expected);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(attrib_evidence_name(ATTRIB_BORN), "born");
    assert_string_equal(attrib_evidence_name(ATTRIB_CGROUP), "cgroup");
    assert_string_equal(attrib_evidence_name(ATTRIB_TAG), "tag");
    assert_string_equal(attrib_evidence_name(ATTRIB_ENV), "env");
    assert_string_equal(attrib_evidence_name(ATTRIB_NONE), "unclaimed");
    assert_string_equal(attrib_evidence_name(ATTRIB_EVIDENCE_N), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags_of_each_level),
        cmocka_unit_test(test_nested_supervisors),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_markers),
        cmocka_unit_test(test_making_markers),
        cmocka_unit_test(test_control_group_before_tag),
        cmocka_unit_test(test_order_of_trust),
        cmocka_unit_test(test_a_run_lives_as_long_as_its_members),
        cmocka_unit_test(test_what_a_forgotten_unit_leaves_is_unclaimed),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_a_pid_comes_back),
        cmocka_unit_test(test_ids_come_round),
        cmocka_unit_test(test_many_runs),
        cmocka_unit_test(test_all_ids_taken),
        cmocka_unit_test(test_whom_to_follow),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

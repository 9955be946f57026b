/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The intrusive list: order, removal from anywhere, and removal within a loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    int number;
    struct list link;
};

static struct item *item_of(struct list *link)
{
    return CONTAINER_OF(link, struct item, link);
}

/* The numbers of the list's members as decimal digits, in order, checked backwards as well. */
static int digits(struct list *head)
{
    int forwards = 0, backwards = 0, scale = 1;

    LIST_EACH (it, head)
        forwards = forwards * 10 + item_of(it)->number;
    for (struct list *it = head->prev; it != head; it = it->prev, scale *= 10)
        backwards += item_of(it)->number * scale;
    assert_int_equal(forwards, backwards);
    return forwards;
}

static void fill(struct list *head, struct item *items, int n)
{
    list_init(head);
    for (int i = 0; i < n; i++) {
        items[i].number = i + 1;
        list_init(&items[i].link);
        list_append(head, &items[i].link);
    }
}

static void empty_list(void **state)
{
    struct list head;

    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_int_equal(digits(&head), 0);
    list_remove(&head);
    assert_true(list_is_empty(&head));
}

static void keeps_order(void **state)
{
    struct item items[5];
    struct list head;

    (void)state;
    fill(&head, items, 5);
    assert_false(list_is_empty(&head));
    assert_int_equal(digits(&head), 12345);
}

static void removes_from_anywhere(void **state)
{
    static const struct {
        int index, expected;
    } cases[] = {{0, 2345}, {2, 1245}, {4, 1234}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct item items[5];
        struct list head, *link = &items[cases[i].index].link;
        fill(&head, items, 5);
        list_remove(link);
        assert_int_equal(digits(&head), cases[i].expected);
        assert_true(list_is_empty(link));
        list_remove(link);
        assert_int_equal(digits(&head), cases[i].expected);
        list_append(&head, link);
        assert_int_equal(digits(&head), cases[i].expected * 10 + cases[i].index + 1);
    }
}

static void loop_may_remove_the_current_one(void **state)
{
    struct item items[6];
    struct list head;

    (void)state;
    fill(&head, items, 6);
    LIST_EACH (it, &head)
        if (item_of(it)->number % 2 == 0)
            list_remove(it);
    assert_int_equal(digits(&head), 135);
    LIST_EACH (it, &head)
        list_remove(it);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_list),
        cmocka_unit_test(keeps_order),
        cmocka_unit_test(removes_from_anywhere),
        cmocka_unit_test(loop_may_remove_the_current_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

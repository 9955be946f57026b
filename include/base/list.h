/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * An intrusive, circular, doubly linked list. The list owns nothing.
 */
#ifndef FOSTER_BASE_LIST_H
#define FOSTER_BASE_LIST_H

#include "base/compiler.h"

#include <stdbool.h>

/** A list head, or a member's link. A link that is in no list points to itself. */
struct list {
    struct list *next;
    struct list *prev;
};

/** Makes L an empty list, or a link in no list. */
static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

/** True when the list HEAD has no member, or the link is in no list. */
static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

/** Appends LINK, which is in no list, to the list HEAD. */
static inline void list_append(struct list *head, struct list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/** Takes LINK out of whatever list it is in; harmless when it is in none. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/** Loops over the links of HEAD; the loop body may remove the current one. */
#define LIST_EACH(it, head)                                                                                            \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

#endif

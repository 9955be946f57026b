/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The configurations that most tests of super begin with: "web", which depends on "db", or "web" alone.
 */
#ifndef FOSTER_TESTS_SUPER_PAIR_H
#define FOSTER_TESTS_SUPER_PAIR_H

#include "super_kit.h"

static struct kit k;

/* A service "db" of type TYPE, and "web", of type simple, that depends on it by CONDITION. Returns the dependency. */
static inline struct spec_dep *begin_pair(enum spec_type type, enum spec_condition condition)
{
    kit_init(&k);
    /* web comes first in the file: the order there is no help. */
    struct spec *web = kit_service(&k, "web", SPEC_TYPE_SIMPLE);
    kit_service(&k, "db", type)->restart.policy = SPEC_RESTART_NO;
    return kit_depend(web, "db", condition);
}

static inline struct spec *db(void)
{
    return &k.specs[1];
}

static inline struct spec *web(void)
{
    return &k.specs[0];
}

/* Runs both, and forgets what that led to. */
static inline void bring_up(void)
{
    kit_begin(&k);
    kit_up(&k, "db");
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
}

/* A pair of type simple, both of them up. */
static inline void begin_pair_up(void)
{
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    bring_up();
}

/* A service "web" of type TYPE, and no other. */
static inline struct spec *begin_alone(enum spec_type type)
{
    kit_init(&k);
    return kit_service(&k, "web", type);
}

/* One of type simple, up. */
static inline void begin_alone_up(void)
{
    begin_alone(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
}

#endif

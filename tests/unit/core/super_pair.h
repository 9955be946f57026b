/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The configuration that most tests of super across units begin with: "web", which depends on "db".
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

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * For the tests of the commands around a run: a service that has some.
 */
#ifndef FOSTER_TESTS_SUPER_HOOKED_H
#define FOSTER_TESTS_SUPER_HOOKED_H

#include "super_pair.h"

/* A service "web" with commands at POINT. */
static inline struct spec *begin_hooked(enum spec_hook_point point)
{
    struct spec *s = begin_alone(SPEC_TYPE_SIMPLE);

    kit_hook(s, point);
    return s;
}

/* As begin_hooked(), with its program up, and what led there forgotten. */
static inline struct spec *begin_hooked_up(enum spec_hook_point point)
{
    struct spec *s = begin_hooked(point);

    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
    return s;
}

static inline void assert_says(const char *text)
{
    const char *reports = kit_reports(&k);

    if (!strstr(reports, text))
        fail_msg("\"%s\" is not in \"%s\"", text, reports);
}

#endif

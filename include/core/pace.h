/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How long to sleep between two looks at pipes that others write to. Wake-ups cost more than bytes do, so many small
 * writes are better taken at once; but nobody may have to wait because a pipe has filled up in the meantime.
 */
#ifndef FOSTER_CORE_PACE_H
#define FOSTER_CORE_PACE_H

#include "base/compiler.h"

/** What has been learned of the writers. */
struct pace {
    double nap_s; /**< how long they may be left alone */
};

/** P of writers of whom nothing is known: the longest nap, a millisecond. */
void pace_init(struct pace *p) NONNULL();

/** How long to sleep now, in seconds, after the fullest pipe was filled to FILL (0 to 1) behind the last nap; 0: not at
 * all, for they write faster than a clock can tell. */
double pace_next(struct pace *p, double fill) MUST_CHECK NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 */
#include "core/pace.h"

/* Shorter naps cost more than they save. */
static const double pace_min_s = 0.00005, pace_max_s = 0.001;

/* How full the fullest pipe is to be behind a nap. A pipe whose writes do not share pages takes no more when it is
 * little more than half full. */
static const double pace_fill = 0.375;

void pace_init(struct pace *p)
{
    p->nap_s = pace_max_s;
}

double pace_next(struct pace *p, double fill)
{
    /* Longer naps come by and by: what follows a burst is more often another one than a pause. */
    p->nap_s *= fill < pace_fill / 2 ? 2. : pace_fill / fill;
    if (p->nap_s > pace_max_s)
        p->nap_s = pace_max_s;
    if (p->nap_s >= pace_min_s)
        return p->nap_s;
    /* Not so little that it would never come back. */
    p->nap_s = pace_min_s / 2;
    return 0.;
}

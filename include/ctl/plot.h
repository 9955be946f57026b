/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is in a picture of a start, whatever it is drawn with: rows in the order in which services began, an axis from
 * which long quiet times are cut, and the chain of those that the last one had to wait for. Pure.
 */
#ifndef FOSTER_CTL_PLOT_H
#define FOSTER_CTL_PLOT_H

#include "base/buf.h"
#include "base/compiler.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLOT_CUTS_MAX = 6, PLOT_NO_ROW = -1 };

/** What a service has come to. */
enum plot_end {
    PLOT_UP,      /**< it is up */
    PLOT_DONE,    /**< it has done its work */
    PLOT_FAILED,  /**< it has failed for good */
    PLOT_TRYING,  /**< it has failed, and will be tried again */
    PLOT_DOWN,    /**< it was stopped */
    PLOT_PENDING, /**< it is on its way */
    PLOT_ASLEEP,  /**< its schedule has not come round yet */
};

/** One service. Times are milliseconds from the start of fosterd on; -1: it has not come to that. */
struct plot_row {
    const char *name;      /**< borrowed from the result */
    const json_t *service; /**< borrowed */
    int64_t waiting, starting, started, ready, healthy, ended;
    int64_t first;   /**< when its first attempt began */
    int64_t settled; /**< when its start was over, or how far it has come until now */
    enum plot_end end;
    int blocker;   /**< the row that it has waited for last, or PLOT_NO_ROW */
    bool critical; /**< the last one, or one that the last one had to wait for */
};

/** A time that is left out of the axis. */
struct plot_cut {
    int64_t from, to;
};

/** A picture. */
struct plot {
    struct plot_row *rows; /**< owned */
    size_t n;
    int last;    /**< the row that was settled last of those that came up, or PLOT_NO_ROW */
    int64_t now; /**< milliseconds from the start of fosterd on */
    int64_t end; /**< where the axis ends */
    struct plot_cut cuts[PLOT_CUTS_MAX];
    size_t n_cuts;
};

/** Fills *P from RESULT of `timeline`, which it borrows. False without memory. To be freed with plot_done(). */
bool plot_init(struct plot *p, const json_t *result) MUST_CHECK NONNULL();

/** Frees what P owns. */
void plot_done(struct plot *p) NONNULL();

/** Where MS is on an axis of WIDTH, on which a cut takes GAP. */
double plot_at(const struct plot *p, int64_t ms, double width, double gap) NONNULL();

/** The distance of ticks in milliseconds, so that there are at most N of them where nothing is cut. */
int64_t plot_step(const struct plot *p, size_t n) NONNULL();

/** How long it took the service of R from its first attempt on. */
int64_t plot_took(const struct plot_row *r) NONNULL();

/** Appends MS as people say it: "40 ms", "4.2 s", "3 min 5 s", "2 h 10 min", "3 d 4 h". */
void plot_span(struct buf *out, int64_t ms) NONNULL();

/** Appends the label of a tick at MS of an axis with ticks every STEP; LATER: MS counts from the end of a cut. */
void plot_label(struct buf *out, int64_t ms, int64_t step, bool later) NONNULL();

/** Appends what is to be said at the end of R's bar: "4.2 s", "done in 1.2 s", "failed: exited with code 1 ...". */
void plot_say(struct buf *out, const struct plot_row *r) NONNULL();

/** Appends the chain that led to the last service: "db 4.2 s, api 1.3 s", with ARROW between them. Nothing without one.
 */
void plot_chain(struct buf *out, const struct plot *p, const char *arrow) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Putting a changed configuration in place of the present one: read, check, compare, and only then touch anything.
 */
#ifndef FOSTER_DAEMON_RELOAD_H
#define FOSTER_DAEMON_RELOAD_H

#include "base/compiler.h"
#include "core/diag.h"
#include "core/plan.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

/** What became of it. */
enum reload_result {
    RELOAD_OK,       /**< accepted: super has it, or (dry run) could have it */
    RELOAD_REJECTED, /**< the file is wrong: see the problems */
    RELOAD_BUSY,     /**< another one is being carried out */
    RELOAD_STOPPING, /**< everything is being stopped */
    RELOAD_NOMEM,
};

/** A reload, for whoever asked for it. Initialise with zero, free with reload_done(). */
struct reload {
    struct diag_list problems; /**< of the file; errors only with RELOAD_REJECTED, else warnings */
    struct plan plan;
    bool has_plan;
    struct spec_set *set; /**< owned, until super has it */
};

/** Reads the file that G was started with again and compares it. Unless DRY_RUN, a changed configuration goes to super
 * then, and it may be in force already on return; the log is told of all problems and changes, as events `config`, and
 * the service manager too (RELOADING=1, and READY=1 once it is in force, sd_notify(3)). */
enum reload_result reload_file(struct engine *g, bool dry_run, struct reload *r) MUST_CHECK NONNULL();

/** The same again, asked for while G carries it out, which reload_file() calls RELOAD_BUSY: reads the file, which has
 * to say what is being put in force just now. RELOAD_OK: it does, and the plan is the one that is carried out; nothing
 * is told and nothing more is done. Else R is as it was, or has the problems of the file. */
enum reload_result reload_join(struct engine *g, struct reload *r) MUST_CHECK NONNULL();

/** The present configuration with N instances of SERVICE, which there is; as reload_file(), but problems (N is out of
 * range, the service has a pid_file) have no place and are not logged. Lasts until the next reload. */
enum reload_result reload_scale(struct engine *g, const char *service, int64_t n, struct reload *r) MUST_CHECK
    NONNULL();

/** Somebody has sent SIGHUP: reload, and tell the log. When one is under way, another follows. */
void reload_on_hup(struct engine *g) NONNULL();

/** All effects have been carried out: a reload that had to wait for another one begins, if that is in force now. */
void reload_go_on(struct engine *g) NONNULL();

/** Super has the new configuration in force: the old one is freed, what the engine took from it is renewed. */
void reload_replaced(struct engine *g) NONNULL();

/** Frees what R owns. */
void reload_done(struct reload *r) NONNULL();

#endif

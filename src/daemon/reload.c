/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a changed file to a changed set of services. All that can fail (reading, checking, memory) comes before anything
 * is touched.
 */
#include "daemon/reload.h"

#include "base/log.h"
#include "core/check.h"
#include "daemon/cgroups.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/openfile.h"
#include "daemon/ownlog.h"
#include "daemon/slots.h"
#include "daemon/status.h"
#include "daemon/zombies.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdio.h>

enum { RELOAD_LINE_MAX = 512 };

static void reload_say(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void reload_say(enum log_level level, const char *fmt, ...)
{
    struct log_about about = {.event = "config", .pid = sys_getpid()};
    va_list ap;
    va_start(ap, fmt);
    log_vwrite(level, &about, fmt, ap);
    va_end(ap);
}

static void reload_say_problem(const struct diag *d)
{
    enum log_level level = d->severity == DIAG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
    if (d->pos.file == NULL)
        reload_say(level, "%s", d->text);
    else if (d->pos.line == 0)
        reload_say(level, "%s: %s", d->pos.file, d->text);
    else
        reload_say(level, "%s:%u:%u: %s", d->pos.file, d->pos.line, d->pos.column, d->text);
}

static void reload_say_problems(const struct diag_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        reload_say_problem(&l->items[i]);
    if (l->n_lost > 0)
        reload_say(LOG_LEVEL_WARN, "and %zu more problems", l->n_lost);
}

static void reload_say_plan(const struct plan *p)
{
    char line[RELOAD_LINE_MAX];
    for (size_t i = 0; i < p->n_changes; i++)
        reload_say(LOG_LEVEL_INFO, "reload: %s", plan_text(&p->changes[i], line, sizeof line));
    for (size_t i = 0; i < p->n_live; i++)
        reload_say(LOG_LEVEL_INFO, "reload: ~ %s", p->live[i]);
    for (size_t i = 0; i < p->n_later; i++)
        reload_say(LOG_LEVEL_WARN, "reload: ~ %s; this counts only when fosterd is started anew", p->later[i]);
    if (plan_is_empty(p))
        reload_say(LOG_LEVEL_INFO, "reload: only the order of services has changed");
}

/* What is in the way of a reload; RELOAD_OK: nothing. */
static enum reload_result reload_may(const struct engine *g)
{
    if (g->over || super_is_shutting_down(g->super) || BUG_IF(g->cli == NULL))
        return RELOAD_STOPPING;
    return super_is_replacing(g->super) ? RELOAD_BUSY : RELOAD_OK;
}

static size_t reload_count_units(const struct spec_set *set)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n_services; i++)
        n += (size_t)set->services[i].scale;
    return n;
}

static enum reload_result reload_put(struct engine *g, struct reload *r)
{
    int errnum;
    if (!slots_reserve(g, reload_count_units(r->set)) || !sockets_reserve(g, r->set))
        return RELOAD_NOMEM;
    if (!super_replace(g->super, r->set, sys_now_ms(), &errnum))
        return errnum == ENOMEM ? RELOAD_NOMEM : errnum == EBUSY ? RELOAD_BUSY : RELOAD_STOPPING;
    g->next_set = r->set;
    r->set = NULL;
    status_reloading(g);
    reload_say_plan(&r->plan);
    ownlog_setup(g->cli, &g->next_set->supervisor);
    engine_go_on(g);
    return RELOAD_OK;
}

/* Goes on with what has been read, or could not be. */
static enum reload_result reload_apply(struct engine *g, bool dry_run, struct reload *r)
{
    if (r->set == NULL)
        return RELOAD_REJECTED;
    if (!plan_make(&r->plan, g->set, r->set))
        return RELOAD_NOMEM;
    r->has_plan = true;
    if (dry_run)
        return RELOAD_OK;
    if (!spec_set_equal(g->set, r->set))
        return reload_put(g, r);
    reload_say(LOG_LEVEL_INFO, "reload: nothing has changed");
    return RELOAD_OK;
}

enum reload_result reload_file(struct engine *g, bool dry_run, struct reload *r)
{
    enum reload_result result = reload_may(g);
    if (result != RELOAD_OK)
        return result;
    r->set = openfile_again(g->cli, &r->problems);
    if (!dry_run)
        reload_say_problems(&r->problems);
    result = reload_apply(g, dry_run, r);
    if (!dry_run && result == RELOAD_REJECTED)
        reload_say(LOG_LEVEL_ERROR, "configuration rejected; nothing has changed");
    return result;
}

enum reload_result reload_join(struct engine *g, struct reload *r)
{
    if (g->next_set == NULL || reload_may(g) != RELOAD_BUSY)
        return RELOAD_BUSY;
    r->set = openfile_again(g->cli, &r->problems);
    if (r->set == NULL || !spec_set_equal(g->next_set, r->set))
        return RELOAD_BUSY;
    if (!plan_make(&r->plan, g->set, r->set))
        return RELOAD_NOMEM;
    r->has_plan = true;
    return RELOAD_OK;
}

enum reload_result reload_scale(struct engine *g, const char *service, int64_t n, struct reload *r)
{
    enum reload_result result = reload_may(g);
    if (result != RELOAD_OK)
        return result;
    r->set = spec_set_rescaled(g->set, service, n);
    if (r->set == NULL)
        return RELOAD_NOMEM;
    check_rescaled(&r->problems, r->set, spec_find(r->set, service));
    if (r->problems.n_errors == 0)
        return reload_apply(g, false, r);
    /* Nothing is wrong with the file. */
    for (size_t i = 0; i < r->problems.n; i++)
        r->problems.items[i].pos = (struct diag_pos){0};
    return RELOAD_REJECTED;
}

void reload_on_hup(struct engine *g)
{
    struct reload r = {0};
    status_reloading(g);
    switch (reload_file(g, false, &r)) {
    case RELOAD_OK:
    case RELOAD_REJECTED:
        break;
    case RELOAD_BUSY:
        g->reload_again = true;
        reload_say(LOG_LEVEL_INFO, "reload: another one is being carried out; the file is read again when it is done");
        break;
    case RELOAD_STOPPING:
        reload_say(LOG_LEVEL_INFO, "reload: SIGHUP is ignored, since everything is being stopped");
        break;
    case RELOAD_NOMEM:
        reload_say(LOG_LEVEL_ERROR, "reload: no memory; nothing has changed");
        break;
    }
    if (!super_is_replacing(g->super))
        status_reloaded(g);
    reload_done(&r);
}

void reload_go_on(struct engine *g)
{
    if (!g->reload_again || super_is_replacing(g->super))
        return;
    g->reload_again = false;
    reload_on_hup(g);
}

void reload_replaced(struct engine *g)
{
    if (BUG_IF(g->next_set == NULL))
        return;
    struct spec_set *old = g->set;
    g->set = g->next_set;
    g->next_set = NULL;
    (void)BUG_IF(!slots_sync(g));
    slots_measure(g);
    sockets_renew(g);
    cgroups_prepare(g);
    zombies_renew(g);
    spec_set_free(old);
    g->state_changed = true;
    if (g->control != NULL)
        g->control->unsettled = true;
    reload_say(LOG_LEVEL_INFO, "reload: the new configuration is in force");
    status_reloaded(g);
}

void reload_done(struct reload *r)
{
    diag_done(&r->problems);
    if (r->has_plan)
        plan_done(&r->plan);
    spec_set_free(r->set);
    *r = (struct reload){0};
}

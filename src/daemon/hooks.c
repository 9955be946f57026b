/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The commands around a run. See hooks.h.
 */
#include "daemon/hooks.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "daemon/helper.h"

#include <errno.h>
#include <stdio.h>

enum { HOOKS_VARS = 3, HOOKS_VAR_MAX = 64, HOOKS_WHAT_MAX = HELPER_TEXT_MAX - 48 };

struct hooks {
    uint64_t run;
    enum spec_hook_point point;
    char code_kind; /* how the main process has ended, as of struct effect */
    int code;
    size_t next;           /* the command behind the one that runs */
    struct helper *helper; /* the one that runs; NULL: none */
};

/* Variables for a command, with room for their texts. */
struct hooks_vars {
    char texts[HOOKS_VARS][HOOKS_VAR_MAX];
    const char *vars[HOOKS_VARS + 1];
};

static void hooks_put_vars(const struct engine_unit *u, struct hooks_vars *v)
{
    const struct hooks *h = u->hooks;
    const char *name = h->code_kind == 's' ? parse_signal_name(h->code) : NULL;
    size_t n = 0;
    snprintf(v->texts[n++], HOOKS_VAR_MAX, "FOSTER_HOOK=%s", spec_hook_point_name(h->point));
    if (u->main_pid > 0)
        snprintf(v->texts[n++], HOOKS_VAR_MAX, "FOSTER_MAIN_PID=%d", (int)u->main_pid);
    if (name != NULL)
        snprintf(v->texts[n++], HOOKS_VAR_MAX, "FOSTER_EXIT_SIGNAL=%s", name);
    else if (h->code_kind == 's')
        snprintf(v->texts[n++], HOOKS_VAR_MAX, "FOSTER_EXIT_SIGNAL=%d", h->code);
    else if (h->code_kind == 'e')
        snprintf(v->texts[n++], HOOKS_VAR_MAX, "FOSTER_EXIT_CODE=%d", h->code);
    v->vars[n] = NULL;
    while (n-- > 0)
        v->vars[n] = v->texts[n];
}

/* Says what became of the last command, "pre_start[2]: exited with code 1", into BUF. */
static void hooks_describe(const struct hooks *h, const char *what, char *buf, size_t size)
{
    snprintf(buf, size, "%s[%zu]: %.*s", spec_hook_point_name(h->point), h->next, HOOKS_WHAT_MAX, what);
}

/* Tells super; by then nothing is left of these commands, for the next ones may follow at once. */
static void hooks_tell(struct engine_unit *u, bool ok, const char *text)
{
    struct event ev = {.kind = EVENT_HOOKS_DONE,
                       .unit = u->index,
                       .run = u->hooks->run,
                       .hook = u->hooks->point,
                       .ok = ok,
                       .text = text};
    mem_free(u->hooks);
    u->hooks = NULL;
    engine_post(u->engine, &ev);
}

static void hooks_tell_failed(struct engine_unit *u, const char *what)
{
    char text[HELPER_TEXT_MAX];
    hooks_describe(u->hooks, what, text, sizeof text);
    hooks_tell(u, false, text);
}

static void hooks_go_on(struct engine_unit *u);

static void hooks_on_done(struct engine_unit *u, const struct helper_result *r, void *data)
{
    struct hooks *h = data;
    h->helper = NULL;
    if (!r->ok) {
        hooks_tell_failed(u, r->text);
        return;
    }
    char text[HELPER_TEXT_MAX];
    struct log_about about = {.service = u->name, .event = "hook", .run = h->run};
    hooks_describe(h, r->text, text, sizeof text);
    log_write(LOG_LEVEL_DEBUG, &about, "%s", text);
    hooks_go_on(u);
}

/* Starts the next command. A reload may have put other ones in their place meanwhile: then those follow. */
static void hooks_go_on(struct engine_unit *u)
{
    struct hooks *h = u->hooks;
    const struct spec_hooks *list = &u->spec->hooks[h->point];
    struct hooks_vars v;
    struct err e = {0};
    if (h->next >= list->n) {
        hooks_tell(u, true, NULL);
        return;
    }
    const struct spec_hook *hook = &list->items[h->next++];
    hooks_put_vars(u, &v);
    const struct helper_request req = {
        .what = spec_hook_point_name(h->point),
        .argv = hook->command.argv,
        .hook = hook,
        .vars = v.vars,
        .timeout_ms = hook->timeout_ms,
        .done = hooks_on_done,
        .data = h,
    };
    if (!helper_start(u, &req, &h->helper, &e))
        hooks_tell_failed(u, e.text);
}

void hooks_begin(struct engine_unit *u, const struct effect *f)
{
    if (BUG_IF(u->hooks != NULL))
        hooks_end(u);
    u->hooks = mem_alloc(sizeof *u->hooks);
    if (u->hooks == NULL) {
        struct event ev = {
            .kind = EVENT_HOOKS_DONE, .unit = u->index, .run = f->run, .hook = f->hook, .text = err_errno_text(ENOMEM)};
        engine_post(u->engine, &ev);
        return;
    }
    *u->hooks = (struct hooks){.run = f->run, .point = f->hook, .code_kind = f->code_kind, .code = f->code};
    /* The output of a start begins with what comes before its program. */
    if (f->hook == SPEC_HOOK_PRE_START)
        output_begin_run(u);
    hooks_go_on(u);
}

void hooks_end(struct engine_unit *u)
{
    if (u->hooks == NULL)
        return;
    helper_cancel(u->hooks->helper);
    mem_free(u->hooks);
    u->hooks = NULL;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The verbs that only look: a request, its result as a picture, an exit status.
 */
#include "ctl/run.h"
#include "ctl/text.h"

#include <string.h>

enum { LOOK_LINES = 10 };

static bool look_is_in(const json_t *service, const char *one, const char *other)
{
    const char *state = text_member(service, "state", "");
    return strcmp(state, one) == 0 || strcmp(state, other) == 0;
}

/* As LSB has it for `status`: what runs is fine, also where it runs under another name than it was asked for. */
static int look_status(const struct ctl *c, const json_t *result)
{
    const json_t *service;
    size_t i;
    if (c->args.n_operands == 0)
        return CTL_OK;
    json_array_foreach(json_object_get(result, "services"), i, service)
    {
        if (!look_is_in(service, "running", "ready"))
            return CTL_NOT_UP;
    }
    return CTL_OK;
}

/* Characters that no name has and every pattern needs. */
static bool look_is_pattern(const char *name)
{
    return strpbrk(name, "*?[") != NULL;
}

int run_ps(struct ctl *c)
{
    bool by_name = c->args.n_operands == 1 && !look_is_pattern(c->args.operands[0]);
    if (c->args.watch)
        return watch_run(c);
    json_t *params = json_pack("{s:o*, s:b, s:o*}", "services", ctl_services(c), "wide", c->args.wide || by_name,
                               "lines", by_name ? ctl_number(LOOK_LINES) : NULL);
    json_t *result = ctl_call(c, "status", params);
    if (result == NULL)
        return c->code;
    if (c->args.json)
        ctl_put_json(c, result, false);
    else if (by_name && json_array_size(json_object_get(result, "services")) == 1)
        view_service(&c->out, &c->view, result);
    else
        view_ps(&c->out, &c->view, result, c->args.wide);
    int status = look_status(c, result);
    json_decref(result);
    return status;
}

int run_tree(struct ctl *c)
{
    return ctl_show(c, "tree", json_pack("{s:o*}", "services", ctl_services(c)), view_tree);
}

int run_graph(struct ctl *c)
{
    return ctl_show(c, "graph", json_object(), c->args.dot ? view_dot : c->args.svg ? view_svg : view_graph);
}

int run_plot(struct ctl *c)
{
    return ctl_show(c, "timeline", json_pack("{s:o*}", "services", ctl_services(c)),
                    c->args.text ? view_plot_text : view_plot);
}

int run_doctor(struct ctl *c)
{
    return ctl_show(c, "doctor", json_object(), view_doctor);
}

static void look_yaml(struct buf *out, const struct view *v UNUSED, const json_t *result)
{
    buf_puts(out, text_member(result, "yaml", ""));
}

int run_config(struct ctl *c)
{
    return ctl_show(c, "config", json_object(), look_yaml);
}

static void look_names(struct buf *out, const struct view *v UNUSED, const json_t *result)
{
    const json_t *name;
    size_t i;
    json_array_foreach(json_object_get(result, "names"), i, name)
    {
        text_put(out, json_is_string(name) ? json_string_value(name) : "-", 0);
        buf_putc(out, '\n');
    }
}

int run_list(struct ctl *c)
{
    return ctl_show(c, "list", json_object(), look_names);
}

/* Whether nothing is the matter with it but that its schedule has not come round yet. */
static bool look_is_asleep(const json_t *service)
{
    return look_is_in(service, "waiting", "waiting") && json_is_string(json_object_get(service, "next_run"));
}

/* Well is what has come up, or has done its work, and has no health check that says otherwise. */
static bool look_is_well(const json_t *service)
{
    const char *health = text_member(service, "health", "-");
    return look_is_asleep(service) ||
           (look_is_in(service, "ready", "done") && (strcmp(health, "-") == 0 || strcmp(health, "healthy") == 0));
}

/* "failed: exited with code 1" says the state itself. */
static bool look_begins_with(const char *reason, const char *word)
{
    size_t n = strlen(word);
    return strncmp(reason, word, n) == 0 && reason[n] == ':';
}

/* What the last check of SERVICE came to, if there was one. */
static const char *look_check_text(const json_t *service)
{
    return text_member(json_object_get(service, "health_check"), "last_text", "");
}

static void look_put_ill(struct ctl *c, const json_t *service)
{
    const char *state = text_member(service, "state", "-"), *reason = text_member(service, "reason", "");
    enum text_color color = text_state_color(state);
    if (look_is_in(service, "ready", "done")) { /* so it is the health */
        bool is_known = strcmp(text_member(service, "health", "-"), "starting") != 0;
        state = is_known ? text_member(service, "health", "-") : "not known to be healthy yet";
        color = is_known ? TEXT_BAD : TEXT_BUSY;
        reason = look_check_text(service);
    }
    text_paint(&c->out, &c->view, TEXT_STRONG, text_member(service, "name", "-"), 0);
    buf_puts(&c->out, ": ");
    text_paint(&c->out, &c->view, color, state, 0);
    if (look_begins_with(reason, state))
        text_put(&c->out, reason + strlen(state), 0);
    else if (*reason != '\0') {
        buf_puts(&c->out, ": ");
        text_put(&c->out, reason, 0);
    }
    buf_putc(&c->out, '\n');
}

static void look_put_healthy(struct ctl *c, const json_t *service)
{
    text_paint(&c->out, &c->view, TEXT_STRONG, text_member(service, "name", "-"), 0);
    buf_puts(&c->out, ": ");
    text_paint(&c->out, &c->view, TEXT_GOOD, "healthy", 0);
    buf_puts(&c->out, ": ");
    text_put(&c->out, look_check_text(service), 0);
    buf_putc(&c->out, '\n');
}

/* Judges what is in RESULT and wanted, or was named; says who is not well unless that is not to be said. */
static bool look_judge(struct ctl *c, const json_t *result)
{
    bool mute = c->args.quiet || c->args.json, stopping = text_is_true(json_object_get(result, "daemon"), "stopping");
    const json_t *service;
    size_t i, n_well = 0, n_ill = 0;
    json_array_foreach(json_object_get(result, "services"), i, service)
    {
        if (c->args.n_operands == 0 && !text_is_true(service, "wanted"))
            continue;
        n_well += look_is_well(service);
        n_ill += !look_is_well(service);
        if (!mute && !look_is_well(service))
            look_put_ill(c, service);
        else if (!mute && *look_check_text(service) != '\0')
            look_put_healthy(c, service);
    }
    if (!mute && stopping)
        buf_puts(&c->out, "everything is being stopped\n");
    else if (!mute && n_ill == 0)
        buf_printf(&c->out, "all is well: %zu ready or done\n", n_well);
    return n_ill == 0 && !stopping;
}

int run_health(struct ctl *c)
{
    json_t *result = ctl_call(c, "status", json_pack("{s:o*}", "services", ctl_services(c)));
    if (result == NULL)
        return c->code;
    bool ok = look_judge(c, result);
    if (c->args.json) {
        json_t *said = json_pack("{s:b, s:O}", "ok", ok, "services", json_object_get(result, "services"));
        if (said != NULL)
            ctl_put_json(c, said, false);
        else
            c->out.failed = true;
        json_decref(said);
    }
    json_decref(result);
    return ok ? CTL_OK : CTL_NOT_UP;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Contradictions between keys of a service and between services. Each rule is one function.
 */
#include "core/check_impl.h"

#include "base/parse.h"
#include "base/runtime.h"
#include "core/graph.h"
#include "core/schema.h"

#include <string.h>

enum { MEM_LIMIT_MIN = 1 << 20 };
static const double cpus_min = 0.01;

static void check_command(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    (void)node;
    if (s->n_command == 0 && s->n_entrypoint == 0)
        diag_error(d, s->pos, "service `%s` has no `command`; write the program to run", s->name);
}

static void check_restart(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    const struct tree_node *map = tree_get(node, "restart");
    char delay[32], max_delay[32];

    if (!map || s->restart.max_delay_ms >= s->restart.delay_ms)
        return;
    diag_error(d, check_place(s, map, tree_get(map, "max_delay") ? "max_delay" : "delay"),
               "`max_delay` (%s) is below `delay` (%s); make it at least that",
               parse_duration_text(s->restart.max_delay_ms, max_delay, sizeof max_delay),
               parse_duration_text(s->restart.delay_ms, delay, sizeof delay));
}

static void check_pid_file(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    if (!s->pid_file)
        return;
    if (s->type == SPEC_TYPE_ONESHOT)
        diag_error(d, check_place(s, node, "pid_file"),
                   "`pid_file` on a oneshot, which leaves no daemon behind; remove one of the two");
    if (s->type == SPEC_TYPE_SIMPLE)
        diag_error(d, check_place(s, node, "pid_file"),
                   "`pid_file` with `type: simple`, which follows no daemon; remove it or write `type: auto`");
    if (s->scale > 1)
        diag_error(d, check_place(s, node, "pid_file"),
                   "%lld instances cannot share one `pid_file`; remove it or `scale`", (long long)s->scale);
}

static void check_stop(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    char waits[32], grace[32];
    int64_t sum = 0;

    for (size_t i = 0; i < s->n_stop_signal; i++)
        sum += s->stop_signal[i].wait_ms > 0 ? s->stop_signal[i].wait_ms : 0;
    if (sum > s->stop_grace_period_ms)
        diag_error(d, check_place(s, node, "stop_signal"),
                   "the steps of `stop_signal` wait %s, longer than `stop_grace_period` (%s); make that longer",
                   parse_duration_text(sum, waits, sizeof waits),
                   parse_duration_text(s->stop_grace_period_ms, grace, sizeof grace));
}

static bool meet(const uint64_t *a, const uint64_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] & b[i])
            return true;
    return false;
}

static void check_exits(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    const struct spec_exits *good = &s->success_exit_codes, *bad = &s->no_restart_exit_codes;

    if (meet(good->codes, bad->codes, ARRAY_LEN(good->codes)) ||
        meet(good->signals, bad->signals, ARRAY_LEN(good->signals)))
        diag_error(d, check_place(s, node, "no_restart_exit_codes"),
                   "an exit that is a success (`success_exit_codes`) is a failure here as well; remove it from one");
}

/* Whether one of LIST (NULL: none) is NAME. */
static bool has_name(char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

static void check_caps(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    for (char *const *name = s->cap_drop.names; name && *name; name++)
        if (has_name(s->cap_add.names, *name))
            diag_error(d, check_place(s, node, "cap_drop"),
                       "`%s` is in `cap_add` and in `cap_drop`; remove it from one", *name);
}

static void check_limits(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    char limit[32];

    if (s->mem_limit > 0 && s->mem_limit < MEM_LIMIT_MIN)
        diag_error(d, check_place(s, node, "mem_limit"),
                   "`mem_limit` is %s, too little for any program; write at least 1m, or 0 for no limit",
                   parse_size_text(s->mem_limit, limit, sizeof limit));
    if (s->cpus > 0 && s->cpus < cpus_min)
        diag_error(d, check_place(s, node, "cpus"),
                   "`cpus` is too little to be measured; write at least 0.01, or 0 for no limit");
}

void check_service(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    static void (*const rules[])(struct diag_list *, const struct spec *, const struct tree_node *) = {
        check_command, check_restart, check_pid_file, check_stop, check_exits,
        check_caps,    check_limits,  check_life,     check_log,
    };

    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        rules[i](d, s, node);
}

static void unknown_service(struct diag_list *d, const struct spec_set *set, const struct spec *s,
                            const struct spec_dep *dep)
{
    struct schema_guess g = {0};

    for (size_t i = 0; i < set->n_services; i++)
        if (&set->services[i] != s)
            schema_guess(&g, dep->service, set->services[i].name);
    if (g.name)
        diag_error(d, dep->pos, "`%s` depends on `%s`, which is no service; did you mean `%s`?", s->name, dep->service,
                   g.name);
    else
        diag_error(d, dep->pos, "`%s` depends on `%s`, which is no service; correct or remove it", s->name,
                   dep->service);
}

static void check_dep(struct diag_list *d, const struct spec_set *set, const struct spec *s, const struct spec_dep *dep)
{
    const struct spec *target = spec_find(set, dep->service);

    if (!target) {
        unknown_service(d, set, s, dep);
    } else if (target == s) {
        diag_error(d, dep->pos, "`%s` depends on itself; remove that", s->name);
    } else if (s->enabled && !target->enabled && dep->required) {
        diag_error(d, dep->pos,
                   "`%s` depends on `%s`, which is in no selected profile; select one, or write `required: false`",
                   s->name, dep->service);
    } else if ((dep->condition == SPEC_COND_COMPLETED || dep->condition == SPEC_COND_COMPLETED_OK) &&
               check_never_completes(target)) {
        diag_error(d, dep->pos,
                   "`%s` waits for `%s` to complete, which `restart: %s` never does; write on-failure or no", s->name,
                   dep->service, spec_restart_policy_name(target->restart.policy));
    } else if (dep->condition == SPEC_COND_HEALTHY && target->healthcheck.probe.kind == SPEC_PROBE_NONE) {
        diag_error(d, dep->pos,
                   "`%s` waits for `%s` to be healthy, which has no `healthcheck`; add one, or write service_ready",
                   s->name, dep->service);
    }
}

static void check_cycle(const char *path, const struct spec_dep *dep, void *data)
{
    diag_error(data, dep->pos, "the dependencies go in a circle: %s; remove one of them", path);
}

/* "web.2" is the second instance of "web", so no other service may be called that. */
static void check_instance_name(struct diag_list *d, const struct spec_set *set, const struct spec *s)
{
    char base[SPEC_NAME_MAX + 1] = "";
    const char *dot = strrchr(s->name, '.');
    const struct spec *other;
    int64_t number;

    if (!dot || !parse_int(dot + 1, &number) || (size_t)(dot - s->name) >= sizeof base)
        return;
    memcpy(base, s->name, (size_t)(dot - s->name));
    other = spec_find(set, base);
    if (other && other->scale > 1 && number >= 1 && number <= other->scale)
        diag_error(d, s->pos, "`%s` is also the name of an instance of `%s` (scale: %lld); rename one", s->name, base,
                   (long long)other->scale);
}

static void check_numbers(struct diag_list *d, const struct spec_set *set)
{
    int64_t units = 0;

    for (size_t i = 0; i < set->n_services; i++)
        units += set->services[i].scale;
    if (set->n_services > SPEC_SERVICES_MAX)
        diag_error(d, set->services[SPEC_SERVICES_MAX].pos, "more than %d services; split the configuration",
                   SPEC_SERVICES_MAX);
    if (units > SPEC_UNITS_MAX)
        diag_error(d, (struct diag_pos){0}, "%lld instances in all; at most %d, make `scale` smaller", (long long)units,
                   SPEC_UNITS_MAX);
}

/* Services of profiles that are not selected count: SET may not depend on what is selected. */
void check_exit_when(struct diag_list *d, const struct spec_set *set, struct diag_pos pos)
{
    if (set->supervisor.exit_when != SPEC_EXIT_ESSENTIAL)
        return;
    for (size_t i = 0; i < set->n_services; i++) {
        const struct spec *s = &set->services[i];
        if (s->essential || s->on_success == SPEC_END_SHUTDOWN || s->on_failure == SPEC_END_SHUTDOWN)
            return;
    }
    diag_error(d, pos, "no service is `essential`; mark one, or use idle or never");
}

void check_control(struct diag_list *d, const struct spec_supervisor *s, const struct tree_node *node)
{
    const struct tree_node *path = tree_get(node, "control"), *mode = tree_get(node, "control_mode");

    if (path && s->control && strlen(s->control) > RUNTIME_PATH_MAX)
        diag_error(d, path->pos, "`control` has %zu bytes; the path of a socket has at most %d, choose a shorter one",
                   strlen(s->control), RUNTIME_PATH_MAX);
    if (mode && s->control_mode != 0600 && s->control_mode != 0660)
        diag_error(d, mode->pos, "`control_mode` is %04o; write \"0600\" or \"0660\"", (unsigned)s->control_mode);
    if (mode && s->control_mode == 0660 && !tree_get(node, "control_group"))
        diag_warning(d, mode->pos, "`control_mode` 0660 is for a group, but there is none; name a `control_group`");
}

void check_set(struct diag_list *d, const struct spec_set *set)
{
    check_numbers(d, set);
    check_sockets(d, set);
    check_log_files(d, set);
    for (size_t i = 0; i < set->n_services; i++) {
        const struct spec *s = &set->services[i];
        check_instance_name(d, set, s);
        for (size_t k = 0; k < s->n_depends_on; k++)
            check_dep(d, set, s, &s->depends_on[k]);
    }
    if (!graph_cycles(set, check_cycle, d))
        diag_error(d, (struct diag_pos){0}, "no memory for the dependencies; make the configuration smaller");
}

void check_rescaled(struct diag_list *d, const struct spec_set *set, const struct spec *s)
{
    static const struct tree_node unwritten = {.kind = TREE_MAPPING};

    if (s->scale < 0 || s->scale > SPEC_SCALE_MAX) {
        diag_error(d, s->pos, "`%s` cannot have %lld instances; choose a number from 0 to %d", s->name,
                   (long long)s->scale, SPEC_SCALE_MAX);
        return;
    }
    check_service(d, s, &unwritten);
    check_set(d, set);
}

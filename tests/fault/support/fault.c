/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The stand-ins of all calls of calls.def, and the loop over them. The counts are in memory that is shared with
 * forked processes, so that calls between fork and exec are counted and refused as well.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fault/support/fault.h"

#include "unit/sys/kit.h"

#include <sys/mman.h>

enum { ERRNOS_MAX = 12, RULES_MAX = 8 };

static const struct {
    const char *name;
    int errnos[ERRNOS_MAX]; /* ends with 0 */
} calls[] = {
#define CALL(name, type, failed, parameters, arguments, ...) [FAULT_##name] = {#name, {__VA_ARGS__}},
#include "fault/support/calls.def"
};

static struct {
    struct fault_rule rules[RULES_MAX];
    size_t n_rules;
    pid_t owner;
    bool active;
    struct sys_kernel kernel;
} script;

/* Shared with forked processes. */
static struct {
    unsigned counts[FAULT_SIDE_N][FAULT_N];
    unsigned refused;
} * tally;

void fault_begin(const struct fault_rule *rules, size_t n_rules)
{
    if (tally == NULL) {
        tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(tally, MAP_FAILED);
    }
    memset(tally, 0, sizeof *tally);
    script.kernel = (struct sys_kernel){0};
    assert_true(n_rules <= RULES_MAX);
    for (size_t i = 0; i < n_rules; i++)
        script.rules[i] = rules[i];
    script.n_rules = n_rules;
    script.owner = getpid();
    script.active = true;
}

void fault_end(void)
{
    script.active = false;
}

unsigned fault_count(enum fault_side side, enum fault_call call)
{
    return tally->counts[side][call];
}

unsigned fault_refused(void)
{
    return tally->refused;
}

const char *fault_name(enum fault_call call)
{
    return calls[call].name;
}

static bool rule_covers(const struct fault_rule *r, enum fault_side side, enum fault_call call, unsigned nth)
{
    return r->side == side && r->call == call && (r->nth == nth || (r->later && r->nth < nth));
}

/* Counts CALL. Its errnum when it is to be refused, else 0. */
static int fault_next(enum fault_call call)
{
    if (!script.active)
        return 0;
    enum fault_side side = getpid() == script.owner ? FAULT_PARENT : FAULT_CHILD;
    unsigned nth = ++tally->counts[side][call];
    for (size_t i = 0; i < script.n_rules; i++) {
        const struct fault_rule *r = &script.rules[i];
        if (rule_covers(r, side, call, nth)) {
            tally->refused++;
            return r->errnum;
        }
    }
    return 0;
}

#define CALL(name, type, failed, parameters, arguments, ...)                                                           \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        int errnum = fault_next(FAULT_##name);                                                                         \
        if (errnum == 0)                                                                                               \
            return __real_##name arguments;                                                                            \
        if (errnum == FAULT_PRETEND)                                                                                   \
            return (type)0;                                                                                            \
        errno = errnum;                                                                                                \
        return failed;                                                                                                 \
    }
#define TRANSFER(name, type, failed, parameters, arguments, ...)                                                       \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        int errnum = fault_next(FAULT_##name);                                                                         \
        if (errnum == FAULT_SHORT && len > 1)                                                                          \
            len = 1;                                                                                                   \
        if (errnum <= 0)                                                                                               \
            return __real_##name arguments;                                                                            \
        errno = errnum;                                                                                                \
        return failed;                                                                                                 \
    }
#include "fault/support/calls.def"

struct sys_kernel *__wrap_sys_kernel(void);

/* Forgets with every script, as no program would want to. */
struct sys_kernel *__wrap_sys_kernel(void)
{
    return &script.kernel;
}

/* Runs OPERATION with RULE, unless that is NULL, and then the N_BASE rules BASE. */
static void fault_run(const struct fault_rule *base, size_t n_base, const struct fault_rule *rule,
                      fault_operation *operation, void *arg)
{
    struct fault_rule rules[RULES_MAX] = {0};
    size_t n = 0, n_fds = kit_count_fds();

    assert_true(n_base < RULES_MAX);
    if (rule != NULL)
        rules[n++] = *rule;
    for (size_t i = 0; i < n_base; i++)
        rules[n++] = base[i];
    fault_begin(rules, n);
    operation(arg, rule);
    if (rule != NULL)
        assert_true(fault_count(rule->side, rule->call) >= rule->nth);
    assert_int_equal(kit_count_fds(), n_fds);
    assert_true(kit_has_no_children());
    fault_end();
}

/* All errnos of one call, up to MAX_NTH of the N times that it is made. */
static void fault_each_of(const struct fault_rule *base, size_t n_base, const struct fault_rule *which, unsigned n,
                          fault_operation *operation, void *arg)
{
    struct fault_rule rule = *which;
    for (rule.nth = 1; rule.nth <= n; rule.nth++) {
        bool taken = false;
        for (size_t i = 0; i < n_base; i++)
            taken = taken || rule_covers(&base[i], rule.side, rule.call, rule.nth);
        for (const int *errnum = calls[rule.call].errnos; !taken && *errnum != 0; errnum++) {
            rule.errnum = *errnum;
            fault_run(base, n_base, &rule, operation, arg);
        }
    }
}

void fault_each(const struct fault_rule *base, size_t n_base, unsigned max_nth, fault_operation *operation, void *arg)
{
    unsigned counts[FAULT_SIDE_N][FAULT_N];

    fault_run(base, n_base, NULL, operation, arg);
    memcpy(counts, tally->counts, sizeof counts);
    for (int side = 0; side < FAULT_SIDE_N; side++) {
        for (int call = 0; call < FAULT_N; call++) {
            struct fault_rule which = {.side = (enum fault_side)side, .call = (enum fault_call)call};
            unsigned n = counts[side][call] < max_nth ? counts[side][call] : max_nth;
            fault_each_of(base, n_base, &which, n, operation, arg);
        }
    }
}

int fault_teardown(void **state UNUSED)
{
    for (size_t i = 0; script.active && i < script.n_rules; i++) {
        const struct fault_rule *r = &script.rules[i];
        print_error("in force: %s, call %u%s of %s: errno %d\n", r->side == FAULT_CHILD ? "child" : "parent", r->nth,
                    r->later ? " and later" : "", fault_name(r->call), r->errnum);
    }
    fault_end();
    return 0;
}

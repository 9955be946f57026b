/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The state table: fsm.def expanded into arrays, the names of what is in it, and the page that shows it.
 */
#include "core/fsm.h"

#define IN(name) FSM_BIT(UNIT_##name)

static const struct fsm_rule rules[UNIT_STATE_N][FSM_EVENT_N] = {
#define GO(state, event, act, next)  [UNIT_##state][FSM_##event] = {.action = FSM_##act, .to = (next)},
#define IGNORE(state, event, reason) [UNIT_##state][FSM_##event] = {.action = FSM_NOTHING, .why = (reason)},
#include "core/fsm.def"
};

static const unsigned predecessors[UNIT_STATE_N] = {
#define ENTER(state, from) [UNIT_##state] = (from),
#include "core/fsm.def"
};

static const char *const state_names[] = {
    [UNIT_STOPPED] = "stopped", [UNIT_WAITING] = "waiting",   [UNIT_STARTING] = "starting", [UNIT_RUNNING] = "running",
    [UNIT_READY] = "ready",     [UNIT_STOPPING] = "stopping", [UNIT_BACKOFF] = "backoff",   [UNIT_DONE] = "done",
    [UNIT_FAILED] = "failed",   [UNIT_SKIPPED] = "skipped",
};
static_assert(ARRAY_LEN(state_names) == UNIT_STATE_N, "every state has a name");

static const char *const event_names[] = {
    [FSM_WANT_UP] = "want up",
    [FSM_WANT_DOWN] = "want down",
    [FSM_RESTART] = "restart",
    [FSM_RESET] = "reset",
    [FSM_DEPS_MET] = "dependencies met",
    [FSM_DEPS_LOST] = "dependency lost",
    [FSM_SPAWNED] = "spawned",
    [FSM_SPAWN_FAILED] = "spawn failed",
    [FSM_EXEC_OK] = "exec ok",
    [FSM_EXEC_FAILED] = "exec failed",
    [FSM_MAIN_EXITED] = "main exited",
    [FSM_MAIN_PID] = "main pid",
    [FSM_READY] = "ready",
    [FSM_UNREADY] = "unready",
    [FSM_HEALTH] = "health",
    [FSM_WATCHDOG] = "watchdog",
    [FSM_HOOKS_DONE] = "hooks done",
    [FSM_EXTEND] = "extend",
    [FSM_MAIN_STOPPED] = "main suspended",
    [FSM_MAIN_CONTINUED] = "main resumed",
    [FSM_MEMBER_EXITED] = "member exited",
    [FSM_MEMBERS_GONE] = "members gone",
    [FSM_TIMER] = "timer",
    [FSM_KILL] = "kill",
};
static_assert(ARRAY_LEN(event_names) == FSM_EVENT_N, "every event has a name");

static const char *const action_names[] = {
    [FSM_BUG] = "bug",
    [FSM_NOTHING] = "nothing",
#define ACTION(name, sentence) [FSM_##name] = #name,
#include "core/fsm.def"
};
static_assert(ARRAY_LEN(action_names) == FSM_ACTION_N, "every action has a name");

static const char *const action_sentences[] = {
    [FSM_BUG] = "cannot happen",
    [FSM_NOTHING] = "nothing happens",
#define ACTION(name, sentence) [FSM_##name] = (sentence),
#include "core/fsm.def"
};
static_assert(ARRAY_LEN(action_sentences) == FSM_ACTION_N, "every action has a sentence");

const struct fsm_rule *fsm_rule(enum unit_state state, enum fsm_event event)
{
    static const struct fsm_rule none = {.action = FSM_BUG};

    if ((unsigned)state >= UNIT_STATE_N || (unsigned)event >= FSM_EVENT_N)
        return &none;
    return &rules[state][event];
}

bool fsm_may_enter(enum unit_state to, enum unit_state from)
{
    return (unsigned)to < UNIT_STATE_N && (predecessors[to] & FSM_BIT(from)) != 0;
}

const char *unit_state_name(enum unit_state v)
{
    return (unsigned)v < UNIT_STATE_N ? state_names[v] : "?";
}

const char *fsm_event_name(enum fsm_event v)
{
    return (unsigned)v < FSM_EVENT_N ? event_names[v] : "?";
}

const char *fsm_action_name(enum fsm_action v)
{
    return (unsigned)v < FSM_ACTION_N ? action_names[v] : "?";
}

const char *fsm_action_sentence(enum fsm_action v)
{
    return (unsigned)v < FSM_ACTION_N ? action_sentences[v] : "?";
}

/* Appends the names of the states in SET, separated by ", ". */
static void print_states(struct buf *out, unsigned set)
{
    const char *sep = "";

    for (unsigned v = 0; v < UNIT_STATE_N; v++) {
        if (!(set & FSM_BIT(v)))
            continue;
        buf_printf(out, "%s%s", sep, state_names[v]);
        sep = ", ";
    }
}

/* The states in which action A may leave a unit, over all its cells. */
static unsigned action_targets(enum fsm_action a)
{
    unsigned to = 0;

    for (unsigned state = 0; state < UNIT_STATE_N; state++)
        for (unsigned event = 0; event < FSM_EVENT_N; event++)
            if (rules[state][event].action == a)
                to |= rules[state][event].to;
    return to;
}

static void print_matrix(struct buf *out)
{
    buf_puts(out, "| event |");
    for (unsigned state = 0; state < UNIT_STATE_N; state++)
        buf_printf(out, " %s |", state_names[state]);
    buf_puts(out, "\n|---|");
    for (unsigned state = 0; state < UNIT_STATE_N; state++)
        buf_puts(out, "---|");
    buf_putc(out, '\n');
    for (unsigned event = 0; event < FSM_EVENT_N; event++) {
        buf_printf(out, "| %s |", event_names[event]);
        for (unsigned state = 0; state < UNIT_STATE_N; state++) {
            enum fsm_action a = rules[state][event].action;
            buf_printf(out, " %s |", a == FSM_BUG ? "" : a == FSM_NOTHING ? "·" : action_names[a]);
        }
        buf_putc(out, '\n');
    }
}

static void print_actions(struct buf *out)
{
    buf_puts(out, "\n## What is done\n\n| action | | may lead to |\n|---|---|---|\n");
    for (unsigned a = FSM_NOTHING + 1; a < FSM_ACTION_N; a++) {
        buf_printf(out, "| %s | %s | ", action_names[a], action_sentences[a]);
        print_states(out, action_targets((enum fsm_action)a));
        buf_puts(out, " |\n");
    }
}

static void print_entries(struct buf *out)
{
    buf_puts(out, "\n## How a state is entered\n\n| state | from |\n|---|---|\n");
    for (unsigned state = 0; state < UNIT_STATE_N; state++) {
        buf_printf(out, "| %s | ", state_names[state]);
        print_states(out, predecessors[state]);
        buf_puts(out, " |\n");
    }
}

static void print_ignored(struct buf *out)
{
    buf_puts(out, "\n## Why nothing happens\n\n| event | in | because |\n|---|---|---|\n");
    for (unsigned event = 0; event < FSM_EVENT_N; event++)
        for (unsigned state = 0; state < UNIT_STATE_N; state++)
            if (rules[state][event].action == FSM_NOTHING)
                buf_printf(out, "| %s | %s | %s |\n", event_names[event], state_names[state], rules[state][event].why);
}

bool fsm_print(struct buf *out)
{
    buf_puts(out,
             "# The life of a unit\n\n"
             "Generated from `include/core/fsm.def`; a test compares. A dot: nothing happens. An empty cell cannot\n"
             "happen: if it does, that is a bug, which is reported, and the unit ends in `failed`, which any state\n"
             "may then lead to.\n\n");
    print_matrix(out);
    print_actions(out);
    print_entries(out);
    print_ignored(out);
    return !out->failed;
}

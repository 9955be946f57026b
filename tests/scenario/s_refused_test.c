/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * S: fosterctl where it cannot do what it is asked for, and how it finds the fosterd that is meant.
 */
#include "scenario/support/fosterctl.h"

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char one[] = "name: shop\n"
                          "services:\n"
                          "  web: { command: '@ACTOR@ wait' }\n";

/** What a verb needs behind it. */
static const struct {
    const char *verb;
    const char *words[3];
} operands[] = {
    {"start", {"web"}},     {"stop", {"web"}},  {"restart", {"web"}}, {"signal", {"HUP", "web"}},
    {"wait", {"--for=up"}}, {"reset", {"web"}}, {"scale", {"web=1"}},
};

static const char *const verbs[] = {
#define VERB(id, name, aliases, operands, min, max, help) #name,
#include "ctl/verbs.def"
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

/** Runs VERB with what it needs at least; OPTION comes first. */
static struct command run_verb(struct scenario *s, const char *option, const char *verb)
{
    const char *words[COMMAND_WORDS_MAX] = {option, verb};
    for (size_t i = 0; i < sizeof(operands) / sizeof(operands[0]); i++) {
        for (size_t k = 0; !strcmp(operands[i].verb, verb) && k < 3; k++) {
            words[2 + k] = operands[i].words[k];
        }
    }
    return fosterctl_words(s, words);
}

static void s41_nobody_is_there(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    for (size_t i = 0; i < VERBS; i++) {
        fosterctl_check(s, run_verb(s, "-snone", verbs[i]), 4, "",
                        "fosterctl: nobody listens at none (No such file or directory); start fosterd, or *-s\n");
    }
    fosterctl_check(s, fosterctl_run(s, "FOSTER_SOCKET=none", "list", "--names"), 4, "", "");
    (void)scenario_write(s, "file", 0600, "");
    fosterctl_check(s, fosterctl_run(s, "-s", "file", "ps"), 4, "",
                    "fosterctl: nobody listens at file (*refused); *\n");
}

static void s42_where_it_is_looked_for(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(one);
    const char *path = scenario_path(s, "run/control.sock");
    char variable[256];
    (void)snprintf(variable, sizeof(variable), "FOSTER_SOCKET=%s", path);
    (void)scenario_wait(s, "settled", NULL);
    fosterctl_says(s, "web\n", "list");
    fosterctl_says(s, "web\n", "FOSTER_RUNTIME_DIR=", "list", "--socket", path);
    fosterctl_says(s, "web\n", "FOSTER_RUNTIME_DIR=", variable, "list");
    fosterctl_says(s, "web\n", "FOSTER_RUNTIME_DIR=", "-s", "run/control.sock", "list");
    fosterctl_says(s, "web\n", "FOSTER_SOCKET=none", "-s", path, "list");
    fosterctl_check(s, fosterctl_run(s, "FOSTER_SOCKET=none", "list"), 4, "", "fosterctl: nobody listens at none *\n");
    scenario_stop(s);
}

static void s43_wrong_command_lines(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(one);
    static const char *const lines[][4] = {
        {NULL},
        {"pps"},
        {"--frob", "ps"},
        {"ps", "--frob"},
        {"ps", "--color", "pink"},
        {"--timeout", "soon", "ps"},
        {"start"},
        {"stop", "web", "-t", "x"},
        {"reload", "--dry-run", "web"},
        {"signal", "HUP"},
        {"signal", "HUPP", "web"},
        {"wait", "web"},
        {"wait", "--for=good"},
        {"events", "-n", "-1"},
        {"scale", "web"},
        {"scale", "web=-1"},
        {"graph", "--dot", "--svg"},
        {"list", "web"},
        {"ps", "\xff"},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        fosterctl_check(s, fosterctl_words(s, lines[i]), 2, "", "fosterctl: *\n");
    }
    fosterctl_check(s, fosterctl_run(s, "ps", "--watch", "--json"), 2, "{\"error\":*}\n", "");
    fosterctl_check(s, fosterctl_run(s, "strat", "web"), 2, "",
                    "fosterctl: there is no verb strat; did you mean start?\n");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "stopping", NULL) == 0);
    scenario_stop(s);
}

static void s44_help_and_version(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    struct command all = fosterctl_run(s, "--help");
    fosterctl_check(s, all, 0, NULL, "");
    for (size_t i = 0; i < VERBS; i++) {
        char line[64], usage[64];
        (void)snprintf(line, sizeof(line), "\n  %s", verbs[i]);
        (void)snprintf(usage, sizeof(usage), "fosterctl %s", verbs[i]);
        struct command help = fosterctl_run(s, verbs[i], "--help");
        fosterctl_check(s, help, 0, NULL, "");
        scenario_check(s, strstr(all.out, line) != NULL && strstr(help.out, usage) != NULL);
    }
    fosterctl_check(s, fosterctl_run(s, "-V"), 0, "foster *.*.*\n", "");
}

/* Nothing that a suspended fosterd owes is waited for longer than was said; what waits for an outcome says "not yet".
 */
static void s45_no_answer_in_time(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(one);
    (void)scenario_wait(s, "settled", NULL);
    scenario_signal(s, SIGSTOP);
    fosterctl_check(s, fosterctl_run(s, "--timeout", "50ms", "ps"), 4, "", "fosterctl: *\n");
    fosterctl_check(s, fosterctl_run(s, "--timeout", "50ms", "health"), 4, "", "fosterctl: *\n");
    scenario_signal(s, SIGCONT);
    fosterctl_says(s, "web: ready\n", "wait", "--for=up", "web");
    scenario_stop(s);
}

static void s46_who_may_not_connect(void **state)
{
    (void)state;
    const uid_t nobody = 65534;
    struct scenario *s = scenario_start(one);
    (void)scenario_wait(s, "settled", NULL);
    struct command got;
    if (getuid()) {
        assert_int_equal(chmod(scenario_path(s, "run/control.sock"), 0), 0);
        got = fosterctl_run(s, "ps");
    } else {
        got = fosterctl_run_as(s, nobody, "ps");
    }
    fosterctl_check(s, got, 4, "",
                    "fosterctl: no permission to connect to @DIR@/run/control.sock (*); be the user *\n");
    scenario_stop(s);
}

static void s47_who_may_look_may_not_act(void **state)
{
    (void)state;
    const uid_t nobody = 65534;
    const struct group *group = getgrgid(nobody);
    char yaml[256];
    if (getuid() || !group) {
        scenario_skip("it takes root to be another user, and a name for group %d", (int)nobody);
    }
    (void)snprintf(yaml, sizeof(yaml), "supervisor: { control_group: %s }\n%s", group->gr_name, one);
    struct scenario *s = scenario_start(yaml);
    (void)scenario_wait(s, "settled", NULL);
    fosterctl_check(s, fosterctl_run_as(s, nobody, "health"), 0, "all is well: 1 ready or done\n", "");
    fosterctl_check(s, fosterctl_run_as(s, nobody, "stop", "web"), 4, "", "fosterctl: *not allowed*\n");
    fosterctl_check(s, fosterctl_run_as(s, nobody, "shutdown"), 4, "", "fosterctl: *not allowed*\n");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "stopping", NULL) == 0);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(s41_nobody_is_there),          SCENARIO(s42_where_it_is_looked_for), SCENARIO(s43_wrong_command_lines),
        SCENARIO(s44_help_and_version),         SCENARIO(s45_no_answer_in_time),      SCENARIO(s46_who_may_not_connect),
        SCENARIO(s47_who_may_look_may_not_act),
    };
    return SCENARIO_RUN("s_refused", tests);
}

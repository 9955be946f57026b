/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * `ps --watch` on a terminal and without one: it paints what is new, and leaves the terminal as it was.
 */
#include "unit/ctl/run_kit.h"

#include <termios.h>

#define SUBSCRIBE    "\"method\":\"subscribe\",\"params\":{\"follow\":true,\"states\":true}"
#define SUBSCRIBED   RESULT("{\"events\":[]}")
#define ASKS         STATUS("{\"wide\":false}")
#define HAPPENS      "{\"method\":\"event\",\"params\":{\"event\":\"ready\"}}\n"
#define TABLE(state) RESULT(SERVICES(SERVICE("web", state, "true")))

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

static const struct run_case pipes[] = {
    /* Two events at once are one more table. */
    {{"ps", "--watch"},
     {{SUBSCRIBE, SUBSCRIBED}, {ASKS, TABLE("starting") HAPPENS HAPPENS}, {ASKS, "!" TABLE("ready")}},
     4,
     "%ready",
     "%fosterd has ended the connection"},
    {{"ps", "--watch", "web"},
     {{"\"method\":\"subscribe\",\"params\":{\"services\":[\"web\"],\"follow\":true,\"states\":true}",
       ERROR("4", "there is no service web", "{}")}},
     4,
     NULL,
     "fosterctl: there is no service web\n"},
    {{"ps", "--watch"},
     {{SUBSCRIBE, SUBSCRIBED}, {ASKS, ERROR("-32603", "no memory", "null")}},
     1,
     NULL,
     "fosterctl: no memory\n"},
    {{"ps", "--watch", "--timeout", "1500ms"},
     {{SUBSCRIBE, SUBSCRIBED}, {ASKS, TABLE("ready")}},
     0,
     "%cmd-of-web",
     NULL},
};

static void tables_are_appended_to_a_pipe(void **state)
{
    static struct kit_run run;
    struct kit k;
    (void)state;
    RUN_CASES(pipes);
    kit_begin(&k, pipes[0].steps);
    kit_run(&k, pipes[0].words, &run);
    const char *second = strstr(run.out, "\n\nNAME");
    assert_non_null(second);
    assert_non_null(strstr(run.out, "starting"));
    assert_true(strstr(run.out, "starting") < second);
    assert_non_null(strstr(second, "ready"));
    assert_null(strchr(run.out, '\033'));
    kit_end(&k);
}

/** A terminal with fosterctl on it. */
struct terminal {
    struct kit k;
    int master, slave;
    struct termios before;
    pid_t pid;
    char seen[KIT_OUT_MAX];
    size_t n;
};

/* Nothing but the terminal says how large it is. */
static void sit_down(struct terminal *t, const struct kit_step *steps)
{
    static const char *const words[] = {"ps", "--watch", NULL};
    const struct winsize size = {.ws_row = 20, .ws_col = 70};
    unsetenv("COLUMNS");
    unsetenv("LINES");
    *t = (struct terminal){.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    assert_true(t->master >= 0);
    assert_int_equal(grantpt(t->master), 0);
    assert_int_equal(unlockpt(t->master), 0);
    t->slave = open(ptsname(t->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(t->slave >= 0);
    assert_int_equal(ioctl(t->slave, TIOCSWINSZ, &size), 0);
    assert_int_equal(tcgetattr(t->slave, &t->before), 0);
    kit_begin(&t->k, steps);
    t->pid = kit_fork(&t->k, words, (const int[]){t->slave, t->slave, t->slave}, true);
}

/* Waits until TEXT is on the screen, and forgets what is before its end. */
static void await_text(struct terminal *t, const char *text)
{
    const char *at;
    while ((at = strstr(t->seen, text)) == NULL) {
        struct pollfd p = {.fd = t->master, .events = POLLIN};
        if (poll(&p, 1, KIT_GUARD_S * 1000) <= 0 || !kit_read(t->master, t->seen, &t->n))
            fail_msg("never seen: %s; last: %s", text, t->seen);
    }
    at += strlen(text);
    t->n -= (size_t)(at - t->seen);
    memmove(t->seen, at, t->n + 1);
}

/* It has ended with STATUS, and all is as it was. */
static void stand_up(struct terminal *t, int status)
{
    int got;
    struct termios now;
    await_text(t, LEAVE);
    assert_int_equal(waitpid(t->pid, &got, 0), t->pid);
    assert_int_equal(got, status);
    assert_int_equal(tcgetattr(t->slave, &now), 0);
    assert_int_equal(now.c_lflag, t->before.c_lflag);
    assert_memory_equal(now.c_cc, t->before.c_cc, sizeof now.c_cc);
    close(t->slave);
    close(t->master);
    kit_end(&t->k);
}

static void type(const struct terminal *t, const char *keys)
{
    assert_int_equal(write(t->master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static const struct kit_step quiet[] = {{SUBSCRIBE, SUBSCRIBED}, {"*" ASKS, TABLE("ready")}, {NULL, NULL}};

static void keys_and_signals_end_it(void **state)
{
    static struct terminal t;
    static const struct {
        const char *keys; /* NULL: a signal */
        int signal, status;
    } cases[] = {{"q", 0, 0}, {"xQ", 0, 0}, {"\003", 0, 0}, {NULL, SIGTERM, SIGTERM}, {NULL, SIGHUP, SIGHUP}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        sit_down(&t, quiet);
        await_text(&t, ENTER);
        await_text(&t, "cmd-of-web");
        if (cases[i].keys != NULL)
            type(&t, cases[i].keys);
        else
            assert_int_equal(kill(t.pid, cases[i].signal), 0);
        stand_up(&t, cases[i].status);
    }
}

static void what_happens_is_painted_over(void **state)
{
    static const struct kit_step steps[] = {
        {SUBSCRIBE, SUBSCRIBED},
        {ASKS, TABLE("starting") HAPPENS},
        {"*" ASKS, TABLE("failed")},
        {NULL, NULL},
    };
    static struct terminal t;
    (void)state;
    sit_down(&t, steps);
    await_text(&t, "\033[H");
    await_text(&t, "starting");
    await_text(&t, "\033[J");
    await_text(&t, "\033[H");
    await_text(&t, "failed");
    type(&t, "q");
    stand_up(&t, 0);
}

/* Without an event, too: ages grow. */
static void time_passes_on_a_terminal(void **state)
{
    static struct terminal t;
    (void)state;
    sit_down(&t, quiet);
    for (int i = 0; i < 2; i++)
        await_text(&t, "cmd-of-web");
    type(&t, "q");
    stand_up(&t, 0);
}

static void a_small_screen_says_what_is_missing(void **state)
{
    static const struct kit_step steps[] = {
        {SUBSCRIBE, SUBSCRIBED},
        {"*" ASKS, RESULT(SERVICES(SERVICE("aa", "ready", "true") "," SERVICE("bb", "ready", "true") "," SERVICE(
                       "cc", "ready", "true")))},
        {NULL, NULL},
    };
    const struct winsize small = {.ws_row = 3, .ws_col = 70};
    static struct terminal t;
    (void)state;
    sit_down(&t, steps);
    await_text(&t, "cmd-of-cc");
    assert_int_equal(ioctl(t.master, TIOCSWINSZ, &small), 0);
    await_text(&t, "and 2 more\033[J");
    type(&t, "q");
    stand_up(&t, 0);
}

static void suspended_it_gives_the_terminal_back(void **state)
{
    static struct terminal t;
    struct termios now;
    int status;
    (void)state;
    sit_down(&t, quiet);
    await_text(&t, "cmd-of-web");
    type(&t, "\032");
    assert_int_equal(waitpid(t.pid, &status, WUNTRACED), t.pid);
    assert_true(WIFSTOPPED(status));
    await_text(&t, LEAVE);
    assert_int_equal(tcgetattr(t.slave, &now), 0);
    assert_int_equal(now.c_lflag, t.before.c_lflag);
    assert_int_equal(kill(t.pid, SIGCONT), 0);
    await_text(&t, ENTER);
    await_text(&t, "cmd-of-web");
    type(&t, "q");
    stand_up(&t, 0);
}

static void the_end_of_the_daemon_is_told_on_the_old_screen(void **state)
{
    static const struct kit_step steps[] = {{SUBSCRIBE, SUBSCRIBED}, {ASKS, "!" TABLE("ready")}, {NULL, NULL}};
    static struct terminal t;
    (void)state;
    sit_down(&t, steps);
    await_text(&t, ENTER);
    await_text(&t, LEAVE);
    await_text(&t, "fosterd has ended the connection");
    int status;
    assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
    assert_int_equal(WEXITSTATUS(status), 4);
    close(t.slave);
    close(t.master);
    kit_end(&t.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_appended_to_a_pipe),
        cmocka_unit_test(keys_and_signals_end_it),
        cmocka_unit_test(what_happens_is_painted_over),
        cmocka_unit_test(time_passes_on_a_terminal),
        cmocka_unit_test(a_small_screen_says_what_is_missing),
        cmocka_unit_test(suspended_it_gives_the_terminal_back),
        cmocka_unit_test(the_end_of_the_daemon_is_told_on_the_old_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * No signal is lost, however early it comes: many times, an init is started, sent a TERM at a random moment of its
 * first milliseconds, and must end by it.
 *
 *   early FORM WORD [pid1]
 *
 * WORD is an option, or "-" for none. In every other try, and always as process 1, for which the kernel throws away
 * what is not blocked, time counts from when the init has blocked TERM; only the command may die of it then.
 *
 * EARLY_TRIES sets how many times (the integration run has many), FOSTER_TEST_SEED the sequence of delays.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init/support/look.h"
#include "init/support/trial.h"
#include "support/seed.h"

/* As process 1 it is the same code once more, in a namespace that is made for each try: fewer are enough. */
enum { TRIES = 120, TRIES_PID1 = 40, DELAY_MAX_NS = 4000000, EX_SKIP = 77 };

/** How many ended by the witness's death, and how many because TERM came before the init could do anything about it. */
struct tally {
    long by_command;
    long by_init;
};

static bool blocks_term(const struct trial *t)
{
    return look_set(t->init, "SigBlk") >> (SIGTERM - 1) & 1;
}

static bool try_once(struct trial *t, bool blocked, long delay_ns, struct tally *tally)
{
    static const char *const command[] = {WITNESS, "pause", NULL};
    t->command = command;
    if (setjmp(t->failed)) {
        (void)fprintf(stderr, "TERM after %ld ns: %s\n", delay_ns, t->outcome);
        trial_done(t);
        return false;
    }
    trial_start(t);
    while (blocked && !blocks_term(t) && look_state(t->init) != 'Z') {
        (void)sched_yield();
    }
    (void)nanosleep(&(struct timespec){.tv_nsec = delay_ns}, NULL);
    trial_signal(t, SIGTERM);
    trial_wait_end(t);
    bool by_command = WIFEXITED(t->status) && WEXITSTATUS(t->status) == 128 + SIGTERM;
    bool by_init = !blocked && WIFSIGNALED(t->status) && WTERMSIG(t->status) == SIGTERM;
    tally->by_command += by_command;
    tally->by_init += by_init;
    if (!by_command && !by_init) {
        (void)fprintf(stderr, "TERM after %ld ns: wait status %#x\n", delay_ns, (unsigned)t->status);
    }
    trial_done(t);
    return by_command || by_init;
}

/** What EARLY_TRIES says, or USUAL; 0: nothing that makes sense. */
static long given_tries(long usual)
{
    const char *given = getenv("EARLY_TRIES");
    char *end = NULL;
    long tries = given ? strtol(given, &end, 10) : usual;
    return given && (end == given || *end || tries < 0) ? 0 : tries;
}

/** The form that is called NAME; FORM_N: none. */
static enum form form_named(const char *name)
{
    enum form form = 0;
    while (form < FORM_N && strcmp(trial_form_name(form), name) != 0) {
        form++;
    }
    return form;
}

/** What is tried. */
struct run {
    enum form form;
    const char *option;
    bool pid1;
    long tries;
};

static int try_often(void *data)
{
    static struct trial t;
    const struct run *run = data;
    struct tally tally = {0, 0};
    long failed = 0;
    uint64_t seed = test_seed();
    trial_process_setup();
    for (long i = 0; i < run->tries && failed < 3; i++) {
        t = (struct trial){.form = run->form, .options = run->option, .ours = true, .plain = true, .pid1 = run->pid1};
        t.pidfd = t.talk = t.gate = t.out = t.err = -1;
        failed += !try_once(&t, run->pid1 || i % 2 == 0, (long)test_rand_below(&seed, DELAY_MAX_NS), &tally);
    }
    printf("%ld ended by their command's death, %ld before they had one\n", tally.by_command, tally.by_init);
    return failed > 0 || tally.by_command == 0;
}

int main(int argc, char **argv)
{
    struct run run = {.form = argc > 2 ? form_named(argv[1]) : FORM_N, .pid1 = argc > 3};
    run.tries = given_tries(run.pid1 ? TRIES_PID1 : TRIES);
    if (run.form == FORM_N) {
        (void)fprintf(stderr, "usage: early FORM WORD [pid1]\n");
        return 2;
    }
    if (run.tries == 0) {
        (void)fprintf(stderr, "EARLY_TRIES=%s: it has to be a positive number\n", getenv("EARLY_TRIES"));
        return 1;
    }
    if (run.pid1 && !trial_can_pid1()) {
        printf("SKIP: no pid namespaces here\n");
        return EX_SKIP;
    }
    run.option = strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
    return trial_apart(try_often, &run);
}

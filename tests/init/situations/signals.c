/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What becomes of the signals that an init is sent.
 */
#include "init/situations/situations.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { MARKER = 64, LAST = 64 };

/** What a signal did. */
struct effect {
    uint64_t got; /**< signals that the witness got */
    bool stopped; /**< the init has stopped itself (as process 1, which cannot stop: its command) */
    bool ended;   /**< the init is no more */
};

static bool is_stopped(const struct trial *t)
{
    return look_state(t->pid1 ? t->child : t->init) == 'T';
}

/** Takes what the witness got by now into *E. */
static void take_got(struct trial *t, struct effect *e)
{
    const struct message *m;
    while ((m = trial_heard(t, t->child, "got "))) {
        e->got |= UINT64_C(1) << (strtol(m->text + 4, NULL, 10) - 1);
    }
}

static bool has_got(const struct effect *e, int sig)
{
    return e->got >> (sig - 1) & 1;
}

/** Sends the marker until the witness has got it. */
static void send_marker(struct trial *t, struct effect *e)
{
    struct effect seen = {0};
    trial_signal(t, MARKER);
    for (;;) {
        take_got(t, &seen);
        e->got |= seen.got;
        if (t->ended || has_got(&seen, MARKER)) {
            e->ended = t->ended;
            return;
        }
        if (!e->stopped && is_stopped(t)) {
            e->stopped = true;
            /* SIGCONT would throw away a SIGTSTP that has not been taken yet. */
            trial_until(t, look_pending(t->child) == 0 || look_state(t->child) == 'T');
            (void)kill(t->child, SIGCONT);
            (void)kill(t->init, SIGCONT);
        }
        trial_turn(t);
    }
}

/** Sends SIG to the init; the witness is catching. The marker has the highest number, so whoever has dealt with the
 * marker twice has dealt with SIG. */
static struct effect deliver(struct trial *t, int sig)
{
    struct effect e = {0};
    if (sig != MARKER) {
        trial_signal(t, sig);
        send_marker(t, &e);
    }
    if (!e.ended) {
        e.got &= ~(UINT64_C(1) << (MARKER - 1));
        send_marker(t, &e);
    }
    if (sig != MARKER) {
        e.got &= ~(UINT64_C(1) << (MARKER - 1));
    }
    if (e.stopped) {
        /* It was we who sent this one. */
        e.got &= ~(UINT64_C(1) << (SIGCONT - 1));
    }
    return e;
}

static void note_set(struct trial *t, const char *what, uint64_t set)
{
    char text[256];
    if (set) {
        trial_note(t, "%s %s", what, look_set_text(set, text, sizeof(text)));
    }
}

static void every_signal(struct trial *t, const struct situation *s)
{
    uint64_t passed = 0;
    uint64_t died = 0;
    uint64_t stopped = 0;
    uint64_t kept = 0;
    bool running = false;
    (void)s;
    t->plain = true;
    for (int sig = 1; sig <= LAST; sig++) {
        uint64_t bit = UINT64_C(1) << (sig - 1);
        if (sig == SIGKILL || sig == SIGSTOP) {
            continue;
        }
        if (!running) {
            running = trial_start_ready(t);
            trial_order(t, "catch");
        }
        struct effect e = deliver(t, sig);
        passed |= has_got(&e, sig) ? bit : 0;
        stopped |= e.stopped ? bit : 0;
        died |= e.ended ? bit : 0;
        kept |= e.got || e.ended || e.stopped ? 0 : bit;
        if (e.ended) {
            trial_done(t);
            running = false;
        }
    }
    note_set(t, "passes on", passed);
    note_set(t, "dies of", died);
    note_set(t, "stops itself at", stopped);
    note_set(t, "keeps", kept);
}

/** A second process in the command's group tells whether the group is told. */
static void who_is_told(struct trial *t, const struct situation *s)
{
    const struct message *told = NULL;
    (void)trial_start_ready(t);
    trial_tell(t, "leave");
    pid_t member = trial_expect(t, 0, "left")->from;
    (void)trial_expect(t, t->child, "done");
    trial_order(t, "catch");
    trial_signal(t, s->number);
    (void)trial_expect(t, t->child, "got");
    /* Command and group may be told one after the other. */
    (void)deliver(t, MARKER);
    (void)deliver(t, MARKER);
    (void)kill(member, TRIAL_PING);
    trial_until(t, trial_heard(t, member, "here") || (told = trial_heard(t, member, "told")));
    trial_note(t, told && strtol(told->text + 5, NULL, 10) == s->number ? "the command and its group"
                                                                        : "the command alone");
}

static void two_terms(struct trial *t, const struct situation *s)
{
    (void)s;
    (void)trial_start_ready(t);
    trial_order(t, "catch");
    for (int i = 0; i < 2; i++) {
        trial_signal(t, SIGTERM);
        trial_note(t, "%s", trial_expect(t, t->child, "got 15")->text);
    }
    trial_tell(t, "exit 3");
    trial_note_end(t);
}

/** What the stopped init is sent, it finds when it goes on. */
static void while_stopped(struct trial *t, const struct situation *s)
{
    (void)s;
    (void)trial_start_ready(t);
    trial_order(t, "catch");
    trial_signal(t, SIGSTOP);
    trial_until(t, look_state(t->init) == 'T');
    trial_signal(t, SIGTERM);
    trial_signal(t, SIGCONT);
    struct effect e = deliver(t, SIGUSR1);
    note_set(t, "got", e.got);
}

/** SIGKILL cannot be passed on. */
static void init_killed(struct trial *t, const struct situation *s)
{
    (void)trial_start_ready(t);
    trial_order(t, "catch");
    trial_signal(t, s->number);
    trial_note_end(t);
    (void)kill(t->child, TRIAL_PING);
    trial_until(t, trial_heard(t, t->child, "got") || !look_state(t->child) || look_state(t->child) == 'Z');
    trial_note(t, look_state(t->child) && look_state(t->child) != 'Z' ? "the command lives on" : "the command is gone");
}

/** A fault signal from outside. */
static void fault(struct trial *t, const struct situation *s)
{
    (void)trial_start_ready(t);
    trial_order(t, "catch");
    struct effect e = deliver(t, s->number);
    trial_note(t, e.ended ? "the init dies, its command lives on" : has_got(&e, s->number) ? "passed on" : "kept");
}

/** The init's parent ends. */
static void parent_ends(struct trial *t, const struct situation *s)
{
    struct effect e = {0};
    (void)s;
    t->below_parent = true;
    (void)trial_start_ready(t);
    trial_order(t, "catch");
    (void)kill(t->parent, SIGKILL);
    (void)waitpid(t->parent, NULL, 0);
    trial_until(t, look_parent(t->init) != t->parent);
    send_marker(t, &e);
    if (!e.ended) {
        send_marker(t, &e);
    }
    e.got &= ~(UINT64_C(1) << (MARKER - 1));
    note_set(t, "got", e.got);
    trial_note(t, e.ended ? "the init is gone" : "the init is there");
}

/** Options that may be refused; if not, the command ends with 3. */
static void bad_option(struct trial *t, const struct situation *s)
{
    static const char *const command[] = {WITNESS, "exit 3", NULL};
    (void)s;
    t->command = command;
    trial_start(t);
    trial_note_end(t);
}

static const struct situation rows[] = {
    /* Ours would kill the command after its grace period, since a TERM is among them. */
    {"each of the signals 1 to 64", {"", "", "", "--grace 1h"}, every_signal, 0, NULL, NULL, false},
    {"each of the signals 1 to 64, to the group (-g)",
     {"-g", NULL, "-g", "-g --grace 1h"},
     every_signal,
     0,
     NULL,
     NULL,
     false},
    {"each of the signals 1 to 64, single child (-c)", {NULL, "-c", NULL, NULL}, every_signal, 0, NULL, NULL, false},
    {"who is told of a TERM", EVERY(""), who_is_told, SIGTERM, NULL, NULL, false},
    {"who is told of a TERM (-g)", {"-g", NULL, "-g", "-g"}, who_is_told, SIGTERM, NULL, NULL, false},
    {"who is told of a TERM (-c)", {NULL, "-c", NULL, NULL}, who_is_told, SIGTERM, NULL, NULL, false},
    {"who is told of a TERM (--single-child)",
     {NULL, "--single-child", NULL, NULL},
     who_is_told,
     SIGTERM,
     NULL,
     NULL,
     false},
    {"who is told of a TERM, TINI_KILL_PROCESS_GROUP empty",
     {"", NULL, NULL, ""},
     who_is_told,
     SIGTERM,
     NULL,
     "TINI_KILL_PROCESS_GROUP=",
     false},
    {"who is told of a TERM, DUMB_INIT_SETSID=0",
     {NULL, "", NULL, NULL},
     who_is_told,
     SIGTERM,
     NULL,
     "DUMB_INIT_SETSID=0",
     false},
    {"who is told of a TERM, DUMB_INIT_SETSID=no",
     {NULL, "", NULL, NULL},
     who_is_told,
     SIGTERM,
     NULL,
     "DUMB_INIT_SETSID=no",
     false},
    {"who is told of a real-time signal (-g)", {"-g", "", "-g", "-g"}, who_is_told, 36, NULL, NULL, false},
    {"two TERMs", EVERY(""), two_terms, 0, NULL, NULL, false},
    {"TERM and CONT while the init is stopped", EVERY(""), while_stopped, 0, NULL, NULL, false},
    {"KILL to the init", EVERY(""), init_killed, SIGKILL, NULL, NULL, false},
    {"SEGV to the init", EVERY(""), fault, SIGSEGV, NULL, NULL, false},
    {"ABRT to the init", EVERY(""), fault, SIGABRT, NULL, NULL, false},
    {"the init's parent ends", EVERY(""), parent_ends, 0, NULL, NULL, false},
    {"the init's parent ends (-p SIGTERM)",
     {"-p SIGTERM", NULL, NULL, "-p SIGTERM"},
     parent_ends,
     0,
     NULL,
     NULL,
     false},
    {"the init's parent ends (-p SIGUSR1)",
     {"-p SIGUSR1", NULL, NULL, "-p SIGUSR1"},
     parent_ends,
     0,
     NULL,
     NULL,
     false},
    {"the init's parent ends (-p SIGKILL)",
     {"-p SIGKILL", NULL, NULL, "-p SIGKILL"},
     parent_ends,
     0,
     NULL,
     NULL,
     false},
    {"-p TERM", {"-p TERM", NULL, NULL, "-p TERM"}, bad_option, 0, NULL, NULL, false},
    {"-p 15", {"-p 15", NULL, NULL, "-p 15"}, bad_option, 0, NULL, NULL, false},
    {"-p SIGNONE", {"-p SIGNONE", NULL, NULL, "-p SIGNONE"}, bad_option, 0, NULL, NULL, false},
    {"as process 1: each of the signals 1 to 64", {"", "", "", "--grace 1h"}, every_signal, 0, NULL, NULL, true},
    {"as process 1: who is told of a TERM (-g)", {"-g", "", "-g", "-g"}, who_is_told, SIGTERM, NULL, NULL, true},
};

const struct room signals_room = ROOM("Signals", rows);

/** The signal NUMBER, rewritten. */
static void rewritten(struct trial *t, const struct situation *s)
{
    (void)trial_start_ready(t);
    trial_order(t, "catch");
    struct effect e = deliver(t, s->number);
    note_set(t, "got", e.got);
    trial_note(t, e.stopped ? "the init stops itself" : e.got ? "the init goes on" : "nothing arrives");
}

/** The signal that what is left in the command's group gets when that has ended. */
static void rewritten_end(struct trial *t, const struct situation *s)
{
    (void)trial_start_ready(t);
    trial_tell(t, "leave");
    pid_t left = trial_expect(t, 0, "left")->from;
    (void)trial_expect(t, t->child, "done");
    trial_tell(t, "exit %d", s->number);
    trial_note_end(t);
    trial_note_left(t, left);
}

#define DUMB(words)                                                                                                    \
    {                                                                                                                  \
        NULL, words, NULL, NULL                                                                                        \
    }

static const struct situation rewrites[] = {
    {"-r 15:2, a TERM", DUMB("-r 15:2"), rewritten, SIGTERM, NULL, NULL, false},
    {"--rewrite 15:2, a TERM", DUMB("--rewrite 15:2"), rewritten, SIGTERM, NULL, NULL, false},
    {"--rewrite=15:2, a TERM", DUMB("--rewrite=15:2"), rewritten, SIGTERM, NULL, NULL, false},
    {"-r 15:0, a TERM", DUMB("-r 15:0"), rewritten, SIGTERM, NULL, NULL, false},
    {"-r 15:2 -r 1:10, a HUP", DUMB("-r 15:2 -r 1:10"), rewritten, SIGHUP, NULL, NULL, false},
    {"-r 15:2 -r 15:3, a TERM", DUMB("-r 15:2 -r 15:3"), rewritten, SIGTERM, NULL, NULL, false},
    {"-c -r 15:2, a TERM", DUMB("-c -r 15:2"), rewritten, SIGTERM, NULL, NULL, false},
    {"-r 20:10, a TSTP", DUMB("-r 20:10"), rewritten, SIGTSTP, NULL, NULL, false},
    {"-r 20:0, a TSTP", DUMB("-r 20:0"), rewritten, SIGTSTP, NULL, NULL, false},
    {"-c, a TSTP", DUMB("-c"), rewritten, SIGTSTP, NULL, NULL, false},
    {"a TSTP", DUMB(""), rewritten, SIGTSTP, NULL, NULL, false},
    {"-r 15:10, exit 4 with a left-over in the group", DUMB("-r 15:10"), rewritten_end, 4, NULL, NULL, false},
    {"-r 15:0, exit 4 with a left-over in the group", DUMB("-r 15:0"), rewritten_end, 4, NULL, "FOSTER_INIT_GRACE=0",
     false},
    {"-r 0:15", DUMB("-r 0:15"), bad_option, 0, NULL, NULL, false},
    {"-r 32:15", DUMB("-r 32:15"), bad_option, 0, NULL, NULL, false},
    {"-r 15:32", DUMB("-r 15:32"), bad_option, 0, NULL, NULL, false},
    {"-r 15", DUMB("-r 15"), bad_option, 0, NULL, NULL, false},
    {"-r TERM:INT", DUMB("-r TERM:INT"), bad_option, 0, NULL, NULL, false},
    {"-r 15:2x", DUMB("-r 15:2x"), bad_option, 0, NULL, NULL, false},
    {"-r 15:-1", DUMB("-r 15:-1"), bad_option, 0, NULL, NULL, false},
};

const struct room rewrites_room = ROOM("dumb-init's rewriting", rewrites);

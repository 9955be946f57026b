/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Processes that the command leaves behind, and who takes care of them. Inits within inits.
 */
#include "init/situations/situations.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/** The witness leaves a process behind as TEXT says; its pid. */
static pid_t leave(struct trial *t, const char *text)
{
    (void)trial_start_ready(t);
    trial_tell(t, "leave %s", text);
    pid_t left = trial_expect(t, 0, "left")->from;
    (void)trial_expect(t, t->child, "done");
    return left;
}

/** The command ends. */
static void at_exit(struct trial *t, const struct situation *s)
{
    pid_t left = leave(t, s->text);
    trial_tell(t, "exit %d", s->number);
    trial_note_end(t);
    trial_note_left(t, left);
}

/** The command dies of a TERM to the init. */
static void at_term(struct trial *t, const struct situation *s)
{
    pid_t left = leave(t, s->text);
    trial_signal(t, SIGTERM);
    trial_note_end(t);
    trial_note_left(t, left);
}

/** A left-over, with the command alive, ends: is it reaped, and by whom? */
static void orphan(struct trial *t, const struct situation *s)
{
    char text[1024];
    pid_t left = leave(t, "session double");
    pid_t parent = look_parent(left);
    trial_note(t, "the orphan's parent is %s", parent == t->init ? "the init" : "the process above the init");
    (void)kill(left, SIGKILL);
    if (parent != t->init) {
        (void)waitpid(left, NULL, 0);
    }
    trial_until(t, !look_state(left));
    (void)trial_round(t);
    trial_tell(t, "exit %d", s->number);
    trial_note_end(t);
    if (s->text) {
        trial_note(t, "%s about reaping",
                   strstr(trial_written(t, 2, text, sizeof(text)), "eaped") ? "a word" : "no word");
    }
}

/** The path of FORM, the peer's or ours as the trial is. */
static const char *inner_path(struct trial *t, enum form form, char *buf, size_t size)
{
    if (t->ours) {
        (void)snprintf(buf, size, "%s/%s", INIT_NAMES_PLAIN, trial_form_name(form));
        return buf;
    }
    const char *peer = trial_peer_path(form);
    if (!peer) {
        trial_skip(t);
    }
    return peer;
}

/** The init's command is an init, too: the one whose number is NUMBER. A TERM, and a left-over that nobody but a
 * reaper finds. */
static void nested(struct trial *t, const struct situation *s)
{
    char path[256];
    const char *inner = inner_path(t, (enum form)s->number, path, sizeof(path));
    const char *const command[] = {inner, "--", WITNESS, NULL};
    t->command = command;
    t->plain = true;
    (void)trial_start_ready(t);
    trial_order(t, "catch");
    trial_signal(t, SIGTERM);
    trial_note(t, "%s", trial_expect(t, t->child, "got")->text);
    trial_tell(t, "exit %d", 11);
    trial_note_end(t);
}

#define GRACE    "FOSTER_INIT_GRACE=200ms"
#define NO_GRACE "FOSTER_INIT_GRACE=0"
#define OWN_GRACE                                                                                                      \
    {                                                                                                                  \
        "", "", "", "--grace 200ms"                                                                                    \
    }
#define OWN_NO_GRACE                                                                                                   \
    {                                                                                                                  \
        "", "", "", "--grace 0"                                                                                        \
    }
#define REAPER                                                                                                         \
    {                                                                                                                  \
        "-s", NULL, NULL, "-s"                                                                                         \
    }

static const struct situation rows[] = {
    {"exit 5, left: in the command's group", EVERY(""), at_exit, 5, "", NULL, false},
    {"exit 5, left: in a group of its own", EVERY(""), at_exit, 5, "group", NULL, false},
    {"exit 5, left: in a session of its own", EVERY(""), at_exit, 5, "session", NULL, false},
    {"exit 5, left: a daemon (session, double fork)", EVERY(""), at_exit, 5, "session double", NULL, false},
    {"exit 5, left: a daemon (-s)", REAPER, at_exit, 5, "session double", NULL, false},
    {"exit 5, left: a daemon (TINI_SUBREAPER empty)",
     {"", NULL, NULL, ""},
     at_exit,
     5,
     "session double",
     "TINI_SUBREAPER=",
     false},
    {"exit 5, left: a daemon (-g)", {"-g", NULL, "-g", "-g"}, at_exit, 5, "session double", NULL, false},
    {"exit 5, left: a daemon (-c)", {NULL, "-c", NULL, NULL}, at_exit, 5, "session double", NULL, false},
    {"exit 5, left: one that ignores TERM, grace 200 ms", OWN_GRACE, at_exit, 5, "session stubborn", GRACE, false},
    {"exit 5, left: in the command's group, grace 0", OWN_NO_GRACE, at_exit, 5, "", NO_GRACE, false},
    {"exit 5, left: in a session of its own, grace 0", OWN_NO_GRACE, at_exit, 5, "session", NO_GRACE, false},
    {"exit 5, left: in the command's group (-c), grace 0", {NULL, "-c", NULL, NULL}, at_exit, 5, "", NO_GRACE, false},
    {"TERM, left: in the command's group", EVERY(""), at_term, 0, "", NULL, false},
    {"TERM, left: in the command's group (-g)", {"-g", NULL, "-g", "-g"}, at_term, 0, "", NULL, false},
    {"TERM, left: in the command's group (-c)", {NULL, "-c", NULL, NULL}, at_term, 0, "", NULL, false},
    {"TERM, left: in a session of its own", EVERY(""), at_term, 0, "session", NULL, false},
    {"TERM, left: a daemon", EVERY(""), at_term, 0, "session double", NULL, false},
    {"TERM, left: a daemon (-g)", {"-g", NULL, "-g", "-g"}, at_term, 0, "session double", NULL, false},
    {"TERM, left: one that ignores TERM, grace 200 ms", OWN_GRACE, at_term, 0, "session stubborn", GRACE, false},
    {"TERM, left: in a session of its own, grace 0", OWN_NO_GRACE, at_term, 0, "session", NO_GRACE, false},
    {"an orphan while the command runs", EVERY(""), orphan, 6, NULL, NULL, false},
    {"an orphan while the command runs (-s)", REAPER, orphan, 6, NULL, NULL, false},
    {"an orphan while the command runs (-s -w)", {"-s -w", NULL, NULL, "-s -w"}, orphan, 6, "", NULL, false},
    {"a tini inside", EVERY(""), nested, FORM_TINI, NULL, NULL, false},
    {"a dumb-init inside", EVERY(""), nested, FORM_DUMB_INIT, NULL, NULL, false},
    {"a catatonit inside", EVERY(""), nested, FORM_CATATONIT, NULL, NULL, false},
    {"as process 1: exit 5, left: in the command's group", EVERY(""), at_exit, 5, "", NULL, true},
    {"as process 1: exit 5, left: a daemon", EVERY(""), at_exit, 5, "session double", NULL, true},
    {"as process 1: TERM, left: a daemon", EVERY(""), at_term, 0, "session double", NULL, true},
    {"as process 1: an orphan while the command runs", EVERY(""), orphan, 6, NULL, NULL, true},
    {"as process 1: a dumb-init inside", EVERY(""), nested, FORM_DUMB_INIT, NULL, NULL, true},
};

const struct room leftovers_room = ROOM("What the command leaves behind", rows);

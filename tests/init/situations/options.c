/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is said, on which stream, and which words on the command line are whose.
 */
#include "init/situations/situations.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_ROOM = 4096 };

/** By what a kind of message is known: a number stands between the two texts, or nothing. */
struct kind {
    const char *before;
    const char *after;
};

static const struct kind kinds[] = {
    {"[FATAL tini (", ")]"},
    {"[WARN  tini (", ")]"},
    {"[INFO  tini (", ")]"},
    {"[DEBUG tini (", ")]"},
    {"[TRACE tini (", ")]"},
    {"[dumb-init]", ""},
    {"ERROR (catatonit:", ")"},
    {"WARN (catatonit:", ")"},
    {"INFO (catatonit:", ")"},
    {"DEBUG (catatonit:", ")"},
    {"fosterd:", ""},
    {"invalid option", ""},
    {"unrecognized option", ""},
    {"Usage:", ""},
    {"usage:", ""},
};

static bool has_kind(const char *text, const struct kind *kind)
{
    while ((text = strstr(text, kind->before))) {
        text += strlen(kind->before);
        const char *after = text + strspn(text, "0123456789");
        if (!strncmp(after, kind->after, strlen(kind->after))) {
            return true;
        }
    }
    return false;
}

/** Whether something was written to FD, and which kinds of messages. Two processes may have written at the same time:
 * neither the order of lines nor where one begins is certain. */
static void note_stream(struct trial *t, int fd, const char *what)
{
    char text[TEXT_ROOM];
    char list[OUTCOME_MAX] = "";
    size_t n = 0;
    if (!*trial_written(t, fd, text, sizeof(text))) {
        trial_note(t, "no %s", what);
        return;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct kind *kind = &kinds[i];
        if (has_kind(text, kind)) {
            n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s%s%s", n ? ", " : ": ", kind->before,
                                  *kind->after ? "PID" : "", kind->after);
        }
    }
    trial_note(t, "%s%s", what, list);
}

static void note_streams(struct trial *t)
{
    note_stream(t, 1, "output");
    note_stream(t, 2, "errors");
}

/** The words in OPTIONS are the whole command line. */
static void alone(struct trial *t, const struct situation *s)
{
    static const char *const nothing[] = {NULL};
    t->command = nothing;
    t->no_dashes = true;
    t->called = s->text;
    trial_start(t);
    trial_note_end(t);
    note_streams(t);
}

/** The same, and the first line of what it says. */
static void first_line(struct trial *t, const struct situation *s)
{
    char text[TEXT_ROOM];
    alone(t, s);
    for (int fd = 1; fd <= 2; fd++) {
        (void)trial_written(t, fd, text, sizeof(text));
        if (*text) {
            trial_note(t, "\"%.*s\"", (int)strcspn(text, "\n"), text);
        }
    }
}

/** Options before the command TEXT, or before one that ends with 3. */
static void before_command(struct trial *t, const struct situation *s)
{
    const char *const command[] = {s->text ? s->text : WITNESS, "exit 3", NULL};
    t->command = command;
    t->no_dashes = s->number;
    trial_start(t);
    trial_note_end(t);
    note_streams(t);
}

/** What the init says about a life of its command with a signal in it. */
static void talk(struct trial *t, const struct situation *s)
{
    (void)s;
    (void)trial_start_ready(t);
    (void)trial_round(t);
    trial_tell(t, "exit 3");
    trial_note_end(t);
    note_streams(t);
}

/** The init without a command; NUMBER ends it. */
static void pause_mode(struct trial *t, const struct situation *s)
{
    static const char *const nothing[] = {NULL};
    uint64_t bit = UINT64_C(1) << (SIGTERM - 1);
    t->command = nothing;
    t->no_dashes = true;
    trial_start(t);
    trial_until(t, t->ended || (look_state(t->init) == 'S' &&
                                (look_set(t->init, "SigBlk") & bit || look_set(t->init, "SigCgt") & bit)));
    trial_signal(t, s->number);
    trial_note_end(t);
}

#define TINI(words)                                                                                                    \
    {                                                                                                                  \
        words, NULL, NULL, NULL                                                                                        \
    }
#define OURS(words)                                                                                                    \
    {                                                                                                                  \
        words, NULL, NULL, words                                                                                       \
    }
#define DUMB(words)                                                                                                    \
    {                                                                                                                  \
        NULL, words, NULL, NULL                                                                                        \
    }
#define CATATONIT(words)                                                                                               \
    {                                                                                                                  \
        NULL, NULL, words, NULL                                                                                        \
    }
#define PEERS(words)                                                                                                   \
    {                                                                                                                  \
        words, words, words, NULL                                                                                      \
    }

static const struct situation rows[] = {
    {"--version", PEERS("--version"), first_line, 0, NULL, NULL, false},
    {"--version, called docker-init", TINI("--version"), first_line, 0, "docker-init", NULL, false},
    {"-V", {NULL, "-V", "-V", NULL}, first_line, 0, NULL, NULL, false},
    {"--version and a command", PEERS("--version"), before_command, 1, NULL, NULL, false},
    {"-h", PEERS("-h"), alone, 0, NULL, NULL, false},
    {"--help", PEERS("--help"), alone, 0, NULL, NULL, false},
    {"-l", TINI("-l"), alone, 0, NULL, NULL, false},
    {"-L", CATATONIT("-L"), alone, 0, NULL, NULL, false},
    {"no command", PEERS(""), alone, 0, NULL, NULL, false},
    {"-- and no command", EVERY("--"), alone, 0, NULL, NULL, false},
    {"-z", EVERY("-z"), before_command, 0, NULL, NULL, false},
    {"--bogus", EVERY("--bogus"), before_command, 0, NULL, NULL, false},
    {"-p and no argument", TINI("-p"), alone, 0, NULL, NULL, false},
    {"ls -l without --", PEERS("ls -l /dev/null"), alone, 0, NULL, NULL, false},
    {"ls -l without --, POSIXLY_CORRECT", PEERS("ls -l /dev/null"), alone, 0, NULL, "POSIXLY_CORRECT=1", false},
    {"a command without options", EVERY(""), before_command, 0, NULL, NULL, false},
    {"a command without --", PEERS(""), before_command, 1, NULL, NULL, false},
    {"a command that does not exist", EVERY(""), before_command, 0, "/foster/no/such/program", NULL, false},
    {"-sg", OURS("-sg"), before_command, 0, NULL, NULL, false},
    {"-e7 -e 3", OURS("-e7 -e 3"), before_command, 0, NULL, NULL, false},
    {"-v", {"-v", "-v", NULL, "-v"}, talk, 0, NULL, NULL, false},
    {"-vv", {"-vv", NULL, NULL, "-vv"}, talk, 0, NULL, NULL, false},
    {"-vvv", {"-vvv", NULL, NULL, "-vvv"}, talk, 0, NULL, NULL, false},
    {"-v -v -v -v -v", OURS("-v -v -v -v -v"), talk, 0, NULL, NULL, false},
    {"nothing said of itself", {"-s", "", "", "-s"}, talk, 0, NULL, NULL, false},
    {"no -s, not process 1", OURS(""), talk, 0, NULL, NULL, false},
    {"TINI_VERBOSITY=3", OURS(""), talk, 0, NULL, "TINI_VERBOSITY=3", false},
    {"TINI_VERBOSITY=0", OURS(""), talk, 0, NULL, "TINI_VERBOSITY=0", false},
    {"TINI_VERBOSITY=0 and -vvv", OURS("-vvv"), talk, 0, NULL, "TINI_VERBOSITY=0", false},
    {"TINI_VERBOSITY=x", OURS("-s"), talk, 0, NULL, "TINI_VERBOSITY=x", false},
    {"--verbose", DUMB("--verbose"), talk, 0, NULL, NULL, false},
    {"--verb", DUMB("--verb"), talk, 0, NULL, NULL, false},
    {"DUMB_INIT_DEBUG=1", DUMB(""), talk, 0, NULL, "DUMB_INIT_DEBUG=1", false},
    {"DUMB_INIT_DEBUG=0", DUMB(""), talk, 0, NULL, "DUMB_INIT_DEBUG=0", false},
    {"DUMB_INIT_DEBUG=true", DUMB(""), talk, 0, NULL, "DUMB_INIT_DEBUG=true", false},
    {"CATATONIT_DEBUG=", CATATONIT(""), talk, 0, NULL, "CATATONIT_DEBUG=", false},
    {"CATATONIT_LOG=x", CATATONIT(""), before_command, 0, NULL, "CATATONIT_LOG=x", false},
    {"-P and a TERM", CATATONIT("-P"), pause_mode, SIGTERM, NULL, NULL, false},
    {"-P and an INT", CATATONIT("-P"), pause_mode, SIGINT, NULL, NULL, false},
    {"as process 1: -P and a TERM", CATATONIT("-P"), pause_mode, SIGTERM, NULL, NULL, true},
    {"as process 1: nothing said of itself", EVERY(""), talk, 0, NULL, NULL, true},
};

const struct room options_room = ROOM("Options and what is said", rows);

const struct room *const compare_rooms[] = {&exits_room,     &signals_room,   &rewrites_room,
                                            &inherited_room, &leftovers_room, &terminal_room,
                                            &early_room,     &options_room,   NULL};

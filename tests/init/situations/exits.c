/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How the command ends or cannot begin, and what the init makes of it.
 */
#include "init/situations/situations.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/** Runs one more init in the same trial, with the witness doing ORDER. Its wait status. */
static int run_again(struct trial *t, const char *order)
{
    const char *const command[] = {WITNESS, order, NULL};
    t->command = command;
    t->plain = true;
    trial_start(t);
    trial_wait_end(t);
    trial_done(t);
    return t->status;
}

/** Whether the code or signal N is tried: each for our own form, for the others those with one bit, or all bits up to
 * one, unless there is time for all. */
static bool is_tried(const struct trial *t, int n)
{
    return (t->ours && t->form == FORM_FOSTERD) || (n & (n - 1)) == 0 || (n & (n + 1)) == 0 ||
           getenv("FOSTER_TEST_THOROUGH");
}

static void every_code(struct trial *t, const struct situation *s)
{
    (void)s;
    for (int code = 0; code <= 255; code++) {
        char order[32];
        if (!is_tried(t, code)) {
            continue;
        }
        (void)snprintf(order, sizeof(order), "exit %d", code);
        int status = run_again(t, order);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != code) {
            trial_note(t, "status %#x for code %d", (unsigned)status, code);
        }
    }
    if (!*t->outcome) {
        trial_note(t, "the same code");
    }
}

static void every_death(struct trial *t, const struct situation *s)
{
    (void)s;
    for (int sig = 1; sig <= 64; sig++) {
        char order[32];
        if (!is_tried(t, sig) || sig == SIGCHLD || sig == SIGCONT || sig == SIGURG || sig == SIGWINCH ||
            sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) {
            continue;
        }
        (void)snprintf(order, sizeof(order), "kill %d", sig);
        int status = run_again(t, order);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 128 + sig) {
            trial_note(t, "status %#x for signal %d", (unsigned)status, sig);
        }
    }
    if (!*t->outcome) {
        trial_note(t, "128+n");
    }
}

/** The witness ends with the code in NUMBER. */
static void ends_with(struct trial *t, const struct situation *s)
{
    if (trial_start_ready(t)) {
        trial_tell(t, "exit %d", s->number);
    }
    trial_note_end(t);
}

static void ends_by_term(struct trial *t, const struct situation *s)
{
    (void)s;
    if (trial_start_ready(t)) {
        trial_signal(t, SIGTERM);
    }
    trial_note_end(t);
}

/** A command line that cannot become a process. */
static void cannot_run(struct trial *t, const struct situation *s)
{
    const char *const command[] = {s->text, NULL};
    t->command = command;
    trial_start(t);
    trial_note_end(t);
}

/** A file made for the trial. */
static void cannot_run_file(struct trial *t, const struct situation *s)
{
    const char *path = trial_scratch(t);
    const char *const command[] = {path, NULL};
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, s->text, strlen(s->text)) != (ssize_t)strlen(s->text) || fchmod(fd, (mode_t)s->number)) {
        trial_fail(t, "%s: %s", path, strerror(errno));
    }
    (void)close(fd);
    t->command = command;
    trial_start(t);
    trial_note_end(t);
}

/** A symbolic link that leads to itself. */
static void cannot_run_loop(struct trial *t, const struct situation *s)
{
    const char *path = trial_scratch(t);
    const char *const command[] = {path, NULL};
    (void)s;
    if (symlink(path, path)) {
        trial_fail(t, "symlink: %s", strerror(errno));
    }
    t->command = command;
    trial_start(t);
    trial_note_end(t);
}

/** TEXT is found, or not, without PATH. */
static void without_path(struct trial *t, const struct situation *s)
{
    const char *const command[] = {s->text, NULL};
    t->command = command;
    t->no_path = true;
    trial_start(t);
    trial_note_end(t);
}

static void burst(struct trial *t, const struct situation *s)
{
    if (trial_start_ready(t)) {
        trial_tell(t, "burst 50 %d", s->number);
    }
    trial_note_end(t);
}

/** The command stops, and is continued by somebody else, before it ends. */
static void stops_before(struct trial *t, const struct situation *s)
{
    (void)trial_start_ready(t);
    trial_tell(t, "stop");
    trial_until(t, look_state(t->child) == 'T');
    if (trial_round(t)) {
        trial_note(t, "waits");
        (void)kill(t->child, SIGCONT);
        (void)trial_expect(t, t->child, "done");
        trial_tell(t, "exit %d", s->number);
    }
    trial_note_end(t);
}

/** The command ends while the init is stopped. */
static void ends_unseen(struct trial *t, const struct situation *s)
{
    (void)trial_start_ready(t);
    trial_signal(t, SIGSTOP);
    trial_until(t, look_state(t->init) == 'T');
    trial_tell(t, "exit %d", s->number);
    trial_until(t, look_state(t->child) == 'Z');
    trial_signal(t, SIGCONT);
    trial_note_end(t);
}

static const struct situation rows[] = {
    {"exit codes 0 to 255", EVERY(""), every_code, 0, NULL, NULL, false},
    {"the command is killed by each signal", EVERY(""), every_death, 0, NULL, NULL, false},
    {"the command dies of a TERM", EVERY(""), ends_by_term, 0, NULL, NULL, false},
    {"-e 143 and a TERM", {"-e 143", NULL, NULL, "-e 143"}, ends_by_term, 0, NULL, NULL, false},
    {"-e 7 and -e 9, exit 9", {"-e 7 -e 9", NULL, NULL, "-e 7 -e 9"}, ends_with, 9, NULL, NULL, false},
    {"-e 7 and -e 9, exit 8", {"-e 7 -e 9", NULL, NULL, "-e 7 -e 9"}, ends_with, 8, NULL, NULL, false},
    {"-e 0, exit 0", {"-e 0", NULL, NULL, "-e 0"}, ends_with, 0, NULL, NULL, false},
    {"-e 255, exit 255", {"-e 255", NULL, NULL, "-e 255"}, ends_with, 255, NULL, NULL, false},
    {"-e 256", {"-e 256", NULL, NULL, "-e 256"}, ends_with, 0, NULL, NULL, false},
    {"-e -1", {"-e -1", NULL, NULL, "-e -1"}, ends_with, 0, NULL, NULL, false},
    {"-e x", {"-e x", NULL, NULL, "-e x"}, ends_with, 0, NULL, NULL, false},
    {"a program that does not exist", EVERY(""), cannot_run, 0, "foster-no-such-program", NULL, false},
    {"a path that does not exist", EVERY(""), cannot_run, 0, "/foster/no/such/program", NULL, false},
    {"a path below a file", EVERY(""), cannot_run, 0, "/etc/passwd/x", NULL, false},
    {"a directory", EVERY(""), cannot_run, 0, "/tmp", NULL, false},
    {"the empty word", EVERY(""), cannot_run, 0, "", NULL, false},
    {"a link to itself", EVERY(""), cannot_run_loop, 0, NULL, NULL, false},
    {"a file that is not executable", EVERY(""), cannot_run_file, 0644, "#!/bin/sh\nexit 3\n", NULL, false},
    {"a script with an interpreter that does not exist", EVERY(""), cannot_run_file, 0755, "#!/foster/none\n", NULL,
     false},
    {"a script", EVERY(""), cannot_run_file, 0755, "#!/bin/sh\nexit 3\n", NULL, false},
    {"a script without a first line", EVERY(""), cannot_run_file, 0755, "exit 3\n", NULL, false},
    {"a file with no program in it", EVERY(""), cannot_run_file, 0755, "\177ELF-like", NULL, false},
    {"an empty file", EVERY(""), cannot_run_file, 0755, "", NULL, false},
    {"without PATH: a program in /bin", EVERY(""), without_path, 0, "true", NULL, false},
    {"without PATH: no such program", EVERY(""), without_path, 0, "foster-no-such-program", NULL, false},
    {"with an empty PATH: a program in /bin", EVERY(""), without_path, 0, "true", "PATH=", false},
    {"PATH with a directory that does not exist", EVERY(""), without_path, 0, "true", "PATH=/foster/none:/bin", false},
    {"the command and 50 orphans end together", EVERY(""), burst, 9, NULL, NULL, false},
    {"the same with the init as a reaper (-s)", {"-s", NULL, NULL, "-s"}, burst, 9, NULL, NULL, false},
    {"the command stops, is continued, exits 7", EVERY(""), stops_before, 7, NULL, NULL, false},
    {"the command exits 7 while the init is stopped", EVERY(""), ends_unseen, 7, NULL, NULL, false},
    {"as process 1: exit 7", EVERY(""), ends_with, 7, NULL, NULL, true},
    {"as process 1: the command dies of a TERM", EVERY(""), ends_by_term, 0, NULL, NULL, true},
    {"as process 1: the command and 50 orphans end together", EVERY(""), burst, 9, NULL, NULL, true},
    {"as process 1: a program that does not exist", EVERY(""), cannot_run, 0, "foster-no-such-program", NULL, true},
};

const struct room exits_room = ROOM("How the command ends, or cannot begin", rows);

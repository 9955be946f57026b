/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One reading of a command line, with variables of its own and everything that it prints. getopt(3) writes to the real
 * standard error, so that is what is caught, too.
 */
#ifndef FOSTER_TESTS_UNIT_DAEMON_INITARGS_KIT_H
#define FOSTER_TESTS_UNIT_DAEMON_INITARGS_KIT_H

#include "daemon/initargs.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORDS_MAX = 8, VARS_MAX = 4, TEXT_MAX = 16384 };

/** What is read: the words behind the name of the program, and variables "NAME=value". */
struct line {
    const char *as; /**< argv[0] */
    const char *words[WORDS_MAX];
    const char *vars[VARS_MAX];
};

/** What came of it. */
struct reading_result {
    enum initargs_verdict verdict;
    int code;
    struct initargs args;
    char *argv[WORDS_MAX + 2]; /**< as getopt left it */
    char out[TEXT_MAX], err[TEXT_MAX];
};

/** The variables that kit_getenv() knows. */
static const char *const *kit_vars;

/** As getenv(3), from kit_vars. */
static inline char *kit_getenv(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < VARS_MAX && kit_vars[i]; i++)
        if (strncmp(kit_vars[i], name, len) == 0 && kit_vars[i][len] == '=')
            return (char *)(uintptr_t)(kit_vars[i] + len + 1);
    return NULL;
}

/** Reads what was written to FD into BUF of TEXT_MAX bytes, and closes it. */
static inline void kit_take_text(int fd, char *buf)
{
    ssize_t n = pread(fd, buf, TEXT_MAX - 1, 0);

    assert_true(n >= 0);
    buf[n] = '\0';
    close(fd);
}

/** Reads L as command line into *RET. */
static inline void kit_read(const struct line *l, struct reading_result *ret)
{
    int argc = 0, err_fd = memfd_create("err", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
    FILE *out = fmemopen(ret->out, sizeof ret->out, "w");

    assert_true(err_fd >= 0 && saved >= 0);
    assert_non_null(out);
    memset(&ret->args, 0x5a, sizeof ret->args);
    ret->code = -1;
    ret->out[0] = '\0';
    ret->argv[argc++] = (char *)(uintptr_t)l->as;
    for (size_t i = 0; i < WORDS_MAX && l->words[i]; i++)
        ret->argv[argc++] = (char *)(uintptr_t)l->words[i];
    ret->argv[argc] = NULL;
    kit_vars = l->vars;
    dup2(err_fd, STDERR_FILENO);
    ret->verdict = initargs_parse(persona_of(l->as), argc, ret->argv, kit_getenv, out, stderr, &ret->args, &ret->code);
    dup2(saved, STDERR_FILENO);
    close(saved);
    fclose(out);
    kit_take_text(err_fd, ret->err);
}

/** Words of L in one line, for messages of a failed test; static storage. */
static inline const char *kit_show(const struct line *l)
{
    static char text[512];
    size_t n = (size_t)snprintf(text, sizeof text, "%s", l->as);

    for (size_t i = 0; i < WORDS_MAX && l->words[i] && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " [%s]", l->words[i]);
    for (size_t i = 0; i < VARS_MAX && l->vars[i] && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %s", l->vars[i]);
    return text;
}

/** TEXT with our pid for each "PID"; static storage. */
static inline const char *kit_with_pid(const char *text)
{
    static char buf[TEXT_MAX];
    const char *mark = strstr(text, "PID");

    if (mark)
        snprintf(buf, sizeof buf, "%.*s%d%s", (int)(mark - text), text, (int)getpid(), mark + 3);
    else
        snprintf(buf, sizeof buf, "%s", text);
    return buf;
}

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The command line and the variables of init mode, for whichever personality: from the rows of persona.def
 * to values.
 */
#ifndef FOSTER_DAEMON_INITARGS_H
#define FOSTER_DAEMON_INITARGS_H

#include "base/compiler.h"
#include "base/log.h"
#include "core/spec.h"
#include "daemon/persona.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { INIT_GRACE_DEFAULT_MS = 10000 };

/** When a variable of persona.def counts, and as what. */
enum initargs_counts {
    INITARGS_OURS,    /**< where the personality says so or --config-from-env does, and unless an option that sets the
                           same was given: its value */
    INITARGS_VALUE,   /**< when present: its value */
    INITARGS_PRESENT, /**< when present, empty included: as an option without an argument */
    INITARGS_WHEN_0,  /**< when it is exactly "0": as an option without an argument */
    INITARGS_WHEN_1,  /**< when it is exactly "1": as an option without an argument */
};

/** What is asked of init mode. Strings are borrowed from argv. */
struct initargs {
    const struct persona *persona;
    char **command;         /**< NULL-terminated; empty only with pause */
    bool group;             /**< signals go to the command's process group */
    bool single;            /**< dumb-init -c: the command stays in our session and group */
    bool warn_reaped;       /**< tini -w */
    bool pause;             /**< catatonit -P: no command; SIGTERM or SIGINT ends it */
    int parent_death;       /**< -p: signal for us when our parent ends, 0: none */
    struct spec_exits zero; /**< -e: exit codes that become 0; those of option and variable together */
    int rewrite[_NSIG];     /**< what a received signal becomes (dumb-init -r); 0: dropped; else itself */
    enum log_level level;

    bool own_variables_count; /**< FOSTER_INIT_ variables are for us, and not for a command */

    int64_t grace_ms; /**< --grace; 0: the peer's behaviour: what is left is left */
    bool grace_set;   /**< somebody has set it */
    struct spec_restart restart;
    bool wait_all;
    bool follow;
    int64_t pre_stop_delay_ms;
};

/** What came of the command line. */
enum initargs_verdict {
    INITARGS_RUN,
    INITARGS_SAID, /**< everything asked for has been printed, or what is wrong: exit with the code */
};

/** Reads ARGV and, through GETENV (as getenv(3)), the variables into *RET for the personality P. Help, version and
 * licence go to OUT, errors to ERR, except getopt's own words, which go to standard error as the peer's do. *RET_CODE
 * is set for INITARGS_SAID only. */
enum initargs_verdict initargs_parse(const struct persona *p, int argc, char **argv, char *(*getenv_fn)(const char *),
                                     FILE *out, FILE *err, struct initargs *ret, int *ret_code) MUST_CHECK NONNULL();

/** Whether ARGV asks for init mode: by the name of a peer, or by a word "--". */
bool initargs_wanted(int argc, char **argv) MUST_CHECK NONNULL();

/** Whether the variable NAME (of LEN bytes) is one of ours that a command must not inherit (FOSTER_INIT_...): a nested
 * init would obey it once more. */
bool initargs_is_own_variable(const char *name, size_t len) MUST_CHECK NONNULL();

#endif

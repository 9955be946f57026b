/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * fosterctl's command line, understood. The rows are in verbs.def.
 */
#ifndef FOSTER_CTL_ARGS_H
#define FOSTER_CTL_ARGS_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The verbs. */
enum verb {
#define VERB(id, name, aliases, operands, min, max, help) VERB_##id,
#include "ctl/verbs.def"
    VERB_N,
    VERB_ANY = VERB_N, /**< in rows of options: of every verb */
    VERB_NONE,         /**< none was given */
};

/** When to use colour. */
enum args_color { ARGS_COLOR_AUTO, ARGS_COLOR_ALWAYS, ARGS_COLOR_NEVER };

/** What the value of an option is, and of which type the field that it goes to. */
enum args_kind {
    ARGS_FLAG,     /**< no value; bool */
    ARGS_TEXT,     /**< const char * */
    ARGS_DURATION, /**< int64_t, milliseconds */
    ARGS_NUMBER,   /**< int64_t, not negative */
    ARGS_SIGNAL,   /**< const char *, the full name of a signal */
    ARGS_STATE,    /**< const char *, what `wait` can wait for */
    ARGS_COLOR,    /**< enum args_color */
    ARGS_WHEN,     /**< int64_t, microseconds since 1970 */
};

/** One row of verbs.def that is an option. */
struct args_option {
    enum verb verb; /**< VERB_ANY: of all of them */
    char letter;    /**< 0: long form only */
    const char *name;
    const char *arg; /**< NULL: it has none */
    enum args_kind kind;
    size_t field; /**< offset in struct args */
    const char *help;
};

/** One row of verbs.def that is a verb. */
struct args_verb {
    const char *name;
    const char *aliases; /**< words, or "" */
    const char *operands;
    size_t min;
    size_t max; /**< of operands; SIZE_MAX: as many as one likes */
    const char *help;
};

/** The command line. Strings are borrowed from argv or static. */
struct args {
    enum verb verb;
    bool help, version;
    const char *socket; /**< NULL: the default */
    bool json;
    int64_t timeout_ms; /**< -1: none */
    enum args_color color;
    bool wide, watch, no_deps, no_wait, dry_run, all, follow, quiet, dot, svg, text, now, names, reap, nudge, raw,
        timestamps, no_prefix;
    int64_t grace_ms;   /**< -1: the configured one */
    int64_t number;     /**< -1: not given */
    int64_t since_us;   /**< of `logs`; -1: not given */
    const char *signal; /**< of `signal`; then no operand is one */
    const char *state;  /**< of `wait` */
    char **operands;    /**< behind them NULL */
    size_t n_operands;
};

/** Reads ARGV, which it may reorder, into *RET. False with *E (ERR_INPUT) saying what would be right; *RET is then what
 * was read before the mistake. */
bool args_parse(int argc, char **argv, struct args *ret, struct err *e) MUST_CHECK NONNULL();

/** The row of VERB, which has to be one. Static. */
const struct args_verb *args_verb(enum verb verb);

/** All options, *RET_N of them, in the order of the table. Static. */
const struct args_option *args_options(size_t *ret_n) NONNULL();

/** Splits the operand SERVICE=NUMBER: the length of the name in *RET_LEN, the number in *RET. False when it is none. */
bool args_scale(const char *operand, size_t *ret_len, int64_t *ret) MUST_CHECK NONNULL();

#endif

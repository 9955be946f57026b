/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * fosterd's command line: one row an option, from which both the parser and --help come.
 */
#ifndef FOSTER_DAEMON_CLI_H
#define FOSTER_DAEMON_CLI_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** What fosterd is asked to do. */
enum cli_mode {
    CLI_RUN,
    CLI_CHECK,        /**< --check */
    CLI_PRINT_CONFIG, /**< --print-config */
    CLI_SCHEMA,       /**< --schema */
    CLI_HELP,
    CLI_VERSION,
};

enum { CLI_LIST_MAX = 64 };

/** The command line, understood. Strings are borrowed from argv. */
struct cli {
    enum cli_mode mode;
    const char *file; /**< -c; NULL: the default places */
    const char *profiles[CLI_LIST_MAX];
    size_t n_profiles;
    const char *sets[CLI_LIST_MAX];
    size_t n_sets;
    bool log_level_set;
    enum log_level log_level;
    bool log_format_set;
    enum log_format log_format;
};

/** Reads ARGV into *RET. False with *E (ERR_INPUT) naming the option and what would be right. */
bool cli_parse(int argc, char **argv, struct cli *ret, struct err *e) MUST_CHECK NONNULL();

/** Writes the --help text to OUT. */
void cli_help(FILE *out) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode: one command under the same engine as the services of a file.
 */
#ifndef FOSTER_DAEMON_INIT_H
#define FOSTER_DAEMON_INIT_H

#include "base/compiler.h"
#include "sys/inherited.h"

/** Runs init mode with the command line ARGV; all signals are blocked, INHERITED says what they were. The exit code. */
int init_main(int argc, char **argv, const struct inherited *inherited) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How our own messages are written while we look after the services of a file.
 */
#ifndef FOSTER_DAEMON_OWNLOG_H
#define FOSTER_DAEMON_OWNLOG_H

#include "base/compiler.h"
#include "core/spec.h"
#include "daemon/cli.h"

/** Sets the log up: level and format are those of the command line C, else those of the file's section S; text becomes
 * that of the journal where standard error is the systemd journal. May be called again when S has changed. */
void ownlog_setup(const struct cli *c, const struct spec_supervisor *s) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The exit codes of fosterd that are its own; every other one is that of the service which ended it.
 * Values as in sysexits.h, which musl systems may lack.
 */
#ifndef FOSTER_DAEMON_EXITCODE_H
#define FOSTER_DAEMON_EXITCODE_H

/** Exit codes of fosterd itself. */
enum exitcode {
    EXITCODE_OK = 0,
    EXITCODE_USAGE = 64,       /**< wrong command line */
    EXITCODE_UNAVAILABLE = 69, /**< state directory in use */
    EXITCODE_OS = 71,          /**< not a subreaper, no event loop, no descriptors */
    EXITCODE_CONFIG = 78,      /**< the configuration has errors, or cannot be read */
};

#endif

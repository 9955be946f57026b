/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Personalities: init mode behaves as the program by whose name it is called. What differs between them is in
 * persona.def, one row a trait, an option or a variable; nothing else asks which one it is.
 */
#ifndef FOSTER_DAEMON_PERSONA_H
#define FOSTER_DAEMON_PERSONA_H

#include "base/compiler.h"
#include "base/log.h"
#include "sys/spawn.h"

#include <stdbool.h>
#include <stddef.h>

/** The personalities. */
enum persona_id {
    PERSONA_FOSTER,    /**< fosterd itself: tini's options and long ones */
    PERSONA_TINI,      /**< tini 0.19, also as docker-init and podman-init */
    PERSONA_DUMB_INIT, /**< dumb-init 1.2.5 */
    PERSONA_CATATONIT, /**< catatonit 0.1.7 */
    PERSONA_N
};

/** Which personalities a row of persona.def is for; any of them together. */
enum persona_set {
    IN_FOSTER = 1 << PERSONA_FOSTER,
    IN_TINI = 1 << PERSONA_TINI,
    IN_DUMB_INIT = 1 << PERSONA_DUMB_INIT,
    IN_CATATONIT = 1 << PERSONA_CATATONIT,
    IN_PEERS = IN_TINI | IN_DUMB_INIT | IN_CATATONIT,
    IN_ALL = IN_FOSTER | IN_PEERS,
};

/** Room for what a personality puts before a message. */
enum { PERSONA_PREFIX_MAX = 48 };

/** The traits of one personality; see persona.def for their meaning and reasons. */
struct persona {
    enum persona_id id;
    const char *name;                                                           /**< in messages */
#define TRAIT(type, field, foster, tini, dumb_init, catatonit, why) type field; /**< why */
#include "daemon/persona.def"
};

/** The personality that the program name ARGV0 stands for (its last path component), PERSONA_FOSTER for any other name.
 */
const struct persona *persona_of(const char *argv0) NONNULL();

/** The personality ID. */
const struct persona *persona_get(enum persona_id id) __attribute__((returns_nonnull));

/** The exit code for a command that could not be executed, by the errno of its exec. */
int persona_exec_code(const struct persona *p, int errnum) MUST_CHECK NONNULL();

/** Whether a received signal SIG is passed on by personality P. */
bool persona_forwards(const struct persona *p, int sig) MUST_CHECK NONNULL();

/** Writes what P puts before a message of LEVEL, with our pid, to BUF of SIZE bytes (PERSONA_PREFIX_MAX is enough) and
 *  returns BUF. */
const char *persona_prefix(const struct persona *p, enum log_level level, char *buf, size_t size) NONNULL();

/** Sets up the log for P: messages of LEVEL and more severe ones, on standard error, in P's form. */
void persona_log_setup(const struct persona *p, enum log_level level) NONNULL();

#endif

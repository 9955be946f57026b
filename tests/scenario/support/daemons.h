/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What tests need that run daemons as the distribution ships them.
 */
#ifndef FOSTER_TESTS_DAEMONS_H
#define FOSTER_TESTS_DAEMONS_H

#include "scenario/support/scenario.h"

/** The first of the usual places that has the program NAME; skips the test when there is none. Valid until the scenario
 * ends. */
const char *daemons_program(struct scenario *s, const char *name);

/** A TCP port of the loopback that nobody uses now. */
int daemons_port(void);

/** An address of the loopback network that no other test has at the same time: what listens there, to any port, meets
 * nobody else. */
const char *daemons_address(void);

/** Makes host_key in the test's directory by the program KEYGEN, for sshd. */
void daemons_host_key(struct scenario *s, const char *keygen);

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The methods of the control protocol: from a request to its reply, or to one that waits.
 */
#ifndef FOSTER_DAEMON_METHODS_H
#define FOSTER_DAEMON_METHODS_H

#include "base/compiler.h"
#include "core/proto.h"
#include "daemon/client.h"

/** Carries out REQ of C, whose privilege is checked here too, and answers it, now or later (parked.h). REQ stays the
 * caller's. */
void methods_carry_out(struct client *c, const struct proto_request *req) NONNULL();

#endif

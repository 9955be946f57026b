/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The logger and fosterd: what is asked of it, what it answers, and when it ends.
 */
#ifndef FOSTER_LOGGER_CONTROL_H
#define FOSTER_LOGGER_CONTROL_H

#include "base/compiler.h"
#include "logger/message.h"
#include "logger/stream.h"

/** Sends M to fosterd, later when there is no room for it now. */
void logger_send(struct logger *l, const struct message *m) NONNULL();

/** Begins to listen to fosterd. */
void logger_listen(struct logger *l) NONNULL();

/** Lets go of streams that have ended, and ends the loop when fosterd and all streams are gone. At the end of each
 * turn. */
void logger_settle(struct logger *l) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The rooms of situations; each is a file of this directory.
 */
#ifndef FOSTER_TESTS_INIT_SITUATIONS_H
#define FOSTER_TESTS_INIT_SITUATIONS_H

#include "init/support/compare.h"
#include "init/support/look.h"
#include "init/support/trial.h"

#include <stdlib.h>

#define ROOM(title, rows)                                                                                              \
    {                                                                                                                  \
        title, rows, sizeof(rows) / sizeof((rows)[0])                                                                  \
    }

extern const struct room exits_room;
extern const struct room signals_room;
extern const struct room rewrites_room;
extern const struct room inherited_room;
extern const struct room leftovers_room;
extern const struct room early_room;
extern const struct room terminal_room;
extern const struct room options_room;

#endif

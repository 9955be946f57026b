/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The colours of names in front of lines: a stream has the same one wherever its lines are shown.
 */
#ifndef FOSTER_BASE_PALETTE_H
#define FOSTER_BASE_PALETTE_H

#include <stdint.h>

/** The colour of stream number ID, as SGR has it (console_codes(4)): two digits, none of them red. */
static inline int palette_of(uint64_t id)
{
    static const int colours[] = {36, 33, 32, 35, 34, 96, 93, 92, 95, 94};
    return colours[id % (sizeof colours / sizeof *colours)];
}

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What standard output is, and what may be done to it.
 */
#ifndef FOSTER_CTL_SCREEN_H
#define FOSTER_CTL_SCREEN_H

#include "base/compiler.h"
#include "ctl/args.h"
#include "ctl/view.h"

#include <stdbool.h>
#include <stddef.h>

/** How to show things on standard output: colour as COLOR says, else by NO_COLOR, CLICOLOR_FORCE, TERM and whether it
 * is a terminal; the width by COLUMNS or the terminal, 0 when it is none; characters by the locale. */
struct view screen_view(enum args_color color) MUST_CHECK;

/** The number of lines of the terminal; 24 when nobody says. */
int screen_height(void) MUST_CHECK;

/** Writes LEN bytes to standard output, waiting where that does not block by itself. 0, or an errno. */
int screen_write(const char *data, size_t len) MUST_CHECK NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The command of this process: /proc/PID/cmdline shows the memory that held its arguments when it began.
 */
#include "sys/title.h"

#include <stddef.h>
#include <string.h>

static struct {
    char *begin; /* borrowed; the arguments, one behind the other; NULL: not known */
    size_t size;
} arguments;

void title_init(int argc, char **argv)
{
    if (argc < 1)
        return;
    char *end = argv[0];
    for (int i = 0; i < argc && argv[i] == end; i++)
        end += strlen(argv[i]) + 1;
    arguments.begin = argv[0];
    arguments.size = (size_t)(end - argv[0]);
}

void title_set(const char *text)
{
    if (arguments.size == 0)
        return;
    size_t len = strlen(text) < arguments.size ? strlen(text) : arguments.size - 1;
    memset(arguments.begin, 0, arguments.size);
    memcpy(arguments.begin, text, len);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Writes the source of a manual page: the template given as the argument, with its line "@KEYS@" replaced by the
 * reference of all keys of the configuration, or "@METHODS@" by that of all methods of the control protocol. Both come
 * from the tables of the parsers. Runs at build time only.
 */
#include "base/buf.h"
#include "core/config.h"
#include "core/proto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFERENCE_BYTES_MAX = 1 << 20, REFERENCE_LINE_MAX = 1024 };

static bool put_methods(struct buf *out)
{
    return proto_reference(true, out);
}

/* Appends what stands for LINE, to be printed. */
static bool expand(const char *line, struct buf *out)
{
    static const struct {
        const char *line;
        bool (*put)(struct buf *out);
    } marks[] = {{"@KEYS@\n", config_reference}, {"@METHODS@\n", put_methods}};

    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (strcmp(line, marks[i].line) == 0)
            return marks[i].put(out);
    return buf_puts(out, line);
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!f) {
        fprintf(stderr, "usage: reference TEMPLATE (%s)\n", strerror(errno));
        return EXIT_FAILURE;
    }
    struct buf page;
    buf_init(&page, REFERENCE_BYTES_MAX);
    char line[REFERENCE_LINE_MAX];
    bool ok = true;
    while (ok && fgets(line, sizeof(line), f))
        ok = expand(line, &page);
    ok = ok && !ferror(f) && fputs(buf_str(&page), stdout) >= 0 && fflush(stdout) == 0;
    fclose(f);
    buf_done(&page);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Writes the source of foster.yaml(5): the template given as the argument, with its line "@KEYS@" replaced by
 * the reference of all keys, which comes from the same table as the parser. Runs at build time only.
 */
#include "base/buf.h"
#include "core/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFERENCE_BYTES_MAX = 1 << 20, REFERENCE_LINE_MAX = 1024 };

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!f) {
        fprintf(stderr, "usage: reference TEMPLATE (%s)\n", strerror(errno));
        return EXIT_FAILURE;
    }
    struct buf keys;
    buf_init(&keys, REFERENCE_BYTES_MAX);
    bool ok = config_reference(&keys);
    char line[REFERENCE_LINE_MAX];
    while (ok && fgets(line, sizeof(line), f))
        ok = fputs(strcmp(line, "@KEYS@\n") == 0 ? buf_str(&keys) : line, stdout) >= 0;
    ok = !ferror(f) && ok && fflush(stdout) == 0;
    fclose(f);
    buf_done(&keys);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Between the pure configuration core and the file system.
 */
#include "daemon/openfile.h"

#include "base/buf.h"
#include "core/config.h"
#include "sys/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPENFILE_REPORT_MAX = 1 << 20 };

static const char *const openfile_places[] = {"foster.yaml", "/etc/foster/foster.yaml"};

static bool openfile_read(const char *path, size_t max, struct buf *out, bool *ret_missing, char *why, size_t why_size,
                          void *data)
{
    (void)data;
    struct err e = {0};
    if (files_read(path, max, FILES_TRUST_SAFE, out, &e))
        return true;
    *ret_missing = e.errnum == ENOENT;
    if (e.kind == ERR_LIMIT)
        snprintf(why, why_size, "%s; keep it below %zu KiB or split it with include", e.text, max / 1024);
    else
        snprintf(why, why_size, "%s", e.text);
    return false;
}

static bool openfile_glob(struct arena *a, const char *pattern, char ***ret, size_t *ret_n, void *data)
{
    (void)data;
    struct err e = {0};
    return files_glob(a, pattern, ret, ret_n, &e);
}

static const char *openfile_getenv(const char *name, void *data)
{
    (void)data;
    return getenv(name);
}

/* The file to read; NULL with a message when none was named and none is there. */
static const char *openfile_file(const struct cli *c)
{
    if (c->file != NULL)
        return c->file;
    for (size_t i = 0; i < ARRAY_LEN(openfile_places); i++)
        if (access(openfile_places[i], F_OK) == 0)
            return openfile_places[i];
    fprintf(stderr, "fosterd: neither ./%s nor %s is there; name a configuration file with -c FILE\n",
            openfile_places[0], openfile_places[1]);
    return NULL;
}

struct spec_set *openfile_again(const struct cli *c, struct diag_list *d)
{
    const struct config_source source = {.read = openfile_read, .glob = openfile_glob, .getenv = openfile_getenv};
    const struct config_options options = {
        .profiles = c->profiles,
        .n_profiles = c->n_profiles,
        .sets = c->sets,
        .n_sets = c->n_sets,
    };
    return config_load(c->file, &source, &options, d);
}

struct spec_set *openfile_load(struct cli *c)
{
    static struct diag_list diags;
    c->file = openfile_file(c);
    if (c->file == NULL)
        return NULL;
    struct spec_set *set = openfile_again(c, &diags);
    struct buf text;
    buf_init(&text, OPENFILE_REPORT_MAX);
    diag_print(&diags, &text);
    fputs(buf_str(&text), stderr);
    buf_done(&text);
    diag_done(&diags);
    return set;
}

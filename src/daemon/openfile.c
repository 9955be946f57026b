/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Between the pure configuration core and the file system.
 */
#include "daemon/openfile.h"

#include "base/buf.h"
#include "core/config.h"
#include "sys/caps.h"
#include "sys/files.h"
#include "sys/users.h"

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

static bool openfile_user(struct arena *a, const char *text, struct spec_user *ret, char *why, size_t why_size,
                          void *data UNUSED)
{
    struct users_entry found;
    struct err e = {0};
    if (!users_find(a, text, &found, &e)) {
        snprintf(why, why_size, "%s", e.text);
        return false;
    }
    *ret = (struct spec_user){
        .uid = found.uid,
        .gid = found.gid,
        .groups = found.groups,
        .n_groups = found.n_groups,
        .name = found.name,
        .home = found.home,
        .shell = found.shell,
    };
    return true;
}

static bool openfile_group(const char *text, gid_t *ret, char *why, size_t why_size, void *data UNUSED)
{
    struct err e = {0};
    if (users_find_group(text, ret, &e))
        return true;
    snprintf(why, why_size, "%s", e.text);
    return false;
}

static bool openfile_capability(const char *text, unsigned *ret, void *data UNUSED)
{
    return caps_find(text, ret);
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
    const struct config_source source = {
        .read = openfile_read,
        .glob = openfile_glob,
        .getenv = openfile_getenv,
        .user = openfile_user,
        .group = openfile_group,
        .capability = openfile_capability,
    };
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

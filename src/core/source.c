/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * File names of a configuration and reading through the caller's functions. Names are joined as text:
 * a ".." stays, since what it means is known to the kernel only.
 */
#include "core/source.h"

#include <string.h>

bool source_nomem(struct source *s, struct diag_pos pos)
{
    if (!s->nomem)
        diag_error(s->diag, pos, "no memory for the configuration; make it smaller");
    s->nomem = true;
    return false;
}

struct diag_pos source_keep(struct source *s, struct diag_pos pos)
{
    struct diag_pos none = {.file = NULL, .line = pos.line, .column = pos.column};

    if (!pos.file)
        return pos;
    for (size_t i = 0; i < s->n_names; i++) {
        if (strcmp(s->names[i], pos.file) == 0) {
            pos.file = s->names[i];
            return pos;
        }
    }
    if (s->n_names == s->cap_names) {
        size_t cap = s->cap_names ? s->cap_names * 2 : 8;
        const char **names = arena_array(s->arena, cap, sizeof *names);
        if (!names) {
            source_nomem(s, none);
            return none;
        }
        if (s->n_names)
            memcpy(names, s->names, s->n_names * sizeof *names);
        s->names = names;
        s->cap_names = cap;
    }
    const char *name = arena_strdup(s->arena, pos.file);
    if (!name) {
        source_nomem(s, none);
        return none;
    }
    s->names[s->n_names++] = name;
    pos.file = name;
    return pos;
}

/* Values of --set have no file of their own: they are relative to the main one. */
static const char *source_file(const struct source *s, struct diag_pos pos)
{
    if (!pos.file || strncmp(pos.file, "--set", 5) == 0)
        return s->main_file;
    return pos.file;
}

const char *source_path(struct source *s, struct diag_pos pos, const char *path)
{
    const char *file = source_file(s, pos);
    const char *slash = strrchr(file, '/');
    const char *ret;

    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        path += strspn(path, "/");
    }
    if (path[0] == '\0')
        path = ".";
    if (path[0] == '/' || !slash)
        ret = arena_strdup(s->arena, path);
    else
        ret = arena_printf(s->arena, "%.*s%s", (int)(slash + 1 - file), file, path);
    if (!ret)
        source_nomem(s, pos);
    return ret;
}

enum source_result source_read(struct source *s, struct diag_pos pos, const char *path, bool missing_ok,
                               struct buf *out)
{
    struct diag_pos place = pos.file ? pos : (struct diag_pos){.file = path, .line = 1, .column = 1};
    char why[512] = "";
    bool missing = false;

    buf_init(out, TREE_BYTES_MAX);
    if (s->io->read(path, TREE_BYTES_MAX, out, &missing, why, sizeof why, s->io->data))
        return SOURCE_OK;
    if (missing && missing_ok)
        return SOURCE_MISSING;
    if (missing)
        diag_error(s->diag, pos, "there is no file %s; create it or correct the path", path);
    else
        diag_error(s->diag, place, "cannot read %s: %s%s", path, why[0] ? why : "unknown reason",
                   strstr(why, "; ") ? "" : "; make it readable");
    return missing ? SOURCE_MISSING : SOURCE_FAILED;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Looks a group up in /etc/group (group(5)). The file is read as a whole by our own means: what the C libraries offer
 * for it drags their name services along, or allocates behind our back.
 */
#include "sys/groups.h"

#include "base/buf.h"
#include "base/parse.h"
#include "sys/files.h"

#include <stdint.h>
#include <string.h>

enum { FILE_BYTES_MAX = 4 << 20, NUMBER_MAX = 10 };

static const char file[] = "/etc/group";

/* A group id out of TEXT; (gid_t)-1 is none, since chown(2) takes it for "as it is". */
static bool parse_gid(const char *text, gid_t *ret)
{
    int64_t number;

    if (!parse_int(text, &number) || number < 0 || number >= (gid_t)-1)
        return false;
    *ret = (gid_t)number;
    return true;
}

/* The third field of the LEN bytes of LINE, "name:password:id:members", when its name is NAME. */
static bool match_line(const char *line, size_t len, const char *name, gid_t *ret)
{
    size_t name_len = strlen(name);
    char number[NUMBER_MAX + 1] = "";

    if (len <= name_len || memcmp(line, name, name_len) != 0 || line[name_len] != ':')
        return false;
    const char *end = line + len;
    const char *id = memchr(line + name_len + 1, ':', len - name_len - 1);
    const char *id_end = id ? memchr(id + 1, ':', (size_t)(end - id - 1)) : NULL;
    if (!id_end || id_end - id - 1 > NUMBER_MAX)
        return false;
    memcpy(number, id + 1, (size_t)(id_end - id - 1));
    return parse_gid(number, ret);
}

/* Looks for NAME in TEXT, the content of the file. */
static bool find_in(const char *text, const char *name, gid_t *ret)
{
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (match_line(line, len, name, ret))
            return true;
        line += len + (line[len] == '\n');
    }
    return false;
}

bool groups_find(const char *text, gid_t *ret, struct err *e)
{
    struct buf content;

    if (parse_gid(text, ret))
        return true;
    buf_init(&content, FILE_BYTES_MAX);
    bool read = files_read(file, FILE_BYTES_MAX, FILES_TRUST_ANY, &content, e);
    bool is_name = text[0] != '\0' && strpbrk(text, ":\n") == NULL;
    bool found = read && is_name && find_in(buf_str(&content), text, ret);
    buf_done(&content);
    if (!read)
        err_prefix(e, "%s", file);
    else if (!found)
        err_set(e, ERR_INPUT, "there is no group `%s` in %s; name one that is, or write its number", text, file);
    return found;
}

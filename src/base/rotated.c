/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 */
#include "base/rotated.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

const char *rotated_stamp(const char *name, const char *base, const char **ret_end)
{
    static const char form[] = "00000000T000000.000000Z";
    size_t len = strlen(base);

    static_assert(sizeof form - 1 == ROTATED_STAMP_LEN, "a stamp has its length");
    if (strncmp(name, base, len) != 0 || name[len] != '.')
        return NULL;
    const char *stamp = name + len + 1;
    for (size_t i = 0; form[i] != '\0'; i++)
        if (form[i] == '0' ? !isdigit((unsigned char)stamp[i]) : stamp[i] != form[i])
            return NULL;
    *ret_end = stamp + ROTATED_STAMP_LEN;
    return stamp;
}

bool rotated_is_compressed(const char *name)
{
    size_t len = strlen(name);

    return len >= 3 && strcmp(name + len - 3, ".gz") == 0;
}

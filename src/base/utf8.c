/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Steps through UTF-8 text by its well-formed sequences (The Unicode Standard, table 3-7).
 */
#include "base/utf8.h"

/* The lead bytes FIRST..LAST are followed by MORE bytes, of which the next one lies in LOW..HIGH. */
struct lead {
    unsigned char first, last, more, low, high;
};

static const struct lead leads[] = {
    {0x00, 0x7f, 0, 0x00, 0x00}, {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const struct lead *utf8_lead(unsigned char c)
{
    for (size_t i = 0; i < ARRAY_LEN(leads); i++)
        if (c >= leads[i].first && c <= leads[i].last)
            return &leads[i];
    return NULL;
}

size_t utf8_step(const char *s, size_t len, bool *ret_valid)
{
    const unsigned char *u = (const unsigned char *)s;
    const struct lead *lead = utf8_lead(u[0]);
    size_t n = 1;

    if (!lead) {
        *ret_valid = false;
        return 1;
    }
    for (; n <= lead->more && n < len; n++) {
        unsigned char low = n == 1 ? lead->low : 0x80, high = n == 1 ? lead->high : 0xbf;
        if (u[n] < low || u[n] > high)
            break;
    }
    *ret_valid = n == lead->more + 1u;
    return n;
}

size_t utf8_cut(const char *s, size_t len, size_t max)
{
    size_t cut = max;

    if (len <= max)
        return len;
    /* A character has at most three continuation bytes; a longer run of them is not UTF-8 anyway. */
    for (int back = 0; back < 4; back++, cut--) {
        if (((unsigned char)s[cut] & 0xc0) != 0x80)
            return cut;
        if (cut == 0)
            break;
    }
    return max;
}

bool utf8_is_valid(const char *s, size_t len)
{
    bool valid = true;

    while (len > 0 && valid) {
        size_t n = utf8_step(s, len, &valid);
        s += n;
        len -= n;
    }
    return valid;
}

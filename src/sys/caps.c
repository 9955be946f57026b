/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Capabilities by name and number. libcap allocates, so nothing here may be called between fork and exec: child.c has
 * the plain system calls.
 */
#include "sys/caps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

enum { CAPS_PREFIX_LEN = 4, CAPS_BITS = 64 };

/* Whether TEXT is NUMBER in decimal, as it is the only way to name what is newer than libcap. */
static bool caps_number(const char *text, unsigned *ret)
{
    unsigned number = 0;
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 2 || text[len] != '\0')
        return false;
    for (size_t i = 0; i < len; i++)
        number = number * 10 + (unsigned)(text[i] - '0');
    if (number >= CAPS_BITS)
        return false;
    *ret = number;
    return true;
}

bool caps_find(const char *text, unsigned *ret)
{
    char name[CAPS_PREFIX_LEN + CAPS_NAME_MAX];
    cap_value_t value;
    if (caps_number(text, ret))
        return true;
    /* libcap would take the beginning of a text for a name, or a number in any base. */
    if (text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] != '\0')
        return false;
    bool has_prefix = strncasecmp(text, "cap_", CAPS_PREFIX_LEN) == 0;
    int len = snprintf(name, sizeof name, "cap_%s", has_prefix ? text + CAPS_PREFIX_LEN : text);
    if (len < 0 || (size_t)len >= sizeof name || cap_from_name(name, &value) != 0 || value < 0 || value >= CAPS_BITS)
        return false;
    *ret = (unsigned)value;
    return true;
}

char *caps_name(unsigned number, char *buf)
{
    char *name = cap_to_name((cap_value_t)number);
    snprintf(buf, CAPS_NAME_MAX, "%u", number);
    if (name != NULL && strncmp(name, "cap_", CAPS_PREFIX_LEN) == 0) {
        snprintf(buf, CAPS_NAME_MAX, "%s", name + CAPS_PREFIX_LEN);
        for (char *c = buf; *c != '\0'; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    }
    cap_free(name);
    return buf;
}

uint64_t caps_all(void)
{
    unsigned bits = (unsigned)cap_max_bits();
    return bits >= CAPS_BITS ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static uint64_t caps_flag(cap_t caps, unsigned number, cap_flag_t which)
{
    cap_flag_value_t value = CAP_CLEAR;
    /* It fails for what libcap or the kernel does not have. */
    return cap_get_flag(caps, (cap_value_t)number, which, &value) == 0 && value == CAP_SET ? UINT64_C(1) << number : 0;
}

bool caps_read(struct caps_own *ret)
{
    struct caps_own own = {0};
    uint64_t all = caps_all();
    cap_t caps = cap_get_proc();
    if (caps == NULL)
        return false;
    for (unsigned n = 0; n < CAPS_BITS && (all >> n & 1) != 0; n++) {
        own.permitted |= caps_flag(caps, n, CAP_PERMITTED);
        own.effective |= caps_flag(caps, n, CAP_EFFECTIVE);
        if (cap_get_bound((cap_value_t)n) == 1)
            own.bounding |= UINT64_C(1) << n;
    }
    cap_free(caps);
    *ret = own;
    return true;
}

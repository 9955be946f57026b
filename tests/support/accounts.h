/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The users, groups and capabilities of a world in memory, for config_load() in tests: `root`, `app` (1000:1000, also
 * in `audio` and `video`) and any number.
 */
#ifndef FOSTER_TESTS_SUPPORT_ACCOUNTS_H
#define FOSTER_TESTS_SUPPORT_ACCOUNTS_H

#include "base/parse.h"
#include "core/config.h"

#include <stdio.h>
#include <string.h>

/** A user or group id out of TEXT. */
static inline bool accounts_number(const char *text, uid_t *ret)
{
    int64_t number;

    if (!parse_int(text, &number) || number < 0 || number >= UINT32_MAX)
        return false;
    *ret = (uid_t)number;
    return true;
}

/** struct config_source, group. */
static inline bool accounts_group(const char *text, gid_t *ret, char *why, size_t why_size, void *data)
{
    static const struct {
        const char *name;
        gid_t gid;
    } groups[] = {{"root", 0}, {"app", 1000}, {"audio", 44}, {"video", 45}};

    (void)data;
    if (accounts_number(text, ret))
        return true;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (strcmp(groups[i].name, text) == 0) {
            *ret = groups[i].gid;
            return true;
        }
    }
    (void)snprintf(why, why_size, "there is no group `%s`; name another", text);
    return false;
}

/** struct config_source, user. */
static inline bool accounts_user(struct arena *a, const char *text, struct spec_user *ret, char *why, size_t why_size,
                                 void *data)
{
    size_t len = strcspn(text, ":");
    char *name = arena_strndup(a, text, len);
    bool is_app = name && (strcmp(name, "app") == 0 || strcmp(name, "1000") == 0);
    bool known = is_app || (name && strcmp(name, "root") == 0);

    *ret = (struct spec_user){
        .uid = is_app ? 1000 : 0, .gid = is_app ? 1000 : 0, .name = name, .home = "/", .shell = "/bin/sh"};
    ret->groups = arena_array(a, 3, sizeof *ret->groups);
    if (!name || !ret->groups) {
        (void)snprintf(why, why_size, "no memory; make the file smaller");
        return false;
    }
    if (!known && !(text[len] && accounts_number(name, &ret->uid))) {
        (void)snprintf(why, why_size, "there is no user `%s`; name another", name);
        return false;
    }
    if (text[len] && !accounts_group(text + len + 1, &ret->gid, why, why_size, data))
        return false;
    ret->groups[ret->n_groups++] = ret->gid;
    for (gid_t gid = 44; is_app && gid < 46; gid++)
        if (gid != ret->gid)
            ret->groups[ret->n_groups++] = gid;
    return true;
}

/** struct config_source, capability. */
static inline bool accounts_capability(const char *text, unsigned *ret, void *data)
{
    static const struct {
        const char *name;
        unsigned number;
    } caps[] = {{"CHOWN", 0}, {"KILL", 5}, {"NET_BIND_SERVICE", 10}, {"NET_ADMIN", 12}, {"SYS_TIME", 25}};

    (void)data;
    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        if (strcmp(caps[i].name, text) == 0) {
            *ret = caps[i].number;
            return true;
        }
    }
    return false;
}

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Users, groups and capabilities: the words of the file, and what the caller's functions make of them.
 */
#include "core/identity.h"

#include "core/compound.h"

#include <stdio.h>
#include <string.h>

enum { WHY_MAX = 512, CAP_NUMBERS = 64 };

static const char cap_prefix[] = "CAP_";
static const char all_caps[] = "ALL";

/* What capabilities there are is for the caller to know; these are only what somebody may have meant. */
static const char *const known_caps[] = {
    "AUDIT_CONTROL",   "AUDIT_READ",   "AUDIT_WRITE",
    "BLOCK_SUSPEND",   "BPF",          "CHECKPOINT_RESTORE",
    "CHOWN",           "DAC_OVERRIDE", "DAC_READ_SEARCH",
    "FOWNER",          "FSETID",       "IPC_LOCK",
    "IPC_OWNER",       "KILL",         "LEASE",
    "LINUX_IMMUTABLE", "MAC_ADMIN",    "MAC_OVERRIDE",
    "MKNOD",           "NET_ADMIN",    "NET_BIND_SERVICE",
    "NET_BROADCAST",   "NET_RAW",      "PERFMON",
    "SETFCAP",         "SETGID",       "SETPCAP",
    "SETUID",          "SYSLOG",       "SYS_ADMIN",
    "SYS_BOOT",        "SYS_CHROOT",   "SYS_MODULE",
    "SYS_NICE",        "SYS_PACCT",    "SYS_PTRACE",
    "SYS_RAWIO",       "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG",  "WAKE_ALARM",   all_caps,
};

static bool no_look_up(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    return value_error(c, node->pos, "`%s` cannot be looked up here; leave it out", row->key);
}

static bool not_found(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, const char *why)
{
    return value_error(c, node->pos, "`%s`: %s%s", row->key, why, strstr(why, "; ") ? "" : "; write numbers instead");
}

bool identity_user(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const struct config_source *io = c->source.io;
    const char *text = value_text(c, node, "`user`");
    struct spec_user found = {0};
    char why[WHY_MAX] = "";

    if (!text)
        return false;
    if (!io->user)
        return no_look_up(c, row, node);
    if (!io->user(c->source.arena, text, &found, why, sizeof why, io->data))
        return not_found(c, row, node, why);
    found.text = text;
    *(struct spec_user *)schema_field(row, base) = found;
    return true;
}

/* Whether ITEMS[I], of the list NODE, has been there before, which is said. */
static bool is_twice(struct value_ctx *c, const struct tree_node *node, char *const *items, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(items[k], items[i]) == 0)
            return !value_error(c, node->items[i]->pos, "`%s` is given twice; remove one", value_quote(items[i]).text);
    return false;
}

bool identity_groups(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const struct config_source *io = c->source.io;
    struct spec_groups groups = {0};
    bool ok = true;

    if (node->kind != TREE_SEQUENCE)
        return compound_takes_else(c, row, node);
    if (node->n > 0 && !io->group)
        return no_look_up(c, row, node);
    groups.texts = compound_strings(c, row, node);
    if (!groups.texts)
        return false;
    groups.gids = arena_array(c->source.arena, node->n, sizeof *groups.gids);
    if (!groups.gids)
        return value_nomem(c, node->pos);
    for (; groups.n < node->n; groups.n++) {
        char why[WHY_MAX] = "";
        if (is_twice(c, node, groups.texts, groups.n))
            ok = false;
        else if (!io->group(groups.texts[groups.n], &groups.gids[groups.n], why, sizeof why, io->data))
            ok = not_found(c, row, node->items[groups.n], why);
    }
    *(struct spec_groups *)schema_field(row, base) = groups.n ? groups : (struct spec_groups){0};
    return ok;
}

/* Capabilities */

/* Makes NAME, in place, what the rest of Foster calls that capability: in capitals, without CAP_. */
static char *canonical(char *name)
{
    for (char *p = name; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    return strncmp(name, cap_prefix, sizeof cap_prefix - 1) == 0 ? name + sizeof cap_prefix - 1 : name;
}

static bool unknown_cap(struct value_ctx *c, const struct tree_node *node, const char *name)
{
    struct schema_guess g = {0};

    for (size_t i = 0; i < ARRAY_LEN(known_caps); i++)
        schema_guess(&g, name, known_caps[i]);
    if (g.name && strcmp(g.name, name) != 0)
        return value_error(c, node->pos, "`%s` is not a capability; did you mean `%s`?", value_quote(node->text).text,
                           g.name);
    return value_error(c, node->pos, "`%s` is not a capability; write one of capabilities(7), or ALL",
                       value_quote(node->text).text);
}

/* Adds the capability NAME, which NODE has, to MASK. */
static bool add_cap(struct value_ctx *c, const struct tree_node *node, const char *name, uint64_t *mask)
{
    const struct config_source *io = c->source.io;
    unsigned number;

    if (strcmp(name, all_caps) == 0) {
        *mask = UINT64_MAX;
        return true;
    }
    /* A number, or CAP_ twice, would be a second name for the same thing. */
    if (strncmp(name, cap_prefix, sizeof cap_prefix - 1) == 0 ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != strlen(name) || !name[0] ||
        !io->capability(name, &number, io->data) || number >= CAP_NUMBERS)
        return unknown_cap(c, node, name);
    *mask |= UINT64_C(1) << number;
    return true;
}

bool identity_caps(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_caps caps = {0};
    bool ok = true;

    if (node->kind != TREE_SEQUENCE)
        return compound_takes_else(c, row, node);
    if (node->n > 0 && !c->source.io->capability)
        return no_look_up(c, row, node);
    caps.names = compound_strings(c, row, node);
    if (!caps.names)
        return false;
    for (size_t i = 0; i < node->n; i++) {
        caps.names[i] = canonical(caps.names[i]);
        ok &= !is_twice(c, node, caps.names, i) && add_cap(c, node->items[i], caps.names[i], &caps.mask);
    }
    *(struct spec_caps *)schema_field(row, base) = node->n ? caps : (struct spec_caps){0};
    return ok;
}

/* Security options */

static bool security_option(struct value_ctx *c, const struct tree_node *node, const char *text, bool *ret)
{
    static const char ours[] = "no-new-privileges";
    size_t len = strcspn(text, ":=");
    const char *value = text[len] ? text + len + 1 : "true";

    if (len == sizeof ours - 1 && memcmp(text, ours, len) == 0) {
        *ret = strcmp(value, "true") == 0;
        if (*ret || strcmp(value, "false") == 0)
            return true;
        return value_error(c, node->pos, "`%s` is neither true nor false; write no-new-privileges:true or :false",
                           value_quote(value).text);
    }
    return value_error(c, node->pos,
                       "`%s` belongs to a container; Foster knows no-new-privileges:true, set others where the "
                       "container is started",
                       value_quote(text).text);
}

bool identity_security(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    char **options;
    bool ok = true, on = false;

    if (node->kind != TREE_SEQUENCE)
        return compound_takes_else(c, row, node);
    options = compound_strings(c, row, node);
    if (!options)
        return false;
    for (size_t i = 0; i < node->n; i++)
        ok &= security_option(c, node->items[i], options[i], &on);
    if (ok && node->n > 1)
        ok = value_error(c, node->items[1]->pos, "`no-new-privileges` is given twice; remove one");
    *(bool *)schema_field(row, base) = on;
    return ok;
}

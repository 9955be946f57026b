/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Looks users and groups up in /etc/passwd and /etc/group (passwd(5), group(5)). The files are read as a whole by our
 * own means: what the C libraries offer for it drags their name services along, or allocates behind our back. Lines
 * that are not as the manual has them are not there.
 */
#include "sys/users_impl.h"

#include "base/buf.h"
#include "base/parse.h"
#include "sys/files.h"

#include <errno.h>
#include <string.h>

enum { FILE_BYTES_MAX = 4 << 20, ID_DIGITS_MAX = 10 };

/* The fields of the two kinds of line that matter here. */
enum { NAME = 0, ID = 2, PASSWD_GID = 3, GROUP_MEMBERS = 3, PASSWD_HOME = 5, PASSWD_SHELL = 6 };
enum { GROUP_FIELDS = 4, PASSWD_FIELDS = 7 };

/* A part of a text. */
struct slice {
    const char *s; /* NULL: not there */
    size_t len;
};

/* Whom a text, or one half of it, means. */
enum who_kind { WHO_NOBODY, WHO_NAME, WHO_ID };

struct who {
    enum who_kind kind;
    struct slice text;
    int64_t id;
};

/* The two halves of "user:group". */
struct request {
    struct who user;
    struct who group; /* WHO_NOBODY with text.s NULL: none was given */
};

static const struct users_files system_files = {.passwd = "/etc/passwd", .group = "/etc/group"};

/* Takes the part of *REST up to the first END, and steps behind that. False when nothing is left. */
static bool next_part(struct slice *rest, char end, struct slice *ret)
{
    if (!rest->s)
        return false;
    const char *found = rest->len > 0 ? memchr(rest->s, end, rest->len) : NULL;
    *ret = (struct slice){rest->s, found ? (size_t)(found - rest->s) : rest->len};
    *rest = found ? (struct slice){found + 1, rest->len - ret->len - 1} : (struct slice){NULL, 0};
    return true;
}

static bool same(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

/* A user or group id; (uid_t)-1 is none, since chown(2) and its kin take it for "as it is". */
static bool parse_id(struct slice text, int64_t *ret)
{
    char number[ID_DIGITS_MAX + 1] = "";
    int64_t id;

    if (text.len > ID_DIGITS_MAX)
        return false;
    memcpy(number, text.s, text.len);
    if (!parse_int(number, &id) || id < 0 || id >= (uid_t)-1)
        return false;
    *ret = id;
    return true;
}

/* Splits LINE into its N fields, with the number in RET_ID; false when it is no entry but a comment, a word to a name
 * service, or broken. */
static bool split_entry(struct slice line, struct slice *fields, size_t n, int64_t *ret_id)
{
    size_t i = 0;

    while (i < n && next_part(&line, ':', &fields[i]))
        i++;
    return i == n && !line.s && fields[NAME].len > 0 && !strchr("#+-", fields[NAME].s[0]) &&
           parse_id(fields[ID], ret_id);
}

static struct who parse_who(struct slice text)
{
    struct who who = {.text = text};

    if (text.len == 0)
        return who;
    if (!strchr("0123456789+-", text.s[0]))
        who.kind = WHO_NAME;
    else if (parse_id(text, &who.id))
        who.kind = WHO_ID;
    return who;
}

/* Whether WHO is meant by a line whose fields of name and id are these. */
static bool is_meant(const struct who *who, struct slice name, int64_t id)
{
    return who->kind == WHO_ID ? who->id == id : who->kind == WHO_NAME && same(who->text, name);
}

/* How much the content of a file matters. */
enum need { NEEDED, NEEDED_IF_THERE, NICE_TO_HAVE };

/* Whether a file that cannot be read because of WHY counts as empty. What may pass, as a shortage does, is no reason:
 * a later look would find somebody else. */
static bool can_do_without(enum need need, const struct err *why)
{
    switch (need) {
    case NEEDED:
        break;
    case NEEDED_IF_THERE:
        return why->errnum == ENOENT;
    case NICE_TO_HAVE:
        return why->kind == ERR_INPUT || why->kind == ERR_LIMIT || why->errnum == ENOENT || why->errnum == EACCES;
    }
    return false;
}

/* Reads PATH into OUT as far as that is NEED. */
static bool read_file(const char *path, enum need need, struct buf *out, struct err *e)
{
    struct err why = {0};

    if (files_read(path, FILE_BYTES_MAX, FILES_TRUST_ANY, out, &why) || can_do_without(need, &why))
        return true;
    *e = why;
    err_prefix(e, "%s", path);
    return false;
}

static struct slice whole(const struct buf *b)
{
    return (struct slice){buf_str(b), b->len};
}

static bool no_memory(struct err *e)
{
    err_set(e, ERR_NOMEM, "no memory to look up users; give fosterd more");
    return false;
}

/* Groups */

static bool no_group(struct slice text, const char *path, struct err *e)
{
    err_set(e, ERR_INPUT, "there is no group `%.*s` in %s; name one that is, or write its number", (int)text.len,
            text.s, path);
    return false;
}

/* The id of the group WHO out of CONTENT, that of the file PATH. */
static bool find_group(const struct who *who, struct slice content, const char *path, gid_t *ret, struct err *e)
{
    struct slice line, fields[GROUP_FIELDS];
    int64_t id;

    while (next_part(&content, '\n', &line)) {
        if (split_entry(line, fields, GROUP_FIELDS, &id) && is_meant(who, fields[NAME], id)) {
            *ret = (gid_t)id;
            return true;
        }
    }
    return no_group(who->text, path, e);
}

/* Whether the comma-separated LIST has NAME. */
static bool lists(struct slice list, struct slice name)
{
    struct slice item;

    while (next_part(&list, ',', &item))
        if (same(item, name))
            return true;
    return false;
}

static bool has_group(const gid_t *groups, size_t n, gid_t gid)
{
    for (size_t i = 0; i < n; i++)
        if (groups[i] == gid)
            return true;
    return false;
}

/* Adds the groups in CONTENT that have NAME as a member to the *N that are in GROUPS; with GROUPS NULL, counts them. */
static void add_groups(struct slice content, struct slice name, gid_t *groups, size_t *n)
{
    struct slice line, fields[GROUP_FIELDS];
    int64_t id;

    while (next_part(&content, '\n', &line)) {
        if (!split_entry(line, fields, GROUP_FIELDS, &id) || !lists(fields[GROUP_MEMBERS], name))
            continue;
        if (!groups)
            ++*n;
        else if (!has_group(groups, *n, (gid_t)id))
            groups[(*n)++] = (gid_t)id;
    }
}

/* Makes the list of groups of RET: its gid, and those that have NAME in CONTENT. */
static bool list_groups(struct arena *a, struct slice content, struct slice name, struct users_entry *ret,
                        struct err *e)
{
    size_t max = 1;

    add_groups(content, name, NULL, &max);
    ret->groups = arena_array(a, max, sizeof *ret->groups);
    if (!ret->groups)
        return no_memory(e);
    ret->groups[0] = ret->gid;
    ret->n_groups = 1;
    add_groups(content, name, ret->groups, &ret->n_groups);
    return true;
}

bool users_find_group_in(const struct users_files *files, const char *text, gid_t *ret, struct err *e)
{
    struct who who = parse_who((struct slice){text, strlen(text)});
    struct buf content;

    if (who.kind == WHO_NOBODY)
        return no_group(who.text, files->group, e);
    if (who.kind == WHO_ID) {
        *ret = (gid_t)who.id;
        return true;
    }
    buf_init(&content, FILE_BYTES_MAX);
    bool found =
        read_file(files->group, NEEDED, &content, e) && find_group(&who, whole(&content), files->group, ret, e);
    buf_done(&content);
    return found;
}

/* Users */

/* What a line of /etc/passwd says. */
struct account {
    int64_t uid;
    int64_t gid;
    struct slice name;
    struct slice home;
    struct slice shell;
};

/* Whether R says by a number, and not by what an entry adds, who it is. */
static bool is_exact(const struct request *r)
{
    return r->user.kind == WHO_ID && r->group.kind != WHO_NOBODY;
}

static bool parse_request(const char *text, struct request *ret, struct err *e)
{
    struct slice rest = {text, strlen(text)}, half = {NULL, 0};
    bool ok;

    (void)next_part(&rest, ':', &half);
    *ret = (struct request){.user = parse_who(half)};
    ok = ret->user.kind != WHO_NOBODY;
    if (ok && next_part(&rest, ':', &half)) {
        ret->group = parse_who(half);
        ok = ret->group.kind != WHO_NOBODY && !rest.s;
    }
    if (!ok)
        err_set(e, ERR_INPUT, "`%s` is not a user; write name, name:group, uid or uid:gid", text);
    return ok;
}

static bool no_user(const struct who *who, const char *path, struct err *e)
{
    int len = (int)who->text.len;

    if (who->kind == WHO_ID)
        err_set(e, ERR_INPUT, "%s does not have user %.*s, and so not the group; write %.*s:GID", path, len,
                who->text.s, len, who->text.s);
    else
        err_set(e, ERR_INPUT, "there is no user `%.*s` in %s; name one that is, or write uid:gid", len, who->text.s,
                path);
    return false;
}

/* Looks in CONTENT, that of a file as passwd(5) has it, for WHO. */
static bool find_account(const struct who *who, struct slice content, struct account *ret)
{
    struct slice line, fields[PASSWD_FIELDS];
    int64_t uid, gid;

    while (next_part(&content, '\n', &line)) {
        if (split_entry(line, fields, PASSWD_FIELDS, &uid) && parse_id(fields[PASSWD_GID], &gid) &&
            is_meant(who, fields[NAME], uid)) {
            *ret = (struct account){uid, gid, fields[NAME], fields[PASSWD_HOME], fields[PASSWD_SHELL]};
            return true;
        }
    }
    return false;
}

/* A copy of TEXT in A, or OTHERWISE where that is empty. */
static const char *copy_or(struct arena *a, struct slice text, const char *otherwise)
{
    return text.len > 0 ? arena_strndup(a, text.s, text.len) : otherwise;
}

/* Fills RET out of the contents of the two files. */
static bool resolve(const struct request *r, const struct users_files *files, struct slice passwd, struct slice group,
                    struct arena *a, struct users_entry *ret, struct err *e)
{
    struct account account;

    if (!find_account(&r->user, passwd, &account)) {
        if (!is_exact(r))
            return no_user(&r->user, files->passwd, e);
        account = (struct account){.uid = r->user.id, .name = r->user.text};
    }
    ret->uid = (uid_t)account.uid;
    ret->gid = (gid_t)(r->group.kind == WHO_ID ? r->group.id : account.gid);
    if (r->group.kind == WHO_NAME && !find_group(&r->group, group, files->group, &ret->gid, e))
        return false;
    ret->name = arena_strndup(a, account.name.s, account.name.len);
    ret->home = copy_or(a, account.home, "/");
    ret->shell = copy_or(a, account.shell, "/bin/sh");
    if (!ret->name || !ret->home || !ret->shell)
        return no_memory(e);
    return list_groups(a, is_exact(r) ? (struct slice){NULL, 0} : group, account.name, ret, e);
}

bool users_find_in(const struct users_files *files, struct arena *a, const char *text, struct users_entry *ret,
                   struct err *e)
{
    struct users_entry found = {0};
    struct buf passwd, group;
    struct request r;

    if (!parse_request(text, &r, e))
        return false;
    buf_init(&passwd, FILE_BYTES_MAX);
    buf_init(&group, FILE_BYTES_MAX);
    bool by_numbers = is_exact(&r) && r.group.kind == WHO_ID;
    bool ok = read_file(files->passwd, is_exact(&r) ? NICE_TO_HAVE : NEEDED, &passwd, e) &&
              (by_numbers || read_file(files->group, r.group.kind == WHO_NAME ? NEEDED : NEEDED_IF_THERE, &group, e)) &&
              resolve(&r, files, whole(&passwd), whole(&group), a, &found, e);
    buf_done(&passwd);
    buf_done(&group);
    if (ok)
        *ret = found;
    return ok;
}

bool users_find(struct arena *a, const char *text, struct users_entry *ret, struct err *e)
{
    return users_find_in(&system_files, a, text, ret, e);
}

bool users_find_group(const char *text, gid_t *ret, struct err *e)
{
    return users_find_group_in(&system_files, text, ret, e);
}

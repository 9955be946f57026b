/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * env_file: a reader of NAME=VALUE lines, and the merge of all that sets a service's variables.
 */
#include "core/envfile.h"

#include "base/utf8.h"
#include "core/tree.h"

#include <stdlib.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
static const char name_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

const char *envfile_bad_name(const char *name)
{
    if (!name[0] || !strchr(letters, name[0]) || name[strspn(name, name_chars)])
        return "is not a variable name; write letters, digits and _, not beginning with a digit";
    if (strlen(name) >= TREE_KEY_MAX)
        return "is too long for a variable name; write at most 255 characters";
    /* What a fosterd that is a service itself may need. */
    if (strcmp(name, "FOSTER_RUNTIME_DIR") == 0)
        return NULL;
    if (strncmp(name, "FOSTER_", 7) == 0)
        return "is a name that fosterd keeps for itself; choose one that does not begin with FOSTER_";
    return NULL;
}

bool envfile_add(struct envfile *e, const char *name, const char *value, enum envfile_rank rank)
{
    if (!mem_grow(&e->entries, &e->cap, e->n + 1, sizeof *e->entries))
        return false;
    e->entries[e->n] = (struct envfile_entry){.env = {.name = name, .value = value}, .rank = rank, .seq = e->n};
    e->n++;
    return true;
}

static int entry_order(const void *a, const void *b)
{
    const struct envfile_entry *x = a, *y = b;
    int by_name = strcmp(x->env.name, y->env.name);

    if (by_name != 0)
        return by_name;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

bool envfile_merge(struct envfile *e, struct arena *a, struct spec_env **ret, size_t *ret_n)
{
    struct spec_env *list;
    size_t n = 0;

    if (e->n > 0)
        qsort(e->entries, e->n, sizeof *e->entries, entry_order);
    list = arena_array(a, e->n, sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < e->n; i++) {
        bool overruled = i + 1 < e->n && strcmp(e->entries[i].env.name, e->entries[i + 1].env.name) == 0;
        if (!overruled)
            list[n++] = e->entries[i].env;
    }
    *ret = list;
    *ret_n = n;
    e->n = 0;
    return true;
}

void envfile_done(struct envfile *e)
{
    mem_free(e->entries);
    *e = (struct envfile){0};
}

/* The reader. */

struct reader {
    struct arena *arena;
    struct diag_list *diag;
    struct diag_pos pos; /* of the character at `at` */
    const char *at;
    const char *end;
    char *value; /* room for any value of the file */
    size_t n_value;
};

static bool at_end(const struct reader *r)
{
    return r->at == r->end;
}

static bool at_line_end(const struct reader *r)
{
    return at_end(r) || *r->at == '\n' || (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n');
}

static void step(struct reader *r)
{
    unsigned char c = (unsigned char)*r->at++;

    if (c == '\n') {
        r->pos.line++;
        r->pos.column = 1;
    } else if (at_end(r) || ((unsigned char)*r->at & 0xc0) != 0x80) {
        r->pos.column++;
    }
}

static void skip_blanks(struct reader *r)
{
    while (!at_end(r) && (*r->at == ' ' || *r->at == '\t'))
        step(r);
}

static void skip_line(struct reader *r)
{
    while (!at_end(r) && *r->at != '\n')
        step(r);
    if (!at_end(r))
        step(r);
}

static bool say(struct reader *r, struct diag_pos pos, const char *text)
{
    diag_error(r->diag, pos, "%s", text);
    return false;
}

static void put(struct reader *r, char c)
{
    r->value[r->n_value++] = c;
}

/* What may follow a closing quote. */
static bool only_comment(struct reader *r)
{
    const char *before = r->at;

    skip_blanks(r);
    if (at_line_end(r) || (*r->at == '#' && r->at > before))
        return true;
    return say(r, r->pos, "text behind the closing quote; put the quote at the end of the value");
}

static bool read_single_quoted(struct reader *r)
{
    struct diag_pos open = r->pos;

    step(r);
    while (!at_end(r) && *r->at != '\'') {
        put(r, *r->at);
        step(r);
    }
    if (at_end(r))
        return say(r, open, "a ' that is not closed; close it");
    step(r);
    return only_comment(r);
}

/* The character that backslash C stands for in double quotes, or NUL when it stands for itself. */
static char escape(char c)
{
    static const char from[] = "ntr\"\\$", to[] = "\n\t\r\"\\$";
    const char *p = c ? strchr(from, c) : NULL;

    return p ? to[p - from] : '\0';
}

static bool read_double_quoted(struct reader *r)
{
    struct diag_pos open = r->pos;

    step(r);
    while (!at_end(r) && *r->at != '"') {
        char c = *r->at;
        char meant = c == '\\' && r->at + 1 < r->end ? escape(r->at[1]) : '\0';
        if (meant)
            step(r);
        put(r, meant ? meant : c);
        step(r);
    }
    if (at_end(r))
        return say(r, open, "a \" that is not closed; close it");
    step(r);
    return only_comment(r);
}

static bool read_plain(struct reader *r)
{
    bool after_blank = true;

    while (!at_line_end(r) && !(*r->at == '#' && after_blank)) {
        after_blank = *r->at == ' ' || *r->at == '\t';
        put(r, *r->at);
        step(r);
    }
    while (r->n_value > 0 && (r->value[r->n_value - 1] == ' ' || r->value[r->n_value - 1] == '\t'))
        r->n_value--;
    return true;
}

/* The name before the `=`, in the arena; the reader stands behind the `=`. */
static const char *read_name(struct reader *r)
{
    struct diag_pos start = r->pos;
    const char *from = r->at, *why;
    char *name;

    while (!at_line_end(r) && *r->at != '=')
        step(r);
    if (at_line_end(r)) {
        say(r, start, "a line without `=`; write NAME=VALUE");
        return NULL;
    }
    name = arena_strndup(r->arena, from, (size_t)(r->at - from));
    if (!name) {
        say(r, start, "no memory for the configuration; make it smaller");
        return NULL;
    }
    why = envfile_bad_name(name);
    if (why) {
        diag_error(r->diag, start, "`%s` %s", name, why);
        return NULL;
    }
    step(r);
    return name;
}

static bool read_variable(struct reader *r, struct envfile *e)
{
    static const char keyword[] = "export";
    const char *name, *value;
    bool ok;

    if ((size_t)(r->end - r->at) > sizeof keyword && strncmp(r->at, keyword, sizeof keyword - 1) == 0 &&
        (r->at[sizeof keyword - 1] == ' ' || r->at[sizeof keyword - 1] == '\t')) {
        while (*r->at != ' ' && *r->at != '\t')
            step(r);
        skip_blanks(r);
    }
    name = read_name(r);
    if (!name)
        return false;
    skip_blanks(r);
    r->n_value = 0;
    if (!at_end(r) && *r->at == '\'')
        ok = read_single_quoted(r);
    else if (!at_end(r) && *r->at == '"')
        ok = read_double_quoted(r);
    else
        ok = read_plain(r);
    if (!ok)
        return false;
    value = arena_strndup(r->arena, r->value, r->n_value);
    if (!value || !envfile_add(e, name, value, ENVFILE_RANK_FILE))
        return say(r, r->pos, "no memory for the configuration; make it smaller");
    return true;
}

/* Says the first byte that is no text. */
static bool check_text(struct reader r)
{
    while (!at_end(&r)) {
        bool valid;
        size_t n = utf8_step(r.at, (size_t)(r.end - r.at), &valid);
        if (!valid)
            return say(&r, r.pos, "not UTF-8; save the file as UTF-8");
        if (*r.at == '\0')
            return say(&r, r.pos, "a NUL byte; remove it");
        while (n-- > 0)
            step(&r);
    }
    return true;
}

bool envfile_parse(struct envfile *e, struct arena *a, struct diag_list *d, const char *file, const char *text,
                   size_t len)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t skip = len >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    struct reader r = {.arena = a, .diag = d, .pos = {file, 1, 1}, .at = text + skip, .end = text + len};
    bool ok = check_text(r);

    if (!ok)
        return false;
    r.value = mem_alloc(len + 1);
    if (!r.value)
        return say(&r, r.pos, "no memory for the configuration; make it smaller");
    while (!at_end(&r)) {
        skip_blanks(&r);
        if (!at_line_end(&r) && *r.at != '#')
            ok &= read_variable(&r, e);
        skip_line(&r);
    }
    mem_free(r.value);
    return ok;
}

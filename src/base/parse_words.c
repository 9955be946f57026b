/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Words: splitting a command line as a shell would, and how far two words are apart.
 */
#include "base/parse.h"

#include <string.h>

/* Where the splitting stands. */
struct splitter {
    const char *s; /* what is still to be read */
    char *out;     /* where the next byte goes */
    enum parse_words_error error;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* '...', the first quote already read. */
static void split_single(struct splitter *sp)
{
    const char *close = strchr(sp->s, '\'');

    if (!close) {
        sp->error = PARSE_WORDS_QUOTE;
        return;
    }
    memcpy(sp->out, sp->s, (size_t)(close - sp->s));
    sp->out += close - sp->s;
    sp->s = close + 1;
}

/* "...", the first quote already read. */
static void split_double(struct splitter *sp)
{
    for (; *sp->s && *sp->s != '"'; sp->s++) {
        if (*sp->s == '\\' && sp->s[1] && strchr("\"\\$`\n", sp->s[1])) {
            sp->s++;
            if (*sp->s == '\n')
                continue;
        }
        *sp->out++ = *sp->s;
    }
    if (!*sp->s)
        sp->error = PARSE_WORDS_QUOTE;
    else
        sp->s++;
}

/* A backslash outside quotes, already read. */
static void split_backslash(struct splitter *sp)
{
    if (!*sp->s) {
        sp->error = PARSE_WORDS_BACKSLASH;
        return;
    }
    if (*sp->s != '\n')
        *sp->out++ = *sp->s;
    sp->s++;
}

/* Steps over what separates words: blanks, and lines continued by a backslash. */
static void split_skip(struct splitter *sp)
{
    while (is_blank(*sp->s) || (sp->s[0] == '\\' && sp->s[1] == '\n'))
        sp->s += *sp->s == '\\' ? 2 : 1;
}

static void split_word(struct splitter *sp)
{
    while (sp->error == PARSE_WORDS_OK && *sp->s && !is_blank(*sp->s)) {
        char c = *sp->s++;
        if (c == '\'')
            split_single(sp);
        else if (c == '"')
            split_double(sp);
        else if (c == '\\')
            split_backslash(sp);
        else
            *sp->out++ = c;
    }
    *sp->out++ = '\0';
}

enum parse_words_error parse_words(const char *s, struct arena *a, char ***ret, size_t *ret_n)
{
    /* A word never gets longer by unquoting, and the blank behind it makes room for its NUL. */
    char *text = arena_array(a, strlen(s) + 1, 1);
    struct splitter sp = {.s = s, .out = text};
    char **words;
    size_t n = 0;

    if (!text)
        return PARSE_WORDS_NOMEM;
    for (split_skip(&sp); *sp.s && sp.error == PARSE_WORDS_OK; split_skip(&sp)) {
        split_word(&sp);
        n++;
    }
    if (sp.error != PARSE_WORDS_OK)
        return sp.error;
    words = arena_array(a, n + 1, sizeof(*words));
    if (!words)
        return PARSE_WORDS_NOMEM;
    for (size_t i = 0; i < n; i++) {
        words[i] = text;
        text += strlen(text) + 1;
    }
    *ret = words;
    *ret_n = n;
    return PARSE_WORDS_OK;
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t parse_distance(const char *a, const char *b)
{
    enum { LEN_MAX = 63 };
    size_t rows[3][LEN_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > LEN_MAX || b_len > LEN_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *oldest = before;
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = min_of(last[j - 1] + (a[i - 1] != b[j - 1]), min_of(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min_of(row[j], before[j - 2] + 1);
        }
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_len];
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The raw bytes of a YAML file: refuses what is no text before libyaml sees it, because libyaml reports
 * such errors without a line, and finds places in the text.
 */
#include "base/utf8.h"
#include "core/tree_impl.h"

#include <string.h>

/* libyaml compares each %TAG with all before it, before it gives the first event. We refuse them anyway. */
enum { TAG_LINES_MAX = 64 };

static const char bom_utf8[] = "\xef\xbb\xbf";

/* YAML's own set of line breaks: CR, LF, CR LF, NEL, LS, PS. Returns how many bytes, or 0. */
static size_t break_length(const char *s, size_t len)
{
    if (s[0] == '\r')
        return len > 1 && s[1] == '\n' ? 2 : 1;
    if (s[0] == '\n')
        return 1;
    if (len > 1 && memcmp(s, "\xc2\x85", 2) == 0)
        return 2;
    if (len > 2 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0))
        return 3;
    return 0;
}

struct diag_pos tree_text_pos(const struct tree_text *t, size_t offset)
{
    struct diag_pos pos = {.file = t->file, .line = 1, .column = 1};

    for (size_t i = 0; i < offset && i < t->len;) {
        size_t n_break = break_length(t->bytes + i, t->len - i);
        bool valid;

        if (n_break > 0) {
            pos.line++;
            pos.column = 1;
            i += n_break;
        } else {
            pos.column++;
            i += utf8_step(t->bytes + i, t->len - i, &valid);
        }
    }
    return pos;
}

const char *tree_text_at(const struct tree_text *t, size_t index, size_t *ret_len)
{
    size_t at = 0;
    bool valid;

    for (; index > 0 && at < t->len; index--)
        at += utf8_step(t->bytes + at, t->len - at, &valid);
    *ret_len = t->len - at;
    return t->bytes + at;
}

static bool check_size(const struct tree_text *t, struct diag_list *d)
{
    struct diag_pos pos = {.file = t->file};

    if (t->len <= TREE_BYTES_MAX)
        return true;
    diag_error(d, pos, "the file has %zu bytes, %d are allowed; split it with include", t->len, TREE_BYTES_MAX);
    return false;
}

static bool check_encoding(const struct tree_text *t, struct diag_list *d)
{
    bool is_utf16 = t->len >= 2 && (memcmp(t->bytes, "\xff\xfe", 2) == 0 || memcmp(t->bytes, "\xfe\xff", 2) == 0);

    if (is_utf16)
        diag_error(d, tree_text_pos(t, 0), "the file is UTF-16 text; save it as UTF-8");
    return !is_utf16;
}

/* What is wrong with the well-formed character of N bytes at S, or NULL. Control characters are those that YAML
 * does not allow, too. */
static const char *bad_character(const char *s, size_t n)
{
    unsigned char c = (unsigned char)s[0];

    if (c == 0)
        return "a NUL byte; remove it, a configuration is UTF-8 text";
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
        return "a control character; remove it, or write it as an escape such as \"\\x1b\" in double quotes";
    if (n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0 && (unsigned char)s[1] != 0x85)
        return "a control character; remove it, or write it as an escape such as \"\\x80\" in double quotes";
    if (n == 3 && (memcmp(s, "\xef\xbf\xbe", 3) == 0 || memcmp(s, "\xef\xbf\xbf", 3) == 0))
        return "a code point that is no character; remove it";
    return NULL;
}

static bool check_characters(const struct tree_text *t, struct diag_list *d)
{
    for (size_t i = 0; i < t->len;) {
        bool valid;
        size_t n = utf8_step(t->bytes + i, t->len - i, &valid);
        const char *bad = valid ? bad_character(t->bytes + i, n) : NULL;

        if (!valid) {
            diag_error(d, tree_text_pos(t, i), "byte 0x%02x is not UTF-8; save the file as UTF-8",
                       (unsigned)(unsigned char)t->bytes[i]);
            return false;
        }
        if (bad) {
            diag_error(d, tree_text_pos(t, i), "%s", bad);
            return false;
        }
        i += n;
    }
    return true;
}

static bool check_directives(const struct tree_text *t, struct diag_list *d)
{
    static const char word[] = "%TAG";
    size_t n = 0;

    for (size_t i = 0; i < t->len; i++) {
        bool starts_line = i == 0 || t->bytes[i - 1] == '\n' || t->bytes[i - 1] == '\r';

        if (!starts_line || t->len - i < sizeof word - 1 || memcmp(t->bytes + i, word, sizeof word - 1) != 0)
            continue;
        if (++n > TAG_LINES_MAX) {
            diag_error(d, tree_text_pos(t, i), "over %d %%TAG lines; tags are not supported, remove them",
                       TAG_LINES_MAX);
            return false;
        }
    }
    return true;
}

bool tree_text_check(struct tree_text *t, struct diag_list *d)
{
    size_t n_bom = sizeof bom_utf8 - 1;

    if (!check_size(t, d) || !check_encoding(t, d))
        return false;
    if (t->len >= n_bom && memcmp(t->bytes, bom_utf8, n_bom) == 0) {
        t->bytes += n_bom;
        t->len -= n_bom;
    }
    return check_characters(t, d) && check_directives(t, d);
}

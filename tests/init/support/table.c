/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The outcomes as tables of a page, between marks that tell what is generated from what is written.
 */
#include "init/support/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_MAX = 2 * OUTCOME_MAX + 32 };

static const char *const differences_mark = "differences";
static const char *const situations_mark = "situations";

/** The whole file PATH; the caller frees it. NULL: it cannot be read. */
static char *read_all(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = fopen(path, "re");
    if (f && getdelim(&text, &size, 0, f) < 0) {
        free(text);
        text = NULL;
    }
    if (f) {
        (void)fclose(f);
    }
    return text;
}

/** Where the section MARK of PAGE begins; its length. NULL: there is none. */
static char *section(char *page, const char *mark, size_t *ret_len)
{
    char from[64];
    char to[64];
    (void)snprintf(from, sizeof(from), "<!-- %s: generated -->\n", mark);
    (void)snprintf(to, sizeof(to), "<!-- %s: end -->\n", mark);
    char *begin = page ? strstr(page, from) : NULL;
    char *end = begin ? strstr(begin, to) : NULL;
    if (!end) {
        return NULL;
    }
    begin += strlen(from);
    *ret_len = (size_t)(end - begin);
    return begin;
}

/** Column FORM of the line about SITUATION in OLD, which may lack it: then "?". */
static void old_cell(const char *old, const char *situation, enum form form, char *buf)
{
    char begin[160];
    (void)snprintf(begin, sizeof(begin), "\n| %s |", situation);
    const char *s = old ? strstr(old, begin) : NULL;
    s = s ? s + strlen(begin) : NULL;
    for (int i = 0; s && i < (int)form; i++) {
        s = strchr(s, '|');
        s = s ? s + 1 : NULL;
    }
    (void)snprintf(buf, CELL_MAX, "%s", "?");
    if (s && strcspn(s, "|") > 2) {
        (void)snprintf(buf, CELL_MAX, "%.*s", (int)strcspn(s, "|") - 2, s + 1);
    }
}

/** Whether CELL says that ours comes to OURS, whatever it says of the peer. */
static bool says_of_ours(const char *cell, const char *ours)
{
    char bold[OUTCOME_MAX + 8];
    size_t n = (size_t)snprintf(bold, sizeof(bold), "**%s**", ours);
    size_t len = strlen(cell);
    return !strcmp(cell, ours) || (len >= n && !strcmp(cell + len - n, bold));
}

static void cell(const struct row *row, enum form form, const char *old, char *buf)
{
    const char *peer = compare_peer(row, form);
    const char *ours = compare_ours(row, form);
    if (!row->situation->options[form]) {
        (void)snprintf(buf, CELL_MAX, "–");
        return;
    }
    old_cell(old, row->situation->name, form, buf);
    if (!*ours || (!*peer && says_of_ours(buf, ours))) {
        return;
    }
    if (!*peer || !strcmp(peer, ours)) {
        (void)snprintf(buf, CELL_MAX, "%s", ours);
    } else if (form == FORM_FOSTERD) {
        (void)snprintf(buf, CELL_MAX, "**%s**", ours);
    } else {
        (void)snprintf(buf, CELL_MAX, "%s → **%s**", peer, ours);
    }
}

static void print_situations(FILE *f, const struct row *rows, size_t n, const char *old)
{
    const struct room *room = NULL;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].room != room) {
            room = rows[i].room;
            (void)fprintf(f, "\n### %s\n\n| situation | tini | dumb-init | catatonit | fosterd -- |\n", room->title);
            (void)fprintf(f, "|---|---|---|---|---|\n");
        }
        (void)fprintf(f, "| %s |", rows[i].situation->name);
        for (enum form form = 0; form < FORM_N; form++) {
            char text[CELL_MAX];
            cell(&rows[i], form, old, text);
            (void)fprintf(f, " %s |", text);
        }
        (void)fprintf(f, "\n");
    }
    (void)fprintf(f, "\n");
}

/** Whether FORM differs in ROW as declared, with the same texts as the form LIKE. */
static bool differs_like(const struct row *row, enum form form, enum form like)
{
    const struct difference *d = compare_declared(row->situation->name, form);
    return d && *compare_ours(row, form) && d == compare_declared(row->situation->name, like) &&
           !strcmp(row->form[form].side[SIDE_OURS], row->form[like].side[SIDE_OURS]) &&
           !strcmp(compare_peer(row, form), compare_peer(row, like));
}

static void print_row_differences(FILE *f, const struct row *row, enum difference_kind kind)
{
    unsigned done = 0;
    for (enum form form = 0; form < FORM_N; form++) {
        const struct difference *d = compare_declared(row->situation->name, form);
        const char *comma = "";
        if (!d || d->kind != kind || done & 1u << form || !row->situation->options[form]) {
            continue;
        }
        (void)fprintf(f, "| %s | ", row->situation->name);
        for (enum form other = form; other < FORM_N; other++) {
            if (differs_like(row, other, form)) {
                (void)fprintf(f, "%s%s", comma, trial_form_name(other));
                comma = ", ";
                done |= 1u << other;
            }
        }
        (void)fprintf(f, " | %s | %s | %s |\n", compare_peer(row, form), row->form[form].side[SIDE_OURS], d->why);
    }
}

static void print_differences(FILE *f, const struct row *rows, size_t n)
{
    static const char *const titles[] = {[DIFFERENCE_BETTER] = "better", [DIFFERENCE_OWN] = "otherwise"};
    (void)fprintf(f, "| situation | called as | the peer | Foster | why |\n|---|---|---|---|---|\n");
    for (enum difference_kind kind = DIFFERENCE_BETTER; kind <= DIFFERENCE_OWN; kind++) {
        (void)fprintf(f, "| **%s** | | | | |\n", titles[kind]);
        for (size_t i = 0; i < n; i++) {
            print_row_differences(f, &rows[i], kind);
        }
    }
}

/** The section MARK as it should be, given its OLD text; the caller frees it. */
static char *make(const char *mark, const struct row *rows, size_t n, const char *old)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f) {
        abort();
    }
    if (mark == situations_mark) {
        print_situations(f, rows, n, old);
    } else {
        print_differences(f, rows, n);
    }
    (void)fclose(f);
    return text;
}

/** Shows the first line in which WANTED and the LEN bytes at FOUND differ. */
static void show_difference(const char *mark, const char *wanted, const char *found, size_t len)
{
    const char *line = wanted;
    size_t at = 0;
    size_t i = 0;
    while (i < len && wanted[i] == found[i]) {
        if (wanted[i++] == '\n') {
            line = wanted + i;
            at = i;
        }
    }
    (void)fprintf(stderr, "the section \"%s\" should say\n    %.*s\nand says\n    %.*s\n", mark,
                  (int)strcspn(line, "\n"), line,
                  (int)(len - at < strcspn(found + at, "\n") ? len - at : strcspn(found + at, "\n")), found + at);
}

static bool check_section(char *page, const char *mark, const struct row *rows, size_t n)
{
    size_t len = 0;
    char *found = section(page, mark, &len);
    char *old = found ? strndup(found, len) : NULL;
    char *wanted = make(mark, rows, n, old);
    bool same = old && !strcmp(old, wanted);
    if (!old) {
        (void)fprintf(stderr, "the page has no section \"%s\"\n", mark);
    } else if (!same) {
        show_difference(mark, wanted, old, len);
    }
    free(wanted);
    free(old);
    return same;
}

static bool all_peers(void)
{
    return trial_peer_path(FORM_TINI) && trial_peer_path(FORM_DUMB_INIT) && trial_peer_path(FORM_CATATONIT) &&
           trial_can_pid1();
}

bool table_check(const char *path, const struct row *rows, size_t n)
{
    char *page = read_all(path);
    bool same = check_section(page, situations_mark, rows, n);
    /* It follows from the other one; a part of it does not tell how it looks as a whole. */
    if (all_peers()) {
        same &= check_section(page, differences_mark, rows, n);
    }
    if (!same) {
        (void)fprintf(stderr, "%s: run this test with FOSTER_UPDATE_TABLE=1, and look at what has changed\n", path);
    }
    free(page);
    return same;
}

/** PAGE with a new section MARK; frees PAGE. NULL: it has no such section. */
static char *replace_section(char *page, const char *mark, const struct row *rows, size_t n)
{
    size_t len = 0;
    char *found = section(page, mark, &len);
    char *whole = NULL;
    if (found) {
        char *old = strndup(found, len);
        char *text = make(mark, rows, n, old);
        if (asprintf(&whole, "%.*s%s%s", (int)(found - page), page, text, found + len) < 0) {
            whole = NULL;
        }
        free(text);
        free(old);
    }
    free(page);
    return whole;
}

bool table_update(const char *path, const struct row *rows, size_t n)
{
    char *page = replace_section(read_all(path), situations_mark, rows, n);
    if (page && all_peers()) {
        page = replace_section(page, differences_mark, rows, n);
    }
    FILE *f = page ? fopen(path, "we") : NULL;
    bool ok = f && fputs(page, f) >= 0;
    if (f) {
        ok &= fclose(f) == 0;
    }
    free(page);
    return ok;
}

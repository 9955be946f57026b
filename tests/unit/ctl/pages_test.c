/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The manual page and the completions know every verb and option of the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 1 << 20 };

static char *page;

static void read_page(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", SOURCE_DIR, name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        fail_msg("%s cannot be read", path);
    page[fread(page, 1, PAGE_MAX, f)] = '\0';
    assert_true(strlen(page) > 0);
    fclose(f);
}

static bool is_of_word(char c)
{
    return c == '-' || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Whether WORD is on the page, with nothing of a word on either side. */
static bool is_named(const char *word)
{
    size_t len = strlen(word);
    for (const char *at = page; (at = strstr(at, word)) != NULL; at++)
        if ((at == page || !is_of_word(at[-1])) && !is_of_word(at[len]))
            return true;
    return false;
}

/* What stands before the name of a long option, and before a letter. */
struct writing {
    const char *page;
    const char *name;
    const char *letter;
};

static void assert_named(const struct writing *w)
{
    size_t n;
    char word[64];
    read_page(w->page);
    for (size_t v = 0; v < VERB_N; v++)
        if (!is_named(args_verb((enum verb)v)->name))
            fail_msg("%s does not name the verb %s", w->page, args_verb((enum verb)v)->name);
    for (const struct args_option *o = args_options(&n), *end = o + n; o < end; o++) {
        if (o->name != NULL)
            snprintf(word, sizeof word, "%s%s", w->name, o->name);
        else
            snprintf(word, sizeof word, "%s%c", w->letter, o->letter);
        if (!is_named(word))
            fail_msg("%s does not name the option %s", w->page, word);
    }
}

static void every_page_names_every_row(void **state)
{
    static const struct writing pages[] = {
        {"doc/fosterctl.1.scd", "--", "-"},
        {"conf/completions/fosterctl.bash", "--", "-"},
        {"conf/completions/_fosterctl", "--", "-"},
        {"conf/completions/fosterctl.fish", "-l ", "-s "},
    };
    (void)state;
    page = malloc(PAGE_MAX + 1);
    assert_non_null(page);
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        assert_named(&pages[i]);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_names_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

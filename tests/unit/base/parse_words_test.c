/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Splitting command lines, with random quoting as well, and the distance of words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/parse.h"

#include "support/seed.h"

#include <string.h>

enum { WORDS_MAX = 6 };

struct words_case {
    const char *text;
    const char *words[WORDS_MAX]; /* up to the first NULL */
};

static void assert_words(const char *text, const char *const *expected, size_t n_expected)
{
    struct arena a = {0};
    char **words = NULL;
    size_t n = 0;

    if (parse_words(text, &a, &words, &n) != PARSE_WORDS_OK)
        fail_msg("[%s] is refused", text);
    if (n != n_expected)
        fail_msg("[%s]: %zu words, not %zu", text, n, n_expected);
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], expected[i]) != 0)
            fail_msg("[%s]: word %zu is [%s], not [%s]", text, i, words[i], expected[i]);
    assert_null(words[n]);
    arena_done(&a);
}

static void splits(void **state)
{
    static const struct words_case cases[] = {
        {"", {NULL}},
        {" \t\n ", {NULL}},
        {"nginx", {"nginx"}},
        {"a b  c", {"a", "b", "c"}},
        {"\ta\nb ", {"a", "b"}},
        {"a|b;c", {"a|b;c"}},
        {"a && b > c", {"a", "&&", "b", ">", "c"}},
        {"echo $HOME *.c ~", {"echo", "$HOME", "*.c", "~"}},
        {"a #b", {"a", "#b"}},
        {"''", {""}},
        {"\"\"", {""}},
        {"a '' b", {"a", "", "b"}},
        {"''''", {""}},
        {"'a b'", {"a b"}},
        {"\"a b\"", {"a b"}},
        {"a'b c'd", {"ab cd"}},
        {"a\"b c\"'d e'f", {"ab cd ef"}},
        {"'a\\b\"c'", {"a\\b\"c"}},
        {"\"a'b\"", {"a'b"}},
        {"\"\\\"\\\\\\$\\`\"", {"\"\\$`"}},
        {"\"\\a\\n\\'\"", {"\\a\\n\\'"}},
        {"\"a\\\nb\"", {"ab"}},
        {"'a\\\nb'", {"a\\\nb"}},
        {"'a\nb'", {"a\nb"}},
        {"a\\ b", {"a b"}},
        {"\\a\\'\\\"\\\\", {"a'\"\\"}},
        {"\\ ", {" "}},
        {"a \\\n  b", {"a", "b"}},
        {"a\\\nb", {"ab"}},
        {"\\\n", {NULL}},
        {"a\\\n", {"a"}},
        {"sh -c 'echo \"it'\\''s\"'", {"sh", "-c", "echo \"it's\""}},
        {"caf\xc3\xa9 \xe2\x82\xac", {"caf\xc3\xa9", "\xe2\x82\xac"}},
        {"a\r\v\fb", {"a\r\v\fb"}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = 0;
        while (n < WORDS_MAX && cases[i].words[n])
            n++;
        assert_words(cases[i].text, cases[i].words, n);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text;
        enum parse_words_error error;
    } cases[] = {
        {"'", PARSE_WORDS_QUOTE},       {"a 'b", PARSE_WORDS_QUOTE},    {"\"", PARSE_WORDS_QUOTE},
        {"a\"b", PARSE_WORDS_QUOTE},    {"\"a\\\"", PARSE_WORDS_QUOTE}, {"\"a\\", PARSE_WORDS_QUOTE},
        {"'a\\''", PARSE_WORDS_QUOTE},  {"\\", PARSE_WORDS_BACKSLASH},  {"a \\", PARSE_WORDS_BACKSLASH},
        {"a\\", PARSE_WORDS_BACKSLASH},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a = {0};
        char *mark = NULL, **words = &mark;
        size_t n = 77;
        if (parse_words(cases[i].text, &a, &words, &n) != cases[i].error)
            fail_msg("[%s]", cases[i].text);
        assert_ptr_equal(words, &mark);
        assert_int_equal(n, 77);
        arena_done(&a);
    }
}

static void refused_memory(void **state)
{
    static const char text[] = "one 'two three' four";
    struct arena measure = {0};
    char **words;
    size_t n, need;

    (void)state;
    assert_int_equal(parse_words(text, &measure, &words, &n), PARSE_WORDS_OK);
    need = measure.used;
    arena_done(&measure);
    for (size_t max = 1; max < need; max++) {
        struct arena a = {.max = max};
        words = NULL;
        assert_int_equal(parse_words(text, &a, &words, &n), PARSE_WORDS_NOMEM);
        assert_null(words);
        arena_done(&a);
    }
    struct arena a = {.max = need};
    assert_int_equal(parse_words(text, &a, &words, &n), PARSE_WORDS_OK);
    assert_int_equal(n, 3);
    arena_done(&a);
}

/* Appends the byte C of a word in one of the ways in which it can be written. */
static void put_quoted(struct buf *b, char c, uint64_t *rand)
{
    bool special_in_double = strchr("\"\\$`", c) != NULL;

    switch (test_rand_below(rand, 4)) {
    case 0:
        if (c != '\'') {
            buf_printf(b, "'%c'", c);
            break;
        }
        FALLTHROUGH;
    case 1:
        buf_printf(b, special_in_double ? "\"\\%c\"" : "\"%c\"", c);
        break;
    case 2:
        if (c != '\n') {
            buf_printf(b, "\\%c", c);
            break;
        }
        FALLTHROUGH;
    default:
        if (strchr(" \t\n'\"\\", c))
            buf_printf(b, special_in_double ? "\"\\%c\"" : "\"%c\"", c);
        else
            buf_putc(b, c);
    }
    if (test_rand_below(rand, 8) == 0)
        buf_puts(b, test_rand_below(rand, 2) ? "\\\n" : "''");
}

static void random_words_in_random_quotes(void **state)
{
    static const char alphabet[] = "ab'\"\\ \t\n$`|#\xc3\xa9";
    static const char *const blanks[] = {" ", "\t", "\n", "  ", " \\\n ", " \n\t"};
    uint64_t rand = test_seed();

    (void)state;
    for (int round = 0; round < 5000; round++) {
        char store[WORDS_MAX][12];
        const char *words[WORDS_MAX];
        size_t n = test_rand_below(&rand, WORDS_MAX);
        struct buf line;
        buf_init(&line, 4096);
        for (size_t i = 0; i < n; i++) {
            size_t len = test_rand_below(&rand, sizeof(store[i]));
            buf_puts(&line, i > 0 || round % 2 ? blanks[test_rand_below(&rand, ARRAY_LEN(blanks))] : "");
            for (size_t j = 0; j < len; j++) {
                store[i][j] = alphabet[test_rand_below(&rand, sizeof(alphabet) - 1)];
                put_quoted(&line, store[i][j], &rand);
            }
            store[i][len] = '\0';
            words[i] = store[i];
            if (len == 0)
                buf_puts(&line, test_rand_below(&rand, 2) ? "\"\"" : "''");
        }
        assert_false(line.failed);
        assert_words(buf_str(&line), words, n);
        buf_done(&line);
    }
}

static void random_bytes_stay_in_bounds(void **state)
{
    static const char alphabet[] = "a'\"\\ \n";
    uint64_t rand = test_seed();

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct arena a = {0};
        char text[16], **words = NULL;
        size_t len = test_rand_below(&rand, sizeof(text)), n = 0, sum = 0;
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[test_rand_below(&rand, sizeof(alphabet) - 1)];
        text[len] = '\0';
        if (parse_words(text, &a, &words, &n) == PARSE_WORDS_OK) {
            for (size_t i = 0; i < n; i++)
                sum += strlen(words[i]);
            assert_true(sum <= len);
            assert_null(words[n]);
        } else {
            assert_null(words);
        }
        arena_done(&a);
    }
}

static void distances(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } cases[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"abc", "", 3},
        {"abc", "abc", 0},
        {"comand", "command", 1},
        {"commandd", "command", 1},
        {"commend", "command", 1},
        {"comamnd", "command", 1},
        {"ba", "ab", 1},
        /* Optimal string alignment: no piece is edited twice, so this is not 2. */
        {"ca", "abc", 3},
        {"kitten", "sitting", 3},
        {"restart", "image", 6},
        {"Command", "command", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(parse_distance(cases[i].a, cases[i].b), cases[i].distance);
        assert_int_equal(parse_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
}

static void long_words_are_far_apart(void **state)
{
    char longest[65];

    (void)state;
    memset(longest, 'x', 64);
    longest[64] = '\0';
    assert_true(parse_distance(longest, longest) == SIZE_MAX);
    assert_true(parse_distance("a", longest) == SIZE_MAX);
    longest[63] = '\0';
    assert_int_equal(parse_distance(longest, longest), 0);
    assert_int_equal(parse_distance("a", longest), 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refused_memory),
        cmocka_unit_test(random_words_in_random_quotes),
        cmocka_unit_test(random_bytes_stay_in_bounds),
        cmocka_unit_test(distances),
        cmocka_unit_test(long_words_are_far_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Well-formed sequences, checked against all code points, and cutting between them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

#include <string.h>

/* Encodes CP as its bit patterns say, surrogates and all. */
static size_t encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)((0xf00u >> n) | cp);
    return n;
}

static void every_code_point(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x120000; cp++) {
        bool legal = cp <= 0x10ffff && !(cp >= 0xd800 && cp <= 0xdfff), valid;
        char bytes[4];
        size_t n = encode(cp, bytes), step = utf8_step(bytes, n, &valid);
        if (valid != legal || (legal && step != n))
            fail_msg("U+%04X: %zu bytes, valid %d", (unsigned)cp, step, valid);
        /* Without its last byte it is not well-formed, and one mark stands for what is there. */
        if (legal && n > 1) {
            step = utf8_step(bytes, n - 1, &valid);
            if (valid || step != n - 1)
                fail_msg("U+%04X cut: %zu bytes, valid %d", (unsigned)cp, step, valid);
        }
    }
}

static void every_pair_of_bytes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 0x10000; i++) {
        char bytes[2] = {(char)(i >> 8), (char)i};
        bool valid;
        size_t n = utf8_step(bytes, 2, &valid);
        assert_true(n >= 1 && n <= 2);
        if (i >> 8 < 0x80)
            assert_true(valid && n == 1);
        else if (valid)
            assert_true(i >> 8 >= 0xc2 && i >> 8 <= 0xdf && (i & 0xc0) == 0x80 && n == 2);
    }
}

static void cut_points(void **state)
{
    static const struct {
        const char *text;
        size_t max, cut;
    } cases[] = {
        {"", 0, 0},
        {"abc", 5, 3},
        {"abc", 3, 3},
        {"abc", 2, 2},
        {"abc", 0, 0},
        {"\xe2\x82\xac", 3, 3},
        {"\xe2\x82\xac", 2, 0},
        {"\xe2\x82\xac", 1, 0},
        {"a\xe2\x82\xac"
         "b",
         4, 4},
        {"a\xe2\x82\xac"
         "b",
         3, 1},
        {"\xf0\x9f\x98\x80", 3, 0},
        /* Not UTF-8: there is nothing to spare. */
        {"\x80\x80\x80\x80\x80\x80\x80", 5, 5},
        {"\x80\x80", 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(utf8_cut(cases[i].text, strlen(cases[i].text), cases[i].max), cases[i].cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(every_pair_of_bytes),
        cmocka_unit_test(cut_points),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

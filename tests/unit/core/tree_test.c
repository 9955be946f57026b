/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What YAML gives which tree, and which text is refused with which words at which place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/tree.h"

#include "tree_dump.h"

#include <stdio.h>
#include <string.h>

/* Text that may hold NUL bytes, with its length. */
#define TEXT(s) s, sizeof(s) - 1

struct tree_case {
    const char *text;
    size_t len;
    const char *expected; /* of a good text the tree, of a bad one the problems */
};

static void expect_trees(const struct tree_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct bench b;
        const struct tree_node *root;

        bench_init(&b);
        root = bench_load(&b, cases[i].text, cases[i].len);
        assert_string_equal(bench_problems(&b), "");
        assert_non_null(root);
        assert_string_equal(bench_dump(&b, root), cases[i].expected);
        bench_done(&b);
    }
}

static void expect_problems(const struct tree_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct bench b;

        bench_init(&b);
        if (bench_load(&b, cases[i].text, cases[i].len))
            fail_msg("accepted: %s", cases[i].text);
        assert_string_equal(bench_problems(&b), cases[i].expected);
        bench_done(&b);
    }
}

static void reads_values(void **state)
{
    static const struct tree_case cases[] = {
        {TEXT(""), "{}"},
        {TEXT("\n\n"), "{}"},
        {TEXT("# only a comment"), "{}"},
        {TEXT("---\n"), "{}"},
        {TEXT("---\n...\n"), "{}"},
        {TEXT("~"), "{}"},
        {TEXT("null # nothing"), "{}"},
        {TEXT("''"), "\"\""},
        {TEXT("word"), "word"},
        {TEXT("- a\n- b"), "[a, b]"},
        {TEXT("a: 1"), "{a: 1}"},
        {TEXT("a: 1\r\nb:\r\n  c: 2\r\n"), "{a: 1, b: {c: 2}}"},
        {TEXT("a: 1\rb: 2\r"), "{a: 1, b: 2}"},
        {TEXT("\xef\xbb\xbf"), "{}"},
        {TEXT("\xef\xbb\xbf"
              "a: 1"),
         "{a: 1}"},
        {TEXT("a:\nb: ~\nc: null\nd: Null\ne: NULL\nf: nULL\ng: ''\nh: '~'\ni: \"null\""),
         "{a: null, b: null, c: null, d: null, e: null, f: nULL, g: \"\", h: \"~\", i: \"null\"}"},
        {TEXT("a: yes\nb: 0777\nc: 0x1f\nd: 1e3\ne: .inf\nf: 2024-01-01\ng: 12:30"),
         "{a: yes, b: 0777, c: 0x1f, d: 1e3, e: .inf, f: 2024-01-01, g: 12:30}"},
        {TEXT("a: 'it''s'\nb: \"tab\\there \\u00e9\""), "{a: \"it's\", b: \"tab\there \xc3\xa9\"}"},
        {TEXT("a: |\n  one\n  two\nb: >-\n  one\n  two\n"), "{a: \"one\ntwo\n\", b: \"one two\"}"},
        {TEXT("a: |\n  null\n"), "{a: \"null\n\"}"},
        {TEXT("a: one\n  two"), "{a: one two}"},
        {TEXT("a: [1, [], {}, {b: 2}]"), "{a: [1, [], {}, {b: 2}]}"},
        {TEXT("a: [1, 2,]\nb: {c: 1,}"), "{a: [1, 2], b: {c: 1}}"},
        {TEXT("a: {b, c: }"), "{a: {b: null, c: null}}"},
        {TEXT("a:\n- 1\n- b: 2\n  c: 3"), "{a: [1, {b: 2, c: 3}]}"},
        {TEXT("'quoted key': 1\n\"\": 2\n1: 3\nnull: 4"), "{quoted key: 1, : 2, 1: 3, null: 4}"},
        {TEXT("? a\n: 1\n? b"), "{a: 1, b: null}"},
        {TEXT("%YAML 1.1\n---\na: 1"), "{a: 1}"},
        {TEXT("%YAML 1.2\n---\na: 1\n..."), "{a: 1}"},
        {TEXT("a: \xf0\x9f\x98\x80 \xe4\xb8\xad"), "{a: \xf0\x9f\x98\x80 \xe4\xb8\xad}"},
        {TEXT("a: 1 # comment\n# more\n\nb: 2"), "{a: 1, b: 2}"},
        {TEXT("a:\tb"), "{a: b}"},
    };

    (void)state;
    expect_trees(cases, ARRAY_LEN(cases));
}

static void copies_aliases(void **state)
{
    static const struct tree_case cases[] = {
        {TEXT("a: &x 1\nb: *x"), "{a: 1, b: 1}"},
        {TEXT("a: &x 'q'\nb: [*x, *x]"), "{a: \"q\", b: [\"q\", \"q\"]}"},
        {TEXT("a: &x\nb: *x"), "{a: null, b: null}"},
        {TEXT("a: &x [1, {b: 2}]\nc: *x"), "{a: [1, {b: 2}], c: [1, {b: 2}]}"},
        {TEXT("&k a: 1\nb: *k"), "{a: 1, b: a}"},
        {TEXT("a: &k c\n*k : 1"), "{a: c, c: 1}"},
        {TEXT("a: &x 1\nb: &x 2\nc: *x"), "{a: 1, b: 2, c: 2}"},
        {TEXT("a: &x {b: &y 1}\nc: &z {d: *x, e: *y}\nf: *z"),
         "{a: {b: 1}, c: {d: {b: 1}, e: 1}, f: {d: {b: 1}, e: 1}}"},
        {TEXT("&root a: 1"), "{a: 1}"},
    };

    (void)state;
    expect_trees(cases, ARRAY_LEN(cases));
}

static void copies_are_independent(void **state)
{
    struct bench b;
    struct tree_node *root;

    (void)state;
    bench_init(&b);
    root = bench_load(&b, TEXT("a: &x {k: [v]}\nb: *x\nc: {<<: *x}"));
    assert_non_null(root);
    tree_get(tree_get(root, "a"), "k")->items[0]->text = "changed";
    assert_string_equal(bench_dump(&b, root), "{a: {k: [changed]}, b: {k: [v]}, c: {k*1: [v]}}");
    tree_get(tree_get(root, "c"), "k")->items[0]->text = "other";
    assert_string_equal(bench_dump(&b, root), "{a: {k: [changed]}, b: {k: [v]}, c: {k*1: [other]}}");
    bench_done(&b);
}

static void merges(void **state)
{
    static const struct tree_case cases[] = {
        {TEXT("a: &x {k: 1}\nb: {<<: *x}"), "{a: {k: 1}, b: {k*1: 1}}"},
        {TEXT("a: {<<: {k: 1}, l: 2}"), "{a: {l: 2, k*1: 1}}"},
        {TEXT("a: {<<: {k: 1}, k: 2}"), "{a: {k: 2}}"},
        {TEXT("a: {k: 2, <<: {k: 1, m: 3}}"), "{a: {k: 2, m*1: 3}}"},
        {TEXT("a: {<<: [{k: 1}, {k: 2, l: 2}], m: 3}"), "{a: {m: 3, k*1: 1, l*2: 2}}"},
        {TEXT("a: {<<: []}"), "{a: {}}"},
        {TEXT("a: {<<: {}}"), "{a: {}}"},
        {TEXT("<<: {a: 1}"), "{a*1: 1}"},
        {TEXT("\"<<\": {a: 1}"), "{<<: {a: 1}}"},
        {TEXT("'<<': {a: 1}\n<<: {b: 1}"), "{<<: {a: 1}, b*1: 1}"},
        {TEXT("a: &m <<\n*m : {b: 1}"), "{a: <<, b*1: 1}"},
        /* Deep: maps on both sides merge, at any level. */
        {TEXT("a: {<<: {env: {TZ: UTC}}, env: {A: b}}"), "{a: {env: {A: b, TZ*1: UTC}}}"},
        {TEXT("a: {<<: {e: {f: {g: 1, h: 2}}}, e: {f: {g: 3}}}"), "{a: {e: {f: {g: 3, h*1: 2}}}}"},
        {TEXT("a: {<<: [{e: {k: 1, l: 1}}, {e: {l: 2, m: 2}}], e: {n: 3}}"),
         "{a: {e: {n: 3, k*1: 1, l*1: 1, m*2: 2}}}"},
        {TEXT("a: {<<: [{e: {k: 1}}, {e: {l: 2}}]}"), "{a: {e*1: {k: 1, l*1: 2}}}"},
        /* Everything else is replaced, also by null and across kinds. */
        {TEXT("a: {<<: {l: [1, 2]}, l: [3]}"), "{a: {l: [3]}}"},
        {TEXT("a: {<<: {e: {k: 1}}, e: }"), "{a: {e: null}}"},
        {TEXT("a: {<<: {e: 1}, e: {k: 1}}"), "{a: {e: {k: 1}}}"},
        {TEXT("a: {<<: [{e: 1}, {e: {l: 2}}], e: {k: 1}}"), "{a: {e: {k: 1}}}"},
        /* Merges of merged maps. */
        {TEXT("x: &x {a: 1, e: {p: 1}}\ny: &y {<<: *x, b: 2, e: {q: 2}}\nz: {<<: *y, c: 3, e: {r: 3}}"),
         "{x: {a: 1, e: {p: 1}}, y: {b: 2, e: {q: 2, p*1: 1}, a*1: 1}, z: {c: 3, e: {r: 3, q*1: 2, p*2: 1}, b*1: 2, "
         "a*2: "
         "1}}"},
        {TEXT("a: {<<: {<<: {k: 1}, l: 2}}"), "{a: {l*1: 2, k*2: 1}}"},
        /* An anchor inside of a merging mapping names what is written there. */
        {TEXT("a: {<<: {e: {k: 1}}, e: &q {l: 2}}\nb: *q"), "{a: {e: {l: 2, k*1: 1}}, b: {l: 2}}"},
        {TEXT("a: {<<: &x {e: {k: 1}}, e: {l: 2}}\nb: *x"), "{a: {e: {l: 2, k*1: 1}}, b: {e: {k: 1}}}"},
        /* An alias of a mapping that is complete but for what is around it. */
        {TEXT("a: {b: &b {k: 1}, c: {<<: *b}}"), "{a: {b: {k: 1}, c: {k*1: 1}}}"},
    };

    (void)state;
    expect_trees(cases, ARRAY_LEN(cases));
}

/* What is left out of the tree says so; the rest of the file is there, to be looked at in the same run. */
static void leaves_out_what_the_rest_does_not_need(void **state)
{
    static const struct {
        struct tree_case problems;
        const char *tree;
    } cases[] = {
        {{TEXT("a: 1\nb: 2\na: 3\na: 4"), "f:3:1: the key \"a\" is already on line 1; keep one of them\n"
                                          "f:4:1: the key \"a\" is already on line 1; keep one of them\n"},
         "{a: 1, b: 2}"},
        {{TEXT("a: {b: 1, 'b': 2}"), "f:1:11: the key \"b\" is already on line 1; keep one of them\n"}, "{a: {b: 1}}"},
        {{TEXT("&a a: b\n*a : c"), "f:2:1: the key \"a\" is already on line 1; keep one of them\n"}, "{a: b}"},
        {{TEXT("a: {<<: {k: 1, k: 2}, k: 3}"), "f:1:16: the key \"k\" is already on line 1; keep one of them\n"},
         "{a: {k: 3}}"},
        {{TEXT("a: &x {k: 1}\nb:\n  <<: *x\n  <<: *x"),
          "f:4:3: \"<<\" is already on line 3; write one, with a list: <<: [*a, *b]\n"},
         "{a: {k: 1}, b: {k*1: 1}}"},
        {{TEXT("a: !!str 1\nb: !foo {c: !x [], !!int d: 1}\ne: ! f"),
          "f:1:4: tags are not supported (!!str); remove this one, and quote the value to make it a string\n"
          "f:2:4: tags are not supported (!foo); remove this one, and quote the value to make it a string\n"
          "f:2:13: tags are not supported (!x); remove this one, and quote the value to make it a string\n"
          "f:2:20: tags are not supported (!!int); remove this one, and quote the value to make it a string\n"
          "f:3:4: tags are not supported (!); remove this one, and quote the value to make it a string\n"},
         "{a: 1, b: {c: [], d: 1}, e: f}"},
        {{TEXT("%TAG !a! tag:x,2000:\n---\na: 1"), "f:1:1: tags are not supported; remove the %TAG lines above\n"},
         "{a: 1}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        const struct tree_node *root;

        bench_init(&b);
        root = bench_load(&b, cases[i].problems.text, cases[i].problems.len);
        assert_string_equal(bench_problems(&b), cases[i].problems.expected);
        assert_non_null(root);
        assert_string_equal(bench_dump(&b, root), cases[i].tree);
        bench_done(&b);
    }
}

static void refuses_what_has_no_meaning(void **state)
{
    static const struct tree_case cases[] = {
        {TEXT("<<: 3"), "f:1:5: \"<<\" takes a mapping or a list of mappings; write <<: *ANCHOR of a mapping\n"},
        {TEXT("a: &x 1\n<<: [*x, {}, [], ]"),
         "f:2:6: \"<<\" takes a mapping or a list of mappings; write <<: *ANCHOR of a mapping\n"
         "f:2:14: \"<<\" takes a mapping or a list of mappings; write <<: *ANCHOR of a mapping\n"},
        {TEXT("<<:"), "f:1:4: \"<<\" takes a mapping or a list of mappings; write <<: *ANCHOR of a mapping\n"},
        {TEXT("? [x]\n: 1\n? {y: z}\n: 2\nb: 1\nb: 2"),
         "f:1:3: a list cannot be a key; write a name, and quote one that begins with \"{\" or \"[\"\n"
         "f:3:3: a mapping cannot be a key; write a name, and quote one that begins with \"{\" or \"[\"\n"
         "f:6:1: the key \"b\" is already on line 5; keep one of them\n"},
        {TEXT("a: {{x}: 1}"),
         "f:1:5: a mapping cannot be a key; write a name, and quote one that begins with \"{\" or \"[\"\n"},
        {TEXT("a: &x [1]\n*x : 2"),
         "f:2:1: a list cannot be a key; write a name, and quote one that begins with \"{\" or \"[\"\n"},
        {TEXT("?\n: 4"), "f:1:2: a key is missing here; write \"key: value\"\n"},
        {TEXT("a: *nope\n*no : *never"), "f:1:4: no anchor \"nope\" before this alias; define it with &nope\n"
                                         "f:2:1: no anchor \"no\" before this alias; define it with &no\n"
                                         "f:2:7: no anchor \"never\" before this alias; define it with &never\n"},
        {TEXT("<<: *nope\na: {<<: [*nope]}"), "f:1:5: no anchor \"nope\" before this alias; define it with &nope\n"
                                              "f:2:10: no anchor \"nope\" before this alias; define it with &nope\n"},
        {TEXT("a: *x\nb: &x 1"), "f:1:4: no anchor \"x\" before this alias; define it with &x\n"},
        {TEXT("&a [*a]"), "f:1:5: the alias \"a\" is inside the node it names; move it out of line 1\n"},
        {TEXT("&a {b: *a}"), "f:1:8: the alias \"a\" is inside the node it names; move it out of line 1\n"},
        {TEXT("a: &a\n  b:\n    <<: *a"),
         "f:3:9: the alias \"a\" is inside the node it names; move it out of line 1\n"},
        {TEXT("a: &x 1\nb: &x [*x]"), "f:2:8: the alias \"x\" is inside the node it names; move it out of line 2\n"},
        {TEXT("a: 1\n---\nb: 2"),
         "f:2:1: a second document begins here; keep one in a file, and use include for more\n"},
        {TEXT("a: 1\n...\n--- 2"),
         "f:3:1: a second document begins here; keep one in a file, and use include for more\n"},
        {TEXT("a: 1\n---\n"), "f:2:1: a second document begins here; keep one in a file, and use include for more\n"},
        {TEXT("a: \"x\\0y\"\n\"k\\x00\": 1"), "f:1:4: the text holds a NUL byte; remove the \\0 from it\n"
                                              "f:2:1: the text holds a NUL byte; remove the \\0 from it\n"},
    };

    (void)state;
    expect_problems(cases, ARRAY_LEN(cases));
}

static void refuses_what_is_no_text(void **state)
{
    static const struct tree_case cases[] = {
        {TEXT("a: x\0"), "f:1:5: a NUL byte; remove it, a configuration is UTF-8 text\n"},
        {TEXT("\0"), "f:1:1: a NUL byte; remove it, a configuration is UTF-8 text\n"},
        {TEXT("\xff\xfe"
              "a\0:\0"),
         "f:1:1: the file is UTF-16 text; save it as UTF-8\n"},
        {TEXT("\xfe\xff\0a"), "f:1:1: the file is UTF-16 text; save it as UTF-8\n"},
        {TEXT("\xef\xbb\xbf\xc3\xa9: 1\n\xc3\xa9\xc3\xa9: \xe9"),
         "f:2:5: byte 0xe9 is not UTF-8; save the file as UTF-8\n"},
        {TEXT("a\r\nb\r\xc2\x85\xe2\x80\xa8\xe2\x80\xa9x\xc0\x80"),
         "f:6:2: byte 0xc0 is not UTF-8; save the file as UTF-8\n"},
        {TEXT("a: \xed\xa0\x80"), "f:1:4: byte 0xed is not UTF-8; save the file as UTF-8\n"},
        {TEXT("a: \xf4\x90\x80\x80"), "f:1:4: byte 0xf4 is not UTF-8; save the file as UTF-8\n"},
        {TEXT("a: \xe2\x80"), "f:1:4: byte 0xe2 is not UTF-8; save the file as UTF-8\n"},
        {TEXT("a:\n b\x1b[0m"), "f:2:3: a control character; remove it, or write it as an escape such as \"\\x1b\" in "
                                "double quotes\n"},
        {TEXT("\x7f"), "f:1:1: a control character; remove it, or write it as an escape such as \"\\x1b\" in double "
                       "quotes\n"},
        {TEXT("\xc2\x80"),
         "f:1:1: a control character; remove it, or write it as an escape such as \"\\x80\" in double "
         "quotes\n"},
        {TEXT("\xef\xbf\xbf"), "f:1:1: a code point that is no character; remove it\n"},
    };

    (void)state;
    expect_problems(cases, ARRAY_LEN(cases));
}

static void words_syntax_errors(void **state)
{
    static const struct tree_case cases[] = {
        {TEXT("a:\n\tb: 1"), "f:2:1: a tab cannot indent; indent with spaces\n"},
        {TEXT("a: 1\n\tb: 2"), "f:2:1: a tab cannot indent; indent with spaces\n"},
        {TEXT("a: |\n  x\n\ty"), "f:3:1: a tab cannot indent; indent with spaces\n"},
        {TEXT("a: |\n\tx"), "f:2:1: a tab cannot indent; indent with spaces\n"},
        {TEXT("a:\n  b: 1\n c: 2"), "f:3:2: this does not fit into its mapping; indent its keys alike, and check the "
                                    "quotes before it; the mapping begins at line 1, column 1\n"},
        {TEXT("b: 1\na: 'x'y"),
         "f:2:7: this does not fit into its mapping; indent its keys alike, and check the quotes "
         "before it; the mapping begins at line 1, column 1\n"},
        {TEXT("- a\nb: c"),
         "f:2:1: this does not fit into its list; begin each item with \"- \" in one column; the list "
         "begins at line 1, column 1\n"},
        {TEXT("a:\n  : 3"), "f:2:3: a key is missing here; write \"key: value\"\n"},
        {TEXT("a: {: 3}"), "f:1:5: a key is missing here; write \"key: value\"\n"},
        {TEXT("\xc3\xa9: \"\xc3\xa9\n\nb: c"), "f:1:4: this quote is never closed; add the closing quote\n"},
        {TEXT("a: 'x\nb: c"), "f:1:4: this quote is never closed; add the closing quote\n"},
        {TEXT("a: 'x\n---\nb: '"),
         "f:1:4: this quote is not closed before the next document marker; add the closing quote\n"},
        {TEXT("a: \"C:\\dir\""), "f:1:7: no such escape in a double-quoted text; write \\\\ for a backslash, or use "
                                 "single quotes\n"},
        {TEXT("a: \"\\xzz\""),
         "f:1:7: hexadecimal digits are missing in an escape; write \\xHH, \\uHHHH or \\UHHHHHHHH\n"},
        {TEXT("a: \"\\ud800\""),
         "f:1:7: this escape is no character; write a code point up to 10FFFF that is no surrogate\n"},
        {TEXT("a: [1, 2\nb: 3"),
         "f:2:2: the list goes on without a comma or is never closed; write \",\" or \"]\"; the list begins at line 1, "
         "column 4\n"},
        {TEXT("a: ['1' \"2\"]"),
         "f:1:9: the list goes on without a comma or is never closed; write \",\" or \"]\"; the list begins at line 1, "
         "column 4\n"},
        {TEXT("a: {x: ${NOPE}}"),
         "f:1:9: between brackets no variable can stand without quotes; quote it: \"${NAME}\"\n"},
        {TEXT("a: [x, /${NOPE:-y}]"),
         "f:1:10: between brackets no variable can stand without quotes; quote it: \"${NAME}\"\n"},
        {TEXT("a: {x: 1\nb: 3}"), "f:2:2: the mapping goes on without a comma or is never closed; write \",\" or "
                                  "\"}\"; the mapping begins at line "
                                  "1, column 4\n"},
        {TEXT("a: ["), "f:1:4: this bracket is never closed; add \"]\" or \"}\"\n"},
        {TEXT("a: {b: [c, "), "f:1:8: this bracket is never closed; add \"]\" or \"}\"\n"},
        {TEXT("a:\n  {b: [], c: 1\n"), "f:2:3: this bracket is never closed; add \"]\" or \"}\"\n"},
        {TEXT("a:\n- [b"), "f:2:3: this bracket is never closed; add \"]\" or \"}\"\n"},
        {TEXT("a: }"),
         "f:1:4: a value is missing here; write one, or quote it when it begins with a special character\n"},
        {TEXT("a: b: c"),
         "f:1:5: no \":\" can be here; quote a value that holds \": \", or indent this line like its neighbours\n"},
        {TEXT("a: 1\n  b: 2"),
         "f:2:4: no \":\" can be here; quote a value that holds \": \", or indent this line like its neighbours\n"},
        {TEXT("a: - b"),
         "f:1:4: no list item can begin here; put the list on lines of its own, each item with \"- \"\n"},
        {TEXT("a: ? b"), "f:1:4: no \"?\" can be here; quote a value that begins with \"? \"\n"},
        {TEXT("a: 1\nfoo\nb: 2"),
         "f:2:1: this is not followed by ':'; write \"key: value\", or indent it if it continues "
         "the text above\n"},
        {TEXT("a: @x"), "f:1:4: a value cannot begin with \"@\"; put it in quotes\n"},
        {TEXT("a: `x`"), "f:1:4: a value cannot begin with \"`\"; put it in quotes\n"},
        {TEXT("a: %x"), "f:1:4: a value cannot begin with \"%\"; put it in quotes\n"},
        {TEXT("a: * * * * *"),
         "f:1:4: a \"*\" begins the name of an anchor; quote a value that begins with it, or write "
         "*NAME\n"},
        {TEXT("a: */5"),
         "f:1:4: a \"*\" begins the name of an anchor; quote a value that begins with it, or write *NAME\n"},
        {TEXT("a: & b"),
         "f:1:4: a \"&\" begins the name of an anchor; quote a value that begins with it, or write &NAME\n"},
        {TEXT("a: !<x"),
         "f:1:7: a \"!\" begins a tag, and tags are not supported; quote a value that begins with it\n"},
        {TEXT("a: !x!y z"),
         "f:1:4: a \"!\" begins a tag, and tags are not supported; quote a value that begins with it\n"},
        {TEXT("a: |x\n y"),
         "f:1:5: a text cannot begin on the line of its \"|\" or \">\"; put it on the next line, indented\n"},
        {TEXT("a: >0\n b"), "f:1:5: 0 is no indentation; write 1 to 9 behind \"|\" or \">\", or nothing\n"},
        {TEXT("%YAML 1.3\n---\na: 1"), "f:1:1: no such version of YAML here; write %YAML 1.2, or remove the line\n"},
        {TEXT("%YAML 1.1\n%YAML 1.1\n---\na: 1"), "f:2:1: %YAML is given twice; remove one\n"},
        {TEXT("%FOO\n---\na: 1"),
         "f:1:1: a line that begins with % is a directive, and only %YAML 1.2 is known; quote the "
         "value\n"},
        {TEXT("%TAG !a! x\n%TAG !a! y\n---\na: 1"), "f:2:1: tags are not supported; remove the %TAG line\n"},
        {TEXT("a: 1\n...\nb: 2"),
         "f:3:1: the document ended before this; indent it like the rest, or check quotes and brackets "
         "above\n"},
        {TEXT("'a' b"), "f:1:5: the document ended before this; indent it like the rest, or check quotes and brackets "
                        "above\n"},
        /* What was found before the syntax error is told, too. */
        {TEXT("a: 1\na: !t 2\nb: *c\nd: [{e: 1,\ne: 2,\n f: @"),
         "f:2:1: the key \"a\" is already on line 1; keep one of them\n"
         "f:2:4: tags are not supported (!t); remove this one, and quote the value to make it a string\n"
         "f:3:4: no anchor \"c\" before this alias; define it with &c\n"
         "f:5:1: the key \"e\" is already on line 4; keep one of them\n"
         "f:6:5: a value cannot begin with \"@\"; put it in quotes\n"},
    };

    (void)state;
    expect_problems(cases, ARRAY_LEN(cases));
}

static void keeps_places(void **state)
{
    struct bench b;
    struct tree_node *root;
    struct tree_node *a;

    (void)state;
    bench_init(&b);
    root =
        bench_load(&b, TEXT("# \xc3\xa9\na:\r\n  - \xc3\xa9: |\n      x\n    k: &x {l: 1}\nb: *x\nc: {<<: *x}\nd:\n"));
    assert_non_null(root);
    a = tree_get(root, "a");
    assert_string_equal(root->pos.file, "f");
    assert_int_equal(root->pairs[0].key_pos.line, 2);
    assert_int_equal(root->pairs[0].key_pos.column, 1);
    assert_int_equal(a->pos.line, 3);
    assert_int_equal(a->pos.column, 3);
    assert_int_equal(a->items[0]->pairs[0].key_pos.column, 5);
    assert_int_equal(a->items[0]->pairs[0].value->pos.line, 3);
    assert_int_equal(a->items[0]->pairs[0].value->pos.column, 8);
    /* A copy stands where its alias stands, its members where they were written. */
    assert_int_equal(tree_get(root, "b")->pos.line, 6);
    assert_int_equal(tree_get(root, "b")->pos.column, 4);
    assert_int_equal(tree_get(root, "b")->pairs[0].key_pos.line, 5);
    assert_int_equal(tree_get(root, "b")->pairs[0].value->pos.column, 15);
    assert_int_equal(tree_get(root, "c")->pos.line, 7);
    assert_int_equal(tree_get(root, "c")->pairs[0].key_pos.line, 5);
    assert_int_equal(tree_get(root, "d")->pos.line, 8);
    bench_done(&b);
}

static void gets_by_key(void **state)
{
    struct bench b;
    struct tree_node *root;

    (void)state;
    bench_init(&b);
    root = bench_load(&b, TEXT("a: 1\nb: [a]\n'': 2"));
    assert_non_null(root);
    assert_string_equal(tree_get(root, "a")->text, "1");
    assert_string_equal(tree_get(root, "")->text, "2");
    assert_null(tree_get(root, "c"));
    assert_null(tree_get(tree_get(root, "a"), "a"));
    assert_null(tree_get(tree_get(root, "b"), "a"));
    bench_done(&b);
}

static void copies_its_input(void **state)
{
    char file[] = "name";
    char text[] = "a: &x b\nc: *x";
    struct bench b;
    struct tree_node *root;

    (void)state;
    bench_init(&b);
    root = tree_load(&b.arena, &b.problems, file, text, sizeof text - 1);
    assert_non_null(root);
    memset(file, '#', sizeof file - 1);
    memset(text, '#', sizeof text - 1);
    assert_string_equal(bench_dump(&b, root), "{a: b, c: b}");
    assert_string_equal(root->pos.file, "name");
    bench_done(&b);
}

/* Every character that we let through is one that libyaml takes: it would report it without a line. */
static void agrees_with_libyaml_on_characters(void **state)
{
    (void)state;
    for (uint32_t c = 0x80; c < 0x800; c++) {
        char text[8] = "a: x";
        struct bench b;
        bool allowed = c >= 0xa0 || c == 0x85;

        text[4] = (char)(0xc0 | c >> 6);
        text[5] = (char)(0x80 | (c & 0x3f));
        bench_init(&b);
        assert_int_equal(bench_load(&b, text, 6) != NULL, allowed);
        assert_null(strstr(bench_problems(&b), "YAML allows"));
        bench_done(&b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),
        cmocka_unit_test(copies_aliases),
        cmocka_unit_test(copies_are_independent),
        cmocka_unit_test(merges),
        cmocka_unit_test(refuses_what_has_no_meaning),
        cmocka_unit_test(leaves_out_what_the_rest_does_not_need),
        cmocka_unit_test(refuses_what_is_no_text),
        cmocka_unit_test(words_syntax_errors),
        cmocka_unit_test(keeps_places),
        cmocka_unit_test(gets_by_key),
        cmocka_unit_test(copies_its_input),
        cmocka_unit_test(agrees_with_libyaml_on_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
#include "support/seed.h"

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
    assert_string_equal(bench_dump(&b, root), "{a: {k: [changed]}, b: {k: [v]}, c: {k*: [v]}}");
    tree_get(tree_get(root, "c"), "k")->items[0]->text = "other";
    assert_string_equal(bench_dump(&b, root), "{a: {k: [changed]}, b: {k: [v]}, c: {k*: [other]}}");
    bench_done(&b);
}

static void merges(void **state)
{
    static const struct tree_case cases[] = {
        {TEXT("a: &x {k: 1}\nb: {<<: *x}"), "{a: {k: 1}, b: {k*: 1}}"},
        {TEXT("a: {<<: {k: 1}, l: 2}"), "{a: {l: 2, k*: 1}}"},
        {TEXT("a: {<<: {k: 1}, k: 2}"), "{a: {k: 2}}"},
        {TEXT("a: {k: 2, <<: {k: 1, m: 3}}"), "{a: {k: 2, m*: 3}}"},
        {TEXT("a: {<<: [{k: 1}, {k: 2, l: 2}], m: 3}"), "{a: {m: 3, k*: 1, l*: 2}}"},
        {TEXT("a: {<<: []}"), "{a: {}}"},
        {TEXT("a: {<<: {}}"), "{a: {}}"},
        {TEXT("<<: {a: 1}"), "{a*: 1}"},
        {TEXT("\"<<\": {a: 1}"), "{<<: {a: 1}}"},
        {TEXT("'<<': {a: 1}\n<<: {b: 1}"), "{<<: {a: 1}, b*: 1}"},
        {TEXT("a: &m <<\n*m : {b: 1}"), "{a: <<, b*: 1}"},
        /* Deep: maps on both sides merge, at any level. */
        {TEXT("a: {<<: {env: {TZ: UTC}}, env: {A: b}}"), "{a: {env: {A: b, TZ*: UTC}}}"},
        {TEXT("a: {<<: {e: {f: {g: 1, h: 2}}}, e: {f: {g: 3}}}"), "{a: {e: {f: {g: 3, h*: 2}}}}"},
        {TEXT("a: {<<: [{e: {k: 1, l: 1}}, {e: {l: 2, m: 2}}], e: {n: 3}}"), "{a: {e: {n: 3, k*: 1, l*: 1, m*: 2}}}"},
        {TEXT("a: {<<: [{e: {k: 1}}, {e: {l: 2}}]}"), "{a: {e*: {k: 1, l*: 2}}}"},
        /* Everything else is replaced, also by null and across kinds. */
        {TEXT("a: {<<: {l: [1, 2]}, l: [3]}"), "{a: {l: [3]}}"},
        {TEXT("a: {<<: {e: {k: 1}}, e: }"), "{a: {e: null}}"},
        {TEXT("a: {<<: {e: 1}, e: {k: 1}}"), "{a: {e: {k: 1}}}"},
        {TEXT("a: {<<: [{e: 1}, {e: {l: 2}}], e: {k: 1}}"), "{a: {e: {k: 1}}}"},
        /* Merges of merged maps. */
        {TEXT("x: &x {a: 1, e: {p: 1}}\ny: &y {<<: *x, b: 2, e: {q: 2}}\nz: {<<: *y, c: 3, e: {r: 3}}"),
         "{x: {a: 1, e: {p: 1}}, y: {b: 2, e: {q: 2, p*: 1}, a*: 1}, z: {c: 3, e: {r: 3, q*: 2, p*: 1}, b*: 2, a*: "
         "1}}"},
        {TEXT("a: {<<: {<<: {k: 1}, l: 2}}"), "{a: {l*: 2, k*: 1}}"},
        /* An anchor inside of a merging mapping names what is written there. */
        {TEXT("a: {<<: {e: {k: 1}}, e: &q {l: 2}}\nb: *q"), "{a: {e: {l: 2, k*: 1}}, b: {l: 2}}"},
        {TEXT("a: {<<: &x {e: {k: 1}}, e: {l: 2}}\nb: *x"), "{a: {e: {l: 2, k*: 1}}, b: {e: {k: 1}}}"},
        /* An alias of a mapping that is complete but for what is around it. */
        {TEXT("a: {b: &b {k: 1}, c: {<<: *b}}"), "{a: {b: {k: 1}, c: {k*: 1}}}"},
    };

    (void)state;
    expect_trees(cases, ARRAY_LEN(cases));
}

static void refuses_what_has_no_meaning(void **state)
{
    static const struct tree_case cases[] = {
        {TEXT("a: 1\nb: 2\na: 3\na: 4"), "f:3:1: the key \"a\" is already on line 1; keep one of them\n"
                                         "f:4:1: the key \"a\" is already on line 1; keep one of them\n"},
        {TEXT("a: {b: 1, 'b': 2}"), "f:1:11: the key \"b\" is already on line 1; keep one of them\n"},
        {TEXT("&a a: b\n*a : c"), "f:2:1: the key \"a\" is already on line 1; keep one of them\n"},
        {TEXT("a: {<<: {k: 1, k: 2}, k: 3}"), "f:1:16: the key \"k\" is already on line 1; keep one of them\n"},
        {TEXT("a: &x {k: 1}\nb:\n  <<: *x\n  <<: *x"),
         "f:4:3: \"<<\" is already on line 3; write one, with a list: <<: [*a, *b]\n"},
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
        {TEXT("a: !!str 1\nb: !foo {c: !x [], !!int d: 1}\ne: ! f"),
         "f:1:4: tags are not supported (!!str); remove this one, and quote the value to make it a string\n"
         "f:2:4: tags are not supported (!foo); remove this one, and quote the value to make it a string\n"
         "f:2:13: tags are not supported (!x); remove this one, and quote the value to make it a string\n"
         "f:2:20: tags are not supported (!!int); remove this one, and quote the value to make it a string\n"
         "f:3:4: tags are not supported (!); remove this one, and quote the value to make it a string\n"},
        {TEXT("%TAG !a! tag:x,2000:\n---\na: 1"), "f:1:1: tags are not supported; remove the %TAG lines above\n"},
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

/* COUNT times PART, between HEAD and TAIL. */
struct bulk_case {
    const char *head;
    const char *part; /* may hold one %u, the number of the repetition */
    unsigned count;
    const char *tail;
    const char *expected; /* the problems; NULL: it is accepted */
};

/* PARTs are of our own tables; the function only saves a dozen loops. */
static void add_part(struct buf *out, const char *part, unsigned i)
{
    const char *hole;

    while ((hole = strstr(part, "%u"))) {
        buf_add(out, part, (size_t)(hole - part));
        buf_printf(out, "%u", i);
        part = hole + 2;
    }
    buf_puts(out, part);
}

static void expect_bulk(const struct bulk_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf text;
        struct bench b;
        const struct tree_node *root;

        buf_init(&text, 2 * TREE_BYTES_MAX);
        bench_init(&b);
        buf_puts(&text, cases[i].head);
        for (unsigned k = 0; k < cases[i].count; k++)
            add_part(&text, cases[i].part, k);
        buf_puts(&text, cases[i].tail);
        assert_false(text.failed);
        root = bench_load(&b, buf_str(&text), text.len);
        assert_string_equal(bench_problems(&b), cases[i].expected ? cases[i].expected : "");
        assert_int_equal(root != NULL, cases[i].expected == NULL);
        bench_done(&b);
        buf_done(&text);
    }
}

static void bounds_depth(void **state)
{
    static const struct bulk_case cases[] = {
        {"", "[", 32, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", NULL},
        {"", "[", 33, "", "f:1:33: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "[", 100000, "", "f:1:33: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "[", TREE_BYTES_MAX, "", "f:1:33: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "[\n", 500000, "", "f:33:1: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "{", 100000, "", "f:1:33: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "{a: ", 100000, "", "f:1:129: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "- ", 32, "a", NULL},
        {"", "- ", 500000, "a", "f:1:65: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "? ", 500000, "a", "f:1:65: the nesting is over 32 levels deep; make it flatter\n"},
        /* Aliases add up: each anchor holds one level more than the one before. */
        {"- &a0 []\n- &b0 []\n", "- [*a0]\n", 10, "", NULL},
        {"- &x [[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]\n- ", "[", 15, "*x]]]]]]]]]]]]]]]", NULL},
        {"- &x [[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]\n- ", "[", 16, "*x]]]]]]]]]]]]]]]]",
         "f:2:19: with this the nesting is over 32 levels deep; make it flatter\n"},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
}

static void bounds_nodes(void **state)
{
    static const struct bulk_case cases[] = {
        {"", "- a\n", TREE_NODES_MAX - 1, "", NULL},
        {"", "- a\n", TREE_NODES_MAX, "", "f:65536:3: the file has over 65536 nodes; split it with include\n"},
        {"", "k%u: 1\n", (TREE_NODES_MAX - 1) / 2, "", NULL},
        {"", "k%u: 1\n", TREE_NODES_MAX / 2, "", "f:32768:9: the file has over 65536 nodes; split it with include\n"},
        {"- &a 1\n- [", "*a,", TREE_NODES_MAX - 3, "]", NULL},
        {"- &a 1\n- [", "*a,", TREE_NODES_MAX, "]",
         "f:2:196603: with this the file has over 65536 nodes; use fewer or smaller aliases\n"},
        /* The billion laughs. */
        {"- &a0 [x,x,x,x,x,x,x,x,x]\n"
         "- &a1 [*a0,*a0,*a0,*a0,*a0,*a0,*a0,*a0,*a0]\n"
         "- &a2 [*a1,*a1,*a1,*a1,*a1,*a1,*a1,*a1,*a1]\n"
         "- &a3 [*a2,*a2,*a2,*a2,*a2,*a2,*a2,*a2,*a2]\n"
         "- &a4 [*a3,*a3,*a3,*a3,*a3,*a3,*a3,*a3,*a3]\n"
         "- &a5 [*a4,*a4,*a4,*a4,*a4,*a4,*a4,*a4,*a4]\n",
         "", 0, "", "f:5:36: with this the file has over 65536 nodes; use fewer or smaller aliases\n"},
        /* The same by merges: keys that are overridden count, too. */
        {"a: &a {k: {l: {m: 1}}}\n", "b%u: {<<: *a}\n", 10000, "",
         "f:6554:13: with this the file has over 65536 nodes; use fewer or smaller aliases\n"},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
}

static void bounds_text(void **state)
{
    static const struct bulk_case cases[] = {
        {"#", "xxxxxxxx", TREE_BYTES_MAX / 8, "",
         "f: the file has 1048577 bytes, 1048576 are allowed; split it with include\n"},
        {"a: |\n", " xxxxxx\n", 120000, "", NULL},
        {"a: \"", "\\n\\t", 200000, "\"", NULL},
        {"- &a ", "0123456789", 10000, "\n- [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n", NULL},
        {"- &a ", "0123456789", 10000, "\n- [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n",
         "f:2:44: with this the aliases stand for over 1048576 bytes of text; use fewer or smaller aliases\n"},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
}

static void bounds_names(void **state)
{
    static const struct bulk_case cases[] = {
        {"", "- &a%u 1\n", TREE_ANCHORS_MAX, "", NULL},
        {"", "- &a%u 1\n", 40000, "", "f:1025:3: the file has over 1024 anchors; remove those that are not used\n"},
        {"", "&a ", 2, "1",
         "f:1:4: the document ended before this; indent it like the rest, or check quotes and brackets above\n"},
        {"", "%TAG !a%u! x\n", 50000, "---\na: 1", "f:65:1: over 64 %TAG lines; tags are not supported, remove them\n"},
        {"a: 1\n...\n", "%TAG !a%u! x\n", 50000, "---\na: 1",
         "f:67:1: over 64 %TAG lines; tags are not supported, remove them\n"},
        {"", "k", TREE_KEY_MAX, ": 1", NULL},
        {"", "k", TREE_KEY_MAX + 1, ": 1",
         "f:1:1: the key \"kkkkkkkkkkkkkkkkkkkk\xe2\x80\xa6\" has 257 bytes; a key has at most 256\n"},
        {"\"k", "\xc3\xa9", 200, "\": 1",
         "f:1:1: the key \"k\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xe2\x80\xa6\" has "
         "401 "
         "bytes; a key has at most 256\n"},
        /* Where libyaml gives up looking for the ':'. */
        {"", "k", 2000, ": 1", "f:1:2001: the key before this \":\" is too long; a key has at most 256 bytes\n"},
        {"a: 1\n", "k", 2000, ": 1", "f:2:1: the key before this \":\" is too long; a key has at most 256 bytes\n"},
        {"a: 1\nb: ", "k ", 2000, "", NULL},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
}

/* One pass for all layers: layer by layer these would cost gigabytes. */
static void merges_many_layers(void **state)
{
    static const struct bulk_case cases[] = {
        {"a:\n  e: {own: 1}\n  <<: [", "{e: {k%u: 1}}, ", 10000, "]", NULL},
        {"a:\n  own: 1\n  <<: [", "{k%u: 1}, ", 16000, "]", NULL},
        {"a:\n  own: 1\n  <<: [", "{same: 1}, ", 16000, "]", NULL},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
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

/* However little memory the arena gives, the answer is an error and nothing leaks. */
static void survives_refused_memory(void **state)
{
    static const char text[] = "a: &x {k: [v, 'w'], e: {f: 1}}\nb: {<<: [*x, {e: {g: 2}}], e: {h: 3}}\nc: *x\n";
    size_t needed = 1;

    (void)state;
    for (bool done = false; !done; needed++) {
        struct bench b;

        bench_init(&b);
        b.arena.max = needed;
        done = bench_load(&b, text, sizeof text - 1) != NULL;
        assert_int_equal(b.problems.n_errors == 0, done);
        if (!done)
            assert_non_null(strstr(bench_problems(&b), "no memory"));
        bench_done(&b);
    }
    assert_in_range(needed, 500, 20000);
}

/* Changed, cut and mixed pieces of YAML: never a crash, never a tree together with an error. */
static void survives_damage(void **state)
{
    static const char *const pieces[] = {
        "a: ",   "b:\n",  "  ",   "- ",   "\n",   "[",    "]",   "{", "}",        ", ",           ": ", "? ",
        "&x ",   "*x",    "<<: ", "|\n",  ">-\n", "\"",   "'",   "#", "\\",       "!!str ",       "!",  "%YAML 1.1\n",
        "---\n", "...\n", "\t",   "\r\n", "~",    "null", "\\0", "$", "\xc3\xa9", "\xef\xbb\xbf", "@",  "\xff",
    };
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < 4000; round++) {
        struct bench b;
        struct buf text;
        size_t n = test_rand_below(&seed, 30);
        const struct tree_node *root;

        bench_init(&b);
        buf_init(&text, 4096);
        for (size_t i = 0; i < n; i++)
            buf_puts(&text, pieces[test_rand_below(&seed, ARRAY_LEN(pieces))]);
        root = bench_load(&b, buf_str(&text), text.len);
        assert_int_equal(root == NULL, b.problems.n_errors > 0);
        if (root)
            bench_dump(&b, root);
        buf_done(&text);
        bench_done(&b);
    }
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
        cmocka_unit_test(refuses_what_is_no_text),
        cmocka_unit_test(words_syntax_errors),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(bounds_nodes),
        cmocka_unit_test(bounds_text),
        cmocka_unit_test(bounds_names),
        cmocka_unit_test(merges_many_layers),
        cmocka_unit_test(keeps_places),
        cmocka_unit_test(gets_by_key),
        cmocka_unit_test(copies_its_input),
        cmocka_unit_test(survives_refused_memory),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(agrees_with_libyaml_on_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

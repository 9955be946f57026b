/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The reference of the methods: complete, and what doc/protocol.md says. With FOSTER_UPDATE_TABLE=1 in the environment
 * the page is rewritten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE  SOURCE_DIR "/doc/protocol.md"
#define BEGIN "<!-- methods: generated -->\n"
#define END   "<!-- methods: end -->\n"

enum { BYTES_MAX = 1 << 20 };

static struct buf reference(bool scdoc)
{
    struct buf out;

    buf_init(&out, BYTES_MAX);
    assert_true(proto_reference(scdoc, &out));
    return out;
}

static struct buf read_page(void)
{
    struct buf out;
    FILE *f = fopen(PAGE, "re");
    char chunk[4096];
    size_t n;

    assert_non_null(f);
    buf_init(&out, BYTES_MAX);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        assert_true(buf_add(&out, chunk, n));
    assert_false(ferror(f));
    fclose(f);
    return out;
}

/* The page with the section between the marks as it should be. */
static struct buf right_page(const struct buf *page, const struct buf *section)
{
    const char *begin = strstr(buf_str(page), BEGIN), *end = strstr(buf_str(page), END);
    struct buf out;

    assert_non_null(begin);
    assert_non_null(end);
    begin += strlen(BEGIN);
    assert_true(begin <= end);
    buf_init(&out, BYTES_MAX);
    buf_add(&out, page->data, (size_t)(begin - page->data));
    buf_puts(&out, buf_str(section));
    buf_puts(&out, end);
    assert_false(out.failed);
    return out;
}

static void the_page_says_what_the_table_says(void **state)
{
    struct buf section = reference(false), page = read_page(), right = right_page(&page, &section);
    const char *update = getenv("FOSTER_UPDATE_TABLE");

    (void)state;
    if (update && strcmp(update, "1") == 0) {
        FILE *f = fopen(PAGE, "we");
        assert_non_null(f);
        assert_true(fputs(buf_str(&right), f) >= 0);
        assert_int_equal(fclose(f), 0);
    } else if (strcmp(buf_str(&page), buf_str(&right)) != 0) {
        fail_msg("%s: run this test with FOSTER_UPDATE_TABLE=1, and look at what has changed", PAGE);
    }
    buf_done(&section);
    buf_done(&page);
    buf_done(&right);
}

/* NAME as the manual page (else the other one) has it, in BUF. */
static const char *said(bool scdoc, const char *name, char *buf)
{
    char *to = buf;

    for (; *name; name++) {
        if (scdoc && *name == '_')
            *to++ = '\\';
        *to++ = *name;
    }
    *to = '\0';
    return buf;
}

static void every_method_and_parameter_is_there(void **state)
{
    static const struct {
        enum proto_method method;
        const char *name;
    } params[] = {
#define PARAM(id, name, kind, required, help) {PROTO_##id, name},
#include "core/methods.def"
    };

    (void)state;
    for (int form = 0; form < 2; form++) {
        struct buf out = reference(form == 1);
        const char *at = buf_str(&out);
        for (enum proto_method m = 0; m < PROTO_METHOD_N; m++) {
            struct buf want;
            char name[64];
            buf_init(&want, 256);
            buf_printf(&want, form ? "## %s (%s)\n" : "### `%s` (%s)\n", said(form == 1, proto_method_name(m), name),
                       proto_acts(m) ? "act" : "look");
            at = strstr(at, buf_str(&want));
            assert_non_null(at);
            for (size_t i = 0; i < ARRAY_LEN(params); i++) {
                if (params[i].method != m)
                    continue;
                buf_reset(&want);
                buf_printf(&want, form ? "*%s*," : "| `%s` |", said(form == 1, params[i].name, name));
                assert_non_null(strstr(at, buf_str(&want)));
            }
            buf_done(&want);
        }
        buf_done(&out);
    }
}

/* scdoc takes a lone mark for the beginning of something. */
static void the_manual_page_has_no_lone_marks(void **state)
{
    struct buf out = reference(true);
    char mark = '\0';

    (void)state;
    for (const char *p = buf_str(&out); *p; p++) {
        if (*p == '\\') {
            p++;
        } else if (*p == '*' || *p == '_') {
            assert_true(mark == '\0' || mark == *p);
            mark = mark ? '\0' : *p;
        } else if (*p == '\n') {
            assert_int_equal(mark, '\0');
        }
    }
    buf_done(&out);
}

static void a_full_buffer_is_told(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    assert_false(proto_reference(false, &out));
    assert_false(proto_reference(true, &out));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_the_table_says),
        cmocka_unit_test(every_method_and_parameter_is_there),
        cmocka_unit_test(the_manual_page_has_no_lone_marks),
        cmocka_unit_test(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The reference of all methods, out of methods.def. Its texts are Markdown of two marks, `code` and *emphasis*.
 */
#include "core/proto.h"

#include <string.h>

enum param_kind { STRING, STRINGS, NUMBER, BOOL };

enum access { LOOK, ACT };

struct method_row {
    const char *name;
    enum access access;
    const char *help, *result;
};

struct param_row {
    enum proto_method method;
    const char *name;
    enum param_kind kind;
    bool required;
    const char *help;
};

static const struct method_row methods[] = {
#define METHOD(id, name, access, help, result) [PROTO_##id] = {name, access, help, result},
#include "core/methods.def"
};

static const struct param_row params[] = {
#define PARAM(id, name, kind, required, help) {PROTO_##id, name, kind, required, help},
#include "core/methods.def"
};

static const char *const kinds[] = {
    [STRING] = "string",
    [STRINGS] = "array of strings",
    [NUMBER] = "number",
    [BOOL] = "boolean",
};

static const char *const accesses[] = {[LOOK] = "look", [ACT] = "act"};

/* TEXT of ours for scdoc: bold for `code`, underlined for *emphasis*; what else it takes for a mark is escaped. */
static void put_scdoc(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '`')
            buf_putc(out, '*');
        else if (*text == '*')
            buf_putc(out, '_');
        else
            buf_printf(out, strchr("_\\#[]|~<>", *text) ? "\\%c" : "%c", *text);
    }
}

static void put_page_param(struct buf *out, const struct param_row *p)
{
    buf_puts(out, "\n*");
    put_scdoc(out, p->name);
    buf_printf(out, "*, %s%s\n\t", kinds[p->kind], p->required ? ", required" : "");
    put_scdoc(out, p->help);
    buf_putc(out, '\n');
}

static void put_page_method(struct buf *out, enum proto_method id)
{
    const struct method_row *m = &methods[id];

    buf_puts(out, "## ");
    put_scdoc(out, m->name);
    buf_printf(out, " (%s)\n\n", accesses[m->access]);
    put_scdoc(out, m->help);
    buf_putc(out, '\n');
    for (size_t i = 0; i < ARRAY_LEN(params); i++)
        if (params[i].method == id)
            put_page_param(out, &params[i]);
    buf_puts(out, "\nResult: ");
    put_scdoc(out, m->result);
    buf_puts(out, "\n\n");
}

static void put_markdown_method(struct buf *out, enum proto_method id)
{
    const struct method_row *m = &methods[id];
    const char *head = "| parameter | | |\n|---|---|---|\n";

    buf_printf(out, "### `%s` (%s)\n\n%s\n\n", m->name, accesses[m->access], m->help);
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        const struct param_row *p = &params[i];
        if (p->method != id)
            continue;
        buf_printf(out, "%s| `%s` | %s%s | %s |\n", head, p->name, kinds[p->kind], p->required ? ", required" : "",
                   p->help);
        head = "";
    }
    buf_printf(out, "%sResult: %s\n\n", *head ? "" : "\n", m->result);
}

bool proto_reference(bool scdoc, struct buf *out)
{
    for (enum proto_method id = 0; id < PROTO_METHOD_N; id++) {
        if (scdoc)
            put_page_method(out, id);
        else
            put_markdown_method(out, id);
    }
    return !out->failed;
}

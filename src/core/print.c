/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A configuration as YAML that reads back to the same configuration, and that other YAML readers
 * understand the same way.
 */
#include "core/print.h"

#include "base/parse.h"
#include "base/utf8.h"
#include "core/config.h"
#include "core/log_keys.h"
#include "core/ulimits.h"

#include <inttypes.h>

#include <stdio.h>
#include <string.h>

/* Scalars. */

/* Whether TEXT is WORD (in lower case) in any case. */
static bool is_word(const char *text, const char *word)
{
    for (; *text && *word; text++, word++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
        if (c != *word)
            return false;
    }
    return *text == *word;
}

static bool is_plain(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_/";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_/0123456789.@%+=-";

    if (!text[0] || !strchr(letters, text[0]) || text[strspn(text, all)])
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (is_word(text, words[i]))
            return false;
    return true;
}

/* The code point of the LEN bytes at S, which are one well-formed character. */
static unsigned code_point(const char *s, size_t len)
{
    static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned cp = (unsigned char)s[0] & mask[len];

    for (size_t i = 1; i < len; i++)
        cp = cp << 6 | ((unsigned char)s[i] & 0x3f);
    return cp;
}

/* Control characters, and what some readers take for a line break or a byte order mark. */
static bool needs_escape(unsigned cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp <= 0xa0) || cp == 0x2028 || cp == 0x2029 || cp == 0xfeff || cp == 0xfffe ||
           cp == 0xffff;
}

static void put_quoted(struct buf *out, const char *text, bool dollars)
{
    size_t len = strlen(text), n;
    bool valid;

    buf_putc(out, '"');
    for (; len > 0; text += n, len -= n) {
        n = utf8_step(text, len, &valid);
        unsigned cp = valid ? code_point(text, n) : 0xfffd;
        if (cp == '"' || cp == '\\')
            buf_printf(out, "\\%c", (int)cp);
        else if (cp == '\n')
            buf_puts(out, "\\n");
        else if (cp == '\t')
            buf_puts(out, "\\t");
        else if (cp == '$' && dollars)
            buf_puts(out, "$$");
        else if (!valid || needs_escape(cp))
            buf_printf(out, "\\u%04X", cp);
        else
            buf_add(out, text, n);
    }
    buf_putc(out, '"');
}

void print_text(struct buf *out, const char *text)
{
    if (is_plain(text))
        buf_puts(out, text);
    else
        put_quoted(out, text, false);
}

void print_value_text(struct buf *out, const char *text)
{
    if (is_plain(text))
        buf_puts(out, text);
    else
        put_quoted(out, text, true);
}

/* Lines. */

static void put_key(struct printer *p, const char *key)
{
    unsigned indent = p->dash ? p->indent - 2 : p->indent;

    buf_printf(p->out, "%*s%s", (int)indent, "", p->dash ? "- " : "");
    print_text(p->out, key);
    buf_putc(p->out, ':');
    p->dash = false;
}

static void put_line(struct printer *p, const char *key, const char *value)
{
    put_key(p, key);
    buf_printf(p->out, " %s\n", value);
}

static size_t count_of(const struct schema_row *row, const void *base)
{
    return *(const size_t *)(const void *)((const char *)base + row->extra);
}

void print_nothing(struct printer *p, const struct schema_row *row, const void *base)
{
    (void)p;
    (void)row;
    (void)base;
}

void print_bool(struct printer *p, const struct schema_row *row, const void *base)
{
    put_line(p, row->key, *(const bool *)schema_const_field(row, base) ? "true" : "false");
}

/* A value that no file can have is that nothing was said. */
static bool is_said(const struct schema_row *row, int64_t value)
{
    return value >= row->min && value <= row->max;
}

void print_int(struct printer *p, const struct schema_row *row, const void *base)
{
    int64_t value = *(const int64_t *)schema_const_field(row, base);
    char text[32];

    if (!is_said(row, value))
        return;
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    put_line(p, row->key, text);
}

void print_size(struct printer *p, const struct schema_row *row, const void *base)
{
    char text[32];

    put_line(p, row->key, parse_size_text(*(const int64_t *)schema_const_field(row, base), text, sizeof text));
}

void print_decimal(struct printer *p, const struct schema_row *row, const void *base)
{
    double value = *(const double *)schema_const_field(row, base), back = 0;
    char text[64];

    /* The fewest digits that read back as the same number; parse_decimal() looks at no more than 22. */
    for (int digits = 0; digits <= 22; digits++) {
        (void)snprintf(text, sizeof text, "%.*f", digits, value);
        if (parse_decimal(text, &back) && !(back < value) && !(back > value))
            break;
    }
    put_line(p, row->key, text);
}

void print_duration(struct printer *p, const struct schema_row *row, const void *base)
{
    int64_t ms = *(const int64_t *)schema_const_field(row, base);
    char text[32];

    if (is_said(row, ms))
        put_line(p, row->key, parse_duration_text(ms, text, sizeof text));
}

void print_mode(struct printer *p, const struct schema_row *row, const void *base)
{
    int mode = *(const int *)schema_const_field(row, base);
    char text[32];

    if (mode < 0)
        return;
    (void)snprintf(text, sizeof text, "\"%04o\"", (unsigned)mode);
    put_line(p, row->key, text);
}

static const char *signal_text(int sig, char *buf, size_t size)
{
    const char *name = parse_signal_name(sig);

    (void)snprintf(buf, size, "%d", sig);
    return name ? name : buf;
}

void print_signal(struct printer *p, const struct schema_row *row, const void *base)
{
    int sig = *(const int *)schema_const_field(row, base);
    char text[32];

    if (sig > 0)
        put_line(p, row->key, signal_text(sig, text, sizeof text));
}

/* The line of KEY with the string TEXT. */
static void put_string(struct printer *p, const char *key, const char *text)
{
    put_key(p, key);
    buf_putc(p->out, ' ');
    print_value_text(p->out, text);
    buf_putc(p->out, '\n');
}

void print_choice(struct printer *p, const struct schema_row *row, const void *base)
{
    const char *word = schema_word(row->words, *(const int *)schema_const_field(row, base));

    if (word)
        put_string(p, row->key, word);
    else
        (void)BUG_IF(row->def); /* without a default, nothing was said */
}

void print_string(struct printer *p, const struct schema_row *row, const void *base)
{
    const char *text = *(const char *const *)schema_const_field(row, base);

    if (text)
        put_string(p, row->key, text);
}

void print_notify(struct printer *p, const struct schema_row *row, const void *base)
{
    if (*(const enum spec_ready_kind *)schema_const_field(row, base) == SPEC_READY_NOTIFY)
        put_line(p, row->key, "true");
}

/* The address of TCP and that of HTTP are one field: which of them it is tells its path. */
static void put_endpoint(struct printer *p, const char *key, const struct spec_endpoint *e, bool has_path)
{
    if (e->text && (e->path != NULL) == has_path)
        put_string(p, key, e->text);
}

void print_tcp(struct printer *p, const struct schema_row *row, const void *base)
{
    put_endpoint(p, row->key, schema_const_field(row, base), false);
}

void print_http(struct printer *p, const struct schema_row *row, const void *base)
{
    put_endpoint(p, row->key, schema_const_field(row, base), true);
}

void print_cron(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_cron *cron = schema_const_field(row, base);

    if (cron->text)
        put_string(p, row->key, cron->text);
}

/* Lists. */

/* The line of KEY with a list of FIRST, unless that is NULL, and of the N strings ITEMS. */
static void put_list_after(struct printer *p, const char *key, const char *first, char *const *items, size_t n)
{
    put_key(p, key);
    buf_printf(p->out, " [%s", first ? first : "");
    for (size_t i = 0; i < n; i++) {
        buf_puts(p->out, i || first ? ", " : "");
        print_value_text(p->out, items[i]);
    }
    buf_puts(p->out, "]\n");
}

static void put_list(struct printer *p, const char *key, char *const *items, size_t n)
{
    put_list_after(p, key, NULL, items, n);
}

static size_t list_length(char *const *items)
{
    size_t n = 0;

    while (items && items[n])
        n++;
    return n;
}

void print_words(struct printer *p, const struct schema_row *row, const void *base)
{
    if (count_of(row, base) > 0)
        put_list(p, row->key, *(char **const *)schema_const_field(row, base), count_of(row, base));
}

void print_test(struct printer *p, const struct schema_row *row, const void *base)
{
    if (count_of(row, base) > 0)
        put_list_after(p, row->key, "CMD", *(char **const *)schema_const_field(row, base), count_of(row, base));
}

void print_names(struct printer *p, const struct schema_row *row, const void *base)
{
    char *const *names = *(char **const *)schema_const_field(row, base);

    put_list(p, row->key, names, list_length(names));
}

void print_keep(struct printer *p, const struct schema_row *row, const void *base)
{
    char *const *keep = *(char **const *)(const void *)((const char *)base + row->extra);

    if (*(const bool *)schema_const_field(row, base) && keep)
        put_list(p, row->key, keep, list_length(keep));
    else
        print_bool(p, row, base);
}

void print_exits(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_exits *exits = schema_const_field(row, base);
    const char *separator = "";
    char text[32];

    put_key(p, row->key);
    buf_puts(p->out, " [");
    for (unsigned i = 0; i < 256; i++) {
        if (!(exits->codes[i / 64] >> (i % 64) & 1))
            continue;
        buf_printf(p->out, "%s%u", separator, i);
        separator = ", ";
    }
    for (unsigned i = 1; i < 128; i++) {
        if (!(exits->signals[i / 64] >> (i % 64) & 1))
            continue;
        buf_printf(p->out, "%s%s", separator, signal_text((int)i, text, sizeof text));
        separator = ", ";
    }
    buf_puts(p->out, "]\n");
}

void print_user(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_user *user = schema_const_field(row, base);

    if (user->text)
        put_string(p, row->key, user->text);
}

void print_groups(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_groups *groups = schema_const_field(row, base);

    put_list(p, row->key, groups->texts, groups->n);
}

void print_caps(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_caps *caps = schema_const_field(row, base);

    put_list(p, row->key, caps->names, list_length(caps->names));
}

void print_security(struct printer *p, const struct schema_row *row, const void *base)
{
    static char option[] = "no-new-privileges:true";
    char *const options[] = {option};

    put_list(p, row->key, options, *(const bool *)schema_const_field(row, base) ? 1 : 0);
}

/* Maps. */

/* The line of a map with N pairs, and the indentation of what follows. */
static void open_map(struct printer *p, const char *key, size_t n)
{
    put_key(p, key);
    buf_puts(p->out, n ? "\n" : " {}\n");
    p->indent += 2;
}

static void put_pair(struct printer *p, const char *key, const char *value)
{
    if (value)
        put_string(p, key, value);
    else
        put_line(p, key, "null");
}

void print_environment(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_env *env = *(struct spec_env *const *)schema_const_field(row, base);
    size_t n = count_of(row, base);

    open_map(p, row->key, n);
    for (size_t i = 0; i < n; i++)
        put_pair(p, env[i].name, env[i].value);
    p->indent -= 2;
}

void print_labels(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_label *labels = *(struct spec_label *const *)schema_const_field(row, base);
    size_t n = count_of(row, base);

    open_map(p, row->key, n);
    for (size_t i = 0; i < n; i++)
        put_pair(p, labels[i].name, labels[i].value);
    p->indent -= 2;
}

void print_depends_on(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_dep *deps = *(struct spec_dep *const *)schema_const_field(row, base);
    size_t n = count_of(row, base);

    open_map(p, row->key, n);
    for (size_t i = 0; i < n; i++) {
        open_map(p, deps[i].service, 1);
        print_rows(p, row->sub, &deps[i]);
        p->indent -= 2;
    }
    p->indent -= 2;
}

/* The list of the N structures at ITEMS, SIZE bytes each, as maps by the rows of ROW's sub-section. */
static void put_maps(struct printer *p, const struct schema_row *row, const void *items, size_t n, size_t size)
{
    put_key(p, row->key);
    buf_puts(p->out, n ? "\n" : " []\n");
    p->indent += 4;
    for (size_t i = 0; i < n; i++) {
        p->dash = true;
        print_rows(p, row->sub, (const char *)items + i * size);
    }
    p->indent -= 4;
}

void print_stop_signal(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_stop_step *steps = *(struct spec_stop_step *const *)schema_const_field(row, base);
    size_t n = count_of(row, base);
    char text[32];

    if (n == 1 && steps[0].wait_ms < 0) {
        put_line(p, row->key, signal_text(steps[0].signal, text, sizeof text));
        return;
    }
    put_maps(p, row, steps, n, sizeof *steps);
}

void print_hooks(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_hook *hooks = *(struct spec_hook *const *)schema_const_field(row, base);

    put_maps(p, row, hooks, count_of(row, base), sizeof *hooks);
}

void print_sockets(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_socket *sockets = *(struct spec_socket *const *)schema_const_field(row, base);

    put_maps(p, row, sockets, count_of(row, base), sizeof *sockets);
}

void print_ulimit(struct printer *p, const struct schema_row *row, const void *base)
{
    uint64_t limit = *(const uint64_t *)schema_const_field(row, base);
    char text[32] = "unlimited";

    if (limit != UINT64_MAX)
        (void)snprintf(text, sizeof text, "%" PRIu64, limit);
    put_line(p, row->key, text);
}

void print_ulimits(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_ulimit *limits = *(struct spec_ulimit *const *)schema_const_field(row, base);
    size_t n = count_of(row, base);

    open_map(p, row->key, n);
    for (size_t i = 0; i < n; i++) {
        open_map(p, ulimits_name(limits[i].resource), 1);
        print_rows(p, row->sub, &limits[i]);
        p->indent -= 2;
    }
    p->indent -= 2;
}

/* A map of which nothing was said is left out: without a pair it would read back as no map at all. */
void print_section(struct printer *p, const struct schema_row *row, const void *base)
{
    size_t before = p->out->len, opened;

    open_map(p, row->key, 1);
    opened = p->out->len;
    print_rows(p, row->sub, schema_const_field(row, base));
    p->indent -= 2;
    if (p->out->len == opened)
        buf_truncate(p->out, before);
}

/* Times without a check, or without a run, would read back as a map that says nothing. */
void print_healthcheck(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_health *h = schema_const_field(row, base);

    if (h->probe.kind != SPEC_PROBE_NONE)
        print_section(p, row, base);
}

void print_schedule(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_schedule *s = schema_const_field(row, base);

    if (s->every_ms > 0 || s->cron.text)
        print_section(p, row, base);
}

/* An option that the driver has no use for would be refused when it is read back. */
void print_log_options(struct printer *p, const struct schema_row *row, const void *base)
{
    const struct spec_log *log = schema_const_field(row, base);
    const struct schema_row *option = NULL;

    if (!spec_log_is_piped(log->driver))
        return; /* neither has any option */
    open_map(p, row->key, 1);
    while ((option = schema_next(row->sub, option)))
        if (log_keys_takes(option->key, log->driver))
            schema_kind(option->kind)->print(p, option, log);
    p->indent -= 2;
}

void print_log_stderr(struct printer *p, const struct schema_row *row, const void *base)
{
    if (*(const bool *)(const void *)((const char *)base + row->extra))
        print_section(p, row, base);
}

void print_rows(struct printer *p, enum schema_section section, const void *base)
{
    const struct schema_row *row = NULL;

    while ((row = schema_next(section, row)))
        schema_kind(row->kind)->print(p, row, base);
}

bool config_print(const struct spec_set *set, struct buf *out)
{
    struct printer p = {.out = out};

    print_rows(&p, SCHEMA_TOP, set);
    open_map(&p, "services", set->n_services);
    for (size_t i = 0; i < set->n_services; i++) {
        open_map(&p, set->services[i].name, 1);
        print_rows(&p, SCHEMA_SERVICE, &set->services[i]);
        p.indent -= 2;
    }
    return !out->failed;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * doc/schema/fosterctl.json: it describes the members that doc/protocol.md names and no others, demands all that are
 * always there, and fits the stored results of tests/golden/ctl.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/tree.h"
#include "json_validator.h"

#include <stdio.h>

enum { FILE_MAX = 1 << 18, NAME_MAX_LEN = 32, NAMES_MAX = 512 };

/* A service has these only when they were asked for. */
static const char *const on_request[] = {
    "processes", "adopted",    "zombies",    "rss_bytes",   "cpu_ms",        "lines",  "type",
    "restart",   "depends_on", "dependents", "stop_signal", "stop_grace_ms", "limits", "log",
};

/* The replies of `hello` and `logs` are not shown by fosterctl. Others are words of text. */
static const char *const not_shown[] = {"protocol", "capabilities", "act",        "fosterd", "wide",     "streams",
                                        "id",       "begins",       "complete",   "untimed", "inode",    "size",
                                        "format",   "raw",          "timestamps", "json",    "since_us", "path"};

/* Words, each once. */
struct names {
    char list[NAMES_MAX][NAME_MAX_LEN];
    size_t n;
};

static bool names_have(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->list[i], name) == 0)
            return true;
    return false;
}

static void names_add(struct names *names, const char *name, size_t len)
{
    char word[NAME_MAX_LEN];

    if (len >= sizeof word)
        return;
    (void)snprintf(word, sizeof word, "%.*s", (int)len, name);
    if (names_have(names, word))
        return;
    assert_true(names->n < NAMES_MAX);
    memcpy(names->list[names->n++], word, sizeof word);
}

static bool is_in(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

/* The file PATH below the source directory; freed by the caller. */
static char *contents(const char *path)
{
    char full[512];
    char *text = calloc(1, FILE_MAX);

    assert_non_null(text);
    (void)snprintf(full, sizeof full, SOURCE_DIR "/%s", path);
    FILE *f = fopen(full, "re");
    if (!f) {
        fail_msg("no %s", full);
        abort();
    }
    assert_in_range(fread(text, 1, FILE_MAX - 1, f), 1, FILE_MAX - 2);
    (void)fclose(f);
    return text;
}

/* What a test looks at. */
struct bench {
    struct arena arena;
    struct diag_list diag;
    const struct tree_node *schema;
};

static const struct tree_node *load(struct bench *b, const char *path)
{
    char *text = contents(path);
    const struct tree_node *root = tree_load(&b->arena, &b->diag, path, text, strlen(text));

    free(text);
    if (!root) {
        fail_msg("%s is no JSON", path);
        abort();
    }
    return root;
}

static void bench_init(struct bench *b)
{
    *b = (struct bench){.arena = {0}};
    b->schema = load(b, "doc/schema/fosterctl.json");
}

static void bench_done(struct bench *b)
{
    diag_done(&b->diag);
    arena_done(&b->arena);
}

/* Adds the names of members below NODE. */
static void add_members(struct names *names, const struct tree_node *node)
{
    const struct tree_node *properties = node->kind == TREE_MAPPING ? tree_get(node, "properties") : NULL;

    for (size_t i = 0; properties && i < properties->n; i++)
        names_add(names, properties->pairs[i].key, strlen(properties->pairs[i].key));
    for (size_t i = 0; node->kind != TREE_SCALAR && i < node->n; i++)
        add_members(names, node->kind == TREE_MAPPING ? node->pairs[i].value : node->items[i]);
}

/* Adds the words of enumerations below NODE. */
static void add_values(struct names *names, const struct tree_node *node)
{
    const struct tree_node *values = node->kind == TREE_MAPPING ? tree_get(node, "enum") : NULL;

    for (size_t i = 0; values && i < values->n; i++)
        names_add(names, values->items[i]->text, strlen(values->items[i]->text));
    for (size_t i = 0; node->kind != TREE_SCALAR && i < node->n; i++)
        add_values(names, node->kind == TREE_MAPPING ? node->pairs[i].value : node->items[i]);
}

/* Adds the words between the backticks of LINE that may be names of members: `pid`, and those of `{pid, name}`. */
static void add_quoted(struct names *names, const char *line, const char *end)
{
    const char *open = memchr(line, '`', (size_t)(end - line)), *close;

    for (; open && (close = memchr(open + 1, '`', (size_t)(end - open - 1)));
         open = memchr(close + 1, '`', (size_t)(end - close - 1))) {
        bool list = open[1] == '{';
        const char *at = open + 1 + list;
        size_t span = strspn(at, list ? "abcdefghijklmnopqrstuvwxyz_, " : "abcdefghijklmnopqrstuvwxyz_");

        if (at + span + list != close)
            continue;
        while (at < close - list) {
            size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
            names_add(names, at, len);
            at += len;
            at += strspn(at, ", }");
        }
    }
}

/* Adds what the lines from FROM to END name that begin with ONLY ("": all); with FIRST, of a table its first column. */
static void add_lines(struct names *names, const char *from, const char *end, const char *only, bool first)
{
    for (const char *at = from, *stop; at < end; at = stop + 1) {
        stop = at + strcspn(at, "\n");
        const char *column = first && *at == '|' ? memchr(at + 1, '|', (size_t)(stop - at - 1)) : NULL;
        if (strncmp(at, only, strlen(only)) == 0)
            add_quoted(names, at, column ? column : stop);
    }
}

static const char *find(const char *page, const char *text)
{
    const char *at = strstr(page, text);

    if (!at) {
        fail_msg("doc/protocol.md does not say '%s'", text);
        abort();
    }
    return at;
}

static void the_page_names_what_the_schema_has(void **state)
{
    struct bench b;
    static struct names schema, named;
    char *page = contents("doc/protocol.md");

    (void)state;
    bench_init(&b);
    add_members(&schema, b.schema);
    add_lines(&named, page, page + strlen(page), "", false);
    assert_true(schema.n > 60);
    for (size_t i = 0; i < schema.n; i++) {
        char quoted[NAME_MAX_LEN + 2];
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", schema.list[i]);
        if (!names_have(&named, schema.list[i]) && !strstr(page, quoted))
            fail_msg("the schema has %s, doc/protocol.md does not", schema.list[i]);
    }
    bench_done(&b);
    free(page);
}

static void the_schema_has_what_the_page_names(void **state)
{
    struct bench b;
    static struct names known, named;
    char *page = contents("doc/protocol.md");
    const char *objects = find(page, "\n## Objects\n"), *events = find(objects, "\nEvents: ");

    (void)state;
    bench_init(&b);
    add_members(&known, b.schema);
    add_values(&known, b.schema);
    for (size_t i = 0; i < tree_get(b.schema, "definitions")->n; i++) {
        const char *verb = tree_get(b.schema, "definitions")->pairs[i].key;
        names_add(&known, verb, strlen(verb));
    }
    add_lines(&named, objects, events, "", true);
    add_lines(&named, find(events, "\n\n"), find(events, "\n## Methods\n"), "", true);
    add_lines(&named, find(events, "\n## Methods\n"), page + strlen(page), "Result: ", true);
    assert_true(named.n > 60);
    for (size_t i = 0; i < named.n; i++)
        if (!names_have(&known, named.list[i]) && !is_in(named.list[i], not_shown, ARRAY_LEN(not_shown)))
            fail_msg("doc/protocol.md has %s, the schema does not", named.list[i]);
    bench_done(&b);
    free(page);
}

/* Each object of the schema below NODE demands all its members, but for those of a service that come on request. */
static size_t check_required(const struct tree_node *node, const struct tree_node *service)
{
    const struct tree_node *properties = node->kind == TREE_MAPPING ? tree_get(node, "properties") : NULL;
    const struct tree_node *required = properties ? tree_get(node, "required") : NULL;
    size_t n = properties != NULL;

    if (properties && !required)
        fail_msg("line %u: an object demands nothing", node->pos.line);
    for (size_t i = 0; properties && i < properties->n; i++) {
        const char *name = properties->pairs[i].key;
        bool there = false;
        for (size_t k = 0; k < required->n; k++)
            there = there || strcmp(required->items[k]->text, name) == 0;
        if (there == (node == service && is_in(name, on_request, ARRAY_LEN(on_request))))
            fail_msg("%s is %s", name, there ? "demanded, and there on request only" : "not demanded");
    }
    for (size_t i = 0; required && i < required->n; i++)
        if (!tree_get(properties, required->items[i]->text))
            fail_msg("%s is demanded, and not described", required->items[i]->text);
    for (size_t i = 0; node->kind != TREE_SCALAR && i < node->n; i++)
        n += check_required(node->kind == TREE_MAPPING ? node->pairs[i].value : node->items[i], service);
    return n;
}

static void objects_demand_their_members(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    assert_true(check_required(b.schema, tree_get(tree_get(b.schema, "definitions"), "service")) > 20);
    bench_done(&b);
}

static void stored_results_fit(void **state)
{
    static const struct {
        const char *file, *definition;
    } rows[] = {
        {"ps", "ps"},          {"hostile", "ps"},      {"service", "ps"},    {"tree", "tree"},    {"graph", "graph"},
        {"restart", "start"},  {"restart", "wait"},    {"reload", "reload"}, {"reload", "scale"}, {"events", "events"},
        {"doctor", "doctor"},  {"zombies", "zombies"}, {"cure", "cure"},     {"plot", "plot"},    {"plot-40", "plot"},
        {"plot-late", "plot"}, {"health", "ps"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench b;
        char path[64];

        bench_init(&b);
        (void)snprintf(path, sizeof path, "tests/golden/ctl/%s.json", rows[i].file);
        const struct tree_node *result = load(&b, path);
        const struct tree_node *definition = tree_get(tree_get(b.schema, "definitions"), rows[i].definition);
        struct json_validator v = {.root = b.schema};
        bool list = result->kind == TREE_SEQUENCE;
        assert_non_null(definition);
        for (size_t k = 0; k < (list ? result->n : 1); k++)
            if (!json_valid(&v, definition, list ? result->items[k] : result))
                fail_msg("%s[%zu] is no result of %s", rows[i].file, k, rows[i].definition);
        assert_int_equal(v.n_unknown, 0);
        /* What is not whole is not taken. */
        assert_false(json_valid(&v, definition, tree_get(b.schema, "definitions")));
        bench_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_names_what_the_schema_has),
        cmocka_unit_test(the_schema_has_what_the_page_names),
        cmocka_unit_test(objects_demand_their_members),
        cmocka_unit_test(stored_results_fit),
    };
    return cmocka_run_group_tests_name("ctl_schema", tests, NULL, NULL);
}

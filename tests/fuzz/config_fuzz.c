/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Any bytes as a configuration: they are refused with a reason, or give a set that prints and reads back
 * as the same set. Lines "##file" cut the input into files: the first part is the main one, and a path
 * names the part of its last digit ("conf/1.yaml", "2.env"); all others are missing.
 */
#include "base/utf8.h"
#include "core/config.h"
#include "core/tree.h"

#include "support/accounts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTS_MAX = 10,
    MEMORY_MAX = 16 << 20,
    /* Printing writes out every default: a longer text may rightly break the caps on files when read back. */
    PRINTED_MAX = 256 << 10,
};

static const char separator[] = "\n##file\n";

struct part {
    const char *text;
    size_t len;
};

struct input {
    struct part parts[PARTS_MAX];
    size_t n;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): a build for speed must check as well. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static const char *find_separator(const char *text, size_t len)
{
    size_t n = sizeof separator - 1;

    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(text + i, separator, n) == 0)
            return text + i;
    return NULL;
}

static void split(struct input *in, const char *text, size_t len)
{
    const char *end;

    in->n = 0;
    while (in->n + 1 < PARTS_MAX && (end = find_separator(text, len))) {
        in->parts[in->n++] = (struct part){text, (size_t)(end - text)};
        len -= (size_t)(end - text) + sizeof separator - 1;
        text = end + sizeof separator - 1;
    }
    in->parts[in->n++] = (struct part){text, len};
}

static const struct part *find_part(const struct input *in, const char *path)
{
    if (strcmp(path, "main") == 0)
        return &in->parts[0];
    for (size_t i = strlen(path); i-- > 0;)
        if (path[i] >= '0' && path[i] <= '9')
            return (size_t)(path[i] - '0') < in->n ? &in->parts[path[i] - '0'] : NULL;
    return NULL;
}

static bool read_part(const char *path, size_t max, struct buf *out, bool *ret_missing, char *why, size_t why_size,
                      void *data)
{
    const struct part *part = find_part(data, path);

    *ret_missing = part == NULL;
    if (part && part->len <= max && buf_add(out, part->text, part->len))
        return true;
    if (why_size > 0)
        why[0] = '\0';
    return false;
}

static bool glob_parts(struct arena *a, const char *pattern, char ***ret, size_t *ret_n, void *data)
{
    const struct input *in = data;
    char **paths = arena_array(a, PARTS_MAX, sizeof(char *));

    (void)pattern;
    if (!paths)
        return false;
    for (size_t i = 1; i < in->n; i++) {
        paths[i - 1] = arena_printf(a, "%zu.yaml", i);
        if (!paths[i - 1])
            return false;
    }
    *ret = paths;
    *ret_n = in->n - 1;
    return true;
}

static const char *get_variable(const char *name, void *data)
{
    (void)data;
    switch (name[0]) {
    case 'E':
        return "";
    case 'D':
        return "$NAME ${NAME} $$";
    case 'P':
        return "8080";
    case 'L':
        return "latin-1 \xe9";
    case 'V':
        return "a value: [with] {yaml} \"in\" 'it' # \\ \xc3\xa9";
    default:
        return NULL;
    }
}

/* Nodes below NODE and itself, with the promises of core/tree.h. */
static size_t check_tree(const struct tree_node *node, unsigned depth)
{
    size_t n = 1;

    require(node->pos.line > 0 && node->pos.column > 0 && strcmp(node->pos.file, "main") == 0);
    if (node->kind == TREE_SCALAR) {
        require(!node->null || node->plain);
        for (size_t i = 0, len = strlen(node->text), step; i < len; i += step) {
            bool valid;

            step = utf8_step(node->text + i, len - i, &valid);
            require(valid);
        }
        return n;
    }
    require(depth < TREE_DEPTH_MAX);
    for (size_t i = 0; i < node->n; i++) {
        bool is_pair = node->kind == TREE_MAPPING;

        require(!is_pair || strlen(node->pairs[i].key) <= TREE_KEY_MAX);
        require(!is_pair || i > 1000 || tree_get(node, node->pairs[i].key) == node->pairs[i].value);
        n += check_tree(is_pair ? node->pairs[i].value : node->items[i], depth + 1);
    }
    return n;
}

static void check_problems(struct diag_list *d)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    diag_sort(d);
    diag_print(d, &out);
    require(!out.failed);
    for (const char *p = buf_str(&out); *p != '\0'; p++)
        require(*p == '\n' || (unsigned char)*p >= 0x20);
    buf_done(&out);
}

static void fuzz_tree(const struct part *text)
{
    struct arena arena = {.max = MEMORY_MAX};
    struct diag_list d = {.n = 0};
    struct tree_node *root = tree_load(&arena, &d, "main", text->text, text->len);

    require(root || d.n_errors > 0);
    if (root) {
        require(check_tree(root, 0) <= TREE_NODES_MAX);
        tree_expand(&arena, &d, root, get_variable, NULL);
    }
    check_problems(&d);
    diag_done(&d);
    arena_done(&arena);
}

static struct spec_set *load(struct input *in)
{
    const struct config_source source = {
        .read = read_part,
        .glob = glob_parts,
        .getenv = get_variable,
        .user = accounts_user,
        .group = accounts_group,
        .capability = accounts_capability,
        .data = in,
    };
    const struct config_options options = {.memory_max = MEMORY_MAX};
    struct diag_list d = {.n = 0};
    struct spec_set *set = config_load("main", &source, &options, &d);

    require((set == NULL) == (d.n_errors > 0));
    check_problems(&d);
    diag_done(&d);
    return set;
}

static void read_back(const struct spec_set *set)
{
    struct input again = {.n = 1};
    struct spec_set *copy;
    struct buf out;

    buf_init(&out, PRINTED_MAX);
    if (config_print(set, &out)) {
        again.parts[0] = (struct part){buf_str(&out), out.len};
        copy = load(&again);
        require(copy != NULL);
        require(spec_set_equal(set, copy));
        spec_set_free(copy);
    }
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size > 0 ? (const char *)data : "";
    struct input in;
    struct spec_set *set;

    split(&in, text, size);
    fuzz_tree(&in.parts[0]);
    set = load(&in);
    if (set)
        read_back(set);
    spec_set_free(set);
    return 0;
}

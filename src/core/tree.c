/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From libyaml's events to a tree of nodes. The event interface is used because the document interface
 * of libyaml resolves anchors in quadratic time, builds cyclic graphs, and keeps duplicate keys.
 *
 * DIAGNOSTICS: an error of meaning is noted and reading goes on: a duplicate key, a tag or a second `<<` is left
 * out of the tree, anything else leaves no tree. A syntax error, a cap or refused memory ends the reading.
 * BUGS: libyaml asks libc for its memory, not base/mem.h: it has no hook. Its refusals come back as
 * YAML_MEMORY_ERROR, and all it holds is deleted on every path.
 */
#include "base/utf8.h"
#include "core/tree_impl.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { PAIRS_MIN = 64 };

static const char merge_key[] = "<<";

/* A name for a node. A name may be given again; the last one counts. */
struct anchor {
    const char *name;
    struct tree_node *node;
    bool open; /* the node's end was not reached: an alias would make it contain itself */
};

/* A collection whose end was not reached. */
struct frame {
    struct tree_node *node;
    size_t first;            /* its first pair in the loader's pairs */
    struct anchor *anchor;   /* borrowed, or NULL */
    struct diag_pos key_pos; /* of the key that waits for its value */
    const char *key;         /* that key; NULL: refused, its value is dropped */
    bool has_key;            /* mapping: a value comes next */
    bool is_merge;           /* that key is `<<` */
    struct tree_node *merge; /* value of `<<`, or NULL */
    struct diag_pos merge_pos;
};

struct loader {
    struct arena *a;
    struct diag_list *d;
    const char *file; /* in the arena */
    struct frame frames[TREE_DEPTH_MAX];
    unsigned depth;
    struct tree_pair *pairs; /* owned; members of all open collections, the innermost last */
    size_t n_pairs;
    size_t cap_pairs;
    struct anchor anchors[TREE_ANCHORS_MAX];
    size_t n_anchors;
    struct tree_budget budget;
    struct tree_node *root;
    struct tree_node refused; /* stands for what an error was reported of, so that it gives no second one */
    bool has_document;
    bool unusable; /* an error that leaves a hole in the tree, so that there is none in the end */
    bool stop;     /* an error after which nothing more can be read */
};

static struct diag_pos mark_pos(const struct loader *l, yaml_mark_t mark)
{
    return (struct diag_pos){.file = l->file, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

static void out_of_memory(struct loader *l, struct diag_pos pos)
{
    diag_error(l->d, pos, "no memory for the configuration; make it smaller, or give the daemon more");
    l->stop = true;
}

static struct tree_node *new_node(struct loader *l, enum tree_kind kind, struct diag_pos pos)
{
    struct tree_node *node;

    if (l->budget.n_nodes == 0) {
        diag_error(l->d, pos, "the file has over %d nodes; split it with include", TREE_NODES_MAX);
        l->stop = true;
        return NULL;
    }
    l->budget.n_nodes--;
    node = arena_alloc(l->a, sizeof *node);
    if (!node) {
        out_of_memory(l, pos);
        return NULL;
    }
    node->kind = kind;
    node->pos = pos;
    node->text = "";
    return node;
}

/* Anchors, tags */

/* Names NODE; NULL when the event has no anchor, or there is no more room. */
static struct anchor *add_anchor(struct loader *l, const yaml_char_t *name, struct tree_node *node, bool open)
{
    struct anchor *anchor = &l->anchors[l->n_anchors];

    if (!name)
        return NULL;
    if (l->n_anchors == TREE_ANCHORS_MAX) {
        diag_error(l->d, node->pos, "the file has over %d anchors; remove those that are not used", TREE_ANCHORS_MAX);
        l->stop = true;
        return NULL;
    }
    *anchor = (struct anchor){.name = arena_strdup(l->a, (const char *)name), .node = node, .open = open};
    if (!anchor->name) {
        out_of_memory(l, node->pos);
        return NULL;
    }
    l->n_anchors++;
    return anchor;
}

static const struct anchor *find_anchor(const struct loader *l, const char *name)
{
    for (size_t i = l->n_anchors; i-- > 0;)
        if (strcmp(l->anchors[i].name, name) == 0)
            return &l->anchors[i];
    return NULL;
}

static void refuse_tag(struct loader *l, const yaml_char_t *tag, struct diag_pos pos)
{
    static const char core[] = "tag:yaml.org,2002:";
    const char *name = (const char *)tag;
    bool is_core = name && strncmp(name, core, sizeof core - 1) == 0;

    if (name)
        diag_error(l->d, pos, "tags are not supported (%s%s); remove this one, and quote the value to make it a string",
                   is_core ? "!!" : "", is_core ? name + sizeof core - 1 : name);
}

/* Keys */

static bool is_merge_key(const struct tree_node *node)
{
    return node->plain && strcmp(node->text, merge_key) == 0;
}

/* The text of the key NODE, or NULL with an error. */
static const char *key_text(struct loader *l, const struct tree_node *node)
{
    size_t len;

    if (node == &l->refused)
        return NULL;
    if (node->kind != TREE_SCALAR) {
        l->unusable = true;
        diag_error(l->d, node->pos, "a %s cannot be a key; write a name, and quote one that begins with \"{\" or \"[\"",
                   node->kind == TREE_MAPPING ? "mapping" : "list");
        return NULL;
    }
    if (node->plain && node->text[0] == '\0') {
        l->unusable = true;
        diag_error(l->d, node->pos, "a key is missing here; write \"key: value\"");
        return NULL;
    }
    len = strlen(node->text);
    if (len > TREE_KEY_MAX) {
        l->unusable = true;
        diag_error(l->d, node->pos, "the key \"%.*s…\" has %zu bytes; a key has at most %d",
                   (int)utf8_cut(node->text, len, 20), node->text, len, TREE_KEY_MAX);
        return NULL;
    }
    return node->text;
}

static void take_key(struct loader *l, struct frame *f, const struct tree_node *node)
{
    f->key = key_text(l, node);
    f->key_pos = node->pos;
    f->is_merge = f->key && is_merge_key(node);
    f->has_key = true;
}

/* Delivering a finished node to the collection it is in */

static void push_pair(struct loader *l, struct tree_pair pair)
{
    if (!mem_grow(&l->pairs, &l->cap_pairs, l->n_pairs + 1, sizeof *l->pairs)) {
        out_of_memory(l, pair.value->pos);
        return;
    }
    l->pairs[l->n_pairs++] = pair;
}

static void take_merge(struct loader *l, struct frame *f, struct tree_node *value)
{
    if (f->merge) {
        diag_error(l->d, f->key_pos, "\"<<\" is already on line %u; write one, with a list: <<: [*a, *b]",
                   f->merge_pos.line);
        return;
    }
    f->merge = value;
    f->merge_pos = f->key_pos;
}

static void take_value(struct loader *l, struct frame *f, struct tree_node *value)
{
    f->has_key = false;
    if (f->is_merge)
        take_merge(l, f, value);
    else if (f->key)
        push_pair(l, (struct tree_pair){.key = f->key, .key_pos = f->key_pos, .value = value});
}

static void deliver(struct loader *l, struct tree_node *node)
{
    struct frame *f = l->depth > 0 ? &l->frames[l->depth - 1] : NULL;

    if (!f)
        l->root = node;
    else if (f->node->kind == TREE_SEQUENCE)
        push_pair(l, (struct tree_pair){.value = node});
    else if (f->has_key)
        take_value(l, f, node);
    else
        take_key(l, f, node);
}

/* Scalars and aliases */

/* Instead of an alias at POS that stands for nothing. */
static void deliver_refused(struct loader *l, struct diag_pos pos)
{
    l->refused.pos = pos;
    l->unusable = true;
    deliver(l, &l->refused);
}

static bool is_null_text(const char *s)
{
    return s[0] == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 || strcmp(s, "Null") == 0 ||
           strcmp(s, "NULL") == 0;
}

static void on_scalar(struct loader *l, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    struct tree_node *node = new_node(l, TREE_SCALAR, mark_pos(l, event->start_mark));

    if (!node)
        return;
    refuse_tag(l, event->data.scalar.tag, node->pos);
    if (memchr(text, '\0', len)) {
        diag_error(l->d, node->pos, "the text holds a NUL byte; remove the \\0 from it");
        l->unusable = true;
    }
    node->text = arena_strndup(l->a, text, len);
    if (!node->text) {
        out_of_memory(l, node->pos);
        return;
    }
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->null = node->plain && is_null_text(node->text);
    add_anchor(l, event->data.scalar.anchor, node, false);
    deliver(l, node);
}

static void on_alias(struct loader *l, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *anchor = find_anchor(l, name);
    struct diag_pos pos = mark_pos(l, event->start_mark);
    struct tree_node *copy;

    if (!anchor) {
        diag_error(l->d, pos, "no anchor \"%s\" before this alias; define it with &%s", name, name);
        deliver_refused(l, pos);
        return;
    }
    if (anchor->open) {
        diag_error(l->d, pos, "the alias \"%s\" is inside the node it names; move it out of line %u", name,
                   anchor->node->pos.line);
        deliver_refused(l, pos);
        return;
    }
    copy = tree_copy(l->a, l->d, pos, anchor->node, l->depth, &l->budget);
    if (!copy) {
        l->stop = true;
        return;
    }
    copy->pos = pos;
    deliver(l, copy);
}

/* Collections */

static void on_start(struct loader *l, enum tree_kind kind, const yaml_char_t *anchor, const yaml_char_t *tag,
                     struct diag_pos pos)
{
    struct tree_node *node;

    if (l->depth == TREE_DEPTH_MAX) {
        diag_error(l->d, pos, "the nesting is over %d levels deep; make it flatter", TREE_DEPTH_MAX);
        l->stop = true;
        return;
    }
    node = new_node(l, kind, pos);
    if (!node)
        return;
    refuse_tag(l, tag, pos);
    l->frames[l->depth] =
        (struct frame){.node = node, .first = l->n_pairs, .anchor = add_anchor(l, anchor, node, true)};
    l->depth++;
}

static int by_key(const void *left, const void *right)
{
    const struct tree_pair *a = *(const struct tree_pair *const *)left;
    const struct tree_pair *b = *(const struct tree_pair *const *)right;
    int order = strcmp(a->key, b->key);

    return order != 0 ? order : (a > b) - (a < b);
}

/* Removes from the N pairs of one mapping all but the first of each key, and says how many are left. */
static size_t refuse_duplicates(struct loader *l, struct tree_pair *pairs, size_t n, struct diag_pos pos)
{
    struct tree_pair **sorted = mem_array(n, sizeof(struct tree_pair *));
    size_t kept = 0;

    if (!sorted) {
        out_of_memory(l, pos);
        return n;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = &pairs[i];
    qsort(sorted, n, sizeof(struct tree_pair *), by_key);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (strcmp(sorted[i]->key, sorted[first]->key) != 0) {
            first = i;
            continue;
        }
        diag_error(l->d, sorted[i]->key_pos, "the key \"%s\" is already on line %u; keep one of them", sorted[i]->key,
                   sorted[first]->key_pos.line);
        sorted[i]->key = NULL;
    }
    mem_free(sorted);
    for (size_t i = 0; i < n; i++)
        if (pairs[i].key)
            pairs[kept++] = pairs[i];
    return kept;
}

/* A syntax error leaves collections open; what they hold so far is told as well. */
static void refuse_open_duplicates(struct loader *l)
{
    for (size_t end = l->n_pairs; l->depth > 0; l->depth--) {
        const struct frame *f = &l->frames[l->depth - 1];

        if (f->node->kind == TREE_MAPPING)
            (void)refuse_duplicates(l, l->pairs + f->first, end - f->first, f->node->pos);
        end = f->first;
    }
}

static bool is_layer(struct loader *l, const struct tree_node *node, struct diag_pos pos)
{
    l->unusable |= node->kind != TREE_MAPPING;
    if (node->kind != TREE_MAPPING && node != &l->refused)
        diag_error(l->d, pos, "\"<<\" takes a mapping or a list of mappings; write <<: *ANCHOR of a mapping");
    return node->kind == TREE_MAPPING;
}

/* Merges what `<<` has into the finished mapping MAP. */
static void merge_into(struct loader *l, struct tree_node *map, struct tree_node *value)
{
    bool is_list = value->kind == TREE_SEQUENCE;
    size_t n_values = is_list ? value->n : 1;
    size_t n = 0;
    struct tree_node *merged;
    struct tree_node **layers = mem_array(n_values + 1, sizeof(struct tree_node *));

    if (!layers) {
        out_of_memory(l, value->pos);
        return;
    }
    layers[n++] = map;
    for (size_t i = 0; i < n_values; i++) {
        struct tree_node *layer = is_list ? value->items[i] : value;

        if (is_layer(l, layer, layer->pos))
            layers[n++] = layer;
    }
    merged = tree_merge_layers(l->a, l->d, layers, n);
    if (merged)
        *map = *merged;
    else
        l->stop = true;
    mem_free(layers);
}

static void fill_sequence(struct tree_node *node, const struct tree_pair *pairs, size_t n, struct arena *a)
{
    node->items = arena_array(a, n, sizeof(struct tree_node *));
    if (!node->items)
        return;
    for (size_t i = 0; i < n; i++)
        node->items[i] = pairs[i].value;
    node->n = n;
}

static void fill_mapping(struct tree_node *node, const struct tree_pair *pairs, size_t n, struct arena *a)
{
    node->pairs = arena_array(a, n, sizeof *pairs);
    if (!node->pairs)
        return;
    if (n > 0)
        memcpy(node->pairs, pairs, n * sizeof *pairs);
    node->n = n;
}

static void on_end(struct loader *l)
{
    struct frame *f = &l->frames[--l->depth];
    struct tree_node *node = f->node;

    if (node->kind == TREE_SEQUENCE)
        fill_sequence(node, l->pairs + f->first, l->n_pairs - f->first, l->a);
    else
        fill_mapping(node, l->pairs + f->first, l->n_pairs - f->first, l->a);
    l->n_pairs = f->first;
    if (!node->items && !node->pairs) {
        out_of_memory(l, node->pos);
        return;
    }
    if (node->kind == TREE_MAPPING)
        node->n = refuse_duplicates(l, node->pairs, node->n, node->pos);
    if (f->merge && !l->stop)
        merge_into(l, node, f->merge);
    if (f->anchor)
        f->anchor->open = false;
    deliver(l, node);
}

/* Events */

static void on_document(struct loader *l, const yaml_event_t *event)
{
    struct diag_pos pos = mark_pos(l, event->start_mark);

    if (l->has_document) {
        diag_error(l->d, pos, "a second document begins here; keep one in a file, and use include for more");
        l->stop = true;
    } else if (event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end) {
        diag_error(l->d, pos, "tags are not supported; remove the %%TAG lines above");
    }
    l->has_document = true;
}

static void on_event(struct loader *l, const yaml_event_t *event)
{
    struct diag_pos pos = mark_pos(l, event->start_mark);

    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        on_document(l, event);
        break;
    case YAML_SCALAR_EVENT:
        on_scalar(l, event);
        break;
    case YAML_ALIAS_EVENT:
        on_alias(l, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        on_start(l, TREE_SEQUENCE, event->data.sequence_start.anchor, event->data.sequence_start.tag, pos);
        break;
    case YAML_MAPPING_START_EVENT:
        on_start(l, TREE_MAPPING, event->data.mapping_start.anchor, event->data.mapping_start.tag, pos);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_end(l);
        break;
    default:
        break; /* begin and end of stream and document say nothing that we need */
    }
}

static struct diag_pos inner_pos(const struct loader *l)
{
    return l->depth > 0 ? l->frames[l->depth - 1].node->pos : (struct diag_pos){.file = l->file};
}

static void read_events(struct loader *l, const struct tree_text *t)
{
    yaml_parser_t parser;
    bool is_last = false;

    if (!yaml_parser_initialize(&parser)) {
        out_of_memory(l, (struct diag_pos){.file = l->file});
        return;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)t->bytes, t->len);
    while (!l->stop && !is_last) {
        yaml_event_t event;

        if (!yaml_parser_parse(&parser, &event)) {
            tree_syntax_error(t, &parser, inner_pos(l), l->d);
            refuse_open_duplicates(l);
            l->stop = true;
            break;
        }
        is_last = event.type == YAML_STREAM_END_EVENT;
        on_event(l, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}

/* A file of comments only is an empty configuration, as is one that holds null. */
static struct tree_node *finish(struct loader *l)
{
    if (!l->stop && (!l->root || l->root->null))
        l->root = new_node(l, TREE_MAPPING, (struct diag_pos){.file = l->file, .line = 1, .column = 1});
    return l->root;
}

static struct loader *new_loader(struct arena *a, struct diag_list *d, const char *file)
{
    struct loader *l = mem_alloc(sizeof *l);

    if (!l)
        return NULL;
    l->a = a;
    l->d = d;
    l->file = arena_strdup(a, file);
    l->budget = (struct tree_budget){.n_nodes = TREE_NODES_MAX, .n_bytes = TREE_BYTES_MAX};
    l->refused = (struct tree_node){.kind = TREE_SCALAR, .text = ""};
    /* Room from the start, so that the place of "no pairs" is never computed from NULL. */
    if (!l->file || !mem_grow(&l->pairs, &l->cap_pairs, PAIRS_MIN, sizeof *l->pairs)) {
        mem_free(l);
        return NULL;
    }
    return l;
}

struct tree_node *tree_load(struct arena *a, struct diag_list *d, const char *file, const char *text, size_t len)
{
    struct loader *l = new_loader(a, d, file);
    struct tree_node *root = NULL;
    struct tree_text t;

    if (!l) {
        diag_error(d, (struct diag_pos){.file = file}, "no memory to read the file; give the daemon more");
        return NULL;
    }
    t = (struct tree_text){.file = l->file, .bytes = text, .len = len};
    if (tree_text_check(&t, d)) {
        read_events(l, &t);
        root = finish(l);
        if (l->stop || l->unusable)
            root = NULL;
    }
    mem_free(l->pairs);
    mem_free(l);
    return root;
}

struct tree_node *tree_get(const struct tree_node *node, const char *key)
{
    for (size_t i = 0; node->kind == TREE_MAPPING && i < node->n; i++)
        if (strcmp(node->pairs[i].key, key) == 0)
            return node->pairs[i].value;
    return NULL;
}

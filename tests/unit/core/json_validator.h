/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A checker for the part of JSON Schema that we use. JSON is YAML, so that the schema and the documents
 * are both trees.
 */
#ifndef FOSTER_TESTS_UNIT_CORE_JSON_VALIDATOR_H
#define FOSTER_TESTS_UNIT_CORE_JSON_VALIDATOR_H

#include "base/parse.h"
#include "core/tree.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

/** The schema, and the keywords that it used but the checker does not know. */
struct json_validator {
    const struct tree_node *root;
    unsigned n_unknown;
};

static inline bool json_valid(struct json_validator *v, const struct tree_node *schema, const struct tree_node *node);

static inline bool json_is_number(const struct tree_node *node, bool whole)
{
    int64_t i;
    double d;

    return node->kind == TREE_SCALAR && node->plain &&
           (parse_int(node->text, &i) || (!whole && parse_decimal(node->text, &d)));
}

static inline bool json_has_type(const struct tree_node *node, const char *type)
{
    bool flag, is_bool = node->kind == TREE_SCALAR && node->plain && parse_bool(node->text, &flag);

    if (strcmp(type, "object") == 0)
        return node->kind == TREE_MAPPING;
    if (strcmp(type, "array") == 0)
        return node->kind == TREE_SEQUENCE;
    if (strcmp(type, "null") == 0)
        return node->kind == TREE_SCALAR && node->null;
    if (strcmp(type, "boolean") == 0)
        return is_bool;
    if (strcmp(type, "string") == 0)
        return node->kind == TREE_SCALAR && !node->null && !is_bool && !json_is_number(node, false);
    return json_is_number(node, strcmp(type, "integer") == 0);
}

static inline bool json_matches(const char *pattern, const char *text)
{
    regex_t re;
    bool ret = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) == 0;

    if (!ret)
        abort();
    ret = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return ret;
}

static inline bool json_check_type(struct json_validator *v, const struct tree_node *schema,
                                   const struct tree_node *arg, const struct tree_node *node)
{
    (void)v;
    (void)schema;
    if (arg->kind == TREE_SCALAR)
        return json_has_type(node, arg->text);
    for (size_t i = 0; i < arg->n; i++)
        if (json_has_type(node, arg->items[i]->text))
            return true;
    return false;
}

static inline bool json_check_enum(struct json_validator *v, const struct tree_node *schema,
                                   const struct tree_node *arg, const struct tree_node *node)
{
    (void)v;
    (void)schema;
    for (size_t i = 0; node->kind == TREE_SCALAR && i < arg->n; i++)
        if (strcmp(arg->items[i]->text, node->text) == 0)
            return true;
    return false;
}

static inline bool json_check_pattern(struct json_validator *v, const struct tree_node *schema,
                                      const struct tree_node *arg, const struct tree_node *node)
{
    (void)v;
    (void)schema;
    return !json_has_type(node, "string") || json_matches(arg->text, node->text);
}

static inline bool json_check_length(struct json_validator *v, const struct tree_node *schema,
                                     const struct tree_node *arg, const struct tree_node *node)
{
    (void)v;
    (void)schema;
    return !json_has_type(node, "string") || strlen(node->text) >= strtoul(arg->text, NULL, 10);
}

static inline bool json_check_minimum(struct json_validator *v, const struct tree_node *schema,
                                      const struct tree_node *arg, const struct tree_node *node)
{
    (void)v;
    (void)schema;
    return !json_is_number(node, false) || strtod(node->text, NULL) >= strtod(arg->text, NULL);
}

static inline bool json_check_maximum(struct json_validator *v, const struct tree_node *schema,
                                      const struct tree_node *arg, const struct tree_node *node)
{
    (void)v;
    (void)schema;
    return !json_is_number(node, false) || strtod(node->text, NULL) <= strtod(arg->text, NULL);
}

static inline bool json_check_ref(struct json_validator *v, const struct tree_node *schema, const struct tree_node *arg,
                                  const struct tree_node *node)
{
    const struct tree_node *definitions = tree_get(v->root, "definitions");
    const struct tree_node *target = tree_get(definitions, arg->text + strlen("#/definitions/"));

    (void)schema;
    if (!target)
        abort();
    return json_valid(v, target, node);
}

static inline size_t json_count_valid(struct json_validator *v, const struct tree_node *list,
                                      const struct tree_node *node)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        n += json_valid(v, list->items[i], node);
    return n;
}

static inline bool json_check_any(struct json_validator *v, const struct tree_node *schema, const struct tree_node *arg,
                                  const struct tree_node *node)
{
    (void)schema;
    return json_count_valid(v, arg, node) > 0;
}

static inline bool json_check_one(struct json_validator *v, const struct tree_node *schema, const struct tree_node *arg,
                                  const struct tree_node *node)
{
    (void)schema;
    return json_count_valid(v, arg, node) == 1;
}

static inline bool json_check_all(struct json_validator *v, const struct tree_node *schema, const struct tree_node *arg,
                                  const struct tree_node *node)
{
    (void)schema;
    return json_count_valid(v, arg, node) == arg->n;
}

static inline bool json_check_not(struct json_validator *v, const struct tree_node *schema, const struct tree_node *arg,
                                  const struct tree_node *node)
{
    (void)schema;
    return !json_valid(v, arg, node);
}

static inline bool json_check_items(struct json_validator *v, const struct tree_node *schema,
                                    const struct tree_node *arg, const struct tree_node *node)
{
    (void)schema;
    for (size_t i = 0; node->kind == TREE_SEQUENCE && i < node->n; i++)
        if (!json_valid(v, arg, node->items[i]))
            return false;
    return true;
}

static inline bool json_check_required(struct json_validator *v, const struct tree_node *schema,
                                       const struct tree_node *arg, const struct tree_node *node)
{
    (void)v;
    (void)schema;
    for (size_t i = 0; node->kind == TREE_MAPPING && i < arg->n; i++)
        if (!tree_get(node, arg->items[i]->text))
            return false;
    return true;
}

/* One key of an object: by its name, by the patterns, or as an additional one. */
static inline bool json_property_valid(struct json_validator *v, const struct tree_node *schema,
                                       const struct tree_pair *pair)
{
    const struct tree_node *properties = tree_get(schema, "properties");
    const struct tree_node *patterns = tree_get(schema, "patternProperties");
    const struct tree_node *additional = tree_get(schema, "additionalProperties");
    const struct tree_node *known = properties ? tree_get(properties, pair->key) : NULL;

    if (known)
        return json_valid(v, known, pair->value);
    for (size_t i = 0; patterns && i < patterns->n; i++)
        if (json_matches(patterns->pairs[i].key, pair->key))
            return json_valid(v, patterns->pairs[i].value, pair->value);
    if (!additional)
        return true;
    return additional->kind == TREE_MAPPING && json_valid(v, additional, pair->value);
}

static inline bool json_check_properties(struct json_validator *v, const struct tree_node *schema,
                                         const struct tree_node *arg, const struct tree_node *node)
{
    (void)arg;
    for (size_t i = 0; node->kind == TREE_MAPPING && i < node->n; i++)
        if (!json_property_valid(v, schema, &node->pairs[i]))
            return false;
    return true;
}

static inline bool json_check_nothing(struct json_validator *v, const struct tree_node *schema,
                                      const struct tree_node *arg, const struct tree_node *node)
{
    (void)v;
    (void)schema;
    (void)arg;
    (void)node;
    return true;
}

/** Whether NODE is what SCHEMA describes. */
static inline bool json_valid(struct json_validator *v, const struct tree_node *schema, const struct tree_node *node)
{
    static const struct {
        const char *word;
        bool (*check)(struct json_validator *, const struct tree_node *, const struct tree_node *,
                      const struct tree_node *);
    } words[] = {
        {"type", json_check_type},
        {"enum", json_check_enum},
        {"pattern", json_check_pattern},
        {"minLength", json_check_length},
        {"minimum", json_check_minimum},
        {"maximum", json_check_maximum},
        {"$ref", json_check_ref},
        {"anyOf", json_check_any},
        {"oneOf", json_check_one},
        {"allOf", json_check_all},
        {"not", json_check_not},
        {"items", json_check_items},
        {"required", json_check_required},
        {"properties", json_check_properties},
        {"patternProperties", json_check_properties},
        {"additionalProperties", json_check_properties},
        {"uniqueItems", json_check_nothing},
        {"description", json_check_nothing},
        {"title", json_check_nothing},
        {"definitions", json_check_nothing},
        {"$schema", json_check_nothing},
    };
    bool ok = true;

    for (size_t i = 0; i < schema->n; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(words) && strcmp(words[k].word, schema->pairs[i].key) != 0)
            k++;
        if (k == ARRAY_LEN(words))
            v->n_unknown++;
        else
            ok = words[k].check(v, schema, schema->pairs[i].value, node) && ok;
    }
    return ok;
}

#endif

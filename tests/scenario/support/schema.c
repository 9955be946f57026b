/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The part of JSON Schema that our schema uses; any other word in it fails the test.
 */
#include "scenario/support/schema.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

enum { PATH_MAX_LEN = 256 };

/** Where the check is. */
struct at {
    struct scenario *s;
    const json_t *definitions;
    char path[PATH_MAX_LEN]; /**< tree.services[0].pid */
};

static void check(struct at *at, const json_t *schema, const json_t *value);

static _Noreturn void wrong(const struct at *at, const json_t *value, const char *what)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    print_error("%s\n", text ? text : "?");
    free(text);
    scenario_fail(at->s, "%s: %s", at->path, what);
}

static bool has_type(const json_t *value, const char *type)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
        [JSON_REAL] = "number",   [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null",
    };
    return strcmp(names[json_typeof(value)], type) == 0;
}

static void check_type(struct at *at, const json_t *types, const json_t *value)
{
    size_t i;
    json_t *type;
    bool ok = json_is_string(types) && has_type(value, json_string_value(types));
    json_array_foreach(types, i, type)
    {
        ok = ok || has_type(value, json_string_value(type));
    }
    if (!ok) {
        wrong(at, value, "is of another type");
    }
}

static void check_enum(struct at *at, const json_t *values, const json_t *value)
{
    size_t i;
    json_t *one;
    bool ok = false;
    json_array_foreach(values, i, one)
    {
        ok = ok || json_equal(one, value);
    }
    if (!ok) {
        wrong(at, value, "is none of the values in the schema");
    }
}

static void check_pattern(struct at *at, const json_t *pattern, const json_t *value)
{
    regex_t re;
    if (!json_is_string(value)) {
        return;
    }
    assert_int_equal(regcomp(&re, json_string_value(pattern), REG_EXTENDED | REG_NOSUB), 0);
    bool ok = regexec(&re, json_string_value(value), 0, NULL, 0) == 0;
    regfree(&re);
    if (!ok) {
        wrong(at, value, "does not have the form in the schema");
    }
}

static void check_minimum(struct at *at, const json_t *minimum, const json_t *value)
{
    if (json_is_integer(value) && json_integer_value(value) < json_integer_value(minimum)) {
        wrong(at, value, "is less than the minimum in the schema");
    }
}

static void check_required(struct at *at, const json_t *names, const json_t *value)
{
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name)
    {
        if (json_is_object(value) && !json_object_get(value, json_string_value(name))) {
            wrong(at, value, json_string_value(name));
        }
    }
}

static void check_properties(struct at *at, const json_t *properties, const json_t *value)
{
    size_t len = strlen(at->path);
    const char *key;
    json_t *member;
    if (!json_is_object(value)) {
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const json_t *schema = json_object_get(properties, key);
        (void)snprintf(at->path + len, sizeof(at->path) - len, ".%s", key);
        if (!schema) {
            wrong(at, member, "is not in the schema");
        }
        check(at, schema, member);
        at->path[len] = '\0';
    }
}

static void check_items(struct at *at, const json_t *schema, const json_t *value)
{
    size_t len = strlen(at->path);
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item)
    {
        (void)snprintf(at->path + len, sizeof(at->path) - len, "[%zu]", i);
        check(at, schema, item);
        at->path[len] = '\0';
    }
}

static void check_ref(struct at *at, const json_t *ref, const json_t *value)
{
    static const char prefix[] = "#/definitions/";
    const char *name = json_string_value(ref);
    scenario_check(at->s, name && !strncmp(name, prefix, strlen(prefix)));
    check(at, json_object_get(at->definitions, name + strlen(prefix)), value);
}

static void check_nothing(struct at *at, const json_t *word, const json_t *value)
{
    (void)at;
    (void)word;
    (void)value;
}

static void check(struct at *at, const json_t *schema, const json_t *value)
{
    static const struct {
        const char *name;
        void (*check)(struct at *at, const json_t *arg, const json_t *value);
    } words[] = {
        {"type", check_type},       {"enum", check_enum},         {"pattern", check_pattern},
        {"minimum", check_minimum}, {"required", check_required}, {"properties", check_properties},
        {"items", check_items},     {"$ref", check_ref},          {"description", check_nothing},
    };
    const char *key;
    json_t *arg;
    scenario_check(at->s, json_is_object(schema));
    json_object_foreach((json_t *)(uintptr_t)schema, key, arg)
    {
        size_t i = 0;
        while (i < sizeof(words) / sizeof(words[0]) && strcmp(words[i].name, key) != 0) {
            i++;
        }
        if (i == sizeof(words) / sizeof(words[0])) {
            scenario_fail(at->s, "the schema uses %s, which is not known here", key);
        }
        words[i].check(at, arg, value);
    }
}

json_t *schema_read(struct scenario *s, const char *text)
{
    static json_t *last;
    json_error_t e;
    size_t len = strlen(text);
    json_decref(last);
    last = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (!json_is_object(last) || strchr(text, '\n') != text + len - 1) {
        scenario_fail(s, "this is not one line with one JSON object (%s): '%s'", last ? "" : e.text, text);
    }
    return last;
}

void schema_check(struct scenario *s, const char *name, const json_t *value)
{
    json_error_t e;
    struct at at = {.s = s};
    json_t *root = json_load_file(SOURCE_DIR "/doc/schema/fosterctl.json", JSON_REJECT_DUPLICATES, &e);
    if (!root) {
        scenario_fail(s, "doc/schema/fosterctl.json: %s", e.text);
    }
    at.definitions = json_object_get(root, "definitions");
    (void)snprintf(at.path, sizeof(at.path), "%s", name);
    const json_t *schema = json_object_get(at.definitions, name);
    if (!schema) {
        scenario_fail(s, "doc/schema/fosterctl.json has no definition %s", name);
    }
    check(&at, schema, value);
    json_decref(root);
}

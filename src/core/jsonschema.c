/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The JSON Schema (draft-07) of the file, for editors. A string with a "$" is accepted for every value
 * that is not a string, since a variable may stand there; fosterd itself checks after expansion.
 */
#include "core/jsonschema.h"

#include "core/config.h"
#include "core/endpoint.h"
#include "core/ulimits.h"

#include <string.h>

#define VARIABLE     "{\"$ref\":\"#/definitions/variable\"}"
#define NAME_PATTERN "^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$"
#define SIZE         "{\"type\":\"string\",\"pattern\":\"^[0-9]+(\\\\.[0-9]+)?([kmgtKMGT]?[bB]|[kmgtKMGT]([iI][bB])?)?$\"}"
#define STRINGS      "{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"number\",\"boolean\"]}}"

static void put_string(struct buf *out, const char *text)
{
    buf_json_string(out, text, strlen(text));
}

/* That at most one of the alternatives of SECTION is there: what is there may be laid over another one. */
static void put_alternatives(struct buf *out, enum schema_section section)
{
    const char *separator = ",\"oneOf\":[";
    const struct schema_row *row = NULL;
    bool any = false;

    while ((row = schema_next(section, row))) {
        if (!(row->flags & SCHEMA_ALTERNATIVE))
            continue;
        buf_printf(out, "%s{\"required\":[\"%s\"]}", separator, row->key);
        separator = ",";
        any = true;
    }
    separator = ",{\"not\":{\"anyOf\":[";
    while ((row = schema_next(section, row))) {
        if (!(row->flags & SCHEMA_ALTERNATIVE))
            continue;
        buf_printf(out, "%s{\"required\":[\"%s\"]}", separator, row->key);
        separator = ",";
    }
    buf_puts(out, any ? "]}}]" : "");
}

/* The object of SECTION: its keys in force, x-… keys, nothing else. */
static void put_section(struct buf *out, enum schema_section section)
{
    const struct schema_row *row = NULL;
    const char *separator = "";

    buf_puts(out, "{\"type\":\"object\",\"additionalProperties\":false,\"patternProperties\":{\"^x-\":{}},\n"
                  "\"properties\":{");
    while ((row = schema_next(section, row))) {
        if (row->flags & (SCHEMA_LATER | SCHEMA_CONTAINER))
            continue;
        buf_printf(out, "%s\n\"%s\":{\"description\":", separator, row->key);
        put_string(out, row->help);
        buf_puts(out, ",");
        schema_kind(row->kind)->jsonschema(out, row);
        buf_puts(out, "}");
        separator = ",";
    }
    buf_puts(out, "}");
    separator = ",\"required\":[";
    while ((row = schema_next(section, row))) {
        if (!(row->flags & SCHEMA_REQUIRED))
            continue;
        buf_printf(out, "%s\"%s\"", separator, row->key);
        separator = ",";
    }
    buf_puts(out, separator[1] ? "" : "]");
    put_alternatives(out, section);
    buf_puts(out, "}");
}

/* Docker takes nothing but strings there, so that many files have `max-file: "3"`. The loader takes quotes anywhere. */
static bool is_quoted(const struct schema_row *row)
{
    return row->section == SCHEMA_LOG_OPTIONS;
}

void jsonschema_bool(struct buf *out, const struct schema_row *row)
{
    buf_printf(out, "\"anyOf\":[{\"type\":\"boolean\"}%s," VARIABLE "]",
               is_quoted(row) ? ",{\"enum\":[\"true\",\"false\"]}" : "");
}

static void put_number(struct buf *out, const struct schema_row *row, const char *type)
{
    buf_printf(out, "\"anyOf\":[{\"type\":\"%s\",\"minimum\":%lld,\"maximum\":%lld}%s," VARIABLE "]", type,
               (long long)row->min, (long long)row->max,
               is_quoted(row) ? ",{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}" : "");
}

void jsonschema_int(struct buf *out, const struct schema_row *row)
{
    put_number(out, row, "integer");
}

void jsonschema_decimal(struct buf *out, const struct schema_row *row)
{
    put_number(out, row, "number");
}

void jsonschema_duration(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"$ref\":\"#/definitions/duration\"");
}

void jsonschema_mode(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out,
             "\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^(0o)?[0-7]{1,4}$\"},{\"type\":\"integer\"}," VARIABLE "]");
}

void jsonschema_signal(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"$ref\":\"#/definitions/signal\"");
}

void jsonschema_choice(struct buf *out, const struct schema_row *row)
{
    const char *separator = "";

    buf_puts(out, "\"anyOf\":[{\"enum\":[");
    for (const struct schema_word *w = row->words; w->word; w++) {
        buf_printf(out, "%s\"%s\"", separator, w->word);
        separator = ",";
        /* A YAML reader of version 1.1 takes a bare no or off for false. */
        if (strcmp(w->word, "no") == 0 || strcmp(w->word, "off") == 0)
            buf_puts(out, ",false");
    }
    buf_puts(out, "]}," VARIABLE "]");
}

void jsonschema_name(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"anyOf\":[{\"type\":\"string\",\"pattern\":\"" NAME_PATTERN "\"}," VARIABLE "]");
}

void jsonschema_group(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"type\":[\"string\",\"integer\"],\"minLength\":1,\"minimum\":0");
}

void jsonschema_string(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"type\":\"string\",\"minLength\":1");
}

void jsonschema_words(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"oneOf\":[{\"type\":\"string\",\"minLength\":1}," STRINGS "]");
}

void jsonschema_names(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1}");
}

void jsonschema_keep(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"oneOf\":[{\"type\":\"boolean\"}," VARIABLE
                  ",{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1}}]");
}

void jsonschema_environment(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"oneOf\":[{\"type\":\"object\",\"additionalProperties\":"
                  "{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}},"
                  "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]");
}

/* SHORT_FORM (members of a schema), the map of ROW's sub-section, or a list of either. */
static void put_forms(struct buf *out, const struct schema_row *row, const char *short_form, bool map_alone)
{
    buf_printf(out, "\"oneOf\":[{%s},", short_form);
    if (map_alone) {
        put_section(out, row->sub);
        buf_puts(out, ",");
    }
    buf_printf(out, "{\"type\":\"array\",\"items\":{\"oneOf\":[{%s},", short_form);
    put_section(out, row->sub);
    buf_puts(out, "]}}]");
}

void jsonschema_env_file(struct buf *out, const struct schema_row *row)
{
    put_forms(out, row, "\"type\":\"string\",\"minLength\":1", true);
}

void jsonschema_stop_signal(struct buf *out, const struct schema_row *row)
{
    put_forms(out, row, "\"$ref\":\"#/definitions/signal\"", false);
}

void jsonschema_depends_on(struct buf *out, const struct schema_row *row)
{
    buf_puts(out, "\"oneOf\":[{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"uniqueItems\":true},"
                  "{\"type\":\"object\",\"additionalProperties\":{\"oneOf\":[{\"type\":\"null\"},");
    put_section(out, row->sub);
    buf_puts(out, "]}}]");
}

void jsonschema_true(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"anyOf\":[{\"enum\":[true]}," VARIABLE "]");
}

void jsonschema_http(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^http://\"}," VARIABLE "]");
}

void jsonschema_listen(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_printf(out,
               "\"anyOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":%d},{\"type\":\"string\",\"minLength\":1}]",
               ENDPOINT_PORT_MAX);
}

/* A list of SHORT_FORM and of maps of ROW's sub-section. */
static void put_items(struct buf *out, const struct schema_row *row,
                      void (*short_form)(struct buf *out, const struct schema_row *row))
{
    buf_puts(out, "\"type\":\"array\",\"items\":{\"oneOf\":[{");
    short_form(out, row);
    buf_puts(out, "},");
    put_section(out, row->sub);
    buf_puts(out, "]}");
}

void jsonschema_hooks(struct buf *out, const struct schema_row *row)
{
    put_items(out, row, jsonschema_words);
}

void jsonschema_sockets(struct buf *out, const struct schema_row *row)
{
    put_items(out, row, jsonschema_listen);
}

void jsonschema_restart(struct buf *out, const struct schema_row *row)
{
    const struct schema_row *policy = schema_find(row->sub, "policy");

    buf_puts(out, "\"oneOf\":[{");
    jsonschema_choice(out, policy);
    buf_puts(out, "},{\"type\":\"string\",\"pattern\":\"^on-failure:[0-9]+$\"},");
    put_section(out, row->sub);
    buf_puts(out, "]");
}

void jsonschema_exits(struct buf *out, const struct schema_row *row)
{
    buf_printf(out,
               "\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld},"
               "{\"type\":\"string\"}]}",
               (long long)row->min, (long long)row->max);
}

void jsonschema_size(struct buf *out, const struct schema_row *row)
{
    buf_printf(out, "\"anyOf\":[{\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld}," SIZE "," VARIABLE "]",
               (long long)row->min, (long long)row->max);
}

void jsonschema_cgroup(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out,
             "\"anyOf\":[{\"enum\":[\"auto\",\"off\",false]},{\"type\":\"string\",\"pattern\":\"^/\"}," VARIABLE "]");
}

void jsonschema_groups(struct buf *out, const struct schema_row *row)
{
    buf_puts(out, "\"type\":\"array\",\"uniqueItems\":true,\"items\":{");
    jsonschema_group(out, row);
    buf_puts(out, "}");
}

void jsonschema_caps(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"anyOf\":[{\"type\":\"string\","
                  "\"pattern\":\"^[A-Za-z_]+$\"}," VARIABLE "]}");
}

void jsonschema_security(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\","
                  "\"pattern\":\"^no-new-privileges([:=](true|false))?$\"}," VARIABLE "]}");
}

void jsonschema_ulimit(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"anyOf\":[{\"type\":\"integer\",\"minimum\":-1},{\"enum\":[\"unlimited\"]}," SIZE "," VARIABLE "]");
}

void jsonschema_ulimits(struct buf *out, const struct schema_row *row)
{
    size_t n;
    const struct ulimits_resource *resources = ulimits_resources(&n);

    buf_puts(out, "\"type\":\"object\",\"additionalProperties\":false,\"patternProperties\":{\"^x-\":{},\"^(");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i ? "|" : "", resources[i].name);
    buf_puts(out, ")$\":{\"oneOf\":[{");
    jsonschema_ulimit(out, row);
    buf_puts(out, "},");
    put_section(out, row->sub);
    buf_puts(out, "]}}");
}

void jsonschema_map(struct buf *out, const struct schema_row *row)
{
    buf_puts(out, "\"allOf\":[");
    put_section(out, row->sub);
    buf_puts(out, "]");
}

void jsonschema_extends(struct buf *out, const struct schema_row *row)
{
    buf_puts(out, "\"oneOf\":[{\"type\":\"string\"},");
    put_section(out, row->sub);
    buf_puts(out, "]");
}

void jsonschema_services(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"type\":\"object\",\"additionalProperties\":false,\"patternProperties\":{\"" NAME_PATTERN
                  "\":{\"$ref\":\"#/definitions/service\"}}");
}

void jsonschema_defaults(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"allOf\":[{\"$ref\":\"#/definitions/service\"},{\"not\":{\"required\":[\"extends\"]}}]");
}

void jsonschema_include(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"oneOf\":[{\"type\":\"string\",\"minLength\":1},"
                  "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1}}]");
}

void jsonschema_ignored(struct buf *out, const struct schema_row *row)
{
    (void)row;
    buf_puts(out, "\"type\":[\"string\",\"number\",\"null\"]");
}

bool config_schema(struct buf *out)
{
    buf_puts(out, "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"title\":\"foster.yaml\",\n"
                  "\"definitions\":{\n"
                  "\"variable\":{\"type\":\"string\",\"pattern\":\"\\\\$\"},\n"
                  "\"duration\":{\"anyOf\":[{\"type\":\"number\",\"minimum\":0},{\"type\":\"string\","
                  "\"pattern\":\"^([0-9]+(\\\\.[0-9]+)?(d|h|m|s|ms|us|ns)?)+$\"}," VARIABLE "]},\n"
                  "\"signal\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":64},{\"type\":\"string\","
                  "\"pattern\":\"^([A-Za-z]+[0-9]*([+-][0-9]+)?|[0-9]+)$\"}," VARIABLE "]},\n"
                  "\"service\":");
    put_section(out, SCHEMA_SERVICE);
    buf_puts(out, "},\n\"allOf\":[");
    put_section(out, SCHEMA_TOP);
    buf_puts(out, "]}\n");
    return !out->failed;
}

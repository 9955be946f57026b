/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a service says about its output. An option that the driver has no use for keeps its default, whatever the file
 * inherits: so two services that log the same are equal.
 */
#include "core/log_keys.h"

#include "base/runtime.h"
#include "core/logring.h"

#include <string.h>

#define BIT(driver) (1U << SPEC_LOG_##driver)
#define PIPED       (BIT(STDOUT) | BIT(FILE) | BIT(SYSLOG) | BIT(JOURNALD))
#define TAKEN(key, field, drivers)                                                                                     \
    {                                                                                                                  \
        key, offsetof(struct spec_log, field), sizeof(((struct spec_log *)0)->field), drivers                          \
    }

static const struct {
    const char *key;
    size_t offset, size;
    unsigned drivers; /* that take it, as bits */
} options[] = {
    TAKEN("path", path, BIT(FILE)),
    TAKEN("max-size", max_size, BIT(FILE)),
    TAKEN("max-file", max_file, BIT(FILE)),
    TAKEN("max-age", max_age_ms, BIT(FILE)),
    TAKEN("compress", compress, BIT(FILE)),
    TAKEN("file-mode", file_mode, BIT(FILE)),
    TAKEN("directory-mode", directory_mode, BIT(FILE)),
    TAKEN("user", user, BIT(FILE)),
    TAKEN("format", format, BIT(STDOUT) | BIT(FILE)),
    TAKEN("timestamps", timestamps, BIT(STDOUT) | BIT(FILE)),
    TAKEN("mode", mode, PIPED),
    TAKEN("max-buffer-size", buffer_size, PIPED),
    TAKEN("syslog-address", address, BIT(SYSLOG)),
    TAKEN("syslog-format", syslog_format, BIT(SYSLOG)),
    TAKEN("syslog-facility", facility, BIT(SYSLOG) | BIT(JOURNALD)),
    TAKEN("tag", tag, BIT(SYSLOG) | BIT(JOURNALD)),
};

void log_keys_defaults(struct spec_log *log)
{
    *log = (struct spec_log){.address = "/dev/log"};
    schema_defaults(SCHEMA_LOG_STDERR, log);
}

bool log_keys_takes(const char *key, enum spec_log_driver driver)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (strcmp(options[i].key, key) == 0)
            return options[i].drivers >> driver & 1;
    return false;
}

static int64_t power_of_two(int64_t at_least)
{
    int64_t size = LOGRING_SIZE_MIN;

    while (size < at_least)
        size *= 2;
    return size;
}

/* Makes LOG what is in force, now that all of it has been read. */
static void settle(struct spec_log *log)
{
    struct spec_log defaults;

    log_keys_defaults(&defaults);
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (!(options[i].drivers >> log->driver & 1))
            memcpy((char *)log + options[i].offset, (const char *)&defaults + options[i].offset, options[i].size);
    log->buffer_size = power_of_two(log->buffer_size);
}

/* Whether the map NODE names a driver of ours, as far as those of Docker are concerned. */
static bool is_ours(struct value_ctx *c, const struct tree_node *node)
{
    const struct tree_node *driver = tree_get(node, "driver");

    if (!driver || driver->kind != TREE_SCALAR)
        return true;
    if (strcmp(driver->text, "json-file") == 0)
        return value_error(c, driver->pos,
                           "`json-file` is a driver of Docker's; write `driver: file`, and in `options` `format: json` "
                           "and a `path`");
    if (strcmp(driver->text, "local") == 0)
        return value_error(c, driver->pos,
                           "`local` is a driver of Docker's; write `driver: file`, and in `options` a `path`");
    return true;
}

static bool log_map(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base,
                    struct spec_log *log)
{
    bool ok = node->kind != TREE_MAPPING || is_ours(c, node);

    ok = ok && value_map(c, row, node, base);
    settle(log);
    return ok;
}

bool log_keys_logging(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec *s = base;

    return log_map(c, row, node, base, &s->log[SPEC_STREAM_OUT]);
}

bool log_keys_stderr(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    *(bool *)((char *)base + row->extra) = true;
    return log_map(c, row, node, base, schema_field(row, base));
}

bool log_keys_address(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    static const char *const schemes[] = {"unix://", "unixgram://"};
    const char *text = value_text(c, node, "`syslog-address`"), *path = text;

    if (!text)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            path = text + strlen(schemes[i]);
    if (path[0] != '/')
        return value_error(c, node->pos,
                           "`%s` is not the path of a socket, and only local sockets are supported; write %s, and let "
                           "the syslog daemon send messages on",
                           value_quote(text).text, schema_kind(row->kind)->example);
    if (strlen(path) > RUNTIME_PATH_MAX)
        return value_error(c, node->pos, "`%s` is longer than the %d bytes that the path of a socket can have",
                           value_quote(path).text, RUNTIME_PATH_MAX);
    *(const char **)schema_field(row, base) = path;
    return true;
}

bool log_path(const struct spec_log *log, const char *unit, const char *service, char *buf, size_t size)
{
    static const char name_word[] = "{name}", service_word[] = "{service}";
    size_t n = 0;

    for (const char *p = log->path; p && *p;) {
        bool is_name = strncmp(p, name_word, sizeof name_word - 1) == 0;
        bool is_service = strncmp(p, service_word, sizeof service_word - 1) == 0;
        const char *piece = is_name ? unit : is_service ? service : p;
        size_t len = piece == p ? 1 : strlen(piece);
        if (n + len >= size)
            return false;
        memcpy(buf + n, piece, len);
        n += len;
        p += is_name ? sizeof name_word - 1 : is_service ? sizeof service_word - 1 : 1;
    }
    if (n == 0)
        return false;
    buf[n] = '\0';
    return true;
}

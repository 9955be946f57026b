/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * When a oneshot runs again.
 */
#include "core/schedule_keys.h"

#include "core/cron.h"

bool schedule_keys_map(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_schedule *s = schema_field(row, base), read = *s;
    struct schema_row at_read = *row;

    at_read.offset = 0;
    if (!value_map(c, &at_read, node, &read))
        return false;
    /* Of a schedule that never falls due nothing is kept, so that two of them never differ. */
    if (read.every_ms > 0 || read.cron.text)
        *s = read;
    return true;
}

bool schedule_keys_cron(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const char *text = value_text(c, node, "`cron`");
    char why[256];

    if (!text)
        return false;
    if (!cron_parse(text, schema_field(row, base), why, sizeof why))
        return value_error(c, node->pos, "`%s` is no schedule: %s", value_quote(text).text, why);
    return true;
}

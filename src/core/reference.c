/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The reference of all keys as scdoc text: a heading and a table for each section.
 */
#include "core/config.h"
#include "core/schema.h"

#include "base/parse.h"

#include <string.h>

struct heading {
    enum schema_section section;
    const char *title;
    const char *text;
};

static const struct heading headings[] = {
    {SCHEMA_TOP, "TOP LEVEL", "Keys that begin with x- are ignored here and in every map below."},
    {SCHEMA_SERVICE, "SERVICE KEYS", "Keys of each entry of services, and of defaults."},
    {SCHEMA_RESTART, "RESTART", "Keys of restart in its long form."},
    {SCHEMA_DEP, "DEPENDENCIES", "Keys of each entry of depends_on in its long form."},
    {SCHEMA_STOP_STEP, "STOP STEPS", "Keys of each item of stop_signal in its long form."},
    {SCHEMA_ENV_FILE, "ENV FILES", "Keys of an item of env_file in its long form."},
    {SCHEMA_EXTENDS, "EXTENDS", "Keys of extends in its long form."},
    {SCHEMA_ULIMIT, "ULIMITS",
     "Keys of each entry of ulimits in its long form. The entries are as, core, cpu, data, fsize, memlock, msgqueue, "
     "nice, nofile, nproc, rss, rtprio, rttime, sigpending and stack, in the units of setrlimit(2); those in bytes "
     "take "
     "sizes, too. -1 is unlimited."},
    {SCHEMA_ZOMBIES, "ZOMBIES", "Keys of zombies. What is left out is as supervisor has it."},
    {SCHEMA_READY, "READY", "Keys of ready; one of them. Names are not looked up."},
    {SCHEMA_HEALTHCHECK, "HEALTHCHECK", "Keys of healthcheck; one of test, tcp and http. Names are not looked up."},
    {SCHEMA_HOOK, "HOOKS",
     "Keys of each item of pre_start, post_start, pre_stop and post_stop in its long form; the short form is the "
     "command "
     "alone."},
    {SCHEMA_RELOAD, "RELOAD", "Keys of reload; one of them."},
    {SCHEMA_SOCKET, "SOCKETS", "Keys of each item of sockets in its long form; the short form is listen alone."},
    {SCHEMA_SCHEDULE, "SCHEDULE", "Keys of schedule; one of every and cron."},
    {SCHEMA_LOGGING, "LOGGING", "Keys of logging."},
    {SCHEMA_LOG_STDERR, "LOGGING OF STDERR", "Keys of stderr of logging."},
    {SCHEMA_LOG_OPTIONS, "OPTIONS OF LOGGING",
     "Keys of options of logging, and of stderr in it. A service that has one that its driver has no use for is "
     "refused; "
     "what it inherits of these does not count."},
    {SCHEMA_SUPERVISOR, "SUPERVISOR KEYS", "Keys of supervisor."},
    {SCHEMA_SUPERVISOR_ZOMBIES, "ZOMBIES OF THE SUPERVISOR", "Keys of zombies of supervisor."},
};
_Static_assert(ARRAY_LEN(headings) == SCHEMA_SECTION_N, "every section is in the reference");

/* TEXT with what scdoc takes for markup escaped. */
static void put_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("_*\\#[]|~.<>", *text) && *text != '.')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

static void put_bound(struct buf *out, const struct schema_row *row, int64_t value)
{
    char text[32];

    if (row->kind == SCHEMA_KIND_DURATION)
        buf_puts(out, parse_duration_text(value, text, sizeof text));
    else if (row->kind == SCHEMA_KIND_SIZE)
        buf_puts(out, parse_size_text(value, text, sizeof text));
    else
        buf_printf(out, row->kind == SCHEMA_KIND_MODE ? "%llo" : "%lld", (long long)value);
}

static void put_takes(struct buf *out, const struct schema_row *row)
{
    const char *separator = "";

    if (row->words) {
        for (const struct schema_word *w = row->words; w->word; w++) {
            buf_puts(out, separator);
            put_escaped(out, w->word);
            separator = ", ";
        }
        return;
    }
    put_escaped(out, schema_kind(row->kind)->takes);
    if (row->max > row->min) {
        buf_puts(out, ", ");
        put_bound(out, row, row->min);
        buf_puts(out, " to ");
        put_bound(out, row, row->max);
    }
}

static void put_row(struct buf *out, const struct schema_row *row)
{
    buf_puts(out, "|  *");
    put_escaped(out, row->key);
    buf_puts(out, "*\n:  ");
    put_takes(out, row);
    buf_puts(out, "\n:  ");
    put_escaped(out, row->def ? row->def : (row->flags & SCHEMA_REQUIRED) ? "required" : "-");
    buf_puts(out, "\n:  ");
    put_escaped(out, row->help);
    buf_puts(out, "\n");
}

bool config_reference(struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(headings); i++) {
        const struct schema_row *row = NULL;
        buf_printf(out, "%s# %s\n\n", i ? "\n" : "", headings[i].title);
        put_escaped(out, headings[i].text);
        buf_puts(out, "\n\n[[ *Key*\n:- *Value*\n:- *Default*\n:- *Meaning*\n");
        while ((row = schema_next(headings[i].section, row)))
            if (!(row->flags & (SCHEMA_LATER | SCHEMA_CONTAINER)))
                put_row(out, row);
    }
    return !out->failed;
}

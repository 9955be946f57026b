/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The help texts.
 */
#include "ctl/help.h"

#include <stdio.h>

enum { HELP_VERB_WIDTH = 20, HELP_OPTION_WIDTH = 22, HELP_LEFT_MAX = 64 };

static void help_options(struct buf *out, enum verb verb)
{
    size_t n;
    const struct args_option *o = args_options(&n);
    for (; n > 0; n--, o++) {
        char left[HELP_LEFT_MAX], letter[] = {o->letter != 0 ? '-' : ' ', o->letter != 0 ? o->letter : ' ', '\0'};
        if (o->verb != verb)
            continue;
        if (o->name == NULL)
            snprintf(left, sizeof left, "%s %s", letter, o->arg);
        else
            snprintf(left, sizeof left, "%s%s --%s%s%s", letter, o->letter != 0 ? "," : " ", o->name,
                     o->arg != NULL ? "=" : "", o->arg != NULL ? o->arg : "");
        buf_printf(out, "  %-*s %s\n", HELP_OPTION_WIDTH, left, o->help);
    }
}

static void help_verb(struct buf *out, enum verb verb)
{
    const struct args_verb *v = args_verb(verb);
    buf_printf(out, "Usage: fosterctl %s [OPTION]...%s%s\n%c%s.\n", v->name, v->operands[0] != '\0' ? " " : "",
               v->operands, v->help[0] - ('a' - 'A'), v->help + 1);
    if (v->aliases[0] != '\0')
        buf_printf(out, "Other names: %s\n", v->aliases);
    buf_putc(out, '\n');
    help_options(out, verb);
    help_options(out, VERB_ANY);
}

static void help_all(struct buf *out)
{
    buf_puts(out, "Usage: fosterctl [OPTION]... VERB [ARGUMENT]...\n"
                  "Look at and command a running fosterd.\n\n");
    for (size_t v = 0; v < VERB_N; v++) {
        const struct args_verb *row = args_verb((enum verb)v);
        char left[HELP_LEFT_MAX];
        snprintf(left, sizeof left, "%s%s%s%s", row->name, row->aliases[0] != '\0' ? " (" : "", row->aliases,
                 row->aliases[0] != '\0' ? ")" : "");
        buf_printf(out, "  %-*s %s\n", HELP_VERB_WIDTH, left, row->help);
    }
    buf_putc(out, '\n');
    help_options(out, VERB_ANY);
    buf_puts(out, "\nSERVICE is web, an instance web.2, or a quoted pattern such as 'w*'.\n"
                  "fosterctl VERB --help tells of the options of a verb.\n"
                  "Exit status: 0 done, 1 it failed, 2 usage, 3 not running or not healthy,\n"
                  "4 no such service or no fosterd. See fosterctl(1).\n");
}

void help_print(struct buf *out, enum verb verb)
{
    if (verb < VERB_N)
        help_verb(out, verb);
    else
        help_all(out);
}

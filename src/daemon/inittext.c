/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Usage, help and licence of init mode. A form a personality says how its help is laid out; what is listed in it are
 * the rows of persona.def.
 */
#include "daemon/inittext.h"

#include "base/log.h"
#include "daemon/cli.h"

#include <string.h>

/* One option or variable, as far as the texts are concerned. */
struct entry {
    unsigned personas;
    char letter;
    const char *word, *arg, *help;
};

static const struct entry options[] = {
#define OPTION(personas, letter, word, arg, set, help) {personas, letter, word, arg, help},
#include "daemon/persona.def"
};

static const struct entry variables[] = {
#define VARIABLE(personas, name, counts, set, help) {personas, 0, name, NULL, help},
#include "daemon/persona.def"
};

/* How a personality lays out its help. */
struct form {
    void (*head)(const struct persona *p, const char *name, FILE *out);
    void (*option)(const struct form *f, const struct entry *e, FILE *out);
    const char *options_title, *variables_title; /* above the lists */
    int indent, width;                           /* of the first column */
    const char *joint;                           /* between a word and its argument */
};

/* "-p SIGNAL: what it does" */
static void option_with_colon(const struct form *f, const struct entry *e, FILE *out)
{
    if (e->word)
        fprintf(out, "%*s--%s", f->indent, "", e->word);
    else
        fprintf(out, "%*s-%c", f->indent, "", e->letter);
    fprintf(out, "%s%s: %s\n", e->arg ? " " : "", e->arg ? e->arg : "", e->help);
}

/* "-r, --rewrite s:r    what it does" */
static void option_in_columns(const struct form *f, const struct entry *e, FILE *out)
{
    char letter[] = {'-', e->letter, '\0'};
    char left[48];

    snprintf(left, sizeof left, "%s%s%s%s%s%s", e->letter ? letter : "  ",
             !e->word    ? ""
             : e->letter ? ", "
                         : "  ",
             e->word ? "--" : "", e->word ? e->word : "",
             !e->arg   ? ""
             : e->word ? f->joint
                       : " ",
             e->arg ? e->arg : "");
    fprintf(out, "%*s%-*s %s\n", f->indent, "", f->width, left, e->help);
}

static const char *last_component(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

static void foster_head(const struct persona *p UNUSED, const char *name, FILE *out)
{
    cli_help(out);
    fprintf(out,
            "\nInit mode: %s [OPTION]... -- COMMAND [ARG]...\n"
            "Run one command, pass signals on to it, reap its orphans, and end as it ends: with its exit status,\n"
            "128+N when signal N has killed it, 127 when it does not exist, 126 when it cannot be executed.\n",
            last_component(name));
}

static void tini_head(const struct persona *p, const char *name, FILE *out)
{
    const char *program = last_component(name);

    fprintf(out,
            "%s (%s)\n"
            "Usage: %s [OPTIONS] PROGRAM -- [ARGS] | --version\n\n"
            "Run one program as an init process would: pass signals on to it, reap orphans, end as it ends.\n",
            program, p->version, program);
}

static void dumb_init_head(const struct persona *p, const char *name, FILE *out)
{
    fprintf(out,
            "%s\n"
            "Usage: %s [option] command [[arg] ...]\n\n"
            "Runs one command in a session of its own, passes signals on to all of it, and ends as it ends.\n",
            p->version, name);
}

static void catatonit_usage(const struct persona *p, FILE *out)
{
    fprintf(out, "usage: %s [-", p->name);
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if ((options[i].personas & IN_CATATONIT) && options[i].letter)
            fputc(options[i].letter, out);
    fputs("] [--] <progname> [<arguments>...]\n", out);
}

static void catatonit_head(const struct persona *p, const char *name UNUSED, FILE *out)
{
    catatonit_usage(p, out);
}

static const struct form forms[PERSONA_N] = {
    [PERSONA_FOSTER] = {foster_head, option_in_columns, "Before --:\n", "Variables, with --config-from-env:\n", 2, 26,
                        "="},
    [PERSONA_TINI] = {tini_head, option_with_colon, "Command line options:\n\n", "Environment variables:\n\n", 2, 0,
                      " "},
    [PERSONA_DUMB_INIT] = {dumb_init_head, option_in_columns, "Optional arguments:\n", "Variables:\n", 3, 20, " "},
    [PERSONA_CATATONIT] = {catatonit_head, option_in_columns, "options:\n", "variables:\n", 2, 15, " "},
};

void inittext_help(const struct persona *p, const char *name, FILE *out)
{
    const struct form *f = &forms[p->id];
    unsigned bit = 1U << p->id;

    f->head(p, name, out);
    fprintf(out, "\n%s", f->options_title);
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (options[i].personas & bit)
            f->option(f, &options[i], out);
    fprintf(out, "\n%s", f->variables_title);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        if (variables[i].personas & bit)
            fprintf(out, "%*s%s: %s\n", f->indent, "", variables[i].word, variables[i].help);
}

void inittext_usage(const struct persona *p, const char *name, FILE *out)
{
    switch (p->id) {
    case PERSONA_TINI:
        inittext_help(p, name, out);
        break;
    case PERSONA_DUMB_INIT:
        fprintf(out, "Usage: %s [option] program [args]\nTry %s --help for full usage.\n", name, name);
        break;
    case PERSONA_CATATONIT:
        catatonit_usage(p, out);
        break;
    case PERSONA_FOSTER:
    case PERSONA_N:
        break;
    }
}

void inittext_license(FILE *out)
{
    fputs("MIT License\n"
          "\n"
          "Copyright (c) 2026 The Foster authors\n"
          "\n"
          "Permission is hereby granted, free of charge, to any person obtaining a copy\n"
          "of this software and associated documentation files (the \"Software\"), to deal\n"
          "in the Software without restriction, including without limitation the rights\n"
          "to use, copy, modify, merge, publish, distribute, sublicense, and/or sell\n"
          "copies of the Software, and to permit persons to whom the Software is\n"
          "furnished to do so, subject to the following conditions:\n"
          "\n"
          "The above copyright notice and this permission notice shall be included in all\n"
          "copies or substantial portions of the Software.\n"
          "\n"
          "THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR\n"
          "IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,\n"
          "FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE\n"
          "AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER\n"
          "LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,\n"
          "OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE\n"
          "SOFTWARE.\n",
          out);
}

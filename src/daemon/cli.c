/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The command line as rows: name, argument, help and what the option does, in one place.
 */
#include "daemon/cli.h"

#include "base/parse.h"

#include <getopt.h>
#include <stdint.h>
#include <string.h>

/** One option. */
struct cli_row {
    const char *name;
    char letter;        /**< 0: long form only */
    const char *arg;    /**< name of its argument in --help, NULL: it has none */
    enum cli_mode mode; /**< the mode that it asks for, when set is NULL */
    bool (*set)(struct cli *c, const char *value, struct err *e);
    const char *help;
};

static bool cli_set_file(struct cli *c, const char *value, struct err *e)
{
    (void)e;
    c->file = value;
    return true;
}

static bool cli_append(const char **list, size_t *n, const char *value, const char *option, struct err *e)
{
    if (*n == CLI_LIST_MAX) {
        err_set(e, ERR_INPUT, "more than %d times %s; use fewer", CLI_LIST_MAX, option);
        return false;
    }
    list[(*n)++] = value;
    return true;
}

static bool cli_add_profile(struct cli *c, const char *value, struct err *e)
{
    return cli_append(c->profiles, &c->n_profiles, value, "--profile", e);
}

static bool cli_add_set(struct cli *c, const char *value, struct err *e)
{
    if (strchr(value, '=') == NULL) {
        err_set(e, ERR_INPUT, "--set %s has no value; write --set KEY=VALUE, e.g. --set services.web.scale=2", value);
        return false;
    }
    return cli_append(c->sets, &c->n_sets, value, "--set", e);
}

static bool cli_set_level(struct cli *c, const char *value, struct err *e)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {
        {"error", LOG_LEVEL_ERROR}, {"warn", LOG_LEVEL_WARN}, {"info", LOG_LEVEL_INFO}, {"debug", LOG_LEVEL_DEBUG}};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (strcmp(value, levels[i].name) == 0) {
            c->log_level = levels[i].level;
            c->log_level_set = true;
            return true;
        }
    err_set(e, ERR_INPUT, "--log-level %s is not known; use error, warn, info or debug", value);
    return false;
}

static bool cli_set_format(struct cli *c, const char *value, struct err *e)
{
    if (strcmp(value, "text") == 0)
        c->log_format = LOG_FORMAT_TEXT;
    else if (strcmp(value, "json") == 0)
        c->log_format = LOG_FORMAT_JSON;
    else {
        err_set(e, ERR_INPUT, "--log-format %s is not known; use text or json", value);
        return false;
    }
    c->log_format_set = true;
    return true;
}

static const struct cli_row cli_rows[] = {
    {"config", 'c', "FILE", CLI_RUN, cli_set_file, "configuration file (./foster.yaml, then /etc/foster/foster.yaml)"},
    {"profile", 0, "NAME", CLI_RUN, cli_add_profile, "start the services of this profile too; may be repeated"},
    {"set", 0, "KEY=VALUE", CLI_RUN, cli_add_set, "override a key, e.g. services.web.scale=2; may be repeated"},
    {"log-level", 0, "LEVEL", CLI_RUN, cli_set_level, "error, warn, info or debug"},
    {"log-format", 0, "FORMAT", CLI_RUN, cli_set_format, "text or json"},
    {"check", 0, NULL, CLI_CHECK, NULL, "report every problem of the file; exit 0 or 78"},
    {"print-config", 0, NULL, CLI_PRINT_CONFIG, NULL, "print what was understood, defaults filled in, as YAML"},
    {"schema", 0, NULL, CLI_SCHEMA, NULL, "print the JSON Schema of the file"},
    {"help", 'h', NULL, CLI_HELP, NULL, "print this text"},
    {"version", 'V', NULL, CLI_VERSION, NULL, "print the version"},
};

enum { CLI_LONG_BASE = 256 };

static const struct cli_row *cli_row_of(int code)
{
    if (code >= CLI_LONG_BASE)
        return &cli_rows[code - CLI_LONG_BASE];
    for (size_t i = 0; i < ARRAY_LEN(cli_rows); i++)
        if (cli_rows[i].letter != 0 && cli_rows[i].letter == code)
            return &cli_rows[i];
    return NULL;
}

bool cli_parse(int argc, char **argv, struct cli *ret, struct err *e)
{
    struct option longs[ARRAY_LEN(cli_rows) + 1] = {0};
    char shorts[2 * ARRAY_LEN(cli_rows) + 3] = "+:";
    size_t n = 2;
    for (size_t i = 0; i < ARRAY_LEN(cli_rows); i++) {
        const struct cli_row *row = &cli_rows[i];
        longs[i] = (struct option){row->name, row->arg != NULL, NULL, CLI_LONG_BASE + (int)i};
        if (row->letter != 0) {
            shorts[n++] = row->letter;
            if (row->arg != NULL)
                shorts[n++] = ':';
        }
    }
    struct cli c = {.mode = CLI_RUN};
    optind = 0; /* forgets a cluster that an earlier call gave up in */
    int code;
    while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        /* In the middle of a cluster such as -xV, argv[optind - 1] is the word before it. */
        const char letter[] = {'-', (char)optopt, '\0'};
        bool is_letter = optopt > 0 && optopt < CLI_LONG_BASE;
        const char *word = is_letter ? letter : argv[optind > 1 ? optind - 1 : 1];
        if (code == '?' || code == ':') {
            err_set(e, ERR_INPUT,
                    code == '?' ? "unknown or ambiguous option %s; see fosterd --help"
                                : "option %s needs a value; see fosterd --help",
                    word);
            return false;
        }
        const struct cli_row *row = cli_row_of(code);
        if (row->set == NULL)
            c.mode = row->mode;
        else if (!row->set(&c, optarg, e))
            return false;
    }
    if (optind < argc) {
        err_set(e, ERR_INPUT,
                "unexpected argument %s; the configuration file is given with -c FILE, a command to run behind --",
                argv[optind]);
        return false;
    }
    *ret = c;
    return true;
}

void cli_help(FILE *out)
{
    fputs("Usage: fosterd [OPTION]...\n"
          "Usage: fosterd [OPTION]... -- COMMAND [ARG]...\n"
          "Start and supervise the services of a YAML file, adopt and reap what they leave behind.\n\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(cli_rows); i++) {
        const struct cli_row *row = &cli_rows[i];
        char left[48];
        snprintf(left, sizeof left, "%s%c%s --%s%s%s", row->letter != 0 ? "-" : " ",
                 row->letter != 0 ? row->letter : ' ', row->letter != 0 ? "," : " ", row->name,
                 row->arg != NULL ? "=" : "", row->arg != NULL ? row->arg : "");
        fprintf(out, "  %-26s %s\n", left, row->help);
    }
    fputs("\nSignals: TERM and INT stop everything in order, a second one or QUIT at once; HUP reads the\n"
          "file again and touches what has changed; USR1 logs the status.\n"
          "Exit status: that of the service which ended it, 0 after an orderly stop; 64 usage, 69 in use,\n"
          "71 no subreaper, 78 bad configuration. See fosterd(8) and foster.yaml(5).\n",
          out);
}

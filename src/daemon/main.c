/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * fosterd: the order of starting. First a look at what was inherited, before any of it is changed; then descriptors 0
 * to 2, so that nothing of ours lands there; then signals, before anything can be missed. With a command to run that is
 * init mode's affair (init.c); else the file, while failing is still harmless; then the kernel's promise to give us
 * orphans; and only then the loop.
 */
#include "base/log.h"
#include "base/version.h"
#include "core/config.h"
#include "daemon/cli.h"
#include "daemon/engine.h"
#include "daemon/exitcode.h"
#include "daemon/init.h"
#include "daemon/initargs.h"
#include "daemon/inittext.h"
#include "daemon/openfile.h"
#include "daemon/ownlog.h"
#include "daemon/signals.h"
#include "sys/files.h"
#include "sys/inherited.h"
#include "sys/sys.h"
#include "sys/title.h"

#include <errno.h>
#include <stdio.h>

enum { MAIN_PRINT_MAX = 16 << 20 };

static int main_fail(const struct err *e, int code)
{
    fprintf(stderr, "fosterd: %s\n", e->text);
    return code;
}

/* The end of what was asked of standard output; OK says whether it has gone well so far. */
static int main_flush(bool ok)
{
    if (ok && fflush(stdout) == 0)
        return EXITCODE_OK;
    fprintf(stderr, "fosterd: standard output: %s; nothing was started\n", err_errno_text(errno));
    return EXITCODE_OS;
}

static int main_print(struct buf *out, bool ok)
{
    errno = ENOMEM;
    return main_flush(ok && fwrite(out->data, 1, out->len, stdout) == out->len);
}

static int main_schema(void)
{
    struct buf out;
    buf_init(&out, MAIN_PRINT_MAX);
    int code = main_print(&out, config_schema(&out));
    buf_done(&out);
    return code;
}

static int main_print_config(const struct spec_set *set)
{
    struct buf out;
    buf_init(&out, MAIN_PRINT_MAX);
    int code = main_print(&out, config_print(set, &out));
    buf_done(&out);
    return code;
}

/* SET is taken over. */
static int main_run(const struct cli *c, struct spec_set *set, const struct inherited *inherited)
{
    struct err e = {0};
    ownlog_setup(c, &set->supervisor);
    if (set->supervisor.subreaper && sys_set_subreaper(true) < 0 && sys_getpid() != 1) {
        log_err("becoming a subreaper: %s; set `subreaper: false` in `supervisor:` to go on without adopting orphans",
                err_errno_text(errno));
        spec_set_free(set);
        return EXITCODE_OS;
    }
    struct engine_params params = {.set = set, .nofile = inherited_raise_nofile(inherited), .cli = c};
    int code = engine_run(&params, &e);
    if (e.kind != ERR_NONE)
        log_err("%s; nothing was started", e.text);
    return e.kind == ERR_BUSY ? EXITCODE_UNAVAILABLE : code;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct cli c;
    struct inherited inherited;
    inherited_take(&inherited);
    title_init(argc, argv);
    if (!files_open_stdio(&e) || !signals_block(&e))
        return main_fail(&e, EXITCODE_OS);
    if (initargs_wanted(argc, argv))
        return init_main(argc, argv, &inherited);
    if (!cli_parse(argc, argv, &c, &e))
        return main_fail(&e, EXITCODE_USAGE);
    switch (c.mode) {
    case CLI_HELP:
        inittext_help(persona_get(PERSONA_FOSTER), argv[0], stdout);
        return main_flush(true);
    case CLI_VERSION:
        return main_flush(puts("foster " FOSTER_VERSION) >= 0);
    case CLI_SCHEMA:
        return main_schema();
    case CLI_RUN:
    case CLI_CHECK:
    case CLI_PRINT_CONFIG:
        break;
    }
    struct spec_set *set = openfile_load(&c);
    if (set == NULL)
        return EXITCODE_CONFIG;
    if (c.mode == CLI_RUN)
        return main_run(&c, set, &inherited);
    int code = c.mode == CLI_PRINT_CONFIG ? main_print_config(set) : EXITCODE_OK;
    spec_set_free(set);
    return code;
}

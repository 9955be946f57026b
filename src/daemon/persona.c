/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The personalities of init mode: which one is meant, and what its traits amount to.
 */
#include "daemon/persona.h"

#include "base/version.h"
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SIGNAL_MAX = 64 }; /* the kernel's, some of which no C library names */

static const struct persona personas[PERSONA_N] = {
    [PERSONA_FOSTER] =
        {
            .id = PERSONA_FOSTER,
            .name = "fosterd",
#define TRAIT(type, field, foster, tini, dumb_init, catatonit, why) .field = (foster),
#include "daemon/persona.def"
        },
    [PERSONA_TINI] =
        {
            .id = PERSONA_TINI,
            .name = "tini",
#define TRAIT(type, field, foster, tini, dumb_init, catatonit, why) .field = (tini),
#include "daemon/persona.def"
        },
    [PERSONA_DUMB_INIT] =
        {
            .id = PERSONA_DUMB_INIT,
            .name = "dumb-init",
#define TRAIT(type, field, foster, tini, dumb_init, catatonit, why) .field = (dumb_init),
#include "daemon/persona.def"
        },
    [PERSONA_CATATONIT] =
        {
            .id = PERSONA_CATATONIT,
            .name = "catatonit",
#define TRAIT(type, field, foster, tini, dumb_init, catatonit, why) .field = (catatonit),
#include "daemon/persona.def"
        },
};

static const struct {
    const char *name;
    enum persona_id id;
} names[] = {
#define PERSONA_NAME(name, persona) {name, persona},
#include "daemon/persona.def"
};

const struct persona *persona_of(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    const char *name = slash ? slash + 1 : argv0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i].name) == 0)
            return &personas[names[i].id];
    return &personas[PERSONA_FOSTER];
}

const struct persona *persona_get(enum persona_id id)
{
    return &personas[id];
}

int persona_exec_code(const struct persona *p, int errnum)
{
    switch (errnum) {
    case ENOENT:
        return p->missing_code;
    case EACCES:
        return p->denied_code;
    default:
        return p->no_exec_code;
    }
}

bool persona_forwards(const struct persona *p, int sig)
{
    switch (sig) {
    case SIGCHLD:
        return false;
    case SIGTSTP:
        return p->passes_tstp;
    case SIGTTIN:
    case SIGTTOU:
        return p->passes_tt;
    default:
        return sig >= 1 && sig <= SIGNAL_MAX;
    }
}

static const char *prefix_template(const struct persona *p, enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return p->error_prefix;
    case LOG_LEVEL_WARN:
        return p->warn_prefix;
    case LOG_LEVEL_INFO:
        return p->info_prefix;
    case LOG_LEVEL_DEBUG:
        break;
    }
    return p->debug_prefix;
}

const char *persona_prefix(const struct persona *p, enum log_level level, char *buf, size_t size)
{
    const char *template = prefix_template(p, level);
    const char *pid = strstr(template, "PID");

    if (pid)
        snprintf(buf, size, "%.*s%d%s", (int)(pid - template), template, (int)sys_getpid(), pid + strlen("PID"));
    else
        snprintf(buf, size, "%s", template);
    return buf;
}

void persona_log_setup(const struct persona *p, enum log_level level)
{
    static char error[PERSONA_PREFIX_MAX], warn[PERSONA_PREFIX_MAX], info[PERSONA_PREFIX_MAX],
        debug[PERSONA_PREFIX_MAX];
    static const struct log_prefixes prefixes = {error, warn, info, debug};

    persona_prefix(p, LOG_LEVEL_ERROR, error, sizeof error);
    persona_prefix(p, LOG_LEVEL_WARN, warn, sizeof warn);
    persona_prefix(p, LOG_LEVEL_INFO, info, sizeof info);
    persona_prefix(p, LOG_LEVEL_DEBUG, debug, sizeof debug);
    log_set_prefixes(p->own_log ? NULL : &prefixes);
    log_setup(level, LOG_FORMAT_TEXT, STDERR_FILENO);
}

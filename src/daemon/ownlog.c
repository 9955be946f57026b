/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Our own messages: the command line wins over the file.
 */
#include "daemon/ownlog.h"

#include "base/log.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Under systemd, JOURNAL_STREAM names the descriptor that is the journal (systemd.exec(5)). */
static bool ownlog_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char own[64];
    if (stream == NULL || fstat(STDERR_FILENO, &st) < 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(own, stream) == 0;
}

void ownlog_setup(const struct cli *c, const struct spec_supervisor *s)
{
    enum log_format format = c->log_format_set ? c->log_format : s->log_format;
    if (format == LOG_FORMAT_TEXT && ownlog_is_journal())
        format = LOG_FORMAT_JOURNAL;
    log_setup(c->log_level_set ? c->log_level : s->log_level, format, STDERR_FILENO);
}

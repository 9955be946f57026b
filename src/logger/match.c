/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The line that shows that a service is ready. See match.h.
 */
#include "logger/match.h"

#include "base/mem.h"
#include "core/logline.h"
#include "logger/control.h"

#include <regex.h>
#include <string.h>

/** What is looked for. */
struct matcher {
    char *pattern; /* owned */
    regex_t regex;
    uint64_t from;              /* where the search was told to begin */
    uint64_t at;                /* where it is */
    struct logline_state state; /* of the line there */
    char line[LOGLINE_MAX + 1];
};

void match_free(struct stream *s)
{
    if (s->matcher == NULL)
        return;
    regfree(&s->matcher->regex);
    mem_free(s->matcher->pattern);
    mem_free(s->matcher);
    s->matcher = NULL;
}

static struct matcher *matcher_new(const char *pattern, uint64_t from)
{
    struct matcher *m = mem_alloc(sizeof *m);
    if (m == NULL)
        return NULL;
    m->from = m->at = from;
    m->state = (struct logline_state){0};
    m->pattern = mem_strdup(pattern);
    /* It has been compiled before, when the configuration was read: only memory can be missing. */
    if (m->pattern != NULL && regcomp(&m->regex, pattern, REG_EXTENDED | REG_NOSUB) == 0)
        return m;
    mem_free(m->pattern);
    mem_free(m);
    return NULL;
}

void match_set(struct stream *s, const char *pattern, uint64_t from)
{
    const struct matcher *m = s->matcher;
    if (m != NULL && pattern != NULL && m->from == from && strcmp(m->pattern, pattern) == 0)
        return;
    match_free(s);
    if (pattern == NULL)
        return;
    s->matcher = matcher_new(pattern, from);
    if (s->matcher == NULL)
        logger_say(s->logger, s, LOG_LEVEL_ERROR, "", "no memory to look for the line that shows that it is ready");
}

/* Whether the piece P matches; regexec(3) wants a string. A line that ends as lines of DOS do ends before that. */
static bool matches(struct matcher *m, const struct logline_piece *p)
{
    size_t len = p->len - (p->ends && p->len > 0 && p->text[p->len - 1] == '\r');
    for (size_t i = 0; i < len; i++)
        m->line[i] = p->text[i] != '\0' ? p->text[i] : ' ';
    m->line[len] = '\0';
    return regexec(&m->regex, m->line, 0, NULL, 0) == 0;
}

void match_on_bytes(struct stream *s, bool flush)
{
    struct matcher *m = s->matcher;
    uint64_t end = s->ring.head->end, oldest = logring_oldest(&s->ring);
    if (m == NULL || end <= m->at)
        return;
    if (m->at < oldest)
        m->at = oldest;
    while (m->at < end) {
        struct logline_piece p;
        size_t n = logline_next(logring_at(&s->ring, m->at), (size_t)(end - m->at), &m->state, flush, &p);
        if (n == 0)
            return;
        if (matches(m, &p)) {
            const struct message found = {
                .kind = MESSAGE_MATCHED, .id = s->id, .seq = m->from, .text = m->line, .fds = {-1, -1}};
            logger_send(s->logger, &found);
            match_free(s);
            return;
        }
        logline_taken(&m->state, &p);
        m->at += n;
    }
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What one client reads of one stream: where that begins, the line that is next, and how it is told.
 *
 * Memory is the source of history when it holds all that was asked for. Else, where lines go to files, these are, up to
 * the byte at which memory goes on: where they have no times that is as early as can be, else where what has gone out
 * of the ring ends. The client reads them itself.
 */
#include "base/utf8.h"
#include "core/select.h"
#include "logger/file.h"
#include "logger/serve_impl.h"
#include "sys/logfile.h"
#include "sys/sys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void serve_wish_init(struct serve_wish *w, const json_t *request)
{
    const json_t *lines = json_object_get(request, "lines"), *since = json_object_get(request, "since_us");
    json_t *names = json_object_get(request, "services"), *after = json_object_get(request, "after");
    *w = (struct serve_wish){
        .names = json_is_array(names) ? json_incref(names) : NULL,
        .after = json_is_object(after) ? json_incref(after) : NULL,
        .lines = json_is_integer(lines) ? json_integer_value(lines) : -1,
        .since_us = json_is_integer(since) ? json_integer_value(since) : -1,
        .follow = json_is_true(json_object_get(request, "follow")),
    };
}

void serve_wish_done(struct serve_wish *w)
{
    json_decref(w->names);
    json_decref(w->after);
    w->names = w->after = NULL;
}

static bool fits(const char *name, const struct stream *s)
{
    if (select_is_pattern(name))
        return select_pattern_fits(name, s->name, s->service);
    return strcmp(name, s->name) == 0 || strcmp(name, s->service) == 0;
}

bool serve_wish_has(const struct serve_wish *w, const struct stream *s)
{
    size_t i;
    json_t *name;
    json_array_foreach(w->names, i, name)
    {
        if (json_is_string(name) && fits(json_string_value(name), s))
            return true;
    }
    return w->names == NULL;
}

/* Moves C to the position AT, or to the first line behind it when AT is not known to be a beginning; where none begins
 * there, into the line that is there. */
static void move_to_line(struct cursor *c, uint64_t at, uint64_t end)
{
    const struct logring *r = &c->stream->ring;
    const char *data = logring_at(r, at);
    bool begins = at == 0 || (at > logring_oldest(r) && *logring_at(r, at - 1) == '\n');
    const char *newline = begins ? NULL : memchr(data, '\n', (size_t)(end - at));
    c->at = newline != NULL ? at + (uint64_t)(newline - data) + 1 : at;
    c->line = (struct logline_state){.within = !begins && newline == NULL};
    c->n = 0;
}

/* The first position known to have come at US or later. */
static uint64_t position_of(const struct logring *r, int64_t us)
{
    uint64_t low = r->head->marks_begin, high = r->head->marks_end, end = high;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (r->marks[middle % r->n_marks].real_us < us)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end ? r->marks[low % r->n_marks].at : (uint64_t)r->head->end;
}

/* Moves C, which stands at the oldest line, to the first of those that W wants. Whether memory has all of them. */
static bool move_to_wish(struct cursor *c, const struct serve_wish *w)
{
    const struct logring *r = &c->stream->ring;
    bool has_all = false;
    if (w->since_us >= 0 && c->at < c->until) {
        has_all = logring_time(r, c->at) < w->since_us;
        uint64_t first = position_of(r, w->since_us);
        if (first > c->at)
            move_to_line(c, first, c->until);
    }
    if (w->lines >= 0) {
        uint64_t first = logring_last_lines(logring_at(r, c->at), c->at, c->until, (size_t)w->lines);
        has_all = has_all || first > c->at || w->lines == 0;
        if (first > c->at)
            c->line = (struct logline_state){0};
        c->at = first;
    }
    return has_all;
}

/* The file that holds older lines than memory does, as far as it corresponds to what has gone out of the ring; what it
 * is in *RET. NULL: there is none. */
static const char *find_file(const struct stream *s, struct stat *ret)
{
    const char *path = s->sink != NULL && s->sink->path != NULL ? s->sink->path(s) : NULL;
    if (s->log.driver != SPEC_LOG_FILE || path == NULL || sys_lstat(path, ret) != 0 || !S_ISREG(ret->st_mode))
        return NULL;
    return path;
}

/* What the driver knows of the file of S. NULL: nothing, for lines do not go there. */
static const struct file *known_file(const struct stream *s)
{
    return s->sink == &sink_file ? file_of(s) : NULL;
}

/* So many bytes at the end of the file that is ST are those before `sent` in memory. */
static uint64_t in_both(const struct stream *s, const struct stat *st)
{
    const struct logring_head *h = s->ring.head;
    uint64_t size = (uint64_t)st->st_size;
    const struct file *f = known_file(s);
    if (f == NULL || f->ino != st->st_ino || h->lost_bytes != h->lost_told)
        return 0;
    return f->mirrored < size ? f->mirrored : size;
}

/* Whether memory has all that is in the files, of which ST is the present one, and more: C stands at lines that went to
 * another one, which has been moved away or is not named any more. */
static bool has_more_than_files(const struct cursor *c, const struct stat *st)
{
    const struct file *f = known_file(c->stream);
    struct logfile_list older;
    if (f == NULL || f->dir_fd < 0)
        return false;
    /* An empty one that is not ours yet has taken the place of the one that is. */
    bool began_elsewhere = f->ino == st->st_ino ? c->at < f->begun : st->st_size == 0;
    if (!began_elsewhere || logfile_list(f->dir_fd, f->base, false, &older) != 0)
        return false;
    bool is_alone = older.n == 0;
    logfile_list_done(&older);
    return is_alone;
}

/* How many of the lines that C will show begin there. */
static json_int_t count_lines(const struct cursor *c)
{
    size_t len = (size_t)(c->until - c->at);
    /* The newline at the very end begins none. */
    return len == 0 ? 0 : (json_int_t)logring_newlines(logring_at(&c->stream->ring, c->at), len - 1) + !c->line.within;
}

/* Moves C, which stands at the oldest line, to where memory goes on with the file that is ST: of what is in both,
 * memory alone knows the times of lines that have none in the file. The older half of the ring is left to the file, for
 * it may be overwritten while that is read. */
static void move_behind_file(struct cursor *c, const struct stat *st)
{
    const struct stream *s = c->stream;
    const struct logring_head *h = s->ring.head;
    uint64_t half = s->ring.size / 2, recent = c->until > half ? c->until - half : 0;
    uint64_t from = h->sent - in_both(s, st);
    if (from < recent)
        from = recent;
    if (from < c->at)
        from = c->at;
    if (from < h->sent)
        move_to_line(c, from, c->until);
    if (from >= h->sent || c->at > h->sent) {
        c->at = h->sent;
        c->line = h->line;
    }
}

/* What is said of the file at PATH, which is ST and ends where C stands. */
static json_t *describe_file(const struct cursor *c, const struct serve_wish *w, const char *path,
                             const struct stat *st)
{
    const struct stream *s = c->stream;
    json_int_t size = st->st_size - (json_int_t)(s->ring.head->sent - c->at), shown = count_lines(c);
    json_t *file =
        json_pack("{s:s, s:I, s:I, s:s}", "path", path, "inode", (json_int_t)st->st_ino, "size", size, "format",
                  s->log.format == SPEC_LOG_JSON ? "json"
                  : file_is_raw(s)               ? "raw"
                                                 : "timestamps");
    if (w->lines >= 0)
        json_object_set_new(file, "lines", json_integer(shown < w->lines ? w->lines - shown : 0));
    return file;
}

/* What is said of the stream of C; FILE is taken over, and may be NULL. */
static json_t *describe(const struct cursor *c, uint64_t begins, bool untimed, json_t *file)
{
    const struct stream *s = c->stream;
    return json_pack("{s:I, s:s, s:s, s:I, s:I, s:b, s:b, s:o?}", "id", (json_int_t)s->id, "name", s->name, "stream",
                     s->which == SPEC_STREAM_ERR ? "stderr" : "stdout", "begins", (json_int_t)begins, "from",
                     (json_int_t)c->at, "complete", begins == 0, "untimed", untimed, "file", file);
}

json_t *serve_stream(struct cursor *c)
{
    c->until = c->stream->ring.head->end;
    move_to_line(c, logring_oldest(&c->stream->ring), c->until);
    return describe(c, c->at, false, NULL);
}

json_t *cursor_begin(struct cursor *c, const struct serve_wish *w)
{
    const struct logring_head *h = c->stream->ring.head;
    char id[24];
    snprintf(id, sizeof id, "%" PRIu64, c->stream->id);
    const json_t *after = json_object_get(w->after, id);
    c->until = h->end;
    move_to_line(c, logring_oldest(&c->stream->ring), c->until);
    uint64_t begins = c->at;
    if (after != NULL) {
        uint64_t at = (uint64_t)json_integer_value(after);
        c->at = at < c->until ? at : c->until;
        c->line.within = c->at > begins && *logring_at(&c->stream->ring, c->at - 1) != '\n';
        return describe(c, begins, false, NULL);
    }
    /* Who goes on has read the files already, if it wanted them. */
    struct stat st;
    const char *path = w->after != NULL || move_to_wish(c, w) ? NULL : find_file(c->stream, &st);
    if (path != NULL && has_more_than_files(c, &st))
        path = NULL;
    bool untimed = path != NULL && w->since_us >= 0 && file_is_raw(c->stream);
    if (path == NULL || untimed)
        return describe(c, begins, untimed, NULL);
    move_behind_file(c, &st);
    return describe(c, begins, false, describe_file(c, w, path, &st));
}

static void put_gap(const struct cursor *c, uint64_t bytes, struct buf *out)
{
    buf_printf(out,
               "{\"jsonrpc\":\"2.0\",\"method\":\"gap\",\"params\":{\"stream\":%" PRIu64 ",\"next\":%" PRIu64
               ",\"bytes\":%" PRIu64 "}}\n",
               c->stream->id, c->at, bytes);
}

void cursor_skip_lost(struct cursor *c, bool follow, struct buf *out)
{
    const struct logring *r = &c->stream->ring;
    uint64_t from = c->at, oldest = logring_oldest(r), end = follow ? (uint64_t)r->head->end : c->until;
    if (from >= oldest || from >= end)
        return;
    if (oldest < end)
        move_to_line(c, oldest, end);
    else
        c->at = end;
    c->n = 0;
    put_gap(c, c->at - from, out);
}

void cursor_look(struct cursor *c, bool follow, int64_t now_us)
{
    const struct logring *r = &c->stream->ring;
    uint64_t end = follow ? (uint64_t)r->head->end : c->until, run = logring_run(r)->at;
    c->waits = false;
    if (c->n > 0 || c->at >= end)
        return;
    c->us = logring_time(r, c->at);
    /* What a run has not ended, the next one does not go on with. */
    c->line.within = c->line.within && c->at != run;
    bool is_left = run > c->at && run < end;
    /* A time that has not come yet was another clock's. */
    bool flush = is_left || !follow || (uint64_t)(now_us - c->us) >= SERVE_PARTIAL_US;
    c->n = logline_next(logring_at(r, c->at), (size_t)((is_left ? run : end) - c->at), &c->line, flush, &c->piece);
    c->waits = c->n == 0;
}

void cursor_put(struct cursor *c, struct logline_clock *clock, struct buf *out)
{
    const struct logline_piece *p = &c->piece;
    char stamp[LOGLINE_STAMP_LEN + 1] = "";
    uint64_t next = c->at + c->n;
    logline_stamp(clock, c->us, stamp);
    buf_printf(out,
               "{\"jsonrpc\":\"2.0\",\"method\":\"line\",\"params\":{\"stream\":%" PRIu64 ",\"at\":%" PRIu64
               ",\"next\":%" PRIu64 ",\"time\":\"%s\",\"text\":",
               c->stream->id, c->at, next, stamp);
    buf_json_string(out, p->text, p->len);
    if (p->continues)
        buf_puts(out, ",\"continues\":true");
    if (!p->ends)
        buf_puts(out, ",\"partial\":true");
    if (!utf8_is_valid(p->text, p->len)) {
        buf_puts(out, ",\"bytes\":\"");
        buf_base64(out, p->text, p->len);
        buf_putc(out, '"');
    }
    buf_puts(out, "}}\n");
    logline_taken(&c->line, p);
    c->at = next;
    c->n = 0;
}

void cursor_give_up(struct cursor *c, struct buf *out)
{
    uint64_t from = c->at;
    if (from >= c->until)
        return;
    c->at = c->until;
    c->n = 0;
    put_gap(c, c->until - from, out);
}

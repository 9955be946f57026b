/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The driver `file`. See file.h.
 *
 * Each write is noted in struct shared before: which positions of which ring, and how large the file was. A logger that
 * comes after us sees from the file's size how much of that is in it, for nobody else writes to it, and goes on behind
 * that. Killed before the write, that is nothing; killed after it, all.
 */
#include "logger/file.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/log_keys.h"
#include "core/logring.h"
#include "logger/compress.h"
#include "logger/loop.h"
#include "sys/logfile.h"
#include "sys/sys.h"
#include "sys/sys_dir.h"
#include "sys/sys_pipe.h"
#include "sys/sys_time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FILE_PATH_MAX = LOG_KEYS_PATH_MAX + 1, US_A_MS = 1000, US_A_S = 1000000 };

static const double file_retry_s = 1., file_check_s = 1., file_rotate_again_s = 60.;

struct file *file_of(const struct stream *s)
{
    return s->sink_data;
}

static struct shared_batch *batch_of(const struct stream *s)
{
    return &s->logger->shared->file;
}

bool file_is_raw(const struct stream *s)
{
    return s->log.format == SPEC_LOG_TEXT && !s->log.timestamps;
}

static void close_file(struct file *f)
{
    sys_close_fd(&f->fd);
    sys_close_fd(&f->dir_fd);
    ev_timer_stop(f->stream->logger->loop, &f->age);
}

/* Something has failed: what waits, waits for the next try, which begins with opening the file. So one that was removed
 * to make room is let go of, and one on a disk that was away is found again. WHY: in place of the errno's text. */
static void fail(struct stream *s, int errnum, const char *why)
{
    struct file *f = file_of(s);
    close_file(f);
    s->why = why;
    stream_set_trouble(s, LOGRING_FAILING, errnum);
    s->why = NULL;
    if (!ev_is_active(&f->retry))
        loop_arm(s->logger->loop, &f->retry, file_retry_s);
}

static void fail_to_open(struct stream *s, const struct err *e)
{
    struct file *f = file_of(s);
    snprintf(f->error, sizeof f->error, "%.*s", (int)sizeof f->error - 1, e->text);
    fail(s, e->errnum, f->error);
}

/* Has the timer pass when the file is as old as it may become. */
static void arm_age(struct stream *s)
{
    struct file *f = file_of(s);
    struct ev_loop *loop = s->logger->loop;
    ev_timer_stop(loop, &f->age);
    if (s->log.max_age_ms <= 0 || f->fd < 0 || f->is_old)
        return;
    double left = (double)(f->born_us + s->log.max_age_ms * US_A_MS - sys_unix_us()) / US_A_S;
    ev_timer_set(&f->age, left > 0 ? left : 0., 0.);
    ev_timer_start(loop, &f->age);
}

static struct logfile_manner manner_of(const struct stream *s)
{
    const struct spec_log *log = &s->log;
    return (struct logfile_manner){
        .file_mode = (mode_t)log->file_mode,
        .directory_mode = (mode_t)log->directory_mode,
        .has_owner = log->user.text != NULL,
        .uid = log->user.uid,
        .gid = log->user.gid,
    };
}

/* Opens the file in the directory that is open. False with *E. */
static bool open_base(struct stream *s, struct err *e)
{
    struct file *f = file_of(s);
    const struct logfile_manner m = manner_of(s);
    struct stat st;
    f->fd = logfile_open(f->dir_fd, f->base, &m, e);
    if (f->fd < 0)
        return false;
    if (sys_fstat(f->fd, &st) != 0) {
        err_set_errno(e, errno, "fstat");
        sys_close_fd(&f->fd);
        return false;
    }
    f->within = f->within && st.st_size > 0;
    f->mirrored = 0;
    if (st.st_size == 0)
        f->begun = s->ring.head->sent;
    else if (st.st_dev != f->dev || st.st_ino != f->ino)
        f->begun = 0;
    int64_t now_us = sys_unix_us(), birth_us = st.st_size > 0 ? sys_birth_s(f->fd) * US_A_S : 0;
    f->size = (uint64_t)st.st_size;
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    /* A file of the future is one from before the clock was put back. */
    f->born_us = birth_us > 0 && birth_us < now_us ? birth_us : now_us;
    f->is_old = false;
    f->checked_at = ev_now(s->logger->loop);
    arm_age(s);
    return true;
}

/* Opens everything that is not open. False when it cannot be: that has been said. */
static bool open_file(struct stream *s)
{
    struct file *f = file_of(s);
    struct err e = {0};
    if (f->fd >= 0)
        return true;
    if (f->path == NULL) {
        fail(s, ENAMETOOLONG, NULL);
        return false;
    }
    bool is_first = f->dir_fd < 0;
    if (is_first) {
        const struct logfile_manner m = manner_of(s);
        f->dir_fd = logfile_open_dir(f->path, &m, &f->base, &e);
    }
    if (f->dir_fd >= 0 && open_base(s, &e)) {
        if (is_first && s->log.compress)
            compress_files(s);
        return true;
    }
    fail_to_open(s, &e);
    return false;
}

/* Whether what is open is what its name stands for, of which *RET_SIZE is the size. By its full name, for its directory
 * may have been moved, too. */
static bool is_in_place(const struct file *f, uint64_t *ret_size)
{
    struct stat st;
    /* A directory that we may not search any more is no reason to give up what is open in it. */
    if (sys_fstatat(AT_FDCWD, f->path, &st) != 0 && (errno != EACCES || sys_fstatat(f->dir_fd, f->base, &st) != 0))
        return false;
    *ret_size = (uint64_t)st.st_size;
    return st.st_dev == f->dev && st.st_ino == f->ino && st.st_nlink == 1;
}

/* Somebody may have moved, removed or emptied the file: then it is opened anew, or its size is what it is. */
static bool check_file(struct stream *s)
{
    struct file *f = file_of(s);
    double now = ev_now(s->logger->loop);
    if (f->fd >= 0 && now - f->checked_at >= file_check_s) {
        f->checked_at = now;
        if (!is_in_place(f, &f->size))
            close_file(f);
    }
    return open_file(s);
}

/* The file keeps its name, for ERRNUM: it grows on, until it is tried again. */
static void stay(struct stream *s, int errnum)
{
    struct file *f = file_of(s);
    if (f->grows_until == 0.)
        logger_say(s->logger, s, LOG_LEVEL_WARN, "log-rotation",
                   "its log %s cannot be rotated: %s; it grows on, and every minute that is tried again", f->path,
                   err_errno_text(errnum));
    f->grows_until = ev_now(s->logger->loop) + file_rotate_again_s;
    f->born_us = sys_unix_us();
    f->is_old = false;
    arm_age(s);
}

/* Begins another file, if that can be. False when there is none any more to write to: that has been said. */
static bool rotate(struct stream *s)
{
    struct file *f = file_of(s);
    struct err e = {0};
    if (logfile_rotate(f->dir_fd, f->base, sys_unix_us()) != 0 && errno != ENOENT) {
        stay(s, errno);
        return true;
    }
    f->grows_until = 0.;
    sys_close_fd(&f->fd);
    if (!open_base(s, &e)) {
        fail_to_open(s, &e);
        return false;
    }
    if (logfile_prune(f->dir_fd, f->base, (size_t)s->log.max_file - 1) != 0)
        logger_say(s->logger, s, LOG_LEVEL_WARN, "log-rotation", "old files of its log %s cannot be deleted: %s",
                   f->path, err_errno_text(errno));
    if (s->log.compress)
        compress_files(s);
    return true;
}

static struct shared_part part_of(const struct stream *s)
{
    const struct logring_head *h = s->ring.head;
    return (struct shared_part){.stream = s->id,
                                .sent = h->sent,
                                .lost_told = h->lost_told,
                                .lost_lines_told = h->lost_lines_told,
                                .state = h->line};
}

static void apply(struct stream *s, const struct shared_part *p)
{
    const struct shared_batch *b = batch_of(s);
    struct logring_head *h = s->ring.head;
    file_of(s)->within = b->data[b->len - 1] != '\n';
    file_of(s)->mirrored = 0;
    s->logger->shared->n_sent += b->len;
    h->line = p->state;
    h->lost_told = p->lost_told;
    h->lost_lines_told = p->lost_lines_told;
    logring_release(&s->ring, p->sent);
}

/* Of the bytes of a raw write, the first N are in the file. */
static void apply_raw(struct stream *s, uint64_t from, size_t n)
{
    if (n == 0)
        return;
    s->logger->shared->n_sent += n;
    file_of(s)->mirrored += n;
    file_of(s)->within = s->ring.head->line.within = *logring_at(&s->ring, from + n - 1) != '\n';
    logring_release(&s->ring, from + n);
}

/* Notes that the batch, with PART, is about to be written. */
static void announce(struct stream *s, const struct shared_part *part, uint32_t raw)
{
    const struct file *f = file_of(s);
    struct shared_batch *b = batch_of(s);
    b->raw = raw;
    b->n_parts = 1;
    b->parts[0] = *part;
    b->file_dev = f->dev;
    b->file_ino = f->ino;
    b->file_size = f->size;
    b->active = 1;
}

static bool send_raw(struct stream *s)
{
    struct file *f = file_of(s);
    struct shared_batch *b = batch_of(s);
    while (logring_pending(&s->ring) > 0) {
        uint64_t from = s->ring.head->sent;
        const char *data = logring_at(&s->ring, from);
        size_t len = file_share(s, data, logring_pending(&s->ring));
        if (len == 0) {
            if (!rotate(s))
                return false;
            continue;
        }
        struct shared_part part = part_of(s);
        part.sent = from + len;
        b->len = (uint32_t)len;
        announce(s, &part, 1);
        ssize_t n = sys_write(f->fd, data, len);
        int errnum = n < 0 ? errno : 0;
        apply_raw(s, from, n > 0 ? (size_t)n : 0);
        b->active = 0;
        f->size += n > 0 ? (size_t)n : 0;
        if (n < 0) {
            fail(s, errnum, NULL);
            return false;
        }
    }
    return true;
}

static bool put_piece(struct stream *s, const struct logline_label *label, struct logline_out *out,
                      const struct logline_piece *p, int64_t real_us)
{
    static struct logline_clock clock;
    if (s->log.format == SPEC_LOG_JSON)
        return logline_put_json(out, label, p, &clock, real_us);
    if (s->log.timestamps)
        return logline_put_stamped(out, p, &clock, real_us);
    if (out->cap - out->len <= p->len)
        return false;
    memcpy(out->data + out->len, p->text, p->len);
    out->data[out->len + p->len] = '\n';
    out->len += p->len + 1;
    return true;
}

/* Takes the next piece of a stream with timestamps, the lines of which are not cut: what there is of it is sent. */
static size_t next_piece(const struct stream *s, const struct shared_part *part, struct logline_piece *p)
{
    const char *data = logring_at(&s->ring, part->sent);
    size_t len = (size_t)(s->ring.head->end - part->sent);
    return logline_next(data, len, &part->state, s->flush || s->log.format == SPEC_LOG_TEXT, p);
}

/* Puts what waits into the batch, as far as it belongs to the present file. True when that is full. */
static bool compose(struct stream *s, struct shared_part *part)
{
    struct file *f = file_of(s);
    struct shared_batch *b = batch_of(s);
    struct logline_label label = stream_label(s);
    struct logline_out out = {.data = b->data, .cap = sizeof b->data};
    struct logline_piece p;
    size_t n, left = file_room(s), most = file_room_for_rest(s);
    bool is_full = false;
    /* A line that the last run, or another format, has left without an end. */
    if (f->within && (!part->state.within || s->log.format == SPEC_LOG_JSON) && logring_pending(&s->ring) > 0)
        out.data[out.len++] = '\n';
    while ((n = next_piece(s, part, &p)) > 0) {
        size_t before = out.len;
        if (!put_piece(s, &label, &out, &p, logring_time(&s->ring, part->sent)))
            break;
        if (out.len > (p.continues && left < most ? most : left) && f->size + before > 0) {
            out.len = before;
            is_full = true;
            break;
        }
        logline_taken(&part->state, &p);
        part->sent += n;
    }
    b->len = (uint32_t)out.len;
    return is_full;
}

/* Takes the N bytes back that were written last. */
static void take_back(const struct file *f, size_t n)
{
    struct stat st;
    /* Its size as it is: somebody may have emptied it. If it keeps them, half a line stays in it. */
    int r = sys_fstat(f->fd, &st);
    if (r == 0 && st.st_size >= (off_t)n)
        r = sys_ftruncate(f->fd, st.st_size - (off_t)n);
    (void)r;
}

/* Writes the batch of S. What cannot be written as a whole is not written at all. */
static bool write_batch(struct stream *s, const struct shared_part *part)
{
    struct file *f = file_of(s);
    struct shared_batch *b = batch_of(s);
    if (b->len == 0)
        return true;
    announce(s, part, 0);
    size_t n = 0;
    int errnum = 0;
    while (n < b->len && errnum == 0) {
        ssize_t more = sys_write(f->fd, b->data + n, b->len - n);
        errnum = more < 0 ? errno : 0;
        n += more > 0 ? (size_t)more : 0;
    }
    if (errnum == 0)
        apply(s, part);
    else if (n > 0)
        take_back(f, n);
    b->active = 0;
    if (errnum == 0)
        f->size += n;
    else
        fail(s, errnum, NULL);
    return errnum == 0;
}

static bool send_lines(struct stream *s)
{
    for (;;) {
        struct shared_part part = part_of(s);
        bool is_full = compose(s, &part);
        if (!write_batch(s, &part))
            return false;
        if (is_full && !rotate(s))
            return false;
        if (!is_full && batch_of(s)->len == 0)
            return true;
    }
}

/* Tells in the file what is missing at this place. */
static bool send_gap(struct stream *s)
{
    char text[STREAM_GAP_MAX];
    struct logline_piece p;
    struct shared_batch *b = batch_of(s);
    struct shared_part part = part_of(s);
    if (!stream_gap(s, text, &p))
        return true;
    struct logline_out out = {.data = b->data, .cap = sizeof b->data};
    struct logline_label label = stream_label(s);
    if (file_of(s)->within)
        out.data[out.len++] = '\n';
    if (!put_piece(s, &label, &out, &p, sys_unix_us()))
        return true;
    b->len = (uint32_t)out.len;
    part.lost_told = s->ring.head->lost_bytes;
    part.lost_lines_told = s->ring.head->lost_lines;
    part.state.within = false;
    return write_batch(s, &part);
}

static void sink_send(struct stream *s)
{
    const struct file *f = file_of(s);
    if ((ev_is_active(&f->retry) && !s->closing) || !check_file(s))
        return;
    if (send_gap(s) && (file_is_raw(s) ? send_raw(s) : send_lines(s)))
        stream_set_trouble(s, LOGRING_FLOWS, 0);
}

static void on_retry(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    const struct file *f = w->data;
    (void)loop;
    (void)revents;
    stream_pump(f->stream);
}

static void on_age(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct file *f = w->data;
    struct stream *s = f->stream;
    (void)loop;
    (void)revents;
    bool is_due = sys_unix_us() >= f->born_us + s->log.max_age_ms * US_A_MS;
    if (is_due && f->size == 0) {
        f->born_us = sys_unix_us();
    } else if (is_due && s->ring.head->line.within) {
        /* A line ends in the file in which it has begun. */
        f->is_old = true;
    } else if (is_due) {
        (void)rotate(s);
        return;
    }
    arm_age(s);
}

static void take_settings(struct stream *s)
{
    struct file *f = file_of(s);
    char path[FILE_PATH_MAX];
    mem_free(f->path);
    f->path = log_path(&s->log, s->name, s->service, path, sizeof path) ? mem_strdup(path) : NULL;
}

static bool sink_open(struct stream *s)
{
    struct file *f = mem_alloc(sizeof *f);
    if (f == NULL)
        return false;
    *f = (struct file){
        .stream = s, .dir_fd = -1, .fd = -1, .within = s->ring.head->line.within && s->log.format == SPEC_LOG_TEXT};
    ev_timer_init(&f->retry, on_retry, 0., 0.);
    ev_timer_init(&f->age, on_age, 0., 0.);
    f->retry.data = f->age.data = f;
    s->sink_data = f;
    take_settings(s);
    /* At once, so that a mistake shows before the first line is written. */
    (void)open_file(s);
    return true;
}

static void sink_reopen(struct stream *s)
{
    struct file *f = file_of(s);
    close_file(f);
    ev_timer_stop(s->logger->loop, &f->retry);
    f->grows_until = 0.;
    take_settings(s);
    if (open_file(s))
        stream_set_trouble(s, LOGRING_FLOWS, 0);
}

static void sink_close(struct stream *s)
{
    struct file *f = file_of(s);
    compress_forget(s);
    close_file(f);
    ev_timer_stop(s->logger->loop, &f->retry);
    mem_free(f->path);
    mem_free(f);
}

static const char *sink_path(const struct stream *s)
{
    return file_of(s)->path;
}

const struct sink sink_file = {
    .open = sink_open, .send = sink_send, .reopen = sink_reopen, .close = sink_close, .path = sink_path};

/* How much of the batch is in the file of S. Not known of another file than it was meant for, because the settings have
 * changed or somebody has moved it meanwhile: then rather twice than never. */
static size_t written(const struct stream *s, const struct shared_batch *b)
{
    const struct file *f = file_of(s);
    if (f->fd < 0 || f->dev != b->file_dev || f->ino != b->file_ino || f->size <= b->file_size)
        return 0;
    uint64_t n = f->size - b->file_size;
    return n < b->len ? (size_t)n : b->len;
}

/* Of the lines in the batch, N bytes and no more are in the file of S: now none are or, where nothing can be taken off
 * a file (chattr +a), all. True: all. */
static bool resolve(struct stream *s, const struct shared_batch *b, size_t n)
{
    struct file *f = file_of(s);
    if (sys_ftruncate(f->fd, (off_t)b->file_size) == 0) {
        f->size = b->file_size;
        return false;
    }
    ssize_t more = sys_write(f->fd, b->data + n, b->len - n);
    f->size += more > 0 ? (size_t)more : 0;
    return more == (ssize_t)(b->len - n);
}

/* The logger before us may have been killed anywhere between `active = 1` and `active = 0`:
 * - before the write: the file is as large as it was; nothing is to be done, and what waits goes out.
 * - within it (the kernel stops a write between two pages for a SIGKILL): the file has some of it. Of bytes that go as
 *   they are, so many are released. Of lines there are none or all after resolve().
 * - behind it, before or in the middle of apply(): the file has all, and apply() again changes nothing that is right.
 * - in the middle of taking back what a full disk has let in: as within the write.
 * Nothing was dropped from the ring meanwhile: that happens between two batches. And nobody else writes to the file. */
void file_recover(struct logger *l)
{
    struct shared_batch *b = &l->shared->file;
    if (!b->active)
        return;
    const struct shared_part *p = &b->parts[0];
    struct stream *s = stream_find(l, p->stream);
    if (s != NULL && s->sink == &sink_file) {
        size_t n = written(s, b);
        if (b->raw && p->sent > s->ring.head->sent)
            apply_raw(s, p->sent - b->len, n);
        else if (!b->raw && (n == b->len || (n > 0 && resolve(s, b, n))))
            apply(s, p);
    }
    b->active = 0;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Taking in what services write. See intake.h.
 *
 * The order of what is noted down in struct shared, and why a logger that is killed anywhere in it loses nothing:
 *   1. moves[i] = {stream, at}, stage_n = i + 1: from now on the last move may be under way.
 *   2. splice(2); then moves[i].len. Killed in between, its length is what is in the stage less the moves before it.
 *   3. stage_reading = 1, readv(2). Killed in it, what is no more in the stage is in the rings, in the order of the
 * moves.
 *   4. The rings' ends: absolute positions, so that noting them twice does no harm. stage_n = 0, stage_reading = 0.
 */
#include "logger/intake.h"

#include "base/mem.h"
#include "logger/control.h"
#include "logger/match.h"
#include "logger/outlet.h"
#include "logger/serve.h"
#include "sys/pipes.h"
#include "sys/sys.h"
#include "sys/sys_pipe.h"
#include "sys/sys_time.h"

#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

/* A move is at most as much as one ring of the usual size holds; a drain goes on until so much has come. */
enum { INTAKE_MOVE_MAX = 256 << 10, INTAKE_DRAIN_MAX = 1 << 20, INTAKE_ROUNDS = 16, INTAKE_SLACK_NS = 1000 };

/* Fills IOV out of the stage, which holds as much. */
static void read_all(const struct intake *in, struct iovec *iov, int n)
{
    while (n > 0) {
        ssize_t got = sys_readv(in->read_fd, iov, n);
        /* Memory may be short. What is in the stage stays there for the logger that comes after us; if we went on,
         * bytes of one service would count as another's. */
        if (got <= 0)
            _exit(EX_OSERR);
        for (; n > 0 && (size_t)got >= iov->iov_len; iov++, n--)
            got -= (ssize_t)iov->iov_len;
        if (n > 0) {
            iov->iov_base = (char *)iov->iov_base + got;
            iov->iov_len -= (size_t)got;
        }
    }
}

/* Reads the moves, but for the SKIP bytes that have been read, out of the stage into their rings. */
static void read_stage(struct intake *in, size_t skip)
{
    const struct shared *sh = in->logger->shared;
    struct iovec iov[SHARED_STAGE_MAX];
    int n = 0;
    for (uint32_t i = 0; i < sh->stage_n; i++) {
        const struct shared_move *m = &sh->moves[i];
        struct stream *s = in->moved[i];
        size_t done = skip < m->len ? skip : m->len;
        skip -= done;
        if (s == NULL) {
            read_all(in, iov, n);
            n = 0;
            /* It belongs to nobody any more. */
            pipes_discard(in->read_fd, m->len - done);
        } else if (done < m->len) {
            iov[n++] = (struct iovec){.iov_base = logring_at(&s->ring, m->at + done), .iov_len = m->len - done};
        }
    }
    read_all(in, iov, n);
}

/* What the moves have brought is in the rings. */
static void arrive(struct intake *in)
{
    struct shared *sh = in->logger->shared;
    int64_t now_us = sys_unix_us();
    for (uint32_t i = 0; i < sh->stage_n; i++) {
        struct stream *s = in->moved[i];
        if (s != NULL) {
            s->flush = false;
            logring_commit(&s->ring, sh->moves[i].at + sh->moves[i].len, now_us);
        }
        sh->n_taken += sh->moves[i].len;
    }
    sh->stage_n = 0;
    sh->stage_reading = 0;
}

static void empty_stage(struct intake *in)
{
    struct shared *sh = in->logger->shared;
    uint32_t n = sh->stage_n;
    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; i++)
        logring_claim(&in->moved[i]->ring, sh->moves[i].len);
    sh->stage_reading = 1;
    read_stage(in, 0);
    arrive(in);
    for (uint32_t i = 0; i < n; i++) {
        match_on_bytes(in->moved[i], false);
        stream_pump(in->moved[i]);
        serve_on_bytes(in->moved[i]);
    }
}

/* Moves up to LEN bytes from the pipe of S to the stage. Bytes; 0 at its end; -1 with errno. */
static ssize_t move(struct intake *in, struct stream *s, size_t len)
{
    struct shared *sh = in->logger->shared;
    struct logring_head *h = s->ring.head;
    uint32_t i = sh->stage_n;
    sh->moves[i] = (struct shared_move){.stream = s->id, .at = h->end};
    in->moved[i] = s;
    h->turn++;
    sh->stage_n = i + 1;
    ssize_t n = sys_splice(s->pipe_fd, in->write_fd, len < INTAKE_MOVE_MAX ? len : INTAKE_MOVE_MAX);
    if (n > 0) {
        sh->moves[i].len = (uint32_t)n;
        h->moved = sh->moves[i].at + (uint64_t)n;
    } else {
        sh->stage_n = i;
    }
    h->turn++;
    return n;
}

enum taken { TAKEN_SOME, TAKEN_MUCH, TAKEN_NOTHING, TAKEN_STAGE_FULL };

/* Moves what S has to the stage. */
static enum taken take(struct intake *in, struct stream *s)
{
    struct shared *sh = in->logger->shared;
    if (sh->stage_n == SHARED_STAGE_MAX)
        return TAKEN_STAGE_FULL;
    stream_make_room(s);
    size_t room = logring_room(&s->ring);
    if (room == 0 || s->pipe_fd < 0) {
        stream_settle(s);
        return TAKEN_NOTHING;
    }
    ssize_t n = move(in, s, room);
    double part = (double)n / s->pipe_size;
    if (part > in->fullest)
        in->fullest = part;
    /* What did not fit in the ring waits in the pipe, and perhaps a writer behind it. */
    if (n > 0)
        return n > s->pipe_size / 2 || (size_t)n == room ? TAKEN_MUCH : TAKEN_SOME;
    /* Either pipe may be what it would have to wait for. */
    if (n < 0 && errno == EAGAIN && sh->stage_n > 0)
        return TAKEN_STAGE_FULL;
    if (n == 0 || errno != EAGAIN)
        stream_end(s);
    return TAKEN_NOTHING;
}

/* Takes in something of everyone who can be read. Those who had much are in the list again, for there may be more. */
static bool one_round(struct intake *in)
{
    struct list again;
    list_init(&again);
    while (!list_is_empty(&in->ready)) {
        struct stream *s = CONTAINER_OF(in->ready.next, struct stream, in_ready);
        enum taken taken = take(in, s);
        if (taken == TAKEN_STAGE_FULL) {
            empty_stage(in);
            continue;
        }
        list_remove(&s->in_ready);
        if (taken == TAKEN_MUCH)
            list_append(&again, &s->in_ready);
    }
    empty_stage(in);
    outlet_flush(in->logger->outlet);
    while (!list_is_empty(&again)) {
        struct list *link = again.next;
        list_remove(link);
        if (CONTAINER_OF(link, struct stream, in_ready)->wants_more)
            list_append(&in->ready, link);
    }
    return !list_is_empty(&in->ready);
}

static void on_turn(struct ev_loop *loop, struct ev_prepare *w, int revents)
{
    (void)revents;
    struct intake *in = w->data;
    bool is_idle = list_is_empty(&in->ready);
    in->fullest = 0.;
    /* Some rounds without asking anew who can be read; then others have their turn. */
    for (int i = 0; i < INTAKE_ROUNDS && one_round(in); i++) {
        /* Nothing but the conditions. */
    }
    while (!list_is_empty(&in->ready))
        list_remove(in->ready.next);
    logger_settle(in->logger);
    double nap = is_idle ? 0. : pace_next(&in->pace, in->fullest);
    if (nap != in->nap)
        ev_set_io_collect_interval(loop, nap);
    in->nap = nap;
}

static void recover_moves(struct intake *in)
{
    struct shared *sh = in->logger->shared;
    size_t before = 0;
    for (uint32_t i = 0; i < sh->stage_n; i++) {
        struct shared_move *m = &sh->moves[i];
        struct stream *s = stream_find(in->logger, m->stream);
        if (i + 1 == sh->stage_n && sh->stage_reading == 0)
            m->len = (uint32_t)(pipes_bytes(in->read_fd) - before);
        before += m->len;
        in->moved[i] = s;
        if (s == NULL)
            continue;
        s->ring.head->moved = m->at + m->len;
        if (logring_room(&s->ring) >= m->len)
            logring_claim(&s->ring, (size_t)(m->at + m->len - s->ring.head->end));
    }
    sh->stage_reading = 1;
    size_t left = pipes_bytes(in->read_fd);
    if (BUG_IF(left > before))
        pipes_discard(in->read_fd, left - before);
    else
        read_stage(in, before - left);
    arrive(in);
}

void intake_recover(struct intake *in)
{
    recover_moves(in);
    LIST_EACH (it, &in->logger->streams) {
        struct stream *s = CONTAINER_OF(it, struct stream, link);
        s->ring.head->moved = s->ring.head->end;
        if ((s->ring.head->turn & 1) != 0)
            s->ring.head->turn++;
    }
}

void intake_on_readable(struct intake *in, struct stream *s)
{
    if (list_is_empty(&s->in_ready))
        list_append(&in->ready, &s->in_ready);
}

void intake_drain(struct intake *in, struct stream *s)
{
    /* What others have in the stage comes first there. */
    empty_stage(in);
    for (size_t total = 0; total < INTAKE_DRAIN_MAX;) {
        uint64_t before = s->ring.head->end;
        enum taken taken = take(in, s);
        empty_stage(in);
        if (taken != TAKEN_SOME && taken != TAKEN_MUCH)
            break;
        total += (size_t)(s->ring.head->end - before);
    }
    list_remove(&s->in_ready);
    outlet_flush(in->logger->outlet);
}

struct intake *intake_new(struct logger *l, const int stage[2])
{
    struct intake *in = mem_alloc(sizeof *in);
    if (in == NULL)
        return NULL;
    *in = (struct intake){.logger = l, .read_fd = stage[0], .write_fd = stage[1]};
    pace_init(&in->pace);
    list_init(&in->ready);
    ev_prepare_init(&in->turn, on_turn);
    in->turn.data = in;
    ev_prepare_start(l->loop, &in->turn);
    /* Refused, naps only last longer than they should. */
    int r = sys_set_timer_slack(INTAKE_SLACK_NS);
    (void)r;
    return in;
}

void intake_free(struct intake *in)
{
    if (in == NULL)
        return;
    ev_prepare_stop(in->logger->loop, &in->turn);
    sys_close(in->read_fd);
    sys_close(in->write_fd);
    mem_free(in);
}

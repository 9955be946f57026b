/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The place where clients find us: directory, lock, socket, in this order; and who may come in. Everything here runs
 * at the lowest priority of the loop: supervision comes first.
 *
 * DIAGNOSTICS: what goes wrong after the opening is logged once a spell, and costs connections only.
 */
#include "daemon/control.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/proto.h"
#include "daemon/client.h"
#include "daemon/engine.h"
#include "daemon/parked.h"
#include "sys/files.h"
#include "sys/lockfile.h"
#include "sys/sys.h"
#include "sys/users.h"
#include "sys/watchdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    CONTROL_ACCEPTS_A_TURN = 16,
    CONTROL_LINE_MAX = 4096,
    CONTROL_DIR_MODE = 0700,
    CONTROL_DIR_GROUP_MODE = 0750,
    /* Connecting is writing (unix(7)); what a member may do then is asked for each request. */
    CONTROL_GROUP_BITS = 0060,
};

static const double control_retry_s = 1.;

static bool control_has_group(const struct control *c)
{
    return c->group != (gid_t)-1;
}

static bool control_too_long(const char *path, struct err *e)
{
    err_set(e, ERR_INPUT,
            "control socket %s: a socket's path has at most %d bytes; name a shorter one with control:", path,
            RUNTIME_PATH_MAX);
    return false;
}

static bool control_name(struct control *c, struct err *e)
{
    const char *path = c->engine->set->supervisor.control;
    char dir[RUNTIME_PATH_MAX + 1];
    bool shared;
    int len;
    c->is_default = path == NULL;
    if (path == NULL && !runtime_dir(sys_geteuid(), getenv, dir, sizeof dir, &shared))
        return control_too_long("in the runtime directory", e);
    if (path == NULL)
        len = snprintf(c->path, sizeof c->path, "%s/%s", dir, RUNTIME_SOCKET);
    else
        len = snprintf(c->path, sizeof c->path, "%s", path);
    if (len < 0 || (size_t)len >= sizeof c->path)
        return control_too_long(path != NULL ? path : dir, e);
    snprintf(c->lock_path, sizeof c->lock_path, "%s.lock", c->path);
    return true;
}

static bool control_permit(struct control *c, struct err *e)
{
    const struct spec_supervisor *s = &c->engine->set->supervisor;
    c->mode = (mode_t)s->control_mode;
    if (s->control_group == NULL)
        return true;
    if (!users_find_group(s->control_group, &c->group, e)) {
        err_prefix(e, "control_group");
        return false;
    }
    c->group_acts = (c->mode & CONTROL_GROUP_BITS) == CONTROL_GROUP_BITS;
    c->mode |= CONTROL_GROUP_BITS;
    return true;
}

/* Lets the group through the directory DIR, which is ours. */
static bool control_open_dir(const struct control *c, const char *dir)
{
    struct stat st;
    if (sys_lstat(dir, &st) != 0)
        return false;
    if ((st.st_mode & S_IXOTH) != 0 || (st.st_gid == c->group && (st.st_mode & S_IXGRP) != 0))
        return true;
    return sys_lchown(dir, (uid_t)-1, c->group) == 0 && sys_chmod(dir, CONTROL_DIR_GROUP_MODE) == 0;
}

/* The runtime directory has to be ours alone, for whoever can write there can put another socket in our place. Where
 * the configuration names a socket its author answers for the directory; that is only made when it is missing. */
static bool control_make_dir(const struct control *c, struct err *e)
{
    char dir[sizeof c->path];
    usock_dir(c->path, dir, sizeof dir);
    bool is_ours = c->is_default || sys_mkdir(dir, CONTROL_DIR_MODE) == 0;
    if (!is_ours && errno != EEXIST) {
        err_set_errno(e, errno, "directory %s of the control socket", dir);
        return false;
    }
    if (c->is_default && !files_make_dir(dir, CONTROL_DIR_MODE, e)) {
        struct err cause = *e;
        err_set(e, cause.kind,
                "runtime directory %s: %s; fosterd needs one of its own, which FOSTER_RUNTIME_DIR can name", dir,
                cause.text);
        return false;
    }
    if (is_ours && control_has_group(c) && !control_open_dir(c, dir)) {
        err_set_errno(e, errno, "giving the directory %s to control_group", dir);
        return false;
    }
    return true;
}

static bool control_lock(struct control *c, struct err *e)
{
    int fd;
    if (lockfile_is_at(c->lock_path, c->lock_fd))
        return true;
    if (!lockfile_take(c->lock_path, &fd, e)) {
        struct err cause = *e;
        if (cause.kind == ERR_BUSY)
            err_set(e, ERR_BUSY,
                    "control socket %s: another fosterd has it (%s); stop that one, or name another place "
                    "with FOSTER_RUNTIME_DIR or control:",
                    c->path, cause.text);
        else
            err_prefix(e, "control socket %s", c->path);
        return false;
    }
    sys_close(c->lock_fd);
    c->lock_fd = fd;
    return true;
}

/* Makes directory, lock and socket, those of them that are not there. */
static bool control_make(struct control *c, struct err *e)
{
    int fd;
    if (!control_make_dir(c, e) || !control_lock(c, e))
        return false;
    if (c->listen_fd >= 0 && usock_is_at(&c->place, c->path))
        return true;
    if (!usock_listen(c->path, c->mode, c->group, &fd, &c->place, e)) {
        /* Only another fosterd is a reason not to begin. */
        e->kind = e->kind == ERR_BUSY ? ERR_INPUT : e->kind;
        err_prefix(e, "control socket %s", c->path);
        return false;
    }
    ev_io_stop(c->engine->loop, &c->listen_io);
    sys_close(c->listen_fd);
    c->listen_fd = fd;
    ev_io_set(&c->listen_io, fd, EV_READ);
    if (!ev_is_active(&c->retry))
        ev_io_start(c->engine->loop, &c->listen_io);
    return true;
}

/* Has one line of error said to whom is not let in. */
static void control_turn_away(int fd, enum proto_code code, const char *text)
{
    struct buf line;
    json_t *message = proto_error(NULL, code, NULL, "%s", text);
    buf_init(&line, CONTROL_LINE_MAX);
    if (message != NULL && proto_write(message, &line)) {
        /* Who does not hear it sees that the connection ends. */
        ssize_t n = sys_sendto(fd, line.data, line.len, MSG_NOSIGNAL, NULL, 0);
        (void)n;
    }
    json_decref(message);
    buf_done(&line);
    sys_close(fd);
}

static void control_admit(struct control *c, int fd, const struct usock_peer *peer)
{
    bool all = peer->uid == 0 || peer->uid == sys_geteuid();
    if (!all && !(control_has_group(c) && usock_peer_has_group(fd, peer, c->group)))
        control_turn_away(fd, PROTO_FORBIDDEN,
                          "not allowed for this user; be root, the user that fosterd runs as, or in its control_group");
    else if (c->n_clients >= CONTROL_CLIENTS_MAX)
        control_turn_away(fd, PROTO_TOO_MANY, "too many connections; try again when others have ended");
    else if (client_new(c, fd, peer->uid, peer->pid, true, all || c->group_acts) == NULL)
        log_warn("no memory for a control connection");
}

/* A connection that cannot be taken waits, and its socket stays readable: looking again at once would be spinning. */
static void control_pause(struct control *c)
{
    if (!c->is_short)
        log_warn("control socket: %s; connections wait", err_errno_text(errno));
    c->is_short = true;
    ev_io_stop(c->engine->loop, &c->listen_io);
    ev_timer_set(&c->retry, control_retry_s, 0.);
    ev_timer_start(c->engine->loop, &c->retry);
}

static void control_on_connect(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct control *c = w->data;
    for (int n = 0; n < CONTROL_ACCEPTS_A_TURN; n++) {
        struct usock_peer peer;
        int fd;
        if (!usock_accept(c->listen_fd, &fd, &peer)) {
            if (errno != EAGAIN)
                control_pause(c);
            return;
        }
        c->is_short = false;
        control_admit(c, fd, &peer);
    }
}

static void control_resume(struct control *c)
{
    ev_timer_stop(c->engine->loop, &c->retry);
    if (c->listen_fd >= 0)
        ev_io_start(c->engine->loop, &c->listen_io);
}

static void control_on_retry(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    control_resume(w->data);
}

void control_client_gone(struct control *c)
{
    c->n_clients--;
    if (ev_is_active(&c->retry))
        control_resume(c);
}

/* Begins to watch the directory of the socket, where that is possible and not done. */
static void control_watch(struct control *c)
{
    char dir[sizeof c->path];
    struct err e = {0};
    if (c->watch_fd >= 0)
        return;
    usock_dir(c->path, dir, sizeof dir);
    if (!watchdir_open(dir, &c->watch_fd, &e)) {
        log_debug("%s: %s; a socket that is removed from it is made anew at SIGHUP only", dir, e.text);
        return;
    }
    ev_io_set(&c->watch_io, c->watch_fd, EV_READ);
    ev_io_start(c->engine->loop, &c->watch_io);
}

static void control_unwatch(struct control *c)
{
    ev_io_stop(c->engine->loop, &c->watch_io);
    sys_close_fd(&c->watch_fd);
}

static void control_on_removal(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct control *c = w->data;
    bool gone;
    watchdir_drain(c->watch_fd, &gone);
    if (gone)
        control_unwatch(c);
    control_check(c);
}

/* Another fosterd has the place now: what is there must not be touched any more. */
static void control_lose(struct control *c)
{
    ev_io_stop(c->engine->loop, &c->listen_io);
    sys_close_fd(&c->listen_fd);
    sys_close_fd(&c->lock_fd);
}

void control_check(struct control *c)
{
    struct err e = {0};
    bool was_there = c->listen_fd >= 0 && usock_is_at(&c->place, c->path);
    bool is_there = control_make(c, &e);
    if (!is_there && !c->is_lost)
        log_err("%s; nobody can connect until that is mended and SIGHUP comes", e.text);
    if (!is_there && e.kind == ERR_BUSY)
        control_lose(c);
    if (is_there && !was_there) {
        log_warn("control socket %s was removed by somebody; made anew", c->path);
        /* Its directory may be another one now: the old is not told to be gone while a connection keeps it. */
        control_unwatch(c);
    }
    c->is_lost = !is_there;
    if (is_there)
        control_watch(c);
}

static struct control *control_new(struct engine *g)
{
    struct control *c = mem_alloc(sizeof *c);
    if (c == NULL)
        return NULL;
    *c = (struct control){.engine = g, .lock_fd = -1, .listen_fd = -1, .watch_fd = -1, .group = (gid_t)-1};
    list_init(&c->clients);
    list_init(&c->due);
    list_init(&c->parked);
    feed_init(&c->feed);
    ev_io_init(&c->listen_io, control_on_connect, -1, EV_READ);
    ev_io_init(&c->watch_io, control_on_removal, -1, EV_READ);
    ev_timer_init(&c->retry, control_on_retry, control_retry_s, 0.);
    ev_set_priority(&c->listen_io, EV_MINPRI);
    ev_set_priority(&c->watch_io, EV_MINPRI);
    ev_set_priority(&c->retry, EV_MINPRI);
    c->listen_io.data = c->watch_io.data = c->retry.data = c;
    return c;
}

/* What units wrote last is there: outcomes wait for that. */
static void control_on_synced(struct engine *g)
{
    g->control->unsettled = true;
    control_settle(g->control);
}

struct control *control_open(struct engine *g, struct err *e)
{
    struct control *c = control_new(g);
    if (c == NULL) {
        err_set_errno(e, ENOMEM, "control socket");
        return NULL;
    }
    if (!control_name(c, e) || !control_permit(c, e) || !control_make(c, e)) {
        control_close(c);
        return NULL;
    }
    control_watch(c);
    g->logger.on_synced = control_on_synced;
    return c;
}

void control_on_state(struct control *c, unsigned unit, enum unit_state from, enum unit_state to)
{
    struct unit_view u;
    c->unsettled = true;
    if (super_view(c->engine->super, unit, &u))
        feed_state(&c->feed, &u, from, to);
}

void control_settle(struct control *c)
{
    if (!c->unsettled)
        return;
    c->unsettled = false;
    parked_settle_all(c);
}

void control_close(struct control *c)
{
    if (c == NULL)
        return;
    c->engine->logger.on_synced = NULL;
    LIST_EACH (it, &c->clients)
        client_free(CONTAINER_OF(it, struct client, link));
    feed_done(&c->feed);
    ev_io_stop(c->engine->loop, &c->listen_io);
    ev_timer_stop(c->engine->loop, &c->retry);
    control_unwatch(c);
    if (c->listen_fd >= 0 && usock_is_at(&c->place, c->path)) {
        /* One that stays is replaced by the next fosterd. */
        int removed = sys_unlink(c->path);
        (void)removed;
    }
    sys_close_fd(&c->listen_fd);
    lockfile_drop(c->lock_path, &c->lock_fd);
    mem_free(c);
}

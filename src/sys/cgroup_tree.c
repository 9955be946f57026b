/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The tree of control groups of one fosterd: made, locked, given its controllers, taken away again.
 *
 * Between making the directory and locking it another fosterd that starts may take it for a left-over. So it counts as
 * ours only when it is still at its place once we have the lock.
 */
#include "sys/cgroup.h"

#include "sys/sys.h"
#include "sys/sys_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

enum {
    TREE_TRIES = 100,     /* a number of a process that has trees of so many others beside it */
    TREE_TEXT_MAX = 1024, /* of a list of controllers */
};

static const char prefix[] = "foster-", leaf[] = "supervisor";

/* Opens the directory that T's base is. -1 with *E. */
static int open_base(const struct cgroup_tree *t, struct err *e)
{
    int fd = sys_open(t->base.path, O_RDONLY | O_DIRECTORY, 0);
    if (fd == -1)
        err_set_errno(e, errno, "%s", t->base.path);
    return fd;
}

/* Whether NAME in BASE_FD is still the directory FD. */
static bool is_in_place(int base_fd, const char *name, int fd)
{
    struct stat ours, there;
    CLEANUP(sys_close_fd) int now_fd = sys_openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    return now_fd >= 0 && sys_fstat(fd, &ours) == 0 && sys_fstat(now_fd, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

/* Makes T's directory under the name that it has. 1 when it is ours, 0 when the name is taken, -1 with errno. */
static int make_named(struct cgroup_tree *t, int base_fd)
{
    if (sys_mkdirat(base_fd, t->name, 0755) != 0)
        return errno == EEXIST ? 0 : -1;
    int fd = sys_openat(base_fd, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd >= 0 && sys_flock(fd, LOCK_EX | LOCK_NB) == 0 && is_in_place(base_fd, t->name, fd)) {
        t->fd = fd;
        return 1;
    }
    int errnum = errno;
    bool gone = errnum == ENOENT || errnum == EWOULDBLOCK || fd >= 0;
    sys_close(fd);
    bool removed = sys_rmdirat(base_fd, t->name) == 0;
    (void)removed;
    errno = errnum;
    return gone ? 0 : -1;
}

bool cgroup_tree_make(struct cgroup_tree *t, struct err *e)
{
    CLEANUP(sys_close_fd) int base_fd = open_base(t, e);
    if (base_fd < 0)
        return false;
    for (int i = 0; i < TREE_TRIES; i++) {
        int len = snprintf(t->name, sizeof t->name, "%s%d", prefix, (int)sys_getpid());
        if (i > 0)
            snprintf(t->name + len, sizeof t->name - (size_t)len, ".%d", i);
        int made = make_named(t, base_fd);
        if (made > 0)
            return true;
        if (made < 0) {
            err_set_errno(e, errno, "making %s/%s", t->base.path, t->name);
            return false;
        }
    }
    err_set(e, ERR_BUSY, "%s has too many directories %s%d", t->base.path, prefix, (int)sys_getpid());
    return false;
}

/* Whether the file FILE of DIR_FD, names with blanks between, has controller C. */
static bool list_has(int dir_fd, const char *file, enum cgroup_controller c)
{
    char text[TREE_TEXT_MAX], *rest;
    if (!cgroup_read(dir_fd, file, text, sizeof text))
        return false;
    for (char *word = strtok_r(text, " \n", &rest); word != NULL; word = strtok_r(NULL, " \n", &rest))
        if (strcmp(word, cgroup_controller_name(c)) == 0)
            return true;
    return false;
}

static bool is_passed_on(int dir_fd, enum cgroup_controller c)
{
    return list_has(dir_fd, "cgroup.subtree_control", c);
}

/* Has the group DIR_FD pass controller C on to those below it, or not. False with errno. */
static bool pass_on(int dir_fd, enum cgroup_controller c, bool on)
{
    char text[32];
    snprintf(text, sizeof text, "%c%s", on ? '+' : '-', cgroup_controller_name(c));
    return is_passed_on(dir_fd, c) == on || cgroup_write(dir_fd, "cgroup.subtree_control", text);
}

/* Moves us from the base to a leaf of T. False with *E. */
static bool move_aside(struct cgroup_tree *t, struct err *e)
{
    CLEANUP(sys_close_fd) int fd = cgroup_make(t->fd, leaf, e);
    if (fd < 0)
        return false;
    t->moved = cgroup_write(fd, "cgroup.procs", "0");
    if (!t->moved)
        err_set_errno(e, errno, "moving fosterd to %s/%s/%s", t->base.path, t->name, leaf);
    return t->moved;
}

/* Whether BASE_FD is the topmost group of the machine, which may pass on controllers and have processes. Only the files
 * tell: in a namespace another one may look as if it were. */
static bool is_topmost(int base_fd)
{
    char text[TREE_TEXT_MAX];
    return !cgroup_read(base_fd, "cgroup.events", text, sizeof text) && errno == ENOENT;
}

/* Sees to it that BASE_FD may pass on controllers. To be asked before it is told to: a group with processes takes pids
 * and cpu (not memory) at its word, becomes the root of a threaded subtree, and nobody can enter the groups below it
 * any more. False with *E. */
static bool make_way(struct cgroup_tree *t, int base_fd, struct err *e)
{
    struct cgroup_left there = {0};
    if (is_topmost(base_fd))
        return true;
    if (!cgroup_list(base_fd, &there)) {
        err_set_errno(e, errno, "%s/cgroup.procs", t->base.path);
        return false;
    }
    if (there.n == 0)
        return true;
    if (there.n == 1 && there.pids[0] == sys_getpid())
        return move_aside(t, e);
    err_set(e, ERR_BUSY,
            "%s has %zu process%s, and may have none of its own when groups below it are to have limits; start "
            "fosterd in a group of its own",
            t->base.path, there.n, there.n == 1 ? "" : "es");
    e->errnum = EBUSY;
    return false;
}

static bool enable_in_base(struct cgroup_tree *t, int base_fd, enum cgroup_controller c, struct err *e)
{
    if (!make_way(t, base_fd, e))
        return false;
    if (is_passed_on(base_fd, c))
        return true;
    if (!pass_on(base_fd, c, true)) {
        err_set_errno(e, errno, "%s/cgroup.subtree_control", t->base.path);
        return false;
    }
    t->passed_on |= 1U << c;
    return true;
}

bool cgroup_tree_enable(struct cgroup_tree *t, enum cgroup_controller c, struct err *e)
{
    if ((t->enabled >> c & 1) != 0)
        return true;
    if ((t->base.controllers >> c & 1) == 0) {
        err_set(e, ERR_SYS, "%s does not have the controller %s", t->base.path, cgroup_controller_name(c));
        e->errnum = EOPNOTSUPP;
        return false;
    }
    if (t->base.unified) {
        CLEANUP(sys_close_fd) int base_fd = open_base(t, e);
        if (base_fd < 0 || !enable_in_base(t, base_fd, c, e))
            return false;
        if (!pass_on(t->fd, c, true)) {
            err_set_errno(e, errno, "%s/%s/cgroup.subtree_control", t->base.path, t->name);
            return false;
        }
    }
    t->enabled |= 1U << c;
    return true;
}

static bool is_tree_name(const char *name)
{
    size_t len = sizeof prefix - 1;
    return strncmp(name, prefix, len) == 0 && name[len] != '\0' && name[len] != '.' &&
           strspn(name + len, "0123456789.") == strlen(name + len);
}

/* Removes the tree NAME in BASE_FD unless its fosterd lives. The lock is shared with others that sweep: each is to see
 * what is left, and what one has removed is not missed by another. */
static void sweep_one(const struct cgroup_tree *t, int base_fd, const char *name, cgroup_left_fn *fn, void *data)
{
    struct cgroup_left left = {0};
    char path[CGROUP_PATH_MAX + CGROUP_NAME_MAX];
    CLEANUP(sys_close_fd) int fd = sys_openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0 || sys_flock(fd, LOCK_SH | LOCK_NB) != 0 || cgroup_remove(base_fd, name, &left) || left.n == 0)
        return;
    snprintf(path, sizeof path, "%s/%.*s", t->base.path, CGROUP_NAME_MAX - 1, name);
    fn(path, &left, data);
}

void cgroup_tree_sweep(const struct cgroup_tree *t, cgroup_left_fn *fn, void *data)
{
    struct err e = {0};
    CLEANUP(sys_close_fd) int base_fd = open_base(t, &e);
    int own_fd = base_fd >= 0 ? sys_openat(base_fd, ".", O_RDONLY | O_DIRECTORY, 0) : -1;
    DIR *dir = own_fd >= 0 ? sys_fdopendir(own_fd) : NULL;
    if (dir == NULL) {
        sys_close(own_fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_type == DT_DIR && is_tree_name(entry->d_name) && strcmp(entry->d_name, t->name) != 0)
            sweep_one(t, base_fd, entry->d_name, fn, data);
    closedir(dir);
}

/* Takes us back to BASE_FD, which must pass on nothing for that: we had it to ourselves, so this is nobody's loss. */
static bool move_back(struct cgroup_tree *t, int base_fd)
{
    for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLER_N; c++)
        if (!pass_on(t->fd, c, false) || ((t->passed_on >> c & 1) != 0 && !pass_on(base_fd, c, false)))
            return false;
    t->enabled = t->passed_on = 0;
    t->moved = !cgroup_write(base_fd, "cgroup.procs", "0");
    return !t->moved;
}

bool cgroup_tree_remove(struct cgroup_tree *t)
{
    struct err e = {0};
    if (t->fd < 0)
        return true;
    bool ok = cgroup_remove_below(t->fd, leaf, NULL);
    CLEANUP(sys_close_fd) int base_fd = open_base(t, &e);
    ok = base_fd >= 0 && (!t->moved || move_back(t, base_fd)) && ok && cgroup_remove(base_fd, t->name, NULL);
    sys_close_fd(&t->fd);
    return ok;
}

/* What is behind the text HEAD at the beginning of TEXT; NULL: something else is there. */
static const char *behind(const char *text, const char *head)
{
    size_t len = strlen(head);
    return strncmp(text, head, len) == 0 ? text + len : NULL;
}

uint64_t cgroup_tree_run(const struct cgroup_tree *t, const char *seen)
{
    const char *at = behind(seen, t->base.seen);
    at = at != NULL && *at == '/' ? behind(at + 1, t->name) : NULL;
    if (at == NULL || *at != '/')
        return 0;
    /* Behind the name of the unit, which is told by the run. */
    at = strchr(at + 1, '/');
    if (at == NULL || at[1] < '1' || at[1] > '9')
        return 0;
    char *end;
    errno = 0;
    uint64_t run = strtoull(at + 1, &end, 10);
    /* Of a directory that is gone, which a zombie can still be in, the kernel says so behind it. */
    bool whole = *end == '\0' || *end == '/' || strcmp(end, " (deleted)") == 0;
    return whole && errno == 0 ? run : 0;
}

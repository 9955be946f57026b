/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Log files on disk. See logfile.h.
 */
#include "sys/logfile.h"

#include "base/mem.h"
#include "base/rotated.h"
#include "sys/sys.h"
#include "sys/sys_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { US_A_SECOND = 1000000, LOGFILE_LINK_MAX = 1024 };

static const char compressed_end[] = ".gz", remains_end[] = ".gz.tmp";

/* Whose rights we have while we are in a directory. */
struct rights {
    bool is_foreign; /* somebody else may write to it: what is there must be root's or uid's */
    bool changed;    /* they are uid's now */
    uid_t uid;
};

/* Whether somebody who is neither root nor us may write to what ST is about. */
static bool is_foreign(const struct stat *st)
{
    bool by_owner = st->st_uid != 0 && st->st_uid != sys_geteuid();
    bool by_group = (st->st_mode & S_IWGRP) != 0 && st->st_gid != 0;
    return by_owner || by_group || (st->st_mode & S_IWOTH) != 0;
}

/* Takes the rights of whoever may write to DIR_FD: the configured user, or who owns it. Where it is root's and only
 * some other group may (/var/log of a syslog daemon's group), root's have to do. False with errno. */
static bool take_rights(struct rights *r, int dir_fd, const struct logfile_manner *m)
{
    struct stat st;
    *r = (struct rights){0};
    if (sys_geteuid() != 0)
        return true;
    if (sys_fstat(dir_fd, &st) != 0)
        return false;
    if (!is_foreign(&st))
        return true;
    bool by_group = (st.st_mode & S_IWGRP) != 0 && st.st_gid == m->gid;
    r->is_foreign = true;
    r->uid = m->has_owner ? m->uid : st.st_uid;
    r->changed = st.st_uid != 0 || (m->has_owner && (by_group || (st.st_mode & S_IWOTH) != 0));
    if (!r->changed || sys_set_fs_ids(r->uid, m->has_owner ? m->gid : st.st_gid))
        return true;
    errno = EPERM;
    return false;
}

static void give_rights_back(const struct rights *r)
{
    int errnum = errno;
    bool ok = !r->changed || sys_set_fs_ids(sys_geteuid(), sys_getegid());
    /* It takes no privilege: they are our effective ones. */
    (void)ok;
    errno = errnum;
}

/* Gives the directory FD, which we have made, its mode and owner. */
static bool settle_dir(int fd, const struct logfile_manner *m)
{
    bool to_give = sys_geteuid() == 0 && m->has_owner;
    return sys_fchmod(fd, m->directory_mode) == 0 && (!to_give || sys_fchown(fd, m->uid, m->gid) == 0);
}

/* Makes the directory NAME in DIR_FD and opens it. */
static int make_dir(int dir_fd, const char *name, const struct logfile_manner *m)
{
    struct rights r;
    int fd = -1;
    if (take_rights(&r, dir_fd, m)) {
        bool is_new = sys_mkdirat(dir_fd, name, m->directory_mode | S_IRWXU) == 0;
        if (is_new || errno == EEXIST)
            fd = sys_openat(dir_fd, name, (is_new ? O_RDONLY : O_PATH) | O_DIRECTORY | O_NOFOLLOW, 0);
        /* Not less than was asked for, whatever our umask is; and not what would do as it is the next time. Not by its
         * name: where others may write, that may be a link to anything by now. */
        if (fd >= 0 && is_new && !settle_dir(fd, m)) {
            int errnum = errno, gone = sys_rmdirat(dir_fd, name);
            (void)gone;
            sys_close_fd(&fd);
            errno = errnum;
        }
    }
    give_rights_back(&r);
    return fd;
}

/* Opens the directory NAME in DIR_FD. As root it follows a symbolic link only that nobody else can have made: ELOOP. */
static int open_dir(int dir_fd, const char *name)
{
    char target[LOGFILE_LINK_MAX];
    struct stat st;
    if (sys_geteuid() != 0 || (sys_fstat(dir_fd, &st) == 0 && !is_foreign(&st)))
        return sys_openat(dir_fd, name, O_PATH | O_DIRECTORY, 0);
    int fd = sys_openat(dir_fd, name, O_PATH | O_NOFOLLOW, 0);
    if (fd >= 0 && sys_fstat(fd, &st) != 0)
        sys_close_fd(&fd);
    if (fd < 0 || S_ISDIR(st.st_mode))
        return fd;
    /* What a link says does not change, and it is the one that we have looked at. */
    ssize_t n = S_ISLNK(st.st_mode) && st.st_uid == 0 ? sys_readlinkat(fd, "", target, sizeof target) : -1;
    errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
    sys_close_fd(&fd);
    if (n < 0 || n >= (ssize_t)sizeof target)
        return -1;
    target[n] = '\0';
    return sys_openat(dir_fd, target, O_PATH | O_DIRECTORY, 0);
}

int logfile_open_dir(const char *path, const struct logfile_manner *m, const char **ret_base, struct err *e)
{
    const char *base = strrchr(path, '/') + 1, *at = path;
    int dir = sys_open("/", O_PATH | O_DIRECTORY, 0);
    while (dir >= 0 && at < base) {
        char name[LOGFILE_NAME_MAX];
        at += strspn(at, "/");
        size_t len = strcspn(at, "/");
        if (at >= base)
            break;
        if (len >= sizeof name) {
            errno = ENAMETOOLONG;
            sys_close_fd(&dir);
            break;
        }
        memcpy(name, at, len);
        name[len] = '\0';
        int next = open_dir(dir, name);
        if (next < 0 && errno == ENOENT)
            next = make_dir(dir, name, m);
        int errnum = errno;
        sys_close(dir);
        errno = errnum;
        dir = next;
        at += len;
    }
    if (dir < 0 && errno == ELOOP)
        err_set(e, ERR_SYS,
                "directory %.*s: it is a symbolic link, which others than root may have made; name where it leads",
                (int)(at - path), path);
    else if (dir < 0)
        err_set_errno(e, errno, "directory %.*s", (int)(at - path), path);
    *ret_base = base;
    return dir;
}

static const char *kind_name(mode_t mode)
{
    return S_ISLNK(mode)    ? "a symbolic link"
           : S_ISDIR(mode)  ? "a directory"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

/* Whether FD, opened with the rights R, is what a log file may be. */
static bool is_acceptable(int fd, const struct rights *r, struct err *e)
{
    struct stat st;
    if (sys_fstat(fd, &st) != 0)
        err_set_errno(e, errno, "fstat");
    else if (!S_ISREG(st.st_mode))
        err_set(e, ERR_SYS, "it is %s; a log file is a regular file", kind_name(st.st_mode));
    else if (st.st_nlink != 1)
        err_set(e, ERR_SYS, "it has %ju names; a log file has one", (uintmax_t)st.st_nlink);
    else if (r->is_foreign && st.st_uid != 0 && st.st_uid != r->uid)
        err_set(e, ERR_SYS, "it belongs to user %ju; make it root's, or name that one as `user`", (uintmax_t)st.st_uid);
    else
        return true;
    return false;
}

static int open_file(int dir_fd, const char *base, const struct logfile_manner *m, bool *ret_is_new)
{
    enum { FLAGS = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK };
    int fd = sys_openat(dir_fd, base, FLAGS | O_CREAT | O_EXCL, m->file_mode);
    *ret_is_new = fd >= 0;
    return fd < 0 && errno == EEXIST ? sys_openat(dir_fd, base, FLAGS, 0) : fd;
}

int logfile_open(int dir_fd, const char *base, const struct logfile_manner *m, struct err *e)
{
    struct rights r;
    struct stat st;
    bool is_new = false;
    int fd = take_rights(&r, dir_fd, m) ? open_file(dir_fd, base, m, &is_new) : -1;
    int errnum = errno;
    give_rights_back(&r);
    if (fd < 0 && (errnum == ELOOP || errnum == ENXIO || errnum == EISDIR) && sys_fstatat(dir_fd, base, &st) == 0 &&
        !S_ISREG(st.st_mode)) {
        err_set(e, ERR_SYS, "it is %s; a log file is a regular file", kind_name(st.st_mode));
        return -1;
    }
    if (fd < 0 && r.changed) {
        err_set_errno(e, errnum, "open, with the rights of user %ju, since its directory is not root's alone",
                      (uintmax_t)r.uid);
        return -1;
    }
    if (fd < 0) {
        err_set_errno(e, errnum, "open");
        return -1;
    }
    if (is_new && (sys_fchmod(fd, m->file_mode) != 0 ||
                   (sys_geteuid() == 0 && m->has_owner && sys_fchown(fd, m->uid, m->gid) != 0))) {
        err_set_errno(e, errno, "mode and owner");
        sys_close(fd);
        /* Else it would do the next time. */
        int gone = sys_unlinkat(dir_fd, base);
        (void)gone;
        return -1;
    }
    if (!is_new && !is_acceptable(fd, &r, e)) {
        sys_close(fd);
        return -1;
    }
    return fd;
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), n = strlen(end);
    return len >= n && strcmp(name + len - n, end) == 0;
}

/* The stamp in NAME, if it is one that BASE was given; NULL else. */
static const char *stamp_of(const char *name, const char *base)
{
    const char *end, *stamp = rotated_stamp(name, base, &end);
    if (stamp == NULL || (*end != '\0' && strcmp(end, compressed_end) != 0 && strcmp(end, remains_end) != 0))
        return NULL;
    return stamp;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add(struct logfile_list *l, const char *name)
{
    if (l->n >= LOGFILE_LIST_MAX || !mem_grow(&l->names, &l->cap, l->n + 1, sizeof *l->names))
        return false;
    l->names[l->n] = mem_strdup(name);
    return l->names[l->n] != NULL && ++l->n > 0;
}

int logfile_list(int dir_fd, const char *base, bool delete_remains, struct logfile_list *ret)
{
    *ret = (struct logfile_list){0};
    int fd = sys_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = fd >= 0 ? sys_fdopendir(fd) : NULL;
    if (dir == NULL) {
        sys_close(fd);
        return -1;
    }
    bool ok = true;
    for (struct dirent *d; ok && (d = readdir(dir)) != NULL;) {
        if (stamp_of(d->d_name, base) == NULL)
            continue;
        if (!ends_with(d->d_name, remains_end)) {
            ok = add(ret, d->d_name);
        } else if (delete_remains && sys_unlinkat(dir_fd, d->d_name) != 0) {
            /* It is in nobody's way. */
            continue;
        }
    }
    closedir(dir);
    if (!ok) {
        logfile_list_done(ret);
        errno = ENOMEM;
        return -1;
    }
    if (ret->n > 1)
        qsort(ret->names, ret->n, sizeof *ret->names, by_name);
    return 0;
}

void logfile_list_done(struct logfile_list *l)
{
    while (l->n > 0)
        mem_free(l->names[--l->n]);
    mem_free(l->names);
    *l = (struct logfile_list){0};
}

static void put_stamp(int64_t real_us, char out[static ROTATED_STAMP_LEN + 1])
{
    time_t second = (time_t)(real_us / US_A_SECOND);
    struct tm tm = {0};
    gmtime_r(&second, &tm);
    snprintf(out, ROTATED_STAMP_LEN + 1, "%04u%02u%02uT%02u%02u%02u.%06uZ", (unsigned)(tm.tm_year + 1900) % 10000,
             (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100, (unsigned)(real_us % US_A_SECOND) % US_A_SECOND);
}

/* The number that the N digits at TEXT are. */
static int number(const char *text, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

/* The time that STAMP stands for. */
static int64_t time_of_stamp(const char *stamp)
{
    enum { MONTH = 4, DAY = 6, HOUR = 9, MINUTE = 11, SECOND = 13, FRACTION = 16 };
    struct tm tm = {.tm_year = number(stamp, 4) - 1900,
                    .tm_mon = number(stamp + MONTH, 2) - 1,
                    .tm_mday = number(stamp + DAY, 2),
                    .tm_hour = number(stamp + HOUR, 2),
                    .tm_min = number(stamp + MINUTE, 2),
                    .tm_sec = number(stamp + SECOND, 2)};
    return (int64_t)timegm(&tm) * US_A_SECOND + number(stamp + FRACTION, 6);
}

int logfile_rotate(int dir_fd, const char *base, int64_t real_us)
{
    struct logfile_list l;
    char stamp[ROTATED_STAMP_LEN + 1], name[LOGFILE_NAME_MAX];
    if (logfile_list(dir_fd, base, false, &l) != 0)
        return -1;
    put_stamp(real_us, stamp);
    if (l.n > 0) {
        const char *newest = stamp_of(l.names[l.n - 1], base);
        if (strncmp(stamp, newest, ROTATED_STAMP_LEN) <= 0)
            put_stamp(time_of_stamp(newest) + 1, stamp);
    }
    logfile_list_done(&l);
    if ((size_t)snprintf(name, sizeof name, "%s.%s", base, stamp) >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int r = sys_rename_new(dir_fd, base, name);
    /* Some file systems cannot tell; we know already that the name is free. */
    return r != 0 && (errno == EINVAL || errno == ENOSYS) ? sys_renameat(dir_fd, base, name) : r;
}

int logfile_prune(int dir_fd, const char *base, size_t keep)
{
    struct logfile_list l;
    int errnum = 0;
    if (logfile_list(dir_fd, base, false, &l) != 0)
        return -1;
    for (size_t i = 0; i + keep < l.n; i++)
        if (sys_unlinkat(dir_fd, l.names[i]) != 0 && errno != ENOENT && errnum == 0)
            errnum = errno;
    logfile_list_done(&l);
    errno = errnum;
    return errnum == 0 ? 0 : -1;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The state directory. Nothing in it is believed beyond its form: a tag in it only leads to a report.
 *
 * DIAGNOSTICS: a file that cannot be written warns once a spell and costs nothing else.
 */
#include "daemon/state.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/pidmap.h"
#include "sys/files.h"
#include "sys/procfs.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { STATE_LINE_MAX = 256, STATE_BOOT_MAX = 64, STATE_ANCESTORS_MAX = 64 };

/* Runs that an earlier fosterd had not closed, as its file tells: tag id -> name. A tag id fits a pid, so the pid map
 * serves. */
struct state_old {
    struct pidmap open;
    struct arena arena; /* owns the names */
    uint32_t last_id;
};

static bool state_path(const struct state *s, const char *name, char *buf, size_t size)
{
    return snprintf(buf, size, "%s/%s", s->dir, name) < (int)size;
}

static void state_boot_id(char *buf, size_t size)
{
    struct buf text;
    struct err e = {0};
    buf_init(&text, STATE_BOOT_MAX);
    snprintf(buf, size, "unknown");
    if (files_read("/proc/sys/kernel/random/boot_id", STATE_BOOT_MAX, FILES_TRUST_ANY, &text, &e))
        snprintf(buf, size, "%.*s", (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
    buf_done(&text);
}

static void state_header(uint64_t own_limit, char *buf, size_t size)
{
    char boot[STATE_BOOT_MAX];
    state_boot_id(boot, sizeof boot);
    snprintf(buf, size, "foster-runs 1 %s %" PRIu64 "\n", boot, own_limit);
}

/* Cuts the next word off *LINE; NULL at its end. */
static char *state_word(char **line)
{
    char *word = *line;
    if (word == NULL || *word == '\0')
        return NULL;
    char *end = strchr(word, ' ');
    if (end != NULL)
        *end++ = '\0';
    *line = end;
    return word;
}

/* Takes in one line; a line that we could not have written is passed over. */
static void state_read_line(struct state_old *old, char *line)
{
    const char *sign = state_word(&line), *number = state_word(&line);
    int64_t id;
    if (sign == NULL || number == NULL || !parse_int(number, &id) || id < 1 || id > attrib_ids_max())
        return;
    bool closes = strcmp(sign, "-") == 0;
    const char *run = state_word(&line), *pid = state_word(&line), *name = state_word(&line);
    bool opens = strcmp(sign, "+") == 0 && run != NULL && pid != NULL && name != NULL;
    if (!opens && !closes)
        return;
    old->last_id = id > old->last_id ? (uint32_t)id : old->last_id;
    if (closes) {
        (void)pidmap_remove(&old->open, (pid_t)id);
        return;
    }
    char *copy = arena_strdup(&old->arena, name);
    if (copy == NULL || !pidmap_put(&old->open, (pid_t)id, copy))
        log_warn("no memory for the runs of an earlier fosterd; its left-over processes may not be recognised");
}

/* Reads the file of an earlier fosterd. False when there is none of this boot and our own place in the tags. */
static bool state_read(const struct state *s, uint64_t own_limit, struct state_old *old)
{
    char path[PATH_MAX];
    char header[STATE_LINE_MAX];
    struct buf text;
    struct err e = {0};
    bool ok = false;
    buf_init(&text, 2 * STATE_FILE_MAX);
    state_header(own_limit, header, sizeof header);
    if (state_path(s, "runs", path, sizeof path) && files_read(path, 2 * STATE_FILE_MAX, FILES_TRUST_SAFE, &text, &e))
        ok = strncmp(buf_str(&text), header, strlen(header)) == 0;
    else if (e.errnum != ENOENT)
        log_warn("state file %s: %s; left-over processes of an earlier run are not recognised", path, e.text);
    for (char *line = ok ? strtok(text.data, "\n") : NULL; line != NULL; line = strtok(NULL, "\n"))
        state_read_line(old, line);
    buf_done(&text);
    return ok;
}

/* Whether the process whose parent is PID belongs to another fosterd that lives, whose tags are the same as ours: the
 * first of its ancestors that bears no tag is a program like us then. */
static bool state_is_kept(const struct state *s, pid_t pid)
{
    struct procstat self, st;
    uint64_t tag;
    if (!procfs_stat(sys_getpid(), &self))
        return false;
    for (int depth = 0; depth < STATE_ANCESTORS_MAX && procfs_stat(pid, &st); depth++, pid = st.ppid)
        if (!procfs_tag(pid, &tag) || tag >= s->own_limit)
            return strcmp(st.comm, self.comm) == 0;
    return false;
}

static void state_report_one(struct state *s, uint32_t id, pid_t pid, const char *name)
{
    struct procstat st;
    if (!procfs_stat(pid, &st) || st.state == 'Z' || state_is_kept(s, st.ppid))
        return;
    struct log_about about = {.service = name, .event = "left-over", .pid = pid};
    log_write(LOG_LEVEL_WARN, &about,
              "process %d (%s) is left over from an earlier fosterd and cannot be adopted; end it with kill %d",
              (int)pid, st.comm, (int)pid);
    /* Run 0: none of ours. The next fosterd is to know it too. */
    buf_printf(&s->left_over, "+ %" PRIu32 " 0 %d %s\n", id, (int)pid, name);
}

/* Whose processes are still there? They are no children of ours, so all of /proc is searched, once. */
static void state_report(struct state *s, const struct state_old *old, uint64_t own_limit)
{
    struct attrib probe;
    struct pidlist all = {0};
    attrib_init(&probe, own_limit, 0, 1);
    if (probe.stride != 0 && procfs_all(&all)) {
        for (size_t i = 0; i < all.n; i++) {
            uint64_t tag;
            if (!procfs_tag(all.pids[i], &tag) || tag >= probe.base)
                continue;
            uint64_t id = (probe.base - tag) / probe.stride;
            const char *name = id <= attrib_ids_max() ? pidmap_get(&old->open, (pid_t)id) : NULL;
            if (name != NULL)
                state_report_one(s, (uint32_t)id, all.pids[i], name);
        }
    }
    pidlist_done(&all);
    attrib_done(&probe);
}

static bool state_lock(struct state *s, struct err *e)
{
    char path[PATH_MAX];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (!state_path(s, "lock", path, sizeof path)) {
        err_set(e, ERR_INPUT, "state_dir %s: the name is too long; use a shorter one", s->dir);
        return false;
    }
    s->lock_fd = sys_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0) {
        err_set_errno(e, errno, "state_dir: opening %s", path);
        return false;
    }
    if (sys_fcntl(s->lock_fd, F_SETLK, (long)&lock) == 0)
        return true;
    if (errno == EAGAIN || errno == EACCES)
        err_set(e, ERR_BUSY, "state_dir %s is in use by another fosterd; give each its own", s->dir);
    else
        err_set_errno(e, errno, "state_dir: locking %s", path);
    sys_close_fd(&s->lock_fd);
    return false;
}

static bool state_take_dir(struct state *s, const char *dir, struct err *e)
{
    s->dir = mem_strdup(dir);
    if (s->dir == NULL) {
        err_set_errno(e, ENOMEM, "state_dir %s", dir);
        return false;
    }
    if (files_make_dir(dir, 0700, e))
        return state_lock(s, e);
    err_prefix(e, "state_dir %s", dir);
    return false;
}

bool state_open(struct state *s, const char *dir, uint64_t own_limit, struct err *e)
{
    struct state_old old = {0};
    *s = (struct state){.lock_fd = -1, .fd = -1, .own_limit = own_limit, .first_id = 1};
    buf_init(&s->left_over, STATE_FILE_MAX);
    if (!state_take_dir(s, dir, e)) {
        state_close(s, false);
        return false;
    }
    if (state_read(s, own_limit, &old)) {
        if (old.open.n > 0)
            state_report(s, &old, own_limit);
        s->first_id = old.last_id % attrib_ids_max() + 1;
    }
    pidmap_done(&old.open);
    arena_done(&old.arena);
    return true;
}

static void state_failed(struct state *s, const char *what)
{
    if (!s->failing)
        log_warn("state_dir %s: %s: %s; going on without it until it works again", s->dir, what, err_errno_text(errno));
    s->failing = true;
}

static void state_append(struct state *s, const char *line, size_t len)
{
    if (s->fd < 0)
        return;
    if (sys_write(s->fd, line, len) != (ssize_t)len) {
        /* A torn line swallows the next one at most, and a line that is lost only costs a report. */
        state_failed(s, "writing");
        return;
    }
    s->failing = false;
    s->size += len;
}

static int state_line_opened(char *buf, size_t size, const struct attrib_run *r, pid_t pid, const char *name)
{
    return snprintf(buf, size, "+ %" PRIu32 " %" PRIu64 " %d %s\n", r->tag_id, r->run, (int)pid, name);
}

static pid_t state_main_pid(const struct attrib_run *r)
{
    LIST_EACH (it, &r->members) {
        const struct attrib_proc *p = CONTAINER_OF(it, struct attrib_proc, in_run);
        if (p->role == ATTRIB_MAIN)
            return p->pid;
    }
    return 0;
}

void state_rewrite(struct state *s, const struct attrib *a, state_name_fn *name, void *data)
{
    if (s->lock_fd < 0)
        return;
    char path[PATH_MAX];
    char line[STATE_LINE_MAX];
    struct buf text;
    struct err e = {0};
    buf_init(&text, 2 * STATE_FILE_MAX);
    state_header(a->own_limit, line, sizeof line);
    buf_puts(&text, line);
    buf_puts(&text, buf_str(&s->left_over));
    LIST_EACH (it, &a->runs) {
        const struct attrib_run *r = CONTAINER_OF(it, struct attrib_run, link);
        if (r->n_members == 0 || r->helper != NULL)
            continue;
        state_line_opened(line, sizeof line, r, state_main_pid(r), name(r->unit, data));
        buf_puts(&text, line);
    }
    sys_close_fd(&s->fd);
    if (state_path(s, "runs", path, sizeof path) && files_write(path, text.data, text.len, &e)) {
        s->fd = sys_open(path, O_WRONLY | O_APPEND | O_NOFOLLOW, 0);
        s->size = text.len;
    }
    if (s->fd < 0)
        state_failed(s, "writing the file of runs");
    buf_done(&text);
}

void state_opened(struct state *s, const struct attrib_run *r, pid_t pid, const char *name)
{
    char line[STATE_LINE_MAX];
    state_append(s, line, (size_t)state_line_opened(line, sizeof line, r, pid, name));
}

void state_closed(struct state *s, uint32_t tag_id)
{
    char line[STATE_LINE_MAX];
    state_append(s, line, (size_t)snprintf(line, sizeof line, "- %" PRIu32 "\n", tag_id));
}

void state_close(struct state *s, bool empty)
{
    char path[PATH_MAX];
    if (s->fd >= 0 && empty && s->left_over.len == 0 && state_path(s, "runs", path, sizeof path) &&
        sys_unlink(path) < 0)
        state_failed(s, "removing the file of runs");
    sys_close_fd(&s->fd);
    sys_close_fd(&s->lock_fd);
    buf_done(&s->left_over);
    mem_free(s->dir);
    s->dir = NULL;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Which thread of a process can be made to wait for its children, or why none can. See unzombie_impl.h.
 *
 * BUGS: /proc/PID/syscall and the memory of the process wait for locks of it. A process with a thread in state D is
 * left alone for that; but one may get there between our look and our reading.
 */
#include "base/procstat.h"
#include "sys/procfs.h"
#include "sys/sys.h"
#include "sys/sys_ptrace.h"
#include "sys/unzombie_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    N_THREADS_MAX = 64, /* of more threads than these nobody needs to be asked */
    FILE_NAME_MAX = 64,
    STAT_TEXT_MAX = 2048,
    STATUS_TEXT_MAX = 4096,
    CALL_TEXT_MAX = 256, /* a number and eight more */
    VDSO_SIZE_MAX = 8192,
    N_AUXV_MAX = 64,
    SECCOMP_STRICT = 1, /* "Seccomp:" in /proc/PID/status: read, write and exit are all that is allowed */
    SECCOMP_FILTER = 2,
};

/* Threads that sleep, the first one first. */
struct sleepers {
    pid_t tids[N_THREADS_MAX];
    size_t n;
};

enum unzombie_verdict unzombie_target_verdict(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ESRCH:
        return UNZOMBIE_GONE;
    case EACCES:
    case EPERM:
        return UNZOMBIE_REFUSED;
    case ENOSYS:
        return UNZOMBIE_UNSUPPORTED;
    case EBUSY:
        return UNZOMBIE_LATER;
    default:
        return UNZOMBIE_FAILED;
    }
}

static enum unzombie_verdict refuse(int *errnum)
{
    *errnum = errno;
    return unzombie_target_verdict(errno);
}

/* Reads FILE of thread TID as a string. */
static bool read_text(pid_t pid, pid_t tid, const char *file, char *text, size_t size)
{
    char name[FILE_NAME_MAX];
    snprintf(name, sizeof name, "task/%d/%s", (int)tid, file);
    ssize_t len = procfs_read(pid, name, text, size - 1);
    if (len < 0)
        return false;
    text[len] = '\0';
    return true;
}

static bool status_number(const char *status, const char *name, uint64_t *ret)
{
    return procstat_parse_status(status, strlen(status), name, 10, ret);
}

/* ------------------------------------------------------------------ what is against it */

/* How many pid namespaces the process is in that /proc knows of: the numbers in the line "NSpid:". 0 when there is no
 * such line, before kernel 4.1. */
static size_t n_namespaces(const char *status)
{
    const char *line = strstr(status, "\nNSpid:");
    size_t n = 0;
    if (line == NULL)
        return 0;
    const char *end = strchr(line + 1, '\n');
    for (const char *c = line + 1; c != end && *c != '\0'; c++)
        n += *c == '\t';
    return n;
}

/* Whether a filter may be in force for the thread that is not for us: wait4(2) might be what kills it. */
static bool has_more_filters(const char *theirs)
{
    uint64_t mode, n, our_mode, our_n;
    pid_t self = sys_getpid();
    if (!status_number(theirs, "Seccomp:", &mode) || mode == 0)
        return false;
    if (mode == SECCOMP_STRICT || !procfs_status(self, "Seccomp:", 10, &our_mode) || our_mode != SECCOMP_FILTER)
        return true;
    /* How many there are can be told since kernel 5.9. */
    return !status_number(theirs, "Seccomp_filters:", &n) || !procfs_status(self, "Seccomp_filters:", 10, &our_n) ||
           n > our_n;
}

static enum unzombie_verdict examine_status(pid_t pid, pid_t tid, int *errnum)
{
    char status[STATUS_TEXT_MAX];
    uint64_t tracer;
    if (!read_text(pid, tid, "status", status, sizeof status))
        return refuse(errnum);
    size_t n = n_namespaces(status);
    if (n == 0 || !status_number(status, "TracerPid:", &tracer))
        return UNZOMBIE_UNSUPPORTED;
    if (n > 1)
        return UNZOMBIE_NAMESPACE;
    if (tracer != 0)
        return UNZOMBIE_TRACED;
    return has_more_filters(status) ? UNZOMBIE_SECCOMP : UNZOMBIE_DONE;
}

/* Reads "NUMBER 0xARG 0xARG ... 0xSP 0xPC". False for "running", and for "-1 0xSP 0xPC" of a thread that waits for
 * something that it did not ask for. */
static bool parse_call(const char *text, struct unzombie_call *ret)
{
    uintptr_t *const fields[] = {&ret->args[0], &ret->args[1], &ret->args[2], &ret->args[3],
                                 &ret->args[4], &ret->args[5], &ret->sp,      &ret->pc};
    char *at;
    ret->number = strtol(text, &at, 10);
    if (at == text || ret->number < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *from = at;
        *fields[i] = (uintptr_t)strtoull(from, &at, 16);
        if (at == from)
            return false;
    }
    return true;
}

static enum unzombie_verdict examine(pid_t pid, pid_t tid, struct unzombie_call *ret, int *errnum)
{
    char text[CALL_TEXT_MAX];
    enum unzombie_verdict v = examine_status(pid, tid, errnum);
    if (v != UNZOMBIE_DONE)
        return v;
    if (!read_text(pid, tid, "syscall", text, sizeof text))
        return refuse(errnum);
    return parse_call(text, ret) ? UNZOMBIE_DONE : UNZOMBIE_BUSY;
}

/* ------------------------------------------------------------------ threads */

/* Adds TID to S if it sleeps. What the others are doing speaks against the whole process, or does not matter. */
static enum unzombie_verdict add_sleeper(pid_t pid, pid_t tid, struct sleepers *s)
{
    char text[STAT_TEXT_MAX];
    struct procstat st;
    if (!read_text(pid, tid, "stat", text, sizeof text) || !procstat_parse(text, strlen(text), &st))
        return UNZOMBIE_DONE;
    switch (st.state) {
    case 'S':
        s->tids[s->n++] = tid;
        return UNZOMBIE_DONE;
    case 'D':
        return UNZOMBIE_BUSY;
    case 'T':
        return UNZOMBIE_SUSPENDED;
    case 't':
        return UNZOMBIE_TRACED;
    default:
        return UNZOMBIE_DONE;
    }
}

static enum unzombie_verdict find_sleepers(pid_t pid, struct sleepers *s, int *errnum)
{
    char path[FILE_NAME_MAX];
    const struct dirent *entry;
    s->n = 0;
    enum unzombie_verdict v = add_sleeper(pid, pid, s);
    if (v != UNZOMBIE_DONE)
        return v;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = sys_opendir(path);
    if (dir == NULL)
        return refuse(errnum);
    for (size_t n = 0; v == UNZOMBIE_DONE && n < N_THREADS_MAX - 1 && (entry = readdir(dir)) != NULL; n++) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10); /* 0 for "." and ".." */
        if (tid > 0 && tid != pid)
            v = add_sleeper(pid, tid, s);
    }
    closedir(dir);
    return v;
}

enum unzombie_verdict unzombie_target_choose(pid_t pid, struct unzombie_target *ret, int *errnum)
{
    struct procstat st;
    struct sleepers s;
    if (!UNZOMBIE_HAS_ARCH)
        return UNZOMBIE_UNSUPPORTED;
    if (!procfs_stat(pid, &st))
        return refuse(errnum);
    if (procstat_is_dead(&st))
        return UNZOMBIE_GONE;
    enum unzombie_verdict v = find_sleepers(pid, &s, errnum);
    if (v != UNZOMBIE_DONE)
        return v;
    v = UNZOMBIE_BUSY;
    for (size_t i = 0; v == UNZOMBIE_BUSY && i < s.n; i++) {
        *ret = (struct unzombie_target){.pid = pid, .tid = s.tids[i]};
        v = examine(pid, s.tids[i], &ret->call, errnum);
    }
    return v;
}

/* ------------------------------------------------------------------ the instruction */

/* Where the kernel has put the vDSO; 0 when there is none, as for a 32-bit program, whose vector reads differently. */
static uintptr_t vdso_of(const struct unzombie_target *t)
{
    uintptr_t auxv[2 * N_AUXV_MAX];
    char name[FILE_NAME_MAX];
    snprintf(name, sizeof name, "task/%d/auxv", (int)t->tid);
    ssize_t len = procfs_read(t->pid, name, (char *)auxv, sizeof auxv);
    for (size_t i = 0; len > 0 && i + 1 < (size_t)len / sizeof auxv[0]; i += 2) {
        if (auxv[i] == AT_SYSINFO_EHDR)
            return auxv[i + 1];
    }
    return 0;
}

static bool is_our_machine(const unsigned char *text, size_t len)
{
    Elf64_Ehdr header;
    if (len < sizeof header)
        return false;
    memcpy(&header, text, sizeof header);
    return memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
           header.e_machine == UNZOMBIE_MACHINE;
}

/* By the thread's number: the process itself has no memory any more when its first thread has ended. The bytes may be
 * the end of one instruction and the beginning of another: whoever executes only them does not care. */
enum unzombie_verdict unzombie_target_insn(const struct unzombie_target *t, uintptr_t *ret, int *errnum)
{
    static unsigned char vdso[VDSO_SIZE_MAX];
    uintptr_t base = vdso_of(t);
    if (base == 0)
        return UNZOMBIE_FOREIGN;
    ssize_t len = sys_read_process(t->tid, base, vdso, sizeof vdso);
    if (len < 0 && errno != EFAULT)
        return refuse(errnum);
    if (len < 0 || !is_our_machine(vdso, (size_t)len))
        return UNZOMBIE_FOREIGN;
    for (size_t i = sizeof(Elf64_Ehdr); i + UNZOMBIE_INSN_SIZE <= (size_t)len; i += UNZOMBIE_INSN_ALIGN) {
        if (unzombie_is_insn(vdso + i)) {
            *ret = base + i;
            return UNZOMBIE_DONE;
        }
    }
    return UNZOMBIE_FOREIGN;
}

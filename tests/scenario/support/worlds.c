/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Odd places, see worlds.h.
 */
#include "scenario/support/worlds.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EX_WORLD = 113, CLOSE_RANGE = 436 /* SYS_close_range, on every architecture */ };

/* Who we are outside, which a process in a new user namespace cannot ask any more. */
static uid_t outer_uid;
static gid_t outer_gid;

static void must_work(bool ok, const char *step)
{
    if (!ok) {
        (void)dprintf(2, "world: %s: %s\n", step, strerror(errno));
        _exit(EX_WORLD);
    }
}

int world_pid_namespace(void)
{
    outer_uid = getuid();
    outer_gid = getgid();
    int flags = CLONE_NEWPID | CLONE_NEWNS | (getuid() ? CLONE_NEWUSER : 0);
    pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        world_own_proc(NULL);
        _exit(0);
    }
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? flags : 0;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    must_work(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
    (void)close(fd);
}

/** In a new user namespace we are nobody until somebody says who; we become its root. */
static void map_user(void)
{
    char map[64];
    if (outer_uid == 0) {
        return;
    }
    write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)outer_uid);
    write_file("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)outer_gid);
    write_file("/proc/self/gid_map", map);
}

static void own_mounts(void)
{
    must_work(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
}

void world_own_proc(void *data)
{
    (void)data;
    map_user();
    own_mounts();
    must_work(!mount("proc", "/proc", "proc", 0, NULL), "proc");
}

void world_no_proc(void *data)
{
    (void)data;
    own_mounts();
    must_work(!mount("none", "/proc", "tmpfs", MS_RDONLY, NULL), "tmpfs on /proc");
}

void world_read_only(void *data)
{
    (void)data;
    /* struct mount_attr, which older headers lack */
    struct {
        uint64_t attr_set;
        uint64_t attr_clr;
        uint64_t propagation;
        uint64_t userns_fd;
    } attr = {.attr_set = 1 /* MOUNT_ATTR_RDONLY */};
    own_mounts();
    must_work(!syscall(442 /* mount_setattr */, -1, "/", 0x8000 /* AT_RECURSIVE */, &attr, sizeof(attr)), "read-only");
    int fd = open("/tmp/foster-test-read-only", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    must_work(fd < 0 && errno == EROFS, "a read-only /tmp");
}

void world_own_run(void *data)
{
    (void)data;
    own_mounts();
    must_work(!mount("none", "/run", "tmpfs", 0, "mode=755"), "tmpfs on /run");
    must_work(!mkdir("/run/sshd", 0755), "/run/sshd");
    static const char *const jobs[] = {"/etc/cron.d", "/var/spool/cron"};
    for (size_t i = 0; i < 2; i++) {
        if (!access(jobs[i], F_OK)) {
            must_work(!mount("none", jobs[i], "tmpfs", 0, "mode=755"), jobs[i]);
        }
    }
    if (!access("/etc/crontab", F_OK)) {
        must_work(!mount("/dev/null", "/etc/crontab", NULL, MS_BIND, NULL), "/etc/crontab");
    }
}

void world_no_close_range(void *data)
{
    (void)data;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOSE_RANGE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    must_work(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program),
              "seccomp");
}

void world_user(void *data)
{
    uid_t uid = *(const uid_t *)data;
    must_work(!setgroups(0, NULL), "setgroups");
    must_work(!setresgid(uid, uid, uid) && !setresuid(uid, uid, uid), "setresuid");
    must_work(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    /* A change of ids has taken this away, and with it our own /proc/self/fd. */
    must_work(!prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable");
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What an init is given at its start: what of it reaches the command, what the init keeps, what confuses it.
 */
#include "init/situations/situations.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXTRA_FD = 70, FILE_ROOM = 4096 };

#define BIT(sig) (UINT64_C(1) << ((sig)-1))

static void note_set(struct trial *t, const char *what, uint64_t set)
{
    char text[256];
    trial_note(t, "%s %s", what, look_set_text(set, text, sizeof(text)));
}

/** The mask and what is ignored, as the command finds them. The words in TEXT are signals: "b15" blocked, "i1" ignored,
 * "b*" and "i*" all. */
static void signals_found(struct trial *t, const struct situation *s)
{
    /* A sanitizer sets some signals before main. */
    t->plain = true;
    for (const char *w = s->text; w && *w; w += strcspn(w, " "), w += strspn(w, " ")) {
        uint64_t set = w[1] == '*' ? UINT64_MAX : BIT(strtol(w + 1, NULL, 10));
        t->blocked |= *w == 'b' ? set : 0;
        t->ignored |= *w == 'i' ? set : 0;
    }
    if (trial_start_ready(t)) {
        note_set(t, "blocked", look_set(t->child, "SigBlk"));
        note_set(t, "ignored", look_set(t->child, "SigIgn"));
    }
}

/** An init that waits in vain for a death that it is never told of is still there when it has gone round its loop after
 * the command has vanished. */
static void note_end_or_hang(struct trial *t)
{
    trial_until(t, t->ended || !look_state(t->child));
    if (trial_round(t)) {
        trial_note(t, "hangs");
    } else {
        trial_note_end(t);
    }
}

static void sigchld_ignored(struct trial *t, const struct situation *s)
{
    t->ignored = BIT(SIGCHLD);
    (void)trial_start_ready(t);
    trial_tell(t, "exit %d", s->number);
    note_end_or_hang(t);
}

static void sigchld_blocked(struct trial *t, const struct situation *s)
{
    t->blocked = BIT(SIGCHLD);
    (void)trial_start_ready(t);
    trial_tell(t, "exit %d", s->number);
    trial_note_end(t);
}

/** A TERM to an init that was started with all signals blocked: the command has them blocked, too, until it takes
 * them. */
static void all_blocked(struct trial *t, const struct situation *s)
{
    (void)s;
    t->blocked = UINT64_MAX;
    (void)trial_start_ready(t);
    trial_order(t, "catch");
    trial_signal(t, SIGTERM);
    trial_note(t, "%s", trial_expect(t, t->child, "got")->text);
    trial_tell(t, "exit 3");
    trial_note_end(t);
}

/** Digits in TEXT name the standard descriptors that are closed. */
static void closed_fds(struct trial *t, const struct situation *s)
{
    for (const char *c = s->text; *c; c++) {
        t->closed[*c - '0'] = true;
    }
    if (trial_start_ready(t)) {
        for (const char *c = s->text; *c; c++) {
            trial_note(t, "the command's %c %s", *c, look_has_fd(t->child, *c - '0') ? "open" : "closed");
        }
        trial_tell(t, "exit 3");
    }
    trial_note_end(t);
}

static void open_extra_fd(struct trial *t)
{
    (void)t;
    (void)dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), EXTRA_FD);
}

static void extra_fd(struct trial *t, const struct situation *s)
{
    (void)s;
    t->prepare = open_extra_fd;
    (void)trial_start_ready(t);
    (void)trial_round(t);
    trial_note(t, "command: %s", look_has_fd(t->child, EXTRA_FD) ? "open" : "closed");
    trial_note(t, "init: %s", look_has_fd(t->init, EXTRA_FD) ? "open" : "closed");
}

static void go_to_tmp(struct trial *t)
{
    (void)t;
    if (chdir("/tmp")) {
        _exit(1);
    }
}

static void go_to_removed(struct trial *t)
{
    char dir[] = "/tmp/foster-init-XXXXXX";
    (void)t;
    if (!mkdtemp(dir) || chdir(dir) || rmdir(dir)) {
        _exit(1);
    }
}

static void note_place(struct trial *t)
{
    char text[256];
    const char *command =
        strstr(look_link(t->child, "cwd", text, sizeof(text)), "(deleted)") ? "the removed one" : text;
    trial_note(t, "command: %s", command);
    const char *init = strstr(look_link(t->init, "cwd", text, sizeof(text)), "(deleted)") ? "the removed one" : text;
    trial_note(t, "init: %s", init);
}

static void working_directory(struct trial *t, const struct situation *s)
{
    t->prepare = s->number ? go_to_removed : go_to_tmp;
    if (trial_start_ready(t) && trial_round(t)) {
        note_place(t);
        trial_tell(t, "exit 3");
    }
    trial_note_end(t);
}

/** The process that becomes the init has a child that has ended, or that lives on. */
static void leave_zombie(struct trial *t)
{
    siginfo_t info;
    pid_t pid = fork();
    (void)t;
    if (pid == 0) {
        _exit(0);
    }
    (void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

/** A child of the init that is not the witness. */
static pid_t other_child(const struct trial *t)
{
    char name[64];
    char text[256];
    char *rest = NULL;
    (void)snprintf(name, sizeof(name), "task/%d/children", (int)t->init);
    (void)look_file(t->init, name, text, sizeof(text));
    for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        pid_t pid = (pid_t)strtol(word, NULL, 10);
        if (pid != t->child) {
            return pid;
        }
    }
    return 0;
}

static void zombie_inherited(struct trial *t, const struct situation *s)
{
    (void)s;
    t->prepare = leave_zombie;
    (void)trial_start_ready(t);
    (void)trial_round(t);
    trial_note(t, other_child(t) ? "the zombie stays" : "the zombie is reaped");
    trial_tell(t, "exit 3");
    trial_note_end(t);
}

/** A process made before the exec by which the init came. */
static void leave_running(struct trial *t)
{
    (void)t;
    if (fork() == 0) {
        (void)execl(WITNESS, WITNESS, "linger", (char *)NULL);
        _exit(1);
    }
}

static void child_inherited(struct trial *t, const struct situation *s)
{
    t->prepare = leave_running;
    (void)trial_start_ready(t);
    pid_t left = trial_expect(t, 0, "left")->from;
    trial_tell(t, "exit %d", s->number);
    trial_note_end(t);
    trial_note_left(t, left);
}

/** Each VARIABLE of the command's environment as in FILE, NUL-terminated, but PATH. */
static void note_environment(struct trial *t)
{
    char text[FILE_ROOM];
    size_t n = look_file(t->child, "environ", text, sizeof(text));
    for (const char *v = text; v < text + n; v += strlen(v) + 1) {
        if (strncmp(v, "PATH=", 5) != 0) {
            trial_note(t, "%s", v);
        }
    }
}

static void environment(struct trial *t, const struct situation *s)
{
    static const char *const odd[] = {"A=1", "B=", "A=2", "noequals", "=x", "C=a b", NULL};
    if (s->number) {
        t->env = odd;
    }
    (void)trial_start_ready(t);
    note_environment(t);
}

/** Variables that name the init itself, or another process. */
static void name_the_init(struct trial *t)
{
    static char listen_pid[32];
    static char watchdog_pid[32];
    static const char *const variables[] = {listen_pid,
                                            "LISTEN_FDS=1",
                                            "LISTEN_FDNAMES=web",
                                            watchdog_pid,
                                            "WATCHDOG_USEC=1000000",
                                            "NOTIFY_SOCKET=/run/none",
                                            "MAINPID_OF=me",
                                            NULL};
    (void)snprintf(listen_pid, sizeof(listen_pid), "LISTEN_PID=%d", (int)getpid());
    (void)snprintf(watchdog_pid, sizeof(watchdog_pid), "WATCHDOG_PID=%d", (int)getpid());
    t->env = variables;
}

static const char *whose(const struct trial *t, const char *value)
{
    pid_t pid = (pid_t)strtol(value, NULL, 10);
    return pid == t->child ? "the command" : pid == t->init ? "the init" : value;
}

static void listen_pid(struct trial *t, const struct situation *s)
{
    char text[FILE_ROOM];
    t->prepare = s->env ? NULL : name_the_init;
    (void)trial_start_ready(t);
    size_t n = look_file(t->child, "environ", text, sizeof(text));
    for (const char *v = text; v < text + n; v += strlen(v) + 1) {
        if (strncmp(v, "LISTEN_PID=", 11) != 0 && strncmp(v, "WATCHDOG_PID=", 13) != 0) {
            continue;
        }
        trial_note(t, "%.*s names %s", (int)strcspn(v, "="), v, whose(t, strchr(v, '=') + 1));
    }
}

/** All other variables that belong to a service manager. */
static void manager_variables(struct trial *t, const struct situation *s)
{
    char text[FILE_ROOM];
    (void)s;
    t->prepare = name_the_init;
    (void)trial_start_ready(t);
    size_t n = look_file(t->child, "environ", text, sizeof(text));
    for (const char *v = text; v < text + n; v += strlen(v) + 1) {
        if (strncmp(v, "PATH=", 5) != 0 && !strstr(v, "_PID=")) {
            trial_note(t, "%s", v);
        }
    }
}

static void arguments(struct trial *t, const struct situation *s)
{
    static const char *const command[] = {WITNESS, "", "# a  b", "#-g", "#$HOME", NULL};
    char text[FILE_ROOM];
    (void)s;
    t->command = command;
    (void)trial_start_ready(t);
    size_t n = look_file(t->child, "cmdline", text, sizeof(text));
    for (const char *w = text + strlen(text) + 1; w < text + n; w += strlen(w) + 1) {
        trial_note(t, "\"%s\"", w);
    }
}

static void give_attributes(struct trial *t)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    (void)t;
    (void)umask(0137);
    (void)setpriority(PRIO_PROCESS, 0, 7);
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){200, 300});
    (void)setrlimit(RLIMIT_STACK, &(struct rlimit){4 << 20, RLIM_INFINITY});
    (void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 21});
    if (fd < 0 || write(fd, "500", 3) != 3) {
        _exit(1);
    }
}

/** The words of the line of /proc/PID/limits that begins with NAME: soft and hard limit. */
static void note_limit(struct trial *t, const char *name)
{
    char text[FILE_ROOM];
    char soft[32] = "";
    char hard[32] = "";
    (void)look_file(t->child, "limits", text, sizeof(text));
    const char *line = strstr(text, name);
    if (line && sscanf(line + strlen(name), "%31s %31s", soft, hard) == 2) {
        trial_note(t, "%s %s %s", name, soft, hard);
    }
}

static void attributes(struct trial *t, const struct situation *s)
{
    char text[64];
    (void)s;
    t->prepare = give_attributes;
    (void)trial_start_ready(t);
    trial_note(t, "umask %s", look_status(t->child, "Umask", text, sizeof(text)));
    trial_note(t, "nice %d", getpriority(PRIO_PROCESS, (id_t)t->child));
    (void)look_file(t->child, "oom_score_adj", text, sizeof(text));
    trial_note(t, "oom %d", (int)strtol(text, NULL, 10));
    note_limit(t, "Max open files");
    note_limit(t, "Max stack size");
    note_limit(t, "Max file size");
}

static void lock_limit(struct trial *t, const struct situation *s)
{
    (void)s;
    (void)trial_start_ready(t);
    char text[FILE_ROOM];
    (void)look_file(t->child, "limits", text, sizeof(text));
    const char *line = strstr(text, "Max file locks");
    trial_note(t, line && strstr(line, "unlimited") == line + strcspn(line, "u") ? "unlimited" : "a number");
}

static void relation(struct trial *t, const struct situation *s)
{
    (void)s;
    (void)trial_start_ready(t);
    pid_t group = look_group(t->child);
    pid_t session = look_session(t->child);
    trial_note(t, "%s group", group == t->child ? "its own" : group == look_group(t->init) ? "the init's" : "another");
    trial_note(t, "%s session",
               session == t->child                ? "its own"
               : session == look_session(t->init) ? "the init's"
                                                  : "another");
    trial_note(t, "the init's group is %s", look_group(t->init) == t->init ? "its own" : "another");
}

/** Milliseconds of the timespec at ADDRESS of process PID. */
static long timespec_ms(pid_t pid, unsigned long address)
{
    struct timespec ts = {0};
    struct iovec here = {&ts, sizeof(ts)};
    struct iovec there = {(void *)address, sizeof(ts)}; /* NOLINT(performance-no-int-to-ptr) */
    (void)process_vm_readv(pid, &here, 1, &there, 1, 0);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/** After how long the system call in which PID sleeps ends by itself; -1: never. */
static long sleeps_ms(struct trial *t, pid_t pid)
{
    char text[256];
    char *at = text;
    unsigned long args[4] = {0};
    (void)look_file(pid, "syscall", text, sizeof(text));
    long call = strtol(text, &at, 10);
    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
        args[i] = strtoul(at, &at, 16);
    }
    switch (call) {
    case SYS_read:
        return -1;
    case SYS_rt_sigtimedwait:
        return args[2] ? timespec_ms(pid, args[2]) : -1;
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait:
        return (int)args[3];
    default:
        trial_fail(t, "it is in the system call %s", text);
    }
}

enum { DAY_MS = 24 * 3600 * 1000 };

/** Does the init wake up when nothing happens? */
static void idle(struct trial *t, const struct situation *s)
{
    (void)s;
    (void)trial_start_ready(t);
    (void)trial_round(t);
    long ms = sleeps_ms(t, t->init);
    if (ms < 0) {
        trial_note(t, "sleeps until something happens");
    } else if (ms > DAY_MS) {
        trial_note(t, "wakes up every %ld days", ms / DAY_MS);
    } else {
        trial_note(t, "wakes up every %ld s", (ms + 500) / 1000);
    }
}

static const struct situation rows[] = {
    {"no signal blocked or ignored", EVERY(""), signals_found, 0, "", NULL, false},
    {"INT, TERM and signal 40 blocked", EVERY(""), signals_found, 0, "b2 b15 b40", NULL, false},
    {"TSTP, TTIN and TTOU blocked", EVERY(""), signals_found, 0, "b20 b21 b22", NULL, false},
    {"CHLD blocked", EVERY(""), signals_found, 0, "b17", NULL, false},
    {"all signals blocked", EVERY(""), signals_found, 0, "b*", NULL, false},
    {"HUP ignored, as by nohup", EVERY(""), signals_found, 0, "i1", NULL, false},
    {"PIPE ignored", EVERY(""), signals_found, 0, "i13", NULL, false},
    {"INT and QUIT ignored, as by a shell's &", EVERY(""), signals_found, 0, "i2 i3", NULL, false},
    {"TSTP, TTIN and TTOU ignored", EVERY(""), signals_found, 0, "i20 i21 i22", NULL, false},
    {"signals 35 and 64 ignored", EVERY(""), signals_found, 0, "i35 i64", NULL, false},
    {"CHLD ignored", EVERY(""), signals_found, 0, "i17", NULL, false},
    {"all but KILL and STOP ignored", EVERY(""), signals_found, 0, "i*", NULL, false},
    {"HUP ignored and blocked", EVERY(""), signals_found, 0, "i1 b1", NULL, false},
    {"CHLD ignored, exit 3", EVERY(""), sigchld_ignored, 3, NULL, NULL, false},
    {"CHLD blocked, exit 3", EVERY(""), sigchld_blocked, 3, NULL, NULL, false},
    {"all signals blocked, then a TERM", EVERY(""), all_blocked, 0, NULL, NULL, false},
    {"standard input closed", EVERY(""), closed_fds, 0, "0", NULL, false},
    {"standard output closed", EVERY(""), closed_fds, 0, "1", NULL, false},
    {"standard error closed", EVERY(""), closed_fds, 0, "2", NULL, false},
    {"all three closed", EVERY(""), closed_fds, 0, "012", NULL, false},
    {"descriptor 70 open", EVERY(""), extra_fd, 0, NULL, NULL, false},
    {"started in /tmp", EVERY(""), working_directory, 0, NULL, NULL, false},
    {"started in a directory that is removed", EVERY(""), working_directory, 1, NULL, NULL, false},
    {"a zombie from before the exec", EVERY(""), zombie_inherited, 0, NULL, NULL, false},
    {"a process from before the exec, exit 5", EVERY(""), child_inherited, 5, NULL, NULL, false},
    {"the environment, with odd entries", EVERY(""), environment, 1, NULL, NULL, false},
    {"variables of other inits", EVERY(""), environment, 0, NULL, "TINI_X=1 DUMB_INIT_X=2 CATATONIT_DEBUG=3 FOSTER_X=4",
     false},
    {"LISTEN_PID and WATCHDOG_PID of the init", EVERY(""), listen_pid, 0, NULL, NULL, false},
    {"LISTEN_PID and WATCHDOG_PID of somebody else", EVERY(""), listen_pid, 0, NULL, "LISTEN_PID=1 WATCHDOG_PID=1",
     false},
    {"LISTEN_FDS, NOTIFY_SOCKET and their kin", EVERY(""), manager_variables, 0, NULL, NULL, false},
    {"the arguments", EVERY(""), arguments, 0, NULL, NULL, false},
    {"umask, nice, OOM score, limits", EVERY(""), attributes, 0, NULL, NULL, false},
    {"the limit of file locks", EVERY(""), lock_limit, 0, NULL, NULL, false},
    {"session and group of the command", EVERY(""), relation, 0, NULL, NULL, false},
    {"session and group of the command (-g)", {"-g", NULL, "-g", "-g"}, relation, 0, NULL, NULL, false},
    {"session and group of the command (-c)", {NULL, "-c", NULL, NULL}, relation, 0, NULL, NULL, false},
    {"nothing happens", EVERY(""), idle, 0, NULL, NULL, false},
    {"as process 1: CHLD ignored, exit 3", EVERY(""), sigchld_ignored, 3, NULL, NULL, true},
    {"as process 1: standard input closed", EVERY(""), closed_fds, 0, "0", NULL, true},
    {"as process 1: a zombie from before the exec", EVERY(""), zombie_inherited, 0, NULL, NULL, true},
    {"as process 1: nothing happens", EVERY(""), idle, 0, NULL, NULL, true},
};

const struct room inherited_room = ROOM("What the init is given at its start", rows);

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a trial to a running init.
 */
#include "init/support/trial.h"
#include "scenario/support/worlds.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EX_SETUP = 98, ENV_MAX = 32, OURS_MAX = 128, LAST_SIGNAL = 64 };

static const char *const form_names[FORM_N] = {"tini", "dumb-init", "catatonit", "fosterd"};

/** See namespace_flags(); -1: not known yet. */
static int known_flags = -1;

const char *trial_form_name(enum form form)
{
    return form_names[form];
}

/** Whether PATH --version begins with TEXT, on whichever stream. */
static bool says_version(const char *path, const char *text)
{
    char said[64] = "";
    int fds[2];
    if (access(path, X_OK) || pipe2(fds, O_CLOEXEC)) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fds[1], 1);
        (void)dup2(fds[1], 2);
        (void)execl(path, path, "--version", (char *)NULL);
        _exit(EX_SETUP);
    }
    (void)close(fds[1]);
    ssize_t n = read(fds[0], said, sizeof(said) - 1);
    (void)close(fds[0]);
    (void)waitpid(pid, NULL, 0);
    return n > 0 && !strncmp(said, text, strlen(text));
}

const char *trial_peer_path(enum form form)
{
    static const char *const versions[FORM_N] = {"tini version 0.19.0", "dumb-init v1.2.5",
                                                 "tini version 0.1.7_catatonit", NULL};
    static const char *const dirs[] = {"/usr/bin", "/usr/local/bin", "/bin", "/sbin"};
    static char paths[FORM_N][64];
    static bool known[FORM_N];
    for (size_t i = 0; !known[form] && versions[form] && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "%s/%s", dirs[i], form_names[form]);
        if (says_version(path, versions[form])) {
            (void)snprintf(paths[form], sizeof(paths[form]), "%s", path);
            break;
        }
    }
    known[form] = true;
    return *paths[form] ? paths[form] : NULL;
}

void trial_process_setup(void)
{
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/** Flags for a new pid namespace, with a user namespace where we are not root; 0: not allowed here. */
static int namespace_flags(void)
{
    if (known_flags < 0) {
        known_flags = world_pid_namespace();
    }
    return known_flags;
}

static pid_t clone_with(int flags)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

int trial_apart(int (*body)(void *data), void *data)
{
    int status = 0;
    int flags = namespace_flags();
    (void)fflush(NULL);
    pid_t pid = clone_with(flags);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (flags) {
            world_own_proc(NULL);
            known_flags = -1; /* we may have become the root of a user namespace, which needs no further one */
        }
        int result = body(data);
        (void)fflush(NULL);
        _exit(result);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

bool trial_can_pid1(void)
{
    return namespace_flags() != 0;
}

/** The words of TEXT, split in place, behind those that ARGV has already. */
static size_t add_words(char **argv, size_t n, char *text)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word && n < TRIAL_WORDS_MAX; word = strtok_r(NULL, " ", &rest)) {
        argv[n++] = word;
    }
    return n;
}

static void give_signals(const struct trial *t)
{
    for (int sig = 1; sig <= LAST_SIGNAL; sig++) {
        (void)signal(sig, t->ignored >> (sig - 1) & 1 ? SIG_IGN : SIG_DFL);
    }
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &t->blocked, NULL, sizeof(t->blocked));
}

/** Descriptors 0 to 2 and the witness's; the test's own are kept from the init. Returns the descriptor of the gate. */
static int give_descriptors(const struct trial *t, int talk, int gate)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    gate = fcntl(gate, F_DUPFD_CLOEXEC, TRIAL_TALK_FD + 1);
    for (int fd = 3; fd < OURS_MAX; fd++) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    (void)dup2(null, 0);
    (void)dup2(t->out, 1);
    (void)dup2(t->err, 2);
    (void)dup2(talk, TRIAL_TALK_FD);
    for (int fd = 0; fd < 3; fd++) {
        if (t->closed[fd]) {
            (void)close(fd);
        }
    }
    return gate;
}

static const char *program(const struct trial *t, char *buf, size_t size)
{
    if (!t->ours) {
        return trial_peer_path(t->form);
    }
    /* Sanitizers make a start ten times as slow; one form of the four has them. */
    bool plain = t->plain || t->pid1 || t->form != FORM_FOSTERD;
    (void)snprintf(buf, size, "%s/%s", plain ? INIT_NAMES_PLAIN : INIT_NAMES, form_names[t->form]);
    return buf;
}

/** Becomes the init. */
static _Noreturn void become(struct trial *t, int talk, int gate)
{
    static const char *const witness[] = {WITNESS, NULL};
    char options[256];
    char path[256];
    char byte;
    char *argv[TRIAL_WORDS_MAX + 2];
    char *envp[ENV_MAX + 1];
    size_t n = 0;
    size_t n_env = 0;
    (void)(t->leads ? setsid() : setpgid(0, 0));
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    gate = give_descriptors(t, talk, gate);
    if (t->pid1) {
        world_own_proc(NULL);
    }
    if (t->prepare) {
        t->prepare(t);
    }
    argv[n++] = (char *)(t->called ? t->called : form_names[t->form]);
    (void)snprintf(options, sizeof(options), "%s", t->options ? t->options : "");
    n = add_words(argv, n, options);
    if (!t->no_dashes) {
        argv[n++] = (char *)"--";
    }
    for (const char *const *w = t->command ? t->command : witness; *w && n < TRIAL_WORDS_MAX; w++) {
        argv[n++] = (char *)*w;
    }
    argv[n] = NULL;
    if (!t->no_path) {
        envp[n_env++] = (char *)"PATH=/usr/bin:/bin";
    }
    for (const char *const *v = t->env; v && *v && n_env < ENV_MAX; v++) {
        envp[n_env++] = (char *)*v;
    }
    envp[n_env] = NULL;
    if (t->gated && read(gate, &byte, 1) != 1) {
        _exit(EX_SETUP);
    }
    give_signals(t);
    (void)execve(program(t, path, sizeof(path)), argv, envp);
    _exit(EX_SETUP);
}

/** Starts the init below a process that does nothing but wait to be killed; which one it is, it says itself. */
static void start_below(struct trial *t, int talk, int gate)
{
    t->parent = fork();
    if (t->parent == 0) {
        if (fork() == 0) {
            (void)send(talk, "init", 4, MSG_NOSIGNAL);
            become(t, talk, gate);
        }
        for (;;) {
            (void)pause();
        }
    }
    t->init = trial_expect(t, 0, "init")->from;
}

/** What takes the output NAME. Two processes that write to such a file at once overwrite each other's bytes, unless
 * each appends (seen with kernel 6.18). */
static int make_output(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd >= 0 && !fcntl(fd, F_SETFL, O_APPEND) ? fd : -1;
}

void trial_start(struct trial *t)
{
    int talk[2];
    int gate[2];
    int yes = 1;
    int flags = t->pid1 ? namespace_flags() : 0;
    t->ended = t->silent = false;
    t->n_messages = 0;
    t->guard_at_ms = 0;
    t->out = make_output("stdout");
    t->err = make_output("stderr");
    if (t->out < 0 || t->err < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, talk) ||
        pipe2(gate, O_CLOEXEC) || setsockopt(talk[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes))) {
        trial_fail(t, "no descriptors");
    }
    t->talk = talk[0];
    t->gate = gate[1];
    if (t->below_parent) {
        start_below(t, talk[1], gate[0]);
    } else {
        t->init = clone_with(flags);
        if (t->init == 0) {
            become(t, talk[1], gate[0]);
        }
    }
    (void)close(talk[1]);
    (void)close(gate[0]);
    if (t->init < 0) {
        trial_fail(t, "no process: %s", strerror(errno));
    }
    t->pidfd = (int)syscall(SYS_pidfd_open, t->init, 0);
}

void trial_open_gate(struct trial *t)
{
    if (write(t->gate, "", 1) != 1) {
        trial_fail(t, "gate: %s", strerror(errno));
    }
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Real processes: what a started program finds (its own program, started again as a leak detector), and how each
 * failure between fork and exec is told.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/spawn.h"

#include "base/compiler.h"
#include "unit/sys/kit.h"

#include <sched.h>
#include <sys/resource.h>

extern char **environ;

enum { N_STRAY = 200, TEXT_MAX = 2048 };

static char self[PATH_MAX];

/* ------------------------------------------------------------------ the program that is started */

/* One line "KEY=VALUE" for everything that a child may inherit by accident. */
static int report(int argc, char **argv)
{
    char line[256], path[KIT_PATH_MAX], target[KIT_PATH_MAX];
    struct rlimit limit;
    mode_t mask = umask(0);

    printf("umask=%03o\n", (unsigned)mask);
    printf("leader=%d\n", getsid(0) == getpid());
    getrlimit(RLIMIT_LOCKS, &limit);
    printf("locks=%llu/%llu\n", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    getrlimit(RLIMIT_NOFILE, &limit);
    printf("nofile=%llu\n", (unsigned long long)limit.rlim_cur);
    printf("cwd=%s\n", getcwd(path, sizeof path));

    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
            continue;
        kit_path(path, "/proc/self/fd/%s", entry->d_name);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        printf("fd%s=%.*s\n", entry->d_name, target[0] == '/' ? (int)strlen(target) : 4, target);
    }
    closedir(dir);

    FILE *status = fopen("/proc/self/status", "re");
    while (fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "SigBlk:", 7) == 0 || strncmp(line, "SigIgn:", 7) == 0)
            printf("%.6s=%s", line, line + 8);
    }
    fclose(status);
    for (int i = 0; i < argc; i++)
        printf("arg%d=%s\n", i, argv[i]);
    for (char **variable = environ; *variable != NULL; variable++)
        printf("env:%s\n", *variable);
    return 0;
}

/* Writes each standard descriptor's number to it. */
static int mark(void)
{
    for (int fd = 0; fd < 3; fd++) {
        char c = (char)('0' + fd);
        if (write(fd, &c, 1) != 1)
            return 1;
    }
    return 0;
}

/* Ends when standard input does. */
static int wait_for_end(void)
{
    char c;
    while (read(STDIN_FILENO, &c, 1) > 0)
        continue;
    return 42;
}

static int fixture(int argc, char **argv)
{
    if (strcmp(argv[1], "mark") == 0)
        return mark();
    if (strcmp(argv[1], "wait") == 0)
        return wait_for_end();
    if (strcmp(argv[1], "report") == 0)
        return report(argc, argv);
    return strcmp(argv[1], "nothing") == 0 ? 0 : 2;
}

/* ------------------------------------------------------------------ helpers */

static char *const no_env[] = {NULL};

/* Waits until the status pipe of CHILD has something to say. */
static enum spawn_verdict verdict_of(const struct spawn_child *child, struct spawn_failure *failure)
{
    enum spawn_verdict verdict;
    struct pollfd p = {.fd = child->status_fd, .events = POLLIN};
    do {
        poll(&p, 1, -1);
        verdict = spawn_status(child->status_fd, failure);
    } while (verdict == SPAWN_PENDING);
    return verdict;
}

static void close_child(const struct spawn_child *child)
{
    close(child->status_fd);
    if (child->pidfd != -1)
        close(child->pidfd);
}

/* Starts REQ with its standard output on a pipe and reads that into TEXT; the exit code must be 0. */
static void run_and_read(struct spawn_request req, char *text)
{
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};
    int out[2];

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    req.stdio[1] = out[1];
    if (!spawn_start(&req, &child, &e))
        fail_msg("%s", e.text);
    close(out[1]);
    assert_int_equal(verdict_of(&child, &failure), SPAWN_EXECED);
    kit_read_end(out[0], text, TEXT_MAX);
    close(out[0]);
    assert_int_equal(kit_wait(child.pid), 0);
    close_child(&child);
}

static void assert_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return;
    }
    fail_msg("no line \"%s\" in:\n%s", line, text);
}

static size_t count_lines(const char *text, const char *start)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, start)) != NULL; at++)
        n += at == text || at[-1] == '\n';
    return n;
}

/* ------------------------------------------------------------------ what a program finds */

static void child_gets_what_was_asked(void **state UNUSED)
{
    char text[TEXT_MAX], dir[KIT_PATH_MAX], line[KIT_PATH_MAX];
    char *argv[] = {self, (char *)"report", (char *)"two words", NULL};
    char *envp[] = {(char *)"A=1", (char *)"B=x y", NULL};
    const uint64_t tag = (UINT64_C(1) << 60) - (UINT64_C(7) << 40);
    struct rlimit nofile;
    size_t n_fds = kit_count_fds();

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &nofile), 0);
    nofile.rlim_cur = 64;
    kit_make_dir(dir);
    char *real = realpath(dir, NULL);
    assert_non_null(real);
    run_and_read((struct spawn_request){.argv = argv,
                                        .envp = envp,
                                        .working_dir = dir,
                                        .umask = 027,
                                        .tag = tag,
                                        .nofile = &nofile,
                                        .stdio = {-1, -1, -1}},
                 text);
    kit_path(line, "cwd=%s", real);
    assert_line(text, line);
    kit_path(line, "locks=%llu/%llu", (unsigned long long)tag, (unsigned long long)tag);
    assert_line(text, line);
    assert_line(text, "nofile=64");
    assert_line(text, "umask=027");
    assert_line(text, "leader=1");
    assert_line(text, "fd0=/dev/null");
    assert_line(text, "fd1=pipe");
    assert_line(text, "fd2=/dev/null");
    assert_int_equal(count_lines(text, "fd"), 3);
    assert_line(text, "SigBlk=0000000000000000");
    assert_line(text, "SigIgn=0000000000000000");
    assert_line(text, "arg2=two words");
    assert_int_equal(count_lines(text, "arg"), 3);
    assert_line(text, "env:A=1");
    assert_line(text, "env:B=x y");
    assert_int_equal(count_lines(text, "env:"), 2);
    free(real);
    kit_remove(dir);
    assert_int_equal(kit_count_fds(), n_fds);
    assert_true(kit_has_no_children());
}

static void child_keeps_what_was_not_asked(void **state UNUSED)
{
    char text[TEXT_MAX], cwd[KIT_PATH_MAX], line[KIT_PATH_MAX];
    char *argv[] = {self, (char *)"report", NULL};
    struct rlimit limit;
    mode_t mask = umask(031);

    run_and_read((struct spawn_request){.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, -1, -1}}, text);
    umask(mask);
    assert_line(text, "umask=031");
    assert_non_null(getcwd(cwd, sizeof cwd));
    kit_path(line, "cwd=%s", cwd);
    assert_line(text, line);
    getrlimit(RLIMIT_LOCKS, &limit);
    kit_path(line, "locks=%llu/%llu", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    assert_line(text, line);
    getrlimit(RLIMIT_NOFILE, &limit);
    kit_path(line, "nofile=%llu", (unsigned long long)limit.rlim_cur);
    assert_line(text, line);
    assert_int_equal(count_lines(text, "env:"), 0);
}

/* A parent as hostile as possible: stray descriptors without close-on-exec, everything ignored or blocked, and
 * optionally without descriptors 0 to 2. */
struct hostile {
    bool close_stdio;
    int report_fd;
};

static void hostile_parent(void *arg)
{
    const struct hostile *h = arg;
    char *argv[] = {self, (char *)"report", NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = 077, .stdio = {-1, h->report_fd, -1}};
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};

    for (int i = 0; i < N_STRAY; i++)
        REQUIRE(dup(h->report_fd) != -1);
    REQUIRE(dup2(h->report_fd, 1000) == 1000);
    for (int sig = 1; sig < _NSIG; sig++)
        signal(sig, SIG_IGN);
    sigset_t odd, after;
    sigfillset(&odd);
    sigdelset(&odd, SIGUSR1);
    REQUIRE(sigprocmask(SIG_SETMASK, &odd, NULL) == 0);
    for (int fd = 0; h->close_stdio && fd < 3; fd++)
        close(fd);

    REQUIRE(spawn_start(&req, &child, &e));
    REQUIRE(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
    REQUIRE(sigismember(&after, SIGUSR1) == 0 && sigismember(&after, SIGTERM) == 1);
    REQUIRE(verdict_of(&child, &failure) == SPAWN_EXECED);
    REQUIRE(wait(NULL) == -1 && errno == ECHILD); /* ignored, it is reaped by the kernel */
}

static void nothing_leaks_from_a_hostile_parent(void **state UNUSED)
{
    for (int close_stdio = 0; close_stdio < 2; close_stdio++) {
        char text[TEXT_MAX];
        int out[2];
        assert_int_equal(pipe(out), 0);
        struct hostile h = {.close_stdio = close_stdio != 0, .report_fd = out[1]};
        assert_true(kit_isolated(hostile_parent, &h));
        close(out[1]);
        kit_read_end(out[0], text, sizeof text);
        close(out[0]);
        assert_line(text, "fd0=/dev/null");
        assert_line(text, "fd1=pipe");
        assert_line(text, "fd2=/dev/null");
        assert_int_equal(count_lines(text, "fd"), 3);
        assert_line(text, "SigBlk=0000000000000000");
        assert_line(text, "SigIgn=0000000000000000");
        assert_line(text, "leader=1");
    }
}

/* Every way in which the descriptors to become 0 to 2 can stand in each other's way. */
struct shuffle {
    int stdio[3];
    int pipes[3][2];
};

static void shuffled_parent(void *arg)
{
    struct shuffle *s = arg;
    char *argv[] = {self, (char *)"mark", NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1};
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};

    memcpy(req.stdio, s->stdio, sizeof req.stdio);
    for (int i = 0; i < 3; i++)
        REQUIRE(dup2(s->pipes[i][1], i) == i);
    REQUIRE(spawn_start(&req, &child, &e));
    REQUIRE(verdict_of(&child, &failure) == SPAWN_EXECED);
    int status;
    REQUIRE(waitpid(child.pid, &status, 0) == child.pid && status == 0);
}

static void stdio_is_shuffled_without_loss(void **state UNUSED)
{
    static const struct {
        int stdio[3];
        const char *want[3]; /* what arrives on the pipe that was 0, 1, 2 */
    } cases[] = {
        {{0, 1, 2}, {"0", "1", "2"}}, {{1, 0, 2}, {"1", "0", "2"}}, {{1, 2, 0}, {"2", "0", "1"}},
        {{2, 0, 1}, {"1", "2", "0"}}, {{2, 1, 0}, {"2", "1", "0"}}, {{0, 0, 0}, {"012", "", ""}},
        {{1, 1, 1}, {"", "012", ""}}, {{2, 2, 2}, {"", "", "012"}}, {{1, 1, 0}, {"2", "01", ""}},
        {{0, 2, 2}, {"0", "", "12"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct shuffle s;
        char text[16];
        memcpy(s.stdio, cases[i].stdio, sizeof s.stdio);
        for (int k = 0; k < 3; k++)
            assert_int_equal(pipe2(s.pipes[k], O_CLOEXEC), 0);
        assert_true(kit_isolated(shuffled_parent, &s));
        for (int k = 0; k < 3; k++) {
            close(s.pipes[k][1]);
            assert_string_equal(kit_read_end(s.pipes[k][0], text, sizeof text), cases[i].want[k]);
            close(s.pipes[k][0]);
        }
    }
}

static void on_signal(int sig UNUSED)
{
    _exit(99); /* a handler of the parent in the child */
}

static void signal_between_fork_and_exec_kills(void **state UNUSED)
{
    char *argv[] = {self, (char *)"wait", NULL};
    int in[2];
    struct sigaction act = {.sa_handler = on_signal}, old;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(sigaction(SIGTERM, &act, &old), 0);
    for (int i = 0; i < 20; i++) {
        struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {in[0], -1, 2}};
        struct spawn_child child;
        struct err e = {0};
        assert_true(spawn_start(&req, &child, &e));
        assert_int_equal(kill(child.pid, SIGTERM), 0);
        assert_int_equal(kit_wait(child.pid), -SIGTERM);
        close_child(&child);
    }
    assert_int_equal(sigaction(SIGTERM, &old, NULL), 0);
    close(in[0]);
    close(in[1]);
}

static void pidfd_is_of_the_child(void **state UNUSED)
{
    char *argv[] = {self, (char *)"wait", NULL};
    struct spawn_child child;
    struct err e = {0};
    siginfo_t info;
    int in[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {in[0], -1, -1}};
    assert_true(spawn_start(&req, &child, &e));
    close(in[0]);
    if (child.pidfd == -1) {
        kit_skip("pidfd", "this kernel has none");
    } else {
        assert_int_equal(fcntl(child.pidfd, F_GETFD), FD_CLOEXEC);
        close(in[1]);
        in[1] = -1;
        assert_int_equal(waitid((idtype_t)3 /* P_PIDFD */, (id_t)child.pidfd, &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(info.si_pid, child.pid);
    }
    assert_int_equal(fcntl(child.status_fd, F_GETFD), FD_CLOEXEC);
    close(in[1]);
    assert_int_equal(kit_wait(child.pid), 42);
    close_child(&child);
}

/* ------------------------------------------------------------------ failures */

/* A directory with one of everything that cannot be executed, and one program. */
struct zoo {
    char dir[KIT_PATH_MAX];
    int busy_fd;
};

static int make_zoo(void **state)
{
    struct zoo *z = calloc(1, sizeof *z);
    char path[KIT_PATH_MAX];

    kit_make_dir(z->dir);
    kit_file(path, z->dir, "plain", "#!/bin/sh\n", 0644);
    kit_file(path, z->dir, "garbage", "not a program\n", 0755);
    kit_file(path, z->dir, "orphaned", "#!/nonexistent/interpreter\n", 0755);
    kit_path(path, "%s/loop", z->dir);
    assert_int_equal(symlink("loop", path), 0);
    for (const char *const *name = (const char *const[]){"bin", "empty", "denied", NULL}; *name != NULL; name++) {
        kit_path(path, "%s/%s", z->dir, *name);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    kit_path(path, "%s/bin/probe", z->dir);
    assert_int_equal(symlink(self, path), 0);
    kit_file(path, z->dir, "denied/probe", "#!/bin/sh\n", 0644);
    kit_file(path, z->dir, "busy", "#!/bin/sh\n", 0755);
    z->busy_fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_not_equal(z->busy_fd, -1);
    *state = z;
    return 0;
}

static int remove_zoo(void **state)
{
    struct zoo *z = *state;
    close(z->busy_fd);
    kit_remove(z->dir);
    free(z);
    return 0;
}

/* Starts REQ, which must fail at STEP with ERRNUM; the text goes to TEXT. */
static void assert_fails(const struct spawn_request *req, enum spawn_step step, int errnum, char *text)
{
    struct spawn_child child;
    struct spawn_failure failure = {0};
    struct err e = {0};

    assert_true(spawn_start(req, &child, &e));
    assert_int_equal(verdict_of(&child, &failure), SPAWN_FAILED);
    assert_int_equal(failure.step, step);
    assert_int_equal(failure.errnum, errnum);
    assert_int_equal(kit_wait(child.pid), step == SPAWN_STEP_EXEC && errnum == ENOENT ? 127 : 126);
    close_child(&child);
    assert_ptr_equal(spawn_failure_text(req, &failure, text, TEXT_MAX), text);
}

static void failures_are_exact(void **state)
{
    const struct zoo *z = *state;
    static const struct {
        const char *program; /* with %s: the zoo */
        int errnum;
        const char *text; /* with %s: the program */
    } cases[] = {
        {"/nonexistent/prog", ENOENT, "exec %s: No such file or directory"},
        {"%s/orphaned", ENOENT, "exec %s: No such file or directory"},
        {"", ENOENT, "exec %s: No such file or directory"},
        {"%s/plain", EACCES, "exec %s: Permission denied"},
        {"%s/empty", EACCES, "exec %s: Permission denied"},
        {"%s/garbage", ENOEXEC, "exec %s: Exec format error (does it begin with #!?)"},
        {"%s/plain/prog", ENOTDIR, "exec %s: Not a directory"},
        {"%s/loop", ELOOP, "exec %s: Too many levels of symbolic links"},
        {"foster-no-such-program", ENOENT,
         "exec %s: No such file or directory (not found in PATH /nonexistent:/usr/bin)"},
    };
    char *envp[] = {(char *)"A=1", (char *)"PATH=/nonexistent:/usr/bin", NULL};
    size_t n_fds = kit_count_fds();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char program[KIT_PATH_MAX], text[TEXT_MAX], want[TEXT_MAX];
        const char *hole = strstr(cases[i].program, "%s");
        kit_path(program, "%s%s", hole != NULL ? z->dir : "", hole != NULL ? hole + 2 : cases[i].program);
        char *argv[] = {program, NULL};
        struct spawn_request req = {.argv = argv, .envp = envp, .umask = -1, .stdio = {-1, -1, -1}};
        assert_fails(&req, SPAWN_STEP_EXEC, cases[i].errnum, text);
        hole = strstr(cases[i].text, "%s");
        snprintf(want, sizeof want, "%.*s%s%s", (int)(hole - cases[i].text), cases[i].text, program, hole + 2);
        assert_string_equal(text, want);
    }
    assert_int_equal(kit_count_fds(), n_fds);
    assert_true(kit_has_no_children());
}

static void too_much_is_told(void **state UNUSED)
{
    char text[TEXT_MAX];
    size_t len = 33 * (size_t)sysconf(_SC_PAGESIZE); /* the kernel takes 32 pages */
    char *big = calloc(len + 1, 1);
    assert_non_null(big);
    memset(big, 'a', len);

    char *argv[] = {(char *)"/bin/true", big, NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, -1, -1}};
    assert_fails(&req, SPAWN_STEP_EXEC, E2BIG, text);
    assert_string_equal(text, "exec /bin/true: Argument list too long");

    big[5000] = '\0';
    argv[0] = big;
    argv[1] = NULL;
    assert_fails(&req, SPAWN_STEP_EXEC, ENAMETOOLONG, text);
    free(big);
}

static void busy_text_is_told(void **state)
{
    const struct zoo *z = *state;
    char program[KIT_PATH_MAX], text[TEXT_MAX];
    kit_path(program, "%s/busy", z->dir);
    char *argv[] = {program, NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, -1, -1}};
    struct spawn_child child;
    struct spawn_failure failure = {0};
    struct err e = {0};

    assert_true(spawn_start(&req, &child, &e));
    if (verdict_of(&child, &failure) == SPAWN_EXECED) {
        kit_skip("ETXTBSY", "this kernel executes files that are open for writing");
    } else {
        assert_int_equal(failure.step, SPAWN_STEP_EXEC);
        assert_int_equal(failure.errnum, ETXTBSY);
        spawn_failure_text(&req, &failure, text, sizeof text);
        assert_non_null(strstr(text, "/busy: Text file busy"));
    }
    kit_wait(child.pid);
    close_child(&child);
}

static void working_dir_failures(void **state)
{
    const struct zoo *z = *state;
    static const struct {
        const char *dir;
        int errnum;
        const char *why;
    } cases[] = {
        {"/missing", ENOENT, "No such file or directory"},
        {"/plain", ENOTDIR, "Not a directory"},
        {"/loop", ELOOP, "Too many levels of symbolic links"},
    };
    char *argv[] = {(char *)"/bin/true", NULL};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char dir[KIT_PATH_MAX], text[TEXT_MAX], want[TEXT_MAX];
        kit_path(dir, "%s%s", z->dir, cases[i].dir);
        struct spawn_request req = {
            .argv = argv, .envp = no_env, .working_dir = dir, .umask = -1, .stdio = {-1, -1, -1}};
        assert_fails(&req, SPAWN_STEP_WORKING_DIR, cases[i].errnum, text);
        snprintf(want, sizeof want, "working_dir %s: %s", dir, cases[i].why);
        assert_string_equal(text, want);
    }
}

/* A directory that the parent has open must not be a way out: it is closed before the working directory is set. */
static void left_over_directory_is_no_way_out(void **state UNUSED)
{
    char dir[64], text[TEXT_MAX];
    char *argv[] = {(char *)"/bin/true", NULL};
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    assert_int_not_equal(fd, -1);
    kit_path(dir, "/proc/self/fd/%d", fd);
    struct spawn_request req = {.argv = argv, .envp = no_env, .working_dir = dir, .umask = -1, .stdio = {-1, -1, -1}};
    assert_fails(&req, SPAWN_STEP_WORKING_DIR, ENOENT, text);
    close(fd);
}

static void closed_stdio_is_told(void **state UNUSED)
{
    char text[TEXT_MAX];
    char *argv[] = {(char *)"/bin/true", NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, 987, -1}};
    assert_fails(&req, SPAWN_STEP_STDIO, EBADF, text);
    assert_string_equal(text, "stdio: Bad file descriptor");
}

/* In a root directory without /dev, and with a working directory that lies outside of it. */
static void changed_root(void *arg)
{
    const struct zoo *z = arg;
    char text[TEXT_MAX];
    char *argv[] = {(char *)"/bin/true", NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, 1, 2}};

    if (geteuid() != 0)
        REQUIRE(unshare(CLONE_NEWUSER) == 0);
    REQUIRE(chdir("/") == 0 && chroot(z->dir) == 0);
    for (int i = 0; i < 2; i++) {
        struct spawn_child child;
        struct spawn_failure failure;
        struct err e = {0};
        REQUIRE(spawn_start(&req, &child, &e));
        REQUIRE(verdict_of(&child, &failure) == SPAWN_FAILED);
        spawn_failure_text(&req, &failure, text, sizeof text);
        REQUIRE(strcmp(text, i == 0 ? "stdio /dev/null: No such file or directory"
                                    : "working_dir .: No such file or directory") == 0);
        REQUIRE(waitpid(child.pid, NULL, 0) == child.pid);
        req.stdio[0] = 0;
        req.working_dir = ".";
    }
}

static void try_user_namespace(void *arg UNUSED)
{
    if (unshare(CLONE_NEWUSER) != 0)
        _exit(1);
}

static void working_dir_outside_the_root_is_refused(void **state)
{
    if (geteuid() != 0 && !kit_isolated(try_user_namespace, NULL)) {
        kit_skip("unreachable working directory", "needs root or user namespaces");
        return;
    }
    assert_true(kit_isolated(changed_root, *state));
}

/* ------------------------------------------------------------------ looking for the program */

static void program_is_looked_for_in_path(void **state)
{
    const struct zoo *z = *state;
    static const struct {
        const char *path; /* each @ is the zoo; NULL: no PATH */
        const char *program;
        const char *working_dir; /* below the zoo; NULL: none */
        int errnum;              /* 0: it runs */
    } cases[] = {
        {"PATH=@/bin", "probe", NULL, 0},
        {"PATH=@/bin/", "probe", NULL, 0},
        {"PATH=@/empty:@/bin", "probe", NULL, 0},
        {"PATH=@/plain:@/bin", "probe", NULL, 0}, /* a file among the directories */
        {"PATH=@/denied:@/bin", "probe", NULL, 0},
        {"PATH=@/denied:@/empty", "probe", NULL, EACCES},
        {"PATH=@/empty:@/denied", "probe", NULL, EACCES},
        {"PATH=@/empty:@/plain", "probe", NULL, ENOENT},
        {"PATH=@/plain", "probe", NULL, ENOTDIR},
        {"PATH=@/loop:@/bin", "probe", NULL, ELOOP},
        {"PATH=", "probe", "/bin", 0}, /* an empty directory is the working directory */
        {"PATH=@/empty:", "probe", "/bin", 0},
        {"PATH=:@/empty", "probe", "/bin", 0},
        {"PATH=@/empty", "probe", "/bin", ENOENT},
        {"PATH=bin", "probe", "/", 0}, /* relative to the working directory */
        {"PATH=@/empty", "./probe", "/bin", 0},
        {"PATH=@/bin", "bin/probe", NULL, ENOENT}, /* a slash: not looked for */
        {"PATHS=@/bin", "probe", NULL, ENOENT},
        {NULL, "true", NULL, 0}, /* the default path */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[KIT_PATH_MAX] = "", dir[KIT_PATH_MAX], text[TEXT_MAX];
        for (const char *c = cases[i].path; c != NULL && *c != '\0'; c++) {
            size_t len = strlen(path);
            snprintf(path + len, sizeof path - len, *c == '@' ? "%s" : "%.1s", *c == '@' ? z->dir : c);
        }
        kit_path(dir, "%s%s", z->dir, cases[i].working_dir != NULL ? cases[i].working_dir : "");
        char *argv[] = {(char *)cases[i].program, (char *)"report", NULL};
        char *envp[] = {cases[i].path != NULL ? path : NULL, NULL};
        struct spawn_request req = {.argv = argv,
                                    .envp = envp,
                                    .working_dir = cases[i].working_dir != NULL ? dir : NULL,
                                    .umask = -1,
                                    .stdio = {-1, -1, -1}};
        print_message("case %zu: %s %s\n", i, cases[i].path, cases[i].program);
        if (cases[i].errnum != 0)
            assert_fails(&req, SPAWN_STEP_EXEC, cases[i].errnum, text);
        else
            run_and_read(req, text);
    }
    assert_true(kit_has_no_children());
}

/* An environment with a PATH of LEN times ":" and then TAIL. */
static char *long_path(size_t len, const char *element, const char *tail)
{
    size_t element_len = strlen(element), size = 5 + len * element_len + strlen(tail) + 1;
    char *path = malloc(size);
    assert_non_null(path);
    memcpy(path, "PATH=", 5);
    for (size_t i = 0; i < len; i++)
        memcpy(path + 5 + i * element_len, element, element_len);
    memcpy(path + 5 + len * element_len, tail, strlen(tail) + 1);
    return path;
}

static void long_paths(void **state)
{
    const struct zoo *z = *state;
    char text[TEXT_MAX], tail[KIT_PATH_MAX];
    char *argv[] = {(char *)"probe", (char *)"nothing", NULL};
    struct spawn_child child;
    struct err e = {0};
    size_t n_fds = kit_count_fds();

    /* One directory that is longer than any path is passed over. */
    kit_path(tail, ":%s/bin", z->dir);
    char *envp[] = {long_path(PATH_MAX + 1, "x", tail), NULL};
    run_and_read((struct spawn_request){.argv = argv, .envp = envp, .umask = -1, .stdio = {-1, -1, -1}}, text);
    free(envp[0]);

    /* More than can be looked at is refused before anything is started. */
    envp[0] = long_path(400000, "x:", "");
    struct spawn_request req = {.argv = argv, .envp = envp, .umask = -1, .stdio = {-1, -1, -1}};
    assert_false(spawn_start(&req, &child, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_string_equal(e.text, "PATH has too many directories");
    free(envp[0]);
    assert_int_equal(kit_count_fds(), n_fds);
    assert_true(kit_has_no_children());
}

/* ------------------------------------------------------------------ the status pipe and the texts */

static void status_pipe_is_read_with_care(void **state UNUSED)
{
    const struct spawn_failure good = {.step = SPAWN_STEP_TAG, .errnum = EPERM};
    const struct spawn_failure bad_step = {.step = SPAWN_STEP_N, .errnum = EPERM};
    static const struct spawn_failure untouched = {.step = SPAWN_STEP_UMASK, .errnum = 4711};
    const struct {
        const void *data;
        size_t len;
        enum spawn_verdict verdict;
        struct spawn_failure want;
    } cases[] = {
        {&good, sizeof good, SPAWN_FAILED, good},
        {&good, 1, SPAWN_FAILED, {SPAWN_STEP_EXEC, EPROTO}},
        {&bad_step, sizeof bad_step, SPAWN_FAILED, {SPAWN_STEP_EXEC, EPROTO}},
        {NULL, 0, SPAWN_EXECED, untouched},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spawn_failure failure = untouched;
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        assert_int_equal(spawn_status(ends[0], &failure), SPAWN_PENDING);
        if (cases[i].len > 0)
            assert_int_equal(write(ends[1], cases[i].data, cases[i].len), (ssize_t)cases[i].len);
        close(ends[1]);
        assert_int_equal(spawn_status(ends[0], &failure), cases[i].verdict);
        assert_int_equal(failure.step, cases[i].want.step);
        assert_int_equal(failure.errnum, cases[i].want.errnum);
        close(ends[0]);
    }
    struct spawn_failure failure = untouched;
    assert_int_equal(spawn_status(-1, &failure), SPAWN_EXECED);
    assert_int_equal(failure.errnum, untouched.errnum);
}

static void failures_are_worded(void **state UNUSED)
{
    char *argv[] = {(char *)"prog", NULL};
    const struct spawn_request req = {.argv = argv, .envp = no_env, .working_dir = "/srv/x", .stdio = {-1, -1, -1}};
    static const struct {
        struct spawn_failure failure;
        const char *text;
    } cases[] = {
        {{SPAWN_STEP_SESSION, EPERM}, "session: Operation not permitted"},
        {{SPAWN_STEP_TAG, EPERM}, "tag: Operation not permitted"},
        {{SPAWN_STEP_UMASK, EINVAL}, "umask: Invalid argument"},
        {{SPAWN_STEP_STDIO, EMFILE}, "stdio: Too many open files"},
        {{SPAWN_STEP_STDIO, ENXIO}, "stdio /dev/null: No such device or address"},
        {{SPAWN_STEP_CLOSE, EPERM}, "close: Operation not permitted"},
        {{SPAWN_STEP_LIMITS, EPERM}, "limits: Operation not permitted"},
        {{SPAWN_STEP_WORKING_DIR, ENOENT}, "working_dir /srv/x: No such file or directory"},
        {{SPAWN_STEP_SIGNALS, EINVAL}, "signals: Invalid argument"},
        {{SPAWN_STEP_EXEC, EACCES}, "exec prog: Permission denied"},
        {{SPAWN_STEP_EXEC, ENOENT},
         "exec prog: No such file or directory (not found in PATH "
         "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)"},
    };
    char text[256], small[12];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_string_equal(spawn_failure_text(&req, &cases[i].failure, text, sizeof text), cases[i].text);
        assert_ptr_equal(strstr(cases[i].text, spawn_step_name(cases[i].failure.step)), cases[i].text);
        spawn_failure_text(&req, &cases[i].failure, small, sizeof small);
        assert_memory_equal(small, cases[i].text, sizeof small - 1);
        assert_int_equal(small[sizeof small - 1], '\0');
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return fixture(argc, argv);
    if (kit_under_valgrind()) {
        kit_skip("spawn", "valgrind does not survive an execve that fails, and has limits of its own");
        return 77;
    }
    if (realpath(argv[0], self) == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_gets_what_was_asked),
        cmocka_unit_test(child_keeps_what_was_not_asked),
        cmocka_unit_test(nothing_leaks_from_a_hostile_parent),
        cmocka_unit_test(stdio_is_shuffled_without_loss),
        cmocka_unit_test(signal_between_fork_and_exec_kills),
        cmocka_unit_test(pidfd_is_of_the_child),
        cmocka_unit_test_setup_teardown(failures_are_exact, make_zoo, remove_zoo),
        cmocka_unit_test(too_much_is_told),
        cmocka_unit_test_setup_teardown(busy_text_is_told, make_zoo, remove_zoo),
        cmocka_unit_test_setup_teardown(working_dir_failures, make_zoo, remove_zoo),
        cmocka_unit_test(left_over_directory_is_no_way_out),
        cmocka_unit_test(closed_stdio_is_told),
        cmocka_unit_test_setup_teardown(working_dir_outside_the_root_is_refused, make_zoo, remove_zoo),
        cmocka_unit_test_setup_teardown(program_is_looked_for_in_path, make_zoo, remove_zoo),
        cmocka_unit_test_setup_teardown(long_paths, make_zoo, remove_zoo),
        cmocka_unit_test(status_pipe_is_read_with_care),
        cmocka_unit_test(failures_are_worded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

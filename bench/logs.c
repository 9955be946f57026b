/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How fast output gets to where it goes, and what that costs: fosterd's drivers beside `cat > file` (the floor) and the
 * loggers of other supervisors, all in one interleaved run; medians. Lines of 100 bytes, written one by one and in
 * blocks of 64 KiB. And what a thousand services cost that write ten lines a second each: fosterd's logger beside the
 * barest reader of as many pipes (the floor: it knows no lines and loses what it holds when it dies) and beside an
 * s6-log for each of them.
 *
 *   logs FOSTERD [MiB [ROUNDS [SERVICES]]]
 *
 * Whoever is not installed is left out, and said so. What arrives is counted: a mover that loses something is no mover.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE = 100,
    BLOCK = 64 << 10,
    PATH_SIZE = 512,
    ROUNDS_MAX = 15,
    GUARD_S = 300,
    TICKS_A_SECOND = 10,
    MANY_MAX = 4096,
};

static const int64_t ns_a_second = 1000000000;

static char dir[] = "/tmp/foster-bench.XXXXXX";
static char self[PATH_SIZE];
static const char *fosterd;

static void fail(const char *what)
{
    fprintf(stderr, "logs: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * ns_a_second + t.tv_nsec;
}

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static const char *in_dir(const char *name)
{
    static char paths[4][PATH_SIZE];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_SIZE, "%s/%s", dir, name);
    return path;
}

static void put_file(const char *name, const char *text)
{
    FILE *f = fopen(in_dir(name), "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        fail(name);
}

static int64_t read_number(const char *path)
{
    char text[64] = "";
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    char *got = fgets(text, sizeof text, f);
    fclose(f);
    return got != NULL ? strtoll(text, NULL, 10) : 0;
}

/* Processor time that PID has used, in nanoseconds. */
static int64_t used_ns(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    return read_number(path);
}

/* Writes SIZE bytes of lines in portions of AT_A_TIME, and notes in the file START when it began. */
static int write_lines(size_t at_a_time, size_t size, const char *start)
{
    static char block[BLOCK];
    FILE *f = fopen(start, "w");
    if (f == NULL || at_a_time > sizeof block)
        return 1;
    memset(block, 'x', at_a_time);
    for (size_t i = LINE - 1; i < at_a_time; i += LINE)
        block[i] = '\n';
    block[at_a_time - 1] = '\n';
    fprintf(f, "%" PRId64 "\n", now_ns());
    fclose(f);
    for (size_t done = 0; done < size; done += at_a_time)
        for (size_t n = 0; n < at_a_time;) {
            ssize_t r = write(STDOUT_FILENO, block + n, at_a_time - n);
            if (r < 0)
                return 1;
            n += (size_t)r;
        }
    return 0;
}

static int write_slowly(void)
{
    char line[LINE];
    memset(line, 'x', sizeof line);
    line[LINE - 1] = '\n';
    while (write(STDOUT_FILENO, line, sizeof line) == sizeof line)
        pause_ms(1000 / TICKS_A_SECOND);
    return 0;
}

/** One way to move output. In its texts @ stands for the directory. */
struct mover {
    const char *name;
    const char *program; /* needed; NULL: fosterd */
    const char *command; /* for sh, reads standard input; NULL: a supervisor of its own */
    const char *options; /* of fosterd's logging */
    size_t more_a_line;  /* bytes that fosterd puts with each line */
};

static const struct mover movers[] = {
    {.name = "cat > file", .program = "cat", .command = "exec cat > @/out"},
    {.name = "foster file", .options = "driver: file, options: { path: @/out, max-size: 0 }"},
    {.name = "s6-log", .program = "s6-log", .command = "exec s6-log n1000 s268435455 @/d"},
    {.name = "svlogd",
     .program = "svlogd",
     .command = "mkdir @/d; printf 's16777215\\nn0\\n' > @/d/config; exec svlogd @/d"},
    {.name = "multilog", .program = "multilog", .command = "exec multilog s16777215 n1000 @/d"},
    {.name = "supervisord", .program = "supervisord"},
    {.name = "foster time",
     .options = "driver: file, options: { path: @/out, max-size: 0, timestamps: true }",
     .more_a_line = 28},
    {.name = "s6-log T", .program = "s6-log", .command = "exec s6-log n1000 s268435455 T @/d"},
    {.name = "svlogd -ttt",
     .program = "svlogd",
     .command = "mkdir @/d; printf 's16777215\\nn0\\n' > @/d/config; exec svlogd -ttt @/d"},
    {.name = "multilog t", .program = "multilog", .command = "exec multilog t s16777215 n1000 @/d"},
    {.name = "foster json",
     .options = "driver: file, options: { path: @/out, max-size: 0, format: json }",
     .more_a_line = 84},
    {.name = "foster stdout", .options = "driver: stdout", .more_a_line = 6},
};

enum { MOVERS_N = sizeof movers / sizeof *movers };

/** What one of them needed. */
struct figures {
    double mb_a_second, cpu_a_gib;
};

/* Puts TEXT into BUF, of PATH_SIZE bytes, with the directory in place of each @. */
static const char *expand(const char *text, char *buf)
{
    size_t n = 0;
    for (; *text != '\0' && n + sizeof dir < PATH_SIZE; text++)
        n += (size_t)snprintf(buf + n, PATH_SIZE - n, "%.*s", *text == '@' ? (int)sizeof dir : 1,
                              *text == '@' ? dir : text);
    buf[n] = '\0';
    return buf;
}

static bool is_installed(const char *program)
{
    char command[PATH_SIZE];
    snprintf(command, sizeof command, "command -v %s > /dev/null 2>&1", program);
    return system(command) == 0;
}

static void empty_dir(void)
{
    char command[PATH_SIZE];
    snprintf(command, sizeof command, "rm -rf %s/*", dir);
    if (system(command) != 0)
        fail(command);
}

/* The bytes of all log files there are. */
static size_t arrived(void)
{
    const char *const places[] = {dir, in_dir("d")};
    size_t size = 0;
    for (int i = 0; i < 2; i++) {
        DIR *d = opendir(places[i]);
        for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
            struct stat st;
            bool is_log =
                i == 0 ? strcmp(e->d_name, "out") == 0 : e->d_name[0] == '@' || strcmp(e->d_name, "current") == 0;
            if (is_log && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
                size += (size_t)st.st_size;
        }
        if (d != NULL)
            closedir(d);
    }
    return size;
}

static pid_t child_named(pid_t parent, const char *name)
{
    static char text[65536];
    char path[64], comm[32];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *f = fopen(path, "r");
    size_t n = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f != NULL)
        fclose(f);
    text[n] = '\0';
    for (char *at = strtok(text, " "); at != NULL; at = strtok(NULL, " ")) {
        snprintf(path, sizeof path, "/proc/%s/comm", at);
        f = fopen(path, "r");
        bool found = f != NULL && fgets(comm, sizeof comm, f) != NULL && strncmp(comm, name, strlen(name)) == 0;
        if (f != NULL)
            fclose(f);
        if (found)
            return (pid_t)strtol(at, NULL, 10);
    }
    return 0;
}

static pid_t start(const char *const *argv, const char *out)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), null = open("/dev/null", O_RDWR);
    dup2(fd, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

/* One that reads IN and writes OUT; the other descriptors of ours are closed on exec. */
static pid_t start_between(int in, int out, const char *const *argv)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static struct figures figures_of(int64_t from_ns, int64_t to_ns, int64_t cpu_ns, size_t size)
{
    return (struct figures){
        .mb_a_second = (double)size / 1e6 / ((double)(to_ns - from_ns) / 1e9),
        .cpu_a_gib = (double)cpu_ns / 1e9 / ((double)size / 1073741824.),
    };
}

/* A command that reads a pipe. */
static struct figures run_pipeline(const struct mover *m, size_t at_a_time, size_t size)
{
    int fds[2];
    char command[PATH_SIZE], a[32], b[32];
    struct rusage ru;
    expand(m->command, command);
    snprintf(a, sizeof a, "%zu", at_a_time);
    snprintf(b, sizeof b, "%zu", size);
    if (pipe2(fds, O_CLOEXEC) != 0)
        fail("pipe");
    const char *const writing[] = {self, "--write", a, b, in_dir("start"), NULL}, *const moving[] = {"sh", "-c",
                                                                                                     command, NULL};
    pid_t writer = start_between(STDIN_FILENO, fds[1], writing), mover = start_between(fds[0], STDOUT_FILENO, moving);
    close(fds[0]);
    close(fds[1]);
    wait4(mover, NULL, 0, &ru);
    int64_t end = now_ns();
    waitpid(writer, NULL, 0);
    int64_t cpu =
        (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * ns_a_second + (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000;
    if (arrived() < size)
        fail("something was lost");
    return figures_of(read_number(in_dir("start")), end, cpu, size);
}

/* fosterd, or supervisord. */
static struct figures run_supervisor(const struct mover *m, size_t at_a_time, size_t size)
{
    char text[4 * PATH_SIZE], options[PATH_SIZE] = "";
    size_t wanted = size + size / LINE * m->more_a_line;
    if (m->options != NULL) {
        expand(m->options, options);
        snprintf(text, sizeof text,
                 "services:\n  web:\n    command: [ '%s', '--write', '%zu', '%zu', '%s/start' ]\n    restart: 'no'\n"
                 "    logging: { %s }\n  other: { command: [ sleep, infinity ], logging: { driver: none } }\n",
                 self, at_a_time, size, dir, options);
    } else {
        snprintf(text, sizeof text,
                 "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=%s/pid\n[program:web]\n"
                 "command=%s --write %zu %zu %s/start\nautorestart=false\nstartsecs=0\nstdout_logfile=%s/out\n"
                 "stdout_logfile_maxbytes=0\nstderr_logfile=NONE\n",
                 dir, self, at_a_time, size, dir, dir);
    }
    put_file("conf", text);
    const char *const foster[] = {fosterd, "-c", in_dir("conf"), NULL}, *const other[] = {"supervisord", "-c",
                                                                                          in_dir("conf"), NULL};
    pid_t pid = start(m->options != NULL ? foster : other,
                      in_dir(strstr(options, "driver: file") != NULL || m->options == NULL ? "null" : "out"));
    pid_t mover = m->options == NULL ? pid : 0;
    int64_t cpu = 0, own = 0;
    for (int64_t end = now_ns() + GUARD_S * ns_a_second; arrived() < wanted; pause_ms(1)) {
        if (mover == 0)
            mover = child_named(pid, "foster-logger");
        if (own == 0 && access(in_dir("start"), F_OK) == 0) {
            own = used_ns(pid);
            cpu = used_ns(mover);
        }
        if (now_ns() > end)
            fail("something was lost");
    }
    int64_t end = now_ns();
    cpu = used_ns(mover) - cpu;
    if (m->options != NULL && used_ns(pid) - own > 20000000)
        printf("(fosterd itself: %.1f ms)\n", (double)(used_ns(pid) - own) / 1e6);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return figures_of(read_number(in_dir("start")), end, cpu, size);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int n)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    return sorted[n / 2];
}

static void compare(const char *title, size_t at_a_time, size_t size, int rounds)
{
    static double speed[MOVERS_N][ROUNDS_MAX], cpu[MOVERS_N][ROUNDS_MAX];
    bool there[MOVERS_N];
    for (int i = 0; i < MOVERS_N; i++)
        there[i] = movers[i].program == NULL || is_installed(movers[i].program);
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < MOVERS_N; i++) {
            if (!there[i])
                continue;
            empty_dir();
            struct figures f = movers[i].command != NULL ? run_pipeline(&movers[i], at_a_time, size)
                                                         : run_supervisor(&movers[i], at_a_time, size);
            speed[i][r] = f.mb_a_second;
            cpu[i][r] = f.cpu_a_gib;
        }
    printf("\n%s, %zu MiB, medians of %d\n%-14s %10s %14s\n", title, size >> 20, rounds, "", "MB/s", "CPU s per GiB");
    for (int i = 0; i < MOVERS_N; i++) {
        if (there[i])
            printf("%-14s %10.0f %14.2f\n", movers[i].name, median(speed[i], rounds), median(cpu[i], rounds));
        else
            printf("%-14s %10s\n", movers[i].name, "not installed");
    }
    fflush(stdout);
}

enum { WARM_MS = 3000, MEASURED_MS = 10000, CALM_NS = 5000000 };

/* Takes the lines out of the pipes FDS as cheaply as that can be done: told once of each, all that come within 1 ms
 * together, one read each; and one write for all of them, or one each to the file in OUTS. Does not return. */
static void read_barely(const int *fds, const int *outs, int n_fds)
{
    static char buf[MANY_MAX * LINE];
    static struct epoll_event events[MANY_MAX];
    int ep = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < n_fds; i++) {
        struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u32 = (uint32_t)i};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e) != 0)
            fail("epoll");
    }
    for (;;) {
        size_t held = 0;
        int n = epoll_wait(ep, events, n_fds, -1);
        for (int i = 0; i < n; i++) {
            uint32_t which = events[i].data.u32;
            ssize_t r = read(fds[which], buf + held, LINE);
            if (r <= 0)
                continue;
            if (outs == NULL)
                held += (size_t)r;
            else if (write(outs[which], buf, (size_t)r) != r)
                fail("write");
        }
        if (held > 0 && write(STDOUT_FILENO, buf, held) != (ssize_t)held)
            fail("write");
        pause_ms(1);
    }
}

static pid_t start_bare_reader(const int *fds, int n_fds, bool files)
{
    static int outs[MANY_MAX];
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    for (int i = 0; files && i < n_fds; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.log", i);
        outs[i] = open(in_dir(name), O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (outs[i] < 0)
            fail(name);
    }
    read_barely(fds, files ? outs : NULL, n_fds);
    return 0;
}

static int64_t used_by_all(const pid_t *pids, int n)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += used_ns(pids[i]);
    return sum;
}

enum peer { PEER_BARE, PEER_BARE_FILES, PEER_S6_LOG };

/* The same writers without fosterd. */
static void many_pipes(const char *name, enum peer peer, int services)
{
    static int fds[MANY_MAX];
    static pid_t writers[MANY_MAX], readers[MANY_MAX];
    const char *const writer[] = {self, "--slow", NULL};
    int n_readers = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC);
    empty_dir();
    for (int i = 0; i < services; i++) {
        int p[2];
        if (pipe2(p, O_CLOEXEC) != 0)
            fail("pipe");
        fds[i] = p[0];
        writers[i] = start_between(null, p[1], writer);
        close(p[1]);
        if (peer == PEER_S6_LOG) {
            char at[32];
            snprintf(at, sizeof at, "%d", i);
            const char *const reader[] = {"s6-log", "n1", in_dir(at), NULL};
            readers[n_readers++] = start_between(p[0], null, reader);
        }
    }
    if (peer != PEER_S6_LOG)
        readers[n_readers++] = start_bare_reader(fds, services, peer == PEER_BARE_FILES);
    for (int i = 0; i < services; i++)
        close(fds[i]);
    pause_ms(WARM_MS);
    int64_t at = now_ns(), cpu = used_by_all(readers, n_readers);
    pause_ms(MEASURED_MS);
    double wall = (double)(now_ns() - at);
    printf("%-24s %6.1f\n", name, 100. * (double)(used_by_all(readers, n_readers) - cpu) / wall);
    fflush(stdout);
    close(null);
    for (int i = 0; i < services; i++) {
        kill(writers[i], SIGKILL);
        waitpid(writers[i], NULL, 0);
    }
    for (int i = 0; i < n_readers; i++) {
        kill(readers[i], SIGKILL);
        waitpid(readers[i], NULL, 0);
    }
}

static void many_services(const char *name, const char *driver, int services)
{
    char text[4 * PATH_SIZE], options[PATH_SIZE];
    empty_dir();
    expand(driver, options);
    snprintf(text, sizeof text,
             "services:\n  s:\n    command: [ '%s', '--slow' ]\n    scale: %d\n    logging: { %s }\n", self, services,
             options);
    put_file("conf", text);
    const char *const argv[] = {fosterd, "-c", in_dir("conf"), NULL};
    pid_t pid = start(argv, in_dir("out"));
    /* All of them are up when fosterd has nothing to do any more. */
    for (int64_t before = -CALM_NS, used = 0; used - before >= CALM_NS;) {
        before = used;
        pause_ms(WARM_MS);
        used = used_ns(pid);
    }
    pid_t logger = child_named(pid, "foster-logger");
    int64_t at = now_ns(), cpu = used_ns(logger), own = used_ns(pid);
    pause_ms(MEASURED_MS);
    double wall = (double)(now_ns() - at);
    printf("%-24s %6.1f (fosterd itself: %.2f)\n", name, 100. * (double)(used_ns(logger) - cpu) / wall,
           100. * (double)(used_ns(pid) - own) / wall);
    fflush(stdout);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--write") == 0)
        return write_lines(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), argv[4]);
    if (argc == 2 && strcmp(argv[1], "--slow") == 0)
        return write_slowly();
    if (argc < 2) {
        fprintf(stderr, "usage: logs FOSTERD [MiB [ROUNDS [SERVICES]]]\n");
        return 64;
    }
    fosterd = argv[1];
    size_t mib = argc > 2 ? strtoul(argv[2], NULL, 10) : 1024;
    int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 3,
        services = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 1000;
    if (rounds < 1 || rounds > ROUNDS_MAX || services < 1 || services > MANY_MAX) {
        fprintf(stderr, "logs: 1 to %d rounds, 1 to %d services\n", ROUNDS_MAX, MANY_MAX);
        return 64;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 || readlink("/proc/self/exe", self, sizeof self - 1) < 0 ||
        mkdtemp(dir) == NULL)
        fail("start");
    setenv("FOSTER_RUNTIME_DIR", in_dir("run"), 1);
    /* Whole lines: as much as a multiple of both is. */
    size_t size = (mib << 20) / (LINE * BLOCK) * (LINE * BLOCK);
    compare("blocks of 64 KiB", BLOCK / LINE * LINE, size / (BLOCK / LINE * LINE) * (BLOCK / LINE * LINE), rounds);
    compare("a write a line", LINE, size, rounds);
    printf("\n%d services, %d lines a second each, %% of a processor\n", services, TICKS_A_SECOND);
    many_pipes("barest reader, stdout", PEER_BARE, services);
    many_services("foster stdout", "driver: stdout", services);
    many_pipes("barest reader, files", PEER_BARE_FILES, services);
    many_services("foster file", "driver: file, options: { path: '@/{name}.log' }", services);
    if (is_installed("s6-log"))
        many_pipes("s6-log, one for each", PEER_S6_LOG, services);
    else
        printf("%-24s not installed\n", "s6-log, one for each");
    empty_dir();
    rmdir(dir);
    return 0;
}

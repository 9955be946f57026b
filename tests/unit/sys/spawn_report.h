/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A test program as the one that it starts: it reports what it finds, line by line, and the test reads that.
 */
#ifndef FOSTER_TESTS_UNIT_SYS_SPAWN_REPORT_H
#define FOSTER_TESTS_UNIT_SYS_SPAWN_REPORT_H

#include "sys/sys.h"

#include "unit/sys/spawn_kit.h"

#include <sys/resource.h>

extern char **environ;

/** The size of the buffers for reports. */
enum { TEXT_MAX = 4096 };

/** A line "KEY=VALUE…" for each line of /proc/self/status that says who a process is and what it may. */
static inline void spawn_report_status(void)
{
    static const char *const keys[] = {"SigBlk", "SigIgn", "Uid",    "Gid",    "Groups",    "CapInh",
                                       "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"};
    char line[256];
    FILE *status = fopen("/proc/self/status", "re");
    while (fgets(line, sizeof line, status) != NULL) {
        size_t len = strcspn(line, ":");
        for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
            if (strlen(keys[i]) != len || strncmp(line, keys[i], len) != 0)
                continue;
            printf("%s=", keys[i]);
            const char *gap = "";
            for (char *rest, *word = strtok_r(line + len + 1, " \t\n", &rest); word != NULL;
                 word = strtok_r(NULL, " \t\n", &rest), gap = " ")
                printf("%s%s", gap, word);
            printf("\n");
        }
    }
    fclose(status);
}

/** The number that /proc/self/oom_score_adj says. */
static inline int spawn_oom_score_adj(void)
{
    char text[16];
    int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return atoi(text);
}

/** One line "KEY=VALUE" for everything that a child may inherit by accident. */
static inline int spawn_report(int argc, char **argv)
{
    char path[KIT_PATH_MAX], target[KIT_PATH_MAX];
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

    spawn_report_status();
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        if (sys_prlimit_get(0, resource, &limit) == 0)
            printf("limit%d=%llu/%llu\n", resource, (unsigned long long)limit.rlim_cur,
                   (unsigned long long)limit.rlim_max);
    }
    printf("nice=%d\n", getpriority(PRIO_PROCESS, 0));
    printf("oom=%d\n", spawn_oom_score_adj());
    for (int i = 0; i < argc; i++)
        printf("arg%d=%s\n", i, argv[i]);
    for (char **variable = environ; *variable != NULL; variable++)
        printf("env:%s\n", *variable);
    return 0;
}

/** An environment. */
static char *const no_env[] = {NULL};

/** Starts REQ with its standard output on a pipe and reads that into TEXT; the exit code must be 0. */
static inline void spawn_run_and_read(struct spawn_request req, char *text)
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
    assert_int_equal(spawn_kit_verdict(&child, &failure), SPAWN_EXECED);
    kit_read_end(out[0], text, TEXT_MAX);
    close(out[0]);
    assert_int_equal(kit_wait(child.pid), 0);
    spawn_kit_close(&child);
}

/** Fails unless LINE is one of TEXT. */
static inline void spawn_assert_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return;
    }
    fail_msg("no line \"%s\" in:\n%s", line, text);
}

/** How many lines of TEXT begin with START. */
static inline size_t spawn_count_lines(const char *text, const char *start)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, start)) != NULL; at++)
        n += at == text || at[-1] == '\n';
    return n;
}

#endif

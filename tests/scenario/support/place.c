/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The directory of a test: files, gates and ears in it, and its removal.
 */
#include "scenario/support/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

void *grown(void *array, size_t *cap, size_t n, size_t size)
{
    if (n < *cap) {
        return array;
    }
    *cap = *cap ? *cap * 2 : 64;
    return must(realloc(array, *cap * size));
}

const char *keep(struct scenario *s, char *text)
{
    s->texts = grown(s->texts, &s->cap_texts, s->n_texts, sizeof(*s->texts));
    s->texts[s->n_texts++] = must(text);
    return text;
}

void place_make(struct scenario *s)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(s->dir, sizeof(s->dir), "%s/foster-test-XXXXXX", base && strlen(base) < 100 ? base : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(chmod(s->dir, 0755), 0);
    assert_int_equal(mkdir(scenario_path(s, "run"), 0700), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

void place_remove(struct scenario *s)
{
    for (size_t i = 0; i < s->n_fifos; i++) {
        (void)close(s->fifos[i].fd);
        free(s->fifos[i].source.partial);
        free(s->fifos[i].heard);
    }
    for (size_t i = 0; i < s->n_texts; i++) {
        free(s->texts[i]);
    }
    free(s->texts);
    if (*s->dir) {
        (void)nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    }
}

const char *place_leftover(struct scenario *s)
{
    DIR *dir = opendir(scenario_path(s, "run"));
    if (!dir) {
        return NULL;
    }
    const char *left = NULL;
    for (struct dirent *e; !left && (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            left = keep(s, strdup(e->d_name));
        }
    }
    (void)closedir(dir);
    return left;
}

const char *scenario_dir(const struct scenario *s)
{
    return s->dir;
}

const char *scenario_path(struct scenario *s, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", s->dir, name) < 0) {
        abort();
    }
    return keep(s, path);
}

/** Where the fixture programs are: beside the actor. */
static void fixtures_dir(char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s", FIXTURE);
    char *slash = strrchr(buf, '/');
    *(slash ? slash : buf) = '\0';
}

char *scenario_expand(const struct scenario *s, const char *text)
{
    char fixtures[SCENARIO_PATH_MAX * 2];
    fixtures_dir(fixtures, sizeof(fixtures));
    const char *const tokens[][2] = {{"@DIR@", s->dir}, {"@ACTOR@", FIXTURE}, {"@FIXTURES@", fixtures}};
    char *out = NULL;
    size_t size;
    FILE *f = must(open_memstream(&out, &size));
    while (*text) {
        size_t i = 0;
        while (i < 3 && strncmp(text, tokens[i][0], strlen(tokens[i][0])) != 0) {
            i++;
        }
        if (i < 3) {
            (void)fputs(tokens[i][1], f);
            text += strlen(tokens[i][0]);
        } else {
            (void)fputc(*text++, f);
        }
    }
    (void)fclose(f);
    return must(out);
}

const char *scenario_write(struct scenario *s, const char *name, mode_t mode, const char *text)
{
    const char *path = scenario_path(s, name);
    char *expanded = scenario_expand(s, text);
    FILE *f = fopen(path, "we");
    /* Configurations come by here: from now on services may have fosterd's 0, 1 and 2, or a pipe to it. */
    s->shares_stdio |= strstr(text, "driver: inherit") != NULL;
    s->has_ready_pipe |= strstr(text, "ready: { fd:") != NULL;
    assert_non_null(f);
    assert_true(fputs(expanded, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
    free(expanded);
    return path;
}

const char *scenario_read(struct scenario *s, const char *name)
{
    char line[4096] = "";
    FILE *f = fopen(scenario_path(s, name), "re");
    if (f) {
        if (!fgets(line, sizeof(line), f)) {
            *line = '\0';
        }
        (void)fclose(f);
    }
    line[strcspn(line, "\n")] = '\0';
    return keep(s, strdup(line));
}

pid_t scenario_read_pid(struct scenario *s, const char *name)
{
    return (pid_t)strtol(scenario_read(s, name), NULL, 10);
}

const char *scenario_copy(struct scenario *s, const char *from, const char *name)
{
    static char chunk[65536];
    const char *path = scenario_path(s, name);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(in >= 0 && out >= 0);
    ssize_t n;
    while ((n = read(in, chunk, sizeof(chunk))) > 0) {
        assert_int_equal(write(out, chunk, (size_t)n), n);
    }
    assert_int_equal(n, 0);
    assert_int_equal(fchmod(out, 0755), 0);
    (void)close(in);
    (void)close(out);
    return path;
}

static struct fifo *make_fifo(struct scenario *s, const char *name)
{
    assert_true(s->n_fifos < FIFOS_MAX);
    struct fifo *f = &s->fifos[s->n_fifos];
    const char *path = scenario_path(s, name);
    (void)snprintf(f->name, sizeof(f->name), "%s", name);
    assert_int_equal(mkfifo(path, 0666), 0);
    assert_int_equal(chmod(path, 0666), 0);
    /* Both ends, so that neither we nor a fixture waits in open(). */
    f->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(f->fd >= 0);
    f->source.fd = f->fd;
    s->n_fifos++;
    return f;
}

static struct fifo *find_fifo(struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->n_fifos; i++) {
        if (!strcmp(s->fifos[i].name, name)) {
            return &s->fifos[i];
        }
    }
    scenario_fail(s, "no FIFO %s", name);
}

void scenario_gate(struct scenario *s, const char *name)
{
    (void)make_fifo(s, name);
}

void scenario_open_gate(struct scenario *s, const char *name)
{
    struct fifo *f = find_fifo(s, name);
    /* First the name, then the end: who opened it before gets the end, who comes later finds no gate. */
    assert_int_equal(unlink(scenario_path(s, name)), 0);
    (void)close(f->fd);
    free(f->source.partial);
    free(f->heard);
    *f = s->fifos[--s->n_fifos];
}

void scenario_ear(struct scenario *s, const char *name)
{
    (void)make_fifo(s, name);
}

static void take_heard(struct scenario *s, char *line, void *data)
{
    (void)s;
    struct fifo *f = data;
    /* Several lines may come at once: they are kept with their newlines and handed out one by one. */
    size_t old = f->heard ? strlen(f->heard) : 0;
    size_t n = strlen(line);
    f->heard = must(realloc(f->heard, old + n + 2));
    memcpy(f->heard + old, line, n);
    memcpy(f->heard + old + n, "\n", 2);
}

const char *scenario_heard(struct scenario *s, const char *name)
{
    struct fifo *f = find_fifo(s, name);
    while (!f->heard || !*f->heard) {
        struct pollfd p = {.fd = f->fd, .events = POLLIN};
        if (poll(&p, 1, scenario_time_left(s)) > 0) {
            (void)source_read(s, &f->source, take_heard, f);
        }
        (void)events_read(s, 0);
    }
    size_t n = strcspn(f->heard, "\n");
    char *line = must(strndup(f->heard, n));
    memmove(f->heard, f->heard + n + 1, strlen(f->heard + n + 1) + 1);
    return keep(s, line);
}

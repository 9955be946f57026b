/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the files of the harness share with each other, and tests need not know.
 */
#ifndef FOSTER_TESTS_INTERNAL_H
#define FOSTER_TESTS_INTERNAL_H

#include "scenario/support/scenario.h"

enum { FIFOS_MAX = 8 };

/** One line of a service's output, or of standard error when it is not JSON. */
struct line {
    char *text;
    bool taken;
};

/** Lines that come out of a descriptor. */
struct source {
    int fd;        /**< owned; -1: at its end */
    char *partial; /**< owned; the beginning of a line */
    size_t len;
    size_t cap;
};

/** A gate or an ear: a FIFO held open. */
struct fifo {
    char name[64];
    int fd; /**< owned */
    struct source source;
    char *heard; /**< owned */
};

struct scenario {
    char dir[SCENARIO_PATH_MAX];
    struct scenario_options options;
    pid_t pid;   /**< fosterd as we see it; 0: none */
    int pidfd;   /**< owned */
    bool reaped; /**< STATUS is valid */
    int status;
    int64_t guard_at_ms;
    struct source log;
    struct source out;
    struct scenario_event **events; /**< owned, each of them too */
    size_t n_events;
    size_t cap_events;
    struct line *lines;
    size_t n_lines;
    size_t cap_lines;
    struct line *raw;
    size_t n_raw;
    size_t cap_raw;
    int n_live;      /**< main processes alive, by the log */
    int n_starting;  /**< services whose start is under way */
    int fds_settled; /**< descriptors at `settled`; -1: not yet */
    int live_settled;
    bool shares_stdio;   /**< some configuration has `driver: inherit` */
    bool has_ready_pipe; /**< some configuration has `ready: { fd: N }` */
    const char *leak;    /**< kept; the first descriptor of fosterd that was found elsewhere; NULL: none */
    struct fifo fifos[FIFOS_MAX];
    size_t n_fifos;
    char **texts; /**< owned, each of them too; paths and contents handed to the test */
    size_t n_texts;
    size_t cap_texts;
};

/** Aborts the program when an allocation was refused. */
void *must(void *p);

/** Makes room for one element more in an array. */
void *grown(void *array, size_t *cap, size_t n, size_t size);

/** Keeps TEXT (from malloc) until the scenario ends. */
const char *keep(struct scenario *s, char *text);

int64_t now_ms(void);

/** Reads what there is; waits up to TIMEOUT_MS (-1: until the guard) for something. False when fosterd has ended and
 * all that it wrote has been read. */
bool events_read(struct scenario *s, int timeout_ms);

/** Shows the whole log. */
void events_dump(const struct scenario *s);

void events_free(struct scenario *s);

/** Cuts what can be read now from SOURCE into lines for TAKE. False at its end. */
bool source_read(struct scenario *s, struct source *source, void (*take)(struct scenario *s, char *line, void *data),
                 void *data);

void source_close(struct source *source);

/** Makes the test's directory; removes it with all that is in it. */
void place_make(struct scenario *s);
void place_remove(struct scenario *s);

/** The name of a file that fosterd has left in its runtime directory, or NULL. */
const char *place_leftover(struct scenario *s);

#endif

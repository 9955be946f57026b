/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The comparison: every situation with every form, the packaged peer and ours side by side.
 *
 * A few worker processes go through all situations first; what came of them is then judged, situation by situation, and
 * written as tables. Equal outcomes need no words. Different ones must be declared in differences.def with the
 * reason; a declared difference that is none any more is an error as well. Where a peer is not installed ours is run
 * all the same, and held against what the tables say of it.
 */
#ifndef FOSTER_TESTS_INIT_COMPARE_H
#define FOSTER_TESTS_INIT_COMPARE_H

#include "init/support/trial.h"

#include <stdbool.h>
#include <stddef.h>

/** One situation: a row of the table. */
struct situation {
    const char *name;
    const char *options[FORM_N]; /**< words before the command; NULL: this form has no such situation */
    void (*drive)(struct trial *t, const struct situation *s); /**< starts the init and writes the outcome */
    int number;                                                /**< for DRIVE */
    const char *text;                                          /**< for DRIVE */
    const char *env;                                           /**< variables, with blanks between them */
    bool pid1;                                                 /**< as process 1 of a new pid namespace */
};

/** The same words for every form. */
#define EVERY(words)                                                                                                   \
    {                                                                                                                  \
        words, words, words, words                                                                                     \
    }

/** Situations about one thing. */
struct room {
    const char *title;
    const struct situation *rows;
    size_t n;
};

enum { SIDE_PEER, SIDE_OURS, SIDE_N };

/** What came of one situation with one form; "" where it was not run. */
struct outcome {
    char side[SIDE_N][OUTCOME_MAX];
};

/** What came of one situation. */
struct row {
    const struct situation *situation;
    const struct room *room;
    struct outcome form[FORM_N];
};

/** Why ours differs. */
enum difference_kind {
    DIFFERENCE_BETTER, /**< the peer does it wrong */
    DIFFERENCE_OWN,    /**< another program, another rule */
};

/** A declared difference, see differences.def. */
struct difference {
    const char *situations; /**< pattern of fnmatch(3) */
    unsigned forms;         /**< bit 1 << enum form */
    enum difference_kind kind;
    const char *why;
};

/** All rooms, NULL-terminated. */
extern const struct room *const compare_rooms[];

/** Runs every situation whose name fits FILTER (fnmatch(3); NULL: all); the rows, *RET_N of them. */
struct row *compare_run(const char *filter, size_t *ret_n);

/** What there is to compare with a form of ours: the peer's outcome, for FORM_FOSTERD tini's; "" when there is none. */
const char *compare_peer(const struct row *row, enum form form);

/** What came of ours; "" when it could not be run here. */
const char *compare_ours(const struct row *row, enum form form);

/** Why a form of ours was not compared with its peer, or not run at all; the first that is found. NULL: all were. */
const char *compare_missing(const struct row *row);

/** The declared difference for a form in a situation, or NULL. */
const struct difference *compare_declared(const char *situation, enum form form);

/** Prints what came of ROW. */
void compare_show(const struct row *row);

/** Says what is wrong with ROW on standard error; the number of errors. */
size_t compare_judge(const struct row *row);

/** Says which declared differences none of ROWS shows; their number. */
size_t compare_judge_unseen(const struct row *rows, size_t n);

/** Checks the tables in the file PATH against ROWS, or writes them there. True: all is as it should be. */
bool table_check(const char *path, const struct row *rows, size_t n);
bool table_update(const char *path, const struct row *rows, size_t n);

#endif

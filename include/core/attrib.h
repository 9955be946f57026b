/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Whose process is this? The table of runs and of the children we know, and the rules by which a
 * process that turned up is given to a run. Facts in, run and evidence out; nothing is looked up here.
 *
 * A run is one life of one unit, from its spawn until its last member is gone. Each run bears a tag: a
 * number that its processes carry in RLIMIT_LOCKS (unused by Linux since 2.4.25, inherited by
 * everything, readable even from a zombie). Tags nest: a supervisor whose own limit is
 * infinity hands out 2^60 - id * 2^40; one whose limit is a multiple of 2^40 (it runs below the
 * first) limit - id * 2^20; a multiple of 2^20: limit - id; below that there are no tags left, and the
 * environment marker FOSTER_RUN has to do. A reader rounds up to its own stride, so whatever a nested
 * supervisor hands out still reads as ours.
 */
#ifndef FOSTER_CORE_ATTRIB_H
#define FOSTER_CORE_ATTRIB_H

#ifdef EV_H_
#error "the core knows no event loop"
#endif

#include "base/compiler.h"
#include "base/list.h"
#include "base/pidmap.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** How a process was recognised, in falling order of trust. */
enum attrib_evidence {
    ATTRIB_BORN,   /**< we forked it ourselves */
    ATTRIB_CGROUP, /**< it is in the run's control group */
    ATTRIB_TAG,    /**< it bears the run's tag */
    ATTRIB_ENV,    /**< its environment bears the run's marker */
    ATTRIB_NONE,   /**< not recognised: unclaimed */
    ATTRIB_EVIDENCE_N
};

/** What a process is to its run. */
enum attrib_role {
    ATTRIB_MAIN,   /**< the tracked process: its end is the service's end */
    ATTRIB_MEMBER, /**< adopted: it was re-parented to us */
    ATTRIB_ROLE_N
};

/** The bit of the numbers of runs of commands beside units: super's numbers do not get there. */
#define ATTRIB_HELPER_RUNS (UINT64_C(1) << 63)

/** One run of one unit, or of a command beside it. */
struct attrib_run {
    uint64_t run;    /**< number given by super, or with ATTRIB_HELPER_RUNS; unique for the daemon's life */
    unsigned unit;   /**< index of the unit in super */
    uint32_t tag_id; /**< 1 … attrib_ids_max() */
    void *helper;    /**< borrowed; whoever looks after a command that we run beside the unit: no run of super's, and no
                        part of what a stop ends; NULL: a run of super's */
    bool closed;     /**< super has left it; it lives on only for its members */
    struct list members; /**< of struct attrib_proc.in_run: our unreaped children in this run */
    unsigned n_members;
    struct list link; /**< in struct attrib.runs */
};

enum { ATTRIB_NAME_MAX = 16 }; /* as the kernel's names of processes, with the NUL */

/** Who left a process to us by ending. */
struct attrib_leaver {
    pid_t pid;                  /**< 0: not known */
    char name[ATTRIB_NAME_MAX]; /**< "": not known any more */
};

/** A process further down as it was last seen, with the one that it was below. */
struct attrib_sight {
    pid_t pid;
    uint64_t start_ticks; /**< clock ticks after boot at its start: tells it from a later one with its number */
    struct attrib_leaver parent;
};

/** One child of ours that has not been waited for: while it is here, its pid cannot be anybody else's. */
struct attrib_proc {
    pid_t pid;
    struct attrib_run *run; /**< NULL: unclaimed */
    enum attrib_role role;
    enum attrib_evidence evidence;
    int64_t since_ms;  /**< when we learned of it */
    bool out_of_reach; /**< we may not signal it: it has another user's rights now */
    bool ended;        /**< it is dead, and about to be taken out */
    unsigned met_in;   /**< number of the look at our children in which it was met */
    pid_t pgrp;        /**< its process group and session, and its name, when it ended */
    pid_t session;
    char name[ATTRIB_NAME_MAX];
    struct attrib_leaver from; /**< who left it to us */
    struct list in_run;        /**< link in run->members, or in struct attrib.unclaimed */
};

/** The tables. Initialise with attrib_init(), free with attrib_done(). */
struct attrib {
    uint64_t own_limit; /**< our RLIMIT_LOCKS hard limit; UINT64_MAX = infinity */
    uint64_t stride;    /**< distance between two tags; 0: no tags possible */
    uint64_t base;      /**< tag = base - id * stride */
    char nonce[17];     /**< hexadecimal; tells our markers from those of other supervisors */
    uint32_t next_id;
    struct pidmap procs;        /**< pid -> struct attrib_proc, owned */
    struct attrib_proc *spare;  /**< owned; what the next attrib_add() uses, see attrib_reserve() */
    struct list runs;           /**< owned */
    struct attrib_run **by_id;  /**< owned; hash by tag id */
    struct attrib_run **by_run; /**< owned; hash by run number */
    size_t runs_cap;            /**< slots of each, a power of two, or 0 */
    size_t n_runs;
    struct list unclaimed;
    uint64_t n_unclaimed_total;  /**< unclaimed processes seen since the start */
    unsigned n_looks;            /**< looks at our children, see attrib_begin_look() */
    unsigned n_changes;          /**< grows with every process that comes or goes */
    struct attrib_sight *sights; /**< owned; by pid */
    size_t n_sights;
};

/** Makes A empty tables for a supervisor whose own hard limit is OWN_LIMIT (UINT64_MAX: infinity). NONCE
 *  is any 64-bit number unlikely to be another supervisor's. FIRST_ID (>= 1) is where ids start. */
void attrib_init(struct attrib *a, uint64_t own_limit, uint64_t nonce, uint32_t first_id) NONNULL();

/** Frees everything A owns. */
void attrib_done(struct attrib *a) NONNULL();

/** The greatest tag id (2^20 - 1). */
uint32_t attrib_ids_max(void);

/** Opens run number RUN of unit UNIT with a tag id that no living run has. NULL with ENOMEM, or when
 *  all ids are taken. Owned by A. */
struct attrib_run *attrib_run_open(struct attrib *a, unsigned unit, uint64_t run) MUST_CHECK NONNULL();

/** The run with number RUN, or NULL. */
struct attrib_run *attrib_run_find(const struct attrib *a, uint64_t run) NONNULL();

/** Says that super is done with R: it is freed as soon as it has no members (perhaps at once). */
void attrib_run_close(struct attrib *a, struct attrib_run *r) NONNULL();

/** The tag that R's processes bear, or 0 when tags are not possible here. */
uint64_t attrib_run_tag(const struct attrib *a, const struct attrib_run *r) NONNULL();

/** The value of FOSTER_RUN for R's processes, into BUF: INHERITED (our own value; NULL or "" when there is
 *  none) with our segment "NONCE:ID" appended behind a "/". Returns BUF; NULL when it does not fit. */
char *attrib_run_marker(const struct attrib *a, const struct attrib_run *r, const char *inherited, char *buf,
                        size_t size) NONNULL(1, 2, 4);

/** What is known of a process that is to be attributed. */
struct attrib_facts {
    uint64_t cgroup_run; /**< the run in whose control group it is, 0: in none of ours */
    bool has_limit;
    uint64_t limit;     /**< its RLIMIT_LOCKS soft limit, UINT64_MAX = infinity */
    const char *marker; /**< its FOSTER_RUN, or NULL */
};

/** The run to which a process with FACTS belongs, or NULL; *RET_EVIDENCE says how it was recognised. Where facts point
 * to different runs the more trusted one counts. */
struct attrib_run *attrib_claim(const struct attrib *a, const struct attrib_facts *facts,
                                enum attrib_evidence *ret_evidence) NONNULL();

/** Makes sure that the next attrib_add() cannot fail for want of memory: called before a fork. */
bool attrib_reserve(struct attrib *a) MUST_CHECK NONNULL();

/** Enters our child PID into run R (NULL: unclaimed). NULL with ENOMEM. A pid that is there already is a
 *  child that was reaped behind our back: its old entry is replaced. */
struct attrib_proc *attrib_add(struct attrib *a, pid_t pid, struct attrib_run *r, enum attrib_role role,
                               enum attrib_evidence evidence, int64_t now_ms) MUST_CHECK NONNULL(1);

/** The entry of our child PID, or NULL. */
struct attrib_proc *attrib_find(const struct attrib *a, pid_t pid) NONNULL();

/** Takes P out (it has been reaped) and frees it, and its run when that is closed and has no member left. */
void attrib_remove(struct attrib *a, struct attrib_proc *p) NONNULL();

/** Forgets unit UNIT, of which nothing is waited for any more: what its runs have left behind is unclaimed, and its
 * number may be given to another unit. */
void attrib_disown(struct attrib *a, unsigned unit) NONNULL();

/** A look at our children begins: who is added from now on was met in it. */
void attrib_begin_look(struct attrib *a) NONNULL();

/** P has ended and will soon be taken out. NAME, PGRP and SESSION are what it was. */
void attrib_end(struct attrib_proc *p, const char *name, pid_t pgrp, pid_t session) NONNULL();

/** Takes the N SIGHTS of processes that are below our children (owned from now on, NULL with 0) in place of those
 * before. */
void attrib_remember(struct attrib *a, struct attrib_sight *sights, size_t n) NONNULL(1);

/** What is known of a process that turned up as our child, alive. */
struct attrib_newcomer {
    pid_t pid;
    uint64_t start_ticks;
    pid_t pgrp;
    pid_t session;
    struct attrib_leaver group_leader;   /**< pid 0, unless that is another process and has ended */
    struct attrib_leaver session_leader; /**< the same */
};

/** Who left the newcomer C of RUN (NULL: of none) to us. In this order: the process that it was last seen below; an
 * ended member of RUN that has begun its group or session; the only member of RUN, when that has ended and the others
 * were met in the present look, unless the leader of its group or session is another one, who has ended as well; that
 * leader; nobody. Called before C is added. */
struct attrib_leaver attrib_leaver(const struct attrib *a, const struct attrib_run *run,
                                   const struct attrib_newcomer *c) MUST_CHECK NONNULL(1, 3);

/** A live member that could be the daemon that a launcher left behind. */
struct attrib_candidate {
    pid_t pid;
    pid_t session;
    uint64_t start_ticks; /**< clock ticks after boot at its start */
};

/** Which of the N > 0 candidates is the daemon: the one that a pid file names (PID_FILE_PID, 0 for none), else
 *  the only one, else the oldest session leader, else the oldest; the lower pid where two are equally old.
 *  Returns its index. */
size_t attrib_follow(const struct attrib_candidate *c, size_t n, pid_t pid_file_pid) NONNULL();

/** Words for views: "born", "cgroup", "tag", "env", "unclaimed". */
const char *attrib_evidence_name(enum attrib_evidence v);

#endif

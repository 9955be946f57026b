/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a death means. The order matters: first, once a slice, the heirs of the dead are looked up, while the runs
 * of the dead are still known; then all the dead are taken out of the tables, for their pids are free
 * from now on; then their last words are sent for and their exec status is read; and only then is anything posted,
 * since what follows may start new processes.
 *
 * One end may be held back: that of a run whose last line may show that it was ready, while the logger has not said yet
 * what that line was.
 */
#include "daemon/deaths.h"

#include "base/log.h"
#include "base/parse.h"
#include "daemon/census.h"
#include "daemon/cgroups.h"
#include "daemon/helper.h"
#include "daemon/launch.h"
#include "daemon/notify.h"
#include "daemon/ready.h"
#include "daemon/svcreload.h"
#include "sys/files.h"

#include <signal.h>
#include <sys/wait.h>

/* One note, with what the tables said of its process before it was taken out. */
struct deaths_entry {
    unsigned unit;       /* SUPER_NO_UNIT: unclaimed */
    uint64_t id;         /* of that unit, which what is posted for another entry may be the end of */
    uint64_t run;        /* 0: none of super's */
    uint64_t helper_run; /* of a command beside the unit; 0: it was none */
    bool is_main;
    bool is_logger;
    bool ended;
    bool oom_killed;
};

/* The end of a main process that has not been told yet. */
struct deaths_late {
    struct reaper_note note;
    struct deaths_entry entry;
};

static struct engine_unit *deaths_unit(const struct engine *g, const struct deaths_entry *d)
{
    return engine_at_id(g, d->unit, d->id);
}

static bool deaths_has_ended(const struct reaper_note *note)
{
    return WIFEXITED(note->wstatus) || WIFSIGNALED(note->wstatus);
}

/* Whether the end of NOTE's process makes it matter now what it has left behind: while its main process lives, nobody
 * waits for the end of a unit; but a closed run is forgotten with its last member, and must learn of its heirs before;
 * and so must a helper. */
static bool deaths_leaves(struct engine *g, const struct reaper_note *note)
{
    const struct attrib_proc *p = attrib_find(&g->attrib, note->pid);
    if (!deaths_has_ended(note) || p == NULL || p->run == NULL)
        return false;
    const struct engine_unit *u = engine_at(g, p->run->unit);
    pid_t main_pid = u != NULL ? u->main_pid : 0;
    return p->run->closed || p->run->helper != NULL || main_pid == 0 || main_pid == note->pid;
}

/* Takes in what the process of NOTE, or another one of its run, has said by sd_notify(3). */
static void deaths_hear(struct engine *g, const struct reaper_note *note)
{
    const struct attrib_proc *p = attrib_find(&g->attrib, note->pid);
    struct engine_unit *u = p != NULL && p->run != NULL ? engine_at(g, p->run->unit) : NULL;
    if (u != NULL)
        notify_collect(u);
}

static struct deaths_entry deaths_entry_of(struct engine *g, const struct reaper_note *note)
{
    struct deaths_entry d = {.unit = SUPER_NO_UNIT, .ended = deaths_has_ended(note)};
    d.is_logger = logger_host_is(&g->logger, note->pid);
    struct attrib_proc *p = attrib_find(&g->attrib, note->pid);
    if (p == NULL)
        return d;
    struct engine_unit *u = p->run != NULL ? engine_at(g, p->run->unit) : NULL;
    bool is_helper = p->run != NULL && p->run->helper != NULL;
    if (is_helper)
        d.helper_run = p->run->run;
    if (u != NULL) {
        d.unit = u->index;
        d.id = u->id;
        d.run = is_helper ? 0 : p->run->run;
        d.is_main = p->role == ATTRIB_MAIN && u->main_pid == note->pid;
    }
    if (d.ended) {
        if (d.is_main)
            u->main_pid = 0;
        attrib_remove(&g->attrib, p);
    }
    return d;
}

/* Whether the process of NOTE, which was U's (NULL: nobody's), was killed because memory was out; then that is told. */
static bool deaths_out_of_memory(struct engine_unit *u, const struct reaper_note *note, const struct deaths_entry *d)
{
    bool killed = d->ended && WIFSIGNALED(note->wstatus) && WTERMSIG(note->wstatus) == SIGKILL;
    if (u == NULL || !killed || !cgroups_oom_killed(u))
        return false;
    char limit[64];
    struct log_about about = {.service = u->name, .event = "oom-killed", .pid = note->pid, .run = d->run};
    log_write(LOG_LEVEL_WARN, &about, "the kernel has killed process %d: out of memory%s", (int)note->pid,
              cgroups_oom_text(u, limit, sizeof limit));
    return true;
}

static void deaths_post_main(struct engine *g, struct engine_unit *u, const struct reaper_note *note,
                             const struct deaths_entry *d)
{
    struct event ev = {
        .kind = EVENT_MAIN_EXITED,
        .unit = u->index,
        .run = d->run,
        .pid = note->pid,
        .wstatus = note->wstatus,
        .oom_killed = d->oom_killed,
    };
    if (!d->ended) {
        ev.kind = WIFSTOPPED(note->wstatus) ? EVENT_MAIN_STOPPED : EVENT_MAIN_CONTINUED;
        engine_post(g, &ev);
        if (WIFSTOPPED(note->wstatus) && g->hooks.on_stopped != NULL)
            g->hooks.on_stopped(u, WSTOPSIG(note->wstatus), g->hooks.data);
        return;
    }
    if (u->run != NULL && u->run->run == d->run) {
        ev.left = census_left(g, u->run, &ev.n_left);
        ev.n_dying = u->run->n_members - ev.n_left;
    }
    svcreload_main_gone(u);
    if (ev.n_left > 0 && u->spec->pid_file != NULL)
        ev.pid_file_pid = files_read_pid(u->spec->pid_file);
    engine_post(g, &ev);
}

/* Orphans that end well, or by a signal that ends processes every day, are too many to tell of each. */
static bool deaths_is_news(bool killed, int code)
{
    if (!killed)
        return code != 0;
    return code != SIGTERM && code != SIGKILL && code != SIGHUP && code != SIGINT && code != SIGPIPE;
}

static void deaths_say_orphan(const struct engine_unit *u, const struct reaper_note *note, const struct deaths_entry *d)
{
    bool killed = WIFSIGNALED(note->wstatus);
    int code = killed ? WTERMSIG(note->wstatus) : WEXITSTATUS(note->wstatus);
    struct log_about about = {
        .service = u != NULL ? u->name : NULL,
        .event = "orphan-reaped",
        .pid = note->pid,
        .run = d->run,
        .code = code,
        .code_kind = killed ? 's' : 'e',
    };
    enum log_level level = deaths_is_news(killed, code) ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
    const char *signal_name = killed ? parse_signal_name(code) : NULL;
    if (killed)
        log_write(level, &about, "reaped orphan %d, killed by %s", (int)note->pid,
                  signal_name != NULL ? signal_name : "a signal");
    else
        log_write(level, &about, "reaped orphan %d, exited with code %d", (int)note->pid, code);
}

static void deaths_post_member(struct engine *g, struct engine_unit *u, const struct reaper_note *note,
                               const struct deaths_entry *d)
{
    if (!d->ended)
        return;
    deaths_say_orphan(u, note, d);
    if (g->hooks.on_orphan != NULL)
        g->hooks.on_orphan(note->pid, note->wstatus, g->hooks.data);
    if (u == NULL)
        return;
    struct event ev = {
        .kind = EVENT_MEMBER_EXITED,
        .unit = u->index,
        .run = d->run,
        .pid = note->pid,
        .wstatus = note->wstatus,
    };
    engine_post(g, &ev);
}

static void deaths_tell_helper(struct engine *g, struct engine_unit *u, const struct reaper_note *note,
                               const struct deaths_entry *d)
{
    if (!d->ended)
        return;
    if (!helper_died(g, d->helper_run, note->pid, note->wstatus))
        deaths_say_orphan(u, note, d);
}

static void deaths_post_of_run(struct engine *g, struct engine_unit *u, const struct reaper_note *note,
                               const struct deaths_entry *d)
{
    /* What it has said last may have made another process the main one. */
    if (u != NULL && d->is_main && (!d->ended || u->main_pid == 0))
        deaths_post_main(g, u, note, d);
    else
        deaths_post_member(g, u, note, d);
}

/* Ends a unit's clearing when nothing is left of it, and goes on with the killing while something is. */
static void deaths_count(struct engine *g, struct engine_unit *u)
{
    u->touched = false;
    size_t n = census_count(g, u);
    if (n > 0 && u->killing) {
        census_kill(g, u, u->kill_scope);
        n = census_count(g, u);
    }
    if (n > 0)
        return;
    u->killing = false;
    if (deaths_main_is_over(u)) {
        struct event ev = {.kind = EVENT_MEMBERS_GONE, .unit = u->index};
        engine_post(g, &ev);
    }
}

/* ------------------------------------------------------------------ an end that is held back */

void deaths_forget(struct engine_unit *u)
{
    if (u->late == NULL)
        return;
    hold_forget(u);
    mem_free(u->late);
    u->late = NULL;
}

void deaths_tell_late(struct engine_unit *u)
{
    if (u->late == NULL)
        return;
    struct engine *g = u->engine;
    struct deaths_late late = *u->late;
    late.entry.unit = u->index;
    deaths_forget(u);
    deaths_post_of_run(g, u, &late.note, &late.entry);
    u = deaths_unit(g, &late.entry);
    if (u != NULL)
        deaths_count(g, u);
}

/* Whether what was U's main process, and ended as NOTE says, may have left behind the one that is from now on. */
static bool deaths_may_be_followed(const struct engine_unit *u, const struct reaper_note *note)
{
    size_t n_left = 0;
    if (u->spec->type != SPEC_TYPE_AUTO && u->spec->type != SPEC_TYPE_FORKING)
        return false;
    if (u->run != NULL && note->wstatus == 0)
        (void)census_left(u->engine, u->run, &n_left);
    return n_left > 0;
}

/* Holds the end of U's main process back that D and NOTE tell of, if what it has written may still come before it. */
static bool deaths_hold_back(struct engine_unit *u, const struct reaper_note *note, const struct deaths_entry *d)
{
    if (u == NULL || !d->is_main || !d->ended || u->main_pid != 0 || !ready_awaits_output(u))
        return false;
    if (deaths_may_be_followed(u, note) || BUG_IF(u->late != NULL))
        return false;
    struct deaths_late *late = mem_alloc(sizeof *late);
    if (late == NULL)
        return false;
    *late = (struct deaths_late){.note = *note, .entry = *d};
    struct log_about about = {.service = u->name, .pid = note->pid, .run = d->run};
    log_write(LOG_LEVEL_DEBUG, &about, "it has ended: what it has written is being looked at");
    u->late = late;
    hold_begin(u, deaths_tell_late);
    return true;
}

/* ------------------------------------------------------------------ a slice */

static void deaths_post(struct engine *g, const struct reaper_note *note, struct deaths_entry *d)
{
    struct engine_unit *u = deaths_unit(g, d);
    if (d->is_logger)
        return;
    /* Asked once, and now: the kernel's count of those killed is used up by whoever asks. */
    d->oom_killed = deaths_out_of_memory(u, note, d);
    if (d->helper_run != 0) {
        deaths_tell_helper(g, u, note, d);
        return;
    }
    if (u != NULL)
        u->touched = u->touched || d->ended;
    if (!deaths_hold_back(u, note, d))
        deaths_post_of_run(g, u, note, d);
}

void deaths_take(struct engine *g, const struct reaper_note *notes, size_t n)
{
    static struct deaths_entry entries[REAPER_SLICE];
    bool look = false;
    for (size_t i = 0; i < n; i++)
        look = look || deaths_leaves(g, &notes[i]);
    if (look)
        census_refresh(g);
    /* While the dead can still be told from strangers. */
    for (size_t i = 0; i < n; i++)
        deaths_hear(g, &notes[i]);
    for (size_t i = 0; i < n; i++)
        entries[i] = deaths_entry_of(g, &notes[i]);
    logger_host_hear(&g->logger);
    for (size_t i = 0; i < n; i++)
        if (entries[i].is_logger && entries[i].ended)
            logger_host_died(&g->logger, notes[i].wstatus);
    for (size_t i = 0; i < n; i++) {
        struct engine_unit *u = deaths_unit(g, &entries[i]);
        /* Whatever became of the process: nothing calls for a second time for what has been taken in. */
        if (u != NULL)
            notify_deliver(u);
        u = deaths_unit(g, &entries[i]);
        if (u != NULL && entries[i].is_main && entries[i].ended) {
            output_sync(u, true);
            launch_settle(u);
            ready_settle(u);
        }
    }
    for (size_t i = 0; i < n; i++)
        deaths_post(g, &notes[i], &entries[i]);
    for (size_t i = 0; i < n; i++) {
        struct engine_unit *u = deaths_unit(g, &entries[i]);
        if (entries[i].helper_run != 0)
            helper_settle(g, entries[i].helper_run);
        else if (u != NULL && u->touched)
            deaths_count(g, u);
    }
    logger_host_replace(&g->logger);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Commands beside a service. See helper.h.
 *
 * A helper is there from its spawn until nothing of its run is left, which may be long after its owner has lost
 * interest, or after its unit has gone: it is found by its run. Its owner is told as the last thing, when it need not
 * be there any more, since what the owner does then may be anything.
 *
 * BUGS: without /proc what a helper has left behind is found only when it ends.
 */
#include "daemon/helper.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "daemon/census.h"
#include "daemon/cgroups.h"
#include "daemon/launch.h"
#include "daemon/launch_request.h"
#include "daemon/pressure.h"
#include "logger/loop.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { HELPER_CHUNK = 16384, HELPER_DRAIN_MAX = 1 << 20, HELPER_WHAT_MAX = 32, HELPER_DURATION_MAX = 32 };

struct helper {
    struct engine *engine;    /* borrowed */
    struct engine_unit *unit; /* borrowed; NULL: it is gone */
    struct attrib_run *run;   /* attrib's; NULL: not opened yet */
    char what[HELPER_WHAT_MAX];
    char name[SPEC_NAME_MAX + 8]; /* of the unit, which this may outlive */
    pid_t pid;                    /* its main process while that has not been reaped, else 0 */
    int wstatus;                  /* of that */
    bool has_program;             /* its exec went well */
    bool killing;                 /* SIGKILL whatever is found of it */
    bool timed_out;
    bool told;                      /* the owner knows how it ended, or does not want to */
    bool touched;                   /* one of its processes was reaped in the present slice */
    char why[HELPER_TEXT_MAX - 16]; /* why there is no program; "": there is, or nothing is known yet */
    int64_t timeout_ms;
    struct ev_timer timer;
    int status_fd; /* owned; -1: the exec is settled */
    struct ev_io status_io;
    struct arena arena; /* of the request, until the exec is settled */
    struct spawn_request request;
    int out_fd; /* owned; non-blocking; -1: its output goes elsewhere, or has ended */
    struct ev_io out_io;
    char *output; /* owned; the last bytes of it; NULL: it goes elsewhere */
    size_t n_output;
    helper_done *done;
    void *data;
};

static struct helper *helper_of(const struct engine *g, uint64_t run)
{
    const struct attrib_run *r = attrib_run_find(&g->attrib, run);
    return r != NULL ? r->helper : NULL;
}

/* ------------------------------------------------------------------ output */

static void helper_close_output(struct helper *h)
{
    if (h->out_fd < 0)
        return;
    ev_io_stop(h->engine->loop, &h->out_io);
    sys_close_fd(&h->out_fd);
}

/* Keeps the last HELPER_OUTPUT_MAX bytes. */
static void helper_keep(struct helper *h, const char *data, size_t len)
{
    if (len >= HELPER_OUTPUT_MAX) {
        memcpy(h->output, data + len - HELPER_OUTPUT_MAX, HELPER_OUTPUT_MAX);
        h->n_output = HELPER_OUTPUT_MAX;
        return;
    }
    size_t room = HELPER_OUTPUT_MAX - h->n_output;
    size_t drop = len > room ? len - room : 0;
    memmove(h->output, h->output + drop, h->n_output - drop);
    memcpy(h->output + h->n_output - drop, data, len);
    h->n_output += len - drop;
}

/* Reads once. Returns how much; 0: there is nothing now, or never will be. */
static size_t helper_read(struct helper *h)
{
    static char chunk[HELPER_CHUNK];
    ssize_t n = sys_read(h->out_fd, chunk, sizeof chunk);
    if (n > 0)
        helper_keep(h, chunk, (size_t)n);
    else if (n == 0 || errno != EAGAIN)
        helper_close_output(h);
    return n > 0 ? (size_t)n : 0;
}

static void helper_on_output(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    (void)helper_read(w->data);
}

/* The main process has ended: what it wrote is in the pipe. Others that still have that are about to be killed. */
static void helper_drain(struct helper *h)
{
    size_t n = 1;
    for (size_t total = 0; h->out_fd >= 0 && n > 0 && total < HELPER_DRAIN_MAX; total += n)
        n = helper_read(h);
    helper_close_output(h);
    /* What goes to the service's output is to be there before it is told what became of the helper. The line that the
     * service is in the middle of is not cut for that. */
    if (h->output == NULL && h->unit != NULL)
        output_sync(h->unit, h->unit->main_pid == 0);
}

/* Opens the pipe for its output. Returns the end for the helper, -1 with *E. */
static int helper_open_output(struct helper *h, struct err *e)
{
    int fds[2];
    if (sys_pipe(fds, 0) < 0) {
        err_set_errno(e, errno, "pipe for its output");
        return -1;
    }
    h->out_fd = fds[0];
    ev_io_init(&h->out_io, helper_on_output, h->out_fd, EV_READ);
    ev_set_priority(&h->out_io, EV_MINPRI);
    h->out_io.data = h;
    h->output = mem_alloc(HELPER_OUTPUT_MAX);
    if (h->output == NULL || sys_fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
        err_set_errno(e, h->output == NULL ? ENOMEM : errno, "pipe for its output");
        sys_close(fds[1]);
        return -1;
    }
    return fds[1];
}

/* ------------------------------------------------------------------ its exec */

static void helper_settle_exec(struct helper *h)
{
    struct spawn_failure f;
    if (h->status_fd < 0)
        return;
    enum spawn_verdict verdict = spawn_status(h->status_fd, &f);
    if (verdict == SPAWN_PENDING)
        return;
    ev_io_stop(h->engine->loop, &h->status_io);
    sys_close_fd(&h->status_fd);
    h->has_program = verdict == SPAWN_EXECED;
    if (verdict == SPAWN_FAILED) {
        spawn_failure_text(&h->request, &f, h->why, sizeof h->why);
        /* What a start without its groups costs is told when one goes well. */
        if (f.step == SPAWN_STEP_CGROUP && h->unit != NULL)
            (void)cgroups_refused(h->unit, f.errnum);
    }
    arena_done(&h->arena);
}

static void helper_on_status(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    helper_settle_exec(w->data);
}

/* ------------------------------------------------------------------ its end */

/* H is over. Frees it, unless somebody is left whom we may not kill: then that is done when he has ended. */
static void helper_release(struct helper *h)
{
    ev_timer_stop(h->engine->loop, &h->timer);
    helper_close_output(h);
    if (h->status_fd >= 0)
        ev_io_stop(h->engine->loop, &h->status_io);
    sys_close_fd(&h->status_fd);
    arena_done(&h->arena);
    mem_free(h->output);
    h->output = NULL;
    if (h->run != NULL && h->run->n_members > 0)
        return;
    if (h->unit != NULL && h->run != NULL) {
        h->unit->n_helpers--;
        cgroups_leave_helper(h->unit, h->run->run);
    }
    if (h->run != NULL)
        attrib_run_close(&h->engine->attrib, h->run);
    mem_free(h);
}

static void helper_describe(const struct helper *h, char *buf, size_t size)
{
    char duration[HELPER_DURATION_MAX];
    const char *signal_name = WIFSIGNALED(h->wstatus) ? parse_signal_name(WTERMSIG(h->wstatus)) : NULL;
    if (h->why[0] != '\0')
        snprintf(buf, size, "cannot start: %s", h->why);
    else if (h->timed_out)
        snprintf(buf, size, "timed out after %s%s", parse_duration_text(h->timeout_ms, duration, sizeof duration),
                 h->pid != 0 ? ", and may not be killed" : "");
    else if (signal_name != NULL)
        snprintf(buf, size, "killed by %s", signal_name);
    else if (WIFSIGNALED(h->wstatus))
        snprintf(buf, size, "killed by signal %d", WTERMSIG(h->wstatus));
    else
        snprintf(buf, size, "exited with code %d", WEXITSTATUS(h->wstatus));
}

/* Nothing is left of H that could be waited for: tells its owner, who may do with the unit what he likes. */
static void helper_end(struct helper *h)
{
    char text[HELPER_TEXT_MAX];
    struct engine_unit *u = h->unit;
    helper_done *done = h->told ? NULL : h->done;
    void *data = h->data;
    struct helper_result r = {.started = h->has_program && h->pid == 0, .timed_out = h->timed_out};
    helper_describe(h, text, sizeof text);
    r.wstatus = h->wstatus;
    r.ok = r.started && !r.timed_out && WIFEXITED(h->wstatus) && WEXITSTATUS(h->wstatus) == 0;
    r.text = text;
    char *output = h->output;
    r.output = output != NULL ? output : "";
    r.n_output = output != NULL ? h->n_output : 0;
    h->output = NULL;
    h->told = true;
    helper_release(h);
    if (done != NULL)
        done(u, &r, data);
    mem_free(output);
}

/* Kills whatever there is of H; it ends when the last one has been reaped, or at once when nobody can be killed. */
static void helper_kill(struct helper *h)
{
    h->killing = true;
    if (h->unit != NULL)
        cgroups_oom_settle(h->unit);
    census_kill_run(h->engine, h->unit, h->run, h->name);
    if (census_count_run(h->run) == 0)
        helper_end(h);
}

/* Whether its main process has ended, though that was not told yet. */
static bool helper_has_ended(const struct helper *h)
{
    siginfo_t info;
    return h->pid != 0 && sys_waitid(P_PID, (id_t)h->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

static void helper_on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    struct helper *h = w->data;
    ev_timer_stop(loop, w);
    /* Who has ended by now was in time: the one that is late may be the loop. */
    if (helper_has_ended(h))
        return;
    h->timed_out = true;
    helper_kill(h);
}

void helper_cancel(struct helper *h)
{
    if (h == NULL)
        return;
    h->told = true;
    ev_timer_stop(h->engine->loop, &h->timer);
    helper_close_output(h);
    helper_kill(h);
}

bool helper_died(struct engine *g, uint64_t run, pid_t pid, int wstatus)
{
    struct helper *h = helper_of(g, run);
    if (h == NULL)
        return false;
    h->touched = true;
    if (pid != h->pid)
        return false;
    h->pid = 0;
    h->wstatus = wstatus;
    helper_settle_exec(h);
    helper_drain(h);
    return true;
}

void helper_settle(struct engine *g, uint64_t run)
{
    struct helper *h = helper_of(g, run);
    if (h == NULL || !h->touched)
        return;
    h->touched = false;
    if (h->pid != 0 && !h->killing)
        return;
    if (census_count_run(h->run) == 0)
        helper_end(h);
    else
        helper_kill(h);
}

/* Whether there ever was a table of runs: not when it turned out at once that there is another fosterd. */
static bool helper_has_runs(const struct engine *g)
{
    return g->attrib.runs.next != NULL;
}

void helper_forget_unit(struct engine_unit *u)
{
    if (!helper_has_runs(u->engine))
        return;
    LIST_EACH (it, &u->engine->attrib.runs) {
        struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        struct helper *h = run->helper;
        if (h == NULL || h->unit != u)
            continue;
        run->unit = SUPER_NO_UNIT;
        h->unit = NULL;
        helper_cancel(h);
    }
    u->n_helpers = 0;
}

/* ------------------------------------------------------------------ the whole */

size_t helper_end_all(struct engine *g)
{
    LIST_EACH (it, &g->attrib.runs) {
        struct helper *h = CONTAINER_OF(it, struct attrib_run, link)->helper;
        if (h != NULL && !h->killing)
            helper_kill(h);
    }
    return helper_count(g);
}

size_t helper_count(const struct engine *g)
{
    size_t n = 0;
    LIST_EACH (it, &g->attrib.runs) {
        const struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        n += run->helper != NULL && census_count_run(run) > 0;
    }
    return n;
}

void helper_free_all(struct engine *g)
{
    if (!helper_has_runs(g))
        return;
    LIST_EACH (it, &g->attrib.runs) {
        struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        struct helper *h = run->helper;
        if (h == NULL)
            continue;
        run->helper = NULL;
        h->run = NULL;
        helper_release(h);
    }
}

/* ------------------------------------------------------------------ its start */

static struct helper *helper_new(struct engine_unit *u, const struct helper_request *req)
{
    struct helper *h = mem_alloc(sizeof *h);
    if (h == NULL)
        return NULL;
    *h = (struct helper){
        .engine = u->engine,
        .unit = u,
        .status_fd = -1,
        .out_fd = -1,
        .timeout_ms = req->timeout_ms,
        .done = req->done,
        .data = req->data,
    };
    snprintf(h->what, sizeof h->what, "%s", req->what);
    snprintf(h->name, sizeof h->name, "%s", u->name);
    ev_timer_init(&h->timer, helper_on_timer, 0., 0.);
    h->timer.data = h;
    return h;
}

static bool helper_open_run(struct helper *h, struct err *e)
{
    struct engine *g = h->engine;
    h->run = attrib_run_open(&g->attrib, h->unit->index, ATTRIB_HELPER_RUNS | ++g->n_helpers);
    if (h->run != NULL) {
        h->run->helper = h;
        h->unit->n_helpers++;
    }
    if (h->run != NULL && attrib_reserve(&g->attrib))
        return true;
    err_set_errno(e, ENOMEM, "table of runs");
    return false;
}

static bool helper_spawn(struct helper *h, const struct helper_request *req, struct err *e)
{
    struct launch_command command = {
        .run = h->run, .argv = req->argv, .hook = req->hook, .vars = req->vars, .output_fd = -1};
    struct spawn_child child;
    bool ok = false;
    if (req->capture && (command.output_fd = helper_open_output(h, e)) < 0)
        return false;
    if (!req->capture && !output_open(h->unit, false, e))
        return false;
    if (launch_request_of(h->unit, &command, &h->arena, &h->request))
        ok = launch_process(h->unit, h->run, &h->request, &child, e);
    else
        err_set_errno(e, ENOMEM, "arguments and environment");
    sys_close_fd(&command.output_fd);
    if (!ok)
        return false;
    h->pid = child.pid;
    h->status_fd = child.status_fd;
    return true;
}

/* Watches what its process tells. */
static void helper_watch(struct helper *h)
{
    struct ev_loop *loop = h->engine->loop;
    ev_io_init(&h->status_io, helper_on_status, h->status_fd, EV_READ);
    h->status_io.data = h;
    ev_io_start(loop, &h->status_io);
    if (h->out_fd >= 0)
        ev_io_start(loop, &h->out_io);
    if (h->timeout_ms > 0)
        loop_arm(loop, &h->timer, (double)h->timeout_ms / 1000.);
}

bool helper_start(struct engine_unit *u, const struct helper_request *req, struct helper **ret_helper, struct err *e)
{
    struct helper *h = NULL;
    if (u->engine->over)
        err_set(e, ERR_BUSY, "fosterd is about to exit");
    else if ((h = helper_new(u, req)) == NULL)
        err_set_errno(e, ENOMEM, "starting a command");
    if (h == NULL)
        return false;
    if (helper_open_run(h, e) && helper_spawn(h, req, e)) {
        helper_watch(h);
        *ret_helper = h;
        return true;
    }
    if (e->errnum == EAGAIN)
        pressure_felt(u->engine, u->name, e->text);
    helper_release(h);
    return false;
}

const char *helper_name(const struct attrib_run *run)
{
    const struct helper *h = run->helper;
    return h != NULL ? h->what : NULL;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The fake kernel: fork with a small pid space, exec, exit, zombies, re-parenting to the subreaper, signals; and
 * what the programs in it do. It knows to whom each process truly belongs.
 */
#include "sim.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { US = 1, RESERVED_PROCS = 40 };

struct sim_proc *sim_proc(struct sim *m, pid_t pid)
{
    return &m->procs[pid];
}

bool sim_is_main(const struct sim *m, pid_t pid)
{
    const struct sim_proc *p = &m->procs[pid];

    return p->used && !p->homeless && p->serial == m->units[p->unit].main_serial;
}

static int exited(int code)
{
    return code << 8;
}

pid_t kernel_fork(struct sim *m, pid_t parent)
{
    pid_t pid = m->last_pid;

    if (m->n_procs >= SIM_PROCS_MAX)
        return 0;
    do {
        pid = pid + 1 < SIM_PIDS ? pid + 1 : SIM_FIRST_PID;
    } while (m->procs[pid].used);
    m->last_pid = pid;
    m->n_procs++;
    m->progress++;
    m->procs[pid] = m->procs[parent];
    m->procs[pid].used = true;
    m->procs[pid].ppid = parent;
    m->procs[pid].born_main = false;
    m->procs[pid].was_main = false;
    m->procs[pid].dying = false;
    m->procs[pid].zombie = false;
    m->procs[pid].serial = ++m->next_serial;
    return pid;
}

static void release(struct sim *m, pid_t pid)
{
    m->procs[pid].used = false;
    m->n_procs--;
    m->progress++;
}

void kernel_exit(struct sim *m, pid_t pid, int wstatus)
{
    struct sim_proc *p = &m->procs[pid];

    sim_trace(m, "  kernel: %d dies, status 0x%x", (int)pid, (unsigned)wstatus);
    p->zombie = true;
    p->dying = false;
    p->wstatus = wstatus;
    m->progress++;
    for (pid_t i = SIM_FIRST_PID; i < SIM_PIDS; i++)
        if (m->procs[i].used && m->procs[i].ppid == pid)
            m->procs[i].ppid = US;
    if (p->ppid != US && sim_chance(m, 80))
        release(m, pid);
}

void kernel_reap(struct sim *m, pid_t pid)
{
    release(m, pid);
}

void kernel_signal(struct sim *m, pid_t pid, int sig)
{
    struct sim_proc *p = &m->procs[pid];

    if (p->zombie)
        return;
    if (sig == SIGKILL) {
        kernel_exit(m, pid, SIGKILL);
    } else if (!p->execed) {
        kernel_exit(m, pid, sig);
    } else if (!p->ignores_term && !p->dying) {
        static const int ends[] = {0, 3, 9};
        unsigned way = sim_random(m, 6);
        p->dying = true;
        p->wstatus = way < ARRAY_LEN(ends) ? exited(ends[way]) : sig;
    }
}

void kernel_exec(struct sim *m, pid_t pid)
{
    static const int errors[] = {ENOENT, EACCES, EAGAIN, ETXTBSY};
    struct sim_proc *p = &m->procs[pid];

    m->progress++;
    if (!m->calm && sim_chance(m, 12)) {
        p->exec_errno = errors[sim_random(m, ARRAY_LEN(errors))];
        kernel_exit(m, pid, exited(127));
        return;
    }
    p->execed = true;
    p->ignores_term = sim_chance(m, 12);
}

/* Forks a child, sometimes at the head of its own session, sometimes through a process in between that is gone at
 * once. */
static pid_t have_child(struct sim *m, pid_t pid)
{
    pid_t child;

    if (m->n_procs + RESERVED_PROCS >= SIM_PROCS_MAX && !m->calm)
        return 0;
    child = kernel_fork(m, pid);
    if (child == 0)
        return 0;
    if (sim_chance(m, 40))
        m->procs[child].session = child;
    if (sim_chance(m, 30))
        m->procs[child].ppid = US;
    m->procs[child].ignores_term = sim_chance(m, 15);
    sim_trace(m, "  kernel: %d has child %d%s", (int)pid, (int)child, m->procs[child].ppid == US ? " (orphan)" : "");
    return child;
}

static void act_calm(struct sim *m, pid_t pid)
{
    const struct sim_proc *p = &m->procs[pid];

    if (!p->born_main || p->kind == SIM_SERVER)
        return;
    if (p->kind == SIM_DAEMON)
        have_child(m, pid);
    kernel_exit(m, pid, exited(0));
}

static void act_main(struct sim *m, pid_t pid, enum sim_kind kind)
{
    static const int codes[] = {0, 1, 3, 4, 255};
    unsigned roll = sim_random(m, 100);

    if (roll < 25) {
        have_child(m, pid);
    } else if (roll < (kind == SIM_DAEMON ? 65U : 32U)) {
        have_child(m, pid);
        kernel_exit(m, pid, exited(0));
    } else if (roll < (kind == SIM_JOB ? 80U : 72U)) {
        kernel_exit(m, pid, exited(kind == SIM_JOB ? 0 : codes[sim_random(m, ARRAY_LEN(codes))]));
    } else if (roll < 84) {
        kernel_exit(m, pid, exited(codes[sim_random(m, ARRAY_LEN(codes))]));
    } else if (roll < 90) {
        kernel_exit(m, pid, SIGSEGV);
    }
}

static void act_member(struct sim *m, pid_t pid)
{
    unsigned roll = sim_random(m, 100);

    if (roll < 12)
        have_child(m, pid);
    else if (roll < 50)
        kernel_exit(m, pid, roll < 40 ? exited((int)roll) : SIGSEGV);
}

void kernel_act(struct sim *m, pid_t pid)
{
    struct sim_proc *p = &m->procs[pid];

    if (!p->used || p->zombie || !p->execed)
        return;
    if (p->dying && (m->calm || sim_chance(m, 60)))
        kernel_exit(m, pid, p->wstatus);
    else if (m->calm)
        act_calm(m, pid);
    else if (sim_is_main(m, pid))
        act_main(m, pid, p->kind);
    else
        act_member(m, pid);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From the deaths of real processes to events: each is told once, with what was left behind, behind what its
 * process still had to say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "daemon/census.h"
#include "daemon/deaths.h"
#include "daemon/launch.h"
#include "daemon/notify.h"
#include "sys/spawn.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "unit/daemon/bench.h"

enum { TOLD_MAX = 32, LEFT_MAX = 4, OUT_MAX = 512, STATUS_3 = 3 << 8 };

static struct {
    struct event events[TOLD_MAX];
    pid_t left[TOLD_MAX][LEFT_MAX];
    size_t n;
} told;

static struct rig_gate gate;

/* What is posted may be the end of a unit; whether it is that of unit 1. */
static bool ends_unit_1;

void engine_post(struct engine *g, const struct event *ev)
{
    if (ends_unit_1)
        bench_slots[1] = NULL;
    if (g != &bench || told.n == TOLD_MAX)
        return;
    told.events[told.n] = *ev;
    for (size_t i = 0; i < ev->n_left && i < LEFT_MAX; i++)
        told.left[told.n][i] = ev->left[i].pid;
    told.n++;
}

static int begin(void **state)
{
    int r = bench_begin(state);
    told.n = 0;
    ends_unit_1 = false;
    rig_gate_close(&gate);
    return r;
}

static int end(void **state)
{
    if (gate.fds[0] >= 0)
        rig_gate_open(&gate);
    return bench_end(state);
}

struct life {
    rlim_t tag;
    int code;   /* to end with */
    bool waits; /* for the gate first */
    int tell;   /* a byte is written here once it bears the tag; 0: nothing */
};

static int live(void *data)
{
    const struct life *l = data;
    struct rlimit lim = {.rlim_cur = l->tag, .rlim_max = l->tag};
    if (l->tag != 0 && setrlimit(RLIMIT_LOCKS, &lim) != 0)
        return 99;
    if (l->tell > 0 && write(l->tell, "t", 1) != 1)
        return 99;
    if (l->waits)
        rig_gate_wait(&gate);
    return l->code;
}

/* A process in the present run of unit I (-1: of nobody), that ends with CODE, at once or behind the gate. */
static pid_t start(int i, enum attrib_role role, int code, bool waits)
{
    struct attrib_run *run = i >= 0 ? bench_units[i].run : NULL;
    struct life l = {.tag = run != NULL ? attrib_run_tag(&bench.attrib, run) : 0, .code = code, .waits = waits};
    pid_t pid = rig_fork(live, &l);
    enum attrib_evidence evidence = run == NULL ? ATTRIB_NONE : role == ATTRIB_MAIN ? ATTRIB_BORN : ATTRIB_TAG;
    assert_non_null(attrib_add(&bench.attrib, pid, run, role, evidence, 0));
    if (i >= 0 && role == ATTRIB_MAIN)
        bench_units[i].main_pid = pid;
    return pid;
}

/* As the reaper does: a slice of the deaths of PIDS. */
static void take(const pid_t *pids, size_t n)
{
    struct reaper_note notes[8];
    assert_true(n <= ARRAY_LEN(notes));
    for (size_t i = 0; i < n; i++)
        rig_await_zombie(pids[i]);
    for (size_t i = 0; i < n; i++)
        notes[i] = (struct reaper_note){.pid = pids[i], .wstatus = rig_reap(pids[i])};
    deaths_take(&bench, notes, n);
    for (size_t i = 0; i < n; i++)
        assert_null(attrib_find(&bench.attrib, pids[i]));
}

static const struct event *assert_told(size_t i, enum event_kind kind, unsigned unit)
{
    assert_true(i < told.n);
    assert_int_equal(told.events[i].kind, kind);
    assert_int_equal(told.events[i].unit, unit);
    return &told.events[i];
}

static void the_end_of_a_main_process_is_told(void **state)
{
    (void)state;
    bench_run(0, 11);
    pid_t pid = start(0, ATTRIB_MAIN, 3, false);
    take(&pid, 1);
    assert_int_equal(told.n, 2);
    assert_told(1, EVENT_MEMBERS_GONE, 0);
    const struct event *ev = assert_told(0, EVENT_MAIN_EXITED, 0);
    assert_int_equal(ev->run, 11);
    assert_int_equal(ev->pid, pid);
    assert_int_equal(ev->wstatus, STATUS_3);
    assert_int_equal(ev->n_left, 0);
    assert_int_equal(ev->pid_file_pid, 0);
    assert_int_equal(bench_units[0].main_pid, 0);
}

/* Also what nobody has seen yet: orphans make no noise when they become ours. */
static void what_a_main_process_left_is_told_with_its_end(void **state)
{
    char path[RIG_PATH_MAX], text[32];
    (void)state;
    bench_run(0, 1);
    bench_run(1, 2);
    pid_t main_pid = start(0, ATTRIB_MAIN, 0, false);
    pid_t known = start(0, ATTRIB_MEMBER, 0, true);
    struct life l = {.tag = attrib_run_tag(&bench.attrib, bench_units[0].run), .waits = true};
    int tagged[2];
    char c;
    assert_int_equal(pipe2(tagged, O_CLOEXEC), 0);
    l.tell = tagged[1];
    pid_t unseen = rig_fork(live, &l);
    pid_t other = start(1, ATTRIB_MEMBER, 0, true);
    rig_dir();
    snprintf(text, sizeof text, "%d\n", (int)known);
    rig_write_file("pid", text);
    bench_specs[0].pid_file = rig_path("pid", path);
    /* The tag is set by the child itself. */
    assert_int_equal(read(tagged[0], &c, 1), 1);
    close(tagged[0]);
    close(tagged[1]);
    take(&main_pid, 1);
    assert_int_equal(told.n, 1);
    const struct event *ev = assert_told(0, EVENT_MAIN_EXITED, 0);
    assert_int_equal(ev->n_left, 2);
    assert_int_equal(told.left[0][0], known);
    assert_int_equal(told.left[0][1], unseen);
    assert_int_equal(ev->pid_file_pid, known);
    assert_ptr_equal(attrib_find(&bench.attrib, unseen)->run, bench_units[0].run);
    assert_ptr_equal(attrib_find(&bench.attrib, other)->run, bench_units[1].run);
}

/* As daemon(3) does: the launcher was all there was of the run, so what is found at its end was below it. */
static void what_is_found_was_left_by_who_has_ended(void **state)
{
    int tagged[2];
    char c;
    (void)state;
    bench_run(0, 1);
    pid_t launcher = start(0, ATTRIB_MAIN, 0, false);
    struct life l = {.tag = attrib_run_tag(&bench.attrib, bench_units[0].run), .waits = true};
    assert_int_equal(pipe2(tagged, O_CLOEXEC), 0);
    l.tell = tagged[1];
    pid_t daemons[] = {rig_fork(live, &l), rig_fork(live, &l)};
    for (size_t i = 0; i < ARRAY_LEN(daemons); i++)
        assert_int_equal(read(tagged[0], &c, 1), 1);
    close(tagged[0]);
    close(tagged[1]);
    rig_await_zombie(launcher);
    /* As the reaper does before it reaps. */
    census_meet(&bench, launcher);
    assert_true(attrib_find(&bench.attrib, launcher)->ended);
    take(&launcher, 1);
    for (size_t i = 0; i < ARRAY_LEN(daemons); i++) {
        const struct attrib_proc *p = attrib_find(&bench.attrib, daemons[i]);
        assert_non_null(p);
        assert_int_equal(p->from.pid, launcher);
        assert_string_equal(p->from.name, "unit_daemon_dea");
    }
    assert_int_equal(rig_count(rig_log(), "(unit_daemon_dea)"), 4);
}

/* A closed run is forgotten with its last member: what that one leaves behind must be known to belong there before. */
static void the_heirs_of_a_closed_run_are_found_in_time(void **state)
{
    (void)state;
    bench_specs[0].orphans = SPEC_ORPHANS_ADOPT;
    bench_run(0, 1);
    struct attrib_run *closed = bench_units[0].run;
    pid_t stray = start(0, ATTRIB_MEMBER, 0, false);
    struct life l = {.tag = attrib_run_tag(&bench.attrib, closed), .waits = true};
    int tagged[2];
    char c;
    assert_int_equal(pipe2(tagged, O_CLOEXEC), 0);
    l.tell = tagged[1];
    pid_t heir = rig_fork(live, &l);
    assert_int_equal(read(tagged[0], &c, 1), 1);
    close(tagged[0]);
    close(tagged[1]);
    attrib_run_close(&bench.attrib, closed);
    bench_run(0, 2);
    (void)start(0, ATTRIB_MAIN, 0, true);
    take(&stray, 1);
    assert_non_null(attrib_find(&bench.attrib, heir));
    assert_ptr_equal(attrib_find(&bench.attrib, heir)->run, closed);
}

static void the_last_member_ends_the_clearing(void **state)
{
    (void)state;
    bench_run(0, 1);
    pid_t main_pid = start(0, ATTRIB_MAIN, 0, false);
    pid_t members[] = {start(0, ATTRIB_MEMBER, 3, true), start(0, ATTRIB_MEMBER, 3, true)};
    take(&main_pid, 1);
    rig_gate_open(&gate);
    take(&members[0], 1);
    assert_int_equal(told.n, 2);
    const struct event *ev = assert_told(1, EVENT_MEMBER_EXITED, 0);
    assert_int_equal(ev->pid, members[0]);
    assert_int_equal(ev->run, 1);
    assert_int_equal(ev->wstatus, STATUS_3);
    take(&members[1], 1);
    assert_int_equal(told.n, 4);
    assert_told(2, EVENT_MEMBER_EXITED, 0);
    assert_told(3, EVENT_MEMBERS_GONE, 0);
}

static void while_the_main_process_lives_nobody_is_gone(void **state)
{
    (void)state;
    bench_run(0, 1);
    pid_t main_pid = start(0, ATTRIB_MAIN, 0, true);
    pid_t member = start(0, ATTRIB_MEMBER, 0, false);
    take(&member, 1);
    assert_int_equal(told.n, 1);
    assert_told(0, EVENT_MEMBER_EXITED, 0);
    assert_int_equal(bench_units[0].main_pid, main_pid);
}

static void the_dead_of_nobody_are_only_taken_out(void **state)
{
    (void)state;
    pid_t pid = start(-1, ATTRIB_MEMBER, 0, false);
    take(&pid, 1);
    struct reaper_note stranger = {.pid = pid, .wstatus = 0};
    deaths_take(&bench, &stranger, 1);
    assert_int_equal(told.n, 0);
}

static void one_slice_may_hold_many(void **state)
{
    (void)state;
    bench_run(0, 1);
    bench_run(1, 2);
    const pid_t pids[] = {
        start(0, ATTRIB_MEMBER, 0, false), start(1, ATTRIB_MAIN, 3, false),   start(-1, ATTRIB_MEMBER, 0, false),
        start(0, ATTRIB_MAIN, 0, false),   start(1, ATTRIB_MEMBER, 0, false),
    };
    take(pids, ARRAY_LEN(pids));
    static const struct {
        enum event_kind kind;
        unsigned unit;
    } expected[] = {
        {EVENT_MEMBER_EXITED, 0}, {EVENT_MAIN_EXITED, 1},  {EVENT_MAIN_EXITED, 0},
        {EVENT_MEMBER_EXITED, 1}, {EVENT_MEMBERS_GONE, 0}, {EVENT_MEMBERS_GONE, 1},
    };
    assert_int_equal(told.n, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_told(i, expected[i].kind, expected[i].unit);
    for (size_t i = 0; i < told.n; i++)
        assert_int_equal(told.events[i].n_left, 0);
}

static void stops_and_continues_of_main_are_told(void **state)
{
    (void)state;
    bench_run(0, 1);
    pid_t main_pid = start(0, ATTRIB_MAIN, 0, true);
    pid_t member = start(0, ATTRIB_MEMBER, 0, true);
    const struct reaper_note notes[] = {
        {main_pid, SIGSTOP << 8 | 0x7f}, {member, SIGSTOP << 8 | 0x7f}, {main_pid, 0xffff}, {member, 0xffff}};
    deaths_take(&bench, notes, ARRAY_LEN(notes));
    assert_int_equal(told.n, 2);
    assert_int_equal(assert_told(0, EVENT_MAIN_STOPPED, 0)->wstatus, SIGSTOP << 8 | 0x7f);
    assert_told(1, EVENT_MAIN_CONTINUED, 0);
    assert_int_equal(bench_units[0].main_pid, main_pid);
    assert_non_null(attrib_find(&bench.attrib, member));
}

/* Sends READY=1 to the abstract address at DATA, and stops. */
static int say_and_stop(void *data)
{
    const char *name = data;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(to.sun_path + 1, name, len);
    if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&to,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) != 7)
        return 99;
    raise(SIGSTOP);
    return 0;
}

/* The socket is empty by then, and would never call for it again. */
static void what_was_said_before_a_stop_is_not_kept_back(void **state)
{
    (void)state;
    struct engine_unit *u = &bench_units[0];
    struct arena arena = {0};
    char *no_environment[] = {NULL};
    struct spawn_request req = {.envp = no_environment};
    static const char variable[] = "NOTIFY_SOCKET=@";
    struct err e = {0};
    siginfo_t info;
    bench_specs[0].type = SPEC_TYPE_NOTIFY;
    bench_run(0, 11);
    assert_true(notify_prepare(u, &e));
    assert_true(notify_request(u, &arena, &req));
    assert_memory_equal(req.envp[0], variable, sizeof variable - 1);
    pid_t pid = rig_fork(say_and_stop, req.envp[0] + sizeof variable - 1);
    assert_non_null(attrib_add(&bench.attrib, pid, u->run, ATTRIB_MAIN, ATTRIB_BORN, 0));
    u->main_pid = pid;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED), 0);
    assert_int_equal(info.si_code, CLD_STOPPED);
    const struct reaper_note note = {.pid = pid, .wstatus = SIGSTOP << 8 | 0x7f};
    deaths_take(&bench, &note, 1);
    notify_free(u);
    arena_done(&arena);
    assert_int_equal(told.n, 2);
    assert_int_equal(assert_told(0, EVENT_READY, 0)->run, 11);
    assert_told(1, EVENT_MAIN_STOPPED, 0);
}

/* The engine owes super the answer of the exec before the death, and people the last words before the obituary. */
static void exec_and_last_words_come_before_the_end(void **state)
{
    char *sh[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"printf 'last words'; exit 3"}, NULL};
    char out[OUT_MAX];
    int fds[2];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    rig_replace(STDOUT_FILENO, fds[1]);
    bench_specs[0].command = sh;
    bench_specs[0].n_command = 3;
    launch_unit(&bench_units[0], 1);
    pid_t pid = bench_units[0].main_pid;
    take(&pid, 1);
    assert_int_equal(told.n, 4);
    assert_told(3, EVENT_MEMBERS_GONE, 0);
    assert_told(0, EVENT_SPAWNED, 0);
    assert_told(1, EVENT_EXEC_OK, 0);
    assert_int_equal(assert_told(2, EVENT_MAIN_EXITED, 0)->wstatus, STATUS_3);
    log_err("its obituary");
    assert_string_equal(rig_log(), "");
    rig_run_until(bench_is_synced, &bench_units[0]);
    assert_string_equal(rig_log(), "fosterd: error: its obituary\n");
    ssize_t n = read(fds[0], out, sizeof out - 1);
    close(fds[0]);
    assert_true(n > 0);
    out[n] = '\0';
    assert_string_equal(out, "web | last words\n");
}

/* While a unit is being killed, each slice of its deaths goes on with those that have appeared since. */
static void a_killing_goes_on_until_nothing_is_left(void **state)
{
    (void)state;
    bench_run(0, 1);
    pid_t main_pid = start(0, ATTRIB_MAIN, 0, false);
    pid_t late = start(0, ATTRIB_MEMBER, 0, true);
    bench_units[0].killing = true;
    bench_units[0].kill_scope = SCOPE_ALL;
    take(&main_pid, 1);
    assert_int_equal(told.n, 1);
    int status = rig_reap(late);
    assert_int_equal(status, SIGKILL);
    assert_true(bench_units[0].killing);
    struct reaper_note note = {.pid = late, .wstatus = status};
    deaths_take(&bench, &note, 1);
    assert_int_equal(told.n, 3);
    assert_told(1, EVENT_MEMBER_EXITED, 0);
    assert_told(2, EVENT_MEMBERS_GONE, 0);
    assert_false(bench_units[0].killing);
}

/* What the hooks of another mode were told, and how many events had been told before. */
static struct {
    const struct engine_unit *unit;
    int sig;
    pid_t orphan;
    int wstatus;
    size_t n_stops, n_orphans, n_told;
} hooked;

static void on_stopped(struct engine_unit *u, int sig, void *data)
{
    hooked.unit = data == &hooked ? u : NULL;
    hooked.sig = sig;
    hooked.n_told = told.n;
    hooked.n_stops++;
}

static void on_orphan(pid_t pid, int wstatus, void *data)
{
    hooked.orphan = data == &hooked ? pid : -1;
    hooked.wstatus = wstatus;
    hooked.n_orphans++;
}

static void hook(void)
{
    memset(&hooked, 0, sizeof hooked);
    bench.hooks = (struct engine_hooks){.data = &hooked, .on_stopped = on_stopped, .on_orphan = on_orphan};
}

static void another_mode_is_told_of_a_stopped_main_process_only(void **state)
{
    (void)state;
    hook();
    bench_run(0, 1);
    bench_run(1, 2);
    pid_t main_pid = start(1, ATTRIB_MAIN, 0, true);
    pid_t member = start(0, ATTRIB_MEMBER, 0, true);
    const struct reaper_note notes[] = {
        {main_pid, 0xffff}, {member, SIGSTOP << 8 | 0x7f}, {main_pid, SIGTSTP << 8 | 0x7f}, {member, 0xffff}};
    deaths_take(&bench, notes, ARRAY_LEN(notes));
    assert_int_equal(hooked.n_stops, 1);
    assert_ptr_equal(hooked.unit, &bench_units[1]);
    assert_int_equal(hooked.sig, SIGTSTP);
    /* Super knows of it by then. */
    assert_int_equal(hooked.n_told, 2);
    assert_int_equal(hooked.n_orphans, 0);
}

/* A configuration may be put in force as soon as the first of two deaths is told. */
static void a_unit_that_ends_meanwhile_is_not_touched(void **state)
{
    (void)state;
    bench_run(0, 1);
    bench_run(1, 2);
    pid_t pids[] = {start(0, ATTRIB_MAIN, 1, false), start(1, ATTRIB_MEMBER, 3, false),
                    start(1, ATTRIB_MAIN, 0, false)};
    ends_unit_1 = true;
    take(pids, ARRAY_LEN(pids));
    assert_told(0, EVENT_MAIN_EXITED, 0);
    for (size_t i = 0; i < told.n; i++)
        assert_int_equal(told.events[i].unit, 0);
    assert_non_null(strstr(rig_log(), "reaped orphan"));
}

static void another_mode_is_told_of_each_orphan(void **state)
{
    (void)state;
    hook();
    bench_run(0, 1);
    pid_t main_pid = start(0, ATTRIB_MAIN, 1, false);
    pid_t member = start(0, ATTRIB_MEMBER, 3, false);
    pid_t stranger = start(-1, ATTRIB_MEMBER, 4, false);
    take(&main_pid, 1);
    assert_int_equal(hooked.n_orphans, 0);
    take(&member, 1);
    assert_int_equal(hooked.orphan, member);
    assert_int_equal(hooked.wstatus, STATUS_3);
    take(&stranger, 1);
    assert_int_equal(hooked.orphan, stranger);
    assert_int_equal(hooked.n_orphans, 2);
    assert_int_equal(hooked.n_stops, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_end_of_a_main_process_is_told),         TEST(what_a_main_process_left_is_told_with_its_end),
        TEST(what_is_found_was_left_by_who_has_ended),   TEST(the_heirs_of_a_closed_run_are_found_in_time),
        TEST(the_last_member_ends_the_clearing),         TEST(while_the_main_process_lives_nobody_is_gone),
        TEST(the_dead_of_nobody_are_only_taken_out),     TEST(one_slice_may_hold_many),
        TEST(stops_and_continues_of_main_are_told),      TEST(what_was_said_before_a_stop_is_not_kept_back),
        TEST(exec_and_last_words_come_before_the_end),   TEST(a_killing_goes_on_until_nothing_is_left),
        TEST(a_unit_that_ends_meanwhile_is_not_touched), TEST(another_mode_is_told_of_a_stopped_main_process_only),
        TEST(another_mode_is_told_of_each_orphan),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}

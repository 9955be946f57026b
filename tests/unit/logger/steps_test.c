/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A logger that is killed between any two instructions, and often the one after it while it ends what that has left:
 * each byte goes out once. It is stepped there by ptrace(2), system call by system call, then instruction by
 * instruction.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/logger/file_kit.h"

#include "support/seed.h"

enum {
    SAMPLES = 15,
    ROUNDS = 4, /* over all system calls, in a thorough run */
    STREAMS = 4,
    TEXT_MAX = 12000, /* of a stream, at first */
    MORE = 300,       /* and behind the deaths */
    ASKED = 20,
    OUT_SMALL = 4096,
    OUT_LARGE = 1 << 20,
};

/** What standard output is. */
enum kind { KIND_PIPE, KIND_SMALL_PIPE, KIND_FILE };

static struct {
    char text[STREAMS][TEXT_MAX + MORE + 64];
    size_t len[STREAMS], written[STREAMS];
    char out[1 << 20];
    size_t out_len;
    int out_fd;
    uint64_t n_stops; /* of system calls, until the logger has done everything */
    uint64_t seed;
} it;

/* ------------------------------------------------------------------ what is written */

static void make_text(size_t i)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    it.len[i] = it.written[i] = 0;
    for (unsigned n = 0; it.len[i] < TEXT_MAX + MORE; n++)
        it.len[i] += (size_t)sprintf(it.text[i] + it.len[i], "%zu:%u %.*s\n", i, n,
                                     (int)test_rand_below(&it.seed, sizeof letters), letters);
}

/* Whole lines, at least until END. */
static void write_until(size_t i, size_t end)
{
    end = (size_t)(strchr(it.text[i] + end, '\n') - it.text[i]) + 1;
    size_t n = end - it.written[i];
    assert_int_equal(write(rig.streams[i].write_fd, it.text[i] + it.written[i], n), n);
    it.written[i] = end;
}

static void begin(enum kind kind)
{
    struct spec_log raw = to_file(), json = to_file();
    static const struct spec_log to_stdout = {.driver = SPEC_LOG_STDOUT};
    static char json_path[128];
    int fds[2];
    rig_init(&rig);
    snprintf(json_path, sizeof json_path, "%s/json.log", here.dir);
    raw.max_size = 3000;
    json.path = json_path;
    json.format = SPEC_LOG_JSON;
    rig_add(&rig, "raw", &raw, 4096);
    rig_add(&rig, "json", &json, RING);
    rig_add(&rig, "a", &to_stdout, RING);
    rig_add(&rig, "b", &to_stdout, 4096);
    if (kind == KIND_FILE) {
        char path[128];
        snprintf(path, sizeof path, "%s/out", here.dir);
        rig.stdout_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        it.out_fd = open(path, O_RDONLY | O_CLOEXEC);
    } else {
        assert_int_equal(sys_pipe(fds, 0), 0);
        it.out_fd = fds[0];
        rig.stdout_fd = fds[1];
        assert_true(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
        assert_true(sys_pipe_resize(fds[1], kind == KIND_SMALL_PIPE ? OUT_SMALL : OUT_LARGE) > 0);
    }
    it.out_len = 0;
    for (size_t i = 0; i < STREAMS; i++) {
        make_text(i);
        write_until(i, test_rand_below(&it.seed, TEXT_MAX));
    }
}

/* ------------------------------------------------------------------ what comes out */

static void read_out(void)
{
    for (ssize_t n; (n = read(it.out_fd, it.out + it.out_len, sizeof it.out - it.out_len)) > 0;)
        it.out_len += (size_t)n;
}

/* Of the LEN bytes at DATA, takes what the lines of stream I say: those that begin with HEAD. */
static void check_lines(size_t i, const char *data, size_t len, const char *head)
{
    size_t at = 0;
    for (const char *p = data, *end = data + len; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        assert_non_null(newline);
        if (strncmp(p, head, strlen(head)) == 0) {
            size_t n = (size_t)(newline - p) - strlen(head);
            assert_true(at + n + 1 <= it.len[i]);
            assert_memory_equal(p + strlen(head), it.text[i] + at, n);
            assert_int_equal(it.text[i][at + n], '\n');
            at += n + 1;
        }
        p = newline + 1;
    }
    assert_int_equal(at, it.len[i]);
}

static void check_json(void)
{
    static char plain[1 << 18];
    char path[128], line[512];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/json.log", here.dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        char *text = strstr(line, "\"message\":\""), *end = strstr(line, "\"}\n");
        assert_true(text != NULL && end != NULL);
        n += (size_t)sprintf(plain + n, "%.*s\n", (int)(end - text - 11), text + 11);
    }
    fclose(f);
    check_lines(1, plain, n, "");
}

static void check(void)
{
    read_all();
    check_lines(0, here.data, here.len, "");
    check_json();
    check_lines(2, it.out, it.out_len, "a | ");
    check_lines(3, it.out, it.out_len, "b | ");
}

static void end(void)
{
    close(rig.stdout_fd);
    close(it.out_fd);
    rig_done(&rig);
    empty_dir();
}

/* ------------------------------------------------------------------ steps */

/* Starts a logger that stops before its first instruction. False: nobody may trace here. */
static bool start_traced(void)
{
    int status;
    rig.traced = true;
    rig_start(&rig);
    rig.traced = false;
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    if (!WIFSTOPPED(status))
        return false;
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, rig.pid, NULL, (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)), 0);
    return true;
}

/* Lets the logger go on until it stops again. */
static void go_on(enum __ptrace_request how)
{
    int status;
    assert_int_equal(ptrace(how, rig.pid, NULL, NULL), 0);
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    assert_true(WIFSTOPPED(status));
}

static void ask(size_t i)
{
    const struct message m = {.kind = MESSAGE_SYNC, .id = rig.streams[i].d.id, .seq = 1, .fds = {-1, -1}};
    rig_send(&rig, &m);
}

/* How many stops for system calls it takes until all has been done. */
static uint64_t count_stops(void)
{
    uint64_t n = 0;
    for (size_t i = 0; i < STREAMS; i++)
        ask(i);
    for (size_t synced = 0; synced < STREAMS; n++) {
        go_on(PTRACE_SYSCALL);
        while (message_receive(rig.sock, &rig.in) == 1)
            synced += rig.in.m.kind == MESSAGE_SYNCED;
    }
    return n;
}

/* Most of what matters happens around system calls. */
static uint64_t random_steps(void)
{
    static const uint64_t bounds[] = {1, 16, 16, 64, 256, 2000, 15000};
    return test_rand_below(&it.seed, bounds[test_rand_below(&it.seed, sizeof bounds / sizeof *bounds)]);
}

/* Starts a logger and kills it behind so many STOPS, or some instructions later. */
static void kill_one(enum kind kind, uint64_t stops)
{
    assert_true(start_traced());
    /* So many that it does not begin to wait while it is stepped. */
    for (size_t i = 0; i < ASKED * STREAMS; i++)
        ask(i % STREAMS);
    for (size_t synced = 0; stops > 0 && synced < STREAMS; stops--) {
        go_on(PTRACE_SYSCALL);
        if (kind == KIND_SMALL_PIPE && test_rand_below(&it.seed, 4) == 0)
            read_out();
        while (message_receive(rig.sock, &rig.in) == 1)
            synced += rig.in.m.kind == MESSAGE_SYNCED;
    }
    for (uint64_t n = random_steps(); n > 0; n--)
        go_on(PTRACE_SINGLESTEP);
    rig_kill(&rig);
}

/* One is killed behind so many STOPS, and perhaps some more that come after it; then one may end all. */
static void sample(enum kind kind, uint64_t stops)
{
    begin(kind);
    for (kill_one(kind, stops); test_rand_below(&it.seed, 2) == 0;)
        kill_one(kind, test_rand_below(&it.seed, it.n_stops));
    if (kind != KIND_FILE)
        assert_true(sys_pipe_resize(rig.stdout_fd, OUT_LARGE) > 0);
    rig_start(&rig);
    for (size_t i = 0; i < STREAMS; i++)
        write_until(i, it.len[i] - 1);
    rig_finish(&rig);
    read_out();
    check();
    end();
}

static void run(enum kind kind)
{
    const bool thorough = getenv("FOSTER_TEST_THOROUGH") != NULL;
    begin(kind == KIND_SMALL_PIPE ? KIND_PIPE : kind);
    if (!start_traced())
        skip();
    it.n_stops = count_stops();
    rig_kill(&rig);
    end();
    if (!thorough)
        for (int i = 0; i < SAMPLES; i++)
            sample(kind, test_rand_below(&it.seed, it.n_stops));
    for (uint64_t i = 0; thorough && i < ROUNDS * it.n_stops; i++)
        sample(kind, i % it.n_stops);
}

static void test_a_pipe(void **state)
{
    (void)state;
    run(KIND_PIPE);
}

static void test_a_pipe_that_is_full(void **state)
{
    (void)state;
    run(KIND_SMALL_PIPE);
}

static void test_a_file(void **state)
{
    (void)state;
    run(KIND_FILE);
}

static int setup_steps(void **state)
{
    int r = setup(state);
    rig_done(&rig);
    it.seed = test_seed();
    return r;
}

static int teardown_steps(void **state)
{
    (void)state;
    free(here.data);
    here.data = NULL;
    return rmdir(here.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_pipe, setup_steps, teardown_steps),
        cmocka_unit_test_setup_teardown(test_a_pipe_that_is_full, setup_steps, teardown_steps),
        cmocka_unit_test_setup_teardown(test_a_file, setup_steps, teardown_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Lines that go to syslog and to the journal: what arrives, and what happens while nobody is there or nobody reads.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/logger/rig.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { RING = 65536, DATAGRAM_MAX = 65536 };

static struct rig rig;

static struct {
    char dir[64], path[96];
    int fd;
    char got[DATAGRAM_MAX];
} here;

static int listen_at(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    strcpy(here.dir, "/tmp/foster-dgram-XXXXXX");
    assert_non_null(mkdtemp(here.dir));
    snprintf(here.path, sizeof here.path, "%s/log", here.dir);
    here.fd = listen_at(here.path);
    rig_init(&rig);
    rig.journal_path = here.path;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_done(&rig);
    if (here.fd >= 0)
        close(here.fd);
    unlink(here.path);
    assert_int_equal(rmdir(here.dir), 0);
    return 0;
}

static const struct spec_log *to_syslog(void)
{
    static struct spec_log log;
    log = (struct spec_log){.driver = SPEC_LOG_SYSLOG, .address = here.path, .facility = 3, .tag = "shop"};
    return &log;
}

static void say(const struct rig_stream *s, const char *text)
{
    assert_int_equal(write(s->write_fd, text, strlen(text)), strlen(text));
}

static const char *hear(void)
{
    struct pollfd p = {.fd = here.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, RIG_GUARD_MS), 1);
    ssize_t n = recv(here.fd, here.got, sizeof here.got - 1, 0);
    assert_true(n >= 0);
    here.got[n] = '\0';
    return here.got;
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void test_syslog(void **state)
{
    (void)state;
    struct rig_stream *s = rig_add(&rig, "web", to_syslog(), RING);
    logring_run(&s->ring)->pid = 77;
    rig_start(&rig);
    say(s, "hello\n<3>bad thing\nno end");
    rig_sync(&rig, s);
    assert_memory_equal(hear(), "<30>1 20", 8);
    assert_true(ends_with(here.got, " shop 77 - - hello"));
    assert_memory_equal(hear(), "<27>1 20", 8);
    assert_true(ends_with(here.got, " shop 77 - - bad thing"));
    assert_true(ends_with(hear(), " shop 77 - - no end"));
    rig_finish(&rig);
}

/* What has waited behind a log that is stuck, or came while the next process was being started. */
static void test_numbers_of_runs(void **state)
{
    (void)state;
    struct rig_stream *s = rig_add(&rig, "web", to_syslog(), RING);
    logring_run(&s->ring)->pid = 77;
    say(s, "a\nb\n");
    logring_begin_run(&s->ring, 4);
    say(s, "before the program\n");
    logring_begin_run(&s->ring, 4 + 19);
    logring_run(&s->ring)->pid = 78;
    say(s, "c\n");
    rig_start(&rig);
    assert_true(ends_with(hear(), " shop 77 - - a"));
    assert_true(ends_with(hear(), " shop 77 - - b"));
    assert_true(ends_with(hear(), " shop - - - before the program"));
    assert_true(ends_with(hear(), " shop 78 - - c"));
    rig_finish(&rig);
}

static void test_bsd_syslog(void **state)
{
    (void)state;
    struct spec_log log = *to_syslog();
    log.syslog_format = SPEC_SYSLOG_RFC3164;
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    logring_run(&s->ring)->pid = 77;
    rig_start(&rig);
    say(s, "<3>bad thing\n");
    rig_sync(&rig, s);
    assert_string_equal(hear(), "<27>shop[77]: bad thing");
    rig_finish(&rig);
}

static void test_journal(void **state)
{
    (void)state;
    const struct spec_log log = {.driver = SPEC_LOG_JOURNALD, .facility = 3};
    struct rig_stream *s = rig_add(&rig, "web", &log, RING);
    rig_start(&rig);
    say(s, "<4>careful\n");
    rig_sync(&rig, s);
    assert_string_equal(hear(), "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=web\nFOSTER_SERVICE=web\n"
                                "FOSTER_INSTANCE=web\nFOSTER_STREAM=stdout\nMESSAGE=careful\n");
    rig_finish(&rig);
}

/* All pieces of a line have its priority; what looks like one in the middle of a line is none. */
static void pieces_have_the_priority(const struct spec_log *log, const char *urgent, const char *other)
{
    static char line[2 * LOGLINE_MAX + 100];
    struct rig_stream *s = rig_add(&rig, "web", log, RING);
    rig_start(&rig);
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "<2>", 3);
    memcpy(line + LOGLINE_MAX, "<5>", 3);
    line[sizeof line - 2] = '\n';
    say(s, line);
    rig_sync(&rig, s);
    assert_memory_equal(hear(), urgent, strlen(urgent));
    assert_memory_equal(hear(), urgent, strlen(urgent));
    assert_non_null(strstr(here.got, "<5>xxx"));
    assert_memory_equal(hear(), urgent, strlen(urgent));
    assert_true(ends_with(here.got, log->driver == SPEC_LOG_SYSLOG ? "xxx" : "xxx\n"));
    /* Also of a line that comes in portions, and when the logger is another one meanwhile. */
    say(s, "plain\n<2>begin");
    rig_sync(&rig, s);
    assert_memory_equal(hear(), other, strlen(other));
    assert_memory_equal(hear(), urgent, strlen(urgent));
    rig_kill(&rig);
    rig_start(&rig);
    say(s, "ning\nplain");
    rig_sync(&rig, s);
    assert_memory_equal(hear(), urgent, strlen(urgent));
    assert_true(ends_with(here.got, log->driver == SPEC_LOG_SYSLOG ? "ning" : "ning\n"));
    assert_memory_equal(hear(), other, strlen(other));
    rig_finish(&rig);
}

static void test_pieces_for_syslog(void **state)
{
    (void)state;
    pieces_have_the_priority(to_syslog(), "<26>1 20", "<30>1 20");
}

static void test_pieces_for_the_journal(void **state)
{
    static const struct spec_log log = {.driver = SPEC_LOG_JOURNALD, .facility = 3};
    (void)state;
    pieces_have_the_priority(&log, "PRIORITY=2\n", "PRIORITY=6\n");
}

/* Nobody listens: what does not fit in memory is dropped, and told of when somebody does. */
static void test_nobody_is_there(void **state)
{
    (void)state;
    close(here.fd);
    here.fd = -1;
    unlink(here.path);
    struct rig_stream *s = rig_add(&rig, "web", to_syslog(), 4096);
    rig_start(&rig);
    say(s, "first\n");
    struct message *m = rig_await(&rig, MESSAGE_SAY);
    assert_int_equal(m->level, LOG_LEVEL_WARN);
    assert_non_null(strstr(m->text, here.path));
    char line[128];
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof line, "%099d\n", i);
        say(s, line);
        if (i % 10 == 9)
            rig_sync(&rig, s);
    }
    size_t lost = s->ring.head->lost_lines;
    assert_true(lost > 150);
    here.fd = listen_at(here.path);
    snprintf(line, sizeof line, " - - [foster: %zu lines (%zu bytes) were dropped here]", lost, (lost - 1) * 100 + 6);
    assert_memory_equal(hear(), "<28>1 ", 6);
    assert_true(ends_with(here.got, line));
    for (size_t i = lost - 1; i < 200; i++) {
        snprintf(line, sizeof line, " %099zu", i);
        assert_true(ends_with(hear(), line));
    }
    rig_finish(&rig);
}

/* The listener comes back when the stream ends, before it is time to try again: that is the last chance. */
static void test_somebody_is_there_at_the_end(void **state)
{
    (void)state;
    close(here.fd);
    here.fd = -1;
    unlink(here.path);
    struct rig_stream *s = rig_add(&rig, "web", to_syslog(), RING);
    rig_start(&rig);
    say(s, "last\n");
    rig_await_say(&rig, "No such file or directory");
    here.fd = listen_at(here.path);
    rig_finish(&rig);
    assert_true(ends_with(hear(), " last"));
    assert_int_equal(s->ring.head->lost_bytes, 0);
}

/* Writes numbered lines to S until nobody takes more: then the service would wait. Returns how many those were. */
static size_t fill(const struct rig_stream *s)
{
    struct pollfd p = {.fd = s->write_fd, .events = POLLOUT};
    size_t n = 0;
    char line[128];
    for (; poll(&p, 1, 0) == 1; n++) {
        snprintf(line, sizeof line, "%099zu\n", n);
        say(s, line);
        rig_sync(&rig, s);
    }
    assert_int_equal(s->ring.head->trouble, LOGRING_FULL);
    return n;
}

/* The lines of fill() from FROM to N come next. */
static void hear_numbers(size_t from, size_t n)
{
    char line[128];
    for (size_t i = from; i < n; i++) {
        snprintf(line, sizeof line, " %099zu", i);
        assert_true(ends_with(hear(), line));
    }
}

/* Somebody listens, and does not read: the writer waits, nothing is lost, whoever goes and comes. */
static void test_nobody_reads(void **state)
{
    (void)state;
    struct rig_stream *s = rig_add(&rig, "web", to_syslog(), 4096);
    rig_start(&rig);
    hear_numbers(0, fill(s));
    assert_int_equal(s->ring.head->lost_bytes, 0);
    /* The listener is replaced between two lines. */
    close(here.fd);
    unlink(here.path);
    here.fd = listen_at(here.path);
    say(s, "again\n");
    assert_true(ends_with(hear(), " again"));
    rig_finish(&rig);
}

/* The listener goes while lines wait for it to read: they go to the one that has come in its place. */
static void test_another_one_reads(void **state)
{
    (void)state;
    struct rig_stream *s = rig_add(&rig, "web", to_syslog(), 4096);
    rig_start(&rig);
    size_t n = fill(s), sent = s->ring.head->sent / 100;
    int old_fd = here.fd;
    unlink(here.path);
    here.fd = listen_at(here.path);
    close(old_fd);
    hear_numbers(sent, n);
    assert_int_equal(s->ring.head->lost_bytes, 0);
    rig_finish(&rig);
}

/* Who has much to say is not always the first. */
static void test_streams_take_turns(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", to_syslog(), 4096), *b = rig_add(&rig, "b", to_syslog(), 4096);
    rig_start(&rig);
    size_t n = fill(a), before = a->ring.head->sent / 100, at = 0;
    say(b, "from b\n");
    rig_sync(&rig, b);
    assert_int_equal(b->ring.head->trouble, LOGRING_FULL);
    while (!ends_with(hear(), " from b"))
        at++;
    assert_true(at <= before + 1 && at < n);
    hear_numbers(at, n);
    rig_finish(&rig);
}

static size_t count_sockets(pid_t pid)
{
    char dir[64], link[128], target[64];
    size_t n = 0;
    snprintf(dir, sizeof dir, "/proc/%d/fd", (int)pid);
    for (int fd = 0; fd < 256; fd++) {
        snprintf(link, sizeof link, "%s/%d", dir, fd);
        ssize_t len = readlink(link, target, sizeof target - 1);
        n += len > 7 && memcmp(target, "socket:", 7) == 0;
    }
    return n;
}

/* Streams with the same address share a socket. */
static void test_streams_share(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", to_syslog(), RING), *b = rig_add(&rig, "b", to_syslog(), RING);
    rig_start(&rig);
    rig_sync(&rig, a);
    size_t before = count_sockets(rig.pid);
    say(a, "from a\n");
    assert_true(ends_with(hear(), " from a"));
    say(b, "from b\n");
    assert_true(ends_with(hear(), " from b"));
    assert_int_equal(count_sockets(rig.pid), before + 1);
    rig_finish(&rig);
}

/* What fails for one of them fails for the other, for the same reason, and it is told of each once. */
static void test_trouble_is_shared(void **state)
{
    (void)state;
    unlink(here.path);
    struct rig_stream *a = rig_add(&rig, "a", to_syslog(), RING), *b = rig_add(&rig, "b", to_syslog(), RING);
    rig_start(&rig);
    say(a, "from a\n");
    struct message *m = rig_await(&rig, MESSAGE_SAY);
    assert_int_equal(m->id, a->d.id);
    assert_non_null(strstr(m->text, strerror(ENOENT)));
    say(b, "from b\n");
    m = rig_await(&rig, MESSAGE_SAY);
    assert_int_equal(m->id, b->d.id);
    assert_non_null(strstr(m->text, strerror(ENOENT)));
    assert_int_equal(b->ring.head->sink_errno, ENOENT);
    close(here.fd);
    here.fd = listen_at(here.path);
    for (int i = 0; i < 2; i++) {
        m = rig_await(&rig, MESSAGE_SAY);
        assert_string_equal(m->event, "log-resumed");
        assert_non_null(strstr(m->text, "nothing was lost"));
    }
    rig_finish(&rig);
}

/* Old daemons want connections. */
static void test_no_datagrams(void **state)
{
    (void)state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, here.path);
    close(here.fd);
    unlink(here.path);
    here.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(here.fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(here.fd, 1), 0);
    struct rig_stream *s = rig_add(&rig, "web", to_syslog(), RING);
    rig_start(&rig);
    say(s, "hello\n");
    assert_non_null(strstr(rig_await(&rig, MESSAGE_SAY)->text, "it takes no datagrams"));
    rig_finish(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_syslog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_of_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bsd_syslog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pieces_for_syslog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pieces_for_the_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_somebody_is_there_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_one_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trouble_is_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_datagrams, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

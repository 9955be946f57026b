/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Clients that read lines: which they get, in which order, and that one who does not read costs nobody else anything.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/logger/rig.h"

#include <jansson.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { RING = 4096, SMALL_BUFFER = 4096, VIEWERS_MAX = 64 };

static const struct spec_log to_stdout = {.driver = SPEC_LOG_STDOUT};

static struct rig rig;

/* One client. */
struct peer {
    int fd;
    char text[1 << 16];
    size_t len, taken;
    json_t *message; /* owned; the last one */
};

static struct peer peers[VIEWERS_MAX + 1];

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    rig.stdout_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        peers[i].fd = -1;
    return rig.stdout_fd < 0;
}

static void hang_up(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    json_decref(p->message);
    *p = (struct peer){.fd = -1};
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        hang_up(&peers[i]);
    rig_done(&rig);
    close(rig.stdout_fd);
    return 0;
}

static void say(const struct rig_stream *s, const char *text)
{
    assert_int_equal(write(s->write_fd, text, strlen(text)), strlen(text));
    rig_sync(&rig, s);
}

/* A client whose request is JSON in which ' stands for ". */
static struct peer *ask(struct peer *p, const char *request)
{
    char text[512];
    int fds[2];
    snprintf(text, sizeof text, "{'id':7,%s}", request);
    for (char *at = text; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    const struct message m = {.kind = MESSAGE_SERVE, .text = text, .fds = {fds[0], -1}};
    rig_send(&rig, &m);
    close(fds[0]);
    p->fd = fds[1];
    return p;
}

/* Reads what there is; false at the end. */
static bool receive(struct peer *p)
{
    struct pollfd w = {.fd = p->fd, .events = POLLIN};
    assert_int_equal(poll(&w, 1, RIG_GUARD_MS), 1);
    memmove(p->text, p->text + p->taken, p->len -= p->taken);
    p->taken = 0;
    ssize_t n = read(p->fd, p->text + p->len, sizeof p->text - p->len);
    p->len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* The next message, borrowed until the one behind it; NULL at the end. */
static json_t *next(struct peer *p)
{
    const char *newline;
    while ((newline = memchr(p->text + p->taken, '\n', p->len - p->taken)) == NULL)
        if (!receive(p))
            return NULL;
    json_decref(p->message);
    p->message = json_loadb(p->text + p->taken, (size_t)(newline - p->text) - p->taken, JSON_ALLOW_NUL, NULL);
    assert_non_null(p->message);
    p->taken = (size_t)(newline - p->text) + 1;
    return p->message;
}

static long long number(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static bool has(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_true(value);
}

/* The next message is METHOD; its parameters. */
static const json_t *next_is(struct peer *p, const char *method)
{
    const json_t *m = next(p);
    assert_string_equal(json_string_value(json_object_get(m, "method")), method);
    return json_object_get(m, "params");
}

/* The next message is the line TEXT of stream ID. */
static const json_t *next_line(struct peer *p, long long id, const char *text)
{
    const json_t *line = next_is(p, "line");
    assert_string_equal(json_string_value(json_object_get(line, "text")), text);
    assert_int_equal(number(line, "stream"), id);
    return line;
}

/* The reply, which tells of N streams; that number I of them. */
static const json_t *reply(struct peer *p, size_t n, size_t i)
{
    const json_t *m = next(p), *streams = json_object_get(json_object_get(m, "result"), "streams");
    assert_int_equal(number(m, "id"), 7);
    assert_int_equal(json_array_size(streams), n);
    return json_array_get(streams, i);
}

static void end(struct peer *p)
{
    (void)next_is(p, "end");
    assert_null(next(p));
    hang_up(p);
}

static void test_what_is_there_by_time(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING), *b = rig_add(&rig, "b", &to_stdout, RING);
    b->d.which = SPEC_STREAM_ERR;
    rig_start(&rig);
    say(a, "one\n");
    say(b, "two\n");
    say(a, "three\nfo");
    struct peer *p = ask(peers, "'services':null");
    const json_t *s = reply(p, 2, 1);
    assert_string_equal(json_string_value(json_object_get(s, "name")), "b");
    assert_string_equal(json_string_value(json_object_get(s, "stream")), "stderr");
    assert_true(number(s, "begins") == 0 && number(s, "from") == 0);
    assert_true(has(s, "complete") && !has(s, "untimed") && json_is_null(json_object_get(s, "file")));
    const json_t *line = next_line(p, 1, "one");
    assert_true(number(line, "at") == 0 && number(line, "next") == 4);
    assert_int_equal(json_string_length(json_object_get(line, "time")), LOGLINE_STAMP_LEN);
    assert_null(json_object_get(line, "bytes"));
    (void)next_line(p, 2, "two");
    assert_null(json_object_get(next_line(p, 1, "three"), "partial"));
    assert_true(has(next_line(p, 1, "fo"), "partial"));
    end(p);
    rig_finish(&rig);
}

static void test_only_what_was_asked_for(void **state)
{
    (void)state;
    struct rig_stream *web = rig_add(&rig, "web.2", &to_stdout, RING), *db = rig_add(&rig, "db", &to_stdout, RING);
    web->d.service = "web";
    rig_start(&rig);
    say(web, "1\n2\n3\n");
    say(db, "x\n");
    static const char *const wishes[] = {"'services':['web'],'lines':2", "'services':['web.2'],'lines':2",
                                         "'services':['w*'],'lines':2", "'services':['web'],'after':{'1':2}"};
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
        struct peer *p = ask(peers, wishes[i]);
        assert_int_equal(number(reply(p, 1, 0), "from"), 2);
        (void)next_line(p, 1, "2");
        (void)next_line(p, 1, "3");
        end(p);
    }
    struct peer *p = ask(peers, "'services':['db'],'lines':0");
    assert_int_equal(number(reply(p, 1, 0), "from"), 2);
    end(p);
    p = ask(peers, "'services':['none']");
    (void)reply(p, 0, 0);
    end(p);
    rig_finish(&rig);
}

/* Bytes and request wait together for a logger that stands still: who asks behind a write finds what was written. */
static void test_what_was_written_before(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    say(a, "one\n");
    rig_stop(&rig);
    assert_int_equal(write(a->write_fd, "two\n", 4), 4);
    struct peer *p = ask(peers, "'services':null");
    rig_go_on(&rig);
    (void)reply(p, 1, 0);
    (void)next_line(p, 1, "one");
    (void)next_line(p, 1, "two");
    end(p);
    rig_finish(&rig);
}

static void test_since(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    char wish[96];
    rig_start(&rig);
    say(a, "old\n");
    int64_t us = a->ring.marks[0].real_us;
    /* Times are what the marks say: the second line is a minute younger, the third begins before that minute is over.
     */
    say(a, "young\n");
    say(a, "younger\n");
    a->ring.marks[1].real_us = us + 60000000;
    a->ring.marks[2].real_us = us + 70000000;
    snprintf(wish, sizeof wish, "'since_us':%lld", (long long)us + 1);
    struct peer *p = ask(peers, wish);
    (void)reply(p, 1, 0);
    (void)next_line(p, 1, "young");
    (void)next_line(p, 1, "younger");
    end(p);
    snprintf(wish, sizeof wish, "'lines':1,'since_us':%lld", (long long)us + 1);
    p = ask(peers, wish);
    (void)reply(p, 1, 0);
    (void)next_line(p, 1, "younger");
    end(p);
    snprintf(wish, sizeof wish, "'since_us':%lld", (long long)us + 80000000);
    p = ask(peers, wish);
    (void)reply(p, 1, 0);
    end(p);
    rig_finish(&rig);
}

/* What the client is told of a file of A, and that all of WISH is in that or, from `from` on, in memory. */
static const json_t *file_before(struct peer *p, const struct rig_stream *a, const char *wish)
{
    struct stat st;
    const json_t *s = reply(ask(p, wish), 1, 0), *file = json_object_get(s, "file");
    assert_int_equal(stat(a->log.path, &st), 0);
    assert_int_equal(number(file, "inode"), st.st_ino);
    assert_int_equal(number(file, "size") + ((long long)a->ring.head->sent - number(s, "from")), st.st_size);
    return file;
}

/* A file that has no times has only what memory has not; and not the older half of that, which may be overwritten while
 * the file is read. */
static void test_file_without_times(void **state)
{
    (void)state;
    char path[] = "/tmp/foster-serve-XXXXXX", line[64];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "old\n", 4), 4);
    const struct spec_log log = {.driver = SPEC_LOG_FILE, .path = path, .max_file = 2, .file_mode = 0600};
    struct rig_stream *a = rig_add(&rig, "a", &log, RING);
    rig_start(&rig);
    say(a, "one\ntwo\nthr");
    const json_t *file = file_before(peers, a, "'services':null");
    assert_int_equal(number(file, "size"), strlen("old\n"));
    assert_null(json_object_get(file, "lines"));
    assert_int_equal(json_string_length(json_object_get(next_line(peers, 1, "one"), "time")), LOGLINE_STAMP_LEN);
    hang_up(peers);
    /* What memory shows counts as lines that were asked for. */
    file = file_before(peers, a, "'lines':5");
    assert_true(number(file, "lines") == 2 && number(file, "size") == 4);
    hang_up(peers);
    say(a, "ee\n");
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "%030d\n", i);
        say(a, line);
    }
    file = file_before(peers, a, "'services':null");
    assert_int_equal((number(file, "size") - (long long)strlen("old\none\ntwo\nthree\n")) % 31, 0);
    assert_in_range(number(file, "size"), a->ring.head->end - RING / 2, a->ring.head->end - RING / 2 + 4 + 31);
    hang_up(peers);
    /* Another file than what was written to: nothing of it is in memory. */
    close(fd);
    fd = unlink(path) == 0 ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
    assert_true(write(fd, line, 31) == 31 && write(fd, line, 31) == 31);
    file = file_before(peers, a, "'services':null");
    assert_int_equal(number(file, "size"), 62);
    rig_finish(&rig);
    hang_up(peers);
    close(fd);
    unlink(path);
}

/* Whoever asks for all that A has said gets it from memory alone: N lines, of which TEXT is the first. */
static void memory_alone(const struct rig_stream *a, const char *text, size_t n)
{
    const json_t *s = reply(ask(peers, "'services':null"), 1, 0);
    assert_true(json_is_null(json_object_get(s, "file")));
    (void)next_line(peers, (long long)a->d.id, text);
    for (size_t i = 1; i < n; i++)
        (void)next_is(peers, "line");
    end(peers);
}

/* A file that has taken the place of another one has less than memory, unless there are rotated ones of it. */
static void test_file_that_begins_later(void **state)
{
    (void)state;
    char path[] = "/tmp/foster-serve-XXXXXX", other[64], rotated[96];
    int fd = mkstemp(path);
    const struct spec_log log = {.driver = SPEC_LOG_FILE, .path = path, .max_file = 2, .file_mode = 0600};
    struct rig_stream *a = rig_add(&rig, "a", &log, RING);
    rig_start(&rig);
    say(a, "one\ntwo\n");
    /* Another program rotates it, and makes a new one. */
    snprintf(other, sizeof other, "%s.1", path);
    close(fd);
    assert_int_equal(rename(path, other), 0);
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    memory_alone(a, "one", 2);
    /* The settings name another one. */
    a->log.path = other;
    assert_int_equal(unlink(other), 0);
    const struct message set = {.kind = MESSAGE_SET, .id = a->d.id, .stream = a->d, .fds = {-1, -1}};
    rig_send(&rig, &set);
    say(a, "three\n");
    memory_alone(a, "one", 3);
    snprintf(rotated, sizeof rotated, "%s.20261122T081530.123456Z", other);
    close(fd);
    fd = open(rotated, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    const json_t *file = file_before(peers, a, "'services':null");
    assert_int_equal(number(file, "size"), 0);
    (void)next_line(peers, 1, "three");
    end(peers);
    rig_finish(&rig);
    close(fd);
    assert_true(unlink(path) == 0 && unlink(other) == 0 && unlink(rotated) == 0);
}

static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    say(a, "\xff"
           "ab\n\033[1mü\n");
    struct peer *p = ask(peers, "'lines':2");
    (void)reply(p, 1, 0);
    assert_string_equal(json_string_value(json_object_get(next_line(p, 1,
                                                                    "\xef\xbf\xbd"
                                                                    "ab"),
                                                          "bytes")),
                        "/2Fi");
    assert_null(json_object_get(next_line(p, 1, "\033[1mü"), "bytes"));
    end(p);
    rig_finish(&rig);
}

static void test_following(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    say(a, "before\n");
    struct peer *p = ask(peers, "'follow':true,'services':['a','late']");
    (void)reply(p, 1, 0);
    (void)next_line(p, 1, "before");
    (void)next_is(p, "live");
    say(a, "after\nbegin");
    (void)next_line(p, 1, "after");
    /* Nobody ends it, so it comes as it is, after a while. */
    assert_true(has(next_line(p, 1, "begin"), "partial"));
    say(a, "ning\n");
    assert_true(has(next_line(p, 1, "ning"), "continues"));
    /* What a run leaves is not the beginning of what the next one says. */
    say(a, "last words");
    logring_begin_run(&a->ring, a->ring.head->end);
    say(a, "first words\n");
    assert_true(has(next_line(p, 1, "last words"), "partial"));
    assert_null(json_object_get(next_line(p, 1, "first words"), "continues"));
    say(a, "and again");
    (void)next_line(p, 1, "and again");
    logring_begin_run(&a->ring, a->ring.head->end);
    say(a, "something else\n");
    assert_null(json_object_get(next_line(p, 1, "something else"), "continues"));
    rig_finish(&rig);
    end(p);
}

static struct rig_stream *open_late(const char *name)
{
    size_t size = logring_size(RING, ring_page()), head = logring_head_bytes(size, ring_page());
    struct rig_stream *s = rig_add(&rig, name, &to_stdout, RING);
    int fd = ring_create(head, size);
    ring_unmap(s->d.ring, head, size);
    s->d.ring = ring_map(fd, head, size);
    assert_non_null(s->d.ring);
    logring_attach(&s->ring, s->d.ring, size, ring_page());
    const struct message m = {.kind = MESSAGE_OPEN, .id = s->d.id, .stream = s->d, .fds = {s->d.pipe_fd, fd}};
    rig_send(&rig, &m);
    close(fd);
    return s;
}

static void test_services_that_come_later(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    struct peer *p = ask(peers, "'follow':true,'lines':0,'services':['a','c*']");
    (void)reply(p, 1, 0);
    (void)next_is(p, "live");
    struct rig_stream *b = open_late("b"), *c = open_late("c");
    say(b, "not wanted\n");
    say(c, "wanted\n");
    const json_t *s = next_is(p, "new");
    assert_string_equal(json_string_value(json_object_get(s, "name")), "c");
    assert_int_equal(number(s, "id"), c->d.id);
    (void)next_line(p, 3, "wanted");
    say(a, "and a\n");
    (void)next_line(p, 1, "and a");
    rig_finish(&rig);
    end(p);
}

static void test_who_is_too_slow(void **state)
{
    (void)state;
    enum { N = 4000 };
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    char text[32];
    int size = SMALL_BUFFER;
    rig_start(&rig);
    struct peer *slow = ask(peers, "'follow':true"), *quick = ask(peers + 1, "'follow':true");
    assert_int_equal(setsockopt(slow->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
    (void)reply(quick, 1, 0);
    (void)next_is(quick, "live");
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "line number %d\n", i);
        assert_int_equal(write(a->write_fd, text, strlen(text)), strlen(text));
        if (i % 100 != 99)
            continue;
        for (int k = i - 99; k <= i; k++) {
            snprintf(text, sizeof text, "line number %d", k);
            (void)next_line(quick, 1, text);
        }
    }
    /* Each byte is there, or in a gap; and lines are whole. */
    long long at = 0, lost = 0;
    (void)reply(slow, 1, 0);
    while (at < (long long)a->ring.head->end) {
        const json_t *m = next(slow), *params = json_object_get(m, "params");
        const char *method = json_string_value(json_object_get(m, "method"));
        if (strcmp(method, "gap") == 0) {
            at += number(params, "bytes");
            lost += number(params, "bytes");
            assert_int_equal(number(params, "next"), at);
        } else if (strcmp(method, "line") == 0) {
            assert_int_equal(number(params, "at"), at);
            assert_null(json_object_get(params, "continues"));
            at = number(params, "next");
        }
    }
    assert_int_equal(at, a->ring.head->end);
    assert_true(lost > 0);
    rig_finish(&rig);
}

static void test_going_on_after_a_death(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    char wish[64];
    rig_start(&rig);
    struct peer *p = ask(peers, "'follow':true");
    (void)reply(p, 1, 0);
    (void)next_is(p, "live");
    say(a, "one\n");
    long long at = number(next_line(p, 1, "one"), "next");
    rig_kill(&rig);
    assert_null(next(p));
    hang_up(p);
    rig_start(&rig);
    say(a, "two\n");
    snprintf(wish, sizeof wish, "'follow':true,'after':{'1':%lld}", at);
    (void)reply(ask(p, wish), 1, 0);
    (void)next_line(p, 1, "two");
    rig_finish(&rig);
    (void)next_is(p, "live");
    end(p);
}

static void test_only_so_many(void **state)
{
    (void)state;
    rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    for (size_t i = 0; i < VIEWERS_MAX; i++)
        (void)reply(ask(&peers[i], "'follow':true"), 1, 0);
    struct peer *p = ask(&peers[VIEWERS_MAX], "'follow':true");
    assert_int_equal(number(json_object_get(next(p), "error"), "code"), -32002);
    assert_null(next(p));
    hang_up(p);
    /* Who goes makes room. */
    hang_up(&peers[3]);
    rig_sync(&rig, &rig.streams[0]);
    for (bool refused = true; refused;) {
        refused = json_object_get(next(ask(p, "'follow':true")), "error") != NULL;
        hang_up(p);
    }
    rig_finish(&rig);
}

static void test_one_that_says_nothing_more(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    struct peer *p = ask(peers, "'follow':true");
    assert_int_equal(write(p->fd, "{}\n", 3), 3);
    assert_int_equal(shutdown(p->fd, SHUT_WR), 0);
    (void)reply(p, 1, 0);
    (void)next_is(p, "live");
    say(a, "still here\n");
    (void)next_line(p, 1, "still here");
    rig_finish(&rig);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_there_by_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_what_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_written_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_since, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_without_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_that_begins_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_that_are_no_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_following, setup, teardown),
        cmocka_unit_test_setup_teardown(test_services_that_come_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_is_too_slow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_going_on_after_a_death, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_so_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_says_nothing_more, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

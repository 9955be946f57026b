/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * `logs`: what it asks for, how lines are shown, and that older ones come from files.
 */
#include "run_kit.h"

#include "ctl/when.h"

#include <sys/stat.h>
#include <time.h>

#define LOGS(params) "\"method\":\"logs\",\"params\":" params
#define STREAM(id, name)                                                                                               \
    "{\"id\":" id ",\"name\":\"" name "\",\"stream\":\"stdout\",\"begins\":0,\"from\":0,\"file\":null}"
#define UNTIMED(id, name)                                                                                              \
    "{\"id\":" id ",\"name\":\"" name "\",\"stream\":\"stdout\",\"begins\":9,\"from\":9,\"untimed\":true,\"file\":"    \
    "null}"
#define STREAMS(list)      RESULT("{\"streams\":[" list "]}")
#define TOLD(name, params) "{\"method\":\"" name "\",\"params\":{" params "}}\n"
#define LINE(id, at, second, text)                                                                                     \
    TOLD("line", "\"stream\":" id ",\"at\":" at ",\"next\":" at "1,\"time\":\"2026-11-22T08:15:" second                \
                 ".000000Z\",\"text\":\"" text)
#define END TOLD("end", "")

static const struct run_case shown[] = {
    {{"logs"},
     {{LOGS("{\"follow\":false}"),
       STREAMS(STREAM("1", "web") "," STREAM("2", "db.10")) LINE("1", "1", "01", "one\"")
           LINE("2", "1", "02", "two\",\"partial\":true") LINE("2", "2", "02", "rest\",\"continues\":true") END}},
     0,
     "web   | one\ndb.10 | two\ndb.10 + rest\n",
     NULL},
    {{"logs", "-t", "--no-prefix", "-n", "3", "web", "d*"},
     {{LOGS("{\"services\":[\"web\",\"d*\"],\"lines\":3,\"follow\":false}"),
       STREAMS(STREAM("1", "web")) LINE("1", "1", "01", "one\"") END}},
     0,
     "2026-11-22T08:15:01.000000Z one\n",
     NULL},
    {{"logs", "--since", "2026-11-22T08:15:30Z", "--color", "always"},
     {{LOGS("{\"since_us\":1795335330000000,\"follow\":false}"),
       STREAMS(STREAM("11", "web")) LINE("11", "1", "31", "one\"") END}},
     0,
     "\033[33mweb |\033[0m one\n",
     NULL},
    /* Nothing may command the terminal, and nothing is hidden. */
    {{"logs"},
     {{LOGS("{\"follow\":false}"),
       STREAMS(STREAM("1", "web")) LINE("1", "1", "01", "a\\tb\\u001b[1m\\u0000\\u009b?\\u202ec\xc3\xbc\"")
           LINE("1", "2", "01",
                "\xef\xbf\xbd"
                "ab\",\"bytes\":\"/2Fi\"") END}},
     0,
     "web | a\tb\\x1b[1m\\x00\\xc2\\x9b?\\xe2\\x80\\xaec\xc3\xbc\nweb | \\xff"
     "ab\n",
     NULL},
    /* But for the first half of what ends a line elsewhere. */
    {{"logs"},
     {{LOGS("{\"follow\":false}"), STREAMS(STREAM("1", "web")) LINE("1", "1", "01", "one\\rtwo\\r\"")
                                       LINE("1", "2", "01", "more\\r\",\"partial\":true") END}},
     0,
     "web | one\\x0dtwo\nweb | more\\x0d\n",
     NULL},
    {{"logs", "--raw"},
     {{LOGS("{\"follow\":false}"),
       STREAMS(STREAM("1", "web")) LINE("1", "1", "01", "\\u001b[1m\"") LINE("1", "2", "01",
                                                                             "\xef\xbf\xbd"
                                                                             "ab\",\"bytes\":\"/2Fi\"") END}},
     0,
     "web | \033[1m\nweb | \xff"
     "ab\n",
     NULL},
    {{"logs", "--raw", "--no-prefix"},
     {{LOGS("{\"follow\":false}"),
       STREAMS(STREAM("1", "web")) LINE("1", "1", "01", "Password: \",\"partial\":true") END}},
     0,
     "Password: ",
     NULL},
    {{"logs", "--json"},
     {{LOGS("{\"follow\":false}"), STREAMS(STREAM("1", "web")) LINE("1", "1", "01", "\xef\xbf\xbd\",\"bytes\":\"/w==\"")
                                       TOLD("gap", "\"stream\":1,\"next\":50,\"bytes\":30") END}},
     0,
     "{\"time\":\"2026-11-22T08:15:01.000000Z\",\"service\":\"web\",\"stream\":\"stdout\",\"text\":\"\xef\xbf\xbd\","
     "\"continues\":false,\"partial\":false,\"bytes\":\"/w==\"}\n"
     "{\"service\":\"web\",\"stream\":\"stdout\",\"gap\":30}\n",
     NULL},
    /* Both streams of web have no times: that is said once. */
    {{"logs", "--since", "2026-11-22T08:15:30Z"},
     {{LOGS("{\"since_us\":1795335330000000,\"follow\":false}"),
       STREAMS(UNTIMED("1", "web") "," UNTIMED("2", "web") "," UNTIMED("3", "db")) END}},
     0,
     "",
     "fosterctl: older lines of web have no times in its file; --since finds those in memory only\n"
     "fosterctl: older lines of db have no times in its file; --since finds those in memory only\n"},
    /* To follow is to go on until the end is told, or the time is over. */
    {{"logs", "-f", "-n0"},
     {{LOGS("{\"lines\":0,\"follow\":true}"),
       STREAMS(STREAM("1", "web")) TOLD("live", "") LINE("1", "1", "01", "one\"")
           TOLD("new", "\"id\":2,\"name\":\"worker\",\"stream\":\"stdout\",\"from\":0")
               TOLD("gap", "\"stream\":1,\"next\":50,\"bytes\":30") LINE("2", "1", "02", "two\"") END}},
     0,
     "web | one\nweb    | [fosterctl: 30 bytes are missing here, they came too fast]\nworker | two\n",
     NULL},
    {{"logs", "-f", "--timeout", "1s"},
     {{LOGS("{\"follow\":true}"), STREAMS(STREAM("1", "web")) TOLD("live", "") LINE("1", "1", "01", "one\"")}},
     0,
     "web | one\n",
     NULL},
    {{"logs", "--timeout", "1s"},
     {{LOGS("{\"follow\":false}"), STREAMS(STREAM("1", "web")) LINE("1", "1", "01", "one\"")}},
     4,
     "web | one\n",
     "%not all lines came in time"},
    /* A logger that is just being started is waited for; what is wrong for good is told. */
    {{"logs"},
     {{LOGS("{\"follow\":false}"), ERROR("1", "nobody", "{\"retry\":true}")},
      {LOGS("{\"follow\":false}"), STREAMS(STREAM("1", "web")) LINE("1", "1", "01", "one\"") END}},
     0,
     "web | one\n",
     NULL},
    {{"logs", "mute"},
     {{LOGS("{\"services\":[\"mute\"],\"follow\":false}"), ERROR("1", "it is mute", "null")}},
     1,
     NULL,
     "fosterctl: it is mute\n"},
    {{"logs", "nope"},
     {{LOGS("{\"services\":[\"nope\"],\"follow\":false}"), ERROR("4", "no such service", "null")}},
     4,
     NULL,
     "fosterctl: no such service\n"},
};

static void lines_as_they_are_shown(void **state)
{
    (void)state;
    RUN_CASES(shown);
}

enum { FOUR = 33 }; /* bytes of the line "four" with its time */

/* A log file WEB in a directory of its own, with what was rotated before. */
static struct {
    char dir[32], path[64], old[96], older[96];
    struct stat st;
} logs;

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int make_files(void **state)
{
    char command[160];
    (void)state;
    strcpy(logs.dir, "/tmp/foster-logs.XXXXXX");
    assert_non_null(mkdtemp(logs.dir));
    snprintf(logs.path, sizeof logs.path, "%s/web", logs.dir);
    snprintf(logs.old, sizeof logs.old, "%s.20261122T081502.000000Z", logs.path);
    snprintf(logs.older, sizeof logs.older, "%s.20261122T081501.000000Z", logs.path);
    put(logs.older, "2026-11-22T08:15:01.000000Z one\n");
    snprintf(command, sizeof command, "gzip %s", logs.older);
    assert_int_equal(system(command), 0);
    strcat(logs.older, ".gz");
    put(logs.old, "2026-11-22T08:15:02.000000Z two\n2026-11-22T08:15:03.000000Z three\n");
    /* What is behind "four" is in memory, too. */
    put(logs.path, "2026-11-22T08:15:04.000000Z four\n2026-11-22T08:15:06.000000Z six\n");
    return stat(logs.path, &logs.st);
}

static int remove_files(void **state)
{
    (void)state;
    unlink(logs.older);
    unlink(logs.old);
    unlink(logs.path);
    return rmdir(logs.dir);
}

/* What fosterd says of the file, which has INODE and SIZE, in FORMAT, and of which LINES (-1: all) are wanted; then
 * lines of memory. */
static const char *with_lines(const char *format, unsigned long long inode, long long size, int lines)
{
    static char texts[4][2048]; /* of the cases of one table */
    static size_t n;
    char wanted[32] = "", *text = texts[n++ % ARRAY_LEN(texts)];
    if (lines >= 0)
        snprintf(wanted, sizeof wanted, ",\"lines\":%d", lines);
    snprintf(text, sizeof texts[0],
             STREAMS("{\"id\":1,\"name\":\"web\",\"stream\":\"stdout\",\"begins\":70,\"from\":90,\"file\":{\"path\":"
                     "\"%s\",\"inode\":%llu,\"size\":%lld,\"format\":\"%s\"%s}}," STREAM("2", "db"))
                 LINE("2", "1", "00", "zero\"") LINE("2", "2", "05", "five\"") LINE("1", "9", "06", "six\"") END,
             logs.path, inode, size, format, wanted);
    return text;
}

static const char *with_file(const char *format, unsigned long long inode, long long size)
{
    return with_lines(format, inode, size, -1);
}

static void older_lines_come_from_files(void **state)
{
    unsigned long long inode = logs.st.st_ino;
    const struct run_case cases[] = {
        {{"logs"},
         {{LOGS("{\"follow\":false}"), with_file("timestamps", inode, FOUR)}},
         0,
         "db  | zero\nweb | one\nweb | two\nweb | three\nweb | four\ndb  | five\nweb | six\n",
         NULL},
        {{"logs", "-n2"},
         {{LOGS("{\"lines\":2,\"follow\":false}"), with_lines("timestamps", inode, FOUR, 2)}},
         0,
         "db  | zero\nweb | three\nweb | four\ndb  | five\nweb | six\n",
         NULL},
        {{"logs", "-n4", "--no-prefix"},
         {{LOGS("{\"lines\":4,\"follow\":false}"), with_lines("timestamps", inode, FOUR, 4)}},
         0,
         "zero\none\ntwo\nthree\nfour\nfive\nsix\n",
         NULL},
        {{"logs", "--since", "2026-11-22T08:15:03Z"},
         {{LOGS("{\"since_us\":1795335303000000,\"follow\":false}"), with_file("timestamps", inode, FOUR)}},
         0,
         "db  | zero\nweb | three\nweb | four\ndb  | five\nweb | six\n",
         NULL},
    };
    (void)state;
    RUN_CASES(cases);
}

static void files_without_times_come_first(void **state)
{
    unsigned long long inode = logs.st.st_ino;
    const struct run_case cases[] = {
        {{"logs", "-n1"},
         {{LOGS("{\"lines\":1,\"follow\":false}"), with_lines("raw", inode, FOUR, 1)}},
         0,
         "web | 2026-11-22T08:15:04.000000Z four\ndb  | zero\ndb  | five\nweb | six\n",
         NULL},
    };
    (void)state;
    RUN_CASES(cases);
}

/* The file that was written to has been rotated since fosterd has told of it. */
static void files_that_are_rotated_meanwhile(void **state)
{
    char newer[96];
    unsigned long long inode = logs.st.st_ino;
    const struct run_case cases[] = {
        {{"logs", "-n2", "web"},
         {{LOGS("{\"services\":[\"web\"],\"lines\":2,\"follow\":false}"), with_lines("timestamps", inode, FOUR, 2)}},
         0,
         "db  | zero\nweb | three\nweb | four\ndb  | five\nweb | six\n",
         NULL},
    };
    (void)state;
    snprintf(newer, sizeof newer, "%s.20261122T081507.000000Z", logs.path);
    assert_int_equal(rename(logs.path, newer), 0);
    put(logs.path, "2026-11-22T08:15:08.000000Z eight\n");
    RUN_CASES(cases);
    unlink(newer);
}

/* The same while the files before it are read: a gzip that rotates shows that. */
static void files_that_are_rotated_while_others_are_read(void **state)
{
    char program[64], script[512], path[4096];
    const char *was = getenv("PATH");
    unsigned long long inode = logs.st.st_ino;
    const struct run_case cases[] = {
        {{"logs", "web"},
         {{LOGS("{\"services\":[\"web\"],\"follow\":false}"), with_file("timestamps", inode, FOUR)}},
         0,
         "db  | zero\nweb | one\nweb | two\nweb | three\nweb | four\ndb  | five\nweb | six\n",
         NULL},
    };
    (void)state;
    snprintf(program, sizeof program, "%s/gzip", logs.dir);
    snprintf(script, sizeof script,
             "#!/bin/sh\nPATH='%s'\nmv %s %s.20261122T081507.000000Z\n"
             "echo '2026-11-22T08:15:08.000000Z eight' > %s\nexec gzip \"$@\"\n",
             was, logs.path, logs.path, logs.path);
    put(program, script);
    assert_int_equal(chmod(program, 0755), 0);
    snprintf(path, sizeof path, "%s:%s", logs.dir, was);
    assert_int_equal(setenv("PATH", path, 1), 0);
    RUN_CASES(cases);
    assert_int_equal(setenv("PATH", strchr(path, ':') + 1, 1), 0);
    unlink(program);
    snprintf(script, sizeof script, "%s.20261122T081507.000000Z", logs.path);
    assert_int_equal(unlink(script), 0);
}

/* Whoever has called it learns which file has less than it should, and what was looked for in vain. */
static void files_that_cannot_be_unpacked(void **state)
{
    char command[4096];
    const char *was = getenv("PATH");
    unsigned long long inode = logs.st.st_ino;
    const struct run_case cut[] = {
        {{"logs", "web"},
         {{LOGS("{\"services\":[\"web\"],\"follow\":false}"), with_file("timestamps", inode, FOUR)}},
         0,
         "%web | two\n",
         "%web.20261122T081501.000000Z.gz: gzip cannot unpack all of it\n"},
    };
    const struct run_case missing[] = {
        {{"logs", "web"},
         {{LOGS("{\"services\":[\"web\"],\"follow\":false}"), with_file("timestamps", inode, FOUR)}},
         0,
         "%web | two\n",
         "%web.20261122T081501.000000Z.gz: gzip: No such file or directory\n"},
    };
    (void)state;
    snprintf(command, sizeof command, "truncate -s -9 %s", logs.older);
    assert_int_equal(system(command), 0);
    RUN_CASES(cut);
    snprintf(command, sizeof command, "%s", was);
    assert_int_equal(setenv("PATH", logs.dir, 1), 0);
    RUN_CASES(missing);
    assert_int_equal(setenv("PATH", command, 1), 0);
}

static void lines_of_json(void **state)
{
    struct stat st;
    (void)state;
    unlink(logs.old);
    unlink(logs.older);
    put(logs.path, "{\"time\":\"2026-11-22T08:14:01.000000Z\",\"service\":\"web\",\"message\":\"one\"}\n"
                   "{\"time\":\"2026-11-22T08:14:02.000000Z\",\"message\":\"long\",\"partial\":true}\n"
                   "{\"time\":\"2026-11-22T08:14:02.000000Z\",\"continues\":true,\"message\":\"est\"}\n"
                   "{\"time\":\"2026-11-22T08:14:03.000000Z\",\"partial\":true,\"message\":\"last words\"}\n"
                   "{\"time\":\"2026-11-22T08:14:04.000000Z\",\"message\":\"next run\"}\nno JSON\n");
    assert_int_equal(stat(logs.path, &st), 0);
    const struct run_case cases[] = {
        {{"logs", "web"},
         {{LOGS("{\"services\":[\"web\"],\"follow\":false}"),
           with_file("json", (unsigned long long)st.st_ino, (long long)st.st_size)}},
         0,
         "web | one\nweb | long\nweb + est\nweb | last words\nweb | next run\nweb | no JSON\ndb  | zero\ndb  | "
         "five\nweb | six\n",
         NULL},
    };
    RUN_CASES(cases);
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: none */
    } rows[] = {
        {"2026-11-22T08:15:30Z", 1795335330000000},
        {"2026-11-22 08:15:30.5+01:00", 1795331730500000},
        {"2026-11-22 08:15-02:30", 1795344300000000},
        {"2026-11-22", 1795305600000000},
        {"08:15", 1795335300000000},
        {"08:15:30", 1795335330000000},
        {"10m", 1795335400000000},
        {"1h30m", 1795330600000000},
        {"1970-01-01T00:00:00Z", 0},
        {"", -1},
        {"soon", -1},
        {"2026-13-22", -1},
        {"2026-02-30", -1},
        {"2026-11-22T", -1},
        {"2026-11-22T08", -1},
        {"2026-11-22T24:00", -1},
        {"2026-11-22T08:60", -1},
        {"2026-11-22T08:15:30.", -1},
        {"2026-11-22T08:15:30Zx", -1},
        {"2026-11-22T08:15:30+1:00", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"8", 1795335992000000},
        {"08", -1},
    };
    char back[WHEN_LEN + 1];
    (void)state;
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    tzset();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t us = -1;
        bool ok = when_parse(rows[i].text, 1795336000000000, &us);
        if (ok != (rows[i].us >= 0) || us != rows[i].us)
            fail_msg("%s is %lld", rows[i].text, (long long)us);
        if (!ok)
            continue;
        when_write(us, back);
        assert_true(when_of_line(back, &us) && us == rows[i].us);
    }
    when_write(-1, back);
    assert_string_equal(back, "                           ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_as_they_are_shown),
        cmocka_unit_test_setup_teardown(older_lines_come_from_files, make_files, remove_files),
        cmocka_unit_test_setup_teardown(files_without_times_come_first, make_files, remove_files),
        cmocka_unit_test_setup_teardown(files_that_are_rotated_meanwhile, make_files, remove_files),
        cmocka_unit_test_setup_teardown(files_that_are_rotated_while_others_are_read, make_files, remove_files),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_unpacked, make_files, remove_files),
        cmocka_unit_test_setup_teardown(lines_of_json, make_files, remove_files),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Any bytes as the text of each file of /proc that is read: what is accepted must make sense.
 */
#include "base/procstat.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): a build for speed must check as well. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void fuzz_stat(const char *text, size_t len)
{
    struct procstat st, kept;

    memset(&kept, 0x5a, sizeof(kept));
    memset(&st, 0x5a, sizeof(st));
    if (!procstat_parse(text, len, &st)) {
        require(memcmp(&st, &kept, sizeof(st)) == 0);
        return;
    }
    require(st.pid > 0 && st.ppid >= 0 && st.pgrp >= -1 && st.session >= -1);
    require(st.state != ' ' && st.state != ')');
    size_t name_len = strnlen(st.comm, sizeof(st.comm));
    require(name_len < sizeof(st.comm));
    /* The name stands in the text as it is, in its parentheses, and no parenthesis closes behind it. */
    const char *open = memchr(text, '(', len);
    require(open != NULL && memcmp(open + 1, st.comm, name_len) == 0 && open[1 + name_len] == ')');
    require(!memchr(open + 2 + name_len, ')', len - (size_t)(open + 2 + name_len - text)));
}

static void fuzz_locks(const char *text, size_t len)
{
    uint64_t locks = 99;

    if (!procstat_parse_locks(text, len, &locks))
        require(locks == 99);
}

static void fuzz_env(const char *text, size_t len, const char *name)
{
    char value[32], larger[256];

    memset(value, 'x', sizeof(value));
    if (!procstat_parse_env(text, len, name, value, sizeof(value)))
        return;
    size_t value_len = strnlen(value, sizeof(value));
    require(value_len < sizeof(value));
    require(value_len + strlen(name) + 2 <= len);
    /* The room that is offered does not change the answer. */
    require(procstat_parse_env(text, len, name, larger, sizeof(larger)) && strcmp(value, larger) == 0);
    require(!procstat_parse_env(text, len, name, larger, value_len));
}

static void fuzz_cgroup(const char *text, size_t len)
{
    char path[16], larger[256];

    if (!procstat_parse_cgroup(text, len, path, sizeof(path)))
        return;
    require(memchr(path, '\n', strlen(path)) == NULL && strlen(path) + 4 <= len);
    require(procstat_parse_cgroup(text, len, larger, sizeof(larger)) && strcmp(path, larger) == 0);
}

static void fuzz_pids(const char *text, size_t len)
{
    pid_t pids[8];
    ptrdiff_t n = procstat_parse_pids(text, len, pids, 8);

    require(n >= -1 && n <= (ptrdiff_t)(len / 2 + 1));
    for (ptrdiff_t i = 0; i < n && i < 8; i++)
        require(pids[i] > 0);
    require(procstat_parse_pids(text, len, NULL, 0) == n);
}

static void fuzz_status(const char *text, size_t len)
{
    uint64_t dec = 99, hex = 99;
    bool is_dec = procstat_parse_status(text, len, "CapEff:", 10, &dec);
    bool is_hex = procstat_parse_status(text, len, "CapEff:", 16, &hex);

    require(is_dec || dec == 99);
    require(is_hex || hex == 99);
    /* Decimal digits are hexadecimal ones; only the greater number may be too large. */
    require(!is_dec || !is_hex || dec <= hex);
}

/* What people see is one line of UTF-8, and a longer one begins with the shorter one. */
static void fuzz_line(const char *text, size_t len)
{
    char line[40], longer[80];
    bool valid;

    require(procstat_line(text, len, line, sizeof(line)) == line);
    procstat_line(text, len, longer, sizeof(longer));
    size_t n = strnlen(line, sizeof(line));
    require(n < sizeof(line) && strncmp(line, longer, n) == 0);
    for (size_t at = 0, step; at < n; at += step) {
        step = utf8_step(line + at, n - at, &valid);
        require(valid && (unsigned char)line[at] >= ' ' && line[at] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;

    if (size == 0)
        text = "";
    fuzz_stat(text, size);
    fuzz_locks(text, size);
    fuzz_env(text, size, "FOSTER_SERVICE");
    fuzz_env(text, size, "A");
    fuzz_cgroup(text, size);
    fuzz_pids(text, size);
    fuzz_status(text, size);
    fuzz_line(text, size);
    return 0;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Any bytes as a service's output: what is cut and put of them keeps its bounds, all of it comes out again, and JSON is
 * JSON.
 */
#include "core/logline.h"

#include <jansson.h>
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

static void check_json(const struct logline_label *label, const struct logline_piece *p, struct logline_clock *clock)
{
    static char memory[8 * LOGLINE_MAX];
    struct logline_out out = {.data = memory, .cap = sizeof memory};
    require(logline_put_json(&out, label, p, clock, 1));
    json_t *json = json_loadb(memory, out.len, JSON_ALLOW_NUL, NULL);
    require(json_is_string(json_object_get(json, "message")));
    json_decref(json);
}

static void check_datagrams(const struct logline_label *label, struct logline_piece p, struct logline_clock *clock)
{
    static char memory[LOGLINE_MAX + 2048];
    struct logline_out out = {.data = memory, .cap = sizeof memory};
    int priority = logline_priority(&p, 6);
    require(priority >= 0 && priority <= 7);
    require(logline_put_syslog(&out, label, &p, priority, clock, 1) && out.len <= out.cap);
    out.len = 0;
    require(logline_put_journal(&out, label, &p, priority) && out.len <= out.cap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char prefixed[LOGLINE_MAX + 256];
    struct logline_clock clock = {0};
    struct logline_state st = {0};
    const struct logline_label label = {
        .name = "a", .service = "a", .stream = "stdout", .tag = "a", .host = "h", .width = 4};
    /* The first byte says how much comes at a time. */
    size_t step = size > 0 ? (size_t)data[0] * 97 + 1 : 1, end = 0;
    const char *text = (const char *)data;
    for (size_t at = 0; at < size;) {
        struct logline_piece p;
        size_t n = logline_next(text + at, end - at, &st, end == size, &p);
        if (n == 0) {
            require(end < size);
            end = size - end < step ? size : end + step;
            continue;
        }
        require(p.text == text + at && p.len <= LOGLINE_MAX && n == p.len + p.ends);
        require(p.continues == (at > 0 && text[at - 1] != '\n'));
        require(memchr(p.text, '\n', p.len) == NULL);
        struct logline_out out = {.data = prefixed, .cap = sizeof prefixed};
        require(logline_put_prefixed(&out, &label, &p, &clock, 1) && out.len <= out.cap);
        require(out.len == p.len + 4 + 3 + LOGLINE_STAMP_LEN + 1 + 1);
        check_json(&label, &p, &clock);
        check_datagrams(&label, p, &clock);
        logline_taken(&st, &p);
        at += n;
    }
    return 0;
}

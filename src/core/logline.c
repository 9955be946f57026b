/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From bytes to lines to what goes out. See logline.h.
 */
#include "core/logline.h"

#include "base/utf8.h"

#include <string.h>

enum { US_A_SECOND = 1000000, DAY_S = 86400, TAG_MAX = 48, HOST_MAX = 255, NUMBER_MAX = 24 };

size_t logline_next(const char *data, size_t len, const struct logline_state *st, bool flush, struct logline_piece *ret)
{
    size_t reach = len < LOGLINE_MAX + 1 ? len : LOGLINE_MAX + 1;
    const char *newline = reach > 0 ? memchr(data, '\n', reach) : NULL;
    *ret = (struct logline_piece){.text = data, .continues = st->within, .ends = newline != NULL};
    if (newline != NULL) {
        ret->len = (size_t)(newline - data);
        return ret->len + 1;
    }
    if (len > LOGLINE_MAX)
        ret->len = utf8_cut(data, len, LOGLINE_MAX);
    else if (flush)
        ret->len = len;
    return ret->len;
}

static char *put(char *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static void put_digits(char *at, unsigned value, int n)
{
    while (n-- > 0) {
        at[n] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* The civil date of DAYS since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static void put_date(int64_t days, char *out)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153;
    unsigned day = day_of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    put_digits(out, (unsigned)(year_of_era + era * 400) + (month <= 2), 4);
    out[4] = out[7] = '-';
    put_digits(out + 5, month, 2);
    put_digits(out + 8, day, 2);
    out[10] = 'T';
}

static void set_clock(struct logline_clock *clock, int64_t second)
{
    int64_t days = second / DAY_S - (second % DAY_S < 0);
    unsigned left = (unsigned)(second - days * DAY_S);
    put_date(days, clock->text);
    put_digits(clock->text + 11, left / 3600, 2);
    put_digits(clock->text + 14, left / 60 % 60, 2);
    put_digits(clock->text + 17, left % 60, 2);
    clock->text[13] = clock->text[16] = ':';
    clock->text[19] = '.';
    clock->text[LOGLINE_STAMP_LEN - 1] = 'Z';
    clock->second = second;
}

void logline_stamp(struct logline_clock *clock, int64_t real_us, char *out)
{
    int64_t second = real_us / US_A_SECOND - (real_us % US_A_SECOND < 0);
    if (clock->second != second || clock->text[0] == '\0')
        set_clock(clock, second);
    memcpy(out, clock->text, LOGLINE_STAMP_LEN);
    put_digits(out + 20, (unsigned)(real_us - second * US_A_SECOND), 6);
}

/* Where N bytes more go, or NULL. */
static char *room(const struct logline_out *o, size_t n)
{
    return o->cap - o->len >= n ? o->data + o->len : NULL;
}

static char *put_name(char *at, const struct logline_label *l, size_t len)
{
    if (l->colour != 0) {
        at = put(at, "\033[", 2);
        put_digits(at, (unsigned)l->colour, 2);
        at = put(at + 2, "m", 1);
    }
    at = put(at, l->name, len);
    for (; len < (size_t)l->width; len++)
        *at++ = ' ';
    return at;
}

bool logline_put_prefixed(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                          struct logline_clock *clock, int64_t real_us)
{
    enum { COLOURS_LEN = 5 + 4 };
    size_t name = strlen(l->name), width = name > (size_t)l->width ? name : (size_t)l->width;
    char *at = room(o, COLOURS_LEN + width + 3 + LOGLINE_STAMP_LEN + 1 + p->len + 1);
    if (at == NULL)
        return false;
    at = put_name(at, l, name);
    at = put(at, p->continues ? " + " : " | ", 3);
    if (l->colour != 0)
        at = put(at, "\033[0m", 4);
    if (clock != NULL) {
        logline_stamp(clock, real_us, at);
        at += LOGLINE_STAMP_LEN;
        *at++ = ' ';
    }
    at = put(at, p->text, p->len);
    *at++ = '\n';
    o->len = (size_t)(at - o->data);
    return true;
}

bool logline_put_stamped(struct logline_out *o, const struct logline_piece *p, struct logline_clock *clock,
                         int64_t real_us)
{
    char *at = room(o, LOGLINE_STAMP_LEN + 1 + p->len + 1);
    if (at == NULL)
        return false;
    if (!p->continues) {
        logline_stamp(clock, real_us, at);
        at += LOGLINE_STAMP_LEN;
        *at++ = ' ';
    }
    at = put(at, p->text, p->len);
    if (p->ends)
        *at++ = '\n';
    o->len = (size_t)(at - o->data);
    return true;
}

/* A place that grows until its end; at the end it is NULL for good. */
struct pen {
    char *at, *end;
};

static void pen_put(struct pen *pen, const void *data, size_t len)
{
    if (pen->at == NULL || (size_t)(pen->end - pen->at) < len)
        pen->at = NULL;
    else
        pen->at = put(pen->at, data, len);
}

static void pen_puts(struct pen *pen, const char *s)
{
    pen_put(pen, s, strlen(s));
}

static void pen_number(struct pen *pen, uint64_t value)
{
    char text[NUMBER_MAX], *at = text + sizeof text;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    pen_put(pen, at, (size_t)(text + sizeof text - at));
}

static void pen_stamp(struct pen *pen, struct logline_clock *clock, int64_t real_us)
{
    char text[LOGLINE_STAMP_LEN];
    logline_stamp(clock, real_us, text);
    pen_put(pen, text, sizeof text);
}

static struct pen pen_of(const struct logline_out *o)
{
    return (struct pen){.at = o->data + o->len, .end = o->data + o->cap};
}

static bool pen_done(const struct pen *pen, struct logline_out *o)
{
    if (pen->at != NULL)
        o->len = (size_t)(pen->at - o->data);
    return pen->at != NULL;
}

/* Whether C stands for itself in a JSON string, and is a whole character. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Whether is_plain() is true of the eight bytes at S: a subtraction sets the highest bit of each byte that is less. */
static bool are_plain(const char *s)
{
    static const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t w;
    memcpy(&w, s, sizeof w);
    uint64_t odd = w | (w - ones * 0x20) | ((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones);
    return (odd & ones * 0x80) == 0;
}

/* How many of the LEN bytes at S come before the first that is escaped or replaced. */
static size_t json_run(const char *s, size_t len)
{
    size_t i = 0;
    for (bool valid = true; valid;) {
        while (len - i >= sizeof(uint64_t) && are_plain(s + i))
            i += sizeof(uint64_t);
        while (i < len && is_plain((unsigned char)s[i]))
            i++;
        if (i == len || (unsigned char)s[i] < 0x80)
            break;
        size_t n = utf8_step(s + i, len - i, &valid);
        i += valid ? n : 0;
    }
    return i;
}

/* One character that json_run() has stopped at. Returns how many bytes it had. */
static size_t pen_json_char(struct pen *pen, const char *s, size_t len)
{
    static const char names[] = "btnufr"; /* of 8 to 13; there is none for 11 */
    unsigned char c = (unsigned char)*s;
    bool valid;
    size_t n = utf8_step(s, len, &valid);
    if (!valid) {
        pen_put(pen, "\xef\xbf\xbd", 3);
    } else if (c == '"' || c == '\\') {
        pen_put(pen, (char[]){'\\', (char)c}, 2);
    } else if (c >= 8 && c <= 13 && c != 11) {
        pen_put(pen, (char[]){'\\', names[c - 8]}, 2);
    } else {
        char text[] = "\\u0000";
        text[4] = (char)('0' + c / 16);
        text[5] = "0123456789abcdef"[c % 16];
        pen_put(pen, text, 6);
    }
    return n;
}

static void pen_json(struct pen *pen, const char *s, size_t len)
{
    pen_put(pen, "\"", 1);
    for (size_t i = 0; i < len;) {
        size_t n = json_run(s + i, len - i);
        pen_put(pen, s + i, n);
        i += n;
        if (i < len)
            i += pen_json_char(pen, s + i, len - i);
    }
    pen_put(pen, "\"", 1);
}

bool logline_put_json(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                      struct logline_clock *clock, int64_t real_us)
{
    struct pen pen = pen_of(o);
    pen_puts(&pen, "{\"time\":\"");
    pen_stamp(&pen, clock, real_us);
    pen_puts(&pen, "\",\"service\":");
    pen_json(&pen, l->service, strlen(l->service));
    if (strcmp(l->name, l->service) != 0) {
        pen_puts(&pen, ",\"instance\":");
        pen_json(&pen, l->name, strlen(l->name));
    }
    pen_puts(&pen, ",\"stream\":");
    pen_json(&pen, l->stream, strlen(l->stream));
    if (p->continues)
        pen_puts(&pen, ",\"continues\":true");
    if (!p->ends)
        pen_puts(&pen, ",\"partial\":true");
    pen_puts(&pen, ",\"message\":");
    pen_json(&pen, p->text, p->len);
    pen_puts(&pen, "}\n");
    return pen_done(&pen, o);
}

int logline_priority(struct logline_piece *p, int def)
{
    if (p->continues || p->len < 3 || p->text[0] != '<' || p->text[2] != '>' || p->text[1] < '0' || p->text[1] > '7')
        return def;
    int priority = p->text[1] - '0';
    p->text += 3;
    p->len -= 3;
    return priority;
}

/* At most MAX (up to HOST_MAX) bytes of TEXT, each of them printable as RFC 5424 wants them; "-" for nothing. */
static void pen_word(struct pen *pen, const char *text, size_t max)
{
    char word[HOST_MAX];
    size_t n = 0;
    for (; n < max && text[n] != '\0'; n++)
        word[n] = text[n] > 0x20 && text[n] < 0x7f ? text[n] : '_';
    if (n == 0)
        word[n++] = '-';
    pen_put(pen, word, n);
}

static void pen_priority(struct pen *pen, const struct logline_label *l, int priority)
{
    pen_puts(pen, "<");
    pen_number(pen, (uint64_t)l->facility * 8 + (uint64_t)priority);
    pen_puts(pen, ">");
}

/* No byte order mark before the text: RFC 5424 asks for one before UTF-8, but what reads /dev/log takes it for text. */
bool logline_put_syslog(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                        int priority, struct logline_clock *clock, int64_t real_us)
{
    struct pen pen = pen_of(o);
    pen_priority(&pen, l, priority);
    pen_puts(&pen, "1 ");
    pen_stamp(&pen, clock, real_us);
    pen_puts(&pen, " ");
    pen_word(&pen, l->host, HOST_MAX);
    pen_puts(&pen, " ");
    pen_word(&pen, l->tag, TAG_MAX);
    pen_puts(&pen, " ");
    if (l->pid > 0)
        pen_number(&pen, (uint64_t)l->pid);
    else
        pen_puts(&pen, "-");
    pen_puts(&pen, " - - ");
    pen_put(&pen, p->text, p->len);
    return pen_done(&pen, o);
}

bool logline_put_bsd_syslog(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                            int priority)
{
    struct pen pen = pen_of(o);
    pen_priority(&pen, l, priority);
    pen_word(&pen, l->tag, TAG_MAX);
    if (l->pid > 0) {
        pen_puts(&pen, "[");
        pen_number(&pen, (uint64_t)l->pid);
        pen_puts(&pen, "]");
    }
    pen_puts(&pen, ": ");
    pen_put(&pen, p->text, p->len);
    return pen_done(&pen, o);
}

/* A field of the journal: in one line where its value is one, else with its length. */
static void pen_field(struct pen *pen, const char *key, const char *value, size_t len)
{
    pen_puts(pen, key);
    if (memchr(value, '\n', len) == NULL) {
        pen_puts(pen, "=");
    } else {
        char size[8];
        for (size_t i = 0; i < sizeof size; i++)
            size[i] = (char)((uint64_t)len >> (8 * i) & 0xff);
        pen_puts(pen, "\n");
        pen_put(pen, size, sizeof size);
    }
    pen_put(pen, value, len);
    pen_puts(pen, "\n");
}

static void pen_text_field(struct pen *pen, const char *key, const char *value)
{
    pen_field(pen, key, value, strlen(value));
}

static void pen_number_field(struct pen *pen, const char *key, uint64_t value)
{
    pen_puts(pen, key);
    pen_puts(pen, "=");
    pen_number(pen, value);
    pen_puts(pen, "\n");
}

bool logline_put_journal(struct logline_out *o, const struct logline_label *l, const struct logline_piece *p,
                         int priority)
{
    struct pen pen = pen_of(o);
    pen_number_field(&pen, "PRIORITY", (uint64_t)priority);
    pen_number_field(&pen, "SYSLOG_FACILITY", (uint64_t)l->facility);
    pen_text_field(&pen, "SYSLOG_IDENTIFIER", l->tag);
    if (l->pid > 0)
        pen_number_field(&pen, "SYSLOG_PID", (uint64_t)l->pid);
    pen_text_field(&pen, "FOSTER_SERVICE", l->service);
    pen_text_field(&pen, "FOSTER_INSTANCE", l->name);
    pen_text_field(&pen, "FOSTER_STREAM", l->stream);
    pen_field(&pen, "MESSAGE", p->text, p->len);
    return pen_done(&pen, o);
}

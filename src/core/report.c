/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The words in which the supervisor tells what happened: one line a death.
 */
#include "core/super_impl.h"

#include "base/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

static struct effects_slot *add_report(struct super *s, const struct unit *u, enum log_level level, const char *event,
                                       const char *text)
{
    struct effects_slot *e = effects_add(&s->effects, EFFECT_REPORT, u ? u->index : (unsigned)SUPER_NO_UNIT);

    e->level = level;
    e->event = event;
    e->text = mem_strdup(text);
    if (u) {
        e->run = u->run;
        e->pid = u->main_pid;
    }
    return e;
}

void report(struct super *s, const struct unit *u, enum log_level level, const char *event, const char *fmt, ...)
{
    char text[EFFECT_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    add_report(s, u, level, event, text);
}

void report_exit(struct super *s, const struct unit *u, const struct event *e, const char *tail)
{
    const struct policy_end end = {.wstatus = e->wstatus, .oom_killed = e->oom_killed};
    char how[REPORT_END_MAX], uptime[REPORT_DURATION_MAX], text[EFFECT_TEXT_MAX];
    /* A run that we have stopped was told of when that began. */
    bool stopped = u->end.cause == POLICY_TIMED_OUT || u->end.cause == POLICY_UNREADY || u->end.cause == POLICY_HOOK ||
                   u->end.cause == POLICY_UNHEALTHY || u->end.cause == POLICY_WATCHDOG;
    bool well = policy_is_success(u->spec, &u->end) || stopped;
    struct effects_slot *slot;

    snprintf(text, sizeof text, "%s after %s%s%s", report_end(u, &end, how),
             report_duration(s->now_ms - u->exec_ms, uptime), *tail ? "; " : "", tail);
    slot = add_report(s, u, well ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "exited", text);
    slot->pid = e->pid;
    if (WIFEXITED(e->wstatus)) {
        slot->code_kind = 'e';
        slot->code = WEXITSTATUS(e->wstatus);
    } else if (WIFSIGNALED(e->wstatus)) {
        slot->code_kind = 's';
        slot->code = WTERMSIG(e->wstatus);
    }
}

char *report_end(const struct unit *u, const struct policy_end *end, char *buf)
{
    char status[REPORT_STATUS_MAX], limit[REPORT_SIZE_MAX];
    const char *text = report_status(end->wstatus, status);

    if (end->oom_killed && u->spec->mem_limit > 0)
        snprintf(buf, REPORT_END_MAX, "%s (out of memory, limit %s)", text, report_size(u->spec->mem_limit, limit));
    else
        snprintf(buf, REPORT_END_MAX, "%s%s", text, end->oom_killed ? " (out of memory)" : "");
    return buf;
}

void report_failed(struct super *s, const struct unit *u, bool gave_up)
{
    char buf[REPORT_END_MAX];
    bool listed = spec_exits_has(&u->spec->no_restart_exit_codes, u->end.wstatus);

    if (gave_up)
        report(s, u, LOG_LEVEL_ERROR, "failed", "gave up after %llu restart%s", (unsigned long long)u->n_attempts,
               u->n_attempts == 1 ? "" : "s");
    else if (u->end.cause == POLICY_TIMED_OUT)
        report(s, u, LOG_LEVEL_ERROR, "failed", "failed: not ready after %s",
               report_duration(u->spec->start_timeout_ms, buf));
    else if (u->end.cause == POLICY_NO_DAEMON)
        report(s, u, LOG_LEVEL_ERROR, "failed", "failed: exited 0 but left no daemon behind");
    else if (u->end.cause == POLICY_NOT_READY)
        report(s, u, LOG_LEVEL_ERROR, "failed", "failed: it was never ready; %s%s", report_end(u, &u->end, buf),
               listed ? " (one of no_restart_exit_codes)" : "");
    else if (u->end.cause == POLICY_UNREADY)
        report(s, u, LOG_LEVEL_ERROR, "failed", "failed: it was never ready");
    else if (u->end.cause == POLICY_HOOK)
        report(s, u, LOG_LEVEL_ERROR, "failed", "failed: %s failed", spec_hook_point_name(u->end.hook));
    else if (u->end.cause == POLICY_UNHEALTHY)
        report(s, u, LOG_LEVEL_ERROR, "failed", "failed: unhealthy");
    else if (u->end.cause == POLICY_WATCHDOG)
        report(s, u, LOG_LEVEL_ERROR, "failed", "failed: watchdog");
    else if (u->end.cause == POLICY_EXITED)
        report(s, u, LOG_LEVEL_ERROR, "failed", "failed: %s%s", report_end(u, &u->end, buf),
               listed ? " (one of no_restart_exit_codes)" : "");
}

char *report_status(int wstatus, char *buf)
{
    const char *name;

    if (WIFEXITED(wstatus)) {
        snprintf(buf, REPORT_STATUS_MAX, "exited with code %d", WEXITSTATUS(wstatus));
    } else if (WIFSIGNALED(wstatus)) {
        const char *core = WCOREDUMP(wstatus) ? " (core dumped)" : "";
        name = parse_signal_name(WTERMSIG(wstatus));
        if (name)
            snprintf(buf, REPORT_STATUS_MAX, "killed by %s%s", name, core);
        else
            snprintf(buf, REPORT_STATUS_MAX, "killed by signal %d%s", WTERMSIG(wstatus), core);
    } else {
        snprintf(buf, REPORT_STATUS_MAX, "ended with wait status 0x%x", (unsigned)wstatus);
    }
    return buf;
}

char *report_duration(int64_t ms, char *buf)
{
    long long s = ms / 1000;

    if (ms < 1000)
        snprintf(buf, REPORT_DURATION_MAX, "%lld ms", (long long)ms);
    else if (s < 120 && ms % 1000 < 100)
        snprintf(buf, REPORT_DURATION_MAX, "%lld s", s);
    else if (s < 120)
        snprintf(buf, REPORT_DURATION_MAX, "%lld.%lld s", s, (long long)(ms % 1000 / 100));
    else if (s < 2 * 3600)
        snprintf(buf, REPORT_DURATION_MAX, "%lld min %lld s", s / 60, s % 60);
    else if (s < 2 * 86400)
        snprintf(buf, REPORT_DURATION_MAX, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        snprintf(buf, REPORT_DURATION_MAX, "%lld days %lld h", s / 86400, s / 3600 % 24);
    return buf;
}

char *report_size(int64_t bytes, char *buf)
{
    static const char units[] = "KMGTPE";
    double size = (double)bytes / 1024.;
    size_t i = 0;

    if (bytes < 1024) {
        snprintf(buf, REPORT_SIZE_MAX, "%lld bytes", (long long)bytes);
        return buf;
    }
    for (; size >= 1024. && units[i + 1] != '\0'; i++)
        size /= 1024.;
    snprintf(buf, REPORT_SIZE_MAX, "%.1f%c", size, units[i]);
    return buf;
}

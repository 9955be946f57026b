/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The configuration as plain data: what the file means, after merging, extending and expanding. All
 * pointers point into the arena of the set, which is constant once loaded and freed as a whole.
 * Times are milliseconds.
 */
#ifndef FOSTER_CORE_SPEC_H
#define FOSTER_CORE_SPEC_H

#include "base/log.h"
#include "base/mem.h"
#include "core/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SPEC_NAME_MAX = 64, SPEC_SERVICES_MAX = 4096, SPEC_UNITS_MAX = 16384, SPEC_SCALE_MAX = 10000 };

/** Of numbers that may be negative: as fosterd has it. */
#define SPEC_INHERIT INT64_MIN

/** How a service runs and how its end of start-up is known; see foster.yaml(5). */
enum spec_type {
    SPEC_TYPE_AUTO,
    SPEC_TYPE_SIMPLE,
    SPEC_TYPE_FORKING,
    SPEC_TYPE_NOTIFY,
    SPEC_TYPE_ONESHOT,
    SPEC_TYPE_N
};

enum spec_restart_policy {
    SPEC_RESTART_NO,
    SPEC_RESTART_ON_FAILURE,
    SPEC_RESTART_ALWAYS,
    SPEC_RESTART_UNLESS_STOPPED,
    SPEC_RESTART_N
};

enum spec_kill_mode { SPEC_KILL_MIXED, SPEC_KILL_TREE, SPEC_KILL_MAIN, SPEC_KILL_N };

/** What left-over members get when the main process has ended and none of them is followed. */
enum spec_orphans { SPEC_ORPHANS_KILL, SPEC_ORPHANS_ADOPT, SPEC_ORPHANS_IGNORE, SPEC_ORPHANS_N };

enum spec_end_action { SPEC_END_IGNORE, SPEC_END_SHUTDOWN, SPEC_END_N };

/** Where what a service writes goes; see doc/logging.md. */
enum spec_log_driver {
    SPEC_LOG_STDOUT,   /**< our own standard output, line by line, with the unit's name before each */
    SPEC_LOG_INHERIT,  /**< our own descriptors, untouched by us */
    SPEC_LOG_FILE,     /**< a file that is rotated */
    SPEC_LOG_SYSLOG,   /**< RFC 5424, over a datagram socket */
    SPEC_LOG_JOURNALD, /**< the native protocol of systemd-journald */
    SPEC_LOG_NONE,     /**< nowhere */
    SPEC_LOG_N
};

enum spec_log_format { SPEC_LOG_TEXT, SPEC_LOG_JSON, SPEC_LOG_FORMAT_N };

/** What happens when what a service writes does not go out fast enough. */
enum spec_log_mode {
    SPEC_LOG_BLOCKING, /**< the service waits, as on any full pipe; nothing is lost */
    SPEC_LOG_DROP,     /**< the oldest lines that wait are dropped, counted, and a line says so */
    SPEC_LOG_MODE_N
};

/** What a dependency must have reached before its dependent starts. */
enum spec_condition {
    SPEC_COND_STARTED,      /**< its program runs (or has run) */
    SPEC_COND_READY,        /**< it is ready */
    SPEC_COND_HEALTHY,      /**< it is ready, and its health check has succeeded */
    SPEC_COND_COMPLETED_OK, /**< it has ended for good, successfully */
    SPEC_COND_COMPLETED,    /**< it has ended for good, somehow */
    SPEC_COND_N
};

/** One dependency of a service. */
struct spec_dep {
    const char *service; /**< name of the service, without instance number */
    enum spec_condition condition;
    bool required; /**< false: order only; a failed or missing dependency does not matter */
    bool restart;  /**< whoever restarts it restarts the dependent, too; what the restart policy does does not count */
    struct diag_pos pos;
};

/** One variable. */
struct spec_env {
    const char *name;
    const char *value; /**< NULL: pass the daemon's own value on, if it has one */
};

/** One step of a stop: a signal, then how long to wait for the end before the next step. */
struct spec_stop_step {
    int signal;
    int64_t wait_ms; /**< -1: what is left of the grace period */
};

/** A restart policy. */
struct spec_restart {
    enum spec_restart_policy policy;
    int64_t delay_ms;
    double factor;
    int64_t max_delay_ms;
    double jitter;          /**< 0..1, share of the delay by which it varies either way */
    int64_t max_attempts;   /**< 0: endless */
    int64_t reset_after_ms; /**< READY that long resets delay and count; a run that is never ready does not */
};

/** The set of exit statuses: codes 0..255 and signals. */
struct spec_exits {
    uint64_t codes[4];   /**< bit c of the 256: exit code c */
    uint64_t signals[2]; /**< bit s: killed by signal s */
};

/** Who a service runs as, looked up when the file was read. */
struct spec_user {
    const char *text;  /**< as the file has it; NULL: as whoever fosterd runs as */
    uid_t uid;         /**< never (uid_t)-1 */
    gid_t gid;         /**< the primary group, never (gid_t)-1 */
    gid_t *groups;     /**< the supplementary groups of the user, gid included; without `group_add` */
    size_t n_groups;   /**< at least 1 when text is set */
    const char *name;  /**< of its entry in /etc/passwd; the number in decimal where there is none. For USER, LOGNAME */
    const char *home;  /**< for HOME; "/" where there is no entry */
    const char *shell; /**< for SHELL; "/bin/sh" where there is none */
};

/** Groups by name or number, with what they were looked up to. */
struct spec_groups {
    char **texts; /**< as the file has them; NULL-terminated, or NULL: none */
    gid_t *gids;
    size_t n;
};

/** A set of capabilities (capabilities(7)). */
struct spec_caps {
    char **names;  /**< in capitals, without CAP_; "ALL" is one; NULL-terminated, or NULL: none */
    uint64_t mask; /**< bit n: capability number n; ALL is UINT64_MAX, also on a kernel that has fewer */
};

/** One resource limit (setrlimit(2)). */
struct spec_ulimit {
    int resource;  /**< RLIMIT_NOFILE …, never RLIMIT_LOCKS: that bears the tag */
    uint64_t soft; /**< in the resource's own unit; UINT64_MAX: unlimited */
    uint64_t hard; /**< at least soft */
};

/** What is done about zombies whose parent lives and does not wait. */
enum spec_zombie_action {
    SPEC_ZOMBIES_OFF,     /**< nobody looks */
    SPEC_ZOMBIES_WARN,    /**< tell */
    SPEC_ZOMBIES_NUDGE,   /**< SIGCHLD to the parent */
    SPEC_ZOMBIES_RESTART, /**< restart the service */
    SPEC_ZOMBIES_REAP,    /**< make the parent wait for them; see doc/zombies.md */
    SPEC_ZOMBIES_N
};

/** When, and what, is done about them. */
struct spec_zombies {
    int64_t limit; /**< from so many in one unit on; at least 1. In a service 0: as `supervisor:` says */
    enum spec_zombie_action action; /**< in a service SPEC_ZOMBIES_N: as `supervisor:` says */
    int64_t check_ms;               /**< time between two looks, at least 1000; of `supervisor:` only */
};

/** What messages for a syslog daemon look like. */
enum spec_syslog_format {
    SPEC_SYSLOG_RFC5424,
    SPEC_SYSLOG_RFC3164, /**< as syslog(3) has them, but for the time, which the daemon knows as well */
    SPEC_SYSLOG_N
};

/** The key `logging`, or `stderr` in it. */
struct spec_log {
    enum spec_log_driver driver;
    enum spec_log_format format; /**< of STDOUT and FILE */
    enum spec_log_mode mode;
    bool timestamps;       /**< of STDOUT and FILE in text: RFC 3339, UTC, microseconds, before each line */
    int64_t buffer_size;   /**< bytes of the last output that are kept in memory; a power of two, 4 KiB to 64 MiB */
    const char *path;      /**< of FILE: absolute */
    int64_t max_size;      /**< of FILE: bytes at which it is rotated; 0: never for its size */
    int64_t max_age_ms;    /**< of FILE: age at which it is rotated; 0: never for its age */
    int64_t max_file;      /**< of FILE: how many there are at most, the present one included; at least 1 */
    bool compress;         /**< of FILE: those that are not the present one, by gzip(1) */
    int file_mode;         /**< of FILE */
    int directory_mode;    /**< of FILE: of its directory, where we make it */
    struct spec_user user; /**< of FILE: whose it and that directory are made; text NULL: ours */
    const char *address;   /**< of SYSLOG: path of the socket */
    enum spec_syslog_format syslog_format; /**< of SYSLOG */
    int facility;                          /**< of SYSLOG and JOURNALD: 0 to 23, as in RFC 5424 */
    const char *tag;                       /**< of SYSLOG and JOURNALD: the identifier; NULL: the name of the service */
};

/** The two streams of a service. */
enum spec_stream { SPEC_STREAM_OUT, SPEC_STREAM_ERR, SPEC_STREAM_N };

/** A program and its arguments. */
struct spec_command {
    char **argv; /**< NULL-terminated, or NULL: none */
    size_t n;
};

/** Where a probe connects to. Names are not looked up. */
struct spec_endpoint {
    const char *text; /**< as the file has it; NULL: none */
    const char *host; /**< "localhost", an IPv4 address, or an IPv6 address without brackets */
    unsigned port;    /**< 1 to 65535 */
    const char *path; /**< of a URL, with its query, from the slash on; NULL: of no URL */
};

/** How a probe asks. */
enum spec_probe_kind {
    SPEC_PROBE_NONE,
    SPEC_PROBE_EXEC, /**< a command that exits with 0 */
    SPEC_PROBE_TCP,  /**< somebody accepts the connection */
    SPEC_PROBE_HTTP, /**< GET is answered with a status of 200 to 399 */
    SPEC_PROBE_N
};

/** One probe. */
struct spec_probe {
    enum spec_probe_kind kind;
    struct spec_command exec;      /**< of EXEC; a test for a shell is `/bin/sh -c TEXT` */
    struct spec_endpoint endpoint; /**< of TCP and HTTP */
};

/** How a service shows that it is ready. */
enum spec_ready_kind {
    SPEC_READY_TYPE,   /**< as its type has it: see spec_ready_kind() */
    SPEC_READY_NOTIFY, /**< READY=1 (sd_notify(3)) */
    SPEC_READY_FD,     /**< a newline on a descriptor that it is given */
    SPEC_READY_LOG,    /**< a line of output that matches */
    SPEC_READY_PROBE,  /**< a probe that succeeds */
    SPEC_READY_AFTER,  /**< by having run so long */
    SPEC_READY_N
};

/** The key `ready`. */
struct spec_ready {
    enum spec_ready_kind kind;
    int64_t fd;              /**< of FD: its number, 3 to 1023 */
    const char *log;         /**< of LOG: a POSIX extended regular expression, known to compile */
    struct spec_probe probe; /**< of PROBE */
    int64_t after_ms;        /**< of AFTER */
};

/** The key `healthcheck`; times as Compose has them. */
struct spec_health {
    struct spec_probe probe;   /**< NONE: there is no check */
    int64_t interval_ms;       /**< from the end of one check to the beginning of the next, and before the first */
    int64_t timeout_ms;        /**< a check that takes longer has failed */
    int64_t retries;           /**< so many failures in a row are "unhealthy"; at least 1 */
    int64_t start_period_ms;   /**< failures so long after the start do not count, until one check has succeeded */
    int64_t start_interval_ms; /**< in place of interval_ms meanwhile */
};

/** What follows when a service has become unhealthy. */
enum spec_unhealthy_action { SPEC_UNHEALTHY_IGNORE, SPEC_UNHEALTHY_RESTART, SPEC_UNHEALTHY_SHUTDOWN, SPEC_UNHEALTHY_N };

/** The points in the life of a run at which commands of the configuration run. */
enum spec_hook_point {
    SPEC_HOOK_PRE_START,  /**< before the program is started */
    SPEC_HOOK_POST_START, /**< when it has shown that it is ready, before anybody else is told */
    SPEC_HOOK_PRE_STOP,   /**< before the first stop signal of a run that was ready */
    SPEC_HOOK_POST_STOP,  /**< when nothing of the run is left that would be ended, however it has ended */
    SPEC_HOOK_N
};

/** One command of a hook. */
struct spec_hook {
    struct spec_command command;
    struct spec_user user;        /**< text NULL: as the service */
    struct spec_env *environment; /**< on top of the service's, sorted by name */
    size_t n_environment;
    const char *working_dir; /**< NULL: as the service */
    int64_t timeout_ms;      /**< then it is killed, and has failed; 0: no limit */
    struct diag_pos pos;
};

/** The commands of one point, run one after another. */
struct spec_hooks {
    struct spec_hook *items;
    size_t n;
};

/** The key `reload`: what `fosterctl reload SERVICE` does. */
struct spec_reload {
    int signal;                  /**< 0: none */
    struct spec_command command; /**< run beside the service */
};

/** Families of listening sockets. */
enum spec_socket_kind {
    SPEC_SOCKET_TCP,       /**< stream, IPv4 or IPv6 */
    SPEC_SOCKET_UDP,       /**< datagram, IPv4 or IPv6 */
    SPEC_SOCKET_UNIX,      /**< stream, by path */
    SPEC_SOCKET_DATAGRAM,  /**< datagram, by path */
    SPEC_SOCKET_SEQPACKET, /**< by path */
    SPEC_SOCKET_N
};

/** One socket that is opened for a service. */
struct spec_socket {
    const char *listen; /**< as the file has it */
    enum spec_socket_kind kind;
    const char *host;      /**< of TCP and UDP: an address; NULL: any, IPv6 and IPv4 alike */
    unsigned port;         /**< of TCP and UDP: 1 to 65535 */
    const char *path;      /**< of the others: absolute, at most 107 bytes */
    const char *name;      /**< for LISTEN_FDNAMES; the name of the service when the file names none */
    int mode;              /**< of a path: permissions; -1 of the others */
    struct spec_user user; /**< who owns the path; text NULL: fosterd's user */
    int64_t backlog;       /**< as of listen(2) */
    struct diag_pos pos;
};

/** Whether a run of a schedule that falls due while the last one goes on is left out or made up for. */
enum spec_overlap { SPEC_OVERLAP_SKIP, SPEC_OVERLAP_QUEUE, SPEC_OVERLAP_N };

/** A schedule of five fields as in crontab(5): bit n is value n. */
struct spec_cron {
    const char *text; /**< as the file has it; NULL: none */
    uint64_t minutes;
    uint32_t hours;
    uint32_t days;    /**< of the month, from bit 1 on */
    uint16_t months;  /**< from bit 1 on */
    uint8_t weekdays; /**< bit 0: Sunday */
    bool any_day;     /**< the day of the month begins with `*`: then the weekday alone decides */
    bool any_weekday; /**< the weekday begins with `*`: then the day of the month alone decides */
    bool any_hour;    /**< the hour begins with `*` */
};

/** The key `schedule`. */
struct spec_schedule {
    int64_t every_ms;      /**< 0: not given */
    struct spec_cron cron; /**< text NULL: not given */
    enum spec_overlap overlap;
};

/** A name and a value. */
struct spec_label {
    const char *name;
    const char *value;
};

/** One service as configured. */
struct spec {
    const char *name;
    struct diag_pos pos; /**< of its name in the file */
    bool enabled;        /**< no profiles, or one of them selected */

    char **entrypoint; /**< NULL-terminated, or NULL */
    size_t n_entrypoint;
    char **command; /**< NULL-terminated */
    size_t n_command;
    enum spec_type type;

    struct spec_env *environment; /**< env_file and environment merged, sorted by name */
    size_t n_environment;
    bool clear_env;
    char **clear_env_keep;   /**< names to keep when clear_env; NULL-terminated, or NULL */
    const char *working_dir; /**< NULL: the daemon's */
    int umask;               /**< -1: inherit */

    struct spec_user user;
    struct spec_groups group_add;
    int64_t nice;          /**< -20 to 19; SPEC_INHERIT: inherit */
    int64_t oom_score_adj; /**< -1000 to 1000; SPEC_INHERIT: inherit */
    struct spec_caps cap_add;
    struct spec_caps cap_drop;
    bool no_new_privileges;      /**< `security_opt` */
    struct spec_ulimit *ulimits; /**< sorted by resource */
    size_t n_ulimits;
    int64_t pids_limit; /**< processes and threads of one instance; 0: no limit */
    int64_t mem_limit;  /**< bytes of one instance; 0: no limit */
    double cpus;        /**< processors' worth of time of one instance; 0: no limit */
    struct spec_zombies zombies;

    struct spec_dep *depends_on;
    size_t n_depends_on;
    int64_t start_timeout_ms; /**< 0: no limit (default for a oneshot) */
    struct spec_ready ready;
    struct spec_health healthcheck;
    enum spec_unhealthy_action on_unhealthy;
    int64_t watchdog_ms; /**< the longest time between two WATCHDOG=1; 0: nobody watches */
    struct spec_hooks hooks[SPEC_HOOK_N];
    struct spec_reload reload;
    struct spec_socket *sockets;
    size_t n_sockets;
    struct spec_schedule schedule;

    struct spec_restart restart;
    struct spec_exits success_exit_codes;
    struct spec_exits no_restart_exit_codes;
    bool essential;
    enum spec_end_action on_success;
    enum spec_end_action on_failure;

    struct spec_stop_step *stop_signal; /**< at least one step */
    size_t n_stop_signal;
    int64_t stop_grace_period_ms; /**< then SIGKILL; 0: at once */
    enum spec_kill_mode kill_mode;
    enum spec_orphans orphans;
    const char *pid_file; /**< NULL: none */

    int64_t scale;
    char **profiles; /**< NULL-terminated, or NULL */
    bool autostart;
    struct spec_label *labels;
    size_t n_labels;
    struct spec_log log[SPEC_STREAM_N]; /**< the second is used when log_split */
    bool log_split;                     /**< standard error goes another way than standard output */
};

/** When the daemon ends by itself. */
enum spec_exit_when { SPEC_EXIT_IDLE, SPEC_EXIT_ESSENTIAL, SPEC_EXIT_NEVER, SPEC_EXIT_N };

/** The `supervisor:` section. */
struct spec_supervisor {
    enum spec_exit_when exit_when;
    int64_t stop_timeout_ms; /**< budget for stopping everything; 0: the services' own */
    enum log_level log_level;
    enum log_format log_format;
    bool log_level_set; /**< the file names it (the command line wins over it) */
    bool log_format_set;
    bool subreaper;
    const char *state_dir;       /**< NULL: no state is kept on disk */
    const char *control;         /**< path of the control socket; NULL: in the runtime directory */
    int control_mode;            /**< 0600, or 0660: members of control_group may act, too */
    const char *control_group;   /**< name or number; NULL: none */
    bool require_limits;         /**< a service whose limits cannot be enforced is not started */
    const char *cgroup;          /**< "auto", "off", or the absolute path of a control group that is ours */
    struct spec_zombies zombies; /**< for services that say nothing else; limit at least 1, action not SPEC_ZOMBIES_N */
};

/** A whole configuration: one generation. */
struct spec_set {
    struct arena arena; /**< owns everything below, but for what is shared */
    struct spec_set
        *base;          /**< the set to whose arena the rest belongs, kept alive by this one; NULL: there is no rest */
    unsigned n_sharers; /**< so many sets have this one as base */
    const char *name;   /**< project name; never NULL ("foster" when the file names none) */
    struct spec *services; /**< in the order of the file */
    size_t n_services;
    struct spec_supervisor supervisor;
};

/** The service called NAME, or NULL. */
const struct spec *spec_find(const struct spec_set *set, const char *name) NONNULL();

/** How many streams of S go their own ways: 1, or with `stderr` in `logging` 2. */
static inline unsigned spec_n_streams(const struct spec *s)
{
    return s->log_split ? SPEC_STREAM_N : 1;
}

/** Whether anything of what S writes goes through a pipe of ours. */
bool spec_is_piped(const struct spec *s) NONNULL();

/** Whether the wait status WSTATUS (wait(2)) is in EXITS. */
bool spec_exits_has(const struct spec_exits *exits, int wstatus) NONNULL();

/** Adds exit code CODE (0..255), or signal SIG (1..127), to EXITS. */
void spec_exits_add_code(struct spec_exits *exits, int code) NONNULL();
void spec_exits_add_signal(struct spec_exits *exits, int sig) NONNULL();

/** The words of the file for each value ("on-failure"); static. */
const char *spec_type_name(enum spec_type v);
const char *spec_restart_policy_name(enum spec_restart_policy v);
const char *spec_kill_mode_name(enum spec_kill_mode v);
const char *spec_orphans_name(enum spec_orphans v);
const char *spec_end_action_name(enum spec_end_action v);
const char *spec_log_driver_name(enum spec_log_driver v);
const char *spec_log_format_name(enum spec_log_format v);
const char *spec_log_mode_name(enum spec_log_mode v);
const char *spec_condition_name(enum spec_condition v);
const char *spec_exit_when_name(enum spec_exit_when v);
const char *spec_zombie_action_name(enum spec_zombie_action v);
const char *spec_unhealthy_action_name(enum spec_unhealthy_action v);
const char *spec_hook_point_name(enum spec_hook_point v);
const char *spec_overlap_name(enum spec_overlap v);

/** Whether DRIVER takes output through a pipe of ours. */
static inline bool spec_log_is_piped(enum spec_log_driver driver)
{
    return driver != SPEC_LOG_INHERIT && driver != SPEC_LOG_NONE;
}

/** Whether S has a limit that only a control group can enforce. */
static inline bool spec_has_limits(const struct spec *s)
{
    return s->pids_limit > 0 || s->mem_limit > 0 || s->cpus > 0;
}

/** How S shows that it is ready: as `ready` says; else SPEC_READY_NOTIFY for type notify, and SPEC_READY_TYPE for the
 * others: started is ready for auto and simple, a daemon is left for forking, exit code 0 for oneshot. */
enum spec_ready_kind spec_ready_kind(const struct spec *s) NONNULL();

/** Whether S runs by a schedule. */
static inline bool spec_is_scheduled(const struct spec *s)
{
    return s->schedule.every_ms > 0 || s->schedule.cron.text != NULL;
}

/** What is to be done about the zombies of S: its own words, where it has any, else those of SUPERVISOR. */
struct spec_zombies spec_zombies_of(const struct spec *s, const struct spec_supervisor *supervisor) NONNULL();

/** Fills S with the default of every key; the name and command stay empty. The stop_signal default is
 *  static storage. */
void spec_defaults(struct spec *s) NONNULL();

/** Fills S with the default of every key of `supervisor:`. */
void spec_supervisor_defaults(struct spec_supervisor *s) NONNULL();

/** Whether A and B describe the same service: every key, but not places in files. For reload and for
 *  the check that --print-config reads back. */
bool spec_equal(const struct spec *a, const struct spec *b) NONNULL();

/** As spec_equal(), for a whole configuration. */
bool spec_set_equal(const struct spec_set *a, const struct spec_set *b) NONNULL();

/** SET with SCALE instances (0 to SPEC_SCALE_MAX) of the service called NAME, which there is; see check_rescaled(). It
 * shares all else with SET, whose memory lives on until the last of them is freed, in whatever order. NULL with ENOMEM.
 */
struct spec_set *spec_set_rescaled(struct spec_set *set, const char *name, int64_t scale) MUST_CHECK NONNULL();

/** Frees SET and all of its arena, as soon as no other set shares that; NULL is fine. */
void spec_set_free(struct spec_set *set);

#endif

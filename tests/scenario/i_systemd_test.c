/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * I: at home. A real systemd, booted as PID 1 of namespaces of its own on a copy-on-write view of this machine's root,
 * runs fosterd by the unit that we ship.
 *
 * Opt-in, for it boots an operating system: FOSTER_TEST_SYSTEMD=1, as root, where systemd is installed. All that it
 * changes is in a tmpfs and in control groups of its own, which are removed.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BOOT_GUARD_MS = 100000 };

/* What systemd runs beside fosterd: starts it, looks, provokes the watchdog, stops it, says what it saw, ends the
 * system. */
static const char check_script[] = "#!/bin/sh\n"
                                   "exec 3>'@DIR@/ear'\n"
                                   "show() { systemctl show -p \"$1\" fosterd.service >&3; }\n"
                                   "echo booted >&3\n"
                                   "systemctl start fosterd.service; echo \"start $?\" >&3\n"
                                   "show ActiveState; show StatusText; show NRestarts; show NotifyAccess\n"
                                   "echo \"services $(pgrep -c -x actor)\" >&3\n"
                                   "file=/etc/foster/foster.yaml\n"
                                   "sed -i 's/^  job:.*/  more: { command: sleep infinity }/' $file\n"
                                   "systemctl reload fosterd.service; echo \"reload $?\" >&3\n"
                                   "echo \"more $(pgrep -c -x sleep)\" >&3; show StatusText\n"
                                   "sed -i 's/^  more:.*/  more: nonsense/' $file\n"
                                   "systemctl reload fosterd.service; echo \"reload $?\" >&3\n"
                                   "sed -i 's/^  more:.*/  job: { type: oneshot, command: true }/' $file\n"
                                   "systemctl reload fosterd.service; echo \"reload $?\" >&3\n"
                                   "sleep 3\n"
                                   "show ActiveState; show NRestarts\n"
                                   "main=$(systemctl show -P MainPID fosterd.service)\n"
                                   "kill -STOP \"$main\"; tail -f --pid=\"$main\" /dev/null\n"
                                   "until systemctl is-active -q fosterd.service; do sleep 0.1; done\n"
                                   "show NRestarts\n"
                                   "systemctl stop fosterd.service; echo \"stop $?\" >&3\n"
                                   "show Result; show ExecMainStatus; show ActiveState\n"
                                   "echo \"left $(pgrep -c -x actor)\" >&3\n"
                                   "systemctl poweroff --force --force\n";

static const char drop_in[] = "[Service]\nWatchdogSec=1\nRestartSec=100ms\n";

static const char target[] = "[Unit]\nRequires=foster-check.service\nAfter=foster-check.service\nAllowIsolate=yes\n";

static const char check_unit[] = "[Unit]\nAfter=basic.target\n"
                                 "[Service]\nExecStart=/bin/sh @DIR@/check.sh\nKillMode=process\n";

static const char services[] = "services:\n"
                               "  web: { command: '@ACTOR@ wait' }\n"
                               "  daemon: { command: '@ACTOR@ daemonize-once wait' }\n"
                               "  job: { type: oneshot, command: '@ACTOR@ exit 0' }\n";

struct boot {
    struct scenario *s;
    char cgroup[96]; /* of this test, in the unified hierarchy */
};

static void must_boot(bool ok, const char *step)
{
    if (!ok) {
        (void)dprintf(2, "boot: %s: %s\n", step, strerror(errno));
        _exit(113);
    }
}

/** The shipped unit, with the place of this build's fosterd in it, from the template. */
static void write_unit(struct scenario *s)
{
    /* Both programs are in the same directory of the build. */
    static const char variable[] = "@CMAKE_INSTALL_FULL_SBINDIR@", other[] = "@CMAKE_INSTALL_FULL_BINDIR@";
    static char unit[8192];
    char line[512];
    char dir[SCENARIO_PATH_MAX];
    FILE *f = fopen(SOURCE_DIR "/systemd/fosterd.service.in", "re");
    assert_non_null(f);
    (void)snprintf(dir, sizeof(dir), "%s", FOSTERD);
    *strrchr(dir, '/') = '\0';
    while (fgets(line, sizeof(line), f)) {
        size_t n = strlen(unit);
        char *at = strstr(line, variable);
        at = at ? at : strstr(line, other);
        if (at) {
            *at = '\0';
            (void)snprintf(unit + n, sizeof(unit) - n, "%s%s%s", line, dir, strchr(at + 1, '@') + 1);
        } else {
            (void)snprintf(unit + n, sizeof(unit) - n, "%s", line);
        }
    }
    (void)fclose(f);
    (void)scenario_write(s, "fosterd.service", 0644, unit);
}

static void join(const char *cgroup)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    must_boot(fd >= 0 && write(fd, "0", 1) == 1, path);
    (void)close(fd);
}

static void install(const char *root, const char *from, const char *to)
{
    char path[512];
    static char text[8192];
    (void)snprintf(path, sizeof(path), "%s%s", root, to);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t n = in < 0 ? -1 : read(in, text, sizeof(text));
    must_boot(n >= 0 && out >= 0 && write(out, text, (size_t)n) == n, path);
    (void)close(in);
    (void)close(out);
}

static void mount_at(const char *root, const char *source, const char *at, const char *type, unsigned long flags,
                     const char *data)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s%s", root, at);
    (void)mkdir(path, 0755);
    must_boot(!mount(source, path, type, flags, data), path);
}

/** A copy-on-write view of / at DIR/world/root. */
static const char *make_root(struct boot *b)
{
    static const char *const parts[] = {"world/upper", "world/work", "world/root"};
    const char *world = scenario_path(b->s, "world");
    char options[640];
    must_boot(!mkdir(world, 0755) && !mount("none", world, "tmpfs", 0, NULL), "tmpfs");
    for (size_t i = 0; i < 3; i++) {
        must_boot(!mkdir(scenario_path(b->s, parts[i]), 0755), parts[i]);
    }
    (void)snprintf(options, sizeof(options), "lowerdir=/,upperdir=%s/upper,workdir=%s/work", world, world);
    const char *root = scenario_path(b->s, parts[2]);
    must_boot(!mount("overlay", root, "overlay", 0, options), "overlay");
    return root;
}

/* Nothing in there may tidy up: what it sees is partly the machine's. */
static void mask_units(const char *root)
{
    static const char *const units[] = {"systemd-tmpfiles-setup.service", "systemd-tmpfiles-setup-dev.service",
                                        "systemd-tmpfiles-clean.service", "systemd-tmpfiles-clean.timer"};
    char path[512];
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        (void)snprintf(path, sizeof(path), "%s/etc/systemd/system/%s", root, units[i]);
        must_boot(!symlink("/dev/null", path) || errno == EEXIST, path);
    }
}

static void fill_root(struct boot *b, const char *root)
{
    static const char *const dirs[] = {"/etc/foster", "/etc/systemd/system/fosterd.service.d"};
    char path[512];
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, dirs[i]);
        must_boot(!mkdir(path, 0755) || errno == EEXIST, path);
    }
    install(root, scenario_path(b->s, "fosterd.service"), "/etc/systemd/system/fosterd.service");
    install(root, scenario_path(b->s, "drop-in"), "/etc/systemd/system/fosterd.service.d/test.conf");
    install(root, scenario_path(b->s, "target"), "/etc/systemd/system/foster-test.target");
    install(root, scenario_path(b->s, "check.service"), "/etc/systemd/system/foster-check.service");
    install(root, scenario_path(b->s, "services.yaml"), "/etc/foster/foster.yaml");
    install(root, "/dev/null", "/etc/fstab");
    mask_units(root);
}

/* Makes the directory AT, when it is below /tmp, visible in the new root too, and nothing else that is there: the
 * machine's /tmp must be out of reach of a system that cleans its own as it boots. */
static void show_below_tmp(const char *root, const char *at)
{
    char path[512];
    if (strncmp(at, "/tmp/", 5) != 0) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%s%s", root, at);
    for (char *p = path + strlen(root) + 5; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        must_boot(!mkdir(path, 0755) || errno == EEXIST, path);
        *p = '/';
    }
    must_boot(!mkdir(path, 0755) || errno == EEXIST, path);
    must_boot(!mount(at, path, NULL, MS_BIND, NULL), path);
}

/** A /dev of its own: what a booting system makes and changes in there must not be the machine's. */
static void make_dev(const char *root)
{
    static const char *const nodes[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                        "/dev/random", "/dev/urandom", "/dev/tty"};
    char path[512];
    mount_at(root, "none", "/dev", "tmpfs", 0, "mode=755");
    for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, nodes[i]);
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        must_boot(fd >= 0 && !close(fd) && !mount(nodes[i], path, NULL, MS_BIND, NULL), path);
    }
    mount_at(root, "none", "/dev/shm", "tmpfs", 0, NULL);
    mount_at(root, "none", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=666");
}

/** /proc whose settings of the machine are read-only. */
static void make_proc(const char *root)
{
    static const char *const parts[] = {"/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs"};
    char path[512];
    mount_at(root, "proc", "/proc", "proc", 0, NULL);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, parts[i]);
        must_boot(access(path, F_OK) || (!mount(path, path, NULL, MS_BIND, NULL) &&
                                         !mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL)),
                  path);
    }
}

static void mount_kernel(struct boot *b, const char *root)
{
    make_proc(root);
    make_dev(root);
    mount_at(root, "sysfs", "/sys", "sysfs", MS_RDONLY, NULL);
    mount_at(root, "none", "/run", "tmpfs", 0, "mode=755");
    mount_at(root, "none", "/tmp", "tmpfs", 0, NULL);
    show_below_tmp(root, scenario_path(b->s, "."));
    show_below_tmp(root, BINARY_DIR);
    /* With the unified hierarchy there already, systemd mounts no other: those are the machine's. */
    mount_at(root, "cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
}

static void prepare_boot(void *data)
{
    struct boot *b = data;
    join(b->cgroup);
    must_boot(!unshare(CLONE_NEWCGROUP), "cgroup namespace");
    must_boot(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    const char *root = make_root(b);
    fill_root(b, root);
    mount_kernel(b, root);
    must_boot(!chdir(root) && !syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must_boot(!umount2(".", MNT_DETACH) && !chdir("/"), "old root");
    must_boot(!setenv("container", "foster-test", 1), "container");
}

static int remove_group(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)walk;
    return type == FTW_DP ? rmdir(path) && errno != ENOENT : 0;
}

static char group[96];

static int teardown(void **state)
{
    int failed = scenario_teardown(state);
    if (*group && nftw(group, remove_group, 16, FTW_DEPTH | FTW_PHYS)) {
        print_error("%s is left behind\n", group);
        failed = -1;
    }
    return failed;
}

/** A group of our own where the unified hierarchy is mounted; false when it is not. */
static bool make_group(struct boot *b)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char path[64];
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        (void)snprintf(path, sizeof(path), "%s/cgroup.controllers", places[i]);
        (void)snprintf(b->cgroup, sizeof(b->cgroup), "%s/foster-test-%d", places[i], (int)getpid());
        if (!access(path, F_OK) && !mkdir(b->cgroup, 0755)) {
            memcpy(group, b->cgroup, sizeof(group));
            return true;
        }
    }
    return false;
}

static void expect(struct scenario *s, const char *line)
{
    const char *heard = scenario_heard(s, "ear");
    if (strcmp(heard, line) != 0) {
        scenario_fail(s, "\"%s\" instead of \"%s\"", heard, line);
    }
}

static void i01_systemd_runs_the_shipped_unit(void **state)
{
    (void)state;
    static const char *const args[] = {"--unit=foster-test.target", "--show-status=no", "--log-target=console", NULL};
    static const char systemd[] = "/lib/systemd/systemd";
    const char *wanted = getenv("FOSTER_TEST_SYSTEMD");
    if (!wanted || strcmp(wanted, "1") != 0) {
        scenario_skip("opt-in: set FOSTER_TEST_SYSTEMD=1");
    }
    if (getuid() || access(systemd, X_OK)) {
        scenario_skip("needs root and systemd");
    }
    struct boot b = {.s = scenario_new()};
    struct scenario *s = b.s;
    struct scenario_options o = {.fosterd = systemd,
                                 .args = args,
                                 .no_config = true,
                                 .plain_log = true,
                                 .leaves_children = true,
                                 .guard_ms = BOOT_GUARD_MS,
                                 .prepare = prepare_boot,
                                 .data = &b,
                                 .clone_flags =
                                     CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET};
    scenario_ear(s, "ear");
    write_unit(s);
    (void)scenario_write(s, "drop-in", 0644, drop_in);
    (void)scenario_write(s, "target", 0644, target);
    (void)scenario_write(s, "check.service", 0644, check_unit);
    (void)scenario_write(s, "check.sh", 0755, check_script);
    (void)scenario_write(s, "services.yaml", 0600, services);
    if (!make_group(&b)) {
        scenario_skip("no unified control group can be made here");
    }
    scenario_spawn(s, &o, "");
    expect(s, "booted");
    expect(s, "start 0");
    expect(s, "ActiveState=active");
    expect(s, "StatusText=3 services: 2 ready, 0 running, 0 waiting, 0 in backoff, 0 failed");
    expect(s, "NRestarts=0");
    expect(s, "NotifyAccess=main");
    expect(s, "services 2");
    /* Waits until it has been done, and fails when it cannot be. */
    expect(s, "reload 0");
    expect(s, "more 1");
    expect(s, "StatusText=3 services: 3 ready, 0 running, 0 waiting, 0 in backoff, 0 failed");
    expect(s, "reload 1");
    expect(s, "reload 0");
    /* Three seconds with a watchdog of one: it is fed. */
    expect(s, "ActiveState=active");
    expect(s, "NRestarts=0");
    /* And once it is not, systemd starts another one. */
    expect(s, "NRestarts=1");
    expect(s, "stop 0");
    expect(s, "Result=success");
    expect(s, "ExecMainStatus=0");
    expect(s, "ActiveState=inactive");
    expect(s, "left 0");
    (void)scenario_wait_exit(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(i01_systemd_runs_the_shipped_unit, scenario_setup, teardown),
    };
    return SCENARIO_RUN("i_systemd", tests);
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A house for so many processes, see house.h.
 */
#include "scenario/support/house.h"

#include "scenario/support/worlds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EX_HOUSE = 113 };

static char cgroup[160];

bool house_put(const char *file, const char *text)
{
    char path[224];
    (void)snprintf(path, sizeof(path), "%s/%s", cgroup, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    (void)close(fd);
    return ok;
}

/** A cgroup of ours with a limit on processes below PARENT; false when that is not possible. */
static bool make_cgroup(const char *parent, long max)
{
    char text[32];
    (void)snprintf(cgroup, sizeof(cgroup), "%s/foster-test-%d", parent, (int)getpid());
    if (mkdir(cgroup, 0755)) {
        *cgroup = '\0';
        return false;
    }
    (void)snprintf(text, sizeof(text), "%ld", max);
    if (house_put("pids.max", text)) {
        return true;
    }
    (void)rmdir(cgroup);
    *cgroup = '\0';
    return false;
}

void house_make(long max)
{
    if (getuid()) {
        scenario_skip("a pids cgroup needs root");
    }
    if (!make_cgroup("/sys/fs/cgroup/pids", max) && !make_cgroup("/sys/fs/cgroup", max)) {
        scenario_skip("no pids cgroup can be made here");
    }
}

int house_teardown(void **state)
{
    int failed = scenario_teardown(state);
    if (*cgroup && rmdir(cgroup)) {
        print_error("%s is left behind: %s\n", cgroup, strerror(errno));
        failed = -1;
    }
    *cgroup = '\0';
    return failed;
}

void house_enter(void *data)
{
    if (!house_put("cgroup.procs", "0")) {
        _exit(EX_HOUSE);
    }
    if (data) {
        world_own_proc(NULL);
    }
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Additions to a request. Each makes new arrays in the arena, for those of the request are constant; there are few.
 */
#include "daemon/launch_add.h"

#include <string.h>

static size_t launch_count(char *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL)
        n++;
    return n;
}

bool launch_add_variable(struct arena *a, struct spawn_request *req, char *var)
{
    size_t n = 0;
    char **vars = arena_array(a, launch_count(req->envp) + 2, sizeof *vars);
    if (vars == NULL || var == NULL)
        return false;
    size_t name = strcspn(var, "=") + 1;
    for (char *const *old = req->envp; *old != NULL; old++)
        if (strncmp(*old, var, name) != 0)
            vars[n++] = *old;
    vars[n] = var;
    req->envp = vars;
    return true;
}

bool launch_add_pid(struct arena *a, struct spawn_request *req, const char *name)
{
    size_t n = launch_count(req->pid_slots);
    size_t len = strlen(name) + 1;
    char **slots = arena_array(a, n + 2, sizeof *slots);
    char *var = arena_alloc(a, len + SPAWN_PID_ROOM);
    if (slots == NULL || var == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        slots[i] = req->pid_slots[i];
    memcpy(var, name, len - 1);
    var[len - 1] = '=';
    slots[n] = var + len;
    req->pid_slots = slots;
    return launch_add_variable(a, req, var);
}

bool launch_add_fds(struct arena *a, struct spawn_request *req, const struct spawn_fd *fds, size_t n)
{
    struct spawn_fd *all = arena_array(a, req->n_fds + n, sizeof *all);
    if (all == NULL)
        return false;
    for (size_t i = 0; i < req->n_fds; i++)
        all[i] = req->fds[i];
    for (size_t i = 0; i < n; i++)
        all[req->n_fds + i] = fds[i];
    req->fds = all;
    req->n_fds += n;
    return true;
}

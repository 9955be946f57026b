/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The verb `zombies`: looks, or has something done about them.
 */
#include "ctl/run.h"
#include "ctl/text.h"

int run_zombies(struct ctl *c)
{
    if (c->args.reap && c->args.nudge)
        return ctl_fail(c, CTL_USAGE, 0, NULL, "--reap and --nudge exclude each other; choose one");
    if (!c->args.reap && !c->args.nudge)
        return ctl_show(c, "zombies", json_pack("{s:o*}", "services", ctl_services(c)), view_zombies);
    json_t *result = ctl_call(
        c, "cure", json_pack("{s:o*, s:s}", "services", ctl_services(c), "action", c->args.reap ? "reap" : "nudge"));
    if (result == NULL)
        return c->code;
    int status = text_is_true(result, "ok") ? CTL_OK : CTL_FAILED;
    if (c->args.json)
        ctl_put_json(c, result, false);
    else
        view_cure(&c->out, &c->view, result);
    json_decref(result);
    return status;
}

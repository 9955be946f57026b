/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The trees of processes. See forest.h.
 */
#include "daemon/forest.h"

#include "daemon/engine.h"

json_t *forest_processes(struct engine *g UNUSED, unsigned unit UNUSED)
{
    return json_array();
}

void forest_sum(struct engine *g UNUSED, unsigned unit UNUSED, struct forest_sums *ret)
{
    *ret = (struct forest_sums){0};
}

bool forest_is_cut(struct engine *g UNUSED)
{
    return false;
}

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Refuses the n-th call of our own sys_* and mem_* functions, in this process and in a child that it forks, by
 * standing in for them with the linker's --wrap.
 *
 * A script is a list of rules. fault_each() runs an operation once to count its calls, and then once for each call
 * and errno with just that call refused; after each it looks for lost descriptors and children.
 */
#ifndef FOSTER_TESTS_FAULT_SUPPORT_FAULT_H
#define FOSTER_TESTS_FAULT_SUPPORT_FAULT_H

#include "base/mem.h"
#include "sys/sys.h"
#include "sys/sys_cred.h"
#include "sys/sys_dir.h"
#include "sys/sys_net.h"
#include "sys/sys_pipe.h"
#include "sys/sys_ptrace.h"

#include <stdbool.h>
#include <stddef.h>

/** What can be refused. */
enum fault_call {
#define CALL(name, ...) FAULT_##name,
#include "fault/support/calls.def"
    FAULT_N
};

/** Who calls. */
enum fault_side {
    FAULT_PARENT, /**< the process that called fault_begin() */
    FAULT_CHILD,  /**< any other */
    FAULT_SIDE_N
};

/** An errnum of a rule. */
enum {
    FAULT_SHORT = -1,   /**< the call is made, but with one byte (sys_read and sys_write only) */
    FAULT_PRETEND = -2, /**< the call is not made, and returns 0 (all others) */
};

/** One line of a script. */
struct fault_rule {
    enum fault_side side;
    enum fault_call call;
    unsigned nth; /**< from 1 */
    bool later;   /**< every later call as well */
    int errnum;
};

/** Starts counting and refusing by RULES (they are copied; at most 8), of which the first that fits applies. What
 *  sys_kernel() remembers is forgotten. */
void fault_begin(const struct fault_rule *rules, size_t n_rules);

/** Stops refusing; the counts stay. */
void fault_end(void);

/** How often CALL was made on SIDE since fault_begin(). */
unsigned fault_count(enum fault_side side, enum fault_call call);

/** How often a call was refused since fault_begin(). */
unsigned fault_refused(void);

/** The symbol of CALL. */
const char *fault_name(enum fault_call call);

/** An operation under test: runs between fault_begin() and fault_end(), and asserts what must come of it when the call
 *  of RULE (NULL: none) is refused. */
typedef void fault_operation(void *arg, const struct fault_rule *rule);

/** As said above, each time with the N_BASE rules BASE before. Of each call only the first MAX_NTH are refused. */
void fault_each(const struct fault_rule *base, size_t n_base, unsigned max_nth, fault_operation *operation, void *arg);

/** For cmocka: after a failed assertion, says which rule was in force. */
int fault_teardown(void **state);

#endif

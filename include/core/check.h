/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Rules across keys and across services: what each value alone cannot know.
 */
#ifndef FOSTER_CORE_CHECK_H
#define FOSTER_CORE_CHECK_H

#include "base/compiler.h"
#include "core/spec.h"
#include "core/tree.h"

/** Says in D what does not go together in S, which was made from the mapping NODE (for the places). */
void check_service(struct diag_list *d, const struct spec *s, const struct tree_node *node) NONNULL();

/** Says in D what does not go together in SET now that the scale of its service S is another one: SET was right before.
 */
void check_rescaled(struct diag_list *d, const struct spec_set *set, const struct spec *s) NONNULL();

/** Says in D, at POS, when `exit_when: essential` of SET could never come true. */
void check_exit_when(struct diag_list *d, const struct spec_set *set, struct diag_pos pos) NONNULL();

/** Says in D what cannot be in the keys of S for the control socket, which was made from the mapping NODE. */
void check_control(struct diag_list *d, const struct spec_supervisor *s, const struct tree_node *node) NONNULL();

/** Says in D what does not go together in SET: names, dependencies, cycles, numbers of instances. */
void check_set(struct diag_list *d, const struct spec_set *set) NONNULL();

#endif

/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The table of all configuration keys, options.def, and of the kinds of value they take, kinds.def.
 * Parser, checks, printing, JSON Schema and reference are all read from these two.
 */
#ifndef FOSTER_CORE_SCHEMA_H
#define FOSTER_CORE_SCHEMA_H

#include "base/buf.h"
#include "base/compiler.h"
#include "core/spec.h"
#include "core/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct value_ctx;
struct printer;

/** A mapping of the file whose keys are rows of the table. */
enum schema_section {
    SCHEMA_TOP,                /**< the file itself; rows point into struct spec_set */
    SCHEMA_SERVICE,            /**< struct spec */
    SCHEMA_SUPERVISOR,         /**< struct spec_supervisor */
    SCHEMA_RESTART,            /**< struct spec_restart */
    SCHEMA_LOGGING,            /**< struct spec */
    SCHEMA_LOG_STDERR,         /**< struct spec_log */
    SCHEMA_LOG_OPTIONS,        /**< struct spec_log */
    SCHEMA_DEP,                /**< struct spec_dep */
    SCHEMA_STOP_STEP,          /**< struct spec_stop_step */
    SCHEMA_ENV_FILE,           /**< struct compound_env_file */
    SCHEMA_EXTENDS,            /**< struct compound_extends */
    SCHEMA_ULIMIT,             /**< struct spec_ulimit */
    SCHEMA_ZOMBIES,            /**< struct spec_zombies, of a service */
    SCHEMA_SUPERVISOR_ZOMBIES, /**< struct spec_zombies, of `supervisor` */
    SCHEMA_READY,              /**< struct spec_ready */
    SCHEMA_HEALTHCHECK,        /**< struct spec_health; `disable` is of struct probe_keys_check */
    SCHEMA_HOOK,               /**< struct spec_hook */
    SCHEMA_RELOAD,             /**< struct spec_reload */
    SCHEMA_SOCKET,             /**< struct spec_socket */
    SCHEMA_SCHEDULE,           /**< struct spec_schedule */
    SCHEMA_SECTION_N
};

enum schema_kind {
#define KIND(id, parse, equal, print, jsonschema, takes, example) SCHEMA_KIND_##id,
#include "core/kinds.def"
#undef KIND
    SCHEMA_KIND_N
};

enum schema_flag {
    SCHEMA_REQUIRED = 1 << 0,     /**< its mapping is wrong without it */
    SCHEMA_OWN = 1 << 1,          /**< Foster's own word; the others are Compose's */
    SCHEMA_LATER = 1 << 2,        /**< known, but not supported yet */
    SCHEMA_CONTAINER = 1 << 3,    /**< belongs to a container; `help` is the advice */
    SCHEMA_ABSOLUTE = 1 << 4,     /**< a path that must begin with a slash */
    SCHEMA_MAIN_FILE = 1 << 5,    /**< not allowed in an included file */
    SCHEMA_INLINE = 1 << 6,       /**< `sub` is a mapping inside the same structure, at `offset` */
    SCHEMA_RESTART_UNIT = 1 << 7, /**< a change takes effect only in a restarted service */
    SCHEMA_RESTART_SELF = 1 << 8, /**< a change takes effect only in a restarted fosterd */
    SCHEMA_ALTERNATIVE = 1 << 9,  /**< of these in one mapping only one counts, and two in one place are an error */
};

/** One word of a value that is a choice. A list of them ends with a NULL word. */
struct schema_word {
    const char *word;
    int value; /**< of the enum; of two words with the same the first is the one that is shown */
};

/** One key. */
struct schema_row {
    enum schema_section section;
    const char *key;
    enum schema_kind kind;
    size_t offset;                   /**< of the field in the section's structure */
    size_t extra;                    /**< of the second field (count, names to keep), when the kind has one */
    int64_t min, max;                /**< of a number; milliseconds for durations, bytes for sizes */
    const struct schema_word *words; /**< of a choice */
    enum schema_section sub;         /**< of a mapping, or of a list's element */
    const char *def;                 /**< default, as one would write it; NULL: none */
    unsigned flags;                  /**< enum schema_flag */
    const char *help;                /**< one sentence */
};

/** What a kind of value can do. Functions get the row and the structure that the row's offsets are for. */
struct schema_kind_ops {
    const char *takes;   /**< "a duration" */
    const char *example; /**< what to write, for messages; NULL: made from the row */
    bool (*parse)(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
    bool (*equal)(const struct schema_row *row, const void *a, const void *b);
    void (*print)(struct printer *p, const struct schema_row *row, const void *base);
    void (*jsonschema)(struct buf *out, const struct schema_row *row);
};

/** All rows, in the order of the reference; *RET_N says how many. */
const struct schema_row *schema_rows(size_t *ret_n) NONNULL();

/** The next row of SECTION after PREV (NULL: the first), or NULL. */
const struct schema_row *schema_next(enum schema_section section, const struct schema_row *prev);

/** The row of KEY in SECTION, or NULL. */
const struct schema_row *schema_find(enum schema_section section, const char *key) NONNULL();

/** The functions and texts of KIND. */
const struct schema_kind_ops *schema_kind(enum schema_kind kind);

/** "a service", "`supervisor`": what messages call SECTION. */
const char *schema_section_name(enum schema_section section);

/** The word of WORDS for VALUE, or NULL. */
const char *schema_word(const struct schema_word *words, int value) NONNULL();

/** Keeps the best of the names offered for a word that is not known. Zero-initialised is "none yet". */
struct schema_guess {
    const char *name; /**< the nearest so far, near enough to be offered, or NULL */
    size_t distance;
};

/** Offers NAME as what WRONG may have meant. */
void schema_guess(struct schema_guess *g, const char *wrong, const char *name) NONNULL();

/** The key of SECTION that WRONG may have meant, or NULL. Keys not supported yet are not offered. */
const char *schema_suggest(enum schema_section section, const char *wrong) NONNULL();

/** Gives every field of SECTION in BASE that has a default of one scalar that default. */
void schema_defaults(enum schema_section section, void *base) NONNULL();

/** Whether the fields of SECTION in A and B are equal. */
bool schema_equal(enum schema_section section, const void *a, const void *b) NONNULL();

/** The words of the choices. */
extern const struct schema_word schema_type_words[], schema_restart_words[], schema_kill_mode_words[],
    schema_orphans_words[], schema_end_action_words[], schema_log_driver_words[], schema_service_log_format_words[],
    schema_log_mode_words[], schema_log_facility_words[], schema_syslog_format_words[], schema_condition_words[],
    schema_exit_when_words[], schema_log_level_words[], schema_log_format_words[], schema_zombie_action_words[],
    schema_unhealthy_action_words[], schema_hook_point_words[], schema_overlap_words[];

/** The field of BASE that ROW is for. */
static inline void *schema_field(const struct schema_row *row, void *base)
{
    return (char *)base + row->offset;
}

/** As schema_field(), of a constant structure. */
static inline const void *schema_const_field(const struct schema_row *row, const void *base)
{
    return (const char *)base + row->offset;
}

#endif

/* SPDX-License-Identifier: MIT */
/* The store looks itself over for damage, before somebody asks for what is damaged. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* How far the look has come; all zero: it begins. */
typedef struct weir_scrub {
    enum { SCRUB_FRESH, SCRUB_LOG, SCRUB_SEGMENTS, SCRUB_DONE } stage;
    int64_t key;     /* of log or segment: rows up to it are done */
    int unsaved;     /* pieces since that was written down */
    weir_wall again; /* SCRUB_DONE: until then */
} weir_scrub;

/*
 * A duty (maintain.c), the last: after each start it reads the commits and the log, and each week
 * all of history, a small piece a second. What is damaged is set aside, with an event.
 *
 * WEIR_EDAMAGED  the database itself is, the numbers beside a block, or replies, which many samples
 *                need: a repair is called for.
 */
weir_err weir_scrub_run(weir_store *store, weir_wall now, bool *ret_did,
                        weir_error *error) WEIR_MUST_CHECK;

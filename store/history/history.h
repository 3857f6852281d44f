/* SPDX-License-Identifier: MIT */
/* What the duties of maintenance remember between their pieces. All of it can be found again. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "store/history/archive.h"
#include "store/history/compact.h"
#include "store/history/expire.h"
#include "store/history/purge.h"
#include "store/history/scrub.h"
#include "store/store_priv.h"

struct weir_history {
    unsigned catalog_changes; /* of the store, as seen when the last piece began */

    weir_wall merge_began;     /* when the last round of merges began */
    uint64_t merge_until;      /* that round ends here */
    weir_wall current_written; /* when, in this process */

    weir_wall archive_began; /* when a part was last made of the log, or when it was opened */
    weir_archive *archive;   /* under way; NULL: none */
    weir_compact *compact;
    bool archive_looked, compact_looked; /* for parts that a crash left unfinished */
    bool parts_changed;      /* since it was last found that nothing is to be compacted */
    bool none_dropped;       /* no part waits to be deleted, and no duty ran since */
    weir_wall compact_tried; /* when that was */

    struct {
        weir_wall began;
        int64_t low;   /* fewest free pages since then */
        int64_t pages; /* to be given back now */
    } vacuum;

    weir_purge purge;
    weir_scrub scrub;
    weir_expire *expire; /* NULL: nothing is known of the rules yet */
};

/* Makes store->history where there is none. WEIR_ENOMEM. */
weir_err weir_history_make(weir_store *store, weir_error *error) WEIR_MUST_CHECK;

/* SPDX-License-Identifier: MIT */
/* How much the store has of the disk, how much it may have, and what follows from it. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

/* All zero: nothing is known and nothing limited. */
typedef struct weir_limits {
    uint64_t max_bytes; /* 0: none */
    uint64_t min_free;

    /* As of the last look. */
    int64_t pages, free_pages; /* of the file */
    uint64_t wal_bytes;
    uint64_t used;      /* pages in use, and the WAL */
    uint64_t disk_free; /* UINT64_MAX: not known */
    uint64_t room;      /* what the disk lets it write: free pages, and what is above min_free */

    const char *cause; /* of being at a cap: "max_size", "min_free"; NULL: it is not */
    bool refusing;     /* the gap of what is not stored has begun */
    bool nearly_full;  /* said so */
    bool disk_short;   /* said so: less is free than min_free */

    weir_wall base_ts; /* for the rate at which it grows */
    uint64_t base_used;

    /* What was dropped since an event told of it. */
    struct {
        uint64_t count;
        int64_t from_ts, to_ts;
        weir_wall said; /* 0: never */
    } dropped;
    uint64_t not_stored; /* samples refused at a cap */
} weir_limits;

/* After the opening: what was said before. */
weir_err weir_limits_init(weir_store *store, weir_wall now, weir_error *error) WEIR_MUST_CHECK;

/* A duty (maintain.c) that never has more to do: looks at sizes, says what changed. */
weir_err weir_limits_look(weir_store *store, weir_wall now, bool *ret_did,
                          weir_error *error) WEIR_MUST_CHECK;

/* Whether a commit may not add samples now. */
bool weir_limits_refuse(const weir_store *store);

/* The most bytes that one merge may write, so that it fits beside what it reads, and that history
 * is in pieces small enough to be dropped one at a time. UINT64_MAX: as many as it likes. */
uint64_t weir_limits_piece(const weir_store *store);

/* When the WAL is checkpointed. */
int weir_limits_wal_pages(const weir_store *store);

/* Pages that shall be given back to the file system now. */
int64_t weir_limits_excess_pages(const weir_store *store);

/* Notes what was dropped at a cap, after its transaction: one event at first, then one a day. */
weir_err weir_limits_dropped(weir_store *store, int64_t from_ts, int64_t to_ts, uint64_t count,
                             weir_wall now, weir_error *error) WEIR_MUST_CHECK;

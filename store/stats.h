/* SPDX-License-Identifier: MIT */
/* What is in a store, in numbers. */

#pragma once
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/file/identity.h"

/* fresh, log, parts; and the tiers of parts. */
enum { WEIR_STORE_LEVELS = 3, WEIR_STORE_TIERS = 5 };

typedef struct weir_store_stats {
    weir_identity identity; /* an older store has no instance */
    weir_wall created;
    int schema;                              /* user_version */
    uint64_t level_rows[WEIR_STORE_LEVELS];  /* in use; of level 2: segments */
    uint64_t expired;                        /* samples deleted for their age so far */
    uint64_t samples, events;                /* samples: each once */
    uint64_t level_bytes[WEIR_STORE_LEVELS]; /* blocks and segments, as stored */
    /* What a level holds. The log also has what is in parts, until every sink has taken it. */
    uint64_t level_samples[WEIR_STORE_LEVELS];
    struct {
        uint64_t parts, samples, bytes;
    } tiers[WEIR_STORE_TIERS];       /* parts that are read */
    double bytes_per_sample;         /* of all levels and `samples`; 0 without samples */
    weir_wall first_ts, last_ts;     /* both 0 without samples */
    uint64_t tags, current_tags;     /* ever; of the newest catalog */
    uint64_t purged_tags;            /* their samples count until they are merged away */
    uint64_t quarantined;            /* blocks that could not be read, kept for a repair */
    uint64_t file_bytes, free_bytes; /* data.db, and what of it is to be used again */
    uint64_t wal_bytes;              /* data.db-wal */
    const char *sqlite_version;
} weir_store_stats;

/* Reads the numbers; errors as weir_query_open. Decompresses nothing. */
weir_err weir_store_get_stats(const char *data_dir, const char *vfs, weir_store_stats *ret,
                              weir_error *error) WEIR_MUST_CHECK;

/* SPDX-License-Identifier: MIT */
/* What the files of a view share: one moment, read through the same statements and counters. */

#pragma once
#include "store/query/view.h"

enum {
    VIEW_BLOCKS = 16, /* in the cache of rows */
    VIEW_REPLIES = 3, /* in that of replies: of two parts that overlap, and one more */
};

struct view_epoch {
    uint32_t epoch;
    int64_t offset;
};

/* One segment of a series of replies, decoded. */
struct view_replies {
    int64_t part;
    uint32_t series;
    int64_t min_due, max_due;
    weir_reply_record *replies; /* NULL: the place is free */
    size_t n, at;               /* at: found last */
    uint64_t used;
};

struct weir_view {
    sqlite3 *db;
    bool has_history, has_sinks, has_keys;
    int64_t data_version, changes; /* when read last; -1: never */
    weir_view_part *parts;
    size_t n_parts, parts_capacity;
    weir_view_row *rows;
    size_t n_rows, rows_capacity;
    struct view_epoch *epochs;
    size_t n_epochs, epochs_capacity;
    int64_t offset_min, offset_max; /* of all epochs, and 0 */
    uint64_t history_seq, merged_seq;

    sqlite3_stmt *version, *purged, *log_row, *fresh_row, *heads, *marks, *body;
    weir_view_block *cache[VIEW_BLOCKS]; /* the newest first */
    struct view_replies replies[VIEW_REPLIES];
    uint64_t replies_clock;
    weir_view_counters counters;
};

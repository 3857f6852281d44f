/* SPDX-License-Identifier: MIT */
/* The store's inside, shared by store.c (the log) and registry.c (tags and devices). */

#pragma once
#include <sqlite3.h>

#include "store/identity.h"
#include "store/pending.h"
#include "store/store.h"

struct weir_store {
    sqlite3 *db;
    bool memory;
    int lock_fd; /* -1: none */
    char uuid[37];
    weir_identity identity;
    weir_store_position position;
    int64_t newest_ts; /* of all samples; INT64_MIN: none */
    int64_t epoch_ts;  /* newest ts of position.max_epoch */
    weir_pending pending;

    sqlite3_stmt *begin, *commit, *insert_log, *insert_event, *drop_oldest;
    int wal_pages;        /* in the WAL after the last commit */
    int64_t memory_bytes; /* of blocks, for the limit of "memory" */
};

/* Ends the transaction that is open after a failure; what waits keeps waiting. */
void weir_store_rollback(weir_store *store);

WEIR_DEFINE_CLEANUP(weir_store, weir_store_close)

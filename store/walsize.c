/* SPDX-License-Identifier: MIT */
/* The size of the write-ahead log: checkpoints, and someone's read that lets it grow. */

/*
 * A checkpoint moves the WAL's pages to the file, but the WAL begins anew only when no read needs
 * what is in it. Our own readers end within two seconds; a shell with an open transaction does not.
 * Then the WAL grows: at an eighth of wal_max that is told, at wal_max commits pause, and each try
 * looks whether the read has ended.
 *
 * A checkpoint that meets an I/O error loses nothing, but what was written before a failed fsync
 * may be in the cache only, and look sound: as after a commit that failed so, the file is to be
 * opened anew and compared. The commit before it stands; weir_store_check and weir_store_maintain
 * tell.
 */

#include "store/store_priv.h"

#include <stdio.h>

#include "store/file/schema.h"

enum {
    LARGE_TIMES = 4, /* of what is usual, and all is moved: the file is cut */
    TOLD_SHARE = 8,
};

uint64_t weir_store_wal_bytes(const weir_store *store)
{
    return (uint64_t)store->wal_pages * SCHEMA_PAGE_SIZE;
}

static void wal_tell(weir_store *store)
{
    char text[300];
    const bool large = weir_store_wal_bytes(store) > store->options.wal_max / TOLD_SHARE;
    if (large == store->wal_told)
        return;
    store->wal_told = large;
    if (!large)
        return;
    (void)snprintf(text, sizeof text,
                   "data.db-wal has grown to %llu MB because a reader in another program "
                   "keeps a transaction open: end it. At %llu MB commits pause",
                   (unsigned long long)(weir_store_wal_bytes(store) / 1000000),
                   (unsigned long long)(store->options.wal_max / 1000000));
    (void)snprintf(store->notice, sizeof store->notice, "%s", text);
}

static bool wal_moved(weir_store *store, int rc)
{
    if ((rc & 0xff) == SQLITE_IOERR) {
        char text[200];
        (void)snprintf(text, sizeof text, "cannot move data.db-wal into data.db: %s",
                       sqlite3_errstr(rc));
        (void)weir_store_note_failure(store, WEIR_EIO, text);
    }
    return rc == SQLITE_OK;
}

/* Beside a reader the pages it does not need are moved; when all are, the file can be cut. None
 * waits for a lock. */
static void wal_move(weir_store *store, bool cut)
{
    int pages = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
    if (!wal_moved(store, rc) || pages < 0 || moved < pages)
        return;
    if (!cut) {
        store->wal_pages = 0; /* the next commit begins at its start, unless a reader is in it */
        return;
    }
    (void)sqlite3_busy_timeout(store->db, 0);
    rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
    if (wal_moved(store, rc))
        store->wal_pages = 0;
}

void weir_store_checkpoint(weir_store *store)
{
    const int usual = weir_limits_wal_pages(store);
    if (store->wal_pages >= usual)
        wal_move(store, store->wal_pages >= LARGE_TIMES * usual);
    wal_tell(store);
}

weir_err weir_store_wal_room(weir_store *store, weir_error *error)
{
    if (weir_store_wal_bytes(store) < store->options.wal_max)
        return WEIR_OK;
    wal_move(store, true);
    if (weir_store_wal_bytes(store) < store->options.wal_max)
        return WEIR_OK;
    return weir_fail(error, WEIR_EINUSE,
                     "data.db-wal has reached wal_max (%llu MB) because a reader in another "
                     "program keeps a transaction open: end it",
                     (unsigned long long)(store->options.wal_max / 1000000));
}

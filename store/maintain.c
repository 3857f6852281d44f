/* SPDX-License-Identifier: MIT */
/* What the store does for itself between commits: a list of duties, one piece at a time. */

/*
 * A call goes through the duties in their order and stops behind the first that had something to
 * do. So commits become log before log becomes history, and larger pieces are made when nothing
 * else waits. Each piece is one short transaction, or reads only; what a duty remembers between its
 * pieces is a convenience: when any duty fails all of that is dropped, and the tables say where to
 * go on, as after a crash.
 */

#include "store/maintain.h"

#include <stdio.h>

#include "base/alloc.h"
#include "store/cap.h"
#include "store/database.h"
#include "store/merge.h"
#include "store/part.h"
#include "store/purge.h"
#include "store/schema.h"
#include "store/segments.h"

enum {
    WAL_PAGES_PAUSE = 8192,    /* 32 MB: commits alone may lengthen it further */
    VACUUM_WINDOW = 24,        /* times archive_us */
    VACUUM_PAGES = 128,        /* given back in one piece: each is one written elsewhere */
    VACUUM_PAGES_MIN = 1000,   /* free ones that are worth it ... */
    VACUUM_SHARE_PERCENT = 20, /* ... if they are that much of the file */
};

weir_store_options weir_maintain_defaults(const weir_store_options *options)
{
    weir_store_options o = *options;
    o.data_dir = o.vfs = NULL;
    o.wal_max = o.wal_max ? o.wal_max : 256 * 1000 * 1000;
    o.merge_us = o.merge_us ? o.merge_us : WEIR_MINUTE;
    o.archive_us = o.archive_us ? o.archive_us : WEIR_HOUR;
    if (o.detached_after_us == 0 && o.config)
        o.detached_after_us = o.config->detached_after_us;
    o.detached_after_us = o.detached_after_us ? o.detached_after_us : 7 * WEIR_DAY;
    o.memory_bytes_max = o.memory_bytes_max ? o.memory_bytes_max : 64 * 1000 * 1000;
    o.piece_samples = o.piece_samples ? o.piece_samples : WEIR_PIECE_SAMPLES;
    o.group_bytes = o.group_bytes ? o.group_bytes : 10 << 20; /* 16 MB with all around it */
    return o;
}

weir_err weir_maintain_set_meta(weir_store *store, const char *key, uint64_t value,
                                weir_error *error)
{
    char sql[120];
    (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO meta VALUES('%s',%lld)", key,
                   (long long)value);
    return weir_db_exec(store->db, sql, error);
}

/* --- the file's size ---------------------------------------------------------------------- */

/*
 * Gives pages back to the file system that were free for a whole window: what the log leaves when
 * it becomes history is soon taken again, and moving pages to the front meanwhile would only wear
 * out flash. What is above a cap goes at once.
 */
static weir_err duty_vacuum(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    const int64_t window = VACUUM_WINDOW * store->options.archive_us;
    const int64_t age = now.us - store->vacuum.began.us;
    const int64_t all = store->limits.pages, unused = store->limits.free_pages;
    const int64_t excess = weir_limits_excess_pages(store);
    char sql[64];
    store->vacuum.low = unused < store->vacuum.low ? unused : store->vacuum.low;
    if (store->vacuum.pages == 0 && (age < 0 || age >= window)) {
        const int64_t low = store->vacuum.low;
        if (low >= VACUUM_PAGES_MIN && low * 100 >= all * VACUUM_SHARE_PERCENT)
            store->vacuum.pages = low;
        store->vacuum.began = now;
        store->vacuum.low = unused;
    }
    const int64_t wanted = store->vacuum.pages > excess ? store->vacuum.pages : excess;
    const int64_t n = wanted < VACUUM_PAGES ? wanted : VACUUM_PAGES;
    if (n == 0)
        return WEIR_OK;
    (void)snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%lld)", (long long)n);
    weir_err err = weir_db_exec(store->db, sql, error);
    if (err == WEIR_OK)
        store->vacuum.pages = unused > n && store->vacuum.pages > n ? store->vacuum.pages - n : 0;
    *ret_did = err == WEIR_OK;
    return err;
}

/* --- the list ----------------------------------------------------------------------------- */

typedef weir_err (*duty)(weir_store *store, weir_wall now, bool *ret_did, weir_error *error);

static const duty duties[] = {
    weir_merge_load_current, /* before anything changes what it reads */
    weir_part_delete,        /* gives room to all that follows, also on a full disk */
    weir_limits_look,        weir_cap_run,        weir_merge_fresh, weir_merge_write_current,
    weir_archive_run,        weir_merge_trim_log, weir_expire_run,  weir_compact_run,
    weir_purge_run,          weir_merge_shrink,   duty_vacuum,
};

/* All that is remembered between pieces goes; the tables know the rest. */
static void maintain_forget(weir_store *store)
{
    weir_store_rollback(store);
    weir_archive_free(store->archive);
    weir_compact_free(store->compact);
    weir_expire_free(store->expire);
    store->archive = NULL;
    store->compact = NULL;
    store->expire = NULL;
    store->archive_looked = store->compact_looked = false;
    store->parts_changed = true;
    store->log.known = false;
}

weir_err weir_store_maintain(weir_store *store, weir_wall now, bool *ret_more, weir_error *error)
{
    *ret_more = false;
    if (!store->db)
        return weir_fail(error, WEIR_EIO, "the store could not be opened again");
    weir_err room = weir_store_wal_room(store, error);
    if (room != WEIR_OK)
        return room;
    /* A reader pins the WAL: what is done here would only make it longer. */
    if (store->wal_pages >= WAL_PAGES_PAUSE) {
        weir_store_checkpoint(store);
        if (store->wal_pages >= WAL_PAGES_PAUSE) {
            *ret_more = false;
            return WEIR_OK;
        }
    }
    for (size_t i = 0; i < sizeof duties / sizeof *duties; i++) {
        bool did = false;
        weir_err err = duties[i](store, now, &did, error);
        if (err != WEIR_OK) {
            maintain_forget(store);
            return err;
        }
        if (did) {
            weir_store_checkpoint(store);
            *ret_more = true;
            return WEIR_OK;
        }
    }
    *ret_more = false;
    return WEIR_OK;
}

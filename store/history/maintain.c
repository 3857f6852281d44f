/* SPDX-License-Identifier: MIT */
/* What the store does for itself between commits: a list of duties, one piece at a time. */

/*
 * A call goes through the duties in their order and stops behind the first that had something to
 * do. So commits become log before log becomes history, and larger pieces are made when nothing
 * else waits. Each piece is one short transaction, or reads only; what a duty remembers between its
 * pieces is a convenience: when any duty fails all of that is dropped, and the tables say where to
 * go on, as after a crash.
 */

#include "store/history/maintain.h"

#include <stdio.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/history/cap.h"
#include "store/history/history.h"
#include "store/history/merge.h"
#include "store/history/part.h"
#include "store/history/purge.h"
#include "store/history/scrub.h"
#include "store/history/segments.h"

enum {
    WAL_PAGES_PAUSE = 8192,    /* 32 MB: commits alone may lengthen it further */
    VACUUM_WINDOW = 24,        /* times archive_us */
    VACUUM_PAGES = 128,        /* given back in one piece: each is one written elsewhere */
    VACUUM_PAGES_MIN = 1000,   /* free ones that are worth it ... */
    VACUUM_SHARE_PERCENT = 20, /* ... if they are that much of the file */
};

/* --- the file's size ---------------------------------------------------------------------- */

/*
 * Gives pages back to the file system that were free for a whole window: what the log leaves when
 * it becomes history is soon taken again, and moving pages to the front meanwhile would only wear
 * out flash. What is above a cap goes at once.
 */
static weir_err duty_vacuum(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    const int64_t window = VACUUM_WINDOW * store->options.archive_us;
    const int64_t age = now.us - store->history->vacuum.began.us;
    const int64_t all = store->limits.pages, unused = store->limits.free_pages;
    const int64_t excess = weir_limits_excess_pages(store);
    char sql[64];
    store->history->vacuum.low =
        unused < store->history->vacuum.low ? unused : store->history->vacuum.low;
    if (store->history->vacuum.pages == 0 && (age < 0 || age >= window)) {
        const int64_t low = store->history->vacuum.low;
        if (low >= VACUUM_PAGES_MIN && low * 100 >= all * VACUUM_SHARE_PERCENT)
            store->history->vacuum.pages = low;
        store->history->vacuum.began = now;
        store->history->vacuum.low = unused;
    }
    const int64_t wanted =
        store->history->vacuum.pages > excess ? store->history->vacuum.pages : excess;
    const int64_t n = wanted < VACUUM_PAGES ? wanted : VACUUM_PAGES;
    if (n == 0)
        return WEIR_OK;
    (void)snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%lld)", (long long)n);
    weir_err err = weir_db_exec(store->db, sql, error);
    if (err == WEIR_OK)
        store->history->vacuum.pages =
            unused > n && store->history->vacuum.pages > n ? store->history->vacuum.pages - n : 0;
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
    weir_purge_run,          weir_merge_shrink,   duty_vacuum,      weir_scrub_run,
};

static void history_free(weir_store *store)
{
    struct weir_history *h = store->history;
    weir_archive_free(h->archive);
    weir_compact_free(h->compact);
    weir_expire_free(h->expire);
    weir_free(h);
    store->history = NULL;
}

weir_err weir_history_make(weir_store *store, weir_error *error)
{
    if (store->history)
        return WEIR_OK;
    struct weir_history *h = weir_alloc_zero(1, sizeof *h);
    if (!h)
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge what was collected");
    h->merge_began = h->archive_began = h->vacuum.began = store->opened;
    h->catalog_changes = store->catalog_changes;
    store->history = h;
    store->history_free = history_free;
    return WEIR_OK;
}

/* Tags, names or what is purged may be others. */
static void history_follow(weir_store *store)
{
    struct weir_history *h = store->history;
    if (h->catalog_changes == store->catalog_changes)
        return;
    weir_expire_free(h->expire);
    h->expire = NULL;
    h->purge = (weir_purge){0};
    h->catalog_changes = store->catalog_changes;
}

/* What is remembered of work under way goes; the tables know the rest. */
static void maintain_forget(weir_store *store)
{
    weir_store_rollback(store);
    weir_archive_free(store->history->archive);
    weir_compact_free(store->history->compact);
    weir_expire_free(store->history->expire);
    store->history->archive = NULL;
    store->history->compact = NULL;
    store->history->expire = NULL;
    store->history->archive_looked = store->history->compact_looked = false;
    store->history->parts_changed = true;
    store->history->none_dropped = false;
    store->log.known = false;
}

weir_err weir_store_maintain(weir_store *store, weir_wall now, bool *ret_more, weir_error *error)
{
    *ret_more = false;
    weir_err err = weir_store_usable(store, error);
    if (err == WEIR_OK)
        err = weir_store_wal_room(store, error);
    if (err == WEIR_OK)
        err = weir_history_make(store, error);
    if (err != WEIR_OK)
        return err;
    history_follow(store);
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
        err = duties[i](store, now, &did, error);
        if (err != WEIR_OK) {
            maintain_forget(store);
            return weir_store_note_failure(store, err, error ? error->text : "a merge failed");
        }
        if (did) {
            store->history->none_dropped = false; /* any may have dropped some */
            weir_store_checkpoint(store);
            *ret_more = true;
            return WEIR_OK;
        }
    }
    *ret_more = false;
    return WEIR_OK;
}

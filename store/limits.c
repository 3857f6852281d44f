/* SPDX-License-Identifier: MIT */
/* How much the store has of the disk, how much it may have, and what follows from it. */

/*
 * Two caps. max_size: pages in use and the WAL; pages that are free in the file do not count, as
 * new samples go there. min_free: what others may count on. When less is free, the store does not
 * grow: it lives on the free pages of its file and makes more of them by dropping. It does not
 * shrink for others: a year of history shall not go because someone filled the disk.
 *
 * At a cap it drops, or refuses, until there is some room again (a sixteenth), so that merges have
 * room to work in and that it does not drop a little each second.
 */

#include "store/limits.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/store_priv.h"

enum {
    MIN_FREE_SHARE = 20,    /* of the disk: at most a 20th is left free, unless told */
    ROOM_SHARE = 16,        /* of max_size: that much is made free at once */
    REFUSED_SHARE = 16,     /* of max_size: with so much room samples are stored again */
    PIECE_SHARE = 32,       /* of max_size, or of what is there: the largest merge */
    PIECE_MIN = 128 * 1024, /* less is not worth a merge */
    ROOM_MIN = 256 * 1024,  /* of the disk: a minute of commits, and a transaction */
    WAL_PAGES_MAX = 1024,   /* 4 MB */
    WAL_PAGES_MIN = 64,     /* a checkpoint writes each page once: not too often */
    ALARM_PERCENT = 80,     /* of max_size */
    ALARM_OFF_PERCENT = 70, /* what becomes history and is merged swings by a few percent */
    RATE_SPAN_MIN = 600,    /* s; before it no rate is told */
};

#define EVENT_INTERVAL WEIR_DAY /* between two that tell what was dropped */
#define RATE_SPAN      WEIR_DAY

static const weir_store_config *config_of(const weir_store *store)
{
    return store->options.config;
}

void weir_store_set_config(weir_store *store, const weir_store_config *config)
{
    store->options.config = config;
    store->options.detached_after_us = config->detached_after_us;
    store->options.wal_max = config->wal_max ? config->wal_max : store->options.wal_max;
}

static weir_when_full when_full(const weir_store *store)
{
    return config_of(store) ? config_of(store)->when_full : WEIR_FULL_DROP_OLDEST;
}

/* --- looking ------------------------------------------------------------------------------ */

/* Asked of the VFS, so that a simulated disk is seen too. */
static uint64_t wal_size(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK ||
        !file || !file->pMethods || file->pMethods->xFileSize(file, &size) != SQLITE_OK)
        return 0;
    return (uint64_t)size;
}

static void limits_resolve(weir_store *store, uint64_t total)
{
    weir_limits *l = &store->limits;
    const weir_store_config *c = config_of(store);
    l->max_bytes = store->memory ? store->options.memory_bytes_max : 0;
    l->min_free = 0;
    if (!c)
        return;
    if (c->max_bytes > 0)
        l->max_bytes = c->max_bytes;
    else if (c->max_percent > 0 && total > 0)
        l->max_bytes = total / 100 * c->max_percent;
    if (total > 0 && !store->memory)
        l->min_free = !c->min_free_given && c->min_free > total / MIN_FREE_SHARE
                          ? total / MIN_FREE_SHARE
                          : c->min_free;
}

static uint64_t room_of(const weir_limits *l)
{
    if (l->disk_free == UINT64_MAX)
        return UINT64_MAX;
    const uint64_t above = l->disk_free > l->min_free ? l->disk_free - l->min_free : 0;
    return (uint64_t)l->free_pages * SCHEMA_PAGE_SIZE + above;
}

static weir_err limits_measure(weir_store *store, weir_error *error)
{
    weir_limits *l = &store->limits;
    uint64_t total = 0;
    weir_err err = weir_db_step_int(store->count_pages, 0, &l->pages, error);
    if (err == WEIR_OK)
        err = weir_db_step_int(store->count_free_pages, 0, &l->free_pages, error);
    if (err != WEIR_OK)
        return err;
    l->wal_bytes = wal_size(store->db);
    l->used = (uint64_t)(l->pages - l->free_pages) * SCHEMA_PAGE_SIZE + l->wal_bytes;
    l->disk_free = store->options.free_bytes && !store->memory
                       ? store->options.free_bytes(store->options.data, &total)
                       : UINT64_MAX;
    limits_resolve(store, total);
    l->room = room_of(l);
    return WEIR_OK;
}

/* --- what follows ------------------------------------------------------------------------- */

/* A WAL that someone's long read lets grow is not history's fault: only its usual size counts
 * against max_size when it comes to dropping. */
static uint64_t used_of_cap(const weir_store *store)
{
    const weir_limits *l = &store->limits;
    const uint64_t usual = 4 * (uint64_t)weir_limits_wal_pages(store) * SCHEMA_PAGE_SIZE;
    return l->wal_bytes > usual ? l->used - l->wal_bytes + usual : l->used;
}

/* What is to come before anything can be dropped: commits, and the log as parts. */
static uint64_t room_needed(const weir_store *store)
{
    return ROOM_MIN + 2 * store->log.bytes;
}

int weir_limits_wal_pages(const weir_store *store)
{
    const weir_limits *l = &store->limits;
    uint64_t pages = WAL_PAGES_MAX;
    if (l->max_bytes > 0 && l->max_bytes / SCHEMA_PAGE_SIZE / PIECE_SHARE < pages)
        pages = l->max_bytes / SCHEMA_PAGE_SIZE / PIECE_SHARE;
    if (l->room / SCHEMA_PAGE_SIZE / 4 < pages && l->pages > 0)
        pages = l->room / SCHEMA_PAGE_SIZE / 4;
    return pages < WAL_PAGES_MIN ? WAL_PAGES_MIN : (int)pages;
}

uint64_t weir_limits_piece(const weir_store *store)
{
    const weir_limits *l = &store->limits;
    uint64_t piece = UINT64_MAX;
    if (l->max_bytes > 0) {
        const uint64_t left = l->max_bytes > l->used ? l->max_bytes - l->used : 0;
        piece = l->max_bytes / PIECE_SHARE < left ? l->max_bytes / PIECE_SHARE : left;
    }
    if (l->room != UINT64_MAX && l->room / 2 < piece)
        piece = l->room / 2;
    return piece < PIECE_MIN ? PIECE_MIN : piece;
}

bool weir_limits_refuse(const weir_store *store)
{
    return store->limits.cause && when_full(store) != WEIR_FULL_DROP_OLDEST;
}

int64_t weir_limits_excess_pages(const weir_store *store)
{
    const weir_limits *l = &store->limits;
    const int64_t most = (int64_t)(l->max_bytes / SCHEMA_PAGE_SIZE);
    int64_t excess = 0;
    if (l->max_bytes > 0 && l->pages > most + most / PIECE_SHARE)
        excess = l->pages - most;
    /* Nothing above the reserve is left: of free pages, what is not needed soon is others'. */
    if (l->disk_free < l->min_free) {
        const int64_t kept = (int64_t)(3 * room_needed(store) / SCHEMA_PAGE_SIZE);
        if (l->free_pages - kept > excess)
            excess = l->free_pages - kept;
    }
    return excess < l->free_pages ? excess : l->free_pages;
}

static const char *cap_reached(const weir_store *store)
{
    const weir_limits *l = &store->limits;
    if (l->max_bytes > 0 && used_of_cap(store) > l->max_bytes)
        return "max_size";
    return l->room < room_needed(store) ? "min_free" : NULL;
}

static bool cap_left(const weir_store *store)
{
    const weir_limits *l = &store->limits;
    const uint64_t share = weir_limits_refuse(store) ? REFUSED_SHARE : ROOM_SHARE;
    return (l->max_bytes == 0 || used_of_cap(store) <= l->max_bytes - l->max_bytes / share) &&
           l->room / 2 >= room_needed(store);
}

/* --- saying it ---------------------------------------------------------------------------- */

static weir_err say(weir_store *store, weir_event_kind kind, const char *text, weir_wall now,
                    weir_error *error)
{
    const weir_event event = {now, kind, "", text};
    return weir_store_event(store, &event, error);
}

/* "about 3d4h", from how it grew of late. */
static void text_add_until_full(weir_text *t, const weir_store *store, weir_wall now)
{
    const weir_limits *l = &store->limits;
    const int64_t span = now.us - l->base_ts.us;
    if (span < RATE_SPAN_MIN * WEIR_S || l->used <= l->base_used) {
        weir_text_add(t, "at the present rate it will not be full soon");
        return;
    }
    const double rate = (double)(l->used - l->base_used) / (double)span;
    const uint64_t left = l->max_bytes > l->used ? l->max_bytes - l->used : 0;
    const double us = (double)left / rate;
    const int64_t unit = us > 2.0 * (double)WEIR_DAY ? WEIR_HOUR : WEIR_MINUTE;
    weir_text_add(t, "at the present rate it is full in about ");
    weir_text_add_duration(t, us < 1e17 ? ((int64_t)us / unit + 1) * unit : INT64_MAX / 2);
}

static const char *words_of_policy(const weir_store *store)
{
    switch (when_full(store)) {
    case WEIR_FULL_DROP_OLDEST:
        return "the oldest samples go";
    case WEIR_FULL_DROP_NEWEST:
        return "new samples are not stored";
    case WEIR_FULL_BLOCK:
        break;
    }
    return "new samples wait in memory, as long as it lasts";
}

static weir_err say_nearly_full(weir_store *store, weir_wall now, weir_error *error)
{
    const weir_limits *l = &store->limits;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    weir_text_format(&t, "the store has reached %d %% of max_size (", ALARM_PERCENT);
    weir_text_add_size(&t, l->used);
    weir_text_add(&t, " of ");
    weir_text_add_size(&t, l->max_bytes);
    weir_text_add(&t, "): ");
    text_add_until_full(&t, store, now);
    weir_text_format(&t, "; then %s. Raise max_size, shorten retention or add disk",
                     words_of_policy(store));
    return say(store, WEIR_EVENT_ALARM, weir_text_get(&t), now, error);
}

/* Once each time it is crossed, also over restarts. */
static weir_err alarm_look(weir_store *store, weir_wall now, weir_error *error)
{
    weir_limits *l = &store->limits;
    const bool above = l->max_bytes > 0 && l->used / ALARM_PERCENT >= l->max_bytes / 100;
    const bool below = l->max_bytes == 0 || l->used / ALARM_OFF_PERCENT < l->max_bytes / 100;
    weir_err err = WEIR_OK;
    if (l->nearly_full ? !below : !above)
        return WEIR_OK;
    if (!l->nearly_full)
        err = say_nearly_full(store, now, error);
    if (err != WEIR_OK)
        return err;
    l->nearly_full = !l->nearly_full;
    /* On a full disk this fails, and dropping must go on: then it is said again after a start. */
    weir_err kept = weir_store_set_meta(store, "nearly_full", l->nearly_full, NULL);
    return kept == WEIR_ENOMEM ? kept : WEIR_OK;
}

static weir_err disk_look(weir_store *store, weir_wall now, weir_error *error)
{
    weir_limits *l = &store->limits;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    if (l->disk_short ? l->disk_free <= l->min_free + l->min_free / ROOM_SHARE
                      : l->disk_free >= l->min_free)
        return WEIR_OK;
    l->disk_short = !l->disk_short;
    if (!l->disk_short)
        return say(store, WEIR_EVENT_STORE, "more of the disk is free than min_free again", now,
                   error);
    weir_text_add(&t, "only ");
    weir_text_add_size(&t, l->disk_free);
    weir_text_add(&t, " of the disk are free, less than min_free (");
    weir_text_add_size(&t, l->min_free);
    weir_text_format(&t, "): the store does not grow any more; when it needs room %s. Make room",
                     words_of_policy(store));
    return say(store, WEIR_EVENT_ALARM, weir_text_get(&t), now, error);
}

/* Of a store that does not drop: what is not stored from now on, or was not until now. */
static weir_err say_refusing(weir_store *store, const char *cause, weir_wall now, weir_error *error)
{
    char text[200];
    if (cause)
        (void)snprintf(text, sizeof text,
                       "the store is full (%s): %s until there is room. Raise max_size, shorten "
                       "retention or add disk",
                       cause, words_of_policy(store));
    else
        (void)snprintf(text, sizeof text, "the store has room again");
    return say(store, cause ? WEIR_EVENT_ALARM : WEIR_EVENT_STORE, text, now, error);
}

static weir_err cap_look(weir_store *store, weir_wall now, weir_error *error)
{
    weir_limits *l = &store->limits;
    const char *cause = cap_reached(store);
    weir_err err = WEIR_OK;
    if (l->cause ? !cause && cap_left(store) : cause != NULL) {
        if (when_full(store) != WEIR_FULL_DROP_OLDEST)
            err = say_refusing(store, cause, now, error);
        l->cause = cause;
        l->refusing = false;
    } else if (l->cause && cause) {
        l->cause = cause;
    }
    return err;
}

weir_err weir_limits_dropped(weir_store *store, int64_t from_ts, int64_t to_ts, uint64_t count,
                             weir_wall now, weir_error *error)
{
    weir_limits *l = &store->limits;
    const int64_t age = now.us - l->dropped.said.us;
    char from[28], to[28], text[300];
    const bool first = l->dropped.count == 0;
    l->dropped.from_ts = first || from_ts < l->dropped.from_ts ? from_ts : l->dropped.from_ts;
    l->dropped.to_ts = first || to_ts > l->dropped.to_ts ? to_ts : l->dropped.to_ts;
    l->dropped.count += count;
    if (l->dropped.said.us != 0 && age >= 0 && age < EVENT_INTERVAL)
        return WEIR_OK;
    weir_wall_format((weir_wall){l->dropped.from_ts}, from);
    weir_wall_format((weir_wall){l->dropped.to_ts}, to);
    (void)snprintf(text, sizeof text,
                   "%llu samples of %s to %s were dropped: the store is at %s; `gaps` counts all",
                   (unsigned long long)l->dropped.count, from, to, l->cause ? l->cause : "a limit");
    l->dropped.count = 0;
    l->dropped.said = now;
    return say(store, WEIR_EVENT_GAP, text, now, error);
}

/* --- the duty ----------------------------------------------------------------------------- */

weir_err weir_limits_init(weir_store *store, weir_wall now, weir_error *error)
{
    int64_t said = 0;
    weir_err err =
        weir_db_int(store->db, "SELECT value FROM meta WHERE key='nearly_full'", 0, &said, error);
    if (err == WEIR_OK)
        err = limits_measure(store, error);
    store->limits.nearly_full = said != 0;
    store->limits.base_ts = now;
    store->limits.base_used = store->limits.used;
    if (err != WEIR_OK)
        return err;
    /* What one large transaction let it grow to is cut off again. */
    char sql[80];
    (void)snprintf(sql, sizeof sql, "PRAGMA journal_size_limit=%d",
                   2 * SCHEMA_PAGE_SIZE * weir_limits_wal_pages(store));
    return weir_db_exec(store->db, sql, error);
}

weir_err weir_limits_look(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    weir_limits *l = &store->limits;
    (void)ret_did;
    weir_err err = limits_measure(store, error);
    if (err == WEIR_OK)
        err = alarm_look(store, now, error);
    if (err == WEIR_OK)
        err = disk_look(store, now, error);
    if (err == WEIR_OK)
        err = cap_look(store, now, error);
    if (now.us < l->base_ts.us || now.us - l->base_ts.us > RATE_SPAN) {
        l->base_ts = now;
        l->base_used = l->used;
    }
    return err;
}

weir_store_usage weir_store_get_usage(const weir_store *store)
{
    const weir_limits *l = &store->limits;
    return (weir_store_usage){.bytes = l->used,
                              .max_bytes = l->max_bytes,
                              .not_stored = l->not_stored,
                              .checked = store->checked,
                              .state = weir_limits_refuse(store) ? WEIR_STORE_FULL
                                       : l->cause                ? WEIR_STORE_DROPPING
                                       : l->nearly_full          ? WEIR_STORE_NEARLY_FULL
                                                                 : WEIR_STORE_OK};
}

const char *weir_store_state_text(weir_store_state state)
{
    switch (state) {
    case WEIR_STORE_OK:
        return "ok";
    case WEIR_STORE_NEARLY_FULL:
        return "nearly_full";
    case WEIR_STORE_DROPPING:
        return "dropping";
    case WEIR_STORE_FULL:
        return "full";
    }
    return "?";
}

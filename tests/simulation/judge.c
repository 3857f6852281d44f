/* SPDX-License-Identifier: MIT */
/* Comparing the store, as any reader sees it, with the ledger of a simulated world. */

#include "simulation/world.h"

#include <inttypes.h>
#include <stdio.h>

#include <sqlite3.h>

#include "store/query/query.h"
#include "store/repair/verify.h"

/* NULL, on which the others do nothing, when the store has no such table. */
static sqlite3_stmt *query_prepare(sim_world *w, weir_query *query, const char *sql)
{
    sqlite3 *db = weir_query_db(query);
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        sim_world_violation(w, "%s: %s", sql, sqlite3_errmsg(db));
    return s;
}

static bool open_query(sim_world *w, weir_query **ret)
{
    weir_error error = WEIR_ERROR_INIT;
    if (weir_query_open(w->folder, w->vfs_name, ret, &error) == WEIR_OK)
        return true;
    sim_world_violation(w, "the store cannot be read: %s", error.text);
    return false;
}

/* "m7/p1" -> its index; as devices and points are numbered by yaml_devices. */
static uint32_t tag_of(const sim_world *w, const char *name)
{
    unsigned device = 0, point = 0;
    const char *c = name + 1;
    while (*c >= '0' && *c <= '9')
        device = device * 10 + (unsigned)(*c++ - '0');
    for (c += 2; *c >= '0' && *c <= '9'; c++)
        point = point * 10 + (unsigned)(*c - '0');
    return (device - 1) * w->config.points + point;
}

/* Columns tag, ts, epoch, value, seq. */
static sim_entry row_read(const sim_world *w, sqlite3_stmt *s, uint64_t *ret_seq)
{
    *ret_seq = (uint64_t)sqlite3_column_int64(s, 4);
    return (sim_entry){.tag = tag_of(w, (const char *)sqlite3_column_text(s, 0)),
                       .ts = sqlite3_column_int64(s, 1),
                       .epoch = (uint32_t)sqlite3_column_int64(s, 2),
                       .value = (uint32_t)sqlite3_column_int64(s, 3),
                       .is_bad = sqlite3_column_type(s, 3) == SQLITE_NULL};
}

static void judge_row(sim_world *w, const sim_entry *row, uint64_t seq)
{
    switch (sim_check_row(&w->ledger, row, seq)) {
    case SIM_EXPECTED:
        return;
    case SIM_INVENTED:
        w->invented++;
        sim_world_violation(
            w, "tag %u ts %" PRId64 " epoch %u seq %" PRIu64 ": stored, never produced so",
            row->tag, row->ts, row->epoch, seq);
        return;
    case SIM_TWICE:
        sim_world_violation(w, "tag %u ts %" PRId64 " seq %" PRIu64 ": stored twice", row->tag,
                            row->ts, seq);
        return;
    }
}

static void check_rows(sim_world *w, weir_query *query)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < w->ledger.n; i++) {
        first = w->ledger.entries[i].ts < first ? w->ledger.entries[i].ts : first;
        last = w->ledger.entries[i].ts > last ? w->ledger.entries[i].ts : last;
    }
    sqlite3_stmt *s = query_prepare(w, query,
                                    "select tag, ts, epoch, value, seq from samples"
                                    " where seq > ? and seq <= ? and ts between ? and ?");
    (void)sqlite3_bind_int64(s, 1, (int64_t)w->checked_seq);
    (void)sqlite3_bind_int64(s, 2, (int64_t)w->committed_seq);
    (void)sqlite3_bind_int64(s, 3, first);
    (void)sqlite3_bind_int64(s, 4, last);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        uint64_t seq;
        const sim_entry row = row_read(w, s, &seq);
        judge_row(w, &row, seq);
    }
    if (rc != SQLITE_DONE)
        sim_world_violation(w, "reading samples: %s", sqlite3_errmsg(weir_query_db(query)));
    (void)sqlite3_finalize(s);
}

static int64_t query_int(sim_world *w, weir_query *query, const char *sql)
{
    sqlite3_stmt *s = query_prepare(w, query, sql);
    const int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    (void)sqlite3_finalize(s);
    return n;
}

/* The newest sample that gaps say is gone, or that is old enough to have expired. A clock that was
 * set ahead for a while made it older. */
static int64_t gone_until(sim_world *w, weir_query *query)
{
    const weir_store_config *c = &w->catalog->store;
    int64_t until = query_int(w, query, "select coalesce(max(to_ts), 0) from gaps where sink = ''");
    for (size_t i = 0; i < c->n_retention; i++) {
        const int64_t old = sim_world_wall(w).us - c->retention[i].keep_us + WEIR_DAY;
        if (c->retention[i].keep_us > 0 && old > until)
            until = old;
    }
    return until;
}

static bool is_limited(const sim_world *w)
{
    return w->config.store != NULL;
}

/* Committed and not there: then a limit must have removed it. */
static void judge_missing(sim_world *w, const sim_check_result *result)
{
    if (result->lost == 0)
        return;
    if (is_limited(w) && result->last_lost_ts <= w->gone_until) {
        w->n_gone += result->lost;
        return;
    }
    w->lost += result->lost;
    sim_world_violation(
        w, "%" PRIu64 " committed samples are not there, the first is tag %u ts %" PRId64,
        result->lost, result->first_lost.tag, result->first_lost.ts);
}

static uint64_t count_events(sim_world *w, weir_query *query)
{
    char sql[120];
    (void)snprintf(sql, sizeof sql,
                   "select count(*) from main.event where seq > %" PRIu64 " and seq <= %" PRIu64,
                   w->checked_seq, w->committed_seq);
    return (uint64_t)query_int(w, query, sql);
}

/* So many events are kept at least. */
enum { EVENTS_KEPT = 1000 };

/* Those not stored at a cap (drop_newest) were given no number. Events are limited too: then
 * nothing more can be told than that each has one. */
static void judge_numbers(sim_world *w, weir_query *query, const sim_check_result *result)
{
    const uint64_t n_events = count_events(w, query);
    const bool are_events_gone = is_limited(w) && n_events >= EVENTS_KEPT;
    const bool numbered = w->catalog->store.when_full == WEIR_FULL_DROP_OLDEST;
    const uint64_t most =
        are_events_gone ? UINT64_MAX : n_events + (is_limited(w) ? result->lost : 0);
    if (are_events_gone && result->n_seq_other >= n_events)
        return;
    if (result->n_seq_other > most || result->n_seq_other < (numbered ? most : n_events))
        sim_world_violation(w,
                            "seq %" PRIu64 " to %" PRIu64 ": %" PRIu64 " are no sample's, %" PRIu64
                            " are events'",
                            w->checked_seq + 1, w->committed_seq, result->n_seq_other, n_events);
}

void sim_world_check(sim_world *w)
{
    weir_query *query = NULL;
    if (!open_query(w, &query))
        return;
    if (w->checked_seq > w->committed_seq) { /* what had been there */
        w->lost += w->checked_seq - w->committed_seq;
        w->checked_seq = w->committed_seq;
    }
    sim_check_begin(&w->ledger, w->checked_seq, w->committed_seq);
    check_rows(w, query);
    const sim_check_result result = sim_check_end(&w->ledger, w->is_running);
    w->gone_until = gone_until(w, query);
    judge_missing(w, &result);
    judge_numbers(w, query, &result);
    w->checked_seq = w->committed_seq;
    sim_world_trace(w, fault_vfs_hash(w->disk));
    weir_query_close(query);
}

void sim_world_check_day(sim_world *w, int64_t day, uint32_t tag)
{
    const sim_sum want = sim_ledger_sum(&w->ledger, day, tag);
    sim_sum have = {0};
    weir_query *query = NULL;
    char name[32];
    if (!open_query(w, &query))
        return;
    (void)snprintf(name, sizeof name, "m%u/p%u", tag / w->config.points + 1,
                   tag % w->config.points);
    sqlite3_stmt *s =
        query_prepare(w, query,
                      "select tag, ts, epoch, value, seq from samples where tag = ? and"
                      " ts >= ? and ts < ? and seq <= ?");
    (void)sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 2, day * WEIR_DAY);
    (void)sqlite3_bind_int64(s, 3, (day + 1) * WEIR_DAY);
    (void)sqlite3_bind_int64(s, 4, (int64_t)w->checked_seq);
    while (sqlite3_step(s) == SQLITE_ROW) {
        uint64_t seq;
        const sim_entry row = row_read(w, s, &seq);
        sim_sum_add(&have, &row);
    }
    (void)sqlite3_finalize(s);
    weir_query_close(query);
    if (is_limited(w) && have.n < want.n && day * WEIR_DAY <= w->gone_until)
        return; /* the day went, or a part of it */
    if (have.n < want.n)
        w->lost += want.n - have.n;
    if (have.n > want.n)
        w->invented += have.n - want.n;
    if (have.n != want.n || have.sum != want.sum)
        sim_world_violation(w, "%s, day %" PRId64 ": had %u samples, now %u%s", name, day, want.n,
                            have.n, have.n == want.n ? ", others" : "");
}

static void on_finding(void *data, const char *finding)
{
    sim_world_violation(data, "verify: %s", finding);
}

void sim_world_verify(sim_world *w)
{
    weir_verify_counts counts;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_verify(w->folder, w->vfs_name, on_finding, w, &counts, &error) != WEIR_OK)
        sim_world_violation(w, "verify: %s", error.text);
    sim_world_add_up(w);
}

void sim_world_add_up(sim_world *w)
{
    const uint64_t n = (uint64_t)sim_world_sql(w, "select count(*) from samples");
    const uint64_t recorded = (uint64_t)sim_world_sql(
        w, "select (select coalesce(sum(count), 0) from gaps where sink = '' and cause <>"
           " 'memory') + coalesce((select value from main.meta where key = 'expired'), 0)");
    const uint64_t want = w->ledger.n_checked + w->n_gone + w->ledger.n_committed;
    if (n + recorded != want)
        sim_world_violation(w,
                            "%" PRIu64 " samples were committed, now there are %" PRIu64
                            ", and %" PRIu64 " are recorded as removed",
                            want, n, recorded);
}

int64_t sim_world_sql(sim_world *w, const char *sql)
{
    weir_query *query = NULL;
    if (!open_query(w, &query))
        return -1;
    const int64_t n = query_int(w, query, sql);
    weir_query_close(query);
    return n;
}

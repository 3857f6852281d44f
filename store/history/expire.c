/* SPDX-License-Identifier: MIT */
/* Expiry: what is older than its tag's rule goes, and what a rule has too much of. */

/*
 * A sweep goes over the parts from the oldest to the newest. A part older than every rule goes
 * whole. Of others the segments of tags with a shorter rule are looked at, their heads only, and
 * deleted when all in them is old; what stays is added up for the rules that have a max_size. Then
 * of each rule that has too much the oldest parts' segments go, with a gap for each tag.
 *
 * That a sample expires is what was asked for and no gap; meta.expired counts them. What a sink has
 * not acknowledged lies in the log and is not touched here.
 *
 * A sweep and a merge of parts never are under way at once: what a merge has read already would
 * come back. It is in memory alone; after a failure or a crash the next one begins anew, and finds
 * nothing twice, as what it deletes it counts in the same transaction.
 */

#include "store/history/expire.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/text.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/gap.h"
#include "store/history/history.h"
#include "store/history/part.h"
#include "store/history/segments.h"

enum {
    LOOK_SEGMENTS = 512,     /* heads read in one piece ... */
    DELETE_SEGMENTS = 128,   /* ... and deleted */
    RULE_NONE = UINT16_MAX,  /* no rule matches: kept forever */
    TRIM_SHARE = 16,         /* of a rule's max_size that is made free at once */
    EVENTS_MAX = 100 * 1000, /* kept; with a small max_size fewer ... */
    EVENTS_MIN = 1000,
    EVENT_BYTES = 4096, /* ... one for so many bytes of it, which is about a 20th in events */
    GAPS_MAX = 100 * 1000,
    EVENTS_DELETE = 1000, /* in one piece */
};

typedef enum sweep_phase { SWEEP_NONE, SWEEP_AGE, SWEEP_SIZE, SWEEP_EVENTS } sweep_phase;

struct weir_expire {
    size_t n_tags, n_rules;
    const weir_retention *rules;
    uint16_t *rule; /* by uid */
    int64_t keep_longest, keep_shortest;
    bool sized; /* a rule has max_bytes */
    weir_wall ended;
    bool swept; /* since it is known */

    sweep_phase phase;
    weir_wall now; /* when it began: one moment for all of it */
    weir_part *parts;
    size_t n_parts, part;
    int64_t *offsets; /* of the parts: what their times lack */
    int64_t key;      /* next one to look at; 0: the part has not begun */
    size_t over;      /* SWEEP_SIZE: the rule */
    uint64_t *bytes;  /* of each rule */
};

void weir_expire_free(weir_expire *e)
{
    if (!e)
        return;
    weir_free(e->rule);
    weir_free(e->parts);
    weir_free(e->offsets);
    weir_free(e->bytes);
    weir_free(e);
}

/* --- the rules ---------------------------------------------------------------------------- */

static uint16_t rule_of(const weir_expire *e, const char *name)
{
    for (size_t i = 0; i < e->n_rules; i++)
        for (size_t j = 0; j < e->rules[i].n_tags; j++)
            if (weir_glob_match(e->rules[i].tags[j], name))
                return (uint16_t)i;
    return RULE_NONE;
}

static int64_t rule_keep(const weir_expire *e, uint16_t rule)
{
    return rule == RULE_NONE || e->rules[rule].keep_us == 0 ? INT64_MAX : e->rules[rule].keep_us;
}

static weir_err rules_read(weir_store *store, weir_expire *e, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row, any = false;
    e->keep_longest = 0;
    e->keep_shortest = INT64_MAX;
    weir_err err = weir_db_prepare(store->db, "SELECT uid, name FROM tag", &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        const int64_t uid = sqlite3_column_int64(rows, 0);
        const char *name = (const char *)sqlite3_column_text(rows, 1);
        if (uid <= 0 || (size_t)uid >= e->n_tags || !name)
            continue;
        const uint16_t rule = rule_of(e, name);
        const int64_t keep = rule_keep(e, rule);
        e->rule[uid] = rule;
        e->keep_longest = keep > e->keep_longest ? keep : e->keep_longest;
        e->keep_shortest = keep < e->keep_shortest ? keep : e->keep_shortest;
        e->sized |= rule != RULE_NONE && e->rules[rule].max_bytes > 0;
        any = true;
    }
    if (!any)
        e->keep_longest = INT64_MAX;
    return err;
}

static weir_err rules_load(weir_store *store, weir_error *error)
{
    WEIR_CLEANUP(weir_expire_free) weir_expire *e = weir_alloc_zero(1, sizeof *e);
    if (!e)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the rules of retention");
    e->n_tags = store->pending.n_tags;
    e->n_rules = store->options.config ? store->options.config->n_retention : 0;
    e->rules = store->options.config ? store->options.config->retention : NULL;
    e->rule = weir_realloc_array(NULL, e->n_tags + 1, sizeof *e->rule);
    e->bytes = weir_alloc_zero(e->n_rules + 1, sizeof *e->bytes);
    if (!e->rule || !e->bytes)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the rules of retention");
    for (size_t i = 0; i < e->n_tags; i++)
        e->rule[i] = RULE_NONE;
    weir_err err = rules_read(store, e, error);
    if (err != WEIR_OK)
        return err;
    store->history->expire = e;
    e = NULL;
    return WEIR_OK;
}

bool weir_expire_is_idle(const weir_store *store)
{
    return !store->history->expire || store->history->expire->phase == SWEEP_NONE;
}

int64_t weir_expire_keep(const weir_store *store, weir_tag_uid uid)
{
    const weir_expire *e = store->history->expire;
    if (!e || uid >= e->n_tags)
        return INT64_MAX;
    return uid == 0 ? e->keep_longest : rule_keep(e, e->rule[uid]);
}

bool weir_expire_is_sized(const weir_store *store, weir_tag_uid uid)
{
    const weir_expire *e = store->history->expire;
    return e && uid < e->n_tags && e->rule[uid] != RULE_NONE &&
           e->rules[e->rule[uid]].max_bytes > 0;
}

/* --- the segments of a part --------------------------------------------------------------- */

static bool is_older(int64_t ts, int64_t keep, weir_wall now)
{
    return keep != INT64_MAX && now.us >= keep && ts < now.us - keep;
}

/* Whether a segment of this tag in this part matters to the phase. */
static bool uid_matters(const weir_expire *e, const weir_part *part, uint32_t uid)
{
    const uint16_t rule = e->rule[uid];
    if (rule == RULE_NONE)
        return false;
    if (e->phase == SWEEP_SIZE)
        return rule == e->over;
    return e->rules[rule].max_bytes > 0 ||
           is_older(part->min_ts + e->offsets[e->part], rule_keep(e, rule), e->now);
}

/* What a piece found in a part and takes away. */
struct piece {
    sqlite3_stmt *seek, *drop;
    uint64_t segments, samples, bytes;
    weir_gap gap; /* of the tag at hand; count 0: none */
};

static weir_err gap_write(weir_store *store, struct piece *p, weir_wall now, weir_error *error)
{
    weir_err err = p->gap.count > 0 ? weir_gap_add(store->db, &p->gap, true, now, error) : WEIR_OK;
    p->gap.count = 0;
    return err;
}

static weir_err gap_note(weir_store *store, struct piece *p, uint32_t uid,
                         const weir_segment_head *head, const weir_expire *e, weir_error *error)
{
    weir_err err = WEIR_OK;
    weir_gap *g = &p->gap;
    const int64_t from = head->min_ts.us + e->offsets[e->part];
    const int64_t to = head->max_ts.us + e->offsets[e->part];
    if (g->count > 0 && g->tag != uid)
        err = gap_write(store, p, e->now, error);
    if (g->count == 0)
        *g = (weir_gap){"", uid, from, to, 0, "rule"};
    g->from_ts = from < g->from_ts ? from : g->from_ts;
    g->to_ts = to > g->to_ts ? to : g->to_ts;
    g->count += head->count;
    return err;
}

static weir_err segment_drop(struct piece *p, int64_t key, const weir_segment_head *head,
                             uint64_t bytes, weir_error *error)
{
    p->segments++;
    p->samples += head->count;
    p->bytes += bytes;
    (void)sqlite3_bind_int64(p->drop, 1, key);
    return weir_db_run(p->drop, error);
}

static weir_err segment_judge(weir_store *store, weir_expire *e, struct piece *p, uint32_t uid,
                              int64_t key, weir_error *error)
{
    weir_segment_head head;
    const uint64_t bytes = (uint64_t)sqlite3_column_int64(p->seek, 2);
    const weir_retention *rule = &e->rules[e->rule[uid]];
    weir_err err = weir_segment_head_parse(sqlite3_column_blob(p->seek, 1),
                                           (size_t)sqlite3_column_bytes(p->seek, 1), &head, error);
    if (err == WEIR_EDAMAGED)
        return WEIR_OK; /* a merge sets it aside */
    if (err != WEIR_OK)
        return err;
    if (e->phase == SWEEP_SIZE) {
        e->bytes[e->over] -= bytes < e->bytes[e->over] ? bytes : e->bytes[e->over];
        err = gap_note(store, p, uid, &head, e, error);
        return err == WEIR_OK ? segment_drop(p, key, &head, bytes, error) : err;
    }
    if (is_older(head.max_ts.us + e->offsets[e->part], rule_keep(e, e->rule[uid]), e->now))
        return segment_drop(p, key, &head, bytes, error);
    e->bytes[e->rule[uid]] += rule->max_bytes > 0 ? bytes : 0;
    return WEIR_OK;
}

/* Looks at the next segments of the part. *ret_end: there are no more. */
static weir_err segments_look(weir_store *store, weir_expire *e, struct piece *p, bool *ret_end,
                              weir_error *error)
{
    const weir_part *part = &e->parts[e->part];
    const int64_t end = SEGMENT_KEY(part->id, SEGMENT_REPLIES, 0);
    weir_err err = WEIR_OK;
    e->key = e->key ? e->key : SEGMENT_KEY(part->id, 1, 0);
    for (int n = 0; err == WEIR_OK && n < LOOK_SEGMENTS && p->segments < DELETE_SEGMENTS; n++) {
        WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *seek = p->seek;
        bool found;
        uint32_t uid = (uint32_t)(e->key >> 8);
        for (; uid < e->n_tags && !uid_matters(e, part, uid); uid++)
            e->key = SEGMENT_KEY(part->id, uid + 1, 0);
        (void)sqlite3_bind_int64(seek, 1, e->key);
        (void)sqlite3_bind_int64(seek, 2, end);
        err = uid >= e->n_tags ? WEIR_OK : weir_db_step(seek, &found, error);
        if (err != WEIR_OK || uid >= e->n_tags || !found) {
            *ret_end = err == WEIR_OK;
            return err;
        }
        e->key = sqlite3_column_int64(seek, 0);
        uid = (uint32_t)(e->key >> 8);
        if (uid >= e->n_tags || !uid_matters(e, part, uid))
            continue;
        err = segment_judge(store, e, p, uid, e->key, error);
        e->key++;
    }
    return err;
}

static weir_err expired_count(weir_store *store, uint64_t samples, weir_error *error)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO meta VALUES('expired',%llu) ON CONFLICT(key) DO UPDATE SET"
                   " value=value+excluded.value",
                   (unsigned long long)samples);
    return samples > 0 ? weir_db_exec(store->db, sql, error) : WEIR_OK;
}

/* The part's row is what is left of it. */
static weir_err part_lessen(weir_store *store, const weir_expire *e, const struct piece *p,
                            weir_error *error)
{
    weir_part *part = &e->parts[e->part];
    part->segments -= p->segments;
    part->samples -= p->samples;
    part->bytes -= p->bytes;
    weir_err err = weir_part_write(store->db, part, error);
    if (err == WEIR_OK && part->samples == 0)
        err = weir_part_drop(store->db, part->id, error); /* replies alone are of no use */
    return err;
}

static weir_err piece_write(weir_store *store, weir_expire *e, struct piece *p, bool *ret_end,
                            weir_error *error)
{
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = segments_look(store, e, p, ret_end, error);
    if (err == WEIR_OK)
        err = gap_write(store, p, e->now, error);
    if (err == WEIR_OK && p->segments > 0)
        err = part_lessen(store, e, p, error);
    if (err == WEIR_OK && e->phase == SWEEP_AGE)
        err = expired_count(store, p->samples, error);
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}

static weir_err part_look(weir_store *store, weir_expire *e, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *seek = NULL;
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *drop = NULL;
    bool end = false;
    weir_err err = weir_db_prepare(store->db,
                                   "SELECT key, head, length(head)+length(marks)+length(body)"
                                   " FROM segment WHERE key>=? AND key<? ORDER BY key LIMIT 1",
                                   &seek, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(store->db, "DELETE FROM segment WHERE key=?", &drop, error);
    struct piece p = {.seek = seek, .drop = drop};
    if (err == WEIR_OK)
        err = piece_write(store, e, &p, &end, error);
    if (err == WEIR_OK && end) {
        e->part++;
        e->key = 0;
    }
    return err;
}

/* --- phases ------------------------------------------------------------------------------- */

static weir_err part_expire(weir_store *store, weir_expire *e, weir_error *error)
{
    const weir_part *part = &e->parts[e->part++];
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_part_drop(store->db, part->id, error);
    if (err == WEIR_OK)
        err = expired_count(store, part->samples, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    store->history->parts_changed = true;
    return err;
}

static weir_err sweep_age(weir_store *store, weir_expire *e, weir_error *error)
{
    while (e->part < e->n_parts) {
        const weir_part *part = &e->parts[e->part];
        if (is_older(part->max_ts + e->offsets[e->part], e->keep_longest, e->now))
            return part_expire(store, e, error);
        if (e->sized || is_older(part->min_ts + e->offsets[e->part], e->keep_shortest, e->now))
            return part_look(store, e, error);
        e->part++;
    }
    e->phase = SWEEP_SIZE;
    e->part = 0;
    e->over = SIZE_MAX;
    return WEIR_OK;
}

static bool rule_is_over(const weir_expire *e, size_t rule, uint64_t share)
{
    const uint64_t most = e->rules[rule].max_bytes;
    return most > 0 && e->bytes[rule] > most - (share ? most / share : 0);
}

/* One rule after the other; each from the oldest part on, until it has a little room. */
static weir_err sweep_size(weir_store *store, weir_expire *e, weir_error *error)
{
    if (e->over != SIZE_MAX && e->part < e->n_parts && rule_is_over(e, e->over, TRIM_SHARE)) {
        /* Those that went for their age are still in the list. */
        if (e->parts[e->part].samples == 0 ||
            is_older(e->parts[e->part].max_ts + e->offsets[e->part], e->keep_longest, e->now)) {
            e->part++;
            return WEIR_OK;
        }
        return part_look(store, e, error);
    }
    size_t next = e->over == SIZE_MAX ? 0 : e->over + 1;
    while (next < e->n_rules && !rule_is_over(e, next, 0))
        next++;
    e->part = 0;
    e->key = 0;
    e->over = next;
    if (next >= e->n_rules)
        e->phase = SWEEP_EVENTS;
    return WEIR_OK;
}

/* Events are kept as long as the longest rule says, and so many at most. The newest one stays: it
 * knows its seq. */
static weir_err sweep_events(weir_store *store, weir_expire *e, weir_error *error)
{
    const uint64_t share = store->limits.max_bytes / EVENT_BYTES;
    const int64_t most = store->limits.max_bytes == 0 || share > EVENTS_MAX ? EVENTS_MAX
                         : share < EVENTS_MIN                               ? EVENTS_MIN
                                                                            : (int64_t)share;
    const int64_t from = e->keep_longest == INT64_MAX || e->now.us < e->keep_longest
                             ? INT64_MIN
                             : e->now.us - e->keep_longest;
    char sql[400];
    int64_t n;
    weir_err err = weir_db_int(store->db, "SELECT count(*) FROM event", 0, &n, error);
    if (err != WEIR_OK)
        return err;
    const int64_t excess = n > most ? n - most : 0;
    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE seq<=%lld"
                   " AND seq<(SELECT max(seq) FROM event) ORDER BY seq LIMIT %lld);"
                   "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE ts<%lld"
                   " AND seq<=%lld AND seq<(SELECT max(seq) FROM event) LIMIT %d);"
                   "DELETE FROM gap WHERE id<=(SELECT max(id) FROM gap)-%d",
                   (long long)store->history_seq,
                   (long long)(excess < EVENTS_DELETE ? excess : EVENTS_DELETE), (long long)from,
                   (long long)store->history_seq, EVENTS_DELETE, GAPS_MAX);
    err = weir_db_exec(store->db, sql, error);
    if (err == WEIR_OK && excess <= EVENTS_DELETE) {
        e->phase = SWEEP_NONE;
        e->ended = e->now;
        e->swept = true;
    }
    return err;
}

static weir_err sweep_begin(weir_store *store, weir_expire *e, weir_wall now, weir_error *error)
{
    weir_free(e->parts);
    weir_free(e->offsets);
    e->parts = NULL;
    e->offsets = NULL;
    e->n_parts = e->part = 0;
    e->key = 0;
    e->now = now;
    for (size_t i = 0; i < e->n_rules; i++)
        e->bytes[i] = 0;
    weir_err err = e->keep_shortest == INT64_MAX && !e->sized
                       ? WEIR_OK
                       : weir_parts_read(store->db, "WHERE state=1 ORDER BY max_ts", &e->parts,
                                         &e->n_parts, error);
    if (err == WEIR_OK && !(e->offsets = weir_alloc_zero(e->n_parts + 1, sizeof *e->offsets)))
        err = weir_fail(error, WEIR_ENOMEM, "no memory to sweep over %zu parts", e->n_parts);
    for (size_t i = 0; err == WEIR_OK && i < e->n_parts; i++)
        err = weir_part_offset(store->db, &e->parts[i], &e->offsets[i], error);
    if (err == WEIR_OK)
        e->phase = SWEEP_AGE;
    return err;
}

weir_err weir_expire_run(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    weir_err err = WEIR_OK;
    if (!store->history->expire)
        err = rules_load(store, error);
    if (err != WEIR_OK)
        return err;
    weir_expire *e = store->history->expire;
    const int64_t age = now.us - e->ended.us;
    if (e->phase == SWEEP_NONE && e->swept && age >= 0 && age < store->options.archive_us)
        return WEIR_OK;
    /* A merge that a crash left counts too: it is looked for first. */
    if (store->history->compact || !store->history->compact_looked)
        return WEIR_OK;
    switch (e->phase) {
    case SWEEP_NONE:
        err = sweep_begin(store, e, now, error);
        break;
    case SWEEP_AGE:
        err = sweep_age(store, e, error);
        break;
    case SWEEP_SIZE:
        err = sweep_size(store, e, error);
        break;
    case SWEEP_EVENTS:
        err = sweep_events(store, e, error);
        break;
    }
    *ret_did = err == WEIR_OK;
    return err;
}

/* SPDX-License-Identifier: MIT */
/* From commits to history: every sample there once, whatever interrupts. */

#include "store/store.h"

#include "base/random.h"
#include "blocks/replies.h"
#include "blocks/segment.h"
#include "store/file/database.h"
#include "store/file/row.h"
#include "store/file/schema.h"
#include "store/query/query.h"
#include "store/store_priv.h"
#include "store/testing.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/scaled.h"

/* --- reading it all back ------------------------------------------------------------------ */

/* A sample as the tables have it. */
struct found {
    weir_tag_uid tag;
    uint32_t epoch;
    int64_t ts;
    int64_t value; /* of an i64; the length of a string */
    uint64_t seq;
    int64_t received;
    uint64_t rank; /* of two with one identity the higher one counts: seq, or the part's last_seq */
};

struct contents {
    struct found *all;
    size_t n, capacity;
    size_t fresh, log, history; /* where they were */
};

static void contents_add(struct contents *c, struct found f)
{
    if (c->n == c->capacity) {
        c->capacity = c->capacity ? c->capacity * 2 : 1024;
        c->all = realloc(c->all, c->capacity * sizeof *c->all);
        assert_non_null(c->all);
    }
    c->all[c->n++] = f;
}

static int64_t value_number(const weir_value *v)
{
    return v->kind >= WEIR_KIND_STRING ? v->length : v->as.i;
}

static weir_err read_batch(void *data, const weir_batch *b, uint64_t seq, weir_error *error)
{
    (void)error;
    for (uint32_t i = 0; i < b->n_samples; i++)
        contents_add(data, (struct found){b->samples[i].tag, b->epoch, b->samples[i].ts.us,
                                          value_number(&b->samples[i].value), seq + i,
                                          b->received.us, seq + i});
    return WEIR_OK;
}

static void read_rows(sqlite3 *db, const char *sql, struct contents *c)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        weir_error error = WEIR_ERROR_INIT;
        if (weir_row_each(weir_row_of(s, 0, 1, 2), c, read_batch, &error) != WEIR_OK)
            fail_msg("%s", error.text);
    }
    (void)sqlite3_finalize(s);
}

/* The replies that a series has in a part. */
struct series {
    weir_reply_record *replies;
    size_t n;
};

static void read_series(sqlite3 *db, int64_t part, weir_tag_uid lowest, struct series *ret)
{
    sqlite3_stmt *s = NULL;
    *ret = (struct series){0};
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT head, body FROM segment WHERE key BETWEEN ? AND ?",
                                        -1, &s, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_int64(s, 1, SEGMENT_KEY(part, lowest | SEGMENT_REPLIES, 0));
    (void)sqlite3_bind_int64(s, 2, SEGMENT_KEY(part, lowest | SEGMENT_REPLIES, 255));
    while (sqlite3_step(s) == SQLITE_ROW) {
        weir_segment_head head;
        assert_int_equal(weir_segment_head_parse(sqlite3_column_blob(s, 0),
                                                 (size_t)sqlite3_column_bytes(s, 0), &head, NULL),
                         WEIR_OK);
        ret->replies = realloc(ret->replies, (ret->n + head.count) * sizeof *ret->replies);
        assert_int_equal(weir_replies_decode(&head, sqlite3_column_blob(s, 1),
                                             (size_t)sqlite3_column_bytes(s, 1),
                                             ret->replies + ret->n, NULL),
                         WEIR_OK);
        ret->n += head.count;
    }
    (void)sqlite3_finalize(s);
}

static void read_parts(sqlite3 *db, struct contents *c, bool with_replies)
{
    sqlite3_stmt *s = NULL;
    struct series series = {0};
    weir_tag_uid of = 0;
    int64_t of_part = 0;
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT p.epoch, s.key, s.head, s.marks, s.body, p.last_seq FROM part p"
                           " JOIN segment s ON s.key>=(p.id<<40) AND s.key<((p.id+1)<<40)"
                           " WHERE p.state=1 AND (s.key & 0x8000000000)=0",
                           -1, &s, NULL),
        SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        weir_segment_head head;
        weir_segment *segment = NULL;
        weir_error error = WEIR_ERROR_INIT;
        uint32_t epoch = (uint32_t)sqlite3_column_int64(s, 0);
        weir_tag_uid tag = (weir_tag_uid)(sqlite3_column_int64(s, 1) >> 8);
        const int64_t part = sqlite3_column_int64(s, 1) >> 40;
        if (weir_segment_head_parse(sqlite3_column_blob(s, 2), (size_t)sqlite3_column_bytes(s, 2),
                                    &head, &error) != WEIR_OK ||
            weir_segment_open(&head, sqlite3_column_blob(s, 3), (size_t)sqlite3_column_bytes(s, 3),
                              &segment, &error) != WEIR_OK ||
            weir_segment_load(segment, sqlite3_column_blob(s, 4),
                              (size_t)sqlite3_column_bytes(s, 4), &error) != WEIR_OK)
            fail_msg("segment: %s", error.text);
        weir_sample *samples = malloc(head.count * sizeof *samples);
        weir_reply_ref *refs = malloc(head.count * sizeof *refs);
        assert_int_equal(weir_segment_read(segment, 0, head.n_slices, tag, samples, refs, &error),
                         WEIR_OK);
        for (uint32_t i = 0; i < head.count; i++) {
            struct found f = {tag,
                              epoch,
                              samples[i].ts.us,
                              value_number(&samples[i].value),
                              0,
                              0,
                              (uint64_t)sqlite3_column_int64(s, 5)};
            if (with_replies) {
                if (of != refs[i].reply || of_part != part || !series.replies) {
                    free(series.replies);
                    of = refs[i].reply;
                    of_part = part;
                    read_series(db, part, of, &series);
                }
                const weir_reply_record *reply =
                    weir_reply_find(series.replies, series.n, &refs[i]);
                if (!reply)
                    fail_msg("tag %u at %lld: no reply", tag, (long long)f.ts);
                f.seq = reply->seq + refs[i].index;
                f.received = reply->received.us;
            }
            contents_add(c, f);
        }
        weir_segment_free(segment);
        free(samples);
        free(refs);
    }
    (void)sqlite3_finalize(s);
    free(series.replies);
}

static int found_compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    return (x->ts > y->ts) - (x->ts < y->ts);
}

/* All that a reader would find: history, the log behind it, the fresh rows behind that. */
static struct contents contents_read(sqlite3 *db, bool with_replies)
{
    struct contents c = {0};
    read_parts(db, &c, with_replies);
    c.history = c.n;
    read_rows(db,
              "SELECT first_seq, head, body FROM log WHERE first_seq>"
              "(SELECT value FROM meta WHERE key='history_seq') ORDER BY first_seq",
              &c);
    c.log = c.n - c.history;
    read_rows(db,
              "SELECT first_seq, head, body FROM fresh WHERE first_seq>"
              "(SELECT value FROM meta WHERE key='merged_seq') ORDER BY first_seq",
              &c);
    c.fresh = c.n - c.history - c.log;
    qsort(c.all, c.n, sizeof *c.all, found_compare);
    return c;
}

static sqlite3 *reader_open(const char *dir, const char *vfs)
{
    char path[600];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, vfs), SQLITE_OK);
    return db;
}

static struct contents contents_of(const char *dir, const char *vfs, bool with_replies)
{
    sqlite3 *db = reader_open(dir, vfs);
    struct contents c = contents_read(db, with_replies);
    assert_string_equal(testing_sql(db, "PRAGMA integrity_check"), "ok");
    (void)sqlite3_close(db);
    return c;
}

/* --- a plant ------------------------------------------------------------------------------ */

/* Devices of `points` tags each, polled every `interval`: the value says when. */
struct plant {
    uint32_t devices, points;
    int64_t interval;
    int64_t next; /* slot */
    uint32_t epoch;
};

static void plant_poll(struct plant *p, weir_store *store)
{
    weir_sample samples[256];
    assert_true(p->points <= 256);
    for (uint32_t d = 0; d < p->devices; d++) {
        for (uint32_t i = 0; i < p->points; i++)
            samples[i] = (weir_sample){
                d * p->points + i + 1, 0, {p->next}, weir_value_i64(p->next / 1000 + i)};
        weir_batch batch = {.device = d,
                            .catalog_revision = 1,
                            .epoch = p->epoch,
                            .plans = WEIR_PLAN_DEFAULT,
                            .due = {p->next},
                            .sent = {p->next + 100},
                            .received = {p->next + 2000 + d * 1000},
                            .n_samples = p->points,
                            .samples = samples};
        weir_error error = WEIR_ERROR_INIT;
        if (weir_store_append(store, &batch, &error) != WEIR_OK)
            fail_msg("append: %s", error.text);
    }
    p->next += p->interval;
}

static void commit_at(weir_store *store, int64_t now)
{
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_commit(store, (weir_wall){now}, &error) != WEIR_OK)
        fail_msg("commit: %s", error.text);
}

static void plant_run(struct plant *p, weir_store *store, int64_t until)
{
    while (p->next < until) {
        const int64_t now = p->next;
        plant_poll(p, store);
        commit_at(store, now);
        testing_maintain(store, now);
    }
}

/* Every slot of every tag from `from` on, once, with its own value. */
static void assert_plant(const struct contents *c, const struct plant *p, int64_t from)
{
    const size_t slots = (size_t)((p->next - from) / p->interval);
    assert_int_equal(c->n, slots * p->devices * p->points);
    for (size_t i = 0; i < c->n; i++) {
        const struct found *f = &c->all[i];
        assert_int_equal(f->tag, i / slots + 1);
        assert_int_equal(f->ts, from + (int64_t)(i % slots) * p->interval);
        assert_int_equal(f->value, f->ts / 1000 + (f->tag - 1) % p->points);
    }
}

/* Replies: each sample has a number of its own, and its reply's time. */
static void assert_numbers(const struct contents *c, const struct plant *p, size_t n_events)
{
    bool *seen = calloc(c->n + n_events + 1, 1);
    for (size_t i = 0; i < c->n; i++) {
        const struct found *f = &c->all[i];
        assert_in_range(f->seq, 1, c->n + n_events);
        assert_false(seen[f->seq]);
        seen[f->seq] = true;
        assert_int_equal(f->received, f->ts + 2000 + (f->tag - 1) / p->points * 1000);
    }
    free(seen);
}

static weir_store *open_at(const char *dir, const char *vfs, int64_t now)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_store *store = NULL;
    weir_store_options options = {.data_dir = dir, .vfs = vfs, .now = {now}};
    if (weir_store_open(&options, &store, &error) != WEIR_OK)
        fail_msg("open: %s", error.text);
    return store;
}

#define DAY0 (T0 / WEIR_DAY * WEIR_DAY)

/* --- the way ------------------------------------------------------------------------------ */

static void two_days_become_history_and_lose_nothing(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(3, 4);
    struct plant plant = {3, 4, 20 * WEIR_S, DAY0, 0};
    testing_register(store, catalog);
    plant_run(&plant, store, DAY0 + 2 * WEIR_DAY + 4 * WEIR_HOUR);
    weir_store_close(store);
    struct contents c = contents_of(dir, NULL, true);
    assert_plant(&c, &plant, DAY0);
    assert_numbers(&c, &plant, 0);
    assert_true(c.fresh <= 3 * 12);
    assert_true(c.log <= 61 * 3 * 12);
    free(c.all);
    /* Two days merged, and the hours since. */
    assert_string_equal(
        testing_file_sql(dir, "SELECT tier, count(*)>0, state FROM part GROUP BY 1"),
        "0|1|1\n1|1|1");
    assert_string_equal(
        testing_file_sql(dir, "SELECT sum(samples), sum(segments) FROM part WHERE tier=1"),
        "103680|30");
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void small_periods_move_up_and_large_ones_stay(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(2, 1);
    struct plant slow = {1, 1, 2 * WEIR_HOUR, DAY0, 0};
    weir_sample samples[4000];
    int64_t until = weir_floor_multiple(DAY0, 64 * WEIR_DAY) + 66 * WEIR_DAY;
    testing_register(store, catalog);
    /* Tag 2 has 48 000 samples in each of the first two days: more than a segment in eight. */
    while (slow.next < until) {
        const int64_t now = slow.next;
        plant_poll(&slow, store);
        for (size_t i = 0; i < 4000; i++)
            samples[i] = (weir_sample){2, 0, {now + (int64_t)i}, weir_value_i64((int64_t)i)};
        weir_batch batch = {.due = {now}, .received = {now}, .n_samples = 4000, .samples = samples};
        if (now < DAY0 + 2 * WEIR_DAY)
            assert_int_equal(weir_store_append(store, &batch, NULL), WEIR_OK);
        commit_at(store, now);
        testing_maintain(store, now);
    }
    weir_store_close(store);
    /* One segment in the 64 days, and the replies; the other stays in its days. */
    assert_string_equal(
        testing_file_sql(dir, "SELECT tier, count(*), sum(samples) FROM part WHERE tier&16"),
        "17|2|96000");
    assert_string_equal(testing_file_sql(dir, "SELECT count(*) FROM part WHERE tier=3"), "1");
    assert_string_equal(testing_file_sql(dir, "SELECT count(*) FROM segment s, part p"
                                              " WHERE p.tier=3 AND s.key>>8=(p.id<<32)+1"),
                        "1");
    struct contents c = contents_of(dir, NULL, true);
    assert_int_equal(c.n, (size_t)((until - DAY0) / slow.interval) + 96000);
    free(c.all);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* A slow tag that is read together with a fast one has its replies from it: they rest together. */
static void a_part_has_the_replies_of_its_samples(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(2, 2);
    testing_register(store, catalog);
    for (int64_t now = DAY0; now < DAY0 + 10 * WEIR_DAY; now += 4 * WEIR_HOUR) {
        for (int64_t i = 0; i < 3000; i++) { /* of 36 000 replies in two days */
            weir_sample samples[] = {{1, 0, {now + i}, weir_value_i64(i)},
                                     {2, 0, {now + i}, weir_value_i64(i)}};
            weir_batch batch = {.due = {now + i},
                                .received = {now + i + 3000},
                                .n_samples = i % 1000 == 0 ? 2 : 1,
                                .samples = samples};
            if (now < DAY0 + 2 * WEIR_DAY)
                assert_int_equal(weir_store_append(store, &batch, NULL), WEIR_OK);
        }
        testing_append(store, 3, now, 0, weir_value_i64(now));
        commit_at(store, now);
        testing_maintain(store, now);
    }
    weir_store_close(store);
    assert_string_equal(
        testing_file_sql(dir, "SELECT DISTINCT p.tier, s.key>>8&0xff FROM part p JOIN segment s ON"
                              " s.key>>40=p.id WHERE p.tier>=1 AND s.key>>8&0x7fffffff<=2 AND"
                              " p.max_ts<1700092800000000 ORDER BY 1,2"),
        "17|1\n17|2");
    struct contents c = contents_of(dir, NULL, true); /* finds every reply */
    assert_int_equal(c.n, 12 * 3003 + 60);
    free(c.all);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* An old value corrected, before and after its day was merged; a clock set back; late days. */
/* Batches of any of four tags, many late, many with a due that was there before. Each value is the
 * sample's own number. */
static void replies_with_one_due_are_told_apart_through_all_merges(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(1, 4);
    weir_random r = {.state = 7};
    int64_t seq = 0;
    testing_register(store, catalog);
    for (int64_t i = 0; i < 17 * 96; i++) {
        const int64_t now = DAY0 + i * 15 * WEIR_MINUTE;
        for (unsigned n = (unsigned)weir_random_below(&r, 4); n > 0; n--) {
            weir_sample samples[4];
            const int64_t back = (int64_t)weir_random_below(&r, weir_random_below(&r, 9) ? 4 : 300);
            weir_batch batch = {.due = {now - back * 15 * WEIR_MINUTE},
                                .plans = n,
                                .received = {now + 1000},
                                .samples = samples};
            for (weir_tag_uid tag = 1; tag <= 4; tag++)
                if (weir_random_below(&r, 2))
                    samples[batch.n_samples++] =
                        (weir_sample){tag, 0, batch.due, weir_value_i64(++seq)};
            assert_int_equal(weir_store_append(store, &batch, NULL), WEIR_OK);
        }
        commit_at(store, now);
        testing_maintain(store, now);
    }
    weir_store_close(store);
    struct contents c = contents_of(dir, NULL, true);
    assert_true(c.history > 1000);
    for (size_t i = 0; i < c.n; i++)
        assert_int_equal(c.all[i].seq, c.all[i].value);
    free(c.all);
    assert_string_equal(testing_file_sql(dir, "SELECT max(tier) FROM part WHERE state=1"), "2");
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void corrections_win_and_epochs_stay_apart(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(1, 2);
    int64_t now = DAY0;
    testing_register(store, catalog);
    for (int i = 0; i < 300; i++, now += 10 * WEIR_MINUTE) {
        testing_append(store, 1, now, 0, weir_value_i64(i));
        if (i % 25 == 24) /* one of long ago: first ten of them */
            testing_append(store, 1, DAY0 + i / 25 * WEIR_HOUR, 0, weir_value_i64(1000000 + i));
        if (i == 200)
            testing_append(store, 1, DAY0 + WEIR_HOUR, 1, weir_value_i64(77));
        if (i == 250)
            testing_append(store, 2, DAY0 - 300 * WEIR_DAY, 0, weir_value_string("late", 4));
        commit_at(store, now);
        testing_maintain(store, now);
    }
    weir_store_close(store);
    struct contents c = contents_of(dir, NULL, true);
    size_t corrected = 0;
    for (size_t i = 0; i < c.n; i++) {
        /* Of those with one identity the highest seq counts; a merge may have dropped the rest. */
        const struct found *best = &c.all[i];
        while (i + 1 < c.n && found_compare(&c.all[i], &c.all[i + 1]) == 0) {
            i++;
            best = c.all[i].rank > best->rank ? &c.all[i] : best;
        }
        if (best->tag != 1 || best->epoch != 0)
            continue;
        int64_t hour = (best->ts - DAY0) / WEIR_HOUR, slot = (best->ts - DAY0) / 10 / WEIR_MINUTE;
        bool is_corrected = (best->ts - DAY0) % WEIR_HOUR == 0 && hour < 12;
        corrected += is_corrected;
        assert_int_equal(best->value, is_corrected ? 1000000 + hour * 25 + 24 : slot);
    }
    assert_int_equal(corrected, 12);
    free(c.all);
    assert_string_equal(testing_file_sql(dir, "SELECT epoch, sum(samples) FROM part WHERE epoch=1"),
                        "1|1");
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* A part of many days is merged with nothing; what it corrected stays corrected when parts from
 * before and after it become one. */
static void a_part_that_is_left_out_keeps_its_place_in_the_order(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(1, 2);
    const int64_t border = weir_floor_multiple(DAY0, 8 * WEIR_DAY) + 8 * WEIR_DAY;
    const int64_t corrected = border - 2 * WEIR_DAY + 2 * WEIR_HOUR;
    testing_register(store, catalog);
    for (int64_t hour = -3 * 24; hour < 9 * 24; hour++) {
        const int64_t now = border + hour * WEIR_HOUR;
        testing_append(store, 1, now, 0, weir_value_i64(hour));
        if (hour == 24)
            testing_append(store, 2, corrected, 0, weir_value_i64(1));
        for (int64_t day = -4; hour == 7 * 24 && day <= 6; day++)
            testing_append(store, 2, border + day * WEIR_DAY + 2 * WEIR_HOUR, 0, weir_value_i64(2));
        if (hour > 7 * 24 && hour < 7 * 24 + 20)
            testing_append(store, 2, corrected + hour, 0, weir_value_i64(3));
        commit_at(store, now);
        testing_maintain(store, now);
    }
    weir_store_close(store);
    struct contents c = contents_of(dir, NULL, true);
    const struct found *best = NULL;
    for (size_t i = 0; i < c.n; i++)
        if (c.all[i].tag == 2 && c.all[i].ts == corrected && (!best || c.all[i].rank > best->rank))
            best = &c.all[i];
    assert_non_null(best);
    assert_int_equal(best->value, 2);
    free(c.all);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void what_is_purged_goes_with_the_next_merges(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(1, 2);
    struct plant plant = {1, 2, WEIR_MINUTE, DAY0, 0};
    testing_register(store, catalog);
    plant_run(&plant, store, DAY0 + 6 * WEIR_HOUR + 30 * WEIR_MINUTE);
    sqlite3 *db = reader_open(dir, NULL);
    (void)testing_sql(db, "UPDATE tag SET purged_seq=780 WHERE uid=2"); /* all so far */
    (void)sqlite3_close(db);
    plant_run(&plant, store, DAY0 + 26 * WEIR_HOUR + WEIR_MINUTE);
    weir_store_close(store);
    assert_string_equal(testing_file_sql(dir, "SELECT samples FROM part WHERE tier=1"), "2490");
    struct contents c = contents_of(dir, NULL, true);
    for (size_t i = 0; i < c.n; i++)
        assert_true(c.all[i].tag == 1 || c.all[i].seq > 780);
    assert_int_equal(c.n, 2 * (26 * 60 + 1) - 390);
    free(c.all);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* --- cursors ------------------------------------------------------------------------------ */

static void the_log_waits_for_every_cursor_that_counts(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(1, 1);
    struct plant plant = {1, 1, WEIR_MINUTE, DAY0, 0};
    size_t n;
    testing_register(store, catalog);
    assert_int_equal(weir_store_set_cursor(store, "office", 1, NULL, 0, (weir_wall){DAY0}, NULL),
                     WEIR_EINVAL);
    assert_int_equal(weir_store_set_cursor(store, "office", 0, NULL, 0, (weir_wall){DAY0}, NULL),
                     WEIR_OK);
    plant_run(&plant, store, DAY0 + 5 * WEIR_HOUR);
    sqlite3 *db = reader_open(dir, NULL);
    const char *oldest = "SELECT min(first_seq), max(ifnull(last_seq,0)) >= 298 FROM log";
    assert_string_equal(testing_sql(db, oldest), "1|1");
    assert_string_equal(testing_sql(db, "SELECT value>=240 FROM meta WHERE key='history_seq'"),
                        "1");
    assert_int_equal(
        weir_store_set_cursor(store, "office", 100, NULL, 0, (weir_wall){plant.next}, NULL),
        WEIR_OK);
    plant_run(&plant, store, plant.next + WEIR_HOUR);
    assert_string_equal(
        testing_sql(db, "SELECT min(first_seq)>95 AND min(first_seq)<=101 FROM log"), "1");
    assert_string_equal(testing_sql(db, "SELECT name, seq FROM cursor"), "office|100");
    /* It is detached, and a week later it counts no more. */
    assert_int_equal(weir_store_detach_cursor(store, "nobody", (weir_wall){0}, NULL),
                     WEIR_ENOTFOUND);
    assert_int_equal(weir_store_detach_cursor(store, "office", (weir_wall){plant.next}, NULL),
                     WEIR_OK);
    plant_run(&plant, store, plant.next + WEIR_DAY);
    assert_string_equal(testing_sql(db, "SELECT min(first_seq)<=101 FROM log"), "1");
    plant.next += 7 * WEIR_DAY;
    plant_run(&plant, store, plant.next + 2 * WEIR_HOUR);
    assert_string_equal(testing_sql(db, "SELECT min(first_seq)>1000 FROM log"), "1");
    assert_string_equal(weir_store_cursors(store, &n)[0].name, "office");
    assert_int_equal(n, 1);
    (void)sqlite3_close(db);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void a_cursor_rides_with_a_commit_and_survives_it(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, T0);
    weir_catalog *catalog = testing_catalog(1, 1);
    size_t n;
    testing_register(store, catalog);
    for (int64_t i = 0; i < 3; i++) {
        testing_append(store, 1, T0 + i, 0, weir_value_i64(i));
        testing_commit(store);
        assert_int_equal(
            weir_store_set_cursor(store, "a", (uint64_t)i, NULL, 0, (weir_wall){T0 + i}, NULL),
            WEIR_OK);
        assert_int_equal(weir_store_set_cursor(store, "bb", 1, NULL, 0, (weir_wall){T0 + i}, NULL),
                         WEIR_OK);
    }
    assert_int_equal(weir_store_detach_cursor(store, "bb", (weir_wall){T0 + 9}, NULL), WEIR_OK);
    testing_append(store, 1, T0 + 9, 0, weir_value_i64(9));
    testing_commit(store);
    weir_store_close(store);
    store = open_at(dir, NULL, T0);
    const weir_cursor *cursors = weir_store_cursors(store, &n);
    assert_int_equal(n, 2);
    assert_string_equal(cursors[0].name, "a");
    assert_int_equal(cursors[0].seq, 2);
    assert_int_equal(cursors[0].ts.us, T0 + 2);
    assert_int_equal(cursors[0].detached.us, 0);
    assert_string_equal(cursors[1].name, "bb");
    assert_int_equal(cursors[1].seq, 1);
    assert_int_equal(cursors[1].detached.us, T0 + 9);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* --- current values ----------------------------------------------------------------------- */

static void assert_snapshot(sqlite3 *db, const char *want)
{
    struct contents c = {0};
    char text[400] = "";
    size_t at = 0;
    read_rows(db, "SELECT first_seq, head, body FROM snapshot", &c);
    qsort(c.all, c.n, sizeof *c.all, found_compare);
    for (size_t i = 0; i < c.n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%u:%u:%lld:%lld:%llu ", c.all[i].tag,
                               c.all[i].epoch, (long long)(c.all[i].ts - T0),
                               (long long)c.all[i].value, (unsigned long long)c.all[i].seq);
    assert_string_equal(text, want);
    free(c.all);
}

static void the_snapshot_has_the_newest_of_each_tag_with_its_number(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, T0);
    weir_catalog *catalog = testing_catalog(1, 4);
    weir_event event = {{T0}, WEIR_EVENT_GAP, "d0", "takes a number"};
    testing_register(store, catalog);
    for (int64_t i = 0; i < 10; i++) {
        weir_sample samples[] = {{1, 0, {T0 + i}, weir_value_i64(i)},
                                 {2, 0, {T0 + i}, weir_value_i64(10 + i)}};
        weir_batch batch = {.due = {T0 + i}, .n_samples = 2, .samples = samples};
        assert_int_equal(weir_store_append(store, &batch, NULL), WEIR_OK);
        if (i == 3)
            testing_append(store, 3, T0 + 3, 0, weir_value_string("three", 5));
        if (i == 4)
            testing_append(store, 4, T0 + 4, 1, weir_value_i64(4));
        if (i == 5) /* later, but of an epoch before */
            testing_append(store, 4, T0 + 5, 0, weir_value_i64(5));
        if (i == 6) /* late */
            testing_append(store, 3, T0 + 1, 0, weir_value_i64(6));
        assert_int_equal(weir_store_event(store, &event, NULL), WEIR_OK);
        testing_commit(store);
        if (i == 4) { /* the first half is found again in the log */
            testing_maintain(store, T0 + WEIR_MINUTE);
            weir_store_close(store);
            store = open_at(dir, NULL, T0 + WEIR_MINUTE);
        }
    }
    testing_maintain(store, T0 + 2 * WEIR_MINUTE);
    sqlite3 *db = reader_open(dir, NULL);
    assert_snapshot(db, "1:0:9:9:32 2:0:9:19:33 3:0:3:5:12 4:1:4:4:16 ");
    assert_string_equal(testing_sql(db, "SELECT DISTINCT seq FROM snapshot"), "33");
    assert_string_equal(testing_sql(db, "SELECT value FROM meta WHERE key='merged_seq'"), "33");
    (void)sqlite3_close(db);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static const char *newest_of_all(const char *dir)
{
    weir_query *query = NULL;
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    const char *answer = testing_sql(weir_query_db(query), "SELECT tag, value, seq FROM current");
    weir_query_close(query);
    return answer;
}

/* Two tags are silent since they are in history; only the snapshot has them at hand. */
static void what_a_snapshot_lost_is_found_in_history(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE snapshot SET body=zeroblob(length(body))", "UPDATE snapshot SET head=x'00'",
        "DELETE FROM snapshot", "UPDATE snapshot SET seq=0", /* of a repair */
    };
    static const char want[] = "d0/p0|99|103\nd0/p1|silent|2\nd0/p2|7|3";
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char *dir = testing_dir();
        weir_store *store = open_at(dir, NULL, T0);
        weir_catalog *catalog = testing_catalog(1, 4);
        int64_t now = T0 + WEIR_MINUTE;
        testing_register(store, catalog);
        testing_append(store, 1, T0, 0, weir_value_i64(0));
        testing_append(store, 2, T0, 0, weir_value_string("silent", 6));
        testing_append(store, 3, T0, 1, weir_value_i64(7));
        testing_commit(store);
        testing_maintain(store, now);
        testing_append(store, 1, T0 + 1, 0,
                       weir_value_i64(0)); /* the log's last row, which stays */
        testing_commit(store);
        testing_maintain(store, now += WEIR_MINUTE);
        testing_maintain(store, now += 2 * WEIR_HOUR);
        assert_string_equal(testing_file_sql(dir, "SELECT value FROM meta WHERE key='history_seq'"),
                            "4");
        weir_store_close(store);
        (void)testing_file_sql(dir, damages[i]);
        store = open_at(dir, NULL, now);
        testing_register(store, catalog);
        for (int64_t k = 1; k < 100; k++)
            testing_append(store, 1, T0 + k, 0, weir_value_i64(k));
        testing_commit(store);
        assert_string_equal(newest_of_all(dir), want);
        testing_maintain(store, now += WEIR_MINUTE);
        testing_maintain(store, now += WEIR_MINUTE);
        assert_string_equal(testing_file_sql(dir, "SELECT DISTINCT seq>=103 FROM snapshot"), "1");
        assert_string_equal(newest_of_all(dir), want);
        weir_store_close(store);
        weir_catalog_free(catalog);
        testing_remove(dir);
    }
}

/* --- flash -------------------------------------------------------------------------------- */

static int frames;
static int on_wal(void *data, sqlite3 *db, const char *name, int pages)
{
    (void)data, (void)db, (void)name;
    frames = pages;
    return SQLITE_OK;
}

static void a_commit_of_a_small_plant_dirties_one_page(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(5, 50);
    struct plant plant = {5, 50, WEIR_S, DAY0, 0};
    int before = 0, more_than_one = 0;
    testing_register(store, catalog);
    plant_run(&plant, store, DAY0 + 3 * WEIR_MINUTE + WEIR_S); /* ends with a merge */
    (void)sqlite3_wal_hook(store->db, on_wal, NULL);
    for (int i = 0; i < 50; i++) {
        plant_poll(&plant, store);
        before = frames;
        commit_at(store, plant.next);
        more_than_one += i > 0 && frames - before > 1;
    }
    assert_true(more_than_one <= 1);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* Merges stop before a reader that never ends makes the WAL endless; commits go on. */
static void a_reader_that_pins_the_wal_stops_merges_and_no_more(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = testing_catalog(5, 50);
    struct plant plant = {5, 50, WEIR_S, DAY0, 0};
    testing_register(store, catalog);
    plant_run(&plant, store, DAY0 + 3 * WEIR_MINUTE);
    sqlite3 *db = reader_open(dir, NULL);
    (void)testing_sql(db, "BEGIN");
    (void)testing_sql(db, "SELECT count(*) FROM part");
    plant_poll(&plant, store);
    commit_at(store, plant.next);
    const uint64_t merged = store->merged_seq;
    store->wal_pages = 1 << 14; /* as after a long time */
    testing_maintain(store, plant.next + WEIR_DAY);
    assert_int_equal(store->merged_seq, merged);
    (void)testing_sql(db, "COMMIT");
    (void)sqlite3_close(db);
    testing_maintain(store, plant.next + WEIR_DAY);
    assert_true(store->merged_seq > merged);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* --- faults ------------------------------------------------------------------------------- */

enum { FAULTY_DEVICES = 2, FAULTY_POINTS = 3 };

/* A run that is interrupted again and again: polls, with an event now and then. */
struct faulty {
    fault_vfs *vfs;
    char *dir;
    weir_store *store;
    weir_catalog *catalog;
    struct plant plant;
};

static void faulty_open(struct faulty *f)
{
    weir_error error = WEIR_ERROR_INIT;
    /* Pieces of one segment, groups of a tag or two: many places to stop at. */
    weir_store_options options = {.data_dir = f->dir,
                                  .vfs = "history",
                                  .now = {f->plant.next},
                                  .piece_samples = 1,
                                  .group_bytes = 1000};
    if (weir_store_open(&options, &f->store, &error) != WEIR_OK)
        fail_msg("open: %s", error.text);
    /* What was committed was so as a whole: the plant goes on behind it. */
    int64_t events;
    assert_int_equal(weir_db_int(f->store->db, "SELECT count(*) FROM event", 0, &events, NULL),
                     WEIR_OK);
    uint64_t samples = weir_store_get_position(f->store).committed_seq - (uint64_t)events;
    assert_int_equal(samples % (FAULTY_DEVICES * FAULTY_POINTS), 0);
    f->plant.next =
        DAY0 + (int64_t)(samples / (FAULTY_DEVICES * FAULTY_POINTS)) * f->plant.interval;
}

static struct faulty faulty_new(void)
{
    struct faulty f = {
        .vfs = fault_vfs_new(&(fault_vfs_options){.name = "history", .seed = 1}),
        .dir = testing_dir(),
        .catalog = testing_catalog(FAULTY_DEVICES, FAULTY_POINTS),
        .plant = {FAULTY_DEVICES, FAULTY_POINTS, testing_scaled(12, 5) * WEIR_MINUTE, DAY0, 0}};
    faulty_open(&f);
    testing_register(f.store, f.catalog);
    return f;
}

/* Poll, commit and maintain; false: something failed. */
/* As the worker does. */
static void faulty_recover(struct faulty *f, weir_err err)
{
    weir_recovery recovery;
    if (err == WEIR_EIO)
        err = weir_store_recover(f->store, false, (weir_wall){f->plant.next}, &recovery, NULL);
    (void)err; /* the next step tries again */
}

static bool faulty_step(struct faulty *f, bool poll)
{
    const weir_wall now = {f->plant.next};
    bool more = true;
    if (poll) {
        plant_poll(&f->plant, f->store);
        if (f->plant.next / f->plant.interval % 7 == 0)
            assert_int_equal(
                weir_store_event(f->store, &(weir_event){now, WEIR_EVENT_STORE, "", "x"}, NULL),
                WEIR_OK);
    }
    weir_err err = weir_store_commit(f->store, now, NULL);
    while (err == WEIR_OK && more)
        err = weir_store_maintain(f->store, now, &more, NULL);
    if (err != WEIR_OK)
        faulty_recover(f, err);
    return err == WEIR_OK;
}

static void faulty_check(struct faulty *f)
{
    sqlite3 *db = reader_open(f->dir, "history");
    int64_t events;
    assert_int_equal(weir_db_int(db, "SELECT count(*) FROM event", 0, &events, NULL), WEIR_OK);
    assert_string_equal(testing_sql(db, "SELECT count(*) FROM quarantine"), "0");
    assert_string_equal(testing_sql(db, "SELECT count(*) FROM segment WHERE key>>40 NOT IN"
                                        " (SELECT id FROM part)"),
                        "0");
    /* What a part says of itself is so. */
    assert_string_equal(
        testing_sql(db, "SELECT count(*) FROM part WHERE state=1 AND (segments, bytes)<>"
                        "(SELECT count(*), sum(length(head)+length(marks)+length(body))"
                        " FROM segment WHERE key>>40=part.id)"),
        "0");
    (void)sqlite3_close(db);
    struct contents c = contents_of(f->dir, "history", true);
    assert_plant(&c, &f->plant, DAY0);
    assert_numbers(&c, &f->plant, (size_t)events);
    free(c.all);
}

static void faulty_free(struct faulty *f)
{
    weir_store_close(f->store);
    fault_vfs_free(f->vfs);
    weir_catalog_free(f->catalog);
    testing_remove(f->dir);
}

/* The power fails after n changes of files, for n = 1, 2, 3 ..., while three days become history:
 * each change of a merge is the last one at some time. */
static void a_power_cut_at_any_change_loses_and_doubles_nothing(void **state)
{
    (void)state;
    struct faulty f = faulty_new();
    uint64_t cuts = 0;
    for (uint64_t n = 1; f.plant.next < DAY0 + 3 * WEIR_DAY; n++) {
        fault_vfs_stop_after(f.vfs, n % 150);
        while (!fault_vfs_stopped(f.vfs) && f.plant.next < DAY0 + 3 * WEIR_DAY)
            (void)faulty_step(&f, true);
        fault_vfs_power_cut(f.vfs, n);
        weir_store_close(f.store);
        cuts++;
        faulty_open(&f);
        if (n % 40 == 0)
            faulty_check(&f);
    }
    assert_true(cuts > 100);
    assert_true(faulty_step(&f, false)); /* no fault any more: nothing holds it up */
    weir_store_close(f.store);
    f.store = NULL;
    faulty_check(&f);
    sqlite3 *db = reader_open(f.dir, "history");
    assert_string_equal(testing_sql(db, "SELECT count(*)>1 FROM part WHERE tier=1 AND state=1"),
                        "1");
    (void)sqlite3_close(db);
    faulty_free(&f);
}

/* The n-th change fails, once: what did not work is done again. */
static void a_change_that_fails_anywhere_is_made_up_for(void **state)
{
    (void)state;
    struct faulty f = faulty_new();
    uint64_t failures = 0;
    for (uint64_t n = 1; f.plant.next < DAY0 + 3 * WEIR_DAY; n++) {
        fault_vfs_fail(f.vfs,
                       (fault_rule){.ops = FAULT_CHANGES, .nth = 1 + n % 100, .is_short = n & 1});
        bool poll = true;
        for (uint64_t hits = fault_vfs_hits(f.vfs); fault_vfs_hits(f.vfs) == hits;) {
            poll = faulty_step(&f, true);
            if (f.plant.next >= DAY0 + 3 * WEIR_DAY)
                break;
        }
        fault_vfs_heal(f.vfs);
        for (int i = 0; !poll && i < 5; i++)
            poll = faulty_step(&f, false);
        assert_true(poll);
        failures++;
    }
    assert_true(failures > 50);
    weir_store_close(f.store);
    f.store = NULL;
    faulty_check(&f);
    faulty_free(&f);
}

/* Likewise memory. */
static void memory_running_out_in_a_merge_is_made_up_for(void **state)
{
    (void)state;
    struct faulty f = faulty_new();
    size_t refused = 0;
    for (size_t n = 1; f.plant.next < DAY0 + 26 * WEIR_HOUR; n++) {
        bool more = true;
        plant_poll(&f.plant, f.store);
        commit_at(f.store, f.plant.next);
        (void)weir_alloc_fail_nth(1 + n % 300, false);
        while (more) {
            weir_err err = weir_store_maintain(f.store, (weir_wall){f.plant.next}, &more, NULL);
            assert_true(err == WEIR_OK || err == WEIR_ENOMEM);
            refused += err != WEIR_OK;
            if (err != WEIR_OK)
                (void)weir_alloc_fail_nth(0, false);
        }
        (void)weir_alloc_fail_nth(0, false);
    }
    assert_true(refused > 20);
    weir_store_close(f.store);
    f.store = NULL;
    faulty_check(&f);
    faulty_free(&f);
}

/* A bit flips in a block: the rest becomes history, the block is kept aside and told. */
static void a_damaged_block_is_set_aside_and_holds_nothing_up(void **state)
{
    (void)state;
    static const struct {
        const char *name, *sql;
        int64_t hours; /* when it happens */
        const char *origin;
    } cases[] = {
        {"fresh",
         "UPDATE fresh SET body=zeroblob(length(body)) WHERE first_seq=(SELECT max("
         "first_seq) FROM fresh)",
         0, "fresh"},
        {"log",
         "UPDATE log SET body=zeroblob(length(body)) WHERE first_seq=(SELECT min(first_seq)"
         " FROM log)",
         0, "log"},
        {"log head", "UPDATE log SET head=x'02' WHERE first_seq=(SELECT min(first_seq) FROM log)",
         0, "log"},
        {"segment",
         "UPDATE segment SET body=zeroblob(length(body)) WHERE key=(SELECT min(key)"
         " FROM segment)",
         5, "segment"},
        {"segment head", "UPDATE segment SET head=x'03' WHERE key=(SELECT max(key) FROM segment)",
         5, "segment"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = testing_dir();
        weir_store *store = open_at(dir, NULL, DAY0);
        weir_catalog *catalog = testing_catalog(1, 2);
        struct plant plant = {1, 2, 5 * WEIR_MINUTE, DAY0, 0};
        testing_register(store, catalog);
        plant_run(&plant, store, DAY0 + cases[i].hours * WEIR_HOUR + 30 * WEIR_MINUTE);
        plant_poll(&plant, store);
        commit_at(store, plant.next); /* a fresh row that is not merged */
        sqlite3 *db = reader_open(dir, NULL);
        (void)testing_sql(db, cases[i].sql);
        plant_run(&plant, store, DAY0 + 27 * WEIR_HOUR);
        assert_string_equal(testing_sql(db, "SELECT origin, count(*) FROM quarantine"),
                            i == 0   ? "fresh|1"
                            : i <= 2 ? "log|1"
                                     : "segment|1");
        assert_string_equal(
            testing_sql(db, "SELECT count(*) FROM event WHERE text GLOB '*damaged*set aside*'"),
            "1");
        assert_string_equal(testing_sql(db, "SELECT count(*)>0 FROM part WHERE tier=1"), "1");
        (void)sqlite3_close(db);
        weir_store_close(store);
        weir_catalog_free(catalog);
        testing_remove(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_days_become_history_and_lose_nothing),
        cmocka_unit_test(small_periods_move_up_and_large_ones_stay),
        cmocka_unit_test(a_part_has_the_replies_of_its_samples),
        cmocka_unit_test(replies_with_one_due_are_told_apart_through_all_merges),
        cmocka_unit_test(corrections_win_and_epochs_stay_apart),
        cmocka_unit_test(a_part_that_is_left_out_keeps_its_place_in_the_order),
        cmocka_unit_test(what_is_purged_goes_with_the_next_merges),
        cmocka_unit_test(the_log_waits_for_every_cursor_that_counts),
        cmocka_unit_test(a_cursor_rides_with_a_commit_and_survives_it),
        cmocka_unit_test(the_snapshot_has_the_newest_of_each_tag_with_its_number),
        cmocka_unit_test(what_a_snapshot_lost_is_found_in_history),
        cmocka_unit_test(a_commit_of_a_small_plant_dirties_one_page),
        cmocka_unit_test(a_reader_that_pins_the_wal_stops_merges_and_no_more),
        cmocka_unit_test(a_power_cut_at_any_change_loses_and_doubles_nothing),
        cmocka_unit_test(a_change_that_fails_anywhere_is_made_up_for),
        cmocka_unit_test(memory_running_out_in_a_merge_is_made_up_for),
        cmocka_unit_test(a_damaged_block_is_set_aside_and_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

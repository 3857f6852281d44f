/* SPDX-License-Identifier: MIT */
/* From commits to history: every sample there once, whatever interrupts. */

#include "store/store.h"

#include "base/random.h"
#include "store/database.h"
#include "store/row.h"
#include "store/schema.h"
#include "store/store_priv.h"
#include "blocks/replies.h"
#include "blocks/segment.h"
#include "store/testing.h"

/* --- reading it all back ------------------------------------------------------------------ */

/* A sample as the tables have it. */
struct found {
    weir_tag_uid tag;
    uint32_t epoch;
    int64_t ts;
    int64_t value; /* of an i64; the length of a string */
    uint64_t seq;
    int64_t received;
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
        contents_add(data,
                     (struct found){b->samples[i].tag, b->epoch, b->samples[i].ts.us,
                                    value_number(&b->samples[i].value), seq + i, b->received.us});
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

/* The replies of all live parts of an epoch that a series has, in memory for the look-ups. */
struct series {
    weir_reply *replies;
    size_t n;
};

static void read_series(sqlite3 *db, uint32_t epoch, weir_tag_uid lowest, struct series *ret)
{
    sqlite3_stmt *s = NULL;
    *ret = (struct series){0};
    assert_int_equal(sqlite3_prepare_v2(
                         db,
                         "SELECT s.head, s.body FROM part p JOIN segment s ON s.key>=(p.id<<40)+?1"
                         " AND s.key<=(p.id<<40)+?1+255 WHERE p.state=1 AND p.epoch=?2",
                         -1, &s, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_int64(s, 1, SEGMENT_KEY(0, lowest | SEGMENT_REPLIES, 0));
    (void)sqlite3_bind_int64(s, 2, epoch);
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

/* Several replies of a series may have one due time: then any of them may be the one. */
static const weir_reply *find_reply(const struct series *series, int64_t due)
{
    const weir_reply *found = NULL;
    for (size_t i = 0; i < series->n; i++)
        if (series->replies[i].due.us == due && (!found || series->replies[i].seq > found->seq))
            found = &series->replies[i];
    return found;
}

static void read_parts(sqlite3 *db, struct contents *c, bool with_replies)
{
    sqlite3_stmt *s = NULL;
    struct series series = {0};
    weir_tag_uid of = 0;
    uint32_t of_epoch = 0;
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT p.epoch, s.key, s.head, s.marks, s.body FROM part p JOIN segment"
                           " s ON s.key>=(p.id<<40) AND s.key<((p.id+1)<<40)"
                           " WHERE p.state=1 AND (s.key & 0x8000000000)=0",
                           -1, &s, NULL),
        SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        weir_segment_head head;
        weir_segment *segment = NULL;
        weir_error error = WEIR_ERROR_INIT;
        uint32_t epoch = (uint32_t)sqlite3_column_int64(s, 0);
        weir_tag_uid tag = (weir_tag_uid)(sqlite3_column_int64(s, 1) >> 8);
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
            struct found f = {tag, epoch, samples[i].ts.us, value_number(&samples[i].value), 0, 0};
            if (with_replies) {
                if (of != refs[i].reply || of_epoch != epoch || !series.replies) {
                    free(series.replies);
                    of = refs[i].reply;
                    of_epoch = epoch;
                    read_series(db, epoch, of, &series);
                }
                const weir_reply *reply = find_reply(&series, refs[i].due.us);
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

static struct contents contents_of_dir(const char *dir, bool with_replies)
{
    char path[600];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    struct contents c = contents_read(db, with_replies);
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
static void assert_numbers(const struct contents *c, const struct plant *p)
{
    bool *seen = calloc(c->n + 1, 1);
    for (size_t i = 0; i < c->n; i++) {
        const struct found *f = &c->all[i];
        assert_in_range(f->seq, 1, c->n);
        assert_false(seen[f->seq]);
        seen[f->seq] = true;
        assert_int_equal(f->received, f->ts + 2000 + (f->tag - 1) / p->points * 1000);
    }
    free(seen);
}

static weir_store *open_fast(const char *dir)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_store *store = NULL;
    weir_store_options options = {.data_dir = dir, .now = {T0}};
    if (weir_store_open(&options, &store, &error) != WEIR_OK)
        fail_msg("open: %s", error.text);
    return store;
}

/* --- tests -------------------------------------------------------------------------------- */

#define DAY0 (T0 / WEIR_DAY * WEIR_DAY)

static void two_days_become_history_and_lose_nothing(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_fast(dir);
    weir_catalog *catalog = testing_catalog(3, 4);
    struct plant plant = {3, 4, 20 * WEIR_S, DAY0, 0};
    testing_register(store, catalog);
    plant_run(&plant, store, DAY0 + 2 * WEIR_DAY + 4 * WEIR_HOUR);
    weir_store_close(store);
    struct contents c = contents_of_dir(dir, true);
    assert_plant(&c, &plant, DAY0);
    assert_numbers(&c, &plant);
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
    assert_string_equal(testing_file_sql(dir, "PRAGMA integrity_check"), "ok");
    weir_catalog_free(catalog);
    testing_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_days_become_history_and_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

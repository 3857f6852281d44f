/* SPDX-License-Identifier: MIT */
#include "store/query/take.h"

#include "base/random.h"
#include "store/epoch.h"
#include "store/testing.h"

static weir_take *take_open(const char *dir)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_take *take = NULL;
    if (weir_take_open(dir, NULL, "main", &take, &error) != WEIR_OK)
        fail_msg("take: %s", error.text);
    return take;
}

static bool take_next(weir_take *take, uint64_t after, uint64_t until, size_t wanted,
                      weir_take_chunk *ret)
{
    weir_error error = WEIR_ERROR_INIT;
    bool any = false;
    if (weir_take_next(take, after, until, wanted, ret, &any, &error) != WEIR_OK)
        fail_msg("next: %s", error.text);
    return any;
}

/* A batch of n samples, of tags 1 .. n. */
static void append(weir_store *store, uint32_t n, int64_t ts, uint32_t epoch, uint32_t flags)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_sample samples[64];
    for (uint32_t i = 0; i < n; i++)
        samples[i] = (weir_sample){i + 1, 0, {ts}, weir_value_i64(ts - T0 + i)};
    const weir_batch batch = {.catalog_revision = 1,
                              .epoch = epoch,
                              .flags = flags,
                              .plans = 5,
                              .due = {ts},
                              .sent = {ts + 500},
                              .received = {ts + 1500},
                              .n_samples = n,
                              .samples = samples};
    if (weir_store_append(store, &batch, &error) != WEIR_OK)
        fail_msg("append: %s", error.text);
}

/* Some batches are of no slot, by their time. */
static uint32_t flags_at(int64_t ts)
{
    return (ts - T0) / WEIR_S % 3 == 0 ? WEIR_BATCH_FIRST_READ : 0;
}

static void event(weir_store *store)
{
    const weir_event e = {{T0}, WEIR_EVENT_STORE, "", "something"};
    assert_int_equal(weir_store_event(store, &e, NULL), WEIR_OK);
}

static void correct(weir_store *store, uint32_t epoch, int64_t offset_us)
{
    const weir_epoch_offset offset = {epoch, offset_us};
    const weir_correction c = {{{T0}, WEIR_EVENT_CLOCK_STEP, "", "the clock was set"}, 1, &offset};
    assert_int_equal(weir_store_correct(store, &c, NULL), WEIR_OK);
    testing_commit(store);
}

/* A store of three devices with four tags each. */
struct fixture {
    char *dir;
    weir_store *store;
    weir_catalog *catalog;
};

static struct fixture fixture_open(void)
{
    struct fixture f = {testing_dir(), NULL, testing_catalog(3, 4)};
    f.store = testing_open(f.dir);
    testing_register(f.store, f.catalog);
    return f;
}

static void fixture_close(struct fixture *f)
{
    weir_store_close(f->store);
    weir_arena_free(f->catalog->arena);
    testing_remove(f->dir);
}

/* --- order -------------------------------------------------------------------------------- */

/* Commits of odd sizes with events between them, while merges move what is not taken yet. */
static void every_sample_comes_once_and_in_order_while_merges_run(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_take *take = take_open(f.dir);
    weir_random random = {7};
    uint64_t at = 0, taken = 0, made = 0, events = 0;
    int64_t now = T0;
    for (int round = 0; round < 400; round++) {
        now += (int64_t)weir_random_below(&random, 40) * WEIR_S;
        for (uint64_t n = weir_random_below(&random, 4); n > 0; n--) {
            const uint32_t size = 1 + (uint32_t)weir_random_below(&random, 12);
            append(f.store, size, now + (int64_t)n, 0, flags_at(now));
            made += size;
        }
        if (weir_random_below(&random, 5) == 0) {
            event(f.store);
            events++;
        }
        testing_commit(f.store);
        bool more;
        for (uint64_t n = weir_random_below(&random, 3); n > 0; n--)
            assert_int_equal(weir_store_maintain(f.store, (weir_wall){now}, &more, NULL), WEIR_OK);
        if (weir_random_below(&random, 3) > 0)
            continue;
        weir_take_chunk c;
        while (weir_random_below(&random, 9) > 0 &&
               take_next(take, at, UINT64_MAX, 1 + weir_random_below(&random, 40), &c)) {
            assert_int_equal(c.first_seq, at + 1);
            assert_true(c.last_seq >= c.first_seq);
            assert_false(c.held);
            assert_int_equal(c.lost, 0);
            for (size_t i = 0; i < c.n; i++) {
                assert_true(c.rows[i].seq > at && c.rows[i].seq <= c.last_seq);
                assert_int_equal(c.rows[i].tag->uid, c.rows[i].sample.tag);
                assert_int_equal(c.rows[i].sample.value.as.i,
                                 c.rows[i].sample.ts.us - T0 + c.rows[i].tag->uid - 1);
                assert_int_equal(c.rows[i].received.us, c.rows[i].sample.ts.us + 1500);
                assert_int_equal(c.rows[i].plans, 5);
                assert_int_equal(c.rows[i].flags, flags_at(c.rows[i].sample.ts.us));
                at = c.rows[i].seq;
            }
            taken += c.n;
            at = c.last_seq;
            /* What was acknowledged may go to history and from the log. */
            assert_int_equal(
                weir_store_set_cursor(f.store, "main", at, NULL, 0, (weir_wall){now}, NULL),
                WEIR_OK);
        }
    }
    weir_take_chunk c;
    while (take_next(take, at, UINT64_MAX, 1000, &c)) {
        taken += c.n;
        at = c.last_seq;
    }
    weir_take_head head;
    assert_int_equal(weir_take_get_head(take, &head, NULL), WEIR_OK);
    assert_int_equal(at, head.committed_seq);
    assert_int_equal(taken, made);
    assert_int_equal(made + events, head.committed_seq);
    weir_take_close(take);
    fixture_close(&f);
}

static void a_stretch_ends_where_it_is_told_to(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_take *take = take_open(f.dir);
    weir_take_chunk c;
    assert_false(take_next(take, 0, UINT64_MAX, 10, &c));
    append(f.store, 12, T0, 0, 0);
    event(f.store);
    testing_commit(f.store);
    append(f.store, 12, T0 + 1, 0, 0);
    testing_commit(f.store);
    assert_true(take_next(take, 0, 9, 100, &c));
    assert_int_equal(c.last_seq, 9);
    assert_int_equal(c.n, 9);
    assert_true(take_next(take, 9, UINT64_MAX, 5, &c));
    assert_int_equal(c.first_seq, 10);
    assert_int_equal(c.last_seq, 15); /* 13 is the event */
    assert_int_equal(c.n, 5);
    assert_int_equal(c.rows[4].seq, 15);
    assert_true(take_next(take, 12, 13, 5, &c));
    assert_int_equal(c.n, 0);
    assert_int_equal(c.last_seq, 13);
    assert_false(take_next(take, 25, UINT64_MAX, 5, &c));
    weir_take_close(take);
    fixture_close(&f);
}

/* --- tags --------------------------------------------------------------------------------- */

static void a_sample_has_the_tag_of_its_time(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_take *take = take_open(f.dir);
    append(f.store, 12, T0, 0, 0);
    testing_commit(f.store);
    weir_take_chunk c;
    assert_true(take_next(take, 0, UINT64_MAX, 100, &c));
    const weir_sink_tag *before = c.rows[5].tag;
    assert_string_equal(before->name, "d1/p1");
    assert_string_equal(before->device, "d1");
    assert_string_equal(before->point, "p1");
    assert_string_equal(before->unit, "kW");
    assert_string_equal(before->type, "uint16");
    assert_string_equal(before->labels_json, "{\"building\":\"A\",\"floor\":\"\\\"2\\\"\"}");
    assert_int_equal(before->n_labels, 2);
    assert_string_equal(before->labels[0].key, "building");
    assert_string_equal(before->labels[1].value, "\"2\"");

    weir_point *point = (weir_point *)(uintptr_t)&f.catalog->devices[1].points[1];
    point->unit = "MW";
    testing_register(f.store, f.catalog);
    append(f.store, 12, T0 + 1, 0, 0);
    testing_commit(f.store);
    assert_true(take_next(take, 0, UINT64_MAX, 100, &c));
    assert_int_equal(c.n, 24);
    assert_ptr_equal(c.rows[5].tag, before); /* what a sink keeps of it stays */
    assert_string_equal(c.rows[17].tag->unit, "MW");
    assert_int_equal(c.rows[17].tag->uid, before->uid);
    assert_int_not_equal(c.rows[17].tag->number, before->number);
    assert_ptr_equal(c.rows[16].tag, c.rows[4].tag);
    /* Only the scale: nothing that a sink is told. */
    point->scale = 10;
    testing_register(f.store, f.catalog);
    append(f.store, 12, T0 + 2, 0, 0);
    testing_commit(f.store);
    const weir_sink_tag *second = c.rows[17].tag;
    assert_true(take_next(take, 24, UINT64_MAX, 100, &c));
    assert_ptr_equal(c.rows[5].tag, second);
    weir_take_close(take);
    fixture_close(&f);
}

/* --- a clock that was wrong --------------------------------------------------------------- */

static void samples_of_a_wrong_clock_are_held_until_it_is_corrected(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_take *take = take_open(f.dir);
    append(f.store, 3, T0, 0, 0);
    append(f.store, 3, 1000, 1, WEIR_BATCH_CLOCK_UNTRUSTED);
    testing_commit(f.store);
    weir_take_chunk c;
    assert_true(take_next(take, 0, UINT64_MAX, 100, &c));
    assert_int_equal(c.last_seq, 3);
    assert_false(c.held);
    assert_true(take_next(take, 3, UINT64_MAX, 100, &c));
    assert_int_equal(c.last_seq, 6);
    assert_true(c.held);
    /* Another step, which did not make it right. */
    append(f.store, 2, 500, 2, WEIR_BATCH_CLOCK_UNTRUSTED);
    testing_commit(f.store);
    assert_true(take_next(take, 3, UINT64_MAX, 100, &c));
    assert_int_equal(c.last_seq, 8);
    assert_true(c.held && !c.never);

    const weir_epoch_offset offsets[] = {{1, T0 - 1000}, {2, T0}};
    const weir_correction correction = {
        {{T0}, WEIR_EVENT_CLOCK_STEP, "", "the clock was set"}, 2, offsets};
    assert_int_equal(weir_store_correct(f.store, &correction, NULL), WEIR_OK);
    append(f.store, 2, T0 + 700, 3, 0);
    testing_commit(f.store);
    assert_true(take_next(take, 3, UINT64_MAX, 100, &c));
    assert_false(c.held);
    assert_int_equal(c.n, 7);
    assert_int_equal(c.rows[0].sample.ts.us, T0);
    assert_int_equal(c.rows[0].received.us, T0 + 1500);
    assert_int_equal(c.rows[3].sample.ts.us, T0 + 500);
    assert_int_equal(c.rows[5].sample.ts.us, T0 + 700);
    weir_take_close(take);
    fixture_close(&f);
}

/* An epoch that a run has left behind is told by what came after it. */
static void what_no_run_can_correct_any_more_is_never_sent(void **state)
{
    (void)state;
    for (int later = 0; later < 3; later++) {
        struct fixture f = fixture_open();
        append(f.store, 3, 1000, 1, WEIR_BATCH_CLOCK_UNTRUSTED);
        append(f.store, 2, 2000, 1, WEIR_BATCH_CLOCK_UNTRUSTED);
        testing_commit(f.store);
        weir_store_close(f.store);
        f.store = testing_open(f.dir);
        weir_take *take = take_open(f.dir);
        weir_take_chunk c;
        assert_true(take_next(take, 0, UINT64_MAX, 100, &c));
        assert_true(c.held);
        append(f.store, 4, later == 0 ? T0 : 500, 2, later == 0 ? 0 : WEIR_BATCH_CLOCK_UNTRUSTED);
        testing_commit(f.store);
        if (later == 1) /* a run that is not right either: nothing is known yet */
            assert_true(take_next(take, 0, UINT64_MAX, 100, &c) && c.held && c.last_seq == 9);
        if (later > 0)
            correct(f.store, 2, T0);
        assert_true(take_next(take, 0, UINT64_MAX, 100, &c));
        assert_false(c.held);
        assert_true(c.never);
        assert_int_equal(c.n, 0);
        assert_int_equal(c.lost, 5);
        assert_int_equal(c.last_seq, 5);
        assert_int_equal(c.from_ts, 1000);
        assert_int_equal(c.to_ts, 2000);
        assert_true(take_next(take, 5, UINT64_MAX, 100, &c));
        assert_false(c.held || c.never);
        assert_int_equal(c.n, 4);
        weir_take_close(take);
        fixture_close(&f);
    }
}

/* --- history ------------------------------------------------------------------------------ */

struct seen {
    size_t rows, corrected, without_slot;
    int64_t sum;
};

/* All of a replay, in pieces of about `wanted`. */
static struct seen replay(weir_take *take, int64_t from, int64_t to, size_t wanted)
{
    struct seen seen = {0};
    int64_t last = INT64_MIN;
    while (from <= to) {
        weir_error error = WEIR_ERROR_INIT;
        weir_take_chunk c;
        int64_t until;
        if (weir_take_history(take, from, to, wanted, &c, &until, &error) != WEIR_OK)
            fail_msg("history: %s", error.text);
        assert_true(until >= from && until <= to);
        assert_true(c.n < wanted + 12);
        for (size_t i = 0; i < c.n; i++) {
            const weir_sink_row *r = &c.rows[i];
            assert_true(r->sample.ts.us >= from && r->sample.ts.us <= until);
            assert_true(r->sample.ts.us >= last);
            assert_true(r->replayed && r->seq > 0);
            assert_int_equal(r->tag->uid, r->sample.tag);
            last = r->sample.ts.us;
            seen.rows++;
            seen.without_slot += r->flags == WEIR_BATCH_FIRST_READ;
            seen.corrected += r->sample.value.kind == WEIR_KIND_STRING;
        }
        from = until + 1;
    }
    return seen;
}

/* Parts that overlap, a log behind them, corrections of both, and a clock that was wrong. */
static void a_replay_is_in_the_order_of_time_and_has_each_sample_once(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_take *take = take_open(f.dir);
    const int64_t end = T0 + 4 * WEIR_HOUR;
    size_t made = 0, without_slot = 0;
    for (int64_t ts = T0; ts < end; ts += 10 * WEIR_S, made += 12) {
        append(f.store, 12, ts, 0, flags_at(ts));
        without_slot += flags_at(ts) ? 12 : 0;
    }
    testing_commit(f.store);
    testing_maintain(f.store, end + 2 * WEIR_HOUR);
    /* Every 7th sample of the middle comes again, and a few at times of their own. */
    size_t corrected = 0;
    for (int64_t ts = T0 + WEIR_HOUR; ts < end; ts += 70 * WEIR_S, corrected++) {
        testing_append(f.store, 3, ts, 0, weir_value_string("corrected", 9));
        without_slot -= flags_at(ts) ? 1 : 0;
    }
    for (int64_t ts = T0 + 5 * WEIR_S; ts < T0 + WEIR_HOUR; ts += 60 * WEIR_S, made++)
        testing_append(f.store, 4, ts, 0, weir_value_i64(1));
    testing_commit(f.store);
    testing_maintain(f.store, end + 5 * WEIR_HOUR);
    for (int64_t ts = end; ts < end + WEIR_HOUR; ts += 10 * WEIR_S, made += 12)
        append(f.store, 12, ts, 0, 0);
    testing_append(f.store, 5, T0 + 20 * WEIR_S, 0, weir_value_string("late", 4));
    corrected++;
    append(f.store, 6, 1000, 1, WEIR_BATCH_CLOCK_UNTRUSTED);
    testing_commit(f.store);
    for (size_t wanted = 1; wanted < 200000; wanted *= 17) {
        struct seen seen = replay(take, INT64_MIN, INT64_MAX - 1, wanted);
        assert_int_equal(seen.rows, made);
        assert_int_equal(seen.corrected, corrected);
        assert_int_equal(seen.without_slot, without_slot);
        seen = replay(take, T0 + 10 * WEIR_S, T0 + 29 * WEIR_S, wanted);
        assert_int_equal(seen.rows, 24);
        assert_int_equal(seen.corrected, 1);
    }
    correct(f.store, 1, T0 - 1000 + 1);
    made += 6;
    assert_int_equal(replay(take, INT64_MIN, INT64_MAX - 1, 1000).rows, made);
    assert_int_equal(replay(take, T0 + 1, T0 + 1, 1000).rows, 6);
    weir_take_close(take);
    fixture_close(&f);
}

/* --- damage ------------------------------------------------------------------------------- */

/* A row that cannot be decoded is told by its numbers; what is before and behind it is given. */
static void a_damaged_row_is_passed_over(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    for (int i = 0; i < 3; i++) {
        append(f.store, 5, T0 + i, 0, 0);
        testing_commit(f.store);
    }
    weir_store_close(f.store);
    (void)testing_file_sql(f.dir, "UPDATE fresh SET body=zeroblob(length(body)) WHERE first_seq=6");
    weir_take *take = take_open(f.dir);
    weir_take_chunk c;
    weir_error error = WEIR_ERROR_INIT;
    bool any;
    assert_true(take_next(take, 0, UINT64_MAX, 100, &c));
    assert_int_equal(c.last_seq, 5);
    assert_int_equal(c.n, 5);
    assert_int_equal(weir_take_next(take, 7, UINT64_MAX, 100, &c, &any, &error), WEIR_EDAMAGED);
    assert_int_equal(c.first_seq, 8);
    assert_int_equal(c.last_seq, 10);
    assert_int_equal(c.n, 0);
    assert_true(take_next(take, 10, UINT64_MAX, 100, &c));
    assert_int_equal(c.n, 5);
    assert_int_equal(c.rows[0].seq, 11);
    weir_take_close(take);
    f.store = testing_open(f.dir);
    fixture_close(&f);
}

/* --- beside the store --------------------------------------------------------------------- */

static void a_commit_is_seen_and_nothing_else(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_take *take = take_open(f.dir);
    weir_take_head head;
    const weir_take_orders *orders;
    assert_true(weir_take_changed(take));
    assert_int_equal(weir_take_get_head(take, &head, NULL), WEIR_OK);
    assert_int_equal(weir_take_get_orders(take, &orders, NULL), WEIR_OK);
    assert_int_equal(head.committed_seq, 0);
    assert_int_equal(head.first_seq, 1);
    assert_false(weir_take_changed(take));
    append(f.store, 2, T0, 0, 0);
    testing_commit(f.store);
    assert_true(weir_take_changed(take));
    assert_int_equal(weir_take_get_head(take, &head, NULL), WEIR_OK);
    assert_true(weir_take_changed(take)); /* the orders were not asked for */
    assert_int_equal(weir_take_get_orders(take, &orders, NULL), WEIR_OK);
    assert_false(weir_take_changed(take));
    assert_int_equal(head.committed_seq, 2);
    assert_string_equal(weir_take_store(take), weir_store_uuid(f.store));
    weir_take_close(take);
    fixture_close(&f);
}

/* As by a repair: another file under the same name. */
static void a_file_that_is_exchanged_is_opened_anew(void **state)
{
    (void)state;
    struct fixture f = fixture_open(), other = fixture_open();
    char from[600], to[600];
    weir_take *take = take_open(f.dir);
    weir_take_chunk c;
    append(f.store, 5, T0, 0, 0);
    testing_commit(f.store);
    append(other.store, 7, T0 + 3, 0, 0);
    testing_commit(other.store);
    assert_true(take_next(take, 0, UINT64_MAX, 100, &c));
    assert_int_equal(c.n, 5);
    const weir_sink_tag *tag = c.rows[0].tag;
    weir_store_close(f.store);
    weir_store_close(other.store);
    static const char *const old[] = {"data.db-wal", "data.db-shm"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(to, sizeof to, "%s/%s", f.dir, old[i]);
        assert_int_equal(unlink(to), 0);
    }
    (void)snprintf(from, sizeof from, "%s/data.db", other.dir);
    (void)snprintf(to, sizeof to, "%s/data.db", f.dir);
    assert_int_equal(rename(from, to), 0);
    assert_true(weir_take_changed(take));
    assert_true(take_next(take, 0, UINT64_MAX, 100, &c));
    assert_int_equal(c.n, 7);
    assert_int_equal(c.rows[0].sample.ts.us, T0 + 3);
    assert_string_equal(tag->name, "d0/p0"); /* what was given lives on */
    f.store = testing_open(f.dir);
    assert_string_equal(weir_take_store(take), weir_store_uuid(f.store));
    other.store = testing_open(other.dir);
    weir_take_close(take);
    fixture_close(&f);
    fixture_close(&other);
}

/* Nothing of it is on a disk, and a take reads it beside the commits all the same. */
static void a_store_in_memory_is_taken_from_too(void **state)
{
    (void)state;
    weir_store *stores[2] = {testing_open("memory"), testing_open("memory")};
    weir_catalog *catalog = testing_catalog(1, 4);
    weir_take *take = take_open(weir_store_dir(stores[1]));
    uint64_t at = 0;
    testing_register(stores[1], catalog);
    for (int i = 0; i < 200; i++) {
        weir_take_chunk c;
        append(stores[1], 4, T0 + i * WEIR_S, 0, 0);
        testing_commit(stores[1]);
        testing_maintain(stores[1], T0 + i * WEIR_S);
        assert_true(weir_take_changed(take));
        assert_true(take_next(take, at, UINT64_MAX, 100, &c));
        assert_int_equal(c.n, 4);
        at = c.last_seq;
    }
    assert_int_equal(replay(take, T0, T0 + WEIR_DAY, 100).rows, 800);
    weir_take_close(take);
    assert_int_equal(weir_take_open("memory", NULL, "main", &take, NULL), WEIR_ENOTFOUND);
    weir_store_close(stores[1]);
    weir_store_close(stores[0]);
    weir_arena_free(catalog->arena);
}

/* Memory that is short at any point is an error, and the next call goes on. */
static void a_take_without_memory_fails_and_goes_on(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    append(f.store, 12, T0, 0, 0);
    testing_commit(f.store);
    size_t n = 0;
    for (bool failed = true; failed; n++) {
        weir_take *take = NULL;
        weir_take_chunk c;
        weir_error error = WEIR_ERROR_INIT;
        const weir_take_orders *orders;
        int64_t until;
        bool any = false;
        (void)weir_alloc_fail_nth(n + 1, false);
        weir_err err = weir_take_open(f.dir, NULL, "main", &take, &error);
        if (err == WEIR_OK)
            err = weir_take_next(take, 0, UINT64_MAX, 100, &c, &any, &error);
        if (err == WEIR_OK)
            err = weir_take_get_orders(take, &orders, &error);
        if (err == WEIR_OK)
            err = weir_take_history(take, T0, T0 + 1, 100, &c, &until, &error);
        failed = err != WEIR_OK;
        assert_true(!failed || err == WEIR_ENOMEM);
        (void)weir_alloc_fail_nth(0, false);
        if (take) {
            assert_true(take_next(take, 0, UINT64_MAX, 100, &c));
            assert_int_equal(c.n, 12);
            assert_int_equal(replay(take, T0, T0 + 1, 100).rows, 12);
        }
        weir_take_close(take);
    }
    assert_true(n > 20);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_comes_once_and_in_order_while_merges_run),
        cmocka_unit_test(a_stretch_ends_where_it_is_told_to),
        cmocka_unit_test(a_sample_has_the_tag_of_its_time),
        cmocka_unit_test(samples_of_a_wrong_clock_are_held_until_it_is_corrected),
        cmocka_unit_test(what_no_run_can_correct_any_more_is_never_sent),
        cmocka_unit_test(a_replay_is_in_the_order_of_time_and_has_each_sample_once),
        cmocka_unit_test(a_damaged_row_is_passed_over),
        cmocka_unit_test(a_commit_is_seen_and_nothing_else),
        cmocka_unit_test(a_file_that_is_exchanged_is_opened_anew),
        cmocka_unit_test(a_store_in_memory_is_taken_from_too),
        cmocka_unit_test(a_take_without_memory_fails_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

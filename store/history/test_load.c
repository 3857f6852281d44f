/* SPDX-License-Identifier: MIT */
/* Loading: parts of history beside what a daemon collects. */

#include "store/history/load.h"

#include "store/file/schema.h"
#include "store/query/query.h"
#include "store/repair/verify.h"
#include "store/testing.h"

enum { SAMPLES = 3600 };

/* n samples a second apart from ts on; value i + base. Lives until the next call. */
static weir_segment_bytes make_segment(weir_segment_encoder *encoder, weir_tag_uid series,
                                       uint32_t index, int64_t ts, size_t n, int64_t base)
{
    static weir_sample samples[SAMPLES];
    static weir_reply_ref refs[SAMPLES];
    weir_segment_bytes bytes;
    for (size_t i = 0; i < n; i++) {
        samples[i] =
            (weir_sample){1, 0, {ts + (int64_t)i * WEIR_S}, weir_value_i64(base + (int64_t)i)};
        refs[i] = (weir_reply_ref){samples[i].ts, series, (uint16_t)index, 0};
    }
    const weir_series s = {n, samples, refs};
    assert_int_equal(weir_segment_encode(encoder, &s, WEIR_EFFORT_FAST, &bytes, NULL), WEIR_OK);
    return bytes;
}

static weir_segment_bytes make_replies(weir_segment_encoder *encoder, int64_t ts, size_t n,
                                       uint64_t first_seq, uint32_t n_tags)
{
    static weir_reply_record replies[SAMPLES];
    weir_segment_bytes bytes;
    for (size_t i = 0; i < n; i++) {
        const weir_wall due = {ts + (int64_t)i * WEIR_S};
        replies[i] = (weir_reply_record){.due = due,
                                         .received = due,
                                         .seq = first_seq + i * n_tags,
                                         .plans = WEIR_PLAN_DEFAULT,
                                         .catalog_revision = 1};
    }
    assert_int_equal(weir_replies_encode(encoder, replies, n, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_OK);
    return bytes;
}

/* n seconds of tags 1 and 2 as a part, up to its end or not. */
static void load_part(weir_load *load, weir_load_part part, int64_t ts, size_t n, int64_t base,
                      bool end)
{
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    weir_error error = WEIR_ERROR_INIT;
    uint64_t first_seq, bytes = 0;
    assert_non_null(encoder);
    assert_int_equal(weir_load_part_begin(load, &part, &first_seq, &error), WEIR_OK);
    for (uint32_t i = 0; i < 2; i++) {
        const weir_segment_bytes segment = make_segment(encoder, 1, i, ts, n, base);
        assert_int_equal(weir_load_segment(load, i + 1, &segment, &error), WEIR_OK);
    }
    const weir_segment_bytes replies = make_replies(encoder, ts, n, first_seq, 2);
    assert_int_equal(weir_load_replies(load, 1, &replies, &error), WEIR_OK);
    if (end && weir_load_part_end(load, &bytes, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    assert_true(!end || bytes > 0);
    weir_segment_encoder_free(encoder);
}

static weir_load *begin(weir_store *store)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_load *load = NULL;
    if (weir_load_begin(store, (weir_wall){T0}, &load, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    return load;
}

static void on_finding(void *data, const char *finding)
{
    (void)data;
    print_message("%s\n", finding);
}

/* The store is whole, and answers so. */
static void check(const char *dir, const char *sql, const char *want)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_verify_counts counts;
    weir_query *query = NULL;
    assert_int_equal(weir_store_verify(dir, NULL, on_finding, NULL, &counts, &error), WEIR_OK);
    assert_int_equal(weir_query_open(dir, NULL, &query, &error), WEIR_OK);
    assert_string_equal(testing_sql(weir_query_db(query), sql), want);
    weir_query_close(query);
}

struct fixture {
    char *dir;
    weir_catalog *catalog;
    weir_store *store;
};

static struct fixture fixture_open(void)
{
    struct fixture f = {.dir = testing_dir(), .catalog = testing_catalog(1, 2)};
    f.store = testing_open(f.dir);
    testing_register(f.store, f.catalog);
    return f;
}

static void fixture_reopen(struct fixture *f)
{
    weir_store_close(f->store);
    f->store = testing_open(f->dir);
    testing_register(f->store, f->catalog);
}

static void fixture_close(struct fixture *f)
{
    weir_store_close(f->store);
    weir_catalog_free(f->catalog);
    testing_remove(f->dir);
}

/* As a daemon does its duties, until nothing is left. */
static void maintain(weir_store *store, int64_t now)
{
    weir_error error = WEIR_ERROR_INIT;
    bool more = true;
    while (more)
        if (weir_store_maintain(store, (weir_wall){now}, &more, &error) != WEIR_OK)
            fail_msg("maintain: %s", error.text);
}

static void what_was_loaded_is_read_with_gapless_numbers(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_load *load = begin(f.store);
    load_part(load, (weir_load_part){1, true}, T0 - 2 * WEIR_DAY, SAMPLES, 0, true);
    load_part(load, (weir_load_part){1, true}, T0 - WEIR_DAY, SAMPLES, 5000, true);
    weir_load_end(load);
    assert_int_equal(weir_store_get_position(f.store).committed_seq, 4 * SAMPLES);
    check(f.dir, "SELECT count(*), count(DISTINCT seq), min(seq), max(seq) FROM samples",
          "14400|14400|1|14400");
    check(f.dir,
          "SELECT value, seq, (ts-read_ts) FROM samples WHERE tag='d0/p1' AND seq>=7202 LIMIT 2",
          "5000|7202|0\n5001|7204|0");
    fixture_close(&f);
}

static void a_daemon_goes_on_behind_it(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    testing_append(f.store, 1, T0 - 3 * WEIR_DAY, 0, weir_value_i64(-1));
    testing_commit(f.store);
    weir_load *load = begin(f.store);
    load_part(load, (weir_load_part){1, true}, T0 - 2 * WEIR_DAY, SAMPLES, 0, true);
    weir_load_end(load);
    fixture_reopen(&f);
    assert_int_equal(weir_store_get_position(f.store).committed_seq, 1 + 2 * SAMPLES);
    for (int i = 0; i < 10; i++) {
        testing_append(f.store, 1, T0 + i * WEIR_S, 0, weir_value_i64(i));
        testing_commit(f.store);
        maintain(f.store, T0 + i * WEIR_MINUTE);
    }
    maintain(f.store, T0 + 10 * WEIR_DAY);
    check(f.dir, "SELECT count(*), count(DISTINCT seq), min(seq), max(seq) FROM samples",
          "7211|7211|1|7211");
    check(f.dir, "SELECT tag, value, seq FROM current", "d0/p0|9|7211");
    fixture_close(&f);
}

static void of_two_samples_of_one_time_the_loaded_one_is_shown_also_after_merges(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    const int64_t ts = T0 - 20 * WEIR_DAY;
    testing_append(f.store, 1, ts, 0, weir_value_i64(-1));
    testing_append(f.store, 1, ts - WEIR_S, 0, weir_value_i64(-2));
    testing_commit(f.store);
    maintain(f.store, T0); /* in a part already */
    weir_load *load = begin(f.store);
    load_part(load, (weir_load_part){1, true}, ts, 10, 100, true);
    weir_load_end(load);
    const char *sql = "SELECT value FROM samples WHERE tag='d0/p0' ORDER BY ts LIMIT 3";
    check(f.dir, sql, "-2\n100\n101");
    /* Something later of that day, read today: it merges with what was there first. */
    const weir_sample late = {1, 0, {ts + WEIR_S}, weir_value_i64(7)};
    const weir_batch batch = {.catalog_revision = 1,
                              .flags = WEIR_BATCH_SOURCE_TIME,
                              .due = {T0},
                              .received = {T0},
                              .n_samples = 1,
                              .samples = &late};
    assert_int_equal(weir_store_append(f.store, &batch, NULL), WEIR_OK);
    testing_commit(f.store);
    check(f.dir, sql, "-2\n100\n7");
    maintain(f.store, T0 + WEIR_DAY);
    maintain(f.store, T0 + 600 * WEIR_DAY);
    check(f.dir, sql, "-2\n100\n7");
    fixture_close(&f);
}

static void what_was_not_finished_is_not_there_and_is_cleaned_away(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_load *load = begin(f.store);
    load_part(load, (weir_load_part){1, true}, T0 - 3 * WEIR_DAY, 100, 0, true);
    load_part(load, (weir_load_part){1, true}, T0 - 2 * WEIR_DAY, 100, 0, false);
    weir_load_end(load);
    fixture_reopen(&f);
    assert_int_equal(weir_store_get_position(f.store).committed_seq, 200);
    testing_append(f.store, 1, T0, 0, weir_value_i64(1));
    testing_commit(f.store);
    maintain(f.store, T0 + WEIR_DAY);
    check(f.dir, "SELECT count(*), max(seq) FROM samples", "201|201");
    assert_string_equal(testing_file_sql(f.dir, "SELECT count(*) FROM part WHERE state<>1"), "0");
    fixture_close(&f);
}

/* Segments of several transactions, then a crash: the file is copied while the part grows. */
static void a_crash_in_a_large_part_leaves_segments_that_nobody_reads(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_load *load = begin(f.store);
    load_part(load, (weir_load_part){1, true}, T0 - 3 * WEIR_DAY, 100, 0, true);
    weir_load_end(load);
    weir_store_close(f.store);
    /* As a transaction in the midst of a part leaves it. */
    (void)testing_file_sql(f.dir, "INSERT INTO part VALUES(9,1,0,2,1,1,201,0,1,100,10)");
    (void)testing_file_sql(f.dir, "INSERT INTO segment SELECT key+8*(1<<40), head, marks, body"
                                  " FROM segment WHERE key<2*(1<<40)");
    f.store = testing_open(f.dir);
    testing_register(f.store, f.catalog);
    check(f.dir, "SELECT count(*), max(seq) FROM samples", "200|200");
    load = begin(f.store);
    load_part(load, (weir_load_part){1, true}, T0 - 2 * WEIR_DAY, 100, 0, true);
    weir_load_end(load);
    check(f.dir, "SELECT count(*), max(seq) FROM samples", "400|400");
    maintain(f.store, T0 + WEIR_DAY);
    check(f.dir, "SELECT count(*), max(seq) FROM samples", "400|400");
    assert_string_equal(testing_file_sql(f.dir, "SELECT count(*) FROM part"), "2");
    assert_string_equal(testing_file_sql(f.dir, "SELECT count(DISTINCT key>>40) FROM segment"),
                        "2");
    fixture_close(&f);
}

static void keys_must_ascend_and_memory_has_no_history(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_error error = WEIR_ERROR_INIT;
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    weir_load *load = begin(f.store);
    uint64_t first_seq;
    const weir_load_part part = {1, true};
    assert_int_equal(weir_load_part_begin(load, &part, &first_seq, &error), WEIR_OK);
    assert_int_equal(weir_load_part_end(load, NULL, &error), WEIR_EINVAL);
    const weir_segment_bytes segment = make_segment(encoder, 1, 0, T0 - WEIR_DAY, 10, 0);
    assert_int_equal(weir_load_segment(load, 2, &segment, &error), WEIR_OK);
    assert_int_equal(weir_load_segment(load, 1, &segment, &error), WEIR_ELIMIT);
    weir_load_end(load);
    weir_segment_encoder_free(encoder);
    weir_store *memory = testing_open("memory");
    assert_int_equal(weir_load_begin(memory, (weir_wall){T0}, &load, &error), WEIR_EINVAL);
    weir_store_close(memory);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_loaded_is_read_with_gapless_numbers),
        cmocka_unit_test(a_daemon_goes_on_behind_it),
        cmocka_unit_test(of_two_samples_of_one_time_the_loaded_one_is_shown_also_after_merges),
        cmocka_unit_test(what_was_not_finished_is_not_there_and_is_cleaned_away),
        cmocka_unit_test(a_crash_in_a_large_part_leaves_segments_that_nobody_reads),
        cmocka_unit_test(keys_must_ascend_and_memory_has_no_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Reading with SQL: the right samples, as the right types, without reading more than needed. */

#include "store/query/query.h"

#include <math.h>

#include "base/random.h"
#include "store/history/testing_history.h"
#include "store/query/scan.h"
#include "store/repair/verify.h"
#include "tests/support/scaled.h"

static weir_query *query_open(const char *dir)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    if (weir_query_open(dir, NULL, &query, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    return query;
}

static const char *ask(weir_query *query, const char *sql)
{
    return testing_sql(weir_query_db(query), sql);
}

/* A store with a catalog, open for writing, and a reader beside it. */
struct fixture {
    char *dir;
    weir_store *store;
    weir_catalog *catalog;
    weir_query *query;
};

static struct fixture fixture_open(uint32_t n_devices, uint32_t n_points)
{
    struct fixture f = {.dir = testing_dir()};
    f.store = testing_open(f.dir);
    f.catalog = testing_catalog(n_devices, n_points);
    testing_register(f.store, f.catalog);
    f.query = query_open(f.dir);
    return f;
}

static void fixture_close(struct fixture *f)
{
    weir_query_close(f->query);
    weir_store_close(f->store);
    weir_catalog_free(f->catalog);
    testing_remove(f->dir);
}

static void append_quality(weir_store *store, weir_tag_uid tag, int64_t ts, weir_quality quality,
                           weir_value value)
{
    weir_sample sample = {tag, quality, {ts}, value};
    weir_batch batch = {
        .due = {ts}, .received = {ts + 1}, .plans = 5, .n_samples = 1, .samples = &sample};
    assert_int_equal(weir_store_append(store, &batch, NULL), WEIR_OK);
}

/* --- columns ------------------------------------------------------------------------------ */

static void each_kind_of_value_has_its_sql_type(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 1);
    const struct {
        weir_value value;
        const char *want; /* type, value, kind, bits */
    } cases[] = {
        {weir_value_null(), "null|NULL|null|NULL"},
        {weir_value_bool(true), "integer|1|bool|01"},
        {weir_value_i64(INT64_MIN), "integer|-9223372036854775808|i64|8000000000000000"},
        {weir_value_u64(INT64_MAX), "integer|9223372036854775807|u64|7FFFFFFFFFFFFFFF"},
        {weir_value_u64(UINT64_MAX), "text|18446744073709551615|u64|FFFFFFFFFFFFFFFF"},
        {weir_value_f32(0.1f), "real|0.100000001490116|f32|3DCCCCCD"},
        {weir_value_f64(0.1), "real|0.1|f64|3FB999999999999A"},
        {weir_value_f64((double)INFINITY), "text|Infinity|f64|7FF0000000000000"},
        {weir_value_f32(-INFINITY), "text|-Infinity|f32|FF800000"},
        {weir_value_decimal(2301, -1), "real|230.1|decimal|FF00000000000008FD"},
        {weir_value_decimal(1ll << 53, 0), "real|9.00719925474099e+15|decimal|000020000000000000"},
        {weir_value_decimal(-(1ll << 53) - 1, 0),
         "text|-9007199254740993|decimal|00FFDFFFFFFFFFFFFF"},
        {weir_value_string("23 \xc2\xb0"
                           "C",
                           6),
         "text|23 \xc2\xb0"
         "C|string|323320C2B043"},
        {weir_value_string("", 0), "text||string|"},
        {weir_value_bytes((const uint8_t *)"\x00\xff", 2), "blob|00FF|bytes|00FF"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[256];
        testing_append(f.store, 1, T0 + (int64_t)i, 0, cases[i].value);
        testing_commit(f.store);
        (void)snprintf(sql, sizeof sql,
                       "SELECT typeof(value), CASE typeof(value) WHEN 'blob' THEN hex(value) ELSE"
                       " value END, kind, CASE WHEN bits IS NULL THEN NULL ELSE hex(bits) END"
                       " FROM samples WHERE seq=%zu",
                       i + 1);
        assert_string_equal(ask(f.query, sql), cases[i].want);
    }
    fixture_close(&f);
}

static void not_a_number_is_null_and_uncertain(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 1);
    append_quality(f.store, 1, T0, 0, weir_value_f64((double)NAN));
    append_quality(f.store, 1, T0 + 1, weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_CLOCK, 0),
                   weir_value_f32(NAN));
    testing_commit(f.store);
    assert_string_equal(ask(f.query, "SELECT value, quality, cause FROM samples"),
                        "NULL|uncertain|not_a_number\nNULL|uncertain|clock");
    fixture_close(&f);
}

static void a_sample_shows_name_times_quality_and_hidden_columns(void **state)
{
    (void)state;
    struct fixture f = fixture_open(2, 1);
    testing_append(f.store, 1, 1700000000123456, 3, weir_value_u64(7));
    append_quality(f.store, 2, T0, weir_bad(WEIR_CAUSE_EXCEPTION, 2), weir_value_null());
    testing_commit(f.store);
    assert_string_equal(ask(f.query, "SELECT * FROM samples"),
                        "d0/p0|1700000000123456|2023-11-14T22:13:20.123456Z|7|good|none|"
                        "1700000000124956\n"
                        "d1/p0|1700000000000000|2023-11-14T22:13:20.000000Z|NULL|bad|exception|"
                        "1700000000000001");
    assert_string_equal(
        ask(f.query, "SELECT kind, hex(bits), epoch, seq, plan, plans FROM samples"),
        "u64|0000000000000007|3|1|default|1\nnull||0|2|default,#2|5");
    fixture_close(&f);
}

static void tags_devices_and_events_have_their_columns(void **state)
{
    (void)state;
    struct fixture f = fixture_open(2, 1);
    weir_event event = {{T0}, WEIR_EVENT_CLOCK_STEP, "", "the clock went back by 3 s"};
    weir_device_record record = {.name = "d1",
                                 .connection = "boiler-room",
                                 .state = "online",
                                 .since = {T0},
                                 .last_good = {T0 + 2},
                                 .requests = 9,
                                 .rtt_p50_ms = 1.5,
                                 .rtt_p99_ms = 20};
    assert_int_equal(weir_store_event(f.store, &event, NULL), WEIR_OK);
    testing_commit(f.store);
    assert_int_equal(weir_store_put_devices(f.store, &record, 1, NULL), WEIR_OK);
    assert_string_equal(ask(f.query, "SELECT * FROM tags WHERE tag='d1/p0'"),
                        "2|d1/p0|d1|kW|uint16||{\"building\":\"A\",\"floor\":\"\\\"2\\\"\"}|"
                        "holding 0 uint16 AB on boiler-room unit 2");
    assert_string_equal(ask(f.query, "SELECT * FROM devices"),
                        "d0|boiler-room|connecting|1700000000000000|NULL||0|0|0|NULL|NULL\n"
                        "d1|boiler-room|online|1700000000000000|1700000000000002||9|0|0|1.5|20.0");
    assert_string_equal(ask(f.query, "SELECT * FROM events"),
                        "1700000000000000|clock_step||the clock went back by 3 s");
    assert_string_equal(ask(f.query, "SELECT group_concat(name) FROM pragma_table_info('events')"),
                        "ts,kind,subject,text");
    fixture_close(&f);
}

/* --- identity ----------------------------------------------------------------------------- */

/* What a plain list says: of equal (tag, ts, epoch) the last one stays. */
struct model {
    struct {
        weir_tag_uid tag;
        int64_t ts;
        uint32_t epoch;
        uint64_t value;
    } all[4000];
    size_t n;
};

static void model_check(struct fixture *f, const struct model *m, const char *where, int64_t min_ts,
                        int64_t max_ts, weir_tag_uid tag)
{
    static char want[1 << 16];
    char sql[256];
    size_t n = 0;
    want[0] = '\0';
    for (size_t i = 0; i < m->n; i++) {
        bool shown =
            m->all[i].ts >= min_ts && m->all[i].ts <= max_ts && (tag == 0 || m->all[i].tag == tag);
        for (size_t j = i + 1; shown && j < m->n; j++)
            shown = m->all[i].tag != m->all[j].tag || m->all[i].ts != m->all[j].ts ||
                    m->all[i].epoch != m->all[j].epoch;
        if (shown)
            n += (size_t)snprintf(want + n, sizeof want - n, "%s%zu|%llu", n ? "\n" : "", i + 1,
                                  (unsigned long long)m->all[i].value);
        assert_true(n < sizeof want);
    }
    (void)snprintf(sql, sizeof sql, "SELECT seq, value FROM samples %s ORDER BY seq", where);
    assert_string_equal(ask(f->query, sql), want);
}

/* All the work the store has at this time. */
static void maintain(weir_store *store, int64_t now)
{
    weir_error error = WEIR_ERROR_INIT;
    testing_commit(store);
    for (bool more = true; more;)
        if (weir_store_maintain(store, (weir_wall){now}, &more, &error) != WEIR_OK)
            fail_msg("%s", error.text);
}

static void finding_show(void *data, const char *finding)
{
    (void)data;
    print_message("%s\n", finding);
}

static void verify_sound(const char *dir)
{
    weir_verify_counts counts;
    assert_int_equal(weir_store_verify(dir, NULL, finding_show, NULL, &counts, NULL), WEIR_OK);
}

static void of_one_identity_only_the_highest_seq_is_shown(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (uint64_t)testing_scaled(10, 25); seed++) {
        struct fixture f = fixture_open(1, 3);
        static struct model m;
        weir_random r = {seed};
        m.n = 0;
        while (m.n < 300) {
            weir_tag_uid tag = 1 + (weir_tag_uid)weir_random_below(&r, 3);
            bool old = weir_random_below(&r, 4) == 0;
            /* Seconds, some of them hours back, so that every mark occurs. */
            int64_t second = old ? (int64_t)weir_random_below(&r, 30 * m.n + 1) : 30 * (int64_t)m.n;
            uint32_t epoch = (uint32_t)weir_random_below(&r, 10) / 9;
            testing_append(f.store, tag, T0 + second * WEIR_S, epoch, weir_value_u64(m.n));
            m.all[m.n].tag = tag;
            m.all[m.n].ts = T0 + second * WEIR_S;
            m.all[m.n].epoch = epoch;
            m.all[m.n].value = m.n;
            m.n++;
            if (weir_random_below(&r, 5) == 0)
                testing_commit(f.store);
            if (weir_random_below(&r, 60) == 0) {
                testing_commit(f.store);
                weir_store_close(f.store);
                f.store = testing_open(f.dir);
            }
            /* The plain way: up to some row, and the rest another time, so that parts overlap. Or
             * the store's own, hours and days later. */
            if (seed % 2 && weir_random_below(&r, 40) == 0)
                testing_to_history(f.dir, 1 + (int64_t)weir_random_below(&r, m.n), 5);
            if (seed % 2 == 0 && weir_random_below(&r, 20) == 0)
                maintain(f.store, T0 + (int64_t)m.n * WEIR_HOUR);
        }
        testing_commit(f.store);
        model_check(&f, &m, "", INT64_MIN, INT64_MAX, 0);
        model_check(&f, &m, "WHERE tag='d0/p1'", INT64_MIN, INT64_MAX, 2);
        model_check(&f, &m, "WHERE ts BETWEEN 1700001000000000 AND 1700004000000000",
                    T0 + 1000 * WEIR_S, T0 + 4000 * WEIR_S, 0);
        model_check(&f, &m, "WHERE ts <= 1700000900000000 AND tag='d0/p0'", INT64_MIN,
                    T0 + 900 * WEIR_S, 1);
        model_check(&f, &m, "WHERE ts > 1700008000000000", T0 + 8000 * WEIR_S + 1, INT64_MAX, 0);
        verify_sound(f.dir);
        fixture_close(&f);
    }
}

static void a_filter_on_seq_does_not_bring_back_what_was_superseded(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 1);
    for (uint64_t i = 0; i < 3; i++) {
        testing_append(f.store, 1, T0, 0, weir_value_u64(i));
        testing_commit(f.store);
    }
    assert_string_equal(ask(f.query, "SELECT seq, value FROM samples WHERE seq <= 2"), "");
    assert_string_equal(ask(f.query, "SELECT seq, value FROM samples"), "3|2");
    fixture_close(&f);
}

/* --- pushdown ----------------------------------------------------------------------------- */

/* What it takes a new reader to answer. */
static weir_view_counters cost_of(const char *dir, const char *sql, const char *want)
{
    weir_query *query = query_open(dir);
    assert_string_equal(ask(query, sql), want);
    weir_view_counters counters = weir_query_counters(query);
    weir_query_close(query);
    return counters;
}

static void constraints_leave_most_rows_compressed(void **state)
{
    (void)state;
    static const struct {
        const char *where;
        const char *count;
        uint64_t decoded;
    } cases[] = {
        {"", "1000", 500},
        {"WHERE tag='d0/p0'", "250", 250},
        {"WHERE tag='nobody'", "0", 0},
        {"WHERE tag=NULL", "0", 0},
        {"WHERE tag IN ('d0/p0','d0/p1','d0/p1')", "500", 250},
        {"WHERE tag IN ('d0/p0','d1/p1')", "500", 500},
        {"WHERE tag GLOB 'd1/*'", "500", 250},
        {"WHERE tag GLOB '*[0]'", "500", 500},
        {"WHERE tag GLOB 'e*'", "0", 0},
        {"WHERE tag LIKE 'D1/%'", "500", 250},
        {"WHERE tag LIKE 'd1/p_' AND tag='d1/p0'", "250", 250},
        {"WHERE tag LIKE 'e%'", "0", 0},
        {"WHERE tag LIKE 'd!_%' ESCAPE '!'", "0", 500}, /* SQLite does not tell of these */
        {"WHERE ts=1700000010000000", "4", 2},
        {"WHERE ts>=1700000010000000 AND ts<1700000020000000", "40", 20},
        {"WHERE ts>1700000010000000 AND ts<=1700000020000000", "40", 20},
        {"WHERE ts>1700000239500000.5", "40", 20},
        {"WHERE ts<1.7e15+1", "4", 2},
        {"WHERE ts IN (1700000010000000, 1700000012000000, 5)", "8", 4},
        {"WHERE time>='2023-11-14T22:13:30Z' AND time<'2023-11-14 22:13:40'", "40", 20},
        {"WHERE time='2023-11-14T22:13:30.000000Z'", "4", 2},
        {"WHERE time>'2023-11-15'", "0", 0},
        {"WHERE time<'2023-11-14T22:13:2x'", "40", 500}, /* no time: compared as text */
        {"WHERE ts BETWEEN 5 AND 4", "0", 0},
        {"WHERE seq>990", "10", 5},
        {"WHERE seq=17", "1", 2}, /* and what may supersede it */
        {"WHERE tag='d1/p1' AND ts>=1700000245000000", "5", 5},
        {"WHERE value=3", "4", 500},
    };
    struct fixture f = fixture_open(2, 2);
    /* 250 seconds, two devices of two points, a commit for each device. */
    for (uint32_t i = 0; i < 250; i++) {
        for (weir_tag_uid device = 0; device < 2; device++) {
            testing_append(f.store, 2 * device + 1, T0 + i * WEIR_S, 0, weir_value_u64(i));
            testing_append(f.store, 2 * device + 2, T0 + i * WEIR_S, 0, weir_value_u64(i));
            testing_commit(f.store);
        }
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[256];
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM samples %s", cases[i].where);
        uint64_t decoded = cost_of(f.dir, sql, cases[i].count).decoded;
        if (decoded != cases[i].decoded)
            fail_msg("%s: %llu rows decompressed", sql, (unsigned long long)decoded);
    }
    fixture_close(&f);
}

static void a_window_in_time_does_not_look_at_the_whole_log(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 1);
    for (int64_t i = 0; i < 1000; i++) { /* every ten minutes */
        testing_append(f.store, 1, T0 + i * 600 * WEIR_S, 0, weir_value_i64(i));
        testing_commit(f.store);
    }
    testing_append(f.store, 1, T0 + 500 * 600 * WEIR_S + 1, 0, weir_value_i64(-1)); /* behind */
    testing_commit(f.store);
    uint64_t before = weir_query_counters(f.query).rows;
    assert_string_equal(ask(f.query, "SELECT value FROM samples WHERE ts BETWEEN 1700299900000000"
                                     " AND 1700300700000000"),
                        "500\n-1\n501");
    assert_true(weir_query_counters(f.query).rows - before < 20);
    fixture_close(&f);
}

static void joins_and_aggregates_work(void **state)
{
    (void)state;
    struct fixture f = fixture_open(2, 2);
    for (int64_t i = 0; i < 10; i++)
        for (weir_tag_uid tag = 1; tag <= 4; tag++)
            testing_append(f.store, tag, T0 + i * WEIR_S, 0, weir_value_i64(i * tag));
    testing_commit(f.store);
    assert_string_equal(ask(f.query,
                            "SELECT t.device, t.unit, max(s.value) FROM samples s JOIN tags t"
                            " USING(tag) GROUP BY t.device ORDER BY 1"),
                        "d0|kW|18\nd1|kW|36");
    assert_string_equal(ask(f.query, "SELECT a.tag FROM current a JOIN samples b ON a.tag=b.tag AND"
                                     " a.ts=b.ts WHERE a.value=27"),
                        "d1/p0");
    fixture_close(&f);
}

/* --- current ------------------------------------------------------------------------------ */

static void current_is_the_newest_sample_of_each_tag(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 5);
    for (int64_t i = 0; i < 100; i++) {
        testing_append(f.store, 1, T0 + i, 0, weir_value_i64(i));
        if (i < 50)
            testing_append(f.store, 2, T0 + i, 0, weir_value_string("long gone", 9));
        testing_commit(f.store);
    }
    testing_append(f.store, 1, T0 + 5, 0, weir_value_i64(-5)); /* corrected, but not the newest */
    testing_append(f.store, 3, T0 + 5, 0, weir_value_i64(3));
    testing_append(f.store, 3, T0 + 5, 0, weir_value_i64(33)); /* the same moment again */
    testing_append(f.store, 4, T0 + 500, 0, weir_value_i64(4));
    testing_append(f.store, 4, T0 + 1, 1, weir_value_i64(44)); /* after a step of the clock */
    testing_commit(f.store);
    assert_string_equal(
        ask(f.query, "SELECT tag, ts-1700000000000000, value, seq, epoch FROM current"),
        "d0/p0|99|99|150|0\nd0/p1|49|long gone|100|0\nd0/p2|5|33|153|0\n"
        "d0/p3|1|44|155|1");
    assert_string_equal(ask(f.query, "SELECT value FROM current WHERE tag='d0/p2'"), "33");
    assert_string_equal(ask(f.query, "SELECT count(*) FROM current WHERE tag GLOB 'd0/p[12]'"),
                        "2");
    assert_string_equal(
        ask(f.query, "SELECT tag FROM current WHERE time >= '2023-11-14 22:13:20.00009'"), "d0/p0");
    fixture_close(&f);
}

/* As the store writes it now and then: the newest sample of each tag up to seq, here of two tags
 * in a block each. */
static void snapshot_write(const char *dir, uint64_t seq, const weir_batch *batches,
                           const uint64_t *seqs, size_t n)
{
    weir_block_builder *builder = weir_block_builder_new();
    sqlite3 *db = NULL;
    char path[600];
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    testing_run(db, "DELETE FROM snapshot");
    for (size_t i = 0; i < n; i++) {
        weir_block_bytes bytes;
        sqlite3_stmt *put = NULL;
        weir_block_builder_clear(builder);
        assert_int_equal(weir_block_builder_append(builder, &batches[i], NULL), WEIR_OK);
        assert_int_equal(weir_block_builder_encode(builder, &bytes, NULL), WEIR_OK);
        assert_int_equal(
            sqlite3_prepare_v2(db, "INSERT INTO snapshot VALUES(NULL,?,?,?,?)", -1, &put, NULL),
            SQLITE_OK);
        (void)sqlite3_bind_int64(put, 1, (int64_t)seq);
        (void)sqlite3_bind_int64(put, 2, (int64_t)seqs[i]);
        (void)sqlite3_bind_blob(put, 3, bytes.head, (int)bytes.head_length, SQLITE_STATIC);
        (void)sqlite3_bind_blob(put, 4, bytes.body, (int)bytes.body_length, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(put), SQLITE_DONE);
        (void)sqlite3_finalize(put);
    }
    (void)sqlite3_close(db);
    weir_block_builder_free(builder);
}

static void current_reads_the_snapshot_and_the_rows_behind_it(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 3);
    for (int64_t i = 0; i < 100; i++) {
        testing_append(f.store, 1, T0 + i, 0, weir_value_i64(i));
        if (i < 10)
            testing_append(f.store, 2, T0 + i, 0, weir_value_string("old", 3));
        testing_commit(f.store);
    }
    static const char sql[] = "SELECT tag, value, seq FROM current";
    static const char want[] = "d0/p0|99|110\nd0/p1|old|20";
    assert_int_equal(cost_of(f.dir, sql, want).decoded, 100);
    const weir_sample first = {1, 0, {T0 + 97}, weir_value_i64(97)};
    const weir_sample second = {2, 0, {T0 + 9}, weir_value_string("old", 3)};
    const weir_batch batches[] = {
        {.due = {T0 + 97}, .n_samples = 1, .samples = &first},
        {.due = {T0 + 9}, .n_samples = 1, .samples = &second},
    };
    snapshot_write(f.dir, 108, batches, (const uint64_t[]){108, 20}, 2);
    assert_int_equal(cost_of(f.dir, sql, want).decoded, 2 + 2);
    assert_int_equal(cost_of(f.dir, "SELECT value FROM current WHERE tag='d0/p1'", "old").decoded,
                     1);
    /* Of no use: damaged, or older than what is left of the log. */
    (void)testing_file_sql(f.dir, "UPDATE snapshot SET body=zeroblob(length(body)) WHERE id=2");
    assert_int_equal(cost_of(f.dir, sql, want).decoded, 1 + 100);
    snapshot_write(f.dir, 50, batches, (const uint64_t[]){50, 20}, 1);
    testing_to_history(f.dir, 60, 0);
    assert_int_equal(cost_of(f.dir, sql, want).decoded, 1 + 50);
    fixture_close(&f);
}

static void current_finds_in_parts_what_no_row_has(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 3);
    for (int64_t i = 0; i < 100; i++) {
        testing_append(f.store, 1, T0 + i, i < 50 ? 0 : 1, weir_value_i64(i));
        if (i < 10)
            testing_append(f.store, 2, T0 + i, 0, weir_value_string("old", 3));
        testing_commit(f.store);
        if (i % 20 == 19)
            testing_to_history(f.dir, 0, 7);
    }
    static const char sql[] = "SELECT tag, value, seq, read_ts - ts FROM current";
    weir_view_counters c = cost_of(f.dir, sql, "d0/p0|99|110|1000\nd0/p1|old|20|1000");
    assert_int_equal(c.decoded, 0);
    assert_int_equal(c.bodies, 2);
    testing_append(f.store, 1, T0 + 5, 1, weir_value_i64(-5)); /* late: not the newest */
    testing_append(f.store, 3, T0 + 5, 0, weir_value_i64(3));
    testing_commit(f.store);
    (void)cost_of(f.dir, "SELECT tag, value FROM current", "d0/p0|99\nd0/p1|old\nd0/p2|3");
    (void)testing_file_sql(f.dir, "UPDATE tag SET purged_seq=111 WHERE uid=1");
    (void)cost_of(f.dir, "SELECT tag, value FROM current", "d0/p1|old\nd0/p2|3");
    fixture_close(&f);
}

static void a_tag_that_left_the_catalog_is_in_samples_but_not_current(void **state)
{
    (void)state;
    struct fixture f = fixture_open(2, 1);
    testing_append(f.store, 1, T0, 0, weir_value_i64(1));
    testing_append(f.store, 2, T0, 0, weir_value_i64(2));
    testing_commit(f.store);
    assert_string_equal(ask(f.query, "SELECT tag FROM current"), "d0/p0\nd1/p0");
    weir_catalog *smaller = testing_catalog(1, 1);
    testing_register(f.store, smaller);
    assert_string_equal(ask(f.query, "SELECT tag FROM current"), "d0/p0");
    assert_string_equal(ask(f.query, "SELECT tag FROM samples"), "d0/p0\nd1/p0");
    weir_catalog_free(smaller);
    fixture_close(&f);
}

/* --- history ------------------------------------------------------------------------------ */

static void one_tag_comes_in_either_order_and_only_its_edge_is_read(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 2);
    for (int64_t i = 0; i < 400; i++) {
        testing_append(f.store, 1, T0 + i * WEIR_MINUTE, 0, weir_value_i64(i));
        testing_append(f.store, 2, T0 + i * WEIR_MINUTE, 0, weir_value_i64(-i));
        if (i % 100 == 99) {
            testing_commit(f.store);
            testing_to_history(f.dir, 0, 25);
        }
    }
    testing_append(f.store, 1, T0 + 399 * WEIR_MINUTE, 0, weir_value_i64(1000)); /* corrected */
    testing_append(f.store, 1, T0 + 30, 0, weir_value_i64(30));                  /* late */
    testing_commit(f.store);
    static const struct {
        const char *sql, *want;
        uint64_t bodies;
    } cases[] = {
        {"SELECT value FROM samples WHERE tag='d0/p0' ORDER BY ts DESC LIMIT 3", "1000\n398\n397",
         1},
        {"SELECT value FROM samples WHERE tag='d0/p0' ORDER BY time LIMIT 3", "0\n30\n1", 1},
        {"SELECT max(ts) - 1700000000000000 FROM samples WHERE tag='d0/p1'", "23940000000", 1},
        {"SELECT min(ts) - 1700000000000000 FROM samples WHERE tag='d0/p1'", "0", 1},
        {"SELECT value FROM samples WHERE tag='d0/p0' AND ts<1700006000000000 ORDER BY ts DESC"
         " LIMIT 1",
         "99", 1},
        {"SELECT count(*), sum(value) FROM samples WHERE tag='d0/p1'", "400|-79800", 16},
        {"SELECT count(*) FROM (SELECT ts, lag(ts) OVER () AS before FROM (SELECT ts FROM samples"
         " WHERE tag='d0/p0' ORDER BY ts DESC)) WHERE ts>=before",
         "0", 16},
        {"SELECT count(*) FROM samples WHERE tag='d0/p0' OR tag='d0/p1'", "801", 32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_view_counters c = cost_of(f.dir, cases[i].sql, cases[i].want);
        if (c.bodies > cases[i].bodies || c.replies != 0)
            fail_msg("%s: %llu bodies", cases[i].sql, (unsigned long long)c.bodies);
    }
    (void)cost_of(f.dir,
                  "SELECT (read_ts - ts) / 1000, seq, plans FROM samples WHERE tag='d0/p1' AND"
                  " ts=1700006000000000",
                  "1|202|1");
    fixture_close(&f);
}

static void purged_samples_are_not_shown(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 2);
    for (int64_t i = 0; i < 30; i++) {
        testing_append(f.store, 1, T0 + i, 0, weir_value_i64(i));
        testing_append(f.store, 2, T0 + i, 0, weir_value_i64(i));
        testing_commit(f.store);
        if (i % 10 == 9 && i < 29)
            testing_to_history(f.dir, 0, 0);
    }
    static const struct {
        int purged;
        const char *want;
    } cases[] = {{0, "30|1"},   {5, "27|7"},  {20, "20|21"},
                 {31, "14|33"}, {49, "5|51"}, {60, "0|NULL"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[100];
        (void)snprintf(sql, sizeof sql, "UPDATE tag SET purged_seq=%d WHERE uid=1",
                       cases[i].purged);
        (void)testing_file_sql(f.dir, sql);
        (void)cost_of(f.dir, "SELECT count(*), min(seq) FROM samples WHERE tag='d0/p0'",
                      cases[i].want);
        (void)cost_of(f.dir, "SELECT count(*) FROM samples WHERE tag='d0/p1'", "30");
        char buckets[100];
        (void)snprintf(buckets, sizeof buckets, "%d", atoi(cases[i].want));
        (void)cost_of(f.dir, "SELECT ifnull(sum(count), 0) FROM buckets('d0/p0', '1d')", buckets);
    }
    fixture_close(&f);
}

/* Taken with a clock that was an hour behind, as it turned out later. */
static void an_epochs_offset_is_added_wherever_its_samples_are(void **state)
{
    (void)state;
    for (int in_parts = 0; in_parts < 2; in_parts++) {
        struct fixture f = fixture_open(1, 1);
        testing_append(f.store, 1, T0 + WEIR_HOUR - 5, 0, weir_value_i64(1));
        testing_append(f.store, 1, T0 + 7, 1, weir_value_i64(2));
        testing_append(f.store, 1, T0 + WEIR_HOUR + 9, 2, weir_value_i64(3));
        testing_commit(f.store);
        if (in_parts)
            testing_to_history(f.dir, 0, 0);
        (void)testing_file_sql(f.dir, "INSERT INTO epoch VALUES(1, 3600000000, 0)");
        (void)cost_of(f.dir,
                      "SELECT ts - 1700003600000000, value, (read_ts - ts) / 1000 FROM samples"
                      " WHERE tag='d0/p0' ORDER BY ts",
                      "-5|1|1\n7|2|1\n9|3|1");
        (void)cost_of(f.dir, "SELECT value FROM samples WHERE ts=1700003600000007", "2");
        (void)cost_of(f.dir, "SELECT value FROM samples WHERE ts<1700001000000000", "");
        (void)cost_of(f.dir, "SELECT first, last FROM buckets('d0/p0', '1h', 'UTC')", "1|3");
        (void)cost_of(f.dir, "SELECT value FROM samples WHERE tag='d0/p0' ORDER BY ts DESC LIMIT 2",
                      "3\n2");
        fixture_close(&f);
    }
}

static void all_tags_come_by_time_without_a_sort(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 3);
    weir_random r = {7};
    for (int64_t i = 0; i < 600; i++) {
        testing_append(f.store, 1 + (weir_tag_uid)weir_random_below(&r, 3),
                       T0 + (int64_t)weir_random_below(&r, 400) * 977 * WEIR_S, 0,
                       i % 7 ? weir_value_i64(i) : weir_value_string("text", 4));
        if (i % 150 == 149) {
            testing_commit(f.store);
            if (i < 500)
                testing_to_history(f.dir, 0, 11);
        }
    }
    static const char *const orders[] = {"ts", "ts DESC", "time", "time DESC"};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        static char want[1 << 17];
        char sql[300];
        /* The unary plus makes SQLite sort by itself. */
        (void)snprintf(sql, sizeof sql,
                       "SELECT ts, group_concat(value) FROM (SELECT * FROM samples"
                       " ORDER BY tag) GROUP BY ts ORDER BY +%s",
                       orders[i]);
        (void)snprintf(want, sizeof want, "%s", ask(f.query, sql));
        (void)snprintf(sql, sizeof sql,
                       "SELECT ts, group_concat(value) FROM (SELECT * FROM samples WHERE tag IS NOT"
                       " NULL ORDER BY +ts, tag) GROUP BY ts ORDER BY +%s",
                       orders[i]);
        assert_string_equal(ask(f.query, sql), want);
        (void)snprintf(sql, sizeof sql,
                       "SELECT count(*) FROM (SELECT ts, lag(ts) OVER () AS before"
                       " FROM (SELECT ts FROM samples ORDER BY %s))"
                       " WHERE ts%sbefore",
                       orders[i], i % 2 ? ">" : "<");
        assert_string_equal(ask(f.query, sql), "0");
        (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN SELECT ts FROM samples ORDER BY %s",
                       orders[i]);
        assert_null(strstr(ask(f.query, sql), "B-TREE"));
    }
    const char *all = ask(f.query, "SELECT count(*) FROM samples");
    char want[20];
    (void)snprintf(want, sizeof want, "%s", all);
    assert_string_equal(ask(f.query, "SELECT count(*) FROM (SELECT ts FROM samples ORDER BY ts)"),
                        want);
    assert_string_equal(
        ask(f.query, "SELECT (SELECT max(ts) FROM samples)=(SELECT max(+ts) FROM samples)"), "1");
    fixture_close(&f);
}

/* As an export does: a short transaction, then on from where it was. */
static void a_walk_goes_on_behind_its_place(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 3);
    for (int64_t i = 0; i < 50; i++) {
        for (weir_tag_uid tag = 1; tag <= 3; tag++)
            testing_append(f.store, tag, T0 + i / 2, (uint32_t)i % 2, weir_value_i64(i));
        if (i % 20 == 19) {
            testing_commit(f.store);
            testing_to_history(f.dir, 0, 4);
        }
    }
    testing_commit(f.store);
    sqlite3 *db = weir_query_db(f.query);
    weir_view *view = NULL;
    weir_scan_place place = {0};
    assert_int_equal(weir_view_new(db, &view, NULL), WEIR_OK);
    size_t n = 0;
    for (bool any = true; any;) {
        const weir_scan_filter filter = WEIR_SCAN_ALL;
        weir_scan *scan = NULL;
        testing_run(db, "BEGIN");
        assert_int_equal(weir_view_update(view, NULL), WEIR_OK);
        assert_int_equal(weir_scan_new(view, &filter, &place, &scan, NULL), WEIR_OK);
        for (int i = 0; i < 7 && any; i++) {
            weir_item item;
            assert_int_equal(weir_scan_next(scan, &item, &any, NULL), WEIR_OK);
            if (!any)
                break;
            assert_int_equal(item.sample.tag, 1 + n / 50);
            assert_int_equal(item.sample.value.as.i, n % 50);
            n++;
        }
        place = weir_scan_get_place(scan);
        weir_scan_free(scan);
        testing_run(db, "COMMIT");
    }
    assert_int_equal(n, 150);
    weir_view_free(view);
    fixture_close(&f);
}

/* Numbers in a damaged file may say anything: an error that names the place, or an answer. */
static void lying_tables_are_damage_and_nothing_worse(void **state)
{
    (void)state;
    static const struct {
        const char *damage, *want; /* want: NULL, any answer or error */
    } cases[] = {
        {"UPDATE part SET min_ts=max_ts", "part 1, tag uid 1, segment 0: it lies outside"},
        {"UPDATE part SET max_ts='x'", NULL},
        {"UPDATE part SET id=1<<40 WHERE id=1", "part 1099511627776: its number is impossible"},
        {"UPDATE part SET epoch=-1", NULL},
        {"UPDATE part SET last_seq=0, first_seq=-5", NULL},
        {"UPDATE segment SET head=5", "part 1, tag uid 1, segment 0: "},
        {"UPDATE segment SET marks=x'07'", "part 1, tag uid 1"},
        {"UPDATE segment SET body=marks WHERE key<(1<<40)+(1<<39)", "part 1, tag uid 1"},
        {"UPDATE segment SET key=-key WHERE key IN ((1<<40)+(1<<8), (1<<40)+(1<<8)+1);"
         "UPDATE segment SET key=-key+1-2*((-key)&1) WHERE key<0",
         "it lies outside of its part's times, or before the segment before it"},
        {"DELETE FROM segment WHERE key>(1<<40)+(1<<39)", "replies of 1 are missing"},
        {"INSERT INTO epoch VALUES(0, -(1<<62), 0)", NULL},
        {"INSERT INTO epoch VALUES(0, 9223372036854775807, 0)", NULL},
        {"UPDATE meta SET value='all' WHERE key='history_seq'", NULL},
        {"UPDATE meta SET value=-7 WHERE key='merged_seq'", NULL},
        {"UPDATE meta SET value=1<<62 WHERE key='merged_seq'", NULL},
        {"UPDATE tag SET purged_seq='none'", NULL},
        {"UPDATE tag SET uid=-3 WHERE uid=1", NULL},
        {"INSERT INTO tag VALUES(4294967290, 'x', 1, 0), (2147483647, 'y', 1, 0)", NULL},
        {"UPDATE fresh SET first_seq=9e99", NULL},
        {"UPDATE fresh SET min_ts=max_ts-1", "min_ts and max_ts are not those of its block"},
        {"INSERT INTO snapshot VALUES(1, 1<<60, -1, 'a', 'b')", NULL},
        {"UPDATE tag_version SET counter=1, type='uint99', scale='abc'", NULL},
        {"INSERT INTO replacement VALUES(1, 'x', 'y', 'z')", NULL},
    };
    static const char *const queries[] = {
        "SELECT * FROM samples WHERE tag='d0/p0'",
        "SELECT *, seq FROM samples",
        "SELECT *, seq FROM samples WHERE tag='d0/p0' ORDER BY ts DESC",
        "SELECT * FROM current",
        "SELECT * FROM buckets('d0/p0', '1h')",
        "SELECT * FROM history('d0/p0', 0, 9000000000000000, 1000)",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f = fixture_open(1, 1);
        char path[600];
        bool found = cases[i].want == NULL;
        for (int64_t k = 0; k < 12; k++) {
            testing_append(f.store, 1, T0 + k * WEIR_MINUTE, 0, weir_value_i64(k % 5));
            testing_commit(f.store);
            if (k == 9)
                testing_to_history(f.dir, 0, 5);
        }
        sqlite3 *db = NULL;
        (void)snprintf(path, sizeof path, "%s/data.db", f.dir);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        testing_run(db, "%s", cases[i].damage);
        (void)sqlite3_close(db);
        weir_query_close(f.query);
        f.query = query_open(f.dir);
        for (size_t k = 0; k < sizeof queries / sizeof *queries; k++) {
            int rc = sqlite3_exec(weir_query_db(f.query), queries[k], NULL, NULL, NULL);
            const char *message = rc == SQLITE_OK ? "" : sqlite3_errmsg(weir_query_db(f.query));
            found |= cases[i].want && strstr(message, cases[i].want) && rc == SQLITE_CORRUPT_VTAB;
        }
        if (!found)
            fail_msg("%s: not found", cases[i].damage);
        fixture_close(&f);
    }
}

/* --- the connection ----------------------------------------------------------------------- */

static void the_reader_cannot_write(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 1);
    static const char *const cases[] = {"DELETE FROM log", "CREATE TABLE t(x)",
                                        "INSERT INTO samples(tag) VALUES('x')", "DROP VIEW tags"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_not_equal(sqlite3_exec(weir_query_db(f.query), cases[i], NULL, NULL, NULL),
                             SQLITE_OK);
    fixture_close(&f);
}

static void a_statement_sees_one_moment_of_the_log(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 1);
    sqlite3_stmt *stmt = NULL;
    for (int64_t i = 0; i < 3; i++) {
        testing_append(f.store, 1, T0 + i, 0, weir_value_i64(i));
        testing_commit(f.store);
    }
    assert_int_equal(
        sqlite3_prepare_v2(weir_query_db(f.query), "SELECT value FROM samples", -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    testing_append(f.store, 1, T0, 0, weir_value_i64(-1));
    testing_append(f.store, 1, T0 + 9, 0, weir_value_i64(9));
    testing_commit(f.store);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    (void)sqlite3_finalize(stmt);
    assert_string_equal(ask(f.query, "SELECT value FROM samples"), "-1\n1\n2\n9");
    fixture_close(&f);
}

static void a_directory_without_a_store_is_said_so(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    assert_int_equal(weir_query_open(dir, NULL, &query, &error), WEIR_ENOTFOUND);
    assert_non_null(strstr(error.text, dir));
    assert_int_equal(weir_query_open("memory", NULL, &query, &error), WEIR_ENOTFOUND);
    weir_store_close(testing_open(dir));
    (void)testing_file_sql(dir, "PRAGMA user_version=9");
    assert_int_equal(weir_query_open(dir, NULL, &query, &error), WEIR_EUNSUPPORTED);
    assert_null(query);
    testing_remove(dir);
}

static void a_damaged_row_is_named(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1, 1);
    for (int64_t i = 0; i < 3; i++) {
        testing_append(f.store, 1, T0 + i, 0, weir_value_i64(i));
        testing_commit(f.store);
    }
    (void)testing_file_sql(f.dir, "UPDATE fresh SET body=zeroblob(length(body)) WHERE first_seq=2");
    sqlite3 *db = weir_query_db(f.query);
    assert_int_equal(sqlite3_exec(db, "SELECT * FROM samples", NULL, NULL, NULL),
                     SQLITE_CORRUPT_VTAB);
    assert_non_null(strstr(sqlite3_errmsg(db), "fresh row 2: block does not match its checksum"));
    assert_string_equal(ask(f.query, "SELECT value FROM samples WHERE seq>2"), "2");
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_value_has_its_sql_type),
        cmocka_unit_test(not_a_number_is_null_and_uncertain),
        cmocka_unit_test(a_sample_shows_name_times_quality_and_hidden_columns),
        cmocka_unit_test(tags_devices_and_events_have_their_columns),
        cmocka_unit_test(of_one_identity_only_the_highest_seq_is_shown),
        cmocka_unit_test(a_filter_on_seq_does_not_bring_back_what_was_superseded),
        cmocka_unit_test(constraints_leave_most_rows_compressed),
        cmocka_unit_test(a_window_in_time_does_not_look_at_the_whole_log),
        cmocka_unit_test(joins_and_aggregates_work),
        cmocka_unit_test(current_is_the_newest_sample_of_each_tag),
        cmocka_unit_test(current_reads_the_snapshot_and_the_rows_behind_it),
        cmocka_unit_test(current_finds_in_parts_what_no_row_has),
        cmocka_unit_test(a_tag_that_left_the_catalog_is_in_samples_but_not_current),
        cmocka_unit_test(one_tag_comes_in_either_order_and_only_its_edge_is_read),
        cmocka_unit_test(all_tags_come_by_time_without_a_sort),
        cmocka_unit_test(purged_samples_are_not_shown),
        cmocka_unit_test(an_epochs_offset_is_added_wherever_its_samples_are),
        cmocka_unit_test(a_walk_goes_on_behind_its_place),
        cmocka_unit_test(lying_tables_are_damage_and_nothing_worse),
        cmocka_unit_test(the_reader_cannot_write),
        cmocka_unit_test(a_statement_sees_one_moment_of_the_log),
        cmocka_unit_test(a_directory_without_a_store_is_said_so),
        cmocka_unit_test(a_damaged_row_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

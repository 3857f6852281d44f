/* SPDX-License-Identifier: MIT */
/* What the store keeps for sinks, as their takes read it. */

#include "store/consumer.h"

#include "store/edit.h"
#include "store/query/query.h"
#include "store/query/take.h"
#include "store/testing.h"

struct fixture {
    char *dir;
    weir_store *store;
    weir_catalog *catalog;
    weir_take *take; /* of sink "main" */
};

static weir_take *take_open(const char *dir, const char *name)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_take *take = NULL;
    if (weir_take_open(dir, NULL, name, &take, &error) != WEIR_OK)
        fail_msg("take: %s", error.text);
    return take;
}

static void sinks_register(struct fixture *f, size_t n, const char *const *names, int64_t now)
{
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_register_sinks(f->store, names, n, (weir_wall){now}, &error) != WEIR_OK)
        fail_msg("register: %s", error.text);
}

static const char *const two[] = {"main", "office"};

static struct fixture fixture_open(void)
{
    struct fixture f = {.dir = testing_dir(), .catalog = testing_catalog(1, 4)};
    f.store = testing_open(f.dir);
    testing_register(f.store, f.catalog);
    sinks_register(&f, 2, two, T0);
    f.take = take_open(f.dir, "main");
    return f;
}

static void fixture_close(struct fixture *f)
{
    weir_take_close(f->take);
    weir_store_close(f->store);
    weir_arena_free(f->catalog->arena);
    testing_remove(f->dir);
}

/* As after a kill: what was not committed is gone. */
static void fixture_reopen(struct fixture *f)
{
    weir_take_close(f->take);
    weir_store_close(f->store);
    f->store = testing_open(f->dir);
    f->take = take_open(f->dir, "main");
}

static void samples_commit(struct fixture *f, int n, int64_t ts)
{
    for (int i = 0; i < n; i++)
        testing_append(f->store, 1 + (weir_tag_uid)(i % 4), ts + i / 4, 0, weir_value_i64(i));
    testing_commit(f->store);
}

static const weir_take_orders *orders_of(struct fixture *f)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_take_orders *orders = NULL;
    if (weir_take_get_orders(f->take, &orders, &error) != WEIR_OK)
        fail_msg("orders: %s", error.text);
    return orders;
}

static const char *sql(struct fixture *f, const char *query)
{
    static char answer[1 << 16];
    weir_query *q = NULL;
    assert_int_equal(weir_query_open(f->dir, NULL, &q, NULL), WEIR_OK);
    (void)snprintf(answer, sizeof answer, "%s", testing_sql(weir_query_db(q), query));
    weir_query_close(q);
    return answer;
}

static uint64_t edit(struct fixture *f, weir_edit_kind kind, const char *sink, const char *tags)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_edit e = {.kind = kind, .subject = sink, .tags = tags, .from = {T0}, .to = {T0 + 9}};
    uint64_t n = 0;
    if (weir_store_edit(f->store, &e, (weir_wall){T0 + 5}, &n, &error) != WEIR_OK)
        fail_msg("edit: %s", error.text);
    return n;
}

/* --- cursors ------------------------------------------------------------------------------ */

static void spans_are_put_together_and_never_overlap(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t seq;
        weir_span spans[4];
        size_t n;
        weir_err err;
        uint64_t want_seq;
        weir_span want[4];
        size_t want_n;
    } cases[] = {
        {"none", 5, {{0, 0}}, 0, WEIR_OK, 5, {{0, 0}}, 0},
        {"apart", 5, {{7, 9}, {11, 11}}, 2, WEIR_OK, 5, {{7, 9}, {11, 11}}, 2},
        {"touching", 5, {{7, 9}, {10, 12}}, 2, WEIR_OK, 5, {{7, 12}}, 1},
        {"reached", 5, {{6, 9}, {12, 13}}, 2, WEIR_OK, 9, {{12, 13}}, 1},
        {"all reached", 5, {{6, 9}, {10, 13}}, 2, WEIR_OK, 13, {{0, 0}}, 0},
        {"passed", 20, {{6, 9}, {12, 13}}, 2, WEIR_OK, 20, {{0, 0}}, 0},
        {"half passed", 8, {{6, 9}}, 1, WEIR_OK, 9, {{0, 0}}, 0},
        {"backwards", 5, {{9, 7}}, 1, WEIR_EINVAL, 5, {{0, 0}}, 0},
        {"overlapping", 5, {{7, 9}, {9, 12}}, 2, WEIR_EINVAL, 5, {{0, 0}}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_cursor c = {.seq = cases[i].seq};
        assert_int_equal(weir_cursor_set_done(&c, cases[i].spans, cases[i].n, NULL), cases[i].err);
        if (c.seq != cases[i].want_seq || c.n_done != cases[i].want_n ||
            memcmp(c.done, cases[i].want, c.n_done * sizeof *c.done) != 0)
            fail_msg("%s", cases[i].name);
    }
    weir_cursor c = {.seq = 10, .n_done = 2, .done = {{20, 29}, {40, 49}}};
    assert_int_equal(weir_cursor_needs(&c, 1, 10), 0);
    assert_int_equal(weir_cursor_needs(&c, 1, 60), 30);
    assert_int_equal(weir_cursor_needs(&c, 25, 41), 10);
}

static void assert_cursor(struct fixture *f, uint64_t seq, size_t n, const weir_span *spans)
{
    const weir_cursor *c = &orders_of(f)->cursor;
    assert_true(orders_of(f)->known);
    assert_int_equal(c->seq, seq);
    assert_int_equal(c->n_done, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(c->done[i].first, spans[i].first);
        assert_int_equal(c->done[i].last, spans[i].last);
    }
}

/* Killed after each of the steps on the way to the table. */
static void what_is_done_beyond_a_cursor_survives_a_kill(void **state)
{
    (void)state;
    for (int kill = 0; kill < 5; kill++) {
        struct fixture f = fixture_open();
        const weir_span spans[] = {{20, 29}, {35, 40}}, more[] = {{20, 45}};
        samples_commit(&f, 50, T0);
        assert_int_equal(
            weir_store_set_cursor(f.store, "main", 10, spans, 2, (weir_wall){T0 + 1}, NULL),
            WEIR_OK);
        if (kill == 0) { /* nothing was committed since: it is where it was */
            fixture_reopen(&f);
            assert_cursor(&f, 0, 0, NULL);
            fixture_close(&f);
            continue;
        }
        samples_commit(&f, 1, T0 + 100);
        assert_cursor(&f, 10, 2, spans); /* from the commit's state */
        if (kill == 1)
            fixture_reopen(&f);
        if (kill >= 2) /* into the table */
            testing_maintain(f.store, T0 + 2 * WEIR_MINUTE);
        if (kill == 2)
            fixture_reopen(&f);
        if (kill >= 3) {
            assert_int_equal(
                weir_store_set_cursor(f.store, "main", 12, more, 1, (weir_wall){T0 + 2}, NULL),
                WEIR_OK);
            samples_commit(&f, 1, T0 + 3 * WEIR_MINUTE);
        }
        if (kill == 4) { /* what rode with a commit is older than the table */
            assert_int_equal(
                weir_store_set_cursor(f.store, "main", 50, NULL, 0, (weir_wall){T0 + 3}, NULL),
                WEIR_OK);
            sinks_register(&f, 2, two, T0 + 4);
        }
        if (kill >= 3)
            fixture_reopen(&f);
        if (kill < 3)
            assert_cursor(&f, 10, 2, spans);
        else if (kill == 3)
            assert_cursor(&f, 12, 1, more);
        else
            assert_cursor(&f, 50, 0, NULL);
        fixture_close(&f);
    }
}

static void a_sink_begins_at_what_is_committed_and_is_kept_for_while_it_is_away(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    size_t n;
    samples_commit(&f, 8, T0);
    assert_int_equal(weir_store_set_cursor(f.store, "historian", 3, NULL, 0, (weir_wall){T0}, NULL),
                     WEIR_OK);
    static const char *const others[] = {"office", "new"};
    sinks_register(&f, 2, others, T0 + 7);
    assert_string_equal(sql(&f, "SELECT name, seq, detached FROM main.cursor ORDER BY name"),
                        "historian|3|NULL\nmain|0|1700000000000007\nnew|8|NULL\noffice|0|NULL");
    sinks_register(&f, 2, two, T0 + 9);
    const weir_cursor *c = weir_store_cursors(f.store, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(c[i].name, "main") == 0)
            assert_true(c[i].detached.us == 0 && c[i].seq == 0);
    /* Away for longer than the log is kept for it: what went is told. */
    static const char *const one[] = {"office"};
    sinks_register(&f, 1, one, T0 + 10);
    assert_int_equal(weir_store_set_cursor(f.store, "office", 8, NULL, 0, (weir_wall){T0}, NULL),
                     WEIR_OK);
    assert_int_equal(weir_store_set_cursor(f.store, "historian", 8, NULL, 0, (weir_wall){T0}, NULL),
                     WEIR_OK);
    assert_int_equal(weir_store_detach_cursor(f.store, "new", (weir_wall){T0 + 10}, NULL), WEIR_OK);
    testing_maintain(f.store, T0 + 8 * WEIR_DAY);
    samples_commit(&f, 4, T0 + 8 * WEIR_DAY);
    testing_maintain(f.store, T0 + 8 * WEIR_DAY + 2 * WEIR_HOUR);
    sinks_register(&f, 2, two, T0 + 9 * WEIR_DAY);
    assert_cursor(&f, 8, 0, NULL);
    assert_string_equal(sql(&f, "SELECT sink, tag, count, cause FROM gaps"),
                        "main|NULL|8|detached");
    fixture_close(&f);
}

static void a_gap_is_recorded_with_the_cursor_that_passes_over_it(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    samples_commit(&f, 20, T0);
    const weir_span span = {6, 9};
    weir_consumer_gap gap = {.sink = "main",
                             .from_ts = T0 + 1,
                             .to_ts = T0 + 2,
                             .count = 4,
                             .cause = "clock",
                             .done = &span,
                             .n_done = 1};
    assert_int_equal(weir_store_note_gap(f.store, &gap, (weir_wall){T0}, NULL), WEIR_OK);
    fixture_reopen(&f);
    assert_cursor(&f, 0, 1, &(weir_span){6, 9});
    gap = (weir_consumer_gap){
        .sink = "main", .from_ts = T0 - 7, .to_ts = T0 + 1, .count = 5, .cause = "clock", .seq = 9};
    assert_int_equal(weir_store_note_gap(f.store, &gap, (weir_wall){T0}, NULL), WEIR_OK);
    fixture_reopen(&f);
    assert_cursor(&f, 9, 0, NULL);
    assert_string_equal(sql(&f, "SELECT sink, tag, from_ts, to_ts, count, cause FROM gaps"),
                        "main|NULL|1699999999999993|1700000000000002|9|clock");
    fixture_close(&f);
}

/* The store's own cursor has no room for another span, because what was posted since (seq moved on,
 * and took two of its spans) is not with it. A crash before that is committed repeats nothing. */
static void a_gap_has_room_in_the_cursor_that_was_posted_with_it(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_span spans[WEIR_CURSOR_SPANS_MAX], done[WEIR_CURSOR_SPANS_MAX];
    samples_commit(&f, 200, T0);
    for (uint64_t i = 0; i < WEIR_CURSOR_SPANS_MAX; i++)
        spans[i] = (weir_span){10 + 10 * i, 12 + 10 * i};
    assert_int_equal(weir_store_set_cursor(f.store, "main", 1, spans, WEIR_CURSOR_SPANS_MAX,
                                           (weir_wall){T0}, NULL),
                     WEIR_OK);
    memcpy(done, spans + 1, sizeof spans - sizeof *spans);
    done[WEIR_CURSOR_SPANS_MAX - 1] = (weir_span){190, 195};
    const weir_consumer_gap gap = {.sink = "main",
                                   .from_ts = T0,
                                   .to_ts = T0 + 1,
                                   .count = 6,
                                   .cause = "clock",
                                   .seq = 12,
                                   .done = done,
                                   .n_done = WEIR_CURSOR_SPANS_MAX};
    assert_int_equal(weir_store_note_gap(f.store, &gap, (weir_wall){T0}, NULL), WEIR_OK);
    fixture_reopen(&f);
    assert_cursor(&f, 12, WEIR_CURSOR_SPANS_MAX, done);
    assert_string_equal(sql(&f, "SELECT count, cause FROM gaps"), "6|clock");
    fixture_close(&f);
}

/* --- rows set aside ----------------------------------------------------------------------- */

static void rows_set_aside_come_back_as_they_were(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    weir_take_chunk c;
    bool any;
    static const char text[] = "a 'quoted'\n\"text\" \xf0\x9f\x98\x80";
    const weir_value values[] = {weir_value_i64(-5),
                                 weir_value_u64(UINT64_MAX),
                                 weir_value_decimal(123456, -3),
                                 {.kind = WEIR_KIND_F64, .as.bits = 0x7ff8000000000123},
                                 weir_value_string(text, sizeof text - 1),
                                 weir_value_bytes((const uint8_t *)"\0\1", 2),
                                 weir_value_string("", 0),
                                 weir_value_null()};
    enum { N = sizeof values / sizeof *values };
    for (size_t i = 0; i < N; i++)
        testing_append(f.store, 1 + (weir_tag_uid)(i % 4), T0 + (int64_t)i, 0, values[i]);
    testing_commit(f.store);
    assert_int_equal(weir_take_next(f.take, 0, UINT64_MAX, 100, &c, &any, NULL), WEIR_OK);
    assert_int_equal(c.n, N);
    weir_set_aside rows[N];
    for (size_t i = 0; i < N; i++)
        rows[i] = (weir_set_aside){&c.rows[i], i == 3 ? "no NaN here" : "too odd"};
    assert_int_equal(weir_store_set_aside(f.store, "main", rows, N, (weir_wall){T0}, NULL),
                     WEIR_OK);
    assert_int_equal(weir_store_set_aside(f.store, "main", rows, 2, (weir_wall){T0}, NULL),
                     WEIR_OK);
    fixture_reopen(&f);
    assert_int_equal(orders_of(&f)->set_aside, N);
    assert_int_equal(orders_of(&f)->retries, 0);
    assert_string_equal(
        sql(&f,
            "SELECT sink, tag, ts, value, quality, seq, why FROM rejected WHERE seq IN (2,3,4)"),
        "main|d0/p1|1700000000000001|18446744073709551615|good|2|too odd\n"
        "main|d0/p2|1700000000000002|123.456|good|3|too odd\n"
        "main|d0/p3|1700000000000003|NULL|good|4|no NaN here");
    assert_string_equal(sql(&f, "SELECT time, hex(value) FROM rejected WHERE seq=6"),
                        "2023-11-14T22:13:20.000005Z|0001");

    assert_int_equal(edit(&f, WEIR_EDIT_SINK_RETRY, "main", NULL), N);
    assert_int_equal(edit(&f, WEIR_EDIT_SINK_RETRY, "main", NULL), 0);
    assert_int_equal(orders_of(&f)->retries, N);
    assert_int_equal(weir_take_retries(f.take, 0, 100, &c, NULL), WEIR_OK);
    assert_int_equal(c.n, N);
    for (size_t i = 0; i < N; i++) {
        const weir_value *v = &c.rows[i].sample.value;
        assert_int_equal(c.rows[i].seq, i + 1);
        assert_int_equal(c.rows[i].sample.ts.us, T0 + (int64_t)i);
        assert_int_equal(c.rows[i].received.us, T0 + (int64_t)i + 1500);
        assert_int_equal(c.rows[i].plans, WEIR_PLAN_DEFAULT);
        assert_int_equal(c.rows[i].tag->uid, 1 + i % 4);
        assert_int_equal(v->kind, values[i].kind);
        assert_int_equal(v->exponent, values[i].exponent);
        assert_int_equal(v->length, values[i].length);
        if (v->kind >= WEIR_KIND_STRING)
            assert_memory_equal(v->as.text, values[i].as.text, v->length);
        else
            assert_true(v->as.bits == values[i].as.bits);
    }
    /* One is taken at last, one refused again, the others wait. */
    const weir_set_aside done[] = {{&c.rows[0], NULL}, {&c.rows[1], "still too odd"}};
    assert_int_equal(weir_store_set_aside(f.store, "main", done, 2, (weir_wall){T0 + 1}, NULL),
                     WEIR_OK);
    assert_int_equal(orders_of(&f)->set_aside, N - 1);
    assert_int_equal(orders_of(&f)->retries, N - 2);
    assert_string_equal(sql(&f, "SELECT why FROM rejected ORDER BY seq LIMIT 1"), "still too odd");
    assert_int_equal(weir_take_retries(f.take, 3, 2, &c, NULL), WEIR_OK);
    assert_int_equal(c.n, 2);
    assert_int_equal(c.first_seq, 4);
    assert_int_equal(c.last_seq, 5);
    /* Those of some tags are given up. */
    assert_int_equal(edit(&f, WEIR_EDIT_SINK_DROP, "main", "d0/p[01]"), 3);
    assert_int_equal(orders_of(&f)->set_aside, N - 4);
    assert_int_equal(orders_of(&f)->retries, N - 4);
    assert_string_equal(sql(&f, "SELECT sink, count, cause FROM gaps"), "main|3|dropped");
    assert_string_equal(sql(&f, "SELECT name, quarantined FROM sinks"), "main|4\noffice|0");
    fixture_close(&f);
}

/* More than one transaction takes, with commits between. */
static void many_rows_are_retried_and_dropped_in_pieces(void **state)
{
    (void)state;
    enum { N = 25000 };
    struct fixture f = fixture_open();
    static weir_sink_row rows[N];
    static weir_set_aside aside[N];
    const weir_sink_tag tag = {.uid = 2, .name = "d0/p1"};
    for (size_t i = 0; i < N; i++) {
        rows[i] = (weir_sink_row){
            .tag = &tag, .sample = {2, 0, {T0 + (int64_t)i}, weir_value_i64(1)}, .seq = 10 + i};
        aside[i] = (weir_set_aside){&rows[i], "no such column"};
    }
    assert_int_equal(weir_store_set_aside(f.store, "main", aside, N, (weir_wall){T0}, NULL),
                     WEIR_OK);
    assert_int_equal(weir_store_set_aside(f.store, "office", aside, 9, (weir_wall){T0}, NULL),
                     WEIR_OK);
    assert_int_equal(edit(&f, WEIR_EDIT_SINK_RETRY, "main", "d0/*"), N);
    assert_int_equal(orders_of(&f)->retries, N);
    uint64_t after = 0;
    size_t got = 0;
    for (weir_take_chunk c;; got += c.n, after = c.last_seq) {
        assert_int_equal(weir_take_retries(f.take, after, 1000, &c, NULL), WEIR_OK);
        if (c.n == 0)
            break;
    }
    assert_int_equal(got, N);
    assert_int_equal(edit(&f, WEIR_EDIT_SINK_DROP, "main", NULL), N);
    assert_int_equal(orders_of(&f)->set_aside, 0);
    assert_int_equal(orders_of(&f)->retries, 0);
    assert_string_equal(sql(&f,
                            "SELECT (SELECT count(*) FROM main.set_aside), (SELECT count(*) FROM"
                            " main.set_aside_retry), (SELECT count FROM gaps)"),
                        "9|0|25000");
    fixture_close(&f);
}

/* --- orders ------------------------------------------------------------------------------- */

static void orders_are_kept_and_read(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    assert_false(orders_of(&f)->paused);
    assert_int_equal(orders_of(&f)->replay_id, 0);
    (void)edit(&f, WEIR_EDIT_SINK_PAUSE, "main", NULL);
    assert_true(weir_take_changed(f.take));
    fixture_reopen(&f);
    assert_true(orders_of(&f)->paused);
    (void)edit(&f, WEIR_EDIT_SINK_RESUME, "main", NULL);
    assert_false(orders_of(&f)->paused);
    (void)edit(&f, WEIR_EDIT_SINK_REPLAY, "main", NULL);
    const weir_take_orders *o = orders_of(&f);
    assert_int_equal(o->replay_id, 1);
    assert_int_equal(o->replay_from, T0);
    assert_int_equal(o->replay_to, T0 + 9);
    assert_int_equal(o->replay_done, T0);
    assert_int_equal(weir_store_note_replay(f.store, "main", 1, T0 + 4, NULL), WEIR_OK);
    fixture_reopen(&f);
    assert_int_equal(orders_of(&f)->replay_done, T0 + 4);
    /* A new one takes its place, and hears nothing of the old one. */
    (void)edit(&f, WEIR_EDIT_SINK_REPLAY, "main", NULL);
    assert_int_equal(weir_store_note_replay(f.store, "main", 1, INT64_MAX, NULL), WEIR_OK);
    assert_int_equal(orders_of(&f)->replay_id, 2);
    assert_int_equal(orders_of(&f)->replay_done, T0);
    assert_int_equal(weir_store_note_replay(f.store, "main", 2, INT64_MAX, NULL), WEIR_OK);
    assert_int_equal(orders_of(&f)->replay_id, 0);
    (void)edit(&f, WEIR_EDIT_SINK_REPLAY, "main", NULL);
    (void)edit(&f, WEIR_EDIT_SINK_REPLAY_STOP, "main", NULL);
    /* What was sent before it was stopped does not start it again. */
    assert_int_equal(weir_store_note_replay(f.store, "main", 3, T0 + 4, NULL), WEIR_OK);
    assert_int_equal(orders_of(&f)->replay_id, 0);
    assert_string_equal(sql(&f, "SELECT kind, subject, text FROM events LIMIT 2"),
                        "config|main|sink main was paused\nconfig|main|sink main was resumed");
    fixture_close(&f);
}

static void an_unknown_sink_is_answered_with_those_there_are(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    for (int kind = WEIR_EDIT_SINK_PAUSE; kind <= WEIR_EDIT_SINK_DROP; kind++) {
        weir_error error = WEIR_ERROR_INIT;
        const weir_edit e = {.kind = (weir_edit_kind)kind, .subject = "ofice"};
        uint64_t n = 77;
        assert_int_equal(weir_store_edit(f.store, &e, (weir_wall){T0}, &n, &error), WEIR_ENOTFOUND);
        assert_string_equal(
            error.text,
            "no sink is named 'ofice' (did you mean 'office'?): there are main, office");
        assert_int_equal(n, 77);
    }
    weir_error error = WEIR_ERROR_INIT;
    uint64_t n;
    const weir_edit e = {
        .kind = WEIR_EDIT_SINK_REPLAY, .subject = "main", .from = {T0}, .to = {T0 - 1}};
    assert_int_equal(weir_store_edit(f.store, &e, (weir_wall){T0}, &n, &error), WEIR_EINVAL);
    fixture_close(&f);
}

static void states_of_sinks_are_shown(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    const weir_sink_record record = {.name = "main",
                                     .type = "postgres",
                                     .state = "refused",
                                     .error = "the server says: no",
                                     .remedy = "weir sink test main",
                                     .since = {T0},
                                     .oldest_unsent = {T0},
                                     .backlog = 17,
                                     .rows_per_s = 2.5};
    assert_int_equal(weir_store_put_sinks(f.store, &record, 1, NULL), WEIR_OK);
    assert_string_equal(sql(&f, "SELECT name, state, oldest_unsent_s > 0, backlog, quarantined,"
                                " error, type, since, remedy, delivered, rate FROM sinks"),
                        "main|refused|1|17|0|the server says: no|postgres|1700000000000000|"
                        "weir sink test main|NULL|2.5\n"
                        "office|connecting|0|NULL|0||NULL|NULL||NULL|NULL");
    weir_sink_record unknown = record;
    unknown.backlog = WEIR_BACKLOG_UNKNOWN;
    assert_int_equal(weir_store_put_sinks(f.store, &unknown, 1, NULL), WEIR_OK);
    assert_string_equal(sql(&f, "SELECT backlog FROM sinks WHERE name='main'"), "NULL");
    static const char *const one[] = {"office"};
    sinks_register(&f, 1, one, T0 + 1);
    assert_string_equal(sql(&f, "SELECT state, error, since FROM sinks WHERE name='main'"),
                        "removed||1700000000000001");
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_put_together_and_never_overlap),
        cmocka_unit_test(what_is_done_beyond_a_cursor_survives_a_kill),
        cmocka_unit_test(a_sink_begins_at_what_is_committed_and_is_kept_for_while_it_is_away),
        cmocka_unit_test(a_gap_is_recorded_with_the_cursor_that_passes_over_it),
        cmocka_unit_test(a_gap_has_room_in_the_cursor_that_was_posted_with_it),
        cmocka_unit_test(rows_set_aside_come_back_as_they_were),
        cmocka_unit_test(many_rows_are_retried_and_dropped_in_pieces),
        cmocka_unit_test(orders_are_kept_and_read),
        cmocka_unit_test(an_unknown_sink_is_answered_with_those_there_are),
        cmocka_unit_test(states_of_sinks_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

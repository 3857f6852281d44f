/* SPDX-License-Identifier: MIT */
/* Tests of delivery: a scripted other side, a real log, and a clock that is a number. */

#include "sinks/delivery/delivery.h"

#include "base/random.h"
#include "base/text.h"
#include "store/epoch.h"
#include "store/testing.h"
#include "support/script_sink.h"
#include "tests/support/scaled.h"

enum { SEQS = 200 * 1000, N_TAGS = 12, ASIDE_MAX = 4096, REPLAYS_MAX = 256 };

/* A plant, its store, a sink with its other side, and all that delivery said. */
struct bench {
    char *dir;
    weir_store *store;
    weir_catalog *catalog;
    script_server server;
    script_sink_options options;
    weir_sink_config config;
    weir_take *take;
    weir_delivery_host host;
    weir_delivery *delivery;
    weir_mono now, next;
    int64_t wall_offset;
    bool ending, box_is_full;

    uint64_t first;    /* seq of the first sample */
    uint64_t seq;      /* committed */
    uint16_t *arrived; /* [seq] how often */
    uint64_t *order;   /* seqs as they arrived */
    size_t n_order;
    uint64_t cursor;
    weir_span spans[WEIR_CURSOR_SPANS_MAX];
    size_t n_spans;
    uint64_t aside[ASIDE_MAX], taken_back[ASIDE_MAX];
    size_t n_aside, n_taken_back;
    char aside_why[64];
    uint64_t n_gap;
    int64_t replay_done;
    char states[4096]; /* "online offline(connection refused) online" */
};

static weir_mono bench_now(void *data)
{
    return ((struct bench *)data)->now;
}

static weir_wall bench_wall(void *data)
{
    const struct bench *b = data;
    return (weir_wall){b->now.us + b->wall_offset};
}

static bool bench_is_ending(void *data)
{
    return ((struct bench *)data)->ending;
}

static bool on_cursor(void *data, uint64_t seq, const weir_span *spans, size_t n)
{
    struct bench *b = data;
    if (b->box_is_full)
        return false;
    assert_true(seq >= b->cursor);
    b->cursor = seq;
    b->n_spans = n;
    memcpy(b->spans, spans, n * sizeof *spans);
    assert_int_equal(weir_store_set_cursor(b->store, "main", seq, spans, n, bench_wall(b), NULL),
                     WEIR_OK);
    return true;
}

static bool on_set_aside(void *data, const weir_set_aside *rows, size_t n)
{
    struct bench *b = data;
    for (size_t i = 0; !b->box_is_full && i < n; i++) {
        assert_true(b->n_aside < ASIDE_MAX && b->n_taken_back < ASIDE_MAX);
        if (rows[i].why)
            b->aside[b->n_aside++] = rows[i].row->seq;
        else
            b->taken_back[b->n_taken_back++] = rows[i].row->seq;
        (void)snprintf(b->aside_why, sizeof b->aside_why, "%s", rows[i].why ? rows[i].why : "");
    }
    return !b->box_is_full;
}

static bool on_replay(void *data, uint64_t id, int64_t done)
{
    struct bench *b = data;
    assert_true(done >= b->replay_done);
    b->replay_done = done;
    assert_int_equal(weir_store_note_replay(b->store, "main", id, done, NULL), WEIR_OK);
    return !b->box_is_full;
}

static bool on_gap(void *data, const weir_consumer_gap *gap)
{
    struct bench *b = data;
    assert_string_equal(gap->cause, "clock");
    b->n_gap += b->box_is_full ? 0 : gap->count;
    return !b->box_is_full;
}

static void on_state(void *data, const char *state, const char *why, const char *remedy)
{
    struct bench *b = data;
    const size_t n = strlen(b->states);
    (void)remedy;
    (void)snprintf(b->states + n, sizeof b->states - n, "%s%s%s%s%s", n ? " " : "", state,
                   *why ? "(" : "", why, *why ? ")" : "");
}

static void on_log(void *data, weir_log_level level, const char *event, const char *text)
{
    (void)data, (void)level, (void)event, (void)text;
}

static void on_row(void *data, const weir_sink_row *row)
{
    struct bench *b = data;
    assert_true(row->seq < SEQS);
    b->arrived[row->seq]++;
    assert_true(b->n_order < 4 * (size_t)SEQS);
    b->order[b->n_order++] = row->seq;
}

static void on_sleep(void *data, int64_t us)
{
    ((struct bench *)data)->now.us += us;
}

/* A process begins: it knows what the store knows. */
static void bench_start(struct bench *b)
{
    weir_error error = WEIR_ERROR_INIT;
    if (weir_take_open(b->dir, NULL, "main", &b->take, &error) != WEIR_OK ||
        weir_delivery_new(&b->config, b->take, &b->host, &b->delivery, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    b->next = b->now;
    b->cursor = 0; /* it may begin a commit before the last */
}

static void bench_end(struct bench *b)
{
    weir_delivery_free(b->delivery);
    weir_take_close(b->take);
}

static struct bench *bench_open(const weir_sink_type *type)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->arrived = calloc(SEQS, sizeof *b->arrived);
    b->order = calloc(4 * (size_t)SEQS, sizeof *b->order);
    assert_true(b->arrived && b->order);
    b->dir = testing_dir();
    b->store = testing_open(b->dir);
    b->catalog = testing_catalog(3, 4);
    testing_register(b->store, b->catalog);
    b->server.data = b;
    b->server.on_row = on_row;
    b->server.on_sleep = on_sleep;
    b->server.send_us = 2 * WEIR_MS;
    b->server.row_us = 20;
    b->options.server = &b->server;
    b->config =
        (weir_sink_config){.name = "main", .type = type, .options = &b->options, .enabled = true};
    b->host = (weir_delivery_host){.data = b,
                                   .box_data = b,
                                   .now = bench_now,
                                   .wall = bench_wall,
                                   .seed = 1,
                                   .is_ending = bench_is_ending,
                                   .on_cursor = on_cursor,
                                   .on_set_aside = on_set_aside,
                                   .on_replay = on_replay,
                                   .on_gap = on_gap,
                                   .on_state = on_state,
                                   .log = on_log};
    b->now.us = 1000 * WEIR_S;
    b->wall_offset = T0 - b->now.us;
    const char *names[] = {"main"};
    assert_int_equal(weir_store_register_sinks(b->store, names, 1, bench_wall(b), NULL), WEIR_OK);
    b->first = weir_store_get_position(b->store).committed_seq + 1;
    b->replay_done = INT64_MIN;
    bench_start(b);
    return b;
}

static void bench_close(struct bench *b)
{
    bench_end(b);
    weir_store_close(b->store);
    weir_arena_free(b->catalog->arena);
    testing_remove(b->dir);
    free(b->arrived);
    free(b->order);
    free(b);
}

/* n samples, tags in turn, of this epoch. */
static void bench_commit_of(struct bench *b, uint32_t n, uint32_t epoch, uint32_t flags)
{
    weir_sample samples[2000];
    weir_error error = WEIR_ERROR_INIT;
    const int64_t ts = bench_wall(b).us;
    assert_true(n <= 2000);
    for (uint32_t i = 0; i < n; i++)
        samples[i] = (weir_sample){
            i % N_TAGS + 1, 0, {ts + i / N_TAGS}, weir_value_i64((int64_t)b->seq + i)};
    const weir_batch batch = {.catalog_revision = 1,
                              .epoch = epoch,
                              .flags = flags,
                              .plans = 1,
                              .due = {ts},
                              .sent = {ts},
                              .received = {ts},
                              .n_samples = n,
                              .samples = samples};
    if (weir_store_append(b->store, &batch, &error) ||
        weir_store_commit(b->store, (weir_wall){ts}, &error))
        fail_msg("%s", error.text);
    b->seq = weir_store_get_position(b->store).committed_seq;
    b->next = b->now;
}

static void bench_commit(struct bench *b, uint32_t n)
{
    bench_commit_of(b, n, 0, 0);
}

/* Steps as a thread would, for so long. */
static void bench_run(struct bench *b, int64_t us)
{
    const int64_t until = b->now.us + us;
    unsigned steps = 0;
    while (b->now.us < until) {
        if (b->next.us > b->now.us) {
            b->now.us = b->next.us < until ? b->next.us : until;
            continue;
        }
        b->next = weir_delivery_step(b->delivery);
        assert_true(++steps < 1000 * 1000); /* it turns in a circle */
    }
}

/* A plant that commits n samples a second, for so many seconds. */
static void bench_live(struct bench *b, unsigned seconds, uint32_t n)
{
    for (unsigned i = 0; i < seconds; i++) {
        const int64_t end = b->now.us + WEIR_S;
        bench_commit(b, n);
        if (b->now.us < end)
            bench_run(b, end - b->now.us);
    }
}

static void assert_all_arrived(const struct bench *b, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        if (b->arrived[seq] == 0)
            fail_msg("seq %llu of %llu did not arrive", (unsigned long long)seq,
                     (unsigned long long)to);
}

static uint64_t n_repeated(const struct bench *b)
{
    uint64_t n = 0;
    for (uint64_t seq = 0; seq < SEQS; seq++)
        n += b->arrived[seq] > 1 ? b->arrived[seq] - 1u : 0;
    return n;
}

/* --- the happy path ----------------------------------------------------------------------- */

static void what_is_committed_arrives_once_and_in_order(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    bench_live(b, 30, 100);
    assert_int_equal(b->n_order, 3000);
    for (size_t i = 0; i < b->n_order; i++)
        assert_int_equal(b->order[i], b->order[0] + i);
    assert_int_equal(b->cursor, b->seq);
    assert_int_equal(b->n_spans, 0);
    assert_string_equal(b->states, "online");
    const weir_sink_record r = weir_delivery_get_record(b->delivery);
    assert_string_equal(r.state, "online");
    assert_int_equal(r.backlog, 0);
    assert_int_equal(r.oldest_unsent.us, 0);
    assert_int_equal(r.sent, 3000);
    assert_true(r.rows_per_s > 80 && r.rows_per_s < 120);
    assert_true(r.rtt_ms > 3 && r.rtt_ms < 5); /* 2 ms, and 20 us for each of 100 rows */
    bench_close(b);
}

static void a_filter_passes_over_the_others_without_a_send(void **state)
{
    static const char *const patterns[] = {"d1/*", "!d1/p3"};
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->config.tags = patterns;
    b->config.n_tags = 2;
    bench_live(b, 20, 120);
    assert_int_equal(b->n_order, 20 * 30); /* three tags of twelve */
    assert_int_equal(b->cursor, b->seq);
    assert_int_equal(weir_delivery_get_record(b->delivery).left_out, 20 * 90);
    bench_close(b);
}

static void a_filter_that_leaves_everything_out_keeps_the_cursor_moving(void **state)
{
    static const char *const patterns[] = {"nothing/*"};
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->config.tags = patterns;
    b->config.n_tags = 1;
    bench_live(b, 20, 120);
    assert_int_equal(b->server.n_sends, 0);
    assert_int_equal(b->cursor, b->seq);
    assert_int_equal(weir_delivery_get_record(b->delivery).backlog, 0);
    bench_close(b);
}

/* --- outages ------------------------------------------------------------------------------ */

/* faults.md 40. */
static void after_an_outage_live_rows_go_first_and_the_backlog_at_its_rate(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->config.backlog_rate = 500;
    bench_end(b);
    bench_start(b);
    bench_live(b, 5, 100);
    const uint64_t before = b->seq;
    b->server.mood = SCRIPT_OFFLINE;
    bench_live(b, 1200, 100);
    const uint64_t backlog_end = b->seq;
    assert_true(b->server.n_sends < 5 + 6 + 1200 / 30); /* it did not knock without end */
    weir_sink_record r = weir_delivery_get_record(b->delivery);
    assert_string_equal(r.state, "offline");
    assert_string_equal(r.error, "connection refused");
    assert_int_equal(r.backlog, backlog_end - before);
    assert_true(bench_wall(b).us - r.oldest_unsent.us > 1195 * WEIR_S);
    b->server.mood = SCRIPT_WELL;
    bench_run(b, 61 * WEIR_S); /* the longest back-off */
    const size_t at = b->n_order;
    const uint64_t live = b->seq;
    bench_live(b, 20, 100);
    /* Everything live has arrived, each within its second; the backlog goes on at its rate. */
    assert_all_arrived(b, live + 1, b->seq);
    assert_true(b->n_order - at < 20 * (500 + 100) + 1000);
    assert_true(b->n_order - at > 20 * 400);
    bench_live(b, 300, 100);
    assert_all_arrived(b, b->first, b->seq);
    assert_int_equal(b->cursor, b->seq);
    assert_int_equal(b->n_spans, 0);
    assert_int_equal(n_repeated(b), 0);
    assert_string_equal(b->states, "online offline(connection refused) online");
    bench_close(b);
}

static void a_file_gets_what_is_older_first(void **state)
{
    struct bench *b = bench_open(&script_sink_file);
    (void)state;
    bench_live(b, 5, 100);
    b->server.mood = SCRIPT_FULL;
    bench_live(b, 100, 100);
    b->server.mood = SCRIPT_WELL;
    bench_live(b, 100, 100);
    for (size_t i = 1; i < b->n_order; i++)
        assert_true(b->order[i] > b->order[i - 1]);
    assert_int_equal(b->cursor, b->seq);
    assert_true(b->server.n_idle > 50);
    bench_close(b);
}

/* A send may take half a minute. */
static void what_waits_is_known_before_the_first_send(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    bench_commit(b, 1000);
    assert_true(weir_delivery_get_record(b->delivery).backlog == WEIR_BACKLOG_UNKNOWN);
    assert_int_equal(weir_delivery_get_record(b->delivery).oldest_unsent.us, 0);
    b->next = weir_delivery_step(b->delivery);
    assert_int_equal(b->server.n_sends, 0);
    assert_int_equal(weir_delivery_get_record(b->delivery).backlog, b->seq - (b->first - 1));
    assert_true(weir_delivery_get_record(b->delivery).oldest_unsent.us > 0);
    bench_run(b, WEIR_S);
    assert_int_equal(weir_delivery_get_record(b->delivery).backlog, 0);
    bench_close(b);
}

static void how_long_a_backlog_takes_is_told_by_its_own_rows(void **state)
{
    (void)state;
    static const struct {
        const weir_sink_type *type;
        double per_s; /* of the backlog of 20 000 */
    } cases[] = {{&script_sink, 50}, {&script_sink_file, 250 - 200}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = bench_open(cases[i].type);
        b->config.backlog_rate = i == 0 ? 50 : 250;
        b->config.batch = 500;
        for (int k = 0; k < 10; k++)
            bench_commit(b, 2000);
        bench_end(b);
        bench_start(b);
        bench_live(b, 60, 200);
        const weir_sink_record r = weir_delivery_get_record(b->delivery);
        const double want = (double)r.backlog / cases[i].per_s;
        assert_true(r.backlog > 10000);
        if (r.done_in_s < want * 0.7 || r.done_in_s > want * 1.5)
            fail_msg("%zu: done in %f s, not %f", i, r.done_in_s, want);
        bench_close(b);
    }
}

/* More outages than there are spans, each while the backlog of the one before is not done. */
static void with_all_spans_in_use_nothing_is_lost(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->config.backlog_rate = 1;
    bench_end(b);
    bench_start(b);
    size_t most = 0;
    for (int i = 0; i < 24; i++) {
        b->server.mood = SCRIPT_OFFLINE;
        bench_live(b, 30, 20);
        b->server.mood = SCRIPT_WELL;
        bench_run(b, 61 * WEIR_S);
        bench_live(b, 15, 20);
        most = b->n_spans > most ? b->n_spans : most;
    }
    assert_int_equal(most, WEIR_CURSOR_SPANS_MAX);
    b->config.backlog_rate = 0;
    bench_end(b); /* a start knows cursor and spans, and no more */
    bench_start(b);
    bench_live(b, 60, 20);
    assert_all_arrived(b, b->first, b->seq);
    assert_int_equal(b->cursor, b->seq);
    assert_true(n_repeated(b) < 100);
    bench_close(b);
}

/* faults.md 41. */
static void a_slow_sink_gets_smaller_batches_and_live_rows_wait_for_one_send_at_most(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->server.row_us = 1000;
    for (int i = 0; i < 20; i++)
        bench_commit(b, 2000);
    bench_end(b);
    bench_start(b);
    bench_run(b, WEIR_MS); /* what was there at the start is backlog */
    for (int i = 0; i < 30; i++) {
        const int64_t began = b->now.us;
        bench_commit(b, 10);
        const uint64_t seq = b->seq;
        while (b->arrived[seq] == 0 && b->now.us < began + 10 * WEIR_S)
            bench_run(b, 10 * WEIR_MS);
        assert_true(b->now.us - began < 2 * WEIR_S);
        bench_run(b, WEIR_S);
    }
    assert_in_range(b->server.largest, 300, 700);
    bench_close(b);
}

/* faults.md 43: it took them and died before it said so. */
static void what_was_taken_without_an_answer_is_sent_again(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    bench_live(b, 3, 50);
    b->server.mood = SCRIPT_MUTE;
    bench_live(b, 2, 50);
    b->server.mood = SCRIPT_TORN;
    bench_live(b, 10, 50);
    b->server.mood = SCRIPT_WELL;
    bench_live(b, 30, 50);
    assert_all_arrived(b, b->first, b->seq);
    assert_true(n_repeated(b) >= 50);
    assert_int_equal(b->cursor, b->seq);
    bench_close(b);
}

static void a_server_that_never_answers_costs_the_deadline_and_no_more(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->server.mood = SCRIPT_SILENT;
    bench_commit(b, 10);
    const int64_t began = b->now.us;
    bench_run(b, WEIR_S);
    assert_in_range(b->now.us - began, 29 * WEIR_S, 31 * WEIR_S);
    assert_string_equal(b->states, "offline(it does not answer)");
    b->server.mood = SCRIPT_WELL;
    bench_run(b, 2 * WEIR_S);
    assert_all_arrived(b, b->first, b->seq);
    bench_close(b);
}

/* faults.md 45. */
static void retry_after_is_honoured_and_a_batch_that_is_too_large_halved(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->server.mood = SCRIPT_BUSY;
    b->server.retry_after_us = 17 * WEIR_S;
    bench_commit(b, 1000);
    bench_run(b, WEIR_MS * 100);
    assert_int_equal(b->server.n_sends, 1);
    bench_run(b, 16 * WEIR_S);
    assert_int_equal(b->server.n_sends, 1);
    b->server.mood = SCRIPT_WELL;
    b->server.rows_max = 60;
    bench_run(b, 2 * WEIR_S);
    assert_all_arrived(b, b->first, b->seq);
    assert_int_equal(n_repeated(b), 0);
    assert_in_range(b->server.largest, 31, 60);
    assert_string_equal(b->states, "busy(429 Too Many Requests) online");
    bench_close(b);
}

/* --- rejected rows ------------------------------------------------------------------------ */

static bool every_397th(void *data, const weir_sink_row *row)
{
    (void)data;
    return row->seq % 397 == 0;
}

/* faults.md 42. */
static void rejected_rows_are_found_set_aside_and_the_others_arrive(void **state)
{
    (void)state;
    for (int names = 0; names <= 1; names++) {
        struct bench *b = bench_open(&script_sink);
        b->server.is_bad = every_397th;
        b->server.names_bad = names;
        bench_live(b, 10, 1000);
        bench_run(b, 60 * WEIR_S);
        for (uint64_t seq = b->first; seq <= b->seq; seq++)
            assert_int_equal(b->arrived[seq], seq % 397 != 0);
        assert_int_equal(b->n_aside, b->seq / 397);
        for (size_t i = 0; i < b->n_aside; i++)
            assert_int_equal(b->aside[i] % 397, 0);
        assert_string_equal(b->aside_why, "value out of range");
        assert_int_equal(b->cursor, b->seq);
        assert_string_equal(b->states, "online");
        bench_close(b);
    }
}

/* Of the rows of one send it names the first, wrongly: that one is well, and so are all alone. */
static void a_row_that_is_well_alone_is_not_set_aside_however_it_was_named(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->server.is_bad = every_397th;
    b->server.names_bad = true;
    b->server.names_wrong = true;
    bench_commit(b, 1000);
    bench_run(b, 60 * WEIR_S);
    assert_int_equal(b->n_aside, 2);
    assert_true(b->server.n_sends < 50); /* once it was wrong, it is found by halves */
    for (uint64_t seq = b->first; seq <= b->seq; seq++)
        assert_int_equal(b->arrived[seq], seq % 397 != 0);
    assert_int_equal(b->cursor, b->seq);
    bench_close(b);
}

static void a_row_that_is_too_large_by_itself_is_set_aside(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->server.is_bad = every_397th;
    b->server.names_bad = false;
    b->server.rows_max = 7;
    bench_commit(b, 500);
    bench_run(b, 60 * WEIR_S);
    assert_int_equal(b->n_aside, 1);
    assert_int_equal(b->cursor, b->seq);
    bench_close(b);
}

static bool most_of_them(void *data, const weir_sink_row *row)
{
    const struct bench *b = data;
    return b->server.retry_after_us == 0 && row->seq % 10 != 0;
}

static void when_most_rows_are_rejected_it_is_the_configuration(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->server.is_bad = most_of_them;
    b->server.names_bad = true;
    bench_live(b, 20, 200);
    bench_run(b, 10 * WEIR_MINUTE);
    /* One of ten is well: each time it is tried, a hundred more are set aside, at most. */
    assert_true(b->n_aside <= 501 + 101 * (1 + b->n_order));
    assert_in_range(b->n_aside, 501, 1500);
    const uint64_t aside = b->n_aside;
    assert_true(strstr(b->states, "misconfigured(most rows are rejected: value out of range)"));
    b->server.retry_after_us = 1; /* mended */
    bench_run(b, 20 * WEIR_MINUTE);
    assert_int_equal(b->n_aside, aside);
    assert_int_equal(b->cursor, b->seq);
    for (uint64_t seq = b->first; seq <= b->seq; seq++) {
        bool is_aside = false;
        for (size_t i = 0; i < b->n_aside; i++)
            is_aside |= b->aside[i] == seq;
        assert_true(is_aside || b->arrived[seq] > 0);
    }
    bench_close(b);
}

static void while_the_postbox_is_full_no_row_is_passed_over(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    b->server.is_bad = every_397th;
    b->box_is_full = true;
    bench_commit(b, 1000);
    bench_run(b, 5 * WEIR_S);
    assert_int_equal(b->n_aside, 0);
    assert_true(b->cursor < b->first);
    b->box_is_full = false;
    bench_run(b, 5 * WEIR_S);
    assert_int_equal(b->n_aside, 2);
    assert_int_equal(b->cursor, b->seq);
    bench_close(b);
}

/* --- a clock that was wrong --------------------------------------------------------------- */

static void correct(struct bench *b, uint32_t epoch)
{
    const weir_epoch_offset offset = {epoch, WEIR_DAY};
    const weir_correction c = {
        {bench_wall(b), WEIR_EVENT_CLOCK_STEP, "", "the clock was set"}, 1, &offset};
    assert_int_equal(weir_store_correct(b->store, &c, NULL), WEIR_OK);
    assert_int_equal(weir_store_commit(b->store, bench_wall(b), NULL), WEIR_OK);
    b->seq = weir_store_get_position(b->store).committed_seq;
}

static void what_may_yet_be_corrected_is_held_and_the_rest_goes_on(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    bench_live(b, 3, 20);
    const uint64_t before = b->seq;
    for (int i = 0; i < 5; i++) {
        bench_commit_of(b, 20, 1, WEIR_BATCH_CLOCK_UNTRUSTED);
        bench_run(b, WEIR_S);
    }
    const uint64_t held = b->seq;
    assert_int_equal(b->cursor, before);
    assert_int_equal(b->n_order, 60);
    correct(b, 1);
    for (int i = 0; i < 20; i++) {
        bench_commit_of(b, 20, 2, 0);
        bench_run(b, WEIR_S);
    }
    assert_all_arrived(b, b->first, held);
    assert_all_arrived(b, held + 2, b->seq); /* but for the event */
    assert_int_equal(b->cursor, b->seq);
    assert_int_equal(b->n_spans, 0);
    assert_int_equal(n_repeated(b), 0);
    bench_close(b);
}

/* --- a file that knows how far it is ------------------------------------------------------ */

static void what_a_file_has_is_not_repeated_after_a_crash(void **state)
{
    struct bench *b = bench_open(&script_sink_file);
    (void)state;
    bench_live(b, 10, 100);
    /* What was written since the cursor was last on the disk. */
    b->server.mood = SCRIPT_MUTE;
    bench_commit(b, 1000);
    b->next = weir_delivery_step(b->delivery);
    assert_true(b->server.has_seq > b->cursor);
    bench_end(b);
    b->server.mood = SCRIPT_WELL;
    bench_start(b);
    bench_live(b, 10, 100);
    assert_all_arrived(b, b->first, b->seq);
    assert_int_equal(n_repeated(b), 0);
    bench_close(b);
}

static void a_file_of_another_store_is_not_believed(void **state)
{
    struct bench *b = bench_open(&script_sink_file);
    (void)state;
    b->server.has_seq = 1000000;
    bench_live(b, 3, 100);
    assert_all_arrived(b, b->first, b->seq);
    bench_close(b);
}

/* --- ending ------------------------------------------------------------------------------- */

static void an_end_is_no_outage(void **state)
{
    struct bench *b = bench_open(&script_sink);
    (void)state;
    bench_live(b, 2, 10);
    bench_commit(b, 10);
    b->server.mood = SCRIPT_OFFLINE;
    b->ending = true;
    assert_int_equal(weir_delivery_step(b->delivery).us, INT64_MAX);
    assert_string_equal(b->states, "online");
    bench_close(b);
}

/* --- all of it ---------------------------------------------------------------------------- */

/* Moods, slow sends, limits, bad rows, restarts and merges, drawn from a seed: at the end every row
 * has arrived or is set aside, and none that does not exist. */
static void whatever_happens_every_row_arrives_or_is_set_aside(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (uint64_t)testing_scaled(5, 12); seed++) {
        const bool is_file = seed % 4 == 0;
        struct bench *b = bench_open(is_file ? &script_sink_file : &script_sink);
        weir_random r = {seed};
        b->server.is_bad = every_397th;
        for (int round = 0; round < 60; round++) {
            b->server.mood =
                weir_random_below(&r, 2) ? SCRIPT_WELL : (script_mood)weir_random_below(&r, 9);
            if (is_file && (b->server.mood == SCRIPT_MUTE || b->server.mood == SCRIPT_TORN))
                b->server.mood = SCRIPT_OFFLINE; /* a file knows what it has only at a start */
            b->server.names_bad = weir_random_below(&r, 2);
            b->server.row_us = (int64_t)weir_random_below(&r, 2000);
            b->server.rows_max = weir_random_below(&r, 4) ? 0 : 1 + weir_random_below(&r, 300);
            b->box_is_full = weir_random_below(&r, 10) == 0;
            bench_live(b, 1 + (unsigned)weir_random_below(&r, 20),
                       (uint32_t)weir_random_below(&r, 60) + 1);
            bool more;
            assert_int_equal(weir_store_maintain(b->store, bench_wall(b), &more, NULL), WEIR_OK);
            if (weir_random_below(&r, 6) == 0) {
                bench_end(b);
                bench_start(b);
            }
        }
        b->server.mood = SCRIPT_WELL;
        b->server.rows_max = 0;
        b->server.row_us = 10;
        b->box_is_full = false;
        bench_run(b, WEIR_HOUR);
        for (uint64_t seq = b->first; seq <= b->seq; seq++) {
            if (seq % 397 != 0 && b->arrived[seq] == 0)
                fail_msg("seed %llu: seq %llu is lost", (unsigned long long)seed,
                         (unsigned long long)seq);
            if (seq % 397 == 0 && b->arrived[seq] > 0)
                fail_msg("seed %llu: a bad row arrived", (unsigned long long)seed);
        }
        if (is_file)
            assert_int_equal(n_repeated(b), 0);
        assert_int_equal(b->cursor, b->seq);
        assert_int_equal(b->n_spans, 0);
        bench_close(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_arrives_once_and_in_order),
        cmocka_unit_test(a_filter_passes_over_the_others_without_a_send),
        cmocka_unit_test(a_filter_that_leaves_everything_out_keeps_the_cursor_moving),
        cmocka_unit_test(after_an_outage_live_rows_go_first_and_the_backlog_at_its_rate),
        cmocka_unit_test(a_file_gets_what_is_older_first),
        cmocka_unit_test(what_waits_is_known_before_the_first_send),
        cmocka_unit_test(how_long_a_backlog_takes_is_told_by_its_own_rows),
        cmocka_unit_test(with_all_spans_in_use_nothing_is_lost),
        cmocka_unit_test(a_slow_sink_gets_smaller_batches_and_live_rows_wait_for_one_send_at_most),
        cmocka_unit_test(what_was_taken_without_an_answer_is_sent_again),
        cmocka_unit_test(a_server_that_never_answers_costs_the_deadline_and_no_more),
        cmocka_unit_test(retry_after_is_honoured_and_a_batch_that_is_too_large_halved),
        cmocka_unit_test(rejected_rows_are_found_set_aside_and_the_others_arrive),
        cmocka_unit_test(a_row_that_is_well_alone_is_not_set_aside_however_it_was_named),
        cmocka_unit_test(a_row_that_is_too_large_by_itself_is_set_aside),
        cmocka_unit_test(when_most_rows_are_rejected_it_is_the_configuration),
        cmocka_unit_test(while_the_postbox_is_full_no_row_is_passed_over),
        cmocka_unit_test(what_may_yet_be_corrected_is_held_and_the_rest_goes_on),
        cmocka_unit_test(what_a_file_has_is_not_repeated_after_a_crash),
        cmocka_unit_test(a_file_of_another_store_is_not_believed),
        cmocka_unit_test(an_end_is_no_outage),
        cmocka_unit_test(whatever_happens_every_row_arrives_or_is_set_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

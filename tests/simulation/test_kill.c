/* SPDX-License-Identifier: MIT */
/* A process that is killed at any step and started again: what was committed is there once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/alloc.h"
#include "catalog/yaml.h"
#include "runtime/loop.h"
#include "runtime/worker.h"
#include "simulation/network.h"
#include "sources/modbus/modbus.h"
#include "store/query.h"
#include "store/store.h"

enum { DEVICES = 3, POINTS = 2, TAGS = DEVICES * POINTS, SAMPLES_MAX = 200000 };

/* 2026-11-21T00:00:00Z, and half a second, so that the first slot is not at once. */
static const int64_t start_wall_us = 1795219200LL * WEIR_S + WEIR_S / 2;
static const int64_t max_loss_us = 2 * WEIR_S;

/* A sample as it left the engine. */
struct produced {
    weir_tag_uid tag;
    uint32_t epoch;
    int64_t ts;
    bool good;
};

struct plant {
    weir_mono now;
    int64_t wall_offset;
    weir_random random;
    char folder[64];
    sim_network network;
    weir_platform platform;
    weir_catalog *catalog;
    /* of one life */
    weir_store *store;
    weir_inbox inbox;
    weir_worker *worker;
    weir_loop *loop;
    weir_mono worker_next;
    size_t life_began; /* in produced */
    /* of all lives */
    struct produced *produced;
    size_t n_produced;
    uint64_t committed_seq; /* as last reported */
    size_t n_committed;     /* samples reported as committed: of every life the first ones */
    struct produced *kept;  /* those that must be there */
    uint32_t least_epoch;   /* of this life's samples */
};

static weir_mono plant_now(void *data)
{
    return ((struct plant *)data)->now;
}

static weir_wall plant_wall(void *data)
{
    const struct plant *p = data;
    return (weir_wall){p->now.us + p->wall_offset};
}

static int slave_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    (void)data, (void)unit, (void)table, (void)address;
    memset(ret, 0, n * sizeof *ret);
    return 0;
}

static const weir_slave_host slave_host = {NULL, slave_read};

static void on_batch(void *data, const weir_batch *batch)
{
    struct plant *p = data;
    for (size_t i = 0; i < batch->n_samples; i++) {
        assert_true(p->n_produced < SAMPLES_MAX);
        p->produced[p->n_produced++] =
            (struct produced){batch->samples[i].tag, batch->epoch, batch->samples[i].ts.us,
                              batch->samples[i].quality == 0};
    }
    assert_true(batch->epoch >= p->least_epoch);
}

static void plant_make(struct plant *p, uint64_t seed)
{
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    *p = (struct plant){.now = {1000 * WEIR_S}, .random = {seed}};
    p->wall_offset = start_wall_us - p->now.us;
    p->produced = weir_alloc_zero(SAMPLES_MAX, sizeof *p->produced);
    p->kept = weir_alloc_zero(SAMPLES_MAX, sizeof *p->kept);
    assert_true(p->produced && p->kept);
    (void)snprintf(p->folder, sizeof p->folder, "%s/weir-kill-XXXXXX", base);
    assert_non_null(mkdtemp(p->folder));
    weir_text_format(
        &yaml,
        "connections: [{name: bus, uri: \"tcp://10.0.0.1\", timeout: 300ms}]\n"
        "devices:\n  - {name: \"m{unit_id}\", unit_id: 1-%d, connection: bus, interval: "
        "1s, points: [{name: a, register: holding, address: 0, type: uint16},"
        " {name: b, register: input, address: 9, type: uint16}]}\n",
        DEVICES);
    assert_int_equal(
        weir_yaml_load_text(yaml.text, yaml.length, "t.yaml", NULL, &p->catalog, &problems),
        WEIR_OK);
    weir_problems_deinit(&problems);
}

static void plant_start(struct plant *p)
{
    static const weir_source_type *const sources[] = {&weir_source_modbus, NULL};
    weir_error error = WEIR_ERROR_INIT;
    sim_network_init(&p->network, weir_random_u64(&p->random), &slave_host);
    p->network.now = p->now;
    p->network.faults = (sim_network_faults){.lose_reply = 0.02, .refuse_connect = 0.1};
    p->platform = (weir_platform){.data = p,
                                  .now = plant_now,
                                  .wall = plant_wall,
                                  .seed = weir_random_u64(&p->random),
                                  .transport = &p->network.host,
                                  .built = {start_wall_us - WEIR_DAY}};
    const weir_store_options options = {p->folder, NULL, plant_wall(p)};
    if (weir_store_open(&options, &p->store, &error) ||
        weir_store_register(p->store, p->catalog, plant_wall(p), &error))
        fail_msg("%s", error.text);
    const weir_store_position position = weir_store_get_position(p->store);
    assert_int_equal(position.committed_seq, p->committed_seq); /* neither less nor more */
    assert_int_equal(weir_inbox_init(&p->inbox, 1 << 24, NULL, NULL), WEIR_OK);
    assert_int_equal(
        weir_worker_new(p->store, &p->inbox, &p->platform, max_loss_us, &p->worker, &error),
        WEIR_OK);
    const weir_loop_config config = {
        .catalog = p->catalog,
        .platform = &p->platform,
        .sources = sources,
        .inbox = &p->inbox,
        .first_epoch = position.max_epoch,
        .newest_committed = position.committed_ts,
        .on_batch = on_batch,
        .data = p,
    };
    assert_int_equal(weir_loop_new(&config, &p->loop, &error), WEIR_OK);
    const bool is_before = plant_wall(p).us < position.committed_ts.us;
    p->least_epoch = position.max_epoch + is_before;
    p->worker_next = p->now;
    p->life_began = p->n_produced;
}

/* What a commit took is what had been produced by then. */
static void plant_note_commit(struct plant *p, size_t n_before)
{
    const uint64_t seq = weir_worker_get_view(p->worker).position.committed_seq;
    if (seq == p->committed_seq)
        return;
    for (size_t i = p->life_began; i < n_before; i++)
        p->kept[p->n_committed++] = p->produced[i];
    p->life_began = n_before;
    p->committed_seq = seq;
}

static void plant_step(struct plant *p)
{
    const weir_mono next = weir_mono_min(
        p->worker_next, weir_mono_min(weir_loop_next(p->loop), sim_network_next(&p->network)));
    if (next.us > p->now.us)
        p->now = next;
    p->network.now = p->now;
    sim_network_step(&p->network);
    (void)weir_loop_step(p->loop);
    if (!weir_mono_reached(p->now, p->worker_next))
        return;
    p->worker_next = weir_worker_step(p->worker);
    plant_note_commit(p, p->n_produced);
}

/* As SIGKILL does: nothing is told to anybody, nothing waiting is committed. */
static void plant_kill(struct plant *p)
{
    weir_loop_free(p->loop);
    weir_worker_free(p->worker);
    weir_store_close(p->store); /* "commits nothing" */
    weir_inbox_deinit(&p->inbox);
    sim_network_deinit(&p->network);
}

static void plant_remove(struct plant *p)
{
    static const char *const files[] = {"data.db", "data.db-wal", "data.db-shm", "weir.lock"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", p->folder, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(p->folder), 0);
    weir_catalog_free(p->catalog);
    weir_free(p->produced);
    weir_free(p->kept);
}

static int compare_produced(const void *a, const void *b)
{
    const struct produced *x = a, *y = b;
    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    return (x->ts > y->ts) - (x->ts < y->ts);
}

/* The store shows exactly what was reported as committed, each once, under a gapless sequence. */
static void plant_check(struct plant *p)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    sqlite3_stmt *s = NULL;
    qsort(p->kept, p->n_committed, sizeof *p->kept, compare_produced);
    for (size_t i = 1; i < p->n_committed; i++) /* no identity twice */
        assert_true(compare_produced(&p->kept[i - 1], &p->kept[i]) < 0);
    if (weir_query_open(p->folder, NULL, &query, &error))
        fail_msg("%s", error.text);
    sqlite3 *db = weir_query_db(query);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "select t.id, s.epoch, s.ts, s.quality = 'good' from "
                                        "samples s join tags t on t.tag = s.tag "
                                        "order by t.id, s.epoch, s.ts",
                                        -1, &s, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < p->n_committed; i++) {
        assert_int_equal(sqlite3_step(s), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int64(s, 0), p->kept[i].tag);
        assert_int_equal(sqlite3_column_int64(s, 1), p->kept[i].epoch);
        assert_int_equal(sqlite3_column_int64(s, 2), p->kept[i].ts);
        assert_int_equal(sqlite3_column_int(s, 3), p->kept[i].good);
    }
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    (void)sqlite3_finalize(s);
    weir_query_close(query);
}

/* Of the file itself: every number from 1 to the last one is a sample's or an event's. */
static void plant_check_sequence(const struct plant *p)
{
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    uint64_t next = 1;
    (void)snprintf(path, sizeof path, "%s/data.db", p->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "select first_seq, count from log union all "
                                        "select seq, 1 from event order by 1",
                                        -1, &s, NULL),
                     SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        assert_int_equal(sqlite3_column_int64(s, 0), next);
        next += (uint64_t)sqlite3_column_int64(s, 1);
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    assert_int_equal(next, p->committed_seq + 1);
}

/* What happens to the machine between two lives. */
enum between { NOTHING, A_WHILE, CLOCK_BACK };

static void lives(uint64_t seed, enum between between)
{
    struct plant p;
    plant_make(&p, seed);
    for (int life = 0; life < 12; life++) {
        plant_start(&p);
        for (uint64_t n = weir_random_below(&p.random, 400); n > 0; n--)
            plant_step(&p);
        plant_kill(&p);
        plant_check_sequence(&p);
        if (between == A_WHILE)
            p.now.us += (int64_t)weir_random_below(&p.random, WEIR_HOUR);
        if (between == CLOCK_BACK) /* further than a life lasts */
            p.wall_offset -= 20 * WEIR_MINUTE;
    }
    plant_check(&p);
    assert_true(p.n_committed > 0);
    assert_int_equal(p.least_epoch > 0, between == CLOCK_BACK);
    plant_remove(&p);
}

static void killed_at_any_step_what_was_committed_is_there_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        lives(seed, seed % 2 ? NOTHING : A_WHILE);
}

static void a_clock_set_back_between_two_lives_begins_an_epoch_and_overwrites_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 21; seed <= 26; seed++)
        lives(seed, CLOCK_BACK);
}

static void a_clock_set_back_in_a_life_that_is_killed_begins_an_epoch_in_the_next(void **state)
{
    (void)state;
    for (uint64_t seed = 31; seed <= 40; seed++) {
        struct plant p;
        plant_make(&p, seed);
        for (int life = 0; life < 8; life++) {
            plant_start(&p);
            for (uint64_t n = weir_random_below(&p.random, 300); n > 0; n--)
                plant_step(&p);
            p.wall_offset -= (int64_t)weir_random_below(&p.random, WEIR_MINUTE);
            for (uint64_t n = weir_random_below(&p.random, 300); n > 0; n--)
                plant_step(&p);
            plant_kill(&p);
            plant_check_sequence(&p);
        }
        plant_check(&p);
        plant_remove(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_step_what_was_committed_is_there_once),
        cmocka_unit_test(a_clock_set_back_between_two_lives_begins_an_epoch_and_overwrites_nothing),
        cmocka_unit_test(a_clock_set_back_in_a_life_that_is_killed_begins_an_epoch_in_the_next),
    };
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The whole collector in one thread from one seed: loop, store worker, network and clocks are
 * steps of this program; only the file system is real. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "catalog/yaml.h"
#include "runtime/loop.h"
#include "runtime/worker.h"
#include "simulation/network.h"
#include "sources/modbus/modbus.h"
#include "store/query/query.h"
#include "store/store.h"

enum { DEVICES = 10, POINTS = 4 };

/* 2026-11-21T00:00:00Z, and half a second, so that the first slot is not at once. */
static const int64_t start_wall_us = 1795219200LL * WEIR_S + WEIR_S / 2;

struct sim {
    weir_mono now;
    int64_t wall_offset;
    sim_network network;
    weir_platform platform;
    weir_catalog *catalog;
    weir_store *store;
    weir_inbox inbox;
    weir_worker *worker;
    weir_loop *loop;
    weir_mono worker_next;
    char folder[64];
    const char *keys; /* of every point */
    bool drifts;      /* every register grows by 1 each minute */
    weir_slave_host slave;
    uint64_t digest; /* of every sample, in order */
    uint64_t n_samples, n_good, n_wrong;
};

static weir_mono sim_now(void *data)
{
    return ((struct sim *)data)->now;
}

static weir_wall sim_wall(void *data)
{
    const struct sim *s = data;
    return (weir_wall){s->now.us + s->wall_offset};
}

/* A register holds its unit and address: a value that was read for another is seen at once. */
static uint16_t register_at(const struct sim *s, uint8_t unit, uint32_t address, int64_t wall_us)
{
    const int64_t minutes = (wall_us - start_wall_us + WEIR_S / 2) / WEIR_MINUTE;
    return (uint16_t)(unit << 8 | (uint8_t)(address + (s->drifts ? (uint32_t)minutes : 0)));
}

static int slave_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    (void)table;
    for (uint16_t i = 0; i < n; i++)
        ret[i] = register_at(data, unit, address + i, sim_wall(data).us);
    return 0;
}

static void on_batch(void *data, const weir_batch *batch)
{
    struct sim *s = data;
    for (size_t i = 0; i < batch->n_samples; i++) {
        const weir_sample *sample = &batch->samples[i];
        const weir_device *device = &s->catalog->devices[batch->device];
        s->digest = (s->digest ^ sample->tag ^ (uint64_t)sample->ts.us ^ sample->quality ^
                     sample->value.as.bits) *
                    0x100000001b3u;
        s->n_samples++;
        if (weir_quality_class(sample->quality) == WEIR_BAD) {
            s->n_wrong += sample->value.kind != WEIR_KIND_NULL;
            continue;
        }
        s->n_good += sample->quality == 0;
        const uint32_t point = (sample->tag - 1) % POINTS;
        s->n_wrong +=
            sample->value.as.u != register_at(s, device->unit_id, point * 10, sample->ts.us);
    }
}

static void sim_make_catalog(struct sim *s)
{
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_text_format(&yaml,
                     "data_dir: %s\nconnections: [{name: bus, uri: \"tcp://10.0.0.1\", timeout: "
                     "300ms}]\ndevices:\n"
                     "  - name: \"m{unit_id:02}\"\n    unit_id: 1-%d\n    connection: bus\n"
                     "    interval: 10s\n    points:\n",
                     s->folder, DEVICES);
    for (int p = 0; p < POINTS; p++)
        weir_text_format(&yaml,
                         "      - {name: p%d, register: holding, address: %d, type: uint16%s}\n", p,
                         p * 10, s->keys);
    assert_int_equal(
        weir_yaml_load_text(yaml.text, yaml.length, "sim.yaml", NULL, &s->catalog, &problems),
        WEIR_OK);
    weir_problems_deinit(&problems);
}

static void sim_open_with(struct sim *s, uint64_t seed, sim_network_faults faults, const char *keys,
                          bool drifts)
{
    static const weir_source_type *const sources[] = {&weir_source_modbus, NULL};
    weir_error error = WEIR_ERROR_INIT;
    *s = (struct sim){.now = {1000 * WEIR_S}, .keys = keys, .drifts = drifts};
    s->slave = (weir_slave_host){s, slave_read};
    s->wall_offset = start_wall_us - s->now.us;
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/weir-sim-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    sim_network_init(&s->network, seed, &s->slave);
    s->network.now = s->now;
    s->network.faults = faults;
    s->platform = (weir_platform){.data = s,
                                  .now = sim_now,
                                  .wall = sim_wall,
                                  .seed = seed,
                                  .transport = &s->network.host,
                                  .built = {start_wall_us - WEIR_DAY}};
    sim_make_catalog(s);
    const weir_store_options options = {.data_dir = s->folder, .now = sim_wall(s)};
    assert_int_equal(weir_store_open(&options, &s->store, &error), WEIR_OK);
    assert_int_equal(weir_store_register(s->store, s->catalog, sim_wall(s), &error), WEIR_OK);
    assert_int_equal(weir_inbox_init(&s->inbox, 1 << 24, NULL, NULL), WEIR_OK);
    assert_int_equal(
        weir_worker_new(s->store, &s->inbox, &s->platform, 60 * WEIR_S, &s->worker, &error),
        WEIR_OK);
    const weir_loop_config config = {
        .catalog = s->catalog,
        .platform = &s->platform,
        .sources = sources,
        .inbox = &s->inbox,
        .on_batch = on_batch,
        .data = s,
    };
    assert_int_equal(weir_loop_new(&config, &s->loop, &error), WEIR_OK);
    s->worker_next = s->now;
}

static void sim_run(struct sim *s, int64_t us)
{
    const weir_mono end = weir_mono_add(s->now, us);
    while (s->now.us < end.us) {
        weir_mono next = weir_mono_min(weir_loop_next(s->loop), sim_network_next(&s->network));
        next = weir_mono_min(weir_mono_min(next, s->worker_next), end);
        if (next.us > s->now.us)
            s->now = next;
        s->network.now = s->now;
        sim_network_step(&s->network);
        (void)weir_loop_step(s->loop);
        if (weir_mono_reached(s->now, s->worker_next))
            s->worker_next = weir_worker_step(s->worker);
    }
}

static void sim_close(struct sim *s)
{
    weir_loop_free(s->loop);
    assert_true(weir_worker_flush(s->worker));
    weir_worker_free(s->worker);
    weir_store_close(s->store);
    weir_inbox_deinit(&s->inbox);
    sim_network_deinit(&s->network);
    weir_catalog_free(s->catalog);
}

static void sim_remove(struct sim *s)
{
    static const char *const files[] = {"data.db", "data.db-wal", "data.db-shm", "weir.lock"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", s->folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(s->folder);
}

static int64_t sim_sql(const struct sim *s, const char *sql)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(weir_query_open(s->folder, NULL, &query, &error), WEIR_OK);
    assert_int_equal(sqlite3_prepare_v2(weir_query_db(query), sql, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    weir_query_close(query);
    return n;
}

/* The current value of every tag is that of the slot; nothing was overrun. */
static uint64_t sim_check_live(struct sim *s, int64_t slot_us)
{
    weir_snapshot *snapshot = weir_loop_snapshot(s->loop);
    assert_non_null(snapshot);
    for (uint32_t i = 0; i < snapshot->n_tags; i++) {
        const weir_sample *sample = &snapshot->current[i].sample;
        assert_int_equal(sample->ts.us, slot_us);
        assert_int_equal(sample->quality, 0);
        assert_int_equal(sample->value.as.u,
                         register_at(s, (uint8_t)(i / POINTS + 1), i % POINTS * 10, slot_us));
    }
    assert_int_equal(snapshot->overruns, 0);
    const uint64_t filtered = snapshot->filtered;
    weir_snapshot_unref(snapshot);
    return filtered;
}

static void a_deadband_stores_less_and_shows_all(void **state)
{
    static const struct {
        const char *keys;
        bool drifts;
        uint64_t stored; /* of each tag, in two hours: 720 slots, the first 10 s after midnight */
    } cases[] = {
        {", deadband: 0", true, 121}, /* minutes 0 to 120 */
        {", deadband: 2", true, 41},  /* each third of them */
        {", deadband: 0", false, 2},  /* the first, and one an hour later */
        {", deadband: 0, max_unchanged_interval: none", false, 1},
        {", deadband: 0, max_unchanged_interval: 10m", false, 12},
        {", deadband: \"1%\", min: 0, max: 4000", true, 3}, /* 40: at 0, 41, 82 */
        {", deadband: none", false, 720},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim s;
        sim_open_with(&s, 1, (sim_network_faults){0}, cases[i].keys, cases[i].drifts);
        sim_run(&s, 2 * WEIR_HOUR);
        assert_int_equal(s.n_samples, 720 * DEVICES * POINTS); /* who looks sees every value */
        assert_int_equal(s.n_wrong, 0);
        const uint64_t stored = cases[i].stored * DEVICES * POINTS;
        const int64_t last_slot_us = start_wall_us - WEIR_S / 2 + 2 * WEIR_HOUR;
        assert_int_equal(sim_check_live(&s, last_slot_us), s.n_samples - stored);
        sim_close(&s);
        assert_int_equal(sim_sql(&s, "select count(*) from samples"), stored);
        assert_int_equal(sim_sql(&s, "select count(*) from events"), 0);
        sim_remove(&s);
    }
}

static void a_deadband_keeps_every_bad_sample(void **state)
{
    const sim_network_faults faults = {.lose_reply = 0.05,
                                       .late_reply = 0.05,
                                       .refuse_connect = 0.3,
                                       .drop_link = 0.002,
                                       .late_us = 500 * WEIR_MS};
    struct sim s;
    (void)state;
    sim_open_with(&s, 7, faults, ", deadband: 0", false);
    sim_run(&s, 2 * WEIR_HOUR);
    sim_close(&s);
    assert_int_equal(s.n_samples, 720 * DEVICES * POINTS);
    assert_int_equal(sim_sql(&s, "select count(*) from samples where quality <> 'good'"),
                     s.n_samples - s.n_good);
    const int64_t good = sim_sql(&s, "select count(*) from samples where quality = 'good'");
    assert_true(good > DEVICES * POINTS && good < (int64_t)s.n_good / 2);
    sim_remove(&s);
}

static void a_change_that_a_full_inbox_refused_is_stored_when_there_is_room(void **state)
{
    struct sim s;
    (void)state;
    sim_open_with(&s, 1, (sim_network_faults){0}, ", deadband: 0", true);
    sim_run(&s, 10 * WEIR_MINUTE + 25 * WEIR_S);
    const size_t limit = s.inbox.limit;
    s.inbox.limit = 0; /* full from 10:25 to 11:25: the change at 11:00 is refused, three times */
    sim_run(&s, WEIR_MINUTE);
    s.inbox.limit = limit;
    assert_int_equal(weir_inbox_refused(&s.inbox), 3 * DEVICES * POINTS);
    sim_run(&s, 4 * WEIR_MINUTE);
    sim_close(&s);
    /* Minutes 0 to 15, each once; that of minute 11 at its fourth slot. */
    assert_int_equal(sim_sql(&s, "select count(*) from samples"), 16 * DEVICES * POINTS);
    char sql[128];
    (void)snprintf(sql, sizeof sql, "select count(*) from samples where ts = %lld",
                   (long long)(start_wall_us - WEIR_S / 2 + 11 * WEIR_MINUTE + 30 * WEIR_S));
    assert_int_equal(sim_sql(&s, sql), DEVICES * POINTS);
    sim_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadband_stores_less_and_shows_all),
        cmocka_unit_test(a_deadband_keeps_every_bad_sample),
        cmocka_unit_test(a_change_that_a_full_inbox_refused_is_stored_when_there_is_room),
    };
    return cmocka_run_group_tests_name("collector", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A deadband in the whole collector: what it stores less of, and what it must not leave out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "simulation/world.h"

enum { DEVICES = 10, POINTS = 4 };

struct plant {
    sim_world world;
    int64_t midnight; /* half a second before the start */
    bool drifts;      /* every register grows by 1 each minute */
    uint64_t n_samples, n_good, n_wrong;
};

/* A register holds its unit and address: a value that was read for another is seen at once. */
static uint16_t register_at(const struct plant *p, uint8_t unit, uint32_t address, int64_t wall_us)
{
    const int64_t minutes = (wall_us - p->midnight) / WEIR_MINUTE;
    return (uint16_t)(unit << 8 | (uint8_t)(address + (p->drifts ? (uint32_t)minutes : 0)));
}

static int slave_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    const struct plant *p = data;
    (void)table;
    for (uint16_t i = 0; i < n; i++)
        ret[i] = register_at(p, unit, address + i, sim_world_wall(&p->world).us);
    return 0;
}

static void on_batch(void *data, const weir_batch *batch)
{
    struct plant *p = data;
    for (size_t i = 0; i < batch->n_samples; i++) {
        const weir_sample *sample = &batch->samples[i];
        const weir_device *device = &p->world.catalog->devices[batch->device];
        p->n_samples++;
        if (weir_quality_class(sample->quality) == WEIR_BAD) {
            p->n_wrong += sample->value.kind != WEIR_KIND_NULL;
            continue;
        }
        p->n_good += sample->quality == 0;
        const uint32_t point = (sample->tag - 1) % POINTS;
        p->n_wrong +=
            sample->value.as.u != register_at(p, device->unit_id, point * 10, sample->ts.us);
    }
}

/* keys: of every point. */
static void plant_open(struct plant *p, uint64_t seed, sim_network_faults faults, const char *keys,
                       bool drifts)
{
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    *p = (struct plant){.drifts = drifts};
    weir_text_format(&yaml,
                     "connections: [{name: bus, uri: \"tcp://10.0.0.1\", timeout: 300ms}]\n"
                     "devices:\n"
                     "  - name: \"m{unit_id:02}\"\n    unit_id: 1-%d\n    connection: bus\n"
                     "    interval: 10s\n    points:\n",
                     DEVICES);
    for (int i = 0; i < POINTS; i++)
        weir_text_format(&yaml,
                         "      - {name: p%d, register: holding, address: %d, type: uint16%s}\n", i,
                         i * 10, keys);
    sim_world_open(&p->world, &(sim_world_config){.seed = seed,
                                                  .max_loss_us = 60 * WEIR_S,
                                                  .faults = faults,
                                                  .plant = {.yaml = weir_text_get(&yaml),
                                                            .slaves = {p, slave_read},
                                                            .on_batch = on_batch,
                                                            .data = p}});
    p->midnight = sim_world_wall(&p->world).us - WEIR_S / 2;
    if (!sim_world_start(&p->world, &error))
        fail_msg("%s", error.text);
}

static void plant_stop(struct plant *p)
{
    assert_true(sim_world_stop(&p->world));
    if (p->world.violations > 0)
        fail_msg("%s", p->world.problem);
}

/* The current value of every tag is that of the slot; nothing was overrun. */
static uint64_t plant_check_live(struct plant *p, int64_t slot_us)
{
    weir_snapshot *snapshot = weir_loop_snapshot(p->world.loop);
    assert_non_null(snapshot);
    for (uint32_t i = 0; i < snapshot->n_tags; i++) {
        const weir_sample *sample = &snapshot->current[i].sample;
        assert_int_equal(sample->ts.us, slot_us);
        assert_int_equal(sample->quality, 0);
        assert_int_equal(sample->value.as.u,
                         register_at(p, (uint8_t)(i / POINTS + 1), i % POINTS * 10, slot_us));
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
        struct plant p;
        plant_open(&p, 1, (sim_network_faults){0}, cases[i].keys, cases[i].drifts);
        sim_world_run(&p.world, 2 * WEIR_HOUR);
        assert_int_equal(p.n_samples, 720 * DEVICES * POINTS); /* who looks sees every value */
        assert_int_equal(p.n_wrong, 0);
        const uint64_t stored = cases[i].stored * DEVICES * POINTS;
        const int64_t last_slot_us = p.midnight + 2 * WEIR_HOUR;
        assert_int_equal(plant_check_live(&p, last_slot_us), p.n_samples - stored);
        plant_stop(&p);
        assert_int_equal(sim_world_sql(&p.world, "select count(*) from samples"), stored);
        assert_int_equal(sim_world_sql(&p.world, "select count(*) from events"), 0);
        sim_world_close(&p.world);
    }
}

static void a_deadband_keeps_every_bad_sample(void **state)
{
    const sim_network_faults faults = {.lose_reply = 0.05,
                                       .late_reply = 0.05,
                                       .refuse_connect = 0.3,
                                       .drop_link = 0.002,
                                       .late_us = 500 * WEIR_MS};
    struct plant p;
    (void)state;
    plant_open(&p, 7, faults, ", deadband: 0", false);
    sim_world_run(&p.world, 2 * WEIR_HOUR);
    plant_stop(&p);
    assert_int_equal(p.n_samples, 720 * DEVICES * POINTS);
    assert_int_equal(
        sim_world_sql(&p.world, "select count(*) from samples where quality <> 'good'"),
        p.n_samples - p.n_good);
    const int64_t good =
        sim_world_sql(&p.world, "select count(*) from samples where quality = 'good'");
    assert_true(good > DEVICES * POINTS && good < (int64_t)p.n_good / 2);
    sim_world_close(&p.world);
}

static void a_change_that_a_full_inbox_refused_is_stored_when_there_is_room(void **state)
{
    struct plant p;
    (void)state;
    plant_open(&p, 1, (sim_network_faults){0}, ", deadband: 0", true);
    sim_world_run(&p.world, 10 * WEIR_MINUTE + 25 * WEIR_S);
    const size_t limit = p.world.inbox.limit;
    p.world.inbox.limit =
        0; /* full from 10:25 to 11:25: the change at 11:00 is refused, three times */
    sim_world_run(&p.world, WEIR_MINUTE);
    p.world.inbox.limit = limit;
    assert_int_equal(weir_inbox_refused(&p.world.inbox), 3 * DEVICES * POINTS);
    sim_world_run(&p.world, 4 * WEIR_MINUTE);
    plant_stop(&p);
    /* Minutes 0 to 15, each once; that of minute 11 at its fourth slot. */
    assert_int_equal(sim_world_sql(&p.world, "select count(*) from samples"),
                     16 * DEVICES * POINTS);
    char sql[128];
    (void)snprintf(sql, sizeof sql, "select count(*) from samples where ts = %lld",
                   (long long)(p.midnight + 11 * WEIR_MINUTE + 30 * WEIR_S));
    assert_int_equal(sim_world_sql(&p.world, sql), DEVICES * POINTS);
    sim_world_close(&p.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadband_stores_less_and_shows_all),
        cmocka_unit_test(a_deadband_keeps_every_bad_sample),
        cmocka_unit_test(a_change_that_a_full_inbox_refused_is_stored_when_there_is_room),
    };
    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}

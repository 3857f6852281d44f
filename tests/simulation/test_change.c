/* SPDX-License-Identifier: MIT */
/* Another catalog while the whole collector runs: what is not concerned does not notice. */

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "simulation/world.h"

enum { DEVICES_MAX = 16, CONNECTIONS = 3, UIDS_MAX = 20000, POINTS_MAX = 6 };

/* One that is there, as it is configured. */
struct device {
    bool exists, enabled;
    char name[16], was[16];
    unsigned unit, connection, points, interval_ms, description;
};

/* How a connection is talked over. */
struct timing {
    unsigned timeout_ms, in_flight, pause_ms;
};

struct plant {
    sim_world world;
    struct device devices[DEVICES_MAX];
    struct timing timing[CONNECTIONS];
    unsigned n_names; /* given so far */
    weir_text yaml;
    /* Of each uid: what came last, and what is expected next. */
    struct {
        int64_t last, interval_us;
    } tags[UIDS_MAX];
    uint64_t n_samples, n_bad, n_wrong, n_missed, n_repeated;
};

static weir_random randomness;

static unsigned below(unsigned n)
{
    return (unsigned)weir_random_below(&randomness, n);
}

static int slave_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    (void)data;
    (void)table;
    for (uint16_t i = 0; i < n; i++)
        ret[i] = (uint16_t)(unit << 8 | (address + i));
    return 0;
}

/* A tag's samples come one interval after the other. One may come twice: what was under way when
 * its device changed is read again. */
static void judge_slot(struct plant *p, weir_tag_uid uid, int64_t ts, int64_t interval_us)
{
    const int64_t last = p->tags[uid].last;
    const bool settled = last != 0 && p->tags[uid].interval_us == interval_us;
    p->n_repeated += settled && ts == last;
    p->n_missed += settled && ts != last && ts != last + interval_us;
    p->tags[uid].last = ts;
    p->tags[uid].interval_us = interval_us;
}

static void on_batch(void *data, const weir_batch *batch)
{
    struct plant *p = data;
    const weir_catalog *catalog = p->world.catalog;
    const weir_device *device = &catalog->devices[batch->device];
    p->n_wrong +=
        batch->catalog_revision != catalog->revision || batch->connection != device->connection;
    for (size_t i = 0; i < batch->n_samples; i++) {
        const weir_sample *s = &batch->samples[i];
        uint32_t t = device->first_tag;
        while (catalog->tags[t].uid != s->tag && t < device->first_tag + device->n_tags)
            t++;
        p->n_samples++;
        p->n_bad += weir_quality_class(s->quality) == WEIR_BAD;
        if (t == device->first_tag + device->n_tags) {
            p->n_wrong++; /* of another device */
            continue;
        }
        p->n_wrong += !s->quality &&
                      s->value.as.u !=
                          (device->unit_id * 256u + device->points[catalog->tags[t].point].address);
        if (!(batch->flags & WEIR_BATCH_FIRST_READ))
            judge_slot(p, s->tag, s->ts.us, device->intervals[0]);
    }
}

static const char *plant_yaml(struct plant *p)
{
    weir_text_clear(&p->yaml);
    weir_text_add(&p->yaml, "connections:\n");
    for (int i = 0; i < CONNECTIONS; i++)
        weir_text_format(&p->yaml,
                         "  - {name: c%d, uri: \"tcp://10.0.0.%d\", timeout: %ums, max_in_flight: "
                         "%u, pause_between_requests: %ums}\n",
                         i, i, p->timing[i].timeout_ms, p->timing[i].in_flight,
                         p->timing[i].pause_ms);
    weir_text_add(&p->yaml, "devices:\n");
    for (size_t i = 0; i < DEVICES_MAX; i++) {
        const struct device *d = &p->devices[i];
        if (!d->exists)
            continue;
        weir_text_format(
            &p->yaml,
            "  - {name: %s, was: \"%s\", connection: c%u, unit_id: %u, interval: %ums, "
            "enabled: %s, description: \"%u\", points: [",
            d->name, d->was, d->connection, d->unit, d->interval_ms, d->enabled ? "true" : "false",
            d->description);
        for (unsigned k = 0; k < d->points; k++)
            weir_text_format(
                &p->yaml, "{name: p%u, register: holding, address: %u, type: uint16}, ", k, k * 30);
        weir_text_add(&p->yaml, "]}\n");
    }
    return weir_text_get(&p->yaml);
}

static void device_init(struct plant *p, size_t i)
{
    static const unsigned intervals[] = {200, 200, 1000, 20000};
    struct device *d = &p->devices[i];
    *d = (struct device){.exists = true,
                         .enabled = true,
                         .unit = (unsigned)i + 1,
                         .connection = (unsigned)i % CONNECTIONS,
                         .points = 1 + below(POINTS_MAX),
                         .interval_ms = intervals[below(4)]};
    (void)snprintf(d->name, sizeof d->name, "d%u", ++p->n_names);
}

static void timing_draw(struct timing *t)
{
    *t = (struct timing){300 + below(700), 1 + below(4), below(3)};
}

static void plant_open(struct plant *p, uint64_t seed)
{
    weir_error error = WEIR_ERROR_INIT;
    memset(p, 0, sizeof *p);
    randomness.state = seed;
    for (size_t i = 0; i < DEVICES_MAX / 2; i++)
        device_init(p, i);
    for (size_t i = 0; i < CONNECTIONS; i++)
        timing_draw(&p->timing[i]);
    sim_world_open(&p->world, &(sim_world_config){.seed = seed,
                                                  .max_loss_us = 10 * WEIR_S,
                                                  .plant = {.yaml = plant_yaml(p),
                                                            .slaves = {p, slave_read},
                                                            .on_batch = on_batch,
                                                            .data = p}});
    if (!sim_world_start(&p->world, &error))
        fail_msg("%s", error.text);
}

static void plant_close(struct plant *p)
{
    assert_true(sim_world_stop(&p->world));
    sim_world_close(&p->world);
    weir_text_deinit(&p->yaml);
}

static void plant_apply(struct plant *p)
{
    weir_error error = WEIR_ERROR_INIT;
    size_t left = 0;
    if (!sim_world_apply(&p->world, plant_yaml(p), false, &left, &error))
        fail_msg("%s", error.text);
    assert_int_equal(left, 0); /* nobody has the older catalog */
}

static void plant_assert_well(const struct plant *p)
{
    if (p->n_wrong || p->n_missed || p->n_bad)
        fail_msg("%lu wrong, %lu missed, %lu bad of %lu samples", (unsigned long)p->n_wrong,
                 (unsigned long)p->n_missed, (unsigned long)p->n_bad, (unsigned long)p->n_samples);
}

/* ---- changes ---- */

static void device_forget_slots(struct plant *p, const struct device *d)
{
    const weir_catalog *c = p->world.catalog;
    for (size_t i = 0; i < c->n_tags; i++)
        if (strcmp(weir_tag_device(c, &c->tags[i])->name, d->name) == 0)
            p->tags[c->tags[i].uid].last = 0;
}

static void device_rename(struct plant *p, struct device *d)
{
    memcpy(d->was, d->name, sizeof d->was);
    (void)snprintf(d->name, sizeof d->name, "d%u", ++p->n_names);
}

static void devices_exchange(struct device *a, struct device *b)
{
    memcpy(a->was, a->name, sizeof a->was);
    memcpy(b->was, b->name, sizeof b->was);
    memcpy(a->name, b->was, sizeof a->name);
    memcpy(b->name, a->was, sizeof b->name);
}

static void plant_change(struct plant *p)
{
    const size_t i = below(DEVICES_MAX);
    struct device *d = &p->devices[i];
    if (!d->exists) {
        device_init(p, i);
        return;
    }
    switch (below(8)) {
    case 0:
        device_forget_slots(p, d);
        d->exists = false;
        break;
    case 1:
        device_rename(p, d);
        break;
    case 2:
        if (d->points == POINTS_MAX) /* one that comes back begins anew */
            device_forget_slots(p, d);
        d->points = d->points % POINTS_MAX + 1;
        break;
    case 3:
        device_forget_slots(p, d);
        d->enabled = !d->enabled;
        break;
    case 4:
        d->description++;
        break;
    case 5:
        d->interval_ms = d->interval_ms == 200 ? 1000 : 200;
        break;
    case 6:
        timing_draw(&p->timing[d->connection]);
        break;
    default:
        device_forget_slots(p, d); /* behind another connection: another device */
        d->connection = (d->connection + 1) % CONNECTIONS;
        break;
    }
}

static void five_hundred_changes_disturb_nobody(void **state)
{
    static struct plant p;
    (void)state;
    plant_open(&p, 6);
    sim_world_run(&p.world, 3 * WEIR_S);
    const uint64_t connects = p.world.network.connects;
    assert_int_equal(connects, CONNECTIONS);
    for (int i = 0; i < 500; i++) {
        plant_change(&p);
        plant_apply(&p);
        plant_assert_well(&p);
        sim_world_run(&p.world, below(1500) * WEIR_MS + below(1000));
        plant_assert_well(&p);
    }
    assert_int_equal(p.world.network.connects, connects);
    assert_true(p.n_samples > 5000);
    assert_true(p.n_repeated > 0); /* some were under way */
    plant_close(&p);
}

static void names_are_exchanged_and_samples_stay_with_their_tags(void **state)
{
    static struct plant p;
    (void)state;
    plant_open(&p, 6);
    sim_world_run(&p.world, 3 * WEIR_S);
    const weir_tag_uid uid = p.world.catalog->tags[p.world.catalog->devices[0].first_tag].uid;
    devices_exchange(&p.devices[0], &p.devices[1]);
    for (int i = 0; i < 3; i++) {
        p.devices[2].description++; /* so that something changes, and `was` is still there */
        plant_apply(&p);
        assert_int_equal(p.world.catalog->tags[p.world.catalog->devices[0].first_tag].uid, uid);
        sim_world_run(&p.world, 3 * WEIR_S);
    }
    plant_assert_well(&p);
    plant_close(&p);
}

static void what_the_store_refuses_changes_nothing(void **state)
{
    static struct plant p;
    weir_error error = WEIR_ERROR_INIT;
    size_t left = 0;
    (void)state;
    plant_open(&p, 7);
    sim_world_run(&p.world, 3 * WEIR_S);
    const weir_catalog *catalog = p.world.catalog;
    for (int i = 0; i < 50; i++) {
        struct device before[DEVICES_MAX];
        memcpy(before, p.devices, sizeof before);
        plant_change(&p);
        assert_false(sim_world_apply(&p.world, plant_yaml(&p), true, &left, &error));
        assert_ptr_equal(p.world.catalog, catalog);
        memcpy(p.devices, before, sizeof before);
        sim_world_run(&p.world, below(500) * WEIR_MS);
    }
    plant_assert_well(&p);
    plant_close(&p);
}

static void without_memory_nothing_changes(void **state)
{
    static struct plant p;
    weir_error error = WEIR_ERROR_INIT;
    bool done = false;
    (void)state;
    plant_open(&p, 8);
    sim_world_run(&p.world, 3 * WEIR_S);
    plant_change(&p);
    p.devices[3].points = p.devices[3].points % POINTS_MAX + 1;
    for (size_t n = 1; !done; n += 1 + n / 50) {
        size_t left = 0;
        const weir_catalog *catalog = p.world.catalog;
        (void)weir_alloc_fail_nth(n, false);
        done = sim_world_apply(&p.world, plant_yaml(&p), false, &left, &error);
        (void)weir_alloc_fail_nth(0, false);
        assert_true(done || p.world.catalog == catalog);
        sim_world_run(&p.world, 50 * WEIR_MS);
    }
    plant_assert_well(&p);
    plant_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_hundred_changes_disturb_nobody),
        cmocka_unit_test(names_are_exchanged_and_samples_stay_with_their_tags),
        cmocka_unit_test(what_the_store_refuses_changes_nothing),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

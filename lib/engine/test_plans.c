/* SPDX-License-Identifier: MIT */
/* Tests of plans: what is due when, against a model that looks at every millisecond. */

#include "engine/plans.h"

#include <stdlib.h>

#include "base/random.h"
#include "engine/schedule.h"
#include "engine/test_bench.h"

enum { PLANS = 5, DEVICES = 3, POINTS = 4, RUN_MS = 4000 };

/* Random plans over a few devices, and what of them a model has to know. */
struct world {
    bench *b;
    weir_plan plans[PLANS];
    weir_plan_member members[PLANS][DEVICES * POINTS];
    bool wants[PLANS][DEVICES][POINTS];
    weir_plans runs;
    weir_schedule schedule;
    size_t n_reads, n_points; /* counted */
};

static void world_free(struct world *w)
{
    weir_plans_deinit(&w->runs);
    weir_schedule_deinit(&w->schedule);
    bench_free(w->b);
    free(w);
}

static struct world *world_new(uint64_t seed, int merge)
{
    weir_random random = {seed};
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    weir_error error = WEIR_ERROR_INIT;
    w->b = bench_new();
    for (int d = 0; d < DEVICES; d++) {
        int64_t intervals[POINTS], at = 0;
        for (int p = 0; p < POINTS; p++)
            intervals[p] = at += 10 * (int64_t)(1 + weir_random_below(&random, 60)) * WEIR_MS;
        weir_device *device = bench_add(w->b, POINTS, intervals);
        uint8_t *own = (uint8_t *)(uintptr_t)device->point_interval;
        for (int p = 0; p < POINTS; p++) /* some have none of their own */
            if (weir_random_below(&random, 2))
                own[p] = 0xff;
    }
    for (int i = 0; i < PLANS; i++) {
        weir_plan *plan = &w->plans[i];
        *plan =
            (weir_plan){.name = (const char *const[]){"a", "b", "c", "d", "e"}[i],
                        .bit = (uint8_t)(1 + 7 * i),
                        .enabled = true,
                        .interval_us = 10 * (int64_t)(1 + weir_random_below(&random, 50)) * WEIR_MS,
                        .start = {INT64_MIN},
                        .end = {INT64_MAX},
                        .members = w->members[i]};
        plan->merge =
            merge < 0 ? (weir_plan_merge)weir_random_below(&random, 2) : (weir_plan_merge)merge;
        for (uint32_t d = 0; d < DEVICES; d++)
            for (uint32_t p = 0; p < POINTS; p++)
                if (weir_random_below(&random, 2)) {
                    w->members[i][plan->n_members++] = (weir_plan_member){d, p};
                    w->wants[i][d][p] = true;
                }
    }
    w->b->catalog.plans = w->plans;
    w->b->catalog.n_plans = PLANS;
    assert_int_equal(weir_plans_init(&w->runs, &w->b->catalog, &error), WEIR_OK);
    assert_int_equal(weir_schedule_init(&w->schedule, &w->b->catalog, WEIR_MS, &error), WEIR_OK);
    weir_schedule_restart(&w->schedule, (weir_wall){BENCH_START});
    return w;
}

static void world_resolve(struct world *w, int64_t now)
{
    for (uint32_t d = 0; d < DEVICES; d++) {
        weir_error error = WEIR_ERROR_INIT;
        weir_rhythms *rhythms;
        if (weir_plans_resolve(&w->runs, &w->b->catalog, d, &rhythms, &error))
            fail_msg("%s", error.text);
        (void)weir_schedule_exchange(&w->schedule, d, rhythms, (weir_wall){now});
    }
    weir_schedule_settle(&w->schedule);
}

/* By trying; all intervals here are multiples of 10 ms. */
static int64_t divisor(int64_t a, int64_t b)
{
    for (int64_t d = a < b ? a : b;; d -= 10 * WEIR_MS)
        if (a % d == 0 && b % d == 0)
            return d;
}

/* Whose reading of this point is due at t, from what the plans say alone. */
static uint64_t model(const struct world *w, uint32_t d, uint32_t p, int64_t t)
{
    const weir_device *device = &w->b->devices[d];
    uint64_t plans = 0, merged = 0;
    int64_t common = 0;
    if (device->point_interval[p] != 0xff && t % device->intervals[device->point_interval[p]] == 0)
        plans |= WEIR_PLAN_DEFAULT;
    for (int i = 0; i < PLANS; i++) {
        const weir_plan *plan = &w->plans[i];
        if (w->runs.runs[i].state != WEIR_PLAN_RUNNING || !w->wants[i][d][p])
            continue;
        if (plan->merge == WEIR_PLAN_GCD) {
            common = common ? divisor(common, plan->interval_us) : plan->interval_us;
            merged |= 1ull << plan->bit;
        } else if (t % plan->interval_us == 0) {
            plans |= 1ull << plan->bit;
        }
    }
    return common && t % common == 0 ? plans | merged : plans;
}

/* All that is due at t, compared with the model. */
static void world_tick(struct world *w, uint64_t seed, int64_t t)
{
    uint64_t got[DEVICES][POINTS] = {0};
    weir_due due;
    while (weir_schedule_take(&w->schedule, (weir_wall){t}, &due)) {
        const weir_device *device = &w->b->devices[due.device];
        weir_chosen *chosen;
        assert_int_equal(due.slot.us, t);
        assert_int_equal(due.missed, 0);
        assert_int_equal(weir_schedule_choose(&w->schedule, due.device, due.intervals, &chosen), 0);
        const weir_read read = {.intervals = due.intervals,
                                .selection = chosen ? &chosen->selection : NULL};
        for (uint32_t p = 0; p < POINTS; p++)
            if (weir_read_wants(&read, device, p)) {
                assert_int_equal(got[due.device][p], 0); /* once */
                got[due.device][p] = !chosen               ? WEIR_PLAN_DEFAULT
                                     : chosen->point_plans ? chosen->point_plans[p]
                                                           : chosen->plans;
                w->n_points++;
            }
        w->n_reads++;
        weir_chosen_unref(chosen);
    }
    for (uint32_t d = 0; d < DEVICES; d++)
        for (uint32_t p = 0; p < POINTS; p++)
            if (got[d][p] != model(w, d, p, t))
                fail_msg("seed %llu, %lld ms: point %u/%u: plans %llx, not %llx",
                         (unsigned long long)seed, (long long)((t - BENCH_START) / WEIR_MS), d, p,
                         (unsigned long long)got[d][p], (unsigned long long)model(w, d, p, t));
}

static void change(struct world *w, int plan, weir_plan_change change, int64_t t)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_err err =
        weir_plan_run_change(&w->runs.runs[plan], change, (weir_mono){t}, (weir_wall){t}, &error);
    if (err == WEIR_OK)
        world_resolve(w, t);
}

static void what_is_due_equals_a_model_of_every_millisecond(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        weir_random random = {seed * 77};
        struct world *w = world_new(seed, -1);
        for (int64_t ms = 1; ms <= RUN_MS; ms++) {
            const int64_t t = BENCH_START + ms * WEIR_MS;
            world_tick(w, seed, t);
            if (weir_random_below(&random, 100) == 0)
                change(w, (int)weir_random_below(&random, PLANS),
                       (weir_plan_change)(1 + weir_random_below(&random, 4)), t);
        }
        world_free(w);
    }
}

/* Points read by all plans, together and each alone. */
static size_t count_points(uint64_t seed, int merge, size_t *ret_reads)
{
    struct world *w = world_new(seed, merge);
    for (int i = 0; i < PLANS; i++)
        change(w, i, WEIR_PLAN_START, BENCH_START);
    for (int64_t ms = 1; ms <= RUN_MS; ms++)
        world_tick(w, seed, BENCH_START + ms * WEIR_MS);
    const size_t n = w->n_points;
    *ret_reads = w->n_reads;
    world_free(w);
    return n;
}

static void union_never_reads_more_than_gcd(void **state)
{
    (void)state;
    size_t sum_union = 0, sum_gcd = 0;
    for (uint64_t seed = 100; seed < 140; seed++) {
        size_t reads_union, reads_gcd;
        const size_t n_union = count_points(seed, WEIR_PLAN_UNION, &reads_union);
        const size_t n_gcd = count_points(seed, WEIR_PLAN_GCD, &reads_gcd);
        assert_true(n_union <= n_gcd);
        assert_true(reads_union <= reads_gcd);
        sum_union += n_union;
        sum_gcd += n_gcd;
    }
    assert_true(sum_union < sum_gcd); /* or the comparison says nothing */
}

/* The README of the predecessor: 300 ms and 200 ms are read every 100 ms. */
static void three_hundred_and_two_hundred_are_read_every_hundred(void **state)
{
    (void)state;
    static const struct {
        int64_t minimum_ms;
        weir_plan_policy policy;
        int64_t want_ms;
    } cases[] = {
        {0, WEIR_PLAN_IGNORE, 100},  {120, WEIR_PLAN_IGNORE, 100}, {120, WEIR_PLAN_LIMIT, 200},
        {100, WEIR_PLAN_LIMIT, 100}, {100, WEIR_PLAN_ERROR, 100},  {120, WEIR_PLAN_ERROR, 0},
    };
    /* The minimum may be the plans', the device's or its connection's. */
    for (size_t k3 = 0; k3 < 3 * sizeof cases / sizeof *cases; k3++) {
        const size_t i = k3 / 3, whose = k3 % 3;
        struct world *w = world_new(1, WEIR_PLAN_GCD);
        if (whose == 1)
            w->b->devices[0].minimum_interval_us = cases[i].minimum_ms * WEIR_MS;
        if (whose == 2)
            w->b->connections[0].minimum_interval_us = cases[i].minimum_ms * WEIR_MS;
        weir_error error = WEIR_ERROR_INIT;
        weir_rhythms *rhythms = NULL;
        for (int k = 0; k < 2; k++) {
            w->plans[k].interval_us = (k ? 200 : 300) * WEIR_MS;
            w->plans[k].minimum_interval_us = whose ? 0 : cases[i].minimum_ms * WEIR_MS;
            w->plans[k].policy = cases[i].policy;
            w->plans[k].n_members = 1;
            w->members[k][0] = (weir_plan_member){0, 0};
            w->runs.runs[k].state = WEIR_PLAN_RUNNING;
        }
        const weir_err err = weir_plans_resolve(&w->runs, &w->b->catalog, 0, &rhythms, &error);
        assert_int_equal(err, cases[i].want_ms ? WEIR_OK : WEIR_EINVAL);
        if (err)
            assert_string_equal(error.text, "device 'm00' would be read every 100ms, below the "
                                            "minimum_interval 120ms");
        else {
            assert_int_equal(rhythms->n_wants, 1);
            assert_int_equal(rhythms->wants[0].plans, 1u << 1 | 1u << 8);
            const uint32_t beat = rhythms->wants[0].beat;
            assert_int_equal(beat < rhythms->n_intervals ? w->b->devices[0].intervals[beat]
                                                         : rhythms->beats[beat].beat.interval_us,
                             cases[i].want_ms * WEIR_MS);
        }
        weir_rhythms_free(rhythms);
        world_free(w);
    }
}

static void more_rhythms_than_a_device_can_have_are_refused(void **state)
{
    (void)state;
    bench *b = bench_new();
    const weir_device *device = BENCH_ADD(b, WEIR_S);
    weir_error error = WEIR_ERROR_INIT;
    weir_rhythms *rhythms = weir_rhythms_new(device);
    weir_err err = WEIR_OK;
    int64_t n = 0;
    while (!err)
        err = weir_rhythms_want(rhythms, device, 0, &(weir_beat){.interval_us = WEIR_S + n++}, 2,
                                &error);
    assert_int_equal(err, WEIR_ELIMIT);
    assert_int_equal(n, WEIR_INTERVALS_MAX + 1); /* the first is the device's own */
    assert_string_equal(error.text,
                        "device 'm00': its intervals and those of its plans are more than 31");
    weir_rhythms_free(rhythms);
    bench_free(b);
}

/* Each row: a state, a change, the state then; the same state and a text: refused. */
static void states_change_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        weir_plan_state from;
        weir_plan_change change;
        weir_plan_state to;
        const char *refused;
    } cases[] = {
        {WEIR_PLAN_READY, WEIR_PLAN_START, WEIR_PLAN_RUNNING, NULL},
        {WEIR_PLAN_READY, WEIR_PLAN_PAUSE, WEIR_PLAN_READY, "only one that runs can be paused"},
        {WEIR_PLAN_READY, WEIR_PLAN_RESUME, WEIR_PLAN_READY, "start it"},
        {WEIR_PLAN_READY, WEIR_PLAN_STOP, WEIR_PLAN_STOPPED, NULL},
        {WEIR_PLAN_RUNNING, WEIR_PLAN_START, WEIR_PLAN_RUNNING, NULL},
        {WEIR_PLAN_RUNNING, WEIR_PLAN_PAUSE, WEIR_PLAN_PAUSED, NULL},
        {WEIR_PLAN_RUNNING, WEIR_PLAN_RESUME, WEIR_PLAN_RUNNING, NULL},
        {WEIR_PLAN_RUNNING, WEIR_PLAN_STOP, WEIR_PLAN_STOPPED, NULL},
        {WEIR_PLAN_RUNNING, WEIR_PLAN_EXPIRE, WEIR_PLAN_EXPIRED, NULL},
        {WEIR_PLAN_PAUSED, WEIR_PLAN_START, WEIR_PLAN_PAUSED, "resume it"},
        {WEIR_PLAN_PAUSED, WEIR_PLAN_PAUSE, WEIR_PLAN_PAUSED, NULL},
        {WEIR_PLAN_PAUSED, WEIR_PLAN_RESUME, WEIR_PLAN_RUNNING, NULL},
        {WEIR_PLAN_PAUSED, WEIR_PLAN_STOP, WEIR_PLAN_STOPPED, NULL},
        {WEIR_PLAN_STOPPED, WEIR_PLAN_START, WEIR_PLAN_RUNNING, NULL},
        {WEIR_PLAN_STOPPED, WEIR_PLAN_RESUME, WEIR_PLAN_STOPPED, "start it"},
        {WEIR_PLAN_STOPPED, WEIR_PLAN_STOP, WEIR_PLAN_STOPPED, NULL},
        {WEIR_PLAN_EXPIRED, WEIR_PLAN_START, WEIR_PLAN_RUNNING, NULL},
        {WEIR_PLAN_EXPIRED, WEIR_PLAN_PAUSE, WEIR_PLAN_EXPIRED, "only one that runs"},
    };
    const weir_plan plan = {.name = "night", .start = {INT64_MIN}, .end = {INT64_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_plan_run run = {.plan = &plan, .state = cases[i].from};
        weir_error error = WEIR_ERROR_INIT;
        const weir_err err = weir_plan_run_change(&run, cases[i].change, (weir_mono){5},
                                                  (weir_wall){BENCH_START}, &error);
        assert_int_equal(err, cases[i].refused ? WEIR_EINVAL : WEIR_OK);
        assert_int_equal(run.state, cases[i].to);
        if (cases[i].refused)
            assert_non_null(strstr(error.text, cases[i].refused));
    }
}

static void start_end_and_lifetime_come_by_themselves_in_order(void **state)
{
    (void)state;
    weir_plan plans[] = {
        {.name = "late", .enabled = true, .start = {2000}, .end = {9000}},
        {.name = "short",
         .enabled = true,
         .start = {INT64_MIN},
         .end = {INT64_MAX},
         .lifetime_us = 500},
        {.name = "waits", .start = {INT64_MIN}, .end = {INT64_MAX}},
    };
    const weir_catalog catalog = {.plans = plans, .n_plans = 3};
    static const struct {
        const char *name;
        weir_plan_change change;
        int64_t at;
    } want[] = {{"short", WEIR_PLAN_START, INT64_MIN},
                {"short", WEIR_PLAN_EXPIRE, 1000 + 500},
                {"late", WEIR_PLAN_START, 2000},
                {"late", WEIR_PLAN_EXPIRE, 9000}};
    weir_plans runs;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_plans_init(&runs, &catalog, &error), WEIR_OK);
    for (size_t i = 0; i < 4; i++) {
        weir_plan_change change;
        weir_wall at;
        weir_plan_run *run = weir_plans_next(&runs, 300, &change, &at);
        assert_non_null(run);
        assert_string_equal(run->plan->name, want[i].name);
        assert_int_equal(change, want[i].change);
        assert_int_equal(at.us, want[i].at);
        const int64_t wall = at.us == INT64_MIN ? 1000 : at.us;
        assert_int_equal(
            weir_plan_run_change(run, change, (weir_mono){wall - 300}, (weir_wall){wall}, &error),
            WEIR_OK);
    }
    weir_plan_change change;
    weir_wall at;
    assert_null(weir_plans_next(&runs, 300, &change, &at));
    assert_int_equal(weir_plans_find(&runs, "waits")->state, WEIR_PLAN_READY);
    weir_plans_deinit(&runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_equals_a_model_of_every_millisecond),
        cmocka_unit_test(union_never_reads_more_than_gcd),
        cmocka_unit_test(three_hundred_and_two_hundred_are_read_every_hundred),
        cmocka_unit_test(more_rhythms_than_a_device_can_have_are_refused),
        cmocka_unit_test(states_change_as_the_table_says),
        cmocka_unit_test(start_end_and_lifetime_come_by_themselves_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

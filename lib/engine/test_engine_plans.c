/* SPDX-License-Identifier: MIT */
/* Tests of an engine with plans: what is read, for whom, from when and until when. */

#include <stdlib.h>

#include "engine/test_bench.h"

enum { SEEN = 4000, WAITING = 200 };

/* Two devices of two points, read every 1 s and every 5 s; every read is answered at once. */
typedef struct world {
    bench *b; /* its catalog */
    weir_plan plans[4];
    weir_plan_member members[8];
    weir_engine *engine;
    weir_mono now, wake;
    size_t n_waiting, n_reads;
    weir_read waiting[WAITING];
    size_t n_seen;
    struct seen {
        uint32_t tag; /* uid */
        int64_t ms;   /* since BENCH_START */
        uint64_t plans;
        weir_quality quality;
    } seen[SEEN];
    char heard[2000], told[2000];
} world;

static void on_read(void *data, const weir_read *read)
{
    world *w = data;
    assert_true(w->n_waiting < WAITING);
    w->waiting[w->n_waiting++] = *read;
    w->n_reads++;
}

static void on_batch(void *data, const weir_batch *batch)
{
    world *w = data;
    for (uint32_t i = 0; i < batch->n_samples; i++) {
        assert_true(w->n_seen < SEEN);
        w->seen[w->n_seen++] =
            (struct seen){batch->samples[i].tag, (batch->samples[i].ts.us - BENCH_START) / WEIR_MS,
                          batch->plans, batch->samples[i].quality};
    }
}

static void on_event(void *data, const weir_event *event)
{
    world *w = data;
    const size_t at = strlen(w->told);
    if (event->kind == WEIR_EVENT_CONFIG)
        (void)snprintf(w->told + at, sizeof w->told - at, "%s; ", event->text);
}

static void on_correction(void *data, const weir_correction *correction)
{
    (void)data;
    (void)correction;
}

static void on_plan(void *data, const weir_plan_notice *n)
{
    world *w = data;
    const size_t at = strlen(w->heard);
    (void)snprintf(w->heard + at, sizeof w->heard - at, "%s %s %s, %s; ",
                   n->after ? "after" : "before", n->plan->name, weir_plan_change_text(n->change),
                   weir_plan_state_text(n->state));
}

/* Tags: m00/0 = 1 (1 s), m00/1 = 2 (5 s), m01/0 = 3, m01/1 = 4. */
static world *world_new(void)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->b = bench_new();
    BENCH_ADD(w->b, WEIR_S, 5 * WEIR_S);
    BENCH_ADD(w->b, WEIR_S, 5 * WEIR_S);
    w->b->catalog.plans = w->plans;
    w->now = w->b->now;
    return w;
}

static weir_plan *world_plan(world *w, const char *name, uint32_t device, uint32_t point)
{
    const size_t i = w->b->catalog.n_plans++;
    w->members[i] = (weir_plan_member){device, point};
    w->plans[i] = (weir_plan){.name = name,
                              .bit = (uint8_t)(i + 1),
                              .enabled = true,
                              .interval_us = 300 * WEIR_MS,
                              .start = {INT64_MIN},
                              .end = {INT64_MAX},
                              .members = &w->members[i],
                              .n_members = 1,
                              .n_tags = 1};
    return &w->plans[i];
}

static void world_start(world *w)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_engine_config config = w->b->config;
    config.host = (weir_engine_host){w, on_read, on_batch, on_event, on_correction, NULL, on_plan};
    assert_int_equal(
        weir_engine_new(&config, w->now, (weir_wall){w->now.us + w->b->offset}, &w->engine, &error),
        WEIR_OK);
    w->wake = w->now;
}

static void world_free(world *w)
{
    weir_engine_free(w->engine);
    bench_free(w->b);
    free(w);
}

static void world_answer(world *w, const weir_read *read)
{
    const weir_device *device = &w->b->devices[read->device];
    weir_sample samples[8];
    uint32_t n = 0;
    for (uint32_t p = 0; p < device->n_points; p++)
        if (weir_read_wants(read, device, p))
            samples[n++] = (weir_sample){.tag = w->b->tags[device->first_tag + p].uid,
                                         .ts = read->due,
                                         .value = weir_value_i64(1)};
    assert_true(n > 0);
    weir_engine_deliver(w->engine,
                        &(weir_batch){.device = read->device,
                                      .epoch = read->epoch,
                                      .flags = read->flags,
                                      .n_samples = n,
                                      .plans = read->plans,
                                      .due = read->due,
                                      .received = read->due,
                                      .anchor_us = weir_engine_anchor(w->engine),
                                      .samples = samples},
                        w->now);
    weir_engine_read_done(w->engine, read, WEIR_READ_GOOD, 0, w->now);
}

static void world_run(world *w, int64_t us)
{
    const weir_mono end = weir_mono_add(w->now, us);
    while (w->wake.us <= end.us) {
        w->now = w->wake;
        w->wake = weir_engine_step(w->engine, w->now, (weir_wall){w->now.us + w->b->offset});
        assert_true(w->wake.us > w->now.us);
        while (w->n_waiting) {
            const weir_read read = w->waiting[--w->n_waiting];
            world_answer(w, &read);
        }
    }
    w->now = end;
    w->wake = weir_mono_min(w->wake, weir_mono_add(end, 1));
}

/* Samples of a tag in from <= ms < until for exactly these plans, 0: any. */
static size_t count(const world *w, uint32_t tag, int64_t from, int64_t until, uint64_t plans)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_seen; i++)
        n += w->seen[i].tag == tag && w->seen[i].ms >= from && w->seen[i].ms < until &&
             (!plans || w->seen[i].plans == plans);
    return n;
}

static void every_sample_says_for_which_plans_it_was_read(void **state)
{
    (void)state;
    world *w = world_new();
    (void)world_plan(w, "fast", 0, 1); /* 300 ms; by itself every 5 s */
    world_start(w);
    world_run(w, 15 * WEIR_S + WEIR_MS);
    /* At 3, 6, 9, 12 s both points of the device are read, each for another plan. */
    assert_int_equal(count(w, 1, 1, 15001, WEIR_PLAN_DEFAULT), 15);
    assert_int_equal(count(w, 1, 1, 15001, 0), 15);
    assert_int_equal(count(w, 2, 1, 15001, 2), 49); /* 50 slots, without that at 15 s */
    assert_int_equal(count(w, 2, 1, 15001, 2 | WEIR_PLAN_DEFAULT), 1);
    assert_int_equal(count(w, 2, 1, 15001, WEIR_PLAN_DEFAULT), 2); /* 5 s, 10 s */
    assert_int_equal(count(w, 4, 1, 15001, 0), 3);
    /* One read each time, not one for each plan. */
    assert_int_equal(w->n_reads, 15 /* m01 */ + 50 + 15 - 5 /* 3, 6, 9, 12, 15 s */);
    world_free(w);
}

static void start_end_and_lifetime_are_exact(void **state)
{
    (void)state;
    world *w = world_new();
    weir_plan *window = world_plan(w, "window", 0, 1);
    window->start.us = BENCH_START + 3000 * WEIR_MS;
    window->end.us = BENCH_START + 6000 * WEIR_MS;
    world_plan(w, "short", 1, 1)->lifetime_us = 1200 * WEIR_MS;
    world_start(w);
    world_run(w, 20 * WEIR_S);
    assert_int_equal(count(w, 2, 0, 20000, 2), 10); /* 3.0 to 5.7, not 6.0 */
    assert_int_equal(count(w, 2, 3000, 3001, 2), 1);
    assert_int_equal(count(w, 2, 6000, 20000, 2), 0);
    assert_int_equal(count(w, 4, 0, 20000, 4), 3); /* 0.3 to 0.9: at 1.2 it is over */
    assert_string_equal(w->heard,
                        "before short started, ready; after short started, running; "
                        "before short expired, running; after short expired, expired; "
                        "before window started, ready; after window started, running; "
                        "before window expired, running; after window expired, expired; ");
    assert_string_equal(w->told, "plan 'short' expired; plan 'window' started; "
                                 "plan 'window' expired; ");
    world_free(w);
}

static void a_hand_pauses_resumes_stops_and_starts(void **state)
{
    (void)state;
    world *w = world_new();
    weir_error error = WEIR_ERROR_INIT;
    world_plan(w, "waits", 0, 1)->enabled = false;
    world_start(w);
    world_run(w, 2500 * WEIR_MS);
    assert_int_equal(count(w, 2, 0, 9999, 2), 0);
    assert_int_equal(weir_engine_plan_change(w->engine, "waits", WEIR_PLAN_START, w->now, &error),
                     0);
    world_run(w, 501 * WEIR_MS); /* 2.7, 3.0 */
    assert_int_equal(weir_engine_plan_change(w->engine, "waits", WEIR_PLAN_PAUSE, w->now, &error),
                     0);
    world_run(w, 1500 * WEIR_MS);
    assert_int_equal(count(w, 2, 0, 9999, 2), 2);
    assert_int_equal(weir_engine_plan_change(w->engine, "waits", WEIR_PLAN_RESUME, w->now, &error),
                     0);
    world_run(w, 1100 * WEIR_MS); /* 4.8, 5.1, 5.4 */
    assert_int_equal(weir_engine_plan_change(w->engine, "waits", WEIR_PLAN_STOP, w->now, &error),
                     0);
    world_run(w, 1500 * WEIR_MS);
    assert_int_equal(count(w, 2, 0, 9999, 2), 5);
    assert_int_equal(weir_engine_plan_change(w->engine, "waits", WEIR_PLAN_PAUSE, w->now, &error),
                     WEIR_EINVAL);
    assert_string_equal(error.text, "plan 'waits' is stopped: only one that runs can be paused");
    assert_int_equal(weir_engine_plan_change(w->engine, "wait", WEIR_PLAN_PAUSE, w->now, &error),
                     WEIR_ENOTFOUND);
    assert_int_equal(weir_engine_plan_change(w->engine, "default", WEIR_PLAN_STOP, w->now, &error),
                     WEIR_EINVAL);
    assert_int_equal(count(w, 1, 0, 7200, WEIR_PLAN_DEFAULT), 7); /* was never disturbed */
    world_free(w);
}

static void a_plan_started_while_it_runs_has_its_own_patterns_and_life(void **state)
{
    (void)state;
    world *w = world_new();
    weir_error error = WEIR_ERROR_INIT;
    weir_plan_status status;
    const char *patterns[] = {"m0?/x"};
    weir_plan plan = {.name = "now",
                      .bit = 9,
                      .interval_us = 250 * WEIR_MS,
                      .patterns = patterns,
                      .n_patterns = 1,
                      .lifetime_us = WEIR_S,
                      .start = {INT64_MIN},
                      .end = {INT64_MAX}};
    world_start(w);
    world_run(w, 100 * WEIR_MS);
    assert_int_equal(weir_engine_plan_start(w->engine, &plan, w->now, &error), WEIR_OK);
    assert_int_equal(weir_engine_plan_start(w->engine, &plan, w->now, &error), WEIR_EINUSE);
    assert_int_equal(weir_engine_n_plans(w->engine), 2);
    weir_engine_plan(w->engine, 1, &status);
    assert_string_equal(status.plan->name, "now");
    assert_int_equal(status.state, WEIR_PLAN_RUNNING);
    assert_int_equal(status.n_tags, 4);
    assert_int_equal(status.next_due.us, BENCH_START + 250 * WEIR_MS);
    assert_int_equal(status.expires.us, BENCH_START + 1100 * WEIR_MS);
    world_run(w, 3 * WEIR_S);
    assert_int_equal(count(w, 2, 0, 3000, 1u << 9), 4);
    weir_engine_plan(w->engine, 1, &status);
    assert_int_equal(status.state, WEIR_PLAN_EXPIRED);
    assert_int_equal(weir_engine_plan_start(w->engine, &plan, w->now, &error), WEIR_OK); /* again */
    assert_int_equal(weir_engine_n_plans(w->engine), 2);
    patterns[0] = "m77/*";
    plan.name = "none";
    assert_int_equal(weir_engine_plan_start(w->engine, &plan, w->now, &error), WEIR_ENOTFOUND);
    world_free(w);
}

static void what_is_collected_at_once_needs_no_rhythm(void **state)
{
    (void)state;
    world *w = world_new();
    weir_error error = WEIR_ERROR_INIT;
    weir_plan_status status;
    world_plan(w, "waits", 0, 1)->enabled = false;
    world_start(w);
    world_run(w, 100 * WEIR_MS);
    assert_int_equal(weir_engine_plan_collect(w->engine, "waits", 3, 200 * WEIR_MS, w->now, &error),
                     WEIR_OK);
    assert_int_equal(weir_engine_plan_collect(w->engine, "waits", 3, 0, w->now, &error),
                     WEIR_EINUSE);
    world_run(w, 250 * WEIR_MS);
    weir_engine_plan(w->engine, 1, &status);
    assert_int_equal(status.state, WEIR_PLAN_READY);
    assert_true(status.cycles > 0);
    world_run(w, 2 * WEIR_S);
    weir_engine_plan(w->engine, 1, &status);
    assert_int_equal(status.cycles, 0);
    assert_int_equal(count(w, 2, 100, 1000, 2), 3);
    assert_int_equal(weir_engine_plan_collect(w->engine, "default", 1, 0, w->now, &error), WEIR_OK);
    w->n_seen = 0;
    world_run(w, 100 * WEIR_MS);
    for (uint32_t tag = 1; tag <= 4; tag++)
        assert_int_equal(count(w, tag, 0, 9999, WEIR_PLAN_DEFAULT), 1);
    world_free(w);
}

static void a_start_without_memory_leaves_all_as_it_was(void **state)
{
    (void)state;
    bool started = false;
    for (size_t n = 1; !started; n++) {
        world *w = world_new();
        weir_error error = WEIR_ERROR_INIT;
        world_plan(w, "waits", 0, 1)->enabled = false;
        world_start(w);
        world_run(w, 100 * WEIR_MS);
        (void)weir_alloc_fail_nth(n, false);
        const weir_err err =
            weir_engine_plan_change(w->engine, "waits", WEIR_PLAN_START, w->now, &error);
        (void)weir_alloc_fail_nth(0, false);
        started = err == WEIR_OK;
        if (!started) {
            weir_plan_status status;
            assert_int_equal(err, WEIR_ENOMEM);
            weir_engine_plan(w->engine, 1, &status);
            assert_int_equal(status.state, WEIR_PLAN_READY);
            assert_string_equal(w->heard, "");
        }
        world_run(w, 2 * WEIR_S);
        assert_int_equal(count(w, 2, 0, 2000, 2), started ? 6 : 0);
        assert_int_equal(count(w, 1, 1, 2001, 0), 2);
        world_free(w);
    }
}

static void a_clock_set_over_a_start_makes_no_burst(void **state)
{
    (void)state;
    world *w = world_new();
    world_plan(w, "late", 0, 1)->start.us = BENCH_START + WEIR_HOUR;
    world_start(w);
    world_run(w, 2500 * WEIR_MS);
    w->b->offset += 2 * WEIR_HOUR;
    world_run(w, 3 * WEIR_S);
    assert_int_equal(weir_engine_overruns(w->engine), 0);
    assert_true(count(w, 2, 0, INT64_MAX, 2) >= 6);
    assert_true(count(w, 2, 0, INT64_MAX, 2) <= 11);
    world_free(w);
}

/* The process was stopped from 1.0 to 8.0 s: the window's last slot is read, of those before it
 * and none behind its end. */
static void a_window_that_ends_while_nobody_runs_gets_its_last_slot(void **state)
{
    (void)state;
    world *w = world_new();
    weir_plan *window = world_plan(w, "window", 0, 1);
    window->end.us = BENCH_START + 6000 * WEIR_MS;
    world_start(w);
    world_run(w, 1000 * WEIR_MS);
    assert_int_equal(count(w, 2, 0, 1001, 2), 3);
    w->now = w->wake = weir_mono_add(w->now, 7 * WEIR_S);
    world_run(w, WEIR_S);
    assert_int_equal(count(w, 2, 1001, 20000, 2), 1);
    assert_int_equal(count(w, 2, 5700, 5701, 2), 1);
    world_free(w);
}

/* Takes the catalog with these plans in the place of the old ones; devices are the same. */
static void world_apply(world *w, weir_catalog *catalog, weir_plan *plans, size_t n)
{
    static const uint32_t same[] = {0, 1};
    weir_error error = WEIR_ERROR_INIT;
    weir_engine_change *change;
    *catalog = w->b->catalog;
    catalog->revision++;
    catalog->plans = plans;
    catalog->n_plans = n;
    if (weir_engine_prepare(w->engine, catalog, &change, &error))
        fail_msg("%s", error.text);
    weir_engine_apply(w->engine, change, same, same, w->now);
    w->wake = w->now;
}

static void another_catalog_disturbs_no_plan_that_stays(void **state)
{
    (void)state;
    world *w = world_new();
    weir_error error = WEIR_ERROR_INIT;
    (void)world_plan(w, "stays", 0, 1);
    (void)world_plan(w, "goes", 1, 1);
    (void)world_plan(w, "paused", 1, 0);
    world_start(w);
    world_run(w, 1050 * WEIR_MS);
    assert_int_equal(weir_engine_plan_change(w->engine, "paused", WEIR_PLAN_PAUSE, w->now, &error),
                     WEIR_OK);
    const char *patterns[] = {"m01/x"};
    const weir_plan by_hand = {.name = "by hand",
                               .bit = 9,
                               .interval_us = 500 * WEIR_MS,
                               .patterns = patterns,
                               .n_patterns = 1,
                               .end = {INT64_MAX}};
    assert_int_equal(weir_engine_plan_start(w->engine, &by_hand, w->now, &error), WEIR_OK);
    weir_catalog next;
    weir_plan plans[] = {w->plans[2], w->plans[0], w->plans[0]};
    plans[2].name = "fresh";
    plans[2].bit = 5;
    plans[2].interval_us = 400 * WEIR_MS;
    world_apply(w, &next, plans, 3);
    world_run(w, 2 * WEIR_S);
    assert_int_equal(count(w, 2, 0, 3050, 2), 8); /* 0.3 .. 3.0, two of them with others */
    assert_int_equal(count(w, 2, 0, 3050, 2 | 1u << 5), 2); /* 1.2, 2.4 */
    assert_int_equal(count(w, 2, 0, 3050, 1u << 5), 3);     /* 1.6, 2.0, 2.8 */
    assert_int_equal(count(w, 4, 1050, 3050, 4), 0);
    assert_int_equal(count(w, 3, 1050, 3050, 8), 0);
    assert_int_equal(count(w, 4, 1050, 3050, 1u << 9), 4); /* 1.5 .. 3.0 */
    assert_int_equal(count(w, 1, 0, 3050, WEIR_PLAN_DEFAULT), 3);
    assert_int_equal(weir_engine_overruns(w->engine), 0);
    assert_int_equal(weir_engine_n_plans(w->engine), 5);
    assert_int_equal(weir_engine_plan_change(w->engine, "goes", WEIR_PLAN_STOP, w->now, &error),
                     WEIR_ENOTFOUND);
    assert_int_equal(weir_engine_plan_change(w->engine, "paused", WEIR_PLAN_RESUME, w->now, &error),
                     WEIR_OK);
    world_run(w, WEIR_S);
    assert_true(count(w, 3, 3050, 4050, 0) >= 4);
    world_free(w);
}

/* A catalog was prepared, and then somebody stopped a plan before it was applied. */
static void what_happens_to_plans_while_a_catalog_is_prepared_counts(void **state)
{
    (void)state;
    static const uint32_t same[] = {0, 1};
    world *w = world_new();
    weir_error error = WEIR_ERROR_INIT;
    weir_engine_change *change;
    (void)world_plan(w, "a", 0, 1);
    (void)world_plan(w, "b", 1, 1);
    world_start(w);
    world_run(w, 1050 * WEIR_MS);
    weir_catalog next = w->b->catalog;
    assert_int_equal(weir_engine_prepare(w->engine, &next, &change, &error), WEIR_OK);
    assert_int_equal(weir_engine_plan_change(w->engine, "a", WEIR_PLAN_STOP, w->now, &error),
                     WEIR_OK);
    weir_engine_apply(w->engine, change, same, same, w->now);
    w->wake = w->now;
    world_run(w, 2 * WEIR_S);
    assert_int_equal(count(w, 2, 1050, 3050, 2), 0);
    assert_int_equal(count(w, 4, 1050, 3050, 4), 7);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_says_for_which_plans_it_was_read),
        cmocka_unit_test(start_end_and_lifetime_are_exact),
        cmocka_unit_test(a_hand_pauses_resumes_stops_and_starts),
        cmocka_unit_test(a_plan_started_while_it_runs_has_its_own_patterns_and_life),
        cmocka_unit_test(what_is_collected_at_once_needs_no_rhythm),
        cmocka_unit_test(a_start_without_memory_leaves_all_as_it_was),
        cmocka_unit_test(a_clock_set_over_a_start_makes_no_burst),
        cmocka_unit_test(a_window_that_ends_while_nobody_runs_gets_its_last_slot),
        cmocka_unit_test(another_catalog_disturbs_no_plan_that_stays),
        cmocka_unit_test(what_happens_to_plans_while_a_catalog_is_prepared_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

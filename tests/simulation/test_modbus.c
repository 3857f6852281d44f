/* SPDX-License-Identifier: MIT */
/* The Modbus source on a simulated network: connections that fail in every way, reads that end. */

#include "sources/modbus/modbus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "simulation/world.h"

enum { DEVICES = 3, POINTS = 2, READS_MAX = 4000 };

static const int64_t timeout_us = 300 * WEIR_MS;

/* What became of one read. */
struct outcome {
    weir_read read;
    unsigned ended, n_samples;
    weir_read_result result;
    weir_quality worst;
    weir_quality last; /* of its last sample */
    weir_mono at;      /* of its end */
};

struct bench {
    sim_world world; /* without a process: the source is run from here */
    weir_mono wake;
    weir_source_host host;
    void *state;
    bool in_read;
    size_t n_reads;
    struct outcome reads[READS_MAX];
    unsigned n_up, n_down;
    char why[300]; /* of the last down */
};

static weir_mono bench_now(void *data)
{
    return ((struct bench *)data)->world.now;
}

static weir_wall bench_wall(void *data)
{
    return (weir_wall){bench_now(data).us};
}

/* Every read has a due time of its own, by which its batches are known. */
static struct outcome *bench_find(struct bench *b, int64_t due_us)
{
    for (size_t i = b->n_reads; i-- > 0;)
        if (b->reads[i].read.due.us == due_us)
            return &b->reads[i];
    fail_msg("samples of no read");
    return NULL;
}

static void on_batch(void *data, const weir_batch *batch)
{
    struct bench *b = data;
    struct outcome *o = bench_find(b, batch->due.us);
    assert_false(b->in_read); /* nothing calls back from inside read */
    assert_int_equal(o->ended, 0);
    o->n_samples += batch->n_samples;
    o->last = batch->samples[batch->n_samples - 1].quality;
}

static void on_read_done(void *data, const weir_read *read, weir_read_result result,
                         weir_quality worst)
{
    struct bench *b = data;
    struct outcome *o = &b->reads[read->id];
    assert_false(b->in_read);
    o->ended++;
    o->result = result;
    o->worst = worst;
    o->at = b->world.now;
}

static void on_link(void *data, bool up, const char *why)
{
    struct bench *b = data;
    *(up ? &b->n_up : &b->n_down) += 1;
    if (!up)
        (void)snprintf(b->why, sizeof b->why, "%s", why);
}

static void wake_at(void *data, weir_mono t)
{
    ((struct bench *)data)->wake = t;
}

static void on_log(void *data, weir_log_level level, const char *event, const char *text)
{
    (void)data, (void)level, (void)event, (void)text;
}

static struct bench *bench_new(uint64_t seed, const char *scheme, const char *settings,
                               unsigned devices)
{
    struct bench *b = weir_alloc_zero(1, sizeof *b);
    weir_error error = WEIR_ERROR_INIT;
    assert_non_null(b);
    sim_world_open(&b->world, &(sim_world_config){.seed = seed,
                                                  .devices = devices,
                                                  .points = POINTS,
                                                  .two_tables = true,
                                                  .scheme = scheme,
                                                  .settings = settings});
    b->wake = WEIR_MONO_NEVER;
    b->host = (weir_source_host){.data = b,
                                 .catalog = b->world.catalog,
                                 .transport = &b->world.network.host,
                                 .seed = seed,
                                 .now = bench_now,
                                 .wall = bench_wall,
                                 .on_batch = on_batch,
                                 .on_read_done = on_read_done,
                                 .on_link = on_link,
                                 .wake_at = wake_at,
                                 .log = on_log};
    b->state = weir_alloc_zero(1, weir_source_modbus.state_size);
    assert_non_null(b->state);
    assert_int_equal(weir_source_modbus.init(b->state, &b->host, &error), WEIR_OK);
    return b;
}

static void bench_free(struct bench *b)
{
    weir_source_modbus.deinit(b->state);
    assert_int_equal(b->world.network.n_open, 0);
    sim_world_close(&b->world);
    weir_free(b->state);
    weir_free(b);
}

static void bench_run(struct bench *b, int64_t us)
{
    const weir_mono end = weir_mono_add(b->world.now, us);
    for (;;) {
        sim_world_step(&b->world, weir_mono_min(end, b->wake));
        if (weir_mono_reached(b->world.now, b->wake)) {
            b->wake = WEIR_MONO_NEVER;
            weir_source_modbus.step(b->state, b->world.now);
        }
        if (b->world.now.us >= end.us && b->wake.us > end.us &&
            sim_network_next(&b->world.network).us > end.us)
            return;
    }
}

static struct outcome *bench_read(struct bench *b, uint32_t device)
{
    assert_true(b->n_reads < READS_MAX);
    struct outcome *o = &b->reads[b->n_reads];
    o->read = (weir_read){.id = b->n_reads,
                          .device = device,
                          .intervals = 1,
                          .plans = WEIR_PLAN_DEFAULT,
                          .due = {b->world.now.us - (int64_t)b->n_reads % 1000 - 1},
                          .due_mono = b->world.now,
                          .next_due_us = WEIR_S};
    while (b->n_reads && o->read.due.us <= o[-1].read.due.us)
        o->read.due.us++; /* two of one moment */
    b->n_reads++;
    b->in_read = true;
    weir_source_modbus.read(b->state, &o->read);
    b->in_read = false;
    return o;
}

/* Reads at once and runs for a second. */
static struct outcome *bench_poll(struct bench *b)
{
    struct outcome *o = bench_read(b, 0);
    bench_run(b, WEIR_S);
    return o;
}

static void assert_ended(const struct outcome *o, weir_read_result result, weir_cause cause)
{
    assert_int_equal(o->ended, 1);
    assert_int_equal(o->n_samples, POINTS);
    assert_int_equal(o->result, result);
    assert_int_equal(weir_quality_cause(o->last), cause);
}

static int64_t bench_gap(const struct bench *b, size_t i)
{
    return b->world.network.connected_at[i].us - b->world.network.connected_at[i - 1].us;
}

/* --- connections that cannot be made --- */

static void refused_reads_end_at_once_and_the_pauses_double_up_to_the_longest(void **state)
{
    static const int64_t nominal_ms[] = {500, 1000, 2000, 4000, 8000, 15000, 15000, 15000};
    struct bench *b = bench_new(3, "tcp", "", 1);
    (void)state;
    b->world.network.faults.refuse_connect = 1;
    bench_run(b, 90 * WEIR_S);
    for (size_t i = 0; i < sizeof nominal_ms / sizeof *nominal_ms; i++) {
        const int64_t gap = bench_gap(b, i + 1), longest = nominal_ms[i] * WEIR_MS;
        assert_true(gap <= longest + 5 * WEIR_MS); /* the network's own delay */
        assert_true(gap >= longest * 2 / 3);
    }
    bool spread = false;
    for (size_t i = 6; i < 8; i++)
        spread |= bench_gap(b, i) != bench_gap(b, i + 1);
    assert_true(spread);
    const struct outcome *o = bench_read(b, 0);
    bench_run(b, 5 * WEIR_MS);
    assert_ended(o, WEIR_READ_LINK, WEIR_CAUSE_CONNECT);
    assert_int_equal(b->n_down, 1); /* one line for all of it */
    assert_non_null(strstr(b->why, "connection refused"));
    bench_free(b);
}

static void after_a_good_reply_the_pauses_start_afresh(void **state)
{
    struct bench *b = bench_new(4, "tcp", "", 1);
    (void)state;
    b->world.network.faults.refuse_connect = 1;
    bench_run(b, 60 * WEIR_S);
    b->world.network.faults.refuse_connect = 0;
    bench_run(b, 16 * WEIR_S);
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    assert_int_equal(b->n_up, 1);
    const uint64_t before = b->world.network.connects;
    b->world.network.faults.refuse_connect = b->world.network.faults.drop_link = 1;
    assert_ended(bench_poll(b), WEIR_READ_LINK, WEIR_CAUSE_DISCONNECTED);
    assert_int_equal(b->world.network.connects, before + 1);
    assert_true(b->world.network.connected_at[before].us - b->world.now.us + WEIR_S <=
                520 * WEIR_MS);
    bench_free(b);
}

static void without_descriptors_reads_end_and_it_goes_on_when_there_are_some(void **state)
{
    struct bench *b = bench_new(5, "tcp", "", 1);
    (void)state;
    b->world.network.faults.no_descriptors = true;
    for (int i = 0; i < 20; i++)
        assert_ended(bench_poll(b), WEIR_READ_LINK, WEIR_CAUSE_CONNECT);
    assert_non_null(strstr(b->why, "too many open files"));
    b->world.network.faults.no_descriptors = false;
    bench_run(b, 16 * WEIR_S);
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    assert_int_equal(b->n_down, 1);
    assert_int_equal(b->n_up, 1);
    bench_free(b);
}

static void a_peer_that_accepts_and_drops_is_not_dialled_in_a_storm(void **state)
{
    struct bench *b = bench_new(6, "tcp", "", 1);
    (void)state;
    b->world.network.faults.drop_accepted = true;
    b->world.network.faults.lose_reply = 1;
    for (int i = 0; i < 600; i++)
        assert_int_equal(bench_poll(b)->ended, 1);
    /* A dial after each pause, of 10 s at least in the end, and one for the read that follows. */
    assert_true(b->world.network.connects > 40);
    assert_true(b->world.network.connects < 140);
    bench_free(b);
}

/* --- connections that are lost --- */

static void a_lost_connection_is_bad_once_and_comes_back(void **state)
{
    struct bench *b = bench_new(7, "tcp", "", 1);
    (void)state;
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    b->world.network.faults.drop_link = 1;
    assert_ended(bench_poll(b), WEIR_READ_LINK, WEIR_CAUSE_DISCONNECTED);
    b->world.network.faults.drop_link = 0;
    bench_run(b, WEIR_S);
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    assert_int_equal(b->n_down, 1);
    assert_int_equal(b->n_up, 2);
    assert_non_null(strstr(b->why, "lost: connection reset"));
    bench_free(b);
}

static void an_idle_connection_that_the_device_closes_is_made_again_without_noise(void **state)
{
    struct bench *b = bench_new(8, "tcp", "", 1);
    (void)state;
    for (unsigned i = 1; i <= 10; i++) {
        assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
        sim_network_hang_up(&b->world.network);
        bench_run(b, 10 * WEIR_S);
        assert_int_equal(b->world.network.connects, i);
        assert_int_equal(b->world.network.n_open, 0);
    }
    assert_int_equal(b->n_down, 0);
    assert_int_equal(b->n_up, 1);
    bench_free(b);
}

static void with_close_after_poll_no_connection_outlives_its_reads(void **state)
{
    struct bench *b = bench_new(9, "tcp", ", close_after_poll: true", 3);
    (void)state;
    for (unsigned i = 1; i <= 10; i++) {
        struct outcome *first = bench_read(b, 0);
        bench_run(b, 2 * WEIR_MS); /* somewhere between connecting and the end */
        struct outcome *second = bench_read(b, 1);
        bench_run(b, 5 * WEIR_MS);
        struct outcome *third = bench_read(b, 2);
        bench_run(b, WEIR_S);
        assert_ended(first, WEIR_READ_GOOD, WEIR_CAUSE_NONE);
        assert_ended(second, WEIR_READ_GOOD, WEIR_CAUSE_NONE);
        assert_ended(third, WEIR_READ_GOOD, WEIR_CAUSE_NONE);
        assert_int_equal(b->world.network.n_open, 0);
    }
    assert_true(b->world.network.connects >= 10 && b->world.network.connects <= 30);
    assert_int_equal(b->n_down, 0);
    bench_free(b);
}

/* --- peers that are not what they should be --- */

static void a_web_server_on_the_port_is_named_and_left(void **state)
{
    struct bench *b = bench_new(10, "tcp", "", 1);
    (void)state;
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    b->world.network.faults.banner = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    struct outcome *o = bench_poll(b);
    assert_int_equal(o->ended, 1);
    assert_int_equal(weir_quality_class(o->worst), WEIR_BAD);
    for (int i = 0; i < 60; i++)
        assert_int_equal(bench_poll(b)->ended, 1);
    assert_int_equal(b->n_down, 1);
    assert_non_null(strstr(b->why, "HTTP/1.1 400"));
    assert_true(b->world.network.connects < 20);
    b->world.network.faults.banner = NULL;
    bench_run(b, 20 * WEIR_S);
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    bench_free(b);
}

static void a_wrong_function_code_breaks_the_connection_and_it_recovers(void **state)
{
    struct bench *b = bench_new(11, "tcp", "", 1);
    (void)state;
    b->world.network.faults.wrong_function = true;
    struct outcome *o = bench_poll(b);
    assert_int_equal(o->ended, 1);
    assert_int_equal(weir_quality_class(o->worst), WEIR_BAD);
    assert_int_equal(b->n_down, 1);
    b->world.network.faults.wrong_function = false;
    bench_run(b, 2 * WEIR_S);
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    bench_free(b);
}

/* --- silence --- */

static void a_peer_that_vanished_costs_three_requests_and_a_new_connection(void **state)
{
    static const char *const settings[] = {"", ", retries: 0", ", retries: 2"};
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct bench *b = bench_new(12 + i, "tcp", settings[i], 1);
        assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
        sim_network_vanish(&b->world.network);
        const uint64_t before = b->world.network.requests;
        struct outcome *o;
        do {
            o = bench_poll(b);
            assert_int_equal(o->ended, 1);
        } while (o->result != WEIR_READ_GOOD && b->n_reads < 20);
        assert_int_equal(o->result, WEIR_READ_GOOD);
        assert_in_range(b->world.network.requests - before, 3, 3 + 2); /* 2: of the good read */
        assert_int_equal(b->world.network.connects, 2);
        assert_int_equal(b->n_down, 1);
        assert_non_null(strstr(b->why, "no answer to 3 requests"));
        bench_free(b);
    }
}

static void the_units_behind_a_vanished_gateway_share_one_new_connection(void **state)
{
    struct bench *b = bench_new(15, "rtu+tcp", "", 3);
    (void)state;
    for (uint32_t d = 0; d < DEVICES; d++)
        (void)bench_read(b, d);
    bench_run(b, WEIR_S);
    sim_network_vanish(&b->world.network);
    for (int i = 0; i < 4; i++) {
        for (uint32_t d = 0; d < DEVICES; d++)
            (void)bench_read(b, d);
        bench_run(b, WEIR_S);
    }
    bench_run(b, 5 * WEIR_S);
    for (size_t i = 0; i < b->n_reads; i++)
        assert_int_equal(b->reads[i].ended, 1);
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    assert_int_equal(b->world.network.connects, 2);
    bench_free(b);
}

static void a_gateway_that_answers_for_a_dead_unit_keeps_its_connection(void **state)
{
    struct bench *b = bench_new(16, "tcp", "", 1);
    (void)state;
    b->world.units[1] = SIM_UNIT_DEAD;
    for (int i = 0; i < 20; i++) {
        struct outcome *o = bench_poll(b);
        assert_ended(o, WEIR_READ_SILENT, WEIR_CAUSE_EXCEPTION);
    }
    assert_int_equal(b->world.network.connects, 1);
    bench_free(b);
}

static void replies_that_are_always_late_do_not_cost_the_connection(void **state)
{
    struct bench *b = bench_new(17, "tcp", "", 1);
    (void)state;
    b->world.network.faults = (sim_network_faults){.late_reply = 1, .late_us = timeout_us * 6 / 5};
    for (int i = 0; i < 20; i++)
        assert_int_equal(bench_poll(b)->ended, 1);
    assert_int_equal(b->world.network.connects, 1);
    bench_free(b);
}

/* --- everything at once --- */

static sim_network_faults faults_at_random(weir_random *random)
{
    sim_network_faults f = {.late_us = 500 * WEIR_MS};
    const uint64_t kind = weir_random_below(random, 10);
    f.lose_reply = kind == 1 ? 0.5 : 0.05;
    f.late_reply = kind == 2 ? 0.7 : 0.05;
    f.refuse_connect = kind == 3 ? 0.9 : 0.1;
    f.drop_link = kind == 4 ? 0.3 : 0.01;
    f.drop_accepted = kind == 5;
    f.no_descriptors = kind == 6;
    f.banner = kind == 7 ? "HTTP/1.1 400\r\n" : NULL;
    f.wrong_function = kind == 8;
    return f;
}

static void storm(uint64_t seed, const char *scheme, const char *settings)
{
    struct bench *b = bench_new(seed, scheme, settings, 3);
    weir_random random = {seed};
    for (int i = 0; i < 300; i++) {
        b->world.network.faults = faults_at_random(&random);
        if (weir_random_below(&random, 20) == 0)
            sim_network_vanish(&b->world.network);
        if (weir_random_below(&random, 20) == 0)
            sim_network_hang_up(&b->world.network);
        for (uint64_t n = weir_random_below(&random, 5); n > 0; n--)
            (void)bench_read(b, (uint32_t)weir_random_below(&random, DEVICES));
        bench_run(b, (int64_t)weir_random_below(&random, 2 * WEIR_S));
    }
    b->world.network.faults = (sim_network_faults){0};
    bench_run(b, WEIR_MINUTE);
    /* The connection left over may be dead, unseen until all units are asked and silent. */
    for (uint32_t i = 0; i < 30; i++) {
        (void)bench_read(b, i % DEVICES);
        (void)bench_read(b, (i + 1) % DEVICES);
        bench_run(b, 3 * WEIR_S);
    }
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    for (size_t i = 0; i < b->n_reads; i++) {
        if (b->reads[i].ended != 1 || b->reads[i].n_samples != POINTS)
            fail_msg("seed %llu: read %zu ended %u times with %u samples", (unsigned long long)seed,
                     i, b->reads[i].ended, b->reads[i].n_samples);
    }
    bench_free(b);
}

static void whatever_happens_every_read_ends_once_with_all_its_samples(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 120; seed++) {
        storm(seed, "tcp", "");
        storm(seed, "tcp", ", close_after_poll: true");
        storm(seed, "rtu+tcp", ", retries: 0");
    }
}

static void without_memory_every_read_still_ends(void **state)
{
    struct bench *b = bench_new(300, "tcp", "", 3);
    (void)state;
    bench_run(b, WEIR_S);
    (void)weir_alloc_fail_nth(1, true);
    for (uint32_t i = 0; i < 2 * DEVICES; i++) /* two of each device under way at once */
        (void)bench_read(b, i % DEVICES);
    bench_run(b, WEIR_S);
    (void)weir_alloc_fail_nth(0, false);
    for (size_t i = 0; i < b->n_reads; i++)
        assert_int_equal(b->reads[i].ended, 1);
    assert_ended(bench_poll(b), WEIR_READ_GOOD, WEIR_CAUSE_NONE);
    bench_free(b);
}

static void it_can_be_closed_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t seed = 200; seed < 260; seed++) {
        struct bench *b = bench_new(seed, "tcp", seed % 2 ? ", close_after_poll: true" : "", 3);
        b->world.network.faults = (sim_network_faults){.lose_reply = 0.3, .refuse_connect = 0.3};
        for (uint32_t i = 0; i < 12; i++) {
            (void)bench_read(b, i % DEVICES);
            bench_run(b, (int64_t)(seed * 37 % 101) * 30);
        }
        bench_free(b); /* under the sanitizer: nothing is left, nothing is used after */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_reads_end_at_once_and_the_pauses_double_up_to_the_longest),
        cmocka_unit_test(after_a_good_reply_the_pauses_start_afresh),
        cmocka_unit_test(without_descriptors_reads_end_and_it_goes_on_when_there_are_some),
        cmocka_unit_test(a_peer_that_accepts_and_drops_is_not_dialled_in_a_storm),
        cmocka_unit_test(a_lost_connection_is_bad_once_and_comes_back),
        cmocka_unit_test(an_idle_connection_that_the_device_closes_is_made_again_without_noise),
        cmocka_unit_test(with_close_after_poll_no_connection_outlives_its_reads),
        cmocka_unit_test(a_web_server_on_the_port_is_named_and_left),
        cmocka_unit_test(a_wrong_function_code_breaks_the_connection_and_it_recovers),
        cmocka_unit_test(a_peer_that_vanished_costs_three_requests_and_a_new_connection),
        cmocka_unit_test(the_units_behind_a_vanished_gateway_share_one_new_connection),
        cmocka_unit_test(a_gateway_that_answers_for_a_dead_unit_keeps_its_connection),
        cmocka_unit_test(replies_that_are_always_late_do_not_cost_the_connection),
        cmocka_unit_test(whatever_happens_every_read_ends_once_with_all_its_samples),
        cmocka_unit_test(without_memory_every_read_still_ends),
        cmocka_unit_test(it_can_be_closed_at_any_moment),
    };
    return cmocka_run_group_tests_name("modbus", tests, NULL, NULL);
}

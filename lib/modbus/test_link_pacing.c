/* SPDX-License-Identifier: MIT */
/* Whose turn it is, and the pauses between. */

#include "modbus/test_link.h"

/* Submits without a step, so that the queue fills. */
static void queue_read(bench *b, probe *p, weir_request_class class, uint8_t unit)
{
    *p = (probe){
        .bench = b,
        .request = {
            .unit = unit, .function = 3, .count = 1, .class = class, .on_reply = probe_on_reply}};
    weir_link_submit(b->link, &p->request, b->now);
}

/* Answers the request on the wire; returns its unit. */
static int serve(bench *b)
{
    uint16_t tid = 0;
    int unit = sent_unit(b, &tid);
    if (unit >= 0)
        receive_frame(b, tid, (uint8_t)unit, "03 02 00 01");
    return unit;
}

static void writes_go_before_demands_and_demands_before_polls(void **state)
{
    (void)state;
    bench b;
    probe p[4];
    bench_open(&b, BENCH_CONFIG());
    queue_read(&b, &p[0], WEIR_CLASS_POLL, 1);
    queue_read(&b, &p[1], WEIR_CLASS_POLL, 2);
    queue_read(&b, &p[2], WEIR_CLASS_ON_DEMAND, 3);
    queue_read(&b, &p[3], WEIR_CLASS_WRITE, 4);
    bench_step(&b);
    static const int want[] = {4, 3, 1, 2};
    for (int i = 0; i < 4; i++)
        assert_int_equal(serve(&b), want[i]);
    bench_close(&b);
}

static void units_take_turns_and_each_keeps_its_order(void **state)
{
    (void)state;
    bench b;
    probe p[8];
    static const uint8_t unit[] = {1, 1, 1, 1, 1, 7, 7, 255};
    static const int want[] = {1, 7, 255, 1, 7, 1, 1, 1};
    bench_open(&b, BENCH_CONFIG());
    for (int i = 0; i < 8; i++)
        queue_read(&b, &p[i], WEIR_CLASS_POLL, unit[i]);
    bench_step(&b);
    for (int i = 0; i < 8; i++)
        assert_int_equal(serve(&b), want[i]);
    for (int i = 1; i < 5; i++)
        assert_true(p[i].end_order > p[i - 1].end_order);
    assert_true(p[5].end_order < p[6].end_order);
    bench_close(&b);
}

static void all_256_units_are_served_in_one_round(void **state)
{
    (void)state;
    bench b;
    static probe p[512];
    bool seen[256] = {0};
    bench_open(&b, BENCH_CONFIG());
    for (int i = 0; i < 512; i++)
        queue_read(&b, &p[i], WEIR_CLASS_POLL, (uint8_t)(i / 2));
    bench_step(&b);
    for (int i = 0; i < 256; i++) {
        int unit = serve(&b);
        assert_true(unit >= 0 && !seen[unit]);
        seen[unit] = true;
        b.counted[0] = '\0';
    }
    bench_close(&b);
}

/* A retry waits behind the units whose turn it is. */
static void dead_unit_costs_the_others_one_timeout_at_a_time(void **state)
{
    (void)state;
    bench b;
    probe dead[2], alive[3];
    bench_open(&b, BENCH_CONFIG(.retries = 1));
    queue_read(&b, &dead[0], WEIR_CLASS_POLL, 1);
    queue_read(&b, &dead[1], WEIR_CLASS_POLL, 1);
    for (int i = 0; i < 3; i++)
        queue_read(&b, &alive[i], WEIR_CLASS_POLL, 2);
    bench_step(&b);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sent_unit(&b, NULL), 1);
        bench_wait(&b, WEIR_S);
        assert_int_equal(serve(&b), 2);
    }
    assert_ended(&dead[0], WEIR_REPLY_TIMEOUT);
    for (int i = 0; i < 3; i++)
        assert_good(&alive[i], "00 01");
    bench_close(&b);
}

static void silent_unit_gets_one_place_on_the_wire_until_it_answers(void **state)
{
    (void)state;
    bench b;
    probe dead[8], alive[4];
    uint16_t tid = 0;
    bench_open(&b, BENCH_CONFIG(.max_in_flight = 4));
    for (int i = 0; i < 8; i++)
        queue_read(&b, &dead[i], WEIR_CLASS_POLL, 1);
    bench_step(&b);
    assert_int_equal(weir_link_get_counters(b.link).requests, 4);
    bench_wait(&b, WEIR_MS);
    receive_frame(&b, 0, 1, "03 02 00 00"); /* somebody is there */
    bench_wait(&b, WEIR_S);
    assert_int_equal(weir_link_get_counters(b.link).requests, 5);
    b.n_sent = 0;
    for (int i = 0; i < 4; i++)
        queue_read(&b, &alive[i], WEIR_CLASS_POLL, 2);
    bench_step(&b);
    assert_int_equal(weir_link_get_counters(b.link).requests, 8);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sent_unit(&b, &tid), 2);
        receive_frame(&b, tid, 2, "03 02 00 01");
        assert_good(&alive[i], "00 01");
    }
    receive_reply(&b, &dead[4], "03 02 00 01");
    assert_good(&dead[4], "00 01");
    assert_int_equal(weir_link_get_counters(b.link).requests, 8 + 4);
    bench_close(&b);
}

static void no_more_than_max_in_flight_are_on_the_wire(void **state)
{
    (void)state;
    for (uint16_t max = 0; max <= 20; max++) {
        bench b;
        probe p[20];
        unsigned want = max == 0 ? 1 : max > 16 ? 16 : max;
        bench_open(&b, BENCH_CONFIG(.max_in_flight = max));
        for (int i = 0; i < 20; i++)
            queue_read(&b, &p[i], WEIR_CLASS_POLL, 1);
        bench_step(&b);
        assert_int_equal(b.n_sent, 12 * want);
        receive_reply(&b, &p[0], "03 02 00 01");
        assert_int_equal(b.n_sent, 12 * (want + 1));
        bench_close(&b);
    }
}

/* The first request of a unit may go out at `at` and not a microsecond before. */
static void assert_sent_at(bench *b, int unit, weir_mono at)
{
    assert_int_equal(b->wake.us, at.us);
    b->now.us = at.us - 1;
    bench_step(b);
    assert_int_equal(b->n_sent, 0);
    bench_wait(b, 1);
    assert_int_equal(serve(b), unit);
}

static void pauses_are_kept_to_the_microsecond(void **state)
{
    (void)state;
    bench b;
    probe p[5];
    bench_open(&b, BENCH_CONFIG(.pause_after_connect_us = 500 * WEIR_MS,
                                .pause_between_requests_us = 10 * WEIR_MS,
                                .pause_on_unit_switch_us = 30 * WEIR_MS,
                                .pause_after_write_us = 70 * WEIR_MS));
    weir_mono t = b.now;
    queue_read(&b, &p[0], WEIR_CLASS_POLL, 1);
    bench_step(&b);
    assert_sent_at(&b, 1, weir_mono_add(t, 500 * WEIR_MS));

    queue_read(&b, &p[1], WEIR_CLASS_POLL, 1);
    bench_step(&b);
    assert_sent_at(&b, 1, weir_mono_add(b.now, 10 * WEIR_MS));

    queue_read(&b, &p[2], WEIR_CLASS_POLL, 2);
    bench_step(&b);
    assert_sent_at(&b, 2, weir_mono_add(b.now, 30 * WEIR_MS));

    queue_read(&b, &p[3], WEIR_CLASS_WRITE, 2);
    p[3].request.function = 6;
    p[3].request.data = (const uint8_t *)"\0\1\0\3";
    p[3].request.n_data = 4;
    bench_step(&b);
    bench_wait(&b, 10 * WEIR_MS);
    b.n_sent = 0;
    receive_reply(&b, &p[3], "06 00 01 00 03");
    assert_ended(&p[3], WEIR_REPLY_GOOD);
    queue_read(&b, &p[4], WEIR_CLASS_POLL, 2);
    bench_step(&b);
    assert_sent_at(&b, 2, weir_mono_add(b.now, 70 * WEIR_MS));
    bench_close(&b);
}

static void unit_switch_waits_for_the_wire_to_be_quiet(void **state)
{
    (void)state;
    bench b;
    probe p[3];
    bench_open(&b, BENCH_CONFIG(.max_in_flight = 4, .pause_on_unit_switch_us = 30 * WEIR_MS));
    queue_read(&b, &p[0], WEIR_CLASS_POLL, 1);
    bench_step(&b);
    queue_read(&b, &p[1], WEIR_CLASS_POLL, 2);
    bench_step(&b);
    assert_int_equal(b.n_sent, 12);
    bench_wait(&b, 100 * WEIR_MS);
    receive_reply(&b, &p[0], "03 02 00 01");
    b.n_sent = 0;
    assert_sent_at(&b, 2, weir_mono_add(b.now, 30 * WEIR_MS));
    bench_close(&b);
}

/* ---- other timing while requests are under way ---- */

static void another_timeout_holds_for_what_is_on_the_wire(void **state)
{
    static const int64_t timeouts[] = {200 * WEIR_MS, 3 * WEIR_S};
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench b;
        probe p[2];
        bench_open(&b, BENCH_CONFIG(.max_in_flight = 2));
        ask(&b, &p[0], 1, 3, 0, 1);
        bench_wait(&b, 50 * WEIR_MS);
        ask(&b, &p[1], 2, 3, 0, 1);
        weir_link_set_timing(b.link, BENCH_CONFIG(.max_in_flight = 2, .timeout_us = timeouts[i]));
        bench_step(&b);
        assert_int_equal(b.wake.us, p[0].request.sent_at.us + timeouts[i]);
        bench_wait(&b, timeouts[i] - 50 * WEIR_MS);
        assert_ended(&p[0], WEIR_REPLY_TIMEOUT);
        assert_int_equal(p[1].ends, 0);
        bench_wait(&b, 50 * WEIR_MS);
        assert_ended(&p[1], WEIR_REPLY_TIMEOUT);
        bench_close(&b);
    }
}

static void another_wait_holds_for_who_was_busy(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &p, 1, 3, 0, 1);
    b.n_sent = 0;
    receive_reply(&b, &p, "83 06");
    weir_link_set_timing(b.link, BENCH_CONFIG(.busy_retries_wait_us = 50 * WEIR_MS));
    bench_step(&b);
    assert_sent_at(&b, 1, weir_mono_add(b.now, 50 * WEIR_MS));
    bench_close(&b);
}

static void max_in_flight_grows_and_shrinks(void **state)
{
    (void)state;
    bench b;
    probe p[12];
    bench_open(&b, BENCH_CONFIG());
    for (int i = 0; i < 12; i++)
        queue_read(&b, &p[i], WEIR_CLASS_POLL, 1);
    bench_step(&b);
    assert_int_equal(b.n_sent, 12);
    weir_link_set_timing(b.link, BENCH_CONFIG(.max_in_flight = 4));
    for (int i = 0; i < 8; i++)
        bench_step(&b);
    assert_int_equal(b.n_sent, 4 * 12);
    weir_link_set_timing(b.link, BENCH_CONFIG(.max_in_flight = 2));
    for (int i = 0; i < 3; i++) {
        receive_reply(&b, &p[i], "03 02 00 01");
        assert_int_equal(b.n_sent, (i < 2 ? 4 : 5) * 12);
    }
    bench_close(&b);
}

static void other_pauses_hold_from_the_next_request_on(void **state)
{
    (void)state;
    bench b;
    probe p[2];
    bench_open(&b, BENCH_CONFIG(.pause_between_requests_us = WEIR_S));
    queue_read(&b, &p[0], WEIR_CLASS_POLL, 1);
    bench_step(&b);
    assert_int_equal(serve(&b), 1);
    queue_read(&b, &p[1], WEIR_CLASS_POLL, 1);
    weir_link_set_timing(b.link, BENCH_CONFIG(.pause_between_requests_us = 20 * WEIR_MS));
    bench_step(&b);
    assert_sent_at(&b, 1, weir_mono_add(b.now, 20 * WEIR_MS));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_go_before_demands_and_demands_before_polls),
        cmocka_unit_test(units_take_turns_and_each_keeps_its_order),
        cmocka_unit_test(all_256_units_are_served_in_one_round),
        cmocka_unit_test(dead_unit_costs_the_others_one_timeout_at_a_time),
        cmocka_unit_test(silent_unit_gets_one_place_on_the_wire_until_it_answers),
        cmocka_unit_test(no_more_than_max_in_flight_are_on_the_wire),
        cmocka_unit_test(pauses_are_kept_to_the_microsecond),
        cmocka_unit_test(unit_switch_waits_for_the_wire_to_be_quiet),
        cmocka_unit_test(another_timeout_holds_for_what_is_on_the_wire),
        cmocka_unit_test(another_wait_holds_for_who_was_busy),
        cmocka_unit_test(max_in_flight_grows_and_shrinks),
        cmocka_unit_test(other_pauses_hold_from_the_next_request_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tests of the health of a device: states, demotion, back-off and its jitter. */

#include "engine/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TIMEOUT_QUALITY (weir_bad(WEIR_CAUSE_TIMEOUT, 0))

static const int64_t one_second[] = {WEIR_S};

static weir_device device_of(const int64_t *intervals, uint16_t demote_after)
{
    return (weir_device){.name = "m07",
                         .demote_after_failures = demote_after,
                         .demote_period_us = 60 * WEIR_S,
                         .n_intervals = 1,
                         .intervals = intervals};
}

struct patient {
    weir_device device;
    weir_health health;
    weir_random random;
    int64_t now;
    uint64_t id;
    int64_t down_us;
};

static struct patient patient_of(const int64_t *intervals, uint16_t demote_after)
{
    struct patient p = {.device = device_of(intervals, demote_after), .random = {42}};
    weir_health_init(&p.health, true, (weir_wall){0});
    return p;
}

/* One read, at once answered. */
static weir_health_change patient_read(struct patient *p, weir_read_result result,
                                       weir_quality worst)
{
    weir_health_read_started(&p->health, ++p->id);
    return weir_health_read_done(&p->health, &p->device, p->id, result, worst, (weir_mono){p->now},
                                 (weir_wall){p->now}, &p->random, &p->down_us);
}

static void a_device_goes_through_its_states_with_one_event_each_way(void **state)
{
    (void)state;
    struct patient p = patient_of(one_second, 3);
    static const struct {
        weir_read_result result;
        weir_device_state state;
        weir_health_change change;
    } story[] = {
        {WEIR_READ_GOOD, WEIR_STATE_ONLINE, WEIR_HEALTH_SAME},
        {WEIR_READ_SILENT, WEIR_STATE_DEGRADED, WEIR_HEALTH_SAME},
        {WEIR_READ_SILENT, WEIR_STATE_DEGRADED, WEIR_HEALTH_SAME},
        {WEIR_READ_GOOD, WEIR_STATE_ONLINE, WEIR_HEALTH_SAME},
        {WEIR_READ_SILENT, WEIR_STATE_DEGRADED, WEIR_HEALTH_SAME},
        {WEIR_READ_SILENT, WEIR_STATE_DEGRADED, WEIR_HEALTH_SAME},
        {WEIR_READ_SILENT, WEIR_STATE_OFFLINE, WEIR_HEALTH_DOWN},
        {WEIR_READ_SILENT, WEIR_STATE_OFFLINE, WEIR_HEALTH_SAME},
        {WEIR_READ_LINK, WEIR_STATE_OFFLINE, WEIR_HEALTH_SAME},
        {WEIR_READ_GOOD, WEIR_STATE_ONLINE, WEIR_HEALTH_UP},
        {WEIR_READ_LINK, WEIR_STATE_OFFLINE, WEIR_HEALTH_DOWN},
        {WEIR_READ_SILENT, WEIR_STATE_OFFLINE, WEIR_HEALTH_SAME},
        {WEIR_READ_GOOD, WEIR_STATE_ONLINE, WEIR_HEALTH_UP},
    };
    assert_int_equal(p.health.status.state, WEIR_STATE_CONNECTING);
    for (size_t i = 0; i < sizeof story / sizeof *story; i++) {
        p.now += 100 * WEIR_S;
        assert_int_equal(patient_read(&p, story[i].result, TIMEOUT_QUALITY), story[i].change);
        assert_int_equal(p.health.status.state, story[i].state);
        assert_int_equal(p.health.status.error,
                         story[i].result == WEIR_READ_GOOD ? 0 : TIMEOUT_QUALITY);
    }
    assert_int_equal(p.health.status.last_good.us, p.now);
    assert_int_equal(p.down_us, 200 * WEIR_S);
}

static void the_wait_doubles_up_to_the_longest_within_a_fifth_of_jitter(void **state)
{
    (void)state;
    static const int64_t fast[] = {100 * WEIR_MS}, slow[] = {15 * WEIR_S}, hourly[] = {WEIR_HOUR};
    static const struct {
        const int64_t *intervals;
        int64_t waits_s[9];
    } cases[] = {
        {fast, {1, 2, 4, 8, 16, 32, 60, 60, 60}}, /* base is at least a second */
        {one_second, {1, 2, 4, 8, 16, 32, 60, 60, 60}},
        {slow, {15, 30, 60, 60, 60, 60, 60, 60, 60}},
        {hourly, {60, 60, 60, 60, 60, 60, 60, 60, 60}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double least = 2, most = 0;
        for (uint64_t seed = 0; seed < 200; seed++) {
            struct patient p = patient_of(cases[c].intervals, 1);
            p.random.state = seed;
            for (size_t k = 0; k < 9; k++) {
                patient_read(&p, WEIR_READ_SILENT, TIMEOUT_QUALITY);
                const int64_t wait = p.health.next_probe.us - p.now;
                const double ratio = (double)wait / (double)(cases[c].waits_s[k] * WEIR_S);
                assert_true(ratio >= 0.8 && ratio <= 1.2);
                least = ratio < least ? ratio : least;
                most = ratio > most ? ratio : most;
                assert_false(weir_health_may_read(&p.health, (weir_mono){p.now + wait - 1}));
                p.now += wait;
                assert_true(weir_health_may_read(&p.health, (weir_mono){p.now}));
            }
        }
        assert_true(least < 0.82 && most > 1.18); /* the jitter is really there */
    }
}

static void only_one_probe_is_under_way_and_only_it_moves_the_wait_on(void **state)
{
    (void)state;
    struct patient p = patient_of(one_second, 1);
    weir_health_read_started(&p.health, 1); /* a read begun before the demotion */
    p.id = 1;
    patient_read(&p, WEIR_READ_SILENT, TIMEOUT_QUALITY);
    const weir_mono next = p.health.next_probe;
    weir_health_read_done(&p.health, &p.device, 1, WEIR_READ_SILENT, TIMEOUT_QUALITY,
                          (weir_mono){p.now + 1}, (weir_wall){0}, &p.random, &p.down_us);
    assert_int_equal(p.health.next_probe.us, next.us);
    assert_int_equal(p.health.probes, 0);
    weir_health_read_started(&p.health, 9);
    assert_false(weir_health_may_read(&p.health, weir_mono_add(next, WEIR_HOUR)));
    weir_health_read_done(&p.health, &p.device, 9, WEIR_READ_SILENT, TIMEOUT_QUALITY, next,
                          (weir_wall){0}, &p.random, &p.down_us);
    assert_int_equal(p.health.probes, 1);
}

static void a_lost_connection_neither_demotes_nor_lengthens_the_wait(void **state)
{
    (void)state;
    struct patient p = patient_of(one_second, 3);
    for (int i = 0; i < 50; i++) {
        patient_read(&p, WEIR_READ_LINK, weir_bad(WEIR_CAUSE_CONNECT, 0));
        assert_true(weir_health_may_read(&p.health, (weir_mono){p.now}));
    }
    for (int i = 0; i < 3; i++)
        patient_read(&p, WEIR_READ_SILENT, TIMEOUT_QUALITY);
    assert_false(weir_health_may_read(&p.health, (weir_mono){p.now}));
    for (int i = 0; i < 50; i++) {
        p.now = p.health.next_probe.us;
        patient_read(&p, WEIR_READ_LINK, weir_bad(WEIR_CAUSE_CONNECT, 0));
        assert_true(p.health.delay_us <= 1200 * WEIR_MS);
    }
    assert_false(weir_health_may_read(&p.health, (weir_mono){p.now}));
    weir_health_link_up(&p.health, (weir_mono){p.now});
    assert_true(weir_health_may_read(&p.health, (weir_mono){p.now}));
}

static void a_connection_that_opens_for_each_poll_does_not_wake_the_silent(void **state)
{
    (void)state;
    struct patient p = patient_of(one_second, 1);
    patient_read(&p, WEIR_READ_SILENT, TIMEOUT_QUALITY);
    weir_health_link_up(&p.health, (weir_mono){p.now});
    assert_false(weir_health_may_read(&p.health, (weir_mono){p.now}));
}

static void events_name_the_cause_in_words(void **state)
{
    (void)state;
    const struct {
        uint16_t demote_after;
        weir_read_result result;
        weir_quality worst;
        const char *text;
    } cases[] = {
        {3, WEIR_READ_SILENT, TIMEOUT_QUALITY,
         "m07: no answer in time to 3 polls in a row; next try in "},
        {1, WEIR_READ_SILENT, TIMEOUT_QUALITY, "m07: no answer in time; next try in "},
        {2, WEIR_READ_SILENT, weir_bad(WEIR_CAUSE_EXCEPTION, 11),
         "m07: exception 11 (gateway target device failed to respond) to 2 polls in a row; next "
         "try in "},
        {3, WEIR_READ_LINK, weir_bad(WEIR_CAUSE_CONNECT, 0),
         "m07: cannot connect; read again as soon as the connection is back"},
        {3, WEIR_READ_LINK, 0, "m07: cannot connect; read again as soon as the connection is back"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct patient p = patient_of(one_second, cases[i].demote_after);
        weir_health_change change = WEIR_HEALTH_SAME;
        for (int k = 0; k < 3 && change == WEIR_HEALTH_SAME; k++)
            change = patient_read(&p, cases[i].result, cases[i].worst);
        assert_int_equal(change, WEIR_HEALTH_DOWN);
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_health_describe(&p.health, p.device.name, change, 0, &text);
        assert_memory_equal(weir_text_get(&text), cases[i].text, strlen(cases[i].text));
    }
}

static void every_state_has_its_word(void **state)
{
    (void)state;
    assert_string_equal(weir_device_state_text(WEIR_STATE_CONNECTING), "connecting");
    assert_string_equal(weir_device_state_text(WEIR_STATE_DISABLED), "disabled");
    assert_string_equal(weir_device_state_text((weir_device_state)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_goes_through_its_states_with_one_event_each_way),
        cmocka_unit_test(the_wait_doubles_up_to_the_longest_within_a_fifth_of_jitter),
        cmocka_unit_test(only_one_probe_is_under_way_and_only_it_moves_the_wait_on),
        cmocka_unit_test(a_lost_connection_neither_demotes_nor_lengthens_the_wait),
        cmocka_unit_test(a_connection_that_opens_for_each_poll_does_not_wake_the_silent),
        cmocka_unit_test(events_name_the_cause_in_words),
        cmocka_unit_test(every_state_has_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

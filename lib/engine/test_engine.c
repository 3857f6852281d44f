/* SPDX-License-Identifier: MIT */
/* Tests of the engine: slots, overruns, lateness, back-off and clock under a simulated clock. */

#include "engine/engine.h"

#include "engine/test_bench.h"

#include "base/number.h"
#include "base/random.h"

static void reading_starts_at_the_next_slot_and_keeps_to_wall_clock_multiples(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 5 * WEIR_S);
    b->offset += 1200 * WEIR_MS; /* 00:00:01.2 */
    bench_start(b);
    bench_run(b, 14 * WEIR_S);
    assert_int_equal(b->n_reads, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(b->reads[i].due.us, BENCH_START + (int64_t)(i + 1) * 5 * WEIR_S);
        assert_int_equal(b->reads[i].plans, WEIR_PLAN_DEFAULT);
        assert_int_equal(b->reads[i].next_due_us, 5 * WEIR_S);
        assert_int_equal(b->reads[i].flags, 0);
        assert_int_equal(b->reads[i].due_mono.us + b->offset, b->reads[i].due.us);
        assert_true(b->read_at[i].us >= b->reads[i].due_mono.us);
        assert_true(b->read_at[i].us <= b->reads[i].due_mono.us + 1);
    }
    assert_int_equal(b->n_batches, 3);
    assert_int_equal(weir_engine_overruns(b->engine), 0);
    bench_free(b);
}

static void intervals_that_fall_due_together_share_one_read(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S, 5 * WEIR_S);
    bench_start(b);
    bench_run(b, 10 * WEIR_S + 500 * WEIR_MS);
    assert_int_equal(b->n_reads, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(b->reads[i].intervals, (i + 1) % 5 ? 1 : 3);
        assert_int_equal(b->reads[i].next_due_us, WEIR_S);
    }
    assert_int_equal(b->n_samples, 12);
    bench_free(b);
}

static void an_interval_above_10_s_is_read_once_at_the_start_with_its_read_time(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S, 10 * WEIR_S, 60 * WEIR_S, 3600 * WEIR_S);
    b->offset += 20 * WEIR_S + 300 * WEIR_MS;
    bench_start(b);
    bench_run(b, 500 * WEIR_MS);
    assert_int_equal(b->n_reads, 1);
    assert_int_equal(b->reads[0].intervals, 4 | 8);
    assert_int_equal(b->reads[0].flags, WEIR_BATCH_FIRST_READ);
    assert_int_equal(b->reads[0].due.us, BENCH_START + 20 * WEIR_S + 300 * WEIR_MS);
    assert_int_equal(b->reads[0].next_due_us, 39 * WEIR_S + 700 * WEIR_MS);
    assert_int_equal(b->batches[0].header.flags, WEIR_BATCH_FIRST_READ);
    bench_run(b, 40 * WEIR_S);
    size_t at_minute = 0;
    for (size_t i = 1; i < b->n_reads; i++) {
        assert_int_equal(b->reads[i].flags, 0);
        if (b->reads[i].intervals & 4) {
            assert_int_equal(b->reads[i].due.us, BENCH_START + 60 * WEIR_S);
            assert_int_equal(b->reads[i].intervals, 7);
            at_minute++;
        }
    }
    assert_int_equal(at_minute, 1);
    bench_free(b);
}

static void a_start_on_the_slot_itself_does_not_stamp_two_reads_alike(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 60 * WEIR_S);
    bench_start(b);
    bench_run(b, 61 * WEIR_S);
    assert_int_equal(b->n_reads, 2);
    assert_int_equal(b->reads[0].due.us, BENCH_START);
    assert_int_equal(b->reads[1].due.us, BENCH_START + 60 * WEIR_S);
    bench_free(b);
}

static void slots_that_come_while_the_device_is_still_being_read_are_counted_overruns(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S, 3 * WEIR_S);
    b->behaviour[0].latency_us = 2500 * WEIR_MS;
    bench_start(b);
    bench_run(b, 6500 * WEIR_MS);
    /* read at 1 (1 s), overrun 2, at 3 only the 3 s interval goes, at 4 the 1 s interval, 5 over,
     * at 6 the 3 s interval again */
    const struct {
        int64_t at;
        uint32_t intervals;
    } want[] = {{1, 1}, {3, 2}, {4, 1}, {6, 2}};
    assert_int_equal(b->n_reads, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(b->reads[i].due.us, BENCH_START + want[i].at * WEIR_S);
        assert_int_equal(b->reads[i].intervals, want[i].intervals);
    }
    assert_int_equal(weir_engine_overruns(b->engine), 4); /* 2, 3, 5, 6 of the 1 s interval */
    assert_int_equal(weir_engine_status(b->engine, 0)->overruns, 4);
    bench_free(b);
}

static void a_reply_after_the_next_due_time_is_uncertain_late_and_the_source_keeps_its_samples(
    void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    bench_start(b);
    b->behaviour[0].latency_us = 1000 * WEIR_MS;
    bench_run(b, 2 * WEIR_S);
    b->behaviour[0].latency_us = 1001 * WEIR_MS;
    bench_run(b, 4 * WEIR_S);
    b->behaviour[0].quality = weir_bad(WEIR_CAUSE_EXCEPTION, 2);
    bench_run(b, 2 * WEIR_S);
    assert_true(b->n_batches >= 4);
    assert_int_equal(b->batches[0].first.quality, 0);
    size_t n_late = 0, n_bad = 0;
    for (size_t i = 1; i < b->n_batches; i++) {
        const weir_sample *s = &b->batches[i].first;
        if (weir_quality_class(s->quality) == WEIR_BAD) {
            n_bad++;
            assert_int_equal(s->quality, weir_bad(WEIR_CAUSE_EXCEPTION, 2));
        } else if (s->quality) {
            n_late++;
            assert_int_equal(s->quality, weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_LATE, 0));
            assert_int_equal(s->value.as.i, s->ts.us);
        }
    }
    assert_true(n_late >= 1);
    assert_true(n_bad >= 1);
    bench_free(b);
}

static void a_batch_that_needs_no_mark_is_passed_on_as_it_is(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    bench_start(b);
    const weir_sample sample = {.tag = 1, .ts = {BENCH_START}, .value = weir_value_i64(5)};
    const weir_batch batch = {.n_samples = 1, .due = {BENCH_START}, .samples = &sample};
    weir_engine_deliver(b->engine, &batch, b->now);
    assert_int_equal(b->n_batches, 1);
    assert_ptr_equal(b->batches[0].samples, &sample);
    assert_int_equal(weir_engine_current(b->engine, 0)->sample.value.as.i, 5);
    bench_free(b);
}

static void after_a_pause_of_60_s_there_is_one_read_and_the_missed_slots_are_counted(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    BENCH_ADD(b, 1 * WEIR_S, 10 * WEIR_S);
    bench_start(b);
    bench_run(b, 5500 * WEIR_MS);
    const size_t reads_before = b->n_reads;
    bench_pause(b, 60 * WEIR_S); /* 00:00:05.5 to 00:01:05.5 */
    bench_run(b, 0);
    assert_int_equal(b->n_reads - reads_before, 3);
    for (size_t i = reads_before; i < b->n_reads; i++) {
        const weir_read *read = &b->reads[i];
        const bool slow = read->device == 1 && read->intervals == 2;
        assert_int_equal(read->due.us, BENCH_START + (slow ? 60 : 65) * WEIR_S);
    }
    assert_int_equal(weir_engine_status(b->engine, 0)->overruns, 59);     /* 6 .. 64 */
    assert_int_equal(weir_engine_status(b->engine, 1)->overruns, 59 + 5); /* and 10 .. 50 */
    assert_int_equal(weir_engine_overruns(b->engine), 123);
    bench_run(b, 5 * WEIR_S);
    assert_int_equal(b->n_reads - reads_before, 3 + 5 + 5); /* no burst follows */
    assert_int_equal(b->n_events, 0);
    bench_free(b);
}

/* The slots a device was read at, from one number of read on: consecutive? */
static void assert_consecutive(const bench *b, size_t from, size_t to, int64_t interval)
{
    for (size_t i = from + 1; i < to; i++)
        assert_int_equal(b->reads[i].due.us - b->reads[i - 1].due.us, interval);
}

static void a_wall_step_of_an_hour_is_one_event_and_no_burst(void **state)
{
    (void)state;
    static const struct {
        int64_t step;
        uint32_t epoch;
        const char *text;
    } cases[] = {
        {WEIR_HOUR, 3, "the clock was set forward by 1h"},
        {-WEIR_HOUR, 4, "the clock was set back by 1h; epoch 4 begins"},
        {500 * WEIR_MS, 3, "the clock was set forward by 500ms"},
        {-750 * WEIR_MS, 4, "the clock was set back by 750ms; epoch 4 begins"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bench *b = bench_new();
        b->config.first_epoch = 3;
        BENCH_ADD(b, 1 * WEIR_S);
        bench_start(b);
        bench_run(b, 10300 * WEIR_MS);
        assert_int_equal(b->n_reads, 10);
        b->offset += cases[c].step;
        bench_run(b, 10 * WEIR_S);

        assert_int_equal(b->n_events, 1);
        assert_int_equal(b->events[0].kind, WEIR_EVENT_CLOCK_STEP);
        assert_string_equal(b->events[0].subject, "");
        assert_string_equal(b->events[0].text, cases[c].text);
        /* Slot 11 has come by the old anchor when the step is seen; then the new time counts. */
        assert_int_equal(b->reads[10].due.us, BENCH_START + 11 * WEIR_S);
        assert_int_equal(b->reads[10].epoch, 3);
        assert_consecutive(b, 0, 11, WEIR_S);
        assert_consecutive(b, 11, b->n_reads, WEIR_S);
        assert_in_range(b->n_reads, 19, 21);
        for (size_t i = 11; i < b->n_reads; i++) {
            assert_int_equal(b->reads[i].epoch, cases[c].epoch);
            assert_int_equal(b->reads[i].due.us % WEIR_S, 0);
            const int64_t wall = b->read_at[i].us + b->offset;
            assert_in_range(wall - b->reads[i].due.us, 0, 1);
        }
        assert_int_equal(weir_engine_overruns(b->engine), 0);
        assert_int_equal(b->n_samples, b->n_reads);
        bench_free(b);
    }
}

static void no_identity_of_a_sample_repeats_when_the_clock_goes_back(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    bench_start(b);
    weir_random random = {11};
    for (int i = 0; i < 40; i++) {
        bench_run(b, (int64_t)weir_random_below(&random, 5 * WEIR_S));
        b->offset += (int64_t)weir_random_below(&random, 8 * WEIR_S) - 4 * WEIR_S;
    }
    bench_run(b, 5 * WEIR_S);
    assert_true(b->n_reads > 50);
    for (size_t i = 0; i < b->n_reads; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(b->reads[i].due.us == b->reads[k].due.us &&
                         b->reads[i].epoch == b->reads[k].epoch);
    bench_free(b);
}

static void a_drift_below_half_a_second_neither_repeats_nor_loses_a_slot(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 100 * WEIR_MS);
    b->behaviour[0].latency_us = WEIR_MS;
    bench_start(b);
    weir_random random = {5};
    for (int i = 0; i < 60; i++) {
        bench_run(b, 10 * WEIR_S);
        b->offset += (int64_t)weir_random_below(&random, 980 * WEIR_MS) - 490 * WEIR_MS;
    }
    assert_true(b->n_reads > 5000 && b->n_reads < BENCH_LOG);
    assert_consecutive(b, 0, b->n_reads, 100 * WEIR_MS);
    assert_int_equal(weir_engine_overruns(b->engine), 0);
    assert_int_equal(b->n_events, 0);
    bench_free(b);
}

static void a_reply_on_its_way_during_a_step_keeps_its_slot_and_epoch(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 5 * WEIR_S);
    b->behaviour[0].latency_us = 2 * WEIR_S;
    bench_start(b);
    bench_run(b, 5500 * WEIR_MS);
    b->offset -= WEIR_HOUR;
    bench_run(b, 2 * WEIR_S);
    assert_int_equal(b->n_batches, 1);
    assert_int_equal(b->batches[0].header.epoch, 0);
    assert_int_equal(b->batches[0].header.due.us, BENCH_START + 5 * WEIR_S);
    assert_int_equal(b->batches[0].first.quality, 0);
    bench_free(b);
}

/* Answers the read of these intervals that is under way. */
static void bench_answer_intervals(bench *b, uint32_t intervals)
{
    for (size_t i = 0; i < b->n_pending; i++)
        if (b->pending[i].read.intervals == intervals) {
            const weir_read read = b->pending[i].read;
            b->pending[i] = b->pending[--b->n_pending];
            bench_answer(b, &read);
            return;
        }
    fail_msg("no read of intervals %u is under way", intervals);
}

static void two_reads_of_one_slot_in_two_epochs_are_told_apart(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 2 * WEIR_S, 3 * WEIR_S);
    b->behaviour[0].mute = true;
    bench_start(b);
    bench_run(b, 3500 * WEIR_MS);
    bench_answer_intervals(b, 1); /* slot 2; the read of slot 3 goes on */
    bench_run(b, 1000 * WEIR_MS);
    bench_answer_intervals(b, 1); /* slot 4 */
    bench_run(b, 1600 * WEIR_MS); /* slot 6: only the 2 s interval is free */
    bench_answer_intervals(b, 2); /* slot 3, late */
    b->offset -= 1500 * WEIR_MS;
    bench_run(b, 1500 * WEIR_MS); /* slot 6 again: only the 3 s interval is free */
    assert_int_equal(b->reads[b->n_reads - 1].due.us, BENCH_START + 6 * WEIR_S);
    assert_int_equal(b->reads[b->n_reads - 1].epoch, 1);
    bench_run(b, 900 * WEIR_MS);
    bench_answer_intervals(b, 2); /* in time: 3 s have not passed */
    assert_int_equal(b->batches[b->n_batches - 1].first.quality, 0);
    bench_answer_intervals(b, 1); /* the slot 6 of epoch 0 is more than 2 s ago */
    assert_int_equal(b->batches[b->n_batches - 1].first.quality,
                     weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_LATE, 0));
    bench_free(b);
}

static void samples_of_an_untrusted_clock_are_uncertain_in_an_epoch_of_their_own(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    b->config.first_epoch = 7;
    const int64_t right = b->offset;
    b->offset = 100 * WEIR_DAY - b->now.us; /* 1970-04-11 */
    b->behaviour[0].latency_us = 700 * WEIR_MS;
    bench_start(b);
    bench_run(b, 3500 * WEIR_MS);
    assert_int_equal(b->n_events, 1);
    assert_string_equal(b->events[0].text,
                        "the clock shows 1970-04-11T00:00:00.000000Z, which cannot be true: "
                        "samples are uncertain until it is right. Enable NTP (timedatectl set-ntp "
                        "true), or set the clock (timedatectl set-time); epoch 8 begins");
    const int64_t offset_us = right - b->offset;
    b->offset = right;
    bench_run(b, 5 * WEIR_S);
    assert_int_equal(b->n_events, 2);
    char want[300];
    WEIR_TEXT_AUTO size = WEIR_TEXT_INIT;
    weir_text_add_duration(&size, offset_us);
    snprintf(want, sizeof want,
             "the clock was set forward by %s; times of epoch 8 are moved forward by %s; epoch 9 "
             "begins; the clock is trusted",
             weir_text_get(&size), weir_text_get(&size));
    assert_string_equal(b->events[1].text, want);
    assert_int_equal(b->n_corrections, 1);
    assert_int_equal(b->n_offsets, 1);
    assert_int_equal(b->offsets[0].epoch, 8);
    assert_int_equal(b->offsets[0].offset_us, offset_us);
    size_t n_uncertain = 0, n_good = 0;
    for (size_t i = 0; i < b->n_batches; i++) {
        const struct bench_batch *batch = &b->batches[i];
        const bool untrusted = batch->header.epoch == 8;
        assert_true(untrusted || batch->header.epoch == 9);
        assert_int_equal(batch->first.quality,
                         untrusted ? weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_CLOCK, 0) : 0);
        assert_int_equal(batch->first.value.as.i, batch->first.ts.us);
        assert_int_equal(batch->header.flags, untrusted ? WEIR_BATCH_CLOCK_UNTRUSTED : 0);
        n_uncertain += untrusted;
        n_good += !untrusted;
    }
    assert_int_equal(n_uncertain, 4); /* the fourth reply came after the correction */
    assert_true(n_good >= 3);
    bench_free(b);
}

static void a_bad_sample_stays_bad_whatever_the_clock(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    b->offset = 0;
    b->behaviour[0].quality = weir_bad(WEIR_CAUSE_EXCEPTION, 4);
    bench_start(b);
    bench_run(b, 2500 * WEIR_MS);
    assert_int_equal(b->n_batches, 2);
    assert_int_equal(b->batches[1].first.quality, weir_bad(WEIR_CAUSE_EXCEPTION, 4));
    bench_free(b);
}

static void a_clock_that_becomes_wrong_while_running_begins_an_epoch_too(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    bench_start(b);
    bench_run(b, 2500 * WEIR_MS);
    b->offset += 10 * 365 * WEIR_DAY;
    bench_run(b, 2 * WEIR_S);
    b->offset -= 10 * 365 * WEIR_DAY;
    bench_run(b, 2 * WEIR_S);
    assert_int_equal(b->n_events, 2);
    assert_non_null(strstr(b->events[0].text,
                           "; epoch 1 begins; it shows 2035-12-30T00:00:03.000000Z, which cannot"));
    assert_non_null(
        strstr(b->events[1].text, "; times of epoch 1 are moved back by 3650d; epoch 2 begins"));
    assert_int_equal(b->n_offsets, 1);
    assert_int_equal(b->offsets[0].offset_us, -3650 * WEIR_DAY);
    bench_free(b);
}

static void a_start_before_the_newest_stored_sample_begins_an_epoch(void **state)
{
    (void)state;
    static const struct {
        int64_t newest;
        uint32_t epoch;
    } cases[] = {{0, 2}, {BENCH_START, 2}, {BENCH_START + WEIR_HOUR, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench *b = bench_new();
        BENCH_ADD(b, 1 * WEIR_S);
        b->config.first_epoch = 2;
        b->config.newest_committed.us = cases[i].newest;
        bench_start(b);
        bench_run(b, 1500 * WEIR_MS);
        assert_int_equal(b->reads[0].epoch, cases[i].epoch);
        assert_int_equal(b->n_events, cases[i].epoch == 3);
        assert_int_equal(b->batches[0].first.quality, 0);
        bench_free(b);
    }
}

static void every_untrusted_epoch_of_a_run_gets_its_own_offset(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    const int64_t right = b->offset;
    static const int64_t wrong[] = {0, 5 * 365 * WEIR_DAY, 5 * 365 * WEIR_DAY - WEIR_HOUR};
    b->offset = wrong[0];
    bench_start(b);
    bench_run(b, 2500 * WEIR_MS);
    for (size_t i = 1; i < 3; i++) { /* set, but not right yet */
        b->offset = wrong[i];
        bench_run(b, 2500 * WEIR_MS);
    }
    assert_int_equal(b->n_events, 3);
    assert_int_equal(b->n_corrections, 0);
    assert_int_equal(weir_engine_clock(b->engine).doubt, WEIR_CLOCK_IMPLAUSIBLE);
    b->offset = right;
    bench_run(b, 2500 * WEIR_MS);
    assert_int_equal(b->n_events, 4);
    assert_int_equal(b->n_corrections, 1);
    assert_int_equal(b->n_offsets, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(b->offsets[i].epoch, i + 1);
        assert_int_equal(b->offsets[i].offset_us, right - wrong[i]);
    }
    /* What is right is left alone, and what goes wrong again is corrected by itself. */
    b->offset = wrong[0];
    bench_run(b, 2500 * WEIR_MS);
    b->offset = right;
    bench_run(b, 2500 * WEIR_MS);
    assert_int_equal(b->n_offsets, 4);
    assert_int_equal(b->offsets[3].epoch, 5);
    assert_int_equal(b->offsets[3].offset_us, right - wrong[0]);
    bench_free(b);
}

static void what_is_looked_at_moves_along_with_the_clock(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    BENCH_ADD(b, 900 * WEIR_S);
    BENCH_ADD(b, 900 * WEIR_S);
    b->behaviour[2].latency_us = 12 * WEIR_S; /* its first reply comes after the correction */
    const int64_t right = b->offset, begun = b->now.us;
    b->offset = 0;
    bench_start(b);
    bench_run(b, 4500 * WEIR_MS);
    weir_clock_state clock = weir_engine_clock(b->engine);
    assert_int_equal(clock.doubt, WEIR_CLOCK_IMPLAUSIBLE);
    assert_int_equal(clock.since.us, begun);
    assert_int_equal(clock.epoch, 1);
    assert_false(clock.corrected);
    b->offset = WEIR_DAY; /* wrong still */
    bench_run(b, 4500 * WEIR_MS);
    assert_int_equal(weir_engine_clock(b->engine).since.us, begun + WEIR_DAY);
    assert_int_equal(weir_engine_current(b->engine, 1)->sample.ts.us, begun + WEIR_DAY);
    b->offset = right;
    bench_run(b, 4500 * WEIR_MS);

    clock = weir_engine_clock(b->engine);
    assert_int_equal(clock.doubt, WEIR_CLOCK_TRUSTED);
    assert_true(clock.corrected);
    assert_int_equal(clock.offset_us, right - WEIR_DAY);
    assert_in_range(clock.since.us, begun + right + 9 * WEIR_S, begun + right + 10 * WEIR_S);
    for (uint32_t tag = 1; tag < 3; tag++) {
        const weir_current *current = weir_engine_current(b->engine, tag);
        const int64_t latency_us = b->behaviour[tag].latency_us;
        assert_int_equal(current->sample.ts.us, begun + right);
        assert_int_equal(current->received.us, begun + right + latency_us);
        assert_int_equal(weir_quality_cause(current->sample.quality), WEIR_CAUSE_CLOCK);
    }
    const weir_device_status *status = weir_engine_status(b->engine, 1);
    assert_int_equal(status->since.us, begun + right + 10 * WEIR_MS);
    assert_int_equal(status->last_good.us, begun + right + 10 * WEIR_MS);
    bench_free(b);
}

static void times_from_before_the_clock_went_wrong_do_not_move(void **state)
{
    (void)state;
    static const int64_t steps[] = {10 * 365 * WEIR_DAY, -BENCH_START};
    for (size_t i = 0; i < 2; i++) {
        bench *b = bench_new();
        BENCH_ADD(b, 900 * WEIR_S);
        bench_start(b);
        bench_run(b, 4500 * WEIR_MS);
        const weir_device_status before = *weir_engine_status(b->engine, 0);
        b->offset += steps[i];
        bench_run(b, 4500 * WEIR_MS);
        b->offset -= steps[i];
        bench_run(b, 4500 * WEIR_MS);
        assert_int_equal(b->n_corrections, 1);
        assert_int_equal(weir_engine_current(b->engine, 0)->sample.ts.us, BENCH_START);
        assert_int_equal(weir_engine_status(b->engine, 0)->since.us, before.since.us);
        assert_int_equal(weir_engine_status(b->engine, 0)->last_good.us, before.last_good.us);
        bench_free(b);
    }
}

static void all_times_of_a_batch_are_of_one_clock(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 5 * WEIR_S);
    b->behaviour[0].latency_us = 2 * WEIR_S;
    const int64_t right = b->offset;
    b->offset = 0;
    bench_start(b);
    bench_run(b, 5500 * WEIR_MS);
    b->offset = right;
    bench_run(b, 2 * WEIR_S); /* the bench answers by the clock now in force */
    assert_int_equal(b->n_batches, 1);
    const weir_batch *batch = &b->batches[0].header;
    assert_int_equal(batch->epoch, 1);
    assert_int_equal(batch->due.us, 1005 * WEIR_S);
    assert_int_equal(batch->received.us, 1007 * WEIR_S);
    assert_int_equal(batch->anchor_us, 0);
    assert_int_equal(batch->sent.us, 0); /* none: stays none */
    bench_free(b);
}

static void with_ntp_a_clock_is_trusted_once_the_kernel_says_it_is_synchronized(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    b->config.host.synchronized = bench_synchronized;
    bench_start(b);
    bench_run(b, 3500 * WEIR_MS);
    assert_int_equal(weir_engine_clock(b->engine).doubt, WEIR_CLOCK_UNSYNCHRONIZED);
    assert_int_equal(b->n_events, 1);
    assert_non_null(strstr(b->events[0].text, "and the kernel says that it is not synchronized"));
    b->offset += 200 * WEIR_MS; /* NTP slews, and says at the end that it is done */
    b->synchronized = true;
    bench_run(b, 3 * WEIR_S);
    assert_int_equal(weir_engine_clock(b->engine).doubt, WEIR_CLOCK_TRUSTED);
    assert_int_equal(b->n_events, 2);
    assert_non_null(strstr(b->events[1].text, "the clock is synchronized; times of epoch 1 are"));
    assert_int_equal(b->n_offsets, 1);
    assert_in_range(b->offsets[0].offset_us, 100 * WEIR_MS, 200 * WEIR_MS);
    size_t n_trusted = 0;
    for (size_t i = 0; i < b->n_batches; i++) {
        const bool is_trusted = b->batches[i].header.epoch == 2;
        n_trusted += is_trusted;
        assert_int_equal(b->batches[i].header.flags, is_trusted ? 0 : WEIR_BATCH_CLOCK_UNTRUSTED);
    }
    assert_in_range(n_trusted, 2, 3);

    /* Without its server it drifts, and is trusted; set by hand it is not. */
    b->synchronized = false;
    bench_run(b, WEIR_HOUR);
    assert_int_equal(weir_engine_clock(b->engine).doubt, WEIR_CLOCK_TRUSTED);
    b->offset += WEIR_HOUR;
    bench_run(b, 2 * WEIR_S);
    assert_int_equal(weir_engine_clock(b->engine).doubt, WEIR_CLOCK_UNSYNCHRONIZED);
    b->offset -= WEIR_HOUR;
    b->synchronized = true;
    bench_run(b, 2 * WEIR_S);
    assert_int_equal(weir_engine_clock(b->engine).doubt, WEIR_CLOCK_TRUSTED);
    assert_int_equal(b->n_offsets, 2);
    assert_int_equal(b->offsets[1].offset_us, -WEIR_HOUR);

    /* Synchronized with what cannot be true, or by waiting: no. */
    b->offset += 20 * 365 * WEIR_DAY;
    bench_run(b, 5 * WEIR_S);
    assert_int_equal(weir_engine_clock(b->engine).doubt, WEIR_CLOCK_IMPLAUSIBLE);
    assert_int_equal(b->n_corrections, 2);
    bench_free(b);
}

static void a_start_after_an_untrusted_epoch_takes_the_next(void **state)
{
    (void)state;
    static const struct {
        bool corrected, wrong;
        const char *text;
    } cases[] = {
        {false, false,
         "the clock was not trusted when the last run ended, and nobody saw it set: times of epoch "
         "4 stay as they are, its samples uncertain; epoch 5 begins"},
        {true, false, "the clock was not trusted when the last run ended; epoch 5 begins"},
        {false, true, "the clock shows 1970-01-01T00:16:40.000000Z, which cannot be true: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench *b = bench_new();
        BENCH_ADD(b, 1 * WEIR_S);
        b->config.first_epoch = 4;
        b->config.epoch_untrusted = true;
        b->config.epoch_corrected = cases[i].corrected;
        b->config.newest_committed.us = BENCH_START - WEIR_DAY;
        if (cases[i].wrong)
            b->offset = 0;
        bench_start(b);
        bench_run(b, 1500 * WEIR_MS);
        assert_int_equal(b->n_events, 1);
        assert_int_equal(strncmp(b->events[0].text, cases[i].text, strlen(cases[i].text)), 0);
        assert_int_equal(b->reads[0].epoch, 5);
        assert_int_equal(b->batches[0].header.flags,
                         cases[i].wrong ? WEIR_BATCH_CLOCK_UNTRUSTED : 0);
        bench_free(b);
    }
}

static void what_is_disabled_is_not_read_and_yields_nothing(void **state)
{
    (void)state;
    bench *b = bench_new();
    b->catalog.n_connections = 2;
    b->connections[1] = (weir_connection){.name = "off", .enabled = false};
    BENCH_ADD(b, 1 * WEIR_S, 60 * WEIR_S)->enabled = false;
    BENCH_ADD(b, 1 * WEIR_S, 60 * WEIR_S)->connection = 1;
    BENCH_ADD(b, 1 * WEIR_S);
    bench_start(b);
    bench_run(b, 3500 * WEIR_MS);
    assert_int_equal(b->n_reads, 3);
    assert_int_equal(b->n_batches, 3);
    assert_int_equal(weir_engine_status(b->engine, 0)->state, WEIR_STATE_DISABLED);
    assert_int_equal(weir_engine_status(b->engine, 1)->state, WEIR_STATE_DISABLED);
    assert_int_equal(weir_engine_status(b->engine, 2)->state, WEIR_STATE_ONLINE);
    assert_null(weir_engine_current(b->engine, 0));
    bench_free(b);
}

static void an_engine_without_devices_still_looks_at_the_clock_each_second(void **state)
{
    (void)state;
    bench *b = bench_new();
    bench_start(b);
    bench_run(b, 10 * WEIR_S);
    b->offset += WEIR_HOUR;
    bench_run(b, WEIR_S);
    assert_int_equal(b->n_wakes, 12);
    assert_int_equal(b->n_events, 1);
    bench_free(b);
}

static void a_dead_device_delays_no_other_and_gets_a_bad_sample_for_every_slot(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    BENCH_ADD(b, 1 * WEIR_S);
    b->behaviour[0] = (struct bench_device){.latency_us = 300 * WEIR_MS,
                                            .result = WEIR_READ_SILENT,
                                            .quality = weir_bad(WEIR_CAUSE_TIMEOUT, 0)};
    bench_start(b);
    bench_run(b, 600 * WEIR_S + 500 * WEIR_MS);
    size_t n[2] = {0, 0}, n_batches[2] = {0, 0};
    for (size_t i = 0; i < b->n_reads; i++) {
        n[b->reads[i].device]++;
        assert_in_range(b->read_at[i].us - b->reads[i].due_mono.us, 0, 1);
    }
    for (size_t i = 0; i < b->n_batches; i++) {
        const weir_batch *header = &b->batches[i].header;
        const int64_t slot = BENCH_START + (int64_t)++n_batches[header->device] * WEIR_S;
        assert_int_equal(header->due.us, slot);
        assert_int_equal(b->batches[i].first.ts.us, slot);
        if (header->device == 0) {
            assert_int_equal(b->batches[i].first.quality, weir_bad(WEIR_CAUSE_TIMEOUT, 0));
            assert_int_equal(b->batches[i].first.value.kind, WEIR_KIND_NULL);
            assert_int_equal(header->sent.us, 0);
        }
    }
    assert_int_equal(n[1], 600);
    /* 3 to demote, then 1, 2, 4, 8, 16, 32, 60, 60 ... seconds apart: some 15 in ten minutes. */
    assert_in_range(n[0], 15, 22);
    assert_int_equal(n_batches[0], 600);
    assert_int_equal(n_batches[1], 600);
    assert_int_equal(weir_engine_status(b->engine, 0)->skipped, 600 - n[0]);
    assert_int_equal(weir_engine_overruns(b->engine), 0);
    assert_int_equal(b->n_events, 1);
    assert_string_equal(b->events[0].subject, "m00");
    assert_string_equal(b->events[0].text,
                        "m00: no answer in time to 3 polls in a row; next try in 1s");

    b->behaviour[0] = (struct bench_device){.latency_us = 10 * WEIR_MS};
    bench_run(b, 80 * WEIR_S);
    assert_int_equal(b->n_events, 2);
    assert_int_equal(b->events[1].kind, WEIR_EVENT_DEVICE_UP);
    assert_memory_equal(b->events[1].text, "m00: answers again after ", 25);
    assert_int_equal(weir_engine_status(b->engine, 0)->state, WEIR_STATE_ONLINE);
    assert_int_equal(weir_engine_status(b->engine, 0)->error, 0);
    bench_free(b);
}

static void all_tags_of_a_skipped_slot_get_their_bad_sample_elements_included(void **state)
{
    (void)state;
    bench *b = bench_new();
    weir_device *device = BENCH_ADD(b, 1 * WEIR_S, 7 * WEIR_S);
    ((weir_point *)device->points)[0].count = 3;
    ((uint32_t *)device->point_tag)[1] = 3;
    b->catalog.n_tags = 4;
    device->n_tags = 4;
    for (uint32_t i = 0; i < 4; i++)
        b->tags[i].uid = 10 + i;
    device->demote_after_failures = 1;
    b->behaviour[0] = (struct bench_device){.result = WEIR_READ_SILENT,
                                            .quality = weir_bad(WEIR_CAUSE_EXCEPTION, 11)};
    b->offset += 6500 * WEIR_MS;
    b->behaviour[0].mute = true;
    bench_start(b);
    bench_run(b, WEIR_S); /* slot 7: both intervals */
    assert_int_equal(b->n_pending, 1);
    const weir_read read = b->pending[0].read;
    b->n_pending = 0;
    weir_engine_read_done(b->engine, &read, WEIR_READ_SILENT, b->behaviour[0].quality, b->now);
    assert_string_equal(b->events[0].text,
                        "m00: exception 11 (gateway target device failed to respond); next try "
                        "in 1s");
    bench_run(b, 600 * WEIR_MS); /* slot 8: not yet tried again */
    assert_int_equal(b->n_batches, 1);
    assert_int_equal(b->batches[0].header.n_samples, 3);
    assert_int_equal(b->batches[0].first.tag, 10);
    assert_int_equal(b->batches[0].first.quality, weir_bad(WEIR_CAUSE_EXCEPTION, 11));
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(weir_engine_current(b->engine, i)->sample.ts.us, BENCH_START + 8 * WEIR_S);
    assert_null(weir_engine_current(b->engine, 3));
    bench_free(b);
}

static void a_lost_connection_is_told_once_and_read_on(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    bench_start(b);
    bench_run(b, 2500 * WEIR_MS);
    b->behaviour[0].result = WEIR_READ_LINK;
    b->behaviour[0].quality = weir_bad(WEIR_CAUSE_CONNECT, 0);
    bench_run(b, 100 * WEIR_S);
    assert_int_equal(b->n_reads, 102);
    assert_int_equal(b->n_events, 1);
    assert_string_equal(b->events[0].text,
                        "m00: cannot connect; read again as soon as the connection is back");
    const weir_device_status *status = weir_engine_status(b->engine, 0);
    assert_int_equal(status->state, WEIR_STATE_OFFLINE);
    assert_int_equal(status->error, weir_bad(WEIR_CAUSE_CONNECT, 0));
    assert_int_equal(status->skipped, 0);
    b->behaviour[0].result = WEIR_READ_GOOD;
    b->behaviour[0].quality = 0;
    bench_run(b, 1 * WEIR_S);
    assert_int_equal(b->n_events, 2);
    assert_string_equal(b->events[1].text, "m00: answers again after 1m40s");
    bench_free(b);
}

static void a_connection_that_comes_back_ends_the_wait_of_a_device_that_went_with_it(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    b->behaviour[0].result = WEIR_READ_SILENT;
    b->behaviour[0].quality = weir_bad(WEIR_CAUSE_TIMEOUT, 0);
    bench_start(b);
    bench_run(b, 300 * WEIR_S);
    b->behaviour[0].result = WEIR_READ_LINK;
    bench_run(b, 150 * WEIR_S);
    const size_t before = b->n_reads;
    b->behaviour[0].result = WEIR_READ_GOOD;
    b->behaviour[0].quality = 0;
    weir_engine_link(b->engine, 0, true, b->now);
    bench_run(b, 1100 * WEIR_MS);
    assert_int_equal(b->n_reads, before + 1);
    assert_int_equal(weir_engine_status(b->engine, 0)->state, WEIR_STATE_ONLINE);
    bench_free(b);
}

static void slack_gathers_the_wake_ups_of_odd_intervals_and_fires_none_early(void **state)
{
    (void)state;
    static const int64_t intervals[7] = {100, 103, 250, 333, 500, 999, 1000};
    size_t wakes[2];
    for (int with_slack = 0; with_slack < 2; with_slack++) {
        bench *b = bench_new();
        for (size_t i = 0; i < BENCH_DEVICES; i++) {
            BENCH_ADD(b, intervals[i % 7] * WEIR_MS);
            b->behaviour[i].latency_us = WEIR_MS;
        }
        b->config.timer_slack_us = with_slack ? 10 * WEIR_MS : 1;
        bench_start(b);
        for (int i = 0; i < 60; i++) {
            b->n_reads = 0;
            bench_run(b, WEIR_S);
            assert_true(b->n_reads < BENCH_LOG);
            for (size_t k = 0; k < b->n_reads; k++)
                assert_in_range(b->read_at[k].us - b->reads[k].due_mono.us, 0,
                                with_slack ? 10 * WEIR_MS : 1);
        }
        assert_int_equal(weir_engine_overruns(b->engine), 0);
        wakes[with_slack] = b->n_wakes;
        bench_free(b);
    }
    /* Without slack every instant at which something is due is a wake-up: some 27 a second. */
    assert_in_range(wakes[0], 60 * 23, 60 * 29);
    assert_in_range(wakes[1], 60 * 10, wakes[0] * 9 / 10);
}

static void slack_is_at_most_a_tenth_of_the_shortest_interval(void **state)
{
    (void)state;
    bench *b = bench_new();
    b->config.timer_slack_us = 0; /* the default */
    BENCH_ADD(b, 20 * WEIR_MS);
    bench_start(b);
    bench_run(b, WEIR_S);
    assert_int_equal(b->n_reads, 49);
    for (size_t i = 0; i < b->n_reads; i++)
        assert_int_equal(b->read_at[i].us - b->reads[i].due_mono.us, 2 * WEIR_MS);
    bench_free(b);
}

/*
 * An independent model: every millisecond is looked at, and a slot is what the remainder says.
 * One interval of one device.
 */
struct model {
    int64_t interval_ms;
    size_t n_waiting; /* slots that came since the engine was last called */
    int64_t last_ms;  /* the last of them */
    int64_t busy_until;
    size_t overruns;
};

static void model_tick(struct model *m, int64_t wall_ms)
{
    if (wall_ms % m->interval_ms)
        return;
    m->n_waiting++;
    m->last_ms = wall_ms;
}

/* Now the engine is called: true, a read of slot last_ms goes out. */
static bool model_called(struct model *m, int64_t wall_ms, int64_t latency_ms)
{
    if (m->n_waiting == 0)
        return false;
    const bool busy = wall_ms < m->busy_until;
    m->overruns += m->n_waiting - !busy;
    m->n_waiting = 0;
    if (!busy)
        m->busy_until = wall_ms + latency_ms;
    return !busy;
}

/* Takes the read of this device, interval and slot out of the log; false: there is none. */
static bool bench_take_read(bench *b, uint32_t device, uint32_t interval, int64_t slot_us)
{
    for (size_t i = 0; i < b->n_reads; i++)
        if (b->reads[i].device == device && b->reads[i].due.us == slot_us &&
            (b->reads[i].intervals & 1u << interval)) {
            b->reads[i].intervals &= ~(1u << interval);
            return true;
        }
    return false;
}

enum { MODEL_DEVICES = 6, MODEL_INTERVALS = 3, MODEL_MS = 30000 };

static void compare_with_the_model(uint64_t seed)
{
    weir_random random = {seed};
    bench *b = bench_new();
    struct model models[MODEL_DEVICES][MODEL_INTERVALS] = {0};
    for (uint32_t d = 0; d < MODEL_DEVICES; d++) {
        int64_t intervals[MODEL_INTERVALS], at = 0;
        for (uint32_t i = 0; i < MODEL_INTERVALS; i++) {
            at += 1 + (int64_t)weir_random_below(&random, i ? 3000 : 400);
            models[d][i].interval_ms = at;
            intervals[i] = at * WEIR_MS;
        }
        bench_add(b, MODEL_INTERVALS, intervals);
        b->behaviour[d].latency_us = (int64_t)(1 + weir_random_below(&random, 500)) * WEIR_MS;
    }
    b->offset += (int64_t)weir_random_below(&random, 100000) * WEIR_MS;
    bench_start(b);
    bench_step(b);
    int64_t paused_until = 0;
    for (int64_t ms = 1; ms <= MODEL_MS; ms++) {
        b->now.us += WEIR_MS;
        const int64_t wall_ms = bench_wall(b).us / WEIR_MS;
        for (uint32_t d = 0; d < MODEL_DEVICES; d++)
            for (uint32_t i = 0; i < MODEL_INTERVALS; i++)
                model_tick(&models[d][i], wall_ms);
        if (weir_random_below(&random, 4000) == 0)
            paused_until = ms + (int64_t)weir_random_below(&random, 6000);
        if (ms < paused_until)
            continue;
        b->n_reads = 0;
        bench_answer_due(b, b->now);
        bench_step(b);
        for (uint32_t d = 0; d < MODEL_DEVICES; d++)
            for (uint32_t i = 0; i < MODEL_INTERVALS; i++)
                if (model_called(&models[d][i], wall_ms, b->behaviour[d].latency_us / WEIR_MS) &&
                    !bench_take_read(b, d, i, models[d][i].last_ms * WEIR_MS))
                    fail_msg("seed %llu, ms %lld: device %u interval %u was not read",
                             (unsigned long long)seed, (long long)ms, d, i);
        for (size_t k = 0; k < b->n_reads; k++)
            if (b->reads[k].intervals)
                fail_msg("seed %llu, ms %lld: device %u was read beyond the model",
                         (unsigned long long)seed, (long long)ms, b->reads[k].device);
    }
    for (uint32_t d = 0; d < MODEL_DEVICES; d++) {
        size_t overruns = 0;
        for (uint32_t i = 0; i < MODEL_INTERVALS; i++)
            overruns += models[d][i].overruns;
        assert_int_equal(weir_engine_status(b->engine, d)->overruns, overruns);
    }
    bench_free(b);
}

static void what_is_read_equals_a_model_that_looks_at_every_millisecond(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        compare_with_the_model(seed);
}

static void an_engine_short_of_memory_says_so_and_leaks_nothing(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S);
    size_t failures = 0;
    for (size_t nth = 1;; nth++) {
        weir_alloc_fail_nth(nth, false);
        weir_error error = WEIR_ERROR_INIT;
        const weir_err err = weir_engine_new(&b->config, b->now, bench_wall(b), &b->engine, &error);
        weir_alloc_fail_nth(0, false);
        if (err == WEIR_OK)
            break;
        assert_int_equal(err, WEIR_ENOMEM);
        assert_null(b->engine);
        assert_true(error.text[0]);
        failures++;
    }
    assert_true(failures >= 5);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_starts_at_the_next_slot_and_keeps_to_wall_clock_multiples),
        cmocka_unit_test(intervals_that_fall_due_together_share_one_read),
        cmocka_unit_test(an_interval_above_10_s_is_read_once_at_the_start_with_its_read_time),
        cmocka_unit_test(a_start_on_the_slot_itself_does_not_stamp_two_reads_alike),
        cmocka_unit_test(slots_that_come_while_the_device_is_still_being_read_are_counted_overruns),
        cmocka_unit_test(
            a_reply_after_the_next_due_time_is_uncertain_late_and_the_source_keeps_its_samples),
        cmocka_unit_test(a_batch_that_needs_no_mark_is_passed_on_as_it_is),
        cmocka_unit_test(after_a_pause_of_60_s_there_is_one_read_and_the_missed_slots_are_counted),
        cmocka_unit_test(a_wall_step_of_an_hour_is_one_event_and_no_burst),
        cmocka_unit_test(no_identity_of_a_sample_repeats_when_the_clock_goes_back),
        cmocka_unit_test(a_drift_below_half_a_second_neither_repeats_nor_loses_a_slot),
        cmocka_unit_test(a_reply_on_its_way_during_a_step_keeps_its_slot_and_epoch),
        cmocka_unit_test(two_reads_of_one_slot_in_two_epochs_are_told_apart),
        cmocka_unit_test(samples_of_an_untrusted_clock_are_uncertain_in_an_epoch_of_their_own),
        cmocka_unit_test(a_bad_sample_stays_bad_whatever_the_clock),
        cmocka_unit_test(a_clock_that_becomes_wrong_while_running_begins_an_epoch_too),
        cmocka_unit_test(a_start_before_the_newest_stored_sample_begins_an_epoch),
        cmocka_unit_test(every_untrusted_epoch_of_a_run_gets_its_own_offset),
        cmocka_unit_test(what_is_looked_at_moves_along_with_the_clock),
        cmocka_unit_test(times_from_before_the_clock_went_wrong_do_not_move),
        cmocka_unit_test(all_times_of_a_batch_are_of_one_clock),
        cmocka_unit_test(with_ntp_a_clock_is_trusted_once_the_kernel_says_it_is_synchronized),
        cmocka_unit_test(a_start_after_an_untrusted_epoch_takes_the_next),
        cmocka_unit_test(what_is_disabled_is_not_read_and_yields_nothing),
        cmocka_unit_test(an_engine_without_devices_still_looks_at_the_clock_each_second),
        cmocka_unit_test(a_dead_device_delays_no_other_and_gets_a_bad_sample_for_every_slot),
        cmocka_unit_test(all_tags_of_a_skipped_slot_get_their_bad_sample_elements_included),
        cmocka_unit_test(a_lost_connection_is_told_once_and_read_on),
        cmocka_unit_test(a_connection_that_comes_back_ends_the_wait_of_a_device_that_went_with_it),
        cmocka_unit_test(slack_gathers_the_wake_ups_of_odd_intervals_and_fires_none_early),
        cmocka_unit_test(slack_is_at_most_a_tenth_of_the_shortest_interval),
        cmocka_unit_test(what_is_read_equals_a_model_that_looks_at_every_millisecond),
        cmocka_unit_test(an_engine_short_of_memory_says_so_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tests of the inbox. */

#include "runtime/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

struct seen {
    size_t n_batches, n_events;
    char order[64];
    weir_sample samples[8];
    char text[64];
    char subject[32];
    weir_epoch_offset offsets[4];
    size_t n_offsets;
    size_t fail_at; /* the n-th record fails once; 0: none */
};

static weir_err on_batch(void *data, const weir_batch *batch)
{
    struct seen *seen = data;
    if (seen->fail_at && --seen->fail_at == 0)
        return WEIR_ENOMEM;
    seen->order[strlen(seen->order)] = 'b';
    seen->n_batches++;
    for (size_t i = 0; i < batch->n_samples && i < 8; i++)
        seen->samples[i] = batch->samples[i];
    if (batch->n_samples && batch->samples[0].value.kind == WEIR_KIND_STRING)
        (void)snprintf(seen->text, sizeof seen->text, "%.*s", (int)batch->samples[0].value.length,
                       batch->samples[0].value.as.text);
    return WEIR_OK;
}

static weir_err on_event(void *data, const weir_event *event)
{
    struct seen *seen = data;
    seen->order[strlen(seen->order)] = 'e';
    seen->n_events++;
    (void)snprintf(seen->subject, sizeof seen->subject, "%s", event->subject);
    return WEIR_OK;
}

static weir_err on_correction(void *data, const weir_correction *correction)
{
    struct seen *seen = data;
    seen->order[strlen(seen->order)] = 'c';
    seen->n_offsets = correction->n_offsets;
    for (size_t i = 0; i < correction->n_offsets && i < 4; i++)
        seen->offsets[i] = correction->offsets[i];
    (void)snprintf(seen->subject, sizeof seen->subject, "%s", correction->event.subject);
    (void)snprintf(seen->text, sizeof seen->text, "%s", correction->event.text);
    return WEIR_OK;
}

static weir_inbox_visitor visitor_of(struct seen *seen)
{
    return (weir_inbox_visitor){seen, on_batch, on_event, on_correction};
}

static void count_wake(void *data)
{
    ++*(int *)data;
}

static weir_batch batch_of(const weir_sample *samples, uint32_t n)
{
    return (weir_batch){.catalog_revision = 1, .samples = samples, .n_samples = n};
}

static void what_is_put_comes_out_in_order_with_its_contents(void **state)
{
    weir_inbox inbox;
    struct seen seen = {0};
    const weir_inbox_visitor visitor = visitor_of(&seen);
    char text[] = "door open";
    const weir_sample samples[] = {{.tag = 7, .value = weir_value_string(text, strlen(text))},
                                   {.tag = 8, .value = weir_value_f64(230.1)}};
    const weir_batch batch = batch_of(samples, 2);
    const weir_event event = {{5}, WEIR_EVENT_DEVICE_DOWN, "m07", "silent"};
    (void)state;
    assert_int_equal(weir_inbox_init(&inbox, 1 << 20, NULL, NULL), WEIR_OK);
    assert_true(weir_inbox_put_batch(&inbox, &batch));
    assert_true(weir_inbox_put_event(&inbox, &event, false));
    assert_true(weir_inbox_put_batch(&inbox, &batch));
    memset(text, 'x', sizeof text - 1); /* the inbox has copies */

    weir_inbox_taken taken = weir_inbox_take(&inbox);
    assert_int_equal(weir_inbox_bytes(&inbox), 0);
    assert_int_equal(weir_inbox_each(&taken, &visitor), WEIR_OK);
    weir_inbox_release(&inbox, &taken);
    assert_string_equal(seen.order, "beb");
    assert_string_equal(seen.text, "door open");
    assert_string_equal(seen.subject, "m07");
    assert_int_equal(seen.samples[1].tag, 8);
    assert_true(seen.samples[1].value.as.f64 == 230.1);
    weir_inbox_deinit(&inbox);
}

static void at_the_limit_the_newest_is_refused_and_counted(void **state)
{
    weir_inbox inbox;
    struct seen seen = {0};
    const weir_inbox_visitor visitor = visitor_of(&seen);
    weir_sample samples[100] = {{.tag = 1}};
    const weir_batch batch = batch_of(samples, 100);
    size_t kept = 0;
    (void)state;
    assert_int_equal(weir_inbox_init(&inbox, 10000, NULL, NULL), WEIR_OK);
    while (weir_inbox_put_batch(&inbox, &batch))
        kept++;
    assert_int_equal(kept, 3); /* some 3300 bytes each */
    weir_inbox_taken taken = weir_inbox_take(&inbox);
    assert_int_equal(taken.refused, 100);
    assert_int_equal(weir_inbox_each(&taken, &visitor), WEIR_OK);
    assert_int_equal(seen.n_batches, 3);
    weir_inbox_release(&inbox, &taken);
    assert_true(weir_inbox_put_batch(&inbox, &batch)); /* room again */
    weir_inbox_deinit(&inbox);
}

static void a_record_that_fails_is_not_lost(void **state)
{
    weir_inbox inbox;
    struct seen seen = {.fail_at = 2};
    const weir_inbox_visitor visitor = visitor_of(&seen);
    const weir_sample sample = {.tag = 1};
    const weir_batch batch = batch_of(&sample, 1);
    (void)state;
    assert_int_equal(weir_inbox_init(&inbox, 1 << 20, NULL, NULL), WEIR_OK);
    for (int i = 0; i < 3; i++)
        assert_true(weir_inbox_put_batch(&inbox, &batch));
    weir_inbox_taken taken = weir_inbox_take(&inbox);
    assert_int_equal(weir_inbox_each(&taken, &visitor), WEIR_ENOMEM);
    assert_int_equal(seen.n_batches, 1);
    assert_int_equal(weir_inbox_each(&taken, &visitor), WEIR_OK);
    assert_int_equal(seen.n_batches, 3);
    weir_inbox_release(&inbox, &taken);
    weir_inbox_deinit(&inbox);
}

static void urgent_and_much_wake_the_store_thread_once(void **state)
{
    weir_inbox inbox;
    int wakes = 0;
    weir_sample samples[1000] = {{.tag = 1}};
    const weir_batch batch = batch_of(samples, 1000);
    const weir_event event = {{5}, WEIR_EVENT_CONFIG, "", "applied"};
    (void)state;
    assert_int_equal(weir_inbox_init(&inbox, 1 << 24, count_wake, &wakes), WEIR_OK);
    assert_true(weir_inbox_put_batch(&inbox, &batch));
    assert_int_equal(wakes, 0);
    assert_true(weir_inbox_put_event(&inbox, &event, true));
    assert_int_equal(wakes, 1);
    assert_true(weir_inbox_put_event(&inbox, &event, true));
    assert_int_equal(wakes, 1);
    weir_inbox_taken taken = weir_inbox_take(&inbox);
    assert_true(taken.urgent);
    weir_inbox_release(&inbox, &taken);
    for (int i = 0; i < 100; i++) /* 3.2 MB */
        assert_true(weir_inbox_put_batch(&inbox, &batch));
    assert_int_equal(wakes, 2);
    weir_inbox_deinit(&inbox);
}

static void memory_that_is_short_refuses_and_counts(void **state)
{
    weir_inbox inbox;
    const weir_sample sample = {.tag = 1};
    const weir_batch batch = batch_of(&sample, 1);
    (void)state;
    assert_int_equal(weir_inbox_init(&inbox, 1 << 20, NULL, NULL), WEIR_OK);
    (void)weir_alloc_fail_nth(1, false);
    assert_false(weir_inbox_put_batch(&inbox, &batch));
    (void)weir_alloc_fail_nth(0, false);
    assert_true(weir_inbox_put_batch(&inbox, &batch));
    weir_inbox_taken taken = weir_inbox_take(&inbox);
    assert_int_equal(taken.refused, 1);
    weir_inbox_release(&inbox, &taken);
    weir_inbox_deinit(&inbox);
}

static void a_correction_is_urgent_and_taken_by_a_full_inbox_too(void **state)
{
    weir_inbox inbox;
    struct seen seen = {0};
    const weir_inbox_visitor visitor = visitor_of(&seen);
    int wakes = 0;
    const weir_sample sample = {.tag = 1};
    const weir_batch batch = batch_of(&sample, 1);
    weir_epoch_offset offsets[] = {{1, 1795219200000000}, {2, -5}};
    char text[] = "the clock was set";
    const weir_correction correction = {{{5}, WEIR_EVENT_CLOCK_STEP, "", text}, 2, offsets};
    (void)state;
    assert_int_equal(weir_inbox_init(&inbox, 1000, count_wake, &wakes), WEIR_OK);
    while (weir_inbox_put_batch(&inbox, &batch))
        ;
    assert_int_equal(wakes, 0);
    assert_true(weir_inbox_put_correction(&inbox, &correction));
    assert_int_equal(wakes, 1);
    offsets[0].epoch = 99; /* the inbox has copies */
    text[0] = 'x';

    weir_inbox_taken taken = weir_inbox_take(&inbox);
    assert_true(taken.urgent);
    assert_int_equal(weir_inbox_each(&taken, &visitor), WEIR_OK);
    weir_inbox_release(&inbox, &taken);
    assert_int_equal(seen.order[strlen(seen.order) - 1], 'c');
    assert_int_equal(seen.n_offsets, 2);
    assert_int_equal(seen.offsets[0].epoch, 1);
    assert_int_equal(seen.offsets[0].offset_us, 1795219200000000);
    assert_int_equal(seen.offsets[1].offset_us, -5);
    assert_string_equal(seen.text, "the clock was set");
    weir_inbox_deinit(&inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_correction_is_urgent_and_taken_by_a_full_inbox_too),
        cmocka_unit_test(what_is_put_comes_out_in_order_with_its_contents),
        cmocka_unit_test(at_the_limit_the_newest_is_refused_and_counted),
        cmocka_unit_test(a_record_that_fails_is_not_lost),
        cmocka_unit_test(urgent_and_much_wake_the_store_thread_once),
        cmocka_unit_test(memory_that_is_short_refuses_and_counts),
    };
    return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}

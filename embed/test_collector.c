/* SPDX-License-Identifier: MIT */
/* The library as a program sees it: real threads, a store in memory, nothing but public headers. */

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/weir.h>

#include <cmocka.h>

/* Long enough for a slow machine with sanitizers; only a failure lasts as long. */
#define WAIT_S 30

static void wait_for(sem_t *sem)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    assert_int_equal(sem_timedwait(sem, &until), 0);
}

/* One device with points "a" and "b" behind uri, read each 50 ms. */
static weir_err load(weir_collector *c, const char *uri, const char *sink, weir_error *error)
{
    weir_draft *b = weir_draft_new();
    weir_entry *top = weir_draft_top(b);
    weir_entry_set(top, "data_dir", "memory");
    weir_entry_set(weir_entry_map(top, "store"), "max_loss", "100ms");
    weir_entry *connection = weir_entry_add(top, "connections");
    weir_entry_set(connection, "name", "line");
    weir_entry_set(connection, "uri", uri);
    weir_entry *device = weir_entry_add(top, "devices");
    weir_entry_set(device, "name", "m");
    weir_entry_set(device, "connection", "line");
    weir_entry_set(device, "interval", "50ms");
    weir_entry_set(weir_entry_map(device, "labels"), "building", "A \"east\"");
    weir_entry *a = weir_entry_add(device, "points");
    weir_entry_set(a, "name", "a");
    weir_entry_set(a, "unit", "kW");
    weir_entry_set(weir_entry_map(a, "labels"), "area", "7");
    weir_entry_set(weir_entry_add(device, "points"), "name", "b");
    if (sink) {
        weir_entry *s = weir_entry_add(top, "sinks");
        weir_entry_set(s, "name", "out");
        weir_entry_set(s, "type", sink);
    }
    const weir_err err = weir_collector_load_draft(c, b, error);
    weir_draft_free(b);
    return err;
}

static weir_collector *collector_new(void)
{
    weir_collector *c = NULL;
    assert_int_equal(weir_collector_new(NULL, &c, NULL), WEIR_OK);
    return c;
}

/* --- options -------------------------------------------------------------------------------- */

static void options_of_another_version_are_taken_as_far_as_they_are_known(void **state)
{
    struct {
        weir_collector_options options;
        char more[16];
    } newer = {.options = {.struct_size = sizeof newer}};
    weir_collector_options none = {.struct_size = 0};
    const size_t size = offsetof(weir_collector_options, seed);
    weir_collector_options older = {.struct_size = size, .data_dir = "memory", .seed = 7};
    weir_error error = WEIR_ERROR_INIT;
    weir_collector *c = NULL;
    (void)state;
    assert_int_equal(weir_collector_new(&none, &c, &error), WEIR_EINVAL);
    assert_non_null(strstr(error.text, "struct_size"));
    assert_int_equal(weir_collector_new(&older, &c, &error), WEIR_OK);
    assert_int_equal(weir_collector_close(c), WEIR_OK);
    assert_int_equal(weir_collector_new(&newer.options, &c, &error), WEIR_OK);
    assert_int_equal(weir_collector_close(c), WEIR_OK);
    newer.more[3] = 1;
    assert_int_equal(weir_collector_new(&newer.options, &c, &error), WEIR_EUNSUPPORTED);
}

/* --- loading -------------------------------------------------------------------------------- */

static void count_problems(void *data, weir_log_level level, const char *event, const char *subject,
                           const char *text)
{
    (void)level;
    (void)subject;
    (void)text;
    if (!strcmp(event, "problem"))
        ++*(int *)data;
}

static void every_problem_is_told_and_what_was_loaded_stays(void **state)
{
    static const char text[] = "data_dir: memory\nconections: []\n"
                               "devices: [{name: m, connection: x, points: [{name: a}]}]\n";
    int n = 0;
    const weir_collector_options options = {
        .struct_size = sizeof options, .data = &n, .on_log = count_problems};
    weir_error error = WEIR_ERROR_INIT;
    weir_collector *c = NULL;
    (void)state;
    assert_int_equal(weir_collector_new(&options, &c, NULL), WEIR_OK);
    assert_int_equal(load(c, "random:", NULL, &error), WEIR_OK);
    assert_int_equal(weir_collector_load_text(c, text, strlen(text), "plant", &error),
                     WEIR_ECONFIG);
    assert_non_null(strstr(error.text, "plant:2:1: unknown key 'conections'"));
    assert_true(n > 1);
    assert_int_equal(weir_collector_count_tags(c), 2);
    assert_non_null(weir_collector_find_tag(c, "m/a"));
    assert_null(weir_collector_find_tag(c, "m/c"));
    assert_int_equal(weir_collector_load_file(c, "/nowhere/weir.yaml", &error), WEIR_ECONFIG);
    assert_int_equal(load(c, "own:nobody", NULL, &error), WEIR_ECONFIG);
    assert_non_null(strstr(error.text, "bring sources of their own"));
    assert_int_equal(weir_collector_close(c), WEIR_OK);
}

/* --- life ----------------------------------------------------------------------------------- */

struct seen {
    sem_t batch, stage;
    atomic_int stages[WEIR_AFTER_EXPIRY + 1];
    atomic_int refused, found, plan_stages;
    _Atomic uint64_t plans; /* that were due in any batch */
    bool call_back;
};

static void see_stage(void *data, weir_collector *c, weir_stage stage, const char *plan)
{
    struct seen *s = data;
    if (plan) {
        assert_string_equal(plan, "fast");
        atomic_fetch_add(&s->plan_stages, 1);
        return;
    }
    atomic_fetch_add(&s->stages[stage], 1);
    if (s->call_back)
        atomic_fetch_add(&s->refused, weir_collector_stop(c, NULL) == WEIR_EPERM);
}

static void see_batch(void *data, weir_collector *c, const weir_batch_view *batch)
{
    struct seen *s = data;
    weir_error error = WEIR_ERROR_INIT;
    weir_current_sample current;
    weir_values *values = NULL;
    weir_samples *samples = NULL;
    weir_plan_info plan = {.struct_size = sizeof plan};
    const weir_tag_info *tag = weir_collector_tag(c, batch->samples[0].tag);
    atomic_fetch_or(&s->plans, batch->plans);
    if (tag && !strcmp(tag->name, "m/a") && !strcmp(tag->unit, "kW") && !strcmp(tag->device, "m") &&
        !strcmp(tag->labels_json, "{\"area\":\"7\",\"building\":\"A \\\"east\\\"\"}") &&
        tag->n_labels == 2 && !strcmp(tag->labels[0].value, "7") &&
        !strcmp(batch->connection, "line"))
        atomic_fetch_add(&s->found, 1);
    if (s->call_back) {
        const weir_err errs[] = {
            weir_collector_stop(c, &error),
            weir_collector_pause(c, &error),
            weir_collector_close(c),
            weir_collector_current(c, "m/a", &current, &error),
            weir_collector_values(c, &values, &error),
            weir_collector_samples(c, "m/a", batch->due, batch->due, &samples, &error),
            weir_collector_load_file(c, "x.yaml", &error),
            weir_plan_pause(c, "fast", &error),
            weir_plan_find(c, "fast", &plan, &error),
        };
        for (size_t i = 0; i < sizeof errs / sizeof *errs; i++)
            atomic_fetch_add(&s->refused, errs[i] == WEIR_EPERM);
    }
    (void)sem_post(&s->batch);
}

static void seen_init(struct seen *s, weir_collector *c)
{
    const weir_listener listener = {
        .struct_size = sizeof listener, .data = s, .on_stage = see_stage, .on_batch = see_batch};
    assert_int_equal(sem_init(&s->batch, 0, 0), 0);
    assert_int_equal(weir_collector_listen(c, &listener, NULL), WEIR_OK);
}

static void life_goes_through_its_stages_and_may_begin_again(void **state)
{
    struct seen s = {0};
    weir_collector *c = collector_new();
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    assert_int_equal(weir_collector_start(c, &error), WEIR_EINVAL); /* nothing loaded */
    seen_init(&s, c);
    assert_int_equal(load(c, "random:", "noop", &error), WEIR_OK);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(weir_collector_start(c, &error), WEIR_OK);
        assert_int_equal(weir_collector_start(c, &error), WEIR_EINVAL);
        wait_for(&s.batch);
        assert_int_equal(weir_collector_resume(c, &error), WEIR_EINVAL);
        assert_int_equal(weir_collector_pause(c, &error), WEIR_OK);
        assert_int_equal(weir_collector_pause(c, &error), WEIR_EINVAL);
        assert_int_equal(weir_collector_get_state(c), WEIR_COLLECTOR_PAUSED);
        assert_int_equal(weir_collector_resume(c, &error), WEIR_OK);
        while (sem_trywait(&s.batch) == 0)
            ;
        wait_for(&s.batch);
        assert_int_equal(weir_collector_stop(c, &error), WEIR_OK);
        assert_int_equal(weir_collector_stop(c, &error), WEIR_EINVAL);
        for (int k = WEIR_BEFORE_START; k <= WEIR_AFTER_STOP; k++)
            assert_int_equal(s.stages[k], i);
    }
    assert_true(s.found > 0);
    assert_int_equal(weir_collector_close(c), WEIR_OK);
    assert_int_equal(s.stages[WEIR_AFTER_CLOSE], 1);
}

static void listener_that_would_wait_for_itself_is_refused(void **state)
{
    struct seen s = {.call_back = true};
    weir_collector *c = collector_new();
    (void)state;
    seen_init(&s, c);
    assert_int_equal(load(c, "random:", NULL, NULL), WEIR_OK);
    assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
    wait_for(&s.batch);
    assert_int_equal(weir_collector_stop(c, NULL), WEIR_OK);
    assert_true(s.refused >= 9 + 4); /* of a batch, and of the four stages told so far */
    assert_int_equal(s.refused % 9, 4);
    s.call_back = false;
    assert_int_equal(weir_collector_close(c), WEIR_OK);
}

static void current_values_and_history_show_what_was_read(void **state)
{
    struct seen s = {0};
    weir_collector *c = collector_new();
    weir_error error = WEIR_ERROR_INIT;
    weir_current_sample current;
    weir_values *values = NULL;
    weir_device_info device = {.struct_size = sizeof device};
    const weir_tag_info *tag = NULL;
    (void)state;
    seen_init(&s, c);
    assert_int_equal(load(c, "random:", NULL, NULL), WEIR_OK);
    assert_int_equal(weir_collector_current(c, "m/a", &current, &error), WEIR_EINVAL);
    assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
    wait_for(&s.batch);
    assert_int_equal(weir_collector_current(c, "m/a", &current, &error), WEIR_OK);
    assert_int_equal(current.sample.value.kind, WEIR_KIND_F64);
    assert_int_equal(weir_collector_current(c, "m/z", &current, &error), WEIR_ENOTFOUND);
    assert_int_equal(weir_collector_device(c, "m", &device, &error), WEIR_OK);
    assert_string_equal(device.state, "online");
    assert_int_equal(weir_collector_device(c, "n", &device, &error), WEIR_ENOTFOUND);
    assert_int_equal(weir_collector_values(c, &values, &error), WEIR_OK);
    assert_int_equal(weir_values_count(values), 2);
    assert_true(weir_values_get(values, 1, &tag, &current));
    assert_string_equal(tag->name, "m/b");
    assert_false(weir_values_get(values, 2, &tag, &current));

    size_t n = 0; /* committed each 100 ms, while it goes on */
    for (int64_t last = INT64_MIN; n < 5; n = 0, last = INT64_MIN) {
        weir_samples *samples = NULL;
        weir_sample sample;
        bool any = true;
        const weir_wall from = {0}, to = {INT64_MAX};
        assert_int_equal(weir_collector_samples(c, "m/a", from, to, &samples, &error), WEIR_OK);
        for (; any; n += any) {
            assert_int_equal(weir_samples_next(samples, &sample, &any, &error), WEIR_OK);
            assert_true(!any || sample.ts.us > last);
            last = any ? sample.ts.us : last;
        }
        weir_samples_free(samples);
        if (n >= 5)
            break;
        wait_for(&s.batch);
    }
    assert_int_equal(weir_collector_stop(c, NULL), WEIR_OK);
    assert_true(weir_values_get(values, 0, &tag, &current)); /* outlives the run */
    weir_values_free(values);
    assert_int_equal(weir_collector_close(c), WEIR_OK);
}

static const char two_devices[] =
    "data_dir: memory\nstore: {max_loss: 100ms}\nconnections: [{name: line, uri: 'random:'}]\n"
    "devices:\n"
    "  - {name: m, connection: line, interval: 50ms, points: [{name: a, unit: kW}, {name: b}]}\n"
    "  - {name: n, connection: line, interval: 50ms, points: [{name: c}]}\n";

static void see_second(void *data, weir_collector *c, const weir_batch_view *batch)
{
    const weir_tag_info *tag = weir_collector_tag(c, batch->samples[0].tag);
    assert_non_null(tag);
    assert_string_equal(tag->device, batch->device);
    if (!strcmp(batch->device, "n") && !strcmp(tag->name, "n/c"))
        (void)sem_post(data);
}

static void loading_while_it_runs_applies_what_is_different(void **state)
{
    sem_t second;
    const weir_listener listener = {
        .struct_size = sizeof listener, .data = &second, .on_batch = see_second};
    weir_collector *c = collector_new();
    weir_error error = WEIR_ERROR_INIT;
    weir_current_sample current;
    (void)state;
    assert_int_equal(sem_init(&second, 0, 0), 0);
    assert_int_equal(weir_collector_listen(c, &listener, NULL), WEIR_OK);
    assert_int_equal(load(c, "random:", "noop", NULL), WEIR_OK);
    assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
    const weir_tag_info *before = weir_collector_find_tag(c, "m/a");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            weir_collector_load_text(c, two_devices, strlen(two_devices), NULL, &error), WEIR_OK);
        assert_int_equal(weir_collector_count_tags(c), 3);
        assert_int_equal(weir_collector_find_tag(c, "m/a")->uid, before->uid);
        wait_for(&second);
        assert_int_equal(weir_collector_current(c, "n/c", &current, &error), WEIR_OK);
        /* The same again changes nothing; what is wrong neither. */
        assert_int_equal(
            weir_collector_load_text(c, two_devices, strlen(two_devices), NULL, &error), WEIR_OK);
        assert_int_equal(weir_collector_load_text(c, "devices: 3", 10, NULL, &error), WEIR_ECONFIG);
        assert_int_equal(weir_collector_count_tags(c), 3);
        assert_int_equal(load(c, "random:", "noop", &error), WEIR_OK);
        assert_int_equal(weir_collector_count_tags(c), 2);
        assert_int_equal(weir_collector_current(c, "n/c", &current, &error), WEIR_ENOTFOUND);
    }
    assert_string_equal(before->name, "m/a"); /* lives until the close */
    assert_int_equal(weir_collector_close(c), WEIR_OK);
}

static void plans_are_begun_and_ended_by_the_program(void **state)
{
    static const char *const tags[] = {"m/*"}, *const nothing[] = {"x/*"};
    weir_plan_options fast = {.struct_size = sizeof fast,
                              .name = "fast",
                              .id = 7,
                              .n_tags = 1,
                              .tags = tags,
                              .interval_us = 20 * WEIR_MS};
    struct seen s = {0};
    weir_collector *c = collector_new();
    weir_error error = WEIR_ERROR_INIT;
    weir_plan_info info = {.struct_size = sizeof info};
    (void)state;
    seen_init(&s, c);
    assert_int_equal(load(c, "random:", NULL, NULL), WEIR_OK);
    assert_int_equal(weir_plan_begin(c, &fast, &error), WEIR_EINVAL); /* does not run */
    assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
    assert_int_equal(weir_plan_find(c, "fast", &info, &error), WEIR_ENOTFOUND);
    assert_int_equal(weir_plan_begin(c, &fast, &error), WEIR_OK);
    assert_int_equal(weir_plan_begin(c, &fast, &error), WEIR_EINUSE);
    assert_int_equal(weir_plan_find(c, "fast", &info, &error), WEIR_OK);
    assert_string_equal(info.state, "running");
    assert_int_equal(info.id, 7);
    assert_int_equal(info.n_tags, 2);
    assert_int_equal(info.expires.us - info.started.us, WEIR_DAY); /* unless said otherwise */
    while (!(s.plans >> info.bit & 1))
        wait_for(&s.batch);
    assert_int_equal(weir_plan_pause(c, "fast", &error), WEIR_OK);
    assert_int_equal(weir_plan_resume(c, "fast", &error), WEIR_OK);
    assert_int_equal(weir_plan_collect(c, "fast", 2, 0, &error), WEIR_OK);
    assert_int_equal(weir_plan_collect(c, "fast", 0, 0, &error), WEIR_EINVAL);
    assert_int_equal(weir_plan_stop(c, "fast", &error), WEIR_OK);
    assert_int_equal(weir_plan_stop(c, "slow", &error), WEIR_ENOTFOUND);
    assert_int_equal(weir_plan_stop(c, "default", &error), WEIR_EINVAL);
    assert_int_equal(weir_plan_at(c, 0, &info, &error), WEIR_OK);
    assert_string_equal(info.name, "default");
    assert_int_equal(s.plan_stages, 2 * 4); /* before and after start, pause, resume, stop */
    fast.name = "none";
    fast.tags = nothing;
    assert_int_equal(weir_plan_begin(c, &fast, &error), WEIR_ENOTFOUND);
    fast.cron = "0 99 * * * *";
    assert_int_equal(weir_plan_begin(c, &fast, &error), WEIR_EINVAL);
    assert_int_equal(weir_collector_close(c), WEIR_OK);
}

/* --- own sources ---------------------------------------------------------------------------- */

struct own {
    sem_t reading, go; /* go: what the read waits for */
    atomic_int opened, closed, interrupted;
    bool fail_open, block;
    char text[16];
};

static weir_err own_open(void *data, const char *connection, void **ret_state, weir_error *error)
{
    struct own *o = data;
    assert_string_equal(connection, "line");
    if (o->fail_open)
        return weir_fail(error, WEIR_ECONNECT, "nobody is there");
    atomic_fetch_add(&o->opened, 1);
    *ret_state = o;
    return WEIR_OK;
}

static weir_outcome own_read(void *state, const weir_own_read *read, weir_sample *samples)
{
    struct own *o = state;
    assert_int_equal(read->n, 2);
    (void)sem_post(&o->reading);
    if (o->block)
        while (sem_wait(&o->go) != 0)
            ;
    for (size_t i = 0; i < read->n; i++) {
        assert_int_equal(samples[i].tag, read->tags[i]->uid);
        assert_int_equal(weir_quality_class(samples[i].quality), WEIR_BAD);
    }
    (void)memcpy(o->text, "same memory", 11);
    samples[0].value = weir_value_string(o->text, 11);
    samples[0].quality = 0;
    return WEIR_OUTCOME_ANSWERED; /* b stays bad */
}

static void own_interrupt(void *state)
{
    struct own *o = state;
    atomic_fetch_add(&o->interrupted, 1);
    (void)sem_post(&o->go);
}

static void own_close(void *state)
{
    struct own *o = state;
    atomic_fetch_add(&o->closed, 1);
    (void)memset(o->text, 'x', sizeof o->text);
}

static weir_collector *own_collector(struct own *o)
{
    const weir_own_source source = {.struct_size = sizeof source,
                                    .name = "mine",
                                    .data = o,
                                    .open = own_open,
                                    .read = own_read,
                                    .interrupt = own_interrupt,
                                    .close = own_close};
    weir_collector *c = collector_new();
    assert_int_equal(sem_init(&o->reading, 0, 0), 0);
    assert_int_equal(sem_init(&o->go, 0, 0), 0);
    assert_int_equal(weir_collector_add_source(c, &source, NULL), WEIR_OK);
    assert_int_equal(weir_collector_add_source(c, &source, NULL), WEIR_EINVAL); /* twice */
    assert_int_equal(load(c, "own:mine", NULL, NULL), WEIR_OK);
    return c;
}

static void own_source_gives_values_and_what_it_leaves_is_bad(void **state)
{
    struct own o = {0};
    struct seen s = {0};
    weir_collector *c = own_collector(&o);
    weir_current_sample current;
    (void)state;
    seen_init(&s, c);
    assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
    wait_for(&s.batch);
    assert_int_equal(weir_collector_current(c, "m/a", &current, NULL), WEIR_OK);
    assert_int_equal(current.sample.value.kind, WEIR_KIND_STRING);
    assert_int_equal(current.sample.value.length, 11);
    assert_memory_equal(current.sample.value.as.text, "same memory", 11);
    assert_int_equal(weir_collector_current(c, "m/b", &current, NULL), WEIR_OK);
    assert_int_equal(current.sample.quality, weir_bad(WEIR_CAUSE_NA, 0));
    assert_int_equal(weir_collector_close(c), WEIR_OK);
    assert_int_equal(o.opened, 1);
    assert_int_equal(o.closed, 1);
}

static void own_source_that_blocks_holds_up_nothing_and_is_interrupted_at_the_end(void **state)
{
    struct own o = {.block = true};
    weir_collector *c = own_collector(&o);
    weir_values *values = NULL;
    (void)state;
    assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
    wait_for(&o.reading);
    assert_int_equal(weir_collector_values(c, &values, NULL), WEIR_OK); /* the loop goes on */
    weir_values_free(values);
    assert_int_equal(weir_collector_stop(c, NULL), WEIR_OK);
    assert_int_equal(o.interrupted, 1);
    assert_int_equal(o.closed, 1);
    assert_int_equal(weir_collector_close(c), WEIR_OK);
}

static void own_source_that_cannot_open_gives_bad_samples_with_the_cause(void **state)
{
    struct own o = {.fail_open = true};
    struct seen s = {0};
    weir_collector *c = own_collector(&o);
    weir_current_sample current;
    (void)state;
    seen_init(&s, c);
    assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
    wait_for(&s.batch);
    assert_int_equal(weir_collector_current(c, "m/a", &current, NULL), WEIR_OK);
    assert_int_equal(weir_quality_cause(current.sample.quality), WEIR_CAUSE_CONNECT);
    assert_int_equal(current.sample.value.kind, WEIR_KIND_NULL);
    assert_int_equal(weir_collector_close(c), WEIR_OK);
    assert_int_equal(o.closed, 0);
}

/* --- own sinks ------------------------------------------------------------------------------ */

struct pit {
    sem_t came;
    const weir_own_sink_place *place;
    bool (*is_ending)(const void *ending);
    const void *ending;
    bool block;
    atomic_size_t n;
    atomic_int opened, closed;
};

static weir_err pit_open(void *data, const weir_own_sink_place *place, void **ret_state,
                         weir_error *error)
{
    struct pit *p = data;
    (void)error;
    assert_string_equal(place->name, "out");
    assert_int_equal(strlen(place->store), 36);
    p->is_ending = place->is_ending;
    p->ending = place->ending;
    atomic_fetch_add(&p->opened, 1);
    *ret_state = p;
    return WEIR_OK;
}

static void pit_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                     weir_send_answer *answer)
{
    const struct timespec little = {0, 10 * 1000 * 1000};
    struct pit *p = state;
    (void)deadline;
    for (size_t i = 0; i < n; i++)
        assert_string_equal(rows[i].tag->device, "m");
    atomic_fetch_add(&p->n, n);
    (void)sem_post(&p->came);
    while (p->block && !p->is_ending(p->ending)) /* a server that does not answer */
        (void)nanosleep(&little, NULL);
    if (p->block)
        answer->result = WEIR_SEND_LATER;
}

static void pit_close(void *state)
{
    atomic_fetch_add(&((struct pit *)state)->closed, 1);
}

static weir_collector *pit_collector(struct pit *p)
{
    const weir_own_sink sink = {.struct_size = sizeof sink,
                                .name = "pit",
                                .data = p,
                                .open = pit_open,
                                .send = pit_send,
                                .close = pit_close};
    weir_collector *c = collector_new();
    assert_int_equal(sem_init(&p->came, 0, 0), 0);
    assert_int_equal(weir_collector_add_sink(c, &sink, NULL), WEIR_OK);
    assert_int_equal(weir_collector_add_sink(c, &sink, NULL), WEIR_EINVAL); /* twice */
    assert_int_equal(load(c, "random:", "pit", NULL), WEIR_OK);
    return c;
}

static void own_sink_gets_what_was_committed(void **state)
{
    struct pit p = {0};
    weir_collector *c = pit_collector(&p);
    (void)state;
    assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
    wait_for(&p.came);
    wait_for(&p.came);
    assert_int_equal(weir_collector_close(c), WEIR_OK);
    assert_true(p.n >= 2);
    assert_int_equal(p.opened, 1);
    assert_int_equal(p.closed, 1);
}

static void own_sink_that_blocks_holds_up_nothing_and_ends_when_asked(void **state)
{
    struct pit p = {.block = true};
    struct seen s = {0};
    weir_collector *c = pit_collector(&p);
    (void)state;
    seen_init(&s, c);
    assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
    wait_for(&p.came);
    while (sem_trywait(&s.batch) == 0)
        ;
    wait_for(&s.batch); /* devices are read all the same */
    assert_int_equal(weir_collector_close(c), WEIR_OK);
    assert_int_equal(p.closed, 1);
}

/* --- and again ------------------------------------------------------------------------------ */

static void opening_and_closing_again_and_again_leaves_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) { /* what leaks, the sanitizer says */
        struct pit p = {0};
        weir_collector *c = pit_collector(&p);
        assert_int_equal(weir_collector_start(c, NULL), WEIR_OK);
        if (i % 2)
            assert_int_equal(weir_collector_stop(c, NULL), WEIR_OK);
        assert_int_equal(load(c, "random:", NULL, NULL), WEIR_OK); /* running, the sink ends */
        assert_int_equal(weir_collector_close(c), WEIR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_another_version_are_taken_as_far_as_they_are_known),
        cmocka_unit_test(every_problem_is_told_and_what_was_loaded_stays),
        cmocka_unit_test(life_goes_through_its_stages_and_may_begin_again),
        cmocka_unit_test(listener_that_would_wait_for_itself_is_refused),
        cmocka_unit_test(current_values_and_history_show_what_was_read),
        cmocka_unit_test(loading_while_it_runs_applies_what_is_different),
        cmocka_unit_test(plans_are_begun_and_ended_by_the_program),
        cmocka_unit_test(own_source_gives_values_and_what_it_leaves_is_bad),
        cmocka_unit_test(own_source_that_blocks_holds_up_nothing_and_is_interrupted_at_the_end),
        cmocka_unit_test(own_source_that_cannot_open_gives_bad_samples_with_the_cause),
        cmocka_unit_test(own_sink_gets_what_was_committed),
        cmocka_unit_test(own_sink_that_blocks_holds_up_nothing_and_ends_when_asked),
        cmocka_unit_test(opening_and_closing_again_and_again_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

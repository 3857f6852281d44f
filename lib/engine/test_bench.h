/* SPDX-License-Identifier: MIT */
/* For tests: a catalog made by hand, and an engine whose devices answer on a simulated clock. */

#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"

enum {
    BENCH_DEVICES = 1000,
    BENCH_LOG = 20000, /* reads, batches and events remembered */
};

/* 2026-01-01 00:00:00 UTC: a multiple of every interval that divides a day. */
#define BENCH_START 1767225600000000LL

typedef struct bench {
    weir_arena *arena;
    weir_catalog catalog;
    weir_connection connections[100];
    weir_device devices[BENCH_DEVICES];
    weir_tag tags[BENCH_DEVICES * 8];

    weir_engine_config config;
    weir_engine *engine;
    weir_mono now;
    int64_t offset; /* of the simulated wall clock: wall = now + offset */
    weir_mono wake;
    size_t n_wakes;

    /* How a device answers. */
    struct bench_device {
        int64_t latency_us;
        weir_read_result result;
        weir_quality quality; /* of its samples when not good */
        bool mute;            /* never: the test answers by hand */
    } behaviour[BENCH_DEVICES];

    /* Reads under way. */
    struct {
        weir_mono at;
        weir_read read;
    } pending[BENCH_DEVICES * 8];
    size_t n_pending;

    size_t n_reads, n_batches, n_events, n_samples;
    weir_read reads[BENCH_LOG];
    weir_mono read_at[BENCH_LOG];
    struct bench_batch {
        weir_batch header;
        weir_sample first;
        const weir_sample *samples; /* address only */
    } batches[BENCH_LOG];
    struct {
        weir_event_kind kind;
        char subject[32];
        char text[512];
    } events[BENCH_LOG];
    weir_epoch_offset offsets[64]; /* as corrected, in order */
    size_t n_offsets, n_corrections;
    bool synchronized; /* what the kernel says, where it is asked */
} bench;

static inline weir_wall bench_wall(const bench *b)
{
    return (weir_wall){b->now.us + b->offset};
}

static inline void bench_on_read(void *data, const weir_read *read)
{
    bench *b = data;
    if (b->n_reads < BENCH_LOG) {
        b->reads[b->n_reads] = *read;
        b->read_at[b->n_reads] = b->now;
    }
    b->n_reads++;
    assert_true(b->n_pending < sizeof b->pending / sizeof *b->pending);
    const struct bench_device *d = &b->behaviour[read->device];
    b->pending[b->n_pending].at = d->mute ? WEIR_MONO_NEVER : weir_mono_add(b->now, d->latency_us);
    b->pending[b->n_pending++].read = *read;
}

static inline void bench_on_batch(void *data, const weir_batch *batch)
{
    bench *b = data;
    if (b->n_batches < BENCH_LOG && batch->n_samples)
        b->batches[b->n_batches] = (struct bench_batch){*batch, batch->samples[0], batch->samples};
    b->n_batches++;
    b->n_samples += batch->n_samples;
}

static inline void bench_on_event(void *data, const weir_event *event)
{
    bench *b = data;
    assert_true(b->n_events < BENCH_LOG);
    b->events[b->n_events].kind = event->kind;
    snprintf(b->events[b->n_events].subject, sizeof b->events->subject, "%s", event->subject);
    snprintf(b->events[b->n_events].text, sizeof b->events->text, "%s", event->text);
    b->n_events++;
}

static inline void bench_on_correction(void *data, const weir_correction *correction)
{
    bench *b = data;
    bench_on_event(b, &correction->event);
    b->n_corrections++;
    for (size_t i = 0; i < correction->n_offsets; i++) {
        assert_true(b->n_offsets < sizeof b->offsets / sizeof *b->offsets);
        b->offsets[b->n_offsets++] = correction->offsets[i];
    }
}

static inline bool bench_synchronized(void *data)
{
    return ((bench *)data)->synchronized;
}

/* A bench with one enabled connection; released by bench_free. */
static inline bench *bench_new(void)
{
    bench *b = weir_alloc_zero(1, sizeof *b);
    assert_non_null(b);
    b->arena = weir_arena_new();
    assert_non_null(b->arena);
    b->connections[0] = (weir_connection){.name = "bus", .enabled = true};
    b->catalog = (weir_catalog){.revision = 1,
                                .n_connections = 1,
                                .connections = b->connections,
                                .devices = b->devices,
                                .tags = b->tags};
    b->now.us = 1000 * WEIR_S;
    b->offset = BENCH_START - b->now.us;
    b->config = (weir_engine_config){
        .catalog = &b->catalog,
        .host = {b, bench_on_read, bench_on_batch, bench_on_event, bench_on_correction, NULL},
        .seed = 1,
        .timer_slack_us = 1, /* exact, unless the test is about slack */
        .built = {BENCH_START - 10 * WEIR_DAY},
    };
    return b;
}

static inline void bench_free(bench *b)
{
    weir_engine_free(b->engine);
    weir_arena_free(b->arena);
    weir_free(b);
}

/* A device with one point, of one tag, per interval; it answers after 10 ms. */
static inline weir_device *bench_add(bench *b, size_t n_intervals, const int64_t *intervals)
{
    const uint32_t index = (uint32_t)b->catalog.n_devices++;
    assert_true(index < BENCH_DEVICES);
    weir_point *points = weir_arena_alloc(b->arena, n_intervals, sizeof *points);
    uint32_t *point_tag = weir_arena_alloc(b->arena, n_intervals, sizeof *point_tag);
    int64_t *own = weir_arena_alloc(b->arena, n_intervals, sizeof *own);
    uint8_t *point_interval = weir_arena_alloc(b->arena, n_intervals, sizeof *point_interval);
    const uint32_t first_tag = (uint32_t)b->catalog.n_tags;
    for (uint32_t i = 0; i < n_intervals; i++) {
        points[i] = (weir_point){.name = "x", .count = 1};
        point_tag[i] = i;
        own[i] = intervals[i];
        point_interval[i] = (uint8_t)i;
        b->tags[first_tag + i] = (weir_tag){.uid = first_tag + i + 1, .device = index, .point = i};
    }
    b->catalog.n_tags += n_intervals;
    b->behaviour[index].latency_us = 10 * WEIR_MS;
    b->devices[index] = (weir_device){.name = weir_arena_format(b->arena, "m%02u", index),
                                      .enabled = true,
                                      .demote_after_failures = 3,
                                      .demote_period_us = 60 * WEIR_S,
                                      .n_points = (uint32_t)n_intervals,
                                      .points = points,
                                      .point_tag = point_tag,
                                      .n_tags = (uint32_t)n_intervals,
                                      .first_tag = first_tag,
                                      .n_intervals = (uint32_t)n_intervals,
                                      .intervals = own,
                                      .point_interval = point_interval};
    return &b->devices[index];
}

#define BENCH_ADD(b, ...) \
    bench_add(b, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]){__VA_ARGS__})

static inline void bench_start(bench *b)
{
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_engine_new(&b->config, b->now, bench_wall(b), &b->engine, &error), 0);
    b->wake = b->now;
}

/* One sample per tag of the read, its value the slot's number of milliseconds; then the end. */
static inline void bench_answer(bench *b, const weir_read *read)
{
    const weir_device *device = &b->devices[read->device];
    const struct bench_device *how = &b->behaviour[read->device];
    weir_sample samples[WEIR_INTERVALS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < device->n_intervals; i++)
        if (read->intervals & 1u << i)
            samples[n++] = (weir_sample){.tag = b->tags[device->first_tag + i].uid,
                                         .quality = how->quality,
                                         .ts = read->due,
                                         .value = how->quality ? weir_value_null()
                                                               : weir_value_i64(read->due.us)};
    const weir_batch batch = {.device = read->device,
                              .catalog_revision = 1,
                              .epoch = read->epoch,
                              .flags = read->flags,
                              .n_samples = n,
                              .plans = read->plans,
                              .due = read->due,
                              .received = weir_engine_wall(b->engine, b->now),
                              .anchor_us = weir_engine_anchor(b->engine),
                              .samples = samples};
    weir_engine_deliver(b->engine, &batch, b->now);
    weir_engine_read_done(b->engine, read, how->result, how->quality, b->now);
}

static inline size_t bench_earliest(const bench *b)
{
    size_t best = 0;
    for (size_t i = 1; i < b->n_pending; i++)
        if (b->pending[i].at.us < b->pending[best].at.us)
            best = i;
    return best;
}

static inline void bench_answer_due(bench *b, weir_mono until)
{
    while (b->n_pending) {
        const size_t i = bench_earliest(b);
        if (b->pending[i].at.us > until.us)
            return;
        const weir_read read = b->pending[i].read;
        if (b->pending[i].at.us > b->now.us)
            b->now = b->pending[i].at;
        b->pending[i] = b->pending[--b->n_pending];
        bench_answer(b, &read);
    }
}

static inline void bench_step(bench *b)
{
    b->wake = weir_engine_step(b->engine, b->now, bench_wall(b));
    assert_true(b->wake.us > b->now.us);
    assert_true(b->wake.us <= b->now.us + WEIR_S);
    b->n_wakes++;
}

/* Runs for so long: answers come and the engine is called when it asked to be. */
static inline void bench_run(bench *b, int64_t us)
{
    const weir_mono end = weir_mono_add(b->now, us);
    while (b->wake.us <= end.us) {
        bench_answer_due(b, b->wake);
        b->now = b->wake;
        bench_step(b);
    }
    bench_answer_due(b, end);
    b->now = end;
}

/* Time passes and nobody runs: SIGSTOP, then SIGCONT. */
static inline void bench_pause(bench *b, int64_t us)
{
    b->now.us += us;
    if (b->wake.us < b->now.us)
        b->wake = b->now;
}

static inline size_t bench_count_events(const bench *b, weir_event_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_events; i++)
        n += b->events[i].kind == kind;
    return n;
}

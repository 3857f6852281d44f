/* SPDX-License-Identifier: MIT */
/* The scenario of the Python module "data_collector", in C: contexts A and B want one variable.
 *
 *     cc data_collector.c $(pkg-config --cflags --libs weir) -o data_collector
 *     ./data_collector values.csv
 *
 * A context is a plan here, a reader is a source, a writer is a sink. README.md beside this file
 * puts the words side by side. */

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <weir/weir.h>

enum { CONTEXT_A = 1, CONTEXT_B = 2 };

static atomic_size_t n_samples;

/* Told on several threads: printf locks its stream. */
static void on_stage(void *data, weir_collector *collector, weir_stage stage, const char *plan)
{
    (void)data;
    (void)collector;
    printf("%s of %s\n", weir_stage_text(stage), plan ? plan : "the collector");
}

static void on_batch(void *data, weir_collector *collector, const weir_batch_view *batch)
{
    (void)data;
    (void)collector;
    atomic_fetch_add(&n_samples, batch->n_samples);
}

/* A random reader with one variable that nobody reads by itself; writers csv and noop. */
static weir_err load(weir_collector *collector, const char *csv, weir_error *error)
{
    weir_draft *draft = weir_draft_new();
    weir_entry *top = weir_draft_top(draft);
    weir_entry_set(top, "data_dir", "memory");
    weir_entry_set(weir_entry_map(top, "store"), "max_loss", "100ms");
    weir_entry *reader = weir_entry_add(top, "connections");
    weir_entry_set(reader, "name", "random");
    weir_entry_set(reader, "uri", "random:");
    weir_entry *device = weir_entry_add(top, "devices");
    weir_entry_set(device, "name", "machine");
    weir_entry_set(device, "connection", "random");
    weir_entry_set(device, "interval", "on_demand");
    weir_entry_set(weir_entry_add(device, "points"), "name", "v1");
    weir_entry *writer = weir_entry_add(top, "sinks");
    weir_entry_set(writer, "name", "file");
    weir_entry_set(writer, "type", "csv");
    weir_entry_set(writer, "path", csv);
    weir_entry_append(writer, "columns", "time");
    weir_entry_append(writer, "columns", "tag");
    weir_entry_append(writer, "columns", "value");
    writer = weir_entry_add(top, "sinks");
    weir_entry_set(writer, "name", "nothing");
    weir_entry_set(writer, "type", "noop");
    const weir_err err = weir_collector_load_draft(collector, draft, error);
    weir_draft_free(draft);
    return err;
}

/* Starts a context: the variables of its plan at its interval, for a day if nobody ends it. */
static weir_err context_start(weir_collector *collector, const char *name, uint32_t id,
                              int64_t interval_us, weir_error *error)
{
    static const char *const variables[] = {"machine/v1"};
    const weir_plan_options plan = {.struct_size = sizeof plan,
                                    .name = name,
                                    .id = id,
                                    .n_tags = 1,
                                    .tags = variables,
                                    .interval_us = interval_us,
                                    .minimum_interval_us = 100 * WEIR_MS,
                                    .policy = WEIR_INTERVAL_ERROR,
                                    .merge_gcd = true};
    return weir_plan_begin(collector, &plan, error);
}

/* How many samples come in 1.2 s, a multiple of all the intervals. The changes before it take
 * effect with the next slot, so it waits for one first. */
static void count(const char *what)
{
    const struct timespec settle = {0, 350 * 1000 * 1000}, span = {1, 200 * 1000 * 1000};
    nanosleep(&settle, NULL);
    atomic_store(&n_samples, 0);
    nanosleep(&span, NULL);
    printf("%s: %zu samples in 1.2 s\n", what, atomic_load(&n_samples));
}

static weir_err scenario(weir_collector *c, weir_error *error)
{
    weir_err err = context_start(c, "A", CONTEXT_A, 300 * WEIR_MS, error);
    if (err)
        return err;
    count("A, 300 ms");
    err = context_start(c, "B", CONTEXT_B, 200 * WEIR_MS, error);
    if (err)
        return err;
    count("A and B, gcd 100 ms");
    err = weir_plan_pause(c, "A", error);
    if (err)
        return err;
    count("A paused, 200 ms");
    err = weir_plan_resume(c, "A", error);
    if (err)
        return err;
    count("A resumed, 100 ms");
    err = weir_plan_stop(c, "B", error);
    if (err)
        return err;
    count("B stopped, 300 ms");
    err = weir_plan_stop(c, "A", error);
    if (err)
        return err;
    count("A stopped");
    return WEIR_OK;
}

int main(int argc, char **argv)
{
    const weir_listener listener = {
        .struct_size = sizeof listener, .on_stage = on_stage, .on_batch = on_batch};
    weir_error error = WEIR_ERROR_INIT;
    weir_collector *collector = NULL;
    weir_err err = weir_collector_new(NULL, &collector, &error);
    if (!err)
        err = weir_collector_listen(collector, &listener, &error);
    if (!err)
        err = load(collector, argc > 1 ? argv[1] : "values.csv", &error);
    if (!err)
        err = weir_collector_start(collector, &error);
    if (!err)
        err = scenario(collector, &error);
    if (err)
        fprintf(stderr, "%s\n", error.text);
    return weir_collector_close(collector) || err;
}

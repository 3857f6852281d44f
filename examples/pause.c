/* SPDX-License-Identifier: MIT */
/* Pausing: collects for a second, pauses for one, goes on for one, and tells each step.
 *
 *     cc pause.c $(pkg-config --cflags --libs weir) -o pause && ./pause weir.yaml */

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include <weir/weir.h>

static void on_stage(void *data, weir_collector *collector, weir_stage stage, const char *plan)
{
    (void)data;
    (void)collector;
    (void)plan;
    printf("%s\n", weir_stage_text(stage));
}

/* On the loop's thread, so what it shares with main is atomic. */
static void on_batch(void *data, weir_collector *collector, const weir_batch_view *batch)
{
    atomic_size_t *n = data;
    (void)collector;
    atomic_fetch_add(n, batch->n_samples);
}

static void wait_and_count(const char *what, atomic_size_t *n)
{
    const struct timespec second = {1, 0};
    nanosleep(&second, NULL);
    printf("%zu samples while %s\n", atomic_exchange(n, 0), what);
}

int main(int argc, char **argv)
{
    atomic_size_t n = 0;
    const weir_listener listener = {
        .struct_size = sizeof listener, .data = &n, .on_stage = on_stage, .on_batch = on_batch};
    weir_error error = WEIR_ERROR_INIT;
    weir_collector *collector = NULL;
    weir_err err = weir_collector_new(NULL, &collector, &error);
    if (!err)
        err = weir_collector_listen(collector, &listener, &error);
    if (!err)
        err = weir_collector_load_file(collector, argc > 1 ? argv[1] : "weir.yaml", &error);
    if (!err)
        err = weir_collector_start(collector, &error);
    if (!err)
        wait_and_count("running", &n);
    if (!err)
        err = weir_collector_pause(collector, &error);
    if (!err) {
        atomic_store(&n, 0); /* what was under way when the pause began */
        wait_and_count("paused", &n);
        err = weir_collector_resume(collector, &error);
    }
    if (!err)
        wait_and_count("running again", &n);
    if (err)
        fprintf(stderr, "%s\n", error.text);
    return weir_collector_close(collector) || err;
}

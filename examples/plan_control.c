/* SPDX-License-Identifier: MIT */
/* Plans under control: beside what the configuration collects, some tags are collected faster for
 * a while, and once more on demand.
 *
 *     cc plan_control.c $(pkg-config --cflags --libs weir) -o plan_control
 *     ./plan_control weir.yaml "m07*" */

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include <weir/weir.h>

struct counted {
    atomic_size_t samples; /* of the plan that the listener names */
};

static void on_batch(void *data, weir_collector *collector, const weir_batch_view *batch)
{
    struct counted *counted = data;
    (void)collector;
    atomic_fetch_add(&counted->samples, batch->n_samples);
}

static void wait_and_count(const char *what, struct counted *counted)
{
    const struct timespec second = {1, 0};
    nanosleep(&second, NULL);
    printf("%zu samples for the plan while %s\n", atomic_exchange(&counted->samples, 0), what);
}

static weir_err show(weir_collector *collector, weir_error *error)
{
    weir_plan_info info = {.struct_size = sizeof info};
    const weir_err err = weir_plan_find(collector, "fast", &info, error);
    if (err)
        return err;
    printf("plan %s is %s, %zu tags\n", info.name, info.state, info.n_tags);
    return WEIR_OK;
}

static weir_err control(weir_collector *c, const char *pattern, struct counted *counted,
                        weir_error *error)
{
    const weir_plan_options fast = {.struct_size = sizeof fast,
                                    .name = "fast",
                                    .n_tags = 1,
                                    .tags = &pattern,
                                    .interval_us = 100 * WEIR_MS,
                                    .lifetime_us = WEIR_MINUTE};
    weir_err err = weir_plan_begin(c, &fast, error);
    if (!err)
        err = show(c, error);
    if (!err)
        wait_and_count("it runs", counted);
    if (!err)
        err = weir_plan_pause(c, "fast", error);
    if (!err)
        err = show(c, error);
    atomic_store(&counted->samples, 0); /* what was under way */
    if (!err)
        wait_and_count("it is paused", counted);
    if (!err)
        err = weir_plan_resume(c, "fast", error);
    if (!err)
        wait_and_count("it runs again", counted);
    if (!err)
        err = weir_plan_stop(c, "fast", error);
    if (!err)
        err = show(c, error);
    if (!err)
        err = weir_plan_collect(c, "default", 3, 50 * WEIR_MS, error); /* now, three times */
    return err;
}

int main(int argc, char **argv)
{
    static const char *const plans[] = {"fast"}; /* it need not be there yet */
    struct counted counted = {0};
    const weir_listener listener = {.struct_size = sizeof listener,
                                    .data = &counted,
                                    .on_batch = on_batch,
                                    .n_plans = 1,
                                    .plans = plans};
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
        err = control(collector, argc > 2 ? argv[2] : "*", &counted, &error);
    if (err)
        fprintf(stderr, "%s\n", error.text);
    return weir_collector_close(collector) || err;
}

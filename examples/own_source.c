/* SPDX-License-Identifier: MIT */
/* A source of one's own: the load of this machine, read from /proc/loadavg.
 *
 *     cc own_source.c $(pkg-config --cflags --libs weir) -o own_source && ./own_source 5
 *
 * Collects for as many seconds as it is told (default 10), then shows what the store has. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/weir.h>

/* On the connection's own thread: it may block as long as it likes. */
static weir_outcome load_read(void *state, const weir_own_read *read, weir_sample *samples)
{
    double load[3];
    FILE *file = fopen("/proc/loadavg", "r");
    const int n = file ? fscanf(file, "%lf %lf %lf", &load[0], &load[1], &load[2]) : 0;
    (void)state;
    if (file)
        fclose(file);
    if (n != 3)
        return WEIR_OUTCOME_SILENT; /* the samples stay bad */
    for (size_t i = 0; i < read->n; i++) {
        const char *point = read->tags[i]->point;
        const int which = !strcmp(point, "1min") ? 0 : !strcmp(point, "5min") ? 1 : 2;
        samples[i].value = weir_value_f64(load[which]);
        samples[i].quality = 0; /* good */
    }
    return WEIR_OUTCOME_ANSWERED;
}

static weir_err load_configuration(weir_collector *collector, weir_error *error)
{
    static const char *const points[] = {"1min", "5min", "15min"};
    weir_draft *b = weir_draft_new();
    weir_entry *top = weir_draft_top(b);
    weir_entry_set(top, "data_dir", "memory");
    weir_entry_set(weir_entry_map(top, "store"), "max_loss", "200ms");
    weir_entry *connection = weir_entry_add(top, "connections");
    weir_entry_set(connection, "name", "here");
    weir_entry_set(connection, "uri", "own:load");
    weir_entry *device = weir_entry_add(top, "devices");
    weir_entry_set(device, "name", "load");
    weir_entry_set(device, "connection", "here");
    weir_entry_set(device, "interval", "500ms");
    for (size_t i = 0; i < 3; i++)
        weir_entry_set(weir_entry_add(device, "points"), "name", points[i]);
    const weir_err err = weir_collector_load_draft(collector, b, error);
    weir_draft_free(b);
    return err;
}

static weir_err show(weir_collector *collector, weir_error *error)
{
    const weir_wall to = weir_wall_now(), from = {to.us - WEIR_HOUR};
    weir_samples *samples = NULL;
    weir_err err = weir_collector_samples(collector, "load/1min", from, to, &samples, error);
    for (int any = 1; !err && any;) {
        weir_sample sample;
        bool there = false;
        char time[28], value[40];
        err = weir_samples_next(samples, &sample, &there, error);
        any = there;
        if (err || !any)
            break;
        weir_wall_format(sample.ts, time);
        weir_value_text(&sample.value, value, sizeof value);
        printf("%s load/1min = %s\n", time, value);
    }
    weir_samples_free(samples);
    return err;
}

int main(int argc, char **argv)
{
    const weir_own_source source = {
        .struct_size = sizeof source, .name = "load", .read = load_read};
    const struct timespec pause = {argc > 1 ? atoi(argv[1]) : 10, 0};
    weir_error error = WEIR_ERROR_INIT;
    weir_collector *collector = NULL;
    weir_err err = weir_collector_new(NULL, &collector, &error);
    if (!err)
        err = weir_collector_add_source(collector, &source, &error);
    if (!err)
        err = load_configuration(collector, &error);
    if (!err)
        err = weir_collector_start(collector, &error);
    if (!err) {
        nanosleep(&pause, NULL);
        err = show(collector, &error);
    }
    if (err)
        fprintf(stderr, "%s\n", error.text);
    return weir_collector_close(collector) || err;
}

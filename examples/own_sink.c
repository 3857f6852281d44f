/* SPDX-License-Identifier: MIT */
/* A sink of one's own: appends what was committed to a file, a line each.
 *
 *     cc own_sink.c $(pkg-config --cflags --libs weir) -o own_sink && ./own_sink weir.yaml 10
 *
 * The configuration names it:   sinks: [{name: mine, type: lines, options: {file: out.txt}}] */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>

struct lines {
    FILE *file;
};

static weir_err lines_open(void *data, const weir_own_sink_place *place, void **ret_state,
                           weir_error *error)
{
    const char *path = NULL;
    (void)data;
    for (size_t i = 0; i < place->n_options; i++)
        if (!strcmp(place->options[i].key, "file"))
            path = place->options[i].value;
    if (!path)
        return weir_fail(error, WEIR_EINVAL, "sink %s: options: {file: PATH}", place->name);
    struct lines *lines = calloc(1, sizeof *lines);
    if (!lines)
        return weir_fail(error, WEIR_ENOMEM, "sink %s", place->name);
    lines->file = fopen(path, "a");
    if (!lines->file) {
        free(lines);
        return weir_fail(error, WEIR_EIO, "sink %s: cannot write %s", place->name, path);
    }
    *ret_state = lines;
    return WEIR_OK;
}

/* On the sink's own thread: it may block until the deadline. */
static void lines_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                       weir_send_answer *answer)
{
    struct lines *lines = state;
    (void)deadline;
    for (size_t i = 0; i < n; i++) {
        char time[28], value[80], quality[80];
        weir_wall_format(rows[i].sample.ts, time);
        weir_value_text(&rows[i].sample.value, value, sizeof value);
        weir_quality_text(rows[i].sample.quality, quality, sizeof quality);
        fprintf(lines->file, "%" PRIu64 " %s %s %s %s\n", rows[i].seq, time, rows[i].tag->name,
                value, quality);
    }
    /* Delivered means: it has them durably. */
    if (fflush(lines->file) != 0 || fsync(fileno(lines->file)) != 0) {
        answer->result = WEIR_SEND_LATER;
        answer->trouble = WEIR_TROUBLE_FULL;
        snprintf(answer->why, sizeof answer->why, "cannot write the lines");
    }
}

static void lines_close(void *state)
{
    struct lines *lines = state;
    fclose(lines->file);
    free(lines);
}

int main(int argc, char **argv)
{
    const weir_own_sink sink = {.struct_size = sizeof sink,
                                .name = "lines",
                                .in_order = true,
                                .open = lines_open,
                                .send = lines_send,
                                .close = lines_close};
    const struct timespec pause = {argc > 2 ? atoi(argv[2]) : 10, 0};
    weir_error error = WEIR_ERROR_INIT;
    weir_collector *collector = NULL;
    weir_err err = weir_collector_new(NULL, &collector, &error);
    if (!err)
        err = weir_collector_add_sink(collector, &sink, &error);
    if (!err)
        err = weir_collector_load_file(collector, argc > 1 ? argv[1] : "weir.yaml", &error);
    if (!err)
        err = weir_collector_start(collector, &error);
    if (!err)
        nanosleep(&pause, NULL);
    else
        fprintf(stderr, "%s\n", error.text);
    return weir_collector_close(collector) || err;
}

/* SPDX-License-Identifier: MIT */
/* The smallest collector: runs a configuration until Enter, shows what comes.
 *     cc smallest.c $(pkg-config --cflags --libs weir) -o smallest && ./smallest weir.yaml */
#include <stdio.h>

#include <weir/weir.h>

static void on_batch(void *data, weir_collector *collector, const weir_batch_view *batch)
{
    (void)data;
    for (size_t i = 0; i < batch->n_samples; i++) {
        const weir_sample *sample = &batch->samples[i];
        const weir_tag_info *tag = weir_collector_tag(collector, sample->tag);
        char value[80], quality[80];
        weir_value_text(&sample->value, value, sizeof value);
        weir_quality_text(sample->quality, quality, sizeof quality);
        printf("%s = %s %s (%s)\n", tag->name, value, tag->unit, quality);
    }
}

int main(int argc, char **argv)
{
    const weir_listener listener = {.struct_size = sizeof listener, .on_batch = on_batch};
    weir_error error = WEIR_ERROR_INIT;
    weir_collector *collector = NULL;
    weir_err err = weir_collector_new(NULL, &collector, &error);
    if (!err)
        err = weir_collector_listen(collector, &listener, &error);
    if (!err)
        err = weir_collector_load_file(collector, argc > 1 ? argv[1] : "weir.yaml", &error);
    if (!err)
        err = weir_collector_start(collector, &error);
    if (err)
        fprintf(stderr, "%s\n", error.text);
    else
        getchar();
    return weir_collector_close(collector) || err;
}

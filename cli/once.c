/* SPDX-License-Identifier: MIT */
/* Every point of a catalog read once: nothing is stored, no data directory is needed. */

#include "cli/once.h"

#include <pthread.h>

#include "base/clock.h"
#include "daemon/assemble.h"
#include "daemon/log.h"

/* A read may wait for the others on its connection; a minute is beyond any sane bus. */
static const int64_t once_timeout_us = WEIR_MINUTE;

/* While it reads: filled on the loop thread until all reads ended. */
struct reading {
    weir_arena *arena; /* holds the contents of strings and bytes */
    weir_once_reading *readings;
    int64_t *rtt_us;
    pthread_mutex_t lock;
};

static weir_sample sample_keep(struct reading *r, weir_sample sample)
{
    weir_value *v = &sample.value;
    if (v->kind != WEIR_KIND_STRING && v->kind != WEIR_KIND_BYTES)
        return sample;
    v->as.text = weir_arena_text_n(r->arena, v->as.text, v->length);
    if (!v->as.text) {
        *v = weir_value_null();
        sample.quality = weir_bad(WEIR_CAUSE_OVERFLOW, 0); /* no memory for it */
    }
    return sample;
}

static void on_batch(void *data, const weir_batch *batch)
{
    struct reading *r = data;
    const int64_t rtt_us = batch->received.us - batch->sent.us;
    (void)pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < batch->n_samples; i++) /* index by uid: see number_tags */
        r->readings[batch->samples[i].tag - 1] =
            (weir_once_reading){sample_keep(r, batch->samples[i]), batch->received};
    if (batch->sent.us && rtt_us > r->rtt_us[batch->device])
        r->rtt_us[batch->device] = rtt_us;
    (void)pthread_mutex_unlock(&r->lock);
}

static void on_log(void *data, weir_log_level level, const char *event, const char *subject,
                   const char *text)
{
    (void)data;
    weir_log_line(level, event, subject, text);
}

/* No store gives uids here: a tag's number is its place in the catalog. */
static void number_tags(weir_catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->n_tags; i++)
        catalog->tags[i].uid = i + 1;
}

weir_err weir_once_read(weir_catalog *catalog, weir_arena *arena, weir_once *ret, weir_error *error)
{
    weir_runtime *collector = NULL;
    struct reading reading = {.arena = arena};
    weir_once once = {
        .catalog = catalog,
        .readings = weir_arena_alloc(arena, catalog->n_tags + 1, sizeof *once.readings),
        .rtt_us = weir_arena_alloc(arena, catalog->n_devices + 1, sizeof *once.rtt_us),
    };
    const weir_runtime_config config = {
        .catalog = catalog,
        .sources = weir_assemble_sources,
        .once = true,
        .built = weir_assemble_built(),
        .log = on_log,
        .on_batch = on_batch,
        .data = &reading,
    };
    reading.readings = once.readings;
    reading.rtt_us = once.rtt_us;
    if (!once.readings || !once.rtt_us || pthread_mutex_init(&reading.lock, NULL))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    number_tags(catalog);
    weir_err err = weir_runtime_start(&config, &collector, error);
    if (err == WEIR_OK) {
        once.complete = weir_runtime_wait(collector, once_timeout_us);
        (void)weir_runtime_stop(collector);
        *ret = once;
    }
    (void)pthread_mutex_destroy(&reading.lock);
    return err;
}

weir_once_share weir_once_share_of(const weir_once *once, size_t device)
{
    const weir_device *d = &once->catalog->devices[device];
    weir_once_share share = {0};
    for (uint32_t i = 0; i < d->n_tags; i++) {
        const weir_sample *sample = &once->readings[d->first_tag + i].sample;
        if (!sample->tag)
            continue;
        share.n_read++;
        share.n_good += weir_quality_class(sample->quality) != WEIR_BAD;
        share.worst = weir_quality_worse(share.worst, sample->quality);
    }
    return share;
}

/* SPDX-License-Identifier: MIT */
/* The source for `simulated:` connections: waveforms, no device and no network.
 *
 * Every read is answered at the next step with the values the waveforms have at the due slot. */

#include "sources/simulated/simulated.h"

#include <string.h>

#include "base/alloc.h"
#include "sources/simulated/wave.h"

struct simulated {
    weir_source_host host;
    weir_read *waiting;
    size_t n_waiting, capacity;
    weir_sample *samples; /* room for the largest device */
    char (*texts)[WEIR_WAVE_ROOM];
};

static bool simulated_serves(weir_scheme scheme)
{
    return scheme == WEIR_SCHEME_SIMULATED;
}

static size_t largest_device(const weir_catalog *catalog, uint32_t connection)
{
    size_t n_tags = 0;
    for (size_t i = 0; i < catalog->n_devices; i++)
        if (catalog->devices[i].connection == connection && catalog->devices[i].n_tags > n_tags)
            n_tags = catalog->devices[i].n_tags;
    return n_tags;
}

static weir_err simulated_init(void *state, const weir_source_host *host, weir_error *error)
{
    struct simulated *s = state;
    const weir_catalog *catalog = host->catalog;
    const size_t n_tags = largest_device(catalog, host->connection);
    s->host = *host;
    for (size_t i = 0; i < catalog->n_devices; i++) {
        const weir_device *device = &catalog->devices[i];
        if (device->connection != host->connection)
            continue;
        s->capacity +=
            device->n_intervals + 1; /* one read of each may be under way; plans make more */
    }
    s->waiting = weir_alloc_zero(s->capacity, sizeof *s->waiting);
    s->samples = weir_alloc_zero(n_tags, sizeof *s->samples);
    s->texts = weir_alloc_zero(n_tags, sizeof *s->texts);
    if (!s->waiting || !s->samples || !s->texts)
        return weir_fail(error, WEIR_ENOMEM, "simulated connection '%s'",
                         catalog->connections[host->connection].name);
    host->log(host->data, WEIR_LOG_INFO, "simulated", "its values are made up, not measured");
    return WEIR_OK;
}

static void simulated_deinit(void *state)
{
    struct simulated *s = state;
    weir_free(s->waiting);
    weir_free(s->samples);
    weir_free(s->texts);
}

static void simulated_read(void *state, const weir_read *read)
{
    struct simulated *s = state;
    weir_read *waiting =
        weir_array_room(s->waiting, s->n_waiting, &s->capacity, sizeof *s->waiting);
    if (!waiting) {
        s->host.log(s->host.data, WEIR_LOG_ERROR, "simulated", "a read is lost: out of memory");
        return;
    }
    s->waiting = waiting;
    s->waiting[s->n_waiting++] = *read;
    s->host.wake_at(s->host.data, read->due_mono);
}

static uint32_t simulated_samples(struct simulated *s, const weir_read *read)
{
    const weir_catalog *catalog = s->host.catalog;
    const weir_device *device = &catalog->devices[read->device];
    uint32_t n = 0;
    for (uint32_t p = 0; p < device->n_points; p++) {
        if (!weir_read_wants(read, device, p))
            continue;
        const weir_point *point = &device->points[p];
        for (uint32_t element = 0; element < point->count; element++, n++) {
            const weir_wave_key key = {s->host.seed, device->unit_id, element};
            s->samples[n] = (weir_sample){
                .tag = catalog->tags[device->first_tag + device->point_tag[p] + element].uid,
                .ts = read->due,
                .value = weir_wave_value(point, key, read->due, (uint8_t *)s->texts[n]),
            };
        }
    }
    return n;
}

static void simulated_answer(struct simulated *s, const weir_read *read)
{
    const weir_wall wall = s->host.wall(s->host.data);
    const weir_batch batch = {
        .connection = s->host.connection,
        .device = read->device,
        .catalog_revision = s->host.catalog->revision,
        .epoch = read->epoch,
        .flags = read->flags,
        .n_samples = simulated_samples(s, read),
        .plans = read->plans,
        .due = read->due,
        .sent = wall,
        .received = wall,
        .anchor_us = wall.us - s->host.now(s->host.data).us,
        .samples = s->samples,
    };
    s->host.on_batch(s->host.data, &batch);
    s->host.on_read_done(s->host.data, read, WEIR_READ_GOOD, 0);
}

static void simulated_step(void *state, weir_mono now)
{
    struct simulated *s = state;
    const size_t n = s->n_waiting;
    (void)now;
    for (size_t i = 0; i < n; i++)
        simulated_answer(s, &s->waiting[i]);
    s->n_waiting = 0;
}

/* Room for the largest device of the new catalog. */
struct prepared {
    weir_sample *samples;
    char (*texts)[WEIR_WAVE_ROOM];
};

static void simulated_discard(void *state, void *prepared)
{
    struct prepared *p = prepared;
    (void)state;
    weir_free(p->samples);
    weir_free(p->texts);
    weir_free(p);
}

static weir_err simulated_prepare(void *state, const weir_source_change *change,
                                  void **ret_prepared, weir_error *error)
{
    const size_t n_tags = largest_device(change->catalog, change->connection);
    struct prepared *p = weir_alloc_zero(1, sizeof *p);
    if (p) {
        p->samples = weir_alloc_zero(n_tags + 1, sizeof *p->samples);
        p->texts = weir_alloc_zero(n_tags + 1, sizeof *p->texts);
    }
    if (!p || !p->samples || !p->texts) {
        if (p)
            simulated_discard(state, p);
        return weir_fail(error, WEIR_ENOMEM, "simulated connection '%s'",
                         change->catalog->connections[change->connection].name);
    }
    *ret_prepared = p;
    return WEIR_OK;
}

static void simulated_apply(void *state, const weir_source_change *change, void *prepared)
{
    struct simulated *s = state;
    struct prepared *p = prepared;
    const struct prepared old = {s->samples, s->texts};
    size_t n = 0;
    for (size_t i = 0; i < s->n_waiting; i++) {
        const uint32_t device = change->stays[s->waiting[i].device];
        if (device == WEIR_DEVICE_NONE)
            continue;
        s->waiting[n] = s->waiting[i];
        s->waiting[n++].device = device;
    }
    s->n_waiting = n;
    s->host.catalog = change->catalog;
    s->host.connection = change->connection;
    s->samples = p->samples;
    s->texts = p->texts;
    *p = old;
    simulated_discard(state, p);
    if (n)
        s->host.wake_at(s->host.data, s->host.now(s->host.data));
}

const weir_source_type weir_source_simulated = {
    .abi = WEIR_SOURCE_ABI,
    .name = "simulated",
    .summary = "waveforms: no device, no network",
    .serves = simulated_serves,
    .state_size = sizeof(struct simulated),
    .init = simulated_init,
    .deinit = simulated_deinit,
    .read = simulated_read,
    .step = simulated_step,
    .prepare = simulated_prepare,
    .apply = simulated_apply,
    .discard = simulated_discard,
};

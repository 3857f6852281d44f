/* SPDX-License-Identifier: MIT */
/* What sources have in common that make their values up: each read is answered at the next step. */

#include "sources/made/made.h"

#include "base/alloc.h"

static size_t largest_device(const weir_catalog *catalog, uint32_t connection)
{
    size_t n_tags = 0;
    for (size_t i = 0; i < catalog->n_devices; i++)
        if (catalog->devices[i].connection == connection && catalog->devices[i].n_tags > n_tags)
            n_tags = catalog->devices[i].n_tags;
    return n_tags;
}

static void buffers_deinit(weir_made_buffers *b)
{
    weir_free(b->samples);
    weir_free(b->rooms);
    *b = (weir_made_buffers){0};
}

static weir_err buffers_init(weir_made_buffers *b, size_t room, const weir_catalog *catalog,
                             uint32_t connection, weir_error *error)
{
    const size_t n = largest_device(catalog, connection) + 1;
    b->samples = weir_alloc_zero(n, sizeof *b->samples);
    b->rooms = weir_alloc_zero(n, room ? room : 1);
    if (b->samples && b->rooms)
        return WEIR_OK;
    buffers_deinit(b);
    return weir_fail(error, WEIR_ENOMEM, "connection '%s'", catalog->connections[connection].name);
}

weir_err weir_made_init(weir_made *made, const weir_made_kind *kind, const weir_source_host *host,
                        weir_error *error)
{
    made->kind = kind;
    made->host = *host;
    return buffers_init(&made->buffers, kind->room, host->catalog, host->connection, error);
}

void weir_made_deinit(void *state)
{
    weir_made *made = state;
    weir_free(made->waiting);
    buffers_deinit(&made->buffers);
}

void weir_made_read(void *state, const weir_read *read)
{
    weir_made *made = state;
    weir_read *room =
        weir_array_room(made->waiting, made->n_waiting, &made->capacity, sizeof *room);
    if (!room) {
        made->host.log(made->host.data, WEIR_LOG_ERROR, "poll", "a read is lost: out of memory");
        return;
    }
    made->waiting = room;
    made->waiting[made->n_waiting++] = *read;
    made->host.wake_at(made->host.data, read->due_mono);
}

/* --- answers -------------------------------------------------------------------------------- */

static uint32_t made_samples(weir_made *made, const weir_read *read, weir_quality *worst)
{
    const weir_catalog *catalog = made->host.catalog;
    const weir_device *device = &catalog->devices[read->device];
    weir_sample *samples = made->buffers.samples;
    uint32_t n = 0;
    for (uint32_t p = 0; p < device->n_points; p++) {
        if (!weir_read_wants(read, device, p))
            continue;
        const weir_tag *tags = &catalog->tags[device->first_tag + device->point_tag[p]];
        for (uint32_t element = 0; element < device->points[p].count; element++, n++) {
            const weir_made_place place = {device, &device->points[p], element, read->due,
                                           made->buffers.rooms + n * made->kind->room};
            samples[n] = (weir_sample){.tag = tags[element].uid,
                                       .ts = read->due,
                                       .value = made->kind->value(made, &place)};
            if (samples[n].value.kind == WEIR_KIND_NULL)
                samples[n].quality = *worst = weir_bad(WEIR_CAUSE_NA, 0);
        }
    }
    return n;
}

static void made_answer(weir_made *made, const weir_read *read)
{
    const weir_wall wall = made->host.wall(made->host.data);
    weir_quality worst = 0;
    const weir_batch batch = {
        .connection = made->host.connection,
        .device = read->device,
        .catalog_revision = made->host.catalog->revision,
        .epoch = read->epoch,
        .flags = read->flags,
        .n_samples = made_samples(made, read, &worst),
        .plans = read->plans,
        .due = read->due,
        .sent = wall,
        .received = wall,
        .anchor_us = wall.us - made->host.now(made->host.data).us,
        .samples = made->buffers.samples,
    };
    made->host.on_batch(made->host.data, &batch);
    made->host.on_read_done(made->host.data, read, WEIR_READ_GOOD, worst);
}

void weir_made_step(void *state, weir_mono now)
{
    weir_made *made = state;
    const size_t n = made->n_waiting;
    (void)now;
    for (size_t i = 0; i < n; i++)
        made_answer(made, &made->waiting[i]);
    made->n_waiting = 0;
}

/* --- another catalog ------------------------------------------------------------------------ */

void weir_made_discard(void *state, void *prepared)
{
    (void)state;
    buffers_deinit(prepared);
    weir_free(prepared);
}

weir_err weir_made_prepare(void *state, const weir_source_change *change, void **ret_prepared,
                           weir_error *error)
{
    const weir_made *made = state;
    weir_made_buffers *b = weir_alloc_zero(1, sizeof *b);
    if (!b)
        return weir_fail(error, WEIR_ENOMEM, "connection '%s'",
                         change->catalog->connections[change->connection].name);
    const weir_err err =
        buffers_init(b, made->kind->room, change->catalog, change->connection, error);
    if (err != WEIR_OK)
        weir_free(b);
    else
        *ret_prepared = b;
    return err;
}

void weir_made_apply(void *state, const weir_source_change *change, void *prepared)
{
    weir_made *made = state;
    weir_made_buffers *b = prepared;
    const weir_made_buffers old = made->buffers;
    const size_t n_before = made->n_waiting;
    made->n_waiting = 0;
    for (size_t i = 0; i < n_before; i++) {
        weir_read read = made->waiting[i];
        read.device = change->stays[read.device];
        if (read.device != WEIR_DEVICE_NONE)
            made->waiting[made->n_waiting++] = read;
    }
    made->host.catalog = change->catalog;
    made->host.connection = change->connection;
    made->buffers = *b;
    *b = old;
    weir_made_discard(state, b);
    if (made->n_waiting)
        made->host.wake_at(made->host.data, made->host.now(made->host.data));
}

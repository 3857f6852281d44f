/* SPDX-License-Identifier: MIT */
/* The source for `random:` connections: numbers drawn anew at each read, no device.
 *
 * Every read is answered at the next step. To try plans, listeners and sinks with: what it gives
 * differs from read to read, and with the seed it is the same in every run. */

#include "sources/random/random.h"

#include <math.h>

#include "base/alloc.h"

struct random {
    weir_source_host host;
    weir_random numbers;
    weir_read *waiting;
    size_t n_waiting, capacity;
    weir_sample *samples; /* room for the largest device */
};

static bool random_serves(weir_scheme scheme)
{
    return scheme == WEIR_SCHEME_RANDOM;
}

static weir_err random_init(void *state, const weir_source_host *host, weir_error *error)
{
    struct random *s = state;
    const weir_catalog *catalog = host->catalog;
    size_t n_tags = 0;
    s->host = *host;
    s->numbers.state = host->seed;
    for (size_t i = 0; i < catalog->n_devices; i++) {
        const weir_device *device = &catalog->devices[i];
        if (device->connection == host->connection && device->n_tags > n_tags)
            n_tags = device->n_tags;
    }
    s->samples = weir_alloc_zero(n_tags + 1, sizeof *s->samples);
    if (!s->samples)
        return weir_fail(error, WEIR_ENOMEM, "random connection '%s'",
                         catalog->connections[host->connection].name);
    return WEIR_OK;
}

static void random_deinit(void *state)
{
    struct random *s = state;
    weir_free(s->waiting);
    weir_free(s->samples);
}

static void random_read(void *state, const weir_read *read)
{
    struct random *s = state;
    weir_read *room = weir_array_room(s->waiting, s->n_waiting, &s->capacity, sizeof *room);
    if (!room) {
        s->host.log(s->host.data, WEIR_LOG_ERROR, "poll", "a read is lost: out of memory");
        return;
    }
    s->waiting = room;
    s->waiting[s->n_waiting++] = *read;
    s->host.wake_at(s->host.data, read->due_mono);
}

weir_value weir_random_value(const weir_point *point, weir_random *random)
{
    const weir_simulate *simulate = &point->simulate;
    const bool given = simulate->wave != WEIR_WAVE_NONE;
    const double min = given ? simulate->min : 15, max = given ? simulate->max : 18;
    const bool stepped = given && simulate->resolution_mantissa > 0;
    /* Dividing by 100 gives the double nearest to the decimal; multiplying by 0.01 does not. */
    const double per_unit =
        stepped ? pow(10, -simulate->resolution_exponent) / (double)simulate->resolution_mantissa
                : 100;
    const double steps = floor((max - min) * per_unit + 0.5);
    const double number =
        (round(min * per_unit) + floor(weir_random_unit(random) * (steps + 1))) / per_unit;
    switch ((weir_kind)weir_type_kind(point->type)) {
    case WEIR_KIND_BOOL:
        return weir_value_bool(weir_random_u64(random) & 1);
    case WEIR_KIND_I64:
        return weir_value_i64((int64_t)number);
    case WEIR_KIND_U64:
        return weir_value_u64(number > 0 ? (uint64_t)number : 0);
    case WEIR_KIND_F32:
        return weir_value_f32((float)number);
    case WEIR_KIND_F64:
        return weir_value_f64(number);
    case WEIR_KIND_NULL:
    case WEIR_KIND_DECIMAL:
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        break;
    }
    return weir_value_null();
}

static uint32_t random_samples(struct random *s, const weir_read *read, weir_quality *worst)
{
    const weir_catalog *catalog = s->host.catalog;
    const weir_device *device = &catalog->devices[read->device];
    uint32_t n = 0;
    for (uint32_t p = 0; p < device->n_points; p++) {
        if (!weir_read_wants(read, device, p))
            continue;
        const weir_tag *tags = &catalog->tags[device->first_tag + device->point_tag[p]];
        for (uint32_t element = 0; element < device->points[p].count; element++, n++) {
            s->samples[n] = (weir_sample){
                .tag = tags[element].uid,
                .ts = read->due,
                .value = weir_random_value(&device->points[p], &s->numbers),
            };
            if (s->samples[n].value.kind == WEIR_KIND_NULL)
                s->samples[n].quality = *worst = weir_bad(WEIR_CAUSE_NA, 0);
        }
    }
    return n;
}

static void random_answer(struct random *s, const weir_read *read)
{
    const weir_wall wall = s->host.wall(s->host.data);
    weir_quality worst = 0;
    const weir_batch batch = {
        .connection = s->host.connection,
        .device = read->device,
        .catalog_revision = s->host.catalog->revision,
        .epoch = read->epoch,
        .flags = read->flags,
        .n_samples = random_samples(s, read, &worst),
        .plans = read->plans,
        .due = read->due,
        .sent = wall,
        .received = wall,
        .anchor_us = wall.us - s->host.now(s->host.data).us,
        .samples = s->samples,
    };
    s->host.on_batch(s->host.data, &batch);
    s->host.on_read_done(s->host.data, read, WEIR_READ_GOOD, worst);
}

static void random_step(void *state, weir_mono now)
{
    struct random *s = state;
    const size_t n = s->n_waiting;
    (void)now;
    for (size_t i = 0; i < n; i++)
        random_answer(s, &s->waiting[i]);
    s->n_waiting = 0;
}

const weir_source_type weir_source_random = {
    .abi = WEIR_SOURCE_ABI,
    .name = "random",
    .summary = "numbers drawn anew at each read: no device, no network",
    .serves = random_serves,
    .state_size = sizeof(struct random),
    .init = random_init,
    .deinit = random_deinit,
    .read = random_read,
    .step = random_step,
};

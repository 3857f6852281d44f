/* SPDX-License-Identifier: MIT */
/* The filter: see filter.h. */

/*
 * The happy path. weir_filter_select finds the slot of each sample whose tag has a deadband,
 * decides, and remembers what passed as pending; the caller hands the selection to the store;
 * weir_filter_settle turns what is pending into what is archived. A later sample of the same tag
 * in the same batch is compared with the pending one.
 *
 * What can go wrong. The store refuses: pending samples are forgotten. Memory is short: for the
 * copy of a batch, then nothing is left out; for a text, then its tag is as at the start, and the
 * next sample passes. So every failure archives too much, never too little.
 */

#include "engine/filter.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"

/* A tag with a deadband, and its last archived sample. */
struct slot {
    weir_tag_uid uid;
    uint32_t pending; /* index + 1 in weir_filter.pending; 0: none */
    const weir_point *point;
    bool known; /* something was archived; what follows is it */
    weir_quality quality;
    uint32_t epoch;
    uint32_t capacity; /* of text */
    weir_wall ts;
    weir_value value; /* string, bytes: the content is in text */
    uint8_t *text;
};

struct weir_filter {
    struct slot *slots; /* those of a device together, by uid */
    struct device {
        uint32_t first, n;
    } * devices; /* by catalog index */
    size_t n_devices, n_slots;
    struct pending {
        struct slot *slot;
        const weir_sample *sample; /* of the batch that is being selected */
    } * pending;                   /* room for all slots of the largest device */
    size_t n_pending;
    uint32_t epoch; /* of the pending samples */
    weir_sample *samples;
    uint32_t n_samples; /* room */
    weir_batch batch;   /* what was selected, when it is a copy */
    uint64_t dropped;
};

/* ---- values ---- */

enum { POW10_MAX = 19 }; /* the largest power of ten in 64 bits */

/* The deadband in units of 10^exponent, rounded down. Distances are whole units, so one is above
 * the deadband exactly when it is above this. */
static uint64_t deadband_units(const weir_value *deadband, int exponent)
{
    const uint64_t mantissa = (uint64_t)deadband->as.i;
    const int shift = deadband->exponent - exponent;
    uint64_t units = 0;
    if (mantissa == 0 || shift < -POW10_MAX)
        return 0;
    if (shift < 0)
        return mantissa / weir_pow10_u64((unsigned)-shift);
    if (shift > POW10_MAX ||
        __builtin_mul_overflow(mantissa, weir_pow10_u64((unsigned)shift), &units))
        return UINT64_MAX; /* no distance is above */
    return units;
}

static uint64_t distance_of(int64_t a, int64_t b)
{
    return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

/* v * 10^shift; false when it does not fit. */
static bool mantissa_shift(int64_t *v, int shift)
{
    if (*v == 0 || shift == 0)
        return true;
    return shift < POW10_MAX &&
           !__builtin_mul_overflow(*v, (int64_t)weir_pow10_u64((unsigned)shift), v);
}

/* Decimals without a common unit in 64 bits are nearly always far apart: a change. */
static bool decimals_differ(const weir_value *a, const weir_value *b, const weir_value *deadband)
{
    const int exponent = a->exponent < b->exponent ? a->exponent : b->exponent;
    int64_t x = a->as.i, y = b->as.i;
    return !mantissa_shift(&x, a->exponent - exponent) ||
           !mantissa_shift(&y, b->exponent - exponent) ||
           distance_of(x, y) > deadband_units(deadband, exponent);
}

static bool floats_differ(const weir_value *a, const weir_value *b, const weir_value *deadband)
{
    double x = 0, y = 0, band = 0;
    if (!weir_value_number(a, &x) || !weir_value_number(b, &y) ||
        !weir_value_number(deadband, &band) || !isfinite(x) || !isfinite(y))
        return !weir_value_identical(a, b);
    return fabs(x - y) > band;
}

static bool values_differ(const weir_value *a, const weir_value *b, const weir_value *deadband)
{
    if (a->kind != b->kind)
        return true;
    switch ((weir_kind)a->kind) {
    case WEIR_KIND_I64:
        return distance_of(a->as.i, b->as.i) > deadband_units(deadband, 0);
    case WEIR_KIND_U64:
        return (a->as.u > b->as.u ? a->as.u - b->as.u : b->as.u - a->as.u) >
               deadband_units(deadband, 0);
    case WEIR_KIND_DECIMAL:
        return decimals_differ(a, b, deadband);
    case WEIR_KIND_F32:
    case WEIR_KIND_F64:
        return floats_differ(a, b, deadband);
    case WEIR_KIND_NULL:
    case WEIR_KIND_BOOL:
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        return !weir_value_identical(a, b);
    }
    return true;
}

/* ---- slots ---- */

static struct slot *device_slot(const weir_filter *f, const struct device *d, weir_tag_uid uid)
{
    uint32_t low = d->first, high = d->first + d->n;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (f->slots[middle].uid == uid)
            return &f->slots[middle];
        if (f->slots[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The archived sample, or the one before in this batch, that a sample is compared with. */
struct last {
    weir_quality quality;
    uint32_t epoch;
    weir_wall ts;
    weir_value value;
};

/* False: there is none. */
static bool slot_last(const weir_filter *f, const struct slot *slot, struct last *ret)
{
    if (slot->pending) {
        const weir_sample *sample = f->pending[slot->pending - 1].sample;
        *ret = (struct last){sample->quality, f->epoch, sample->ts, sample->value};
        return true;
    }
    *ret = (struct last){slot->quality, slot->epoch, slot->ts, slot->value};
    return slot->known;
}

/* Out of order: archived, but what comes next is not compared with it. */
static bool last_is_later(const struct last *last, const weir_sample *sample, uint32_t epoch)
{
    return last->epoch == epoch && last->ts.us > sample->ts.us;
}

static bool sample_passes(const weir_sample *sample, uint32_t epoch, const weir_point *point,
                          const struct last *last)
{
    if (sample->quality != last->quality || weir_quality_class(sample->quality) == WEIR_BAD ||
        epoch != last->epoch || sample->ts.us <= last->ts.us)
        return true;
    /* Unsigned: a source's own times may be as far apart as they like. */
    const uint64_t age = (uint64_t)sample->ts.us - (uint64_t)last->ts.us;
    return (point->max_unchanged_us && age >= (uint64_t)point->max_unchanged_us) ||
           values_differ(&sample->value, &last->value, &point->deadband);
}

static void filter_set_pending(weir_filter *f, struct slot *slot, const weir_sample *sample)
{
    if (!slot->pending) {
        f->pending[f->n_pending].slot = slot;
        slot->pending = (uint32_t)++f->n_pending;
    }
    f->pending[slot->pending - 1].sample = sample;
}

/* Decides over one sample of a device with filtered tags. */
static bool filter_passes(weir_filter *f, const struct device *d, const weir_sample *sample,
                          bool may_drop)
{
    struct slot *slot = device_slot(f, d, sample->tag);
    struct last last;
    if (!slot)
        return true;
    const bool any = slot_last(f, slot, &last);
    if (any && may_drop && !sample_passes(sample, f->epoch, slot->point, &last))
        return false;
    if (!any || !last_is_later(&last, sample, f->epoch))
        filter_set_pending(f, slot, sample);
    return true;
}

static bool slot_keep_text(struct slot *slot, const weir_value *value)
{
    if (value->length > slot->capacity) {
        uint8_t *text = weir_realloc_array(slot->text, value->length, 1);
        if (!text)
            return false;
        slot->text = text;
        slot->capacity = value->length;
    }
    if (value->length)
        memcpy(slot->text, value->as.bytes, value->length);
    slot->value.as.bytes = slot->text;
    return true;
}

static void slot_keep(struct slot *slot, const weir_sample *sample, uint32_t epoch)
{
    slot->quality = sample->quality;
    slot->epoch = epoch;
    slot->ts = sample->ts;
    slot->value = sample->value;
    slot->known = true;
    if (sample->value.kind == WEIR_KIND_STRING || sample->value.kind == WEIR_KIND_BYTES)
        slot->known = slot_keep_text(slot, &sample->value);
}

/* ---- batches ---- */

/* Room for the batch; false without memory. */
static bool filter_reserve(weir_filter *f, uint32_t n)
{
    if (n <= f->n_samples)
        return true;
    weir_sample *samples = weir_realloc_array(f->samples, n, sizeof *samples);
    if (!samples)
        return false;
    f->samples = samples;
    f->n_samples = n;
    return true;
}

const weir_batch *weir_filter_select(weir_filter *f, const weir_batch *batch)
{
    const struct device *d = &f->devices[batch->device];
    uint32_t n = 0;
    assert(f->n_pending == 0);
    if (d->n == 0)
        return batch;
    const bool may_drop = filter_reserve(f, batch->n_samples);
    f->epoch = batch->epoch;
    for (uint32_t i = 0; i < batch->n_samples; i++) {
        if (filter_passes(f, d, &batch->samples[i], may_drop)) {
            if (n < i)
                f->samples[n] = batch->samples[i];
            n++;
        } else if (n == i && n > 0) { /* the first that is left out: from here on it is a copy */
            memcpy(f->samples, batch->samples, n * sizeof *f->samples);
        }
    }
    f->dropped += batch->n_samples - n;
    if (n == batch->n_samples)
        return batch;
    f->batch = *batch;
    f->batch.n_samples = n;
    f->batch.samples = f->samples;
    return n ? &f->batch : NULL;
}

void weir_filter_settle(weir_filter *f, bool archived)
{
    for (size_t i = 0; i < f->n_pending; i++) {
        struct slot *slot = f->pending[i].slot;
        slot->pending = 0;
        if (archived)
            slot_keep(slot, f->pending[i].sample, f->epoch);
    }
    f->n_pending = 0;
}

uint64_t weir_filter_dropped(const weir_filter *f)
{
    return f->dropped;
}

/* ---- life ---- */

static const weir_point *tag_filtered_point(const weir_catalog *catalog, const weir_tag *tag)
{
    const weir_point *point = weir_tag_point(catalog, tag);
    return point->deadband.kind == WEIR_KIND_DECIMAL ? point : NULL;
}

static int slot_compare(const void *x, const void *y)
{
    const struct slot *a = x, *b = y;
    return (a->uid > b->uid) - (a->uid < b->uid);
}

/* Fills the slots of one device from slots[first] on; returns how many. */
static uint32_t filter_add_device(weir_filter *f, const weir_catalog *catalog, size_t device,
                                  uint32_t first)
{
    const weir_device *d = &catalog->devices[device];
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_tags; i++) {
        const weir_tag *tag = &catalog->tags[d->first_tag + i];
        const weir_point *point = tag_filtered_point(catalog, tag);
        if (point)
            f->slots[first + n++] = (struct slot){.uid = tag->uid, .point = point};
    }
    qsort(f->slots + first, n, sizeof *f->slots, slot_compare);
    f->devices[device] = (struct device){first, n};
    return n;
}

static bool filter_allocate(weir_filter *f, const weir_catalog *catalog)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < catalog->n_tags; i++)
        f->n_slots += tag_filtered_point(catalog, &catalog->tags[i]) != NULL;
    for (size_t i = 0; i < catalog->n_devices; i++)
        if (catalog->devices[i].n_tags > largest)
            largest = catalog->devices[i].n_tags;
    f->n_devices = catalog->n_devices;
    f->slots = weir_alloc_zero(f->n_slots + 1, sizeof *f->slots);
    f->devices = weir_alloc_zero(catalog->n_devices + 1, sizeof *f->devices);
    f->pending = weir_alloc_zero((size_t)largest + 1, sizeof *f->pending);
    return f->slots && f->devices && f->pending;
}

weir_err weir_filter_new(const weir_catalog *catalog, weir_filter **ret, weir_error *error)
{
    uint32_t first = 0;
    weir_filter *f = weir_alloc_zero(1, sizeof *f);
    if (!f || !filter_allocate(f, catalog)) {
        weir_filter_free(f);
        return weir_fail(error, WEIR_ENOMEM, "the filter of %zu tags", catalog->n_tags);
    }
    for (size_t i = 0; i < catalog->n_devices; i++)
        first += filter_add_device(f, catalog, i, first);
    *ret = f;
    return WEIR_OK;
}

static void slot_take_over(struct slot *to, struct slot *from)
{
    to->known = from->known;
    to->quality = from->quality;
    to->epoch = from->epoch;
    to->capacity = from->capacity;
    to->ts = from->ts;
    to->value = from->value;
    to->text = from->text;
    from->text = NULL;
    from->capacity = 0;
    from->known = false;
}

void weir_filter_take_over(weir_filter *f, weir_filter *older, const uint32_t *was)
{
    assert(f->n_pending == 0 && older->n_pending == 0);
    f->dropped = older->dropped;
    for (size_t d = 0; d < f->n_devices; d++)
        for (uint32_t i = 0; was[d] != UINT32_MAX && i < f->devices[d].n; i++) {
            struct slot *to = &f->slots[f->devices[d].first + i];
            struct slot *from = device_slot(older, &older->devices[was[d]], to->uid);
            if (from)
                slot_take_over(to, from);
        }
}

void weir_filter_free(weir_filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; f->slots && i < f->n_slots; i++)
        weir_free(f->slots[i].text);
    weir_free(f->slots);
    weir_free(f->devices);
    weir_free(f->pending);
    weir_free(f->samples);
    weir_free(f);
}

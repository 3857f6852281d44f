/* SPDX-License-Identifier: MIT */
/* The values of a segment: numbers to keys, texts to a dictionary, each kind a column. */

#include "blocks/segment_priv.h"

#include <math.h>

#include "base/alloc.h"
#include "blocks/number_key.h"

/* The starts of slices among the values of one kind, to indices. */
static bool kind_starts(weir_segment_encoder *e, const weir_series *series, uint8_t kind)
{
    const uint32_t *starts = e->starts.at;
    uint32_t n = 0;
    e->indices.n = 0;
    if (!weir_column_reserve(&e->indices, e->starts.n, sizeof(uint32_t)))
        return false;
    for (size_t k = 0, i = 0; k < e->starts.n; k++) {
        size_t end = k + 1 < e->starts.n ? starts[k + 1] : series->n;
        ((uint32_t *)e->indices.at)[e->indices.n++] = n;
        for (; i < end; i++)
            n += series->samples[i].value.kind == kind;
    }
    return true;
}

/* The least power of ten by which nearly all values are integers, which go to keys; SCALE_NONE:
 * none. A scale that is too small fails early. A value without a key repeats the one before it. */
static uint8_t scale_find(const int64_t *bits, size_t n, uint8_t kind, int64_t *keys,
                          size_t *ret_odd)
{
    const uint8_t max = kind == WEIR_KIND_F32 ? SCALE_MAX_F32 : SCALE_MAX_F64;
    const size_t odd_max = 2 + n / 32;
    for (uint8_t scale = 0; scale <= max; scale++) {
        double power = weir_pow10_double(scale);
        size_t odd = 0;
        int64_t key = 0;
        for (size_t i = 0; i < n && odd <= odd_max; i++) {
            odd += !scaled_key(kind, (uint64_t)bits[i], power, &key);
            keys[i] = key;
        }
        if (odd <= odd_max) {
            *ret_odd = odd;
            return scale;
        }
    }
    return SCALE_NONE;
}

/* Values without a key to bytes: their number, their bits. */
static bool odd_gather(weir_segment_encoder *e, const int64_t *bits, const int64_t *keys, size_t n,
                       uint8_t kind, uint8_t scale)
{
    e->bytes.n = 0;
    for (size_t i = 0, last = 0; i < n; i++) {
        if (key_bits(kind, scale, keys[i]) == (uint64_t)bits[i])
            continue;
        if (!weir_column_reserve(&e->bytes, WEIR_VARINT_MAX + 8, 1))
            return false;
        weir_column_put_varint(&e->bytes, i - last);
        weir_column_put_be(&e->bytes, (uint64_t)bits[i], 8);
        last = i;
    }
    return true;
}

static void keys_from_bits(const int64_t *bits, size_t n, uint8_t kind, int64_t *keys)
{
    for (size_t i = 0; i < n; i++)
        (void)bits_key(kind, SCALE_NONE, (uint64_t)bits[i], &keys[i]);
}

/* Makes keys of bits. Of a float column digits are better than bits unless they are many: then
 * both are tried. */
static uint8_t keys_make(weir_segment_encoder *e, const int64_t *bits, size_t n, uint8_t kind,
                         size_t *ret_odd)
{
    enum { FEW_DIGITS = 3, ODD_BITS = 80 };
    const bool is_float = kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64;
    int64_t *keys = e->keys.at;
    uint8_t scale = is_float ? scale_find(bits, n, kind, keys, ret_odd) : SCALE_NONE;
    if (scale <= FEW_DIGITS)
        return scale;
    double by_digits = INFINITY;
    if (scale != SCALE_NONE)
        by_digits = weir_ints_estimate(&e->writer, keys, n) + ODD_BITS * (double)*ret_odd;
    keys_from_bits(bits, n, kind, keys);
    if (scale == SCALE_NONE || weir_ints_estimate(&e->writer, keys, n) < by_digits) {
        *ret_odd = 0;
        return SCALE_NONE;
    }
    return scale_find(bits, n, kind, keys, ret_odd);
}

/* Numbers of one kind; their keys stay in e->keys. */
static bool numbers_put(weir_segment_encoder *e, const weir_series *series, uint8_t kind, size_t n,
                        uint8_t *ret_scale, size_t *ret_odd)
{
    e->values.n = e->keys.n = 0;
    if (!weir_column_reserve(&e->values, n, sizeof(int64_t)) ||
        !weir_column_reserve(&e->keys, series->n, sizeof(int64_t)))
        return false;
    int64_t *bits = e->values.at;
    for (size_t i = 0, k = 0; i < series->n; i++)
        if (series->samples[i].value.kind == kind)
            bits[k++] = (int64_t)value_bits(&series->samples[i].value);
    *ret_odd = 0;
    uint8_t scale = *ret_scale = keys_make(e, bits, n, kind, ret_odd);
    if (kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64) {
        weir_ints_put_varint(&e->out, scale);
        weir_ints_put_varint(&e->out, *ret_odd);
        if (*ret_odd && !odd_gather(e, bits, e->keys.at, n, kind, scale))
            return false;
        if (*ret_odd)
            weir_ints_put_bytes(&e->out, e->bytes.at, e->bytes.n);
    }
    weir_segment_column_put(e, e->keys.at, n, &e->indices);
    return true;
}

static uint32_t text_hash(const weir_value *v)
{
    uint32_t h = 0x811c9dc5; /* FNV-1a */
    for (size_t i = 0; i < v->length; i++)
        h = (h ^ v->as.bytes[i]) * 0x01000193;
    return h ^ h >> 15;
}

/* The dictionary: entries in the order of their first use; open addressing. */
enum { DICTIONARY_MAX = 1024, DICTIONARY_SLOTS = 4 * DICTIONARY_MAX };

struct dictionary {
    uint16_t slots[DICTIONARY_SLOTS]; /* entry + 1 */
    uint32_t entries[DICTIONARY_MAX]; /* sample */
    size_t n;
};

/* The entry of a sample's text; false when there are too many. */
static bool dictionary_entry(struct dictionary *d, const weir_series *series, size_t i,
                             int64_t *ret)
{
    const weir_value *v = &series->samples[i].value;
    size_t at = text_hash(v) % DICTIONARY_SLOTS;
    for (; d->slots[at]; at = (at + 1) % DICTIONARY_SLOTS)
        if (weir_value_identical(v, &series->samples[d->entries[d->slots[at] - 1]].value)) {
            *ret = d->slots[at] - 1;
            return true;
        }
    if (d->n == DICTIONARY_MAX)
        return false;
    d->entries[d->n] = (uint32_t)i;
    *ret = (int64_t)d->n;
    d->slots[at] = (uint16_t)++d->n;
    return true;
}

/* Lengths of these samples' texts, or of all of the kind, as bytes; and their contents. */
static bool contents_gather(weir_segment_encoder *e, const weir_series *series, uint8_t kind,
                            const struct dictionary *d)
{
    size_t n = d ? d->n : series->n;
    e->bytes.n = e->texts.n = 0;
    for (size_t i = 0; i < n; i++) {
        const weir_value *v = &series->samples[d ? d->entries[i] : i].value;
        if (v->kind != kind)
            continue;
        if (!weir_column_reserve(&e->texts, WEIR_VARINT_MAX, 1) ||
            !weir_column_reserve(&e->bytes, v->length, 1))
            return false;
        weir_column_put_varint(&e->texts, v->length);
        weir_column_put_bytes(&e->bytes, v->as.bytes, v->length);
    }
    return true;
}

/* Few different texts: a dictionary and a column of its entries. Many: all of them. */
static bool texts_put(weir_segment_encoder *e, const weir_series *series, uint8_t kind, size_t n)
{
    WEIR_CLEANUP(weir_free) void *memory = weir_alloc_zero(1, sizeof(struct dictionary));
    struct dictionary *d = memory;
    e->values.n = 0;
    if (!d || !weir_column_reserve(&e->values, n, sizeof(int64_t)))
        return false;
    int64_t *v = e->values.at;
    bool few = true;
    for (size_t i = 0, k = 0; few && i < series->n; i++)
        if (series->samples[i].value.kind == kind)
            few = dictionary_entry(d, series, i, &v[k++]);
    if (few && d->n > 1 + n / 2)
        few = false;
    if (!contents_gather(e, series, kind, few ? d : NULL))
        return false;
    weir_ints_put_varint(&e->out, few ? d->n : 0);
    weir_ints_put_bytes(&e->out, e->texts.at, e->texts.n);
    weir_ints_put_bytes(&e->out, e->bytes.at, e->bytes.n);
    if (few)
        weir_segment_column_put(e, v, n, &e->indices);
    return true;
}

/* A key for each sample, 0 when it is no number. They make small marks, when all numbers have one
 * kind, exponent and key; else there is no form. */
static bool form_find(weir_segment_encoder *e, const weir_series *series, struct key_form *form)
{
    e->keys.n = 0;
    if (!weir_column_reserve(&e->keys, series->n, sizeof(int64_t)))
        return false;
    int64_t *keys = e->keys.at;
    bool first = true;
    for (size_t i = 0; i < series->n; i++) {
        double x;
        const weir_sample *s = &series->samples[i];
        keys[i] = 0;
        if (!weir_summary_number(s, &x))
            continue;
        int8_t exponent = s->value.kind == WEIR_KIND_DECIMAL ? s->value.exponent : 0;
        if (first)
            form->exponent = exponent;
        first = false;
        if (exponent != form->exponent ||
            !bits_key(form->kind, form->scale, value_bits(&s->value), &keys[i])) {
            form->kind = WEIR_KIND_NULL;
            return true;
        }
    }
    return true;
}

bool weir_segment_values_put(weir_segment_encoder *e, const weir_series *series,
                             const uint32_t counts[WEIR_KIND_COUNT], struct key_form *form)
{
    size_t odd = 0;
    unsigned n_kinds = 0;
    for (uint8_t kind = WEIR_KIND_BOOL; kind < WEIR_KIND_COUNT; kind++) {
        if (counts[kind] == 0)
            continue;
        if (!kind_starts(e, series, kind))
            return false;
        if (kind >= WEIR_KIND_STRING) {
            if (!texts_put(e, series, kind, counts[kind]))
                return false;
            continue;
        }
        n_kinds++;
        form->kind = kind;
        if (!numbers_put(e, series, kind, counts[kind], &form->scale, &odd))
            return false;
    }
    if (n_kinds != 1) {
        form->kind = WEIR_KIND_NULL;
        return true;
    }
    /* The usual case: the keys of the column are those of the samples. */
    if (counts[form->kind] == series->n && odd == 0 && form->kind != WEIR_KIND_DECIMAL)
        return true;
    return form_find(e, series, form);
}

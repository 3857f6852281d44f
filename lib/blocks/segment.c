/* SPDX-License-Identifier: MIT */
/* Segments opened: slices listed, single ones or all decoded to samples. */

/*
 * The bytes may be anyone's. Opening takes the slices from the marks and checks that they lie one
 * behind the other and hold what the head says; loading decompresses the body and opens its
 * columns, each checked against the counts of its slices; reading decodes them side by side and
 * compares the times with what the slice says. What a column holds is never used as a place before
 * it has been compared with what is there.
 */

#include "blocks/segment.h"

#include "base/alloc.h"
#include "blocks/number_key.h"
#include "blocks/segment_priv.h"

/* The columns each sample is in. */
enum {
    COLUMN_QUALITY,
    COLUMN_KIND,
    COLUMN_REPLY,
    COLUMN_INDEX,
    COLUMN_LAG, /* due less ts */
    COLUMN_COUNT,
};

/* Values of one kind. */
struct values {
    uint32_t n;
    uint32_t *starts; /* of slices, among the values of the kind; NULL: those of the samples */
    weir_ints *column;
    size_t next; /* to be read */
    /* Floats. */
    uint8_t scale;
    uint32_t n_odd;
    uint32_t *odd_at;
    uint64_t *odd_bits;
    size_t odd; /* to be read */
    /* Strings and bytes: where each ends in contents; of a dictionary, each entry. */
    uint32_t n_texts;
    bool dictionary;
    uint32_t *ends;
    const uint8_t *contents;
};

struct weir_segment {
    weir_segment_head head;
    weir_slice *slices;
    uint32_t *starts;
    uint8_t *raw; /* of the body; NULL: not loaded */
    /* Times: runs of equal steps, and deviations from them. */
    uint32_t n_runs;
    uint32_t *run_at; /* and count behind the last */
    uint64_t *run_start, *run_step;
    uint32_t run;
    bool deviate;
    weir_ints deviations;
    weir_ints columns[COLUMN_COUNT];
    struct values values[WEIR_KIND_COUNT];
};

static void body_free(weir_segment *g)
{
    weir_free(g->raw);
    weir_free(g->run_at);
    weir_free(g->run_start);
    weir_free(g->run_step);
    weir_ints_deinit(&g->deviations);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        weir_ints_deinit(&g->columns[i]);
    for (size_t i = 0; i < WEIR_KIND_COUNT; i++) {
        struct values *v = &g->values[i];
        if (v->column)
            weir_ints_deinit(v->column);
        weir_free(v->column);
        weir_free(v->starts);
        weir_free(v->odd_at);
        weir_free(v->odd_bits);
        weir_free(v->ends);
    }
}

void weir_segment_free(weir_segment *g)
{
    if (!g)
        return;
    body_free(g);
    weir_free(g->slices);
    weir_free(g->starts);
    weir_free(g);
}

static weir_err result_fail(weir_ints_result result, weir_error *error)
{
    return result == WEIR_INTS_NO_MEMORY
               ? weir_fail(error, WEIR_ENOMEM, "no memory to decode a segment")
               : weir_fail(error, WEIR_EDAMAGED, "segment contradicts itself");
}

/* --- opening ------------------------------------------------------------------------------ */

static weir_err slices_read(weir_segment *g, const uint8_t *marks, size_t n, weir_error *error)
{
    const weir_segment_head *head = &g->head;
    if (n != head->marks_size)
        return weir_fail(error, WEIR_EDAMAGED, "marks are not of the size their head names");
    if (head->n_slices == 1) {
        g->slices[0] = (weir_slice){0, head->count, head->min_ts, head->max_ts, head->summary};
        return WEIR_OK;
    }
    uint8_t *raw = NULL;
    weir_ints_in in;
    weir_err err = weir_body_unpack((weir_body_bytes){marks, n, head->marks_raw}, head->marks_crc,
                                    &raw, &in, error);
    if (err != WEIR_OK)
        return err;
    weir_ints_result result = weir_segment_marks_read(head, &in, g->slices);
    weir_free(raw);
    return result == WEIR_INTS_OK ? WEIR_OK : result_fail(result, error);
}

weir_err weir_segment_open(const weir_segment_head *head, const uint8_t *marks, size_t n,
                           weir_segment **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_segment_free) weir_segment *g = weir_alloc_zero(1, sizeof *g);
    if (!g)
        return weir_fail(error, WEIR_ENOMEM, "no memory to open a segment");
    g->head = *head;
    g->slices = weir_alloc_zero(head->n_slices, sizeof *g->slices);
    g->starts = weir_alloc(head->n_slices * sizeof *g->starts);
    if (!g->slices || !g->starts)
        return weir_fail(error, WEIR_ENOMEM, "no memory to open a segment");
    weir_err err = slices_read(g, marks, n, error);
    if (err != WEIR_OK)
        return err;
    for (size_t i = 0; i < head->n_slices; i++)
        g->starts[i] = g->slices[i].first;
    *ret = g;
    g = NULL;
    return WEIR_OK;
}

const weir_slice *weir_segment_slices(const weir_segment *segment, size_t *ret_n)
{
    *ret_n = segment->head.n_slices;
    return segment->slices;
}

/* --- loading ------------------------------------------------------------------------------ */

static weir_ints_result times_open(weir_segment *g, weir_ints_in *in)
{
    uint64_t n = weir_read_varint(&in->meta);
    size_t n_bytes = 0;
    const uint8_t *bytes = weir_ints_get_bytes(in, &n_bytes);
    if (!bytes || n == 0 || n > g->head.count || n > n_bytes / 3)
        return WEIR_INTS_DAMAGED;
    g->n_runs = (uint32_t)n;
    g->run_at = weir_alloc((n + 1) * sizeof *g->run_at);
    g->run_start = weir_alloc(n * sizeof *g->run_start);
    g->run_step = weir_alloc(n * sizeof *g->run_step);
    if (!g->run_at || !g->run_start || !g->run_step)
        return WEIR_INTS_NO_MEMORY;
    weir_reader r = weir_reader_of(bytes, n_bytes);
    uint64_t at = 0, start = (uint64_t)g->head.min_ts.us, step = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t more = weir_read_varint(&r);
        if (at >= g->head.count || more >= g->head.count - at)
            return WEIR_INTS_DAMAGED;
        g->run_at[i] = (uint32_t)at;
        g->run_start[i] = start += (uint64_t)weir_read_svarint(&r);
        g->run_step[i] = step += (uint64_t)weir_read_svarint(&r);
        start += (more + 1) * step;
        at += more + 1;
    }
    g->run_at[n] = (uint32_t)at;
    g->deviate = weir_read_varint(&in->meta);
    if (r.failed || weir_reader_left(&r) || at != g->head.count || in->meta.failed)
        return WEIR_INTS_DAMAGED;
    return g->deviate
               ? weir_ints_open(&g->deviations, in, g->head.count, g->starts, g->head.n_slices)
               : WEIR_INTS_OK;
}

/* Counts the values of each kind in each slice. */
static weir_ints_result kinds_count(weir_segment *g)
{
    weir_ints *kinds = &g->columns[COLUMN_KIND];
    for (size_t slice = 0; slice < g->head.n_slices; slice++) {
        for (size_t i = 0; i < WEIR_KIND_COUNT; i++)
            if (g->values[i].starts)
                g->values[i].starts[slice] = g->values[i].n;
        for (size_t left = g->slices[slice].count, k; left > 0; left -= k) {
            const int64_t *v = weir_ints_next(kinds, left, &k);
            for (size_t i = 0; i < k; i++) {
                if (v[i] < 0 || v[i] >= WEIR_KIND_COUNT << 8)
                    return WEIR_INTS_DAMAGED;
                struct values *of = &g->values[v[i] >> 8];
                if (!of->starts) {
                    of->starts = weir_alloc_zero(g->head.n_slices, sizeof *of->starts);
                    if (!of->starts)
                        return WEIR_INTS_NO_MEMORY;
                }
                of->n++;
            }
        }
    }
    weir_ints_seek(kinds, 0);
    return WEIR_INTS_OK;
}

/* Most segments have one kind. */
static weir_ints_result kinds_open(weir_segment *g)
{
    weir_ints *kinds = &g->columns[COLUMN_KIND];
    if (!weir_ints_constant(kinds))
        return kinds_count(g);
    int64_t kind = kinds->run_values[0];
    if (kind < 0 || kind >= WEIR_KIND_COUNT << 8)
        return WEIR_INTS_DAMAGED;
    g->values[kind >> 8].n = g->head.count;
    return WEIR_INTS_OK;
}

static weir_ints_result values_column_open(weir_segment *g, struct values *v, weir_ints_in *in)
{
    v->column = weir_alloc_zero(1, sizeof *v->column);
    if (!v->column)
        return WEIR_INTS_NO_MEMORY;
    return weir_ints_open(v->column, in, v->n, v->starts ? v->starts : g->starts, g->head.n_slices);
}

/* Floats that have no key: their number and bits. */
static weir_ints_result odd_open(struct values *v, uint8_t kind, weir_ints_in *in)
{
    uint64_t scale = weir_read_varint(&in->meta), n = weir_read_varint(&in->meta);
    if (in->meta.failed || (scale > SCALE_MAX_F64 && scale != SCALE_NONE) || n > v->n)
        return WEIR_INTS_DAMAGED;
    v->scale = (uint8_t)scale;
    v->n_odd = (uint32_t)n;
    if (n == 0)
        return WEIR_INTS_OK;
    size_t n_bytes = 0;
    const uint8_t *bytes = weir_ints_get_bytes(in, &n_bytes);
    if (!bytes || n > n_bytes / 9)
        return WEIR_INTS_DAMAGED;
    v->odd_at = weir_alloc(n * sizeof *v->odd_at);
    v->odd_bits = weir_alloc(n * sizeof *v->odd_bits);
    if (!v->odd_at || !v->odd_bits)
        return WEIR_INTS_NO_MEMORY;
    weir_reader r = weir_reader_of(bytes, n_bytes);
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t gap = weir_read_varint(&r), bits = weir_read_u64(&r);
        if (gap >= v->n - at || (i > 0 && gap == 0))
            return WEIR_INTS_DAMAGED;
        at += gap;
        v->odd_at[i] = (uint32_t)at;
        v->odd_bits[i] = kind == WEIR_KIND_F32 ? (uint32_t)bits : bits;
    }
    return r.failed || weir_reader_left(&r) ? WEIR_INTS_DAMAGED : WEIR_INTS_OK;
}

static weir_ints_result texts_open(weir_segment *g, struct values *v, weir_ints_in *in)
{
    uint64_t n = weir_read_varint(&in->meta);
    size_t n_lengths = 0, n_contents = 0;
    const uint8_t *lengths = weir_ints_get_bytes(in, &n_lengths);
    v->contents = lengths ? weir_ints_get_bytes(in, &n_contents) : NULL;
    v->dictionary = n > 0;
    n = n ? n : v->n;
    if (!v->contents || n > v->n || n > n_lengths)
        return WEIR_INTS_DAMAGED;
    v->n_texts = (uint32_t)n;
    v->ends = weir_alloc((n + 1) * sizeof *v->ends);
    if (!v->ends)
        return WEIR_INTS_NO_MEMORY;
    weir_reader r = weir_reader_of(lengths, n_lengths);
    uint64_t end = 0;
    v->ends[0] = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t length = weir_read_varint(&r);
        if (length > WEIR_VALUE_LENGTH_MAX || length > n_contents - end)
            return WEIR_INTS_DAMAGED;
        v->ends[i + 1] = (uint32_t)(end += length);
    }
    if (r.failed || weir_reader_left(&r) || end != n_contents)
        return WEIR_INTS_DAMAGED;
    return v->dictionary ? values_column_open(g, v, in) : WEIR_INTS_OK;
}

static weir_ints_result values_open(weir_segment *g, weir_ints_in *in)
{
    weir_ints_result result = kinds_open(g);
    for (uint8_t kind = WEIR_KIND_BOOL; result == WEIR_INTS_OK && kind < WEIR_KIND_COUNT; kind++) {
        struct values *v = &g->values[kind];
        if (v->n == 0)
            continue;
        if (kind >= WEIR_KIND_STRING) {
            result = texts_open(g, v, in);
            continue;
        }
        v->scale = SCALE_NONE;
        if (kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64)
            result = odd_open(v, kind, in);
        if (result == WEIR_INTS_OK)
            result = values_column_open(g, v, in);
    }
    return result;
}

weir_err weir_segment_load(weir_segment *g, const uint8_t *body, size_t n, weir_error *error)
{
    weir_ints_in in;
    if (g->raw)
        return weir_fail(error, WEIR_EINVAL, "the segment is loaded");
    if (n != g->head.body_size)
        return weir_fail(error, WEIR_EDAMAGED, "segment is not of the size its head names");
    weir_err err = weir_body_unpack((weir_body_bytes){body, n, g->head.body_raw}, g->head.body_crc,
                                    &g->raw, &in, error);
    if (err != WEIR_OK)
        return err;
    weir_ints_result result = times_open(g, &in);
    for (size_t i = 0; result == WEIR_INTS_OK && i < COLUMN_COUNT; i++)
        result = weir_ints_open(&g->columns[i], &in, g->head.count, g->starts, g->head.n_slices);
    if (result == WEIR_INTS_OK)
        result = values_open(g, &in);
    if (result == WEIR_INTS_OK && (weir_reader_left(&in.meta) || weir_reader_left(&in.data)))
        result = WEIR_INTS_DAMAGED;
    if (result == WEIR_INTS_OK)
        return WEIR_OK;
    body_free(g);
    g->raw = NULL;
    memset(&g->n_runs, 0, sizeof *g - offsetof(weir_segment, n_runs));
    return result_fail(result, error);
}

/* --- reading ------------------------------------------------------------------------------ */

static void values_seek(const weir_segment *g, struct values *v, size_t slice)
{
    v->next = v->starts ? v->starts[slice] : g->starts[slice];
    v->odd = v->next ? weir_upper_bound(v->odd_at, v->n_odd, v->next - 1) : 0;
    if (v->column)
        weir_ints_seek(v->column, slice);
}

static void segment_seek(weir_segment *g, size_t slice)
{
    g->run = weir_upper_bound(g->run_at, g->n_runs, g->starts[slice]) - 1;
    if (g->deviate)
        weir_ints_seek(&g->deviations, slice);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        weir_ints_seek(&g->columns[i], slice);
    for (size_t i = 0; i < WEIR_KIND_COUNT; i++)
        if (g->values[i].n)
            values_seek(g, &g->values[i], slice);
}

static void times_read(weir_segment *g, size_t at, size_t n, weir_sample *s)
{
    for (size_t i = 0; i < n;) {
        while (at + i >= g->run_at[g->run + 1])
            g->run++;
        size_t end = g->run_at[g->run + 1] - at;
        uint64_t step = g->run_step[g->run];
        uint64_t ts = g->run_start[g->run] + (at + i - g->run_at[g->run]) * step;
        for (end = end < n ? end : n; i < end; i++, ts += step)
            s[i].ts.us = (int64_t)ts;
    }
    for (size_t i = 0, k; g->deviate && i < n; i += k) {
        const int64_t *v = weir_ints_next(&g->deviations, n - i, &k);
        for (size_t j = 0; j < k; j++)
            s[i + j].ts.us = (int64_t)((uint64_t)s[i + j].ts.us + (uint64_t)v[j]);
    }
}

static void qualities_read(weir_segment *g, size_t n, weir_tag_uid tag, weir_sample *s)
{
    for (size_t i = 0, k; i < n; i += k) {
        const int64_t *v = weir_ints_next(&g->columns[COLUMN_QUALITY], n - i, &k);
        for (size_t j = 0; j < k; j++) {
            s[i + j].tag = tag;
            s[i + j].quality = (weir_quality)v[j];
        }
    }
}

static void refs_read(weir_segment *g, size_t n, const weir_sample *s, weir_reply_ref *refs)
{
    for (size_t i = 0, k; i < n; i += k) {
        const int64_t *v = weir_ints_next(&g->columns[COLUMN_REPLY], n - i, &k);
        for (size_t j = 0; j < k; j++)
            refs[i + j].reply = (uint32_t)v[j];
    }
    for (size_t i = 0, k; i < n; i += k) {
        const int64_t *v = weir_ints_next(&g->columns[COLUMN_INDEX], n - i, &k);
        for (size_t j = 0; j < k; j++) {
            refs[i + j].index = (uint16_t)v[j];
            refs[i + j].mark = (uint16_t)((uint64_t)v[j] >> 16);
        }
    }
    for (size_t i = 0, k; i < n; i += k) {
        const int64_t *v = weir_ints_next(&g->columns[COLUMN_LAG], n - i, &k);
        for (size_t j = 0; j < k; j++)
            refs[i + j].due.us = (int64_t)((uint64_t)s[i + j].ts.us + (uint64_t)v[j]);
    }
}

static void numbers_fill(const int64_t *keys, size_t n, uint8_t kind, int8_t exponent,
                         uint8_t scale, weir_sample *s)
{
    const double power = scale == SCALE_NONE ? 1 : weir_pow10_double(scale);
    if (scale != SCALE_NONE && kind == WEIR_KIND_F64)
        for (size_t i = 0; i < n; i++)
            s[i].value = weir_value_f64((double)keys[i] / power);
    else if (scale != SCALE_NONE)
        for (size_t i = 0; i < n; i++)
            s[i].value = value_of_bits(kind, 0, f32_bits((float)((double)keys[i] / power)));
    else if (kind == WEIR_KIND_BOOL)
        for (size_t i = 0; i < n; i++)
            s[i].value = value_of_bits(kind, 0, keys[i] & 1);
    else if (kind == WEIR_KIND_I64 || kind == WEIR_KIND_DECIMAL)
        for (size_t i = 0; i < n; i++)
            s[i].value = value_of_bits(kind, exponent, (uint64_t)keys[i]);
    else
        for (size_t i = 0; i < n; i++)
            s[i].value = value_of_bits(kind, 0, key_bits(kind, SCALE_NONE, keys[i]));
}

static void numbers_read(struct values *v, uint8_t kind, int8_t exponent, size_t n, weir_sample *s)
{
    for (size_t i = 0, k; i < n; i += k) {
        const int64_t *keys = weir_ints_next(v->column, n - i, &k);
        numbers_fill(keys, k, kind, exponent, v->scale, s + i);
    }
    for (; v->odd < v->n_odd && v->odd_at[v->odd] < v->next + n; v->odd++)
        s[v->odd_at[v->odd] - v->next].value = value_of_bits(kind, 0, v->odd_bits[v->odd]);
    v->next += n;
}

static bool texts_read(struct values *v, uint8_t kind, size_t n, weir_sample *s)
{
    for (size_t i = 0, k = n; i < n; i += k) {
        const int64_t *entries = v->dictionary ? weir_ints_next(v->column, n - i, &k) : NULL;
        for (size_t j = 0; j < k; j++) {
            uint64_t entry = entries ? (uint64_t)entries[j] : v->next + i + j;
            if (entry >= v->n_texts)
                return false;
            s[i + j].value = (weir_value){.kind = kind,
                                          .length = v->ends[entry + 1] - v->ends[entry],
                                          .as.bytes = v->contents + v->ends[entry]};
        }
    }
    v->next += n;
    return true;
}

/* n values of one kind side by side. */
static bool values_read(weir_segment *g, int64_t kind_exponent, size_t n, weir_sample *s)
{
    uint8_t kind = (uint8_t)(kind_exponent >> 8);
    if (kind >= WEIR_KIND_STRING)
        return texts_read(&g->values[kind], kind, n, s);
    if (kind != WEIR_KIND_NULL)
        numbers_read(&g->values[kind], kind, (int8_t)(uint8_t)kind_exponent, n, s);
    else
        for (size_t i = 0; i < n; i++)
            s[i].value = weir_value_null();
    return true;
}

static bool kinds_read(weir_segment *g, size_t n, weir_sample *s)
{
    for (size_t i = 0, k; i < n; i += k) {
        const int64_t *v = weir_ints_next(&g->columns[COLUMN_KIND], n - i, &k);
        for (size_t j = 0, end; j < k; j = end) {
            for (end = j + 1; end < k && v[end] == v[j];)
                end++;
            if (!values_read(g, v[j], end - j, s + i + j))
                return false;
        }
    }
    return true;
}

/* Times ascend and are those the slice names. */
static bool times_agree(const weir_slice *slice, const weir_sample *s)
{
    bool ok = s[0].ts.us == slice->min_ts.us && s[slice->count - 1].ts.us == slice->max_ts.us;
    for (size_t i = 1; i < slice->count; i++)
        ok &= s[i].ts.us > s[i - 1].ts.us;
    return ok;
}

weir_err weir_segment_read(weir_segment *g, size_t first_slice, size_t n_slices, weir_tag_uid tag,
                           weir_sample *ret, weir_reply_ref *ret_refs, weir_error *error)
{
    if (!g->raw || first_slice > g->head.n_slices || n_slices > g->head.n_slices - first_slice)
        return weir_fail(error, WEIR_EINVAL, "slices that the segment does not have");
    if (n_slices == 0)
        return WEIR_OK;
    segment_seek(g, first_slice);
    for (size_t i = first_slice; i < first_slice + n_slices; i++) {
        const weir_slice *slice = &g->slices[i];
        for (size_t at = 0, n; at < slice->count; at += n) {
            n = slice->count - at < WEIR_INTS_CHUNK ? slice->count - at : WEIR_INTS_CHUNK;
            times_read(g, slice->first + at, n, ret + at);
            qualities_read(g, n, tag, ret + at);
            if (!kinds_read(g, n, ret + at))
                return weir_fail(error, WEIR_EDAMAGED, "segment contradicts itself");
            if (ret_refs)
                refs_read(g, n, ret + at, ret_refs + at);
        }
        if (!times_agree(slice, ret))
            return weir_fail(error, WEIR_EDAMAGED, "times of a segment contradict its marks");
        ret += slice->count;
        ret_refs = ret_refs ? ret_refs + slice->count : NULL;
    }
    return WEIR_OK;
}

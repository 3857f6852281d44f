/* SPDX-License-Identifier: MIT */
/* What a range of the log holds: how much of each tag, and which parts that makes. */

#include "store/history/census.h"

#include "base/alloc.h"
#include "store/file/schema.h"
#include "store/history/run.h"

enum { PARTS_MAX = 6 }; /* of one epoch and range */

weir_err weir_census_init(weir_census *c, const weir_log_range *range, weir_error *error)
{
    *c = (weir_census){.range = range};
    c->volumes = weir_alloc_zero(range->n_tags, sizeof *c->volumes);
    return c->volumes ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "no memory to sort the log");
}

void weir_census_deinit(weir_census *c)
{
    weir_free(c->volumes);
    weir_free(c->parts);
    *c = (weir_census){0};
}

/* The part that a sample belongs to: of its epoch, and its day within. */
static weir_part *part_find(weir_census *c, uint32_t epoch, int64_t ts)
{
    weir_part *of_epoch = NULL;
    size_t n = 0;
    for (size_t i = 0; i < c->n_parts; i++) {
        weir_part *p = &c->parts[i];
        if (p->epoch != epoch)
            continue;
        n++;
        if ((ts >= p->min_ts && ts <= p->max_ts) ||
            weir_floor_multiple(ts, WEIR_DAY) == weir_floor_multiple(p->min_ts, WEIR_DAY))
            return p;
        /* The one to widen, should there be too many: what is furthest back. */
        if (!of_epoch || p->min_ts < of_epoch->min_ts)
            of_epoch = p;
    }
    return n >= PARTS_MAX ? of_epoch : NULL;
}

/* Joins parts of one epoch that a widened one has come to overlap. */
static void parts_join(weir_census *c, weir_part *wide)
{
    for (size_t i = 0; i < c->n_parts; i++) {
        weir_part *p = &c->parts[i];
        if (p == wide || p->epoch != wide->epoch || p->min_ts > wide->max_ts ||
            p->max_ts < wide->min_ts)
            continue;
        wide->min_ts = p->min_ts < wide->min_ts ? p->min_ts : wide->min_ts;
        wide->max_ts = p->max_ts > wide->max_ts ? p->max_ts : wide->max_ts;
        *p = c->parts[--c->n_parts];
        if (wide == &c->parts[c->n_parts])
            wide = p;
        i = SIZE_MAX; /* from the start: it is wider now */
    }
}

static weir_err part_note(weir_census *c, uint32_t epoch, int64_t ts, weir_error *error)
{
    weir_part *p = part_find(c, epoch, ts);
    if (!p) {
        weir_part *parts = weir_array_room(c->parts, c->n_parts, &c->parts_capacity, sizeof *parts);
        if (!parts)
            return weir_fail(error, WEIR_ENOMEM, "no memory for parts");
        c->parts = parts;
        c->parts[c->n_parts++] =
            (weir_part){.epoch = epoch, .state = PART_BUILDING, .min_ts = ts, .max_ts = ts};
        return WEIR_OK;
    }
    const bool wider = ts < p->min_ts || ts > p->max_ts;
    p->min_ts = ts < p->min_ts ? ts : p->min_ts;
    p->max_ts = ts > p->max_ts ? ts : p->max_ts;
    if (wider)
        parts_join(c, p);
    return WEIR_OK;
}

/* Counts the row, or takes it off again (add false); whether some tag has more than fits. */
static bool volumes_add(weir_census *c, const weir_row *row, const weir_block_head *head,
                        const weir_block *block, bool add)
{
    const uint32_t one = add ? 1 : UINT32_MAX; /* wraps: minus one */
    bool over = false;
    for (size_t i = 0, before = 0; i < block->n_batches; i++) {
        const weir_batch *b = &block->batches[i];
        const uint64_t seq = weir_row_seq(row, head, block, i, before);
        c->volumes[weir_batch_lowest(b)].replies += one;
        for (uint32_t j = 0; j < b->n_samples; j++) {
            const weir_sample *s = &b->samples[j];
            weir_volume *v = &c->volumes[s->tag];
            if (weir_log_range_is_purged(c->range, s, seq + j))
                continue;
            v->samples += one;
            if (s->value.kind >= WEIR_KIND_STRING)
                v->text += add ? s->value.length : 0u - s->value.length;
            over |= v->samples > WEIR_SEGMENT_COUNT_MAX || v->text > WEIR_SEGMENT_TEXT;
        }
        before += b->n_samples;
    }
    return over;
}

weir_err weir_census_on_row(void *data, const weir_row *row, const weir_block_head *head,
                            const weir_block *block, bool *ret_end, weir_error *error)
{
    weir_census *c = data;
    weir_err err = WEIR_OK;
    bool over = volumes_add(c, row, head, block, true);
    if (!c->resumed && c->count > 0 && (over || c->count + block->count > WEIR_RANGE_SAMPLES)) {
        (void)volumes_add(c, row, head, block, false);
        *ret_end = true;
        return WEIR_OK;
    }
    c->count += block->count;
    for (size_t i = 0, before = 0; !c->resumed && err == WEIR_OK && i < block->n_batches; i++) {
        const weir_batch *b = &block->batches[i];
        const uint64_t seq = weir_row_seq(row, head, block, i, before);
        for (uint32_t j = 0; err == WEIR_OK && j < b->n_samples; j++)
            if ((j == 0 || b->samples[j].ts.us != b->samples[j - 1].ts.us ||
                 c->range->purged[b->samples[j - 1].tag] != 0) &&
                !weir_log_range_is_purged(c->range, &b->samples[j], seq + j))
                err = part_note(c, b->epoch, b->samples[j].ts.us, error);
        before += b->n_samples;
    }
    return err;
}

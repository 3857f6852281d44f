/* SPDX-License-Identifier: MIT */
/* Tags of a range, as many as fit into memory: their samples gathered tag by tag. */

#include "store/history/group.h"

void weir_group_free(weir_group *g)
{
    weir_run_free(&g->all);
    weir_free(g->starts);
    weir_free(g->filled);
    weir_free(g->newest_due);
    weir_arena_free(g->texts);
    *g = (weir_group){0};
}

static size_t volume_bytes(const weir_volume *v, bool replies)
{
    return replies ? v->replies * sizeof(weir_reply_record)
                   : v->samples * (sizeof(weir_sample) + sizeof(weir_reply_ref)) + v->text;
}

bool weir_group_choose(weir_group *g, const weir_census *census, bool replies, uint32_t first,
                       size_t bytes)
{
    const weir_volume *volumes = census->volumes;
    const size_t n_tags = census->range->n_tags;
    size_t taken = 0;
    uint32_t uid = first;
    while (uid < n_tags && volume_bytes(&volumes[uid], replies) == 0)
        uid++;
    weir_group_free(g);
    *g = (weir_group){.census = census, .first = uid, .replies = replies};
    for (; uid < n_tags; uid++) {
        taken += volume_bytes(&volumes[uid], replies);
        if (uid > g->first && taken > bytes)
            break;
    }
    g->n = uid - g->first;
    return g->n > 0;
}

weir_err weir_group_begin(weir_group *g, const weir_part *part, weir_error *error)
{
    const size_t n_tags = g->census->range->n_tags;
    size_t n = 0;
    g->part = part;
    g->starts = weir_alloc(((size_t)g->n + 1) * sizeof *g->starts);
    g->filled = weir_alloc_zero(g->n, sizeof *g->filled);
    g->newest_due = weir_alloc(n_tags * sizeof *g->newest_due);
    g->texts = weir_arena_new();
    if (!g->starts || !g->filled || !g->newest_due || !g->texts)
        return weir_fail(error, WEIR_ENOMEM, "no memory to sort the log by tag");
    for (uint32_t i = 0; i < g->n; i++) {
        const weir_volume *v = &g->census->volumes[g->first + i];
        g->starts[i] = (uint32_t)n;
        n += g->replies ? v->replies : v->samples;
    }
    g->starts[g->n] = (uint32_t)n;
    for (size_t i = 0; i < n_tags; i++)
        g->newest_due[i] = INT64_MIN;
    return weir_run_reserve(&g->all, g->replies, n)
               ? WEIR_OK
               : weir_fail(error, WEIR_ENOMEM, "no memory to sort %zu samples by tag", n);
}

/* Where the next one of uid goes; SIZE_MAX: it is not of the group. */
static size_t group_next(weir_group *g, weir_tag_uid uid)
{
    const uint32_t i = uid - g->first;
    if (uid < g->first || i >= g->n || g->starts[i] + g->filled[i] >= g->starts[i + 1])
        return SIZE_MAX;
    return g->starts[i] + g->filled[i]++;
}

/* A batch behind all of its series is the first with its due; any other is marked. */
static uint16_t batch_mark(weir_group *g, const weir_batch *b, weir_tag_uid lowest, uint64_t seq)
{
    if (b->due.us <= g->newest_due[lowest])
        return weir_reply_mark(seq);
    g->newest_due[lowest] = b->due.us;
    return 0;
}

static weir_err gather_samples(weir_group *g, const weir_batch *b, uint64_t seq, weir_error *error)
{
    const weir_part *part = g->part;
    const weir_tag_uid lowest = weir_batch_lowest(b);
    const uint16_t mark = batch_mark(g, b, lowest, seq);
    for (uint32_t j = 0; j < b->n_samples; j++) {
        const weir_sample *s = &b->samples[j];
        if (s->tag - g->first >= g->n || s->ts.us < part->min_ts || s->ts.us > part->max_ts ||
            weir_log_range_is_purged(g->census->range, s, seq + j))
            continue;
        const size_t at = group_next(g, s->tag);
        if (at == SIZE_MAX)
            continue;
        weir_sample *to = &g->all.samples[at];
        *to = *s;
        g->all.refs[at] = (weir_reply_ref){b->due, lowest, (uint16_t)j, mark};
        if (s->value.kind < WEIR_KIND_STRING)
            continue;
        to->value.as.bytes = (const uint8_t *)weir_arena_text_n(
            g->texts, (const char *)s->value.as.bytes, s->value.length);
        if (!to->value.as.bytes)
            return weir_fail(error, WEIR_ENOMEM, "no memory to sort texts by tag");
    }
    return WEIR_OK;
}

/* Of batches with a sample in the part. */
static void gather_reply(weir_group *g, const weir_batch *b, uint64_t seq)
{
    const weir_part *part = g->part;
    const weir_tag_uid lowest = weir_batch_lowest(b);
    bool inside = false;
    for (uint32_t j = 0; j < b->n_samples && !inside; j++)
        inside = b->samples[j].ts.us >= part->min_ts && b->samples[j].ts.us <= part->max_ts &&
                 !weir_log_range_is_purged(g->census->range, &b->samples[j], seq + j);
    const size_t at = inside ? group_next(g, lowest) : SIZE_MAX;
    if (at != SIZE_MAX)
        g->all.replies[at] = (weir_reply_record){.due = b->due,
                                                 .received = b->received,
                                                 .seq = seq,
                                                 .plans = b->plans,
                                                 .flags = b->flags,
                                                 .connection = b->connection,
                                                 .device = b->device,
                                                 .catalog_revision = b->catalog_revision};
}

weir_err weir_group_on_row(void *data, const weir_row *row, const weir_block_head *head,
                           const weir_block *block, bool *ret_end, weir_error *error)
{
    weir_group *g = data;
    weir_err err = WEIR_OK;
    (void)ret_end;
    for (size_t i = 0, before = 0; err == WEIR_OK && i < block->n_batches; i++) {
        const weir_batch *b = &block->batches[i];
        const uint64_t seq = weir_row_seq(row, head, block, i, before);
        before += b->n_samples;
        if (b->epoch != g->part->epoch)
            continue;
        if (g->replies)
            gather_reply(g, b, seq);
        else
            err = gather_samples(g, b, seq, error);
    }
    return err;
}

weir_run weir_group_run(const weir_group *g, uint32_t i)
{
    return weir_run_part(&g->all, g->starts[i], g->filled[i]);
}

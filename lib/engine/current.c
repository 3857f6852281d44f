/* SPDX-License-Identifier: MIT */
/* Current values: see current.h. */

#include "engine/current.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"

/* 64 million uids are 256 MB of table: a store that got there has churned its tags for years. */
#define UID_MAX (64u << 20)

static weir_err currents_index(weir_currents *c, const weir_catalog *catalog, weir_error *error)
{
    memset(c->index_of, 0xff, c->n_uids * sizeof *c->index_of);
    for (size_t i = 0; i < catalog->n_tags; i++) {
        const weir_tag_uid uid = catalog->tags[i].uid;
        if (uid == 0)
            return weir_fail(error, WEIR_EINVAL, "tag number %zu has no uid", i);
        if (c->index_of[uid] != WEIR_TAG_UNKNOWN)
            return weir_fail(error, WEIR_EINVAL,
                             "tags number %" PRIu32 " and %zu share uid %" PRIu32, c->index_of[uid],
                             i, uid);
        c->index_of[uid] = (uint32_t)i;
    }
    return WEIR_OK;
}

weir_err weir_currents_init(weir_currents *c, const weir_catalog *catalog, weir_error *error)
{
    weir_tag_uid largest = 0;
    for (size_t i = 0; i < catalog->n_tags; i++)
        if (catalog->tags[i].uid > largest)
            largest = catalog->tags[i].uid;
    *c = (weir_currents){.n_items = catalog->n_tags, .n_uids = (size_t)largest + 1};
    if (largest > UID_MAX)
        return weir_fail(error, WEIR_ELIMIT, "tag uid %" PRIu32 ", at most %u", largest, UID_MAX);
    c->items = weir_alloc_zero(c->n_items + 1, sizeof *c->items);
    c->index_of = weir_alloc_zero(c->n_uids, sizeof *c->index_of);
    weir_err err = c->items && c->index_of
                       ? WEIR_OK
                       : weir_fail(error, WEIR_ENOMEM, "current values of %zu tags", c->n_items);
    if (!err)
        err = currents_index(c, catalog, error);
    if (err)
        weir_currents_deinit(c);
    return err;
}

void weir_currents_deinit(weir_currents *c)
{
    weir_free(c->items);
    weir_free(c->index_of);
    *c = (weir_currents){0};
}

/* Keeps the beginning; of a string whole UTF-8 characters only. */
static void current_keep_text(weir_current *current)
{
    weir_value *value = &current->sample.value;
    const char *from = value->as.text;
    size_t n = value->length;
    if (n > sizeof current->text) {
        n = sizeof current->text;
        while (value->kind == WEIR_KIND_STRING && n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
            n--;
    }
    if (n)
        memcpy(current->text, from, n);
    value->length = (uint32_t)n;
    value->as.text = current->text;
}

void weir_currents_update(weir_currents *c, const weir_batch *batch)
{
    for (uint32_t i = 0; i < batch->n_samples; i++) {
        const weir_sample *sample = &batch->samples[i];
        const uint32_t index =
            sample->tag < c->n_uids ? c->index_of[sample->tag] : WEIR_TAG_UNKNOWN;
        if (index == WEIR_TAG_UNKNOWN)
            continue;
        weir_current *current = &c->items[index];
        current->sample = *sample;
        current->received = batch->received;
        if (sample->value.kind == WEIR_KIND_STRING || sample->value.kind == WEIR_KIND_BYTES)
            current_keep_text(current);
    }
}

/* SPDX-License-Identifier: MIT */
/* Current values: see current.h. */

#include "engine/current.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/anchor.h"

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
    *c = (weir_currents){.n_slots = catalog->n_tags, .n_uids = (size_t)largest + 1};
    if (largest > UID_MAX)
        return weir_fail(error, WEIR_ELIMIT, "tag uid %" PRIu32 ", at most %u", largest, UID_MAX);
    c->slots = weir_alloc_zero(c->n_slots + 1, sizeof *c->slots);
    c->texts = weir_alloc_zero(c->n_slots + 1, sizeof *c->texts);
    c->index_of = weir_alloc_zero(c->n_uids, sizeof *c->index_of);
    c->shown = weir_alloc_zero(1, sizeof *c->shown);
    weir_err err = WEIR_OK;
    if (!c->slots || !c->texts || !c->index_of || !c->shown)
        err = weir_fail(error, WEIR_ENOMEM, "current values of %zu tags", c->n_slots);
    if (!err)
        err = currents_index(c, catalog, error);
    if (err)
        weir_currents_deinit(c);
    return err;
}

void weir_currents_deinit(weir_currents *c)
{
    weir_free(c->slots);
    weir_free(c->texts);
    weir_free(c->index_of);
    weir_free(c->shown);
    *c = (weir_currents){0};
}

/* Keeps the beginning; of a string whole UTF-8 characters only. */
static void value_keep_text(weir_value *value, char text[64])
{
    const char *from = value->as.text;
    size_t n = value->length;
    if (n > 64) {
        n = 64;
        while (value->kind == WEIR_KIND_STRING && n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
            n--;
    }
    if (n)
        memcpy(text, from, n);
    value->length = (uint32_t)n;
    value->as.text = text;
}

static bool kind_is_text(uint8_t kind)
{
    return kind == WEIR_KIND_STRING || kind == WEIR_KIND_BYTES;
}

void weir_currents_update(weir_currents *c, const weir_batch *batch)
{
    const uint32_t *index_of = c->index_of;
    const size_t n_uids = c->n_uids;
    struct weir_current_slot *slots = c->slots;
    const weir_wall received = batch->received;
    const weir_sample *end = batch->samples + batch->n_samples;
    for (const weir_sample *sample = batch->samples; sample < end; sample++) {
        const uint32_t index = sample->tag < n_uids ? index_of[sample->tag] : WEIR_TAG_UNKNOWN;
        if (index == WEIR_TAG_UNKNOWN)
            continue;
        slots[index] = (struct weir_current_slot){*sample, received};
        if (kind_is_text(sample->value.kind))
            value_keep_text(&slots[index].sample.value, c->texts[index]);
    }
}

void weir_currents_take_over(weir_currents *c, const weir_currents *older)
{
    for (size_t uid = 1; uid < c->n_uids && uid < older->n_uids; uid++) {
        const uint32_t to = c->index_of[uid], from = older->index_of[uid];
        if (to == WEIR_TAG_UNKNOWN || from == WEIR_TAG_UNKNOWN || !older->slots[from].sample.tag)
            continue;
        c->slots[to] = older->slots[from];
        if (kind_is_text(c->slots[to].sample.value.kind))
            value_keep_text(&c->slots[to].sample.value, c->texts[to]);
    }
}

void weir_currents_shift(weir_currents *c, weir_wall from, weir_wall to, int64_t by_us)
{
    for (size_t i = 0; i < c->n_slots; i++) {
        weir_wall_shift(&c->slots[i].sample.ts, from, to, by_us);
        weir_wall_shift(&c->slots[i].received, from, to, by_us);
    }
}

const weir_current *weir_currents_get(const weir_currents *c, uint32_t tag)
{
    const struct weir_current_slot *slot = &c->slots[tag];
    if (slot->sample.tag == 0)
        return NULL;
    c->shown->sample = slot->sample;
    c->shown->received = slot->received;
    if (kind_is_text(slot->sample.value.kind))
        memcpy(c->shown->text, c->texts[tag], sizeof c->shown->text);
    return c->shown;
}

const weir_tag *weir_currents_tag(const weir_currents *c, const weir_catalog *catalog,
                                  weir_tag_uid uid)
{
    const uint32_t index = uid < c->n_uids ? c->index_of[uid] : WEIR_TAG_UNKNOWN;
    return index == WEIR_TAG_UNKNOWN ? NULL : &catalog->tags[index];
}

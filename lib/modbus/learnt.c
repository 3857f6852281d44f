/* SPDX-License-Identifier: MIT */
/* What a device has taught about itself: addresses it refuses, and how much it bears at once. */

#include "modbus/learnt.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

static const weir_mono at_once = {INT64_MIN};

void weir_learnt_init(weir_learnt *learnt, const weir_device *device)
{
    *learnt = (weir_learnt){
        .registers_max = device->max_registers_per_request,
        .bits_max = device->max_bits_per_request,
        .failing_until = at_once,
    };
}

void weir_learnt_deinit(weir_learnt *learnt)
{
    weir_free(learnt->refusals);
    weir_free(learnt->cuts);
    *learnt = (weir_learnt){0};
}

/* The first refusal of this point or a later one. */
static size_t refusals_position(const weir_learnt *learnt, uint32_t point)
{
    size_t low = 0, high = learnt->n_refusals;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (learnt->refusals[middle].point < point)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

weir_refusal *weir_learnt_find(const weir_learnt *learnt, uint32_t point)
{
    size_t at = refusals_position(learnt, point);
    bool found = at < learnt->n_refusals && learnt->refusals[at].point == point;
    return found ? &learnt->refusals[at] : NULL;
}

bool weir_learnt_refuse(weir_learnt *learnt, uint32_t point, uint8_t code, weir_mono again_at)
{
    weir_refusal *known = weir_learnt_find(learnt, point);
    if (known) {
        *known = (weir_refusal){point, code, again_at};
        return false;
    }
    weir_refusal *refusals = weir_array_room(learnt->refusals, learnt->n_refusals,
                                             &learnt->refusals_capacity, sizeof *refusals);
    if (!refusals)
        return false;
    learnt->refusals = refusals;
    weir_refusal *at = &learnt->refusals[refusals_position(learnt, point)];
    size_t n_after = learnt->n_refusals - (size_t)(at - learnt->refusals);
    memmove(at + 1, at, n_after * sizeof *at);
    *at = (weir_refusal){point, code, again_at};
    learnt->n_refusals++;
    learnt->version++;
    return true;
}

bool weir_learnt_accept(weir_learnt *learnt, uint32_t point)
{
    weir_refusal *known = weir_learnt_find(learnt, point);
    if (!known)
        return false;
    learnt->n_refusals--;
    size_t n_after = learnt->n_refusals - (size_t)(known - learnt->refusals);
    memmove(known, known + 1, n_after * sizeof *known);
    learnt->version++;
    return true;
}

bool weir_learnt_answered(weir_learnt *learnt, weir_register table, uint16_t count)
{
    if (table == WEIR_REGISTER_FUNCTION)
        return false;
    uint16_t *most =
        weir_register_is_bits(table) ? &learnt->bits_answered : &learnt->registers_answered;
    *most = count > *most ? count : *most;
    weir_refused_table *t = &learnt->tables[table];
    bool was_refused = t->code != 0;
    t->code = 0;
    t->works = true;
    learnt->failing_until = at_once;
    return was_refused;
}

uint16_t weir_learnt_max(const weir_learnt *learnt, weir_register table)
{
    return weir_register_is_bits(table) ? learnt->bits_max : learnt->registers_max;
}

uint16_t weir_learnt_most_answered(const weir_learnt *learnt, weir_register table)
{
    return weir_register_is_bits(table) ? learnt->bits_answered : learnt->registers_answered;
}

bool weir_learnt_limit(weir_learnt *learnt, weir_register table, uint16_t max)
{
    assert(max > 0);
    uint16_t *limit = weir_register_is_bits(table) ? &learnt->bits_max : &learnt->registers_max;
    if (max >= *limit)
        return false;
    *limit = max;
    learnt->version++;
    return true;
}

bool weir_learnt_cut(weir_learnt *learnt, weir_register table, uint32_t first, uint32_t last)
{
    for (size_t i = 0; i < learnt->n_cuts; i++) {
        const weir_range *r = &learnt->cuts[i];
        if (r->table == table && r->first >= first && r->last <= last)
            return false;
    }
    weir_range *cuts =
        weir_array_room(learnt->cuts, learnt->n_cuts, &learnt->cuts_capacity, sizeof *cuts);
    if (!cuts)
        return false;
    learnt->cuts = cuts;
    learnt->cuts[learnt->n_cuts++] = (weir_range){first, last, table};
    learnt->version++;
    return true;
}

void weir_learnt_doubt(weir_learnt *learnt)
{
    for (size_t i = 0; i < learnt->n_refusals; i++)
        learnt->refusals[i].again_at = at_once;
    for (size_t t = 0; t < sizeof learnt->tables / sizeof *learnt->tables; t++)
        learnt->tables[t].again_at = at_once;
}

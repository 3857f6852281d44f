/* SPDX-License-Identifier: MIT */
/* What a device has taught about itself: addresses it refuses, and how much it bears at once. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/catalog.h"

/* A point the device refused when it was asked for alone. */
typedef struct weir_refusal {
    uint32_t point; /* index of the device */
    uint8_t code;   /* exception */
    weir_mono again_at;
} weir_refusal;

/* A table whose function code the device does not know. code 0: not so. */
typedef struct weir_refused_table {
    uint8_t code;
    bool works; /* it has answered this function once: exception 1 then means an address */
    weir_mono again_at;
} weir_refused_table;

typedef struct weir_learnt {
    size_t n_refusals, refusals_capacity;
    weir_refusal *refusals; /* ascending by point */
    weir_refused_table tables[WEIR_REGISTER_INPUT + 1];
    size_t n_cuts, cuts_capacity;
    weir_range *cuts;                 /* first and last were refused together and answered apart */
    uint16_t registers_max, bits_max; /* the device's own, lowered by experience */
    uint16_t registers_answered, bits_answered; /* the most that one reply has held */
    weir_mono failing_until; /* every part of a block failed with exception 4: no splitting */
    uint32_t version;        /* changes when a grouping made before no longer fits */
} weir_learnt;

void weir_learnt_init(weir_learnt *learnt, const weir_device *device);
void weir_learnt_deinit(weir_learnt *learnt);

/* NULL: the point is not refused. */
weir_refusal *weir_learnt_find(const weir_learnt *learnt, uint32_t point);

/* Remembers that a point was refused until again_at. True when it was not refused before. Without
 * memory nothing is remembered and the point will be found again. */
bool weir_learnt_refuse(weir_learnt *learnt, uint32_t point, uint8_t code, weir_mono again_at);

/* The point answered: true when it had been refused. */
bool weir_learnt_accept(weir_learnt *learnt, uint32_t point);

/* A reply with count registers or bits came. True when its table had been refused. */
bool weir_learnt_answered(weir_learnt *learnt, weir_register table, uint16_t count);

uint16_t weir_learnt_max(const weir_learnt *learnt, weir_register table);
uint16_t weir_learnt_most_answered(const weir_learnt *learnt, weir_register table);

/* Lowers the most that is asked for at once; false when it was that low already. */
bool weir_learnt_limit(weir_learnt *learnt, weir_register table, uint16_t max);

/* Keeps two addresses out of one request; false when they were, or when memory is short. */
bool weir_learnt_cut(weir_learnt *learnt, weir_register table, uint32_t first, uint32_t last);

/* All that is refused is due to be asked again: another device may be there now. */
void weir_learnt_doubt(weir_learnt *learnt);

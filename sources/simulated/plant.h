/* SPDX-License-Identifier: MIT */
/* A plant: units with points, and the registers they show at a time. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "model/point.h"

typedef struct weir_plant weir_plant;

weir_plant *weir_plant_new(uint64_t seed) WEIR_MUST_CHECK; /* NULL: out of memory */
void weir_plant_free(weir_plant *plant);                   /* accepts NULL */
WEIR_DEFINE_CLEANUP(weir_plant, weir_plant_free)

/*
 * Adds points to a unit, any number of times. Borrows them for the plant's life. A point inside
 * another's registers (a bit of a status word, say) shows what the larger one holds; points of
 * `function: N` are left out. WEIR_ENOMEM.
 */
weir_err weir_plant_add(weir_plant *plant, uint8_t unit, const weir_point *points, size_t n,
                        weir_error *error) WEIR_MUST_CHECK;

/* When it began: until their first update from then on, points that say so show 0. Without it, it
 * has always been there. */
void weir_plant_start(weir_plant *plant, weir_wall t);

/* In all tables of the unit, which has been added, all 65536 addresses exist. */
void weir_plant_fill(weir_plant *plant, uint8_t unit);

/* All units that were not added show what that one does. */
void weir_plant_any_unit(weir_plant *plant, uint8_t unit);

enum {
    WEIR_PLANT_NO_UNIT = -1,
    WEIR_PLANT_NO_ADDRESS = 2, /* the exception code "illegal data address" */
};

/*
 * What n registers (host order) or bits (0 or 1) from address on show at time t. Addresses between
 * the first and the last point of a table exist, or all of them; those of no point are 0. Any
 * thread, as long as nothing is added.
 *
 * 0, WEIR_PLANT_NO_UNIT or WEIR_PLANT_NO_ADDRESS.
 */
int weir_plant_read(const weir_plant *plant, uint8_t unit, weir_register table, uint16_t address,
                    uint16_t n, weir_wall t, uint16_t *ret);

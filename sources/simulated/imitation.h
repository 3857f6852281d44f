/* SPDX-License-Identifier: MIT */
/* Imitations: what a poll of a simulated device would have read, at any time. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/catalog.h"
#include "sources/simulated/plant.h"
#include "sources/simulated/wave.h"

/*
 * All devices of a catalog as a simulation shows them. Points behind `simulated:` show their wave;
 * all others what `weir simulate` would have served over Modbus with this seed, decoded as a poll
 * does: rounded to what the registers hold, limited by min and max, in the words of an enum.
 * Borrows the catalog. Any thread once made.
 */
typedef struct weir_imitation weir_imitation;

/* through_registers: also what is behind `simulated:`, as if served over Modbus. WEIR_ENOMEM. */
weir_err weir_imitation_new(const weir_catalog *catalog, uint64_t seed, bool through_registers,
                            weir_imitation **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_imitation_free(weir_imitation *imitation); /* accepts NULL */
WEIR_DEFINE_CLEANUP(weir_imitation, weir_imitation_free)

/* One tag, for long stretches. One thread at a time; borrows the imitation. */
typedef struct weir_imitated {
    weir_wave_shape shape;
    const weir_plant *plant; /* its registers are not its own: they are read there; else NULL */
    bool registers;
    uint8_t unit;
    uint16_t element;
} weir_imitated;

/* False: nobody could read it (`function: N` has no table to simulate). tag: index in the catalog.
 */
bool weir_imitated_init(weir_imitated *imitated, const weir_imitation *imitation, size_t tag);

/* What contents of a string or of bytes need for each value. */
size_t weir_imitated_room(const weir_imitated *imitated);

/* The value at t, its contents in room. A value that is bad is null. */
weir_value weir_imitated_at(weir_imitated *imitated, weir_wall t, uint8_t *room,
                            weir_quality *ret_quality);

/* SPDX-License-Identifier: MIT */
/* Waveforms: the value a simulated point shows at a time, a pure function. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/point.h"
#include "model/value.h"

/* Which of many equal points it is: every one has a phase of its own. */
typedef struct weir_wave_key {
    uint64_t seed;
    unsigned unit;
    unsigned element;
} weir_wave_key;

/*
 * The value of a point at wall time t. Depends on nothing but its arguments, so that a test can
 * say what a simulated plant showed when. Strings are the point's name, borrowed.
 *
 * The value is a whole number of steps of the resolution within min..max, as an exact decimal;
 * without a resolution an f64. Every point of a catalog has a wave (catalog/waveform.h).
 *
 *   constant     min
 *   sine         one turn a period around the middle
 *   ramp         from min to max in a period, then again from min
 *   square       half a period min, half a period max
 *   random_walk  wanders within min..max, a step each sixteenth of a period
 *   counter      grows from min at 1970 by max - min a period, unevenly, and never falls; only
 *                where the point's type can hold no more it begins again, as a meter does
 *
 * Bool points are true in the upper half; string points show the point's name, bytes points bytes
 * that change each period.
 */
enum { WEIR_WAVE_ROOM = 250 }; /* what a reply has at most: 125 registers, 2000 bits */
weir_value weir_wave_value(const weir_point *point, weir_wave_key key, weir_wall t,
                           uint8_t room[WEIR_WAVE_ROOM]);

enum {
    WEIR_WAVE_SEGMENTS = 16
}; /* of a period: random walk and counter change their slope there */

/*
 * A point's wave with all worked out that does not depend on time: for long stretches, ten times
 * faster than weir_wave_value and bit for bit the same. Borrows the point. One thread at a time:
 * it remembers where in a random walk it was.
 */
typedef struct weir_wave_shape {
    const weir_point *point;
    weir_simulate simulate;
    uint64_t hash;
    int64_t shift_us; /* the phase of this key */
    double resolution;
    int64_t first, span, turn_last; /* whole steps; see wave.c */
    int64_t mantissa;               /* of the value of one step; 0: the value is an f64 */
    int64_t slope[WEIR_WAVE_SEGMENTS], before[WEIR_WAVE_SEGMENTS + 1]; /* counter */
    struct {
        int64_t place;
        double here, next;
        bool known;
    } octave[4]; /* random walk */
} weir_wave_shape;

void weir_wave_shape_init(weir_wave_shape *shape, const weir_point *point, weir_wave_key key);
weir_value weir_wave_shape_at(weir_wave_shape *shape, weir_wall t, uint8_t room[WEIR_WAVE_ROOM]);

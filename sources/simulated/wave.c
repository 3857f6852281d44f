/* SPDX-License-Identifier: MIT */
/* Waveforms: the value a simulated point shows at a time, a pure function. */

/*
 * All arithmetic that decides which step is shown is done on whole steps: min and max become step
 * numbers, the wave gives a step between them, the step times the resolution is the value. The
 * counter uses integers alone, because a rounding error of one step would let it fall.
 */

#include "sources/simulated/wave.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

/* Products of a time, a span and a weight. */
__extension__ typedef __int128 wide;

/* Steps beyond this cannot be told apart in a double. */
#define STEP_MAX 9007199254740992.0 /* 2^53 */

enum { SEGMENTS = WEIR_WAVE_SEGMENTS };

/* The raw numbers an integer type can hold; false for all other types. */
static bool raw_limits(const weir_point *p, double *ret_min, double *ret_max)
{
    static const double bcd[] = {9999, 99999999, 9999999999999999.0};
    unsigned bits = weir_type_width(p->type) * 8;
    switch (p->type) {
    case WEIR_TYPE_INT8:
    case WEIR_TYPE_INT16:
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_INT64:
        *ret_min = -ldexp(1, (int)bits - 1);
        *ret_max = ldexp(1, (int)bits - 1) - 1;
        return true;
    case WEIR_TYPE_BITFIELD:
        bits = p->bit_width ? p->bit_width : 16;
        /* fall through */
    case WEIR_TYPE_UINT8:
    case WEIR_TYPE_UINT16:
    case WEIR_TYPE_UINT32:
    case WEIR_TYPE_UINT64:
        *ret_min = 0;
        *ret_max = ldexp(1, (int)bits) - 1;
        return true;
    case WEIR_TYPE_BCD16:
    case WEIR_TYPE_BCD32:
    case WEIR_TYPE_BCD64:
        *ret_min = 0;
        *ret_max = bcd[p->type - WEIR_TYPE_BCD16];
        return true;
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_FLOAT16:
    case WEIR_TYPE_FLOAT32:
    case WEIR_TYPE_FLOAT64:
    case WEIR_TYPE_STRING:
    case WEIR_TYPE_BYTES:
    case WEIR_TYPE_RAW:
        break;
    }
    return false;
}

/* Equal keys, equal numbers; different keys, unrelated ones. */
static uint64_t key_hash(const weir_point *p, weir_wave_key key)
{
    weir_random r = {key.seed};
    for (const char *c = p->name; *c; c++)
        r.state = weir_random_u64(&r) ^ (unsigned char)*c;
    r.state = weir_random_u64(&r) ^ (uint64_t)key.unit << 32 ^ key.element;
    return weir_random_u64(&r);
}

static uint64_t hash_at(uint64_t hash, int64_t position)
{
    weir_random r = {hash ^ (uint64_t)position * 0x9e3779b97f4a7c15u};
    return weir_random_u64(&r);
}

/* Position within the period, 0 .. 1, shifted by the key's phase. */
static double phase_of(const weir_wave_shape *w, int64_t t_us)
{
    const int64_t period_us = w->simulate.period_us;
    const int64_t in_period = (t_us % period_us + period_us + w->shift_us) % period_us;
    return (double)in_period / (double)period_us;
}

static double noise_at(uint64_t hash, int64_t place)
{
    weir_random r = {hash_at(hash, place)};
    return weir_random_unit(&r);
}

/* Value noise: numbers at fixed places, straight lines between, four octaves. 0 .. 1. The numbers
 * at both ends of a line are kept, because the next time asked for is mostly on it too. */
static double wander(weir_wave_shape *w, int64_t t_us)
{
    const int64_t step_us = w->simulate.period_us / SEGMENTS ? w->simulate.period_us / SEGMENTS : 1;
    const int64_t step = weir_floor_divide(t_us, step_us);
    double sum = 0, weight_sum = 0;
    for (int octave = 0; octave < 4; octave++) {
        const int64_t span = SEGMENTS >> octave;
        const int64_t place = weir_floor_divide(step, span);
        const double within = (double)(step - place * span) / (double)span;
        const uint64_t hash = w->hash + (uint64_t)octave;
        if (!w->octave[octave].known || w->octave[octave].place != place) {
            w->octave[octave].known = true;
            w->octave[octave].place = place;
            w->octave[octave].here = noise_at(hash, place);
            w->octave[octave].next = noise_at(hash, place + 1);
        }
        const double weight = 1.0 / (1 << octave);
        sum += weight * (w->octave[octave].here * (1 - within) + w->octave[octave].next * within);
        weight_sum += weight;
    }
    return sum / weight_sum;
}

/* Each segment of a period has a slope of its own, 1 to 16; all periods are alike. */
static void slopes_init(weir_wave_shape *w)
{
    for (int i = 0; i < SEGMENTS; i++) {
        w->slope[i] = 1 + (int64_t)(hash_at(w->hash, i) % 16);
        w->before[i + 1] = w->before[i] + w->slope[i];
    }
}

/* Steps counted since 1970. Exact: grows by `span` each period and never falls. */
static int64_t counted(const weir_wave_shape *w, int64_t t_us)
{
    const int64_t period_us = w->simulate.period_us;
    const int64_t period = weir_floor_divide(t_us, period_us);
    const wide in_period = (wide)(t_us - period * period_us) * SEGMENTS;
    const int segment = (int)(in_period / period_us);
    const wide grown =
        (wide)w->before[segment] * period_us + w->slope[segment] * (in_period % period_us);
    return period * w->span + (int64_t)(w->span * grown / ((wide)w->before[SEGMENTS] * period_us));
}

/* The last step before a meter's register is full, where counting begins again. */
static int64_t turn_last(const weir_wave_shape *w)
{
    const weir_point *p = w->point;
    double raw_min, raw_max;
    if (!raw_limits(p, &raw_min, &raw_max))
        return INT64_MAX;
    const double largest = raw_max * p->scale + p->offset;
    const double smallest_at_end = raw_min * p->scale + p->offset;
    return (int64_t)fmin(fmax(largest, smallest_at_end) / w->resolution, STEP_MAX);
}

static int64_t counter_step(const weir_wave_shape *w, int64_t t_us)
{
    const int64_t first = w->first, last = w->turn_last, step = first + counted(w, t_us);
    if (step <= last || last <= first)
        return step <= last ? step : first;
    return first + (step - first) % (last - first + 1);
}

/* A step number; a value within a billionth of a whole step is that step. */
static double whole_steps(double value, double resolution, bool up)
{
    double steps = value / resolution, nearest = nearbyint(steps);
    if (fabs(steps - nearest) > 1e-9 * fmax(1, fabs(steps)))
        nearest = up ? ceil(steps) : floor(steps);
    return fmax(fmin(nearest, STEP_MAX), -STEP_MAX);
}

/* The wave within 0 .. 1; not for counters. */
static double wave_position(weir_wave_shape *w, int64_t t_us)
{
    switch (w->simulate.wave) {
    case WEIR_WAVE_SINE:
        return 0.5 + 0.5 * sin(2 * M_PI * phase_of(w, t_us));
    case WEIR_WAVE_RAMP:
        return phase_of(w, t_us);
    case WEIR_WAVE_SQUARE:
        return phase_of(w, t_us) < 0.5 ? 0 : 1;
    case WEIR_WAVE_RANDOM_WALK:
        return wander(w, t_us);
    case WEIR_WAVE_NONE:
    case WEIR_WAVE_CONSTANT:
    case WEIR_WAVE_COUNTER:
        break;
    }
    return 0;
}

static weir_value number(weir_wave_shape *w, int64_t t_us)
{
    const weir_simulate *s = &w->simulate;
    int64_t step, mantissa;
    if (s->wave == WEIR_WAVE_COUNTER && !(w->resolution > 0))
        return weir_value_f64(s->min);
    if (s->wave == WEIR_WAVE_COUNTER)
        step = counter_step(w, t_us);
    else if (!w->mantissa)
        return weir_value_f64(s->min + (s->max - s->min) * wave_position(w, t_us));
    else
        step = w->first + (int64_t)nearbyint((double)w->span * wave_position(w, t_us));
    if (!w->mantissa || __builtin_mul_overflow(step, w->mantissa, &mantissa))
        return weir_value_f64((double)step * w->resolution);
    return weir_value_decimal(mantissa, s->resolution_exponent);
}

/* What the arithmetic on steps needs. */
static void steps_init(weir_wave_shape *w)
{
    const weir_simulate *s = &w->simulate;
    const bool counter = s->wave == WEIR_WAVE_COUNTER;
    /* A counter's f64 grows in steps of a millionth of its span. */
    const int64_t parts = 1000000;
    if (s->resolution_mantissa > 0) {
        w->mantissa = s->resolution_mantissa;
        w->resolution = (double)s->resolution_mantissa * pow(10, s->resolution_exponent);
        const int64_t last = (int64_t)whole_steps(s->max, w->resolution, false);
        w->first = (int64_t)whole_steps(s->min, w->resolution, true);
        w->span = last > w->first ? last - w->first : 0;
    } else if (counter) {
        w->resolution = (s->max - s->min) / (double)parts;
        if (!(w->resolution > 0))
            return;
        w->first = (int64_t)whole_steps(s->min, w->resolution, true);
        w->span = parts;
    }
    if (counter) {
        w->turn_last = turn_last(w);
        slopes_init(w);
    }
}

static weir_value bytes(const weir_wave_shape *w, int64_t t_us, uint8_t room[WEIR_WAVE_ROOM])
{
    weir_random r = {hash_at(w->hash, weir_floor_divide(t_us, w->simulate.period_us))};
    enum { RAW_LENGTH = 32 }; /* where any would do */
    const size_t size = weir_point_contents_size(w->point), wanted = size ? size : RAW_LENGTH;
    const size_t n = wanted < WEIR_WAVE_ROOM ? wanted : WEIR_WAVE_ROOM;
    for (size_t i = 0; i < n; i++)
        room[i] = (uint8_t)weir_random_u64(&r);
    if (weir_point_is_packed(w->point) && w->point->length % 8)
        room[n - 1] &= (uint8_t)((1u << w->point->length % 8) - 1);
    return weir_value_bytes(room, n);
}

void weir_wave_shape_init(weir_wave_shape *ret, const weir_point *point, weir_wave_key key)
{
    weir_wave_shape w = {.point = point, .simulate = point->simulate, .hash = key_hash(point, key)};
    if (w.simulate.period_us <= 0)
        w.simulate.period_us = WEIR_MINUTE;
    w.shift_us = (int64_t)(w.hash % (uint64_t)w.simulate.period_us);
    steps_init(&w);
    *ret = w;
}

weir_value weir_wave_shape_at(weir_wave_shape *w, weir_wall t, uint8_t room[WEIR_WAVE_ROOM])
{
    const weir_point *p = w->point;
    if (p->type == WEIR_TYPE_STRING)
        return weir_value_string(p->name, strlen(p->name));
    if (p->type == WEIR_TYPE_BYTES || p->type == WEIR_TYPE_RAW)
        return bytes(w, t.us, room);
    if (p->type == WEIR_TYPE_BOOL) {
        if (w->simulate.wave == WEIR_WAVE_CONSTANT)
            return weir_value_bool(w->simulate.min >= 0.5);
        return weir_value_bool(wave_position(w, t.us) >= 0.5);
    }
    return number(w, t.us);
}

weir_value weir_wave_value(const weir_point *point, weir_wave_key key, weir_wall t,
                           uint8_t room[WEIR_WAVE_ROOM])
{
    weir_wave_shape shape;
    weir_wave_shape_init(&shape, point, key);
    return weir_wave_shape_at(&shape, t, room);
}

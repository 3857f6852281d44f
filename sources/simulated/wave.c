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

#include "base/random.h"

/* Products of a time, a span and a weight. */
__extension__ typedef __int128 wide;

/* Steps beyond this cannot be told apart in a double. */
#define STEP_MAX 9007199254740992.0 /* 2^53 */

enum { SEGMENTS = 16 }; /* of a period: random walk and counter change their slope there */

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

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Position within the period, 0 .. 1, shifted by the key's phase. */
static double phase_of(int64_t t_us, int64_t period_us, uint64_t hash)
{
    int64_t shift = (int64_t)(hash % (uint64_t)period_us);
    int64_t in_period = (t_us % period_us + period_us + shift) % period_us;
    return (double)in_period / (double)period_us;
}

/* Value noise: numbers at fixed places, straight lines between, four octaves. 0 .. 1. */
static double wander(int64_t t_us, int64_t period_us, uint64_t hash)
{
    int64_t step_us = period_us / SEGMENTS ? period_us / SEGMENTS : 1;
    int64_t step = floor_div(t_us, step_us);
    double sum = 0, weight_sum = 0;
    for (int octave = 0; octave < 4; octave++) {
        int64_t span = SEGMENTS >> octave;
        int64_t place = floor_div(step, span);
        double within = (double)(step - place * span) / (double)span;
        weir_random a = {hash_at(hash + (uint64_t)octave, place)};
        weir_random b = {hash_at(hash + (uint64_t)octave, place + 1)};
        double weight = 1.0 / (1 << octave);
        sum += weight * (weir_random_unit(&a) * (1 - within) + weir_random_unit(&b) * within);
        weight_sum += weight;
    }
    return sum / weight_sum;
}

/* Steps counted since 1970. Each segment of a period has a slope of its own, 1 to 16; all periods
 * are alike. Exact: grows by `span` each period and never falls. */
static int64_t counted(int64_t t_us, int64_t period_us, int64_t span, uint64_t hash)
{
    int64_t period = floor_div(t_us, period_us);
    wide in_period = (wide)(t_us - period * period_us) * SEGMENTS;
    int segment = (int)(in_period / period_us);
    int64_t weight_sum = 0, weight_before = 0, weight = 0;
    for (int i = 0; i < SEGMENTS; i++) {
        int64_t w = 1 + (int64_t)(hash_at(hash, i) % 16);
        if (i < segment)
            weight_before += w;
        if (i == segment)
            weight = w;
        weight_sum += w;
    }
    wide grown = (wide)weight_before * period_us + weight * (in_period % period_us);
    return period * span + (int64_t)(span * grown / ((wide)weight_sum * period_us));
}

/* Where a meter's register is full, counting begins again. */
static int64_t turn_over(const weir_point *p, int64_t first, int64_t step, double resolution)
{
    double raw_min, raw_max;
    if (!raw_limits(p, &raw_min, &raw_max))
        return step;
    double largest = raw_max * p->scale + p->offset;
    double smallest_at_end = raw_min * p->scale + p->offset;
    int64_t last = (int64_t)fmin(fmax(largest, smallest_at_end) / resolution, STEP_MAX);
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
static double wave_position(const weir_simulate *s, int64_t t_us, uint64_t hash)
{
    double phase = phase_of(t_us, s->period_us, hash);
    switch (s->wave) {
    case WEIR_WAVE_SINE:
        return 0.5 + 0.5 * sin(2 * M_PI * phase);
    case WEIR_WAVE_RAMP:
        return phase;
    case WEIR_WAVE_SQUARE:
        return phase < 0.5 ? 0 : 1;
    case WEIR_WAVE_RANDOM_WALK:
        return wander(t_us, s->period_us, hash);
    case WEIR_WAVE_NONE:
    case WEIR_WAVE_CONSTANT:
    case WEIR_WAVE_COUNTER:
        break;
    }
    return 0;
}

static weir_value number_without_resolution(const weir_point *p, const weir_simulate *s,
                                            int64_t t_us, uint64_t hash)
{
    /* A counter's f64 grows in steps of a millionth of its span. */
    const int64_t parts = 1000000;
    if (s->wave == WEIR_WAVE_COUNTER) {
        double resolution = (s->max - s->min) / (double)parts;
        if (!(resolution > 0))
            return weir_value_f64(s->min);
        int64_t first = (int64_t)whole_steps(s->min, resolution, true);
        int64_t step = first + counted(t_us, s->period_us, parts, hash);
        return weir_value_f64((double)turn_over(p, first, step, resolution) * resolution);
    }
    return weir_value_f64(s->min + (s->max - s->min) * wave_position(s, t_us, hash));
}

static weir_value number(const weir_point *p, const weir_simulate *s, int64_t t_us, uint64_t hash)
{
    if (s->resolution_mantissa <= 0)
        return number_without_resolution(p, s, t_us, hash);
    double resolution = (double)s->resolution_mantissa * pow(10, s->resolution_exponent);
    int64_t first = (int64_t)whole_steps(s->min, resolution, true);
    int64_t last = (int64_t)whole_steps(s->max, resolution, false);
    int64_t span = last > first ? last - first : 0;
    int64_t step = first, mantissa;
    if (s->wave == WEIR_WAVE_COUNTER)
        step = turn_over(p, first, first + counted(t_us, s->period_us, span, hash), resolution);
    else
        step += (int64_t)nearbyint((double)span * wave_position(s, t_us, hash));
    if (__builtin_mul_overflow(step, s->resolution_mantissa, &mantissa))
        return weir_value_f64((double)step * resolution);
    return weir_value_decimal(mantissa, s->resolution_exponent);
}

static weir_value bytes(const weir_point *p, int64_t period, uint64_t hash, uint8_t room[32])
{
    weir_random r = {hash_at(hash, period)};
    size_t n = p->length && p->length < 32 ? p->length : 32;
    for (size_t i = 0; i < n; i++)
        room[i] = (uint8_t)weir_random_u64(&r);
    return weir_value_bytes(room, n);
}

weir_value weir_wave_value(const weir_point *p, weir_wave_key key, weir_wall t, uint8_t room[32])
{
    weir_simulate s = p->simulate;
    uint64_t hash = key_hash(p, key);
    if (s.period_us <= 0)
        s.period_us = WEIR_MINUTE;
    if (p->type == WEIR_TYPE_STRING)
        return weir_value_string(p->name, strlen(p->name));
    if (p->type == WEIR_TYPE_BYTES || p->type == WEIR_TYPE_RAW)
        return bytes(p, floor_div(t.us, s.period_us), hash, room);
    if (p->type == WEIR_TYPE_BOOL) {
        if (s.wave == WEIR_WAVE_CONSTANT)
            return weir_value_bool(s.min >= 0.5);
        return weir_value_bool(wave_position(&s, t.us, hash) >= 0.5);
    }
    return number(p, &s, t.us, hash);
}

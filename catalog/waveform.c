/* SPDX-License-Identifier: MIT */
/* What a point shows in a simulation when nothing was said: something its unit makes likely. */

#include "catalog/waveform.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

/* A plausible plant: a low-voltage feeder of some kilowatts, a tank, a heated room. */
static const struct unit_wave {
    const char *unit;
    weir_simulate simulate;
} unit_waves[] = {
    {"V", {WEIR_WAVE_SINE, 225, 235, 5 * WEIR_MINUTE, 1, -1}},
    {"kV", {WEIR_WAVE_SINE, 19.8, 20.2, 5 * WEIR_MINUTE, 1, -2}},
    {"mV", {WEIR_WAVE_SINE, 0, 1000, WEIR_MINUTE, 1, 0}},
    {"A", {WEIR_WAVE_RANDOM_WALK, 2, 16, WEIR_MINUTE, 1, -2}},
    {"mA", {WEIR_WAVE_SINE, 4, 20, WEIR_MINUTE, 1, -2}},
    {"W", {WEIR_WAVE_RANDOM_WALK, 500, 3600, WEIR_MINUTE, 1, 0}},
    {"kW", {WEIR_WAVE_RANDOM_WALK, 0.5, 3.6, WEIR_MINUTE, 1, -3}},
    {"VA", {WEIR_WAVE_RANDOM_WALK, 550, 3700, WEIR_MINUTE, 1, 0}},
    {"kVA", {WEIR_WAVE_RANDOM_WALK, 0.55, 3.7, WEIR_MINUTE, 1, -3}},
    {"var", {WEIR_WAVE_RANDOM_WALK, -400, 400, WEIR_MINUTE, 1, 0}},
    {"kvar", {WEIR_WAVE_RANDOM_WALK, -0.4, 0.4, WEIR_MINUTE, 1, -3}},
    {"Hz", {WEIR_WAVE_SINE, 49.9, 50.1, 2 * WEIR_MINUTE, 1, -2}},
    {"Wh", {WEIR_WAVE_COUNTER, 0, 2000, WEIR_HOUR, 1, 0}},
    {"kWh", {WEIR_WAVE_COUNTER, 0, 2, WEIR_HOUR, 1, -3}},
    {"MWh", {WEIR_WAVE_COUNTER, 0, 1, WEIR_DAY, 1, -3}},
    {"varh", {WEIR_WAVE_COUNTER, 0, 200, WEIR_HOUR, 1, 0}},
    {"kvarh", {WEIR_WAVE_COUNTER, 0, 0.2, WEIR_HOUR, 1, -3}},
    {"VAh", {WEIR_WAVE_COUNTER, 0, 2100, WEIR_HOUR, 1, 0}},
    {"kVAh", {WEIR_WAVE_COUNTER, 0, 2.1, WEIR_HOUR, 1, -3}},
    {"Ah", {WEIR_WAVE_COUNTER, 0, 9, WEIR_HOUR, 1, -3}},
    {"m3", {WEIR_WAVE_COUNTER, 0, 5, WEIR_HOUR, 1, -3}},
    {"m³", {WEIR_WAVE_COUNTER, 0, 5, WEIR_HOUR, 1, -3}},
    {"m3/h", {WEIR_WAVE_RANDOM_WALK, 2, 8, WEIR_MINUTE, 1, -2}},
    {"°C", {WEIR_WAVE_SINE, 18, 24, 10 * WEIR_MINUTE, 1, -1}},
    {"C", {WEIR_WAVE_SINE, 18, 24, 10 * WEIR_MINUTE, 1, -1}},
    {"K", {WEIR_WAVE_SINE, 291, 297, 10 * WEIR_MINUTE, 1, -1}},
    {"bar", {WEIR_WAVE_RANDOM_WALK, 5.5, 6.5, WEIR_MINUTE, 1, -2}},
    {"hPa", {WEIR_WAVE_SINE, 990, 1030, WEIR_HOUR, 1, -1}},
    {"%", {WEIR_WAVE_RAMP, 0, 100, 10 * WEIR_MINUTE, 1, -1}},
    {"°", {WEIR_WAVE_SINE, -30, 30, 5 * WEIR_MINUTE, 1, -1}},
    {"s", {WEIR_WAVE_COUNTER, 0, 3600, WEIR_HOUR, 1, 0}},
    {"h", {WEIR_WAVE_COUNTER, 0, 1, WEIR_HOUR, 1, -2}},
    {"rpm", {WEIR_WAVE_RANDOM_WALK, 1450, 1500, WEIR_MINUTE, 1, 0}},
};

static const weir_simulate counter_wave = {WEIR_WAVE_COUNTER, 0, 3600, WEIR_HOUR, 1, 0};
static const weir_simulate bool_wave = {WEIR_WAVE_SQUARE, 0, 1, WEIR_MINUTE, 1, 0};
static const weir_simulate other_wave = {WEIR_WAVE_SINE, 0, 1, WEIR_MINUTE, 1, -3};
static const weir_simulate other_integer_wave = {WEIR_WAVE_RAMP, 0, 100, 100 * WEIR_S, 1, 0};

/* Raw limits of a type; false for what is no number. */
static bool type_limits(const weir_point *p, double *ret_min, double *ret_max)
{
    double bits = 8.0 * weir_type_width(p->type);
    *ret_min = 0;
    switch (p->type) {
    case WEIR_TYPE_BOOL:
        *ret_max = 1;
        return true;
    case WEIR_TYPE_INT8:
    case WEIR_TYPE_INT16:
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_INT64:
        *ret_min = -exp2(bits - 1);
        *ret_max = exp2(bits - 1) - 1;
        return true;
    case WEIR_TYPE_UINT8:
    case WEIR_TYPE_UINT16:
    case WEIR_TYPE_UINT32:
    case WEIR_TYPE_UINT64:
        *ret_max = exp2(bits) - 1;
        return true;
    case WEIR_TYPE_BITFIELD:
        bits = p->bit_width ? p->bit_width : 16 - (p->bit > 0 ? p->bit : 0);
        *ret_max = exp2(bits) - 1;
        return true;
    case WEIR_TYPE_BCD16:
    case WEIR_TYPE_BCD32:
    case WEIR_TYPE_BCD64:
        *ret_max = pow(10, bits / 4) - 1;
        return true;
    case WEIR_TYPE_FLOAT16:
        *ret_min = -65504; /* IEEE 754 binary16 */
        *ret_max = 65504;
        return true;
    case WEIR_TYPE_FLOAT32:
    case WEIR_TYPE_FLOAT64:
        *ret_min = -1e30;
        *ret_max = 1e30;
        return true;
    case WEIR_TYPE_STRING:
    case WEIR_TYPE_BYTES:
    case WEIR_TYPE_RAW:
        break;
    }
    return false;
}

void weir_waveform_limits(const weir_point *p, double *ret_min, double *ret_max)
{
    double low = 0, high = 1;
    if (!weir_point_is_bool(p) && type_limits(p, &low, &high)) {
        const double a = low * p->scale + p->offset, b = high * p->scale + p->offset;
        low = fmin(a, b);
        high = fmax(a, b);
    }
    if (p->has_min && p->min > low)
        low = p->min;
    if (p->has_max && p->max < high)
        high = p->max;
    *ret_min = low;
    *ret_max = fmax(low, high);
}

static weir_simulate wave_of_unit(const weir_point *p)
{
    const uint8_t kind = weir_type_kind(p->type);
    for (size_t i = 0; *p->unit && i < sizeof unit_waves / sizeof *unit_waves; i++)
        if (!strcmp(unit_waves[i].unit, p->unit))
            return unit_waves[i].simulate;
    if (p->counter)
        return counter_wave;
    if ((kind == WEIR_KIND_I64 || kind == WEIR_KIND_U64) && p->scaling == WEIR_SCALING_NONE)
        return other_integer_wave;
    return other_wave;
}

/* An enumerated point goes from its first word to its last and back. */
static weir_simulate wave_of_enum(const weir_point *p)
{
    weir_simulate s = bool_wave;
    s.min = (double)p->enum_items[0].raw;
    s.max = (double)p->enum_items[p->n_enum - 1].raw;
    return s;
}

void weir_waveform_fit_resolution(weir_simulate *s)
{
    enum { STEPS_MIN = 10 }; /* fewer would not look like a wave */
    const double step = (double)s->resolution_mantissa * pow(10, s->resolution_exponent);
    if (s->resolution_mantissa && step * STEPS_MIN > s->max - s->min)
        s->resolution_mantissa = s->resolution_exponent = 0;
}

weir_simulate weir_waveform_default(const weir_point *p)
{
    double low, high;
    const bool text =
        p->type == WEIR_TYPE_STRING || p->type == WEIR_TYPE_BYTES || p->type == WEIR_TYPE_RAW;
    if (text)
        return (weir_simulate){.wave = WEIR_WAVE_CONSTANT, .period_us = WEIR_MINUTE};
    if (p->n_enum)
        return wave_of_enum(p);
    if (weir_point_is_bool(p))
        return bool_wave;
    weir_simulate s = wave_of_unit(p);
    weir_waveform_limits(p, &low, &high);
    if (s.min < low || s.max > high) {
        /* The usual range does not fit: the middle half of what does. */
        s.min = low + (high - low) / 4;
        s.max = high - (high - low) / 4;
        weir_waveform_fit_resolution(&s);
    }
    return s;
}

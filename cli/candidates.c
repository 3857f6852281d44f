/* SPDX-License-Identifier: MIT */
/* What a few registers may mean: every type and order at once, and which are likely. */

#include "cli/candidates.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* Offered types, narrow first. bool, bytes, bitfield and raw say nothing about a number, int8 and
 * float16 are rare enough to be asked for by name. */
static const weir_type types[] = {
    WEIR_TYPE_INT16,  WEIR_TYPE_UINT16,  WEIR_TYPE_BCD16,  WEIR_TYPE_INT32,
    WEIR_TYPE_UINT32, WEIR_TYPE_FLOAT32, WEIR_TYPE_BCD32,  WEIR_TYPE_INT64,
    WEIR_TYPE_UINT64, WEIR_TYPE_FLOAT64, WEIR_TYPE_STRING,
};

/* The four that cover nearly all devices; the other eight-letter ones can be asked for. */
static const weir_order orders[] = {WEIR_ORDER_ABCD, WEIR_ORDER_CDAB, WEIR_ORDER_BADC,
                                    WEIR_ORDER_DCBA};

static bool is_float(weir_type type)
{
    return type == WEIR_TYPE_FLOAT32 || type == WEIR_TYPE_FLOAT64;
}

/* Between a thousandth and ten million: voltages, powers, temperatures, most counters. Zero says
 * nothing. Wrong orders of a float land outside nearly always, since the exponent comes from
 * mantissa bits; wrong orders of a small integer are multiples of 65536 or 256. */
static bool number_is_likely(weir_type type, double x)
{
    double size = fabs(x);
    if (!isfinite(x) || size < 1e-3 || size >= 1e7)
        return false;
    if (is_float(type))
        return true;
    if (type == WEIR_TYPE_BCD16 || type == WEIR_TYPE_BCD32)
        return false; /* half of all numbers could be BCD, few are */
    /* A 32 or 64 bit integer in use is larger than a word could be. */
    return weir_type_width(type) == 2 ? size < 20000 : size >= 65536 && fmod(size, 65536) != 0;
}

static bool text_is_likely(const weir_value *v)
{
    if (v->length < 3)
        return false;
    for (uint32_t i = 0; i < v->length; i++)
        if (!isalnum((unsigned char)v->as.text[i]) && !memchr(" -_./:", v->as.text[i], 6))
            return false;
    return true;
}

static bool is_likely(const weir_candidate *c)
{
    double x;
    if (weir_quality_class(c->quality) != WEIR_GOOD)
        return false;
    if (c->value.kind == WEIR_KIND_STRING)
        return text_is_likely(&c->value);
    return weir_value_number(&c->value, &x) && number_is_likely(c->type, x);
}

/* Whether this order takes the bytes as an earlier one in `orders` does: AB and CDAB for a word. */
static bool order_repeats(size_t index, unsigned width)
{
    uint8_t mine[8], other[8];
    weir_order_bytes(orders[index], width, mine);
    for (size_t i = 0; i < index; i++) {
        weir_order_bytes(orders[i], width, other);
        if (!memcmp(mine, other, width))
            return true;
    }
    return false;
}

/* Text in the order of the words is as good as all text there is; the swap within words is the
 * other kind met in practice. */
static unsigned order_width(weir_type type)
{
    return type == WEIR_TYPE_STRING ? 2 : weir_type_width(type);
}

/* The register's own byte order is meant, unless it makes no sense: AB before BA. */
static bool word_is_likely(const weir_candidate *candidates, size_t n)
{
    const weir_candidate *c = &candidates[n];
    return c->order != WEIR_ORDER_ABCD && weir_type_width(c->type) == 2 && n > 0 &&
           candidates[n - 1].type == c->type && candidates[n - 1].likely;
}

size_t weir_candidates_make(const uint8_t *wire, size_t n_registers, weir_writer *room,
                            weir_candidate ret[WEIR_CANDIDATES_MAX])
{
    size_t n = 0;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        const bool text = types[t] == WEIR_TYPE_STRING;
        size_t width = text ? 2 * n_registers : weir_type_width(types[t]);
        if (width > 2 * n_registers)
            continue;
        for (size_t o = 0; o < sizeof orders / sizeof *orders && n < WEIR_CANDIDATES_MAX; o++) {
            if (order_repeats(o, order_width(types[t])))
                continue;
            weir_candidate *c = &ret[n];
            const weir_point point = {.name = "",
                                      .unit = "",
                                      .description = "",
                                      .table = WEIR_REGISTER_HOLDING,
                                      .function = WEIR_REGISTER_HOLDING,
                                      .type = types[t],
                                      .order = orders[o],
                                      .length = (uint16_t)(text ? width : 0),
                                      .bit = -1,
                                      .count = 1,
                                      .scale = 1};
            *c = (weir_candidate){.type = types[t], .order = orders[o]};
            c->value = weir_point_decode(&point, wire, width, room, &c->quality);
            /* What is no number in this type (BCD digits above 9) is not offered, nor no text. */
            if (weir_quality_class(c->quality) == WEIR_BAD || (text && c->value.length == 0))
                continue;
            c->likely = is_likely(c) && !word_is_likely(ret, n);
            n++;
        }
    }
    return n;
}

static bool lower_half_is_float32(const weir_candidate *c)
{
    weir_value low = {.kind = WEIR_KIND_F32, .as.bits = c->value.as.bits & UINT32_MAX};
    return low.as.f32 == 0 || number_is_likely(WEIR_TYPE_FLOAT32, (double)low.as.f32);
}

static int rank(const weir_candidate *c)
{
    const bool swapped = c->order != WEIR_ORDER_ABCD && c->order != WEIR_ORDER_CDAB;
    if (!c->likely)
        return 0;
    /* The letters A to F begin floats of 8 to 30000, so text only wins over rare orders. */
    if (c->value.kind == WEIR_KIND_STRING)
        return c->value.length > 4 ? 12 : 8;
    if (c->type == WEIR_TYPE_FLOAT32)
        return swapped ? 10 : 13;
    /* The upper half of a likely float64 looks like a float32 of about 2 to 4, and two float32 in a
     * row may look like a float64. Then the lower half is a number too, or zero. */
    if (c->type == WEIR_TYPE_FLOAT64)
        return lower_half_is_float32(c) ? 5 : 15;
    return weir_type_width(c->type) == 4 && !swapped ? 11 : 1;
}

size_t weir_candidates_best(const weir_candidate *candidates, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (rank(&candidates[i]) > rank(&candidates[best]))
            best = i;
    return best;
}

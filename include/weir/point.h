/* SPDX-License-Identifier: MIT */
/* A point: how the bytes of one item of a device become a value, and back. */

#pragma once
#include "weir/error.h"
#include "weir/quality.h"
#include "weir/type.h"

WEIR_C_BEGIN

/*
 * What a point is. struct_size is sizeof of it; a field that is 0 or NULL has its default. Texts
 * and arrays are copied. The words are those of the configuration file, weir.yaml(5).
 */
typedef struct weir_point_options {
    size_t struct_size;
    const char *name;      /* "power"; required */
    const char *unit;      /* "kW" */
    weir_register table;   /* coil, discrete, input or holding; else `function` */
    uint8_t function;      /* any function code that reads, 1..127, when there is no table */
    uint16_t address;      /* the first register or bit on the wire, counted from 0 */
    weir_type type;        /* coil and discrete: a bool, or bytes: many bits */
    weir_order order;      /* 0: ABCD, big-endian */
    uint16_t length;       /* string, bytes: how many bytes; coil, discrete: bits */
    bool has_bit;          /* one bit of a register ... */
    uint8_t bit;           /* ... this one, 0..15, 0 the least significant */
    uint8_t bit_width;     /* bitfield: bits from `bit` on; 0: all that are left */
    uint16_t count;        /* elements side by side; 0: 1 */
    const char *scale;     /* "0.001": exact, so it is text. value = raw * scale + offset */
    const char *offset;    /* "-273.15" */
    size_t n_na;           /* raw words that mean "not available", */
    const uint64_t *na;    /* at the type's own width, before scaling */
    bool has_min, has_max; /* outside of these the value is bad(range) */
    double min, max;
} weir_point_options;

typedef struct weir_point weir_point;

/*
 * Makes a point. Free it with weir_point_free.
 *
 * WEIR_EINVAL   something does not fit together; error says what.
 * WEIR_ENOMEM
 */
WEIR_API weir_err weir_point_new(const weir_point_options *options, weir_point **ret,
                                 weir_error *error) WEIR_MUST_CHECK;
WEIR_API void weir_point_free(weir_point *point); /* accepts NULL */

/* Bytes of one element on the wire: two for each register, one for a coil or discrete input, or for
 * eight of them; 0: as many as come (`function`). Of its string contents: what weir_decode may need
 * as room. */
WEIR_API size_t weir_point_wire_size(const weir_point *point);
WEIR_API size_t weir_point_room_size(const weir_point *point);

/*
 * Decodes one element.
 *
 * wire   the n bytes of the element as they came: registers big-endian, as in the reply; for coil
 *        and discrete one byte, 0 or 1, or of type bytes the bits, the first the lowest of the
 *        first byte.
 * room   where the contents of strings and bytes go: the value borrows them from there. May be
 *        NULL (capacity 0) for all other types.
 *
 * Never fails: what cannot be a value becomes a quality and, if that is bad, a null value. Fewer
 * bytes than wanted are bad(malformed), a raw word of `na` is bad(na), a NaN keeps its bits and is
 * uncertain(not_a_number), a number outside min and max is bad(range).
 */
WEIR_API weir_value weir_decode(const weir_point *point, const uint8_t *wire, size_t n, char *room,
                                size_t capacity, weir_quality *ret_quality);

/*
 * The reverse: the wire bytes that a device would hold to show this value. Numbers are rounded to
 * what type and scale can hold, halves away from zero.
 *
 * WEIR_ELIMIT   out of the type's range, or longer than capacity.
 * WEIR_EINVAL   a value of that kind cannot be this point's.
 */
WEIR_API weir_err weir_encode(const weir_point *point, const weir_value *value, uint8_t *ret,
                              size_t capacity, size_t *ret_n, weir_error *error) WEIR_MUST_CHECK;

WEIR_C_END

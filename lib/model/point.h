/* SPDX-License-Identifier: MIT */
/* A point: one readable item of a profile or device, and how its bytes become a value. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "model/quality.h"
#include "model/type.h"
#include "model/value.h"
#include "weir/row.h"

static inline bool weir_register_is_bits(weir_register table)
{
    return table == WEIR_REGISTER_COIL || table == WEIR_REGISTER_DISCRETE;
}

/*
 * An address as people write it. A number (decimal or 0x) is the wire address, 0-based, and says
 * nothing of the table. Five or six digits in Modicon form ("40001", "400001") name table and
 * 1-based number: only accepted when modicon is true (the YAML value was quoted text).
 */
typedef struct weir_address {
    uint16_t wire;
    bool has_table;
    weir_register table;
} weir_address;
bool weir_address_parse(const char *text, bool modicon, weir_address *ret);

/*
 * value = raw * scale + offset. The rule of decision and kind: no scale and no offset keeps the
 * raw kind; an integer raw with a power-of-ten scale (and an offset that is a multiple of it)
 * gives a decimal; anything else gives (double)raw * scale + offset.
 */
typedef enum weir_scaling {
    WEIR_SCALING_NONE,
    WEIR_SCALING_DECIMAL, /* exact: mantissa = raw * sign + decimal_offset, exponent */
    WEIR_SCALING_DOUBLE,
} weir_scaling;

typedef struct weir_enum_item {
    int64_t raw;
    const char *text;
} weir_enum_item;

/* simulate: {wave, min, max, period, resolution} */
typedef enum weir_wave {
    WEIR_WAVE_NONE,
    WEIR_WAVE_CONSTANT,
    WEIR_WAVE_SINE,
    WEIR_WAVE_RAMP,
    WEIR_WAVE_SQUARE,
    WEIR_WAVE_RANDOM_WALK,
    WEIR_WAVE_COUNTER,
} weir_wave;

typedef struct weir_simulate {
    weir_wave wave;
    double min;
    double max;
    int64_t period_us;
    int64_t resolution_mantissa; /* smallest step of the value: mantissa * 10^exponent; 0: none */
    int8_t resolution_exponent;
} weir_simulate;

typedef enum weir_access {
    WEIR_ACCESS_READ,
    WEIR_ACCESS_WRITE,
    WEIR_ACCESS_READ_WRITE
} weir_access;

/* What a profile or a device says of it, understood. */
typedef struct weir_point {
    const char *name;
    const char *unit;        /* "" : none */
    const char *description; /* "" : none */
    const char *was;         /* its former name; "" : none */
    const char *key;         /* what its provider knows it by, of all its tags; "" : its name */
    const char *file;        /* where it was defined, for messages */
    unsigned line;

    weir_register table;
    uint8_t function; /* WEIR_REGISTER_FUNCTION: the code; else the table's */
    uint16_t address; /* first register or bit on the wire, 0-based */
    weir_type type;
    weir_order order;
    uint16_t length;   /* string, bytes: bytes, of coil and discrete: bits; raw: bytes expected,
                          0 any */
    int8_t bit;        /* bit of a register 0..15 (0 = least significant), -1: none */
    uint8_t bit_width; /* bitfield: bits from `bit` on, 1..16; 0: all that are left */
    uint16_t count;    /* elements: tags name[0] .. name[count-1]; 1: a plain tag */
    weir_access access;
    bool counter;
    bool allow_overlap;
    uint32_t group; /* atomic group: points with the same non-zero number share one reply */

    weir_scaling scaling;
    int8_t exponent;        /* WEIR_SCALING_DECIMAL */
    int8_t sign;            /* WEIR_SCALING_DECIMAL: 1 or -1 */
    int64_t decimal_offset; /* WEIR_SCALING_DECIMAL, in units of 10^exponent */
    double scale, offset;   /* always filled; 1 and 0 when not given */

    size_t n_na;
    const uint64_t *na; /* raw words at the type's own width, before scaling: 0xffff for -1 of
                           an int16, a float's bits; bool, bit and bitfield: the register */
    bool has_min, has_max;
    double min, max; /* of the scaled value */
    size_t n_enum;
    const weir_enum_item *enum_items; /* integers and bools: the value becomes the text (no scale,
                                         no min and max); unknown raw: the number */

    weir_value deadband;      /* a decimal of 0 or more: what engine/filter.h leaves out of the
                                 archive; null: every sample is archived */
    int64_t max_unchanged_us; /* with a deadband: archived at least this often; 0: no limit */

    int64_t interval_us; /* 0: the device's; WEIR_INTERVAL_ON_DEMAND */
    weir_simulate simulate;

    size_t n_labels;          /* its own; the device's are below them (model/label.h) */
    const weir_label *labels; /* ascending by key */
} weir_point;

#define WEIR_INTERVAL_ON_DEMAND (-1)

/* One plain holding register, read only, at address 0: what a point is until something is said. */
#define WEIR_POINT_INIT                                                              \
    {                                                                                \
        .name = "", .unit = "", .description = "", .was = "", .key = "", .file = "", \
        .table = WEIR_REGISTER_HOLDING, .function = WEIR_REGISTER_HOLDING,           \
        .type = WEIR_TYPE_UINT16, .order = WEIR_ORDER_ABCD, .bit = -1, .count = 1,   \
        .scaling = WEIR_SCALING_NONE, .sign = 1, .scale = 1, .offset = 0             \
    }

/* Many bits in one value: a coil or discrete point of type bytes, packed as in a reply. */
static inline bool weir_point_is_packed(const weir_point *p)
{
    return weir_register_is_bits(p->table) && p->type == WEIR_TYPE_BYTES;
}

/* A bool, whatever its type says: a coil, a discrete input, one bit of a register. */
bool weir_point_is_bool(const weir_point *p);

/* Registers (or bits, for coil and discrete) that one element / all count elements cover; 1 for a
 * raw point of any length. */
unsigned weir_point_element_size(const weir_point *p);
unsigned weir_point_size(const weir_point *p);

/* Bytes of one element as weir_point_decode wants them; 0: raw of any length. */
unsigned weir_point_wire_bytes(const weir_point *p);

/* Bytes that a value of type string or bytes has at most, and of bytes always. */
unsigned weir_point_contents_size(const weir_point *p);

/*
 * Sets scaling, exponent, sign, decimal_offset, scale and offset from exact texts ("0.001"; NULL:
 * not given): value = (raw * scale + offset) * multiply. table, type and bit must be set before.
 * What comes to times 1 plus 0 is no scaling. WEIR_EINVAL: not numbers, a scale of 0, or a point
 * that is no number (bool, string, bytes, raw) with anything else than 1, 0 and 1.
 */
weir_err weir_point_set_scale(weir_point *p, const char *scale, const char *offset,
                              const char *multiply, weir_error *error) WEIR_MUST_CHECK;

/*
 * Decodes one element.
 *
 * wire   the bytes of the element as they came: registers big-endian per word as in the PDU,
 *        2 * element_size bytes; for coil and discrete one byte, 0 or 1, and packed the bits from
 *        the least significant of the first byte on; for raw the PDU data. Fewer bytes, or for raw
 *        another number than `length`, are bad(malformed).
 * room   where the contents of strings and bytes go (at most three bytes for each of `length`);
 *        the value borrows them from there. May be NULL for other types. No room left gives
 *        bad(overflow) and leaves the writer as it was.
 *
 * Never fails: what cannot be a value becomes a quality and (if bad) a null value. In this order:
 *
 * - na on the raw word: bad(na).
 * - The type. int8 and uint8 are the low byte of the register, with order BA the high one. `bit`
 *   makes one bit of a register a bool; without it a bool is a word other than 0. `bitfield` is
 *   bit_width bits from `bit` on. The order comes before the bits. Coil and discrete are bools.
 *   A BCD digit above 9 is bad(malformed). A NaN keeps its bits and is uncertain(not_a_number).
 *   In strings and bytes the order only says which byte of a register comes first; packed bits
 *   have none, and what is left of their last byte is 0. Strings end at the first NUL, trailing
 *   blanks are cut, each byte that is no UTF-8 becomes U+FFFD.
 * - enum: a listed raw number gives its text, borrowed from the point, and nothing more is done.
 * - scale. A u64 above 2^63-1 with a decimal scale becomes a double; a decimal whose mantissa
 *   overflows, and a finite number that becomes infinite, are bad(overflow).
 * - min and max: bad(range). NaN and text pass.
 */
weir_value weir_point_decode(const weir_point *p, const uint8_t *wire, size_t n, weir_writer *room,
                             weir_quality *ret_quality);

/*
 * The reverse: the wire bytes a device would hold to show this value. Used by the simulator.
 * Numbers are rounded to what type and scale can hold, halves away from zero; WEIR_ELIMIT when out
 * of its range or longer than capacity, WEIR_EINVAL when the kinds cannot match or a text is not in
 * the enum. ret has weir_point_wire_bytes (raw: as many as the value).
 * Bits that are not the point's are 0, strings and bytes are filled with NUL; min, max and na are
 * not looked at.
 */
weir_err weir_point_encode(const weir_point *p, const weir_value *v, uint8_t *ret, size_t capacity,
                           size_t *ret_n, weir_error *error) WEIR_MUST_CHECK;

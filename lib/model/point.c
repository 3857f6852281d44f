/* SPDX-License-Identifier: MIT */
/* Points: the words for tables and addresses, their sizes, and how a scale is kept exact. */

#include "model/point.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "model/point_priv.h"

static const struct register_word {
    const char *word;
    weir_register table;
} register_words[] = {
    {"coil", WEIR_REGISTER_COIL},
    {"co", WEIR_REGISTER_COIL},
    {"0", WEIR_REGISTER_COIL},
    {"0x", WEIR_REGISTER_COIL},
    {"discrete", WEIR_REGISTER_DISCRETE},
    {"di", WEIR_REGISTER_DISCRETE},
    {"1", WEIR_REGISTER_DISCRETE},
    {"1x", WEIR_REGISTER_DISCRETE},
    {"input", WEIR_REGISTER_INPUT},
    {"ir", WEIR_REGISTER_INPUT},
    {"3", WEIR_REGISTER_INPUT},
    {"3x", WEIR_REGISTER_INPUT},
    {"holding", WEIR_REGISTER_HOLDING},
    {"hr", WEIR_REGISTER_HOLDING},
    {"4", WEIR_REGISTER_HOLDING},
    {"4x", WEIR_REGISTER_HOLDING},
};

bool weir_register_parse(const char *word, weir_register *ret)
{
    for (size_t i = 0; i < sizeof register_words / sizeof *register_words; i++)
        if (!strcasecmp(word, register_words[i].word)) {
            *ret = register_words[i].table;
            return true;
        }
    return false;
}

const char *weir_register_word(size_t i)
{
    return i < sizeof register_words / sizeof *register_words ? register_words[i].word : NULL;
}

const char *weir_register_text(weir_register table)
{
    switch (table) {
    case WEIR_REGISTER_COIL:
        return "coil";
    case WEIR_REGISTER_DISCRETE:
        return "discrete";
    case WEIR_REGISTER_HOLDING:
        return "holding";
    case WEIR_REGISTER_INPUT:
        return "input";
    case WEIR_REGISTER_FUNCTION:
        return "function";
    }
    return "?";
}

/* Table digit and a number of four or five digits, counted from 1. */
static bool modicon_parse(const char *text, weir_address *ret)
{
    const char table_digit[2] = {text[0], '\0'};
    uint64_t number;
    weir_address address = {.has_table = true};
    if (!weir_register_parse(table_digit, &address.table) || !weir_parse_u64(text + 1, &number) ||
        number < 1 || number > UINT16_MAX + 1u)
        return false;
    address.wire = (uint16_t)(number - 1);
    *ret = address;
    return true;
}

bool weir_address_parse(const char *text, bool modicon, weir_address *ret)
{
    const size_t n = strlen(text);
    uint64_t wire;
    if (modicon && (n == 5 || n == 6) && strspn(text, "0123456789") == n)
        return modicon_parse(text, ret);
    if (!weir_parse_u64(text, &wire) || wire > UINT16_MAX)
        return false;
    *ret = (weir_address){.wire = (uint16_t)wire};
    return true;
}

unsigned weir_point_element_size(const weir_point *p)
{
    const unsigned width = weir_point_wire_width(p);
    if (width == 1)
        return 1;
    if (weir_point_is_packed(p))
        return p->length ? p->length : 1;
    if (width == 0)
        return p->length ? (p->length + 1u) / 2 : 1;
    return width / 2;
}

unsigned weir_point_size(const weir_point *p)
{
    return weir_point_element_size(p) * (p->count ? p->count : 1u);
}

unsigned weir_point_contents_size(const weir_point *p)
{
    return weir_point_is_packed(p) ? (p->length + 7u) / 8 : p->length;
}

unsigned weir_point_wire_bytes(const weir_point *p)
{
    if (weir_register_is_bits(p->table))
        return weir_point_is_packed(p) ? weir_point_contents_size(p) : 1;
    return p->type == WEIR_TYPE_RAW ? p->length : 2 * weir_point_element_size(p);
}

bool weir_point_is_bool(const weir_point *p)
{
    return weir_register_is_bits(p->table)
               ? !weir_point_is_packed(p)
               : p->type == WEIR_TYPE_BOOL || weir_point_is_register_bit(p);
}

/* mantissa * 10^exponent; exact is false when the text has more digits than fit: number counts. */
struct factor {
    bool exact;
    int64_t mantissa;
    int exponent;
    double number;
};

static bool factor_parse(const char *text, const char *fallback, struct factor *ret)
{
    struct factor f = {0};
    int8_t exponent = 0;
    if (!text)
        text = fallback;
    f.exact = weir_parse_decimal(text, &f.mantissa, &exponent);
    f.exponent = exponent;
    if (!weir_parse_double(text, &f.number))
        return false;
    *ret = f;
    return true;
}

static struct factor factor_multiply(const struct factor *a, const struct factor *b)
{
    struct factor f = {.exponent = a->exponent + b->exponent, .number = a->number * b->number};
    f.exact =
        a->exact && b->exact && !__builtin_mul_overflow(a->mantissa, b->mantissa, &f.mantissa);
    if (f.exact) {
        /* Through text, so that 0.1 * 3 is the double nearest to 0.3. */
        char text[40];
        for (; f.mantissa && f.mantissa % 10 == 0; f.mantissa /= 10)
            f.exponent++;
        if (!f.mantissa)
            f.exponent = 0;
        (void)snprintf(text, sizeof text, "%llde%d", (long long)f.mantissa, f.exponent);
        (void)weir_parse_double(text, &f.number);
    }
    return f;
}

/* offset in units of 10^exponent; false when it is no whole number of them. */
static bool factor_in_units(const struct factor *offset, int exponent, int64_t *ret)
{
    int64_t units = offset->mantissa;
    if (!offset->exact || (units && offset->exponent < exponent))
        return false;
    for (int e = offset->exponent; units && e > exponent; e--)
        if (__builtin_mul_overflow(units, 10, &units))
            return false;
    *ret = units;
    return true;
}

static bool point_is_numeric(const weir_point *p)
{
    return !weir_point_is_bool(p) && weir_point_wire_width(p) != 0;
}

static bool point_is_integer(const weir_point *p)
{
    const uint8_t kind = weir_type_kind(p->type);
    return point_is_numeric(p) && (kind == WEIR_KIND_I64 || kind == WEIR_KIND_U64);
}

weir_err weir_point_set_scale(weir_point *p, const char *scale, const char *offset,
                              const char *multiply, weir_error *error)
{
    struct factor scaling, shift, by;
    if (!factor_parse(scale, "1", &scaling))
        return weir_fail(error, WEIR_EINVAL, "scale must be a number, not \"%s\"", scale);
    if (!factor_parse(offset, "0", &shift))
        return weir_fail(error, WEIR_EINVAL, "offset must be a number, not \"%s\"", offset);
    if (!factor_parse(multiply, "1", &by))
        return weir_fail(error, WEIR_EINVAL, "multiply must be a number, not \"%s\"", multiply);
    scaling = factor_multiply(&scaling, &by);
    shift = factor_multiply(&shift, &by);
    if (scaling.number == 0)
        return weir_fail(error, WEIR_EINVAL, "a scale of 0 would hide the value");
    const bool identity = scaling.number == 1 && shift.number == 0;
    if (!identity && !point_is_numeric(p))
        return weir_fail(error, WEIR_EINVAL, "a %s has no scale, offset or multiplier",
                         weir_point_wire_width(p) ? "bool" : weir_type_text(p->type));

    int64_t units = 0;
    const bool power_of_ten = scaling.exact && scaling.exponent >= INT8_MIN &&
                              scaling.exponent <= INT8_MAX &&
                              (scaling.mantissa == 1 || scaling.mantissa == -1) &&
                              factor_in_units(&shift, scaling.exponent, &units);
    p->scale = scaling.number;
    p->offset = shift.number;
    p->exponent = 0;
    p->sign = 1;
    p->decimal_offset = 0;
    if (identity) {
        p->scaling = WEIR_SCALING_NONE;
    } else if (power_of_ten && point_is_integer(p)) {
        p->scaling = WEIR_SCALING_DECIMAL;
        p->exponent = (int8_t)scaling.exponent;
        p->sign = scaling.mantissa < 0 ? -1 : 1;
        p->decimal_offset = units;
    } else {
        p->scaling = WEIR_SCALING_DOUBLE;
    }
    return WEIR_OK;
}

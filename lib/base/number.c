/* SPDX-License-Identifier: MIT */
/* Numbers, durations and sizes: parsing whole strings, printing what reads back the same. */

#include "base/number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t powers[20] = {1u,
                                    10u,
                                    100u,
                                    1000u,
                                    10000u,
                                    100000u,
                                    1000000u,
                                    10000000u,
                                    100000000u,
                                    1000000000u,
                                    10000000000u,
                                    100000000000u,
                                    1000000000000u,
                                    10000000000000u,
                                    100000000000000u,
                                    1000000000000000u,
                                    10000000000000000u,
                                    100000000000000000u,
                                    1000000000000000000u,
                                    10000000000000000000u};

uint64_t weir_pow10_u64(unsigned n)
{
    return n < 20 ? powers[n] : 0;
}

double weir_pow10_double(int n)
{
    static const double exact[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n >= 0 && n < 23)
        return exact[n];
    if (n < 0 && n > -23)
        return 1 / exact[-n];
    return pow(10, n);
}

bool weir_parse_u64(const char *text, uint64_t *ret)
{
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const unsigned base = hex ? 16 : 10;
    uint64_t v = 0;
    if (hex)
        text += 2;
    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned digit;
        if (*text >= '0' && *text <= '9')
            digit = (unsigned)(*text - '0');
        else if (hex && *text >= 'a' && *text <= 'f')
            digit = (unsigned)(*text - 'a') + 10;
        else if (hex && *text >= 'A' && *text <= 'F')
            digit = (unsigned)(*text - 'A') + 10;
        else
            return false;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool weir_parse_i64(const char *text, int64_t *ret)
{
    const bool negative = text[0] == '-';
    uint64_t v;
    if (text[0] == '-' || text[0] == '+')
        text++;
    if (!weir_parse_u64(text, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit before the exponent. */
static bool is_decimal_text(const char *text)
{
    size_t digits = 0;
    if (*text == '+' || *text == '-')
        text++;
    for (; *text >= '0' && *text <= '9'; text++)
        digits++;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++)
            digits++;
    if (!digits)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '+' || *text == '-')
            text++;
        if (*text < '0' || *text > '9')
            return false;
        while (*text >= '0' && *text <= '9')
            text++;
    }
    return *text == '\0';
}

bool weir_parse_double(const char *text, double *ret)
{
    /* strtod obeys LC_NUMERIC; weir never calls setlocale, so that is "C". */
    if (!is_decimal_text(text))
        return false;
    double v = strtod(text, NULL);
    if (!isfinite(v))
        return false;
    *ret = v;
    return true;
}

bool weir_parse_decimal(const char *text, int64_t *ret_mantissa, int8_t *ret_exponent)
{
    uint64_t mantissa = 0;
    int64_t exponent = 0;
    bool negative = *text == '-', after_point = false;
    size_t pending_zeros = 0; /* zeros seen since the last other digit: dropped at the end */
    if (!is_decimal_text(text))
        return false;
    if (*text == '+' || *text == '-')
        text++;
    for (; *text && *text != 'e' && *text != 'E'; text++) {
        if (*text == '.') {
            after_point = true;
            continue;
        }
        exponent -= after_point;
        if (*text == '0') {
            pending_zeros++;
            continue;
        }
        for (size_t i = 0; i <= pending_zeros; i++)
            if (mantissa && __builtin_mul_overflow(mantissa, 10u, &mantissa))
                return false;
        pending_zeros = 0;
        if (__builtin_add_overflow(mantissa, (unsigned)(*text - '0'), &mantissa))
            return false;
    }
    exponent += (int64_t)pending_zeros;
    if (*text) {
        int64_t written;
        if (!weir_parse_i64(text + 1, &written) || llabs(written) > 1000)
            return false;
        exponent += written;
    }
    if (mantissa > INT64_MAX)
        return false;
    if (mantissa == 0)
        exponent = 0;
    if (exponent < INT8_MIN || exponent > INT8_MAX)
        return false;
    *ret_mantissa = negative ? -(int64_t)mantissa : (int64_t)mantissa;
    *ret_exponent = (int8_t)exponent;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"us", 1},       {"ms", 1000},      {"s", 1000000},     {"min", 60000000},
    {"m", 60000000}, {"h", 3600000000}, {"d", 86400000000}, {"w", 604800000000},
};
static const struct unit size_units[] = {
    {"B", 1},           {"kB", 1000},          {"KB", 1000},      {"MB", 1000000},
    {"GB", 1000000000}, {"TB", 1000000000000}, {"KiB", 1u << 10}, {"MiB", 1u << 20},
    {"GiB", 1u << 30},  {"TiB", 1ull << 40},
};

/* number unit [number unit ...], each number with an optional fraction of at most 6 digits: times
 * the largest unit, 2^40, that stays below 2^64. */
static bool parse_quantity(const char *text, const struct unit *units, size_t n_units, bool once,
                           uint64_t *ret)
{
    uint64_t total = 0;
    if (!*text)
        return false;
    while (*text) {
        uint64_t whole = 0, fraction = 0, scale = 1;
        const char *start = text;
        for (; *text >= '0' && *text <= '9'; text++)
            if (__builtin_mul_overflow(whole, 10u, &whole) ||
                __builtin_add_overflow(whole, (unsigned)(*text - '0'), &whole))
                return false;
        if (text == start)
            return false;
        if (*text == '.')
            for (text++; *text >= '0' && *text <= '9' && scale < 1000000; text++) {
                fraction = fraction * 10 + (unsigned)(*text - '0');
                scale *= 10;
            }
        if (*text == ' ')
            text++;
        size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        const struct unit *unit = NULL;
        for (size_t i = 0; i < n_units && !unit; i++)
            if (strlen(units[i].name) == length && !strncmp(units[i].name, text, length))
                unit = &units[i];
        if (!unit || fraction * unit->factor % scale)
            return false;
        text += length;
        uint64_t part;
        if (__builtin_mul_overflow(whole, unit->factor, &part) ||
            __builtin_add_overflow(total, part, &total) ||
            __builtin_add_overflow(total, fraction * unit->factor / scale, &total))
            return false;
        if (once && *text)
            return false;
    }
    *ret = total;
    return true;
}

bool weir_parse_duration(const char *text, int64_t *ret_us)
{
    uint64_t us;
    if (!strcmp(text, "0")) {
        *ret_us = 0;
        return true;
    }
    if (!parse_quantity(text, duration_units, sizeof duration_units / sizeof *duration_units, false,
                        &us) ||
        us > INT64_MAX)
        return false;
    *ret_us = (int64_t)us;
    return true;
}

bool weir_parse_size(const char *text, uint64_t *ret_bytes)
{
    if (!strcmp(text, "0")) {
        *ret_bytes = 0;
        return true;
    }
    return parse_quantity(text, size_units, sizeof size_units / sizeof *size_units, true,
                          ret_bytes);
}

/* What printf writes ("1e+20", "-5e-05") JSON and SQL can read; only these need words. */
static bool add_non_finite(weir_text *t, double v)
{
    if (isnan(v))
        weir_text_add(t, "NaN");
    else if (isinf(v))
        weir_text_add(t, v < 0 ? "-Infinity" : "Infinity");
    else
        return false;
    return true;
}

/* Decimal digits of u, ending before end; where they begin. */
static char *digits_before(char *end, uint64_t u)
{
    do
        *--end = (char)('0' + u % 10);
    while ((u /= 10) != 0);
    return end;
}

/*
 * What meters measure has few decimals: v is m / 10^k with a small k and m below `below`, and then
 * that is its shortest text, in a tenth of the time. Both numbers are exact as doubles, so their
 * quotient is the double nearest to the text (and the float: with 6 digits and 7 decimals it is
 * never so near to the middle of two floats that rounding twice could matter). False: not such a v.
 */
static bool add_few_decimals(weir_text *t, double v, int k_max, double below, bool is_float)
{
    const double a = fabs(v);
    char b[40], *end = b + sizeof b, *p;
    if (a < 1e-4 || a >= below)
        return false; /* zero has a sign, and what is smaller an exponent */
    for (int k = 0; k <= k_max; k++) {
        const double power = weir_pow10_double(k), m = nearbyint(a * power);
        if (m >= below)
            return false;
        if (is_float ? (float)(m / power) != (float)a : m / power != a)
            continue;
        p = digits_before(end, (uint64_t)m);
        for (; end - p <= k;)
            *--p = '0';
        if (k > 0) {
            memmove(p - 1, p, (size_t)(end - p - k));
            p--;
            end[-k - 1] = '.';
        }
        if (v < 0)
            *--p = '-';
        weir_text_add_n(t, p, (size_t)(end - p));
        return true;
    }
    return false;
}

void weir_text_add_double(weir_text *t, double v)
{
    char b[40];
    if (add_few_decimals(t, v, 9, 1e15, false) || add_non_finite(t, v))
        return;
    /* Any text of DBL_DIG digits survives the way through a double and back, so the first try is
     * the shortest; subnormals have fewer digits than that. */
    for (int precision = fabs(v) < DBL_MIN ? 1 : DBL_DIG; precision <= 17; precision++) {
        (void)snprintf(b, sizeof b, "%.*g", precision, v);
        if (strtod(b, NULL) == v)
            break;
    }
    weir_text_add(t, b);
}

void weir_text_add_float(weir_text *t, float v)
{
    char b[40];
    if (add_few_decimals(t, (double)v, 7, 1e6, true) || add_non_finite(t, (double)v))
        return;
    for (int precision = fabsf(v) < FLT_MIN ? 1 : FLT_DIG; precision <= 9; precision++) {
        (void)snprintf(b, sizeof b, "%.*g", precision, (double)v);
        if (strtof(b, NULL) == v)
            break;
    }
    weir_text_add(t, b);
}

void weir_text_add_decimal(weir_text *t, int64_t mantissa, int8_t exponent)
{
    /* Beyond this many zeros the e-notation is shorter to read. */
    enum { PLAIN_ZEROS_MAX = 20 };
    char digits[24];
    int e = exponent;
    uint64_t m = mantissa < 0 ? 0 - (uint64_t)mantissa : (uint64_t)mantissa;
    if (m == 0) {
        weir_text_add_char(t, '0');
        return;
    }
    for (; m % 10 == 0 && e < 0; m /= 10)
        e++;
    if (mantissa < 0)
        weir_text_add_char(t, '-');
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)m);
    if (e >= 0 && e <= PLAIN_ZEROS_MAX) {
        weir_text_add(t, digits);
        for (int i = 0; i < e; i++)
            weir_text_add_char(t, '0');
    } else if (e < 0 && -e < n + PLAIN_ZEROS_MAX) {
        if (-e >= n) {
            weir_text_add(t, "0.");
            for (int i = n; i < -e; i++)
                weir_text_add_char(t, '0');
            weir_text_add(t, digits);
        } else {
            weir_text_add_n(t, digits, (size_t)(n + e));
            weir_text_add_char(t, '.');
            weir_text_add(t, digits + n + e);
        }
    } else {
        weir_text_format(t, "%se%d", digits, e);
    }
}

void weir_text_add_duration(weir_text *t, int64_t us)
{
    static const struct unit parts[] = {{"d", 86400000000}, {"h", 3600000000}, {"m", 60000000},
                                        {"s", 1000000},     {"ms", 1000},      {"us", 1}};
    uint64_t left = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    if (us < 0)
        weir_text_add_char(t, '-');
    if (left == 0)
        weir_text_add(t, "0s");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (left >= parts[i].factor) {
            weir_text_format(t, "%llu%s", (unsigned long long)(left / parts[i].factor),
                             parts[i].name);
            left %= parts[i].factor;
        }
}

void weir_text_add_size(weir_text *t, uint64_t bytes)
{
    static const struct unit parts[] = {
        {"TB", 1000000000000}, {"GB", 1000000000}, {"MB", 1000000}, {"kB", 1000}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (bytes >= parts[i].factor) {
            const double v = (double)bytes / (double)parts[i].factor;
            weir_text_format(t, v < 100 ? "%.3g %s" : "%.0f %s", v, parts[i].name);
            return;
        }
    weir_text_format(t, "%llu B", (unsigned long long)bytes);
}

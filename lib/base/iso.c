/* SPDX-License-Identifier: MIT */
/* Dates and times as other programs and people write them: ISO 8601, RFC 3339. */

/* The text is brought into the one form weir_wall_parse knows, which checks the calendar. */

#include "base/iso.h"

#include <string.h>

/* The canonical form being built. */
struct canonical {
    char text[32];
    size_t n;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void canonical_add(struct canonical *c, char ch)
{
    if (c->n < sizeof c->text - 1)
        c->text[c->n++] = ch;
}

static bool take_digits(struct canonical *c, const char **at, size_t n)
{
    for (size_t i = 0; i < n; i++, (*at)++) {
        if (!is_digit(**at))
            return false;
        canonical_add(c, **at);
    }
    return true;
}

/* The separator of the extended form, or nothing in the basic one. */
static bool take_separator(struct canonical *c, const char **at, char separator, bool extended)
{
    canonical_add(c, separator);
    if (!extended)
        return true;
    if (**at != separator)
        return false;
    (*at)++;
    return true;
}

static bool take_date(struct canonical *c, const char **at)
{
    if (!take_digits(c, at, 4))
        return false;
    const bool extended = **at == '-';
    return take_separator(c, at, '-', extended) && take_digits(c, at, 2) &&
           take_separator(c, at, '-', extended) && take_digits(c, at, 2);
}

/* Microseconds and no more: what is finer is cut. */
static bool take_fraction(struct canonical *c, const char **at)
{
    enum { DIGITS = 6 };
    if (**at != '.' && **at != ',')
        return true;
    (*at)++;
    if (!is_digit(**at))
        return false;
    canonical_add(c, '.');
    for (size_t i = 0; is_digit(**at); i++, (*at)++)
        if (i < DIGITS)
            canonical_add(c, **at);
    return true;
}

static bool take_time(struct canonical *c, const char **at)
{
    canonical_add(c, 'T');
    if (!take_digits(c, at, 2))
        return false;
    const bool extended = **at == ':';
    if (!take_separator(c, at, ':', extended) || !take_digits(c, at, 2))
        return false;
    canonical_add(c, ':');
    if (extended ? **at != ':' : !is_digit(**at)) {
        canonical_add(c, '0');
        canonical_add(c, '0');
        return true;
    }
    if (extended)
        (*at)++;
    return take_digits(c, at, 2) && take_fraction(c, at);
}

/* RFC 3339, 5.6: time-numoffset; a day at most. */
static bool take_zone(const char **at, int64_t *ret_us)
{
    struct canonical digits = {.n = 0};
    const char sign = **at;
    *ret_us = 0;
    if (sign == 'Z' || sign == 'z') {
        (*at)++;
        return true;
    }
    if (sign != '+' && sign != '-')
        return true;
    (*at)++;
    if (!take_digits(&digits, at, 2))
        return false;
    if (**at == ':')
        (*at)++;
    if (**at && !take_digits(&digits, at, 2))
        return false;
    const char *d = digits.text;
    const int64_t hours = (d[0] - '0') * 10 + d[1] - '0';
    const int64_t minutes = digits.n == 4 ? (d[2] - '0') * 10 + d[3] - '0' : 0;
    if (hours > 23 || minutes > 59)
        return false;
    *ret_us = (hours * WEIR_HOUR + minutes * WEIR_MINUTE) * (sign == '-' ? -1 : 1);
    return true;
}

bool weir_iso_parse(const char *text, weir_wall *ret)
{
    struct canonical c = {.n = 0};
    const char *at = text;
    int64_t offset_us = 0;
    weir_wall t;
    if (!take_date(&c, &at))
        return false;
    if (*at == 'T' || *at == 't' || *at == ' ') {
        at++;
        if (!take_time(&c, &at) || !take_zone(&at, &offset_us))
            return false;
    }
    if (*at || !weir_wall_parse(c.text, &t))
        return false;
    ret->us = t.us - offset_us;
    return true;
}

/* SPDX-License-Identifier: MIT */
/* Two kinds of time that cannot be mixed, and how wall-clock time is written. */

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* Days between 1970-01-01 and a proleptic Gregorian date, counted in 400-year eras from March. */
static int64_t days_of_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    const int64_t era = (year >= 0 ? year : year - 399) / 400;
    const unsigned year_of_era = (unsigned)(year - era * 400);
    const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    const unsigned day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void date_of_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const unsigned day_of_era = (unsigned)(days - era * 146097);
    const unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const unsigned day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned m = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int64_t)year_of_era + era * 400 + (*month <= 2);
}

void weir_wall_format(weir_wall t, char ret[28])
{
    /* 0001-01-01 and 9999-12-31T23:59:59.999999 */
    const int64_t first = -62135596800000000, last = 253402300799999999;
    int64_t us = t.us < first ? first : t.us > last ? last : t.us;
    int64_t days = weir_floor_multiple(us, WEIR_DAY) / WEIR_DAY;
    int64_t rest = us - days * WEIR_DAY;
    int64_t year;
    unsigned month, day;
    char b[64];
    date_of_days(days, &year, &month, &day);
    (void)snprintf(b, sizeof b, "%04d-%02u-%02uT%02u:%02u:%02u.%06uZ", (int)year, month, day,
                   (unsigned)(rest / WEIR_HOUR), (unsigned)(rest / WEIR_MINUTE % 60),
                   (unsigned)(rest / WEIR_S % 60), (unsigned)(rest % WEIR_S));
    memcpy(ret, b, 28);
}

/* n digits, value between min and max. */
static bool take_digits(const char **at, int n, unsigned min, unsigned max, unsigned *ret)
{
    unsigned v = 0;
    for (int i = 0; i < n; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        v = v * 10 + (unsigned)(**at - '0');
    }
    *ret = v;
    return v >= min && v <= max;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

bool weir_wall_parse(const char *text, weir_wall *ret)
{
    static const unsigned month_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day, hour = 0, minute = 0, second = 0;
    int64_t fraction = 0;
    const char *at = text;
    if (!take_digits(&at, 4, 1, 9999, &year) || !take_char(&at, '-') ||
        !take_digits(&at, 2, 1, 12, &month) || !take_char(&at, '-') ||
        !take_digits(&at, 2, 1, month_days[month - 1], &day))
        return false;
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month == 2 && day == 29 && !leap)
        return false;
    if (*at == 'T' || *at == ' ') {
        at++;
        if (!take_digits(&at, 2, 0, 23, &hour) || !take_char(&at, ':') ||
            !take_digits(&at, 2, 0, 59, &minute) || !take_char(&at, ':') ||
            !take_digits(&at, 2, 0, 59, &second))
            return false;
        if (*at == '.') {
            int64_t unit = WEIR_S / 10;
            for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10) {
                if (unit == 0)
                    return false;
                fraction += (*at - '0') * unit;
            }
        }
        if (*at == 'Z')
            at++;
    }
    if (*at)
        return false;
    ret->us = days_of_date(year, month, day) * WEIR_DAY + hour * WEIR_HOUR + minute * WEIR_MINUTE +
              second * WEIR_S + fraction;
    return true;
}

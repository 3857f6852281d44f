/* SPDX-License-Identifier: MIT */
/* The bytes of a binary COPY. */

#include "sinks/postgres/copy.h"

#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/text.h"

/* Between 1970, where our time begins, and 2000, where PostgreSQL's does. */
static const int64_t epoch_us = 946684800 * WEIR_S;
/* MIN_TIMESTAMP of PostgreSQL's datatype/timestamp.h, counted from 1970. */
static const int64_t first_us = -211813488000 * WEIR_S + 946684800 * WEIR_S;

void weir_pg_copy_deinit(weir_pg_copy *c)
{
    weir_free(c->bytes);
    *c = (weir_pg_copy){0};
}

void weir_pg_copy_clear(weir_pg_copy *c)
{
    c->length = 0;
    c->failed = false;
}

/* Room for n more bytes; none, which the writer remembers, when memory is short. */
static weir_writer room_take(weir_pg_copy *c, size_t n)
{
    if (!c->failed && c->capacity - c->length < n) {
        const size_t wanted = (c->length + n) * 2;
        uint8_t *bytes = weir_realloc_array(c->bytes, wanted, 1);
        c->failed = bytes == NULL;
        if (bytes) {
            c->bytes = bytes;
            c->capacity = wanted;
        }
    }
    return c->failed ? weir_writer_of(NULL, 0) : weir_writer_of(c->bytes + c->length, n);
}

static void room_done(weir_pg_copy *c, const weir_writer *w)
{
    c->failed |= w->failed;
    c->length += weir_writer_length(w);
}

/* --- the stream --------------------------------------------------------------------------- */

void weir_pg_copy_header(weir_pg_copy *c)
{
    static const uint8_t header[] = "PGCOPY\n\377\r\n\0" /* signature, the last \0 is its own */
                                    "\0\0\0\0"           /* flags */
                                    "\0\0\0";            /* length of the extension, with this \0 */
    weir_writer w = room_take(c, sizeof header);
    weir_write_bytes(&w, header, sizeof header);
    room_done(c, &w);
}

static void number_add(weir_pg_copy *c, uint64_t v, size_t width)
{
    weir_writer w = room_take(c, width);
    weir_write_be(&w, v, width);
    room_done(c, &w);
}

void weir_pg_copy_row(weir_pg_copy *c, uint16_t n_fields)
{
    number_add(c, n_fields, 2);
}

void weir_pg_copy_trailer(weir_pg_copy *c)
{
    number_add(c, 0xffff, 2);
}

/* --- fields ------------------------------------------------------------------------------- */

void weir_pg_copy_null(weir_pg_copy *c)
{
    number_add(c, 0xffffffff, 4);
}

void weir_pg_copy_int(weir_pg_copy *c, int64_t v, uint32_t width)
{
    weir_writer w = room_take(c, 12);
    weir_write_u32(&w, width);
    weir_write_be(&w, (uint64_t)v, width);
    room_done(c, &w);
}

void weir_pg_copy_float8(weir_pg_copy *c, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    weir_pg_copy_int(c, (int64_t)bits, 8);
}

void weir_pg_copy_bytes(weir_pg_copy *c, const void *bytes, size_t n)
{
    weir_writer w = room_take(c, 4 + n);
    weir_write_u32(&w, (uint32_t)n);
    weir_write_bytes(&w, bytes, n);
    room_done(c, &w);
}

/* The magnitude's digits in base 10000, first to last, so that the point falls between two of them:
 * shifted by 0 to 3 decimal places. Returns how many, at most 6 (20 + 3 decimal digits). */
static size_t digits_of(uint64_t magnitude, unsigned shift, uint16_t ret[6])
{
    char text[24] = {0};
    size_t n = 0, n_groups = 0;
    for (; magnitude > 0; magnitude /= 10)
        text[n++] = (char)(magnitude % 10);
    for (size_t i = n + shift; i > 0;) { /* the decimal places from here to the group's end */
        unsigned group = 0;
        do {
            i--;
            group = group * 10 + (unsigned)(i >= shift ? text[i - shift] : 0);
        } while (i % 4 != 0);
        ret[n_groups++] = (uint16_t)group;
    }
    return n_groups;
}

/*
 * As numeric_send() of PostgreSQL's utils/adt/numeric.c writes it: count of digits in base 10000,
 * weight of the first (value = sum of digit[i] * 10000^(weight - i)), sign, digits behind the
 * point, digits; without zeros in front and behind.
 */
void weir_pg_copy_numeric(weir_pg_copy *c, bool is_negative, uint64_t magnitude, int8_t exponent)
{
    uint16_t digits[6];
    const unsigned shift = (unsigned)((exponent % 4 + 4) % 4);
    size_t n = magnitude ? digits_of(magnitude, shift, digits) : 0;
    const int weight = n ? (int)n - 1 + (exponent - (int)shift) / 4 : 0;
    while (n > 0 && digits[n - 1] == 0)
        n--;
    weir_writer w = room_take(c, 4 + 8 + 2 * n);
    weir_write_u32(&w, (uint32_t)(8 + 2 * n));
    weir_write_u16(&w, (uint16_t)n);
    weir_write_u16(&w, (uint16_t)weight);
    weir_write_u16(&w, is_negative && magnitude ? 0x4000 : 0);
    weir_write_u16(&w, (uint16_t)(exponent < 0 ? -exponent : 0));
    for (size_t i = 0; i < n; i++)
        weir_write_u16(&w, digits[i]);
    room_done(c, &w);
}

bool weir_pg_time_fits(weir_wall t)
{
    return t.us >= first_us;
}

void weir_pg_copy_time(weir_pg_copy *c, weir_wall t)
{
    weir_pg_copy_int(c, t.us - epoch_us, 8);
}

/* --- text --------------------------------------------------------------------------------- */

bool weir_pg_text_fits(const char *text, size_t n)
{
    return (n == 0 || !memchr(text, '\0', n)) && weir_utf8_valid(text, n);
}

void weir_pg_copy_text(weir_pg_copy *c, const char *text, size_t n)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    if (weir_pg_text_fits(text, n)) {
        weir_pg_copy_bytes(c, text, n);
        return;
    }
    const size_t at = c->length;
    weir_writer w = room_take(c, 4 + 3 * n);
    weir_write_u32(&w, 0);
    for (size_t i = 0; i < n;) {
        const size_t length = text[i] ? weir_utf8_char(text + i, n - i) : 0;
        if (length)
            weir_write_bytes(&w, text + i, length);
        else
            weir_write_bytes(&w, replacement, 3);
        i += length ? length : 1;
    }
    room_done(c, &w);
    weir_writer size = c->failed ? weir_writer_of(NULL, 0) : weir_writer_of(c->bytes + at, 4);
    weir_write_u32(&size, (uint32_t)(c->length - at - 4));
}

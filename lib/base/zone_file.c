/* SPDX-License-Identifier: MIT */
/* Reading a zone from the bytes of a TZif file (RFC 9636). */

/*
 * What can go wrong is all in the bytes: counts that promise more than is there, times out of
 * order, types that do not exist, a footer that is no rule. Each is refused with its reason, before
 * anything is kept.
 */

#include "base/zone_priv.h"

#include <string.h>

#include "base/bytes.h"

/* No zone has had more than 300 changes; a file with 4096 is damaged or an attack. */
#define ZONE_TRANSITIONS_MAX 4096

typedef struct zone_header {
    char version; /* 0 for version 1, else '2' ... */
    uint32_t n_ut, n_standard, n_leaps, n_transitions, n_types, n_chars;
    size_t time_size; /* bytes of one time in the block that follows */
} zone_header;

/* How many bytes follow the header before the next part. Cannot overflow: 2^32 * 33. */
static uint64_t header_block_size(const zone_header *h)
{
    return (uint64_t)h->n_transitions * (h->time_size + 1) + (uint64_t)h->n_types * 6 + h->n_chars +
           (uint64_t)h->n_leaps * (h->time_size + 4) + h->n_standard + h->n_ut;
}

static weir_err header_read(weir_reader *r, size_t time_size, zone_header *ret, weir_error *error)
{
    const uint8_t *magic = weir_read_bytes(r, 4);
    if (!magic || memcmp(magic, "TZif", 4) != 0)
        return weir_fail(error, WEIR_EDAMAGED, "not a time zone file: no \"TZif\"");
    zone_header h = {.version = (char)weir_read_u8(r), .time_size = time_size};
    (void)weir_read_bytes(r, 15); /* reserved */
    h.n_ut = weir_read_u32(r);
    h.n_standard = weir_read_u32(r);
    h.n_leaps = weir_read_u32(r);
    h.n_transitions = weir_read_u32(r);
    h.n_types = weir_read_u32(r);
    h.n_chars = weir_read_u32(r);
    if (h.version != '\0' && h.version < '2')
        return weir_fail(error, WEIR_EDAMAGED, "version %d is none", h.version);
    if (r->failed || header_block_size(&h) > weir_reader_left(r))
        return weir_fail(error, WEIR_EDAMAGED, "cut short");
    *ret = h;
    return WEIR_OK;
}

static weir_err header_check(const zone_header *h, weir_error *error)
{
    if (h->n_leaps > 0)
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "counts leap seconds; take the zone of that name without \"right/\"");
    if (h->n_transitions > ZONE_TRANSITIONS_MAX)
        return weir_fail(error, WEIR_EDAMAGED, "%u transitions, more than %d", h->n_transitions,
                         ZONE_TRANSITIONS_MAX);
    if (h->n_types == 0 || h->n_types > 256 || h->n_chars == 0)
        return weir_fail(error, WEIR_EDAMAGED, "%u types, %u bytes of names", h->n_types,
                         h->n_chars);
    if ((h->n_ut != 0 && h->n_ut != h->n_types) ||
        (h->n_standard != 0 && h->n_standard != h->n_types))
        return weir_fail(error, WEIR_EDAMAGED, "counts contradict each other");
    return WEIR_OK;
}

/* The offsets of the types, in seconds. */
static weir_err types_read(weir_reader *r, const zone_header *h, int32_t offsets[256],
                           weir_error *error)
{
    for (uint32_t i = 0; i < h->n_types; i++) {
        offsets[i] = (int32_t)weir_read_u32(r);
        const uint8_t saving = weir_read_u8(r), name = weir_read_u8(r);
        if (offsets[i] < ZONE_OFFSET_MIN_S || offsets[i] > ZONE_OFFSET_MAX_S)
            return weir_fail(error, WEIR_EDAMAGED, "type %u is %d s off UTC", i, offsets[i]);
        if (saving > 1 || name >= h->n_chars)
            return weir_fail(error, WEIR_EDAMAGED, "type %u has no name or a wrong flag", i);
    }
    return WEIR_OK;
}

/* The block behind the header. Its size was checked. ret_last: INT64_MIN without transitions. */
static weir_err block_read(weir_reader *r, const zone_header *h, weir_zone *zone, int64_t *ret_last,
                           weir_error *error)
{
    int32_t offsets[256];
    weir_reader times = weir_reader_of(r->at, h->n_transitions * h->time_size);
    weir_reader indexes = weir_reader_of(r->at + h->n_transitions * h->time_size, h->n_transitions);
    weir_reader types =
        weir_reader_of(r->at + h->n_transitions * (h->time_size + 1), (size_t)h->n_types * 6);
    int64_t last_s = INT64_MIN, last = INT64_MIN;
    weir_err err = types_read(&types, h, offsets, error);
    if (err != WEIR_OK)
        return err;
    weir_zone_add(zone, INT64_MIN, offsets[0]);
    for (uint32_t i = 0; i < h->n_transitions; i++) {
        const uint64_t bits = weir_read_be(&times, h->time_size);
        const int64_t s = h->time_size == 4 ? (int32_t)bits : (int64_t)bits;
        const uint8_t type = weir_read_u8(&indexes);
        if (i > 0 && s <= last_s)
            return weir_fail(error, WEIR_EDAMAGED, "transition %u is not after the one before", i);
        if (type >= h->n_types)
            return weir_fail(error, WEIR_EDAMAGED, "transition %u to type %u of %u", i, type,
                             h->n_types);
        last_s = s;
        last = weir_zone_clamp(s, -WEIR_ZONE_LIMIT / WEIR_S, WEIR_ZONE_LIMIT / WEIR_S) * WEIR_S;
        weir_zone_add(zone, last, offsets[type]);
    }
    (void)weir_read_bytes(r, (size_t)header_block_size(h));
    *ret_last = last;
    return WEIR_OK;
}

/* The line between two newlines behind the second block; may be empty. */
static weir_err footer_read(weir_reader *r, weir_zone *zone, int64_t last, weir_error *error)
{
    char text[128]; /* today's longest has fewer than 50 characters */
    weir_zone_rule f;
    const bool opened = weir_read_u8(r) == '\n';
    const uint8_t *end = opened ? memchr(r->at, '\n', weir_reader_left(r)) : NULL;
    if (!end)
        return weir_fail(error, WEIR_EDAMAGED, "the footer is cut short");
    const size_t n = (size_t)(end - r->at);
    if (n == 0)
        return WEIR_OK;
    if (n >= sizeof text || memchr(r->at, '\0', n))
        return weir_fail(error, WEIR_EDAMAGED, "the footer is too long or no text");
    memcpy(text, r->at, n);
    text[n] = '\0';
    if (!weir_zone_rule_parse(text, &f))
        return weir_fail(error, WEIR_EDAMAGED, "the footer \"%s\" is no rule", text);
    if (f.has_saving)
        weir_zone_add_rule(zone, &f, last);
    else
        weir_zone_add(zone, last, f.standard_s);
    return WEIR_OK;
}

weir_err weir_zone_parse(const void *bytes, size_t n, weir_zone **ret_zone, weir_error *error)
{
    weir_reader r = weir_reader_of(bytes, n);
    zone_header h;
    weir_err err = header_read(&r, 4, &h, error);
    if (err == WEIR_OK && h.version != '\0') {
        (void)weir_read_bytes(&r, (size_t)header_block_size(&h));
        err = header_read(&r, 8, &h, error);
    }
    if (err == WEIR_OK)
        err = header_check(&h, error);
    if (err != WEIR_OK)
        return err;
    /* One span before all transitions, one at `last` for the footer. */
    WEIR_CLEANUP(weir_zone_free)
    weir_zone *zone = weir_zone_new(h.n_transitions + 2 + (h.time_size == 8 ? 2 * ZONE_YEARS : 0));
    if (!zone)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a time zone");
    int64_t last;
    err = block_read(&r, &h, zone, &last, error);
    if (err == WEIR_OK && h.time_size == 8)
        err = footer_read(&r, zone, last, error);
    if (err != WEIR_OK)
        return err;
    *ret_zone = zone;
    zone = NULL;
    return WEIR_OK;
}

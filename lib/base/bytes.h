/* SPDX-License-Identifier: MIT */
/* A cursor over bytes that remembers its first failure. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Reading past the end sets `failed` and yields zeros from then on, so a decoder reads all it
 * expects and checks once, at the end. Writing past the end sets `failed` and writes nothing.
 * Borrows the memory. Big-endian ("be") is what Modbus and our block format use.
 */
typedef struct weir_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} weir_reader;

typedef struct weir_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
} weir_writer;

static inline weir_reader weir_reader_of(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    return (weir_reader){p, p ? p + n : p, false};
}

static inline size_t weir_reader_left(const weir_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* n bytes in place, or NULL (and failed) when fewer are left. */
static inline const uint8_t *weir_read_bytes(weir_reader *r, size_t n)
{
    if (r->failed || weir_reader_left(r) < n) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += n;
    return p;
}

static inline uint64_t weir_read_be(weir_reader *r, size_t n_bytes)
{
    const uint8_t *p = weir_read_bytes(r, n_bytes);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n_bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static inline uint8_t weir_read_u8(weir_reader *r)
{
    return (uint8_t)weir_read_be(r, 1);
}

static inline uint16_t weir_read_u16(weir_reader *r)
{
    return (uint16_t)weir_read_be(r, 2);
}

static inline uint32_t weir_read_u32(weir_reader *r)
{
    return (uint32_t)weir_read_be(r, 4);
}

static inline uint64_t weir_read_u64(weir_reader *r)
{
    return weir_read_be(r, 8);
}

/* LEB128, at most ten bytes; anything longer or cut short fails. */
static inline uint64_t weir_read_varint(weir_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = weir_read_u8(r);
        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return r->failed ? 0 : v;
    }
    r->failed = true;
    return 0;
}

/* Small negative numbers stay small: 0, -1, 1, -2 ... become 0, 1, 2, 3 ... */
static inline uint64_t weir_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static inline int64_t weir_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

static inline int64_t weir_read_svarint(weir_reader *r)
{
    return weir_unzigzag(weir_read_varint(r));
}

static inline weir_writer weir_writer_of(void *bytes, size_t capacity)
{
    uint8_t *p = bytes;
    return (weir_writer){p, p, p ? p + capacity : p, false};
}

static inline size_t weir_writer_length(const weir_writer *w)
{
    return (size_t)(w->at - w->start);
}

static inline void weir_write_bytes(weir_writer *w, const void *bytes, size_t n)
{
    if (w->failed || (size_t)(w->end - w->at) < n) {
        w->failed = true;
        return;
    }
    if (n)
        memcpy(w->at, bytes, n);
    w->at += n;
}

static inline void weir_write_be(weir_writer *w, uint64_t v, size_t n_bytes)
{
    uint8_t b[8];
    for (size_t i = 0; i < n_bytes; i++)
        b[i] = (uint8_t)(v >> 8 * (n_bytes - 1 - i));
    weir_write_bytes(w, b, n_bytes);
}

static inline void weir_write_u8(weir_writer *w, uint8_t v)
{
    weir_write_be(w, v, 1);
}

static inline void weir_write_u16(weir_writer *w, uint16_t v)
{
    weir_write_be(w, v, 2);
}

static inline void weir_write_u32(weir_writer *w, uint32_t v)
{
    weir_write_be(w, v, 4);
}

static inline void weir_write_u64(weir_writer *w, uint64_t v)
{
    weir_write_be(w, v, 8);
}

static inline void weir_write_varint(weir_writer *w, uint64_t v)
{
    uint8_t b[10];
    size_t n = 0;
    while (v > 0x7f) {
        b[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    b[n++] = (uint8_t)v;
    weir_write_bytes(w, b, n);
}

static inline void weir_write_svarint(weir_writer *w, int64_t v)
{
    weir_write_varint(w, weir_zigzag(v));
}

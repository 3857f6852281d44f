/* SPDX-License-Identifier: MIT */
/* MBAP and RTU framing. */

#include "modbus/frame.h"

#include <stdio.h>

#include "modbus/crc16.h"
#include "modbus/pdu.h"

/* Modbus messaging on TCP/IP 1.0b, 3.1.3: transaction id, protocol id and length, 2 bytes each. The
 * length counts what follows it: unit id and PDU. */
enum {
    MBAP_PREFIX = 6,
    MBAP_LENGTH_MIN = 2, /* unit id and function code */
    MBAP_LENGTH_MAX = 1 + WEIR_PDU_MAX,
    RTU_SIZE_MIN = 4, /* unit id, function code, CRC */
    RTU_SIZE_MAX = 256,
    RTU_EXCEPTION_SIZE = 5,
};

static weir_frame_result frame_read_tcp(const uint8_t *bytes, size_t n, size_t *ret_size,
                                        weir_frame *ret)
{
    weir_reader r = weir_reader_of(bytes, n);
    uint16_t tid = weir_read_u16(&r);
    uint16_t protocol = weir_read_u16(&r);
    if (!r.failed && protocol != 0)
        return WEIR_FRAME_BROKEN;
    uint16_t length = weir_read_u16(&r);
    if (r.failed) {
        *ret_size = MBAP_PREFIX;
        return WEIR_FRAME_MORE;
    }
    if (length < MBAP_LENGTH_MIN || length > MBAP_LENGTH_MAX)
        return WEIR_FRAME_BROKEN;
    *ret_size = MBAP_PREFIX + (size_t)length;
    if (n < *ret_size)
        return WEIR_FRAME_MORE;
    ret->tid = tid;
    ret->unit = weir_read_u8(&r);
    ret->n_pdu = length - 1u;
    ret->pdu = weir_read_bytes(&r, ret->n_pdu);
    return WEIR_FRAME_WHOLE;
}

/* A size read from the frame itself, or as many bytes as it takes to know it. */
static size_t rtu_size_counted(const uint8_t *bytes, size_t n, size_t count_at, size_t rest)
{
    return n > count_at ? count_at + 1 + bytes[count_at] + rest : count_at + 1;
}

/* The size of a reply, or what is needed to tell; 0: the function code says nothing of it. Modbus
 * Application Protocol 1.1b3, section 6. */
static size_t rtu_reply_size(const uint8_t *bytes, size_t n)
{
    if (bytes[1] & WEIR_EXCEPTION_BIT)
        return RTU_EXCEPTION_SIZE;
    switch (bytes[1]) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 12:
    case 17:
    case 20:
    case 21:
    case 23:
        return rtu_size_counted(bytes, n, 2, 2);
    case 5:
    case 6:
    case 8:
    case 11:
    case 15:
    case 16:
        return 8;
    case 7:
        return 5;
    case 22:
        return 10;
    case 24:
        return n > 3 ? 6u + (unsigned)(bytes[2] << 8 | bytes[3]) : 4;
    default:
        return 0;
    }
}

static size_t rtu_request_size(const uint8_t *bytes, size_t n)
{
    switch (bytes[1]) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 8:
        return 8;
    case 7:
    case 11:
    case 12:
    case 17:
        return 4;
    case 15:
    case 16:
        return rtu_size_counted(bytes, n, 6, 2);
    case 20:
    case 21:
        return rtu_size_counted(bytes, n, 2, 2);
    case 22:
        return 10;
    case 23:
        return rtu_size_counted(bytes, n, 10, 2);
    case 24:
        return 6;
    default:
        return 0;
    }
}

/* The first length at which the CRC is right, 0 if none. */
static size_t rtu_size_by_crc(const uint8_t *bytes, size_t n)
{
    for (size_t size = RTU_SIZE_MIN; size <= n && size <= RTU_SIZE_MAX; size++)
        if (weir_crc16(bytes, size) == 0)
            return size;
    return 0;
}

static weir_frame_result frame_read_rtu(weir_direction direction, const uint8_t *bytes, size_t n,
                                        size_t *ret_size, weir_frame *ret)
{
    size_t size = RTU_SIZE_MIN;
    if (n >= RTU_SIZE_MIN) {
        size = direction == WEIR_DIRECTION_REPLY ? rtu_reply_size(bytes, n)
                                                 : rtu_request_size(bytes, n);
        if (size == 0)
            size = rtu_size_by_crc(bytes, n);
        if (size == 0)
            size = n + 1;
    }
    if (size > RTU_SIZE_MAX)
        return WEIR_FRAME_BROKEN;
    if (n < size) {
        *ret_size = size;
        return WEIR_FRAME_MORE;
    }
    if (weir_crc16(bytes, size) != 0)
        return WEIR_FRAME_BROKEN;
    *ret_size = size;
    *ret = (weir_frame){.unit = bytes[0], .pdu = bytes + 1, .n_pdu = size - 3};
    return WEIR_FRAME_WHOLE;
}

weir_frame_result weir_frame_read(weir_framing framing, weir_direction direction,
                                  const uint8_t *bytes, size_t n, size_t *ret_size, weir_frame *ret)
{
    return framing == WEIR_FRAMING_TCP ? frame_read_tcp(bytes, n, ret_size, ret)
                                       : frame_read_rtu(direction, bytes, n, ret_size, ret);
}

void weir_frame_begin(weir_writer *w, weir_framing framing, uint16_t tid, uint8_t unit)
{
    if (framing == WEIR_FRAMING_TCP) {
        weir_write_u16(w, tid);
        weir_write_u16(w, 0); /* protocol id: Modbus */
        weir_write_u16(w, 0); /* length: weir_frame_end */
    }
    weir_write_u8(w, unit);
}

void weir_frame_end(weir_writer *w, weir_framing framing, uint8_t *start)
{
    if (w->failed)
        return;
    size_t n = (size_t)(w->at - start);
    if (framing == WEIR_FRAMING_RTU) {
        uint16_t crc = weir_crc16(start, n);
        weir_write_u8(w, (uint8_t)crc);
        weir_write_u8(w, (uint8_t)(crc >> 8));
    } else {
        weir_writer length = weir_writer_of(start + MBAP_PREFIX - 2, 2);
        weir_write_u16(&length, (uint16_t)(n - MBAP_PREFIX));
    }
}

static bool byte_is_printable(uint8_t b)
{
    return b >= 0x20 && b < 0x7f;
}

static size_t text_length(const uint8_t *bytes, size_t n)
{
    size_t length = 0;
    while (length < n && byte_is_printable(bytes[length]))
        length++;
    return length;
}

bool weir_frame_is_text(const uint8_t *bytes, size_t n)
{
    enum { TEXT_LENGTH_MIN = 4 }; /* "HTTP", "SSH-", "220 " */
    return text_length(bytes, n) >= TEXT_LENGTH_MIN;
}

void weir_frame_explain(const uint8_t *bytes, size_t n, char *ret_text, size_t capacity)
{
    enum { EXCERPT_MAX = 32 }; /* enough to know a service by its greeting */
    if (weir_frame_is_text(bytes, n)) {
        size_t length = text_length(bytes, n < EXCERPT_MAX ? n : EXCERPT_MAX);
        (void)snprintf(ret_text, capacity, "not Modbus: '%.*s'", (int)length, (const char *)bytes);
        return;
    }
    weir_reader r = weir_reader_of(bytes, n);
    (void)weir_read_u16(&r);
    uint16_t protocol = weir_read_u16(&r);
    uint16_t length = weir_read_u16(&r);
    if (protocol != 0)
        (void)snprintf(ret_text, capacity, "not Modbus TCP: protocol id %u where 0 belongs",
                       (unsigned)protocol);
    else
        (void)snprintf(ret_text, capacity, "not Modbus TCP: length %u where %d to %d belongs",
                       (unsigned)length, MBAP_LENGTH_MIN, MBAP_LENGTH_MAX);
}

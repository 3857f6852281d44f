/* SPDX-License-Identifier: MIT */
/* The protocol data unit: function code and data, the same in every framing. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Modbus Application Protocol 1.1b3, 4.1 and 6.1-6.4. */
enum {
    WEIR_PDU_MAX = 253,
    WEIR_READ_REGISTERS_MAX = 125,
    WEIR_READ_BITS_MAX = 2000,
    WEIR_EXCEPTION_BIT = 0x80,
};

/* What is asked. Functions 1-4: address and count; any other: data. */
typedef struct weir_pdu_request {
    uint8_t function;
    uint16_t address;
    uint16_t count;
    const uint8_t *data; /* borrowed */
    size_t n_data;
} weir_pdu_request;

typedef enum weir_pdu_result {
    WEIR_PDU_GOOD,
    WEIR_PDU_EXCEPTION,
    WEIR_PDU_WRONG_FUNCTION,
    WEIR_PDU_MALFORMED,
} weir_pdu_result;

typedef struct weir_pdu_reply {
    weir_pdu_result result;
    uint8_t code;        /* EXCEPTION: its code; WRONG_FUNCTION: the function that came */
    const uint8_t *data; /* GOOD: as weir_reply.data; borrows the bytes checked */
    size_t n_data;
} weir_pdu_reply;

static inline bool weir_pdu_is_read(uint8_t function)
{
    return function >= 1 && function <= 4;
}

static inline bool weir_pdu_is_bits(uint8_t function)
{
    return function == 1 || function == 2;
}

/* Whether the function may change something in the device. */
bool weir_pdu_is_write(uint8_t function);

/* Data bytes that count registers or bits take in a reply of function 1-4. */
static inline size_t weir_pdu_read_size(uint8_t function, uint16_t count)
{
    return weir_pdu_is_bits(function) ? (count + 7u) / 8u : 2u * count;
}

/* n bits from `first` on of a reply of function 1 or 2, packed as there: the first is the lowest of
 * the first byte (Modbus Application Protocol 1.1b3, 6.1), what is left of the last is 0. ret has
 * (n + 7) / 8 bytes; data has all of the bits. */
void weir_pdu_take_bits(const uint8_t *data, unsigned first, unsigned n, uint8_t *ret);

/*
 * Writes function and data. False, with nothing written, for what must never reach a wire: a
 * writing function without may_write, a function code outside 1..127, a count the protocol does
 * not allow, addresses past 65535, too much data, too little room.
 */
bool weir_pdu_write_request(weir_writer *w, const weir_pdu_request *request, bool may_write);

/*
 * Checks the n bytes that came (function code first) against what was asked. Lengths follow from
 * the request alone, never from what the reply says of itself; an echo must be an echo.
 */
weir_pdu_reply weir_pdu_check(const uint8_t *pdu, size_t n, const weir_pdu_request *request);

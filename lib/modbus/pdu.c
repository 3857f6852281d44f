/* SPDX-License-Identifier: MIT */
/* Building read requests and checking replies. */

#include "modbus/pdu.h"

/* Modbus Application Protocol 1.1b3, section 5.1. */
bool weir_pdu_is_write(uint8_t function)
{
    switch (function) {
    case 5:  /* write single coil */
    case 6:  /* write single register */
    case 8:  /* diagnostics: restarts, clears counters, silences */
    case 15: /* write multiple coils */
    case 16: /* write multiple registers */
    case 21: /* write file record */
    case 22: /* mask write register */
    case 23: /* read/write multiple registers */
        return true;
    default:
        return false;
    }
}

void weir_pdu_take_bits(const uint8_t *data, unsigned first, unsigned n, uint8_t *ret)
{
    const uint8_t *at = data + first / 8;
    const unsigned shift = first % 8;
    for (unsigned left = n; left > 0; at++, left -= left < 8 ? left : 8) {
        unsigned byte = (unsigned)at[0] >> shift;
        if (shift + left > 8) /* the rest of this byte's bits is in the next one */
            byte |= (unsigned)at[1] << (8 - shift);
        *ret++ = (uint8_t)(left < 8 ? byte & ((1u << left) - 1) : byte);
    }
}

static bool pdu_read_is_valid(const weir_pdu_request *request)
{
    unsigned most =
        weir_pdu_is_bits(request->function) ? WEIR_READ_BITS_MAX : WEIR_READ_REGISTERS_MAX;
    return request->count >= 1 && request->count <= most &&
           request->address + request->count <= 65536;
}

static bool pdu_request_is_valid(const weir_pdu_request *request, bool may_write)
{
    if (request->function == 0 || request->function >= WEIR_EXCEPTION_BIT)
        return false;
    if (weir_pdu_is_write(request->function) && !may_write)
        return false;
    if (weir_pdu_is_read(request->function))
        return pdu_read_is_valid(request);
    return request->n_data < WEIR_PDU_MAX;
}

bool weir_pdu_write_request(weir_writer *w, const weir_pdu_request *request, bool may_write)
{
    if (!pdu_request_is_valid(request, may_write))
        return false;
    weir_writer pdu = *w;
    weir_write_u8(&pdu, request->function);
    if (weir_pdu_is_read(request->function)) {
        weir_write_u16(&pdu, request->address);
        weir_write_u16(&pdu, request->count);
    } else {
        weir_write_bytes(&pdu, request->data, request->n_data);
    }
    if (pdu.failed)
        return false;
    *w = pdu;
    return true;
}

/* How many bytes of the reply must repeat the request's: 6.5, 6.6, 6.11, 6.12, 6.16. */
static size_t pdu_echo_size(uint8_t function)
{
    switch (function) {
    case 5:
    case 6:
    case 15:
    case 16:
        return 4;
    case 22:
        return 6;
    default:
        return 0;
    }
}

/* A write is confirmed only by the reply that repeats it. */
static bool pdu_echo_is_right(weir_reader r, const weir_pdu_request *request)
{
    size_t n = pdu_echo_size(request->function);
    if (n == 0)
        return true;
    return weir_reader_left(&r) == n && request->n_data >= n && memcmp(r.at, request->data, n) == 0;
}

/* Takes the byte count of functions 1-4 off; false unless it is what was asked and all that came.
 */
static bool pdu_byte_count_is_right(weir_reader *r, const weir_pdu_request *request)
{
    size_t asked = weir_pdu_read_size(request->function, request->count);
    size_t said = weir_read_u8(r);
    return !r->failed && said == asked && weir_reader_left(r) == asked;
}

weir_pdu_reply weir_pdu_check(const uint8_t *pdu, size_t n, const weir_pdu_request *request)
{
    weir_reader r = weir_reader_of(pdu, n);
    uint8_t function = weir_read_u8(&r);
    if (r.failed)
        return (weir_pdu_reply){.result = WEIR_PDU_MALFORMED};
    if (function == (request->function | WEIR_EXCEPTION_BIT)) {
        uint8_t code = weir_read_u8(&r);
        bool whole = !r.failed && weir_reader_left(&r) == 0;
        return (weir_pdu_reply){.result = whole ? WEIR_PDU_EXCEPTION : WEIR_PDU_MALFORMED,
                                .code = code};
    }
    if (function != request->function)
        return (weir_pdu_reply){.result = WEIR_PDU_WRONG_FUNCTION, .code = function};
    bool right = weir_pdu_is_read(function) ? pdu_byte_count_is_right(&r, request)
                                            : pdu_echo_is_right(r, request);
    if (!right)
        return (weir_pdu_reply){.result = WEIR_PDU_MALFORMED};
    return (weir_pdu_reply){.result = WEIR_PDU_GOOD, .data = r.at, .n_data = weir_reader_left(&r)};
}

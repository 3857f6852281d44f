/* SPDX-License-Identifier: MIT */
/*
 * Bytes are gathered until a request is whole, answered, and forgotten: nothing is kept between
 * requests. A slave here can only be read; every function but 1-4 is refused.
 *
 * What can go wrong: no MBAP header (TCP): broken, the owner closes. A wrong CRC (RTU): the first
 * byte is dropped and the search goes on at the next, so that a request behind noise is found. A
 * unit that is not there and an RTU broadcast get no answer.
 */

#include "modbus/slave.h"

#include <assert.h>
#include <string.h>

#include "modbus/frame.h"
#include "modbus/pdu.h"

/* Modbus Application Protocol 1.1b3, section 7. */
enum { ILLEGAL_FUNCTION = 1, ILLEGAL_ADDRESS = 2, ILLEGAL_VALUE = 3 };

/* Of a PDU of functions 1-4. */
enum { READ_REQUEST_SIZE = 5 };

void weir_slave_init(weir_slave *slave, weir_framing framing, const weir_slave_host *host)
{
    *slave = (weir_slave){.framing = framing, .host = host};
}

static void write_registers(weir_writer *w, const uint16_t *values, unsigned n)
{
    weir_write_u8(w, (uint8_t)(2 * n));
    for (unsigned i = 0; i < n; i++)
        weir_write_u16(w, values[i]);
}

/* 6.1: the first bit is the lowest of the first byte; the last byte is filled up with zeros. */
static void write_bits(weir_writer *w, const uint16_t *values, unsigned n)
{
    weir_write_u8(w, (uint8_t)((n + 7) / 8));
    for (unsigned i = 0; i < n; i += 8) {
        unsigned byte = 0;
        for (unsigned bit = 0; bit < 8 && i + bit < n; bit++)
            byte |= (values[i + bit] ? 1u : 0u) << bit;
        weir_write_u8(w, (uint8_t)byte);
    }
}

/* Writes function and data of a read; returns 0, an exception code or WEIR_SLAVE_SILENT. The order
 * of the checks is that of the state diagrams in 6.1-6.4. */
static int slave_read(const weir_slave *slave, const weir_frame *frame, weir_writer *w)
{
    uint16_t values[WEIR_READ_BITS_MAX];
    weir_reader r = weir_reader_of(frame->pdu, frame->n_pdu);
    uint8_t function = weir_read_u8(&r);
    uint16_t address = weir_read_u16(&r);
    uint16_t n = weir_read_u16(&r);
    unsigned most = weir_pdu_is_bits(function) ? WEIR_READ_BITS_MAX : WEIR_READ_REGISTERS_MAX;
    if (frame->n_pdu != READ_REQUEST_SIZE || n == 0 || n > most)
        return ILLEGAL_VALUE;
    if (address + n > 65536)
        return ILLEGAL_ADDRESS;
    int code = slave->host->read(slave->host->data, frame->unit, (weir_register)function, address,
                                 n, values);
    if (code != 0)
        return code;
    weir_write_u8(w, function);
    if (weir_pdu_is_bits(function))
        write_bits(w, values, n);
    else
        write_registers(w, values, n);
    return 0;
}

static bool slave_is_there(const weir_slave *slave, uint8_t unit)
{
    uint16_t value;
    return slave->host->read(slave->host->data, unit, WEIR_REGISTER_HOLDING, 0, 1, &value) !=
           WEIR_SLAVE_SILENT;
}

static int slave_refuse(const weir_slave *slave, const weir_frame *frame)
{
    return slave_is_there(slave, frame->unit) ? ILLEGAL_FUNCTION : WEIR_SLAVE_SILENT;
}

/* MODBUS over serial line 1.02, 2.1: unit 0 is all, and nobody answers. On TCP it is the device
 * itself (TCP guide, 3.1.3). */
static bool slave_is_broadcast(const weir_slave *slave, const weir_frame *frame)
{
    return slave->framing == WEIR_FRAMING_RTU && frame->unit == 0;
}

static void slave_answer(const weir_slave *slave, const weir_frame *frame, weir_writer *replies)
{
    if (slave_is_broadcast(slave, frame))
        return;
    weir_writer w = *replies;
    weir_frame_begin(&w, slave->framing, frame->tid, frame->unit);
    uint8_t function = frame->pdu[0];
    int code =
        weir_pdu_is_read(function) ? slave_read(slave, frame, &w) : slave_refuse(slave, frame);
    if (code == WEIR_SLAVE_SILENT)
        return;
    if (code != 0) {
        weir_write_u8(&w, function | WEIR_EXCEPTION_BIT);
        weir_write_u8(&w, (uint8_t)code);
    }
    weir_frame_end(&w, slave->framing, replies->at);
    assert(!w.failed);
    *replies = w;
}

static void slave_forget(weir_slave *slave, size_t n)
{
    slave->n_input -= n;
    memmove(slave->input, slave->input + n, slave->n_input);
}

/*
 * RTU over TCP has no silence between frames: noise that looks like the start of a long request
 * would swallow the right ones behind it. So whole requests are also looked for further in; those
 * of 1-6, 15 and 16 only, because their length is known. Returns whether one was found.
 */
static bool slave_skip_noise(weir_slave *slave)
{
    if (slave->framing == WEIR_FRAMING_TCP)
        return false;
    for (size_t at = 1; at + 1 < slave->n_input; at++) {
        size_t size;
        weir_frame frame;
        uint8_t function = slave->input[at + 1];
        bool known = (function >= 1 && function <= 6) || function == 15 || function == 16;
        if (known && weir_frame_read(slave->framing, WEIR_DIRECTION_REQUEST, slave->input + at,
                                     slave->n_input - at, &size, &frame) == WEIR_FRAME_WHOLE) {
            slave_forget(slave, at);
            return true;
        }
    }
    return false;
}

/* Adds bytes until a frame is whole and moves it to ret_bytes. False: there is none yet, or the
 * stream is broken. */
static bool slave_assemble(weir_slave *slave, weir_reader *bytes, uint8_t ret_bytes[WEIR_FRAME_MAX],
                           weir_frame *ret_frame, bool *ret_broken)
{
    for (size_t size = 0;;) {
        switch (weir_frame_read(slave->framing, WEIR_DIRECTION_REQUEST, slave->input,
                                slave->n_input, &size, ret_frame)) {
        case WEIR_FRAME_WHOLE:
            memcpy(ret_bytes, slave->input, size);
            ret_frame->pdu = ret_bytes + (ret_frame->pdu - slave->input);
            slave_forget(slave, size);
            return true;
        case WEIR_FRAME_BROKEN:
            if (slave->framing == WEIR_FRAMING_TCP) {
                *ret_broken = true;
                return false;
            }
            slave_forget(slave, 1);
            continue;
        case WEIR_FRAME_MORE:
            break;
        }
        size_t want = size - slave->n_input;
        size_t left = weir_reader_left(bytes);
        size_t n = want < left ? want : left;
        if (n == 0 && slave_skip_noise(slave))
            continue;
        if (n == 0)
            return false;
        memcpy(slave->input + slave->n_input, weir_read_bytes(bytes, n), n);
        slave->n_input += n;
    }
}

size_t weir_slave_input(weir_slave *slave, const uint8_t *bytes, size_t n, uint8_t *ret_reply,
                        size_t capacity, size_t *ret_n, bool *ret_broken)
{
    assert(capacity >= WEIR_FRAME_MAX);
    weir_reader reader = weir_reader_of(bytes, n);
    weir_writer replies = weir_writer_of(ret_reply, capacity);
    bool broken = false;
    uint8_t frame_bytes[WEIR_FRAME_MAX];
    weir_frame frame;
    while (capacity - weir_writer_length(&replies) >= WEIR_FRAME_MAX &&
           slave_assemble(slave, &reader, frame_bytes, &frame, &broken))
        slave_answer(slave, &frame, &replies);
    *ret_n = weir_writer_length(&replies);
    *ret_broken = broken;
    return broken ? n : n - weir_reader_left(&reader);
}

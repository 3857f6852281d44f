/* SPDX-License-Identifier: MIT */
/* Frames: how a unit id and a PDU travel in a stream of bytes, in MBAP (TCP) and RTU form. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "modbus/link.h"

enum { WEIR_FRAME_MAX = 260 }; /* TCP: MBAP 7 + PDU 253; RTU: 256 */

typedef struct weir_frame {
    uint16_t tid; /* TCP; RTU: 0 */
    uint8_t unit;
    const uint8_t *pdu; /* borrows the bytes read */
    size_t n_pdu;
} weir_frame;

typedef enum weir_frame_result {
    WEIR_FRAME_WHOLE,
    WEIR_FRAME_MORE,   /* not all there yet */
    WEIR_FRAME_BROKEN, /* TCP: no MBAP header, the stream is lost; RTU: wrong CRC or length */
} weir_frame_result;

typedef enum weir_direction { WEIR_DIRECTION_REQUEST, WEIR_DIRECTION_REPLY } weir_direction;

/*
 * Looks for one frame at the start of the n bytes.
 *
 * ret_size  WHOLE: the frame's bytes; MORE: how many bytes, in all, to have before it is worth
 *           asking again (more than n, at most WEIR_FRAME_MAX); BROKEN: untouched.
 * ret       WHOLE only.
 *
 * RTU has no length field. Its frames end where function code and byte count say; those of a
 * function code that is not public end where the CRC first comes out right.
 */
weir_frame_result weir_frame_read(weir_framing framing, weir_direction direction,
                                  const uint8_t *bytes, size_t n, size_t *ret_size,
                                  weir_frame *ret);

/* Room for the header, to be followed by the PDU and weir_frame_end. */
void weir_frame_begin(weir_writer *w, weir_framing framing, uint16_t tid, uint8_t unit);

/* Completes the frame that began where start points: MBAP length or CRC. */
void weir_frame_end(weir_writer *w, weir_framing framing, uint8_t *start);

/* Whether bytes that are not Modbus look like a text, the banner of another service say. */
bool weir_frame_is_text(const uint8_t *bytes, size_t n);

/* Says in words what is wrong with bytes that were BROKEN: "not Modbus: 'HTTP/1.1 400 Bad'". */
void weir_frame_explain(const uint8_t *bytes, size_t n, char *ret_text, size_t capacity);

/* SPDX-License-Identifier: MIT */
/* The requests on the wire, found by transaction id, and the ids that must rest. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/link.h"

enum {
    WEIR_FLIGHT_MAX = 16,     /* requests on the wire at once */
    WEIR_FLIGHT_SLOTS = 64,   /* power of two */
    WEIR_QUARANTINE_MAX = 32, /* ids at rest; the oldest goes when one more comes */
};

/*
 * An id that timed out rests in quarantine until its reply comes after all, so that this reply is
 * known to be late and no other request can be given its id. With 16 on the wire and 32 at rest a
 * quarter of the slots is always free.
 */
typedef struct weir_flight {
    struct weir_flight_slot {
        weir_request *request; /* NULL: at rest or free */
        uint32_t rested_at;    /* number of the timeout, from 1; 0: not at rest */
        uint16_t tid;
        uint8_t unit;
    } slots[WEIR_FLIGHT_SLOTS];     /* slot = low bits of the id */
    uint8_t order[WEIR_FLIGHT_MAX]; /* slots on the wire, first sent first */
    size_t n;
    size_t n_resting;
    uint32_t timeouts;
    uint16_t first_tid, next_tid;
    uint32_t issued; /* ids given out, stops at 65536 */
} weir_flight;

void weir_flight_init(weir_flight *flight, uint16_t first_tid);

/* Gives the request an id and adds it as the last sent. At most WEIR_FLIGHT_MAX. */
void weir_flight_add(weir_flight *flight, weir_request *request);

/* The request on the wire with this id, or NULL. */
weir_request *weir_flight_find(const weir_flight *flight, uint16_t tid);

/* The one sent first, i from the front; i < n. */
weir_request *weir_flight_at(const weir_flight *flight, size_t i);

/* Off the wire: the id is free, or rests because its reply may still come. */
void weir_flight_remove(weir_flight *flight, weir_request *request);
void weir_flight_rest(weir_flight *flight, weir_request *request);

/* Whether the id rests; its rest ends here, and *ret_unit is who was asked. */
bool weir_flight_is_late(weir_flight *flight, uint16_t tid, uint8_t *ret_unit);

/* Whether this id was given out on this connection. */
bool weir_flight_was_issued(const weir_flight *flight, uint16_t tid);

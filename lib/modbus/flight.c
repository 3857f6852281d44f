/* SPDX-License-Identifier: MIT */
/* A small table indexed by the low bits of the transaction id. */

#include "modbus/flight.h"

#include <assert.h>
#include <string.h>

/*
 * Ids go up by 257. A gateway that answers id N with N+1, or with the last id, would with a step of
 * 1 soon answer one request under the id of another; with this step it meets a foreign id, which is
 * dropped. 257 is odd, so all 65536 ids come before one returns, and its low six bits are 1, so the
 * slots are used in order.
 */
enum { TID_STEP = 257, TID_STEP_INVERSE = 65281 }; /* 257 * 65281 = 1 modulo 65536 */
static_assert((uint16_t)(TID_STEP * TID_STEP_INVERSE) == 1, "inverse of the step");
static_assert(WEIR_FLIGHT_MAX + WEIR_QUARANTINE_MAX < WEIR_FLIGHT_SLOTS, "a slot is always free");

static size_t slot_index(uint16_t tid)
{
    return tid % WEIR_FLIGHT_SLOTS;
}

void weir_flight_init(weir_flight *flight, uint16_t first_tid)
{
    *flight = (weir_flight){.first_tid = first_tid, .next_tid = first_tid};
}

static bool slot_is_free(const struct weir_flight_slot *slot)
{
    return !slot->request && !slot->rested_at;
}

void weir_flight_add(weir_flight *flight, weir_request *request)
{
    assert(flight->n < WEIR_FLIGHT_MAX);
    uint16_t tid = flight->next_tid;
    uint32_t skipped = 0;
    while (!slot_is_free(&flight->slots[slot_index(tid)])) {
        tid = (uint16_t)(tid + TID_STEP);
        skipped++;
    }
    flight->next_tid = (uint16_t)(tid + TID_STEP);
    flight->issued += skipped + 1;
    if (flight->issued > 65536)
        flight->issued = 65536;
    struct weir_flight_slot *slot = &flight->slots[slot_index(tid)];
    *slot = (struct weir_flight_slot){.request = request, .tid = tid, .unit = request->unit};
    flight->order[flight->n++] = (uint8_t)slot_index(tid);
    request->tid = tid;
}

weir_request *weir_flight_find(const weir_flight *flight, uint16_t tid)
{
    const struct weir_flight_slot *slot = &flight->slots[slot_index(tid)];
    return slot->tid == tid ? slot->request : NULL;
}

weir_request *weir_flight_at(const weir_flight *flight, size_t i)
{
    assert(i < flight->n);
    return flight->slots[flight->order[i]].request;
}

void weir_flight_remove(weir_flight *flight, weir_request *request)
{
    size_t index = slot_index(request->tid);
    size_t i = 0;
    assert(flight->slots[index].request == request);
    while (flight->order[i] != index)
        i++;
    flight->n--;
    memmove(&flight->order[i], &flight->order[i + 1], flight->n - i);
    flight->slots[index].request = NULL;
}

static void flight_forget_oldest(weir_flight *flight)
{
    struct weir_flight_slot *oldest = NULL;
    for (size_t i = 0; i < WEIR_FLIGHT_SLOTS; i++) {
        struct weir_flight_slot *slot = &flight->slots[i];
        if (slot->rested_at && (!oldest || slot->rested_at < oldest->rested_at))
            oldest = slot;
    }
    assert(oldest);
    oldest->rested_at = 0;
    flight->n_resting--;
}

void weir_flight_rest(weir_flight *flight, weir_request *request)
{
    weir_flight_remove(flight, request);
    if (flight->n_resting == WEIR_QUARANTINE_MAX)
        flight_forget_oldest(flight);
    flight->slots[slot_index(request->tid)].rested_at = ++flight->timeouts;
    flight->n_resting++;
}

bool weir_flight_is_late(weir_flight *flight, uint16_t tid, uint8_t *ret_unit)
{
    struct weir_flight_slot *slot = &flight->slots[slot_index(tid)];
    if (!slot->rested_at || slot->tid != tid)
        return false;
    *ret_unit = slot->unit;
    slot->rested_at = 0;
    flight->n_resting--;
    return true;
}

bool weir_flight_was_issued(const weir_flight *flight, uint16_t tid)
{
    uint16_t distance = (uint16_t)(tid - flight->first_tid);
    return (uint16_t)((uint32_t)distance * TID_STEP_INVERSE) < flight->issued;
}

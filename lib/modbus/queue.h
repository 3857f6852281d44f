/* SPDX-License-Identifier: MIT */
/* The queue of a link: three classes, and within a class the units take turns. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/link.h"

enum { WEIR_UNITS = 256 };

/* A set of unit ids. */
typedef struct weir_unit_set {
    uint64_t words[WEIR_UNITS / 64];
} weir_unit_set;

static inline void weir_unit_set_add(weir_unit_set *set, uint8_t unit)
{
    set->words[unit / 64] |= 1ull << unit % 64;
}

static inline void weir_unit_set_remove(weir_unit_set *set, uint8_t unit)
{
    set->words[unit / 64] &= ~(1ull << unit % 64);
}

static inline bool weir_unit_set_has(const weir_unit_set *set, uint8_t unit)
{
    return set->words[unit / 64] >> unit % 64 & 1;
}

/* The first member at or after unit, going round; -1: the set is empty. */
int weir_unit_set_next(const weir_unit_set *set, uint8_t unit);

bool weir_unit_set_equal(const weir_unit_set *a, const weir_unit_set *b);

/* All zero is an empty queue. Requests are linked through `next`; nothing is allocated. */
typedef struct weir_queue {
    struct weir_queue_class {
        weir_request *last[WEIR_UNITS]; /* of a ring: last->next is the first */
        weir_unit_set waiting;          /* units whose ring is not empty */
        uint8_t turn;                   /* the unit whose turn it is */
    } classes[WEIR_REQUEST_CLASSES];
    size_t n;
} weir_queue;

void weir_queue_push(weir_queue *queue, weir_request *request);       /* behind its unit's others */
void weir_queue_push_first(weir_queue *queue, weir_request *request); /* before them */

/* The request whose turn it is among the units that may send, or NULL. It stays in the queue. */
weir_request *weir_queue_first(const weir_queue *queue,
                               bool (*may_send)(const void *data, uint8_t unit), const void *data);

/* Takes out what weir_queue_first returned; the turn passes to the next unit. */
void weir_queue_take(weir_queue *queue, weir_request *request);

/* Takes out a request that waits anywhere in the queue; nobody's turn passes. */
void weir_queue_remove(weir_queue *queue, weir_request *request);

/* Empties the queue into a chain linked by `next`, best first; NULL: it was empty. */
weir_request *weir_queue_take_all(weir_queue *queue);

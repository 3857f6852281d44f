/* SPDX-License-Identifier: MIT */
/* The loop's inside, shared with what exchanges its catalog. */

#pragma once
#include <stdatomic.h>

#include "engine/filter.h"
#include "runtime/loop.h"
#include "runtime/wake.h"

/* A connection's source. Stays where it is in memory: the source has its address. */
struct slot {
    weir_loop *loop;
    const weir_source_type *type; /* NULL: connection disabled */
    void *state;
    weir_source_host host;
    weir_mono wake_at; /* what the source asked for last */
    atomic_bool poked; /* by a thread of the source's own */
    bool live;         /* it is in the loop's table, and so in its wake-ups */
};

struct weir_loop {
    weir_loop_config config;
    weir_engine *engine; /* NULL when once */
    weir_filter *filter; /* NULL when nothing is stored */
    weir_mono engine_next;
    size_t n_slots; /* one for each connection */
    struct slot **slots;
    weir_wake wake;
    bool once_started;
    size_t once_open;
    weir_snapshot *snapshot;
    weir_mono snapshot_at;
};

/* With its source, not live; also after a failure weir_slot_free is due. */
weir_err weir_slot_new(weir_loop *loop, const weir_catalog *catalog, uint32_t index,
                       struct slot **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_slot_free(struct slot *slot); /* accepts NULL */
void weir_slot_go_live(struct slot *slot, uint32_t index);

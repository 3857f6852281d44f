/* SPDX-License-Identifier: MIT */
/* The health of a device: its state, and how long a silent one is left alone. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/text.h"
#include "engine/engine.h"

/*
 * A device silent in demote_after_failures reads in a row is offline and only probed: one of its
 * slots is read after min(demote_period, base * 2^k) +- 20 %, k = 0, 1, ..., base = its shortest
 * interval but at least a second. A connection that is down says nothing of the device: offline
 * too, but read as ever, for that costs the bus nothing.
 */
typedef struct weir_health {
    weir_device_status status;
    uint32_t failures; /* silent reads in a row */
    unsigned probes;   /* failed probes since it was demoted */
    bool backing_off;
    bool link_lost;       /* the last read met a connection that was down */
    uint64_t probe;       /* id of the probe under way, 0: none */
    int64_t delay_us;     /* of the next probe, jitter included */
    weir_mono next_probe; /* while backing off */
} weir_health;

typedef enum weir_health_change {
    WEIR_HEALTH_SAME, /* as to events: nothing to tell */
    WEIR_HEALTH_DOWN,
    WEIR_HEALTH_UP,
} weir_health_change;

void weir_health_init(weir_health *health, bool enabled, weir_wall now);

/* Whether a slot that has come may be read; if not, its samples are bad with status.error. */
bool weir_health_may_read(const weir_health *health, weir_mono now);

void weir_health_read_started(weir_health *health, uint64_t read_id);

/* How a read ended. ret_down_us gets, on UP, how long the device was offline. */
weir_health_change weir_health_read_done(weir_health *health, const weir_device *device,
                                         uint64_t read_id, weir_read_result result,
                                         weir_quality worst, weir_mono now, weir_wall wall,
                                         weir_random *random, int64_t *ret_down_us);

/* The connection is back: a device that went down with it is tried at its next slot. */
void weir_health_link_up(weir_health *health, weir_mono now);

/* "m07: no answer in time to 3 polls in a row; next try in 4s" and its counterpart. */
void weir_health_describe(const weir_health *health, const char *device, weir_health_change change,
                          int64_t down_us, weir_text *t);

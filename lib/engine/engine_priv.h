/* SPDX-License-Identifier: MIT */
/* What the files of the engine share: slots and reads (engine.c), the clock, what comes back. */

#pragma once
#include "base/random.h"
#include "engine/anchor.h"
#include "engine/current.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/schedule.h"
#include "engine/trust.h"

/* A read under way. */
typedef struct weir_engine_reading {
    weir_read read; /* intervals 0: none */
    bool trusted;   /* the clock, when it began */
} weir_engine_reading;

typedef struct weir_engine_device {
    weir_health health;
    uint32_t busy;                 /* intervals that are being read */
    weir_engine_reading *readings; /* [n_intervals]; each at the place of its lowest interval */
} weir_engine_device;

struct weir_engine {
    const weir_catalog *catalog;
    weir_engine_host host;
    weir_random random;
    bool started, paused;
    weir_trust trust;
    uint32_t epoch;
    bool epoch_untrusted, epoch_corrected; /* what a start finds */
    uint64_t next_read_id;
    uint64_t overruns;
    weir_anchor anchor;
    weir_schedule schedule;
    weir_currents currents;
    weir_engine_device *devices;
    weir_engine_reading *readings; /* memory of devices[].readings */
    weir_sample *samples;          /* room to make or mark samples of one device */
    uint32_t n_samples;
};

/* What goes out: an event; a batch, which the current values take too. */
void weir_engine_tell(weir_engine *e, weir_event_kind kind, const char *subject,
                      const weir_text *text, weir_wall ts);
void weir_engine_pass(weir_engine *e, const weir_batch *batch);

static inline bool weir_engine_trusts(const weir_engine *e)
{
    return e->trust.doubt == WEIR_CLOCK_TRUSTED;
}

/* engine_clock.c: what becomes of the epoch at the first step; what a step found. step_us: by how
 * much the clock was set since the last look, 0: it was not. */
void weir_engine_start_clock(weir_engine *e, weir_mono now, weir_wall wall);
void weir_engine_check_clock(weir_engine *e, weir_mono now, weir_wall wall, int64_t step_us);

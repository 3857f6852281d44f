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
    struct weir_engine_reading *next; /* of the device; or spare */
    weir_read read;      /* intervals: those that are still the device's, beats of plans may go */
    weir_chosen *chosen; /* NULL: only the plan `default` is concerned */
    bool trusted;        /* the clock, when it began */
    const weir_plan *collects; /* read at once for this plan; compared only. NULL: a slot */
} weir_engine_reading;

typedef struct weir_engine_device {
    weir_health health;
    uint32_t busy; /* beats that are being read */
    weir_engine_reading *readings;
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
    weir_engine_reading *spare;
    weir_sample *samples; /* room to make or mark samples of one device */
    weir_sample *apart;   /* as many: those of one set of plans */
    uint64_t *plans;      /* as many: whose each of them is */
    uint32_t n_samples;
    weir_plans runs;
    weir_plan_run default_run; /* only its "collect now" changes */
    uint32_t plan_changes;     /* by which a catalog that is prepared sees that it is late */
    weir_wall plans_seen;      /* changes before were due before; slots up to here are taken */
};

/* engine.c */

/* Memory for the devices of a catalog: the one that the engine has. */
weir_err weir_engine_allocate(weir_engine *e, weir_error *error) WEIR_MUST_CHECK;
void weir_engine_deallocate(weir_engine *e);
void weir_engine_readings_free(weir_engine_reading *first);
/* Reads what the beats ask for, or says why it cannot be read. */
void weir_engine_read(weir_engine *e, weir_read read, weir_mono now);
/* Beats whose slots may be far away are read at once. */
void weir_engine_first_read(weir_engine *e, uint32_t device, weir_mono now, weir_wall wall);

/* What goes out: an event; a batch, which the current values take too. chosen: of its read, NULL:
 * all samples are of batch->plans. */
void weir_engine_tell(weir_engine *e, weir_event_kind kind, const char *subject,
                      const weir_text *text, weir_wall ts);
void weir_engine_pass(weir_engine *e, const weir_batch *batch, const weir_chosen *chosen);

void weir_engine_reading_free(weir_engine *e, weir_engine_reading *reading);

static inline bool weir_engine_trusts(const weir_engine *e)
{
    return e->trust.doubt == WEIR_CLOCK_TRUSTED;
}

/* engine_plans.c */

weir_err weir_engine_plans_init(weir_engine *e, weir_error *error) WEIR_MUST_CHECK;
/* When the next change comes by itself; false: none will. */
bool weir_engine_next_plan(const weir_engine *e, weir_wall *ret);
/* Makes the changes that have come. The slots before them are taken. */
void weir_engine_change_plans(weir_engine *e, weir_wall until);
/* Goes on with what is collected at once; returns when to be called again. */
weir_mono weir_engine_collect_plans(weir_engine *e, weir_mono now);
/* engine.c: one read of that. Takes the reference. */
void weir_engine_collect(weir_engine *e, uint32_t device, weir_chosen *chosen,
                         const weir_plan *plan, weir_mono now);
/* The plans of an engine that is prepared for another catalog; and again, when some have changed
 * since, as far as memory lets it. */
weir_err weir_engine_plans_prepare(weir_engine *next, const weir_engine *e,
                                   weir_error *error) WEIR_MUST_CHECK;
void weir_engine_plans_renew(weir_engine *next, weir_engine *e, weir_wall wall);

/* engine_clock.c: what becomes of the epoch at the first step; what a step found. step_us: by how
 * much the clock was set since the last look, 0: it was not. */
void weir_engine_start_clock(weir_engine *e, weir_mono now, weir_wall wall);
void weir_engine_check_clock(weir_engine *e, weir_mono now, weir_wall wall, int64_t step_us);

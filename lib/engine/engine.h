/* SPDX-License-Identifier: MIT */
/* The engine: what is due when, what became of it, and the current value of every tag. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/plans.h"
#include "model/source.h"

/* Device states. connecting: not read yet; online: the last read was answered; degraded: some
 * reads failed, fewer than demote_after_failures; offline: silent or unreachable; disabled. */
#define WEIR_STATE_LIST(X)                 \
    X(WEIR_STATE_CONNECTING, "connecting") \
    X(WEIR_STATE_ONLINE, "online")         \
    X(WEIR_STATE_DEGRADED, "degraded")     \
    X(WEIR_STATE_OFFLINE, "offline")       \
    X(WEIR_STATE_DISABLED, "disabled")

typedef enum weir_device_state {
#define X(name, text) name,
    WEIR_STATE_LIST(X)
#undef X
} weir_device_state;

const char *weir_device_state_text(weir_device_state state);

typedef struct weir_device_status {
    weir_device_state state;
    weir_wall since;     /* of the state */
    weir_wall last_good; /* 0: never */
    weir_quality error;  /* of the last failed read; 0: none since the last good one */
    uint64_t overruns;   /* slots skipped because the last read was still under way */
    uint64_t skipped;    /* slots answered with bad samples because of back-off */
} weir_device_status;

/* Why the wall clock is not trusted. */
typedef enum weir_clock_doubt {
    WEIR_CLOCK_TRUSTED,
    WEIR_CLOCK_IMPLAUSIBLE,    /* it shows a time that cannot be true */
    WEIR_CLOCK_UNSYNCHRONIZED, /* the kernel does not say that it follows a time server */
} weir_clock_doubt;

const char *weir_clock_doubt_text(weir_clock_doubt doubt); /* "trusted", "implausible", ... */

typedef struct weir_clock_state {
    weir_clock_doubt doubt;
    weir_wall since; /* of trust or its lack, by the clock now in force */
    uint32_t epoch;
    bool corrected;    /* in this run */
    int64_t offset_us; /* what was added last: to the times of the untrusted epoch before */
} weir_clock_state;

/* The latest sample of a tag. Strings and bytes are copied, up to 64 bytes of them kept; whoever
 * copies this struct lets the copy's value point to the copy's text. */
typedef struct weir_current {
    weir_sample sample;
    weir_wall received;
    char text[64];
} weir_current;

/* A plan is about to change (state: as it is still), or has. Borrowed. */
typedef struct weir_plan_notice {
    const weir_plan *plan;
    weir_plan_change change;
    weir_plan_state state;
    bool after;
} weir_plan_notice;

/* What there is to see of a plan. Times are 0 where there is none. */
typedef struct weir_plan_status {
    const weir_plan *plan; /* borrowed until the engine is called again */
    weir_plan_state state;
    weir_wall started, ended;
    weir_wall expires;  /* by lifetime or end */
    weir_wall next_due; /* its next slot; of one that is ready: when it starts */
    size_t n_tags;
    bool is_configured; /* not: started while the engine runs */
    uint32_t cycles;    /* of "collect now" that are not over */
} weir_plan_status;

/* Who the engine talks to; all on the loop thread. */
typedef struct weir_engine_host {
    void *data;
    void (*read)(void *data, const weir_read *read);    /* to the device's source */
    void (*batch)(void *data, const weir_batch *batch); /* every sample, to be stored */
    void (*event)(void *data, const weir_event *event); /* to the store, and the log */
    /* Likewise an event, with what the untrusted epochs before it were wrong by. */
    void (*correction)(void *data, const weir_correction *correction);
    /* Whether the kernel says that the clock is synchronized. NULL: it need not be. */
    bool (*synchronized)(void *data);
    /* Twice for every change of a plan; must not call the engine. NULL: nobody listens. */
    void (*plan)(void *data, const weir_plan_notice *notice);
} weir_engine_host;

typedef struct weir_engine_config {
    const weir_catalog *catalog; /* borrowed for the engine's life */
    weir_engine_host host;
    uint64_t seed;
    int64_t timer_slack_us;     /* due times this near share a wake-up; 0: 10 ms; at most a tenth of
                                   the shortest interval is used */
    uint32_t first_epoch;       /* the largest in the store: epochs never go back. A start before
                                   newest_committed, or with an untrusted clock, takes the next */
    bool epoch_untrusted;       /* its samples are of an untrusted clock: a start takes the next */
    bool epoch_corrected;       /* and it is known how wrong that was */
    weir_wall newest_committed; /* from the store; 0: none. Without those of untrusted epochs: a
                                   clock once in 2040 would make 2026 untrusted for ever */
    weir_wall built;            /* the program's build date */
} weir_engine_config;

typedef struct weir_engine weir_engine;

/* WEIR_EINVAL: tags without uid or with the same, intervals that cannot be; WEIR_ELIMIT: a uid
 * above 64 million; WEIR_ENOMEM. Calls nobody. */
weir_err weir_engine_new(const weir_engine_config *config, weir_mono now, weir_wall wall,
                         weir_engine **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_engine_free(weir_engine *engine); /* accepts NULL */

/*
 * Runs what is due: checks the clock, calls host.read for every device whose slot has come and
 * host.batch with bad samples for those in back-off. Returns when to call again: the earliest due
 * time plus the slack that gathers others with it, at most one second away (the clock check).
 */
weir_mono weir_engine_step(weir_engine *engine, weir_mono now, weir_wall wall);

/* Paused: no slot is taken; what is under way ends as ever. Slots that pass meanwhile are neither
 * read nor overruns; on resuming the next slot is the first after now. */
void weir_engine_pause(weir_engine *engine, bool paused, weir_mono now);

/* From a source: stamps lateness and clock trust on the samples, updates current values and hands
 * the batch on, with all its times by the clock of its epoch. Borrows it. */
void weir_engine_deliver(weir_engine *engine, const weir_batch *batch, weir_mono now);

/* From a source: the read is over. `worst` is the worst quality of its samples. */
void weir_engine_read_done(weir_engine *engine, const weir_read *read, weir_read_result result,
                           weir_quality worst, weir_mono now);

/* From a source: the connection's state, for the devices behind it. */
void weir_engine_link(weir_engine *engine, uint32_t connection, bool up, weir_mono now);

/*
 * Another catalog, whose tags have their uids. prepare gets all memory and may fail as
 * weir_engine_new does; apply exchanges and cannot; discard gives the prepared back. Between the
 * first two the engine may go on. The new catalog is borrowed from apply on, the old one no more.
 */
typedef struct weir_engine_change weir_engine_change;
weir_err weir_engine_prepare(const weir_engine *engine, const weir_catalog *catalog,
                             weir_engine_change **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_engine_discard(weir_engine_change *change); /* accepts NULL */

/*
 * stays: by device of the old catalog its index in the new one when nothing of its reads is
 * different, else WEIR_DEVICE_NONE. Such a device misses no slot, and what is under way goes on.
 * was: by device of the new catalog its index in the old one, also when it is read otherwise now;
 * such a one keeps its health and the slots of intervals it has further, and what was under way is
 * read again, as its source knows nothing of it any more. WEIR_DEVICE_NONE: it is new; intervals
 * above 10 s are read at once. Calls host.read and host.batch, which must know the new catalog.
 */
void weir_engine_apply(weir_engine *engine, weir_engine_change *change, const uint32_t *stays,
                       const uint32_t *was, weir_mono now);

/*
 * Plans. Those of the catalog start by themselves; names are theirs. What is changed by hand is an
 * event. WEIR_ENOTFOUND: no such plan; WEIR_EINVAL: not from its state, or `default`; and the
 * errors of weir_plans_resolve, when nothing has changed.
 *
 * start begins one that the catalog has not, with the tags its patterns match and a bit that the
 * store gave; copies it. WEIR_EINUSE: there is one with its name that is not over; WEIR_ENOTFOUND:
 * no tag matches. collect reads all tags of a plan at once, so many cycles, each so long after the
 * end of the one before; `default` too. WEIR_EINUSE: it is being collected.
 */
weir_err weir_engine_plan_change(weir_engine *engine, const char *name, weir_plan_change change,
                                 weir_mono now, weir_error *error) WEIR_MUST_CHECK;
weir_err weir_engine_plan_start(weir_engine *engine, const weir_plan *plan, weir_mono now,
                                weir_error *error) WEIR_MUST_CHECK;
weir_err weir_engine_plan_collect(weir_engine *engine, const char *name, uint32_t cycles,
                                  int64_t wait_us, weir_mono now,
                                  weir_error *error) WEIR_MUST_CHECK;

/* All plans; the first is `default`. */
size_t weir_engine_n_plans(const weir_engine *engine);
void weir_engine_plan(const weir_engine *engine, size_t i, weir_plan_status *ret);

/* Wall time of a monotonic moment by the anchor now in force. */
weir_wall weir_engine_wall(const weir_engine *engine, weir_mono t);
int64_t weir_engine_anchor(const weir_engine *engine);
weir_clock_state weir_engine_clock(const weir_engine *engine);

/* catalog index of the tag; valid until the next engine call. NULL: no sample yet. */
const weir_current *weir_engine_current(const weir_engine *engine, uint32_t tag);
const weir_device_status *weir_engine_status(const weir_engine *engine, uint32_t device);
uint64_t weir_engine_overruns(const weir_engine *engine); /* of all devices */

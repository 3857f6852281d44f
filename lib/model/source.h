/* SPDX-License-Identifier: MIT */
/* What a source is made of: code that reads and writes devices behind one connection. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/random.h"
#include "model/catalog.h"
#include "model/option.h"
#include "model/sample.h"

/* Some points of a device. Never changes. */
typedef struct weir_selection {
    uint32_t id;            /* not 0; no other set of points of this device has it */
    const uint64_t *points; /* one bit each, the lowest of the first is point 0 */
} weir_selection;

/* One poll of one device: what is due at one slot. Copied by whoever keeps it. */
typedef struct weir_read {
    uint64_t id;        /* of the engine; given back in on_read_done */
    uint32_t device;    /* catalog index */
    uint32_t intervals; /* set of the device's intervals that are due: one bit each; those from
                           n_intervals on are the engine's own */
    uint32_t epoch;
    uint32_t flags;                  /* WEIR_BATCH_FIRST_READ */
    const weir_selection *selection; /* NULL: the points of the intervals. The engine's, valid
                                        until on_read_done */
    uint64_t plans;
    weir_wall due; /* the samples' ts */
    weir_mono due_mono;
    int64_t next_due_us; /* time from due to the earliest next due of these intervals */
} weir_read;

/* The bit of weir_read.intervals that asks for points with `interval: on_demand`. */
#define WEIR_READ_ON_DEMAND (1u << 31)

/* Whether a read of its device asks for this point. */
static inline bool weir_read_wants(const weir_read *read, const weir_device *device, uint32_t point)
{
    if (read->selection)
        return read->selection->points[point / 64] >> point % 64 & 1;
    const uint8_t interval = device->point_interval[point];
    return read->intervals & (interval < WEIR_INTERVALS_MAX ? 1u << interval : WEIR_READ_ON_DEMAND);
}

/* Reads of a device with the same key ask for the same points, for as long as the catalog has the
 * device as it is: what was worked out for one serves the other. */
static inline uint64_t weir_read_key(const weir_read *read)
{
    return read->selection ? (uint64_t)read->selection->id << 32 : read->intervals;
}

/* How a read ended, for the device's health. */
typedef enum weir_read_result {
    WEIR_READ_GOOD,   /* the device answered (exceptions on single points included) */
    WEIR_READ_SILENT, /* the device did not answer, or its gateway says so (0x0A, 0x0B) */
    WEIR_READ_LINK,   /* the connection was down: says nothing of the device */
} weir_read_result;

/* Counters of one device, filled by its source. Plain numbers, read on the loop only. */
typedef struct weir_device_counters {
    uint64_t requests; /* sent, retries included */
    uint64_t timeouts;
    uint64_t late; /* replies after their timeout, dropped */
    uint64_t exceptions;
    uint64_t malformed;              /* wrong unit, function, length, CRC or id */
    uint64_t rtt_us_p50, rtt_us_p99; /* of the last some hundred replies; 0: none yet */
} weir_device_counters;

/* How a write ended. */
typedef enum weir_write_result {
    WEIR_WRITE_CONFIRMED, /* the device said so */
    WEIR_WRITE_REFUSED,   /* with the exception code */
    WEIR_WRITE_UNKNOWN,   /* no answer: it may or may not have happened */
} weir_write_result;

typedef struct weir_write_item {
    uint32_t tag; /* catalog index */
    weir_value value;
} weir_write_item;

/*
 * What the source may use. All functions are called on the loop thread, never from inside a call
 * of the source's own `init`. The platform gives time and randomness; `transport` is the
 * runtime's (runtime/transport.h), opaque here.
 */
typedef struct weir_source_host {
    void *data;
    const weir_catalog *catalog;
    uint32_t connection; /* the connection this source serves */
    struct weir_transport_host *transport;
    uint64_t seed;

    weir_mono (*now)(void *data);
    weir_wall (*wall)(void *data);

    /* Samples of a read, or unsolicited ones. Borrows the batch until return. */
    void (*on_batch)(void *data, const weir_batch *batch);
    /* Exactly once for every read, after its last batch; never from inside `read`. */
    void (*on_read_done)(void *data, const weir_read *read, weir_read_result result,
                         weir_quality worst);
    /* Exactly once for every write. */
    void (*on_write_done)(void *data, uint64_t key, weir_write_result result, uint16_t code);
    /* The connection's state changed: up, or down with the reason. */
    void (*on_link)(void *data, bool up, const char *why);
    /* Asks that step be called at t (WEIR_MONO_NEVER: not at all); replaces the last request. */
    void (*wake_at)(void *data, weir_mono t);
    /* A log line: one per change of state. */
    void (*log)(void *data, weir_log_level level, const char *event, const char *text);
    /* Asks that step be called soon. Any thread, until deinit has returned. NULL where there are no
     * threads. */
    void (*poke)(void *data);
    const void *context; /* of the type */
} weir_source_host;

#define WEIR_DEVICE_NONE UINT32_MAX

/* Another catalog, in which the source's connection has the same endpoint (uri, enabled,
 * tid_check); its name, pauses, retries and timeouts may be others and hold from now on. All
 * devices are there, whichever connection they are behind. */
typedef struct weir_source_change {
    const weir_catalog *catalog; /* the new one */
    uint32_t connection;         /* index in it */
    /* By index in the old catalog: the new one, of a device whose reads go on as they are;
     * WEIR_DEVICE_NONE: what is under way of it is over, without a word to the engine. */
    const uint32_t *stays;
    /* By index in the new catalog: which one of the old it was, also when it is read otherwise now,
     * for its counters; WEIR_DEVICE_NONE: it is new behind this connection. */
    const uint32_t *was;
} weir_source_change;

enum { WEIR_SOURCE_ABI = 1 };

/*
 * A source type: a const descriptor. The runtime allocates state_size zeroed bytes, calls init,
 * and deinit even when init failed. No call may block.
 */
typedef struct weir_source_type {
    uint32_t abi; /* WEIR_SOURCE_ABI */
    const char *name;
    const char *summary;
    bool (*serves)(weir_scheme scheme);
    size_t state_size;

    weir_err (*init)(void *state, const weir_source_host *host, weir_error *error);
    void (*deinit)(void *state);

    /* Reads what is due. Every point of the read yields one sample, a value or bad with a cause. */
    void (*read)(void *state, const weir_read *read);
    /* Asks for unsolicited batches of these tags; NULL when the protocol has no such thing. */
    void (*subscribe)(void *state, const uint32_t *tags, size_t n);
    /* Writes all items or none where the protocol can; never retried. deadline: not started
     * after it. key: for on_write_done. fence: refused when older than the last seen. NULL: this
     * version has no writes. */
    void (*write)(void *state, const weir_write_item *items, size_t n, weir_mono deadline,
                  uint64_t key, uint64_t fence);
    /* The samples up to this token are committed: acknowledge them at the device. May be NULL. */
    void (*on_committed)(void *state, uint64_t token);

    /* Called when the time asked for by wake_at has come. */
    void (*step)(void *state, weir_mono now);
    /*
     * The catalog is about to be exchanged. prepare finds out whether it can be used and gets all
     * memory for it, changing nothing; then either apply, which cannot fail, or discard follows,
     * with reads in between. From apply on the old catalog is not to be touched. Neither calls the
     * host but wake_at, now and log. NULL, all three: the source is closed and made anew.
     */
    weir_err (*prepare)(void *state, const weir_source_change *change, void **ret_prepared,
                        weir_error *error);
    void (*apply)(void *state, const weir_source_change *change, void *prepared);
    void (*discard)(void *state, void *prepared);

    /* The device's counters; false when it is not this source's. */
    bool (*counters)(const void *state, uint32_t device, weir_device_counters *ret);
    /* Of one that serves WEIR_SCHEME_OWN: what is behind it, for the host. It serves the
     * connections that have its name. */
    const void *context;
} weir_source_type;

/* SPDX-License-Identifier: MIT */
/* A source of one's own: code of your program that reads devices weir does not know. */

#pragma once
#include "weir/clock.h"
#include "weir/error.h"
#include "weir/modbus.h"
#include "weir/row.h"

WEIR_C_BEGIN

/*
 * The source named "NAME" serves every connection whose uri is `own:NAME`. Each such connection has
 * a thread of its own, on which everything below but `interrupt` is called, so calls may block:
 * they hold up nothing but their own connection. Points of such a connection need a name and an
 * interval only (register, address and type may be given, and default to a float64).
 *
 * Schedule, time stamps, back-off of silent devices, current values, store and sinks are as for any
 * other source. A read that takes longer than the interval costs slots, which are counted as
 * overruns; reads never queue up.
 */

/* What is to be read: some tags of one device. Borrowed until return. */
typedef struct weir_own_read {
    size_t struct_size;
    const char *connection;
    const char *device;
    uint8_t unit_id;
    weir_wall due;      /* the samples' time */
    weir_mono deadline; /* of the connection's timeout, by weir_mono_now: be back by then */
    size_t n;
    const weir_tag_info *const *tags; /* [n] */
} weir_own_read;

/* struct_size is sizeof of it. All is copied but what data points to, which must live until the
 * collector is closed. */
typedef struct weir_own_source {
    size_t struct_size;
    const char *name; /* of `own:NAME` */
    void *data;

    /*
     * Begins with a connection: before its first read, and before each read as long as it fails
     * (the samples of such a read are bad(connect)). *ret_state is given back in the calls below.
     * NULL: there is nothing to begin with, and state is data.
     */
    weir_err (*open)(void *data, const char *connection, void **ret_state, weir_error *error);

    /*
     * Reads. samples[i] is for read->tags[i] and comes with tag and ts set, a null value and
     * bad(not available): set value and quality of what was read. Strings and bytes are copied when
     * this returns. It may set ts to the device's own time.
     *
     * WEIR_OUTCOME_SILENT       the device did not answer: after a few of these it is left alone
     *                           for growing times. Samples that are good stay so.
     * WEIR_OUTCOME_UNREACHABLE  the connection is lost: close is called, and open before the next.
     */
    weir_outcome (*read)(void *state, const weir_own_read *read, weir_sample *samples);

    /* Another thread asks that a read under way return soon: the collector stops. Stopping waits
     * for it. NULL: reads never last long. */
    void (*interrupt)(void *state);

    /* The end of what open began. NULL: nothing. */
    void (*close)(void *state);

    /*
     * Before the first read after another configuration was applied while the collector runs: tags
     * and devices may be others now, and have other weir_tag_info. What open began goes on, unless
     * what the configuration says of the connection itself is different: then it is closed and
     * opened anew. NULL: nothing is kept from read to read that depends on tags.
     */
    void (*changed)(void *state, const char *connection);

    /* For devices behind it that say no interval of their own, in microseconds; 0: they must. */
    int64_t default_interval_us;
    /* No plan reads it more often: what becomes of one that would, its interval_policy says. 0: no
     * limit. What the connection or a device says counts where it is more. */
    int64_t minimum_interval_us;
} weir_own_source;

WEIR_C_END

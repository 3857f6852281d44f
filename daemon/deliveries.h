/* SPDX-License-Identifier: MIT */
/* The sinks of a running weir: a thread for each. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/diff.h"
#include "runtime/collector.h"

/*
 * Each enabled sink of the catalog has a thread, on which its delivery steps: woken when more was
 * committed, and at the time that delivery asked for. A sink that cannot start is one that is
 * offline or misconfigured, and is tried again; it never stops anything else.
 */
typedef struct weir_deliveries weir_deliveries;

/* Before the collector starts, since that calls weir_deliveries_wake. Keeps the configurations of
 * the sinks, not the catalog. seed: 0: from the system. */
weir_err weir_deliveries_new(const weir_catalog *catalog, uint64_t seed, weir_deliveries **ret,
                             weir_error *error) WEIR_MUST_CHECK;

/* Who is told of what happens to a sink: on the sink's thread, must not block. Both may be NULL. */
typedef struct weir_deliveries_listener {
    void *data;
    void (*log)(void *data, weir_log_level level, const char *event, const char *subject,
                const char *text);
    void (*on_event)(void *data, const weir_event *event);
} weir_deliveries_listener;

/* Before weir_deliveries_start. Copies. */
void weir_deliveries_listen(weir_deliveries *deliveries, const weir_deliveries_listener *listener);

/* Starts the threads. The collector must live until weir_deliveries_end. */
weir_err weir_deliveries_start(weir_deliveries *deliveries, weir_runtime *collector,
                               weir_error *error) WEIR_MUST_CHECK;

/*
 * The sinks of another catalog, which is in force: those that are the same go on untouched, those
 * that are changed or gone end, as with weir_deliveries_end; then the store is told who there is,
 * and those that are new or changed start, where their cursors are. diff: from the catalog before.
 * What of it fails is logged, and in error: the others run. One thread at a time.
 */
weir_err weir_deliveries_apply(weir_deliveries *deliveries, const weir_diff *diff,
                               weir_error *error) WEIR_MUST_CHECK;

/* Something was committed or ordered. Any thread, at any time from weir_deliveries_new on. */
void weir_deliveries_wake(weir_deliveries *deliveries);

/* Ends all threads, within a second; what is under way is given up. Then the collector may stop. */
void weir_deliveries_end(weir_deliveries *deliveries);
void weir_deliveries_free(weir_deliveries *deliveries); /* accepts NULL */

/* A record with its texts. */
typedef struct weir_sink_view {
    weir_sink_record record;
    char name[132];
    char state[16];
    char error[256], remedy[256];
} weir_sink_view;

/* How sink i stands; false: there are not so many. Copies; ret->record's texts lie in *ret, but the
 * type's. Any thread. */
bool weir_deliveries_get(weir_deliveries *deliveries, size_t i, weir_sink_view *ret);

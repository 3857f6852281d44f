/* SPDX-License-Identifier: MIT */
/* The store: weir's own durable log, one SQLite file with compressed blocks. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/catalog.h"
#include "model/sample.h"

typedef struct weir_store weir_store;

typedef struct weir_store_options {
    const char *data_dir; /* made when missing; "memory": nothing on disk, newest 64 MB kept */
    const char *vfs;      /* SQLite VFS name; NULL: the default */
    weir_wall now;
} weir_store_options;

/* How far the log has come. A sample or event with seq <= committed_seq survives a power cut. */
typedef struct weir_store_position {
    uint64_t committed_seq; /* 0: nothing yet */
    weir_wall committed_ts; /* newest ts among committed samples whose clock was trusted; 0: none */
    uint32_t max_epoch;
} weir_store_position;

/* What the devices table shows; texts borrowed. */
typedef struct weir_device_record {
    const char *name, *connection, *state, *error;
    weir_wall since, last_good;
    uint64_t requests, timeouts, late;
    double rtt_p50_ms, rtt_p99_ms; /* 0: unknown */
} weir_device_record;

/*
 * Opens data.db in data_dir for writing and takes the directory's lock.
 *
 * WEIR_EINUSE         another process has it; error names its pid.
 * WEIR_EUNSUPPORTED   written by a newer version; nothing was altered.
 * WEIR_EDAMAGED       not our database, or damaged; error says what to run.
 * WEIR_EIO, WEIR_EPERM, WEIR_ENOMEM
 *
 * Use by one thread at a time: the store thread's. It is the only connection that writes.
 */
weir_err weir_store_open(const weir_store_options *options, weir_store **ret,
                         weir_error *error) WEIR_MUST_CHECK;

/* Commits nothing. Checkpoints, releases the lock. Accepts NULL. */
void weir_store_close(weir_store *store);

/* Gives every tag of the catalog its uid (known names keep theirs), records new versions of name,
 * unit, type, scale, description, labels and address, and the devices; commits. */
weir_err weir_store_register(weir_store *store, weir_catalog *catalog, weir_wall now,
                             weir_error *error) WEIR_MUST_CHECK;

/* Adds to the next commit, in memory; copies. WEIR_ENOMEM. */
weir_err weir_store_append(weir_store *store, const weir_batch *batch,
                           weir_error *error) WEIR_MUST_CHECK;
weir_err weir_store_event(weir_store *store, const weir_event *event,
                          weir_error *error) WEIR_MUST_CHECK;

/* Samples and events waiting for the next commit, and about how many bytes they take. */
size_t weir_store_pending(const weir_store *store, size_t *ret_bytes);

/* Commits all that waits, with synchronous=FULL. On failure it still waits: call again. */
weir_err weir_store_commit(weir_store *store, weir_wall now, weir_error *error) WEIR_MUST_CHECK;

/* Replaces the rows of these devices, in one transaction. */
weir_err weir_store_put_devices(weir_store *store, const weir_device_record *devices, size_t n,
                                weir_error *error) WEIR_MUST_CHECK;

weir_store_position weir_store_get_position(const weir_store *store);
const char *weir_store_uuid(const weir_store *store); /* 36 characters */

/* As it was when the store was opened; a notice in it is also an event of the next commit. */
const struct weir_identity *weir_store_identity(const weir_store *store);

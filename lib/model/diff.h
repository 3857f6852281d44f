/* SPDX-License-Identifier: MIT */
/* The diff of two catalogs: what became of each connection, device and sink. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "model/catalog.h"

/* What became of a thing that is in the newer catalog. */
typedef enum weir_change {
    WEIR_CHANGE_NONE,
    WEIR_CHANGE_AROUND, /* what is read stays as it is: name, description, labels, unit, deadband;
                           of a connection: its name, timeouts, pauses, retries */
    WEIR_CHANGE_READS,  /* what is read, when or how; of a sink: anything */
    WEIR_CHANGE_ADDED,
} weir_change;

#define WEIR_DIFF_NONE UINT32_MAX

typedef struct weir_diff_part {
    size_t n_old, n_new;
    uint32_t *old_of; /* [n_new]: index in the older catalog, or WEIR_DIFF_NONE */
    uint32_t *new_of; /* [n_old]: likewise in the newer */
    uint8_t *change;  /* [n_new]: weir_change */
    size_t n_added, n_changed, n_removed; /* a new name alone counts as changed */
} weir_diff_part;

/* A device that went, and one that came and looks like it. */
typedef struct weir_diff_hint {
    uint32_t old_device, new_device;
} weir_diff_hint;

typedef struct weir_diff {
    weir_arena *arena;                 /* owns the rest */
    const weir_catalog *older, *newer; /* borrowed */
    weir_diff_part connections, devices, plans, sinks;
    size_t n_tags_added, n_tags_removed;
    size_t n_hints;
    const weir_diff_hint *hints;
} weir_diff;

/*
 * Compares; the older may be NULL: nothing was there. Things are found again, in this order:
 *
 * - by what their provider knows them by (weir_device.key), whatever their names are;
 * - by their former name (`was`), unless that was applied before: the older catalog has this name
 *   with the same `was`. So two that exchange names do it once, and `was` may stay;
 * - by their name;
 * - connections also by all the rest being the same: a new name does not close a socket.
 *
 * Each is found once. Where something was written never counts. WEIR_ENOMEM.
 */
weir_err weir_diff_new(const weir_catalog *older, const weir_catalog *newer, weir_diff **ret,
                       weir_error *error) WEIR_MUST_CHECK;
void weir_diff_free(weir_diff *diff); /* accepts NULL */
WEIR_DEFINE_CLEANUP(weir_diff, weir_diff_free)

/* Nothing is different: store, clock and log settings too. */
bool weir_diff_is_empty(const weir_diff *diff);

/* Which point of the older catalog each point of a device is, by key, former name or name:
 * [n_points] of the newer catalog's device, which must have been found in the older one; an index
 * or WEIR_DIFF_NONE. False: no memory. */
bool weir_diff_points(const weir_diff *diff, uint32_t device, uint32_t *ret_old_of) WEIR_MUST_CHECK;

/* "2 added, 1 changed, 0 removed": connections, devices, plans and sinks together. */
void weir_diff_count(const weir_diff *diff, weir_text *t);

/* One thing that is different. detail: "was m07, interval", or "". */
typedef struct weir_diff_item {
    const char *kind;                   /* "connection", "device", "plan", "sink" */
    const char *name, *change, *detail; /* "added", "changed", "removed" */
} weir_diff_item;
typedef void (*weir_diff_visitor)(void *data, const weir_diff_item *item);
void weir_diff_each(const weir_diff *diff, weir_diff_visitor visit, void *data);

/* "1 added, 1 changed, 0 removed: device m09 added; device m07 changed (interval)": the first some
 * of them. */
void weir_diff_describe(const weir_diff *diff, weir_text *t);

/* One of them with what is different, for people: "interval, 2 points added". "" for NONE and
 * ADDED. device: index in the newer catalog. */
void weir_diff_describe_device(const weir_diff *diff, uint32_t device, weir_text *t);

/* "m07 gone, feeder-a new with the same unit: rename? ..." */
void weir_diff_describe_hint(const weir_diff *diff, const weir_diff_hint *hint, weir_text *t);

/* What of the newer catalog takes effect with the next start only: "data_dir"; "": nothing. */
void weir_diff_describe_restart(const weir_diff *diff, weir_text *t);

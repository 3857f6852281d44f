/* SPDX-License-Identifier: MIT */
/* The option tables of the configuration file, and the structs their rows fill. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "catalog/document.h"
#include "model/option.h"

/*
 * These structs hold what was written, not yet what it means. `given` says which keys were there:
 * that is what a profile leaves to the device, and a device's point to the profile's. Rows of type
 * TABLE, LIST and CUSTOM fill a weir_node. Texts are in the catalog's arena.
 */
typedef struct weir_top_in {
    const char *data_dir;
    weir_node store, log, clock, connections, devices, plans, sinks, defaults, catalog;
    weir_option_strings include;
    int64_t reload_interval;
} weir_top_in;

/* Where a database's rows are, and what they mean. */
typedef enum weir_database_layout {
    WEIR_DATABASE_WEIR,
    WEIR_DATABASE_REQUESTED,
    WEIR_DATABASE_METERS,
    WEIR_DATABASE_QUERIES,
} weir_database_layout;

/* An entry of `catalog`. */
typedef struct weir_database_in {
    const char *name, *url, *username, *password, *password_file, *notify;
    const char *interval, *cron;
    const char *connections, *devices, *points, *plans; /* queries */
    int layout;                                         /* weir_database_layout */
    int scheme;
    int64_t timeout;
    bool enabled;
} weir_database_in;

typedef struct weir_defaults_in {
    weir_node connections, devices, points, sinks;
} weir_defaults_in;

typedef struct weir_store_in {
    int64_t max_loss, detached_after;
    weir_node retention, max_size;
    uint64_t min_free, wal_max;
    int when_full; /* weir_when_full */
    struct {
        bool min_free;
    } given;
} weir_store_in;

/* A rule of store.retention. */
typedef struct weir_retention_in {
    weir_option_strings tags;
    int64_t keep;
    uint64_t max_size;
} weir_retention_in;

typedef struct weir_log_in {
    int level;  /* weir_log_level */
    int format; /* weir_log_format */
} weir_log_in;

typedef struct weir_clock_in {
    int trust; /* weir_clock_rule */
} weir_clock_in;

typedef struct weir_connection_in {
    const char *name;
    const char *uri;
    bool enabled, close_after_poll;
    int tid_check; /* weir_tid_check */
    int64_t max_in_flight, retries, busy_retries;
    int64_t timeout, busy_retries_wait, pause_after_connect, pause_between_requests;
    int64_t pause_on_unit_switch, pause_after_write, reconnect_max, minimum_interval;
} weir_connection_in;

/* A device, and what a profile says for all its devices. */
typedef struct weir_device_in {
    const char *name, *connection, *profile, *description, *was;
    const char *source, *inherits; /* of a profile */
    weir_option_ranges unit_id;
    weir_option_strings only;
    weir_option_map labels;
    weir_node multiply, points, forbidden_ranges, interval, order;
    weir_node deadband, max_unchanged_interval; /* of points that say nothing of it */
    bool enabled, one_point_per_request;
    int64_t max_registers_per_request, max_bits_per_request, max_hole_registers, max_hole_bits;
    int64_t demote_after_failures, demote_period, minimum_interval;
    struct {
        bool unit_id, one_point_per_request;
    } given;
} weir_device_in;

typedef struct weir_simulate_in {
    int wave; /* weir_wave - 1 */
    double min, max;
    int64_t period;
    const char *resolution;
    struct {
        bool wave, min, max, period;
    } given;
} weir_simulate_in;

enum { WEIR_LAYERS_MAX = 9 };

typedef struct weir_point_in {
    const char *name, *unit, *description, *was;
    weir_node registers, address, type, order, scale, offset, na, enumeration, interval, simulate;
    weir_node deadband, max_unchanged_interval;
    weir_option_map labels;
    int64_t function, length, bit, bit_width, count, group;
    double min, max;
    int access; /* weir_access */
    bool counter, allow_overlap;
    struct {
        bool function, length, bit, bit_width, count, min, max;
    } given;
    /* The mappings it was read from, the last one wins; for messages. */
    unsigned n_layers;
    weir_node layers[WEIR_LAYERS_MAX];
} weir_point_in;

typedef struct weir_plan_in {
    const char *name, *description, *zone;
    weir_option_strings tags;
    weir_node interval, default_interval, cron, start, end;
    int64_t id, minimum_interval, lifetime;
    int policy; /* weir_plan_policy */
    int merge;  /* weir_plan_merge */
    bool enabled;
} weir_plan_in;

/* cron as three variables. */
typedef struct weir_cron_in {
    const char *hour, *minute, *second;
} weir_cron_in;

/* What every sink has; the rest is its type's. */
typedef struct weir_sink_in {
    const char *name, *type;
    bool enabled;
    weir_option_strings tags, plans;
    weir_option_map labels;
    int quality; /* weir_sink_quality */
    int64_t batch;
    weir_node backlog_rate;
} weir_sink_in;

extern const weir_option weir_top_table[];
extern const weir_option weir_defaults_table[];
extern const weir_option weir_database_table[];
extern const weir_option weir_store_table[];
extern const weir_option weir_retention_table[];
extern const weir_option weir_log_table[];
extern const weir_option weir_clock_table[];
extern const weir_option weir_connection_table[];
extern const weir_option weir_device_table[];
extern const weir_option weir_profile_table[];
extern const weir_option weir_point_table[];
extern const weir_option weir_simulate_table[];
extern const weir_option weir_plan_table[];
extern const weir_option weir_cron_table[];
extern const weir_option weir_sink_table[];

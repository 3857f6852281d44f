/* SPDX-License-Identifier: MIT */
/* The collector's inside, shared by the files that load, run, tell and show. */

#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "daemon/deliveries.h"
#include "embed/own_sink.h"
#include "embed/own_source.h"
#include "model/catalog.h"
#include "runtime/collector.h"
#include "weir/collector.h"

/* The names in one catalog as other programs see them. Lives until the collector is closed, since
 * what was handed out does; the catalog need not. */
typedef struct weir_tag_table {
    struct weir_tag_table *older;
    weir_arena *arena;           /* owns all, this struct too */
    uint32_t revision;           /* of the catalog, once it is in force */
    const weir_catalog *catalog; /* borrowed, until its uids are known */
    size_t n_devices, n_connections;
    const char **devices, **connections; /* names, by index */
    size_t n;
    weir_tag_info *infos; /* by catalog index */
    weir_map names;       /* to infos */
    size_t n_plans;
    const char **plans; /* names */
    uint8_t *bits;      /* of plans, as known with the uids */
    bool has_uids;
    uint32_t *index_of; /* by uid: index + 1; 0: none */
    size_t n_uids;
} weir_tag_table;

/* A listener, and which plans are its own. */
struct weir_told {
    weir_listener listener;
    weir_arena *arena; /* of the names of plans; NULL: all plans are */
    uint64_t plans;    /* bits of those that have come so far */
};

/* What the program brought of one kind. */
typedef struct weir_own_list {
    size_t n, capacity;
    void **items;
} weir_own_list;

struct weir_collector {
    weir_collector_options options;
    char *data_dir; /* NULL: the catalog's */

    /*
     * Who changes its life holds this to write, who uses runtime or deliveries to read. Callbacks
     * never take it: whoever stops holds it and waits for them.
     */
    pthread_rwlock_t life;
    atomic_int state; /* weir_collector_state; written under life */
    weir_catalog *catalog;
    weir_runtime *runtime;
    weir_deliveries *deliveries;
    const weir_source_type **sources; /* of the runtime: built-in and own; NULL-terminated */

    weir_own_list own_sources; /* weir_own_source_type */
    weir_own_list own_sinks;   /* weir_own_sink_type */
    size_t n_listeners, listeners_capacity;
    struct weir_told *listeners; /* while it runs only their bits change, and on the loop */
    const weir_tag_table *told;  /* whose plans the bits of listeners are up to; the loop's */

    pthread_mutex_t tags_lock;
    weir_tag_table *tables; /* all, the newest first; this and the next under tags_lock */
    weir_tag_table *tags;   /* the one in force: what is looked up is looked up here */
};

/* Marks the thread as inside a callback of the collector; returns what it was in before, for
 * leave. */
const weir_collector *weir_callback_enter(const weir_collector *collector);
void weir_callback_leave(const weir_collector *before);

/* WEIR_EPERM when called from inside a callback of this collector. */
weir_err weir_callback_refuse(const weir_collector *collector, weir_error *error) WEIR_MUST_CHECK;

/* listen.c: tells all listeners; logs. */
void weir_collector_tell(weir_collector *collector, weir_stage stage, const char *plan);
void weir_collector_forget_plans(weir_collector *collector); /* before a start */
void weir_collector_free_listeners(weir_collector *collector);
void weir_collector_on_plan(void *data, const weir_plan_notice *notice);
void weir_collector_on_batch(void *data, const weir_batch *batch);
void weir_collector_on_event(void *data, const weir_event *event);
void weir_collector_on_log(void *data, weir_log_level level, const char *event, const char *subject,
                           const char *text);

/* tags.c */
weir_err weir_tag_table_new(const weir_catalog *catalog, weir_tag_table **ret,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_tag_table_free(weir_tag_table *table); /* and all older ones; accepts NULL */

/* Of a catalog that is about to come into force, under this revision: found by it from then on. */
void weir_collector_add_table(weir_collector *collector, weir_tag_table *table, uint32_t revision);
/* It did not come into force, and nobody has seen it. */
void weir_collector_drop_table(weir_collector *collector, weir_tag_table *table);

/* The table in force. Any thread. */
const weir_tag_table *weir_collector_table(weir_collector *collector);

/* That of this catalog, whose uids the store has given. Any thread. */
const weir_tag_table *weir_collector_table_of(weir_collector *collector, uint32_t revision);
/* The same, and it is in force from now on. On the loop, or on the thread that starts or applies.
 */
const weir_tag_table *weir_collector_follow(weir_collector *collector, uint32_t revision);

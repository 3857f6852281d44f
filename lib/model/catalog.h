/* SPDX-License-Identifier: MIT */
/* The catalog: all connections, devices, points and tags as one immutable snapshot. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "model/label.h"
#include "model/plan.h"
#include "model/point.h"
#include "model/sample.h"
#include "weir/log.h"
#include "weir/row.h"

/*
 * Where a thing was written, for messages: "weir.yaml:7:5" of a file (columns count from 1);
 * with column 0 "config.db, table device, row 7", where `file` is all before the number; with line
 * 0 `file` alone.
 */
typedef struct weir_where {
    const char *file;
    unsigned line;
    unsigned column;
} weir_where;

/* "weir.yaml:7:5" and the others as above. */
void weir_where_format(const weir_where *where, weir_text *t);

typedef enum weir_scheme {
    WEIR_SCHEME_TCP,       /* tcp://host:502        Modbus TCP */
    WEIR_SCHEME_RTU_TCP,   /* rtu+tcp://host:502    Modbus RTU frames in a TCP stream */
    WEIR_SCHEME_SIMULATED, /* simulated:            waveforms, no device */
    WEIR_SCHEME_RANDOM,    /* random:               numbers drawn anew at each read, no device */
    WEIR_SCHEME_OWN,       /* own:NAME              a source of the program that uses the library */
} weir_scheme;

/* Whether there is a device with a unit id on the other side of a network. */
static inline bool weir_scheme_is_modbus(weir_scheme scheme)
{
    return scheme == WEIR_SCHEME_TCP || scheme == WEIR_SCHEME_RTU_TCP;
}

/* Whether points need no register and no type: their names say enough. */
static inline bool weir_scheme_is_placeless(weir_scheme scheme)
{
    return scheme == WEIR_SCHEME_RANDOM || scheme == WEIR_SCHEME_OWN;
}

/* Parsed "scheme://host:port"; an IPv6 address stands in [brackets], which host has not. host is
 * copied into the arena. Default port 502. WEIR_EINVAL: malformed; WEIR_EUNSUPPORTED: a scheme weir
 * knows but this version lacks; WEIR_ENOMEM. */
typedef struct weir_uri {
    weir_scheme scheme;
    const char *host; /* "" for simulated: and random:; own: the source's name */
    uint16_t port;
} weir_uri;
weir_err weir_uri_parse(const char *text, weir_arena *arena, weir_uri *ret,
                        weir_error *error) WEIR_MUST_CHECK;

typedef enum weir_tid_check {
    WEIR_TID_STRICT,  /* a reply must carry its request's transaction id */
    WEIR_TID_LENIENT, /* any id; one request in flight, drain before send, other checks stay */
} weir_tid_check;

typedef struct weir_connection {
    const char *name;
    const char *uri_text;
    weir_uri uri;
    weir_where where;
    bool enabled;
    bool close_after_poll;
    weir_tid_check tid_check;
    uint16_t max_in_flight;         /* tcp: requests on the wire at once, 1..16, default 1 */
    uint16_t retries;               /* after silence, default 1, each with a new transaction id */
    uint16_t busy_retries;          /* after exceptions 5 and 6, default 3 */
    int64_t timeout_us;             /* default 1 s */
    int64_t busy_retries_wait_us;   /* default 200 ms */
    int64_t pause_after_connect_us; /* default 0 */
    int64_t pause_between_requests_us; /* default 0 */
    int64_t pause_on_unit_switch_us;   /* default 0 */
    int64_t pause_after_write_us;      /* default 0 */
    int64_t reconnect_max_us;          /* longest back-off between attempts, default 15 s */
    int64_t minimum_interval_us;       /* of plans, for all devices behind it; 0: no limit */
} weir_connection;

typedef struct weir_range {
    uint32_t first, last; /* inclusive */
    weir_register table;  /* forbidden_ranges: of this table */
} weir_range;

enum { WEIR_INTERVALS_MAX = 31 }; /* distinct intervals of one device; bit 31 means on demand */

typedef struct weir_device {
    const char *name;
    const char *description;
    const char *profile; /* "" : none */
    const char *was;     /* its former name; "" or NULL: none */
    const char *key;     /* what its provider knows it by; "" or NULL: its name */
    weir_where where;
    uint32_t connection; /* index */
    uint8_t unit_id;     /* 0..255 */
    bool enabled;
    bool one_point_per_request;
    uint16_t max_registers_per_request; /* 1..125, default 125 */
    uint16_t max_bits_per_request;      /* 1..2000, default 2000 */
    uint16_t max_hole_registers;        /* unused registers read to save a request; default 16 */
    uint16_t max_hole_bits;             /* default 64 */
    uint16_t demote_after_failures;     /* default 3 */
    int64_t demote_period_us;           /* longest back-off of a silent device, default 60 s */
    int64_t minimum_interval_us;        /* of plans; 0: no limit */
    size_t n_forbidden;
    const weir_range *forbidden;
    size_t n_labels;
    const weir_label *labels; /* ascending by key */

    /* Points may be shared with other devices of the same template and profile. */
    uint32_t n_points;
    const weir_point *points;
    const uint32_t *point_tag; /* [n_points]: tag of element 0, relative to first_tag */
    uint32_t n_tags;
    uint32_t first_tag; /* index in weir_catalog.tags; the device's tags are contiguous */

    uint32_t n_intervals;
    const int64_t *intervals;      /* ascending, distinct, microseconds */
    const uint8_t *point_interval; /* [n_points]: index into intervals, 0xff: on demand */
} weir_device;

/* One element of one point of one device. */
typedef struct weir_tag {
    weir_tag_uid uid; /* set by the store before the catalog is used */
    uint32_t device;
    uint32_t point;   /* index into the device's points */
    uint32_t element; /* 0 .. count-1 */
} weir_tag;

/* How long the samples of some tags are kept, or how much of them. */
typedef struct weir_retention {
    const char *const *tags; /* patterns; the first rule with one that matches a tag counts */
    size_t n_tags;
    int64_t keep_us;    /* 0: forever */
    uint64_t max_bytes; /* of history; 0: no such limit */
} weir_retention;

/* What happens when the store has no room. */
typedef enum weir_when_full {
    WEIR_FULL_DROP_OLDEST,
    WEIR_FULL_DROP_NEWEST,
    WEIR_FULL_BLOCK, /* new samples wait in memory */
} weir_when_full;

typedef struct weir_store_config {
    const char *data_dir; /* "memory": nothing on disk */
    int64_t max_loss_us;  /* default 1 s */
    size_t n_retention;
    const weir_retention *retention;
    uint64_t max_bytes;   /* 0: max_percent counts */
    unsigned max_percent; /* of the disk, default 50; 0: no limit */
    uint64_t min_free;    /* bytes of the disk that stay free */
    bool min_free_given;  /* false: on a small disk it is less */
    weir_when_full when_full;
    int64_t detached_after_us; /* default 7 d */
    uint64_t wal_max;          /* bytes; default 256 MB */
} weir_store_config;

/* Which samples of its tags a sink gets. */
typedef enum weir_sink_quality {
    WEIR_SINK_QUALITY_ALL,
    WEIR_SINK_QUALITY_USABLE, /* good and uncertain */
    WEIR_SINK_QUALITY_GOOD,
} weir_sink_quality;

/* Where a sink's configuration lies: it may outlive its catalog, as the sink does that is the same
 * in the next one. */
typedef struct weir_sink_memory {
    _Atomic uint32_t references; /* beside the first */
    weir_arena *arena;           /* owns this too */
} weir_sink_memory;

/* A sink as it is configured. What its filters leave out it never gets, and that is no gap. */
typedef struct weir_sink_config {
    weir_sink_memory
        *memory; /* has all that is pointed to but the type; NULL: it lives elsewhere */
    const char *name;
    weir_where where;
    const struct weir_sink_type *type;
    const void *options; /* of the type */
    bool enabled;
    size_t n_tags; /* patterns; one with ! in front leaves out what it matches; none: all tags */
    const char *const *tags;
    size_t n_labels; /* the tag must have all of them; the value is a pattern */
    const weir_label *labels;
    size_t n_plans; /* one of these asked for it; none: any */
    const char *const *plan_names;
    uint64_t plans; /* the same as bits, by weir_catalog_name_plans */
    weir_sink_quality quality;
    uint32_t batch;        /* rows sent at a time at most; 0: the type's */
    uint64_t backlog_rate; /* samples a second that are not live; 0: as fast as it goes */
} weir_sink_config;

typedef enum weir_log_format { WEIR_LOG_FORMAT_TEXT, WEIR_LOG_FORMAT_JSON } weir_log_format;

/* Keeps what a copy of the configuration points to; given back with weir_sink_config_unref. */
void weir_sink_config_ref(const weir_sink_config *config);
void weir_sink_config_unref(const weir_sink_config *config);

/* What makes the wall clock trusted. */
typedef enum weir_clock_rule {
    WEIR_CLOCK_PLAUSIBLE, /* its time can be true */
    WEIR_CLOCK_NTP,       /* and the kernel says that it is synchronized */
} weir_clock_rule;

const char *weir_clock_rule_text(weir_clock_rule rule); /* as in the configuration */

typedef struct weir_catalog {
    weir_arena *arena;           /* owns everything below, and the catalog itself */
    _Atomic uint32_t references; /* beside the first */
    uint32_t revision;
    size_t n_connections;
    const weir_connection *connections;
    size_t n_devices;
    const weir_device *devices;
    size_t n_tags;
    weir_tag *tags; /* only the uid is ever written, once, before the catalog is shared */
    size_t n_plans;
    weir_plan *plans; /* without `default`; only the bit is ever written, as the tags' uid */
    size_t n_sinks;
    weir_sink_config *sinks; /* only `plans` is ever written, likewise */
    size_t n_zones;
    weir_zone **zones; /* owned: those of the plans */
    weir_store_config store;
    weir_clock_rule clock_rule;
    int64_t reload_interval_us; /* so late changes are seen at most, default 1 s */
    weir_log_level log_level;
    weir_log_format log_format;
} weir_catalog;

/* One more reference, which weir_catalog_free gives back. Any thread. */
weir_catalog *weir_catalog_ref(const weir_catalog *catalog) WEIR_MUST_CHECK;

/* Gives back a reference; with the last one all is released. Accepts NULL. Any thread. */
void weir_catalog_free(weir_catalog *catalog);
WEIR_DEFINE_CLEANUP(weir_catalog, weir_catalog_free)

static inline const weir_device *weir_tag_device(const weir_catalog *c, const weir_tag *tag)
{
    return &c->devices[tag->device];
}

static inline const weir_point *weir_tag_point(const weir_catalog *c, const weir_tag *tag)
{
    return &c->devices[tag->device].points[tag->point];
}

/* What a tag has of labels. */
static inline weir_tag_labels weir_labels_of_tag(const weir_catalog *c, const weir_tag *tag)
{
    const weir_device *d = weir_tag_device(c, tag);
    const weir_point *p = weir_tag_point(c, tag);
    return (weir_tag_labels){d->labels, p->labels, d->n_labels, p->n_labels};
}

/* The plan with this name; NULL: there is none, or it is `default`. */
const weir_plan *weir_catalog_find_plan(const weir_catalog *c, const char *name);

/* The plans have their bits: the sinks' filters get them. */
void weir_catalog_name_plans(weir_catalog *catalog);

/* "main-meter/power", "main-meter/phase[2]". */
void weir_tag_name(const weir_catalog *c, const weir_tag *tag, weir_text *t);

/* Index of the tag with this name, or -1. Linear. */
int64_t weir_catalog_find_tag(const weir_catalog *c, const char *name);

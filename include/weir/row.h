/* SPDX-License-Identifier: MIT */
/* A row: a sample on its way to a sink, and what a sink answers. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/sample.h"

WEIR_C_BEGIN

/* What a user says of a device: {building: A}. */
typedef struct weir_label {
    const char *key;
    const char *value;
} weir_label;

/*
 * A tag as it was when its sample was taken. A tag that was renamed or got another unit has one of
 * these for each version; number tells them apart. Immutable, and lives as long as the sink does
 * (weir_tag_info: as the collector).
 */
typedef struct weir_sink_tag {
    weir_tag_uid uid;
    uint32_t number;  /* 0, 1, 2 ... of this sink's life: an index for what the sink keeps of it */
    const char *name; /* "main-meter/power" */
    const char *device;  /* "main-meter" */
    const char *point;   /* "power", "phase[2]": the name without its device */
    const char *unit;    /* "": none; like the texts below */
    const char *type;    /* "float32" */
    const char *address; /* "holding 52" */
    const char *description;
    size_t n_labels;
    const weir_label *labels; /* ascending by key */
    const char *labels_json;  /* "{}": none */
} weir_sink_tag;

/* The same, outside of sinks; there `number` is the tag's place in the catalog. */
typedef weir_sink_tag weir_tag_info;

/* A sample on its way to a sink, with all that is known of it. */
typedef struct weir_sink_row {
    const weir_sink_tag *tag;
    weir_sample sample; /* ts has the offset of its epoch added, where the clock was wrong */
    weir_wall received; /* when the reply came; likewise */
    uint64_t seq;       /* of weir's store: grows, but may leave numbers out */
    uint64_t plans;
    uint32_t epoch;
    uint32_t flags; /* of its batch: WEIR_BATCH_FIRST_READ says that ts is no slot; 0 when the row
                       was set aside before */
    bool replayed;  /* sent before, most likely: `weir sink replay` */
} weir_sink_row;

typedef enum weir_send_result {
    WEIR_SEND_DELIVERED, /* the other side said that it has them, all and durably */
    WEIR_SEND_LATER,     /* not now: try all of them again. Some may have arrived */
    WEIR_SEND_REJECTED,  /* it will never take first_bad, see there */
    WEIR_SEND_TOO_LARGE, /* fewer at a time: max_rows, or half as many */
} weir_send_result;

/* What is in the way. The words are the states that `weir sink list` and `sinks` show. */
#define WEIR_TROUBLE_LIST(X)                                                                       \
    X(WEIR_TROUBLE_NONE, "online")                                                                 \
    X(WEIR_TROUBLE_OFFLINE, "offline") /* cannot be reached, went away, does not answer */         \
    X(WEIR_TROUBLE_REFUSED, "refused") /* password, token, certificate, right */                   \
    X(WEIR_TROUBLE_MISCONFIGURED, "misconfigured") /* a database, table, column, bucket, folder */ \
    X(WEIR_TROUBLE_BUSY, "busy")                   /* it asks to wait, or is overloaded */         \
    X(WEIR_TROUBLE_FULL, "full")                   /* its disk or quota is */

typedef enum weir_trouble {
#define X(name, word) name,
    WEIR_TROUBLE_LIST(X)
#undef X
} weir_trouble;

WEIR_API const char *weir_trouble_text(weir_trouble trouble);

/* A sink answers one question honestly. All zero is: delivered. */
typedef struct weir_send_answer {
    weir_send_result result;
    weir_trouble trouble;
    int64_t retry_after_us; /* LATER: the other side's own wish; 0: delivery backs off by itself */
    /* REJECTED: index of one row that it will never take: those before it are sent again, then it
     * alone, and if it is rejected once more it is set aside. SIZE_MAX: it is one or several of
     * them: delivery looks for them by halves. A mistake in the configuration is never a rejection:
     * it is LATER, misconfigured. */
    size_t first_bad;
    size_t max_rows;  /* TOO_LARGE: 0: not known */
    char why[256];    /* "the server says: database \"plant\" does not exist"; no secret in it */
    char remedy[256]; /* what to do, a command if there is one; "": nothing */
} weir_send_answer;

WEIR_C_END

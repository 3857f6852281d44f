/* SPDX-License-Identifier: MIT */
/* A sink type for tests, whose other side does as it is told and outlives any process. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/sink.h"

/* What a server does with what it is sent. */
typedef enum script_mood {
    SCRIPT_WELL,
    SCRIPT_OFFLINE,
    SCRIPT_REFUSING,
    SCRIPT_MISCONFIGURED,
    SCRIPT_BUSY,
    SCRIPT_FULL,
    SCRIPT_MUTE,   /* takes all and dies before it answers */
    SCRIPT_TORN,   /* takes the first half and dies */
    SCRIPT_SILENT, /* accepts and never answers: the deadline passes */
} script_mood;

/* The other side. All zero: well, at once, takes everything. */
typedef struct script_server {
    void *data;
    /* Every row that arrives, also one that arrived before. */
    void (*on_row)(void *data, const weir_sink_row *row);
    void (*on_sleep)(void *data, int64_t us);             /* time that a send takes; may be NULL */
    bool (*is_bad)(void *data, const weir_sink_row *row); /* NULL: none is */
    bool names_bad;                                       /* says which row it rejects */
    bool names_wrong;                                     /* always the first */
    script_mood mood;
    int64_t retry_after_us;
    int64_t send_us, row_us; /* for each send, for each row */
    size_t rows_max;         /* more are too large; 0: no limit */
    bool says_rows_max;
    uint64_t has_seq; /* of a file: what resume answers */

    uint64_t n_sends, n_rows, n_idle;
    size_t largest; /* of the sends that were taken */
} script_server;

typedef struct script_sink_options {
    script_server *server;
} script_sink_options;

extern const weir_sink_type script_sink;      /* keyed, as a database */
extern const weir_sink_type script_sink_file; /* in order, and knows how far it is */

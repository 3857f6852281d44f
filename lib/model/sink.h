/* SPDX-License-Identifier: MIT */
/* What a sink is made of: code that delivers samples to one database, broker or file. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "model/catalog.h"
#include "model/option.h"
#include "model/sample.h"
#include "weir/row.h"

/* Fills answer: LATER, with this trouble and remedy, and why in the words of format. */
void weir_send_later(weir_send_answer *answer, weir_trouble trouble, const char *remedy,
                     const char *format, ...) WEIR_PRINTF(4, 5);

/* What `weir sink test` tells. */
typedef struct weir_sink_test {
    weir_send_answer answer; /* delivered: a row was taken, and taken back where that can be */
    int64_t latency_us;      /* of one round trip */
    char peer[160];          /* "PostgreSQL 15.18 at 10.0.0.9:5432, database plant, TLS 1.3" */
} weir_sink_test;

/* What a sink may use. Borrowed for its life; its functions may be called on the sink's thread. */
typedef struct weir_sink_host {
    void *data;
    const char *name;    /* of the sink, in the configuration */
    const char *store;   /* uuid of the store the samples are of */
    const char *program; /* "weir/0.2.0", for a user agent or an application name */
    uint64_t seed;       /* of what is random */
    weir_mono (*now)(void *data);
    weir_wall (*wall)(void *data);
    /* True when the sink shall end: what waits for the other side is given up, with LATER. Asked at
     * least every 200 ms while send or test waits. Any thread. */
    bool (*is_ending)(void *data);
    /* A log line: rare, for what no answer tells. */
    void (*log)(void *data, weir_log_level level, const char *event, const char *text);
    const void *context; /* of the type */
} weir_sink_host;

/* weir_sink_type.flags */
enum {
    WEIR_SINK_IN_ORDER = 1u << 0, /* a file: what is older goes first, also after an outage */
};

enum { WEIR_SINK_ABI = 3 };

/*
 * A sink type: a const descriptor. Each sink of the configuration has a thread of its own, on which
 * all of it is called: calls may block, with the deadline and is_ending in mind. delivery
 * (sinks/delivery) does everything else: takes rows from the log, chooses how many, backs off,
 * looks for what is rejected, remembers how far it came.
 */
typedef struct weir_sink_type {
    uint32_t abi; /* WEIR_SINK_ABI */
    const char *name;
    const char *summary; /* one line, for the manual */
    const char *text;    /* a paragraph or more: what becomes of each kind of value, of NaN and
                            of a bad sample, and which key absorbs a repetition */
    const weir_option *options; /* of its own; those of every sink are the catalog's */
    size_t options_size, state_size;
    unsigned flags;
    uint32_t rows_max; /* sent at a time, unless `batch` says so: 5000 and the like */

    /* Whether the options make sense together; what they lack. No I/O but reading the files that
     * hold secrets is put off to the first send. NULL: they always do. WEIR_EINVAL. */
    weir_err (*check)(const void *options, weir_error *error);
    /* Memory only, nothing that can wait: that is for the first send. options live as long. */
    weir_err (*init)(void *state, const weir_sink_host *host, const void *options,
                     weir_error *error);
    void (*deinit)(void *state); /* called even when init failed */
    /*
     * Delivers rows[0..n), ascending by seq within what is new and within what is replayed. Opens
     * its connection when it has none. Ends by the deadline.
     */
    void (*send)(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                 weir_send_answer *ret);
    /* Opens a connection of its own, looks at whatever a send needs, writes a row and takes it
     * back. */
    void (*test)(void *state, weir_mono deadline, weir_sink_test *ret);
    /* A sink that notes with the data how far it came answers with that seq, so that nothing is
     * repeated after a crash; 0: nothing is there. NULL: it cannot. */
    void (*resume)(void *state, weir_mono deadline, uint64_t *ret_seq, weir_send_answer *ret);
    /* Called about each second in which nothing is sent: to rotate, to close what is idle. NULL. */
    void (*idle)(void *state, weir_mono now);
    /* The DDL, as text for a DBA. NULL: there is none. */
    weir_err (*schema)(const void *options, weir_text *ret, weir_error *error);
    const void *context; /* what is behind a program's own type, for the host */
} weir_sink_type;

/* What a module exports under this name; sinks/module.h. NULL: not for this version of weir. */
typedef const weir_sink_type *(*weir_sink_module)(uint32_t abi);
#define WEIR_SINK_MODULE_SYMBOL "weir_sink_module_get"

/* SPDX-License-Identifier: MIT */
/* A sink of one's own: code of your program that takes samples to where they are used. */

#pragma once
#include "weir/clock.h"
#include "weir/error.h"
#include "weir/row.h"

WEIR_C_BEGIN

/*
 * The sink type named "NAME" serves every sink of the catalog whose type is NAME. Each such sink
 * has a thread of its own, on which all below is called, so calls may block: they hold up nothing
 * but this sink. What is committed waits in the store's log for it, also across a restart (with a
 * data directory on disk): every sample comes at least once. After a crash some come again; the key
 * (tag uid, ts, epoch) tells them.
 *
 * weir takes the rows from the log, chooses how many, backs off, looks for what is rejected and
 * remembers how far it came. The sink answers one question honestly.
 */

/* What a sink of the catalog says. Borrowed as long as open's state lives. */
typedef struct weir_own_sink_place {
    size_t struct_size;
    const char *name;  /* of the sink */
    const char *store; /* uuid of the store: uids and seqs are of this one */
    size_t n_options;  /* its key `options`, a mapping of text to text */
    const weir_label *options;
    /* True when the sink shall end: give up what you wait for, with LATER. Ask at least every 200
     * ms while you wait. Any thread. */
    bool (*is_ending)(const void *ending);
    const void *ending; /* for is_ending */
} weir_own_sink_place;

/* struct_size is sizeof of it. All is copied but what data points to, which must live until the
 * collector is closed. */
typedef struct weir_own_sink {
    size_t struct_size;
    const char *name; /* the `type` that the catalog's sinks name */
    void *data;
    uint32_t rows_max; /* at a time; 0: 5000 */
    bool in_order;     /* what is older goes first, also after an outage; else live samples do */

    /* Before the first send. Memory only: connect in send. A failure is the sink's state
     * (misconfigured), and tried again every 5 s. NULL: state is data. */
    weir_err (*open)(void *data, const weir_own_sink_place *place, void **ret_state,
                     weir_error *error);

    /*
     * Delivers rows[0..n), ascending by seq within what is new and within what is replayed; all is
     * borrowed until return. Be back by the deadline (of weir_mono_now). answer is all zero:
     * delivered, durably. For anything else set result, trouble and why (weir/row.h).
     */
    void (*send)(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                 weir_send_answer *answer);

    /* About each second in which nothing is sent. NULL. */
    void (*idle)(void *state);

    /* The end of what open began. NULL: nothing. */
    void (*close)(void *state);
} weir_own_sink;

WEIR_C_END

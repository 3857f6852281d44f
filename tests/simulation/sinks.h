/* SPDX-License-Identifier: MIT */
/* The sinks of a simulated world: their deliveries, their other sides, and who judges these. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/postbox.h"
#include "sinks/delivery/box.h"
#include "sinks/delivery/delivery.h"
#include "support/script_sink.h"

struct sim_world;

enum { SIM_SINKS_MAX = 4 };

/* What arrived under a sequence number; the highest of an identity counts. */
typedef struct sim_arrival {
    int64_t ts;
    uint32_t epoch;
    uint32_t value;
    uint16_t tag; /* 0 .. */
    uint8_t n;    /* how often; 255 and more */
    bool is_bad;  /* no value */
} sim_arrival;

/*
 * Each has a thread of its own in reality: what its sends take of time delays itself alone. The
 * other side, and what has arrived there, outlive the process.
 */
typedef struct sim_sink {
    struct sim_world *world;
    char name[16];
    weir_sink_config config;
    script_server server;
    script_sink_options options;
    sim_arrival *arrivals; /* [seq] */
    size_t n_arrivals;     /* room */
    uint64_t n_invented, n_repeated;

    /* of one life */
    weir_delivery_host host;
    weir_delivery_box box;
    weir_take *take;
    weir_delivery *delivery;
    weir_mono next, free_at;
    int64_t ahead_us;
} sim_sink;

/* 0: "plain", a database; 1: "file", in order, that knows how far it is; 2: "picky", which rejects
 * some rows and tells which by its mood; 3: another plain one. */
void sim_sinks_open(struct sim_world *w, unsigned n);
void sim_sinks_close(struct sim_world *w);

bool sim_sinks_start(struct sim_world *w, weir_error *error);
void sim_sinks_end(struct sim_world *w);
void sim_sinks_wake(struct sim_world *w); /* something was committed */
weir_mono sim_sinks_next(const struct sim_world *w);
void sim_sinks_step(struct sim_world *w);
void sim_sinks_post(struct sim_world *w); /* their records */

/* Whether "picky" rejects it. */
bool sim_sink_rejects(const weir_sink_row *row);

/* When all is well again and they had time: what arrived is what was committed, by key, and what is
 * missing is in quarantine. */
void sim_sinks_check(struct sim_world *w);

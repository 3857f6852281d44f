/* SPDX-License-Identifier: MIT */
/* A simulated network of Modbus slaves: transports without sockets, under a simulated clock. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/random.h"
#include "modbus/slave.h"
#include "runtime/transport.h"

/* What the network does to what it carries. Chances are per message, 0 .. 1. */
typedef struct sim_network_faults {
    double lose_reply;     /* a reply never arrives */
    double late_reply;     /* a reply arrives after late_us */
    double refuse_connect; /* an attempt to connect is refused */
    double drop_link;      /* the connection is reset instead of carrying a request */
    double garble_reply;   /* another transaction, unit, function or length; over RTU the CRC */
    double cut_reply;      /* half of it, and then the connection is reset */
    int64_t late_us;
    bool drop_accepted;  /* every connection is closed in order right after it was made */
    bool no_descriptors; /* connections cannot even be tried */
    const char *banner;  /* answers every request: the port of something else; NULL: none */
    bool wrong_function; /* replies carry another function code */
} sim_network_faults;

enum { SIM_CONNECTS_REMEMBERED = 256 };

typedef struct sim_network {
    weir_transport_host host;
    weir_mono now; /* set by whoever runs the simulation */
    weir_random random;
    sim_network_faults faults;
    const weir_slave_host *slaves;     /* behind every address */
    struct sim_delivery *deliveries;   /* in order of time */
    weir_framing framing;              /* of the slaves; TCP */
    struct weir_transport *transports; /* open ones */
    uint64_t connects, requests, n_open;
    weir_mono connected_at[SIM_CONNECTS_REMEMBERED]; /* the attempts, from the first on */
} sim_network;

void sim_network_init(sim_network *network, uint64_t seed, const weir_slave_host *slaves);
void sim_network_deinit(sim_network *network);

/* The other ends of all open connections are gone without a word: nothing sent there arrives. */
void sim_network_vanish(sim_network *network);

/* The other ends close all open connections in order. */
void sim_network_hang_up(sim_network *network);

/* Time of the next delivery, NEVER without one. */
weir_mono sim_network_next(const sim_network *network);

/* Makes all deliveries due by network->now. */
void sim_network_step(sim_network *network);

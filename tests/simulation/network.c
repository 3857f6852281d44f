/* SPDX-License-Identifier: MIT */
/* A simulated network of Modbus slaves: transports without sockets, under a simulated clock. */

#include "simulation/network.h"

#include <stdlib.h>
#include <string.h>

/* One way on a plant's network, with its spread. */
static const int64_t delay_min_us = 300, delay_spread_us = 4000;

struct weir_transport {
    sim_network *network;
    const weir_transport_events *events;
    void *user;
    weir_slave slave;
    weir_transport *next; /* of the network's open ones */
    bool vanished;
    bool open;     /* the user may be told of it */
    size_t n_open; /* deliveries under way */
};

enum what { CONNECTED, REFUSED, BYTES, CUT, RESET, HANGUP };

struct sim_delivery {
    struct sim_delivery *next;
    weir_mono at;
    weir_transport *transport;
    enum what what;
    size_t n;
    uint8_t bytes[];
};

static bool chance(sim_network *network, double p)
{
    return p > 0 && weir_random_unit(&network->random) < p;
}

static void transport_release(weir_transport *t)
{
    if (!t->open && t->n_open == 0)
        free(t);
}

static void transport_shut(weir_transport *t)
{
    weir_transport **at = &t->network->transports;
    t->open = false;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->network->n_open--;
}

static void deliver_later(weir_transport *t, enum what what, const uint8_t *bytes, size_t n,
                          int64_t extra_us)
{
    sim_network *network = t->network;
    struct sim_delivery *d = calloc(1, sizeof *d + n);
    if (!d)
        abort();
    const int64_t delay =
        delay_min_us + (int64_t)weir_random_below(&network->random, (uint64_t)delay_spread_us);
    *d = (struct sim_delivery){
        .at = weir_mono_add(network->now, delay + extra_us), .transport = t, .what = what, .n = n};
    if (n)
        memcpy(d->bytes, bytes, n);
    t->n_open++;
    struct sim_delivery **at = &network->deliveries;
    while (*at && (*at)->at.us <= d->at.us)
        at = &(*at)->next;
    d->next = *at;
    *at = d;
}

static weir_transport *network_connect(void *data, const char *host, uint16_t port,
                                       int64_t timeout_us, const weir_transport_events *events,
                                       void *user)
{
    sim_network *network = data;
    weir_transport *t = calloc(1, sizeof *t);
    (void)host;
    (void)port;
    (void)timeout_us;
    if (!t)
        abort();
    if (network->connects < SIM_CONNECTS_REMEMBERED)
        network->connected_at[network->connects] = network->now;
    network->connects++;
    if (network->faults.no_descriptors) {
        free(t);
        return NULL;
    }
    *t = (weir_transport){.network = network,
                          .events = events,
                          .user = user,
                          .open = true,
                          .next = network->transports};
    network->transports = t;
    network->n_open++;
    weir_slave_init(&t->slave, network->framing, network->slaves);
    const bool refused = chance(network, network->faults.refuse_connect);
    deliver_later(t, refused ? REFUSED : CONNECTED, NULL, 0, 0);
    if (!refused && network->faults.drop_accepted)
        deliver_later(t, HANGUP, NULL, 0, delay_spread_us);
    return t;
}

/* Something no request could have as its reply, as the header shows (over TCP there is no checksum:
 * a wrong register could not be told from a right one). */
static void reply_garble(sim_network *network, uint8_t *reply, size_t n)
{
    const size_t at = network->framing == WEIR_FRAMING_TCP
                          ? (size_t)weir_random_below(&network->random, 8)
                          : n - 1;
    reply[at] ^= (uint8_t)(1 + weir_random_below(&network->random, 127));
}

/* A reply as the network gives it back. */
static void network_reply(weir_transport *t, uint8_t *reply, size_t n)
{
    sim_network *network = t->network;
    const bool late = chance(network, network->faults.late_reply);
    const size_t function = network->framing == WEIR_FRAMING_TCP ? 7 : 1; /* its place in a frame */
    if (chance(network, network->faults.lose_reply))
        return;
    if (network->faults.wrong_function)
        reply[function] ^= 0x02;
    if (chance(network, network->faults.garble_reply))
        reply_garble(network, reply, n);
    if (chance(network, network->faults.cut_reply))
        deliver_later(t, CUT, reply, n / 2, 0);
    else
        deliver_later(t, BYTES, reply, n, late ? network->faults.late_us : 0);
}

static void network_send(weir_transport *t, const uint8_t *bytes, size_t n)
{
    sim_network *network = t->network;
    uint8_t reply[2048];
    size_t n_reply;
    bool broken;
    network->requests++;
    if (t->vanished)
        return;
    if (network->faults.banner) {
        deliver_later(t, BYTES, (const uint8_t *)network->faults.banner,
                      strlen(network->faults.banner), 0);
        return;
    }
    if (chance(network, network->faults.drop_link)) {
        deliver_later(t, RESET, NULL, 0, 0);
        return;
    }
    for (size_t used; n > 0; bytes += used, n -= used) {
        used = weir_slave_input(&t->slave, bytes, n, reply, sizeof reply, &n_reply, &broken);
        if (broken || used == 0)
            abort(); /* weir sent what is not Modbus */
        if (n_reply)
            network_reply(t, reply, n_reply);
    }
}

static void network_close(weir_transport *t)
{
    transport_shut(t);
    transport_release(t);
}

void sim_network_vanish(sim_network *network)
{
    for (weir_transport *t = network->transports; t; t = t->next)
        t->vanished = true;
}

void sim_network_hang_up(sim_network *network)
{
    for (weir_transport *t = network->transports; t; t = t->next)
        deliver_later(t, HANGUP, NULL, 0, 0);
}

void sim_network_init(sim_network *network, uint64_t seed, const weir_slave_host *slaves)
{
    *network = (sim_network){
        .host = {network, network_connect, network_send, network_close},
        .random = {seed},
        .slaves = slaves,
    };
}

void sim_network_deinit(sim_network *network)
{
    while (network->deliveries) {
        struct sim_delivery *d = network->deliveries;
        network->deliveries = d->next;
        d->transport->n_open--;
        transport_release(d->transport);
        free(d);
    }
}

weir_mono sim_network_next(const sim_network *network)
{
    return network->deliveries ? network->deliveries->at : WEIR_MONO_NEVER;
}

static void transport_ended(weir_transport *t, weir_transport_end end, const char *why)
{
    transport_shut(t);
    t->events->on_closed(t->user, end, why);
}

static void transport_deliver(weir_transport *t, const struct sim_delivery *d)
{
    switch (d->what) {
    case CONNECTED:
        t->events->on_connected(t->user);
        break;
    case BYTES:
        t->events->on_bytes(t->user, d->bytes, d->n);
        break;
    case CUT:
        t->events->on_bytes(t->user, d->bytes, d->n);
        if (t->open)
            transport_ended(t, WEIR_TRANSPORT_LOST, "connection reset by peer");
        break;
    case REFUSED:
        transport_ended(t, WEIR_TRANSPORT_REFUSED, "connection refused");
        break;
    case RESET:
        transport_ended(t, WEIR_TRANSPORT_LOST, "connection reset by peer");
        break;
    case HANGUP:
        transport_ended(t, WEIR_TRANSPORT_EOF, "closed by the other side");
        break;
    }
}

void sim_network_step(sim_network *network)
{
    while (network->deliveries && weir_mono_reached(network->now, network->deliveries->at)) {
        struct sim_delivery *d = network->deliveries;
        weir_transport *t = d->transport;
        network->deliveries = d->next;
        if (t->open && (!t->vanished || d->what == CONNECTED || d->what == REFUSED))
            transport_deliver(t, d);
        t->n_open--;
        transport_release(t);
        free(d);
    }
}

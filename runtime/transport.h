/* SPDX-License-Identifier: MIT */
/* What a source needs of the network: byte streams, made by the platform. */

#pragma once
#include <stddef.h>
#include <stdint.h>

/* How a stream ended, for the cause of the samples that it cost. */
typedef enum weir_transport_end {
    WEIR_TRANSPORT_REFUSED, /* could not be made: refused, unreachable, name unknown, timed out */
    WEIR_TRANSPORT_EOF,     /* the other side closed it in order */
    WEIR_TRANSPORT_LOST,    /* reset, or an error while sending or receiving */
} weir_transport_end;

/* The user's part. Called on the loop thread, never from inside connect, send or close. */
typedef struct weir_transport_events {
    void (*on_connected)(void *user);
    void (*on_bytes)(void *user, const uint8_t *bytes, size_t n); /* borrowed until return */
    /* Once, unless the user closed it before. why is a sentence's end: "connection refused". The
     * transport is gone after return. */
    void (*on_closed)(void *user, weir_transport_end end, const char *why);
} weir_transport_events;

typedef struct weir_transport weir_transport;

/* Implementations: runtime/uv_transport.c on libuv; the simulations bring their own. */
typedef struct weir_transport_host {
    void *data;
    /*
     * Begins to connect. NULL when memory or descriptors are short. The host name and events are
     * borrowed for the transport's life.
     */
    weir_transport *(*connect)(void *data, const char *host, uint16_t port, int64_t timeout_us,
                               const weir_transport_events *events, void *user);
    /* Sends all bytes, in order; copies what cannot go at once. Errors come as on_closed. */
    void (*send)(weir_transport *transport, const uint8_t *bytes, size_t n);
    /* Ends it; no event follows. */
    void (*close)(weir_transport *transport);
} weir_transport_host;

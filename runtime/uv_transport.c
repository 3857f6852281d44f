/* SPDX-License-Identifier: MIT */
/* Transports on libuv: TCP, with names resolved off the loop.
 *
 * The happy path: connect -> (a name: runtime/resolver.c) -> uv_tcp_connect -> on_connected ->
 * reading; send writes at once what the socket takes and queues the rest.
 *
 * The ways it ends: an error at any step, or silence while connecting, gives on_closed once; the
 * user's close gives nothing. Either way the memory is released in the last of libuv's callbacks; a
 * look-up that still runs is given up. */

#include "runtime/uv_transport.h"

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/resolver.h"

enum {
    QUEUE_MAX = 64 * 1024, /* bytes a peer that reads nothing may leave here: 250 long requests */
    KEEPALIVE_S = 30,
};

/* The kernel gives up on bytes that nobody acknowledged for so long; the masters' own timeouts
 * come much earlier, this is for what they do not see. */
static const unsigned user_timeout_ms = 30000;

struct weir_transport {
    weir_uv_transport_host *owner;
    const weir_transport_events *events;
    void *user;
    const char *host;
    uint16_t port;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_async_t resolved;   /* open while there is a look-up */
    weir_resolve *resolve; /* NULL: none */
    uint64_t timeout_ms;
    size_t queued;
    bool connected;
    bool ended;    /* the user knows, or has closed it */
    int n_handles; /* open libuv handles */
};

struct write {
    uv_write_t request;
    size_t size;
    char bytes[];
};

static void transport_release(weir_transport *t)
{
    if (t->n_handles > 0)
        return;
    t->owner->n_open--;
    weir_free(t);
}

static void on_handle_closed(uv_handle_t *handle)
{
    weir_transport *t = handle->data;
    t->n_handles--;
    transport_release(t);
}

/* Begins to close all. The object lives until on_handle_closed. */
static void transport_shut(weir_transport *t)
{
    t->ended = true;
    if (t->resolve) {
        weir_resolve_free(t->resolve);
        t->resolve = NULL;
        uv_close((uv_handle_t *)&t->resolved, on_handle_closed);
    }
    if (!uv_is_closing((uv_handle_t *)&t->tcp))
        uv_close((uv_handle_t *)&t->tcp, on_handle_closed);
    if (!uv_is_closing((uv_handle_t *)&t->timer))
        uv_close((uv_handle_t *)&t->timer, on_handle_closed);
}

static void transport_end(weir_transport *t, weir_transport_end end, const char *why)
{
    if (t->ended)
        return;
    transport_shut(t);
    t->events->on_closed(t->user, end, why);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    weir_transport *t = handle->data;
    (void)suggested;
    *buf = uv_buf_init(t->owner->input, sizeof t->owner->input);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    weir_transport *t = stream->data;
    if (t->ended || n == 0)
        return;
    if (n == UV_EOF)
        transport_end(t, WEIR_TRANSPORT_EOF, "closed by the other side");
    else if (n < 0)
        transport_end(t, WEIR_TRANSPORT_LOST, uv_strerror((int)n));
    else
        t->events->on_bytes(t->user, (const uint8_t *)buf->base, (size_t)n);
}

static void transport_tune(weir_transport *t)
{
    uv_os_fd_t fd;
    (void)uv_tcp_nodelay(&t->tcp, 1);
    (void)uv_tcp_keepalive(&t->tcp, 1, KEEPALIVE_S);
    if (uv_fileno((uv_handle_t *)&t->tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms,
                         sizeof user_timeout_ms);
}

static void on_connect(uv_connect_t *request, int status)
{
    weir_transport *t = request->handle->data;
    if (t->ended)
        return;
    (void)uv_timer_stop(&t->timer);
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&t->tcp, on_alloc, on_read);
    if (status < 0) {
        transport_end(t, WEIR_TRANSPORT_REFUSED, uv_strerror(status));
        return;
    }
    transport_tune(t);
    t->connected = true;
    t->events->on_connected(t->user);
}

static void transport_connect_to(weir_transport *t, const struct sockaddr *address)
{
    int status = uv_tcp_connect(&t->connect, &t->tcp, address, on_connect);
    if (status < 0)
        transport_end(t, WEIR_TRANSPORT_REFUSED, uv_strerror(status));
}

/* The look-up's thread says so. */
static void wake_resolved(void *data)
{
    weir_transport *t = data;
    (void)uv_async_send(&t->resolved);
}

static void on_resolved(uv_async_t *async)
{
    weir_transport *t = async->data;
    struct sockaddr_storage address;
    char text[200];
    if (!t->resolve)
        return;
    const char *why = weir_resolve_get(t->resolve, &address);
    weir_resolve_free(t->resolve);
    t->resolve = NULL;
    uv_close((uv_handle_t *)&t->resolved, on_handle_closed);
    if (!why) {
        transport_connect_to(t, (const struct sockaddr *)&address);
        return;
    }
    (void)snprintf(text, sizeof text, "the name '%.80s' does not resolve: %s", t->host, why);
    transport_end(t, WEIR_TRANSPORT_REFUSED, text);
}

static void transport_resolve(weir_transport *t)
{
    if (uv_async_init(t->owner->loop, &t->resolved, on_resolved) != 0) {
        transport_end(t, WEIR_TRANSPORT_REFUSED, "cannot look its name up: out of memory");
        return;
    }
    t->n_handles++;
    t->resolved.data = t;
    t->resolve = weir_resolve_new(t->host, t->port, wake_resolved, t);
    if (t->resolve)
        return;
    uv_close((uv_handle_t *)&t->resolved, on_handle_closed);
    transport_end(t, WEIR_TRANSPORT_REFUSED, "too many names are being looked up");
}

static void on_connect_timeout(uv_timer_t *timer)
{
    transport_end(timer->data, WEIR_TRANSPORT_REFUSED, "no answer to the connection attempt");
}

/* An address literal needs no resolver. Runs from the timer, since no event may come from inside
 * connect. */
static void on_begin(uv_timer_t *timer)
{
    weir_transport *t = timer->data;
    struct sockaddr_storage address;
    (void)uv_timer_start(&t->timer, on_connect_timeout, t->timeout_ms, 0);
    if (uv_ip4_addr(t->host, t->port, (struct sockaddr_in *)&address) == 0 ||
        uv_ip6_addr(t->host, t->port, (struct sockaddr_in6 *)&address) == 0) {
        transport_connect_to(t, (const struct sockaddr *)&address);
        return;
    }
    transport_resolve(t);
}

static weir_transport *uv_transport_connect(void *data, const char *host, uint16_t port,
                                            int64_t timeout_us, const weir_transport_events *events,
                                            void *user)
{
    weir_uv_transport_host *owner = data;
    weir_transport *t = weir_alloc_zero(1, sizeof *t);
    if (!t)
        return NULL;
    t->owner = owner;
    t->events = events;
    t->user = user;
    t->host = host;
    t->port = port;
    t->timeout_ms = (uint64_t)(timeout_us / WEIR_MS);
    if (uv_tcp_init(owner->loop, &t->tcp) != 0) {
        weir_free(t);
        return NULL;
    }
    (void)uv_timer_init(owner->loop, &t->timer);
    t->tcp.data = t->timer.data = t;
    t->n_handles = 2;
    owner->n_open++;
    (void)uv_timer_start(&t->timer, on_begin, 0, 0);
    return t;
}

static void on_written(uv_write_t *request, int status)
{
    struct write *write = (struct write *)request;
    weir_transport *t = request->handle->data;
    t->queued -= write->size;
    weir_free(write);
    if (status < 0)
        transport_end(t, WEIR_TRANSPORT_LOST, uv_strerror(status));
}

/* From the timer: an error of send may not be told from inside send. */
static void on_send_failed(uv_timer_t *timer)
{
    transport_end(timer->data, WEIR_TRANSPORT_LOST, "sending failed");
}

static void transport_fail_soon(weir_transport *t)
{
    (void)uv_timer_start(&t->timer, on_send_failed, 0, 0);
}

static void uv_transport_send(weir_transport *t, const uint8_t *bytes, size_t n)
{
    if (t->ended || !t->connected)
        return;
    /* libuv: uv_try_write gives EAGAIN while a queued write is pending, so order is kept. */
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)n);
    int sent = uv_try_write((uv_stream_t *)&t->tcp, &buf, 1);
    if (sent == (int)n)
        return;
    if (sent < 0 && sent != UV_EAGAIN) {
        transport_fail_soon(t);
        return;
    }
    const size_t done = sent > 0 ? (size_t)sent : 0;
    struct write *write = NULL;
    if (t->queued + n - done <= QUEUE_MAX)
        write = weir_alloc(sizeof *write + n - done);
    if (!write) {
        transport_fail_soon(t);
        return;
    }
    write->size = n - done;
    memcpy(write->bytes, bytes + done, write->size);
    buf = uv_buf_init(write->bytes, (unsigned)write->size);
    if (uv_write(&write->request, (uv_stream_t *)&t->tcp, &buf, 1, on_written) != 0) {
        weir_free(write);
        transport_fail_soon(t);
        return;
    }
    t->queued += write->size;
}

static void uv_transport_close(weir_transport *t)
{
    transport_shut(t);
}

void weir_uv_transport_host_init(weir_uv_transport_host *h, uv_loop_t *loop)
{
    h->host = (weir_transport_host){h, uv_transport_connect, uv_transport_send, uv_transport_close};
    h->loop = loop;
    h->n_open = 0;
}

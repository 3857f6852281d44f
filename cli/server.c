/* SPDX-License-Identifier: MIT */
/* A Modbus server on a libuv loop that shows a plant. */

/*
 * Each client has a slave, which turns bytes into answers. Happy path: bytes arrive, the answers go
 * out at once. A client that does not take its answers is not read from until it does, so it costs
 * one buffer and no more. A client that sends something else than Modbus, or goes away, is closed;
 * its memory is released in the closed callback. One thread: the loop's.
 */

#include "cli/server.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "modbus/slave.h"
#include "runtime/clock.h"

enum {
    BACKLOG = 1024,     /* a thousand masters connect at once */
    INPUT_BYTES = 1024, /* of requests taken at a time */
    REPLY_BYTES = 4096,
};

struct listener {
    uv_tcp_t tcp; /* first: a handle is its listener */
    weir_server *server;
    weir_framing framing;
    struct listener *next;
};

struct client {
    uv_tcp_t tcp; /* first */
    weir_server *server;
    struct client *next, **link; /* in server->clients */
    weir_slave slave;
    uv_write_t write;
    size_t at, n; /* of input: what the slave has not yet taken */
    uint8_t input[INPUT_BYTES];
    uint8_t reply[REPLY_BYTES];
};

struct weir_server {
    uv_loop_t *loop;
    const weir_plant *plant;
    weir_slave_host host;
    struct listener *listeners;
    struct client *clients;
};

static int show_plant(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    const weir_server *server = data;
    int code = weir_plant_read(server->plant, unit, table, address, n, weir_system_wall(), ret);
    return code == WEIR_PLANT_NO_UNIT ? WEIR_SLAVE_SILENT : code;
}

weir_server *weir_server_new(uv_loop_t *loop, const weir_plant *plant)
{
    weir_server *server = weir_alloc_zero(1, sizeof *server);
    if (!server)
        return NULL;
    server->loop = loop;
    server->plant = plant;
    server->host = (weir_slave_host){.data = server, .read = show_plant};
    return server;
}

/* --- a client --- */

static void on_client_closed(uv_handle_t *handle)
{
    weir_free(handle);
}

static void client_close(struct client *c)
{
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    uv_close((uv_handle_t *)&c->tcp, on_client_closed);
}

static bool client_answer(struct client *c);

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct client *c = (struct client *)handle;
    (void)suggested;
    *ret = uv_buf_init((char *)c->input, sizeof c->input);
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct client *c = (struct client *)stream;
    (void)buffer;
    if (n < 0) {
        client_close(c);
        return;
    }
    c->at = 0;
    c->n = (size_t)n;
    (void)client_answer(c);
}

static void on_written(uv_write_t *write, int status)
{
    struct client *c = write->data;
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    if (status < 0) {
        client_close(c);
        return;
    }
    if (client_answer(c))
        (void)uv_read_start((uv_stream_t *)&c->tcp, on_room, on_bytes);
}

/* True: all of it went out at once. Else on_written goes on, or the client is closed. */
static bool client_send(struct client *c, size_t n)
{
    uv_buf_t buffer = uv_buf_init((char *)c->reply, (unsigned)n);
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &buffer, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        client_close(c);
        return false;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done == n)
        return true;
    buffer = uv_buf_init((char *)c->reply + done, (unsigned)(n - done));
    c->write.data = c;
    (void)uv_read_stop((uv_stream_t *)&c->tcp);
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buffer, 1, on_written) != 0)
        client_close(c);
    return false;
}

/* True: all input is answered. False: an answer waits for room (on_written), or it is closed. */
static bool client_answer(struct client *c)
{
    bool broken = false;
    while (c->at < c->n && !broken) {
        size_t n = 0;
        c->at += weir_slave_input(&c->slave, c->input + c->at, c->n - c->at, c->reply,
                                  sizeof c->reply, &n, &broken);
        if (n && !client_send(c, n))
            return false;
    }
    if (broken)
        client_close(c);
    return !broken;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = (struct listener *)stream;
    weir_server *server = listener->server;
    if (status < 0)
        return;
    struct client *c = weir_alloc_zero(1, sizeof *c);
    if (!c || uv_tcp_init(server->loop, &c->tcp) != 0) {
        weir_free(c);
        return;
    }
    c->server = server;
    c->next = server->clients;
    c->link = &server->clients;
    if (c->next)
        c->next->link = &c->next;
    server->clients = c;
    weir_slave_init(&c->slave, listener->framing, &server->host);
    if (uv_accept(stream, (uv_stream_t *)&c->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, on_room, on_bytes) != 0)
        client_close(c);
    else
        (void)uv_tcp_nodelay(&c->tcp, 1);
}

/* --- listening --- */

static weir_err fail_listen(const weir_uri *uri, int code, weir_error *error)
{
    if (code == UV_EACCES)
        return weir_fail(error, WEIR_EPERM,
                         "may not listen on port %u: ports below 1024 need root. Try port 5020",
                         uri->port);
    if (code == UV_EADDRINUSE)
        return weir_fail(error, WEIR_ECONNECT,
                         "%s:%u is in use by another program. Port 0 takes a free one", uri->host,
                         uri->port);
    return weir_fail(error, WEIR_ECONNECT, "cannot listen on %s:%u: %s", uri->host, uri->port,
                     uv_strerror(code));
}

static int bind_and_listen(struct listener *l, const struct sockaddr *address, uint16_t *ret_port)
{
    struct sockaddr_storage bound;
    int n = sizeof bound;
    int code = uv_tcp_bind(&l->tcp, address, 0);
    if (!code)
        code = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (!code)
        code = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&bound, &n);
    if (code)
        return code;
    *ret_port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                  : ((struct sockaddr_in *)&bound)->sin_port);
    return 0;
}

weir_err weir_server_listen(weir_server *server, const weir_uri *uri, uint16_t *ret_port,
                            weir_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *addresses = NULL;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", uri->port);
    int unknown = getaddrinfo(uri->host, port, &hints, &addresses);
    if (unknown)
        return weir_fail(error, WEIR_ECONNECT, "cannot listen on %s: %s", uri->host,
                         gai_strerror(unknown));
    struct listener *l = weir_alloc_zero(1, sizeof *l);
    int code = l ? uv_tcp_init(server->loop, &l->tcp) : UV_ENOMEM;
    if (code) {
        weir_free(l);
    } else {
        /* From here on weir_server_close closes it, whether it listens or not. */
        l->server = server;
        l->framing = uri->scheme == WEIR_SCHEME_RTU_TCP ? WEIR_FRAMING_RTU : WEIR_FRAMING_TCP;
        l->next = server->listeners;
        server->listeners = l;
        code = bind_and_listen(l, addresses->ai_addr, ret_port);
    }
    freeaddrinfo(addresses);
    if (code == UV_ENOMEM)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    return code ? fail_listen(uri, code, error) : WEIR_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    weir_free(handle);
}

void weir_server_close(weir_server *server)
{
    while (server->clients)
        client_close(server->clients);
    while (server->listeners) {
        struct listener *l = server->listeners;
        server->listeners = l->next;
        uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
    }
}

void weir_server_free(weir_server *server)
{
    weir_free(server);
}

/* SPDX-License-Identifier: MIT */
/* The control socket: what a running weir tells about itself, as JSON lines.
 *
 * The happy path: one thread polls the listening socket and up to CLIENTS_MAX clients, answers each
 * line with a line, one line a turn. Nothing here waits for a client: what it does not read yet
 * stays here, and no more is read from it until then.
 *
 * What can go wrong: a client sends garbage and gets an error line; sends an endless line and is
 * dropped; does nothing for IDLE_US and loses its place when another wants one. Without a place or
 * a descriptor for it a new client waits in the listening socket. */

#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "daemon/control_answer.h"
#include "daemon/control_ask.h"
#include "runtime/clock.h"

enum {
    CLIENTS_MAX = 16,
    LINE_MAX_BYTES = 64 * 1024,
    WAIT_MS = 200, /* until the next look for a place or a descriptor */
};

/* A client may keep its place for so long without a word. */
static const int64_t idle_us = WEIR_S;

struct client {
    int fd; /* -1: free */
    weir_text input;
    weir_text output;
    size_t sent;       /* of the output */
    bool ended;        /* it sends no more: dropped after its answers */
    int64_t active_us; /* when it last sent or took something */
};

struct weir_control {
    weir_control_parts parts;
    struct sockaddr_un address;
    int listener;
    int stop_pipe[2];
    pthread_t thread;
    bool bound; /* the socket's file is ours */
    bool started;
    struct client clients[CLIENTS_MAX];
};

/* --- clients ------------------------------------------------------------------------------ */

static void client_drop(struct client *client)
{
    (void)close(client->fd);
    weir_text_deinit(&client->input);
    weir_text_deinit(&client->output);
    *client = (struct client){.fd = -1};
}

/* The end of the first whole line, or NULL. */
static char *client_line_end(const struct client *client)
{
    return client->input.length ? memchr(client->input.text, '\n', client->input.length) : NULL;
}

static bool client_wants_to_send(const struct client *client)
{
    return client->output.length > 0 || client_line_end(client);
}

/* Answers the first line. False: no memory. */
static bool client_answer(weir_control *c, struct client *client)
{
    char *end = client_line_end(client);
    const size_t n = (size_t)(end - client->input.text);
    json_t *answer = weir_control_answer(&c->parts, client->input.text, n);
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    if (text)
        weir_text_format(&client->output, "%s\n", text);
    const bool ok = text && !client->output.failed;
    free(text);
    client->input.length -= n + 1;
    memmove(client->input.text, end + 1, client->input.length + 1);
    return ok;
}

/* Sends what the socket takes. False: it is broken. */
static bool client_send(struct client *client)
{
    ssize_t n = send(client->fd, client->output.text + client->sent,
                     client->output.length - client->sent, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    client->active_us = weir_system_mono().us;
    client->sent += (size_t)n;
    if (client->sent == client->output.length) {
        weir_text_deinit(&client->output); /* an answer may be large, and the next one far away */
        client->sent = 0;
    }
    return true;
}

/* False: it is broken, or its line is too long. */
static bool client_receive(struct client *client)
{
    char bytes[4096];
    ssize_t n = read(client->fd, bytes, sizeof bytes);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    client->ended = n == 0;
    client->active_us = weir_system_mono().us;
    weir_text_add_n(&client->input, bytes, (size_t)n);
    return !client->input.failed;
}

static void client_serve(weir_control *c, struct client *client)
{
    bool ok = true;
    if (!client_wants_to_send(client))
        ok = client_receive(client);
    if (ok && client->output.length == 0 && client_line_end(client))
        ok = client_answer(c, client);
    if (ok && client->output.length > 0)
        ok = client_send(client);
    if (!ok || (client->ended && !client_wants_to_send(client)))
        client_drop(client);
}

/* A free place, or that of the client idle for longest; NULL: all are busy. */
static struct client *control_place(weir_control *c)
{
    struct client *oldest = &c->clients[0];
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &c->clients[i];
        if (client->fd < 0)
            return client;
        if (client->active_us < oldest->active_us)
            oldest = client;
    }
    return weir_system_mono().us - oldest->active_us >= idle_us ? oldest : NULL;
}

/* False: a new client has to wait. */
static bool control_accept(weir_control *c)
{
    struct client *place = control_place(c);
    if (!place)
        return false;
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) /* no descriptors: to poll at once would turn in a circle */
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    if (place->fd >= 0)
        client_drop(place);
    *place = (struct client){
        .fd = fd, .input = {.limit = LINE_MAX_BYTES}, .active_us = weir_system_mono().us};
    return true;
}

static void *control_main(void *data)
{
    weir_control *c = data;
    bool accepting = true;
    for (;;) {
        struct pollfd fds[2 + CLIENTS_MAX] = {{c->stop_pipe[0], POLLIN, 0},
                                              {accepting ? c->listener : -1, POLLIN, 0}};
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            fds[2 + i] = (struct pollfd){
                c->clients[i].fd, client_wants_to_send(&c->clients[i]) ? POLLOUT : POLLIN, 0};
        (void)poll(fds, 2 + CLIENTS_MAX, accepting ? -1 : WAIT_MS);
        if (fds[0].revents)
            break;
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            if (c->clients[i].fd >= 0 && fds[2 + i].revents)
                client_serve(c, &c->clients[i]);
        accepting = !accepting || !fds[1].revents || control_accept(c);
    }
    return NULL;
}

/* --- life --------------------------------------------------------------------------------- */

static weir_err control_listen(weir_control *c, weir_error *error)
{
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->listener < 0 || pipe2(c->stop_pipe, O_CLOEXEC) != 0)
        return weir_fail(error, WEIR_EIO, "control socket: %s", strerror(errno));
    (void)unlink(c->address.sun_path);
    /* On Linux the file is born with the socket's mode; umask would concern the other threads. */
    (void)fchmod(c->listener, 0600);
    c->bound = bind(c->listener, (const struct sockaddr *)&c->address, sizeof c->address) == 0;
    if (!c->bound || listen(c->listener, CLIENTS_MAX) != 0)
        return weir_fail(error, WEIR_EIO, "control socket %s: %s", c->address.sun_path,
                         strerror(errno));
    return WEIR_OK;
}

static weir_err control_start(weir_control *c, weir_error *error)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    sigset_t all, old;
    WEIR_CLEANUP(weir_catalog_free)
    weir_catalog *catalog = weir_runtime_catalog(c->parts.collector);
    weir_err err = weir_control_path(catalog->store.data_dir, getpid(), &path, error);
    if (err)
        return err;
    c->address.sun_family = AF_UNIX;
    memcpy(c->address.sun_path, path.text, path.length + 1);
    err = control_listen(c, error);
    if (err)
        return err;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    c->started = pthread_create(&c->thread, NULL, control_main, c) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return c->started ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "the control thread");
}

weir_err weir_control_start(weir_runtime *collector, weir_deliveries *deliveries,
                            struct weir_reload *reload, weir_control **ret, weir_error *error)
{
    weir_control *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return weir_fail(error, WEIR_ENOMEM, "the control socket");
    c->parts = (weir_control_parts){collector, deliveries, reload, NULL};
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        c->clients[i].fd = -1;
    c->listener = c->stop_pipe[0] = c->stop_pipe[1] = -1;
    weir_err err =
        weir_historians_new(weir_runtime_store_dir(collector), NULL,
                            weir_runtime_postbox(collector), &c->parts.historians, error);
    if (!err)
        err = control_start(c, error);
    if (err) {
        weir_control_stop(c);
        return err;
    }
    *ret = c;
    return WEIR_OK;
}

void weir_control_stop(weir_control *control)
{
    weir_control *c = control;
    if (!c)
        return;
    if (c->started) {
        (void)close(c->stop_pipe[1]); /* the thread sees the other end hang up */
        c->stop_pipe[1] = -1;
        (void)pthread_join(c->thread, NULL);
    }
    if (c->bound)
        (void)unlink(c->address.sun_path);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i].fd >= 0)
            client_drop(&c->clients[i]);
    for (size_t i = 0; i < 2; i++)
        if (c->stop_pipe[i] >= 0)
            (void)close(c->stop_pipe[i]);
    if (c->listener >= 0)
        (void)close(c->listener);
    weir_historians_free(c->parts.historians);
    weir_free(c);
}

const char *weir_control_socket(const weir_control *control)
{
    return control->address.sun_path;
}

/* SPDX-License-Identifier: MIT */
/* One Modbus request after another over a blocking connection, for the commands. */

/*
 * The socket is non-blocking and every wait is one ppoll that ends at the link's next wake-up, with
 * the signals of weir_blocking_watch let in just there. Happy path: submit, output to the socket,
 * bytes from the socket to input, on_reply. The other ways it ends: silence (the link's timeout),
 * the peer closes or resets (the link is told), bytes that are not Modbus (the link is broken), and
 * a signal.
 */

#include "cli/blocking.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runtime/clock.h"

struct weir_blocking {
    int fd;
    weir_link *link;
    const volatile sig_atomic_t *stop;
    int64_t timeout_us;
    weir_request request;
    bool answered;
    weir_blocking_answer *answer;
};

static volatile sig_atomic_t *watched_stop;

static void on_stop_signal(int number)
{
    (void)number;
    *watched_stop = 1;
}

void weir_blocking_watch(volatile sig_atomic_t *stop)
{
    struct sigaction action = {.sa_handler = on_stop_signal};
    sigset_t set;
    watched_stop = stop;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* Waits for events on fd (-1: none) until a time; signals come in here only. */
static short wait_for(int fd, short events, weir_mono until)
{
    struct pollfd p = {.fd = fd, .events = events};
    struct timespec timeout;
    sigset_t none;
    int64_t left = until.us - weir_system_mono().us;
    if (left < 0)
        left = 0;
    timeout.tv_sec = left / WEIR_S;
    timeout.tv_nsec = left % WEIR_S * 1000;
    (void)sigemptyset(&none);
    return ppoll(&p, fd >= 0, until.us == INT64_MAX ? NULL : &timeout, &none) > 0 ? p.revents : 0;
}

static bool stopped(const volatile sig_atomic_t *stop)
{
    return stop && *stop;
}

void weir_blocking_wait(weir_mono until, const volatile sig_atomic_t *stop)
{
    while (!stopped(stop) && !weir_mono_reached(weir_system_mono(), until))
        (void)wait_for(-1, 0, until);
}

/* --- connecting --- */

/* 0, or the errno of the failure; ETIMEDOUT when the deadline passes, EINTR when stopped. */
static int connect_one(const struct addrinfo *address, weir_mono deadline,
                       const volatile sig_atomic_t *stop, int *ret_fd)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = 0, on = 1;
    socklen_t n = sizeof error;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            while (!stopped(stop) && !wait_for(fd, POLLOUT, deadline) &&
                   !weir_mono_reached(weir_system_mono(), deadline))
                ;
            error = ETIMEDOUT;
            if (stopped(stop))
                error = EINTR;
            else if (wait_for(fd, POLLOUT, (weir_mono){0}))
                (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
        }
    }
    if (error) {
        (void)close(fd);
        return error;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *ret_fd = fd;
    return 0;
}

static const char *connect_advice(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused. Is the device on and the port right?";
    case ETIMEDOUT:
        return "no answer. Is the address right, the device on, and no firewall between?";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "no route. Is the address in a network this machine can reach?";
    default:
        return strerror(error);
    }
}

static weir_err connect_host(const weir_blocking_options *options, int *ret_fd, weir_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *addresses = NULL;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", options->uri.port);
    const char *host = options->uri.host;
    int unknown = getaddrinfo(host, port, &hints, &addresses);
    if (unknown)
        return weir_fail(error, WEIR_ECONNECT, "cannot find %s: %s. Is the name right?", host,
                         gai_strerror(unknown));
    weir_mono deadline = weir_mono_add(weir_system_mono(), options->timeout_us);
    int failed = 0;
    for (const struct addrinfo *a = addresses; a; a = a->ai_next) {
        failed = connect_one(a, deadline, options->stop, ret_fd);
        if (failed == 0 || failed == EINTR)
            break;
    }
    freeaddrinfo(addresses);
    if (failed == EINTR)
        return weir_fail(error, WEIR_ECANCELED, "interrupted");
    if (failed)
        return weir_fail(error, WEIR_ECONNECT, "cannot connect to %s:%s: %s", host, port,
                         connect_advice(failed));
    return WEIR_OK;
}

weir_err weir_blocking_open(const weir_blocking_options *options, weir_blocking **ret,
                            weir_error *error)
{
    assert(options->uri.scheme == WEIR_SCHEME_TCP || options->uri.scheme == WEIR_SCHEME_RTU_TCP);
    weir_link_config config = {
        .framing = options->uri.scheme == WEIR_SCHEME_TCP ? WEIR_FRAMING_TCP : WEIR_FRAMING_RTU,
        .max_in_flight = 1,
        .retries = options->retries,
        .busy_retries = 3,
        .timeout_us = options->timeout_us,
        .busy_retries_wait_us = 200 * WEIR_MS,
    };
    /* Without entropy the transaction ids start at 0, which is only less careful. */
    if (getrandom(&config.seed, sizeof config.seed, GRND_NONBLOCK) < 0)
        config.seed = 0;
    WEIR_CLEANUP(weir_blocking_close) weir_blocking *b = weir_alloc_zero(1, sizeof *b);
    if (!b)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    b->fd = -1;
    b->stop = options->stop;
    b->timeout_us = options->timeout_us;
    b->link = weir_link_new(&config, &options->observer);
    if (!b->link)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_err err = connect_host(options, &b->fd, error);
    if (err)
        return err;
    weir_link_connected(b->link, weir_system_mono());
    *ret = b;
    b = NULL;
    return WEIR_OK;
}

void weir_blocking_close(weir_blocking *b)
{
    if (!b)
        return;
    if (b->fd >= 0)
        (void)close(b->fd);
    weir_link_free(b->link);
    weir_free(b);
}

const char *weir_blocking_broken(const weir_blocking *b)
{
    return weir_link_broken(b->link);
}

/* --- a request --- */

static void on_reply(weir_request *request, const weir_reply *reply)
{
    weir_blocking *b =
        (weir_blocking *)(void *)((char *)request - offsetof(weir_blocking, request));
    b->answered = true;
    if (!b->answer) /* the request was given up: freeing the link ends it */
        return;
    b->answer->result = reply->result;
    b->answer->code = reply->code;
    b->answer->rtt_us = reply->sent ? reply->received_at.us - reply->sent_at.us : 0;
    assert(reply->n_data <= sizeof b->answer->data);
    b->answer->n_data = reply->n_data;
    if (reply->n_data)
        memcpy(b->answer->data, reply->data, reply->n_data);
}

static void lost(weir_blocking *b)
{
    weir_link_disconnected(b->link, weir_system_mono());
    (void)close(b->fd);
    b->fd = -1;
}

/* A request is smaller than any socket buffer, so what does not fit at once means a peer that has
 * stopped reading; it gets one timeout. */
static bool send_all(weir_blocking *b, const uint8_t *bytes, size_t n)
{
    weir_mono deadline = weir_mono_add(weir_system_mono(), b->timeout_us);
    while (n) {
        ssize_t sent = send(b->fd, bytes, n, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (errno == EAGAIN && !stopped(b->stop)) {
            (void)wait_for(b->fd, POLLOUT, deadline);
            if (weir_mono_reached(weir_system_mono(), deadline))
                return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static void receive(weir_blocking *b)
{
    uint8_t bytes[512];
    ssize_t n = recv(b->fd, bytes, sizeof bytes, 0);
    if (n > 0)
        weir_link_input(b->link, bytes, (size_t)n, weir_system_mono());
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        lost(b);
}

static void exchange(weir_blocking *b)
{
    const uint8_t *bytes;
    weir_mono wake = weir_link_step(b->link, weir_system_mono());
    size_t n = weir_link_output(b->link, weir_system_mono(), &bytes);
    if (b->answered)
        return;
    if (n && !send_all(b, bytes, n)) {
        lost(b);
        return;
    }
    if (n) /* sending sets the deadline that the next step reports */
        wake = weir_link_step(b->link, weir_system_mono());
    if (b->fd >= 0 && !b->answered && wait_for(b->fd, POLLIN, wake))
        receive(b);
    if (b->fd >= 0 && weir_link_broken(b->link))
        lost(b);
}

weir_err weir_blocking_read(weir_blocking *b, uint8_t unit, uint8_t function, uint16_t address,
                            uint16_t count, weir_blocking_answer *ret, weir_error *error)
{
    weir_blocking_answer answer = {0};
    b->request = (weir_request){.unit = unit,
                                .function = function,
                                .address = address,
                                .count = count,
                                .class = WEIR_CLASS_ON_DEMAND,
                                .on_reply = on_reply};
    b->answered = false;
    b->answer = &answer;
    weir_link_submit(b->link, &b->request, weir_system_mono());
    while (!b->answered && !stopped(b->stop))
        exchange(b);
    b->answer = NULL;
    if (!b->answered)
        return weir_fail(error, WEIR_ECANCELED, "interrupted");
    *ret = answer;
    return WEIR_OK;
}

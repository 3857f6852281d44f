/* SPDX-License-Identifier: MIT */
/* The least a Modbus TCP master can be: one epoll loop, one request a connection, checked and
 * decoded. */

/*
 * usage: ref-master closed|paced PORT CONNECTIONS REGISTERS SECONDS [WARMUP_SECONDS]
 *
 * closed  every connection asks again as soon as it has its reply
 * paced   every connection asks once a second, all in the slots of the wall clock's full seconds
 *
 * Reads holding registers from address 0 of unit 1; checks every field of the header and of the
 * reply and turns the registers into host order. Prints {"mode", "requests", "seconds",
 * "cpu_us_per_request", "bad", "late"}; late: replies that came after the next slot had begun.
 */

#include "peer.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

enum { EVENTS_MAX = 256, TIMER = UINT16_MAX };

struct connection {
    int fd;
    uint16_t tid;
    bool waits; /* for a reply */
    size_t n;
    uint8_t frame[FRAME_LENGTH_MAX];
};

struct master {
    int epoll, timer;
    unsigned n_connections, n_registers;
    bool is_paced;
    struct connection *connections;
    uint16_t values[125]; /* of the last reply, in host order */
    uint64_t checksum;    /* so that the decoding is not thrown away */
    uint64_t requests, bad, late;
};

static void ask(const struct master *m, struct connection *c)
{
    uint8_t request[REQUEST_LENGTH] = {0};
    put_u16(request, ++c->tid);
    put_u16(request + 4, REQUEST_LENGTH - 6);
    request[6] = 1;
    request[7] = 3;
    put_u16(request + 10, m->n_registers);
    c->waits = true;
    if (send(c->fd, request, sizeof request, MSG_NOSIGNAL) != (ssize_t)sizeof request)
        die("send");
}

static bool is_good(const struct master *m, const struct connection *c)
{
    const uint8_t *f = c->frame;
    return get_u16(f) == c->tid && get_u16(f + 2) == 0 &&
           get_u16(f + 4) == 3 + 2 * m->n_registers && f[6] == 1 && f[7] == 3 &&
           f[8] == 2 * m->n_registers;
}

static void decode(struct master *m, const struct connection *c)
{
    for (unsigned i = 0; i < m->n_registers; i++) {
        m->values[i] = (uint16_t)get_u16(c->frame + 9 + 2 * i);
        m->checksum += m->values[i];
    }
}

static void receive(struct master *m, struct connection *c)
{
    const size_t whole = 9 + 2 * (size_t)m->n_registers;
    const ssize_t got = recv(c->fd, c->frame + c->n, whole - c->n, 0);
    if (got <= 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        die("recv");
    c->n += (size_t)got;
    if (c->n < whole)
        return;
    if (is_good(m, c))
        decode(m, c);
    else
        m->bad++;
    c->n = 0;
    c->waits = false;
    m->requests++;
    if (!m->is_paced)
        ask(m, c);
}

static void slot(struct master *m)
{
    uint64_t expirations;
    if (read(m->timer, &expirations, sizeof expirations) < 0)
        return;
    for (unsigned i = 0; i < m->n_connections; i++) {
        if (m->connections[i].waits)
            m->late++;
        else
            ask(m, &m->connections[i]);
    }
}

static void run_for(struct master *m, int64_t us)
{
    const int64_t end = clock_us(CLOCK_MONOTONIC) + us;
    struct epoll_event events[EVENTS_MAX];
    int64_t left;
    while ((left = end - clock_us(CLOCK_MONOTONIC)) > 0) {
        const int n = epoll_wait(m->epoll, events, EVENTS_MAX, (int)(left / 1000) + 1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == TIMER)
                slot(m);
            else
                receive(m, &m->connections[events[i].data.u32]);
        }
    }
}

static void connect_all(struct master *m, unsigned port)
{
    const struct sockaddr_in address = loopback(port);
    for (unsigned i = 0; i < m->n_connections; i++) {
        struct connection *c = &m->connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
            fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
            epoll_ctl(m->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
            die("connect");
        set_nodelay(c->fd);
    }
}

/* Full seconds of the wall clock, as weir's slots. */
static void start_timer(struct master *m)
{
    const time_t next = (time_t)(clock_us(CLOCK_REALTIME) / 1000000 + 1);
    const struct itimerspec when = {.it_interval.tv_sec = 1, .it_value.tv_sec = next};
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = TIMER};
    m->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (m->timer < 0 || timerfd_settime(m->timer, TFD_TIMER_ABSTIME, &when, NULL) != 0 ||
        epoll_ctl(m->epoll, EPOLL_CTL_ADD, m->timer, &event) != 0)
        die("timer");
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        (void)fprintf(
            stderr, "usage: %s closed|paced PORT CONNECTIONS REGISTERS SECONDS [WARMUP_SECONDS]\n",
            argv[0]);
        return 2;
    }
    struct master m = {.epoll = epoll_create1(EPOLL_CLOEXEC),
                       .n_connections = (unsigned)strtoul(argv[3], NULL, 10),
                       .n_registers = (unsigned)strtoul(argv[4], NULL, 10),
                       .is_paced = strcmp(argv[1], "paced") == 0};
    const double seconds = strtod(argv[5], NULL), warmup = argc > 6 ? strtod(argv[6], NULL) : 0.5;
    m.connections = calloc(m.n_connections, sizeof *m.connections);
    if (!m.connections || m.n_registers < 1 || m.n_registers > 125 || m.n_connections >= TIMER)
        return 2;
    allow_many_files();
    connect_all(&m, (unsigned)strtoul(argv[2], NULL, 10));
    if (m.is_paced)
        start_timer(&m);
    else
        for (unsigned i = 0; i < m.n_connections; i++)
            ask(&m, &m.connections[i]);
    run_for(&m, (int64_t)(warmup * 1e6));
    const uint64_t requests = m.requests;
    const int64_t cpu = cpu_us(), began = clock_us(CLOCK_MONOTONIC);
    m.bad = m.late = 0;
    run_for(&m, (int64_t)(seconds * 1e6));
    const uint64_t n = m.requests - requests;
    (void)printf(
        "{\"mode\": \"%s\", \"requests\": %llu, \"seconds\": %.3f, \"cpu_us_per_request\": %.3f, "
        "\"bad\": %llu, \"late\": %llu, \"checksum\": %llu}\n",
        argv[1], (unsigned long long)n, (double)(clock_us(CLOCK_MONOTONIC) - began) / 1e6,
        n ? (double)(cpu_us() - cpu) / (double)n : 0.0, (unsigned long long)m.bad,
        (unsigned long long)m.late, (unsigned long long)m.checksum);
    free(m.connections);
    return 0;
}

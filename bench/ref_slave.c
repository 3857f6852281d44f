/* SPDX-License-Identifier: MIT */
/* The least a Modbus TCP slave can be: one epoll loop that answers functions 1 to 4 from memory. */

/*
 * usage: ref-slave [LEDGER]
 *
 * Answers for every unit; register a holds a, coil a holds a & 1. Prints 'listening PORT' and ends
 * with its standard input, then prints {"requests", "cpu_us_per_request"}. LEDGER gets a line
 * 'second requests' for each second of the wall clock in which it was asked.
 */

#include "peer.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS_MAX = 256, ROOM = 4096, CLIENTS_MAX = 65536 };

struct client {
    size_t n;
    uint8_t room[ROOM];
};

static struct client *clients[CLIENTS_MAX]; /* by file descriptor */

struct counts {
    uint64_t total;
    uint64_t in_second;
    int64_t second;
    FILE *ledger;
};

static void ledger_write(struct counts *counts)
{
    if (counts->ledger && counts->in_second)
        (void)fprintf(counts->ledger, "%lld %llu\n", (long long)counts->second,
                      (unsigned long long)counts->in_second);
    counts->in_second = 0;
}

static void count_request(struct counts *counts, int64_t second)
{
    if (second != counts->second) {
        ledger_write(counts);
        counts->second = second;
    }
    counts->in_second++;
    counts->total++;
}

static size_t fill_registers(uint8_t *at, unsigned address, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        put_u16(at + 2 * i, address + i);
    return 2 * (size_t)n;
}

static size_t fill_bits(uint8_t *at, unsigned address, unsigned n)
{
    const size_t length = (n + 7) / 8;
    memset(at, address & 1 ? 0x55 : 0xaa, length);
    if (n % 8)
        at[length - 1] &= (uint8_t)((1u << n % 8) - 1);
    return length;
}

/* Writes the reply to a whole request; returns its length, 0: nothing to answer. */
static size_t answer(const uint8_t *request, uint8_t *reply)
{
    const uint8_t function = request[HEADER_LENGTH];
    const unsigned address = get_u16(request + 8), n = get_u16(request + 10);
    const bool is_bits = function <= 2;
    size_t length = 2;
    memcpy(reply, request, HEADER_LENGTH + 1);
    if (function < 1 || function > 4 || n < 1 || n > (is_bits ? 2000u : 125u)) {
        reply[HEADER_LENGTH] |= 0x80;
        reply[HEADER_LENGTH + 1] = function < 1 || function > 4 ? 1 : 3;
    } else {
        uint8_t *data = reply + HEADER_LENGTH + 2;
        const size_t n_bytes =
            is_bits ? fill_bits(data, address, n) : fill_registers(data, address, n);
        reply[HEADER_LENGTH + 1] = (uint8_t)n_bytes;
        length += n_bytes;
    }
    put_u16(reply + 4, (unsigned)length + 1);
    return HEADER_LENGTH + length;
}

static void client_close(int fd)
{
    free(clients[fd]);
    clients[fd] = NULL;
    (void)close(fd);
}

/* All whole requests that have come, answered with one send(). */
static void client_serve(int fd, struct counts *counts)
{
    struct client *client = clients[fd];
    static uint8_t replies[ROOM / REQUEST_LENGTH * FRAME_LENGTH_MAX];
    const ssize_t got = recv(fd, client->room + client->n, ROOM - client->n, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            client_close(fd);
        return;
    }
    client->n += (size_t)got;
    size_t used = 0, n_replies = 0;
    const int64_t second = clock_us(CLOCK_REALTIME) / 1000000;
    while (client->n - used >= REQUEST_LENGTH) {
        if (get_u16(client->room + used + 4) != REQUEST_LENGTH - 6) {
            client_close(fd);
            return;
        }
        n_replies += answer(client->room + used, replies + n_replies);
        used += REQUEST_LENGTH;
        count_request(counts, second);
    }
    client->n -= used;
    memmove(client->room, client->room + used, client->n);
    if (n_replies && send(fd, replies, n_replies, MSG_NOSIGNAL) != (ssize_t)n_replies)
        client_close(fd);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= CLIENTS_MAX || !(clients[fd] = calloc(1, sizeof **clients))) {
            (void)close(fd);
            continue;
        }
        set_nodelay(fd);
        watch(epoll, fd);
    }
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 4096) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        die("listen");
    (void)printf("listening %u\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    struct counts counts = {.ledger = argc > 1 ? fopen(argv[1], "we") : NULL};
    struct epoll_event events[EVENTS_MAX];
    if (argc > 1 && !counts.ledger)
        die(argv[1]);
    allow_many_files();
    const int listener = listen_anywhere();
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    watch(epoll, STDIN_FILENO);
    for (bool running = true; running;) {
        const int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            const int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(epoll, listener);
            else if (fd == STDIN_FILENO)
                running = false;
            else
                client_serve(fd, &counts);
        }
    }
    ledger_write(&counts);
    if (counts.ledger)
        (void)fclose(counts.ledger);
    (void)printf("{\"requests\": %llu, \"cpu_us_per_request\": %.3f}\n",
                 (unsigned long long)counts.total,
                 counts.total ? (double)cpu_us() / (double)counts.total : 0.0);
    return 0;
}

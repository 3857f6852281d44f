/* SPDX-License-Identifier: MIT */
/* An event loop of one's own: the Modbus master under poll(2), no thread, libweir-core alone.
 *
 *     cc own_loop.c $(pkg-config --cflags --libs weir-core) -o own_loop
 *     ./own_loop 127.0.0.1 502 3          reads three times, a second apart
 *
 * Reads holding registers 52 and 53 as a float32 and coil 3 of unit 1. */

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <weir/core.h>

struct program {
    weir_modbus *master;
    int socket;
    int left;   /* reads that have not ended */
    int failed; /* reads that were not answered */
};

static int64_t clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * WEIR_S + t.tv_nsec / 1000;
}

static weir_mono now(void)
{
    const weir_mono t = {clock_us(CLOCK_MONOTONIC)};
    return t;
}

static weir_wall wall(void)
{
    const weir_wall t = {clock_us(CLOCK_REALTIME)};
    return t;
}

static void on_samples(void *data, const weir_modbus_reply *reply, const weir_sample *samples,
                       size_t n)
{
    (void)data;
    for (size_t i = 0; i < n; i++) {
        char time[28], value[80], quality[80];
        weir_wall_format(samples[i].ts, time);
        weir_value_text(&samples[i].value, value, sizeof value);
        weir_quality_text(samples[i].quality, quality, sizeof quality);
        printf("%s device %" PRIu32 " tag %" PRIu32 " = %s (%s)\n", time, reply->device,
               samples[i].tag, value, quality);
    }
}

static void on_done(void *data, uint64_t read, weir_outcome outcome, weir_quality worst)
{
    struct program *p = data;
    (void)read;
    (void)worst;
    p->left--;
    p->failed += outcome != WEIR_OUTCOME_ANSWERED;
}

static weir_err master_make(struct program *p, weir_error *error)
{
    const weir_modbus_options options = {.struct_size = sizeof options,
                                         .timeout_us = WEIR_S,
                                         .seed = (uint64_t)getpid(),
                                         .data = p,
                                         .on_samples = on_samples,
                                         .on_done = on_done};
    const weir_modbus_device device = {.struct_size = sizeof device, .unit_id = 1};
    const weir_point_options power = {.struct_size = sizeof power,
                                      .name = "power",
                                      .table = WEIR_REGISTER_HOLDING,
                                      .address = 52,
                                      .type = WEIR_TYPE_FLOAT32,
                                      .scale = "0.001"};
    const weir_point_options running = {.struct_size = sizeof running,
                                        .name = "running",
                                        .table = WEIR_REGISTER_COIL,
                                        .address = 3};
    uint32_t number;
    weir_err err = weir_modbus_new(&options, &p->master, error);
    if (!err)
        err = weir_modbus_add_device(p->master, &device, &number, error);
    if (!err)
        err = weir_modbus_add_point(p->master, &power, 0, NULL, error);
    if (!err)
        err = weir_modbus_add_point(p->master, &running, 0, NULL, error);
    if (!err)
        err = weir_modbus_begin(p->master, now(), wall(), error);
    return err;
}

static int connect_to(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &all) != 0)
        return -1;
    for (const struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    return fd;
}

/* Sends what the master has to send; returns its next wake-up. */
static weir_mono drive(struct program *p)
{
    const uint8_t *bytes;
    size_t n;
    weir_mono next = weir_modbus_step(p->master, now());
    while ((n = weir_modbus_output(p->master, now(), &bytes)) > 0) {
        /* A request has at most 260 bytes: they fit into the socket's buffer. */
        if (send(p->socket, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
            weir_modbus_disconnected(p->master, now(), true);
        next = weir_modbus_step(p->master, now());
    }
    return next;
}

/* Waits for bytes or the master's time. False: the connection is lost. */
static int wait_and_feed(struct program *p, weir_mono until)
{
    struct pollfd waiting = {.fd = p->socket, .events = POLLIN};
    const int64_t us = until.us - now().us;
    const int ms = us <= 0 ? 0 : us > 3600 * WEIR_S ? 3600 * 1000 : (int)((us + 999) / 1000);
    uint8_t bytes[1024];
    if (poll(&waiting, 1, ms) <= 0)
        return 1;
    const ssize_t n = recv(p->socket, bytes, sizeof bytes, 0);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    weir_modbus_input(p->master, bytes, (size_t)n, now());
    return weir_modbus_broken(p->master) == NULL;
}

static int run(struct program *p, int rounds)
{
    weir_mono due = now();
    weir_modbus_connected(p->master, now());
    while (rounds > 0 || p->left > 0) {
        if (rounds > 0 && now().us >= due.us) {
            weir_modbus_read(p->master, 0, 1u << 0, wall(), now());
            p->left++;
            rounds--;
            due.us += WEIR_S;
        }
        weir_mono next = drive(p);
        if (rounds > 0 && due.us < next.us)
            next = due;
        if ((rounds > 0 || p->left > 0) && !wait_and_feed(p, next))
            return 1;
    }
    return p->failed > 0;
}

int main(int argc, char **argv)
{
    struct program p = {.socket = -1};
    weir_error error = WEIR_ERROR_INIT;
    int code = 1;
    if (argc < 3) {
        fprintf(stderr, "usage: own_loop HOST PORT [ROUNDS]\n");
        return 2;
    }
    if (master_make(&p, &error))
        fprintf(stderr, "%s\n", error.text);
    else if ((p.socket = connect_to(argv[1], argv[2])) < 0)
        fprintf(stderr, "cannot connect to %s port %s\n", argv[1], argv[2]);
    else
        code = run(&p, argc > 3 ? atoi(argv[3]) : 3);
    if (p.socket >= 0)
        close(p.socket);
    weir_modbus_free(p.master);
    return code;
}

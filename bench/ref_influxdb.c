/* SPDX-License-Identifier: MIT */
/* What InfluxDB takes at most: a bare poster, the reference of bench/sinks. Uses nothing of
 * weir. */

/*
 *   ref-influxdb PORT DATABASE ROWS BATCH TAGS GZIP
 *
 * The lines that layout weir gives `drive-sink` for the same numbers, made before the clock starts;
 * each batch compressed (zlib level 1, or 0: not) and posted on one kept connection with
 * TCP_NODELAY, the next after its answer. {"seconds": ...} on standard output.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

enum { LINE_MAX_BYTES = 160, HEAD_MAX = 400 };

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "ref-influxdb: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        fail("cannot connect");
    return fd;
}

static void send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t sent = write(fd, bytes, n);
        if (sent <= 0)
            fail("connection lost");
        bytes += sent;
        n -= (size_t)sent;
    }
}

/* An answer of 204 has no body. */
static void expect_204(int fd)
{
    char answer[4096];
    size_t n = 0;
    do {
        const ssize_t got = read(fd, answer + n, sizeof answer - 1 - n);
        if (got <= 0)
            fail("connection closed");
        n += (size_t)got;
        answer[n] = '\0';
    } while (!strstr(answer, "\r\n\r\n") && n < sizeof answer - 1);
    if (strncmp(answer, "HTTP/1.1 204", 12) != 0)
        fail(answer);
}

static size_t pack(z_stream *z, const char *text, size_t n, unsigned char *to, size_t room)
{
    (void)deflateReset(z);
    z->next_in = (unsigned char *)(uintptr_t)text;
    z->avail_in = (uInt)n;
    z->next_out = to;
    z->avail_out = (uInt)room;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        fail("cannot compress");
    return (size_t)z->total_out;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        fail("PORT DATABASE ROWS BATCH TAGS GZIP");
    const uint16_t port = (uint16_t)strtol(argv[1], NULL, 10);
    const long rows = strtol(argv[3], NULL, 10), batch = strtol(argv[4], NULL, 10),
               tags = strtol(argv[5], NULL, 10);
    const int is_packed = strcmp(argv[6], "0") != 0;
    const long n_batches = (rows + batch - 1) / batch;
    char *text = malloc((size_t)rows * LINE_MAX_BYTES), *p = text;
    size_t *starts = calloc((size_t)n_batches + 1, sizeof *starts);
    if (!text || !starts)
        fail("no memory");
    srand48(1);
    for (long i = 0; i < rows; i++) {
        if (i % batch == 0)
            starts[i / batch] = (size_t)(p - text);
        const long tag = i % tags;
        p +=
            sprintf(p, "weir,device=device-%ld,tag=device-%ld/point-%ld value=%.15g %ld000000000\n",
                    tag / 20, tag / 20, tag % 20, (double)(lrand48() % 100000) / 100,
                    1700000000 + i / tags);
    }
    starts[n_batches] = (size_t)(p - text);
    z_stream z = {0};
    const size_t room = (size_t)batch * LINE_MAX_BYTES + 1024;
    unsigned char *packed = malloc(room);
    if (!packed || deflateInit2(&z, 1, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        fail("no memory");
    const int fd = connect_to(port);
    const double began = now();
    for (long b = 0; b < n_batches; b++) {
        char head[HEAD_MAX];
        const char *body = text + starts[b];
        size_t n = starts[b + 1] - starts[b];
        if (is_packed) {
            n = pack(&z, body, n, packed, room);
            body = (const char *)packed;
        }
        const int length =
            snprintf(head, sizeof head,
                     "POST /write?precision=n&db=%.64s HTTP/1.1\r\nHost: localhost\r\n%s"
                     "Content-Length: %zu\r\n\r\n",
                     argv[2], is_packed ? "Content-Encoding: gzip\r\n" : "", n);
        send_all(fd, head, (size_t)length);
        send_all(fd, body, n);
        expect_204(fd);
    }
    printf("{\"seconds\": %.6f}\n", now() - began);
    (void)deflateEnd(&z);
    return 0;
}

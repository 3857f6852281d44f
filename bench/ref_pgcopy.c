/* SPDX-License-Identifier: MIT */
/* What a sink to PostgreSQL is measured against: a bare loop of binary COPY into the same table. */

/*
 *   ref-pgcopy CONNINFO N TAGS BATCH FROM_US
 *
 * N rows of good doubles, tags in turn, a second between the rounds, each BATCH one COPY and so one
 * commit. Prints {"sent": N, "seconds": S}. Uses nothing of weir but its table weir_samples.
 */

#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

enum { ROW_MAX = 160 };

static char *at;

static void put(const void *bytes, size_t n)
{
    memcpy(at, bytes, n);
    at += n;
}

static void put16(int v)
{
    const uint16_t be = htobe16((uint16_t)v);
    put(&be, 2);
}

static void put32(int64_t v)
{
    const uint32_t be = htobe32((uint32_t)v);
    put(&be, 4);
}

static void put64(int64_t v)
{
    const uint64_t be = htobe64((uint64_t)v);
    put(&be, 8);
}

static void put_numeric(uint64_t v)
{
    int digits[5], n = 0, zeros = 0;
    for (; v > 0; v /= 10000)
        digits[n++] = (int)(v % 10000);
    while (zeros < n && digits[zeros] == 0)
        zeros++;
    put32(8 + 2 * (n - zeros));
    put16(n - zeros);
    put16(n - 1);
    put32(0); /* sign, digits behind the point */
    for (int i = n; i > zeros; i--)
        put16(digits[i - 1]);
}

static void put_row(int tag, int64_t ts_us, uint64_t seq, double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put16(10);
    put32(4);
    put32(tag);
    put32(8);
    put64(ts_us - 946684800000000);
    put32(4);
    put32(0);
    put_numeric(seq);
    put32(8);
    put64(bits);
    put32(-1);
    put32(-1);
    put32(-1);
    put32(4);
    put("good", 4);
    put32(-1);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(PGconn *pg)
{
    fprintf(stderr, "ref-pgcopy: %s\n", PQerrorMessage(pg));
    exit(1);
}

static void copy(PGconn *pg, const char *bytes, size_t n)
{
    PGresult *result =
        PQexec(pg, "COPY weir_samples (tag_id, ts, epoch, seq, num, exact, txt, raw, "
                   "quality, cause) FROM STDIN (FORMAT binary)");
    if (PQresultStatus(result) != PGRES_COPY_IN)
        fail(pg);
    PQclear(result);
    if (PQputCopyData(pg, bytes, (int)n) != 1 || PQputCopyEnd(pg, NULL) != 1)
        fail(pg);
    while ((result = PQgetResult(pg))) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail(pg);
        PQclear(result);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    PGconn *pg = PQconnectdb(argv[1]);
    const long n = atol(argv[2]), n_tags = atol(argv[3]), batch = atol(argv[4]);
    const int64_t from_us = atoll(argv[5]);
    char *buffer = malloc((size_t)batch * ROW_MAX + 64);
    double seconds = 0;
    if (PQstatus(pg) != CONNECTION_OK || !buffer)
        fail(pg);
    for (long sent = 0; sent < n; sent += batch) {
        const double began = now();
        at = buffer;
        put("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
        for (long k = sent; k < sent + batch && k < n; k++)
            put_row((int)(k % n_tags) + 1, from_us + k / n_tags * 1000000, (uint64_t)k + 1,
                    (double)(k * 7919 % 100000) / 100);
        put16(-1);
        copy(pg, buffer, (size_t)(at - buffer));
        seconds += now() - began;
    }
    printf("{\"sent\": %ld, \"seconds\": %.6f}\n", n, seconds);
    free(buffer);
    PQfinish(pg);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* A tally: what happened to the requests of one device, and how long replies took. */

#include "modbus/tally.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void tally_add_rtt(weir_tally *tally, int64_t rtt_us)
{
    uint32_t rtt = rtt_us < 0 ? 0 : rtt_us > UINT32_MAX ? UINT32_MAX : (uint32_t)rtt_us;
    tally->rtts_us[tally->n_rtts++ % WEIR_TALLY_RTTS] = rtt;
}

void weir_tally_count(weir_tally *tally, const char *what, int64_t rtt_us)
{
    weir_device_counters *c = &tally->counters;
    const struct {
        const char *what;
        uint64_t *counter; /* NULL: none */
        bool timed;        /* the device answered: its time is kept */
    } rows[] = {
        {"sent", &c->requests, false},       {"reply", NULL, true},
        {"timeout", &c->timeouts, false},    {"late", &c->late, false},
        {"exception", &c->exceptions, true}, {"malformed", &c->malformed, false},
        {"wrong_id", &c->malformed, false},  {"wrong_unit", &c->malformed, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(what, rows[i].what))
            continue;
        if (rows[i].counter)
            ++*rows[i].counter;
        if (rows[i].timed)
            tally_add_rtt(tally, rtt_us);
        return;
    }
}

static int rtt_compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

weir_device_counters weir_tally_get(const weir_tally *tally)
{
    weir_device_counters c = tally->counters;
    size_t n = tally->n_rtts < WEIR_TALLY_RTTS ? (size_t)tally->n_rtts : WEIR_TALLY_RTTS;
    if (n == 0)
        return c;
    uint32_t sorted[WEIR_TALLY_RTTS];
    memcpy(sorted, tally->rtts_us, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, rtt_compare);
    /* The nearest rank: the smallest value that at least that share does not exceed. */
    c.rtt_us_p50 = sorted[(n * 50 + 99) / 100 - 1];
    c.rtt_us_p99 = sorted[(n * 99 + 99) / 100 - 1];
    return c;
}

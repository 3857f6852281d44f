/* SPDX-License-Identifier: MIT */
/* Counts and round-trip times of a series of requests, and the line that sums them up. */

#include "cli/rtt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void rtt_add(weir_rtt *rtt, int64_t us)
{
    if (us > INT32_MAX)
        us = INT32_MAX;
    if (rtt->n == 0 || us < rtt->min_us)
        rtt->min_us = us;
    if (us > rtt->max_us)
        rtt->max_us = us;
    rtt->sum_us += (double)us;
    rtt->kept_us[rtt->n++ % WEIR_RTT_KEPT] = (int32_t)us;
}

static void on_count(void *data, uint8_t unit, const char *what, int64_t rtt_us)
{
    weir_rtt *rtt = data;
    (void)unit;
    if (!strcmp(what, "sent")) {
        rtt->requests++;
    } else if (!strcmp(what, "reply")) {
        rtt->ok++;
        rtt_add(rtt, rtt_us);
    } else if (!strcmp(what, "timeout")) {
        rtt->timeouts++;
    } else if (!strcmp(what, "late")) {
        rtt->late++;
    } else if (!strcmp(what, "exception")) {
        rtt->exceptions++;
    } else {
        rtt->malformed++;
    }
}

static void on_notice(void *data, const char *text)
{
    (void)data;
    (void)fprintf(stderr, "weir: %s\n", text);
}

weir_link_host weir_rtt_observer(weir_rtt *rtt)
{
    return (weir_link_host){.data = rtt, .on_count = on_count, .on_notice = on_notice};
}

static int compare(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static double p99_us(const weir_rtt *rtt)
{
    int32_t sorted[WEIR_RTT_KEPT];
    size_t n = rtt->n < WEIR_RTT_KEPT ? (size_t)rtt->n : WEIR_RTT_KEPT;
    memcpy(sorted, rtt->kept_us, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare);
    return sorted[(n * 99 + 99) / 100 - 1];
}

static void add_count(weir_text *t, uint64_t n, const char *one, const char *many)
{
    if (n)
        weir_text_format(t, ", %llu %s", (unsigned long long)n, n == 1 ? one : many);
}

void weir_rtt_format(const weir_rtt *rtt, weir_text *t)
{
    const double ms = (double)WEIR_MS;
    weir_text_format(t, "%llu request%s, %llu ok", (unsigned long long)rtt->requests,
                     rtt->requests == 1 ? "" : "s", (unsigned long long)rtt->ok);
    add_count(t, rtt->late, "late", "late");
    add_count(t, rtt->timeouts, "timeout", "timeouts");
    add_count(t, rtt->exceptions, "exception", "exceptions");
    add_count(t, rtt->malformed, "malformed", "malformed");
    if (rtt->requests > rtt->ok + rtt->exceptions)
        weir_text_format(t, ", %.1f %% loss",
                         100.0 * (double)(rtt->requests - rtt->ok - rtt->exceptions) /
                             (double)rtt->requests);
    if (rtt->n)
        weir_text_format(t, ", rtt min/avg/p99/max %.1f/%.1f/%.1f/%.1f ms",
                         (double)rtt->min_us / ms, rtt->sum_us / (double)rtt->n / ms,
                         p99_us(rtt) / ms, (double)rtt->max_us / ms);
}

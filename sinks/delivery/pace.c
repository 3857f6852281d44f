/* SPDX-License-Identifier: MIT */
/* Pace: how many rows to send, how long to wait after a failure, how fast a backlog may go. */

#include "sinks/delivery/pace.h"

#include <stdlib.h>
#include <string.h>

/* Long enough to be worth a round trip, short enough for live rows to wait behind. */
#define SEND_AIM     (500 * WEIR_MS)
#define BACK_OFF_MIN WEIR_S
#define BACK_OFF_MAX (60 * WEIR_S)
/* What waits for a person is not worth a try each minute, and may lock an account. */
#define BACK_OFF_PERSON (5 * WEIR_MINUTE)
#define RETRY_AFTER_MAX WEIR_HOUR
/* A shorter send says nothing about a larger one: the clock and the scheduler are in it. */
#define RTT_MIN WEIR_MS

static const double size_first = 500; /* before anything is known of the other side */
static const double growth_max = 2, shrink_max = 4;
static const double ceiling_growth = 1.02; /* twice as many after some 35 sends */

void weir_pace_init(weir_pace *pace, size_t most, uint64_t backlog_rate, uint64_t seed,
                    weir_mono now)
{
    *pace = (weir_pace){.random = {seed},
                        .most = most ? (double)most : 1,
                        .backlog_rate = (double)backlog_rate,
                        .tokens_at = now,
                        .second = now.us / WEIR_S};
    pace->size = pace->most < size_first ? pace->most : size_first;
    pace->ceiling = pace->most;
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

size_t weir_pace_size(const weir_pace *pace)
{
    return (size_t)clamp(pace->size, 1, pace->ceiling < 1 ? 1 : pace->ceiling);
}

/* It is another second: those that nothing was counted in are 0. */
static void pace_turn(weir_pace *p, weir_mono now)
{
    const int64_t second = now.us / WEIR_S;
    int64_t gone = second - p->second;
    for (gone = gone > WEIR_PACE_BACKLOG_SECONDS ? WEIR_PACE_BACKLOG_SECONDS : gone; gone > 0;
         gone--) {
        const uint64_t s = (uint64_t)(second - gone + 1);
        p->rows[s % WEIR_PACE_SECONDS] = 0;
        p->less[s % WEIR_PACE_BACKLOG_SECONDS] = 0;
    }
    p->second = second;
}

/* From two sends of which one had twice the rows or more. Without it a server that takes a second
 * for anything would get ever smaller sends, down to a row a second. */
static void learn_fixed(weir_pace *p, double n, double took_us)
{
    if (p->other_n <= 0 || n >= 2 * p->other_n || p->other_n >= 2 * n) {
        if (p->other_n > 0)
            p->fixed_us = took_us - n * (took_us - p->other_us) / (n - p->other_n);
        p->other_n = n;
        p->other_us = took_us;
    }
    p->fixed_us = clamp(p->fixed_us, 0, took_us);
}

/* How many rows would take as long as a send should. */
static double aim_at(const weir_pace *p, double n, double took_us)
{
    const double aim_us = 2 * p->fixed_us > (double)SEND_AIM ? 2 * p->fixed_us : (double)SEND_AIM;
    const double rows_us = took_us - p->fixed_us;
    return n * (aim_us - p->fixed_us) / (rows_us > (double)RTT_MIN ? rows_us : (double)RTT_MIN);
}

void weir_pace_delivered(weir_pace *pace, size_t n, int64_t rtt_us, weir_mono now)
{
    const double took = (double)(rtt_us > RTT_MIN ? rtt_us : RTT_MIN);
    learn_fixed(pace, (double)n, took);
    const double aim = aim_at(pace, (double)n, took);
    pace->rtts[pace->next_rtt] = rtt_us;
    pace->next_rtt = (pace->next_rtt + 1) % WEIR_PACE_RTTS;
    pace->n_rtts += pace->n_rtts < WEIR_PACE_RTTS;
    pace_turn(pace, now);
    pace->rows[(uint64_t)pace->second % WEIR_PACE_SECONDS] += n;
    /* A send that was small for want of rows does not say that a larger one would be slow, and a
     * quick one only how fast one of its size is. */
    if (aim < pace->size || (double)n * 2 >= pace->size)
        pace->size = clamp(aim, pace->size / shrink_max, pace->size * growth_max);
    if ((double)n * 2 >= pace->ceiling)
        pace->ceiling *= ceiling_growth;
    pace->ceiling = clamp(pace->ceiling, 1, pace->most);
    pace->size = clamp(pace->size, 1, pace->ceiling);
}

bool weir_pace_is_far(const weir_pace *pace)
{
    return 2 * pace->fixed_us > (double)SEND_AIM;
}

void weir_pace_too_large(weir_pace *pace, size_t n, size_t most_rows)
{
    const size_t half = n / 2;
    const size_t size = most_rows > 0 && most_rows < n ? most_rows : half;
    pace->ceiling = clamp((double)size, 1, pace->most);
    pace->size = clamp(pace->size, 1, pace->ceiling);
}

int64_t weir_pace_failed(weir_pace *pace, weir_trouble trouble, int64_t retry_after_us)
{
    const bool needs_person =
        trouble == WEIR_TROUBLE_REFUSED || trouble == WEIR_TROUBLE_MISCONFIGURED;
    const int64_t most = needs_person ? BACK_OFF_PERSON : BACK_OFF_MAX;
    const unsigned doublings = pace->failures < 16 ? pace->failures : 16;
    int64_t wait = BACK_OFF_MIN << doublings;
    pace->failures++;
    if (retry_after_us > 0)
        return retry_after_us < RETRY_AFTER_MAX ? retry_after_us : RETRY_AFTER_MAX;
    wait = wait < most ? wait : most;
    return wait / 2 + (int64_t)weir_random_below(&pace->random, (uint64_t)wait / 2 + 1);
}

void weir_pace_recovered(weir_pace *pace)
{
    pace->failures = 0;
}

weir_mono weir_pace_backlog_at(weir_pace *pace, weir_mono now)
{
    const double rate = pace->backlog_rate;
    if (rate <= 0)
        return now;
    const int64_t passed = now.us - pace->tokens_at.us;
    pace->tokens_at = now;
    /* What was not used does not add up: a second later the rate is the rate. */
    pace->tokens = clamp(pace->tokens + rate * (double)passed / (double)WEIR_S, -1e18, 0);
    return weir_mono_add(now, (int64_t)(-pace->tokens / rate * (double)WEIR_S));
}

void weir_pace_backlog_sent(weir_pace *pace, size_t n)
{
    if (pace->backlog_rate > 0)
        pace->tokens -= (double)n;
}

void weir_pace_backlog_less(weir_pace *pace, int64_t n, weir_mono now)
{
    pace_turn(pace, now);
    pace->less[(uint64_t)pace->second % WEIR_PACE_BACKLOG_SECONDS] += n;
}

/* The first second that is among the last n, and still known. */
static int64_t window_from(const weir_pace *pace, int64_t n, weir_mono now)
{
    const int64_t from = now.us / WEIR_S - n + 1, known = pace->second - n + 1;
    return from > known ? from : known > 0 ? known : 0;
}

double weir_pace_rate(const weir_pace *pace, weir_mono now)
{
    uint64_t sum = 0;
    for (int64_t s = window_from(pace, WEIR_PACE_SECONDS, now); s <= pace->second; s++)
        sum += pace->rows[(uint64_t)s % WEIR_PACE_SECONDS];
    return (double)sum / WEIR_PACE_SECONDS;
}

double weir_pace_backlog_rate(const weir_pace *pace, weir_mono now)
{
    const int64_t second = now.us / WEIR_S;
    int64_t sum = 0, first = second;
    for (int64_t s = pace->second; s >= window_from(pace, WEIR_PACE_BACKLOG_SECONDS, now); s--) {
        const int64_t less = pace->less[(uint64_t)s % WEIR_PACE_BACKLOG_SECONDS];
        sum += less;
        first = less != 0 ? s : first;
    }
    return (double)sum / (double)(second - first + 1);
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int64_t weir_pace_rtt(const weir_pace *pace)
{
    int64_t sorted[WEIR_PACE_RTTS];
    if (pace->n_rtts == 0)
        return 0;
    memcpy(sorted, pace->rtts, pace->n_rtts * sizeof *sorted);
    qsort(sorted, pace->n_rtts, sizeof *sorted, by_value);
    return sorted[pace->n_rtts / 2];
}

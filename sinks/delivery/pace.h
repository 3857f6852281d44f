/* SPDX-License-Identifier: MIT */
/* Pace: how many rows to send, how long to wait after a failure, how fast a backlog may go. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/random.h"
#include "model/sink.h"

enum {
    WEIR_PACE_RTTS = 31,    /* sends that the median is of */
    WEIR_PACE_SECONDS = 10, /* that the rate is of */
    /* That the backlog's is of: a set rate may mean a large send now and then. */
    WEIR_PACE_BACKLOG_SECONDS = 60,
};

/* Pure: all times come as arguments. */
typedef struct weir_pace {
    weir_random random;
    double most;     /* rows in a send, by `batch` or the type */
    double size;     /* rows in a send, for now */
    double ceiling;  /* what was too large lately, and a little more each time it is not */
    double fixed_us; /* what a send takes however few its rows are, as far as that is known */
    double other_n;  /* rows of the send it is compared with, and what that took; 0: none yet */
    double other_us;
    unsigned failures; /* in a row */

    double backlog_rate; /* rows a second; 0: no limit */
    double tokens;       /* < 0: a debt, as the last send may be larger than what was there */
    weir_mono tokens_at;

    int64_t rtts[WEIR_PACE_RTTS];
    size_t n_rtts, next_rtt;
    uint64_t rows[WEIR_PACE_SECONDS]; /* of this second and those before, by second modulo */
    /* What the backlog shrank by: likewise. */
    int64_t less[WEIR_PACE_BACKLOG_SECONDS];
    int64_t second;
} weir_pace;

void weir_pace_init(weir_pace *pace, size_t most, uint64_t backlog_rate, uint64_t seed,
                    weir_mono now);

/* Rows to send at most, 1 at least. */
size_t weir_pace_size(const weir_pace *pace);

/* n rows were delivered in rtt_us. The size goes to where a send takes half a second; or, where the
 * half of that would go by with a single row too, twice as long as a single row takes. */
void weir_pace_delivered(weir_pace *pace, size_t n, int64_t rtt_us, weir_mono now);

/* A send takes long however few its rows are. */
bool weir_pace_is_far(const weir_pace *pace);

/* n rows were too large; it takes most_rows, 0: not known. */
void weir_pace_too_large(weir_pace *pace, size_t n, size_t most_rows);

/* How long to wait after a failure: 1, 2, 4 ... 60 s, 5 min for what only a person can mend, half
 * to all of that by chance; or the wish of the other side, up to an hour. */
int64_t weir_pace_failed(weir_pace *pace, weir_trouble trouble, int64_t retry_after_us);
void weir_pace_recovered(weir_pace *pace);

/* When rows that are not live may be sent: now, or later; and that n were. */
weir_mono weir_pace_backlog_at(weir_pace *pace, weir_mono now);
void weir_pace_backlog_sent(weir_pace *pace, size_t n);

/* There is so much less of the backlog; < 0: more. */
void weir_pace_backlog_less(weir_pace *pace, int64_t n, weir_mono now);

double weir_pace_rate(const weir_pace *pace, weir_mono now);         /* rows a second, of late */
double weir_pace_backlog_rate(const weir_pace *pace, weir_mono now); /* likewise */
int64_t weir_pace_rtt(const weir_pace *pace);                        /* median, us; 0: none yet */

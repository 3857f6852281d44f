/* SPDX-License-Identifier: MIT */
/* The judge of a simulation: what was produced and reported, against what the store shows. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Every sample that left the engine is an entry until it was found in the store; then only a sum
 * for its tag and day is kept, so memory is bounded by what is produced between two checks, and
 * any day of the past can still be compared with what it was when it was checked.
 *
 * Every value names its unit, its point and the moment it was read from the device, so a value in
 * the wrong place, of another time or made up is seen without remembering what was served.
 */
enum {
    SIM_TICK_US = 100000, /* resolution of the moment in a value */
    SIM_TICK_BITS = 22,   /* it comes round after 4.8 days */
    SIM_POINT_BITS = 4,
    SIM_POINTS_MAX = 1 << SIM_POINT_BITS,
    SIM_UNITS_MAX = 1 << (32 - SIM_POINT_BITS - SIM_TICK_BITS),
};

static inline uint32_t sim_value(unsigned unit, unsigned point, int64_t mono_us)
{
    const uint32_t tick = (uint32_t)(mono_us / SIM_TICK_US) & ((1u << SIM_TICK_BITS) - 1);
    return unit << (SIM_POINT_BITS + SIM_TICK_BITS) | point << SIM_TICK_BITS | tick;
}

/* It is this point's, and was served between the two moments. */
bool sim_value_is(uint32_t value, unsigned unit, unsigned point, int64_t from_us, int64_t to_us);

typedef struct sim_entry {
    int64_t ts;
    int64_t produced; /* monotonic */
    uint32_t tag;     /* 0 .. */
    uint32_t epoch;
    uint32_t value;
    bool is_bad; /* no value */
    bool is_found;
} sim_entry;

/* Of one tag and day: the same set of samples has the same sum, in whatever order it comes. */
typedef struct sim_sum {
    uint64_t sum;
    uint32_t n;
} sim_sum;

typedef struct sim_ledger {
    size_t n_tags;
    int64_t first_day; /* of sums: ts / day */
    sim_sum *sums;     /* [day][tag] */
    size_t n_days;

    sim_entry *entries; /* [0 .. n_committed-1]: the store has reported them as committed */
    size_t n, capacity, n_committed;
    uint32_t *index; /* hash of entries, while a check runs */
    size_t index_size;
    uint8_t *seen; /* bits: sequence numbers of this check */
    size_t seen_size;
    uint64_t from_seq, to_seq;

    uint64_t n_checked; /* samples found and forgotten */
} sim_ledger;

void sim_ledger_init(sim_ledger *ledger, size_t n_tags, int64_t start_wall_us);
void sim_ledger_deinit(sim_ledger *ledger);

void sim_ledger_add(sim_ledger *ledger, const sim_entry *entry);

/* A check: begin, each row of the store once with seq in (from_seq, to_seq], end. */
void sim_check_begin(sim_ledger *ledger, uint64_t from_seq, uint64_t to_seq);

typedef enum sim_verdict {
    SIM_EXPECTED,
    SIM_INVENTED, /* never produced, or another value */
    SIM_TWICE,    /* the identity, or the sequence number */
} sim_verdict;

sim_verdict sim_check_row(sim_ledger *ledger, const sim_entry *row, uint64_t seq);

typedef struct sim_check_result {
    uint64_t lost;        /* committed, and not there */
    uint64_t n_seq_other; /* sequence numbers that no sample has: must be the events' */
    sim_entry first_lost;
    int64_t last_lost_ts; /* the newest */
} sim_check_result;

/* Forgets what was found. What is not found and not committed stays when is_running, and is gone
 * with its process otherwise. */
sim_check_result sim_check_end(sim_ledger *ledger, bool is_running);

/* Nothing more was committed than had been reported: the rest went with the process. */
void sim_ledger_drop_uncommitted(sim_ledger *ledger);

/* What was found of a tag and day, and the same sum over rows. */
sim_sum sim_ledger_sum(const sim_ledger *ledger, int64_t day, uint32_t tag);
void sim_sum_add(sim_sum *sum, const sim_entry *row);

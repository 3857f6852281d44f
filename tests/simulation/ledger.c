/* SPDX-License-Identifier: MIT */
/* The judge of a simulation: what was produced and reported, against what the store shows. */

#include "simulation/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void *grown(void *p, size_t n, size_t size)
{
    void *fresh = realloc(p, n * size);
    if (!fresh)
        abort();
    return fresh;
}

bool sim_value_is(uint32_t value, unsigned unit, unsigned point, int64_t from_us, int64_t to_us)
{
    const uint32_t mask = (1u << SIM_TICK_BITS) - 1, first = sim_value(unit, point, from_us);
    const uint32_t span = (uint32_t)(to_us / SIM_TICK_US - from_us / SIM_TICK_US);
    return (value & ~mask) == (first & ~mask) && ((value - first) & mask) <= span;
}

void sim_ledger_init(sim_ledger *ledger, size_t n_tags, int64_t start_wall_us)
{
    /* Clocks are set back, but not by days. */
    *ledger = (sim_ledger){.n_tags = n_tags, .first_day = start_wall_us / WEIR_DAY - 2};
}

void sim_ledger_deinit(sim_ledger *ledger)
{
    free(ledger->sums);
    free(ledger->entries);
    free(ledger->index);
    free(ledger->seen);
    *ledger = (sim_ledger){0};
}

void sim_ledger_add(sim_ledger *ledger, const sim_entry *entry)
{
    if (ledger->n == ledger->capacity) {
        ledger->capacity = ledger->capacity ? 2 * ledger->capacity : 4096;
        ledger->entries = grown(ledger->entries, ledger->capacity, sizeof *ledger->entries);
    }
    ledger->entries[ledger->n++] = *entry;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t entry_key(const sim_entry *e)
{
    return mix((uint64_t)e->ts ^ (uint64_t)e->tag << 52 ^ (uint64_t)e->epoch << 40);
}

/* Where the identity is in the index, or the free place for it. */
static uint32_t *index_find(const sim_ledger *ledger, const sim_entry *e)
{
    const size_t mask = ledger->index_size - 1;
    for (size_t i = entry_key(e) & mask;; i = (i + 1) & mask) {
        uint32_t *place = &ledger->index[i];
        if (*place == 0)
            return place;
        const sim_entry *other = &ledger->entries[*place - 1];
        if (other->ts == e->ts && other->tag == e->tag && other->epoch == e->epoch)
            return place;
    }
}

void sim_check_begin(sim_ledger *ledger, uint64_t from_seq, uint64_t to_seq)
{
    size_t size = 64;
    while (size < 2 * ledger->n)
        size *= 2;
    if (size > ledger->index_size) {
        ledger->index = grown(ledger->index, size, sizeof *ledger->index);
        ledger->index_size = size;
    }
    memset(ledger->index, 0, ledger->index_size * sizeof *ledger->index);
    for (size_t i = 0; i < ledger->n; i++)
        *index_find(ledger, &ledger->entries[i]) = (uint32_t)i + 1;
    const size_t bytes = (to_seq - from_seq) / 8 + 1;
    if (bytes > ledger->seen_size) {
        ledger->seen = grown(ledger->seen, bytes, 1);
        ledger->seen_size = bytes;
    }
    memset(ledger->seen, 0, ledger->seen_size);
    ledger->from_seq = from_seq;
    ledger->to_seq = to_seq;
}

static bool seq_take(sim_ledger *ledger, uint64_t seq)
{
    const uint64_t i = seq - ledger->from_seq - 1;
    const uint8_t bit = (uint8_t)(1u << i % 8);
    if (seq <= ledger->from_seq || seq > ledger->to_seq || ledger->seen[i / 8] & bit)
        return false;
    ledger->seen[i / 8] |= bit;
    return true;
}

static sim_sum *sum_at(sim_ledger *ledger, const sim_entry *e)
{
    const size_t day = (size_t)(e->ts / WEIR_DAY - ledger->first_day);
    if (day >= ledger->n_days) {
        const size_t n = day + 32;
        ledger->sums = grown(ledger->sums, n * ledger->n_tags, sizeof *ledger->sums);
        memset(ledger->sums + ledger->n_days * ledger->n_tags, 0,
               (n - ledger->n_days) * ledger->n_tags * sizeof *ledger->sums);
        ledger->n_days = n;
    }
    return &ledger->sums[day * ledger->n_tags + e->tag];
}

void sim_sum_add(sim_sum *sum, const sim_entry *row)
{
    sum->sum += mix(entry_key(row) ^ mix(row->is_bad ? 1ull << 32 : row->value));
    sum->n++;
}

sim_sum sim_ledger_sum(const sim_ledger *ledger, int64_t day, uint32_t tag)
{
    const int64_t i = day - ledger->first_day;
    if (i < 0 || (size_t)i >= ledger->n_days)
        return (sim_sum){0};
    return ledger->sums[(size_t)i * ledger->n_tags + tag];
}

sim_verdict sim_check_row(sim_ledger *ledger, const sim_entry *row, uint64_t seq)
{
    const uint32_t place = *index_find(ledger, row);
    if (place == 0)
        return SIM_INVENTED;
    sim_entry *e = &ledger->entries[place - 1];
    if (e->is_bad != row->is_bad || (!e->is_bad && e->value != row->value))
        return SIM_INVENTED;
    if (e->is_found || !seq_take(ledger, seq))
        return SIM_TWICE;
    e->is_found = true;
    sim_sum_add(sum_at(ledger, e), e);
    ledger->n_checked++;
    return SIM_EXPECTED;
}

static uint64_t count_unseen(const sim_ledger *ledger)
{
    const uint64_t n = ledger->to_seq - ledger->from_seq;
    uint64_t seen = 0;
    for (size_t i = 0; i < n / 8 + 1; i++)
        seen += (uint64_t)__builtin_popcount(ledger->seen[i]);
    return n - seen;
}

sim_check_result sim_check_end(sim_ledger *ledger, bool is_running)
{
    sim_check_result result = {.n_seq_other = count_unseen(ledger), .last_lost_ts = INT64_MIN};
    size_t kept = 0;
    for (size_t i = 0; i < ledger->n; i++) {
        const sim_entry *e = &ledger->entries[i];
        if (e->is_found)
            continue;
        if (i < ledger->n_committed) {
            if (result.lost++ == 0)
                result.first_lost = *e;
            if (e->ts > result.last_lost_ts)
                result.last_lost_ts = e->ts;
        } else if (is_running) {
            ledger->entries[kept++] = *e;
        }
    }
    ledger->n = kept;
    ledger->n_committed = 0;
    return result;
}

void sim_ledger_drop_uncommitted(sim_ledger *ledger)
{
    ledger->n = ledger->n_committed;
}

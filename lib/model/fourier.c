/* SPDX-License-Identifier: MIT */
/* Sums of sines with noise, as EMDC's sample data generator describes them; pure functions. */

/*
 * Sines are costly, so each term has the turns of 0 .. TURNS-1 steps in a table, and takes a sine
 * and a cosine only at every TURNS-th sample: cos(a + b) = cos a cos b - sin a sin b, likewise the
 * sine. The places where they are taken are fixed, counted from the term's start, so that a value
 * does not depend on where a stretch began.
 */

#include "model/fourier.h"

#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"

enum { TURNS = 256 };

/* A term as it is worked with. */
struct turner {
    const weir_fourier_term *term;
    uint64_t hash; /* of its noise */
    double cos[TURNS], sin[TURNS];
};

struct weir_fourier_walk {
    const weir_fourier *fourier;
    struct turner turners[];
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return -weir_floor_divide(-a, b);
}

static int64_t term_ts(const weir_fourier_term *t, int64_t i)
{
    return t->start.us + i * t->step_us;
}

/* The first index whose time is not before ts. */
static int64_t term_index(const weir_fourier_term *t, int64_t ts)
{
    return ceil_div(ts - t->start.us, t->step_us);
}

void weir_fourier_set_step(weir_fourier *f, int64_t step_us)
{
    for (size_t i = 0; i < f->n_terms; i++) {
        weir_fourier_term *t = &f->terms[i];
        const int64_t from = term_ts(t, t->first), to = term_ts(t, t->last);
        t->step_us = step_us;
        t->first = term_index(t, from);
        t->last = term_index(t, to);
    }
}

void weir_fourier_set_range(weir_fourier *f, weir_wall from, weir_wall to)
{
    for (size_t i = 0; i < f->n_terms; i++) {
        f->terms[i].first = term_index(&f->terms[i], from.us);
        f->terms[i].last = term_index(&f->terms[i], to.us);
    }
}

bool weir_fourier_range(const weir_fourier *f, weir_wall *ret_first, weir_wall *ret_last)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < f->n_terms; i++) {
        const weir_fourier_term *t = &f->terms[i];
        if (t->first >= t->last)
            continue;
        first = term_ts(t, t->first) < first ? term_ts(t, t->first) : first;
        last = term_ts(t, t->last - 1) > last ? term_ts(t, t->last - 1) : last;
    }
    if (first > last)
        return false;
    ret_first->us = first;
    ret_last->us = last;
    return true;
}

/* Whether both have their samples at the same times. */
static bool terms_coincide(const weir_fourier_term *a, const weir_fourier_term *b)
{
    return a->step_us == b->step_us && a->last - a->first == b->last - b->first &&
           term_ts(a, a->first) == term_ts(b, b->first);
}

uint64_t weir_fourier_count(const weir_fourier *f)
{
    uint64_t n = 0;
    for (size_t i = 0; i < f->n_terms; i++) {
        const weir_fourier_term *t = &f->terms[i];
        if (t->last > t->first && (i == 0 || !terms_coincide(t, &f->terms[0])))
            n += (uint64_t)(t->last - t->first);
    }
    return n;
}

static bool fourier_coincides(const weir_fourier *f)
{
    for (size_t i = 1; i < f->n_terms; i++)
        if (!terms_coincide(&f->terms[i], &f->terms[0]))
            return false;
    return f->n_terms > 0;
}

/* The time of the first sample of the term that is not before ts; INT64_MAX: none. */
static int64_t term_next(const weir_fourier_term *t, int64_t ts)
{
    int64_t i = term_index(t, ts);
    i = i < t->first ? t->first : i;
    return i < t->last ? term_ts(t, i) : INT64_MAX;
}

/* The time of the first sample that is not before ts; INT64_MAX: none. */
static int64_t fourier_next(const weir_fourier *f, int64_t ts)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < f->n_terms; i++) {
        const int64_t of_term = term_next(&f->terms[i], ts);
        next = of_term < next ? of_term : next;
    }
    return next;
}

uint64_t weir_fourier_count_between(const weir_fourier *f, weir_wall from, weir_wall to)
{
    uint64_t n = 0;
    if (fourier_coincides(f)) {
        const weir_fourier_term *t = &f->terms[0];
        int64_t first = term_index(t, from.us), last = term_index(t, to.us);
        first = first < t->first ? t->first : first;
        last = last > t->last ? t->last : last;
        return first < last ? (uint64_t)(last - first) : 0;
    }
    for (int64_t at = from.us; (at = fourier_next(f, at)) < to.us; at++)
        n++;
    return n;
}

int64_t weir_fourier_step(const weir_fourier *f)
{
    int64_t step = INT64_MAX;
    for (size_t i = 0; i < f->n_terms; i++)
        step = f->terms[i].step_us < step ? f->terms[i].step_us : step;
    return step;
}

/* --- values --- */

/* The angle at index i, in radians, reduced to one turn before it is multiplied: times far from
 * the start keep their precision. */
static double term_angle(const weir_fourier_term *t, int64_t i)
{
    const double period_us = t->period_s * 1e6;
    return 2 * M_PI * (fmod((double)(i * t->step_us), period_us) / period_us);
}

static void turner_init(struct turner *turner, const weir_fourier_term *term, uint64_t seed)
{
    weir_random r = {seed};
    *turner = (struct turner){.term = term, .hash = weir_random_u64(&r)};
    for (int i = 0; i < TURNS; i++) {
        turner->cos[i] = cos(term_angle(term, i));
        turner->sin[i] = sin(term_angle(term, i));
    }
}

static double turner_noise(const struct turner *turner, int64_t i)
{
    weir_random r = {turner->hash ^ (uint64_t)i * 0x9e3779b97f4a7c15u};
    return turner->term->spread * (2 * weir_random_unit(&r) - 1);
}

/* Adds the values of n samples from index i on, all within one stretch of TURNS. */
static void turner_add_stretch(const struct turner *turner, int64_t i, size_t n, double *values)
{
    const weir_fourier_term *t = turner->term;
    const int64_t base = weir_floor_divide(i, TURNS) * TURNS;
    const double *cosines = turner->cos + (i - base), *sines = turner->sin + (i - base);
    const double angle = term_angle(t, base), c = cos(angle), s = sin(angle);
    const double along = t->cos * c + t->sin * s, across = t->sin * c - t->cos * s;
    for (size_t j = 0; j < n; j++)
        values[j] += t->offset + along * cosines[j] + across * sines[j];
    if (t->spread != 0)
        for (size_t j = 0; j < n; j++)
            values[j] += turner_noise(turner, i + (int64_t)j);
}

static void turner_add(const struct turner *turner, int64_t i, size_t n, double *values)
{
    while (n) {
        const size_t left = (size_t)(weir_floor_divide(i, TURNS) * TURNS + TURNS - i);
        const size_t count = n < left ? n : left;
        turner_add_stretch(turner, i, count, values);
        i += (int64_t)count;
        values += count;
        n -= count;
    }
}

/* --- the walk --- */

weir_fourier_walk *weir_fourier_walk_new(const weir_fourier *f, uint64_t seed)
{
    weir_fourier_walk *walk = weir_alloc(sizeof *walk + f->n_terms * sizeof *walk->turners);
    if (!walk)
        return NULL;
    walk->fourier = f;
    for (size_t i = 0; i < f->n_terms; i++) {
        weir_random r = {seed ^ (uint64_t)f->id << 20 ^ i};
        turner_init(&walk->turners[i], &f->terms[i], weir_random_u64(&r));
    }
    return walk;
}

void weir_fourier_walk_free(weir_fourier_walk *walk)
{
    weir_free(walk);
}

/* All terms have the same times: term after term, which the compiler makes wide. */
static size_t fill_together(const weir_fourier_walk *walk, int64_t from, int64_t to,
                            size_t capacity, weir_wall *ret_ts, double *ret_values)
{
    const weir_fourier_term *t = &walk->fourier->terms[0];
    int64_t first = term_index(t, from), last = term_index(t, to);
    first = first < t->first ? t->first : first;
    last = last > t->last ? t->last : last;
    if (first >= last)
        return 0;
    const uint64_t all = (uint64_t)(last - first);
    const size_t n = all < capacity ? (size_t)all : capacity;
    for (size_t j = 0; j < n; j++) {
        ret_ts[j].us = term_ts(t, first + (int64_t)j);
        ret_values[j] = 0;
    }
    for (size_t i = 0; i < walk->fourier->n_terms; i++) {
        const struct turner *turner = &walk->turners[i];
        turner_add(turner, term_index(turner->term, ret_ts[0].us), n, ret_values);
    }
    return n;
}

/* Terms with times of their own: sample after sample, each the sum of those that have it. */
static size_t fill_merged(const weir_fourier_walk *walk, int64_t from, int64_t to, size_t capacity,
                          weir_wall *ret_ts, double *ret_values)
{
    size_t n = 0;
    for (int64_t at = from; n < capacity; at++, n++) {
        const int64_t ts = fourier_next(walk->fourier, at);
        if (ts >= to)
            break;
        ret_ts[n].us = at = ts;
        ret_values[n] = 0;
        for (size_t i = 0; i < walk->fourier->n_terms; i++) {
            const weir_fourier_term *t = walk->turners[i].term;
            if (term_next(t, ts) == ts)
                turner_add(&walk->turners[i], term_index(t, ts), 1, &ret_values[n]);
        }
    }
    return n;
}

size_t weir_fourier_fill(const weir_fourier_walk *walk, weir_wall from, weir_wall to,
                         size_t capacity, weir_wall *ret_ts, double *ret_values)
{
    if (fourier_coincides(walk->fourier))
        return fill_together(walk, from.us, to.us, capacity, ret_ts, ret_values);
    return fill_merged(walk, from.us, to.us, capacity, ret_ts, ret_values);
}

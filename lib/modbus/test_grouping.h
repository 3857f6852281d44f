/* SPDX-License-Identifier: MIT */
/* A second opinion on a grouping: its least cost and its promises, from the header's words alone */

#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modbus/grouping.h"

enum { POINTS_MAX = 2048 };

typedef struct map {
    size_t n;
    weir_point points[POINTS_MAX];
    uint32_t index[POINTS_MAX];
    weir_range forbidden[8], cuts[8];
    weir_grouping_limits limits;
} map;

static inline weir_point point_at(weir_register table, uint16_t address, weir_type type,
                                  uint16_t count)
{
    return (weir_point){.name = "p",
                        .table = table,
                        .function = (uint8_t)table,
                        .address = address,
                        .type = type,
                        .bit = -1,
                        .count = count};
}

static inline uint32_t first_of(const weir_point *p)
{
    return p->address;
}

static inline uint32_t last_of(const weir_point *p)
{
    return p->address + weir_point_size(p) - 1;
}

static inline uint32_t count_max(const map *m, weir_register table)
{
    return weir_register_is_bits(table) ? m->limits.bits_max : m->limits.registers_max;
}

static inline uint64_t cost_of(const map *m, weir_register table, uint32_t count)
{
    if (weir_register_is_bits(table))
        count = (count + 15) / 16;
    return m->limits.request_cost + count * m->limits.register_cost;
}

static inline bool covers(uint32_t first, uint32_t last, uint32_t a, uint32_t b)
{
    return first <= a && b <= last;
}

static inline bool point_forbidden(const map *m, const weir_point *p)
{
    for (size_t i = 0; i < m->limits.n_forbidden; i++) {
        const weir_range *r = &m->forbidden[i];
        if (r->table == p->table && r->first <= last_of(p) && first_of(p) <= r->last)
            return true;
    }
    return false;
}

static inline bool point_alone(const map *m, const weir_point *p)
{
    return weir_point_size(p) > count_max(m, p->table) || point_forbidden(m, p);
}

/*
 * Whether the points may be one request, from the words of the header alone, register by register.
 * used[]: 1 at registers that a point, or the inside of an atomic group that holds, needs.
 */
static inline bool run_allowed(const map *m, const weir_point *const *run, const uint32_t *atoms,
                               size_t n)
{
    static uint8_t used[65536 + 128];
    weir_register table = run[0]->table;
    uint32_t first = UINT32_MAX, last = 0;
    for (size_t i = 0; i < n; i++) {
        first = first_of(run[i]) < first ? first_of(run[i]) : first;
        last = last_of(run[i]) > last ? last_of(run[i]) : last;
        if (run[i]->table != table)
            return false;
    }
    if (n > 1 && m->limits.one_point_per_request)
        return false;
    if (last - first + 1 > count_max(m, table))
        return false;
    assert_true(last < sizeof used);
    memset(used + first, 0, last - first + 1);
    for (size_t i = 0; i < n; i++)
        memset(used + first_of(run[i]), 1, weir_point_size(run[i]));
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n && atoms[i]; k++) {
            if (atoms[k] != atoms[i])
                continue;
            uint32_t from =
                first_of(run[i]) < first_of(run[k]) ? first_of(run[i]) : first_of(run[k]);
            uint32_t to = last_of(run[i]) > last_of(run[k]) ? last_of(run[i]) : last_of(run[k]);
            memset(used + from, 1, to - from + 1);
        }
    }
    uint32_t hole = 0, hole_max = weir_register_is_bits(table) ? m->limits.hole_bits_max
                                                               : m->limits.hole_registers_max;
    for (uint32_t a = first; a <= last; a++) {
        hole = used[a] ? 0 : hole + 1;
        if (hole > hole_max)
            return false;
    }
    for (size_t i = 0; i < m->limits.n_forbidden; i++) {
        const weir_range *r = &m->forbidden[i];
        if (r->table == table && r->first <= last && r->last >= first)
            return false;
    }
    for (size_t i = 0; n > 1 && i < m->limits.n_cuts; i++) {
        if (m->cuts[i].table == table && covers(first, last, m->cuts[i].first, m->cuts[i].last))
            return false;
    }
    return true;
}

/* Which points must stay together: the numbers of groups that fit into one request. */
static inline bool atom_holds(const map *m, const weir_point *p)
{
    const weir_point *members[POINTS_MAX] = {NULL};
    uint32_t atoms[POINTS_MAX];
    size_t n = 0;
    if (p->group == 0 || m->limits.one_point_per_request)
        return false;
    for (size_t i = 0; i < m->n; i++) {
        const weir_point *q = &m->points[m->index[i]];
        if (q->group == p->group && q->table == p->table && !point_alone(m, q))
            atoms[n] = p->group, members[n++] = q;
    }
    if (n == 1) {
        for (size_t i = 0; i < m->limits.n_cuts; i++) {
            if (m->cuts[i].table == p->table &&
                covers(first_of(p), last_of(p), m->cuts[i].first, m->cuts[i].last))
                return false;
        }
    }
    return run_allowed(m, members, atoms, n);
}

/* The hull of the point's atomic group, or the point itself: what the points are sorted by. */
static inline void hull_of(const map *m, const weir_point *p, uint32_t *ret_first,
                           uint32_t *ret_last)
{
    *ret_first = first_of(p);
    *ret_last = last_of(p);
    if (!atom_holds(m, p))
        return;
    for (size_t i = 0; i < m->n; i++) {
        const weir_point *q = &m->points[m->index[i]];
        if (q->group != p->group || q->table != p->table || point_alone(m, q))
            continue;
        *ret_first = first_of(q) < *ret_first ? first_of(q) : *ret_first;
        *ret_last = last_of(q) > *ret_last ? last_of(q) : *ret_last;
    }
}

typedef struct sorted {
    const weir_point *point;
    weir_register table;
    uint32_t first, last, atom;
} sorted;

static inline int sorted_compare(const void *left, const void *right)
{
    const sorted *a = left, *b = right;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->last != b->last)
        return a->last < b->last ? -1 : 1;
    return (a->atom > b->atom) - (a->atom < b->atom);
}

/* The sorted points that may share requests, and the cost of those that may not. */
static inline size_t sort_points(const map *m, sorted *ret, uint64_t *ret_alone_cost)
{
    size_t n = 0;
    *ret_alone_cost = 0;
    for (size_t i = 0; i < m->n; i++) {
        const weir_point *p = &m->points[m->index[i]];
        if (!point_alone(m, p)) {
            ret[n] = (sorted){p, p->table, 0, 0, atom_holds(m, p) ? p->group : 0};
            hull_of(m, p, &ret[n].first, &ret[n].last);
            n++;
            continue;
        }
        uint32_t element = weir_point_element_size(p), left = weir_point_size(p);
        uint32_t most = count_max(m, p->table) / element * element;
        for (; left > 0; left -= left < most ? left : most)
            *ret_alone_cost += cost_of(m, p->table, left < most ? left : most);
    }
    qsort(ret, n, sizeof *ret, sorted_compare);
    return n;
}

static inline bool cut_between(const sorted *s, size_t k)
{
    return s[k].atom == 0 || s[k].atom != s[k - 1].atom || s[k].table != s[k - 1].table;
}

/* Cost of the run, UINT64_MAX when it may not be. */
static inline uint64_t run_cost(const map *m, const sorted *s, size_t from, size_t to)
{
    const weir_point *run[POINTS_MAX];
    uint32_t atoms[POINTS_MAX], first = UINT32_MAX, last = 0;
    for (size_t i = from; i < to; i++) {
        run[i - from] = s[i].point;
        atoms[i - from] = s[i].atom;
        first = first_of(s[i].point) < first ? first_of(s[i].point) : first;
        last = last_of(s[i].point) > last ? last_of(s[i].point) : last;
    }
    return run_allowed(m, run, atoms, to - from) ? cost_of(m, s[from].table, last - first + 1)
                                                 : UINT64_MAX;
}

/* The least cost of covering the points, by the plain recurrence over all pairs. */
static inline uint64_t cost_by_pairs(const map *m)
{
    static sorted s[POINTS_MAX];
    uint64_t alone, best[POINTS_MAX + 1] = {0};
    size_t n = sort_points(m, s, &alone);
    for (size_t to = 1; to <= n; to++) {
        best[to] = UINT64_MAX;
        if (to < n && !cut_between(s, to))
            continue;
        for (size_t from = 0; from < to; from++) {
            if (best[from] == UINT64_MAX || s[from].table != s[to - 1].table ||
                s[to - 1].first - s[from].first > 2000)
                continue;
            uint64_t run = run_cost(m, s, from, to);
            if (run != UINT64_MAX && best[from] + run < best[to])
                best[to] = best[from] + run;
        }
    }
    return alone + best[n];
}

/* What any grouping keeps, whatever it costs. */
static inline void check_properties(const map *m, const weir_grouping *g)
{
    static uint32_t covered[POINTS_MAX]; /* elements of each point */
    memset(covered, 0, sizeof covered);
    uint64_t cost = 0;
    uint32_t next = 0;
    for (size_t i = 0; i < g->n_groups; i++) {
        const weir_group *group = &g->groups[i];
        assert_true(group->n > 0 && group->count > 0);
        assert_int_equal(group->first, next);
        next += group->n;
        assert_true(group->count <= count_max(m, group->table));
        assert_int_equal(group->function, group->table);
        cost += cost_of(m, group->table, group->count);
        uint32_t end = group->address + group->count, at = 0;
        for (uint32_t k = 0; k < group->n; k++) {
            uint32_t point = g->point_index[group->first + k];
            const weir_point *p = &m->points[point];
            assert_true(p->table == group->table && p->address >= at);
            at = p->address;
            bool whole = covers(group->address, end - 1, first_of(p), last_of(p));
            assert_true(whole || (group->n == 1 && weir_point_size(p) > count_max(m, p->table)));
            covered[point] += whole ? p->count : group->count / weir_point_element_size(p);
            if (group->n > 1)
                assert_false(point_forbidden(m, p) || m->limits.one_point_per_request);
        }
    }
    assert_int_equal(next, g->n_points);
    assert_int_equal(cost, g->cost);
    for (size_t i = 0; i < m->n; i++)
        assert_int_equal(covered[i], m->points[i].count);
}

/* Points of an atomic group that one request can hold are in one. */
static inline void check_atoms(const map *m, const weir_grouping *g)
{
    static size_t group_of[POINTS_MAX];
    for (size_t i = 0; i < g->n_groups; i++) {
        for (uint32_t k = 0; k < g->groups[i].n; k++)
            group_of[g->point_index[g->groups[i].first + k]] = i;
    }
    for (size_t i = 0; i < m->n; i++) {
        const weir_point *p = &m->points[i];
        if (point_alone(m, p) || !atom_holds(m, p))
            continue;
        for (size_t k = 0; k < m->n; k++) {
            const weir_point *q = &m->points[k];
            if (q->group == p->group && q->table == p->table && !point_alone(m, q))
                assert_int_equal(group_of[i], group_of[k]);
        }
    }
}

static inline void check_map(map *m, uint64_t (*least)(const map *), uint64_t seed)
{
    weir_arena *arena = weir_arena_new();
    weir_grouping g;
    weir_error error = WEIR_ERROR_INIT;
    weir_err err = weir_grouping_make(m->points, m->index, m->n, &m->limits, arena, &g, &error);
    uint64_t want = least(m);
    if (err || g.cost != want)
        fail_msg("seed %llu: %s, cost %llu, least %llu", (unsigned long long)seed, error.text,
                 err ? 0 : (unsigned long long)g.cost, (unsigned long long)want);
    check_properties(m, &g);
    check_atoms(m, &g);
    weir_arena_free(arena);
}

/* SPDX-License-Identifier: MIT */
/* Grouping: against brute force on small maps, an independent reference on large ones. */

#include "modbus/grouping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { POINTS_MAX = 512 };

typedef struct map {
    size_t n;
    weir_point points[POINTS_MAX];
    uint32_t index[POINTS_MAX];
    weir_range forbidden[8], cuts[8];
    weir_grouping_limits limits;
} map;

static weir_point point_at(weir_register table, uint16_t address, weir_type type, uint16_t count)
{
    return (weir_point){.name = "p",
                        .table = table,
                        .function = (uint8_t)table,
                        .address = address,
                        .type = type,
                        .bit = -1,
                        .count = count};
}

static uint32_t first_of(const weir_point *p)
{
    return p->address;
}

static uint32_t last_of(const weir_point *p)
{
    return p->address + weir_point_size(p) - 1;
}

static uint32_t count_max(const map *m, weir_register table)
{
    return weir_register_is_bits(table) ? m->limits.bits_max : m->limits.registers_max;
}

static uint64_t cost_of(const map *m, weir_register table, uint32_t count)
{
    if (weir_register_is_bits(table))
        count = (count + 15) / 16;
    return m->limits.request_cost + count * m->limits.register_cost;
}

static bool covers(uint32_t first, uint32_t last, uint32_t a, uint32_t b)
{
    return first <= a && b <= last;
}

static bool point_forbidden(const map *m, const weir_point *p)
{
    for (size_t i = 0; i < m->limits.n_forbidden; i++) {
        const weir_range *r = &m->forbidden[i];
        if (r->table == p->table && r->first <= last_of(p) && first_of(p) <= r->last)
            return true;
    }
    return false;
}

static bool point_alone(const map *m, const weir_point *p)
{
    return weir_point_size(p) > count_max(m, p->table) || point_forbidden(m, p);
}

/*
 * Whether the points may be one request, from the words of the header alone, register by register.
 * used[]: 1 at registers that a point, or the inside of an atomic group that holds, needs.
 */
static bool run_allowed(const map *m, const weir_point *const *run, const uint32_t *atoms, size_t n)
{
    static uint8_t used[4096];
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
static bool atom_holds(const map *m, const weir_point *p)
{
    const weir_point *members[POINTS_MAX];
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
static void hull_of(const map *m, const weir_point *p, uint32_t *ret_first, uint32_t *ret_last)
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

static int sorted_compare(const void *left, const void *right)
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
static size_t sort_points(const map *m, sorted *ret, uint64_t *ret_alone_cost)
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

static bool cut_between(const sorted *s, size_t k)
{
    return s[k].atom == 0 || s[k].atom != s[k - 1].atom || s[k].table != s[k - 1].table;
}

/* Cost of the run, UINT64_MAX when it may not be. */
static uint64_t run_cost(const map *m, const sorted *s, size_t from, size_t to)
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

/* The least cost over every way to cut the sorted points into runs: 2^(n-1) of them. */
static uint64_t cost_by_brute_force(const map *m)
{
    sorted s[POINTS_MAX];
    uint64_t alone, least = UINT64_MAX;
    size_t n = sort_points(m, s, &alone);
    if (n == 0)
        return alone;
    for (uint32_t cuts = 0; cuts < 1u << (n - 1); cuts++) {
        uint64_t cost = alone;
        for (size_t from = 0, to; from < n && cost != UINT64_MAX; from = to) {
            for (to = from + 1; to < n && !(cuts >> (to - 1) & 1);)
                to++;
            uint64_t run = run_cost(m, s, from, to);
            bool torn = to < n && !cut_between(s, to);
            cost = run == UINT64_MAX || torn ? UINT64_MAX : cost + run;
        }
        least = cost < least ? cost : least;
    }
    return least;
}

/* The same by the plain recurrence over all pairs, for maps too large for brute force. */
static uint64_t cost_by_pairs(const map *m)
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

static uint64_t below(weir_random *r, uint64_t n)
{
    return weir_random_below(r, n);
}

static weir_point random_point(weir_random *r, uint32_t spread)
{
    static const weir_type types[] = {WEIR_TYPE_UINT16, WEIR_TYPE_UINT16, WEIR_TYPE_FLOAT32,
                                      WEIR_TYPE_FLOAT64};
    bool bits = below(r, 4) == 0;
    weir_register table = bits ? (below(r, 2) ? WEIR_REGISTER_COIL : WEIR_REGISTER_DISCRETE)
                               : (below(r, 3) ? WEIR_REGISTER_HOLDING : WEIR_REGISTER_INPUT);
    uint16_t count = below(r, 6) ? 1 : (uint16_t)(1 + below(r, 6));
    weir_point p = point_at(table, (uint16_t)below(r, spread),
                            bits ? WEIR_TYPE_BOOL : types[below(r, 4)], count);
    p.group = below(r, 4) ? 0 : (uint32_t)(1 + below(r, 3));
    return p;
}

static void random_ranges(weir_random *r, weir_range *ranges, size_t *n, uint32_t spread,
                          uint32_t longest)
{
    *n = below(r, 4) ? (size_t)0 : 1 + (size_t)below(r, 4);
    for (size_t i = 0; i < *n; i++) {
        uint32_t first = (uint32_t)below(r, spread);
        ranges[i] = (weir_range){first, first + (uint32_t)below(r, longest),
                                 (weir_register)(1 + below(r, 4))};
    }
}

static void random_map(weir_random *r, map *m, size_t n, uint32_t spread)
{
    m->n = n;
    for (size_t i = 0; i < n; i++) {
        m->points[i] = random_point(r, spread);
        m->index[i] = (uint32_t)i;
    }
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)below(r, i);
        uint32_t swap = m->index[k];
        m->index[k] = m->index[i - 1];
        m->index[i - 1] = swap;
    }
    size_t n_forbidden, n_cuts;
    random_ranges(r, m->forbidden, &n_forbidden, spread, 3);
    random_ranges(r, m->cuts, &n_cuts, spread, 3);
    for (size_t i = 0; i < n_cuts; i++)
        m->cuts[i].last++; /* two addresses at least */
    m->limits = (weir_grouping_limits){
        .registers_max = (uint16_t)(below(r, 3) ? 4 + below(r, 20) : 125),
        .bits_max = (uint16_t)(below(r, 3) ? 1 + below(r, 40) : 2000),
        .hole_registers_max = (uint16_t)below(r, 20),
        .hole_bits_max = (uint16_t)below(r, 70),
        .one_point_per_request = below(r, 12) == 0,
        .request_cost = 1 + below(r, 60),
        .register_cost = below(r, 4),
        .n_forbidden = n_forbidden,
        .forbidden = m->forbidden,
        .n_cuts = n_cuts,
        .cuts = m->cuts,
    };
}

/* What any grouping keeps, whatever it costs. */
static void check_properties(const map *m, const weir_grouping *g)
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
static void check_atoms(const map *m, const weir_grouping *g)
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

static void check_map(map *m, uint64_t (*least)(const map *), uint64_t seed)
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

static void cost_equals_brute_force_on_small_maps(void **state)
{
    (void)state;
    static map m;
    for (uint64_t seed = 1; seed <= 10000; seed++) {
        weir_random r = {seed};
        random_map(&r, &m, (size_t)below(&r, 11), seed % 2 ? 40 : 120);
        check_map(&m, cost_by_brute_force, seed);
    }
}

static void cost_equals_the_plain_recurrence_on_large_maps(void **state)
{
    (void)state;
    static map m;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        weir_random r = {seed * 1000};
        random_map(&r, &m, 500, 3800);
        check_map(&m, cost_by_pairs, seed);
    }
}

static void order_of_the_arguments_does_not_matter(void **state)
{
    (void)state;
    static map m;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        weir_random r = {seed};
        random_map(&r, &m, 30, 100);
        weir_arena *arena = weir_arena_new();
        weir_grouping a, b;
        assert_int_equal(weir_grouping_make(m.points, m.index, m.n, &m.limits, arena, &a, NULL),
                         WEIR_OK);
        for (size_t i = 0; i < m.n; i++)
            m.index[i] = (uint32_t)i;
        assert_int_equal(weir_grouping_make(m.points, m.index, m.n, &m.limits, arena, &b, NULL),
                         WEIR_OK);
        assert_int_equal(a.n_groups, b.n_groups);
        assert_memory_equal(a.groups, b.groups, a.n_groups * sizeof *a.groups);
        assert_memory_equal(a.point_index, b.point_index, a.n_points * sizeof *a.point_index);
        weir_arena_free(arena);
    }
}

static const weir_grouping_limits wide = {.registers_max = 125,
                                          .bits_max = 2000,
                                          .hole_registers_max = 16,
                                          .hole_bits_max = 64,
                                          .request_cost = 40,
                                          .register_cost = 1};

/* The expected requests are "table address+count" in order. */
static void check_requests(const weir_point *points, size_t n, const weir_grouping_limits *limits,
                           const char *want)
{
    uint32_t index[64];
    for (size_t i = 0; i < n; i++)
        index[i] = (uint32_t)i;
    weir_arena *arena = weir_arena_new();
    weir_grouping g;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_grouping_make(points, index, n, limits, arena, &g, &error), WEIR_OK);
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    for (size_t i = 0; i < g.n_groups; i++)
        weir_text_format(&text, "%s%u %u+%u", i ? ", " : "", g.groups[i].function,
                         g.groups[i].address, g.groups[i].count);
    assert_string_equal(weir_text_get(&text), want);
    weir_arena_free(arena);
}

/* Eastron SDM630 V2, input registers (protocol document 1.3): voltages from 0, floats. */
static void neighbours_share_a_request_and_far_ones_do_not(void **state)
{
    (void)state;
    const weir_point points[] = {
        point_at(WEIR_REGISTER_INPUT, 0, WEIR_TYPE_FLOAT32, 1),   /* phase 1 voltage */
        point_at(WEIR_REGISTER_INPUT, 2, WEIR_TYPE_FLOAT32, 1),   /* phase 2 voltage */
        point_at(WEIR_REGISTER_INPUT, 12, WEIR_TYPE_FLOAT32, 1),  /* phase 1 power */
        point_at(WEIR_REGISTER_INPUT, 52, WEIR_TYPE_FLOAT32, 1),  /* total power */
        point_at(WEIR_REGISTER_INPUT, 342, WEIR_TYPE_FLOAT32, 1), /* total energy */
        point_at(WEIR_REGISTER_HOLDING, 20, WEIR_TYPE_FLOAT32, 1),
    };
    check_requests(points, 6, &wide, "3 20+2, 4 0+14, 4 52+2, 4 342+2");
}

static void greedy_filling_would_cost_more(void **state)
{
    (void)state;
    /* 0..9, then 16..20 and 21..30, limit 21: filling up to 20 first reads the hole for nothing. */
    const weir_point points[] = {
        point_at(WEIR_REGISTER_HOLDING, 0, WEIR_TYPE_UINT16, 10),
        point_at(WEIR_REGISTER_HOLDING, 16, WEIR_TYPE_UINT16, 5),
        point_at(WEIR_REGISTER_HOLDING, 21, WEIR_TYPE_UINT16, 10),
    };
    weir_grouping_limits limits = wide;
    limits.registers_max = 21;
    check_requests(points, 3, &limits, "3 0+10, 3 16+15");
}

static void large_counts_are_cut_at_elements(void **state)
{
    (void)state;
    weir_point points[] = {
        point_at(WEIR_REGISTER_HOLDING, 100, WEIR_TYPE_FLOAT32, 20),
        point_at(WEIR_REGISTER_COIL, 7, WEIR_TYPE_BOOL, 25),
        point_at(WEIR_REGISTER_FUNCTION, 0, WEIR_TYPE_RAW, 1),
    };
    points[2].function = 17;
    weir_grouping_limits limits = wide;
    limits.registers_max = 15;
    limits.bits_max = 10;
    check_requests(points, 3, &limits,
                   "1 7+10, 1 17+10, 1 27+5, 3 100+14, 3 114+14, 3 128+12, 17 0+0");
}

static void atomic_group_is_read_across_a_hole(void **state)
{
    (void)state;
    weir_point points[] = {
        point_at(WEIR_REGISTER_HOLDING, 0, WEIR_TYPE_UINT16, 1),
        point_at(WEIR_REGISTER_HOLDING, 60, WEIR_TYPE_UINT16, 1),
        point_at(WEIR_REGISTER_HOLDING, 30, WEIR_TYPE_UINT16, 1),
    };
    check_requests(points, 3, &wide, "3 0+1, 3 30+1, 3 60+1");
    points[0].group = points[1].group = 1;
    check_requests(points, 3, &wide, "3 0+61");
    weir_grouping_limits limits = wide;
    limits.registers_max = 60; /* cannot be held together */
    check_requests(points, 3, &limits, "3 0+1, 3 30+1, 3 60+1");
}

static void what_cannot_be_asked_for_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t address, length;
        const char *want;
    } cases[] = {
        {"too long", 0, 60, "point 'serial' needs 30 registers at once, one request may hold 20"},
        {"past the end", 65530, 14, "point 'serial' ends at address 65536, beyond 65535"},
    };
    weir_grouping_limits limits = wide;
    limits.registers_max = 20;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = point_at(WEIR_REGISTER_HOLDING, cases[i].address, WEIR_TYPE_STRING, 1);
        p.name = "serial";
        p.length = cases[i].length;
        weir_arena *arena = weir_arena_new();
        weir_grouping g = {.n_groups = 77};
        weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(weir_grouping_make(&p, &(uint32_t){0}, 1, &limits, arena, &g, &error),
                         WEIR_EINVAL);
        assert_string_equal(error.text, cases[i].want);
        assert_int_equal(g.n_groups, 77);
        weir_arena_free(arena);
    }
}

static void short_memory_is_an_error_at_every_allocation(void **state)
{
    (void)state;
    static map m;
    weir_random r = {5};
    random_map(&r, &m, 100, 500);
    size_t failures = 0;
    for (size_t nth = 1;; nth++) {
        weir_arena *arena = weir_arena_new();
        weir_grouping g;
        (void)weir_alloc_fail_nth(nth, false);
        weir_err err = weir_grouping_make(m.points, m.index, m.n, &m.limits, arena, &g, NULL);
        (void)weir_alloc_fail_nth(0, false);
        weir_arena_free(arena);
        if (err == WEIR_OK)
            break;
        assert_int_equal(err, WEIR_ENOMEM);
        failures++;
    }
    assert_true(failures >= 4);
}

static void request_is_worth_forty_registers_over_tcp_and_fifteen_on_a_serial_line(void **state)
{
    (void)state;
    weir_connection connection = {.uri = {.scheme = WEIR_SCHEME_TCP}};
    weir_device device = {.max_registers_per_request = 60,
                          .max_bits_per_request = 500,
                          .max_hole_registers = 16,
                          .max_hole_bits = 64};
    weir_grouping_limits l = weir_grouping_limits_of(&device, &connection);
    assert_int_equal(l.request_cost / l.register_cost, 40);
    assert_int_equal(l.registers_max, 60);
    assert_int_equal(l.bits_max, 500);
    connection.pause_between_requests_us = 1000;
    l = weir_grouping_limits_of(&device, &connection);
    assert_int_equal(l.request_cost / l.register_cost, 60);
    connection = (weir_connection){.uri = {.scheme = WEIR_SCHEME_RTU_TCP}};
    l = weir_grouping_limits_of(&device, &connection);
    assert_in_range(l.request_cost / l.register_cost, 14, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost_equals_brute_force_on_small_maps),
        cmocka_unit_test(cost_equals_the_plain_recurrence_on_large_maps),
        cmocka_unit_test(order_of_the_arguments_does_not_matter),
        cmocka_unit_test(neighbours_share_a_request_and_far_ones_do_not),
        cmocka_unit_test(greedy_filling_would_cost_more),
        cmocka_unit_test(large_counts_are_cut_at_elements),
        cmocka_unit_test(atomic_group_is_read_across_a_hole),
        cmocka_unit_test(what_cannot_be_asked_for_is_named),
        cmocka_unit_test(short_memory_is_an_error_at_every_allocation),
        cmocka_unit_test(request_is_worth_forty_registers_over_tcp_and_fifteen_on_a_serial_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Grouping: against brute force on small maps, a plain recurrence on large ones. */

#include "modbus/test_grouping.h"

#include <stdio.h>

#include "base/random.h"

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

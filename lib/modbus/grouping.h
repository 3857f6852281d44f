/* SPDX-License-Identifier: MIT */
/* Grouping of points into the requests that cost least. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/catalog.h"
#include "model/point.h"

/* What a device can bear and what reading costs. */
typedef struct weir_grouping_limits {
    uint16_t registers_max;      /* per request, 1..125 */
    uint16_t bits_max;           /* per request, 1..2000 */
    uint16_t hole_registers_max; /* longest run of unused registers inside one request */
    uint16_t hole_bits_max;
    bool one_point_per_request;
    uint64_t request_cost;  /* one request more, in the same unit as ... */
    uint64_t register_cost; /* ... one register more; a bit costs 1/16, rounded up per request */
    size_t n_forbidden;
    const weir_range *forbidden; /* never read: device's holes, learnt illegal addresses */
    size_t n_cuts;
    const weir_range *cuts; /* first and last are never in one request: learnt borders */
} weir_grouping_limits;

/* One request. Its points are point_index[first .. first + n - 1] of the grouping. */
typedef struct weir_group {
    weir_register table;
    uint8_t function;
    uint16_t address;
    uint16_t count; /* registers or bits; WEIR_REGISTER_FUNCTION: 0 */
    uint32_t first;
    uint32_t n;
} weir_group;

typedef struct weir_grouping {
    size_t n_groups;
    weir_group *groups;
    size_t n_points;
    uint32_t *point_index; /* into the points given, ordered by group, then address; a point that
                              was cut at elements is there once for each of its requests */
    uint64_t cost;
} weir_grouping;

/*
 * Finds the cheapest set of requests that covers the points.
 *
 * points, index   the points numbered index[0..n-1] are wanted, any order, overlaps and equal
 *                 addresses allowed; borrowed.
 * arena           holds the result.
 *
 * Cost = requests * request_cost + registers * register_cost, least over all ways to cut the
 * points, sorted by table and address, into runs: dynamic programming, O(n * longest run). Every
 * point lies whole in one request; points of one atomic group (weir_point.group) and all count
 * elements of one point likewise, as far as registers_max allows. A point alone larger than
 * registers_max (a long string, a large count) gets requests of its own, cut at elements; a point
 * touching a forbidden range gets one of its own too: it is wanted, so it is asked for alone, as is
 * one that itself reaches across a cut.
 *
 * An atomic group may contain holes longer than hole_registers_max. One that no single request can
 * hold (too long, a forbidden range or a cut inside, points in several tables) is kept together as
 * far as that goes: each table's points on their own, or else each point.
 *
 * The groups are in order of table (coil, discrete, holding, input, function), then address. Of
 * equally cheap ways one with the fewest requests is taken. The result depends on the arguments
 * only.
 *
 * WEIR_EINVAL: a single element larger than registers_max, or a point that ends beyond address
 * 65535; error names the point. WEIR_ENOMEM.
 */
weir_err weir_grouping_make(const weir_point *points, const uint32_t *index, size_t n,
                            const weir_grouping_limits *limits, weir_arena *arena,
                            weir_grouping *ret, weir_error *error) WEIR_MUST_CHECK;

/*
 * The limits of a device, with costs in microseconds of the connection's time (a request more
 * against a register more; see grouping.c for the figures): about 40 registers a request over TCP,
 * 15 towards a serial line, more with pause_between_requests. Borrows the device's ranges.
 */
weir_grouping_limits weir_grouping_limits_of(const weir_device *device,
                                             const weir_connection *connection);

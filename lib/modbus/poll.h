/* SPDX-License-Identifier: MIT */
/* A poll: the requests for one set of points of one device, made ready for decoding. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/grouping.h"
#include "model/source.h"
#include "modbus/learnt.h"

/* One sample to be: an element of a point and where its bytes lie in the group's reply. */
typedef struct weir_poll_item {
    const weir_point *point;
    weir_tag_uid tag;
    uint16_t offset; /* bytes, for coil and discrete bits, from the start of the group */
    uint16_t length; /* bytes; coil and discrete: 1 bit; function: 0, all that came */
} weir_poll_item;

/*
 * The first n_groups groups are the cheapest requests for the points that are not refused. After
 * them come the refused points, each alone: n_alone groups. weir_group.first and n are of items.
 */
typedef struct weir_poll {
    struct weir_poll *next;   /* the owner's list */
    uint64_t key;             /* weir_read_key */
    const weir_point *points; /* the device's, which items point into */
    uint32_t version;         /* of what was learnt when it was made */
    uint32_t refs;            /* reads under way, and one of the owner's list */
    size_t n_groups, n_alone;
    weir_group *groups;
    weir_poll_item *items; /* ordered by group, then address */
    size_t n_items;
    size_t items_most; /* in one batch: a group, or all refused points */
    size_t room_most;  /* bytes the strings of one group can take */
    weir_arena *arena;
} weir_poll;

/* For the points the read asks for. WEIR_ENOMEM. WEIR_EINVAL: as weir_grouping_make. */
weir_err weir_poll_new(const weir_catalog *catalog, const weir_read *read,
                       const weir_learnt *learnt, weir_poll **ret,
                       weir_error *error) WEIR_MUST_CHECK;
void weir_poll_unref(weir_poll *poll); /* accepts NULL */

/* The device's points are elsewhere now, and the same. */
void weir_poll_move(weir_poll *poll, const weir_point *points);

/* The units (bytes, or bits) of a group's reply that n items from first on need. */
typedef struct weir_poll_span {
    uint32_t first, end; /* offsets as in the items, end exclusive */
} weir_poll_span;
weir_poll_span weir_poll_span_of(const weir_poll_item *items, size_t n);

/*
 * Where to halve n items that were refused together: the first item of the second half, nearest to
 * the middle where point and address change, else where the address changes. 0: all items need the
 * very same registers, no smaller request exists.
 */
size_t weir_poll_halve(const weir_poll_item *items, size_t n);

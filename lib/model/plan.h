/* SPDX-License-Identifier: MIT */
/* A plan: tags that are collected together, and when. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/cron.h"

struct weir_device;
struct weir_where;

/* When several plans want one point. */
typedef enum weir_plan_merge {
    WEIR_PLAN_UNION, /* it is read at the times of each */
    WEIR_PLAN_GCD,   /* those with this word: at the greatest common divisor of their intervals */
} weir_plan_merge;

/* An interval below the least that is allowed. */
typedef enum weir_plan_policy {
    WEIR_PLAN_IGNORE, /* is taken all the same */
    WEIR_PLAN_LIMIT, /* becomes the least; a divisor becomes its least multiple that is not below */
    WEIR_PLAN_ERROR, /* the plan does not start */
} weir_plan_policy;

enum {
    WEIR_PLANS_MAX = 63,     /* beside `default`: a set of plans has 64 bits */
    WEIR_PLAN_NAME_MAX = 64, /* bytes */
};

/* The implicit plan of all intervals that devices and points have; bit 0, it always runs. */
#define WEIR_PLAN_DEFAULT_NAME "default"

/* A point some tag of which the plan names. Elements of an array are read together. */
typedef struct weir_plan_member {
    uint32_t device, point; /* catalog indices */
} weir_plan_member;

typedef struct weir_plan {
    const char *name, *description;
    const struct weir_where *where; /* NULL: started while it runs */
    uint32_t id;                    /* the number somebody else gave it; 0: none */
    uint8_t bit;  /* in sets of plans; set by the store, as the tags' uids. 0: not yet */
    bool enabled; /* starts by itself */
    weir_plan_merge merge;
    weir_plan_policy policy;
    int64_t interval_us;         /* 0: cron, or each point's own */
    int64_t default_interval_us; /* of points without an interval of their own, where interval_us
                                    and cron are not given; 0: there are none */
    int64_t minimum_interval_us; /* 0: no limit */
    bool has_cron;
    weir_cron cron;
    const char *cron_text; /* as written */
    const weir_zone *zone; /* of cron, start and end; the catalog's. NULL: UTC */
    const char *zone_name;
    int64_t lifetime_us;  /* from its start; 0: endless */
    weir_wall start, end; /* it runs from the one until before the other; INT64_MIN, INT64_MAX: no
                             limit */
    size_t n_patterns;
    const char *const *patterns; /* tags as written; ! in front: not these */
    size_t n_members;
    const weir_plan_member *members; /* ascending by device, then point */
    size_t n_tags;                   /* that the patterns match */
} weir_plan;

const char *weir_plan_merge_text(weir_plan_merge merge);

/*
 * Finds the members of a plan by its patterns among devices. ret_used, of n_patterns, gets whether
 * each matched a tag; may be NULL. WEIR_ENOMEM.
 */
weir_err weir_plan_find_members(weir_plan *plan, const struct weir_device *devices,
                                size_t n_devices, weir_arena *arena,
                                bool *ret_used) WEIR_MUST_CHECK;

/* Whether the text is a pattern and not the name of a tag. */
bool weir_plan_is_pattern(const char *text);

/* The members of one device: the first, and how many. */
size_t weir_plan_members_of(const weir_plan *plan, uint32_t device, size_t *ret_first);

/*
 * What must be so whatever a plan was made of: a name, one rhythm, a start before the end, no
 * merge: gcd with cron. WEIR_EINVAL; the text begins with the key.
 */
weir_err weir_plan_check(const weir_plan *plan, weir_error *error) WEIR_MUST_CHECK;

/* Whether it is a word that commands and tables can have: WEIR_EINVAL says why not. */
weir_err weir_plan_check_name(const char *name, weir_error *error) WEIR_MUST_CHECK;

/* How often the plan reads a point: its own interval, or the point's; 0: cron, or it has none. */
int64_t weir_plan_interval(const weir_plan *plan, const struct weir_device *device, uint32_t point);

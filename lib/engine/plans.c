/* SPDX-License-Identifier: MIT */
/* Plans as they run: see plans.h. */

#include "engine/plans.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"

const char *weir_plan_state_text(weir_plan_state state)
{
    static const char *const texts[] = {
#define X(name, text) text,
        WEIR_PLAN_STATE_LIST(X)
#undef X
    };
    return texts[state];
}

const char *weir_plan_change_text(weir_plan_change change)
{
    switch (change) {
    case WEIR_PLAN_EXPIRE:
        return "expired";
    case WEIR_PLAN_START:
        return "started";
    case WEIR_PLAN_PAUSE:
        return "paused";
    case WEIR_PLAN_RESUME:
        return "resumed";
    case WEIR_PLAN_STOP:
        return "stopped";
    }
    return "?";
}

/* ---- all of them ---- */

static weir_err plans_put(weir_plans *plans, const weir_plan_run *run, weir_error *error)
{
    weir_plan_run *runs =
        weir_array_room(plans->runs, plans->n, &plans->capacity, sizeof *plans->runs);
    if (!runs)
        return weir_fail(error, WEIR_ENOMEM, "plan '%s'", run->plan->name);
    plans->runs = runs;
    plans->runs[plans->n++] = *run;
    return WEIR_OK;
}

weir_err weir_plans_init(weir_plans *plans, const weir_catalog *catalog, weir_error *error)
{
    *plans = (weir_plans){0};
    for (size_t i = 0; i < catalog->n_plans; i++) {
        const weir_plan_run run = {.plan = &catalog->plans[i], .expires = WEIR_MONO_NEVER};
        const weir_err err = plans_put(plans, &run, error);
        if (err) {
            weir_plans_deinit(plans);
            return err;
        }
    }
    return WEIR_OK;
}

void weir_plans_deinit(weir_plans *plans)
{
    for (size_t i = 0; i < plans->n; i++)
        weir_arena_free(plans->runs[i].arena);
    weir_free(plans->runs);
    *plans = (weir_plans){0};
}

weir_plan_run *weir_plans_find(const weir_plans *plans, const char *name)
{
    for (size_t i = 0; i < plans->n; i++)
        if (!strcmp(plans->runs[i].plan->name, name))
            return &plans->runs[i];
    return NULL;
}

weir_err weir_plans_add(weir_plans *plans, const weir_plan *plan, weir_arena *arena,
                        weir_error *error)
{
    if (weir_plans_find(plans, plan->name))
        return weir_fail(error, WEIR_EINUSE, "there is a plan '%s' already", plan->name);
    return plans_put(
        plans,
        &(weir_plan_run){.plan = plan, .arena = arena, .by_hand = true, .expires = WEIR_MONO_NEVER},
        error);
}

void weir_plans_drop_last(weir_plans *plans)
{
    assert(plans->n);
    weir_arena_free(plans->runs[--plans->n].arena);
}

static const char *text_copy(weir_arena *arena, const char *text, bool *failed)
{
    char *copy = weir_arena_text(arena, text ? text : "");
    *failed |= !copy;
    return copy;
}

weir_err weir_plan_copy(const weir_plan *plan, const weir_catalog *catalog, weir_arena *arena,
                        const weir_plan **ret)
{
    weir_plan *copy = weir_arena_alloc(arena, 1, sizeof *copy);
    const char **patterns = weir_arena_alloc(arena, plan->n_patterns + 1, sizeof *patterns);
    bool failed = !copy || !patterns;
    if (failed)
        return WEIR_ENOMEM;
    *copy = *plan;
    copy->where = NULL;
    copy->name = text_copy(arena, plan->name, &failed);
    copy->description = text_copy(arena, plan->description, &failed);
    copy->cron_text = text_copy(arena, plan->cron_text, &failed);
    copy->zone_name = text_copy(arena, plan->zone_name, &failed);
    for (size_t i = 0; i < plan->n_patterns; i++)
        patterns[i] = text_copy(arena, plan->patterns[i], &failed);
    copy->patterns = patterns;
    if (failed || weir_plan_find_members(copy, catalog->devices, catalog->n_devices, arena, NULL))
        return WEIR_ENOMEM;
    *ret = copy;
    return WEIR_OK;
}

static weir_mono run_expiry(const weir_plan_run *run)
{
    return run->plan->lifetime_us ? weir_mono_add(run->began, run->plan->lifetime_us)
                                  : WEIR_MONO_NEVER;
}

/* The same plan as another catalog has it. */
static void run_follow(weir_plan_run *run, const weir_plan_run *old)
{
    const weir_plan *plan = run->plan;
    if (old->state == WEIR_PLAN_EXPIRED &&
        (plan->end.us != old->plan->end.us || plan->lifetime_us != old->plan->lifetime_us))
        return;
    *run = *old;
    run->plan = plan;
    if (run->state == WEIR_PLAN_RUNNING || run->state == WEIR_PLAN_PAUSED)
        run->expires = run_expiry(run);
}

static weir_err plans_follow_one(weir_plans *fresh, const weir_plan_run *old,
                                 const weir_catalog *catalog, weir_error *error)
{
    weir_plan_run *run = weir_plans_find(fresh, old->plan->name);
    if (run && old->arena)
        return weir_fail(error, WEIR_EINVAL,
                         "there is a plan '%s' already, started while this runs: stop it, or name "
                         "yours otherwise",
                         old->plan->name);
    if (run)
        run_follow(run, old);
    if (run || !old->arena)
        return WEIR_OK; /* no catalog has it any more */
    weir_plan_run copy = *old;
    copy.arena = weir_arena_new();
    weir_err err =
        copy.arena ? weir_plan_copy(old->plan, catalog, copy.arena, &copy.plan) : WEIR_ENOMEM;
    if (err)
        err = weir_fail(error, err, "plan '%s'", old->plan->name);
    else
        err = plans_put(fresh, &copy, error);
    if (err)
        weir_arena_free(copy.arena);
    return err;
}

weir_err weir_plans_follow(weir_plans *fresh, const weir_plans *old, const weir_catalog *catalog,
                           weir_error *error)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < old->n; i++)
        err = plans_follow_one(fresh, &old->runs[i], catalog, error);
    return err;
}

/* ---- states ---- */

static weir_err refuse(const weir_plan_run *run, const char *why, weir_error *error)
{
    return weir_fail(error, WEIR_EINVAL, "plan '%s' is %s: %s", run->plan->name,
                     weir_plan_state_text(run->state), why);
}

static weir_err run_start(weir_plan_run *run, weir_mono mono, weir_wall at, weir_error *error)
{
    const weir_plan *plan = run->plan;
    if (run->state == WEIR_PLAN_RUNNING)
        return WEIR_OK;
    if (run->state == WEIR_PLAN_PAUSED)
        return refuse(run, "resume it", error);
    if (at.us >= plan->end.us)
        return refuse(run, "its end is past, change it in the configuration", error);
    run->state = WEIR_PLAN_RUNNING;
    run->started = at;
    run->ended = (weir_wall){0};
    run->began = mono;
    run->expires = run_expiry(run);
    return WEIR_OK;
}

static void run_end(weir_plan_run *run, weir_plan_state state, weir_wall at)
{
    run->state = state;
    run->ended = at;
    run->by_hand = true; /* what it was is over, whatever `start` says */
    run->expires = WEIR_MONO_NEVER;
}

weir_err weir_plan_run_change(weir_plan_run *run, weir_plan_change change, weir_mono mono,
                              weir_wall at, weir_error *error)
{
    const bool lives = run->state == WEIR_PLAN_RUNNING || run->state == WEIR_PLAN_PAUSED;
    switch (change) {
    case WEIR_PLAN_START:
        return run_start(run, mono, at, error);
    case WEIR_PLAN_PAUSE:
        if (!lives)
            return refuse(run, "only one that runs can be paused", error);
        run->state = WEIR_PLAN_PAUSED;
        return WEIR_OK;
    case WEIR_PLAN_RESUME:
        if (!lives)
            return refuse(run, "start it", error);
        run->state = WEIR_PLAN_RUNNING;
        return WEIR_OK;
    case WEIR_PLAN_STOP:
        if (lives || run->state == WEIR_PLAN_READY)
            run_end(run, WEIR_PLAN_STOPPED, at);
        return WEIR_OK;
    case WEIR_PLAN_EXPIRE:
        run_end(run, WEIR_PLAN_EXPIRED, at);
        return WEIR_OK;
    }
    return WEIR_OK;
}

/* When the state of a plan changes by itself; INT64_MAX: it does not. */
static int64_t run_next(const weir_plan_run *run, int64_t anchor_us, weir_plan_change *ret)
{
    const int64_t expires = run->expires.us == INT64_MAX ? INT64_MAX : run->expires.us + anchor_us;
    const int64_t end = expires < run->plan->end.us ? expires : run->plan->end.us;
    *ret = WEIR_PLAN_EXPIRE;
    switch (run->state) {
    case WEIR_PLAN_RUNNING:
    case WEIR_PLAN_PAUSED:
        return end;
    case WEIR_PLAN_READY:
        if (run->by_hand || !run->plan->enabled)
            return INT64_MAX;
        *ret = WEIR_PLAN_START;
        return run->plan->start.us;
    case WEIR_PLAN_STOPPED:
    case WEIR_PLAN_EXPIRED:
        break;
    }
    return INT64_MAX;
}

weir_plan_run *weir_plans_next(const weir_plans *plans, int64_t anchor_us,
                               weir_plan_change *ret_change, weir_wall *ret_at)
{
    weir_plan_run *first = NULL;
    for (size_t i = 0; i < plans->n; i++) {
        weir_plan_change change;
        const int64_t at = run_next(&plans->runs[i], anchor_us, &change);
        if (at == INT64_MAX ||
            (first && (at > ret_at->us || (at == ret_at->us && change >= *ret_change))))
            continue;
        first = &plans->runs[i];
        *ret_change = change;
        ret_at->us = at;
    }
    return first;
}

/* ---- what they want ---- */

/* The intervals that are merged for one point. */
struct merged {
    int64_t gcd_us; /* 0: none */
    int64_t floor_us;
    weir_plan_policy policy; /* the strictest */
    uint64_t plans;
};

static weir_err refuse_interval(const weir_device *device, int64_t us, int64_t floor_us,
                                weir_error *error)
{
    WEIR_TEXT_AUTO is = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO least = WEIR_TEXT_INIT;
    weir_text_add_duration(&is, us);
    weir_text_add_duration(&least, floor_us);
    return weir_fail(error, WEIR_EINVAL,
                     "device '%s' would be read every %s, below the minimum_interval %s",
                     device->name, weir_text_get(&is), weir_text_get(&least));
}

/* The interval as the policy leaves it. */
static weir_err interval_limit(const weir_device *device, weir_plan_policy policy, int64_t floor_us,
                               int64_t *us, weir_error *error)
{
    if (*us >= floor_us || policy == WEIR_PLAN_IGNORE)
        return WEIR_OK;
    if (policy == WEIR_PLAN_ERROR)
        return refuse_interval(device, *us, floor_us, error);
    *us = floor_us;
    return WEIR_OK;
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The largest of those that the plan, the device and its connection ask for. */
static int64_t floor_of(const weir_plan *plan, const weir_catalog *catalog,
                        const weir_device *device)
{
    int64_t floor_us = plan->minimum_interval_us;
    const int64_t of_connection = catalog->connections[device->connection].minimum_interval_us;
    if (floor_us < device->minimum_interval_us)
        floor_us = device->minimum_interval_us;
    return floor_us < of_connection ? of_connection : floor_us;
}

static void merged_add(struct merged *m, const weir_plan *plan, int64_t us, int64_t floor_us)
{
    m->gcd_us = gcd(us, m->gcd_us);
    m->plans |= UINT64_C(1) << plan->bit;
    if (m->floor_us < floor_us)
        m->floor_us = floor_us;
    if (m->policy < plan->policy)
        m->policy = plan->policy;
}

/* One plan's part of a device: at once, or into what is merged. */
static weir_err resolve_plan(const weir_plan *plan, const weir_device *device, int64_t floor_us,
                             size_t first, size_t n, struct merged *merged, weir_rhythms *rhythms,
                             weir_error *error)
{
    weir_err err = WEIR_OK;
    weir_beat beat = {.cron = plan->cron, .zone = plan->zone, .zone_name = plan->zone_name};
    for (size_t i = first; !err && i < first + n; i++) {
        const uint32_t point = plan->members[i].point;
        int64_t us = plan->has_cron ? 0 : weir_plan_interval(plan, device, point);
        if (!plan->has_cron && us <= 0)
            continue; /* it has no interval any more: nobody says when */
        if (us)
            err = interval_limit(device, plan->policy, floor_us, &us, error);
        if (err)
            break;
        beat.interval_us = us;
        if (plan->merge == WEIR_PLAN_GCD && us)
            merged_add(&merged[point], plan, us, floor_us);
        else
            err = weir_rhythms_want(rhythms, device, point, &beat, UINT64_C(1) << plan->bit, error);
    }
    return err;
}

/* The least multiple of the divisor that is not below the limit, where that is wished. */
static weir_err resolve_merged(const struct merged *merged, const weir_device *device,
                               weir_rhythms *rhythms, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (uint32_t p = 0; !err && p < device->n_points; p++) {
        const struct merged *m = &merged[p];
        if (!m->gcd_us)
            continue;
        const int64_t multiple = (m->floor_us + m->gcd_us - 1) / m->gcd_us * m->gcd_us;
        weir_beat beat = {.interval_us = m->gcd_us};
        if (m->gcd_us < m->floor_us && m->policy == WEIR_PLAN_LIMIT)
            beat.interval_us = multiple;
        else
            err = interval_limit(device, m->policy, m->floor_us, &beat.interval_us, error);
        if (!err)
            err = weir_rhythms_want(rhythms, device, p, &beat, m->plans, error);
    }
    return err;
}

static weir_err resolve(const weir_plans *plans, const weir_catalog *catalog, uint32_t index,
                        struct merged *merged, weir_rhythms *rhythms, weir_error *error)
{
    const weir_device *device = &catalog->devices[index];
    weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < plans->n; i++) {
        const weir_plan_run *run = &plans->runs[i];
        size_t first;
        if (run->state != WEIR_PLAN_RUNNING)
            continue;
        const size_t n = weir_plan_members_of(run->plan, index, &first);
        err = resolve_plan(run->plan, device, floor_of(run->plan, catalog, device), first, n,
                           merged, rhythms, error);
    }
    return err ? err : resolve_merged(merged, device, rhythms, error);
}

static bool plans_want(const weir_plans *plans, uint32_t device)
{
    size_t first;
    for (size_t i = 0; i < plans->n; i++)
        if (plans->runs[i].state == WEIR_PLAN_RUNNING &&
            weir_plan_members_of(plans->runs[i].plan, device, &first))
            return true;
    return false;
}

weir_err weir_plans_resolve(const weir_plans *plans, const weir_catalog *catalog, uint32_t index,
                            weir_rhythms **ret, weir_error *error)
{
    const weir_device *device = &catalog->devices[index];
    *ret = NULL;
    if (!plans_want(plans, index))
        return WEIR_OK;
    weir_rhythms *rhythms = weir_rhythms_new(device);
    struct merged *merged = weir_alloc_zero(device->n_points + 1, sizeof *merged);
    weir_err err = rhythms && merged
                       ? resolve(plans, catalog, index, merged, rhythms, error)
                       : weir_fail(error, WEIR_ENOMEM, "the plans of device '%s'", device->name);
    weir_free(merged);
    if (err)
        weir_rhythms_free(rhythms);
    else
        *ret = rhythms;
    return err;
}

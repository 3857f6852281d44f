/* SPDX-License-Identifier: MIT */
/* Rhythms: see rhythms.h. */

#include "engine/rhythms.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "model/plan.h"

int64_t weir_beat_after(const weir_beat *beat, int64_t t)
{
    weir_wall next;
    if (beat->interval_us)
        return weir_floor_multiple(t, beat->interval_us) + beat->interval_us;
    const weir_zone *zone = beat->zone ? beat->zone : weir_zone_utc();
    return weir_cron_next(&beat->cron, zone, (weir_wall){t}, &next) ? next.us : INT64_MAX;
}

static bool beat_equal(const weir_beat *a, const weir_beat *b)
{
    if (a->interval_us || b->interval_us)
        return a->interval_us == b->interval_us;
    const char *zone_a = a->zone_name ? a->zone_name : "";
    const char *zone_b = b->zone_name ? b->zone_name : "";
    return weir_cron_equal(&a->cron, &b->cron) && !strcmp(zone_a, zone_b);
}

weir_rhythms *weir_rhythms_new(const weir_device *device)
{
    weir_rhythms *r = weir_alloc_zero(1, sizeof *r);
    if (r)
        r->n_intervals = device->n_intervals;
    return r;
}

static void rhythms_forget_chosen(weir_rhythms *r)
{
    for (size_t i = 0; i < r->n_cached; i++)
        weir_chosen_unref(r->cached[i].chosen);
    r->n_cached = r->next_cached = 0;
}

void weir_rhythms_free(weir_rhythms *r)
{
    if (!r)
        return;
    rhythms_forget_chosen(r);
    weir_free(r->wants);
    weir_free(r);
}

void weir_chosen_unref(weir_chosen *chosen)
{
    if (chosen && --chosen->refs == 0)
        weir_free(chosen);
}

/* ---- what is wanted ---- */

/* The number of the beat, a new one if need be; WEIR_INTERVALS_MAX: there is none left. */
static uint32_t rhythms_beat(weir_rhythms *r, const weir_device *device, const weir_beat *beat)
{
    for (uint32_t i = 0; i < r->n_intervals; i++)
        if (device->intervals[i] == beat->interval_us)
            return i;
    uint32_t free = WEIR_INTERVALS_MAX;
    for (uint32_t i = WEIR_INTERVALS_MAX; i-- > r->n_intervals;) {
        if (!(r->present >> i & 1))
            free = i;
        else if (beat_equal(&r->beats[i].beat, beat))
            return i;
    }
    if (free < WEIR_INTERVALS_MAX) {
        r->beats[free].beat = *beat;
        r->present |= 1u << free;
    }
    return free;
}

weir_err weir_rhythms_want(weir_rhythms *r, const weir_device *device, uint32_t point,
                           const weir_beat *beat, uint64_t plans, weir_error *error)
{
    struct weir_want *wants = weir_array_room(r->wants, r->n_wants, &r->capacity, sizeof *r->wants);
    if (!wants)
        return weir_fail(error, WEIR_ENOMEM, "what plans want of device '%s'", device->name);
    r->wants = wants;
    const uint32_t number = rhythms_beat(r, device, beat);
    if (number == WEIR_INTERVALS_MAX)
        return weir_fail(error, WEIR_ELIMIT,
                         "device '%s': its intervals and those of its plans are more than %d",
                         device->name, WEIR_INTERVALS_MAX);
    r->wants[r->n_wants++] = (struct weir_want){point, number, plans};
    r->wanted |= 1u << number;
    return WEIR_OK;
}

/* ---- one after the other ---- */

/* The number of an equal beat in old; WEIR_INTERVALS_MAX: none. */
static uint32_t rhythms_find(const weir_rhythms *old, const weir_beat *beat)
{
    for (uint32_t i = 0; old && i < WEIR_INTERVALS_MAX; i++)
        if (old->present >> i & 1 && beat_equal(&old->beats[i].beat, beat))
            return i;
    return WEIR_INTERVALS_MAX;
}

/* Moves beats to the numbers in `to`. */
static void rhythms_renumber(weir_rhythms *r, const uint32_t to[WEIR_INTERVALS_MAX])
{
    const weir_rhythms before = *r;
    r->present = r->wanted = 0;
    for (uint32_t i = 0; i < WEIR_INTERVALS_MAX; i++)
        if (before.present >> i & 1) {
            r->beats[to[i]] = before.beats[i];
            r->present |= 1u << to[i];
        }
    for (size_t i = 0; i < r->n_wants; i++) {
        if (r->wants[i].beat >= r->n_intervals)
            r->wants[i].beat = to[r->wants[i].beat];
        r->wanted |= 1u << r->wants[i].beat;
    }
}

uint32_t weir_rhythms_follow(weir_rhythms *r, const weir_rhythms *old, weir_wall now)
{
    uint32_t to[WEIR_INTERVALS_MAX] = {0}, kept = 0, taken = (1u << r->n_intervals) - 1;
    assert(!old || old->n_intervals == r->n_intervals);
    for (uint32_t i = 0; i < WEIR_INTERVALS_MAX; i++) {
        if (!(r->present >> i & 1))
            continue;
        to[i] = rhythms_find(old, &r->beats[i].beat);
        if (to[i] == WEIR_INTERVALS_MAX) {
            r->beats[i].next = weir_beat_after(&r->beats[i].beat, now.us);
            continue;
        }
        r->beats[i].next = old->beats[to[i]].next;
        kept |= 1u << to[i];
    }
    taken |= kept;
    for (uint32_t i = 0; i < WEIR_INTERVALS_MAX; i++)
        if (r->present >> i & 1 && to[i] == WEIR_INTERVALS_MAX) {
            to[i] = (uint32_t)__builtin_ctz(~taken);
            taken |= 1u << to[i];
        }
    rhythms_renumber(r, to);
    return old ? old->present & ~kept : 0;
}

/* ---- what is read ---- */

/* Whose points these are: of all of them, and whether they differ. */
static uint64_t plans_fold(const weir_chosen *chosen, const uint64_t *point_plans, uint32_t n,
                           bool *ret_differ)
{
    uint64_t all = 0, first = 0;
    *ret_differ = false;
    for (uint32_t p = 0; p < n; p++) {
        if (!(chosen->selection.points[p / 64] >> p % 64 & 1))
            continue;
        first = first ? first : point_plans[p];
        *ret_differ |= point_plans[p] != first;
        all |= point_plans[p];
    }
    return all;
}

/* Of no point yet; `plans` has room for those of each. */
static weir_chosen *chosen_new(const weir_device *device, uint64_t **ret_points,
                               uint64_t **ret_plans)
{
    const size_t n_words = (device->n_points + 63) / 64;
    weir_chosen *chosen = weir_alloc_zero(1, sizeof *chosen + (n_words + device->n_points) * 8);
    if (!chosen)
        return NULL;
    *ret_points = (uint64_t *)(chosen + 1);
    *ret_plans = *ret_points + n_words;
    chosen->refs = 1;
    chosen->selection.points = *ret_points;
    return chosen;
}

static void chosen_finish(weir_chosen *chosen, const weir_device *device, uint64_t *points,
                          const uint64_t *plans, uint32_t *next_id)
{
    bool differ;
    for (uint32_t p = 0; p < device->n_points; p++)
        if (plans[p])
            points[p / 64] |= UINT64_C(1) << p % 64;
    chosen->plans = plans_fold(chosen, plans, device->n_points, &differ);
    chosen->point_plans = differ ? plans : NULL;
    chosen->selection.id = ++*next_id;
}

static weir_chosen *chosen_of_beats(const weir_rhythms *r, const weir_device *device,
                                    uint32_t beats, uint32_t *next_id)
{
    uint64_t *points, *plans;
    weir_chosen *chosen = chosen_new(device, &points, &plans);
    if (!chosen)
        return NULL;
    for (uint32_t p = 0; p < device->n_points; p++) {
        const uint8_t interval = device->point_interval[p];
        if (interval < r->n_intervals && beats >> interval & 1)
            plans[p] = WEIR_PLAN_DEFAULT;
    }
    for (size_t i = 0; i < r->n_wants; i++)
        if (beats >> r->wants[i].beat & 1)
            plans[r->wants[i].point] |= r->wants[i].plans;
    chosen_finish(chosen, device, points, plans, next_id);
    return chosen;
}

weir_err weir_chosen_of_members(const weir_device *device, uint32_t index, const weir_plan *plan,
                                uint32_t *next_id, weir_chosen **ret)
{
    uint64_t *points, *plans;
    size_t first = 0;
    const size_t n = plan ? weir_plan_members_of(plan, index, &first) : 0;
    *ret = NULL;
    if (plan ? !n : !device->n_intervals)
        return WEIR_OK;
    weir_chosen *chosen = chosen_new(device, &points, &plans);
    if (!chosen)
        return WEIR_ENOMEM;
    for (size_t i = first; i < first + n; i++)
        plans[plan->members[i].point] = UINT64_C(1) << plan->bit;
    for (uint32_t p = 0; !plan && p < device->n_points; p++)
        if (device->point_interval[p] < device->n_intervals)
            plans[p] = WEIR_PLAN_DEFAULT;
    chosen_finish(chosen, device, points, plans, next_id);
    *ret = chosen;
    return WEIR_OK;
}

static void rhythms_keep_chosen(weir_rhythms *r, uint32_t beats, weir_chosen *chosen)
{
    const size_t n = sizeof r->cached / sizeof *r->cached;
    struct weir_cached *at = &r->cached[r->next_cached];
    if (r->n_cached == n)
        weir_chosen_unref(at->chosen);
    else
        r->n_cached++;
    *at = (struct weir_cached){beats, chosen};
    r->next_cached = (r->next_cached + 1) % n;
    chosen->refs++;
}

weir_err weir_rhythms_choose(weir_rhythms *r, const weir_device *device, uint32_t beats,
                             uint32_t *next_id, weir_chosen **ret)
{
    if (!(beats & r->wanted)) {
        *ret = NULL;
        return WEIR_OK;
    }
    for (size_t i = 0; i < r->n_cached; i++)
        if (r->cached[i].beats == beats) {
            *ret = r->cached[i].chosen;
            (*ret)->refs++;
            return WEIR_OK;
        }
    weir_chosen *chosen = chosen_of_beats(r, device, beats, next_id);
    if (!chosen)
        return WEIR_ENOMEM;
    rhythms_keep_chosen(r, beats, chosen);
    *ret = chosen;
    return WEIR_OK;
}

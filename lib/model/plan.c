/* SPDX-License-Identifier: MIT */
/* Plans: see plan.h. */

#include "model/plan.h"

#include <string.h>

#include "model/catalog.h"

const char *weir_plan_merge_text(weir_plan_merge merge)
{
    return merge == WEIR_PLAN_GCD ? "gcd" : "union";
}

bool weir_plan_is_pattern(const char *text)
{
    return strpbrk(text, "*?") != NULL;
}

/* ---- members ---- */

static bool patterns_match(const weir_plan *plan, const char *name, bool *used)
{
    bool wanted = false, refused = false;
    for (size_t i = 0; i < plan->n_patterns; i++) {
        const char *pattern = plan->patterns[i];
        const bool not = *pattern == '!';
        if (!weir_glob_match(pattern + not, name))
            continue;
        if (used)
            used[i] = true;
        refused |= not ;
        wanted |= !not ;
    }
    return wanted && !refused;
}

/* How many tags of the point the plan wants. */
static uint32_t point_match(const weir_plan *plan, const weir_catalog *catalog, uint32_t device,
                            uint32_t point, weir_text *name, bool *used)
{
    uint32_t n = 0;
    for (uint32_t e = 0; e < catalog->devices[device].points[point].count; e++) {
        const weir_tag tag = {.device = device, .point = point, .element = e};
        weir_text_clear(name);
        weir_tag_name(catalog, &tag, name);
        n += patterns_match(plan, weir_text_get(name), used);
    }
    return n;
}

weir_err weir_plan_find_members(weir_plan *plan, const weir_device *devices, size_t n_devices,
                                weir_arena *arena, bool *ret_used)
{
    const weir_catalog catalog = {.devices = devices, .n_devices = n_devices};
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    weir_plan_member *members = NULL;
    size_t n = 0, capacity = 0, n_tags = 0;
    weir_err err = WEIR_OK;
    for (uint32_t d = 0; d < n_devices; d++)
        for (uint32_t p = 0; !err && p < devices[d].n_points; p++) {
            const uint32_t matched = point_match(plan, &catalog, d, p, &name, ret_used);
            if (!matched)
                continue;
            weir_plan_member *room = weir_array_room(members, n, &capacity, sizeof *members);
            if (!room) {
                err = WEIR_ENOMEM;
                break;
            }
            members = room;
            members[n++] = (weir_plan_member){d, p};
            n_tags += matched;
        }
    weir_plan_member *kept = err ? NULL : weir_arena_alloc(arena, n + 1, sizeof *kept);
    if (!kept || name.failed)
        err = WEIR_ENOMEM;
    if (!err && n)
        memcpy(kept, members, n * sizeof *kept);
    weir_free(members);
    if (err)
        return err;
    plan->members = kept;
    plan->n_members = n;
    plan->n_tags = n_tags;
    return WEIR_OK;
}

size_t weir_plan_members_of(const weir_plan *plan, uint32_t device, size_t *ret_first)
{
    size_t low = 0, high = plan->n_members, n = 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (plan->members[middle].device < device)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < plan->n_members && plan->members[low + n].device == device)
        n++;
    *ret_first = low;
    return n;
}

/* ---- what must be so ---- */

weir_err weir_plan_check_name(const char *name, weir_error *error)
{
    const size_t n = name ? strlen(name) : 0;
    if (n == 0)
        return weir_fail(error, WEIR_EINVAL, "name: a plan needs one");
    if (n > WEIR_PLAN_NAME_MAX)
        return weir_fail(error, WEIR_EINVAL, "name: it has %zu bytes, at most %d", n,
                         WEIR_PLAN_NAME_MAX);
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f || *p == ',' || *p == '/')
            return weir_fail(error, WEIR_EINVAL,
                             "name: no blank, comma or slash can be in the name of a plan");
    if (*name == '-')
        return weir_fail(error, WEIR_EINVAL, "name: it begins with a hyphen as options do");
    if (!strcmp(name, WEIR_PLAN_DEFAULT_NAME))
        return weir_fail(error, WEIR_EINVAL,
                         "name: 'default' is the plan that the intervals of devices make");
    return WEIR_OK;
}

weir_err weir_plan_check(const weir_plan *plan, weir_error *error)
{
    const weir_err err = weir_plan_check_name(plan->name, error);
    if (err)
        return err;
    if (plan->n_patterns == 0)
        return weir_fail(error, WEIR_EINVAL, "tags: which tags? A name or a pattern is wanted");
    if (plan->has_cron && plan->interval_us)
        return weir_fail(error, WEIR_EINVAL, "cron: with interval beside it, remove one of them");
    if (plan->default_interval_us && (plan->has_cron || plan->interval_us))
        return weir_fail(error, WEIR_EINVAL,
                         "default_interval: %s already says when all its tags are read",
                         plan->has_cron ? "cron" : "interval");
    if (plan->has_cron && plan->merge == WEIR_PLAN_GCD)
        return weir_fail(error, WEIR_EINVAL,
                         "merge: a cron expression has no divisor, only interval can be merged so");
    if (plan->start.us >= plan->end.us)
        return weir_fail(error, WEIR_EINVAL, "end: it is not behind start");
    if (plan->policy == WEIR_PLAN_ERROR && plan->interval_us &&
        plan->interval_us < plan->minimum_interval_us)
        return weir_fail(error, WEIR_EINVAL,
                         "interval: it is below minimum_interval, and interval_policy is error");
    return WEIR_OK;
}

int64_t weir_plan_interval(const weir_plan *plan, const weir_device *device, uint32_t point)
{
    if (plan->interval_us || plan->has_cron)
        return plan->interval_us;
    const uint8_t interval = device->point_interval[point];
    return interval < device->n_intervals ? device->intervals[interval] : plan->default_interval_us;
}

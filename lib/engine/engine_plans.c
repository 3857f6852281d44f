/* SPDX-License-Identifier: MIT */
/* The engine's plans: they start and end, and the schedule follows. */

/*
 * A change of a plan, by hand or by time: what its devices are wanted for is worked out anew, for
 * all of them, while nothing is touched; that may fail, and then the plan stays as it is. Then
 * whoever listens is told `before`, the schedule takes it, and is told `after`. Reads under way go
 * on: they hold what they chose, and lose only the beats that are gone.
 *
 * "Collect now" reads all tags of a plan at once, whatever its state and rhythm. A cycle is over
 * when none of its reads is under way any more; the next begins so much later.
 */

#include "engine/engine_priv.h"

#include <string.h>

#include "base/alloc.h"

/* While a plan is collected we look this often whether a cycle is over. */
#define COLLECT_CHECK_US (10 * WEIR_MS)

static const weir_plan default_plan = {.name = WEIR_PLAN_DEFAULT_NAME,
                                       .description = "the intervals of devices and points",
                                       .enabled = true,
                                       .start = {INT64_MIN},
                                       .end = {INT64_MAX}};

weir_err weir_engine_plans_init(weir_engine *e, weir_error *error)
{
    e->default_run = (weir_plan_run){
        .plan = &default_plan, .state = WEIR_PLAN_RUNNING, .expires = WEIR_MONO_NEVER};
    return weir_plans_init(&e->runs, e->catalog, error);
}

/* --- a change --- */

/* What devices will be wanted for. */
struct prepared {
    size_t n;
    struct prepared_device {
        uint32_t device;
        weir_rhythms *rhythms;
    } * devices;
};

static void prepared_free(struct prepared *p)
{
    for (size_t i = 0; i < p->n; i++)
        weir_rhythms_free(p->devices[i].rhythms);
    weir_free(p->devices);
    *p = (struct prepared){0};
}

/* The devices of a plan, resolved anew. */
static weir_err engine_prepare(const weir_engine *e, const weir_plan *plan, struct prepared *ret,
                               weir_error *error)
{
    size_t capacity = 0;
    *ret = (struct prepared){0};
    for (size_t i = 0; i < plan->n_members; i++) {
        const uint32_t device = plan->members[i].device;
        if (i && plan->members[i - 1].device == device)
            continue;
        void *room = weir_array_room(ret->devices, ret->n, &capacity, sizeof *ret->devices);
        weir_err err = room ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "plan '%s'", plan->name);
        if (room) {
            ret->devices = room;
            ret->devices[ret->n] = (struct prepared_device){.device = device};
            err = weir_plans_resolve(&e->runs, e->catalog, device, &ret->devices[ret->n].rhythms,
                                     error);
            ret->n++;
        }
        if (err) {
            prepared_free(ret);
            return err;
        }
    }
    return WEIR_OK;
}

static void device_forget(weir_engine_device *d, uint32_t gone)
{
    d->busy &= ~gone;
    for (weir_engine_reading *r = d->readings; r; r = r->next)
        r->read.intervals &= ~gone;
}

static void engine_take(weir_engine *e, struct prepared *p, weir_wall after)
{
    for (size_t i = 0; i < p->n; i++) {
        const uint32_t device = p->devices[i].device;
        device_forget(&e->devices[device],
                      weir_schedule_exchange(&e->schedule, device, p->devices[i].rhythms, after));
        p->devices[i].rhythms = NULL;
    }
    weir_schedule_settle(&e->schedule);
    prepared_free(p);
}

static void engine_notify(weir_engine *e, const weir_plan_run *run, weir_plan_change change,
                          bool after)
{
    if (e->host.plan)
        e->host.plan(e->host.data, &(weir_plan_notice){run->plan, change, run->state, after});
}

static void engine_tell_plan(weir_engine *e, const weir_plan_run *run, const char *what,
                             weir_wall at)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_text_format(&text, "plan '%s' %s", run->plan->name, what);
    weir_engine_tell(e, WEIR_EVENT_CONFIG, run->plan->name, &text, at);
}

/* New beats begin with the first slot after `after`. */
static weir_err engine_change(weir_engine *e, weir_plan_run *run, weir_plan_change change,
                              weir_wall at, weir_wall after, weir_error *error)
{
    const weir_plan_run was = *run;
    struct prepared prepared = {0};
    weir_err err = weir_plan_run_change(run, change, weir_anchor_mono(&e->anchor, at), at, error);
    if (err || run->state == was.state)
        return err;
    err = engine_prepare(e, run->plan, &prepared, error);
    const weir_plan_run is = *run;
    *run = was;
    if (err)
        return err;
    engine_notify(e, run, change, false);
    *run = is;
    e->plan_changes++;
    engine_take(e, &prepared, after);
    engine_notify(e, run, change, true);
    return WEIR_OK;
}

/* --- by time --- */

/* A slot at the very moment a plan starts is its own; one at the moment it ends is not. What was
 * due before we looked (the program begins, the clock was set) has no slots that were missed. A
 * plan that cannot start is stopped: it would be tried for ever. */
static void engine_change_by_time(weir_engine *e, weir_plan_run *run, weir_plan_change change,
                                  weir_wall at, weir_wall until)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_wall after = at.us < e->plans_seen.us ? until : (weir_wall){at.us - 1};
    if (at.us == INT64_MIN)
        at = until;
    const weir_err err = engine_change(e, run, change, at, after, &error);
    if (err) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_text_format(&text, "cannot be %s: %s", weir_plan_change_text(change), error.text);
        run->state = WEIR_PLAN_STOPPED;
        run->ended = at;
        engine_tell_plan(e, run, weir_text_get(&text), until);
    } else if (e->started) {
        engine_tell_plan(e, run, weir_plan_change_text(change), until);
    }
}

bool weir_engine_next_plan(const weir_engine *e, weir_wall *ret)
{
    weir_plan_change change;
    if (!weir_plans_next(&e->runs, e->anchor.us, &change, ret))
        return false;
    if (ret->us < e->plans_seen.us)
        *ret = e->plans_seen;
    return true;
}

void weir_engine_change_plans(weir_engine *e, weir_wall until)
{
    weir_plan_change change;
    weir_wall at;
    weir_plan_run *run;
    while ((run = weir_plans_next(&e->runs, e->anchor.us, &change, &at)) && at.us <= until.us)
        engine_change_by_time(e, run, change, at, until);
    e->plans_seen = until;
}

/* --- by hand --- */

static weir_err engine_find(weir_engine *e, const char *name, weir_plan_run **ret,
                            weir_error *error)
{
    *ret = weir_plans_find(&e->runs, name);
    if (*ret)
        return WEIR_OK;
    if (!strcmp(name, WEIR_PLAN_DEFAULT_NAME))
        return weir_fail(error, WEIR_EINVAL,
                         "the plan default always runs: it is the intervals of devices and points");
    return weir_fail(error, WEIR_ENOTFOUND, "there is no plan '%s'", name);
}

weir_err weir_engine_plan_change(weir_engine *e, const char *name, weir_plan_change change,
                                 weir_mono now, weir_error *error)
{
    weir_plan_run *run;
    const weir_wall wall = weir_anchor_wall(&e->anchor, now);
    weir_err err = engine_find(e, name, &run, error);
    if (err)
        return err;
    const weir_plan_state was = run->state;
    err = engine_change(e, run, change, wall, wall, error);
    if (!err && run->state != was)
        engine_tell_plan(e, run, weir_plan_change_text(change), wall);
    return err;
}

weir_err weir_engine_plan_start(weir_engine *e, const weir_plan *plan, weir_mono now,
                                weir_error *error)
{
    const weir_plan *copy;
    weir_plan_run *old = weir_plans_find(&e->runs, plan->name);
    if (old && (!old->arena || old->state == WEIR_PLAN_RUNNING || old->state == WEIR_PLAN_PAUSED))
        return weir_fail(error, WEIR_EINUSE, "there is a plan '%s' already, it is %s", plan->name,
                         weir_plan_state_text(old->state));
    weir_arena *arena = weir_arena_new();
    weir_err err = arena ? weir_plan_copy(plan, e->catalog, arena, &copy) : WEIR_ENOMEM;
    if (err)
        err = weir_fail(error, err, "plan '%s'", plan->name);
    else if (copy->n_members == 0)
        err = weir_fail(error, WEIR_ENOTFOUND, "plan '%s': no tag matches", plan->name);
    if (old && !err) { /* it is over: this takes its place */
        weir_arena_free(old->arena);
        *old = (weir_plan_run){
            .plan = copy, .arena = arena, .by_hand = true, .expires = WEIR_MONO_NEVER};
    } else if (!err) {
        err = weir_plans_add(&e->runs, copy, arena, error);
    }
    if (err) {
        weir_arena_free(arena);
        return err;
    }
    e->plan_changes++;
    err = weir_engine_plan_change(e, copy->name, WEIR_PLAN_START, now, error);
    if (err && !old)
        weir_plans_drop_last(&e->runs);
    return err;
}

/* --- collect now --- */

weir_err weir_engine_plan_collect(weir_engine *e, const char *name, uint32_t cycles,
                                  int64_t wait_us, weir_mono now, weir_error *error)
{
    weir_plan_run *run = &e->default_run;
    weir_err err =
        strcmp(name, WEIR_PLAN_DEFAULT_NAME) ? engine_find(e, name, &run, error) : WEIR_OK;
    if (err)
        return err;
    if (run->cycles || run->collecting)
        return weir_fail(error, WEIR_EINUSE, "plan '%s' is being collected already", name);
    run->cycles = cycles;
    run->wait_us = wait_us;
    run->next_cycle = now;
    return WEIR_OK;
}

static bool device_is_collected(const weir_engine *e, const weir_plan_run *run)
{
    for (size_t i = 0; i < e->catalog->n_devices; i++)
        for (const weir_engine_reading *r = e->devices[i].readings; r; r = r->next)
            if (r->collects == run->plan)
                return true;
    return false;
}

static void engine_cycle(weir_engine *e, weir_plan_run *run, weir_mono now)
{
    const weir_plan *members = run == &e->default_run ? NULL : run->plan;
    for (uint32_t i = 0; i < e->catalog->n_devices; i++) {
        weir_chosen *chosen = NULL;
        if (weir_device_is_enabled(e->catalog, &e->catalog->devices[i]) &&
            weir_schedule_choose_members(&e->schedule, i, members, &chosen) == WEIR_OK && chosen)
            weir_engine_collect(e, i, chosen, run->plan, now);
    }
}

static void run_collect(weir_engine *e, weir_plan_run *run, weir_mono now)
{
    if (run->collecting) {
        if (device_is_collected(e, run))
            return;
        run->collecting = false;
        run->next_cycle = weir_mono_add(now, run->wait_us);
    }
    if (run->cycles && weir_mono_reached(now, run->next_cycle)) {
        run->cycles--;
        run->collecting = true;
        engine_cycle(e, run, now);
    }
}

weir_mono weir_engine_collect_plans(weir_engine *e, weir_mono now)
{
    bool any = false;
    for (size_t i = 0; i <= e->runs.n; i++) {
        weir_plan_run *run = i ? &e->runs.runs[i - 1] : &e->default_run;
        if (!run->cycles && !run->collecting)
            continue;
        run_collect(e, run, now);
        any = true;
    }
    return any ? weir_mono_add(now, COLLECT_CHECK_US) : WEIR_MONO_NEVER;
}

/* --- another catalog --- */

static weir_err engine_resolve_all(weir_engine *next, weir_error *error)
{
    for (uint32_t i = 0; i < next->catalog->n_devices; i++) {
        weir_rhythms *rhythms;
        const weir_err err = weir_plans_resolve(&next->runs, next->catalog, i, &rhythms, error);
        if (err)
            return err;
        (void)weir_schedule_exchange(&next->schedule, i, rhythms, next->plans_seen);
    }
    return WEIR_OK;
}

weir_err weir_engine_plans_prepare(weir_engine *next, const weir_engine *e, weir_error *error)
{
    weir_err err = weir_engine_plans_init(next, error);
    next->default_run = e->default_run;
    next->plan_changes = e->plan_changes;
    next->plans_seen = e->plans_seen;
    if (!err)
        err = weir_plans_follow(&next->runs, &e->runs, next->catalog, error);
    return err ? err : engine_resolve_all(next, error);
}

void weir_engine_plans_renew(weir_engine *next, weir_engine *e, weir_wall wall)
{
    weir_error error = WEIR_ERROR_INIT;
    if (next->plan_changes == e->plan_changes)
        return;
    weir_plans_deinit(&next->runs);
    if (weir_engine_plans_prepare(next, e, &error)) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_text_format(&text,
                         "plans that changed just now are as the new configuration has them: %s",
                         error.text);
        weir_engine_tell(e, WEIR_EVENT_CONFIG, "", &text, wall);
    }
}

/* --- what others look at --- */

size_t weir_engine_n_plans(const weir_engine *e)
{
    return e->runs.n + 1;
}

/* The earliest slot at which somebody reads something for the plan. */
static int64_t plan_next_due(const weir_engine *e, const weir_plan_run *run)
{
    int64_t next = INT64_MAX;
    const uint64_t bit = UINT64_C(1) << run->plan->bit;
    for (size_t i = 0; i < run->plan->n_members; i++) {
        const uint32_t device = run->plan->members[i].device;
        if ((i && run->plan->members[i - 1].device == device) ||
            !weir_device_is_enabled(e->catalog, &e->catalog->devices[device]))
            continue;
        const uint32_t beats = weir_schedule_beats_of(&e->schedule, device, bit);
        const int64_t slot = weir_schedule_earliest(&e->schedule, device, beats).us;
        next = slot < next ? slot : next;
    }
    return next == INT64_MAX ? 0 : next;
}

static void default_status(const weir_engine *e, weir_plan_status *ret)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < e->catalog->n_devices; i++) {
        const weir_device *device = &e->catalog->devices[i];
        for (uint32_t p = 0; p < device->n_points; p++)
            ret->n_tags +=
                device->point_interval[p] < device->n_intervals ? device->points[p].count : 0;
        if (!weir_device_is_enabled(e->catalog, device) || !device->n_intervals)
            continue;
        const uint32_t own = (1u << device->n_intervals) - 1;
        const int64_t slot = weir_schedule_earliest(&e->schedule, i, own).us;
        next = slot < next ? slot : next;
    }
    ret->next_due.us = next == INT64_MAX ? 0 : next;
}

void weir_engine_plan(const weir_engine *e, size_t i, weir_plan_status *ret)
{
    const weir_plan_run *run = i ? &e->runs.runs[i - 1] : &e->default_run;
    *ret = (weir_plan_status){.plan = run->plan,
                              .state = run->state,
                              .started = run->started,
                              .ended = run->ended,
                              .n_tags = run->plan->n_tags,
                              .is_configured = !run->arena,
                              .cycles = run->cycles + run->collecting};
    if (run->expires.us != INT64_MAX)
        ret->expires = weir_anchor_wall(&e->anchor, run->expires);
    if (run->plan->end.us != INT64_MAX && (!ret->expires.us || run->plan->end.us < ret->expires.us))
        ret->expires = run->plan->end;
    if (i == 0)
        default_status(e, ret);
    else if (run->state == WEIR_PLAN_RUNNING)
        ret->next_due.us = plan_next_due(e, run);
    else if (run->state == WEIR_PLAN_READY && !run->by_hand && run->plan->enabled)
        ret->next_due = run->plan->start;
}

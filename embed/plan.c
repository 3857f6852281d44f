/* SPDX-License-Identifier: MIT */
/* Plans of a collector, by its runtime. */

#include "weir/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "embed/collector_priv.h"
#include "embed/core/options.h"

/* The library's default: who forgets a plan does not read for ever. */
static const int64_t lifetime_default_us = WEIR_DAY;

static weir_err plan_of_options(const weir_plan_options *o, weir_plan *ret, weir_error *error)
{
    *ret = (weir_plan){
        .name = o->name,
        .description = "",
        .id = o->id,
        .merge = o->merge_gcd ? WEIR_PLAN_GCD : WEIR_PLAN_UNION,
        .interval_us = o->interval_us,
        .default_interval_us = o->default_interval_us,
        .minimum_interval_us = o->minimum_interval_us,
        .has_cron = o->cron != NULL,
        .cron_text = o->cron,
        .zone_name = o->zone ? o->zone : "local",
        .lifetime_us = o->lifetime_us ? o->lifetime_us : lifetime_default_us,
        .start = {o->start.us ? o->start.us : INT64_MIN},
        .end = {o->end.us ? o->end.us : INT64_MAX},
        .n_patterns = o->n_tags,
        .patterns = o->tags,
    };
    if (ret->lifetime_us < 0)
        ret->lifetime_us = 0;
    switch (o->policy) {
    case WEIR_INTERVAL_IGNORE:
        ret->policy = WEIR_PLAN_IGNORE;
        break;
    case WEIR_INTERVAL_LIMIT:
        ret->policy = WEIR_PLAN_LIMIT;
        break;
    case WEIR_INTERVAL_ERROR:
        ret->policy = WEIR_PLAN_ERROR;
        break;
    }
    if (!o->name || o->n_tags == 0 || !o->tags)
        return weir_fail(error, WEIR_EINVAL, "a plan needs a name and tags");
    if (o->interval_us < 0 || o->default_interval_us < 0 || o->minimum_interval_us < 0)
        return weir_fail(error, WEIR_EINVAL, "plan %s: an interval below 0", o->name);
    return o->cron ? weir_cron_parse(o->cron, &ret->cron, error) : WEIR_OK;
}

/* Takes the life to read when it returns WEIR_OK; plan_leave gives it back. */
static weir_err plan_enter(weir_collector *c, weir_error *error)
{
    const weir_err err = weir_callback_refuse(c, error);
    if (err != WEIR_OK)
        return err;
    (void)pthread_rwlock_rdlock(&c->life);
    if (c->runtime)
        return WEIR_OK;
    (void)pthread_rwlock_unlock(&c->life);
    return weir_fail(error, WEIR_EINVAL, "the collector does not run");
}

static void plan_leave(weir_collector *c)
{
    (void)pthread_rwlock_unlock(&c->life);
}

weir_err weir_plan_begin(weir_collector *collector, const weir_plan_options *options,
                         weir_error *error)
{
    weir_plan_options o;
    weir_plan plan;
    weir_err err = weir_options_read(&o, sizeof o, options, "weir_plan_options", error);
    if (err == WEIR_OK)
        err = plan_of_options(&o, &plan, error);
    if (err == WEIR_OK)
        err = plan_enter(collector, error);
    if (err != WEIR_OK)
        return err;
    err = weir_runtime_plan_start(collector->runtime, &plan, error);
    plan_leave(collector);
    return err;
}

static weir_err plan_change(weir_collector *c, const char *name, weir_plan_change change,
                            weir_error *error)
{
    weir_err err = plan_enter(c, error);
    if (err != WEIR_OK)
        return err;
    err = weir_runtime_plan_change(c->runtime, name ? name : "", change, error);
    plan_leave(c);
    return err;
}

weir_err weir_plan_start(weir_collector *collector, const char *name, weir_error *error)
{
    return plan_change(collector, name, WEIR_PLAN_START, error);
}

weir_err weir_plan_pause(weir_collector *collector, const char *name, weir_error *error)
{
    return plan_change(collector, name, WEIR_PLAN_PAUSE, error);
}

weir_err weir_plan_resume(weir_collector *collector, const char *name, weir_error *error)
{
    return plan_change(collector, name, WEIR_PLAN_RESUME, error);
}

weir_err weir_plan_stop(weir_collector *collector, const char *name, weir_error *error)
{
    return plan_change(collector, name, WEIR_PLAN_STOP, error);
}

weir_err weir_plan_collect(weir_collector *collector, const char *name, uint32_t cycles,
                           int64_t wait_us, weir_error *error)
{
    if (cycles == 0 || wait_us < 0)
        return weir_fail(error, WEIR_EINVAL, "at least one cycle, and no wait below 0");
    weir_err err = plan_enter(collector, error);
    if (err != WEIR_OK)
        return err;
    err = weir_runtime_plan_collect(collector->runtime, name ? name : "", cycles, wait_us, error);
    plan_leave(collector);
    return err;
}

static void info_fill(const weir_plan_status *status, weir_plan_info *ret)
{
    const size_t size = ret->struct_size;
    weir_plan_info info = {.struct_size = size,
                           .bit = status->plan->bit,
                           .id = status->plan->id,
                           .state = weir_plan_state_text(status->state),
                           .started = status->started,
                           .ended = status->ended,
                           .expires = status->expires,
                           .next_due = status->next_due,
                           .n_tags = status->n_tags,
                           .cycles = status->cycles};
    (void)snprintf(info.name, sizeof info.name, "%s", status->plan->name);
    memcpy(ret, &info, size < sizeof info ? size : sizeof info);
}

/* name: NULL: the i-th. */
static weir_err plan_info(weir_collector *c, const char *name, size_t i, weir_plan_info *ret,
                          weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    weir_plan_status *all = NULL;
    size_t n = 0;
    if (!ret || ret->struct_size < sizeof ret->struct_size)
        return weir_fail(error, WEIR_EINVAL, "struct_size must be sizeof(weir_plan_info)");
    if (!arena)
        return weir_fail(error, WEIR_ENOMEM, "the plans");
    weir_err err = plan_enter(c, error);
    if (err != WEIR_OK)
        return err;
    err = weir_runtime_plans(c->runtime, arena, &all, &n, error);
    plan_leave(c);
    if (err != WEIR_OK)
        return err;
    for (size_t k = 0; name && k < n; k++)
        i = strcmp(all[k].plan->name, name) == 0 ? k : i;
    if (i >= n)
        return weir_fail(error, WEIR_ENOTFOUND, "there is no plan '%s'", name ? name : "");
    info_fill(&all[i], ret);
    return WEIR_OK;
}

weir_err weir_plan_find(weir_collector *collector, const char *name, weir_plan_info *ret,
                        weir_error *error)
{
    return plan_info(collector, name ? name : "", SIZE_MAX, ret, error);
}

weir_err weir_plan_at(weir_collector *collector, size_t i, weir_plan_info *ret, weir_error *error)
{
    return plan_info(collector, NULL, i, ret, error);
}

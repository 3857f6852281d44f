/* SPDX-License-Identifier: MIT */
/* Plans, as other threads ask for them: each question is a job of the loop thread, one at a time.
 */

#include <string.h>

#include "base/alloc.h"
#include "runtime/clock.h"
#include "runtime/collector_priv.h"
#include "store/file/zonefile.h"
#include "store/plans.h"

void weir_collector_run_plan_job(weir_runtime *c)
{
    (void)pthread_mutex_lock(&c->lock);
    struct plan_job *job = c->plan_job;
    (void)pthread_mutex_unlock(&c->lock);
    if (!job)
        return;
    if (c->stopping)
        job->err = weir_fail(&job->error, WEIR_ECANCELED, "weir is stopping");
    else
        job->run(c, job);
    (void)pthread_mutex_lock(&c->lock);
    job->done = true;
    c->plan_job = NULL;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

void weir_collector_free_zones(weir_runtime *c)
{
    for (struct zone *zone = c->zones, *next; zone; zone = next) {
        next = zone->next;
        weir_zone_free(zone->owned);
        weir_free(zone);
    }
}

/* The loop thread does it; returns when it is done. One at a time. */
static weir_err collector_do_plan(weir_runtime *c, struct plan_job *job, weir_error *error)
{
    if (c->config.once)
        return weir_fail(error, WEIR_EINVAL, "everything is read once: plans do not run");
    (void)pthread_mutex_lock(&c->lock);
    while (c->plan_job)
        (void)pthread_cond_wait(&c->changed, &c->lock);
    c->plan_job = job;
    (void)pthread_mutex_unlock(&c->lock);
    (void)uv_async_send(&c->async);
    (void)pthread_mutex_lock(&c->lock);
    while (!job->done)
        (void)pthread_cond_wait(&c->changed, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
    return job->err ? weir_fail(error, job->err, "%s", job->error.text) : WEIR_OK;
}

static void run_plan_change(weir_runtime *c, struct plan_job *job)
{
    job->err = weir_loop_plan_change(c->loop, job->name, job->change, &job->error);
}

static void run_plan_start(weir_runtime *c, struct plan_job *job)
{
    job->err = weir_loop_plan_start(c->loop, job->plan, &job->error);
}

static void run_plan_collect(weir_runtime *c, struct plan_job *job)
{
    job->err = weir_loop_plan_collect(c->loop, job->name, job->cycles, job->wait_us, &job->error);
}

static void run_plans(weir_runtime *c, struct plan_job *job)
{
    job->err = weir_loop_plans(c->loop, job->arena, &job->status, &job->n);
    if (job->err)
        job->err = weir_fail(&job->error, job->err, "no memory for the plans");
}

weir_err weir_runtime_plan_change(weir_runtime *collector, const char *name,
                                  weir_plan_change change, weir_error *error)
{
    struct plan_job job = {
        .run = run_plan_change, .name = name, .change = change, .error = WEIR_ERROR_INIT};
    return collector_do_plan(collector, &job, error);
}

weir_err weir_runtime_plan_collect(weir_runtime *collector, const char *name, uint32_t cycles,
                                   int64_t wait_us, weir_error *error)
{
    struct plan_job job = {.run = run_plan_collect,
                           .name = name,
                           .cycles = cycles,
                           .wait_us = wait_us,
                           .error = WEIR_ERROR_INIT};
    return collector_do_plan(collector, &job, error);
}

weir_err weir_runtime_plans(weir_runtime *collector, weir_arena *arena, weir_plan_status **ret,
                            size_t *ret_n, weir_error *error)
{
    struct plan_job job = {.run = run_plans, .arena = arena, .error = WEIR_ERROR_INIT};
    const weir_err err = collector_do_plan(collector, &job, error);
    if (!err) {
        *ret = job.status;
        *ret_n = job.n;
    }
    return err;
}

/* Kept until the end: who uses it is not counted. */
static weir_err collector_zone(weir_runtime *c, const char *name, const weir_zone **ret,
                               weir_error *error)
{
    const size_t n = strlen(name) + 1;
    (void)pthread_mutex_lock(&c->lock);
    struct zone *zone = c->zones;
    while (zone && strcmp(zone->name, name) != 0)
        zone = zone->next;
    (void)pthread_mutex_unlock(&c->lock);
    if (zone) {
        *ret = zone->zone;
        return WEIR_OK;
    }
    zone = weir_alloc_zero(1, sizeof *zone + n);
    const weir_err err = zone ? weir_zone_open(name, &zone->zone, &zone->owned, error)
                              : weir_fail(error, WEIR_ENOMEM, "time zone '%s'", name);
    if (err) {
        weir_free(zone);
        return err;
    }
    memcpy(zone->name, name, n);
    *ret = zone->zone;
    (void)pthread_mutex_lock(&c->lock);
    zone->next = c->zones;
    c->zones = zone;
    (void)pthread_mutex_unlock(&c->lock);
    return WEIR_OK;
}

static void run_plan_bit(weir_runtime *c, struct store_job *job)
{
    uint8_t bit = 0;
    job->err = weir_store_plan_bit(c->store, job->plan_name, weir_system_wall(), &bit, &job->error);
    job->n = bit;
}

weir_err weir_runtime_plan_start(weir_runtime *collector, const weir_plan *plan, weir_error *error)
{
    struct store_job bit = {.run = run_plan_bit, .plan_name = plan->name, .error = WEIR_ERROR_INIT};
    weir_plan own = *plan;
    weir_err err = weir_plan_check(plan, error);
    if (!err && plan->zone_name)
        err = collector_zone(collector, plan->zone_name, &own.zone, error);
    if (!err)
        err = weir_collector_do(collector, &bit, error);
    if (err)
        return err;
    own.bit = (uint8_t)bit.n;
    struct plan_job job = {.run = run_plan_start, .plan = &own, .error = WEIR_ERROR_INIT};
    return collector_do_plan(collector, &job, error);
}

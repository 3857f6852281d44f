/* SPDX-License-Identifier: MIT */
/* The loop's side of the collector: libuv's handles, and what other threads want of the loop.
 *
 * One timer is set to the loop's next wake-up; one async comes for what others want: a snapshot, a
 * pause, another catalog, plans, the end. */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/alloc.h"
#include "runtime/clock.h"
#include "runtime/collector_priv.h"

static const int64_t devices_interval_us = WEIR_MINUTE; /* counters go to the store this often */
static const int64_t states_interval_us = 5 * WEIR_S;   /* and after a change of state, this soon */
static const int64_t snapshot_wait_us = WEIR_S;

static void collector_say_done(weir_runtime *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->done = true;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

/* Sets the one timer to the loop's next wake-up, when that has changed. Runs before libuv sleeps.
 */
static void on_prepare(uv_prepare_t *prepare)
{
    weir_runtime *c = prepare->data;
    const weir_mono next = weir_loop_next(c->loop);
    if (c->config.once && weir_loop_done(c->loop))
        collector_say_done(c);
    if (next.us == c->timer_at.us && uv_is_active((uv_handle_t *)&c->timer))
        return;
    c->timer_at = next;
    if (next.us == INT64_MAX) {
        (void)uv_timer_stop(&c->timer);
        return;
    }
    /* Never early: a slot does not fire before its time. */
    const int64_t wait_us = next.us - weir_system_mono().us;
    const uint64_t wait_ms = wait_us > 0 ? (uint64_t)((wait_us + WEIR_MS - 1) / WEIR_MS) : 0;
    uv_update_time(&c->uv);
    (void)uv_timer_start(&c->timer, c->timer.timer_cb, wait_ms, 0);
}

/* --- the devices' rows -------------------------------------------------------------------- */

struct error_text {
    char text[160];
};

static weir_device_record device_record(const weir_runtime *c, uint32_t i, struct error_text *room)
{
    const weir_device *device = &c->catalog->devices[i];
    weir_device_status status;
    weir_device_counters counters;
    WEIR_TEXT_AUTO error = WEIR_TEXT_INIT;
    weir_loop_device(c->loop, i, &status, &counters);
    if (status.error)
        weir_quality_format(status.error, &error);
    (void)snprintf(room->text, sizeof room->text, "%s", weir_text_get(&error));
    return (weir_device_record){
        .name = device->name,
        .connection = c->catalog->connections[device->connection].name,
        .state = weir_device_state_text(status.state),
        .error = room->text,
        .since = status.since,
        .last_good = status.last_good,
        .requests = counters.requests,
        .timeouts = counters.timeouts,
        .late = counters.late,
        .rtt_p50_ms = (double)counters.rtt_us_p50 / 1000,
        .rtt_p99_ms = (double)counters.rtt_us_p99 / 1000,
    };
}

static void collector_post_devices(weir_runtime *c)
{
    const size_t n = c->catalog->n_devices;
    weir_device_record *records = weir_alloc_zero(n, sizeof *records);
    struct error_text *errors = weir_alloc_zero(n, sizeof *errors);
    if (records && errors) {
        for (uint32_t i = 0; i < n; i++) {
            records[i] = device_record(c, i, &errors[i]);
            c->states[i] = (uint8_t)weir_loop_state(c->loop, i);
        }
        weir_worker_post_devices(c->worker, records, n);
    }
    weir_free(errors);
    weir_free(records);
}

/* Who asks by SQL shall not read for a minute that a dead device is well. */
static bool collector_states_changed(const weir_runtime *c)
{
    for (uint32_t i = 0; i < c->catalog->n_devices; i++)
        if (c->states[i] != (uint8_t)weir_loop_state(c->loop, i))
            return true;
    return false;
}

/* --- its turns ---------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
    weir_runtime *c = timer->data;
    (void)weir_loop_step(c->loop);
    const weir_mono now = weir_system_mono();
    if (!c->worker)
        return;
    bool post = weir_mono_reached(now, c->devices_next);
    if (!post && weir_mono_reached(now, c->states_next)) {
        c->states_next = weir_mono_add(now, states_interval_us);
        post = collector_states_changed(c);
    }
    if (post) {
        c->devices_next = weir_mono_add(now, devices_interval_us);
        collector_post_devices(c);
    }
}

static void collector_give_snapshot(weir_runtime *c)
{
    (void)pthread_mutex_lock(&c->lock);
    const uint32_t wanted = c->wanted;
    const bool asked = wanted != c->given;
    (void)pthread_mutex_unlock(&c->lock);
    if (!asked)
        return;
    weir_snapshot *fresh = weir_loop_snapshot(c->loop);
    (void)pthread_mutex_lock(&c->lock);
    weir_snapshot *old = c->snapshot;
    c->snapshot = fresh;
    c->given = wanted;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
    weir_snapshot_unref(old);
}

static void collector_obey_pause(weir_runtime *c)
{
    (void)pthread_mutex_lock(&c->lock);
    const uint32_t wanted = c->pauses_wanted;
    const bool asked = wanted != c->pauses_done, paused = c->pause_wanted;
    (void)pthread_mutex_unlock(&c->lock);
    if (!asked)
        return;
    weir_loop_pause(c->loop, paused);
    (void)pthread_mutex_lock(&c->lock);
    c->pauses_done = wanted;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

static void on_async(uv_async_t *async)
{
    weir_runtime *c = async->data;
    weir_collector_run_plan_job(c);
    if (!c->stopping) {
        weir_collector_exchange(c);
        collector_give_snapshot(c);
        collector_obey_pause(c);
        weir_loop_poked(c->loop);
        return;
    }
    if (c->worker && c->loop) /* no loop: it could not be made */
        collector_post_devices(c);
    weir_loop_free(c->loop);
    c->loop = NULL;
    uv_close((uv_handle_t *)&c->timer, NULL);
    uv_close((uv_handle_t *)&c->prepare, NULL);
    uv_close((uv_handle_t *)&c->async, NULL);
}

void *weir_collector_loop_main(void *data)
{
    weir_runtime *c = data;
    (void)uv_run(&c->uv, UV_RUN_DEFAULT); /* until all handles are closed */
    return NULL;
}

/* --- life --------------------------------------------------------------------------------- */

weir_err weir_collector_open_loop(weir_runtime *c, weir_error *error)
{
    const weir_store_position position =
        c->store ? weir_store_get_position(c->store) : (weir_store_position){0};
    c->devices_next = weir_mono_add(weir_system_mono(), devices_interval_us);
    c->states_next = weir_mono_add(weir_system_mono(), states_interval_us);
    if (uv_loop_init(&c->uv) != 0)
        return weir_fail(error, WEIR_ENOMEM, "the event loop");
    weir_uv_transport_host_init(&c->transport, &c->uv);
    (void)uv_timer_init(&c->uv, &c->timer);
    (void)uv_prepare_init(&c->uv, &c->prepare);
    int status = uv_async_init(&c->uv, &c->async, on_async);
    assert(status == 0); /* the loop is new: nothing but a full descriptor table, found above */
    (void)status;
    c->timer.data = c->prepare.data = c->async.data = c;
    c->has_uv = true;
    const weir_loop_config config = {
        .catalog = c->catalog,
        .platform = &c->platform,
        .sources = c->config.sources,
        .inbox = c->store ? &c->inbox : NULL,
        .first_epoch = position.max_epoch,
        .epoch_untrusted = position.epoch_untrusted,
        .epoch_corrected = position.epoch_corrected,
        .newest_committed = position.committed_ts,
        .once = c->config.once,
        .on_batch = c->config.on_batch,
        .on_event = c->config.on_event,
        .on_plan = c->config.on_plan,
        .data = c->config.data,
    };
    weir_err err = weir_loop_new(&config, &c->loop, error);
    if (err)
        return err;
    (void)uv_timer_start(&c->timer, on_timer, 0, 0);
    (void)uv_prepare_start(&c->prepare, on_prepare);
    return WEIR_OK;
}

void weir_collector_end_loop(weir_runtime *c)
{
    if (!c->has_uv)
        return;
    c->stopping = true;
    (void)uv_async_send(&c->async);
    if (c->loop_started)
        (void)pthread_join(c->loop_thread, NULL);
    else
        (void)uv_run(&c->uv, UV_RUN_DEFAULT);
    (void)uv_loop_close(&c->uv);
}

/* --- what others ask of it ---------------------------------------------------------------- */

bool weir_runtime_pause(weir_runtime *collector, bool paused)
{
    weir_runtime *c = collector;
    const struct timespec until = timespec_of(weir_mono_add(weir_system_mono(), snapshot_wait_us));
    int status = 0;
    (void)pthread_mutex_lock(&c->lock);
    c->pause_wanted = paused;
    const uint32_t ticket = ++c->pauses_wanted;
    (void)pthread_mutex_unlock(&c->lock);
    (void)uv_async_send(&c->async);
    (void)pthread_mutex_lock(&c->lock);
    while ((int32_t)(c->pauses_done - ticket) < 0 && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&c->changed, &c->lock, &until);
    const bool obeyed = (int32_t)(c->pauses_done - ticket) >= 0;
    (void)pthread_mutex_unlock(&c->lock);
    return obeyed;
}

weir_snapshot *weir_runtime_snapshot(weir_runtime *collector)
{
    weir_runtime *c = collector;
    const struct timespec until = timespec_of(weir_mono_add(weir_system_mono(), snapshot_wait_us));
    weir_snapshot *snapshot = NULL;
    int status = 0;
    (void)pthread_mutex_lock(&c->lock);
    const uint32_t ticket = ++c->wanted;
    (void)pthread_mutex_unlock(&c->lock);
    (void)uv_async_send(&c->async);
    (void)pthread_mutex_lock(&c->lock);
    while ((int32_t)(c->given - ticket) < 0 && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&c->changed, &c->lock, &until);
    if ((int32_t)(c->given - ticket) >= 0 && c->snapshot)
        snapshot = weir_snapshot_ref(c->snapshot);
    (void)pthread_mutex_unlock(&c->lock);
    return snapshot;
}

/* SPDX-License-Identifier: MIT */
/* The collector: loop and store worker on threads of their own.
 *
 * The happy path: start opens the store, registers tags, makes the loop and two threads. The loop
 * thread runs libuv: one timer set to the loop's next wake-up, one async for what other threads
 * want (a snapshot, the end). The store thread sleeps on a condition until the worker's next time,
 * or until the inbox wakes it. stop ends the loop first, then lets the worker commit the rest.
 *
 * What can fail: opening (nothing runs then) and commits (runtime/worker.c). How another catalog
 * comes into force: exchange.c; plans: collector_plans.c. */

#include "runtime/collector.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <time.h>
#include <uv.h>

#include "base/alloc.h"
#include "runtime/clock.h"
#include "runtime/collector_priv.h"
#include "store/file/identity.h"

enum {
    INBOX_LIMIT =
        16 * 1024 * 1024, /* some ten seconds of a large plant; see docs/design/runtime.md */
};

static const int64_t devices_interval_us = WEIR_MINUTE; /* counters go to the store this often */
static const int64_t states_interval_us = 5 * WEIR_S;   /* and after a change of state, this soon */
static const int64_t snapshot_wait_us = WEIR_S;
static const int64_t edit_wait_us = 30 * WEIR_S; /* for its beginning: a slow disk's commit */

static weir_mono platform_now(void *data)
{
    (void)data;
    return weir_system_mono();
}

static weir_wall platform_wall(void *data)
{
    (void)data;
    return weir_system_wall();
}

/* What a process without privileges may still write. */
static uint64_t platform_free_bytes(void *data, uint64_t *ret_total)
{
    const weir_runtime *c = data;
    struct statvfs disk;
    if (statvfs(c->data_dir, &disk) != 0)
        return UINT64_MAX;
    *ret_total = (uint64_t)disk.f_blocks * disk.f_frsize;
    return (uint64_t)disk.f_bavail * disk.f_frsize;
}

static bool platform_synchronized(void *data)
{
    (void)data;
    return weir_system_synchronized();
}

static void collector_log(void *data, weir_log_level level, const char *event, const char *subject,
                          const char *text)
{
    const weir_runtime *c = data;
    if (c->config.log)
        c->config.log(c->config.data, level, event, subject, text);
}

/* Any thread. */
static void platform_poke(void *data)
{
    weir_runtime *c = data;
    (void)uv_async_send(&c->async);
}

static struct timespec timespec_of(weir_mono t)
{
    return (struct timespec){t.us / WEIR_S, t.us % WEIR_S * 1000};
}

/* the store thread */

static void inbox_wake(void *data)
{
    weir_runtime *c = data;
    (void)pthread_mutex_lock(&c->lock);
    c->store_woken = true;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

/* Sleeps until t, a wake or the end. Returns false at the end. */
static bool store_sleep(weir_runtime *c, weir_mono t)
{
    const struct timespec until = timespec_of(t);
    int status = 0;
    (void)pthread_mutex_lock(&c->lock);
    while (!c->store_woken && !c->store_ending && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&c->changed, &c->lock, &until);
    c->store_woken = false;
    const bool go_on = !c->store_ending;
    (void)pthread_mutex_unlock(&c->lock);
    return go_on;
}

static weir_err collector_register_sinks(weir_runtime *c, const weir_catalog *catalog,
                                         weir_wall now, weir_error *error)
{
    const char **names = weir_alloc_zero(catalog->n_sinks + 1, sizeof *names);
    if (!names)
        return weir_fail(error, WEIR_ENOMEM, "the collector");
    for (size_t i = 0; i < catalog->n_sinks; i++)
        names[i] = catalog->sinks[i].name;
    weir_err err = weir_store_register_sinks(c->store, names, catalog->n_sinks, now, error);
    weir_free(names);
    return err;
}

static void run_edit(weir_runtime *c, struct store_job *job)
{
    job->err = weir_store_edit(c->store, job->edit, weir_system_wall(), &job->n, &job->error);
}

static void run_sinks(weir_runtime *c, struct store_job *job)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = weir_runtime_catalog(c);
    job->err = collector_register_sinks(c, catalog, weir_system_wall(), &job->error);
}

/* Between two steps of the worker, the store is ours. True: something was changed. */
static bool store_run_job(weir_runtime *c)
{
    (void)pthread_mutex_lock(&c->lock);
    struct store_job *job = c->job;
    if (job)
        job->begun = true;
    (void)pthread_mutex_unlock(&c->lock);
    if (!job)
        return false;
    job->run(c, job);
    (void)pthread_mutex_lock(&c->lock);
    job->done = true;
    c->job = NULL;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
    return true;
}

static void store_tell(weir_runtime *c, bool edited)
{
    const uint64_t seq = weir_worker_get_view(c->worker).position.committed_seq;
    if (c->config.on_committed && (edited || seq != c->told_seq))
        c->config.on_committed(c->config.data, seq);
    c->told_seq = seq;
}

static void *store_main(void *data)
{
    weir_runtime *c = data;
    do {
        const bool edited = store_run_job(c);
        weir_mono next = weir_worker_step(c->worker);
        store_tell(c, edited);
        if (!store_sleep(c, next))
            break;
    } while (true);
    c->store_ok = weir_worker_flush(c->worker);
    return NULL;
}

/* the loop thread */

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

static void *loop_main(void *data)
{
    weir_runtime *c = data;
    (void)uv_run(&c->uv, UV_RUN_DEFAULT); /* until all handles are closed */
    return NULL;
}

/* life */

static weir_err thread_start(pthread_t *ret, void *(*run)(void *), void *data, const char *name,
                             weir_error *error)
{
    sigset_t all, old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int status = pthread_create(ret, NULL, run, data);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (status)
        return weir_fail(error, WEIR_ENOMEM, "cannot start the %s thread", name);
    (void)pthread_setname_np(*ret, name);
    return WEIR_OK;
}

/* The store has made an event of it. */
static void collector_say_identity(weir_runtime *c)
{
    const weir_identity *id = weir_store_identity(c->store);
    if (*id->notice)
        collector_log(c, id->copied ? WEIR_LOG_WARNING : WEIR_LOG_NOTICE,
                      id->copied ? "copied" : "restored", "", id->notice);
}

static weir_err collector_open_store(weir_runtime *c, weir_error *error)
{
    const weir_store_options options = {.data_dir = c->data_dir,
                                        .vfs = c->platform.vfs,
                                        .now = weir_system_wall(),
                                        .config = &c->catalog->store,
                                        .memory_bytes_max = c->catalog->store.max_bytes,
                                        .free_bytes = c->platform.free_bytes,
                                        .data = c->platform.data,
                                        .wal_max = c->catalog->store.wal_max};
    weir_err err = weir_store_open(&options, &c->store, error);
    if (!err)
        collector_say_identity(c);
    if (!err)
        err = weir_store_register(c->store, c->catalog, options.now, error);
    if (!err)
        err = collector_register_sinks(c, c->catalog, options.now, error);
    if (!err)
        err = weir_postbox_new(inbox_wake, c, &c->postbox, error);
    if (!err)
        err = weir_inbox_init(&c->inbox, INBOX_LIMIT, inbox_wake, c);
    c->has_inbox = !err;
    if (!err)
        err = weir_worker_new(c->store, &c->inbox, &c->platform, c->catalog->store.max_loss_us,
                              &c->worker, error);
    if (!err)
        weir_worker_set_postbox(c->worker, c->postbox);
    return err;
}

static weir_err collector_open_loop(weir_runtime *c, weir_error *error)
{
    const weir_store_position position =
        c->store ? weir_store_get_position(c->store) : (weir_store_position){0};
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

static uint64_t system_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)weir_system_mono().us;
    return seed;
}

static weir_err collector_start(weir_runtime *c, weir_error *error)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    /* libuv and libc write to sockets whose other end may be gone. */
    (void)signal(SIGPIPE, SIG_IGN);
    c->platform = (weir_platform){
        .data = c,
        .now = platform_now,
        .wall = platform_wall,
        .synchronized = platform_synchronized,
        .seed = c->config.seed ? c->config.seed : system_seed(),
        .transport = &c->transport.host,
        .free_bytes = platform_free_bytes,
        .poke = platform_poke,
        .built = c->config.built,
        .log = collector_log,
    };
    c->devices_next = weir_mono_add(weir_system_mono(), devices_interval_us);
    c->states_next = weir_mono_add(weir_system_mono(), states_interval_us);
    c->states = weir_alloc_zero(c->catalog->n_devices + 1, sizeof *c->states);
    c->data_dir = weir_alloc_text(c->catalog->store.data_dir);
    if (!c->states || !c->data_dir)
        return weir_fail(error, WEIR_ENOMEM, "the collector");
    weir_err err = c->config.once ? WEIR_OK : collector_open_store(c, error);
    if (!err)
        err = collector_open_loop(c, error);
    if (!err && c->worker) {
        err = thread_start(&c->store_thread, store_main, c, "weir-store", error);
        c->store_started = !err;
    }
    if (!err) {
        err = thread_start(&c->loop_thread, loop_main, c, "weir-loop", error);
        c->loop_started = !err;
    }
    return err;
}

weir_err weir_runtime_start(const weir_runtime_config *config, weir_runtime **ret,
                            weir_error *error)
{
    weir_runtime *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return weir_fail(error, WEIR_ENOMEM, "the collector");
    c->config = *config;
    c->config.catalog = NULL;
    c->catalog = weir_catalog_ref(config->catalog);
    weir_err err = collector_start(c, error);
    if (err) {
        (void)weir_runtime_stop(c);
        return err;
    }
    *ret = c;
    return WEIR_OK;
}

static void collector_end_loop(weir_runtime *c)
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

bool weir_runtime_stop(weir_runtime *collector)
{
    weir_runtime *c = collector;
    bool ok = true;
    if (!c)
        return true;
    collector_end_loop(c);
    if (c->store_started) {
        (void)pthread_mutex_lock(&c->lock);
        c->store_ending = true;
        (void)pthread_cond_broadcast(&c->changed);
        (void)pthread_mutex_unlock(&c->lock);
        (void)pthread_join(c->store_thread, NULL);
        ok = c->store_ok;
    }
    weir_worker_free(c->worker);
    weir_postbox_free(c->postbox);
    weir_store_close(c->store);
    if (c->has_inbox)
        weir_inbox_deinit(&c->inbox);
    weir_snapshot_unref(c->snapshot);
    weir_free(c->states);
    weir_free(c->data_dir);
    weir_catalog_free(c->catalog);
    weir_collector_free_zones(c);
    (void)pthread_cond_destroy(&c->changed);
    (void)pthread_mutex_destroy(&c->lock);
    weir_free(c);
    return ok;
}

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

bool weir_runtime_wait(weir_runtime *collector, int64_t timeout_us)
{
    const struct timespec until = timespec_of(weir_mono_add(weir_system_mono(), timeout_us));
    int status = 0;
    (void)pthread_mutex_lock(&collector->lock);
    while (!collector->done && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&collector->changed, &collector->lock, &until);
    const bool done = collector->done;
    (void)pthread_mutex_unlock(&collector->lock);
    return done;
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

weir_err weir_collector_do(weir_runtime *c, struct store_job *job, weir_error *error)
{
    const struct timespec until = timespec_of(weir_mono_add(weir_system_mono(), edit_wait_us));
    int status = 0;
    if (!c->worker)
        return weir_fail(error, WEIR_EINVAL, "nothing is stored");
    (void)pthread_mutex_lock(&c->lock);
    if (c->job) {
        (void)pthread_mutex_unlock(&c->lock);
        return weir_fail(error, WEIR_EINUSE, "another change is being made: try again");
    }
    c->job = job;
    c->store_woken = true;
    (void)pthread_cond_broadcast(&c->changed);
    while (!job->done && (job->begun || status != ETIMEDOUT))
        status = job->begun ? pthread_cond_wait(&c->changed, &c->lock)
                            : pthread_cond_timedwait(&c->changed, &c->lock, &until);
    if (!job->done)
        c->job = NULL;
    (void)pthread_mutex_unlock(&c->lock);
    if (!job->done)
        return weir_fail(error, WEIR_ETIMEOUT, "the store is busy: nothing was changed, try again");
    return job->err ? weir_fail(error, job->err, "%s", job->error.text) : WEIR_OK;
}

weir_err weir_runtime_edit(weir_runtime *collector, const weir_edit *edit, uint64_t *ret_n,
                           weir_error *error)
{
    struct store_job job = {.run = run_edit, .edit = edit, .error = WEIR_ERROR_INIT};
    weir_err err = weir_collector_do(collector, &job, error);
    if (!err)
        *ret_n = job.n;
    return err;
}

weir_err weir_runtime_register_sinks(weir_runtime *collector, weir_error *error)
{
    struct store_job job = {.run = run_sinks, .error = WEIR_ERROR_INIT};
    return weir_collector_do(collector, &job, error);
}

weir_catalog *weir_runtime_catalog(weir_runtime *collector)
{
    (void)pthread_mutex_lock(&collector->lock);
    weir_catalog *catalog = weir_catalog_ref(collector->catalog);
    (void)pthread_mutex_unlock(&collector->lock);
    return catalog;
}

weir_worker_view weir_runtime_store(weir_runtime *collector)
{
    return collector->worker ? weir_worker_get_view(collector->worker) : (weir_worker_view){0};
}

weir_postbox *weir_runtime_postbox(weir_runtime *collector)
{
    return collector->postbox;
}

const char *weir_runtime_store_dir(const weir_runtime *collector)
{
    return collector->store ? weir_store_dir(collector->store) : NULL;
}

const weir_identity *weir_runtime_identity(const weir_runtime *collector)
{
    return collector->store ? weir_store_identity(collector->store) : NULL;
}

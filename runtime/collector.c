/* SPDX-License-Identifier: MIT */
/* The collector: loop and store worker on threads of their own.
 *
 * The happy path: start opens the store, registers tags, makes the loop and two threads: the loop's
 * (collector_loop.c) and the store's (collector_store.c). stop ends the loop first, then lets the
 * worker commit the rest.
 *
 * What can fail: opening (nothing runs then) and commits (runtime/worker.c). How another catalog
 * comes into force: exchange.c; plans: collector_plans.c. */

#include "runtime/collector.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <time.h>
#include <uv.h>

#include "base/alloc.h"
#include "runtime/clock.h"
#include "runtime/collector_priv.h"
#include "store/file/identity.h"

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

/* --- life --------------------------------------------------------------------------------- */

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
    c->states = weir_alloc_zero(c->catalog->n_devices + 1, sizeof *c->states);
    c->data_dir = weir_alloc_text(c->catalog->store.data_dir);
    if (!c->states || !c->data_dir)
        return weir_fail(error, WEIR_ENOMEM, "the collector");
    weir_err err = c->config.once ? WEIR_OK : weir_collector_open_store(c, error);
    if (!err)
        err = weir_collector_open_loop(c, error);
    if (!err && c->worker) {
        err = thread_start(&c->store_thread, weir_collector_store_main, c, "weir-store", error);
        c->store_started = !err;
    }
    if (!err) {
        err = thread_start(&c->loop_thread, weir_collector_loop_main, c, "weir-loop", error);
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

bool weir_runtime_stop(weir_runtime *collector)
{
    weir_runtime *c = collector;
    bool ok = true;
    if (!c)
        return true;
    weir_collector_end_loop(c);
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

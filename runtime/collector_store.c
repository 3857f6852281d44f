/* SPDX-License-Identifier: MIT */
/* The store's side of the collector: opening it, its thread, and what that does for others.
 *
 * The thread sleeps on a condition until the worker's next time, or until the inbox or somebody
 * with a job wakes it. Between two steps of the worker the store is the job's. */

#include <errno.h>
#include <pthread.h>

#include "base/alloc.h"
#include "runtime/clock.h"
#include "runtime/collector_priv.h"
#include "store/file/identity.h"

enum {
    INBOX_LIMIT =
        16 * 1024 * 1024, /* some ten seconds of a large plant; see docs/design/runtime.md */
};

static const int64_t edit_wait_us = 30 * WEIR_S; /* for its beginning: a slow disk's commit */

static void inbox_wake(void *data)
{
    weir_runtime *c = data;
    (void)pthread_mutex_lock(&c->lock);
    c->store_woken = true;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
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

/* --- opening ------------------------------------------------------------------------------ */

/* The store has made an event of it. */
static void collector_say_identity(weir_runtime *c)
{
    const weir_identity *id = weir_store_identity(c->store);
    if (*id->notice)
        c->platform.log(c, id->copied ? WEIR_LOG_WARNING : WEIR_LOG_NOTICE,
                        id->copied ? "copied" : "restored", "", id->notice);
}

weir_err weir_collector_open_store(weir_runtime *c, weir_error *error)
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

/* --- the thread --------------------------------------------------------------------------- */

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

void *weir_collector_store_main(void *data)
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

/* --- for others --------------------------------------------------------------------------- */

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

static void run_edit(weir_runtime *c, struct store_job *job)
{
    job->err = weir_store_edit(c->store, job->edit, weir_system_wall(), &job->n, &job->error);
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

static void run_sinks(weir_runtime *c, struct store_job *job)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = weir_runtime_catalog(c);
    job->err = collector_register_sinks(c, catalog, weir_system_wall(), &job->error);
}

weir_err weir_runtime_register_sinks(weir_runtime *collector, weir_error *error)
{
    struct store_job job = {.run = run_sinks, .error = WEIR_ERROR_INIT};
    return weir_collector_do(collector, &job, error);
}

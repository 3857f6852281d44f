/* SPDX-License-Identifier: MIT */
/* The store worker: takes the inbox, commits, tells how far; a step function.
 *
 * The happy path: each max_loss it takes all chunks, appends their records to the store and commits
 * once. In between it comes only when much or something urgent waits.
 *
 * What can fail: a commit. Then all stays in memory and the next step tries again; beyond
 * PENDING_MAX nothing more is taken, so that the inbox fills up to its own limit and refuses there,
 * counted. When commits succeed again, a gap event says how many were refused. A full disk and
 * somebody else's lock need nothing but time. After anything else the file is closed and opened
 * again before the next try (weir_store_recover): an fsync that failed is not to be tried again.
 * Each change of the state is an alarm event and a line, once.
 *
 * Every few seconds it is looked whether the file is still there, so that a deleted one is noticed
 * also where commits into it would go on without an error.
 *
 * A batch that the store will never take (a mistake of a source) is dropped with an event, so that
 * it does not hold up all that come after it.
 *
 * What sinks ask for (runtime/postbox.h) is done at each step, before a commit, so that a cursor
 * rides with the next one. What fails of it waits there, and goes the way of a failed commit.
 *
 * In between, the store does its own work (weir_store_maintain) in pieces: one, then a pause three
 * times as long, and none when a commit is near. What fails there is tried again later; commits
 * do not depend on it. */

#include "runtime/worker.h"

#include <stdio.h>

#include "base/alloc.h"
#include "runtime/worker_priv.h"
#include "store/epoch.h"
#include "store/history/maintain.h"

enum {
    COMMIT_BYTES = 4 * 1024 * 1024, /* waiting in the store: commit before the time */
    PENDING_MAX = 16 * 1024 * 1024, /* waiting in the store while commits fail */
    MAINTAIN_PAUSES = 3,            /* for each time of work: a quarter of a core */
};

#define MAINTAIN_PAUSE_MIN (5 * WEIR_MS)
#define MAINTAIN_IDLE      WEIR_S         /* until it looks again whether there is work */
#define MAINTAIN_RETRY     (10 * WEIR_S)  /* after a failure */
#define MAINTAIN_AHEAD     (50 * WEIR_MS) /* of a commit: it shall begin in time */
#define CHECK_INTERVAL     (3 * WEIR_S)
#define HINT_INTERVAL      (10 * WEIR_MINUTE)

weir_err weir_worker_new(weir_store *store, weir_inbox *inbox, const weir_platform *platform,
                         int64_t max_loss_us, weir_worker **ret, weir_error *error)
{
    weir_worker *w = weir_alloc_zero(1, sizeof *w);
    if (!w || pthread_mutex_init(&w->lock, NULL)) {
        weir_free(w);
        return weir_fail(error, WEIR_ENOMEM, "the store worker");
    }
    weir_device_post_init(&w->devices);
    w->store = store;
    w->inbox = inbox;
    w->platform = platform;
    w->max_loss_us = max_loss_us;
    w->commit_due = weir_mono_add(platform->now(platform->data), max_loss_us);
    w->maintain_due = weir_mono_add(platform->now(platform->data), MAINTAIN_IDLE);
    w->check_due = weir_mono_add(platform->now(platform->data), CHECK_INTERVAL);
    w->minute_due = weir_mono_add(platform->now(platform->data), WEIR_MINUTE);
    w->hint_due = weir_mono_add(platform->now(platform->data), HINT_INTERVAL);
    w->view.position = weir_store_get_position(store);
    w->view.usage = weir_store_get_usage(store);
    w->refused_none = platform->wall(platform->data);
    w->view.since = platform->wall(platform->data);
    *ret = w;
    return WEIR_OK;
}

void weir_worker_set_max_loss(weir_worker *worker, int64_t max_loss_us)
{
    worker->max_loss_us = max_loss_us;
}

void weir_worker_set_postbox(weir_worker *worker, weir_postbox *box)
{
    worker->postbox = box;
}

void weir_worker_free(weir_worker *worker)
{
    if (!worker)
        return;
    weir_inbox_release(worker->inbox, &worker->taken);
    (void)pthread_mutex_destroy(&worker->lock);
    weir_device_post_deinit(&worker->devices);
    weir_free(worker);
}

static void worker_reject(weir_worker *w, const weir_batch *batch, const weir_error *error)
{
    char text[sizeof error->text + 80];
    (void)snprintf(text, sizeof text, "%u samples cannot be stored: %s", batch->n_samples,
                   error->text);
    const weir_event event = {w->platform->wall(w->platform->data), WEIR_EVENT_STORE, "", text};
    w->rejected += batch->n_samples;
    weir_err err = weir_store_event(w->store, &event, NULL);
    weir_worker_log(w, WEIR_LOG_ERROR, err ? "store_without_event" : "store", text);
}

static weir_err worker_on_batch(void *data, const weir_batch *batch)
{
    weir_worker *w = data;
    weir_error error = WEIR_ERROR_INIT;
    weir_err err = weir_store_append(w->store, batch, &error);
    if (err == WEIR_OK || err == WEIR_ENOMEM)
        return err;
    worker_reject(w, batch, &error);
    return WEIR_OK;
}

static weir_err worker_on_event(void *data, const weir_event *event)
{
    weir_worker *w = data;
    return weir_store_event(w->store, event, NULL);
}

static weir_err worker_on_correction(void *data, const weir_correction *correction)
{
    weir_worker *w = data;
    return weir_store_correct(w->store, correction, NULL);
}

/* Moves what waits in the inbox into the store's pending rows. */
static void worker_take(weir_worker *w)
{
    size_t pending;
    (void)weir_store_pending(w->store, &pending);
    if (pending >= PENDING_MAX)
        return;
    if (!w->taken.first) {
        w->taken = weir_inbox_take(w->inbox);
        w->must_commit |= w->taken.urgent;
    }
    const weir_inbox_visitor visitor = {w, worker_on_batch, worker_on_event, worker_on_correction};
    if (weir_inbox_each(&w->taken, &visitor) == WEIR_OK)
        weir_inbox_release(w->inbox, &w->taken);
}

/* After commits work again: an exact record of what the full inbox refused meanwhile. */
static void worker_record_refused(weir_worker *w)
{
    const uint64_t refused = w->taken.refused;
    const weir_wall now = w->platform->wall(w->platform->data);
    char text[160];
    if (refused == w->refused_reported) {
        if (weir_inbox_refused(w->inbox) == refused)
            w->refused_none = now;
        return;
    }
    (void)snprintf(text, sizeof text,
                   "%llu samples were not kept: the store could not commit and memory was full",
                   (unsigned long long)(refused - w->refused_reported));
    const weir_event event = {now, WEIR_EVENT_GAP, "", text};
    if (weir_store_event(w->store, &event, NULL) == WEIR_OK) {
        weir_store_note_lost(w->store, refused - w->refused_reported, w->refused_none, now);
        w->refused_reported = refused;
        w->refused_none = now;
        weir_worker_log(w, WEIR_LOG_ERROR, "gap", text);
    }
}

/* --- committing --------------------------------------------------------------------------- */

static weir_err worker_commit(weir_worker *w)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_mono started = w->platform->now(w->platform->data);
    worker_record_refused(w);
    weir_worker_tell_notice(w);
    const size_t waited = weir_store_pending(w->store, NULL);
    weir_err err = weir_store_commit(w->store, w->platform->wall(w->platform->data), &error);
    if (err != WEIR_OK) {
        weir_worker_publish(w, err, &error, false);
        if (weir_worker_recover(w, &err, &error))
            err = weir_store_commit(w->store, w->platform->wall(w->platform->data), &error);
    }
    if (err == WEIR_OK)
        weir_worker_publish(w, err, &error, waited > 0);
    else
        weir_worker_note_error(w, &error);
    const weir_mono ended = w->platform->now(w->platform->data);
    weir_worker_note_time(w, ended.us - started.us);
    /* So early that the next commit should end max_loss after this one began. */
    int64_t wait = w->max_loss_us - (ended.us - started.us);
    if (wait < w->max_loss_us / 2)
        wait = w->max_loss_us / 2;
    w->commit_due = weir_mono_add(started, wait);
    w->must_commit = false;
    return err;
}

/* A file that was deleted takes commits without an error. */
static void worker_check(weir_worker *w)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_mono now = w->platform->now(w->platform->data);
    if (weir_mono_reached(now, w->hint_due)) {
        w->hint_due = weir_mono_add(now, HINT_INTERVAL);
        weir_store_note(w->store);
    }
    if (!weir_mono_reached(now, w->check_due))
        return;
    w->check_due = weir_mono_add(now, CHECK_INTERVAL);
    weir_err err = weir_store_check(w->store, &error);
    if (err != WEIR_OK)
        weir_worker_handle(w, err, &error);
}

static void worker_put_devices(weir_worker *w)
{
    weir_error error = WEIR_ERROR_INIT;
    size_t n;
    weir_device_record *devices = weir_device_post_take(&w->devices, &n);
    if (!devices)
        return;
    const weir_err err = weir_store_put_devices(w->store, devices, n, &error);
    const bool failed = err != WEIR_OK;
    if (failed && !w->devices_failing)
        weir_worker_log(w, WEIR_LOG_WARNING, "devices_not_stored", error.text);
    w->devices_failing = failed;
    if (err == WEIR_EIO)
        weir_worker_handle(w, err, &error);
    weir_free(devices);
}

/* What sinks and historians have posted. While the store fails, its next commit or check opens it
 * anew; until then this would only fail too. */
static void worker_empty_postbox(weir_worker *w)
{
    weir_error error = WEIR_ERROR_INIT;
    bool urgent = false;
    if (!w->postbox || w->view.state == WEIR_COMMIT_FAILING)
        return;
    const weir_err err = weir_postbox_deliver(
        w->postbox, w->store, w->platform->wall(w->platform->data), &urgent, &error);
    const bool failed = err != WEIR_OK;
    w->must_commit |= urgent;
    if (failed && !w->postbox_failing)
        weir_worker_log(w, WEIR_LOG_WARNING, "sinks_not_stored", error.text);
    w->postbox_failing = failed;
    if (err == WEIR_EIO || err == WEIR_EPERM || err == WEIR_EDAMAGED)
        weir_worker_handle(w, err, &error);
}

/* Whether it is time for the store's own work; if not, maintain_due is when to ask again. */
static bool worker_may_maintain(weir_worker *w, weir_mono now)
{
    const bool commit_near = w->commit_due.us - now.us < MAINTAIN_AHEAD &&
                             weir_store_pending(w->store, NULL) > 0 &&
                             w->max_loss_us > MAINTAIN_AHEAD;
    if (!weir_mono_reached(now, w->maintain_due))
        return false;
    if (commit_near)
        w->maintain_due = w->commit_due;
    else if (w->view.state == WEIR_COMMIT_FAILING)
        /* The next commit or check opens the file anew; until then it would only fail too. */
        w->maintain_due = weir_mono_add(now, MAINTAIN_IDLE);
    else
        return true;
    return false;
}

/* After a piece of work that took so long. */
static int64_t maintain_pause(int64_t took_us, bool failed, bool more)
{
    const int64_t pause = MAINTAIN_PAUSES * took_us;
    if (failed || !more)
        return failed ? MAINTAIN_RETRY : MAINTAIN_IDLE;
    return pause < MAINTAIN_PAUSE_MIN ? MAINTAIN_PAUSE_MIN : pause;
}

static void worker_tell_maintenance(weir_worker *w, bool failed, const weir_error *error)
{
    if (failed && !w->maintain_failing)
        weir_worker_log(w, WEIR_LOG_ERROR, "store_maintenance_failing", error->text);
    else if (!failed && w->maintain_failing)
        weir_worker_log(w, WEIR_LOG_NOTICE, "store_maintenance_recovered",
                        "merging succeeds again");
    w->maintain_failing = failed;
}

/* The next piece of the store's own work, when it is time for one. */
static void worker_maintain(weir_worker *w)
{
    weir_error error = WEIR_ERROR_INIT;
    bool more = false;
    const weir_mono began = w->platform->now(w->platform->data);
    if (!worker_may_maintain(w, began))
        return;
    weir_err err =
        weir_store_maintain(w->store, w->platform->wall(w->platform->data), &more, &error);
    const weir_mono ended = w->platform->now(w->platform->data);
    w->maintain_due =
        weir_mono_add(ended, maintain_pause(ended.us - began.us, err != WEIR_OK, more));
    worker_tell_maintenance(w, err != WEIR_OK, &error);
    if (err == WEIR_EIO)
        weir_worker_handle(w, err, &error);
    else if (err == WEIR_EDAMAGED)
        (void)weir_worker_recover(w, &err, &error);
    (void)pthread_mutex_lock(&w->lock);
    w->view.usage = weir_store_get_usage(w->store);
    (void)pthread_mutex_unlock(&w->lock);
}

/* An edit between two steps has committed what waited, and left nothing to commit here. */
static void worker_see_commits(weir_worker *w)
{
    const uint64_t seq = weir_store_get_position(w->store).committed_seq;
    if (!w->view.failing && seq != w->view.position.committed_seq) /* only this thread writes it */
        weir_worker_publish(w, WEIR_OK, NULL, true);
}

weir_mono weir_worker_step(weir_worker *worker)
{
    size_t bytes;
    worker_see_commits(worker);
    worker_take(worker);
    worker_check(worker);
    worker_empty_postbox(worker);
    const weir_mono now = worker->platform->now(worker->platform->data);
    const bool due = weir_mono_reached(now, worker->commit_due);
    const size_t pending = weir_store_pending(worker->store, &bytes);
    if ((pending > 0 && (due || bytes >= COMMIT_BYTES)) || worker->must_commit)
        (void)worker_commit(worker);
    else if (due)
        worker->commit_due = weir_mono_add(now, worker->max_loss_us);
    worker_put_devices(worker);
    worker_maintain(worker);
    return weir_mono_min(weir_mono_min(worker->commit_due, worker->maintain_due),
                         worker->check_due);
}

/* Nothing waits any more, here or in the inbox. */
static bool worker_is_empty(weir_worker *w)
{
    return weir_store_pending(w->store, NULL) == 0 && !w->taken.first &&
           weir_inbox_bytes(w->inbox) == 0;
}

/* The store is full and lets samples wait, but this is the end: what waits becomes a gap. */
static void worker_give_up(weir_worker *w)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_err err;
    do {
        worker_take(w);
        worker_record_refused(w);
        err = weir_store_commit_without_samples(w->store, w->platform->wall(w->platform->data),
                                                &error);
        weir_worker_publish(w, err, &error, err == WEIR_OK);
    } while (err == WEIR_OK && !worker_is_empty(w));
}

bool weir_worker_flush(weir_worker *worker)
{
    /* There is no later: a store that failed a moment ago is tried again now. */
    worker->recover_next = worker->platform->now(worker->platform->data);
    worker_empty_postbox(worker);
    /* More than once: after failures the store may be too full to take all at one time. */
    do {
        worker_take(worker);
    } while (weir_store_pending(worker->store, NULL) > 0 && worker_commit(worker) == WEIR_OK &&
             !worker_is_empty(worker));
    if (weir_store_get_usage(worker->store).state == WEIR_STORE_FULL)
        worker_give_up(worker);
    worker_put_devices(worker);
    /* Else what was sent or read since the last commit would be sent and read again. */
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_write_cursors(worker->store, &error) != WEIR_OK)
        weir_worker_log(worker, WEIR_LOG_WARNING, "cursors_not_stored", error.text);
    return worker_is_empty(worker);
}

void weir_worker_post_devices(weir_worker *worker, const weir_device_record *devices, size_t n)
{
    weir_device_post_put(&worker->devices, devices, n);
}

weir_worker_view weir_worker_get_view(weir_worker *worker)
{
    (void)pthread_mutex_lock(&worker->lock);
    weir_worker_view view = worker->view;
    (void)pthread_mutex_unlock(&worker->lock);
    return view;
}

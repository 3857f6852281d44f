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
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
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
#define RECOVER_MIN        (2 * WEIR_S) /* between tries: each that fails doubles it ... */
#define RECOVER_MAX        (8 * WEIR_S) /* ... up to this: each reads some megabytes */
#define REPAIR_INTERVAL                                                      \
    (10 * WEIR_MINUTE) /* between repairs: damage that comes back at once is \
                          no reason to copy the store without end */
#define HINT_INTERVAL (10 * WEIR_MINUTE)

struct weir_worker {
    weir_store *store;
    weir_inbox *inbox;
    const weir_platform *platform;
    weir_postbox *postbox; /* NULL: none */
    int64_t max_loss_us;
    weir_mono commit_due;
    weir_mono maintain_due;
    bool maintain_failing;  /* said so */
    weir_inbox_taken taken; /* not yet appended, when memory was short */
    bool must_commit;
    uint64_t refused_reported;
    weir_wall refused_none; /* when nothing had been refused last */
    uint64_t rejected;      /* samples of batches that the store will never take */
    bool devices_failing;   /* said so */
    bool postbox_failing;   /* likewise */

    weir_mono check_due, hint_due;
    weir_mono recover_next, repair_next; /* not before */
    int64_t recover_pause;               /* 0: the last try succeeded */
    char obstacle[512];                  /* why the last recovery failed; "": it did not */
    int64_t slowest[2];                  /* commits of this minute and the one before, us */
    weir_mono minute_due;

    pthread_mutex_t lock; /* of what follows */
    weir_worker_view view;
    weir_device_record *devices; /* with texts behind, one allocation */
    size_t n_devices;
};

weir_err weir_worker_new(weir_store *store, weir_inbox *inbox, const weir_platform *platform,
                         int64_t max_loss_us, weir_worker **ret, weir_error *error)
{
    weir_worker *w = weir_alloc_zero(1, sizeof *w);
    if (!w || pthread_mutex_init(&w->lock, NULL)) {
        weir_free(w);
        return weir_fail(error, WEIR_ENOMEM, "the store worker");
    }
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
    weir_free(worker->devices);
    weir_free(worker);
}

static void worker_log(const weir_worker *w, weir_log_level level, const char *event,
                       const char *text)
{
    if (w->platform->log)
        w->platform->log(w->platform->data, level, event, "", text);
}

static void worker_reject(weir_worker *w, const weir_batch *batch, const weir_error *error)
{
    char text[sizeof error->text + 80];
    (void)snprintf(text, sizeof text, "%u samples cannot be stored: %s", batch->n_samples,
                   error->text);
    const weir_event event = {w->platform->wall(w->platform->data), WEIR_EVENT_STORE, "", text};
    w->rejected += batch->n_samples;
    weir_err err = weir_store_event(w->store, &event, NULL);
    worker_log(w, WEIR_LOG_ERROR, err ? "store_without_event" : "store", text);
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
        worker_log(w, WEIR_LOG_ERROR, "gap", text);
    }
}

/* --- the state ---------------------------------------------------------------------------- */

const char *weir_commit_state_text(weir_commit_state state)
{
    static const char *const texts[] = {
#define X(name, word) [name] = word,
        WEIR_COMMIT_STATE_LIST(X)
#undef X
    };
    return texts[state];
}

static weir_commit_state state_of(weir_err err)
{
    if (err == WEIR_OK)
        return WEIR_COMMIT_OK;
    if (err == WEIR_ELIMIT)
        return WEIR_COMMIT_FULL;
    if (err == WEIR_ENOMEM)
        return WEIR_COMMIT_MEMORY;
    return err == WEIR_EINUSE ? WEIR_COMMIT_BLOCKED : WEIR_COMMIT_FAILING;
}

/* An event and a line. The event waits with all else until it can be stored. */
static void worker_tell(weir_worker *w, weir_event_kind kind, weir_log_level level,
                        const char *line, const char *text)
{
    const weir_event event = {w->platform->wall(w->platform->data), kind, "", text};
    weir_err err = weir_store_event(w->store, &event, NULL);
    worker_log(w, level, line, text);
    if (err)
        worker_log(w, WEIR_LOG_WARNING, "store_without_event", line);
}

static void worker_tell_state(weir_worker *w, weir_commit_state was, weir_commit_state is,
                              const char *why)
{
    static const char *const remedies[] = {
        [WEIR_COMMIT_FULL] = "make room",
        [WEIR_COMMIT_BLOCKED] = "end the other program",
        [WEIR_COMMIT_MEMORY] = "free memory",
        [WEIR_COMMIT_FAILING] = "see to the disk",
    };
    char text[700];
    if (is == WEIR_COMMIT_OK) {
        (void)snprintf(text, sizeof text, "commits succeed again; the store was %s",
                       weir_commit_state_text(was));
        if (was == WEIR_COMMIT_MEMORY)
            worker_log(w, WEIR_LOG_NOTICE, "store_recovered", text);
        else
            worker_tell(w, WEIR_EVENT_ALARM, WEIR_LOG_NOTICE, "store_recovered", text);
        return;
    }
    (void)snprintf(text, sizeof text,
                   "%s. What is acquired waits in memory and is tried again every %lld ms: %s", why,
                   (long long)(w->max_loss_us / WEIR_MS), remedies[is]);
    if (is == WEIR_COMMIT_MEMORY) /* an event would need some */
        worker_log(w, WEIR_LOG_ERROR, "store_failing", text);
    else
        worker_tell(w, WEIR_EVENT_ALARM, WEIR_LOG_ERROR, "store_failing", text);
}

/* What the others see. A change of the state is told. */
static void worker_publish(weir_worker *w, weir_err err, const weir_error *error, bool committed)
{
    size_t waiting;
    const weir_commit_state state = state_of(err);
    (void)weir_store_pending(w->store, &waiting);
    (void)pthread_mutex_lock(&w->lock);
    const weir_commit_state was = w->view.state;
    w->view.position = weir_store_get_position(w->store);
    w->view.usage = weir_store_get_usage(w->store);
    w->view.refused = weir_inbox_refused(w->inbox) + w->rejected + w->view.usage.not_stored;
    w->view.waiting_bytes = waiting + weir_inbox_bytes(w->inbox);
    w->view.wal_bytes = weir_store_wal_bytes(w->store);
    w->view.failing = err != WEIR_OK;
    w->view.failures += err != WEIR_OK;
    w->view.commits += committed;
    w->view.state = state;
    w->view.since = state != was ? w->platform->wall(w->platform->data) : w->view.since;
    if (err)
        memcpy(w->view.error, error->text, sizeof w->view.error);
    else
        w->view.error[0] = '\0';
    (void)pthread_mutex_unlock(&w->lock);
    if (state != was)
        worker_tell_state(w, was, state, error->text);
}

/* The same state, for another reason: how the recovery failed says more than the first failure. */
static void worker_note_error(weir_worker *w, const weir_error *error)
{
    (void)pthread_mutex_lock(&w->lock);
    memcpy(w->view.error, error->text, sizeof w->view.error);
    (void)pthread_mutex_unlock(&w->lock);
}

/* What the store itself has to tell: a repair at its opening, a WAL that grows. */
static void worker_tell_notice(weir_worker *w)
{
    char text[400];
    weir_store_take_notice(w->store, text);
    if (text[0])
        worker_tell(w, WEIR_EVENT_STORE, WEIR_LOG_WARNING, "store_notice", text);
}

static void worker_note_time(weir_worker *w, int64_t us)
{
    const weir_mono now = w->platform->now(w->platform->data);
    if (weir_mono_reached(now, w->minute_due)) {
        w->minute_due = weir_mono_add(now, WEIR_MINUTE);
        w->slowest[1] = w->slowest[0];
        w->slowest[0] = 0;
    }
    w->slowest[0] = us > w->slowest[0] ? us : w->slowest[0];
    (void)pthread_mutex_lock(&w->lock);
    w->view.commit_us = us;
    w->view.commit_us_max = w->slowest[0] > w->slowest[1] ? w->slowest[0] : w->slowest[1];
    (void)pthread_mutex_unlock(&w->lock);
}

/* --- recovering --------------------------------------------------------------------------- */

static void worker_tell_recovery(weir_worker *w, const weir_recovery *r)
{
    (void)pthread_mutex_lock(&w->lock);
    w->view.recoveries++;
    (void)pthread_mutex_unlock(&w->lock);
    if (r->text[0])
        worker_tell(w, r->lost_last ? WEIR_EVENT_GAP : WEIR_EVENT_ALARM, WEIR_LOG_ERROR,
                    "store_reopened", r->text);
}

/* Why the store cannot be opened again: each reason once, as it says what to do. */
static void worker_tell_obstacle(weir_worker *w, const weir_error *error)
{
    if (strcmp(w->obstacle, error->text) == 0)
        return;
    (void)snprintf(w->obstacle, sizeof w->obstacle, "%s", error->text);
    worker_log(w, WEIR_LOG_ERROR, "store_failing", error->text);
}

/* Closes and opens the file, when err calls for it and the last try is not too near. False: not
 * done; *err has what it ran into. */
static bool worker_recover(weir_worker *w, weir_err *err, weir_error *error)
{
    const weir_mono now = w->platform->now(w->platform->data);
    weir_recovery recovery;
    if ((*err != WEIR_EIO && *err != WEIR_EPERM && *err != WEIR_EDAMAGED) ||
        !weir_mono_reached(now, w->recover_next))
        return false;
    const bool repair = *err == WEIR_EDAMAGED && weir_mono_reached(now, w->repair_next);
    w->recover_pause = w->recover_pause == 0                ? RECOVER_MIN
                       : 2 * w->recover_pause < RECOVER_MAX ? 2 * w->recover_pause
                                                            : RECOVER_MAX;
    w->recover_next = weir_mono_add(now, w->recover_pause);
    if (repair)
        w->repair_next = weir_mono_add(now, REPAIR_INTERVAL);
    const weir_err tried = weir_store_recover(
        w->store, repair, w->platform->wall(w->platform->data), &recovery, error);
    if (tried != WEIR_OK) {
        *err = tried;
        worker_tell_obstacle(w, error);
        return false;
    }
    w->recover_pause = 0;
    w->obstacle[0] = '\0';
    worker_tell_recovery(w, &recovery);
    return true;
}

/* --- committing --------------------------------------------------------------------------- */

static weir_err worker_commit(weir_worker *w)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_mono started = w->platform->now(w->platform->data);
    worker_record_refused(w);
    worker_tell_notice(w);
    const size_t waited = weir_store_pending(w->store, NULL);
    weir_err err = weir_store_commit(w->store, w->platform->wall(w->platform->data), &error);
    if (err != WEIR_OK) {
        worker_publish(w, err, &error, false);
        if (worker_recover(w, &err, &error))
            err = weir_store_commit(w->store, w->platform->wall(w->platform->data), &error);
    }
    if (err == WEIR_OK)
        worker_publish(w, err, &error, waited > 0);
    else
        worker_note_error(w, &error);
    const weir_mono ended = w->platform->now(w->platform->data);
    worker_note_time(w, ended.us - started.us);
    /* So early that the next commit should end max_loss after this one began. */
    int64_t wait = w->max_loss_us - (ended.us - started.us);
    if (wait < w->max_loss_us / 2)
        wait = w->max_loss_us / 2;
    w->commit_due = weir_mono_add(started, wait);
    w->must_commit = false;
    return err;
}

/* Something else than a commit has failed: told, and the file opened anew, as when a commit does.
 */
static void worker_handle(weir_worker *w, weir_err err, weir_error *error)
{
    if (w->view.state != state_of(err))
        worker_publish(w, err, error, false);
    if (worker_recover(w, &err, error))
        worker_publish(w, WEIR_OK, error, false);
    else
        worker_note_error(w, error);
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
        worker_handle(w, err, &error);
}

static void worker_put_devices(weir_worker *w)
{
    weir_error error = WEIR_ERROR_INIT;
    (void)pthread_mutex_lock(&w->lock);
    weir_device_record *devices = w->devices;
    const size_t n = w->n_devices;
    w->devices = NULL;
    (void)pthread_mutex_unlock(&w->lock);
    if (!devices)
        return;
    const weir_err err = weir_store_put_devices(w->store, devices, n, &error);
    const bool failed = err != WEIR_OK;
    if (failed && !w->devices_failing)
        worker_log(w, WEIR_LOG_WARNING, "devices_not_stored", error.text);
    w->devices_failing = failed;
    if (err == WEIR_EIO)
        worker_handle(w, err, &error);
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
        worker_log(w, WEIR_LOG_WARNING, "sinks_not_stored", error.text);
    w->postbox_failing = failed;
    if (err == WEIR_EIO || err == WEIR_EPERM || err == WEIR_EDAMAGED)
        worker_handle(w, err, &error);
}

/* The next piece of the store's own work, when it is time for one. */
static void worker_maintain(weir_worker *w)
{
    weir_error error = WEIR_ERROR_INIT;
    bool more = false;
    const weir_mono began = w->platform->now(w->platform->data);
    const bool commit_near = w->commit_due.us - began.us < MAINTAIN_AHEAD &&
                             weir_store_pending(w->store, NULL) > 0 &&
                             w->max_loss_us > MAINTAIN_AHEAD;
    if (!weir_mono_reached(began, w->maintain_due))
        return;
    if (commit_near) {
        w->maintain_due = w->commit_due;
        return;
    }
    /* The next commit or check opens the file anew; until then it would only fail too. */
    if (w->view.state == WEIR_COMMIT_FAILING) {
        w->maintain_due = weir_mono_add(began, MAINTAIN_IDLE);
        return;
    }
    weir_err err =
        weir_store_maintain(w->store, w->platform->wall(w->platform->data), &more, &error);
    const bool failed = err != WEIR_OK;
    const weir_mono ended = w->platform->now(w->platform->data);
    int64_t pause = MAINTAIN_PAUSES * (ended.us - began.us);
    pause = pause < MAINTAIN_PAUSE_MIN ? MAINTAIN_PAUSE_MIN : pause;
    if (failed || !more)
        pause = failed ? MAINTAIN_RETRY : MAINTAIN_IDLE;
    w->maintain_due = weir_mono_add(ended, pause);
    if (failed && !w->maintain_failing)
        worker_log(w, WEIR_LOG_ERROR, "store_maintenance_failing", error.text);
    else if (!failed && w->maintain_failing)
        worker_log(w, WEIR_LOG_NOTICE, "store_maintenance_recovered", "merging succeeds again");
    w->maintain_failing = failed;
    if (err == WEIR_EIO)
        worker_handle(w, err, &error);
    else if (err == WEIR_EDAMAGED)
        (void)worker_recover(w, &err, &error);
    (void)pthread_mutex_lock(&w->lock);
    w->view.usage = weir_store_get_usage(w->store);
    (void)pthread_mutex_unlock(&w->lock);
}

/* An edit between two steps has committed what waited, and left nothing to commit here. */
static void worker_see_commits(weir_worker *w)
{
    const uint64_t seq = weir_store_get_position(w->store).committed_seq;
    if (!w->view.failing && seq != w->view.position.committed_seq) /* only this thread writes it */
        worker_publish(w, WEIR_OK, NULL, true);
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
        worker_publish(w, err, &error, err == WEIR_OK);
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
        worker_log(worker, WEIR_LOG_WARNING, "cursors_not_stored", error.text);
    return worker_is_empty(worker);
}

void weir_worker_post_devices(weir_worker *worker, const weir_device_record *devices, size_t n)
{
    size_t texts = 0;
    for (size_t i = 0; i < n; i++)
        texts += strlen(devices[i].name) + strlen(devices[i].connection) +
                 strlen(devices[i].state) + strlen(devices[i].error) + 4;
    weir_device_record *copy = weir_alloc(n * sizeof *copy + texts);
    if (!copy)
        return;
    char *room = (char *)(copy + n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = devices[i];
        const char **fields[] = {&copy[i].name, &copy[i].connection, &copy[i].state,
                                 &copy[i].error};
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
            const size_t length = strlen(*fields[f]) + 1;
            memcpy(room, *fields[f], length);
            *fields[f] = room;
            room += length;
        }
    }
    (void)pthread_mutex_lock(&worker->lock);
    weir_device_record *old = worker->devices;
    worker->devices = copy;
    worker->n_devices = n;
    (void)pthread_mutex_unlock(&worker->lock);
    weir_free(old);
}

weir_worker_view weir_worker_get_view(weir_worker *worker)
{
    (void)pthread_mutex_lock(&worker->lock);
    weir_worker_view view = worker->view;
    (void)pthread_mutex_unlock(&worker->lock);
    return view;
}

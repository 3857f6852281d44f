/* SPDX-License-Identifier: MIT */
/* How the store is: told once, shown to the other threads, and the file opened anew where that may
 * help. */

#include <stdio.h>
#include <string.h>

#include "runtime/worker_priv.h"

#define RECOVER_MIN (2 * WEIR_S) /* between tries: each that fails doubles it ... */
#define RECOVER_MAX (8 * WEIR_S) /* ... up to this: each reads some megabytes */
#define REPAIR_INTERVAL                                                      \
    (10 * WEIR_MINUTE) /* between repairs: damage that comes back at once is \
                          no reason to copy the store without end */

void weir_worker_log(const weir_worker *w, weir_log_level level, const char *event,
                     const char *text)
{
    if (w->platform->log)
        w->platform->log(w->platform->data, level, event, "", text);
}

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

void weir_worker_tell(weir_worker *w, weir_event_kind kind, weir_log_level level, const char *line,
                      const char *text)
{
    const weir_event event = {w->platform->wall(w->platform->data), kind, "", text};
    weir_err err = weir_store_event(w->store, &event, NULL);
    weir_worker_log(w, level, line, text);
    if (err)
        weir_worker_log(w, WEIR_LOG_WARNING, "store_without_event", line);
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
            weir_worker_log(w, WEIR_LOG_NOTICE, "store_recovered", text);
        else
            weir_worker_tell(w, WEIR_EVENT_ALARM, WEIR_LOG_NOTICE, "store_recovered", text);
        return;
    }
    (void)snprintf(text, sizeof text,
                   "%s. What is acquired waits in memory and is tried again every %lld ms: %s", why,
                   (long long)(w->max_loss_us / WEIR_MS), remedies[is]);
    if (is == WEIR_COMMIT_MEMORY) /* an event would need some */
        weir_worker_log(w, WEIR_LOG_ERROR, "store_failing", text);
    else
        weir_worker_tell(w, WEIR_EVENT_ALARM, WEIR_LOG_ERROR, "store_failing", text);
}

void weir_worker_publish(weir_worker *w, weir_err err, const weir_error *error, bool committed)
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

void weir_worker_note_error(weir_worker *w, const weir_error *error)
{
    (void)pthread_mutex_lock(&w->lock);
    memcpy(w->view.error, error->text, sizeof w->view.error);
    (void)pthread_mutex_unlock(&w->lock);
}

void weir_worker_tell_notice(weir_worker *w)
{
    char text[400];
    weir_store_take_notice(w->store, text);
    if (text[0])
        weir_worker_tell(w, WEIR_EVENT_STORE, WEIR_LOG_WARNING, "store_notice", text);
}

void weir_worker_note_time(weir_worker *w, int64_t us)
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
        weir_worker_tell(w, r->lost_last ? WEIR_EVENT_GAP : WEIR_EVENT_ALARM, WEIR_LOG_ERROR,
                         "store_reopened", r->text);
}

/* Why the store cannot be opened again: each reason once, as it says what to do. */
static void worker_tell_obstacle(weir_worker *w, const weir_error *error)
{
    if (strcmp(w->obstacle, error->text) == 0)
        return;
    (void)snprintf(w->obstacle, sizeof w->obstacle, "%s", error->text);
    weir_worker_log(w, WEIR_LOG_ERROR, "store_failing", error->text);
}

bool weir_worker_recover(weir_worker *w, weir_err *err, weir_error *error)
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

void weir_worker_handle(weir_worker *w, weir_err err, weir_error *error)
{
    if (w->view.state != state_of(err))
        weir_worker_publish(w, err, error, false);
    if (weir_worker_recover(w, &err, error))
        weir_worker_publish(w, WEIR_OK, error, false);
    else
        weir_worker_note_error(w, error);
}

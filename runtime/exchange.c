/* SPDX-License-Identifier: MIT */
/* Another catalog comes into force: a conversation between the store thread and the loop.
 *
 * The happy path: the store thread gives the tags their uids, in a transaction that stays open ->
 * the loop gets all it will need -> the store thread commits -> the loop exchanges, which cannot
 * fail.
 *
 * What can fail: registering, preparing (then the transaction is rolled back) and the commit (then
 * the loop gives back what it had got). Each time the older catalog stays in force, whole. */

#include <stdio.h>

#include "base/alloc.h"
#include "runtime/clock.h"
#include "runtime/collector_priv.h"

/* the store thread */

/* The other thread's turn; returns when the exchange is at one of the steps that are ours. */
static enum step exchange_pass(weir_runtime *c, struct exchange *x, enum step to)
{
    (void)pthread_mutex_lock(&c->lock);
    x->step = to;
    c->exchange = x;
    (void)uv_async_send(&c->async);
    while (x->step == to)
        (void)pthread_cond_wait(&c->changed, &c->lock);
    const enum step step = x->step;
    (void)pthread_mutex_unlock(&c->lock);
    return step;
}

static void run_exchange(weir_runtime *c, struct store_job *job)
{
    struct exchange *x = job->exchange;
    job->err =
        weir_store_register_begin(c->store, x->catalog, x->diff, weir_system_wall(), &job->error);
    if (job->err)
        return;
    if (exchange_pass(c, x, STEP_PREPARE) == STEP_DONE) { /* not prepared */
        weir_store_register_cancel(c->store);
        job->err = x->err;
        job->error = x->error;
        return;
    }
    job->err = weir_store_register_end(c->store, &job->error);
    if (!job->err) {
        weir_store_set_config(c->store, &x->catalog->store);
        weir_worker_set_max_loss(c->worker, x->catalog->store.max_loss_us);
    }
    (void)exchange_pass(c, x, job->err ? STEP_CANCEL : STEP_APPLY);
}

/* the loop thread */

static weir_err exchange_prepare(weir_runtime *c, struct exchange *x, weir_error *error)
{
    x->states = weir_alloc_zero(x->catalog->n_devices + 1, sizeof *x->states);
    if (!x->states)
        return weir_fail(error, WEIR_ENOMEM, "the collector");
    return weir_loop_prepare(c->loop, x->diff, &x->change, error);
}

/* Nobody but the exchange's owner has the older catalog after this. */
static void exchange_apply(weir_runtime *c, struct exchange *x)
{
    weir_snapshot *snapshot;
    weir_loop_apply(c->loop, x->change);
    x->change = NULL;
    weir_free(c->states);
    c->states = x->states;
    x->states = NULL;
    (void)pthread_mutex_lock(&c->lock);
    snapshot = c->snapshot;
    c->snapshot = NULL;
    c->catalog = x->catalog;
    (void)pthread_mutex_unlock(&c->lock);
    weir_snapshot_unref(snapshot);
    weir_loop_tell(c->loop, WEIR_EVENT_CONFIG, "", x->text);
    c->devices_next = weir_system_mono(); /* with the next step */
}

void weir_collector_exchange(weir_runtime *c)
{
    (void)pthread_mutex_lock(&c->lock);
    struct exchange *x = c->exchange;
    enum step step = x ? x->step : STEP_DONE;
    (void)pthread_mutex_unlock(&c->lock);
    if (step == STEP_PREPARE) {
        x->err = exchange_prepare(c, x, &x->error);
        step = x->err ? STEP_DONE : STEP_COMMIT;
    } else if (step == STEP_APPLY) {
        exchange_apply(c, x);
        step = STEP_DONE;
    } else if (step == STEP_CANCEL) {
        weir_loop_discard(x->change);
        x->change = NULL;
        step = STEP_DONE;
    } else {
        return;
    }
    (void)pthread_mutex_lock(&c->lock);
    x->step = step;
    c->exchange = NULL;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

/* who wants it */

void weir_applied_deinit(weir_applied *applied)
{
    weir_diff_free(applied->diff);
    weir_catalog_free(applied->older);
    weir_catalog_free(applied->newer);
    *applied = (weir_applied){0};
}

/* One exchange at a time. */
static bool collector_begin_apply(weir_runtime *c)
{
    (void)pthread_mutex_lock(&c->lock);
    const bool free = !c->applying;
    c->applying = true;
    (void)pthread_mutex_unlock(&c->lock);
    return free;
}

static void collector_end_apply(weir_runtime *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->applying = false;
    (void)pthread_mutex_unlock(&c->lock);
}

/* In applied, references are taken; with an error they are given back by the caller. */
static weir_err collector_apply(weir_runtime *c, weir_applied *a, const char *who,
                                weir_error *error)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_err err = weir_diff_new(a->older, a->newer, &a->diff, error);
    if (err || weir_diff_is_empty(a->diff))
        return err;
    weir_text_format(&text, "%s: ", who);
    weir_diff_describe(a->diff, &text);
    a->newer->revision = a->older->revision + 1;
    struct exchange exchange = {.catalog = a->newer,
                                .diff = a->diff,
                                .text = weir_text_get(&text),
                                .error = WEIR_ERROR_INIT};
    struct store_job job = {.run = run_exchange, .exchange = &exchange, .error = WEIR_ERROR_INIT};
    err = weir_collector_do(c, &job, error);
    weir_free(exchange.states);
    if (!err) { /* the collector's own: one more of the newer, none of the older */
        weir_catalog *kept = weir_catalog_ref(a->newer);
        (void)kept;
        weir_catalog_free(a->older);
    }
    return err;
}

weir_err weir_runtime_apply(weir_runtime *collector, weir_catalog *catalog, const char *who,
                            weir_applied *ret, weir_error *error)
{
    weir_applied applied = {.older = weir_runtime_catalog(collector),
                            .newer = weir_catalog_ref(catalog)};
    weir_err err = WEIR_EINUSE;
    if (collector_begin_apply(collector)) {
        err = collector_apply(collector, &applied, who, error);
        collector_end_apply(collector);
    } else {
        (void)weir_fail(error, WEIR_EINUSE, "another change is being made: try again");
    }
    if (!err && ret)
        *ret = applied;
    else
        weir_applied_deinit(&applied);
    return err;
}

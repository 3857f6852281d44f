/* SPDX-License-Identifier: MIT */
/* The sinks of a running weir: a thread for each.
 *
 * The happy path: the thread opens the log, makes the delivery, and steps it whenever it asks to be
 * called or the store has committed. After each step it shows how the sink stands; whoever comes
 * by when it is time posts the records of all sinks to the store.
 *
 * What can fail: opening the log and the sink's own init. Both are tried again; what is wrong is
 * the sink's state meanwhile. A send that hangs holds up its own sink only, and the end for as long
 * as the type needs to see that it is asked to end. */

#include "daemon/deliveries.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/random.h"
#include "runtime/clock.h"
#include "sinks/delivery/box.h"
#include "sinks/delivery/delivery.h"

static const int64_t records_interval_us = WEIR_MINUTE; /* to the store */
static const int64_t states_interval_us = 5 * WEIR_S;   /* after a change of state, this soon */
static const int64_t look_interval_us = WEIR_S;         /* whether it is time for these */
static const int64_t open_retry_us = 5 * WEIR_S;

struct sink {
    struct weir_deliveries *all;
    weir_sink_config config; /* a copy, with a reference to its memory */
    atomic_bool ending;      /* this one alone */
    weir_delivery_host host;
    weir_delivery_box box;
    weir_take *take;
    weir_delivery *delivery;
    pthread_t thread;
    bool started;
    bool woken;                                         /* under the lock of all */
    weir_sink_view view;                                /* likewise */
    weir_wall shown;                                    /* when it was so; likewise */
    char posted[sizeof((weir_sink_view *)NULL)->state]; /* the state that the store has; likewise */
    bool posted_unknown;                                /* and that it has no backlog; likewise */
};

struct weir_deliveries {
    weir_runtime *collector;
    weir_deliveries_listener listener;
    uint64_t seed;
    atomic_bool ending;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* CLOCK_MONOTONIC */
    weir_mono records_next, states_next;
    weir_random random; /* of seeds for those that come */
    size_t n;
    struct sink **sinks; /* changed under the lock */
};

/* --- what a delivery is given ------------------------------------------------------------- */

static weir_mono host_now(void *data)
{
    (void)data;
    return weir_system_mono();
}

static weir_wall host_wall(void *data)
{
    (void)data;
    return weir_system_wall();
}

static bool host_is_ending(void *data)
{
    const struct sink *s = data;
    return atomic_load(&s->all->ending) || atomic_load(&s->ending);
}

static void sink_log(const struct sink *s, weir_log_level level, const char *event,
                     const char *text)
{
    const weir_deliveries_listener *l = &s->all->listener;
    if (l->log)
        l->log(l->data, level, event, s->config.name, text);
}

static void sink_tell(const struct sink *s, const char *state, const char *why, const char *remedy)
{
    const bool is_well = strcmp(state, "online") == 0 || strcmp(state, "connecting") == 0;
    char text[640];
    (void)snprintf(text, sizeof text, "%s%s%s%s%s", state, *why ? ": " : "", why,
                   *remedy ? ". Next: " : "", remedy);
    const weir_event event = {weir_system_wall(), WEIR_EVENT_ALARM, s->config.name, text};
    const weir_err err = weir_postbox_event(s->box.postbox, &event, true, NULL);
    sink_log(s, is_well ? WEIR_LOG_NOTICE : WEIR_LOG_WARNING, err ? "sink_without_event" : "sink",
             text);
    if (s->all->listener.on_event)
        s->all->listener.on_event(s->all->listener.data, &event);
}

static void host_on_state(void *data, const char *state, const char *why, const char *remedy)
{
    sink_tell(data, state, why, remedy);
}

static void host_log(void *data, weir_log_level level, const char *event, const char *text)
{
    sink_log(data, level, event, text);
}

/* --- how they stand ----------------------------------------------------------------------- */

/* Under the lock. */
static void view_set(weir_sink_view *view, const weir_sink_record *record)
{
    view->record = *record;
    (void)snprintf(view->name, sizeof view->name, "%s", record->name);
    (void)snprintf(view->state, sizeof view->state, "%s", record->state);
    (void)snprintf(view->error, sizeof view->error, "%s", record->error);
    (void)snprintf(view->remedy, sizeof view->remedy, "%s", record->remedy);
    view->record.name = view->name;
    view->record.state = view->state;
    view->record.error = view->error;
    view->record.remedy = view->remedy;
}

static void sink_show(struct sink *s, const weir_sink_record *record)
{
    (void)pthread_mutex_lock(&s->all->lock);
    view_set(&s->view, record);
    s->shown = weir_system_wall();
    (void)pthread_mutex_unlock(&s->all->lock);
}

/* As of now, also while a send takes long: what was committed since waits too. Under the lock. */
static weir_sink_record record_of(const struct sink *s, uint64_t committed_seq)
{
    weir_sink_record r = s->view.record;
    if (r.backlog == WEIR_BACKLOG_UNKNOWN || committed_seq <= r.head)
        return r;
    if (r.backlog == 0)
        r.oldest_unsent = s->shown;
    r.backlog += committed_seq - r.head;
    return r;
}

static uint64_t committed_seq(const weir_deliveries *all)
{
    return all->collector ? weir_runtime_store(all->collector).position.committed_seq : 0;
}

/* Nothing but a state: of a sink that is disabled, or could not start. */
static void sink_show_state(struct sink *s, const char *state, const char *why)
{
    const weir_sink_record record = {.name = s->config.name,
                                     .type = s->config.type->name,
                                     .backlog = WEIR_BACKLOG_UNKNOWN,
                                     .state = state,
                                     .error = why,
                                     .remedy = "",
                                     .since = weir_system_wall()};
    sink_show(s, &record);
}

/* Under the lock. */
static bool records_are_due(weir_deliveries *all)
{
    const weir_mono now = weir_system_mono();
    bool changed = false;
    if (weir_mono_reached(now, all->records_next))
        return true;
    if (!weir_mono_reached(now, all->states_next))
        return false;
    all->states_next = weir_mono_add(now, states_interval_us);
    for (size_t i = 0; i < all->n; i++)
        changed |= all->sinks[i]->posted_unknown !=
                       (all->sinks[i]->view.record.backlog == WEIR_BACKLOG_UNKNOWN) ||
                   strcmp(all->sinks[i]->posted, all->sinks[i]->view.state) != 0;
    return changed;
}

static void records_post(weir_deliveries *all)
{
    weir_sink_record *records = NULL;
    const uint64_t seq = committed_seq(all); /* before the lock: the store's thread takes both */
    (void)pthread_mutex_lock(&all->lock);
    if (all->n > 0 && records_are_due(all)) {
        all->records_next = weir_mono_add(weir_system_mono(), records_interval_us);
        records = weir_alloc_zero(all->n, sizeof *records);
        for (size_t i = 0; records && i < all->n; i++) {
            struct sink *s = all->sinks[i];
            records[i] = record_of(s, seq);
            memcpy(s->posted, s->view.state, sizeof s->posted);
            s->posted_unknown = records[i].backlog == WEIR_BACKLOG_UNKNOWN;
        }
        /* Under the lock, as the texts are those of the views; without memory: in a minute. */
        const weir_err err = records ? weir_postbox_sinks(weir_runtime_postbox(all->collector),
                                                          records, all->n, NULL)
                                     : WEIR_ENOMEM;
        if (err)
            all->records_next = weir_mono_add(weir_system_mono(), states_interval_us);
    }
    (void)pthread_mutex_unlock(&all->lock);
    weir_free(records);
}

/* --- a thread ----------------------------------------------------------------------------- */

static weir_err sink_open(struct sink *s, weir_error *error)
{
    weir_err err = WEIR_OK;
    if (!s->take)
        err = weir_take_open(weir_runtime_store_dir(s->all->collector), NULL, s->config.name,
                             &s->take, error);
    if (err == WEIR_OK)
        err = weir_delivery_new(&s->config, s->take, &s->host, &s->delivery, error);
    return err;
}

/* Returns when to be called again. */
static weir_mono sink_step(struct sink *s)
{
    weir_error error = WEIR_ERROR_INIT;
    if (!s->delivery && sink_open(s, &error) != WEIR_OK) {
        if (strcmp(s->view.error, error.text) != 0) { /* only this thread writes it */
            sink_show_state(s, weir_trouble_text(WEIR_TROUBLE_MISCONFIGURED), error.text);
            sink_tell(s, s->view.state, error.text, "");
        }
        return weir_mono_add(weir_system_mono(), open_retry_us);
    }
    const weir_mono next = weir_delivery_step(s->delivery);
    const weir_sink_record record = weir_delivery_get_record(s->delivery);
    sink_show(s, &record);
    return next;
}

/* Sleeps until t, or a wake. */
static void sink_sleep(struct sink *s, weir_mono t)
{
    weir_deliveries *all = s->all;
    const weir_mono until = weir_mono_min(t, weir_mono_add(weir_system_mono(), look_interval_us));
    const struct timespec at = {until.us / WEIR_S, until.us % WEIR_S * 1000};
    int status = 0;
    (void)pthread_mutex_lock(&all->lock);
    while (!s->woken && !host_is_ending(s) && status == 0)
        status = pthread_cond_timedwait(&all->changed, &all->lock, &at);
    s->woken = false;
    (void)pthread_mutex_unlock(&all->lock);
}

static void *sink_main(void *data)
{
    struct sink *s = data;
    while (!host_is_ending(s)) {
        const weir_mono next = sink_step(s);
        records_post(s->all);
        if (next.us > weir_system_mono().us)
            sink_sleep(s, next);
    }
    weir_delivery_free(s->delivery);
    weir_take_close(s->take);
    return NULL;
}

/* --- life --------------------------------------------------------------------------------- */

static weir_delivery_host host_of(struct sink *s, uint64_t seed)
{
    return (weir_delivery_host){.data = s,
                                .now = host_now,
                                .wall = host_wall,
                                .seed = seed,
                                .is_ending = host_is_ending,
                                .on_state = host_on_state,
                                .log = host_log};
}

static struct sink *sink_new(weir_deliveries *all, const weir_sink_config *config)
{
    struct sink *s = weir_alloc_zero(1, sizeof *s);
    if (!s)
        return NULL;
    weir_sink_config_ref(config);
    s->all = all;
    s->config = *config;
    s->host = host_of(s, weir_random_u64(&all->random));
    s->box.sink = s->config.name;
    weir_delivery_host_post(&s->host, &s->box);
    sink_show_state(s, s->config.enabled ? "connecting" : "disabled", "");
    return s;
}

/* Whose thread has ended. */
static void sink_free(struct sink *s)
{
    if (s)
        weir_sink_config_unref(&s->config);
    weir_free(s);
}

weir_err weir_deliveries_new(const weir_catalog *catalog, uint64_t seed, weir_deliveries **ret,
                             weir_error *error)
{
    pthread_condattr_t attributes;
    weir_deliveries *all = weir_alloc_zero(1, sizeof *all);
    if (!all)
        return weir_fail(error, WEIR_ENOMEM, "the sinks");
    all->random = (weir_random){seed ? seed : (uint64_t)weir_system_mono().us};
    all->records_next = all->states_next = weir_system_mono();
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&all->lock, NULL);
    (void)pthread_cond_init(&all->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    all->sinks = weir_alloc_zero(catalog->n_sinks + 1, sizeof(struct sink *));
    bool good = all->sinks != NULL;
    for (; good && all->n < catalog->n_sinks; all->n += good)
        good = (all->sinks[all->n] = sink_new(all, &catalog->sinks[all->n])) != NULL;
    if (!good) {
        weir_deliveries_free(all);
        return weir_fail(error, WEIR_ENOMEM, "the sinks");
    }
    *ret = all;
    return WEIR_OK;
}

static weir_err sink_start(struct sink *s, weir_error *error)
{
    sigset_t every, old;
    char name[16];
    s->box.postbox = weir_runtime_postbox(s->all->collector);
    (void)snprintf(name, sizeof name, "weir-%s", s->config.name);
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_SETMASK, &every, &old);
    s->started = pthread_create(&s->thread, NULL, sink_main, s) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!s->started)
        return weir_fail(error, WEIR_ENOMEM, "cannot start the thread of sink %s", s->config.name);
    (void)pthread_setname_np(s->thread, name);
    return WEIR_OK;
}

void weir_deliveries_listen(weir_deliveries *deliveries, const weir_deliveries_listener *listener)
{
    deliveries->listener = *listener;
}

/* The bits of the plans are known since the collector has started. */
static void deliveries_name_plans(weir_deliveries *all)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = weir_runtime_catalog(all->collector);
    for (size_t i = 0; i < all->n; i++)
        for (size_t k = 0; k < catalog->n_sinks; k++)
            if (!strcmp(catalog->sinks[k].name, all->sinks[i]->config.name))
                all->sinks[i]->config.plans = catalog->sinks[k].plans;
}

weir_err weir_deliveries_start(weir_deliveries *deliveries, weir_runtime *collector,
                               weir_error *error)
{
    weir_err err = WEIR_OK;
    deliveries->collector = collector;
    deliveries_name_plans(deliveries);
    for (size_t i = 0; err == WEIR_OK && i < deliveries->n; i++)
        if (deliveries->sinks[i]->config.enabled)
            err = sink_start(deliveries->sinks[i], error);
    if (err != WEIR_OK)
        weir_deliveries_end(deliveries);
    else
        records_post(deliveries);
    return err;
}

void weir_deliveries_wake(weir_deliveries *deliveries)
{
    (void)pthread_mutex_lock(&deliveries->lock);
    for (size_t i = 0; i < deliveries->n; i++)
        deliveries->sinks[i]->woken = true;
    (void)pthread_cond_broadcast(&deliveries->changed);
    (void)pthread_mutex_unlock(&deliveries->lock);
}

void weir_deliveries_end(weir_deliveries *deliveries)
{
    atomic_store(&deliveries->ending, true);
    weir_deliveries_wake(deliveries);
    for (size_t i = 0; i < deliveries->n; i++) {
        struct sink *s = deliveries->sinks[i];
        if (s->started)
            (void)pthread_join(s->thread, NULL);
        s->started = false;
    }
    if (deliveries->collector) {
        (void)pthread_mutex_lock(&deliveries->lock);
        deliveries->records_next = weir_system_mono();
        (void)pthread_mutex_unlock(&deliveries->lock);
        records_post(deliveries);
    }
}

void weir_deliveries_free(weir_deliveries *deliveries)
{
    if (!deliveries)
        return;
    for (size_t i = 0; i < deliveries->n; i++)
        sink_free(deliveries->sinks[i]);
    weir_free(deliveries->sinks);
    (void)pthread_cond_destroy(&deliveries->changed);
    (void)pthread_mutex_destroy(&deliveries->lock);
    weir_free(deliveries);
}

/* --- another catalog ---------------------------------------------------------------------- */

/* All at once, so that the slowest end is waited for, not the sum. */
static void sinks_end(weir_deliveries *all, struct sink *const *sinks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sinks[i])
            atomic_store(&sinks[i]->ending, true);
    (void)pthread_mutex_lock(&all->lock);
    (void)pthread_cond_broadcast(&all->changed);
    (void)pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; i < n; i++)
        if (sinks[i] && sinks[i]->started)
            (void)pthread_join(sinks[i]->thread, NULL);
}

/* The one that is the same in the newer catalog, or NULL. */
static struct sink *sink_same(const weir_deliveries *all, const weir_diff *diff, size_t index)
{
    for (size_t i = 0; diff->sinks.change[index] == WEIR_CHANGE_NONE && i < all->n; i++)
        if (strcmp(all->sinks[i]->config.name, diff->newer->sinks[index].name) == 0)
            return all->sinks[i];
    return NULL;
}

static bool sink_stays(const weir_deliveries *all, const weir_diff *diff, const struct sink *s)
{
    for (size_t i = 0; i < diff->newer->n_sinks; i++)
        if (sink_same(all, diff, i) == s)
            return true;
    return false;
}

/* Without memory for one it is not there; the error says so. */
static weir_err sinks_start(weir_deliveries *all, const weir_diff *diff, struct sink **table,
                            size_t *ret_n, weir_error *error)
{
    const weir_catalog *newer = diff->newer;
    weir_err err = WEIR_OK;
    for (size_t i = 0; i < newer->n_sinks; i++) {
        struct sink *s = sink_same(all, diff, i);
        if (!s)
            s = sink_new(all, &newer->sinks[i]);
        if (!s)
            err = weir_fail(error, WEIR_ENOMEM, "sink %s", newer->sinks[i].name);
        else
            table[(*ret_n)++] = s;
    }
    return err;
}

weir_err weir_deliveries_apply(weir_deliveries *deliveries, const weir_diff *diff,
                               weir_error *error)
{
    weir_deliveries *all = deliveries;
    size_t n = 0;
    if (diff->sinks.n_added + diff->sinks.n_changed + diff->sinks.n_removed == 0)
        return WEIR_OK;
    struct sink **table = weir_alloc_zero(diff->newer->n_sinks + 1, sizeof(struct sink *));
    struct sink **gone = weir_alloc_zero(all->n + 1, sizeof(struct sink *));
    if (!table || !gone) {
        weir_free(table);
        weir_free(gone);
        return weir_fail(error, WEIR_ENOMEM, "the sinks");
    }
    for (size_t i = 0; i < all->n; i++)
        if (!sink_stays(all, diff, all->sinks[i]))
            gone[i] = all->sinks[i];
    sinks_end(all, gone, all->n);
    weir_err err = sinks_start(all, diff, table, &n, error);
    const weir_err registered = weir_runtime_register_sinks(all->collector, err ? NULL : error);
    (void)pthread_mutex_lock(&all->lock);
    struct sink **old = all->sinks;
    const size_t n_old = all->n;
    all->sinks = table;
    all->n = n;
    all->states_next = weir_system_mono();
    (void)pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; i < n_old; i++)
        sink_free(gone[i]);
    for (size_t i = 0; i < n; i++) {
        weir_error ignored = WEIR_ERROR_INIT;
        weir_err started = WEIR_OK;
        if (!table[i]->started && table[i]->config.enabled)
            started = sink_start(table[i], err || registered ? &ignored : error);
        err = err ? err : started;
    }
    weir_free(old);
    weir_free(gone);
    return err ? err : registered;
}

/* --- looking ------------------------------------------------------------------------------ */

bool weir_deliveries_get(weir_deliveries *deliveries, size_t i, weir_sink_view *ret)
{
    const uint64_t seq = committed_seq(deliveries);
    (void)pthread_mutex_lock(&deliveries->lock);
    const bool there = i < deliveries->n;
    if (there) {
        const weir_sink_record record = record_of(deliveries->sinks[i], seq);
        view_set(ret, &record);
    }
    (void)pthread_mutex_unlock(&deliveries->lock);
    return there;
}

/* SPDX-License-Identifier: MIT */
/* The collector of other programs: the runtime and its sinks, with what the program brings.
 *
 * The happy path: new -> what the program brings -> load -> start makes the sinks' threads, opens
 * the store, starts loop and store thread -> stop ends them in the other order: sinks, loop, store,
 * then the threads of own sources.
 *
 * What can fail: a start, which leaves nothing behind; the last commit of a stop. */

#include "weir/collector.h"

#include <string.h>

#include "base/alloc.h"
#include "embed/collector_priv.h"
#include "embed/core/options.h"
#include "runtime/clock.h"
#include "sources/modbus/modbus.h"
#include "sources/random/random.h"
#include "sources/simulated/simulated.h"

static const weir_source_type *const built_in[] = {&weir_source_modbus, &weir_source_simulated,
                                                   &weir_source_random};
enum { BUILT_IN = sizeof built_in / sizeof *built_in };

/* --- lists of what the program brings ------------------------------------------------------- */

struct own_kind {
    const char *word;
    const char *(*name)(const void *own);
    void (*free)(void *own);
};

static const char *own_source_name(const void *own)
{
    return weir_own_source_get(own)->name;
}

static void own_source_free(void *own)
{
    weir_own_source_free(own);
}

static const char *own_sink_name(const void *own)
{
    return weir_own_sink_get(own)->name;
}

static void own_sink_free(void *own)
{
    weir_own_sink_free(own);
}

static const struct own_kind own_source_kind = {"source", own_source_name, own_source_free};
static const struct own_kind own_sink_kind = {"sink", own_sink_name, own_sink_free};

static void own_list_deinit(weir_own_list *list, const struct own_kind *kind)
{
    for (size_t i = 0; i < list->n; i++)
        kind->free(list->items[i]);
    weir_free(list->items);
    *list = (weir_own_list){0};
}

/* Under life. */
static weir_err own_list_add(const weir_collector *c, weir_own_list *list,
                             const struct own_kind *kind, void *own, weir_error *error)
{
    const char *name = kind->name(own);
    if (c->runtime)
        return weir_fail(error, WEIR_EPERM, "the collector runs: add %ss before", kind->word);
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(kind->name(list->items[i]), name))
            return weir_fail(error, WEIR_EINVAL, "there is a %s '%s' already", kind->word, name);
    void **room = weir_array_room(list->items, list->n, &list->capacity, sizeof *room);
    if (!room)
        return weir_fail(error, WEIR_ENOMEM, "%s '%s'", kind->word, name);
    list->items = room;
    list->items[list->n++] = own;
    return WEIR_OK;
}

/* Takes it. */
static weir_err own_add(weir_collector *c, weir_own_list *list, const struct own_kind *kind,
                        void *own, weir_error *error)
{
    (void)pthread_rwlock_wrlock(&c->life);
    const weir_err err = own_list_add(c, list, kind, own, error);
    (void)pthread_rwlock_unlock(&c->life);
    if (err != WEIR_OK)
        kind->free(own);
    return err;
}

/* --- new and close -------------------------------------------------------------------------- */

weir_err weir_collector_new(const weir_collector_options *options, weir_collector **ret,
                            weir_error *error)
{
    weir_collector_options o = {.struct_size = sizeof o};
    if (options) {
        const weir_err err =
            weir_options_read(&o, sizeof o, options, "weir_collector_options", error);
        if (err != WEIR_OK)
            return err;
    }
    weir_collector *c = weir_alloc_zero(1, sizeof *c);
    char *data_dir = o.data_dir ? weir_alloc_text(o.data_dir) : NULL;
    if (!c || (o.data_dir && !data_dir)) {
        weir_free(c);
        weir_free(data_dir);
        return weir_fail(error, WEIR_ENOMEM, "a collector");
    }
    c->options = o;
    c->options.data_dir = c->data_dir = data_dir;
    (void)pthread_rwlock_init(&c->life, NULL);
    (void)pthread_mutex_init(&c->tags_lock, NULL);
    *ret = c;
    return WEIR_OK;
}

static void collector_free(weir_collector *c)
{
    own_list_deinit(&c->own_sources, &own_source_kind);
    own_list_deinit(&c->own_sinks, &own_sink_kind);
    weir_collector_free_listeners(c);
    weir_catalog_free(c->catalog);
    weir_tag_table_free(c->tables);
    (void)pthread_mutex_destroy(&c->tags_lock);
    (void)pthread_rwlock_destroy(&c->life);
    weir_free(c->data_dir);
    weir_free(c);
}

weir_err weir_collector_close(weir_collector *collector)
{
    if (!collector)
        return WEIR_OK;
    weir_err err = weir_callback_refuse(collector, NULL);
    if (err != WEIR_OK)
        return err;
    weir_collector_tell(collector, WEIR_BEFORE_CLOSE, NULL);
    if (weir_collector_get_state(collector) != WEIR_COLLECTOR_IDLE)
        err = weir_collector_stop(collector, NULL);
    weir_collector_tell(collector, WEIR_AFTER_CLOSE, NULL);
    collector_free(collector);
    return err;
}

/* --- what the program brings ---------------------------------------------------------------- */

weir_err weir_collector_add_source(weir_collector *collector, const weir_own_source *source,
                                   weir_error *error)
{
    weir_own_source_type *own = NULL;
    weir_err err = weir_callback_refuse(collector, error);
    if (err == WEIR_OK)
        err = weir_own_source_new(source, collector, &own, error);
    return err == WEIR_OK
               ? own_add(collector, &collector->own_sources, &own_source_kind, own, error)
               : err;
}

weir_err weir_collector_add_sink(weir_collector *collector, const weir_own_sink *sink,
                                 weir_error *error)
{
    weir_own_sink_type *own = NULL;
    weir_err err = weir_callback_refuse(collector, error);
    if (err == WEIR_OK)
        err = weir_own_sink_new(sink, collector, &own, error);
    return err == WEIR_OK ? own_add(collector, &collector->own_sinks, &own_sink_kind, own, error)
                          : err;
}

/* --- start and stop ------------------------------------------------------------------------- */

/* Any thread. */
static void on_committed(void *data, uint64_t seq)
{
    const weir_collector *c = data;
    (void)seq;
    weir_deliveries_wake(c->deliveries);
}

static weir_wall built(void)
{
    weir_wall date = {0};
    if (weir_wall_parse(WEIR_BUILD_DATE, &date))
        date.us -= WEIR_DAY; /* built today on a machine whose clock is a little ahead */
    return date;
}

static bool sources_list(weir_collector *c)
{
    c->sources = weir_alloc_zero(BUILT_IN + c->own_sources.n + 1, sizeof *c->sources);
    if (!c->sources)
        return false;
    memcpy(c->sources, built_in, sizeof built_in);
    for (size_t i = 0; i < c->own_sources.n; i++)
        c->sources[BUILT_IN + i] = weir_own_source_get(c->own_sources.items[i]);
    return true;
}

static weir_err parts_start(weir_collector *c, weir_error *error)
{
    const weir_deliveries_listener listener = {
        .data = c, .log = weir_collector_on_log, .on_event = weir_collector_on_event};
    const weir_runtime_config config = {
        .catalog = c->catalog,
        .sources = c->sources,
        .seed = c->options.seed,
        .built = built(),
        .log = weir_collector_on_log,
        .on_batch = weir_collector_on_batch,
        .on_event = weir_collector_on_event,
        .on_plan = weir_collector_on_plan,
        .on_committed = on_committed,
        .data = c,
    };
    weir_err err = weir_deliveries_new(c->catalog, c->options.seed, &c->deliveries, error);
    if (err != WEIR_OK)
        return err;
    weir_deliveries_listen(c->deliveries, &listener);
    err = weir_runtime_start(&config, &c->runtime, error);
    if (err == WEIR_OK)
        err = weir_deliveries_start(c->deliveries, c->runtime, error);
    return err;
}

/* False: the last samples could not be committed. */
static bool parts_stop(weir_collector *c)
{
    if (c->deliveries)
        weir_deliveries_end(c->deliveries);
    const bool committed = weir_runtime_stop(c->runtime);
    c->runtime = NULL;
    for (size_t i = 0; i < c->own_sources.n; i++)
        weir_own_source_join(c->own_sources.items[i]);
    weir_deliveries_free(c->deliveries);
    c->deliveries = NULL;
    weir_free(c->sources);
    c->sources = NULL;
    return committed;
}

weir_err weir_collector_start(weir_collector *collector, weir_error *error)
{
    weir_collector *c = collector;
    weir_err err = weir_callback_refuse(c, error);
    if (err != WEIR_OK)
        return err;
    (void)pthread_rwlock_wrlock(&c->life);
    if (c->runtime)
        err = weir_fail(error, WEIR_EINVAL, "the collector runs already");
    else if (!c->catalog)
        err = weir_fail(error, WEIR_EINVAL, "nothing was loaded that could be collected");
    if (err == WEIR_OK) {
        (void)pthread_mutex_lock(&c->tags_lock);
        c->tags->has_uids = false; /* the store is asked anew */
        c->tags->catalog = c->catalog;
        (void)pthread_mutex_unlock(&c->tags_lock);
        weir_collector_forget_plans(c);
        weir_collector_tell(c, WEIR_BEFORE_START, NULL);
        err = sources_list(c) ? parts_start(c, error)
                              : weir_fail(error, WEIR_ENOMEM, "the collector");
        if (err == WEIR_OK) {
            (void)weir_collector_follow(c, c->catalog->revision);
            atomic_store(&c->state, WEIR_COLLECTOR_RUNNING);
        } else {
            (void)parts_stop(c);
        }
        weir_collector_tell(c, err == WEIR_OK ? WEIR_AFTER_START : WEIR_AFTER_STOP, NULL);
    }
    (void)pthread_rwlock_unlock(&c->life);
    return err;
}

static weir_err collector_pause(weir_collector *c, bool paused, weir_error *error)
{
    const weir_collector_state from = paused ? WEIR_COLLECTOR_RUNNING : WEIR_COLLECTOR_PAUSED;
    weir_err err = weir_callback_refuse(c, error);
    if (err != WEIR_OK)
        return err;
    (void)pthread_rwlock_wrlock(&c->life);
    if (!c->runtime)
        err = weir_fail(error, WEIR_EINVAL, "the collector does not run");
    else if (atomic_load(&c->state) != (int)from)
        err = weir_fail(error, WEIR_EINVAL, "the collector is %spaused",
                        paused ? "already " : "not ");
    if (err == WEIR_OK) {
        weir_collector_tell(c, paused ? WEIR_BEFORE_PAUSE : WEIR_BEFORE_RESUME, NULL);
        (void)weir_runtime_pause(c->runtime, paused); /* late: it will */
        atomic_store(&c->state, paused ? WEIR_COLLECTOR_PAUSED : WEIR_COLLECTOR_RUNNING);
        weir_collector_tell(c, paused ? WEIR_AFTER_PAUSE : WEIR_AFTER_RESUME, NULL);
    }
    (void)pthread_rwlock_unlock(&c->life);
    return err;
}

weir_err weir_collector_pause(weir_collector *collector, weir_error *error)
{
    return collector_pause(collector, true, error);
}

weir_err weir_collector_resume(weir_collector *collector, weir_error *error)
{
    return collector_pause(collector, false, error);
}

weir_err weir_collector_stop(weir_collector *collector, weir_error *error)
{
    weir_collector *c = collector;
    weir_err err = weir_callback_refuse(c, error);
    if (err != WEIR_OK)
        return err;
    (void)pthread_rwlock_wrlock(&c->life);
    if (!c->runtime) {
        err = weir_fail(error, WEIR_EINVAL, "the collector does not run");
    } else {
        weir_collector_tell(c, WEIR_BEFORE_STOP, NULL);
        if (!parts_stop(c))
            err = weir_fail(error, WEIR_EIO, "the last samples could not be committed");
        atomic_store(&c->state, WEIR_COLLECTOR_IDLE);
        weir_collector_tell(c, WEIR_AFTER_STOP, NULL);
    }
    (void)pthread_rwlock_unlock(&c->life);
    return err;
}

weir_collector_state weir_collector_get_state(weir_collector *collector)
{
    return (weir_collector_state)atomic_load(&collector->state);
}

weir_mono weir_mono_now(void)
{
    return weir_system_mono();
}

weir_wall weir_wall_now(void)
{
    return weir_system_wall();
}

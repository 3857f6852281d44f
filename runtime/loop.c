/* SPDX-License-Identifier: MIT */
/* The loop: engine and sources of one collector, as a step function over a platform.
 *
 * The happy path: the engine says what is due -> the source of the device's connection reads it ->
 * batches come back through on_batch to the engine, which stamps them and keeps current values ->
 * the filter leaves out what did not change enough -> the inbox takes the rest -> on_read_done
 * closes the poll.
 *
 * What can fail here: nothing that stops the loop. A source that cannot read answers with bad
 * samples; a full inbox refuses and counts (runtime/inbox.h), and the filter is told. */

#include "runtime/loop_priv.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"

/* Current values are published at most this often, and only when somebody asks. */
static const int64_t snapshot_age_us = 100 * WEIR_MS;

static weir_mono loop_now(const weir_loop *loop)
{
    return loop->config.platform->now(loop->config.platform->data);
}

static weir_wall loop_wall(const weir_loop *loop)
{
    return loop->config.platform->wall(loop->config.platform->data);
}

static void loop_log(const weir_loop *loop, weir_log_level level, const char *event,
                     const char *subject, const char *text)
{
    const weir_platform *platform = loop->config.platform;
    if (platform->log)
        platform->log(platform->data, level, event, subject, text);
}

/* engine to the rest */

static void engine_read(void *data, const weir_read *read)
{
    weir_loop *loop = data;
    struct slot *slot = loop->slots[loop->config.catalog->devices[read->device].connection];
    assert(slot->type); /* the engine does not read devices of disabled connections */
    slot->type->read(slot->state, read);
}

static void loop_archive(weir_loop *loop, const weir_batch *batch)
{
    const weir_batch *selected = weir_filter_select(loop->filter, batch);
    if (selected)
        weir_filter_settle(loop->filter, weir_inbox_put_batch(loop->config.inbox, selected));
}

static void engine_batch(void *data, const weir_batch *batch)
{
    weir_loop *loop = data;
    if (loop->config.inbox)
        loop_archive(loop, batch);
    if (loop->config.on_batch)
        loop->config.on_batch(loop->config.data, batch);
}

static void engine_event(void *data, const weir_event *event)
{
    weir_loop *loop = data;
    if (loop->config.inbox)
        (void)weir_inbox_put_event(loop->config.inbox, event,
                                   event->kind == WEIR_EVENT_CONFIG ||
                                       event->kind == WEIR_EVENT_WRITE);
    if (loop->config.on_event)
        loop->config.on_event(loop->config.data, event);
    const weir_log_level level =
        event->kind == WEIR_EVENT_DEVICE_UP || event->kind == WEIR_EVENT_CONFIG ? WEIR_LOG_NOTICE
                                                                                : WEIR_LOG_WARNING;
    loop_log(loop, level, weir_event_word(event->kind), event->subject, event->text);
}

void weir_loop_tell(weir_loop *loop, weir_event_kind kind, const char *subject, const char *text)
{
    const weir_event event = {loop_wall(loop), kind, subject, text};
    if (loop->config.inbox)
        (void)weir_inbox_put_event(loop->config.inbox, &event, true);
    loop_log(loop, WEIR_LOG_NOTICE, weir_event_word(kind), subject, text);
}

static void engine_correction(void *data, const weir_correction *correction)
{
    weir_loop *loop = data;
    const char *text = correction->event.text;
    if (loop->config.inbox && !weir_inbox_put_correction(loop->config.inbox, correction))
        loop_log(loop, WEIR_LOG_ERROR, "correction_lost", "", "no memory to note it");
    if (loop->config.on_event)
        loop->config.on_event(loop->config.data, &correction->event);
    loop_log(loop, WEIR_LOG_NOTICE, weir_event_word(correction->event.kind), "", text);
}

static bool engine_synchronized(void *data)
{
    const weir_platform *platform = ((weir_loop *)data)->config.platform;
    return !platform->synchronized || platform->synchronized(platform->data);
}

static void engine_plan(void *data, const weir_plan_notice *notice)
{
    const weir_loop *loop = data;
    if (loop->config.on_plan)
        loop->config.on_plan(loop->config.data, notice);
}

/* sources to the engine */

static weir_mono source_now(void *data)
{
    return loop_now(((struct slot *)data)->loop);
}

static weir_wall source_wall(void *data)
{
    return loop_wall(((struct slot *)data)->loop);
}

static void source_batch(void *data, const weir_batch *batch)
{
    weir_loop *loop = ((struct slot *)data)->loop;
    if (loop->engine)
        weir_engine_deliver(loop->engine, batch, loop_now(loop));
    else
        engine_batch(loop, batch);
}

static void source_read_done(void *data, const weir_read *read, weir_read_result result,
                             weir_quality worst)
{
    weir_loop *loop = ((struct slot *)data)->loop;
    if (loop->engine)
        weir_engine_read_done(loop->engine, read, result, worst, loop_now(loop));
    else
        loop->once_open--;
}

static void source_write_done(void *data, uint64_t key, weir_write_result result, uint16_t code)
{
    /* No source of this version has a write function, so none can end one. */
    (void)data;
    (void)key;
    (void)result;
    (void)code;
}

static void source_link(void *data, bool up, const char *why)
{
    struct slot *slot = data;
    weir_loop *loop = slot->loop;
    const weir_connection *connection = &slot->host.catalog->connections[slot->host.connection];
    loop_log(loop, up ? WEIR_LOG_INFO : WEIR_LOG_WARNING, up ? "connection_up" : "connection_down",
             connection->name, why);
    if (loop->engine)
        weir_engine_link(loop->engine, slot->host.connection, up, loop_now(loop));
}

static void source_wake_at(void *data, weir_mono t)
{
    struct slot *slot = data;
    slot->wake_at = t;
    if (slot->live)
        weir_wake_set(&slot->loop->wake, slot->host.connection, t);
}

static void source_log(void *data, weir_log_level level, const char *event, const char *text)
{
    struct slot *slot = data;
    loop_log(slot->loop, level, event, slot->host.catalog->connections[slot->host.connection].name,
             text);
}

/* Any thread. */
static void source_poke(void *data)
{
    struct slot *slot = data;
    const weir_platform *platform = slot->loop->config.platform;
    atomic_store(&slot->poked, true);
    platform->poke(platform->data);
}

/* life */

static const weir_source_type *loop_find_source(const weir_loop *loop, const weir_uri *uri)
{
    for (const weir_source_type *const *type = loop->config.sources; *type; type++)
        if ((*type)->serves(uri->scheme) &&
            (uri->scheme != WEIR_SCHEME_OWN || !strcmp((*type)->name, uri->host)))
            return *type;
    return NULL;
}

static weir_err slot_open(struct slot *slot, const weir_connection *connection, weir_error *error)
{
    const weir_loop *loop = slot->loop;
    const weir_source_type *type = loop_find_source(loop, &connection->uri);
    if (!type)
        return weir_fail(error, WEIR_EUNSUPPORTED, "connection '%s': %s is not supported",
                         connection->name, connection->uri_text);
    assert(type->abi == WEIR_SOURCE_ABI);
    slot->state = weir_alloc_zero(1, type->state_size);
    if (!slot->state)
        return weir_fail(error, WEIR_ENOMEM, "connection '%s'", connection->name);
    slot->type = type;
    slot->host.context = type->context;
    return type->init(slot->state, &slot->host, error);
}

weir_err weir_slot_new(weir_loop *loop, const weir_catalog *catalog, uint32_t index,
                       struct slot **ret, weir_error *error)
{
    const weir_connection *connection = &catalog->connections[index];
    struct slot *slot = *ret = weir_alloc_zero(1, sizeof *slot);
    if (!slot)
        return weir_fail(error, WEIR_ENOMEM, "connection '%s'", connection->name);
    slot->loop = loop;
    slot->wake_at = WEIR_MONO_NEVER;
    slot->host = (weir_source_host){
        .data = slot,
        .catalog = catalog,
        .connection = index,
        .transport = loop->config.platform->transport,
        .seed = loop->config.platform->seed ^ (index + 1) * 0x9e3779b97f4a7c15u,
        .now = source_now,
        .wall = source_wall,
        .on_batch = source_batch,
        .on_read_done = source_read_done,
        .on_write_done = source_write_done,
        .on_link = source_link,
        .wake_at = source_wake_at,
        .log = source_log,
        .poke = loop->config.platform->poke ? source_poke : NULL,
    };
    return connection->enabled ? slot_open(slot, connection, error) : WEIR_OK;
}

void weir_slot_free(struct slot *slot)
{
    if (!slot)
        return;
    if (slot->type)
        slot->type->deinit(slot->state);
    weir_free(slot->state);
    weir_free(slot);
}

void weir_slot_go_live(struct slot *slot, uint32_t index)
{
    slot->live = true;
    slot->host.connection = index;
    weir_wake_set(&slot->loop->wake, index, slot->wake_at);
}

static weir_err loop_open_sources(weir_loop *loop, weir_error *error)
{
    const weir_catalog *catalog = loop->config.catalog;
    loop->slots = weir_alloc_zero(catalog->n_connections, sizeof *loop->slots);
    if (!loop->slots || weir_wake_init(&loop->wake, catalog->n_connections))
        return weir_fail(error, WEIR_ENOMEM, "%zu connections", catalog->n_connections);
    loop->n_slots = catalog->n_connections;
    for (uint32_t i = 0; i < loop->n_slots; i++) {
        weir_err err = weir_slot_new(loop, catalog, i, &loop->slots[i], error);
        if (err)
            return err;
        weir_slot_go_live(loop->slots[i], i);
    }
    return WEIR_OK;
}

static weir_err loop_open_engine(weir_loop *loop, weir_error *error)
{
    const weir_engine_config engine = {
        .catalog = loop->config.catalog,
        .host = {loop, engine_read, engine_batch, engine_event, engine_correction,
                 loop->config.catalog->clock_rule == WEIR_CLOCK_NTP ? engine_synchronized : NULL,
                 engine_plan},
        .seed = loop->config.platform->seed,
        .timer_slack_us = 10 * WEIR_MS,
        .first_epoch = loop->config.first_epoch,
        .epoch_untrusted = loop->config.epoch_untrusted,
        .epoch_corrected = loop->config.epoch_corrected,
        .newest_committed = loop->config.newest_committed,
        .built = loop->config.platform->built,
    };
    return weir_engine_new(&engine, loop_now(loop), loop_wall(loop), &loop->engine, error);
}

static weir_err loop_open(weir_loop *loop, weir_error *error)
{
    weir_err err = loop_open_sources(loop, error);
    if (!err && !loop->config.once)
        err = loop_open_engine(loop, error);
    if (!err && loop->config.inbox)
        err = weir_filter_new(loop->config.catalog, &loop->filter, error);
    return err;
}

weir_err weir_loop_new(const weir_loop_config *config, weir_loop **ret, weir_error *error)
{
    weir_loop *loop = weir_alloc_zero(1, sizeof *loop);
    if (!loop)
        return weir_fail(error, WEIR_ENOMEM, "the loop");
    loop->config = *config;
    weir_err err = loop_open(loop, error);
    if (err) {
        weir_loop_free(loop);
        return err;
    }
    *ret = loop;
    return WEIR_OK;
}

void weir_loop_free(weir_loop *loop)
{
    if (!loop)
        return;
    for (size_t i = 0; i < loop->n_slots; i++)
        weir_slot_free(loop->slots[i]);
    weir_engine_free(loop->engine);
    weir_filter_free(loop->filter);
    weir_snapshot_unref(loop->snapshot);
    weir_wake_deinit(&loop->wake);
    weir_free(loop->slots);
    weir_free(loop);
}

/* work */

static void loop_read_all_once(weir_loop *loop)
{
    const weir_catalog *catalog = loop->config.catalog;
    const weir_wall wall = loop_wall(loop);
    loop->once_started = true;
    for (uint32_t i = 0; i < catalog->n_devices; i++) {
        const weir_device *device = &catalog->devices[i];
        if (!device->enabled || !catalog->connections[device->connection].enabled ||
            device->n_points == 0)
            continue;
        const weir_read read = {
            .id = i + 1,
            .device = i,
            .intervals = UINT32_MAX, /* on-demand points too */
            .flags = WEIR_BATCH_FIRST_READ,
            .plans = WEIR_PLAN_DEFAULT,
            .due = wall,
            .due_mono = loop_now(loop),
            .next_due_us = INT64_MAX / 2,
        };
        loop->once_open++;
        engine_read(loop, &read);
    }
}

weir_mono weir_loop_next(const weir_loop *loop)
{
    const weir_mono sources = weir_wake_first(&loop->wake, NULL);
    if (loop->config.once && !loop->once_started)
        return (weir_mono){0}; /* at once, whatever the sources want */
    return loop->engine ? weir_mono_min(sources, loop->engine_next) : sources;
}

/* Both clocks at one moment: a pause between the two readings would look like a step of the wall
 * clock. */
static weir_wall loop_clocks(const weir_loop *loop, weir_mono *ret_now)
{
    weir_wall wall;
    weir_mono before;
    int tries = 3;
    do {
        before = loop_now(loop);
        wall = loop_wall(loop);
        *ret_now = loop_now(loop);
    } while (ret_now->us - before.us > WEIR_MS && --tries > 0);
    return wall;
}

weir_mono weir_loop_step(weir_loop *loop)
{
    weir_mono now;
    const weir_wall wall = loop_clocks(loop, &now);
    if (loop->config.once && !loop->once_started)
        loop_read_all_once(loop);
    if (loop->engine && weir_mono_reached(now, loop->engine_next))
        loop->engine_next = weir_engine_step(loop->engine, now, wall);
    /* Bounded, so that a source that asks for "now" again and again cannot stop the rest. */
    for (size_t budget = loop->n_slots; budget > 0; budget--) {
        uint32_t source = 0;
        if (!weir_mono_reached(now, weir_wake_first(&loop->wake, &source)))
            break;
        struct slot *slot = loop->slots[source];
        slot->wake_at = WEIR_MONO_NEVER;
        weir_wake_set(&loop->wake, source, WEIR_MONO_NEVER);
        slot->type->step(slot->state, now);
    }
    return weir_loop_next(loop);
}

void weir_loop_poked(weir_loop *loop)
{
    for (uint32_t i = 0; i < loop->n_slots; i++)
        if (loop->slots[i]->type && atomic_exchange(&loop->slots[i]->poked, false))
            weir_wake_set(&loop->wake, i, loop_now(loop));
}

void weir_loop_pause(weir_loop *loop, bool paused)
{
    if (!loop->engine)
        return;
    weir_engine_pause(loop->engine, paused, loop_now(loop));
    loop->engine_next = loop_now(loop);
}

bool weir_loop_done(const weir_loop *loop)
{
    return loop->config.once && loop->once_started && loop->once_open == 0;
}

/* plans */

weir_err weir_loop_plan_change(weir_loop *loop, const char *name, weir_plan_change change,
                               weir_error *error)
{
    loop->engine_next = (weir_mono){0}; /* what begins may be due before it wakes */
    return weir_engine_plan_change(loop->engine, name, change, loop_now(loop), error);
}

weir_err weir_loop_plan_start(weir_loop *loop, const weir_plan *plan, weir_error *error)
{
    loop->engine_next = (weir_mono){0};
    return weir_engine_plan_start(loop->engine, plan, loop_now(loop), error);
}

weir_err weir_loop_plan_collect(weir_loop *loop, const char *name, uint32_t cycles, int64_t wait_us,
                                weir_error *error)
{
    loop->engine_next = (weir_mono){0};
    return weir_engine_plan_collect(loop->engine, name, cycles, wait_us, loop_now(loop), error);
}

weir_err weir_loop_plans(const weir_loop *loop, weir_arena *arena, weir_plan_status **ret,
                         size_t *ret_n)
{
    const size_t n = weir_engine_n_plans(loop->engine);
    weir_plan_status *all = weir_arena_alloc(arena, n, sizeof *all);
    weir_plan *plans = weir_arena_alloc(arena, n, sizeof *plans);
    bool failed = !all || !plans;
    for (size_t i = 0; !failed && i < n; i++) {
        weir_engine_plan(loop->engine, i, &all[i]);
        plans[i] = *all[i].plan;
        plans[i].name = weir_arena_text(arena, plans[i].name);
        plans[i].description =
            weir_arena_text(arena, plans[i].description ? plans[i].description : "");
        plans[i].cron_text = weir_arena_text(arena, plans[i].cron_text ? plans[i].cron_text : "");
        plans[i].zone_name = weir_arena_text(arena, plans[i].zone_name ? plans[i].zone_name : "");
        failed =
            !plans[i].name || !plans[i].description || !plans[i].cron_text || !plans[i].zone_name;
        plans[i].where = NULL;
        plans[i].zone = NULL;
        plans[i].n_patterns = plans[i].n_members = 0;
        plans[i].patterns = NULL;
        plans[i].members = NULL;
        all[i].plan = &plans[i];
    }
    if (failed)
        return WEIR_ENOMEM;
    *ret = all;
    *ret_n = n;
    return WEIR_OK;
}

/* looking */

void weir_loop_device(const weir_loop *loop, uint32_t device, weir_device_status *ret_status,
                      weir_device_counters *ret_counters)
{
    const struct slot *slot = loop->slots[loop->config.catalog->devices[device].connection];
    *ret_status = *weir_engine_status(loop->engine, device);
    *ret_counters = (weir_device_counters){0};
    if (slot->type && slot->type->counters)
        (void)slot->type->counters(slot->state, device, ret_counters);
}

weir_device_state weir_loop_state(const weir_loop *loop, uint32_t device)
{
    return weir_engine_status(loop->engine, device)->state;
}

static void loop_fill_snapshot(const weir_loop *loop, weir_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->n_tags; i++) {
        const weir_current *current = weir_engine_current(loop->engine, i);
        if (current)
            snapshot->current[i] = *current;
    }
    for (uint32_t i = 0; i < snapshot->n_devices; i++)
        weir_loop_device(loop, i, &snapshot->status[i], &snapshot->counters[i]);
    snapshot->clock = weir_engine_clock(loop->engine);
    snapshot->overruns = weir_engine_overruns(loop->engine);
    snapshot->filtered = loop->filter ? weir_filter_dropped(loop->filter) : 0;
}

weir_snapshot *weir_loop_snapshot(weir_loop *loop)
{
    const weir_mono now = loop_now(loop);
    if (!loop->engine)
        return NULL;
    if (!loop->snapshot || now.us - loop->snapshot_at.us >= snapshot_age_us) {
        weir_snapshot *fresh = weir_snapshot_new(loop->config.catalog);
        if (!fresh)
            return NULL;
        fresh->taken = loop_wall(loop);
        loop_fill_snapshot(loop, fresh);
        weir_snapshot_unref(loop->snapshot);
        loop->snapshot = fresh;
        loop->snapshot_at = now;
    }
    return weir_snapshot_ref(loop->snapshot);
}

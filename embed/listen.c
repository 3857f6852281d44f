/* SPDX-License-Identifier: MIT */
/* Who is told what, and that nobody who is told waits for who tells him. */

#include <string.h>

#include "base/alloc.h"
#include "embed/collector_priv.h"
#include "embed/core/options.h"

/* The collector that has called back on this thread. A callback that waited for its own collector
 * would wait for ever. */
static _Thread_local const weir_collector *inside;

const weir_collector *weir_callback_enter(const weir_collector *collector)
{
    const weir_collector *before = inside;
    inside = collector;
    return before;
}

void weir_callback_leave(const weir_collector *before)
{
    inside = before;
}

weir_err weir_callback_refuse(const weir_collector *collector, weir_error *error)
{
    if (inside == collector)
        return weir_fail(error, WEIR_EPERM,
                         "not from inside a callback of the same collector: it would wait for "
                         "itself");
    return WEIR_OK;
}

const char *weir_stage_text(weir_stage stage)
{
    switch (stage) {
    case WEIR_BEFORE_START:
        return "before start";
    case WEIR_AFTER_START:
        return "after start";
    case WEIR_BEFORE_PAUSE:
        return "before pause";
    case WEIR_AFTER_PAUSE:
        return "after pause";
    case WEIR_BEFORE_RESUME:
        return "before resume";
    case WEIR_AFTER_RESUME:
        return "after resume";
    case WEIR_BEFORE_STOP:
        return "before stop";
    case WEIR_AFTER_STOP:
        return "after stop";
    case WEIR_BEFORE_CLOSE:
        return "before close";
    case WEIR_AFTER_CLOSE:
        return "after close";
    case WEIR_BEFORE_EXPIRY:
        return "before expiry";
    case WEIR_AFTER_EXPIRY:
        return "after expiry";
    }
    return "?";
}

/* --- plans of listeners --------------------------------------------------------------------- */

/* Whether the listener wants to hear of this plan. */
static bool told_names(const struct weir_told *told, const char *plan)
{
    bool named = !told->arena;
    for (size_t i = 0; i < told->listener.n_plans && !named; i++)
        named = strcmp(told->listener.plans[i], plan) == 0;
    return named;
}

/* A name has its bit as long as the store is the same one. */
static void listeners_learn(weir_collector *c, const char *plan, uint8_t bit)
{
    for (size_t i = 0; i < c->n_listeners; i++)
        if (told_names(&c->listeners[i], plan))
            c->listeners[i].plans |= UINT64_C(1) << bit;
}

void weir_collector_forget_plans(weir_collector *c)
{
    c->told = NULL;
    for (size_t i = 0; i < c->n_listeners; i++)
        c->listeners[i].plans = 0;
    listeners_learn(c, "default", 0);
}

/* With another catalog there may be other plans; those begun at run time are told of themselves. */
static void listeners_follow(weir_collector *c, const weir_tag_table *table)
{
    if (c->told == table)
        return;
    c->told = table;
    for (size_t i = 0; i < table->n_plans; i++)
        listeners_learn(c, table->plans[i], table->bits[i]);
}

/* --- telling -------------------------------------------------------------------------------- */

void weir_collector_tell(weir_collector *c, weir_stage stage, const char *plan)
{
    const weir_collector *before = weir_callback_enter(c);
    for (size_t i = 0; i < c->n_listeners; i++) {
        const weir_listener *l = &c->listeners[i].listener;
        if (l->on_stage && (!plan || told_names(&c->listeners[i], plan)))
            l->on_stage(l->data, c, stage, plan);
    }
    weir_callback_leave(before);
}

void weir_collector_on_plan(void *data, const weir_plan_notice *notice)
{
    static const weir_stage before[] = {[WEIR_PLAN_EXPIRE] = WEIR_BEFORE_EXPIRY,
                                        [WEIR_PLAN_START] = WEIR_BEFORE_START,
                                        [WEIR_PLAN_PAUSE] = WEIR_BEFORE_PAUSE,
                                        [WEIR_PLAN_RESUME] = WEIR_BEFORE_RESUME,
                                        [WEIR_PLAN_STOP] = WEIR_BEFORE_STOP};
    listeners_learn(data, notice->plan->name, notice->plan->bit);
    /* After follows before in the list of stages. */
    weir_collector_tell(data, before[notice->change] + (notice->after ? 1 : 0), notice->plan->name);
}

void weir_collector_on_batch(void *data, const weir_batch *batch)
{
    weir_collector *c = data;
    if (c->n_listeners == 0)
        return;
    const weir_tag_table *names = weir_collector_follow(c, batch->catalog_revision);
    listeners_follow(c, names);
    const weir_batch_view view = {
        .struct_size = sizeof view,
        .connection = names->connections[batch->connection],
        .device = names->devices[batch->device],
        .epoch = batch->epoch,
        .flags = batch->flags,
        .plans = batch->plans,
        .due = batch->due,
        .sent = batch->sent,
        .received = batch->received,
        .n_samples = batch->n_samples,
        .samples = batch->samples,
    };
    const weir_collector *before = weir_callback_enter(c);
    for (size_t i = 0; i < c->n_listeners; i++) {
        const struct weir_told *told = &c->listeners[i];
        if (told->listener.on_batch && (!told->arena || (told->plans & batch->plans)))
            told->listener.on_batch(told->listener.data, c, &view);
    }
    weir_callback_leave(before);
}

void weir_collector_on_event(void *data, const weir_event *event)
{
    weir_collector *c = data;
    const weir_collector *before = weir_callback_enter(c);
    for (size_t i = 0; i < c->n_listeners; i++) {
        const weir_listener *l = &c->listeners[i].listener;
        if (l->on_event)
            l->on_event(l->data, c, event);
    }
    weir_callback_leave(before);
}

void weir_collector_on_log(void *data, weir_log_level level, const char *event, const char *subject,
                           const char *text)
{
    const weir_collector *c = data;
    if (!c->options.on_log)
        return;
    const weir_collector *before = weir_callback_enter(c);
    c->options.on_log(c->options.data, level, event, subject, text);
    weir_callback_leave(before);
}

/* --- listeners ------------------------------------------------------------------------------ */

void weir_collector_free_listeners(weir_collector *c)
{
    for (size_t i = 0; i < c->n_listeners; i++)
        weir_arena_free(c->listeners[i].arena);
    weir_free(c->listeners);
}

/* A copy, with the names of its plans. */
static weir_err told_init(struct weir_told *told, const weir_listener *listener, weir_error *error)
{
    *told = (struct weir_told){.listener = *listener};
    if (listener->n_plans == 0)
        return WEIR_OK;
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    const char **names = arena ? weir_arena_alloc(arena, listener->n_plans, sizeof *names) : NULL;
    for (size_t i = 0; names && i < listener->n_plans; i++) {
        if (!listener->plans || !listener->plans[i])
            return weir_fail(error, WEIR_EINVAL, "a listener's plan without a name");
        names[i] = weir_arena_text(arena, listener->plans[i]);
        if (!names[i])
            names = NULL;
    }
    if (!names)
        return weir_fail(error, WEIR_ENOMEM, "a listener");
    told->listener.plans = names;
    told->arena = arena;
    arena = NULL;
    return WEIR_OK;
}

/* Under life. */
static weir_err listener_add(weir_collector *c, const struct weir_told *told, weir_error *error)
{
    if (c->runtime)
        return weir_fail(error, WEIR_EPERM, "the collector runs: add listeners before");
    struct weir_told *room =
        weir_array_room(c->listeners, c->n_listeners, &c->listeners_capacity, sizeof *room);
    if (!room)
        return weir_fail(error, WEIR_ENOMEM, "a listener");
    c->listeners = room;
    room[c->n_listeners++] = *told;
    return WEIR_OK;
}

weir_err weir_collector_listen(weir_collector *collector, const weir_listener *listener,
                               weir_error *error)
{
    weir_listener l;
    struct weir_told told = {0};
    weir_err err = weir_callback_refuse(collector, error);
    if (err == WEIR_OK)
        err = weir_options_read(&l, sizeof l, listener, "weir_listener", error);
    if (err == WEIR_OK)
        err = told_init(&told, &l, error);
    if (err != WEIR_OK)
        return err;
    (void)pthread_rwlock_wrlock(&collector->life);
    err = listener_add(collector, &told, error);
    (void)pthread_rwlock_unlock(&collector->life);
    if (err != WEIR_OK)
        weir_arena_free(told.arena);
    return err;
}

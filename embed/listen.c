/* SPDX-License-Identifier: MIT */
/* Who is told what, and that nobody who is told waits for who tells him. */

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

void weir_collector_tell(weir_collector *c, weir_stage stage, const char *plan)
{
    const weir_collector *before = weir_callback_enter(c);
    for (size_t i = 0; i < c->n_listeners; i++)
        if (c->listeners[i].on_stage)
            c->listeners[i].on_stage(c->listeners[i].data, c, stage, plan);
    weir_callback_leave(before);
}

void weir_collector_on_plan(void *data, const weir_plan_notice *notice)
{
    static const weir_stage before[] = {[WEIR_PLAN_EXPIRE] = WEIR_BEFORE_EXPIRY,
                                        [WEIR_PLAN_START] = WEIR_BEFORE_START,
                                        [WEIR_PLAN_PAUSE] = WEIR_BEFORE_PAUSE,
                                        [WEIR_PLAN_RESUME] = WEIR_BEFORE_RESUME,
                                        [WEIR_PLAN_STOP] = WEIR_BEFORE_STOP};
    /* After follows before in the list of stages. */
    weir_collector_tell(data, before[notice->change] + (notice->after ? 1 : 0), notice->plan->name);
}

void weir_collector_on_batch(void *data, const weir_batch *batch)
{
    weir_collector *c = data;
    if (c->n_listeners == 0)
        return;
    const weir_tag_table *names = weir_collector_follow(c, batch->catalog_revision);
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
    for (size_t i = 0; i < c->n_listeners; i++)
        if (c->listeners[i].on_batch)
            c->listeners[i].on_batch(c->listeners[i].data, c, &view);
    weir_callback_leave(before);
}

void weir_collector_on_event(void *data, const weir_event *event)
{
    weir_collector *c = data;
    const weir_collector *before = weir_callback_enter(c);
    for (size_t i = 0; i < c->n_listeners; i++)
        if (c->listeners[i].on_event)
            c->listeners[i].on_event(c->listeners[i].data, c, event);
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

weir_err weir_collector_listen(weir_collector *collector, const weir_listener *listener,
                               weir_error *error)
{
    weir_listener l;
    weir_err err = weir_callback_refuse(collector, error);
    if (err == WEIR_OK)
        err = weir_options_read(&l, sizeof l, listener, "weir_listener", error);
    if (err != WEIR_OK)
        return err;
    (void)pthread_rwlock_wrlock(&collector->life);
    weir_listener *room = weir_array_room(collector->listeners, collector->n_listeners,
                                          &collector->listeners_capacity, sizeof *room);
    if (room)
        collector->listeners = room;
    if (collector->runtime)
        err = weir_fail(error, WEIR_EPERM, "the collector runs: add listeners before");
    else if (!room)
        err = weir_fail(error, WEIR_ENOMEM, "a listener");
    else
        collector->listeners[collector->n_listeners++] = l;
    (void)pthread_rwlock_unlock(&collector->life);
    return err;
}

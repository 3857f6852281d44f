/* SPDX-License-Identifier: MIT */
/* What `weir status` shows, as JSON: the store, the clock, devices and sinks. */

#include "daemon/control_status.h"

#include <unistd.h>

#include "base/text.h"
#include "daemon/json.h"
#include "runtime/clock.h"
#include "store/file/identity.h"

static json_t *json_device(const weir_snapshot *s, size_t i)
{
    const weir_device *device = &s->catalog->devices[i];
    const weir_device_status *status = &s->status[i];
    const weir_device_counters *counters = &s->counters[i];
    WEIR_TEXT_AUTO error = WEIR_TEXT_INIT;
    json_t *o = json_object();
    if (status->error)
        weir_quality_format(status->error, &error);
    (void)json_object_set_new(o, "name", weir_json_text(device->name));
    (void)json_object_set_new(o, "connection",
                              weir_json_text(s->catalog->connections[device->connection].name));
    (void)json_object_set_new(o, "unit_id", json_integer(device->unit_id));
    (void)json_object_set_new(o, "state", weir_json_text(weir_device_state_text(status->state)));
    (void)json_object_set_new(o, "since", weir_json_time(status->since));
    (void)json_object_set_new(o, "last_good", weir_json_time(status->last_good));
    (void)json_object_set_new(o, "error", weir_json_text(weir_text_get(&error)));
    (void)json_object_set_new(o, "requests", json_integer((json_int_t)counters->requests));
    (void)json_object_set_new(o, "timeouts", json_integer((json_int_t)counters->timeouts));
    (void)json_object_set_new(o, "late", json_integer((json_int_t)counters->late));
    (void)json_object_set_new(o, "exceptions", json_integer((json_int_t)counters->exceptions));
    (void)json_object_set_new(o, "malformed", json_integer((json_int_t)counters->malformed));
    (void)json_object_set_new(o, "overruns", json_integer((json_int_t)status->overruns));
    (void)json_object_set_new(o, "skipped", json_integer((json_int_t)status->skipped));
    (void)json_object_set_new(o, "rtt_p50", json_real((double)counters->rtt_us_p50 / 1000));
    (void)json_object_set_new(o, "rtt_p99", json_real((double)counters->rtt_us_p99 / 1000));
    return o;
}

static void json_identity(const weir_runtime *runtime, json_t *o)
{
    const weir_identity *id = weir_runtime_identity(runtime);
    (void)json_object_set_new(o, "uuid", id ? weir_json_text(id->uuid) : json_null());
    (void)json_object_set_new(o, "instance", id ? weir_json_text(id->instance) : json_null());
    (void)json_object_set_new(o, "name", id ? weir_json_text(id->name) : json_null());
    (void)json_object_set_new(o, "copied", json_boolean(id && id->copied));
}

/* offset: what was last added to the times of an untrusted epoch, in this run. */
static json_t *json_clock(const weir_catalog *catalog, const weir_clock_state *clock)
{
    const bool trusted = clock->doubt == WEIR_CLOCK_TRUSTED;
    json_t *o = json_object();
    (void)json_object_set_new(o, "trust",
                              weir_json_text(weir_clock_rule_text(catalog->clock_rule)));
    (void)json_object_set_new(o, "trusted", json_boolean(trusted));
    (void)json_object_set_new(
        o, "problem", trusted ? json_null() : weir_json_text(weir_clock_doubt_text(clock->doubt)));
    (void)json_object_set_new(o, "since", weir_json_time(clock->since));
    (void)json_object_set_new(o, "epoch", json_integer(clock->epoch));
    (void)json_object_set_new(o, "offset",
                              clock->corrected ? json_integer(clock->offset_us) : json_null());
    return o;
}

/* state: of the commits; while these succeed, of the limits. */
static json_t *json_store(const weir_worker_view *v)
{
    json_t *o = json_object();
    const weir_store_usage *usage = &v->usage;
    const bool fails = v->state != WEIR_COMMIT_OK;
    (void)json_object_set_new(o, "state",
                              weir_json_text(fails ? weir_commit_state_text(v->state)
                                                   : weir_store_state_text(usage->state)));
    (void)json_object_set_new(o, "bytes", json_integer((json_int_t)usage->bytes));
    (void)json_object_set_new(o, "max_bytes",
                              usage->max_bytes ? json_integer((json_int_t)usage->max_bytes)
                                               : json_null());
    (void)json_object_set_new(o, "checked", weir_json_time(usage->checked));
    (void)json_object_set_new(o, "since", weir_json_time(v->since));
    (void)json_object_set_new(o, "error", weir_json_text(v->error));
    (void)json_object_set_new(o, "commit_ms", json_real((double)v->commit_us / 1000));
    (void)json_object_set_new(o, "commit_ms_max", json_real((double)v->commit_us_max / 1000));
    (void)json_object_set_new(o, "waiting_bytes", json_integer((json_int_t)v->waiting_bytes));
    (void)json_object_set_new(o, "wal_bytes", json_integer((json_int_t)v->wal_bytes));
    (void)json_object_set_new(o, "failures", json_integer((json_int_t)v->failures));
    (void)json_object_set_new(o, "recoveries", json_integer((json_int_t)v->recoveries));
    return o;
}

static json_t *json_sink(const weir_sink_view *view)
{
    const weir_sink_record *r = &view->record;
    const int64_t age_us = weir_system_wall().us - r->oldest_unsent.us;
    const bool unsent = r->oldest_unsent.us != 0;
    json_t *o = json_object();
    (void)json_object_set_new(o, "name", weir_json_text(r->name));
    (void)json_object_set_new(o, "type", weir_json_text(r->type));
    (void)json_object_set_new(o, "state", weir_json_text(r->state));
    (void)json_object_set_new(o, "error", weir_json_text(r->error));
    (void)json_object_set_new(o, "remedy", weir_json_text(r->remedy));
    (void)json_object_set_new(o, "since", weir_json_time(r->since));
    (void)json_object_set_new(o, "delivered", weir_json_time(r->delivered));
    (void)json_object_set_new(
        o, "oldest_unsent_s",
        json_real(unsent && age_us > 0 ? (double)age_us / (double)WEIR_S : 0));
    (void)json_object_set_new(
        o, "backlog",
        r->backlog == WEIR_BACKLOG_UNKNOWN ? json_null() : json_integer((json_int_t)r->backlog));
    (void)json_object_set_new(o, "done_in_s",
                              r->done_in_s > 0 ? json_real(r->done_in_s) : json_null());
    (void)json_object_set_new(o, "replayed_to", weir_json_time(r->replayed_to));
    (void)json_object_set_new(o, "quarantined", json_integer((json_int_t)r->set_aside));
    (void)json_object_set_new(o, "sent", json_integer((json_int_t)r->sent));
    (void)json_object_set_new(o, "rate", json_real(r->rows_per_s));
    (void)json_object_set_new(o, "rtt_ms", json_real(r->rtt_ms));
    return o;
}

static json_t *json_sinks(weir_deliveries *deliveries)
{
    json_t *sinks = json_array();
    weir_sink_view view;
    for (size_t i = 0; deliveries && weir_deliveries_get(deliveries, i, &view); i++)
        (void)json_array_append_new(sinks, json_sink(&view));
    return sinks;
}

json_t *weir_control_status(weir_runtime *runtime, weir_deliveries *deliveries)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = weir_runtime_catalog(runtime);
    const weir_worker_view store = weir_runtime_store(runtime);
    weir_snapshot *s = weir_runtime_snapshot(runtime);
    json_t *o = json_object();
    json_t *devices = json_array();
    (void)json_object_set_new(o, "version", weir_json_text(WEIR_VERSION));
    (void)json_object_set_new(o, "pid", json_integer(getpid()));
    (void)json_object_set_new(o, "data_dir", weir_json_text(catalog->store.data_dir));
    json_identity(runtime, o);
    (void)json_object_set_new(o, "committed_seq",
                              json_integer((json_int_t)store.position.committed_seq));
    (void)json_object_set_new(o, "committed_ts", weir_json_time(store.position.committed_ts));
    (void)json_object_set_new(o, "commits", json_integer((json_int_t)store.commits));
    (void)json_object_set_new(o, "store", json_store(&store));
    (void)json_object_set_new(o, "refused", json_integer((json_int_t)store.refused));
    (void)json_object_set_new(o, "overruns", json_integer(s ? (json_int_t)s->overruns : 0));
    (void)json_object_set_new(o, "filtered", json_integer(s ? (json_int_t)s->filtered : 0));
    (void)json_object_set_new(o, "clock", s ? json_clock(s->catalog, &s->clock) : json_null());
    (void)json_object_set_new(o, "tags", json_integer((json_int_t)catalog->n_tags));
    for (size_t i = 0; s && i < s->n_devices; i++)
        (void)json_array_append_new(devices, json_device(s, i));
    (void)json_object_set_new(o, "devices", devices);
    (void)json_object_set_new(o, "sinks", json_sinks(deliveries));
    weir_snapshot_unref(s);
    return o;
}

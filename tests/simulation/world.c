/* SPDX-License-Identifier: MIT */
/* A whole plant and its collector in one thread from one seed: devices, network, clocks, disk. */

#include "simulation/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "simulation/plant.h"
#include "sources/modbus/modbus.h"

/* 2026-11-21T00:00:00Z, and half a second, so that the first slot is not at once. */
static const int64_t start_wall_us = 1795219200LL * WEIR_S + WEIR_S / 2;
static const int64_t start_mono_us = 1000 * WEIR_S;

/* A commit is begun max_loss after the last; what it costs on a simulated disk is no time. */
static const int64_t loss_slack_us = 100 * WEIR_MS;
static const int64_t recovery_us =
    8 * WEIR_S; /* until a disk that failed for long is tried again */

/* Breaks of our own set-up end the program at once. */
static void must(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "simulation: %s\n", what);
    exit(EXIT_FAILURE);
}

void sim_world_violation(sim_world *w, const char *format, ...)
{
    char what[300], time[28];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    weir_wall_format(sim_world_true_wall(w), time);
    w->violations++;
    if (w->violations == 1)
        (void)snprintf(w->problem, sizeof w->problem, "seed %" PRIu64 ", %s: %s", w->config.seed,
                       time, what);
    if (w->config.says_all && w->violations <= 20)
        (void)printf("violation: seed %" PRIu64 ", %s: %s\n", w->config.seed, time, what);
}

void sim_world_trace(sim_world *w, uint64_t x)
{
    w->trace = (w->trace ^ x) * 0x100000001b3u;
    w->trace ^= w->trace >> 31;
}

/* --- clocks ------------------------------------------------------------------------------- */

weir_wall sim_world_wall(const sim_world *w)
{
    return (weir_wall){w->now.us + w->wall_offset};
}

weir_wall sim_world_true_wall(const sim_world *w)
{
    return (weir_wall){w->now.us - start_mono_us + start_wall_us};
}

static bool is_synchronized(void *data)
{
    return !((sim_world *)data)->is_unsynchronized;
}

static weir_mono loop_now(void *data)
{
    return ((sim_world *)data)->now;
}

static weir_wall loop_wall(void *data)
{
    return sim_world_wall(data);
}

static weir_mono store_now(void *data)
{
    const sim_world *w = data;
    return weir_mono_add(w->now, w->store_ahead_us);
}

static weir_wall store_wall(void *data)
{
    const sim_world *w = data;
    return (weir_wall){store_now(data).us + w->wall_offset};
}

static int64_t disk_wall(void *data)
{
    return store_wall(data).us;
}

static uint64_t disk_free_bytes(void *data, uint64_t *ret_total)
{
    const sim_world *w = data;
    const int64_t available = fault_vfs_free_bytes(w->disk);
    if (available == INT64_MAX)
        return UINT64_MAX;
    *ret_total = (uint64_t)(available + fault_vfs_used(w->disk));
    return (uint64_t)available;
}

static void disk_sleep(void *data, int64_t us)
{
    ((sim_world *)data)->store_ahead_us += us;
}

void sim_world_step_clock(sim_world *w, int64_t us)
{
    w->wall_offset += us;
    w->n_clock_steps++;
    w->clock_stepped = w->now;
}

static bool has_own_plant(const sim_world *w)
{
    return w->config.plant.yaml != NULL;
}

static void set_defaults(sim_world_config *c)
{
    c->devices = c->devices ? c->devices : 1;
    c->points = c->points ? c->points : 1;
    c->connections = c->connections ? c->connections : 1;
    c->scheme = c->scheme ? c->scheme : "tcp";
    c->interval_us = c->interval_us ? c->interval_us : WEIR_S;
    c->max_loss_us = c->max_loss_us ? c->max_loss_us : WEIR_S;
    c->inbox_limit = c->inbox_limit ? c->inbox_limit : 16 * 1024 * 1024;
}

void sim_world_open(sim_world *w, const sim_world_config *config)
{
    static unsigned n_worlds;
    weir_error error = WEIR_ERROR_INIT;
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    *w = (sim_world){.config = *config,
                     .now = {start_mono_us},
                     .wall_offset = start_wall_us - start_mono_us,
                     .clock_stepped = {INT64_MIN / 2},
                     .random = {config->seed}};
    set_defaults(&w->config);
    must(w->config.devices < SIM_UNITS_MAX && w->config.points <= SIM_POINTS_MAX, "too many");
    (void)snprintf(w->folder, sizeof w->folder, "%s/weir-simulation-XXXXXX", base);
    must(mkdtemp(w->folder) != NULL, "no folder");
    (void)snprintf(w->vfs_name, sizeof w->vfs_name, "simulation-%u", ++n_worlds);
    w->disk = fault_vfs_new(&(fault_vfs_options){.name = w->vfs_name,
                                                 .seed = weir_random_u64(&w->random),
                                                 .data = w,
                                                 .wall_us = disk_wall,
                                                 .sleep = disk_sleep});
    fault_vfs_make_default(w->disk);
    must(sim_plant_load(&w->config, w->folder, &w->catalog, &error) == WEIR_OK, error.text);
    w->tags = calloc(w->catalog->n_tags, sizeof *w->tags);
    must(w->tags != NULL, "no memory");
    sim_ledger_init(&w->ledger, w->catalog->n_tags, start_wall_us);
    w->slave_host =
        has_own_plant(w) ? w->config.plant.slaves : (weir_slave_host){w, sim_plant_read};
    sim_network_init(&w->network, weir_random_u64(&w->random), &w->slave_host);
    w->network.framing = strcmp(w->config.scheme, "tcp") == 0 ? WEIR_FRAMING_TCP : WEIR_FRAMING_RTU;
    w->network.now = w->now;
    w->network.faults = config->faults;
    sim_sinks_open(w, config->sinks);
}

void sim_world_close(sim_world *w)
{
    char path[128];
    must(!w->is_running, "closed while it runs");
    must(w->network.n_open == 0, "a connection was left open");
    sim_network_deinit(&w->network);
    sim_sinks_close(w);
    fault_vfs_free(w->disk);
    sim_ledger_deinit(&w->ledger);
    weir_catalog_free(w->catalog);
    free(w->tags);
    (void)snprintf(path, sizeof path, "%s/weir.lock", w->folder);
    (void)unlink(path);
    must(rmdir(w->folder) == 0, "the folder holds more than the lock");
}

/* --- what leaves the engine --------------------------------------------------------------- */

/* Every due slot yields one sample: the next one is one interval later, unless the clock was set
 * or the engine counted an overrun (compared at the end of the life). */
static void judge_slot(sim_world *w, uint32_t tag, int64_t ts)
{
    sim_tag_state *t = &w->tags[tag];
    const int64_t interval = w->config.interval_us;
    if (ts % interval != 0)
        sim_world_violation(w, "tag %u: %" PRId64 " is no slot", tag, ts);
    /* The engine sees a step a moment later, and what is under way has slots of the old time. */
    const bool is_settled = w->now.us > w->clock_stepped.us + 2 * interval + 2 * WEIR_S;
    if (t->last_ts == 0 && is_settled && w->n_clock_steps == t->n_steps) {
        if (ts < w->started_wall || ts > w->started_wall + interval)
            sim_world_violation(w, "tag %u: the first slot is %" PRId64 " us after the start", tag,
                                ts - w->started_wall);
    } else if (t->last_ts != 0 && w->n_clock_steps == t->n_steps) {
        if (ts <= t->last_ts)
            sim_world_violation(w, "tag %u: slot %" PRId64 " after %" PRId64, tag, ts, t->last_ts);
        else
            t->n_missing += (uint64_t)((ts - t->last_ts) / interval - 1);
    }
    t->last_ts = ts;
    t->n_steps = is_settled ? w->n_clock_steps : UINT64_MAX;
}

static void judge_value(sim_world *w, const weir_batch *batch, const weir_sample *sample,
                        uint32_t tag)
{
    const weir_device *device = &w->catalog->devices[batch->device];
    const bool is_bad = weir_quality_class(sample->quality) == WEIR_BAD;
    if (is_bad != (sample->value.kind == WEIR_KIND_NULL))
        sim_world_violation(w, "tag %u: a bad sample with a value, or a good one without", tag);
    if (!is_bad &&
        !sim_value_is((uint32_t)sample->value.as.u, device->unit_id, w->catalog->tags[tag].point,
                      w->now.us - SIM_TIMEOUT_US - SIM_TICK_US, w->now.us)) {
        w->invented++;
        sim_world_violation(w, "tag %u: value %" PRIu64 " was not served", tag, sample->value.as.u);
    }
    w->n_samples++;
    w->n_good += sample->quality == 0;
}

static void on_batch(void *data, const weir_batch *batch)
{
    sim_world *w = data;
    const bool is_refused = w->inbox.refused != w->refused;
    w->refused = w->inbox.refused;
    if (has_own_plant(w)) {
        w->config.plant.on_batch(w->config.plant.data, batch);
        return;
    }
    for (size_t i = 0; i < batch->n_samples; i++) {
        const weir_sample *s = &batch->samples[i];
        const uint32_t tag = s->tag - 1;
        must(tag < w->catalog->n_tags, "a tag that is not");
        judge_value(w, batch, s, tag);
        judge_slot(w, tag, s->ts.us);
        const sim_entry entry = {.ts = s->ts.us,
                                 .produced = w->now.us,
                                 .tag = tag,
                                 .epoch = batch->epoch,
                                 .value = (uint32_t)s->value.as.u,
                                 .is_bad = s->value.kind == WEIR_KIND_NULL};
        sim_world_trace(w, (uint64_t)entry.ts ^ (uint64_t)s->quality << 32);
        sim_world_trace(w, (uint64_t)tag << 32 ^ entry.value ^ (uint64_t)w->now.us << 20);
        if (is_refused)
            w->n_refused++;
        else
            sim_ledger_add(&w->ledger, &entry);
    }
}

/* --- a life ------------------------------------------------------------------------------- */

static void on_wake(void *data)
{
    sim_world *w = data;
    w->worker_next = w->now;
}

static bool open_store(sim_world *w, weir_error *error)
{
    const weir_store_options options = {.data_dir = w->folder,
                                        .vfs = w->vfs_name,
                                        .now = sim_world_wall(w),
                                        .config = &w->catalog->store,
                                        /* What is not about limits has a disk without an end. */
                                        .free_bytes = w->config.store ? disk_free_bytes : NULL,
                                        .data = w};
    if (weir_store_open(&options, &w->store, error) != WEIR_OK)
        return false;
    if (weir_store_register(w->store, w->catalog, sim_world_wall(w), error) == WEIR_OK) {
        /* Only a store that was lost as a whole gives new ones: a violation, and judged no further.
         */
        for (uint32_t i = 0; i < w->catalog->n_tags; i++)
            if (w->catalog->tags[i].uid != i + 1) {
                (void)weir_fail(error, WEIR_EDAMAGED, "a tag got another uid");
                weir_store_close(w->store);
                w->store = NULL;
                return false;
            }
        if (sim_sinks_start(w, error))
            return true;
    }
    weir_store_close(w->store);
    w->store = NULL;
    return false;
}

/* A commit under way at the end may have reached the disk without being reported; then the next
 * check will show its samples. Less than what was reported is a loss. */
static void judge_start(sim_world *w, uint64_t seq)
{
    /* Also what was committed while an event still waited is not marked as such yet. */
    const bool is_open = seq != w->committed_seq || w->ledger.n > w->ledger.n_committed;
    if (seq < w->committed_seq)
        sim_world_violation(
            w, "seq %" PRIu64 " was reported as committed, the store begins at %" PRIu64,
            w->committed_seq, seq);
    w->committed_seq = seq;
    sim_world_trace(w, seq);
    if (is_open && !has_own_plant(w))
        sim_world_check(w);
    sim_ledger_drop_uncommitted(&w->ledger);
}

static void start_loop(sim_world *w, weir_store_position position)
{
    static const weir_source_type *const sources[] = {&weir_source_modbus, NULL};
    weir_error error = WEIR_ERROR_INIT;
    const weir_loop_config config = {
        .catalog = w->catalog,
        .platform = &w->platform,
        .sources = sources,
        .inbox = &w->inbox,
        .first_epoch = position.max_epoch,
        .epoch_untrusted = position.epoch_untrusted,
        .epoch_corrected = position.epoch_corrected,
        .newest_committed = position.committed_ts,
        .on_batch = on_batch,
        .data = w,
    };
    must(weir_inbox_init(&w->inbox, w->config.inbox_limit, on_wake, w) == WEIR_OK, "the inbox");
    must(weir_worker_new(w->store, &w->inbox, &w->store_platform, w->config.max_loss_us, &w->worker,
                         &error) == WEIR_OK,
         error.text);
    must(weir_postbox_new(on_wake, w, &w->postbox, &error) == WEIR_OK, error.text);
    weir_worker_set_postbox(w->worker, w->postbox);
    must(weir_loop_new(&config, &w->loop, &error) == WEIR_OK, error.text);
}

bool sim_world_start(sim_world *w, weir_error *error)
{
    w->store_ahead_us = 0;
    if (!open_store(w, error))
        return false;
    w->platform = (weir_platform){.data = w,
                                  .now = loop_now,
                                  .wall = loop_wall,
                                  .synchronized = is_synchronized,
                                  .seed = weir_random_u64(&w->random),
                                  .transport = &w->network.host,
                                  .vfs = w->vfs_name,
                                  .built = {start_wall_us - WEIR_DAY}};
    w->store_platform = w->platform;
    w->store_platform.now = store_now;
    w->store_platform.wall = store_wall;
    w->now = store_now(w); /* opening took its time */
    w->store_ahead_us = 0;
    w->is_running = true;
    w->n_lives++;
    w->refused = 0;
    w->worker_next = w->worker_free_at = w->devices_next = w->now;
    w->started_wall = sim_world_wall(w).us;
    for (size_t i = 0; i < w->catalog->n_tags; i++)
        w->tags[i] = (sim_tag_state){.n_steps = w->n_clock_steps};
    const weir_store_position position = weir_store_get_position(w->store);
    start_loop(w, position);
    judge_start(w, position.committed_seq);
    return true;
}

static weir_err world_exchange(sim_world *w, weir_catalog *newer, bool refuses, weir_error *error)
{
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = NULL;
    weir_loop_change *change = NULL;
    weir_err err = weir_diff_new(w->catalog, newer, &diff, error);
    newer->revision = w->catalog->revision + 1;
    if (!err)
        err = weir_store_register_begin(w->store, newer, diff, store_wall(w), error);
    if (err)
        return err;
    err = weir_loop_prepare(w->loop, diff, &change, error);
    if (!err && refuses)
        err = weir_fail(error, WEIR_EIO, "refused");
    if (err) {
        weir_loop_discard(change);
        weir_store_register_cancel(w->store);
        return err;
    }
    err = weir_store_register_end(w->store, error);
    must(err == WEIR_OK, "the registration");
    weir_store_set_config(w->store, &newer->store);
    w->catalog = newer;
    weir_loop_apply(w->loop, change);
    return WEIR_OK;
}

bool sim_world_apply(sim_world *w, const char *yaml, bool refuses, size_t *ret_left,
                     weir_error *error)
{
    weir_catalog *older = w->catalog, *newer = NULL;
    const char *before = w->config.plant.yaml;
    w->config.plant.yaml = yaml;
    weir_err err = sim_plant_load(&w->config, w->folder, &newer, error);
    w->config.plant.yaml = before;
    if (!err)
        err = world_exchange(w, newer, refuses, error);
    *ret_left = older->references;
    weir_catalog_free(err ? newer : older);
    return err == WEIR_OK;
}

/* Overrun slots alone yield no sample, and are counted. */
static void judge_slots_of_life(sim_world *w)
{
    const int64_t interval = w->config.interval_us;
    const bool was_clock_set = w->clock_stepped.us > w->now.us - 3 * interval;
    if (has_own_plant(w))
        return;
    for (uint32_t i = 0; i < w->catalog->n_tags; i++) {
        const sim_tag_state *t = &w->tags[i];
        weir_device_status status;
        weir_device_counters counters;
        weir_loop_device(w->loop, w->catalog->tags[i].device, &status, &counters);
        if (t->n_missing > status.overruns)
            sim_world_violation(w,
                                "tag %u: %" PRIu64 " slots without a sample, %" PRIu64 " overruns",
                                i, t->n_missing, status.overruns);
        const int64_t last = t->last_ts ? t->last_ts : w->started_wall;
        if (!was_clock_set && t->n_steps == w->n_clock_steps &&
            sim_world_wall(w).us - last > (2 + (int64_t)status.overruns) * interval + WEIR_S)
            sim_world_violation(w, "tag %u: nothing for %" PRId64 " us before the end", i,
                                sim_world_wall(w).us - last);
    }
}

/* What an end costs is at most max_loss, unless the disk did not let the store commit. */
static void judge_loss(sim_world *w)
{
    const sim_ledger *l = &w->ledger;
    if (l->n == l->n_committed)
        return;
    const int64_t age = w->now.us - l->entries[l->n_committed].produced;
    w->longest_loss_us = age > w->longest_loss_us ? age : w->longest_loss_us;
    if (w->is_disk_faulty ||
        w->disk_well_since.us + 2 * w->config.max_loss_us + recovery_us > w->now.us)
        return;
    if (age > w->config.max_loss_us + loss_slack_us)
        sim_world_violation(w, "an end cost samples of the last %" PRId64 " us", age);
}

static void end_process(sim_world *w)
{
    sim_sinks_end(w);
    weir_worker_free(w->worker);
    weir_postbox_free(w->postbox);
    weir_store_close(w->store);
    weir_inbox_deinit(&w->inbox);
    w->worker = NULL;
    w->store = NULL;
    w->loop = NULL;
    w->is_running = false;
}

/* The store takes all that waits or nothing: when nothing waits any more, all was committed. */
static void note_commit(sim_world *w)
{
    const uint64_t seq = weir_worker_get_view(w->worker).position.committed_seq;
    if (seq != w->committed_seq) {
        sim_world_trace(w, seq);
        sim_sinks_wake(w);
    }
    w->committed_seq = seq;
    if (w->inbox.bytes > 0 || weir_store_pending(w->store, NULL) > 0)
        return;
    w->ledger.n_committed = w->ledger.n;
    if (w->config.plant.on_committed)
        w->config.plant.on_committed(w->config.plant.data);
}

bool sim_world_stop(sim_world *w)
{
    judge_slots_of_life(w);
    weir_loop_free(w->loop);
    const bool is_flushed = weir_worker_flush(w->worker);
    note_commit(w);
    end_process(w);
    return is_flushed;
}

void sim_world_kill(sim_world *w)
{
    judge_slots_of_life(w);
    judge_loss(w);
    weir_loop_free(w->loop);
    fault_vfs_kill(w->disk);
    end_process(w);
}

void sim_world_power_cut(sim_world *w)
{
    judge_slots_of_life(w);
    judge_loss(w);
    weir_loop_free(w->loop);
    fault_vfs_power_cut(w->disk, weir_random_u64(&w->random));
    end_process(w);
}

/* --- time --------------------------------------------------------------------------------- */

static void post_devices(sim_world *w)
{
    weir_device_record records[SIM_UNITS_MAX];
    for (uint32_t i = 0; i < w->catalog->n_devices; i++) {
        const weir_device *device = &w->catalog->devices[i];
        weir_device_status status;
        weir_device_counters counters;
        weir_loop_device(w->loop, i, &status, &counters);
        records[i] = (weir_device_record){
            .name = device->name,
            .connection = w->catalog->connections[device->connection].name,
            .state = weir_device_state_text(status.state),
            .error = "",
            .since = status.since,
            .last_good = status.last_good,
            .requests = counters.requests,
        };
    }
    weir_worker_post_devices(w->worker, records, w->catalog->n_devices);
}

static void step_store(sim_world *w)
{
    if (w->config.devices_us && weir_mono_reached(w->now, w->devices_next)) {
        w->devices_next = weir_mono_add(w->now, w->config.devices_us);
        post_devices(w);
        sim_sinks_post(w);
    }
    w->store_ahead_us = 0;
    w->worker_next = weir_worker_step(w->worker);
    w->worker_free_at = store_now(w);
    w->store_ahead_us = 0;
    note_commit(w);
}

static weir_mono store_next(const sim_world *w)
{
    return w->worker_next.us > w->worker_free_at.us ? w->worker_next : w->worker_free_at;
}

void sim_world_step(sim_world *w, weir_mono until)
{
    weir_mono next = weir_mono_min(sim_network_next(&w->network), until);
    if (w->is_running)
        next = weir_mono_min(next, weir_mono_min(weir_loop_next(w->loop),
                                                 weir_mono_min(store_next(w), sim_sinks_next(w))));
    if (next.us > w->now.us)
        w->now = next;
    w->network.now = w->now;
    sim_network_step(&w->network);
    if (!w->is_running)
        return;
    if (weir_mono_reached(w->now, weir_loop_next(w->loop)))
        (void)weir_loop_step(w->loop);
    if (weir_mono_reached(w->now, store_next(w)))
        step_store(w);
    sim_sinks_step(w);
}

void sim_world_run(sim_world *w, int64_t us)
{
    const weir_mono until = weir_mono_add(w->now, us);
    while (w->now.us < until.us)
        sim_world_step(w, until);
}

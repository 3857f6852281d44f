/* SPDX-License-Identifier: MIT */
/* The Modbus master for other programs: the master of modbus/master.h with a catalog of its own.
 *
 * The happy path: devices and points are collected; begin makes one catalog of one connection of
 * them, and the master on it. From then on every call is handed on, after the time that came with
 * it was noted for the master's clock. A set of points is an interval to the master: a read names
 * the sets as it would the intervals that are due. */

#include "weir/modbus.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "embed/core/options.h"
#include "embed/core/point.h"
#include "modbus/master.h"
#include "modbus/pdu.h"

enum {
    SETS_MAX = 31, /* bits of weir_read.intervals but the one that means on demand */
    TAGS_MAX = 1 << 24,
    POINTS_MAX = 65535, /* as a configuration's device */
};

static const int64_t timeout_default_us = WEIR_S;

/* A device while it is added. */
struct building {
    weir_device device;
    weir_point *points;
    uint8_t *sets;
    uint32_t *tags; /* of element 0, relative to the device's first */
    size_t n, capacity, sets_capacity, tags_capacity;
};

struct weir_modbus {
    weir_modbus_options options;
    weir_arena *arena; /* owns texts, and the catalog's arrays */
    weir_connection connection;
    struct building *building;
    size_t n_devices, capacity;
    uint32_t n_tags;
    weir_catalog catalog;
    weir_source_host host;
    weir_master *master; /* NULL before begin */
    weir_mono now;
    int64_t anchor_us; /* wall minus monotonic time */
    uint64_t last_read;
};

/* --- what the master is given --------------------------------------------------------------- */

static weir_mono host_now(void *data)
{
    const weir_modbus *m = data;
    return m->now;
}

static weir_wall host_wall(void *data)
{
    const weir_modbus *m = data;
    return (weir_wall){m->now.us + m->anchor_us};
}

static void host_batch(void *data, const weir_batch *batch)
{
    const weir_modbus *m = data;
    const weir_modbus_reply reply = {.struct_size = sizeof reply,
                                     .device = batch->device,
                                     .due = batch->due,
                                     .sent = batch->sent,
                                     .received = batch->received};
    m->options.on_samples(m->options.data, &reply, batch->samples, batch->n_samples);
}

static void host_read_done(void *data, const weir_read *read, weir_read_result result,
                           weir_quality worst)
{
    static const weir_outcome outcomes[] = {[WEIR_READ_GOOD] = WEIR_OUTCOME_ANSWERED,
                                            [WEIR_READ_SILENT] = WEIR_OUTCOME_SILENT,
                                            [WEIR_READ_LINK] = WEIR_OUTCOME_UNREACHABLE};
    const weir_modbus *m = data;
    if (m->options.on_done)
        m->options.on_done(m->options.data, read->id, outcomes[result], worst);
}

static void host_log(void *data, weir_log_level level, const char *event, const char *text)
{
    const weir_modbus *m = data;
    if (m->options.on_log)
        m->options.on_log(m->options.data, level, event, text);
}

/* --- building ------------------------------------------------------------------------------- */

static weir_connection connection_of(const weir_modbus_options *o)
{
    return (weir_connection){
        .name = "connection",
        .uri_text = "",
        .uri = {.scheme = o->rtu ? WEIR_SCHEME_RTU_TCP : WEIR_SCHEME_TCP, .host = ""},
        .enabled = true,
        .tid_check = o->lenient_ids ? WEIR_TID_LENIENT : WEIR_TID_STRICT,
        .max_in_flight = o->max_in_flight ? o->max_in_flight : 1,
        .retries = o->no_retries ? 0
                   : o->retries  ? o->retries
                                 : 1,
        .busy_retries = 3,
        .timeout_us = o->timeout_us ? o->timeout_us : timeout_default_us,
        .busy_retries_wait_us = 200 * WEIR_MS,
        .pause_after_connect_us = o->pause_after_connect_us,
        .pause_between_requests_us = o->pause_between_requests_us,
        .pause_on_unit_switch_us = o->pause_on_unit_switch_us,
    };
}

static weir_err options_check(const weir_modbus_options *o, weir_error *error)
{
    if (!o->on_samples)
        return weir_fail(error, WEIR_EINVAL, "a master needs on_samples");
    if (o->max_in_flight > 16)
        return weir_fail(error, WEIR_EINVAL, "max_in_flight must be between 1 and 16");
    if (o->max_in_flight > 1 && (o->rtu || o->lenient_ids))
        return weir_fail(error, WEIR_EINVAL,
                         "max_in_flight must be 1 without ids to tell replies apart");
    if (o->timeout_us < 0 || o->pause_after_connect_us < 0 || o->pause_between_requests_us < 0 ||
        o->pause_on_unit_switch_us < 0)
        return weir_fail(error, WEIR_EINVAL, "a timeout or pause below 0");
    return WEIR_OK;
}

weir_err weir_modbus_new(const weir_modbus_options *options, weir_modbus **ret, weir_error *error)
{
    weir_modbus_options o;
    weir_err err = weir_options_read(&o, sizeof o, options, "weir_modbus_options", error);
    if (err == WEIR_OK)
        err = options_check(&o, error);
    if (err != WEIR_OK)
        return err;
    weir_modbus *m = weir_alloc_zero(1, sizeof *m);
    if (m)
        m->arena = weir_arena_new();
    if (!m || !m->arena) {
        weir_modbus_free(m);
        return weir_fail(error, WEIR_ENOMEM, "a master");
    }
    m->options = o;
    m->connection = connection_of(&o);
    *ret = m;
    return WEIR_OK;
}

void weir_modbus_free(weir_modbus *m)
{
    if (!m)
        return;
    weir_master_free(m->master);
    for (size_t i = 0; i < m->n_devices; i++) {
        weir_free(m->building[i].points);
        weir_free(m->building[i].sets);
        weir_free(m->building[i].tags);
    }
    weir_free(m->building);
    weir_arena_free(m->arena);
    weir_free(m);
}

static weir_err device_check(const weir_modbus_device *d, weir_error *error)
{
    if (d->max_registers_per_request > WEIR_READ_REGISTERS_MAX)
        return weir_fail(error, WEIR_EINVAL, "max_registers_per_request: at most %d",
                         WEIR_READ_REGISTERS_MAX);
    if (d->max_bits_per_request > WEIR_READ_BITS_MAX)
        return weir_fail(error, WEIR_EINVAL, "max_bits_per_request: at most %d",
                         WEIR_READ_BITS_MAX);
    return WEIR_OK;
}

static weir_device device_of(const weir_modbus_device *d, const char *name, uint32_t first_tag)
{
    return (weir_device){
        .name = name,
        .description = "",
        .profile = "",
        .unit_id = d->unit_id,
        .enabled = true,
        .one_point_per_request = d->one_point_per_request,
        .max_registers_per_request =
            d->max_registers_per_request ? d->max_registers_per_request : WEIR_READ_REGISTERS_MAX,
        .max_bits_per_request =
            d->max_bits_per_request ? d->max_bits_per_request : WEIR_READ_BITS_MAX,
        .max_hole_registers = d->no_holes ? 0 : 16, /* as a configuration's device */
        .max_hole_bits = d->no_holes ? 0 : 64,
        .demote_after_failures = 3,
        .first_tag = first_tag,
        .n_intervals = SETS_MAX,
    };
}

weir_err weir_modbus_add_device(weir_modbus *m, const weir_modbus_device *device,
                                uint32_t *ret_device, weir_error *error)
{
    weir_modbus_device d;
    weir_err err = weir_options_read(&d, sizeof d, device, "weir_modbus_device", error);
    if (err == WEIR_OK)
        err = device_check(&d, error);
    if (err == WEIR_OK && m->master)
        err = weir_fail(error, WEIR_EINVAL, "devices are added before weir_modbus_begin");
    if (err != WEIR_OK)
        return err;
    struct building *room =
        weir_array_room(m->building, m->n_devices, &m->capacity, sizeof *m->building);
    if (room)
        m->building = room;
    const char *name = d.name ? weir_arena_text(m->arena, d.name)
                              : weir_arena_format(m->arena, "unit %u", d.unit_id);
    if (!room || !name)
        return weir_fail(error, WEIR_ENOMEM, "a device");
    m->building[m->n_devices] = (struct building){.device = device_of(&d, name, m->n_tags)};
    *ret_device = (uint32_t)m->n_devices++;
    return WEIR_OK;
}

/* Room for one more in the three arrays that go together. */
static bool building_room(struct building *b)
{
    void *points = weir_array_room(b->points, b->n, &b->capacity, sizeof *b->points);
    if (points)
        b->points = points;
    void *sets = points ? weir_array_room(b->sets, b->n, &b->sets_capacity, sizeof *b->sets) : NULL;
    if (sets)
        b->sets = sets;
    void *tags = sets ? weir_array_room(b->tags, b->n, &b->tags_capacity, sizeof *b->tags) : NULL;
    if (tags)
        b->tags = tags;
    return tags != NULL;
}

weir_err weir_modbus_add_point(weir_modbus *m, const weir_point_options *point, unsigned set,
                               weir_tag_uid *ret_tag, weir_error *error)
{
    weir_point p;
    if (m->master || m->n_devices == 0)
        return weir_fail(error, WEIR_EINVAL,
                         "points are added after their device and before weir_modbus_begin");
    if (set >= SETS_MAX)
        return weir_fail(error, WEIR_EINVAL, "set must be between 0 and %d", SETS_MAX - 1);
    weir_err err = weir_point_of_options(point, m->arena, &p, error);
    if (err != WEIR_OK)
        return err;
    struct building *b = &m->building[m->n_devices - 1];
    if (b->n >= POINTS_MAX || m->n_tags + p.count > TAGS_MAX)
        return weir_fail(error, WEIR_ELIMIT, "too many points");
    if (!building_room(b))
        return weir_fail(error, WEIR_ENOMEM, "point '%s'", p.name);
    b->points[b->n] = p;
    b->sets[b->n] = (uint8_t)set;
    b->tags[b->n] = m->n_tags - b->device.first_tag;
    b->n++;
    if (ret_tag)
        *ret_tag = m->n_tags + 1;
    m->n_tags += p.count;
    b->device.n_tags = m->n_tags - b->device.first_tag;
    return WEIR_OK;
}

static void tags_fill(const weir_modbus *m, weir_tag *tags)
{
    for (uint32_t d = 0; d < m->n_devices; d++) {
        const struct building *b = &m->building[d];
        for (uint32_t p = 0; p < b->n; p++)
            for (uint32_t e = 0; e < b->points[p].count; e++) {
                const uint32_t i = b->device.first_tag + b->tags[p] + e;
                tags[i] = (weir_tag){.uid = i + 1, .device = d, .point = p, .element = e};
            }
    }
}

static bool catalog_make(weir_modbus *m)
{
    weir_device *devices = weir_arena_alloc(m->arena, m->n_devices + 1, sizeof *devices);
    weir_tag *tags = weir_arena_alloc(m->arena, m->n_tags + 1, sizeof *tags);
    if (!devices || !tags)
        return false;
    for (size_t i = 0; i < m->n_devices; i++) {
        struct building *b = &m->building[i];
        devices[i] = b->device;
        devices[i].n_points = (uint32_t)b->n;
        devices[i].points = b->points;
        devices[i].point_tag = b->tags;
        devices[i].point_interval = b->sets;
    }
    tags_fill(m, tags);
    m->catalog = (weir_catalog){.arena = m->arena,
                                .revision = 1,
                                .n_connections = 1,
                                .connections = &m->connection,
                                .n_devices = m->n_devices,
                                .devices = devices,
                                .n_tags = m->n_tags,
                                .tags = tags};
    return true;
}

weir_err weir_modbus_begin(weir_modbus *m, weir_mono now, weir_wall wall, weir_error *error)
{
    if (m->master)
        return weir_fail(error, WEIR_EINVAL, "the master has begun already");
    if (!catalog_make(m))
        return weir_fail(error, WEIR_ENOMEM, "a master of %zu devices", m->n_devices);
    weir_modbus_set_clock(m, now, wall);
    m->host = (weir_source_host){.data = m,
                                 .catalog = &m->catalog,
                                 .seed = m->options.seed,
                                 .now = host_now,
                                 .wall = host_wall,
                                 .on_batch = host_batch,
                                 .on_read_done = host_read_done,
                                 .log = host_log};
    return weir_master_new(&m->host, &m->master, error);
}

/* --- running -------------------------------------------------------------------------------- */

void weir_modbus_set_clock(weir_modbus *m, weir_mono now, weir_wall wall)
{
    m->now = now;
    m->anchor_us = wall.us - now.us;
}

uint64_t weir_modbus_read(weir_modbus *m, uint32_t device, uint32_t sets, weir_wall due,
                          weir_mono now)
{
    if (!m->master || device >= m->n_devices)
        return 0;
    m->now = now;
    const weir_read read = {.id = ++m->last_read,
                            .device = device,
                            .intervals = sets & ~WEIR_READ_ON_DEMAND,
                            .plans = WEIR_PLAN_DEFAULT,
                            .due = due,
                            .due_mono = {due.us - m->anchor_us},
                            .next_due_us = INT64_MAX / 2};
    weir_master_read(m->master, &read, now);
    return read.id;
}

void weir_modbus_connected(weir_modbus *m, weir_mono now)
{
    m->now = now;
    if (m->master)
        weir_master_connected(m->master, now);
}

void weir_modbus_disconnected(weir_modbus *m, weir_mono now, bool lost)
{
    m->now = now;
    if (m->master)
        weir_master_disconnected(m->master, now,
                                 lost ? WEIR_CAUSE_DISCONNECTED : WEIR_CAUSE_CONNECT);
}

void weir_modbus_input(weir_modbus *m, const uint8_t *bytes, size_t n, weir_mono now)
{
    m->now = now;
    if (m->master)
        weir_master_input(m->master, bytes, n, now);
}

weir_mono weir_modbus_step(weir_modbus *m, weir_mono now)
{
    m->now = now;
    return m->master ? weir_master_step(m->master, now) : WEIR_MONO_NEVER;
}

size_t weir_modbus_output(weir_modbus *m, weir_mono now, const uint8_t **ret_bytes)
{
    m->now = now;
    return m->master ? weir_master_output(m->master, now, ret_bytes) : 0;
}

const char *weir_modbus_broken(const weir_modbus *m)
{
    return m->master ? weir_master_broken(m->master) : NULL;
}

bool weir_modbus_idle(const weir_modbus *m)
{
    return !m->master || weir_master_idle(m->master);
}

/* SPDX-License-Identifier: MIT */
/* An hour of a plant of 1000 devices, on a simulated clock, in one thread, from one seed. */

/*
 * The real engine drives a hundred real masters; each talks over a simulated wire to a real slave
 * with ten units. The wire loses requests, some units are dead, one connection goes down for a
 * while, the wall clock is set back and forward, and once the whole process stands still. Every
 * value says which unit and point it came from and when it was read, so a value that is wrong,
 * stale or swapped shows.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/random.h"
#include "engine/engine.h"
#include "modbus/master.h"
#include "modbus/slave.h"

enum {
    CONNECTIONS = 100,
    UNITS = 10, /* per connection */
    DEVICES = CONNECTIONS * UNITS,
    POINTS = 5,
    TAGS = DEVICES * POINTS,
    HOUR_S = 3600,
    LOST_PER_1000 = 20, /* requests that the wire loses */
    DEAD_EVERY = 33,    /* one device in so many is dead: 30 of 1000 */
    DEAD = 30,
    DOWN_CONNECTION = 42, /* goes down for a while */
    WIRE_QUEUE = 16,
    WORDS = 4, /* registers of a point: uint64 */
};

#define START   1767225600000000LL /* 2026-01-01 00:00:00 UTC */
#define TIMEOUT (200 * WEIR_MS)
#define WIRE_US (2 * WEIR_MS) /* one way */
#define TRIES   2             /* a request and its repetition */
#define SLACK   (10 * WEIR_MS)
#define PAUSE   (60 * WEIR_S)
/* No request sent and no timer due: what ten units with two requests each take at most. */
#define QUEUE_US ((UNITS + 1) * 2 * 2 * WIRE_US)

/* One in five devices is read each second, the others each five; some points more slowly. */
static const int64_t fast_intervals[] = {1 * WEIR_S, 5 * WEIR_S};
static const int64_t slow_intervals[] = {5 * WEIR_S, 10 * WEIR_S};
static const uint8_t point_interval[POINTS] = {0, 0, 0, 1, 1};
static const uint32_t point_tag[POINTS] = {0, 1, 2, 3, 4};

struct message {
    int64_t at;
    uint16_t n;
    uint8_t bytes[260];
};

/* One direction of a wire: first in, first out, like a TCP stream. */
struct wire {
    struct message messages[WIRE_QUEUE];
    unsigned first, n;
};

struct plant;

struct bus {
    struct plant *plant;
    uint8_t number;
    bool up;
    weir_source_host host;
    weir_master *master;
    weir_slave_host slave_host;
    weir_slave slave;
    struct wire to_slave, to_master;
    int64_t master_wake, reconnect_at;
    uint64_t n_timeouts;      /* requests that got no answer: lost ones and those to dead units */
    uint64_t n_dead_requests; /* of these: to dead units */
};

/* A read under way, as the judge remembers it. */
struct watch {
    uint64_t id;
    uint64_t n_timeouts, n_dead_requests;
    int64_t due_mono, started;
};

struct plant {
    weir_catalog catalog;
    weir_connection connections[CONNECTIONS];
    weir_device devices[DEVICES];
    weir_point points[POINTS];
    weir_tag tags[TAGS];
    char names[DEVICES][8];
    struct bus buses[CONNECTIONS];
    weir_engine *engine;
    int64_t engine_wake;
    weir_mono now;
    int64_t offset; /* wall = now + offset */
    weir_random wire_random;
    int64_t resumed; /* when the process ran again */
    bool polling;    /* false: the hour is over, replies still come in */

    struct {
        uint32_t epoch;
        int64_t ts;
        uint64_t n; /* samples */
    } seen[TAGS];
    uint64_t expected[DEVICES][2]; /* slots by interval */
    int64_t segment_start;         /* wall time from which slots count */
    struct watch watches[DEVICES][2];
    uint64_t n_reads, n_good, n_bad, n_late, n_lost, n_breaks, n_events[9];
    int64_t longest_delay_us;
    uint64_t hash;
};

static bool device_is_dead(uint32_t device)
{
    return device % DEAD_EVERY == 7 && device / DEAD_EVERY < DEAD;
}

/* Same order, same bits: FNV-1a over everything that leaves the engine. */
static void plant_hash(struct plant *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p->hash = (p->hash ^ (v >> 8 * i & 0xff)) * 0x100000001b3u;
}

/* --- values that name their origin --- */

static uint64_t value_make(unsigned bus, unsigned unit, unsigned point, int64_t now)
{
    return (uint64_t)bus << 56 | (uint64_t)unit << 48 | (uint64_t)point << 44 | (uint64_t)now;
}

static int slave_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    const struct bus *bus = data;
    if (table != WEIR_REGISTER_HOLDING || address + n > POINTS * WORDS || unit < 1 || unit > UNITS)
        return 2;
    if (device_is_dead(bus->number * UNITS + unit - 1u))
        return WEIR_SLAVE_SILENT;
    for (unsigned i = 0; i < n; i++) {
        const unsigned word = address + i;
        const uint64_t v = value_make(bus->number, unit, word / WORDS, bus->plant->now.us);
        ret[i] = (uint16_t)(v >> 16 * (WORDS - 1 - word % WORDS));
    }
    return 0;
}

/* --- the wire --- */

static void wire_put(struct wire *w, const uint8_t *bytes, size_t n, int64_t at)
{
    assert_true(w->n < WIRE_QUEUE && n <= sizeof w->messages->bytes);
    struct message *m = &w->messages[(w->first + w->n++) % WIRE_QUEUE];
    m->at = at;
    m->n = (uint16_t)n;
    memcpy(m->bytes, bytes, n);
}

static int64_t wire_next(const struct wire *w)
{
    return w->n ? w->messages[w->first].at : INT64_MAX;
}

static const struct message *wire_take(struct wire *w, int64_t now)
{
    if (wire_next(w) > now)
        return NULL;
    const struct message *m = &w->messages[w->first];
    w->first = (w->first + 1) % WIRE_QUEUE;
    w->n--;
    return m;
}

static void bus_send(struct bus *bus, const uint8_t *bytes, size_t n)
{
    struct plant *p = bus->plant;
    const uint8_t unit = bytes[6]; /* MBAP header: id 2, protocol 2, length 2, unit 1 */
    const bool lost = weir_random_below(&p->wire_random, 1000) < LOST_PER_1000;
    const bool dead = device_is_dead(bus->number * UNITS + unit - 1u);
    assert_int_equal(n, 12); /* one request of functions 1-4 at a time */
    bus->n_timeouts += lost || dead;
    bus->n_dead_requests += dead;
    p->n_lost += lost;
    if (!lost)
        wire_put(&bus->to_slave, bytes, n, p->now.us + WIRE_US);
}

static void bus_answer(struct bus *bus)
{
    const struct message *m;
    while ((m = wire_take(&bus->to_slave, bus->plant->now.us))) {
        uint8_t reply[260];
        size_t n = 0;
        bool broken = false;
        assert_int_equal(
            weir_slave_input(&bus->slave, m->bytes, m->n, reply, sizeof reply, &n, &broken), m->n);
        assert_false(broken);
        if (n)
            wire_put(&bus->to_master, reply, n, bus->plant->now.us + WIRE_US);
    }
}

static void bus_set_up(struct bus *bus, bool up, weir_cause cause)
{
    const weir_mono now = bus->plant->now;
    bus->up = up;
    bus->reconnect_at = INT64_MAX;
    bus->to_slave.n = bus->to_master.n = 0;
    weir_slave_init(&bus->slave, WEIR_FRAMING_TCP, &bus->slave_host);
    if (up)
        weir_master_connected(bus->master, now);
    else
        weir_master_disconnected(bus->master, now, cause);
    bus->master_wake = now.us;
    if (bus->plant->engine)
        weir_engine_link(bus->plant->engine, bus->number, up, now);
}

/* Too much silence at once: the master wants a new connection, and gets it in a second. */
static void bus_break(struct bus *bus)
{
    bus->plant->n_breaks++;
    bus_set_up(bus, false, WEIR_CAUSE_DISCONNECTED);
    bus->reconnect_at = bus->plant->now.us + WEIR_S;
}

static void bus_drive_master(struct bus *bus)
{
    if (bus->reconnect_at <= bus->plant->now.us)
        bus_set_up(bus, true, WEIR_CAUSE_NONE);
    const weir_mono now = bus->plant->now;
    const struct message *m;
    const uint8_t *bytes;
    while ((m = wire_take(&bus->to_master, now.us)))
        weir_master_input(bus->master, m->bytes, m->n, now);
    bus->master_wake = weir_master_step(bus->master, now).us;
    bool sent = false;
    for (size_t n; bus->up && (n = weir_master_output(bus->master, now, &bytes)) > 0; sent = true)
        bus_send(bus, bytes, n);
    if (sent)
        bus->master_wake = weir_master_step(bus->master, now).us;
    if (bus->up && weir_master_broken(bus->master))
        bus_break(bus);
}

static int64_t bus_next(const struct bus *bus)
{
    const int64_t a = wire_next(&bus->to_slave), b = wire_next(&bus->to_master);
    const int64_t wire = a < b ? a : b;
    const int64_t own = bus->master_wake < bus->reconnect_at ? bus->master_wake : bus->reconnect_at;
    return wire < own ? wire : own;
}

/* --- what master and engine ask of their hosts --- */

static weir_mono host_now(void *data)
{
    return ((const struct bus *)data)->plant->now;
}

static weir_wall host_wall(void *data)
{
    const struct plant *p = ((const struct bus *)data)->plant;
    return weir_engine_wall(p->engine, p->now);
}

static void host_batch(void *data, const weir_batch *batch)
{
    struct plant *p = ((const struct bus *)data)->plant;
    weir_engine_deliver(p->engine, batch, p->now);
}

static void host_read_done(void *data, const weir_read *read, weir_read_result result,
                           weir_quality worst)
{
    struct plant *p = ((const struct bus *)data)->plant;
    weir_engine_read_done(p->engine, read, result, worst, p->now);
}

static void host_log(void *data, weir_log_level level, const char *event, const char *text)
{
    (void)data, (void)level, (void)event, (void)text;
}

static void engine_read(void *data, const weir_read *read)
{
    struct plant *p = data;
    struct bus *bus = &p->buses[p->devices[read->device].connection];
    p->n_reads++;
    assert_true(p->now.us >= read->due_mono.us);
    assert_true(p->now.us <= read->due_mono.us + SLACK || p->now.us == p->resumed);
    p->watches[read->device][read->intervals & 1 ? 0 : 1] =
        (struct watch){.id = read->id,
                       .n_timeouts = bus->n_timeouts,
                       .n_dead_requests = bus->n_dead_requests,
                       .due_mono = read->due_mono.us,
                       .started = p->now.us};
    weir_master_read(bus->master, read, p->now);
    bus->master_wake = p->now.us;
}

/* --- the judge --- */

/* The value was made by this point's unit between request and reply. */
static void judge_value(const weir_batch *batch, uint32_t tag, const weir_sample *sample)
{
    const uint32_t device = tag / POINTS;
    const uint64_t v = sample->value.as.u;
    assert_int_equal(sample->value.kind, WEIR_KIND_U64);
    assert_int_equal(v >> 44,
                     value_make(device / UNITS, device % UNITS + 1, tag % POINTS, 0) >> 44);
    const int64_t made = (int64_t)(v & ((1ull << 44) - 1));
    assert_true(made >= batch->sent.us - batch->anchor_us);
    assert_true(made <= batch->received.us - batch->anchor_us);
}

static void judge_sample(struct plant *p, const weir_batch *batch, const weir_sample *sample)
{
    const uint32_t tag = sample->tag - 1;
    const weir_device *device = &p->devices[batch->device];
    assert_int_equal(tag / POINTS, batch->device);
    assert_int_equal(sample->ts.us, batch->due.us);
    assert_int_equal(sample->ts.us % device->intervals[point_interval[tag % POINTS]], 0);
    /* Forward only, so no slot comes twice. */
    assert_true(batch->epoch > p->seen[tag].epoch ||
                (batch->epoch == p->seen[tag].epoch && sample->ts.us > p->seen[tag].ts));
    p->seen[tag].epoch = batch->epoch;
    p->seen[tag].ts = sample->ts.us;
    p->seen[tag].n++;
    const weir_class class = weir_quality_class(sample->quality);
    if (class == WEIR_BAD) {
        p->n_bad++;
        assert_int_equal(sample->value.kind, WEIR_KIND_NULL);
    } else {
        assert_false(device_is_dead(batch->device));
        p->n_good++;
        p->n_late += class == WEIR_UNCERTAIN;
        judge_value(batch, tag, sample);
    }
    plant_hash(p, sample->tag ^ (uint64_t)sample->quality << 32);
    plant_hash(p, (uint64_t)sample->ts.us);
    plant_hash(p, sample->value.as.bits);
}

/* The request left as soon as the bus was free: what held it up is the queue, and a time-out for
 * each request that went unanswered since, one of which may have begun before. A dead neighbour
 * has no part in it beyond the one probe it may have per slot. */
static void judge_delay(struct plant *p, const weir_batch *batch)
{
    const struct bus *bus = &p->buses[batch->connection];
    const int64_t sent = batch->sent.us - batch->anchor_us;
    for (unsigned i = 0; i < 2; i++) {
        struct watch *w = &p->watches[batch->device][i];
        if (w->id == 0 || w->due_mono != batch->due.us - batch->anchor_us)
            continue;
        const uint64_t n_timeouts = bus->n_timeouts - w->n_timeouts;
        const uint64_t n_dead = bus->n_dead_requests - w->n_dead_requests;
        const int64_t delay = sent - w->started;
        assert_true(delay <= QUEUE_US + (int64_t)(n_timeouts + 1) * TIMEOUT);
        if (delay < WEIR_S)
            assert_true(n_dead <= TRIES);
        if (delay > p->longest_delay_us)
            p->longest_delay_us = delay;
        w->id = 0;
    }
}

static void engine_batch(void *data, const weir_batch *batch)
{
    struct plant *p = data;
    assert_int_equal(batch->connection, p->devices[batch->device].connection);
    if (batch->sent.us)
        judge_delay(p, batch);
    plant_hash(p, (uint64_t)batch->received.us);
    for (uint32_t i = 0; i < batch->n_samples; i++)
        judge_sample(p, batch, &batch->samples[i]);
}

static void engine_event(void *data, const weir_event *event)
{
    struct plant *p = data;
    p->n_events[event->kind]++;
    plant_hash(p, (uint64_t)event->ts.us);
    for (const char *c = event->text; *c; c++)
        plant_hash(p, (uint64_t)(unsigned char)*c);
}

static void engine_correction(void *data, const weir_correction *correction)
{
    engine_event(data, &correction->event);
}

/* Slots that came between two wall times, counted without the schedule. */
static void plant_expect(struct plant *p, int64_t after, int64_t until)
{
    for (uint32_t d = 0; d < DEVICES; d++)
        for (unsigned i = 0; i < 2; i++) {
            const int64_t interval = p->devices[d].intervals[i];
            p->expected[d][i] += (uint64_t)(until / interval - after / interval);
        }
}

static void judge_counts(const struct plant *p)
{
    uint64_t overruns = 0;
    for (uint32_t d = 0; d < DEVICES; d++) {
        const uint64_t fast = p->seen[d * POINTS].n, slow = p->seen[d * POINTS + 3].n;
        for (unsigned k = 0; k < POINTS; k++)
            assert_int_equal(p->seen[d * POINTS + k].n, point_interval[k] ? slow : fast);
        const weir_device_status *status = weir_engine_status(p->engine, d);
        assert_true(fast <= p->expected[d][0] && slow <= p->expected[d][1]);
        assert_int_equal(fast + slow + status->overruns, p->expected[d][0] + p->expected[d][1]);
        assert_int_equal(status->state == WEIR_STATE_OFFLINE, device_is_dead(d));
        overruns += status->overruns;
    }
    assert_int_equal(weir_engine_overruns(p->engine), overruns);
}

/* --- the plant --- */

static void plant_init_catalog(struct plant *p)
{
    for (uint32_t k = 0; k < POINTS; k++)
        p->points[k] = (weir_point){.name = "p",
                                    .table = WEIR_REGISTER_HOLDING,
                                    .function = 3,
                                    .address = (uint16_t)(k * WORDS),
                                    .type = WEIR_TYPE_UINT64,
                                    .order = WEIR_ORDER_ABCD,
                                    .bit = -1,
                                    .count = 1,
                                    .sign = 1,
                                    .scale = 1};
    for (uint32_t c = 0; c < CONNECTIONS; c++)
        p->connections[c] = (weir_connection){.name = "bus",
                                              .uri_text = "tcp://plant",
                                              .enabled = true,
                                              .max_in_flight = 1,
                                              .retries = TRIES - 1,
                                              .timeout_us = TIMEOUT};
    for (uint32_t d = 0; d < DEVICES; d++) {
        snprintf(p->names[d], sizeof p->names[d], "m%03u", d);
        p->devices[d] = (weir_device){.name = p->names[d],
                                      .connection = d / UNITS,
                                      .unit_id = (uint8_t)(d % UNITS + 1),
                                      .enabled = true,
                                      .max_registers_per_request = 125,
                                      .max_bits_per_request = 2000,
                                      .max_hole_registers = 16,
                                      .demote_after_failures = 3,
                                      .demote_period_us = 60 * WEIR_S,
                                      .n_points = POINTS,
                                      .points = p->points,
                                      .point_tag = point_tag,
                                      .n_tags = POINTS,
                                      .first_tag = d * POINTS,
                                      .n_intervals = 2,
                                      .intervals = d % 5 ? slow_intervals : fast_intervals,
                                      .point_interval = point_interval};
        for (uint32_t k = 0; k < POINTS; k++)
            p->tags[d * POINTS + k] =
                (weir_tag){.uid = d * POINTS + k + 1, .device = d, .point = k};
    }
    p->catalog = (weir_catalog){.revision = 1,
                                .n_connections = CONNECTIONS,
                                .connections = p->connections,
                                .n_devices = DEVICES,
                                .devices = p->devices,
                                .n_tags = TAGS,
                                .tags = p->tags};
}

static void plant_init_bus(struct plant *p, uint8_t number, uint64_t seed)
{
    struct bus *bus = &p->buses[number];
    bus->plant = p;
    bus->number = number;
    bus->slave_host = (weir_slave_host){bus, slave_read};
    bus->host = (weir_source_host){.data = bus,
                                   .catalog = &p->catalog,
                                   .connection = number,
                                   .seed = seed + number,
                                   .now = host_now,
                                   .wall = host_wall,
                                   .on_batch = host_batch,
                                   .on_read_done = host_read_done,
                                   .log = host_log};
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_master_new(&bus->host, &bus->master, &error), WEIR_OK);
    bus_set_up(bus, true, WEIR_CAUSE_NONE);
}

static struct plant *plant_new(uint64_t seed)
{
    struct plant *p = weir_alloc_zero(1, sizeof *p);
    assert_non_null(p);
    p->now.us = 1000 * WEIR_S;
    p->offset = START + 300 * WEIR_MS - p->now.us;
    p->wire_random.state = seed;
    p->polling = true;
    p->hash = 0xcbf29ce484222325u;
    plant_init_catalog(p);
    for (uint32_t c = 0; c < CONNECTIONS; c++)
        plant_init_bus(p, (uint8_t)c, seed);
    const weir_engine_config config = {
        .catalog = &p->catalog,
        .host = {p, engine_read, engine_batch, engine_event, engine_correction, NULL},
        .seed = seed,
        .built = {START - WEIR_DAY}};
    weir_error error = WEIR_ERROR_INIT;
    const weir_wall wall = {p->now.us + p->offset};
    assert_int_equal(weir_engine_new(&config, p->now, wall, &p->engine, &error), WEIR_OK);
    p->engine_wake = p->now.us;
    p->segment_start = wall.us;
    return p;
}

static void plant_free(struct plant *p)
{
    for (uint32_t c = 0; c < CONNECTIONS; c++)
        weir_master_free(p->buses[c].master);
    weir_engine_free(p->engine);
    weir_free(p);
}

/* The engine looks at the clock. When it has stepped, slots count until now by the old time and
 * from now on by the new one. */
static void plant_step_engine(struct plant *p)
{
    const int64_t before = weir_engine_wall(p->engine, p->now).us;
    const weir_wall wall = {p->now.us + p->offset};
    p->engine_wake = weir_engine_step(p->engine, p->now, wall).us;
    if (weir_engine_wall(p->engine, p->now).us != before) {
        plant_expect(p, p->segment_start, before);
        p->segment_start = wall.us;
    }
}

/* Runs everything until the monotonic time `until`. */
static void plant_run(struct plant *p, int64_t until)
{
    for (;;) {
        int64_t next = p->polling ? p->engine_wake : INT64_MAX;
        for (uint32_t c = 0; c < CONNECTIONS; c++) {
            const int64_t t = bus_next(&p->buses[c]);
            if (t < next)
                next = t;
        }
        if (next > until)
            break;
        if (next > p->now.us)
            p->now.us = next;
        if (p->polling && p->engine_wake <= p->now.us)
            plant_step_engine(p);
        for (uint32_t c = 0; c < CONNECTIONS; c++) {
            struct bus *bus = &p->buses[c];
            if (bus_next(bus) > p->now.us)
                continue;
            bus_answer(bus);
            bus_drive_master(bus);
        }
    }
    if (until > p->now.us)
        p->now.us = until;
}

/* The story of one run; everything happens at the same fractions of it. */
static struct plant *plant_play(uint64_t seed, int64_t seconds)
{
    struct plant *p = plant_new(seed);
    const int64_t start = p->now.us, tenth = seconds * WEIR_S / 10;
    plant_run(p, start + 2 * tenth + 123456);
    p->offset -= WEIR_HOUR;
    plant_run(p, start + 4 * tenth);
    bus_set_up(&p->buses[DOWN_CONNECTION], false, WEIR_CAUSE_CONNECT);
    plant_run(p, start + 5 * tenth + 654321);
    bus_set_up(&p->buses[DOWN_CONNECTION], true, WEIR_CAUSE_NONE);
    p->offset += WEIR_HOUR;
    plant_run(p, start + 7 * tenth + 500000);
    p->now.us += PAUSE; /* the process stands still */
    p->resumed = p->now.us;
    plant_run(p, start + 10 * tenth + PAUSE);
    plant_step_engine(p);
    plant_expect(p, p->segment_start, weir_engine_wall(p->engine, p->now).us);
    p->polling = false;
    plant_run(p, p->now.us + 30 * WEIR_S);
    judge_counts(p);
    return p;
}

static void an_hour_of_1000_devices_yields_each_slot_once_or_counts_it(void **state)
{
    (void)state;
    const clock_t begin = clock();
    struct plant *p = plant_play(20260101, HOUR_S);
    uint64_t dead_requests = 0;
    for (uint32_t c = 0; c < CONNECTIONS; c++)
        dead_requests += p->buses[c].n_dead_requests;
    print_message("%llu reads, %llu good samples (%llu late), %llu bad, %llu requests lost, %llu "
                  "to dead units, %llu overruns, %llu broken connections, longest delay %lld ms, "
                  "%.1f s of CPU\n",
                  (unsigned long long)p->n_reads, (unsigned long long)p->n_good,
                  (unsigned long long)p->n_late, (unsigned long long)p->n_bad,
                  (unsigned long long)p->n_lost, (unsigned long long)dead_requests,
                  (unsigned long long)weir_engine_overruns(p->engine),
                  (unsigned long long)p->n_breaks, (long long)(p->longest_delay_us / WEIR_MS),
                  (double)(clock() - begin) / CLOCKS_PER_SEC);
    assert_int_equal(p->n_events[WEIR_EVENT_CLOCK_STEP], 2);
    /* The dead ones go down once and stay; the ten of the lost connection go and come back. */
    const uint64_t n_down = p->n_events[WEIR_EVENT_DEVICE_DOWN];
    assert_int_equal(n_down - p->n_events[WEIR_EVENT_DEVICE_UP], DEAD);
    assert_true(n_down >= DEAD + UNITS);
    /* 9 probes until the longest wait, then one in at least 48 s, two tries each. */
    assert_true(dead_requests <= DEAD * TRIES * (3 + 9 + (HOUR_S + 60) / 48));
    /* The pause costs every device its slots; beside that hardly one is lost. */
    const uint64_t pause_slots = DEVICES / 5 * (60 + 12) + DEVICES * 4 / 5 * (12 + 6);
    assert_in_range(weir_engine_overruns(p->engine), pause_slots * 9 / 10, pause_slots);
    /* Bad are the dead (3 %), the lost connection for a tenth of the hour (0.1 %), and requests
     * lost twice (0.04 %). */
    assert_in_range(p->n_bad, p->n_good * 30 / 1000, p->n_good * 34 / 1000);
    assert_true(p->n_late < p->n_good / 1000);
    plant_free(p);
}

static void the_same_seed_gives_the_same_run_and_another_one_does_not(void **state)
{
    (void)state;
    const uint64_t seeds[3] = {1, 1, 2};
    uint64_t hashes[3];
    for (int i = 0; i < 3; i++) {
        struct plant *p = plant_play(seeds[i], HOUR_S / 30);
        hashes[i] = p->hash;
        plant_free(p);
    }
    assert_true(hashes[0] == hashes[1]);
    assert_true(hashes[0] != hashes[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour_of_1000_devices_yields_each_slot_once_or_counts_it),
        cmocka_unit_test(the_same_seed_gives_the_same_run_and_another_one_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A plant for the master's tests: real master and link, real slave, bytes in between, made-up time.
 */

#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "modbus/frame.h"
#include "modbus/grouping.h"
#include "modbus/master.h"
#include "modbus/slave.h"

enum { PLANT_DEVICES_MAX = 20, PLANT_POINTS_MAX = 160, PLANT_TAGS_MAX = 4000, PLANT_WIRE_MAX = 64 };

static const int64_t plant_anchor_us = 1700000000 * WEIR_S;

/* What the slave refuses. */
typedef struct plant_fault {
    int unit; /* -1: all */
    weir_register table;
    uint32_t first, last; /* refused when touched with ... */
    uint8_t code;
} plant_fault;

/* Bytes on their way. */
typedef struct plant_bytes {
    weir_mono at;
    size_t n;
    uint8_t bytes[WEIR_FRAME_MAX];
} plant_bytes;

typedef struct plant {
    weir_catalog catalog;
    weir_connection connection;
    weir_device devices[PLANT_DEVICES_MAX];
    weir_point points[PLANT_POINTS_MAX];
    uint32_t point_tag[PLANT_POINTS_MAX];
    uint8_t point_interval[PLANT_POINTS_MAX];
    weir_tag tags[PLANT_TAGS_MAX];
    size_t n_points;

    weir_source_host host;
    weir_master *master;
    weir_slave_host slave_host;
    weir_slave slave;
    weir_mono now;
    bool connected;

    /* The device's side. */
    uint16_t memory[5][65536];
    bool absent[256]; /* units that are not there */
    size_t n_faults;
    plant_fault faults[16];
    uint16_t registers_most, bits_most; /* more are refused with exception 3; 0: no limit */
    int64_t latency_us;
    unsigned loss_percent, noise_percent; /* requests and replies lost; replies damaged */
    weir_random random;
    size_t n_wire;
    plant_bytes wire[PLANT_WIRE_MAX];
    size_t n_requests;       /* that reached the wire */
    size_t requests_of[256]; /* by unit */
    char requests[4096];     /* "3 72+1 ", cleared by the test */

    /* What came out. */
    weir_read read;
    uint32_t seen[PLANT_TAGS_MAX]; /* samples of each tag */
    weir_quality quality[PLANT_TAGS_MAX];
    weir_value value[PLANT_TAGS_MAX]; /* numbers only to be used later */
    char text[PLANT_TAGS_MAX][40];    /* as people read it */
    size_t n_batches, n_done, n_with_request;
    weir_batch last_batch;
    weir_read_result result;
    weir_quality worst;
    bool inside_read; /* of weir_master_read */
    bool count_only;  /* allocation is under test: nothing is allocated here */
    char log[8192];
} plant;

/* ---- The device ---- */

static inline int plant_slave_read(void *data, uint8_t unit, weir_register table, uint16_t address,
                                   uint16_t n, uint16_t *ret)
{
    plant *p = data;
    if (p->absent[unit])
        return WEIR_SLAVE_SILENT;
    for (size_t i = 0; i < p->n_faults; i++) {
        const plant_fault *f = &p->faults[i];
        if ((f->unit < 0 || f->unit == unit) && f->table == table && address <= f->last &&
            address + n - 1u >= f->first)
            return f->code;
    }
    if (p->registers_most && !weir_register_is_bits(table) && n > p->registers_most)
        return 3;
    if (p->bits_most && weir_register_is_bits(table) && n > p->bits_most)
        return 3;
    for (uint16_t i = 0; i < n; i++)
        ret[i] = p->memory[table][(uint16_t)(address + i)];
    return 0;
}

static inline void plant_refuse(plant *p, weir_register table, uint32_t first, uint32_t last,
                                uint8_t code)
{
    p->faults[p->n_faults++] = (plant_fault){-1, table, first, last, code};
}

/* ---- The host ---- */

static inline weir_mono plant_now(void *data)
{
    return ((plant *)data)->now;
}

static inline weir_wall plant_wall(void *data)
{
    return (weir_wall){((plant *)data)->now.us + plant_anchor_us};
}

/* What the tag must be by the device's memory. */
static inline void plant_expect(plant *p, uint32_t tag, weir_text *ret_text,
                                weir_quality *ret_quality)
{
    const weir_point *point = weir_tag_point(&p->catalog, &p->tags[tag]);
    unsigned size = weir_point_element_size(point);
    uint8_t wire[256] = {0}, room[512];
    weir_writer w = weir_writer_of(wire, sizeof wire), space = weir_writer_of(room, sizeof room);
    for (unsigned i = 0; i < size; i++) {
        uint16_t word = p->memory[point->table][point->address + p->tags[tag].element * size + i];
        if (weir_point_is_packed(point))
            wire[i / 8] |= (uint8_t)((word != 0) << i % 8);
        else if (weir_register_is_bits(point->table))
            weir_write_u8(&w, word != 0);
        else
            weir_write_u16(&w, word);
    }
    size_t n = weir_point_is_packed(point) ? (size + 7) / 8 : weir_writer_length(&w);
    weir_value v = weir_point_decode(point, wire, n, &space, ret_quality);
    weir_value_format(&v, ret_text);
}

static inline void plant_check_good(plant *p, uint32_t tag)
{
    if (weir_tag_point(&p->catalog, &p->tags[tag])->table == WEIR_REGISTER_FUNCTION)
        return;
    WEIR_TEXT_AUTO want = WEIR_TEXT_INIT;
    weir_quality quality;
    plant_expect(p, tag, &want, &quality);
    assert_int_equal(p->quality[tag], quality);
    if (strlen(weir_text_get(&want)) < sizeof p->text[tag])
        assert_string_equal(p->text[tag], weir_text_get(&want));
}

static inline void plant_on_batch(void *data, const weir_batch *batch)
{
    plant *p = data;
    assert_false(p->inside_read);
    assert_true(batch->n_samples > 0);
    assert_int_equal(batch->connection, 0);
    assert_int_equal(batch->catalog_revision, 7);
    assert_int_equal(batch->anchor_us, plant_anchor_us);
    assert_int_equal(batch->plans, WEIR_PLAN_DEFAULT);
    p->n_batches++;
    p->n_with_request += batch->sent.us != 0;
    p->last_batch = *batch;
    for (uint32_t i = 0; i < batch->n_samples; i++) {
        const weir_sample *s = &batch->samples[i];
        assert_in_range(s->tag, 1, p->catalog.n_tags);
        uint32_t tag = s->tag - 1;
        assert_int_equal(p->tags[tag].device, batch->device);
        assert_int_equal(s->ts.us, batch->due.us);
        p->seen[tag]++;
        p->quality[tag] = s->quality;
        p->value[tag] = s->value;
        if (p->count_only)
            continue;
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_value_format(&s->value, &text);
        (void)snprintf(p->text[tag], sizeof p->text[tag], "%s", weir_text_get(&text));
        if (weir_quality_class(s->quality) == WEIR_BAD)
            assert_int_equal(s->value.kind, WEIR_KIND_NULL);
        else
            plant_check_good(p, tag);
    }
}

static inline void plant_on_read_done(void *data, const weir_read *read, weir_read_result result,
                                      weir_quality worst)
{
    plant *p = data;
    assert_false(p->inside_read);
    assert_true(read->id != 0);
    p->n_done++;
    p->result = result;
    p->worst = worst;
}

static inline void plant_log(void *data, weir_log_level level, const char *event, const char *text)
{
    plant *p = data;
    (void)level;
    size_t n = strlen(p->log);
    (void)snprintf(p->log + n, sizeof p->log - n, "%s: %s\n", event, text);
}

/* ---- Building ---- */

static inline weir_point plant_point(weir_register table, uint16_t address, weir_type type)
{
    return (weir_point){.name = "x",
                        .unit = "",
                        .description = "",
                        .table = table,
                        .function = (uint8_t)table,
                        .address = address,
                        .type = type,
                        .bit = -1,
                        .bit_width = 1,
                        .count = 1,
                        .sign = 1,
                        .scale = 1};
}

static inline plant *plant_new(void)
{
    plant *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->connection = (weir_connection){.name = "boiler-room",
                                      .enabled = true,
                                      .uri = {.scheme = WEIR_SCHEME_TCP},
                                      .max_in_flight = 1,
                                      .retries = 1,
                                      .busy_retries = 3,
                                      .timeout_us = WEIR_S,
                                      .busy_retries_wait_us = 200 * WEIR_MS};
    p->latency_us = 5 * WEIR_MS;
    p->random.state = 1;
    p->now.us = 1000 * WEIR_S;
    for (uint32_t t = 1; t <= 4; t++) {
        for (uint32_t a = 0; a < 65536; a++)
            p->memory[t][a] = (uint16_t)(t < 3 ? (a * 2654435761u >> 13 & 1) : a * 31 + t);
    }
    return p;
}

static inline void plant_add_point(plant *p, weir_point point)
{
    p->points[p->n_points++] = point;
}

/* n holding registers from address on, uint16. */
static inline void plant_add_registers(plant *p, uint16_t address, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        plant_add_point(
            p, plant_point(WEIR_REGISTER_HOLDING, (uint16_t)(address + i), WEIR_TYPE_UINT16));
}

/* Devices m1, m2 ... with units 1, 2 ... that all have the points; then the master, connected. */
static inline void plant_start(plant *p, size_t n_devices)
{
    static const char *const names[PLANT_DEVICES_MAX] = {
        "m1",  "m2",  "m3",  "m4",  "m5",  "m6",  "m7",  "m8",  "m9",  "m10",
        "m11", "m12", "m13", "m14", "m15", "m16", "m17", "m18", "m19", "m20"};
    static const int64_t intervals[] = {WEIR_S, 5 * WEIR_S, 7 * WEIR_S};
    uint32_t n_tags = 0;
    for (size_t i = 0; i < p->n_points; i++) {
        p->point_tag[i] = n_tags;
        n_tags += p->points[i].count;
    }
    for (size_t d = 0; d < n_devices; d++) {
        p->devices[d] = (weir_device){.name = names[d],
                                      .unit_id = (uint8_t)(d + 1),
                                      .enabled = true,
                                      .max_registers_per_request = 125,
                                      .max_bits_per_request = 2000,
                                      .max_hole_registers = 16,
                                      .max_hole_bits = 64,
                                      .n_points = (uint32_t)p->n_points,
                                      .points = p->points,
                                      .point_tag = p->point_tag,
                                      .n_tags = n_tags,
                                      .first_tag = (uint32_t)d * n_tags,
                                      .n_intervals = 3,
                                      .intervals = intervals,
                                      .point_interval = p->point_interval};
        for (uint32_t i = 0; i < p->n_points; i++) {
            for (uint32_t e = 0; e < p->points[i].count; e++) {
                uint32_t tag = (uint32_t)d * n_tags + p->point_tag[i] + e;
                assert_true(tag < PLANT_TAGS_MAX);
                p->tags[tag] = (weir_tag){tag + 1, (uint32_t)d, i, e};
            }
        }
    }
    p->catalog = (weir_catalog){.revision = 7,
                                .n_connections = 1,
                                .connections = &p->connection,
                                .n_devices = n_devices,
                                .devices = p->devices,
                                .n_tags = n_devices * n_tags,
                                .tags = p->tags};
    p->host = (weir_source_host){.data = p,
                                 .catalog = &p->catalog,
                                 .seed = 42,
                                 .now = plant_now,
                                 .wall = plant_wall,
                                 .on_batch = plant_on_batch,
                                 .on_read_done = plant_on_read_done,
                                 .log = plant_log};
    p->slave_host = (weir_slave_host){p, plant_slave_read};
}

static inline void plant_connect(plant *p)
{
    if (!p->master) {
        weir_error error = WEIR_ERROR_INIT;
        weir_err err = weir_master_new(&p->host, &p->master, &error);
        if (err)
            fail_msg("%s", error.text);
    }
    bool rtu = p->connection.uri.scheme == WEIR_SCHEME_RTU_TCP;
    weir_slave_init(&p->slave, rtu ? WEIR_FRAMING_RTU : WEIR_FRAMING_TCP, &p->slave_host);
    p->n_wire = 0;
    p->connected = true;
    weir_master_connected(p->master, p->now);
}

static inline void plant_disconnect(plant *p, weir_cause cause)
{
    p->connected = false;
    p->n_wire = 0;
    weir_master_disconnected(p->master, p->now, cause);
}

static inline void plant_free(plant *p)
{
    weir_master_free(p->master);
    free(p);
}

/* ---- Time ---- */

static inline bool plant_chance(plant *p, unsigned percent)
{
    return percent > 0 && weir_random_below(&p->random, 100) < percent;
}

static inline void plant_send_back(plant *p, const uint8_t *bytes, size_t n)
{
    if (n == 0 || plant_chance(p, p->loss_percent))
        return;
    assert_true(p->n_wire < PLANT_WIRE_MAX && n <= WEIR_FRAME_MAX);
    plant_bytes *w = &p->wire[p->n_wire++];
    int64_t late = plant_chance(p, p->loss_percent) ? 3 * WEIR_S / 2 : 0;
    *w = (plant_bytes){.at = weir_mono_add(p->now, p->latency_us + late), .n = n};
    memcpy(w->bytes, bytes, n);
    if (plant_chance(p, p->noise_percent))
        w->bytes[n - 1 - weir_random_below(&p->random, n < 4 ? n : 4)] ^= 0x41;
}

/* Report server id (function 17), which the slave here does not know: answered as the example of
 * the Modbus Application Protocol 1.1b3, 6.13, has it, with a made-up name. */
static inline bool plant_answer_id(plant *p, const uint8_t *frame)
{
    uint8_t reply[] = {0, 0, 0, 0, 0, 8, 0, 17, 5, 'W', 'E', 'I', 'R', 0xff};
    if (frame[7] != 17 || p->connection.uri.scheme != WEIR_SCHEME_TCP)
        return false;
    memcpy(reply, frame, 2);
    reply[6] = frame[6];
    plant_send_back(p, reply, sizeof reply);
    return true;
}

static inline void plant_on_request(plant *p, const uint8_t *frame, size_t n)
{
    uint8_t reply[2 * WEIR_FRAME_MAX];
    size_t n_reply, head = p->slave.framing == WEIR_FRAMING_TCP ? 6 : 0;
    bool broken;
    p->n_requests++;
    p->requests_of[frame[head]]++;
    size_t length = strlen(p->requests);
    if (n >= head + 6)
        (void)snprintf(p->requests + length, sizeof p->requests - length, "%u %u+%u ",
                       frame[head + 1], frame[head + 2] << 8 | frame[head + 3],
                       frame[head + 4] << 8 | frame[head + 5]);
    if (plant_chance(p, p->loss_percent) || plant_answer_id(p, frame))
        return;
    assert_int_equal(weir_slave_input(&p->slave, frame, n, reply, sizeof reply, &n_reply, &broken),
                     n);
    assert_false(broken);
    plant_send_back(p, reply, n_reply);
}

static inline void plant_take_output(plant *p)
{
    const uint8_t *bytes;
    size_t n = weir_master_output(p->master, p->now, &bytes);
    if (p->slave.framing == WEIR_FRAMING_RTU) {
        if (n > 0)
            plant_on_request(p, bytes, n);
        return;
    }
    for (size_t at = 0; at < n;) {
        size_t frame = 6u + (size_t)(bytes[at + 4] << 8 | bytes[at + 5]);
        uint8_t copy[WEIR_FRAME_MAX];
        memcpy(copy, bytes + at, frame);
        plant_on_request(p, copy, frame);
        at += frame;
    }
}

/* Gives the master what has arrived by now; the rest stays on the wire. */
static inline void plant_arrive(plant *p)
{
    for (size_t i = 0; i < p->n_wire;) {
        if (!weir_mono_reached(p->now, p->wire[i].at)) {
            i++;
            continue;
        }
        plant_bytes b = p->wire[i];
        p->wire[i] = p->wire[--p->n_wire];
        size_t cut = b.n > 1 ? (size_t)weir_random_below(&p->random, b.n) : 0;
        weir_master_input(p->master, b.bytes, cut, p->now);
        if (p->connected)
            weir_master_input(p->master, b.bytes + cut, b.n - cut, p->now);
    }
}

/* One step of the owner's loop; false when there is nothing to wait for. */
static inline bool plant_turn(plant *p, weir_mono until)
{
    weir_mono next = weir_master_step(p->master, p->now);
    plant_take_output(p);
    next = weir_mono_min(next, weir_master_step(p->master, p->now));
    if (weir_master_broken(p->master)) { /* the owner connects again at once */
        plant_disconnect(p, WEIR_CAUSE_DISCONNECTED);
        plant_connect(p);
        return true;
    }
    for (size_t i = 0; i < p->n_wire; i++)
        next = weir_mono_min(next, p->wire[i].at);
    if (next.us > until.us)
        return false;
    if (next.us > p->now.us)
        p->now = next;
    plant_arrive(p);
    return true;
}

static inline void plant_run_until(plant *p, weir_mono until)
{
    while (plant_turn(p, until))
        ;
    if (p->now.us < until.us)
        p->now = until;
}

static inline void plant_forget(plant *p)
{
    memset(p->seen, 0, sizeof p->seen);
    p->n_batches = p->n_done = p->n_with_request = p->n_requests = 0;
    memset(p->requests_of, 0, sizeof p->requests_of);
    p->requests[0] = p->log[0] = '\0';
}

static inline void plant_begin_read(plant *p, uint32_t device, uint32_t intervals)
{
    static uint64_t id;
    p->read = (weir_read){.id = ++id,
                          .device = device,
                          .intervals = intervals,
                          .epoch = 3,
                          .plans = WEIR_PLAN_DEFAULT,
                          .due = plant_wall(p),
                          .due_mono = p->now,
                          .next_due_us = WEIR_S};
    p->inside_read = true;
    weir_master_read(p->master, &p->read, p->now);
    p->inside_read = false;
}

/* Every tag of the device with these intervals seen so many times, no other. */
static inline void plant_check_seen(plant *p, uint32_t device, uint32_t intervals, uint32_t times)
{
    for (uint32_t t = 0; t < p->catalog.n_tags; t++) {
        if (p->tags[t].device != device)
            continue;
        uint8_t interval = p->point_interval[p->tags[t].point];
        uint32_t want = interval < 32 && (intervals >> interval & 1) ? times : 0;
        if (p->seen[t] != want)
            fail_msg("tag %u: %u samples, not %u", t, p->seen[t], want);
    }
}

static inline void plant_check_once(plant *p, uint32_t device, uint32_t intervals)
{
    plant_check_seen(p, device, intervals, 1);
}

/* Reads all of a device and runs until it is done. */
static inline void plant_read(plant *p, uint32_t device)
{
    plant_forget(p);
    plant_begin_read(p, device, 1);
    weir_mono limit = weir_mono_add(p->now, WEIR_HOUR);
    while (!weir_master_idle(p->master) && plant_turn(p, limit))
        ;
    assert_int_equal(p->n_done, 1);
    plant_check_once(p, device, 1);
}

static inline size_t plant_count_bad(const plant *p)
{
    size_t n = 0;
    for (size_t t = 0; t < p->catalog.n_tags; t++)
        n += p->seen[t] && weir_quality_class(p->quality[t]) == WEIR_BAD;
    return n;
}

/* SPDX-License-Identifier: MIT */
/* Tests of imitations: what they show is what a plant serves, decoded. */

#include "sources/simulated/imitation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define POINT(n, r, a, t) \
    .name = (n), .unit = "", .description = "", .table = (r), .address = (a), .type = (t)
#define WAVE(w, low, high, step)                     \
    .simulate = {.wave = (w),                        \
                 .min = (low),                       \
                 .max = (high),                      \
                 .period_us = 600 * WEIR_S,          \
                 .resolution_mantissa = (step) != 0, \
                 .resolution_exponent = (step) ? (step) : 0}
#define PLAIN .bit = -1, .count = 1, .scale = 1

static const weir_enum_item states[] = {{0, "off"}, {1, "on"}};

static weir_point points[] = {
    {POINT("voltage", WEIR_REGISTER_INPUT, 0, WEIR_TYPE_FLOAT32), PLAIN,
     WAVE(WEIR_WAVE_SINE, 225, 235, -1)},
    {POINT("energy", WEIR_REGISTER_HOLDING, 10, WEIR_TYPE_UINT32), PLAIN,
     WAVE(WEIR_WAVE_COUNTER, 0, 100, -2)},
    {POINT("phase", WEIR_REGISTER_HOLDING, 20, WEIR_TYPE_INT16), .bit = -1, .count = 3, .scale = 1,
     WAVE(WEIR_WAVE_RANDOM_WALK, -500, 500, 0)},
    {POINT("status", WEIR_REGISTER_HOLDING, 30, WEIR_TYPE_UINT16), PLAIN,
     WAVE(WEIR_WAVE_RANDOM_WALK, 0, 65535, 0)},
    {POINT("status3", WEIR_REGISTER_HOLDING, 30, WEIR_TYPE_BOOL), .bit = 3, .count = 1, .scale = 1,
     WAVE(WEIR_WAVE_SQUARE, 0, 1, 0)},
    {POINT("a", WEIR_REGISTER_HOLDING, 31, WEIR_TYPE_BOOL), .bit = 0, .count = 1, .scale = 1,
     WAVE(WEIR_WAVE_SQUARE, 0, 1, 0)},
    {POINT("b", WEIR_REGISTER_HOLDING, 31, WEIR_TYPE_BOOL), .bit = 1, .count = 1, .scale = 1,
     WAVE(WEIR_WAVE_CONSTANT, 1, 1, 0)},
    {POINT("name", WEIR_REGISTER_HOLDING, 40, WEIR_TYPE_STRING), PLAIN, .length = 6},
    {POINT("serial", WEIR_REGISTER_HOLDING, 50, WEIR_TYPE_BYTES), PLAIN, .length = 4,
     WAVE(WEIR_WAVE_CONSTANT, 0, 0, 0)},
    {POINT("on", WEIR_REGISTER_COIL, 3, WEIR_TYPE_BOOL), PLAIN, WAVE(WEIR_WAVE_SQUARE, 0, 1, 0)},
    {POINT("row", WEIR_REGISTER_DISCRETE, 4, WEIR_TYPE_BYTES), .bit = -1, .count = 2, .scale = 1,
     .length = 19, WAVE(WEIR_WAVE_CONSTANT, 0, 0, 0)},
    {POINT("run", WEIR_REGISTER_COIL, 10, WEIR_TYPE_BYTES), PLAIN, .length = 11,
     WAVE(WEIR_WAVE_CONSTANT, 0, 0, 0)},
    {POINT("run3", WEIR_REGISTER_COIL, 13, WEIR_TYPE_BOOL), PLAIN, WAVE(WEIR_WAVE_SQUARE, 0, 1, 0)},
    {POINT("mode", WEIR_REGISTER_INPUT, 8, WEIR_TYPE_UINT16), PLAIN, .n_enum = 2,
     .enum_items = states, WAVE(WEIR_WAVE_CONSTANT, 7, 7, 0)},
    {POINT("narrow", WEIR_REGISTER_INPUT, 9, WEIR_TYPE_INT16), PLAIN, .has_max = true, .max = 10,
     WAVE(WEIR_WAVE_RAMP, 0, 100, 0)},
    {POINT("other", WEIR_REGISTER_FUNCTION, 0, WEIR_TYPE_RAW), PLAIN, .function = 7},
};
enum { N_POINTS = sizeof points / sizeof *points, N_TAGS = N_POINTS + 3 };

static uint32_t point_tag[N_POINTS];
static weir_tag tags[N_TAGS];
static weir_connection connection = {.name = "bus", .uri = {.scheme = WEIR_SCHEME_TCP}};
static weir_device device = {.name = "m",
                             .unit_id = 7,
                             .n_points = N_POINTS,
                             .points = points,
                             .point_tag = point_tag,
                             .n_tags = N_TAGS};
static weir_catalog catalog = {.n_connections = 1,
                               .connections = &connection,
                               .n_devices = 1,
                               .devices = &device,
                               .n_tags = N_TAGS,
                               .tags = tags};

static int number_tags(void **state)
{
    uint32_t n = 0;
    (void)state;
    for (uint32_t p = 0; p < N_POINTS; p++) {
        point_tag[p] = n;
        for (uint32_t e = 0; e < points[p].count; e++)
            tags[n++] = (weir_tag){.point = p, .element = e};
    }
    return n == N_TAGS ? 0 : -1;
}

/* As a poll of `weir simulate` would. */
static weir_value served(const weir_plant *plant, const weir_tag *tag, weir_wall t, uint8_t *room,
                         size_t n_room, weir_quality *ret_quality)
{
    const weir_point *p = &points[tag->point];
    const unsigned size = weir_point_element_size(p);
    uint16_t words[32];
    uint8_t wire[64] = {0};
    weir_writer writer = weir_writer_of(room, n_room);
    assert_int_equal(weir_plant_read(plant, 7, p->table,
                                     (uint16_t)(p->address + tag->element * size), (uint16_t)size,
                                     t, words),
                     0);
    for (size_t i = 0; i < size; i++) {
        if (weir_register_is_bits(p->table)) {
            wire[i / 8] |= (uint8_t)(words[i] << i % 8);
            continue;
        }
        wire[2 * i] = (uint8_t)(words[i] >> 8);
        wire[2 * i + 1] = (uint8_t)words[i];
    }
    return weir_point_decode(p, wire, weir_point_wire_bytes(p), &writer, ret_quality);
}

static void every_tag_shows_what_is_served_over_modbus(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_imitation_free) weir_imitation *imitation = NULL;
    WEIR_CLEANUP(weir_plant_free) weir_plant *plant = weir_plant_new(5);
    connection.uri.scheme = WEIR_SCHEME_TCP;
    assert_non_null(plant);
    assert_int_equal(weir_plant_add(plant, 7, points, N_POINTS, NULL), WEIR_OK);
    assert_int_equal(weir_imitation_new(&catalog, 5, false, &imitation, NULL), WEIR_OK);
    size_t bad = 0, from_plant = 0;
    for (size_t i = 0; i < N_TAGS; i++) {
        weir_imitated tag;
        const bool shown = weir_imitated_init(&tag, imitation, i);
        assert_int_equal(shown, points[tags[i].point].table != WEIR_REGISTER_FUNCTION);
        from_plant += tag.plant != NULL;
        for (int64_t s = 0; shown && s < 1000; s += 7) {
            const weir_wall t = {1772366400 * WEIR_S + s * WEIR_S};
            uint8_t room[64], other_room[64];
            weir_quality quality, want_quality;
            const weir_value got = weir_imitated_at(&tag, t, room, &quality);
            const weir_value want =
                served(plant, &tags[i], t, other_room, sizeof other_room, &want_quality);
            assert_true(weir_imitated_room(&tag) <= sizeof room);
            if (!weir_value_identical(&got, &want) || quality != want_quality)
                fail_msg("%s differs at +%d s", points[tags[i].point].name, (int)s);
            bad += weir_quality_class(quality) == WEIR_BAD;
        }
    }
    assert_true(bad > 0);            /* above its max */
    assert_int_equal(from_plant, 6); /* status and its bit, a and b, run and one of it */
}

static void a_simulated_connection_shows_the_wave_itself(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_imitation_free) weir_imitation *imitation = NULL;
    const weir_wall t = {1772366400 * WEIR_S};
    connection.uri.scheme = WEIR_SCHEME_SIMULATED;
    assert_int_equal(weir_imitation_new(&catalog, 5, false, &imitation, NULL), WEIR_OK);
    for (size_t i = 0; i < N_TAGS; i++) {
        weir_imitated tag;
        uint8_t room[WEIR_WAVE_ROOM], other_room[WEIR_WAVE_ROOM];
        weir_quality quality = 1;
        assert_true(weir_imitated_init(&tag, imitation, i));
        const weir_value got = weir_imitated_at(&tag, t, room, &quality);
        const weir_value want = weir_wave_value(
            &points[tags[i].point], (weir_wave_key){5, 7, tags[i].element}, t, other_room);
        assert_true(weir_value_identical(&got, &want));
        assert_int_equal(quality, 0);
    }
}

static void through_registers_a_simulated_connection_is_served_too(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_imitation_free) weir_imitation *imitation = NULL;
    weir_imitated voltage;
    weir_quality quality;
    uint8_t room[WEIR_WAVE_ROOM];
    connection.uri.scheme = WEIR_SCHEME_SIMULATED;
    assert_int_equal(weir_imitation_new(&catalog, 5, true, &imitation, NULL), WEIR_OK);
    assert_true(weir_imitated_init(&voltage, imitation, 0));
    assert_int_equal(weir_imitated_at(&voltage, (weir_wall){0}, room, &quality).kind,
                     WEIR_KIND_F32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tag_shows_what_is_served_over_modbus),
        cmocka_unit_test(a_simulated_connection_shows_the_wave_itself),
        cmocka_unit_test(through_registers_a_simulated_connection_is_served_too),
    };
    return cmocka_run_group_tests(tests, number_tags, NULL);
}

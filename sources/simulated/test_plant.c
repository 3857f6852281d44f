/* SPDX-License-Identifier: MIT */
/* Tests of the plant: points as registers. */

#include "sources/simulated/plant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"

#define POINT(n, r, a, t)                                                               \
    .name = (n), .unit = "", .description = "", .table = (r), .function = (uint8_t)(r), \
    .address = (a), .type = (t), .scale = 1
#define CONSTANT(v) \
    .simulate = {.wave = WEIR_WAVE_CONSTANT, .min = (v), .max = (v), .resolution_mantissa = 1}

static const weir_point points[] = {
    {POINT("big", WEIR_REGISTER_HOLDING, 100, WEIR_TYPE_UINT32), CONSTANT(0x12345678), .bit = -1,
     .count = 1},
    {POINT("swapped", WEIR_REGISTER_HOLDING, 102, WEIR_TYPE_UINT32), CONSTANT(0x12345678),
     .order = WEIR_ORDER_CDAB, .bit = -1, .count = 1},
    {POINT("many", WEIR_REGISTER_HOLDING, 110, WEIR_TYPE_UINT16), CONSTANT(7), .bit = -1,
     .count = 3},
    {POINT("bit2", WEIR_REGISTER_HOLDING, 120, WEIR_TYPE_BOOL), CONSTANT(1), .bit = 2, .count = 1},
    {POINT("bit15", WEIR_REGISTER_HOLDING, 120, WEIR_TYPE_BOOL), CONSTANT(1), .bit = 15,
     .count = 1},
    {POINT("status", WEIR_REGISTER_HOLDING, 121, WEIR_TYPE_UINT16), CONSTANT(0x00f0), .bit = -1,
     .count = 1},
    {POINT("status0", WEIR_REGISTER_HOLDING, 121, WEIR_TYPE_BOOL), CONSTANT(1), .bit = 0,
     .count = 1},
    {POINT("name", WEIR_REGISTER_HOLDING, 130, WEIR_TYPE_STRING), .bit = -1, .count = 1,
     .length = 6},
    {POINT("on", WEIR_REGISTER_COIL, 3, WEIR_TYPE_BOOL), CONSTANT(1), .bit = -1, .count = 1},
    {POINT("off", WEIR_REGISTER_COIL, 5, WEIR_TYPE_BOOL), CONSTANT(0), .bit = -1, .count = 1},
    {POINT("end", WEIR_REGISTER_INPUT, 65535, WEIR_TYPE_UINT16), CONSTANT(9), .bit = -1,
     .count = 1},
};

static const weir_wall noon = {1772366400LL * WEIR_S};

static int plant_setup(void **state)
{
    weir_plant *plant = weir_plant_new(1);
    *state = plant;
    return !plant || weir_plant_add(plant, 7, points, sizeof points / sizeof *points, NULL);
}

static int plant_teardown(void **state)
{
    weir_plant_free(*state);
    return 0;
}

static void registers_show_the_points(void **state)
{
    static const struct {
        const char *name;
        uint16_t address, n, want[6];
    } cases[] = {
        {"whole value", 100, 2, {0x1234, 0x5678}},
        {"low word first", 102, 2, {0x5678, 0x1234}},
        {"half of one", 101, 1, {0x5678}},
        {"halves of two", 101, 2, {0x5678, 0x5678}},
        {"elements", 110, 3, {7, 7, 7}},
        {"last element", 112, 1, {7}},
        {"a hole is zero", 103, 4, {0x1234, 0, 0, 0}},
        {"bits gather in one word", 120, 1, {0x8004}},
        {"a word hides the bits in it", 121, 1, {0x00f0}},
        {"text", 130, 3, {0x6e61, 0x6d65, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t got[6];
        memset(got, 0xee, sizeof got);
        int code = weir_plant_read(*state, 7, WEIR_REGISTER_HOLDING, cases[i].address, cases[i].n,
                                   noon, got);
        if (code != 0 || memcmp(got, cases[i].want, cases[i].n * sizeof *got) != 0)
            fail_msg("%s: %d, %04x %04x", cases[i].name, code, got[0], got[1]);
        if (cases[i].n < 6)
            assert_int_equal(got[cases[i].n], 0xeeee);
    }
}

static void bits_are_zero_or_one(void **state)
{
    uint16_t got[3];
    assert_int_equal(weir_plant_read(*state, 7, WEIR_REGISTER_COIL, 3, 3, noon, got), 0);
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], 0);
    assert_int_equal(got[2], 0);
}

static void what_is_not_there_is_refused(void **state)
{
    static const struct {
        uint8_t unit;
        weir_register table;
        uint16_t address, n;
        int want;
    } cases[] = {
        {8, WEIR_REGISTER_HOLDING, 100, 1, WEIR_PLANT_NO_UNIT},
        {7, WEIR_REGISTER_HOLDING, 99, 2, WEIR_PLANT_NO_ADDRESS},
        {7, WEIR_REGISTER_HOLDING, 132, 2, WEIR_PLANT_NO_ADDRESS},
        {7, WEIR_REGISTER_HOLDING, 65535, 1, WEIR_PLANT_NO_ADDRESS},
        {7, WEIR_REGISTER_DISCRETE, 3, 1, WEIR_PLANT_NO_ADDRESS},
        {7, WEIR_REGISTER_COIL, 5, 2, WEIR_PLANT_NO_ADDRESS},
        {7, WEIR_REGISTER_INPUT, 65535, 1, 0},
        {7, WEIR_REGISTER_INPUT, 65535, 2, WEIR_PLANT_NO_ADDRESS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t got[4];
        assert_int_equal(weir_plant_read(*state, cases[i].unit, cases[i].table, cases[i].address,
                                         cases[i].n, noon, got),
                         cases[i].want);
    }
}

static void a_filled_unit_has_every_address_and_answers_for_others(void **state)
{
    weir_plant *plant = *state;
    static const weir_register tables[] = {WEIR_REGISTER_COIL, WEIR_REGISTER_DISCRETE,
                                           WEIR_REGISTER_INPUT, WEIR_REGISTER_HOLDING};
    uint16_t got[4];
    weir_plant_fill(plant, 7);
    weir_plant_any_unit(plant, 7);
    for (size_t i = 0; i < 4; i++) {
        memset(got, 0xee, sizeof got);
        assert_int_equal(weir_plant_read(plant, 7, tables[i], 50000, 3, noon, got), 0);
        assert_true(got[0] == 0 && got[1] == 0 && got[2] == 0 && got[3] == 0xeeee);
        assert_int_equal(weir_plant_read(plant, 7, tables[i], 65533, 3, noon, got), 0);
        assert_int_equal(got[2], tables[i] == WEIR_REGISTER_INPUT ? 9 : 0);
        assert_int_equal(weir_plant_read(plant, 7, tables[i], 65533, 4, noon, got),
                         WEIR_PLANT_NO_ADDRESS);
    }
    assert_int_equal(weir_plant_read(plant, 0, WEIR_REGISTER_HOLDING, 99, 3, noon, got), 0);
    assert_true(got[0] == 0 && got[1] == 0x1234 && got[2] == 0x5678);
    assert_int_equal(weir_plant_read(plant, 255, WEIR_REGISTER_COIL, 0, 4, noon, got), 0);
    assert_int_equal(got[3], 1);
}

static void before_the_first_update_there_is_nothing_if_so_wanted(void **state)
{
    weir_update update = {.zone = weir_zone_utc(), .zone_name = "UTC", .zero_before = true};
    weir_point p = points[2];
    uint16_t got[1] = {1};
    (void)state;
    assert_int_equal(weir_cron_parse("50 * * * * *", &update.cron, NULL), WEIR_OK);
    p.update = &update;
    for (int zero = 0; zero < 2; zero++) {
        WEIR_CLEANUP(weir_plant_free) weir_plant *plant = weir_plant_new(1);
        update.zero_before = zero;
        weir_plant_start(plant, noon);
        assert_int_equal(weir_plant_add(plant, 1, &p, 1, NULL), WEIR_OK);
        assert_int_equal(weir_plant_read(plant, 1, p.table, 110, 1, noon, got), 0);
        assert_int_equal(got[0], zero ? 0 : 7);
        const weir_wall before = {noon.us + 50 * WEIR_S - 1}, then = {noon.us + 50 * WEIR_S};
        assert_int_equal(weir_plant_read(plant, 1, p.table, 110, 1, before, got), 0);
        assert_int_equal(got[0], zero ? 0 : 7);
        assert_int_equal(weir_plant_read(plant, 1, p.table, 110, 1, then, got), 0);
        assert_int_equal(got[0], 7);
    }
}

static void a_refused_allocation_is_an_error_and_no_leak(void **state)
{
    (void)state;
    for (size_t nth = 1; nth < 10; nth++) {
        weir_error error = WEIR_ERROR_INIT;
        (void)weir_alloc_fail_nth(nth, false);
        weir_plant *plant = weir_plant_new(1);
        weir_err err = plant ? weir_plant_add(plant, 1, points, 2, &error) : WEIR_ENOMEM;
        (void)weir_alloc_fail_nth(0, false);
        assert_true(err == WEIR_OK || err == WEIR_ENOMEM);
        assert_true(err == WEIR_OK || nth < 4);
        weir_plant_free(plant);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(registers_show_the_points, plant_setup, plant_teardown),
        cmocka_unit_test_setup_teardown(bits_are_zero_or_one, plant_setup, plant_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_refused, plant_setup, plant_teardown),
        cmocka_unit_test_setup_teardown(a_filled_unit_has_every_address_and_answers_for_others,
                                        plant_setup, plant_teardown),
        cmocka_unit_test(before_the_first_update_there_is_nothing_if_so_wanted),
        cmocka_unit_test(a_refused_allocation_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

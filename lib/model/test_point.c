/* SPDX-License-Identifier: MIT */
/* Tests of tables, addresses, sizes and scales of points. */

#include "model/point.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void tables_have_many_names(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        weir_register table;
    } cases[] = {
        {"coil", WEIR_REGISTER_COIL},
        {"CO", WEIR_REGISTER_COIL},
        {"0", WEIR_REGISTER_COIL},
        {"0x", WEIR_REGISTER_COIL},
        {"Discrete", WEIR_REGISTER_DISCRETE},
        {"di", WEIR_REGISTER_DISCRETE},
        {"1", WEIR_REGISTER_DISCRETE},
        {"1X", WEIR_REGISTER_DISCRETE},
        {"input", WEIR_REGISTER_INPUT},
        {"ir", WEIR_REGISTER_INPUT},
        {"3", WEIR_REGISTER_INPUT},
        {"3x", WEIR_REGISTER_INPUT},
        {"HOLDING", WEIR_REGISTER_HOLDING},
        {"hr", WEIR_REGISTER_HOLDING},
        {"4", WEIR_REGISTER_HOLDING},
        {"4x", WEIR_REGISTER_HOLDING},
    };
    weir_register table;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!weir_register_parse(cases[i].word, &table) || table != cases[i].table)
            fail_msg("%s", cases[i].word);
    assert_false(weir_register_parse("2", &table));
    assert_false(weir_register_parse("", &table));
    assert_false(weir_register_parse("function", &table));
    assert_string_equal(weir_register_text(WEIR_REGISTER_HOLDING), "holding");
    assert_string_equal(weir_register_text(WEIR_REGISTER_INPUT), "input");
    assert_string_equal(weir_register_text(WEIR_REGISTER_COIL), "coil");
    assert_string_equal(weir_register_text(WEIR_REGISTER_DISCRETE), "discrete");
    assert_string_equal(weir_register_text(WEIR_REGISTER_FUNCTION), "function");
}

static void addresses_are_wire_numbers_unless_written_as_modicon(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool modicon, ok;
        uint16_t wire;
        int table; /* -1: not said */
    } cases[] = {
        {"0", false, true, 0, -1},
        {"52", false, true, 52, -1},
        {"0x34", false, true, 52, -1},
        {"65535", false, true, 65535, -1},
        {"40001", false, true, 40001, -1}, /* a bare number is what goes on the wire */
        {"0052", false, true, 52, -1},
        {"65536", false, false, 0, 0},
        {"400001", false, false, 0, 0},
        {"-1", false, false, 0, 0},
        {"", false, false, 0, 0},
        {"4x1", false, false, 0, 0},
        {"52", true, true, 52, -1}, /* quoted, but too short for Modicon */
        {"0x9c41", true, true, 40001, -1},
        {"40001", true, true, 0, WEIR_REGISTER_HOLDING},
        {"400001", true, true, 0, WEIR_REGISTER_HOLDING},
        {"49999", true, true, 9998, WEIR_REGISTER_HOLDING},
        {"465536", true, true, 65535, WEIR_REGISTER_HOLDING},
        {"30001", true, true, 0, WEIR_REGISTER_INPUT},
        {"310007", true, true, 10006, WEIR_REGISTER_INPUT},
        {"10001", true, true, 0, WEIR_REGISTER_DISCRETE},
        {"00017", true, true, 16, WEIR_REGISTER_COIL},
        {"000017", true, true, 16, WEIR_REGISTER_COIL},
        {"40000", true, false, 0, 0}, /* Modicon numbers begin at 1 */
        {"465537", true, false, 0, 0},
        {"20001", true, false, 0, 0}, /* no such table */
        {"65535", true, false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_address a = {.wire = 4242};
        const bool ok = weir_address_parse(cases[i].text, cases[i].modicon, &a);
        if (ok != cases[i].ok || a.wire != (ok ? cases[i].wire : 4242) ||
            (ok && a.has_table != (cases[i].table >= 0)) ||
            (a.has_table && (int)a.table != cases[i].table))
            fail_msg("\"%s\" modicon=%d: %d wire %u", cases[i].text, cases[i].modicon, ok, a.wire);
    }
}

static void sizes_count_registers_and_bits(void **state)
{
    (void)state;
    static const struct {
        weir_register table;
        weir_type type;
        uint16_t length, count;
        unsigned element, all;
    } cases[] = {
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_BOOL, 0, 1, 1, 1},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_UINT8, 0, 1, 1, 1},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_UINT16, 0, 1, 1, 1},
        {WEIR_REGISTER_INPUT, WEIR_TYPE_FLOAT32, 0, 3, 2, 6},
        {WEIR_REGISTER_INPUT, WEIR_TYPE_BCD64, 0, 1, 4, 4},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_STRING, 5, 2, 3, 6},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_STRING, 32, 1, 16, 16},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_BYTES, 65535, 1, 32768, 32768},
        {WEIR_REGISTER_FUNCTION, WEIR_TYPE_RAW, 0, 1, 1, 1},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_BITFIELD, 0, 1, 1, 1},
        {WEIR_REGISTER_COIL, WEIR_TYPE_BOOL, 0, 10, 1, 10},
        {WEIR_REGISTER_COIL, WEIR_TYPE_BYTES, 19, 2, 19, 38},
        {WEIR_REGISTER_DISCRETE, WEIR_TYPE_BYTES, 2000, 1, 2000, 2000},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_UINT64, 0, 65535, 4, 262140},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = WEIR_POINT_INIT;
        p.table = cases[i].table;
        p.type = cases[i].type;
        p.length = cases[i].length;
        p.count = cases[i].count;
        assert_int_equal(weir_point_element_size(&p), cases[i].element);
        assert_int_equal(weir_point_size(&p), cases[i].all);
    }
}

static void bytes_on_the_wire_follow_from_table_type_and_length(void **state)
{
    (void)state;
    static const struct {
        weir_register table;
        weir_type type;
        uint16_t length;
        unsigned wire, contents;
        bool is_bool;
    } cases[] = {
        {WEIR_REGISTER_COIL, WEIR_TYPE_BOOL, 0, 1, 0, true},
        {WEIR_REGISTER_DISCRETE, WEIR_TYPE_UINT16, 0, 1, 0, true}, /* whatever it says */
        {WEIR_REGISTER_COIL, WEIR_TYPE_BYTES, 1, 1, 1, false},
        {WEIR_REGISTER_COIL, WEIR_TYPE_BYTES, 8, 1, 1, false},
        {WEIR_REGISTER_COIL, WEIR_TYPE_BYTES, 19, 3, 3, false},
        {WEIR_REGISTER_DISCRETE, WEIR_TYPE_BYTES, 2000, 250, 250, false},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_BOOL, 0, 2, 0, true},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_FLOAT64, 0, 8, 0, false},
        {WEIR_REGISTER_INPUT, WEIR_TYPE_BYTES, 3, 4, 3, false},
        {WEIR_REGISTER_FUNCTION, WEIR_TYPE_RAW, 7, 7, 7, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = WEIR_POINT_INIT;
        p.table = cases[i].table;
        p.type = cases[i].type;
        p.length = cases[i].length;
        assert_int_equal(weir_point_wire_bytes(&p), cases[i].wire);
        assert_int_equal(weir_point_contents_size(&p), cases[i].contents);
        assert_int_equal(weir_point_is_bool(&p), cases[i].is_bool);
    }
}

static void powers_of_ten_stay_decimal(void **state)
{
    (void)state;
    static const struct {
        weir_type type;
        const char *scale, *offset, *multiply;
        weir_scaling scaling;
        int exponent, sign;
        int64_t decimal_offset;
        double number, shift;
    } cases[] = {
        {WEIR_TYPE_INT16, NULL, NULL, NULL, WEIR_SCALING_NONE, 0, 1, 0, 1, 0},
        {WEIR_TYPE_INT16, "1", "0", "1", WEIR_SCALING_NONE, 0, 1, 0, 1, 0},
        {WEIR_TYPE_INT16, "1.0", "0.00", NULL, WEIR_SCALING_NONE, 0, 1, 0, 1, 0},
        {WEIR_TYPE_INT16, "0.001", NULL, NULL, WEIR_SCALING_DECIMAL, -3, 1, 0, 0.001, 0},
        {WEIR_TYPE_UINT32, "1e3", NULL, NULL, WEIR_SCALING_DECIMAL, 3, 1, 0, 1000, 0},
        {WEIR_TYPE_UINT32, "-0.1", NULL, NULL, WEIR_SCALING_DECIMAL, -1, -1, 0, -0.1, 0},
        {WEIR_TYPE_INT16, NULL, "-40", NULL, WEIR_SCALING_DECIMAL, 0, 1, -40, 1, -40},
        {WEIR_TYPE_INT16, "0.1", "-40", NULL, WEIR_SCALING_DECIMAL, -1, 1, -400, 0.1, -40},
        {WEIR_TYPE_INT16, "0.1", "2.5", NULL, WEIR_SCALING_DECIMAL, -1, 1, 25, 0.1, 2.5},
        {WEIR_TYPE_INT16, "0.1", "0.05", NULL, WEIR_SCALING_DOUBLE, 0, 1, 0, 0.1, 0.05},
        {WEIR_TYPE_INT16, "10", "5", NULL, WEIR_SCALING_DOUBLE, 0, 1, 0, 10, 5},
        {WEIR_TYPE_INT16, "0.5", NULL, NULL, WEIR_SCALING_DOUBLE, 0, 1, 0, 0.5, 0},
        {WEIR_TYPE_INT32, "1.52587890625E-5", NULL, NULL, WEIR_SCALING_DOUBLE, 0, 1, 0, 1.0 / 65536,
         0},
        {WEIR_TYPE_FLOAT32, "0.001", NULL, NULL, WEIR_SCALING_DOUBLE, 0, 1, 0, 0.001, 0},
        {WEIR_TYPE_FLOAT32, "1", NULL, NULL, WEIR_SCALING_NONE, 0, 1, 0, 1, 0},
        {WEIR_TYPE_BCD32, "0.01", NULL, NULL, WEIR_SCALING_DECIMAL, -2, 1, 0, 0.01, 0},
        /* A current transformer of 40: 1; of 100: 1, where the decimal survives. */
        {WEIR_TYPE_INT16, "0.1", NULL, "40", WEIR_SCALING_DOUBLE, 0, 1, 0, 4, 0},
        {WEIR_TYPE_INT16, "0.1", "1", "100", WEIR_SCALING_DECIMAL, 1, 1, 10, 10, 100},
        {WEIR_TYPE_INT16, "0.025", NULL, "40", WEIR_SCALING_NONE, 0, 1, 0, 1, 0},
        {WEIR_TYPE_INT16, "0.25", NULL, "0.4", WEIR_SCALING_DECIMAL, -1, 1, 0, 0.1, 0},
        {WEIR_TYPE_INT16, "0.1", NULL, "3", WEIR_SCALING_DOUBLE, 0, 1, 0, 0.3, 0},
        /* More digits than 63 bits hold. */
        {WEIR_TYPE_INT16, "0.12345678901234567890123", NULL, NULL, WEIR_SCALING_DOUBLE, 0, 1, 0,
         0.12345678901234567890123, 0},
        {WEIR_TYPE_INT16, "0.1", "99999999999999999999", NULL, WEIR_SCALING_DOUBLE, 0, 1, 0, 0.1,
         1e20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = WEIR_POINT_INIT;
        weir_error error = WEIR_ERROR_INIT;
        p.type = cases[i].type;
        if (weir_point_set_scale(&p, cases[i].scale, cases[i].offset, cases[i].multiply, &error))
            fail_msg("row %zu: %s", i, error.text);
        if (p.scaling != cases[i].scaling || p.exponent != cases[i].exponent ||
            p.sign != cases[i].sign || p.decimal_offset != cases[i].decimal_offset ||
            p.scale != cases[i].number || p.offset != cases[i].shift)
            fail_msg("row %zu: scaling %d e%d sign %d offset %lld, %.17g %.17g", i, p.scaling,
                     p.exponent, p.sign, (long long)p.decimal_offset, p.scale, p.offset);
    }
}

static void scales_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    weir_error error = WEIR_ERROR_INIT;
    weir_point p = WEIR_POINT_INIT;
    assert_int_equal(weir_point_set_scale(&p, "many", NULL, NULL, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "scale must be a number, not \"many\"");
    assert_int_equal(weir_point_set_scale(&p, "1", "1,5", NULL, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "offset must be a number, not \"1,5\"");
    assert_int_equal(weir_point_set_scale(&p, "1", NULL, "", &error), WEIR_EINVAL);
    assert_int_equal(weir_point_set_scale(&p, "0", NULL, NULL, &error), WEIR_EINVAL);
    assert_int_equal(weir_point_set_scale(&p, "0.1", NULL, "0", &error), WEIR_EINVAL);
    p.type = WEIR_TYPE_STRING;
    assert_int_equal(weir_point_set_scale(&p, "0.1", NULL, NULL, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "a string has no scale, offset or multiplier");
    assert_int_equal(weir_point_set_scale(&p, NULL, NULL, NULL, &error), WEIR_OK);
    p.type = WEIR_TYPE_UINT16;
    p.bit = 3;
    assert_int_equal(weir_point_set_scale(&p, NULL, "1", NULL, &error), WEIR_EINVAL);
    p.bit = -1;
    p.table = WEIR_REGISTER_COIL;
    assert_int_equal(weir_point_set_scale(&p, NULL, NULL, "2", &error), WEIR_EINVAL);
    p.type = WEIR_TYPE_BYTES;
    p.length = 10;
    assert_int_equal(weir_point_set_scale(&p, "2", NULL, NULL, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "a bytes has no scale, offset or multiplier");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_have_many_names),
        cmocka_unit_test(addresses_are_wire_numbers_unless_written_as_modicon),
        cmocka_unit_test(sizes_count_registers_and_bits),
        cmocka_unit_test(bytes_on_the_wire_follow_from_table_type_and_length),
        cmocka_unit_test(powers_of_ten_stay_decimal),
        cmocka_unit_test(scales_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

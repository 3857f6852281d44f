/* SPDX-License-Identifier: MIT */
/* Tests of encoding: the exact inverse of decoding, rounding, and refusals. */

#include "model/point.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"

static const char *const scales[] = {NULL, "0.001", "-0.1", "100", "0.5", "1.52587890625E-5"};
enum { N_SCALES = sizeof scales / sizeof *scales };

static void describe(const weir_point *p, const uint8_t *wire, size_t n, weir_text *t)
{
    weir_text_format(t, "%s %s scale %g:", weir_type_text(p->type), weir_order_text(p->order, 8),
                     p->scale);
    weir_text_add_hex(t, wire, n, n);
}

/* Decodes and encodes random wire bytes of one point; counts what could be compared. */
static size_t round_trips(const weir_point *p, weir_random *random, unsigned rounds)
{
    const size_t n = 2 * (size_t)weir_point_element_size(p);
    size_t compared = 0;
    for (unsigned i = 0; i < rounds; i++) {
        uint8_t wire[8], again[8], room_bytes[8];
        size_t again_n = 0;
        weir_quality q;
        weir_writer room = weir_writer_of(room_bytes, sizeof room_bytes);
        weir_error error = WEIR_ERROR_INIT;
        for (size_t k = 0; k < n; k++)
            wire[k] = (uint8_t)weir_random_u64(random);
        if (weir_type_width(p->type) == 1) /* the other half of the register is not the point's */
            wire[(p->order == WEIR_ORDER_ABCD) ? 0 : 1] = 0;
        if (p->type == WEIR_TYPE_BOOL)
            memcpy(wire, i & 1 ? "\0\1" : "\0\0", 2);
        if (p->type == WEIR_TYPE_BCD16 || p->type == WEIR_TYPE_BCD32 || p->type == WEIR_TYPE_BCD64)
            for (size_t k = 0; k < n; k++)
                wire[k] = (uint8_t)(wire[k] % 10 | (wire[k] >> 4) % 10 << 4);
        const weir_value v = weir_point_decode(p, wire, n, &room, &q);
        if (weir_quality_class(q) == WEIR_BAD ||
            (q && p->scaling != WEIR_SCALING_NONE)) /* scaling may quieten a NaN */
            continue;
        compared++;
        if (weir_point_encode(p, &v, again, sizeof again, &again_n, &error) || again_n != n ||
            memcmp(wire, again, n) != 0) {
            char text[200];
            weir_text t = WEIR_TEXT_INIT;
            describe(p, wire, n, &t);
            weir_text_add(&t, " became ");
            weir_text_add_hex(&t, again, again_n, again_n);
            (void)snprintf(text, sizeof text, "%.90s %.100s", weir_text_get(&t), error.text);
            weir_text_deinit(&t);
            fail_msg("%s", text);
        }
    }
    return compared;
}

/* A double has 53 bits: 64-bit numbers lose some when scaled by it, and a float of 32 bits may
 * leave its range. Those are the only combinations that cannot come back. */
static bool scaling_loses(const weir_point *p)
{
    const bool wide = weir_type_width(p->type) == 8;
    return p->scaling == WEIR_SCALING_DOUBLE && wide;
}

static void encoding_undoes_decoding_for_every_type_order_and_scale(void **state)
{
    (void)state;
    weir_random random = {3};
    for (int type = 0; type < WEIR_TYPE_COUNT; type++)
        for (int order = 0; order < WEIR_ORDER_COUNT; order++)
            for (int scale = 0; scale < N_SCALES; scale++) {
                weir_point p = WEIR_POINT_INIT;
                p.type = (weir_type)type;
                p.order = (weir_order)order;
                p.length = 8;
                p.bit_width = 16;
                if (p.type == WEIR_TYPE_STRING || p.type == WEIR_TYPE_BOOL ||
                    (p.type == WEIR_TYPE_INT8 && order > 0 && order != WEIR_ORDER_DCBA) ||
                    (p.type == WEIR_TYPE_UINT8 && order > 0 && order != WEIR_ORDER_DCBA))
                    continue; /* texts and halves of registers have tests of their own */
                if (weir_point_set_scale(&p, scales[scale], NULL, NULL, NULL))
                    continue; /* bytes have no scale */
                if (scaling_loses(&p) ||
                    (p.type == WEIR_TYPE_UINT64 && p.scaling == WEIR_SCALING_DECIMAL))
                    continue;
                assert_true(round_trips(&p, &random, 50) >= 40);
            }
}

static void sixty_four_bits_survive_a_decimal_scale(void **state)
{
    (void)state;
    weir_point p = WEIR_POINT_INIT;
    weir_random random = {4};
    p.type = WEIR_TYPE_INT64;
    assert_int_equal(weir_point_set_scale(&p, "0.001", "12", NULL, NULL), WEIR_OK);
    assert_true(round_trips(&p, &random, 1000) >= 999);
    /* Above 2^63-1 an unsigned number becomes a double; below it is exact. */
    p.type = WEIR_TYPE_UINT64;
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t wire[8], again[8];
        size_t n;
        weir_quality q;
        weir_writer w = weir_writer_of(wire, sizeof wire);
        weir_write_u64(&w, weir_random_u64(&random) >> 2);
        const weir_value v = weir_point_decode(&p, wire, 8, NULL, &q);
        assert_int_equal(v.kind, WEIR_KIND_DECIMAL);
        assert_int_equal(weir_point_encode(&p, &v, again, sizeof again, &n, NULL), WEIR_OK);
        assert_memory_equal(wire, again, 8);
    }
}

static void every_half_float_comes_back(void **state)
{
    (void)state;
    weir_point p = WEIR_POINT_INIT;
    p.type = WEIR_TYPE_FLOAT16;
    for (unsigned i = 0; i <= 0xffff; i++) {
        const uint8_t wire[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        uint8_t again[2];
        size_t n;
        weir_quality q;
        const weir_value v = weir_point_decode(&p, wire, 2, NULL, &q);
        assert_int_equal(weir_point_encode(&p, &v, again, sizeof again, &n, NULL), WEIR_OK);
        assert_memory_equal(wire, again, 2);
    }
}

struct row {
    const char *name;
    weir_type type;
    weir_order order;
    const char *scale, *offset;
    weir_value value;
    const char *hex; /* NULL: refused */
    weir_err err;
};

#define I64(x)                             \
    {                                      \
        .kind = WEIR_KIND_I64, .as.i = (x) \
    }
#define U64(x)                             \
    {                                      \
        .kind = WEIR_KIND_U64, .as.u = (x) \
    }
#define F32(x)                               \
    {                                        \
        .kind = WEIR_KIND_F32, .as.f32 = (x) \
    }
#define F64(x)                               \
    {                                        \
        .kind = WEIR_KIND_F64, .as.f64 = (x) \
    }
#define BOOL(x)                                \
    {                                          \
        .kind = WEIR_KIND_BOOL, .as.bits = (x) \
    }
#define DECIMAL(m, e)                                           \
    {                                                           \
        .kind = WEIR_KIND_DECIMAL, .exponent = (e), .as.i = (m) \
    }
#define TEXT(x)                                                           \
    {                                                                     \
        .kind = WEIR_KIND_STRING, .length = sizeof(x) - 1, .as.text = (x) \
    }
#define BYTES(x)                                                         \
    {                                                                    \
        .kind = WEIR_KIND_BYTES, .length = sizeof(x) - 1, .as.text = (x) \
    }

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        weir_point p = WEIR_POINT_INIT;
        weir_error error = WEIR_ERROR_INIT;
        uint8_t want[16], got[16];
        size_t n = 0;
        p.type = row->type;
        p.order = row->order;
        p.length = 4;
        if (weir_point_set_scale(&p, row->scale, row->offset, NULL, NULL))
            fail_msg("%s: scale", row->name);
        const weir_err err = weir_point_encode(&p, &row->value, got, sizeof got, &n, &error);
        const int want_n = row->hex ? weir_hex_parse(row->hex, want, sizeof want) : 0;
        if (err != row->err || (int)n != want_n || memcmp(want, got, n) != 0)
            fail_msg("%s: %s %s, %zu bytes, first %02x%02x", row->name, weir_err_text(err),
                     error.text, n, got[0], got[1]);
        if (err && !*error.text)
            fail_msg("%s: no words", row->name);
    }
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void numbers_of_any_kind_are_rounded_to_the_type(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"float to int", WEIR_TYPE_INT16, 0, NULL, NULL, F64(2.5), "00 03", 0},
        {"negative half", WEIR_TYPE_INT16, 0, NULL, NULL, F64(-2.5), "ff fd", 0},
        {"just below half", WEIR_TYPE_INT16, 0, NULL, NULL, F32(2.4999f), "00 02", 0},
        {"decimal to int", WEIR_TYPE_UINT16, 0, NULL, NULL, DECIMAL(125, -1), "00 0d", 0},
        {"coarse decimal", WEIR_TYPE_UINT16, 0, NULL, NULL, DECIMAL(3, 2), "01 2c", 0},
        {"tiny decimal", WEIR_TYPE_UINT16, 0, NULL, NULL, DECIMAL(INT64_MAX, -100), "00 00", 0},
        {"decimal zero", WEIR_TYPE_UINT16, 0, NULL, NULL, DECIMAL(0, 100), "00 00", 0},
        {"230.1 in tenths", WEIR_TYPE_UINT16, 0, "0.1", NULL, F64(230.1), "08 fd", 0},
        {"230.14 in tenths", WEIR_TYPE_UINT16, 0, "0.1", NULL, DECIMAL(23014, -2), "08 fd", 0},
        {"230.15 in tenths", WEIR_TYPE_UINT16, 0, "0.1", NULL, DECIMAL(23015, -2), "08 fe", 0},
        {"whole in tenths", WEIR_TYPE_UINT16, 0, "0.1", NULL, I64(230), "08 fc", 0},
        {"offset", WEIR_TYPE_UINT16, 0, "0.1", "-40", DECIMAL(266, -1), "02 9a", 0},
        {"negative scale", WEIR_TYPE_UINT16, 0, "-0.1", NULL, DECIMAL(-7, -1), "00 07", 0},
        {"1/65536", WEIR_TYPE_INT32, 0, "1.52587890625E-5", NULL, F64(120.5), "00 78 80 00", 0},
        {"int to float", WEIR_TYPE_FLOAT32, 0, NULL, NULL, I64(-1), "bf 80 00 00", 0},
        {"decimal to float", WEIR_TYPE_FLOAT32, WEIR_ORDER_CDAB, NULL, NULL, DECIMAL(2301, -1),
         "19 9a 43 66", 0},
        {"f64 to f32", WEIR_TYPE_FLOAT32, 0, NULL, NULL, F64(0.1), "3d cc cc cd", 0},
        {"f32 to f64", WEIR_TYPE_FLOAT64, 0, NULL, NULL, F32(0.5f), "3f e0 00 00 00 00 00 00", 0},
        {"float in thousands", WEIR_TYPE_FLOAT32, 0, "0.001", NULL, F64(1), "44 7a 00 00", 0},
        {"infinity", WEIR_TYPE_FLOAT32, 0, NULL, NULL, F64(-(double)INFINITY), "ff 80 00 00", 0},
        {"half, ties to even down", WEIR_TYPE_FLOAT16, 0, NULL, NULL, F32(2049), "68 00", 0},
        {"half, ties to even up", WEIR_TYPE_FLOAT16, 0, NULL, NULL, F32(2051), "68 02", 0},
        {"half, subnormal", WEIR_TYPE_FLOAT16, 0, NULL, NULL, F32(0x1p-24f), "00 01", 0},
        {"half, tie to nothing", WEIR_TYPE_FLOAT16, 0, NULL, NULL, F32(0x1p-25f), "00 00", 0},
        {"half, rounds up to its smallest", WEIR_TYPE_FLOAT16, 0, NULL, NULL, F32(0x1.8p-25f),
         "00 01", 0},
        {"half, subnormal becomes normal", WEIR_TYPE_FLOAT16, 0, NULL, NULL, F32(0x1.fffp-15f),
         "04 00", 0},
        {"half, nothing", WEIR_TYPE_FLOAT16, 0, NULL, NULL, F32(-0x1p-30f), "80 00", 0},
        {"bcd", WEIR_TYPE_BCD32, 0, "0.01", NULL, DECIMAL(123456, -2), "00 12 34 56", 0},
        {"bool as number", WEIR_TYPE_INT16, WEIR_ORDER_DCBA, NULL, NULL, BOOL(1), "01 00", 0},
        {"number as bool", WEIR_TYPE_BOOL, 0, NULL, NULL, I64(1), "00 01", 0},
        {"largest", WEIR_TYPE_UINT64, 0, NULL, NULL, U64(UINT64_MAX), "ff ff ff ff ff ff ff ff", 0},
        {"lowest", WEIR_TYPE_INT64, 0, NULL, NULL, I64(INT64_MIN), "80 00 00 00 00 00 00 00", 0},
        {"int8 in its register", WEIR_TYPE_INT8, 0, NULL, NULL, I64(-1), "00 ff", 0},
        {"int8 in the high byte", WEIR_TYPE_INT8, WEIR_ORDER_DCBA, NULL, NULL, I64(-1), "ff 00", 0},
        {"string", WEIR_TYPE_STRING, 0, NULL, NULL, TEXT("abc"), "61 62 63 00", 0},
        {"string swapped", WEIR_TYPE_STRING, WEIR_ORDER_DCBA, NULL, NULL, TEXT("abc"),
         "62 61 00 63", 0},
        {"bytes", WEIR_TYPE_BYTES, 0, NULL, NULL, BYTES("\x01\x02"), "01 02 00 00", 0},
        {"raw", WEIR_TYPE_RAW, 0, NULL, NULL, BYTES("\x01\x02\x03"), "01 02 03", 0},
    };
    CHECK(rows);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"too large", WEIR_TYPE_UINT16, 0, NULL, NULL, I64(65536), NULL, WEIR_ELIMIT},
        {"rounds to too large", WEIR_TYPE_INT8, 0, NULL, NULL, F64(127.5), NULL, WEIR_ELIMIT},
        {"negative", WEIR_TYPE_UINT32, 0, NULL, NULL, I64(-1), NULL, WEIR_ELIMIT},
        {"too low", WEIR_TYPE_INT16, 0, "0.1", NULL, DECIMAL(-32769, -1), NULL, WEIR_ELIMIT},
        {"bcd", WEIR_TYPE_BCD16, 0, NULL, NULL, I64(10000), NULL, WEIR_ELIMIT},
        {"NaN",
         WEIR_TYPE_INT16,
         0,
         NULL,
         NULL,
         {.kind = WEIR_KIND_F64, .as.bits = 0x7ff8000000000000},
         NULL,
         WEIR_ELIMIT},
        {"infinity", WEIR_TYPE_INT64, 0, NULL, NULL, F64((double)INFINITY), NULL, WEIR_ELIMIT},
        {"2^64", WEIR_TYPE_UINT64, 0, NULL, NULL, F64(0x1p64), NULL, WEIR_ELIMIT},
        {"huge decimal", WEIR_TYPE_UINT64, 0, NULL, NULL, DECIMAL(1, 20), NULL, WEIR_ELIMIT},
        {"f32 overflow", WEIR_TYPE_FLOAT32, 0, NULL, NULL, F64(1e39), NULL, WEIR_ELIMIT},
        {"f16 overflow", WEIR_TYPE_FLOAT16, 0, NULL, NULL, F32(65520), NULL, WEIR_ELIMIT},
        {"f64 overflow", WEIR_TYPE_FLOAT64, 0, "0.001", NULL, F64(1e308), NULL, WEIR_ELIMIT},
        {"two as bool", WEIR_TYPE_BOOL, 0, NULL, NULL, I64(2), NULL, WEIR_ELIMIT},
        {"string too long", WEIR_TYPE_STRING, 0, NULL, NULL, TEXT("abcde"), NULL, WEIR_ELIMIT},
        {"bytes too long", WEIR_TYPE_BYTES, 0, NULL, NULL, BYTES("abcde"), NULL, WEIR_ELIMIT},
        {"null", WEIR_TYPE_UINT16, 0, NULL, NULL, {0}, NULL, WEIR_EINVAL},
        {"text as number", WEIR_TYPE_UINT16, 0, NULL, NULL, TEXT("1"), NULL, WEIR_EINVAL},
        {"text as float", WEIR_TYPE_FLOAT32, 0, NULL, NULL, TEXT("1"), NULL, WEIR_EINVAL},
        {"bytes as number", WEIR_TYPE_UINT16, 0, NULL, NULL, BYTES("1"), NULL, WEIR_EINVAL},
        {"number as text", WEIR_TYPE_STRING, 0, NULL, NULL, I64(1), NULL, WEIR_EINVAL},
        {"text as bytes", WEIR_TYPE_BYTES, 0, NULL, NULL, TEXT("1"), NULL, WEIR_EINVAL},
    };
    CHECK(rows);
}

static void refusals_say_what_does_not_fit(void **state)
{
    (void)state;
    weir_point p = WEIR_POINT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    uint8_t wire[8];
    size_t n = 42;
    const weir_value v = weir_value_decimal(65536, -1), one = weir_value_i64(1);
    assert_int_equal(weir_point_set_scale(&p, "0.1", NULL, NULL, NULL), WEIR_OK);
    assert_int_equal(weir_point_encode(&p, &v, wire, sizeof wire, &n, &error), WEIR_ELIMIT);
    assert_string_equal(error.text, "6553.6 does not fit uint16 with scale 0.1 and offset 0");
    assert_int_equal(weir_point_encode(&p, &one, wire, 1, &n, &error), WEIR_ELIMIT);
    p.type = WEIR_TYPE_STRING;
    p.length = 4;
    const weir_value text = weir_value_string("ab", 2);
    assert_int_equal(weir_point_encode(&p, &text, wire, 3, &n, &error), WEIR_ELIMIT);
    assert_int_equal(n, 42);
}

static void bits_fields_and_coils_come_back(void **state)
{
    (void)state;
    weir_point p = WEIR_POINT_INIT;
    uint8_t wire[2];
    size_t n;
    const weir_value on = weir_value_bool(true), five = weir_value_u64(5), big = weir_value_u64(8);
    p.type = WEIR_TYPE_UINT16;
    p.bit = 9;
    assert_int_equal(weir_point_encode(&p, &on, wire, 2, &n, NULL), WEIR_OK);
    assert_memory_equal(wire, "\x02\x00", 2);
    p.order = WEIR_ORDER_DCBA;
    assert_int_equal(weir_point_encode(&p, &on, wire, 2, &n, NULL), WEIR_OK);
    assert_memory_equal(wire, "\x00\x02", 2);
    p.order = WEIR_ORDER_ABCD;
    p.type = WEIR_TYPE_BITFIELD;
    p.bit = 4;
    p.bit_width = 3;
    assert_int_equal(weir_point_encode(&p, &five, wire, 2, &n, NULL), WEIR_OK);
    assert_memory_equal(wire, "\x00\x50", 2);
    assert_int_equal(weir_point_encode(&p, &big, wire, 2, &n, NULL), WEIR_ELIMIT);
    p = (weir_point)WEIR_POINT_INIT;
    p.type = WEIR_TYPE_BOOL;
    p.table = WEIR_REGISTER_COIL;
    assert_int_equal(weir_point_encode(&p, &on, wire, 1, &n, NULL), WEIR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(wire[0], 1);
    p.type = WEIR_TYPE_BITFIELD; /* means nothing on a coil, which stays a bool */
    p.bit = 3;
    assert_int_equal(weir_point_encode(&p, &on, wire, 1, &n, NULL), WEIR_OK);
    assert_int_equal(wire[0], 1);
}

static void words_of_an_enum_come_back(void **state)
{
    (void)state;
    static const weir_enum_item items[] = {{0, "off"}, {-1, "fault"}};
    weir_point p = WEIR_POINT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    uint8_t wire[2];
    size_t n;
    const weir_value fault = weir_value_string("fault", 5), other = weir_value_string("faul", 4);
    p.type = WEIR_TYPE_INT16;
    p.n_enum = 2;
    p.enum_items = items;
    assert_int_equal(weir_point_set_scale(&p, "0.1", NULL, NULL, NULL), WEIR_OK);
    assert_int_equal(weir_point_encode(&p, &fault, wire, 2, &n, NULL), WEIR_OK);
    assert_memory_equal(wire, "\xff\xff", 2);
    assert_int_equal(weir_point_encode(&p, &other, wire, 2, &n, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "\"faul\" is not in the point's enum");
    p.type = WEIR_TYPE_UINT16;
    assert_int_equal(weir_point_encode(&p, &fault, wire, 2, &n, &error), WEIR_ELIMIT);
}

static void packed_bits_come_back_and_nothing_beyond_them(void **state)
{
    (void)state;
    weir_point p = WEIR_POINT_INIT;
    uint8_t wire[4] = {0xee, 0xee, 0xee, 0xee};
    size_t n = 0;
    weir_error error = WEIR_ERROR_INIT;
    p.table = WEIR_REGISTER_COIL;
    p.type = WEIR_TYPE_BYTES;
    p.order = WEIR_ORDER_DCBA;
    p.length = 19;
    const weir_value all = weir_value_bytes((const uint8_t *)"\xcd\x6b\xff", 3);
    assert_int_equal(weir_point_encode(&p, &all, wire, sizeof wire, &n, &error), WEIR_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(wire, "\xcd\x6b\x07\xee", 4);
    const weir_value some = weir_value_bytes((const uint8_t *)"\xff", 1);
    assert_int_equal(weir_point_encode(&p, &some, wire, sizeof wire, &n, &error), WEIR_OK);
    assert_memory_equal(wire, "\xff\0\0\xee", 4);
    const weir_value more = weir_value_bytes((const uint8_t *)"\1\2\3\4", 4);
    assert_int_equal(weir_point_encode(&p, &more, wire, sizeof wire, &n, &error), WEIR_ELIMIT);
    assert_int_equal(weir_point_encode(&p, &all, wire, 2, &n, &error), WEIR_ELIMIT);
    const weir_value on = weir_value_bool(true);
    assert_int_equal(weir_point_encode(&p, &on, wire, sizeof wire, &n, &error), WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding_undoes_decoding_for_every_type_order_and_scale),
        cmocka_unit_test(sixty_four_bits_survive_a_decimal_scale),
        cmocka_unit_test(every_half_float_comes_back),
        cmocka_unit_test(numbers_of_any_kind_are_rounded_to_the_type),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(refusals_say_what_does_not_fit),
        cmocka_unit_test(bits_fields_and_coils_come_back),
        cmocka_unit_test(words_of_an_enum_come_back),
        cmocka_unit_test(packed_bits_come_back_and_nothing_beyond_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tests of decoding: real registers of real devices, and every way they can be no value. */

#include "model/point.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"

/* What a case sets; the rest is WEIR_POINT_INIT. */
struct row {
    const char *name;
    weir_type type;
    weir_order order;
    const char *hex;
    weir_kind kind; /* of the value wanted */
    const char *text;
    const char *quality; /* NULL: good */
    const char *scale, *offset;
};

static weir_point point_of(const struct row *row)
{
    weir_point p = WEIR_POINT_INIT;
    p.type = row->type;
    p.order = row->order;
    if (weir_point_set_scale(&p, row->scale, row->offset, NULL, NULL))
        fail_msg("%s: scale", row->name);
    return p;
}

/* Decodes exactly the bytes of hex (a copy of their size, so that reading past them is seen) and
 * compares kind, text and quality. */
static void check(const char *name, const weir_point *p, const char *hex, weir_kind kind,
                  const char *text, const char *quality)
{
    uint8_t wire[64], contents[128];
    const int n = weir_hex_parse(hex, wire, sizeof wire);
    weir_writer room = weir_writer_of(contents, sizeof contents);
    weir_quality q = 0xffffffff;
    WEIR_TEXT_AUTO got = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO got_quality = WEIR_TEXT_INIT;
    assert_true(n >= 0);
    uint8_t *exact = weir_alloc((size_t)n);
    assert_non_null(exact);
    memcpy(exact, wire, (size_t)n);
    const weir_value v = weir_point_decode(p, exact, (size_t)n, &room, &q);
    weir_free(exact);
    weir_value_format(&v, &got);
    weir_quality_format(q, &got_quality);
    if (v.kind != kind || strcmp(weir_text_get(&got), text) != 0 ||
        strcmp(weir_text_get(&got_quality), quality ? quality : "good") != 0)
        fail_msg("%s: %s %s %s", name, weir_kind_text(v.kind), weir_text_get(&got),
                 weir_text_get(&got_quality));
}

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const weir_point p = point_of(&rows[i]);
        check(rows[i].name, &p, rows[i].hex, rows[i].kind, rows[i].text, rows[i].quality);
    }
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void numbers_of_each_type_in_each_order(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"int8 low", WEIR_TYPE_INT8, WEIR_ORDER_ABCD, "12 fe", WEIR_KIND_I64, "-2"},
        {"int8 high", WEIR_TYPE_INT8, WEIR_ORDER_DCBA, "fe 12", WEIR_KIND_I64, "-2"},
        {"uint8 low", WEIR_TYPE_UINT8, WEIR_ORDER_CDAB, "12 fe", WEIR_KIND_U64, "254"},
        {"uint8 high", WEIR_TYPE_UINT8, WEIR_ORDER_BADC, "fe 12", WEIR_KIND_U64, "254"},
        {"int16", WEIR_TYPE_INT16, WEIR_ORDER_ABCD, "ff fe", WEIR_KIND_I64, "-2"},
        {"int16 BA", WEIR_TYPE_INT16, WEIR_ORDER_DCBA, "fe ff", WEIR_KIND_I64, "-2"},
        {"uint16", WEIR_TYPE_UINT16, WEIR_ORDER_ABCD, "02 2b", WEIR_KIND_U64, "555"},
        {"uint16 BA", WEIR_TYPE_UINT16, WEIR_ORDER_BADC, "2b 02", WEIR_KIND_U64, "555"},
        {"uint16 CDAB", WEIR_TYPE_UINT16, WEIR_ORDER_CDAB, "02 2b", WEIR_KIND_U64, "555"},
        /* Eastron SDM630 Modbus protocol: the documented reply for phase 1 voltage, "230.2"; the
         * nearest float would end in 33. */
        {"SDM630 230.2 V", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "43 66 33 34", WEIR_KIND_F32,
         "230.20001"},
        {"230.1 ABCD", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "43 66 19 9a", WEIR_KIND_F32, "230.1"},
        {"230.1 CDAB", WEIR_TYPE_FLOAT32, WEIR_ORDER_CDAB, "19 9a 43 66", WEIR_KIND_F32, "230.1"},
        {"230.1 BADC", WEIR_TYPE_FLOAT32, WEIR_ORDER_BADC, "66 43 9a 19", WEIR_KIND_F32, "230.1"},
        {"230.1 DCBA", WEIR_TYPE_FLOAT32, WEIR_ORDER_DCBA, "9a 19 66 43", WEIR_KIND_F32, "230.1"},
        {"int32", WEIR_TYPE_INT32, WEIR_ORDER_ABCD, "fe dc ba 98", WEIR_KIND_I64, "-19088744"},
        {"int32 CDAB", WEIR_TYPE_INT32, WEIR_ORDER_CDAB, "ba 98 fe dc", WEIR_KIND_I64, "-19088744"},
        {"uint32 BADC", WEIR_TYPE_UINT32, WEIR_ORDER_BADC, "dc fe 98 ba", WEIR_KIND_U64,
         "4275878552"},
        {"uint32 DCBA", WEIR_TYPE_UINT32, WEIR_ORDER_DCBA, "98 ba dc fe", WEIR_KIND_U64,
         "4275878552"},
        {"int64 lowest", WEIR_TYPE_INT64, WEIR_ORDER_ABCD, "80 00 00 00 00 00 00 00", WEIR_KIND_I64,
         "-9223372036854775808"},
        {"uint64 above 2^63", WEIR_TYPE_UINT64, WEIR_ORDER_ABCD, "ff ff ff ff ff ff ff fe",
         WEIR_KIND_U64, "18446744073709551614"},
        {"uint64 GHEFCDAB", WEIR_TYPE_UINT64, WEIR_ORDER_CDAB, "cd ef 89 ab 45 67 01 23",
         WEIR_KIND_U64, "81985529216486895"},
        {"uint64 BADCFEHG", WEIR_TYPE_UINT64, WEIR_ORDER_BADC, "23 01 67 45 ab 89 ef cd",
         WEIR_KIND_U64, "81985529216486895"},
        {"uint64 HGFEDCBA", WEIR_TYPE_UINT64, WEIR_ORDER_DCBA, "ef cd ab 89 67 45 23 01",
         WEIR_KIND_U64, "81985529216486895"},
        {"uint64 CDABGHEF", WEIR_TYPE_UINT64, WEIR_ORDER_CDABGHEF, "45 67 01 23 cd ef 89 ab",
         WEIR_KIND_U64, "81985529216486895"},
        {"uint64 EFGHABCD", WEIR_TYPE_UINT64, WEIR_ORDER_EFGHABCD, "89 ab cd ef 01 23 45 67",
         WEIR_KIND_U64, "81985529216486895"},
        {"uint64 DCBAHGFE", WEIR_TYPE_UINT64, WEIR_ORDER_DCBAHGFE, "67 45 23 01 ef cd ab 89",
         WEIR_KIND_U64, "81985529216486895"},
        {"uint64 FEHGBADC", WEIR_TYPE_UINT64, WEIR_ORDER_FEHGBADC, "ab 89 ef cd 23 01 67 45",
         WEIR_KIND_U64, "81985529216486895"},
        {"float64", WEIR_TYPE_FLOAT64, WEIR_ORDER_ABCD, "40 6c c3 33 33 33 33 33", WEIR_KIND_F64,
         "230.1"},
        {"float64 words swapped", WEIR_TYPE_FLOAT64, WEIR_ORDER_CDAB, "33 33 33 33 c3 33 40 6c",
         WEIR_KIND_F64, "230.1"},
        {"float16 1.5", WEIR_TYPE_FLOAT16, WEIR_ORDER_ABCD, "3e 00", WEIR_KIND_F32, "1.5"},
        {"float16 largest", WEIR_TYPE_FLOAT16, WEIR_ORDER_ABCD, "7b ff", WEIR_KIND_F32, "65504"},
        {"float16 BA", WEIR_TYPE_FLOAT16, WEIR_ORDER_DCBA, "ff fb", WEIR_KIND_F32, "-65504"},
        {"bcd16", WEIR_TYPE_BCD16, WEIR_ORDER_ABCD, "98 76", WEIR_KIND_U64, "9876"},
        {"bcd32", WEIR_TYPE_BCD32, WEIR_ORDER_CDAB, "56 78 12 34", WEIR_KIND_U64, "12345678"},
        {"bcd64", WEIR_TYPE_BCD64, WEIR_ORDER_ABCD, "99 99 99 99 99 99 99 99", WEIR_KIND_U64,
         "9999999999999999"},
        {"bool", WEIR_TYPE_BOOL, WEIR_ORDER_ABCD, "01 00", WEIR_KIND_BOOL, "true"},
        {"bool zero", WEIR_TYPE_BOOL, WEIR_ORDER_ABCD, "00 00", WEIR_KIND_BOOL, "false"},
    };
    CHECK(rows);
}

/* IEEE 754: zeros, subnormals, infinities and NaNs of the three widths. */
static void strange_floats_stay_what_they_are(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"f32 -0", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "80 00 00 00", WEIR_KIND_F32, "-0"},
        {"f32 smallest", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "00 00 00 01", WEIR_KIND_F32, "1e-45"},
        {"f32 inf", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "7f 80 00 00", WEIR_KIND_F32, "Infinity"},
        {"f32 -inf scaled", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "ff 80 00 00", WEIR_KIND_F64,
         "-Infinity", NULL, "0.001"},
        {"f64 -0", WEIR_TYPE_FLOAT64, WEIR_ORDER_ABCD, "80 00 00 00 00 00 00 00", WEIR_KIND_F64,
         "-0"},
        {"f64 smallest", WEIR_TYPE_FLOAT64, WEIR_ORDER_ABCD, "00 00 00 00 00 00 00 01",
         WEIR_KIND_F64, "5e-324"},
        {"f16 -0", WEIR_TYPE_FLOAT16, WEIR_ORDER_ABCD, "80 00", WEIR_KIND_F32, "-0"},
        {"f16 smallest", WEIR_TYPE_FLOAT16, WEIR_ORDER_ABCD, "00 01", WEIR_KIND_F32,
         "5.9604645e-08"},
        {"f16 largest subnormal", WEIR_TYPE_FLOAT16, WEIR_ORDER_ABCD, "03 ff", WEIR_KIND_F32,
         "6.097555e-05"},
        {"f16 smallest normal", WEIR_TYPE_FLOAT16, WEIR_ORDER_ABCD, "04 00", WEIR_KIND_F32,
         "6.1035156e-05"},
        {"f16 inf", WEIR_TYPE_FLOAT16, WEIR_ORDER_ABCD, "fc 00", WEIR_KIND_F32, "-Infinity"},
        {"f16 NaN", WEIR_TYPE_FLOAT16, WEIR_ORDER_ABCD, "7e 00", WEIR_KIND_F32, "NaN",
         "uncertain(not_a_number)"},
        {"f32 NaN", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "7f c0 00 00", WEIR_KIND_F32, "NaN",
         "uncertain(not_a_number)"},
        {"f32 NaN scaled", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "7f c0 00 00", WEIR_KIND_F64, "NaN",
         "uncertain(not_a_number)", "0.1"},
        {"f64 NaN", WEIR_TYPE_FLOAT64, WEIR_ORDER_ABCD, "ff f8 00 00 00 00 00 01", WEIR_KIND_F64,
         "NaN", "uncertain(not_a_number)"},
    };
    CHECK(rows);
}

static void a_nan_keeps_its_bits_signalling_or_not(void **state)
{
    (void)state;
    static const struct {
        weir_type type;
        const char *hex;
    } cases[] = {
        {WEIR_TYPE_FLOAT32, "7fc00000"},         {WEIR_TYPE_FLOAT32, "ff812345"},
        {WEIR_TYPE_FLOAT32, "7f800001"},         {WEIR_TYPE_FLOAT64, "7ff0000000000001"},
        {WEIR_TYPE_FLOAT64, "fff8dead0000beef"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = WEIR_POINT_INIT;
        uint8_t wire[8], payload[8];
        weir_quality q;
        const int n = weir_hex_parse(cases[i].hex, wire, sizeof wire);
        p.type = cases[i].type;
        const weir_value v = weir_point_decode(&p, wire, (size_t)n, NULL, &q);
        assert_int_equal(weir_value_payload(&v, payload, sizeof payload), n);
        assert_memory_equal(payload, wire, (size_t)n);
    }
}

static void powers_of_ten_give_exact_decimals(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"0.001", WEIR_TYPE_INT32, WEIR_ORDER_ABCD, "00 03 82 d6", WEIR_KIND_DECIMAL, "230.102",
         NULL, "0.001"},
        {"0.1 negative", WEIR_TYPE_INT16, WEIR_ORDER_ABCD, "ff ff", WEIR_KIND_DECIMAL, "-0.1", NULL,
         "0.1"},
        {"times 1000", WEIR_TYPE_UINT16, WEIR_ORDER_ABCD, "00 07", WEIR_KIND_DECIMAL, "7000", NULL,
         "1000"},
        {"minus", WEIR_TYPE_UINT16, WEIR_ORDER_ABCD, "00 07", WEIR_KIND_DECIMAL, "-0.7", NULL,
         "-0.1"},
        {"degrees", WEIR_TYPE_UINT16, WEIR_ORDER_ABCD, "02 9a", WEIR_KIND_DECIMAL, "26.6", NULL,
         "0.1", "-40"},
        {"offset alone", WEIR_TYPE_UINT16, WEIR_ORDER_ABCD, "00 00", WEIR_KIND_DECIMAL, "-40", NULL,
         NULL, "-40"},
        {"64 bits", WEIR_TYPE_INT64, WEIR_ORDER_ABCD, "7f ff ff ff ff ff ff ff", WEIR_KIND_DECIMAL,
         "9223372036854775.807", NULL, "0.001"},
        {"lowest negated", WEIR_TYPE_INT64, WEIR_ORDER_ABCD, "80 00 00 00 00 00 00 00",
         WEIR_KIND_NULL, "", "bad(overflow)", "-0.1"},
        {"offset overflows", WEIR_TYPE_INT64, WEIR_ORDER_ABCD, "7f ff ff ff ff ff ff ff",
         WEIR_KIND_NULL, "", "bad(overflow)", "1", "1"},
        {"u64 above 2^63 becomes a double", WEIR_TYPE_UINT64, WEIR_ORDER_ABCD,
         "80 00 00 00 00 00 00 00", WEIR_KIND_F64, "9.223372036854776e+17", NULL, "0.1"},
        {"bcd", WEIR_TYPE_BCD32, WEIR_ORDER_ABCD, "00 12 34 56", WEIR_KIND_DECIMAL, "1234.56", NULL,
         "0.01"},
        /* Nexus 1272: a thirty-two bit number of 1/65536 volts. */
        {"other scales are doubles", WEIR_TYPE_INT32, WEIR_ORDER_ABCD, "00 78 26 66", WEIR_KIND_F64,
         "120.14999389648438", NULL, "1.52587890625E-5"},
        {"float times power of ten", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "44 7a 00 00",
         WEIR_KIND_F64, "1", NULL, "0.001"},
        {"double overflows", WEIR_TYPE_FLOAT64, WEIR_ORDER_ABCD, "7f ef ff ff ff ff ff ff",
         WEIR_KIND_NULL, "", "bad(overflow)", "10"},
    };
    CHECK(rows);
}

/* SunSpec Information Model Specification: the values that mean "not implemented". */
static void sunspec_sentinels_are_not_available(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        weir_type type;
        uint64_t na;
        const char *hex, *other, *text; /* one bit beside the mark is a value */
    } cases[] = {
        {"int16", WEIR_TYPE_INT16, 0x8000, "80 00", "80 01", "-3276.7"},
        {"uint16", WEIR_TYPE_UINT16, 0xffff, "ff ff", "ff fe", "6553.4"},
        {"acc16", WEIR_TYPE_UINT16, 0, "00 00", "00 01", "0.1"},
        {"int32", WEIR_TYPE_INT32, 0x80000000, "80 00 00 00", "80 00 00 01", "-214748364.7"},
        {"uint32", WEIR_TYPE_UINT32, 0xffffffff, "ff ff ff ff", "00 00 ff ff", "6553.5"},
        {"int64", WEIR_TYPE_INT64, 0x8000000000000000, "80 00 00 00 00 00 00 00",
         "00 00 00 00 80 00 00 00", "214748364.8"},
        {"uint64", WEIR_TYPE_UINT64, UINT64_MAX, "ff ff ff ff ff ff ff ff",
         "00 00 00 00 ff ff ff ff", "429496729.5"},
        {"float32", WEIR_TYPE_FLOAT32, 0x7fc00000, "7f c0 00 00", "41 20 00 00", "1"},
        {"uint8", WEIR_TYPE_UINT8, 0xff, "00 ff", "ff fe", "25.4"},
        {"int8", WEIR_TYPE_INT8, 0x80, "ff 80", "80 ff", "-0.1"},
        {"bcd16 with digits that are none", WEIR_TYPE_BCD16, 0xffff, "ff ff", "00 10", "1"},
        {"bool", WEIR_TYPE_BOOL, 0xffff, "ff ff", "ff fe", "true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = WEIR_POINT_INIT;
        const uint64_t na[] = {0x1234567890, cases[i].na};
        p.type = cases[i].type;
        if (p.type != WEIR_TYPE_BOOL)
            assert_int_equal(weir_point_set_scale(&p, "0.1", NULL, NULL, NULL), WEIR_OK);
        p.na = na;
        p.n_na = 2;
        check(cases[i].name, &p, cases[i].hex, WEIR_KIND_NULL, "", "bad(na)");
        const weir_kind kind = p.type == WEIR_TYPE_BOOL      ? WEIR_KIND_BOOL
                               : p.type == WEIR_TYPE_FLOAT32 ? WEIR_KIND_F64
                                                             : WEIR_KIND_DECIMAL;
        check(cases[i].name, &p, cases[i].other, kind, cases[i].text, NULL);
    }
}

static void a_mark_is_compared_after_the_order_is_applied(void **state)
{
    (void)state;
    static const uint64_t na[] = {0x80000000};
    weir_point p = WEIR_POINT_INIT;
    p.type = WEIR_TYPE_INT32;
    p.order = WEIR_ORDER_CDAB;
    p.na = na;
    p.n_na = 1;
    check("words swapped", &p, "00 00 80 00", WEIR_KIND_NULL, "", "bad(na)");
    check("as written", &p, "80 00 00 00", WEIR_KIND_I64, "32768", NULL);
}

static void bits_of_registers_are_bools_and_fields(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        weir_type type;
        weir_order order;
        int8_t bit;
        uint8_t width;
        const char *hex;
        weir_kind kind;
        const char *text;
    } cases[] = {
        {"bit 0", WEIR_TYPE_BOOL, WEIR_ORDER_ABCD, 0, 0, "00 01", WEIR_KIND_BOOL, "true"},
        {"bit 15", WEIR_TYPE_UINT16, WEIR_ORDER_ABCD, 15, 0, "80 00", WEIR_KIND_BOOL, "true"},
        {"bit 14", WEIR_TYPE_INT16, WEIR_ORDER_ABCD, 14, 0, "80 00", WEIR_KIND_BOOL, "false"},
        {"bit 0, BA", WEIR_TYPE_BOOL, WEIR_ORDER_DCBA, 0, 0, "01 00", WEIR_KIND_BOOL, "true"},
        {"bit 9 of uint8", WEIR_TYPE_UINT8, WEIR_ORDER_ABCD, 9, 0, "02 00", WEIR_KIND_BOOL, "true"},
        {"4 bits from 4", WEIR_TYPE_BITFIELD, WEIR_ORDER_ABCD, 4, 4, "12 34", WEIR_KIND_U64, "3"},
        {"1 bit from 0", WEIR_TYPE_BITFIELD, WEIR_ORDER_ABCD, 0, 1, "ff ff", WEIR_KIND_U64, "1"},
        {"all 16", WEIR_TYPE_BITFIELD, WEIR_ORDER_ABCD, -1, 16, "ff fe", WEIR_KIND_U64, "65534"},
        {"no width: the rest", WEIR_TYPE_BITFIELD, WEIR_ORDER_ABCD, 12, 0, "a5 00", WEIR_KIND_U64,
         "10"},
        {"more than there are", WEIR_TYPE_BITFIELD, WEIR_ORDER_ABCD, 12, 8, "a5 00", WEIR_KIND_U64,
         "10"},
        {"4 bits from 4, BA", WEIR_TYPE_BITFIELD, WEIR_ORDER_DCBA, 4, 4, "34 12", WEIR_KIND_U64,
         "3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = WEIR_POINT_INIT;
        p.type = cases[i].type;
        p.order = cases[i].order;
        p.bit = cases[i].bit;
        p.bit_width = cases[i].width;
        check(cases[i].name, &p, cases[i].hex, cases[i].kind, cases[i].text, NULL);
    }
}

static void coils_and_discrete_inputs_are_bools(void **state)
{
    (void)state;
    weir_point p = WEIR_POINT_INIT;
    p.type = WEIR_TYPE_BOOL;
    p.table = WEIR_REGISTER_COIL;
    check("on", &p, "01", WEIR_KIND_BOOL, "true", NULL);
    check("off", &p, "00", WEIR_KIND_BOOL, "false", NULL);
    p.table = WEIR_REGISTER_DISCRETE;
    check("on", &p, "01", WEIR_KIND_BOOL, "true", NULL);
    check("nothing", &p, "", WEIR_KIND_NULL, "", "bad(malformed)");
}

/* Modbus Application Protocol 1.1b3, 6.1 (coils 20-38) and 6.2 (discrete inputs 197-218): the data
 * of the replies. */
static void bits_of_a_reply_are_bytes_without_the_spare_ones(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        weir_register table;
        uint16_t length;
        const char *hex, *text, *quality;
    } cases[] = {
        {"6.1", WEIR_REGISTER_COIL, 19, "cd 6b 05", "cd 6b 05", NULL},
        {"6.2", WEIR_REGISTER_DISCRETE, 22, "ac db 35", "ac db 35", NULL},
        {"spare bits set", WEIR_REGISTER_COIL, 19, "cd 6b ff", "cd 6b 07", NULL},
        {"whole bytes", WEIR_REGISTER_COIL, 16, "ff fe", "ff fe", NULL},
        {"more than it has", WEIR_REGISTER_COIL, 3, "ff ff ff", "07", NULL},
        {"cut short", WEIR_REGISTER_COIL, 19, "cd 6b", "", "bad(malformed)"},
        {"nothing", WEIR_REGISTER_COIL, 1, "", "", "bad(malformed)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = WEIR_POINT_INIT;
        p.table = cases[i].table;
        p.type = WEIR_TYPE_BYTES;
        p.length = cases[i].length;
        p.order = WEIR_ORDER_DCBA; /* there is none of bits */
        check(cases[i].name, &p, cases[i].hex, cases[i].quality ? WEIR_KIND_NULL : WEIR_KIND_BYTES,
              cases[i].text, cases[i].quality);
    }
}

static void bcd_digits_above_nine_are_malformed(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"last", WEIR_TYPE_BCD16, WEIR_ORDER_ABCD, "12 3a", WEIR_KIND_NULL, "", "bad(malformed)"},
        {"first", WEIR_TYPE_BCD32, WEIR_ORDER_ABCD, "f0 00 00 00", WEIR_KIND_NULL, "",
         "bad(malformed)", "0.1"},
        {"middle", WEIR_TYPE_BCD64, WEIR_ORDER_ABCD, "00 00 00 0b 00 00 00 00", WEIR_KIND_NULL, "",
         "bad(malformed)"},
    };
    CHECK(rows);
}

static void registers_cut_short_are_malformed(void **state)
{
    (void)state;
    for (int type = 0; type < WEIR_TYPE_COUNT; type++) {
        weir_point p = WEIR_POINT_INIT;
        p.type = (weir_type)type;
        p.length = 8;
        const unsigned n = 2 * weir_point_element_size(&p);
        static const char zeros[] = "00000000000000000000";
        char hex[32] = "";
        memcpy(hex, zeros, 2 * (size_t)(n - 1));
        check(weir_type_text(p.type), &p, hex, WEIR_KIND_NULL, "", "bad(malformed)");
    }
}

static void strings_end_at_nul_lose_blanks_and_are_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        weir_type type;
        weir_order order;
        uint16_t length;
        const char *hex;
        const char *text;
    } cases[] = {
        {"plain", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 4, "41 42 43 44", "ABCD"},
        {"bytes swapped", WEIR_TYPE_STRING, WEIR_ORDER_DCBA, 4, "42 41 44 43", "ABCD"},
        {"words are not swapped", WEIR_TYPE_STRING, WEIR_ORDER_CDAB, 4, "41 42 43 44", "ABCD"},
        {"BADC", WEIR_TYPE_STRING, WEIR_ORDER_BADC, 4, "42 41 44 43", "ABCD"},
        {"odd length", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 3, "41 42 43 44", "ABC"},
        {"odd length swapped", WEIR_TYPE_STRING, WEIR_ORDER_DCBA, 3, "42 41 44 43", "ABC"},
        {"NUL and rubbish", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 6, "41 42 00 58 59 5a", "AB"},
        {"trailing blanks", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 6, "41 20 42 20 20 20", "A B"},
        {"blanks before a NUL", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 6, "41 20 20 00 42 20", "A"},
        {"only blanks", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 4, "20 20 20 20", ""},
        {"empty", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 4, "00 00 00 00", ""},
        {"utf-8", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 4, "32 c2 b0 43",
         "2\xc2\xb0"
         "C"},
        {"latin-1", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 4, "32 b0 43 00",
         "2\xef\xbf\xbd"
         "C"},
        {"character cut by the length", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, 4, "41 42 43 c2",
         "ABC\xef\xbf\xbd"},
        {"utf-8 across swapped registers", WEIR_TYPE_STRING, WEIR_ORDER_DCBA, 4, "e2 41 ac 82",
         "A\xe2\x82\xac"},
        {"bytes", WEIR_TYPE_BYTES, WEIR_ORDER_ABCD, 3, "00 2a ff 01", "00 2a ff"},
        {"bytes swapped", WEIR_TYPE_BYTES, WEIR_ORDER_DCBA, 3, "2a 00 01 ff", "00 2a ff"},
        {"raw of any length", WEIR_TYPE_RAW, WEIR_ORDER_DCBA, 0, "01 02 03", "01 02 03"},
        {"raw of none", WEIR_TYPE_RAW, WEIR_ORDER_ABCD, 0, "", ""},
        {"raw of its length", WEIR_TYPE_RAW, WEIR_ORDER_ABCD, 3, "01 02 03", "01 02 03"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = WEIR_POINT_INIT;
        p.type = cases[i].type;
        p.order = cases[i].order;
        p.length = cases[i].length;
        check(cases[i].name, &p, cases[i].hex,
              p.type == WEIR_TYPE_STRING ? WEIR_KIND_STRING : WEIR_KIND_BYTES, cases[i].text, NULL);
    }
    weir_point raw = WEIR_POINT_INIT;
    raw.type = WEIR_TYPE_RAW;
    raw.length = 3;
    check("raw too long", &raw, "01 02 03 04", WEIR_KIND_NULL, "", "bad(malformed)");
}

static void texts_without_room_are_overflow_and_leave_the_room(void **state)
{
    (void)state;
    uint8_t contents[6];
    weir_writer room = weir_writer_of(contents, sizeof contents);
    weir_point p = WEIR_POINT_INIT;
    weir_quality q;
    p.type = WEIR_TYPE_STRING;
    p.length = 4;
    weir_value v = weir_point_decode(&p, (const uint8_t *)"abcd", 4, &room, &q);
    assert_int_equal(q, 0);
    assert_ptr_equal(v.as.text, contents);
    v = weir_point_decode(&p, (const uint8_t *)"efgh", 4, &room, &q);
    assert_int_equal(v.kind, WEIR_KIND_NULL);
    assert_int_equal(q, weir_bad(WEIR_CAUSE_OVERFLOW, 0));
    v = weir_point_decode(&p, (const uint8_t *)"ef\0", 4, &room, &q);
    assert_int_equal(q, 0);
    assert_memory_equal(contents, "abcdef", 6);
    (void)weir_point_decode(&p, (const uint8_t *)"efgh", 4, NULL, &q);
    assert_int_equal(q, weir_bad(WEIR_CAUSE_OVERFLOW, 0));
    p.type = WEIR_TYPE_BYTES;
    (void)weir_point_decode(&p, (const uint8_t *)"efgh", 4, &room, &q);
    assert_int_equal(q, weir_bad(WEIR_CAUSE_OVERFLOW, 0));
    p.type = WEIR_TYPE_RAW;
    (void)weir_point_decode(&p, (const uint8_t *)"efgh", 4, &room, &q);
    assert_int_equal(q, weir_bad(WEIR_CAUSE_OVERFLOW, 0));
    p.table = WEIR_REGISTER_COIL;
    p.type = WEIR_TYPE_BYTES;
    p.length = 32;
    (void)weir_point_decode(&p, (const uint8_t *)"efgh", 4, &room, &q);
    assert_int_equal(q, weir_bad(WEIR_CAUSE_OVERFLOW, 0));
    assert_false(room.failed);
}

static void numbers_outside_min_and_max_are_bad(void **state)
{
    (void)state;
    weir_point p = WEIR_POINT_INIT;
    p.type = WEIR_TYPE_INT16;
    assert_int_equal(weir_point_set_scale(&p, "0.1", NULL, NULL, NULL), WEIR_OK);
    p.has_min = p.has_max = true;
    p.min = -0.1;
    p.max = 0.3;
    check("at the top", &p, "00 03", WEIR_KIND_DECIMAL, "0.3", NULL);
    check("above", &p, "00 04", WEIR_KIND_NULL, "", "bad(range)");
    check("at the bottom", &p, "ff ff", WEIR_KIND_DECIMAL, "-0.1", NULL);
    check("below", &p, "ff fe", WEIR_KIND_NULL, "", "bad(range)");
    p.has_min = false;
    check("no bottom", &p, "80 00", WEIR_KIND_DECIMAL, "-3276.8", NULL);
    p.has_min = true;
    p.has_max = false;
    check("no top", &p, "7f ff", WEIR_KIND_DECIMAL, "3276.7", NULL);
    p.type = WEIR_TYPE_FLOAT32;
    p.has_max = true;
    p.scaling = WEIR_SCALING_NONE;
    check("NaN is in no range", &p, "7f c0 00 00", WEIR_KIND_F32, "NaN", "uncertain(not_a_number)");
    check("infinity", &p, "7f 80 00 00", WEIR_KIND_NULL, "", "bad(range)");
}

static void listed_numbers_become_words(void **state)
{
    (void)state;
    static const weir_enum_item items[] = {{0, "off"}, {1, "on"}, {-1, "fault"}};
    weir_point p = WEIR_POINT_INIT;
    p.type = WEIR_TYPE_INT16;
    p.n_enum = 3;
    p.enum_items = items;
    p.has_max = true;
    p.max = 0.5;
    assert_int_equal(weir_point_set_scale(&p, "0.1", NULL, NULL, NULL), WEIR_OK);
    check("listed", &p, "00 00", WEIR_KIND_STRING, "off", NULL);
    check("negative", &p, "ff ff", WEIR_KIND_STRING, "fault", NULL);
    check("not listed", &p, "00 05", WEIR_KIND_DECIMAL, "0.5", NULL);
    check("not listed and out of range", &p, "00 06", WEIR_KIND_NULL, "", "bad(range)");
    p.type = WEIR_TYPE_UINT64;
    check("beyond int64", &p, "ff ff ff ff ff ff ff ff", WEIR_KIND_NULL, "", "bad(range)");
    p.type = WEIR_TYPE_BOOL;
    p.table = WEIR_REGISTER_COIL;
    check("coil", &p, "01", WEIR_KIND_STRING, "on", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_each_type_in_each_order),
        cmocka_unit_test(strange_floats_stay_what_they_are),
        cmocka_unit_test(a_nan_keeps_its_bits_signalling_or_not),
        cmocka_unit_test(powers_of_ten_give_exact_decimals),
        cmocka_unit_test(sunspec_sentinels_are_not_available),
        cmocka_unit_test(a_mark_is_compared_after_the_order_is_applied),
        cmocka_unit_test(bits_of_registers_are_bools_and_fields),
        cmocka_unit_test(coils_and_discrete_inputs_are_bools),
        cmocka_unit_test(bits_of_a_reply_are_bytes_without_the_spare_ones),
        cmocka_unit_test(bcd_digits_above_nine_are_malformed),
        cmocka_unit_test(registers_cut_short_are_malformed),
        cmocka_unit_test(strings_end_at_nul_lose_blanks_and_are_utf8),
        cmocka_unit_test(texts_without_room_are_overflow_and_leave_the_room),
        cmocka_unit_test(numbers_outside_min_and_max_are_bad),
        cmocka_unit_test(listed_numbers_become_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

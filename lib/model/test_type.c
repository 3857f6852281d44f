/* SPDX-License-Identifier: MIT */
/* Tests of type and order words, and of what each order means. */

#include "model/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void every_type_reads_back_from_its_own_word(void **state)
{
    (void)state;
    for (int i = 0; i < WEIR_TYPE_COUNT; i++) {
        weir_type type = WEIR_TYPE_RAW;
        assert_true(weir_type_parse(weir_type_text((weir_type)i), &type));
        assert_int_equal(type, i);
    }
}

static void words_of_other_programs_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        weir_type type;
    } cases[] = {
        {"INT16", WEIR_TYPE_INT16},     {"Short", WEIR_TYPE_INT16},
        {"word", WEIR_TYPE_UINT16},     {"dword", WEIR_TYPE_UINT32},
        {"DWORD", WEIR_TYPE_UINT32},    {"REAL", WEIR_TYPE_FLOAT32},
        {"LREAL", WEIR_TYPE_FLOAT64},   {"u16", WEIR_TYPE_UINT16},
        {"s32", WEIR_TYPE_INT32},       {"FLOAT32-IEEE", WEIR_TYPE_FLOAT32},
        {"FLOAT32", WEIR_TYPE_FLOAT32}, {"Long", WEIR_TYPE_INT32},
        {"LLong", WEIR_TYPE_INT64},     {"QWord", WEIR_TYPE_UINT64},
        {"LBCD", WEIR_TYPE_BCD32},      {"acc32", WEIR_TYPE_UINT32},
        {"sunssf", WEIR_TYPE_INT16},    {"INT8L", WEIR_TYPE_INT8},
        {"boolean", WEIR_TYPE_BOOL},    {"double", WEIR_TYPE_FLOAT64},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_type type = WEIR_TYPE_RAW;
        if (!weir_type_parse(cases[i].word, &type) || type != cases[i].type)
            fail_msg("%s", cases[i].word);
    }
}

static void words_that_are_no_type_are_refused(void **state)
{
    (void)state;
    /* INT8H is the high byte: order BA says that here. int24 is not offered. */
    static const char *const wrong[] = {"", "INT8H", "int24", "uint16 ", "float31", "h"};
    weir_type type = WEIR_TYPE_RAW;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (weir_type_parse(wrong[i], &type))
            fail_msg("\"%s\" was accepted", wrong[i]);
    assert_int_equal(type, WEIR_TYPE_RAW);
}

static void widths_and_kinds_follow_the_table(void **state)
{
    (void)state;
    assert_int_equal(weir_type_width(WEIR_TYPE_INT8), 1);
    assert_int_equal(weir_type_width(WEIR_TYPE_FLOAT16), 2);
    assert_int_equal(weir_type_width(WEIR_TYPE_BCD64), 8);
    assert_int_equal(weir_type_width(WEIR_TYPE_STRING), 0);
    assert_int_equal(weir_type_kind(WEIR_TYPE_BCD64), WEIR_KIND_U64);
    assert_int_equal(weir_type_kind(WEIR_TYPE_FLOAT16), WEIR_KIND_F32);
    assert_int_equal(weir_type_kind(WEIR_TYPE_RAW), WEIR_KIND_BYTES);
}

/* What the letters say: the k-th letter names the byte of the value that arrives k-th. */
static void orders_mean_what_their_letters_say(void **state)
{
    (void)state;
    static const char *const words[WEIR_ORDER_COUNT][3] = {
        /* 2 bytes, 4 bytes, 8 bytes */
        {"AB", "ABCD", "ABCDEFGH"}, {"AB", "CDAB", "GHEFCDAB"}, {"BA", "BADC", "BADCFEHG"},
        {"BA", "DCBA", "HGFEDCBA"}, {"AB", "CDAB", "CDABGHEF"}, {"AB", "ABCD", "EFGHABCD"},
        {"BA", "DCBA", "DCBAHGFE"}, {"BA", "BADC", "FEHGBADC"},
    };
    for (int order = 0; order < WEIR_ORDER_COUNT; order++)
        for (unsigned w = 0; w < 3; w++) {
            const unsigned width = 2u << w;
            const char *word = words[order][w];
            uint8_t from[8];
            assert_string_equal(weir_order_text((weir_order)order, width), word);
            weir_order_bytes((weir_order)order, width, from);
            for (unsigned k = 0; k < width; k++)
                if (from[word[k] - 'A'] != k)
                    fail_msg("%s: byte %c comes from %u", word, word[k], from[word[k] - 'A']);
        }
}

static void one_byte_has_only_one_order(void **state)
{
    (void)state;
    for (int order = 0; order < WEIR_ORDER_COUNT; order++) {
        uint8_t from[8] = {42};
        weir_order_bytes((weir_order)order, 1, from);
        assert_int_equal(from[0], 0);
    }
}

static void orders_are_read_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        weir_order order;
    } cases[] = {
        {"AB", WEIR_ORDER_ABCD},           {"ba", WEIR_ORDER_DCBA},
        {"ABCD", WEIR_ORDER_ABCD},         {"cdab", WEIR_ORDER_CDAB},
        {"BADC", WEIR_ORDER_BADC},         {"DCBA", WEIR_ORDER_DCBA},
        {"ABCDEFGH", WEIR_ORDER_ABCD},     {"GHEFCDAB", WEIR_ORDER_CDAB},
        {"BADCFEHG", WEIR_ORDER_BADC},     {"HGFEDCBA", WEIR_ORDER_DCBA},
        {"CDABGHEF", WEIR_ORDER_CDABGHEF}, {"EFGHABCD", WEIR_ORDER_EFGHABCD},
        {"DCBAHGFE", WEIR_ORDER_DCBAHGFE}, {"FEHGBADC", WEIR_ORDER_FEHGBADC},
        {"big", WEIR_ORDER_ABCD},          {"little", WEIR_ORDER_DCBA},
        {"big-swap", WEIR_ORDER_BADC},     {"little-swap", WEIR_ORDER_CDAB},
        {"MSW-LE", WEIR_ORDER_BADC},       {"LSW-BE", WEIR_ORDER_CDAB},
        {"mbe", WEIR_ORDER_BADC},          {"mle", WEIR_ORDER_CDAB},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_order order = WEIR_ORDER_FEHGBADC;
        if (!weir_order_parse(cases[i].word, &order) || order != cases[i].order)
            fail_msg("%s", cases[i].word);
    }
    weir_order order = WEIR_ORDER_CDAB;
    assert_false(weir_order_parse("", &order));
    assert_false(weir_order_parse("ACBD", &order));
    assert_false(weir_order_parse("ABCDE", &order));
    assert_int_equal(order, WEIR_ORDER_CDAB);
}

static void every_word_listed_is_taken(void **state)
{
    (void)state;
    weir_type type;
    weir_order order;
    size_t n = 0;
    for (; weir_type_word(n); n++)
        assert_true(weir_type_parse(weir_type_word(n), &type));
    assert_true(n > WEIR_TYPE_COUNT);
    for (n = 0; weir_order_word(n); n++)
        assert_true(weir_order_parse(weir_order_word(n), &order));
    assert_true(n > WEIR_ORDER_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_reads_back_from_its_own_word),
        cmocka_unit_test(words_of_other_programs_are_understood),
        cmocka_unit_test(words_that_are_no_type_are_refused),
        cmocka_unit_test(widths_and_kinds_follow_the_table),
        cmocka_unit_test(orders_mean_what_their_letters_say),
        cmocka_unit_test(one_byte_has_only_one_order),
        cmocka_unit_test(orders_are_read_in_every_form),
        cmocka_unit_test(every_word_listed_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

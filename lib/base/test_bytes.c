/* SPDX-License-Identifier: MIT */
/* Tests of the byte cursors. */

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void numbers_are_big_endian_both_ways(void **state)
{
    (void)state;
    uint8_t b[15];
    weir_writer w = weir_writer_of(b, sizeof b);
    weir_write_u8(&w, 0x01);
    weir_write_u16(&w, 0x0203);
    weir_write_u32(&w, 0x04050607);
    weir_write_u64(&w, 0x08090a0b0c0d0e0f);
    assert_false(w.failed);
    assert_int_equal(weir_writer_length(&w), 15);
    for (size_t i = 0; i < sizeof b; i++)
        assert_int_equal(b[i], i + 1);
    weir_reader r = weir_reader_of(b, sizeof b);
    assert_int_equal(weir_read_u8(&r), 0x01);
    assert_int_equal(weir_read_u16(&r), 0x0203);
    assert_int_equal(weir_read_u32(&r), 0x04050607);
    assert_true(weir_read_u64(&r) == 0x08090a0b0c0d0e0f);
    assert_int_equal(weir_reader_left(&r), 0);
    assert_false(r.failed);
}

static void reading_past_the_end_yields_zeros_for_ever(void **state)
{
    (void)state;
    weir_reader r = weir_reader_of("\x01\x02\x03", 3);
    assert_int_equal(weir_read_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(weir_read_u8(&r), 0);
    assert_null(weir_read_bytes(&r, 1));
    weir_reader none = weir_reader_of(NULL, 0);
    assert_int_equal(weir_read_u8(&none), 0);
    assert_true(none.failed);
}

static void writing_past_the_end_writes_nothing(void **state)
{
    (void)state;
    uint8_t b[4] = {9, 9, 9, 9};
    weir_writer w = weir_writer_of(b, 3);
    weir_write_u32(&w, 1);
    assert_true(w.failed);
    assert_int_equal(weir_writer_length(&w), 0);
    weir_write_u8(&w, 1);
    assert_memory_equal(b, "\x09\x09\x09\x09", 4);
}

static void varints_read_back_at_every_length(void **state)
{
    (void)state;
    for (int bits = 0; bits <= 64; bits++) {
        const uint64_t v = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
        uint8_t b[10];
        weir_writer w = weir_writer_of(b, sizeof b);
        weir_write_varint(&w, v);
        assert_false(w.failed);
        assert_int_equal(weir_writer_length(&w), bits <= 7 ? 1 : (bits + 6) / 7);
        weir_reader r = weir_reader_of(b, weir_writer_length(&w));
        assert_true(weir_read_varint(&r) == v);
        assert_false(r.failed);
        weir_reader cut = weir_reader_of(b, weir_writer_length(&w) - 1);
        assert_true(weir_read_varint(&cut) == 0);
        assert_true(cut.failed);
    }
}

static void a_varint_beyond_64_bits_fails(void **state)
{
    (void)state;
    weir_reader r = weir_reader_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    assert_true(weir_read_varint(&r) == 0);
    assert_true(r.failed);
    weir_reader longer = weir_reader_of("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
    assert_true(weir_read_varint(&longer) == 0);
    assert_true(longer.failed);
}

static void signed_varints_keep_small_numbers_small(void **state)
{
    (void)state;
    static const int64_t numbers[] = {0, -1, 1, -2, 63, -64, INT64_MAX, INT64_MIN};
    assert_true(weir_zigzag(-1) == 1);
    assert_true(weir_zigzag(1) == 2);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint8_t b[10];
        weir_writer w = weir_writer_of(b, sizeof b);
        weir_write_svarint(&w, numbers[i]);
        weir_reader r = weir_reader_of(b, weir_writer_length(&w));
        assert_true(weir_read_svarint(&r) == numbers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_big_endian_both_ways),
        cmocka_unit_test(reading_past_the_end_yields_zeros_for_ever),
        cmocka_unit_test(writing_past_the_end_writes_nothing),
        cmocka_unit_test(varints_read_back_at_every_length),
        cmocka_unit_test(a_varint_beyond_64_bits_fails),
        cmocka_unit_test(signed_varints_keep_small_numbers_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

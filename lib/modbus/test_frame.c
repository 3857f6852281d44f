/* SPDX-License-Identifier: MIT */
/* Where frames begin and end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "modbus/crc16.h"
#include "modbus/frame.h"

static void request_of_the_tcp_guide_is_built_and_read(void **state)
{
    (void)state;
    /* Modbus messaging on TCP/IP implementation guide 1.0b, 4.4.2: read register 5 of unit 255. */
    static const uint8_t want[] = {0x15, 0x01, 0, 0, 0, 6, 0xff, 3, 0, 4, 0, 1};
    uint8_t got[WEIR_FRAME_MAX];
    weir_writer w = weir_writer_of(got, sizeof got);
    weir_frame_begin(&w, WEIR_FRAMING_TCP, 0x1501, 255);
    weir_write_bytes(&w, want + 7, 5);
    weir_frame_end(&w, WEIR_FRAMING_TCP, got);
    assert_int_equal(weir_writer_length(&w), sizeof want);
    assert_memory_equal(got, want, sizeof want);

    weir_frame frame;
    size_t size;
    assert_int_equal(
        weir_frame_read(WEIR_FRAMING_TCP, WEIR_DIRECTION_REQUEST, want, sizeof want, &size, &frame),
        WEIR_FRAME_WHOLE);
    assert_int_equal(size, sizeof want);
    assert_int_equal(frame.tid, 0x1501);
    assert_int_equal(frame.unit, 255);
    assert_int_equal(frame.n_pdu, 5);
    assert_ptr_equal(frame.pdu, want + 7);
}

static void mbap_with_an_impossible_header_is_broken_and_any_other_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        weir_frame_result want;
        size_t size; /* to have, or of the frame */
    } cases[] = {
        {"", WEIR_FRAME_MORE, 6},
        {"15 01 00 00", WEIR_FRAME_MORE, 6},
        {"15 01 00 01", WEIR_FRAME_BROKEN, 0},
        {"15 01 80 00", WEIR_FRAME_BROKEN, 0},
        {"15 01 00 00 00 00", WEIR_FRAME_BROKEN, 0},
        {"15 01 00 00 00 01", WEIR_FRAME_BROKEN, 0},
        {"15 01 00 00 00 02", WEIR_FRAME_MORE, 8},
        {"15 01 00 00 00 02 01 83", WEIR_FRAME_WHOLE, 8},
        {"15 01 00 00 00 fe", WEIR_FRAME_MORE, 260},
        {"15 01 00 00 00 ff", WEIR_FRAME_BROKEN, 0},
        {"15 01 00 00 ff ff", WEIR_FRAME_BROKEN, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t b[16];
        weir_frame frame;
        size_t size = 0;
        int n = weir_hex_parse(cases[i].hex, b, sizeof b);
        weir_frame_result got =
            weir_frame_read(WEIR_FRAMING_TCP, WEIR_DIRECTION_REPLY, b, (size_t)n, &size, &frame);
        if (got != cases[i].want || size != cases[i].size)
            fail_msg("%s: %d, %zu", cases[i].hex, (int)got, size);
    }
}

/* Frames without CRC; of public functions as in Modbus Application Protocol 1.1b3, section 6. */
static const struct {
    weir_direction direction;
    const char *name;
    const char *hex;
} rtu_frames[] = {
    {WEIR_DIRECTION_REPLY, "1", "11 01 03 cd 6b 05"},
    {WEIR_DIRECTION_REPLY, "3", "11 03 06 02 2b 00 00 00 64"},
    {WEIR_DIRECTION_REPLY, "exception", "11 83 02"},
    {WEIR_DIRECTION_REPLY, "5", "11 05 00 ac ff 00"},
    {WEIR_DIRECTION_REPLY, "7", "11 07 6d"},
    {WEIR_DIRECTION_REPLY, "8", "11 08 00 00 a5 37"},
    {WEIR_DIRECTION_REPLY, "11", "11 0b ff ff 01 08"},
    {WEIR_DIRECTION_REPLY, "12", "11 0c 08 00 00 01 08 01 21 20 00"},
    {WEIR_DIRECTION_REPLY, "16", "11 10 00 01 00 02"},
    {WEIR_DIRECTION_REPLY, "17", "11 11 03 2a ff 00"},
    {WEIR_DIRECTION_REPLY, "20", "11 14 0c 05 06 0d fe 00 20 05 06 33 cd 00 40"},
    {WEIR_DIRECTION_REPLY, "22", "11 16 00 04 00 f2 00 25"},
    {WEIR_DIRECTION_REPLY, "23", "11 17 0c 00 fe 0a cd 00 01 00 03 00 0d 00 ff"},
    {WEIR_DIRECTION_REPLY, "24", "11 18 00 06 00 02 01 b8 12 84"},
    {WEIR_DIRECTION_REPLY, "43", "11 2b 0e 01 01 00 00 01 00 02 57 31"},
    {WEIR_DIRECTION_REPLY, "user defined", "11 41 01 02 03 04 05"},
    {WEIR_DIRECTION_REQUEST, "3", "11 03 00 6b 00 03"},
    {WEIR_DIRECTION_REQUEST, "6", "11 06 00 01 00 03"},
    {WEIR_DIRECTION_REQUEST, "7", "11 07"},
    {WEIR_DIRECTION_REQUEST, "15", "11 0f 00 13 00 0a 02 cd 01"},
    {WEIR_DIRECTION_REQUEST, "16", "11 10 00 01 00 02 04 00 0a 01 02"},
    {WEIR_DIRECTION_REQUEST, "20", "11 14 0e 06 00 04 00 01 00 02 06 00 03 00 09 00 02"},
    {WEIR_DIRECTION_REQUEST, "22", "11 16 00 04 00 f2 00 25"},
    {WEIR_DIRECTION_REQUEST, "23", "11 17 00 03 00 06 00 0e 00 03 06 00 ff 00 ff 00 ff"},
    {WEIR_DIRECTION_REQUEST, "24", "11 18 04 de"},
    {WEIR_DIRECTION_REQUEST, "43", "11 2b 0e 01 00"},
};

static size_t rtu_frame(size_t i, uint8_t ret[64])
{
    size_t n = (size_t)weir_hex_parse(rtu_frames[i].hex, ret, 62);
    uint16_t crc = weir_crc16(ret, n);
    ret[n] = (uint8_t)crc;
    ret[n + 1] = (uint8_t)(crc >> 8);
    return n + 2;
}

static void rtu_frame_ends_where_its_function_says_however_it_is_sliced(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rtu_frames / sizeof rtu_frames[0]; i++) {
        uint8_t b[70];
        weir_frame frame;
        size_t size, n = rtu_frame(i, b);
        memset(b + n, 0x55, 6); /* the next one */
        for (size_t have = 0; have < n; have++) {
            weir_frame_result r =
                weir_frame_read(WEIR_FRAMING_RTU, rtu_frames[i].direction, b, have, &size, &frame);
            if (r != WEIR_FRAME_MORE || size <= have || size > n)
                fail_msg("function %s: %d at %zu of %zu", rtu_frames[i].name, (int)r, have, n);
        }
        for (size_t have = n; have < n + 6; have++) {
            assert_int_equal(
                weir_frame_read(WEIR_FRAMING_RTU, rtu_frames[i].direction, b, have, &size, &frame),
                WEIR_FRAME_WHOLE);
            assert_int_equal(size, n);
            assert_int_equal(frame.unit, 0x11);
            assert_int_equal(frame.n_pdu, n - 3);
        }
    }
}

static void rtu_frame_with_a_flipped_bit_is_never_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rtu_frames / sizeof rtu_frames[0]; i++) {
        uint8_t b[64];
        size_t n = rtu_frame(i, b);
        for (size_t bit = 0; bit < n * 8; bit++) {
            weir_frame frame;
            size_t size;
            b[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(
                weir_frame_read(WEIR_FRAMING_RTU, rtu_frames[i].direction, b, n, &size, &frame),
                WEIR_FRAME_WHOLE);
            b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void rtu_length_past_256_is_broken(void **state)
{
    (void)state;
    static const uint8_t reply[] = {17, 3, 252, 0, 0};
    static const uint8_t request[] = {17, 16, 0, 0, 0, 1, 255, 0};
    weir_frame frame;
    size_t size;
    assert_int_equal(
        weir_frame_read(WEIR_FRAMING_RTU, WEIR_DIRECTION_REPLY, reply, sizeof reply, &size, &frame),
        WEIR_FRAME_BROKEN);
    assert_int_equal(weir_frame_read(WEIR_FRAMING_RTU, WEIR_DIRECTION_REQUEST, request,
                                     sizeof request, &size, &frame),
                     WEIR_FRAME_BROKEN);
}

static void words_say_what_came_instead_of_modbus(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *want;
    } cases[] = {
        {"HTTP/1.1 400 Bad\r\n\r\n", 20, "not Modbus: 'HTTP/1.1 400 Bad'"},
        {"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", 40,
         "not Modbus: 'SSH-2.0-OpenSSH_9.2p1 Debian-2+d'"},
        {"\x15\x01\x00\x01\x00\x06", 6, "not Modbus TCP: protocol id 1 where 0 belongs"},
        {"\x15\x01\x00\x00\xff\xff", 6, "not Modbus TCP: length 65535 where 2 to 254 belongs"},
        {"\x15\x01\x00\x00\x00\x01", 6, "not Modbus TCP: length 1 where 2 to 254 belongs"},
        {"\xff\xfd\x01\xff", 4, "not Modbus TCP: protocol id 511 where 0 belongs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        weir_frame_explain((const uint8_t *)cases[i].bytes, cases[i].n, text, sizeof text);
        assert_string_equal(text, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_of_the_tcp_guide_is_built_and_read),
        cmocka_unit_test(mbap_with_an_impossible_header_is_broken_and_any_other_is_not),
        cmocka_unit_test(rtu_frame_ends_where_its_function_says_however_it_is_sliced),
        cmocka_unit_test(rtu_frame_with_a_flipped_bit_is_never_whole),
        cmocka_unit_test(rtu_length_past_256_is_broken),
        cmocka_unit_test(words_say_what_came_instead_of_modbus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

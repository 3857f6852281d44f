/* SPDX-License-Identifier: MIT */
/* What a Modbus CRC must be. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "modbus/crc16.h"

static const struct {
    const char *origin;
    const char *frame; /* CRC included, low byte first */
} frames[] = {
    {"MODBUS over serial line 1.02, appendix B", "02 07 41 12"},
    {"read 10 holding registers of unit 1", "01 03 00 00 00 0a c5 cd"},
    {"read 3 holding registers of unit 17", "11 03 00 6b 00 03 76 87"},
    {"and the reply", "11 03 06 ae 41 56 52 43 40 49 ad"},
};

static void crc_of_known_frames_is_theirs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        uint8_t b[64];
        int n = weir_hex_parse(frames[i].frame, b, sizeof b);
        assert_true(n > 2);
        uint16_t crc = weir_crc16(b, (size_t)n - 2);
        assert_int_equal(crc, b[n - 2] | b[n - 1] << 8);
    }
}

static void crc_over_a_whole_frame_is_zero_and_every_flipped_bit_shows(void **state)
{
    (void)state;
    uint8_t b[64];
    int n = weir_hex_parse(frames[3].frame, b, sizeof b);
    assert_int_equal(weir_crc16(b, (size_t)n), 0);
    for (int bit = 0; bit < n * 8; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(weir_crc16(b, (size_t)n), 0);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_of_known_frames_is_theirs),
        cmocka_unit_test(crc_over_a_whole_frame_is_zero_and_every_flipped_bit_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tests of CRC-32C with the vectors of RFC 3720, B.4. */

#include "base/crc.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"

static void the_vectors_of_rfc_3720_come_out(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        uint32_t crc;
    } cases[] = {
        {"32 bytes of zeroes", "0000000000000000000000000000000000000000000000000000000000000000",
         0x8a9136aa},
        {"32 bytes of ones", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
         0x62a8ab43},
        {"incrementing", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         0x46dd794e},
        {"decrementing", "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100",
         0x113fdb5c},
        {"an iSCSI read command",
         "01c00000000000000000000000000000140000000000040000000014000000182800000000000000"
         "0200000000000000",
         0xd9963a56},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t b[64];
        const int n = weir_hex_parse(cases[i].hex, b, sizeof b);
        assert_true(n > 0);
        if (weir_crc32c(0, b, (size_t)n) != cases[i].crc)
            fail_msg("%s", cases[i].name);
    }
}

static void the_check_value_of_nine_digits_comes_out(void **state)
{
    (void)state;
    assert_true(weir_crc32c(0, "123456789", 9) == 0xe3069283);
    assert_true(weir_crc32c(0, NULL, 0) == 0);
}

/* One bit at a time, as the polynomial says. */
static uint32_t crc_by_definition(const uint8_t *p, size_t n)
{
    uint32_t crc = ~0u;
    for (; n; n--, p++) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void every_length_offset_and_cut_agrees_with_the_definition(void **state)
{
    (void)state;
    uint8_t b[80];
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)(i * 151 + 7);
    for (size_t from = 0; from < 9; from++)
        for (size_t n = 0; from + n <= sizeof b; n++) {
            const uint32_t want = crc_by_definition(b + from, n);
            const size_t cut = n / 3;
            assert_true(weir_crc32c(0, b + from, n) == want);
            assert_true(weir_crc32c(weir_crc32c(0, b + from, cut), b + from + cut, n - cut) ==
                        want);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_3720_come_out),
        cmocka_unit_test(the_check_value_of_nine_digits_comes_out),
        cmocka_unit_test(every_length_offset_and_cut_agrees_with_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

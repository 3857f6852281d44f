/* SPDX-License-Identifier: MIT */
/* What a slave answers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "modbus/crc16.h"
#include "modbus/frame.h"
#include "modbus/slave.h"

static uint16_t bit_of(const uint8_t *bytes, unsigned i)
{
    return bytes[i / 8] >> i % 8 & 1u;
}

/* Units 1 and 255 hold the values of the examples of Modbus Application Protocol 1.1b3, 6.1-6.4;
 * registers from 1000 on are their own addresses, 900-999 do not exist; unit 9 is not there. */
static int table_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    static const uint8_t coils[] = {0xcd, 0x6b, 0x05};     /* from 19 */
    static const uint8_t discretes[] = {0xac, 0xdb, 0x35}; /* from 196 */
    static const uint16_t holding[] = {0x022b, 0, 100};    /* from 107 */
    (void)data;
    if (unit == 9)
        return WEIR_SLAVE_SILENT;
    for (unsigned i = 0; i < n; i++) {
        unsigned a = address + i;
        if (a >= 900 && a < 1000)
            return 2;
        ret[i] = (uint16_t)a;
        if (table == WEIR_REGISTER_COIL)
            ret[i] = a >= 19 && a < 43 ? bit_of(coils, a - 19) : 0;
        else if (table == WEIR_REGISTER_DISCRETE)
            ret[i] = a >= 196 && a < 220 ? bit_of(discretes, a - 196) : 0;
        else if (table == WEIR_REGISTER_HOLDING && a >= 107 && a < 110)
            ret[i] = holding[a - 107];
        else if (table == WEIR_REGISTER_INPUT && a == 8)
            ret[i] = 10;
    }
    return 0;
}

static const weir_slave_host host = {.read = table_read};

/* Builds the frame of a PDU in hex. */
static size_t frame_of(weir_framing framing, uint8_t unit, const char *pdu_hex, uint8_t *ret)
{
    uint8_t pdu[300];
    int n = weir_hex_parse(pdu_hex, pdu, sizeof pdu);
    weir_writer w = weir_writer_of(ret, 400);
    weir_frame_begin(&w, framing, 0x1501, unit);
    weir_write_bytes(&w, pdu, (size_t)n);
    weir_frame_end(&w, framing, ret);
    return weir_writer_length(&w);
}

static void assert_answer(weir_framing framing, uint8_t unit, const char *request, const char *want)
{
    uint8_t asked[400], answer[600], wanted[400];
    size_t n_answer;
    bool broken;
    weir_slave slave;
    weir_slave_init(&slave, framing, &host);
    size_t n = frame_of(framing, unit, request, asked);
    assert_int_equal(weir_slave_input(&slave, asked, n, answer, sizeof answer, &n_answer, &broken),
                     n);
    assert_false(broken);
    if (!want) {
        assert_int_equal(n_answer, 0);
        return;
    }
    size_t n_wanted = frame_of(framing, unit, want, wanted);
    assert_int_equal(n_answer, n_wanted);
    assert_memory_equal(answer, wanted, n_wanted);
}

static void assert_answers(const char *request, const char *want)
{
    assert_answer(WEIR_FRAMING_TCP, 255, request, want);
    assert_answer(WEIR_FRAMING_RTU, 1, request, want);
}

static void requests_of_the_specification_get_its_replies(void **state)
{
    (void)state;
    assert_answers("01 00 13 00 13", "01 03 cd 6b 05");
    assert_answers("02 00 c4 00 16", "02 03 ac db 35");
    assert_answers("03 00 6b 00 03", "03 06 02 2b 00 00 00 64");
    assert_answers("04 00 08 00 01", "04 02 00 0a");
}

static void refusals_carry_the_code_of_their_reason(void **state)
{
    (void)state;
    static const struct {
        const char *reason, *request, *answer;
    } cases[] = {
        {"no registers", "03 00 00 00 00", "83 03"},
        {"126 registers", "03 00 00 00 7e", "83 03"},
        {"2001 bits", "01 00 00 07 d1", "81 03"},
        {"past 65535", "04 ff ff 00 02", "84 02"},
        {"past 65535, bits", "02 ff ff 00 02", "82 02"},
        {"count before address", "03 ff ff 00 7e", "83 03"},
        {"a hole in the table", "03 03 80 00 20", "83 02"},
        {"write coil", "05 00 ac ff 00", "85 01"},
        {"write register", "06 00 01 00 03", "86 01"},
        {"write coils", "0f 00 13 00 0a 02 cd 01", "8f 01"},
        {"write registers", "10 00 01 00 02 04 00 0a 01 02", "90 01"},
        {"mask write", "16 00 04 00 f2 00 25", "96 01"},
        {"read/write", "17 00 03 00 06 00 0e 00 03 06 00 ff 00 ff 00 ff", "97 01"},
        {"read exception status", "07", "87 01"},
        {"device identification", "2b 0e 01 00", "ab 01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_answers(cases[i].request, cases[i].answer);
}

static void largest_reads_fill_the_largest_frames(void **state)
{
    (void)state;
    uint8_t asked[16], answer[WEIR_FRAME_MAX];
    size_t n_answer;
    bool broken;
    weir_slave slave;
    weir_slave_init(&slave, WEIR_FRAMING_TCP, &host);
    size_t n = frame_of(WEIR_FRAMING_TCP, 1, "03 10 00 00 7d", asked);
    (void)weir_slave_input(&slave, asked, n, answer, sizeof answer, &n_answer, &broken);
    assert_int_equal(n_answer, 7 + 2 + 250);
    assert_int_equal(answer[9] << 8 | answer[10], 0x1000);
    assert_int_equal(answer[257] << 8 | answer[258], 0x1000 + 124);
    n = frame_of(WEIR_FRAMING_TCP, 1, "01 10 00 07 d0", asked);
    (void)weir_slave_input(&slave, asked, n, answer, sizeof answer, &n_answer, &broken);
    assert_int_equal(n_answer, 7 + 2 + 250);
}

static void unit_that_is_not_there_is_silent(void **state)
{
    (void)state;
    for (weir_framing f = WEIR_FRAMING_TCP; f <= WEIR_FRAMING_RTU; f++) {
        assert_answer(f, 9, "03 00 00 00 01", NULL);
        assert_answer(f, 9, "06 00 01 00 03", NULL);
    }
}

static void broadcast_on_rtu_gets_no_answer_but_unit_0_on_tcp_does(void **state)
{
    (void)state;
    assert_answer(WEIR_FRAMING_RTU, 0, "04 00 08 00 01", NULL);
    assert_answer(WEIR_FRAMING_TCP, 0, "04 00 08 00 01", "04 02 00 0a");
}

/* Three requests in one stream, cut in every way into two, and byte by byte. */
static void requests_are_assembled_from_any_slicing(void **state)
{
    (void)state;
    for (weir_framing f = WEIR_FRAMING_TCP; f <= WEIR_FRAMING_RTU; f++) {
        uint8_t stream[100], want[100], got[1000];
        size_t n = 0, n_want = 0;
        static const char *const pdus[][2] = {{"03 00 6b 00 03", "03 06 02 2b 00 00 00 64"},
                                              {"10 00 01 00 02 04 00 0a 01 02", "90 01"},
                                              {"04 00 08 00 01", "04 02 00 0a"}};
        for (int i = 0; i < 3; i++) {
            n += frame_of(f, 1, pdus[i][0], stream + n);
            n_want += frame_of(f, 1, pdus[i][1], want + n_want);
        }
        for (size_t step = 1; step <= n; step++) {
            weir_slave slave;
            weir_slave_init(&slave, f, &host);
            size_t n_got = 0;
            for (size_t at = 0; at < n;) {
                size_t n_answer, m = n - at < step ? n - at : step;
                bool broken;
                at += weir_slave_input(&slave, stream + at, m, got + n_got, sizeof got - n_got,
                                       &n_answer, &broken);
                assert_false(broken);
                n_got += n_answer;
            }
            assert_int_equal(n_got, n_want);
            assert_memory_equal(got, want, n_want);
        }
    }
}

static void answers_that_do_not_fit_wait_for_the_next_call(void **state)
{
    (void)state;
    uint8_t stream[48], answer[WEIR_FRAME_MAX];
    size_t n = 0, answers = 0, at = 0;
    for (int i = 0; i < 4; i++)
        n += frame_of(WEIR_FRAMING_TCP, 1, "03 10 00 00 7d", stream + n);
    weir_slave slave;
    weir_slave_init(&slave, WEIR_FRAMING_TCP, &host);
    for (size_t n_answer = 1; n_answer;) {
        bool broken;
        at += weir_slave_input(&slave, stream + at, n - at, answer, sizeof answer, &n_answer,
                               &broken);
        assert_true(n_answer == 0 || n_answer == 259);
        answers += n_answer > 0;
    }
    assert_int_equal(at, n);
    assert_int_equal(answers, 4);
}

static void stream_that_is_not_modbus_is_broken(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t n;
    } cases[] = {
        {"GET / HTTP/1.1", "GET / HTTP/1.1\r\n", 16},
        {"protocol id 1", "\0\1\0\1\0\6\1\3\0\0\0\1", 12},
        {"length 0", "\0\1\0\0\0\0", 6},
        {"length 1", "\0\1\0\0\0\1\1", 7},
        {"length 255", "\0\1\0\0\0\xff\1\3", 8},
        {"length 65535", "\0\1\0\0\xff\xff\1\3", 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t answer[WEIR_FRAME_MAX];
        size_t n_answer;
        bool broken = false;
        weir_slave slave;
        weir_slave_init(&slave, WEIR_FRAMING_TCP, &host);
        (void)weir_slave_input(&slave, (const uint8_t *)cases[i].bytes, cases[i].n, answer,
                               sizeof answer, &n_answer, &broken);
        if (!broken || n_answer != 0)
            fail_msg("%s", cases[i].name);
    }
}

static void rtu_request_behind_noise_or_a_wrong_crc_is_answered(void **state)
{
    (void)state;
    static const char *const before[] = {
        "00",                                           /* a line that was switched on */
        "01 03 00 00 00 0a c5 cc",                      /* the last bit flipped */
        "01 03 00 00 00",                               /* cut short */
        "55 55 55 55",                                  /* noise */
        "01 03 00 00 00 0a c5 cc 01 03 00 00 00 0a 00", /* both */
    };
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        uint8_t stream[64], answer[600], want[64];
        size_t n_answer;
        bool broken;
        weir_slave slave;
        weir_slave_init(&slave, WEIR_FRAMING_RTU, &host);
        size_t n = (size_t)weir_hex_parse(before[i], stream, sizeof stream);
        n += frame_of(WEIR_FRAMING_RTU, 1, "04 00 08 00 01", stream + n);
        (void)weir_slave_input(&slave, stream, n, answer, sizeof answer, &n_answer, &broken);
        size_t n_want = frame_of(WEIR_FRAMING_RTU, 1, "04 02 00 0a", want);
        assert_false(broken);
        assert_int_equal(n_answer, n_want);
        assert_memory_equal(answer, want, n_want);
    }
}

static void rtu_request_with_a_wrong_crc_gets_no_answer(void **state)
{
    (void)state;
    uint8_t asked[16], answer[WEIR_FRAME_MAX];
    for (int bit = 0; bit < 64; bit++) {
        size_t n_answer;
        bool broken;
        weir_slave slave;
        weir_slave_init(&slave, WEIR_FRAMING_RTU, &host);
        size_t n = frame_of(WEIR_FRAMING_RTU, 1, "03 00 6b 00 03", asked);
        assert_int_equal(n, 8);
        asked[bit / 8] ^= (uint8_t)(1 << bit % 8);
        (void)weir_slave_input(&slave, asked, n, answer, sizeof answer, &n_answer, &broken);
        assert_int_equal(n_answer, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_the_specification_get_its_replies),
        cmocka_unit_test(refusals_carry_the_code_of_their_reason),
        cmocka_unit_test(largest_reads_fill_the_largest_frames),
        cmocka_unit_test(unit_that_is_not_there_is_silent),
        cmocka_unit_test(broadcast_on_rtu_gets_no_answer_but_unit_0_on_tcp_does),
        cmocka_unit_test(requests_are_assembled_from_any_slicing),
        cmocka_unit_test(answers_that_do_not_fit_wait_for_the_next_call),
        cmocka_unit_test(stream_that_is_not_modbus_is_broken),
        cmocka_unit_test(rtu_request_behind_noise_or_a_wrong_crc_is_answered),
        cmocka_unit_test(rtu_request_with_a_wrong_crc_gets_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

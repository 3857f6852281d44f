/* SPDX-License-Identifier: MIT */
/* Requests as they must be built, replies as they must be judged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "modbus/pdu.h"

/* The examples of Modbus Application Protocol 1.1b3. */
static const struct {
    const char *clause;
    weir_pdu_request request;
    const char *request_hex;
    const char *reply_hex;
    const char *data_hex;
} examples[] = {
    {"6.1 coils 20-38",
     {.function = 1, .address = 19, .count = 19},
     "01 00 13 00 13",
     "01 03 cd 6b 05",
     "cd 6b 05"},
    {"6.2 discrete inputs 197-218",
     {.function = 2, .address = 196, .count = 22},
     "02 00 c4 00 16",
     "02 03 ac db 35",
     "ac db 35"},
    {"6.3 holding registers 108-110",
     {.function = 3, .address = 107, .count = 3},
     "03 00 6b 00 03",
     "03 06 02 2b 00 00 00 64",
     "02 2b 00 00 00 64"},
    {"6.4 input register 9",
     {.function = 4, .address = 8, .count = 1},
     "04 00 08 00 01",
     "04 02 00 0a",
     "00 0a"},
};
enum { N_EXAMPLES = sizeof examples / sizeof examples[0] };

static void read_requests_are_those_of_the_specification(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        uint8_t want[16], got[16];
        int n = weir_hex_parse(examples[i].request_hex, want, sizeof want);
        weir_writer w = weir_writer_of(got, sizeof got);
        assert_true(weir_pdu_write_request(&w, &examples[i].request, false));
        assert_int_equal(weir_writer_length(&w), n);
        assert_memory_equal(got, want, (size_t)n);
    }
}

static void replies_of_the_specification_are_good_and_give_their_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        uint8_t pdu[16], data[16];
        int n = weir_hex_parse(examples[i].reply_hex, pdu, sizeof pdu);
        int n_data = weir_hex_parse(examples[i].data_hex, data, sizeof data);
        weir_pdu_reply reply = weir_pdu_check(pdu, (size_t)n, &examples[i].request);
        assert_int_equal(reply.result, WEIR_PDU_GOOD);
        assert_int_equal(reply.n_data, n_data);
        assert_memory_equal(reply.data, data, (size_t)n_data);
    }
}

static void reply_whose_length_is_not_what_was_asked_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t function;
        uint16_t count;
        const char *hex;
        weir_pdu_result want;
    } cases[] = {
        {"whole", 3, 2, "03 04 00 2a 01 00", WEIR_PDU_GOOD},
        {"last byte gone", 3, 2, "03 04 00 2a 01", WEIR_PDU_MALFORMED},
        {"one byte too many", 3, 2, "03 04 00 2a 01 00 ff", WEIR_PDU_MALFORMED},
        {"byte count smaller than the frame", 3, 2, "03 02 00 2a 01 00", WEIR_PDU_MALFORMED},
        {"byte count larger than the frame", 3, 2, "03 06 00 2a 01 00", WEIR_PDU_MALFORMED},
        {"consistent, but fewer than asked", 3, 2, "03 02 00 2a", WEIR_PDU_MALFORMED},
        {"consistent, but more than asked", 3, 2, "03 06 00 2a 01 00 00 00", WEIR_PDU_MALFORMED},
        {"no data at all", 3, 2, "03 00", WEIR_PDU_MALFORMED},
        {"function code alone", 3, 2, "03", WEIR_PDU_MALFORMED},
        {"nothing", 3, 2, "", WEIR_PDU_MALFORMED},
        {"odd byte count", 3, 2, "03 05 00 2a 01 00 00", WEIR_PDU_MALFORMED},
        {"9 bits in 2 bytes", 1, 9, "01 02 ff 01", WEIR_PDU_GOOD},
        {"9 bits in 1 byte", 1, 9, "01 01 ff", WEIR_PDU_MALFORMED},
        {"8 bits in 2 bytes", 2, 8, "02 02 ff 00", WEIR_PDU_MALFORMED},
        {"exception", 3, 2, "83 02", WEIR_PDU_EXCEPTION},
        {"exception without code", 3, 2, "83", WEIR_PDU_MALFORMED},
        {"exception with two codes", 3, 2, "83 02 00", WEIR_PDU_MALFORMED},
        {"exception of another function", 3, 2, "84 02", WEIR_PDU_WRONG_FUNCTION},
        {"another function", 3, 2, "04 04 00 2a 01 00", WEIR_PDU_WRONG_FUNCTION},
        {"raw, any length", 17, 0, "11 02 2a ff", WEIR_PDU_GOOD},
        {"raw, nothing", 17, 0, "11", WEIR_PDU_GOOD},
        {"raw, exception", 17, 0, "91 01", WEIR_PDU_EXCEPTION},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t pdu[16];
        int n = weir_hex_parse(cases[i].hex, pdu, sizeof pdu);
        weir_pdu_request request = {.function = cases[i].function, .count = cases[i].count};
        weir_pdu_reply reply = weir_pdu_check(pdu, (size_t)n, &request);
        if (reply.result != cases[i].want)
            fail_msg("%s: %d", cases[i].name, (int)reply.result);
        if (reply.result != WEIR_PDU_GOOD)
            assert_null(reply.data);
    }
}

static void exception_and_wrong_function_name_what_came(void **state)
{
    (void)state;
    weir_pdu_request request = {.function = 3, .count = 1};
    assert_int_equal(weir_pdu_check((const uint8_t *)"\x83\x0b", 2, &request).code, 11);
    assert_int_equal(weir_pdu_check((const uint8_t *)"\x04\x02\x00\x00", 4, &request).code, 4);
}

/* Modbus Application Protocol 1.1b3, 6.6 and 6.12, with one bit of the echo changed. */
static void write_is_confirmed_only_by_its_echo(void **state)
{
    (void)state;
    static const struct {
        const char *request, *reply;
        weir_pdu_result want;
    } cases[] = {
        {"06 00 01 00 03", "06 00 01 00 03", WEIR_PDU_GOOD},
        {"06 00 01 00 03", "06 00 01 00 02", WEIR_PDU_MALFORMED},
        {"06 00 01 00 03", "06 00 01 00", WEIR_PDU_MALFORMED},
        {"06 00 01 00 03", "06 00 01 00 03 00", WEIR_PDU_MALFORMED},
        {"10 00 01 00 02 04 00 0a 01 02", "10 00 01 00 02", WEIR_PDU_GOOD},
        {"10 00 01 00 02 04 00 0a 01 02", "10 00 01 00 01", WEIR_PDU_MALFORMED},
        {"16 00 04 00 f2 00 25", "16 00 04 00 f2 00 25", WEIR_PDU_GOOD},
        {"16 00 04 00 f2 00 25", "16 00 04 00 f2 00 24", WEIR_PDU_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t asked[16], came[16], built[16];
        int n_asked = weir_hex_parse(cases[i].request, asked, sizeof asked);
        int n_came = weir_hex_parse(cases[i].reply, came, sizeof came);
        weir_pdu_request request = {
            .function = asked[0], .data = asked + 1, .n_data = (size_t)n_asked - 1};
        weir_writer w = weir_writer_of(built, sizeof built);
        assert_true(weir_pdu_write_request(&w, &request, true));
        assert_memory_equal(built, asked, (size_t)n_asked);
        assert_int_equal(weir_pdu_check(came, (size_t)n_came, &request).result, cases[i].want);
    }
}

static void what_must_not_reach_a_wire_is_not_built(void **state)
{
    (void)state;
    static const uint8_t data[253];
    static const struct {
        const char *name;
        weir_pdu_request request;
        bool may_write;
        bool want;
    } cases[] = {
        {"no registers", {.function = 3, .count = 0}, false, false},
        {"125 registers", {.function = 3, .count = 125}, false, true},
        {"126 registers", {.function = 3, .count = 126}, false, false},
        {"2000 bits", {.function = 1, .count = 2000}, false, true},
        {"2001 bits", {.function = 2, .count = 2001}, false, false},
        {"the last register", {.function = 4, .address = 65535, .count = 1}, false, true},
        {"past the last one", {.function = 4, .address = 65535, .count = 2}, false, false},
        {"function 0", {.function = 0}, false, false},
        {"function 128", {.function = 128}, true, false},
        {"a write by a reader", {.function = 6, .data = data, .n_data = 4}, false, false},
        {"a coil by a reader", {.function = 5, .data = data, .n_data = 4}, false, false},
        {"coils by a reader", {.function = 15, .data = data, .n_data = 6}, false, false},
        {"registers by a reader", {.function = 16, .data = data, .n_data = 7}, false, false},
        {"a mask by a reader", {.function = 22, .data = data, .n_data = 6}, false, false},
        {"read/write by a reader", {.function = 23, .data = data, .n_data = 11}, false, false},
        {"a write by a writer", {.function = 6, .data = data, .n_data = 4}, true, true},
        {"252 bytes", {.function = 65, .data = data, .n_data = 252}, false, true},
        {"253 bytes", {.function = 65, .data = data, .n_data = 253}, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t out[300];
        weir_writer w = weir_writer_of(out, sizeof out);
        if (weir_pdu_write_request(&w, &cases[i].request, cases[i].may_write) != cases[i].want)
            fail_msg("%s", cases[i].name);
        assert_int_equal(weir_writer_length(&w) > 0, cases[i].want);
    }
}

static void too_little_room_leaves_the_writer_as_it_was(void **state)
{
    (void)state;
    uint8_t out[4];
    weir_writer w = weir_writer_of(out, sizeof out);
    weir_pdu_request request = {.function = 3, .count = 1};
    assert_false(weir_pdu_write_request(&w, &request, false));
    assert_int_equal(weir_writer_length(&w), 0);
    assert_false(w.failed);
}

/* Modbus Application Protocol 1.1b3, 6.1: coils 20-38 are cd 6b 05. Any run of bits, from any of
 * them on, against looking at each. */
static void bits_of_a_reply_are_taken_from_anywhere(void **state)
{
    static const uint8_t data[] = {0xcd, 0x6b, 0x05};
    (void)state;
    for (unsigned first = 0; first < 24; first++)
        for (unsigned n = 1; first + n <= 24; n++) {
            uint8_t want[4] = {0}, got[4] = {0xee, 0xee, 0xee, 0xee};
            const size_t size = (n + 7) / 8;
            for (unsigned i = 0; i < n; i++)
                want[i / 8] |= (uint8_t)((data[(first + i) / 8] >> (first + i) % 8 & 1) << i % 8);
            weir_pdu_take_bits(data, first, n, got);
            if (memcmp(got, want, size) != 0 || got[size] != 0xee)
                fail_msg("%u bits from %u: %02x %02x %02x", n, first, got[0], got[1], got[2]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_requests_are_those_of_the_specification),
        cmocka_unit_test(replies_of_the_specification_are_good_and_give_their_data),
        cmocka_unit_test(reply_whose_length_is_not_what_was_asked_is_malformed),
        cmocka_unit_test(exception_and_wrong_function_name_what_came),
        cmocka_unit_test(write_is_confirmed_only_by_its_echo),
        cmocka_unit_test(what_must_not_reach_a_wire_is_not_built),
        cmocka_unit_test(too_little_room_leaves_the_writer_as_it_was),
        cmocka_unit_test(bits_of_a_reply_are_taken_from_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

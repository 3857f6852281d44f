/* SPDX-License-Identifier: MIT */
/* Transactions in RTU frames, where no id tells the replies apart. */

#include "modbus/test_link.h"

#define RTU BENCH_CONFIG(.framing = WEIR_FRAMING_RTU)

static void one_request_is_on_the_wire_whatever_max_in_flight_says(void **state)
{
    (void)state;
    bench b;
    probe p[2];
    bench_open(&b, BENCH_CONFIG(.framing = WEIR_FRAMING_RTU, .max_in_flight = 8));
    ask(&b, &p[0], 1, 3, 0, 10);
    ask(&b, &p[1], 1, 3, 10, 10);
    assert_int_equal(b.n_sent, 8);
    assert_memory_equal(b.sent, "\x01\x03\x00\x00\x00\x0a\xc5\xcd", 8);
    bench_close(&b);
}

static void nothing_is_sent_after_a_timeout_until_the_late_reply_came(void **state)
{
    (void)state;
    bench b;
    probe first, second;
    bench_open(&b, RTU);
    ask(&b, &first, 1, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    assert_ended(&first, WEIR_REPLY_TIMEOUT);
    b.n_sent = 0;
    ask(&b, &second, 2, 3, 50, 1);
    bench_wait(&b, 300 * WEIR_MS);
    assert_int_equal(b.n_sent, 0);
    receive_frame(&b, 0, 1, "03 02 aa aa");
    assert_int_equal(b.n_sent, 8);
    assert_int_equal(second.ends, 0);
    receive_frame(&b, 0, 2, "03 02 bb bb");
    assert_good(&second, "bb bb");
    assert_string_equal(b.counted, "sent 1, timeout 1, late 1, sent 2, reply 2, ");
    bench_close(&b);
}

static void late_reply_that_never_comes_costs_one_more_timeout(void **state)
{
    (void)state;
    bench b;
    probe first, second;
    bench_open(&b, RTU);
    ask(&b, &first, 1, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    b.n_sent = 0;
    ask(&b, &second, 2, 3, 50, 1);
    assert_int_equal(b.wake.us, b.now.us + WEIR_S);
    bench_wait(&b, WEIR_S - 1);
    assert_int_equal(b.n_sent, 0);
    bench_wait(&b, 1);
    assert_int_equal(b.n_sent, 8);
    bench_close(&b);
}

static void frame_of_another_unit_does_not_end_the_quarantine(void **state)
{
    (void)state;
    bench b;
    probe first, second;
    bench_open(&b, RTU);
    ask(&b, &first, 1, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    b.n_sent = 0;
    ask(&b, &second, 2, 3, 50, 1);
    receive_frame(&b, 0, 2, "03 02 66 66");
    assert_int_equal(b.n_sent, 0);
    assert_int_equal(second.ends, 0);
    bench_close(&b);
}

static void wrong_crc_is_counted_and_asked_again_after_the_rest_of_the_timeout(void **state)
{
    (void)state;
    bench b;
    probe p;
    uint8_t frame[WEIR_FRAME_MAX];
    bench_open(&b, BENCH_CONFIG(.framing = WEIR_FRAMING_RTU, .retries = 1));
    ask(&b, &p, 1, 3, 0, 2);
    b.n_sent = 0;
    size_t n = frame_of(WEIR_FRAMING_RTU, 0, 1, "03 04 00 01 00 02", frame);
    frame[4] ^= 0x10;
    bench_wait(&b, 100 * WEIR_MS);
    receive_bytes(&b, frame, n);
    receive_bytes(&b, frame, 3); /* what follows is thrown away too */
    assert_int_equal(p.ends, 0);
    assert_int_equal(b.n_sent, 0);
    bench_wait(&b, 900 * WEIR_MS);
    assert_int_equal(b.n_sent, 8);
    receive_frame(&b, 0, 1, "03 04 00 01 00 02");
    assert_good(&p, "00 01 00 02");
    assert_string_equal(b.counted, "sent 1, malformed 1, sent 1, reply 1, ");
    bench_close(&b);
}

static void every_flipped_bit_of_a_reply_is_noticed(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 9 * 8; bit++) {
        bench b;
        probe p;
        uint8_t frame[WEIR_FRAME_MAX];
        bench_open(&b, RTU);
        ask(&b, &p, 1, 3, 0, 2);
        size_t n = frame_of(WEIR_FRAMING_RTU, 0, 1, "03 04 00 01 00 02", frame);
        assert_int_equal(n, 9);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        receive_bytes(&b, frame, n);
        assert_int_equal(p.ends, 0);
        bench_wait(&b, WEIR_S);
        assert_int_equal(p.ends, 1);
        assert_int_not_equal(p.reply.result, WEIR_REPLY_GOOD);
        bench_close(&b);
    }
}

static void only_wrong_crcs_end_malformed(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, RTU);
    ask(&b, &p, 1, 3, 0, 1);
    receive_hex(&b, "01 03 02 00 01 00 00");
    bench_wait(&b, WEIR_S);
    assert_ended(&p, WEIR_REPLY_MALFORMED);
    assert_int_equal(weir_link_get_counters(b.link).timeouts, 0);
    bench_close(&b);
}

static void wrong_byte_count_with_a_right_crc_is_malformed_and_starts_a_quarantine(void **state)
{
    (void)state;
    bench b;
    probe p, next;
    bench_open(&b, RTU);
    ask(&b, &p, 1, 3, 0, 2);
    receive_frame(&b, 0, 1, "03 02 00 01");
    assert_ended(&p, WEIR_REPLY_MALFORMED);
    b.n_sent = 0;
    ask(&b, &next, 1, 3, 9, 1);
    assert_int_equal(b.n_sent, 0);
    bench_wait(&b, WEIR_S);
    assert_int_equal(b.n_sent, 8);
    bench_close(&b);
}

static void reply_of_another_unit_is_dropped(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, RTU);
    ask(&b, &p, 1, 3, 0, 1);
    receive_frame(&b, 0, 2, "03 02 66 66");
    assert_int_equal(p.ends, 0);
    receive_frame(&b, 0, 1, "03 02 00 01");
    assert_good(&p, "00 01");
    bench_close(&b);
}

static void exception_is_five_bytes(void **state)
{
    (void)state;
    bench b;
    probe p[2];
    uint8_t stream[2 * WEIR_FRAME_MAX];
    bench_open(&b, RTU);
    ask(&b, &p[0], 1, 3, 0, 1);
    ask(&b, &p[1], 1, 3, 1, 1);
    size_t n = frame_of(WEIR_FRAMING_RTU, 0, 1, "83 02", stream);
    assert_int_equal(n, 5);
    receive_bytes(&b, stream, n);
    assert_ended(&p[0], WEIR_REPLY_EXCEPTION);
    assert_int_equal(p[0].reply.code, 2);
    receive_frame(&b, 0, 1, "03 02 00 01");
    assert_good(&p[1], "00 01");
    bench_close(&b);
}

/* Half a reply, then nothing: the other half, or what is left of the first, must not spoil the next
 * transaction. */
static void cut_reply_does_not_spoil_the_next_one(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG(.framing = WEIR_FRAMING_RTU, .retries = 1));
    ask(&b, &p, 1, 3, 0, 2);
    receive_hex(&b, "01 03 04 00");
    bench_wait(&b, WEIR_S);
    bench_wait(&b, WEIR_S);
    receive_frame(&b, 0, 1, "03 04 00 01 00 02");
    assert_good(&p, "00 01 00 02");
    bench_close(&b);
}

static void bytes_nobody_asked_for_do_not_spoil_the_next_request(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, RTU);
    receive_hex(&b, "00 ff 01");
    receive_hex(&b, "01 03 02 00 01 00 00 77 77 77 77");
    receive_frame(&b, 0, 1, "03 02 66 66");
    receive_hex(&b, "01 03");
    ask(&b, &p, 1, 3, 0, 1);
    receive_frame(&b, 0, 1, "03 02 00 01");
    assert_good(&p, "00 01");
    bench_close(&b);
}

static void another_function_breaks_the_link(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, RTU);
    ask(&b, &p, 1, 3, 0, 1);
    receive_frame(&b, 0, 1, "04 02 00 01");
    assert_ended(&p, WEIR_REPLY_WRONG_FUNCTION);
    assert_non_null(weir_link_broken(b.link));
    bench_close(&b);
}

static void text_instead_of_frames_is_named(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, RTU);
    ask(&b, &p, 1, 3, 0, 1);
    receive_bytes(&b, (const uint8_t *)"HTTP/1.1 400 Bad\r\n\r\n", 20);
    bench_wait(&b, WEIR_S);
    assert_string_equal(weir_link_broken(b.link), "not Modbus: 'HTTP/1.1 400 Bad'");
    bench_close(&b);
}

static void reply_of_an_unknown_function_ends_where_its_crc_is_right(void **state)
{
    (void)state;
    bench b;
    uint8_t frame[WEIR_FRAME_MAX];
    probe p = {
        .bench = &b,
        .request = {
            .unit = 1, .function = 65, .class = WEIR_CLASS_POLL, .on_reply = probe_on_reply}};
    bench_open(&b, RTU);
    weir_link_submit(b.link, &p.request, b.now);
    bench_step(&b);
    size_t n = frame_of(WEIR_FRAMING_RTU, 0, 1, "41 01 02 03 04 05", frame);
    for (size_t i = 0; i < n; i++)
        receive_bytes(&b, frame + i, 1);
    assert_good(&p, "01 02 03 04 05");
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_is_on_the_wire_whatever_max_in_flight_says),
        cmocka_unit_test(nothing_is_sent_after_a_timeout_until_the_late_reply_came),
        cmocka_unit_test(late_reply_that_never_comes_costs_one_more_timeout),
        cmocka_unit_test(frame_of_another_unit_does_not_end_the_quarantine),
        cmocka_unit_test(wrong_crc_is_counted_and_asked_again_after_the_rest_of_the_timeout),
        cmocka_unit_test(every_flipped_bit_of_a_reply_is_noticed),
        cmocka_unit_test(only_wrong_crcs_end_malformed),
        cmocka_unit_test(wrong_byte_count_with_a_right_crc_is_malformed_and_starts_a_quarantine),
        cmocka_unit_test(reply_of_another_unit_is_dropped),
        cmocka_unit_test(exception_is_five_bytes),
        cmocka_unit_test(cut_reply_does_not_spoil_the_next_one),
        cmocka_unit_test(bytes_nobody_asked_for_do_not_spoil_the_next_request),
        cmocka_unit_test(another_function_breaks_the_link),
        cmocka_unit_test(text_instead_of_frames_is_named),
        cmocka_unit_test(reply_of_an_unknown_function_ends_where_its_crc_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

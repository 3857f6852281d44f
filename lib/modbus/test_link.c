/* SPDX-License-Identifier: MIT */
/* Transactions over Modbus TCP: matching, time, and every way a reply can be wrong. */

#include "modbus/test_link.h"

/* ---- The happy path ---- */

/* Modbus Application Protocol 1.1b3, 6.1-6.4, under the MBAP of the TCP guide. */
static void reads_of_the_specification_come_back_good(void **state)
{
    (void)state;
    static const struct {
        uint8_t function;
        uint16_t address, count;
        const char *request, *reply, *data;
    } cases[] = {
        {1, 19, 19, "01 00 13 00 13", "01 03 cd 6b 05", "cd 6b 05"},
        {2, 196, 22, "02 00 c4 00 16", "02 03 ac db 35", "ac db 35"},
        {3, 107, 3, "03 00 6b 00 03", "03 06 02 2b 00 00 00 64", "02 2b 00 00 00 64"},
        {4, 8, 1, "04 00 08 00 01", "04 02 00 0a", "00 0a"},
    };
    for (weir_framing framing = WEIR_FRAMING_TCP; framing <= WEIR_FRAMING_RTU; framing++) {
        bench b;
        bench_open(&b, BENCH_CONFIG(.framing = framing));
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            probe p;
            uint8_t want[WEIR_FRAME_MAX];
            ask(&b, &p, 255, cases[i].function, cases[i].address, cases[i].count);
            size_t n = frame_of(framing, p.request.tid, 255, cases[i].request, want);
            assert_int_equal(b.n_sent, n);
            assert_memory_equal(b.sent, want, n);
            b.n_sent = 0;
            assert_int_equal(b.wake.us, b.now.us + WEIR_S);
            b.now.us += 20 * WEIR_MS;
            receive_reply(&b, &p, cases[i].reply);
            assert_good(&p, cases[i].data);
            assert_true(p.reply.sent);
            assert_int_equal(p.reply.received_at.us - p.reply.sent_at.us, 20 * WEIR_MS);
            assert_int_equal(b.wake.us, WEIR_MONO_NEVER.us);
            assert_true(weir_link_idle(b.link));
        }
        weir_link_counters c = weir_link_get_counters(b.link);
        assert_int_equal(c.requests, 4);
        assert_int_equal(c.replies, 4);
        bench_close(&b);
    }
}

/* ---- Slicing: faults 5 and 6 ---- */

/* Sends two requests at once and gives both replies, as one stream. */
static size_t two_replies(bench *b, probe p[2], uint8_t stream[2 * WEIR_FRAME_MAX])
{
    ask(b, &p[0], 1, 3, 0, 2);
    ask(b, &p[1], 2, 3, 10, 1);
    size_t n = frame_of(b->framing, p[0].request.tid, 1, "03 04 11 11 22 22", stream);
    return n + frame_of(b->framing, p[1].request.tid, 2, "03 02 33 33", stream + n);
}

static void reply_split_into_single_bytes_20_ms_apart_is_assembled(void **state)
{
    (void)state;
    for (weir_framing framing = WEIR_FRAMING_TCP; framing <= WEIR_FRAMING_RTU; framing++) {
        bench b;
        probe p;
        uint8_t frame[WEIR_FRAME_MAX];
        bench_open(&b, BENCH_CONFIG(.framing = framing));
        ask(&b, &p, 1, 3, 0, 2);
        size_t n = frame_of(framing, p.request.tid, 1, "03 04 11 11 22 22", frame);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(p.ends, 0);
            b.now.us += 20 * WEIR_MS;
            receive_bytes(&b, frame + i, 1);
        }
        assert_good(&p, "11 11 22 22");
        bench_close(&b);
    }
}

static void replies_are_parsed_from_any_two_slices_of_the_stream(void **state)
{
    (void)state;
    size_t n = 1;
    for (size_t cut = 0; cut <= n; cut++) {
        bench b;
        probe p[2];
        uint8_t stream[2 * WEIR_FRAME_MAX];
        bench_open(&b, BENCH_CONFIG(.max_in_flight = 4));
        n = two_replies(&b, p, stream);
        receive_bytes(&b, stream, cut);
        receive_bytes(&b, stream + cut, n - cut);
        assert_good(&p[0], "11 11 22 22");
        assert_good(&p[1], "33 33");
        bench_close(&b);
    }
}

static void replies_in_another_order_find_their_requests(void **state)
{
    (void)state;
    bench b;
    probe p[3];
    bench_open(&b, BENCH_CONFIG(.max_in_flight = 4));
    for (uint16_t i = 0; i < 3; i++)
        ask(&b, &p[i], 1, 3, i, 1);
    receive_reply(&b, &p[2], "03 02 00 02");
    receive_reply(&b, &p[0], "03 02 00 00");
    receive_reply(&b, &p[1], "03 02 00 01");
    assert_good(&p[0], "00 00");
    assert_good(&p[1], "00 01");
    assert_good(&p[2], "00 02");
    bench_close(&b);
}

/* ---- Silence and late replies: fault 1 ---- */

static void request_without_an_answer_times_out_after_its_retries_with_new_ids(void **state)
{
    (void)state;
    bench b;
    probe p;
    uint16_t tid[3];
    bench_open(&b, BENCH_CONFIG(.retries = 1));
    ask(&b, &p, 5, 3, 0, 1);
    assert_int_equal(sent_unit(&b, &tid[0]), 5);
    bench_wait(&b, WEIR_S - 1);
    assert_int_equal(sent_unit(&b, NULL), -1);
    bench_wait(&b, 1);
    assert_int_equal(sent_unit(&b, &tid[1]), 5);
    assert_int_not_equal(tid[0], tid[1]);
    bench_wait(&b, WEIR_S);
    assert_ended(&p, WEIR_REPLY_TIMEOUT);
    assert_string_equal(b.counted, "sent 5, timeout 5, sent 5, timeout 5, ");
    bench_close(&b);
}

static void late_reply_is_dropped_and_counted_and_the_next_value_is_right(void **state)
{
    (void)state;
    bench b;
    probe first, second;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &first, 1, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    assert_ended(&first, WEIR_REPLY_TIMEOUT);
    uint16_t late = first.request.tid;
    ask(&b, &second, 1, 3, 50, 1);
    bench_wait(&b, 200 * WEIR_MS);
    receive_frame(&b, late, 1, "03 02 aa aa");
    assert_int_equal(second.ends, 0);
    receive_reply(&b, &second, "03 02 bb bb");
    assert_good(&second, "bb bb");
    assert_string_equal(b.counted, "sent 1, timeout 1, sent 1, late 1, reply 1, ");
    assert_null(weir_link_broken(b.link));
    bench_close(&b);
}

static void late_reply_to_the_first_try_does_not_answer_the_second(void **state)
{
    (void)state;
    bench b;
    probe p;
    uint16_t first = 0;
    bench_open(&b, BENCH_CONFIG(.retries = 1));
    ask(&b, &p, 1, 3, 0, 1);
    assert_int_equal(sent_unit(&b, &first), 1);
    bench_wait(&b, WEIR_S);
    receive_frame(&b, first, 1, "03 02 00 01");
    assert_int_equal(p.ends, 0);
    receive_reply(&b, &p, "03 02 00 02");
    assert_good(&p, "00 02");
    bench_close(&b);
}

/* One request in flight answers at once; after 65536 of them every id was used once. */
static void id_at_rest_is_not_given_out_again_when_the_ids_come_round(void **state)
{
    (void)state;
    bench b;
    probe lost, p;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &lost, 1, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    uint16_t rests = lost.request.tid;
    for (int i = 0; i < 70000; i++) {
        ask(&b, &p, 1, 3, 1, 1);
        assert_int_not_equal(p.request.tid, rests);
        receive_reply(&b, &p, "03 02 00 01");
        assert_int_equal(p.ends, 1);
        b.n_sent = 0;
        b.counted[0] = '\0';
    }
    receive_frame(&b, rests, 1, "03 02 00 00");
    assert_string_equal(b.counted, "late 1, ");
    bench_close(&b);
}

static void ids_start_at_random(void **state)
{
    (void)state;
    uint16_t tid[2];
    for (uint64_t seed = 0; seed < 2; seed++) {
        bench b;
        probe p;
        bench_open(&b, BENCH_CONFIG(.seed = seed));
        ask(&b, &p, 1, 3, 0, 1);
        tid[seed] = p.request.tid;
        bench_close(&b);
    }
    assert_int_not_equal(tid[0], tid[1]);
}

/* 16 on the wire and more timeouts than the table of ids can keep. */
static void many_silent_requests_leave_room_for_the_one_that_is_answered(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, BENCH_CONFIG(.max_in_flight = 16));
    for (int round = 0; round < 20; round++) {
        probe p[16], alive;
        for (uint8_t i = 0; i < 16; i++)
            ask(&b, &p[i], (uint8_t)(10 + i), 3, i, 1);
        ask(&b, &alive, 2, 3, 9, 1);
        bench_wait(&b, WEIR_MS);
        receive_frame(&b, 0, 1, "03 02 00 00"); /* somebody is there */
        if (round == 0)
            bench_wait(&b, WEIR_S); /* not yet known to be silent, they take all places */
        receive_reply(&b, &alive, "03 02 12 34");
        assert_good(&alive, "12 34");
        bench_wait(&b, WEIR_S);
        bench_wait(&b, WEIR_S); /* the last of them had to wait for a place */
        bench_wait(&b, WEIR_S);
        for (int i = 0; i < 16; i++)
            assert_ended(&p[i], WEIR_REPLY_TIMEOUT);
        assert_null(weir_link_broken(b.link));
        b.counted[0] = '\0';
        b.n_sent = 0;
    }
    assert_int_equal(weir_link_get_counters(b.link).timeouts, 20 * 16);
    bench_close(&b);
}

/* ---- Foreign ids: faults 2, 3 and 4 ---- */

static void reply_with_a_foreign_id_is_dropped_and_the_request_waits_for_its_own(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &p, 1, 3, 0, 1);
    receive_frame(&b, (uint16_t)(p.request.tid + 1234), 1, "03 02 66 66");
    assert_int_equal(p.ends, 0);
    receive_reply(&b, &p, "03 02 00 01");
    assert_good(&p, "00 01");
    assert_string_equal(b.counted, "sent 1, wrong_id 1, reply 1, ");
    assert_int_equal(b.notices, 0);
    bench_close(&b);
}

static void gateway_that_answers_the_next_id_is_named_with_the_setting_that_helps(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, BENCH_CONFIG(.retries = 1));
    for (int i = 0; i < 3; i++) {
        probe p;
        ask(&b, &p, 1, 3, 0, 1);
        receive_frame(&b, (uint16_t)(p.request.tid + 1), 1, "03 02 00 01");
        bench_wait(&b, WEIR_S);
        receive_frame(&b, (uint16_t)(p.request.tid + 1), 1, "03 02 00 01");
        bench_wait(&b, WEIR_S);
        assert_ended(&p, WEIR_REPLY_TIMEOUT);
    }
    assert_int_equal(b.notices, 1);
    assert_string_equal(b.notice, "replies carry transaction id N+1 instead of the request's N: "
                                  "set tid_check: lenient on this connection");
    assert_int_equal(weir_link_get_counters(b.link).wrong_id, 6);
    assert_null(weir_link_broken(b.link));
    bench_close(&b);
}

static void gateway_that_always_answers_id_0_is_named_too(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &p, 1, 3, 0, 1);
    receive_frame(&b, 0, 1, "03 02 00 01");
    bench_wait(&b, WEIR_S);
    char want[160];
    (void)snprintf(want, sizeof want,
                   "replies carry transaction id 0 instead of the request's %u: "
                   "set tid_check: lenient on this connection",
                   (unsigned)p.request.tid);
    assert_string_equal(b.notice, want);
    bench_close(&b);
}

/* The gateway adds 1 and is late: its late reply must not pass for the one to the next request. */
static void late_reply_under_the_next_id_does_not_answer_the_next_request(void **state)
{
    (void)state;
    bench b;
    probe first, second;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &first, 1, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    ask(&b, &second, 1, 3, 50, 1);
    receive_frame(&b, (uint16_t)(first.request.tid + 1), 1, "03 02 aa aa");
    assert_int_equal(second.ends, 0);
    bench_close(&b);
}

static void lenient_takes_any_id_with_one_request_in_flight(void **state)
{
    (void)state;
    bench b;
    probe p[2];
    bench_open(&b, BENCH_CONFIG(.tid_check = WEIR_TID_LENIENT, .max_in_flight = 8));
    ask(&b, &p[0], 1, 3, 0, 1);
    ask(&b, &p[1], 1, 3, 1, 1);
    assert_int_equal(b.n_sent, 12);
    receive_frame(&b, (uint16_t)(p[0].request.tid + 1), 1, "03 02 00 01");
    assert_good(&p[0], "00 01");
    receive_frame(&b, 0, 1, "03 02 00 02");
    assert_good(&p[1], "00 02");
    assert_int_equal(b.notices, 0);
    bench_close(&b);
}

static void lenient_still_checks_unit_and_length(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG(.tid_check = WEIR_TID_LENIENT));
    ask(&b, &p, 1, 3, 0, 1);
    receive_frame(&b, 0, 2, "03 02 00 01");
    assert_int_equal(p.ends, 0);
    receive_frame(&b, 0, 1, "03 04 00 01 00 02");
    assert_ended(&p, WEIR_REPLY_MALFORMED);
    bench_close(&b);
}

static void lenient_sends_nothing_after_a_timeout_until_the_late_reply_came(void **state)
{
    (void)state;
    bench b;
    probe first, second;
    bench_open(&b, BENCH_CONFIG(.tid_check = WEIR_TID_LENIENT));
    ask(&b, &first, 1, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    b.n_sent = 0;
    ask(&b, &second, 1, 3, 50, 1);
    assert_int_equal(b.n_sent, 0);
    receive_frame(&b, 77, 1, "03 02 aa aa");
    assert_int_equal(b.n_sent, 12);
    receive_frame(&b, 78, 1, "03 02 bb bb");
    assert_good(&second, "bb bb");
    assert_string_equal(b.counted, "sent 1, timeout 1, late 1, sent 1, reply 1, ");
    bench_close(&b);
}

/* Half a late reply when the next request goes out: its other half is not the answer. */
static void lenient_drops_a_reply_that_began_before_the_request_was_sent(void **state)
{
    (void)state;
    bench b;
    probe first, second;
    uint8_t frame[WEIR_FRAME_MAX];
    bench_open(&b, BENCH_CONFIG(.tid_check = WEIR_TID_LENIENT));
    ask(&b, &first, 1, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    size_t n = frame_of(WEIR_FRAMING_TCP, 5, 1, "03 02 aa aa", frame);
    receive_bytes(&b, frame, 8);
    ask(&b, &second, 1, 3, 50, 1);
    bench_wait(&b, WEIR_S);
    assert_int_equal(weir_link_get_counters(b.link).requests, 2);
    receive_bytes(&b, frame + 8, n - 8);
    assert_int_equal(second.ends, 0);
    receive_frame(&b, 6, 1, "03 02 bb bb");
    assert_good(&second, "bb bb");
    bench_close(&b);
}

static void same_reply_sent_twice_is_taken_once(void **state)
{
    (void)state;
    bench b;
    probe first, second;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &first, 1, 3, 0, 1);
    uint16_t tid = first.request.tid;
    receive_reply(&b, &first, "03 02 00 01");
    ask(&b, &second, 1, 3, 1, 1);
    receive_frame(&b, tid, 1, "03 02 00 01");
    assert_int_equal(second.ends, 0);
    assert_int_equal(first.ends, 1);
    receive_reply(&b, &second, "03 02 00 02");
    assert_good(&second, "00 02");
    bench_close(&b);
}

static void duplicates_before_a_timeout_do_not_accuse_the_gateway(void **state)
{
    (void)state;
    bench b;
    probe first, second;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &first, 1, 3, 0, 1);
    uint16_t tid = first.request.tid;
    receive_reply(&b, &first, "03 02 00 01");
    ask(&b, &second, 1, 3, 1, 1);
    receive_frame(&b, tid, 1, "03 02 00 01");
    bench_wait(&b, WEIR_S);
    assert_ended(&second, WEIR_REPLY_TIMEOUT);
    assert_int_equal(b.notices, 0);
    bench_close(&b);
}

/* ---- Wrong unit, function, length: faults 7, 8, 9 ---- */

static void reply_of_another_unit_is_dropped_and_the_right_one_taken(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &p, 1, 3, 0, 1);
    receive_frame(&b, p.request.tid, 2, "03 02 66 66");
    assert_int_equal(p.ends, 0);
    receive_reply(&b, &p, "03 02 00 01");
    assert_good(&p, "00 01");
    assert_string_equal(b.counted, "sent 1, wrong_unit 1, reply 1, ");
    bench_close(&b);
}

static void request_that_only_another_unit_answers_ends_wrong_unit(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG(.retries = 1));
    ask(&b, &p, 1, 3, 0, 1);
    receive_frame(&b, p.request.tid, 17, "03 02 66 66");
    bench_wait(&b, WEIR_S);
    assert_int_equal(p.ends, 0);
    bench_wait(&b, WEIR_S);
    assert_ended(&p, WEIR_REPLY_WRONG_UNIT);
    assert_int_equal(p.reply.code, 17);
    assert_int_equal(weir_reply_quality(&p.reply), weir_bad(WEIR_CAUSE_WRONG_UNIT, 17));
    bench_close(&b);
}

static void reply_with_another_function_breaks_the_link_and_others_end_disconnected(void **state)
{
    (void)state;
    bench b;
    probe p, other, queued;
    bench_open(&b, BENCH_CONFIG(.max_in_flight = 2));
    ask(&b, &p, 3, 3, 0, 1);
    ask(&b, &other, 4, 3, 0, 1);
    ask(&b, &queued, 5, 3, 0, 1);
    receive_reply(&b, &p, "04 02 66 66");
    assert_ended(&p, WEIR_REPLY_WRONG_FUNCTION);
    assert_int_equal(p.reply.code, 4);
    assert_string_equal(weir_link_broken(b.link), "unit 3 answered function 3 with function 4");
    receive_reply(&b, &other, "03 02 00 01");
    assert_int_equal(other.ends, 0);
    weir_link_disconnected(b.link, b.now);
    assert_ended(&other, WEIR_REPLY_DISCONNECTED);
    assert_ended(&queued, WEIR_REPLY_NOT_CONNECTED);
    weir_link_connected(b.link, b.now);
    assert_null(weir_link_broken(b.link));
    ask(&b, &p, 3, 3, 0, 1);
    receive_reply(&b, &p, "03 02 00 01");
    assert_good(&p, "00 01");
    bench_close(&b);
}

/* CVE-2023-26793: a length taken from the reply instead of the request. */
static void reply_with_a_wrong_byte_count_is_malformed_and_gives_no_data(void **state)
{
    (void)state;
    static const struct {
        const char *name, *pdu;
    } cases[] = {
        {"short", "03 02 00 01"},
        {"long", "03 06 00 01 00 02 00 03"},
        {"says less than there is", "03 02 00 01 00 02"},
        {"says more than there is", "03 06 00 01 00 02"},
        {"says 255", "03 ff 00 01 00 02"},
        {"empty", "03 00"},
        {"function code alone", "03"},
        {"exception without a code", "83"},
        {"exception with two codes", "83 02 02"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench b;
        probe p;
        bench_open(&b, BENCH_CONFIG());
        ask(&b, &p, 1, 3, 0, 2);
        receive_reply(&b, &p, cases[i].pdu);
        if (p.ends != 1 || p.reply.result != WEIR_REPLY_MALFORMED)
            fail_msg("%s", cases[i].name);
        assert_null(p.reply.data);
        assert_int_equal(p.reply.n_data, 0);
        assert_int_equal(weir_link_get_counters(b.link).malformed, 1);

        /* MBAP says where the frame ended: the stream goes on. */
        assert_null(weir_link_broken(b.link));
        ask(&b, &p, 1, 3, 0, 2);
        receive_reply(&b, &p, "03 04 00 01 00 02");
        assert_good(&p, "00 01 00 02");
        bench_close(&b);
    }
}

/* ---- Not Modbus: faults 10 and 11 ---- */

static void impossible_mbap_breaks_the_link_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *want;
    } cases[] = {
        {"00 01 00 00 00 00 01 03", "not Modbus TCP: length 0 where 2 to 254 belongs"},
        {"00 01 00 00 00 01 01 03", "not Modbus TCP: length 1 where 2 to 254 belongs"},
        {"00 01 00 00 00 ff 01 03", "not Modbus TCP: length 255 where 2 to 254 belongs"},
        {"00 01 00 00 ff ff 01 03", "not Modbus TCP: length 65535 where 2 to 254 belongs"},
        {"00 01 00 01 00 05 01 03", "not Modbus TCP: protocol id 1 where 0 belongs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench b;
        probe p;
        bench_open(&b, BENCH_CONFIG());
        ask(&b, &p, 1, 3, 0, 1);
        receive_hex(&b, cases[i].hex);
        assert_non_null(weir_link_broken(b.link));
        assert_string_equal(weir_link_broken(b.link), cases[i].want);
        assert_int_equal(b.wake.us, WEIR_MONO_NEVER.us);
        assert_int_equal(p.ends, 0);
        weir_link_disconnected(b.link, b.now);
        assert_ended(&p, WEIR_REPLY_DISCONNECTED);
        bench_close(&b);
    }
}

/* A length that is too small cuts the frame: what is left over is not taken for another one. */
static void mbap_length_of_2_ends_the_request_and_then_the_stream(void **state)
{
    (void)state;
    bench b;
    probe p;
    uint8_t frame[WEIR_FRAME_MAX];
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &p, 1, 3, 0, 3);
    size_t n = frame_of(WEIR_FRAMING_TCP, p.request.tid, 1, "03 06 11 11 22 22 33 33", frame);
    frame[5] = 2;
    receive_bytes(&b, frame, n);
    assert_ended(&p, WEIR_REPLY_MALFORMED);
    assert_string_equal(weir_link_broken(b.link),
                        "not Modbus TCP: protocol id 4386 where 0 belongs");
    bench_close(&b);
}

static void http_server_is_recognized_by_its_banner(void **state)
{
    (void)state;
    static const char banner[] = "HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n";
    for (size_t slice = 1; slice < sizeof banner; slice++) {
        bench b;
        probe p;
        bench_open(&b, BENCH_CONFIG());
        ask(&b, &p, 1, 3, 0, 1);
        for (size_t at = 0; at < sizeof banner - 1; at += slice) {
            size_t left = sizeof banner - 1 - at;
            receive_bytes(&b, (const uint8_t *)banner + at, left < slice ? left : slice);
        }
        const char *broken = weir_link_broken(b.link);
        assert_non_null(broken);
        assert_memory_equal(broken, "not Modbus: 'HTTP", 17);
        if (slice >= 16)
            assert_string_equal(broken, "not Modbus: 'HTTP/1.1 400 Bad'");
        bench_close(&b);
    }
}

static void garbage_after_a_good_reply_breaks_the_link_but_not_the_reply(void **state)
{
    (void)state;
    bench b;
    probe p;
    uint8_t stream[WEIR_FRAME_MAX];
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &p, 1, 3, 0, 1);
    size_t n = frame_of(WEIR_FRAMING_TCP, p.request.tid, 1, "03 02 00 01", stream);
    memset(stream + n, 0xee, 10);
    receive_bytes(&b, stream, n + 10);
    assert_good(&p, "00 01");
    assert_non_null(weir_link_broken(b.link));
    bench_close(&b);
}

/* ---- Exceptions: faults 13 and 14 ---- */

static void exceptions_other_than_5_and_6_end_the_request_at_once(void **state)
{
    (void)state;
    static const uint8_t codes[] = {1, 2, 3, 4, 7, 8, 10, 11};
    for (size_t i = 0; i < sizeof codes; i++) {
        bench b;
        probe p;
        char pdu[16];
        bench_open(&b, BENCH_CONFIG(.retries = 3));
        ask(&b, &p, 1, 3, 0, 1);
        (void)snprintf(pdu, sizeof pdu, "83 %02x", codes[i]);
        receive_reply(&b, &p, pdu);
        assert_ended(&p, WEIR_REPLY_EXCEPTION);
        assert_int_equal(p.reply.code, codes[i]);
        assert_int_equal(weir_reply_quality(&p.reply), weir_bad(WEIR_CAUSE_EXCEPTION, codes[i]));
        assert_string_equal(b.counted, "sent 1, exception 1, ");
        assert_null(weir_link_broken(b.link));
        bench_close(&b);
    }
}

static void busy_device_is_asked_again_after_the_wait_while_others_go_on(void **state)
{
    (void)state;
    for (int code = 5; code <= 6; code++) {
        bench b;
        probe busy, other;
        bench_open(&b, BENCH_CONFIG());
        ask(&b, &busy, 1, 3, 0, 1);
        receive_reply(&b, &busy, code == 5 ? "83 05" : "83 06");
        assert_int_equal(b.wake.us, b.now.us + 200 * WEIR_MS);
        b.n_sent = 0;
        ask(&b, &other, 2, 3, 0, 1);
        assert_int_equal(sent_unit(&b, NULL), 2);
        receive_reply(&b, &other, "03 02 00 02");
        assert_good(&other, "00 02");
        bench_wait(&b, 200 * WEIR_MS);
        assert_int_equal(sent_unit(&b, NULL), 1);
        receive_reply(&b, &busy, "03 02 00 01");
        assert_good(&busy, "00 01");
        assert_int_equal(weir_link_get_counters(b.link).timeouts, 0);
        bench_close(&b);
    }
}

static void device_that_stays_busy_ends_with_the_exception_after_busy_retries(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG(.busy_retries = 2));
    ask(&b, &p, 1, 3, 0, 1);
    for (int i = 0; i < 2; i++) {
        receive_reply(&b, &p, "83 06");
        assert_int_equal(p.ends, 0);
        bench_wait(&b, 200 * WEIR_MS);
    }
    receive_reply(&b, &p, "83 06");
    assert_ended(&p, WEIR_REPLY_EXCEPTION);
    assert_int_equal(p.reply.code, 6);
    assert_int_equal(weir_link_get_counters(b.link).requests, 3);
    bench_close(&b);
}

static void gateway_exceptions_of_one_unit_leave_the_link_to_the_others(void **state)
{
    (void)state;
    bench b;
    probe dead, alive;
    bench_open(&b, BENCH_CONFIG());
    for (int i = 0; i < 100; i++) {
        ask(&b, &dead, 9, 3, 0, 1);
        ask(&b, &alive, 1, 3, 0, 1);
        receive_reply(&b, &dead, i % 2 ? "83 0b" : "83 0a");
        receive_reply(&b, &alive, "03 02 00 01");
        assert_ended(&dead, WEIR_REPLY_EXCEPTION);
        assert_good(&alive, "00 01");
        assert_null(weir_link_broken(b.link));
        b.n_sent = 0;
        b.counted[0] = '\0';
    }
    bench_close(&b);
}

/* ---- A peer that is gone ---- */

static void three_silent_requests_in_a_row_break_the_link(void **state)
{
    (void)state;
    bench b;
    probe p[3];
    bench_open(&b, BENCH_CONFIG());
    for (int i = 0; i < 3; i++) {
        assert_null(weir_link_broken(b.link));
        ask(&b, &p[i], 1, 3, 0, 1);
        bench_wait(&b, WEIR_S);
        assert_ended(&p[i], WEIR_REPLY_TIMEOUT);
    }
    assert_string_equal(weir_link_broken(b.link), "no answer to 3 requests in a row: reconnecting");
    bench_close(&b);
}

static void a_byte_in_between_shows_that_somebody_is_there(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG());
    for (int i = 0; i < 10; i++) {
        ask(&b, &p, 1, 3, 0, 1);
        if (i % 2)
            receive_frame(&b, 0, 1, "03 02 00 01");
        bench_wait(&b, WEIR_S);
    }
    assert_null(weir_link_broken(b.link));
    bench_close(&b);
}

static void dead_unit_behind_a_gateway_never_breaks_the_link_while_another_answers(void **state)
{
    (void)state;
    bench b;
    probe dead, alive;
    bench_open(&b, BENCH_CONFIG(.retries = 1));
    for (int minute = 0; minute < 10; minute++) {
        ask(&b, &alive, 1, 3, 0, 1);
        receive_reply(&b, &alive, "03 02 00 01");
        for (int i = 0; i < 30; i++) {
            ask(&b, &dead, 9, 3, 0, 1);
            bench_wait(&b, WEIR_S);
            bench_wait(&b, WEIR_S);
            assert_ended(&dead, WEIR_REPLY_TIMEOUT);
            assert_null(weir_link_broken(b.link));
        }
        b.n_sent = 0;
        b.counted[0] = '\0';
    }
    /* The other one falls silent too: nobody is there. */
    ask(&b, &alive, 1, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    assert_non_null(weir_link_broken(b.link));
    assert_ended(&alive, WEIR_REPLY_TIMEOUT);
    bench_close(&b);
}

static void unit_that_answered_long_ago_does_not_keep_a_dead_link_open(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &p, 1, 3, 0, 1);
    receive_reply(&b, &p, "03 02 00 01");
    for (int i = 0; i < 299; i++) {
        ask(&b, &p, 9, 3, 0, 1);
        bench_wait(&b, WEIR_S);
        assert_null(weir_link_broken(b.link));
        b.n_sent = 0;
        b.counted[0] = '\0';
    }
    ask(&b, &p, 9, 3, 0, 1);
    bench_wait(&b, WEIR_S);
    assert_non_null(weir_link_broken(b.link));
    bench_close(&b);
}

/* ---- Life ---- */

static void request_without_a_connection_ends_at_the_next_step(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG());
    weir_link_disconnected(b.link, b.now);
    ask(&b, &p, 1, 3, 0, 1);
    assert_ended(&p, WEIR_REPLY_NOT_CONNECTED);
    assert_false(p.reply.sent);
    assert_int_equal(b.n_sent, 0);
    bench_close(&b);
}

static void freed_link_ends_every_request_canceled(void **state)
{
    (void)state;
    bench b;
    probe p[3];
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &p[0], 1, 3, 0, 1);
    receive_reply(&b, &p[0], "83 06");
    ask(&b, &p[1], 1, 3, 0, 1);
    ask(&b, &p[2], 1, 3, 0, 1);
    bench_close(&b);
    for (int i = 0; i < 3; i++)
        assert_ended(&p[i], WEIR_REPLY_CANCELED);
    weir_link_free(NULL);
}

static void reply_of_the_last_connection_is_not_taken_for_one_of_this(void **state)
{
    (void)state;
    bench b;
    probe p;
    uint8_t frame[WEIR_FRAME_MAX];
    bench_open(&b, BENCH_CONFIG());
    ask(&b, &p, 1, 3, 0, 1);
    uint16_t old = p.request.tid;
    size_t n = frame_of(WEIR_FRAMING_TCP, old, 1, "03 02 66 66", frame);
    receive_bytes(&b, frame, n - 2); /* half a frame in the buffer */
    weir_link_disconnected(b.link, b.now);
    assert_ended(&p, WEIR_REPLY_DISCONNECTED);
    weir_link_connected(b.link, b.now);
    ask(&b, &p, 1, 3, 0, 1);
    receive_frame(&b, old, 1, "03 02 66 66");
    assert_int_equal(p.ends, 0);
    receive_reply(&b, &p, "03 02 00 01");
    assert_good(&p, "00 01");
    bench_close(&b);
}

static void on_reply_again(weir_request *request, const weir_reply *reply)
{
    probe *p = (probe *)request;
    probe_on_reply(request, reply);
    if (p->ends < 5)
        weir_link_submit(p->bench->link, request, p->bench->now);
}

static void request_may_be_submitted_again_from_its_own_reply(void **state)
{
    (void)state;
    bench b;
    probe p = {.bench = &b,
               .request = {.unit = 1,
                           .function = 3,
                           .count = 1,
                           .class = WEIR_CLASS_POLL,
                           .on_reply = on_reply_again}};
    bench_open(&b, BENCH_CONFIG());
    weir_link_submit(b.link, &p.request, b.now);
    bench_step(&b);
    receive_reply(&b, &p, "03 02 00 01");
    receive_reply(&b, &p, "83 02");
    bench_wait(&b, WEIR_S);
    assert_int_equal(p.ends, 3);
    weir_link_disconnected(b.link, b.now);
    assert_int_equal(p.ends, 4);
    bench_step(&b);
    assert_int_equal(p.ends, 5);
    assert_true(weir_link_idle(b.link));
    bench_close(&b);
}

/* ---- Writes and raw functions ---- */

static probe *ask_raw(bench *b, probe *p, weir_request_class class, uint8_t function,
                      const uint8_t *data, uint8_t n)
{
    *p = (probe){.bench = b,
                 .request = {.unit = 1,
                             .function = function,
                             .data = data,
                             .n_data = n,
                             .class = class,
                             .on_reply = probe_on_reply}};
    weir_link_submit(b->link, &p->request, b->now);
    bench_step(b);
    return p;
}

static void raw_function_gives_all_bytes_after_the_function_code(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG());
    ask_raw(&b, &p, WEIR_CLASS_POLL, 17, NULL, 0);
    receive_reply(&b, &p, "11 03 2a ff 00");
    assert_good(&p, "03 2a ff 00");
    bench_close(&b);
}

static void writing_function_never_leaves_in_a_reading_class(void **state)
{
    (void)state;
    static const uint8_t functions[] = {5, 6, 15, 16, 21, 22, 23};
    for (size_t i = 0; i < sizeof functions; i++) {
        bench b;
        probe p;
        bench_open(&b, BENCH_CONFIG());
        ask_raw(&b, &p, WEIR_CLASS_ON_DEMAND, functions[i], (const uint8_t *)"\0\1\0\3", 4);
        assert_ended(&p, WEIR_REPLY_CANCELED);
        assert_false(p.reply.sent);
        assert_int_equal(b.n_sent, 0);
        assert_true(weir_link_idle(b.link));
        bench_close(&b);
    }
}

static void write_is_not_repeated_after_silence_nor_after_acknowledge(void **state)
{
    (void)state;
    bench b;
    probe p;
    bench_open(&b, BENCH_CONFIG(.retries = 3));
    ask_raw(&b, &p, WEIR_CLASS_WRITE, 6, (const uint8_t *)"\0\1\0\3", 4);
    bench_wait(&b, WEIR_S);
    assert_ended(&p, WEIR_REPLY_TIMEOUT);
    ask_raw(&b, &p, WEIR_CLASS_WRITE, 6, (const uint8_t *)"\0\1\0\3", 4);
    receive_reply(&b, &p, "86 05");
    assert_ended(&p, WEIR_REPLY_EXCEPTION);
    assert_int_equal(weir_link_get_counters(b.link).requests, 2);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_of_the_specification_come_back_good),
        cmocka_unit_test(reply_split_into_single_bytes_20_ms_apart_is_assembled),
        cmocka_unit_test(replies_are_parsed_from_any_two_slices_of_the_stream),
        cmocka_unit_test(replies_in_another_order_find_their_requests),
        cmocka_unit_test(request_without_an_answer_times_out_after_its_retries_with_new_ids),
        cmocka_unit_test(late_reply_is_dropped_and_counted_and_the_next_value_is_right),
        cmocka_unit_test(late_reply_to_the_first_try_does_not_answer_the_second),
        cmocka_unit_test(id_at_rest_is_not_given_out_again_when_the_ids_come_round),
        cmocka_unit_test(ids_start_at_random),
        cmocka_unit_test(many_silent_requests_leave_room_for_the_one_that_is_answered),
        cmocka_unit_test(reply_with_a_foreign_id_is_dropped_and_the_request_waits_for_its_own),
        cmocka_unit_test(gateway_that_answers_the_next_id_is_named_with_the_setting_that_helps),
        cmocka_unit_test(gateway_that_always_answers_id_0_is_named_too),
        cmocka_unit_test(late_reply_under_the_next_id_does_not_answer_the_next_request),
        cmocka_unit_test(lenient_takes_any_id_with_one_request_in_flight),
        cmocka_unit_test(lenient_still_checks_unit_and_length),
        cmocka_unit_test(lenient_sends_nothing_after_a_timeout_until_the_late_reply_came),
        cmocka_unit_test(lenient_drops_a_reply_that_began_before_the_request_was_sent),
        cmocka_unit_test(same_reply_sent_twice_is_taken_once),
        cmocka_unit_test(duplicates_before_a_timeout_do_not_accuse_the_gateway),
        cmocka_unit_test(reply_of_another_unit_is_dropped_and_the_right_one_taken),
        cmocka_unit_test(request_that_only_another_unit_answers_ends_wrong_unit),
        cmocka_unit_test(reply_with_another_function_breaks_the_link_and_others_end_disconnected),
        cmocka_unit_test(reply_with_a_wrong_byte_count_is_malformed_and_gives_no_data),
        cmocka_unit_test(impossible_mbap_breaks_the_link_with_a_sentence),
        cmocka_unit_test(mbap_length_of_2_ends_the_request_and_then_the_stream),
        cmocka_unit_test(http_server_is_recognized_by_its_banner),
        cmocka_unit_test(garbage_after_a_good_reply_breaks_the_link_but_not_the_reply),
        cmocka_unit_test(exceptions_other_than_5_and_6_end_the_request_at_once),
        cmocka_unit_test(busy_device_is_asked_again_after_the_wait_while_others_go_on),
        cmocka_unit_test(device_that_stays_busy_ends_with_the_exception_after_busy_retries),
        cmocka_unit_test(gateway_exceptions_of_one_unit_leave_the_link_to_the_others),
        cmocka_unit_test(three_silent_requests_in_a_row_break_the_link),
        cmocka_unit_test(a_byte_in_between_shows_that_somebody_is_there),
        cmocka_unit_test(dead_unit_behind_a_gateway_never_breaks_the_link_while_another_answers),
        cmocka_unit_test(unit_that_answered_long_ago_does_not_keep_a_dead_link_open),
        cmocka_unit_test(request_without_a_connection_ends_at_the_next_step),
        cmocka_unit_test(freed_link_ends_every_request_canceled),
        cmocka_unit_test(reply_of_the_last_connection_is_not_taken_for_one_of_this),
        cmocka_unit_test(request_may_be_submitted_again_from_its_own_reply),
        cmocka_unit_test(raw_function_gives_all_bytes_after_the_function_code),
        cmocka_unit_test(writing_function_never_leaves_in_a_reading_class),
        cmocka_unit_test(write_is_not_repeated_after_silence_nor_after_acknowledge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_of_the_specification_come_back_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

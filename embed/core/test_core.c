/* SPDX-License-Identifier: MIT */
/* libweir-core as a program sees it: points from options, and a master driven by hand. */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <weir/core.h>

#include <cmocka.h>

/* --- points --------------------------------------------------------------------------------- */

static void point_decodes_and_encodes(void **state)
{
    /* 230.1 V as an Eastron SDM630 sends it: IEEE 754, high word first. */
    static const uint8_t wire[] = {0x43, 0x66, 0x19, 0x9a};
    const weir_point_options options = {.struct_size = sizeof options,
                                        .name = "voltage",
                                        .table = WEIR_REGISTER_INPUT,
                                        .type = WEIR_TYPE_FLOAT32};
    weir_point *point = NULL;
    weir_quality quality = 1;
    uint8_t back[4];
    size_t n = 0;
    char text[40];
    (void)state;
    assert_int_equal(weir_point_new(&options, &point, NULL), WEIR_OK);
    assert_int_equal(weir_point_wire_size(point), 4);
    const weir_value value = weir_decode(point, wire, sizeof wire, NULL, 0, &quality);
    assert_int_equal(quality, 0);
    assert_int_equal(weir_value_text(&value, text, sizeof text), 5);
    assert_string_equal(text, "230.1");
    assert_int_equal(weir_encode(point, &value, back, sizeof back, &n, NULL), WEIR_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(back, wire, 4);
    (void)weir_decode(point, wire, 3, NULL, 0, &quality);
    assert_int_equal(quality, weir_bad(WEIR_CAUSE_MALFORMED, 0));
    weir_point_free(point);
    weir_point_free(NULL);
}

/* Modbus Application Protocol 1.1b3, 6.1: coils 20-38. */
static void coils_are_bytes_when_asked_to(void **state)
{
    static const uint8_t wire[] = {0xcd, 0x6b, 0x05};
    weir_point_options options = {.struct_size = sizeof options,
                                  .name = "outputs",
                                  .table = WEIR_REGISTER_COIL,
                                  .address = 19,
                                  .type = WEIR_TYPE_BYTES,
                                  .length = 19};
    weir_point *point = NULL;
    weir_quality quality = 1;
    char room[8], text[40];
    (void)state;
    assert_int_equal(weir_point_new(&options, &point, NULL), WEIR_OK);
    assert_int_equal(weir_point_wire_size(point), 3);
    assert_true(weir_point_room_size(point) >= 3);
    const weir_value value = weir_decode(point, wire, sizeof wire, room, sizeof room, &quality);
    assert_int_equal(quality, 0);
    assert_int_equal(weir_value_text(&value, text, sizeof text), 8);
    assert_string_equal(text, "cd 6b 05");
    weir_point_free(point);
    options.type = WEIR_TYPE_UINT16; /* whatever it is called, one coil is a bool */
    assert_int_equal(weir_point_new(&options, &point, NULL), WEIR_OK);
    assert_int_equal(weir_point_wire_size(point), 1);
    weir_point_free(point);
}

static void text_is_cut_to_the_room_it_gets(void **state)
{
    const weir_value value = weir_value_string("pump-7", 6);
    char text[4] = "xxx";
    (void)state;
    assert_int_equal(weir_value_text(&value, text, sizeof text), 6);
    assert_string_equal(text, "pum");
    assert_int_equal(weir_value_text(&value, NULL, 0), 6);
    assert_int_equal(weir_quality_text(weir_bad(WEIR_CAUSE_EXCEPTION, 2), text, 1), 38);
    assert_string_equal(text, "");
}

static void point_that_cannot_be_is_refused(void **state)
{
    static const struct {
        const char *name;
        weir_point_options options;
    } cases[] = {
        {"no name", {.table = WEIR_REGISTER_HOLDING, .type = WEIR_TYPE_INT16}},
        {"no table and no function", {.name = "p", .type = WEIR_TYPE_INT16}},
        {"a function that writes", {.name = "p", .function = 6}},
        {"no such table", {.name = "p", .table = (weir_register)5}},
        {"no such type", {.name = "p", .table = WEIR_REGISTER_HOLDING, .type = (weir_type)99}},
        {"a string without length",
         {.name = "p", .table = WEIR_REGISTER_HOLDING, .type = WEIR_TYPE_STRING}},
        {"bits without a number",
         {.name = "p", .table = WEIR_REGISTER_COIL, .type = WEIR_TYPE_BYTES}},
        {"more bits than a request has",
         {.name = "p", .table = WEIR_REGISTER_COIL, .type = WEIR_TYPE_BYTES, .length = 2001}},
        {"bit 16", {.name = "p", .table = WEIR_REGISTER_HOLDING, .has_bit = true, .bit = 16}},
        {"a bit of a float",
         {.name = "p", .table = WEIR_REGISTER_HOLDING, .type = WEIR_TYPE_FLOAT32, .has_bit = true}},
        {"beyond 65535",
         {.name = "p", .table = WEIR_REGISTER_HOLDING, .type = WEIR_TYPE_INT32, .address = 65535}},
        {"a scale that is no number",
         {.name = "p", .table = WEIR_REGISTER_HOLDING, .type = WEIR_TYPE_INT16, .scale = "0,1"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point_options options = cases[i].options;
        weir_point *point = NULL;
        weir_error error = WEIR_ERROR_INIT;
        options.struct_size = sizeof options;
        if (weir_point_new(&options, &point, &error) != WEIR_EINVAL)
            fail_msg("%s was taken", cases[i].name);
        assert_true(*error.text);
    }
}

/* --- the master ----------------------------------------------------------------------------- */

struct came {
    size_t n, n_done;
    weir_sample samples[8];
    weir_modbus_reply reply;
    weir_outcome outcome;
    weir_quality worst;
};

static void on_samples(void *data, const weir_modbus_reply *reply, const weir_sample *samples,
                       size_t n)
{
    struct came *came = data;
    assert_true(came->n + n <= 8);
    memcpy(came->samples + came->n, samples, n * sizeof *samples);
    came->n += n;
    came->reply = *reply;
}

static void on_done(void *data, uint64_t read, weir_outcome outcome, weir_quality worst)
{
    struct came *came = data;
    assert_int_equal(read, ++came->n_done);
    came->outcome = outcome;
    came->worst = worst;
}

static const weir_wall noon = {INT64_C(1780000000) * WEIR_S};

static weir_mono at(int64_t ms)
{
    const weir_mono t = {ms * WEIR_MS};
    return t;
}

/* Registers 108 to 110 as three uint16, in set 0, the last once more in set 1. */
static weir_modbus *master_new(struct came *came)
{
    const weir_modbus_options options = {.struct_size = sizeof options,
                                         .no_retries = true,
                                         .data = came,
                                         .on_samples = on_samples,
                                         .on_done = on_done};
    const weir_modbus_device device = {.struct_size = sizeof device, .unit_id = 0x11};
    weir_point_options point = {.struct_size = sizeof point,
                                .name = "three",
                                .table = WEIR_REGISTER_HOLDING,
                                .address = 107,
                                .type = WEIR_TYPE_UINT16,
                                .count = 3};
    weir_modbus *m = NULL;
    uint32_t number = 9;
    weir_tag_uid tag = 0;
    assert_int_equal(weir_modbus_new(&options, &m, NULL), WEIR_OK);
    assert_int_equal(weir_modbus_add_point(m, &point, 0, &tag, NULL), WEIR_EINVAL); /* whose? */
    assert_int_equal(weir_modbus_add_device(m, &device, &number, NULL), WEIR_OK);
    assert_int_equal(number, 0);
    assert_int_equal(weir_modbus_add_point(m, &point, 31, &tag, NULL), WEIR_EINVAL);
    assert_int_equal(weir_modbus_add_point(m, &point, 0, &tag, NULL), WEIR_OK);
    assert_int_equal(tag, 1);
    point.name = "last";
    point.address = 109;
    point.count = 1;
    assert_int_equal(weir_modbus_add_point(m, &point, 1, &tag, NULL), WEIR_OK);
    assert_int_equal(tag, 4);
    assert_int_equal(weir_modbus_read(m, 0, 1, noon, at(0)), 0); /* has not begun */
    assert_int_equal(weir_modbus_begin(m, at(0), noon, NULL), WEIR_OK);
    assert_int_equal(weir_modbus_add_point(m, &point, 0, &tag, NULL), WEIR_EINVAL);
    assert_int_equal(weir_modbus_read(m, 1, 1, noon, at(0)), 0); /* no such device */
    return m;
}

/* What it sends, behind the transaction id, which is random. */
static void expect_request(weir_modbus *m, weir_mono now, const uint8_t *want, size_t n,
                           uint8_t ret_id[2])
{
    const uint8_t *bytes = NULL;
    (void)weir_modbus_step(m, now);
    assert_int_equal(weir_modbus_output(m, now, &bytes), n + 2);
    memcpy(ret_id, bytes, 2);
    assert_memory_equal(bytes + 2, want, n);
    assert_int_equal(weir_modbus_output(m, now, &bytes), 0);
}

static void read_gives_a_sample_for_each_element(void **state)
{
    /* Modbus Application Protocol 1.1b3, 6.3: registers 108 to 110. */
    static const uint8_t request[] = {0, 0, 0, 6, 0x11, 0x03, 0x00, 0x6b, 0x00, 0x03};
    uint8_t reply[] = {0, 0, 0, 0, 0, 9, 0x11, 0x03, 0x06, 0x02, 0x2b, 0x00, 0x00, 0x00, 0x64};
    static const uint64_t want[] = {555, 0, 100};
    struct came came = {0};
    weir_modbus *m = master_new(&came);
    (void)state;
    weir_modbus_connected(m, at(0));
    assert_int_equal(weir_modbus_read(m, 0, 1u << 0, noon, at(1)), 1);
    expect_request(m, at(1), request, sizeof request, reply);
    assert_false(weir_modbus_idle(m));
    weir_modbus_input(m, reply, 5, at(20)); /* in two pieces */
    weir_modbus_input(m, reply + 5, sizeof reply - 5, at(21));
    assert_int_equal(came.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(came.samples[i].tag, i + 1);
        assert_int_equal(came.samples[i].quality, 0);
        assert_int_equal(came.samples[i].ts.us, noon.us);
        assert_int_equal(came.samples[i].value.as.u, want[i]);
    }
    assert_int_equal(came.reply.sent.us, noon.us + 1 * WEIR_MS);
    assert_int_equal(came.reply.received.us, noon.us + 21 * WEIR_MS);
    assert_int_equal(came.n_done, 1);
    assert_int_equal(came.outcome, WEIR_OUTCOME_ANSWERED);
    assert_true(weir_modbus_idle(m));
    weir_modbus_free(m);
}

static void refusal_silence_and_loss_are_bad_samples_with_their_causes(void **state)
{
    static const uint8_t request[] = {0, 0, 0, 6, 0x11, 0x03, 0x00, 0x6d, 0x00, 0x01};
    uint8_t busy[] = {0, 0, 0, 0, 0, 3, 0x11, 0x83, 0x04}; /* server device failure */
    uint8_t id[2];
    struct came came = {0};
    weir_modbus *m = master_new(&came);
    (void)state;
    assert_int_equal(weir_modbus_read(m, 0, 1u << 1, noon, at(0)), 1);
    (void)weir_modbus_step(m, at(0));
    assert_int_equal(came.samples[0].quality, weir_bad(WEIR_CAUSE_CONNECT, 0));
    assert_int_equal(came.outcome, WEIR_OUTCOME_UNREACHABLE);

    weir_modbus_connected(m, at(0));
    assert_int_equal(weir_modbus_read(m, 0, 1u << 1, noon, at(1)), 2);
    expect_request(m, at(1), request, sizeof request, id);
    const weir_mono timeout = weir_modbus_step(m, at(2));
    assert_int_equal(timeout.us, 1001 * WEIR_MS); /* 1 s after it was sent */
    (void)weir_modbus_step(m, timeout);
    assert_int_equal(came.samples[1].quality, weir_bad(WEIR_CAUSE_TIMEOUT, 0));
    assert_int_equal(came.outcome, WEIR_OUTCOME_SILENT);

    assert_int_equal(weir_modbus_read(m, 0, 1u << 1, noon, at(1100)), 3);
    expect_request(m, at(1100), request, sizeof request, busy);
    weir_modbus_input(m, busy, sizeof busy, at(1110));
    assert_int_equal(came.samples[2].quality, weir_bad(WEIR_CAUSE_EXCEPTION, 4));
    assert_int_equal(came.outcome, WEIR_OUTCOME_ANSWERED);

    assert_int_equal(weir_modbus_read(m, 0, 1u << 0, noon, at(1200)), 4);
    (void)weir_modbus_step(m, at(1200));
    const uint8_t *bytes = NULL;
    assert_true(weir_modbus_output(m, at(1200), &bytes) > 0);
    weir_modbus_disconnected(m, at(1210), true);
    (void)weir_modbus_step(m, at(1210));
    assert_int_equal(came.samples[3].quality, weir_bad(WEIR_CAUSE_DISCONNECTED, 0));
    assert_int_equal(came.n_done, 4);
    weir_modbus_free(m);
}

static void bytes_that_are_no_modbus_break_the_stream(void **state)
{
    static const char banner[] = "SSH-2.0-OpenSSH_9.2p1 Debian-2";
    struct came came = {0};
    weir_modbus *m = master_new(&came);
    (void)state;
    weir_modbus_connected(m, at(0));
    assert_null(weir_modbus_broken(m));
    weir_modbus_input(m, (const uint8_t *)banner, sizeof banner - 1, at(1));
    assert_non_null(weir_modbus_broken(m));
    assert_non_null(strstr(weir_modbus_broken(m), "SSH-2.0"));
    weir_modbus_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(point_decodes_and_encodes),
        cmocka_unit_test(coils_are_bytes_when_asked_to),
        cmocka_unit_test(text_is_cut_to_the_room_it_gets),
        cmocka_unit_test(point_that_cannot_be_is_refused),
        cmocka_unit_test(read_gives_a_sample_for_each_element),
        cmocka_unit_test(refusal_silence_and_loss_are_bad_samples_with_their_causes),
        cmocka_unit_test(bytes_that_are_no_modbus_break_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

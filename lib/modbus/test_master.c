/* SPDX-License-Identifier: MIT */
/* The master over its real link against the real slave, under made-up time. */

#include "modbus/test_master.h"

/* ---- Values ---- */

static void every_value_of_mixed_tables_is_right(void **state)
{
    (void)state;
    static const weir_scheme schemes[] = {WEIR_SCHEME_TCP, WEIR_SCHEME_RTU_TCP};
    for (size_t i = 0; i < 2; i++) {
        plant *p = plant_new();
        p->connection.uri.scheme = schemes[i];
        plant_add_point(p, plant_point(WEIR_REGISTER_COIL, 3, WEIR_TYPE_BOOL));
        plant_add_point(p, plant_point(WEIR_REGISTER_COIL, 17, WEIR_TYPE_BOOL));
        plant_add_point(p, plant_point(WEIR_REGISTER_DISCRETE, 900, WEIR_TYPE_BOOL));
        plant_add_point(p, plant_point(WEIR_REGISTER_HOLDING, 52, WEIR_TYPE_FLOAT32));
        plant_add_point(p, plant_point(WEIR_REGISTER_HOLDING, 60, WEIR_TYPE_UINT64));
        plant_add_point(p, plant_point(WEIR_REGISTER_HOLDING, 61, WEIR_TYPE_INT16)); /* inside */
        plant_add_point(p, plant_point(WEIR_REGISTER_INPUT, 72, WEIR_TYPE_UINT32));
        plant_add_point(p, plant_point(WEIR_REGISTER_INPUT, 65534, WEIR_TYPE_UINT32));
        plant_start(p, 1);
        plant_connect(p);
        plant_read(p, 0);
        assert_int_equal(plant_count_bad(p), 0);
        assert_int_equal(p->result, WEIR_READ_GOOD);
        assert_string_equal(p->requests, "1 3+15 2 900+1 3 52+12 4 72+2 4 65534+2 ");
        assert_int_equal(p->n_batches, 5);
        plant_free(p);
    }
}

static void count_makes_a_tag_of_every_element(void **state)
{
    (void)state;
    plant *p = plant_new();
    weir_point floats = plant_point(WEIR_REGISTER_HOLDING, 10, WEIR_TYPE_FLOAT32);
    floats.count = 100; /* 200 registers: two requests */
    weir_point coils = plant_point(WEIR_REGISTER_COIL, 5, WEIR_TYPE_BOOL);
    coils.count = 33;
    plant_add_point(p, floats);
    plant_add_point(p, coils);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 0);
    assert_string_equal(p->requests, "1 5+33 3 10+124 3 134+76 ");
    plant_free(p);
}

/* Modbus Application Protocol 1.1b3, 6.1: coils 20-38. */
static void bits_as_bytes_are_the_reply_of_their_request(void **state)
{
    (void)state;
    static const uint8_t coils[] = {0xcd, 0x6b, 0x05};
    plant *p = plant_new();
    weir_point all = plant_point(WEIR_REGISTER_COIL, 19, WEIR_TYPE_BYTES);
    all.length = 19;
    weir_point some = plant_point(WEIR_REGISTER_COIL, 24, WEIR_TYPE_BYTES);
    some.length = 11; /* begins within a byte of the reply */
    weir_point many = plant_point(WEIR_REGISTER_DISCRETE, 100, WEIR_TYPE_BYTES);
    many.length = 2000;
    weir_point rows = plant_point(WEIR_REGISTER_DISCRETE, 3000, WEIR_TYPE_BYTES);
    rows.length = 13;
    rows.count = 3;
    for (unsigned i = 0; i < 19; i++)
        p->memory[WEIR_REGISTER_COIL][19 + i] = coils[i / 8] >> i % 8 & 1;
    plant_add_point(p, all);
    plant_add_point(p, some);
    plant_add_point(p, plant_point(WEIR_REGISTER_COIL, 20, WEIR_TYPE_BOOL));
    plant_add_point(p, many);
    plant_add_point(p, rows);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 0);
    assert_string_equal(p->requests, "1 19+19 2 100+2000 2 3000+39 ");
    assert_string_equal(p->text[0], "cd 6b 05");
    assert_string_equal(p->text[1], "5e 03"); /* 0x056bcd >> 5, 11 bits: 0x35e */
    plant_free(p);
}

/* One value cannot be cut: what is larger than the device bears is asked for alone, and refused. */
static void a_limit_of_bits_leaves_larger_points_alone(void **state)
{
    (void)state;
    plant *p = plant_new();
    p->bits_most = 60;
    weir_point large = plant_point(WEIR_REGISTER_COIL, 0, WEIR_TYPE_BYTES);
    large.length = 100;
    plant_add_point(p, large);
    for (uint16_t i = 0; i < 4; i++) {
        weir_point small =
            plant_point(WEIR_REGISTER_COIL, (uint16_t)(200 + 40 * i), WEIR_TYPE_BYTES);
        small.length = 40;
        plant_add_point(p, small);
    }
    plant_start(p, 1);
    plant_connect(p);
    for (int i = 0; i < 3; i++)
        plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 1);
    assert_int_equal(p->quality[0], weir_bad(WEIR_CAUSE_EXCEPTION, 3));
    p->bits_most = 0;
    p->now.us += 2 * WEIR_HOUR; /* asked again, and with the limit learnt still */
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 0);
    plant_free(p);
}

static void strings_are_read_and_room_is_kept(void **state)
{
    (void)state;
    plant *p = plant_new();
    for (uint16_t i = 0; i < 6; i++) {
        weir_point s =
            plant_point(WEIR_REGISTER_HOLDING, (uint16_t)(100 + 10 * i), WEIR_TYPE_STRING);
        s.length = 19;
        plant_add_point(p, s);
    }
    const char *serial = "WR-2024-0000117";
    for (uint16_t i = 0; i < 10; i++) {
        uint16_t word = (uint16_t)(2 * i < 15 ? serial[2 * i] << 8 | serial[2 * i + 1] : 0);
        p->memory[WEIR_REGISTER_HOLDING][100 + i] = word;
        /* Each byte is invalid UTF-8 and takes three: the most room there can be. */
        p->memory[WEIR_REGISTER_HOLDING][110 + i] = 0xffff;
    }
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_string_equal(p->text[0], "WR-2024-0000117");
    assert_int_equal(p->quality[1] >> 16 & 0xff, WEIR_CAUSE_NONE);
    assert_int_equal(plant_count_bad(p), 0);
    plant_free(p);
}

static void raw_is_one_request_and_all_its_bytes(void **state)
{
    (void)state;
    plant *p = plant_new();
    weir_point id = plant_point(WEIR_REGISTER_FUNCTION, 0, WEIR_TYPE_RAW);
    id.function = 17; /* report server id */
    plant_add_point(p, id);
    plant_add_registers(p, 0, 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 0);
    assert_string_equal(p->text[0], "05 57 45 49 52 ff");
    assert_int_equal(p->n_requests, 2);
    plant_free(p);
}

/* Modbus Application Protocol 1.1b3, 6.1 (read coils), 6.3 (holding), 6.18 (FIFO queue). */
static void raw_functions_take_what_the_point_says(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t function;
        uint16_t address, length;
        const char *requests, *text;
    } cases[] = {
        {"holding", 3, 5, 4, "3 5+2 ", "00 9e 00 bd"}, /* 31 * address + 3 */
        {"one coil at least", 1, 5, 0, "1 5+1 ", NULL},
        {"fifo", 24, 0x04de, 0, "", ""}, /* the slave refuses; shorter than an address and count */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plant *p = plant_new();
        weir_point raw = plant_point(WEIR_REGISTER_FUNCTION, cases[i].address, WEIR_TYPE_RAW);
        raw.function = cases[i].function;
        raw.length = cases[i].length;
        plant_add_point(p, raw);
        plant_start(p, 1);
        plant_connect(p);
        plant_read(p, 0);
        assert_int_equal(p->n_requests, 1);
        assert_string_equal(p->requests, cases[i].requests);
        if (cases[i].text)
            assert_string_equal(p->text[0], cases[i].text);
        plant_free(p);
    }
}

static void batch_says_when_and_for_whom(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 3);
    plant_start(p, 2);
    plant_connect(p);
    weir_mono start = p->now;
    plant_read(p, 1);
    const weir_batch *b = &p->last_batch;
    assert_int_equal(b->device, 1);
    assert_int_equal(b->epoch, 3);
    assert_int_equal(b->n_samples, 3);
    assert_int_equal(b->due.us, start.us + plant_anchor_us);
    assert_int_equal(b->sent.us, start.us + plant_anchor_us);
    assert_int_equal(b->received.us, start.us + plant_anchor_us + p->latency_us);
    plant_free(p);
}

static void only_points_of_the_due_intervals_are_read(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 12);
    for (uint8_t i = 0; i < 12; i++)
        p->point_interval[i] = i % 4 == 3 ? 0xff : i % 4; /* a quarter on demand */
    plant_start(p, 1);
    plant_connect(p);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t intervals = 1; intervals < 8; intervals++) {
            plant_forget(p);
            plant_begin_read(p, 0, intervals);
            plant_run_until(p, weir_mono_add(p->now, WEIR_S));
            assert_int_equal(p->n_done, 1);
            plant_check_once(p, 0, intervals);
        }
    }
    plant_free(p);
}

static void nothing_to_read_is_reported_all_the_same(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_begin_read(p, 0, 1u << 2);
    plant_run_until(p, weir_mono_add(p->now, WEIR_S));
    assert_int_equal(p->n_done, 1);
    assert_int_equal(p->n_batches, 0);
    assert_int_equal(p->result, WEIR_READ_GOOD);
    plant_free(p);
}

/* ---- Refusals ---- */

static void bad_address_in_a_block_is_found_in_the_same_read(void **state)
{
    (void)state;
    for (uint8_t code = 2; code <= 4; code++) {
        for (uint32_t bad = 100; bad < 140; bad += 13) {
            plant *p = plant_new();
            plant_add_registers(p, 100, 40);
            p->points[bad - 100].name = "energy";
            plant_refuse(p, WEIR_REGISTER_HOLDING, bad, bad, code);
            plant_start(p, 1);
            plant_connect(p);
            plant_read(p, 0);
            assert_int_equal(plant_count_bad(p), 1);
            assert_int_equal(p->quality[bad - 100], weir_bad(WEIR_CAUSE_EXCEPTION, code));
            assert_int_equal(p->worst, weir_bad(WEIR_CAUSE_EXCEPTION, code));
            assert_int_equal(p->result, WEIR_READ_GOOD);
            assert_true(p->n_requests <= 13); /* 1 + 2 log2(40) */
            char want[256];
            (void)snprintf(want, sizeof want,
                           "point_refused: m1/energy: refused with exception %u (%s) at holding %u:"
                           " check address and profile; asked again every 10m\n",
                           code, weir_exception_text(code), bad);
            assert_string_equal(p->log, want);
            plant_free(p);
        }
    }
}

static void refused_point_is_not_asked_again_for_ten_minutes(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 40);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 20, 20, 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    weir_mono found = p->now;
    while (p->now.us < found.us + WEIR_REPROBE_US - WEIR_MINUTE) {
        plant_run_until(p, weir_mono_add(p->now, WEIR_MINUTE));
        plant_read(p, 0);
        assert_string_equal(p->requests, "3 0+20 3 21+19 ");
        assert_int_equal(plant_count_bad(p), 1);
        assert_int_equal(p->quality[20], weir_bad(WEIR_CAUSE_EXCEPTION, 2));
        assert_string_equal(p->log, "");
    }
    plant_run_until(p, weir_mono_add(found, WEIR_REPROBE_US));
    plant_read(p, 0);
    assert_string_equal(p->requests, "3 0+20 3 21+19 3 20+1 ");
    assert_string_equal(p->log, "");
    plant_read(p, 0);
    assert_string_equal(p->requests, "3 0+20 3 21+19 ");

    p->n_faults = 0; /* a new firmware */
    plant_run_until(p, weir_mono_add(p->now, WEIR_REPROBE_US));
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 0);
    assert_string_equal(p->log, "point_accepted: m1/x: answered again\n");
    plant_read(p, 0);
    assert_string_equal(p->requests, "3 0+40 ");
    plant_free(p);
}

static void refused_point_is_asked_again_after_reconnect(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 10);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 4, 4, 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    plant_disconnect(p, WEIR_CAUSE_DISCONNECTED);
    plant_connect(p);
    plant_read(p, 0);
    assert_string_equal(p->requests, "3 0+4 3 5+5 3 4+1 ");
    plant_free(p);
}

static void several_bad_addresses_and_overlaps_end_well(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        plant *p = plant_new();
        weir_random r = {seed};
        size_t n_bad = 0;
        for (unsigned i = 0; i < 50; i++) {
            weir_point q =
                plant_point(WEIR_REGISTER_HOLDING, (uint16_t)weir_random_below(&r, 90),
                            weir_random_below(&r, 3) ? WEIR_TYPE_UINT16 : WEIR_TYPE_UINT32);
            q.count = weir_random_below(&r, 8) ? 1 : 3;
            plant_add_point(p, q);
        }
        for (unsigned i = 0; i < 4; i++) {
            uint32_t a = (uint32_t)weir_random_below(&r, 90);
            plant_refuse(p, WEIR_REGISTER_HOLDING, a, a, (uint8_t)(2 + i % 2));
        }
        plant_start(p, 1);
        plant_connect(p);
        plant_read(p, 0);
        for (uint32_t t = 0; t < p->catalog.n_tags; t++) {
            const weir_point *q = weir_tag_point(&p->catalog, &p->tags[t]);
            uint32_t size = weir_point_element_size(q);
            uint32_t first = q->address + p->tags[t].element * size;
            bool bad = false;
            for (size_t i = 0; i < p->n_faults; i++)
                bad |= p->faults[i].first >= first && p->faults[i].first < first + size;
            n_bad += bad;
            assert_int_equal(weir_quality_class(p->quality[t]), bad ? WEIR_BAD : WEIR_GOOD);
        }
        plant_read(p, 0); /* now by what was learnt: whole points */
        assert_true(plant_count_bad(p) >= n_bad);
        plant_free(p);
    }
}

static void bits_of_one_refused_register_are_refused_at_once(void **state)
{
    (void)state;
    plant *p = plant_new();
    for (int8_t bit = 0; bit < 16; bit++) {
        weir_point q = plant_point(WEIR_REGISTER_HOLDING, 7, WEIR_TYPE_BOOL);
        q.bit = bit;
        plant_add_point(p, q);
    }
    plant_refuse(p, WEIR_REGISTER_HOLDING, 7, 7, 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(p->n_requests, 1);
    assert_int_equal(plant_count_bad(p), 16);
    plant_free(p);
}

static void hole_that_the_device_lacks_is_learnt(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 10);
    plant_add_registers(p, 15, 10);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 12, 12, 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 0);
    assert_string_equal(p->requests, "3 0+25 3 0+10 3 15+10 ");
    assert_string_equal(p->log, "device_limit: m1: refused holding 9 and 15 in one request "
                                "(exception 2) and answered them apart: kept apart from now on\n");
    plant_read(p, 0);
    assert_string_equal(p->requests, "3 0+10 3 15+10 ");
    plant_free(p);
}

static void limit_of_the_device_is_learnt(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 40);
    weir_point serial = plant_point(WEIR_REGISTER_HOLDING, 500, WEIR_TYPE_STRING);
    serial.length = 50; /* larger than what the device bears: it cannot be had */
    plant_add_point(p, serial);
    weir_point array = plant_point(WEIR_REGISTER_HOLDING, 200, WEIR_TYPE_UINT16);
    array.count = 30;
    plant_add_point(p, array);
    p->registers_most = 20;
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 1);
    assert_int_equal(p->quality[40], weir_bad(WEIR_CAUSE_EXCEPTION, 3));
    assert_non_null(strstr(p->log, "device_limit: m1: refused 40 registers in one request "
                                   "(exception 3) and answered 20: asked for at most 20 from now "
                                   "on; set max_registers_per_request: 20\n"));
    for (unsigned i = 0; i < 2; i++) {
        plant_read(p, 0);
        assert_int_equal(plant_count_bad(p), 1);
        assert_int_equal(p->n_requests, 4);
        assert_string_equal(p->log, "");
    }
    plant_free(p);
}

static void unknown_function_silences_its_table_only(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 2);
    for (unsigned i = 0; i < 5; i++)
        plant_add_point(p, plant_point(WEIR_REGISTER_INPUT, (uint16_t)(i * 100), WEIR_TYPE_INT16));
    plant_refuse(p, WEIR_REGISTER_INPUT, 0, 65535, 1);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 5);
    assert_int_equal(p->n_requests, 2);
    assert_string_equal(p->log,
                        "table_refused: m1: refused function 4 (input) with exception 1 (illegal "
                        "function): check the points' register; asked again every 10m\n");
    plant_read(p, 0);
    assert_string_equal(p->requests, "3 0+2 ");
    p->n_faults = 0;
    plant_run_until(p, weir_mono_add(p->now, WEIR_REPROBE_US));
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 0);
    assert_string_equal(p->log, "table_accepted: m1: answers function 4 (input) again\n");
    plant_free(p);
}

/* Some devices answer a bad address with exception 1. */
static void exception_1_of_a_table_that_works_means_an_address(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 10);
    plant_add_registers(p, 300, 10);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 304, 304, 1);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 1);
    assert_int_equal(p->quality[14], weir_bad(WEIR_CAUSE_EXCEPTION, 1));
    plant_free(p);
}

/* Exception 4 is a failure that may pass; only beside points that work it is taken for an address.
 */
static void exception_4_of_a_point_alone_is_not_remembered(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 1);
    plant_add_registers(p, 300, 1);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 300, 300, 4);
    plant_start(p, 1);
    plant_connect(p);
    for (unsigned i = 0; i < 3; i++) {
        plant_read(p, 0);
        assert_int_equal(plant_count_bad(p), 1);
        assert_string_equal(p->requests, "3 0+1 3 300+1 ");
        assert_string_equal(p->log, "");
    }
    plant_free(p);
}

static void device_that_fails_as_a_whole_is_not_taken_apart(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 100);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 0, 99, 4);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 100);
    assert_true(p->n_requests <= 15);
    plant_read(p, 0);
    assert_int_equal(p->n_requests, 1);
    p->n_faults = 0;
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 0);
    assert_string_equal(p->requests, "3 0+100 ");
    plant_free(p);
}

static void refused_points_alone_still_show_whether_the_device_is_there(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 1);
    plant_add_registers(p, 50, 1);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 0, 99, 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    plant_read(p, 0);
    assert_int_equal(p->n_requests, 1);
    assert_int_equal(p->result, WEIR_READ_GOOD);
    p->absent[1] = true;
    plant_read(p, 0);
    assert_int_equal(p->result, WEIR_READ_SILENT);
    plant_free(p);
}

static void controller_that_refused_everything_while_starting_is_soon_read_again(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 6);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 0, 99, 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 6);
    p->n_faults = 0;
    plant_read(p, 0); /* the one that shows whether the device is there */
    assert_int_equal(plant_count_bad(p), 5);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 0);
    plant_read(p, 0);
    assert_string_equal(p->requests, "3 0+6 ");
    plant_free(p);
}

static void only_some_refused_points_are_asked_again_in_one_read(void **state)
{
    (void)state;
    plant *p = plant_new();
    for (uint16_t i = 0; i < 30; i++)
        plant_add_registers(p, (uint16_t)(100 * i), 1);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 100, 65535, 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(plant_count_bad(p), 29);
    plant_run_until(p, weir_mono_add(p->now, WEIR_REPROBE_US));
    static const size_t want[] = {9, 9, 9, 6, 1}; /* the good one, and 29 in eights */
    for (size_t i = 0; i < 5; i++) {
        plant_read(p, 0);
        assert_int_equal(p->n_requests, want[i]);
    }
    plant_free(p);
}

/* Exceptions 5 and 6 pass: asked again after a wait, then the next read asks as before. */
static void busy_device_is_neither_split_nor_remembered(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 6);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 3, 3, 6);
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_string_equal(p->requests, "3 0+6 3 0+6 3 0+6 3 0+6 ");
    assert_int_equal(p->worst, weir_bad(WEIR_CAUSE_EXCEPTION, 6));
    assert_int_equal(p->result, WEIR_READ_GOOD);
    p->n_faults = 0;
    plant_read(p, 0);
    assert_string_equal(p->requests, "3 0+6 ");
    assert_int_equal(plant_count_bad(p), 0);
    plant_free(p);
}

/* ---- Silence ---- */

static void reply_that_is_never_well_formed_is_silence_on_a_serial_line(void **state)
{
    (void)state;
    plant *p = plant_new();
    p->connection.uri.scheme = WEIR_SCHEME_RTU_TCP;
    plant_add_registers(p, 0, 2);
    plant_add_registers(p, 300, 2);
    p->noise_percent = 100;
    plant_start(p, 1);
    plant_connect(p);
    plant_read(p, 0);
    assert_int_equal(p->n_requests, 2); /* one and its retry */
    assert_int_equal(p->result, WEIR_READ_SILENT);
    assert_int_equal(p->quality[3], weir_bad(WEIR_CAUSE_MALFORMED, 0));
    plant_free(p);
}

static void devices_behind_one_unit_count_for_themselves(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 2);
    plant_add_registers(p, 300, 2);
    p->point_interval[2] = p->point_interval[3] = 1;
    plant_start(p, 3);
    p->devices[2].unit_id = 1;
    plant_connect(p);
    for (unsigned i = 0; i < 5; i++) {
        plant_begin_read(p, 1, 1); /* another unit lives: the link stays */
        plant_begin_read(p, 0, 1);
        plant_begin_read(p, 2, 3);
        plant_run_until(p, weir_mono_add(p->now, WEIR_S));
    }
    p->absent[1] = true;
    plant_begin_read(p, 2, 1);
    plant_run_until(p, weir_mono_add(p->now, 10 * WEIR_S));
    plant_begin_read(p, 0, 1);
    plant_begin_read(p, 2, 1);
    plant_run_until(p, weir_mono_add(p->now, 3 * WEIR_S / 2)); /* the retry for the first */
    weir_device_counters c;
    assert_true(weir_master_counters(p->master, 0, &c));
    assert_true(c.requests >= 6 && c.timeouts == 1);
    assert_true(weir_master_counters(p->master, 2, &c));
    assert_true(c.requests >= 12 && c.timeouts == 2);
    plant_run_until(p, weir_mono_add(p->now, 10 * WEIR_S));
    assert_true(weir_master_counters(p->master, 0, &c));
    assert_int_equal(c.requests, 7);
    assert_int_equal(c.timeouts, 2);
    assert_true(weir_master_counters(p->master, 2, &c));
    assert_int_equal(c.requests, 14);
    assert_int_equal(c.timeouts, 4);
    plant_free(p);
}

static void dead_unit_costs_one_request_and_its_neighbours_nothing(void **state)
{
    (void)state;
    plant *p = plant_new();
    for (uint16_t i = 0; i < 10; i++)
        plant_add_registers(p, (uint16_t)(i * 300), 3); /* ten requests */
    p->absent[5] = p->absent[11] = true;
    p->connection.retries = 2;
    plant_start(p, 16);
    plant_connect(p);
    plant_forget(p);
    weir_mono start = p->now;
    for (uint32_t d = 0; d < 16; d++)
        plant_begin_read(p, d, 1);
    plant_run_until(p, weir_mono_add(p->now, WEIR_MINUTE));
    assert_int_equal(p->n_done, 16);
    for (uint32_t d = 0; d < 16; d++) {
        plant_check_once(p, d, 1);
        bool dead = d == 4 || d == 10;
        assert_int_equal(p->requests_of[d + 1], dead ? 3 : 10);
        for (uint32_t t = 0; t < 30; t++)
            assert_int_equal(p->quality[d * 30 + t], dead ? weir_bad(WEIR_CAUSE_TIMEOUT, 0) : 0);
    }
    assert_true(p->now.us > start.us);
    weir_device_counters c;
    assert_true(weir_master_counters(p->master, 4, &c));
    assert_int_equal(c.requests, 3);
    assert_int_equal(c.timeouts, 3);
    assert_int_equal(c.rtt_us_p50, 0);
    assert_true(weir_master_counters(p->master, 3, &c));
    assert_int_equal(c.requests, 10);
    assert_int_equal(c.rtt_us_p50, 5000);
    assert_int_equal(c.rtt_us_p99, 5000);
    assert_false(weir_master_counters(p->master, 99, &c));
    plant_free(p);
}

static void gateway_that_has_no_answer_is_silence(void **state)
{
    (void)state;
    for (uint8_t code = 10; code <= 11; code++) {
        plant *p = plant_new();
        plant_add_registers(p, 0, 2);
        plant_add_registers(p, 300, 2);
        plant_refuse(p, WEIR_REGISTER_HOLDING, 0, 65535, code);
        plant_start(p, 1);
        plant_connect(p);
        plant_read(p, 0);
        assert_int_equal(p->result, WEIR_READ_SILENT);
        assert_int_equal(p->n_requests, 1);
        assert_int_equal(p->worst, weir_bad(WEIR_CAUSE_EXCEPTION, code));
        plant_free(p);
    }
}

static void disconnect_in_a_read_ends_all_of_it(void **state)
{
    (void)state;
    plant *p = plant_new();
    for (uint16_t i = 0; i < 4; i++)
        plant_add_registers(p, (uint16_t)(i * 300), 2);
    plant_start(p, 1);
    plant_connect(p);
    plant_begin_read(p, 0, 1);
    plant_run_until(p, weir_mono_add(p->now, 7 * WEIR_MS)); /* the second request is on the wire */
    assert_int_equal(p->n_done, 0);
    plant_disconnect(p, WEIR_CAUSE_CONNECT);
    assert_int_equal(p->n_done, 1);
    plant_check_once(p, 0, 1);
    assert_int_equal(p->quality[0], 0);
    assert_int_equal(p->quality[2], weir_bad(WEIR_CAUSE_DISCONNECTED, 0));
    assert_int_equal(p->quality[4], weir_bad(WEIR_CAUSE_CONNECT, 0));
    assert_int_equal(p->quality[6], weir_bad(WEIR_CAUSE_CONNECT, 0));
    assert_int_equal(p->result, WEIR_READ_GOOD); /* it had answered */
    plant_free(p);
}

static void read_without_a_connection_is_reported_by_the_next_step(void **state)
{
    (void)state;
    static const weir_cause causes[] = {WEIR_CAUSE_CONNECT, WEIR_CAUSE_DISCONNECTED};
    for (size_t i = 0; i < 2; i++) {
        plant *p = plant_new();
        plant_add_registers(p, 0, 2);
        plant_start(p, 1);
        plant_connect(p);
        plant_disconnect(p, causes[i]);
        plant_read(p, 0);
        assert_int_equal(p->n_requests, 0);
        assert_int_equal(p->result, WEIR_READ_LINK);
        assert_int_equal(p->worst, weir_bad(causes[i], 0));
        assert_int_equal(p->last_batch.sent.us, 0);
        plant_free(p);
    }
}

static void master_is_freed_in_the_middle_of_everything(void **state)
{
    (void)state;
    for (int64_t after = 0; after < 60; after += 3) {
        plant *p = plant_new();
        plant_add_registers(p, 0, 40);
        plant_refuse(p, WEIR_REGISTER_HOLDING, 20, 20, 2);
        p->connection.max_in_flight = 4;
        plant_start(p, 2);
        plant_connect(p);
        plant_begin_read(p, 0, 1);
        plant_begin_read(p, 1, 1);
        plant_run_until(p, weir_mono_add(p->now, after * WEIR_MS));
        plant_begin_read(p, 1, 1);
        size_t n_done = p->n_done;
        weir_master_free(p->master);
        p->master = NULL;
        assert_int_equal(p->n_done, n_done);
        plant_free(p);
    }
}

static void point_that_no_request_can_hold_is_a_configuration_error(void **state)
{
    (void)state;
    plant *p = plant_new();
    weir_point serial = plant_point(WEIR_REGISTER_HOLDING, 0, WEIR_TYPE_STRING);
    serial.length = 100;
    serial.name = "serial";
    plant_add_point(p, serial);
    plant_start(p, 1);
    p->devices[0].max_registers_per_request = 20;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_master_new(&p->host, &p->master, &error), WEIR_EINVAL);
    assert_non_null(strstr(error.text, "device 'm1': point 'serial'"));
    plant_free(p);
}

/* ---- Memory ---- */

static void second_read_allocates_nothing(void **state)
{
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 0, 10);
    plant_add_registers(p, 500, 10);
    plant_refuse(p, WEIR_REGISTER_HOLDING, 3, 3, 2);
    plant_start(p, 2);
    plant_connect(p);
    p->count_only = true;
    for (unsigned i = 0; i < 2; i++) { /* the second makes the poll without the refused point */
        plant_read(p, 0);
        plant_read(p, 1);
    }
    (void)weir_alloc_fail_nth(0, false);
    plant_read(p, 0);
    plant_read(p, 1);
    assert_int_equal(weir_alloc_fail_nth(0, false), 0);
    plant_free(p);
}

/* Whichever allocations fail in a read that splits and learns, one sample a point. */
static void short_memory_never_loses_a_sample_or_a_read(void **state)
{
    (void)state;
    for (unsigned persistent = 0; persistent < 2; persistent++) {
        for (size_t nth = 1; nth < 60; nth++) {
            plant *p = plant_new();
            weir_point string = plant_point(WEIR_REGISTER_HOLDING, 60, WEIR_TYPE_STRING);
            string.length = 20;
            plant_add_registers(p, 0, 40);
            plant_add_point(p, string);
            plant_refuse(p, WEIR_REGISTER_HOLDING, 20, 20, 2);
            plant_start(p, 1);
            plant_connect(p);
            p->count_only = true;
            for (unsigned i = 0; i < 3; i++) {
                (void)weir_alloc_fail_nth(nth, persistent);
                plant_read(p, 0);
                (void)weir_alloc_fail_nth(0, false);
            }
            plant_read(p, 0);
            plant_read(p, 0);
            assert_int_equal(plant_count_bad(p), 1);
            plant_free(p);
        }
    }
}

static void short_memory_while_starting_is_an_error(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        plant *p = plant_new();
        plant_add_registers(p, 0, 10);
        plant_start(p, 3);
        (void)weir_alloc_fail_nth(nth, false);
        weir_err err = weir_master_new(&p->host, &p->master, NULL);
        (void)weir_alloc_fail_nth(0, false);
        plant_free(p);
        if (err == WEIR_OK)
            break;
        assert_int_equal(err, WEIR_ENOMEM);
        assert_true(nth < 200);
    }
}

/* ---- Properties ---- */

static void random_points(plant *p, weir_random *r)
{
    static const weir_type types[] = {WEIR_TYPE_UINT16, WEIR_TYPE_FLOAT32, WEIR_TYPE_UINT64,
                                      WEIR_TYPE_INT16};
    size_t n = 1 + weir_random_below(r, 60);
    for (size_t i = 0; i < n; i++) {
        weir_register table = (weir_register)(1 + weir_random_below(r, 4));
        weir_type type =
            weir_register_is_bits(table) ? WEIR_TYPE_BOOL : types[weir_random_below(r, 4)];
        weir_point q = plant_point(table, (uint16_t)weir_random_below(r, 400), type);
        q.count = (uint16_t)(weir_random_below(r, 7) ? 1 : 1 + weir_random_below(r, 40));
        q.group = weir_random_below(r, 5) ? 0 : 1;
        plant_add_point(p, q);
    }
}

static void random_faults(plant *p, weir_random *r)
{
    for (size_t i = weir_random_below(r, 5); i > 0; i--) {
        uint32_t a = (uint32_t)weir_random_below(r, 400);
        plant_refuse(p, (weir_register)(1 + weir_random_below(r, 4)), a,
                     a + (uint32_t)weir_random_below(r, 4), (uint8_t)(1 + weir_random_below(r, 4)));
    }
    p->registers_most = (uint16_t)(weir_random_below(r, 3) ? 0 : 10 + weir_random_below(r, 60));
    p->loss_percent = (unsigned)weir_random_below(r, 25);
    p->noise_percent = weir_random_below(r, 2) ? 0 : 5;
    p->absent[2] = weir_random_below(r, 3) == 0;
}

/* Reads of three devices, two at once for one of them, with losses, late and damaged replies,
 * refusals, limits and lost connections: every point of every read has exactly one sample. */
static void every_point_of_every_read_has_one_sample_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 250; seed++) {
        plant *p = plant_new();
        weir_random r = {seed};
        p->random.state = seed;
        p->connection.uri.scheme = seed % 3 ? WEIR_SCHEME_TCP : WEIR_SCHEME_RTU_TCP;
        p->connection.max_in_flight = (uint16_t)(1 + weir_random_below(&r, 4));
        p->connection.tid_check = seed % 5 ? WEIR_TID_STRICT : WEIR_TID_LENIENT;
        random_points(p, &r);
        random_faults(p, &r);
        if (p->connection.tid_check == WEIR_TID_LENIENT)
            p->noise_percent = 0;
        plant_start(p, 3);
        p->devices[2].unit_id = 1; /* two devices behind one unit */
        plant_connect(p);
        p->noise_percent = p->connection.uri.scheme == WEIR_SCHEME_RTU_TCP ? p->noise_percent : 0;
        for (unsigned round = 0; round < 8; round++) {
            plant_forget(p);
            for (uint32_t d = 0; d < 3; d++)
                plant_begin_read(p, d, 1);
            uint32_t times = weir_random_below(&r, 4) ? 1 : 2;
            if (times == 2)
                plant_begin_read(p, 0, 1);
            if (weir_random_below(&r, 3) == 0) {
                plant_run_until(
                    p, weir_mono_add(p->now, (int64_t)weir_random_below(&r, 300) * WEIR_MS));
                plant_disconnect(p, WEIR_CAUSE_DISCONNECTED);
                plant_run_until(p, weir_mono_add(p->now, 100 * WEIR_MS));
                plant_connect(p);
            }
            plant_run_until(p, weir_mono_add(p->now, 20 * WEIR_MINUTE));
            if (p->n_done != 2 + times)
                fail_msg("seed %llu: %zu reads done", (unsigned long long)seed, p->n_done);
            for (uint32_t d = 0; d < 3; d++)
                plant_check_seen(p, d, 1, d == 0 ? times : 1);
            assert_true(weir_master_idle(p->master));
        }
        plant_free(p);
    }
}

/* ---- Another catalog ---- */

/* m1 and m3 of a plant with three devices; m3 is the second now, and the points lie elsewhere. */
struct newer {
    weir_catalog catalog;
    weir_connection connection; /* with other timing */
    weir_device devices[2];
    weir_point points[PLANT_POINTS_MAX];
    weir_tag tags[PLANT_TAGS_MAX];
};

static void newer_init(struct newer *n, const plant *p)
{
    const uint32_t n_tags = p->devices[0].n_tags;
    memcpy(n->points, p->points, sizeof n->points);
    for (uint32_t d = 0; d < 2; d++) {
        n->devices[d] = p->devices[2 * d];
        n->devices[d].points = n->points;
        n->devices[d].first_tag = d * n_tags;
        for (uint32_t i = 0; i < n_tags; i++) {
            n->tags[d * n_tags + i] = p->tags[2 * d * n_tags + i];
            n->tags[d * n_tags + i].device = d;
        }
    }
    n->connection = p->connection;
    n->connection.max_in_flight = (uint16_t)(5 - p->connection.max_in_flight % 5);
    n->connection.timeout_us = p->connection.timeout_us * 3 / 2;
    n->connection.pause_between_requests_us = 5 * WEIR_MS;
    n->catalog = p->catalog;
    n->catalog.connections = &n->connection;
    n->catalog.n_devices = 2;
    n->catalog.devices = n->devices;
    n->catalog.n_tags = 2 * n_tags;
    n->catalog.tags = n->tags;
}

static void plant_change(plant *p, struct newer *n)
{
    static const uint32_t stays[] = {0, WEIR_DEVICE_NONE, 1}, was[] = {0, 2};
    const weir_source_change change = {&n->catalog, 0, stays, was};
    weir_master_change *prepared = NULL;
    weir_error error = WEIR_ERROR_INIT;
    newer_init(n, p);
    if (weir_master_prepare(p->master, &change, &prepared, &error))
        fail_msg("%s", error.text);
    p->host.catalog = &n->catalog;
    weir_master_apply(p->master, &change, prepared, p->now);
    for (uint32_t i = 0; i < p->catalog.n_tags; i++) /* as batches name their devices now */
        p->tags[i].device = p->tags[i].device == 1 ? 9 : p->tags[i].device / 2;
}

/* At any moment of three reads one of the devices goes: its read ends without a word, its replies
 * find nobody, and the others' reads have every sample once. */
static void a_device_that_goes_takes_only_its_own_requests_along(void **state)
{
    static struct newer newer;
    (void)state;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        plant *p = plant_new();
        weir_random r = {seed};
        weir_device_counters counters;
        p->random.state = seed;
        p->connection.uri.scheme = seed % 3 ? WEIR_SCHEME_TCP : WEIR_SCHEME_RTU_TCP;
        p->connection.max_in_flight = (uint16_t)(1 + weir_random_below(&r, 4));
        p->connection.tid_check = seed % 5 ? WEIR_TID_STRICT : WEIR_TID_LENIENT;
        random_points(p, &r);
        plant_start(p, 3);
        plant_connect(p);
        plant_forget(p);
        p->absent[2] = seed % 7 == 0; /* then it is its retry that waits */
        for (uint32_t d = 3; d-- > 0;)
            plant_begin_read(p, d, 1);
        plant_run_until(p, weir_mono_add(p->now, (int64_t)weir_random_below(&r, 40000)));
        const size_t n_done = p->n_done;
        const bool was_done = p->seen[p->devices[1].first_tag] > 0 && weir_master_idle(p->master);
        plant_change(p, &newer);
        plant_run_until(p, weir_mono_add(p->now, WEIR_MINUTE));
        assert_true(weir_master_idle(p->master));
        assert_in_range(p->n_done, 2, was_done || n_done > 0 ? 3 : 2);
        plant_check_seen(p, 0, 1, 1);
        plant_check_seen(p, 1, 1, 1);
        assert_true(weir_master_counters(p->master, 1, &counters));
        assert_true(counters.requests > 0);
        assert_false(weir_master_counters(p->master, 2, &counters));
        /* And it goes on. */
        plant_forget(p);
        plant_begin_read(p, 1, 1);
        plant_run_until(p, weir_mono_add(p->now, WEIR_MINUTE));
        plant_check_seen(p, 1, 1, 1);
        assert_int_equal(plant_count_bad(p), 0);
        plant_free(p);
    }
}

static void a_change_that_cannot_be_prepared_leaves_all_as_it_is(void **state)
{
    static struct newer newer;
    static const uint32_t stays[] = {WEIR_DEVICE_NONE, WEIR_DEVICE_NONE, WEIR_DEVICE_NONE},
                          was[] = {WEIR_DEVICE_NONE, WEIR_DEVICE_NONE};
    const weir_source_change change = {&newer.catalog, 0, stays, was};
    weir_err err = WEIR_ENOMEM;
    (void)state;
    plant *p = plant_new();
    plant_add_registers(p, 10, 4);
    plant_start(p, 3);
    plant_connect(p);
    newer_init(&newer, p);
    for (size_t nth = 1; err != WEIR_OK; nth++) {
        weir_master_change *prepared = NULL;
        (void)weir_alloc_fail_nth(nth, false);
        err = weir_master_prepare(p->master, &change, &prepared, NULL);
        (void)weir_alloc_fail_nth(0, false);
        weir_master_discard(prepared);
        plant_read(p, 2);
    }
    plant_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_of_mixed_tables_is_right),
        cmocka_unit_test(count_makes_a_tag_of_every_element),
        cmocka_unit_test(bits_as_bytes_are_the_reply_of_their_request),
        cmocka_unit_test(a_limit_of_bits_leaves_larger_points_alone),
        cmocka_unit_test(strings_are_read_and_room_is_kept),
        cmocka_unit_test(raw_is_one_request_and_all_its_bytes),
        cmocka_unit_test(raw_functions_take_what_the_point_says),
        cmocka_unit_test(batch_says_when_and_for_whom),
        cmocka_unit_test(only_points_of_the_due_intervals_are_read),
        cmocka_unit_test(nothing_to_read_is_reported_all_the_same),
        cmocka_unit_test(bad_address_in_a_block_is_found_in_the_same_read),
        cmocka_unit_test(refused_point_is_not_asked_again_for_ten_minutes),
        cmocka_unit_test(refused_point_is_asked_again_after_reconnect),
        cmocka_unit_test(several_bad_addresses_and_overlaps_end_well),
        cmocka_unit_test(bits_of_one_refused_register_are_refused_at_once),
        cmocka_unit_test(hole_that_the_device_lacks_is_learnt),
        cmocka_unit_test(limit_of_the_device_is_learnt),
        cmocka_unit_test(unknown_function_silences_its_table_only),
        cmocka_unit_test(exception_1_of_a_table_that_works_means_an_address),
        cmocka_unit_test(exception_4_of_a_point_alone_is_not_remembered),
        cmocka_unit_test(device_that_fails_as_a_whole_is_not_taken_apart),
        cmocka_unit_test(refused_points_alone_still_show_whether_the_device_is_there),
        cmocka_unit_test(controller_that_refused_everything_while_starting_is_soon_read_again),
        cmocka_unit_test(only_some_refused_points_are_asked_again_in_one_read),
        cmocka_unit_test(busy_device_is_neither_split_nor_remembered),
        cmocka_unit_test(reply_that_is_never_well_formed_is_silence_on_a_serial_line),
        cmocka_unit_test(devices_behind_one_unit_count_for_themselves),
        cmocka_unit_test(dead_unit_costs_one_request_and_its_neighbours_nothing),
        cmocka_unit_test(gateway_that_has_no_answer_is_silence),
        cmocka_unit_test(disconnect_in_a_read_ends_all_of_it),
        cmocka_unit_test(read_without_a_connection_is_reported_by_the_next_step),
        cmocka_unit_test(master_is_freed_in_the_middle_of_everything),
        cmocka_unit_test(point_that_no_request_can_hold_is_a_configuration_error),
        cmocka_unit_test(second_read_allocates_nothing),
        cmocka_unit_test(short_memory_never_loses_a_sample_or_a_read),
        cmocka_unit_test(short_memory_while_starting_is_an_error),
        cmocka_unit_test(every_point_of_every_read_has_one_sample_whatever_happens),
        cmocka_unit_test(a_device_that_goes_takes_only_its_own_requests_along),
        cmocka_unit_test(a_change_that_cannot_be_prepared_leaves_all_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tests of what weir read is asked for, and of what registers may mean. */

#include "cli/read_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cli/candidates.h"
#include "cli/commands.h"

struct planned {
    weir_arena *arena;
    weir_read_plan plan;
    weir_err err;
    weir_error error;
};

static struct planned make(const char *words)
{
    struct planned p = {.arena = weir_arena_new()};
    char **argv = weir_arena_alloc(p.arena, 32, sizeof *argv);
    int argc = 0;
    for (const char *at = words; *at; argc++) {
        size_t n = strcspn(at, " ");
        argv[argc] = weir_arena_text_n(p.arena, at, n);
        at += n + (at[n] == ' ');
    }
    weir_invocation in;
    bool help;
    p.err = weir_command_parse(&weir_command_read, argc, argv, p.arena, &in, &help, &p.error);
    if (!p.err)
        p.err = weir_read_plan_make(&in, &p.plan, &p.error);
    return p;
}

static void addresses_count_from_0_and_references_from_1(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint16_t address;
    } cases[] = {
        {"h", 0},
        {"h -0", 0},
        {"h -r 1", 0},
        {"h -r 53", 52},
        {"h -r 53 -0", 53},
        {"h -0 -r 0", 0},
        {"h --address 52", 52},
        {"h --address 0x34", 52},
        {"h --address 52 -0", 52},
        {"h -r 65536", 65535},
        {"h -t 4:float -r 53", 52},
        {"h --type float32 -r 53", 52},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct planned p = make(cases[i].words);
        if (p.err)
            fail_msg("%s: %s", cases[i].words, p.error.text);
        assert_int_equal(p.plan.n_addresses, 1);
        if (p.plan.addresses[0] != cases[i].address)
            fail_msg("%s: %u", cases[i].words, p.plan.addresses[0]);
        weir_arena_free(p.arena);
    }
}

static void mbpolls_types_have_the_low_word_first_unless_B(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        weir_register table;
        weir_type type;
        weir_order order;
    } cases[] = {
        {"h -t 4:float", WEIR_REGISTER_HOLDING, WEIR_TYPE_FLOAT32, WEIR_ORDER_CDAB},
        {"h -t 4:float -B", WEIR_REGISTER_HOLDING, WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD},
        {"h -t 3:int", WEIR_REGISTER_INPUT, WEIR_TYPE_INT32, WEIR_ORDER_CDAB},
        {"h -t 3:int --order DCBA", WEIR_REGISTER_INPUT, WEIR_TYPE_INT32, WEIR_ORDER_DCBA},
        {"h -t 3", WEIR_REGISTER_INPUT, WEIR_TYPE_UINT16, WEIR_ORDER_ABCD},
        {"h --type float32", WEIR_REGISTER_HOLDING, WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD},
        {"h --type float32 --register input --order CDAB", WEIR_REGISTER_INPUT, WEIR_TYPE_FLOAT32,
         WEIR_ORDER_CDAB},
        {"h --type float32 -B", WEIR_REGISTER_HOLDING, WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD},
        {"h -t 0", WEIR_REGISTER_COIL, WEIR_TYPE_BOOL, WEIR_ORDER_ABCD},
        {"h --register discrete", WEIR_REGISTER_DISCRETE, WEIR_TYPE_BOOL, WEIR_ORDER_ABCD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct planned p = make(cases[i].words);
        if (p.err)
            fail_msg("%s: %s", cases[i].words, p.error.text);
        if (p.plan.point.table != cases[i].table || p.plan.point.type != cases[i].type ||
            p.plan.point.order != cases[i].order || p.plan.explore)
            fail_msg("%s is something else", cases[i].words);
        weir_arena_free(p.arena);
    }
}

static void it_repeats_unless_told_or_nothing_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        bool explore, repeat;
    } cases[] = {
        {"h", true, false},          {"h -r 5", true, false},
        {"h -c 4", true, true},      {"h -l 200", true, true},
        {"h -c 4 -1", true, false},  {"h -t 4", false, true},
        {"h -t 4 -1", false, false}, {"h --type int16 --once", false, false},
        {"h -t 0", false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct planned p = make(cases[i].words);
        assert_int_equal(p.err, WEIR_OK);
        if (p.plan.explore != cases[i].explore || p.plan.repeat != cases[i].repeat)
            fail_msg("%s", cases[i].words);
        weir_arena_free(p.arena);
    }
}

static void a_bare_host_is_modbus_tcp(void **state)
{
    (void)state;
    static const struct {
        const char *words, *host;
        weir_scheme scheme;
    } cases[] = {
        {"10.0.0.9", "10.0.0.9:502", WEIR_SCHEME_TCP},
        {"10.0.0.9 -p 1502", "10.0.0.9:1502", WEIR_SCHEME_TCP},
        {"10.0.0.9:503", "10.0.0.9:503", WEIR_SCHEME_TCP},
        {"rtu+tcp://gw:4001", "gw:4001", WEIR_SCHEME_RTU_TCP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct planned p = make(cases[i].words);
        assert_int_equal(p.err, WEIR_OK);
        assert_string_equal(p.plan.host, cases[i].host);
        assert_int_equal(p.plan.uri.scheme, cases[i].scheme);
        weir_arena_free(p.arena);
    }
}

static void what_contradicts_itself_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        weir_err err;
        const char *part;
    } cases[] = {
        {"h -r 1 --address 1", WEIR_EINVAL, "give one"},
        {"h -r 0", WEIR_EINVAL, "between 1 and 65536"},
        {"h -B --order ABCD --type int32", WEIR_EINVAL, "give one"},
        {"h -t 3 --register holding", WEIR_EINVAL, "-t 3 means input registers"},
        {"h --register coil --type float32", WEIR_EINVAL, "bool"},
        {"h --type raw", WEIR_EINVAL, "bytes"},
        {"h --order ACBD --type int32", WEIR_EINVAL, "ABCD"},
        {"h --address 65535 --type int32", WEIR_EINVAL, "65535"},
        {"h --type string -c 126", WEIR_EINVAL, "125"},
        {"h --register coil --type bytes -c 2001", WEIR_EINVAL, "2000"},
        {"h --register coil --type string", WEIR_EINVAL, "bytes"},
        {"simulated:", WEIR_EINVAL, "weir simulate"},
        {"/dev/ttyUSB0", WEIR_EUNSUPPORTED, "not supported by this version"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct planned p = make(cases[i].words);
        if (p.err != cases[i].err || !strstr(p.error.text, cases[i].part))
            fail_msg("%s: %s", cases[i].words, p.error.text);
        weir_arena_free(p.arena);
    }
}

static void the_line_to_paste_is_weirs(void **state)
{
    (void)state;
    static const struct {
        const char *words, *line;
    } cases[] = {
        {"h -t 4:float -r 53",
         "- {name: holding-52, register: holding, address: 52, type: float32, order: CDAB}"},
        {"h --type uint16 --register input --address 0",
         "- {name: input-0, register: input, address: 0, type: uint16, order: AB}"},
        {"h --type uint64 --address 7 -c 3", "- {name: holding-7, register: holding, address: 7, "
                                             "type: uint64, order: ABCDEFGH, count: 3}"},
        {"h -t 0 -r 4", "- {name: coil-3, register: coil, address: 3, type: bool}"},
        {"h --register coil --address 19 -t bytes -c 19",
         "- {name: coil-19, register: coil, address: 19, type: bytes, length: 19}"},
        {"h -t 3:string -r 1 -c 8",
         "- {name: input-0, register: input, address: 0, type: string, order: AB, length: 16}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct planned p = make(cases[i].words);
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_read_plan_format(&p.plan, 0, &p.plan.point, &line);
        assert_string_equal(weir_text_get(&line), cases[i].line);
        weir_arena_free(p.arena);
    }
}

/* --- candidates --- */

static size_t candidates_of(const char *hex, weir_candidate ret[WEIR_CANDIDATES_MAX],
                            weir_writer *room)
{
    uint8_t wire[8];
    int n = weir_hex_parse(hex, wire, sizeof wire);
    assert_true(n > 0 && n % 2 == 0);
    return weir_candidates_make(wire, (size_t)n / 2, room, ret);
}

static void the_meaning_of_registers_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        weir_type type;
        weir_order order;
        const char *value;
    } cases[] = {
        /* 230.2 as IEEE 754 single: Eastron SDM630 Modbus protocol, example of 3.1. */
        {"voltage", "43 66 33 33", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "230.2"},
        {"low word first", "33 33 43 66", WEIR_TYPE_FLOAT32, WEIR_ORDER_CDAB, "230.2"},
        {"bytes swapped", "66 43 33 33", WEIR_TYPE_FLOAT32, WEIR_ORDER_BADC, "230.2"},
        {"little-endian", "33 33 66 43", WEIR_TYPE_FLOAT32, WEIR_ORDER_DCBA, "230.2"},
        {"two floats", "43 66 33 33 42 48 00 00", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD, "230.2"},
        {"two floats like a double", "40 20 00 00 42 48 00 00", WEIR_TYPE_FLOAT32, WEIR_ORDER_ABCD,
         "2.5"},
        {"double 230.1", "40 6c c3 33 33 33 33 33", WEIR_TYPE_FLOAT64, WEIR_ORDER_ABCD, "230.1"},
        {"one word", "08 fd", WEIR_TYPE_INT16, WEIR_ORDER_ABCD, "2301"},
        {"text", "53 44 4d 36 33 30 00 00", WEIR_TYPE_STRING, WEIR_ORDER_ABCD, "SDM630"},
        {"counter of 32 bits", "00 01 e2 41", WEIR_TYPE_INT32, WEIR_ORDER_ABCD, "123457"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_candidate candidates[WEIR_CANDIDATES_MAX];
        uint8_t text[256];
        weir_writer room = weir_writer_of(text, sizeof text);
        WEIR_TEXT_AUTO value = WEIR_TEXT_INIT;
        size_t n = candidates_of(cases[i].hex, candidates, &room);
        const weir_candidate *best = &candidates[weir_candidates_best(candidates, n)];
        weir_value_format(&best->value, &value);
        if (best->type != cases[i].type || best->order != cases[i].order || !best->likely ||
            strcmp(weir_text_get(&value), cases[i].value) != 0)
            fail_msg("%s: %s %s %s", cases[i].name, weir_type_text(best->type),
                     weir_order_text(best->order, 4), weir_text_get(&value));
    }
}

static void every_type_that_fits_is_offered_once_in_every_order(void **state)
{
    (void)state;
    weir_candidate candidates[WEIR_CANDIDATES_MAX];
    uint8_t text[256];
    weir_writer room = weir_writer_of(text, sizeof text);
    /* Digits below 10 are BCD in every order, and text without letters is cut at NUL: none here. */
    size_t n = candidates_of("12 34 56 78", candidates, &room);
    size_t by_type[WEIR_TYPE_COUNT] = {0};
    for (size_t i = 0; i < n; i++) {
        by_type[candidates[i].type]++;
        for (size_t k = 0; k < i; k++)
            assert_false(candidates[k].type == candidates[i].type &&
                         candidates[k].order == candidates[i].order);
    }
    static const weir_type words[] = {WEIR_TYPE_INT16, WEIR_TYPE_UINT16, WEIR_TYPE_BCD16};
    static const weir_type pairs[] = {WEIR_TYPE_INT32, WEIR_TYPE_UINT32, WEIR_TYPE_FLOAT32,
                                      WEIR_TYPE_BCD32};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(by_type[words[i]], 2);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(by_type[pairs[i]], 4);
    assert_int_equal(by_type[WEIR_TYPE_INT64], 0);
    assert_int_equal(by_type[WEIR_TYPE_STRING], 2);
}

static void what_is_no_value_is_not_offered(void **state)
{
    (void)state;
    weir_candidate candidates[WEIR_CANDIDATES_MAX];
    uint8_t text[256];
    weir_writer room = weir_writer_of(text, sizeof text);
    size_t n = candidates_of("ab cd", candidates, &room);
    for (size_t i = 0; i < n; i++)
        assert_int_not_equal(candidates[i].type, WEIR_TYPE_BCD16);
    n = candidates_of("00 00 00 00 00 00 00 00", candidates, &room);
    for (size_t i = 0; i < n; i++) {
        assert_int_not_equal(candidates[i].type, WEIR_TYPE_STRING);
        assert_false(candidates[i].likely);
    }
    assert_int_equal(weir_candidates_best(candidates, n), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_count_from_0_and_references_from_1),
        cmocka_unit_test(mbpolls_types_have_the_low_word_first_unless_B),
        cmocka_unit_test(it_repeats_unless_told_or_nothing_is_known),
        cmocka_unit_test(a_bare_host_is_modbus_tcp),
        cmocka_unit_test(what_contradicts_itself_is_refused),
        cmocka_unit_test(the_line_to_paste_is_weirs),
        cmocka_unit_test(the_meaning_of_registers_is_found),
        cmocka_unit_test(every_type_that_fits_is_offered_once_in_every_order),
        cmocka_unit_test(what_is_no_value_is_not_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

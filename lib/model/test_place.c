/* SPDX-License-Identifier: MIT */
/* Tests of the text that says where a tag is. */

#include "model/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_place_has_its_last_register_where_only_the_length_says_it(void **state)
{
    static const struct {
        weir_register table;
        weir_type type;
        uint16_t address, length;
        uint32_t element;
        const char *text;
        uint32_t n; /* 0: of no table */
    } cases[] = {
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_FLOAT32, 52, 0, 0, "holding 52", 1},
        {WEIR_REGISTER_INPUT, WEIR_TYPE_FLOAT32, 52, 0, 3, "input 58", 1},
        {WEIR_REGISTER_COIL, WEIR_TYPE_BOOL, 3, 0, 1, "coil 4", 1},
        {WEIR_REGISTER_COIL, WEIR_TYPE_BYTES, 19, 19, 0, "coil 19-37", 19},
        {WEIR_REGISTER_DISCRETE, WEIR_TYPE_BYTES, 0, 10, 2, "discrete 20-29", 10},
        {WEIR_REGISTER_DISCRETE, WEIR_TYPE_BYTES, 7, 1, 0, "discrete 7", 1},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_BYTES, 100, 20, 0, "holding 100-109", 10},
        {WEIR_REGISTER_HOLDING, WEIR_TYPE_STRING, 65534, 3, 0, "holding 65534-65535", 2},
        {WEIR_REGISTER_FUNCTION, WEIR_TYPE_RAW, 5, 4, 0, "function 24 at 5", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_place place = {0};
        weir_point p = WEIR_POINT_INIT;
        p.table = cases[i].table;
        p.function = 24;
        p.type = cases[i].type;
        p.address = cases[i].address;
        p.length = cases[i].length;
        weir_place_format(&p, cases[i].element, &text);
        assert_string_equal(weir_text_get(&text), cases[i].text);
        weir_text_add(&text, " bytes on boiler-room unit 1");
        assert_int_equal(weir_place_parse(weir_text_get(&text), &place), cases[i].n > 0);
        if (cases[i].n == 0)
            continue;
        assert_int_equal(place.table, cases[i].table);
        assert_int_equal(place.n, cases[i].n);
        assert_int_equal(place.first, p.address + cases[i].element * weir_point_element_size(&p));
    }
}

static void what_is_no_place_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "coil",
        "coil ",
        "coil x",
        "coils 3",
        "coil 3-",
        "coil -3",
        "coil 70000",
        "coil 3-70000",
        "coil 5-3",
        "random on sim",
        "coil 000003",
        "simulated on 3-4",
        "coil 99999999999999999999",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_place place;
        if (weir_place_parse(cases[i], &place))
            fail_msg("\"%s\"", cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_has_its_last_register_where_only_the_length_says_it),
        cmocka_unit_test(what_is_no_place_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

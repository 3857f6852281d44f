/* SPDX-License-Identifier: MIT */
/* Tests of paths with fields of the calendar. */

#include "sinks/csv/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* 2023-11-14 22:13:20, a Tuesday in week 46. */
#define T0 INT64_C(1700000000000000)

typedef void (*derive)(const char *path, weir_text *t);

static void render_at_t0(const char *path, weir_text *t)
{
    weir_csv_path_render(path, T0, t);
}

static void variant_2(const char *path, weir_text *t)
{
    weir_csv_path_variant(path, "2", t);
}

static void names_are_derived_from_the_path(void **state)
{
    static const struct {
        derive derive;
        const char *path, *want;
    } cases[] = {
        {render_at_t0, "/d/%Y/%m-%d.csv", "/d/2023/11-14.csv"},
        {render_at_t0, "%F_%H%M%S", "2023-11-14_221320"},
        {render_at_t0, "%y %j %G-W%V 100%%", "23 318 2023-W46 100%"},
        {weir_csv_path_folder, "/data/x.csv", "/data"},
        {weir_csv_path_folder, "/data/%Y/%m.csv", "/data"},
        {weir_csv_path_folder, "/data/a%Y/b.csv", "/data"},
        {weir_csv_path_folder, "/x.csv", "/"},
        {weir_csv_path_folder, "x.csv", "."},
        {weir_csv_path_notes, "/data/x.csv", "/data/x.csv.weir"},
        {weir_csv_path_notes, "/data/%Y/%m.csv", "/data/%Y_%m.csv.weir"},
        {variant_2, "/data/x.csv", "/data/x-2.csv"},
        {variant_2, "/data.d/x", "/data.d/x-2"},
        {variant_2, "/data/.hidden", "/data/.hidden-2"},
        {variant_2, "a.b.csv", "a.b-2.csv"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        cases[i].derive(cases[i].path, &text);
        assert_string_equal(weir_text_get(&text), cases[i].want);
    }
}

static void a_time_before_1970_has_its_own_day(void **state)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    (void)state;
    weir_csv_path_render("%F %H:%M:%S", -1, &text);
    assert_string_equal(weir_text_get(&text), "1969-12-31 23:59:59");
}

static void paths_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *path;
        weir_err want;
    } cases[] = {
        {"/data/x.csv", WEIR_OK},  {"%Y%y%m%d%F%j%G%V%H%M%S%%", WEIR_OK},
        {NULL, WEIR_EINVAL},       {"", WEIR_EINVAL},
        {"/data/", WEIR_EINVAL},   {"/data/%B.csv", WEIR_EINVAL},
        {"/data/x%", WEIR_EINVAL}, {"/data/a\nb.csv", WEIR_EINVAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(weir_csv_path_check(cases[i].path, &error), cases[i].want);
    }
}

static void a_percent_sign_is_no_field(void **state)
{
    (void)state;
    assert_false(weir_csv_path_has_fields("/data/x.csv"));
    assert_false(weir_csv_path_has_fields("/data/100%%.csv"));
    assert_true(weir_csv_path_has_fields("/data/100%%-%F.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_derived_from_the_path),
        cmocka_unit_test(a_time_before_1970_has_its_own_day),
        cmocka_unit_test(paths_that_cannot_be_are_refused),
        cmocka_unit_test(a_percent_sign_is_no_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The shipped profiles: each loads, can be simulated, and comes to requests the device answers. */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "catalog/yaml.h"
#include "modbus/grouping.h"

static const char *const profile_dirs[] = {WEIR_TEST_ROOT "/profiles"};
static const weir_yaml_options options = {1, profile_dirs, NULL};

static weir_catalog *load_profile(const char *name)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    weir_err err = weir_yaml_load_simulation(name, &options, &c, &problems);
    if (err)
        fail_msg("%s: %s", name, problems.n ? problems.items[0].text : weir_err_text(err));
    return c;
}

/* Every point lies in exactly one request, and no request is larger than the device takes. */
static void check_requests(const weir_catalog *c)
{
    const weir_device *d = &c->devices[0];
    weir_arena *arena = weir_arena_new();
    weir_error error = WEIR_ERROR_INIT;
    weir_grouping grouping;
    uint32_t *index = calloc(d->n_points, sizeof *index);
    assert_non_null(index);
    for (uint32_t i = 0; i < d->n_points; i++)
        index[i] = i;
    weir_grouping_limits limits = weir_grouping_limits_of(d, &c->connections[0]);
    if (weir_grouping_make(d->points, index, d->n_points, &limits, arena, &grouping, &error))
        fail_msg("%s: %s", d->name, error.text);
    uint32_t n = 0;
    for (size_t g = 0; g < grouping.n_groups; g++) {
        const weir_group *group = &grouping.groups[g];
        assert_true(group->count <= d->max_registers_per_request);
        for (uint32_t k = 0; k < group->n; k++, n++) {
            const weir_point *p = &d->points[grouping.point_index[group->first + k]];
            assert_true(p->address >= group->address);
            assert_true(p->address + weir_point_size(p) <= group->address + group->count);
        }
    }
    assert_int_equal(n, d->n_points);
    free(index);
    weir_arena_free(arena);
}

static void check_profile(const char *name)
{
    weir_catalog *c = load_profile(name);
    const weir_device *d = &c->devices[0];
    assert_string_equal(d->name, name);
    for (uint32_t i = 0; i < d->n_points; i++) {
        const weir_point *p = &d->points[i];
        if (p->simulate.wave == WEIR_WAVE_NONE || !*p->description)
            fail_msg("%s: %s", name, p->name);
        for (uint32_t k = 0; k < i; k++)
            if (p->table == d->points[k].table && p->address == d->points[k].address)
                fail_msg("%s: %s and %s at one address", name, p->name, d->points[k].name);
    }
    check_requests(c);
    weir_catalog_free(c);
}

static void every_shipped_profile_loads_and_groups(void **state)
{
    (void)state;
    size_t n = 0;
    DIR *dir = opendir(profile_dirs[0]);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char name[300];
        const size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".yaml") != 0)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)length - 5, entry->d_name);
        check_profile(name);
        n++;
    }
    (void)closedir(dir);
    assert_true(n >= 3);
}

/* Numbers as the makers' documents print them, counted from 1 (30001 and 40001 for the Eastron). */
static void registers_are_those_of_the_documents(void **state)
{
    (void)state;
    static const struct {
        const char *tag;
        weir_register table;
        unsigned number;
        weir_type type;
    } cases[] = {
        {"eastron-sdm630/voltage_l1", WEIR_REGISTER_INPUT, 1, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/power", WEIR_REGISTER_INPUT, 53, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/frequency", WEIR_REGISTER_INPUT, 71, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/import_energy", WEIR_REGISTER_INPUT, 73, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/voltage_l1_l2", WEIR_REGISTER_INPUT, 201, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/current_neutral", WEIR_REGISTER_INPUT, 225, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/voltage_thd_l1", WEIR_REGISTER_INPUT, 235, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/current_demand_max_l3", WEIR_REGISTER_INPUT, 269, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/total_energy", WEIR_REGISTER_INPUT, 343, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/import_energy_l1", WEIR_REGISTER_INPUT, 347, WEIR_TYPE_FLOAT32},
        {"eastron-sdm630/total_reactive_energy_l3", WEIR_REGISTER_INPUT, 381, WEIR_TYPE_FLOAT32},
        {"eaton-power-xpert-meter-4000/voltage_an", WEIR_REGISTER_HOLDING, 4631, WEIR_TYPE_FLOAT32},
        {"eaton-power-xpert-meter-4000/power_factor_c", WEIR_REGISTER_HOLDING, 4695,
         WEIR_TYPE_FLOAT32},
        {"eaton-power-xpert-meter-4000/voltage_angle_cn", WEIR_REGISTER_HOLDING, 11464,
         WEIR_TYPE_FLOAT32},
        {"electro-industries-nexus-1272/voltage_an", WEIR_REGISTER_HOLDING, 180, WEIR_TYPE_INT32},
        {"electro-industries-nexus-1272/power_factor", WEIR_REGISTER_HOLDING, 233, WEIR_TYPE_INT16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char profile[64];
        (void)snprintf(profile, sizeof profile, "%.*s", (int)strcspn(cases[i].tag, "/"),
                       cases[i].tag);
        weir_catalog *c = load_profile(profile);
        const int64_t tag = weir_catalog_find_tag(c, cases[i].tag);
        if (tag < 0)
            fail_msg("no %s", cases[i].tag);
        const weir_point *p = weir_tag_point(c, &c->tags[tag]);
        assert_int_equal(p->table, cases[i].table);
        assert_int_equal(p->address, cases[i].number - 1);
        assert_int_equal(p->type, cases[i].type);
        assert_int_equal(p->order, WEIR_ORDER_ABCD);
        weir_catalog_free(c);
    }
}

static void secondary_values_become_primary_with_multiply(void **state)
{
    (void)state;
    static const char text[] = "connections: [{name: l, uri: 'tcp://10.0.0.5'}]\n"
                               "devices: [{name: m, connection: l, unit_id: 1, interval: 1s,\n"
                               "  profile: electro-industries-nexus-1272,\n"
                               "  multiply: {'voltage_?n': 120, current_n: 40}}]\n";
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    assert_int_equal(
        weir_yaml_load_text(text, sizeof text - 1, "weir.yaml", &options, &c, &problems), WEIR_OK);
    const weir_point *p = weir_tag_point(c, &c->tags[weir_catalog_find_tag(c, "m/voltage_an")]);
    assert_true(p->scale == 120.0 / 65536);
    weir_catalog_free(c);
}

static void every_example_is_right(void **state)
{
    (void)state;
    static const char *const names[] = {"one-meter", "bus-of-meters", "plc", "simulated",
                                        "own-profile/weir"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[4096];
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_catalog *c = NULL;
        (void)snprintf(path, sizeof path, WEIR_TEST_ROOT "/examples/%s.yaml", names[i]);
        if (weir_yaml_load(path, &options, &c, &problems) != WEIR_OK)
            fail_msg("%s:%u: %s", path, problems.items[0].where.line, problems.items[0].text);
        assert_true(c->n_tags > 0);
        weir_catalog_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_profile_loads_and_groups),
        cmocka_unit_test(registers_are_those_of_the_documents),
        cmocka_unit_test(every_example_is_right),
        cmocka_unit_test(secondary_values_become_primary_with_multiply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

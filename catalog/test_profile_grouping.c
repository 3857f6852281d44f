/* SPDX-License-Identifier: MIT */
/* Every shipped profile is grouped at the least cost, whatever its device bears. */

#include <dirent.h>
#include <stdio.h>

#include "modbus/test_grouping.h"

#include "catalog/yaml.h"

#define FOLDER WEIR_TEST_ROOT "/profiles"

static const struct {
    const char *name;
    uint16_t registers, bits, hole_registers, hole_bits;
    weir_scheme scheme;
} limits[] = {
    {"defaults over TCP", 125, 2000, 16, 64, WEIR_SCHEME_TCP},
    {"defaults to a serial line", 125, 2000, 16, 64, WEIR_SCHEME_RTU_TCP},
    {"no holes", 125, 2000, 0, 0, WEIR_SCHEME_TCP},
    {"any hole", 125, 2000, 125, 2000, WEIR_SCHEME_TCP},
    {"60 registers", 60, 256, 16, 64, WEIR_SCHEME_TCP},
    {"40 registers, long holes", 40, 40, 40, 40, WEIR_SCHEME_RTU_TCP},
};

static void check_device(const weir_device *device)
{
    static map m;
    m.n = 0;
    assert_in_range(device->n_points, 1, POINTS_MAX);
    for (uint32_t i = 0; i < device->n_points; i++) {
        m.points[i] = device->points[i];
        if (m.points[i].table != WEIR_REGISTER_FUNCTION)
            m.index[m.n++] = i;
    }
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        weir_device bears = *device;
        bears.max_registers_per_request = limits[i].registers;
        bears.max_bits_per_request = limits[i].bits;
        bears.max_hole_registers = limits[i].hole_registers;
        bears.max_hole_bits = limits[i].hole_bits;
        weir_connection connection = {.uri.scheme = limits[i].scheme};
        m.limits = weir_grouping_limits_of(&bears, &connection);
        check_map(&m, cost_by_pairs, i);
    }
}

static void every_shipped_profile_is_read_at_the_least_cost(void **state)
{
    (void)state;
    const weir_yaml_options options = {1, (const char *const[]){FOLDER}, NULL};
    DIR *folder = opendir(FOLDER);
    assert_non_null(folder);
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[512];
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".yaml"))
            continue;
        (void)snprintf(path, sizeof path, FOLDER "/%s", entry->d_name);
        weir_catalog *catalog = NULL;
        weir_problems problems = WEIR_PROBLEMS_INIT;
        if (weir_yaml_load_simulation(path, &options, &catalog, &problems))
            fail_msg("%s cannot be loaded", path);
        check_device(&catalog->devices[0]);
        weir_catalog_free(catalog);
        weir_problems_deinit(&problems);
        n++;
    }
    (void)closedir(folder);
    assert_true(n > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_profile_is_read_at_the_least_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tests of the diff of two catalogs. */

#include "model/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/option.h"
#include "model/sink.h"

enum { PLANT_DEVICES = 8, PLANT_POINTS = 4 };

/* A catalog made by hand: each device has its own points. */
struct plant {
    weir_connection connections[3];
    weir_device devices[PLANT_DEVICES];
    weir_point points[PLANT_DEVICES][PLANT_POINTS];
    uint32_t tags[PLANT_DEVICES][PLANT_POINTS];
    int64_t intervals[PLANT_DEVICES][1];
    uint8_t point_interval[PLANT_DEVICES][PLANT_POINTS];
    weir_sink_config sinks[2];
    weir_catalog catalog;
};

static void plant_init(struct plant *p)
{
    static const char *const names[] = {"bus", "line"};
    *p = (struct plant){.catalog = {.n_connections = 2,
                                    .connections = p->connections,
                                    .devices = p->devices,
                                    .sinks = p->sinks,
                                    .store = {.data_dir = "data"}}};
    for (size_t i = 0; i < 2; i++)
        p->connections[i] = (weir_connection){.name = names[i],
                                              .uri_text = i ? "tcp://b" : "tcp://a",
                                              .uri = {WEIR_SCHEME_TCP, i ? "b" : "a", 502},
                                              .enabled = true};
}

/* On connection 0, with two points "power" and "energy" read each second. */
static weir_device *plant_add(struct plant *p, const char *name, uint8_t unit)
{
    static const char *const names[] = {"power", "energy"};
    const size_t d = p->catalog.n_devices++;
    for (uint16_t i = 0; i < 2; i++) {
        p->points[d][i] = (weir_point)WEIR_POINT_INIT;
        p->points[d][i].name = names[i];
        p->points[d][i].address = i;
        p->tags[d][i] = i;
    }
    p->intervals[d][0] = WEIR_S;
    p->devices[d] = (weir_device){.name = name,
                                  .unit_id = unit,
                                  .enabled = true,
                                  .n_points = 2,
                                  .points = p->points[d],
                                  .point_tag = p->tags[d],
                                  .n_tags = 2,
                                  .first_tag = (uint32_t)(2 * d),
                                  .n_intervals = 1,
                                  .intervals = p->intervals[d],
                                  .point_interval = p->point_interval[d]};
    return &p->devices[d];
}

/* Two plants with the same devices m01, m02, m03. */
struct pair {
    struct plant older, newer;
};

static void pair_init(struct pair *pair)
{
    static const char *const names[] = {"m01", "m02", "m03"};
    plant_init(&pair->older);
    plant_init(&pair->newer);
    for (uint8_t i = 0; i < 3; i++) {
        plant_add(&pair->older, names[i], i + 1);
        plant_add(&pair->newer, names[i], i + 1);
    }
}

static weir_diff *pair_diff(const struct pair *pair)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_diff *diff = NULL;
    assert_int_equal(weir_diff_new(&pair->older.catalog, &pair->newer.catalog, &diff, &error), 0);
    return diff;
}

static void assert_described(const weir_diff *diff, uint32_t device, const char *expected)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_diff_describe_device(diff, device, &text);
    assert_string_equal(weir_text_get(&text), expected);
}

static void assert_count(const weir_diff *diff, const char *expected)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_diff_count(diff, &text);
    assert_string_equal(weir_text_get(&text), expected);
}

static void equal_catalogs_have_no_difference(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.newer.devices[0].where.line = 77;
    pair.newer.points[0][0].line = 78;
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    assert_true(weir_diff_is_empty(diff));
    assert_count(diff, "0 added, 0 changed, 0 removed");
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(diff->devices.old_of[i], i);
        assert_int_equal(diff->devices.change[i], WEIR_CHANGE_NONE);
    }
}

/* What one change of m02 comes to. */
static void change_unit_id(struct plant *p)
{
    p->devices[1].unit_id = 99;
}
static void change_connection(struct plant *p)
{
    p->devices[1].connection = 1;
}
static void change_enabled(struct plant *p)
{
    p->devices[1].enabled = false;
}
static void change_interval(struct plant *p)
{
    p->intervals[1][0] = 5 * WEIR_S;
}
static void change_address(struct plant *p)
{
    p->points[1][0].address = 40;
}
static void change_scale(struct plant *p)
{
    p->points[1][0].scale = 0.1;
}
static void change_limit(struct plant *p)
{
    p->devices[1].max_registers_per_request = 10;
}
static void change_description(struct plant *p)
{
    p->devices[1].description = "Feeder A";
}
static void change_labels(struct plant *p)
{
    static const weir_label label = {"building", "A"};
    p->devices[1].labels = &label;
    p->devices[1].n_labels = 1;
}
static void change_point_labels(struct plant *p)
{
    static const weir_label label = {"paramID", "7"};
    p->points[1][0].labels = &label;
    p->points[1][0].n_labels = 1;
}
static void change_unit(struct plant *p)
{
    p->points[1][0].unit = "kW";
}
static void change_points_order(struct plant *p)
{
    const weir_point point = p->points[1][0];
    p->points[1][0] = p->points[1][1];
    p->points[1][1] = point;
}
static void add_point(struct plant *p)
{
    p->points[1][2] = p->points[1][1];
    p->points[1][2].name = "voltage";
    p->tags[1][2] = 2;
    p->devices[1].n_points = p->devices[1].n_tags = 3;
}
static void remove_point(struct plant *p)
{
    p->devices[1].n_points = p->devices[1].n_tags = 1;
}
static void rename_point(struct plant *p)
{
    p->points[1][0].name = "active_power";
    p->points[1][0].was = "power";
}

static void each_change_of_a_device_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct plant *p);
        weir_change expected;
        const char *text;
    } cases[] = {
        {change_unit_id, WEIR_CHANGE_READS, "unit_id"},
        {change_connection, WEIR_CHANGE_READS, "connection"},
        {change_enabled, WEIR_CHANGE_READS, "disabled"},
        {change_interval, WEIR_CHANGE_READS, "interval"},
        {change_address, WEIR_CHANGE_READS, "1 point changed"},
        {change_scale, WEIR_CHANGE_READS, "1 point changed"},
        {change_limit, WEIR_CHANGE_READS, "limits of requests"},
        {change_description, WEIR_CHANGE_AROUND, "description"},
        {change_labels, WEIR_CHANGE_AROUND, "labels"},
        {change_unit, WEIR_CHANGE_AROUND, "1 point changed"},
        {change_point_labels, WEIR_CHANGE_AROUND, "1 point changed"},
        {change_points_order, WEIR_CHANGE_READS, "order of points"},
        {add_point, WEIR_CHANGE_READS, "1 point added"},
        {remove_point, WEIR_CHANGE_READS, "1 point removed"},
        {rename_point, WEIR_CHANGE_AROUND, "1 point changed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair pair;
        pair_init(&pair);
        cases[i].change(&pair.newer);
        WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
        assert_int_equal(diff->devices.change[0], WEIR_CHANGE_NONE);
        assert_int_equal(diff->devices.change[1], cases[i].expected);
        assert_int_equal(diff->devices.change[2], WEIR_CHANGE_NONE);
        assert_described(diff, 1, cases[i].text);
        assert_false(weir_diff_is_empty(diff));
        assert_count(diff, "0 added, 1 changed, 0 removed");
    }
}

static void added_and_removed_devices_are_counted_with_their_tags(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.newer.catalog.n_devices = 0;
    plant_add(&pair.newer, "m03", 3);
    plant_add(&pair.newer, "m09", 9);
    plant_add(&pair.newer, "m01", 1);
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    assert_count(diff, "1 added, 0 changed, 1 removed");
    assert_int_equal(diff->n_tags_added, 2);
    assert_int_equal(diff->n_tags_removed, 2);
    assert_int_equal(diff->devices.old_of[0], 2);
    assert_int_equal(diff->devices.old_of[1], WEIR_DIFF_NONE);
    assert_int_equal(diff->devices.old_of[2], 0);
    assert_int_equal(diff->devices.new_of[1], WEIR_DIFF_NONE);
    assert_int_equal(diff->n_hints, 0);
}

static void a_renamed_device_is_found_again_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.newer.devices[1].name = "feeder-a";
    pair.newer.devices[1].was = "m02";
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    assert_int_equal(diff->devices.old_of[1], 1);
    assert_int_equal(diff->devices.change[1], WEIR_CHANGE_AROUND);
    assert_described(diff, 1, "was m02");
    /* The same file again: nothing to do. */
    weir_diff *again = NULL;
    assert_int_equal(weir_diff_new(&pair.newer.catalog, &pair.newer.catalog, &again, NULL), 0);
    assert_true(weir_diff_is_empty(again));
    weir_diff_free(again);
}

static void two_that_exchange_names_do_it_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.newer.devices[0].name = "m02";
    pair.newer.devices[0].was = "m01";
    pair.newer.devices[1].name = "m01";
    pair.newer.devices[1].was = "m02";
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    assert_int_equal(diff->devices.old_of[0], 0);
    assert_int_equal(diff->devices.old_of[1], 1);
    assert_count(diff, "0 added, 2 changed, 0 removed");
    weir_diff *again = NULL;
    assert_int_equal(weir_diff_new(&pair.newer.catalog, &pair.newer.catalog, &again, NULL), 0);
    assert_true(weir_diff_is_empty(again));
    weir_diff_free(again);
}

static void a_former_name_can_go_to_another_device_in_the_same_step(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.newer.devices[1].name = "feeder-a";
    pair.newer.devices[1].was = "m02";
    plant_add(&pair.newer, "m02", 20);
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    assert_int_equal(diff->devices.old_of[1], 1);
    assert_int_equal(diff->devices.old_of[3], WEIR_DIFF_NONE);
    assert_count(diff, "1 added, 1 changed, 0 removed");
}

static void a_providers_key_counts_more_than_names(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.older.devices[0].key = pair.newer.devices[0].key = "7";
    pair.newer.devices[0].name = "main";
    pair.older.devices[1].key = "8";
    pair.newer.devices[1].key = "9"; /* m02 again, but another row */
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    assert_int_equal(diff->devices.old_of[0], 0);
    assert_int_equal(diff->devices.old_of[1], WEIR_DIFF_NONE);
    assert_count(diff, "1 added, 1 changed, 1 removed");
}

static void points_are_found_by_key_former_name_and_name(void **state)
{
    (void)state;
    struct pair pair;
    uint32_t old_of[PLANT_POINTS];
    pair_init(&pair);
    pair.older.points[0][0].key = "12";
    pair.newer.points[0][0].key = "12";
    pair.newer.points[0][0].name = "p";
    pair.newer.points[1][0].name = "energy"; /* exchanged */
    pair.newer.points[1][0].was = "power";
    pair.newer.points[1][1].name = "power";
    pair.newer.points[1][1].was = "energy";
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    for (uint32_t device = 0; device < 3; device++) {
        assert_true(weir_diff_points(diff, device, old_of));
        assert_int_equal(old_of[0], 0);
        assert_int_equal(old_of[1], 1);
    }
    assert_int_equal(diff->n_tags_added + diff->n_tags_removed, 0);
}

static void a_former_point_name_is_given_once(void **state)
{
    (void)state;
    struct pair pair;
    uint32_t old_of[PLANT_POINTS];
    pair_init(&pair);
    /* energy stays, and a new point claims to have been it. */
    pair.newer.points[0][2] = pair.newer.points[0][1];
    pair.newer.points[0][2].name = "import";
    pair.newer.points[0][2].was = "energy";
    pair.newer.devices[0].n_points = pair.newer.devices[0].n_tags = 3;
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    assert_true(weir_diff_points(diff, 0, old_of));
    assert_int_equal(old_of[1], WEIR_DIFF_NONE);
    assert_int_equal(old_of[2], 1);
    assert_int_equal(diff->n_tags_added, 1);
}

static void a_connection_is_known_by_its_name_or_by_all_the_rest(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.newer.connections[0].name = "boiler";
    pair.newer.connections[1].enabled = !pair.newer.connections[1].enabled;
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    assert_int_equal(diff->connections.change[0], WEIR_CHANGE_AROUND);
    assert_int_equal(diff->connections.old_of[0], 0);
    assert_int_equal(diff->connections.change[1], WEIR_CHANGE_READS);
    assert_int_equal(diff->devices.change[0], WEIR_CHANGE_NONE);
}

static void other_timing_of_a_connection_changes_nothing_of_its_reads(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.newer.connections[0].timeout_us += WEIR_S;
    pair.newer.connections[0].max_in_flight += 3;
    pair.newer.connections[1].tid_check = WEIR_TID_LENIENT;
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    assert_int_equal(diff->connections.change[0], WEIR_CHANGE_AROUND);
    assert_int_equal(diff->connections.change[1], WEIR_CHANGE_READS);
    weir_diff_describe(diff, &text);
    assert_non_null(strstr(weir_text_get(&text), "changed (timing)"));
    assert_non_null(strstr(weir_text_get(&text), "changed (endpoint)"));
}

static void a_device_that_looks_like_one_that_went_is_hinted_at(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.newer.devices[1].name = "feeder-a";
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    assert_int_equal(diff->n_hints, 1);
    weir_diff_describe_hint(diff, diff->hints, &text);
    assert_string_equal(weir_text_get(&text),
                        "m02 gone, feeder-a new with the same unit: rename? Then 'was: m02' at "
                        "feeder-a keeps the history together");
}

struct options {
    const char *path;
    int64_t size;
    weir_option_strings columns;
};

static void sinks_are_compared_by_what_they_say(void **state)
{
    (void)state;
    static const weir_option table[] = {
        {.name = "path", .type = WEIR_OPTION_STRING, .offset = offsetof(struct options, path)},
        {.name = "size", .type = WEIR_OPTION_INT, .offset = offsetof(struct options, size)},
        {.name = "columns",
         .type = WEIR_OPTION_STRINGS,
         .offset = offsetof(struct options, columns)},
        {0}};
    static const weir_sink_type type = {.name = "csv", .options = table};
    const char *columns[] = {"a", "b"};
    const char *other_columns[] = {"a", "c"};
    char path[] = "x.csv"; /* the same text elsewhere */
    struct options a = {"x.csv", 5, {2, columns}}, b = {path, 5, {2, columns}};
    struct pair pair;
    pair_init(&pair);
    pair.older.catalog.n_sinks = pair.newer.catalog.n_sinks = 1;
    pair.older.sinks[0] = (weir_sink_config){.name = "s", .type = &type, .options = &a};
    pair.newer.sinks[0] = (weir_sink_config){.name = "s", .type = &type, .options = &b};
    WEIR_CLEANUP(weir_diff_free) weir_diff *same = pair_diff(&pair);
    assert_int_equal(same->sinks.change[0], WEIR_CHANGE_NONE);
    b.columns.items = other_columns;
    WEIR_CLEANUP(weir_diff_free) weir_diff *changed = pair_diff(&pair);
    assert_int_equal(changed->sinks.change[0], WEIR_CHANGE_READS);
}

static void what_needs_a_restart_is_named(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.newer.catalog.store.data_dir = "elsewhere";
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = pair_diff(&pair);
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_diff_describe_restart(diff, &text);
    assert_string_equal(weir_text_get(&text), "data_dir");
    assert_false(weir_diff_is_empty(diff));
}

static void every_refused_allocation_is_reported(void **state)
{
    (void)state;
    struct pair pair;
    weir_err err = WEIR_ENOMEM;
    pair_init(&pair);
    pair.newer.devices[1].name = "feeder-a";
    for (size_t n = 1; err != WEIR_OK; n++) {
        weir_diff *diff = NULL;
        (void)weir_alloc_fail_nth(n, false);
        err = weir_diff_new(&pair.older.catalog, &pair.newer.catalog, &diff, NULL);
        (void)weir_alloc_fail_nth(0, false);
        assert_true(err == WEIR_OK || err == WEIR_ENOMEM);
        weir_diff_free(diff);
    }
}

static void everything_is_new_to_nothing(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = NULL;
    assert_int_equal(weir_diff_new(NULL, &pair.newer.catalog, &diff, NULL), 0);
    assert_count(diff, "5 added, 0 changed, 0 removed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_catalogs_have_no_difference),
        cmocka_unit_test(each_change_of_a_device_is_told_apart),
        cmocka_unit_test(added_and_removed_devices_are_counted_with_their_tags),
        cmocka_unit_test(a_renamed_device_is_found_again_once),
        cmocka_unit_test(two_that_exchange_names_do_it_once),
        cmocka_unit_test(a_former_name_can_go_to_another_device_in_the_same_step),
        cmocka_unit_test(a_providers_key_counts_more_than_names),
        cmocka_unit_test(points_are_found_by_key_former_name_and_name),
        cmocka_unit_test(a_former_point_name_is_given_once),
        cmocka_unit_test(a_connection_is_known_by_its_name_or_by_all_the_rest),
        cmocka_unit_test(other_timing_of_a_connection_changes_nothing_of_its_reads),
        cmocka_unit_test(a_device_that_looks_like_one_that_went_is_hinted_at),
        cmocka_unit_test(sinks_are_compared_by_what_they_say),
        cmocka_unit_test(what_needs_a_restart_is_named),
        cmocka_unit_test(every_refused_allocation_is_reported),
        cmocka_unit_test(everything_is_new_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The effective configuration: it reads back as the same catalog, and says where values are from.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "catalog/effective.h"
#include "catalog/yaml.h"
#include "cli/config_text.h"
#include "sinks/module.h"

static weir_catalog *load(const char *path, const char *text, weir_effective *effective)
{
    static const char *const dirs[] = {WEIR_TEST_ROOT "/profiles"};
    const weir_yaml_options options = {.n_profile_dirs = 1,
                                       .profile_dirs = dirs,
                                       .sink_type = weir_sink_type_find,
                                       .effective = effective};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    const weir_err err =
        text ? weir_yaml_load_text(text, strlen(text), path, &options, &catalog, &problems)
             : weir_yaml_load(path, &options, &catalog, &problems);
    for (size_t i = 0; i < problems.n; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&problems.items[i], &line);
        print_error("%s\n", weir_text_get(&line));
    }
    weir_problems_deinit(&problems);
    assert_int_equal(err, WEIR_OK);
    return catalog;
}

/* ---- two catalogs that mean the same ---- */

static void same_connection(const weir_connection *a, const weir_connection *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->uri_text, b->uri_text);
    assert_int_equal(a->enabled, b->enabled);
    assert_int_equal(a->close_after_poll, b->close_after_poll);
    assert_int_equal(a->tid_check, b->tid_check);
    assert_int_equal(a->max_in_flight, b->max_in_flight);
    assert_int_equal(a->retries, b->retries);
    assert_int_equal(a->busy_retries, b->busy_retries);
    assert_int_equal(a->timeout_us, b->timeout_us);
    assert_int_equal(a->busy_retries_wait_us, b->busy_retries_wait_us);
    assert_int_equal(a->pause_after_connect_us, b->pause_after_connect_us);
    assert_int_equal(a->pause_between_requests_us, b->pause_between_requests_us);
    assert_int_equal(a->pause_on_unit_switch_us, b->pause_on_unit_switch_us);
    assert_int_equal(a->reconnect_max_us, b->reconnect_max_us);
}

/* All of a point but where it was written and which memory it borrows. */
static void same_point(const weir_point *a, const weir_point *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->unit, b->unit);
    assert_string_equal(a->description, b->description);
    assert_int_equal(a->n_na, b->n_na);
    if (a->n_na)
        assert_memory_equal(a->na, b->na, a->n_na * sizeof *a->na);
    assert_int_equal(a->n_enum, b->n_enum);
    for (size_t i = 0; i < a->n_enum; i++) {
        assert_int_equal(a->enum_items[i].raw, b->enum_items[i].raw);
        assert_string_equal(a->enum_items[i].text, b->enum_items[i].text);
    }
    weir_point copy = *b;
    copy.name = a->name;
    copy.unit = a->unit;
    copy.description = a->description;
    copy.file = a->file;
    copy.line = a->line;
    copy.na = a->na;
    copy.enum_items = a->enum_items;
    assert_int_equal(a->interval_us, copy.interval_us);
#define SAME(field) assert_memory_equal(&a->field, &copy.field, sizeof a->field)
    SAME(table);
    SAME(function);
    SAME(address);
    SAME(type);
    SAME(order);
    SAME(length);
    SAME(bit);
    SAME(bit_width);
    SAME(count);
    SAME(access);
    SAME(counter);
    SAME(allow_overlap);
    SAME(group);
    SAME(scaling);
    SAME(exponent);
    SAME(sign);
    SAME(decimal_offset);
    SAME(scale);
    SAME(offset);
    SAME(has_min);
    SAME(has_max);
    SAME(min);
    SAME(max);
    SAME(deadband.kind);
    SAME(deadband.as);
    SAME(max_unchanged_us);
    SAME(simulate.wave);
    SAME(simulate.min);
    SAME(simulate.max);
    SAME(simulate.period_us);
#undef SAME
}

static void same_device(const weir_device *a, const weir_device *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->description, b->description);
    assert_string_equal(a->profile, b->profile);
    assert_int_equal(a->connection, b->connection);
    assert_int_equal(a->unit_id, b->unit_id);
    assert_int_equal(a->enabled, b->enabled);
    assert_int_equal(a->one_point_per_request, b->one_point_per_request);
    assert_int_equal(a->max_registers_per_request, b->max_registers_per_request);
    assert_int_equal(a->max_bits_per_request, b->max_bits_per_request);
    assert_int_equal(a->max_hole_registers, b->max_hole_registers);
    assert_int_equal(a->max_hole_bits, b->max_hole_bits);
    assert_int_equal(a->demote_after_failures, b->demote_after_failures);
    assert_int_equal(a->demote_period_us, b->demote_period_us);
    assert_int_equal(a->n_forbidden, b->n_forbidden);
    if (a->n_forbidden)
        assert_memory_equal(a->forbidden, b->forbidden, a->n_forbidden * sizeof *a->forbidden);
    assert_int_equal(a->n_labels, b->n_labels);
    for (size_t i = 0; i < a->n_labels; i++) {
        assert_string_equal(a->labels[i].key, b->labels[i].key);
        assert_string_equal(a->labels[i].value, b->labels[i].value);
    }
    assert_int_equal(a->n_intervals, b->n_intervals);
    if (a->n_intervals)
        assert_memory_equal(a->intervals, b->intervals, a->n_intervals * sizeof *a->intervals);
    assert_int_equal(a->n_points, b->n_points);
    assert_memory_equal(a->point_interval, b->point_interval, a->n_points);
    for (size_t i = 0; i < a->n_points; i++)
        same_point(&a->points[i], &b->points[i]);
}

static void same_sink(const weir_sink_config *a, const weir_sink_config *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->plans, b->plans);
    assert_ptr_equal(a->type, b->type);
    assert_int_equal(a->enabled, b->enabled);
    assert_int_equal(a->quality, b->quality);
    assert_int_equal(a->batch, b->batch);
    assert_int_equal(a->backlog_rate, b->backlog_rate);
    assert_int_equal(a->n_tags, b->n_tags);
    for (size_t i = 0; i < a->n_tags; i++)
        assert_string_equal(a->tags[i], b->tags[i]);
    for (const weir_option *row = a->type->options; row->name; row++) {
        const char *field_a = (const char *)a->options + row->offset;
        const char *field_b = (const char *)b->options + row->offset;
        const char *text_a, *text_b;
        memcpy(&text_a, field_a, sizeof text_a);
        memcpy(&text_b, field_b, sizeof text_b);
        if (row->type == WEIR_OPTION_STRING)
            assert_string_equal(text_a ? text_a : "", text_b ? text_b : "");
        else if (row->type == WEIR_OPTION_INT || row->type == WEIR_OPTION_DURATION)
            assert_memory_equal(field_a, field_b, sizeof(int64_t));
        else if (row->type == WEIR_OPTION_ENUM)
            assert_memory_equal(field_a, field_b, sizeof(int));
    }
}

static void same_plan(const weir_plan *a, const weir_plan *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->description, b->description);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->enabled, b->enabled);
    assert_int_equal(a->merge, b->merge);
    assert_int_equal(a->policy, b->policy);
    assert_int_equal(a->interval_us, b->interval_us);
    assert_int_equal(a->default_interval_us, b->default_interval_us);
    assert_int_equal(a->minimum_interval_us, b->minimum_interval_us);
    assert_int_equal(a->lifetime_us, b->lifetime_us);
    assert_int_equal(a->start.us, b->start.us);
    assert_int_equal(a->end.us, b->end.us);
    assert_int_equal(a->has_cron, b->has_cron);
    if (a->has_cron)
        assert_string_equal(a->cron_text, b->cron_text);
    assert_int_equal(a->n_tags, b->n_tags);
}

static void same_catalog(const weir_catalog *a, const weir_catalog *b)
{
    assert_int_equal(a->n_plans, b->n_plans);
    for (size_t i = 0; i < a->n_plans; i++)
        same_plan(&a->plans[i], &b->plans[i]);
    assert_int_equal(a->n_connections, b->n_connections);
    for (size_t i = 0; i < a->n_connections; i++)
        same_connection(&a->connections[i], &b->connections[i]);
    assert_int_equal(a->n_devices, b->n_devices);
    for (size_t i = 0; i < a->n_devices; i++)
        same_device(&a->devices[i], &b->devices[i]);
    assert_int_equal(a->n_tags, b->n_tags);
    assert_int_equal(a->n_sinks, b->n_sinks);
    for (size_t i = 0; i < a->n_sinks; i++)
        same_sink(&a->sinks[i], &b->sinks[i]);
    assert_string_equal(a->store.data_dir, b->store.data_dir);
    assert_int_equal(a->store.max_loss_us, b->store.max_loss_us);
    assert_int_equal(a->store.n_retention, b->store.n_retention);
    assert_int_equal(a->store.max_bytes, b->store.max_bytes);
    assert_int_equal(a->store.max_percent, b->store.max_percent);
    assert_int_equal(a->store.min_free, b->store.min_free);
    assert_int_equal(a->store.min_free_given, b->store.min_free_given);
    assert_int_equal(a->store.when_full, b->store.when_full);
    assert_int_equal(a->store.detached_after_us, b->store.detached_after_us);
    assert_int_equal(a->store.wal_max, b->store.wal_max);
    assert_int_equal(a->clock_rule, b->clock_rule);
    assert_int_equal(a->log_level, b->log_level);
    assert_int_equal(a->log_format, b->log_format);
}

/* ---- reading back ---- */

/* Once more from what is shown, in each form: nothing is lost and nothing is added. */
static void shows_itself(const char *path, const char *given)
{
    WEIR_CLEANUP(weir_effective_free) weir_effective *effective = weir_effective_new();
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = load(path, given, effective);
    assert_false(weir_effective_failed(effective));
    for (int form = 0; form < 3; form++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        WEIR_TEXT_AUTO again = WEIR_TEXT_INIT;
        if (form < 2)
            weir_config_yaml(weir_effective_root(effective), form == 1, &text);
        else
            weir_config_json(weir_effective_root(effective), false, &text);
        WEIR_CLEANUP(weir_effective_free) weir_effective *back = weir_effective_new();
        WEIR_CLEANUP(weir_catalog_free)
        weir_catalog *copy = load(path, weir_text_get(&text), back);
        same_catalog(catalog, copy);
        weir_text_clear(&text);
        weir_config_yaml(weir_effective_root(effective), false, &text);
        weir_config_yaml(weir_effective_root(back), false, &again);
        if (form < 2) /* JSON has quotes where YAML needs none */
            assert_string_equal(weir_text_get(&text), weir_text_get(&again));
    }
}

static void every_example_reads_back_as_the_same_catalog(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/examples/bus-of-meters.yaml",    "/examples/one-meter.yaml", "/examples/plc.yaml",
        "/examples/own-profile/weir.yaml", "/examples/simulated.yaml",
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s%s", WEIR_TEST_ROOT, paths[i]);
        shows_itself(path, NULL);
    }
}

static void every_profile_reads_back_as_the_same_catalog(void **state)
{
    (void)state;
    static const char *const names[] = {"eastron-sdm630", "eaton-power-xpert-meter-4000",
                                        "electro-industries-nexus-1272"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char yaml[400];
        (void)snprintf(yaml, sizeof yaml,
                       "connections: [{name: a, uri: 'tcp://h'}]\n"
                       "devices: [{name: 'd-{unit_id:02}', connection: a, unit_id: '1-3,9', "
                       "profile: %s, interval: 10s, multiply: {'*': 1}}]\n",
                       names[i]);
        shows_itself("weir.yaml", yaml);
    }
}

/* What is easily lost: quotes that mean something, words that look like others, defaults that
 * depend on another key, nested values, aliases. */
static const char rich[] =
    "defaults:\n"
    "  connections: {timeout: 250ms}\n"
    "  points: {unit: kW}\n"
    "data_dir: memory\n"
    "store:\n"
    "  retention: [{tags: [\"a/*\", \"b, c\"], keep: 30d}, {tags: '*', max_size: 2GB}]\n"
    "  min_free: 0\n"
    "log: {level: debug, format: json}\n"
    "connections:\n"
    "  - {name: 'the: \"first\"', uri: 'tcp://h', retries: 0}\n"
    "  - {name: nowhere, uri: 'simulated:', enabled: no}\n"
    "devices:\n"
    "  - name: a\n"
    "    connection: 'the: \"first\"'\n"
    "    slave_id: 0x11\n"
    "    description: \"# no comment\\n- no list\"\n"
    "    labels: &labels {null: 'null', yes: no, 1: '2'}\n"
    "    deadband: 0.5\n"
    "    order: CDAB\n"
    "    interval: 90s\n"
    "    forbidden_ranges: [holding 100-199, 300-310]\n"
    "    points:\n"
    "      - {name: x, address: '40001', type: int16, na: [0x8000, -1], unit: ''}\n"
    "      - {name: y, register: hr, address: 0x10, type: uint16, enum: {0: off, -1: 'a, b'}}\n"
    "      - {name: z, register: ir, address: 3, type: float32, simulate: {wave: sine, max: 3}}\n"
    "      - {name: w, function: 17, type: raw, interval: on_demand}\n"
    "      - {name: s, register: holding, address: 30, type: string, length: 8}\n"
    "      - {name: c, register: coil, address: 3, count: 4, deadband: none}\n"
    "  - name: b\n"
    "    connection: nowhere\n"
    "    labels: *labels\n"
    "    profile: eastron-sdm630\n"
    "    only: [power, \"voltage_*\"]\n"
    "    interval: 1s\n"
    "    points: [{name: power, interval: 5s, deadband: 1}, {name: own, register: coil, address: "
    "1}]\n"
    "plans:\n"
    "  - {name: night, tags: [\"a/*\", \"!a/s\"], cron: \"0 */5 22-23 * * *\", zone: UTC, "
    "lifetime: 24h}\n"
    "  - {name: three, id: 7, tags: b/power, cron: {hour: 8-17, minute: '*/2'}, zone: UTC}\n"
    "  - {name: fast, tags: \"b/*\", interval: 500ms, merge: gcd, zone: UTC, start: "
    "2026-11-21T08:00:00}\n"
    "sinks:\n"
    "  - {name: file, type: csv, path: \"{date}.csv\", tags: \"a/*\", labels: {yes: n*}, quality: "
    "good, plans: night}\n"
    "  - {name: more, type: csv, path: a b, backlog_rate: 100/s, delimiter: ;}\n";

static void what_is_easily_lost_reads_back(void **state)
{
    (void)state;
    shows_itself("weir.yaml", rich);
}

/* ---- origins and secrets ---- */

static void shows(const char *yaml, const char *part, const char *key, const char *expected)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    WEIR_CLEANUP(weir_effective_free) weir_effective *effective = weir_effective_new();
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = load("/none/w", yaml, effective);
    assert_non_null(catalog);
    const weir_effective_value *value = weir_effective_get(weir_effective_root(effective), part);
    assert_non_null(value);
    value = weir_effective_get(value->kind == WEIR_NODE_LIST ? value->first : value, key);
    assert_non_null(value);
    weir_config_yaml(value, false, &text);
    weir_text_format(&text, "%s", value->origin ? value->origin : "");
    assert_string_equal(weir_text_get(&text), expected);
}

static void each_value_tells_where_it_is_from(void **state)
{
    (void)state;
    static const char yaml[] = "defaults:\n"
                               "  devices:\n"
                               "    interval: 7s\n"
                               "data_dir: memory\n"
                               "store: {max_loss: 5s}\n"
                               "connections:\n"
                               "  - name: a\n"
                               "    uri: tcp://h\n"
                               "devices:\n"
                               "  - name: d\n"
                               "    connection: a\n"
                               "    unit_id: 1\n"
                               "    profile: eastron-sdm630\n";
    shows(yaml, "store", "max_loss", "5s\n/none/w:5");
    shows(yaml, "store", "max_size", "64MB\ndefault");
    shows(yaml, "store", "wal_max", "256MB\ndefault");
    shows(yaml, "connections", "uri", "\"tcp://h\"\n/none/w:8");
    shows(yaml, "connections", "timeout", "1s\ndefault");
    shows(yaml, "devices", "interval", "7s\n/none/w:3");
    shows(yaml, "devices", "order",
          "ABCD\nprofile " WEIR_TEST_ROOT "/profiles/eastron-sdm630.yaml:9");
}

static void a_secret_is_never_shown(void **state)
{
    (void)state;
    static const char head[] = "connections: [{name: a, uri: 'tcp://h'}]\n"
                               "devices: [{name: d, connection: a, unit_id: 1, interval: 1s, "
                               "points: [{name: p, register: coil, address: 1}]}]\n"
                               "sinks: [{name: s, type: csv, path: \"%s\"}]\n";
    static const struct {
        const char *given, *expected;
    } cases[] = {
        {"postgresql://weir:hunter2@h/db", "\"postgresql://weir:***@h/db\"\n/none/w:3"},
        {"postgresql://weir:a:b@c@h/db", "\"postgresql://weir:***@h/db\"\n/none/w:3"},
        {"postgresql://h/db?password=hunter2&x=1",
         "\"postgresql://h/db?password=***&x=1\"\n/none/w:3"},
        {"host=h password=hunter2 user=weir", "\"host=h password=*** user=weir\"\n/none/w:3"},
        {"http://weir@h:8086/a:b@c", "\"http://weir@h:8086/a:b@c\"\n/none/w:3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char yaml[800];
        (void)snprintf(yaml, sizeof yaml, head, cases[i].given);
        shows(yaml, "sinks", "path", cases[i].expected);
    }
}

static void memory_that_is_short_is_remembered(void **state)
{
    (void)state;
    for (size_t n = 1; n < 4000; n += 7) {
        static const char *const dirs[] = {WEIR_TEST_ROOT "/profiles"};
        weir_effective *effective = weir_effective_new();
        const weir_yaml_options options = {.n_profile_dirs = 1,
                                           .profile_dirs = dirs,
                                           .sink_type = weir_sink_type_find,
                                           .effective = effective};
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_catalog *catalog = NULL;
        (void)weir_alloc_fail_nth(n, false);
        const weir_err err =
            weir_yaml_load_text(rich, sizeof rich - 1, "weir.yaml", &options, &catalog, &problems);
        const bool done = weir_alloc_fail_nth(0, false) < n;
        if (done)
            assert_int_equal(err, WEIR_OK);
        weir_catalog_free(catalog);
        weir_problems_deinit(&problems);
        weir_effective_free(effective);
        if (done)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_reads_back_as_the_same_catalog),
        cmocka_unit_test(every_profile_reads_back_as_the_same_catalog),
        cmocka_unit_test(what_is_easily_lost_reads_back),
        cmocka_unit_test(each_value_tells_where_it_is_from),
        cmocka_unit_test(a_secret_is_never_shown),
        cmocka_unit_test(memory_that_is_short_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A configuration as a catalog: connections, templates, profiles, merging, limits. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "catalog/yaml.h"

/* ---- files in memory ---- */

static const struct {
    const char *path, *text;
} files[] = {
    {"plant/profiles/meter.yaml", "name: meter\n"
                                  "source: a test\n"
                                  "order: CDAB\n"
                                  "max_registers_per_request: 60\n"
                                  "points:\n"
                                  "  - {name: voltage, register: ir, address: 0, type: float32, "
                                  "unit: V}\n"
                                  "  - {name: current_l1, register: input, address: 6, type: "
                                  "float32, unit: A}\n"
                                  "  - {name: current_l2, register: input, address: 8, type: "
                                  "float32, unit: A}\n"
                                  "  - {name: energy, register: input, address: 72, type: uint32, "
                                  "unit: Wh, scale: 10, counter: true, interval: 1m}\n"},
    {"plant/profiles/meter-plus.yaml", "name: meter-plus\n"
                                       "source: a test\n"
                                       "inherits: meter\n"
                                       "max_hole_registers: 4\n"
                                       "points:\n"
                                       "  - {name: voltage, address: 0x10}\n"
                                       "  - {name: phase, register: discrete, address: 3}\n"},
    {"elsewhere/far.yaml", "name: far\n"
                           "source: a test\n"
                           "points: [{name: x, register: coil, address: 1}]\n"},
};

static weir_err memory_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    (void)data;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(files[i].path, path)) {
            weir_text_add(ret, files[i].text);
            return WEIR_OK;
        }
    return weir_fail(error, WEIR_ENOTFOUND, "cannot read %s", path);
}

static const weir_yaml_files memory = {.read = memory_read};
static const char *const dirs[] = {"elsewhere"};
static const weir_yaml_options options = {
    .n_profile_dirs = 1, .profile_dirs = dirs, .files = &memory};

static weir_err load(const char *text, weir_catalog **ret, weir_problems *problems)
{
    return weir_yaml_load_text(text, strlen(text), "plant/weir.yaml", &options, ret, problems);
}

static weir_catalog *load_good(const char *text)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    weir_err err = load(text, &c, &problems);
    if (err) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        for (size_t i = 0; i < problems.n; i++) {
            weir_problem_format(&problems.items[i], &t);
            weir_text_add(&t, "\n");
        }
        fail_msg("%s: %s", weir_err_text(err), weir_text_get(&t));
    }
    assert_int_equal(problems.n, 0);
    return c;
}

/* The first problem's text, or fails when there is none. */
static void load_bad(const char *text, const char *says)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    assert_int_equal(load(text, &c, &problems), WEIR_ECONFIG);
    assert_null(c);
    assert_true(problems.n > 0);
    if (!strstr(problems.items[0].text, says))
        fail_msg("\"%s\" is not in \"%s\"", says, problems.items[0].text);
    weir_problems_deinit(&problems);
}

#define LINE "connections: [{name: line, uri: 'tcp://10.0.0.5'}]\n"

static const weir_point *point_of(const weir_catalog *c, const char *tag)
{
    int64_t i = weir_catalog_find_tag(c, tag);
    if (i < 0)
        fail_msg("no tag %s", tag);
    return weir_tag_point(c, &c->tags[i]);
}

/* ---- the example of the documentation ---- */

static const char ten_lines[] =
    "data_dir: /var/lib/weir\n"
    "connections:\n"
    "  - {name: boiler-room, uri: \"tcp://192.168.1.113:502\", timeout: 2s}\n"
    "devices:\n"
    "  - name: \"m{unit_id:02}\"\n"
    "    unit_id: 8-11\n"
    "    connection: boiler-room\n"
    "    interval: 1s\n"
    "    points:\n"
    "      - {name: power, register: holding, address: 52, type: float32, order: CDAB, unit: kW, "
    "scale: 0.001}\n"
    "      - {name: running, register: coil, address: 0x03}\n"
    "      - {name: energy, register: input, address: 72, type: uint32, unit: Wh, counter: true, "
    "interval: 5s}\n";

static void ten_lines_make_four_devices(void **state)
{
    (void)state;
    weir_catalog *c = load_good(ten_lines);
    assert_string_equal(c->store.data_dir, "/var/lib/weir");
    assert_int_equal(c->store.max_loss_us, WEIR_S);
    assert_int_equal(c->log_level, WEIR_LOG_INFO);
    assert_int_equal(c->revision, 1);
    assert_int_equal(c->n_connections, 1);
    assert_string_equal(c->connections[0].uri.host, "192.168.1.113");
    assert_int_equal(c->connections[0].timeout_us, 2 * WEIR_S);
    assert_int_equal(c->connections[0].retries, 1);
    assert_true(c->connections[0].enabled);
    assert_int_equal(c->n_devices, 4);
    assert_int_equal(c->n_tags, 12);
    assert_string_equal(c->devices[0].name, "m08");
    assert_string_equal(c->devices[3].name, "m11");
    assert_int_equal(c->devices[3].unit_id, 11);
    assert_int_equal(c->devices[3].first_tag, 9);
    assert_int_equal(c->devices[0].n_intervals, 2);
    assert_int_equal(c->devices[0].intervals[0], WEIR_S);
    assert_int_equal(c->devices[0].intervals[1], 5 * WEIR_S);
    assert_int_equal(c->devices[0].point_interval[2], 1);
    assert_int_equal(c->devices[0].where.line, 5);

    const weir_point *power = point_of(c, "m09/power");
    assert_int_equal(power->table, WEIR_REGISTER_HOLDING);
    assert_int_equal(power->address, 52);
    assert_int_equal(power->type, WEIR_TYPE_FLOAT32);
    assert_int_equal(power->order, WEIR_ORDER_CDAB);
    assert_int_equal(power->scaling, WEIR_SCALING_DOUBLE);
    assert_int_equal(power->line, 10);
    assert_int_equal(point_of(c, "m09/running")->type, WEIR_TYPE_BOOL);
    assert_true(point_of(c, "m09/energy")->counter);
    weir_catalog_free(c);
}

static void devices_of_a_template_share_their_points(void **state)
{
    (void)state;
    weir_catalog *c = load_good(ten_lines);
    for (size_t i = 1; i < c->n_devices; i++) {
        assert_ptr_equal(c->devices[i].points, c->devices[0].points);
        assert_ptr_equal(c->devices[i].point_tag, c->devices[0].point_tag);
        assert_ptr_equal(c->devices[i].point_interval, c->devices[0].point_interval);
    }
    weir_catalog_free(c);
}

static void a_thousand_devices_of_fifty_points_stay_small(void **state)
{
    (void)state;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    weir_text_add(&t, "x-points: &points\n");
    for (int i = 0; i < 50; i++)
        weir_text_format(&t,
                         "  - {name: p%d, register: holding, address: %d, type: uint16, unit: V, "
                         "scale: 0.1}\n",
                         i, i);
    weir_text_add(&t, "connections:\n");
    for (int i = 0; i < 1000; i++)
        weir_text_format(&t, "  - {name: c%d, uri: \"tcp://127.0.0.1:%d\"}\n", i, 10000 + i);
    weir_text_add(&t, "devices:\n");
    for (int i = 0; i < 1000; i++)
        weir_text_format(&t,
                         "  - {name: d%d, connection: c%d, unit_id: 1, interval: 1s, points: "
                         "*points}\n",
                         i, i);
    weir_catalog *c = load_good(weir_text_get(&t));
    assert_int_equal(c->n_tags, 50000);
    assert_ptr_equal(c->devices[999].points, c->devices[0].points);
    /* 16 bytes a tag, about 200 a device and a connection, and names. */
    assert_true(weir_arena_size(c->arena) < 2 * 1000 * 1000);
    weir_catalog_free(c);
}

static void equal_points_are_shared_wherever_they_were_written(void **state)
{
    (void)state;
    weir_catalog *c = load_good(LINE "devices:\n"
                                     "  - {name: a, connection: line, unit_id: 1, interval: 1s, "
                                     "points: [{name: x, register: ir, address: 1, type: u16}]}\n"
                                     "  - {name: b, connection: line, unit_id: 2, interval: 1s, "
                                     "points: [{name: x, register: input, address: 0x1, type: "
                                     "uint16}]}\n"
                                     "  - {name: c, connection: line, unit_id: 3, interval: 2s, "
                                     "points: [{name: x, register: ir, address: 2, type: u16}]}\n");
    assert_ptr_equal(c->devices[1].points, c->devices[0].points);
    assert_ptr_not_equal(c->devices[2].points, c->devices[0].points);
    weir_catalog_free(c);
}

/* ---- profiles ---- */

static void a_profile_is_found_beside_the_file_and_in_the_folders(void **state)
{
    (void)state;
    weir_catalog *c = load_good(LINE "devices:\n"
                                     "  - {name: a, connection: line, unit_id: 1, interval: 1s, "
                                     "profile: meter}\n"
                                     "  - {name: b, connection: line, unit_id: 2, interval: 1s, "
                                     "profile: far}\n");
    assert_int_equal(c->devices[0].n_points, 4);
    assert_string_equal(c->devices[0].profile, "meter");
    assert_int_equal(c->devices[0].max_registers_per_request, 60);
    assert_int_equal(point_of(c, "a/voltage")->order, WEIR_ORDER_CDAB);
    assert_int_equal(point_of(c, "a/energy")->interval_us, WEIR_MINUTE);
    assert_string_equal(point_of(c, "a/energy")->file, "plant/profiles/meter.yaml");
    assert_int_equal(point_of(c, "b/x")->table, WEIR_REGISTER_COIL);
    weir_catalog_free(c);
}

static void a_devices_point_changes_only_the_keys_it_has(void **state)
{
    (void)state;
    weir_catalog *c = load_good(LINE "devices:\n"
                                     "  - name: a\n"
                                     "    connection: line\n"
                                     "    slave_id: 1\n"
                                     "    interval: 1s\n"
                                     "    profile: meter\n"
                                     "    max_registers_per_request: 20\n"
                                     "    points:\n"
                                     "      - {name: energy, scale: 0.1, unit: kWh}\n"
                                     "      - {name: extra, register: coil, address: 9}\n");
    const weir_point *energy = point_of(c, "a/energy");
    assert_int_equal(c->devices[0].n_points, 5);
    assert_int_equal(c->devices[0].max_registers_per_request, 20);
    assert_int_equal(energy->address, 72);
    assert_int_equal(energy->type, WEIR_TYPE_UINT32);
    assert_int_equal(energy->scaling, WEIR_SCALING_DECIMAL);
    assert_int_equal(energy->exponent, -1);
    assert_string_equal(energy->unit, "kWh");
    assert_true(energy->counter);
    assert_int_equal(energy->interval_us, WEIR_MINUTE);
    assert_int_equal(point_of(c, "a/extra")->address, 9);
    weir_catalog_free(c);
}

static void a_profile_changes_what_it_inherits(void **state)
{
    (void)state;
    weir_catalog *c = load_good(LINE "devices: [{name: a, connection: line, unit_id: 1, "
                                     "interval: 1s, profile: meter-plus}]\n");
    assert_int_equal(c->devices[0].n_points, 5);
    assert_int_equal(c->devices[0].max_registers_per_request, 60);
    assert_int_equal(c->devices[0].max_hole_registers, 4);
    assert_int_equal(point_of(c, "a/voltage")->address, 16);
    assert_string_equal(point_of(c, "a/voltage")->unit, "V");
    assert_int_equal(point_of(c, "a/phase")->table, WEIR_REGISTER_DISCRETE);
    weir_catalog_free(c);
}

static void only_chooses_and_own_points_stay(void **state)
{
    (void)state;
    weir_catalog *c = load_good(LINE "devices: [{name: a, connection: line, unit_id: 1, "
                                     "interval: 1s, profile: meter, only: [voltage, 'current_*'], "
                                     "points: [{name: own, register: coil, address: 0}]}]\n");
    assert_int_equal(c->devices[0].n_points, 4);
    assert_int_equal(weir_catalog_find_tag(c, "a/energy"), -1);
    assert_true(weir_catalog_find_tag(c, "a/own") >= 0);
    weir_catalog_free(c);
}

static void multiply_scales_what_its_pattern_matches(void **state)
{
    (void)state;
    weir_catalog *c = load_good(LINE "devices: [{name: a, connection: line, unit_id: 1, "
                                     "interval: 1s, profile: meter, multiply: {'current_*': 40, "
                                     "energy: 0.1}}]\n");
    assert_true(point_of(c, "a/current_l1")->scale == 40);
    assert_true(point_of(c, "a/current_l2")->scale == 40);
    assert_int_equal(point_of(c, "a/voltage")->scaling, WEIR_SCALING_NONE);
    /* 10 * 0.1 is exactly 1: no scaling at all. */
    assert_int_equal(point_of(c, "a/energy")->scaling, WEIR_SCALING_NONE);
    weir_catalog_free(c);
}

static void a_factor_for_points_that_only_leaves_out_is_no_mistake(void **state)
{
    (void)state;
    weir_catalog *c = load_good(LINE "devices: [{name: a, connection: line, unit_id: 1, "
                                     "interval: 1s, profile: meter, only: [energy], "
                                     "multiply: {'current_*': 40}}]\n");
    assert_int_equal(c->devices[0].n_points, 1);
    weir_catalog_free(c);
    load_bad(LINE "devices: [{name: a, connection: line, unit_id: 1, interval: 1s, profile: meter, "
                  "only: [energy], multiply: {'curent_*': 40}}]\n",
             "multiply: no point matches");
}

static void patterns_that_overlap_are_refused(void **state)
{
    (void)state;
    load_bad(LINE "devices: [{name: a, connection: line, unit_id: 1, interval: 1s, profile: meter, "
                  "multiply: {'current_*': 40, 'current_l1': 2}}]\n",
             "matches two patterns");
}

/* ---- what a value means ---- */

static void numbers_are_decimal_and_quoted_modicon_addresses_name_their_table(void **state)
{
    (void)state;
    weir_catalog *c =
        load_good(LINE "devices:\n"
                       "  - name: plc\n"
                       "    connection: line\n"
                       "    unit_id: 1\n"
                       "    interval: 1s\n"
                       "    points:\n"
                       "      - {name: a, register: hr, address: 0755, type: u16}\n"
                       "      - {name: b, address: \"40002\", type: int16}\n"
                       "      - {name: c, register: holding, address: 40001, type: int16}\n"
                       "      - {name: d, address: '300101', type: int16}\n");
    assert_int_equal(point_of(c, "plc/a")->address, 755);
    assert_int_equal(point_of(c, "plc/b")->address, 1);
    assert_int_equal(point_of(c, "plc/b")->table, WEIR_REGISTER_HOLDING);
    assert_int_equal(point_of(c, "plc/b")->function, 3);
    assert_int_equal(point_of(c, "plc/c")->address, 40001);
    assert_int_equal(point_of(c, "plc/d")->table, WEIR_REGISTER_INPUT);
    assert_int_equal(point_of(c, "plc/d")->address, 100);
    weir_catalog_free(c);
}

static void na_words_have_the_width_of_their_type(void **state)
{
    (void)state;
    static const struct {
        const char *type, *na;
        uint64_t want;
    } cases[] = {
        {"int16", "-32768", 0x8000},          {"int16", "0x8000", 0x8000},
        {"uint16", "65535", 0xffff},          {"int32", "-1", 0xffffffff},
        {"int64", "-1", UINT64_MAX},          {"uint64", "0xffffffffffffffff", UINT64_MAX},
        {"float32", "-9999", 0xc61c3c00},     {"float32", "0x7fc00000", 0x7fc00000},
        {"float64", "1", 0x3ff0000000000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        (void)snprintf(text, sizeof text,
                       LINE "devices: [{name: d, connection: line, unit_id: 1, interval: 1s, "
                            "points: [{name: p, register: input, address: 0, type: %s, na: %s}]}]",
                       cases[i].type, cases[i].na);
        weir_catalog *c = load_good(text);
        assert_int_equal(point_of(c, "d/p")->n_na, 1);
        assert_true(point_of(c, "d/p")->na[0] == cases[i].want);
        weir_catalog_free(c);
    }
}

static void check_deadband(const weir_catalog *c, const char *tag, const char *want,
                           int64_t want_max_unchanged_us)
{
    const weir_point *p = point_of(c, tag);
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_value_format(&p->deadband, &text);
    if (p->deadband.kind != (*want ? WEIR_KIND_DECIMAL : WEIR_KIND_NULL) ||
        strcmp(weir_text_get(&text), want) != 0)
        fail_msg("%s: %s", tag, weir_text_get(&text));
    assert_int_equal(p->max_unchanged_us, want_max_unchanged_us);
}

static void a_deadband_is_in_the_values_unit_or_a_share_of_its_span(void **state)
{
    (void)state;
    weir_catalog *c = load_good(
        LINE "devices: [{name: d, connection: line, unit_id: 1, interval: 1s, points: [\n"
             "  {name: all, register: input, address: 0, type: uint16},\n"
             "  {name: change, register: input, address: 1, type: uint16, deadband: 0},\n"
             "  {name: half, register: input, address: 2, type: int64, deadband: 0.5, "
             "max_unchanged_interval: 15m},\n"
             "  {name: share, register: input, address: 6, type: float32, deadband: 1%, "
             "min: 0, max: 10, max_unchanged_interval: none},\n"
             "  {name: part, register: input, address: 8, type: int16, deadband: '0.25%', "
             "min: -200, max: 1000},\n"
             "  {name: point, register: input, address: 9, type: int16, deadband: 50%, "
             "min: 7, max: 7},\n"
             "  {name: bit, register: coil, address: 0, deadband: 0},\n"
             "  {name: none, register: input, address: 10, type: int16, deadband: none},\n"
             "  {name: row, register: input, address: 20, type: int16, count: 3, "
             "deadband: 2}]}]\n");
    check_deadband(c, "d/all", "", 0);
    check_deadband(c, "d/change", "0", WEIR_HOUR);
    check_deadband(c, "d/half", "0.5", 15 * WEIR_MINUTE);
    check_deadband(c, "d/share", "0.1", 0);
    check_deadband(c, "d/part", "3", WEIR_HOUR);
    check_deadband(c, "d/point", "0", WEIR_HOUR);
    check_deadband(c, "d/bit", "0", WEIR_HOUR);
    check_deadband(c, "d/none", "", 0);
    check_deadband(c, "d/row[2]", "2", WEIR_HOUR);
    weir_catalog_free(c);
}

static void a_devices_deadband_is_for_its_points_that_give_none(void **state)
{
    (void)state;
    weir_catalog *c = load_good(
        LINE
        "devices:\n"
        "  - {name: d, connection: line, unit_id: 1, interval: 1s, deadband: 2, "
        "max_unchanged_interval: 5m, points: [\n"
        "      {name: number, register: input, address: 0, type: uint16},\n"
        "      {name: own, register: input, address: 1, type: uint16, deadband: 7},\n"
        "      {name: often, register: input, address: 2, type: uint16, max_unchanged_interval: "
        "1m},\n"
        "      {name: all, register: input, address: 3, type: uint16, deadband: none},\n"
        "      {name: flags, register: input, address: 4, type: bitfield},\n"
        "      {name: alarm, register: input, address: 5, bit: 3},\n"
        "      {name: bit, register: input, address: 5, type: uint16, bit: 4},\n"
        "      {name: state, register: input, address: 6, type: uint16, enum: {0: off}},\n"
        "      {name: coil, register: coil, address: 0},\n"
        "      {name: serial, register: input, address: 10, type: string, length: 8}]}\n"
        "  - {name: e, connection: line, unit_id: 2, interval: 1s, deadband: 1%, profile: meter, "
        "points: [{name: voltage, min: 0, max: 250}, {name: current_l1, deadband: 0.25}, {name: "
        "current_l2, deadband: none}, {name: energy, deadband: 0}]}\n");
    check_deadband(c, "d/number", "2", 5 * WEIR_MINUTE);
    check_deadband(c, "d/own", "7", 5 * WEIR_MINUTE);
    check_deadband(c, "d/often", "2", WEIR_MINUTE);
    check_deadband(c, "d/all", "", 0);
    static const char *const flags[] = {"flags", "alarm", "bit", "state", "coil", "serial"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        char tag[32];
        (void)snprintf(tag, sizeof tag, "d/%s", flags[i]);
        check_deadband(c, tag, "0", 5 * WEIR_MINUTE);
    }
    check_deadband(c, "e/voltage", "2.5", WEIR_HOUR);
    check_deadband(c, "e/current_l1", "0.25", WEIR_HOUR);
    check_deadband(c, "e/current_l2", "", 0);
    check_deadband(c, "e/energy", "0", WEIR_HOUR);
    weir_catalog_free(c);
}

static void a_point_has_all_it_was_given(void **state)
{
    (void)state;
    weir_catalog *c = load_good(
        LINE
        "devices:\n"
        "  - name: plc\n"
        "    connection: line\n"
        "    unit_id: 1\n"
        "    interval: on_demand\n"
        "    description: Hall 3\n"
        "    labels: {building: A, 'floor': 2}\n"
        "    enabled: false\n"
        "    forbidden_ranges: ['holding 100-199', '7']\n"
        "    points:\n"
        "      - {name: state, register: holding, address: 0, type: uint16, enum: {0: stop, "
        "1: run}, group: 7}\n"
        "      - {name: alarm, register: holding, address: 1, bit: 3}\n"
        "      - {name: mode, register: holding, address: 2, type: bitfield, bit: 4, bit_width: "
        "3}\n"
        "      - {name: serial, register: holding, address: 10, type: string, length: 16}\n"
        "      - {name: phase, register: input, address: 0, type: float32, count: 3, unit: V, "
        "min: 0, max: 300}\n"
        "      - {name: id, function: 17, type: raw}\n"
        "      - {name: row, register: discrete, address: 40, type: bytes, length: 19, count: 2, "
        "labels: {line: 7, building: B}}\n"
        "      - {name: level, register: input, address: 20, type: uint16, simulate: {wave: "
        "ramp, min: 10, max: 20, period: 30s, resolution: 0.5}}\n");
    const weir_device *d = &c->devices[0];
    assert_false(d->enabled);
    assert_string_equal(d->description, "Hall 3");
    assert_int_equal(d->n_labels, 2);
    assert_string_equal(d->labels[1].key, "floor");
    assert_string_equal(d->labels[1].value, "2");
    assert_int_equal(d->n_forbidden, 5);
    assert_int_equal(d->forbidden[0].table, WEIR_REGISTER_HOLDING);
    assert_int_equal(d->forbidden[0].last, 199);
    assert_int_equal(d->n_intervals, 0);
    assert_int_equal(d->point_interval[0], 0xff);
    assert_int_equal(c->n_tags, 11);
    assert_true(weir_catalog_find_tag(c, "plc/phase[2]") >= 0);

    const weir_point *state_point = point_of(c, "plc/state");
    assert_int_equal(state_point->n_enum, 2);
    assert_int_equal(state_point->enum_items[1].raw, 1);
    assert_string_equal(state_point->enum_items[1].text, "run");
    assert_int_equal(state_point->group, 7);
    assert_int_equal(state_point->bit, -1);
    assert_int_equal(point_of(c, "plc/alarm")->type, WEIR_TYPE_BOOL);
    assert_int_equal(point_of(c, "plc/alarm")->bit, 3);
    assert_int_equal(point_of(c, "plc/mode")->bit_width, 3);
    assert_int_equal(point_of(c, "plc/serial")->length, 16);
    assert_true(point_of(c, "plc/phase[0]")->has_max);
    assert_int_equal(point_of(c, "plc/id")->table, WEIR_REGISTER_FUNCTION);
    assert_int_equal(point_of(c, "plc/id")->function, 17);
    const weir_point *row = point_of(c, "plc/row[1]");
    assert_int_equal(row->table, WEIR_REGISTER_DISCRETE);
    assert_int_equal(row->type, WEIR_TYPE_BYTES);
    assert_int_equal(row->length, 19);
    assert_int_equal(weir_point_size(row), 38);
    assert_int_equal(row->n_labels, 2);
    assert_string_equal(row->labels[0].key, "building");
    assert_string_equal(row->labels[0].value, "B");
    assert_int_equal(point_of(c, "plc/level")->n_labels, 0);
    const weir_simulate *s = &point_of(c, "plc/level")->simulate;
    assert_int_equal(s->wave, WEIR_WAVE_RAMP);
    assert_true(s->min == 10 && s->max == 20);
    assert_int_equal(s->period_us, 30 * WEIR_S);
    assert_int_equal(s->resolution_mantissa, 5);
    assert_int_equal(s->resolution_exponent, -1);
    weir_catalog_free(c);
}

static void every_point_can_be_simulated_within_its_type(void **state)
{
    (void)state;
    weir_catalog *c = load_good(
        LINE
        "devices: [{name: d, connection: line, unit_id: 1, interval: 1s, points: [\n"
        "  {name: v, register: input, address: 0, type: uint16, unit: V, scale: 0.1},\n"
        "  {name: small, register: input, address: 1, type: int8, unit: V},\n"
        "  {name: wh, register: input, address: 2, type: uint32, unit: Wh},\n"
        "  {name: on, register: coil, address: 0},\n"
        "  {name: text, register: input, address: 4, type: string, length: 4},\n"
        "  {name: fine, register: input, address: 8, type: float32, unit: V, simulate: {min: 0, "
        "max: 0.005}},\n"
        "  {name: capped, register: input, address: 6, type: uint16, unit: '%', max: 50}]}]\n");
    const weir_simulate v = point_of(c, "d/v")->simulate;
    assert_int_equal(v.wave, WEIR_WAVE_SINE);
    assert_true(v.min >= 200 && v.max <= 250);
    assert_true(point_of(c, "d/small")->simulate.max <= 127);
    assert_int_equal(point_of(c, "d/wh")->simulate.wave, WEIR_WAVE_COUNTER);
    assert_int_equal(point_of(c, "d/on")->simulate.wave, WEIR_WAVE_SQUARE);
    assert_int_equal(point_of(c, "d/text")->simulate.wave, WEIR_WAVE_CONSTANT);
    assert_true(point_of(c, "d/capped")->simulate.max <= 50);
    /* A tenth of a volt is no resolution for five millivolts. */
    assert_true(point_of(c, "d/fine")->simulate.max == 0.005);
    assert_int_equal(point_of(c, "d/fine")->simulate.resolution_mantissa, 0);
    weir_catalog_free(c);
}

static void overlapping_points_may_be_equal_contained_or_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *name, *points;
        bool good;
    } cases[] = {
        {"equal",
         "{name: a, register: input, address: 0, type: int32},"
         "{name: b, register: input, address: 0, type: float32}",
         true},
        {"contained",
         "{name: a, register: input, address: 0, type: int32},"
         "{name: b, register: input, address: 1, type: uint16}",
         true},
        {"partly",
         "{name: a, register: input, address: 0, type: int32},"
         "{name: b, register: input, address: 1, type: int32}",
         false},
        {"partly, later one first",
         "{name: b, register: input, address: 1, type: int32},"
         "{name: a, register: input, address: 0, type: int32}",
         false},
        {"another table",
         "{name: a, register: input, address: 0, type: int32},"
         "{name: b, register: holding, address: 1, type: int32}",
         true},
        {"allowed",
         "{name: a, register: input, address: 0, type: int32},"
         "{name: b, register: input, address: 1, type: int32, allow_overlap: true}",
         true},
        {"across a contained one",
         "{name: a, register: input, address: 0, type: int64},"
         "{name: b, register: input, address: 1, type: uint16},"
         "{name: c, register: input, address: 3, type: int32}",
         false},
        {"count",
         "{name: a, register: coil, address: 0, count: 10},"
         "{name: b, register: coil, address: 9, count: 2}",
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600];
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_catalog *c = NULL;
        (void)snprintf(text, sizeof text,
                       LINE "devices: [{name: d, connection: line, unit_id: 1, "
                            "interval: 1s, points: [%s]}]",
                       cases[i].points);
        if ((load(text, &c, &problems) == WEIR_OK) != cases[i].good)
            fail_msg("%s", cases[i].name);
        weir_problems_deinit(&problems);
        weir_catalog_free(c);
    }
}

static void the_limits_of_the_store_are_durations_sizes_and_rules(void **state)
{
    static const struct {
        const char *yaml;
        size_t n_rules;
        int64_t keep_us;
        uint64_t max_bytes;
        unsigned max_percent;
    } cases[] = {
        {"{}", 0, 0, 0, 50},
        {"store: {retention: none}", 0, 0, 0, 50},
        {"store: {retention: 365d, max_size: 2GB}", 1, 365 * WEIR_DAY, 2000000000, 0},
        {"store: {retention: [{tags: [a/*, b/*], keep: 7d, max_size: 100MB}, {tags: \"*\", "
         "keep: 1h}], max_size: 20%}",
         2, 7 * WEIR_DAY, 0, 20},
        {"data_dir: memory", 0, 0, 64000000, 0},
        {"{data_dir: memory, store: {max_size: 8MB}}", 0, 0, 8000000, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_catalog *c = NULL;
        weir_problems problems = WEIR_PROBLEMS_INIT;
        assert_int_equal(weir_yaml_load_text(cases[i].yaml, strlen(cases[i].yaml), "weir.yaml",
                                             NULL, &c, &problems),
                         WEIR_OK);
        const weir_store_config *s = &c->store;
        assert_int_equal(s->n_retention, cases[i].n_rules);
        if (s->n_retention > 0)
            assert_int_equal(s->retention[0].keep_us, cases[i].keep_us);
        if (s->n_retention == 2) {
            assert_int_equal(s->retention[0].n_tags, 2);
            assert_string_equal(s->retention[0].tags[1], "b/*");
            assert_int_equal(s->retention[0].max_bytes, 100000000);
            assert_string_equal(s->retention[1].tags[0], "*");
        }
        assert_int_equal(s->max_bytes, cases[i].max_bytes);
        assert_int_equal(s->max_percent, cases[i].max_percent);
        assert_int_equal(s->when_full, WEIR_FULL_DROP_OLDEST);
        assert_int_equal(s->detached_after_us, 7 * WEIR_DAY);
        assert_int_equal(s->min_free, 500000000);
        assert_false(s->min_free_given);
        weir_catalog_free(c);
    }
}

static void more_intervals_than_fit_are_refused(void **state)
{
    (void)state;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    weir_text_add(&t, LINE "devices:\n  - name: d\n    connection: line\n    unit_id: 1\n"
                           "    points:\n");
    for (int i = 0; i <= WEIR_INTERVALS_MAX; i++)
        weir_text_format(&t, "      - {name: p%d, register: coil, address: %d, interval: %ds}\n", i,
                         i, i + 1);
    load_bad(weir_text_get(&t), " different intervals: at most ");
}

/* ---- YAML's own means ---- */

static void anchors_and_merge_keys_serve_devices(void **state)
{
    (void)state;
    weir_catalog *c =
        load_good("x-slow: &slow {timeout: 5s, retries: 0}\n"
                  "connections:\n"
                  "  - {name: a, uri: \"tcp://10.0.0.1\", <<: *slow}\n"
                  "  - {name: b, uri: \"rtu+tcp://[::1]:4001\", <<: *slow, retries: 2}\n"
                  "  - {name: c, uri: \"simulated:\"}\n"
                  "devices:\n"
                  "  - &d {name: \"{connection}-m\", connection: a, unit_id: 1, "
                  "interval: 1s, profile: meter}\n"
                  "  - {<<: *d, connection: b}\n"
                  "  - {<<: *d, connection: c}\n");
    assert_int_equal(c->connections[0].timeout_us, 5 * WEIR_S);
    assert_int_equal(c->connections[1].retries, 2);
    assert_int_equal(c->connections[1].uri.scheme, WEIR_SCHEME_RTU_TCP);
    assert_string_equal(c->connections[1].uri.host, "::1");
    assert_string_equal(c->devices[0].name, "a-m");
    assert_string_equal(c->devices[2].name, "c-m");
    assert_ptr_equal(c->devices[2].points, c->devices[0].points);
    weir_catalog_free(c);
}

static void a_device_of_a_simulated_connection_needs_no_unit_id(void **state)
{
    (void)state;
    weir_catalog *c =
        load_good("connections: [{name: s, uri: 'simulated:'}]\n"
                  "devices: [{name: d, connection: s, interval: 1s, profile: far}]\n");
    assert_int_equal(c->devices[0].unit_id, 1);
    weir_catalog_free(c);
}

/* ---- simulation ---- */

static void a_profile_alone_is_a_device_to_simulate(void **state)
{
    (void)state;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    assert_int_equal(weir_yaml_load_simulation("far", &options, &c, &problems), WEIR_OK);
    assert_int_equal(c->connections[0].uri.scheme, WEIR_SCHEME_SIMULATED);
    assert_string_equal(c->devices[0].name, "far");
    assert_int_equal(c->devices[0].unit_id, 1);
    assert_int_equal(c->devices[0].intervals[0], WEIR_S);
    weir_catalog_free(c);
    c = NULL;
    assert_int_equal(
        weir_yaml_load_simulation("plant/profiles/meter.yaml", &options, &c, &problems), WEIR_OK);
    assert_int_equal(c->devices[0].n_points, 4);
    weir_catalog_free(c);
    c = NULL;
    assert_int_equal(weir_yaml_load_simulation("fra", &options, &c, &problems), WEIR_ECONFIG);
    assert_string_equal(problems.items[0].text,
                        "there is no profile 'fra': looked for fra.yaml in profiles, elsewhere");
    weir_problems_deinit(&problems);
}

/* ---- tables and memory ---- */

static void check_table(const weir_option *table)
{
    for (const weir_option *row = table; row->name; row++) {
        assert_non_null(row->text);
        assert_int_equal(row->text[strlen(row->text) - 1], '.');
        for (const weir_option *other = table; other != row; other++)
            assert_string_not_equal(other->name, row->name);
    }
}

static void every_row_has_a_sentence_and_a_name_of_its_own(void **state)
{
    (void)state;
    size_t n;
    const weir_yaml_table *tables = weir_yaml_tables(&n);
    assert_int_equal(n, 15);
    for (size_t i = 0; i < n; i++)
        check_table(tables[i].table);
}

static void the_clock_is_trusted_by_one_of_two_rules(void **state)
{
    static const struct {
        const char *text;
        weir_clock_rule rule;
    } cases[] = {
        {"data_dir: memory\n", WEIR_CLOCK_PLAUSIBLE},
        {"clock: {}\n", WEIR_CLOCK_PLAUSIBLE},
        {"clock: {trust: plausible}\n", WEIR_CLOCK_PLAUSIBLE},
        {"clock: {trust: ntp}\n", WEIR_CLOCK_NTP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_catalog *c = load_good(cases[i].text);
        assert_int_equal(c->clock_rule, cases[i].rule);
        weir_catalog_free(c);
    }
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    assert_int_equal(load("clock: {trust: gps}\n", &c, &problems), WEIR_ECONFIG);
    weir_problems_deinit(&problems);
}

static void short_memory_never_gives_half_a_catalog(void **state)
{
    (void)state;
    size_t n = 0;
    for (bool done = false; !done; n++) {
        assert_true(n < 1000); /* far more than a load needs */
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_catalog *c = NULL;
        weir_alloc_fail_nth(n + 1, true);
        weir_err err = load(LINE "devices: [{name: 'm{unit_id}', connection: line, unit_id: 1-9, "
                                 "interval: 1s, profile: meter-plus, only: 'current_*'}]\n",
                            &c, &problems);
        weir_alloc_fail_nth(0, false);
        done = err == WEIR_OK;
        assert_int_equal(c != NULL, done);
        weir_catalog_free(c);
        weir_problems_deinit(&problems);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_lines_make_four_devices),
        cmocka_unit_test(devices_of_a_template_share_their_points),
        cmocka_unit_test(equal_points_are_shared_wherever_they_were_written),
        cmocka_unit_test(a_thousand_devices_of_fifty_points_stay_small),
        cmocka_unit_test(a_profile_is_found_beside_the_file_and_in_the_folders),
        cmocka_unit_test(a_devices_point_changes_only_the_keys_it_has),
        cmocka_unit_test(a_profile_changes_what_it_inherits),
        cmocka_unit_test(only_chooses_and_own_points_stay),
        cmocka_unit_test(multiply_scales_what_its_pattern_matches),
        cmocka_unit_test(a_factor_for_points_that_only_leaves_out_is_no_mistake),
        cmocka_unit_test(patterns_that_overlap_are_refused),
        cmocka_unit_test(numbers_are_decimal_and_quoted_modicon_addresses_name_their_table),
        cmocka_unit_test(na_words_have_the_width_of_their_type),
        cmocka_unit_test(a_deadband_is_in_the_values_unit_or_a_share_of_its_span),
        cmocka_unit_test(a_devices_deadband_is_for_its_points_that_give_none),
        cmocka_unit_test(a_point_has_all_it_was_given),
        cmocka_unit_test(every_point_can_be_simulated_within_its_type),
        cmocka_unit_test(overlapping_points_may_be_equal_contained_or_allowed),
        cmocka_unit_test(the_limits_of_the_store_are_durations_sizes_and_rules),
        cmocka_unit_test(more_intervals_than_fit_are_refused),
        cmocka_unit_test(anchors_and_merge_keys_serve_devices),
        cmocka_unit_test(a_device_of_a_simulated_connection_needs_no_unit_id),
        cmocka_unit_test(a_profile_alone_is_a_device_to_simulate),
        cmocka_unit_test(every_row_has_a_sentence_and_a_name_of_its_own),
        cmocka_unit_test(the_clock_is_trusted_by_one_of_two_rules),
        cmocka_unit_test(short_memory_never_gives_half_a_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

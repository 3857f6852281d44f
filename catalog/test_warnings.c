/* SPDX-License-Identifier: MIT */
/* Warnings about a catalog: each told once, at its place, and none about what may be meant. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "catalog/test_sink_type.h"
#include "catalog/warnings.h"
#include "catalog/yaml.h"

#define LINE "connections: [{name: line, uri: 'tcp://10.0.0.1'}]\n"
/* Flow mappings, one a line, so that the expected lines can be counted. */
#define POINT "{name: a, register: holding, address: 0, type: uint16}"
#define METER "{name: m1, connection: line, unit_id: 1, interval: 1s, points: [" POINT "]}"

static weir_err no_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    (void)data;
    (void)ret;
    return weir_fail(error, WEIR_ENOTFOUND, "cannot read %s", path);
}

static void expect(const char *yaml, const char *expected)
{
    const weir_yaml_files files = {.read = no_read};
    const weir_yaml_options options = {.files = &files, .sink_type = find_ledger};
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    weir_problems problems = WEIR_PROBLEMS_INIT, warnings = WEIR_PROBLEMS_INIT;
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    const weir_err err =
        weir_yaml_load_text(yaml, strlen(yaml), "w", &options, &catalog, &problems);
    for (size_t i = 0; i < problems.n; i++)
        weir_problem_format(&problems.items[i], &said);
    assert_string_equal(weir_text_get(&said), "");
    assert_int_equal(err, WEIR_OK);
    weir_catalog_warn(catalog, &warnings);
    for (size_t i = 0; i < warnings.n; i++) {
        weir_problem_format(&warnings.items[i], &said);
        weir_text_add(&said, "\n");
    }
    assert_string_equal(weir_text_get(&said), expected);
    weir_problems_deinit(&problems);
    weir_problems_deinit(&warnings);
}

static void what_is_not_meant_is_told_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *expected;
    } cases[] = {
        {"connections: [{name: line, uri: 'simulated:'}]\n",
         "w: there is no device: nothing is read\n"
         "w:1:15: no device is on connection 'line': nothing is read over it\n"},
        {LINE "devices:\n  - " METER "\n"
              "  - {name: m2, connection: line, unit_id: 1, interval: 5s, points: "
              "[{name: b, register: holding, address: 0, type: float32}]}\n",
         "w:4:5: devices 'm1' and 'm2' are the same unit 1 of tcp://10.0.0.1: holding 0 is read "
         "for "
         "both. Is one of the unit ids wrong?\n"},
        /* Over another connection it is the same device too. */
        {"connections:\n  - {name: line, uri: 'tcp://10.0.0.1'}\n"
         "  - {name: more, uri: 'tcp://10.0.0.1:502'}\n"
         "devices:\n  - " METER "\n"
         "  - {name: m2, connection: more, unit_id: 1, interval: 1s, points: [" POINT "]}\n",
         "w:6:5: devices 'm1' and 'm2' are the same unit 1 of tcp://10.0.0.1:502: holding 0 is "
         "read "
         "for both. Is one of the unit ids wrong?\n"},
        {"connections:\n  - {name: line, uri: 'rtu+tcp://10.0.0.1:4001'}\n"
         "  - {name: more, uri: 'rtu+tcp://10.0.0.1:4001'}\n"
         "devices:\n  - " METER "\n"
         "  - {name: m2, connection: more, unit_id: 250, interval: 1s, points: [" POINT "]}\n",
         "w:3:5: connections 'line' and 'more' lead to the same serial line "
         "(rtu+tcp://10.0.0.1:4001): their requests collide there. Put all its devices on one\n"
         "w:6:5: device 'm2' has unit id 250: on a serial line they go from 1 to 247\n"},
        {LINE "devices:\n  - {name: m1, connection: line, unit_id: 1, interval: 1s, points: [" POINT
              ",\n    {name: b, register: holding, address: 0, type: uint16}]}\n",
         "w:4:1: points 'a' and 'b' are the same value: holding 0. Is an address wrong? If it is "
         "meant, say allow_overlap: true\n"},
        {LINE "devices:\n  - {name: m1, connection: line, unit_id: 1, interval: 2h, points: "
              "[{name: a, register: holding, address: 0, type: uint16, deadband: 1}]}\n",
         "w:3:1: the deadband of point 'a' leaves nothing out: its max_unchanged_interval (1h) is "
         "not longer than its interval (2h)\n"},
        {LINE "devices:\n  - {name: m1, connection: line, unit_id: 1, interval: 1s, enabled: "
              "false, points: [" POINT "]}\n",
         "w:3:5: every device or its connection is disabled: nothing is read\n"},
        {LINE "store: {retention: [{tags: '*', keep: 30d}, {tags: 'm1/*', keep: 1d}, {tags: x, "
              "keep: 1d}]}\ndevices:\n  - " METER "\n",
         "w: store.retention: rule 2 never counts: one before it is for all tags. Write that one "
         "last\n"
         "w: store.retention: rule 3 never counts: one before it is for all tags. Write that one "
         "last\n"
         "w: store.retention: the pattern \"x\" matches no tag\n"},
        {LINE "devices:\n  - " METER "\nsinks:\n  - {name: one, type: ledger, path: a}\n"
              "  - {name: two, type: ledger, path: a}\n",
         "w:6:5: sinks 'one' and 'two' write the same file a: give each its own\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].yaml, cases[i].expected);
}

static void what_may_be_meant_is_not_told(void **state)
{
    (void)state;
    static const char *const cases[] = {
        LINE "devices:\n  - " METER "\n",
        /* One unit in two parts, with registers of their own. */
        LINE "devices:\n  - " METER "\n  - {name: m2, connection: line, unit_id: 1, interval: 5s, "
             "points: [{name: b, register: holding, address: 1, type: float32}]}\n",
        /* The same address in another table. */
        LINE "devices:\n  - " METER "\n  - {name: m2, connection: line, unit_id: 1, interval: 5s, "
             "points: [{name: b, register: input, address: 0, type: float32}]}\n",
        /* Of which one is not read. */
        LINE "devices:\n  - " METER "\n  - {name: m2, connection: line, unit_id: 1, interval: 5s, "
             "enabled: false, points: [" POINT "]}\n",
        /* Two ways to one server, for speed. */
        "connections: [{name: line, uri: 'tcp://10.0.0.1'}, {name: more, uri: 'tcp://10.0.0.1'}]\n"
        "devices:\n  - " METER
        "\n  - {name: m2, connection: more, unit_id: 2, interval: 1s, points: [" POINT "]}\n",
        /* No bus, no collision. */
        "connections: [{name: line, uri: 'simulated:'}, {name: more, uri: 'simulated:'}]\n"
        "devices:\n  - " METER
        "\n  - {name: m2, connection: more, unit_id: 1, interval: 1s, points: [" POINT "]}\n",
        /* A word and its bits, a number and its text; and what is said to be meant. */
        LINE "devices:\n  - {name: m1, connection: line, unit_id: 1, interval: 1s, points: [" POINT
             ", {name: b, register: holding, address: 0, bit: 0}, {name: c, register: holding, "
             "address: 0, bit: 1}, {name: d, register: holding, address: 0, type: uint16, enum: "
             "{0: off}}, {name: e, register: holding, address: 5, type: uint16}, {name: f, "
             "register: holding, address: 5, type: uint16, allow_overlap: true}]}\n",
        LINE "store: {retention: [{tags: 'm1/*', keep: 1d}, {tags: '*', keep: 30d}]}\ndevices:\n  "
             "- " METER "\n",
        LINE "devices:\n  - " METER "\nsinks:\n  - {name: one, type: ledger, path: a}\n"
             "  - {name: two, type: ledger, path: a, enabled: false}\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i], "");
}

static void memory_that_is_short_is_remembered(void **state)
{
    (void)state;
    static const char yaml[] = LINE "devices:\n  - " METER "\n";
    const weir_yaml_files files = {.read = no_read};
    const weir_yaml_options options = {.files = &files};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    assert_int_equal(weir_yaml_load_text(yaml, sizeof yaml - 1, "w", &options, &catalog, &problems),
                     WEIR_OK);
    for (size_t n = 1; n <= 3; n++) {
        weir_problems warnings = WEIR_PROBLEMS_INIT;
        (void)weir_alloc_fail_nth(n, false);
        weir_catalog_warn(catalog, &warnings);
        (void)weir_alloc_fail_nth(0, false);
        assert_true(warnings.failed);
        weir_problems_deinit(&warnings);
    }
    weir_problems_deinit(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_meant_is_told_at_its_place),
        cmocka_unit_test(what_may_be_meant_is_not_told),
        cmocka_unit_test(memory_that_is_short_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Several files as one configuration: includes, joined lists, defaults, and whose place is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "catalog/builder.h"
#include "catalog/yaml.h"

struct file {
    const char *path, *text;
};

static weir_err files_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    for (const struct file *file = data; file->path; file++)
        if (!strcmp(file->path, path)) {
            weir_text_add(ret, file->text);
            return WEIR_OK;
        }
    return weir_fail(error, WEIR_ENOTFOUND, "cannot read %s: there is none", path);
}

static void files_list(void *data, const char *folder, void (*on_name)(void *arg, const char *name),
                       void *arg)
{
    const size_t n = strlen(folder);
    for (const struct file *file = data; file->path; file++)
        if (!strncmp(file->path, folder, n) && file->path[n] == '/' &&
            !strchr(file->path + n + 1, '/'))
            on_name(arg, file->path + n + 1);
}

/* Loads the first file; ret_said: all problems, a line each. */
static weir_catalog *load(const struct file *list, weir_text *ret_said)
{
    const weir_yaml_files files = {
        .data = (void *)(uintptr_t)list, .read = files_read, .list = files_list};
    const weir_yaml_options options = {.files = &files};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    const weir_err err = weir_yaml_load(list[0].path, &options, &catalog, &problems);
    assert_int_equal(err == WEIR_OK, problems.n == 0 && catalog);
    for (size_t i = 0; i < problems.n; i++) {
        weir_problem_format(&problems.items[i], ret_said);
        weir_text_add(ret_said, "\n");
    }
    weir_problems_deinit(&problems);
    return catalog;
}

static weir_catalog *load_good(const struct file *list)
{
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    weir_catalog *catalog = load(list, &said);
    assert_string_equal(weir_text_get(&said), "");
    assert_non_null(catalog);
    return catalog;
}

static void assert_says(const struct file *list, const char *want)
{
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    assert_null(load(list, &said));
    if (!strstr(weir_text_get(&said), want))
        fail_msg("wanted: %s\nsaid: %s", want, weir_text_get(&said));
}

#define LINE "connections: [{name: c, uri: 'tcp://h'}]\n"
#define DEVICE(name, unit)                                                                    \
    "devices:\n  - {name: " name ", connection: c, unit_id: " unit ", interval: 1s, points: " \
    "[{name: p, register: coil, address: 3}]}\n"

static void included_files_are_found_beside_the_one_that_names_them(void **state)
{
    static const struct file files[] = {
        {"etc/weir.yaml", "include: [a/hall.yaml, 'conf.d/*.yaml', 'none/*.yaml']\n" LINE},
        {"etc/a/hall.yaml", "include: more/b.yaml\n" DEVICE("m1", "1")},
        {"etc/a/more/b.yaml", "include: ../../deep.yaml\n" DEVICE("m2", "2")},
        {"etc/deep.yaml", DEVICE("m3", "3")},
        {"etc/conf.d/20.yaml", DEVICE("m20", "20")},
        {"etc/conf.d/10.yaml", DEVICE("m10", "10")},
        {"etc/conf.d/.10.yaml.swp", "no: yaml: at all"},
        {"etc/conf.d/notes.txt", "no: yaml: at all"},
        {0}};
    static const char *const order[] = {"m1", "m2", "m3", "m10", "m20"};
    (void)state;
    weir_catalog *c = load_good(files);
    assert_int_equal(c->n_devices, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(c->devices[i].name, order[i]);
    assert_string_equal(c->devices[2].where.file, "etc/deep.yaml");
    assert_int_equal(c->devices[2].where.line, 2);
    weir_catalog_free(c);
}

static void a_circle_of_includes_is_named(void **state)
{
    static const struct file files[] = {{"w.yaml", "include: a.yaml\n" LINE},
                                        {"a.yaml", "include: ./b.yaml\n"},
                                        {"b.yaml", "x-y: 1\ninclude: x/../a.yaml\n"},
                                        {0}};
    static const struct file self[] = {{"w.yaml", "include: w.yaml\n"}, {0}};
    (void)state;
    assert_says(files, "b.yaml:2:10: include: a.yaml includes b.yaml includes a.yaml: break the "
                       "circle");
    assert_says(self, "w.yaml:1:10: include: w.yaml includes w.yaml: break the circle");
}

static void what_cannot_be_included_is_said_at_its_name(void **state)
{
    static const struct file missing[] = {{"w.yaml", "include:\n  - a.yaml\n"}, {0}};
    static const struct file twice[] = {{"w.yaml", "include: [a.yaml, b.yaml]\n"},
                                        {"a.yaml", "include: b.yaml"},
                                        {"b.yaml", LINE},
                                        {0}};
    static const struct file list[] = {{"w.yaml", "include: a.yaml\n"}, {"a.yaml", "- 1\n"}, {0}};
    static const struct file broken[] = {
        {"w.yaml", "include: a.yaml\n"}, {"a.yaml", "a: [1\n"}, {0}};
    static const struct file folder[] = {{"w.yaml", "include: '*/a.yaml'\n"}, {0}};
    static const struct file kind[] = {{"w.yaml", "include: {a: 1}\n"}, {0}};
    (void)state;
    assert_says(missing, "w.yaml:2:5: include: cannot read a.yaml: there is none");
    assert_says(twice, "w.yaml:1:19: include: b.yaml is included already, at a.yaml:1:10");
    assert_says(list, "a.yaml:1:1: an included file has keys at its top");
    assert_says(broken, "a.yaml:2:1: a '[' is not closed");
    assert_says(folder, "w.yaml:1:10: include: * and ? may stand in the name of the file");
    assert_says(kind, "w.yaml:1:10: 'include' must be a list, not a mapping");
}

static void a_name_given_twice_names_both_places(void **state)
{
    static const struct file devices[] = {
        {"w.yaml", "include: a.yaml\n" LINE DEVICE("m", "1")}, {"a.yaml", DEVICE("m", "2")}, {0}};
    static const struct file connections[] = {
        {"w.yaml", "include: a.yaml\n" LINE}, {"a.yaml", LINE}, {0}};
    (void)state;
    assert_says(devices, "a.yaml:2:12: the device name 'm' is already used at w.yaml:4:5");
    assert_says(connections, "a.yaml:1:22: the connection name 'c' is already used at w.yaml:2:15");
}

static void a_single_value_stands_in_one_file_and_sections_add_up(void **state)
{
    static const struct file twice[] = {
        {"w.yaml", "include: a.yaml\ndata_dir: one\nlog: {level: info}\nx-a: 1\n"},
        {"a.yaml", "data_dir: two\nlog: {format: json, level: debug}\nx-a: 2\n"},
        {0}};
    static const struct file good[] = {{"w.yaml", "include: a.yaml\nlog: {level: debug}\n"},
                                       {"a.yaml", "data_dir: two\nlog: {format: json}\n"},
                                       {0}};
    (void)state;
    assert_says(twice, "a.yaml:1:11: 'data_dir' is given twice, first at w.yaml:2:11: keep one");
    assert_says(twice, "a.yaml:2:28: 'level' is given twice, first at w.yaml:3:14: keep one");
    weir_catalog *c = load_good(good);
    assert_string_equal(c->store.data_dir, "two");
    assert_int_equal(c->log_level, WEIR_LOG_DEBUG);
    assert_int_equal(c->log_format, WEIR_LOG_FORMAT_JSON);
    weir_catalog_free(c);
}

/* ---- defaults ---- */

static void defaults_hold_where_an_entry_says_nothing(void **state)
{
    static const struct file files[] = {
        {"w.yaml", "include: a.yaml\n"
                   "defaults:\n"
                   "  connections: {timeout: 3s, retries: 4}\n"
                   "  devices: {interval: 5s, max_hole_registers: 2}\n"
                   "  points: {register: holding, type: int16, scale: 0.1}\n"
                   "connections: [{name: c, uri: 'tcp://h', retries: 0}]\n"},
        {"a.yaml", "devices:\n"
                   "  - {name: m, connection: c, unit_id: 1, max_hole_registers: 7, points: "
                   "[{name: a, address: 1}, {name: b, address: 2, type: uint16, interval: 1s}]}\n"},
        {0}};
    (void)state;
    weir_catalog *c = load_good(files);
    assert_int_equal(c->connections[0].timeout_us, 3000000);
    assert_int_equal(c->connections[0].retries, 0);
    assert_int_equal(c->devices[0].max_hole_registers, 7);
    assert_int_equal(c->devices[0].points[0].type, WEIR_TYPE_INT16);
    assert_int_equal(c->devices[0].points[0].table, WEIR_REGISTER_HOLDING);
    assert_int_equal(c->devices[0].points[0].interval_us, 5000000);
    assert_int_equal(c->devices[0].points[1].type, WEIR_TYPE_UINT16);
    assert_int_equal(c->devices[0].points[1].interval_us, 1000000);
    weir_catalog_free(c);
}

static void a_profiles_points_keep_what_their_profile_says(void **state)
{
    static const struct file files[] = {
        {"w.yaml", "defaults: {points: {scale: 10, unit: kW}}\n" LINE
                   "devices: [{name: m, connection: c, unit_id: 1, profile: p, interval: 1s, "
                   "points: [{name: a, unit: A}, {name: n, register: input, address: 9, type: "
                   "int16}]}]\n"},
        {"profiles/p.yaml", "name: p\nsource: s\npoints: [{name: a, register: input, address: 1, "
                            "type: int16, scale: 0.1}]\n"},
        {0}};
    (void)state;
    weir_catalog *c = load_good(files);
    assert_string_equal(c->devices[0].points[0].unit, "A");
    assert_float_equal(c->devices[0].points[0].scale, 0.1, 1e-12);
    assert_string_equal(c->devices[0].points[1].unit, "kW");
    weir_catalog_free(c);
}

static void a_wrong_default_is_told_once_where_it_stands(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"defaults:\n  devices: {intervall: 5s}\n",
         "w.yaml:2:13: unknown key 'intervall': did you mean 'interval'?\n"},
        {"defaults:\n  points: {name: x}\n", "w.yaml:2:18: no default can be a name"},
        {"defaults:\n  devises: {}\n",
         "w.yaml:2:3: unknown key 'devises': did you mean 'devices'?"},
        {"defaults: 7\n", "w.yaml:1:11: 'defaults' must be a mapping"},
        {"defaults: {connections: [1]}\n", "w.yaml:1:25: 'connections' must be a mapping"},
        {"defaults: {connections: {timeout: 7}}\n" LINE, "w.yaml:1:35: timeout must be a duration"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct file files[] = {{"w.yaml", cases[i].text}, {0}};
        WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
        assert_null(load(files, &said));
        const char *at = strstr(weir_text_get(&said), cases[i].want);
        if (!at)
            fail_msg("wanted: %s\nsaid: %s", cases[i].want, weir_text_get(&said));
        assert_null(strstr(at + 1, cases[i].want));
    }
}

/* ---- by code ---- */

static void a_document_made_by_code_knows_its_rows(void **state)
{
    (void)state;
    weir_builder *b = weir_builder_new("config.db");
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_text(b, "devices");
    weir_builder_open(b, WEIR_NODE_LIST);
    weir_builder_place(b, "config.db, table device, row", 7);
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_pair(b, "name", "m07");
    weir_builder_place(b, "meters, type 'x'", 0);
    weir_builder_text(b, "points");
    weir_builder_open(b, WEIR_NODE_LIST);
    const uint32_t points = weir_builder_close(b);
    (void)weir_builder_close(b);
    weir_builder_repeat(b, points);
    (void)weir_builder_close(b);
    (void)weir_builder_close(b);
    weir_document *d = weir_builder_finish(b);
    assert_non_null(d);
    const weir_node list = weir_node_get(weir_document_root(d), "devices");
    const weir_node device = weir_node_item(list, 0);
    assert_int_equal(weir_node_count(list), 2);
    assert_string_equal(weir_node_text(weir_node_get(device, "name")), "m07");
    assert_true(weir_node_item(list, 1).id == weir_node_get(device, "points").id);
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_where where = weir_node_where(device);
    weir_where_format(&where, &text);
    weir_text_add(&text, " | ");
    where = weir_node_where(weir_node_get(device, "points"));
    weir_where_format(&where, &text);
    assert_string_equal(weir_text_get(&text), "config.db, table device, row 7 | meters, type 'x'");
    weir_document_free(d);
}

static void short_memory_never_gives_half_a_document(void **state)
{
    static const struct file files[] = {
        {"w.yaml", "include: a.yaml\ndefaults: {devices: {interval: 2s}}\n" LINE},
        {"a.yaml", DEVICE("m", "1")},
        {0}};
    (void)state;
    for (size_t n = 1;; n++) {
        const weir_yaml_files disk = {.data = (void *)(uintptr_t)files, .read = files_read};
        const weir_yaml_options options = {.files = &disk};
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_catalog *catalog = NULL;
        (void)weir_alloc_fail_nth(n, false);
        const weir_err err = weir_yaml_load("w.yaml", &options, &catalog, &problems);
        const size_t counted = weir_alloc_fail_nth(0, false);
        assert_true(err == WEIR_OK ? catalog != NULL : catalog == NULL);
        weir_problems_deinit(&problems);
        weir_catalog_free(catalog);
        if (err == WEIR_OK && counted < n)
            break;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(included_files_are_found_beside_the_one_that_names_them),
        cmocka_unit_test(a_circle_of_includes_is_named),
        cmocka_unit_test(what_cannot_be_included_is_said_at_its_name),
        cmocka_unit_test(a_name_given_twice_names_both_places),
        cmocka_unit_test(a_single_value_stands_in_one_file_and_sections_add_up),
        cmocka_unit_test(defaults_hold_where_an_entry_says_nothing),
        cmocka_unit_test(a_profiles_points_keep_what_their_profile_says),
        cmocka_unit_test(a_wrong_default_is_told_once_where_it_stands),
        cmocka_unit_test(a_document_made_by_code_knows_its_rows),
        cmocka_unit_test(short_memory_never_gives_half_a_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

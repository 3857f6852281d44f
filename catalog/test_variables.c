/* SPDX-License-Identifier: MIT */
/* Variables of environment files in a configuration: values, cron, time zone, where they are from.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/test_zone.h"
#include "catalog/effective.h"
#include "catalog/test_sink_type.h"
#include "catalog/yaml.h"

static const struct {
    const char *path, *text;
} files[] = {
    {"plant/.env", "HOST=h1\nPORT=1502\nTZ=Europe/Berlin\nEMPTY=\nSECRET=Hunter2\nDIR=sub\n"},
    {"plant/b.env", "PORT=2502\n"},
    {"cli.env", "PORT=3502\n"},
    {"wrong.env", "A=1\nB\n?\n"},
    {"plant/sub/more.yaml", "connections:\n  - name: more\n    uri: tcp://${HOST}\n"},
    {"plant/own.yaml", "env_file: b.env\n"},
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

static bool env_is_open(void *data, const char *path)
{
    (void)data;
    return !strcmp(path, "plant/.env");
}

static weir_err zone_of(const char *name, const weir_zone **ret, weir_zone **ret_owned,
                        weir_error *error)
{
    *ret = weir_zone_utc();
    *ret_owned = NULL;
    if (!strcmp(name, "local") || !strcmp(name, "UTC"))
        return WEIR_OK;
    if (strcmp(name, "Europe/Berlin") != 0)
        return weir_fail(error, WEIR_ENOTFOUND, "no time zone '%s'", name);
    *ret = *ret_owned = zone_of_name(name);
    return WEIR_OK;
}

static const weir_yaml_files memory = {.read = memory_read, .others_read = env_is_open};

struct loaded {
    weir_catalog *catalog;
    weir_text said; /* problems, then warnings */
};

static struct loaded load_with(const char *text, const char *const *env_files, size_t n,
                               weir_effective *effective)
{
    struct loaded l = {.said = WEIR_TEXT_INIT};
    weir_problems problems = WEIR_PROBLEMS_INIT, warnings = WEIR_PROBLEMS_INIT;
    const weir_yaml_options options = {.files = &memory,
                                       .sink_type = find_ledger,
                                       .zone = zone_of,
                                       .warnings = &warnings,
                                       .effective = effective,
                                       .n_env_files = n,
                                       .env_files = env_files};
    (void)!weir_yaml_load_text(text, strlen(text), "plant/weir.yaml", &options, &l.catalog,
                               &problems);
    for (size_t i = 0; i < problems.n; i++) {
        weir_problem_format(&problems.items[i], &l.said);
        weir_text_add(&l.said, "\n");
    }
    for (size_t i = 0; i < warnings.n; i++) {
        weir_text_add(&l.said, "warning ");
        weir_problem_format(&warnings.items[i], &l.said);
        weir_text_add(&l.said, "\n");
    }
    weir_problems_deinit(&problems);
    weir_problems_deinit(&warnings);
    return l;
}

static struct loaded load(const char *text)
{
    return load_with(text, NULL, 0, NULL);
}

static void unload(struct loaded *l)
{
    weir_catalog_free(l->catalog);
    weir_text_deinit(&l->said);
}

static void expect_port(struct loaded l, unsigned port)
{
    assert_string_equal(weir_text_get(&l.said), "");
    assert_int_equal(l.catalog->connections[0].uri.port, port);
    unload(&l);
}

#define LINE "connections: [{name: \"c-${HOST}\", uri: \"tcp://${HOST}:${PORT}\"}]\n"

static void a_value_is_taken_from_the_files_the_last_of_which_wins(void **state)
{
    (void)state;
    static const char *const cli[] = {"cli.env"};
    assert_int_equal(unsetenv("PORT"), 0);
    struct loaded l = load("env_file: .env\n" LINE);
    assert_string_equal(weir_text_get(&l.said), "");
    assert_string_equal(l.catalog->connections[0].name, "c-h1");
    assert_string_equal(l.catalog->connections[0].uri.host, "h1");
    unload(&l);
    expect_port(load("env_file: .env\n" LINE), 1502);
    expect_port(load("env_file: [.env, b.env]\n" LINE), 2502);
    expect_port(load("env_file: [b.env, .env]\n" LINE), 1502);
    expect_port(load_with("env_file: .env\n" LINE, cli, 1, NULL), 3502);
    assert_int_equal(setenv("PORT", "4502", 1), 0);
    expect_port(load_with("env_file: .env\n" LINE, cli, 1, NULL), 4502);
    assert_int_equal(unsetenv("PORT"), 0);
}

static void included_files_have_them_too(void **state)
{
    (void)state;
    struct loaded l = load("env_file: .env\ninclude: \"${DIR}/more.yaml\"\n");
    assert_string_equal(weir_text_get(&l.said), "");
    assert_string_equal(l.catalog->connections[0].uri.host, "h1");
    unload(&l);
}

static void what_cannot_be_replaced_is_told_where_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"connections: [{name: c, uri: \"tcp://${NOPE}\"}]\n",
         "plant/weir.yaml:1:30: the environment variable NOPE is not set: set it where weir is "
         "started or in env_file, or write ${NOPE:-default}\n"},
        {"connections: [{name: c, uri: \"tcp://${HOST\"}]\n",
         "plant/weir.yaml:1:30: \"${...}\" must have the name"},
        {"env_file: .env\nconnections: [{name: c, uri: \"tcp://h:${HOST}\"}]\n",
         "plant/weir.yaml:2:30: "},
        {"env_file: .env\nconnections: [{name: c, uri: tcp://h, retries: \"${HOST}\"}]\n",
         "plant/weir.yaml:2:48: retries must be a whole number, not \"h1\" (HOST of plant/.env:1)"},
        {"env_file: gone.env\n", "plant/weir.yaml:1:11: env_file: cannot read plant/gone.env\n"},
        {"env_file: [.env, gone.env]\n", "plant/weir.yaml:1:18: env_file: cannot read"},
        {"env_file: ../wrong.env\n", "wrong.env:3:1: NAME=VALUE is wanted"},
        {"env_file: {a: b}\n", "plant/weir.yaml:1:11: 'env_file' must be a list"},
        {"include: own.yaml\n", "plant/own.yaml:1:11: env_file stands in the first file only"},
        {"include: \"${NOPE}/a.yaml\"\n",
         "plant/weir.yaml:1:10: the environment variable NOPE is not set"},
        {"store: {retention: [{tags: \"${NOPE}\", keep: 1d}]}\n",
         "plant/weir.yaml:1:28: the environment variable NOPE is not set"},
        {"connections: [{name: c, uri: 'simulated:'}]\ndevices: [{name: d, connection: c, "
         "interval: "
         "1s, points: [{name: p, register: hr, address: 0, type: uint16, enum: {0: "
         "\"${NOPE}\"}}]}]",
         "plant/weir.yaml:2:119: the environment variable NOPE is not set"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct loaded l = load(cases[i].text);
        const char *said = weir_text_get(&l.said);
        if (strncmp(said, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%ssays: %snot:  %s", cases[i].text, said, cases[i].want);
        assert_null(l.catalog);
        unload(&l);
    }
}

static void what_nobody_reads_needs_no_variables(void **state)
{
    (void)state;
    struct loaded l = load("x-later: ${NOPE}\nconnections: [{name: c, uri: 'simulated:'}]\n");
    assert_string_equal(weir_text_get(&l.said), "");
    unload(&l);
}

static void a_dollar_can_be_written_and_keys_are_left_alone(void **state)
{
    (void)state;
    struct loaded l = load("x-a: {\"${NOPE}\": 1}\n"
                           "connections: [{name: \"$${HOST} $c $$\", uri: 'simulated:'}]\n");
    assert_string_equal(weir_text_get(&l.said), "");
    assert_string_equal(l.catalog->connections[0].name, "${HOST} $c $$");
    unload(&l);
}

#define DEVICE                                                                               \
    "connections: [{name: c, uri: 'simulated:'}]\n"                                          \
    "devices: [{name: d, connection: c, points: [{name: p, register: hr, address: 0, type: " \
    "uint16}]}]\n"

static void cron_fields_may_be_unset_or_empty(void **state)
{
    (void)state;
    static const struct {
        const char *hour, *minute, *second, *want;
    } cases[] = {
        {"*", "*/5", "0", "0 */5 * * * *"}, {NULL, NULL, NULL, "* * * * * *"},
        {"", "", "", "* * * * * *"},        {NULL, "7", NULL, "0 7 * * * *"},
        {"3", "", NULL, "0 0 3 * * *"},     {"", NULL, "30", "30 * * * * *"},
    };
    static const char *const plans[] = {
        "plans: [{name: a, tags: '*', cron: {hour: \"${CRON_HOUR}\", minute: \"${CRON_MINUTE}\", "
        "second: \"${CRON_SECOND}\"}}]\n",
        "plans:\n- name: a\n  tags: '*'\n  cron:\n    hour: ${CRON_HOUR}\n    minute: "
        "${CRON_MINUTE}\n    second: ${CRON_SECOND}\n"};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *const values[] = {cases[i / 2].hour, cases[i / 2].minute, cases[i / 2].second};
        static const char *const names[] = {"CRON_HOUR", "CRON_MINUTE", "CRON_SECOND"};
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(values[k] ? setenv(names[k], values[k], 1) : unsetenv(names[k]), 0);
        weir_text_format(&text, "%s%s", DEVICE, plans[i % 2]);
        struct loaded l = load(weir_text_get(&text));
        assert_string_equal(weir_text_get(&l.said), "");
        assert_string_equal(l.catalog->plans[0].cron_text, cases[i / 2].want);
        unload(&l);
    }
}

static void local_is_the_time_zone_of_the_file(void **state)
{
    (void)state;
    static const char plan[] = DEVICE "plans: [{name: a, tags: '*', cron: '0 0 7 * * *'}]\n";
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    assert_int_equal(unsetenv("TZ"), 0);
    weir_text_format(&text, "env_file: .env\n%s", plan);
    struct loaded l = load(weir_text_get(&text));
    assert_string_equal(weir_text_get(&l.said), "");
    assert_string_equal(l.catalog->plans[0].zone_name, "Europe/Berlin");
    weir_wall next;
    assert_true(weir_cron_next(&l.catalog->plans[0].cron, l.catalog->plans[0].zone,
                               wall_of("2026-01-01T00:00:00Z"), &next));
    assert_int_equal(next.us, wall_of("2026-01-01T06:00:00Z").us);
    unload(&l);
    assert_int_equal(setenv("TZ", "UTC", 1), 0); /* the environment's own wins */
    l = load(weir_text_get(&text));
    assert_string_equal(l.catalog->plans[0].zone_name, "local");
    unload(&l);
    assert_int_equal(unsetenv("TZ"), 0);
    l = load(plan);
    assert_string_equal(l.catalog->plans[0].zone_name, "local");
    unload(&l);
}

static const weir_effective_value *shown(weir_effective *e, const char *path)
{
    const weir_effective_value *v = weir_effective_find(weir_effective_root(e), path, strlen(path));
    assert_non_null(v);
    return v;
}

static void it_is_told_where_a_value_is_from_and_no_secret(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_effective_free) weir_effective *e = weir_effective_new();
    struct loaded l =
        load_with("env_file: .env\n"
                  "connections: [{name: \"a$${b\", uri: \"tcp://${HOST}:${PORT}\"}]\n"
                  "sinks:\n"
                  "- {name: s, type: ledger, path: \"u://me:${SECRET}@h\", url: x, password: "
                  "\"${SECRET}\"}\n"
                  "- {name: t, type: ledger, path: x, url: x, password: \"${NOPE:-Hunter2}\"}\n",
                  NULL, 0, e);
    assert_string_equal(weir_text_get(&l.said),
                        "warning plant/weir.yaml:4:73: a secret in a file that everybody may read: "
                        "chmod o-r plant/.env, or set the environment variable SECRET where weir "
                        "is started\n");
    const weir_effective_value *uri = shown(e, "connections/a$${b/uri");
    assert_string_equal(uri->text, "tcp://h1:1502");
    assert_string_equal(uri->origin,
                        "plant/weir.yaml:2, HOST of plant/.env:1, PORT of plant/.env:2");
    assert_string_equal(shown(e, "sinks/s/path")->text, "u://me:***@h");
    assert_string_equal(shown(e, "sinks/s/password")->text, "${SECRET}");
    assert_string_equal(shown(e, "sinks/s/password")->origin,
                        "plant/weir.yaml:4, SECRET of plant/.env:5");
    assert_string_equal(shown(e, "sinks/t/password")->text, "***");
    const ledger_options *o = l.catalog->sinks[0].options;
    assert_string_equal(o->password, "Hunter2");
    unload(&l);
}

/* Takes no memory. */
static weir_err zone_plain(const char *name, const weir_zone **ret, weir_zone **ret_owned,
                           weir_error *error)
{
    (void)name;
    (void)error;
    *ret = weir_zone_utc();
    *ret_owned = NULL;
    return WEIR_OK;
}

static void short_memory_is_told(void **state)
{
    (void)state;
    static const char text[] =
        "env_file: .env\ninclude: sub/more.yaml\n" LINE
        "devices: [{name: d, connection: more, unit_id: 1, points: [{name: p, register: hr, "
        "address: "
        "0, type: uint16}]}]\nplans: [{name: a, tags: '*', cron: {minute: \"${EMPTY}\"}}]\n";
    for (size_t n = 1;; n++) {
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_catalog *catalog = NULL;
        const weir_yaml_options options = {.files = &memory, .zone = zone_plain};
        (void)weir_alloc_fail_nth(n, false);
        const weir_err err = weir_yaml_load_text(text, sizeof text - 1, "plant/weir.yaml", &options,
                                                 &catalog, &problems);
        const size_t counted = weir_alloc_fail_nth(0, false);
        assert_true(err == WEIR_OK ? catalog != NULL : catalog == NULL);
        if (catalog)
            assert_string_equal(catalog->plans[0].zone_name, "Europe/Berlin");
        weir_catalog_free(catalog);
        weir_problems_deinit(&problems);
        if (counted < n)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_taken_from_the_files_the_last_of_which_wins),
        cmocka_unit_test(included_files_have_them_too),
        cmocka_unit_test(what_cannot_be_replaced_is_told_where_it_stands),
        cmocka_unit_test(what_nobody_reads_needs_no_variables),
        cmocka_unit_test(a_dollar_can_be_written_and_keys_are_left_alone),
        cmocka_unit_test(cron_fields_may_be_unset_or_empty),
        cmocka_unit_test(local_is_the_time_zone_of_the_file),
        cmocka_unit_test(it_is_told_where_a_value_is_from_and_no_secret),
        cmocka_unit_test(short_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

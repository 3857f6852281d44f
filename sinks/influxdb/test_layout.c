/* SPDX-License-Identifier: MIT */
/* Tests of the layouts, as lines; the line protocol itself is tested in lib/model/test_line.c. */

#include "sinks/influxdb/layout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"

static const weir_label building[] = {{"building", "A 1"}, {"id", "0"}, {"slave_id", "17"}};
static const weir_sink_tag power = {.uid = 7,
                                    .name = "main-meter/power",
                                    .device = "main-meter",
                                    .point = "power",
                                    .unit = "kW",
                                    .address = "holding 52",
                                    .description = "Feeder A",
                                    .n_labels = 3,
                                    .labels = building};
static const weir_sink_tag bare = {.number = 3,
                                   .name = "x",
                                   .device = "",
                                   .point = "x",
                                   .unit = "",
                                   .address = "",
                                   .description = ""};

static weir_sink_row row_of(const weir_sink_tag *tag, weir_value value)
{
    return (weir_sink_row){.tag = tag, .sample = {.ts = {1700000000000001}, .value = value}};
}

static const char *line_of(const weir_influxdb_options *options, const weir_sink_row *row)
{
    static char line[1000];
    weir_influxdb_lines *lines = weir_influxdb_lines_new(options, "gateway");
    assert_non_null(lines);
    const weir_influxdb_added added = weir_influxdb_lines_add(lines, row, 0);
    (void)snprintf(line, sizeof line, "%s",
                   added == WEIR_INFLUXDB_ADDED ? weir_influxdb_lines_text(lines).text
                                                : "left out");
    weir_influxdb_lines_free(lines);
    return line;
}

static void layout_weir_has_labels_as_tags(void **state)
{
    (void)state;
    weir_influxdb_options o = {.label_tags = true};
    weir_sink_row row = row_of(&power, weir_value_f64(230.1));
    assert_string_equal(line_of(&o, &row),
                        "weir,device=main-meter,tag=main-meter/power,unit=kW,building=A\\ "
                        "1,id=0,slave_id=17 value=230.1 1700000000000001000\n");
    row.epoch = 2;
    o.label_tags = false;
    o.measurement = "p_{device}";
    assert_string_equal(line_of(&o, &row),
                        "p_main-meter,device=main-meter,epoch=2,tag=main-meter/power,unit=kW "
                        "value=230.1 1700000000000001000\n");
}

static void a_label_with_the_key_of_another_tag_gets_another(void **state)
{
    (void)state;
    static const weir_label labels[] = {
        {"_x", "1"}, {"device", "2"}, {"epoch", "3"}, {"time", "4"}};
    weir_sink_tag tag = bare;
    tag.n_labels = 4;
    tag.labels = labels;
    const weir_sink_row row = row_of(&tag, weir_value_bool(true));
    assert_string_equal(line_of(&(weir_influxdb_options){.label_tags = true}, &row),
                        "weir,tag=x,label__x=1,label_device=2,label_epoch=3,label_time=4 "
                        "boolean=true 1700000000000001000\n");
}

/* Measurement, tags and kinds of fields: README of Telegraf's plugin inputs.modbus, and the
 * expected.out of its test cases ("modbus,name=modbus,slave_id=1 ... =134i"). */
static void layout_telegraf_is_as_the_plugin_documents(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        weir_value value;
        const char *expected;
    } cases[] = {
        {"holding 52", {.kind = WEIR_KIND_F32, .as.f32 = 123.9f}, "holding_register power=123.9"},
        {"input 0x10", {.kind = WEIR_KIND_I64, .as.i = 134}, "input_register power=134i"},
        {"input 3",
         {.kind = WEIR_KIND_U64, .as.u = UINT64_MAX},
         "input_register power=9223372036854775807i"},
        {"coil 3", {.kind = WEIR_KIND_BOOL, .as.bits = 1}, "coil power=1i"},
        {"discrete 3", {.kind = WEIR_KIND_BOOL}, "discrete_input power=0i"},
        {"holding 9",
         {.kind = WEIR_KIND_STRING, .length = 3, .as.text = "a\"b"},
         "holding_register power=\"a\\\"b\""},
    };
    const weir_influxdb_options o = {.layout = WEIR_INFLUXDB_TELEGRAF, .label_tags = true};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[300];
        weir_sink_tag tag = power;
        tag.address = cases[i].address;
        const weir_sink_row row = row_of(&tag, cases[i].value);
        const char *fields = strchr(cases[i].expected, ' ');
        (void)snprintf(expected, sizeof expected,
                       "modbus,host=gateway,name=main-meter,slave_id=17,type=%.*s,building=A\\ "
                       "1,id=0%s 1700000000000001000\n",
                       (int)(fields - cases[i].expected), cases[i].expected, fields);
        assert_string_equal(line_of(&o, &row), expected);
    }
}

/* README and source of EnergyMonitoringManagement: measurement = measurement_name, tags id,
 * description and dataunit (None without a unit), one float field. */
static void layout_energy_monitoring_is_what_its_panels_query(void **state)
{
    (void)state;
    const weir_influxdb_options o = {.layout = WEIR_INFLUXDB_ENERGY_MONITORING, .precision = 3};
    weir_sink_row row = row_of(&power, weir_value_i64(-5));
    assert_string_equal(line_of(&o, &row),
                        "power,dataunit=kW,description=Feeder\\ A,id=0 value=-5 1700000000\n");
    static const weir_label labels[] = {{"description", "test_energy_meter"}, {"id", "7"}};
    weir_sink_tag meter = power;
    meter.labels = labels;
    meter.n_labels = 2;
    row.tag = &meter;
    assert_string_equal(
        line_of(&o, &row),
        "power,dataunit=kW,description=test_energy_meter,id=7 value=-5 1700000000\n");
    row.tag = &bare;
    row.sample.value = weir_value_bool(true);
    assert_string_equal(line_of(&o, &row), "x,dataunit=None value=1 1700000000\n");
    row.sample.value = weir_value_string("on", 2);
    assert_string_equal(line_of(&o, &row), "left out");
}

static void what_has_no_value_is_left_out_of_foreign_layouts(void **state)
{
    (void)state;
    const weir_influxdb_options options[] = {{.layout = WEIR_INFLUXDB_TELEGRAF},
                                             {.layout = WEIR_INFLUXDB_ENERGY_MONITORING}};
    for (size_t i = 0; i < 2; i++) {
        weir_sink_row row = row_of(&power, weir_value_f64(NAN));
        assert_string_equal(line_of(&options[i], &row), "left out");
        row = row_of(&power, weir_value_null());
        row.sample.quality = weir_bad(WEIR_CAUSE_TIMEOUT, 0);
        assert_string_equal(line_of(&options[i], &row), "left out");
    }
}

static void a_measurement_is_never_a_comment_or_empty(void **state)
{
    (void)state;
    weir_sink_tag tag = bare;
    tag.unit = "#1";
    const weir_sink_row row = row_of(&tag, weir_value_bool(false));
    assert_string_equal(line_of(&(weir_influxdb_options){.measurement = "{unit}"}, &row),
                        "_1,tag=x,unit=#1 boolean=false 1700000000000001000\n");
    assert_string_equal(line_of(&(weir_influxdb_options){.measurement = "{label:no}"}, &row),
                        "weir,tag=x,unit=#1 boolean=false 1700000000000001000\n");
}

static void lines_know_their_rows(void **state)
{
    (void)state;
    const weir_influxdb_options o = {.layout = WEIR_INFLUXDB_ENERGY_MONITORING};
    weir_influxdb_lines *lines = weir_influxdb_lines_new(&o, "");
    const weir_sink_row good = row_of(&bare, weir_value_i64(1));
    const weir_sink_row text = row_of(&bare, weir_value_string("", 0));
    assert_int_equal(weir_influxdb_lines_add(lines, &text, 0), WEIR_INFLUXDB_LEFT_OUT);
    assert_int_equal(weir_influxdb_lines_add(lines, &good, 1), WEIR_INFLUXDB_ADDED);
    assert_int_equal(weir_influxdb_lines_add(lines, &text, 2), WEIR_INFLUXDB_LEFT_OUT);
    assert_int_equal(weir_influxdb_lines_add(lines, &good, 3), WEIR_INFLUXDB_ADDED);
    const weir_influxdb_text t = weir_influxdb_lines_text(lines);
    assert_int_equal(t.n_lines, 2);
    assert_int_equal(t.rows[0], 1);
    assert_int_equal(t.rows[1], 3);
    assert_int_equal(t.offsets[1], strlen(t.text) / 2);
    assert_int_equal(t.offsets[2], strlen(t.text));
    weir_influxdb_lines_free(lines);
}

static void two_samples_in_one_unit_of_time_are_noticed(void **state)
{
    (void)state;
    const weir_influxdb_options o = {.precision = 3};
    const int64_t times[] = {-1, -1, -1000000, -1000001};
    weir_influxdb_lines *lines = weir_influxdb_lines_new(&o, "");
    weir_sink_row row = row_of(&bare, weir_value_i64(1));
    for (size_t i = 0; i < 4; i++) {
        row.sample.ts.us = times[i];
        assert_int_equal(weir_influxdb_lines_add(lines, &row, i), WEIR_INFLUXDB_ADDED);
        assert_int_equal(weir_influxdb_lines_collided(lines), i >= 2);
    }
    weir_influxdb_lines_free(lines);
}

static void a_series_longer_than_servers_take_is_told(void **state)
{
    (void)state;
    const size_t n = 65536;
    char *name = weir_alloc_zero(n + 1, 1);
    assert_non_null(name);
    memset(name, 'n', n);
    weir_sink_tag tag = bare;
    tag.name = name;
    const weir_influxdb_options o = {.layout = WEIR_INFLUXDB_WEIR};
    weir_influxdb_lines *lines = weir_influxdb_lines_new(&o, "");
    const weir_sink_row row = row_of(&tag, weir_value_i64(1));
    assert_int_equal(weir_influxdb_lines_add(lines, &row, 0), WEIR_INFLUXDB_TOO_LONG);
    assert_int_equal(weir_influxdb_lines_text(lines).n_lines, 0);
    weir_influxdb_lines_free(lines);
    weir_free(name);
}

static void memory_that_is_short_is_told_each_time(void **state)
{
    (void)state;
    const weir_influxdb_options o = {.label_tags = true};
    const weir_sink_row row = row_of(&power, weir_value_f64(0.1));
    bool is_through = false;
    for (size_t nth = 1; !is_through; nth++) {
        (void)weir_alloc_fail_nth(nth, false);
        weir_influxdb_lines *lines = weir_influxdb_lines_new(&o, "");
        is_through = lines && weir_influxdb_lines_add(lines, &row, 0) == WEIR_INFLUXDB_ADDED;
        (void)weir_alloc_fail_nth(0, false);
        weir_influxdb_lines_free(lines);
        assert_true(nth < 100);
    }
}

static void options_that_do_not_fit_together_are_named(void **state)
{
    (void)state;
    static const struct {
        weir_influxdb_options options;
        const char *says;
    } cases[] = {
        {{.url = "http://h:8086", .database = "d"}, NULL},
        {{.url = "https://h/influx/", .bucket = "b", .token_file = "/t"}, NULL},
        {{.url = "h:8086", .database = "d"}, "http://"},
        {{.url = "http://joe:pw@h:8086", .database = "d"}, "username"},
        {{.url = "http://h:8086/write?db=x", .database = "d"}, "?"},
        {{.url = "http://", .database = "d"}, "HOST"},
        {{.url = "http://h"}, "database is missing"},
        {{.url = "http://h", .database = "d", .bucket = "b"}, "one of both"},
        {{.url = "http://h", .bucket = "b", .username = "u", .password = "p"}, "token"},
        {{.url = "http://h", .database = "d", .token = "t"}, "username"},
        {{.url = "http://h", .bucket = "b", .retention_policy = "p"}, "retention"},
        {{.url = "http://h", .bucket = "b", .create_database = true}, "create_database"},
        {{.url = "http://h", .database = "d", .username = "u"}, "password"},
        {{.url = "http://h", .bucket = "b", .token = "t", .token_file = "f"}, "twice"},
        {{.url = "http://h", .database = "d", .cert_file = "c"}, "key_file"},
        {{.url = "http://h", .database = "d", .measurement = "{devise}"}, "device"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error = WEIR_ERROR_INIT;
        const weir_err err = weir_influxdb_options_check(&cases[i].options, &error);
        assert_int_equal(err, cases[i].says ? WEIR_EINVAL : WEIR_OK);
        if (cases[i].says && !strstr(error.text, cases[i].says))
            fail_msg("%zu: %s", i, error.text);
        assert_null(strstr(error.text, "pw"));
    }
}

static void urls_and_commands_are_escaped(void **state)
{
    (void)state;
    const weir_influxdb_options v1 = {
        .url = "http://h:8086/", .database = "a b&c", .retention_policy = "x\"", .precision = 1};
    const weir_influxdb_options v2 = {.url = "http://h", .bucket = "it's", .org = "o/1"};
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    weir_influxdb_add_write_url(&v1, &t);
    weir_text_add_char(&t, '\n');
    weir_influxdb_add_schema(&v1, &t);
    weir_influxdb_add_write_url(&v2, &t);
    weir_text_add_char(&t, '\n');
    weir_influxdb_add_schema(&v2, &t);
    assert_string_equal(weir_text_get(&t),
                        "http://h:8086/write?precision=u&db=a%20b%26c&rp=x%22\n"
                        "CREATE DATABASE \"a b&c\"\n"
                        "CREATE RETENTION POLICY \"x\\\"\" ON \"a b&c\" DURATION INF REPLICATION "
                        "1\n"
                        "http://h/api/v2/write?precision=ns&bucket=it%27s&org=o%2F1\n"
                        "influx bucket create --name 'it'\\''s' --org 'o/1' --retention 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_weir_has_labels_as_tags),
        cmocka_unit_test(a_label_with_the_key_of_another_tag_gets_another),
        cmocka_unit_test(layout_telegraf_is_as_the_plugin_documents),
        cmocka_unit_test(layout_energy_monitoring_is_what_its_panels_query),
        cmocka_unit_test(what_has_no_value_is_left_out_of_foreign_layouts),
        cmocka_unit_test(a_measurement_is_never_a_comment_or_empty),
        cmocka_unit_test(lines_know_their_rows),
        cmocka_unit_test(two_samples_in_one_unit_of_time_are_noticed),
        cmocka_unit_test(a_series_longer_than_servers_take_is_told),
        cmocka_unit_test(memory_that_is_short_is_told_each_time),
        cmocka_unit_test(options_that_do_not_fit_together_are_named),
        cmocka_unit_test(urls_and_commands_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

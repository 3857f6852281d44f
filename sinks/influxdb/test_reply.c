/* SPDX-License-Identifier: MIT */
/* Tests of what answers mean. "1.6.7": received from InfluxDB 1.6.7 of Debian 12; "docs 2" and
 * "docs 3": as the manuals of InfluxDB OSS 2 and InfluxDB 3 Core show them. */

#include "sinks/influxdb/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const weir_influxdb_options v1 = {
    .url = "http://h:8086", .database = "plant", .username = "joe", .password = "x"};
static const weir_influxdb_options v2 = {.url = "http://h:8086", .org = "o", .bucket = "b"};

/* Row 0 was left out of the lines. */
static const char body[] = "a,t=1 v=1i 3\n"
                           "a v=2 1\n"
                           "b text=\"x\ny\" 2\n"
                           "b v=x 4\n";
static const size_t offsets[] = {0, 13, 21, 36, 44}, numbers[] = {1, 2, 3, 4};
static const weir_influxdb_text lines = {body, 4, offsets, numbers};
static const weir_sink_row rows[] = {
    {.seq = 1}, {.sample.ts = {3}}, {.sample.ts = {1}}, {.sample.ts = {2}}, {.sample.ts = {4}}};

static weir_send_answer judged(const weir_influxdb_options *options, int status, const char *type,
                               const char *text)
{
    weir_send_answer answer = {0};
    const weir_influxdb_reply reply = {.status = status,
                                       .content_type = type,
                                       .location = "https://login.example/?ticket=secret",
                                       .version = "1.6.7",
                                       .body = text,
                                       .n = strlen(text)};
    weir_influxdb_judge(options, &reply, &lines, rows, &answer);
    return answer;
}

typedef struct want {
    const char *name;
    const weir_influxdb_options *options;
    int status;
    const char *text;
    weir_send_result result;
    weir_trouble trouble;
    size_t first_bad;
    const char *says; /* is in why or remedy */
} want;

static void each_answer_means_what_it_should(void **state)
{
    (void)state;
    static const want cases[] = {
        {"1.6.7: stored", &v1, 204, "", WEIR_SEND_DELIVERED, WEIR_TROUBLE_NONE, 0, ""},
        {"1.6.7: no database", &v1, 404, "{\"error\":\"database not found: \\\"plant\\\"\"}",
         WEIR_SEND_LATER, WEIR_TROUBLE_MISCONFIGURED, 0, "CREATE DATABASE \"plant\""},
        {"1.6.7: no policy", &v1, 500, "{\"error\":\"retention policy not found: zz\"}",
         WEIR_SEND_LATER, WEIR_TROUBLE_MISCONFIGURED, 0, "weir sink schema"},
        {"1.6.7: types, one row may be it", &v1, 400,
         "{\"error\":\"partial write: field type conflict: input field \\\"v\\\" on measurement "
         "\\\"a\\\" is type integer, already exists as type float dropped=1\"}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, 1, "type"},
        {"1.6.7: types, not in these lines", &v1, 400,
         "{\"error\":\"partial write: field type conflict: input field \\\"w\\\" on measurement "
         "\\\"a\\\" is type integer, already exists as type float dropped=1\"}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, SIZE_MAX, "type"},
        {"1.6.7: types within a batch", &v1, 400, "{\"error\":\"field type conflict\"}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, SIZE_MAX, "type"},
        {"1.6.7: a line", &v1, 400,
         "{\"error\":\"partial write: unable to parse 'b v=x 4': invalid boolean dropped=0\"}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, 4, "invalid boolean"},
        {"1.6.7: a line with a break in it", &v1, 400,
         "{\"error\":\"unable to parse 'b text=\\\"x\\ny\\\" 2': unbalanced quotes\"}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, 3, "unbalanced"},
        {"1.6.7: a key", &v1, 400,
         "{\"error\":\"partial write: invalid tag key: input tag \\\"time\\\" on measurement "
         "\\\"a\\\" is invalid dropped=1\"}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, SIZE_MAX, "time"},
        {"1.6.7: too old", &v1, 400,
         "{\"error\":\"partial write: points beyond retention policy dropped=1\"}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, 2, "retention policy"},
        {"1.6.7: too many series", &v1, 400,
         "{\"error\":\"partial write: max-series-per-database limit exceeded: (20) dropped=30\"}",
         WEIR_SEND_LATER, WEIR_TROUBLE_FULL, 0, "max-series"},
        {"1.6.7: too much at a time", &v1, 413, "{\"error\":\"Request Entity Too Large\"}",
         WEIR_SEND_TOO_LARGE, WEIR_TROUBLE_NONE, 0, "more than"},
        {"1.6.7: cache", &v1, 500,
         "{\"error\":\"engine: cache-max-memory-size exceeded: (240006/200000)\"}", WEIR_SEND_LATER,
         WEIR_TROUBLE_BUSY, 0, "cache-max-memory-size"},
        {"1.6: timeout", &v1, 500, "{\"error\":\"timeout\"}", WEIR_SEND_LATER, WEIR_TROUBLE_BUSY, 0,
         "timeout"},
        {"1.6: disk", &v1, 500,
         "{\"error\":\"write /var/lib/influxdb/wal/p/_00001.wal: no space left on device\"}",
         WEIR_SEND_LATER, WEIR_TROUBLE_FULL, 0, "disk"},
        {"1.6.7: password", &v1, 401, "{\"error\":\"authorization failed\"}", WEIR_SEND_LATER,
         WEIR_TROUBLE_REFUSED, 0, "password"},
        {"1.6.7: right", &v1, 403,
         "{\"error\":\"\\\"joe\\\" user is not authorized to write to database \\\"plant\\\"\"}",
         WEIR_SEND_LATER, WEIR_TROUBLE_REFUSED, 0, "GRANT WRITE ON \"plant\" TO \"joe\""},
        {"1.6.7: not gzip", &v1, 400, "{\"error\":\"unexpected EOF\"}", WEIR_SEND_LATER,
         WEIR_TROUBLE_MISCONFIGURED, 0, "gzip: false"},
        {"1.6.7: path of version 2", &v2, 404, "404 page not found\n", WEIR_SEND_LATER,
         WEIR_TROUBLE_MISCONFIGURED, 0, "database instead"},
        {"docs 2: no bucket", &v2, 404,
         "{\"code\":\"not found\",\"message\":\"bucket \\\"b\\\" not found\"}", WEIR_SEND_LATER,
         WEIR_TROUBLE_MISCONFIGURED, 0, "influx bucket create --name 'b' --org 'o'"},
        {"docs 2: no organization", &v2, 404,
         "{\"code\":\"not found\",\"message\":\"organization name \\\"o\\\" not found\"}",
         WEIR_SEND_LATER, WEIR_TROUBLE_MISCONFIGURED, 0, "org list"},
        {"docs 2: token", &v2, 401,
         "{\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}", WEIR_SEND_LATER,
         WEIR_TROUBLE_REFUSED, 0, "token"},
        {"docs 2: type", &v2, 422,
         "{\"code\":\"unprocessable entity\",\"message\":\"failure writing points to database: "
         "partial write: field type conflict: input field \\\"v\\\" on measurement \\\"a\\\" is "
         "type float, already exists as type integer dropped=1\"}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, 2, "type"},
        {"docs 2: line by number", &v2, 400,
         "{\"code\":\"invalid\",\"err\":\"failed to parse line protocol: errors encountered on "
         "line(s)\",\"line\":5,\"message\":\"failed to parse line protocol\",\"op\":\"\"}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, 4, "line"},
        {"docs 3: line by number", &v2, 400,
         "{\"error\":\"partial write of line protocol occurred\",\"data\":[{\"original_line\":\"a "
         "v=2 1\",\"line_number\":2,\"error_message\":\"invalid column type\"}]}",
         WEIR_SEND_REJECTED, WEIR_TROUBLE_NONE, 2, "invalid column type"},
        {"docs 2: rate", &v2, 429, "{\"code\":\"too many requests\",\"message\":\"limit\"}",
         WEIR_SEND_LATER, WEIR_TROUBLE_BUSY, 0, "wait"},
        {"a gateway", &v2, 502, "<html>Bad Gateway</html>", WEIR_SEND_LATER, WEIR_TROUBLE_OFFLINE,
         0, "proxy"},
        {"nginx", &v2, 413, "<html>413 Request Entity Too Large</html>", WEIR_SEND_TOO_LARGE,
         WEIR_TROUBLE_NONE, 0, ""},
        {"a portal", &v1, 200, "<!DOCTYPE html><html>Log in</html>", WEIR_SEND_LATER,
         WEIR_TROUBLE_MISCONFIGURED, 0, "web server"},
        {"a portal that refuses", &v1, 400, "<html>no</html>", WEIR_SEND_LATER,
         WEIR_TROUBLE_MISCONFIGURED, 0, "web server"},
        {"a login", &v1, 302, "", WEIR_SEND_LATER, WEIR_TROUBLE_MISCONFIGURED, 0,
         "https://login.example/"},
        {"200 with an error", &v1, 200, "{\"error\":\"database is required\"}", WEIR_SEND_LATER,
         WEIR_TROUBLE_MISCONFIGURED, 0, "required"},
        {"a teapot", &v1, 418, "", WEIR_SEND_LATER, WEIR_TROUBLE_MISCONFIGURED, 0, "418"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const want *c = &cases[i];
        const weir_send_answer a = judged(c->options, c->status, "", c->text);
        if (a.result != c->result || a.trouble != c->trouble ||
            (a.result == WEIR_SEND_REJECTED && a.first_bad != c->first_bad) ||
            (!strstr(a.why, c->says) && !strstr(a.remedy, c->says)))
            fail_msg("%s: result %d trouble %d row %zu: %s | %s", c->name, (int)a.result,
                     (int)a.trouble, a.first_bad, a.why, a.remedy);
        assert_null(strstr(a.why, "secret"));
    }
}

static void a_page_is_known_by_its_type_too(void **state)
{
    (void)state;
    assert_int_equal(judged(&v1, 200, "text/html; charset=utf-8", "ok").trouble,
                     WEIR_TROUBLE_MISCONFIGURED);
    assert_int_equal(judged(&v1, 200, "application/json", "{}").result, WEIR_SEND_DELIVERED);
}

static void a_conflict_is_one_row_only_when_it_cannot_be_another(void **state)
{
    (void)state;
    static const char two[] = "m v=1i 1\nm v=2i 2\nm v=3 3\n";
    static const size_t at[] = {0, 9, 18, 26}, row[] = {0, 1, 2};
    const weir_influxdb_text text = {two, 3, at, row};
    const struct {
        const char *dropped;
        size_t first_bad;
    } cases[] = {{"dropped=1", SIZE_MAX}, {"dropped=2", 0}, {"dropped=3", SIZE_MAX}};
    for (size_t i = 0; i < 3; i++) {
        char message[300];
        weir_send_answer a = {0};
        const int n = snprintf(message, sizeof message,
                               "{\"error\":\"partial write: field type conflict: input field "
                               "\\\"v\\\" on measurement \\\"m\\\" is type integer, already "
                               "exists as type float %s\"}",
                               cases[i].dropped);
        const weir_influxdb_reply reply = {.status = 400,
                                           .content_type = "",
                                           .location = "",
                                           .version = "",
                                           .body = message,
                                           .n = (size_t)n};
        weir_influxdb_judge(&v1, &reply, &text, rows, &a);
        assert_int_equal(a.first_bad, cases[i].first_bad);
    }
}

static void a_message_is_one_clean_line(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"{\"error\":\"a\\nb\\u003c\\\"c\\\"\"}", "a b<\"c\""},
        {"{\"error\" : \"cut \\u00", "cut ?"},
        {"plain \x1b[31m text\xff\n", "plain [31m text "},
        {"{\"error\":7}", "{\"error\":7}"},
        {"{\"code\":\"invalid\",\"message\":\"m\xc3\xa4\"}", "m\xc3\xa4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        weir_influxdb_message(
            &(weir_influxdb_reply){.body = cases[i].body, .n = strlen(cases[i].body)}, text,
            sizeof text);
        assert_string_equal(text, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_means_what_it_should),
        cmocka_unit_test(a_page_is_known_by_its_type_too),
        cmocka_unit_test(a_conflict_is_one_row_only_when_it_cannot_be_another),
        cmocka_unit_test(a_message_is_one_clean_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Edits as requests on the control socket, and back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/edit_json.h"

static const struct {
    weir_edit edit;
    const char *line;
} cases[] = {
    {{.kind = WEIR_EDIT_PURGE, .subject = "m*"},
     "{\"method\":\"tag.purge\",\"params\":{\"tag\":\"m*\"}}"},
    {{.kind = WEIR_EDIT_REPLACE, .subject = "m1", .at = {5}, .final = 1.5, .first = 0.25},
     "{\"method\":\"device.replace\",\"params\":{\"at\":5,\"device\":\"m1\",\"final\":1.5,"
     "\"first\":0.25}}"},
    {{.kind = WEIR_EDIT_SINK_PAUSE, .subject = "office"},
     "{\"method\":\"sink.pause\",\"params\":{\"sink\":\"office\"}}"},
    {{.kind = WEIR_EDIT_SINK_RESUME, .subject = "office"},
     "{\"method\":\"sink.resume\",\"params\":{\"sink\":\"office\"}}"},
    {{.kind = WEIR_EDIT_SINK_REPLAY, .subject = "a \"b\"", .from = {1}, .to = {2}},
     "{\"method\":\"sink.replay\",\"params\":{\"from\":1,\"sink\":\"a \\\"b\\\"\",\"to\":2}}"},
    {{.kind = WEIR_EDIT_SINK_REPLAY_STOP, .subject = "office"},
     "{\"method\":\"sink.replay_stop\",\"params\":{\"sink\":\"office\"}}"},
    {{.kind = WEIR_EDIT_SINK_RETRY, .subject = "office", .tags = "m1/*"},
     "{\"method\":\"sink.retry\",\"params\":{\"sink\":\"office\",\"tag\":\"m1/*\"}}"},
    {{.kind = WEIR_EDIT_SINK_DROP, .subject = "office", .tags = "*"},
     "{\"method\":\"sink.drop\",\"params\":{\"sink\":\"office\",\"tag\":\"*\"}}"},
};

static bool text_is(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static void every_edit_comes_back_from_its_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_edit *edit = &cases[i].edit;
        weir_edit back;
        bool good = false;
        json_t *request = weir_edit_request(edit);
        char *line = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(line, cases[i].line);
        assert_true(weir_edit_parse(json_string_value(json_object_get(request, "method")),
                                    json_object_get(request, "params"), &back, &good));
        assert_true(good);
        assert_int_equal(back.kind, edit->kind);
        assert_true(text_is(back.subject, edit->subject) && text_is(back.tags, edit->tags));
        assert_int_equal(back.at.us, edit->at.us);
        assert_int_equal(back.from.us, edit->from.us);
        assert_int_equal(back.to.us, edit->to.us);
        assert_true(back.final == edit->final && back.first == edit->first);
        free(line);
        json_decref(request);
    }
}

static void params_that_are_missing_or_of_another_kind_are_told(void **state)
{
    static const char *const wrong[][2] = {
        {"tag.purge", "{}"},
        {"tag.purge", "{\"tag\":1}"},
        {"device.replace", "{\"device\":\"m1\",\"at\":1.5,\"final\":1,\"first\":0}"},
        {"sink.pause", "[]"},
        {"sink.replay", "{\"sink\":\"office\",\"from\":1}"},
        {"sink.retry", "{\"sink\":\"office\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weir_edit edit;
        bool good = true;
        json_t *params = json_loads(wrong[i][1], 0, NULL);
        assert_true(weir_edit_parse(wrong[i][0], params, &edit, &good));
        assert_false(good);
        json_decref(params);
    }
}

static void another_method_is_no_edit(void **state)
{
    (void)state;
    weir_edit edit;
    bool good;
    assert_false(weir_edit_parse("sink.explode", NULL, &edit, &good));
}

static void a_name_that_is_no_text_makes_no_request(void **state)
{
    (void)state;
    const weir_edit edit = {.kind = WEIR_EDIT_SINK_PAUSE, .subject = "\xff"};
    assert_null(weir_edit_request(&edit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_edit_comes_back_from_its_request),
        cmocka_unit_test(params_that_are_missing_or_of_another_kind_are_told),
        cmocka_unit_test(another_method_is_no_edit),
        cmocka_unit_test(a_name_that_is_no_text_makes_no_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

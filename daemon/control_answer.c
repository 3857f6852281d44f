/* SPDX-License-Identifier: MIT */
/* A line on the control socket is a request: which method it is for, and what that answers. */

#include "daemon/control_answer.h"

#include <string.h>

#include "base/text.h"
#include "daemon/control_historian.h"
#include "daemon/control_plan.h"
#include "daemon/control_status.h"
#include "daemon/edit_json.h"
#include "daemon/json.h"
#include "daemon/problems.h"
#include "daemon/reload.h"

/* --- edits -------------------------------------------------------------------------------- */

static void control_edit(const weir_control_parts *parts, const weir_edit *edit, json_t *answer)
{
    weir_error error = WEIR_ERROR_INIT;
    uint64_t n = 0;
    const weir_err err = weir_runtime_edit(parts->collector, edit, &n, &error);
    if (err) {
        weir_json_fail(answer, &error);
        return;
    }
    (void)json_object_set_new(answer, "result",
                              json_pack("{sI}", weir_edit_counts(edit->kind), (json_int_t)n));
}

/* --- reload ------------------------------------------------------------------------------- */

static void add_change(void *data, const weir_diff_item *item)
{
    (void)json_array_append_new(data,
                                json_pack("{ss*ss*ss*ss*}", "kind", item->kind, "name", item->name,
                                          "change", item->change, "detail", item->detail));
}

static json_t *json_problems(const weir_problems *problems)
{
    json_t *list = json_array();
    for (size_t i = 0; i < problems->n && i < WEIR_PROBLEMS_SHOWN; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&problems->items[i], &line);
        (void)json_array_append_new(list, weir_json_text(weir_text_get(&line)));
    }
    return list;
}

static json_t *json_reloaded(const weir_reloaded *reloaded)
{
    const weir_diff *diff = reloaded->applied.diff;
    WEIR_TEXT_AUTO summary = WEIR_TEXT_INIT;
    json_t *o = json_object(), *changes = json_array(), *hints = json_array();
    weir_diff_count(diff, &summary);
    weir_diff_each(diff, add_change, changes);
    for (size_t i = 0; i < diff->n_hints; i++) {
        WEIR_TEXT_AUTO hint = WEIR_TEXT_INIT;
        weir_diff_describe_hint(diff, &diff->hints[i], &hint);
        (void)json_array_append_new(hints, weir_json_text(weir_text_get(&hint)));
    }
    (void)json_object_set_new(o, "summary", weir_json_text(weir_text_get(&summary)));
    (void)json_object_set_new(o, "changes", changes);
    (void)json_object_set_new(o, "hints", hints);
    (void)json_object_set_new(o, "restart", weir_json_text(reloaded->restart));
    return o;
}

static void control_reload(const weir_control_parts *parts, json_t *answer)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_reloaded reloaded = {0};
    if (!parts->reload) {
        (void)json_object_set_new(answer, "error",
                                  json_string("this weir has no configuration to read again"));
        return;
    }
    const weir_err err = weir_reload_now(parts->reload, "weir reload", &reloaded, &error);
    if (err) {
        const weir_problems *problems = &reloaded.problems;
        weir_json_fail(answer, &error);
        (void)json_object_set_new(answer, "problems", json_problems(problems));
        (void)json_object_set_new(answer, "problem_count",
                                  json_integer((json_int_t)(problems->n + problems->n_more)));
    } else {
        (void)json_object_set_new(answer, "result", json_reloaded(&reloaded));
    }
    weir_reloaded_deinit(&reloaded);
}

/* --- all methods -------------------------------------------------------------------------- */

static json_t *unknown_method(void)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_text_add(
        &text,
        "unknown method; this version has: status, reload, historian.read, historian.acknowledge, "
        "historian.remove, plan.list, plan.start, plan.pause, plan.resume, plan.stop, "
        "plan.collect, ");
    weir_edit_methods(&text);
    return weir_json_text(weir_text_get(&text));
}

static void control_do(const weir_control_parts *parts, const char *method, const json_t *params,
                       json_t *answer)
{
    weir_edit edit;
    bool good = false;
    if (weir_control_historian(parts->historians, method, params, answer) ||
        weir_control_plan(parts->collector, method, params, answer))
        return;
    if (!weir_edit_parse(method, params, &edit, &good))
        (void)json_object_set_new(answer, "error", unknown_method());
    else if (!good)
        (void)json_object_set_new(answer, "error", json_string("\"params\" are missing or wrong"));
    else
        control_edit(parts, &edit, answer);
}

json_t *weir_control_answer(const weir_control_parts *parts, const char *line, size_t n)
{
    json_error_t error;
    json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    const char *method = json_string_value(json_object_get(request, "method"));
    json_t *answer = json_object();
    if (!request)
        (void)json_object_set_new(answer, "error", weir_json_text(error.text));
    else if (!method)
        (void)json_object_set_new(answer, "error", json_string("\"method\" is missing"));
    else if (strcmp(method, "status") == 0)
        (void)json_object_set_new(answer, "result",
                                  weir_control_status(parts->collector, parts->deliveries));
    else if (strcmp(method, "reload") == 0)
        control_reload(parts, answer);
    else
        control_do(parts, method, json_object_get(request, "params"), answer);
    json_decref(request);
    return answer;
}

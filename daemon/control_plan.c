/* SPDX-License-Identifier: MIT */
/* The control socket's methods for plans. */

#include "daemon/control_plan.h"

#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "daemon/json.h"

/* A plan that somebody starts and forgets does not run for ever. */
static const int64_t lifetime_us = WEIR_DAY;

enum { PATTERNS_MAX = 1000 };

/* --- what is asked ------------------------------------------------------------------------ */

static const char *name_of(const json_t *params, weir_error *error)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    if (!name)
        (void)weir_fail(error, WEIR_EINVAL, "\"name\" is missing: which plan?");
    return name;
}

/* Missing: *ret stays. */
static weir_err number_of(const json_t *params, const char *key, int64_t min, int64_t max,
                          int64_t *ret, weir_error *error)
{
    const json_t *v = json_object_get(params, key);
    if (!v)
        return WEIR_OK;
    if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
        return weir_fail(error, WEIR_EINVAL, "\"%s\" must be a whole number from %lld to %lld", key,
                         (long long)min, (long long)max);
    *ret = json_integer_value(v);
    return WEIR_OK;
}

/* Its place in the list; missing: 0. */
static weir_err word_of(const json_t *params, const char *key, const char *const *words, int *ret,
                        weir_error *error)
{
    const json_t *v = json_object_get(params, key);
    *ret = 0;
    if (!v)
        return WEIR_OK;
    for (int i = 0; words[i]; i++)
        if (json_is_string(v) && !strcmp(json_string_value(v), words[i])) {
            *ret = i;
            return WEIR_OK;
        }
    return weir_fail(error, WEIR_EINVAL, "\"%s\" must be %s, %s or the like", key, words[0],
                     words[1]);
}

static weir_err patterns_of(const json_t *tags, const char **patterns, weir_plan *plan,
                            weir_error *error)
{
    if (!json_is_array(tags) || json_array_size(tags) > PATTERNS_MAX)
        return weir_fail(error, WEIR_EINVAL, "\"tags\" must be a list of at most %d patterns",
                         PATTERNS_MAX);
    for (size_t i = 0; i < json_array_size(tags); i++) {
        patterns[i] = json_string_value(json_array_get(tags, i));
        if (!patterns[i])
            return weir_fail(error, WEIR_EINVAL, "\"tags\" must be a list of patterns");
    }
    plan->patterns = patterns;
    plan->n_patterns = json_array_size(tags);
    return WEIR_OK;
}

static weir_err plan_of(const json_t *params, const char **patterns, weir_plan *plan,
                        weir_error *error)
{
    static const char *const merges[] = {"union", "gcd", NULL};
    static const char *const policies[] = {"ignore", "limit", "error", NULL};
    const char *cron = json_string_value(json_object_get(params, "cron"));
    const char *zone = json_string_value(json_object_get(params, "zone"));
    const int64_t most = 36500 * WEIR_DAY;
    int64_t id = 0;
    int merge, policy;
    plan->lifetime_us = lifetime_us;
    plan->start.us = INT64_MIN;
    plan->end.us = INT64_MAX;
    plan->zone_name = zone ? zone : "local";
    weir_err err = patterns_of(json_object_get(params, "tags"), patterns, plan, error);
    if (!err)
        err = number_of(params, "interval", 10 * WEIR_MS, most, &plan->interval_us, error);
    if (!err)
        err = number_of(params, "default_interval", 10 * WEIR_MS, most, &plan->default_interval_us,
                        error);
    if (!err)
        err = number_of(params, "minimum_interval", 0, most, &plan->minimum_interval_us, error);
    if (!err)
        err = number_of(params, "lifetime", 0, most, &plan->lifetime_us, error);
    if (!err)
        err = number_of(params, "id", 1, UINT32_MAX, &id, error);
    if (!err)
        err = word_of(params, "merge", merges, &merge, error);
    if (!err)
        err = word_of(params, "interval_policy", policies, &policy, error);
    if (err)
        return err;
    plan->id = (uint32_t)id;
    plan->merge = (weir_plan_merge)merge;
    plan->policy = (weir_plan_policy)policy;
    plan->has_cron = cron != NULL;
    plan->cron_text = cron;
    err = cron ? weir_cron_parse(cron, &plan->cron, error) : WEIR_OK;
    return err ? weir_fail_prefix(error, "cron, ") : WEIR_OK;
}

/* --- what is done ------------------------------------------------------------------------- */

static weir_err change(weir_runtime *collector, const json_t *params, weir_plan_change to,
                       weir_error *error)
{
    const char *name = name_of(params, error);
    return name ? weir_runtime_plan_change(collector, name, to, error) : error->code;
}

static weir_err start(weir_runtime *collector, const json_t *params, json_t *answer,
                      weir_error *error)
{
    const char *patterns[PATTERNS_MAX];
    weir_plan plan = {.name = name_of(params, error), .description = ""};
    (void)answer;
    if (!plan.name)
        return error->code;
    if (!json_object_get(params, "tags"))
        return change(collector, params, WEIR_PLAN_START, error);
    const weir_err err = plan_of(params, patterns, &plan, error);
    return err ? err : weir_runtime_plan_start(collector, &plan, error);
}

static weir_err pause_plan(weir_runtime *collector, const json_t *params, json_t *answer,
                           weir_error *error)
{
    (void)answer;
    return change(collector, params, WEIR_PLAN_PAUSE, error);
}

static weir_err resume(weir_runtime *collector, const json_t *params, json_t *answer,
                       weir_error *error)
{
    (void)answer;
    return change(collector, params, WEIR_PLAN_RESUME, error);
}

static weir_err stop(weir_runtime *collector, const json_t *params, json_t *answer,
                     weir_error *error)
{
    (void)answer;
    return change(collector, params, WEIR_PLAN_STOP, error);
}

static weir_err collect(weir_runtime *collector, const json_t *params, json_t *answer,
                        weir_error *error)
{
    const char *name = name_of(params, error);
    int64_t cycles = 1, wait_us = 0;
    (void)answer;
    if (!name)
        return error->code;
    weir_err err = number_of(params, "cycles", 1, 1000000, &cycles, error);
    if (!err)
        err = number_of(params, "wait", 0, WEIR_DAY, &wait_us, error);
    return err ? err : weir_runtime_plan_collect(collector, name, (uint32_t)cycles, wait_us, error);
}

/* --- the list ----------------------------------------------------------------------------- */

/* "5s", "0 5 * * * (local)", "own, else 5s". */
static json_t *rhythm_json(const weir_plan *plan)
{
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    if (plan->has_cron) {
        weir_text_format(&t, "%s (%s)", plan->cron_text, plan->zone_name);
    } else if (plan->interval_us) {
        weir_text_add_duration(&t, plan->interval_us);
    } else {
        weir_text_add(&t, "own");
        if (plan->default_interval_us) {
            weir_text_add(&t, ", else ");
            weir_text_add_duration(&t, plan->default_interval_us);
        }
    }
    return weir_json_text(weir_text_get(&t));
}

static json_t *plan_json(const weir_plan_status *s)
{
    const weir_plan *plan = s->plan;
    json_t *o = json_object();
    (void)json_object_set_new(o, "name", weir_json_text(plan->name));
    (void)json_object_set_new(o, "id", plan->id ? json_integer(plan->id) : json_null());
    (void)json_object_set_new(o, "state", weir_json_text(weir_plan_state_text(s->state)));
    (void)json_object_set_new(o, "rhythm", rhythm_json(plan));
    (void)json_object_set_new(o, "merge", weir_json_text(weir_plan_merge_text(plan->merge)));
    (void)json_object_set_new(o, "tags", json_integer((json_int_t)s->n_tags));
    (void)json_object_set_new(o, "next_due", weir_json_time(s->next_due));
    (void)json_object_set_new(o, "started", weir_json_time(s->started));
    (void)json_object_set_new(o, "expires", weir_json_time(s->expires));
    (void)json_object_set_new(o, "ended", weir_json_time(s->ended));
    (void)json_object_set_new(o, "configured", json_boolean(s->is_configured));
    (void)json_object_set_new(o, "collecting", json_integer(s->cycles));
    (void)json_object_set_new(o, "bit", json_integer(plan->bit));
    (void)json_object_set_new(o, "description", weir_json_text(plan->description));
    return o;
}

static weir_err list(weir_runtime *collector, const json_t *params, json_t *answer,
                     weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    weir_plan_status *all;
    size_t n;
    (void)params;
    if (!arena)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the plans");
    const weir_err err = weir_runtime_plans(collector, arena, &all, &n, error);
    json_t *plans = json_array();
    for (size_t i = 0; !err && i < n; i++)
        (void)json_array_append_new(plans, plan_json(&all[i]));
    (void)json_object_set_new(answer, "result", json_pack("{so}", "plans", plans));
    return err;
}

bool weir_control_plan(weir_runtime *collector, const char *method, const json_t *params,
                       json_t *answer)
{
    static const struct {
        const char *method;
        weir_err (*run)(weir_runtime *collector, const json_t *params, json_t *answer,
                        weir_error *error);
    } methods[] = {{"plan.list", list},     {"plan.start", start}, {"plan.pause", pause_plan},
                   {"plan.resume", resume}, {"plan.stop", stop},   {"plan.collect", collect}};
    weir_error error = WEIR_ERROR_INIT;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(method, methods[i].method) != 0)
            continue;
        if (methods[i].run(collector, params, answer, &error) != WEIR_OK) {
            (void)json_object_del(answer, "result");
            weir_json_fail(answer, &error);
        } else if (!json_object_get(answer, "result")) {
            (void)json_object_set_new(answer, "result", json_object());
        }
        return true;
    }
    return false;
}

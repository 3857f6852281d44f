/* SPDX-License-Identifier: MIT */
/* Plans of a configuration: rhythms, times, tags, and what is wrong with them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/test_zone.h"
#include "catalog/test_sink_type.h"
#include "catalog/yaml.h"

#define PLANT                                                                            \
    "connections: [{name: line, uri: 'simulated:'}]\n"                                   \
    "devices:\n"                                                                         \
    "  - {name: m1, connection: line, unit_id: 1, interval: 1s,\n"                       \
    "     points: [{name: power, register: input, address: 0, type: float32},\n"         \
    "              {name: phase, register: input, address: 9, type: uint16, count: 3,\n" \
    "               interval: on_demand}]}\n"                                            \
    "  - {name: m2, connection: line, unit_id: 2,\n"                                     \
    "     points: [{name: power, register: input, address: 0, type: float32}]}\n"

static weir_err zone_of(const char *name, const weir_zone **ret, weir_zone **ret_owned,
                        weir_error *error)
{
    *ret = weir_zone_utc();
    *ret_owned = NULL;
    if (!strcmp(name, "local"))
        return WEIR_OK;
    if (strcmp(name, "Europe/Berlin") != 0)
        return weir_fail(error, WEIR_ENOTFOUND, "no time zone '%s'", name);
    *ret = *ret_owned = zone_of_name(name);
    return WEIR_OK;
}

struct loaded {
    weir_catalog *catalog;
    weir_text said; /* problems, then warnings */
};

static struct loaded load(const char *plans)
{
    struct loaded l = {.said = WEIR_TEXT_INIT};
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_problems problems = WEIR_PROBLEMS_INIT, warnings = WEIR_PROBLEMS_INIT;
    const weir_yaml_options options = {
        .sink_type = find_ledger, .zone = zone_of, .warnings = &warnings};
    weir_text_format(&text, "%s%s", PLANT, plans);
    (void)!weir_yaml_load_text(weir_text_get(&text), text.length, "w.yaml", &options, &l.catalog,
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

static void unload(struct loaded *l)
{
    weir_catalog_free(l->catalog);
    weir_text_deinit(&l->said);
}

static void a_plan_says_which_tags_and_when(void **state)
{
    (void)state;
    struct loaded l =
        load("plans:\n"
             "  - {name: night, id: 7, tags: ['*/power', '!m1/*'], cron: '0 */5 22-23 * * *',\n"
             "     zone: Europe/Berlin, lifetime: 24h, start: 2026-07-01T08:00, end: "
             "2026-12-01T00:00Z}\n"
             "  - {name: fast, tags: 'm1/phase[1]', interval: 200ms, merge: gcd, enabled: false,\n"
             "     minimum_interval: 300ms, interval_policy: limit}\n"
             "  - {name: own, tags: '*', default_interval: 30s}\n"
             "  - {name: minutely, tags: m2/power, cron: {hour: '*', minute: '*/1', second: 0}}\n"
             "sinks: [{name: book, type: ledger, path: x, plans: [night, default]}]\n");
    assert_string_equal(weir_text_get(&l.said), "");
    const weir_catalog *c = l.catalog;
    assert_int_equal(c->n_plans, 4);
    const weir_plan *night = weir_catalog_find_plan(c, "night");
    assert_int_equal(night->id, 7);
    assert_true(night->enabled && night->has_cron);
    assert_string_equal(night->cron_text, "0 */5 22-23 * * *");
    assert_int_equal(night->n_members, 1);
    assert_int_equal(night->members[0].device, 1);
    assert_int_equal(night->lifetime_us, WEIR_DAY);
    assert_int_equal(night->start.us, wall_of("2026-07-01T06:00:00Z").us); /* summer in Berlin */
    assert_int_equal(night->end.us, wall_of("2026-12-01T00:00:00Z").us);
    const weir_plan *fast = weir_catalog_find_plan(c, "fast");
    assert_int_equal(fast->interval_us, 200 * WEIR_MS);
    assert_true(!fast->enabled && fast->merge == WEIR_PLAN_GCD && fast->policy == WEIR_PLAN_LIMIT);
    assert_int_equal(fast->n_members, 1);
    assert_int_equal(fast->members[0].point, 1);
    assert_int_equal(fast->n_tags, 1);
    const weir_plan *own = weir_catalog_find_plan(c, "own");
    assert_int_equal(own->n_members, 3);
    assert_int_equal(own->n_tags, 5);
    assert_int_equal(weir_plan_interval(own, &c->devices[0], 0), WEIR_S);
    assert_int_equal(weir_plan_interval(own, &c->devices[0], 1), 30 * WEIR_S);
    assert_int_equal(weir_plan_interval(own, &c->devices[1], 0), 30 * WEIR_S);
    l.catalog->plans[0].bit = 5;
    weir_catalog_name_plans(l.catalog);
    assert_int_equal(c->sinks[0].plans, 1u << 5 | WEIR_PLAN_DEFAULT);
    unload(&l);
}

static void what_is_wrong_with_a_plan_is_said_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *plans, *want;
    } cases[] = {
        {"plans: [{name: a, tags: 'm2/*', cron: '0 61 * * *'}]",
         "w.yaml:9:39: cron, hour \"61\": write 0 to 23"},
        {"plans: [{name: a, tags: 'm2/*', cron: '0 0 30 2 *'}]",
         "w.yaml:9:39: cron, it never fires"},
        {"plans: [{name: a, tags: 'm2/*', cron: {hour: 25}}]",
         "w.yaml:9:39: cron, hour \"25\": write 0 to 23"},
        {"plans: [{name: a, tags: 'm2/*', cron: {hours: 2}}]",
         "w.yaml:9:40: unknown key 'hours': did you mean 'hour'?"},
        {"plans: [{name: a, tags: 'm2/*', interval: 5}]",
         "w.yaml:9:43: interval must be a duration"},
        {"plans: [{name: a, tags: 'm2/*', interval: on_demand}]",
         "w.yaml:9:43: interval of a plan"},
        {"plans: [{name: a, tags: 'm2/*', interval: 5s, cron: '@hourly'}]",
         "w.yaml:9:53: cron: with interval beside it, remove one"},
        {"plans: [{name: a, tags: 'm2/*', interval: 5s, default_interval: 6s}]",
         "w.yaml:9:65: default_interval: interval already says"},
        {"plans: [{name: a, tags: 'm2/*', cron: '@hourly', merge: gcd}]",
         "w.yaml:9:57: merge: a cron expression has no divisor"},
        {"plans: [{name: a, tags: 'm2/*', interval: 5s, start: 2026-01-02, end: 2026-01-01}]",
         "w.yaml:9:71: end: it is not behind start"},
        {"plans: [{name: a, tags: 'm2/*', interval: 5s, start: tomorrow}]",
         "w.yaml:9:54: start must be a time such as"},
        {"plans: [{name: a, tags: 'm2/*', interval: 5s, zone: Berlin}]",
         "w.yaml:9:53: no time zone 'Berlin'"},
        {"plans: [{name: a, tags: 'm2/*', interval: 1s, minimum_interval: 5s, interval_policy: "
         "error}]",
         "w.yaml:9:43: interval: it is below minimum_interval"},
        {"plans: [{name: default, tags: 'm2/*', interval: 5s}]", "w.yaml:9:16: name: 'default' is"},
        {"plans: [{name: 'a b', tags: 'm2/*', interval: 5s}]", "w.yaml:9:16: name: no blank"},
        {"plans: [{tags: 'm2/*', interval: 5s}]", "w.yaml:9:9: a plan needs 'name'"},
        {"plans: [{name: a, interval: 5s}]", "w.yaml:9:9: tags: which tags?"},
        {"plans: [{name: a, tags: [m2/power, m2/powr], interval: 5s}]",
         "w.yaml:9:36: there is no tag 'm2/powr': did you mean 'm2/power'?"},
        {"plans: [{name: a, tags: 'm2/*', interval: 5s}, {name: a, tags: m1/power, interval: 1s}]",
         "w.yaml:9:55: the plan name 'a' is already used at line 9"},
        {"plans: [{name: a, id: 3, tags: 'm2/*', interval: 5s},\n"
         "  {name: b, id: 3, tags: m1/power, interval: 1s}]",
         "w.yaml:10:17: the plan 'a' at line 9 has this id already"},
        {"plans: [{name: a, tags: m1/power, interval: 5s}]",
         "w.yaml:7:5: point 'power' of 'm2' has no interval, and no plan reads it"},
        {"plans: [{name: a, tags: 'm2/*'}]",
         "w.yaml:9:9: plan 'a' has no interval, and its tag 'm2/power' none of its own"},
        {"plans: [{name: a, tags: ['m2/*', 'm9/*'], interval: 5s}]",
         "warning w.yaml:9:34: the pattern \"m9/*\" matches no tag"},
        {"plans: [{name: night, tags: 'm2/*', interval: 5s}]\n"
         "sinks: [{name: book, type: ledger, path: x, plans: nigth}]",
         "w.yaml:10:52: there is no plan 'nigth': did you mean 'night'?"},
        {"plans: {name: a}", "w.yaml:9:8: 'plans' must be a list, not a mapping"},
        {"", "w.yaml:7:5: point 'power' has no interval: give it or its device one"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct loaded l = load(cases[i].plans);
        const char *said = weir_text_get(&l.said);
        if (strncmp(said, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s\nsays: %snot:  %s", cases[i].plans, said, cases[i].want);
        assert_true((l.catalog == NULL) == (strncmp(said, "warning", 7) != 0));
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_says_which_tags_and_when),
        cmocka_unit_test(what_is_wrong_with_a_plan_is_said_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

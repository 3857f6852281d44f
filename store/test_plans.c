/* SPDX-License-Identifier: MIT */
/* Tests of the bits that plans have in the store. */

#include "store/plans.h"

#include "store/query/query.h"
#include "store/testing.h"

static uint8_t bit_of(weir_store *store, const char *name)
{
    weir_error error = WEIR_ERROR_INIT;
    uint8_t bit = 0;
    if (weir_store_plan_bit(store, name, (weir_wall){T0}, &bit, &error) != WEIR_OK)
        fail_msg("%s: %s", name, error.text);
    return bit;
}

static weir_catalog *catalog_of(size_t n, const char *const *names)
{
    weir_catalog *c = testing_catalog(1, 1);
    weir_sink_config *sinks = weir_arena_alloc(c->arena, 1, sizeof *sinks);
    c->plans = weir_arena_alloc(c->arena, n, sizeof *c->plans);
    assert_true(sinks && c->plans);
    for (size_t i = 0; i < n; i++)
        c->plans[i].name = names[i];
    c->n_plans = n;
    *sinks = (weir_sink_config){.name = "office", .n_plans = 1, .plan_names = &names[n - 1]};
    c->sinks = sinks;
    c->n_sinks = 1;
    return c;
}

static void a_name_has_the_same_bit_for_the_life_of_the_store(void **state)
{
    (void)state;
    static const char *const first[] = {"night", "quick"}, *const later[] = {"new", "quick"};
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *c = catalog_of(2, first);
    testing_register(store, c);
    assert_int_equal(c->plans[0].bit, 1);
    assert_int_equal(c->plans[1].bit, 2);
    assert_int_equal(c->sinks[0].plans, 1u << 2);
    assert_int_equal(bit_of(store, "by hand"), 3);
    assert_int_equal(bit_of(store, "night"), 1);
    weir_store_close(store);
    weir_catalog_free(c);

    store = testing_open(dir);
    c = catalog_of(2, later);
    testing_register(store, c);
    assert_int_equal(c->plans[0].bit, 4);
    assert_int_equal(c->plans[1].bit, 2);
    assert_int_equal(bit_of(store, "by hand"), 3);
    weir_store_close(store);
    weir_catalog_free(c);
    testing_remove(dir);
}

static void a_file_that_is_made_anew_gets_the_bits_in_force(void **state)
{
    (void)state;
    static const char *const names[] = {"second"};
    char *dir = testing_dir(), path[300];
    weir_store *store = testing_open(dir);
    weir_error error = WEIR_ERROR_INIT;
    weir_recovery found;
    assert_int_equal(bit_of(store, "first"), 1);
    weir_catalog *c = catalog_of(1, names);
    testing_register(store, c);
    assert_int_equal(c->plans[0].bit, 2);
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(weir_store_recover(store, false, (weir_wall){T0}, &found, &error), WEIR_OK);
    assert_true(found.recreated);
    assert_int_equal(bit_of(store, "second"), 2);
    assert_int_not_equal(bit_of(store, "third"), 2);
    weir_store_close(store);
    weir_catalog_free(c);
    testing_remove(dir);
}

static void sixty_three_names_are_the_end_and_it_is_said(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_error error = WEIR_ERROR_INIT;
    uint8_t bit = 77;
    for (int i = 1; i <= 63; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(bit_of(store, name), i);
    }
    assert_int_equal(weir_store_plan_bit(store, "more", (weir_wall){T0}, &bit, &error),
                     WEIR_ELIMIT);
    assert_int_equal(bit, 77);
    assert_non_null(strstr(error.text, "plan 'more': this store has known 63 plans"));
    assert_int_equal(bit_of(store, "p63"), 63);
    weir_store_close(store);
    testing_remove(dir);
}

/* Also of one that begins while somebody reads. */
static void samples_show_the_names_of_their_plans(void **state)
{
    (void)state;
    static const char sql[] = "SELECT plan, plans FROM samples ORDER BY ts";
    static const uint64_t plans[] = {0, 1, 2, 3, 1 | 1ull << 63};
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *c = testing_catalog(1, 1);
    weir_query *query = NULL;
    testing_register(store, c);
    for (int i = 0; i < 5; i++) {
        const weir_sample sample = {.tag = 1, .ts = {T0 + i}, .value = weir_value_i64(i)};
        const weir_batch batch = {.due = {T0 + i},
                                  .received = {T0 + i},
                                  .plans = plans[i],
                                  .n_samples = 1,
                                  .samples = &sample};
        assert_int_equal(weir_store_append(store, &batch, NULL), WEIR_OK);
    }
    testing_commit(store);
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    sqlite3 *db = weir_query_db(query);
    assert_string_equal(testing_sql(db, sql), "|0\ndefault|1\n#1|2\ndefault,#1|3\n"
                                              "default,#63|-9223372036854775807");
    assert_int_equal(bit_of(store, "Night shift"), 1);
    assert_string_equal(testing_sql(db, "SELECT plan FROM samples ORDER BY ts LIMIT 4"),
                        "default\nNight shift\ndefault,Night shift");
    assert_string_equal(testing_sql(db, "SELECT plan, plans FROM current"),
                        "default,#63|-9223372036854775807");
    weir_query_close(query);
    weir_store_close(store);
    weir_catalog_free(c);
    testing_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_the_same_bit_for_the_life_of_the_store),
        cmocka_unit_test(a_file_that_is_made_anew_gets_the_bits_in_force),
        cmocka_unit_test(samples_show_the_names_of_their_plans),
        cmocka_unit_test(sixty_three_names_are_the_end_and_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tests of registering another catalog: renamed, exchanged, removed and returning tags. */

#include "store/store.h"

#include "model/diff.h"
#include "store/testing.h"

/* Two devices d0 and d1 with one point p0; devices and points may be written to. */
struct plant {
    weir_catalog *catalog;
    weir_device devices[3];
    weir_point points[3];
};

static void plant_init(struct plant *p, uint32_t n_devices)
{
    static const uint8_t on_demand[] = {0xff};
    p->catalog = testing_catalog(n_devices, 1);
    for (uint32_t i = 0; i < n_devices; i++) {
        p->points[i] = p->catalog->devices[i].points[0];
        p->devices[i] = p->catalog->devices[i];
        p->devices[i].points = &p->points[i];
        p->devices[i].point_interval = on_demand;
    }
    p->catalog->devices = p->devices;
}

static void plant_rename(struct plant *p, uint32_t device, const char *name, const char *was)
{
    p->devices[device].name = name;
    p->devices[device].was = was;
}

struct store {
    char *dir;
    weir_store *store;
};

static void store_init(struct store *s)
{
    s->dir = testing_dir();
    s->store = testing_open(s->dir);
}

static void store_deinit(struct store *s)
{
    weir_store_close(s->store);
    testing_remove(s->dir);
}

/* With a sample of each tag behind it, so that the next one is another version. */
static void store_register(struct store *s, const struct plant *p)
{
    testing_register(s->store, p->catalog);
    for (size_t i = 0; i < p->catalog->n_tags; i++)
        testing_append(s->store, p->catalog->tags[i].uid, T0, 0, weir_value_u64(1));
    testing_commit(s->store);
}

static void store_reopen(struct store *s)
{
    weir_store_close(s->store);
    s->store = testing_open(s->dir);
}

static const char *tags_of(struct store *s)
{
    weir_store_close(s->store);
    const char *answer = testing_file_sql(s->dir, "SELECT uid, name, active FROM tag ORDER BY uid");
    s->store = testing_open(s->dir);
    return answer;
}

static void a_renamed_device_keeps_its_uids_and_does_so_once(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&before, 2);
    plant_init(&after, 2);
    plant_rename(&after, 1, "feeder-a", "d1");
    store_register(&s, &before);
    for (int i = 0; i < 3; i++) {
        store_register(&s, &after);
        assert_int_equal(after.catalog->tags[1].uid, 2);
        assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|feeder-a/p0|1");
    }
    weir_store_close(s.store);
    assert_string_equal(
        testing_file_sql(s.dir, "SELECT name, device FROM tag_version WHERE uid=2 ORDER BY seq"),
        "d1/p0|d1\nfeeder-a/p0|feeder-a");
    s.store = testing_open(s.dir);
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

static void a_renamed_point_keeps_its_uid(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&before, 1);
    plant_init(&after, 1);
    after.points[0].name = "power";
    after.points[0].was = "p0";
    store_register(&s, &before);
    store_register(&s, &after);
    assert_string_equal(tags_of(&s), "1|d0/power|1");
    /* And its device later. */
    plant_rename(&after, 0, "main", "d0");
    store_register(&s, &after);
    assert_string_equal(tags_of(&s), "1|main/power|1");
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

static void device_and_point_can_be_renamed_at_once(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&before, 1);
    plant_init(&after, 1);
    after.points[0].name = "power";
    after.points[0].was = "p0";
    plant_rename(&after, 0, "main", "d0");
    store_register(&s, &before);
    store_register(&s, &after);
    assert_string_equal(tags_of(&s), "1|main/power|1");
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

static void names_can_be_exchanged_in_one_step_and_stay_so(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&before, 3);
    plant_init(&after, 3);
    plant_rename(&after, 0, "d1", "d0"); /* round in a circle */
    plant_rename(&after, 1, "d2", "d1");
    plant_rename(&after, 2, "d0", "d2");
    store_register(&s, &before);
    for (int i = 0; i < 3; i++) {
        store_register(&s, &after);
        assert_string_equal(tags_of(&s), "1|d1/p0|1\n2|d2/p0|1\n3|d0/p0|1");
    }
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

static void a_removed_tag_keeps_its_row_and_comes_back_as_itself(void **state)
{
    (void)state;
    struct store s;
    struct plant both, one;
    store_init(&s);
    plant_init(&both, 2);
    plant_init(&one, 1);
    store_register(&s, &both);
    store_register(&s, &one);
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|0");
    store_register(&s, &both);
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|1");
    weir_catalog_free(both.catalog);
    weir_catalog_free(one.catalog);
    store_deinit(&s);
}

static void a_name_that_somebody_else_had_is_taken_over(void **state)
{
    (void)state;
    struct store s;
    struct plant both, one;
    store_init(&s);
    plant_init(&both, 2);
    plant_init(&one, 1);
    plant_rename(&one, 0, "d1", "d0"); /* d1 is gone in the same step */
    store_register(&s, &both);
    store_register(&s, &one);
    assert_string_equal(tags_of(&s), "1|d1/p0|1\n2|d1/p0~2|0");
    weir_catalog_free(both.catalog);
    weir_catalog_free(one.catalog);
    store_deinit(&s);
}

static void a_former_name_can_be_given_to_a_new_device(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&before, 1);
    plant_init(&after, 2);
    plant_rename(&after, 0, "feeder-a", "d0");
    plant_rename(&after, 1, "d0", "");
    store_register(&s, &before);
    for (int i = 0; i < 2; i++) {
        store_register(&s, &after);
        assert_string_equal(tags_of(&s), "1|feeder-a/p0|1\n2|d0/p0|1");
    }
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

static weir_diff *diff_of(const struct plant *older, const struct plant *newer)
{
    weir_diff *diff = NULL;
    assert_int_equal(weir_diff_new(older->catalog, newer->catalog, &diff, NULL), WEIR_OK);
    return diff;
}

static void register_by_diff(struct store *s, const struct plant *older, const struct plant *newer)
{
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = diff_of(older, newer);
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_register_begin(s->store, newer->catalog, diff, (weir_wall){T0}, &error) ||
        weir_store_register_end(s->store, &error))
        fail_msg("%s", error.text);
}

static void with_a_diff_what_is_the_same_is_not_looked_at(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&before, 2);
    plant_init(&after, 2);
    after.devices[1].description = "another";
    after.points[1].unit = "W";
    store_register(&s, &before);
    before.catalog->tags[0].uid = 2; /* its name would give 1 */
    register_by_diff(&s, &before, &after);
    assert_int_equal(after.catalog->tags[0].uid, 2);
    assert_int_equal(after.catalog->tags[1].uid, 2);
    weir_store_close(s.store);
    assert_string_equal(
        testing_file_sql(s.dir, "SELECT uid, unit FROM tag_version ORDER BY 1, seq"),
        "1|kW\n2|kW\n2|W");
    s.store = testing_open(s.dir);
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

static void a_providers_key_keeps_uids_under_other_names(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&before, 2);
    plant_init(&after, 2);
    before.devices[0].key = after.devices[0].key = "7";
    before.devices[1].key = after.devices[1].key = "8";
    plant_rename(&after, 0, "d1", "");
    plant_rename(&after, 1, "d0", "");
    store_register(&s, &before);
    register_by_diff(&s, &before, &after);
    assert_string_equal(tags_of(&s), "1|d1/p0|1\n2|d0/p0|1");
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

static void a_canceled_registration_leaves_no_trace(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    weir_error error = WEIR_ERROR_INIT;
    store_init(&s);
    plant_init(&before, 2);
    plant_init(&after, 3);
    plant_rename(&after, 1, "feeder-a", "d1");
    store_register(&s, &before);
    assert_int_equal(
        weir_store_register_begin(s.store, after.catalog, NULL, (weir_wall){T0}, &error), WEIR_OK);
    weir_store_register_cancel(s.store);
    /* It goes on with what it had. */
    testing_append(s.store, 2, T0 + 1, 0, weir_value_u64(2));
    testing_commit(s.store);
    store_reopen(&s);
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|1");
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

static void devices_that_stay_keep_their_rows(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    const weir_device_record records[] = {
        {.name = "d0", .connection = "boiler-room", .state = "online", .error = "", .requests = 5},
        {.name = "d1", .connection = "boiler-room", .state = "online", .error = "", .requests = 6}};
    store_init(&s);
    plant_init(&before, 2);
    plant_init(&after, 2);
    after.devices[1].unit_id = 99;
    store_register(&s, &before);
    assert_int_equal(weir_store_put_devices(s.store, records, 2, NULL), WEIR_OK);
    register_by_diff(&s, &before, &after);
    weir_store_close(s.store);
    assert_string_equal(testing_file_sql(s.dir, "SELECT name, state, requests FROM device"),
                        "d0|online|5\nd1|connecting|6");
    s.store = testing_open(s.dir);
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

static void every_refused_allocation_leaves_the_old_registration(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    weir_err err = WEIR_ENOMEM;
    store_init(&s);
    plant_init(&before, 2);
    plant_init(&after, 2);
    plant_rename(&after, 1, "feeder-a", "d1");
    store_register(&s, &before);
    for (size_t n = 1; err != WEIR_OK; n++) {
        weir_error error = WEIR_ERROR_INIT;
        (void)weir_alloc_fail_nth(n, false);
        err = weir_store_register(s.store, after.catalog, (weir_wall){T0}, &error);
        (void)weir_alloc_fail_nth(0, false);
        assert_true(err == WEIR_OK || err == WEIR_ENOMEM);
        assert_int_equal(weir_store_get_position(s.store).committed_seq, 2);
    }
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|feeder-a/p0|1");
    weir_catalog_free(before.catalog);
    weir_catalog_free(after.catalog);
    store_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_renamed_device_keeps_its_uids_and_does_so_once),
        cmocka_unit_test(a_renamed_point_keeps_its_uid),
        cmocka_unit_test(device_and_point_can_be_renamed_at_once),
        cmocka_unit_test(names_can_be_exchanged_in_one_step_and_stay_so),
        cmocka_unit_test(a_removed_tag_keeps_its_row_and_comes_back_as_itself),
        cmocka_unit_test(a_name_that_somebody_else_had_is_taken_over),
        cmocka_unit_test(a_former_name_can_be_given_to_a_new_device),
        cmocka_unit_test(with_a_diff_what_is_the_same_is_not_looked_at),
        cmocka_unit_test(a_providers_key_keeps_uids_under_other_names),
        cmocka_unit_test(a_canceled_registration_leaves_no_trace),
        cmocka_unit_test(devices_that_stay_keep_their_rows),
        cmocka_unit_test(every_refused_allocation_leaves_the_old_registration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

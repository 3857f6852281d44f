/* SPDX-License-Identifier: MIT */
/* Tests of registering another catalog: renamed, exchanged, removed and returning tags. */

#include "store/store.h"

#include "model/diff.h"
#include "store/testing.h"

enum { PLANTS_MAX = 4 };

struct store {
    char *dir;
    weir_store *store;
    weir_catalog *catalogs[PLANTS_MAX]; /* of its plants; they end with it */
    size_t n_catalogs;
};

static void store_init(struct store *s)
{
    s->dir = testing_dir();
    s->store = testing_open(s->dir);
    s->n_catalogs = 0;
}

static void store_deinit(struct store *s)
{
    weir_store_close(s->store);
    testing_remove(s->dir);
    for (size_t i = 0; i < s->n_catalogs; i++)
        weir_catalog_free(s->catalogs[i]);
}

/* Two devices d0 and d1 with one point p0; devices and points may be written to. */
struct plant {
    weir_catalog *catalog;
    weir_device devices[3];
    weir_point points[3];
};

static void plant_init(struct store *s, struct plant *p, uint32_t n_devices)
{
    static const uint8_t on_demand[] = {0xff};
    assert_true(s->n_catalogs < PLANTS_MAX);
    p->catalog = s->catalogs[s->n_catalogs++] = testing_catalog(n_devices, 1);
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
    plant_init(&s, &before, 2);
    plant_init(&s, &after, 2);
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
    store_deinit(&s);
}

static void a_renamed_point_keeps_its_uid(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&s, &before, 1);
    plant_init(&s, &after, 1);
    after.points[0].name = "power";
    after.points[0].was = "p0";
    store_register(&s, &before);
    store_register(&s, &after);
    assert_string_equal(tags_of(&s), "1|d0/power|1");
    /* And its device later. */
    plant_rename(&after, 0, "main", "d0");
    store_register(&s, &after);
    assert_string_equal(tags_of(&s), "1|main/power|1");
    store_deinit(&s);
}

static void device_and_point_can_be_renamed_at_once(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&s, &before, 1);
    plant_init(&s, &after, 1);
    after.points[0].name = "power";
    after.points[0].was = "p0";
    plant_rename(&after, 0, "main", "d0");
    store_register(&s, &before);
    store_register(&s, &after);
    assert_string_equal(tags_of(&s), "1|main/power|1");
    store_deinit(&s);
}

static void names_can_be_exchanged_in_one_step_and_stay_so(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&s, &before, 3);
    plant_init(&s, &after, 3);
    plant_rename(&after, 0, "d1", "d0"); /* round in a circle */
    plant_rename(&after, 1, "d2", "d1");
    plant_rename(&after, 2, "d0", "d2");
    store_register(&s, &before);
    for (int i = 0; i < 3; i++) {
        store_register(&s, &after);
        assert_string_equal(tags_of(&s), "1|d1/p0|1\n2|d2/p0|1\n3|d0/p0|1");
    }
    store_deinit(&s);
}

static void a_removed_tag_keeps_its_row_and_comes_back_as_itself(void **state)
{
    (void)state;
    struct store s;
    struct plant both, one;
    store_init(&s);
    plant_init(&s, &both, 2);
    plant_init(&s, &one, 1);
    store_register(&s, &both);
    store_register(&s, &one);
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|0");
    store_register(&s, &both);
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|1");
    store_deinit(&s);
}

static void a_name_that_somebody_else_had_is_taken_over(void **state)
{
    (void)state;
    struct store s;
    struct plant both, one;
    store_init(&s);
    plant_init(&s, &both, 2);
    plant_init(&s, &one, 1);
    plant_rename(&one, 0, "d1", "d0"); /* d1 is gone in the same step */
    store_register(&s, &both);
    store_register(&s, &one);
    assert_string_equal(tags_of(&s), "1|d1/p0|1\n2|d1/p0~2|0");
    store_deinit(&s);
}

static void a_former_name_can_be_given_to_a_new_device(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&s, &before, 1);
    plant_init(&s, &after, 2);
    plant_rename(&after, 0, "feeder-a", "d0");
    plant_rename(&after, 1, "d0", "");
    store_register(&s, &before);
    for (int i = 0; i < 2; i++) {
        store_register(&s, &after);
        assert_string_equal(tags_of(&s), "1|feeder-a/p0|1\n2|d0/p0|1");
    }
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
    plant_init(&s, &before, 2);
    plant_init(&s, &after, 2);
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
    store_deinit(&s);
}

static void a_providers_key_keeps_uids_under_other_names(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&s, &before, 2);
    plant_init(&s, &after, 2);
    before.devices[0].key = after.devices[0].key = "7";
    before.devices[1].key = after.devices[1].key = "8";
    plant_rename(&after, 0, "d1", "");
    plant_rename(&after, 1, "d0", "");
    store_register(&s, &before);
    register_by_diff(&s, &before, &after);
    assert_string_equal(tags_of(&s), "1|d1/p0|1\n2|d0/p0|1");
    store_deinit(&s);
}

/* ---- what a provider knows tags by ---- */

/* Rows "1", "2" ... of a table, and of another one for the points. */
static void plant_key(struct plant *p)
{
    static const char *const devices[] = {"t 1", "t 2", "t 3"}, *const points[] = {"p 1", "p 2",
                                                                                   "p 3"};
    for (size_t i = 0; i < p->catalog->n_devices; i++) {
        p->devices[i].key = devices[i];
        p->points[i].key = points[i];
    }
}

static const char *keys_of(struct store *s)
{
    weir_store_close(s->store);
    const char *answer = testing_file_sql(
        s->dir, "SELECT uid, device, point, element FROM tag_key ORDER BY uid, device, point");
    s->store = testing_open(s->dir);
    return answer;
}

/* As if weir was stopped: nothing but the file is known of what was before. */
static void names_exchanged_while_weir_was_stopped_go_on(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&s, &before, 2);
    plant_init(&s, &after, 2);
    plant_key(&before);
    plant_key(&after);
    plant_rename(&after, 0, "d1", "");
    plant_rename(&after, 1, "d0", "");
    after.points[1].name = "power";
    store_register(&s, &before);
    assert_string_equal(keys_of(&s), "1|t 1|p 1|0\n2|t 2|p 2|0");
    for (int i = 0; i < 3; i++) {
        store_register(&s, i % 2 ? &before : &after); /* and back, and again */
        assert_string_equal(tags_of(&s),
                            i % 2 ? "1|d0/p0|1\n2|d1/p0|1" : "1|d1/p0|1\n2|d0/power|1");
    }
    store_deinit(&s);
}

/* A device of a database whose points stand in a profile. */
static void a_point_without_a_key_is_known_by_its_name_in_its_device(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&s, &before, 2);
    plant_init(&s, &after, 2);
    before.devices[0].key = after.devices[0].key = "t 1";
    plant_rename(&after, 0, "feeder-a", "");
    after.points[0].name = "power";
    after.points[0].was = "p0";
    store_register(&s, &before);
    assert_string_equal(keys_of(&s), "1|t 1|/p0|0");
    for (int i = 0; i < 3; i++) {
        store_register(&s, &after);
        assert_string_equal(tags_of(&s), "1|feeder-a/power|1\n2|d1/p0|1");
        assert_string_equal(keys_of(&s), "1|t 1|/power|0");
    }
    store_deinit(&s);
}

/* In one device whose row has an id: "a: was b, b: was a" is done once, whatever it is called. */
static void points_exchanged_by_was_are_so_once(void **state)
{
    (void)state;
    struct store s;
    weir_catalog *before = testing_catalog(1, 2), *after = testing_catalog(1, 2);
    weir_device old = before->devices[0], fresh = after->devices[0];
    weir_point points[2] = {after->devices[0].points[0], after->devices[0].points[1]};
    static const uint8_t on_demand[] = {0xff, 0xff};
    store_init(&s);
    old.key = fresh.key = "t 1";
    old.point_interval = fresh.point_interval = on_demand;
    fresh.name = "other";
    points[0].name = "p1";
    points[0].was = "p0";
    points[1].name = "p0";
    points[1].was = "p1";
    fresh.points = points;
    before->devices = &old;
    after->devices = &fresh;
    testing_register(s.store, before);
    for (int i = 0; i < 2; i++) {
        testing_append(s.store, 1, T0 + i, 0, weir_value_u64(1));
        testing_append(s.store, 2, T0 + i, 0, weir_value_u64(1));
        testing_commit(s.store);
        testing_register(s.store, after);
        assert_string_equal(tags_of(&s), "1|other/p1|1\n2|other/p0|1");
    }
    weir_catalog_free(before);
    weir_catalog_free(after);
    store_deinit(&s);
}

static void another_row_of_the_same_name_goes_on_by_name(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&s, &before, 1);
    plant_init(&s, &after, 1);
    plant_key(&before);
    after.devices[0].key = "t 9";
    after.points[0].key = "p 9";
    store_register(&s, &before);
    store_register(&s, &after);
    assert_string_equal(tags_of(&s), "1|d0/p0|1");
    assert_string_equal(keys_of(&s), "1|t 9|p 9|0");
    store_deinit(&s);
}

/* Databases give the number of the last row again. */
static void an_id_that_was_given_up_is_somebody_else(void **state)
{
    (void)state;
    struct store s;
    struct plant both, one, again;
    store_init(&s);
    plant_init(&s, &both, 2);
    plant_init(&s, &one, 1);
    plant_init(&s, &again, 2);
    plant_key(&both);
    plant_key(&one);
    plant_key(&again);
    plant_rename(&again, 1, "chiller", "");
    store_register(&s, &both);
    store_register(&s, &one);
    assert_string_equal(keys_of(&s), "1|t 1|p 1|0");
    store_register(&s, &again);
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|0\n3|chiller/p0|1");
    store_deinit(&s);
}

/* A request of a table has an id, its device none: it moves to another one. */
static void a_point_of_no_known_device_is_known_by_its_own_key(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    store_init(&s);
    plant_init(&s, &before, 2);
    plant_init(&s, &after, 2);
    before.points[0].key = after.points[1].key = "p 1";
    before.points[1].key = after.points[0].key = "p 2";
    store_register(&s, &before);
    assert_string_equal(keys_of(&s), "1||p 1|0\n2||p 2|0");
    store_register(&s, &after);
    assert_string_equal(tags_of(&s), "1|d1/p0|1\n2|d0/p0|1");
    store_deinit(&s);
}

/* All addresses corrected by one: each name stays who it was. */
static void a_guess_counts_only_where_the_name_is_gone(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after, renamed;
    store_init(&s);
    plant_init(&s, &before, 3);
    plant_init(&s, &after, 3);
    plant_init(&s, &renamed, 3);
    plant_key(&before);
    plant_key(&after);
    plant_key(&renamed);
    for (int i = 0; i < 3; i++) {
        static const char *const at[] = {"~0", "~1", "~2"}, *const then[] = {"~1", "~2", "~3"};
        before.points[i].key = at[i];
        after.points[i].key = renamed.points[i].key = then[i];
    }
    renamed.points[2].name = "power";
    store_register(&s, &before);
    store_register(&s, &after);
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|1\n3|d2/p0|1");
    assert_string_equal(keys_of(&s), "1|t 1|~1|0\n2|t 2|~2|0\n3|t 3|~3|0");
    store_register(&s, &renamed);
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|1\n3|d2/power|1");
    store_deinit(&s);
}

/* Keys that come while weir runs, without anything else being different, are there at the next
 * start; those that go are gone. */
static void keys_are_noted_by_a_live_change_too(void **state)
{
    (void)state;
    struct store s;
    struct plant file, row, removed;
    store_init(&s);
    plant_init(&s, &file, 2);
    plant_init(&s, &row, 2);
    plant_init(&s, &removed, 1);
    plant_key(&row);
    plant_key(&removed);
    store_register(&s, &file);
    assert_string_equal(keys_of(&s), "");
    store_register(&s, &file);
    register_by_diff(&s, &file, &row);
    assert_int_equal(row.catalog->tags[1].uid, 2);
    register_by_diff(&s, &row, &row);
    register_by_diff(&s, &row, &removed);
    assert_string_equal(keys_of(&s), "1|t 1|p 1|0");
    store_register(&s, &removed);
    register_by_diff(&s, &removed, &file);
    assert_string_equal(keys_of(&s), "");
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|1");
    store_deinit(&s);
}

/* The file is gone under a running weir: what it knows is written anew. */
static void a_file_that_is_made_anew_gets_the_keys_in_force(void **state)
{
    (void)state;
    struct store s;
    struct plant p;
    char path[300];
    weir_recovery found;
    store_init(&s);
    plant_init(&s, &p, 2);
    plant_key(&p);
    store_register(&s, &p);
    (void)snprintf(path, sizeof path, "%s/data.db", s.dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(weir_store_recover(s.store, false, (weir_wall){T0}, &found, NULL), WEIR_OK);
    assert_string_equal(keys_of(&s), "1|t 1|p 1|0\n2|t 2|p 2|0");
    store_deinit(&s);
}

static void a_canceled_registration_leaves_no_trace(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    weir_error error = WEIR_ERROR_INIT;
    store_init(&s);
    plant_init(&s, &before, 2);
    plant_init(&s, &after, 3);
    plant_rename(&after, 1, "feeder-a", "d1");
    plant_key(&before);
    plant_key(&after);
    store_register(&s, &before);
    assert_int_equal(
        weir_store_register_begin(s.store, after.catalog, NULL, (weir_wall){T0}, &error), WEIR_OK);
    weir_store_register_cancel(s.store);
    /* It goes on with what it had. */
    testing_append(s.store, 2, T0 + 1, 0, weir_value_u64(2));
    testing_commit(s.store);
    store_reopen(&s);
    assert_string_equal(tags_of(&s), "1|d0/p0|1\n2|d1/p0|1");
    assert_string_equal(keys_of(&s), "1|t 1|p 1|0\n2|t 2|p 2|0");
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
    plant_init(&s, &before, 2);
    plant_init(&s, &after, 2);
    after.devices[1].unit_id = 99;
    store_register(&s, &before);
    assert_int_equal(weir_store_put_devices(s.store, records, 2, NULL), WEIR_OK);
    register_by_diff(&s, &before, &after);
    weir_store_close(s.store);
    assert_string_equal(testing_file_sql(s.dir, "SELECT name, state, requests FROM device"),
                        "d0|online|5\nd1|connecting|6");
    s.store = testing_open(s.dir);
    store_deinit(&s);
}

static void every_refused_allocation_leaves_the_old_registration(void **state)
{
    (void)state;
    struct store s;
    struct plant before, after;
    weir_err err = WEIR_ENOMEM;
    store_init(&s);
    plant_init(&s, &before, 2);
    plant_init(&s, &after, 2);
    plant_rename(&after, 1, "feeder-a", "");
    plant_key(&before);
    plant_key(&after);
    after.points[0].key = NULL; /* and one that goes */
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
        cmocka_unit_test(names_exchanged_while_weir_was_stopped_go_on),
        cmocka_unit_test(a_point_without_a_key_is_known_by_its_name_in_its_device),
        cmocka_unit_test(points_exchanged_by_was_are_so_once),
        cmocka_unit_test(another_row_of_the_same_name_goes_on_by_name),
        cmocka_unit_test(an_id_that_was_given_up_is_somebody_else),
        cmocka_unit_test(a_point_of_no_known_device_is_known_by_its_own_key),
        cmocka_unit_test(a_guess_counts_only_where_the_name_is_gone),
        cmocka_unit_test(keys_are_noted_by_a_live_change_too),
        cmocka_unit_test(a_file_that_is_made_anew_gets_the_keys_in_force),
        cmocka_unit_test(a_canceled_registration_leaves_no_trace),
        cmocka_unit_test(devices_that_stay_keep_their_rows),
        cmocka_unit_test(every_refused_allocation_leaves_the_old_registration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

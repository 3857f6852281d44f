/* SPDX-License-Identifier: MIT */
/* Tests of the postbox: what arrives in the store, in which order, and what failures leave. */

#include "runtime/postbox.h"

#include "store/testing.h"
#include "support/fault_vfs.h"

static const weir_wall now = {T0};

struct office {
    char *dir;
    weir_store *store;
    weir_catalog *catalog;
    weir_postbox *box;
    fault_vfs *disk;
    unsigned wakes;
};

static void on_wake(void *data)
{
    ((struct office *)data)->wakes++;
}

static struct office *office_open(void)
{
    static struct office o;
    const char *names[] = {"main", "other"};
    weir_error error = WEIR_ERROR_INIT;
    o = (struct office){.dir = testing_dir(), .catalog = testing_catalog(1, 4)};
    o.disk = fault_vfs_new(&(fault_vfs_options){.name = "postbox", .seed = 1});
    if (weir_store_open(&(weir_store_options){.data_dir = o.dir, .vfs = "postbox", .now = now},
                        &o.store, &error) ||
        weir_store_register(o.store, o.catalog, now, &error) ||
        weir_store_register_sinks(o.store, names, 2, now, &error) ||
        weir_postbox_new(on_wake, &o, &o.box, &error))
        fail_msg("%s", error.text);
    for (int i = 0; i < 20; i++)
        testing_append(o.store, 1, T0 + i, 0, weir_value_i64(i));
    testing_commit(o.store);
    return &o;
}

static void office_close(struct office *o)
{
    weir_postbox_free(o->box);
    weir_store_close(o->store);
    fault_vfs_free(o->disk);
    weir_arena_free(o->catalog->arena);
    testing_remove(o->dir);
}

static weir_err deliver(struct office *o)
{
    weir_error error = WEIR_ERROR_INIT;
    bool urgent = false;
    return weir_postbox_deliver(o->box, o->store, now, &urgent, &error);
}

static const weir_cursor *cursor_of(const struct office *o, const char *name)
{
    size_t n = 0;
    const weir_cursor *c = weir_store_cursors(o->store, &n);
    while (n > 0 && strcmp(c->name, name) != 0)
        c++, n--;
    assert_true(n > 0);
    return c;
}

/* What the file says, through a connection of its own. */
static const char *file_sql(const struct office *o, const char *sql)
{
    char path[600];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/data.db", o->dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "postbox"), SQLITE_OK);
    const char *answer = testing_sql(db, sql);
    (void)sqlite3_close(db);
    return answer;
}

static void set_aside(struct office *o, uint64_t seq, const char *why)
{
    char name[] = "d0/p1", text[] = "a value"; /* gone when it is delivered */
    const weir_label label = {"building", "A"};
    const weir_sink_tag tag = {.uid = 2,
                               .name = name,
                               .device = "d0",
                               .point = "p1",
                               .unit = "",
                               .type = "string",
                               .address = "",
                               .description = "",
                               .labels_json = "{}",
                               .labels = &label,
                               .n_labels = 1};
    const weir_sink_row row = {
        .tag = &tag, .seq = seq, .sample = {2, 0, {T0 + 5}, weir_value_string(text, 7)}};
    assert_int_equal(weir_postbox_set_aside(o->box, "main", &(weir_set_aside){&row, why}, 1, NULL),
                     WEIR_OK);
    memset(name, 'x', sizeof name - 1);
    memset(text, 'x', sizeof text - 1);
}

static void the_newest_cursor_counts_with_its_spans(void **state)
{
    struct office *o = office_open();
    const weir_span spans[] = {{8, 9}, {12, 15}};
    (void)state;
    assert_int_equal(weir_postbox_cursor(o->box, "main", 3, NULL, 0, NULL), WEIR_OK);
    assert_int_equal(weir_postbox_cursor(o->box, "other", 7, NULL, 0, NULL), WEIR_OK);
    assert_int_equal(weir_postbox_cursor(o->box, "main", 5, spans, 2, NULL), WEIR_OK);
    assert_int_equal(deliver(o), WEIR_OK);
    assert_int_equal(cursor_of(o, "main")->seq, 5);
    assert_int_equal(cursor_of(o, "main")->n_done, 2);
    assert_int_equal(cursor_of(o, "main")->done[1].last, 15);
    assert_int_equal(cursor_of(o, "other")->seq, 7);
    office_close(o);
}

static void rows_are_copied_whole_and_are_durable_before_the_cursor_passes_them(void **state)
{
    struct office *o = office_open();
    (void)state;
    set_aside(o, 6, "out of range");
    assert_int_equal(weir_postbox_cursor(o->box, "main", 6, NULL, 0, NULL), WEIR_OK);
    fault_vfs_fail(o->disk, (fault_rule){.ops = FAULT_WRITE, .persistent = true});
    assert_int_not_equal(deliver(o), WEIR_OK);
    assert_true(cursor_of(o, "main")->seq < 6);
    assert_int_equal(weir_postbox_cursor(o->box, "main", 7, NULL, 0, NULL), WEIR_OK);
    assert_int_not_equal(deliver(o), WEIR_OK);
    assert_true(cursor_of(o, "main")->seq < 6);
    fault_vfs_heal(o->disk);
    weir_recovery recovery;
    assert_int_equal(weir_store_recover(o->store, false, now, &recovery, NULL), WEIR_OK);
    assert_int_equal(deliver(o), WEIR_OK);
    assert_int_equal(cursor_of(o, "main")->seq, 7);
    assert_string_equal(file_sql(o, "SELECT seq, uid, bytes, why FROM set_aside"),
                        "6|2|a value|out of range");
    office_close(o);
}

static void a_row_that_was_taken_at_last_leaves_the_quarantine(void **state)
{
    struct office *o = office_open();
    (void)state;
    set_aside(o, 6, "out of range");
    set_aside(o, 7, "too long");
    set_aside(o, 6, NULL);
    assert_int_equal(deliver(o), WEIR_OK);
    assert_string_equal(file_sql(o, "SELECT seq, why FROM set_aside"), "7|too long");
    office_close(o);
}

static void what_the_store_refuses_for_good_holds_nothing_up(void **state)
{
    struct office *o = office_open();
    (void)state;
    assert_int_equal(weir_postbox_cursor(o->box, "main", 1000, NULL, 0, NULL), WEIR_OK);
    assert_int_equal(weir_postbox_cursor(o->box, "other", 4, NULL, 0, NULL), WEIR_OK);
    assert_int_equal(deliver(o), WEIR_EINVAL);
    assert_int_equal(cursor_of(o, "other")->seq, 4);
    assert_int_equal(deliver(o), WEIR_OK);
    office_close(o);
}

static void an_urgent_event_wakes_the_store_thread_and_is_in_its_commit(void **state)
{
    struct office *o = office_open();
    weir_error error = WEIR_ERROR_INIT;
    bool urgent = false;
    (void)state;
    weir_event event = {now, WEIR_EVENT_ALARM, "main", "offline: connection refused"};
    assert_int_equal(weir_postbox_event(o->box, &event, false, NULL), WEIR_OK);
    assert_int_equal(o->wakes, 0);
    assert_int_equal(weir_postbox_event(o->box, &event, true, NULL), WEIR_OK);
    assert_int_equal(o->wakes, 1);
    assert_int_equal(weir_postbox_deliver(o->box, o->store, now, &urgent, &error), WEIR_OK);
    assert_true(urgent);
    assert_int_equal(weir_store_pending(o->store, NULL), 2);
    testing_commit(o->store);
    assert_string_equal(
        file_sql(o,
                 "SELECT count(*), min(text) FROM event WHERE subject='main' AND text LIKE 'off%'"),
        "2|offline: connection refused");
    assert_int_equal(weir_postbox_deliver(o->box, o->store, now, &urgent, &error), WEIR_OK);
    assert_false(urgent);
    office_close(o);
}

static void gaps_and_records_of_sinks_reach_their_tables(void **state)
{
    struct office *o = office_open();
    (void)state;
    const weir_consumer_gap gap = {
        .sink = "main", .from_ts = T0, .to_ts = T0 + 9, .count = 3, .cause = "clock"};
    weir_sink_record record = {
        .name = "main", .type = "noop", .state = "online", .error = "", .remedy = ""};
    assert_int_equal(weir_postbox_gap(o->box, &gap, NULL), WEIR_OK);
    assert_int_equal(weir_postbox_sinks(o->box, &record, 1, NULL), WEIR_OK);
    record.state = "offline";
    record.error = "no route";
    assert_int_equal(weir_postbox_sinks(o->box, &record, 1, NULL), WEIR_OK); /* the newest counts */
    assert_int_equal(deliver(o), WEIR_OK);
    assert_string_equal(file_sql(o, "SELECT sink, count, cause FROM gap"), "main|3|clock");
    assert_string_equal(file_sql(o, "SELECT name, state, error FROM sink WHERE name='main'"),
                        "main|offline|no route");
    office_close(o);
}

static void more_than_16_mb_wait_no_longer_than_the_store_needs(void **state)
{
    struct office *o = office_open();
    static char value[60000];
    (void)state;
    memset(value, 'v', sizeof value);
    const weir_sink_tag tag = {.uid = 1, .name = "d0/p0"};
    const weir_sink_row row = {
        .tag = &tag, .seq = 3, .sample = {1, 0, {T0}, weir_value_string(value, sizeof value)}};
    const weir_set_aside aside = {&row, "too long"};
    weir_err err = WEIR_OK;
    unsigned n = 0;
    while (n < 1000 && (err = weir_postbox_set_aside(o->box, "main", &aside, 1, NULL)) == WEIR_OK)
        n++;
    assert_int_equal(err, WEIR_ELIMIT);
    assert_in_range(n, 100, 16 * 1024 * 1024 / sizeof value);
    assert_int_equal(weir_postbox_cursor(o->box, "main", 5, NULL, 0, NULL), WEIR_OK);
    assert_int_equal(deliver(o), WEIR_OK);
    assert_int_equal(weir_postbox_set_aside(o->box, "main", &aside, 1, NULL), WEIR_OK);
    office_close(o);
}

static void without_memory_nothing_is_half_done(void **state)
{
    struct office *o = office_open();
    const weir_event event = {now, WEIR_EVENT_ALARM, "main", "text"};
    const weir_sink_record record = {.name = "main", .type = "noop", .state = "online"};
    (void)state;
    for (size_t nth = 1; nth < 6; nth++) {
        (void)weir_alloc_fail_nth(nth, true);
        const weir_err a = weir_postbox_event(o->box, &event, false, NULL);
        (void)weir_alloc_fail_nth(nth, true);
        const weir_err b = weir_postbox_sinks(o->box, &record, 1, NULL);
        (void)weir_alloc_fail_nth(nth, true);
        const weir_err c = weir_postbox_cursor(o->box, "a new one", 1, NULL, 0, NULL);
        (void)weir_alloc_fail_nth(0, false);
        assert_true((a == WEIR_OK || a == WEIR_ENOMEM) && (b == WEIR_OK || b == WEIR_ENOMEM));
        assert_true(nth > 1 ? c == WEIR_OK : c == WEIR_ENOMEM);
    }
    assert_int_equal(deliver(o), WEIR_OK);
    office_close(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_cursor_counts_with_its_spans),
        cmocka_unit_test(rows_are_copied_whole_and_are_durable_before_the_cursor_passes_them),
        cmocka_unit_test(a_row_that_was_taken_at_last_leaves_the_quarantine),
        cmocka_unit_test(what_the_store_refuses_for_good_holds_nothing_up),
        cmocka_unit_test(an_urgent_event_wakes_the_store_thread_and_is_in_its_commit),
        cmocka_unit_test(gaps_and_records_of_sinks_reach_their_tables),
        cmocka_unit_test(more_than_16_mb_wait_no_longer_than_the_store_needs),
        cmocka_unit_test(without_memory_nothing_is_half_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

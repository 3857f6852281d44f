/* SPDX-License-Identifier: MIT */
/* Tests of epochs: their offsets, and in which epoch a start goes on. */

#include "store/epoch.h"

#include "store/file/database.h"
#include "store/testing.h"

#define YEAR_1970 (60 * 1000000LL) /* a minute after the clock's zero */

static void append(weir_store *store, int64_t ts, uint32_t epoch, uint32_t flags)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_sample sample = {.tag = 1, .ts = {ts}, .value = weir_value_u64(7)};
    const weir_batch batch = {.epoch = epoch,
                              .flags = flags,
                              .n_samples = 1,
                              .due = {ts},
                              .received = {ts},
                              .samples = &sample};
    assert_int_equal(weir_store_append(store, &batch, &error), WEIR_OK);
}

static void commit(weir_store *store)
{
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_commit(store, (weir_wall){T0}, &error) != WEIR_OK)
        fail_msg("commit: %s", error.text);
}

static void correct(weir_store *store, const weir_epoch_offset *offsets, size_t n)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_correction correction = {{{T0}, WEIR_EVENT_CLOCK_STEP, "", "corrected"}, n, offsets};
    assert_int_equal(weir_store_correct(store, &correction, &error), WEIR_OK);
}

/* "offset", "-" when not known. */
static void assert_offset(const char *dir, uint32_t epoch, const char *want)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    weir_error error = WEIR_ERROR_INIT;
    char path[300], shown[32] = "-";
    bool known = false;
    int64_t offset = 0;
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(weir_db_open(path, SQLITE_OPEN_READWRITE, NULL, &db, &error), WEIR_OK);
    assert_int_equal(weir_epoch_find(db, epoch, &known, &offset, &error), WEIR_OK);
    if (known)
        (void)snprintf(shown, sizeof shown, "%lld", (long long)offset);
    assert_string_equal(shown, want);
}

static void offsets_are_there_after_the_commit_with_their_event_and_not_before(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    const weir_epoch_offset offsets[] = {{1, T0 - YEAR_1970}, {2, -5}};
    correct(store, offsets, 2);
    assert_int_equal(weir_store_pending(store, NULL), 1);
    assert_offset(dir, 1, "-");
    assert_int_equal(weir_store_get_position(store).committed_seq, 0);
    commit(store);
    assert_int_equal(weir_store_get_position(store).committed_seq, 1);
    assert_offset(dir, 1, "1699999940000000");
    assert_offset(dir, 2, "-5");
    assert_offset(dir, 3, "-");
    correct(store, &(weir_epoch_offset){4, 1}, 1);
    weir_store_close(store); /* as a crash does: nothing of it is there */
    assert_offset(dir, 4, "-");
    store = testing_open(dir);
    assert_int_equal(weir_store_get_position(store).committed_seq, 1);
    weir_store_close(store);
    testing_remove(dir);
}

static void a_commit_that_fails_keeps_offsets_and_event_for_the_next(void **state)
{
    (void)state;
    char *dir = testing_dir();
    char path[300];
    sqlite3 *other = NULL;
    weir_error error = WEIR_ERROR_INIT;
    weir_store *store = testing_open(dir);
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    correct(store, &(weir_epoch_offset){1, 9}, 1);
    assert_int_not_equal(weir_store_commit(store, (weir_wall){T0}, &error), WEIR_OK);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_offset(dir, 1, "-");
    commit(store);
    assert_offset(dir, 1, "9");
    correct(store, &(weir_epoch_offset){2, 3}, 1);
    commit(store); /* writes nothing of the first again */
    assert_int_equal(weir_store_get_position(store).committed_seq, 2);
    weir_store_close(store);
    testing_remove(dir);
}

static void a_start_learns_whether_the_newest_epoch_can_be_gone_on_with(void **state)
{
    (void)state;
    enum { T = 0, U = WEIR_BATCH_CLOCK_UNTRUSTED, NONE = 99 };
    static const struct {
        const char *what;
        struct {
            uint32_t epoch, flags;
            int64_t ts;
        } rows[4];     /* a commit each; flags NONE ends them */
        int corrected; /* epoch; -1: none */
        uint32_t max_epoch;
        bool untrusted, is_corrected;
        int64_t newest;
    } cases[] = {
        {"an empty store", {{0, NONE, 0}}, -1, 0, false, true, 0},
        {"all trusted", {{0, T, T0}, {0, T, T0 + 1}, {0, NONE, 0}}, -1, 0, false, true, T0 + 1},
        {"a trusted step back", {{0, T, T0}, {1, T, T0 - 9}, {0, NONE, 0}}, -1, 1, false, true, T0},
        {"untrusted only", {{1, U, YEAR_1970}, {0, NONE, 0}}, -1, 1, true, false, 0},
        {"untrusted in 2036", {{0, T, T0}, {1, U, 2 * T0}, {0, NONE, 0}}, -1, 1, true, false, T0},
        {"killed once corrected", {{1, U, YEAR_1970}, {0, NONE, 0}}, 1, 1, true, true, 0},
        {"corrected", {{1, U, YEAR_1970}, {2, T, T0}, {0, NONE, 0}}, 1, 2, false, true, T0},
        {"corrected, then a late reply",
         {{1, U, YEAR_1970}, {2, T, T0}, {1, U, YEAR_1970 + 1}, {0, NONE, 0}},
         1,
         2,
         false,
         true,
         T0},
        {"its samples were refused", {{0, T, T0}, {0, NONE, 0}}, 3, 3, true, true, T0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char *dir = testing_dir();
        weir_store *store = testing_open(dir);
        weir_catalog *catalog = testing_catalog(1, 1);
        testing_register(store, catalog);
        for (size_t i = 0; i < 4 && cases[c].rows[i].flags != NONE; i++) {
            append(store, cases[c].rows[i].ts, cases[c].rows[i].epoch, cases[c].rows[i].flags);
            commit(store);
        }
        if (cases[c].corrected >= 0) {
            correct(store, &(weir_epoch_offset){(uint32_t)cases[c].corrected, 1}, 1);
            commit(store);
        }
        weir_store_close(store);
        store = testing_open(dir);
        const weir_store_position at = weir_store_get_position(store);
        if (at.max_epoch != cases[c].max_epoch || at.epoch_untrusted != cases[c].untrusted ||
            at.epoch_corrected != cases[c].is_corrected || at.committed_ts.us != cases[c].newest)
            fail_msg("%s: epoch %u, untrusted %d, corrected %d, newest %lld", cases[c].what,
                     at.max_epoch, at.epoch_untrusted, at.epoch_corrected,
                     (long long)at.committed_ts.us);
        weir_store_close(store);
        weir_catalog_free(catalog);
        testing_remove(dir);
    }
}

static void a_newest_row_that_cannot_be_read_makes_a_start_take_the_next_epoch(void **state)
{
    (void)state;
    char *dir = testing_dir();
    char path[300];
    sqlite3 *db = NULL;
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 1);
    testing_register(store, catalog);
    append(store, T0, 0, 0);
    commit(store);
    weir_store_close(store);
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE log SET body = zeroblob(length(body));"
                                  "UPDATE fresh SET body = zeroblob(length(body))",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    store = testing_open(dir);
    assert_true(weir_store_get_position(store).epoch_untrusted);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_there_after_the_commit_with_their_event_and_not_before),
        cmocka_unit_test(a_commit_that_fails_keeps_offsets_and_event_for_the_next),
        cmocka_unit_test(a_start_learns_whether_the_newest_epoch_can_be_gone_on_with),
        cmocka_unit_test(a_newest_row_that_cannot_be_read_makes_a_start_take_the_next_epoch),
    };
    return cmocka_run_group_tests_name("epoch", tests, NULL, NULL);
}

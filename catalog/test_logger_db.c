/* SPDX-License-Identifier: MIT */
/* Logging.db: made, completed, and its cascades. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "catalog/logger_db.h"

static int place_open(void **state)
{
    char *folder = strdup("/tmp/weir-logger-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    *state = folder;
    return 0;
}

static int place_close(void **state)
{
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    free(*state);
    return 0;
}

static int take_number(void *data, int n, char **cells, char **names)
{
    (void)n;
    (void)names;
    *(long *)data = cells[0] ? strtol(cells[0], NULL, 10) : -1;
    return 0;
}

/* The number of the last query. */
static long sql(const char *text)
{
    sqlite3 *db = NULL;
    char *says = NULL;
    long number = 0;
    assert_int_equal(sqlite3_open("Logging.db", &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, text, take_number, &number, &says) != SQLITE_OK)
        fail_msg("%s: %s", text, says);
    (void)sqlite3_close(db);
    return number;
}

static bool refuses(const char *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open("Logging.db", &db), SQLITE_OK);
    const bool refused = sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_CONSTRAINT;
    (void)sqlite3_close(db);
    return refused;
}

static weir_logger_db prepare(void)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_logger_db db;
    if (weir_logger_db_prepare("Logging.db", 0, &db, &error))
        fail_msg("%s", error.text);
    return db;
}

static void a_new_file_takes_the_example_and_refuses_what_the_original_refuses(void **state)
{
    static const char *const refused[] = {
        "INSERT INTO RequestedData VALUES (2,2,'h',502,1,1,3,0,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,NULL,502,1,1,3,0,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',0,1,1,3,0,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',65536,1,1,3,0,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',502,0,1,3,0,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',502,1,0,3,0,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',502,1,248,3,0,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',502,1,1,0,0,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',502,1,1,256,0,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',502,1,1,3,-1,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',502,1,1,3,65536,1,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',502,1,1,3,0,0,NULL)",
        "INSERT INTO RequestedData VALUES (2,1,'h',502,1,1,3,0,127,NULL)",
        "INSERT INTO RequestedData SELECT 2,1,host,port,period,address,3,0,2,'' FROM RequestedData",
        "INSERT INTO ResultsRaw VALUES (1,-1,x'00')",
        "INSERT INTO ResultsRaw VALUES (NULL,1,x'00')",
        "INSERT INTO ResultsRaw VALUES (1,7,x'00'),(1,7,x'01')",
    };
    (void)state;
    const weir_logger_db made = prepare();
    assert_true(made.is_new && made.made_tables && made.made_cascades && made.is_idle);
    assert_int_equal(sql(weir_logger_db_example), 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!refuses(refused[i]))
            fail_msg("%s", refused[i]);
    assert_int_equal(
        sql("INSERT INTO ResultsRaw VALUES (1,1,NULL); SELECT count(*) FROM sqlite_master WHERE "
            "name = 'ResultIdx' AND tbl_name = 'ResultsRaw' AND sql LIKE '%UNIQUE%'"),
        1);
    const weir_logger_db again = prepare();
    assert_false(again.is_new || again.made_tables || again.made_cascades || again.is_idle);
}

static void results_follow_their_request_without_foreign_keys(void **state)
{
    (void)state;
    (void)prepare();
    assert_int_equal(
        sql("PRAGMA foreign_keys = OFF; INSERT INTO RequestedData VALUES "
            "(1,1,'h',502,1,1,3,0,1,NULL),(2,1,'h',502,1,1,3,1,1,NULL),(3,1,'h',502,1,1,3,2,1,NULL)"
            ";"
            "INSERT INTO ResultsRaw VALUES (1,1,x'01'),(1,2,x'02'),(2,1,x'03'),(3,1,x'04');"
            "DELETE FROM RequestedData WHERE paramID = 1; SELECT count(*) FROM ResultsRaw"),
        2);
    assert_int_equal(sql("UPDATE RequestedData SET paramID = 7 WHERE paramID = 2;"
                         "UPDATE RequestedData SET rowid = 8 WHERE paramID = 3;"
                         "SELECT sum(paramID) FROM ResultsRaw"),
                     15);
    assert_int_equal(sql("UPDATE RequestedData SET required = 0, period = 9;"
                         "SELECT count(*) FROM ResultsRaw"),
                     2);
    /* And with them, both do the same. */
    assert_int_equal(sql("PRAGMA foreign_keys = ON; UPDATE RequestedData SET paramID = 1 WHERE "
                         "paramID = 7; SELECT sum(paramID) FROM ResultsRaw"),
                     9);
    assert_int_equal(sql("PRAGMA foreign_keys = ON; DELETE FROM RequestedData WHERE paramID = 1;"
                         "SELECT count(*) FROM ResultsRaw"),
                     1);
}

static void what_is_there_stays_and_only_what_is_missing_is_made(void **state)
{
    (void)state;
    /* An empty file, as `touch` or an editor makes it. */
    assert_int_equal(sql("SELECT 0"), 0);
    weir_logger_db db = prepare();
    assert_true(!db.is_new && db.made_tables && db.made_cascades && db.is_idle);
    assert_int_equal(unlink("Logging.db"), 0);
    /* Somebody's own tables beside, and one of both only. */
    assert_int_equal(sql("CREATE TABLE requesteddata (paramID INTEGER PRIMARY KEY, required INT);"
                         "CREATE TABLE mine (a); INSERT INTO mine VALUES (5);"
                         "INSERT INTO RequestedData VALUES (1, 1)"),
                     0);
    db = prepare();
    assert_true(db.made_tables && db.made_cascades && !db.is_idle);
    assert_int_equal(sql("SELECT a FROM mine"), 5);
    assert_int_equal(sql("SELECT count(*) FROM RequestedData"), 1);
    assert_int_equal(sql("SELECT count(*) FROM sqlite_master WHERE type = 'table'"), 3);
    /* Without a paramID a trigger would only make each DELETE fail. */
    assert_int_equal(sql("DROP TABLE ResultsRaw; DROP TABLE RequestedData;"
                         "CREATE TABLE RequestedData (required INT);"
                         "CREATE TABLE ResultsRaw (a)"),
                     0);
    db = prepare();
    assert_true(!db.made_tables && !db.made_cascades);
    assert_int_equal(sql("DELETE FROM RequestedData; SELECT 0"), 0);
}

static void what_is_no_database_is_left_alone(void **state)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_logger_db db;
    (void)state;
    assert_int_equal(system("yes 'no database at all' | head -c 8192 > Logging.db"), 0);
    assert_int_equal(weir_logger_db_prepare("Logging.db", 0, &db, &error), WEIR_EIO);
    assert_non_null(strstr(error.text, "Logging.db is no SQLite database"));
    assert_int_equal(system("test $(wc -c < Logging.db) = 8192"), 0);
    assert_int_equal(weir_logger_db_prepare(".", 0, &db, &error), WEIR_EIO);
    assert_int_equal(weir_logger_db_prepare("none/Logging.db", 0, &db, &error), WEIR_EIO);
    assert_true(db.is_new);
}

static void a_locked_database_is_told_and_nothing_is_made(void **state)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_logger_db db;
    sqlite3 *other = NULL;
    (void)state;
    assert_int_equal(sqlite3_open("Logging.db", &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "CREATE TABLE a (b); BEGIN EXCLUSIVE", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(weir_logger_db_prepare("Logging.db", 20000, &db, &error), WEIR_EINUSE);
    assert_non_null(strstr(error.text, "locked by another program"));
    assert_false(db.is_new || db.made_tables);
    (void)sqlite3_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)
        TEST(a_new_file_takes_the_example_and_refuses_what_the_original_refuses),
        TEST(results_follow_their_request_without_foreign_keys),
        TEST(what_is_there_stays_and_only_what_is_missing_is_made),
        TEST(what_is_no_database_is_left_alone),
        TEST(a_locked_database_is_told_and_nothing_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The loadable extension, in the programs it is for: the sqlite3 shell and Python. */

#include "store/history/testing_history.h"

/* A store with samples in history and some that are fresh; beside it an open daemon's store. */
struct fixture {
    char *dir;
    weir_store *store;
    weir_catalog *catalog;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.dir = testing_dir(), .catalog = testing_catalog(1, 2)};
    f.store = testing_open(f.dir);
    testing_register(f.store, f.catalog);
    for (int64_t i = 0; i < 10; i++) {
        testing_append(f.store, 1, T0 + i * WEIR_S, 0, weir_value_i64(i));
        testing_commit(f.store);
        if (i == 5)
            testing_to_history(f.dir, 0, 0);
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    weir_store_close(f->store);
    weir_catalog_free(f->catalog);
    testing_remove(f->dir);
    return 0;
}

static const char *extension_path(void)
{
    const char *path = getenv("WEIR_SQLITE");
    if (!path || access(path, R_OK) != 0)
        skip(); /* not run by meson */
    return path;
}

/* What a command of the shell prints, errors included. */
static const char *output_of(const char *format, ...)
{
    static char output[20000];
    char command[4000];
    va_list va;
    va_start(va, format);
    (void)vsnprintf(command, sizeof command, format, va);
    va_end(va);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    (void)pclose(pipe);
    return output;
}

static void skip_without(const char *program)
{
    if (!*output_of("command -v %s", program))
        skip();
}

static void the_shell_reads_every_table(void **state)
{
    const struct fixture *f = *state;
    const char *path = extension_path();
    skip_without("sqlite3");
    const char *got = output_of(
        "sqlite3 -init /dev/null %s/data.db '.load %s' 'SELECT count(*), sum(value) FROM samples'"
        " 'SELECT value FROM current' \"SELECT delta FROM buckets('d0/p0', '1d')\""
        " \"SELECT count(*) FROM history('d0/p0', 0, 2000000000000000, 10)\""
        " 'SELECT tag FROM tags' 'SELECT name FROM devices' 'SELECT count(*) FROM events'"
        " 'SELECT count(*) FROM gaps' 2>&1",
        f->dir, path);
    assert_string_equal(got, "10|45\n9\n9\n1\nd0/p0\nd0/p1\nd0\n0\n0\n");
}

static void its_tables_cannot_write(void **state)
{
    const struct fixture *f = *state;
    const char *path = extension_path();
    skip_without("sqlite3");
    const char *got = output_of("sqlite3 -init /dev/null %s/data.db '.load %s'"
                                " 'DELETE FROM samples' 2>&1",
                                f->dir, path);
    if (!strstr(got, "may not be modified"))
        fail_msg("%s", got);
}

static void a_database_that_is_no_store_is_refused(void **state)
{
    const struct fixture *f = *state;
    const char *path = extension_path();
    skip_without("sqlite3");
    const char *got = output_of("sqlite3 -init /dev/null :memory: '.load %s' 2>&1", path);
    if (!strstr(got, "this database is no store of weir"))
        fail_msg("%s", got);
    got = output_of("sqlite3 -init /dev/null %s/other.db 'CREATE TABLE t(x)' '.load %s' 2>&1",
                    f->dir, path);
    if (!strstr(got, "is a database of another program"))
        fail_msg("%s", got);
    (void)testing_file_sql(f->dir, "PRAGMA user_version=99");
    got = output_of("sqlite3 -init /dev/null %s/data.db '.load %s' 2>&1", f->dir, path);
    (void)testing_file_sql(f->dir, "PRAGMA user_version=4");
    if (!strstr(got, "was written by a newer weir"))
        fail_msg("%s", got);
}

/* Some builds of Python cannot load extensions; Debian's can. */
static void python_reads_it_and_closes(void **state)
{
    const struct fixture *f = *state;
    const char *path = extension_path();
    const char *python = "/usr/bin/python3";
    if (!strstr(output_of("%s -c 'import sqlite3;"
                          " print(hasattr(sqlite3.Connection, \"enable_load_extension\"))' 2>&1",
                          python),
                "True"))
        skip();
    const char *got =
        output_of("%s -c \"\n"
                  "import sqlite3\n"
                  "db = sqlite3.connect('%s/data.db')\n"
                  "db.enable_load_extension(True)\n"
                  "db.load_extension('%s')\n"
                  "print(db.execute('SELECT max(value) FROM samples WHERE tag=?', ('d0/p0',))"
                  ".fetchall())\n"
                  "print(db.execute('SELECT step, count FROM buckets(?, ?, ?)',"
                  " ('d0/p0', '1mo', 'UTC')).fetchall())\n"
                  "db.close()\n"
                  "print('closed')\n\" 2>&1",
                  python, f->dir, path);
    assert_string_equal(got, "[(9,)]\n[('1mo', 10)]\nclosed\n");
}

/* In this process, so that sanitizers see what closing leaves behind. */
static void a_connection_closes_with_its_tables(void **state)
{
    const struct fixture *f = *state;
    const char *path = extension_path();
    char file[600], *message = NULL;
    sqlite3 *db = NULL;
    (void)snprintf(file, sizeof file, "%s/data.db", f->dir);
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL),
                     SQLITE_OK);
    for (int i = 0; i < 2; i++)
        if (sqlite3_load_extension(db, path, NULL, &message) != SQLITE_OK)
            fail_msg("%s", message);
    assert_string_equal(testing_sql(db, "SELECT count(*) FROM samples"), "10");
    assert_string_equal(testing_sql(db, "SELECT value FROM current"), "9");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_shell_reads_every_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_tables_cannot_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_database_that_is_no_store_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(python_reads_it_and_closes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_closes_with_its_tables, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

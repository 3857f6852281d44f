/* SPDX-License-Identifier: MIT */
/* Catalogs from SQLite: the layouts, what is said of nonsense, and the news of a file that others
 * write. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/alloc.h"
#include "catalog/config_db.h"
#include "catalog/database.h"
#include "catalog/provider.h"

/* The predecessors' own schemas (ModbusDataLogger 48fe4f4; EnergyMonitoringManagement 87a2bdd,
 * where PostgreSQL's types mean the same to SQLite). */
#define REQUESTED_SQL                                                                             \
    "CREATE TABLE RequestedData (paramID INTEGER UNIQUE PRIMARY KEY NOT NULL, required INTEGER "  \
    "NOT NULL CHECK (required IN (0,1)), host TEXT NOT NULL, port INTEGER NOT NULL CHECK (port "  \
    "BETWEEN 1 AND 65535), period INTEGER NOT NULL CHECK (period > 0), address INTEGER NOT NULL " \
    "CHECK (address BETWEEN 1 AND 247), function INTEGER NOT NULL CHECK (function BETWEEN 1 AND " \
    "255), register INTEGER NOT NULL CHECK (register BETWEEN 0 AND 65535), count INTEGER NOT "    \
    "NULL CHECK (count BETWEEN 1 AND 126), comment TEXT, UNIQUE "                                 \
    "(host,port,period,address,function,register,count));"                                        \
    "CREATE TABLE ResultsRaw (paramID INTEGER NOT NULL, timestamp INTEGER NOT NULL CHECK "        \
    "(timestamp >= 0), rawresult BLOB, FOREIGN KEY (paramID) REFERENCES RequestedData (paramID) " \
    "ON DELETE CASCADE ON UPDATE CASCADE, UNIQUE (paramID,timestamp));"
#define METERS_SQL                                                                               \
    "CREATE TABLE energy_meters (id int PRIMARY KEY, host varchar(64) NOT NULL, port int NOT "   \
    "NULL, slave_address int NOT NULL, type varchar(32) NOT NULL, description varchar(64) NOT "  \
    "NULL);"                                                                                     \
    "CREATE TABLE registers (type varchar(32) NOT NULL, register_address int NOT NULL, "         \
    "measurement_name varchar(64) NOT NULL, data_unit varchar(8), data_type int, function_code " \
    "int, word_order int, byte_order int);"

/* A folder of its own with p.db and weir.yaml in it, which is the current one. */
struct place {
    char folder[64];
    weir_providers *providers;
    weir_mono now;
};

static int place_open(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    (void)snprintf(p->folder, sizeof p->folder, "/tmp/weir-provider-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    assert_int_equal(chdir(p->folder), 0);
    p->providers = weir_providers_new();
    p->now.us = WEIR_S;
    *state = p;
    return 0;
}

static int place_close(void **state)
{
    struct place *p = *state;
    char command[128];
    weir_providers_free(p->providers);
    (void)snprintf(command, sizeof command, "rm -rf %s", p->folder);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

static void sql(const char *file, const char *text)
{
    sqlite3 *db = NULL;
    char *says = NULL;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, text, NULL, NULL, &says) != SQLITE_OK)
        fail_msg("%s: %s", text, says);
    (void)sqlite3_close(db);
}

static void yaml_write(const char *text)
{
    FILE *f = fopen("weir.yaml", "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static weir_catalog *load_with(weir_providers *providers, weir_text *ret_said)
{
    const weir_yaml_options options = {.databases = true, .providers = providers};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    const weir_err err = weir_yaml_load("weir.yaml", &options, &catalog, &problems);
    assert_int_equal(err == WEIR_OK, problems.n == 0 && catalog);
    for (size_t i = 0; i < problems.n; i++) {
        weir_problem_format(&problems.items[i], ret_said);
        weir_text_add(ret_said, "\n");
    }
    weir_problems_deinit(&problems);
    return catalog;
}

static weir_catalog *load_good(weir_providers *providers)
{
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    weir_catalog *catalog = load_with(providers, &said);
    assert_string_equal(weir_text_get(&said), "");
    return catalog;
}

static void assert_says(const char *want)
{
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    assert_null(load_with(NULL, &said));
    if (!strstr(weir_text_get(&said), want))
        fail_msg("wanted: %s\nsaid: %s", want, weir_text_get(&said));
}

/* ---- requested_data ---- */

#define REQUESTED_YAML "catalog: [{url: 'sqlite:p.db', layout: requested_data}]\n"

static void a_request_is_a_point_of_its_unit(void **state)
{
    (void)state;
    yaml_write(REQUESTED_YAML);
    sql("p.db", REQUESTED_SQL "INSERT INTO RequestedData VALUES (1,1,'10.0.0.5',502,60,1,3,100,10,"
                              "'ten'),(2,0,'10.0.0.5',502,5,1,3,0,1,NULL),(3,1,'10.0.0.5',502,10,"
                              "1,1,5,12,NULL),(4,1,'10.0.0.5',502,10,1,2,0,126,NULL),"
                              "(9,1,'fe80::1',1502,3600,247,4,40000,125,'far')");
    weir_catalog *c = load_good(NULL);
    assert_int_equal(c->n_connections, 2);
    assert_string_equal(c->connections[0].uri_text, "tcp://10.0.0.5:502");
    assert_string_equal(c->connections[1].uri.host, "fe80::1");
    assert_int_equal(c->n_devices, 2);
    assert_string_equal(c->devices[0].name, "10.0.0.5:502-1");
    assert_int_equal(c->devices[1].unit_id, 247);
    assert_int_equal(c->devices[0].n_points, 3);
    assert_int_equal(c->n_tags, 4);
    const weir_point *point = &c->devices[0].points[0];
    assert_string_equal(point->name, "1");
    assert_string_equal(point->description, "ten");
    assert_int_equal(point->table, WEIR_REGISTER_HOLDING);
    assert_int_equal(point->address, 100);
    assert_int_equal(point->type, WEIR_TYPE_BYTES);
    assert_int_equal(point->length, 20);
    assert_int_equal(point->interval_us, WEIR_MINUTE);
    assert_string_equal(point->key, "p.db, RequestedData, paramID 1");
    assert_int_equal(c->devices[0].points[1].table, WEIR_REGISTER_COIL);
    assert_int_equal(c->devices[0].points[1].type, WEIR_TYPE_BYTES);
    assert_int_equal(c->devices[0].points[1].length, 12);
    assert_int_equal(c->devices[0].points[1].count, 1);
    assert_int_equal(c->devices[0].points[2].table, WEIR_REGISTER_DISCRETE);
    assert_int_equal(c->devices[0].points[2].length, 126);
    assert_int_equal(c->devices[0].points[2].n_labels, 1);
    assert_string_equal(c->devices[0].points[2].labels[0].key, "paramID");
    assert_string_equal(c->devices[0].points[2].labels[0].value, "4");
    assert_int_equal(c->devices[1].points[0].address, 40000);
    weir_catalog_free(c);
}

static void nonsense_in_a_column_names_table_column_and_row(void **state)
{
    static const struct {
        const char *set, *want;
    } cases[] = {
        {"required=NULL", "p.db, RequestedData, column required, paramID 7: this is null"},
        {"required=2", "column required, paramID 7: this must be a whole number from 0 to 1"},
        {"host=''", "column host, paramID 7: this is empty"},
        {"host=x'ff00'", "column host, paramID 7: this is no text"},
        {"host='a b'", "column host, paramID 7: uri: "},
        {"port=65536", "column port, paramID 7: this must be a whole number from 1 to 65535"},
        {"period=0", "column period, paramID 7: this must be"},
        {"period=1.5", "column period, paramID 7: this must be a whole number"},
        {"address='x'", "column address, paramID 7: this must be a whole number from 0 to 255"},
        {"function=6", "column function, paramID 7: function 6 is none that reads"},
        {"function=43", "column function, paramID 7: function 43"},
        {"register=-1", "column register, paramID 7: this must be"},
        {"register=65535", "column count, paramID 7: 10 from 65535 on is behind the last"},
        {"count=126", "column count, paramID 7: 126 registers do not fit a reply: at most 125"},
        {"count=2001, function=1",
         "column count, paramID 7: 2001 bits do not fit a reply: at most 2000"},
        {"comment=x'80'", "column comment, paramID 7: this is no text"},
    };
    (void)state;
    yaml_write(REQUESTED_YAML);
    /* Without its constraints, as a table made by hand may be. */
    sql("p.db", "CREATE TABLE RequestedData (paramID, required, host, port, period, address, "
                "function, register, count, comment)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char change[400];
        (void)snprintf(change, sizeof change,
                       "DELETE FROM RequestedData; INSERT INTO RequestedData VALUES "
                       "(7,1,'h',502,60,1,3,100,10,'c'); UPDATE RequestedData SET %s",
                       cases[i].set);
        sql("p.db", change);
        assert_says(cases[i].want);
    }
}

/* ---- energy_meters ---- */

static void meters_share_the_registers_of_their_type(void **state)
{
    (void)state;
    yaml_write("catalog: [{url: 'sqlite:p.db', layout: energy_meters, interval: 10s}]\n");
    sql("p.db", METERS_SQL
        "INSERT INTO energy_meters VALUES (4,'virtual_modbustcp_server',502,0,'v','test_energy_"
        "meter'),(5,'virtual_modbustcp_server',502,9,'v','b'),(6,'x',503,1,'w','c');"
        "INSERT INTO registers VALUES ('v',0,'test_measurement','t-unit',3,4,2,2),"
        "('v',2,'long',NULL,2,3,1,2),('v',4,'swapped','A',3,3,2,1),('v',6,'all','A',3,3,1,1),"
        "('w',0,'int','V',1,3,NULL,1),('w',1,'big','V',1,3,1,2)");
    static const struct {
        const char *name;
        weir_type type;
        weir_register table;
        const char *order;
    } points[] = {
        {"test_measurement", WEIR_TYPE_FLOAT32, WEIR_REGISTER_INPUT, "ABCD"},
        {"long", WEIR_TYPE_INT32, WEIR_REGISTER_HOLDING, "CDAB"},
        {"swapped", WEIR_TYPE_FLOAT32, WEIR_REGISTER_HOLDING, "BADC"},
        {"all", WEIR_TYPE_FLOAT32, WEIR_REGISTER_HOLDING, "DCBA"},
    };
    weir_catalog *c = load_good(NULL);
    assert_int_equal(c->n_connections, 2);
    assert_int_equal(c->n_devices, 3);
    assert_string_equal(c->devices[0].name, "meter-4");
    assert_string_equal(c->devices[0].key, "p.db, energy_meters, id 4");
    assert_string_equal(c->devices[0].labels[1].value, "4"); /* description, id */
    assert_ptr_equal(c->devices[0].points, c->devices[1].points);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        const weir_point *p = &c->devices[0].points[i];
        weir_order order;
        assert_true(weir_order_parse(points[i].order, &order));
        assert_string_equal(p->name, points[i].name);
        assert_int_equal(p->type, points[i].type);
        assert_int_equal(p->table, points[i].table);
        assert_int_equal(p->order, order);
        assert_int_equal(p->interval_us, 10 * WEIR_S);
    }
    weir_order swapped;
    assert_true(weir_order_parse("BA", &swapped));
    assert_int_equal(c->devices[2].points[0].order, swapped);
    assert_int_not_equal(c->devices[2].points[1].order, swapped);
    weir_catalog_free(c);
}

static void wrong_meters_and_registers_are_told(void **state)
{
    static const struct {
        const char *set, *want;
    } cases[] = {
        {"energy_meters SET type='nope'",
         "p.db, energy_meters, column type, id 4: there are no registers of the type \"nope\""},
        {"energy_meters SET port='x'", "energy_meters, column port, id 4: this must be"},
        {"energy_meters SET slave_address=256", "column slave_address, id 4: this must be"},
        {"energy_meters SET host=''", "energy_meters, column host, id 4: this is empty"},
        {"energy_meters SET description=x'00'", "column description, id 4: this is no text"},
        {"registers SET data_type=4",
         "p.db, registers, column data_type, type v, register_address 0: this must be a whole "
         "number from 1 to 3"},
        {"registers SET data_type=NULL",
         "column data_type, type v, register_address 0: this is null"},
        {"registers SET function_code=6", "column function_code, type v, register_address 0"},
        {"registers SET byte_order=0", "column byte_order, type v"},
        {"registers SET word_order=NULL", "column word_order, type v"},
        {"registers SET register_address=-1", "column register_address, type v"},
        {"registers SET measurement_name='a/b'", "column measurement_name, type v"},
        {"registers SET type=NULL", "registers, column type"},
    };
    (void)state;
    yaml_write("catalog: [{url: 'sqlite:p.db', layout: energy_meters, interval: 10s}]\n");
    sql("p.db", "CREATE TABLE energy_meters (id, host, port, slave_address, type, description);"
                "CREATE TABLE registers (type, register_address, measurement_name, data_unit, "
                "data_type, function_code, word_order, byte_order);");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char change[400];
        (void)snprintf(change, sizeof change,
                       "DELETE FROM energy_meters; DELETE FROM registers; INSERT INTO "
                       "energy_meters VALUES (4,'h',502,1,'v','d'); INSERT INTO registers VALUES "
                       "('v',0,'m','V',3,4,2,2); UPDATE %s",
                       cases[i].set);
        sql("p.db", change);
        assert_says(cases[i].want);
    }
}

/* ---- weir, queries ---- */

static void own_queries_give_the_standard_columns(void **state)
{
    (void)state;
    yaml_write("connections: [{name: hall, uri: 'tcp://h'}]\n"
               "catalog:\n"
               "  - url: sqlite:p.db\n"
               "    layout: queries\n"
               "    devices: SELECT nr AS id, 'm' || nr AS name, 'hall' AS connection, nr AS "
               "unit_id, '5s' AS interval, tags AS labels, nr AS x_own FROM meter\n"
               "    points: |\n"
               "      SELECT 'm' || m.nr AS device, r.name, 'input' AS register, r.address,\n"
               "        'int16' AS type, '{0: off, 1: \"on\"}' AS enum, r.counts AS counter\n"
               "      FROM meter m JOIN reg r -- all of them\n");
    sql("p.db", "CREATE TABLE meter (nr INTEGER PRIMARY KEY, tags); INSERT INTO meter VALUES "
                "(3,'floor=1, building=A'),(4,'{floor: \"2\"}'),(5,NULL);"
                "CREATE TABLE reg (name, address, counts); INSERT INTO reg VALUES "
                "('a',7,0),('b',40001,0)");
    weir_catalog *c = load_good(NULL);
    assert_int_equal(c->n_devices, 3);
    assert_string_equal(c->devices[0].key, "p.db, table devices, row 3");
    assert_int_equal(c->devices[0].n_labels, 2);
    assert_string_equal(c->devices[0].labels[0].value, "A");
    assert_string_equal(c->devices[1].labels[0].value, "2");
    assert_int_equal(c->devices[0].points[1].address, 40001);
    assert_string_equal(c->devices[0].points[0].enum_items[1].text, "on");
    weir_catalog_free(c);
}

static void wrong_entries_of_catalog_are_told_at_their_keys(void **state)
{
    static const struct {
        const char *entry, *want;
    } cases[] = {
        {"{layout: weir}", "weir.yaml:1:11: an entry of catalog needs 'url'"},
        {"{url: 'mysql://h/d'}", "weir.yaml:1:17: url must be sqlite:FILE or postgresql://"},
        {"{url: 'sqlite:'}", "weir.yaml:1:17: url: name the file"},
        {"{url: 'sqlite:none.db'}", "weir.yaml:1:17: none.db cannot be opened: No such file"},
        {"{url: 'sqlite:.'}", "weir.yaml:1:17: . is no file"},
        {"{url: 'sqlite:weir.yaml'}", "weir.yaml:1:17: weir.yaml is no SQLite database"},
        {"{url: 'sqlite:p.db'}", "weir.yaml:1:17: p.db, connection: no such table: connection"},
        {"{url: 'sqlite:p.db', layout: queries}", "needs at least one of"},
        {"{url: 'sqlite:p.db', layout: queries, points: SELECT 1, connections: SELECT 1}",
         "'points' are of devices of the same database"},
        {"{url: 'sqlite:p.db', layout: queries, devices: 'SELEKT 1'}", "p.db, devices: near"},
        {"{url: 'sqlite:p.db', layout: queries, devices: 'DELETE FROM t'}", "p.db, devices: near"},
        {"{url: 'sqlite:p.db', devices: SELECT 1}", "'devices' is a query: it needs layout"},
        {"{url: 'sqlite:p.db', layout: energy_meters}", "says nothing of times"},
        {"{url: 'sqlite:p.db', layout: requested_data, interval: 1s}", "say it themselves"},
        {"{url: 'sqlite:p.db', layout: queries, devices: 'SELECT 1 AS nam'}",
         "p.db, table devices, column nam: unknown key 'nam': did you mean 'name'?"},
        {"{url: 'sqlite:p.db', password_file: none}", "password_file: cannot read none"},
    };
    (void)state;
    sql("p.db", "CREATE TABLE t (a)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        (void)snprintf(text, sizeof text, "catalog: [%s]\n", cases[i].entry);
        yaml_write(text);
        if (strstr(cases[i].want, "column nam")) /* a device without a profile waits for points */
            yaml_write("catalog: [{url: 'sqlite:p.db', layout: queries, devices: \"SELECT 1 AS "
                       "nam, 'p' AS profile\"}]\n");
        assert_says(cases[i].want);
    }
}

static void a_name_in_a_file_and_in_a_database_names_both_places(void **state)
{
    (void)state;
    yaml_write(REQUESTED_YAML "connections: [{name: 'h:502', uri: 'tcp://h'}]\n");
    sql("p.db", REQUESTED_SQL "INSERT INTO RequestedData VALUES (7,1,'h',502,60,1,3,0,1,NULL)");
    assert_says("p.db, RequestedData, column host, paramID 7: the connection name 'h:502' is "
                "already used at weir.yaml:2:15: names are unique");
}

static void a_query_without_end_is_given_up(void **state)
{
    (void)state;
    sql("p.db", "CREATE TABLE t (a)");
    yaml_write("catalog: [{url: 'sqlite:p.db', layout: queries, timeout: 200ms, devices: 'WITH "
               "RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) AS name "
               "FROM n'}]\n");
    assert_says("weir.yaml:1:17: p.db, devices: not read within the timeout");
}

/* ---- news ---- */

static bool poll(struct place *p)
{
    p->now.us += 60 * WEIR_S; /* past any pause after a failure */
    return weir_providers_poll(p->providers, true, p->now);
}

static void rows_that_others_commit_are_news_and_only_the_catalogs(void **state)
{
    struct place *p = *state;
    yaml_write(REQUESTED_YAML);
    sql("p.db", REQUESTED_SQL "INSERT INTO RequestedData VALUES (7,1,'h',502,60,1,3,0,1,NULL)");
    weir_catalog_free(load_good(p->providers));
    assert_false(poll(p));
    sql("p.db", "INSERT INTO ResultsRaw VALUES (7,1,x'0001')");
    assert_false(poll(p));
    sql("p.db", "UPDATE RequestedData SET period=30");
    assert_true(poll(p));
    weir_catalog *c = load_good(p->providers);
    assert_int_equal(c->devices[0].points[0].interval_us, 30 * WEIR_S);
    weir_catalog_free(c);
    assert_false(poll(p));
    assert_string_equal(weir_providers_trouble(p->providers), "");
}

static void rows_that_are_wrong_are_told_and_are_no_news_again(void **state)
{
    struct place *p = *state;
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    yaml_write(REQUESTED_YAML);
    sql("p.db", REQUESTED_SQL "INSERT INTO RequestedData VALUES (7,1,'h',502,60,1,3,0,1,NULL)");
    weir_catalog_free(load_good(p->providers));
    sql("p.db", "UPDATE RequestedData SET function=6");
    assert_true(poll(p));
    assert_null(load_with(p->providers, &said));
    assert_non_null(strstr(weir_text_get(&said), "column function, paramID 7"));
    assert_false(poll(p));
    sql("p.db", "UPDATE RequestedData SET function=4");
    assert_true(poll(p));
    weir_catalog_free(load_good(p->providers));
}

static void a_file_that_goes_and_comes_back_is_told(void **state)
{
    struct place *p = *state;
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    yaml_write(REQUESTED_YAML);
    sql("p.db", REQUESTED_SQL "INSERT INTO RequestedData VALUES (7,1,'h',502,60,1,3,0,1,NULL)");
    weir_catalog_free(load_good(p->providers));
    assert_int_equal(rename("p.db", "q.db"), 0);
    assert_false(poll(p));
    assert_string_equal(weir_providers_trouble(p->providers),
                        "p.db cannot be opened: No such file or directory");
    assert_null(load_with(p->providers, &said));
    assert_non_null(strstr(weir_text_get(&said), "weir.yaml:1:17: p.db cannot be opened"));
    assert_int_equal(rename("q.db", "p.db"), 0);
    assert_true(poll(p)); /* a load has missed it */
    weir_catalog_free(load_good(p->providers));
    assert_string_equal(weir_providers_trouble(p->providers), "");
    assert_false(poll(p));
}

static void another_file_of_the_name_is_read_anew(void **state)
{
    struct place *p = *state;
    yaml_write(REQUESTED_YAML);
    sql("p.db", REQUESTED_SQL "INSERT INTO RequestedData VALUES (7,1,'h',502,60,1,3,0,1,NULL)");
    weir_catalog_free(load_good(p->providers));
    sql("q.db", REQUESTED_SQL "INSERT INTO RequestedData VALUES (7,1,'h',502,60,1,3,0,1,NULL)");
    assert_int_equal(rename("q.db", "p.db"), 0);
    assert_false(poll(p)); /* with the same rows */
    sql("q.db", REQUESTED_SQL "INSERT INTO RequestedData VALUES (8,1,'h',502,60,1,3,0,1,NULL)");
    assert_int_equal(rename("q.db", "p.db"), 0);
    assert_true(poll(p));
}

static void a_schema_that_changes_is_told_and_the_pause_grows(void **state)
{
    struct place *p = *state;
    yaml_write(REQUESTED_YAML);
    sql("p.db", REQUESTED_SQL);
    weir_catalog_free(load_good(p->providers));
    sql("p.db", "DROP TABLE ResultsRaw; ALTER TABLE RequestedData RENAME TO Other");
    assert_false(poll(p));
    assert_string_equal(weir_providers_trouble(p->providers),
                        "p.db, RequestedData: no such table: RequestedData");
    sql("p.db", "ALTER TABLE Other RENAME TO RequestedData; INSERT INTO RequestedData VALUES "
                "(8,1,'h',502,60,1,3,0,1,NULL)");
    p->now.us += WEIR_S / 2; /* the first pause is a second */
    assert_false(weir_providers_poll(p->providers, true, p->now));
    p->now.us += WEIR_S / 2;
    assert_true(weir_providers_poll(p->providers, true, p->now));
    assert_string_equal(weir_providers_trouble(p->providers), "");
}

static void a_locked_file_is_told_with_what_to_do(void **state)
{
    struct place *p = *state;
    sqlite3 *db = NULL;
    yaml_write(REQUESTED_YAML);
    sql("p.db", REQUESTED_SQL);
    weir_catalog_free(load_good(p->providers));
    assert_int_equal(sqlite3_open("p.db", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_false(poll(p));
    assert_string_equal(weir_providers_trouble(p->providers),
                        "p.db is locked by another program: end its transaction");
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO RequestedData VALUES (8,1,'h',502,60,1,3,0,1,"
                                  "NULL);COMMIT",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_true(poll(p));
    (void)sqlite3_close(db);
}

static void files_are_news_when_written_or_when_they_appear(void **state)
{
    struct place *p = *state;
    yaml_write("include: 'more-*.yaml'\n");
    weir_catalog_free(load_good(p->providers));
    assert_false(poll(p));
    yaml_write("include: 'more-*.yaml'\ndata_dir: other\n");
    assert_true(poll(p));
    weir_catalog_free(load_good(p->providers));
    assert_false(poll(p));
    FILE *f = fopen("more-a.yaml", "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_true(poll(p));
}

/* ---- config.db ---- */

static void add_connection(const char *name, const char *uri)
{
    const weir_config_cell cells[] = {{"uri", uri}};
    weir_config_db *db = NULL;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_config_db_open("weir-data/config.db", true, &db, &error), WEIR_OK);
    assert_int_equal(weir_config_db_add(db, WEIR_THING_CONNECTION, NULL, name, cells, 1, &error),
                     WEIR_OK);
    assert_int_equal(weir_config_db_commit(db, &error), WEIR_OK);
    weir_config_db_close(db);
}

static void config_db_is_news_when_it_appears_and_a_failure_when_it_goes(void **state)
{
    struct place *p = *state;
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    yaml_write("connections: [{name: c, uri: 'tcp://h'}]\n");
    weir_catalog_free(load_good(p->providers));
    assert_int_equal(system("mkdir weir-data"), 0);
    assert_false(poll(p));
    add_connection("d", "tcp://i");
    assert_true(poll(p));
    weir_catalog *c = load_good(p->providers);
    assert_int_equal(c->n_connections, 2);
    weir_catalog_free(c);
    assert_false(poll(p));
    add_connection("e", "tcp://j");
    assert_true(poll(p));
    weir_catalog_free(load_good(p->providers));
    assert_int_equal(unlink("weir-data/config.db"), 0);
    assert_false(poll(p));
    assert_null(load_with(p->providers, &said));
    assert_non_null(strstr(weir_text_get(&said), "weir-data/config.db cannot be opened"));
}

static void a_change_that_is_not_committed_leaves_nothing(void **state)
{
    const weir_config_cell cells[] = {{"uri", "tcp://h"}};
    weir_config_db *db = NULL;
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    assert_int_equal(system("mkdir weir-data"), 0);
    assert_int_equal(weir_config_db_open("weir-data/config.db", true, &db, &error), WEIR_OK);
    assert_int_equal(weir_config_db_add(db, WEIR_THING_CONNECTION, NULL, "c", cells, 1, &error),
                     WEIR_OK);
    weir_config_db_close(db);
    assert_int_not_equal(access("weir-data/config.db", F_OK), 0);
}

static void config_dbs_constraints_refuse_what_cannot_be(void **state)
{
    static const char *const wrong[] = {
        "INSERT INTO connection(name) VALUES ('c')",
        "INSERT INTO connection(name, uri) VALUES ('', 'tcp://h')",
        "INSERT INTO connection(name, uri, enabled) VALUES ('c', 'tcp://h', 2)",
        "INSERT INTO connection(name, uri, retries) VALUES ('c', 'tcp://h', 11)",
        "INSERT INTO connection(name, uri, retries) VALUES ('c', 'tcp://h', 'many')",
        "INSERT INTO connection(name, uri, timeout) VALUES ('c', 'tcp://h', x'00')",
        "INSERT INTO connection(name, uri, tid_check) VALUES ('c', 'tcp://h', 'loose')",
        "INSERT INTO connection(name, uri) VALUES ('there', 'tcp://h')",
        "INSERT INTO point(device, name) VALUES ('nowhere', 'p')",
        "INSERT INTO connection(id, name, uri) VALUES (0, 'c', 'tcp://h')",
    };
    sqlite3 *db = NULL;
    (void)state;
    assert_int_equal(system("mkdir weir-data"), 0);
    add_connection("there", "tcp://h");
    assert_int_equal(sqlite3_open("weir-data/config.db", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA foreign_keys=ON", NULL, NULL, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (sqlite3_exec(db, wrong[i], NULL, NULL, NULL) != SQLITE_CONSTRAINT)
            fail_msg("%s: %s", wrong[i], sqlite3_errmsg(db));
    (void)sqlite3_close(db);
}

static void a_foreign_file_named_config_db_is_left_alone(void **state)
{
    weir_config_db *db = NULL;
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    sql("config.db", "CREATE TABLE mine (a)");
    assert_int_equal(weir_config_db_open("config.db", true, &db, &error), WEIR_ECONFIG);
    assert_string_equal(error.text, "config.db is another program's database: it is left alone");
    assert_null(db);
}

static void short_memory_never_gives_half_a_catalog(void **state)
{
    (void)state;
    yaml_write("catalog:\n"
               "  - {url: 'sqlite:p.db', layout: requested_data}\n"
               "  - {url: 'sqlite:p.db', layout: energy_meters, cron: '0 * * * * *'}\n"
               "  - {url: 'sqlite:p.db', layout: queries, devices: \"SELECT 1 AS id, 'm' AS name, "
               "'h:502' AS connection, '1' AS unit_id, 'a=1' AS labels\", points: \"SELECT 'm' AS "
               "device, 'p' AS name, 'coil' AS register, 3 AS address, '1s' AS interval, '{a: 1}' "
               "AS x_own\"}\n");
    sql("p.db",
        REQUESTED_SQL METERS_SQL "INSERT INTO RequestedData VALUES (7,1,'h',502,60,1,3,0,1,NULL);"
                                 "INSERT INTO energy_meters VALUES (4,'i',502,1,'v','d');"
                                 "INSERT INTO registers VALUES ('v',0,'m','V',3,4,2,2)");
    for (size_t n = 1;; n++) {
        WEIR_CLEANUP(weir_providers_free) weir_providers *providers = weir_providers_new();
        const weir_yaml_options options = {.databases = true, .providers = providers};
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_catalog *catalog = NULL;
        (void)weir_alloc_fail_nth(n, false);
        const weir_err err = weir_yaml_load("weir.yaml", &options, &catalog, &problems);
        (void)weir_providers_poll(providers, true, (weir_mono){WEIR_HOUR});
        const size_t counted = weir_alloc_fail_nth(0, false);
        assert_true(err == WEIR_OK ? catalog != NULL : catalog == NULL);
        if (catalog)
            assert_int_equal(catalog->n_devices, 3);
        weir_problems_deinit(&problems);
        weir_catalog_free(catalog);
        if (counted < n)
            break;
    }
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        IN_PLACE(a_request_is_a_point_of_its_unit),
        IN_PLACE(nonsense_in_a_column_names_table_column_and_row),
        IN_PLACE(meters_share_the_registers_of_their_type),
        IN_PLACE(wrong_meters_and_registers_are_told),
        IN_PLACE(own_queries_give_the_standard_columns),
        IN_PLACE(wrong_entries_of_catalog_are_told_at_their_keys),
        IN_PLACE(a_name_in_a_file_and_in_a_database_names_both_places),
        IN_PLACE(a_query_without_end_is_given_up),
        IN_PLACE(rows_that_others_commit_are_news_and_only_the_catalogs),
        IN_PLACE(rows_that_are_wrong_are_told_and_are_no_news_again),
        IN_PLACE(a_file_that_goes_and_comes_back_is_told),
        IN_PLACE(another_file_of_the_name_is_read_anew),
        IN_PLACE(a_schema_that_changes_is_told_and_the_pause_grows),
        IN_PLACE(a_locked_file_is_told_with_what_to_do),
        IN_PLACE(files_are_news_when_written_or_when_they_appear),
        IN_PLACE(config_db_is_news_when_it_appears_and_a_failure_when_it_goes),
        IN_PLACE(a_change_that_is_not_committed_leaves_nothing),
        IN_PLACE(config_dbs_constraints_refuse_what_cannot_be),
        IN_PLACE(a_foreign_file_named_config_db_is_left_alone),
        IN_PLACE(short_memory_never_gives_half_a_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

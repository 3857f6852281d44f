/* SPDX-License-Identifier: MIT */
/* config.cfg as Python's ConfigParser would read it, what is said of mistakes, and [RUNTIME]. */

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

#include "base/alloc.h"
#include "catalog/cfg.h"
#include "catalog/cfg_file.h"
#include "catalog/provider.h"
#include "catalog/variables.h"

/* The file that ModbusDataLogger is shipped with, as its README describes it. */
#define SHIPPED                                      \
    "[DEFAULT]\n"                                    \
    "dbpath = Logging.db\n"                          \
    "logginglevel = DEBUG\n"                         \
    "watchdogperiod = 1\n"                           \
    "datathreadperiod = 60\n"                        \
    "\n"                                             \
    "[RUNTIME]\n"                                    \
    "starttime = 2018-12-22T10:39:25.668189+00:00\n" \
    "pid = 13088\n"                                  \
    "\n"

static void format(const weir_problems *problems, weir_text *ret)
{
    for (size_t i = 0; i < problems->n; i++) {
        weir_problem_format(&problems->items[i], ret);
        weir_text_add(ret, "\n");
    }
}

/* ---- what it says ---- */

static void values_are_those_that_configparser_gives(void **state)
{
    static const struct {
        const char *name, *text, *database, *level, *reload;
    } rows[] = {
        {"as shipped", SHIPPED, "etc/Logging.db", "debug", "1s"},
        {"empty", "", "etc/Logging.db", "warning", "1s"},
        {"a section alone", "[RUNTIME]\n", "etc/Logging.db", "warning", "1s"},
        {"a colon", "[DEFAULT]\ndbpath: /srv/a.db\n", "/srv/a.db", "warning", "1s"},
        {"no blanks", "[DEFAULT]\ndbpath=a.db\nlogginglevel:INFO", "etc/a.db", "info", "1s"},
        {"keys in capitals", "[DEFAULT]\nDBPath = a.db\n", "etc/a.db", "warning", "1s"},
        {"comments", "# a\n; b\n[DEFAULT]\n  # c\ndbpath = a.db\n", "etc/a.db", "warning", "1s"},
        {"indented", "  [DEFAULT]\n    dbpath = a.db\n    logginglevel = ERROR\n", "etc/a.db",
         "error", "1s"},
        {"blanks in the name", "[DEFAULT]\ndbpath =  my data/a b.db \t\n", "etc/my data/a b.db",
         "warning", "1s"},
        {"the first of both", "[DEFAULT]\ndbpath = a=b:c.db\n", "etc/a=b:c.db", "warning", "1s"},
        {"a percent sign", "[DEFAULT]\ndbpath = 100%%.db\n", "etc/100%.db", "warning", "1s"},
        {"Windows", "\xef\xbb\xbf[DEFAULT]\r\ndbpath = a.db\r\nwatchdogperiod = 2\r\n", "etc/a.db",
         "warning", "2s"},
        {"old Macintosh", "[DEFAULT]\rdbpath = a.db\rwatchdogperiod = 2\r", "etc/a.db", "warning",
         "2s"},
        {"[DEFAULT] again", "[DEFAULT]\ndbpath = a.db\n[RUNTIME]\n[DEFAULT]\nlogginglevel=INFO\n",
         "etc/a.db", "info", "1s"},
        {"elsewhere", "[default]\ndbpath = a.db\n[RUNTIME]\ndbpath = b.db\n", "etc/Logging.db",
         "warning", "1s"},
        {"behind a section", "[DEFAULT] ; all\ndbpath = a.db\n", "etc/a.db", "warning", "1s"},
        {"a continuation", "[DEFAULT]\nlogginglevel =\n  INFO\n[X]\n", "etc/Logging.db", "info",
         "1s"},
        {"NOTSET", "[DEFAULT]\nlogginglevel = NOTSET\n", "etc/Logging.db", "debug", "1s"},
        {"WARN", "[DEFAULT]\nlogginglevel = WARN\n", "etc/Logging.db", "warning", "1s"},
        {"CRITICAL", "[DEFAULT]\nlogginglevel = critical\n", "etc/Logging.db", "error", "1s"},
        {"a number", "[DEFAULT]\nlogginglevel = 10\n", "etc/Logging.db", "debug", "1s"},
        {"between", "[DEFAULT]\nlogginglevel = 21\n", "etc/Logging.db", "notice", "1s"},
        {"above all", "[DEFAULT]\nlogginglevel = 60\n", "etc/Logging.db", "error", "1s"},
        {"a float", "[DEFAULT]\nwatchdogperiod = 1.5\n", "etc/Logging.db", "warning", "1s500ms"},
        {"too often", "[DEFAULT]\nwatchdogperiod = 0.01\n", "etc/Logging.db", "warning", "500ms"},
        {"too rare", "[DEFAULT]\nwatchdogperiod = 1e9\n", "etc/Logging.db", "warning", "1h"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_arena *arena = weir_arena_new();
        weir_cfg cfg = {0};
        WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
        const bool good = weir_cfg_read(arena, "etc/config.cfg", rows[i].text, strlen(rows[i].text),
                                        &cfg, NULL, &problems);
        format(&problems, &said);
        if (!good || strcmp(cfg.database, rows[i].database) != 0 ||
            strcmp(cfg.log_level, rows[i].level) != 0 ||
            strcmp(cfg.reload_interval, rows[i].reload) != 0)
            fail_msg("%s: %s %s %s\n%s", rows[i].name, good ? cfg.database : "-",
                     good ? cfg.log_level : "-", good ? cfg.reload_interval : "-",
                     weir_text_get(&said));
        assert_string_equal(cfg.data_dir, "etc/weir-data");
        weir_problems_deinit(&problems);
        weir_arena_free(arena);
    }
}

static void mistakes_are_told_with_their_place(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"dbpath = a.db\n", "config.cfg:1:1: a section is wanted before this, such as [DEFAULT]\n"},
        {"[DEFAULT]\ndbpath\n", "config.cfg:2:1: this is neither [SECTION] nor key = value\n"},
        {"[DEFAULT]\n  = a\n", "config.cfg:2:3: a key is wanted before this: key = value\n"},
        {"[DEFAULT]\na = 1\nA : 2\n", "config.cfg:3:1: 'a' stands in line 2 already: keep one\n"},
        {"[X]\n[X]\n", "config.cfg:2:1: this section is there already: join both\n"},
        {"[DEFAULT]\na = \xff\n", "config.cfg:2:1: this is no text in UTF-8\n"},
        {"[DEFAULT]\ndbpath =\n", "config.cfg:2:9: dbpath names no file\n"},
        {"[DEFAULT]\ndbpath = data/\n", "config.cfg:2:10: dbpath names no file\n"},
        {"[DEFAULT]\ndbpath = :memory:\n", "dbpath must be that of a file"},
        {"[DEFAULT]\ndbpath = a.db\n b.db\n", "dbpath has more than one line"},
        {"[DEFAULT]\na = b\ndbpath = %(a)s.db\n",
         "config.cfg:3:10: dbpath: %(key)s is not supported: write the value itself\n"},
        {"[DEFAULT]\ndbpath = 100%.db\n", "config.cfg:2:10: dbpath: a % is written %%\n"},
        {"[DEFAULT]\ndbpath = a%\n", "dbpath: a % is written %%\n"},
        {"[DEFAULT]\nlogginglevel = WARNNG\n", "not \"WARNNG\": did you mean 'WARNING'?\n"},
        {"[DEFAULT]\nlogginglevel = INFO ; all\n",
         "not \"INFO ; all\"; a comment needs a line of its own\n"},
        {"[DEFAULT]\nwatchdogperiod = often\n",
         "config.cfg:2:18: watchdogperiod must be a number of seconds such as 1 or 0.5, not "
         "\"often\"\n"},
        {"[DEFAULT]\ndatathreadperiod = -1\n", "config.cfg:2:20: datathreadperiod must be"},
        {"[DEFAULT]\nwatchdogperiod = nan\nlogginglevel = x\n", "config.cfg:3:16: logginglevel"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_arena *arena = weir_arena_new();
        weir_cfg cfg = {0};
        WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
        assert_false(weir_cfg_read(arena, "config.cfg", rows[i].text, strlen(rows[i].text), &cfg,
                                   NULL, &problems));
        format(&problems, &said);
        if (!strstr(weir_text_get(&said), rows[i].says))
            fail_msg("wanted: %s\nsaid: %s", rows[i].says, weir_text_get(&said));
        assert_null(cfg.database);
        weir_problems_deinit(&problems);
        weir_arena_free(arena);
    }
}

static void what_configparser_leaves_alone_is_a_warning(void **state)
{
    static const char text[] =
        "[DEFAULT]\ndbpth = a.db\nzzz = 1\nstarttime = 2\n[RUNTIME]\npdi = 3\n"
        "dbpath = a\npid = 4\n[default]\nx = 1\n[other]\ny = 1\n[DEFAULT]\n"
        "dbpath = a.db ; mine\n";
    static const char want[] =
        "config.cfg:2:1: the key 'dbpth' is not read: did you mean 'dbpath'?\n"
        "config.cfg:3:1: the key 'zzz' is not read\n"
        "config.cfg:4:1: the key 'starttime' is not read\n"
        "config.cfg:6:1: the key 'pdi' is not read: did you mean 'pid'?\n"
        "config.cfg:7:1: 'dbpath' is read from [DEFAULT] only\n"
        "config.cfg:9:1: the section [default] is not read: did you mean [DEFAULT]?\n"
        "config.cfg:11:1: the section [other] is not read\n"
        "config.cfg:14:10: what begins with # or ; is part of the name; a comment needs a line of "
        "its own\n";
    weir_problems problems = WEIR_PROBLEMS_INIT, warnings = WEIR_PROBLEMS_INIT;
    weir_arena *arena = weir_arena_new();
    weir_cfg cfg;
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    (void)state;
    assert_true(weir_cfg_read(arena, "config.cfg", text, strlen(text), &cfg, &warnings, &problems));
    weir_problems_sort(&warnings);
    format(&warnings, &said);
    assert_string_equal(weir_text_get(&said), want);
    weir_problems_deinit(&problems);
    weir_problems_deinit(&warnings);
    weir_arena_free(arena);
}

/* ---- what it comes to ---- */

static void it_is_a_configuration_like_another(void **state)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    (void)state;
    assert_int_equal(
        weir_yaml_load_text(SHIPPED, strlen(SHIPPED), "etc/config.cfg", NULL, &c, &problems),
        WEIR_OK);
    assert_string_equal(c->store.data_dir, "etc/weir-data");
    assert_int_equal(c->log_level, WEIR_LOG_DEBUG);
    assert_int_equal(c->reload_interval_us, WEIR_S);
    weir_catalog_free(c);
    weir_problems_deinit(&problems);
}

static void its_database_is_read_and_delivered_to(void **state)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
    (void)state;
    weir_document *d =
        weir_cfg_or_yaml_parse("etc/config.cfg", SHIPPED, strlen(SHIPPED), NULL, &problems);
    assert_non_null(d);
    const weir_node root = weir_document_root(d);
    const weir_node catalog = weir_node_item(weir_node_get(root, "catalog"), 0);
    const weir_node sink = weir_node_item(weir_node_get(root, "sinks"), 0);
    assert_string_equal(weir_node_text(weir_node_get(catalog, "url")), "sqlite:etc/Logging.db");
    assert_string_equal(weir_node_text(weir_node_get(catalog, "layout")), "requested_data");
    assert_string_equal(weir_node_text(weir_node_get(sink, "path")), "etc/Logging.db");
    assert_string_equal(weir_node_text(weir_node_get(sink, "layout")), "results_raw");
    const weir_where where = weir_node_where(weir_node_get(sink, "path"));
    weir_where_format(&where, &place);
    assert_string_equal(weir_text_get(&place), "etc/config.cfg:2:10");
    weir_document_free(d);
    weir_problems_deinit(&problems);
}

static const char *anything(const char *name)
{
    return name;
}

static void it_has_no_variables(void **state)
{
    static const char text[] = "[DEFAULT]\ndbpath = ${HOST}.db\n";
    weir_problems problems = WEIR_PROBLEMS_INIT;
    WEIR_CLEANUP(weir_env_free) weir_env *env = weir_env_new(anything);
    (void)state;
    weir_document *d = weir_cfg_or_yaml_parse("config.cfg", text, strlen(text), NULL, &problems);
    assert_true(d && env && weir_variables_replace(d, env));
    const weir_node sink = weir_node_item(weir_node_get(weir_document_root(d), "sinks"), 0);
    assert_string_equal(weir_node_text(weir_node_get(sink, "path")), "${HOST}.db");
    weir_document_free(d);
    weir_problems_deinit(&problems);
}

static void a_yaml_file_may_include_it(void **state)
{
    char folder[] = "/tmp/weir-cfg-XXXXXX", command[64];
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    FILE *f = fopen("config.cfg", "w");
    assert_true(f && fputs(SHIPPED, f) >= 0 && !fclose(f));
    assert_int_equal(
        weir_yaml_load_text("include: config.cfg", 19, "weir.yaml", NULL, &c, &problems), WEIR_OK);
    assert_string_equal(c->store.data_dir, "weir-data");
    weir_catalog_free(c);
    weir_problems_deinit(&problems);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
}

/* ---- [RUNTIME] ---- */

#define AT "2026-11-21T18:00:00.000042+00:00"

static const weir_wall at = {1795284000000042};

static void only_two_values_are_rewritten(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"as shipped", SHIPPED,
         "[DEFAULT]\ndbpath = Logging.db\nlogginglevel = DEBUG\nwatchdogperiod = 1\n"
         "datathreadperiod = 60\n\n[RUNTIME]\nstarttime = " AT "\npid = 77\n\n"},
        {"empty", "", "[RUNTIME]\nstarttime = " AT "\npid = 77\n"},
        {"no section", "[DEFAULT]\na = 1\n",
         "[DEFAULT]\na = 1\n\n[RUNTIME]\nstarttime = " AT "\npid = 77\n"},
        {"no end of line", "[DEFAULT]\na = 1",
         "[DEFAULT]\na = 1\n\n[RUNTIME]\nstarttime = " AT "\npid = 77\n"},
        {"a blank line already", "[DEFAULT]\n\n",
         "[DEFAULT]\n\n[RUNTIME]\nstarttime = " AT "\npid = 77\n"},
        {"order, comments, spelling",
         "# my file\n[RUNTIME]\n; x\nPID:1\n\n  # y\nStartTime   =0\n\n"
         "[DEFAULT]\n\tdbpath=a ; b\n\n\n",
         "# my file\n[RUNTIME]\n; x\nPID:77\n\n  # y\nStartTime   =" AT "\n\n"
         "[DEFAULT]\n\tdbpath=a ; b\n\n\n"},
        {"one of them", "[RUNTIME]\nother = 2\npid = 1\n\n\n[DEFAULT]\n",
         "[RUNTIME]\nother = 2\npid = 77\nstarttime = " AT "\n\n\n[DEFAULT]\n"},
        {"none of them", "[RUNTIME]\n\n[DEFAULT]\n",
         "[RUNTIME]\nstarttime = " AT "\npid = 77\n\n[DEFAULT]\n"},
        {"none, and no end of line", "[RUNTIME]", "[RUNTIME]\nstarttime = " AT "\npid = 77\n"},
        {"no values", "[RUNTIME]\nstarttime=\npid =\n", "[RUNTIME]\nstarttime= " AT "\npid = 77\n"},
        {"values of several lines", "[RUNTIME]\nstarttime = a\n  b\n # c\n  d \npid = 1\n",
         "[RUNTIME]\nstarttime = " AT " \npid = 77\n"},
        {"of another section", "[DEFAULT]\npid = 5\n[RUNTIME]\npid = 6\nstarttime = x\n",
         "[DEFAULT]\npid = 5\n[RUNTIME]\npid = 77\nstarttime = " AT "\n"},
        {"Windows", "[RUNTIME]\r\npid = 1\r\n", "[RUNTIME]\r\npid = 77\r\nstarttime = " AT "\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        assert_true(weir_cfg_stamp(rows[i].text, strlen(rows[i].text), at, 77, &text));
        if (strcmp(weir_text_get(&text), rows[i].want) != 0)
            fail_msg("%s:\n%s\nwanted:\n%s", rows[i].name, weir_text_get(&text), rows[i].want);
    }
}

/* A folder of its own with config.cfg in it, which is the current one. */
static int place_open(void **state)
{
    char *folder = strdup("/tmp/weir-cfg-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    FILE *f = fopen("config.cfg", "w");
    assert_true(f && fputs(SHIPPED, f) >= 0 && !fclose(f));
    assert_int_equal(chmod("config.cfg", 0640), 0);
    *state = folder;
    return 0;
}

static int place_close(void **state)
{
    char command[64];
    (void)snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", (char *)*state,
                   (char *)*state);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    free(*state);
    return 0;
}

static void a_rewritten_file_keeps_its_mode_and_a_link_stays_one(void **state)
{
    weir_cfg_stamped stamped;
    struct stat st;
    (void)state;
    assert_int_equal(mkdir("etc", 0700), 0);
    assert_int_equal(rename("config.cfg", "etc/real.cfg"), 0);
    assert_int_equal(symlink("etc/real.cfg", "config.cfg"), 0);
    assert_int_equal(weir_cfg_file_stamp("config.cfg", at, 77, &stamped, NULL), WEIR_OK);
    assert_int_equal(lstat("config.cfg", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("etc/real.cfg", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_ino, stamped.after.st_ino);
    assert_int_not_equal(stamped.before.st_ino, stamped.after.st_ino);
    assert_int_equal(system("test $(ls etc | wc -l) = 1 && grep -q 'pid = 77' etc/real.cfg"), 0);
}

static void a_file_that_may_not_be_written_stays_as_it_is(void **state)
{
    weir_cfg_stamped stamped;
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    assert_int_equal(weir_cfg_file_stamp("none.cfg", at, 77, &stamped, &error), WEIR_EIO);
    if (geteuid() == 0)
        skip(); /* who may write everything */
    assert_int_equal(chmod(".", 0500), 0);
    assert_int_equal(weir_cfg_file_stamp("config.cfg", at, 77, &stamped, &error), WEIR_EPERM);
    assert_int_equal(system("grep -q 'pid = 13088' config.cfg"), 0);
}

static bool load_and_stamp_is_news(bool edited)
{
    weir_providers *providers = weir_providers_new();
    const weir_yaml_options options = {.providers = providers};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    weir_cfg_stamped stamped;
    assert_int_equal(weir_yaml_load("config.cfg", &options, &c, &problems), WEIR_OK);
    if (edited)
        assert_int_equal(system("echo '# mine' >> config.cfg"), 0);
    assert_int_equal(weir_cfg_file_stamp("config.cfg", at, 77, &stamped, NULL), WEIR_OK);
    weir_providers_rewritten(providers, "config.cfg", &stamped.before, &stamped.after);
    const bool news = weir_providers_poll(providers, true, (weir_mono){WEIR_S});
    weir_catalog_free(c);
    weir_problems_deinit(&problems);
    weir_providers_free(providers);
    return news;
}

static void what_the_program_wrote_itself_is_no_news(void **state)
{
    (void)state;
    assert_false(load_and_stamp_is_news(false));
    assert_true(load_and_stamp_is_news(true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_that_configparser_gives),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(what_configparser_leaves_alone_is_a_warning),
        cmocka_unit_test(it_is_a_configuration_like_another),
        cmocka_unit_test(its_database_is_read_and_delivered_to),
        cmocka_unit_test(it_has_no_variables),
        cmocka_unit_test(a_yaml_file_may_include_it),
        cmocka_unit_test(only_two_values_are_rewritten),
        cmocka_unit_test_setup_teardown(a_rewritten_file_keeps_its_mode_and_a_link_stays_one,
                                        place_open, place_close),
        cmocka_unit_test_setup_teardown(a_file_that_may_not_be_written_stays_as_it_is, place_open,
                                        place_close),
        cmocka_unit_test_setup_teardown(what_the_program_wrote_itself_is_no_news, place_open,
                                        place_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

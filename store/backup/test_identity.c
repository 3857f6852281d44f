/* SPDX-License-Identifier: MIT */
/* Tests of identities: which store, which running copy, and copies nobody declared. */

#include "store/file/identity.h"

#include "store/backup/restore.h"
#include "store/file/database.h"
#include "store/testing.h"

static weir_identity identity_of(const char *dir)
{
    weir_store *store = testing_open(dir);
    weir_identity id = *weir_store_identity(store);
    weir_store_close(store);
    return id;
}

static weir_identity declare(const char *dir, const char *name)
{
    weir_identity id;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_restore_in_place(dir, name, (weir_wall){T0}, &id, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    return id;
}

static void every_store_and_every_instance_is_another(void **state)
{
    (void)state;
    char *a = testing_dir(), *b = testing_dir();
    const weir_identity ia = identity_of(a), ib = identity_of(b);
    assert_string_not_equal(ia.uuid, ib.uuid);
    assert_string_not_equal(ia.instance, ib.instance);
    assert_string_not_equal(ia.uuid, ia.instance);
    assert_string_equal(ia.name, "");
    assert_string_equal(ia.notice, "");
    testing_remove(a);
    testing_remove(b);
}

static void an_identity_stays_from_start_to_start(void **state)
{
    (void)state;
    char *dir = testing_dir();
    const weir_identity first = identity_of(dir), second = identity_of(dir);
    assert_string_equal(first.uuid, second.uuid);
    assert_string_equal(first.instance, second.instance);
    assert_string_equal(second.notice, "");
    testing_remove(dir);
}

static void a_store_of_an_earlier_weir_gets_an_instance(void **state)
{
    (void)state;
    char *dir = testing_dir();
    const weir_identity before = identity_of(dir);
    (void)testing_file_sql(dir, "DELETE FROM meta WHERE key='instance' OR key GLOB 'host_*'");
    const weir_identity after = identity_of(dir);
    assert_string_equal(after.uuid, before.uuid);
    assert_int_equal(strlen(after.instance), 36);
    assert_string_not_equal(after.instance, before.instance);
    assert_false(after.copied);
    assert_string_equal(after.notice, "");
    assert_string_equal(identity_of(dir).instance, after.instance);
    testing_remove(dir);
}

/* What goes wrong when it is missed stands in identity.c; what is a false alarm, here. */
static void a_copy_is_told_from_a_move(void **state)
{
    (void)state;
    const weir_host here = {"aaaaaaaa", "bbbbbbbb", 7, "/var/lib/weir"};
    static const struct {
        const char *what;
        weir_host now;
        bool other;
    } cases[] = {
        {"nothing changed", {"aaaaaaaa", "bbbbbbbb", 7, "/var/lib/weir"}, false},
        {"nothing known", {"", "", 0, ""}, false},
        {"renamed", {"aaaaaaaa", "bbbbbbbb", 7, "/srv/weir"}, false},
        {"moved to a larger disk", {"aaaaaaaa", "bbbbbbbb", 8, "/var/lib/weir"}, false},
        {"a new container, the same volume", {"cccccccc", "bbbbbbbb", 7, "/var/lib/weir"}, false},
        {"the system installed anew", {"cccccccc", "bbbbbbbb", 7, "/var/lib/weir"}, false},
        {"root, then a user who cannot ask the board", {"aaaaaaaa", "", 7, "/var/lib/weir"}, false},
        {"copied within a machine", {"aaaaaaaa", "bbbbbbbb", 8, "/srv/test"}, true},
        {"copied to another machine", {"cccccccc", "", 8, "/var/lib/weir"}, true},
        {"a cloned card in another board", {"aaaaaaaa", "dddddddd", 7, "/var/lib/weir"}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (weir_host_is_other(&here, &cases[i].now) != cases[i].other)
            fail_msg("%s", cases[i].what);
}

/* A plain cp -r within one machine, weir stopped. */
static void copy_folder(const char *from, const char *to)
{
    char command[700];
    (void)snprintf(command, sizeof command, "cp %s/data.db %s/data.db", from, to);
    assert_int_equal(system(command), 0);
}

static void an_undeclared_copy_warns_at_every_start_until_somebody_decides(void **state)
{
    (void)state;
    char *original = testing_dir();
    for (int takeover = 0; takeover <= 1; takeover++) {
        char *copy = testing_dir();
        const weir_identity was = identity_of(original);
        copy_folder(original, copy);
        for (int start = 0; start < 2; start++) {
            const weir_identity id = identity_of(copy);
            assert_true(id.copied);
            assert_non_null(strstr(id.notice, "weir restore --takeover --data-dir"));
            assert_non_null(strstr(id.notice, "weir restore --as NAME --data-dir"));
            assert_string_equal(id.uuid, was.uuid);
        }
        const weir_identity declared = declare(copy, takeover ? NULL : "test");
        assert_true((strcmp(declared.uuid, was.uuid) == 0) == takeover);
        const weir_identity first = identity_of(copy), later = identity_of(copy);
        assert_false(first.copied);
        assert_non_null(strstr(first.notice, was.instance)); /* told once where it is from */
        assert_string_equal(later.notice, "");
        assert_string_equal(later.instance, declared.instance);
        testing_remove(copy);
    }
    assert_string_equal(identity_of(original).notice, ""); /* it has noticed nothing */
    testing_remove(original);
}

static void the_warning_is_an_event(void **state)
{
    (void)state;
    char *original = testing_dir(), *copy = testing_dir();
    (void)identity_of(original);
    copy_folder(original, copy);
    weir_store *store = testing_open(copy);
    testing_commit(store);
    weir_store_close(store);
    const char *answer = testing_file_sql(copy, "SELECT kind, text FROM event");
    assert_int_equal(strncmp(answer, "6|this store ran elsewhere before (", 35), 0);
    testing_remove(original);
    testing_remove(copy);
}

static void a_copy_drops_cursors_and_a_takeover_keeps_them(void **state)
{
    (void)state;
    for (int takeover = 0; takeover <= 1; takeover++) {
        char *dir = testing_dir();
        (void)identity_of(dir);
        (void)testing_file_sql(dir, "INSERT INTO event VALUES(42,0,6,'','something')");
        (void)testing_file_sql(dir, "INSERT INTO cursor VALUES('office',41,0,NULL,NULL,0)");
        (void)testing_file_sql(dir, "INSERT INTO fresh VALUES(1,1,1,0,0,0,0,0,0,x'01',x'',x'')");
        (void)testing_file_sql(dir, "INSERT INTO sink_order VALUES('office',1,0,0,0,0,1,1)");
        (void)testing_file_sql(
            dir, "INSERT INTO set_aside VALUES('office',1,1,0,0,0,0,0,0,0,0,NULL,'why',0)");
        (void)testing_file_sql(dir, "INSERT INTO set_aside_retry VALUES('office',1,0)");
        (void)declare(dir, takeover ? NULL : "test");
        assert_string_equal(testing_file_sql(dir, "SELECT count(*) FROM cursor"),
                            takeover ? "1" : "0");
        assert_string_equal(testing_file_sql(dir, "SELECT (SELECT count(*) FROM sink_order),"
                                                  " (SELECT count(*) FROM set_aside),"
                                                  " (SELECT count(*) FROM set_aside_retry)"),
                            takeover ? "1|1|1" : "0|0|0");
        assert_string_equal(testing_file_sql(dir, "SELECT hex(state) FROM fresh"),
                            takeover ? "01" : "");
        assert_string_equal(testing_file_sql(dir, "SELECT value FROM meta WHERE key='name'"),
                            takeover ? "" : "test");
        testing_remove(dir);
    }
}

static void a_directory_in_use_cannot_be_declared(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_identity id;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_restore_in_place(dir, NULL, (weir_wall){T0}, &id, &error), WEIR_EINUSE);
    weir_store_close(store);
    testing_remove(dir);
}

static void names_of_copies_are_short_and_printable(void **state)
{
    (void)state;
    char long_name[66];
    memset(long_name, 'a', 65);
    long_name[65] = '\0';
    assert_false(weir_identity_name_valid(long_name));
    assert_true(weir_identity_name_valid(long_name + 1));
    assert_true(weir_identity_name_valid("Prüfstand 2"));
    assert_false(weir_identity_name_valid(""));
    assert_false(weir_identity_name_valid("a\nb"));
    assert_false(weir_identity_name_valid("\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_store_and_every_instance_is_another),
        cmocka_unit_test(an_identity_stays_from_start_to_start),
        cmocka_unit_test(a_store_of_an_earlier_weir_gets_an_instance),
        cmocka_unit_test(a_copy_is_told_from_a_move),
        cmocka_unit_test(an_undeclared_copy_warns_at_every_start_until_somebody_decides),
        cmocka_unit_test(the_warning_is_an_event),
        cmocka_unit_test(a_copy_drops_cursors_and_a_takeover_keeps_them),
        cmocka_unit_test(a_directory_in_use_cannot_be_declared),
        cmocka_unit_test(names_of_copies_are_short_and_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

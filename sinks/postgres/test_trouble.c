/* SPDX-License-Identifier: MIT */
/* Tests of what PostgreSQL's refusals mean. */

#include "sinks/postgres/trouble.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const weir_pg_place place = {.host = "db",
                                    .port = "5433",
                                    .database = "plant",
                                    .user = "weir",
                                    .tags = "t",
                                    .samples = "s",
                                    .schema = "n",
                                    .sink = "office"};

static void sqlstate_says_what_is_in_the_way(void **state)
{
    static const struct {
        const char *sqlstate;
        weir_trouble trouble;
        const char *remedy; /* some of it */
    } cases[] = {
        {"08006", WEIR_TROUBLE_OFFLINE, ""},
        {"22P04", WEIR_TROUBLE_MISCONFIGURED, "weir sink schema office"},
        {"25006", WEIR_TROUBLE_MISCONFIGURED, "target_session_attrs=read-write"},
        {"28P01", WEIR_TROUBLE_REFUSED, "psql -h db -p 5433 -U weir plant"},
        {"28000", WEIR_TROUBLE_REFUSED, "pg_hba.conf"},
        {"3D000", WEIR_TROUBLE_MISCONFIGURED, "createdb -h db -p 5433 plant"},
        {"3F000", WEIR_TROUBLE_MISCONFIGURED, "CREATE SCHEMA n"},
        {"40P01", WEIR_TROUBLE_BUSY, ""},
        {"42501", WEIR_TROUBLE_REFUSED, "GRANT SELECT, INSERT, UPDATE ON t, s TO weir"},
        {"42P01", WEIR_TROUBLE_MISCONFIGURED, "weir sink schema office"},
        {"42703", WEIR_TROUBLE_MISCONFIGURED, "weir sink schema office"},
        {"53100", WEIR_TROUBLE_FULL, "disk of the server db"},
        {"53300", WEIR_TROUBLE_BUSY, "max_connections"},
        {"55P03", WEIR_TROUBLE_BUSY, "pg_locks"},
        {"57014", WEIR_TROUBLE_BUSY, "pg_stat_activity"},
        {"57P01", WEIR_TROUBLE_OFFLINE, ""},
        {"57P03", WEIR_TROUBLE_OFFLINE, ""},
        {"57P04", WEIR_TROUBLE_MISCONFIGURED, "createdb plant"},
        {"58030", WEIR_TROUBLE_OFFLINE, "its disk"},
        {"XX001", WEIR_TROUBLE_OFFLINE, "log"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_pg_fault fault = {.sqlstate = cases[i].sqlstate, .message = "words"};
        weir_send_answer answer;
        print_message("%s\n", cases[i].sqlstate);
        weir_pg_judge(&fault, &place, "s", 10, &answer);
        assert_int_equal(answer.result, WEIR_SEND_LATER);
        assert_int_equal(answer.trouble, cases[i].trouble);
        assert_non_null(strstr(answer.remedy, cases[i].remedy));
        assert_non_null(strstr(answer.why, cases[i].sqlstate));
        assert_null(strchr(answer.remedy, '@'));
    }
}

static void refused_row_is_the_one_of_the_line(void **state)
{
    static const struct {
        const char *name, *sqlstate, *context;
        size_t want;
    } cases[] = {
        {"column", "22003", "COPY samples, line 3, column ts", 2},
        {"constraint", "23514", "COPY samples, line 10", 9},
        {"in German", "23514", "COPY samples, Zeile 4, Spalte ts", 3},
        {"from a trigger", "P0001", "PL/pgSQL function f() line 9 at RAISE\nCOPY samples, line 5",
         4},
        {"a trigger's own code", "WX001", "COPY samples, line 1", 0},
        {"too large for an index", "54000", "COPY samples, line 2", 1},
        {"of another table", "23514", "COPY samples2, line 5", SIZE_MAX},
        {"line 0", "23514", "COPY samples, line 0", SIZE_MAX},
        {"line behind the last", "23514", "COPY samples, line 11", SIZE_MAX},
        {"no line", "23514", "COPY samples, ", SIZE_MAX},
        {"no context", "23505", NULL, SIZE_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_pg_fault fault = {.sqlstate = cases[i].sqlstate,
                                     .message = "words",
                                     .detail = "more",
                                     .context = cases[i].context};
        weir_send_answer answer;
        print_message("%s\n", cases[i].name);
        weir_pg_judge(&fault, &place, "samples", 10, &answer);
        assert_int_equal(answer.result, WEIR_SEND_REJECTED);
        assert_int_equal(answer.first_bad, cases[i].want);
    }
}

static void what_is_said_while_no_row_is_sent_is_no_rejection(void **state)
{
    const weir_pg_fault fault = {.sqlstate = "23505", .message = "words"};
    weir_send_answer answer;
    (void)state;
    weir_pg_judge(&fault, &place, "s", 0, &answer);
    assert_int_equal(answer.result, WEIR_SEND_LATER);
    assert_int_equal(answer.trouble, WEIR_TROUBLE_MISCONFIGURED);
}

/* Messages of libpq 15.18. */
static void message_of_libpq_says_what_is_in_the_way(void **state)
{
    static const struct {
        const char *message;
        weir_trouble trouble;
        const char *why, *remedy;
    } cases[] = {
        {"could not translate host name \"dbx\" to address: Name or service not known\n",
         WEIR_TROUBLE_OFFLINE, "\"dbx\"", "getent hosts db"},
        {"connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the "
         "server "
         "running on that host and accepting TCP/IP connections?\n",
         WEIR_TROUBLE_OFFLINE, "Connection refused Is the server", "pg_isready -h db -p 5433"},
        {"connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password "
         "authentication failed for user \"weir\"\nLOCATION:  auth_failed, auth.c:338\n",
         WEIR_TROUBLE_REFUSED,
         "the server says: password authentication failed for user \"weir\" (28P01)",
         "password_file"},
        {"connection to server on socket \"/tmp/.s.PGSQL.1\" failed: FATAL:  53300: sorry, too "
         "many "
         "clients already\nLOCATION:  InitProcess, proc.c:360\n",
         WEIR_TROUBLE_BUSY, "too many clients already (53300)", "max_connections"},
        {"server does not support SSL, but SSL was required\n", WEIR_TROUBLE_REFUSED,
         "does not support SSL", "ssl = on"},
        {"could not open certificate file \"/x\": No such file or directory\n",
         WEIR_TROUBLE_MISCONFIGURED, "/x", "ssl_cert"},
        {"server closed the connection unexpectedly\n\tThis probably means the server terminated "
         "abnormally\n\tbefore or while processing the request.\n",
         WEIR_TROUBLE_OFFLINE, "server closed the connection unexpectedly", "pg_isready"},
        {"received invalid response to SSL negotiation: H\n", WEIR_TROUBLE_MISCONFIGURED, "SSL",
         "not PostgreSQL"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_send_answer answer;
        print_message("%s", cases[i].message);
        weir_pg_judge_connection(cases[i].message, &place, &answer);
        assert_int_equal(answer.result, WEIR_SEND_LATER);
        assert_int_equal(answer.trouble, cases[i].trouble);
        assert_non_null(strstr(answer.why, cases[i].why));
        assert_non_null(strstr(answer.remedy, cases[i].remedy));
        assert_null(strpbrk(answer.why, "\n\t"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlstate_says_what_is_in_the_way),
        cmocka_unit_test(refused_row_is_the_one_of_the_line),
        cmocka_unit_test(what_is_said_while_no_row_is_sent_is_no_rejection),
        cmocka_unit_test(message_of_libpq_says_what_is_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

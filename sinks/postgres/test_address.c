/* SPDX-License-Identifier: MIT */
/* Tests of looking up host names, with a name server of the test's own. */

#include "sinks/postgres/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

/* "two" has two addresses, "none" none; "silent" waits until the test lets go. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool may_answer;
    int asked, answered;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct addrinfo *address_make(const char *number, struct addrinfo *next)
{
    struct addrinfo *a = calloc(1, sizeof *a);
    struct sockaddr_in *in = calloc(1, sizeof *in);
    assert_true(a && in);
    in->sin_family = AF_INET;
    (void)inet_pton(AF_INET, number, &in->sin_addr);
    a->ai_family = AF_INET;
    a->ai_addrlen = sizeof *in;
    a->ai_addr = (struct sockaddr *)in;
    a->ai_next = next;
    return a;
}

/* In the place of libc's. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    (void)service;
    (void)hints;
    (void)pthread_mutex_lock(&server.lock);
    server.asked++;
    (void)pthread_cond_broadcast(&server.changed);
    while (strcmp(name, "silent") == 0 && !server.may_answer)
        (void)pthread_cond_wait(&server.changed, &server.lock);
    server.answered++;
    (void)pthread_cond_broadcast(&server.changed);
    (void)pthread_mutex_unlock(&server.lock);
    if (strcmp(name, "none") == 0)
        return EAI_NONAME;
    *ret =
        address_make("10.0.0.1", strcmp(name, "two") == 0 ? address_make("10.0.0.2", NULL) : NULL);
    return 0;
}

void freeaddrinfo(struct addrinfo *a)
{
    while (a) {
        struct addrinfo *next = a->ai_next;
        free(a->ai_addr);
        free(a);
        a = next;
    }
}

static bool ending;
static int64_t clock_us;

static weir_mono host_now(void *data)
{
    (void)data;
    return (weir_mono){clock_us += WEIR_S};
}

static bool host_is_ending(void *data)
{
    (void)data;
    return ending;
}

static const weir_sink_host host = {.now = host_now, .is_ending = host_is_ending};

static void hosts_are_listed_with_each_address(void **state)
{
    static const struct {
        const char *hosts, *ports, *want_hosts, *want_numbers, *want_ports;
    } cases[] = {
        {"one", "", "one", "10.0.0.1", ""},
        {"one", "5433", "one", "10.0.0.1", "5433"},
        {"two", "5433", "two,two", "10.0.0.1,10.0.0.2", "5433,5433"},
        {"two,one", "1,2", "two,two,one", "10.0.0.1,10.0.0.2,10.0.0.1", "1,1,2"},
        {"two,one", "7", "two,two,one", "10.0.0.1,10.0.0.2,10.0.0.1", "7,7,7"},
        {"/run/postgresql", "1", "/run/postgresql", "", "1"},
        {"none,one", "1,2", "one", "10.0.0.1", "2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_pg_addresses a = {0};
        WEIR_TEXT_AUTO why = WEIR_TEXT_INIT;
        clock_us = 0;
        print_message("%s\n", cases[i].hosts);
        assert_true(weir_pg_addresses_find(&a, cases[i].hosts, cases[i].ports, &host,
                                           WEIR_MONO_NEVER, &why));
        assert_string_equal(weir_text_get(&a.hosts), cases[i].want_hosts);
        assert_string_equal(weir_text_get(&a.numbers), cases[i].want_numbers);
        assert_string_equal(weir_text_get(&a.ports), cases[i].want_ports);
        weir_pg_addresses_deinit(&a);
    }
}

static void name_that_is_none_is_said(void **state)
{
    weir_pg_addresses a = {0};
    WEIR_TEXT_AUTO why = WEIR_TEXT_INIT;
    (void)state;
    assert_false(weir_pg_addresses_find(&a, "none", "1", &host, WEIR_MONO_NEVER, &why));
    assert_non_null(strstr(weir_text_get(&why), "could not translate host name \"none\""));
    weir_pg_addresses_deinit(&a);
}

/* Asks, is not answered, and the question is released by the thread that asked. */
static void expect_given_up(weir_mono deadline)
{
    weir_pg_addresses a = {0};
    WEIR_TEXT_AUTO why = WEIR_TEXT_INIT;
    server.may_answer = false;
    server.answered = 0;
    assert_false(weir_pg_addresses_find(&a, "silent", "1", &host, deadline, &why));
    assert_non_null(strstr(weir_text_get(&why), "name server does not answer for host \"silent\""));
    weir_pg_addresses_deinit(&a);
    (void)pthread_mutex_lock(&server.lock);
    server.may_answer = true;
    (void)pthread_cond_broadcast(&server.changed);
    while (server.answered == 0)
        (void)pthread_cond_wait(&server.changed, &server.lock);
    (void)pthread_mutex_unlock(&server.lock);
}

static void silent_name_server_is_left_at_the_deadline(void **state)
{
    (void)state;
    clock_us = 0;
    expect_given_up((weir_mono){WEIR_S});
}

static void silent_name_server_is_left_when_the_sink_ends(void **state)
{
    (void)state;
    ending = true;
    expect_given_up(WEIR_MONO_NEVER);
    ending = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_listed_with_each_address),
        cmocka_unit_test(name_that_is_none_is_said),
        cmocka_unit_test(silent_name_server_is_left_at_the_deadline),
        cmocka_unit_test(silent_name_server_is_left_when_the_sink_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

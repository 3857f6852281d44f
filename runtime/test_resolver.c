/* SPDX-License-Identifier: MIT */
/* Tests of the resolver: with names that need no network. */

#include "runtime/resolver.h"

#include <netinet/in.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void post(void *data)
{
    (void)sem_post(data);
}

static void localhost_is_127_0_0_1_whatever_else_it_is(void **state)
{
    sem_t done;
    struct sockaddr_storage address;
    (void)state;
    assert_int_equal(sem_init(&done, 0, 0), 0);
    weir_resolve *r = weir_resolve_new("localhost", 502, post, &done);
    assert_non_null(r);
    assert_int_equal(sem_wait(&done), 0);
    assert_null(weir_resolve_get(r, &address));
    weir_resolve_free(r);
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohs(in->sin_port), 502);
    assert_int_equal(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);
    (void)sem_destroy(&done);
}

/* RFC 1035, 2.3.4: a label has 63 octets at most, so nobody is asked for this one. */
static void a_name_that_cannot_be_says_why(void **state)
{
    static const char name[] =
        "a.label.of.more.than.63.octets."
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    sem_t done;
    struct sockaddr_storage address;
    (void)state;
    assert_int_equal(sem_init(&done, 0, 0), 0);
    weir_resolve *r = weir_resolve_new(name, 502, post, &done);
    assert_non_null(r);
    assert_int_equal(sem_wait(&done), 0);
    assert_non_null(weir_resolve_get(r, &address));
    weir_resolve_free(r);
    (void)sem_destroy(&done);
}

/* After free nothing may be touched: the sanitizers see a call into the freed slot. */
static void one_that_is_given_up_never_calls_back(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        sem_t *gone = malloc(sizeof *gone);
        assert_non_null(gone);
        assert_int_equal(sem_init(gone, 0, 0), 0);
        weir_resolve *r = weir_resolve_new("localhost", 502, post, gone);
        weir_resolve_free(r);
        (void)sem_destroy(gone);
        free(gone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(localhost_is_127_0_0_1_whatever_else_it_is),
        cmocka_unit_test(a_name_that_cannot_be_says_why),
        cmocka_unit_test(one_that_is_given_up_never_calls_back),
    };
    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}

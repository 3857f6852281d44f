/* SPDX-License-Identifier: MIT */
/* Tests of the devices' rows on their way to the store. */

#include "runtime/device_post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

static weir_device_record record(const char *name, const char *error)
{
    return (weir_device_record){
        .name = name, .connection = "bus", .state = "online", .error = error};
}

static void what_is_taken_is_a_copy_with_its_texts(void **state)
{
    (void)state;
    weir_device_post post;
    size_t n;
    char error[] = "timeout";
    const weir_device_record two[] = {record("a", ""), record("b", error)};
    weir_device_post_init(&post);
    weir_device_post_put(&post, two, 2);
    memset(error, 'x', sizeof error - 1);
    weir_device_record *taken = weir_device_post_take(&post, &n);
    assert_int_equal(n, 2);
    assert_string_equal(taken[0].name, "a");
    assert_string_equal(taken[0].error, "");
    assert_string_equal(taken[1].name, "b");
    assert_string_equal(taken[1].connection, "bus");
    assert_string_equal(taken[1].state, "online");
    assert_string_equal(taken[1].error, "timeout");
    weir_free(taken);
    assert_null(weir_device_post_take(&post, &n));
    weir_device_post_deinit(&post);
}

static void the_newest_replace_what_waits(void **state)
{
    (void)state;
    weir_device_post post;
    size_t n;
    const weir_device_record old[] = {record("a", ""), record("b", "")}, fresh = record("c", "");
    weir_device_post_init(&post);
    weir_device_post_put(&post, old, 2);
    weir_device_post_put(&post, &fresh, 1);
    weir_device_record *taken = weir_device_post_take(&post, &n);
    assert_int_equal(n, 1);
    assert_string_equal(taken[0].name, "c");
    weir_free(taken);
    weir_device_post_put(&post, old, 2); /* nobody takes these */
    weir_device_post_deinit(&post);
}

static void without_memory_the_older_ones_stay(void **state)
{
    (void)state;
    weir_device_post post;
    size_t n;
    const weir_device_record old = record("a", ""), fresh = record("b", "");
    weir_device_post_init(&post);
    weir_device_post_put(&post, &old, 1);
    (void)weir_alloc_fail_nth(1, false);
    weir_device_post_put(&post, &fresh, 1);
    (void)weir_alloc_fail_nth(0, false);
    weir_device_record *taken = weir_device_post_take(&post, &n);
    assert_int_equal(n, 1);
    assert_string_equal(taken[0].name, "a");
    weir_free(taken);
    weir_device_post_deinit(&post);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_is_a_copy_with_its_texts),
        cmocka_unit_test(the_newest_replace_what_waits),
        cmocka_unit_test(without_memory_the_older_ones_stay),
    };
    return cmocka_run_group_tests_name("device post", tests, NULL, NULL);
}

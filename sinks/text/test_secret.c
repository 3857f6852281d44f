/* SPDX-License-Identifier: MIT */
/* Tests of reading secrets. */

#include "sinks/text/secret.h"

#include <fcntl.h>
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

static char folder[64], path[96];

static int folder_make(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/weir-secret-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/secret", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)rmdir(path);
    return rmdir(folder);
}

static void file_write(const char *bytes, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    (void)close(fd);
}

static void the_value_is_taken_as_it_is_and_before_the_file(void **state)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    assert_int_equal(weir_secret_read("a b\n", "/nowhere", &text, &error), WEIR_OK);
    assert_string_equal(weir_text_get(&text), "a b\n");
    assert_int_equal(weir_secret_read(NULL, NULL, &text, &error), WEIR_OK);
    assert_string_equal(weir_text_get(&text), "");
    assert_int_equal(weir_secret_read("", "", &text, &error), WEIR_OK);
    assert_string_equal(weir_text_get(&text), "");
}

static void the_first_line_of_the_file_is_read_each_time(void **state)
{
    static const struct {
        const char *content, *want;
    } cases[] = {
        {"s3cret", "s3cret"},           {"s3cret\n", "s3cret"},
        {"s3cret\r\nrest\n", "s3cret"}, {" with blanks \n", " with blanks "},
        {"p\xc3\xa4ss", "p\xc3\xa4ss"},
    };
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error = WEIR_ERROR_INIT;
        file_write(cases[i].content, strlen(cases[i].content));
        assert_int_equal(weir_secret_read(NULL, path, &text, &error), WEIR_OK);
        assert_string_equal(weir_text_get(&text), cases[i].want);
    }
}

static void what_cannot_be_a_secret_is_named_but_never_shown(void **state)
{
    static char large[64 * 1024 + 1];
    static const struct {
        const char *content;
        size_t n;
        const char *want;
    } cases[] = {
        {"", 0, "empty"},
        {"\n", 1, "empty"},
        {"\r\nhidden", 8, "empty"},
        {"hid\0den", 7, "NUL"},
        {large, sizeof large, "64 KiB"},
    };
    (void)state;
    memset(large, 'h', sizeof large);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_error error = WEIR_ERROR_INIT;
        file_write(cases[i].content, cases[i].n);
        assert_int_equal(weir_secret_read("", path, &text, &error), WEIR_EINVAL);
        assert_non_null(strstr(error.text, cases[i].want));
        assert_non_null(strstr(error.text, path));
        assert_null(strstr(error.text, "hid"));
    }
}

static void a_file_that_cannot_be_read_is_named_with_a_remedy(void **state)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    (void)unlink(path);
    assert_int_equal(weir_secret_read(NULL, path, &text, &error), WEIR_ENOTFOUND);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(weir_secret_read(NULL, path, &text, &error), WEIR_EIO);
    assert_int_equal(rmdir(path), 0);
    /* Nobody writes to it: that must not wait. */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(weir_secret_read(NULL, path, &text, &error), WEIR_EINVAL);
    (void)unlink(path);
    if (getuid() == 0)
        return; /* root may read everything */
    file_write("x", 1);
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(weir_secret_read(NULL, path, &text, &error), WEIR_EPERM);
    assert_non_null(strstr(error.text, "chmod"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_value_is_taken_as_it_is_and_before_the_file),
        cmocka_unit_test(the_first_line_of_the_file_is_read_each_time),
        cmocka_unit_test(what_cannot_be_a_secret_is_named_but_never_shown),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named_with_a_remedy),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}

/* SPDX-License-Identifier: MIT */
/* Wrong configurations: each says all that is wrong, where, and what to do. */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "catalog/test_sink_type.h"
#include "catalog/yaml.h"

#define FOLDER WEIR_TEST_ROOT "/tests/support/wrong-config"

static const char *const profile_dirs[] = {WEIR_TEST_ROOT "/profiles"};
static const weir_yaml_options options = {
    .n_profile_dirs = 1, .profile_dirs = profile_dirs, .sink_type = find_ledger};

/* The lines "# expect: 7:5: ..." at the head of the file, as they should be said. A line that
 * begins with a folder names another file beside it. */
static void expected_of(const char *path, weir_text *ret)
{
    static const char mark[] = "# expect: ";
    char line[1024];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        const char *text = line + sizeof mark - 1;
        if (strncmp(line, mark, sizeof mark - 1) != 0)
            continue;
        if (*text >= '0' && *text <= '9')
            weir_text_format(ret, "%s:%s", path, text);
        else
            weir_text_format(ret, FOLDER "/%s", text);
    }
    (void)fclose(f);
}

static void check_file(const char *path)
{
    WEIR_TEXT_AUTO expected = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    expected_of(path, &expected);
    assert_int_equal(weir_yaml_load(path, &options, &catalog, &problems), WEIR_ECONFIG);
    assert_null(catalog);
    for (size_t i = 0; i < problems.n; i++) {
        weir_problem_format(&problems.items[i], &said);
        weir_text_add(&said, "\n");
    }
    assert_string_equal(weir_text_get(&said), weir_text_get(&expected));
    assert_true(problems.n > 0);
    weir_problems_deinit(&problems);
}

static void every_wrong_configuration_says_where_and_what_to_do(void **state)
{
    (void)state;
    size_t n = 0;
    DIR *dir = opendir(FOLDER);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        const size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".yaml") != 0)
            continue;
        (void)snprintf(path, sizeof path, FOLDER "/%s", entry->d_name);
        check_file(path);
        n++;
    }
    (void)closedir(dir);
    assert_true(n >= 20);
}

static void a_file_that_is_not_there_is_one_problem(void **state)
{
    (void)state;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    assert_int_equal(weir_yaml_load("/nonexistent/weir.yaml", NULL, &catalog, &problems),
                     WEIR_ECONFIG);
    assert_int_equal(problems.n, 1);
    assert_int_equal(problems.items[0].code, WEIR_ENOTFOUND);
    assert_int_equal(problems.items[0].where.line, 0);
    assert_non_null(strstr(problems.items[0].text, "No such file"));
    weir_problems_deinit(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wrong_configuration_says_where_and_what_to_do),
        cmocka_unit_test(a_file_that_is_not_there_is_one_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

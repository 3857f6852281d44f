/* SPDX-License-Identifier: MIT */
/* Tests of the tar headers of a backup. */

#include "store/backup/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void checksum_repair(uint8_t *block)
{
    char digits[8];
    uint32_t sum = 0;
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < WEIR_TAR_BLOCK; i++)
        sum += block[i];
    (void)snprintf(digits, sizeof digits, "%06o", sum);
    memcpy(block + 148, digits, 7);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t size;
    } cases[] = {
        {"data.db", 0},          {"config/profiles/a b.yaml", 1},
        {"data.db", 8589934591}, /* 8 GiB - 1: the last that 11 octal digits hold */
        {"data.db", 8589934592}, {"data.db", 1ull << 50},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t block[WEIR_TAR_BLOCK];
        weir_tar_header header;
        weir_tar_write(cases[i].name, cases[i].size, 1700000000, block);
        assert_int_equal(weir_tar_read(block, &header, NULL), WEIR_OK);
        assert_int_equal(header.kind, WEIR_TAR_FILE);
        assert_string_equal(header.name, cases[i].name);
        assert_int_equal(header.size, cases[i].size);
    }
}

/* Of the header GNU tar 1.34 makes of a file named hello with six bytes:
 *     tar --format=ustar --owner=0 --group=0 --mtime=@1700000000 --mode=600 -cf - hello
 * the fields, at their places. */
static void a_header_is_what_gnu_tar_writes(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        const char *text;
    } fields[] = {
        {0, "hello"},     {100, "0000600"},     {108, "0000000"},
        {116, "0000000"}, {124, "00000000006"}, {136, "14524770400"},
    };
    uint8_t block[WEIR_TAR_BLOCK];
    weir_tar_write("hello", 6, 1700000000, block);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal((const char *)block + fields[i].at, fields[i].text);
    assert_int_equal(block[156], '0');
    assert_memory_equal(block + 257, "ustar\00000", 8);
}

static void names_that_lead_out_are_not_safe(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool safe;
    } cases[] = {
        {"data.db", true}, {"a/b/c", true},        {"..a/b..", true}, {"", false},
        {".", false},      {"..", false},          {"../x", false},   {"a/../x", false},
        {"a/..", false},   {"/etc/passwd", false}, {"a//b", false},   {"a/", false},
        {"./a", false},    {"a\nb", false},        {"a\\b", false},   {"\x80", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (weir_tar_name_safe(cases[i].name) != cases[i].safe)
            fail_msg("'%s'", cases[i].name);
}

static void a_foreign_header_is_refused_and_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        char type;
        weir_err want;
        weir_tar_kind kind;
    } cases[] = {
        {"./data.db", '0', WEIR_OK, WEIR_TAR_FILE},
        {"data.db", '\0', WEIR_OK, WEIR_TAR_FILE},
        {"config/", '5', WEIR_OK, WEIR_TAR_FOLDER},
        {"./", '5', WEIR_OK, WEIR_TAR_FOLDER},
        {"../data.db", '0', WEIR_EPERM, WEIR_TAR_FILE},
        {"/etc/passwd", '0', WEIR_EPERM, WEIR_TAR_FILE},
        {"../..", '5', WEIR_EPERM, WEIR_TAR_FILE},
        {"data.db", '1', WEIR_EPERM, WEIR_TAR_FILE},        /* hard link */
        {"data.db", '2', WEIR_EPERM, WEIR_TAR_FILE},        /* symbolic link */
        {"data.db", '3', WEIR_EPERM, WEIR_TAR_FILE},        /* device */
        {"data.db", '6', WEIR_EPERM, WEIR_TAR_FILE},        /* pipe */
        {"data.db", 'x', WEIR_EUNSUPPORTED, WEIR_TAR_FILE}, /* pax */
        {"data.db", 'L', WEIR_EUNSUPPORTED, WEIR_TAR_FILE}, /* GNU's long names */
        {"data.db", 'S', WEIR_EUNSUPPORTED, WEIR_TAR_FILE}, /* GNU's sparse files */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t block[WEIR_TAR_BLOCK];
        weir_tar_header header;
        weir_error error = WEIR_ERROR_INIT;
        weir_tar_write("x", 5, 0, block);
        (void)snprintf((char *)block, 100, "%s", cases[i].name);
        block[156] = (uint8_t)cases[i].type;
        checksum_repair(block);
        if (weir_tar_read(block, &header, &error) != cases[i].want)
            fail_msg("%s %c: %s", cases[i].name, cases[i].type, error.text);
        if (cases[i].want == WEIR_OK) {
            assert_int_equal(header.kind, cases[i].kind);
            assert_true(weir_tar_name_safe(header.name));
        }
    }
}

static void every_flipped_bit_of_a_header_is_found(void **state)
{
    (void)state;
    uint8_t block[WEIR_TAR_BLOCK];
    weir_tar_write("data.db", 4096, 1700000000, block);
    for (size_t bit = 0; bit < 8 * sizeof block; bit++) {
        weir_tar_header header;
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const weir_err err = weir_tar_read(block, &header, NULL);
        /* A digit's blank or NUL at the end of a number may be either. */
        if (err == WEIR_OK)
            assert_true(header.size == 4096 && !strcmp(header.name, "data.db"));
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void a_size_beyond_a_file_is_refused(void **state)
{
    (void)state;
    uint8_t block[WEIR_TAR_BLOCK];
    weir_tar_header header;
    weir_tar_write("data.db", 1ull << 40, 0, block);
    memset(block + 125, 0xff, 11);
    checksum_repair(block);
    assert_int_equal(weir_tar_read(block, &header, NULL), WEIR_EDAMAGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_header_is_what_gnu_tar_writes),
        cmocka_unit_test(names_that_lead_out_are_not_safe),
        cmocka_unit_test(a_foreign_header_is_refused_and_says_why),
        cmocka_unit_test(every_flipped_bit_of_a_header_is_found),
        cmocka_unit_test(a_size_beyond_a_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

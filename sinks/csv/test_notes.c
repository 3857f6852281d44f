/* SPDX-License-Identifier: MIT */
/* Tests of the notes beside a file of lines. */

#include "sinks/csv/notes.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64], path[96];

static int folder_make(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/weir-notes-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/x.csv.weir", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static const weir_csv_note note = {
    .store = "0b6f0f6e-7a4c-4e55-9b5c-0f3d2f5f8a11",
    .sink = "office files",
    .seq = UINT64_MAX,
    .offset = 123456789012,
    .tail_from = 123456784916,
    .tail = 0x0000beef,
    .format = 0xffffffff,
    .device = 65024,
    .inode = 11035785,
    .begun_us = -1,
    .file = "/data/Zürich 2023.csv",
};

static void assert_same(const weir_csv_note *a, const weir_csv_note *b)
{
    assert_memory_equal(a, b, offsetof(weir_csv_note, file));
    assert_string_equal(a->file, b->file);
}

static void save(uint64_t seq)
{
    static weir_csv_notes notes;
    static weir_csv_note loaded, changed;
    (void)weir_csv_notes_open(&notes, path, &loaded);
    assert_true(notes.fd >= 0);
    changed = note;
    changed.seq = seq;
    assert_true(weir_csv_notes_save(&notes, &changed));
    weir_csv_notes_close(&notes);
}

/* What opening says; the seq of the note. */
static weir_csv_opened opened(uint64_t *ret_seq)
{
    static weir_csv_notes notes;
    static weir_csv_note loaded;
    loaded = (weir_csv_note){.seq = 0};
    const weir_csv_opened said = weir_csv_notes_open(&notes, path, &loaded);
    weir_csv_notes_close(&notes);
    *ret_seq = loaded.seq;
    return said;
}

static void bytes_write(off_t at, const char *bytes, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    (void)close(fd);
}

static void what_was_saved_last_is_read_back(void **state)
{
    static weir_csv_notes notes;
    static weir_csv_note loaded;
    uint64_t seq = 0;
    (void)state;
    (void)unlink(path);
    assert_int_equal(opened(&seq), WEIR_CSV_OPENED_NEW);
    save(UINT64_MAX);
    assert_int_equal(weir_csv_notes_open(&notes, path, &loaded), WEIR_CSV_OPENED);
    assert_same(&loaded, &note);
    weir_csv_notes_close(&notes);
    for (uint64_t i = 1; i < 5; i++) {
        save(i);
        assert_int_equal(opened(&seq), WEIR_CSV_OPENED);
        assert_int_equal(seq, i);
    }
}

static void a_slot_that_was_cut_short_leaves_the_other(void **state)
{
    uint64_t seq = 0;
    (void)state;
    (void)unlink(path);
    save(1); /* generation 1 is in the second slot, 2 in the first */
    save(2);
    bytes_write(100, "#", 1);
    assert_int_equal(opened(&seq), WEIR_CSV_OPENED);
    assert_int_equal(seq, 1);
    bytes_write(8192 + 100, "#", 1);
    assert_int_equal(opened(&seq), WEIR_CSV_OPENED_DAMAGED);
}

static void every_single_changed_byte_is_noticed(void **state)
{
    static char slot[8192];
    uint64_t seq = 0;
    off_t end = 1; /* of the checksum; line ends are behind it */
    (void)state;
    for (off_t at = 0; at < end; at++) {
        (void)unlink(path);
        save(1);
        save(2);
        const int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, slot, sizeof slot, 0), sizeof slot);
        const char *crc = memmem(slot, sizeof slot, "\ncrc ", 5);
        assert_non_null(crc);
        end = crc - slot + (off_t)sizeof "\ncrc 01234567" - 1;
        const char changed = (char)(slot[at] ^ 1);
        assert_int_equal(pwrite(fd, &changed, 1, at), 1);
        (void)close(fd);
        assert_int_equal(opened(&seq), WEIR_CSV_OPENED);
        assert_int_equal(seq, 1);
    }
}

static void what_is_no_file_with_notes_is_left_alone(void **state)
{
    static char foreign[2 * 8192 + 1];
    uint64_t seq = 0;
    (void)state;
    (void)unlink(path);
    memset(foreign, 'x', sizeof foreign);
    bytes_write(0, foreign, sizeof foreign - 1);
    assert_int_equal(opened(&seq), WEIR_CSV_FOREIGN);
    bytes_write(0, foreign, sizeof foreign);
    assert_int_equal(opened(&seq), WEIR_CSV_FOREIGN);
}

static void one_at_a_time_has_them(void **state)
{
    static weir_csv_notes first;
    static weir_csv_note loaded;
    uint64_t seq = 0;
    (void)state;
    (void)unlink(path);
    assert_int_equal(weir_csv_notes_open(&first, path, &loaded), WEIR_CSV_OPENED_NEW);
    assert_int_equal(opened(&seq), WEIR_CSV_LOCKED);
    assert_true(weir_csv_notes_hold(&first));
    (void)unlink(path);
    assert_false(weir_csv_notes_hold(&first));
    weir_csv_notes_close(&first);
    assert_false(weir_csv_notes_hold(&first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_last_is_read_back),
        cmocka_unit_test(a_slot_that_was_cut_short_leaves_the_other),
        cmocka_unit_test(every_single_changed_byte_is_noticed),
        cmocka_unit_test(what_is_no_file_with_notes_is_left_alone),
        cmocka_unit_test(one_at_a_time_has_them),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}

/* SPDX-License-Identifier: MIT */
/* The notes beside a file of lines: how far it is complete, and up to which sample. */

#include "sinks/csv/notes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"

enum {
    SLOT_SIZE = 8192, /* the longest path, the longest name and the numbers; two pages */
    SLOTS = 2,
};

static const char magic[] = "weir csv notes 1\n";

/* --- a slot is text ----------------------------------------------------------------------- */

/* Padded with line ends, so that a person can read the file. False when it does not fit. */
static bool slot_write(const weir_csv_note *n, uint64_t generation, char slot[SLOT_SIZE])
{
    int length =
        snprintf(slot, SLOT_SIZE,
                 "%sgeneration %" PRIu64 "\nseq %" PRIu64 "\noffset %" PRIu64 "\ntail_from %" PRIu64
                 "\ntail %08" PRIx32 "\nformat %08" PRIx32 "\ndevice %" PRIu64 "\ninode %" PRIu64
                 "\nbegun %" PRId64 "\nstore %s\nsink %s\nfile %s\n",
                 magic, generation, n->seq, n->offset, n->tail_from, n->tail, n->format, n->device,
                 n->inode, n->begun_us, n->store, n->sink, n->file);
    enum { CRC_LINE = sizeof "crc 01234567\n" };
    if (length < 0 || length + CRC_LINE > SLOT_SIZE)
        return false;
    memset(slot + length, '\n', (size_t)(SLOT_SIZE - length));
    const uint32_t crc = weir_crc32c(0, slot, (size_t)length);
    length += snprintf(slot + length, CRC_LINE, "crc %08" PRIx32 "\n", crc);
    slot[length] = '\n'; /* over snprintf's NUL */
    return true;
}

/* The text behind the word of the next line, which ends there. NULL: another line. */
static char *line_take(char **at, const char *word)
{
    const size_t n = strlen(word);
    char *line = *at, *end = strchr(line, '\n');
    if (!end || strncmp(line, word, n) != 0 || line[n] != ' ')
        return NULL;
    *end = '\0';
    *at = end + 1;
    return line + n + 1;
}

static bool number_take(char **at, const char *word, int base, uint64_t *ret)
{
    const char *text = line_take(at, word);
    if (text)
        *ret = strtoull(text, NULL, base);
    return text != NULL;
}

static bool text_take(char **at, const char *word, char *ret, size_t size)
{
    const char *text = line_take(at, word);
    return text && (size_t)snprintf(ret, size, "%s", text) < size;
}

static bool slot_is_whole(const char *slot)
{
    const char *crc = memmem(slot, SLOT_SIZE, "\ncrc ", 5);
    return memcmp(slot, magic, sizeof magic - 1) == 0 && crc &&
           crc + sizeof "\ncrc 01234567" <= slot + SLOT_SIZE &&
           strtoul(crc + 5, NULL, 16) == weir_crc32c(0, slot, (size_t)(crc + 1 - slot));
}

static bool slot_read(char slot[SLOT_SIZE + 1], uint64_t *ret_generation, weir_csv_note *ret)
{
    char *at = slot + sizeof magic - 1;
    uint64_t tail = 0, format = 0, begun = 0;
    weir_csv_note n = {0};
    if (!slot_is_whole(slot) || !number_take(&at, "generation", 10, ret_generation) ||
        !number_take(&at, "seq", 10, &n.seq) || !number_take(&at, "offset", 10, &n.offset) ||
        !number_take(&at, "tail_from", 10, &n.tail_from) || !number_take(&at, "tail", 16, &tail) ||
        !number_take(&at, "format", 16, &format) || !number_take(&at, "device", 10, &n.device) ||
        !number_take(&at, "inode", 10, &n.inode) || !number_take(&at, "begun", 10, &begun) ||
        !text_take(&at, "store", n.store, sizeof n.store) ||
        !text_take(&at, "sink", n.sink, sizeof n.sink) ||
        !text_take(&at, "file", n.file, sizeof n.file))
        return false;
    n.tail = (uint32_t)tail;
    n.format = (uint32_t)format;
    n.begun_us = (int64_t)begun;
    *ret = n;
    return true;
}

/* --- the file ----------------------------------------------------------------------------- */

/* Not one of flock(2): those are another kind of lock on some network file systems. */
static bool lock_take(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static weir_csv_opened notes_load(weir_csv_notes *notes, weir_csv_note *ret)
{
    char slots[SLOTS * SLOT_SIZE + 1] = "";
    const ssize_t n = pread(notes->fd, slots, sizeof slots - 1, 0);
    bool found = false;
    if (n < 0)
        return WEIR_CSV_FAILED;
    if (n == 0)
        return WEIR_CSV_OPENED_NEW;
    for (int i = 0; i < SLOTS; i++) {
        char slot[SLOT_SIZE + 1] = "";
        uint64_t generation = 0;
        weir_csv_note note;
        memcpy(slot, slots + i * SLOT_SIZE, SLOT_SIZE);
        if (!slot_read(slot, &generation, &note) || (found && generation < notes->generation))
            continue;
        notes->generation = generation;
        *ret = note;
        found = true;
    }
    if (found)
        return WEIR_CSV_OPENED;
    /* The first of them may have been cut short by a crash. */
    return n < SLOTS * SLOT_SIZE || memmem(slots, (size_t)n, magic, sizeof magic - 2)
               ? WEIR_CSV_OPENED_DAMAGED
               : WEIR_CSV_FOREIGN;
}

static weir_csv_opened notes_check(weir_csv_notes *notes, weir_csv_note *ret)
{
    struct stat st;
    if (fstat(notes->fd, &st) != 0)
        return WEIR_CSV_FAILED;
    if (!S_ISREG(st.st_mode) || st.st_size > SLOTS * SLOT_SIZE)
        return WEIR_CSV_FOREIGN;
    if (!lock_take(notes->fd))
        return errno == EAGAIN || errno == EACCES ? WEIR_CSV_LOCKED : WEIR_CSV_FAILED;
    return notes_load(notes, ret);
}

weir_csv_opened weir_csv_notes_open(weir_csv_notes *notes, const char *path, weir_csv_note *ret)
{
    (void)snprintf(notes->path, sizeof notes->path, "%s", path);
    notes->generation = 0;
    notes->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (notes->fd < 0)
        return errno == EISDIR ? WEIR_CSV_FOREIGN : WEIR_CSV_FAILED;
    const weir_csv_opened opened = notes_check(notes, ret);
    if (opened >= WEIR_CSV_LOCKED) {
        const int code = errno;
        weir_csv_notes_close(notes);
        errno = code;
    }
    return opened;
}

void weir_csv_notes_close(weir_csv_notes *notes)
{
    if (notes->fd >= 0)
        (void)close(notes->fd);
    notes->fd = -1;
}

bool weir_csv_notes_hold(const weir_csv_notes *notes)
{
    struct stat open_one, named;
    return notes->fd >= 0 && fstat(notes->fd, &open_one) == 0 && stat(notes->path, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

bool weir_csv_notes_save(weir_csv_notes *notes, const weir_csv_note *note)
{
    char slot[SLOT_SIZE];
    const uint64_t generation = notes->generation + 1;
    if (!slot_write(note, generation, slot)) {
        errno = ENAMETOOLONG;
        return false;
    }
    const ssize_t n = pwrite(notes->fd, slot, sizeof slot, (off_t)(generation % SLOTS) * SLOT_SIZE);
    if (n != SLOT_SIZE) {
        errno = n < 0 ? errno : ENOSPC;
        return false;
    }
    if (fdatasync(notes->fd) != 0)
        return false;
    notes->generation = generation;
    return true;
}

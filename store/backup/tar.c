/* SPDX-License-Identifier: MIT */
/* The container of a backup: plain POSIX tar (ustar), headers only. */

/*
 * Not a library's: libarchive writes a member front to back and needs its size first, so a database
 * would have to be copied twice. Here SQLite writes into the archive itself (member.c). And of all
 * that tar can say, a restore must believe very little.
 */

#include "store/backup/tar.h"

#include <stdio.h>
#include <string.h>

/* IEEE Std 1003.1-2017, pax, "ustar Interchange Format": offset and size of each field. */
enum {
    NAME_AT = 0,
    NAME_SIZE = 100,
    MODE_AT = 100,
    UID_AT = 108,
    GID_AT = 116,
    ID_SIZE = 8,
    SIZE_AT = 124,
    MTIME_AT = 136,
    NUMBER_SIZE = 12,
    CHECKSUM_AT = 148,
    CHECKSUM_SIZE = 8,
    TYPE_AT = 156,
    MAGIC_AT = 257,
    MAGIC_SIZE = 5, /* "ustar"; what follows differs between POSIX and GNU */
    PREFIX_AT = 345,
};

static const uint64_t octal_max = 077777777777; /* 11 digits: 8 GiB - 1 */

static bool part_safe(const char *part, size_t n)
{
    return n > 0 && !(n == 1 && part[0] == '.') && !(n == 2 && !memcmp(part, "..", 2));
}

bool weir_tar_name_safe(const char *name)
{
    if (strlen(name) > WEIR_TAR_NAME_MAX)
        return false;
    for (const char *p = name; *p; p++)
        if (*p < 0x20 || *p > 0x7e || *p == '\\')
            return false;
    for (;;) {
        const size_t n = strcspn(name, "/");
        if (!part_safe(name, n))
            return false;
        if (!name[n])
            return true;
        name += n + 1;
    }
}

/* --- writing ------------------------------------------------------------------------------ */

static void octal_write(uint8_t *field, size_t size, uint64_t n)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%0*llo", (int)size - 1, (unsigned long long)n);
    memcpy(field, digits, size);
}

static void size_write(uint8_t *field, uint64_t n)
{
    if (n <= octal_max) {
        octal_write(field, NUMBER_SIZE, n);
        return;
    }
    field[0] = 0x80;
    for (size_t i = NUMBER_SIZE; i-- > NUMBER_SIZE - 8; n >>= 8)
        field[i] = (uint8_t)n;
}

/* The sum of all bytes, its own field taken as blanks. */
static uint32_t header_sum(const uint8_t *block)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < WEIR_TAR_BLOCK; i++)
        sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_SIZE ? ' ' : block[i];
    return sum;
}

void weir_tar_write(const char *name, uint64_t size, int64_t mtime, uint8_t ret[WEIR_TAR_BLOCK])
{
    memset(ret, 0, WEIR_TAR_BLOCK);
    memcpy(ret + NAME_AT, name, strnlen(name, WEIR_TAR_NAME_MAX));
    octal_write(ret + MODE_AT, ID_SIZE, 0600); /* a configuration may hold passwords */
    octal_write(ret + UID_AT, ID_SIZE, 0);
    octal_write(ret + GID_AT, ID_SIZE, 0);
    size_write(ret + SIZE_AT, size);
    octal_write(ret + MTIME_AT, NUMBER_SIZE, mtime > 0 ? (uint64_t)mtime & octal_max : 0);
    ret[TYPE_AT] = '0';
    memcpy(ret + MAGIC_AT, "ustar\00000", 8);
    octal_write(ret + CHECKSUM_AT, CHECKSUM_SIZE - 1, header_sum(ret));
    ret[CHECKSUM_AT + CHECKSUM_SIZE - 1] = ' ';
}

/* --- reading ------------------------------------------------------------------------------ */

/* Octal digits, blanks or zeros around them; or base 256. */
static bool number_read(const uint8_t *field, size_t size, uint64_t *ret)
{
    uint64_t n = 0;
    size_t i = 0;
    if (field[0] == 0x80) {
        for (i = 1; i < size; i++) {
            if (n >> 55) /* keeps it below 2^63 */
                return false;
            n = n << 8 | field[i];
        }
        *ret = n;
        return true;
    }
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        n = n << 3 | (uint64_t)(field[i] - '0');
    for (; i < size; i++)
        if (field[i] != ' ' && field[i] != '\0')
            return false;
    *ret = n;
    return true;
}

static bool block_is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < WEIR_TAR_BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

static weir_err kind_read(uint8_t type, weir_tar_kind *ret, weir_error *error)
{
    switch (type) {
    case '0':
    case '\0':
        *ret = WEIR_TAR_FILE;
        return WEIR_OK;
    case '5':
        *ret = WEIR_TAR_FOLDER;
        return WEIR_OK;
    case '1':
    case '2':
    case '3':
    case '4':
    case '6':
        return weir_fail(error, WEIR_EPERM,
                         "the archive holds a link or a device: no backup has these, and none is "
                         "made");
    default:
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "the archive was packed by another program, with extensions that are not "
                         "read: pack it with tar --format=ustar");
    }
}

/* "./" in front and "/" at the end are another tar's habit. */
static weir_err name_read(const uint8_t *block, weir_tar_header *h, weir_error *error)
{
    char name[NAME_SIZE + 1] = "";
    memcpy(name, block + NAME_AT, NAME_SIZE);
    const char *start = name;
    while (start[0] == '.' && start[1] == '/')
        start += 2;
    size_t n = strlen(start);
    while (h->kind == WEIR_TAR_FOLDER && n > 0 && start[n - 1] == '/')
        n--;
    name[(size_t)(start - name) + n] = '\0';
    if (h->kind == WEIR_TAR_FOLDER && n == 0)
        start = "folder"; /* "./" itself */
    if (block[PREFIX_AT] || !weir_tar_name_safe(start)) {
        for (char *p = name; *p; p++) /* for the terminal */
            *p = *p < 0x20 || *p > 0x7e ? '?' : *p;
        return weir_fail(error, WEIR_EPERM,
                         "the archive has a name that no backup has: '%s'. Nothing is unpacked",
                         start);
    }
    (void)snprintf(h->name, sizeof h->name, "%s", start);
    return WEIR_OK;
}

weir_err weir_tar_read(const uint8_t block[WEIR_TAR_BLOCK], weir_tar_header *ret, weir_error *error)
{
    weir_tar_header h = {.kind = WEIR_TAR_END};
    uint64_t sum;
    if (block_is_zero(block)) {
        *ret = h;
        return WEIR_OK;
    }
    if (memcmp(block + MAGIC_AT, "ustar", MAGIC_SIZE) != 0 ||
        !number_read(block + CHECKSUM_AT, CHECKSUM_SIZE, &sum) || sum != header_sum(block) ||
        !number_read(block + SIZE_AT, NUMBER_SIZE, &h.size))
        return weir_fail(error, WEIR_EDAMAGED, "not a tar archive, or damaged");
    weir_err err = kind_read(block[TYPE_AT], &h.kind, error);
    if (!err)
        err = name_read(block, &h, error);
    if (err)
        return err;
    if (h.kind == WEIR_TAR_FOLDER)
        h.size = 0;
    *ret = h;
    return WEIR_OK;
}

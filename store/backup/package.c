/* SPDX-License-Identifier: MIT */
/* A backup's file, opened for reading: its members, compared with its list of contents. */

#include "store/backup/package.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "store/file/schema.h"

struct weir_package_entry {
    weir_tar_header header;
    int64_t at; /* of the content */
};

static weir_err package_cut(const weir_package *a, weir_error *error)
{
    return weir_fail(error, WEIR_EDAMAGED, "%s is cut short: copy it again, or use an older backup",
                     a->path);
}

static weir_err package_add(weir_package *a, const weir_tar_header *header, int64_t at,
                            weir_error *error)
{
    for (size_t i = 0; i < a->n_entries; i++)
        if (!strcmp(a->entries[i].header.name, header->name))
            return weir_fail(error, WEIR_EDAMAGED, "%s holds '%s' twice: it is no backup of weir",
                             a->path, header->name);
    if (a->n_entries == WEIR_MANIFEST_MEMBERS_MAX)
        return weir_fail(error, WEIR_EDAMAGED, "%s holds too many files: it is no backup of weir",
                         a->path);
    a->entries[a->n_entries++] = (struct weir_package_entry){*header, at};
    return WEIR_OK;
}

static weir_err package_walk(weir_package *a, weir_error *error)
{
    uint64_t at = 0;
    for (;;) {
        uint8_t block[WEIR_TAR_BLOCK];
        weir_tar_header header;
        if (a->size - at < sizeof block)
            return package_cut(a, error);
        weir_err err = weir_transfer_read(a->fd, a->path, block, sizeof block, (int64_t)at, error);
        if (!err && (err = weir_tar_read(block, &header, error)))
            (void)weir_fail_prefix(error, "%s: ", a->path);
        if (err || header.kind == WEIR_TAR_END)
            return err;
        at += sizeof block;
        if (header.size > a->size - at || weir_tar_padded(header.size) > a->size - at)
            return package_cut(a, error);
        if (header.kind == WEIR_TAR_FILE)
            err = package_add(a, &header, (int64_t)at, error);
        if (err)
            return err;
        at += weir_tar_padded(header.size);
    }
}

static const struct weir_package_entry *package_find(const weir_package *a, const char *name)
{
    for (size_t i = 0; i < a->n_entries; i++)
        if (!strcmp(a->entries[i].header.name, name))
            return &a->entries[i];
    return NULL;
}

static weir_err list_sum_check(const weir_package *a, const char *text, size_t n, weir_error *error)
{
    const struct weir_package_entry *entry = package_find(a, WEIR_MANIFEST_CHECK);
    char wanted[10], found[9];
    (void)snprintf(wanted, sizeof wanted, "%08x\n", weir_crc32c(0, text, n));
    if (!entry || entry->header.size != sizeof found)
        return weir_fail(error, WEIR_EDAMAGED, "%s: " WEIR_MANIFEST_CHECK " is missing", a->path);
    weir_err err = weir_transfer_read(a->fd, a->path, found, sizeof found, entry->at, error);
    if (!err && memcmp(found, wanted, sizeof found) != 0)
        err = weir_fail(error, WEIR_EDAMAGED, "%s: the list of contents is damaged", a->path);
    return err;
}

static weir_err list_read(weir_package *a, weir_error *error)
{
    const struct weir_package_entry *entry = package_find(a, WEIR_MANIFEST_NAME);
    if (!entry || entry->header.size > WEIR_MANIFEST_SIZE_MAX)
        return weir_fail(
            error, WEIR_EDAMAGED,
            "%s is a tar archive, but no backup of weir: it has no usable " WEIR_MANIFEST_NAME,
            a->path);
    const size_t n = (size_t)entry->header.size;
    char *text = weir_arena_alloc(a->arena, n + 1, 1);
    if (!text)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read %s", a->path);
    weir_err err = weir_transfer_read(a->fd, a->path, text, n, entry->at, error);
    if (!err)
        err = list_sum_check(a, text, n, error);
    return err ? err : weir_manifest_parse(text, n, a->arena, &a->manifest, error);
}

/* The list and what is there must agree, both ways. */
static weir_err list_compare(weir_package *a, weir_error *error)
{
    const weir_manifest *m = &a->manifest;
    a->at = weir_arena_alloc(a->arena, m->n_members, sizeof *a->at);
    if (!a->at)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read %s", a->path);
    for (size_t i = 0; i < m->n_members; i++) {
        const struct weir_package_entry *entry = package_find(a, m->members[i].name);
        if (!entry || entry->header.size != m->members[i].size)
            return weir_fail(error, WEIR_EDAMAGED, "%s is damaged: '%s' is missing or not whole",
                             a->path, m->members[i].name);
        a->at[i] = entry->at;
    }
    if (a->n_entries != m->n_members + 2)
        return weir_fail(error, WEIR_EDAMAGED,
                         "%s holds files that are not in its list of contents: it is not as weir "
                         "made it",
                         a->path);
    if (m->schema > SCHEMA_VERSION)
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "%s was made by a newer weir (%s, store version %lld; this one knows %d): "
                         "use that version",
                         a->path, m->version, (long long)m->schema, SCHEMA_VERSION);
    return WEIR_OK;
}

weir_err weir_package_open(weir_package *a, const char *path, weir_arena *arena, weir_error *error)
{
    struct stat st;
    *a = (weir_package){.path = path, .arena = arena};
    /* A FIFO would keep it waiting for a writer. */
    a->fd = strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (a->fd < 0 && strcmp(path, "-") != 0)
        return weir_transfer_fail(error, "read", path);
    if (a->fd < 0 || fstat(a->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return weir_fail(error, WEIR_EINVAL,
                         "%s is not a file: a backup is checked before it is restored, so it is "
                         "read twice; save it to a file first",
                         path);
    a->size = (uint64_t)st.st_size;
    a->entries = weir_arena_alloc(arena, WEIR_MANIFEST_MEMBERS_MAX, sizeof *a->entries);
    if (!a->entries)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read %s", path);
    weir_err err = package_walk(a, error);
    if (!err)
        err = list_read(a, error);
    return err ? err : list_compare(a, error);
}

void weir_package_close(weir_package *a)
{
    if (a->fd >= 0)
        (void)close(a->fd);
}

weir_err weir_package_take(const weir_package *a, size_t i, weir_transfer *t, int to_fd,
                           const char *to_path, weir_error *error)
{
    const weir_manifest_member *m = &a->manifest.members[i];
    uint32_t crc;
    weir_err err =
        weir_transfer_crc(t, a->fd, a->path, a->at[i], m->size, to_fd, to_path, &crc, error);
    if (!err && crc != m->crc)
        err = weir_fail(error, WEIR_EDAMAGED,
                        "%s is damaged: the checksum of '%s' is wrong. Copy it again, or use an "
                        "older backup",
                        a->path, m->name);
    return err;
}

uint64_t weir_package_total(const weir_package *a)
{
    uint64_t total = 0;
    for (size_t i = 0; i < a->manifest.n_members; i++)
        total += a->manifest.members[i].size;
    return total;
}

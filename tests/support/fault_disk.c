/* SPDX-License-Identifier: MIT */
/* A disk in memory with a page cache: what was synced survives a power cut, the rest by chance. */

#include "support/fault_disk.h"

#include <stdlib.h>
#include <string.h>

/* What a sector held when its file was last synced. */
struct old_sector {
    uint32_t number;
    bool lost; /* a sync failed with it: clean for the kernel, not on the disk */
    bool cut;  /* truncated away, and not written since */
    uint8_t bytes[DISK_SECTOR];
};

struct disk_inode {
    unsigned refs;
    uint8_t *bytes; /* zeros behind size */
    int64_t size, synced_size;
    size_t n_sectors; /* of bytes and old_of */
    uint32_t *old_of; /* by sector: 1 + index in old; 0: clean */
    struct old_sector *old;
    size_t n_old, old_capacity;
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

/* --- inodes ------------------------------------------------------------------------------- */

static int64_t blocks(int64_t size)
{
    return (size + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
}

static void inode_set_size(disk *d, disk_inode *inode, int64_t size)
{
    d->used += blocks(size) - blocks(inode->size);
    inode->size = size;
}

static void inode_reserve(disk_inode *inode, int64_t size)
{
    const size_t need = ((size_t)size + DISK_SECTOR - 1) / DISK_SECTOR;
    if (need <= inode->n_sectors)
        return;
    const size_t n = need > 2 * inode->n_sectors ? need : 2 * inode->n_sectors;
    const size_t was = inode->n_sectors;
    inode->bytes = must(realloc(inode->bytes, n * DISK_SECTOR));
    inode->old_of = must(realloc(inode->old_of, n * sizeof *inode->old_of));
    memset(inode->bytes + was * DISK_SECTOR, 0, (n - was) * DISK_SECTOR);
    memset(inode->old_of + was, 0, (n - was) * sizeof *inode->old_of);
    inode->n_sectors = n;
}

disk_inode *disk_ref(disk_inode *inode)
{
    inode->refs++;
    return inode;
}

void disk_unref(disk *d, disk_inode *inode)
{
    if (!inode || --inode->refs > 0)
        return;
    d->used -= blocks(inode->size);
    free(inode->bytes);
    free(inode->old_of);
    free(inode->old);
    free(inode);
}

int64_t disk_size(const disk_inode *inode)
{
    return inode->size;
}

size_t disk_unsynced(const disk_inode *inode)
{
    return inode->n_old;
}

/* Remembers what the sector held, once for each sync. */
static struct old_sector *sector_touch(disk_inode *inode, size_t sector)
{
    if (inode->old_of[sector] == 0) {
        if (inode->n_old == inode->old_capacity) {
            inode->old_capacity = inode->old_capacity ? 2 * inode->old_capacity : 64;
            inode->old = must(realloc(inode->old, inode->old_capacity * sizeof *inode->old));
        }
        struct old_sector *fresh = &inode->old[inode->n_old++];
        *fresh = (struct old_sector){.number = (uint32_t)sector};
        memcpy(fresh->bytes, inode->bytes + sector * DISK_SECTOR, DISK_SECTOR);
        inode->old_of[sector] = (uint32_t)inode->n_old;
    }
    struct old_sector *old = &inode->old[inode->old_of[sector] - 1];
    old->lost = false;
    return old;
}

size_t disk_read(const disk_inode *inode, void *to, size_t n, int64_t at)
{
    size_t have = 0;
    if (at < inode->size) {
        have = (size_t)(inode->size - at);
        have = have < n ? have : n;
        memcpy(to, inode->bytes + at, have);
    }
    memset((uint8_t *)to + have, 0, n - have);
    return have;
}

size_t disk_write(disk *d, disk_inode *inode, const void *bytes, size_t n, int64_t at)
{
    const int64_t room = d->capacity ? d->capacity - d->used : INT64_MAX / 4;
    const int64_t limit = blocks(inode->size) + (room > 0 ? room / DISK_BLOCK * DISK_BLOCK : 0);
    if (at >= limit)
        return 0;
    if ((int64_t)n > limit - at)
        n = (size_t)(limit - at);
    if (n == 0)
        return 0;
    inode_reserve(inode, at + (int64_t)n);
    for (size_t s = (size_t)at / DISK_SECTOR; s <= ((size_t)at + n - 1) / DISK_SECTOR; s++)
        sector_touch(inode, s)->cut = false;
    memcpy(inode->bytes + at, bytes, n);
    if (at + (int64_t)n > inode->size)
        inode_set_size(d, inode, at + (int64_t)n);
    return n;
}

void disk_truncate(disk *d, disk_inode *inode, int64_t size)
{
    if (size < inode->size) {
        const size_t first = (size_t)size / DISK_SECTOR;
        for (size_t s = first; s * DISK_SECTOR < (size_t)inode->size; s++)
            sector_touch(inode, s)->cut = true;
        memset(inode->bytes + size, 0, (size_t)(inode->size - size));
    }
    inode_reserve(inode, size);
    inode_set_size(d, inode, size);
}

void disk_sync(disk_inode *inode)
{
    size_t kept = 0;
    for (size_t i = 0; i < inode->n_old; i++) {
        struct old_sector *old = &inode->old[i];
        if (old->lost) {
            if (kept != i)
                inode->old[kept] = *old;
            inode->old_of[old->number] = (uint32_t)++kept;
        } else {
            inode->old_of[old->number] = 0;
        }
    }
    inode->n_old = kept;
    inode->synced_size = inode->size;
}

void disk_sync_failed(disk_inode *inode)
{
    for (size_t i = 0; i < inode->n_old; i++)
        inode->old[i].lost = true;
}

void disk_flip(disk_inode *inode, int64_t bit)
{
    const size_t at = (size_t)bit / 8;
    const uint8_t mask = (uint8_t)(1u << bit % 8);
    inode->bytes[at] ^= mask;
    if (inode->old_of[at / DISK_SECTOR])
        inode->old[inode->old_of[at / DISK_SECTOR] - 1].bytes[at % DISK_SECTOR] ^= mask;
}

/* One sector at a power cut. is_size_kept: the file has its new size. */
static void sector_settle(disk_inode *inode, const struct old_sector *old, bool is_size_kept,
                          weir_random *random)
{
    uint8_t *now = inode->bytes + (size_t)old->number * DISK_SECTOR;
    /* A truncation is one change of the size, and not of its sectors. */
    const uint64_t fate = old->cut    ? is_size_kept ? 0 : 1
                          : old->lost ? 1
                                      : weir_random_below(random, 3);
    if (fate == 0)
        return;
    const size_t kept = fate == 1 ? 0 : weir_random_below(random, DISK_SECTOR);
    memcpy(now + kept, old->bytes + kept, DISK_SECTOR - kept);
}

static void inode_power_cut(disk *d, disk_inode *inode, weir_random *random)
{
    const bool is_size_kept =
        inode->size == inode->synced_size || weir_random_below(random, 2) == 0;
    for (size_t i = 0; i < inode->n_old; i++) {
        sector_settle(inode, &inode->old[i], is_size_kept, random);
        inode->old_of[inode->old[i].number] = 0;
    }
    inode->n_old = 0;
    if (!is_size_kept)
        inode_set_size(d, inode, inode->synced_size);
    inode->synced_size = inode->size;
    if ((size_t)inode->size < inode->n_sectors * DISK_SECTOR)
        memset(inode->bytes + inode->size, 0, inode->n_sectors * DISK_SECTOR - (size_t)inode->size);
}

/* --- names -------------------------------------------------------------------------------- */

static disk_entry *entry_find(const disk *d, const char *name)
{
    for (disk_entry *e = d->entries; e; e = e->next)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

disk_inode *disk_find(const disk *d, const char *name)
{
    const disk_entry *e = entry_find(d, name);
    return e ? e->now : NULL;
}

disk_inode *disk_create(disk *d, const char *name)
{
    disk_inode *inode = must(calloc(1, sizeof *inode));
    if (!*name)
        return disk_ref(inode);
    disk_entry *e = entry_find(d, name);
    if (!e) {
        const size_t size = strlen(name) + 1;
        e = must(calloc(1, sizeof *e + size));
        memcpy(e->name, name, size);
        e->next = d->entries;
        d->entries = e;
    }
    disk_unref(d, e->now);
    e->now = disk_ref(inode);
    return inode;
}

static void entries_sweep(disk *d)
{
    for (disk_entry **at = &d->entries; *at;) {
        disk_entry *e = *at;
        if (e->now || e->synced) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        free(e);
    }
}

bool disk_remove(disk *d, const char *name)
{
    disk_entry *e = entry_find(d, name);
    if (!e || !e->now)
        return false;
    disk_unref(d, e->now);
    e->now = NULL;
    entries_sweep(d);
    return true;
}

static void entry_settle(disk *d, disk_entry *e, bool is_kept)
{
    disk_inode *stays = is_kept ? e->now : e->synced;
    if (e->now == e->synced)
        return;
    disk_unref(d, is_kept ? e->synced : e->now);
    e->now = e->synced = stays;
    if (stays)
        (void)disk_ref(stays); /* two fields now hold it, one reference came along */
}

void disk_sync_directory(disk *d, const char *name)
{
    const char *slash = strrchr(name, '/');
    const size_t n = slash ? (size_t)(slash - name) + 1 : 0;
    for (disk_entry *e = d->entries; e; e = e->next)
        if (strncmp(e->name, name, n) == 0 && !strchr(e->name + n, '/'))
            entry_settle(d, e, true);
    entries_sweep(d);
}

void disk_power_cut(disk *d, weir_random *random)
{
    for (disk_entry *e = d->entries; e; e = e->next) {
        if (e->now != e->synced)
            entry_settle(d, e, weir_random_below(random, 2) == 0);
        if (e->now)
            inode_power_cut(d, e->now, random);
    }
    entries_sweep(d);
}

void disk_deinit(disk *d)
{
    for (disk_entry *e = d->entries; e; e = e->next) {
        disk_unref(d, e->now);
        disk_unref(d, e->synced);
        e->now = e->synced = NULL;
    }
    entries_sweep(d);
}

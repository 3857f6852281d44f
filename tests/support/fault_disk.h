/* SPDX-License-Identifier: MIT */
/* A disk in memory with a page cache: what was synced survives a power cut, the rest by chance. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

/*
 * The model, after what Linux and ext4 promise and no more:
 *
 * Contents. Each 512-byte sector written since the last sync of its file is, at a power cut,
 * independently kept, dropped, or torn: its first bytes new, the rest old. Bytes that were not
 * written never change (SQLite's "powersafe overwrite").
 * Sizes. A size changed since the last sync is kept or dropped as a whole. What lies between the
 * size and the sectors that made it reads as zeros.
 * Names. A file made or removed since the last sync of its directory is there or not, each by
 * itself. The contents of a file whose removal is undone are those of its last sync.
 * A failed sync marks the sectors clean though they are not on the disk, as Linux does: the next
 * sync does not write them, the next power cut drops them, unless they were written anew.
 *
 * Memory that is short ends the program: this is a test.
 */
typedef struct disk_inode disk_inode;

typedef struct disk_entry {
    struct disk_entry *next;
    disk_inode *now;    /* what the name is; NULL: nothing */
    disk_inode *synced; /* what it is after a power cut, if the directory's change is dropped */
    char name[];
} disk_entry;

typedef struct disk {
    disk_entry *entries;
    int64_t capacity; /* bytes; 0: without end */
    int64_t used;     /* in blocks of 4096, removed files that are open included */
} disk;

enum { DISK_SECTOR = 512, DISK_BLOCK = 4096 };

void disk_deinit(disk *d);

disk_inode *disk_find(const disk *d, const char *name);
disk_inode *disk_create(disk *d, const char *name); /* "" is a file without a name */
bool disk_remove(disk *d, const char *name);

/* The directory of name and all changes in it survive from now on. */
void disk_sync_directory(disk *d, const char *name);

/* A file lives while a name or a reference holds it. */
disk_inode *disk_ref(disk_inode *inode);
void disk_unref(disk *d, disk_inode *inode);

int64_t disk_size(const disk_inode *inode);
/* How much was read; the rest of `to` is zeroed. */
size_t disk_read(const disk_inode *inode, void *to, size_t n, int64_t at);
/* How much found room. */
size_t disk_write(disk *d, disk_inode *inode, const void *bytes, size_t n, int64_t at);
void disk_truncate(disk *d, disk_inode *inode, int64_t size);
void disk_sync(disk_inode *inode);
void disk_sync_failed(disk_inode *inode);
size_t disk_unsynced(const disk_inode *inode); /* sectors */

/* To bytes on the medium itself, as damage is done: not to be undone by a power cut. */
void disk_flip(disk_inode *inode, int64_t bit);

/* Leaves what survives, all of it synced. */
void disk_power_cut(disk *d, weir_random *random);

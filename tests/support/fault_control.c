/* SPDX-License-Identifier: MIT */
/* What a test does to the disk of a fault_vfs from outside: errors, sizes, damage, ends. */

#include <string.h>

#include "support/fault_priv.h"

void fault_vfs_fail(fault_vfs *vfs, fault_rule rule)
{
    fault_lock(vfs);
    size_t i = 0;
    while (i < FAULT_RULES_MAX && vfs->rules[i].is_on)
        i++;
    if (i == FAULT_RULES_MAX)
        abort();
    vfs->rules[i] = (struct rule){rule, rule.nth, true};
    (void)fault_unlock(vfs, 0);
}

void fault_vfs_heal(fault_vfs *vfs)
{
    fault_lock(vfs);
    memset(vfs->rules, 0, sizeof vfs->rules);
    vfs->read_only = false;
    vfs->sync_us = 0;
    (void)fault_unlock(vfs, 0);
}

uint64_t fault_vfs_hits(fault_vfs *vfs)
{
    fault_lock(vfs);
    const uint64_t hits = vfs->hits;
    (void)fault_unlock(vfs, 0);
    return hits;
}

uint64_t fault_vfs_count(fault_vfs *vfs, unsigned ops)
{
    uint64_t n = 0;
    fault_lock(vfs);
    for (unsigned i = 0; i < sizeof vfs->counts / sizeof *vfs->counts; i++)
        n += ops >> i & 1 ? vfs->counts[i] : 0;
    (void)fault_unlock(vfs, 0);
    return n;
}

void fault_vfs_set_capacity(fault_vfs *vfs, int64_t bytes)
{
    fault_lock(vfs);
    vfs->disk.capacity = bytes;
    (void)fault_unlock(vfs, 0);
}

int64_t fault_vfs_used(fault_vfs *vfs)
{
    fault_lock(vfs);
    const int64_t used = vfs->disk.used;
    (void)fault_unlock(vfs, 0);
    return used;
}

int64_t fault_vfs_free_bytes(fault_vfs *vfs)
{
    fault_lock(vfs);
    const int64_t capacity = vfs->disk.capacity, left = capacity - vfs->disk.used;
    (void)fault_unlock(vfs, 0);
    return capacity == 0 ? INT64_MAX : left > 0 ? left : 0;
}

void fault_vfs_set_sync_time(fault_vfs *vfs, int64_t us)
{
    fault_lock(vfs);
    vfs->sync_us = us;
    (void)fault_unlock(vfs, 0);
}

void fault_vfs_ignore_syncs(fault_vfs *vfs, bool ignore)
{
    fault_lock(vfs);
    vfs->ignores_syncs = ignore;
    (void)fault_unlock(vfs, 0);
}

void fault_vfs_set_read_only(fault_vfs *vfs, bool read_only)
{
    fault_lock(vfs);
    vfs->read_only = read_only;
    (void)fault_unlock(vfs, 0);
}

int64_t fault_vfs_size(fault_vfs *vfs, const char *path)
{
    fault_lock(vfs);
    const disk_inode *inode = disk_find(&vfs->disk, path);
    const int64_t size = inode ? disk_size(inode) : -1;
    (void)fault_unlock(vfs, 0);
    return size;
}

bool fault_vfs_remove(fault_vfs *vfs, const char *path)
{
    fault_lock(vfs);
    const bool was_there = disk_remove(&vfs->disk, path);
    disk_sync_directory(&vfs->disk, path);
    (void)fault_unlock(vfs, 0);
    return was_there;
}

bool fault_vfs_flip(fault_vfs *vfs, const char *path, int64_t bit)
{
    fault_lock(vfs);
    disk_inode *inode = disk_find(&vfs->disk, path);
    const bool can = inode && bit >= 0 && bit / 8 < disk_size(inode);
    if (can)
        disk_flip(inode, bit);
    (void)fault_unlock(vfs, 0);
    return can;
}

bool fault_vfs_truncate(fault_vfs *vfs, const char *path, int64_t size)
{
    fault_lock(vfs);
    disk_inode *inode = disk_find(&vfs->disk, path);
    if (inode) {
        disk_truncate(&vfs->disk, inode, size);
        disk_sync(inode);
    }
    (void)fault_unlock(vfs, 0);
    return inode != NULL;
}

void fault_vfs_put(fault_vfs *vfs, const char *path, const void *bytes, size_t n)
{
    fault_lock(vfs);
    disk_inode *inode = disk_find(&vfs->disk, path);
    if (!inode)
        inode = disk_create(&vfs->disk, path);
    disk_truncate(&vfs->disk, inode, 0);
    if (disk_write(&vfs->disk, inode, bytes, n, 0) < n)
        abort(); /* a test puts what has room */
    disk_sync(inode);
    disk_sync_directory(&vfs->disk, path);
    (void)fault_unlock(vfs, 0);
}

size_t fault_vfs_get(fault_vfs *vfs, const char *path, void *to, size_t n, int64_t at)
{
    fault_lock(vfs);
    const disk_inode *inode = disk_find(&vfs->disk, path);
    const size_t got = inode ? disk_read(inode, to, n, at) : 0;
    (void)fault_unlock(vfs, 0);
    return got;
}

/* Every handle belongs to a life that is over. Their locks go with them. */
static void end_life(fault_vfs *v)
{
    v->life++;
    v->n_dead = v->n_open;
    v->stopped = false;
    v->stop_left = 0;
    for (struct node *node = v->nodes; node; node = node->next)
        node->shm = NULL; /* its handles keep theirs until they are closed */
}

void fault_vfs_kill(fault_vfs *vfs)
{
    fault_lock(vfs);
    end_life(vfs);
    (void)fault_unlock(vfs, 0);
}

void fault_vfs_power_cut(fault_vfs *vfs, uint64_t seed)
{
    weir_random random = {seed};
    fault_lock(vfs);
    end_life(vfs);
    disk_power_cut(&vfs->disk, &random);
    (void)fault_unlock(vfs, 0);
}

void fault_vfs_stop_after(fault_vfs *vfs, uint64_t n)
{
    fault_lock(vfs);
    vfs->stop_left = n + 1;
    (void)fault_unlock(vfs, 0);
}

bool fault_vfs_stopped(fault_vfs *vfs)
{
    fault_lock(vfs);
    const bool stopped = vfs->stopped;
    (void)fault_unlock(vfs, 0);
    return stopped;
}

uint64_t fault_vfs_hash(fault_vfs *vfs)
{
    fault_lock(vfs);
    const uint64_t hash = vfs->hash;
    (void)fault_unlock(vfs, 0);
    return hash;
}

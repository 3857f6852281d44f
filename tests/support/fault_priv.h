/* SPDX-License-Identifier: MIT */
/* The inside of fault_vfs.h, shared by the file system, the open files and the outside. */

#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "support/fault_disk.h"
#include "support/fault_vfs.h"

enum { PATH_BYTES = 512, REGIONS_MAX = 64 };

/* The WAL's memory: alive while a handle has it. */
struct shm {
    unsigned refs;
    int n_regions;
    void *regions[REGIONS_MAX];
    unsigned shared[SQLITE_SHM_NLOCK]; /* holders */
    struct fault_file *exclusive[SQLITE_SHM_NLOCK];
};

/* Locks of one file that is open. */
struct node {
    struct node *next;
    disk_inode *inode;
    unsigned refs, shared;
    struct fault_file *writer; /* holds RESERVED, PENDING or EXCLUSIVE */
    struct shm *shm;
};

struct fault_file {
    sqlite3_file base;
    fault_vfs *vfs;
    struct node *node;
    uint64_t life; /* of the machine when it was opened; another one: dead */
    int lock;
    bool is_new_journal; /* its first sync syncs the directory */
    bool is_temporary;
    struct shm *shm;
    unsigned shm_shared, shm_exclusive; /* masks of locks held */
    char name[PATH_BYTES];
};

struct rule {
    fault_rule rule;
    uint64_t left;
    bool is_on;
};

struct fault_vfs {
    sqlite3_vfs base;
    fault_vfs_options options;
    pthread_mutex_t mutex;
    disk disk;
    struct node *nodes;
    weir_random random;
    int64_t clock_us; /* without a clock from outside */
    struct rule rules[FAULT_RULES_MAX];
    uint64_t hits, counts[8];
    int64_t sync_us;
    bool read_only, ignores_syncs;
    uint64_t life;
    size_t n_dead; /* handles of earlier lives that are still open */
    size_t n_open;
    uint64_t stop_left; /* 0: off */
    bool stopped;
    int last_errno;
    uint64_t hash;
};

extern const sqlite3_io_methods fault_file_methods;

/*
 * Before every operation: counted, and refused when it is to be. The lock is held. f is NULL for an
 * operation on a name. *ret_short: half of a write is to be made all the same.
 */
int fault_op_begin(fault_vfs *v, const struct fault_file *f, unsigned op, const char *name,
                   bool *ret_short);
int fault_fail_with(fault_vfs *v, int code);
int fault_refuse_read_only(fault_vfs *v, int code);

/* For fault_vfs_hash. */
void fault_hash_add(fault_vfs *v, uint64_t x);
void fault_hash_bytes(fault_vfs *v, const void *bytes, size_t n);

static inline void *fault_must(void *p)
{
    if (!p)
        abort();
    return p;
}

static inline void fault_lock(fault_vfs *v)
{
    (void)pthread_mutex_lock(&v->mutex);
}

static inline int fault_unlock(fault_vfs *v, int rc)
{
    (void)pthread_mutex_unlock(&v->mutex);
    return rc;
}

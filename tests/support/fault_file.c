/* SPDX-License-Identifier: MIT */
/* The open files of a fault_vfs: contents, locks, the WAL's memory; all of which can fail. */

#include <errno.h>
#include <string.h>

#include "support/fault_priv.h"

static struct fault_file *file_of(sqlite3_file *base)
{
    return (struct fault_file *)(void *)base;
}

/* --- faults ------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *suffix)
{
    const size_t n = strlen(name), m = strlen(suffix);
    return n >= m && strcmp(name + n - m, suffix) == 0;
}

static int code_for(unsigned op)
{
    switch (op) {
    case FAULT_READ:
        return SQLITE_IOERR_READ;
    case FAULT_WRITE:
        return SQLITE_IOERR_WRITE;
    case FAULT_SYNC:
        return SQLITE_IOERR_FSYNC;
    case FAULT_TRUNCATE:
        return SQLITE_IOERR_TRUNCATE;
    case FAULT_OPEN:
        return SQLITE_CANTOPEN;
    case FAULT_DELETE:
        return SQLITE_IOERR_DELETE;
    case FAULT_SHM:
        return SQLITE_IOERR_SHMMAP;
    default:
        return SQLITE_IOERR_LOCK;
    }
}

int fault_fail_with(fault_vfs *v, int code)
{
    const int primary = code & 0xff;
    v->last_errno = primary == SQLITE_FULL ? ENOSPC : primary == SQLITE_READONLY ? EROFS : EIO;
    return code;
}

int fault_refuse_read_only(fault_vfs *v, int code)
{
    v->last_errno = EROFS;
    return code;
}

/* 0, or what the operation fails with by a rule. */
static int fault_check(fault_vfs *v, unsigned op, const char *name, bool *ret_short)
{
    for (size_t i = 0; i < FAULT_RULES_MAX; i++) {
        struct rule *r = &v->rules[i];
        if (!r->is_on || !(r->rule.ops & op) ||
            (r->rule.suffix && !ends_with(name, r->rule.suffix)))
            continue;
        if (r->left > 1) {
            r->left--;
            continue;
        }
        r->is_on = r->rule.persistent;
        v->hits++;
        *ret_short = r->rule.is_short;
        return fault_fail_with(v, r->rule.code ? r->rule.code : code_for(op));
    }
    return SQLITE_OK;
}

/* Before every operation: counted, and refused when it is to be. */
int fault_op_begin(fault_vfs *v, const struct fault_file *f, unsigned op, const char *name,
                   bool *ret_short)
{
    *ret_short = false;
    v->counts[__builtin_ctz(op)]++;
    if (v->stopped || (f ? f->life != v->life : v->n_dead > 0))
        return fault_fail_with(v, op == FAULT_OPEN ? SQLITE_CANTOPEN : SQLITE_IOERR);
    if ((op & FAULT_CHANGES) && v->stop_left > 0 && --v->stop_left == 0) {
        v->stopped = true;
        return fault_fail_with(v, SQLITE_IOERR);
    }
    return fault_check(v, op, name, ret_short);
}

void fault_hash_add(fault_vfs *v, uint64_t x)
{
    v->hash = (v->hash ^ x) * 0x9e3779b97f4a7c15u;
    v->hash ^= v->hash >> 29;
}

void fault_hash_bytes(fault_vfs *v, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (uint64_t word; n >= sizeof word; p += sizeof word, n -= sizeof word) {
        memcpy(&word, p, sizeof word);
        fault_hash_add(v, word);
    }
    while (n-- > 0)
        fault_hash_add(v, *p++);
}

/* --- a file ------------------------------------------------------------------------------- */

static void shm_release(struct fault_file *f)
{
    struct shm *s = f->shm;
    f->shm = NULL;
    if (!s)
        return;
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
        s->shared[i] -= f->shm_shared >> i & 1;
        if (s->exclusive[i] == f)
            s->exclusive[i] = NULL;
    }
    f->shm_shared = f->shm_exclusive = 0;
    if (--s->refs > 0)
        return;
    for (int i = 0; i < s->n_regions; i++)
        free(s->regions[i]);
    if (f->node->shm == s)
        f->node->shm = NULL;
    free(s);
}

static void lock_release(struct fault_file *f, int level)
{
    struct node *node = f->node;
    if (f->lock > SQLITE_LOCK_SHARED && node->writer == f)
        node->writer = NULL;
    if (level == SQLITE_LOCK_NONE && f->lock >= SQLITE_LOCK_SHARED)
        node->shared--;
    f->lock = level;
}

static void node_unref(fault_vfs *v, struct node *node)
{
    if (--node->refs > 0)
        return;
    struct node **at = &v->nodes;
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    disk_unref(&v->disk, node->inode);
    free(node);
}

static int file_close(sqlite3_file *base)
{
    struct fault_file *f = file_of(base);
    fault_vfs *v = f->vfs;
    fault_lock(v);
    shm_release(f);
    lock_release(f, SQLITE_LOCK_NONE);
    v->n_open--;
    if (f->life != v->life)
        v->n_dead--;
    node_unref(v, f->node);
    return fault_unlock(v, SQLITE_OK);
}

static int file_read(sqlite3_file *base, void *to, int n, sqlite3_int64 at)
{
    struct fault_file *f = file_of(base);
    fault_vfs *v = f->vfs;
    bool is_short;
    fault_lock(v);
    int rc = fault_op_begin(v, f, FAULT_READ, f->name, &is_short);
    if (rc == SQLITE_OK && disk_read(f->node->inode, to, (size_t)n, at) < (size_t)n)
        rc = SQLITE_IOERR_SHORT_READ;
    return fault_unlock(v, rc);
}

static int write_locked(struct fault_file *f, const void *bytes, size_t n, int64_t at)
{
    fault_vfs *v = f->vfs;
    bool is_short;
    int rc = fault_op_begin(v, f, FAULT_WRITE, f->name, &is_short);
    if (rc == SQLITE_OK && v->read_only && !f->is_temporary)
        return fault_refuse_read_only(v, SQLITE_IOERR_WRITE);
    if (rc != SQLITE_OK && !is_short)
        return rc;
    n = is_short ? n / 2 : n;
    if (!f->is_temporary) {
        fault_hash_add(v, (uint64_t)at);
        fault_hash_bytes(v, bytes, n);
    }
    if (disk_write(&v->disk, f->node->inode, bytes, n, at) < n && rc == SQLITE_OK)
        rc = fault_fail_with(v, SQLITE_FULL);
    return rc;
}

static int file_write(sqlite3_file *base, const void *bytes, int n, sqlite3_int64 at)
{
    struct fault_file *f = file_of(base);
    fault_lock(f->vfs);
    return fault_unlock(f->vfs, write_locked(f, bytes, (size_t)n, at));
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct fault_file *f = file_of(base);
    fault_vfs *v = f->vfs;
    bool is_short;
    fault_lock(v);
    int rc = fault_op_begin(v, f, FAULT_TRUNCATE, f->name, &is_short);
    if (rc == SQLITE_OK && v->read_only && !f->is_temporary)
        rc = fault_refuse_read_only(v, SQLITE_IOERR_TRUNCATE);
    if (rc == SQLITE_OK) {
        fault_hash_add(v, (uint64_t)size);
        disk_truncate(&v->disk, f->node->inode, size);
    }
    return fault_unlock(v, rc);
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct fault_file *f = file_of(base);
    fault_vfs *v = f->vfs;
    bool is_short;
    (void)flags;
    fault_lock(v);
    const int64_t sync_us = v->sync_us;
    int rc = fault_op_begin(v, f, FAULT_SYNC, f->name, &is_short);
    if (rc != SQLITE_OK && f->life == v->life && !v->stopped)
        disk_sync_failed(f->node->inode);
    if (rc == SQLITE_OK && !v->ignores_syncs) {
        fault_hash_add(v, 0xf5);
        disk_sync(f->node->inode);
        if (f->is_new_journal)
            disk_sync_directory(&v->disk, f->name);
        f->is_new_journal = false;
    }
    (void)fault_unlock(v, rc);
    if (sync_us > 0)
        v->options.sleep(v->options.data, sync_us);
    return rc;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret)
{
    struct fault_file *f = file_of(base);
    fault_lock(f->vfs);
    *ret = disk_size(f->node->inode);
    return fault_unlock(f->vfs, f->life == f->vfs->life && !f->vfs->stopped ? SQLITE_OK
                                                                            : SQLITE_IOERR_FSTAT);
}

/* SHARED beside others; one writer; EXCLUSIVE only alone. PENDING keeps new readers out. */
static int lock_take(struct fault_file *f, int level)
{
    struct node *node = f->node;
    const bool is_mine = node->writer == f;
    if (node->writer && !is_mine &&
        (level > SQLITE_LOCK_SHARED || node->writer->lock >= SQLITE_LOCK_PENDING))
        return SQLITE_BUSY;
    if (f->lock == SQLITE_LOCK_NONE)
        node->shared++;
    if (level > SQLITE_LOCK_SHARED)
        node->writer = f;
    f->lock = level;
    if (level == SQLITE_LOCK_EXCLUSIVE && node->shared > 1) {
        f->lock = SQLITE_LOCK_PENDING;
        return SQLITE_BUSY;
    }
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
    struct fault_file *f = file_of(base);
    bool is_short;
    fault_lock(f->vfs);
    int rc =
        f->lock >= level ? SQLITE_OK : fault_op_begin(f->vfs, f, FAULT_LOCK, f->name, &is_short);
    if (rc == SQLITE_OK && f->lock < level)
        rc = lock_take(f, level);
    return fault_unlock(f->vfs, rc);
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct fault_file *f = file_of(base);
    fault_lock(f->vfs);
    if (f->lock > level)
        lock_release(f, level);
    return fault_unlock(f->vfs, SQLITE_OK);
}

static int file_reserved(sqlite3_file *base, int *ret)
{
    struct fault_file *f = file_of(base);
    fault_lock(f->vfs);
    *ret = f->node->writer != NULL;
    return fault_unlock(f->vfs, SQLITE_OK);
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
    struct fault_file *f = file_of(base);
    fault_vfs *v = f->vfs;
    int rc = SQLITE_OK;
    fault_lock(v);
    if (op == SQLITE_FCNTL_HAS_MOVED)
        *(int *)arg = !f->is_temporary && disk_find(&v->disk, f->name) != f->node->inode;
    else if (op == SQLITE_FCNTL_LAST_ERRNO)
        *(int *)arg = v->last_errno;
    else if (op == SQLITE_FCNTL_LOCKSTATE)
        *(int *)arg = f->lock;
    else
        rc = SQLITE_NOTFOUND;
    return fault_unlock(v, rc);
}

static int file_sector(sqlite3_file *base)
{
    (void)base;
    return DISK_BLOCK;
}

static int file_traits(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shm_map_locked(struct fault_file *f, int region, int size, int extend,
                          void volatile **ret)
{
    bool is_short;
    *ret = NULL;
    int rc = fault_op_begin(f->vfs, f, FAULT_SHM, f->name, &is_short);
    if (rc != SQLITE_OK)
        return rc;
    if (!f->shm) {
        if (!f->node->shm)
            f->node->shm = fault_must(calloc(1, sizeof *f->node->shm));
        f->shm = f->node->shm;
        f->shm->refs++;
    }
    if (region >= REGIONS_MAX)
        return fault_fail_with(f->vfs, SQLITE_IOERR_SHMSIZE);
    while (extend && f->shm->n_regions <= region)
        f->shm->regions[f->shm->n_regions++] = fault_must(calloc(1, (size_t)size));
    if (region < f->shm->n_regions)
        *ret = f->shm->regions[region];
    return SQLITE_OK;
}

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret)
{
    struct fault_file *f = file_of(base);
    fault_lock(f->vfs);
    return fault_unlock(f->vfs, shm_map_locked(f, region, size, extend, ret));
}

static void shm_unlock_slot(struct fault_file *f, int i)
{
    f->shm->shared[i] -= f->shm_shared >> i & 1;
    if (f->shm->exclusive[i] == f)
        f->shm->exclusive[i] = NULL;
    f->shm_shared &= ~(1u << i);
    f->shm_exclusive &= ~(1u << i);
}

static bool shm_slot_is_free(const struct fault_file *f, int i, bool is_exclusive)
{
    const unsigned others = f->shm->shared[i] - (f->shm_shared >> i & 1);
    return !(f->shm->exclusive[i] && f->shm->exclusive[i] != f) && !(is_exclusive && others > 0);
}

static int shm_lock_locked(struct fault_file *f, int offset, int n, int flags)
{
    const bool is_exclusive = flags & SQLITE_SHM_EXCLUSIVE;
    bool is_short;
    if (flags & SQLITE_SHM_UNLOCK) {
        for (int i = offset; f->shm && i < offset + n; i++)
            shm_unlock_slot(f, i);
        return SQLITE_OK;
    }
    int rc = fault_op_begin(f->vfs, f, FAULT_SHM, f->name, &is_short);
    if (rc != SQLITE_OK)
        return rc == SQLITE_IOERR_SHMMAP ? SQLITE_IOERR_SHMLOCK : rc;
    for (int i = offset; i < offset + n; i++)
        if (!shm_slot_is_free(f, i, is_exclusive))
            return SQLITE_BUSY;
    for (int i = offset; i < offset + n; i++) {
        if (is_exclusive) {
            f->shm->exclusive[i] = f;
            f->shm_exclusive |= 1u << i;
        } else if (!(f->shm_shared >> i & 1)) {
            f->shm->shared[i]++;
            f->shm_shared |= 1u << i;
        }
    }
    return SQLITE_OK;
}

static int file_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
    struct fault_file *f = file_of(base);
    fault_lock(f->vfs);
    return fault_unlock(f->vfs, shm_lock_locked(f, offset, n, flags));
}

static void file_shm_barrier(sqlite3_file *base)
{
    struct fault_file *f = file_of(base);
    fault_lock(f->vfs);
    (void)fault_unlock(f->vfs, 0);
}

static int file_shm_unmap(sqlite3_file *base, int delete)
{
    struct fault_file *f = file_of(base);
    (void)delete;
    fault_lock(f->vfs);
    shm_release(f);
    return fault_unlock(f->vfs, SQLITE_OK);
}

const sqlite3_io_methods fault_file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

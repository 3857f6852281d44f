/* SPDX-License-Identifier: MIT */
/* An SQLite VFS that keeps all files in memory and fails on demand: errors, full disks, power cuts.
 */

#include "support/fault_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "support/fault_disk.h"

enum { PATH_BYTES = 512, REGIONS_MAX = 64 };

/* Where the built-in clock starts: 2023-11-14T22:13:20Z. */
static const int64_t clock_start_us = 1700000000000000;
static const int64_t julian_1970_ms = 210866760000000; /* sqlite3.h: xCurrentTimeInt64 */

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

static fault_vfs *vfs_of(sqlite3_vfs *base)
{
    return (fault_vfs *)(void *)base;
}

static struct fault_file *file_of(sqlite3_file *base)
{
    return (struct fault_file *)(void *)base;
}

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static void lock(fault_vfs *v)
{
    (void)pthread_mutex_lock(&v->mutex);
}

static int unlock(fault_vfs *v, int rc)
{
    (void)pthread_mutex_unlock(&v->mutex);
    return rc;
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

static int fail_with(fault_vfs *v, int code)
{
    const int primary = code & 0xff;
    v->last_errno = primary == SQLITE_FULL ? ENOSPC : primary == SQLITE_READONLY ? EROFS : EIO;
    return code;
}

static int refuse_read_only(fault_vfs *v, int code)
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
        return fail_with(v, r->rule.code ? r->rule.code : code_for(op));
    }
    return SQLITE_OK;
}

/* Before every operation: counted, and refused when it is to be. */
static int op_begin(fault_vfs *v, const struct fault_file *f, unsigned op, const char *name,
                    bool *ret_short)
{
    *ret_short = false;
    v->counts[__builtin_ctz(op)]++;
    if (v->stopped || (f ? f->life != v->life : v->n_dead > 0))
        return fail_with(v, op == FAULT_OPEN ? SQLITE_CANTOPEN : SQLITE_IOERR);
    if ((op & FAULT_CHANGES) && v->stop_left > 0 && --v->stop_left == 0) {
        v->stopped = true;
        return fail_with(v, SQLITE_IOERR);
    }
    return fault_check(v, op, name, ret_short);
}

static void hash_add(fault_vfs *v, uint64_t x)
{
    v->hash = (v->hash ^ x) * 0x9e3779b97f4a7c15u;
    v->hash ^= v->hash >> 29;
}

static void hash_bytes(fault_vfs *v, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (uint64_t word; n >= sizeof word; p += sizeof word, n -= sizeof word) {
        memcpy(&word, p, sizeof word);
        hash_add(v, word);
    }
    while (n-- > 0)
        hash_add(v, *p++);
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
    lock(v);
    shm_release(f);
    lock_release(f, SQLITE_LOCK_NONE);
    v->n_open--;
    if (f->life != v->life)
        v->n_dead--;
    node_unref(v, f->node);
    return unlock(v, SQLITE_OK);
}

static int file_read(sqlite3_file *base, void *to, int n, sqlite3_int64 at)
{
    struct fault_file *f = file_of(base);
    fault_vfs *v = f->vfs;
    bool is_short;
    lock(v);
    int rc = op_begin(v, f, FAULT_READ, f->name, &is_short);
    if (rc == SQLITE_OK && disk_read(f->node->inode, to, (size_t)n, at) < (size_t)n)
        rc = SQLITE_IOERR_SHORT_READ;
    return unlock(v, rc);
}

static int write_locked(struct fault_file *f, const void *bytes, size_t n, int64_t at)
{
    fault_vfs *v = f->vfs;
    bool is_short;
    int rc = op_begin(v, f, FAULT_WRITE, f->name, &is_short);
    if (rc == SQLITE_OK && v->read_only && !f->is_temporary)
        return refuse_read_only(v, SQLITE_IOERR_WRITE);
    if (rc != SQLITE_OK && !is_short)
        return rc;
    n = is_short ? n / 2 : n;
    if (!f->is_temporary) {
        hash_add(v, (uint64_t)at);
        hash_bytes(v, bytes, n);
    }
    if (disk_write(&v->disk, f->node->inode, bytes, n, at) < n && rc == SQLITE_OK)
        rc = fail_with(v, SQLITE_FULL);
    return rc;
}

static int file_write(sqlite3_file *base, const void *bytes, int n, sqlite3_int64 at)
{
    struct fault_file *f = file_of(base);
    lock(f->vfs);
    return unlock(f->vfs, write_locked(f, bytes, (size_t)n, at));
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct fault_file *f = file_of(base);
    fault_vfs *v = f->vfs;
    bool is_short;
    lock(v);
    int rc = op_begin(v, f, FAULT_TRUNCATE, f->name, &is_short);
    if (rc == SQLITE_OK && v->read_only && !f->is_temporary)
        rc = refuse_read_only(v, SQLITE_IOERR_TRUNCATE);
    if (rc == SQLITE_OK) {
        hash_add(v, (uint64_t)size);
        disk_truncate(&v->disk, f->node->inode, size);
    }
    return unlock(v, rc);
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct fault_file *f = file_of(base);
    fault_vfs *v = f->vfs;
    bool is_short;
    (void)flags;
    lock(v);
    const int64_t sync_us = v->sync_us;
    int rc = op_begin(v, f, FAULT_SYNC, f->name, &is_short);
    if (rc != SQLITE_OK && f->life == v->life && !v->stopped)
        disk_sync_failed(f->node->inode);
    if (rc == SQLITE_OK && !v->ignores_syncs) {
        hash_add(v, 0xf5);
        disk_sync(f->node->inode);
        if (f->is_new_journal)
            disk_sync_directory(&v->disk, f->name);
        f->is_new_journal = false;
    }
    (void)unlock(v, rc);
    if (sync_us > 0)
        v->options.sleep(v->options.data, sync_us);
    return rc;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret)
{
    struct fault_file *f = file_of(base);
    lock(f->vfs);
    *ret = disk_size(f->node->inode);
    return unlock(f->vfs,
                  f->life == f->vfs->life && !f->vfs->stopped ? SQLITE_OK : SQLITE_IOERR_FSTAT);
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
    lock(f->vfs);
    int rc = f->lock >= level ? SQLITE_OK : op_begin(f->vfs, f, FAULT_LOCK, f->name, &is_short);
    if (rc == SQLITE_OK && f->lock < level)
        rc = lock_take(f, level);
    return unlock(f->vfs, rc);
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct fault_file *f = file_of(base);
    lock(f->vfs);
    if (f->lock > level)
        lock_release(f, level);
    return unlock(f->vfs, SQLITE_OK);
}

static int file_reserved(sqlite3_file *base, int *ret)
{
    struct fault_file *f = file_of(base);
    lock(f->vfs);
    *ret = f->node->writer != NULL;
    return unlock(f->vfs, SQLITE_OK);
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
    struct fault_file *f = file_of(base);
    fault_vfs *v = f->vfs;
    int rc = SQLITE_OK;
    lock(v);
    if (op == SQLITE_FCNTL_HAS_MOVED)
        *(int *)arg = !f->is_temporary && disk_find(&v->disk, f->name) != f->node->inode;
    else if (op == SQLITE_FCNTL_LAST_ERRNO)
        *(int *)arg = v->last_errno;
    else if (op == SQLITE_FCNTL_LOCKSTATE)
        *(int *)arg = f->lock;
    else
        rc = SQLITE_NOTFOUND;
    return unlock(v, rc);
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
    int rc = op_begin(f->vfs, f, FAULT_SHM, f->name, &is_short);
    if (rc != SQLITE_OK)
        return rc;
    if (!f->shm) {
        if (!f->node->shm)
            f->node->shm = must(calloc(1, sizeof *f->node->shm));
        f->shm = f->node->shm;
        f->shm->refs++;
    }
    if (region >= REGIONS_MAX)
        return fail_with(f->vfs, SQLITE_IOERR_SHMSIZE);
    while (extend && f->shm->n_regions <= region)
        f->shm->regions[f->shm->n_regions++] = must(calloc(1, (size_t)size));
    if (region < f->shm->n_regions)
        *ret = f->shm->regions[region];
    return SQLITE_OK;
}

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret)
{
    struct fault_file *f = file_of(base);
    lock(f->vfs);
    return unlock(f->vfs, shm_map_locked(f, region, size, extend, ret));
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
    int rc = op_begin(f->vfs, f, FAULT_SHM, f->name, &is_short);
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
    lock(f->vfs);
    return unlock(f->vfs, shm_lock_locked(f, offset, n, flags));
}

static void file_shm_barrier(sqlite3_file *base)
{
    struct fault_file *f = file_of(base);
    lock(f->vfs);
    (void)unlock(f->vfs, 0);
}

static int file_shm_unmap(sqlite3_file *base, int delete)
{
    struct fault_file *f = file_of(base);
    (void)delete;
    lock(f->vfs);
    shm_release(f);
    return unlock(f->vfs, SQLITE_OK);
}

static const sqlite3_io_methods file_methods = {
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

/* --- the file system ---------------------------------------------------------------------- */

static struct node *node_get(fault_vfs *v, disk_inode *inode)
{
    struct node *node = v->nodes;
    while (node && node->inode != inode)
        node = node->next;
    if (!node) {
        node = must(calloc(1, sizeof *node));
        node->inode = disk_ref(inode);
        node->next = v->nodes;
        v->nodes = node;
    }
    node->refs++;
    return node;
}

/* The inode behind name, made when it may be; NULL with *ret_rc. */
static disk_inode *inode_open(fault_vfs *v, const char *name, int *flags, bool *ret_created,
                              int *ret_rc)
{
    disk_inode *inode = name ? disk_find(&v->disk, name) : NULL;
    *ret_created = !inode;
    *ret_rc = SQLITE_CANTOPEN;
    if (!inode && name && (!(*flags & SQLITE_OPEN_CREATE) || v->read_only)) {
        v->last_errno = v->read_only ? EROFS : ENOENT;
        return NULL;
    }
    if (v->read_only && name && (*flags & SQLITE_OPEN_READWRITE))
        *flags = (*flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    *ret_rc = SQLITE_OK;
    return inode ? inode : disk_create(&v->disk, name ? name : "");
}

static int open_locked(fault_vfs *v, const char *name, struct fault_file *f, int flags)
{
    bool is_short, is_created;
    int rc = op_begin(v, NULL, FAULT_OPEN, name ? name : "", &is_short);
    if (rc != SQLITE_OK)
        return rc;
    disk_inode *inode = inode_open(v, name, &flags, &is_created, &rc);
    if (!inode)
        return rc;
    *f = (struct fault_file){.base.pMethods = &file_methods, .vfs = v, .life = v->life};
    f->node = node_get(v, inode);
    f->is_temporary = !name;
    f->is_new_journal =
        is_created &&
        (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL | SQLITE_OPEN_SUPER_JOURNAL));
    if (name)
        (void)snprintf(f->name, sizeof f->name, "%s", name);
    else
        disk_unref(&v->disk, inode); /* the node's reference holds it */
    v->n_open++;
    return SQLITE_OK;
}

static int vfs_open(sqlite3_vfs *base, const char *name, sqlite3_file *file, int flags, int *ret)
{
    fault_vfs *v = vfs_of(base);
    file->pMethods = NULL;
    lock(v);
    const bool read_only = v->read_only && name;
    int rc = open_locked(v, name, file_of(file), flags);
    if (rc == SQLITE_OK && ret)
        *ret = read_only
                   ? (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY
                   : flags;
    return unlock(v, rc);
}

static int vfs_delete(sqlite3_vfs *base, const char *name, int sync_directory)
{
    fault_vfs *v = vfs_of(base);
    bool is_short;
    lock(v);
    int rc = op_begin(v, NULL, FAULT_DELETE, name, &is_short);
    if (rc == SQLITE_OK && v->read_only)
        rc = refuse_read_only(v, SQLITE_IOERR_DELETE);
    if (rc == SQLITE_OK && !disk_remove(&v->disk, name))
        rc = SQLITE_IOERR_DELETE_NOENT;
    if (rc == SQLITE_OK) {
        hash_add(v, 0xde);
        if (sync_directory)
            disk_sync_directory(&v->disk, name);
    }
    return unlock(v, rc);
}

/* As SQLite's own for Unix: an empty file does not count as existing. */
static int vfs_access(sqlite3_vfs *base, const char *name, int flags, int *ret)
{
    fault_vfs *v = vfs_of(base);
    lock(v);
    const disk_inode *inode = disk_find(&v->disk, name);
    if (flags == SQLITE_ACCESS_EXISTS)
        *ret = inode && disk_size(inode) > 0;
    else
        *ret = inode && !(flags == SQLITE_ACCESS_READWRITE && v->read_only);
    return unlock(v, v->stopped || v->n_dead > 0 ? SQLITE_IOERR_ACCESS : SQLITE_OK);
}

static int vfs_full_path(sqlite3_vfs *base, const char *name, int n, char *ret)
{
    (void)base;
    const int length = snprintf(ret, (size_t)n, "%s%s", name[0] == '/' ? "" : "/", name);
    return length < n && length < PATH_BYTES ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *base, int n, char *ret)
{
    fault_vfs *v = vfs_of(base);
    lock(v);
    for (int i = 0; i < n; i++)
        ret[i] = (char)weir_random_u64(&v->random);
    return unlock(v, n);
}

static int vfs_sleep(sqlite3_vfs *base, int us)
{
    fault_vfs *v = vfs_of(base);
    v->options.sleep(v->options.data, us);
    return us;
}

static int vfs_time(sqlite3_vfs *base, sqlite3_int64 *ret)
{
    fault_vfs *v = vfs_of(base);
    *ret = julian_1970_ms + v->options.wall_us(v->options.data) / 1000;
    return SQLITE_OK;
}

static int vfs_time_days(sqlite3_vfs *base, double *ret)
{
    sqlite3_int64 ms;
    int rc = vfs_time(base, &ms);
    *ret = (double)ms / 86400000.0;
    return rc;
}

static int vfs_last_error(sqlite3_vfs *base, int n, char *ret)
{
    (void)n, (void)ret;
    return vfs_of(base)->last_errno;
}

/* --- life --------------------------------------------------------------------------------- */

static int64_t own_clock(void *data)
{
    return ((fault_vfs *)data)->clock_us;
}

static void own_sleep(void *data, int64_t us)
{
    ((fault_vfs *)data)->clock_us += us;
}

fault_vfs *fault_vfs_new(const fault_vfs_options *options)
{
    fault_vfs *v = must(calloc(1, sizeof *v));
    v->options = *options;
    v->random.state = options->seed;
    v->clock_us = clock_start_us;
    if (!options->wall_us || !options->sleep) {
        v->options.data = v;
        v->options.wall_us = own_clock;
        v->options.sleep = own_sleep;
    }
    (void)pthread_mutex_init(&v->mutex, NULL);
    v->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct fault_file),
        .mxPathname = PATH_BYTES - 1,
        .zName = options->name,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time_days,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time,
    };
    if (sqlite3_vfs_register(&v->base, 0) != SQLITE_OK)
        abort();
    return v;
}

void fault_vfs_make_default(fault_vfs *vfs)
{
    (void)sqlite3_vfs_register(&vfs->base, 1);
    sqlite3_randomness(0, NULL); /* forget: the next number is seeded anew */
}

void fault_vfs_free(fault_vfs *vfs)
{
    if (!vfs)
        return;
    if (vfs->n_open > 0)
        abort(); /* a connection is still open: its methods would be called on freed memory */
    const bool was_default = sqlite3_vfs_find(NULL) == &vfs->base;
    (void)sqlite3_vfs_unregister(&vfs->base);
    if (was_default) {
        (void)sqlite3_vfs_register(sqlite3_vfs_find("unix"), 1);
        sqlite3_randomness(0, NULL);
    }
    disk_deinit(&vfs->disk);
    (void)pthread_mutex_destroy(&vfs->mutex);
    free(vfs);
}

/* --- what the tests do -------------------------------------------------------------------- */

void fault_vfs_fail(fault_vfs *vfs, fault_rule rule)
{
    lock(vfs);
    size_t i = 0;
    while (i < FAULT_RULES_MAX && vfs->rules[i].is_on)
        i++;
    if (i == FAULT_RULES_MAX)
        abort();
    vfs->rules[i] = (struct rule){rule, rule.nth, true};
    (void)unlock(vfs, 0);
}

void fault_vfs_heal(fault_vfs *vfs)
{
    lock(vfs);
    memset(vfs->rules, 0, sizeof vfs->rules);
    vfs->read_only = false;
    vfs->sync_us = 0;
    (void)unlock(vfs, 0);
}

uint64_t fault_vfs_hits(fault_vfs *vfs)
{
    lock(vfs);
    const uint64_t hits = vfs->hits;
    (void)unlock(vfs, 0);
    return hits;
}

uint64_t fault_vfs_count(fault_vfs *vfs, unsigned ops)
{
    uint64_t n = 0;
    lock(vfs);
    for (unsigned i = 0; i < sizeof vfs->counts / sizeof *vfs->counts; i++)
        n += ops >> i & 1 ? vfs->counts[i] : 0;
    (void)unlock(vfs, 0);
    return n;
}

void fault_vfs_set_capacity(fault_vfs *vfs, int64_t bytes)
{
    lock(vfs);
    vfs->disk.capacity = bytes;
    (void)unlock(vfs, 0);
}

int64_t fault_vfs_used(fault_vfs *vfs)
{
    lock(vfs);
    const int64_t used = vfs->disk.used;
    (void)unlock(vfs, 0);
    return used;
}

int64_t fault_vfs_free_bytes(fault_vfs *vfs)
{
    lock(vfs);
    const int64_t capacity = vfs->disk.capacity, left = capacity - vfs->disk.used;
    (void)unlock(vfs, 0);
    return capacity == 0 ? INT64_MAX : left > 0 ? left : 0;
}

void fault_vfs_set_sync_time(fault_vfs *vfs, int64_t us)
{
    lock(vfs);
    vfs->sync_us = us;
    (void)unlock(vfs, 0);
}

void fault_vfs_ignore_syncs(fault_vfs *vfs, bool ignore)
{
    lock(vfs);
    vfs->ignores_syncs = ignore;
    (void)unlock(vfs, 0);
}

void fault_vfs_set_read_only(fault_vfs *vfs, bool read_only)
{
    lock(vfs);
    vfs->read_only = read_only;
    (void)unlock(vfs, 0);
}

int64_t fault_vfs_size(fault_vfs *vfs, const char *path)
{
    lock(vfs);
    const disk_inode *inode = disk_find(&vfs->disk, path);
    const int64_t size = inode ? disk_size(inode) : -1;
    (void)unlock(vfs, 0);
    return size;
}

bool fault_vfs_remove(fault_vfs *vfs, const char *path)
{
    lock(vfs);
    const bool was_there = disk_remove(&vfs->disk, path);
    disk_sync_directory(&vfs->disk, path);
    (void)unlock(vfs, 0);
    return was_there;
}

bool fault_vfs_flip(fault_vfs *vfs, const char *path, int64_t bit)
{
    lock(vfs);
    disk_inode *inode = disk_find(&vfs->disk, path);
    const bool can = inode && bit >= 0 && bit / 8 < disk_size(inode);
    if (can)
        disk_flip(inode, bit);
    (void)unlock(vfs, 0);
    return can;
}

bool fault_vfs_truncate(fault_vfs *vfs, const char *path, int64_t size)
{
    lock(vfs);
    disk_inode *inode = disk_find(&vfs->disk, path);
    if (inode) {
        disk_truncate(&vfs->disk, inode, size);
        disk_sync(inode);
    }
    (void)unlock(vfs, 0);
    return inode != NULL;
}

void fault_vfs_put(fault_vfs *vfs, const char *path, const void *bytes, size_t n)
{
    lock(vfs);
    disk_inode *inode = disk_find(&vfs->disk, path);
    if (!inode)
        inode = disk_create(&vfs->disk, path);
    disk_truncate(&vfs->disk, inode, 0);
    if (disk_write(&vfs->disk, inode, bytes, n, 0) < n)
        abort(); /* a test puts what has room */
    disk_sync(inode);
    disk_sync_directory(&vfs->disk, path);
    (void)unlock(vfs, 0);
}

size_t fault_vfs_get(fault_vfs *vfs, const char *path, void *to, size_t n, int64_t at)
{
    lock(vfs);
    const disk_inode *inode = disk_find(&vfs->disk, path);
    const size_t got = inode ? disk_read(inode, to, n, at) : 0;
    (void)unlock(vfs, 0);
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
    lock(vfs);
    end_life(vfs);
    (void)unlock(vfs, 0);
}

void fault_vfs_power_cut(fault_vfs *vfs, uint64_t seed)
{
    weir_random random = {seed};
    lock(vfs);
    end_life(vfs);
    disk_power_cut(&vfs->disk, &random);
    (void)unlock(vfs, 0);
}

void fault_vfs_stop_after(fault_vfs *vfs, uint64_t n)
{
    lock(vfs);
    vfs->stop_left = n + 1;
    (void)unlock(vfs, 0);
}

bool fault_vfs_stopped(fault_vfs *vfs)
{
    lock(vfs);
    const bool stopped = vfs->stopped;
    (void)unlock(vfs, 0);
    return stopped;
}

uint64_t fault_vfs_hash(fault_vfs *vfs)
{
    lock(vfs);
    const uint64_t hash = vfs->hash;
    (void)unlock(vfs, 0);
    return hash;
}

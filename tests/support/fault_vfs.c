/* SPDX-License-Identifier: MIT */
/* The file system of a fault_vfs: names, clock and randomness, and its life. */

#include "support/fault_vfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/fault_priv.h"

/* Where the built-in clock starts: 2023-11-14T22:13:20Z. */
static const int64_t clock_start_us = 1700000000000000;
static const int64_t julian_1970_ms = 210866760000000; /* sqlite3.h: xCurrentTimeInt64 */

static fault_vfs *vfs_of(sqlite3_vfs *base)
{
    return (fault_vfs *)(void *)base;
}

static struct fault_file *file_of(sqlite3_file *base)
{
    return (struct fault_file *)(void *)base;
}

/* --- the file system ---------------------------------------------------------------------- */

static struct node *node_get(fault_vfs *v, disk_inode *inode)
{
    struct node *node = v->nodes;
    while (node && node->inode != inode)
        node = node->next;
    if (!node) {
        node = fault_must(calloc(1, sizeof *node));
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
    int rc = fault_op_begin(v, NULL, FAULT_OPEN, name ? name : "", &is_short);
    if (rc != SQLITE_OK)
        return rc;
    disk_inode *inode = inode_open(v, name, &flags, &is_created, &rc);
    if (!inode)
        return rc;
    *f = (struct fault_file){.base.pMethods = &fault_file_methods, .vfs = v, .life = v->life};
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
    fault_lock(v);
    const bool read_only = v->read_only && name;
    int rc = open_locked(v, name, file_of(file), flags);
    if (rc == SQLITE_OK && ret)
        *ret = read_only
                   ? (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY
                   : flags;
    return fault_unlock(v, rc);
}

static int vfs_delete(sqlite3_vfs *base, const char *name, int sync_directory)
{
    fault_vfs *v = vfs_of(base);
    bool is_short;
    fault_lock(v);
    int rc = fault_op_begin(v, NULL, FAULT_DELETE, name, &is_short);
    if (rc == SQLITE_OK && v->read_only)
        rc = fault_refuse_read_only(v, SQLITE_IOERR_DELETE);
    if (rc == SQLITE_OK && !disk_remove(&v->disk, name))
        rc = SQLITE_IOERR_DELETE_NOENT;
    if (rc == SQLITE_OK) {
        fault_hash_add(v, 0xde);
        if (sync_directory)
            disk_sync_directory(&v->disk, name);
    }
    return fault_unlock(v, rc);
}

/* As SQLite's own for Unix: an empty file does not count as existing. */
static int vfs_access(sqlite3_vfs *base, const char *name, int flags, int *ret)
{
    fault_vfs *v = vfs_of(base);
    fault_lock(v);
    const disk_inode *inode = disk_find(&v->disk, name);
    if (flags == SQLITE_ACCESS_EXISTS)
        *ret = inode && disk_size(inode) > 0;
    else
        *ret = inode && !(flags == SQLITE_ACCESS_READWRITE && v->read_only);
    return fault_unlock(v, v->stopped || v->n_dead > 0 ? SQLITE_IOERR_ACCESS : SQLITE_OK);
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
    fault_lock(v);
    for (int i = 0; i < n; i++)
        ret[i] = (char)weir_random_u64(&v->random);
    return fault_unlock(v, n);
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
    fault_vfs *v = fault_must(calloc(1, sizeof *v));
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

/* SPDX-License-Identifier: MIT */
/* A catalog in an SQLite file that belongs to other programs. */

/*
 * The file is opened for reading only, and stays open. PRAGMA data_version tells changed() of a
 * commit; how it is read is told in sqlite_read.c.
 *
 * What fails: the file is gone or another one (the connection is closed, the next call opens it
 * anew); it is locked longer than BUSY_MS; a query fails.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog/sqlite_priv.h"

enum { BUSY_MS = 1500 };

struct file {
    char *path;
    const weir_database_config *config;
    sqlite3 *db; /* NULL: closed */
    dev_t device;
    ino_t inode;
    int64_t version; /* of data, at the last read; 0: never read */
};

static void file_close(struct file *f)
{
    (void)sqlite3_close(f->db);
    f->db = NULL;
    f->version = 0;
}

static weir_err file_stat(const struct file *f, struct stat *ret, weir_error *error)
{
    errno = 0;
    if (stat(f->path, ret) == 0 && S_ISREG(ret->st_mode))
        return WEIR_OK;
    if (errno == 0)
        return weir_fail(error, WEIR_EIO, "%s is no file", f->path);
    return weir_fail(error, errno == ENOENT ? WEIR_ENOTFOUND : WEIR_EIO, "%s cannot be opened: %s",
                     f->path, strerror(errno));
}

/* Opens it, also when another file has the name now. */
static weir_err file_open(struct file *f, weir_error *error)
{
    struct stat st;
    weir_err err = file_stat(f, &st, error);
    if (f->db && (err || st.st_dev != f->device || st.st_ino != f->inode))
        file_close(f);
    if (err || f->db)
        return err;
    const int code =
        sqlite3_open_v2(f->path, &f->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        err = weir_sqlite_fail(f->db, code, f->path, "", error);
        file_close(f);
        return err;
    }
    (void)sqlite3_busy_timeout(f->db, BUSY_MS);
    (void)sqlite3_limit(f->db, SQLITE_LIMIT_LENGTH, WEIR_SQLITE_CELL_MAX);
    /* What stands in somebody's schema shall do nothing but give rows. */
    (void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    (void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    f->device = st.st_dev;
    f->inode = st.st_ino;
    return WEIR_OK;
}

static weir_err sqlite_open(const weir_database_config *config, void **ret, weir_error *error)
{
    struct file *f = weir_alloc_zero(1, sizeof *f);
    const char *path = strchr(config->url, ':');
    if (f && path && path[1])
        f->path = weir_alloc_text(path + 1);
    if (f && f->path) {
        f->config = config;
        *ret = f;
        return WEIR_OK;
    }
    weir_free(f);
    if (path && !path[1])
        return weir_fail(error, WEIR_EINVAL, "url: name the file, such as sqlite:plant.db");
    return weir_fail(error, WEIR_ENOMEM, "out of memory");
}

static weir_err sqlite_read(void *database, weir_rows *ret, weir_error *error)
{
    struct file *f = database;
    weir_err err = file_open(f, error);
    if (err)
        return err;
    /* Of before: what is written from now on is news. */
    const int64_t version = weir_sqlite_data_version(f->db);
    err = weir_sqlite_read(f->db, f->path, f->config->queries, f->config->timeout_us, ret, error);
    if (err)
        file_close(f);
    else
        f->version = version;
    return err;
}

static weir_err sqlite_changed(void *database, bool *ret, weir_error *error)
{
    struct file *f = database;
    const weir_err err = file_open(f, error);
    if (err)
        return err;
    const int64_t version = f->version ? weir_sqlite_data_version(f->db) : 0;
    if (version < 0) {
        /* Locked for long, or no database any more: the next call opens it anew. */
        const int code = sqlite3_errcode(f->db);
        const weir_err why = weir_sqlite_fail(f->db, code, f->path, "data_version", error);
        if (why != WEIR_EINUSE)
            file_close(f);
        return why;
    }
    *ret = !version || version != f->version;
    return WEIR_OK;
}

static void sqlite_close(void *database)
{
    struct file *f = database;
    if (!f)
        return;
    file_close(f);
    weir_free(f->path);
    weir_free(f);
}

const weir_database_type weir_database_sqlite = {
    .abi = WEIR_DATABASE_ABI,
    .scheme = "sqlite",
    .open = sqlite_open,
    .read = sqlite_read,
    .changed = sqlite_changed,
    .close = sqlite_close,
};

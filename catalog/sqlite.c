/* SPDX-License-Identifier: MIT */
/* A catalog in an SQLite file that belongs to other programs. */

/*
 * The file is opened for reading only. A statement that is being stepped holds a lock that keeps
 * writers out, so none is stepped for long: after LOCK_US it is reset, the writers get a turn, and
 * it goes on behind the rows it gave. PRAGMA data_version, before and after, tells whether somebody
 * has written meanwhile; then all is read again, until it was not written to, or the rows were the
 * same twice. The same pragma tells changed() of a commit.
 *
 * What fails: the file is gone or another one (the connection is closed, the next call opens it
 * anew); it is locked longer than BUSY_MS; a query has no first row within a turn; it is no
 * database, or has not the tables.
 */

#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "catalog/database.h"

enum {
    LOCK_US = 15 * 1000,       /* writers are promised 50 ms, also on a machine with much to do */
    LOCK_MAX_US = 30 * 1000,   /* when a statement is interrupted */
    ROWS_LEAST = 200,          /* of a turn, some 0.2 ms of work: it must end some day */
    STEPS_BETWEEN_LOOKS = 500, /* of the virtual machine: some 10 us */
    BUSY_MS = 1500,
    PAUSE_MS = 3,  /* for the writers; they sleep 1 or 2 ms between attempts at first */
    TURNS_MAX = 8, /* without a row: the machine may just be busy */
    READS_MAX = 5, /* when somebody writes all the time */
    CELL_MAX = 1024 * 1024,
};

struct file {
    char *path;
    const weir_layout_query *queries;
    sqlite3 *db; /* NULL: closed */
    dev_t device;
    ino_t inode;
    int64_t version; /* of data, at the last read; 0: never read */
};

static int64_t clock_us(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t);
    return t.tv_sec * WEIR_S + t.tv_nsec / 1000;
}

/* ---- one query ---- */

struct turn {
    bool is_on;
    int64_t worked; /* by this thread until then: on a busy machine the query is not to blame */
    bool over;
};

static int on_progress(void *data)
{
    struct turn *turn = data;
    turn->over = turn->is_on && clock_us(CLOCK_THREAD_CPUTIME_ID) - turn->worked > LOCK_MAX_US;
    return turn->over;
}

static bool rows_name(sqlite3_stmt *stmt, weir_rows *rows)
{
    enum { COLUMNS_MAX = 200 };
    const char *names[COLUMNS_MAX];
    const int n = sqlite3_column_count(stmt);
    if (rows->arena)
        return rows->n_columns == (size_t)n;
    if (n > COLUMNS_MAX)
        return false;
    for (int i = 0; i < n; i++)
        names[i] = sqlite3_column_name(stmt, i);
    return weir_rows_start(rows, (size_t)n, names);
}

static bool row_take(sqlite3_stmt *stmt, weir_rows *rows)
{
    const char **cells = weir_rows_add(rows);
    for (int i = 0; cells && i < (int)rows->n_columns; i++) {
        if (sqlite3_column_type(stmt, i) == SQLITE_NULL)
            continue;
        const char *text = (const char *)sqlite3_column_text(stmt, i);
        cells[i] =
            sqlite3_column_type(stmt, i) == SQLITE_BLOB
                ? weir_cell_unreadable
                : weir_rows_text(rows, text ? text : "", (size_t)sqlite3_column_bytes(stmt, i));
        if (!cells[i])
            return false;
    }
    return cells != NULL;
}

/* Rows until the end (SQLITE_DONE), the end of the turn (SQLITE_ROW) or a failure. The turn is
 * counted from its first row: what is before it was read already, and has a limit of its own. */
static int turn_step(sqlite3_stmt *stmt, weir_rows *rows, struct turn *turn)
{
    int64_t since = 0;
    size_t n = 0;
    int code;
    turn->is_on = true;
    turn->worked = clock_us(CLOCK_THREAD_CPUTIME_ID);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (rows->n == WEIR_ROWS_MAX)
            return SQLITE_TOOBIG;
        if (!row_take(stmt, rows))
            return SQLITE_NOMEM;
        const int64_t now = clock_us(CLOCK_MONOTONIC);
        since = since ? since : now;
        if (++n >= ROWS_LEAST && now - since > LOCK_US)
            return SQLITE_ROW;
    }
    return code;
}

static int query_step(sqlite3 *db, sqlite3_stmt *stmt, weir_rows *rows)
{
    struct turn turn = {0};
    int code, without_row = 0;
    sqlite3_progress_handler(db, STEPS_BETWEEN_LOOKS, on_progress, &turn);
    do {
        const size_t n_before = rows->n;
        (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)n_before);
        code = turn_step(stmt, rows, &turn);
        (void)sqlite3_reset(stmt); /* gives the lock back */
        without_row = rows->n == n_before ? without_row + 1 : 0;
        if (code == SQLITE_INTERRUPT && turn.over && without_row < TURNS_MAX)
            code = SQLITE_ROW;
        if (code == SQLITE_ROW)
            (void)sqlite3_sleep(PAUSE_MS);
    } while (code == SQLITE_ROW);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    return code;
}

static weir_err sqlite_fail(sqlite3 *db, int code, const char *place, const char *table,
                            weir_error *error)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", place);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return weir_fail(error, WEIR_EINUSE, "%s is locked by another program: end its transaction",
                         place);
    case SQLITE_INTERRUPT:
        return weir_fail(error, WEIR_ELIMIT,
                         "%s, %s: no row within %d ms, and the file would be locked so long: an "
                         "index may help",
                         place, table, LOCK_MAX_US / 1000);
    case SQLITE_TOOBIG:
        return weir_fail(error, WEIR_ELIMIT, "%s, %s: more than %d rows, or one cell of 1 MB",
                         place, table, WEIR_ROWS_MAX);
    case SQLITE_NOTADB:
        return weir_fail(error, WEIR_EIO, "%s is no SQLite database", place);
    case SQLITE_CANTOPEN:
        return weir_fail(error, WEIR_EIO, "%s cannot be opened: %s", place, sqlite3_errmsg(db));
    default:
        return weir_fail(error, WEIR_EIO, "%s, %s: %s", place, table, sqlite3_errmsg(db));
    }
}

static weir_err query_read(sqlite3 *db, const char *place, const weir_layout_query *query,
                           weir_rows *ret, weir_error *error)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    sqlite3_stmt *stmt = NULL;
    weir_text_format(&sql, "SELECT * FROM (%s\n) LIMIT -1 OFFSET ?1", query->sql);
    if (sql.failed)
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", place);
    int code = sqlite3_prepare_v2(db, weir_text_get(&sql), -1, &stmt, NULL);
    if (code == SQLITE_OK && (!stmt || !rows_name(stmt, ret)))
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK)
        code = query_step(db, stmt, ret);
    const weir_err err =
        code == SQLITE_DONE ? WEIR_OK : sqlite_fail(db, code, place, query->table, error);
    (void)sqlite3_finalize(stmt);
    return err;
}

/* ---- all of one moment ---- */

/* -1: it cannot be asked. */
static int64_t data_version(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int64_t version = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA data_version", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        version = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return version;
}

static void rows_forget(weir_rows *rows)
{
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES; i++)
        weir_rows_deinit(&rows[i]);
}

weir_err weir_sqlite_read(sqlite3 *db, const char *place, const weir_layout_query *queries,
                          weir_rows *ret, weir_error *error)
{
    uint64_t before = 0;
    for (int i = 0; i < READS_MAX; i++) {
        const int64_t version = data_version(db);
        weir_err err = WEIR_OK;
        uint64_t digest = 0;
        rows_forget(ret);
        for (size_t k = 0; k < WEIR_LAYOUT_QUERIES && err == WEIR_OK; k++) {
            if (queries[k].table)
                err = query_read(db, place, &queries[k], &ret[k], error);
            digest = weir_rows_digest(&ret[k], digest);
        }
        /* The same rows twice: somebody writes all the time, but elsewhere. */
        if (err || (version >= 0 && data_version(db) == version) || (i && digest == before))
            return err;
        before = digest;
    }
    return weir_fail(error, WEIR_EINUSE, "%s is written to all the time", place);
}

/* ---- the file ---- */

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
        err = sqlite_fail(f->db, code, f->path, "", error);
        file_close(f);
        return err;
    }
    (void)sqlite3_busy_timeout(f->db, BUSY_MS);
    (void)sqlite3_limit(f->db, SQLITE_LIMIT_LENGTH, CELL_MAX);
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
        f->queries = config->queries;
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
    if (err == WEIR_OK)
        err = weir_sqlite_read(f->db, f->path, f->queries, ret, error);
    if (err)
        file_close(f);
    else
        f->version = data_version(f->db);
    return err;
}

static weir_err sqlite_changed(void *database, bool *ret, weir_error *error)
{
    struct file *f = database;
    const weir_err err = file_open(f, error);
    if (err)
        return err;
    const int64_t version = f->version ? data_version(f->db) : 0;
    if (version < 0) {
        /* Locked for long, or no database any more: the next call opens it anew. */
        const int code = sqlite3_errcode(f->db);
        const weir_err why = sqlite_fail(f->db, code, f->path, "data_version", error);
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

/* SPDX-License-Identifier: MIT */
/* What becomes of a damaged store: a sound one with all that can be read, and the old in
 * quarantine.
 */

/*
 * The steps, and what a crash behind each leaves: data.db.part is written (it is thrown away by the
 * next start); renamed to data.db.repaired when it is complete and on disk (the next start goes on
 * here); data.db-wal, then data.db move to quarantine/TIME/ (the next start moves what is left:
 * while data.db.repaired is there, data.db is the damaged one); data.db.repaired becomes data.db.
 */

#include "store/repair/repair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/files.h"
#include "store/file/lock.h"
#include "store/file/schema.h"
#include "store/file/tables.h"
#include "store/repair/foreign_wal.h"
#include "store/repair/verify.h"

enum {
    STEP_PAGES = 1024,
    VERSION_MAX = 1000, /* of a schema: a greater one is damage */
};

enum file_name { DATA, WAL, SHM, PART, PART_JOURNAL, REPAIRED, QUARANTINE, FILE_NAMES };

typedef struct paths {
    char at[FILE_NAMES][4200];
} paths;

static void paths_free(paths *p)
{
    weir_free(p);
}

WEIR_DEFINE_CLEANUP(paths, paths_free)

static weir_err paths_make(paths *p, const char *dir, weir_error *error)
{
    static const char *const names[FILE_NAMES] = {
        "data.db",          "data.db-wal", "data.db-shm", "data.db.part", "data.db.part-journal",
        "data.db.repaired", "quarantine"};
    for (int i = 0; i < FILE_NAMES; i++) {
        const int n = snprintf(p->at[i], sizeof p->at[i], "%s/%s", dir, names[i]);
        if (n < 0 || n >= 4096)
            return weir_fail(error, WEIR_EINVAL, "data directory: the path is too long");
    }
    return WEIR_OK;
}

/* --- looking ------------------------------------------------------------------------------ */

/* "unable to get the page. error code=266": the check reports a disk that cannot be read, or memory
 * that is short, as it reports damage. */
static bool finding_is_failure(const char *text)
{
    static const char words[] = "error code=";
    const char *at = strstr(text, words);
    const long code = at ? strtol(at + sizeof words - 1, NULL, 10) & 0xff : 0;
    return code == SQLITE_IOERR || code == SQLITE_NOMEM || strstr(text, "failed to get page");
}

enum { WHOLE_PAGES = 16384 }; /* 64 MB: some 100 ms */

static weir_err structure_check(sqlite3 *db, const char *sql, const char *what, weir_error *error)
{
    char finding[300];
    weir_err err = weir_db_check(db, sql, finding, error);
    if (err == WEIR_OK && *finding)
        err = weir_fail(error, finding_is_failure(finding) ? WEIR_EIO : WEIR_EDAMAGED, "%s: %.200s",
                        what, finding);
    return err;
}

/* How the pages hang together: of a small file all of it; else, and when a failing disk is tried
 * again and again, of what an opening and each commit read. What is in the rows is checked when
 * they are read, or by the store's own look (history/scrub.c). */
static weir_err tables_check(sqlite3 *db, bool whole, char why[300], weir_error *error)
{
    static const char *const names[] = {"meta",    "fresh",  "event", "tag",  "tag_version",
                                        "tag_key", "cursor", "part",  "epoch"};
    int64_t vacuum, pages = 0;
    weir_err err = weir_db_int(db, "PRAGMA auto_vacuum", 0, &vacuum, error);
    if (err == WEIR_OK && vacuum != 2)
        err = weir_fail(error, WEIR_EDAMAGED, "the head of the file is damaged");
    if (err == WEIR_OK)
        err = weir_db_tables_check(db, error);
    if (err == WEIR_OK)
        err = weir_db_int(db, "PRAGMA page_count", 0, &pages, error);
    whole = whole && pages <= WHOLE_PAGES;
    if (err == WEIR_OK && whole)
        err = structure_check(db, "PRAGMA integrity_check(1)", "the file", error);
    for (size_t i = 0; err == WEIR_OK && !whole && i < sizeof names / sizeof *names; i++) {
        char sql[80], what[40];
        (void)snprintf(sql, sizeof sql, "PRAGMA integrity_check('%s')", names[i]);
        (void)snprintf(what, sizeof what, "table %s", names[i]);
        err = structure_check(db, sql, what, error);
    }
    if (err == WEIR_EDAMAGED && error)
        (void)snprintf(why, 300, "%.299s", error->text);
    return err;
}

/* *ret_named: the head says that it is ours, of this or an older version; *ret_database: it is
 * somebody's. */
static weir_err database_look(const char *path, const char *vfs, bool whole, bool *ret_named,
                              bool *ret_database, char why[300], weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    weir_db_content content;
    int64_t version = 0, id;
    *ret_named = *ret_database = false;
    weir_err err = weir_db_open(path, SQLITE_OPEN_READONLY, vfs, &db, error);
    if (err == WEIR_OK)
        err = weir_db_identify(db, path, &content, error);
    if (err == WEIR_EDAMAGED)
        *ret_database = weir_db_int(db, "PRAGMA application_id", 0, &id, NULL) == WEIR_OK;
    const bool known = err == WEIR_OK || err == WEIR_EUNSUPPORTED;
    weir_err read = known ? weir_db_int(db, "PRAGMA user_version", 0, &version, error) : WEIR_OK;
    if (read != WEIR_OK)
        return read;
    if (err == WEIR_EUNSUPPORTED && (version < 0 || version > VERSION_MAX))
        err = weir_fail(error, WEIR_EDAMAGED, "the head of the file is damaged");
    if (err == WEIR_OK && content == WEIR_DB_EMPTY)
        return WEIR_OK;
    *ret_named = err == WEIR_OK;
    /* An older version has fewer tables; opening it will bring them. */
    if (err == WEIR_OK && version == SCHEMA_VERSION)
        err = tables_check(db, whole, why, error);
    else if (err == WEIR_OK && version < 1)
        err = weir_fail(error, WEIR_EDAMAGED, "the head of the file is damaged");
    return err;
}

static bool file_is_ours(const paths *p, const char *vfs)
{
    WEIR_CLEANUP(weir_pages_close) weir_pages *pages = NULL;
    return weir_pages_open(p->at[DATA], p->at[WAL], vfs, &pages, NULL) == WEIR_OK &&
           weir_salvage_is_ours(pages);
}

/* The first finding, and whether all of them are failures of the disk. */
struct verdict {
    char *why;
    bool damaged, failure;
};

static void on_finding(void *data, const char *text)
{
    struct verdict *v = data;
    if (finding_is_failure(text)) {
        v->failure = true;
        return;
    }
    if (!v->damaged)
        (void)snprintf(v->why, 300, "%.299s", text);
    v->damaged = true;
}

static weir_err store_verify(const char *data_dir, const char *vfs, bool *ret_damaged,
                             char why[300], weir_error *error)
{
    struct verdict v = {.why = why};
    weir_verify_counts counts;
    weir_error local = WEIR_ERROR_INIT;
    weir_err err = weir_store_verify(data_dir, vfs, on_finding, &v, &counts, &local);
    /* Beside a page that could not be read, others look lost. */
    if (err != WEIR_OK && (err != WEIR_EDAMAGED || v.failure))
        return weir_fail(error, err == WEIR_EDAMAGED ? WEIR_EIO : err, "%s", local.text);
    *ret_damaged = err == WEIR_EDAMAGED;
    if (*ret_damaged && !v.damaged)
        (void)snprintf(why, 300, "%.299s", local.text);
    return WEIR_OK;
}

/* A writer moves and renames files, which would leave a link's target behind. */
static weir_err names_check(const paths *p, const char *vfs, weir_error *error)
{
    struct stat st;
    weir_err err = weir_file_check(p->at[DATA], vfs, error);
    if (err == WEIR_OK)
        err = weir_file_check(p->at[WAL], vfs, error);
    if (err == WEIR_OK && !vfs && lstat(p->at[DATA], &st) == 0 && S_ISLNK(st.st_mode))
        err = weir_fail(error, WEIR_EIO,
                        "%s is a symbolic link, and only a file can be written safely: give the "
                        "directory it points to as --data-dir (that may be reached by a link)",
                        p->at[DATA]);
    return err;
}

static weir_err look_once(const char *data_dir, const char *vfs, bool whole, bool *ret_damaged,
                          char ret_why[300], weir_error *error)
{
    WEIR_CLEANUP(paths_free) paths *p = weir_alloc(sizeof *p);
    weir_error local = WEIR_ERROR_INIT;
    weir_wal_state wal = {0};
    bool named = false, database = false;
    weir_err err = p ? paths_make(p, data_dir, error) : weir_fail(error, WEIR_ENOMEM, "no memory");
    *ret_damaged = false;
    ret_why[0] = '\0';
    if (err == WEIR_OK)
        err = names_check(p, vfs, error);
    if (err == WEIR_OK)
        err = weir_wal_look(p->at[WAL], vfs, &wal, error);
    /* SQLite's VFS takes an empty file for none. */
    if (err != WEIR_OK || (!weir_file_exists(p->at[DATA], vfs) && wal.committed == 0))
        return err;
    /* An emptied file beside a WAL with commits: SQLite would take it for a new database and drop
     * the WAL. */
    const int64_t size = weir_file_size(p->at[DATA], vfs);
    if (size < 0 && weir_file_exists(p->at[DATA], vfs))
        return weir_fail(error, WEIR_EIO, "cannot read %s", p->at[DATA]);
    const bool emptied = size <= 0;
    if (wal.damaged || (emptied && wal.committed > 0)) {
        (void)snprintf(ret_why, 300, "%s",
                       emptied ? "data.db is empty beside its write-ahead log"
                               : "the write-ahead log is damaged in the midst");
        *ret_damaged = emptied || file_is_ours(p, vfs);
        if (*ret_damaged)
            return WEIR_OK;
    }
    err = database_look(p->at[DATA], vfs, whole, &named, &database, ret_why, &local);
    if (err == WEIR_EDAMAGED && (named || file_is_ours(p, vfs))) {
        if (!ret_why[0])
            (void)snprintf(ret_why, 300, "data.db is cut short, or damaged at its start");
        *ret_damaged = true;
        return WEIR_OK;
    }
    if (err == WEIR_EDAMAGED && !database)
        return weir_fail(error, err,
                         "nothing in %s is weir's, and it was not touched: restore it from a "
                         "backup, or move it away and start anew",
                         p->at[DATA]);
    /* What only a writer can clean up is left to the real opening. */
    return err == WEIR_EDAMAGED || err == WEIR_EUNSUPPORTED
               ? weir_fail(error, err, "%s", local.text)
               : WEIR_OK;
}

/* A read that failed once may look like damage. What is damaged still is at the second look. */
weir_err weir_repair_look(const char *data_dir, const char *vfs, bool whole, bool *ret_damaged,
                          char ret_why[300], weir_error *error)
{
    weir_err err = look_once(data_dir, vfs, whole, ret_damaged, ret_why, error);
    return err == WEIR_OK && *ret_damaged
               ? look_once(data_dir, vfs, whole, ret_damaged, ret_why, error)
               : err;
}

/* What is known beside the file. */
struct help {
    weir_lock_hint hint;
    weir_text tags;
    uint64_t known_seq;
};

/* --- salvaging ---------------------------------------------------------------------------- */

/* No journal, and no fsync before the last commit: after any failure it is thrown away. */
static weir_err part_create(const char *path, const char *vfs, sqlite3 **ret, weir_error *error)
{
    char sql[300];
    weir_err err = weir_db_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs, ret, error);
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA page_size=%d; PRAGMA auto_vacuum=incremental; PRAGMA synchronous=OFF;"
                   "PRAGMA journal_mode=OFF; PRAGMA temp_store=MEMORY; BEGIN;"
                   "PRAGMA application_id=%d; PRAGMA user_version=%d;",
                   SCHEMA_PAGE_SIZE, SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
    if (err == WEIR_OK)
        err = weir_db_exec(*ret, sql, error);
    if (err == WEIR_OK)
        err = weir_db_tables_make(*ret, 0, error);
    return err == WEIR_OK ? weir_db_exec(*ret, "COMMIT", error) : err;
}

static weir_err part_fill(sqlite3 *db, weir_pages *pages, const struct help *help, weir_wall now,
                          weir_salvage_counts *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_salvage_free) weir_salvage *salvage = NULL;
    bool done = false;
    weir_err err = weir_salvage_new(pages, db, &salvage, error);
    while (err == WEIR_OK && !done) {
        err = weir_db_exec(db, "BEGIN", error);
        if (err == WEIR_OK)
            err = weir_salvage_step(salvage, STEP_PAGES, &done, error);
        if (err == WEIR_OK)
            err = weir_db_exec(db, "COMMIT", error);
    }
    bool same = false;
    if (err == WEIR_OK)
        err = weir_salvage_help(salvage, help->hint.uuid, weir_text_get(&help->tags), &same, error);
    const uint64_t hinted = same ? help->hint.last_seq : 0;
    /* This commit's fsync is for the whole file. */
    if (err == WEIR_OK)
        err = weir_db_exec(db, "PRAGMA synchronous=FULL; BEGIN", error);
    if (err == WEIR_OK)
        err = weir_salvage_finish(salvage, hinted > help->known_seq ? hinted : help->known_seq, now,
                                  ret, error);
    return err == WEIR_OK ? weir_db_exec(db, "COMMIT", error) : err;
}

static weir_err part_check(sqlite3 *db, weir_error *error)
{
    char finding[300];
    weir_err err = weir_db_check(db, "PRAGMA quick_check(1)", finding, error);
    if (err == WEIR_OK && *finding)
        err = weir_fail(error, WEIR_EIO, "the repaired file cannot be read back: %s", finding);
    return err;
}

static weir_err part_make(const paths *p, const char *vfs, const struct help *help, weir_wall now,
                          weir_salvage_counts *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_pages_close) weir_pages *pages = NULL;
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    weir_err err = weir_pages_open(p->at[DATA], p->at[WAL], vfs, &pages, error);
    if (err == WEIR_OK)
        err = part_create(p->at[PART], vfs, &db, error);
    if (err == WEIR_OK)
        err = part_fill(db, pages, help, now, ret, error);
    return err == WEIR_OK ? part_check(db, error) : err;
}

static weir_err part_remove(const paths *p, const char *vfs, weir_error *error)
{
    weir_err err = weir_file_remove(p->at[PART_JOURNAL], vfs, error);
    return err == WEIR_OK ? weir_file_remove(p->at[PART], vfs, error) : err;
}

/* --- the exchange ------------------------------------------------------------------------- */

/* The folder is named after the repair, which is noted in the repaired file: an exchange that goes
 * on after a crash finds the same. */
static weir_err quarantine_name(const paths *p, const char *vfs, char ret[300], weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    int64_t when = 0;
    char text[28];
    weir_err err = weir_db_open(p->at[REPAIRED], SQLITE_OPEN_READONLY, vfs, &db, error);
    if (err == WEIR_OK)
        err = weir_db_int(db, "SELECT value FROM meta WHERE key='repaired'", 0, &when, error);
    if (err != WEIR_OK)
        return err;
    weir_file_time((weir_wall){when}, text);
    /* A simulated disk has no folders. */
    const int n = snprintf(ret, 300, "%.250s%c%s", p->at[QUARANTINE], vfs ? '-' : '/', text);
    if (n < 0 || n >= 300 || strlen(p->at[QUARANTINE]) > 250)
        return weir_fail(error, WEIR_EINVAL, "data directory: the path is too long");
    return WEIR_OK;
}

static weir_err exchange(const paths *p, const char *data_dir, const char *vfs, char folder[300],
                         weir_error *error)
{
    static const struct {
        enum file_name file;
        const char *name;
    } moved[] = {{WAL, "data.db-wal"}, {DATA, "data.db"}};
    weir_err err = quarantine_name(p, vfs, folder, error);
    if (err == WEIR_OK && !vfs)
        err = weir_dir_make(p->at[QUARANTINE], error);
    if (err == WEIR_OK && !vfs)
        err = weir_dir_make(folder, error);
    for (size_t i = 0; err == WEIR_OK && i < sizeof moved / sizeof *moved; i++) {
        char to[400];
        (void)snprintf(to, sizeof to, "%s%c%s", folder, vfs ? '-' : '/', moved[i].name);
        if (weir_file_exists(p->at[moved[i].file], vfs))
            err = weir_file_move(p->at[moved[i].file], to, vfs, error);
    }
    if (err == WEIR_OK)
        err = weir_file_remove(p->at[SHM], vfs, error);
    if (err == WEIR_OK && !vfs)
        err = weir_dir_sync(folder, error);
    if (err == WEIR_OK)
        err = weir_file_move(p->at[REPAIRED], p->at[DATA], vfs, error);
    return err == WEIR_OK ? weir_dir_sync(data_dir, error) : err;
}

weir_err weir_repair_resume(const char *data_dir, const char *vfs, weir_error *error)
{
    WEIR_CLEANUP(paths_free) paths *p = weir_alloc(sizeof *p);
    char folder[300];
    weir_err err = p ? paths_make(p, data_dir, error) : weir_fail(error, WEIR_ENOMEM, "no memory");
    if (err == WEIR_OK && weir_file_exists(p->at[REPAIRED], vfs))
        err = exchange(p, data_dir, vfs, folder, error);
    return err;
}

static weir_err repair_files(const paths *p, const char *data_dir, const char *vfs,
                             const struct help *help, weir_wall now, weir_repair_report *ret,
                             weir_error *error)
{
    weir_err err = part_remove(p, vfs, error);
    if (err == WEIR_OK)
        err = part_make(p, vfs, help, now, &ret->counts, error);
    if (err != WEIR_OK) {
        weir_err removed = part_remove(p, vfs, NULL);
        (void)removed; /* the next repair begins with that */
        return err;
    }
    err = weir_file_move(p->at[PART], p->at[REPAIRED], vfs, error);
    if (err == WEIR_OK)
        err = weir_dir_sync(data_dir, error);
    return err == WEIR_OK ? exchange(p, data_dir, vfs, ret->quarantine, error) : err;
}

weir_err weir_repair_run(const char *data_dir, const char *vfs, int lock_fd, uint64_t known_seq,
                         weir_wall now, weir_repair_report *ret, weir_error *error)
{
    WEIR_CLEANUP(paths_free) paths *p = weir_alloc(sizeof *p);
    struct help help = {weir_lock_hint_read(lock_fd), WEIR_TEXT_INIT, known_seq};
    weir_err err = p ? paths_make(p, data_dir, error) : weir_fail(error, WEIR_ENOMEM, "no memory");
    if (err == WEIR_OK)
        err = weir_lock_tags_read(lock_fd, &help.tags, error);
    if (err == WEIR_OK)
        err = repair_files(p, data_dir, vfs, &help, now, ret, error);
    weir_text_deinit(&help.tags);
    ret->repaired = err == WEIR_OK;
    return err == WEIR_OK ? WEIR_OK : weir_fail_prefix(error, "cannot repair the store: ");
}

/* --- the command -------------------------------------------------------------------------- */

static weir_err repair_locked(const char *data_dir, const char *vfs, int lock_fd, weir_wall now,
                              weir_repair_report *ret, weir_error *error)
{
    bool damaged;
    weir_err err = weir_repair_resume(data_dir, vfs, error);
    if (err == WEIR_OK)
        err = weir_foreign_wal_put_aside(data_dir, vfs, now, ret->foreign_wal, error);
    if (err == WEIR_OK)
        err = weir_repair_look(data_dir, vfs, true, &damaged, ret->why, error);
    if (err == WEIR_OK && !damaged)
        err = store_verify(data_dir, vfs, &damaged, ret->why, error);
    if (err == WEIR_OK && damaged)
        err = weir_repair_run(data_dir, vfs, lock_fd, 0, now, ret, error);
    return err;
}

weir_err weir_store_repair(const char *data_dir, const char *vfs, weir_wall now,
                           weir_repair_report *ret, weir_error *error)
{
    char path[4200], wal[4200];
    int lock;
    (void)snprintf(path, sizeof path, "%s/data.db", data_dir);
    (void)snprintf(wal, sizeof wal, "%s/data.db-wal", data_dir);
    *ret = (weir_repair_report){0};
    if (!vfs && access(data_dir, X_OK) != 0 && errno == EACCES)
        return weir_fail(error, WEIR_EPERM,
                         "no permission to look into %s: run this as the user who owns it",
                         data_dir);
    if (!weir_file_exists(path, vfs) && !weir_file_exists(wal, vfs))
        return weir_fail(error, WEIR_ENOTFOUND, "no store in %s: give --data-dir", data_dir);
    weir_err err = weir_lock_take(data_dir, &lock, error);
    if (err != WEIR_OK)
        return err;
    err = repair_locked(data_dir, vfs, lock, now, ret, error);
    weir_lock_release(lock);
    return err;
}
